"""From an answer's bytes to a document, strictly: JSON, the oldest gateways' web page, and `/info`. Pure.

A gateway's content types are wrong as often as right, so content decides. What cannot be read is an error that
shows the answer's first characters, masked.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final
from xml.etree import ElementTree as Xml

from logger.errors import NotAGatewayError, UnreadableError
from logger.gateway.endpoints import FIRST_TOKEN, Form
from logger.log import masked
from logger.model import GatewayInfo, Json
from logger.wire import Answer

INFO_LIMIT: Final = 64 * 1024
"""The most that `/info` may be, in bytes; real ones are under 8 KiB."""
ANSWER_LIMIT: Final = 1024 * 1024
"""The most that any answer may be, in bytes; the largest one that was ever recorded is under 64 KiB."""
_DEPTH_LIMIT: Final = 32
_PARTS_LIMIT: Final = 50_000
"""Values in a document; 600 inverters have about 16,000. Each costs a hundred times its bytes in memory."""
_SHOWN: Final = 80
_SERIAL: Final = re.compile(r"[0-9A-Za-z]{6,20}")
"""Digits on every gateway, a word in an anonymised recording; safe as part of a file name."""
_FIRMWARE: Final = re.compile(r"[A-Za-z]{0,4}[0-9]+(\.[0-9]+)*[\w.\-]{0,32}")


def read_document(answer: Answer, form: Form, where: str) -> Json:
    """The body of a 200 answer: parsed JSON, or the text of a page. Raises UnreadableError."""
    text = answer.text.removeprefix("\ufeff").strip()
    if not text:
        raise UnreadableError(
            f"{where} answered with an empty body",
            "restart the gateway if this lasts; it does so under load and during its nightly clean-up.",
        )
    if form != "json":
        if not text.startswith("<"):
            raise _unreadable(where, "something that is no markup", text)
        return text
    if text.startswith("<"):
        raise _unreadable(where, "HTML instead of JSON", text)
    if text.count(",") + text.count("[") + text.count("{") > _PARTS_LIMIT:
        raise _unreadable(where, "more values than any gateway has", text)
    try:
        parsed: Json = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        _measure(parsed)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, "something that is not JSON", text) from error
    if not isinstance(parsed, (dict, list)):
        raise _unreadable(where, "a bare value instead of a document", text)
    return parsed


def looks_like_html(answer: Answer) -> bool:
    """True if the body is a web page; firmware 3 answers so, with status 200, where there is no such path."""
    return answer.text.lstrip("\ufeff \t\r\n").startswith("<")


def read_info(answer: Answer, host: str, received_at: float) -> GatewayInfo:
    """What `/info` says; `received_at` in unix seconds, by our clock. Raises NotAGatewayError."""
    text = answer.text
    if len(answer.body) > INFO_LIMIT or "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise not_a_gateway(host, "a web page", text)
    try:
        root = Xml.fromstring(text.strip())  # noqa: S314  bounded, and without a DTD there are no entities
    except (Xml.ParseError, ValueError) as error:
        raise not_a_gateway(host, "something that is not XML", text) from error
    serial = _text(root, "device/sn")
    firmware = _text(root, "device/software")
    if root.tag != "envoy_info" or not _SERIAL.fullmatch(serial) or not _FIRMWARE.fullmatch(firmware):
        raise not_a_gateway(host, "something without serial and firmware", text)
    time = _text(root, "time")
    info = GatewayInfo(
        serial=serial,
        firmware=firmware,
        part_number=_text(root, "device/pn")[:32],
        has_meter=_text(root, "device/imeter").lower() == "true",
        needs_token=_text(root, "web-tokens").lower() == "true",
        clock_skew_s=int(time) - received_at if re.fullmatch(r"[0-9]{1,12}", time) else 0.0,
    )
    if info.version >= FIRST_TOKEN and not info.needs_token:
        return GatewayInfo(serial, firmware, info.part_number, info.has_meter, True, info.clock_skew_s)
    return info


def not_a_gateway(host: str, what: str, text: str) -> NotAGatewayError:
    """The error for an address at which something else answers."""
    return NotAGatewayError(
        f"{host} is not an Enphase gateway: /info gave {what}{_shown(text)}",
        "check ENPHASE_GATEWAY; the gateway's own page at this address shows its serial number.",
    )


def _unreadable(where: str, what: str, text: str) -> UnreadableError:
    return UnreadableError(
        f"{where} gave {what}{_shown(text)}",
        "check the address and restart the gateway if this lasts.",
    )


def _shown(text: str) -> str:
    """The beginning of an answer for a message: masked first, so that no cut secret slips through."""
    plain = " ".join(masked(text[:4096]).split())[:_SHOWN]
    return f": {plain!r}" if plain else ""


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number that can be stored")
    return value


def _measure(value: Json) -> None:
    """Raise ValueError for a document that is nested deeper than any gateway's."""
    level: list[Json] = [value]
    for _ in range(_DEPTH_LIMIT):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


def _text(root: Xml.Element, path: str) -> str:
    return (root.findtext(path) or "").strip()
