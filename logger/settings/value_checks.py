"""Checks of single settings: each returns the value, or raises ValueError saying what is wrong, never the value."""

from __future__ import annotations

import os
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

_NO_ADDRESS: Final = "is not a host, host:port or http(s)://host"
_TOKEN_PART: Final = r"[A-Za-z0-9_-]+"  # noqa: S105  its form


def check_url(value: str) -> str:
    """Require http(s)://host[:port][/path]; strip a slash at the end."""
    parts = _split(value, "is not an http:// or https:// address")
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9._:%-]+", parts.hostname or ""):
        raise ValueError("is not an http:// or https:// address")
    if parts.query or parts.fragment:
        raise ValueError("has a part behind ? or #, which an address does not need")
    return value.rstrip("/")


def check_url_or_empty(value: str) -> str:
    """Require the same, or nothing."""
    return check_url(value) if value else value


def check_gateway_address(value: str) -> str:
    """Require host, host:port or http(s)://host, or nothing; strip a slash at the end."""
    if not value:
        return value
    place = value.partition("://")[2] or value
    if place.count(":") > 1 and not place.startswith("["):
        raise ValueError("is an IPv6 address without brackets, such as [fe80::1%eth0]")
    parts = _split(value if "://" in value else f"//{value}", _NO_ADDRESS)
    if parts.scheme not in ("", "http", "https") or parts.path.strip("/") or parts.query:
        raise ValueError(_NO_ADDRESS)
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-f:]+(%\w+)?", parts.hostname or ""):
        raise ValueError(_NO_ADDRESS)
    return value.rstrip("/")


def _split(text: str, otherwise: str) -> SplitResult:
    """Split an address whose port is one and that carries no credentials."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(otherwise) from None
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if parts.username or parts.password:
        raise ValueError("carries a user or password; they have settings of their own")
    return parts


def check_path(value: str) -> str:
    """Require that a ~ at the beginning stands for a home folder."""
    if value.startswith("~") and os.path.expanduser(value).startswith("~"):
        raise ValueError("begins with ~, and this user has no such home folder")
    return value


def check_serial(value: str) -> str:
    """Require 10 to 16 digits, or nothing."""
    if value and not re.fullmatch(r"\d{10,16}", value):
        raise ValueError("is not a serial number of digits")
    return value


def check_zone(value: str) -> str:
    """Require a time zone of the IANA database, or nothing."""
    if value:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database, such as Europe/Paris") from None
    return value


def check_bucket(value: str) -> str:
    """Require the name of a bucket (2.x), a database (1.x, 3.x) or database/retention-policy (1.x)."""
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("is empty, begins or ends with a space, or holds a control character")
    if value.startswith("_") or any(c in value for c in '"\\'):
        raise ValueError("is not a bucket's name: it begins with _, or holds \" or a backslash")
    parts = value.split("/")
    if len(parts) > 2 or "" in parts:
        raise ValueError("is neither a name nor database/retention-policy")
    return value


def check_line(value: str) -> str:
    """Require printable text without spaces around it."""
    if value != value.strip() or not value.isprintable():
        raise ValueError("begins or ends with a space, or holds a control character")
    return value


def check_gateway_token(value: SecretStr) -> SecretStr:
    """Require the form of a token; for which gateway and until when is seen where it is used."""
    parts = value.get_secret_value().strip().split(".")
    if value and (len(parts) != 3 or not all(re.fullmatch(_TOKEN_PART, part) for part in parts)):
        raise ValueError("is not a token: a token is three parts separated by dots, and nothing else")
    return value


def check_influx_token(value: SecretStr) -> SecretStr:
    """Require what an HTTP header can hold."""
    if value and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
        raise ValueError("is not a token: it holds a space, a line break or a letter that no token has")
    return value
