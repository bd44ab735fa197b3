"""What `doctor` says of the broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from logger.doctor.check_result import CheckResult
from logger.doctor.mqtt_checks import check_mqtt
from tests.databases.server_process import find_free_port
from tests.mqtt.broker_process import BrokerProcess
from tests.web.stage import configured


def diagnose(**settings: str) -> list[CheckResult]:
    found: list[CheckResult] = []
    asyncio.run(check_mqtt(configured(**settings).mqtt, found.append))
    return found


def test_without_a_broker_nothing_is_said() -> None:
    assert not diagnose()


def test_a_broker_that_takes_the_sign_in_is_good(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path)
    broker.start()
    try:
        (result,) = diagnose(MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
    finally:
        broker.kill()
    assert result.state == "good"


def test_a_broker_that_is_away_is_named_with_its_cure() -> None:
    (result,) = diagnose(MQTT_URL=f"mqtt://127.0.0.1:{find_free_port()}")
    assert result.state == "bad"
    assert result.cure == "start the broker, or correct MQTT_URL."
    assert result.exit_code == 69
