"""Which requests may reach the control routes at all: pure checks of headers.

A web page anywhere can make its visitor's browser send requests to this machine. What it cannot do is lie in the
headers that browsers set themselves: `Host`, `Origin`, `Sec-Fetch-Site`, `Referer`.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def host_name(host: str) -> str:
    """The name in a `Host` header, without port, in lower case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0].rstrip(".")


def host_problem(headers: Mapping[str, str], allowed_hosts: Collection[str]) -> str | None:
    """Why the `Host` is refused: a foreign name that resolves to this machine (DNS rebinding) is not our page."""
    name = host_name(headers.get("host", ""))
    if name in LOCAL_HOSTS or name in {host_name(allowed) for allowed in allowed_hosts}:
        return None
    return f"this service does not answer as {name or 'a host without a name'!r}: add the name to ALLOWED_HOSTS"


def is_browser(headers: Mapping[str, str]) -> bool:
    """True when the request comes from a browser: only those send these headers, or call themselves Mozilla."""
    sent = any(name in headers for name in ("origin", "sec-fetch-site", "sec-fetch-mode"))
    return sent or headers.get("user-agent", "").startswith("Mozilla/")


def wants_page(headers: Mapping[str, str]) -> bool:
    """True when the caller shows what it gets to a person."""
    return "text/html" in headers.get("accept", "")


def cross_site_problem(headers: Mapping[str, str], allowed_origins: Collection[str]) -> str | None:
    """Why a browser's request is refused: a page other than ours or an allowed one made it, or may have.

    Programs that are no browsers pass: no web page speaks through them. The `Host` must have been checked before.
    """
    if "prefetch" in headers.get("sec-purpose", headers.get("purpose", "")):
        return "a browser's look-ahead changes nothing"
    own = headers.get("host", "").lower()
    origin, referer, site = headers.get("origin"), headers.get("referer"), headers.get("sec-fetch-site")
    if origin is not None:
        return None if _is_ours(origin, own, allowed_origins) else f"requests from {_shown(origin)} are refused"
    if site in ("same-origin", "none"):  # our page, or a person who typed the address
        return None
    if referer is not None:
        return None if _is_ours(referer, own, allowed_origins) else f"requests from {_shown(referer)} are refused"
    if is_browser(headers):
        return "the browser does not say which page asks; open /mode and use its buttons"
    return None


def _is_ours(url: str, own_host: str, allowed_origins: Collection[str]) -> bool:
    origin = _origin(url)
    return origin in allowed_origins or origin in {f"http://{own_host}", f"https://{own_host}"}


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def _shown(url: str) -> str:
    origin = _origin(url)
    return repr(origin[:100]) if origin not in ("", "://") else "an unnamed page"


def described_client(address: str, user_agent: str) -> str:
    """Who asked, for the audit table: address and program, without control characters, at most 120 characters."""
    program = "".join(character for character in user_agent if character.isprintable())[:80]
    return f"{address} {program}".strip()[:120]
