"""The generated document of the API: `python -m tests.web.documents` writes it anew, a test compares."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Final

from logger.model import Json
from logger.web.routes import ROUTES, Route
from tests.web.stage import HERE, Stage, stage

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "api.md"
_MOST_ITEMS: Final = 2
_STATUS: Final = ("version", "health", "gateway", "polls", "outlets", "troubles")
"""What is shown of the status, whose other parts differ from machine to machine."""
_HEAD: Final = Path(__file__).with_name("api_head.md")
_RULES: Final = Path(__file__).with_name("api_rules.md")


def write_document() -> str:
    """The text of `docs/api.md`."""
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as made:
        examples = asyncio.run(_ask_all(made))
    rows = [f"| [`{route.path}`](#{_anchor(route)}) | {route.title} |" for route in ROUTES]
    sections = [_write_section(route, examples[route.path]) for route in ROUTES]
    head, rules = (file.read_text(encoding="utf-8") for file in (_HEAD, _RULES))
    return "\n".join([head + "\n".join(rows), "", rules, *sections])


def example_path(route: Route) -> str:
    """The question of a route's example."""
    return f"{route.path}?{route.example}" if route.example else route.path


async def record_example(made: Stage) -> None:
    """Record some minutes of two days."""
    for minute in (0, 1, 1440, 1441, 1455, 1470):
        await made.tick(minute)


async def _ask_all(made: Stage) -> dict[str, Json]:
    await record_example(made)
    return {route.path: shorten(route, await made.get(example_path(route))) for route in ROUTES}


def shorten(route: Route, found: Json) -> Json:
    """An answer as the document shows it: lists by their first entries."""
    if route.path.endswith("/status") and isinstance(found, dict):
        found = {name: found[name] for name in _STATUS}
    return _cut(found)


def _cut(found: Json) -> Json:
    if isinstance(found, dict):
        return {name: _cut(value) for name, value in found.items()}
    if isinstance(found, list):
        return [*(_cut(value) for value in found[:_MOST_ITEMS]), *(["…"] if len(found) > _MOST_ITEMS else [])]
    return found


def _anchor(route: Route) -> str:
    return "".join(letter for letter in route.path if letter.isalnum())


def _write_section(route: Route, example: Json) -> str:
    lines = [f"## {route.path}", "", route.title, ""]
    if route.parameters:
        lines += ["| parameter | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {meaning} |" for name, meaning in route.parameters] + [""]
    lines += ["```sh", f"curl '{HERE}{example_path(route)}'", "```", ""]
    text = json.dumps(example, indent=1, ensure_ascii=False)
    return "\n".join([*lines, "```json", text, "```", ""])


if __name__ == "__main__":
    DOCUMENT.write_text(write_document(), encoding="utf-8")
