"""Keep a history in a folder while it is generated, to go on with it later and to load it as often as needed.

`python -m tests.questions.kept FOLDER KIND DAYS STEP_S` generates a site, or goes on where it was ended.
"""

from __future__ import annotations

import gzip
import pickle
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from logger.model import Role
from tests.history.generator import FIRST, Generator
from tests.history.kinds import KINDS
from tests.questions.question import Past

_PART_S: Final = 20 * 86400
"""So much is played between two saves."""


class KeptHistory:
    """The history of one site in a folder: parts with the lines of points, and the generator as it stands."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._kind = kind
        self._folder = folder / kind
        self._state = self._folder / "generator"

    def generate(self, days: int, step_s: int) -> None:
        """Play the site until noon (UTC) of the last day, or go on with it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._state.exists():
            generator = self._load()
        else:
            last = FIRST + timedelta(days=days)
            until = int(datetime(last.year, last.month, last.day, 12, tzinfo=UTC).timestamp()) + 1
            generator = Generator(next(k for k in KINDS if k.name == self._kind), 0, step_s, first=FIRST, until=until)
        while not generator.is_done:
            begun = time.process_time()
            generator.run(generator.at + _PART_S)
            self._save_part(generator)
            reached, took_s = datetime.fromtimestamp(generator.at, UTC), time.process_time() - begun
            print(f"{self._kind} up to {reached:%F}, {took_s:.0f} s", flush=True)

    def _save_part(self, generator: Generator) -> None:
        """Move the lines of points into a file of their own, then save the generator."""
        roles: tuple[Role, ...] = ("totals", "devices")
        for role in roles:
            with gzip.open(self._folder / f"{role}.{generator.at}.gz", "wb", compresslevel=1) as out:
                out.writelines(generator.done.lines[role])
            generator.done.lines[role].clear()
        draft = self._state.with_suffix(".new")
        draft.write_bytes(pickle.dumps(generator))
        draft.replace(self._state)

    def _load(self) -> Generator:
        found = pickle.loads(self._state.read_bytes())
        assert isinstance(found, Generator)
        return found

    def past(self) -> Past:
        """What really happened; its present is a minute after the last tick."""
        generator = self._load()
        return Past(generator.kind, generator.done.truth, generator.at - generator.step_s + 60, generator.step_s)

    def list_lines(self) -> Iterator[tuple[Role, list[bytes]]]:
        """Give the lines of each part and role, then those of the daily bucket."""
        roles: tuple[Role, ...] = ("totals", "devices")
        for role in roles:
            for path in sorted(self._folder.glob(f"{role}.*.gz")):
                with gzip.open(path) as lines:
                    yield role, lines.readlines()
        yield "daily", self._load().done.lines["daily"]


if __name__ == "__main__":
    KeptHistory(Path(sys.argv[1]), sys.argv[2]).generate(int(sys.argv[3]), int(sys.argv[4]))
