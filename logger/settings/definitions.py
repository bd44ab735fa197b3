"""Define every setting: name, default, check and description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from logger.model import ROLES, Role
from logger.settings.value_sources import SOURCES, Inputs, is_secret, variable_of
from logger.settings.value_types import (
    Bucket,
    FilePath,
    GatewayAddress,
    GatewayToken,
    HostNames,
    InfluxToken,
    Line,
    ListenAddress,
    MqttUrl,
    Serial,
    Shard,
    TopicName,
    Url,
    Zone,
)


class Group(BaseSettings):
    """Base class of the groups of settings, one group for each prefix of variables. The values do not change."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs=inputs)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return this program's sources, which read the given inputs, in place of pydantic-settings' own sources."""
        inputs: Inputs = init_settings()["inputs"]
        return tuple(source(settings_cls, inputs) for source in SOURCES)


class Enphase(Group):
    """The settings of the gateway and of the account at Enphase."""

    model_config = SettingsConfigDict(env_prefix="ENPHASE_")

    gateway: GatewayAddress = Field(
        "",
        description="The gateway on your network: host, host:port or URL. Required without ENPHASE_GATEWAYS_FILE.",
        examples=["192.168.1.50"],
    )
    serial: Serial = Field(
        "",
        description="Serial number of the gateway. A gateway with another serial is refused. Empty: any gateway.",
    )
    gateways_file: FilePath = Field(
        "",
        description="TOML file that lists several gateways, instead of ENPHASE_GATEWAY: docs/several-gateways.md.",
    )
    username: str = Field("", description="E-mail of your Enphase account (firmware 7 and later).")
    password: SecretStr = Field(SecretStr(""), description="Password of your Enphase account.")
    token: GatewayToken = Field(
        SecretStr(""), description="A token pasted from entrez.enphaseenergy.com, instead of the account."
    )
    local_username: str = Field("envoy", description="User at gateways with firmware before 7.")
    local_password: SecretStr = Field(
        SecretStr(""), description="Password of ENPHASE_LOCAL_USERNAME. Empty: the last six characters of the serial."
    )
    login_url: Url = Field(
        "https://enlighten.enphaseenergy.com/login/login.json", description="URL of the sign-in at Enphase."
    )
    token_url: Url = Field(
        "https://entrez.enphaseenergy.com/tokens",
        description="URL at Enphase from which the recorder gets the gateway's token.",
    )


class Influxdb(Group):
    """The settings of InfluxDB."""

    model_config = SettingsConfigDict(env_prefix="INFLUXDB_")

    url: Url = Field(
        "",
        description="Address of InfluxDB. Empty: readings stay in the recorder's own store, up to "
        "LOGGER_STORE_MAX_MB.",
        examples=["http://localhost:8086"],
    )
    api: Literal["auto", "1", "2", "3"] = Field("auto", description="Generation of InfluxDB: auto, 1, 2 or 3.")
    token: InfluxToken = Field(SecretStr(""), description="Token that may write to the buckets (InfluxDB 2.x, 3.x).")
    org: Line = Field("", description="Organisation (2.x).")
    username: str = Field("", description="User (1.x with authentication).")
    password: SecretStr = Field(SecretStr(""), description="Password of INFLUXDB_USERNAME (1.x).")
    admin_token: InfluxToken = Field(
        SecretStr(""), description="Token that may create buckets and tokens; only `setup` and `init` use it."
    )
    read_token: InfluxToken = Field(
        SecretStr(""),
        description="Token that may read the buckets (InfluxDB 2.x, 3.x); only `query --influxdb`, `backfill` and "
        "`doctor` use it.",
    )
    bucket: Bucket = Field(
        "envoy",
        description="Bucket of totals, meters and events, every minute. On 1.x: database or "
        "database/retention-policy.",
    )
    bucket_devices: Bucket = Field(
        "envoy_devices", description="Bucket of inverters and batteries, every five minutes."
    )
    bucket_daily: Bucket = Field("envoy_daily", description="Bucket of days, months, years and hours.")

    @property
    def buckets(self) -> dict[Role, str]:
        """Return role → bucket."""
        return dict(zip(ROLES, (self.bucket, self.bucket_devices, self.bucket_daily), strict=True))


class Mqtt(Group):
    """The settings of the MQTT broker, for Home Assistant and other programs."""

    model_config = SettingsConfigDict(env_prefix="MQTT_")

    url: MqttUrl = Field(
        "",
        description="Address of the broker: mqtt://host, or mqtts://host with TLS. Empty: no MQTT.",
        examples=["mqtt://localhost:1883"],
    )
    username: str = Field("", description="User at the broker.")
    password: SecretStr = Field(SecretStr(""), description="Password of MQTT_USERNAME.")
    ca_file: FilePath = Field(
        "", description="File with the CA certificate of the broker, in PEM form. Empty: the system's CAs."
    )
    topic: TopicName = Field("envoy", description="First part of every topic.")
    discovery_prefix: TopicName = Field(
        "homeassistant", description="Prefix of Home Assistant's discovery. off: no discovery."
    )

    @property
    def prefix(self) -> str:
        """Return the prefix of Home Assistant's discovery topics on the broker; empty if discovery is off."""
        return "" if self.discovery_prefix == "off" else self.discovery_prefix


class RecorderSettings(Group):
    """The settings of the recorder itself."""

    model_config = SettingsConfigDict(env_prefix="LOGGER_")

    state_dir: FilePath = Field(
        "",
        description="Folder for the store, token and certificate pin. Empty: $STATE_DIRECTORY if it "
        "is set, else /var/lib/envoy-logger if this folder exists, else ~/.local/state/envoy-logger.",
    )
    site: Line = Field("", description="A name for the site, written as a tag on every point.")
    totals_interval_s: int = Field(
        60,
        ge=15,
        le=3600,
        description="Seconds between two readings of the site's totals from the gateway: 15 to 3600.",
    )
    devices_interval_s: int = Field(
        300,
        ge=60,
        le=3600,
        description="Seconds between two readings of the inverters and batteries: 60 to 3600, and a multiple of "
        "LOGGER_TOTALS_INTERVAL_S.",
    )
    timezone: Zone = Field(
        "",
        description="The site's time zone, such as Europe/Paris. "
        "Empty: the gateway's zone, else this machine's zone.",
    )
    tls: Literal["pin", "pin-strict", "verify", "off"] = Field(
        "pin", description="How the gateway's certificate is checked: pin, pin-strict, verify or off."
    )
    tls_ca_file: str = Field("", description="CA file for LOGGER_TLS=verify. Empty: the system's CAs.")
    site_max_w: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The greatest power of the site, in W. A counter that rises faster is "
        "not believed at first. Empty: 25 kW for each phase (three phases if their number is unknown), or 500 W "
        "for each inverter if that is more.",
    )
    layout_file: FilePath = Field(
        "",
        description="CSV or TOML file that names the panels: serial, panel, group, row, column and any further tag. "
        "The file is read again when it changes. `devices --layout` prints a file to fill in.",
    )
    tariff_file: FilePath = Field(
        "",
        description="TOML file with your prices for grid energy, by date and time of use: docs/tariffs.md. "
        "The file is read again when it changes. Empty: no costs are recorded.",
    )
    panel_alert_percent: float = Field(
        80.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A panel is weak if its energy of a day is below this percentage of the group's median energy. A "
        "panel that is weak on three sunny days in a row raises an event. 0: no panel is weak.",
    )
    http: ListenAddress = Field(
        "127.0.0.1:9817",
        description="Address of the page, the JSON API and the health checks, as host:port. Only this machine can "
        "reach the default; the whole network can reach 0.0.0.0:9817; off: no page is served.",
    )
    http_hosts: HostNames = Field(
        "",
        description="Further host names under which browsers may open the page, such as the name of a reverse proxy, "
        "with commas in between. IP addresses, localhost and this machine's own name need no entry here.",
    )
    http_password: SecretStr = Field(
        SecretStr(""), description="Password for the page, the API and the metrics. Empty: no password is needed."
    )
    keep_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days for which delivered readings stay in the store. Rows of days, months and years stay "
        "without limit.",
    )
    store_max_mb: int = Field(2048, ge=16, le=4_000_000, description="Greatest size of the store on disk, in MiB.")
    shard: Shard = Field(
        "",
        description="The part of ENPHASE_GATEWAYS_FILE that this recorder polls: 2/8 is the second of eight parts; "
        "pod/8 takes the number of the part from the pod's name in a Kubernetes StatefulSet. Empty: all gateways.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity of the logged lines: debug, info, warning or error."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of the log: text, or json with one object a line."
    )

    @property
    def http_address(self) -> tuple[str, int] | None:
        """Return host and port of the page; None if the page is not served."""
        if self.http == "off":
            return None
        host, _, port = self.http.rpartition(":")
        return host.strip("[]"), int(port)


GROUPS: tuple[type[Group], ...] = (Enphase, Influxdb, RecorderSettings, Mqtt)


@dataclass(frozen=True, slots=True)
class Description:
    """Describe one setting for people. The default is a text, and empty for a secret."""

    variable: str
    default: str
    help: str
    secret: bool
    example: str
    group: str


def _describe(group: type[Group], name: str) -> Description:
    info = group.model_fields[name]
    default = "" if is_secret(info) or info.default is None else str(info.default)
    return Description(
        variable_of(group, name),
        default,
        info.description or "",
        is_secret(info),
        str(info.examples[0]) if info.examples else default,
        (group.__doc__ or "").rstrip("."),
    )


DESCRIPTIONS: Final = tuple(_describe(group, name) for group in GROUPS for name in group.model_fields)
"""Every setting in order: the source of `.env.example`, of the README's table and of `check --show`."""
KNOWN_NAMES: Final = frozenset(
    name for item in DESCRIPTIONS for name in (item.variable, *([f"{item.variable}_FILE"] if item.secret else []))
)
"""Every variable that is read, including the `_FILE` forms of the secrets."""
