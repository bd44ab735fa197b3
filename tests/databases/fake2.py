"""Run the fake InfluxDB 2 like the real one."""

from __future__ import annotations

from tests.databases.fake_influx2 import FakeInflux2
from tests.databases.influx2 import Speaks2


class Fake2(Speaks2):
    """The fake InfluxDB 2; `fake` scripts its failures; a `fresh` one waits for its first user."""

    kind = "fake2"

    def __init__(self, *, readable_tokens: bool = False, fresh: bool = False) -> None:
        self.fake = FakeInflux2(readable_tokens=readable_tokens)
        self._onboarded = fresh

    @property
    def url(self) -> str:
        return self.fake.url

    @property
    def running(self) -> bool:
        return self.fake.running

    def start(self) -> None:
        self.fake.start()
        if not self._onboarded:
            self.onboard()
            self._onboarded = True

    def stop(self) -> None:
        self.fake.stop()

    def kill(self) -> None:
        self.fake.kill()
