"""What the imports of a recorder keep in memory, part by part: `python -m tests.benchmarks.imports`.

The parts are imported one after the other. A module that two parts need counts for the first one.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PARTS: Final[Mapping[str, Sequence[str]]] = {
    "Python": (),
    "asyncio and ssl": ("asyncio", "ssl"),
    "sqlite3": ("sqlite3",),
    "logging, email, http, zoneinfo and others of Python": (
        "logging.handlers", "email.message", "http.cookiejar", "urllib.request", "gzip", "zoneinfo",
        "xml.etree.ElementTree",
    ),
    "httpx, h11, tenacity, pyjwt": ("logger.lean_httpx", "h11", "tenacity", "logger.gateway.tokens"),
    "pydantic and its core": ("pydantic_core", "pydantic.main", "pydantic.type_adapter", "pydantic.fields"),
    "pydantic-settings": ("pydantic_settings",),
    "click": ("click",),
    "the recorder": ("logger.commands.run", "logger.daemon.app"),
}  # fmt: skip


def measure() -> dict[str, float]:
    """Import the parts in a fresh Python → MB that each one added to what is in memory."""
    command = [sys.executable, "-m", "tests.benchmarks.imports"]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return found


def _read_resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1024 / 1024


if __name__ == "__main__":
    before, added = 0.0, {}
    for part, modules in PARTS.items():
        for module in modules:
            importlib.import_module(module)
        now = _read_resident_mb()
        added[part], before = now - before, now
    print(json.dumps(added))
