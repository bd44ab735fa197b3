"""Read TOML text. Explain a mistake in its syntax in plain words, with the line and a cure. Pure.

The explanation repeats no word of the file, because the file may hold a secret by mistake.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

_LINE: Final = re.compile(r"\(at line (\d+),")
_AT_END: Final = "(at end of document)"
_CURES: Final = tuple(
    (re.compile(pattern), cure)
    for pattern, cure in (
        (r'^[^"]*[“”„‟‘’«»]', 'write straight quotes ("), as a text editor does, not a word processor'),
        (r"""^\s*["']?[\w-]+["']?\s*:""", "write = between a key and its value"),
        (r"=\s*(\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./])", "write a date as 2026-01-31"),
        (r"=\s*[-+]?\d+,\d", "write a number with a point: 0.32, not 0,32"),
        (r"=\s*[-+]?\.\d", "write a number with a digit before its point: 0.32, not .32"),
        (r"=\s*\d{4}-\d{1,2}-\d{1,2}", "write a date that the calendar has, such as 2026-01-31"),
        (r"=\s*[-+]?[\d.]+\s*[^\s\d.,:#_-]", "write the number alone, without its unit"),
        (r"(?i)=\s*(yes|no|on|off|true|false)\b", "write true or false"),
        (r"=\s*[^\W\d]", 'write a text in quotes: "…"'),
        (r"""^[^"']*=\s*\[""", 'write a list as ["…", "…"]: each text in quotes, a comma between two'),
        (r"""^[^"']*(["'])(?:(?!\1).)*$""", "end a text with the quote with which it begins"),
    )
)
"""A pattern of a wrong line → the cure of the mistake. The first pattern that matches is used."""
_TWICE: Final = "Cannot"


class TomlMistakeError(ValueError):
    """The text is not TOML. `line`: the number of the wrong line, from 1; 0 if the line is unknown."""

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, f"is not TOML: {reason}"
        super().__init__(f"line {line}: {self.reason}" if line else self.reason)


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML text into its tables. Raise TomlMistakeError if the text is not TOML."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlMistakeError(0, "it is nested too deeply") from None
    except ValueError as error:  # also raised for a number with thousands of digits
        raise _explain(text, str(error)) from None


def _explain(text: str, said: str) -> TomlMistakeError:
    found = _LINE.search(said)
    lines = text.splitlines()
    number = int(found[1]) if found else len(lines) if _AT_END in said else 0
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    if said.startswith(_TWICE):
        return TomlMistakeError(number, _explain_twice(line))
    cure = next((cure for pattern, cure in _CURES if pattern.search(line)), "")
    return TomlMistakeError(number, cure or re.sub(r"\s*\(at [^)]*\)|: .*|'[^']{3,}'", "", said).strip().lower())


def _explain_twice(line: str) -> str:
    if line.lstrip().startswith("["):
        return "this table occurs twice; if the file may have several, write two brackets: [[…]]"
    return "this key occurs twice"
