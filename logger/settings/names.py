"""Names that look like settings and are none: said with the right one, and never an error but in one case."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from logger.errors import Problem
from logger.settings.definitions import known_names

_KUBERNETES = re.compile(r".*_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)")
_IMAGE = re.compile(
    r"INFLUXDB_(ADMIN_|USER$|USER_|READ_USER|WRITE_USER|DB$|HTTP_|DATA_|META_|REPORTING_|"
    r"COORDINATOR_|RETENTION_|CONTINUOUS_|CONFIG|INIT_|LOGGING_|MONITOR_|SUBSCRIBER_|BIND_ADDRESS|CREATE_USER_|"
    r"GRAPHITE_|COLLECTD_|OPENTSDB_|UDP_|TLS_)\w*"
)
_NEAR = re.compile(r"(INFLUX_|INFLUXDB2_|INFLUXDB_V2_|ENVOY_|ENPHASE_|INFLUXDB_|LOGGER_|ENVOY_LOGGER_)\w+")
_URL_LIKE = re.compile(
    r"(INFLUX|INFLUXDB|INFLUXDB2|INFLUXDB_V2|INFLUX_DB)_?(URL|URI|HOST|HOSTNAME|ADDRESS|ADDR|SERVER|ENDPOINT)"
)


def strangers(names: Iterable[str]) -> list[str]:
    """A warning for each variable that looks like one of ours and is not."""
    known = known_names()
    said = []
    for name in sorted(names):
        if name in known or not _NEAR.fullmatch(name) or _KUBERNETES.fullmatch(name) or _IMAGE.fullmatch(name):
            continue
        guess = _nearest(name, known)
        if guess is None and not name.startswith(("ENPHASE_", "INFLUXDB_", "LOGGER_")):
            continue
        said.append(f"{name} is not a setting" + (f": did you mean {guess}?" if guess else " and is ignored"))
    return said


def _nearest(name: str, known: frozenset[str]) -> str | None:
    if _URL_LIKE.fullmatch(name):
        return "INFLUXDB_URL"
    changed = re.sub(r"^(INFLUXDB2|INFLUXDB_V2|INFLUX)_", "INFLUXDB_", name)
    changed = re.sub(r"^ENVOY_LOGGER_", "LOGGER_", changed)
    changed = re.sub(r"^ENVOY_(HOST|URL|IP|ADDRESS)$", "ENPHASE_GATEWAY", changed)
    changed = re.sub(r"^ENVOY_", "ENPHASE_", changed)
    matches = [changed] if changed in known else difflib.get_close_matches(changed, known, n=1, cutoff=0.8)
    return matches[0] if matches else None


def misnamed_url(names: Iterable[str]) -> list[Problem]:
    """The one case that stops: the database's address is set, but under a name that nobody reads."""
    return [
        Problem(
            name,
            "environment or .env",
            "is set, but this program reads INFLUXDB_URL",
            f"rename {name} to INFLUXDB_URL (as http://host:8086), or remove it.",
        )
        for name in sorted(names)
        if _URL_LIKE.fullmatch(name) and name != "INFLUXDB_URL"
    ]
