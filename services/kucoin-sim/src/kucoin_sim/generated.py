"""A generated market: the same preset and seed always play the same film, tick by tick.

The film advances in ticks of 100 ms. Once a second volatility and order-flow pressure move (`kucoin_sim.pressure`);
every tick the price moves and trades arrive. Nothing here reads a clock: catching up late gives exactly what
being on time gives.
"""

import math
from collections.abc import Sequence
from random import Random

from kucoin_sim.bookshape import BookShape
from kucoin_sim.instruments import INSTRUMENTS, Instrument
from kucoin_sim.market import Bar, Book, Side, Trade
from kucoin_sim.presets import Preset
from kucoin_sim.pressure import NORMAL_BITS, NORMALS, Pressure

TICK_MS = 100
MINUTE_MS = 60_000
HISTORY_MINUTES = 1500
_TICKS_A_SECOND = 10
_SIZE_BITS = 13
_PRINTS = (1, 1, 1, 1, 1, 2, 2, 3)
"""How many trades one aggressive order makes (drawn evenly)."""
_PRINTS_MEAN = sum(_PRINTS) / len(_PRINTS)
_LARGEST_TRADE = 2000.0
"""The largest trade, in median trade sizes: about two bitcoin."""
_RECENT_SECONDS = 6.0
"""Time constant of the price move that takers run after."""
_BURST_SECONDS = 4.0
"""Time constant of how busy the market is beyond what volatility makes it."""
_SIZES_QUOTED_AT = 60_000.0
"""Price in quote currency at which the presets' sizes are meant; another pair gets sizes of the same value."""
_LARGEST_MOVE = 3.0
"""Where a recent move stops to attract trades, in σ: a jump is many σ of a second."""
_MEAN_SIZE_OF_A_NORMAL = math.sqrt(2.0 / math.pi)
_RECENT_KEEP = math.exp(-1.0 / _RECENT_SECONDS)
_RECENT_KICK = math.sqrt(1.0 - _RECENT_KEEP**2)
_BURST_KEEP = math.exp(-1.0 / _BURST_SECONDS)
_BURST_KICK = math.sqrt(1.0 - _BURST_KEEP**2)


class GeneratedMarket:
    """A market made by `preset` and `seed`, beginning at the minute in which `start_ms` lies.

    Before that minute there are `history_minutes` one-minute bars from the same process, the last of which closes at
    the first price. A `start_price` (quote currency) replaces the instrument's reference price as that first price.
    The film does not depend on `start_ms`: only its times do. It depends on the length of the history.
    """

    def __init__(
        self,
        preset: Preset,
        seed: int,
        start_ms: int,
        instrument: Instrument = INSTRUMENTS["BTC-USDT"],
        start_price: float | None = None,
        history_minutes: int = HISTORY_MINUTES,
    ) -> None:
        self.title = f"generated market {preset.name}, seed {seed}"
        self.instrument = instrument
        self._preset = preset
        self._rng = Random(f"{preset.name}:{seed}:{instrument.symbol}")  # noqa: S311 - a film, not a secret
        self._pressure = Pressure(preset, self._rng)
        self._origin_ms = start_ms - start_ms % MINUTE_MS
        self.begins_ms: int = self._origin_ms
        self.ends_ms: int | None = None
        self._tick = 0

        first_price = start_price if start_price is not None else instrument.reference_price
        unit = 10.0**instrument.price_decimals
        self._price = first_price * unit
        self._anchor = self._price
        value_scale = _SIZES_QUOTED_AT / instrument.reference_price * 10**instrument.size_decimals
        self._sizes = self._draw_sizes(preset.trade_size_median * value_scale)
        self._shape = BookShape(
            Random(f"book:{preset.name}:{seed}:{instrument.symbol}"),  # noqa: S311
            preset.book_size * value_scale,
            preset.book_gap * self._price,
            preset.book_touch,
        )
        self._sigma_second = preset.sigma_minute / math.sqrt(60.0)
        self._drift_tick = 0.0
        self._sigma_tick = 0.0
        self._trade_rate = 0.0
        self._trade_bias = 0.0
        self._before = self._price
        self._recent_move = 0.0
        self._burst = 0.0
        self._book_lean = 0.0
        self._spread = 1
        self._wait = -math.log(1.0 - self._rng.random())
        self._best_bid = 0
        self.history: Sequence[Bar] = self._play_history(history_minutes)
        self._quote()

    @property
    def book_ms(self) -> int:
        """Every tick touches the book."""
        return self._origin_ms + self._tick * TICK_MS

    @property
    def price(self) -> float:
        """The price that the quotes surround, in quote currency."""
        return self._price / 10.0**self.instrument.price_decimals

    @property
    def stressed(self) -> bool:
        return self._pressure.stressed

    @property
    def drift(self) -> float:
        """Strength and direction of the running episode of drift, in ±1; 0 outside one."""
        return self._pressure.drift

    def next_ms(self) -> int | None:
        return self._origin_ms + (self._tick + 1) * TICK_MS

    def advance_to(self, now_ms: int) -> list[Trade]:
        """Play every tick up to and including `now_ms`; the trades that happened, in order of time."""
        last = (now_ms - self._origin_ms) // TICK_MS
        trades: list[Trade] = []
        normals, bits = NORMALS, self._rng.getrandbits
        tick = self._tick
        if tick >= last:
            return trades
        while tick < last:
            if tick % _TICKS_A_SECOND == 0:
                self._begin_second()
            tick += 1
            shock = normals[bits(NORMAL_BITS)]
            before = self._price
            self._price = before * (1.0 + self._drift_tick + self._sigma_tick * shock)
            self._wait -= self._trade_rate
            if self._wait <= 0.0:
                self._tick = tick
                self._trade(trades, before, shock)
        self._tick = tick
        self._quote()
        return trades

    def book(self, levels: int) -> Book:
        """Up to 200 levels of each side as of the last tick."""
        return self._shape.render(self._tick, self._best_bid, self._best_bid + self._spread, self._book_lean, levels)

    def _begin_second(self) -> None:
        preset, pressure = self._preset, self._pressure
        self._recent_move = self._moved(self._recent_move, self._sigma_second * pressure.level)
        pressure.advance()
        level = pressure.level
        sigma = self._sigma_second * level
        fast, slow, drift = pressure.fast, pressure.slow, pressure.drift
        move = sigma * (preset.lead_fast * fast + preset.lead_slow * slow + preset.lead_drift * drift)
        move -= math.log(self._price / self._anchor) / preset.reversion_seconds
        move += preset.sigma_minute * level * pressure.jump
        self._drift_tick = move / _TICKS_A_SECOND
        self._sigma_tick = sigma / math.sqrt(_TICKS_A_SECOND)
        book, trade = preset.book_lean, preset.trade_lean
        self._book_lean = book[0] * fast + book[1] * slow + book[2] * drift
        self._trade_bias = trade[0] * fast + trade[1] * slow + trade[2] * drift
        self._trade_bias += preset.trade_lean_recent_move * self._recent_move
        self._trade_rate = preset.trades_a_second / _PRINTS_MEAN / _TICKS_A_SECOND * self._activity(level)
        self._spread = self._draw_spread(level)

    def _moved(self, recent: float, sigma: float) -> float:
        """The recent price move, of variance 1, after another second whose volatility was `sigma`."""
        move = math.log(self._price / self._before) / sigma
        self._before = self._price
        return _RECENT_KEEP * recent + _RECENT_KICK * move

    def _activity(self, level: float) -> float:
        """How busy this second is, as a multiple: with volatility, with a recent move, and in bursts of its own."""
        eager, bursts = self._preset.trades_with_recent_move, self._preset.trade_bursts
        if bursts == eager == 0.0:
            return level
        shock = NORMALS[self._rng.getrandbits(NORMAL_BITS)]
        self._burst = _BURST_KEEP * self._burst + _BURST_KICK * shock
        moved = min(abs(self._recent_move), _LARGEST_MOVE)
        exponent = eager * (moved - _MEAN_SIZE_OF_A_NORMAL) + bursts * (self._burst - bursts / 2.0)
        return level * math.exp(exponent)

    def _draw_spread(self, level: float) -> int:
        """One tick mostly, two sometimes, wider in moments that become more frequent and wider with volatility."""
        chance = self._rng.random()
        wide_share = self._preset.wide_spread_share * level
        if chance >= wide_share:
            return 2 if chance > 0.88 else 1
        depth = -math.log(1.0 - self._rng.random())
        return 3 + int(self._preset.wide_spread * math.sqrt(level) * depth * self._price)

    def _quote(self) -> None:
        self._best_bid = max(1, math.floor(self._price - (self._spread - 1) / 2.0))

    def _trade(self, trades: list[Trade], before: float, shock: float) -> None:
        """The trades of this tick, at the quotes of their own moment between two ticks."""
        chance, bits = self._rng.random, self._rng.getrandbits
        wait, rate, price = self._wait, self._trade_rate, self._price
        end_ms = self._origin_ms + self._tick * TICK_MS
        bias = math.tanh(self._trade_bias + self._preset.trade_lean_own_move * shock)
        while wait <= 0.0:
            ago = -wait / rate
            time_ms = end_ms - int(ago * TICK_MS)
            bid = max(1, math.floor(price + (before - price) * ago - (self._spread - 1) / 2.0))
            side: Side
            if chance() * 2.0 < 1.0 + bias:
                side, best, step = "buy", bid + self._spread, 1
            else:
                side, best, step = "sell", bid, -1
            trades.extend(
                Trade(time_ms, max(1, best + step * number), self._sizes[bits(_SIZE_BITS)], side)
                for number in range(_PRINTS[bits(3)])
            )
            wait -= math.log(1.0 - chance())
        self._wait = wait

    def _draw_sizes(self, median: float) -> tuple[int, ...]:
        """Trade sizes to draw from: lognormal, heavy-tailed, in size units."""
        gauss, sigma = self._rng.gauss, self._preset.trade_size_sigma
        return tuple(
            1 + int(median * min(_LARGEST_TRADE, math.exp(sigma * gauss(0.0, 1.0)))) for _ in range(1 << _SIZE_BITS)
        )

    def _play_history(self, minutes: int) -> list[Bar]:
        """Bars of the `minutes` before the film, played by the second and then scaled to end at the first price."""
        first_price = self._price
        normals, bits = NORMALS, self._rng.getrandbits
        mean_size = sum(self._sizes) / len(self._sizes)
        drafts: list[tuple[float, float, float, float, float]] = []
        price = self._price
        for _ in range(minutes):
            opening = high = low = price
            trades = 0.0
            for _ in range(60):
                self._price = price
                self._begin_second()
                price *= (
                    1.0
                    + _TICKS_A_SECOND * self._drift_tick
                    + (math.sqrt(_TICKS_A_SECOND) * self._sigma_tick * normals[bits(NORMAL_BITS)])
                )
                high = max(high, price)
                low = min(low, price)
                trades += self._trade_rate
            volume = trades * _TICKS_A_SECOND * _PRINTS_MEAN * mean_size
            volume *= math.exp(0.4 * normals[bits(NORMAL_BITS)] - 0.08)
            drafts.append((opening, high, low, price, volume))
        scale = first_price / price
        self._price = first_price
        self._before = first_price
        self._anchor *= scale
        start_ms = self._origin_ms - minutes * MINUTE_MS
        return [_bar(start_ms + index * MINUTE_MS, scale, draft) for index, draft in enumerate(drafts)]


def _bar(open_ms: int, scale: float, draft: tuple[float, float, float, float, float]) -> Bar:
    opening, high, low, close = (round(price * scale) for price in draft[:4])
    volume = 1 + round(draft[4])
    return Bar(open_ms, opening, high, low, close, volume, volume * (high + low + close) // 3)
