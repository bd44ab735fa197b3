"""Print how every question fares on real servers: `python -m tests.questions.report FOLDER KIND…`.

The sites were generated into FOLDER by `python -m tests.questions.kept`. One table, in Markdown: for each question
and site the rows, the milliseconds until the answer (the median of five), those of the server's processor (the
mean), and the greatest error. It begins and ends its own servers; an InfluxDB 2 is found by the variable INFLUXD2.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from logger.model import Role
from tests.benchmarks.processes import read_cpu_s
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import serving
from tests.databases.server_process import Binary
from tests.history.load import write_lines
from tests.questions.judge import Outcome, judge
from tests.questions.kept import KeptHistory
from tests.questions.question import Past

_TIMES: Final = 5
_BLOCK: Final = 8
"""So many lines are written as one; a history is loaded with few, large requests."""
_ASKED: Final = {
    "influx1 influxql": "InfluxQL 1.6.7, ms",
    "influx2 influxql": "InfluxQL 2.9.1, ms",
    "influx2 flux": "Flux 2.9.1, ms",
}


def main(folder: Path, names: Sequence[str]) -> None:
    """Put the sites into both servers, and ask everything."""
    histories = [KeptHistory(folder, name) for name in names]
    found: dict[tuple[str, str], dict[str, Outcome]] = {}
    for make in (Influx2, Influx1):
        with tempfile.TemporaryDirectory(dir=folder) as home, serving(make(Path(home))) as server:
            assert isinstance(server, Binary)
            buckets = server.fresh_buckets()
            sites = [_load(server, buckets, history, Path(home)) for history in histories]
            for site in sites:
                for outcome in judge(server, buckets, site, _TIMES):
                    row = found.setdefault((outcome.question.text, site.kind.name), {})
                    row[f"{server.kind} {outcome.language}"] = outcome
                    print(f"{server.kind} {outcome.language}, {outcome.question.text}: {_tell(outcome)}", flush=True)
    _print_table(found)


def _print_table(found: Mapping[tuple[str, str], Mapping[str, Outcome]]) -> None:
    print(f"\n| question | site | rows | {' | '.join(_ASKED.values())} | greatest error |")
    print("|---|---|---|---|---|---|---|")
    for (text, kind), answers in found.items():
        told = [_tell(answers[name]) for name in _ASKED]
        wrong = [outcome.wrong for outcome in answers.values() if outcome.wrong]
        worst = wrong[0] if wrong else f"{max(outcome.worst for outcome in answers.values()):.4f}"
        print(f"| {text} | {kind} | {answers['influx2 flux'].rows} | {' | '.join(told)} | {worst} |")


def _tell(outcome: Outcome) -> str:
    said = f"{outcome.took_ms:.0f} ({outcome.processor_ms:.0f})"
    return f"{said} WRONG {outcome.wrong}" if outcome.wrong else said


def _load(server: Binary, buckets: Mapping[Role, str], history: KeptHistory, home: Path) -> Past:
    """Load a site, and print what that cost the server."""
    worked, size, points = read_cpu_s(server.process.pid), _read_size(home), 0
    for role, lines in history.list_lines():
        blocks = [b"".join(lines[start : start + _BLOCK]) for start in range(0, len(lines), _BLOCK)]
        write_lines(server, dict(buckets), {role: blocks})
        points += len(lines)
    site = history.past()
    print(
        f"{server.kind}, {site.kind.name}: {points} points, {read_cpu_s(server.process.pid) - worked:.0f} s of the "
        f"server's processor, {(_read_size(home) - size) / 2**20:.0f} MiB on its disk",
        flush=True,
    )
    return site


def _read_size(folder: Path) -> int:
    """The bytes of all files of a folder; a file that goes meanwhile counts nothing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
