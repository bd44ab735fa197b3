"""Write for Prometheus: every newest reading as a metric, named and converted by the table of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector as MetricsCollector
from prometheus_client.utils import floatToGoString

from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.newest import is_current
from logger.daemon.recorder import Recorder
from logger.model import Reading
from logger.readings.schema import Field, Measurement
from logger.readings.table import EVENT, MEASUREMENTS, SELF, TOTALS
from logger.web.cached_documents import WebDocument

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily
_Told: TypeAlias = tuple[str, Reading, bool]
"""The name of a site, a reading of it, and whether its values may still be told as present values."""
_Sample: TypeAlias = tuple[tuple[str, ...], float]
"""The values of the labels of one series, and its value. A text is the last label, with the value 1."""

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


class MetricsWriter:
    """Writes the newest readings of all gateways in the text format of Prometheus.

    The library writes the names and labels of a family once, until it has other series. After that only values are
    renewed, and only those of readings that are new.
    """

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self._blocks: dict[str, tuple[list[_Told], str]] = {}
        self._frames: dict[str, _Frame] = {}

    def write(self) -> WebDocument:
        """Write every family that has a value now."""
        now, sites = self._clock.time(), _name_sites(self._recorder.collectors)
        heard: list[_Sample] = [((site,), float(each.newest.is_heard(each.site, now))) for site, each in sites]
        troubles: list[_Sample] = [((), float(len(self._recorder.changes.troubles)))]
        parts = [self._fill("envoy_up", _begin_heard, heard), self._fill("troubles", _begin_troubles, troubles)]
        for measurement in _SHOWN:
            told = [
                (site, reading, is_current(reading, collector.site, now))
                for site, collector in sites
                for reading in collector.newest.list_of(measurement.name)
            ]
            parts.append(self._find_block(measurement, told) if told else "")
        return WebDocument("".join(parts).encode(), CONTENT_TYPE_LATEST)

    def _find_block(self, measurement: Measurement, told: list[_Told]) -> str:
        """Return the families of a measurement; those of the last time if its readings are the same."""
        known = self._blocks.get(measurement.name)
        if known is None or known[0] != told:
            known = self._blocks[measurement.name] = told, "".join(self._write_families(measurement, told))
        return known[1]

    def _write_families(self, measurement: Measurement, told: Sequence[_Told]) -> Iterator[str]:
        """Write the family of each field that has a value which is still true."""
        labels = ("site", *measurement.tags, *(_LAYOUT if measurement.has_layout else ()))
        places = [(site, *(reading.tags.get(label, "") for label in labels[1:])) for site, reading, _ in told]
        for field in measurement.fields:
            factor = UNITS.get(field.unit, ("", 1.0))[1]
            samples: list[_Sample] = []
            for place, (_, reading, is_true_now) in zip(places, told, strict=True):
                value = reading.fields.get(field.name)
                if value is None or not (is_true_now or field.is_lifetime):
                    continue
                is_text = field.kind == "string"
                samples.append(((*place, str(value)), 1.0) if is_text else (place, float(value) * factor))
            if samples and field.name not in _FREE_TEXT:
                begin = partial(_begin_family, measurement, field, labels)
                yield self._fill(f"{measurement.name}.{field.name}", begin, samples)

    def _fill(self, key: str, begin: Callable[[], Family], samples: Sequence[_Sample]) -> str:
        """Write the values of one family into its frame. The library writes a new frame for other series."""
        series = [labels for labels, _ in samples]
        frame = self._frames.get(key)
        if frame is None or frame.series != series:
            frame = self._frames[key] = _write_frame(begin(), series)
        write = cast(Callable[[float], str], floatToGoString)
        values = [value for _, value in samples]
        return frame.head + "".join([f"{n} {write(v)}\n" for n, v in zip(frame.names, values, strict=True)])


@dataclass(frozen=True, slots=True)
class _Frame:
    """Hold what stays of one family: its head, and before each value the name and the labels of its series."""

    series: Sequence[tuple[str, ...]]
    head: str
    names: Sequence[str]


class _OneFamily(MetricsCollector):
    """Gives one family to the library."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterator[Family]:
        """Yield the family."""
        yield self._family


def _write_frame(family: Family, series: Sequence[tuple[str, ...]]) -> _Frame:
    """Let the library write a family with these series, and cut off the values."""
    for labels in series:
        if isinstance(family, InfoMetricFamily):
            family.add_metric(labels, {})
        else:
            family.add_metric(labels, 0.0)
    lines = generate_latest(_OneFamily(family)).decode().split("\n")
    begin = len(lines) - 1 - len(series)
    head = "".join(f"{line}\n" for line in lines[:begin])
    return _Frame(series, head, [line.rpartition(" ")[0] for line in lines[begin:-1]])


def _begin_heard() -> Family:
    return GaugeMetricFamily("envoy_up", "The gateway is heard.", labels=["site"])


def _begin_troubles() -> Family:
    return GaugeMetricFamily("envoy_logger_troubles", "What is wrong now, counted.", labels=[])


def _begin_family(measurement: Measurement, field: Field, labels: Sequence[str]) -> Family:
    """Choose name and type of a field's family."""
    before = "envoy" if measurement is TOTALS else measurement.name
    unit = UNITS[field.unit][0] if field.unit else ""
    stem = field.name.removesuffix(f"_{field.unit}") if unit else field.name
    name = "_".join([before, stem, *([unit] if unit else [])])
    if field.kind == "string":
        return InfoMetricFamily(name, field.help, labels=[*labels, field.name])
    is_counter = field.is_lifetime or (measurement is SELF and field.name in _COUNTED)
    return (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, field.help, labels=labels)


def _name_sites(collectors: Sequence[Collector]) -> list[tuple[str, Collector]]:
    """Return each gateway with its label: the site's name, else its number from 1 on, never its serial."""
    names = [collector.site.name for collector in collectors]
    return [
        (name if name and names.count(name) == 1 else f"{name} {number}".strip(), collector)
        for number, (name, collector) in enumerate(zip(names, collectors, strict=True), start=1)
    ]
