"""Make the messages of one gateway: availability, discovery, one state for each series. Each is made once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from logger.daemon.newest import NewestReadings, is_current
from logger.model import Json, Reading, Value, round_value
from logger.mqtt.entities import PROBLEM, TOPICS, Topic
from logger.mqtt.home_assistant import availability_of, describe_entities, recorder_availability_of
from logger.site import Site

ONLINE: Final = "online"
OFFLINE: Final = "offline"


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one message to publish. The broker keeps it for clients that connect later.

    `is_repeated`: a newer one follows soon, so the broker need not confirm it. After a lost connection everything is
    sent again.
    """

    topic: str
    payload: str
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """Hold what the messages are made from: the newest readings of one gateway, and the present problems.

    `now` is in unix seconds.
    """

    gateway: str
    newest: NewestReadings
    troubles: Mapping[str, str]
    site: Site
    now: float


@dataclass(slots=True)
class Messages:
    """Makes the messages of one connection. It remembers what was sent, so that nothing is made twice.

    `base` is the first part of every topic. `prefix` is that of Home Assistant's discovery; empty means no discovery.
    """

    base: str
    prefix: str
    _states: dict[str, tuple[Reading, bool, tuple[str, ...]]] = field(default_factory=dict)
    _announced: dict[str, frozenset[str]] = field(default_factory=dict)
    _left: dict[str, tuple[Topic, dict[str, Json]]] = field(default_factory=dict)
    _is_heard: bool | None = None

    def list_state_topics(self, gateway: str) -> list[str]:
        """Return the patterns of all topics that the states of a gateway may have."""
        return [f"{self._of(gateway)}/+", f"{self._of(gateway)}/+/+"]

    def recall(self, message: Message) -> None:
        """Take a state that the broker kept from an earlier connection. Once it is too old, it is replaced."""
        name = message.topic.removeprefix(f"{self.base}/").split("/")[1:]
        topic = next((each for each in TOPICS if [each.name] == name[:1]), None)
        with contextlib.suppress(ValueError):
            state = json.loads(message.payload)
            if topic is not None and isinstance(state, dict) and isinstance(state.get("time"), int):
                self._left[message.topic] = topic, state

    def recorder_availability(self, gateway: str) -> str:
        """Return the topic that the broker itself sets to `offline` when the connection is lost."""
        return recorder_availability_of(self._of(gateway))

    def list_new(self, seen: Present) -> Iterator[Message]:
        """Make each message that is new or changed since the last call."""
        gateway_topic = self._of(seen.gateway)
        if (is_heard := seen.newest.is_heard(seen.site, seen.now)) != self._is_heard:
            self._is_heard = is_heard
            yield Message(availability_of(gateway_topic), ONLINE if is_heard else OFFLINE)
        for topic in TOPICS:
            for reading in seen.newest.list_of(topic.measurement.name):
                if not reading.tags.get("endpoint"):
                    yield from self._list_of_series(seen, gateway_topic, topic, reading)
        if self._left:
            yield from self._list_outdated(seen)

    def _list_outdated(self, seen: Present) -> Iterator[Message]:
        """Make the last state of each series that only the broker still has, once that state is too old."""
        for at, (topic, state) in list(self._left.items()):
            time = int(str(state["time"]))
            reading = Reading(topic.measurement.name, {}, {}, time, topic.measurement.role)
            if at in self._states:
                del self._left[at]
            elif not is_current(reading, seen.site, seen.now):
                del self._left[at]
                lasting: dict[str, Json] = {
                    name: value if name in topic.lasting else None for name, value in state.items()
                }
                yield Message(at, json.dumps({**lasting, "time": time}, ensure_ascii=False))

    def _list_of_series(self, seen: Present, gateway_topic: str, topic: Topic, reading: Reading) -> Iterator[Message]:
        """Make the state of one series. Before it, make the entities of fields that it shows for the first time."""
        serial = reading.tags.get("serial")
        state_topic = "/".join([gateway_topic, topic.name, *([serial] if serial else [])])
        is_stale = not is_current(reading, seen.site, seen.now)
        troubles = tuple(seen.troubles.values()) if topic.device == "recorder" else ()
        if _is_same(self._states.get(state_topic), reading, troubles, is_stale=is_stale):
            return
        self._states[state_topic] = reading, is_stale, troubles
        values: dict[str, Value] = dict(reading.fields)
        if topic.device == "recorder":
            values[PROBLEM.name] = bool(troubles)
        known = self._announced.get(state_topic, frozenset())
        if new := frozenset(values) - known:
            self._announced[state_topic] = known | new
            if self.prefix:
                for at, payload in describe_entities(
                    self.prefix, gateway_topic, topic, state_topic, reading.tags, new
                ):
                    yield Message(at, payload)
        state = _describe_state(topic, values, self._announced[state_topic], is_stale=is_stale)
        if topic.device == "recorder":
            state["troubles"] = list(troubles)
        yield Message(state_topic, json.dumps({**state, "time": reading.time}, ensure_ascii=False), is_repeated=True)

    def _of(self, gateway: str) -> str:
        return f"{self.base}/{gateway}"


def _is_same(
    told: tuple[Reading, bool, tuple[str, ...]] | None, reading: Reading, troubles: tuple[str, ...], *, is_stale: bool
) -> bool:
    """Tell whether a state was sent already. Most readings are the same objects as the last time."""
    if told is None:
        return False
    return (told[0] is reading or told[0] == reading) and told[1:] == (is_stale, troubles)


def _describe_state(
    topic: Topic, values: Mapping[str, Value], announced: frozenset[str], *, is_stale: bool
) -> dict[str, Json]:
    """Return every announced field: its value, or null if it is absent or too old to be true now."""
    return {
        name: None
        if name not in values or (is_stale and name not in topic.lasting)
        else round_value(name, values[name])
        for name in sorted(announced)
    }
