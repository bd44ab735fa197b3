"""Print how every question fares on real servers: `python -m tests.questions.report DAYS STEP_S [KIND…]`.

One table, in Markdown: for each question and site the rows, the milliseconds (the median of three) and the greatest
error. It begins and ends its own servers; an InfluxDB 2 is found by the variable INFLUXD2.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from logger.model import Role
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import serving
from tests.history.generator import FIRST
from tests.history.kinds import KINDS
from tests.history.load import write_lines
from tests.questions.judge import Outcome, judge
from tests.questions.play import play


def main(days: int, step_s: int, names: Sequence[str]) -> None:
    """Play the sites, put them into both servers, and ask everything."""
    kinds = [kind for kind in KINDS if not names or kind.name in names]
    found: dict[tuple[str, str], dict[str, Outcome]] = {}
    with (
        tempfile.TemporaryDirectory() as first,
        tempfile.TemporaryDirectory() as second,
        serving(Influx1(Path(first))) as one,
        serving(Influx2(Path(second))) as two,
    ):
        buckets: dict[str, dict[Role, str]] = {each.kind: each.fresh_buckets() for each in (one, two)}
        sites = []
        for site, made in play(kinds, FIRST, FIRST + timedelta(days=days), step_s):
            for server in (one, two):
                write_lines(server, buckets[server.kind], made.lines)
            sites.append(site)
            print(
                f"{site.kind.name}: {sum(map(len, made.lines['totals'])) // 2**20} MiB", file=sys.stderr, flush=True
            )
        for server in (one, two):
            for site in sites:
                for outcome in judge(server, buckets[server.kind], site, times=3):
                    row = found.setdefault((outcome.question.text, site.kind.name), {})
                    row[f"{server.kind} {outcome.language}"] = outcome
    print("| question | site | rows | InfluxQL 1.6.7, ms | InfluxQL 2.9.1, ms | Flux 2.9.1, ms | greatest error |")
    print("|---|---|---|---|---|---|---|")
    for (text, kind), row in found.items():
        took = [f"{row[name].took_ms:.0f}" for name in ("influx1 influxql", "influx2 influxql", "influx2 flux")]
        wrong = [outcome.wrong for outcome in row.values() if outcome.wrong]
        worst = wrong[0] if wrong else f"{max(outcome.worst for outcome in row.values()):.4f}"
        print(f"| {text} | {kind} | {row['influx2 flux'].rows} | {' | '.join(took)} | {worst} |")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
