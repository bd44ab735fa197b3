"""Row selectors: which objects of which documents a measurement is read from.

A selector looks at a View and returns rows, an empty list when this gateway surely has none, or None when
that cannot be told now (the document is missing, late or unreadable). That difference is what keeps a value
from coming silently from another source: a worse source is used only where the better one surely has nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from logger.model import Document, Json, Role, Snapshot

METERS = "/ivp/meters"
READINGS = "/ivp/meters/readings"
V1 = "/api/v1/production"
V1_INVERTERS = "/api/v1/production/inverters"
PDM = "/ivp/pdm/energy"
DEVICE_DATA = "/ivp/pdm/device_data"
INVENTORY = "/inventory.json?deleted=1"
BLOCKS = "/production.json?details=1"
ENSEMBLE = "/ivp/ensemble/inventory"
ENSEMBLE_POWER = "/ivp/ensemble/power"
ENSEMBLE_STATUS = "/ivp/ensemble/status"
SECCTRL = "/ivp/ensemble/secctrl"
PAGE = "/production"
GENERATOR = "/ivp/ensemble/generator"
GENERATOR_CONFIG = "/ivp/ss/gen_config"
CONTACTS = "/ivp/ensemble/dry_contacts"
CONTACT_SETTINGS = "/ivp/ss/dry_contact_settings"
HOME = "/home.json"
PATHS: Final = frozenset(
    {
        METERS,
        READINGS,
        V1,
        V1_INVERTERS,
        PDM,
        DEVICE_DATA,
        INVENTORY,
        BLOCKS,
        ENSEMBLE,
        ENSEMBLE_POWER,
        ENSEMBLE_STATUS,
        SECCTRL,
        PAGE,
        GENERATOR,
        GENERATOR_CONFIG,
        CONTACTS,
        CONTACT_SETTINGS,
        HOME,
    }
)
"""Every document that a rowset reads."""

Object: TypeAlias = Mapping[str, Json]
_SERIAL_LIMIT: Final = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One object to read fields from. `serial`, `reported` (the gateway's own second) and `tags` name the device."""

    values: Object
    serial: str = ""
    reported: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    document: Document | None = None

    def age_s(self, tick: int) -> int | None:
        """Age of its document at a tick, in seconds."""
        return None if self.document is None else max(0, int(tick - self.document.received_at))


Rows: TypeAlias = "list[Row] | None"


class Nowhere:
    """This gateway surely has no such document."""


NOWHERE: Final = Nowhere()


@dataclass(frozen=True, slots=True)
class View:
    """A Snapshot as one role's tick may see it."""

    snapshot: Snapshot
    role: Role

    def measured(self, path: str) -> Document | Nowhere | None:
        """The document, if it arrived since the role's last tick; measured values never stand."""
        document = self.snapshot.documents.get(path)
        if document is None:
            return NOWHERE if path in self.snapshot.settled else None
        return document if document.received_at > self.snapshot.since.get(self.role, -math.inf) else None

    def fact(self, path: str) -> Document | Nowhere | None:
        """The document, also one that stands since an earlier tick; for facts about the installation."""
        document = self.snapshot.documents.get(path)
        if document is None and path in self.snapshot.settled:
            return NOWHERE
        return document

    def gateway_now(self, document: Document) -> float:
        """The gateway's own clock when that document arrived."""
        return document.received_at + self.snapshot.gateway.clock_skew_s


Selector: TypeAlias = Callable[[View], Rows]


def number(value: Json) -> float | None:
    """A finite number, or None; text, booleans and null are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: Json) -> int | None:
    """A whole number such as a count or an epoch second, also when the gateway wrote it as text (Q-T3)."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    result = number(value)
    return int(result) if result is not None and result == int(result) else None


def objects(body: Json) -> list[Object] | None:
    """The objects of a list, or None if it is no list or holds only other things."""
    found: list[Object] = [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []
    return found if found or body == [] else None


def serial_of(value: Json) -> str:
    """A serial number as text, or empty; some documents write it as a number. A tag: only letters and digits."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if len(text) <= _SERIAL_LIMIT and text.isascii() and text.isalnum() else ""


def object_row(path: str, view: View) -> Row | Nowhere | None:
    """A document that is one object, as a row; None while it cannot be told."""
    document = view.measured(path)
    if document is None or isinstance(document, Nowhere):
        return document
    return Row(document.body, document=document) if isinstance(document.body, dict) else None
