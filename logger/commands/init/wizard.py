"""Runs `init`: makes working settings by questions or by options."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from logger import log, places
from logger.clock import SystemClock
from logger.commands.init.account import explain_no_e_mail, set_up_sign_in
from logger.commands.init.add_gateway import add_gateway
from logger.commands.init.answers import Answers
from logger.commands.init.draft import Destination, Draft, choose_destination
from logger.commands.init.find_gateway import find_gateway, pin_certificate
from logger.commands.init.influxdb import set_up_influxdb
from logger.commands.init.terminal import Terminal, speak_of_answers
from logger.commands.init.time_zone import set_up_zone
from logger.commands.ui.options import MisuseError, interface_option, span_option
from logger.commands.ui.secret_input import secret_option
from logger.errors import EnvoyLoggerError, SettingsError, StateError
from logger.gateway.probe import FoundGateway
from logger.settings.environment import read_own_variables, read_variables
from logger.settings.find_file import NEAREST, find_env_file
from logger.settings.load import Settings, inspect_settings

_DECIDING: Final = (
    "ENPHASE_LOGIN_URL", "ENPHASE_TOKEN_URL", "LOGGER_TLS", "LOGGER_TLS_CA_FILE", "LOGGER_STATE_DIR",
    "INFLUXDB_API", "INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_BUCKET_DEVICES", "INFLUXDB_BUCKET_DAILY",
)  # fmt: skip
"""The settings on which the tests of `init` depend.

If the environment sets such a setting, `init` also writes it to the settings file.
"""
_PATH = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("init", short_help="Set everything up, by questions.")
@click.option(
    "--env-file", type=_PATH, help="Settings file to write; by default the present file, or .env in this folder."
)
@click.option(
    "--systemd", is_flag=True, help="Write the files of the systemd unit: /etc/envoy-logger and its credentials."
)
@click.option("--root", type=_FOLDER, help="With --systemd: the folder that stands for /, to prepare an image.")
@click.option("--no-next", is_flag=True, help="Do not print the next steps.")
@click.option("--yes", is_flag=True, help="Ask no question; use options and defaults.")
@click.option("--add", is_flag=True, help="Add a gateway to the present recorder.")
@click.option("--gateway", default="", help="Address of the gateway, instead of a search.")
@click.option("--serial", default="", help="Serial number that the gateway must have.")
@click.option("--fingerprint", default="", help="SHA-256 that the gateway's certificate must have.")
@click.option("--no-search", is_flag=True, help="Do not search the network for gateways.")
@interface_option("Search only on the interface with this address.")
@click.option("--account", default="", help="E-mail of your Enphase account.")
@secret_option("--password-file", "Password of the account; - reads a line from stdin, as for every secret.")
@secret_option("--token-file", "A token copied from entrez.enphaseenergy.com, instead of an account.")
@click.option("--local-user", default="", help="User of a gateway before firmware 7.")
@secret_option("--local-password-file", "Password of the local user.")
@click.option("--no-sign-in", is_flag=True, help="Do not sign in now.")
@click.option("--influxdb-url", default="", help="Address of InfluxDB, or none.")
@click.option("--org", default="", help="Organisation in InfluxDB 2.x.")
@click.option("--bucket", default="", help="Bucket of the totals; on 1.x a database or database/retention-policy.")
@click.option("--bucket-devices", default="", help="Bucket of inverters and batteries.")
@click.option("--bucket-daily", default="", help="Bucket of days.")
@span_option("--retention", "How long the bucket of the totals keeps data")
@span_option("--retention-devices", "How long the bucket of inverters and batteries keeps data")
@span_option("--retention-daily", "How long the bucket of days keeps data")
@click.option("--admin-user", default="", help="Name of InfluxDB's administrator, or of a new server's first user.")
@secret_option("--admin-password-file", "The administrator's password. Never stored.")
@secret_option("--admin-token-file", "An administrator's token. Stored only as InfluxDB 3's token for writing.")
@click.option("--keep-admin-token", type=_PATH, help="Write the token of a new server's first user into this file.")
@click.option(
    "--read-token-file", type=_PATH, help="Also make a read-only token for Grafana (1.x, 2.x), in this file."
)
@secret_option("--influxdb-token-file", "A token that may write; then nothing is created on InfluxDB.")
@click.option("--influxdb-user", default="", help="User who writes (1.x).")
@secret_option("--influxdb-password-file", "The user's password (1.x).")
@click.option("--site", help="A name for the site, written on every point.")
@click.option("--timezone", help="The site's time zone, such as Europe/Paris, if the gateway's is wrong.")
@click.option("--state-dir", help="Folder for readings, token and certificate, instead of the usual one.")
def command(
    env_file: Path | None, systemd: bool, root: Path | None, no_next: bool, yes: bool, **options: Any
) -> None:
    """Set the recorder up: find the gateway, pin its certificate, sign in, prepare InfluxDB, write the settings.

    Every question can be answered by an option. Settings are written to .env, and each secret to a file of its own
    in the folder `credentials` beside .env (0600). All files are written together at the end. A second run changes
    only the settings that a person or an option names.
    """
    log.configure("error", "text")
    terminal, answers = Terminal(yes=yes), Answers(**options)
    _check_options(answers, root, systemd=systemd)
    is_installed = env_file is None and find_env_file(read_variables()) == places.INSTALLED
    destination = choose_destination(env_file, root, systemd=systemd or is_installed)
    if is_installed:
        click.echo(f"settings: {destination.env_file}", err=True)
    before, problems = inspect_settings(destination.env_file)
    log.protect(before.all_secrets)
    if unreadable := tuple(problem for problem in problems if problem.origin in ("file", "folder")):
        raise SettingsError(unreadable)  # before any question: a file that cannot be read cannot be written
    draft = Draft(destination, before) if answers.add else _begin_draft(destination, before, answers)
    try:
        (_ask_for_one_more if answers.add else _ask_sections)(terminal, draft, answers)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped. No settings were written.", err=True)
        raise
    except EnvoyLoggerError as error:
        raise speak_of_answers(error) from error.__cause__
    if draft.values or draft.listing is not None:
        draft.adopt(*_DECIDING)
        _write(terminal, draft)
        if not no_next:
            _show_next_steps(terminal, draft.destination)
        return
    terminal.show_note("no question was asked, so nothing changes; `envoy-logger init --help` lists the options")
    for problem in problems:
        terminal.show_bad(str(problem))


def _check_options(answers: Answers, root: Path | None, *, systemd: bool) -> None:
    """Raise MisuseError for options that do not fit together, and BadParameter for a wrong e-mail address."""
    if root is not None and not systemd:
        raise MisuseError("--root needs --systemd", "add --systemd.")
    if answers.add and answers.about_all_gateways:
        raise MisuseError(
            "--add adds a gateway, and changes neither InfluxDB nor the state folder",
            "run init without --add for them.",
        )
    if answers.account and (complaint := explain_no_e_mail(answers.account)):
        raise click.BadParameter(f"--account: {complaint}")


def _begin_draft(destination: Destination, before: Settings, answers: Answers) -> Draft:
    """Begin a draft with the answers that belong to no section, before the first question is asked.

    Raises SettingsError if such an answer is wrong. Raises StateError if the environment names a state folder
    although the service has its own.
    """
    draft = Draft(destination, before)
    if destination.systemd and read_own_variables().get("LOGGER_STATE_DIR"):
        raise StateError(
            "the environment sets LOGGER_STATE_DIR, but the service has a state folder of its own",
            "unset LOGGER_STATE_DIR",
        )
    settings = {
        "LOGGER_SITE": answers.site,
        "LOGGER_TIMEZONE": answers.timezone,
        "LOGGER_STATE_DIR": answers.state_dir,
    }
    for name, value in settings.items():
        if value is not None:
            draft.put(name, value)
    draft.require_good()
    return draft


def _ask_for_one_more(terminal: Terminal, draft: Draft, answers: Answers) -> None:
    """Run the sections about a gateway, for one more gateway."""
    click.secho("envoy-logger init --add", bold=True)
    add_gateway(terminal, draft, answers, SystemClock())


def _ask_sections(terminal: Terminal, draft: Draft, answers: Answers) -> None:
    """Run every section at the first set-up. Later run only the sections that an option or a person names."""
    clock, before = SystemClock(), draft.before
    enphase, influxdb = before.enphase, before.influxdb
    has_list = before.listed is not None
    is_first = not enphase.gateway and not has_list
    if has_list and (answers.about_gateway or answers.about_sign_in):
        raise MisuseError(f"the gateways are listed in {enphase.gateways_file}", "edit that file, or add --add.")
    is_named = bool(answers.about_gateway or answers.about_sign_in or answers.about_influxdb or draft.values)

    def wants(is_given: bool, description: str, *, of_one: bool = False) -> bool:
        if of_one and has_list:
            return False
        if is_first or is_named:
            return is_first or is_given
        return terminal.asks and terminal.confirm(f"{description}. Change it", default=False)

    def find_and_pin(answers: Answers) -> FoundGateway:
        found = find_gateway(terminal, draft, answers, clock)
        pin_certificate(terminal, draft, answers, found)
        return found

    click.secho("envoy-logger init", bold=True, nl=False)
    click.echo("   Settings are written at the very end; Ctrl-C leaves them as they were." if terminal.asks else "")
    gateway = None
    place = f"The gateway is {enphase.serial or 'the one'} at {enphase.gateway}"
    if wants(answers.about_gateway, place, of_one=True):
        gateway = find_and_pin(answers)
    is_another = gateway is not None and bool(enphase.serial) and gateway.info.serial != enphase.serial
    signed_in = f"It is signed in to {_describe_sign_in(before)}"
    if is_another or wants(answers.about_sign_in, signed_in, of_one=True):
        gateway = gateway or find_and_pin(replace(answers, gateway=enphase.gateway))
        access = set_up_sign_in(terminal, draft, answers, gateway, clock)
        if is_first or is_another:
            set_up_zone(terminal, draft, access, clock)
    url = influxdb.url or "not set: readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB"
    if wants(answers.about_influxdb, f"InfluxDB is {url}"):
        set_up_influxdb(terminal, draft, answers, clock)


def _describe_sign_in(before: Settings) -> str:
    """Describe the present sign-in."""
    enphase = before.enphase
    ways = [f"with the account {enphase.username}"] if enphase.username else []
    ways += ["with a pasted token"] if enphase.token else []
    return " and ".join(ways) or "without account or token"


def _write(terminal: Terminal, draft: Draft) -> None:
    """Write all files, and print the path, the mode and the content of each file."""
    terminal.start_section("Written")
    files = draft.write()
    width = max(len(str(file.path)) for file in files)
    for file in files:
        listing = draft.listing[0] if draft.listing is not None else None
        contents = {draft.destination.env_file: "settings", listing: "gateways"}
        content = contents.get(file.path, "one secret")
        terminal.show_good(f"{file.path!s:<{width}}  {stat.filemode(file.path.stat().st_mode)}  {content}")
    set_outside = read_own_variables()
    for name in sorted(draft.values.keys() & set_outside.keys()):
        if set_outside[name] != draft.values[name]:
            terminal.show_bad(f"the environment also sets {name}, and its value is used\nTry: unset {name}")


def _show_next_steps(terminal: Terminal, destination: Destination) -> None:
    terminal.start_section("Next")
    for line in list_next_steps(destination):
        click.echo(f"   {line}")


def list_next_steps(destination: Destination) -> list[str]:
    """List the commands to run next, as a person can type them."""
    program, env_file = _name_of_program(), destination.env_file
    option = f" --env-file {shlex.quote(str(env_file))}"
    if env_file in (NEAREST.resolve(), places.INSTALLED):
        option = ""
    if destination.systemd:
        return [
            "sudo systemctl enable envoy-logger && sudo systemctl restart envoy-logger",
            "sudo journalctl -u envoy-logger -f",
            f"sudo {program} doctor{option}",
        ]
    commands = {
        f"{program} once --dry-run{option}": "one poll; prints the points of this poll",
        f"{program} run{option}": "record from now on",
        f"{program} doctor{option}": "check everything, and show the cure of each fault",
    }
    width = max(map(len, commands))
    return [f"{line:<{width}}   {purpose}" for line, purpose in commands.items()]


def _name_of_program() -> str:
    """Return the name of this program if a shell finds the program by its name; else return its path."""
    called = Path(sys.argv[0])
    found = shutil.which("envoy-logger")
    if called.name != "envoy-logger" or (found is not None and os.path.realpath(found) == os.path.realpath(called)):
        return "envoy-logger"
    return shlex.quote(str(called.absolute()))
