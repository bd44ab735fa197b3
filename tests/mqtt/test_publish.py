"""Publishing through a real mosquitto: values, sign-in, TLS, a broker that is killed or away."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from paho.mqtt import publish

from logger.errors import BrokerError
from logger.mqtt.broker import connect
from logger.mqtt.broker_link import _LOOK_S, BrokerLink
from logger.mqtt.entities import TOPICS
from logger.mqtt.messages import Message
from logger.mqtt.publish import serve_mqtt
from tests.clocks import HandClock
from tests.mqtt.broker_process import BrokerProcess, find_mosquitto, watching
from tests.waiting import LONGEST_S
from tests.web.stage import SERIAL, START, Stage, configured, stage

RECORDER = f"envoy/{SERIAL}/recorder/availability"
TROUBLE = "mqtt"


class PausingClock(HandClock):
    """Waits a little in real time: a port that is tried without a pause can be connected to itself."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.2)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    made = BrokerProcess(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path / "store") as made:
        yield made


async def until_trouble(here: Stage, *, open_: bool = True) -> str:
    """Wait until the trouble of the broker is told, or over → its text."""
    async with asyncio.timeout(LONGEST_S):
        while (TROUBLE in here.recorder.changes.troubles) is not open_:
            await asyncio.sleep(0.01)
    return here.recorder.changes.troubles.get(TROUBLE, "")


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[BrokerLink]:
    """Every connection that is made, the newest last."""
    made: list[BrokerLink] = []

    class KeptLink(BrokerLink):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr("logger.mqtt.broker.BrokerLink", KeptLink)
    return made


def cut(link: BrokerLink) -> None:
    own = link.client.socket()
    assert isinstance(own, socket.socket)
    own.shutdown(socket.SHUT_RDWR)


def settings_of(broker: BrokerProcess, scheme: str = "mqtt", **more: str) -> dict[str, str]:
    return {"MQTT_URL": f"{scheme}://localhost:{broker.port}", **more}


def test_the_broker_holds_what_the_store_holds(here: Stage, broker: BrokerProcess) -> None:
    async def play() -> None:
        await here.tick(5)
        async with (
            watching(broker.port) as watcher,
            serve_mqtt(configured(**settings_of(broker)), here.recorder, PausingClock(START)),
        ):
            assert await watcher.until(RECORDER) == "online"
            assert await watcher.until(f"envoy/{SERIAL}/availability") == "online"
            await watcher.state(f"envoy/{SERIAL}/totals")
            before = here.collector.newest.list_of("envoy_totals")[0]
            await here.tick(6)
            compared = 0
            for topic in TOPICS:
                for reading in here.collector.newest.list_of(topic.measurement.name):
                    if reading.tags.get("endpoint"):
                        continue
                    serial = reading.tags.get("serial")
                    name = f"envoy/{SERIAL}/{topic.name}" + (f"/{serial}" if serial else "")
                    while (state := await watcher.state(name))["time"] < reading.time:
                        del watcher.topics[name]
                    for field, value in reading.fields.items():
                        assert state[field] == pytest.approx(value) if isinstance(value, float) else value
                        compared += 1
            assert compared > 20
            assert before is not here.collector.newest.list_of("envoy_totals")[0]
            config = watcher.topics[f"homeassistant/sensor/envoy_{SERIAL}_totals_{SERIAL}_production_power_w/config"]
            assert f'"state_topic": "envoy/{SERIAL}/totals"' in config
        async with watching(broker.port) as later:
            assert await later.until(RECORDER) == "offline"

    asyncio.run(play())


def test_a_killed_broker_gets_everything_again(here: Stage, broker: BrokerProcess) -> None:
    async def play() -> None:
        await here.tick(5)
        async with serve_mqtt(configured(**settings_of(broker)), here.recorder, PausingClock(START)):
            async with watching(broker.port) as watcher:
                await watcher.until(f"envoy/{SERIAL}/totals")
            broker.kill()
            while "Try: start the broker, or correct MQTT_URL." not in await until_trouble(here):
                await asyncio.sleep(0.01)
            await here.tick(6)  # recording goes on
            broker.start()
            await until_trouble(here, open_=False)
            async with watching(broker.port) as watcher:
                state = await watcher.state(f"envoy/{SERIAL}/totals")
                assert state["time"] == here.collector.collected.last_tick

    asyncio.run(play())


def test_the_broker_itself_says_offline_when_the_recorder_is_gone(
    here: Stage, broker: BrokerProcess, links: list[BrokerLink]
) -> None:
    async def play() -> None:
        await here.tick(5)
        async with watching(broker.port) as watcher:
            serving = serve_mqtt(configured(**settings_of(broker)), here.recorder, PausingClock(START))
            async with serving:
                await watcher.until(RECORDER, "online")
                cut(links[-1])
                await watcher.until(RECORDER, "offline")
                await watcher.until(RECORDER, "online")

    asyncio.run(play())


def test_a_broker_that_answers_no_ping_loses_its_connection(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logger.mqtt.broker_link._KEEPALIVE_S", 1)
    monkeypatch.setattr("logger.mqtt.broker_link._LOOK_S", 1.1)

    async def play() -> None:
        async with asyncio.timeout(LONGEST_S), connect(configured(**settings_of(broker)).mqtt, "silent"):
            broker.hang()
            await asyncio.Event().wait()

    with pytest.raises(BrokerError, match="closed the connection"):
        asyncio.run(play())


def test_news_without_a_message_puts_no_ping_off(broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        loop, delays = asyncio.get_running_loop(), list[float]()
        call_later = loop.call_later

        def note(delay: float, *more: Any, **options: Any) -> asyncio.TimerHandle:
            delays.append(delay)
            return call_later(delay, *more, **options)

        async with connect(configured(**settings_of(broker)).mqtt, "quiet") as link:
            monkeypatch.setattr(loop, "call_later", note)
            await link.publish([])
            assert _LOOK_S not in delays
            await link.publish([Message("a", "1"), Message("b", "2", is_repeated=True)])
            assert delays.count(_LOOK_S) == 1
            monkeypatch.undo()

    asyncio.run(play())


def test_a_wrong_password_is_told_with_its_cure(here: Stage, tmp_path: Path) -> None:
    find_mosquitto()
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "solar", "right-password"], check=True)
    broker = BrokerProcess(tmp_path, ["allow_anonymous false", f"password_file {passwords}"])
    broker.start()

    async def play() -> None:
        await here.tick(5)
        wrong = settings_of(broker, MQTT_USERNAME="solar", MQTT_PASSWORD="wrong-password")
        async with serve_mqtt(configured(**wrong), here.recorder, PausingClock(START)):
            text = await until_trouble(here)
        assert "refuses the sign-in" in text
        assert "Try: correct MQTT_USERNAME and MQTT_PASSWORD" in text
        assert "wrong-password" not in text
        right = settings_of(broker, MQTT_USERNAME="solar", MQTT_PASSWORD="right-password")
        async with serve_mqtt(configured(**right), here.recorder, PausingClock(START)):
            await until_trouble(here, open_=False)

    try:
        asyncio.run(play())
    finally:
        broker.kill()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its socket
def test_a_certificate_is_checked(here: Stage, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    key, chain, ca = tmp_path / "key.pem", tmp_path / "chain.pem", tmp_path / "ca.pem"
    certificate.private_key_pem.write_to_path(key)
    chain.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    authority.cert_pem.write_to_path(ca)
    broker = BrokerProcess(tmp_path, ["allow_anonymous true", f"certfile {chain}", f"keyfile {key}"])
    broker.start()

    async def play() -> None:
        await here.tick(5)
        async with serve_mqtt(configured(**settings_of(broker, "mqtts")), here.recorder, PausingClock(START)):
            text = await until_trouble(here)
            assert "certificate" in text
            assert "Try: set MQTT_CA_FILE" in text
        by_address = {"MQTT_CA_FILE": str(ca), "MQTT_URL": f"mqtts://127.0.0.1:{broker.port}"}
        with pytest.raises(BrokerError, match="set MQTT_URL to a name that the broker's certificate contains"):
            async with connect(configured(**settings_of(broker, "mqtts") | by_address).mqtt, "another name"):
                pass
        trusted = configured(**settings_of(broker, "mqtts", MQTT_CA_FILE=str(ca)))
        async with serve_mqtt(trusted, here.recorder, PausingClock(START)):
            await until_trouble(here, open_=False)

    try:
        asyncio.run(play())
    finally:
        broker.kill()
        gc.collect()


def kept(broker: BrokerProcess, topic: str, payload: Mapping[str, object] | str) -> None:
    """Let the broker keep a message, as an earlier recorder left it."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    publish.single(topic, text, qos=1, retain=True, hostname="127.0.0.1", port=broker.port)


def test_a_former_connection_or_another_recorder_cannot_leave_it_offline(here: Stage, broker: BrokerProcess) -> None:
    async def play() -> None:
        await here.tick(5)
        async with (
            watching(broker.port) as watcher,
            serve_mqtt(configured(**settings_of(broker)), here.recorder, PausingClock(START)),
        ):
            await watcher.until(RECORDER, "online")
            for _ in range(2):
                watcher.topics.clear()
                await asyncio.to_thread(kept, broker, RECORDER, "offline")
                await watcher.until(RECORDER, "online")
        async with watching(broker.port) as later:
            assert await later.until(RECORDER) == "offline"

    asyncio.run(play())


def test_two_recorders_at_one_broker_do_not_push_each_other_out(
    here: Stage, broker: BrokerProcess, links: list[BrokerLink], tmp_path: Path
) -> None:
    async def play() -> None:
        await here.tick(5)
        first, second = (
            configured(**settings_of(broker, LOGGER_STATE_DIR=str(tmp_path / name))) for name in ("a", "b")
        )
        async with watching(broker.port) as watcher, serve_mqtt(first, here.recorder, PausingClock(START)):
            await watcher.until(RECORDER, "online")
            async with serve_mqtt(second, here.recorder, PausingClock(START)):
                for minute in (6, 7, 8):
                    await here.tick(minute)
                    tick = here.collector.collected.last_tick
                    while (await watcher.state(f"envoy/{SERIAL}/totals"))["time"] != tick:
                        del watcher.topics[f"envoy/{SERIAL}/totals"]
                assert len(links) == 2
                watcher.topics.clear()
            await watcher.until(RECORDER, "online")
            assert len(links) == 2

    asyncio.run(play())


def test_what_an_earlier_recorder_left_is_not_true_for_ever(here: Stage, broker: BrokerProcess) -> None:
    """An inverter that was taken away keeps its energy ever, but no power."""
    gone, young = f"envoy/{SERIAL}/inverter/900", f"envoy/{SERIAL}/inverter/901"

    async def play() -> None:
        await here.tick(5)
        now = here.collector.collected.last_tick
        for topic, time in ((gone, now - 7201), (young, now - 60)):
            state = {"power_w": 212.0, "energy_lifetime_wh": 1e6, "time": time}
            await asyncio.to_thread(kept, broker, topic, state)
        for strange in ("no JSON", "[1]", '{"time": "x"}'):
            await asyncio.to_thread(kept, broker, f"envoy/{SERIAL}/inverter/902", strange)
        async with (
            watching(broker.port) as watcher,
            serve_mqtt(configured(**settings_of(broker)), here.recorder, HandClock(now)),
        ):
            while (await watcher.state(gone))["power_w"] is not None:
                del watcher.topics[gone]
            assert await watcher.state(gone) == {"power_w": None, "energy_lifetime_wh": 1e6, "time": now - 7201}
            assert (await watcher.state(young))["power_w"] == 212.0

    asyncio.run(play())
