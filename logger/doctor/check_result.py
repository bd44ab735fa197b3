"""Define the result of one check of `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from logger.errors import EnvoyLoggerError, SettingsError

State: TypeAlias = Literal["good", "note", "bad", "left out"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. `state` "note": the checked thing works now, but may stop working.

    `cure`: what to do, or empty. `exit_code`: 0 if the result is not bad. `doctor` ends with the exit code of the
    first bad result. `took_s`: the seconds until the answer, if a request was sent. `gateway`: the gateway that was
    checked, if there are several.
    """

    name: str
    state: State
    text: str
    cure: str = ""
    exit_code: int = 0
    took_s: float | None = None
    gateway: str = ""


Report: TypeAlias = Callable[[CheckResult], object]


def good(name: str, text: str, took_s: float | None = None) -> CheckResult:
    """Make the result of a check that found no fault."""
    return CheckResult(name, "good", text, took_s=took_s)


def note(name: str, text: str, cure: str = "") -> CheckResult:
    """Make the result of a check that found something that works now, but may stop working.

    `cure`: what to do so that it continues to work; empty if nothing needs to be done.
    """
    return CheckResult(name, "note", text, cure)


def bad(name: str, text: str, cure: str, exit_code: int = 78) -> CheckResult:
    """Make the result of a check that found a fault. `cure`: how to repair the fault."""
    return CheckResult(name, "bad", text, cure, exit_code)


def skip(name: str, reason: str) -> CheckResult:
    """Make the result of a check that was left out, or whose subject does not exist at this site."""
    return CheckResult(name, "left out", reason)


def fail(name: str, error: EnvoyLoggerError, cure: str = "") -> CheckResult:
    """Make the result of a check that raised an error.

    The cure is `cure` if given, otherwise the error's own hint.
    """
    if isinstance(error, SettingsError):
        problem = error.problems[0]
        return bad(name, f"{problem.setting} {problem.message}", problem.fix, error.exit_code)
    return bad(name, error.message, cure or error.hint, error.exit_code)
