"""What one look of `doctor` gave, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from logger.errors import EnvoyLoggerError, SettingsError

State: TypeAlias = Literal["good", "note", "bad", "left out"]


@dataclass(frozen=True, slots=True)
class Check:
    """One look. `note`: it works now and may not always. `cure`: the command or the step that puts it right.

    `exit_code`: with which a command ends that meets this first; 0 but for `bad`. `took_s`: an answer's latency.
    """

    name: str
    state: State
    text: str
    cure: str = ""
    exit_code: int = 0
    took_s: float | None = None


def good(name: str, text: str, took_s: float | None = None) -> Check:
    """It is as it should be."""
    return Check(name, "good", text, took_s=took_s)


def note(name: str, text: str, cure: str) -> Check:
    """It works now; `cure` keeps it so."""
    return Check(name, "note", text, cure)


def bad(name: str, text: str, cure: str, exit_code: int) -> Check:
    """It does not work; `cure` puts it right."""
    return Check(name, "bad", text, cure, exit_code)


def left_out(name: str, why: str) -> Check:
    """Not looked at, or not there."""
    return Check(name, "left out", why)


def failed(name: str, error: EnvoyLoggerError, cure: str = "") -> Check:
    """What an error says; its own hint is the cure, where no better one is given."""
    if isinstance(error, SettingsError):
        problem = error.problems[0]
        return bad(name, f"{problem.setting} {problem.message}", problem.fix, error.exit_code)
    return bad(name, error.message, cure or error.hint or "envoy-logger status", error.exit_code)
