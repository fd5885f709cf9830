"""Headers: which names this machine answers to, and which requests may come from a foreign page."""

import pytest

from exporter.guard import cross_site_problem, described_client, host_problem, is_browser

ORIGINS = ("http://localhost:3002",)
HOST = {"host": "localhost:9092"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9092", "127.0.0.1:1", "[::1]", "[::1]:9092", "box.lan:9092"])
def test_known_names_are_answered(host: str) -> None:
    assert host_problem({"host": host}, ["box.lan"]) is None


@pytest.mark.parametrize(
    "host", ["", "evil.example", "box.lan.evil.example", "127.0.0.1.evil.example", "[::2]", "::1", "localhost@evil"]
)
def test_unknown_names_are_refused_with_the_remedy(host: str) -> None:
    problem = host_problem({"host": host}, ["box.lan"])
    assert problem is not None
    assert "ALLOWED_HOSTS" in problem


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": "curl/8.0"},
        {"user-agent": "Mozilla/5.0", "origin": "http://localhost:9092"},
        {"origin": "http://localhost:3002", "sec-fetch-site": "cross-site"},
        {"origin": "HTTP://LOCALHOST:3002"},
        {"user-agent": "Mozilla/5.0", "sec-fetch-site": "none"},
        {"user-agent": "Mozilla/5.0", "sec-fetch-site": "same-origin"},
        {"user-agent": "Mozilla/4.0", "referer": "http://localhost:9092/mode"},
    ],
)
def test_programs_our_own_page_and_allowed_pages_pass(headers: dict[str, str]) -> None:
    assert cross_site_problem({**HOST, **headers}, ORIGINS) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://[broken"},
        {"origin": "http://localhost:3002.evil.example"},
        {"origin": "https://localhost:3002"},
        {"origin": "http://evil.example", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "something-new"},
        {"sec-fetch-site": "cross-site", "referer": "http://evil.example/?http://localhost:9092"},
        {"referer": "http://evil.example"},
        {"user-agent": "Mozilla/4.0"},
        {"sec-fetch-mode": "navigate"},
        {"sec-purpose": "prefetch", "sec-fetch-site": "none"},
        {"purpose": "prefetch"},
    ],
)
def test_whatever_may_come_from_a_foreign_page_is_refused(headers: dict[str, str]) -> None:
    assert cross_site_problem({**HOST, **headers}, ORIGINS) is not None


def test_browsers_are_told_from_programs() -> None:
    assert is_browser({"user-agent": "Mozilla/5.0"})
    assert is_browser({"origin": "http://localhost:3002"})
    assert not is_browser({"user-agent": "python-httpx/0.28", "accept": "*/*"})


def test_who_asked_fits_into_a_log_line() -> None:
    assert described_client("127.0.0.1", "curl/8.0") == "127.0.0.1 curl/8.0"
    described = described_client("127.0.0.1", "x" * 300 + "\n\x1b[31m")
    assert len(described) <= 120
    assert described.isprintable()
