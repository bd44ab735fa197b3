"""Each text exists in each language, with the same places to fill; none is left over; and all of them are used."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from logger.web.page_parts import _place_months
from logger.web.page_texts import LANGUAGES, MONTHS, TEXTS, WEEKDAYS, Language, choose_language
from logger.web.wording import NONE, Wording
from tests.web.test_page import facts

ROOM = Path(__file__).parents[2] / "logger" / "web"
PLACES = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_there_in_each_language_with_the_same_places(name: str) -> None:
    texts = TEXTS[name]
    assert len(texts) == len(LANGUAGES)
    assert all(text.strip() == text != "" for text in texts)
    assert len({frozenset(PLACES.findall(text)) for text in texts}) == 1


def test_every_text_is_used_and_every_name_is_known() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ROOM.glob("*.py") if path.name != "page_texts.py")
    words = set(re.findall(r"[\"']([\w-]+)[\"']", code))
    assert TEXTS.keys() - words == set()
    assert set(re.findall(r'\.say\(\s*"([\w-]+)"', code)) <= TEXTS.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_days_and_months_are_complete(language: Language) -> None:
    assert len(WEEKDAYS[language].split()) == 7
    assert len(MONTHS[language].split()) == 12


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_month_of_the_picture_has_a_label_of_its_own(language: Language) -> None:
    places = _place_months(facts([]), Wording(language))
    assert len({place.label for place in places}) == len(places) == 12


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("es-ES,fr;q=0.5", "fr"),
        ("en;q=0.2, fr;q=0.9", "fr"),
        ("FR-ca", "fr"),
        ("ja, zh", "en"),
        ("de;q=0", "en"),
        ("de;q=much", "en"),
        ("*", "en"),
        ("x" * 10_000, "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_likes_best(accepted: str, language: Language) -> None:
    assert choose_language(accepted) == language


@pytest.mark.parametrize(
    ("language", "watts", "energy", "percent", "day"),
    [
        ("en", "−1.23 kW", "1,235 kWh", "87%", "Sat 28 Nov"),
        ("de", "−1,23 kW", "1.235 kWh", "87 %", "Sa 28. Nov"),
        ("fr", "−1,23 kW", "1 235 kWh", "87 %", "sam. 28 nov."),
    ],
)
def test_numbers_and_dates_are_written_as_in_the_language(
    language: Language, watts: str, energy: str, percent: str, day: str
) -> None:
    words = Wording(language)

    def plain(text: str) -> str:
        return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")

    assert plain(words.power(-1234.0)) == watts
    assert plain(words.energy(1_234_567.0)) == energy
    assert plain(words.percent(87.2)) == percent
    assert words.day(date(2026, 11, 28)) == day
    assert words.power(None) == words.energy(None) == NONE


def test_a_label_of_a_scale_is_the_round_number_that_it_stands_at() -> None:
    words = Wording("en")
    powers = {0.0: "0 W", 750.0: "750 W", 1250.0: "1.25 kW", -1500.0: "−1.5 kW", 20_000.0: "20 kW"}
    energies = {50.0: "0.05 kWh", 150.0: "0.15 kWh", 250.0: "0.25 kWh", 500.0: "0.5 kWh", 2500.0: "2.5 kWh",
                4e5: "400 kWh", 2.5e6: "2.5 MWh"}  # fmt: skip
    assert [words.scale_power(watts).replace("\N{NO-BREAK SPACE}", " ") for watts in powers] == [*powers.values()]
    assert [words.scale(wh).replace("\N{NO-BREAK SPACE}", " ") for wh in energies] == [*energies.values()]


def test_a_power_that_rounds_to_nothing_has_no_sign() -> None:
    assert Wording("en").power(-0.4) == "0\N{NO-BREAK SPACE}W"
