"""Put the page together: its parts, its texts and its frame, in the language of a visitor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import Any, Final, cast

from logger import __version__
from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.web import json_answers
from logger.web.assets_folder import STAMP, read_asset
from logger.web.cached_documents import HTML, NewsCache, WebDocument
from logger.web.json_answers import Question
from logger.web.markup import Markup, el, join
from logger.web.page_parts import PageFacts, draw_today_curve, make_parts
from logger.web.page_texts import LANGUAGES, NAMES, Language
from logger.web.shown_sites import ShownSite
from logger.web.wording import Wording

_HEADINGS: Final = ("now", "curve", "today", "days", "months", "roof")


class FrontPage:
    """Makes the page and its parts; each once for every piece of news, whoever looks."""

    def __init__(self, recorder: Recorder, sites: tuple[ShownSite, ...], clock: Clock, *, is_invented: bool) -> None:
        self._recorder, self._sites, self._clock = recorder, sites, clock
        self._is_invented = is_invented
        self._facts: NewsCache[PageFacts] = NewsCache(4)
        self._parts: NewsCache[dict[str, str]] = NewsCache(4 * len(LANGUAGES))

    async def write(self, site: ShownSite, language: Language, *, is_chosen: bool) -> WebDocument:
        """Write the whole page; `is_chosen`: the visitor chose the language by a link."""
        facts, words = await self._find_facts(site), Wording(language)
        parts = await self.make_parts(site, language)
        chosen = f"&lang={language}" if is_chosen else ""
        name = await self._name_site(site, words)
        texts = {
            **parts,
            **{f"h_{name}": join(words.say(name)) for name in _HEADINGS},
            "curve": draw_today_curve(facts, words),
            "language": language,
            "title": join(f"{name} · envoy-logger"),
            "heading": join(name),
            "stamp": STAMP,
            "zone": join(facts.zone.key),
            "live": f"live?site={site.number}&amp;lang={language}",
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

    async def make_parts(self, site: ShownSite, language: Language) -> Mapping[str, str]:
        """Make the parts of the page that change, by the id of their element."""

        async def make() -> dict[str, str]:
            return make_parts(await self._find_facts(site), Wording(language))

        return await self._parts.get(f"{site.number} {language}", self._recorder.news.version, make)

    async def find_point(self, site: ShownSite) -> dict[str, float]:
        """Return the newest point of the curve: `at` and the powers."""
        curve = (await self._find_facts(site)).curve
        return {name: values[-1] for name, values in curve.items() if isinstance(values, list) and values}

    async def _find_facts(self, site: ShownSite) -> PageFacts:
        return await self._facts.get(f"{site.number}", self._recorder.news.version, lambda: self._gather(site))

    async def _gather(self, site: ShownSite) -> PageFacts:
        """Ask the API's own answers for what the page shows."""
        question = Question(site, {}, self._recorder, self._clock)
        scope = await site.make_scope()
        return PageFacts(
            now=_as_mapping(await json_answers.answer_now(question)),
            curve=_as_mapping(await json_answers.answer_curve(question)),
            days=_as_mapping(await json_answers.answer_days(question))["days"],
            months=_as_mapping(await json_answers.answer_months(question))["months"],
            inverters=_as_mapping(await json_answers.answer_inverters(question))["inverters"],
            time=self._clock.time(),
            span=(scope.since, await site.find_end_of_day()),
        )

    async def _name_site(self, site: ShownSite, words: Wording) -> str:
        """Return the name of a site; without one its number if there are several."""
        if site.name:
            return site.name
        return words.say("site", number=f"{site.number}") if len(self._sites) > 1 else words.say("title")

    async def _link_sites(self, here: ShownSite, words: Wording, chosen: str) -> Markup:
        """Write links to all sites, if there are several."""
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


def _as_mapping(answer: object) -> dict[str, Any]:
    return cast(dict[str, Any], answer)


def _link_languages(site: ShownSite, here: Language) -> Markup:
    """Write a link to the page in each language."""
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


def write_message(parts: Mapping[str, str], point: Mapping[str, float]) -> bytes:
    """Write one server-sent event: the parts that changed, and the newest point of the curve."""
    return f"data: {json.dumps({'parts': dict(parts), 'point': dict(point)}, ensure_ascii=False)}\n\n".encode()
