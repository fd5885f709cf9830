"""Rolling figures of a pair: 24-hour statistics, all-tickers row, and the snapshot frame (JSON numbers there)."""

from typing import NamedTuple

from kucoin_sim.board import Board
from kucoin_sim.fixed import to_text

_HOUR_MS = 3_600_000
_FEES = {"takerFeeRate": "0.001", "makerFeeRate": "0.001", "takerCoefficient": "1", "makerCoefficient": "1"}
_AVERAGE_DECIMALS = 8


class Window(NamedTuple):
    """Figures over some hours, in the instrument's units. The average is volume-weighted, at 8 decimals."""

    opening: int
    high: int
    low: int
    last: int
    volume: int
    turnover: int

    @property
    def change(self) -> int:
        return self.last - self.opening


def window(board: Board, now_ms: int, hours: int) -> Window | None:
    """Figures of the last `hours`, by whole minutes; None without a single bar in them."""
    bars = board.bars.minutes_since(now_ms - hours * _HOUR_MS)
    if not bars:
        return None
    return Window(
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        sum(bar.turnover for bar in bars),
    )


def _rate(figures: Window) -> str:
    return to_text(round(figures.change * 10_000 / figures.opening), 4)


def _average(board: Board, figures: Window) -> str | None:
    if figures.volume == 0:
        return None
    scale = _AVERAGE_DECIMALS - board.instrument.price_decimals
    return to_text(figures.turnover * 10**scale // figures.volume, _AVERAGE_DECIMALS)


def _shared(board: Board, now_ms: int) -> dict[str, object]:
    instrument = board.instrument
    figures = window(board, now_ms, 24)
    last = board.last_price()
    if figures is None:
        names = ("changeRate", "changePrice", "high", "low", "averagePrice")
        values: dict[str, object] = dict.fromkeys(names)
        values |= {"vol": "0", "volValue": "0"}
    else:
        values = {
            "changeRate": _rate(figures),
            "changePrice": instrument.price_text(figures.change),
            "high": instrument.price_text(figures.high),
            "low": instrument.price_text(figures.low),
            "vol": instrument.size_text(figures.volume),
            "volValue": instrument.turnover_text(figures.turnover),
            "averagePrice": _average(board, figures),
        }
    return values | {"last": instrument.price_text(last) if last is not None else None}


def stats(board: Board, now_ms: int) -> dict[str, object]:
    """The data of GET /api/v1/market/stats."""
    best = board.ticker_data()
    head = {"time": now_ms, "symbol": board.instrument.symbol, "buy": best["bestBid"], "sell": best["bestAsk"]}
    return head | _shared(board, now_ms) | _FEES


def all_tickers_row(board: Board, now_ms: int) -> dict[str, object]:
    """One row of GET /api/v1/market/allTickers."""
    best = board.ticker_data()
    head = {
        "symbol": board.instrument.symbol,
        "symbolName": board.instrument.symbol,
        "buy": best["bestBid"],
        "bestBidSize": best["bestBidSize"],
        "sell": best["bestAsk"],
        "bestAskSize": best["bestAskSize"],
    }
    return head | _shared(board, now_ms) | _FEES


def _number(text: object) -> float | None:
    return float(str(text)) if text is not None else None


def _market_change(board: Board, now_ms: int, hours: int) -> dict[str, object]:
    figures = window(board, now_ms, hours)
    instrument = board.instrument
    if figures is None:
        return dict.fromkeys(("changePrice", "changeRate", "high", "low", "open", "vol", "volValue"))
    return {
        "changePrice": _number(instrument.price_text(figures.change)),
        "changeRate": _number(_rate(figures)),
        "high": _number(instrument.price_text(figures.high)),
        "low": _number(instrument.price_text(figures.low)),
        "open": _number(instrument.price_text(figures.opening)),
        "vol": _number(instrument.size_text(figures.volume)),
        "volValue": _number(instrument.turnover_text(figures.turnover)),
    }


def snapshot(board: Board, now_ms: int) -> dict[str, object]:
    """The data of a /market/snapshot frame."""
    instrument = board.instrument
    best = board.ticker_data()
    day = _market_change(board, now_ms, 24)
    shared = _shared(board, now_ms)
    last = _number(shared["last"])
    data = {
        "askSize": _number(best["bestAskSize"]),
        "averagePrice": _number(shared["averagePrice"]),
        "baseCurrency": instrument.base,
        "bidSize": _number(best["bestBidSize"]),
        "board": 1,
        "buy": _number(best["bestBid"]),
        "changePrice": day["changePrice"],
        "changeRate": day["changeRate"],
        "close": last,
        "datetime": now_ms,
        "high": day["high"],
        "lastSize": _number(best["size"]),
        "lastTradedPrice": last,
        "low": day["low"],
        "makerCoefficient": 1.0,
        "makerFeeRate": 0.001,
        "marginTrade": True,
        "mark": 0,
        "market": "USDS",
        "marketChange1h": _market_change(board, now_ms, 1),
        "marketChange24h": day,
        "marketChange4h": _market_change(board, now_ms, 4),
        "markets": ["USDS"],
        "open": day["open"],
        "quoteCurrency": instrument.quote,
        "sell": _number(best["bestAsk"]),
        "sequence": best["sequence"],
        "siteTypes": ["global"],
        "sort": 100,
        "symbol": instrument.symbol,
        "symbolCode": instrument.symbol,
        "takerCoefficient": 1.0,
        "takerFeeRate": 0.001,
        "trading": True,
        "vol": day["vol"],
        "volValue": day["volValue"],
    }
    return {"sequence": best["sequence"], "data": data}
