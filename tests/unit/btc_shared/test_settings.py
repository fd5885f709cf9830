from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.settings import (
    DatabaseSettings,
    EngineSettings,
    ExchangeSettings,
    MarketSettings,
    RedisSettings,
    RiskSettings,
    SettingsError,
    load,
    load_all,
)


def test_defaults_are_the_documented_rules() -> None:
    risk, engine = load(RiskSettings, {}), load(EngineSettings, {})
    assert (risk.stop_loss_pct, risk.take_profit_pct) == (Decimal("0.02"), Decimal("0.03"))
    assert (risk.max_position_pct, risk.min_trade_amount, risk.taker_fee) == (
        Decimal("0.30"),
        Decimal(10),
        Decimal("0.001"),
    )
    assert (risk.partial_exit_pct, risk.partial_exit_fraction) == (Decimal("0.015"), Decimal("0.5"))
    assert (risk.trailing_activation_pct, risk.trailing_distance_pct) == (Decimal("0.015"), Decimal("0.008"))
    assert (risk.max_daily_trades, risk.max_daily_loss, risk.min_trade_interval) == (15, Decimal(150), Decimal(180))
    assert (risk.min_confidence, risk.dry_latency, risk.dry_initial_balance) == (
        Decimal("0.60"),
        Decimal("0.25"),
        Decimal(1000),
    )
    assert (engine.poll_interval, engine.confirm_secs, engine.decision_threshold) == (5.0, 30.0, 0.30)
    weights = (engine.weight_technical, engine.weight_orderbook, engine.weight_flow, engine.weight_qlearning)
    assert weights == (0.30, 0.25, 0.25, 0.20)


def test_the_environment_is_read_exactly_as_decimal() -> None:
    assert load(RiskSettings, {"STOP_LOSS_PCT": "0.021"}).stop_loss_pct == Decimal("0.021")


def test_an_empty_value_counts_as_unset() -> None:
    assert load(RiskSettings, {"STOP_LOSS_PCT": ""}) == load(RiskSettings, {})


def test_every_wrong_setting_is_named_with_its_value_and_what_is_allowed_all_at_once() -> None:
    environ = {
        "STOP_LOSS_PCT": "2",
        "MAX_DAILY_TRADES": "many",
        "TAKER_FEE": "nan",
        "SYMBOL": "bitcoin",
        "DATABASE_URL": "mysql://root:hunter2@db/agent",
        "POLL_INTERVAL": "-1",
    }
    classes = (RiskSettings, EngineSettings, MarketSettings, DatabaseSettings, RedisSettings)
    with pytest.raises(SettingsError) as caught:
        load_all([(cls, environ) for cls in classes])
    text = str(caught.value)
    for name, value in environ.items():
        if name != "DATABASE_URL":
            assert f"{name} is {value!r}: " in text
    assert "a fraction above 0 and up to 0.5" in text
    assert "a KuCoin spot symbol such as BTC-USDT" in text
    assert "REDIS_URL is not set" in text
    assert len(caught.value.problems) == len(environ) + 1


def test_a_wrong_secret_is_reported_without_showing_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load(DatabaseSettings, {"DATABASE_URL": "mysql://root:hunter2@db/agent"})
    assert "hunter2" not in str(caught.value)
    assert "DATABASE_URL is (hidden)" in str(caught.value)


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"sum to 1\.2500: must be 1"):
        load(EngineSettings, {"WEIGHT_FLOW": "0.5"})


@pytest.mark.parametrize(
    "environ",
    [
        {"VENUE": "kucoin", "KUCOIN_BASE_URL": "http://127.0.0.1:8600"},
        {"VENUE": "practice"},
        {"VENUE": "practice", "KUCOIN_BASE_URL": "https://api.kucoin.com"},
        {"VENUE": "kucoin", "KUCOIN_BASE_URL": "http://api.kucoin.com"},
    ],
)
def test_a_practice_ledger_and_the_real_exchange_never_meet(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="the venue kucoin goes with https://api"):
        load(ExchangeSettings, environ)


def test_the_exchange_is_kucoin_unless_the_venue_is_practice() -> None:
    assert load(ExchangeSettings, {}).kucoin_base_url == "https://api.kucoin.com"
    practice = load(ExchangeSettings, {"VENUE": "practice", "KUCOIN_BASE_URL": "http://127.0.0.1:8600/"})
    assert practice.kucoin_base_url == "http://127.0.0.1:8600"


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("redis://:secret@127.0.0.1:6379/0\n")
    settings = load(RedisSettings, {"REDIS_URL_FILE": str(path)})
    assert settings.redis_url.get_secret_value() == "redis://:secret@127.0.0.1:6379/0"


@pytest.mark.parametrize(
    ("content", "also", "message"),
    [
        (None, {}, "cannot read it"),
        ("", {}, "the file is empty"),
        ("redis://a", {"REDIS_URL": "redis://b"}, "keep one of them"),
    ],
)
def test_a_secret_file_that_cannot_serve_is_named(
    tmp_path: Path, content: str | None, also: dict[str, str], message: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=message):
        load(RedisSettings, {"REDIS_URL_FILE": str(path), **also})


@given(st.dictionaries(st.sampled_from([name.upper() for name in RiskSettings.model_fields]), st.text(max_size=20)))
def test_any_text_is_either_a_valid_setting_or_a_named_problem(environ: dict[str, str]) -> None:
    problems: tuple[str, ...] = ()
    try:
        assert 0 < load(RiskSettings, environ).stop_loss_pct <= Decimal("0.5")
    except SettingsError as error:
        problems = error.problems
    assert all(any(name in problem for name in environ) for problem in problems)
