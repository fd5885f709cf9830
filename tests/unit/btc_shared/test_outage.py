"""An outage is two lines of the log, however often it is met."""

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from btc_shared import service
from btc_shared.outage import Outage
from btc_shared.service import tolerating_outage


class Watch:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_one_line_when_it_begins_and_one_with_its_length_when_it_ends() -> None:
    watch = Watch()
    outage = Outage("redis", at_secs=watch)
    with capture_logs() as lines:
        outage.over()
        for _ in range(100):
            outage.failed(ConnectionRefusedError("refused\nand a page of details"))
            watch.now += 0.5
        assert outage.error == "refused"
        assert outage.since_ms is not None
        assert outage.detail() == "away for 50 s: refused"
        outage.over()
        outage.over()
    told = [line for line in lines if line["log_level"] != "debug"]
    assert told == [
        {"event": "outage_began", "log_level": "warning", "dependency": "redis", "error": "refused"},
        {
            "event": "outage_over",
            "log_level": "info",
            "dependency": "redis",
            "lasted_secs": 50.0,
            "failures": 100,
            "last_error": "refused",
        },
    ]
    assert outage.detail() == "answers"


def test_an_error_without_a_text_is_named() -> None:
    outage = Outage("redis")
    outage.failed(TimeoutError())
    assert outage.error == "TimeoutError()"
    outage.failed(ValueError("\nsecond line"))
    assert outage.error == "ValueError('\\nsecond line')"


def test_successes_that_prove_little_end_it_only_when_failures_have_stopped() -> None:
    watch = Watch()
    outage = Outage("database", settle_secs=10, at_secs=watch)
    with capture_logs() as lines:
        for _ in range(20):
            outage.failed(OSError("away"))
            watch.now += 4
            outage.over()  # of work that did not need it
            watch.now += 4
        outage.over()
        assert outage.error == "away"
        watch.now += 10
        outage.over()
    assert [line["event"] for line in lines if line["log_level"] != "debug"] == ["outage_began", "outage_over"]
    assert lines[-1]["lasted_secs"] == 152  # from the first failure to the last


async def test_works_that_meet_the_same_outage_of_the_database_say_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    monkeypatch.setattr(service, "database_outage", Outage("database", settle_secs=10, at_secs=watch))

    async def reads() -> None:
        if watch.now < 200:
            raise OperationalError("SELECT 1", None, ConnectionRefusedError("refused"))

    async def needs_no_database() -> None:
        pass

    with capture_logs() as lines:
        for _ in range(100):
            assert await tolerating_outage(reads()) == (watch.now >= 200)
            assert await tolerating_outage(needs_no_database())
            watch.now += 2
    assert [line["event"] for line in lines if line["log_level"] != "debug"] == ["outage_began", "outage_over"]
