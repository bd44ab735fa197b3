"""Reads the document in a gateway's answer: JSON, the web page of the oldest gateways, or `/info`. Pure.

An answer without a document raises a typed error.

Gateways often send a wrong content type, so the type is read from the content. The error for an unreadable answer
shows the first characters of the answer, with secrets masked.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final
from xml.etree import ElementTree as Xml

from logger.answer import Answer
from logger.errors import (
    AbsentError,
    BusyError,
    GatewayError,
    NotAGatewayError,
    NotAllowedError,
    UnreadableError,
)
from logger.gateway.endpoints import FIRST_TOKEN, Endpoint, Form, auth_kind
from logger.log import mask
from logger.model import GatewayInfo, Json

INFO_LIMIT: Final = 64 * 1024
"""Largest `/info` that is accepted, in bytes. Real answers are under 8 KiB."""
ANSWER_LIMIT: Final = 1024 * 1024
"""Largest answer that is accepted, in bytes. The largest recorded answer is under 64 KiB."""
_DEPTH_LIMIT: Final = 32
_PARTS_LIMIT: Final = 50_000
"""Most values in a document; 600 inverters have about 16,000.

Parsed JSON may need 40 times the memory of its text.
"""
_SHOWN: Final = 80
_SERIAL: Final = re.compile(r"[0-9A-Za-z]{6,20}")
"""Pattern of a serial: digits on a real gateway, a word in an anonymised recording. Safe as part of a file name."""
_FIRMWARE: Final = re.compile(r"[A-Za-z]{0,4}[0-9]+(\.[0-9]+)*[\w.\-]{0,32}")


_FORM: Final = bytes(
    ord("0") if byte in b"0123456789" else ord("e") if byte in b"eE" else byte for byte in range(256)
)
"""Translation table: each digit becomes a zero, and each E becomes lower case."""
_TOO_LARGE: Final = (b"0e0", b"0e+0", b"0" * 300)
"""Every number too large for a float has one of these parts after the translation by `_FORM`.

Other numbers may have such a part, too.
"""
_OF_NUMBERS: Final = b"0123456789.+-"
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_GONE: Final = frozenset({400, 404, 405, 410})


def read_answer(answer: Answer, endpoint: Endpoint, info: GatewayInfo, host: str, who: str) -> Json:
    """Return the document in the answer.

    `who`: for messages, the kind of user of the token (owner or installer), or the name of the local user. Raises
    AbsentError, NotAllowedError, BusyError, UnreadableError or GatewayError, depending on the status.
    """
    where, status = f"{host}{endpoint.path}", answer.status
    if status == 200:
        if endpoint.form == "json" and info.version < (4,) and looks_like_html(answer):
            raise AbsentError(f"{where} is a web page: this firmware has no such document")
        return read_document(answer, endpoint.form, where)
    if status in (401, 403):
        raise not_allowed(answer, endpoint, info, host, who)
    if status in _GONE:
        raise AbsentError(f"{where} answered {status}: this gateway has no such document")
    _refuse_busy(answer, where)
    if 300 <= status < 400:
        raise UnreadableError(
            f"{where} answered with a redirect ({status}), which is not followed",
            "restart the gateway if this lasts.",
        )
    raise GatewayError(
        f"{where} answered {status}",
        "restart the gateway if this lasts; if that does not help, report it with `envoy-logger capture`.",
    )


def not_allowed(answer: Answer, endpoint: Endpoint, info: GatewayInfo, host: str, who: str) -> NotAllowedError:
    """Return the error for a path that this user may not read, although other paths work.

    `who`: the kind of user of the token (owner or installer), or the name of the local user.
    """
    answered = f"{host}{endpoint.path} answered {answer.status}"
    if auth_kind(info) == "token":
        return NotAllowedError(
            f"{answered}: the role of this token ({who}) may not read this path; some paths need an installer's token"
        )
    if "digest" in answer.headers.get("www-authenticate", "").lower():
        return NotAllowedError(
            f"{host}{endpoint.path} refuses user {who} and the password ({answer.status}); "
            "paths without a password are still read",
            "set ENPHASE_LOCAL_USERNAME and ENPHASE_LOCAL_PASSWORD_FILE; firmware 3.18 needs the user installer.",
        )
    return NotAllowedError(f"{answered}: this firmware does not allow this path")


def _refuse_busy(answer: Answer, where: str) -> None:
    """Raise BusyError for a temporary status: 408, 429 or 5xx. `where`: the address, for the message."""
    if answer.status >= 500 or answer.status in (408, 429):
        raise BusyError(
            f"{where} answered {answer.status}: the gateway starts up, cleans up or is overloaded",
            "restart the gateway if this lasts.",
        )


def read_document(answer: Answer, form: Form, where: str) -> Json:
    """Return the body of an answer with status 200: parsed JSON, or the text of a page.

    Raises UnreadableError if the body does not have the format `form`. `where`: the address, for the message.
    """
    text = answer.text.removeprefix("\ufeff").strip()
    if not text:
        raise UnreadableError(
            f"{where} answered with an empty body",
            "restart the gateway if this lasts; a gateway answers so under load and during its nightly clean-up.",
        )
    if form != "json":
        if not text.startswith("<"):
            raise _unreadable(where, "text that is neither HTML nor XML", text)
        return text
    if text.startswith("<"):
        raise _unreadable(where, "HTML instead of JSON", text)
    if text.count(",") + text.count("[") + text.count("{") > _PARTS_LIMIT:
        raise _unreadable(where, "more values than any gateway has", text)
    try:
        parsed: Json = (_CAREFUL if _may_overflow(answer.body) else _PLAIN).decode(text)
        if not _is_shallow(answer.body):
            _measure(parsed)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, "something that is not JSON", text) from error
    if not isinstance(parsed, (dict, list)):
        raise _unreadable(where, "a bare value instead of a document", text)
    return parsed


def looks_like_html(answer: Answer) -> bool:
    """Return True if the body is a web page.

    Firmware 3 sends a web page, with status 200, for a path that the firmware lacks.
    """
    return answer.text.lstrip("\ufeff \t\r\n").startswith("<")


def read_info(answer: Answer, host: str, received_at: float) -> GatewayInfo:
    """Read the answer to `/info`. `received_at`: the time of the answer by our clock, in unix seconds.

    Raises BusyError if the gateway is busy, and NotAGatewayError if something other than a gateway answered.
    """
    _refuse_busy(answer, f"{host}/info")
    text = answer.text
    if 300 <= answer.status < 400:
        raise NotAGatewayError(
            f"{host} redirects /info to another address ({answer.status}); a redirect is not followed",
            "check ENPHASE_GATEWAY (from firmware 7 on without http://); "
            "restart the gateway if the address is right.",
        )
    if answer.status != 200:
        raise _not_a_gateway(host, f"status {answer.status}", text)
    if len(answer.body) > INFO_LIMIT or "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise _not_a_gateway(host, "a web page", text)
    try:
        root = Xml.fromstring(text.strip())  # noqa: S314  bounded, and without a DTD there are no entities
    except (Xml.ParseError, ValueError) as error:
        raise _not_a_gateway(host, "something that is not XML", text) from error
    serial = _text(root, "device/sn")
    firmware = _text(root, "device/software")
    if root.tag != "envoy_info" or not _SERIAL.fullmatch(serial) or not _FIRMWARE.fullmatch(firmware):
        raise _not_a_gateway(host, "something without serial and firmware", text)
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


def _not_a_gateway(host: str, found: str, text: str) -> NotAGatewayError:
    """Return the error for an address at which something other than a gateway answers.

    `found`: what `/info` gave instead, such as a status. `text`: the text of the answer.
    """
    return NotAGatewayError(
        f"{host} is not an Enphase gateway: /info gave {found}{_quote(text)}",
        "check ENPHASE_GATEWAY; the gateway's own page at this address shows its serial number.",
    )


def _unreadable(where: str, found: str, text: str) -> UnreadableError:
    return UnreadableError(
        f"{where} gave {found}{_quote(text)}",
        "check the address; restart the gateway if this lasts.",
    )


def _quote(text: str) -> str:
    """Return the first characters of an answer for a message. Secrets are masked before the text is cut."""
    plain = " ".join(mask(text[:4096]).split())[:_SHOWN]
    return f": {plain!r}" if plain else ""


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _may_overflow(body: bytes) -> bool:
    """Return whether a document may have a number that is too large for a float.

    False is certain. True is not certain.
    """
    form = body.translate(_FORM)
    return any(part in form for part in _TOO_LARGE)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number that can be stored")
    return value


_PLAIN: Final = json.JSONDecoder(parse_constant=_refuse)
_CAREFUL: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def number_skeleton(answer: Answer) -> int:
    """Return a hash that is equal for two documents that differ only in digits.

    The hash is valid only in this process.
    """
    return hash(answer.body.translate(None, _OF_NUMBERS))


def _is_shallow(body: bytes) -> bool:
    """Return True if the brackets of a document prove that it is nested at most as deeply as allowed.

    Brackets are removed from the innermost level outwards.
    """
    brackets = body.translate(None, _NO_BRACKETS)
    for _ in range(_DEPTH_LIMIT - 1):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return False


def _measure(value: Json) -> None:
    """Raise ValueError if a document is nested more than 32 levels deep."""
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
