"""Every query type-checks: with the Flux checker of the InfluxData editor, run by node."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.grafana.board_files import every_query, fill_in

NODE = Path(__file__).parent / "node"
PACKAGE = NODE / "node_modules" / "@influxdata" / "flux-lsp-browser"


@pytest.fixture(scope="module")
def checker() -> Path:
    """The checker's script, its package installed if it is not yet."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs: node and npm")
    with (NODE / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may come here at once
        if not PACKAGE.is_dir():
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE, capture_output=True, text=True)
            if done.returncode:
                pytest.skip("needs: node and npm, and the package that `npm ci` fetches")
    return NODE / "check.mjs"


def _errors(checker: Path, queries: list[str]) -> list[list[str]]:
    done = subprocess.run(["node", str(checker)], input=json.dumps(queries), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[list[str]] = json.loads(done.stdout)
    assert len(answers) == len(queries)
    return answers


def test_every_query_type_checks(checker: Path) -> None:
    queries = every_query("flux")
    answers = _errors(checker, [fill_in(query.text) for query in queries])
    found = dict(zip([query.name for query in queries], answers, strict=True))
    assert not {title: errors for title, errors in found.items() if errors}


@pytest.mark.parametrize(
    "wrong",
    [
        'from(bucket: "envoy") |> rang(start: -1h)',
        'from(bucket: "envoy") |> range(start: -1h) |> filter(fn: (r) => 1)',
        'from(bucket: "envoy") |> range(start: -1h) |> aggregateWindow(evry: 1m, fn: mean)',
        'import "no/such"\nfrom(bucket: "envoy") |> range(start: -1h)',
    ],
)
def test_the_checker_sees_a_mistake(checker: Path, wrong: str) -> None:
    assert _errors(checker, [wrong])[0]
