"""The page in Chromium: its numbers are the store's, it follows each tick, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from logger.web.page_texts import LANGUAGES, Language
from logger.web.wording import Wording
from tests.grafana.reader import NEEDS_BROWSER, browse
from tests.sizes import LONG
from tests.web.live_site import KINDS, LiveSite, SiteKind

SIZES = {"phone": (375, 812), "tablet": (820, 1180), "desk": (1920, 1080)}
THEMES = ("light", "dark")
SERIOUS = ("serious", "critical")


class Visit:
    """One visitor: a tab of the browser, with what it complained of and what it asked for elsewhere."""

    def __init__(self, browser: Any, url: str, size: str, theme: str, language: str, *, scripts: bool = True) -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale=language,
            java_script_enabled=scripts,
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.bytes = 0
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("console", self._hear)
        self.page.on("request", lambda asked: None if asked.url.startswith(url) else self.outside.append(asked.url))
        self.page.goto(url)
        if scripts:
            self.page.wait_for_selector("body[data-renewed]")

    def _hear(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(f"{said.type}: {said.text}")

    def text(self, place: str = "body") -> str:
        return str(self.page.inner_text(place))


@contextmanager
def visits(folder: Path, kind: SiteKind) -> Iterator[tuple[LiveSite, Any]]:
    """A site and a browser."""
    with browse() as browser, LiveSite(folder, kind) as site:
        yield site, browser


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def expected_numbers(site: LiveSite, words: Wording) -> dict[str, list[str]]:
    """What must stand where, from the API, which is the store's."""
    now = site.ask("/api/v1/now")
    totals, fresh = now["totals"], now["is_fresh"]
    powers = [f"{name}_power_w" for name in ("production", "load", "net", "battery")]
    flow = [words.power(abs(totals[name])) for name in powers if fresh and name in totals]
    today = [words.energy(totals[f"{name}_today_wh"]) for name in (
        "production", "load", "grid_import", "grid_export") if f"{name}_today_wh" in totals]  # fmt: skip
    today += [words.percent(share) for share in now["today"].values()]
    days = site.ask("/api/v1/days")["days"]
    inverters = site.ask("/api/v1/inverters")["inverters"]
    roof = [words.percent(100 * each["day"]["group_ratio"]) for each in inverters if "group_ratio" in each["day"]]
    return {
        "#flow": flow,
        "#today": today,
        "#days": [words.energy(row[name]) for row in days for name in ("production_wh", "load_wh") if name in row],
        "#roof": roof,
    }


def assert_numbers(visit: Visit, site: LiveSite, words: Wording) -> int:
    """Compare every expected number with the page → how many there were."""
    count = 0
    for place, numbers in expected_numbers(site, words).items():
        shown = plain(str(visit.page.text_content(place)))
        for number in numbers:
            assert plain(number) in shown, (place, number, shown)
            count += 1
    return count


def find_faults(page: Any) -> list[str]:
    """Let axe look at the page → what it calls serious or worse."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=NEEDS_BROWSER)
    found = axe.Axe().run(page)
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found.response["violations"]
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]


def assert_is_good(visit: Visit) -> None:
    """Nothing complains, nothing comes from elsewhere, nothing is wider than the window, and axe is content."""
    assert visit.complaints == []
    assert visit.outside == []
    assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert find_faults(visit.page) == []


def test_the_numbers_are_the_stores_and_follow_each_tick(tmp_path: Path) -> None:
    words = Wording("en")
    with visits(tmp_path, KINDS["battery"]) as (site, browser):
        visit = Visit(browser, site.url, "desk", "light", "en")
        assert assert_numbers(visit, site, words) > 20
        assert visit.page.locator("#live-curve canvas").count() == 1
        for _ in range(2):
            renewed = visit.page.evaluate("document.body.dataset.renewed")
            site.tick()
            visit.page.wait_for_selector(f"body:not([data-renewed='{renewed}'])")
            assert_numbers(visit, site, words)
        assert_is_good(visit)
        assert "12:07" in visit.text("#state")
        without = Visit(browser, site.url, "phone", "light", "en", scripts=False)
        assert_numbers(without, site, words)
        assert without.page.locator("svg.curve path.line").count() == 4
        assert without.page.locator("#plain-curve").is_visible()


def test_a_visitor_sees_that_the_gateway_is_away(tmp_path: Path) -> None:
    words = Wording("de")
    with visits(tmp_path, KINDS["battery"]) as (site, browser):
        visit = Visit(browser, site.url, "phone", "light", "de")
        assert words.say("live") in visit.text("#state")
        site.lose_gateway()
        for minutes in (2, 3):
            site.tick()
            if minutes == 2:
                site.tick()
            visit.page.wait_for_function(
                "said => document.getElementById('state').innerText.includes(said)",
                arg=words.say("stale", age=words.age(60 * minutes)),
            )
        assert "12:05" in visit.text("#state")
        without = Visit(browser, site.url, "phone", "light", "de", scripts=False)
        assert words.say("stale", age=words.age(180)) in without.text("#state")
        assert_is_good(visit)


def test_a_visitor_whose_connection_is_lost_is_told(tmp_path: Path) -> None:
    with browse() as browser:
        with LiveSite(tmp_path, KINDS["first minute"]) as site:
            visit = Visit(browser, site.url, "phone", "dark", "de")
            assert "wartet auf den ersten Messwert" in visit.text("#state")
        visit.page.wait_for_selector("body.cut-off")
        assert "Verbindung verloren" in visit.text("#state")


@pytest.mark.parametrize("hours", [13, 30])
def test_a_page_without_a_curve_of_today_is_loaded_once_and_again_with_the_first_reading(
    tmp_path: Path, hours: int
) -> None:
    """The gateway is silent since yesterday, so there is no curve of today."""
    with visits(tmp_path, KINDS["gateway away"]) as (site, browser):
        site.lose_gateway()
        site.minute = hours * 60
        site.tick()
        visit = Visit(browser, site.url, "phone", "light", "en")
        assert visit.page.locator("#live-curve").count() == 0
        loads: list[str] = []
        visit.page.on("load", lambda page: loads.append(page.url))
        visit.page.wait_for_timeout(1500)
        assert loads == []
        site.find_gateway()
        for _ in range(3):  # the first of them has no power yet
            site.tick()
            visit.page.wait_for_timeout(1000)
        visit.page.wait_for_selector("#live-curve", state="attached")
        assert len(loads) == 1


def test_after_a_lost_connection_the_state_stands_again_although_nothing_changed(tmp_path: Path) -> None:
    words = Wording("en")
    with visits(tmp_path, KINDS["battery"]) as (site, browser):
        visit = Visit(browser, site.url, "phone", "light", "en")
        asked: list[str] = []

        def break_first(route: Any) -> None:
            asked.append(route.request.url)
            if len(asked) > 1:
                route.continue_()
                return
            ended = 'retry: 100\ndata: {"parts": {}, "point": {}}\n\n'
            route.fulfill(content_type="text/event-stream", body=ended)

        visit.context.route("**/live*", break_first)
        visit.page.reload()
        visit.page.wait_for_selector("body[data-renewed='2']:not(.cut-off)")
        assert len(asked) == 2
        assert words.say("live") in visit.text("#state")
        assert words.say("cut_off") not in visit.text("#state")


def views() -> list[tuple[str, str, str, Language]]:
    """Every size, theme and language for one kind of site; each of the others on a phone and on a desk."""
    whole = [("battery", size, theme, language) for size in SIZES for theme in THEMES for language in LANGUAGES]
    rest: list[tuple[str, str, str, Language]] = []
    for number, kind in enumerate(KINDS.keys() - {"battery"}):
        rest += [(kind, "phone", "light", LANGUAGES[number % 3]), (kind, "desk", "dark", LANGUAGES[(number + 1) % 3])]
    return [*whole, *rest]


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_site_is_good_in_every_size_theme_and_language(tmp_path: Path, kind: str) -> None:
    mine = sorted(view for view in views() if view[0] == kind)
    with visits(tmp_path, KINDS[kind]) as (site, browser):
        for _, size, theme, language in mine if LONG else mine[:2]:
            visit = Visit(browser, site.url, size, theme, language)
            words = Wording(language)
            assert_numbers(visit, site, words)
            assert_is_good(visit)
            text = visit.text()
            assert words.say("days") in text
            assert not re.search(r"\b(None|nan|undefined|null)\b", text)
            if kind == "no battery":
                assert not visit.page.locator("#battery").is_visible()
            if kind == "no meters":
                assert words.say("unmetered") in text
            if kind == "gateway away":
                assert words.say("stale", age=words.age(300)) in visit.text("#state")
                assert "192.168.1.50 refuses the connection" in text
                assert words.say("try") in text
                assert words.say("unmetered") not in text
            if kind == "InfluxDB away":
                assert "InfluxDB at localhost:8086 refuses" in text
            if kind == "first minute":
                assert words.say("first") in text
            visit.context.close()
