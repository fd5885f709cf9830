"""The source in use is the socket exactly while it delivers."""

from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import DataSource
from market_feed.domain.sources import Sources, Standing

SOCKET, REST = DataSource.SOCKET, DataSource.REST


def made() -> Sources:
    return Sources({"book": 5.0, "trades": 45.0, "candle": None}, 1_000)


def test_rest_is_the_source_until_the_socket_has_delivered() -> None:
    sources = made()
    assert sources["book"] == Standing(REST, 1_000)
    sources.heard("book", 10.0)  # while the subscriptions are being made
    assert sources.look(10.1, 2_000) == []
    sources.on_connection(True)
    assert sources.look(10.2, 3_000) == ["book"]
    assert (sources["book"], sources["trades"]) == (Standing(SOCKET, 3_000), Standing(REST, 1_000))


def test_silence_and_a_lost_connection_bring_rest_back_at_once_and_each_kind_for_itself() -> None:
    sources = made()
    sources.on_connection(True)
    sources.heard("book", 10.0)
    sources.heard("trades", 10.0)
    assert sources.look(15.0, 1) == ["book", "trades"]
    assert sources.look(15.1, 2) == ["book"]
    assert (sources["book"].source, sources["trades"].source) == (REST, SOCKET)
    sources.on_connection(False)
    assert sources.look(15.2, 3) == ["trades"]
    sources.on_connection(True)
    assert sources.look(15.3, 4) == []  # what was heard before belongs to the lost connection


def test_a_kind_without_a_limit_is_told_its_source() -> None:
    sources = made()
    sources.on_connection(True)
    assert sources.use("candle", SOCKET, 7)
    assert not sources.use("candle", SOCKET, 9)
    assert sources.look(1_000.0, 10) == []
    assert sources["candle"] == Standing(SOCKET, 7)


events = st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["book", "trades", "up", "down", "look"])), max_size=40)


@given(events)
def test_since_is_when_the_source_became_what_it_is(happening: list[tuple[float, str]]) -> None:
    sources, now, heard, connected = made(), 100.0, dict[str, float](), False
    standing = {kind: sources[kind] for kind in ("book", "trades")}
    for passed, what in happening:
        now += passed
        if what in standing:
            sources.heard(what, now)
            heard[what] = now
        elif what in ("up", "down"):
            connected = what == "up"
            sources.on_connection(connected)
            if not connected:
                heard.clear()
        else:
            changed = sources.look(now, round(now * 1_000))
            for kind, limit in (("book", 5.0), ("trades", 45.0)):
                delivers = connected and kind in heard and now - heard[kind] <= limit
                assert (sources[kind].source is SOCKET) == delivers
                assert (kind in changed) == (sources[kind].source is not standing[kind].source)
                if kind in changed:
                    standing[kind] = Standing(sources[kind].source, round(now * 1_000))
                assert sources[kind] == standing[kind]
