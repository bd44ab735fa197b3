"""Every text of the boards has its translations, and no translation is of a text that is gone."""

from __future__ import annotations

import re

import pytest

from grafana import build
from grafana.alerts.files import write_rules
from grafana.boards import BOARDS
from grafana.build import DIALECTS
from grafana.render import render
from grafana.texts import ENGLISH, Words, languages, translations


def asked(language: str) -> Words:
    say = Words(language)
    for dialect in DIALECTS:
        for board in BOARDS:
            render(board, BOARDS, dialect, say)
        write_rules(dialect, say)
    return say


def test_german_and_french_are_there() -> None:
    assert languages() == ("en", "de", "fr")


@pytest.mark.parametrize("language", [language for language in languages() if language != ENGLISH])
def test_every_text_is_translated_and_nothing_else(language: str) -> None:
    say = asked(language)
    assert not say.missing, f"add them to grafana/languages/{language}.toml"
    assert translations(language).keys() == say.asked


@pytest.mark.parametrize("language", [language for language in languages() if language != ENGLISH])
def test_translations_keep_the_signs_of_their_text(language: str) -> None:
    for english, text in translations(language).items():
        assert text.strip() == text != "", english
        assert english.endswith(".") == text.endswith("."), english
        assert english.count("${") == text.count("${"), english
        assert english.count("`") == text.count("`"), english
        assert re.findall(r"{{.*?}}", english) == re.findall(r"{{.*?}}", text), english


def test_the_builder_names_a_text_without_a_translation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {text: said for text, said in translations("de").items() if text != "No readings"}
    monkeypatch.setattr(
        "grafana.texts.translations", lambda language: known if language == "de" else translations(language)
    )
    monkeypatch.setattr("sys.argv", ["build", "--check"])
    assert build.main() == 1
    said = capsys.readouterr().err
    assert said == "not translated: No readings\nTry: add it to grafana/languages/de.toml\n"
