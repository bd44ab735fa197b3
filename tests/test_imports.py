"""Data flows one way, and so do the imports: readings → energy → panels → store → influx → daemon → commands."""

from __future__ import annotations

import ast
import gc
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "logger"

GROUND = {
    "errors",
    "lean_imports",
    "lean_httpx",
    "model",
    "site",
    "clock",
    "days",
    "places",
    "files",
    "proxies",
    "digest",
    "toml_lines",
    "toml_mistakes",
    "logger",
}
DOORS = {"settings", "log", "wire", "answer", "retry"}
TALK = DOORS - {"settings"}
BELOW_DAEMON = ("gateway", "readings", "tariff", "energy", "panels", "store", "influx", "control")
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys((*GROUND, *DOORS), GROUND),
    "wire": GROUND | {"transport", "answer", "wire_failures"},
    "wire_failures": GROUND,
    "transport": GROUND | {"http_connection"},
    "http_connection": GROUND,
    "settings": GROUND | {"settings"},
    "gateway": GROUND | TALK | {"gateway"},
    "tariff": GROUND | {"tariff"},
    "energy": GROUND | {"tariff", "energy"},
    "panels": GROUND | {"energy", "panels"},
    "readings": GROUND | {"energy", "readings"},
    "store": GROUND | {"log", "store"},
    "influx": GROUND | TALK | {"influx"},
    "provision": GROUND | TALK | {"influx", "provision"},
    "control": GROUND | {"log", "settings", "store", "influx", "control"},
    "daemon": GROUND | DOORS | {*BELOW_DAEMON, "daemon"},
    "capture": GROUND | TALK | {"gateway", "readings", "store", "capture"},
    "backfill": GROUND | TALK | {"tariff", "energy", "panels", "readings", "control", "influx", "daemon", "backfill"},
    "backup": GROUND | DOORS | {"tariff", "store", "backup"},
    "doctor": GROUND | DOORS | {"gateway", "readings", "influx", "provision", "store", "daemon", "mqtt", "doctor"},
    "query": GROUND | TALK | {"energy", "influx", "control", "daemon", "backfill", "query"},
    "web": GROUND | DOORS | {*BELOW_DAEMON, "daemon", "backfill", "query", "web"},
    "mqtt": GROUND | DOORS | {"readings", "daemon", "mqtt"},
    "outlets": GROUND | DOORS | {"daemon", "web", "mqtt"},
    "simulator": {"errors", "clock", "log", "simulator", "logger"},
    "commands": GROUND
    | DOORS
    | {
        *BELOW_DAEMON,
        "daemon",
        "provision",
        "capture",
        "backfill",
        "backup",
        "query",
        "doctor",
        "simulator",
        "web",
        "mqtt",
        "outlets",
        "commands",
        "__main__",
    },
    "cli": GROUND | DOORS | {"commands"},
    "__main__": {"places", "cli"},
}
ONLY_IN: dict[str, tuple[str, ...]] = {
    "httpx": ("logger/lean_httpx.py",),
    "tenacity": ("logger/retry.py",),
    "influxdb_client": ("logger/influx/v2_client.py", "logger/provision/setup_v2.py"),
    "sqlite3": ("logger/store/",),
    "h11": ("logger/http_connection.py", "logger/simulator/", "logger/web/listener.py"),
    "starlette": ("logger/web/",),
    "prometheus_client": ("logger/web/metrics.py",),
    "paho": ("logger/mqtt/broker_link.py",),
    "uvicorn": ("logger/web/listener.py",),
    "click": ("logger/commands/", "logger/cli.py"),
    "rich": ("logger/commands/",),
    "zeroconf": ("logger/gateway/discovery.py",),
    "pydantic_settings": ("logger/settings/",),
}
"""Foreign library → the files, or folders with a slash, that may import it."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def nodes(path: Path) -> list[ast.Import | ast.ImportFrom | ast.ClassDef | ast.Attribute]:
    """What the tests look at; the search for garbage would take as long as the parsing, and there is none."""
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.Attribute)
    gc.disable()
    try:
        return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)]
    finally:
        gc.enable()


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "logger" if parts == ("__init__",) else parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    found = set()
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "logger":
            is_module = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
            found.add(parts[1] if is_module else "logger")
    return found


def test_every_module_imports_only_rooms_before_it() -> None:
    wrong = {str(path.relative_to(ROOT)): rooms_imported(path) - ALLOWED[room_of(path)] for path in modules()}
    assert len(wrong) > 300
    assert {where: sorted(rooms) for where, rooms in wrong.items() if rooms} == {}


def test_the_readings_know_only_the_values_of_energy() -> None:
    known = {
        ".".join(name.split(".")[:3])
        for path in modules()
        if room_of(path) == "readings"
        for name in imports(path)
        if name.startswith("logger.energy.")
    }
    assert known == {"logger.energy.state", "logger.energy.surroundings"}


def test_every_foreign_library_has_one_door() -> None:
    for path in modules():
        where = str(path.relative_to(ROOT))
        for name in {name.split(".")[0] for name in imports(path)} & ONLY_IN.keys():
            assert where.startswith(ONLY_IN[name]), f"{where} imports {name}, which only {ONLY_IN[name]} may"


def test_no_two_files_and_no_two_classes_have_one_name() -> None:
    files = Counter(path.name for path in modules() if not path.name.startswith("__"))
    classes = Counter(node.name for path in modules() for node in nodes(path) if isinstance(node, ast.ClassDef))
    assert [name for name, count in (files + classes).items() if count > 1] == []


def test_only_the_settings_and_the_health_check_read_the_environment() -> None:
    readers = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
    }
    assert readers == {"settings/environment.py", "__main__.py"}


def test_the_daemon_never_searches_and_loads_nothing_that_could() -> None:
    import subprocess
    import sys

    code = "import sys, logger.commands.run, logger.commands.once; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    absent = {
        "zeroconf",
        "logger.gateway.discovery",
        "influxdb_client",
        "starlette",
        "uvicorn",
        "paho",
        "prometheus_client",
        "logger.query",
    }
    assert not absent & set(run.stdout.split())
    searchers = {
        str(path.relative_to(PACKAGE)) for path in modules() if "logger.gateway.discovery.search" in imports(path)
    }
    assert searchers == {"commands/discover.py", "commands/init/find_gateway.py"}


def test_health_is_answered_without_a_heavy_import() -> None:
    import subprocess
    import sys

    code = "import sys, logger.__main__ as m; m.health(); print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"httpx", "pydantic", "click", "sqlite3", "asyncio", "tenacity", "influxdb_client"}
    assert not heavy & set(run.stdout.split())
