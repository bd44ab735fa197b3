"""Draw the inverters as the layout places them on the roof. The colour shows the energy relative to the group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from logger.web.markup import Markup, el, join
from logger.web.wording import NONE, Wording

_BOUNDS: Final = (0.6, 0.75, 0.85, 0.92, 0.97, 1.03)
"""The ratios at which the colour changes, in ascending order.

A ratio is an inverter's energy divided by the median energy of the inverter's group.
"""
_MOST: Final = 30
"""The greatest number of columns, and of rows, in a grid of the style sheet."""
_FRESH_S: Final = 3600


def draw_roof(inverters: Sequence[Mapping[str, Any]], now: float, words: Wording) -> Markup:
    """Draw all inverters: in rows and columns if the layout gives their places, else one after the other."""
    if not inverters:
        return el("p", words.say("nothing"), class_="empty")
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for inverter in inverters:
        groups.setdefault(inverter.get("group") or "", []).append(inverter)
    whole = _find_places(inverters)
    if whole is not None:
        drawn = [_draw_grid(inverters, whole, now, words)]
    else:
        drawn = [part for name, of in sorted(groups.items()) for part in _draw_group(name, of, now, words)]
    is_grouped = any(groups)
    note = el("p", words.say("roof_note" if is_grouped else "roof_plain"), class_="quiet")
    return join(note, *drawn, _draw_scale(words), _write_table(inverters, now, words))


def _draw_group(name: str, of: Sequence[Mapping[str, Any]], now: float, words: Wording) -> list[Markup]:
    """Draw the inverters of one group below the group's name."""
    places = _find_places(of)
    heading = [el("h3", name)] if name else []
    if places is not None:
        return [*heading, _draw_grid(of, places, now, words)]
    return [*heading, el("ul", *(_draw_panel(each, now, words) for each in of), class_="panels")]


def _find_places(of: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]] | None:
    """Return row and column of each inverter, from 1 on.

    Return None if an inverter has no place, if two inverters have the same place, or if there are too many rows or
    columns.
    """
    rows, columns = ([str(each.get(name) or "") for each in of] for name in ("row", "column"))
    if not all(rows) or not all(columns):
        return None
    places = list(zip(_number(rows), _number(columns), strict=True))
    if len(set(places)) < len(places) or max(max(place) for place in places) > _MOST:
        return None
    return places


def _number(names: Sequence[str]) -> list[int]:
    """Return a number from 1 on for the name of each row or column.

    If all names are numbers, their differences are preserved. Otherwise the order of the names decides.
    """
    if all(name.isdecimal() for name in names):
        first = min(int(name) for name in names)
        return [int(name) - first + 1 for name in names]
    order = {name: number for number, name in enumerate(sorted(set(names)), start=1)}
    return [order[name] for name in names]


def _draw_grid(
    of: Sequence[Mapping[str, Any]], places: Sequence[tuple[int, int]], now: float, words: Wording
) -> Markup:
    """Draw the inverters `of` in a grid. `places`: the row and the column of each inverter."""
    wide = max(column for _, column in places)
    panels = [
        _draw_panel(each, now, words, f" r{row} c{column}")
        for each, (row, column) in sorted(zip(of, places, strict=True), key=lambda pair: pair[1])
    ]
    return el("ul", *panels, class_=f"panels laid n{wide}")


def _draw_panel(inverter: Mapping[str, Any], now: float, words: Wording, place: str = "") -> Markup:
    """Draw one inverter as a tile: its energy as a percentage of the group's median, its name and its power.

    `place`: the style classes of the tile's row and column, with a blank before each.
    """
    ratio = find_ratio(inverter)
    is_silent = bool((inverter.get("day") or {}).get("silent_days"))
    share = words.say("silent") if is_silent else NONE if ratio is None else words.percent(100 * ratio)
    told = f"{name_of(inverter)}: {share}, {words.power(_power(inverter, now))}, {words.energy(_energy(inverter))}"
    return el(
        "li",
        el("b", share),
        el("span", _shorten_name(inverter)),
        el("span", words.power(_power(inverter, now)), class_="watts"),
        class_=f"panel {_colour(ratio, is_silent=is_silent)}{place}",
        title=told,
    )


def _colour(ratio: float | None, *, is_silent: bool) -> str:
    if is_silent or ratio is None:
        return "silent" if is_silent else "unknown"
    return f"q{1 + sum(ratio >= bound for bound in _BOUNDS)}"


def name_of(inverter: Mapping[str, Any]) -> str:
    """Return the panel's name in the layout, else the inverter's serial."""
    name: str = inverter.get("panel") or inverter["serial"]
    return name


def _shorten_name(inverter: Mapping[str, Any]) -> str:
    """Return the panel's name in the layout, else the last digits of the serial, in which inverters differ."""
    name = name_of(inverter)
    return f"…{name[-5:]}" if name == inverter["serial"] else name


def find_ratio(inverter: Mapping[str, Any]) -> float | None:
    """Return the energy of the newest day relative to the group's median; None if the inverter is not compared."""
    ratio: float | None = (inverter.get("day") or {}).get("group_ratio")
    return ratio


def _energy(inverter: Mapping[str, Any]) -> float | None:
    wh: float | None = (inverter.get("day") or {}).get("energy_wh")
    return wh


def _power(inverter: Mapping[str, Any], now: float) -> float | None:
    """Return the power of the last report in W; None if this report is older than an hour."""
    at: int | None = inverter.get("report_at")
    watts: float | None = inverter.get("power_w")
    return watts if at is not None and now - at <= _FRESH_S else None


def list_fresh(inverters: Sequence[Mapping[str, Any]], now: float) -> list[bool]:
    """Return for each inverter whether its power is recent enough to be shown."""
    return [_power(each, now) is not None for each in inverters]


def _draw_scale(words: Wording) -> Markup:
    """Draw the scale that explains the colours."""
    bounds = [words.number(100 * bound, 0) for bound in _BOUNDS]
    names = [f"<{bounds[0]}", *bounds[:-1], words.percent(100 * _BOUNDS[-1])]
    return el(
        "p", *(el("span", name, class_=f"q{number}") for number, name in enumerate(names, start=1)), class_="ratios"
    )


def _write_table(inverters: Sequence[Mapping[str, Any]], now: float, words: Wording) -> Markup:
    """Return a table that can be unfolded, with a row for each inverter."""
    titles = ("panel", "group", "power", "energy", "ratio", "week")
    rows = []
    for inverter in inverters:
        day = inverter.get("day") or {}
        week = day.get("group_ratio_7d")
        cells = (
            inverter.get("group") or NONE,
            words.power(_power(inverter, now)),
            words.energy(day.get("energy_wh")),
            words.percent(None if find_ratio(inverter) is None else 100 * (find_ratio(inverter) or 0.0)),
            words.percent(None if week is None else 100 * week),
        )
        rows.append(el("tr", el("th", name_of(inverter), scope="row"), *(el("td", cell) for cell in cells)))
    head = el("tr", *(el("th", words.say(title), scope="col") for title in titles))
    table = el("table", el("caption", words.say("roof")), el("thead", head), el("tbody", *rows))
    wide = el("div", table, class_="wide", tabindex="0", role="region", aria_label=words.say("roof"))
    return el("details", el("summary", words.say("table")), wide)
