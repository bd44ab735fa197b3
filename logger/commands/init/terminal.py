"""Shows texts and asks questions for `init`. Without a terminal, defaults and options are the answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import click

from logger import log
from logger.commands.ui.output import fold, mark
from logger.commands.ui.secret_input import explain_no_token
from logger.errors import EnvoyLoggerError, SettingsError

T = TypeVar("T")
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
"""Variable → name of the answer and its option, for a person who answers questions and does not know settings."""
_SETTING: Final = re.compile(rf"\b({'|'.join(_ANSWERS)})(_FILE)?\b(?![_…])")
_TWICE: Final = re.compile(r"\((--[\w-]+)\), or \1\b")


def speak_of_answers(error: EnvoyLoggerError) -> EnvoyLoggerError:
    """In an error, name answers instead of settings: "the token (--token-file)" for ENPHASE_TOKEN.

    Do not change a SettingsError, which lists settings.
    """
    if not isinstance(error, SettingsError):
        error.message, error.hint = _translate(error.message), _translate(error.hint)
    return error


def _translate(text: str) -> str:
    return _TWICE.sub(r"(\1)", _SETTING.sub(lambda found: _ANSWERS[found[1]], text))


def missing_answer(option: str) -> click.UsageError:
    """Make the error for a question that has no default and cannot be put to a person.

    `option`: the option of `init` with which the answer can be given.
    """
    return click.UsageError(f"this question needs an answer: give {option}, or run the command in a terminal")


class Terminal:
    """Asks a person at a terminal. With `yes`, or without a terminal, no question is asked.

    A question that is not asked is answered by its default. Without a default, the command ends with an error that
    names the option for the answer.
    """

    def __init__(self, *, yes: bool) -> None:
        self.asks = not yes and sys.stdin.isatty()
        self.yes = yes
        self._section = 0
        self._typed: dict[str, str] = {}

    def start_section(self, text: str) -> None:
        """Print a numbered heading."""
        self._section += 1
        click.echo()
        click.secho(f"{self._section}  {text}", bold=True)

    def show_good(self, text: str) -> None:
        """Print a text that reports a success, with a green mark."""
        self._show(mark("✓", "ok", "green"), text)

    def show_bad(self, text: str) -> None:
        """Print a text that reports a problem and its cure, with a red mark."""
        self._show(mark("✗", "XX", "red"), text)

    def show_note(self, text: str) -> None:
        """Print a note."""
        self._show(mark("·", "-", "cyan"), text)

    def _show(self, marked: str, text: str) -> None:
        click.echo(f"   {marked} " + fold(log.mask(text), 5).replace("\n", "\n     "))

    def ask(
        self,
        question: str,
        *,
        default: str | None = None,
        option: str,
        explain_wrong: Callable[[str], str] = lambda answer: "",
    ) -> str:
        """Ask for one line of text. If no person can be asked, the default is the answer.

        Without a default, raise an error that names `option`, the option of `init` for the answer.

        If the same question is asked again, the earlier answer is the default. `explain_wrong` returns the reason why
        an answer is wrong, or an empty text for a good answer. After a wrong answer the question is asked again.
        """
        if not self.asks:
            if default is None:
                raise missing_answer(option)
            return default
        default = self._typed.get(option, default)
        while True:
            answer = str(click.prompt(f"   {question}", default=default, show_default=bool(default))).strip()
            if not (complaint := explain_wrong(answer)):
                self._typed[option] = answer
                return answer
            self.show_bad(complaint)

    def ask_secret(self, question: str, *, option: str, twice: bool = False) -> str:
        """Ask for one secret, and hide the typed text. A script gives the secret's file by `option`.

        Ask again if the text cannot be a token, or if a new password is too short or an ordinary word.
        """
        if not self.asks:
            raise missing_answer(option)
        again = "   The same again" if twice else False
        while True:
            answer: str = click.prompt(f"   {question}", hide_input=True, confirmation_prompt=again)
            if any("\ud800" <= letter <= "\udfff" for letter in answer):
                raise click.UsageError(
                    f"what was typed is not UTF-8 text: set the terminal to UTF-8, or give {option}"
                )
            complaint = explain_no_token(answer) if "token" in option else ""
            if twice and log.is_ordinary(answer):
                complaint = "that is an ordinary word or too short: choose a password that nobody guesses"
            if not complaint:
                log.protect([answer])
                return answer
            self.show_bad(complaint)

    def choose(self, question: str, choices: Sequence[str], *, option: str) -> int:
        """Ask for one of the choices. Return the index of the choice. The first choice is the default.

        If no person can be asked, raise an error that names `option`, the option of `init` for the answer.
        """
        for number, choice in enumerate(choices, 1):
            click.echo(f"     {click.style(str(number), bold=True)}  {choice}")
        if not self.asks:
            raise missing_answer(option)
        numbers = [str(number) for number in range(1, len(choices) + 1)]
        while (answer := str(click.prompt(f"   {question}", default="1")).strip()) not in numbers:
            self.show_bad(f"answer with a number from 1 to {len(choices)}")
        return int(answer) - 1

    def confirm(self, question: str, *, default: bool, option: str = "--yes") -> bool:
        """Ask yes or no. With --yes the default is the answer.

        Without --yes and without a terminal, raise an error that names `option`, which would give the answer.
        """
        if self.asks:
            return click.confirm(f"   {question}", default=default)
        if not self.yes:
            raise missing_answer(option)
        return default

    def retry(self, work: Callable[[bool], T], *, later: str = "", tries: int = 3) -> T | None:
        """Call `work` until it succeeds, at most `tries` times: first with the argument True, then with False.

        A failed call is repeated only if a person answers the questions. If the last call fails and this person
        agrees to the question `later`, return None. Otherwise raise the error.
        """
        for left in reversed(range(tries)):
            try:
                return work(left == tries - 1)
            except EnvoyLoggerError as error:
                if not self.asks or not left and not later:
                    raise
                self.show_bad(str(speak_of_answers(error)))
                if not left and not self.confirm(later, default=True):
                    raise
        return None
