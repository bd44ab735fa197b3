"""Read the user's panel layout file, which maps inverters to panels, and turn it into tags on points. Pure.

A CSV file has a header line and then one line per inverter. A TOML file has one table per inverter. Either the table
is an `[[inverter]]` with the key `serial`, or the serial number itself is the name of the table.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from logger.model import Snapshot
from logger.readings.json_values import serial_of
from logger.readings.rows import View, first_of
from logger.readings.selectors.device_data import device_data_inverters
from logger.readings.selectors.inventory import inventory_inverters
from logger.readings.selectors.inverters import living_inverters
from logger.readings.table import MEASUREMENTS
from logger.toml_mistakes import TomlMistakeError, read_toml

Form = Literal["csv", "toml"]
COLUMNS: Final = {"panel": "panel", "group": "panel_group", "row": "panel_row", "column": "panel_column"}
"""Column of the file → tag. Any further column becomes a tag of the same name."""
_SAME_AS: Final = {tag: column for column, tag in COLUMNS.items()}
_LONGEST: Final = 200
_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Layout:
    """Each inverter's tags by serial number. `columns`: the file's column names in file order."""

    columns: tuple[str, ...] = ()
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NONE: Final = Layout()


def parse(data: bytes, form: Form) -> tuple[Layout, tuple[str, ...]]:
    """Parse a layout file. Return the layout, and all problems of the file.

    If the file has a problem, the layout is empty.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return NONE, ("is not UTF-8 text: save it as CSV UTF-8",)
    problems: list[str] = []
    columns, lines = (_csv_lines if form == "csv" else _toml_lines)(text, problems)
    tag_of = _tags_of(columns, problems)
    tags: dict[str, dict[str, str]] = {}
    for where, line in lines if tag_of else ():
        serial = line.get("serial", "")
        if not serial or serial_of(serial) != serial:
            problems.append(f"{where}: {serial[:40]!r} is not a serial number: enter only its digits, saved as text")
        elif serial in tags:
            problems.append(f"{where}: serial number {serial} occurs twice")
        else:
            tags[serial] = {tag_of[name]: value for name, value in line.items() if name != "serial" and value}
        problems += [
            f"{where}: {name} contains a control character or is longer than {_LONGEST} characters"
            for name, value in line.items()
            if len(value) > _LONGEST or not value.isprintable()
        ]
    if problems:
        return NONE, tuple(problems)
    return Layout(tuple(name for name in columns if name != "serial"), tags), ()


def form_of(name: str) -> Form:
    """Return the format of a file by the ending of its name: TOML for `.toml`, else CSV."""
    return "toml" if name.lower().endswith(".toml") else "csv"


def list_inverter_serials(snapshot: Snapshot) -> frozenset[str] | None:
    """Return the serials of the gateway's inverters; None while the inverters are unknown."""
    rows = first_of(inventory_inverters, device_data_inverters, living_inverters)(View(snapshot, "devices"))
    return frozenset(row.serial for row in rows if row.serial) if rows else None


def differences(layout: Layout, installed: frozenset[str]) -> dict[str, str]:
    """Compare the inverters of layout file and gateway. Return kind of difference → a sentence about it.

    The kind `unknown`: inverters of the file that the gateway does not know. The kind `missing`: inverters that the
    file lacks.
    """
    found = {}
    if unknown := sorted(layout.tags.keys() - installed):
        found["unknown"] = f"the layout file names {_some(unknown)}, which the gateway does not have"
    if missing := sorted(installed - layout.tags.keys()):
        found["missing"] = f"the layout file lacks {_some(missing)}: their points have no panel"
    return found


def template(serials: Iterable[str], layout: Layout = NONE) -> str:
    """Return a CSV file to fill in: one line for each inverter, with the tags that `layout` already contains."""
    columns = {**dict.fromkeys(COLUMNS), **dict.fromkeys(layout.columns)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["serial", *columns])
    for serial in sorted(serials):
        known = layout.tags.get(serial, {})
        writer.writerow([serial, *(known.get(COLUMNS.get(name, name), "") for name in columns)])
    return text.getvalue()


def _some(serials: Sequence[str]) -> str:
    more = f" and {len(serials) - _AT_ONCE} more" if len(serials) > _AT_ONCE else ""
    return f"{', '.join(serials[:_AT_ONCE])}{more}"


def _column(name: str) -> str:
    """Return the standard name of a column of the layout file.

    The five known columns have a second name each, which is the name of the tag. Small and capital letters are equal.
    """
    plain = name.strip()
    lower = plain.lower()
    if lower == "serial" or lower in COLUMNS:
        return lower
    return _SAME_AS.get(lower, plain)


def _tags_of(columns: Sequence[str], problems: list[str]) -> dict[str, str]:
    """Return column → tag for all columns; empty if a column is invalid or the column `serial` is missing.

    Each of these mistakes is added to `problems`.
    """
    taken = {"gateway", "site", *COLUMNS.values()}
    for m in MEASUREMENTS:
        taken |= {*m.tags, *(f.name for f in m.fields)}
    before = len(problems)
    seen: set[str] = set()
    for name in columns:
        if name.lower() in seen:
            problems.append(f"column {name!r} occurs twice")
        elif name != "serial" and name not in COLUMNS:
            if not name or not name.isprintable() or len(name) > _LONGEST or "\\" in name:
                problems.append(f"column {name!r} has a name that a tag cannot have")
            elif name in taken:
                problems.append(f"column {name!r} has the name of a field or tag of the recorder")
            elif name == "time" or name.startswith("_"):
                problems.append(f"column {name!r} has a name that InfluxDB reserves")
        seen.add(name.lower())
    if "serial" not in columns and (columns or not problems):
        problems.append("has no column 'serial'")
    return {} if len(problems) > before else {name: COLUMNS.get(name, name) for name in columns}


_Lines = list[tuple[str, dict[str, str]]]
"""The inverters of a layout file, each with its place in the file, and with column → text."""


def _csv_lines(text: str, problems: list[str]) -> tuple[list[str], _Lines]:
    """Return the names of a CSV file's columns, and one entry for each inverter. Add mistakes to `problems`.

    The separator is the most frequent one in the first line: comma, semicolon or tab.
    """
    first = text.lstrip("\r\n").partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        problems.append(f"is not CSV: {error}")
        return [], []
    numbered = [(number, row) for number, row in enumerate(rows, 1) if any(cell.strip() for cell in row)]
    if not numbered:
        problems.append("is empty")
        return [], []
    columns = [_column(name) for name in numbered[0][1]]
    lines: _Lines = []
    for number, row in numbered[1:]:
        if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
            problems.append(f"row {number}: more values than columns")
        lines.append((f"row {number}", dict(zip(columns, (cell.strip() for cell in row), strict=False))))
    return columns, lines


def _toml_lines(text: str, problems: list[str]) -> tuple[list[str], _Lines]:
    """Return the names of a TOML file's columns, and one entry for each inverter. Add mistakes to `problems`.

    The keys of the inverters' tables are the columns.
    """
    try:
        document = read_toml(text)
    except TomlMistakeError as error:
        problems.append(str(error))
        return [], []
    found: list[tuple[str, object]] = []
    for name, part in document.items():
        if isinstance(part, list):
            found += [(f"{name} {number}", item) for number, item in enumerate(part, 1)]
        else:
            found.append((name, {"serial": name, **part} if isinstance(part, dict) else part))
    columns: dict[str, None] = {}
    lines: _Lines = []
    for where, item in found:
        if not isinstance(item, dict):
            problems.append(f"{where}: is not a table")
            continue
        line: dict[str, str] = {}
        for key, value in item.items():
            name = _column(key)
            if name in line:
                problems.append(f"{where}: {name!r} occurs twice")
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                problems.append(f"{where}: {key!r} is neither text nor a number")
            else:
                line[name] = str(value).strip()
        columns |= dict.fromkeys(line)
        lines.append((where, line))
    if not found:
        problems.append("is empty")
    return list(columns), lines
