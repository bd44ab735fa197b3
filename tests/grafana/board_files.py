"""The boards as Grafana gets them: their files, their panels and their queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from grafana.boards import BOARDS
from grafana.build import DIALECTS, FOLDER
from grafana.query.asked import Dialect
from grafana.texts import languages

ROOT: Final = Path(__file__).parents[2]
DATABASES: Final = {
    "${datasource}": "envoy",
    "${datasource_devices}": "envoy_devices",
    "${datasource_daily}": "envoy_daily",
}
"""The database that the data source of each variable has, under its usual name."""


@dataclass(frozen=True)
class Asked:
    """One query as it stands in a file: of a panel, a variable or an annotation. `source`: its data source."""

    board: str
    where: str
    text: str
    source: str
    form: str = ""

    @property
    def name(self) -> str:
        """What a test calls it."""
        return f"{self.board}: {self.where}"


@cache
def read_board(uid: str, dialect: Dialect = "flux", language: str = "en") -> dict[str, Any]:
    """One board's file."""
    loaded: dict[str, Any] = json.loads((FOLDER / dialect / language / f"{uid}.json").read_text("utf-8"))
    return loaded


def every_file() -> Iterator[tuple[Dialect, str, str]]:
    """Query language, language and uid of every file that should be."""
    return ((dialect, language, board.uid) for dialect in DIALECTS for language in languages() for board in BOARDS)


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels, without headings; those under closed headings too."""
    return (panel for item in board["panels"] for panel in [item, *item.get("panels", [])] if panel["type"] != "row")


def queries_of(uid: str, dialect: Dialect) -> Iterator[Asked]:
    """Every query of a board."""
    board = read_board(uid, dialect)
    for panel in panels_of(board):
        for target in panel.get("targets", []):
            where = f"{panel['title'] or 'now'} #{panel['id']} {target['refId']}"
            yield Asked(uid, where, target["query"], target["datasource"]["uid"], target.get("resultFormat", ""))
    for item in board["templating"]["list"]:
        if item["type"] == "query":
            yield Asked(uid, f"variable {item['name']}", item["query"], item["datasource"]["uid"])
    for item in board["annotations"]["list"]:
        yield Asked(uid, f"marks {item['name']}", item["query"], item["datasource"]["uid"])


def every_query(dialect: Dialect) -> list[Asked]:
    """Every query of every board."""
    return [query for board in BOARDS for query in queries_of(board.uid, dialect)]


def fill_in(text: str, **values: str) -> str:
    """Put values in the place of variables, as Grafana does; Grafana's own have the values of a day's view."""
    known = {
        "bucket": "envoy",
        "bucket_devices": "envoy_devices",
        "bucket_daily": "envoy_daily",
        "gateway": "122500000001",
        "site": "house",
        "group": ".*",
        "inverter": "122501000000",
        "own_group": "east",
        "label": "panel",
        "gap": "5m",
        "low_v": "207",
        "high_v": "253",
        "__from": "1764500000000",
        "__to": "1764586400000",
        **values,
    }
    text = re.sub(r"\$\{(\w+)(?::\w+)?\}", lambda found: known[found[1]], text)
    for name, value in {
        "v.timeRangeStart": "-24h",
        "v.timeRangeStop": "now()",
        "v.windowPeriod": "5m",
        "$timeFilter": "time > now() - 24h AND time <= now()",
        "$__interval": "5m",
    }.items():
        text = text.replace(name, value)
    return text
