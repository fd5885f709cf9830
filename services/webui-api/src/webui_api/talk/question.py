"""What a text asks for."""

from dataclasses import dataclass
from enum import StrEnum

from btc_shared.codes import Mode, Side
from webui_api.performance import Period


class Language(StrEnum):
    """The languages that are understood and spoken."""

    PORTUGUESE = "pt"
    ENGLISH = "en"


class Intent(StrEnum):
    """What can be asked for. `unknown` is the honest answer to everything else."""

    PRICE = "price"
    ANALYSIS = "analysis"
    SIGNAL = "signal"
    INDICATORS = "indicators"
    ORDER_BOOK = "order_book"
    STATUS = "status"
    POSITION = "position"
    TRADES = "trades"
    PERFORMANCE = "performance"
    RISK_SETTINGS = "risk_settings"
    MODE = "mode"
    WHY = "why"
    HELP = "help"
    UNKNOWN = "unknown"


class Indicator(StrEnum):
    """What can be asked for by name; values are those of a decision's inputs (SMA stands for both averages)."""

    RSI = "rsi"
    MOMENTUM = "momentum"
    VOLATILITY = "volatility"
    TREND = "trend"
    EMA = "ema_20"
    SMA = "sma"
    VOLUME = "volume_ratio"
    FLOW = "flow"


class Extreme(StrEnum):
    """The two ends of the RSI."""

    OVERBOUGHT = "overbought"
    OVERSOLD = "oversold"


class Event(StrEnum):
    """What a "why" is about."""

    BOUGHT = "bought"
    SOLD = "sold"
    NOT_BOUGHT = "not_bought"
    NOT_SOLD = "not_sold"
    NOT_TRADED = "not_traded"
    LAST_DECISION = "last_decision"


class Hint(StrEnum):
    """Why a question that was nearly understood is not answered."""

    READ_ONLY = "read_only"
    NO_FORECAST = "no_forecast"
    OTHER_MARKET = "other_market"
    ONLY_NOW = "only_now"
    OTHER_INDICATOR = "other_indicator"


class PeriodGap(StrEnum):
    """How the period that is answered differs from the one that was asked for."""

    LONGER = "longer"
    ROLLING = "rolling"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question, understood.

    `limit` and `period` are None when none was named. `period_gap` tells that the period asked for does not exist
    and `period` is the shortest one that holds it (`longer`), or that a calendar's week, month or year was asked for
    and `period` reaches back that long from now (`rolling`). `also` is something else that the same text asked for
    and that is not answered; `Intent.UNKNOWN` there is something that was not understood.
    """

    intent: Intent
    language: Language
    indicator: Indicator | None = None
    extreme: Extreme | None = None
    limit: int | None = None
    period: Period | None = None
    period_gap: PeriodGap | None = None
    mode: Mode | None = None
    side: Side | None = None
    event: Event | None = None
    hint: Hint | None = None
    also: Intent | None = None
