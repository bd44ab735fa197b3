"""The inverters' books as they lie in the store: text parts of the ledger whose names begin with `panels.`.

`panels.now` changes with every poll of the inverters, today's `panels.day.<date>` too; the others once a day or less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple
from typing import Final

from logger.energy.state import Counter, HeldValue
from logger.panels.books import Panel, PanelDay, PanelDays, Panels
from logger.panels.watch import Usual, Watch

PREFIX: Final = "panels."
_DAY: Final = "panels.day."


def to_text(panels: Panels, watch: Watch) -> dict[str, str]:
    """One JSON text a part."""
    if not panels.since:
        return {}
    head = {"since": panels.since, "interval_s": panels.interval_s, "at": [watch.from_tick, watch.last_tick]}
    now = {serial: [p.last, p.power_w, _counter(p.counter), *p.first] for serial, p in panels.now.items()}
    told = {
        "judged": watch.judged,
        "weak": dict(watch.weak),
        "usual": {serial: [usual.ratio, usual.days] for serial, usual in watch.usual.items()},
        "told": dict(watch.told),
    }
    return {
        "panels.now": _line({**head, "run": watch.interval_run, "inverters": now}),
        "panels.watch": _line(told),
        **{
            f"{_DAY}{day}": _line({"site": kept.site, **{s: astuple(p) for s, p in kept.panels.items()}})
            for day, kept in panels.days.items()
        },
    }


def from_text(parts: Mapping[str, str]) -> tuple[Panels, Watch]:
    """The books as they were stored; new ones without any."""
    if "panels.now" not in parts:
        return Panels(), Watch()
    head, told = json.loads(parts["panels.now"]), json.loads(parts["panels.watch"])
    now = {
        serial: Panel(last, power, None if counter is None else _read_counter(counter), (first, first_wh))
        for serial, (last, power, counter, first, first_wh) in head["inverters"].items()
    }
    days = {}
    for name, text in parts.items():
        if name.startswith(_DAY):
            raw = json.loads(text)
            site = raw.pop("site")
            days[name.removeprefix(_DAY)] = PanelDays(
                site, {serial: PanelDay(*entry) for serial, entry in raw.items()}
            )
    watch = Watch(
        from_tick=head["at"][0],
        last_tick=head["at"][1],
        judged=told["judged"],
        weak=told["weak"],
        usual={serial: Usual(ratio, count) for serial, (ratio, count) in told["usual"].items()},
        told=told["told"],
        interval_run=(head["run"][0], head["run"][1]),
    )
    return Panels(now, days, head["since"], head["interval_s"]), watch


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _counter(counter: Counter | None) -> object:
    """An inverter's counter without what only the site's counters use."""
    if counter is None:
        return None
    kept = asdict(counter)
    return [kept[name] for name in ("accepted_wh", "at", "rose_at", "held", "resets", "first_day")]


def _read_counter(raw: list[object]) -> Counter:
    accepted, at, moved, held, resets, first_day = raw
    assert isinstance(held, list)  # noqa: S101  as written above
    return Counter(
        float(str(accepted)),
        int(str(at)),
        "",
        rose_at=int(str(moved)),
        held=tuple(HeldValue(**value) for value in held),
        resets=int(str(resets)),
        first_day=str(first_day),
    )
