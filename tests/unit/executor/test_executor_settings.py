"""KuCoin's keys come all three or not at all, and never show themselves."""

import pytest

from btc_shared.settings import SettingsError, load
from executor.settings import ExecutorSettings

ENVIRON = {"DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x"}
KEYS = {"KUCOIN_API_KEY": "k3y-of-mine", "KUCOIN_API_SECRET": "s3cret-of-mine", "KUCOIN_API_PASSPHRASE": "p4ss-of-mine"}


def test_the_keys_are_all_or_none() -> None:
    load(ExecutorSettings, ENVIRON)
    load(ExecutorSettings, ENVIRON | KEYS)
    for name in KEYS:
        with pytest.raises(SettingsError, match="belong together"):
            load(ExecutorSettings, ENVIRON | {other: value for other, value in KEYS.items() if other != name})


def test_no_key_is_printed_with_the_settings() -> None:
    printed = repr(load(ExecutorSettings, ENVIRON | KEYS))
    assert "kucoin_api_key" in printed
    assert not any(value in printed for value in KEYS.values())
