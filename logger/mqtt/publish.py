"""Publish the newest readings of every gateway while the recorder runs.

A missing broker does not affect recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator
from typing import Final

from logger import log
from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.recorder import Recorder
from logger.errors import BrokerError
from logger.mqtt.messages import Messages, Present
from logger.retry import BROKER, Backoff
from logger.settings.load import Settings

_TROUBLE: Final = "mqtt"
OUTLET: Final = "mqtt"
"""The key of the broker's address in the recorder's status."""


@contextlib.asynccontextmanager
async def serve_mqtt(settings: Settings, recorder: Recorder, clock: Clock) -> AsyncIterator[None]:
    """Publish readings within this context, if MQTT_URL is set. No failure is raised."""
    if not settings.mqtt.url:
        yield
        return
    recorder.outlets[OUTLET] = settings.mqtt.url
    tasks = [asyncio.create_task(_publish_for_ever(settings, each, recorder, clock)) for each in recorder.collectors]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _publish_for_ever(settings: Settings, collector: Collector, recorder: Recorder, clock: Clock) -> None:
    """Publish the readings of one gateway. After each failure connect again, with longer and longer pauses."""
    backoff = Backoff(BROKER, clock)
    seen = 0
    while not collector.serial:
        seen = await recorder.news.wait_beyond(seen)
    while True:
        try:
            await _publish(settings, collector, recorder, clock, backoff)
        except BrokerError as error:
            collector.changes.begin(_TROUBLE, str(error))
        except Exception as error:  # noqa: BLE001  whatever it is, recording must not end by it
            log.get("mqtt").error("publishing over MQTT failed unexpectedly and is tried again", exc_info=error)
            collector.changes.begin(_TROUBLE, f"MQTT: {type(error).__name__}: {error}")
        backoff.fail(OUTLET)
        await clock.sleep(backoff.next_in_s(BROKER.most_s))


async def _publish(
    settings: Settings, collector: Collector, recorder: Recorder, clock: Clock, backoff: Backoff
) -> None:
    """Connect, and publish each change.

    Raises BrokerError if no connection is made, or when the connection is lost.
    """
    from logger.mqtt.broker import connect  # needs an optional package, and memory that a recorder without MQTT saves

    mqtt, gateway = settings.mqtt, collector.serial
    messages = Messages(mqtt.topic, mqtt.prefix)
    will_topic = messages.recorder_availability(gateway)
    async with connect(mqtt, _identify(settings, gateway), will_topic) as broker:
        backoff.succeed(OUTLET)
        collector.changes.end(_TROUBLE, "the MQTT broker accepts messages again")
        version = recorder.news.version
        await broker.recall(messages.list_state_topics(gateway), messages.recall)
        while collector.serial == gateway:
            await broker.publish(messages.list_new(_look(collector, recorder, clock)))
            version = await recorder.news.wait_beyond(version)


def _identify(settings: Settings, gateway: str) -> str:
    """Return the recorder's name at the broker.

    The name is the same after a restart. It is made from the gateway, the host name and the path of the state folder.
    """
    place = f"{socket.gethostname()} {settings.state_dir.resolve()}"
    return f"envoy-logger-{gateway}-{hashlib.blake2b(place.encode(), digest_size=4).hexdigest()}"


def _look(collector: Collector, recorder: Recorder, clock: Clock) -> Present:
    """Collect the newest readings of one gateway and the recorder's present problems."""
    return Present(
        collector.serial,
        collector.newest,
        recorder.changes.troubles,
        collector.site,
        clock.time(),
    )
