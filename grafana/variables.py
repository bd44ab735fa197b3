"""Define the choices at the top of the boards (Grafana's variables)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models import dashboard

from grafana.query.asked import Dialect
from grafana.texts import Words
from logger.model import Role

SOURCES: Final[dict[Role, tuple[str, str, str]]] = {
    "totals": ("datasource", "Envoy", "envoy-influxdb"),
    "devices": ("datasource_devices", "Envoy devices", "envoy-influxdb-devices"),
    "daily": ("datasource_daily", "Envoy daily", "envoy-influxdb-daily"),
}
"""Role → (variable of the data source, name of the provisioned data source, its uid)."""
_BUCKETS: Final = {"bucket": "envoy", "bucket_devices": "envoy_devices", "bucket_daily": "envoy_daily"}


@dataclass(frozen=True)
class Choice:
    """One choice whose values the database lists. `flux`, `influxql`: the queries for the list."""

    label: str
    role: Role
    flux: str
    influxql: str
    is_many: bool = False
    is_hidden: bool = False
    every: str = ""
    """The pattern that stands for all values. If it is empty, Grafana names each value."""


def _tag_values(measurement: str, tag: str, bucket: str, where: str = "") -> str:
    return f"""import "influxdata/influxdb/schema"

schema.tagValues(
    bucket: "${{{bucket}}}",
    tag: "{tag}",
    predicate: (r) => r._measurement == "{measurement}"{where},
    start: 0,
)"""


_OF_GATEWAY: Final = " and r.gateway =~ /^${gateway:regex}$/"
_WHERE_GATEWAY: Final = 'WHERE "gateway" =~ /^${gateway:regex}$/'

CHOICES: Final[dict[str, Choice]] = {
    "gateway": Choice(
        "Gateway",
        "totals",
        _tag_values("envoy_totals", "gateway", "bucket"),
        'SHOW TAG VALUES FROM "envoy_totals" WITH KEY = "gateway"',
        is_many=True,
    ),
    "group": Choice(
        "Group",
        "daily",
        _tag_values("envoy_inverter_day", "panel_group", "bucket_daily", _OF_GATEWAY),
        f'SHOW TAG VALUES FROM "envoy_inverter_day" WITH KEY = "panel_group" {_WHERE_GATEWAY}',
        is_many=True,
        every=".*",
    ),
    "inverter": Choice(
        "Inverter",
        "daily",
        _tag_values("envoy_inverter_day", "serial", "bucket_daily", _OF_GATEWAY),
        f'SHOW TAG VALUES FROM "envoy_inverter_day" WITH KEY = "serial" {_WHERE_GATEWAY}',
    ),
    "own_group": Choice(
        "Group of the inverter",
        "daily",
        _tag_values("envoy_inverter_day", "panel_group", "bucket_daily", ' and r.serial == "${inverter}"'),
        'SHOW TAG VALUES FROM "envoy_inverter_day" WITH KEY = "panel_group" WHERE "serial" = \'${inverter}\'',
        is_hidden=True,
    ),
    "site": Choice(
        "Site of several gateways",
        "totals",
        _tag_values("envoy_site", "site", "bucket"),
        'SHOW TAG VALUES FROM "envoy_site" WITH KEY = "site"',
        is_many=True,
        is_hidden=True,
    ),
    "label": Choice(
        "Tag that names an inverter",
        "devices",
        "",
        'SHOW TAG KEYS FROM "envoy_inverter_status"',
        is_hidden=True,
    ),
}
GAP: Final = "gap"
"""The name of a hidden choice: a three-hundredth of the time shown, at least five minutes."""
LIMITS: Final = {
    "low_v": ("Lowest voltage", "207"),
    "high_v": ("Highest voltage", "253"),
}
"""Choice → (label, default): numbers in V that the reader can set. The defaults are 230 V ± 10 %."""


def make_variables(names: tuple[str, ...], dialect: Dialect, say: Words) -> list[dashboard.VariableModel]:
    """Make the choices of a board. Data sources come first, because the lists of other choices come from them."""
    made = [
        _source(role, say, is_hidden=role != "totals")
        for role in SOURCES
        if dialect == "influxql" or role == "totals"
    ]
    if dialect == "flux":
        made += [_text(name, "", value, is_hidden=True) for name, value in _BUCKETS.items()]
    for name in ("gateway", *names):
        if name in LIMITS:
            label, value = LIMITS[name]
            made.append(_text(name, say(label), value))
        elif CHOICES[name].flux or dialect == "influxql":
            made.append(_choice(name, CHOICES[name], dialect, say))
    return [*made, _gap()]


def source_of(role: Role, dialect: Dialect) -> dashboard.DataSourceRef:
    """Return the data source of a role. In Flux, one data source reads all buckets."""
    name = SOURCES[role][0] if dialect == "influxql" else SOURCES["totals"][0]
    return dashboard.DataSourceRef(type_val="influxdb", uid=f"${{{name}}}")


def _hidden(is_hidden: bool) -> dashboard.VariableHide:
    return dashboard.VariableHide.HIDE_VARIABLE if is_hidden else dashboard.VariableHide.DONT_HIDE


def _source(role: Role, say: Words, *, is_hidden: bool) -> dashboard.VariableModel:
    name, text, uid = SOURCES[role]
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.DATASOURCE,
        name=name,
        label=say("Database"),
        hide=_hidden(is_hidden),
        query="influxdb",
        regex="" if role == "totals" else f"/{role}/i",
        refresh=dashboard.VariableRefresh.ON_DASHBOARD_LOAD,
        current=dashboard.VariableOption(text=text, value=uid),
    )


def _text(name: str, label: str, value: str, *, is_hidden: bool = False) -> dashboard.VariableModel:
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.TEXTBOX,
        name=name,
        label=label or None,
        hide=_hidden(is_hidden),
        query=value,
        current=dashboard.VariableOption(text=value, value=value),
        options=[dashboard.VariableOption(text=value, value=value, selected=True)],
    )


def _gap() -> dashboard.VariableModel:
    auto = f"$__auto_interval_{GAP}"
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.INTERVAL,
        name=GAP,
        hide=_hidden(True),
        query="5m",
        refresh=dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED,
        auto=True,
        auto_min="5m",
        auto_count=300,
        current=dashboard.VariableOption(text="auto", value=auto),
        options=[
            dashboard.VariableOption(text="auto", value=auto, selected=True),
            dashboard.VariableOption(text="5m", value="5m", selected=False),
        ],
    )


def _choice(name: str, choice: Choice, dialect: Dialect, say: Words) -> dashboard.VariableModel:
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.QUERY,
        name=name,
        label=say(choice.label),
        hide=_hidden(choice.is_hidden),
        query=choice.flux if dialect == "flux" else choice.influxql,
        datasource=source_of(choice.role, dialect),
        regex="/^(panel|serial)$/" if name == "label" else "",
        refresh=dashboard.VariableRefresh.ON_DASHBOARD_LOAD,
        sort=dashboard.VariableSort.ALPHABETICAL_ASC,
        multi=choice.is_many,
        include_all=choice.is_many,
        all_value=choice.every or None,
        current=dashboard.VariableOption(text="All", value="$__all") if choice.is_many else None,
    )
