"""Write the alert rules for Grafana: one file for each pair of query language and human language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import yaml

from grafana.alerts.rules import RULES, Rule
from grafana.query.asked import Dialect
from grafana.texts import Words
from grafana.variables import SOURCES
from logger.model import Json

FOLDER: Final = "Solar alerts"
_EXPRESSION: Final[Mapping[str, Json]] = {"type": "__expr__", "uid": "-100"}
_HEAD: Final = """\
# The alert rules, made from grafana/alerts: python -m grafana.build. docs/alerts.md tells how you get their messages.
"""


class _Dumper(yaml.SafeDumper):
    """Write YAML, with each text of several lines as a literal block."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def write_rules(dialect: Dialect, say: Words, every: str = "1m") -> str:
    """Return the text of the file with all rules. Grafana evaluates the rules at the interval `every`."""
    rules: list[Json] = [_make_rule(rule, dialect, say) for rule in RULES]
    group: Json = {"orgId": 1, "name": "envoy-logger", "folder": say(FOLDER), "interval": every, "rules": rules}
    found = yaml.dump(
        {"apiVersion": 1, "groups": [group]}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118
    )
    return f"{_HEAD}{found}"


def _make_rule(rule: Rule, dialect: Dialect, say: Words) -> Json:
    return {
        "uid": rule.uid,
        "title": say(rule.title),
        "condition": "C",
        "for": "0s",
        "noDataState": rule.none,
        "execErrState": "Error",
        "annotations": {"summary": say(rule.says), "board": f"{{{{ externalURL }}}}d/{rule.board}"},
        "labels": {"source": "envoy-logger", "severity": rule.severity},
        "data": list(_make_data(rule, dialect)),
    }


def _make_data(rule: Rule, dialect: Dialect) -> Iterator[Json]:
    """Make the query A, its newest value B, its greatest value M if the condition names M, and the condition C."""
    if dialect == "flux":
        yield _make_step("A", SOURCES["totals"][2], {"query": rule.figure.flux()})
    else:
        model: dict[str, Json] = {"query": rule.figure.influxql(), "rawQuery": True, "resultFormat": "time_series"}
        yield _make_step("A", SOURCES[rule.figure.role][2], model)
    yield _make_step("B", "-100", {"type": "reduce", "expression": "A", "reducer": "last"})
    if "$M" in rule.condition:
        yield _make_step("M", "-100", {"type": "reduce", "expression": "A", "reducer": "max"})
    yield _make_step("C", "-100", {"type": "math", "expression": rule.condition})


def _make_step(letter: str, source: str, model: Mapping[str, Json]) -> Json:
    of: Mapping[str, Json] = _EXPRESSION if source == "-100" else {"type": "influxdb", "uid": source}
    return {
        "refId": letter,
        "datasourceUid": source,
        "relativeTimeRange": {"from": 86400, "to": 0},
        "model": {"refId": letter, **model, "datasource": dict(of)},
    }
