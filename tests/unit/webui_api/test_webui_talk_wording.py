"""Numbers, times and reasons as each language writes them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from btc_shared.api import ApiError
from btc_shared.codes import ExitReason, Mode, Refusal, ServiceName, Strategy
from btc_shared.figures import Beat, Control, Market
from webui_api.liveness import liveness, mode_notes
from webui_api.performance import Period
from webui_api.talk import lexicon, reasons
from webui_api.talk.question import Language
from webui_api.talk.real_words import REAL_WORDS
from webui_api.talk.wording import Voice

PT, EN = Voice(Language.PORTUGUESE), Voice(Language.ENGLISH)
NOW = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
QUOTED = "registrado em inglês"


@pytest.mark.parametrize(
    ("value", "portuguese", "english"),
    [
        (65123.4, "65.123,40", "65,123.40"),
        (1234567.891, "1.234.567,89", "1,234,567.89"),
        (0.005, "0,01", "0.01"),
        (-0.004, "0,00", "0.00"),
        (-1234.5, "-1.234,50", "-1,234.50"),
    ],
)
def test_numbers_have_the_languages_separators(value: float, portuguese: str, english: str) -> None:
    assert (PT.number(value), EN.number(value)) == (portuguese, english)


def test_prices_money_coins_and_percentages() -> None:
    assert (PT.price(50000.5), EN.price(50000.5)) == ("US$ 50.000,50", "$50,000.50")
    assert (PT.money(1009), EN.money(1009)) == ("1.009,00 USDT", "1,009.00 USDT")
    assert (PT.money(5.394, signed=True), EN.money(-5.394, signed=True)) == ("+5,39 USDT", "-5.39 USDT")
    assert PT.money(0, signed=True) == "0,00 USDT"
    assert EN.money(0.0042, signed=True) == "+0.0042 USDT"
    assert (PT.coins(0.004), EN.coins(0.00400001), EN.coins(3)) == ("0,004 BTC", "0.00400001 BTC", "3 BTC")
    assert (PT.percent(0.0204, signed=True), EN.percent(1, 0)) == ("+2,04%", "100%")


def test_times_and_ages() -> None:
    assert PT.time(NOW) == "01/03/2026 12:00:05 UTC"
    assert EN.time(NOW) == "2026-03-01 12:00:05 UTC"
    assert (PT.age(4.4), EN.age(4.4)) == ("há 4 s", "4 s ago")
    assert [EN.duration(seconds) for seconds in (-1, 0, 59.6, 61, 3600, 90000, 200000)] == [
        "0 s", "0 s", "1 min", "1 min 1 s", "1 h", "1 d 1 h", "2 d 7 h",
    ]  # fmt: skip


@pytest.mark.parametrize("say", [PT, EN])
def test_every_period_has_words(say: Voice) -> None:
    assert len({say.period(period) for period in Period}) == len(Period)


def test_free_sentences_are_quoted_and_in_portuguese_called_english() -> None:
    assert EN.quoted("12 s left") == "“12 s left”"
    assert PT.quoted("12 s left") == f"“12 s left” ({QUOTED})"


@pytest.mark.parametrize("code", list(Refusal))
def test_every_refusal_is_told_in_both_languages_with_its_stored_sentence(code: Refusal) -> None:
    portuguese, english = reasons.REFUSALS[code]
    assert portuguese != english
    assert portuguese in reasons.refusal(PT, code, None)
    told = reasons.refusal(EN, code, "12 s left")
    assert told.startswith(f"`{code}`: {english}")
    assert "“12 s left”" in told


def test_a_code_that_is_not_known_is_shown_as_it_is() -> None:
    assert "`brand_new`" in reasons.refusal(PT, "brand_new", None)


def test_every_exit_and_strategy_has_words() -> None:
    assert set(reasons.EXITS) == set(ExitReason)
    assert set(reasons.STRATEGIES) == set(Strategy)


def status_sentences() -> list[str]:
    """Every sentence that the status can say, from the functions that say them."""
    silent = Beat(started_at=NOW, beat_at=NOW - timedelta(minutes=5), status="healthy", effective_mode=None, details={})
    starting = Beat(started_at=NOW, beat_at=NOW, status="starting", effective_mode=Mode.DRY, details={})
    degraded = Beat(started_at=NOW, beat_at=NOW, status="degraded", effective_mode=None, details={})
    old = Market(
        book_time=NOW, received_at=NOW - timedelta(minutes=5), bid=Decimal(1), ask=Decimal(2), bid_volume=Decimal(1),
        ask_volume=Decimal(1), imbalance=0.0, spread_bp=1.0, flow=None,
    )  # fmt: skip
    services = {
        ServiceName.EXECUTOR: silent,
        ServiceName.EXPORTER: starting,
        ServiceName.MARKET_FEED: degraded,
    }
    said: list[str] = []
    for market, decided in ((None, None), (old, NOW - timedelta(minutes=5))):
        said += liveness(services, decided, market, poll_interval=5, max_market_age=10, now=NOW).why
    return [*said, *mode_notes(Control(requested=Mode.LIVE, halted=True), services, winding_down=True)]


@pytest.mark.parametrize("sentence", sorted(set(status_sentences())))
def test_every_sentence_of_the_status_has_a_translation(sentence: str) -> None:
    translated = reasons.sentence(PT, sentence)
    assert QUOTED not in translated
    assert translated != sentence
    assert reasons.sentence(EN, sentence) == sentence


def test_failing_checks_are_quoted_in_a_portuguese_sentence() -> None:
    told = reasons.sentence(PT, "executor is degraded: redis (away), market (old)")
    assert told == f"o serviço executor está degradado: “redis (away), market (old)” ({QUOTED})"


def test_a_sentence_that_is_not_known_is_quoted() -> None:
    assert reasons.sentence(PT, "something new") == f"“something new” ({QUOTED})"


def test_an_error_becomes_a_sentence() -> None:
    error = ApiError(503, "there is no current price", "the newest one is 65 s old: the feed has stopped")
    assert reasons.unavailable(EN, error) == (
        "There is no current price: the newest one is 65 s old: the feed has stopped."
    )
    assert reasons.unavailable(PT, error) == "Não há preço atual: o mais novo é de há 65 s: o feed parou."
    assert reasons.unavailable(EN, ApiError(503, "gone")) == "Gone."


def test_simulated_money_is_called_so() -> None:
    assert "simulado" in reasons.money_of(PT, Mode.DRY)
    assert "simulated" in reasons.money_of(EN, Mode.DRY)
    assert "simul" not in reasons.money_of(PT, Mode.LIVE) + reasons.money_of(EN, Mode.LIVE)


@pytest.mark.parametrize("words", [(lexicon._PORTUGUESE, lexicon._BOTH), (lexicon._ENGLISH, lexicon._BOTH)])
def test_no_word_has_two_senses_in_a_language(words: tuple[dict[lexicon.Sense, str], ...]) -> None:
    entries = Counter(entry for part in words for text in part.values() for entry in text.split())
    assert [entry for entry, count in entries.items() if count > 1] == []


def test_words_that_are_no_slips_are_not_in_the_lexicon() -> None:
    known = {word for language in lexicon.LEXICA.values() for phrase in language for word in phrase}
    assert known & REAL_WORDS == set()
