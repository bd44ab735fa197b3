"""Find misspelt variables: warn with the right name, and report a misnamed INFLUXDB_URL as a problem."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from logger.errors import Problem
from logger.settings.definitions import KNOWN_NAMES

_KUBERNETES: Final = re.compile(r".*_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)")
_IMAGE: Final = re.compile(
    r"INFLUXDB_(ADMIN_|USER$|USER_|READ_USER|WRITE_USER|DB$|HTTP_|DATA_|META_|REPORTING_|"
    r"COORDINATOR_|RETENTION_|CONTINUOUS_|CONFIG|INIT_|LOGGING_|MONITOR_|SUBSCRIBER_|BIND_ADDRESS|CREATE_USER_|"
    r"GRAPHITE_|COLLECTD_|OPENTSDB_|UDP_|TLS_)\w*"
)
"""The variables of InfluxDB's own container image, which cause no warning in the recorder's environment."""
_OURS: Final = ("ENPHASE_", "INFLUXDB_", "LOGGER_")
_NEAR: Final = re.compile(
    r"(INFLUX_|INFLUXDB2_|INFLUXDB_V2_|ENVOY_|ENPHASE_|INFLUXDB_|LOGGER_|MQTT_|ENVOY_LOGGER_)\w+"
)
_URL_LIKE: Final = re.compile(
    r"(?!INFLUXDB_URL$)(INFLUX|INFLUXDB|INFLUXDB2|INFLUXDB_V2|INFLUX_DB)_?"
    r"(URL|URI|HOST|HOSTNAME|ADDRESS|ADDR|SERVER|ENDPOINT)"
)
_MEANT: Final = (
    (_URL_LIKE, "INFLUXDB_URL"),
    (re.compile(r"ENVOY_(HOST|URL|IP|ADDRESS)"), "ENPHASE_GATEWAY"),
    (re.compile(r"MQTT_USER"), "MQTT_USERNAME"),
    (re.compile(r"(?:INFLUXDB2|INFLUXDB_V2|INFLUX)_(\w+)"), r"INFLUXDB_\1"),
    (re.compile(r"ENVOY_LOGGER_(\w+)"), r"LOGGER_\1"),
    (re.compile(r"ENVOY_(\w+)"), r"ENPHASE_\1"),
)
"""Pattern of a name that other programs use → the setting that is meant.

A right side with `\\1` keeps the rest of the name. So its result may be no setting, but only be similar to one.
"""


def warn_of_strangers(names: Iterable[str]) -> list[str]:
    """Return a warning for each variable that looks like a setting of this program, but is none.

    Its name is similar to a setting, or begins with ENPHASE_, INFLUXDB_ or LOGGER_.
    """
    warnings = []
    for name in sorted(names):
        if name in KNOWN_NAMES or not _NEAR.fullmatch(name) or _KUBERNETES.fullmatch(name) or _IMAGE.fullmatch(name):
            continue
        if guess := _guess(name):
            warnings.append(f"{name} is not a setting: did you mean {guess}?")
        elif name.startswith(_OURS):
            warnings.append(f"{name} is not a setting and is ignored")
    return warnings


def _guess(name: str) -> str:
    """Return the setting that was probably meant; empty without a similar setting."""
    meant = next((form.sub(ours, name) for form, ours in _MEANT if form.fullmatch(name)), name)
    return next(iter(difflib.get_close_matches(meant, KNOWN_NAMES, n=1, cutoff=0.8)), "")


def find_misnamed_url(names: Iterable[str]) -> list[Problem]:
    """Return a problem for each variable whose name means the database's address and is not INFLUXDB_URL."""
    return [
        Problem(
            name,
            "environment or .env",
            "is set, but this program reads INFLUXDB_URL",
            f"rename {name} to INFLUXDB_URL (as http://host:8086), or remove it.",
        )
        for name in sorted(names)
        if _URL_LIKE.fullmatch(name)
    ]
