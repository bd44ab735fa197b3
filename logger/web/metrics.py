"""Answer Prometheus with every newest reading as a metric. The table of fields gives its name and unit.

The text is written here, because the usual library takes five times the processor time, and Prometheus asks each
minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.newest import is_current
from logger.daemon.recorder import Recorder
from logger.model import Reading, Value
from logger.readings.schema import Field, Measurement
from logger.readings.table import EVENT, MEASUREMENTS, SELF, TOTALS
from logger.web.cached_documents import WebDocument

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

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


@dataclass(frozen=True, slots=True)
class Metric:
    """Describe the metric of one field: its name, the lines before its samples, and the factor for its unit."""

    name: str
    head: str
    factor: float
    is_lasting: bool
    text_label: str = ""

    def write(self, labels: str, value: Value) -> str:
        """Write one sample. A text becomes a label of the sample."""
        if self.text_label:
            return f'{self.name}{{{labels},{self.text_label}="{_escape(str(value))}"}} 1.0\n'
        return f"{self.name}{{{labels}}} {float(value) * self.factor!r}\n"


def _make_metric(measurement: Measurement, field: Field) -> Metric:
    """Make the metric of one field of the table."""
    before = "envoy" if measurement is TOTALS else measurement.name
    unit, factor = UNITS[field.unit] if field.unit else ("", 1.0)
    stem = field.name.removesuffix(f"_{field.unit}") if unit else field.name
    is_text = field.kind == "string"
    is_counter = not is_text and (field.is_lifetime or (measurement is SELF and field.name in _COUNTED))
    ending = "info" if is_text else "total" if is_counter else ""
    name = "_".join(part for part in (before, stem, "" if is_text else unit, ending) if part)
    head = _write_head(name, field.help, "counter" if is_counter else "gauge")
    return Metric(name, head, factor, field.is_lifetime, field.name if is_text else "")


def _write_head(name: str, about: str, kind: str) -> str:
    return f"# HELP {name} {about.replace(chr(92), chr(92) * 2)}\n# TYPE {name} {kind}\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


_METRICS: Final = {
    measurement.name: {
        field.name: _make_metric(measurement, field) for field in measurement.fields if field.name not in _FREE_TEXT
    }
    for measurement in _SHOWN
}
"""Measurement → field → metric."""
_HEARD: Final = _write_head("envoy_up", "The gateway is heard.", "gauge")
_TROUBLES: Final = _write_head("envoy_logger_troubles", "What is wrong now, counted.", "gauge")


@dataclass(frozen=True, slots=True)
class _Samples:
    """Hold the lines of one series, by field, and what they were made of."""

    reading: Reading
    is_true_now: bool
    lines: Mapping[str, str]


class Metrics:
    """Writes the metrics of all gateways in the text format of Prometheus; a series anew only when it changes."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self._kept: dict[tuple[str, str, int], _Samples] = {}

    def answer(self) -> WebDocument:
        """Write every metric that has a value now."""
        return WebDocument("".join(self._list_lines(self._clock.time())).encode(), _TEXT)

    def _list_lines(self, now: float) -> Iterator[str]:
        sites = _name_sites(self._recorder.collectors)
        yield _HEARD
        for site, collector in sites:
            yield f'envoy_up{{site="{_escape(site)}"}} {float(collector.newest.is_heard(collector.site, now))!r}\n'
        yield f"{_TROUBLES}envoy_logger_troubles {float(len(self._recorder.changes.troubles))!r}\n"
        for measurement in _SHOWN:
            found = [
                self._write_series(measurement, site, number, reading, is_current(reading, collector.site, now))
                for site, collector in sites
                for number, reading in enumerate(collector.newest.list_of(measurement.name))
            ]
            for name, metric in _METRICS[measurement.name].items() if found else ():
                if lines := [each[name] for each in found if name in each]:
                    yield metric.head
                    yield from lines

    def _write_series(
        self, measurement: Measurement, site: str, number: int, reading: Reading, is_true_now: bool
    ) -> Mapping[str, str]:
        """Write the sample of each field of a series; a value that is too old to be true gets no line."""
        place = site, measurement.name, number
        known = self._kept.get(place)
        if known is None or known.reading is not reading or known.is_true_now != is_true_now:
            labelled = (*measurement.tags, *(_LAYOUT if measurement.has_layout else ()))
            labels = ",".join([f'site="{_escape(site)}"', *(_write_label(name, reading) for name in labelled)])
            metrics = _METRICS[measurement.name]
            lines = {
                name: metric.write(labels, value)
                for name, value in reading.fields.items()
                if (metric := metrics.get(name)) is not None and (is_true_now or metric.is_lasting)
            }
            known = self._kept[place] = _Samples(reading, is_true_now, lines)
        return known.lines


def _write_label(name: str, reading: Reading) -> str:
    return f'{name}="{_escape(reading.tags.get(name, ""))}"'


def _name_sites(collectors: Sequence[Collector]) -> list[tuple[str, Collector]]:
    """Return each gateway with its label: the site's name, else its number from 1 on, never its serial."""
    names = [collector.site.name for collector in collectors]
    return [
        (name if name and names.count(name) == 1 else f"{name} {number}".strip(), collector)
        for number, (name, collector) in enumerate(zip(names, collectors, strict=True), start=1)
    ]
