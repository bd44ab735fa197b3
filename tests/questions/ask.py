"""Ask a real database a question in Flux or InfluxQL, and bring both answers into one form."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from logger.model import Role
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.influx3 import Influx3
from tests.databases.server import Server, http
from tests.questions.question import Cell, Past, Question

GATEWAY, ZONE = "122500000001", "Australia/Sydney"
"""The example's gateway and zone in every text."""
BUCKETS: Mapping[Role, str] = {"totals": "envoy", "devices": "envoy_devices", "daily": "envoy_daily"}


def render(text: str, site: Past, buckets: Mapping[Role, str]) -> str:
    """Put a site, its buckets and its present into the text of a query."""
    local = site.local(site.now)
    now = f"{datetime.fromtimestamp(site.now, UTC):%Y-%m-%dT%H:%M:%SZ}"
    text = text.replace(GATEWAY, site.kind.gateway).replace(ZONE, site.kind.zone)
    text = text.replace("/^2025-/", f"/^{local.year - 1}-/").replace("/^2026-/", f"/^{local.year}-/")
    text = text.replace("-11-(0.|1.|2[0-8])$", f"-{local.month:02}-({_match_days_to(local.day)})$")
    text = text.replace("time(365d)", "time(365d, 180d)") if local.month == 12 else text
    text = text.replace("elapsed > 5", f"elapsed > {max(5, site.step_s // 60)}")
    for role, name in BUCKETS.items():
        text = text.replace(f'bucket: "{name}"', f'bucket: "{buckets[role]}"')
    if "|>" not in text:
        return text.replace("now()", f"'{now}'")
    imports = re.match(r'(import "[^"]+"\n)*', text)
    assert imports is not None
    return f"{imports[0]}option now = () => {now}\n{text[imports.end() :]}"


def _match_days_to(day: int) -> str:
    """The expression for the days of a month up to one of them, as the page writes it."""
    return "|".join([*(f"{tens}." for tens in range(day // 10)), f"{day // 10}[0-{day % 10}]"])


def ask_flux(server: Influx2, text: str) -> list[dict[str, Any]]:
    """The rows of a Flux query; `time` in unix seconds."""
    answer = http(
        "POST",
        f"{server.url}/api/v2/query?org={server.org}",
        headers={"Authorization": f"Token {server.admin_token}", "Accept": "application/csv"},
        json={"query": text, "type": "flux", "dialect": {"annotations": ["datatype"], "header": True}},
    )
    assert answer.status_code == 200, f"{answer.text}\n{text}"
    assert ",error," not in answer.text.partition("\n")[0], f"{answer.text}\n{text}"
    return list(_read_tables(answer.text))


def _read_tables(text: str) -> Iterator[dict[str, Any]]:
    kinds: list[str] = []
    names: list[str] | None = None
    for cells in csv.reader(io.StringIO(text.replace("\r\n", "\n"))):
        if not cells:
            continue
        if cells[0] == "#datatype":
            kinds, names = cells, None
        elif names is None:
            names = cells
        else:
            row = {
                name: _convert(cell, kind)
                for name, cell, kind in zip(names, cells, kinds, strict=True)
                if name not in ("", "result", "table", "_start", "_stop")
            }
            yield {"time" if name == "_time" else name: value for name, value in row.items()}


def _convert(cell: str, kind: str) -> object:
    if cell == "":
        return None
    if kind in ("double", "long"):
        return float(cell)
    if kind.startswith("dateTime"):
        return datetime.fromisoformat(cell.replace("Z", "+00:00")).timestamp()
    return cell


def ask_influxql(server: Server, buckets: Mapping[Role, str], role: Role, text: str) -> list[dict[str, Any]]:
    """The rows of an InfluxQL query; `statement` is the place of its statement."""
    headers = {"Authorization": f"Token {server.admin_token}"} if isinstance(server, Influx2) else {}
    assert isinstance(server, Influx1 | Influx2 | Influx3)
    rows = []
    results: list[Any] = []
    for part in text.split(";") if isinstance(server, Influx3) else [text]:  # which answers one statement at a time
        answer = http(
            "GET", f"{server.url}/query", params={"db": buckets[role], "q": part, "epoch": "s"}, headers=headers
        )
        assert answer.status_code == 200, f"{answer.text}\n{text}"
        results += answer.json()["results"]
    for place, result in enumerate(results):
        assert "error" not in result, f"{result}\n{text}"
        for series in result.get("series", ()):
            for cells in series["values"]:
                row = dict(zip(series["columns"], cells, strict=True))
                rows.append({"statement": str(place), **series.get("tags", {}), **row})
    return rows


def arrange(
    question: Question, site: Past, rows: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, ...], tuple[Cell, ...]]:
    """Bring rows into the form of what is wanted: key → values."""
    found: dict[tuple[str, ...], tuple[Cell, ...]] = {}
    for row in rows:
        named = dict(row)
        if "_value" in named:
            named[question.values[0]] = named["_value"]
        if "time" in named:
            local = site.local(named["time"])
            if "local_date" in named:
                local = datetime.fromisoformat(named["local_date"]).replace(tzinfo=site.zone)
            named |= {"day": local.date().isoformat(), "month": f"{local:%Y-%m}", "year": f"{local:%Y}"} | named
            named |= {"local_date": named["day"], "local_month": named["month"], "local_year": named["year"]} | named
            named["minute"] = site.minute(named["time"])
        values = tuple(named.get(name) for name in question.values)
        if all(value is None for value in values):
            continue
        key = tuple(str(named[name]) for name in question.keys)
        assert key not in found, f"two rows of {key}"
        found[key] = values
    return found
