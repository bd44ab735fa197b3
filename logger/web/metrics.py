"""Answer Prometheus: every newest reading as a metric, named and converted by the table of fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector as MetricsCollector
from prometheus_client.registry import CollectorRegistry

from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.newest import is_current
from logger.daemon.recorder import Recorder
from logger.model import Reading
from logger.readings.schema import Field, Measurement
from logger.readings.table import EVENT, MEASUREMENTS, SELF, TOTALS
from logger.web.cached_documents import WebDocument

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily

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
"""Unit of the table → the unit that Prometheus' naming rules want, and how many of it one is."""
_COUNTED: Final = frozenset({"requests", "failures", "cpu_s"})
"""Fields of the recorder that only rise."""
_FREE_TEXT: Final = frozenset({"conditions"})
"""Texts that would make a new series with each new wording."""
_SHOWN: Final = tuple(each for each in MEASUREMENTS if each.time in ("tick", "report") and each is not EVENT)
_LAYOUT: Final = ("panel", "panel_group")


def answer_metrics(recorder: Recorder, clock: Clock) -> WebDocument:
    """Write the metrics of all gateways in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Readings(recorder, clock.time()))
    return WebDocument(generate_latest(registry), CONTENT_TYPE_LATEST)


class _Readings(MetricsCollector):
    """Gives the newest readings at one time (unix seconds) to the library."""

    def __init__(self, recorder: Recorder, now: float) -> None:
        self._recorder, self._now = recorder, now

    def collect(self) -> Iterator[Family]:
        """Make one family of each field that has a value now."""
        sites = _name_sites(self._recorder.collectors)
        heard = GaugeMetricFamily("envoy_up", "The gateway is heard.", labels=["site"])
        for site, collector in sites:
            heard.add_metric([site], float(collector.newest.is_heard(collector.site, self._now)))
        yield heard
        troubles = len(self._recorder.changes.troubles)
        yield GaugeMetricFamily("envoy_logger_troubles", "What is wrong now, counted.", value=troubles)
        for measurement in _SHOWN:
            series = [
                (site, collector, reading)
                for site, collector in sites
                for reading in collector.newest.list_of(measurement.name)
            ]
            for field in measurement.fields if series else ():
                if field.name not in _FREE_TEXT:
                    yield from self._describe(measurement, field, series)

    def _describe(
        self, measurement: Measurement, field: Field, series: Sequence[tuple[str, Collector, Reading]]
    ) -> Iterator[Family]:
        """Make the family of one field; nothing without a value that is still true."""
        labels = ["site", *measurement.tags, *(_LAYOUT if measurement.has_layout else ())]
        family = _begin_family(measurement, field, labels)
        for site, collector, reading in series:
            value = reading.fields.get(field.name)
            if value is None or not (field.is_lifetime or is_current(reading, collector.site, self._now)):
                continue
            where = [site, *(reading.tags.get(label, "") for label in labels[1:])]
            if isinstance(family, InfoMetricFamily):
                family.add_metric(where, {field.name: str(value)})
            else:
                family.add_metric(where, float(value) * UNITS.get(field.unit, ("", 1.0))[1])
        if family.samples:
            yield family


def _begin_family(measurement: Measurement, field: Field, labels: Sequence[str]) -> Family:
    """Choose name and type of a field's family."""
    before = "envoy" if measurement is TOTALS else measurement.name
    unit = UNITS[field.unit][0] if field.unit else ""
    stem = field.name.removesuffix(f"_{field.unit}") if unit else field.name
    name = "_".join([before, stem, *([unit] if unit else [])])
    if field.kind == "string":
        return InfoMetricFamily(name, field.help, labels=labels)
    is_counter = field.is_lifetime or (measurement is SELF and field.name in _COUNTED)
    return (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, field.help, labels=labels)


def _name_sites(collectors: Sequence[Collector]) -> list[tuple[str, Collector]]:
    """Return each gateway with its label: the site's name, else its number from 1 on, never its serial."""
    names = [collector.site.name for collector in collectors]
    return [
        (name if name and names.count(name) == 1 else f"{name} {number}".strip(), collector)
        for number, (name, collector) in enumerate(zip(names, collectors, strict=True), start=1)
    ]
