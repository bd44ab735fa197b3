"""Holds the answers to `init` that were given as options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from logger.model import ROLES, Role


@dataclass(frozen=True, slots=True)
class Answers:
    """The options of `init`. The secret of an option `--NAME-file` is called NAME.

    An option that was not given is None or empty. Retentions are in seconds.
    """

    add: bool = False
    gateway: str = ""
    serial: str = ""
    fingerprint: str = ""
    no_search: bool = False
    interfaces: tuple[str, ...] = ()
    account: str = ""
    password: str | None = None
    token: str | None = None
    local_user: str = ""
    local_password: str | None = None
    no_sign_in: bool = False
    influxdb_url: str = ""
    org: str = ""
    bucket: str = ""
    bucket_devices: str = ""
    bucket_daily: str = ""
    retention: int | None = None
    retention_devices: int | None = None
    retention_daily: int | None = None
    admin_user: str = ""
    admin_password: str | None = None
    admin_token: str | None = None
    keep_admin_token: Path | None = None
    read_token_file: Path | None = None
    influxdb_token: str | None = None
    influxdb_user: str = ""
    influxdb_password: str | None = None
    site: str | None = None
    timezone: str | None = None
    state_dir: str | None = None

    @property
    def about_gateway(self) -> bool:
        """Return True if at least one option gives the address, the serial or the fingerprint of the gateway."""
        return bool(self.gateway or self.serial or self.fingerprint)

    @property
    def about_sign_in(self) -> bool:
        """Return True if at least one option for the sign-in was given."""
        given = (self.account, self.password, self.token, self.local_user, self.local_password)
        return any(given) or self.no_sign_in

    @property
    def about_influxdb(self) -> bool:
        """Return True if at least one option for InfluxDB was given."""
        named = any((self.influxdb_url, self.org, *self.buckets.values()))
        return named or self.has_influxdb_credentials or any(s is not None for s in self.retentions.values())

    @property
    def about_all_gateways(self) -> bool:
        """Return True if at least one option for the whole recorder was given, such as the state folder."""
        files = (self.keep_admin_token, self.read_token_file, self.state_dir)
        return self.about_influxdb or any(given is not None for given in files)

    @property
    def has_influxdb_credentials(self) -> bool:
        """Return True if at least one option gives credentials for InfluxDB."""
        own = (self.influxdb_token, self.influxdb_user, self.influxdb_password)
        return any((*own, self.admin_token, self.admin_user, self.admin_password))

    @property
    def buckets(self) -> dict[Role, str]:
        """Return role → bucket. The bucket is empty if no option names it."""
        return dict(zip(ROLES, (self.bucket, self.bucket_devices, self.bucket_daily), strict=True))

    @property
    def retentions(self) -> dict[Role, int | None]:
        """Return role → retention of the role's bucket, in seconds."""
        spans = (self.retention, self.retention_devices, self.retention_daily)
        return dict(zip(ROLES, spans, strict=True))

    def without_influxdb_server(self) -> Answers:
        """Return the answers without InfluxDB's address and credentials, so that a person is asked for both again."""
        return replace(
            self, influxdb_url="", influxdb_token=None, influxdb_user="", influxdb_password=None,
            admin_token=None, admin_user="", admin_password=None,
        )  # fmt: skip
