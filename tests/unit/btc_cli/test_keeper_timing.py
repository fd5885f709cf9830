"""Delays before restarts."""

import pytest

from btc_cli.keeper import Timing, restart_delay


def test_delays_double_up_to_the_longest() -> None:
    assert [restart_delay(crashes, Timing()) for crashes in range(1, 9)] == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("crashes", [100, 10_000])
def test_a_process_that_crashes_for_ever_is_still_tried_every_thirty_seconds(crashes: int) -> None:
    assert restart_delay(crashes, Timing()) == 30
