"""The board and its provisioning, read as files: nothing unknown, nothing overlapping, nothing stale."""

from __future__ import annotations

import importlib.util
import re
from itertools import combinations
from types import ModuleType
from typing import Any

import yaml

from logger.readings.table import MEASUREMENTS
from tests.grafana.queries import BOARD_FILE, DATASOURCE, ROOT, board, grafana_queries, raw_queries

COLOURS = {
    "production": "#FADE2A",
    "battery": "#73BF69",
    "load": "#5794F2",
    "net": "#B877D9",
    "grid_import": "#B877D9",
}
UNITS = {"w": "watt", "wh": "watth", "percent": "percent", "c": "celsius", "s": "s"}
FIELDS = {measurement.name: {field.name for field in measurement.fields} for measurement in MEASUREMENTS}


def test_the_board_is_what_its_source_writes() -> None:
    assert BOARD_FILE.read_text(encoding="utf-8") == _source().text(), "run: python grafana/build.py"


def test_panel_ids_are_unique_and_every_panel_has_a_title_and_a_query() -> None:
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 8
    for panel in panels:
        assert panel["title"]
        assert panel["targets"], panel["title"]
        assert all(target["query"].strip() for target in panel["targets"]), panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]


def test_no_two_panels_overlap_and_none_leaves_the_grid() -> None:
    boxes = [(panel["title"], panel["gridPos"]) for panel in board()["panels"]]
    for title, box in boxes:
        assert box["x"] >= 0, title
        assert box["w"] > 0, title
        assert box["h"] > 0, title
        assert box["x"] + box["w"] <= 24, title
    for (one, a), (two, b) in combinations(boxes, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one} and {two}"


def test_every_datasource_is_the_variable_and_its_default_is_the_provisioned_one() -> None:
    wanted = {"type": "influxdb", "uid": DATASOURCE}
    for panel in board()["panels"]:
        assert panel["datasource"] == wanted, panel["title"]
        assert all(target["datasource"] == wanted for target in panel["targets"]), panel["title"]
    variables = {item["name"]: item for item in board()["templating"]["list"]}
    assert all(item["datasource"] == wanted for item in variables.values() if item["type"] == "query")
    source = _provisioned("datasources/envoy.yaml")["datasources"][0]
    assert variables["datasource"]["current"]["value"] == source["uid"] == "envoy-influxdb"
    assert source["jsonData"]["version"] == "Flux"


def test_the_data_source_holds_no_secret_and_reads_its_token_from_a_file() -> None:
    source = _provisioned("datasources/envoy.yaml")["datasources"][0]
    assert re.fullmatch(r"\$__file\{/[\w/]+\}", source["secureJsonData"]["token"])
    assert list(source["secureJsonData"]) == ["token"]


def test_the_boards_folder_has_fixed_names() -> None:
    provider = _provisioned("dashboards/envoy.yaml")["providers"][0]
    assert provider["folderUid"] == "envoy-logger"
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert board()["uid"] == "envoy"


def test_every_measurement_and_field_asked_for_is_in_the_table() -> None:
    asked = 0
    for title, query in raw_queries():
        measurements = re.findall(r'r\._measurement == "([^"]*)"', query)
        fields = re.findall(r'r\._field == "([^"]*)"', query)
        assert len(measurements) == (0 if title.startswith("variable") else 1), title
        for measurement in measurements:
            assert fields, title
            unknown = set(fields) - FIELDS[measurement]
            assert not unknown, f"{title}: {measurement} has no {unknown}"
            asked += len(fields)
    assert asked > 30


def test_queries_use_only_columns_that_exist() -> None:
    columns = {"_measurement", "_field", "_value", "_time", "gateway", "name"}
    for title, query in raw_queries():
        assert set(re.findall(r"\br\.(\w+)", query)) <= columns, title
        assert set(re.findall(r"\$\{([^}:]*)", query)) <= {"bucket", "bucket_devices", "gateway", "__timezone"}, title


def test_every_query_of_readings_asks_for_one_gateway_and_a_bounded_time() -> None:
    for title, query in raw_queries():
        if not title.startswith("variable"):
            assert 'r.gateway == "${gateway:raw}"' in query, title
            assert "range(start: " in query, title


def test_nothing_is_left_to_put_in_after_the_variables() -> None:
    for title, query in grafana_queries():
        assert "$" not in query, title
        assert not re.search(r"\bv\.", query), title


def test_no_query_makes_a_value_where_there_was_none() -> None:
    for title, query in raw_queries():
        assert "fill(" not in query, title
        assert "increase(" not in query, title


def test_days_are_local_days() -> None:
    daily = [query for _, query in raw_queries() if "every: 1d" in query]
    assert daily
    for query in daily:
        assert "timezone.location" in query
        assert 'timeSrc: "_start", location: zone' in query


def test_colours_are_the_same_everywhere() -> None:
    seen = set()
    for field, properties in _looks():
        for prefix, colour in COLOURS.items():
            if field.startswith(prefix) and properties.get("color", {}).get("mode") == "fixed":
                assert properties["color"]["fixedColor"] == colour, field
                seen.add(prefix)
    assert seen == set(COLOURS)


def test_units_are_those_that_the_fields_names_end_in() -> None:
    asked = {field for _, query in raw_queries() for field in re.findall(r'r\._field == "([^"]*)"', query)}
    units = dict(_looks())
    for field in asked:
        ending = field.rsplit("_", 1)[-1]
        if ending in UNITS and field != "power_w":
            assert units[field].get("unit") == UNITS[ending], field


def test_gaps_stay_gaps() -> None:
    for panel in board()["panels"]:
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] <= 600_000
            assert "createEmpty: true" in panel["targets"][0]["query"]


def _looks() -> list[tuple[str, dict[str, Any]]]:
    return [
        (override["matcher"]["options"], {item["id"]: item["value"] for item in override["properties"]})
        for panel in board()["panels"]
        for override in panel["fieldConfig"]["overrides"]
    ]


def _provisioned(name: str) -> Any:
    return yaml.safe_load((ROOT / "grafana" / "provisioning" / name).read_text(encoding="utf-8"))


def _source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grafana_build", ROOT / "grafana" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
