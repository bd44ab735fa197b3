"""The boards, read as files: nothing unknown, nothing overlapping, nothing stale, nothing invented."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any, Final

import pytest
import yaml

from grafana.board import Board
from grafana.boards import BOARDS
from grafana.build import FOLDER, make_files
from grafana.looks import UNITS, look_at
from grafana.query.asked import Dialect
from grafana.texts import Words, languages
from grafana.variables import SOURCES
from logger.readings.table import MEASUREMENTS
from tests.grafana.board_files import ROOT, Asked, every_file, every_query, fill_in, panels_of, read_board

FIELDS: Final = {measurement.name: {field.name for field in measurement.fields} for measurement in MEASUREMENTS}
TAGS: Final = {
    measurement.name: {"gateway", "site", "panel", "panel_group", "panel_row", "panel_column", *measurement.tags}
    for measurement in MEASUREMENTS
}
KINDS: Final = {"stat", "timeseries", "barchart", "heatmap", "table", "state-timeline", "bargauge", "gauge", "row"}
"""Panels that are built in from Grafana 9.3 to 13, and not beta in any of them."""
PROPERTIES: Final = {
    "displayName", "unit", "color", "mappings", "thresholds", "min", "max", "decimals", "links", "noValue",
    "custom.fillOpacity", "custom.gradientMode", "custom.lineWidth", "custom.lineStyle", "custom.lineInterpolation",
    "custom.axisPlacement", "custom.axisGridShow", "custom.axisSoftMin", "custom.axisSoftMax", "custom.axisLabel",
    "custom.drawStyle", "custom.barAlignment", "custom.barWidthFactor", "custom.barMaxWidth", "custom.spanNulls",
    "custom.hideFrom", "custom.showPoints", "custom.pointSize", "custom.stacking", "custom.fillBelowTo",
    "custom.width",
    "custom.minWidth", "custom.align", "custom.displayMode", "custom.cellOptions", "custom.thresholdsStyle",
    "custom.transform", "custom.hidden",
}  # fmt: skip
TRANSFORMATIONS: Final = {
    "organize", "joinByField", "sortBy", "groupingToMatrix", "convertFieldType", "filterFieldsByName", "merge",
    "calculateField", "concatenate",
}  # fmt: skip
FILES: Final = list(every_file())
DIALECTS: Final = [pytest.param("flux", id="flux"), pytest.param("influxql", id="influxql")]


@pytest.fixture(params=FILES, ids=["-".join(file) for file in FILES])
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    dialect, language, uid = request.param
    return read_board(uid, dialect, language)


def test_the_files_are_what_the_source_writes() -> None:
    made = dict(make_files([Words(language) for language in languages()]))
    stale = [str(file) for file, text in made.items() if not file.exists() or file.read_text("utf-8") != text]
    assert not stale, "run `make docs`"
    there = {*FOLDER.rglob("*.json"), *(ROOT / "grafana" / "provisioning").rglob("alerting/*/*.yaml")}
    assert there <= made.keys(), "run `make docs`"


def test_ids_are_unique_and_every_panel_has_a_query(board: dict[str, Any]) -> None:
    panels = list(panels_of(board))
    ids = [panel["id"] for panel in [*panels, *(item for item in board["panels"] if item["type"] == "row")]]
    assert len(set(ids)) == len(ids)
    for panel in panels:
        letters = [target["refId"] for target in panel["targets"]]
        assert letters, panel["title"]
        assert len(set(letters)) == len(letters), panel["title"]
        assert all(target["query"].strip() for target in panel["targets"]), panel["title"]


def test_every_panel_says_what_it_shows_and_what_it_says_when_nothing_is_there(board: dict[str, Any]) -> None:
    for panel in panels_of(board):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
        assert "No data" not in panel["fieldConfig"]["defaults"]["noValue"]


def test_no_two_panels_overlap_and_none_leaves_the_columns(board: dict[str, Any]) -> None:
    panels = [*panels_of(board), *(item for item in board["panels"] if item["type"] == "row")]
    boxes = [(panel["title"], panel["gridPos"]) for panel in panels]
    for title, box in boxes:
        assert box["x"] >= 0 < box["w"], title
        assert box["h"] > 0, title
        assert box["x"] + box["w"] <= 24, title
    for (one, a), (two, b) in combinations(boxes, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], f"{one} and {two}"


def test_only_known_kinds_of_panels_properties_and_transformations(board: dict[str, Any]) -> None:
    assert {panel["type"] for panel in board["panels"]} <= KINDS
    for panel in panels_of(board):
        assert panel["type"] in KINDS
        used = {item["id"] for override in panel["fieldConfig"]["overrides"] for item in override["properties"]}
        assert used <= PROPERTIES, panel["title"]
        assert {item["id"] for item in panel.get("transformations", [])} <= TRANSFORMATIONS, panel["title"]


def test_every_variable_that_is_named_is_there(board: dict[str, Any]) -> None:
    known = {item["name"] for item in board["templating"]["list"]}
    named = {
        name
        for item in [*panels_of(board), *board["templating"]["list"], *board["annotations"]["list"]]
        for name in re.findall(r"\$\{(\w+)", str(item))
        if not name.startswith("__")
    }
    assert named <= known
    assert {"gateway", "datasource"} <= known


def test_stats_are_high_enough_for_their_names(board: dict[str, Any]) -> None:
    for panel in panels_of(board):
        if panel["type"] == "stat" and panel["options"]["textMode"] == "value_and_name":
            assert panel["gridPos"]["h"] >= 4, panel["title"]


def test_uids_are_stable_and_no_board_is_named_like_the_folder() -> None:
    names = ["live", "energy", "panels", "panel", "battery", "grid", "recorder"]
    assert [board.uid for board in BOARDS] == [f"envoy-{name}" for name in names[: len(BOARDS)]]
    for dialect, language, uid in FILES:
        provider = yaml.safe_load((ROOT / f"grafana/provisioning/{dialect}/dashboards/envoy.yaml").read_text())
        folder = provider["providers"][0]
        found = read_board(uid, dialect, language)
        assert found["uid"] == uid
        assert found["title"].lower() != folder["folder"].lower()
        assert uid != folder["folderUid"]


def test_links_lead_to_every_board_and_carry_the_variables(board: dict[str, Any]) -> None:
    assert [link["url"] for link in board["links"]] == [f"/d/{each.uid}" for each in BOARDS]
    assert all(link["includeVars"] and link["title"] for link in board["links"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_data_source_is_a_variable_whose_default_is_provisioned(dialect: Dialect) -> None:
    provided = yaml.safe_load((ROOT / f"grafana/provisioning/{dialect}/datasources/envoy.yaml").read_text())
    provided = {source["name"]: source["uid"] for source in provided["datasources"]}
    board = read_board("envoy-live", dialect)
    found = {item["name"]: item["current"] for item in board["templating"]["list"] if item["type"] == "datasource"}
    for name, text, uid in SOURCES.values():
        if name in found:
            assert provided[text] == uid == found[name]["value"]
    assert len(found) == len(provided)
    for query in every_query(dialect):
        assert query.source[2:-1] in found, query.name


def test_the_lists_hold_what_was_replaced_years_ago() -> None:
    lists = [
        choice["query"]
        for _, language, uid in FILES
        for choice in read_board(uid, "flux", language)["templating"]["list"]
        if choice["type"] == "query"
    ]
    assert lists
    assert all("start: 0,\n" in text for text in lists)


def asked_of(query: Asked, dialect: Dialect) -> tuple[set[str], set[str], set[str]]:
    """Measurements, fields and tags that a query names."""
    if dialect == "flux":
        fields = re.findall(r'r\._field == "([^"]*)"', query.text)
        return set(re.findall(r'r\._measurement == "([^"]*)"', query.text)), set(fields), set()
    called = re.findall(r'(?:last|first|mean|min|max|count|top)\("([^"]*)"', re.sub(r"\(SELECT.*\)", "", query.text))
    inner = re.findall(r'(?:last|first|mean|min|max|count)\("([^"]*)"\) AS', query.text)
    tags = re.findall(r'"(\w+)" =~', query.text) + re.findall(r"\"(\w+)\" = '", query.text)
    return set(re.findall(r'FROM "(\w+)"', query.text)), {*inner, *called}, set(tags)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_measurement_field_and_tag_asked_for_is_in_the_table(dialect: Dialect) -> None:
    asked = 0
    for query in every_query(dialect):
        measurements, fields, tags = asked_of(query, dialect)
        if query.where.startswith("variable"):
            assert re.findall(r"envoy_\w+", query.text), query.name
            continue
        assert measurements, query.name
        outer = set(re.findall(r'AS "(\w+)"', query.text))
        known = set().union(*(FIELDS[measurement] for measurement in measurements))
        unknown = fields - known - outer
        assert not unknown, f"{query.name}: {measurements} have no {unknown}"
        assert tags <= known.union(outer, *(TAGS[measurement] for measurement in measurements)), query.name
        asked += len(fields)
    assert asked > 20


def test_flux_names_only_columns_that_exist_or_are_made_in_the_query() -> None:
    columns = {"_measurement", "_field", "_value", "_time"}
    for query in every_query("flux"):
        made = set(re.findall(r"(\w+): (?!true|false)", query.text)) | set(
            re.findall(r'r\._field == "(\w+)"', query.text)
        )
        for name in set(re.findall(r"\br\.(\w+)", query.text)) - columns - made:
            measurements = set(re.findall(r'_measurement == "(\w+)"', query.text))
            assert any(name in TAGS[each] | FIELDS[each] for each in measurements), query.name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_query_of_readings_asks_for_the_chosen_gateways_or_sites_and_a_bounded_time(dialect: Dialect) -> None:
    for query in every_query(dialect):
        if query.where.startswith("variable"):
            continue
        owner = "site" if "envoy_site" in query.text else "gateway"
        assert f"/^${{{owner}:regex}}$/" in query.text, query.name
        if dialect == "flux":
            assert query.text.count("range(start: ") == query.text.count("from(bucket: "), query.name
        else:
            bounds = ("$timeFilter", "time > now() - ", "time >= ${__from}ms - ")
            assert any(bound in query.text for bound in bounds), query.name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_left_to_put_in_after_the_variables(dialect: Dialect) -> None:
    for query in every_query(dialect):
        filled = fill_in(query.text)
        assert "$" not in filled.replace("$/", ""), query.name
        assert not re.search(r"\bv\.", filled), query.name


def test_no_query_makes_a_value_where_there_was_none() -> None:
    for query in every_query("flux"):
        assert "fill(" not in query.text, query.name
    for query in every_query("influxql"):
        assert set(re.findall(r"fill\((\w+)\)", query.text)) <= {"none", "null", "0"}, query.name
        if "fill(0)" in query.text:
            assert "count(" in query.text, f"{query.name}: only a count is 0 where nothing is"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_query_is_made_for_one_inverter_of_many_and_panels_ask_few(dialect: Dialect) -> None:
    for board in BOARDS:
        for panel in panels_of(read_board(board.uid, dialect)):
            assert len(panel.get("targets", [])) <= 9, panel["title"]


def test_gaps_stay_gaps(board: dict[str, Any]) -> None:
    for panel in panels_of(board):
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] <= 600_000, panel["title"]


def test_units_are_those_that_the_fields_names_end_in(board: dict[str, Any]) -> None:
    for panel in panels_of(board):
        for override in panel["fieldConfig"]["overrides"]:
            properties = {item["id"]: item["value"] for item in override["properties"]}
            unit = UNITS.get(override["matcher"]["options"].rsplit("_", 1)[-1])
            if unit and "unit" in properties:
                units = {unit, "dthms"} if unit == "s" else {unit}
                assert properties["unit"] in units, f"{panel['title']}: {override['matcher']['options']}"


def test_queries_use_nothing_that_grafana_9_3_does_not_know() -> None:
    for dialect, language, uid in FILES:
        text = (FOLDER / dialect / language / f"{uid}.json").read_text("utf-8")
        assert "__timezone" not in text
        assert "tz(" not in text


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
def test_every_column_has_a_name_for_people(board: Board) -> None:
    unnamed = {
        (panel.title, column)
        for panel in board.panels
        if panel.kind != "heatmap"  # whose columns are cells
        for query in panel.queries
        for column in query.columns
        if column not in panel.hidden and (not panel.order or column in panel.order)
        if not look_at(column, panel.looks).name
    }
    assert not unnamed, "add them to grafana/looks.py, or to the panel's looks"
