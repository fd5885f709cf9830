"""Settings of the market feed are checked before anything starts."""

import pytest

from btc_shared.settings import SettingsError, load
from market_feed.settings import MarketFeedSettings

NEEDED = {"DATABASE_URL": "postgresql://a@127.0.0.1/b", "REDIS_URL": "redis://127.0.0.1"}


def test_defaults_are_the_real_exchange_and_a_day_of_bars() -> None:
    settings = load(MarketFeedSettings, NEEDED)
    assert (settings.port, settings.kucoin_base_url, settings.history_bars) == (8511, "https://api.kucoin.com", 1_440)


def test_a_trailing_slash_is_taken_off_the_address() -> None:
    assert load(
        MarketFeedSettings, NEEDED | {"VENUE": "practice", "KUCOIN_BASE_URL": "http://127.0.0.1:9/"}
    ).kucoin_base_url == ("http://127.0.0.1:9")


@pytest.mark.parametrize("address", ["api.kucoin.com", "ftp://x", "https://", "http://x/?a=1", "ws://x"])
def test_a_wrong_address_is_named_with_what_would_be_right(address: str) -> None:
    with pytest.raises(SettingsError, match=r"KUCOIN_BASE_URL is .*such as"):
        load(MarketFeedSettings, NEEDED | {"KUCOIN_BASE_URL": address})


def test_too_little_history_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"HISTORY_BARS is '299'.*300 to 10080"):
        load(MarketFeedSettings, NEEDED | {"HISTORY_BARS": "299"})
