"""`capture`: record a gateway's documents, anonymised, to share with others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from logger.capture import record
from logger.clock import SystemClock
from logger.commands.ui.chosen import choose_gateway, gateway_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin
from logger.daemon.config import access_of


@click.command("capture", short_help="Record every document of the gateway, anonymised.")
@env_file_option
@gateway_option
@click.argument("folder", type=click.Path(path_type=Path))
def command(env_file: Path, serial: str, folder: Path) -> int:
    """Request every known path of the gateway once, and write the answers into FOLDER, which must be empty or new.

    Each serial number, address, name and place is replaced by a stand-in of its own, which is the same in all
    answers. `simulate --recording FOLDER` serves the recording. Exit code 75 if a path got no answer.
    """
    configured = choose_gateway(begin(env_file, require=["ENPHASE_GATEWAY"]), serial)
    record.require_empty(folder)
    access = access_of(configured)
    found = asyncio.run(record.capture(access, SystemClock(), _report))
    anonymiser = record.make_anonymiser(found, access, [configured.recorder.site])
    record.write_recording(found, folder, anonymiser)
    replaced = len(anonymiser.stand_ins.chosen)
    click.echo(f"{len(found.answers)} answers are in {folder}; {replaced} pieces of personal data are replaced.")
    click.echo(f"Read the files before you share the folder. To serve it: envoy-logger simulate --recording {folder}")
    return 75 if found.failures else 0


def _report(path: str, outcome: str) -> None:
    click.echo(f"{path}: {outcome}", err=True)
