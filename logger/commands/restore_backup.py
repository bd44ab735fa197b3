"""`restore`: restore a backup, on this machine or on another."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from logger import places
from logger.backup.archive import ArchiveReader
from logger.backup.put_back import put_back
from logger.clock import format_minute
from logger.settings.find_file import NEAREST

_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command("restore", short_help="Restore a backup.")
@click.option(
    "--env-file",
    type=_PATH,
    help="Settings file to write; by default .env, or the file of the installed service if the backup contains it.",
)
@click.option("--state-only", is_flag=True, help="Restore only the state folder, not settings and secrets.")
@click.option("--force", is_flag=True, help="Replace present files; settings and readings stay under other names.")
@click.argument("file", metavar="FILE|-")
def command(env_file: Path | None, state_only: bool, force: bool, file: str) -> None:
    """Restore settings, secrets and state folder from a backup, while no recorder runs.

    Never run two recorders from one backup, because both would sign in and write.
    """
    with _open(file) as opened:
        archive = ArchiveReader(opened)
        manifest = archive.texts.manifest
        target = env_file or (places.INSTALLED if manifest.is_service else NEAREST)
        restored = put_back(archive, target.absolute(), state_only=state_only, force=force, now=time.time())
    click.echo(f"backup of {format_minute(manifest.made_at)}, version {manifest.version}")
    for path in restored.written:
        click.echo(f"wrote    {path}")
    for path in restored.kept:
        click.echo(f"kept     {path}, with the earlier content")
    if restored.store is not None:
        click.echo(f"{restored.store.waiting} points wait for delivery.")
    start = "sudo systemctl enable --now envoy-logger" if target == places.INSTALLED else "envoy-logger run"
    click.echo(f"If the recorder of this backup still runs on another machine, stop that recorder. Then: {start}")


@contextlib.contextmanager
def _open(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115  closed below
    except FileNotFoundError as error:
        raise click.BadParameter(f"there is no file {name}") from error
    except OSError as error:
        cure = "; run the same command with sudo" if isinstance(error, PermissionError) else ""
        raise click.BadParameter(f"{name}: {error.strerror or error}{cure}") from error
    with file:
        yield file
