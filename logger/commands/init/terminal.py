"""What `init` says and asks: one look for all its sections, and the same answers without a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final

import click

from logger import log
from logger.commands.ui.fingerprints import folded
from logger.commands.ui.marks import mark
from logger.errors import EnvoyLoggerError, SettingsError

_ANSWERS: Final = {
    "ENPHASE_GATEWAY": "the address (--gateway)",
    "ENPHASE_SERIAL": "the serial number (--serial)",
    "ENPHASE_USERNAME": "the e-mail (--account)",
    "ENPHASE_PASSWORD": "the password (--password-file)",
    "ENPHASE_TOKEN": "the token (--token-file)",
    "ENPHASE_LOCAL_USERNAME": "the user (--local-user)",
    "ENPHASE_LOCAL_PASSWORD": "the password (--local-password-file)",
    "INFLUXDB_URL": "the address (--influxdb-url)",
    "INFLUXDB_ORG": "the organisation (--org)",
    "INFLUXDB_TOKEN": "the token (--influxdb-token-file)",
    "INFLUXDB_USERNAME": "the user (--influxdb-user)",
    "INFLUXDB_PASSWORD": "the password (--influxdb-password-file)",
    "INFLUXDB_ADMIN_TOKEN": "the administrator's token (--admin-token-file)",
}
"""What a setting is to somebody who has answered questions, or given options, and knows of no settings yet."""
_SETTING: Final = re.compile(rf"\b({'|'.join(_ANSWERS)})(_FILE)?\b(?![_…])")

_TWICE: Final = re.compile(r"\((--[\w-]+)\), or \1\b")


def in_answers(error: EnvoyLoggerError) -> EnvoyLoggerError:
    """The same error in the words of the questions and options; what lists settings stays as it is."""
    if not isinstance(error, SettingsError):
        error.message, error.hint = _said(error.message), _said(error.hint)
    return error


def _said(text: str) -> str:
    return _TWICE.sub(r"(\1)", _SETTING.sub(lambda found: _ANSWERS[found[1]], text))


class Terminal:
    """A person at a terminal, or a script: with `yes`, or without a terminal, nothing is asked.

    Then what has a default is taken, and what has none ends the command with the option to give.
    """

    def __init__(self, *, yes: bool) -> None:
        self.asks = not yes and sys.stdin.isatty()
        self.yes = yes
        self._section = 0

    def heading(self, text: str) -> None:
        """A new section."""
        self._section += 1
        click.echo()
        click.secho(f"{self._section}  {text}", bold=True)

    def good(self, text: str) -> None:
        """Something that is right."""
        self._say(mark("✓", "ok", "green"), text)

    def bad(self, error: EnvoyLoggerError | str) -> None:
        """Something that is wrong, with what to try."""
        self._say(mark("✗", "XX", "red"), str(error))

    def note(self, text: str) -> None:
        """Something to know."""
        self._say(mark("·", "-", "cyan"), text)

    def _say(self, marked: str, text: str) -> None:
        click.echo(f"   {marked} " + folded(log.masked(text), 5).replace("\n", "\n     "))

    def text(self, question: str, *, default: str | None = None, option: str) -> str:
        """One line; the default without a terminal."""
        if self.asks:
            answer: str = click.prompt(f"   {question}", default=default, show_default=bool(default))
            return answer.strip()
        if default is None:
            raise self.lacking(option)
        return default

    def secret(self, question: str, *, option: str, twice: bool = False) -> str:
        """One secret, not shown while it is typed; of a script only by a file."""
        if not self.asks:
            raise self.lacking(option)
        again = "   The same again" if twice else False
        answer: str = click.prompt(f"   {question}", hide_input=True, confirmation_prompt=again)
        if any("\ud800" <= letter <= "\udfff" for letter in answer):
            raise click.UsageError(f"what was typed is not UTF-8 text: set the terminal to UTF-8, or give {option}")
        log.protect([answer])
        return answer

    def choose(self, question: str, choices: Sequence[str], *, option: str) -> int:
        """The index of one of the choices; the first is the default."""
        for number, choice in enumerate(choices, 1):
            click.echo(f"     {click.style(str(number), bold=True)}  {choice}")
        if not self.asks:
            raise self.lacking(option)
        answer: int = click.prompt(f"   {question}", type=click.IntRange(1, len(choices)), default=1)
        return answer - 1

    def confirm(self, question: str, *, default: bool, option: str = "--yes") -> bool:
        """Yes or no; with --yes the default."""
        if self.asks:
            return click.confirm(f"   {question}", default=default)
        if not self.yes:
            raise self.lacking(option)
        return default

    def again(self, work: Callable[[], None], tries: int = 3) -> None:
        """Do `work`; where a person can answer differently, show what went wrong and do it again, a few times."""
        for left in reversed(range(tries)):
            try:
                return work()
            except EnvoyLoggerError as error:
                if not self.asks or not left:
                    raise
                self.bad(in_answers(error))
        return None

    @staticmethod
    def lacking(option: str) -> click.UsageError:
        """There is nobody to ask."""
        return click.UsageError(f"this needs an answer: give {option}, or run it in a terminal")
