"""Who may ask: everyone, or with `API_TOKEN` set whoever sends it."""

from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from starlette.requests import Request

from btc_shared.api import ApiError, bearer, same_secret


def token_check(api_token: SecretStr | None) -> Callable[[Request], Awaitable[None]]:
    """A dependency for routes that answers 401 without the token; without an `api_token` it lets everyone pass."""

    async def authorised(request: Request) -> None:
        if api_token is None:
            return
        token = bearer(request.headers)
        if token is None or not same_secret(token, api_token):
            detail = "send the API token as 'Authorization: Bearer'"
            raise ApiError(401, "the API token is missing or wrong", detail, {"WWW-Authenticate": "Bearer"})

    return authorised
