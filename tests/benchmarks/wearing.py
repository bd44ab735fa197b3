"""Bytes and syncs that a day costs the disk, by the number of inverters."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import ROOT, own_python


@dataclass(frozen=True)
class Wear:
    """What a day costs: MB written, syncs (None without a tracer), and MB that the store grows by."""

    inverters: int
    written_mb: float
    syncs: int | None
    grown_mb: float


def measure(home: Path, inverters: int, hours: float) -> Wear:
    """Record some hours in virtual time into a real file, and count what the kernel counts."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        calls = Path(folder) / "calls"
        state = Path(folder) / "state"
        state.mkdir()
        command = own_python("tests.endtoend.wear", str(state), str(hours), str(inverters))
        tracer = shutil.which("strace")
        if tracer:
            command = [tracer, "-f", "-e", "trace=fsync,fdatasync", "-o", str(calls), *command]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        days = hours / 24
        syncs = len(re.findall(r"(?:fsync|fdatasync)\(", calls.read_text())) if tracer else None
    return Wear(
        inverters,
        found["written_bytes"] / days / 1e6,
        None if syncs is None else round(syncs / days),
        found["file_bytes"] / days / 1e6,
    )
