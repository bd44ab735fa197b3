"""Make the parts of the page from the answers of the API, in one language.

The browser renews each part separately.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, TypeAlias

from logger.panels.watch import WEAK_DAYS
from logger.web.flow_picture import draw_flow
from logger.web.gathered_facts import PageFacts, only_true_now
from logger.web.markup import Markup, el, join
from logger.web.roof_picture import draw_roof, list_fresh, name_of
from logger.web.span_bars import BarPlace, draw_bars
from logger.web.tiles import write_tiles
from logger.web.wording import Wording

_DAYS: Final = 14
_MONTHS: Final = 12


def _write_state(facts: PageFacts, words: Wording) -> Markup:
    """Write the time of the readings and whether the readings are fresh. If they are not fresh, write their age."""
    at = facts.now["at"]
    if at is None:
        return el("span", words.say("first"), class_="chip waiting")
    if facts.now["is_fresh"]:
        chip = el("span", words.say("live"), class_="chip live")
    else:
        chip = el("span", words.say("stale", age=words.age(facts.time - at)), class_="chip stale")
    time = words.moment(facts.local(at), facts.today)
    return join(chip, " ", el("time", time, datetime=facts.local(at).isoformat()))


def _note_age(facts: PageFacts) -> object:
    """Return the facts that decide the text of `_write_state`.

    The present minute is one of these facts only while the text shows the age of the readings.
    """
    minutes = 0 if facts.now["is_fresh"] else int(facts.time // 60)
    return facts.now["at"], facts.now["is_fresh"], facts.today, minutes


def _draw_now(facts: PageFacts, words: Wording) -> Markup:
    is_metered = _is_metered(facts)
    picture = draw_flow(facts.totals, facts.now["grid"], words, is_metered=is_metered)
    if facts.now["at"] is None or is_metered:
        return picture
    return join(picture, el("p", words.say("unmetered"), class_="quiet"))


def _is_metered(facts: PageFacts) -> bool:
    """Return whether the site measures grid or house, now or on one of the days that the page shows."""
    now, days = ("load_power_w", "net_power_w", "net_lifetime_wh"), ("load_wh", "grid_import_wh")
    return any(name in facts.now["totals"] for name in now) or any(name in row for row in facts.days for name in days)


def _write_today(facts: PageFacts, words: Wording) -> Markup:
    """Write the tiles of today: energies, own use, self-sufficiency and money."""
    row = next((row for row in facts.days if row.get("local_date") == facts.today.isoformat()), {})
    return write_tiles(facts, facts.now, row, words)


def _write_whole(facts: PageFacts, words: Wording) -> Markup:
    """Write the sums of a site of several gateways: the present powers, and today's energies.

    Also write what the sums lack: gateways that do not answer, and quantities that a gateway does not measure. Write
    nothing at a site of one gateway.
    """
    whole = facts.whole
    if whole["gateways"] is None:
        return Markup("")
    heard = words.say("gateways_heard", heard=f"{whole['gateways_heard'] or 0}", all=f"{whole['gateways']}")
    lacking = el("p", words.say("lacking", what=whole["missing"]), class_="quiet") if whole["missing"] else None
    row = next((row for row in facts.whole_days if row.get("local_date") == facts.today.isoformat()), {})
    return join(
        el("h2", words.say("whole")),
        el("p", heard, class_="count"),
        lacking,
        el("div", draw_flow(only_true_now(whole), {}, words, is_metered=False)) if whole["totals"] else None,
        el("div", write_tiles(facts, whole, row, words)) if whole["totals"] else None,
    )


def _draw_whole_days(facts: PageFacts, words: Wording) -> Markup:
    if facts.whole["gateways"] is None or not facts.whole_days:
        return Markup("")
    title = words.say("whole_days")
    return join(el("h2", title), draw_bars(_place_days(facts.whole_days, facts.today, words), title, words))


def _write_battery(facts: PageFacts, words: Wording) -> Markup:
    """Write charge and stored energy of all batteries together. If there are several, also write each battery.

    Write nothing at a site without batteries.
    """
    totals = facts.now["totals"]
    charge = totals.get("battery_charge_percent")
    if charge is None and not facts.now["batteries"]:
        return Markup("")
    reserve = totals.get("battery_reserve_percent")
    notes = []
    if "battery_energy_wh" in totals and "battery_capacity_wh" in totals:
        contents = {name: words.energy(totals[f"battery_{name}_wh"]) for name in ("energy", "capacity")}
        notes.append(words.say("stored", **contents))
    notes += [
        words.say(name, percent=words.percent(totals[f"battery_{name}_percent"]))
        for name in ("reserve", "health")
        if f"battery_{name}_percent" in totals
    ]
    units = [_write_unit(unit, words) for unit in facts.now["batteries"]] if len(facts.now["batteries"]) > 1 else []
    return join(
        el("h2", words.say("battery")),
        el("p", el("b", words.percent(charge)), class_="charge"),
        _draw_charge(charge or 0.0, reserve),
        el("p", " · ".join(notes), class_="quiet") if notes else None,
        el("ul", *units, class_="units") if units else None,
    )


def _draw_charge(percent: float, reserve: float | None) -> Markup:
    """Draw the charge of the battery as a bar, and its reserve as a mark."""
    mark = el("rect", x=reserve, y=0, width=0.6, height=10, class_="mark") if reserve else None
    rail = el("rect", width=100, height=10, class_="rail")
    full = el("rect", width=max(0.0, min(100.0, percent)), height=10, class_="battery")
    return el("svg", rail, full, mark, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true",
              class_="share tall")  # fmt: skip


def _write_unit(unit: Mapping[str, Any], words: Wording) -> Markup:
    """Write a line of the list of batteries: one battery's serial, charge, power and temperature."""
    figures = [words.percent(unit.get("charge_percent"))]
    figures += [words.power(unit["power_w"])] if "power_w" in unit else []
    figures += [words.celsius(unit["temperature_c"])] if "temperature_c" in unit else []
    return el("li", el("span", f"…{unit.get('serial', '')[-5:]}"), el("span", " · ".join(figures)))


def _count_inverters(facts: PageFacts, words: Wording) -> Markup:
    totals = facts.now["totals"]
    every, producing = totals.get("inverters"), totals.get("inverters_producing")
    if every is None or producing is None or not facts.now["is_fresh"]:
        return Markup("")
    return join(words.say("producing", producing=f"{producing:.0f}", all=f"{every:.0f}"))


def _place_days(found: Sequence[Mapping[str, Any]], today: date, words: Wording) -> list[BarPlace]:
    """Return the last fourteen days as places of the bar chart, each with its row."""
    rows = {row["local_date"]: row for row in found}
    days = [today - timedelta(days=back) for back in range(_DAYS - 1, -1, -1)]
    return [BarPlace(f"{day.day}", words.day(day), rows.get(day.isoformat())) for day in days]


def _draw_days(facts: PageFacts, words: Wording) -> Markup:
    return draw_bars(_place_days(facts.days, facts.today, words), words.say("days"), words)


def _draw_months(facts: PageFacts, words: Wording) -> Markup:
    return draw_bars(_place_months(facts, words), words.say("months"), words)


def _draw_roof(facts: PageFacts, words: Wording) -> Markup:
    """Draw the roof. While no inverter reports, write a note above the roof, with the last report's time."""
    roof = draw_roof(facts.inverters, facts.time, words)
    if not facts.inverters or any(list_fresh(facts.inverters, facts.time)):
        return roof
    reports = [each["report_at"] for each in facts.inverters if each["report_at"] is not None]
    last = words.say("last_report", time=words.moment(facts.local(max(reports)), facts.today)) if reports else None
    return join(el("p", words.say("dark"), " " if last else None, last, class_="quiet"), roof)


def _place_months(facts: PageFacts, words: Wording) -> list[BarPlace]:
    """Return the last twelve months as places of the bar chart, each with its row."""
    rows = {row["local_month"]: row for row in facts.months}
    today, places = facts.today, []
    for back in range(_MONTHS - 1, -1, -1):
        year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
        name = words.month(date(year, month + 1, 1))
        places.append(BarPlace(name.rstrip("."), f"{name} {year}", rows.get(f"{year}-{month + 1:02}")))
    return places


def _list_wrong(facts: PageFacts, words: Wording) -> Markup:
    """List the present problems, each with its cure."""
    wrong = [*_list_troubles(facts, words), *_list_panels(facts, words)]
    if not wrong:
        return el("p", words.say("well"), class_="well")
    return join(el("h2", words.say("wrong")), el("ul", *wrong, class_="troubles"))


def _list_troubles(facts: PageFacts, words: Wording) -> Iterator[Markup]:
    """List the recorder's problems and the missing values. The recorder writes the texts of both in English."""
    for trouble in facts.now["troubles"]:
        cure = el("span", trouble["cure"], lang="en") if trouble["cure"] else ""
        yield _write_trouble(el("span", trouble["text"], lang="en"), cure, words)
    for gap in facts.now["missing"]:
        time = words.moment(facts.local(gap["since"]), facts.today)
        text = words.say("missing", values=", ".join(gap["values"]), time=time)
        yield el("li", el("p", text), el("p", gap["reason"], lang="en", class_="cure"))


def _list_panels(facts: PageFacts, words: Wording) -> Iterator[Markup]:
    """List the panels that are silent, and the panels that were weak on at least three sunny days in a row."""
    for inverter in facts.inverters:
        day, panel = inverter.get("day") or {}, name_of(inverter)
        if silent := day.get("silent_days"):
            text = words.say("silent_panel_day" if silent == 1 else "silent_panel", panel=panel, days=f"{silent}")
            yield _write_trouble(text, words.say("silent_cure"), words)
        if (weak := day.get("low_days") or 0) >= WEAK_DAYS:
            text = words.say("weak_panel", panel=panel, days=f"{weak}")
            yield _write_trouble(text, words.say("weak_cure"), words)


def _write_trouble(text: str, cure: str, words: Wording) -> Markup:
    """Write one problem and its cure."""
    shown = el("p", f"{words.say('try')}: ", cure, class_="cure") if cure else None
    return el("li", el("p", text), shown)


Draw: TypeAlias = Callable[[PageFacts, Wording], Markup]


@dataclass(frozen=True, slots=True)
class PagePart:
    """Describe one part of the page: the function that draws it, and the facts that it shows.

    The part is drawn again when these facts change.
    """

    draw: Draw
    shows: Callable[[PageFacts], object]


PARTS: Final[Mapping[str, PagePart]] = {
    "state": PagePart(_write_state, _note_age),
    "wrong": PagePart(_list_wrong, lambda f: (f.now["troubles"], f.now["missing"], f.inverters, f.today)),
    "whole": PagePart(_write_whole, lambda f: (f.whole, f.whole_days, f.today)),
    "flow": PagePart(_draw_now, lambda f: (f.now["totals"], f.now["is_fresh"], f.now["grid"], _is_metered(f))),
    "today": PagePart(_write_today, lambda f: (f.now["totals"], f.now["today"], f.now["counted"], f.days, f.today)),
    "battery": PagePart(_write_battery, lambda f: (f.now["totals"], f.now["batteries"])),
    "days": PagePart(_draw_days, lambda f: (f.days, f.today)),
    "whole_days": PagePart(_draw_whole_days, lambda f: (f.whole["gateways"], f.whole_days, f.today)),
    "months": PagePart(_draw_months, lambda f: (f.months, f.today)),
    "roof": PagePart(_draw_roof, lambda f: (f.inverters, list_fresh(f.inverters, f.time), f.today)),
    "producing": PagePart(_count_inverters, lambda f: (f.now["totals"], f.now["is_fresh"])),
}
"""The id of the element that holds a part → the part."""
