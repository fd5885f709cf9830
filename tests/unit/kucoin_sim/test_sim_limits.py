"""Rate-limit pools, tokens and options."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kucoin_sim.options import parse
from kucoin_sim.rate_limits import WINDOW_MS, Pool
from kucoin_sim.tokens import VALID_MS, TokenBook

NOW_MS = 1_790_000_000_000


def test_the_window_begins_with_the_first_request_and_then_starts_anew() -> None:
    pool = Pool(10)
    first = pool.charge("1.2.3.4", 4, NOW_MS)
    assert first.headers() == {
        "gw-ratelimit-limit": "10",
        "gw-ratelimit-remaining": "6",
        "gw-ratelimit-reset": "30000",
    }
    second = pool.charge("1.2.3.4", 4, NOW_MS + 29_000)
    assert (second.allowed, second.remaining, second.reset_ms) == (True, 2, 1000)
    refused = pool.charge("1.2.3.4", 4, NOW_MS + 29_999)
    assert (refused.allowed, refused.remaining, refused.reset_ms) == (False, 2, 1)
    fresh = pool.charge("1.2.3.4", 4, NOW_MS + 30_000)
    assert (fresh.allowed, fresh.remaining, fresh.reset_ms) == (True, 6, WINDOW_MS)


def test_callers_do_not_share_their_quota() -> None:
    pool = Pool(10)
    assert pool.charge("a", 10, NOW_MS).allowed
    assert not pool.charge("a", 1, NOW_MS).allowed
    assert pool.charge("b", 10, NOW_MS).allowed


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 40)), max_size=100))
def test_never_more_than_the_quota_is_granted_in_a_window(requests: list[tuple[int, int]]) -> None:
    pool, now_ms = Pool(100), NOW_MS
    granted: dict[int, int] = {}
    for wait_ms, weight in requests:
        now_ms += wait_ms
        charge = pool.charge("a", weight, now_ms)
        window = now_ms + charge.reset_ms
        if charge.allowed:
            granted[window] = granted.get(window, 0) + weight
        assert granted.get(window, 0) + charge.remaining == 100
        assert 0 < charge.reset_ms <= WINDOW_MS


def test_tokens_are_valid_for_a_day_and_not_to_be_guessed() -> None:
    book = TokenBook()
    text = book.issue(NOW_MS)
    assert book.issue(NOW_MS) != text
    token = book.check(text, NOW_MS + VALID_MS - 1)
    assert not isinstance(token, str)
    assert token.user_id is None
    assert book.check(text, NOW_MS + VALID_MS) == "expired"
    assert book.check(text[:-1], NOW_MS) == "unknown"
    assert book.check("", NOW_MS) == "unknown"


def test_flags_win_over_variables_and_variables_over_defaults() -> None:
    environ = {"KUCOIN_SIM_PORT": "8600", "KUCOIN_SIM_MARKET": "calm2022", "KUCOIN_SIM_JSON": "true"}
    options = parse(["--port", "8601"], environ)
    assert (options.port, options.market, options.json, options.host, options.seed) == (
        8601,
        "calm2022",
        True,
        "127.0.0.1",
        1,
    )
    assert parse([], {}).json is False


@pytest.mark.parametrize(
    ("arguments", "environ", "reason"),
    [
        (["--port", "65536"], {}, "'65536' is not a port"),
        ([], {"KUCOIN_SIM_PORT": "many"}, "'many' is not a port"),
        (["--market", "bull"], {}, "'bull' is not one of crash, calm2022"),
        ([], {"KUCOIN_SIM_MARKET": "bull"}, "'bull' is not one of crash, calm2022"),
        (["--symbols", "BTC-USDT,DOGE-USDT"], {}, "'DOGE-USDT' is not one of BTC-USDT, ETH-USDT"),
        (["--recording", "/no/such/file"], {}, "there is no file '/no/such/file'"),
        (["--ping-timeout-ms", "0"], {}, "'0' is not a positive whole number"),
        (["--seed", "x"], {}, "invalid int value: 'x'"),
        (["--market", "rally", "--seed", "7"], {}, "the film 'rally' is crash with the seed 205: leave the seed out"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(
    arguments: list[str], environ: dict[str, str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments, environ)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_files_are_given_by_path(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.touch()
    options = parse(["--recording", str(path), "--history", str(path), "--history-scale", "none"], {})
    assert (options.recording, options.history, options.history_scale) == (path, path, "none")
