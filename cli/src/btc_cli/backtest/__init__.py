"""The agent in one process: the decision core and the executor core joined without streams, database or clock.

    agent = Agent(key, rules, risk, engine, cash=Decimal(1_000), ids=counted_ids())
    report = play_film(agent, market, engine, follow_ms=…, until_ms=…)          # book, trades and bars: `film`

    agent = Agent(…, patience=ONE_BAR, bars_between=bars.between)
    report = run_bars(agent, bars, engine)                                      # one-minute bars alone: `bars`

Every rule is a function of `decision_engine.domain` or `executor.domain`, called as the services call it. What is
decided here is the order of events and, for bars alone, the market within a bar. Times are milliseconds since the
epoch and come with the events; ids and random numbers are arguments. So the same input gives the same report.
"""
