"""The ship loop in virtual time: the newest first, nothing lost, one bucket never holds up the other."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from logger import log
from logger.clock import SystemClock
from logger.daemon.config import target_of
from logger.daemon.influxdb_credentials import Credentials
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.errors import StoreFullError
from logger.influx.classify import Blocked, Done, Outcome, Wait
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.log import Changes
from logger.model import ROLES, Role
from logger.settings.load import load_settings
from logger.store.figures import StoreFigures
from logger.store.records import Batch, Commit
from logger.store.store import Store
from tests.daemon.parts import START, InlineStore
from tests.databases.fake2 import Fake2
from tests.store.samples import day_row
from tests.virtual import VirtualClock, run_virtually

TARGET = Target("http://127.0.0.1:1", "2", "token", "org", "", "", dict.fromkeys(ROLES, "b"))


class ScriptedWriter(Writer):
    """Answers by a function of role, number of the request and time; remembers what it took, in order."""

    def __init__(self, clock: VirtualClock, answer: Callable[[Role, float], Outcome]) -> None:
        super().__init__(TARGET, clock)
        self.clock, self.answer = clock, answer
        self.taken: list[tuple[Role, str]] = []
        self.asked: list[tuple[Role, float]] = []

    async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
        await asyncio.sleep(0.1)
        self.asked.append((role, self.clock.monotonic()))
        outcome = self.answer(role, self.clock.monotonic())
        if isinstance(outcome, Done):
            self.taken += [(role, line) for line in gzip.decompress(body).decode().splitlines()]
        return outcome


@contextlib.asynccontextmanager
async def delivering(
    store: InlineStore, writer: ScriptedWriter, changes: Changes | None = None
) -> AsyncIterator[Shipper]:
    """Deliver from `store` through `writer` while inside."""
    shipper = Shipper(writer, store, writer.clock, Progress(writer.clock), changes or Changes(None))
    loop = asyncio.create_task(shipper.run())
    try:
        yield shipper
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await writer.aclose()


def ship(
    folder: Path,
    seconds: float,
    answer: Callable[[Role, float], Outcome],
    *,
    ticks: int = 5,
    more: tuple[float, int] | None = None,
) -> tuple[ScriptedWriter, StoreFigures, Shipper]:
    """Ship what `ticks` ticks stored, for some seconds; `more` stores one more tick after a while."""

    async def work() -> tuple[ScriptedWriter, StoreFigures, Shipper]:
        clock = VirtualClock(START)
        writer = ScriptedWriter(clock, answer)
        with InlineStore(folder, clock) as store:
            for number in range(ticks):
                await store.call(Store.put, tick(number))
            async with delivering(store, writer, Changes(log.get("ship"))) as shipper:
                if more is not None:
                    await asyncio.sleep(more[0])
                    await store.call(Store.put, tick(more[1]))
                    shipper.wake()
                await asyncio.sleep(seconds - (more[0] if more is not None else 0))
            return writer, store.store.read_figures(), shipper

    return run_virtually(work())


def tick(number: int) -> Commit:
    batches = tuple(
        Batch(role, 1, gzip.compress(f"{role} n={number} {START + 60 * number}\n".encode()))
        for role in ("totals", "devices")
    )
    return Commit("1", START + 60 * number, batches)


def numbers(writer: ScriptedWriter, role: Role) -> list[int]:
    return [int(line.split("n=")[1].split(" ")[0]) for taken, line in writer.taken if taken == role]


def test_the_newest_tick_goes_first_then_the_backlog_from_its_oldest_end(tmp_path: Path) -> None:
    writer, figures, _ = ship(tmp_path, 10, lambda role, at: Done())
    assert numbers(writer, "totals") == [4, 0, 1, 2, 3]
    assert numbers(writer, "devices") == [4, 0, 1, 2, 3]
    assert figures.rows == 0


def test_a_backlog_that_failed_in_the_middle_goes_on_from_its_oldest_end(tmp_path: Path) -> None:
    class Small(ScriptedWriter):
        most_lines = 2

    async def work() -> ScriptedWriter:
        clock = VirtualClock(START)
        writer = Small(clock, lambda role, at: Wait("busy", status=500) if len(writer.asked) == 4 else Done())
        with InlineStore(tmp_path, clock) as store:
            for number in range(9):
                await store.call(Store.put, tick(number))
            async with delivering(store, writer):
                await asyncio.sleep(60)
        return writer

    writer = run_virtually(work())
    assert numbers(writer, "totals") == [8, *range(8)]
    assert numbers(writer, "devices") == [8, *range(8)]


def test_new_rows_are_sent_without_being_read_again_and_older_ones_after_them(tmp_path: Path) -> None:
    async def work() -> tuple[list[str], ScriptedWriter, StoreFigures]:
        clock, calls = VirtualClock(START), list[str]()
        writer = ScriptedWriter(clock, lambda role, at: Done())
        with InlineStore(tmp_path, clock) as store:
            async with delivering(store, writer) as shipper:
                await asyncio.sleep(60)
                store.before = calls.append
                shipper.wake({"totals", "devices"}, await store.call(Store.put, tick(0)))
                await asyncio.sleep(60)
                quick = calls.copy()
                for number in (1, 2):
                    shipper.wake({"totals", "devices"}, await store.call(Store.put, tick(number)))
                await asyncio.sleep(60)
            return quick, writer, store.store.read_figures()

    quick, writer, figures = run_virtually(work())
    assert quick == ["put"]
    assert numbers(writer, "totals") == [0, 2, 1]
    assert numbers(writer, "devices") == [0, 2, 1]
    assert figures.rows == 0


def test_an_outage_loses_nothing_and_is_tried_ever_more_slowly(tmp_path: Path) -> None:
    writer, figures, _ = ship(tmp_path, 1200, lambda role, at: Wait("down") if at < 600 else Done())
    assert sorted(numbers(writer, "totals")) == [0, 1, 2, 3, 4]
    assert figures.rows == 0
    tries = [at for _, at in writer.asked if at < 600]
    gaps = [b - a for a, b in zip(tries, tries[1:], strict=False)]
    assert len(tries) < 30
    assert gaps[0] < 2
    assert 30 <= max(gaps) <= 61


def test_a_pause_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    writer, _, _ = ship(tmp_path, 600, lambda role, at: Wait("busy", 120.0) if at < 100 else Done())
    totals = [at for role, at in writer.asked if role == "totals"]
    assert totals[1] - totals[0] >= 120


def test_a_blocked_bucket_keeps_everything_and_does_not_hold_up_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(role: Role, at: float) -> Outcome:
        return Blocked("bucket envoy not found", "make the bucket", "missing", 404) if role == "totals" else Done()

    with caplog.at_level("INFO", logger="logger"):
        writer, figures, shipper = ship(tmp_path, 600, answer)
    assert sorted(numbers(writer, "devices")) == [0, 1, 2, 3, 4]
    assert figures.roles["totals"].rows == 5
    assert 8 <= len([role for role, _ in writer.asked if role == "totals"]) <= 12
    assert [record.message for record in caplog.records] == ["bucket envoy not found\nTry: make the bucket"]
    assert shipper._changes.troubles == {"influx totals": "bucket envoy not found\nTry: make the bucket"}


def test_a_bucket_that_is_mended_is_filled_within_a_minute_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(role: Role, at: float) -> Outcome:
        return Blocked("unauthorized", "check the token", "credentials", 401) if at < 300 else Done()

    with caplog.at_level("INFO", logger="logger"):
        writer, figures, _ = ship(tmp_path, 365, answer)
    assert figures.rows == 0
    assert sum("InfluxDB accepts writes to the" in record.message for record in caplog.records) == 2
    assert len(numbers(writer, "totals")) == 5


def test_a_new_tick_is_delivered_at_once(tmp_path: Path) -> None:
    writer, _, _ = ship(tmp_path, 35, lambda role, at: Done(), more=(30, 7))
    assert numbers(writer, "totals")[-1] == 7
    assert [at for role, at in writer.asked if role == "totals"][-1] < 31


def test_trouble_of_the_store_does_not_end_the_loop(tmp_path: Path) -> None:
    async def work() -> ScriptedWriter:
        clock = VirtualClock(START)
        writer = ScriptedWriter(clock, lambda role, at: Done())
        fails = [3]

        def locked(name: str) -> None:
            if name == "lease" and fails[0]:
                fails[0] -= 1
                raise StoreFullError("the store cannot be written: database is locked", "close it elsewhere")

        with InlineStore(tmp_path, clock) as store:
            await store.call(Store.put, tick(0))
            store.before = locked
            async with delivering(store, writer):
                await asyncio.sleep(600)
        return writer

    assert numbers(run_virtually(work()), "totals") == [0]


def test_daily_rows_go_as_they_stand_before_the_backlog_and_once(tmp_path: Path) -> None:
    async def work() -> tuple[ScriptedWriter, StoreFigures]:
        clock = VirtualClock(START)
        writer = ScriptedWriter(clock, lambda role, at: Done())
        with InlineStore(tmp_path, clock) as store:
            shipper = Shipper(writer, store, clock, Progress(clock), Changes(None))
            for number in range(3):
                await store.call(Store.put, tick(number))
            for value in (1.0, 2.0):
                await store.call(Store.put, Commit("1", START + 180, daily=(day_row("2026-05-28", value),)))
            while await shipper.round():
                pass
            await store.call(Store.put, Commit("1", START + 240, daily=(day_row("2026-05-28", 3.0),)))
            shipper.wake({"daily"})
            while await shipper.round():
                pass
            await writer.aclose()
            return writer, store.store.read_figures()

    writer, figures = run_virtually(work())
    assert [role for role, _ in writer.taken] == [
        "totals",
        "devices",
        "daily",
        "totals",
        "totals",
        "devices",
        "devices",
        "daily",
    ]
    assert [line.split()[1] for role, line in writer.taken if role == "daily"] == [
        "production_wh=2.0",
        "production_wh=3.0",
    ]
    assert figures.rows == 0


def test_trouble_of_the_server_is_said_once_for_all_and_tried_once_for_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="logger"):
        writer, figures, shipper = ship(
            tmp_path, 300, lambda role, at: Wait("refuses the connection") if at < 200 else Done()
        )
    assert [record.message for record in caplog.records] == [
        "InfluxDB: refuses the connection; the readings wait in the store", "InfluxDB accepts deliveries again"
    ]  # fmt: skip
    tries = [at for _, at in writer.asked if at < 199]
    assert min(b - a for a, b in zip(tries, tries[1:], strict=False)) > 0.5, "one try, not one of each role"
    assert figures.rows == 0


@pytest.mark.parametrize(("bad", "well"), [("devices", "totals"), ("totals", "devices")])
def test_a_bucket_that_the_server_cannot_serve_delays_no_other_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: Role, well: Role
) -> None:
    async def work() -> list[int]:
        clock, prompt = VirtualClock(START), list[int]()
        writer = ScriptedWriter(clock, lambda role, at: Wait("HTTP 503", status=503) if role == bad else Done())
        with InlineStore(tmp_path, clock) as store:
            async with delivering(store, writer, Changes(log.get("ship"))) as shipper:
                for number in range(60):
                    await asyncio.sleep(60)
                    shipper.wake({"totals", "devices"}, await store.call(Store.put, tick(number)))
                    await asyncio.sleep(1)
                    prompt += [number] if numbers(writer, well)[-1:] == [number] else []
                return prompt

    with caplog.at_level("INFO", logger="logger"):
        prompt = run_virtually(work())
    assert len(prompt) >= 58
    assert len(caplog.records) <= 3


def test_a_server_that_is_too_slow_for_a_batch_is_given_smaller_ones_and_now_stays_live(tmp_path: Path) -> None:
    sizes: list[int] = []
    live: list[int] = []

    class Slow(ScriptedWriter):
        async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
            count = gzip.decompress(body).count(b"\n")
            sizes.append(count)
            await asyncio.sleep(min(30.0, count / 60))
            if count == 1:
                live.append(round(self.clock.monotonic()))
            return Wait("gave no complete answer in 30 s") if count / 60 > 30 else Done()

    def totals(number: int, lines: int) -> Commit:
        body = b"".join(b"m,n=%d f=1.5 %d\n" % (n, START + 60 * number) for n in range(lines))
        return Commit("1", START + 60 * number, (Batch("totals", lines, gzip.compress(body)),))

    async def work() -> StoreFigures:
        clock = VirtualClock(START)
        with InlineStore(tmp_path, clock) as store:
            for number in range(40):
                await store.call(Store.put, totals(number, 500))
            async with delivering(store, Slow(clock, lambda role, at: Done())) as shipper:
                for number in range(40, 60):
                    await asyncio.sleep(60)
                    await store.call(Store.put, totals(number, 1))
                    shipper.wake()
            return store.store.read_figures()

    figures = run_virtually(work())
    assert max(sizes) == 5000
    assert figures.roles["totals"].rows <= 1, "no batch is tried for ever"
    assert len(live) >= 19


def test_mended_credentials_are_read_anew_and_used_at_once(
    tmp_path: Path, fake_influx2: Fake2, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = fake_influx2.fresh_buckets()
    target = fake_influx2.target(buckets)
    secret = tmp_path / "token"
    secret.write_text("not-the-token\n")
    secret.chmod(0o600)
    monkeypatch.setenv("INFLUXDB_URL", target.url)
    monkeypatch.setenv("INFLUXDB_ORG", target.org)
    monkeypatch.setenv("INFLUXDB_BUCKET", buckets["totals"])
    monkeypatch.setenv("INFLUXDB_BUCKET_DEVICES", buckets["devices"])
    monkeypatch.setenv("INFLUXDB_TOKEN_FILE", str(secret))

    async def work() -> tuple[dict[str, str], int]:
        clock = SystemClock()
        settings = load_settings(tmp_path / ".env")
        found = target_of(settings)
        assert found is not None
        writer, changes = Writer(found, clock), Changes(None)
        credentials = Credentials(writer, settings)
        with InlineStore(tmp_path / "state", clock) as store:
            await store.call(Store.put, tick(0))
            shipper = Shipper(writer, store, clock, Progress(clock), changes, credentials=credentials)
            assert not await shipper.round()
            troubles = changes.troubles
            secret.write_text(f"{target.token}\n")
            for role in ROLES:
                shipper._backoff.succeed(role)
            await shipper.round()  # refused once more, and read anew
            while await shipper.round():
                pass
            await writer.aclose()
            return troubles, store.store.read_figures().rows

    troubles, rows = asyncio.run(work())
    assert rows == 0
    assert "reads corrected credentials within a minute, without a restart" in troubles["influx totals"]


def test_credentials_that_came_with_the_process_need_a_restart_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUXDB_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("INFLUXDB_TOKEN", "from-the-environment")
    settings = load_settings(tmp_path / ".env")
    target = target_of(settings)
    assert target is not None
    credentials = Credentials(Writer(target, SystemClock()), settings)
    assert not credentials.renew()
    assert credentials.hint().startswith("then systemctl restart envoy-logger")
    assert "the process received INFLUXDB_TOKEN at its start" in credentials.hint()


class Forgetful(ScriptedWriter):
    """A server of one's own: it may have lost what it confirmed."""

    def __init__(self, clock: VirtualClock, answer: Callable[[Role, float], Outcome]) -> None:
        super().__init__(clock, answer)
        self.may_forget = True


def through_an_outage(
    folder: Path, kind: type[ScriptedWriter], outcome: Outcome
) -> tuple[ScriptedWriter, StoreFigures]:
    """Five ticks are delivered, then one more comes while the server answers otherwise, then it is back."""

    async def work() -> tuple[ScriptedWriter, StoreFigures]:
        clock = VirtualClock(START + 600)
        writer = kind(clock, lambda role, at: outcome if 100 < at < 200 else Done())
        with InlineStore(folder, clock) as store:
            for number in range(5):
                await store.call(Store.put, tick(number))
            async with delivering(store, writer) as shipper:
                await asyncio.sleep(110)
                await store.call(Store.put, tick(5))
                shipper.wake()
                await asyncio.sleep(600)
            return writer, store.store.read_figures()

    return run_virtually(work())


def test_what_a_server_confirmed_before_it_was_away_is_sent_once_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="logger"):
        writer, figures = through_an_outage(tmp_path, Forgetful, Wait("refuses the connection", away=True))
    assert numbers(writer, "totals") == [4, 0, 1, 2, 3, 5, 0, 1, 2, 3, 4]
    assert numbers(writer, "devices") == [4, 0, 1, 2, 3, 5, 0, 1, 2, 3, 4]
    totals = figures.roles["totals"]
    assert (totals.rows, totals.delivered_rows, totals.delivered_lines) == (0, 6, 6)
    told = [record.message for record in caplog.records if "were sent again" in record.message]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [(Forgetful, Wait("busy", status=503)), (ScriptedWriter, Wait("refuses the connection", away=True))],
    ids=["it was only busy", "Cloud"],
)
def test_what_no_server_can_have_lost_is_sent_once(
    tmp_path: Path, kind: type[ScriptedWriter], outcome: Outcome
) -> None:
    writer, _ = through_an_outage(tmp_path, kind, outcome)
    assert numbers(writer, "totals") == [4, 0, 1, 2, 3, 5]


def test_a_new_process_sends_the_last_days_once_more_and_no_older_ones(tmp_path: Path) -> None:
    def work(after_s: float) -> ScriptedWriter:
        async def run() -> ScriptedWriter:
            clock = VirtualClock(START + after_s)
            writer = Forgetful(clock, lambda role, at: Done())
            with InlineStore(tmp_path, clock) as store:
                await store.call(Store.put, tick(int(after_s // 60)))
                async with delivering(store, writer):
                    await asyncio.sleep(30)
            return writer

        return run_virtually(run())

    assert numbers(work(0), "totals") == [0]
    assert numbers(work(7 * 86400), "totals") == [7 * 1440, 0]
    assert numbers(work(14 * 86400), "totals") == [14 * 1440, 7 * 1440]


def test_rows_of_days_are_sent_once_more_too_and_do_not_wait_meanwhile(tmp_path: Path) -> None:
    async def work() -> tuple[ScriptedWriter, StoreFigures, bool, bool]:
        clock = VirtualClock(START + 600)
        writer = Forgetful(clock, lambda role, at: Done())
        with InlineStore(tmp_path, clock) as store:
            rows = tuple(day_row(f"2026-06-{day}", float(day)) for day in (10, 20, 21))
            await store.call(Store.put, replace(tick(0), daily=rows))
            first = Shipper(writer, store, clock, Progress(clock), Changes(None))
            while await first.round():
                pass
            writer.taken.clear()
            async with delivering(store, writer) as shipper:
                await asyncio.sleep(2)
                figures, was_resending = store.store.read_figures(), shipper.is_resending
                await asyncio.sleep(120)
                return writer, figures, was_resending, shipper.is_resending

    writer, figures, was_resending, is_resending = run_virtually(work())
    assert (was_resending, is_resending) == (True, False)
    assert figures.rows == 0, "nothing waits while it is sent once more"
    days = [line for role, line in writer.taken if role == "daily"]
    assert days == [day_row("", value).line.decode() for value in (20.0, 21.0)]


def test_an_outage_in_the_middle_of_it_begins_it_anew_though_nothing_else_waits(tmp_path: Path) -> None:
    async def work() -> tuple[ScriptedWriter, Shipper]:
        clock = VirtualClock(START + 600)
        writer = Forgetful(clock, lambda role, at: Done())
        with InlineStore(tmp_path, clock) as store:
            for number in range(5):
                await store.call(Store.put, tick(number))
                await asyncio.sleep(1)
            first = Shipper(writer, store, clock, Progress(clock), Changes(None))
            while await first.round():
                pass
            writer.taken.clear()
            began = clock.monotonic()
            writer.answer = lambda role, at: Wait("refuses", away=True) if 3 < at - began < 60 else Done()
            async with delivering(store, writer) as shipper:
                await asyncio.sleep(300)
            return writer, shipper

    writer, shipper = run_virtually(work())
    assert not shipper.is_resending
    assert not shipper.troubles
    assert numbers(writer, "totals") == [0, 1, 2, 3, 4] * 2
    assert numbers(writer, "devices") == [0, 1, 2, 3, 4]


def test_what_a_server_fails_over_is_not_asked_for_ever(tmp_path: Path) -> None:
    class Failing(Forgetful):
        async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
            outcome = await super().write(role, body, gzipped=gzipped)
            return Wait("HTTP 500", status=500) if b"n=2 " in gzip.decompress(body) and self.fails else outcome

        fails = False

    async def work() -> ScriptedWriter:
        clock = VirtualClock(START + 600)
        writer = Failing(clock, lambda role, at: Done())
        with InlineStore(tmp_path, clock) as store:
            for number in range(5):
                await store.call(Store.put, tick(number))
            for fails in (False, True):
                writer.fails = fails
                writer.taken.clear()
                async with delivering(store, writer) as shipper:
                    await asyncio.sleep(300)
                    assert not shipper.is_resending
                    assert not shipper.troubles
        return writer

    writer = run_virtually(work())
    assert {0, 1, 3, 4} <= set(numbers(writer, "totals"))
    assert len(writer.asked) < 40


class VagueWriter(ScriptedWriter):
    """Says 500, without a reason, to every body with the text `bad`, and to every body while it is `sick`."""

    def __init__(self, clock: VirtualClock, bad: str, sick: Callable[[float], bool]) -> None:
        super().__init__(clock, lambda role, at: Done())
        self.bad, self.sick = bad, sick

    async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
        if self.sick(self.clock.time() - START) or self.bad in gzip.decompress(body).decode():
            self.asked.append((role, self.clock.monotonic()))
            await asyncio.sleep(0.1)
            return Wait("HTTP 500: An internal error has occurred", None, 500)
        return await super().write(role, body, gzipped=gzipped)


def ship_vaguely(folder: Path, bad: str, sick: Callable[[float], bool]) -> tuple[VagueWriter, StoreFigures]:
    """Record ten ticks of three lines, and then one a minute for an hour, against that server."""

    async def work() -> tuple[VagueWriter, StoreFigures]:
        clock = VirtualClock(START)
        writer = VagueWriter(clock, bad, sick)
        with InlineStore(folder, clock) as store:
            for number in range(10):
                await store.call(Store.put, three_lines(number))
            async with delivering(store, writer) as shipper:
                for number in range(10, 70):
                    await store.call(Store.put, three_lines(number))
                    shipper.wake()
                    await asyncio.sleep(60)
                await asyncio.sleep(600)
            return writer, store.store.read_figures()

    return run_virtually(work())


def three_lines(number: int) -> Commit:
    lines = "".join(f"{name} n={number} {START + 60 * number}\n" for name in ("first", "second", "third"))
    return Commit("1", START + 60 * number, (Batch("totals", 3, gzip.compress(lines.encode())),))


def test_a_line_that_a_server_fails_over_is_found_and_the_others_of_each_tick_arrive(tmp_path: Path) -> None:
    writer, figures = ship_vaguely(tmp_path, "second", lambda since: False)
    names = [line.split(" ")[0] for _, line in writer.taken]
    assert (names.count("first"), names.count("third"), names.count("second")) == (70, 70, 0)
    assert (figures.rows, figures.refused) == (0, 70)


def test_a_server_that_fails_over_everything_for_hours_loses_no_line(tmp_path: Path) -> None:
    writer, figures = ship_vaguely(tmp_path, "nothing", lambda since: 60 < since < 3000)
    taken = {line for _, line in writer.taken}
    assert len(taken) == 210
    assert (figures.rows, figures.refused) == (0, 0)


def test_it_is_news_when_nothing_waits_any_more(tmp_path: Path) -> None:
    waiting: list[int] = []

    async def work() -> None:
        clock = VirtualClock(START)
        writer = ScriptedWriter(clock, lambda role, now: Done())
        with InlineStore(tmp_path, clock) as store:
            for number in range(5):
                await store.call(Store.put, tick(number))

            def look() -> None:
                waiting.append(store.store.read_figures().lines)

            shipper = Shipper(writer, store, clock, Progress(clock), Changes(None), on_delivered=look)
            loop = asyncio.create_task(shipper.run())
            await asyncio.sleep(60)
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await writer.aclose()

    run_virtually(work())
    assert waiting == [0]
