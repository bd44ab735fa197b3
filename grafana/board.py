"""Define a board and a panel, as data, and place the panels on Grafana's 24 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from grafana.looks import Look
from grafana.query.asked import Query

COLUMNS: Final = 24


@dataclass(frozen=True)
class Panel:
    """Hold one panel. `kinds.py` makes them; all texts are English, and are translated when it is written.

    `says`: one sentence for people, shown in the panel's corner and in docs/dashboards.md. `absent`: what it says
    when nothing was recorded. `options`, `custom`: what the kind of panel wants, as Grafana has them. `points`: how
    many it asks for; as many as it is wide without it.
    """

    title: str
    kind: str
    says: str
    queries: tuple[Query, ...]
    size: tuple[int, int]
    looks: Mapping[str, Look] = field(default_factory=dict)
    absent: str = "nothing recorded"
    options: object = None
    custom: object = None
    order: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    transformations: tuple[tuple[str, Mapping[str, object]], ...] = ()
    interval: str = ""
    time_from: str = ""
    time_shift: str = ""
    repeat: str = ""
    points: int = 0


@dataclass(frozen=True)
class Section:
    """Hold panels under a heading; without a title they follow without one.

    `is_closed`: only the heading is seen until somebody opens it; for what few sites have.
    """

    title: str
    panels: tuple[Panel, ...]
    is_closed: bool = False


@dataclass(frozen=True)
class Board:
    """Hold one board. `variables`: the names of those it shows, of `variables.py`."""

    uid: str
    title: str
    says: str
    sections: tuple[Section, ...]
    variables: tuple[str, ...] = ()
    since: str = "now-24h"
    until: str = "now"
    refresh: str = "1m"
    events: bool = True

    @property
    def panels(self) -> Iterator[Panel]:
        """Return all panels."""
        for section in self.sections:
            yield from section.panels


@dataclass(frozen=True)
class Place:
    """Hold where a panel stands, in Grafana's columns and rows."""

    x: int
    y: int
    w: int
    h: int


def place(sizes: list[tuple[int, int]], top: int) -> list[Place]:
    """Place boxes in their order, each as high as there is room, then as far left."""
    height = [top] * COLUMNS
    found = []
    for w, h in sizes:
        y, x = min((max(height[x : x + w]), x) for x in range(COLUMNS - w + 1))
        height[x : x + w] = [y + h] * w
        found.append(Place(x, y, w, h))
    return found
