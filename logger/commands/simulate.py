"""`simulate`: serve a simulated or a recorded gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger.clock import Clock, FastClock, SystemClock
from logger.commands.ui.paced_clock import PacedClock
from logger.simulator.credentials import TokenMaker
from logger.simulator.generations import GENERATIONS
from logger.simulator.invented_gateway import HISTORY_S, invent_gateway
from logger.simulator.kept_identity import find_identity
from logger.simulator.nightly_restart import NightlyRestart
from logger.simulator.recording import Recording
from logger.simulator.server import Simulator, serve
from logger.simulator.site_model import SiteModel
from logger.simulator.wirings import WIRINGS


def _choose_clock(fast: tuple[float, float, float] | None, pace: Path | None) -> Clock:
    """Return this machine's clock, a fast clock, or a fast clock that also waits for the recorder."""
    if fast is None:
        return SystemClock()
    return FastClock(*fast) if pace is None else PacedClock.join(pace, *fast)


@click.command("simulate", short_help="Serve a simulated or a recorded gateway.")
@click.option(
    "--recording", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Serve this recording."
)
@click.option("--generation", type=click.Choice(list(GENERATIONS)), default="8-battery", show_default=True)
@click.option("--inverters", type=click.IntRange(1, 600), default=12, show_default=True)
@click.option(
    "--wiring", type=click.Choice(list(WIRINGS)), default="usual", show_default=True, help="How the CTs are wired."
)
@click.option("--restarts", is_flag=True, help="Restart the gateway each night at 23:58.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 for any free port.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Store certificate, ports, tokens and history in this folder, to use them again at the next start.",
)
@click.option(
    "--clock", "fast", type=(float, float, float), hidden=True, help="Origin, start and rate of a fast clock."
)
@click.option(
    "--pace", type=click.Path(dir_okay=False, path_type=Path), hidden=True, help="The file of a paced clock."
)
def command(
    recording: Path | None,
    generation: str,
    inverters: int,
    wiring: str,
    restarts: bool,
    port: int,
    state: Path | None,
    fast: tuple[float, float, float] | None,
    pace: Path | None,
) -> None:
    """Serve a gateway on 127.0.0.1: an invented site, or a recording. Prints the settings for a recorder.

    Wirings: `usual` has CTs for production and grid. `net-ct-only` has no CT for the production, and its inverters
    report every 15 minutes. `second-system` has more than half of its solar power from a system that no CT measures.
    `one-sunny-phase` has three phases, and solar power only on L1.
    """
    clock = _choose_clock(fast, pace)

    def make_model(epoch: float) -> SiteModel:
        if recording:
            return Recording(recording)
        gateway = invent_gateway(generation, inverters=inverters, epoch=epoch, wiring=wiring)
        return NightlyRestart(gateway, gateway.site.zone) if restarts else gateway

    epoch = (fast[1] if fast else clock.time()) - HISTORY_S
    model = make_model(epoch)
    if state is None:
        simulator, kept = Simulator(model, clock, port=port), None
    else:
        kept = find_identity(state, model.serial, now=clock.time(), epoch=epoch)
        simulator = Simulator(
            make_model(kept.epoch),
            clock,
            port=port or kept.port,
            certificate=kept.certificate,
            cloud_port=kept.cloud_port,
            tokens=TokenMaker(kept.token_key),
        )

    def ready(simulator: Simulator) -> None:
        if state is not None and kept is not None:
            kept.keep(state, port=simulator.http.port, cloud_port=simulator.cloud.http.port)
        for name, value in simulator.settings.items():
            click.echo(f"{name}={value}")

    asyncio.run(serve(simulator, ready))
