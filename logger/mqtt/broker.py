"""Hold the connection to the MQTT broker: sign-in, TLS, the meaning of failures. Alone imports aiomqtt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiomqtt

from logger.errors import BrokerError, BrokerRefusedError
from logger.mqtt.messages import OFFLINE, Message
from logger.settings.definitions import Mqtt

T = TypeVar("T")
_TIMEOUT_S: Final = 10.0
_KEEPALIVE_S: Final = 30
_FAREWELL_S: Final = 2.0
_REFUSED: Final = frozenset({4, 5, 134, 135, 138, 140})
"""Reason codes of MQTT 3.1.1 and 5 that concern user, password or rights."""

_SILENT: Final = logging.getLogger("aiomqtt")
_SILENT.disabled = True  # the library logs each failure that it raises


@dataclass(frozen=True, slots=True)
class Broker:
    """Publishes over one connection. `lost` is done once the broker has gone."""

    url: str
    client: aiomqtt.Client
    lost: asyncio.Task[None]

    async def publish(self, message: Message) -> None:
        """Publish and wait until the broker has taken the message. Raises BrokerError."""
        try:
            await self.unless_lost(self.client.publish(message.topic, message.payload, qos=1, retain=True))
        except aiomqtt.MqttError as error:
            raise BrokerError(f"the MQTT broker at {self.url} takes no messages: {error}") from error

    async def unless_lost(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`; raise BrokerError as soon as the connection is lost."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            task.cancel()
        raise BrokerError(f"the MQTT broker at {self.url} closed the connection")


@contextlib.asynccontextmanager
async def connect(settings: Mqtt, identifier: str, will_topic: str = "") -> AsyncIterator[Broker]:
    """Connect to the broker of the settings. Raises BrokerError, and BrokerRefusedError for a wrong password.

    The broker says `offline` in `will_topic` (if given) when the connection is lost.
    """
    place = urlsplit(settings.url)
    is_encrypted = place.scheme == "mqtts"
    try:
        tls = ssl.create_default_context(cafile=settings.ca_file or None) if is_encrypted else None
        client = aiomqtt.Client(
            place.hostname or "",
            place.port or (8883 if is_encrypted else 1883),
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            identifier=identifier,
            will=aiomqtt.Will(will_topic, OFFLINE, qos=1, retain=True) if will_topic else None,
            tls_context=tls,
            timeout=_TIMEOUT_S,
            keepalive=_KEEPALIVE_S,
            logger=_SILENT,
        )
        async with client:
            lost = asyncio.create_task(_notice_loss(client))
            try:
                yield Broker(settings.url, client, lost)
            finally:
                if will_topic:
                    await _say_farewell(client, will_topic)
                lost.cancel()
                await asyncio.gather(lost, return_exceptions=True)
    except (aiomqtt.MqttError, OSError) as error:
        raise _explain(error, settings.url) from error


async def _say_farewell(client: aiomqtt.Client, will_topic: str) -> None:
    """Say `offline`, since the broker itself says it only after a loss."""
    with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
        async with asyncio.timeout(_FAREWELL_S):
            await client.publish(will_topic, OFFLINE, qos=1, retain=True)


async def _notice_loss(client: aiomqtt.Client) -> None:
    """Return when the broker closes the connection; nothing is subscribed, so no message ever comes."""
    with contextlib.suppress(aiomqtt.MqttError):
        async for _ in client.messages:
            pass


def _explain(error: Exception, url: str) -> BrokerError:
    """Turn an error of the library into one for people."""
    code = getattr(error, "rc", None)
    number = getattr(code, "value", code)
    if number in _REFUSED:
        return BrokerRefusedError(
            f"the MQTT broker at {url} refuses the sign-in: {error}",
            "correct MQTT_USERNAME and MQTT_PASSWORD (or MQTT_PASSWORD_FILE).",
        )
    cause = error.__context__ or error  # the library hides what it wraps
    if isinstance(cause, ssl.SSLError):
        return BrokerError(
            f"the certificate of the MQTT broker at {url} is not trusted: {cause.reason or cause}",
            "set MQTT_CA_FILE to the certificate of the CA that signed it.",
        )
    return BrokerError(f"the MQTT broker at {url} does not answer: {cause}", "start it, or correct MQTT_URL.")
