"""`discover` against a real mDNS responder on loopback that announces a stand-in gateway.

Whoever else runs these tests on this machine is heard as well, so the serials are this run's own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from zeroconf import Zeroconf

from logger.clock import SystemClock
from logger.commands import discover
from logger.gateway.discovery import Search
from tests.commands.announcing import announce, own_serial, place, responder
from tests.commands.program import Done, program
from tests.standin import BackgroundSimulator, invent_gateway

pytestmark = pytest.mark.usefixtures("short_waits")
LOOPBACK = ("--interface", "127.0.0.1", "--seconds", "0.2")
__all__ = ["responder"]
LISTENING_S = (0.5, 2, 5, 10, 30)
"""How long to listen in each try: the first is enough on an idle machine, the last on any."""


@pytest.fixture
def newer() -> Iterator[BackgroundSimulator]:
    """A gateway of firmware 8, over https."""
    plant = invent_gateway("8-battery", serial=own_serial(), epoch=time.time() - 86400)
    with BackgroundSimulator(plant, SystemClock()) as running:
        yield running


@pytest.fixture
def older() -> Iterator[BackgroundSimulator]:
    """A gateway before firmware 7, over plain http."""
    plant = invent_gateway("5-metered", serial=own_serial(), epoch=time.time() - 86400)
    with BackgroundSimulator(plant, SystemClock()) as running:
        yield running


def discovered(home: Path, *wanted: str, options: tuple[str, ...] = ()) -> Done:
    """What `discover` prints once it has heard all of these, listening longer from try to try."""
    for seconds in LISTENING_S:
        done = program(home, "discover", "--interface", "127.0.0.1", "--seconds", str(seconds), *options)
        if all(address in done.out for address in wanted):
            break
    return done


@pytest.mark.timeout(300)
def test_gateways_that_announce_themselves_are_listed_with_serial_and_firmware(
    newer: BackgroundSimulator, older: BackgroundSimulator, responder: Zeroconf, tmp_path: Path
) -> None:
    announce(responder, newer)
    announce(responder, older)
    told = discovered(tmp_path, place(newer), place(older))
    assert told.code == 0, told.err
    assert told.out.splitlines()[0].split() == ["ADDRESS", "SERIAL", "FIRMWARE", "SIGN-IN"]
    assert f"{place(newer)}  {newer.simulator.model.serial}  D8.2.4286  account or token" in told.out
    assert f"{place(older)}  {older.simulator.model.serial}  D5.0.62    local user" in told.out
    as_json = discovered(tmp_path, place(newer), place(older), options=("--json",))
    found = {gateway["address"]: gateway for gateway in json.loads(as_json.out)}
    assert found[place(newer)]["serial"] == newer.simulator.model.serial
    assert len(found[place(newer)]["certificate_sha256"]) == 95
    assert found[place(older)]["certificate_sha256"] is None
    for running in (newer, older):
        assert {served.path for served in running.journal} == {"/info"}
        assert {served.credential for served in running.journal} == {"none"}


def test_an_address_can_be_named_and_one_that_is_silent_is_said(older: BackgroundSimulator, tmp_path: Path) -> None:
    own = older.simulator.model.serial
    told = program(tmp_path, "discover", place(older), "127.0.0.1:1", *LOOPBACK)
    assert told.code == 0, told.err
    assert told.out.splitlines()[1].split() == [place(older), own, "D5.0.62", "local", "user"]
    assert "127.0.0.1:1 refuses the connection" in told.err
    assert "envoy.local" not in told.err


def test_nothing_found_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def search(*_: object, **__: object) -> Search:
        """On a network where nobody answers; other tests may be announcing on this one."""
        return Search((), ())

    monkeypatch.setattr(discover, "search", search)
    told = program(tmp_path, "discover", *LOOPBACK, "--json")
    assert (told.code, json.loads(told.out)) == (69, [])
    assert told.said == [
        "no gateway was found on this network",
        "Try: find the gateway's address in your router's list of devices; run envoy-logger discover ADDRESS.",
    ]
