"""The real command: run in this process, which is quick, or as a process of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from logger import __main__, log
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
    """Run `envoy-logger WORDS` in the folder `home`, with these settings and nothing else of the environment.

    It runs in this process, from the same entry as `python -m logger`, and leaves nothing of its own behind: no log
    handler, no secret to mask, no hook.
    """
    variables: dict[str, str | None] = dict.fromkeys(os.environ)
    variables |= {"COLUMNS": "80", **environment(home, settings or {})}
    with _untouched_process(["envoy-logger", *words]), contextlib.chdir(home):
        with CliRunner().isolation(input=stdin, env=variables) as (out, err, _):
            code = _run()
            sys.stdout.flush()
            sys.stderr.flush()
        return Done(code, out.getvalue().decode(), err.getvalue().decode())


def _run() -> int:
    """Run the program's entry → the exit code that the interpreter would end with."""
    try:
        __main__.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001  as the interpreter does at the end
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


@contextlib.contextmanager
def _untouched_process(arguments: list[str]) -> Iterator[None]:
    """Give the program a process as if it were new, and this process back as it was."""
    root, own = logging.getLogger(), logging.getLogger("logger")
    kept = (sys.argv, sys.excepthook, threading.excepthook, log._SECRETS, log._PASSING)
    handlers, levels = root.handlers[:], (root.level, own.level)
    at_term = signal.getsignal(signal.SIGTERM)
    sys.argv, sys.excepthook = arguments, sys.__excepthook__
    log._SECRETS, log._PASSING = set(), deque(maxlen=16)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, at_term)
        sys.argv, sys.excepthook, threading.excepthook, log._SECRETS, log._PASSING = kept
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        own.setLevel(levels[1])


def process(home: Path, *words: str, settings: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """Run the same as a process of its own: `python -m logger WORDS`."""
    done = subprocess.run(
        [sys.executable, "-m", "logger", *words], cwd=home, env=environment(home, settings or {}),
        input=stdin, capture_output=True, text=True,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)
