"""Check the MQTT broker: whether it answers, shows a trusted certificate, and accepts the sign-in."""

from __future__ import annotations

import os

from logger.doctor.check_result import Report, fail, good
from logger.errors import BrokerError
from logger.settings.definitions import Mqtt


async def check_mqtt(settings: Mqtt, report: Report) -> None:
    """Connect to the broker once, and publish nothing. Without MQTT_URL, report nothing."""
    if not settings.url:
        return
    from logger.mqtt.broker import connect  # imports paho, which is installed only for MQTT

    try:
        async with connect(settings, f"envoy-logger-doctor-{os.getpid()}"):
            report(good("mqtt", f"{settings.url} accepts the sign-in"))
    except BrokerError as error:
        report(fail("mqtt", error))
