"""`setup`: buckets, retention and the smallest credentials, on any InfluxDB."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from logger import log
from logger.clock import SystemClock
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.options import span_option
from logger.commands.ui.secret_input import secret_option
from logger.daemon import app
from logger.daemon.config import target_of
from logger.errors import StateError
from logger.files import refuse_unwritable, write_atomically
from logger.model import ROLES
from logger.provision.detect import detect_server
from logger.provision.plan import Admin, Credential, Purpose, SetupPlan, SetupResult, describe_step
from logger.provision.set_up import set_up
from logger.settings.load import Settings, load_settings


def _mode(context: click.Context, parameter: click.Parameter, text: str) -> int:
    """A file mode in octal digits, refused before anything is made if it is none."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise click.BadParameter(f"{text!r} is no file mode such as 0600 or 0644")
    return int(text, 8)


_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where one purpose's secret goes, and how it is spoken of."""

    file: Path | None
    mode: int
    setting: str
    whose: str


@click.command("setup", short_help="Make buckets, retention, tokens or users on InfluxDB.")
@env_file_option
@click.option(
    "--write-token-file", type=_FILE, help="Write the recorder's token here (1.x: its password), mode 0600."
)
@click.option("--read-token-file", type=_FILE, help="Write Grafana's token here (1.x: its password).")
@click.option(
    "--read-token-mode",
    default="0600",
    show_default=True,
    help="File mode of Grafana's token.",
    callback=_mode,
)
@click.option(
    "--backfill-token-file", type=_FILE, help="Also make a token that `backfill` reads with; write it here."
)
@span_option("--retention", "How long the first bucket keeps data")
@span_option("--retention-devices", "The same for the bucket of inverters and batteries")
@span_option("--retention-daily", "The same for the bucket of days")
@click.option("--shorten", is_flag=True, help="Let a bucket keep less than it does now; older data is deleted.")
@secret_option("--admin-token-file", "An administrator's token, instead of INFLUXDB_ADMIN_TOKEN.")
@click.option("--admin-user", default="", help="An administrator; on a fresh server its first user.")
@secret_option("--admin-password-file", "The administrator's password; - reads a line from stdin.")
@click.option("--keep-admin-token", type=_FILE, help="Write the token of a fresh server's first user here.")
@click.option("--dry-run", is_flag=True, help="Only say what would be made.")
def command(
    env_file: Path,
    write_token_file: Path | None,
    read_token_file: Path | None,
    read_token_mode: int,
    backfill_token_file: Path | None,
    retention: int | None,
    retention_devices: int | None,
    retention_daily: int | None,
    shorten: bool,
    admin_token: str | None,
    admin_user: str,
    admin_password: str | None,
    keep_admin_token: Path | None,
    dry_run: bool,
) -> None:
    """Make what the recorder needs on InfluxDB: the buckets, a token that may only write, one that may only read.

    On 2.x also the organisation, and the first user of a fresh server; on 1.x databases, retention policies and
    users; on 3.x databases. Needs INFLUXDB_URL, on 2.x INFLUXDB_ORG and an administrator. Running it again changes
    nothing that is right.
    """
    configured = load_settings(env_file, require=["INFLUXDB_URL"])
    app.configure_log(configured)
    files: dict[Purpose, Kept] = {
        "write": Kept(write_token_file, 0o600, "INFLUXDB", "the recorder"),
        "read": Kept(read_token_file, read_token_mode, "", "Grafana"),
    }
    if backfill_token_file is not None:
        files["backfill"] = Kept(backfill_token_file, 0o600, "INFLUXDB_READ", "backfill")
    plan = SetupPlan(
        buckets=retained(configured, (retention, retention_devices, retention_daily)),
        org=configured.influxdb.org,
        username=configured.influxdb.username,
        purposes=tuple(files),
        held=_held(configured, files),
        shorten=shorten,
        dry_run=dry_run,
    )
    admin = Admin(admin_token or configured.influxdb.admin_token.get_secret_value(), admin_user, admin_password or "")
    made = asyncio.run(_set_up(configured, admin, plan))
    for step in made.steps:
        click.echo(describe_step(step, dry_run=dry_run))
    if dry_run:
        return
    for purpose, kept in files.items():
        if purpose in made.credentials:
            _hand_over(made.credentials[purpose], kept)
    _keep_admin(made, keep_admin_token)


async def _set_up(configured: Settings, admin: Admin, plan: SetupPlan) -> SetupResult:
    target = target_of(configured)
    assert target is not None  # noqa: S101  INFLUXDB_URL is required above
    clock = SystemClock()
    server = await detect_server(replace(target, token="", username="", password=""), clock)
    fresh = ", not set up yet" if server.is_fresh else ""
    click.echo(f"{server.name} at {target.url.partition('://')[2]}{fresh}", err=True)
    return await set_up(target.url, server, admin, plan, clock)


def retained(configured: Settings, spans: tuple[int | None, ...]) -> dict[str, int | None]:
    """Bucket → seconds to keep; where one bucket has several roles they must agree."""
    found: dict[str, int | None] = {}
    for role, span in zip(ROLES, spans, strict=True):
        name = configured.influxdb.buckets[role]
        if span is not None and found.get(name, span) not in (None, span):
            raise click.UsageError(f"the bucket {name!r} has several roles, and their retentions differ")
        found[name] = span if span is not None else found.get(name)
    return found


def _held(configured: Settings, files: Mapping[Purpose, Kept]) -> dict[Purpose, str]:
    """The secrets of an earlier run: in the files, else as the recorder is set to use them."""
    held: dict[Purpose, str] = {}
    for purpose, kept in files.items():
        if kept.file is None:
            continue
        try:
            refuse_unwritable(kept.file.absolute().parent)  # before an old secret ends and a new one has no place
            if os.path.lexists(kept.file):
                held[purpose] = kept.file.read_bytes().decode("utf-8", "replace").strip()
        except OSError as error:
            raise StateError(
                f"{kept.file} cannot be written: {error.strerror}; nothing was changed", "check the folder's owner."
            ) from error
    influxdb = configured.influxdb
    own = influxdb.token.get_secret_value() or influxdb.password.get_secret_value()
    if own and "write" not in held:
        held["write"] = own
    log.protect(held.values())
    return held


def _hand_over(credential: Credential, kept: Kept) -> None:
    """The secret into its file; without a file it is shown once, on stdout, to the person at the terminal."""
    kind = "PASSWORD" if credential.username else "TOKEN"
    if kept.file is not None:
        _write(kept.file, credential.secret, kept.mode)
    if kept.setting and (kind == "TOKEN" or kept.setting == "INFLUXDB"):
        if credential.username:
            click.echo(f"{kept.setting}_USERNAME={credential.username}")
        at_hand = f"{kind}={credential.secret}" if kept.file is None else f"{kind}_FILE={kept.file.absolute()}"
        click.echo(f"{kept.setting}_{at_hand}")
    elif kept.file is None:
        user = f"user {credential.username}, " if credential.username else ""
        click.echo(f"{kept.whose}: {user}{kind.lower()} {credential.secret}")


def _keep_admin(made: SetupResult, file: Path | None) -> None:
    if not made.admin_token:
        return
    if file is None:
        click.echo(
            "the first user's own token was not kept (--keep-admin-token keeps it); the user and the password make "
            "another one",
            err=True,
        )
    else:
        _write(file, made.admin_token, 0o600)


def _write(file: Path, secret: str, mode: int) -> None:
    """One secret into a file of its own, if it is not there already. Raises StateError."""
    data = secret.encode() + b"\n"
    try:
        if file.is_file() and file.read_bytes() == data and stat.S_IMODE(file.stat().st_mode) == mode:
            click.echo(f"exists   {file}")
            return
        write_atomically(file, data, mode)
    except OSError as error:
        raise StateError(f"{file} cannot be written: {error.strerror}", "check the folder's owner.") from error
    click.echo(f"wrote    {file}")
