"""Every number of every board equals an independent computation from what was generated, on real databases.

Grafana answers each panel's queries, as its page asks them. What it must answer is computed in `expected.py`, without
a query language; the energies of days that are over are those of the generator's truth.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

import pytest

from grafana.boards import BOARDS
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.influx3 import Influx3
from tests.databases.server import Server, serving
from tests.grafana.answered import read_cells
from tests.grafana.asking import EVERY, Asked, PanelFile, ask_panel, read_panels
from tests.grafana.expected import EXPECTED, Cells, Scope
from tests.grafana.grafana_server import Choice, Grafana, QueryLanguage
from tests.grafana.known import Points
from tests.grafana.sites import SHOWN, Past, Stand, play
from tests.history.kinds import Kind
from tests.sizes import LONG

pytestmark = pytest.mark.long
DAYS, STEP_S, AHEAD_S = (730, 900, 5400) if LONG else (35, 3600, 1200)
SERVERS: Final = ("influx1 influxql", "influx2 influxql", "influx2 flux", "influx3 influxql")
MAKE: Final[Mapping[str, Callable[[Path], Server]]] = {
    "influx1": Influx1,
    "influx2": Influx2,
    "influx3": partial(Influx3, auth=True),
}
DAY_VIEW_S, YEARS_VIEW_S = 1.0, 2.0


@cache
def sites() -> list[Past]:
    return play(SHOWN, DAYS, STEP_S, AHEAD_S)


@cache
def points() -> Points:
    found = Points(sites()[0].until - 2 * 86400)
    for site in sites():
        found.add(site)
    return found


@dataclass
class Checked:
    """A Grafana over a database with all sites, and what was seen of it so far."""

    grafana: Grafana
    stand: Stand
    numbers: int = 0
    worst: tuple[float, str] = (0.0, "")
    slowest: dict[str, tuple[float, str]] = field(default_factory=dict)


@pytest.fixture(scope="module", params=SERVERS)
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    generation, language = request.param.split()
    query_language: QueryLanguage = "flux" if language == "flux" else "influxql"
    with ExitStack() as stack:
        server: Server = stack.enter_context(serving(MAKE[generation](tmp_path_factory.mktemp("database"))))
        grafana = Grafana(tmp_path_factory.mktemp("grafana"), server, Choice(query_language))
        grafana.start()
        stack.callback(grafana.stop)
        found = Checked(grafana, Stand(server, sites()))
        yield found
        print(f"\n{request.param}: {found.numbers} numbers; worst {found.worst[0]:.3g} ({found.worst[1]}); slowest:")
        print("\n".join(f"    {view}: {seconds:.3f} s ({name})" for view, (seconds, name) in found.slowest.items()))


def variables_of(board: str, choice: Choice, kind: Kind, asked: Asked) -> Mapping[str, str | list[str]]:
    """The board's variables as they stand at first, for one site."""
    text = (choice.boards / f"{board}.json").read_text(encoding="utf-8")
    found: dict[str, str | list[str]] = {}
    for item in json.loads(text)["templating"]["list"]:
        if (current := item.get("current")) and current["value"] not in ("$__all", ["$__all"]):
            found[item["name"]] = current["value"]
    panel = kind.panels[0]
    gap = f"{max(300, asked.every_s)}s"
    of_panel = {"gap": gap, "inverter": panel.serial, "own_group": panel.group}
    label = "panel" if panel.panel else "serial"
    chosen: dict[str, str | list[str]] = {"gateway": [kind.gateway], "site": [kind.site or "none"], "group": EVERY}
    return {**found, **of_panel, "label": label, **chosen}


def pair_queries(panel: PanelFile, source: Any, language: QueryLanguage) -> Iterator[tuple[Any, list[str]]]:
    """Each query of a panel's description, and the letters of the targets that it became."""
    letters = iter(ascii_uppercase)
    for query in source.queries:
        yield query, [next(letters) for _ in query.statements(language)]


def tolerance(query: Any, column: str, wanted: float) -> float:
    """How far a number may be off: the recorder counts a day to a Wh, money to a hundredth."""
    days = {"envoy_day": 1, "envoy_month": 31, "envoy_year": 366}.get(query.rows.measurement, 0)
    if query.rows.measurement == "envoy_inverter_day":
        days = 1
    if type(query).__name__ in ("SpanTotal", "TotalByTag"):
        days *= 800
    if "share" in type(query).__name__.lower():
        return 0.2 if days else 1e-6
    if column in ("cost", "income", "saved"):
        return 0.01 * days + 1e-9
    return days + 1e-9 * abs(wanted) + 1e-6


def compare(query: Any, wanted: Cells, got: Cells, name: str, checked: Checked) -> list[str]:
    wrong = []
    wanted = {key: value for key, value in wanted.items() if value != ""}  # which says nothing
    for key in sorted(wanted.keys() | got.keys()):
        want, have = wanted.get(key), got.get(key)
        if isinstance(want, bool | str) or isinstance(have, bool | str) or want is None or have is None:
            is_right = want == have or (isinstance(want, bool) and float(want) == have)
        else:
            off = abs(float(want) - float(have))
            is_right = off <= tolerance(query, key[0], float(want))
            if is_right and off / max(1.0, abs(float(want))) > checked.worst[0]:
                checked.worst = (off / max(1.0, abs(float(want))), f"{name} {key}: {have} for {want}")
        checked.numbers += 1
        if not is_right:
            wrong.append(f"{name} {type(query).__name__} {key}: {have!r} instead of {want!r}")
    return wrong


@pytest.mark.parametrize("kind", SHOWN, ids=[kind.name for kind in SHOWN])
@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
def test_every_number_is_right(checked: Checked, board: Any, kind: Kind) -> None:
    choice = checked.grafana.choice
    now = int(time.time())
    checked.stand.write_due(now)
    wrong: list[str] = []
    for panel, source in zip(read_panels(choice.boards / f"{board.uid}.json"), board.panels, strict=True):
        if not source.queries:
            continue
        name = f"{board.uid} {panel.title or 'now'} #{panel.id}"
        for view, asked in views(now).items():
            variables = variables_of(board.uid, choice, kind, asked)
            if source.repeat == "group":
                variables = {**variables, "group": kind.panels[0].group}
            answer, seconds = ask_panel(checked.grafana, panel, variables, asked)
            checked.slowest[view] = max(checked.slowest.get(view, (0.0, "")), (seconds, f"{name}, {kind.name}"))
            scope = Scope(points(), variables, asked.begin, asked.end, asked.every_s, now)
            for query, letters in pair_queries(panel, source, choice.query_language):
                if view == "years" and query.rows.role != "daily" and not query.rows.since:
                    continue  # of curves, only the last days are known
                expected = EXPECTED[type(query).__name__](query, scope)
                frames = [frame for letter in letters for frame in answer.get(letter, [])]
                got = read_cells(query, frames, is_flux=choice.query_language == "flux")
                wrong += compare(query, expected, got, f"{name} ({view})", checked)
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:12])


def views(now: int) -> dict[str, Asked]:
    """A day's view in windows of five minutes, and all years in windows of a day."""
    day = now // 900 * 900
    return {
        "day": Asked(day - 86400, day - 1, 300),
        "years": Asked(day // 86400 * 86400 - DAYS * 86400 + 172800, day // 86400 * 86400 - 1, 86400),
    }


def test_every_query_of_every_panel_has_an_expectation() -> None:
    used = {type(query).__name__ for board in BOARDS for panel in board.panels for query in panel.queries}
    assert not EXPECTED.keys() - used, "nothing asks so any more"
    unknown = {
        f"{board.uid} {panel.title}: {type(query).__name__}"
        for board in BOARDS
        for panel in board.panels
        for query in panel.queries
        if type(query).__name__ not in EXPECTED
    }
    assert not unknown, "add them to tests/grafana/expected.py"
