"""The real command as a process: what it said on both channels, and its exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.endtoend.recorder import environment


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines on stderr that a person reads, without those of the log (which begin with a date)."""
        return [line for line in self.err.splitlines() if not line.startswith("20")]


def program(home: Path, *words: str, settings: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """`python -m logger WORDS` in the folder `home`, with these settings and nothing else of the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "logger", *words], cwd=home, env=environment(home, settings or {}),
        input=stdin, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)
