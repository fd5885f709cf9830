"""Messages of a connection: acks with string ids, pongs, and KuCoin's error frames for everything else."""

import json
from random import Random
from typing import Any

import pytest

from kucoin_sim.board import Board
from kucoin_sim.candles import CANDLE_TYPES
from kucoin_sim.exchange import Exchange
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.hub import Farewell, Hub, Outbox
from kucoin_sim.instruments import INSTRUMENTS
from kucoin_sim.presets import CALM_2022
from kucoin_sim.session import MESSAGES_WINDOW_MS, MOST_MESSAGES, Session

NOW_MS = 1_790_000_040_000


class Line:
    """A session with its outbox, over two pairs."""

    def __init__(self) -> None:
        self.hub = Hub()
        boards = {
            symbol: Board(GeneratedMarket(CALM_2022, 1, NOW_MS, instrument, history_minutes=1), NOW_MS, Random(1))
            for symbol, instrument in INSTRUMENTS.items()
        }
        self.exchange = Exchange(boards, self.hub, NOW_MS)
        self.outbox = Outbox(100_000)
        self.session = Session(self.exchange, self.hub, self.outbox, "connection")

    def say(self, message: object, now_ms: int = NOW_MS) -> bool:
        text = message if isinstance(message, str) else json.dumps(message)
        return self.session.handle(text, now_ms)

    def heard(self) -> list[Any]:
        items = []
        while not self.outbox.queue.empty():
            item = self.outbox.queue.get_nowait()
            items.append(item if isinstance(item, Farewell) else json.loads(item))
        return items

    def subscribe(self, topic: object, **more: object) -> list[Any]:
        assert self.say({"id": "7", "type": "subscribe", "topic": topic, "response": True} | more)
        return self.heard()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("identity", ["1545910660739", 1, 1545910660739, "/market/candles@@BTC-USDT_1min"])
def test_an_ack_repeats_the_id_as_a_string(line: Line, identity: object) -> None:
    assert line.subscribe("/market/ticker:BTC-USDT", id=identity) == [{"id": str(identity), "type": "ack"}]


@pytest.mark.parametrize("response", [False, None, "true", 1])
def test_no_ack_is_sent_unless_asked_for(line: Line, response: object) -> None:
    assert line.subscribe("/market/ticker:BTC-USDT", response=response) == []
    assert line.hub.wanted("/market/ticker:BTC-USDT")


def test_several_symbols_become_single_symbol_topics(line: Line) -> None:
    assert line.subscribe("/market/match:BTC-USDT,ETH-USDT") == [{"id": "7", "type": "ack"}]
    line.exchange.play(NOW_MS)
    while not line.exchange.play(NOW_MS + 30_000):
        pass
    topics = {frame["topic"] for frame in line.heard()}
    assert topics == {"/market/match:BTC-USDT", "/market/match:ETH-USDT"}


def test_the_all_ticker_carries_the_symbol_as_its_subject(line: Line) -> None:
    line.subscribe("/market/ticker:all")
    while not line.exchange.play(NOW_MS + 5_000):
        pass
    frames = line.heard()
    assert {frame["topic"] for frame in frames} == {"/market/ticker:all"}
    assert {frame["subject"] for frame in frames} == set(INSTRUMENTS)


def test_unsubscribing_ends_the_frames_and_is_acknowledged(line: Line) -> None:
    line.subscribe("/market/ticker:BTC-USDT,ETH-USDT")
    assert line.say({"id": 3, "type": "unsubscribe", "topic": "/market/ticker:BTC-USDT", "response": True})
    assert line.heard() == [{"id": "3", "type": "ack"}]
    assert not line.hub.wanted("/market/ticker:BTC-USDT")
    assert line.hub.wanted("/market/ticker:ETH-USDT")


def test_a_frame_reaches_a_connection_once_however_often_it_subscribed(line: Line) -> None:
    for _ in range(3):
        line.subscribe("/market/snapshot:BTC-USDT")
    while not line.exchange.play(NOW_MS + 2_000):
        pass
    assert len(line.heard()) == 1


@pytest.mark.parametrize("candle_type", CANDLE_TYPES)
def test_candles_of_every_type_can_be_followed(line: Line, candle_type: str) -> None:
    topic = f"/market/candles:BTC-USDT_{candle_type}"
    assert line.subscribe(topic) == [{"id": "7", "type": "ack"}]
    while not line.exchange.play(NOW_MS + 20_000):
        pass
    frames = line.heard()
    assert frames
    assert all(frame["topic"] == topic and len(frame["data"]["candles"]) == 7 for frame in frames)


@pytest.mark.parametrize(
    ("topic", "code", "text"),
    [
        (None, 406, "topic is required"),
        ("", 406, "topic is required"),
        (5, 406, "topic is required"),
        ("ticker", 400, "topic is invalid"),
        ("/market/ticker", 400, "topic is invalid"),
        ("/market/ticker:", 400, "topic is invalid"),
        ("/market/ticker:BTC-USDT,", 400, "topic is invalid"),
        ("/market/nothing:BTC-USDT", 404, "topic /market/nothing:BTC-USDT is not found"),
        ("/market/ticker:NO-PAIR", 404, "topic /market/ticker:NO-PAIR is not found"),
        ("/market/ticker:BTC-USDT,NO-PAIR", 404, "topic /market/ticker:NO-PAIR is not found"),
        ("/market/match:all", 404, "topic /market/match:all is not found"),
        ("/market/candles:BTC-USDT", 404, "topic /market/candles:BTC-USDT is not found"),
        ("/market/candles:BTC-USDT_7min", 404, "topic /market/candles:BTC-USDT_7min is not found"),
        ("/spotMarket/tradeOrdersV2", 403, "login is required"),
        ("/account/balance", 403, "login is required"),
        (
            "/market/ticker:" + ",".join(["BTC-USDT"] * 101),
            509,
            "exceed max subscription count limitation of 100 per time",
        ),
    ],
)
def test_a_refused_subscription_says_why_and_subscribes_nothing(
    line: Line, topic: object, code: int, text: str
) -> None:
    assert line.subscribe(topic) == [{"id": "7", "type": "error", "code": code, "data": text}]
    assert line.outbox.topics == set()


def test_a_connection_holds_400_topics_at_most(line: Line) -> None:
    line.outbox.topics.update(f"/market/ticker:X{number}-USDT" for number in range(399))
    assert line.subscribe("/market/ticker:BTC-USDT") == [{"id": "7", "type": "ack"}]
    assert line.subscribe("/market/ticker:BTC-USDT") == [{"id": "7", "type": "ack"}]
    (refusal,) = line.subscribe("/market/ticker:ETH-USDT")
    assert refusal["code"] == 509


def test_a_ping_is_answered_with_its_id_and_the_time_in_microseconds(line: Line) -> None:
    line.say({"id": "1545910590801", "type": "ping"})
    line.say({"type": "ping"})
    assert line.heard() == [
        {"id": "1545910590801", "type": "pong", "timestamp": NOW_MS * 1000},
        {"type": "pong", "timestamp": NOW_MS * 1000},
    ]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", 400),
        ("[1]", 400),
        ('"text"', 400),
        ({"id": "1", "type": "openTunnel"}, 415),
        ({"id": "1"}, 415),
    ],
)
def test_other_messages_get_an_error_and_the_connection_goes_on(line: Line, message: object, code: int) -> None:
    assert line.say(message)
    (answer,) = line.heard()
    assert (answer["type"], answer["code"]) == ("error", code)


def test_the_101st_message_within_ten_seconds_ends_the_connection(line: Line) -> None:
    for number in range(MOST_MESSAGES):
        assert line.say({"id": number, "type": "ping"}, NOW_MS + number)
    line.heard()
    assert not line.say({"id": 100, "type": "ping"}, NOW_MS + MESSAGES_WINDOW_MS - 1)
    assert line.heard() == [
        {"id": "connection", "type": "error", "code": 509, "data": "exceed max permits per second"},
        Farewell(1000, "Bye"),
    ]


def test_a_hundred_messages_each_ten_seconds_are_fine(line: Line) -> None:
    for number in range(10 * MOST_MESSAGES):
        assert line.say({"id": number, "type": "ping"}, NOW_MS + number * MESSAGES_WINDOW_MS // MOST_MESSAGES)
