"""Run the scripts of `tests/grafana/node`, their packages installed when they are first wanted."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

_FOLDER: Final = Path(__file__).parent / "node"
_PACKAGES: Final = ("@influxdata/flux-lsp-browser", "@grafana/schema", "typescript")


def run_script(name: str, asked: Any) -> Any:
    """Give a script JSON and read its answer; the test is skipped where node or the packages cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs: node and npm")
    with (_FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may come here at once
        if not all((_FOLDER / "node_modules" / package).is_dir() for package in _PACKAGES):
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=_FOLDER, capture_output=True, text=True
            )
            if done.returncode:
                pytest.skip("needs: node and npm, and the packages that `npm ci` fetches")
    done = subprocess.run(["node", str(_FOLDER / name)], input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
