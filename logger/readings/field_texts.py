"""Format the table of fields for `docs/fields.md` and the command `fields`, as text and as JSON. Pure."""

from __future__ import annotations

import re
from typing import Final

from logger.model import Json
from logger.readings.schema import Field, Measurement
from logger.readings.table import COUNTERS, MEASUREMENTS

_BUCKETS: Final = {
    "totals": "INFLUXDB_BUCKET",
    "devices": "INFLUXDB_BUCKET_DEVICES",
    "daily": "INFLUXDB_BUCKET_DAILY",
}
_TIMES: Final = {
    "tick": "the tick",
    "report": "the inverter's own report",
    "event": "the second of the event",
    **{span: f"the first second of the {span}" for span in ("hour", "day", "month", "year")},
}
_UNITS: Final = {
    "w": "W",
    "wh": "Wh",
    "var": "var",
    "varh": "varh",
    "va": "VA",
    "vah": "VAh",
    "v": "V",
    "a": "A",
    "hz": "Hz",
    "c": "°C",
    "percent": "%",
    "s": "s",
    "bytes": "bytes",
}
_NAME: Final = re.compile(r"(?<![\w/`.])[A-Za-z]\w*_\w+(?:\.\w+)*(?![\w`/])")
"""A name with an underscore that is neither a part of a path nor in backticks."""
_HEAD: Final = """\
# Every field

This page lists every field. The page is made from the table in `logger/readings/table.py`; `envoy-logger fields` \
prints the same table. If a field has several sources, the recorder tries them in the given order. A later source is \
used only if the gateway surely lacks all earlier sources. A line that begins with `from:` states from what \
the value is computed if no source gives the value. If a value is missing or implausible, the field is left out.

Points of one gateway have the tag `gateway` (the gateway's serial number), and the tag `site` if you name the site. \
Points of a site of several gateways (`envoy_site`, `envoy_site_day`) have only the tag `site`. Points of \
`envoy_inverter` and `envoy_inverter_status` also have the tags of the layout file (`LOGGER_LAYOUT_FILE`): `panel`, \
`panel_group`, `panel_row`, `panel_column`, and any further tag of the layout file. If you rename a panel in the \
layout file, these points begin a new series. The tag `serial` always identifies the inverter.
"""


def unit_of(field: Field) -> str:
    """Return the usual symbol of a field's unit; empty for counts, flags and texts."""
    return _UNITS.get(field.unit, "")


def sources_of(field: Field) -> list[str]:
    """List the sources of a field, the best source first, each with document, rows and key.

    For a field that can be computed, the last entry states how the field is computed.
    """
    found = [f"{key.rowset.where}: {key.name}" for key in field.keys]
    return [*found, f"from: {field.made_of}"] if field.made_of else found


def find(name: str) -> list[tuple[Measurement, Field]]:
    """Find fields by a measurement's name, by `measurement.field`, or by a field's name in all measurements.

    If nothing has this name, find the fields whose `measurement.field` contains this name.
    """
    measurement, _, wanted = name.partition(".")
    every = [(m, f) for m in MEASUREMENTS for f in m.fields]
    found = [(m, f) for m, f in every if m.name == measurement and wanted in ("", f.name)]
    found = found or [(m, f) for m, f in every if f.name == name]
    return found or [(m, f) for m, f in every if name.lower() in f"{m.name}.{f.name}"]


def names() -> list[str]:
    """Return every name that `find` accepts."""
    own = dict.fromkeys(f.name for m in MEASUREMENTS for f in m.fields)
    return [name for m in MEASUREMENTS for name in (m.name, *(f"{m.name}.{f.name}" for f in m.fields))] + [*own]


def lines(found: list[tuple[Measurement, Field]], *, sources: bool) -> list[str]:
    """Format fields as lines of text below their measurements, with their sources if `sources` is true."""
    text: list[str] = []
    width = max((len(f.name) for _, f in found), default=0)
    before = ""
    for m, f in found:
        if m.name != before:
            text += ["", f"{m.name}  {m.help}", f"  {_frame(m)}"]
            before = m.name
        text.append(f"  {f.name:<{width}}  {f.kind:<6}  {unit_of(f):<5}  {f.help}")
        text += [f"      {source}" for source in sources_of(f)] if sources else []
    return text[1:]


def as_json(found: list[tuple[Measurement, Field]]) -> list[Json]:
    """Return fields as JSON: measurement, name, type, unit, help, tags, setting of the bucket, sources in order."""
    return [
        {
            "measurement": m.name,
            "field": f.name,
            "type": f.kind,
            "unit": unit_of(f),
            "help": f.help,
            "tags": [*(["gateway"] if m.has_gateway else []), "site", *m.tags],
            "bucket": _BUCKETS[m.role],
            "time": m.time,
            "sources": list(sources_of(f)),
        }
        for m, f in found
    ]


def markdown() -> str:
    """Return the text of `docs/fields.md`."""
    parts = [_HEAD]
    for m in MEASUREMENTS:
        rows = [
            f"| `{f.name}` | {f.kind} | {unit_of(f)} | {_cell(f.help)} | {'<br>'.join(map(_cell, sources_of(f)))} |"
            for f in m.fields
        ]
        head = ["| field | type | unit | meaning | sources, in order |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"## `{m.name}`", "", m.help, "", _frame(m) + ".", "", *head, *rows, ""]))
    counters = [f"| {f.name} | {_cell(f.help)} | {'<br>'.join(map(_cell, sources_of(f)))} |" for f in COUNTERS]
    parts.append(
        "\n".join(
            [
                "## Counters",
                "",
                "The lifetime energies are computed only from validated values of the counters in this table. "
                "There is one exception: the lifetime energy on the web page of the oldest gateways is written "
                "unchanged.",
                "",
                "| counter | meaning | sources, in order |",
                "|---|---|---|",
                *counters,
                "",
            ]
        )
    )
    return "\n".join(parts)


def _frame(m: Measurement) -> str:
    tags = ", ".join(m.tags) if m.tags else "only gateway and site" if m.has_gateway else "only site"
    return f"Tags: {tags}. Time: {_TIMES[m.time]}. Bucket: {_BUCKETS[m.role]}"


def mark_names(text: str) -> str:
    """Put each name with an underscore, such as `power_w` or `envoy_grid.grid_state`, into backticks."""
    return _NAME.sub(r"`\g<0>`", text)


def _cell(text: str) -> str:
    return mark_names(text).replace("|", "\\|")
