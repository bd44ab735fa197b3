"""The four kinds of site whose history is generated: what is installed, and what happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

TIME_OF_USE: Final = """\
currency = "AUD"

[[period]]
from = 2020-01-01
buy = 0.20
sell = 0.05

  [[period.band]]
  name = "peak"
  hours = ["15:00-21:00"]
  buy = 0.52

  [[period.band]]
  name = "off-peak"
"""


@dataclass(frozen=True)
class Roofed:
    """One panel: its group, its part of the site's production, and the day from which on it is dead, weak or shaded.

    A shaded one is weak in the afternoon. Without name and group there is no layout file.
    """

    serial: str
    panel: str
    group: str
    part: float
    dead_from: int = 0
    weak_from: int = 0
    shaded_from: int = 0


@dataclass(frozen=True)
class Kind:
    """One site. `outages`: (day, hour, minutes) without the grid; `gaps`: the same without the recorder.

    `swings`: the same with a frequency of 49.3 Hz; `trips`: the same with the first panel switched off by the grid.
    `site`: the house that it has together with other kinds. `is_lively`: days grow and shrink, clouds pass, roofs
    face east or west, and appliances go on and off.
    """

    name: str
    gateway: str
    zone: str
    peak_w: float
    phases: int = 1
    has_meters: bool = True
    battery_wh: float = 0.0
    tariff: str = ""
    site: str = ""
    is_lively: bool = False
    panels: tuple[Roofed, ...] = ()
    outages: tuple[tuple[int, int, int], ...] = ()
    gaps: tuple[tuple[int, int, int], ...] = field(default=((3, 10, 95), (17, 1, 300)))
    swings: tuple[tuple[int, int, int], ...] = field(default=((6, 9, 30),))
    trips: tuple[tuple[int, int, int], ...] = field(default=((5, 12, 45),))


def make_roof(
    prefix: str, groups: dict[str, int], *, spread: float = 0.0, **special: tuple[str, int]
) -> tuple[Roofed, ...]:
    """Panels by group; `special`: name of a panel → what it becomes, and from which day on.

    Each is a hundredth worse than the one before it, or with a `spread` as much better or worse as chance has it.
    """
    count, chance = sum(groups.values()), Random(prefix)
    found = []
    for place, (group, size) in enumerate(groups.items()):
        for number in range(size):
            panel = f"{group[0].upper()}{number + 1}"
            state, since = special.get(panel, ("", 0))
            since_when = [since if state == each else 0 for each in ("dead", "weak", "shaded")]
            serial = f"{prefix}{place}{number:03d}"
            part = 1 + chance.uniform(-spread, spread) if spread else 1 - 0.01 * number
            found.append(Roofed(serial, panel, group, part / count, *since_when))
    return tuple(found)


KINDS: Final = (
    Kind(
        "battery-three-phases", "122500000001", "Australia/Sydney", 9000.0, 3, battery_wh=10_000.0,
        tariff=TIME_OF_USE, panels=make_roof("12250100", {"east": 4, "west": 4}), outages=((8, 13, 43), (20, 23, 90)),
    ),
    Kind(
        "no-battery", "122500000002", "Europe/Berlin", 6000.0, site="house",
        panels=make_roof("12250200", {"south": 6}),
    ),
    Kind(
        "no-meters", "122500000003", "America/New_York", 4000.0, has_meters=False,
        panels=make_roof("12250300", {"roof": 5}),
    ),
    Kind(
        "two-groups", "122500000004", "Europe/Madrid", 7000.0, site="house",
        panels=make_roof("12250400", {"south": 5, "west": 5}, S2=("dead", 24), W3=("weak", 30)),
    ),
)  # fmt: skip
RICHEST: Final = (KINDS[0], KINDS[3])
"""These two have all that any site has; the shorter runs of tests play them alone."""
