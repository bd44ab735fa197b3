"""Describe the entities to Home Assistant: one retained message for each entity, under Home Assistant's prefix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from logger import __version__
from logger.model import Json
from logger.mqtt.entities import DeviceKind, Topic, find_traits
from logger.readings.schema import Field


def availability_of(gateway_topic: str) -> str:
    """Return the topic that shows whether the gateway answers."""
    return f"{gateway_topic}/availability"


def recorder_availability_of(gateway_topic: str) -> str:
    """Return the topic that shows whether the recorder is connected."""
    return f"{gateway_topic}/recorder/availability"


def describe_entities(
    prefix: str, gateway_topic: str, topic: Topic, state_topic: str, tags: Mapping[str, str], names: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Make the discovery messages of the fields `names` of one device. Yield topic and payload of each message."""
    device = _describe_device(topic.device, tags)
    owner = tags.get("serial") or tags["gateway"]
    for field in topic.fields:
        if field.name in names:
            unique = _slug(f"envoy_{tags['gateway']}_{topic.name}_{owner}_{field.name}")
            entity = _describe_entity(topic, field, state_topic, gateway_topic)
            message = {**entity, "unique_id": unique, "object_id": _slug(f"envoy_{owner}_{field.name}"), **device}
            yield f"{prefix}/{find_traits(field).component}/{unique}/config", json.dumps(message, ensure_ascii=False)


def _describe_entity(topic: Topic, field: Field, state_topic: str, gateway_topic: str) -> dict[str, Json]:
    traits = find_traits(field)
    value = f"value_json.{field.name}"
    is_flag = traits.component == "binary_sensor"
    needed = [recorder_availability_of(gateway_topic)]
    if topic.device != "recorder":
        needed.append(availability_of(gateway_topic))
    entity: dict[str, Json] = {
        "name": traits.name,
        "state_topic": state_topic,
        "value_template": f"{{{{ {{true: 'ON', false: 'OFF'}}.get({value}) }}}}" if is_flag else f"{{{{ {value} }}}}",
        "availability": [{"topic": each} for each in needed],
        "availability_mode": "all",
        "enabled_by_default": field.name in topic.shown,
        "origin": {"name": "envoy-logger", "sw_version": __version__},
    }
    entity |= {
        key: value
        for key, value in (
            ("unit_of_measurement", traits.unit),
            ("device_class", traits.device_class),
            ("state_class", traits.state_class),
        )
        if value
    }
    if topic.device == "recorder":
        entity["entity_category"] = "diagnostic"
    if field.name == "problem":
        entity["json_attributes_topic"] = state_topic
        entity["json_attributes_template"] = "{{ {'troubles': value_json.troubles} | tojson }}"
    return entity


def _describe_device(kind: DeviceKind, tags: Mapping[str, str]) -> dict[str, Json]:
    """Describe the device of an entity.

    Inverters, batteries and the recorder are connected through the gateway's device.
    """
    gateway = tags["gateway"]
    site = _identify("gateway", gateway)
    if kind == "gateway":
        name = tags.get("site") or f"Enphase gateway {gateway}"
        return {"device": {"identifiers": [site], "name": name, "manufacturer": "Enphase", "serial_number": gateway}}
    if kind == "recorder":
        name = f"envoy-logger of {tags.get('site') or gateway}"
        device: dict[str, Json] = {"identifiers": [_identify("recorder", gateway)], "name": name}
        return {"device": {**device, "sw_version": __version__, "via_device": site}}
    serial = tags["serial"]
    name = f"{kind.capitalize()} {tags.get('panel') or serial}"
    device = {"identifiers": [_identify(kind, serial)], "name": name, "manufacturer": "Enphase"}
    return {"device": {**device, "serial_number": serial, "via_device": site}}


def _identify(kind: DeviceKind, serial: str) -> str:
    return f"envoy_logger_{kind}_{serial}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)
