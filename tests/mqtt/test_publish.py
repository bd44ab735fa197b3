"""Publishing through a real mosquitto: values, sign-in, TLS, a broker that is killed or away."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from logger.mqtt.entities import TOPICS
from logger.mqtt.publish import serve_mqtt
from tests.clocks import HandClock
from tests.mqtt.broker_process import BrokerProcess, watching
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
            while "Try: start it, or correct MQTT_URL." not in await until_trouble(here):
                await asyncio.sleep(0.01)
            await here.tick(6)  # recording goes on
            broker.start()
            await until_trouble(here, open_=False)
            async with watching(broker.port) as watcher:
                state = await watcher.state(f"envoy/{SERIAL}/totals")
                assert state["time"] == here.collector.collected.last_tick

    asyncio.run(play())


def test_the_broker_itself_says_offline_when_the_recorder_is_gone(here: Stage, broker: BrokerProcess) -> None:
    async def play() -> None:
        await here.tick(5)
        async with watching(broker.port) as watcher:
            serving = serve_mqtt(configured(**settings_of(broker)), here.recorder, PausingClock(START))
            async with serving:
                await watcher.until(RECORDER, "online")
                (task,) = [each for each in asyncio.all_tasks() if "_publish_for_ever" in repr(each)]
                link = [each for each in asyncio.all_tasks() if "_notice_loss" in repr(each)]
                assert link
                client = link[0].get_coro().cr_frame.f_locals["client"]  # type: ignore[union-attr]
                client._client.socket().shutdown(2)
                await watcher.until(RECORDER, "offline")
                await watcher.until(RECORDER, "online")
                assert not task.done()

    asyncio.run(play())


def test_a_wrong_password_is_told_with_its_cure(here: Stage, tmp_path: Path) -> None:
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
        trusted = configured(**settings_of(broker, "mqtts", MQTT_CA_FILE=str(ca)))
        async with serve_mqtt(trusted, here.recorder, PausingClock(START)):
            await until_trouble(here, open_=False)

    try:
        asyncio.run(play())
    finally:
        broker.kill()
