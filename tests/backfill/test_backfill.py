"""The state folder is lost in the middle of a day: after `backfill` from a real database all is as if it were not.

That day, the days before it and the days after it are as right as without the loss.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.daemon.batches import make_commit
from logger.daemon.gateway_state import GatewayState, load_state
from logger.daemon.tick import TickResult
from logger.days import first_instant, local_day
from logger.influx.classify import Done as Taken
from logger.influx.line_protocol import encode
from logger.influx.write import Writer
from logger.model import Role
from logger.readings.layout import Layout
from logger.site import Site
from logger.store.records import Commit, DailyRow
from logger.store.store import Store
from tests.commands.program import Done, program
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Row, Server
from tests.energy.gateway import Metered, Panel
from tests.energy.house import House
from tests.energy.test_year import METERED
from tests.energy.test_year_of_wirings import BALANCED
from tests.energy.wirings import ThreePhase, ThreePhaseHouse
from tests.energy.year import Plan, Recorder, play, trouble
from tests.sizes import LONG
from tests.store.samples import make_store

ZONE = "Europe/Berlin"


@pytest.fixture(params=["influx1", "real_influx2", "real_influx3"])
def server(request: pytest.FixtureRequest) -> Server:
    """Every generation, real ones."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


@dataclass
class Installation:
    """A recorder with a real store in a folder, whose lines a real database gets at once."""

    server: Server
    folder: Path
    buckets: dict[Role, str]
    site: Site
    layout: Layout
    lines: dict[Role, list[bytes]] = field(default_factory=lambda: {"totals": [], "devices": [], "daily": []})
    stored: dict[str, str] = field(default_factory=dict)
    before: GatewayState | None = None
    store: Store | None = None
    keeps: bool = True
    keeps_phases: bool = True

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.site, self.layout)

    def begin(self) -> None:
        """Open the folder and go on with what it holds."""
        self.store = make_store(self.folder)
        gateway = Metered.info.serial
        self.stored = self.store.read_state(gateway)
        self.recorder.state = load_state(self.stored, self.store.read_reports(gateway))
        self.recorder.since, self.before = {}, None

    def take(self, at: int, result: TickResult) -> None:
        """One tick into the store and towards the database; a restart in between was played by the recorder."""
        assert self.store is not None
        serial = Metered.info.serial
        commit, self.stored = make_commit(serial, at, result.readings, result, self.stored, self.before)
        self.before = result.state
        if self.keeps:
            self.store.put(commit)
        elif commit.daily:
            self.store.put(Commit(commit.gateway, commit.tick, daily=commit.daily))
        for role in ("totals", "devices"):
            mine = [r for r in result.readings if r.role == role]
            if not self.keeps_phases:
                mine = [r for r in mine if r.measurement != "envoy_phase"]
            if mine:
                self.lines[role].append(encode(mine))

    def end(self) -> None:
        """Close the folder; everything has arrived, rows of days as they stand."""
        assert self.store is not None
        self.lines["daily"] = [row.line + b"\n" for row in self.store.read_daily(Metered.info.serial, "")]
        self.store.close()
        self.store = None
        asyncio.run(self._deliver())

    async def _deliver(self) -> None:
        writer = Writer(self.server.target(self.buckets), SystemClock())
        try:
            for role, lines in self.lines.items():
                for start in range(0, len(lines), 1500):
                    done = await writer.write(role, b"".join(lines[start : start + 1500]), gzipped=False)
                    assert isinstance(done, Taken), done
                lines.clear()
        finally:
            await writer.aclose()

    def lose_everything(self) -> None:
        """The state folder is gone."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def backfill(self, home: Path, *words: str, token: str | None = None) -> Done:
        """The command, as a person calls it."""
        server = self.server
        settings = {
            "INFLUXDB_URL": server.url,
            "INFLUXDB_ORG": server.org,
            "INFLUXDB_BUCKET": self.buckets["totals"],
            "INFLUXDB_BUCKET_DEVICES": self.buckets["devices"],
            "INFLUXDB_BUCKET_DAILY": self.buckets["daily"],
            "LOGGER_STATE_DIR": str(self.folder),
            "LOGGER_TIMEZONE": self.site.zone,
            "LOGGER_TOTALS_INTERVAL_S": str(self.site.totals_s),
            "LOGGER_DEVICES_INTERVAL_S": str(max(300, self.site.totals_s)),
        }
        if isinstance(server, Influx2):
            settings["INFLUXDB_READ_TOKEN"] = server.admin_token if token is None else token
        return program(home, "backfill", *words, settings={k: v for k, v in settings.items() if v})

    def written(self, measurement: str) -> dict[tuple[str, str], Row]:
        """The rows of days as they lie in the database, by serial (or empty) and day: one each."""
        found: dict[tuple[str, str], Row] = {}
        for row in self.server.rows(self.buckets["daily"], measurement):
            at = (row.tags.get("serial", ""), local_day(row.time, ZONE))
            assert at not in found, "two rows of one series and day"
            found[at] = row
        return found

    def rows(self) -> dict[tuple[str, str], DailyRow]:
        """The rows in the store by series and day."""
        store = make_store(self.folder)
        try:
            return {
                (row.measurement + "," + row.series, row.day): row
                for row in store.read_daily(Metered.info.serial, "")
            }
        finally:
            store.close()


def number(row: Row, name: str) -> float:
    return float(row.fields.get(name, 0.0))


@dataclass
class Story:
    """Whole days with everything going wrong, and the minute at which the folder is lost."""

    plant: Metered
    plan: Plan
    lost: int
    again: int
    """The recorder runs again, with nothing, from this minute."""
    filled: int
    """`backfill` is called at this minute."""
    every: int

    def run(self, installation: Installation, spans: Iterable[range]) -> None:
        for span in spans:
            for at, result in play(self.plant, self.plan, installation.recorder, span=span, every=self.every):
                installation.take(self.plant.house.start + at * 60, result)


def story(days: int, every: int, *, gap: int = 25, empty: bool = False, after: int = 0) -> Story:
    """So many days, the folder lost `after` so many, or in the middle."""
    first = date(2025, 3, 27) if days < 100 else date(2025, 1, 2)
    house = House(ZONE, first, first + timedelta(days=days - 1), seed=5)
    plant = Metered(house, [Panel(f"1220000000{n:02d}", 0.25, 0.25, "roof") for n in range(4)])
    seed = 5 if LONG else 2862  # with which all kinds of trouble come before and after the loss even in few days
    plan = trouble(plant, seed) if days > 4 else Plan()
    lost = (after or days // 2) * 1440 + 13 * 60 + 5
    again = lost + gap // every * every
    for minute in range(lost - 60, again + 240):
        for spoilt in (plan.off, plan.deaf, plan.restarts):
            spoilt.discard(minute)
        plan.faults.pop(minute, None)
    filled = again if empty else again + 100
    return Story(plant, plan, lost, again, filled, every)


LAYOUT = Layout(("group",), {f"1220000000{n:02d}": {"panel_group": "roof"} for n in range(4)})


def site_of(every: int) -> Site:
    return Site("barn", ZONE, totals_s=60 * every)


def installation_of(server: Server, folder: Path, every: int) -> Installation:
    return Installation(server, folder, server.fresh_buckets(), site_of(every), LAYOUT)


@cache
def short_story_to_the_loss() -> tuple[tuple[int, TickResult], ...]:
    """The ticks of the usual three days before the loss, which many tests begin with."""
    told = story(3, 15)
    ticks = play(told.plant, told.plan, Recorder(site_of(15), LAYOUT), span=range(told.lost), every=15)
    return tuple((told.plant.house.start + at * 60, result) for at, result in ticks)


def begin_short_story(installation: Installation) -> None:
    """Let an installation live through the usual three days to the loss."""
    for at, result in short_story_to_the_loss():
        installation.take(at, result)
        installation.recorder.state = result.state


def wrong(story: Story, installation: Installation) -> list[str]:
    """What is neither right to a Wh nor called estimated, over all days and inverters."""
    house, bad = story.plant.house, []
    site, inverters = installation.written("envoy_day"), installation.written("envoy_inverter_day")
    for day in house.days():
        row = site["", day.isoformat()]
        assert row.tags == {"gateway": Metered.info.serial, "site": "barn"}
        for quantity, flow in METERED.items():
            error = number(row, f"{quantity}_wh") - house.day_wh(flow, day)
            honest = number(row, f"{quantity}_estimated_wh") > 0 and number(row, "coverage_percent") < 100
            if abs(error) > 1 and not honest:
                bad.append(f"{day} {quantity} {error:+.1f} Wh of {row.fields}")
    for (day_of, serial), truth in story.plant.reports.days.items():
        row = inverters[serial, day_of]
        assert row.tags["panel_group"] == "roof"
        first = day_of == house.first.isoformat()  # the first report is a base
        error = number(row, "energy_wh") - truth
        if abs(error) > (25 if first else 1) and not number(row, "estimated_wh") > 0:
            bad.append(f"{day_of} {serial} {error:+.1f} Wh of {row.fields}")
    return bad


def lived(server: Server, tmp_path: Path, told: Story, *, empty: bool, is_usual: bool = False) -> Installation:
    """The whole story, told to its end; `is_usual`: its beginning is that of the short story."""
    folder = tmp_path / "state"
    installation = installation_of(server, folder, told.every)
    installation.begin()
    installation.keeps = told.every > 1  # of months only the rows of days: the folder is lost anyway
    if is_usual:
        begin_short_story(installation)
    else:
        told.run(installation, [range(told.lost)])
    installation.end()
    installation.lose_everything()
    installation.keeps = True
    if not empty:
        installation.begin()
        told.run(installation, [range(told.again, told.filled)])
        installation.end()
    done = installation.backfill(tmp_path)
    assert done.code == 0, done
    print(done.out, done.err)
    installation.begin()
    told.run(installation, [range(told.filled, told.plant.house.minutes + 1)])
    installation.end()
    return installation


def live_to_the_loss(server: Server, tmp_path: Path) -> tuple[Story, Installation]:
    """A short story, told to the loss; everything has arrived in the database."""
    told = story(3, 15)
    installation = installation_of(server, tmp_path / "state", told.every)
    installation.begin()
    begin_short_story(installation)
    installation.end()
    return told, installation


def assert_months(installation: Installation) -> None:
    """Months and years in the database are the sums of the days that lie beside them."""
    days = {str(row.fields["local_date"]): row for row in installation.written("envoy_day").values()}
    for kind, length in (("month", 7), ("year", 4)):
        rows = {str(row.fields[f"local_{kind}"]): row for row in installation.written(f"envoy_{kind}").values()}
        assert sorted(rows) == sorted({day[:length] for day in days})
        for key, row in rows.items():
            mine = [each for day, each in days.items() if day.startswith(key)]
            assert row.fields["days"] == len(mine)
            names = {name for each in mine for name in each.fields if name.endswith("_wh")}
            assert {name for name in row.fields if name.endswith("_wh")} == {*names, "best_day_wh"}
            for name in names:
                assert number(row, name) == pytest.approx(sum(number(each, name) for each in mine), abs=0.1), (
                    key,
                    name,
                )
            assert number(row, "best_day_wh") == max(number(each, "production_wh") for each in mine)


def assert_whole(told: Story, installation: Installation) -> None:
    assert wrong(told, installation) == []
    assert_months(installation)
    house, energy = told.plant.house, installation.recorder.state.energy
    lost_on = next(day for day in house.days() if house.span(day)[0] <= told.lost < house.span(day)[1])
    assert energy.first_day == max(house.first, lost_on - timedelta(days=8)).isoformat(), (
        "seven days and the day itself"
    )
    row = installation.written("envoy_day")["", lost_on.isoformat()]
    begin, end = house.span(lost_on)
    away = told.plan.off | told.plan.deaf | set(range(told.lost, told.again))
    polled = sum(1 for at in range(begin, end) if at not in away)
    assert number(row, "coverage_percent") == pytest.approx(100 * polled / (end - begin), abs=1.5)


@pytest.mark.parametrize(
    ("empty", "gap"),
    [
        pytest.param(False, 25, id="recording-again", marks=pytest.mark.long),
        pytest.param(False, 900, id="after-a-night", marks=pytest.mark.long),
        pytest.param(True, 25, id="not-yet-recording"),
    ],
)
def test_the_day_of_the_loss_and_the_days_around_it_are_whole(
    server: Server, tmp_path: Path, empty: bool, gap: int
) -> None:
    told = story(3, 15, gap=gap, empty=empty)
    assert_whole(told, lived(server, tmp_path, told, empty=empty, is_usual=True))


@pytest.mark.long
def test_a_site_on_three_phases_is_balanced_again(server: Server, tmp_path: Path) -> None:
    house = ThreePhaseHouse(ZONE, date(2025, 6, 3), date(2025, 6, 5), seed=5, battery=None)
    plant = ThreePhase(house, [Panel(f"1220000000{n:02d}", 0.25, 0.25, "roof") for n in range(4)])
    told = replace(story(3, 15), plant=plant)
    installation = lived(server, tmp_path, told, empty=False)
    rows = installation.written("envoy_day")
    for day in house.days():
        row = rows["", day.isoformat()]
        for quantity, flow in BALANCED.items():
            assert number(row, f"{quantity}_wh") == pytest.approx(house.day_wh(flow, day), rel=0.05)
    totals = installation.recorder.state.energy.counters
    assert totals["export_balanced"].accepted_wh == pytest.approx(house.wh["export_balanced"][-1], rel=0.05)


@pytest.mark.long
def test_days_without_stored_phases_are_not_balanced_and_named(influx1: Influx1, tmp_path: Path) -> None:
    house = ThreePhaseHouse(ZONE, date(2025, 6, 3), date(2025, 6, 5), seed=5, battery=None)
    told = replace(story(3, 15), plant=ThreePhase(house))
    installation = installation_of(influx1, tmp_path / "state", 15)
    installation.begin()
    installation.keeps_phases = False
    told.run(installation, [range(told.lost)])
    installation.end()
    installation.lose_everything()
    done = installation.backfill(tmp_path, "--dry-run", "--gateway", Metered.info.serial)
    assert done.code == 0, done
    assert "Not balanced over the phases: 2025-06-03 to 2025-06-04." in done.err


@pytest.mark.long
def test_the_loss_in_the_middle_of_months_with_everything_going_wrong(server: Server, tmp_path: Path) -> None:
    told = story(180, 1, after=168) if LONG else story(6, 1, after=4)
    installation = lived(server, tmp_path, told, empty=False)
    assert_whole(told, installation)
    last = installation.recorder.state.energy
    assert len(last.days) >= 7


@pytest.mark.long
def test_a_second_run_changes_nothing_and_a_dry_run_nothing_at_all(influx1: Influx1, tmp_path: Path) -> None:
    told, installation = live_to_the_loss(influx1, tmp_path)
    installation.lose_everything()
    installation.begin()
    told.run(installation, [range(told.again, told.filled)])
    installation.end()
    before = installation.rows()
    dry = installation.backfill(tmp_path, "--dry-run")
    assert dry.code == 0
    assert "kWh" in dry.out
    assert "nothing was written" in dry.out
    assert installation.rows() == before
    first = installation.backfill(tmp_path)
    whole = installation.rows()
    assert whole != before
    second = installation.backfill(tmp_path)
    assert (first.code, second.code) == (0, 0)
    assert "No day was rebuilt" in second.out
    assert installation.rows() == whole
    kept = installation.backfill(tmp_path, "--since", "2025-03-27")
    assert "--again" in kept.err
    assert installation.rows() == whole
    again = installation.backfill(tmp_path, "--since", "2025-03-28", "--again")
    assert again.code == 0, again
    assert installation.rows().keys() == whole.keys()


def test_a_day_never_gets_a_second_row_at_midnight_of_another_zone(server: Server, tmp_path: Path) -> None:
    _, installation = live_to_the_loss(server, tmp_path)
    installation.lose_everything()
    before = server.rows(installation.buckets["daily"], "envoy_day")
    assert before
    installation.site = replace(installation.site, zone="Asia/Kolkata")
    dry = installation.backfill(tmp_path, "--since", "2025-03-20", "--dry-run")
    assert (dry.code, "Not computed: 2025-03-27 to 2025-03-28." in dry.err) == (0, True), dry
    refused = installation.backfill(tmp_path, "--since", "2025-03-20")
    assert refused.code == 2
    assert "which is no midnight in Asia/Kolkata" in refused.err
    assert "Try: set LOGGER_TIMEZONE" in refused.err
    installation.begin()
    installation.end()
    assert server.rows(installation.buckets["daily"], "envoy_day") == before

    installation.buckets = {**installation.buckets, "daily": f"{installation.buckets['daily']}_again"}
    server.create(installation.buckets["daily"])
    done = installation.backfill(tmp_path, "--since", "2025-03-20")
    assert (done.code, done.err) == (0, "")
    installation.begin()
    installation.end()
    days = [row for row in server.rows(installation.buckets["daily"], "envoy_day") if not row.tags.get("serial")]
    assert len(days) >= 2
    assert [row.time for row in days] == [
        first_instant(str(row.fields["local_date"]), "Asia/Kolkata") for row in days
    ]
    assert_months(installation)


def test_backfill_waits_for_a_changed_zone_to_take_effect(influx1: Influx1, tmp_path: Path) -> None:
    _, installation = live_to_the_loss(influx1, tmp_path)
    installation.site = replace(installation.site, zone="Asia/Kolkata")
    done = installation.backfill(tmp_path, "--since", "2025-03-27", "--again")
    assert done.code == 2
    assert "still counts days in Europe/Berlin" in done.err
    assert "Try: repeat this command a day after the change." in done.err


def test_a_token_that_may_only_write_is_an_error_and_not_an_empty_history(
    real_influx2: Influx2, tmp_path: Path
) -> None:
    installation = installation_of(real_influx2, tmp_path / "state", 15)
    _, only_writes = real_influx2.new_token(write=tuple(installation.buckets.values()))
    done = installation.backfill(tmp_path, token=only_writes)
    assert done.code == 77
    assert "may write" in done.err
    assert "Try: " in done.err
    assert only_writes not in done.out + done.err


def test_nothing_in_the_database_is_said_plainly(server: Server, tmp_path: Path) -> None:
    installation = installation_of(server, tmp_path / "state", 15)
    done = installation.backfill(tmp_path, "--gateway", Metered.info.serial)
    assert done.code == 0
    assert "holds nothing of gateway" in done.out
