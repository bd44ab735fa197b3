"""Finds personal data in a gateway's documents, by the name of a key or by the form of a text. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final, Literal

Kind = Literal["serial", "mac", "ip", "email", "host", "name", "place", "zone", "secret"]

_SERIALS: Final = frozenset(
    {"sn", "deviceid", "systemid", "siteid", "userid", "imei", "imsi", "iccid", "meid", "uuid"}
)
_SERIAL_KEY: Final = re.compile(r"(?<!to)serials?(?:num|numbers?|nums|no|nb)?\Z")
_MACS: Final = frozenset({"mac", "hwaddr", "bssid", "eui64", "macaddress", "macaddr"})
_HOSTS: Final = frozenset({"host", "hostname", "fqdn", "domain", "domainname", "dnsname", "searchdomain"})
_NAMES: Final = frozenset(
    {
        "ssid", "essid", "name", "user", "owner", "installer", "company", "phone", "telephone", "email", "mail",
        "accesspoint", "apn", "operator", "lastupdatedby", "model", "modelid", "generatorid", "customer",
    }
)  # fmt: skip
_NO_NAMES: Final = frozenset({"devname", "filename", "typename", "interfacename", "fieldname"})
_PLACES: Final = frozenset(
    {
        "latitude", "longitude", "lat", "lon", "lng", "altitude", "zip", "zipcode", "postalcode", "postcode", "city",
        "town", "street", "streetaddress", "postaladdress", "country", "countrycode", "county", "region", "province",
        "gridprofile", "gridprofilename", "location", "geohash",
    }
)  # fmt: skip
_ZONES: Final = frozenset({"timezone", "timezoneid", "tz", "tzname"})
_SECRETS: Final = frozenset(
    {"passwd", "psk", "passphrase", "sessionid", "secret", "apikey", "accesskey", "jwt", "cookie"}
)
_VERSIONS: Final = re.compile(r"version|software|firmware|release|build|pnum|part|ptpn|img|fw|vers|kernel|rootfs")

_SERIAL: Final = re.compile(r"(?<![0-9A-Za-z.])(?:\d{14}|\d{12})(?!\d)")
_DATE: Final = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d")
MAC: Final = re.compile(
    r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?:[:-][0-9A-Fa-f]{2}){0,2}"
    r"|(?=\d*[A-Fa-f])(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{12}))(?![0-9A-Za-z:])"
)
_IPV4: Final = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-])(?!\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_JWT: Final = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
_HOST: Final = re.compile(
    r"(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:local|lan|home|internal|localdomain|box|arpa)(?![\w-])", re.I
)


def kind_of_key(key: str, path: str = "") -> Kind | None:
    """Return the kind of personal data under a key; None for a key without personal data.

    `path`: the path of the document that contains the key.
    """
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if plain in _SERIALS or _SERIAL_KEY.search(plain) or (plain == "s" and path == "/inv"):
        return "serial"
    if plain in _MACS:
        return "mac"
    if plain in _HOSTS:
        return "host"
    if plain in _SECRETS or "password" in plain or plain.endswith("token"):
        return "secret"
    if plain in _PLACES:
        return "place"
    if plain in _ZONES or plain.endswith("timezone"):
        return "zone"
    if plain in _NAMES or plain.endswith("ssid") or (plain.endswith("name") and plain not in _NO_NAMES):
        return "name"
    return None


def is_worth_hiding(kind: Kind, value: str) -> bool:
    """Return True if a value identifies a person, a device or a place.

    Empty texts, zeros, loopback addresses and generic time zones such as UTC identify nothing.
    """
    plain = value.strip()
    if not plain or not set(plain) - set("0:.-fF"):
        return False
    if kind == "serial":
        return len(plain) >= 4 and any(c.isdigit() or len(plain) > 8 for c in plain) and plain.isalnum()
    if kind == "zone":
        return plain != "UTC" and not plain.startswith("Etc/")
    if kind == "ip":
        return _is_address(plain)
    return True


def find_identities(text: str, key: str = "") -> Iterator[tuple[Kind, str]]:
    """Find personal data in a text by its form. Yield kind and value. `key`: the key of the text."""
    for match in _JWT.finditer(text):
        yield "secret", match.group()
    for match in _EMAIL.finditer(text):
        yield "email", match.group()
    for match in MAC.finditer(text):
        yield "mac", match.group()
    for match in _SERIAL.finditer(text):
        if not _DATE.fullmatch(match.group()):
            yield "serial", match.group()
    if not _VERSIONS.search(key.lower()):
        for pattern in (_IPV4, _IPV6):
            for match in pattern.finditer(text):
                yield "ip", match.group()
    for match in _HOST.finditer(text):
        yield "host", match.group()


def _is_address(text: str) -> bool:
    """Return True if an IP address identifies a device. Netmasks, loopback and unspecified addresses do not."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or text.startswith("255."))
