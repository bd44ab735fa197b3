"""Write the tiles of the page: energies, shares and money of today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from logger.web.gathered_facts import PageFacts
from logger.web.markup import GAP, Frame, Markup, el
from logger.web.wording import Wording


def write_tiles(facts: PageFacts, answer: Mapping[str, Any], row: Mapping[str, Any], words: Wording) -> Markup:
    """Write the tiles of today.

    `answer`: contains the energies and shares. `row`: the row of the day, which contains the money. A figure that
    does not cover the whole day is shown with the time at which counting began. If `answer` lacks a figure, for
    example while the gateway is away, the figure is taken from `row`.
    """
    totals, shares, counted = answer["totals"], answer["today"], answer["counted"]
    since = words.say("since", time=words.clock(facts.local(counted["since"]))) if counted else ""
    energies = (
        ("sun", "made", "production"),
        ("house", "used", "load"),
        ("grid", "bought", "grid_import"),
        ("sun", "sold", "grid_export"),
        ("battery", "charged", "battery_charged"),
        ("battery", "discharged", "battery_discharged"),
    )
    tiles = []
    for kind, text, name in energies:
        whole = totals.get(f"{name}_today_wh")
        wh = whole if whole is not None else (counted or row).get(f"{name}_wh")
        if wh is not None:
            note = since if whole is None else ""
            tiles.append(_write_tile(kind, words.say(text), words.energy(wh), note=note))
    for kind, name in (("good", "self_sufficient"), ("sun", "own_use")):
        of_day = shares.get(f"{name}_percent")
        percent = of_day if of_day is not None else (counted or row).get(f"{name}_percent")
        if percent is not None:
            note = since if of_day is None else ""
            tiles.append(_write_tile(kind, words.say(name), words.percent(percent), percent, note))
    tiles += _write_money(row, words)
    return el("ul", *tiles, class_="tiles") if tiles else el("p", words.say("nothing"), class_="empty")


def _write_money(row: Mapping[str, Any], words: Wording) -> Iterator[Markup]:
    """Write the tiles of money, if prices are known."""
    if "cost" not in row:
        return
    currency = str(row.get("currency", ""))
    cost, income = row["cost"], row.get("income") or 0.0
    part = words.say("cost_part", cost=words.money(cost, currency), income=words.money(income, currency))
    yield _write_tile("grid", words.say("cost"), words.money(cost - income, currency), note=part)
    if "saved" in row:
        yield _write_tile("good", words.say("saved"), words.money(row["saved"], currency))


def _write_tile(kind: str, name: str, value: str, percent: float | None = None, note: str = "") -> Markup:
    """Write one tile: its name, its value, and a bar for a percentage. `kind`: the style class of the colour."""
    shown: list[str | float] = [value]
    shown += [] if percent is None else [max(0.0, min(100.0, percent))]
    shown += [note] if note else []
    return _frame_tile(kind, name, has_bar=percent is not None, has_note=bool(note)).fill(*shown)


@cache
def _frame_tile(kind: str, name: str, *, has_bar: bool, has_note: bool) -> Frame:
    """Write a tile. Its value, the width of its bar and its note are written later."""
    bar = None
    if has_bar:
        rects = (el("rect", width=100, height=4, class_="rail"), el("rect", width=GAP, height=4, class_=kind))
        bar = el("svg", *rects, viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden="true", class_="share")
    small = el("small", GAP) if has_note else None
    return Frame(el("li", el("span", name, class_=f"key {kind}"), el("b", GAP), bar, small, class_="tile"))
