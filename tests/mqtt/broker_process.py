"""Run Debian's mosquitto on loopback, and watch what it holds; a test without it is skipped with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.databases.server_process import find_free_port
from tests.waiting import LONGEST_S, wait_until

NEEDS = "needs: Debian package mosquitto"


def find_mosquitto() -> str:
    """Return the path of mosquitto, or skip the test."""
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip(NEEDS)
    return found


class BrokerProcess:
    """One mosquitto with its own port; it forgets everything when it ends. `options`: more lines of its settings."""

    def __init__(self, folder: Path, options: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.folder, self.port = folder, find_free_port()
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text("\n".join([f"listener {self.port} 127.0.0.1", "user root", *options, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "mosquitto.log").open("ab") as log:
            command = [find_mosquitto(), "-c", str(self._settings)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self._is_listening, (self.folder / "mosquitto.log").read_text)

    def hang(self) -> None:
        """Let the broker keep its connections and read nothing more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(LONGEST_S)
            self._process = None

    def _is_listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False


class Watcher:
    """What a subscriber of every topic has received: topic → newest payload."""

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}
        self._came = asyncio.Event()

    async def until(self, topic: str, payload: str | None = None) -> str:
        """Wait until a message (with that payload) came → its payload."""
        async with asyncio.timeout(LONGEST_S):
            while topic not in self.topics or payload not in (None, self.topics[topic]):
                self._came.clear()
                await self._came.wait()
        return self.topics[topic]

    async def state(self, topic: str) -> dict[str, Any]:
        """Wait for a state → its JSON."""
        found: dict[str, Any] = json.loads(await self.until(topic))
        return found

    def take(self, message: MQTTMessage) -> None:
        self.topics[message.topic] = message.payload.decode()
        self._came.set()


@contextlib.asynccontextmanager
async def watching(port: int, **options: Any) -> AsyncIterator[Watcher]:
    """Subscribe to everything while inside, on a thread of the library."""
    watcher, loop, is_in = Watcher(), asyncio.get_running_loop(), asyncio.Event()
    client = Client(CallbackAPIVersion.VERSION2, **options)

    def take(_client: Client, _data: Any, message: MQTTMessage) -> None:
        loop.call_soon_threadsafe(watcher.take, message)

    def begin(*_: Any) -> None:
        loop.call_soon_threadsafe(is_in.set)

    def subscribe(*_: Any) -> None:
        client.subscribe("#")

    client.on_message, client.on_subscribe, client.on_connect = take, begin, subscribe
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        async with asyncio.timeout(LONGEST_S):
            await is_in.wait()
        yield watcher
    finally:
        client.disconnect()
        client.loop_stop()
