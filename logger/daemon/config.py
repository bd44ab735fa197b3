"""Convert settings into the plain values that the code for the gateway, InfluxDB and the recorder works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from logger.clock import Clock
from logger.gateway.access import Access
from logger.influx.dialects import Target
from logger.settings.environment import find_system_zone
from logger.settings.load import Settings, reread_settings
from logger.settings.shards import choose_groups, spread
from logger.site import Site

FEW: Final = 4
"""Up to this many gateways are all polled exactly at the tick.

If there are more gateways, all polls are spread over the time between two ticks.
"""
_FRESH_S: Final = 10.0
"""Seconds for which every gateway uses the settings that were read last, before the settings are read again."""


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One gateway to record: its site and its access data. `reread` returns the newest access data."""

    access: Access
    reread: Callable[[], Access]
    site: Site


def gateways_of(settings: Settings, clock: Clock) -> tuple[GatewayConfig, ...]:
    """List the gateways to record, each with its site and the delay of its polls after each tick."""
    newest = _NewestSettings(settings, clock)
    sites = [site_of(each) for each in settings.gateways]
    if len(sites) > FEW:
        keys = [each.enphase.serial or each.enphase.gateway for each in settings.gateways]
        groups = choose_groups(dict(zip(keys, (site.name for site in sites), strict=True)))
        sites = [
            replace(site, offset_s=spread(groups[key], site.totals_s)) for key, site in zip(keys, sites, strict=True)
        ]
    return tuple(
        GatewayConfig(access_of(each), partial(newest.find_access, access_of(each)), site)
        for each, site in zip(settings.gateways, sites, strict=True)
    )


class _NewestSettings:
    """The settings that were last read.

    All gateways use these settings for 10 s before the files are read again.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._read_at = clock.monotonic()
        self._by_host = {access.host: access for access in map(access_of, settings.gateways)}

    def find_access(self, known: Access) -> Access:
        """Return the access data of a gateway from the newest settings.

        If these settings no longer list the gateway, return `known`.
        """
        if self._clock.monotonic() - self._read_at >= _FRESH_S:
            self._read_at = self._clock.monotonic()
            self._settings = reread_settings(self._settings)
            self._by_host = {access.host: access for access in map(access_of, self._settings.gateways)}
        return self._by_host.get(known.host, known)


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
        sharing=settings.sharing,
        pasted_as=settings.pasted_as,
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
    """Return the InfluxDB target with a token that may read.

    The given token is used, else INFLUXDB_READ_TOKEN, else the write token.
    """
    target = target_of(settings)
    token = token or settings.influxdb.read_token.get_secret_value()
    return replace(target, token=token) if target is not None and token else target


def site_of(settings: Settings) -> Site:
    """Return the site of the gateway."""
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
