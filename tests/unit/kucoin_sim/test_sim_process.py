"""An exchange whose market fails ends; it does not go on answering with an old book."""

import socket
from pathlib import Path
from random import Random

import pytest

import kucoin_sim
from kucoin_sim.__main__ import serve
from kucoin_sim.app import build
from kucoin_sim.board import Board
from kucoin_sim.exchange import Exchange
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.hub import Hub
from kucoin_sim.market import Trade
from kucoin_sim.presets import CALM_2022
from kucoin_sim.websocket import SocketLimits

NOW_MS = 1_790_000_040_000


def test_the_exchange_is_independent_of_the_agents_code() -> None:
    sources = list(Path(kucoin_sim.__file__).parent.glob("**/*.py"))
    assert len(sources) > 20
    assert [path.name for path in sources if "btc_shared" in path.read_text(encoding="utf-8")] == []


class FailingMarket(GeneratedMarket):
    """Breaks when it is played."""

    def advance_to(self, now_ms: int) -> list[Trade]:
        raise ZeroDivisionError(f"at {now_ms}")


async def test_a_failing_market_ends_the_process() -> None:
    market = FailingMarket(CALM_2022, 1, NOW_MS, history_minutes=1)
    hub = Hub()
    exchange = Exchange({"BTC-USDT": Board(market, NOW_MS, Random(1))}, hub, NOW_MS)
    service = build(exchange, hub, lambda: NOW_MS + 100, SocketLimits())
    with pytest.raises(ExceptionGroup) as failed:
        await serve(service, socket.create_server(("127.0.0.1", 0)), print_ready=False)
    assert failed.group_contains(ZeroDivisionError)
