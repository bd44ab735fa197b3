"""Turn a board into the JSON that Grafana reads, for one query language and one human language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from grafana.board import Board, Panel, Place, Section, place
from grafana.events import make_annotations
from grafana.looks import AT_LEAST, GREY, LEAST, Look, look_at
from grafana.query.asked import Dialect, Statement
from grafana.texts import Words
from grafana.variables import make_variables, source_of

TAG: Final = "envoy-logger"
_SCHEMA: Final = 37
"""The version of the JSON schema of Grafana 9.3. Newer versions of Grafana convert the boards when they load them."""
_TIMES: Final = ("_time", "Time")
_NAMES: Final = {"stat": "\u2002{}\u2002"}
"""Kind of panel → the form of a column's name, with space between the name and the number beside the name."""
_HOLED: Final = ("table", "bargauge")
_WITH_AXIS: Final = ("timeseries", "barchart")
_TINY: Final = 1e-9
_MOST: Final = 1e12
_SUFFIX: Final = "suffix: "
_MIXED: Final = dashboard.DataSourceRef(type_val="datasource", uid="-- Mixed --")


@dataclass(frozen=True)
class Target(variants.Dataquery):
    """One statement of a panel. `letter`: Grafana's name of the statement."""

    letter: str
    statement: Statement
    dialect: Dialect

    def to_json(self) -> dict[str, object]:
        """Return the statement as Grafana's InfluxDB data source reads it."""
        said: dict[str, object] = {
            "refId": self.letter,
            "datasource": source_of(self.statement.role, self.dialect),
            "query": self.statement.text,
        }
        if self.dialect == "influxql":
            said |= {"rawQuery": True, "resultFormat": self.statement.form, "alias": self.statement.alias}
        return said


def render(board: Board, boards: Sequence[Board], dialect: Dialect, say: Words) -> str:
    """Return the JSON text of a board's file."""
    return json.dumps(_Page(dialect, say).make(board, boards), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"


class _Page:
    """Make the parts of one board."""

    def __init__(self, dialect: Dialect, say: Words) -> None:
        self._dialect = dialect
        self._say = say
        self._number = 0

    def make(self, board: Board, boards: Sequence[Board]) -> dashboard.Dashboard:
        """Make the board with its panels, choices, annotations and links."""
        say = self._say
        return dashboard.Dashboard(
            uid=board.uid,
            title=say(board.title),
            description=say(board.says),
            tags=[TAG],
            timezone="",
            editable=True,
            graph_tooltip=dashboard.DashboardCursorSync.CROSSHAIR,
            time=dashboard.DashboardDashboardTime(from_val=board.since, to=board.until),
            refresh=board.refresh,
            schema_version=_SCHEMA,
            panels=list(self._panels(board)),
            templating=dashboard.DashboardDashboardTemplating(
                list_val=make_variables(board.variables, self._dialect, say)
            ),
            annotations=dashboard.AnnotationContainer(
                list_val=make_annotations(self._dialect, say) if board.events else []
            ),
            links=[self._link(other) for other in boards],
        )

    def _link(self, board: Board) -> dashboard.DashboardLink:
        return dashboard.DashboardLink(
            title=self._say(board.title),
            type_val=dashboard.DashboardLinkType.LINK,
            icon="dashboard",
            tooltip=self._say(board.says),
            url=f"/d/{board.uid}",
            tags=[],
            include_vars=True,
            keep_time=False,
        )

    def _panels(self, board: Board) -> Iterator[dashboard.Panel | dashboard.RowPanel]:
        top = 0
        for section in board.sections:
            heading = self._heading(section, top) if section.title else None
            top += 1 if heading else 0
            places = place([panel.size for panel in section.panels], top)
            panels = [self._panel(panel, where) for panel, where in zip(section.panels, places, strict=True)]
            if heading:
                heading.panels = panels if section.is_closed else []
                yield heading
            if not section.is_closed:
                yield from panels
                top = max(where.y + where.h for where in places)

    def _heading(self, section: Section, top: int) -> dashboard.RowPanel:
        self._number += 1
        return dashboard.RowPanel(
            title=self._say(section.title),
            grid_pos=dashboard.GridPos(x=0, y=top, w=24, h=1),
            id_val=self._number,
            collapsed=section.is_closed,
        )

    def _panel(self, panel: Panel, where: Place) -> dashboard.Panel:
        self._number += 1
        say = self._say
        statements = [statement for query in panel.queries for statement in query.statements(self._dialect)]
        roles = {statement.role for statement in statements}
        is_mixed = len(roles) > 1 and self._dialect == "influxql"
        return dashboard.Panel(
            type_val=panel.kind,
            id_val=self._number,
            title=say(panel.title),
            description=say(panel.says),
            datasource=_MIXED if is_mixed else source_of(min(roles), self._dialect),
            grid_pos=dashboard.GridPos(x=where.x, y=where.y, w=where.w, h=where.h),
            targets=[
                Target(letter, statement, self._dialect)
                for letter, statement in zip(ascii_uppercase, statements, strict=False)
            ],
            options=panel.options,
            interval=panel.interval or None,
            time_from=panel.time_from or None,
            time_shift=panel.time_shift or None,
            hide_time_override=True if panel.time_from or panel.time_shift else None,
            repeat=panel.repeat or None,
            max_data_points=panel.points or None,
            transformations=list(self._transformations(panel)) or None,
            field_config=dashboard.FieldConfigSource(
                defaults=self._defaults(panel), overrides=list(self._overrides(panel))
            ),
        )

    def _defaults(self, panel: Panel) -> dashboard.FieldConfig:
        return dashboard.FieldConfig(
            no_value=self._say(panel.absent),
            color=_fixed(GREY),
            thresholds=dashboard.ThresholdsConfig(
                mode=dashboard.ThresholdsMode.ABSOLUTE, steps=[dashboard.Threshold(value=None, color=GREY)]
            ),
            mappings=self._holes() if panel.kind in _HOLED else [],
            custom=panel.custom,
        )

    def _holes(self) -> list[dashboard.ValueMapping]:
        """Make the mappings that show a cell or a bar without a value as a dash."""
        match = dashboard.SpecialValueMatch
        return [
            dashboard.SpecialValueMap(
                options=dashboard.DashboardSpecialValueMapOptions(
                    match=which, result=dashboard.ValueMappingResult(text=self._say("–"), index=index)
                )
            )
            for index, which in enumerate((match.NULL, match.EMPTY))
        ]

    def _overrides(self, panel: Panel) -> Iterator[dashboard.DashboardFieldConfigSourceOverrides]:
        columns = [column for query in panel.queries for column in query.columns]
        if panel.kind != "heatmap":  # whose columns are cells
            endings = {column.rsplit("_", 1)[-1] for column in columns}
            yield from (self._least(panel.kind, ending) for ending in LEAST if ending in endings)
        for column in dict.fromkeys([*columns, *panel.order, *panel.looks]):
            form = "" if panel.names_rows else _NAMES.get(panel.kind, "{}")
            if found := self._properties(look_at(column, panel.looks), form):
                if panel.kind in _HOLED and "mappings" in found:
                    found["mappings"] += self._holes()
                by = "byRegexp" if column.startswith("/") else "byName"
                yield dashboard.DashboardFieldConfigSourceOverrides(
                    matcher=dashboard.MatcherConfig(id_val=by, options=column),
                    properties=[
                        dashboard.DynamicConfigValue(id_val=name, value=value) for name, value in found.items()
                    ],
                )

    def _properties(self, look: Look, form: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if look.name and form:
            found["displayName"] = form.format(self._say(look.name))
            if form == _NAMES["stat"]:
                found["displayName"] = _in_one_line(str(found["displayName"]))
        if look.unit:
            found["unit"] = (
                f"{_SUFFIX}{self._say(look.unit.removeprefix(_SUFFIX))}"
                if look.unit.startswith(_SUFFIX)
                else look.unit
            )
        if look.steps:
            found["thresholds"] = dashboard.ThresholdsConfig(
                mode=dashboard.ThresholdsMode.ABSOLUTE,
                steps=[dashboard.Threshold(value=value, color=color) for value, color in look.steps],
            )
            found["color"] = {"mode": "thresholds"}
        elif look.color:
            found["color"] = _fixed(look.color)
        if look.texts:
            found["mappings"] = list(self._mappings(look.texts))
        return {**found, **look.more}

    def _mappings(self, texts: Mapping[str, tuple[str, str]]) -> Iterator[dashboard.ValueMapping]:
        results = {
            value: dashboard.ValueMappingResult(text=self._say(text), color=color or None, index=index)
            for index, (value, (text, color)) in enumerate(texts.items())
        }
        if "" in results:
            empty = dashboard.SpecialValueMatch.EMPTY
            options = dashboard.DashboardSpecialValueMapOptions(match=empty, result=results.pop(""))
            yield dashboard.SpecialValueMap(options=options)
        for pattern in [value for value in results if value.startswith("/")]:
            found = dashboard.DashboardRegexMapOptions(pattern=pattern, result=results.pop(pattern))
            yield dashboard.RegexMap(options=found)
        spans = {value: results.pop(value) for value in [*results] if value.startswith(AT_LEAST)}
        if results:
            yield dashboard.ValueMap(options=results)
        for least, result in spans.items():
            low = float(least.removeprefix(AT_LEAST))
            yield dashboard.RangeMap(
                options=dashboard.DashboardRangeMapOptions(from_val=low, to=_MOST, result=result)
            )

    def _least(self, kind: str, ending: str) -> dashboard.DashboardFieldConfigSourceOverrides:
        """Make the override that writes `< 1 W` or `< 1 Wh`, because Grafana's units would write mW or mWh."""
        text, reach = LEAST[ending]
        result = dashboard.ValueMappingResult(text=text)
        spans = [
            dashboard.DashboardRangeMapOptions(from_val=low, to=high, result=result)
            for low, high in ((_TINY, 1 - _TINY), *([(_TINY - 1, -_TINY)] if ending == "w" else ()))
        ]
        mappings = [*(dashboard.RangeMap(options=span) for span in spans), *(self._holes() if kind in _HOLED else ())]
        properties = [dashboard.DynamicConfigValue(id_val="mappings", value=mappings)]
        if kind in _WITH_AXIS:
            properties.append(dashboard.DynamicConfigValue(id_val="custom.axisSoftMax", value=reach))
        matcher = dashboard.MatcherConfig(id_val="byRegexp", options=f"/_{ending}$/")
        return dashboard.DashboardFieldConfigSourceOverrides(matcher=matcher, properties=properties)

    def _transformations(self, panel: Panel) -> Iterator[dashboard.DataTransformerConfig]:
        for name, options in panel.transformations:
            yield dashboard.DataTransformerConfig(id_val=name, options=options)
        columns = tuple(column for query in panel.queries for column in query.columns)
        if named := panel.order or columns:
            # The time comes first, because Grafana computes the width of bars from the first column
            order = dict.fromkeys([*named] if set(_TIMES) & set(named) else [*_TIMES, *named])
            yield dashboard.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(panel.hidden, True),
                    "indexByName": {column: index for index, column in enumerate(order)},
                    "renameByName": {},
                },
            )


def _in_one_line(name: str) -> str:
    """Return the name without line breaks, because Grafana computes the text's size for one line."""
    return name.replace(" ", "\u00a0").replace("-", "\u2011")


def _fixed(color: str) -> dashboard.FieldColor:
    return dashboard.FieldColor(mode=dashboard.FieldColorModeId.FIXED, fixed_color=color)
