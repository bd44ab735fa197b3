"""Documents without their owner: every serial number, address, name and place has one stand-in, everywhere.

First all documents are learned, then each is cleaned: so a serial number that stands under its key in one document is
also found inside a text of another. Everything else stays byte for byte, the form of numbers included; dates stay.
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

from logger.capture.identities import MAC, Kind, identities_in, kind_of_key, worth_hiding
from logger.capture.json_tokens import Token, tokens, written

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
"""Words of the gateway's own: as somebody's name they are replaced where names stand, and nowhere else."""
_SHORTEST: Final = 3
_DIGITS: Final = 8
"""A number with fewer is no serial number, whatever its key says: a counter."""
_TAGGED: Final = re.compile(r"<([A-Za-z_][\w.-]*)(?:\s[^<>]*)?>([^<>]+)</\1\s*>")
_CELLS: Final = re.compile(r"<t[dh][^<>]*>([^<>]+)</t[dh]>\s*<t[dh][^<>]*>(?:\s*<[^<>/]+>)*([^<>]+)<", re.I)


class Anonymiser:
    """Learns who must not be recognised, then hides them. `standins`: (kind, original) → stand-in."""

    def __init__(self, now: float, *, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self.standins: dict[tuple[Kind, str], str] = {}
        self._now = datetime.fromtimestamp(now, UTC)
        self._learned: dict[tuple[Kind, str], None] = {}
        self._forms: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self._note("secret", secret)
        for name in names:
            found = list(identities_in(name))
            for kind, value in found or [("name", name)]:
                self._note(kind, value)

    def learn(self, path: str, body: bytes) -> None:
        """Note everything in one document that tells of somebody."""
        text = _text(body)
        if _is_json(text):
            for token in tokens(text):
                self._learn_token(path, token)
            return
        for kind, value in identities_in(text):
            if kind != "ip":
                self._note(kind, value)
        for pattern in (_TAGGED, _CELLS):
            for key, value in pattern.findall(text):
                self._learn_value(path, html.unescape(key), html.unescape(value).strip())

    def clean(self, path: str, body: bytes) -> bytes:
        """The document with a stand-in for everything that was learned, from whichever document."""
        self._settle()
        text = _text(body)
        if not _is_json(text):
            return _bytes(self._without_markup(path, text))
        parts, done = [], 0
        for token in tokens(text):
            literal = text[token.start : token.end]
            cut = token.kind == "number" and token.end == len(text)  # only a part of a number
            parts += [text[done : token.start], "" if cut else self._cleaned(path, token, literal)]
            done = token.end
        return _bytes("".join([*parts, text[done:]]))

    def plain(self, text: str) -> str:
        """A text without structure, cleaned."""
        self._settle()
        return self._replaced(text)

    # --- learning ------------------------------------------------------------------------------------------------

    def _learn_token(self, path: str, token: Token) -> None:
        if token.kind == "key":
            for kind, value in identities_in(token.text):
                self._note(kind, value)
            if kind_of_key(token.key, path) == "serial" and token.text.isdigit():
                self._note("serial", token.text)
        elif token.kind == "number":
            if kind_of_key(token.key, path) == "serial" and token.text.isdigit() and len(token.text) >= _DIGITS:
                self._note("serial", token.text)
        else:
            self._learn_value(path, token.key, token.text)

    def _learn_value(self, path: str, key: str, value: str) -> None:
        for kind, part in identities_in(value, key):
            self._note(kind, part)
        kind_by_key = kind_of_key(key, path)
        if kind_by_key == "mac" and not MAC.search(value):
            kind_by_key = "name"
        inside = list(identities_in(value, key))
        if kind_by_key == "serial" and any(kind == "serial" for kind, _ in inside):
            return  # an id made of a serial number, such as that of a meter
        if kind_by_key is not None and not any(value == part for _, part in inside):
            self._note(kind_by_key, value)

    def _note(self, kind: Kind, value: str) -> None:
        value = value.strip()
        if not worth_hiding(kind, value):
            return
        self._learned[kind, _plain(kind, value)] = None

    # --- choosing ------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """A stand-in for everything that was learned since; a serial number within a longer one speaks for both."""
        if len(self._learned) == 0:
            return
        known = {plain for kind, plain in (*self._learned, *self.standins) if kind == "serial"}
        for kind, plain in self._learned:
            made_of_another = kind == "serial" and any(len(s) >= 10 and s in plain for s in known - {plain})
            if not made_of_another and (kind, plain) not in self.standins:
                self.standins[kind, plain] = self._standin(kind, plain, known)
        self._learned = {}
        self._compile()

    def _standin(self, kind: Kind, plain: str, known: set[str]) -> str:
        number = sum(1 for known, _ in self.standins if known == kind) + 1
        match kind:
            case "serial":
                return self._free_serial(plain, number, known)
            case "mac":
                return f"02{number:0{len(plain) - 2}x}"
            case "ip" if ":" in plain:
                return str(ipaddress.IPv6Address("2001:db8::") + number)
            case "ip":
                return str(ipaddress.IPv4Address("198.18.0.0") + number)
            case "email":
                return f"person{number}@example.org"
            case "host":
                return f"host{number}.example.org"
            case "zone":
                return _zone_of_same_offset(plain, self._now)
            case _:
                return f"{kind}-{number}"

    def _free_serial(self, plain: str, number: int, known: set[str]) -> str:
        """Digits of the same length that are nobody's serial number here."""
        width = max(len(plain), 6)
        taken = known | set(self.standins.values())
        while (found := f"9{number:0{width - 1}d}") in taken:
            number += 1
        return found

    # --- hiding --------------------------------------------------------------------------------------------------

    def _cleaned(self, path: str, token: Token, literal: str) -> str:
        kind = kind_of_key(token.key, path)
        if token.kind == "cut":
            return '"'  # the half of something that cannot be known
        if token.kind == "number":
            if kind == "place":
                return re.sub(r"\d", "0", re.sub(r"^-?\d+", "0", literal.partition("e")[0].partition("E")[0]))
            return self.standins.get(("serial", literal), literal) if literal.isdigit() else literal
        if token.kind == "key":
            whole = self._whole(token.text)
            text = whole if whole is not None else self._replaced(token.text, key=True)
        else:
            text = self._value(kind, token.text)
        return literal if text == token.text else written(text, literal)

    def _value(self, kind: Kind | None, value: str) -> str:
        """A value under a key: wholly its stand-in where the key says so, else with what was learned replaced."""
        for known in (kind, "name") if kind else ():
            standin = self.standins.get((known, _plain(known, value.strip())))
            if standin is not None:
                return _in_form(known, value, standin)
        return self._replaced(value)

    def _whole(self, text: str) -> str | None:
        """The stand-in of a key that is a name as a whole."""
        return None if text.lower() in _VOCABULARY else self.standins.get(("name", text))

    def _without_markup(self, path: str, text: str) -> str:
        def inside(match: re.Match[str]) -> str:
            value = html.unescape(match.group(2))
            kept = value.strip()
            new = self._value(kind_of_key(html.unescape(match.group(1)), path), kept)
            if new == kept:
                return match.group()
            start, end = match.start(2) - match.start(), match.end(2) - match.start()
            return match.group()[:start] + html.escape(value.replace(kept, new)) + match.group()[end:]

        for pattern in (_TAGGED, _CELLS):
            text = pattern.sub(inside, text)
        return self._replaced(text)

    def _replaced(self, text: str, *, key: bool = False) -> str:
        """Every learned original in a text by its stand-in; in keys no names: they may be the gateway's."""
        if self._pattern is None:
            return text

        def by(match: re.Match[str]) -> str:
            kind: Kind = match.lastgroup  # type: ignore[assignment]
            if key and kind in ("name", "place", "zone"):
                return match.group()
            found = self._forms.get(f"{kind} {match.group()}")
            found = found or self.standins.get((kind, _plain(kind, match.group())))
            return match.group() if found is None else _in_form(kind, match.group(), found)

        return self._pattern.sub(by, text)

    def _compile(self) -> None:
        """One pattern of everything that is known, the longest first."""
        forms: dict[Kind, set[str]] = {}
        self._forms = {}
        for (kind, plain), standin in self.standins.items():
            if kind == "mac" or (kind in ("name", "place", "secret") and _is_word_of_ours(plain)):
                continue
            for form in (plain, html.escape(plain), quote(plain), quote(plain, safe="")):
                forms.setdefault(kind, set()).add(form)
                self._forms[f"{kind} {form}"] = standin
        hex_forms = {plain for kind, plain in self.standins if kind == "mac"}
        groups = [
            f"(?P<{kind}>{bound(_any_of(found))})" for kind, bound in _BOUNDS.items() if (found := forms.get(kind))
        ]
        if hex_forms:
            pairs = {"[:-]?".join(re.findall("..", plain)) for plain in hex_forms}
            groups.append(f"(?P<mac>(?i:{'|'.join(sorted(pairs, key=len, reverse=True))}))")
        self._pattern = re.compile("|".join(groups)) if groups else None


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
}
"""How each kind is told apart from what stands beside it, in the order in which they are tried."""


def _any_of(forms: Iterable[str]) -> str:
    return "|".join(_bounded(form) for form in sorted(forms, key=lambda form: (-len(form), form)))


def _bounded(form: str) -> str:
    """A short run of letters and digits is found as a whole word only."""
    return _WORD.format(re.escape(form)) if len(form) < 10 and form.isalnum() else re.escape(form)


def _is_word_of_ours(name: str) -> bool:
    return len(name) < _SHORTEST or name.lower() in _VOCABULARY or not any(c.isalpha() for c in name)


def _plain(kind: Kind, value: str) -> str:
    """The one form of an original by which it is known."""
    if kind == "mac":
        return re.sub("[:-]", "", value).lower()
    return value.lower() if kind in ("email", "host") else value


def _in_form(kind: Kind, before: str, standin: str) -> str:
    """A hardware address with the separators and the case of the one before."""
    if kind != "mac":
        return standin
    pairs = re.findall("..", standin.upper() if before.upper() == before else standin)
    separator = next((c for c in before if c in ":-"), "")
    return separator.join(pairs)


def _zone_of_same_offset(zone: str, now: datetime) -> str:
    """A zone that has the same time now (to the hour) and lies nowhere."""
    try:
        offset = now.astimezone(ZoneInfo(zone)).utcoffset()
    except (KeyError, ValueError, OSError):
        return "Etc/UTC"
    hours = round(offset.total_seconds() / 3600) if offset is not None else 0
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/UTC"


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
