"""Publish the newest readings of every gateway while the recorder runs. A broker that is away costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from logger import log
from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.recorder import Recorder
from logger.errors import BrokerError
from logger.mqtt.messages import ONLINE, Message, Messages, Present
from logger.retry import BROKER, Backoff
from logger.settings.definitions import Mqtt
from logger.settings.load import Settings

_TROUBLE: Final = "mqtt"
OUTLET: Final = "mqtt"
"""The name under which the recorder's status has the broker's address."""


@contextlib.asynccontextmanager
async def serve_mqtt(settings: Settings, recorder: Recorder, clock: Clock) -> AsyncIterator[None]:
    """Publish while inside, if MQTT_URL is set. No failure here is raised."""
    if not settings.mqtt.url:
        yield
        return
    recorder.outlets[OUTLET] = settings.mqtt.url
    tasks = [
        asyncio.create_task(_publish_for_ever(settings.mqtt, each, recorder, clock)) for each in recorder.collectors
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _publish_for_ever(mqtt: Mqtt, collector: Collector, recorder: Recorder, clock: Clock) -> None:
    """Publish one gateway; after each failure connect again, more slowly from time to time."""
    backoff = Backoff(BROKER, clock)
    seen = 0
    while not collector.serial:
        seen = await recorder.news.wait_beyond(seen)
    while True:
        try:
            await _publish(mqtt, collector, recorder, clock, backoff)
        except BrokerError as error:
            collector.changes.begin(_TROUBLE, str(error))
        except Exception as error:  # noqa: BLE001  whatever it is, recording must not end by it
            log.get("mqtt").error("the publishing broke", exc_info=error)
            collector.changes.begin(_TROUBLE, f"MQTT: {type(error).__name__}: {error}")
        backoff.fail(OUTLET)
        await clock.sleep(backoff.next_in_s(BROKER.most_s))


async def _publish(mqtt: Mqtt, collector: Collector, recorder: Recorder, clock: Clock, backoff: Backoff) -> None:
    """Connect, and publish what is new until the connection is lost. Raises BrokerError."""
    from logger.mqtt.broker import connect  # needs an extra, and memory that a recorder without MQTT keeps

    gateway = collector.serial
    messages = Messages(mqtt.topic, mqtt.prefix)
    will_topic = messages.recorder_availability(gateway)
    async with connect(mqtt, f"envoy-logger-{gateway}", will_topic) as broker:
        await broker.publish(Message(will_topic, ONLINE))
        backoff.succeed(OUTLET)
        collector.changes.end(_TROUBLE, "the MQTT broker takes messages again")
        version = 0
        while collector.serial == gateway:
            for message in messages.list_new(_look(collector, recorder, clock)):
                await broker.publish(message)
            version = await broker.unless_lost(recorder.news.wait_beyond(version))


def _look(collector: Collector, recorder: Recorder, clock: Clock) -> Present:
    """Look at the newest readings of one gateway and at the recorder's troubles."""
    return Present(
        collector.serial,
        collector.newest,
        recorder.changes.troubles,
        collector.site,
        clock.time(),
    )
