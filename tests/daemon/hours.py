"""Hours of polling an invented site in virtual time, and the table of requests that `docs/requests.md` shows."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from logger.answer import Answer
from logger.clock import Clock
from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.errors import AbsentError, BusyError, EnvoyLoggerError, NotAllowedError, TimedOutError
from logger.gateway.documents import looks_like_html, number_skeleton, read_document, read_info
from logger.gateway.endpoints import ENDPOINTS, Endpoint
from logger.model import Document, Event, GatewayInfo
from logger.simulator.invented_gateway import InventedGateway, invent_gateway
from logger.site import Site
from tests.daemon.parts import InlineStore, collecting
from tests.virtual import VirtualClock, run_virtually

NOON = 1_782_000_000 + 10 * 3600
"""12:00 in Madrid on a Sunday in June 2026."""
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "requests.md"


@dataclass
class PlantGateway:
    """A gateway in front of an invented site, without the wire. `takes_s` by path, else by lane."""

    plant: InventedGateway
    clock: Clock
    takes_s: dict[str, float] = field(default_factory=dict)
    fails: dict[str, EnvoyLoggerError] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    slow_s: float = 3.0
    fast_s: float = 0.1
    ended: list[tuple[float, str]] = field(default_factory=list)
    token_expires_at: float | None = None
    token_user: str | None = None
    one_process: bool = False
    """It serves both lanes: a fast path waits for the slow one in flight."""
    _slow: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def identify(self) -> GatewayInfo:
        self.asked.append((self.clock.time(), "/info"))
        await self.clock.sleep(self.fast_s)
        return read_info(self._answer("/info"), "gateway", self.clock.time())

    async def fetch(self, endpoint: Endpoint) -> Document:
        path, started = endpoint.path, self.clock.monotonic()
        self.asked.append((self.clock.time(), path))
        takes = self.takes_s.get(path, self.slow_s if endpoint.lane == "slow" else self.fast_s)
        try:
            async with self.clock.timeout(endpoint.timeout_s), self._process(endpoint):
                await self.clock.sleep(takes)
        except TimeoutError as error:
            raise TimedOutError(f"{path} gave no complete answer in {endpoint.timeout_s:g} s") from error
        finally:
            self.ended.append((self.clock.time(), path))
        if path in self.fails:
            raise self.fails[path]
        answer = self._answer(path)
        if answer.status in (401, 403):
            raise NotAllowedError(f"{path} answered {answer.status}")
        if answer.status >= 500:
            raise BusyError(f"{path} answered {answer.status}")
        if answer.status != 200 or (endpoint.form == "json" and looks_like_html(answer)):
            raise AbsentError(f"{path} answered {answer.status}")
        body = read_document(answer, endpoint.form, path)
        return Document(path, body, self.clock.time(), self.clock.monotonic() - started, number_skeleton(answer))

    def take_events(self) -> list[Event]:
        return []

    def _process(self, endpoint: Endpoint) -> contextlib.AbstractAsyncContextManager[None]:
        return self._slow if endpoint.lane == "slow" or self.one_process else contextlib.nullcontext()

    def _answer(self, path: str) -> Answer:
        reply = self.plant.answer(path, self.clock.time())
        return Answer(reply.status, {}, reply.body, 0.0)

    def counts(self, start: float, stop: float) -> Counter[str]:
        """Requests by path from `start` until before `stop`."""
        return Counter(path for at, path in self.asked if start <= at < stop)


def poll(
    plant: InventedGateway,
    hours: float,
    shape: Callable[[PlantGateway], None] = lambda gateway: None,
    *,
    start: float = NOON,
    meanwhile: Callable[[Collector, PlantGateway, VirtualClock], object] | None = None,
) -> tuple[PlantGateway, InlineStore, Collector]:
    """Record that site from half a minute before `start` on; its own folder is thrown away."""

    async def work() -> tuple[PlantGateway, InlineStore, Collector]:
        clock = VirtualClock(start - 30)
        gateway = PlantGateway(plant, clock)
        shape(gateway)
        with tempfile.TemporaryDirectory() as folder:
            with InlineStore(Path(folder), clock) as store:
                collector = Collector(gateway, store, clock, Site(), Progress(clock))
                extra = meanwhile(collector, gateway, clock) if meanwhile is not None else None
                async with collecting(collector):
                    await asyncio.sleep(hours * 3600)
            if isinstance(extra, asyncio.Task):
                extra.cancel()
        return gateway, store, collector

    return run_virtually(work())


def plant(generation: str, inverters: int, phases: int = 1) -> InventedGateway:
    """A site that has been running for a month."""
    return invent_gateway(generation, inverters=inverters, phases=phases, epoch=NOON - 30 * 86400)  # type: ignore[arg-type]


SITES: dict[str, Callable[[], InventedGateway]] = {
    "three-phase with batteries": lambda: plant("8-battery", 24, 3),
    "120 inverters, no CT": lambda: plant("8-standard", 120),
    "legacy (firmware 3.9)": lambda: plant("3", 20),
}
PLAN: dict[str, str] = {
    "/info": "4",
    "/ivp/meters/readings": "60, with CTs",
    "/ivp/ensemble/power": "60, with batteries",
    "/ivp/ensemble/secctrl": "12 to 60, with batteries",
    "/api/v1/production": "12 to 60, without CTs",
    "/ivp/pdm/energy": "12 to 60, if a value needs this path, such as the gateway's own energies on the first day",
    "/ivp/meters": "4",
    "/api/v1/production/inverters": "12",
    "/ivp/pdm/device_data": "12",
    "/ivp/ensemble/inventory": "12; or 60, with a controller or collar; or 4, while the inventory is empty",
    "/ivp/ensemble/dry_contacts": "4 to 12, with a controller",
    "/ivp/ensemble/generator": "60, if a generator is set up",
    "/ivp/ensemble/status": "1 to 4, with batteries",
    "/ivp/ss/gen_config": "4, with a controller or collar",
    "/ivp/ss/dry_contact_settings": "4, with a controller",
    "/inventory.json?deleted=1": "12; or 4, if an answer takes more than 10 s",
    "/home.json": "1 to 4",
    "/production.json?details=1": "4, only if no other document has a value",
}
"""What is meant to be asked an hour with the default intervals, by path."""


def table() -> str:
    """The requests by path and hour, as a table."""
    columns = {}
    for name, made in SITES.items():
        gateway, _, collector = poll(made(), 2)
        first, later = gateway.counts(NOON - 30, NOON - 30 + 3600), gateway.counts(NOON + 3570, NOON + 7170)
        columns[name] = (first, later, collector.poller.plan_per_hour())
    lines = [
        "| path | plan | " + " | ".join(f"{name}: first hour | later" for name in columns) + " |",
        "|---|---|" + "---:|" * 2 * len(columns),
    ]
    for path in (endpoint.path for endpoint in ENDPOINTS):
        if any(path in counts for *both, _ in columns.values() for counts in both):
            cells = " | ".join(f"{first[path] or ''} | {later[path] or ''}" for first, later, _ in columns.values())
            lines.append(f"| `{path}` | {PLAN[path]} | {cells} |".replace("  ", " "))
    sums = " | ".join(f"{first.total()} | {later.total()}" for first, later, _ in columns.values())
    planned = " | ".join(f"| {count}" for *_, count in columns.values())
    return "\n".join([*lines, f"| **together** | | {sums} |", f"| **planned** | | {planned} |"])


def with_table(text: str, counted: str) -> str:
    """The document with its table replaced."""
    head, _, rest = text.partition(_BEGIN)
    return f"{head}{_BEGIN}\n{counted}\n{_END}{rest.partition(_END)[2]}"


_BEGIN, _END = "<!-- counted -->", "<!-- end -->"

if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), table()), encoding="utf-8")
