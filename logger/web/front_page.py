"""Assemble the page from its parts, texts and frame, in the language of a visitor."""

from __future__ import annotations

from string import Template
from typing import Any, Final, cast

from logger import __version__
from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.web.assets_folder import STAMP, STYLE, read_asset
from logger.web.cached_documents import HTML, FewKept, WebDocument
from logger.web.day_curve import draw_curve
from logger.web.gathered_facts import GatheredFacts, PageFacts
from logger.web.json_answers import answer_curve
from logger.web.kept_parts import KeptParts, ShownParts
from logger.web.markup import Markup, el, join
from logger.web.page_texts import LANGUAGES, NAMES, Language
from logger.web.question import Question
from logger.web.shown_sites import ShownSite
from logger.web.wording import Wording

_MOST_SITES: Final = 8
"""The greatest number of sites whose facts and parts are stored at the same time."""
_HEADINGS: Final = ("now", "curve", "today", "days", "months", "roof")


class FrontPage:
    """Make the page and its parts, once after each change, for all visitors."""

    def __init__(self, recorder: Recorder, sites: tuple[ShownSite, ...], clock: Clock, *, is_invented: bool) -> None:
        self._recorder, self._sites = recorder, sites
        self._is_invented = is_invented
        self._clock = clock
        self._gathered: FewKept[GatheredFacts] = FewKept(_MOST_SITES)
        self._kept: FewKept[KeptParts] = FewKept(_MOST_SITES * len(LANGUAGES))

    async def write(self, site: ShownSite, language: Language, *, is_chosen: bool) -> WebDocument:
        """Return the whole page. `is_chosen`: the visitor chose the language by a link."""
        facts, words = await self._find_facts(site), Wording(language)
        shown = self._keep(site, language).draw(facts)
        curve = cast(dict[str, Any], await answer_curve(self._ask_about(site)))
        chosen = f"&lang={language}" if is_chosen else ""
        name = await self._name_site(site, words)
        texts = {
            **shown.parts,
            **{f"h_{name}": join(words.say(name)) for name in _HEADINGS},
            "curve": draw_curve(curve, facts.span, words, site.collector.site.totals_s),
            "language": language,
            "title": join(f"{name} · envoy-logger"),
            "heading": join(name),
            "stamp": STAMP,
            "style": STYLE,
            "zone": join(facts.zone.key),
            "live": f"live?site={site.number}&amp;lang={language}&amp;shown={shown.stamp}",
            "curve_address": f"api/v1/curve?site={site.number}",
            "cut_off": join(words.say("cut_off")),
            "skip": join(words.say("skip")),
            "invented": el("p", words.say("invented"), class_="invented") if self._is_invented else "",
            "sites": await self._link_sites(site, words, chosen),
            "recorded_by": join(words.say("recorded_by")),
            "version": __version__,
            "api": join(words.say("api")),
            "language_label": join(words.say("language")),
            "languages": _link_languages(site, language),
        }
        return WebDocument(_FRAME.substitute(texts).encode(), HTML)

    async def show(self, site: ShownSite, language: Language) -> ShownParts:
        """Return the changing parts of the page, and the newest point of the curve."""
        return self._keep(site, language).draw(await self._find_facts(site))

    async def _find_facts(self, site: ShownSite) -> PageFacts:
        return await self._gathered.get(site.number, lambda: GatheredFacts(self._ask_about(site))).gather()

    def _keep(self, site: ShownSite, language: Language) -> KeptParts:
        return self._kept.get((site.number, language), lambda: KeptParts(language))

    def _ask_about(self, site: ShownSite) -> Question:
        return Question(site, {}, self._recorder, self._clock, self._sites)

    async def _name_site(self, site: ShownSite, words: Wording) -> str:
        """Return the name of a site.

        For a site without a name, return its number, or the page's usual title if there is only one site.
        """
        if site.name:
            return site.name
        return words.say("site", number=f"{site.number}") if len(self._sites) > 1 else words.say("title")

    async def _link_sites(self, here: ShownSite, words: Wording, chosen: str) -> Markup:
        """Return links to all sites; empty with only one site."""
        if len(self._sites) < 2:
            return Markup("")
        links = [
            el(
                "a",
                await self._name_site(site, words),
                href=f"?site={site.number}{chosen}",
                aria_current="page" if site is here else None,
            )
            for site in self._sites
        ]
        return el("nav", *links, aria_label=words.say("sites"), class_="sites")


_FRAME: Final = Template(read_asset("page.html").decode())


def _link_languages(site: ShownSite, here: Language) -> Markup:
    """Return the links to the page's languages, one link for each language."""
    return join(
        *(
            el(
                "a",
                NAMES[each],
                href=f"?site={site.number}&lang={each}",
                lang=each,
                hreflang=each,
                aria_current="true" if each == here else None,
            )
            for each in LANGUAGES
        )
    )
