"""Anonymises documents: replaces each serial number, address, name and place by a stand-in of its own.

The stand-in is the same in all documents. The anonymiser first collects the personal data of all documents, and then
cleans each document. So a serial number that is the value of a key in one document is also found inside a text of
another document. All other bytes remain unchanged, including the spelling of numbers and all dates.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from logger.capture.identities import MAC, Kind, find_identities, kind_of_key
from logger.capture.json_tokens import JsonToken, find_tokens, write_string
from logger.capture.stand_ins import StandIns

_DIGITS: Final = 8
"""The least number of digits of a serial number. Shorter numbers are counters, even under the key of a serial."""
_TAGGED: Final = re.compile(r"<([A-Za-z_][\w.-]*)(?:\s[^<>]*)?>([^<>]+)</\1\s*>")
_CELLS: Final = re.compile(r"<t[dh][^<>]*>([^<>]+)</t[dh]>\s*<t[dh][^<>]*>(?:\s*<[^<>/]+>)*([^<>]+)<", re.I)


class Anonymiser:
    """Collects personal data, and then replaces the data by stand-ins. `now`: the gateway's time in unix seconds."""

    def __init__(self, now: float, *, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self.stand_ins = StandIns(now)
        for secret in secrets:
            self.stand_ins.note("secret", secret)
        for name in names:
            for kind, value in list(find_identities(name)) or [("name", name)]:
                self.stand_ins.note(kind, value)

    # --- collecting ----------------------------------------------------------------------------------------------

    def learn(self, path: str, body: bytes) -> None:
        """Collect the personal data of one document."""
        text = _decode(body)
        if _is_json(text):
            for token in find_tokens(text):
                self._learn_token(path, token)
            return
        for kind, value in find_identities(text):
            if kind != "ip":
                self.stand_ins.note(kind, value)
        for pattern in (_TAGGED, _CELLS):
            for key, value in pattern.findall(text):
                self._learn_value(path, html.unescape(key), html.unescape(value).strip())

    def _learn_token(self, path: str, token: JsonToken) -> None:
        if token.kind in ("string", "cut"):
            self._learn_value(path, token.key, token.text)
            return
        if token.kind == "key":
            for kind, value in find_identities(token.text):
                self.stand_ins.note(kind, value)
        long_enough = token.kind == "key" or len(token.text) >= _DIGITS
        if kind_of_key(token.key, path) == "serial" and token.text.isdigit() and long_enough:
            self.stand_ins.note("serial", token.text)

    def _learn_value(self, path: str, key: str, value: str) -> None:
        inside = list(find_identities(value, key))
        for kind, part in inside:
            self.stand_ins.note(kind, part)
        by_key = kind_of_key(key, path)
        if by_key == "mac" and not MAC.search(value):
            by_key = "name"
        if by_key == "serial" and any(kind == "serial" for kind, _ in inside):
            return  # an id that contains a serial number, such as the id of a meter
        if by_key is not None and all(value != part for _, part in inside):
            self.stand_ins.note(by_key, value)

    # --- replacing -----------------------------------------------------------------------------------------------

    def clean(self, path: str, body: bytes) -> bytes:
        """Return the document with all collected personal data replaced by stand-ins."""
        text = _decode(body)
        cleaned = self._clean_json(path, text) if _is_json(text) else self._clean_markup(path, text)
        return cleaned.encode("utf-8", "surrogateescape")

    def clean_text(self, text: str) -> str:
        """Return a plain text with all collected personal data replaced by stand-ins."""
        return self.stand_ins.replace(text)

    def _clean_json(self, path: str, text: str) -> str:
        parts, done = [], 0
        for token in find_tokens(text):
            literal = text[token.start : token.end]
            is_cut = token.kind == "number" and token.end == len(text)  # the number may be incomplete
            parts += [text[done : token.start], "" if is_cut else self._clean_token(path, token, literal)]
            done = token.end
        return "".join([*parts, text[done:]])

    def _clean_token(self, path: str, token: JsonToken, literal: str) -> str:
        kind = kind_of_key(token.key, path)
        if token.kind == "cut":
            return '"'  # the incomplete text may be personal data
        if token.kind == "number":
            if kind == "place":
                return re.sub(r"\d", "0", re.sub(r"^-?\d+", "0", literal.partition("e")[0].partition("E")[0]))
            return (self.stand_ins.find("serial", literal) if literal.isdigit() else None) or literal
        if token.kind == "key":
            whole = self.stand_ins.find_key(token.text)
            text = self.stand_ins.replace(token.text, in_key=True) if whole is None else whole
        else:
            text = self._clean_value(kind, token.text)
        return literal if text == token.text else write_string(text, literal)

    def _clean_value(self, kind: Kind | None, value: str) -> str:
        """Return the stand-in of the whole value: the stand-in for this `kind`, or else the stand-in for a name.

        If the whole value has no stand-in, replace only the personal data inside the value.
        """
        for known in (kind, "name") if kind else ():
            stand_in = self.stand_ins.find(known, value)
            if stand_in is not None:
                return stand_in
        return self.stand_ins.replace(value)

    def _clean_markup(self, path: str, text: str) -> str:
        def inside(match: re.Match[str]) -> str:
            value = html.unescape(match.group(2))
            kept = value.strip()
            new = self._clean_value(kind_of_key(html.unescape(match.group(1)), path), kept)
            if new == kept:
                return match.group()
            start, end = match.start(2) - match.start(), match.end(2) - match.start()
            return match.group()[:start] + html.escape(value.replace(kept, new)) + match.group()[end:]

        for pattern in (_TAGGED, _CELLS):
            text = pattern.sub(inside, text)
        return self.stand_ins.replace(text)


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def _decode(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")
