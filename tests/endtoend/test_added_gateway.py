"""A house and its barn behind one account: the barn is added by `init --add` to a recorder that ran for days."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from logger.commands.init.add_gateway import add_gateway
from logger.commands.init.answers import Answers
from logger.commands.init.draft import Draft, choose_destination
from logger.commands.init.terminal import Terminal
from logger.daemon.gateway_state import load_state
from logger.model import Role
from logger.settings.load import inspect_settings
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Row, Server
from tests.driven import DrivenClock, driving
from tests.endtoend.points import as_points, stored
from tests.endtoend.recorder import DrivenRecorder, influxdb
from tests.endtoend.sites import MORNING
from tests.endtoend.test_shards import read_states
from tests.several import Neighbours, neighbours
from tests.sizes import LONG

DAYS = 7 if LONG else 2
EVERY_S = 300 if LONG else 1800


@pytest.fixture(params=["influx1", "real_influx2"])
def database(request: pytest.FixtureRequest) -> Server:
    """Both generations, real ones."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Influx1 | Influx2)
    return server


def set_up(home: Path, both: Neighbours) -> dict[str, str]:
    """The settings file of a recorder of the house → what its environment sets besides."""
    (home / "credentials").mkdir(mode=0o700)
    (home / "credentials" / "enphase_password").write_text(both.gateways[0].cloud.password)
    lines = [
        f"ENPHASE_GATEWAY={both.gateways[0].url}",
        f"ENPHASE_USERNAME={both.gateways[0].cloud.username}",
        "LOGGER_SITE=farm",
        f"LOGGER_TOTALS_INTERVAL_S={EVERY_S}",
        f"LOGGER_DEVICES_INTERVAL_S={EVERY_S}",
    ]
    (home / ".env").write_text("\n".join(lines) + "\n")
    return {name: value for name, value in both.account.items() if name.endswith("_URL")}


def add(home: Path, both: Neighbours, clock: DrivenClock) -> None:
    """What `init --add --yes --gateway ADDRESS --site farm` does, by the clock of the recorder."""
    destination = choose_destination(home / ".env", None, systemd=False)
    draft = Draft(destination, inspect_settings(destination.env_file)[0])
    add_gateway(Terminal(yes=True), draft, Answers(add=True, gateway=both.gateways[1].url, site="farm"), clock)
    draft.write()


def ticks_of(rows: list[Row], serial: str) -> list[int]:
    """The ticks of that gateway, each once, by the recorder's points about itself."""
    found = [row.time for row in rows if row.tags["gateway"] == serial and not row.tags.get("endpoint")]
    assert len(found) == len(set(found))
    return sorted(found)


@pytest.mark.long
def test_a_gateway_is_added_to_a_running_recorder_and_nothing_of_the_first_one_is_lost(
    database: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    buckets = database.fresh_buckets()
    with driving(MORNING) as clock, neighbours(clock, epoch=MORNING - 20 * 86400) as both:
        settings = set_up(tmp_path, both) | influxdb(database.target(buckets))
        recorder = DrivenRecorder(tmp_path, settings, clock)
        with recorder:
            house, barn = both.serials
            clock.drive(clock.sleep(DAYS * 86400))
            before = read_states(recorder.state)[house]
            kept = {path: path.read_bytes() for path in recorder.state.glob("[pt]*-*")}
            add(tmp_path, both, clock)
            assert both.sign_ins == 2
            added_at = clock.time()
            recorder.terminate()
            recorder.start()
            clock.drive(clock.sleep(6 * EVERY_S))
            status = recorder.wait_until(lambda status: len(status.get("further_gateways", [])) == 1)
            last = status["polls"]["last_tick"]
            recorder.wait_until_delivered(last)
            recorder.terminate()
        assert both.sign_ins == 2, "one each, and no more"
    _nothing_of_the_first_is_lost(database, buckets, house, last)
    assert {path: path.read_bytes() for path in kept} == kept, "its certificate and its token"
    state, then = (load_state(parts, {}).energy for parts in (read_states(recorder.state)[house], before))
    assert (state.first_day, state.first_tick) == (then.first_day, then.first_tick)
    assert state.days[: len(then.days) - 1] == then.days[:-1]
    of_barn = ticks_of(database.rows(buckets["totals"], "envoy_logger"), barn)
    assert of_barn == list(range(min(of_barn), max(of_barn) + 1, EVERY_S))
    assert added_at < min(of_barn) <= added_at + 2 * EVERY_S
    sums = [row for row in database.rows(buckets["totals"], "envoy_site") if "production_power_w" in row.fields]
    assert {row.time for row in sums} >= set(of_barn) - {max(of_barn)}
    assert all(row.tags == {"site": "farm"} for row in sums)
    as_points(stored(recorder.state))  # nothing is in the store twice


def _nothing_of_the_first_is_lost(database: Server, buckets: Mapping[Role, str], house: str, last: int) -> None:
    """Every tick is there but, at most, the one during which the recorder was started anew."""
    ticks = ticks_of(database.rows(buckets["totals"], "envoy_logger"), house)
    missing = set(range(min(ticks), last + 1, EVERY_S)) - set(ticks)
    assert len(missing) <= 1, missing
    assert min(ticks) <= MORNING + EVERY_S
    days = [row for row in database.rows(buckets["daily"], "envoy_day") if row.tags["gateway"] == house]
    assert len(days) == len({row.fields["local_date"] for row in days}) > DAYS
    assert all(row.tags["site"] == "farm" for row in days)
