from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from btc_shared import clock


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_milliseconds_survive_the_round_trip_exactly(milliseconds: int) -> None:
    assert clock.to_ms(clock.from_ms(milliseconds)) == milliseconds


def test_times_are_aware_and_utc() -> None:
    assert clock.now().tzinfo is UTC
    assert clock.from_ms(1_723_161_255_342) == datetime(2024, 8, 8, 23, 54, 15, 342_000, UTC)
