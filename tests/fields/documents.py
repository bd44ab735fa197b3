"""The generated documents: `python -m tests.fields.documents` writes them anew, tests compare."""

from __future__ import annotations

import re
from pathlib import Path

from logger.daemon.counter_status import list_sources
from logger.daemon.tick import TickResult
from logger.gateway.endpoints import auth_kind
from logger.model import GatewayInfo, Snapshot
from logger.readings import field_texts, paths
from logger.readings import rows as r
from logger.readings.explain import Candidate, Explained, explain
from logger.readings.schema import Measurement
from logger.readings.selectors import meters
from logger.readings.table import MEASUREMENTS
from tests.readings import recordings

DOCS = Path(__file__).parents[2] / "docs"
_OWN = ("envoy_event", "envoy_logger", "envoy_site")
"""Measurements that are made of more than the documents of one gateway."""
_HEAD = """\
# Supported gateways

This page lists the gateways of which a recording exists. For each recorded gateway this page shows the measurements \
of the first poll with their sources, and the absent fields with the reason. `python -m tests.fields.documents` \
writes this page from the recordings. If your gateway is not in the list, you can record it with `envoy-logger \
capture`.
"""
_PRODUCTS = Path(__file__).with_name("products.md")
_RECORDED = """\
## Recordings

The generations are: G0 before firmware 3.9, G1 up to 3.18, G2 firmware 4 and 5, G3 firmware 7, G4 firmware 8 up to \
8.2, G5 firmware 8.3, and G5N firmware 8.3 with the new metering. The letter S means that no meter is in use, and M \
means that meters are in use.

A name in italics, such as *v1 totals*, names a part of a document. The recorder reads values from this part. A part \
of a document is *unknown* at a poll if it is not certain whether the gateway has the part.
"""


def generation(info: GatewayInfo, snapshot: Snapshot) -> str:
    """The name that people give this kind of gateway."""
    view = r.View(snapshot, "totals")
    listed = snapshot.body(paths.METERS)
    metered = any(meters.has_meter(view, kind) for kind in meters.METER_KINDS)
    version = info.version
    if version < (4,):
        return "G0" if version < (3, 9) else "G1"
    if isinstance(listed, list) and len(listed) > 4:
        return "G5N"
    number = 2 if version < (7,) else 3 if version < (8,) else 4 if version < (8, 3) else 5
    return f"G{number}{'M' if metered else 'S'}"


def supported_gateways() -> str:
    """The text of `docs/supported-gateways.md`; needs the recordings."""
    found = []
    for name in recordings.names():
        recording = recordings.load(name)
        snapshot = recording.snapshot()
        found.append((name, recording.info, snapshot, recordings.first_poll(recording)))
    table = [
        "| recording | firmware | generation | sign-in | " + " | ".join(_short(m.name) for m in _shown()) + " |",
        "|---" * (4 + len(_shown())) + "|",
    ]
    for name, info, snapshot, result in found:
        counts = [sum(1 for p in result.readings if p.measurement == m.name) for m in _shown()]
        cells = [f"[{name}](#{_anchor(name)})", info.firmware, generation(info, snapshot), auth_kind(info)]
        table.append("| " + " | ".join([*cells, *(str(count or "–") for count in counts)]) + " |")
    sections = [_section(name, info, snapshot, result) for name, info, snapshot, result in found]
    return "\n".join(
        [
            _HEAD,
            _PRODUCTS.read_text(encoding="utf-8").rstrip("\n"),
            "",
            _RECORDED,
            "The table shows the number of points of each measurement in the first poll:",
            "",
            *table,
            "",
            *sections,
        ]
    )


def _shown() -> list[Measurement]:
    """The measurements that a gateway gives at a poll; the others are the recorder's own."""
    return [m for m in MEASUREMENTS if m.name not in _OWN and m.role != "daily"]


def _short(name: str) -> str:
    return name.removeprefix("envoy_").replace("_", " ")


def _anchor(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum() or c in "-_")


def _section(name: str, info: GatewayInfo, snapshot: Snapshot, result: TickResult) -> str:
    text = [f"## {name}", "", f"{generation(info, snapshot)}, firmware {info.firmware}, {info.part_number}.", ""]
    text += ["| measurement | points | fields |", "|---|---|---|"]
    for m in _shown():
        points = [p for p in result.readings if p.measurement == m.name]
        if points:
            given = {field for p in points for field in p.fields}
            text.append(f"| `{m.name}` | {len(points)} | {', '.join(f.name for f in m.fields if f.name in given)} |")
    book = list_sources(result.state.readings.sources)
    if book:
        text += ["", "| value | chosen source |", "|---|---|"]
        text += [f"| `{at}` | *{source}* |" for at, source in sorted(book.items())]
    missing: dict[str, list[str]] = {}
    for m in _shown():
        points = [p for p in result.readings if p.measurement == m.name]
        if not points:
            why = _absent(explain(snapshot, result.readings, m, m.fields[0])[0])
            missing.setdefault(why, []).append(f"`{m.name}`")
        elif not m.tags:
            for f in m.fields:
                if f.name not in points[0].fields:
                    why = _absent(explain(snapshot, points, m, f)[0])
                    missing.setdefault(why, []).append(f"`{m.name}.{f.name}`")
    text += ["", "| absent fields and measurements | reason |", "|---|---|"]
    text += [f"| {', '.join(names)} | {why} |" for why, names in missing.items()]
    return "\n".join([*text, ""])


def _absent(one: Explained) -> str:
    """Why a value is not there."""
    if one.candidates:
        return _why(one.candidates)
    lacking: dict[str, list[str]] = {}
    for counter, candidates in one.counters:
        if not _used(candidates):
            lacking.setdefault(_why(candidates), []).append(f"`{counter.name}`")
    if part := _find_missing_part(one):
        return f"computed from `{part}`, which is absent"
    if not lacking:
        return f"no value at the first poll; computed as: {field_texts.mark_names(one.field.made_of)}"
    return "; ".join(f"{_name_counters(names)}: {why}" for why, names in lacking.items())


def _find_missing_part(one: Explained) -> str:
    """The first field that a field is computed from and that the point lacks; empty for sums of counters."""
    names, given = {f.name for f in one.measurement.fields}, one.reading.fields if one.reading else {}
    words = [] if one.counters else re.findall(r"\w+", one.field.made_of)
    return next((word for word in words if word in names and word not in given), "")


def _name_counters(names: list[str]) -> str:
    *most, last = names
    return f"counters {', '.join(most)} and {last}" if most else f"counter {last}"


def _used(candidates: tuple[Candidate, ...]) -> bool:
    return any(c.state == "used" for c in candidates)


def _why(candidates: tuple[Candidate, ...]) -> str:
    first = next((c for c in candidates if c.state not in ("absent", "not listed", "not needed")), None)
    if first is None:
        return "no source on this gateway"
    said = {
        "unknown": "is unknown at this poll",
        "no value": "gives no plausible value",
        "rejected": "may not be written now",
    }
    return f"the source *{first.key.rowset.name}* {said.get(first.state, 'lists nothing to write')}"


def main() -> None:
    """Write what can be made on this machine."""
    (DOCS / "fields.md").write_text(field_texts.markdown(), encoding="utf-8")
    if recordings.names():
        (DOCS / "supported-gateways.md").write_text(supported_gateways(), encoding="utf-8")


if __name__ == "__main__":
    main()
