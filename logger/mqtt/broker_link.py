"""Run paho's client on the recorder's own event loop, with few wake-ups. Only this module imports paho.

aiomqtt also runs paho on an event loop, but wakes up each second. In a minute these wake-ups take as much processor
time as half a tick (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from logger.mqtt.messages import Message

_CONNECT_S: Final = 5.0
_KEEPALIVE_S: Final = 90
"""If the recorder or the broker has sent nothing for this many seconds, the recorder must send a ping.

If the recorder sends nothing for one and a half times this time, the broker regards the connection as lost.
"""
_LOOK_S: Final = 100.0
"""Greatest number of seconds between two checks whether a ping is due.

When messages are sent, the recorder makes this check too, and the interval begins anew. So a recorder that publishes
each minute does not wake up only for this check, and the broker never waits longer than this interval for a message
or a ping.
"""
_PATIENCE_S: Final = 10.0
"""If the broker does not react for this many seconds, waiting for the broker ends with an error."""
_AT_MOST_ONCE: Final = 0
_AT_LEAST_ONCE: Final = 1


class BrokerLink:
    """One connection to the broker. The connection is used only once.

    `answer`: the broker's answer to the sign-in, None before the answer. `is_lost`: True after the connection was
    lost.
    """

    def __init__(self, identifier: str, tls: ssl.SSLContext | None) -> None:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=identifier,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        if tls is not None:
            client.tls_set_context(tls)
        client.connect_timeout = _CONNECT_S
        client.on_connect = self._note_answer
        client.on_disconnect = lambda *_: self._lose()
        self.client = client
        self.answer: ReasonCode | None = None
        self.is_lost = False
        self.on_loss: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        self._waiting: list[MQTTMessageInfo] = []
        self._step: asyncio.Future[None] = self._loop.create_future()
        self._look: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int) -> None:
        """Connect and sign in. Store any answer of the broker in `answer`. Raises OSError and TimeoutError."""
        connecting = self._loop.run_in_executor(None, self.client.connect, host, port, _KEEPALIVE_S)
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._forget)
            raise
        own = self.client.socket()
        if own is None:
            raise ConnectionResetError("the connection was closed at once")
        number = own.fileno()
        self.client.on_socket_close = lambda *_: self._stop(number)
        self._loop.add_reader(number, self._read)
        self._look_after()
        await self._wait_while(lambda: self.answer is None)

    def follow(self, topic: str, take: Callable[[Message, bool], None]) -> None:
        """Subscribe to a topic. `take` gets each message, and whether the broker had retained the message."""

        def note(_client: Client, _data: Any, message: MQTTMessage) -> None:
            take(Message(message.topic, message.payload.decode("utf-8", "replace")), message.retain)

        self.client.message_callback_add(topic, note)
        self.client.subscribe(topic)

    def unfollow(self, topic: str) -> None:
        """End the subscription to a topic."""
        self.client.message_callback_remove(topic)
        self.client.unsubscribe(topic)

    def publish(self, messages: Iterable[Message]) -> None:
        """Send messages that the broker retains for later subscribers. Then check whether a ping is due.

        A repeated message has QoS 0: the broker does not confirm it, and a lost one is replaced by the next one. Any
        other message has QoS 1, and the broker confirms it.
        """
        has_sent = False
        for message in messages:
            self._send(message)
            has_sent = True
        if has_sent:  # without a message the next check must not come later, because the broker would hear nothing
            self._look_after()

    def _send(self, message: Message) -> None:
        surety = _AT_MOST_ONCE if message.is_repeated else _AT_LEAST_ONCE
        info = self.client.publish(message.topic, message.payload, surety, retain=True)
        if not info.is_published():
            self._waiting.append(info)
            self._write_later()

    async def wait_until_taken(self) -> None:
        """Wait until all messages of QoS 0 are sent and all of QoS 1 are confirmed, or the connection is lost.

        Raises TimeoutError if the broker takes nothing for ten seconds.
        """
        await self._wait_while(self._has_untaken)

    async def close(self) -> None:
        """Disconnect from the broker with the message that MQTT requires."""
        if not self.is_lost:
            self.client.disconnect()
            with contextlib.suppress(TimeoutError):
                await self._wait_while(lambda: True)
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without a last message, if it is still open."""
        own = self.client.socket()
        if own is not None:
            self._stop(own.fileno())
            own.close()

    async def _wait_while(self, is_open: Callable[[], bool]) -> None:
        while is_open() and not self.is_lost:
            before = len(self._waiting)
            self._step = self._loop.create_future()
            done, _ = await asyncio.wait({self._step}, timeout=_PATIENCE_S)
            if not done and len(self._waiting) >= before:
                raise TimeoutError(f"no answer within {_PATIENCE_S:.0f} s")

    def _go_on(self) -> None:
        if not self._step.done():
            self._step.set_result(None)

    def _note_answer(self, _c: Client, _d: Any, _f: ConnectFlags, answer: ReasonCode, _p: Properties | None) -> None:
        self.answer = answer
        self._go_on()

    def _has_untaken(self) -> bool:
        """Return True while a message of QoS 0 is not sent, or a message of QoS 1 is not confirmed."""
        self._waiting = [each for each in self._waiting if not each.is_published()]
        return bool(self._waiting)

    def _write_later(self) -> None:
        """Write the waiting bytes as soon as the connection can accept more bytes."""
        own = self.client.socket()
        if own is not None and self.client.want_write():
            self._loop.add_writer(own.fileno(), self._write)

    def _write(self) -> None:
        own = self.client.socket()
        self.client.loop_write()
        if own is not None and not self.client.want_write():
            self._loop.remove_writer(own.fileno())
        self._go_on_if_taken()

    def _go_on_if_taken(self) -> None:
        if self._waiting and not self._has_untaken():
            self._go_on()

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._go_on()
            self.on_loss()

    def _read(self) -> None:
        """Read the bytes that the broker sent. If the bytes are not MQTT, close the connection."""
        try:
            self.client.loop_read()
            while isinstance(own := self.client.socket(), ssl.SSLSocket) and own.pending():
                self.client.loop_read()
            self._go_on_if_taken()
        except Exception:  # noqa: BLE001  the library trusts what it reads
            self.abandon()
            self._lose()

    def _look_after(self) -> None:
        """Let the library send a ping if one is due, and end a connection whose ping is not answered."""
        if self.is_lost:
            return
        if self._look is not None:
            self._look.cancel()
        self._look = self._loop.call_later(_LOOK_S, self._look_after)
        self.client.loop_misc()

    def _forget(self, connecting: asyncio.Future[Any]) -> None:
        """Close a connection that was made after `open` was cancelled."""
        if not connecting.cancelled() and connecting.exception() is None:
            self.abandon()

    def _stop(self, number: int) -> None:
        """Stop watching the socket of a connection."""
        self._loop.remove_reader(number)
        self._loop.remove_writer(number)
        if self._look is not None:
            self._look.cancel()
