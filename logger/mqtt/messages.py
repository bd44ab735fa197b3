"""Make the messages of one gateway: availability, discovery, and one state for each series.

A message is made again only when its content changes.
"""

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
_LOOK_S: Final = 30
"""Greatest number of seconds between two checks whether a reading has become too old."""
_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Message:
    """One message to publish. The broker retains the message for clients that connect later.

    `is_repeated`: a newer message follows soon, so the broker need not confirm this message. After a lost connection
    all messages are sent again.
    """

    topic: str
    payload: str
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The source of the messages: the newest readings of one gateway, and the present problems.

    `now`: the present time in unix seconds.
    """

    gateway: str
    newest: NewestReadings
    troubles: Mapping[str, str]
    site: Site
    now: float


@dataclass(frozen=True, slots=True)
class _Told:
    """The values from which the last message to a state topic was made."""

    reading: Reading
    is_stale: bool
    troubles: tuple[str, ...]


@dataclass(slots=True)
class Messages:
    """Makes the messages of one connection. A message that was already sent is not made again.

    `base`: the first part of every topic. `prefix`: the first part of the topics of Home Assistant's discovery; empty
    without discovery.
    """

    base: str
    prefix: str
    _states: dict[str, _Told] = field(default_factory=dict)
    _announced: dict[str, frozenset[str]] = field(default_factory=dict)
    _left: dict[str, tuple[Topic, dict[str, Json]]] = field(default_factory=dict)
    _is_heard: bool | None = None
    _seen: tuple[object, ...] = ()

    def list_state_topics(self, gateway: str) -> list[str]:
        """Return the patterns that match every topic with a state of a gateway."""
        return [f"{self._of(gateway)}/+", f"{self._of(gateway)}/+/+"]

    def recall(self, message: Message) -> None:
        """Store a state that the broker retained from an earlier connection.

        When this state is too old to be true now, `list_new` makes a message that replaces it.
        """
        name = message.topic.removeprefix(f"{self.base}/").split("/")[1:]
        topic = next((each for each in TOPICS if [each.name] == name[:1]), None)
        with contextlib.suppress(ValueError):
            state = json.loads(message.payload)
            if topic is not None and isinstance(state, dict) and isinstance(state.get("time"), int):
                self._left[message.topic] = topic, state

    def recorder_availability(self, gateway: str) -> str:
        """Return the topic to which the broker itself writes `offline` when the connection is lost."""
        return recorder_availability_of(self._of(gateway))

    def list_new(self, seen: Present) -> Iterator[Message]:
        """Make the messages for all changes since the last call. `seen`: the present readings and problems."""
        look = seen.newest, seen.newest.revision, seen.troubles, seen.now // _LOOK_S
        if look == self._seen:
            return
        self._seen = look
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
        """Replace the states that the broker retained and that are too old now: make one message for each of them.

        The new state contains only the old time and the lasting values; the other values are null. A series whose
        state was already sent over this connection gets no message.
        """
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
                yield Message(at, _encode({**lasting, "time": time}))

    def _list_of_series(self, seen: Present, gateway_topic: str, topic: Topic, reading: Reading) -> Iterator[Message]:
        """Make the message with the state of one series; no message if the state need not be sent (see `_is_told`).

        If the state has a field for the first time, the message that describes the field's entity comes first.
        """
        serial = reading.tags.get("serial")
        state_topic = "/".join([gateway_topic, topic.name, *([serial] if serial else [])])
        is_stale = not is_current(reading, seen.site, seen.now)
        troubles = tuple(seen.troubles.values()) if topic.device == "recorder" else ()
        present = _Told(reading, is_stale, troubles)
        if _is_told(self._states.get(state_topic), present, topic.rest_s):
            return
        self._states[state_topic] = present
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
        yield Message(state_topic, _encode({**state, "time": reading.time}), is_repeated=True)

    def _of(self, gateway: str) -> str:
        return f"{self.base}/{gateway}"


def _is_told(told: _Told | None, present: _Told, rest_s: int) -> bool:
    """Return True if the state `present` need not be sent. `told`: the state that was sent last.

    The state need not be sent if nothing changed. If only numbers changed, the state need not be sent in the first
    `rest_s` seconds after the reading that was sent.
    """
    if told is None or (told.is_stale, told.troubles) != (present.is_stale, present.troubles):
        return False
    if told.reading is present.reading:
        return True
    if present.reading.time - told.reading.time < rest_s:
        return _list_signs(told.reading) == _list_signs(present.reading)
    return told.reading == present.reading


def _list_signs(reading: Reading) -> dict[str, Value]:
    """Return the fields of a reading, with 0 in place of each number, so that only flags and texts are compared."""
    return {name: value if isinstance(value, (bool, str)) else 0 for name, value in reading.fields.items()}


def _describe_state(
    topic: Topic, values: Mapping[str, Value], announced: frozenset[str], *, is_stale: bool
) -> dict[str, Json]:
    """Return every field of `announced` with its value.

    `announced`: the fields that the states of this topic have had so far. A value is null if it is absent, or too old
    to be true now.
    """
    return {
        name: None
        if name not in values or (is_stale and name not in topic.lasting)
        else round_value(name, values[name])
        for name in sorted(announced)
    }
