"""Every body of every recording truncated, cut off, emptied and replaced by a web page, on the wire itself.

A real client asks a stand-in over a real connection; nothing but that document's own values may be missing then.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final, Literal

import pytest

from logger.daemon import one_poll
from logger.daemon.tick import TickResult
from logger.gateway.access import Access
from logger.gateway.endpoints import plan
from logger.simulator import web_pages
from logger.simulator.faults import Fault
from logger.simulator.recording import Recording as Replay
from logger.simulator.site_model import Reply
from logger.site import Site
from tests.clocks import HandClock
from tests.readings.confined import LISTS, assert_confined, assert_sound, may_free_duplicates, written
from tests.readings.provenance import Provenance
from tests.readings.recordings import CORPUS, Recording, load, names, needs_recordings
from tests.sizes import SHARE
from tests.standin import BackgroundSimulator

pytestmark = [needs_recordings, pytest.mark.long]

Kind = Literal["truncated", "cut off", "empty", "html"]
KINDS: Final[tuple[Kind, ...]] = ("truncated", "cut off", "empty", "html")


class StillClock(HandClock):
    """Waiting takes no time: ages stay as they are whatever was tried twice."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Spoiled(Replay):
    """A recording of which one body is not what it was."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        super().__init__(folder)
        self.spoils: dict[str, Kind] = {}
        self._chance = chance

    def answer(self, path: str, now: float) -> Reply:
        reply = super().answer(path, now)
        match self.spoils.get(path):
            case "truncated":
                end = self._chance.randrange(1, max(2, len(reply.body.rstrip()) - 1))
                return Reply(reply.status, reply.content_type, reply.body[:end])
            case "empty":
                return Reply(reply.status, reply.content_type, b"")
            case "html":
                return Reply(reply.status, "text/html", web_pages.LOGIN.body)
            case _:
                return reply


def polled(access: Access, clock: StillClock) -> TickResult:
    """What one poll of every endpoint gives."""
    return one_poll.read(asyncio.run(one_poll.poll(access, clock, 300)), Site(zone="UTC"))


@pytest.mark.parametrize("name", names())
def test_a_broken_body_takes_only_its_own_values_with_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_poll, "EARLIEST", 0)  # recordings are older than the program
    recording: Recording = load(name)
    chance = random.Random(name)
    clock = StillClock(float(recording.at))
    plant = Spoiled(CORPUS / name, chance)
    provenance = Provenance(recording)
    asked = [e.path for e in plan(recording.info) if e.path in recording.bodies]
    with BackgroundSimulator(plant, clock) as site:
        token = site.new_token() if plant.needs_token else ""
        access = Access(site.url, tmp_path, token=token)
        before = written(polled(access, clock))
        for path in asked:
            for kind in KINDS:
                if chance.random() >= SHARE:
                    continue
                plant.spoils = {path: kind}
                if kind == "cut off":  # a fault is of every path that begins so: the others take no harm
                    for endpoint in plan(recording.info):
                        site.fail(endpoint.path, Fault("cut" if endpoint.path == path else "delay"))
                found = polled(access, clock)
                site.heal()
                what = f"{name} {path} {kind}"
                assert_sound(found, what)
                freed = may_free_duplicates(name, ())
                may = [*provenance.document(path), *freed]
                assert_confined(before, found, may, what, gone=not freed, takes_over=path in LISTS)
