"""The alert rules, read as files: nothing unknown is asked, and every text and source is there."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml

from grafana.alerts.rules import RULES
from grafana.build import DIALECTS
from grafana.query.asked import Dialect
from grafana.texts import languages
from logger.readings.table import MEASUREMENTS
from tests.grafana.board_files import ROOT

PROVISIONING: Final = ROOT / "grafana" / "provisioning"
TABLE: Final = {measurement.name: measurement for measurement in MEASUREMENTS}
CHOICES: Final = [(dialect, language) for dialect in DIALECTS for language in languages()]


def read_rules(dialect: Dialect, language: str) -> list[dict[str, Any]]:
    text = (PROVISIONING / dialect / "alerting" / language / "envoy.yaml").read_text("utf-8")
    (group,) = yaml.safe_load(text)["groups"]
    assert group["interval"] == "1m"
    found: list[dict[str, Any]] = group["rules"]
    return found


@pytest.mark.parametrize("rule", RULES, ids=[rule.uid for rule in RULES])
def test_a_rule_asks_for_fields_and_tags_of_the_table(rule: Any) -> None:
    measurement = TABLE[rule.figure.measurement]
    assert set(rule.figure.fields) <= {field.name for field in measurement.fields}
    assert set(rule.figure.by) <= {"gateway", *measurement.tags}
    assert {tag for tag, _ in rule.figure.where} <= set(measurement.tags)
    assert set(re.findall(r"\$labels\.(\w+)", rule.says)) <= set(rule.figure.by)


@pytest.mark.parametrize(("dialect", "language"), CHOICES)
def test_every_rule_is_in_every_file_with_its_own_uid_and_title(dialect: Dialect, language: str) -> None:
    rules = read_rules(dialect, language)
    assert [rule["uid"] for rule in rules] == [rule.uid for rule in RULES]
    assert len({rule["title"] for rule in rules}) == len({rule["uid"] for rule in rules}) == 9
    sources = yaml.safe_load((PROVISIONING / dialect / "datasources" / "envoy.yaml").read_text())["datasources"]
    known = {source["uid"] for source in sources} | {"-100"}
    for rule in rules:
        steps = {step["refId"]: step for step in rule["data"]}
        assert rule["condition"] in steps
        assert {step["datasourceUid"] for step in steps.values()} <= known
        assert set(re.findall(r"\$([A-Z])\b", steps["C"]["model"]["expression"])) <= set(steps)


def test_a_rule_without_a_value_is_silent_but_for_the_one_that_misses_readings() -> None:
    assert [rule["uid"] for rule in read_rules("flux", "en") if rule["noDataState"] != "OK"] == ["envoy-no-data"]


def test_the_page_names_every_rule() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    for rule in RULES:
        assert f"| {rule.title} |" in page
        assert f"`{rule.figure.measurement}" in page
