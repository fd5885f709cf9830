"""Refusals in KuCoin's words: an HTTP status, a code that is a string, and a message."""


class ApiError(Exception):
    """Answered as {"code", "msg"} with HTTP status `status`. Business errors come with status 200."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message


def bad_parameter(message: str) -> ApiError:
    return ApiError(400, "400100", message)


def unknown_symbol() -> ApiError:
    return ApiError(200, "900001", "symbol not exists")


URL_NOT_FOUND = ApiError(404, "404000", "Url Not Found")
METHOD_NOT_ALLOWED = ApiError(405, "405000", "Method Not Allowed")
WRONG_CONTENT_TYPE = ApiError(415, "415000", "Unsupported Media Type")
TOO_MANY_REQUESTS = ApiError(429, "429000", "Too Many Requests")
INTERNAL_ERROR = ApiError(500, "500000", "Internal Server Error")
