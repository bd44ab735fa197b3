"""The figures of `docs/energy.md`: `python -m tests.energy.report` runs the year and writes them, and the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from logger.model import DayRow
from logger.site import Site
from tests.energy import picture
from tests.energy.gateway import Metered, Panel
from tests.energy.house import House
from tests.energy.naive import METHODS, Naive
from tests.energy.test_year import number
from tests.energy.year import Recorder, play, trouble

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- compared: generated -->\n", "<!-- /compared -->"
ZONE: Final = "Europe/Berlin"
FLOWS: Final = {"production": "production", "house": "load"}


@dataclass(frozen=True)
class Line:
    """What one method made of a span of days: days off by more than one Wh, the worst of them, the sum's error."""

    method: str
    name: str
    off: int
    worst_wh: float
    sum_percent: float
    marked: int


def compare(first: date, last: date, seed: int = 2025) -> list[Line]:
    """The same days by every method, ours last."""
    house = House(ZONE, first, last)
    plant = Metered(house, [Panel(f"1220000000{n:02d}", 0.25, 0.25) for n in range(4)])
    naive, rows = Naive(plant), dict[str, DayRow]()
    for _, result in play(plant, trouble(plant, seed), Recorder(Site(zone=ZONE)), seen=naive.see):
        rows |= {row.day: row for row in result.daily if row.reading.measurement == "envoy_day"}
    found = []
    for name, flow in FLOWS.items():
        truth = {day.isoformat(): house.day_wh(flow, day) for day in house.days()}
        for method in METHODS:
            told = {day: naive.wh(method, name, day) for day in truth}
            found.append(_line(method, name, truth, told, 0))
        quantity = {"production": "production", "house": "load"}[name]
        ours = {day: number(rows[day], f"{quantity}_wh") for day in truth}
        marked = [d for d in truth if number(rows[d], f"{quantity}_estimated_wh") > 0 and abs(ours[d] - truth[d]) > 1]
        found.append(_line("ours", name, truth, ours, len(marked)))
    return found


def _line(method: str, name: str, truth: Mapping[str, float], told: Mapping[str, float], marked: int) -> Line:
    errors = {day: told[day] - wh for day, wh in truth.items()}
    return Line(
        method,
        name,
        sum(1 for error in errors.values() if abs(error) > 1),
        max(errors.values(), key=abs),
        100 * sum(errors.values()) / sum(truth.values()),
        marked,
    )


def table(lines: list[Line], first: date, last: date) -> str:
    """The comparison as Markdown."""
    days = (last - first).days + 1
    text = [
        f"{days} simulated days ({first} to {last}, {ZONE}), one poll a minute.",
        "",
        "| | method | days wrong by more than 1 Wh | of them marked as estimated | worst day | sum of all days |",
        "|---|---|---|---|---|---|",
    ]
    for line in lines:
        method = "**envoy-logger**" if line.method == "ours" else f"`{line.method}`"
        text.append(
            f"| {line.name} | {method} | {line.off} | {line.marked} | {line.worst_wh / 1000:+,.3f} kWh "
            f"| {line.sum_percent:+,.4f} % |"
        )
    return "\n".join(text) + "\n"


def placed(document: str, generated: str) -> str:
    """The document with the generated part in its place."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{generated}{END}{tail}"


def main() -> None:
    """Run the whole year; write the table and the picture."""
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    document = DOCS / "energy.md"
    document.write_text(
        placed(document.read_text(encoding="utf-8"), table(compare(first, last), first, last)), "utf-8"
    )
    (DOCS / picture.FILE).write_text(picture.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
