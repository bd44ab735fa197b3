"""`init`: from nothing to settings that work, by questions or by options."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from logger import log
from logger.clock import SystemClock
from logger.commands.init.account import sign_in
from logger.commands.init.draft import Draft, Place, mode_of, place_of
from logger.commands.init.find_gateway import GatewayAnswers, find, trust
from logger.commands.init.influxdb import DatabaseAnswers, database
from logger.commands.init.terminal import Terminal, in_answers
from logger.commands.ui.options import interface_option, span_option
from logger.commands.ui.secret_input import secret_option
from logger.errors import EnvoyLoggerError, SettingsError
from logger.model import ROLES
from logger.settings.environment import read_own_variables
from logger.settings.load import Settings, inspect_settings

_PATH = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_BUCKETS: Final = ("bucket", "bucket_devices", "bucket_daily")
_RETENTIONS: Final = ("retention", "retention_devices", "retention_daily")


@click.command("init", short_help="Set everything up, by questions.")
@click.option("--env-file", type=_PATH, help="Where the settings go; .env in this folder if not given.")
@click.option("--systemd", is_flag=True, help="Write for the systemd unit: /etc/envoy-logger and its credentials.")
@click.option("--root", type=_FOLDER, help="With --systemd: the folder that stands for /, to prepare an image.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what is given and the defaults.")
@click.option("--gateway", default="", help="Address of the gateway; no search.")
@click.option("--serial", default="", help="Its serial number; another gateway is refused.")
@click.option("--fingerprint", default="", help="SHA-256 of its certificate; another one is refused.")
@click.option("--no-search", is_flag=True, help="Do not look for gateways on the network.")
@interface_option("Look on the interface with this address alone.")
@click.option("--account", default="", help="E-mail of your Enphase account.")
@secret_option("--password-file", "Its password; - reads a line from stdin, as for every secret.")
@secret_option("--token-file", "A token copied from entrez.enphaseenergy.com, instead of an account.")
@click.option("--local-user", default="", help="User of a gateway before firmware 7.")
@secret_option("--local-password-file", "Its password.")
@click.option("--no-sign-in", is_flag=True, help="Leave signing in for later.")
@click.option("--influxdb-url", default="", help="Address of InfluxDB, or none.")
@click.option("--org", default="", help="Its organisation (2.x).")
@click.option("--bucket", default="", help="First bucket; on 1.x a database or database/retention-policy.")
@click.option("--bucket-devices", default="", help="Bucket of inverters and batteries.")
@click.option("--bucket-daily", default="", help="Bucket of days.")
@span_option("--retention", "How long the first bucket keeps data")
@span_option("--retention-devices", "The same for the bucket of inverters and batteries")
@span_option("--retention-daily", "The same for the bucket of days")
@click.option("--admin-user", default="", help="InfluxDB's administrator; on a fresh server its first user.")
@secret_option("--admin-password-file", "The administrator's password. Never stored.")
@secret_option("--admin-token-file", "An administrator's token. Never stored.")
@click.option("--keep-admin-token", type=_PATH, help="Write the token of a fresh server's first user here.")
@click.option("--read-token-file", type=_PATH, help="Also make a token that may only read, for Grafana, here.")
@secret_option("--influxdb-token-file", "A token that may write; then nothing is made on InfluxDB.")
@click.option("--influxdb-user", default="", help="User who writes (1.x).")
@secret_option("--influxdb-password-file", "The user's password (1.x).")
@click.option("--site", help="A name for the site, written on every point.")
@click.option("--timezone", help="The roof's time zone, such as Europe/Paris, where the gateway's is not right.")
@click.option("--state-dir", help="Folder for readings, token and certificate, instead of the usual one.")
def command(**options: Any) -> None:
    """Set everything up: find the gateway, pin its certificate, sign in, prepare InfluxDB, write the settings.

    Every question can be answered by an option. Settings go into .env, each secret into a file of its own beside it
    (0600), all at the very end or none. Running it again changes only what is asked.
    """
    log.configure("error", "text")
    terminal = Terminal(yes=options["yes"])
    place = place_of(options["env_file"], options["root"], systemd=options["systemd"])
    before, problems = inspect_settings(place.env_file)
    log.protect(before.secrets.values())
    if unreadable := tuple(problem for problem in problems if problem.origin == "file"):
        raise SettingsError(unreadable)  # before anybody is asked: what is written there later would not help
    draft = Draft(place, before)
    for name, option in (("LOGGER_SITE", "site"), ("LOGGER_TIMEZONE", "timezone"), ("LOGGER_STATE_DIR", "state_dir")):
        if options[option] is not None:
            draft.put(name, options[option])
    draft.refuse_wrong()  # before anybody is asked
    try:
        _ask(terminal, draft, _about_gateway(options), _about_database(options))
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped. No settings were written.", err=True)
        raise
    except EnvoyLoggerError as error:
        raise in_answers(error) from error.__cause__
    if draft.values:
        _finish(terminal, draft)
        return
    terminal.note("nothing was asked, so nothing changes: `envoy-logger init --help` lists what can be")
    for problem in problems:
        terminal.bad(str(problem))


def _about_gateway(options: Mapping[str, Any]) -> GatewayAnswers:
    return GatewayAnswers(
        gateway=options["gateway"],
        serial=options["serial"],
        fingerprint=options["fingerprint"],
        search=not options["no_search"],
        interfaces=options["interfaces"],
        account=options["account"],
        password=options["password_file"],
        token=options["token_file"],
        local_user=options["local_user"],
        local_password=options["local_password_file"],
        sign_in=not options["no_sign_in"],
    )


def _about_database(options: Mapping[str, Any]) -> DatabaseAnswers:
    return DatabaseAnswers(
        url=options["influxdb_url"],
        org=options["org"],
        buckets=dict(zip(ROLES, (options[name] for name in _BUCKETS), strict=True)),
        retention=dict(zip(ROLES, (options[name] for name in _RETENTIONS), strict=True)),
        token=options["influxdb_token_file"],
        user=options["influxdb_user"],
        password=options["influxdb_password_file"],
        admin_token=options["admin_token_file"],
        admin_user=options["admin_user"],
        admin_password=options["admin_password_file"],
        keep_admin_token=options["keep_admin_token"],
        read_token_file=options["read_token_file"],
    )


def _ask(terminal: Terminal, draft: Draft, gateway: GatewayAnswers, influxdb: DatabaseAnswers) -> None:
    """The sections that are asked for: all of them at first, later those that an option or a person names."""
    clock, before = SystemClock(), draft.before
    fresh = not before.enphase.gateway
    only = not fresh and (gateway.about_gateway or gateway.about_sign_in or influxdb.given or bool(draft.values))

    def wanted(told: bool, there: str) -> bool:
        if fresh or told or only:
            return fresh or told
        return terminal.asks and terminal.confirm(f"{there}. Change it", default=False)

    click.secho("envoy-logger init", bold=True, nl=False)
    click.echo("   Settings are written at the very end; Ctrl-C leaves them as they were." if terminal.asks else "")
    met = None
    address = before.enphase.gateway
    if wanted(gateway.about_gateway, f"The gateway is {before.enphase.serial or 'the one'} at {address}"):
        met = find(terminal, draft, gateway, clock)
        trust(terminal, draft, gateway, met)
    another = met is not None and bool(before.enphase.serial) and met.info.serial != before.enphase.serial
    if another or wanted(gateway.about_sign_in, f"It is signed in to {_how(before)}"):
        if met is None:
            met = find(terminal, draft, replace(gateway, gateway=address), clock)
            trust(terminal, draft, gateway, met)
        sign_in(terminal, draft, gateway, met, clock)
    url = before.influxdb.url or "not set: everything is kept in the embedded store"
    if wanted(influxdb.given, f"InfluxDB is {url}"):
        database(terminal, draft, influxdb, clock)


def _how(before: Settings) -> str:
    """How one signs in now, for people."""
    enphase = before.enphase
    ways = [f"with the account {enphase.username}"] if enphase.username else []
    ways += ["with a pasted token"] if enphase.token else []
    return " and ".join(ways) or "without account or token"


def _finish(terminal: Terminal, draft: Draft) -> None:
    """Write everything, say where it is, and what to do next."""
    terminal.heading("Written")
    files = draft.write()
    width = max(len(str(file.path)) for file in files)
    for file in files:
        what = "settings" if file.path == draft.place.env_file else "one secret"
        terminal.good(f"{file.path!s:<{width}}  {mode_of(file.path)}  {what}")
    for name in sorted(draft.values.keys() & read_own_variables().keys()):
        terminal.bad(f"the environment sets {name} too, and there it wins over the file\nTry: unset {name}")
    terminal.heading("Next")
    for line in next_steps(draft.place):
        click.echo(f"   {line}")


def next_steps(place: Place) -> list[str]:
    """What a person does after that, as it can be typed."""
    program = _program()
    if place.systemd:
        return [
            "sudo systemctl enable envoy-logger && sudo systemctl restart envoy-logger",
            "journalctl -u envoy-logger -f",
            f"sudo {program} doctor --env-file {place.env_file}",
        ]
    option = "" if place.env_file == Path(".env").resolve() else f" --env-file {shlex.quote(str(place.env_file))}"
    commands = (
        (f"{program} once --dry-run{option}", "one poll; prints every point that it would write"),
        (f"{program} run{option}", "record from now on"),
        (f"{program} doctor{option}", "if something is wrong: everything checked, with its cure"),
    )
    width = max(len(line) for line, _ in commands)
    return [f"{line:<{width}}   {why}" for line, why in commands]


def _program() -> str:
    """This program as a person can call it: by its name where a shell finds it, else by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("envoy-logger")
    if called.name != "envoy-logger" or (found is not None and os.path.realpath(found) == os.path.realpath(called)):
        return "envoy-logger"
    return shlex.quote(str(called.absolute()))
