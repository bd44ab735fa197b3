"""Translate the texts of the boards. English is in the source; each other language has a file in `languages/`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "languages"
ENGLISH: Final = "en"


@cache
def languages() -> tuple[str, ...]:
    """Return all languages: English, and the language of each file."""
    return (ENGLISH, *sorted(file.stem for file in _FOLDER.glob("*.toml")))


@cache
def translations(language: str) -> dict[str, str]:
    """Return the translations of a language: English text → translated text."""
    if language == ENGLISH:
        return {}
    found: dict[str, str] = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return found


class Words:
    """Translate texts, and collect the English texts in `asked`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.asked: set[str] = set()
        self._known = translations(language)

    @property
    def missing(self) -> set[str]:
        """Return the texts of `asked` that have no translation."""
        return set() if self.language == ENGLISH else self.asked - self._known.keys()

    def __call__(self, text: str) -> str:
        """Return the translation of the English text, or the English text if it has no translation."""
        if not text:
            return text
        self.asked.add(text)
        return self._known.get(text, text)
