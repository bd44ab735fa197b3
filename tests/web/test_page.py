"""The page without a browser: its numbers are the API's, it needs no script and no other machine, and it is small."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from logger.daemon.collector import Collector
from logger.errors import UnreachableError
from logger.site import Site
from logger.web.assets_folder import ASSETS
from logger.web.build_app import build_app
from logger.web.day_curve import draw_curve
from logger.web.gathered_facts import PageFacts
from logger.web.kept_parts import KeptParts
from logger.web.page_texts import LANGUAGES, Language
from logger.web.wording import Wording
from tests.daemon.parts import ScriptedGateway
from tests.web.stage import SERIAL, Stage, configured, on_stage

MOST_BYTES = 200_000
VOID = {"meta", "link", "br", "img"}


class Strict(HTMLParser):
    """Fails on what is not closed in order, on styles and scripts of an element, and on anything from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert not [name for name in found if name == "style" or name.startswith("on")], (tag, attrs)
        for name in ("src", "href"):
            assert not re.match(r"[a-z]+:|//|/", found.get(name) or "", re.I), (tag, attrs)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag == "script":
            assert found.get("src")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def parse(text: str) -> Strict:
    parser = Strict()
    parser.feed(text)
    assert parser.open == []
    assert len(set(parser.ids)) == len(parser.ids)
    return parser


async def visit(made: Stage, query: str = "", language: str = "en") -> Strict:
    answer = await made.ask(f"/{query}", accept_language=language)
    assert answer.status_code == 200
    return parse(answer.text)


async def record(made: Stage) -> None:
    for minute in (0, 1, 1440, 1441, 1455, 1470):
        await made.tick(minute)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_stand_in_the_page_without_a_script(tmp_path: Path, language: Language) -> None:
    async def play(made: Stage) -> tuple[Strict, dict[str, Any]]:
        await record(made)
        return await visit(made, language=language), await made.get("/api/v1/now")

    page, now = on_stage(tmp_path, play)
    words = Wording(language)
    totals = now["totals"]
    for name in ("production_power_w", "load_power_w"):
        assert words.power(totals[name]) in page.text
    for name in ("production_today_wh", "load_today_wh", "grid_export_today_wh"):
        assert words.energy(totals[name]) in page.text
    assert words.percent(now["today"]["self_sufficient_percent"]) in page.text
    assert words.say("export") in page.text


def test_a_site_without_trouble_is_well(tmp_path: Path) -> None:
    async def play(made: Stage) -> Strict:
        await made.tick(0)
        return await visit(made)

    assert "Everything is well." in on_stage(tmp_path, play).text


def test_before_the_first_reading_the_page_says_so_and_shows_no_number(tmp_path: Path) -> None:
    page = on_stage(tmp_path, visit)
    assert "waiting for the first reading" in page.text
    assert not re.search(r"\d\s?k?W\b", page.text)


def test_a_power_is_not_shown_once_it_is_old_and_its_time_is(tmp_path: Path) -> None:
    async def play(made: Stage) -> Strict:
        await record(made)
        made.clock.now += 600
        made.news.announce()
        return await visit(made)

    page = on_stage(tmp_path, play)
    assert Wording("en").say("stale", age=Wording("en").age(600)) in page.text
    assert "1.00\N{NO-BREAK SPACE}kW" not in page.text.partition("Power today")[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_age_of_the_last_reading_stands_within_two_ticks_without_an_answer(
    tmp_path: Path, language: Language
) -> None:
    words = Wording(language)

    async def play(made: Stage) -> list[str]:
        await made.tick(0)
        gateway = made.gateway
        assert isinstance(gateway, ScriptedGateway)
        gateway.fails = dict.fromkeys(("/info", *gateway.answers), UnreachableError("the gateway refuses"))
        texts = []
        for minute in (1, 2, 7):
            await made.tick(minute)
            texts.append((await visit(made, language=language)).text)
        gateway.fails = {}
        await made.tick(8)
        return [*texts, (await visit(made, language=language)).text]

    stale = re.compile(words.say("stale", age=r"(\d+)\xa0min"))
    said = [stale.findall(text) for text in on_stage(tmp_path, play)]
    assert said == [[], ["2"], ["7"], []]


@pytest.mark.parametrize(
    ("seconds", "en", "de", "fr"),
    [
        (30, "1\xa0min", "1\xa0min", "1\xa0min"),
        (7199, "119\xa0min", "119\xa0min", "119\xa0min"),
        (7200, "2\xa0h", "2\xa0h", "2\xa0h"),
        (2 * 86400, "2 days", "2 Tagen", "2 jours"),
    ],
)
def test_an_age_is_written_in_its_largest_useful_unit(seconds: float, en: str, de: str, fr: str) -> None:
    assert [Wording(language).age(seconds) for language in LANGUAGES] == [en, de, fr]


def test_a_trouble_stands_with_its_cure(tmp_path: Path) -> None:
    async def play(made: Stage) -> Strict:
        await made.tick(0)
        made.recorder.changes.begin("influx", "InfluxDB <b>refuses</b> the token\nTry: make a new one.")
        return await visit(made, language="de")

    page = on_stage(tmp_path, play)
    assert "InfluxDB <b>refuses</b> the token" in page.text
    assert "Abhilfe: make a new one." in page.text


@pytest.mark.parametrize(("query", "language"), [("", "fr"), ("?lang=fr", "de"), ("?site=1&lang=fr", "en")])
def test_the_language_is_the_browsers_unless_one_is_chosen(tmp_path: Path, query: str, language: str) -> None:
    assert "en attente de la première mesure" in on_stage(tmp_path, lambda made: visit(made, query, language)).text


def test_a_site_that_is_not_there_is_404(tmp_path: Path) -> None:
    assert on_stage(tmp_path, lambda made: made.ask("/?site=2")).status_code == 404


def test_the_page_has_no_serial_of_the_gateway_and_is_small(tmp_path: Path) -> None:
    async def play(made: Stage) -> str:
        await record(made)
        return (await made.ask("/")).text

    text = on_stage(tmp_path, play)
    assert SERIAL not in text
    assert len(text.encode()) + sum(len(asset.body) for asset in ASSETS.values()) < MOST_BYTES


def test_one_answer_is_enough_for_the_first_paint_and_the_browser_is_told_its_only_style(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[str, str]:
        await record(made)
        answer = await made.ask("/")
        return answer.text, answer.headers["content-security-policy"]

    text, policy = on_stage(tmp_path, play)
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert "stylesheet" not in text
    assert re.findall(r"<script[^>]*>", text) == re.findall(r'<script src="assets/page\.js\?\w+" defer>', text)


def test_the_files_of_the_page_come_from_here_and_may_be_kept(tmp_path: Path) -> None:
    async def play(made: Stage) -> dict[str, tuple[int, str]]:
        found = {}
        for name in [*ASSETS, "page.html", "uPlot.LICENSE", "..%2fguard.py", "nothing.js"]:
            answer = await made.ask(f"/assets/{name}?1")
            found[name] = (answer.status_code, answer.headers.get("cache-control", ""))
        return found

    found = on_stage(tmp_path, play)
    assert all(found[name][0] == 200 and "immutable" in found[name][1] for name in ASSETS)
    assert {found[name][0] for name in found.keys() - ASSETS.keys()} == {404}


def facts(inverters: list[dict[str, Any]]) -> PageFacts:
    now: dict[str, Any] = {
        "at": None,
        "zone": "Europe/Paris",
        "is_fresh": False,
        "totals": {},
        "today": {},
        "counted": {},
        "grid": {},
        "batteries": [],
        "troubles": [],
        "missing": [],
    }
    whole = {"gateways": None}
    return PageFacts(now, [], [], inverters, whole, [], 1_782_000_000.0, (1_781_992_800, 1_782_079_200))


def inverter(number: int, **more: Any) -> dict[str, Any]:
    described = {"serial": f"48220000{number:04}", "report_at": None}
    return {**described, "panel": None, "group": None, "row": None, "column": None, **more}


def test_inverters_lie_as_in_the_layout(tmp_path: Path) -> None:
    laid = [inverter(n, panel=f"S{n}", group="south", row="2", column=f"{n}") for n in range(3, 6)]
    roof = KeptParts("en").draw(facts(laid)).parts["roof"]
    assert re.findall(r'class="panel unknown (r\d c\d)"', roof) == ["r1 c1", "r1 c2", "r1 c3"]
    assert "S3" in roof


@pytest.mark.parametrize(
    "laid",
    [
        [inverter(1, row="1", column="1"), inverter(2)],
        [inverter(1, row="1", column="1"), inverter(2, row="1", column="1")],
        [inverter(1, row="1", column="1"), inverter(2, row="1", column="400")],
    ],
    ids=["one has no place", "two share a place", "too far away"],
)
def test_a_layout_that_cannot_be_drawn_is_shown_as_a_list(laid: list[dict[str, Any]]) -> None:
    roof = KeptParts("en").draw(facts(laid)).parts["roof"]
    assert "laid" not in roof
    assert roof.count('class="panel unknown"') == 2


def test_inverters_without_a_layout_are_told_apart_by_the_end_of_their_serials() -> None:
    """Without a layout, the row of an inverter's day names the panel by the serial."""
    several = [inverter(number) for number in range(2)]
    named = [inverter(number, panel=f"48220000{number:04}") for number in (2, 3)]
    roof = KeptParts("en").draw(facts([*several, *named])).parts["roof"]
    assert re.findall(r"<span>(…\d+)</span>", roof) == ["…00000", "…00001", "…00002", "…00003"]
    assert re.findall(r'<th scope="row">(\d+)</th>', roof) == [f"48220000{number:04}" for number in range(4)]


def test_two_groups_with_the_same_places_are_drawn_apart() -> None:
    laid = [inverter(n, group=group, row="1", column="1") for n, group in enumerate(("east", "west"))]
    roof = KeptParts("en").draw(facts(laid)).parts["roof"]
    assert re.findall(r"<h3>(\w+)</h3>", roof) == ["east", "west"]
    assert roof.count("laid") == 2


@pytest.mark.parametrize(
    ("ages_min", "said"),
    [
        ([70, 900], "Inverters report only in daylight. Last report: 00:50."),
        ([None, None], "Inverters report only in daylight.</p>"),
        ([70, 50], ""),
        ([], ""),
    ],
    ids=["dark", "dark since the start", "one reports", "no inverters"],
)
def test_a_roof_without_reports_says_why(ages_min: list[int | None], said: str) -> None:
    reports = [None if age is None else 1_782_000_000 - 60 * age for age in ages_min]
    roof = KeptParts("en").draw(facts([inverter(n, report_at=at, power_w=3.0) for n, at in enumerate(reports)]))
    assert said in roof.parts["roof"]
    assert ("only in daylight" in roof.parts["roof"]) is bool(said)


@pytest.mark.parametrize(
    ("day", "colour", "said"),
    [
        ({"group_ratio": 0.5}, "q1", None),
        ({"group_ratio": 1.0}, "q6", None),
        ({"group_ratio": 1.2}, "q7", None),
        ({}, "unknown", None),
        ({"silent_days": 1}, "silent", "S1 has been silent for a day"),
        ({"silent_days": 2}, "silent", "S1 has been silent for 2 days"),
        ({"group_ratio": 0.7, "low_days": 3}, "q2", "S1 has been weak on 3 sunny days in a row"),
    ],
)
def test_a_panel_is_coloured_by_its_ratio_and_told_when_it_is_ill(
    day: dict[str, Any], colour: str, said: str | None
) -> None:
    parts = KeptParts("en").draw(facts([inverter(1, panel="S1", day=day)])).parts
    assert f'class="panel {colour}"' in parts["roof"]
    assert said is None or said in parts["wrong"]


def test_a_name_that_holds_markup_is_text() -> None:
    parts = KeptParts("en").draw(facts([inverter(1, panel='<script src="//evil">', group="<b>")])).parts
    assert "<script" not in parts["roof"]
    assert "<b>&lt;" not in parts["roof"]
    for part in parts.values():
        parse(part)


def test_several_gateways_are_sites_of_one_page(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[Strict, Strict, list[int]]:
        await record(made)
        barn = Collector(made.gateway, made.inline, made.clock, Site("barn", "Europe/Paris"), made.progress)
        both = replace(made.recorder, collectors=(made.collector, barn))
        made.app = build_app(configured(), both, made.clock)
        statuses = [(await made.ask(f"/api/v1/now?site={number}")).status_code for number in (1, 2, 3)]
        return await visit(made), await visit(made, "?site=2"), statuses

    house, barn, statuses = on_stage(tmp_path, play)
    assert "Site 1barn" in house.text
    assert "1.00\N{NO-BREAK SPACE}kW" in house.text
    assert "waiting for the first reading" in barn.text
    assert "1.00\N{NO-BREAK SPACE}kW" not in barn.text
    assert statuses == [200, 200, 400]


def whole_site(**more: Any) -> PageFacts:
    told = {"gateways": 2, "gateways_heard": 2, "missing": "", "at": 1, "is_fresh": True, "totals": {}, "today": {}}
    return replace(facts([]), whole={**told, "counted": {}, **more})


def test_a_site_of_several_gateways_shows_its_sums_and_how_many_are_heard() -> None:
    totals = {"production_power_w": 5000.0, "battery_power_w": -1000.0, "production_today_wh": 12_000.0}
    text = parse(KeptParts("de").draw(whole_site(totals=totals)).parts["whole"]).text
    assert "2 von 2 Gateways gehört" in text
    assert Wording("de").power(5000.0) in text
    assert Wording("de").power(1000.0) in text
    assert Wording("de").energy(12_000.0) in text


def test_what_a_sum_lacks_is_named_and_no_number_is_shown() -> None:
    text = parse(KeptParts("en").draw(whole_site(gateways_heard=1, missing="barn.local")).parts["whole"]).text
    assert "1 of 2 gateways heard" in text
    assert "No sum without: barn.local" in text
    assert not re.search(r"\d\s?k?W", text)


@pytest.mark.parametrize("is_metered", [True, False])
def test_while_the_gateway_is_away_the_page_knows_what_the_site_measures(is_metered: bool) -> None:
    site, words = facts([]), Wording("en")
    row = {"local_date": site.today.isoformat(), "production_wh": 7140.0}
    rows = [{**row, "load_wh": 5940.0, "grid_import_wh": 0.0, "own_use_percent": 87.0} if is_metered else row]
    now = {**site.now, "at": int(site.time), "is_fresh": True, "totals": {"inverters": 12}}
    parts = KeptParts("en").draw(replace(site, now=now, days=rows)).parts
    assert (words.say("unmetered") in parts["flow"]) is not is_metered
    assert ('class="node house"' in parts["flow"], 'class="node grid"' in parts["flow"]) == (is_metered, is_metered)
    assert words.energy(7140.0) in parts["today"]
    assert (words.energy(5940.0) in parts["today"]) is is_metered
    assert (f"{words.say('own_use')}</span><b>{words.percent(87.0)}" in parts["today"]) is is_metered


def test_what_was_counted_since_a_time_of_today_names_that_time() -> None:
    site, words = facts([]), Wording("de")
    counted = {"since": int(site.time), "production_wh": 500.0, "load_wh": 300.0, "self_sufficient_percent": 40.0}
    now = {**site.now, "at": int(site.time), "totals": {"production_today_wh": 7140.0}, "counted": counted}
    rows = [{"local_date": site.today.isoformat(), "production_wh": 500.0, "load_wh": 300.0}]
    part = parse(KeptParts("de").draw(replace(site, now=now, days=rows)).parts["today"])
    since = words.say("since", time=words.clock(site.local(site.time)))
    assert f"Erzeugt{words.energy(7140.0)}Verbraucht{words.energy(300.0)}{since}" in part.text
    assert f"Autark{words.percent(40.0)}{since}" in part.text
    assert words.energy(500.0) not in part.text


def test_a_part_is_drawn_again_only_when_what_it_shows_changes() -> None:
    kept = KeptParts("en")
    before = kept.draw(whole_site())
    after = kept.draw(whole_site(gateways_heard=1))
    changed = {name for name, text in after.parts.items() if text is not before.parts[name]}
    assert changed == {"whole"}


@pytest.mark.parametrize(
    ("interval_s", "step_s", "lines"), [(60, 900, 1), (60, 1200, 0), (1800, 1800, 1), (3600, 3600, 1)]
)
def test_only_a_time_longer_than_two_intervals_is_a_gap_of_the_curve(
    interval_s: int, step_s: int, lines: int
) -> None:
    curve = {"at": [step_s, 2 * step_s], "production_power_w": [5.0, 6.0]}
    drawn = str(draw_curve(curve, (0, 86_400), Wording("en"), interval_s))
    path = re.search(r'<path d="([^"]*)" class="line sun">', drawn)
    assert path is not None
    assert (path[1].count("M"), path[1].count("L")) == (2 - lines, lines)
    assert f'data-gap="{max(900, 2 * interval_s)}"' in drawn


@pytest.mark.parametrize(
    ("greatest", "least", "labels"),
    [(1_240.0, 0.0, ["1.25", "0"]), (900.0, -700.0, ["1", "−1"]), (190_000.0, -210_000.0, ["200", "−300"])],
)
def test_the_scale_of_the_curve_says_the_powers_at_its_ends(greatest: float, least: float, labels: list[str]) -> None:
    curve = {"at": [300, 600], "net_power_w": [greatest, least]}
    drawn = str(draw_curve(curve, (0, 86_400), Wording("en"), 60))
    scale = re.search(r"<div><span>(.*?)</span><span>(.*?)</span></div>", drawn.replace(' class="scale"', ""))
    assert scale is not None
    assert [each.partition("\N{NO-BREAK SPACE}")[0] for each in scale.groups()] == labels


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("readings", "is_told"), [(1, True), (2, False)])
def test_a_curve_of_one_reading_says_when_its_line_begins(language: Language, readings: int, is_told: bool) -> None:
    words = Wording(language)
    curve = {"at": [300, 600][:readings], "production_power_w": [5.0, 6.0][:readings]}
    assert (words.say("curve_begins") in str(draw_curve(curve, (0, 86_400), words, 60))) is is_told
