"""Runs the command line. Each command has a module of its own, which is imported when the command is called.

After an error, two lines are printed, and the exit code states the kind of error.
"""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys
from types import ModuleType
from typing import Final

import click

from logger import __version__, log
from logger.commands.ui.named_commands import NamedCommands
from logger.errors import EnvoyLoggerError

COMMANDS: Final = {
    "init": "init.wizard",
    "run": "run",
    "once": "once",
    "check": "check",
    "devices": "devices",
    "status": "status",
    "health": "health",
    "version": "version",
    "demo": "demo",
    "simulate": "simulate",
    "capture": "capture",
    "fields": "fields",
    "setup": "setup",
    "discover": "discover",
    "doctor": "doctor",
    "outbox": "outbox",
    "export": "export",
    "query": "query",
    "backfill": "backfill",
    "tariff": "tariff",
    "backup": "backup",
    "restore": "restore_backup",
    "accept-certificate": "accept_certificate",
}
"""Command → its module in `logger.commands`."""


class _Commands(NamedCommands):
    """Imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a person needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with the name `cmd_name`; None if no command has this name."""
        if cmd_name not in COMMANDS:
            return None
        command = _import(COMMANDS[cmd_name]).command
        return command if isinstance(command, click.Command) else None


def _import(name: str) -> ModuleType:
    """Import a command's module. The imported objects are no garbage, so they are not searched for garbage."""
    is_searched = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(f"logger.commands.{name}")
    finally:
        if is_searched:
            gc.enable()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="envoy-logger", message="%(prog)s %(version)s")
def cli() -> None:
    """Record every reading of your Enphase gateway in your own InfluxDB.

    \b
    Try it without hardware:  envoy-logger demo
    Set it up:                envoy-logger init
    Record:                   envoy-logger run
    """


def run() -> None:
    """Run the command line and end the process with its exit code."""
    log.mask_crashes()
    _be_readable()
    try:
        code = cli.main(prog_name="envoy-logger", standalone_mode=False)
        raise SystemExit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _show(error)
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except EnvoyLoggerError as error:
        click.echo(log.mask(str(error)), err=True)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        output = error.filename or "the output"
        click.echo(f"the disk has no space for {output}: {error.strerror}\nTry: free space on that disk.", err=True)
        raise SystemExit(1) from None


def _show(error: click.ClickException) -> None:
    """Print the mistake in the command line, and what to do. If a subcommand is missing, print the help instead."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    is_help = context is not None and message == context.get_help()
    if is_help or "\nTry: " in message:
        error.show()
        return
    command = context.command_path if context is not None else "envoy-logger"
    click.echo(f"Error: {message}\nTry: {command} --help", err=True)


def _be_readable() -> None:
    """Let the output replace characters that the terminal cannot print.

    If the standard input is closed, put an empty standard input in its place.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  open until the process ends
