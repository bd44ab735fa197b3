"""Convert settings into the plain values that gateway, InfluxDB and recorder work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from logger.gateway.access import Access
from logger.influx.dialects import Target
from logger.settings.environment import find_system_zone
from logger.settings.load import Settings, reread_settings
from logger.site import Site


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One gateway to record: its access data, a function that reads the access data again, and its site."""

    access: Access
    reread: Callable[[], Access]
    site: Site


def gateways_of(settings: Settings) -> tuple[GatewayConfig, ...]:
    """List the gateways in the settings; at present exactly one."""
    access = access_of(settings)
    return (GatewayConfig(access, lambda: access_of(reread_settings(settings)), site_of(settings)),)


def access_of(settings: Settings) -> Access:
    """Return address, credentials and TLS options of the gateway."""
    enphase, recorder = settings.enphase, settings.recorder
    return Access(
        address=enphase.gateway,
        expected_serial=enphase.serial,
        token=enphase.token.get_secret_value(),
        username=enphase.username,
        password=enphase.password.get_secret_value(),
        local_username=enphase.local_username,
        local_password=enphase.local_password.get_secret_value(),
        login_url=enphase.login_url,
        token_url=enphase.token_url,
        tls=recorder.tls,
        ca_file=recorder.tls_ca_file,
        state_dir=settings.state_dir,
        fixed=settings.is_fixed("ENPHASE_TOKEN", "ENPHASE_PASSWORD"),
    )


def target_of(settings: Settings) -> Target | None:
    """Return address, credentials and buckets of InfluxDB; None if no URL is set."""
    influxdb = settings.influxdb
    if not influxdb.url:
        return None
    return Target(
        url=influxdb.url,
        api=influxdb.api,
        token=influxdb.token.get_secret_value(),
        org=influxdb.org,
        username=influxdb.username,
        password=influxdb.password.get_secret_value(),
        buckets=influxdb.buckets,
    )


def read_target_of(settings: Settings, token: str = "") -> Target | None:
    """Return InfluxDB with a token to read it: the given one, else INFLUXDB_READ_TOKEN, else the write token."""
    target = target_of(settings)
    token = token or settings.influxdb.read_token.get_secret_value()
    return replace(target, token=token) if target is not None and token else target


def site_of(settings: Settings) -> Site:
    """Return the site behind the gateway."""
    recorder = settings.recorder
    return Site(
        name=recorder.site,
        zone=recorder.timezone,
        system_zone=find_system_zone(),
        max_w=recorder.site_max_w,
        totals_s=recorder.totals_interval_s,
        devices_s=recorder.devices_interval_s,
        layout_file=recorder.layout_file,
        tariff_file=recorder.tariff_file,
        panel_alert_percent=recorder.panel_alert_percent,
    )
