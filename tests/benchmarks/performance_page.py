"""Write `docs/performance.md` from what was measured: each figure, how it was measured, what would change it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import sub, truediv
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from tests.benchmarks.watched import OFF, ON, USED

_PAGE: Final = Path(__file__).with_name("page.md")


def write(kept: Mapping[str, Any]) -> str:
    """Return the whole page."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}."
    return _PAGE.read_text(encoding="utf-8").format(
        machine=machine,
        goals=_goals(kept),
        ticks=_ticks(kept["ticks"]),
        memory=_memory(kept["ticks"]),
        imports=_imports(kept["imports"], kept["ticks"]),
        startup=_startup(kept["startup"]),
        encoding=_encoding(kept["encoding"]),
        draining=_draining(kept["draining"]),
        drained_points=f"{kept['draining']['points']:,}",
        drained_ticks=f"{kept['draining']['ticks']:,}",
        wear=_wear(kept["wear"]),
        watched=_watched(kept["watched"]),
        fleet=_fleet(kept["fleet"]),
    )


def _goals(kept: Mapping[str, Any]) -> str:
    """Return a table of the goals: the limit, the measured figure, and whether the goal is reached."""
    moving = [each for each in kept["ticks"] if not each["still"]]
    resident, peak = (max(each[f"{name}_mb"] for each in kept["ticks"]) for name in ("resident", "peak"))
    more_time = max(_compare(each["rounds_ms"], ON, by=truediv) for each in kept["watched"]) - 1
    more_mb = max(_compare(each["resident_mb"], USED, by=sub) for each in kept["watched"])
    encoding, drain = min(map(_find_gain, kept["encoding"])), _find_drain(kept["draining"])
    punctual = _find_punctual(next(each for each in kept["fleet"] if each["is_ill"]))
    start = min(kept["startup"]["wall_s"])
    rows = [
        (
            "processor time of a tick, as a multiple of an update of pyenphase "
            f"(with the recording {each['recording']})",
            "2.0",
            f"{(found := median(each['windows_ms']['recorder']) / median(each['windows_ms']['pyenphase'])):.2f}",
            found <= 2.0,
        )
        for each in moving
    ]
    rows += [
        (
            "resident and peak memory, one gateway",
            "45 and 50 MB",
            f"{resident:.0f} and {peak:.0f} MB",
            resident <= 45 and peak <= 50,
        ),
        (
            f"elapsed time from start to the first request, the least of {len(kept['startup']['wall_s'])} starts",
            "0.5 s",
            f"{start:.2f} s",
            start <= 0.5,
        ),
        ("encoding, times faster than `Point`", "at least 3.5", f"{encoding:.1f}", encoding >= 3.5),
        (
            "speed of draining a backlog, as a multiple of a bare client's speed",
            "at least 0.90",
            f"{drain:.2f}",
            drain >= 0.9,
        ),
        (
            "500 gateways, four of them faulty: ticks less than 1 s late",
            "at least 99 %",
            f"{punctual:.1%}",
            punctual >= 0.99,
        ),
        (
            "additional processor time for page, metrics and MQTT while nobody looks at page or metrics",
            "10 %",
            f"{more_time:.0%}",
            more_time <= 0.1,
        ),
        (
            "page, metrics and MQTT, used at each tick: additional memory",
            "12 MB",
            f"{more_mb:.0f} MB",
            more_mb <= 12,
        ),
    ]
    shown = [(goal, aimed, found, "reached" if is_reached else "missed") for goal, aimed, found, is_reached in rows]
    return _table(("goal", "limit", "measured", "result"), shown, "lrrl")


def _ticks(found: Sequence[Mapping[str, Any]]) -> str:
    names = {"recorder": "the recorder", "pyenphase": "pyenphase's update", "plain": "a plain loop"}
    rows = []
    for each in found:
        base = median(each["windows_ms"]["pyenphase"])
        for name, shown in names.items():
            ms = each["windows_ms"][name]
            rows.append((
                each["recording"] if name == "recorder" else "",
                ("stand still" if each["still"] else "move") if name == "recorder" else "",
                shown,
                f"{each['requests'][name]:.1f}",
                f"{median(ms):.2f} ms",
                f"{min(ms):.2f}–{max(ms):.2f}",
                f"{median(ms) / base:.2f}",
            ))  # fmt: skip
    return _table(
        ["recording", "its times", "program", "requests a tick", "a tick, median", "windows", "times pyenphase"],
        rows,
        "lllrrrr",
    )


def _memory(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            each["recording"],
            f"{each['ticks']}",
            f"{each['resident_mb']:.1f} MB",
            f"{each['peak_mb']:.1f} MB",
        )
        for each in found
    ]
    return _table(("recording", "ticks", "resident", "peak"), rows, "lrrr")


def _imports(found: Mapping[str, float], ticks: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the memory that each import takes, and that the running recorder takes in addition."""
    imported, resident = sum(found.values()), median(each["resident_mb"] for each in ticks)
    rows = [(part, f"{mb:.1f} MB") for part, mb in found.items()]
    rows += [
        ("all imports", f"{imported:.1f} MB"),
        ("what a running recorder needs in addition to all imports", f"{resident - imported:.1f} MB"),
    ]
    return _table(("part", "in memory"), rows, "lr")


def _startup(found: Mapping[str, Sequence[float]]) -> str:
    rows = [
        ("elapsed time from start to the first request", *_seconds(found["wall_s"])),
        ("processor time from start to the first request", *_seconds(found["cpu_s"])),
        (
            "for comparison: processor time of starting Python and loading the recorder's imports",
            *_seconds(found["import_s"]),
        ),
        (
            "for comparison: processor time of starting Python and loading pyenphase's imports",
            *_seconds(found["pyenphase_import_s"]),
        ),
    ]
    return _table(("", "least", "median"), rows, "lrr")


def _encoding(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            each["recording"],
            str(each["points"]),
            f"{min(each['ours_us']):.1f} µs",
            f"{min(each['point_us']):.1f} µs",
            f"{_find_gain(each):.1f} ×",
        )
        for each in found
    ]
    return _table(("recording", "points", "the recorder", "influxdb-client's `Point`", "faster by"), rows, "lrrrr")


def _draining(found: Mapping[str, Any]) -> str:
    points, ticks = found["points"], found["ticks"]
    rows = [
        ("put a tick into the store, processor time", f"{min(found['put_cpu_s']) / ticks * 1000:.2f} ms a tick"),
        (
            "put a tick into the store, elapsed time (with the sync to the disk)",
            f"{min(found['put_s']) / ticks * 1000:.2f} ms a tick",
        ),
        ("drain a backlog (deliver all waiting points)", f"{points / min(found['drain_s']):,.0f} points/s"),
        ("a bare client: a loop that only posts the same requests", f"{points / min(found['bare_s']):,.0f} points/s"),
        (
            "speed of draining the backlog, as a multiple of the bare client's speed (median of the rounds)",
            f"{_find_drain(found):.2f}",
        ),
    ]
    return _table(("", ""), rows, "lr")


def _wear(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"{each['inverters']} inverters",
            f"{each['written_mb']:.0f} MB",
            "" if each["syncs"] is None else f"{each['syncs']:,}",
            f"{each['grown_mb']:.1f} MB",
        )
        for each in found
    ]
    return _table(("site", "written a day", "syncs a day", "store's file a day"), rows, "lrrr")


def _watched(found: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for each in found:
        for name, rounds in each["rounds_ms"].items():
            more, memory = (
                _compare(each[figure], name, by=by) for figure, by in (("rounds_ms", truediv), ("resident_mb", sub))
            )
            rows.append((
                each["recording"] if name == OFF[0] else "",
                name,
                f"{median(rounds):.2f} ms",
                f"{min(rounds):.2f}–{max(rounds):.2f}",
                f"{more - 1:+.1%}",
                f"{median(each['resident_mb'][name]):.1f} MB",
                f"{memory:+.1f} MB",
            ))  # fmt: skip
    return _table(
        ["recording", "switched on", "a tick, median", "rounds", "more time", "resident", "more memory"],
        rows,
        "llrrrrr",
    )


def _fleet(found: Sequence[Mapping[str, Any]]) -> str:
    rows, first = [], found[0]
    for each in found:
        more = max(1, each["gateways"] - first["gateways"])
        rows.append((
            f"{each['gateways']}{', four of them faulty' if each['is_ill'] else ''}",
            f"{each['cpu_ms']:.1f} ms",
            f"{each['cpu_ms'] * each['gateways'] / 600:.1f} %",
            f"{each['resident_mb']:.0f} MB",
            f"{(each['resident_mb'] - first['resident_mb']) / more:.2f} MB" if each is not first else "",
            f"{sum(each['ticks'].values()):,} of {each['gateways'] * each['minutes']:,}",
            f"{_find_punctual(each):.1%}",
        ))  # fmt: skip
    return _table(
        ["gateways", "a tick", "of a core", "resident", "a further gateway", "ticks", "less than 1 s late"],
        rows,
        "lrrrrrr",
    )


def _find_gain(found: Mapping[str, Sequence[float]]) -> float:
    """Return how many times faster the recorder encodes points than influxdb-client's `Point`."""
    return min(found["point_us"]) / min(found["ours_us"])


def _find_drain(found: Mapping[str, Sequence[float]]) -> float:
    """Return the speed of a drain as a multiple of the speed of a bare client: the median of the rounds."""
    return median(bare / ours for bare, ours in zip(found["bare_s"], found["drain_s"], strict=True))


def _compare(costs: Mapping[str, Sequence[float]], name: str, *, by: Callable[[float, float], float]) -> float:
    """Compare a recorder with the mean of the two that have nothing switched on, in each round.

    Return the median of the rounds.
    """
    rounds = zip(costs[name], *(costs[off] for off in OFF), strict=True)
    return median(by(cost, mean(nothing)) for cost, *nothing in rounds)


def _find_punctual(found: Mapping[str, Any]) -> float:
    """Return the share of the ticks of a fleet that were less than a second late, from 0 to 1."""
    late: Sequence[float] = found["late_s"]
    return sum(late_s < 1.0 for late_s in late) / max(1, len(late))


def _seconds(found: Sequence[float]) -> tuple[str, str]:
    return f"{min(found):.2f} s", f"{median(found):.2f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    marks = {"l": "---", "r": "---:"}
    lines = [head, [marks[each] for each in align], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
