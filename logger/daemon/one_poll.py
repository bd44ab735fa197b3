"""Poll every endpoint of a gateway once, for commands other than `run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from logger import log
from logger.clock import Clock
from logger.daemon.batches import make_commit
from logger.daemon.clocks import EARLIEST, SET_OURS
from logger.daemon.gateway_state import GatewayState, load_state
from logger.daemon.layout_file import read_layout
from logger.daemon.progress import Progress
from logger.daemon.shipper import Shipper
from logger.daemon.site_zone import zone_of
from logger.daemon.tariff_files import read_prices
from logger.daemon.tick import TickResult, describe_written, run_tick
from logger.errors import (
    AbsentError,
    CertificateError,
    EnvoyLoggerError,
    NotAllowedError,
    StateError,
    UnreachableError,
)
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import plan
from logger.influx.classify import Blocked, Wait
from logger.influx.write import Writer
from logger.model import Document, GatewayInfo, Role, Snapshot
from logger.readings import paths
from logger.readings.missing import explain_all
from logger.readings.site_warnings import SiteWarning, find_warnings
from logger.site import Site
from logger.store.folder import prepare
from logger.store.store import Store
from logger.store.thread import StoreCalls

BOTH: frozenset[Role] = frozenset({"totals", "devices"})


@dataclass(frozen=True, slots=True)
class Poll:
    """The answers of all endpoints of one gateway.

    `refusals`: path → error, for the endpoints that this gateway lacks or that this user may not read. `failures`:
    path → error, for all other endpoints that gave no document.
    """

    info: GatewayInfo
    tick: int
    documents: Mapping[str, Document]
    failures: Mapping[str, EnvoyLoggerError]
    refusals: Mapping[str, EnvoyLoggerError] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        """Return the poll as a snapshot for `logger.readings`.

        All documents are new. A path whose request failed does not count as absent.
        """
        absent = paths.PATHS - self.documents.keys() - self.failures.keys()
        definitive = {path: int(path not in self.failures) for path in paths.PATHS}
        failures = {path: error.message for path, error in {**self.refusals, **self.failures}.items()}
        return Snapshot(self.info, self.tick, self.documents, {}, absent, definitive, failures=failures)

    def describe_failures(self) -> list[str]:
        """Return one text for each failed endpoint, with the path and the error."""
        return [str(error) if path in error.message else f"{path}: {error}" for path, error in self.failures.items()]


async def poll(access: Access, clock: Clock, interval_s: int) -> Poll:
    """Request `/info` and then each planned endpoint once. Raises only errors that concern the whole gateway."""
    if clock.time() < EARLIEST:
        raise StateError("this machine's clock is not set, so the gateway is not polled", SET_OURS)
    prepare(access.state_dir)
    gateway = Gateway(access, clock)
    try:
        return await _ask_all(gateway, clock, interval_s)
    finally:
        await gateway.aclose()


async def _ask_all(gateway: Gateway, clock: Clock, interval_s: int) -> Poll:
    info = await gateway.identify()
    documents: dict[str, Document] = {}
    failures: dict[str, EnvoyLoggerError] = {}
    refusals: dict[str, EnvoyLoggerError] = {}
    for endpoint in plan(info):
        if endpoint.path not in paths.PATHS and endpoint.path != paths.HOME:
            continue
        try:
            documents[endpoint.path] = await gateway.fetch(endpoint)
        except (AbsentError, NotAllowedError) as error:
            refusals[endpoint.path] = error
        except (UnreachableError, CertificateError):
            raise
        except EnvoyLoggerError as error:
            if error.exit_code == 77:
                raise
            failures[endpoint.path] = error
    return Poll(info, int(clock.time()) // interval_s * interval_s, documents, failures, refusals)


def read(found: Poll, site: Site, state: GatewayState | None = None) -> TickResult:
    """Make the points of the poll. Without a `state`, sources are chosen from this poll alone."""
    state = state or GatewayState()
    layout, _ = read_layout(site.layout_file)
    home = found.documents.get(paths.HOME)
    zone = site.zone or state.energy.zone or (zone_of(home.body) if home else "") or site.system_zone
    prices, _ = read_prices(site.tariff_file)
    return run_tick(found.snapshot(), BOTH, state, replace(site, zone=zone), layout, prices)


def list_warnings(result: TickResult) -> list[SiteWarning]:
    """List the site warnings that follow from one poll."""
    return [*find_warnings(result.snapshot, result.duplicates).values(), *result.warnings.values()]


def list_missing(result: TickResult) -> dict[str, str]:
    """Return the values that this site should have and that are absent in one poll, each with the reason."""
    totals = next((point.fields for point in result.readings if point.measurement == "envoy_totals"), {})
    return explain_all(
        describe_written(
            result.snapshot, totals, result.readings, result.state.energy, result.state.readings.equipment
        )
    )


async def store(found: Poll, site: Site, into: StoreCalls) -> bool:
    """Store the poll as the recorder would.

    If the store already has a tick of the same time or later, store nothing and return False.
    """
    serial = found.info.serial
    stored = await into.call(Store.read_state, serial)
    state = load_state(stored, await into.call(Store.read_reports, serial))
    if state.energy.last_tick >= found.tick:
        return False
    result = read(found, site, state)
    commit, _ = make_commit(serial, found.tick, result.readings, result, stored)
    await into.call(Store.put, commit)
    return True


async def drain(writer: Writer, from_store: StoreCalls, clock: Clock, seconds: float) -> Wait | Blocked | None:
    """Deliver waiting rows for at most `seconds`. Return the reason why rows are left; None if no row is left."""
    shipper = Shipper(writer, from_store, clock, Progress(clock), log.Changes(None))
    try:
        async with clock.timeout(seconds):
            while (await from_store.call(Store.read_figures)).rows:
                if not await shipper.round():
                    if blocked := next((t for t in shipper.troubles.values() if isinstance(t, Blocked)), None):
                        return blocked
                    await shipper.rest()
    except TimeoutError:
        return next(iter(shipper.troubles.values()), None) or Wait(
            f"not all rows could be delivered within {seconds:.0f} s"
        )
    return None
