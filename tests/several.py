"""Several stand-in gateways behind one account, and the file that lists them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from logger.clock import Clock
from tests.standin import BackgroundSimulator, invent_gateway

KINDS = ("8-battery", "8-metered", "7-standard")


@dataclass(frozen=True)
class Neighbours:
    """The gateways; the first one's cloud signs in to all of them."""

    gateways: Sequence[BackgroundSimulator]

    @property
    def serials(self) -> list[str]:
        """The serial of each."""
        return [each.simulator.model.serial for each in self.gateways]

    @property
    def sign_ins(self) -> int:
        """How often the account was signed in to."""
        return self.gateways[0].cloud.sign_ins

    @property
    def account(self) -> dict[str, str]:
        """The settings of the account."""
        return {name: value for name, value in self.gateways[0].settings.items() if name != "ENPHASE_GATEWAY"}

    def write_file(self, folder: Path, *, with_serials: bool = True, site: str = "") -> dict[str, str]:
        """Write the gateways file → the settings that read it."""
        lines = []
        for each in self.gateways:
            lines += ["[[gateway]]", f'address = "{each.url}"']
            lines += [f'serial = "{each.simulator.model.serial}"'] if with_serials else []
            lines += [f'site = "{site}"'] if site else []
        path = folder / "gateways.toml"
        path.write_text("\n".join(lines) + "\n")
        return self.account | {"ENPHASE_GATEWAYS_FILE": str(path)}


@contextlib.contextmanager
def neighbours(clock: Clock, count: int = 2, *, epoch: float | None = None) -> Iterator[Neighbours]:
    """Run so many gateways, of different kinds, that belong to one account."""
    began = clock.time() - 5 * 86400 if epoch is None else epoch
    with contextlib.ExitStack() as stack:
        running = []
        for number in range(count):
            model = invent_gateway(KINDS[number % len(KINDS)], serial=f"1222333440{number:02}", epoch=began)
            running.append(stack.enter_context(BackgroundSimulator(model, clock)))
        first = running[0]
        for each in running[1:]:
            each.simulator.tokens = first.simulator.tokens
            first.cloud.serials.add(each.simulator.model.serial)
        yield Neighbours(running)
