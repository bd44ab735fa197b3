"""Find settings that contradict each other.

Warn of values that are not read, and of values that other programs read differently.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from logger.errors import Problem
from logger.settings.definitions import DESCRIPTIONS
from logger.settings.gateways_file import SETTING as GATEWAYS_FILE
from logger.settings.value_sources import Inputs

if TYPE_CHECKING:
    from logger.settings.load import Settings

# fmt: off
_RULES: Final[tuple[tuple[str, Callable[[Settings], bool], str, str], ...]] = (
    ("ENPHASE_PASSWORD", lambda s: bool(s.enphase.username) != bool(s.enphase.password),
     "user and password are needed together, and one of them is missing",
     "set both ENPHASE_USERNAME and ENPHASE_PASSWORD (or ENPHASE_PASSWORD_FILE)."),
    ("INFLUXDB_PASSWORD", lambda s: bool(s.influxdb.username) != bool(s.influxdb.password),
     "user and password are needed together, and one of them is missing",
     "set both INFLUXDB_USERNAME and INFLUXDB_PASSWORD (or INFLUXDB_PASSWORD_FILE)."),
    ("INFLUXDB_TOKEN", lambda s: bool(s.influxdb.token) and bool(s.influxdb.username),
     "a token (2.x, 3.x) and a user (1.x) are both set",
     "remove the one that your InfluxDB does not use."),
    ("INFLUXDB_ORG", lambda s: s.influxdb.api == "2" and bool(s.influxdb.token) and not s.influxdb.org,
     "InfluxDB 2 needs an organisation",
     "set INFLUXDB_ORG to the organisation's name."),
    ("MQTT_PASSWORD", lambda s: bool(s.mqtt.password) and not s.mqtt.username,
     "a password is set without a user",
     "set MQTT_USERNAME."),
    ("MQTT_URL", lambda s: bool(s.mqtt.url) and find_spec("paho") is None,
     "needs the package paho-mqtt, which is not installed",
     "install it where envoy-logger is: pip install 'envoy-logger[mqtt]'"),
    ("MQTT_CA_FILE", lambda s: bool(s.mqtt.ca_file) and _is_no_ca(s.mqtt.ca_file),
     "this file is missing or contains no certificate in PEM form",
     "give the path of the CA's certificate in PEM form."),
    ("LOGGER_DEVICES_INTERVAL_S", lambda s: s.recorder.devices_interval_s % s.recorder.totals_interval_s != 0,
     "is not a multiple of LOGGER_TOTALS_INTERVAL_S",
     "choose for example 60 and 300."),
    ("LOGGER_TLS_CA_FILE", lambda s: s.recorder.tls == "verify" and _is_no_ca(s.recorder.tls_ca_file),
     "this file is missing or contains no certificate in PEM form",
     "give the path of the CA's certificate in PEM form."),
)
"""The rules: for each the variable to name, the test for a contradiction, the message, and the fix."""
# fmt: on
_PASSED: Final = (
    " systemd passed this service no credentials: its unit needs the line "
    "LoadCredential=envoy_logger:/etc/envoy-logger/credentials, and the folder the secret. In a container, "
    "turn nesting on (LXC), or run: mount --make-rshared /"
)
"""What a fix also says if a secret is missing, and systemd started the service but passed no credentials."""


def _has_credentials(variables: Mapping[str, str]) -> bool:
    """Return True if systemd passed a folder with at least one secret that this service can see.

    In some containers the folder exists but is empty, or the service may not read it.
    """
    try:
        return bool(os.listdir(variables["CREDENTIALS_DIRECTORY"]))
    except (KeyError, OSError):
        return False


def find_contradictions(settings: Settings, inputs: Inputs) -> list[Problem]:
    """Return a problem for each violated rule.

    A value that could not be read already has a problem, and gets no second problem.
    """
    told = {problem.setting for problem in inputs.problems} | inputs.hidden
    is_without = "NOTIFY_SOCKET" in inputs.variables and not _has_credentials(inputs.variables)
    found = [
        Problem(name, settings.origins.get(name, "not set"), message, fix + (_PASSED if is_without else ""))
        for name, is_broken, message, fix in _RULES
        if name not in told and is_broken(settings)
    ]
    told |= {problem.setting for problem in found}
    return found + [
        Problem(name, each.origins.get(name, each.origins["ENPHASE_GATEWAY"]), message, fix)
        for each in settings.listed or ()
        for name, is_broken, message, fix in _RULES
        if name not in told and is_broken(each)
    ]


def _is_no_ca(path: str) -> bool:
    """Return True if the file is missing or contains no certificate in PEM form. False for an empty path."""
    if not path:
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:  # ssl.SSLError is an OSError
        return True
    return False


def warn_of_secrets(inputs: Inputs) -> Iterable[str]:
    """Yield a warning for each secret in `.env` that other programs read differently, and for unread secret files."""
    for name in (item.variable for item in DESCRIPTIONS if item.secret):
        origin, env_file = inputs.origins.get(name), str(inputs.env_file)
        if origin == env_file and any(c in inputs.dotenv[name] for c in " $#\\'\"`"):
            yield (
                f"{name} in {env_file} contains a character that dotenv, compose and systemd read differently. "
                f"Try: put it into a file and set {name}_FILE"
            )
        if origin in ("environment", env_file) and any(values.get(f"{name}_FILE") for values, _ in inputs.layers):
            yield f"{name} and {name}_FILE are both set, so the file is not read"


def warn_of_unread(inputs: Inputs) -> Iterable[str]:
    """Yield a warning for settings that a gateways file replaces, and for LOGGER_SHARD without a gateways file."""
    if GATEWAYS_FILE in inputs.origins:
        for name in ("ENPHASE_GATEWAY", "ENPHASE_SERIAL"):
            if name in inputs.origins:
                yield f"{name} and {GATEWAYS_FILE} are both set, so {name} is not read"
    elif "LOGGER_SHARD" in inputs.origins:
        yield f"LOGGER_SHARD is set without {GATEWAYS_FILE}, so it has no effect"
