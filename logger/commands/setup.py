"""`setup`: create the buckets on InfluxDB, set their retention, and create credentials with the least rights."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from logger import log
from logger.clock import Clock, SystemClock
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.options import span_option
from logger.commands.ui.secret_files import SecretFile
from logger.commands.ui.secret_input import secret_option
from logger.commands.ui.start import begin
from logger.daemon.config import target_of
from logger.errors import WireError
from logger.influx.dialects import CREATE_ADMIN, Target
from logger.model import ROLES, Role
from logger.provision.detect import Server, SignIn, detect_server, list_sign_ins
from logger.provision.plan import Admin, Credential, Purpose, RecorderName, SetupPlan, SetupResult, describe_step
from logger.provision.set_up import set_up
from logger.settings.environment import read_hostname
from logger.settings.load import Settings

_AGAIN_S: Final = 1.0
_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS: Final[Mapping[Purpose, str]] = {
    "write": "--write-token-file",
    "read": "--read-token-file",
    "backfill": "--backfill-token-file",
}
"""The option that names the file of each secret."""


@dataclass(frozen=True, slots=True)
class Handover:
    """Where the secret for one purpose is stored.

    `file`: None if the secret is not written to a file. `prefix`: the prefix of the setting that holds the secret or
    names its file; empty if no setting does. `owner`: the program that uses the secret.
    """

    file: SecretFile | None
    prefix: str
    owner: str

    def give(self, credential: Credential, origin: str) -> None:
        """Write the secret into its file. Without a file, print a new secret once.

        `origin`: the place from which the settings read this secret; empty for a new secret. A secret that is already
        in the settings is not printed.
        """
        kind = "PASSWORD" if credential.username else "TOKEN"
        if self.file is None and origin:
            click.echo(f"{'kept':<8} {self.owner}'s {kind.lower()} of the settings ({origin})")
            return
        if self.file is not None:
            self.file.write(credential.secret)
        if self.prefix and (kind == "TOKEN" or self.prefix == "INFLUXDB"):
            if credential.username:
                click.echo(f"{self.prefix}_USERNAME={credential.username}")
            click.echo(f"{self.prefix}_{kind}{self._locate(credential)}")
        elif self.prefix:  # the settings hold the recorder's user, who may not read
            click.echo(
                f"{self.owner}: run it with INFLUXDB_USERNAME={credential.username} "
                f"INFLUXDB_PASSWORD{self._locate(credential)} in its environment"
            )
        elif self.file is None:
            user = f"user {credential.username}, " if credential.username else ""
            click.echo(f"{self.owner}: {user}{kind.lower()} {credential.secret}")

    def _locate(self, credential: Credential) -> str:
        """Return what follows the name of the setting: `_FILE=` and the path of the file, or `=` and the secret."""
        return f"={credential.secret}" if self.file is None else f"_FILE={self.file.path.absolute()}"


def _mode(context: click.Context, parameter: click.Parameter, text: str) -> int:
    """Parse a file mode in octal digits.

    A wrong mode ends the command before anything is created.
    """
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise click.BadParameter(f"{text!r} is no file mode such as 0600 or 0644")
    return int(text, 8)


@click.command("setup", short_help="Make buckets, retention, tokens or users on InfluxDB.")
@env_file_option
@click.option(
    "--write-token-file", type=_FILE, help="Write the recorder's token (1.x: the password) into this file, mode 0600."
)
@click.option("--read-token-file", type=_FILE, help="Write Grafana's token (1.x: the password) into this file.")
@click.option(
    "--read-token-mode", default="0600", show_default=True, callback=_mode, help="File mode of Grafana's token."
)
@click.option(
    "--backfill-token-file",
    type=_FILE,
    help="Also make a token for `backfill`, and write it (1.x: the password) into this file.",
)
@span_option("--retention", "How long the bucket of the totals keeps data")
@span_option("--retention-devices", "How long the bucket of inverters and batteries keeps data")
@span_option("--retention-daily", "How long the bucket of days keeps data")
@click.option("--shorten", is_flag=True, help="Allow a shorter retention than now; InfluxDB deletes older data.")
@secret_option("--admin-token-file", "An administrator's token, instead of INFLUXDB_ADMIN_TOKEN.")
@click.option("--admin-user", default="", help="Name of an administrator, or of a new server's first user.")
@secret_option("--admin-password-file", "The administrator's password; - reads a line from stdin.")
@click.option("--keep-admin-token", type=_FILE, help="Write the token of a new server's first user into this file.")
@click.option(
    "--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Seconds to wait for a starting server."
)
@click.option("--dry-run", is_flag=True, help="Only print what would be made.")
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
    wait: float,
    dry_run: bool,
) -> None:
    """Make on InfluxDB: buckets, a token that may only write, and a token that may only read.

    On 2.x, this command also makes the organisation, and the first user of a new server. On 1.x, it makes databases
    with retention policies instead of buckets, and users instead of tokens. On 3.x, it makes only databases. The
    command needs INFLUXDB_URL, and on 2.x INFLUXDB_ORG. It also needs an administrator, unless the server accepts
    everybody. A second run only adds what is missing, and corrects what is wrong. A working token of Grafana is
    replaced only if --read-token-file names a file without this token.
    """
    configured = begin(env_file, require=["INFLUXDB_URL"])
    handovers: dict[Purpose, Handover] = {
        "write": Handover(_file(write_token_file), "INFLUXDB", "the recorder"),
        "read": Handover(_file(read_token_file, read_token_mode), "", "Grafana"),
    }
    if backfill_token_file is not None:
        handovers["backfill"] = Handover(_file(backfill_token_file), "INFLUXDB_READ", "backfill")
    influxdb = configured.influxdb
    plan = SetupPlan(
        recorder=RecorderName(read_hostname(), str(configured.state_dir)),
        buckets=_merge_retentions(influxdb.buckets, (retention, retention_devices, retention_daily)),
        org=influxdb.org,
        username=influxdb.username,
        purposes=tuple(handovers),
        held=_read_held(configured, handovers),
        unasked=frozenset() if read_token_file else frozenset({"read"}),
        shorten=shorten,
        dry_run=dry_run,
    )
    admin = Admin(admin_token or influxdb.admin_token.get_secret_value(), admin_user, admin_password or "")
    files = {purpose: handover.file.path for purpose, handover in handovers.items() if handover.file is not None}
    result = asyncio.run(_set_up(configured, admin, plan, wait, files))
    for step in result.steps:
        click.echo(describe_step(step, dry_run=dry_run))
    if dry_run:
        return
    origins = {secret: configured.origins[name] for name, secret in configured.secrets.items()}
    for purpose, handover in handovers.items():
        if purpose in result.credentials:
            handover.give(result.credentials[purpose], origins.get(result.credentials[purpose].secret, ""))
        elif purpose in files:
            click.echo(f"{files[purpose]} was not written, because this server asks for no credentials", err=True)
    if result.admin_token and keep_admin_token is not None:
        SecretFile(keep_admin_token).write(result.admin_token)
    elif result.admin_token:
        click.echo(
            "the first user's own token was not stored (--keep-admin-token stores it); name and password of the user "
            "can make another token",
            err=True,
        )


async def _set_up(
    configured: Settings, admin: Admin, plan: SetupPlan, wait_s: float, files: Mapping[Purpose, Path]
) -> SetupResult:
    """Detect the server and set it up. Raise UsageError if the server gives no secret for one of the `files`."""
    target = target_of(configured)
    assert target is not None  # noqa: S101  INFLUXDB_URL is required above
    clock = SystemClock()
    given = list_sign_ins(
        [admin.token, target.token], [(admin.username, admin.password), (target.username, target.password)]
    )
    server = await await_server(replace(target, token="", username="", password=""), given, clock, wait_s)
    fresh = ", not set up yet" if server.is_fresh else ""
    click.echo(f"{server.name} at {target.url.partition('://')[2]}{fresh}", err=True)
    if server.dialect == "3" and files:
        named = ", ".join(_OPTIONS[purpose] for purpose in files)
        raise click.UsageError(
            f"{named}: setup makes no token on InfluxDB 3, so nothing was changed\n"
            "Try: run setup without this option, and write a token into the file yourself; "
            f"`{CREATE_ADMIN} NAME` makes a token."
        )
    if server.is_guarded and target.api == "auto":
        click.echo(f"INFLUXDB_API={server.dialect}")  # no detection needed: a refused token is reported as refused
    return await set_up(target.url, server, admin, plan, clock)


async def await_server(target: Target, given: list[SignIn], clock: Clock, wait_s: float) -> Server:
    """Detect the server. While no server answers, try again each second, for at most `wait_s` seconds.

    For `given` and the errors see `detect_server`.
    """
    end = clock.monotonic() + wait_s
    while True:
        try:
            return await detect_server(target, clock, given)
        except WireError:
            if clock.monotonic() >= end:
                raise
        await clock.sleep(_AGAIN_S)


def _merge_retentions(buckets: Mapping[Role, str], asked: tuple[int | None, ...]) -> dict[str, int | None]:
    """Return the retention of each bucket: bucket → seconds, None if no retention was given.

    `asked`: the retention that was given for each role, in the order of `ROLES`. Raises UsageError if two roles share
    a bucket and their retentions differ.
    """
    merged: dict[str, int | None] = {}
    for role, seconds in zip(ROLES, asked, strict=True):
        name = buckets[role]
        if seconds is not None and merged.get(name, seconds) not in (None, seconds):
            raise click.UsageError(f"the bucket {name!r} has several roles, and their retentions differ")
        merged[name] = seconds if seconds is not None else merged.get(name)
    return merged


def _read_held(configured: Settings, handovers: Mapping[Purpose, Handover]) -> dict[Purpose, str]:
    """Read the secrets of an earlier run from their files. The recorder's secret may also be in the settings."""
    influxdb = configured.influxdb
    held: dict[Purpose, str] = {"write": influxdb.token.get_secret_value() or influxdb.password.get_secret_value()}
    for purpose, handover in handovers.items():
        if handover.file is not None:
            held[purpose] = handover.file.read_held() or held.get(purpose, "")
    log.protect(held.values())
    return {purpose: secret for purpose, secret in held.items() if secret}


def _file(path: Path | None, mode: int = 0o600) -> SecretFile | None:
    return None if path is None else SecretFile(path, mode)
