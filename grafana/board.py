"""Define boards and panels as data, and place the panels on Grafana's 24 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from grafana.looks import Look
from grafana.query.asked import Query

COLUMNS: Final = 24


@dataclass(frozen=True)
class Panel:
    """One panel, which a function of `kinds.py` makes. All texts are English; `render.py` translates them.

    `says`: the description in the panel's corner and in docs/dashboards.md. `absent`: the text that the panel shows
    if nothing was recorded. `options`, `custom`: Grafana's settings of this kind of panel. `points`: the greatest
    number of points that the panel requests; 0 stands for one point for each pixel of the panel's width.
    `names_rows`: the panel shows the name of each row, so that the columns need no names.
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
    names_rows: bool = False


@dataclass(frozen=True)
class Section:
    """Panels under a heading. An empty title stands for no heading.

    `is_closed`: Grafana shows only the heading until the reader opens the section. For equipment that few sites have.
    """

    title: str
    panels: tuple[Panel, ...]
    is_closed: bool = False


@dataclass(frozen=True)
class Board:
    """One board. `variables`: the names of the choices at its top, which `variables.py` defines."""

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
        """Return all panels of all sections."""
        for section in self.sections:
            yield from section.panels


@dataclass(frozen=True)
class Place:
    """The place and the size of a panel, in Grafana's columns and rows."""

    x: int
    y: int
    w: int
    h: int


def place(sizes: list[tuple[int, int]], top: int) -> list[Place]:
    """Place boxes in their order, each at the highest free place, and there as far left as possible."""
    height = [top] * COLUMNS
    found = []
    for w, h in sizes:
        y, x = min((max(height[x : x + w]), x) for x in range(COLUMNS - w + 1))
        height[x : x + w] = [y + h] * w
        found.append(Place(x, y, w, h))
    return found
