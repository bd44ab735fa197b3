"""Play the sites of which the questions are asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

from tests.history.generator import Generated, Generator
from tests.history.kinds import Kind
from tests.questions.question import Past


def play(kinds: Iterable[Kind], first: date, last: date, step_s: int) -> Iterator[tuple[Past, Generated]]:
    """The sites from one day until noon (UTC) of another."""
    until = int(datetime(last.year, last.month, last.day, 12, tzinfo=UTC).timestamp())
    for kind in kinds:
        made = Generator(kind, 0, step_s, first=first, until=until + 1).run()
        yield Past(kind, made.truth, until + 60, step_s), made
