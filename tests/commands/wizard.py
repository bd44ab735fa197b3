"""A person at a terminal: the real command on a pseudo-terminal, asked and answered."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pexpect

from tests.endtoend.recorder import environment
from tests.waiting import LONGEST_S

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Person:
    """`envoy-logger WORDS` in the folder `home`, on a terminal of its own."""

    def __init__(self, home: Path, *words: str, settings: Mapping[str, str]) -> None:
        self._child = pexpect.spawn(
            sys.executable, ["-m", "logger", *words], cwd=str(home),
            env=environment(home, {"TZ": "UTC", **settings}),
            encoding="utf-8", timeout=LONGEST_S, dimensions=(60, 160), echo=True,
        )  # fmt: skip
        self._seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.close(force=True)

    @property
    def screen(self) -> str:
        """Everything that the terminal showed so far, without colours."""
        return _COLOUR.sub("", self._seen).replace("\r\n", "\n")

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type the answer."""
        self.wait(question)
        self._child.sendline(text)

    def wait(self, text: str) -> None:
        """Wait until the terminal shows it."""
        try:
            self._child.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF):
            self._seen += str(self._child.before or "")
            raise AssertionError(f"{text!r} was not shown; the terminal has:\n{self.screen[-3000:]}") from None
        self._seen += str(self._child.before) + str(self._child.after)

    def interrupt(self, until: str) -> None:
        """Ctrl-C, as a person does it: again, if it fell into the moment before the program began to read."""
        for _ in range(100):
            self._child.sendintr()
            try:
                self._child.expect_exact(until, timeout=3)
            except pexpect.TIMEOUT:
                continue
            self._seen += str(self._child.before) + str(self._child.after)
            return
        raise AssertionError(f"{until!r} was not shown after Ctrl-C:\n{self.screen[-3000:]}")

    def end(self) -> int:
        """Wait for its end → the exit code."""
        self._child.expect(pexpect.EOF)
        self._seen += str(self._child.before)
        self._child.close()
        code = self._child.exitstatus
        assert isinstance(code, int), f"ended by signal {self._child.signalstatus}"
        return code
