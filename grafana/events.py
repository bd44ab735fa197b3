"""Mark the recorder's events on the curves, as annotations of Grafana."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard

from grafana.looks import BAD, GREY, WARN
from grafana.query import flux, influxql
from grafana.query.asked import Dialect, Rows
from grafana.texts import Words
from grafana.variables import source_of

_SEVERITIES: Final = {"info": ("Events", GREY), "warning": ("Warnings", WARN), "error": ("Errors", BAD)}


class _Marks(dashboard.AnnotationQuery):
    """An annotation with a query. The annotation class of the Grafana SDK has no property for a query."""

    said: dict[str, object]

    def to_json(self) -> dict[str, object]:
        """Return the annotation as Grafana reads it."""
        return {**super().to_json(), **self.said}


def make_annotations(dialect: Dialect, say: Words) -> list[dashboard.AnnotationQuery]:
    """Make one annotation for each severity."""
    return [_make(severity, say(name), color, dialect) for severity, (name, color) in _SEVERITIES.items()]


def _make(severity: str, name: str, color: str, dialect: Dialect) -> dashboard.AnnotationQuery:
    rows = Rows("envoy_event", ("severity", "text"))
    made = _Marks(name=name, datasource=source_of(rows.role, dialect), enable=severity != "info", icon_color=color)
    if dialect == "flux":
        text = flux.pipe(
            *flux.read(rows),
            flux.WIDE,
            f'filter(fn: (r) => r.severity == "{severity}")',
            "group()",
            'keep(columns: ["_time", "text", "kind"])',
            'rename(columns: {_time: "time", kind: "tags"})',
            'sort(columns: ["time"])',
        )
        made.said = {"query": text, "mappings": {}, "target": {"refId": "Anno", "query": text}}
    else:
        text = influxql.select(
            ['"text"', '"kind"'], '"envoy_event"', influxql.where(rows, f"\"severity\" = '{severity}'")
        )
        made.said = {
            "query": text,
            "textColumn": "text",
            "tagsColumn": "kind",
            "titleColumn": "",
            "timeEndColumn": "",
        }
    return made
