"""Connect to the MQTT broker: sign-in, TLS, availability, and errors with hints."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from logger.errors import BrokerError, BrokerRefusedError
from logger.mqtt.broker_link import BrokerLink
from logger.mqtt.messages import OFFLINE, ONLINE, Message
from logger.settings.definitions import Mqtt

_FAREWELL_S: Final = 2.0
_REFUSED: Final = frozenset({4, 5, 134, 135, 138, 140})
"""Reason codes of MQTT 3.1.1 and 5 that concern user, password or rights."""
_OTHER_NAME: Final = frozenset({62, 64})
"""OpenSSL's codes for a certificate of another host name or of another IP address."""
_HAS_ENDED: Final = 10
"""OpenSSL's code for a certificate that has expired."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Publishes messages over one connection.

    `will_topic`: the topic to which the broker itself writes `offline` when the connection is lost.
    """

    url: str
    link: BrokerLink
    will_topic: str

    async def publish(self, messages: Iterable[Message]) -> None:
        """Publish messages. Wait until all are sent, and until the broker has confirmed all except the repeated ones.

        Raises BrokerError if the broker takes none of them for ten seconds.
        """
        self.link.publish(messages)
        try:
            await self.link.wait_until_taken()
        except TimeoutError as error:
            raise BrokerError(f"the MQTT broker at {self.url} accepts no messages: {error}") from error

    async def recall(self, topics: list[str], take: Callable[[Message], None]) -> None:
        """Pass to `take` each message that the broker has retained in these topics. Raises BrokerError."""
        for topic in topics:
            self.link.follow(topic, lambda message, is_kept: take(message) if is_kept else None)
        await self.publish(
            [Message(self.will_topic, ONLINE)]
        )  # retained messages arrive before the broker confirms this
        for topic in topics:
            self.link.unfollow(topic)


@contextlib.asynccontextmanager
async def connect(settings: Mqtt, identifier: str, will_topic: str = "") -> AsyncIterator[Broker]:
    """Connect to the broker of the settings. Raises BrokerError, and BrokerRefusedError for a wrong password.

    During the context, the content of `will_topic` (if given) is `online`; afterwards it is `offline`. If another
    client writes `offline` there, `online` is written again. If the connection is lost, the work inside the context
    is cancelled and BrokerError is raised.
    """
    link: BrokerLink | None = None
    try:
        link = BrokerLink(identifier, _make_tls(settings))
        if will_topic:
            link.client.will_set(will_topic, OFFLINE, qos=1, retain=True)
        await _sign_in(link, settings)
    except BaseException as error:
        if link is not None:
            link.abandon()
        if isinstance(error, OSError):
            raise _explain(error, settings.url) from error
        raise
    try:
        async with _cut_off_when_lost(link, settings.url):
            if will_topic:
                _stay_online(link, will_topic)
            yield Broker(settings.url, link, will_topic)
    finally:
        if will_topic:
            await _say_farewell(link, will_topic)
        await link.close()


def _make_tls(settings: Mqtt) -> ssl.SSLContext | None:
    """Make the context of an encrypted connection. Raises OSError if the CA file has no certificate."""
    is_encrypted = urlsplit(settings.url).scheme == "mqtts"
    return ssl.create_default_context(cafile=settings.ca_file or None) if is_encrypted else None


async def _sign_in(link: BrokerLink, settings: Mqtt) -> None:
    """Open the connection and sign in.

    Raises OSError if no connection is made, and BrokerError if the broker refuses the sign-in.
    """
    place = urlsplit(settings.url)
    if settings.username:
        link.client.username_pw_set(settings.username, settings.password.get_secret_value() or None)
    await link.open(place.hostname or "", place.port or (8883 if place.scheme == "mqtts" else 1883))
    answer = link.answer
    if answer is None:
        raise ConnectionResetError("the broker closed the connection before it answered the sign-in")
    if answer.value in _REFUSED:
        raise BrokerRefusedError(
            f"the MQTT broker at {settings.url} refuses the sign-in: {answer}",
            "correct MQTT_USERNAME and MQTT_PASSWORD (or MQTT_PASSWORD_FILE).",
        )
    if answer.value:
        raise BrokerError(f"the MQTT broker at {settings.url} refuses the connection: {answer}")


@contextlib.asynccontextmanager
async def _cut_off_when_lost(link: BrokerLink, url: str) -> AsyncIterator[None]:
    """Cancel the work inside this context when the connection is lost. Then raise BrokerError."""
    bound = asyncio.timeout(None)
    try:
        async with bound:
            link.on_loss = lambda: bound.reschedule(0)
            if link.is_lost:
                link.on_loss()
            try:
                yield
            finally:
                link.on_loss = lambda: None
    except TimeoutError as error:
        if bound.expired():
            raise BrokerError(f"the MQTT broker at {url} closed the connection") from error
        raise


def _stay_online(link: BrokerLink, will_topic: str) -> None:
    """Write `online`, and write `online` again after each `offline`.

    The broker writes `offline` when it ends an earlier connection of this recorder. A second recorder with the same
    topic writes `offline` when the second recorder ends.
    """

    def take(message: Message, _is_kept: bool) -> None:
        if message.payload != ONLINE:
            link.publish([Message(will_topic, ONLINE)])

    link.publish([Message(will_topic, ONLINE)])
    link.follow(will_topic, take)


async def _say_farewell(link: BrokerLink, will_topic: str) -> None:
    """Write `offline`, because the broker writes it only if the connection is lost."""
    link.unfollow(will_topic)
    link.publish([Message(will_topic, OFFLINE)])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_S):
            await link.wait_until_taken()


def _explain(error: OSError, url: str) -> BrokerError:
    """Convert an error of the connection into an error with a hint for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "set MQTT_CA_FILE to the certificate of the CA that signed the broker's certificate."
        if error.verify_code in _OTHER_NAME:
            hint = "set MQTT_URL to a name that the broker's certificate contains."
        elif error.verify_code == _HAS_ENDED:
            hint = "renew the broker's certificate."
        return BrokerError(
            f"the certificate of the MQTT broker at {url} does not verify: {error.verify_message}", hint
        )
    if isinstance(error, ssl.SSLError):
        return BrokerError(
            f"the MQTT broker at {url} did not complete the TLS handshake: {error.reason or error}",
            "correct the port in MQTT_URL, or write mqtt:// for a broker without TLS.",
        )
    return BrokerError(f"the MQTT broker at {url} does not answer: {error}", "start the broker, or correct MQTT_URL.")
