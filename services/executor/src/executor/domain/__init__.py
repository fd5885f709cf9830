"""The executor's decisions as pure functions over frozen records: no I/O, no clock, no randomness.

Money is in the quote currency (USDT), sizes are in the base currency (BTC), percentages are fractions and times
are milliseconds since the epoch, UTC, unless a name says otherwise.
"""
