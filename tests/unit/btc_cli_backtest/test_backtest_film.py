"""Following a practice market in virtual time: what the agent is told, when, and what it does on it."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest

from btc_cli.backtest.film import BAR_FINAL_MS, BAR_READ_MS, Pace, play_film, rules_of
from btc_cli.backtest.loop import Agent, counted_ids
from btc_cli.backtest.seeds import Start, practise
from btc_shared.codes import Side
from btc_shared.records import BookPicture, Candle, LedgerKey, PublicTrade
from btc_shared.settings import EngineSettings, RiskSettings
from decision_engine.domain import LIVE_BARS, Decision
from kucoin_sim.candles import BarStore
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.presets import PRESETS

MINUTE_MS = 1_790_000_040_000
SETTINGS = EngineSettings()


class Recorder(Agent):
    """An agent that remembers what it was told."""

    def __init__(self, key: LedgerKey, market: GeneratedMarket) -> None:
        super().__init__(
            key, rules_of(market.instrument), RiskSettings(), SETTINGS, cash=Decimal(1_000), ids=counted_ids()
        )
        self.pictures: list[BookPicture] = []
        self.trades: list[PublicTrade] = []
        self.bars: list[Candle] = []
        self.bars_told: list[tuple[int, int]] = []
        """(opening time of the newest bar, time of the newest picture)."""
        self.draws: list[float | None] = []

    def on_book(self, picture: BookPicture) -> None:
        self.pictures.append(picture)
        super().on_book(picture)

    def on_trades(self, trades: Sequence[PublicTrade]) -> None:
        self.trades.extend(trades)
        super().on_trades(trades)

    def on_bars(self, bars: Sequence[Candle], draw: float | None = None) -> None:
        self.bars.extend(bars)
        if self.pictures:
            self.bars_told.append((bars[-1].open_time_ms, self.pictures[-1].received_at_ms))
        self.draws.append(draw)
        super().on_bars(bars, draw)


Play = Callable[..., tuple[Recorder, list[Decision]]]


@pytest.fixture
def play(key: LedgerKey) -> Play:
    """Plays a market that starts at second 50 and is followed from second 55 on, for 200 s."""

    def run(
        follow_secs: int = 55, secs: int = 200, draw: Callable[[], float] | None = None
    ) -> tuple[Recorder, list[Decision]]:
        market = GeneratedMarket(PRESETS["crash"], 3, MINUTE_MS + 50_000)
        agent, decisions = Recorder(key, market), list[Decision]()
        follow_ms = MINUTE_MS + follow_secs * 1_000
        play_film(
            agent,
            market,
            SETTINGS,
            follow_ms=follow_ms,
            until_ms=follow_ms + secs * 1_000,
            draw=draw,
            watch=decisions.append,
        )
        return agent, decisions

    return run


def test_decisions_are_made_at_every_poll_and_final_bar(play: Play) -> None:
    agent, decisions = play()
    times = [decision.inputs.at_ms for decision in decisions]
    assert times[0] == MINUTE_MS + 60_000
    bar_times = [told_ms for _, told_ms in agent.bars_told]
    assert set(bar_times) <= set(times)
    for before, after in pairwise(times):
        assert after - before == 5_000 or (after in bar_times and after - before < 5_000)


def test_bars_become_final_when_the_feed_would_have_them(play: Play) -> None:
    agent, _ = play()
    # The minute in which following began has to be read over REST; those after it were followed from their start on.
    assert agent.bars_told == [
        (MINUTE_MS, MINUTE_MS + 60_000 + BAR_READ_MS),
        (MINUTE_MS + 60_000, MINUTE_MS + 120_000 + BAR_FINAL_MS),
        (MINUTE_MS + 120_000, MINUTE_MS + 180_000 + BAR_FINAL_MS),
        (MINUTE_MS + 180_000, MINUTE_MS + 240_000 + BAR_FINAL_MS),
    ]
    at_once, _ = play(follow_secs=65, secs=30)
    assert at_once.bars_told == [(MINUTE_MS, MINUTE_MS + 60_000 + BAR_READ_MS)]


def test_the_bars_are_those_that_the_exchange_serves(play: Play) -> None:
    agent, _ = play()
    market = GeneratedMarket(PRESETS["crash"], 3, MINUTE_MS + 50_000)
    store = BarStore(market.history)
    for trade in market.advance_to(MINUTE_MS + 240_000):
        store.add(trade)
    rows = store.rows("1min", MINUTE_MS - LIVE_BARS * 60_000, MINUTE_MS + 240_000)
    text, size = market.instrument.price_text, market.instrument.size_text
    expected = [
        (
            bar.open_ms,
            *(Decimal(text(price)) for price in (bar.open, bar.high, bar.low, bar.close)),
            Decimal(size(bar.volume)),
        )
        for bar in reversed(rows)
    ]
    assert len(agent.bars) == LIVE_BARS + 4
    assert [(bar.open_time_ms, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in agent.bars] == expected


def test_pictures_and_trades_are_those_of_the_market_in_the_order_of_time(play: Play) -> None:
    agent, decisions = play(secs=20)
    assert [picture.received_at_ms for picture in agent.pictures] == list(
        range(MINUTE_MS + 55_000, MINUTE_MS + 75_001, 100)
    )
    market = GeneratedMarket(PRESETS["crash"], 3, MINUTE_MS + 50_000)
    played = market.advance_to(MINUTE_MS + 75_000)
    book, newest = market.book(50), agent.pictures[-1]
    assert [(level.price, level.size) for level in newest.bids] == [
        (Decimal(market.instrument.price_text(price)), Decimal(market.instrument.size_text(size)))
        for price, size in book.bids
    ]
    assert newest.best_ask == Decimal(market.instrument.price_text(book.asks[0][0]))
    before = sum(trade.time_ms <= MINUTE_MS + 55_000 for trade in played)
    assert len(agent.trades) == len(played) - max(0, before - 100)
    last = played[-1]
    assert (agent.trades[-1].event_time_ms, agent.trades[-1].side) == (last.time_ms, Side(last.side))
    assert decisions[0].inputs.flow_mean is not None, "the trades before the start fill the window"


def test_one_number_is_drawn_for_each_bar(play: Play) -> None:
    agent, decisions = play(draw=Random(1).random)
    rng = Random(1)
    assert agent.draws == [rng.random() for _ in range(5)]
    assert not any(decision.explored for decision in decisions)
    _, exploring = play(draw=lambda: 0.01)
    assert all(decision.explored for decision in exploring)
    assert set(play()[0].draws) == {None}


def test_a_closed_round_trip_teaches_the_table_once(key: LedgerKey) -> None:
    market = GeneratedMarket(PRESETS["crash"], 437, MINUTE_MS)
    agent = Recorder(key, market)
    report = play_film(agent, market, SETTINGS, follow_ms=MINUTE_MS + 5_000, until_ms=MINUTE_MS + 330_000)
    (trip,) = report.round_trips
    table = agent.mind.table
    assert (table.episodes, table.last_round_trip) == (1, 1)
    assert table.total_reward_bp == pytest.approx(float(trip.net_bp))
    assert table.buy_visits.sum() == 1
    whole_minutes = trip.closed_at_ms // 60_000 - -(-trip.opened_at_ms // 60_000) + 1
    assert table.hold_visits.sum() == whole_minutes


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 12])
def test_ten_pictures_a_second_and_one_lead_to_the_same_round_trips(seed: int) -> None:
    start = Start(preset="calm2022", seed=seed, start_ms=1_789_999_980_000, startup_secs=10.0)
    often, seldom = (
        practise(start, 7 * 3_600.0, pace=Pace(picture_ms=picture_ms, levels=10)).round_trips
        for picture_ms in (100, 1_000)
    )
    assert often
    assert len(often) == len(seldom)
    for first, second in zip(often, seldom, strict=True):
        assert abs(first.opened_at_ms - second.opened_at_ms) < 600_000
        assert abs(first.closed_at_ms - second.closed_at_ms) < 600_000
        assert abs(first.net - second.net) < Decimal("0.2")
