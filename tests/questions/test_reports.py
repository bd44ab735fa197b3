"""Every report of `envoy-logger query` tells the truth, from the recorder's own store and from both databases."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from logger.backfill.history import open_history
from logger.clock import SystemClock
from logger.control.api import StoreApi
from logger.daemon.batches import make_daily_rows
from logger.model import ROLES, DayRow
from logger.query.catalog import QUERIES
from logger.query.history_sources import read_influxdb, read_store
from logger.query.named_query import Need, Rows, Scope
from logger.store.records import Batch, Commit
from logger.store.store import Store
from tests.databases.server import Server
from tests.history.generator import Generated
from tests.history.kinds import RICHEST
from tests.history.load import write_lines
from tests.questions.judge import compare
from tests.questions.play import play_days
from tests.questions.question import Past
from tests.questions.true_reports import TRUE_REPORTS, TrueReport
from tests.store.samples import HandClock, make_store


@dataclass(frozen=True)
class Direct:
    """The store of this thread, as the API wants it."""

    store: Store

    async def call(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return function(self.store, *args, **named)


@cache
def played() -> dict[str, tuple[Past, Generated]]:
    return {site.kind.name: (site, made) for site, made in play_days(RICHEST)}


def fill(store: Store, site: Past, made: Generated) -> None:
    """Put a site into a store, as its recorder would have."""
    for role in ROLES:
        lines = made.hours if role == "daily" else made.lines[role]
        body = gzip.compress(b"".join(lines), 1)
        store.put(Commit(site.kind.gateway, site.now, (Batch(role, len(lines), body),)))
    rows = make_daily_rows(DayRow(reading, day, True) for (_, _, day), reading in made.rows.items())
    store.put(Commit(site.kind.gateway, site.now, daily=rows))


class Source:
    """Where the points are read from: a store in a folder, or a real database."""

    def __init__(self, folder: Path, server: Server | None) -> None:
        self._server = server
        if server is None:
            self._store = make_store(folder, HandClock(), keep_days=3650)
            for site, made in played().values():
                fill(self._store, site, made)
        else:
            self._buckets = server.fresh_buckets()
            for _, made in played().values():
                write_lines(server, self._buckets, made.lines)

    def close(self) -> None:
        """Close the store."""
        if self._server is None:
            self._store.close()

    async def read(self, needs: Sequence[Need], gateway: str, since: int, until: int) -> Rows:
        if self._server is None:
            api = StoreApi(Direct(self._store))  # type: ignore[arg-type]

            async def ask(function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
                return await function(api, *args, **named)

            return await read_store(ask, needs, gateway, since, until)
        async with open_history(self._server.target(self._buckets), SystemClock()) as history:
            return await read_influxdb(history, needs, gateway, since, until)


@pytest.fixture(
    params=["", "influx1_session", "influx2_session", "influx3_session"],
    ids=["store", "influx1", "influx2", "influx3"],
    scope="module",
)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    server = request.getfixturevalue(request.param) if request.param else None
    found = Source(tmp_path_factory.mktemp("store"), server)
    yield found
    found.close()


def find_wrong(source: Source, site: Past, report: TrueReport) -> str:
    """What a report says wrongly about a site; empty if nothing."""
    query = QUERIES[report.name]
    since = max(0, int(site.now - report.days * 86400))
    rows = asyncio.run(source.read(query.needs, site.kind.gateway, since, site.now))
    numbers = {name: default for name, (default, _) in query.numbers.items()} | dict(report.numbers)
    table = query.answer(rows, Scope(site.zone, since, site.now, numbers))
    columns = [column.name for column in table.columns]
    found = {
        tuple(str(cells[name]) for name in report.keys): tuple(cells[name] for name in report.values)
        for cells in (dict(zip(columns, row, strict=True)) for row in table.rows)
    }
    assert len(found) == len(table.rows), f"{report.name}: two rows of one key"
    wrong, _ = compare(found, report.wanted(site), report.within, is_part=report.is_part)
    return f"{report.name}, {site.kind.name}: {wrong}" if wrong else ""


def ask_all(source: Source) -> Iterable[str]:
    for site, _ in played().values():
        for report in TRUE_REPORTS:
            if report.fits(site.kind) and (wrong := find_wrong(source, site, report)):
                yield wrong


def test_every_report_tells_the_truth(source: Source) -> None:
    assert list(ask_all(source)) == []


def test_only_the_newest_readings_are_read_where_a_query_needs_no_more(source: Source) -> None:
    site, _ = played()["battery-three-phases"]
    needs = (
        Need("totals", "envoy_totals", ("battery_charge_percent",), newest_s=7200),
        Need("totals", "envoy_grid", ("grid_state",)),
        Need("daily", "envoy_day", ("production_wh",)),
    )
    rows = asyncio.run(source.read(needs, site.kind.gateway, 0, site.now))
    newest = [point.time for point in rows.of("envoy_totals")]
    assert newest == [site.now - 60 - site.step_s * number for number in reversed(range(8))]
    assert min(point.time for point in rows.of("envoy_grid")) < site.now - 7200
    assert len(rows.of("envoy_day")) == len(site.days())


def test_every_report_has_a_true_answer_to_compare_with() -> None:
    assert {report.name for report in TRUE_REPORTS} == QUERIES.keys()


def list_panels(source: Source, site: Past, until: int) -> list[dict[str, Any]]:
    query = QUERIES["panels"]
    rows = asyncio.run(source.read(query.needs, site.kind.gateway, 0, until))
    table = query.answer(rows, Scope(site.zone, 0, until))
    return [dict(zip([column.name for column in table.columns], row, strict=True)) for row in table.rows]


def test_a_dead_panel_comes_first_with_its_name_the_day_after_it_died(source: Source) -> None:
    site, _ = played()["two-groups"]
    dead = next(panel for panel in site.kind.panels if panel.dead_from)
    days = [*site.days()]
    assert list_panels(source, site, site.begins(days[dead.dead_from]) - 1)[0]["silent_days"] == 0
    first = list_panels(source, site, site.begins(days[dead.dead_from + 1]))[0]
    assert (first["panel"], first["silent_days"]) == (dead.panel, 1)


def test_a_weak_panel_follows_the_dead_one_with_its_low_days(source: Source) -> None:
    site, _ = played()["two-groups"]
    found = list_panels(source, site, site.now)
    assert [row["panel"] for row in found[:2]] == ["S2", "W3"]
    assert found[1]["low_days"] >= 4
    assert not any(row["low_days"] for row in found[2:])
