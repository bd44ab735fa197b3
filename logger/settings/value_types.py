"""Define the types of the settings' values. A wrong value raises ValueError with the reason, not with the value."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr


def _require(is_good: Callable[[str], object], message: str) -> AfterValidator:
    """Return a validator that accepts empty and valid values, and raises ValueError(`message`) for other values."""

    def check(value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text and not is_good(text):
            raise ValueError(message)
        return value

    return AfterValidator(check)


def is_zone(name: str) -> bool:
    """Return True if the IANA database has a time zone with this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _split(address: str, message: str) -> SplitResult:
    """Return the parts of an address.

    Raise ValueError for a wrong port and for credentials. Raise ValueError(`message`) if the address is no URL.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError(message) from None
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("has a port that is not a number from 1 to 65535") from None
    if parts.username or parts.password:
        raise ValueError("contains a user or a password, which have settings of their own")
    return parts


def _check_url(value: str, *schemes: str) -> str:
    """Check that a value is scheme://host[:port][/path] or empty. Remove a slash at the end."""
    if not value:
        return value
    message = f"is not an {schemes[0]}:// or {schemes[1]}:// address"
    parts = _split(value, message)
    if parts.scheme not in schemes or not re.fullmatch(r"[A-Za-z0-9._:%-]+", parts.hostname or ""):
        raise ValueError(message)
    if parts.query or parts.fragment:
        raise ValueError("has a part after ? or #, which must be removed")
    return value.rstrip("/")


def _check_mqtt_url(value: str) -> str:
    """Check that a value is mqtt(s)://host[:port] or empty. Remove a slash at the end."""
    found = _check_url(value, "mqtt", "mqtts")
    if urlsplit(found).path:
        raise ValueError("has a part after the host, which must be removed")
    return found


def check_gateway_address(value: str) -> str:
    """Check that a value is empty, or host[:port] with or without http(s):// before it. Remove a slash at the end."""
    if not value:
        return value
    place = value.partition("://")[2] or value
    if place.count(":") > 1 and not place.startswith("["):
        raise ValueError("is an IPv6 address without brackets, such as [fe80::1%eth0]")
    message = "is not a host, host:port or http(s)://host"
    parts = _split(value if "://" in value else f"//{value}", message)
    if parts.scheme not in ("", "http", "https") or parts.path.strip("/") or parts.query:
        raise ValueError(message)
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-f:]+(%\w+)?", parts.hostname or ""):
        raise ValueError(message)
    return value.rstrip("/")


_OFF: Final = ("off", "no", "none", "false")


def _check_listen_address(value: str) -> str:
    """Check that a value is host:port, only a port, or `off`. Return `off` or host:port."""
    if value.lower() in _OFF:
        return "off"
    place = f"127.0.0.1:{value}" if value.isdecimal() else value
    message = "is neither off nor host:port, such as 127.0.0.1:9817 or 0.0.0.0:9817"
    parts = _split(f"//{place}", message)
    if parts.path or parts.query or parts.fragment or parts.port is None or not parts.hostname:
        raise ValueError(message)
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-f:]+(%\w+)?", parts.hostname):
        raise ValueError(message)
    return place


MqttUrl = Annotated[str, AfterValidator(_check_mqtt_url)]
Url = Annotated[str, AfterValidator(lambda value: _check_url(value, "http", "https"))]
ListenAddress = Annotated[str, AfterValidator(_check_listen_address)]
HostNames = Annotated[
    str,
    _require(
        re.compile(r"[A-Za-z0-9.-]+( *, *[A-Za-z0-9.-]+)*").fullmatch,
        "is not a list of host names with commas in between",
    ),
]
GatewayAddress = Annotated[str, AfterValidator(check_gateway_address)]
Serial = Annotated[str, _require(re.compile(r"\d{10,16}").fullmatch, "is not a serial number of digits")]
Zone = Annotated[str, _require(is_zone, "is not a time zone of the IANA database, such as Europe/Paris")]
FilePath = Annotated[
    str,
    _require(
        lambda path: not os.path.expanduser(path).startswith("~"),
        "begins with ~, and this user has no such home folder",
    ),
]
Shard = Annotated[
    str,
    _require(re.compile(r"(\d{1,4}|pod)/\d{1,4}").fullmatch, "is not NUMBER/COUNT, such as 2/8, nor pod/COUNT"),
]
Line = Annotated[
    str,
    _require(
        lambda text: text == text.strip() and text.isprintable(),
        "begins or ends with a space, or contains a control character",
    ),
]
Bucket = Annotated[
    Line,
    _require(
        re.compile(r'[^_"\\][^"\\]*').fullmatch,
        "is not a bucket's name: it begins with _, or contains \" or a backslash",
    ),
    _require(re.compile(r"[^/]+(/[^/]+)?").fullmatch, "is neither a name nor database/retention-policy"),
]
TopicName = Annotated[
    str,
    _require(
        re.compile(r"[^\s/+#$][^\s+#]*(?<!/)").fullmatch,
        "is not a topic: it begins or ends with a slash, or contains a space, + or #",
    ),
]
InfluxToken = Annotated[
    SecretStr,
    _require(
        re.compile(r"[\x21-\x7e]+").fullmatch,
        "is not a token: it contains a space, a line break or a letter that no token has",
    ),
]
GatewayToken = Annotated[
    SecretStr,
    _require(
        re.compile(r"\s*(?a:[\w-]+\.[\w-]+\.[\w-]+)\s*").fullmatch,
        "is not a token: a token is three parts separated by dots, and nothing else",
    ),
]
"""A gateway's token of the right form. Its gateway and its expiry are checked where the token is used."""
