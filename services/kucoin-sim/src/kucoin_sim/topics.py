"""Topic names: what can be subscribed, and which single-symbol topics a subscription stands for."""

from collections.abc import Collection
from dataclasses import dataclass

from kucoin_sim.candles import CANDLE_TYPES

MOST_TOPICS_A_MESSAGE = 100
MOST_TOPICS_A_CONNECTION = 400

_BY_SYMBOL = (
    "/market/ticker",
    "/market/snapshot",
    "/market/match",
    "/market/level2",
    "/spotMarket/level1",
    "/spotMarket/level2Depth5",
    "/spotMarket/level2Depth50",
)
_CANDLES = "/market/candles"
_PRIVATE = ("/spotMarket/tradeOrders", "/spotMarket/tradeOrdersV2", "/spotMarket/advancedOrders", "/account/balance")
_FOR_ALL = ("/market/ticker",)


class TopicError(Exception):
    """A subscription that is refused, with KuCoin's code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Candles:
    """A candle topic's parts."""

    symbol: str
    candle_type: str


def single_topics(topic: object, symbols: Collection[str]) -> list[str]:
    """The single-symbol topics of `topic`, such as "/market/ticker:BTC-USDT,ETH-USDT".

    Raises:
        TopicError: 406 without a topic, 400 malformed, 403 private, 404 unknown, 509 too many.
    """
    if not isinstance(topic, str) or not topic:
        raise TopicError(406, "topic is required")
    if topic in _PRIVATE:
        raise TopicError(403, "login is required")
    prefix, colon, rest = topic.partition(":")
    if not prefix.startswith("/"):
        raise TopicError(400, "topic is invalid")
    if prefix not in _BY_SYMBOL and prefix != _CANDLES:
        raise TopicError(404, f"topic {topic} is not found")
    subjects = rest.split(",")
    if not colon or not all(subjects):
        raise TopicError(400, "topic is invalid")
    if len(subjects) > MOST_TOPICS_A_MESSAGE:
        raise TopicError(509, f"exceed max subscription count limitation of {MOST_TOPICS_A_MESSAGE} per time")
    for subject in subjects:
        if not _known(prefix, subject, symbols):
            raise TopicError(404, f"topic {prefix}:{subject} is not found")
    return [f"{prefix}:{subject}" for subject in dict.fromkeys(subjects)]


def _known(prefix: str, subject: str, symbols: Collection[str]) -> bool:
    if prefix == _CANDLES:
        symbol, _, candle_type = subject.rpartition("_")
        return symbol in symbols and candle_type in CANDLE_TYPES
    return subject in symbols or (subject == "all" and prefix in _FOR_ALL)


def candles_of(topic: str) -> Candles | None:
    """Symbol and type of a single candle topic; None for any other topic."""
    prefix, _, rest = topic.partition(":")
    if prefix != _CANDLES:
        return None
    symbol, _, candle_type = rest.rpartition("_")
    return Candles(symbol, candle_type)
