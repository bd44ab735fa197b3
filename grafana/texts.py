"""Translate the texts of the boards: English stands in the source, each other language in one file beside this."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "languages"
ENGLISH: Final = "en"


@cache
def languages() -> tuple[str, ...]:
    """Return every language that there is: English, and one for each file."""
    return (ENGLISH, *sorted(file.stem for file in _FOLDER.glob("*.toml")))


@cache
def translations(language: str) -> dict[str, str]:
    """Return what each English text is in a language."""
    if language == ENGLISH:
        return {}
    found: dict[str, str] = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return found


class Words:
    """Translate, and remember what was asked: `asked` are the English texts, `missing` the untranslated ones."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.asked: set[str] = set()
        self._known = translations(language)

    @property
    def missing(self) -> set[str]:
        """Return what was asked and has no translation."""
        return set() if self.language == ENGLISH else self.asked - self._known.keys()

    def __call__(self, text: str) -> str:
        """Return the text in the language; English where it is missing."""
        if not text:
            return text
        self.asked.add(text)
        return self._known.get(text, text)
