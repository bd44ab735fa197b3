"""What a document means is seen in the document: neither readings, energy nor panels look at a firmware version."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "logger"
MODULES = sorted(file for room in ("readings", "energy", "panels") for file in (PACKAGE / room).rglob("*.py"))
WRITTEN_OUT = {"readings/values.py": {"firmware", "part_number"}}
"""What is read of `/info` all the same: it is written as it stands, into `envoy_gateway`."""
CHANGED = {
    "readings/source_selection.py": {"firmware"},
    "readings/equipment.py": {"firmware"},
}
"""Where one firmware is told from the next, whatever they are: after an update values look for sources anew."""
MISSED = {"readings/expected.py": {"has_meter"}}
"""What decides only which absent values are named, never what is written."""
HARMLESS = {"serial", "clock_skew_s"}
ABOUT_VERSIONS = {"version", "firmware", "needs_token", "FIRST_API", "FIRST_TOKEN"}


def looks(source: str) -> set[str]:
    """Everything that tells of a firmware, a generation or a kind of gateway beforehand."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in ABOUT_VERSIONS:
            found.add(node.id)
        if isinstance(node, ast.Attribute):
            of_gateway = isinstance(node.value, ast.Attribute) and node.value.attr == "gateway"
            if node.attr in ABOUT_VERSIONS or (of_gateway and node.attr not in HARMLESS):
                found.add(node.attr)
    return found


def place(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def test_no_module_of_the_rooms_looks_at_a_version() -> None:
    found = {place(file): looks(file.read_text(encoding="utf-8")) for file in MODULES}
    assert len(found) > 80
    assert {file: names for file, names in found.items() if names} == {**WRITTEN_OUT, **CHANGED, **MISSED}


@pytest.mark.parametrize("file", CHANGED)
def test_of_a_firmware_it_is_asked_alone_whether_it_is_another_one(file: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and "firmware" in ast.unparse(node):
            assert all(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops)
            assert not any(isinstance(part, ast.Constant) for part in ast.walk(node)), ast.unparse(node)


def test_what_is_written_out_is_not_compared() -> None:
    for file, names in WRITTEN_OUT.items():
        for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Compare, ast.Call)):
                inside = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
                assert not names & inside


def test_a_look_would_be_seen() -> None:
    assert looks("if view.snapshot.gateway.version >= (8, 3): pass") == {"version"}
    assert looks("x = info.firmware.startswith('D8')") == {"firmware"}
    assert looks("x = snapshot.gateway.has_meter") == {"has_meter"}
    assert not looks("fields['firmware'] = r.has_meter(view, 'storage')")
