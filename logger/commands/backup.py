"""`backup`: write settings, secrets and state of this recorder into one file."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click

from logger.backup.collect import CollectedFiles, write_backup
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.output_file import open_output
from logger.commands.ui.start import begin
from logger.store.folder import refuse_demo


@click.command("backup", short_help="Write everything that this recorder needs into one file.")
@env_file_option
@click.argument("file", metavar="FILE|-")
def command(env_file: Path, file: str) -> None:
    """Write settings, secrets and the state folder into FILE (- is standard output); the recorder may be running.

    FILE holds passwords and tokens, so only its owner may read it (0600). `restore` puts everything back.
    """
    configured = begin(env_file, level="warning")
    refuse_demo(configured.state_dir)
    output = None if file == "-" else Path(file).absolute()
    scratch = output.parent if output else configured.state_dir
    with open_output(output, private=True) as opened:
        found = write_backup(configured, opened, scratch, time.time())
    click.echo("\n".join(_describe(found, str(configured.env_file), str(configured.state_dir))), err=True)
    if output is not None:
        click.echo(f"written to {output}; only its owner may read it (0600), because secrets are inside", err=True)


def _describe(found: CollectedFiles, env_file: str, state_dir: str) -> list[str]:
    """Describe the contents of a backup, one line for each kind."""
    texts, store = found.texts, found.store
    secrets = sorted([*texts.secrets, *(place.rpartition("/")[2] for place in texts.secret_files)])
    points = (
        "none yet"
        if store is None
        else f"{_describe_unmarked(store.waiting)}; energy state and days of "
        + (", ".join(store.gateways) or "no gateway yet")
    )
    lines = [
        f"settings   {env_file}" if texts.settings is not None else "settings   none: there is no settings file",
        f"secrets    {', '.join(secrets) or 'none'}" + (" and those in the settings file" if texts.settings else ""),
        f"store      {points}",
        f"state      {', '.join(found.state_files) or 'nothing else'} (of {state_dir})",
    ]
    if texts.files:
        counts = Counter(place.partition("/")[0] for place in texts.files)
        named = [name if count == 1 else f"{name} with {count - 1} that it names" for name, count in counts.items()]
        lines.append(f"files      {', '.join(named)}")
    if found.outside:
        lines.append(f"NOT INSIDE {', '.join(found.outside)}: from the environment, which no backup can restore")
    return lines


def _describe_unmarked(points: int) -> str:
    """Describe the points that the copy of the store does not mark as delivered.

    Some of these points may have been delivered already, because the store marks a delivery only together with the
    next rows.
    """
    if not points:
        return "all its points are delivered"
    return f"{points} of its points will be sent after a restore; the newest of them may have been delivered already"
