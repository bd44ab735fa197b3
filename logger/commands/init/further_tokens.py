"""Keep the tokens that `init` makes for others: for the first user of a new server, and for Grafana."""

from __future__ import annotations

import os
from pathlib import Path

import click

from logger.commands.init.answers import Answers
from logger.commands.init.draft import Draft
from logger.commands.init.terminal import Terminal
from logger.influx.dialects import CREATE_ADMIN
from logger.provision.detect import Server
from logger.provision.plan import SetupResult


def keep_admin_token(terminal: Terminal, draft: Draft, answers: Answers, result: SetupResult) -> None:
    """Put the token of a new server's first user into the draft, if an option names a file for it.

    Without the option, show the token if a person answers the questions. Otherwise the token is not kept.
    """
    if result.admin_token and answers.keep_admin_token:
        draft.further[answers.keep_admin_token] = result.admin_token
    elif result.admin_token and terminal.asks:
        terminal.show_note("the first user's own token, shown this once: keep it where you keep passwords")
        click.echo(f"     {result.admin_token}")
    elif result.admin_token:
        terminal.show_note(
            "the first user's own token is not kept (--keep-admin-token keeps it); "
            "name and password can make another token"
        )


def keep_read_token(terminal: Terminal, draft: Draft, file: Path, server: Server, result: SetupResult | None) -> None:
    """Put the secret that was made for Grafana into the draft, as the content of `file`.

    If no secret was made, `file` is missing, and the server requires a secret, explain how to make a secret.
    """
    reading = None if result is None else result.credentials.get("read")
    if reading is not None:
        draft.further[file] = reading.secret
        user = f" of user {reading.username}" if reading.username else ""
        terminal.show_note(f"for Grafana: the secret{user} in {file} may only read")
    elif not (server.is_open or os.path.exists(file)):
        by = f"{CREATE_ADMIN} grafana" if server.dialect == "3" else f"envoy-logger setup --read-token-file {file}"
        terminal.show_note(f"{file} was not written, because no token was made for Grafana; `{by}` makes one")
