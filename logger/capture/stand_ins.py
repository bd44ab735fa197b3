"""Chooses a stand-in for each name, serial number, address and place.

The stand-in is the same in all documents of a recording.
"""

from __future__ import annotations

import html
import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from logger.capture.identities import Kind, is_worth_hiding

_VOCABULARY: Final = frozenset(
    """
    acb acbs admin auto backfeed backup battery c6 cellular charging closed collar consumption controller day
    default disabled discharging economy eim enabled encharge enphase enpower envoy esub eth0 eth1 ethernet evse
    false full gateway generator grid home idle info installer inverter inverters line lines load local manual
    meter meters nc1 nc2 net net-consumption no1 no2 none normal nsrb null off on open owner pcu phase power
    ppp0 production pv pv3p ready rgm root schedule single solar split status storage system tariff three total
    total-consumption true type unknown user wifi wlan0 zigbee
    """.split()  # noqa: SIM905  as a list it would be a page long
)
"""The gateway's own words.

If personal data is such a word, it is replaced only in a value that consists of this word alone.
"""
_SHORTEST: Final = 3
_WORD: Final = r"(?<![^\W_])(?:{})(?![^\W_])"
_BOUNDS: Final[dict[Kind, Callable[[str], str]]] = {
    "secret": lambda any_of: any_of,
    "email": lambda any_of: f"(?i:{any_of})",
    "host": lambda any_of: rf"(?i:(?<![\w-])(?:{any_of})(?![\w-]))",
    "ip": lambda any_of: rf"(?<![\d.])(?:{any_of})(?!\d|\.\d)",
    "serial": lambda any_of: rf"(?:{any_of})",
    "zone": _WORD.format,
    "place": _WORD.format,
    "name": _WORD.format,
    "mac": lambda any_of: f"(?i:{any_of})",
}
"""Kind → the pattern that separates an original from the text around it. Kinds are tried in this order."""


class StandIns:
    """Collects originals, and then chooses a stand-in for each original. `now`: unix seconds.

    `chosen`: (kind, original) → stand-in.
    """

    def __init__(self, now: float) -> None:
        self.chosen: dict[tuple[Kind, str], str] = {}
        self._now = datetime.fromtimestamp(now, UTC)
        self._noted: dict[tuple[Kind, str], None] = {}
        self._by_form: dict[tuple[str, str], str] = {}
        self._pattern: re.Pattern[str] | None = None

    def note(self, kind: Kind, value: str) -> None:
        """Collect `value` if it identifies a person, a device or a place. Otherwise ignore it."""
        value = value.strip()
        if is_worth_hiding(kind, value):
            self._noted[kind, _normalise(kind, value)] = None

    def find(self, kind: Kind, value: str) -> str | None:
        """Return the stand-in for `value`; None if `value` is not one of the collected originals."""
        self._choose()
        found = self.chosen.get((kind, _normalise(kind, value.strip())))
        return None if found is None else _take_form(kind, value, found)

    def find_key(self, text: str) -> str | None:
        """If a key is one of the collected names, return its stand-in. Otherwise return None.

        A key that the gateway itself uses is never replaced.
        """
        return None if text.lower() in _VOCABULARY else self.find("name", text)

    def replace(self, text: str, *, in_key: bool = False) -> str:
        """Replace every original in a text.

        In a key, do not replace names, places and time zones, because these may be the gateway's own words.
        """
        self._choose()
        if self._pattern is None:
            return text

        def by(match: re.Match[str]) -> str:
            kind: Kind = match.lastgroup  # type: ignore[assignment]
            if in_key and kind in ("name", "place", "zone"):
                return match.group()
            found = None if kind == "mac" else self._by_form.get((kind, match.group()))
            return found or self.find(kind, match.group()) or match.group()

        return self._pattern.sub(by, text)

    # --- choosing ------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Choose a stand-in for each original that was collected since the previous call.

        A serial number that contains another serial number of at least ten digits gets no stand-in of its own. Only
        the contained serial number is replaced.
        """
        if not self._noted:
            return
        known = {original for kind, original in (*self._noted, *self.chosen) if kind == "serial"}
        for kind, original in self._noted:
            parts = (other for other in known if len(other) >= 10 and other != original)
            is_made_of_another = kind == "serial" and any(other in original for other in parts)
            if not is_made_of_another and (kind, original) not in self.chosen:
                self.chosen[kind, original] = self._make(kind, original, known)
        self._noted = {}
        self._compile()

    def _make(self, kind: Kind, original: str, serials: set[str]) -> str:
        number = sum(1 for other, _ in self.chosen if other == kind) + 1
        match kind:
            case "serial":
                return self._make_serial(original, number, serials)
            case "mac":
                return f"02{number:0{len(original) - 2}x}"
            case "ip" if ":" in original:
                return str(ipaddress.IPv6Address("2001:db8::") + number)
            case "ip":
                return str(ipaddress.IPv4Address("198.18.0.0") + number)
            case "email":
                return f"person{number}@example.org"
            case "host":
                return f"host{number}.example.org"
            case "zone":
                return _find_zone_of_same_offset(original, self._now)
            case _:
                return f"{kind}-{number}"

    def _make_serial(self, original: str, number: int, known: set[str]) -> str:
        """Make a number that differs from all collected serials (`known`) and from all stand-ins.

        It is as long as the original, but at least six digits long.
        """
        width = max(len(original), 6)
        taken = known | set(self.chosen.values())
        while (found := f"9{number:0{width - 1}d}") in taken:
            number += 1
        return found

    # --- finding within a text -----------------------------------------------------------------------------------

    def _compile(self) -> None:
        """Build one pattern that finds every spelling of every original. The longest spelling comes first."""
        forms: dict[Kind, set[str]] = {}
        for (kind, original), stand_in in self.chosen.items():
            if kind not in ("name", "place", "secret") or not _is_common_word(original):
                for form in (original, html.escape(original), quote(original), quote(original, safe="")):
                    forms.setdefault(kind, set()).add(form)
                    self._by_form[kind, form] = stand_in
        groups = [
            f"(?P<{kind}>{bound(_any_of(kind, forms[kind]))})" for kind, bound in _BOUNDS.items() if kind in forms
        ]
        self._pattern = re.compile("|".join(groups)) if groups else None


def _any_of(kind: Kind, forms: Iterable[str]) -> str:
    """Return a pattern that finds all `forms`, the longest first.

    A short form that has only letters and digits is found only as a whole word.
    """
    patterns = []
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        if kind == "mac":
            patterns.append("[:-]?".join(re.findall("..", form)))
        else:
            is_word = len(form) < 10 and form.isalnum()
            patterns.append(_WORD.format(re.escape(form)) if is_word else re.escape(form))
    return "|".join(patterns)


def _is_common_word(name: str) -> bool:
    return len(name) < _SHORTEST or name.lower() in _VOCABULARY or not any(c.isalpha() for c in name)


def _normalise(kind: Kind, value: str) -> str:
    """Return an original in the form that the keys of `chosen` have, such as a hardware address without colons."""
    if kind == "mac":
        return re.sub("[:-]", "", value).lower()
    return value.lower() if kind in ("email", "host") else value


def _take_form(kind: Kind, original: str, stand_in: str) -> str:
    """Return a stand-in in the form of the original. A hardware address gets the original's separators and case."""
    if kind != "mac":
        return stand_in
    pairs = re.findall("..", stand_in.upper() if original.upper() == original else stand_in)
    return next((c for c in original if c in ":-"), "").join(pairs)


def _find_zone_of_same_offset(zone: str, now: datetime) -> str:
    """Return a time zone without a place name, with the present offset of `zone` from UTC, rounded to whole hours."""
    try:
        offset = now.astimezone(ZoneInfo(zone)).utcoffset()
    except (KeyError, ValueError, OSError):
        return "Etc/UTC"
    hours = round(offset.total_seconds() / 3600) if offset is not None else 0
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/UTC"
