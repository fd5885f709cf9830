"""When LIVE is refused, and which request is a double click."""

from datetime import UTC, datetime, timedelta

import pytest

from btc_shared.codes import Mode
from exporter.control import Caller, Preflight, decide_mode, is_double_click, live_obstacles

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def preflight(age: float = 0, *, passed: bool = True, reasons: tuple[str, ...] = ()) -> Preflight:
    return Preflight(checked_at=NOW - timedelta(seconds=age), passed=passed, reasons=reasons)


def caller(*, authorised: bool = False, browser: bool = False, forbidden: str | None = None) -> Caller:
    return Caller(
        route="POST /toggle-mode", origin="127.0.0.1", authorised=authorised, is_browser=browser, forbidden=forbidden
    )


def test_a_fresh_preflight_that_passed_and_the_owners_permission_are_enough() -> None:
    assert live_obstacles(allow_live=True, preflight=preflight(120), now=NOW) == ()


def test_all_that_stands_in_the_way_is_told_at_once() -> None:
    failed = preflight(passed=False, reasons=("no trading permission", "the clock is 3 s off"))
    obstacles = live_obstacles(allow_live=False, preflight=failed, now=NOW)
    assert len(obstacles) == 3
    assert "ALLOW_LIVE" in obstacles[0]
    assert obstacles[1:] == ("preflight: no trading permission", "preflight: the clock is 3 s off")


@pytest.mark.parametrize("found", [None, preflight(121), preflight(passed=False)])
def test_no_old_or_failed_preflight_lets_live_through(found: Preflight | None) -> None:
    assert len(live_obstacles(allow_live=True, preflight=found, now=NOW)) == 1


@pytest.mark.parametrize(
    ("authorised", "obstacles", "forbidden", "status"),
    [
        (True, (), None, 200),
        (True, ("x",), None, 409),
        (False, (), None, 401),
        (False, ("x",), None, 401),
        (True, (), "foreign", 403),
        (False, ("x",), "foreign", 403),
    ],
)
def test_live_is_refused_by_page_then_token_then_conditions(
    authorised: bool, obstacles: tuple[str, ...], forbidden: str | None, status: int
) -> None:
    asks = caller(authorised=authorised, forbidden=forbidden)
    outcome = decide_mode(Mode.DRY, Mode.LIVE, asks, token_configured=True, obstacles=obstacles)
    assert outcome.status == status
    assert outcome.current is (Mode.LIVE if status == 200 else Mode.DRY)
    assert bool(outcome.reasons) is (status != 200)


@pytest.mark.parametrize("current", list(Mode))
def test_dry_is_refused_to_foreign_pages_only(current: Mode) -> None:
    granted = decide_mode(current, Mode.DRY, caller(), token_configured=False, obstacles=("x",))
    assert (granted.status, granted.previous, granted.current) == (200, current, Mode.DRY)
    refused = decide_mode(current, Mode.DRY, caller(forbidden="foreign"), token_configured=True, obstacles=())
    assert (refused.status, refused.current) == (403, current)


def test_a_double_click_is_a_browsers_toggle_right_after_a_toggle() -> None:
    just, earlier = NOW - timedelta(seconds=0.4), NOW - timedelta(seconds=2.1)
    assert is_double_click(caller(browser=True), ("GET /toggle-mode", just), NOW)
    assert not is_double_click(caller(browser=True), ("GET /toggle-mode", earlier), NOW)
    assert not is_double_click(caller(browser=True), ("POST /set-dry", just), NOW)
    assert not is_double_click(caller(browser=True), None, NOW)
    assert not is_double_click(caller(), ("GET /toggle-mode", just), NOW)
