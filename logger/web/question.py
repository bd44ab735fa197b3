"""Holds one request to the JSON API, and the values with which the answers begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from logger import __version__
from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.errors import EnvoyLoggerError
from logger.model import Json, Reading, Value, round_value
from logger.query.named_query import Scope
from logger.web.shown_sites import ShownSite


class QuestionError(EnvoyLoggerError):
    """The request to the API makes no sense."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the API: its site, its parameters, the recorder, and all sites of the recorder."""

    site: ShownSite
    parameters: Mapping[str, str]
    recorder: Recorder
    clock: Clock
    sites: tuple[ShownSite, ...] = ()


def head_of(site: ShownSite, scope: Scope) -> dict[str, Json]:
    """Return the values with which every answer about a site begins."""
    return {"site": site.number, "name": site.name, "zone": scope.zone.key, "version": __version__}


def fields_of(reading: Reading | None) -> dict[str, Value]:
    """Return the fields of a reading, rounded; empty without a reading."""
    return {} if reading is None else round_all(reading.fields)


def round_all(fields: Mapping[str, Value]) -> dict[str, Value]:
    """Return fields rounded as they are written to InfluxDB."""
    return {name: round_value(name, value) for name, value in fields.items()}


def tags_of(reading: Reading, *names: str) -> dict[str, str]:
    """Return a reading's tags with the names in `names`."""
    return {name: reading.tags[name] for name in names if name in reading.tags}
