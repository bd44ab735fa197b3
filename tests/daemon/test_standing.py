"""What stands wrong, and keys that vanish: once in the log, once as an event, and once when it is over."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logger.daemon.collector import Collector
from logger.errors import AbsentError
from logger.model import Json
from tests.daemon.parts import START, InlineStore, ScriptedGateway
from tests.daemon.test_collector import record
from tests.virtual import VirtualClock

METERS, READINGS, LIST = "/ivp/meters", "/ivp/meters/readings", "/api/v1/production/inverters"


def between(first: int, last: int, change: Callable[[Any], None]) -> Callable[[ScriptedGateway, str], None]:
    """From one minute to another a document is changed."""

    def shape(gateway: ScriptedGateway, path: str) -> None:
        well = gateway.answers[path]

        def answer(now: float) -> Json:
            body = copy.deepcopy(well(now))
            if START + 60 * first <= now < START + 60 * last:
                change(body)
            return body

        gateway.answers[path] = answer

    return shape


def told(store: InlineStore, kind: str) -> list[str]:
    return [
        text.group(1)
        for line in store.events()
        if f"kind={kind} " in line and (text := re.search(r'text="((?:[^"\\]|\\.)*)"', line))
    ]


def test_a_key_that_vanishes_is_an_event_and_a_line_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def unmeasured(body: Any) -> None:
        for row in body:
            del row["activePower"]

    shape = between(10, 100, unmeasured)
    with caplog.at_level("INFO", logger="logger"):
        store, _, _ = record(tmp_path, 120, lambda gateway: shape(gateway, READINGS))
    assert len(told(store, "key_lost")) == len(told(store, "key_back")) == 1
    assert "activePower" in told(store, "key_lost")[0]
    said = [record.message for record in caplog.records if record.message.startswith("/ivp/meters/readings ")]
    assert ["has not given activePower" in message for message in said] == [True, False]
    assert said[1] == "/ivp/meters/readings gives activePower as a number, as it did before"
    powers = [line for line in store.lines("envoy_meter") if "power_w=" in line]
    assert 0 < len(powers) < len(store.lines("envoy_meter")) == 2 * len(store.lines("envoy_totals"))


def test_what_the_gateway_says_of_its_meters_is_said_once_and_once_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def reversed_ct(body: Any) -> None:
        body[0] |= {"meteringStatus": "check-wiring", "statusFlags": ["negative-production"]}

    shape = between(0, 60, reversed_ct)
    with caplog.at_level("INFO", logger="logger"):
        store, _, collector = record(tmp_path, 120, lambda gateway: shape(gateway, METERS))
    first = (
        "the gateway reports check-wiring, negative-production of its production meter; "
        "its values are written as they are"
    )
    assert told(store, "meter_wiring") == [
        first,
        "the gateway no longer reports a fault of its production meter",
    ]
    assert [record.message.partition("\n")[0] for record in caplog.records].count(first) == 1
    assert collector.changes.troubles == {}
    assert all("power_w=1000.0" in line for line in store.lines("envoy_meter") if "meter=production" in line)


def test_two_devices_with_one_serial_are_said_once_and_are_no_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def doubled(body: Any) -> None:
        body.append(dict(body[0]))

    shape = between(0, 30, doubled)
    with caplog.at_level("INFO", logger="logger"):
        store, _, _ = record(tmp_path, 60, lambda gateway: shape(gateway, LIST))
    assert sum("neither is written" in record.message for record in caplog.records) == 1
    assert sum("is unique again" in record.message for record in caplog.records) == 1
    assert store.events() == []


def test_a_path_that_answered_and_is_refused_twice_is_asked_again_and_nobody_speaks_for_it(tmp_path: Path) -> None:
    def refuse(collector: Collector, gateway: ScriptedGateway, clock: VirtualClock) -> object:
        async def script() -> None:
            await asyncio.sleep(10 * 60)
            gateway.fails[READINGS] = AbsentError(f"{READINGS} answered 404")
            await asyncio.sleep(2 * 60)
            gateway.fails.clear()

        return asyncio.create_task(script())

    store, _, _ = record(tmp_path, 30, meanwhile=refuse)
    lines = store.lines("envoy_totals")
    powers = [line for line in lines if "production_power_w=" in line]
    assert len(lines) - len(powers) == 2
    assert all("production_power_w=1000.0" in line for line in powers)
    assert store.events() == []
