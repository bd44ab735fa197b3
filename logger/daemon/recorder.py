"""Build the recorder: one collector for each gateway, one store, one shipper."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from logger import log
from logger.clock import Clock
from logger.control.api import StoreApi
from logger.daemon.amend import Keeper, StateApi, StoredState
from logger.daemon.claims import Claims
from logger.daemon.collector import Collector
from logger.daemon.config import GatewayConfig
from logger.daemon.events import PendingEvents
from logger.daemon.gateway_state import Change
from logger.daemon.influxdb_credentials import Credentials
from logger.daemon.news import News
from logger.daemon.progress import Progress
from logger.daemon.self_report import SelfReport
from logger.daemon.shipper import Shipped, Shipper
from logger.daemon.site_members import SiteMembers, SiteShare
from logger.daemon.store_looks import StoreLooks
from logger.gateway.client import Gateway
from logger.influx.write import Writer
from logger.model import Event, Json
from logger.site import Site
from logger.store.thread import StoreThread


@dataclass(frozen=True, slots=True)
class RecordedState:
    """The state of one gateway while a recorder runs.

    The collector of the gateway holds the state. If no collector records the gateway, the store holds the state.
    """

    stored: StoredState
    collectors: Sequence[Collector]
    between_ticks: asyncio.Lock

    @property
    def site(self) -> Site:
        """Return the site of this gateway."""
        return self._holder.site

    async def amend(self, change: Change) -> None:
        """Change the state while no collector commits a tick or recognises its gateway."""
        async with self.between_ticks:
            await self._holder.amend(change)

    @property
    def _holder(self) -> Keeper:
        return next((each for each in self.collectors if each.serial == self.stored.gateway), self.stored)


@dataclass(frozen=True, slots=True)
class Recorder:
    """The parts of a running recorder.

    `changes`: the present problems. `news` announces each tick, delivery and changed problem. `between_ticks`: the
    lock for changes of a state. `stopping` is set to end the recorder. `outlets`: name of an outlet (the page,
    MQTT) → the text that `status` shows for it, such as its address. `sites`: the sites that have several gateways.
    """

    store: StoreThread
    store_looks: StoreLooks
    gateways: tuple[Gateway, ...]
    collectors: tuple[Collector, ...]
    shipper: Shipper | None
    progress: Progress
    changes: log.Changes
    news: News
    between_ticks: asyncio.Lock
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    outlets: dict[str, Json] = field(default_factory=dict)
    sites: tuple[SiteMembers, ...] = ()

    def make_apis(self) -> tuple[StoreApi, StateApi]:
        """Make the objects whose methods a command can call in the running recorder."""
        return StoreApi(self.store, self.wake), StateApi(self.store, self.keeper_of, self.wake)

    def keeper_of(self, gateway: str) -> Keeper:
        """Return the object that holds the state of a gateway. `gateway`: its serial."""
        stored = StoredState(self.store, gateway, self._site_of(gateway))
        return RecordedState(stored, self.collectors, self.between_ticks)

    def _site_of(self, gateway: str) -> Site:
        """Return the site of a gateway.

        For a gateway that is not in the settings, return the first gateway's site.
        """
        sites = {each.expected_serial or each.serial: each.site for each in self.collectors}
        return sites.get(gateway) or next(iter(sites.values()), Site())

    def wake(self) -> None:
        """Wake the shipper, because the store has new rows to deliver."""
        if self.shipper is not None:
            self.shipper.wake()

    async def collect(self) -> None:
        """Poll every gateway until the recorder stops."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.stopping.wait())  # a shard may have no gateway
            for collector in self.collectors:
                tasks.create_task(collector.run())


def _group_sites(configs: Sequence[GatewayConfig]) -> dict[str, SiteMembers]:
    """Return the members of each site that has several gateways, by the name of the site."""
    names: dict[str, list[str]] = {}
    for config in configs:
        if config.site.name:
            names.setdefault(config.site.name, []).append(_name_of(config))
    return {site: SiteMembers(site, members) for site, members in names.items() if len(members) > 1}


def _name_of(config: GatewayConfig) -> str:
    return config.access.expected_serial or config.access.address


def build_recorder(
    configs: Sequence[GatewayConfig],
    store: StoreThread,
    clock: Clock,
    *,
    writer: Writer | None,
    credentials: Credentials | None,
    notify_address: str,
    changes: log.Changes,
    news: News,
    stopping: asyncio.Event,
    on_tick: Callable[[Collector], None] = lambda collector: None,
) -> Recorder:
    """Build the recorder of these gateways, and start no loop. Without a `writer` all readings stay in the store."""
    progress, shipped, between_ticks = Progress(clock, notify_address), Shipped(), asyncio.Lock()
    store_looks = StoreLooks(store, clock)
    gateways = [Gateway(config.access, clock, config.reread) for config in configs]
    events = [PendingEvents(gateway.take_events) for gateway in gateways]

    def record(gateway: str, event: Event) -> None:
        """Record an event about InfluxDB for the gateway whose points the event concerns."""
        holder = next((each for each in events if each.serial == gateway), next(iter(events), None))
        if holder is not None:
            holder.record(event)

    shipper = None
    if writer is not None:
        shipper = Shipper(
            writer,
            store,
            clock,
            progress,
            changes,
            shipped=shipped,
            credentials=credentials,
            record=record,
            on_delivered=news.announce,
        )

    def react(collector: Collector) -> None:
        """Announce news, which lets the recorder write `status.json` again. Then call `on_tick`."""
        news.announce()
        on_tick(collector)

    claims, sites = Claims(), _group_sites(configs)
    collectors = [
        Collector(
            gateway,
            store,
            clock,
            config.site,
            progress,
            changes=changes if len(configs) == 1 else changes.of(config.access.address),
            events=pending,
            stopping=stopping,
            between_ticks=between_ticks,
            claims=claims,
            share=SiteShare(_name_of(config), sites.get(config.site.name)),
            loop=f"collect {config.access.address}",
            address=config.access.address,
            expected_serial=config.access.expected_serial,
            on_commit=shipper.wake if shipper is not None else lambda roles, leases: None,
            on_tick=react,
            on_recognised=news.announce,
            own_points=SelfReport(gateway, store_looks, shipped if shipper is not None else None),
        )
        for config, gateway, pending in zip(configs, gateways, events, strict=True)
    ]
    parts = tuple(gateways), tuple(collectors)
    return Recorder(
        store,
        store_looks,
        *parts,
        shipper,
        progress,
        changes,
        news,
        between_ticks,
        stopping,
        sites=(*sites.values(),),
    )
