"""Ask a real Grafana what a panel asks, with the board's variables put in as Grafana's page does it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.databases.influx3 import Influx3
from tests.grafana.grafana_server import Grafana

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
EVERY: Final = ".*"
"""What stands for all values of a variable; Grafana puts it in as it is."""
_WIDTH: Final = 1900
"""The points that a panel across a large screen has room for."""
Column: TypeAlias = tuple[str, Mapping[str, str], list[Any]]
"""Name, labels and values of one column of an answer."""


@dataclass(frozen=True)
class Asked:
    """The time that the board shows, in seconds, and the seconds that one point stands for."""

    begin: int
    end: int
    every_s: int


@dataclass(frozen=True)
class PanelFile:
    """One panel as its file has it; `targets` in order."""

    board: str
    id: int
    title: str
    kind: str
    targets: list[dict[str, Any]]


def read_panels(file: Path) -> Iterator[PanelFile]:
    """Give each panel of a board's file, those of collapsed rows too."""
    board = json.loads(file.read_text(encoding="utf-8"))
    for item in board["panels"]:
        for panel in [item, *item.get("panels", [])]:
            if panel["type"] != "row":
                yield PanelFile(
                    board["uid"], panel["id"], panel.get("title", ""), panel["type"], panel.get("targets", [])
                )


def put_in(text: str, variables: Mapping[str, str | list[str]]) -> str:
    """Replace the board's variables; those that are unknown here (`$timeFilter`, `$__interval`) are the server's."""

    def one(match: re.Match[str]) -> str:
        name, form = match.groups()
        if name.startswith("__") and name not in variables:
            return match[0]
        value = variables[name]
        values = [value] if isinstance(value, str) else value
        if form == "regex" and values != [EVERY]:
            escaped = [re.sub(r"[/.*+?^${}()|\[\]\\-]", lambda found: f"\\{found[0]}", each) for each in values]
            return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
        assert len(values) == 1, f"{name} has several values and no form"
        return values[0]

    return _VARIABLE.sub(one, text)


def ask_panel(
    grafana: Grafana, panel: PanelFile, variables: Mapping[str, str | list[str]], asked: Asked
) -> tuple[dict[str, list[list[Column]]], float]:
    """Return the frames of each target by its letter, and the seconds that the answer took."""
    shown = {"__from": str(asked.begin * 1000), "__to": str(asked.end * 1000)}
    variables = {**variables, **shown}
    queries = []
    for target in panel.targets:
        put = {name: put_in(value, variables) if isinstance(value, str) else value for name, value in target.items()}
        put["datasource"] = target["datasource"] | {"uid": put_in(target["datasource"]["uid"], variables)}
        if put.get("resultFormat") == "table":
            put["alias"] = "$col"
        queries.append(put | {"intervalMs": asked.every_s * 1000, "maxDataPoints": _WIDTH})
    found: dict[str, list[list[Column]]] = {}
    took_s = 0.0
    for part in [[query] for query in queries] if isinstance(grafana.database, Influx3) else [queries]:
        body: Any = {"queries": part, "from": str(asked.begin * 1000), "to": str(asked.end * 1000)}
        answer = grafana.ask("POST", "/api/ds/query", body)
        assert answer.status_code == 200, (
            f"{panel.board} {panel.title}: {_errors(answer.json())}\n{json.dumps(part)[:1500]}"
        )
        for letter, result in answer.json()["results"].items():
            found[letter] = [list(_columns(frame)) for frame in result.get("frames", [])]
        took_s += answer.elapsed.total_seconds()
    return found, took_s


def _errors(answer: dict[str, Any]) -> str:
    found = {letter: result["error"] for letter, result in answer.get("results", {}).items() if "error" in result}
    return str(found or answer)[:1500]


def _columns(frame: dict[str, Any]) -> Iterator[Column]:
    schema = frame["schema"]
    for field, values in zip(schema["fields"], frame["data"]["values"], strict=True):
        shown = field.get("config", {}).get("displayNameFromDS")
        yield shown or field["name"], field.get("labels") or {}, values
