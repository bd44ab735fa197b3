"""The daemon under bad input, in driven time: each trouble is said once, and when it ends everything goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.program import program
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.databases.influx1 import Influx1
from tests.driven import DrivenClock, driving
from tests.endtoend.points import Points, as_points, differences, in_database, stored
from tests.endtoend.recorder import DrivenRecorder, Watched, influxdb
from tests.endtoend.sites import MORNING
from tests.standin import BackgroundSimulator, Fault, invent_gateway

WHOLE = {"production_power_w", "net_power_w", "load_power_w", "battery_charge_percent", "inverters_producing"}


@pytest.fixture
def clock() -> Iterator[DrivenClock]:
    """Begins at ten in the morning, far from the gateway's nightly silence."""
    with driving(MORNING) as clock:
        yield clock


@pytest.fixture
def driven(clock: DrivenClock) -> Iterator[BackgroundSimulator]:
    """Firmware 8 with meters, batteries and an account, on the recorder's own clock."""
    with BackgroundSimulator(invent_gateway("8-battery", epoch=clock.start - 86400), clock) as running:
        yield running


def troubles(status: dict[str, dict[str, str]]) -> str:
    return "\n".join(status["troubles"].values())


def until_said(recorder: Watched, what: str) -> None:
    recorder.wait_until(lambda status: bool(re.search(what, troubles(status))))


def minutes_pass(recorder: Watched, minutes: int) -> None:
    """So many ticks are stored or missed."""

    def count(status: dict[str, dict[str, int]]) -> int:
        return status["polls"]["ticks"] + status["polls"]["missed"]

    start = count(recorder.wait_until(lambda status: True))
    recorder.wait_until(lambda status: count(status) >= start + minutes)


def said_once(recorder: Watched, what: str, hint: str) -> None:
    """The log has the trouble once, in two lines, and no traceback."""
    found = re.findall(rf"^.*{what}.*\n.*Try: .*{hint}", recorder.log, re.M)
    assert len(found) == 1, f"{len(found)} times: {what} / {hint}\n{recorder.log[-3000:]}"
    assert "Traceback" not in recorder.log


def caught_up(recorder: Watched, tick: int) -> None:
    """Everything up to `tick` is delivered; the newest rows may always wait a moment."""
    recorder.wait_until(lambda status: (status["store"]["oldest_tick"] or status["polls"]["last_tick"]) > tick)


def totals(recorder: Watched) -> dict[int, set[str]]:
    """Tick → the fields of its `envoy_totals`."""
    points: Points = as_points(stored(recorder.state))
    return {place.time: set(fields) for place, fields in points.items() if place.measurement == "envoy_totals"}


def is_whole_again(recorder: Watched, ticks: int = 3) -> None:
    """No trouble is left, and so many ticks in a row after that have everything."""
    well = recorder.wait_until(lambda status: not status["troubles"] and status["polls"]["ticks"] > 0)
    looked_at = healed = well["polls"]["last_tick"]

    def whole(status: dict[str, dict[str, int]]) -> bool:
        nonlocal looked_at
        if status["polls"]["last_tick"] < looked_at + 60 * ticks or status["troubles"]:
            return False
        looked_at = status["polls"]["last_tick"]
        last = sorted((tick, fields) for tick, fields in totals(recorder).items() if tick > healed)[-ticks:]
        return len(last) == ticks and all(fields >= WHOLE for _, fields in last)

    recorder.wait_until(whole)


@dataclass(frozen=True)
class Trouble:
    """A fault of the paths that begin with `prefix`, and its words."""

    prefix: str
    fault: Fault
    what: str


TROUBLES = {
    "one path as HTML": Trouble(
        "/ivp/ensemble/power", Fault("html"), "/ivp/ensemble/power gives no document, .* HTML"
    ),
    "everything as HTML": Trouble("*", Fault("html"), "/ivp/meters/readings gives no document, .* HTML"),
    "reset": Trouble("*", Fault("reset"), "closed the connection before its answer ended"),
    "cut": Trouble("*", Fault("cut"), "closed the connection before its answer ended"),
    "503": Trouble("*", Fault("status"), "answered 503: the gateway"),
}


AT_HOME = "cut"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == AT_HOME else pytest.mark.long) for name in TROUBLES]
)
def test_a_bad_gateway_is_said_and_everything_goes_on_when_it_is_well(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path, name: str
) -> None:
    trouble = TROUBLES[name]
    with DrivenRecorder(tmp_path, driven.settings, clock) as recorder:
        recorder.wait_for_ticks(6)
        driven.fail(trouble.prefix, trouble.fault)
        until_said(recorder, trouble.what)
        minutes_pass(recorder, 8)
        lines = re.findall(rf"^.* (?:INFO|WARNING|ERROR) +(.*{trouble.what}.*)$", recorder.log, re.M)
        assert lines
        assert len(lines) == len(set(lines)), "the same was said twice"
        now = driven.simulator.journal[-1].time
        driven.heal()
        is_whole_again(recorder)
        assert recorder.terminate() == 0
    assert "Traceback" not in recorder.log
    if trouble.prefix != "*":
        during = [tick for tick in totals(recorder) if now - 480 < tick <= now]
        assert len(during) >= 5
        assert all(WHOLE - {"battery_charge_percent"} <= totals(recorder)[tick] for tick in during)
    assert driven.simulator.cloud.sign_ins == 1


def test_a_gateway_that_hangs_is_said_and_everything_goes_on_when_it_is_well(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    with DrivenRecorder(tmp_path, driven.settings, clock) as recorder:
        recorder.wait_for_ticks(6)
        driven.fail("*", Fault("hang", seconds=3600))
        until_said(recorder, "did not answer all requests of the poll in time|no complete answer in")
        driven.heal()
        is_whole_again(recorder)
        assert recorder.terminate() == 0
    assert "Traceback" not in recorder.log


def test_a_gateway_that_is_off_at_the_start_is_waited_for(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    driven.await_on(driven.simulator.http.stop())
    with DrivenRecorder(tmp_path, driven.settings, clock) as recorder:
        until_said(recorder, "refuses the connection")
        minutes_pass(recorder, 3)
        driven.await_on(driven.simulator.http.start())
        is_whole_again(recorder)
        driven.await_on(driven.simulator.http.stop())
        recorder.wait_until(lambda status: "refuses the connection" in troubles(status))
        driven.await_on(driven.simulator.http.start())
        is_whole_again(recorder)
        assert recorder.terminate() == 0
    assert len(re.findall("refuses the connection\n.*Try: check that the device is on", recorder.log)) == 2
    assert len(re.findall("the gateway answers again", recorder.log)) == 2


def test_a_name_that_does_not_resolve_keeps_it_running(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    settings = driven.settings | {"ENPHASE_GATEWAY": "no-such-host.invalid"}
    with DrivenRecorder(tmp_path, settings, clock) as recorder:
        until_said(recorder, "the name no-such-host.invalid does not resolve")
        minutes_pass(recorder, 3)
        assert recorder.terminate() == 0
    said_once(recorder, "the name no-such-host.invalid does not resolve", "use the IP address")


def test_half_an_hour_with_a_wrong_password_is_one_sign_in(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    with DrivenRecorder(tmp_path, driven.settings | {"ENPHASE_PASSWORD": "not the password"}, clock) as recorder:
        until_said(recorder, "wrong e-mail or password")
        minutes_pass(recorder, 30)
        shown = program(tmp_path, "status", settings=recorder.settings)
        assert re.search("trouble +.*wrong e-mail or password\n +Try: check ENPHASE_USERNAME", shown.out)
        assert recorder.terminate() == 0
    assert driven.simulator.cloud.sign_ins == 1
    said_once(recorder, "wrong e-mail or password", "no further attempt is made for 24 hours")
    with DrivenRecorder(tmp_path, driven.settings, clock) as recorder:
        is_whole_again(recorder)
    assert driven.simulator.cloud.sign_ins == 2


@pytest.mark.parametrize("mode", ["throttled", "mfa"])
def test_a_quarter_of_an_hour_of_a_cloud_that_refuses_is_a_handful_of_sign_ins(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path, mode: str
) -> None:
    driven.call(lambda: setattr(driven.simulator.cloud, "mode", mode))
    with DrivenRecorder(tmp_path, driven.settings, clock) as recorder:
        until_said(recorder, "answered 429|second factor")
        minutes_pass(recorder, 15)
        tried = driven.simulator.cloud.sign_ins
        driven.call(lambda: setattr(driven.simulator.cloud, "mode", "ok"))
        if mode == "mfa":
            assert tried == 1
            said_once(recorder, "requires a second factor", "ENPHASE_TOKEN_FILE")
            assert recorder.terminate() == 0
            return
        assert 1 <= tried <= 4
        is_whole_again(recorder)  # by itself, at its next attempt
        assert driven.simulator.cloud.sign_ins == tried + 1


def test_another_serial_writes_nothing_and_is_looked_at_each_minute(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    with DrivenRecorder(tmp_path, driven.settings | {"ENPHASE_SERIAL": "122000000043"}, clock) as recorder:
        until_said(recorder, "ENPHASE_SERIAL is 122000000043")
        minutes_pass(recorder, 5)
        assert recorder.terminate() == 0
    said_once(recorder, "is 122000000042, but ENPHASE_SERIAL is 122000000043", "correct ENPHASE_SERIAL")
    assert stored(recorder.state) == []
    assert {served.path for served in driven.journal} == {"/info"}
    assert 3 <= len(driven.journal) <= 12
    assert driven.simulator.cloud.sign_ins == 0


def test_a_pasted_token_that_ends_is_said_and_a_new_one_goes_on(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    pasted = {
        "ENPHASE_GATEWAY": driven.settings["ENPHASE_GATEWAY"],
        "ENPHASE_TOKEN": driven.simulator.new_token(lifetime_s=600),
    }
    with DrivenRecorder(tmp_path, pasted, clock) as recorder:
        recorder.wait_for_ticks(3)
        until_said(recorder, "ENPHASE_TOKEN expired on")
        minutes_pass(recorder, 10)
        assert recorder.terminate() == 0
    said_once(recorder, "ENPHASE_TOKEN expired on", "ENPHASE_TOKEN_FILE")
    fresh = pasted | {"ENPHASE_TOKEN": driven.simulator.new_token()}
    with DrivenRecorder(tmp_path, fresh, clock) as recorder:
        is_whole_again(recorder)
    assert driven.simulator.cloud.sign_ins == 0


def test_an_impostor_gets_nothing_for_minutes_until_a_person_accepts_it(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    with DrivenRecorder(tmp_path, driven.settings, clock) as recorder:
        recorder.wait_for_ticks(3)
        driven.call(driven.simulator.new_certificate)
        driven.await_on(driven.simulator.http.drop())
        before, served = len(driven.simulator.http.raw), len(driven.journal)
        until_said(recorder, "is not the pinned one")
        minutes_pass(recorder, 6)
        assert b"".join(driven.simulator.http.raw[before:]) == b""
        assert len(driven.journal) == served
        accepted = program(tmp_path, "accept-certificate", settings=recorder.settings)
        assert accepted.code == 0, accepted.err
        assert "\nnow:    " in accepted.out
        is_whole_again(recorder)
        assert recorder.terminate() == 0
    said_once(recorder, "is not the pinned one: pinned .* Nothing was sent", "envoy-logger accept-certificate")


# --- InfluxDB ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "what", "hint"),
    [
        (Scripted(401, '{"code":"unauthorized","message":"unauthorized access"}'), "HTTP 401", "INFLUXDB_TOKEN"),
        pytest.param(
            Scripted(404, '{"code":"not found","message":"bucket \\"x\\" not found"}'),
            "HTTP 404",
            "envoy-logger setup",
            marks=pytest.mark.long,
        ),
        pytest.param(
            Scripted(500, '{"code":"internal error","message":"boom"}'), "HTTP 500", "", marks=pytest.mark.long
        ),
        (Scripted(cut="before"), "closed the connection|cannot be reached", ""),
    ],
    ids=["401", "404", "500", "cut"],
)
def test_a_refusing_influxdb_is_said_and_gets_everything_later(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path, fake_influx2: Fake2, answer: Scripted,
    what: str, hint: str,
) -> None:  # fmt: skip
    buckets = fake_influx2.fresh_buckets()
    fake_influx2.fake.script(answer, times=100_000)
    with DrivenRecorder(tmp_path, driven.settings | influxdb(fake_influx2.target(buckets)), clock) as recorder:
        until_said(recorder, what)
        minutes_pass(recorder, 6)
        status = recorder.status()
        assert status["store"]["rows"] >= 6
        assert status["store"]["delivered"] == 0
        assert status["influxdb"]["waiting_for"]
        lines = re.findall(rf"^.* (?:WARNING|ERROR) .*(?:{what}).*$", recorder.log, re.M)
        assert 1 <= len(lines) <= 3, lines  # once a bucket
        if hint:
            assert re.search(rf"(?:{what}).*\n.*Try: .*{hint}", recorder.log)
        fake_influx2.fake.forget_scripts()
        caught_up(recorder, status["polls"]["last_tick"])
        assert recorder.terminate() == 0
    kept = as_points(stored(recorder.state))
    got = in_database(fake_influx2, buckets)
    late = max(place.time for place in kept)  # what the last minute stored may not have been sent
    assert not differences(
        {place: fields for place, fields in got.items() if place.time < late - 60},
        {place: fields for place, fields in kept.items() if place.time < late - 60 and place in got},
    )
    # The last rows may not have been sent; an inverter's points in them are as old as its report, not as the row.
    grace_s = {"envoy_inverter": 720}
    assert {place for place in kept if place.time < late - grace_s.get(place.measurement, 120)} <= got.keys()
    assert re.search("InfluxDB (accepts writes to the totals bucket|accepts deliveries) again", recorder.log)


def test_a_database_that_is_down_at_the_start_gets_everything_later(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path, fake_influx2: Fake2
) -> None:
    buckets = fake_influx2.fresh_buckets()
    fake_influx2.stop()
    with DrivenRecorder(tmp_path, driven.settings | influxdb(fake_influx2.target(buckets)), clock) as recorder:
        until_said(recorder, "refuses the connection")
        first = recorder.wait_for_ticks(6)
        assert first["store"]["delivered"] == 0
        fake_influx2.start()
        caught_up(recorder, first["polls"]["last_tick"])
        assert recorder.terminate() == 0
    rows = [row for row in stored(recorder.state) if row.role == "totals" and row.tick <= first["polls"]["last_tick"]]
    assert len({row.tick for row in rows}) >= 6  # a tick that the gateway was late for has what came, not its totals
    assert any(place.measurement == "envoy_totals" for row in rows for place, _ in row.lines)
    assert {place for row in rows for place, _ in row.lines} <= in_database(fake_influx2, buckets).keys()


@pytest.mark.long
def test_a_real_influxdb_1_that_refuses_the_password_is_said_and_gets_everything_later(
    driven: BackgroundSimulator, clock: DrivenClock, tmp_path: Path, influx1_auth: Influx1
) -> None:
    buckets = influx1_auth.fresh_buckets()
    home = tmp_path / "recorder"
    home.mkdir()
    wrong = influxdb(influx1_auth.target(buckets, password="not-this-one", api="1"))
    with DrivenRecorder(home, driven.settings | wrong, clock) as recorder:
        until_said(recorder, "authorization failed|401")
        last = recorder.wait_for_ticks(4)["polls"]["last_tick"]
        assert recorder.terminate() == 0
    assert re.search(r"(authorization failed|401).*\n.*Try: .*INFLUXDB_USERNAME", recorder.log), recorder.log
    assert "not-this-one" not in recorder.log
    right = influxdb(influx1_auth.target(buckets, api="1"))
    with DrivenRecorder(home, driven.settings | right, clock) as recorder:
        caught_up(recorder, last)
        assert recorder.terminate() == 0
    got = {place.time for place in in_database(influx1_auth, buckets) if place.measurement == "envoy_totals"}
    assert {tick for tick in totals(recorder) if tick <= last} <= got


def test_once_says_what_waits_for_which_reason(
    site: BackgroundSimulator, tmp_path: Path, fake_influx2: Fake2
) -> None:
    buckets = fake_influx2.fresh_buckets()
    wrong = influxdb(fake_influx2.target(buckets, token="no-such-token-here"))
    done = program(tmp_path, "once", settings=site.settings | wrong)
    assert done.code == 75
    assert re.match(r"stored; \d+ points still wait: .*unauthorized", done.said[-2]), done.err
    assert done.said[-1].startswith("Try: ")
    assert "no-such-token-here" not in done.err
    right = program(tmp_path, "once", settings=site.settings | influxdb(fake_influx2.target(buckets)))
    assert right.code == 0, right.err
    # within the same minute only what waits is delivered
    assert right.said[-1] in ("stored and delivered", "nothing stored; no points wait for InfluxDB")
    got = {place.measurement for place in in_database(fake_influx2, buckets)}
    assert {"envoy_totals", "envoy_inverter", "envoy_battery"} <= got
