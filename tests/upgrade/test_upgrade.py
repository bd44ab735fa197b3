"""A state folder that the last version before the restructuring left goes on: nothing of it is lost."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import logging
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from logger.daemon.collector import Collector
from logger.daemon.gateway_state import GatewayState, dump_state, load_state
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.influx.classify import Done, Outcome
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.log import Changes
from logger.model import ROLES, Json, Role
from logger.simulator.certificate import Certificate
from logger.simulator.site_model import Access
from logger.site import Site
from logger.store.store import Store
from tests.clocks import HandClock
from tests.daemon.parts import InlineStore, ScriptedGateway
from tests.driven import driving
from tests.endtoend.recorder import DrivenRecorder
from tests.standin import BackgroundSimulator, Reply
from tests.upgrade import documents as site
from tests.virtual import VirtualClock, run_virtually

SITE = Site("barn", totals_s=site.STEP_S, devices_s=900)
LAST = 1_781_701_200
"""The last tick of that version: 15:00 of the tenth day."""
WHOLE_DAY_WH = site.produced_wh(site.BEGIN + 86400) - site.produced_wh(site.BEGIN)


@dataclass
class Left:
    """What that version left: its state folder, the stand-in's keys, and what it read from the folder itself."""

    folder: Path
    state: Path = field(init=False)
    expected: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        with tarfile.open(Path(__file__).parent / "state-b310d15.tar.xz") as archive:
            if hasattr(tarfile, "data_filter"):  # Debian 12's Python 3.11.2 has none yet
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(self.folder)
        self.state = self.folder / "state"
        self.expected = json.loads((self.folder / "expected.json").read_text(encoding="utf-8"))

    def open(self) -> Store:
        return Store.open(self.state, max_mb=64, keep_days=30, clock=HandClock(LAST))

    def parts(self) -> dict[str, str]:
        store = self.open()
        try:
            return store.read_state(site.SERIAL)
        finally:
            store.close()

    def load(self) -> GatewayState:
        store = self.open()
        try:
            return load_state(store.read_state(site.SERIAL), store.read_reports(site.SERIAL))
        finally:
            store.close()


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


@dataclass
class Database:
    """Takes everything, and keeps the lines."""

    lines: list[str] = field(default_factory=list)

    def writer(self, clock: VirtualClock) -> Writer:
        lines = self.lines

        class Taker(Writer):
            async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
                await asyncio.sleep(0.05)
                lines.extend((gzip.decompress(body) if gzipped else body).decode().splitlines())
                return Done()

        target = Target("http://127.0.0.1:1", "2", "token", "org", "", "", dict.fromkeys(ROLES, "b"))
        return Taker(target, clock)

    def fields(self, measurement: str) -> dict[int, dict[str, str]]:
        """The fields of a measurement by time, later lines merged."""
        found: dict[int, dict[str, str]] = {}
        for line in self.lines:
            if line.startswith(f"{measurement},"):
                _, fields, at = line.split(" ")
                found.setdefault(int(at), {}).update(dict(pair.split("=", 1) for pair in fields.split(",")))
        return found


def go_on(left: Left, hours: float) -> tuple[Database, Collector]:
    """Record and deliver from the folder for some hours, in virtual time."""
    database = Database()

    def answer(path: str) -> Callable[[float], Json]:
        return lambda now: site.documents(now)[path]

    async def work() -> Collector:
        clock = VirtualClock(LAST + 30)
        gateway = ScriptedGateway(clock, {path: answer(path) for path in site.documents(LAST)})
        with InlineStore(left.state, clock) as store:
            shipper = Shipper(database.writer(clock), store, clock, Progress(clock), Changes(None))
            collector = Collector(gateway, store, clock, SITE, Progress(clock), on_commit=shipper.wake)
            loops = [asyncio.create_task(collector.run()), asyncio.create_task(shipper.run())]
            await asyncio.sleep(hours * 3600)
            collector.stopping.set()
            await loops[0]
            await asyncio.sleep(60)
            loops[1].cancel()
            await asyncio.gather(*loops, return_exceptions=True)
        return collector

    return database, run_virtually(work())


@pytest.fixture(name="half_a_day", scope="module")
def go_on_half_a_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, Collector]:
    """The fourteen hours after that version, over a midnight; nobody changes them."""
    return go_on(Left(tmp_path_factory.mktemp("half-a-day")), 14)


# --- the energy state -------------------------------------------------------------------------------------------


def test_the_energy_state_is_what_that_version_had(left: Left) -> None:
    energy, was = left.load().energy, left.expected
    assert (energy.last_tick, energy.first_day, energy.zone) == (was["last_tick"], was["first_day"], was["zone"])
    assert energy.first_tick == site.BEGIN
    for name, old in was["counters"].items():
        counter = energy.counters[name]
        assert (counter.accepted_wh, counter.at, counter.rose_at) == (old["accepted"], old["at"], old["moved"])
        assert (counter.source, counter.offset_wh, counter.resets) == (old["source"], old["offset"], old["resets"])
        assert [[value.at, value.wh, value.bridged_wh] for value in counter.held] == old["held"]
        assert (counter.first_day, counter.bridged_wh) == (old["first_day"], old["bridged"])
        today = energy.today.energy[name]
        assert (today.wh, today.estimated_wh) == (old["today"], old["estimated"])
        assert today.is_integrated == (old["source"] == "integrated from power")
    assert energy.counters.keys() == was["counters"].keys() == energy.today.energy.keys()
    assert len(energy.counters["export"].held) == 2
    for day, old in zip(energy.days, [*was["days"], was["today"]], strict=True):
        assert (day.date, day.start, day.end, day.final) == (old["date"], old["start"], old["end"], old["final"])
        assert (day.polled_s, day.peak_production_w) == (old["polled_s"], old["peak_production_w"])
        assert [[*pair] for pair in day.tags.items()] == old["tags"]
        if day is not energy.today:
            assert {n: (e.wh, e.estimated_wh) for n, e in day.energy.items()} == {
                name: (figures["wh"], figures["estimated"]) for name, figures in old["booked"]
            }
    assert [(t.at, t.accepted_wh, t.today_wh) for t in energy.held_ticks] == [
        (old["tick"], old["accepted"], old["today"]) for old in was["pending"]
    ]
    assert {name: [sample.at, sample.power_w] for name, sample in energy.samples.items()} == was["samples"]


def test_sources_equipment_shapes_and_reports_are_what_that_version_had(left: Left) -> None:
    readings, was = left.load().readings, left.expected
    sources, notes = readings.sources, was["notes"]
    book = {
        **sources.fields,
        **{f"counter.{name}": source for name, source in sources.counters.items()},
        **{f"settled.{name}": sources.counters[name] for name in sources.pinned},
    }
    assert book == was["book"]
    assert sources.review.polled_s == was["review_polled_s"]
    known, doubted, since = json.loads(notes["equipment"])
    assert (readings.equipment.known, readings.equipment.doubted) == (known, doubted)
    assert (readings.equipment.doubted_since, readings.equipment.inverters) == (since, len(site.INVERTERS))
    assert {**readings.gateway_point.fields, "at": readings.gateway_point.at} == json.loads(notes["gateway"])
    for path, shape in readings.shapes.items():
        old = json.loads(notes[f"shape {path}"])
        assert (shape.keys.kinds, shape.keys.lost) == (old["kinds"], old["said"])
    assert {f"shape {path}" for path in readings.shapes} == {name for name in notes if name.startswith("shape ")}
    assert {serial: len(known) for serial, known in readings.reports.items()} == was["reports"]


def test_after_the_first_tick_the_folder_has_the_present_format_alone(left: Left) -> None:
    old = left.parts()
    _, collector = go_on(left, 0.2)
    new = left.parts()
    assert not [name for name in old.keys() & new.keys() if not name.startswith("panels.")]
    assert new == dump_state(collector.state)


# --- going on ---------------------------------------------------------------------------------------------------


def test_every_row_that_waited_is_there_and_is_delivered(left: Left) -> None:
    store, digest, waiting = left.open(), hashlib.sha256(), list[str]()
    for role in ROLES[:2]:
        after = (0, 0)
        while (lease := store.lease(role, newest=False, after=after)) is not None:
            body, after = gzip.decompress(lease.body), lease.end
            digest.update(body)
            waiting += body.decode().splitlines()
    rows = [row.line.decode() for row in store.read_daily(site.SERIAL, "")]
    store.close()
    assert (len(waiting), digest.hexdigest()) == (left.expected["lines"], left.expected["digest"])
    assert sorted(rows) == left.expected["daily"]
    database, _ = go_on(left, 1)
    assert set(waiting) <= set(database.lines)
    store = left.open()
    assert store.read_figures().rows == 0
    store.close()


def test_today_and_seven_days_go_on_without_a_jump(half_a_day: tuple[Database, Collector]) -> None:
    database, collector = half_a_day
    totals = database.fields("envoy_totals")
    midnight = collector.state.energy.today.start
    ticks = range(LAST - 1800, LAST + 14 * 3600, site.STEP_S)
    for tick in ticks:
        begin = midnight if tick >= midnight else midnight - 86400
        fields, off_by = totals[tick], 10.0 if tick <= LAST else 0.5  # on the fast clock answers came seconds later
        assert float(fields["production_today_wh"]) == pytest.approx(
            site.produced_wh(tick) - site.produced_wh(begin), abs=off_by
        )
        assert float(fields["production_7d_wh"]) == pytest.approx(7 * WHOLE_DAY_WH, abs=0.5)
        assert float(fields["grid_import_today_wh"]) == pytest.approx(
            site.IMPORT_W * (tick - begin) / 3600, abs=off_by
        )


def test_what_was_held_in_the_folder_proves_right_and_is_written_at_its_own_ticks(
    half_a_day: tuple[Database, Collector],
) -> None:
    database, collector = half_a_day
    totals, energy = database.fields("envoy_totals"), collector.state.energy
    for tick in (LAST - 300, LAST, LAST + 300, LAST + 600):
        assert float(totals[tick]["grid_export_lifetime_wh"]) == pytest.approx(site.exported_wh(tick), abs=0.1)
    assert energy.counters["export"].resets == 1
    row = database.fields("envoy_day")[energy.past[-1].start]
    assert row["counter_resets"] == "1i"
    assert float(row["production_wh"]) == pytest.approx(WHOLE_DAY_WH, abs=0.5)
    assert float(row["grid_import_wh"]) == pytest.approx(24 * site.IMPORT_W, abs=0.5)


def test_pin_and_token_are_used_without_a_new_sign_in(left: Left) -> None:
    """The whole recorder, against a gateway that shows the same certificate and knows the token."""
    pin, token = (left.state / name for name in (f"pin-{site.SERIAL}.json", f"token-{site.SERIAL}"))
    kept, known = token.read_bytes(), json.loads(pin.read_bytes())
    certificate = Certificate(
        (left.folder / "certificate.pem").read_bytes(), (left.folder / "certificate-key.pem").read_bytes(), ""
    )
    with driving(LAST + 100) as clock, BackgroundSimulator(Model(), clock, certificate=certificate) as gateway:
        key = load_pem_private_key((left.folder / "token-key.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        gateway.simulator.tokens.key = key
        settings = {
            **gateway.settings,
            "LOGGER_TOTALS_INTERVAL_S": str(site.STEP_S),
            "LOGGER_DEVICES_INTERVAL_S": "900",
        }
        with DrivenRecorder(left.folder, settings, clock) as recorder:
            recorder.wait_until(lambda status: status["polls"]["last_tick"] > LAST)
            assert recorder.terminate() == 0
            said = recorder.log
        assert (gateway.cloud.sign_ins, gateway.cloud.token_requests) == (0, 0)
        assert {served.status for served in gateway.journal if served.path == "/ivp/meters/readings"} == {200}
    assert token.read_bytes() == kept
    assert {**json.loads(pin.read_bytes()), "address": known["address"]} == known
    assert "cannot be read" not in said
    assert "pinned from now on" not in said
    assert left.load().energy.last_tick > LAST


class Model:
    """The site behind a simulated gateway."""

    serial, needs_token = site.SERIAL, True

    def answer(self, path: str, now: float) -> Reply:
        if path.startswith("/info"):
            return Reply(200, "text/xml", site.info(now))
        found = site.documents(now).get(path)
        if found is None:
            return Reply(404, "text/html", b"<html>not found</html>")
        return Reply(200, "application/json", json.dumps(found).encode())

    def access(self, path: str) -> Access:
        return "open" if path.startswith("/info") else "token"


# --- what cannot be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "subject"),
    [
        ("counter.import", "energy state"),
        ("now", "energy state"),
        ("book", "choice of sources"),
        ("note.equipment", "list of equipment"),
        ("note.gateway", "last point of the gateway"),
        ("note.shape /ivp/meters", "keys of documents"),
        ("panels.now", "panel state"),
    ],
)
@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_a_part_that_cannot_be_read_begins_anew_alone_and_is_logged(
    left: Left, caplog: pytest.LogCaptureFixture, part: str, subject: str, text: str
) -> None:
    parts = left.parts()
    assert part in parts
    with caplog.at_level(logging.WARNING):
        whole = load_state(parts, {})
        assert not caplog.records
        found = load_state({**parts, part: text}, {})
    said = [record.getMessage() for record in caplog.records]
    words = f"the stored {subject} cannot be read, so recording continues without this part of the stored state: "
    assert [words in message for message in said] == [True]
    fresh = GatewayState()
    same = {
        "energy state": (found.energy == fresh.energy, found.energy == whole.energy),
        "panel state": (found.panels == fresh.panels, found.panels == whole.panels),
        "choice of sources": (
            found.readings.sources == fresh.readings.sources,
            found.readings.sources == whole.readings.sources,
        ),
        "list of equipment": (
            found.readings.equipment == fresh.readings.equipment,
            found.readings.equipment == whole.readings.equipment,
        ),
        "last point of the gateway": (
            found.readings.gateway_point == fresh.readings.gateway_point,
            found.readings.gateway_point == whole.readings.gateway_point,
        ),
        "keys of documents": (
            found.readings.shapes == fresh.readings.shapes,
            found.readings.shapes == whole.readings.shapes,
        ),
    }
    assert {name: is_fresh for name, (is_fresh, _) in same.items()} == {name: name == subject for name in same}
    assert {name: is_kept for name, (_, is_kept) in same.items()} == {name: name != subject for name in same}


@pytest.mark.parametrize("part", ["energy.now", "readings.sources", "readings.keys./ivp/meters"])
def test_a_part_of_the_present_format_that_cannot_be_read_is_logged_too(
    left: Left, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    parts = dump_state(left.load())
    with caplog.at_level(logging.WARNING):
        found = load_state({**parts, part: "[1]"}, {})
    assert len(caplog.records) == 1
    assert (found.energy == GatewayState().energy) == (part == "energy.now")
