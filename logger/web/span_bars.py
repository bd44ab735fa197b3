"""Draw days or months as pairs of bars: the energy produced and the energy used. A table shows all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from logger.web.markup import Markup, el, join
from logger.web.wording import Wording

_WIDTH, _HEIGHT = 10.0, 100.0
"""Width and height of the bars of one day or month. The page stretches the whole picture to its own width."""
_STEPS: Final = (1, 2, 3, 4, 5, 6, 8)


@dataclass(frozen=True, slots=True)
class BarPlace:
    """One day or month in the bar chart: its label, its full name, and its row.

    `row` is None if the recorder has no row of the day or month.
    """

    label: str
    name: str
    row: Mapping[str, Any] | None


def draw_bars(places: Sequence[BarPlace], title: str, words: Wording) -> Markup:
    """Draw the bars of all places, with labels, scale and table."""
    rows = [place.row for place in places if place.row is not None]
    greatest = max((max(_read_production(row), _read_load(row)) for row in rows), default=0.0)
    if not greatest:
        return el("p", words.say("nothing"), class_="empty")
    top = _round_up(greatest)
    bars = [_draw_place(place, number, top, words) for number, place in enumerate(places)]
    svg = el(
        "svg",
        el("path", d=f"M0 0H{_WIDTH * len(places):.0f}M0 50H{_WIDTH * len(places):.0f}", class_="rule"),
        *bars,
        class_="bars",
        viewBox=f"0 0 {_WIDTH * len(places):.0f} {_HEIGHT:.0f}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    scale = el("div", *(el("span", words.scale(wh)) for wh in (top, top / 2)), class_="scale")
    kind = "labels days" if len(places) > 12 else "labels"
    labels = el("div", *(el("span", place.label[:1], el("i", place.label[1:])) for place in places), class_=kind)
    has_grid = any("grid_import_wh" in row for row in rows)
    keys = [("sun", "own_used" if has_grid else "made"), ("sun pale", "sold")][: 2 if has_grid else 1]
    if any("load_wh" in row for row in rows):
        keys += [("house", "own_made" if has_grid else "used"), ("grid", "bought")][: 2 if has_grid else 1]
    legend = el("p", *(el("span", words.say(text), class_=f"key {kind}") for kind, text in keys), class_="legend")
    return join(el("div", scale, svg, labels, class_="bar-chart"), legend, _write_table(places, title, words))


def _read_production(row: Mapping[str, Any]) -> float:
    return max(0.0, row.get("production_wh") or 0.0)


def _read_load(row: Mapping[str, Any]) -> float:
    return max(0.0, row.get("load_wh") or 0.0)


def _round_up(wh: float) -> float:
    """Return the least round number of Wh at or above a value."""
    size = 100.0
    while True:
        for step in _STEPS:
            if wh <= step * size:
                return step * size
        size *= 10


def _draw_place(place: BarPlace, number: int, top: float, words: Wording) -> Markup | None:
    """Draw the two bars of one day or month. Each bar is divided by destination or origin of its energy.

    `number`: the place from the left, from 0. `top`: the energy in Wh of a bar with the full height.
    """
    row = place.row
    if row is None:
        return None
    made, used = _read_production(row), _read_load(row)
    sold, bought = (min(row.get(f"grid_{way}_wh") or 0.0, most) for way, most in (("export", made), ("import", used)))
    x = _WIDTH * number
    stacks = (
        ("sun", x + 1.3, made - sold, 0.0),
        ("sun pale", x + 1.3, sold, made - sold),
        ("house", x + 5.2, used - bought, 0.0),
        ("grid", x + 5.2, bought, used - bought),
    )
    rects = [
        el(
            "rect",
            x=left,
            y=round(_HEIGHT * (1 - (below + wh) / top), 1),
            width=3.5,
            height=round(_HEIGHT * wh / top, 1),
            class_=kind,
        )
        for kind, left, wh, below in stacks
        if wh > 0
    ]
    told = el("title", f"{place.name}: {words.say('made')} {words.energy(row.get('production_wh'))}, "
              f"{words.say('used')} {words.energy(row.get('load_wh'))}")  # fmt: skip
    return el("g", told, el("rect", x=x, y=0, width=_WIDTH, height=_HEIGHT, class_="touch"), *rects)


def _write_table(places: Sequence[BarPlace], title: str, words: Wording) -> Markup:
    """Return a table that can be unfolded, with all figures of the bars. Leave out columns without a value."""
    rows = [(place.name, place.row) for place in places if place.row is not None]
    columns = [
        (text, field)
        for text, field in (
            ("made", "production_wh"),
            ("used", "load_wh"),
            ("bought", "grid_import_wh"),
            ("sold", "grid_export_wh"),
            ("charged", "battery_charged_wh"),
            ("discharged", "battery_discharged_wh"),
            ("own_use", "own_use_percent"),
            ("self_sufficient", "self_sufficient_percent"),
            ("cost", "cost"),
            ("saved", "saved"),
        )
        if any(row.get(field) is not None for _, row in rows)
    ]
    head = el("tr", el("td", ""), *(el("th", words.say(text), scope="col") for text, _ in columns))
    body = [
        el(
            "tr", el("th", name, scope="row"), *(el("td", write_figure(row, field, words)) for _, field in columns)
        )  # fmt: skip
        for name, row in reversed(rows)
    ]
    table = el("table", el("caption", title), el("thead", head), el("tbody", *body))
    wide = el("div", table, class_="wide", tabindex="0", role="region", aria_label=title)
    return el("details", el("summary", words.say("table")), wide)


def write_figure(row: Mapping[str, Any], field: str, words: Wording) -> str:
    """Return one figure of a row as text. The ending of the name `field` decides the unit."""
    value = row.get(field)
    if field.endswith("_percent"):
        return words.percent(value)
    return words.energy(value) if field.endswith("_wh") else words.money(value, row.get("currency", ""))
