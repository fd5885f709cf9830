"""How figures are written for a person. What is not known is a dash, never a zero."""

from btc_cli.readings import STRATEGIES, Decision, Readings

DASH = "—"


def money(value: float | None, *, signed: bool = False) -> str:
    """Quote currency with two decimals, such as 61,234.50 or +1.20."""
    if value is None:
        return DASH
    return f"{value:+,.2f}" if signed else f"{value:,.2f}"


def share(value: float | None) -> str:
    """A fraction as a percentage, such as 0.6 → 60 %."""
    return DASH if value is None else f"{value * 100:.0f} %"


def percentage(value: float | None) -> str:
    """A signed percentage, such as +1.25 %."""
    return DASH if value is None else f"{value:+.2f} %"


def score(value: float | None) -> str:
    """A vote from -1 to 1."""
    return DASH if value is None else f"{value:+.2f}"


def duration(secs: float) -> str:
    """Such as 45 s, 3 min 05 s, 2 h 07 min, 3 d 4 h."""
    whole = int(secs)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    if minutes:
        return f"{minutes} min {seconds:02} s"
    return f"{seconds} s"


def mode(now: Readings) -> str:
    """The mode in effect, and the requested one when it differs."""
    if now.effective_mode is None and now.requested_mode is None:
        return DASH
    effective = (now.effective_mode or DASH).upper() + (" (halted)" if now.halted else "")
    if now.requested_mode and now.requested_mode != now.effective_mode:
        return f"{effective} in effect, {now.requested_mode.upper()} requested"
    return effective


def price(now: Readings) -> str:
    """The price with bid, ask and the day's change, or why there is none."""
    if now.price is None:
        return f"{DASH} ({now.price_problem})" if now.price_problem else DASH
    return money(now.price)


def position(now: Readings) -> str:
    """Size, entry and unrealised result, or that there is none."""
    if now.in_position is None:
        return DASH
    if now.position is None:
        return "none"
    size = DASH if now.position.size is None else f"{now.position.size:.8f}".rstrip("0").rstrip(".")
    return (
        f"{size} bought at {money(now.position.entry_price)}, unrealised {money(now.position.unrealised, signed=True)}"
    )


def scores(decision: Decision | None) -> str:
    """The four votes in one line."""
    votes = {} if decision is None else decision.scores
    return "  ".join(f"{name} {score(votes.get(name))}" for name in STRATEGIES)


def decision(found: Decision | None) -> str:
    """Action, confidence and what became of it."""
    if found is None:
        return DASH
    text = f"{found.action or DASH}, confidence {share(found.confidence)}"
    if found.outcome is None:
        return text
    return f"{text}, {found.outcome} ({found.refusal})" if found.refusal else f"{text}, {found.outcome}"


def result(now: Readings) -> str:
    """Net realised result, trades and win rate."""
    trades = DASH if now.trades is None else str(now.trades)
    return f"{money(now.realised, signed=True)} USDT net, {trades} trades, win rate {share(now.win_rate)}"


def summary(now: Readings) -> str:
    """One line for where there is no screen."""
    return (
        f"{now.symbol or DASH} {price(now)} | {mode(now)} | {decision(now.decision)} | "
        f"position {position(now)} | {result(now)}"
    )
