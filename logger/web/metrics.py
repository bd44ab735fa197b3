"""Write the newest readings as metrics for Prometheus, with names and units by the table of fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector as MetricsCollector
from prometheus_client.utils import floatToGoString

from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.newest import is_current
from logger.daemon.recorder import Recorder
from logger.model import Reading, Value
from logger.readings.schema import Field, Measurement
from logger.readings.table import MEASUREMENTS, SELF, TOTALS
from logger.web.cached_documents import WebDocument

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily
_Told: TypeAlias = tuple[str, Reading, bool]
"""The name of a site, one of its readings, and whether the reading is recent enough to be a present value."""

UNITS: Final = {
    "w": ("watts", 1.0),
    "wh": ("joules", 3600.0),
    "va": ("volt_amperes", 1.0),
    "vah": ("volt_ampere_seconds", 3600.0),
    "var": ("volt_amperes_reactive", 1.0),
    "varh": ("volt_ampere_seconds_reactive", 3600.0),
    "v": ("volts", 1.0),
    "a": ("amperes", 1.0),
    "hz": ("hertz", 1.0),
    "c": ("celsius", 1.0),
    "percent": ("ratio", 0.01),
    "s": ("seconds", 1.0),
    "bytes": ("bytes", 1.0),
}
"""Unit of the table → the unit by Prometheus' naming rules, and the factor of the conversion."""
_COUNTED: Final = frozenset({"requests", "failures", "cpu_s"})
"""The fields about the recorder that only rise. In Prometheus they are counters."""
_FREE_TEXT: Final = frozenset({"conditions"})
"""The texts that are not written, because each new wording would make a new series."""
_SHOWN: Final = tuple(each for each in MEASUREMENTS if each.time in ("tick", "report"))
_TEXTS: Final = {each.name: [field.name for field in each.fields if field.kind == "string"] for each in _SHOWN}
_LAYOUT: Final = ("panel", "panel_group")


class MetricsWriter:
    """Write the newest readings of all gateways in the text format of Prometheus.

    The library for Prometheus writes the lines of a measurement once, and again only when the measurement's series or
    fields change. Otherwise only the values in these lines are replaced by the values of new readings.
    """

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self._blocks: dict[str, _Block] = {}

    def write(self) -> WebDocument:
        """Return all metric families that have a value now."""
        now, sites = self._clock.time(), _name_sites(self._recorder.collectors)
        heard = GaugeMetricFamily("envoy_up", "Whether the gateway answers (1 or 0).", labels=["site"])
        for site, collector in sites:
            heard.add_metric([site], float(collector.newest.is_heard(collector.site, now)))
        troubles = len(self._recorder.changes.troubles)
        wrong = GaugeMetricFamily("envoy_logger_troubles", "The number of present problems.", value=troubles)
        parts = [_write_by_library(heard, wrong)]
        for measurement in _SHOWN:
            told = [
                (site, reading, is_current(reading, collector.site, now))
                for site, collector in sites
                for reading in collector.newest.list_of(measurement.name)
            ]
            if told:
                block = _renew(self._blocks.get(measurement.name), measurement, told)
                self._blocks[measurement.name] = block
                parts.append(block.text)
        return WebDocument("".join(parts).encode(), CONTENT_TYPE_LATEST)


@dataclass(frozen=True, slots=True)
class _Line:
    """The fixed text before the value of a sample, and where this value comes from.

    The value is the field `field` of a reading, multiplied by `factor`. `place`: the index of this reading in the
    list `told` of the block.
    """

    before: str
    place: int
    field: str
    factor: float


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one measurement: their readings, their fixed parts, and the whole text.

    `told`: the readings. `shape`: the facts that determine which lines exist. `end`: the text after the last value.
    """

    told: Sequence[_Told]
    shape: Sequence[object]
    lines: Sequence[_Line]
    end: str
    text: str


def _renew(known: _Block | None, measurement: Measurement, told: Sequence[_Told]) -> _Block:
    """Return the lines of a measurement. `known`: the last lines of this measurement.

    If the readings have not changed, return the last lines. If only numbers have changed, replace the values in the
    last lines. Otherwise write new lines.
    """
    if known is not None and known.told == told:
        return known
    shape = [_find_shape(each, _TEXTS[measurement.name]) for each in told]
    if known is not None and known.shape == shape:
        lines, end = known.lines, known.end
    else:
        lines, end = _write_lines(measurement, told)
    fields = [reading.fields for _, reading, _ in told]
    text = "".join([f"{each.before}{_write_value(fields[each.place][each.field], each.factor)}" for each in lines])
    return _Block(told, shape, lines, end, text + end)


def _find_shape(told: _Told, texts: Sequence[str]) -> object:
    """Return the facts that determine which lines a reading has: all its facts except the numbers."""
    site, reading, is_true_now = told
    return site, is_true_now, reading.tags, list(reading.fields), [reading.fields.get(name) for name in texts]


@lru_cache(2048)
def _write_value(value: Value, factor: float) -> str:
    written: str = floatToGoString(float(value) * factor)  # type: ignore[no-untyped-call]
    return written


def _write_lines(measurement: Measurement, told: Sequence[_Told]) -> tuple[Sequence[_Line], str]:
    """Write the readings `told` of a measurement with the library for Prometheus, one metric family for each field.

    Return one line for each value, and the text after the last value. A line holds only the text before its value.
    """
    labels = ("site", *measurement.tags, *(_LAYOUT if measurement.has_layout else ()))
    lines, before = [], ""
    for field in measurement.fields:
        family, places = _begin_family(measurement, field, labels), []
        for place, (site, reading, is_true_now) in enumerate(told):
            value = reading.fields.get(field.name)
            if value is None or field.name in _FREE_TEXT or not (is_true_now or field.is_lifetime):
                continue
            where = [site, *(reading.tags.get(label, "") for label in labels[1:])]
            places.append(place)
            if isinstance(family, InfoMetricFamily):
                family.add_metric(where, {field.name: str(value)})
            else:
                family.add_metric(where, 0.0)
        if isinstance(family, InfoMetricFamily) or not places:
            before += _write_by_library(family) if places else ""
            continue
        pieces = _write_by_library(family).split(" 0.0\n")
        factor = UNITS.get(field.unit, ("", 1.0))[1]
        for place, piece in zip(places, pieces, strict=False):
            lines.append(_Line(f"{before}{piece} ", place, field.name, factor))
            before = "\n"
    return lines, before


def _write_by_library(*families: Family) -> str:
    return generate_latest(_Families(families)).decode()


class _Families(MetricsCollector):
    """Gives finished metric families to the Prometheus library, which calls `collect` to get them."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        """Return the metric families."""
        return self._families


def _begin_family(measurement: Measurement, field: Field, labels: Sequence[str]) -> Family:
    """Return the empty metric family of a field, with name and type."""
    before = "envoy" if measurement is TOTALS else measurement.name
    unit = UNITS[field.unit][0] if field.unit else ""
    stem = field.name.removesuffix(f"_{field.unit}") if unit else field.name
    name = "_".join([before, stem, *([unit] if unit else [])])
    if field.kind == "string":
        return InfoMetricFamily(name, field.help, labels=labels)
    is_counter = field.is_lifetime or (measurement is SELF and field.name in _COUNTED)
    return (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, field.help, labels=labels)


def _name_sites(collectors: Sequence[Collector]) -> list[tuple[str, Collector]]:
    """Return label and collector of each gateway.

    The label is the site's name. If several gateways have this name, the gateway's number follows, from 1 on. Without
    a name, the label is only the number. No label contains a serial.
    """
    names = [collector.site.name for collector in collectors]
    return [
        (name if name and names.count(name) == 1 else f"{name} {number}".strip(), collector)
        for number, (name, collector) in enumerate(zip(names, collectors, strict=True), start=1)
    ]
