"""Measure everything and write `docs/performance.md`: `make bench`, or `python -m tests.benchmarks [PART…]`.

Parts are named as in PARTS. What a part found is kept in `.bench/`, so that one part can be measured again alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import draining, encoding, fleet, imports, performance_page, startup, ticks, watched, wearing
from tests.benchmarks.processes import ROOT
from tests.readings.recordings import CORPUS

KEPT: Final = ROOT / ".bench"
_OTHERS: Final = ("pyenphase==4.2.0", "requests==2.34.2", "influxdb-client==1.50.0")
RECORDINGS: Final = ("8.2.4382_ACB", "8.3.5433_tot_is_net_cons")
_WINDOWS: Final = 4
_WATCHED_ROUNDS: Final = 4
_HOURS: Final = 6.0


def make_others() -> Path:
    """Install the other programs into an environment of their own, once → its Python."""
    folder = KEPT / "others"
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.is_file() or done.read_text(encoding="utf-8") != str(_OTHERS):
        venv.create(folder, clear=True, with_pip=True)
        install = [str(python), "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, *_OTHERS], check=True)
        done.write_text(str(_OTHERS), encoding="utf-8")
    return python


def measure_ticks(home: Path) -> Any:
    python = make_others()
    return [
        {
            "recording": name,
            "still": still,
            **asdict(ticks.compare(_fresh(home), CORPUS / name, python, windows=_WINDOWS, still=still)),
        }
        for name in RECORDINGS
        for still in (True, False)
    ]


def measure_imports(_: Path) -> Any:
    return imports.measure()


def measure_startup(home: Path) -> Any:
    return asdict(startup.measure(home, make_others(), rounds=9))


def measure_encoding(_: Path) -> Any:
    found = []
    for name in RECORDINGS:
        points = encoding.read_points(name)
        ours, theirs = encoding.compare(points, rounds=9, times=200)
        found.append({"recording": name, "points": len(points), "ours_us": ours, "point_us": theirs})
    return found


def measure_draining(home: Path) -> Any:
    return asdict(draining.measure(home, rounds=3))


def measure_wear(home: Path) -> Any:
    return [asdict(wearing.measure(home, inverters, _HOURS)) for inverters in (20, 50, 600)]


def measure_fleet(home: Path) -> Any:
    found = [fleet.measure(_fresh(home), gateways, minutes=5) for gateways in (1, 10, 50, 200, 500)]
    return [asdict(each) for each in (*found, fleet.measure(_fresh(home), 500, minutes=5, is_ill=True))]


def measure_watched(home: Path) -> Any:
    return [
        {"recording": name, **asdict(watched.compare(_fresh(home), CORPUS / name, rounds=_WATCHED_ROUNDS))}
        for name in RECORDINGS
    ]


PARTS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "ticks": measure_ticks,
    "imports": measure_imports,
    "startup": measure_startup,
    "encoding": measure_encoding,
    "draining": measure_draining,
    "wear": measure_wear,
    "watched": measure_watched,
    "fleet": measure_fleet,
}


def _fresh(home: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=home))


def main(parts: list[str]) -> None:
    KEPT.mkdir(exist_ok=True)
    for name in parts or PARTS:
        print(f"measuring {name} …", flush=True)
        with tempfile.TemporaryDirectory() as home:
            found = PARTS[name](Path(home))
        (KEPT / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
    kept = {name: json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8")) for name in PARTS}
    page = performance_page.write(kept)
    (ROOT / "docs" / "performance.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main(sys.argv[1:])
