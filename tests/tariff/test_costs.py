"""Costs are booked at the price of the time in which the energy flowed, and the bands add up to the day."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger import log
from logger.daemon.tariff_files import TariffFiles, read_prices
from logger.energy.day_rows import BAND_DAY
from logger.energy.engine import account
from logger.energy.state import EnergyState, Tick, Wiring
from logger.energy.stored import dump_energy, load_energy
from logger.model import DayRow, Value
from logger.site import Site
from logger.tariff.price_files import find_price_files
from logger.tariff.price_table import make_table
from logger.tariff.prices import Prices
from logger.tariff.tariff_file import parse_tariff
from tests.sizes import examples
from tests.tariff.tariffs import tariff_texts
from tests.tariff.test_prices import HOURLY
from tests.tariff.test_tariff_file import TIME_OF_USE

ZONE = "Europe/Berlin"
NET = Wiring(net=True, total=False, storage=False, batteries=0)


def at(day: str, clock: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(ZONE)).timestamp())


def prices_of(text: str) -> Prices:
    tariff, problems = parse_tariff(text.encode())
    assert problems == ()
    return Prices(tariff)


@dataclass
class House:
    """A site with the given powers in W, read at ticks; the rows by (date, band), the day's own without a band."""

    prices: Prices
    start: int
    watts: dict[str, float] = field(default_factory=lambda: {"production": 0.0, "import": 600.0, "export": 0.0})
    wiring: Wiring = NET
    zone: str = ZONE
    state: EnergyState = field(default_factory=EnergyState)
    rows: dict[tuple[str, str], DayRow] = field(default_factory=dict)
    tick: int = 0
    wh: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wh = dict.fromkeys(self.watts, 1e6)
        self.state = EnergyState(zone=self.zone)
        self.read(self.start)

    def read(self, tick: int) -> None:
        for name, watts in self.watts.items():
            self.wh[name] += watts * (tick - self.tick) / 3600 if self.tick else 0.0
        self.tick = tick
        read = Tick(tick, dict(self.wh), self.wiring, 75_000.0, Site(zone=self.zone))
        found = account(self.state, read, self.prices)
        self.state = load_energy(dump_energy(found.state))
        assert self.state == found.state
        rows = [row for row in found.rows if row.reading.measurement in ("envoy_day", "envoy_band_day")]
        self.rows |= {(row.day, row.reading.tags.get("band", "")): row for row in rows}

    def run(self, until: int, every_s: int = 900) -> None:
        for tick in range(self.tick + every_s, until + 1, every_s):
            self.read(tick)

    def value(self, day: str, name: str, band: str = "") -> Value | None:
        return self.rows[day, band].reading.fields.get(name)

    def bands(self, day: str) -> dict[str, DayRow]:
        return {band: row for (date, band), row in self.rows.items() if date == day and band}


def test_each_hour_costs_the_price_of_its_band() -> None:
    house = House(prices_of(TIME_OF_USE), at("2025-05-07", "00:00"))
    house.run(at("2025-05-08", "00:15"))
    assert house.value("2025-05-07", "grid_import_wh", "night") == pytest.approx(4800, abs=0.01)
    assert house.value("2025-05-07", "cost", "night") == pytest.approx(4.8 * 0.22, abs=1e-6)
    assert house.value("2025-05-07", "cost", "day") == pytest.approx(9.6 * 0.30, abs=1e-6)
    assert house.value("2025-05-07", "cost") == pytest.approx(4.8 * 0.22 + 9.6 * 0.30, abs=1e-6)
    assert house.value("2025-05-07", "saved") == pytest.approx(0.0, abs=1e-6)
    assert house.value("2025-05-07", "currency", "day") == "EUR"


def test_a_gap_is_booked_at_the_mean_of_its_time_and_marked() -> None:
    house = House(prices_of(TIME_OF_USE), at("2025-05-07", "00:00"))
    house.run(at("2025-05-07", "04:00"))
    house.read(at("2025-05-07", "08:00"))
    house.read(at("2025-05-08", "02:00"))
    assert house.value("2025-05-07", "grid_import_wh", "night") == pytest.approx(4800, abs=0.01)
    assert house.value("2025-05-07", "grid_import_wh", "day") == pytest.approx(9600, abs=0.01)
    assert house.value("2025-05-07", "grid_import_estimated_wh", "day") == pytest.approx(8400, abs=0.01)


def test_what_sun_saved_is_what_the_house_would_have_paid_less_what_it_paid() -> None:
    house = House(
        prices_of(TIME_OF_USE.replace("sell = 0.082", "sell = 0.082\nstanding_charge = 0.5")),
        at("2024-06-01", "00:00"),
        watts={"production": 1000.0, "import": 200.0, "export": 700.0},
    )
    house.run(at("2024-06-02", "00:15"))
    assert house.value("2024-06-01", "cost") == pytest.approx(4.8 * 0.32 + 0.5, abs=1e-6)
    assert house.value("2024-06-01", "income") == pytest.approx(16.8 * 0.082, abs=1e-6)
    assert house.value("2024-06-01", "saved") == pytest.approx(12.0 * 0.32 - 4.8 * 0.32 + 16.8 * 0.082, abs=1e-6)
    assert house.value("2024-06-01", "cost", "standing") == 0.5
    assert house.value("2024-06-01", "grid_import_wh", "standing") == 0.0


def test_a_tier_begins_where_the_month_reaches_its_limit() -> None:
    text = TIME_OF_USE.replace("sell = 0.082", "sell = 0.082\n[[period.tier]]\nabove_kwh = 20\nadd = 0.1")
    house = House(prices_of(text), at("2024-06-29", "00:00"))
    house.run(at("2024-07-02", "00:15"))
    assert house.value("2024-06-29", "cost") == pytest.approx(14.4 * 0.32, abs=1e-6)
    assert house.value("2024-06-30", "cost") == pytest.approx(14.4 * 0.32 + 8.8 * 0.1, abs=1e-6)
    assert house.value("2024-07-01", "cost") == pytest.approx(14.4 * 0.32, abs=1e-6)


def test_a_new_price_never_changes_what_is_booked() -> None:
    house = House(prices_of(TIME_OF_USE), at("2024-06-01", "00:00"))
    house.run(at("2024-06-01", "12:00"))
    house.prices = prices_of(TIME_OF_USE.replace("buy = 0.32", "buy = 0.50"))
    house.run(at("2024-06-02", "00:15"))
    assert house.value("2024-06-01", "cost") == pytest.approx(7.2 * 0.32 + 7.2 * 0.50, abs=1e-6)


def test_energy_waits_a_day_for_its_price_and_is_then_booked_without_one() -> None:
    house = House(prices_of(HOURLY), at("2025-06-01", "00:00"))
    house.run(at("2025-06-02", "12:00"))
    assert house.value("2025-06-01", "grid_import_wh", "unpriced") == pytest.approx(7200, abs=11), "older than a day"
    assert house.value("2025-06-01", "cost", "unpriced") == 0.0
    table = make_table([{at("2025-06-01", "00:00") + hour * 3600: (hour / 100, None) for hour in range(48)}])
    house.prices = Prices(house.prices.tariff, table)
    house.run(at("2025-06-02", "12:15"))
    assert house.value("2025-06-01", "grid_import_wh", "hourly") == pytest.approx(7200, abs=11)
    assert house.value("2025-06-01", "cost", "hourly") == pytest.approx(
        sum(0.6 * hour / 100 for hour in range(12, 24)), abs=0.01
    )
    assert house.value("2025-06-02", "cost") == pytest.approx(
        sum(0.6 * hour / 100 for hour in range(24, 36)), abs=0.11
    )


def test_energy_after_the_last_quarter_of_a_price_file_waits_for_the_next_file() -> None:
    begin = at("2025-06-01", "00:00")
    today: dict[int, tuple[float, float | None]] = {begin + quarter * 900: (0.2, None) for quarter in range(96)}
    house = House(prices_of(HOURLY), begin)
    house.prices = Prices(house.prices.tariff, make_table([today]))
    house.run(at("2025-06-02", "00:30"))
    assert house.value("2025-06-01", "cost") == pytest.approx(14.4 * 0.2, abs=1e-6)
    tomorrow: dict[int, tuple[float, float | None]] = {
        begin + quarter * 900: (0.5, None) for quarter in range(96, 192)
    }
    house.prices = Prices(house.prices.tariff, make_table([today, tomorrow]))
    house.run(at("2025-06-02", "04:15"))
    assert house.value("2025-06-02", "cost") == pytest.approx(0.6 * 4.25 * 0.5, abs=1e-6)


USES = st.lists(st.tuples(st.integers(60, 200_000), *[st.floats(0, 8000)] * 3), min_size=1, max_size=12)
BEGINS = st.integers(0, 86400 * 700)


@settings(max_examples=examples(500))
@given(tariff_texts(), USES, BEGINS)
def test_the_sum_of_the_bands_is_the_day_at_any_tariff(
    text: str, spans: list[tuple[int, float, float, float]], begin: int
) -> None:
    assert_bands_are_days(text, spans, begin)


@pytest.mark.long
@settings(max_examples=examples(2000), deadline=None)
@given(tariff_texts(), USES, BEGINS)
def test_the_sum_of_the_bands_is_the_day_at_many_tariffs(
    text: str, spans: list[tuple[int, float, float, float]], begin: int
) -> None:
    assert_bands_are_days(text, spans, begin)


def assert_bands_are_days(text: str, spans: list[tuple[int, float, float, float]], begin: int) -> None:
    house = House(prices_of(text), at("2023-02-01", "00:00") + begin // 60 * 60)
    for length, *watts in spans:
        house.watts = dict(zip(("production", "import", "export"), watts, strict=True))
        house.read(house.tick + length // 60 * 60)
    house.read(house.tick // 900 * 900 + 900)
    house.read(house.tick + 86400)
    booked = {day.date for day in house.state.past}
    assert booked <= {day for day, _ in house.rows}
    for day in booked:
        site, bands = house.rows[day, ""].reading.fields, house.bands(day).values()
        assert {"saved" in row.reading.fields for row in bands} == {"saved" in site}, "known where the house is"
        for name in ("cost", "income", *(["saved"] if "saved" in site else [])):
            assert site[name] == pytest.approx(sum(row.reading.fields[name] for row in bands), abs=1e-6)  # type: ignore[misc]
        for name in ("grid_import_wh", "grid_export_wh"):
            assert site[name] == pytest.approx(sum(row.reading.fields[name] for row in bands), abs=1e-3)  # type: ignore[misc]
        assert all(row.reading.measurement == BAND_DAY for row in bands)


def test_price_files_are_read_again_as_they_grow_and_a_broken_tariff_replaces_no_good_one(tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    file = tmp_path / "tariff.toml"
    file.write_text(HOURLY.replace("p.csv", "prices"), encoding="utf-8")
    files = TariffFiles(str(file), log.Changes(log.get("collect")))
    assert files.current().table.times == []
    (folder / "a.csv").write_text("2025-06-01T00:00Z,0.2,0.1\n2025-06-01T01:00Z,0.3", encoding="utf-8")
    assert len(files.current().table.times) == 1
    (folder / "a.csv").write_text("2025-06-01T00:00Z,0.2,0.1\n2025-06-01T01:00Z,0.3\n", encoding="utf-8")
    assert len(files.current().table.times) == 2
    known = files.current()
    assert files.current() is known, "nothing changed"
    file.write_text("[[period", encoding="utf-8")
    assert files.current() is known
    assert read_prices(str(file))[1][0].startswith("line 1: is not TOML")
    file.unlink()
    assert files.current() is known


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    file, prices = tmp_path / "tariff.toml", tmp_path / "p.csv"
    file.write_text(HOURLY, encoding="utf-8")
    prices.write_text("", encoding="utf-8")

    class Overtaken(TariffFiles):
        """Another program writes the prices while the files are read."""

        def _read_again(self) -> None:
            super()._read_again()
            if not prices.read_bytes():
                prices.write_text("2025-06-01T00:00Z,0.2,0.1\n", encoding="utf-8")

    files = Overtaken(str(file), log.Changes(log.get("collect")))
    assert files.current().table.times == []
    assert len(files.current().table.times) == 1


@contextmanager
def without_rights() -> Iterator[None]:
    """Root, too, may read only what everybody may read."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("place", ["closed", "closed/p.csv", "closed/prices", "~nobody-has-this-name/p.csv"])
def test_price_files_that_this_user_may_not_read_are_a_problem_and_not_the_end_of_the_recorder(place: str) -> None:
    prices_of(HOURLY)  # imports what it needs, as long as it may
    changes = log.Changes(log.get("collect"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0)
        (folder / "tariff.toml").write_text(HOURLY.replace("p.csv", place), encoding="utf-8")
        files = TariffFiles(str(folder / "tariff.toml"), changes)
        with without_rights():
            assert files.current().tariff.periods
            assert files.current().table.times == []
            assert find_price_files(folder / "tariff.toml") == []
    assert f"names the price file {Path(place).name}, which cannot be read: " in changes.troubles["tariff file"]


@pytest.mark.parametrize(
    ("currency", "prices", "is_used"),
    [
        ("EUR", (28.1, -2.0, 31.0), False),
        ("EUR", (87.0, 92.1, 120.3), False),
        ("AUD", (0.21, 17.5, 0.25), True),
        ("JPY", (28.1, 30.2, 31.0), True),
    ],
)
def test_a_price_file_in_cents_or_for_a_mwh_is_named_and_not_used(
    currency: str, prices: tuple[float, ...], is_used: bool, tmp_path: Path
) -> None:
    (tmp_path / "tariff.toml").write_text(HOURLY.replace("EUR", currency), encoding="utf-8")
    lines = "".join(f"2025-06-01T{hour:02}:00Z,{price}\n" for hour, price in enumerate(prices))
    (tmp_path / "p.csv").write_text(lines, encoding="utf-8")
    read, problems = read_prices(str(tmp_path / "tariff.toml"))
    assert bool(read.table.times) is is_used
    assert len(problems) == (0 if is_used else 1)
    for problem in problems:
        assert problem.startswith(f"names the price file p.csv: its usual price is {sorted(map(abs, prices))[1]:g}; ")


@pytest.mark.parametrize(("balanced", "cost"), [("true", 0.0), ("false", 24.0 * 0.32)])
def test_a_meter_that_counts_the_sum_over_the_phases_bills_the_balanced_import(balanced: str, cost: float) -> None:
    text = TIME_OF_USE.replace("sell = 0.082", f"sell = 0.082\nbalanced = {balanced}")
    house = House(
        prices_of(text),
        at("2024-06-01", "00:00"),
        watts={"production": 0.0, "import": 1000.0, "export": 1000.0},
        wiring=replace(NET, phases=3),
    )
    house.run(at("2024-06-02", "00:15"), every_s=300)
    assert house.value("2024-06-01", "cost") == pytest.approx(cost, abs=0.01)
    assert house.value("2024-06-01", "grid_import_wh") == pytest.approx(24_000, abs=20)
