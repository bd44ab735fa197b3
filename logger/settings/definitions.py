"""Every setting: its name, its default, its check, and what it is for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from logger.model import ROLES, Role


def _url(value: str) -> str:
    parts = urlsplit(value)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9._:%-]+", parts.hostname or ""):
        raise ValueError("is not an http:// or https:// address")
    if parts.query or parts.fragment:
        raise ValueError("has a part behind ? or #, which an address does not need")
    if parts.username or parts.password:
        raise ValueError("carries a user or password; they have settings of their own")
    return value.rstrip("/")


def gateway_address(value: str) -> str:
    """The address itself if a gateway can be reached by it: host, host:port or http(s)://host; else ValueError."""
    if not value:
        return value
    place = value.partition("://")[2] or value
    if place.count(":") > 1 and not place.startswith("["):
        raise ValueError("is an IPv6 address without brackets, such as [fe80::1%eth0]")
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
    except ValueError:
        raise ValueError("is not a host, host:port or http(s)://host") from None
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if not parts.hostname or parts.scheme not in ("", "http", "https") or parts.path.strip("/") or parts.query:
        raise ValueError("is not a host, host:port or http(s)://host")
    if parts.username or parts.password:
        raise ValueError("carries a user or password; they have settings of their own")
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-f:]+(%\w+)?", parts.hostname):
        raise ValueError("is not a host, host:port or http(s)://host")
    return value.rstrip("/")


def _path(value: str) -> str:
    if value.startswith("~") and os.path.expanduser(value).startswith("~"):
        raise ValueError("begins with ~, and this user has no such home folder")
    return value


def _serial(value: str) -> str:
    if value and not re.fullmatch(r"\d{10,16}", value):
        raise ValueError("is not a serial number of digits")
    return value


def iana_zone(value: str) -> str:
    """The name itself if it is a zone of the IANA database, or empty; else ValueError."""
    if value:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database, such as Europe/Paris") from None
    return value


def _bucket(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("is empty, begins or ends with a space, or holds a control character")
    if value.startswith("_") or any(c in value for c in '"\\'):
        raise ValueError("is not a bucket's name: it begins with _, or holds \" or a backslash")
    parts = value.split("/")
    if len(parts) > 2 or "" in parts:
        raise ValueError("is neither a name nor database/retention-policy")
    return value


def _line(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise ValueError("begins or ends with a space, or holds a control character")
    return value


def _gateway_token(value: SecretStr) -> SecretStr:
    """The form alone; whose it is and until when it lasts is seen where it is used."""
    parts = value.get_secret_value().strip().split(".")
    if value and (len(parts) != 3 or not all(re.fullmatch(r"[\w-]+", part, re.ASCII) for part in parts)):
        raise ValueError("is not a token: a token is three parts separated by dots, and nothing else")
    return value


def _influx_token(value: SecretStr) -> SecretStr:
    if value and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
        raise ValueError("is not a token: it holds a space, a line break or a letter that no token has")
    return value


Url = Annotated[str, AfterValidator(_url)]
Bucket = Annotated[str, AfterValidator(_bucket)]
InfluxToken = Annotated[SecretStr, AfterValidator(_influx_token)]


class Group(BaseSettings):
    """One prefix's settings; frozen."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands in: it has gathered every source and knows where each value came from."""
        return (init_settings,)


class Enphase(Group):
    """The gateway and the account at Enphase."""

    model_config = SettingsConfigDict(env_prefix="ENPHASE_")

    gateway: Annotated[str, AfterValidator(gateway_address)] = Field(
        "",
        description="The gateway on your network: host, host:port or URL. Required by `run`.",
        examples=["192.168.1.50"],
    )
    serial: Annotated[str, AfterValidator(_serial)] = Field(
        "",
        description="Its serial number. Read from the gateway if empty; if given, another gateway is refused.",
    )
    username: str = Field("", description="E-mail of your Enphase account (firmware 7 and later).")
    password: SecretStr = Field(SecretStr(""), description="Password of your Enphase account.")
    token: Annotated[SecretStr, AfterValidator(_gateway_token)] = Field(
        SecretStr(""), description="A token pasted from entrez.enphaseenergy.com, instead of the account."
    )
    local_username: str = Field("envoy", description="User for gateways before version 7.")
    local_password: SecretStr = Field(
        SecretStr(""), description="Its password. The last six characters of the serial number if empty."
    )
    login_url: Url = Field(
        "https://enlighten.enphaseenergy.com/login/login.json", description="Where to sign in at Enphase."
    )
    token_url: Url = Field(
        "https://entrez.enphaseenergy.com/tokens", description="Where to fetch the gateway's token."
    )


class Influxdb(Group):
    """The database."""

    model_config = SettingsConfigDict(env_prefix="INFLUXDB_")

    url: Annotated[str, AfterValidator(lambda value: _url(value) if value else value)] = Field(
        "",
        description="Address of InfluxDB. Empty: everything is kept in the embedded store.",
        examples=["http://localhost:8086"],
    )
    api: Literal["auto", "1", "2", "3"] = Field("auto", description="Its generation: auto, 1, 2 or 3.")
    token: InfluxToken = Field(SecretStr(""), description="Token that may write to the buckets (2.x, 3.x).")
    org: Annotated[str, AfterValidator(_line)] = Field("", description="Organisation (2.x).")
    username: str = Field("", description="User (1.x with authentication).")
    password: SecretStr = Field(SecretStr(""), description="Its password (1.x).")
    admin_token: InfluxToken = Field(
        SecretStr(""), description="Token that may create buckets and tokens; used by `setup` alone."
    )
    read_token: InfluxToken = Field(
        SecretStr(""),
        description="Token that may read the buckets (2.x, 3.x); used by `backfill` and `doctor` alone.",
    )
    bucket: Bucket = Field(
        "envoy", description="Gateway totals, every minute. On 1.x: database or database/retention-policy."
    )
    bucket_devices: Bucket = Field("envoy_devices", description="Inverters and batteries, every five minutes.")
    bucket_daily: Bucket = Field("envoy_daily", description="One row a day.")

    @property
    def buckets(self) -> dict[Role, str]:
        """The bucket of each role."""
        return dict(zip(ROLES, (self.bucket, self.bucket_devices, self.bucket_daily), strict=True))


class Recorder(Group):
    """The recorder itself."""

    model_config = SettingsConfigDict(env_prefix="LOGGER_")

    state_dir: Annotated[str, AfterValidator(_path)] = Field(
        "",
        description="Folder for the store, token and certificate pin. Empty: $STATE_DIRECTORY, "
        "/var/lib/envoy-logger if it exists, else ~/.local/state/envoy-logger.",
    )
    site: Annotated[str, AfterValidator(_line)] = Field(
        "", description="A name for the site, written as a tag on every point."
    )
    totals_interval_s: int = Field(60, ge=15, le=3600, description="Seconds between gateway totals; at least 15.")
    devices_interval_s: int = Field(
        300, ge=60, le=3600, description="Seconds between inverter and battery readings; at least 60."
    )
    timezone: Annotated[str, AfterValidator(iana_zone)] = Field(
        "", description="The site's time zone, such as Europe/Paris. Empty: the gateway's, else the system's."
    )
    tls: Literal["pin", "pin-strict", "verify", "off"] = Field(
        "pin", description="How the gateway's certificate is checked: pin, pin-strict, verify or off."
    )
    tls_ca_file: str = Field("", description="CA file for LOGGER_TLS=verify.")
    site_max_w: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The most power, in W, that the site can have; faster rises of a counter are "
        "held back. Empty: 25 kW a phase, or 500 W an inverter if that is more.",
    )
    layout_file: Annotated[str, AfterValidator(_path)] = Field(
        "",
        description="CSV or TOML file that names the panels: serial, panel, group, row, column and any further tag. "
        "Read again when it changes. `devices --layout` prints one to begin with.",
    )
    panel_alert_percent: float = Field(
        80.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A panel that stays below this percentage of its group's median for three sunny days is told of "
        "as an event. 0: never.",
    )
    keep_days: int = Field(30, ge=0, le=3650, description="Days that delivered rows stay in the store.")
    store_max_mb: int = Field(
        2048, ge=16, le=4_000_000, description="The most that the store may take on disk, in MB."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")
    log_format: Literal["text", "json"] = Field("text", description="text, or json: one object a line.")


GROUPS: tuple[type[Group], ...] = (Enphase, Influxdb, Recorder)


@dataclass(frozen=True, slots=True)
class Description:
    """One setting for people: variable, default as text, help, whether it is a secret, an example."""

    variable: str
    default: str
    help: str
    secret: bool
    example: str
    group: str


def variable(group: type[Group], name: str) -> str:
    """The environment variable of a field."""
    return f"{group.model_config.get('env_prefix', '')}{name}".upper()


def describe() -> list[Description]:
    """Every setting in order; `.env.example`, the README's table and `check --show` come from here."""
    found = []
    for group in GROUPS:
        for name, field in group.model_fields.items():
            secret = field.annotation is SecretStr
            default = "" if secret or field.default is None else str(field.default)
            example = str(field.examples[0]) if field.examples else default
            found.append(
                Description(
                    variable(group, name),
                    default,
                    field.description or "",
                    secret,
                    example,
                    (group.__doc__ or "").rstrip("."),
                )
            )
    return found


def known_names() -> frozenset[str]:
    """Every variable that is read, the `_FILE` forms of the secrets included."""
    return frozenset(
        name
        for item in describe()
        for name in ([item.variable, f"{item.variable}_FILE"] if item.secret else [item.variable])
    )
