"""What a day costs the disk (SD cards wear out): bytes and syncs, measured, within what the documentation says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endtoend.recorder import ROOT
from tests.sizes import SHARE

MANUAL = ROOT / "docs" / "operations.md"


def documented(inverters: int) -> tuple[float, float]:
    """Megabytes and syncs a day that the manual promises at most for a site of that size."""
    row = re.search(
        rf"^\| {inverters} inverters \|[^|]*\|[^|]*\| ([\d,]+) MB \| ([\d,]+) \|$", MANUAL.read_text(), re.M
    )
    assert row is not None
    return float(row[1].replace(",", "")), float(row[2].replace(",", ""))


@pytest.mark.long
@pytest.mark.parametrize("inverters", [10, 50])
def test_a_day_costs_the_disk_what_the_manual_says(
    tmp_path: Path, inverters: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = 24.0 * SHARE
    state = tmp_path / "state"
    state.mkdir()
    command = [sys.executable, "-m", "tests.endtoend.wear", str(state), str(hours), str(inverters)]
    tracer = shutil.which("strace")
    calls = tmp_path / "calls"
    if tracer:
        command = [tracer, "-f", "-e", "trace=fsync,fdatasync", "-o", str(calls), *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["ticks"] >= hours * 60 - 1
    assert found["delivered"] == found["lines"]
    assert found["days_delivered"] > inverters, "days' rows are part of what it costs"
    megabytes = found["written_bytes"] / hours * 24 / 1e6
    syncs = None  # nothing but a tracer can count them
    if tracer:
        syncs = round(len(re.findall(r"(?:fsync|fdatasync)\(", calls.read_text())) / hours * 24)
    with capsys.disabled():
        print(f"\n{inverters} inverters, {hours:.1f} h: {megabytes:.0f} MB and {syncs or '?'} syncs a day")
    most_mb, most_syncs = documented(inverters)
    assert megabytes <= most_mb
    assert syncs is None or syncs <= most_syncs
