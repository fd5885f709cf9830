"""`python -m btc_shared.probe PORT`: ask a service on this machine for its health; exit status 0 when it can serve.

For container health checks: it needs no shell and no curl, and imports little because it runs every few seconds.
"""

import http.client
import sys

TIMEOUT_SECS = 4.0


def main(arguments: list[str]) -> int:
    """Print what the service says of itself, which `docker inspect` then shows."""
    if len(arguments) != 1 or not arguments[0].isdecimal():
        print("usage: python -m btc_shared.probe PORT", file=sys.stderr)
        return 2
    connection = http.client.HTTPConnection("127.0.0.1", int(arguments[0]), timeout=TIMEOUT_SECS)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
