"""Play the sites of which the questions are asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Final

from tests.history.generator import Generated, Generator
from tests.history.kinds import Kind
from tests.questions.question import Past

_POINTS_S: Final = 40 * 86400
"""No question looks further back than a month at anything but rows, hours and events."""


def play(kinds: Iterable[Kind], first: date, last: date, step_s: int) -> Iterator[tuple[Past, Generated]]:
    """The sites from one day until noon (UTC) of another."""
    until = int(datetime(last.year, last.month, last.day, 12, tzinfo=UTC).timestamp())
    for kind in kinds:
        made = Generator(kind, 0, step_s, first=first, until=until + 1, points_s=_POINTS_S).run()
        yield Past(kind, made.truth, until + 60, step_s), made


@cache
def play_days(kinds: tuple[Kind, ...]) -> tuple[tuple[Past, Generated], ...]:
    """The sites on nine days around a new year."""
    return tuple(play(map(fall_ill_soon, kinds), date(2024, 12, 27), date(2025, 1, 5), 900))


def fall_ill_soon(kind: Kind) -> Kind:
    """The kind with its dead and weak panels falling ill after some days."""
    panels = tuple(
        replace(panel, dead_from=min(4, panel.dead_from), weak_from=min(1, panel.weak_from)) for panel in kind.panels
    )
    return replace(kind, panels=panels)
