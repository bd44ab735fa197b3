"""What is wrong between settings that are each right alone."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from logger.errors import Problem

if TYPE_CHECKING:
    from logger.settings.load import Settings

Rule: TypeAlias = "tuple[Callable[[Settings], bool], str, str, str]"
"""Whether it is broken, the setting to name, what is wrong, what to do."""


def _is_no_ca(path: str) -> bool:
    """Whether the file holds no certificates that can be trusted."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:  # ssl.SSLError is one
        return True
    return False


_RULES: Final[tuple[Rule, ...]] = (
    (
        lambda found: bool(found.enphase.username) != bool(found.enphase.password),
        "ENPHASE_PASSWORD",
        "user and password belong together and one of them is missing",
        "set both ENPHASE_USERNAME and ENPHASE_PASSWORD (or ENPHASE_PASSWORD_FILE).",
    ),
    (
        lambda found: bool(found.influxdb.username) != bool(found.influxdb.password),
        "INFLUXDB_PASSWORD",
        "user and password belong together and one of them is missing",
        "set both INFLUXDB_USERNAME and INFLUXDB_PASSWORD (or INFLUXDB_PASSWORD_FILE).",
    ),
    (
        lambda found: bool(found.influxdb.token) and bool(found.influxdb.username),
        "INFLUXDB_TOKEN",
        "a token (2.x, 3.x) and a user (1.x) are both set",
        "keep the one that your InfluxDB uses.",
    ),
    (
        lambda found: found.influxdb.api == "2" and bool(found.influxdb.token) and not found.influxdb.org,
        "INFLUXDB_ORG",
        "InfluxDB 2 needs an organisation",
        "set INFLUXDB_ORG to the organisation's name.",
    ),
    (
        lambda found: found.recorder.devices_interval_s % found.recorder.totals_interval_s != 0,
        "LOGGER_DEVICES_INTERVAL_S",
        "is not a multiple of LOGGER_TOTALS_INTERVAL_S",
        "choose for example 60 and 300.",
    ),
    (
        lambda found: (
            found.recorder.tls == "verify"
            and bool(found.recorder.tls_ca_file)
            and _is_no_ca(found.recorder.tls_ca_file)
        ),
        "LOGGER_TLS_CA_FILE",
        "there is no such file, or it holds no certificate in PEM form",
        "give the path of the CA's certificate in PEM form.",
    ),
)


def find_contradictions(settings: Settings) -> list[Problem]:
    """A problem for each rule that these settings break."""
    return [
        Problem(name, settings.origins.get(name, "not set"), message, fix)
        for is_broken, name, message, fix in _RULES
        if is_broken(settings)
    ]
