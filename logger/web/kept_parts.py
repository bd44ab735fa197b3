"""Store the drawn parts of the page. A part is drawn again only when its facts have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from logger.web.gathered_facts import PageFacts
from logger.web.page_parts import PARTS
from logger.web.page_texts import Language
from logger.web.wording import Wording


@dataclass(frozen=True)
class ShownParts:
    """The page that a visitor sees: each part by its HTML element's id, and the newest point of the curve."""

    parts: Mapping[str, str]
    point: Mapping[str, float]

    @cached_property
    def stamp(self) -> str:
        """Return a short text that changes when a part changes."""
        return hashlib.blake2b("\0".join(self.parts.values()).encode(), digest_size=6).hexdigest()


class KeptParts:
    """Draws the parts of the page for one site and one language."""

    def __init__(self, language: Language) -> None:
        self._words = Wording(language)
        self._drawn: dict[str, tuple[object, str]] = {}
        self._facts: PageFacts | None = None
        self._shown = ShownParts({}, {})

    def draw(self, facts: PageFacts) -> ShownParts:
        """Return all parts of the page, drawn from `facts`.

        If `facts` is the same object as at the last call, return the same parts as at the last call.
        """
        if facts is not self._facts:
            self._shown = ShownParts({name: self._draw_part(name, facts) for name in PARTS}, facts.point)
            self._facts = facts
        return self._shown

    def _draw_part(self, name: str, facts: PageFacts) -> str:
        shows = PARTS[name].shows(facts)
        known = self._drawn.get(name)
        if known is None or known[0] != shows:
            known = self._drawn[name] = shows, PARTS[name].draw(facts, self._words)
        return known[1]
