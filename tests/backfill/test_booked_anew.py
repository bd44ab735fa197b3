"""History that is booked anew has the true money, and months and years stay the sums of their days.

The history is read from memory, so that many situations can be played. Store and amendments are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logger.backfill.day_replay import RebuildRequest
from logger.backfill.restore import hand_over, rebuild
from logger.backfill.stored_days import RowTags
from logger.daemon.amend import StateApi, StoredState
from logger.daemon.batches import make_amendment, make_daily_rows
from logger.daemon.gateway_state import GatewayState, load_state
from logger.daemon.tariff_files import read_prices
from logger.energy.state import EnergyState
from logger.influx.read_back import read_back
from logger.model import DayRow, Value
from logger.panels.panel_state import PanelState
from logger.site import Site
from logger.store.records import Commit
from logger.tariff.prices import Prices
from logger.tariff.tariff_file import parse_tariff
from tests.backfill.remembered import Remembered
from tests.clocks import HandClock
from tests.daemon.parts import InlineStore
from tests.history.generator import Generator
from tests.history.kinds import KINDS, TIME_OF_USE, Kind

FIRST, DAYS, STEP_S = date(2025, 3, 25), 18, 7200
"""In Sydney a month ends on these days, and daylight saving time."""
NOW = datetime(2025, 4, 12, tzinfo=ZoneInfo(KINDS[0].zone)).timestamp()
QUIET = replace(KINDS[0], gaps=(), outages=(), swings=(), trips=(), panels=KINDS[0].panels[:2])
TIERED = TIME_OF_USE.replace("sell = 0.05", "sell = 0.05\nstanding_charge = 1.0", 1) + (
    "\n  [[period.tier]]\n  above_kwh = 60\n  add = 0.1\n"
)
WRONG = TIME_OF_USE.replace("0.20", "0.02").replace('"peak"', '"pique"')
Rows = dict[tuple[str, str, str], Mapping[str, Value]]
"""Measurement, price band and day of a row → its fields."""


@cache
def play(
    tariff: str, gaps: tuple[tuple[int, int, int], ...] = (), days: int = DAYS, step_s: int = STEP_S
) -> Generator:
    """A site whose recorder booked by this tariff from the first day on."""
    made = Generator(replace(QUIET, tariff=tariff, gaps=gaps), days, step_s, first=FIRST)
    made.run()
    return made


@cache
def read(made: Generator, at: int) -> Remembered:
    """All that a recorder wrote up to a time, as a database has it."""
    memory = Remembered()
    for role, lines in made.done.lines.items():
        memory.write_lines(role, b"".join(lines))
    return memory


def rows_of(made: Generator) -> Rows:
    """The rows of days, bands, months and years that a recorder wrote."""
    return {
        (name, band, day): row.fields for (name, band, day), row in made.done.rows.items() if "inverter" not in name
    }


@dataclass
class Kept:
    """A recorder's store, and a database with all that it delivered."""

    folder: Path
    tariff: str
    kind: Kind = QUIET
    memory: Remembered = field(default_factory=Remembered)
    lives: int = 2**31
    """Requests of the store after which the command is killed."""

    def __post_init__(self) -> None:
        self.store = InlineStore(self.folder / "state", HandClock(NOW))
        (self.folder / "tariff.toml").write_text(self.tariff)
        site = Site("", self.kind.zone, totals_s=STEP_S, devices_s=STEP_S)
        self.site = replace(site, tariff_file=str(self.folder / "tariff.toml"))
        self.api = StateApi(self.store, lambda gateway: StoredState(self.store, gateway, self.site))

    def write(self, made: Generator, state: GatewayState | None) -> None:
        """Take over what a recorder wrote; its state, too, unless that is lost."""
        self.memory.take(read(made, made.at))
        if state is not None:
            rows = [DayRow(row, day, True) for (_, _, day), row in made.done.rows.items()]
            commit, _ = make_amendment(made.kind.gateway, state, rows, {})
            self.store.store.put(commit)

    async def ask(self, function: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
        self.lives -= 1
        if self.lives < 0:
            raise InterruptedError
        return await function(self.api, *args, **kwargs)

    def backfill(self, since: str = "", *, again: bool = False, now: int = 2**31) -> None:
        """What the command does."""

        async def go() -> None:
            parts = self.store.store.read_state(self.kind.gateway)
            live = load_state(parts, {})
            until = live.energy.first_tick if parts else now
            request = RebuildRequest(self.kind.gateway, self.site, until, since, again=again)
            request = replace(request, prices=read_prices(self.site.tariff_file)[0])
            found = await rebuild(self.memory, live, request, lambda day: None)
            assert found is not None
            await hand_over(self.ask, found, self.kind.gateway)

        asyncio.run(go())

    def deliver(self) -> Rows:
        """Deliver the rows of the store. Return all rows in the database."""
        for row in self.store.store.read_daily(self.kind.gateway, ""):
            self.memory.write_lines("daily", row.line)
        found = {}
        for name in ("envoy_day", "envoy_band_day", "envoy_month", "envoy_year"):
            for point in self.memory.list_of("daily", name):
                day = str(point.fields.get("local_date", point.time))
                found[name, point.tags.get("band", ""), day] = point.fields
        return found

    def rows(self, gateway: str = "") -> Rows:
        """The rows in the store."""
        readings = (
            (read_back(row.line.decode(), "daily"), row.day)
            for row in self.store.store.read_daily(gateway or self.kind.gateway, "")
        )
        return {
            (each.measurement, each.tags.get("band", ""), day): each.fields
            for each, day in readings
            if "inverter" not in each.measurement
        }


Keep = Callable[..., Kept]


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Make recorders' stores, and close them after the test."""
    with contextlib.ExitStack() as opened:

        def make(*args: Any, **kwargs: Any) -> Kept:
            kept = Kept(*args, **kwargs)
            opened.enter_context(kept.store)
            return kept

        yield make


def number(fields: Mapping[str, Value], name: str) -> float:
    value = fields.get(name, 0.0)
    assert isinstance(value, (int, float))
    return float(value)


def compare(rows: Rows, wanted: Rows, since: str, until: str = "9") -> int:
    """Compare the rows of days and bands within a span. Return their number."""
    keys = [key for key in wanted if since <= key[2] < until and key[0] in ("envoy_day", "envoy_band_day")]
    for key in keys:
        for name, value in wanted[key].items():
            close = pytest.approx(value, abs=0.01) if isinstance(value, float) else value
            assert rows[key].get(name) == close, (key, name)
    return len(keys)


def assert_sums(rows: Rows) -> None:
    """Bands are the sum of their day; days are the sums of their months and years."""
    days = {day: fields for (name, _, day), fields in rows.items() if name == "envoy_day"}
    for day, fields in days.items():
        bands = [each for (name, _, at), each in rows.items() if (name, at) == ("envoy_band_day", day)]
        for name in ("cost", "income", "saved", "grid_import_wh", "grid_export_wh"):
            assert sum(number(each, name) for each in bands) == pytest.approx(number(fields, name), abs=0.01), (
                day,
                name,
            )
    for kind, length in (("month", 7), ("year", 4)):
        found = {str(f[f"local_{kind}"]): f for (name, _, _), f in rows.items() if name == f"envoy_{kind}"}
        assert sorted(found) == sorted({day[:length] for day in days})
        for key, fields in found.items():
            mine = [each for day, each in days.items() if day.startswith(key)]
            assert fields["days"] == len(mine)
            for name in {name for each in mine for name in each if name.endswith("_wh")} | {
                "cost",
                "income",
                "saved",
            }:
                assert number(fields, name) == pytest.approx(sum(number(d, name) for d in mine), abs=0.02), (
                    key,
                    name,
                )


@pytest.mark.parametrize(
    "is_lost",
    [
        pytest.param(True, id="the state is lost", marks=pytest.mark.long),
        pytest.param(False, id="the state is kept"),
    ],
)
def test_a_tier_goes_on_from_the_first_of_its_month(tmp_path: Path, keep: Keep, is_lost: bool) -> None:
    made = play(TIERED)
    kept = keep(tmp_path, TIERED)
    kept.write(made, None if is_lost else made.state)
    kept.backfill("2025-04-08", again=not is_lost)
    assert compare(kept.rows(), rows_of(made), "2025-04-08", "2025-04-11") > 6


@pytest.mark.long
@pytest.mark.parametrize("is_lost", [True, False], ids=["the state is lost", "the state is kept"])
def test_a_day_that_begins_in_a_gap_keeps_its_part_of_it(tmp_path: Path, keep: Keep, is_lost: bool) -> None:
    """The gap goes over the end of a month, and the day after it is the first that is booked anew."""
    made = play(TIME_OF_USE, ((5, 13, 660), (7, 0, 540)))
    kept = keep(tmp_path, TIME_OF_USE)
    kept.write(made, None if is_lost else made.state)
    kept.backfill("2025-04-01", again=not is_lost)
    assert_sums(rows_of(made))
    assert compare(kept.rows(), rows_of(made), "2025-04-01", "2025-04-11") > 20


def test_a_corrected_price_is_booked_anew_over_a_change_of_the_clocks_and_leaves_the_days_before(
    tmp_path: Path,
    keep: Keep,
) -> None:
    wrong, right = play(WRONG), play(TIME_OF_USE)
    kept = keep(tmp_path, TIME_OF_USE)
    kept.write(wrong, wrong.state)
    kept.backfill("2025-03-30", again=True)
    found = kept.rows()
    assert compare(found, rows_of(wrong), "2025-03-25", "2025-03-30") > 9
    assert compare(found, rows_of(right), "2025-03-30", "2025-04-11") > 20
    assert number(found["envoy_band_day", "pique", "2025-04-02"], "cost") == 0.0
    assert_sums(found)


@pytest.mark.long
def test_a_second_time_changes_nothing(tmp_path: Path, keep: Keep) -> None:
    wrong = play(WRONG)
    kept = keep(tmp_path, TIERED)
    kept.write(wrong, wrong.state)
    kept.backfill("2025-03-30", again=True)
    once = kept.rows()
    kept.backfill("2025-03-30", again=True)
    assert kept.rows() == once


@pytest.mark.parametrize(
    ("lives", "is_lost"),
    [
        (1, False),
        *(pytest.param(*each, marks=pytest.mark.long) for each in ((1, True), (2, True), (9, True), (2, False))),
    ],
)
def test_a_command_that_was_killed_or_not_and_is_repeated_leaves_what_one_run_does(
    tmp_path: Path, keep: Keep, lives: int, is_lost: bool
) -> None:
    right = play(TIME_OF_USE)
    wrong = right if is_lost else play(WRONG)
    kept = keep(tmp_path, TIME_OF_USE)
    kept.write(wrong, None if is_lost else wrong.state)
    kept.lives = lives
    with contextlib.suppress(InterruptedError):
        kept.backfill("2025-03-30", again=not is_lost)
    kept.lives = 2**31
    kept.deliver()
    kept.backfill("2025-03-30", again=not is_lost)
    assert compare(kept.deliver(), rows_of(right), "2025-03-30", "2025-04-11") > 20
    assert_sums(kept.deliver())


def test_a_new_price_changes_no_day_before_it(tmp_path: Path) -> None:
    """The recorder goes on with another file from a noon on."""
    zone, made = ZoneInfo(QUIET.zone), Generator(replace(QUIET, tariff=TIME_OF_USE), DAYS, STEP_S, first=FIRST)
    noon = int(datetime(2025, 4, 2, 12, tzinfo=zone).timestamp())
    made.run(noon)
    before = rows_of(made)
    made._prices = Prices(parse_tariff(TIME_OF_USE.replace("0.20", "0.90").encode())[0])
    made.run()
    after = rows_of(made)
    past = [key for key in before if key[0] in ("envoy_day", "envoy_band_day") and key[2] < "2025-04-02"]
    assert {key: after[key] for key in past} == {key: before[key] for key in past}
    assert number(after["envoy_day", "", "2025-04-04"], "cost") > 1.5 * number(
        after["envoy_day", "", "2025-04-01"], "cost"
    )
    assert_sums(after)


def test_the_money_of_the_time_in_which_a_state_was_lost_is_booked_like_that_of_any_gap(
    tmp_path: Path, keep: Keep
) -> None:
    kind = replace(QUIET, tariff=TIERED, gaps=((8, 10, 420),))
    made = Generator(kind, DAYS, STEP_S, first=FIRST)
    zone = ZoneInfo(kind.zone)
    made.run(int(datetime(2025, 4, 2, 10, tzinfo=zone).timestamp()))
    kept = keep(tmp_path, TIERED)
    kept.write(made, None)
    made.done.rows.clear()
    made._energy, made._panels = EnergyState(), PanelState()
    made.run(int(datetime(2025, 4, 3, 9, tzinfo=zone).timestamp()))
    kept.write(made, made.state)
    kept.backfill()
    found, truth = kept.rows()["envoy_day", "", "2025-04-02"], made.done.truth.days["2025-04-02"]
    assert number(found, "grid_export_wh") == pytest.approx(truth.wh["grid_export"], abs=1.0)
    assert number(found, "income") == pytest.approx(truth.income, abs=0.01)
    assert_sums(kept.deliver())


def test_another_gateway_keeps_its_rows(tmp_path: Path, keep: Keep) -> None:
    wrong = play(WRONG)
    kept = keep(tmp_path, TIME_OF_USE)
    kept.write(wrong, wrong.state)
    other = "122500009999"
    rows = [
        replace(row, reading=replace(row.reading, tags={**row.reading.tags, "gateway": other}))
        for row in (DayRow(row, day, True) for (_, _, day), row in wrong.done.rows.items())
    ]
    kept.store.store.put(Commit(other, 1, daily=make_daily_rows(rows)))
    for row in rows:
        kept.memory.write(row.reading)
    before = kept.rows(other)
    kept.backfill("2025-03-30", again=True)
    assert kept.rows(other) == before
    assert_sums(kept.rows())


@pytest.mark.long
def test_a_month_of_which_the_database_has_lost_days_is_the_sum_of_the_days_in_the_store(
    tmp_path: Path, keep: Keep
) -> None:
    """The database keeps rows for some weeks; days that are left are booked anew, long after their month was over."""
    wrong = play(WRONG, (), 75, 6 * 3600)
    kept = keep(tmp_path, TIME_OF_USE)
    kept.write(wrong, wrong.state)
    for name in ("envoy_day", "envoy_band_day"):
        kept.memory.forget("daily", name, int(datetime(2025, 4, 10, tzinfo=ZoneInfo(QUIET.zone)).timestamp()))
    kept.backfill("2025-04-15", again=True)
    found = kept.rows()
    assert number(found["envoy_month", "", "2025-04-30"], "days") == 30
    assert_sums(found)


@pytest.mark.long
def test_a_gap_over_the_last_midnight_that_is_booked_anew_keeps_its_two_parts(tmp_path: Path, keep: Keep) -> None:
    wrong, right = (play(tariff, ((16, 20, 240), (17, 0, 600))) for tariff in (WRONG, TIME_OF_USE))
    kept = keep(tmp_path, TIME_OF_USE)
    kept.write(wrong, wrong.state)
    kept.backfill("2025-04-05", again=True)
    assert compare(kept.rows(), rows_of(right), "2025-04-05", "2025-04-11") > 15
    assert_sums(kept.rows())


def test_a_refused_newest_row_ends_the_rebuild_before_any_day_is_replayed(keep: Keep, tmp_path: Path) -> None:
    kept = keep(tmp_path, "")
    kept.write(play(""), None)
    request = RebuildRequest(kept.kind.gateway, kept.site, 2**31, "")
    days: list[str] = []

    def refuse(newest: RowTags) -> None:
        raise InterruptedError(newest.row.fields["local_date"])

    with pytest.raises(InterruptedError, match="2025-04-11"):
        asyncio.run(rebuild(kept.memory, GatewayState(), request, days.append, refuse))
    assert days == []
