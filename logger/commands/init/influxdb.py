"""The database's part of `init`: look at it, make what is missing as `setup` does, prove that it can be written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import click

from logger.clock import Clock
from logger.commands.init.draft import Draft
from logger.commands.init.terminal import Terminal
from logger.commands.setup import line
from logger.errors import InfluxError, InfluxRefusedError
from logger.influx.classify import Blocked, Done, Outcome
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import ROLES, Role
from logger.provision.detect import Server, detect_server
from logger.provision.plan import Admin, Purpose, SetupPlan, SetupResult
from logger.provision.set_up import set_up
from logger.provision.setup_v1 import USERS

_NONE: Final = "none"
_SECRETS: Final = ("INFLUXDB_TOKEN", "INFLUXDB_PASSWORD")
_BUCKETS: Final[Mapping[Role, str]] = {
    "totals": "INFLUXDB_BUCKET", "devices": "INFLUXDB_BUCKET_DEVICES", "daily": "INFLUXDB_BUCKET_DAILY",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DatabaseAnswers:
    """What was given as options; None and empty mean not given."""

    url: str = ""
    org: str = ""
    buckets: Mapping[Role, str] = field(default_factory=dict)
    retention: Mapping[Role, int | None] = field(default_factory=dict)
    token: str | None = None
    user: str = ""
    password: str | None = None
    admin_token: str | None = None
    admin_user: str = ""
    admin_password: str | None = None
    keep_admin_token: Path | None = None
    read_token_file: Path | None = None

    @property
    def credentials(self) -> bool:
        """Whether any is about who signs in."""
        return any((self.token, self.user, self.password, self.admin_token, self.admin_user, self.admin_password))

    @property
    def given(self) -> bool:
        """Whether any is."""
        spans = (span is not None for span in self.retention.values())
        return self.credentials or any((self.url, self.org, any(self.buckets.values()), any(spans)))


def database(terminal: Terminal, draft: Draft, given: DatabaseAnswers, clock: Clock) -> None:
    """Everything about the database; what it needs goes into the draft."""
    terminal.heading("InfluxDB")
    answers, default = given, draft.before.influxdb.url or "http://localhost:8086"

    def attempt() -> None:
        nonlocal answers, default
        told, answers = answers, DatabaseAnswers(org=given.org, buckets=given.buckets, retention=given.retention)
        url = told.url or (draft.before.influxdb.url if not terminal.asks else "")
        if not url and terminal.asks:
            url = default = terminal.text("Its address, or none", default=default, option="--influxdb-url")
        _database(terminal, draft, told, url, clock)

    terminal.again(attempt)


def _database(terminal: Terminal, draft: Draft, given: DatabaseAnswers, url: str, clock: Clock) -> None:
    known = draft.before.influxdb
    if not url or url == _NONE:
        draft.put("INFLUXDB_URL", "")
        terminal.note("none: everything is kept in the embedded store, and delivered the day there is one")
        return
    if "://" not in url:
        url = f"http://{url}"
    buckets: dict[Role, str] = {role: given.buckets.get(role) or known.buckets[role] for role in ROLES}
    named = {variable: buckets[role] for role, variable in _BUCKETS.items()}
    draft.judge(INFLUXDB_URL=url, INFLUXDB_ORG=given.org, INFLUXDB_USERNAME=given.user, **named)
    url = url.rstrip("/")
    target = Target(url, known.api, "", given.org or known.org, "", "", buckets)
    found = asyncio.run(detect_server(target, clock))
    state = ", not set up yet" if found.is_fresh else ", takes everybody" if found.is_open else ""
    terminal.good(f"{found.name} at {url}{state}")
    if found.dialect == "2" and not found.is_other and not target.org:
        target = replace(target, org=terminal.text("Its organisation", default="home", option="--org"))
        draft.judge(INFLUXDB_ORG=target.org)
    made = None
    if (present := _present(terminal, draft, given, target, clock)) is not None:
        target = present
    elif _is_ready(given, found):
        target = replace(target, token=given.token or "", username=given.user, password=given.password or "")
    elif (admin := _admin(terminal, given, draft, found)) is not None:
        plan = _plan_setup(terminal, draft, given, target)
        made = asyncio.run(set_up(url, found, admin, plan, clock))
        for step in made.steps:
            terminal.good(line(step))
        target = _as_made(target, made, admin, found)
    else:
        target = _by_hand(terminal, target, found)
    _prove(terminal, asyncio.run(_written(target, clock)), buckets)
    _into(draft, target, known.buckets)
    if made is not None:
        _keep(terminal, draft, given, made)


def _present(terminal: Terminal, draft: Draft, given: DatabaseAnswers, target: Target, clock: Clock) -> Target | None:
    """As it is set now, where that may write to these buckets and nobody gives anything else."""
    known = draft.before.influxdb
    secrets = known.token.get_secret_value(), known.password.get_secret_value()
    if target.url != known.url or not any(secrets) or given.credentials:
        return None
    present = replace(target, token=secrets[0], username=known.username, password=secrets[1])
    if any(outcome != Done() for outcome in asyncio.run(_written(present, clock)).values()):
        return None
    if terminal.asks and not terminal.confirm("What is set now may write there; keep it", default=True):
        return None
    return present


def _is_ready(given: DatabaseAnswers, found: Server) -> bool:
    """Whether the credentials that may write were given."""
    return bool(given.token) or bool(given.user and given.password) and found.dialect == "1" and not given.admin_user


def _admin(terminal: Terminal, given: DatabaseAnswers, draft: Draft, found: Server) -> Admin | None:
    """Who makes what is missing; None where nobody does."""
    known = draft.before.influxdb.admin_token.get_secret_value()
    admin = Admin(given.admin_token or known, given.admin_user, given.admin_password or "")
    if found.is_open or (found.dialect != "1" and admin.token) or (admin.username and admin.password):
        return admin
    if not terminal.asks:
        if given.admin_user or found.is_fresh:
            raise terminal.lacking("--admin-user with --admin-password-file")
        raise terminal.lacking(
            "--admin-token-file, --admin-user with --admin-password-file, or --influxdb-token-file"
        )
    if found.is_fresh:
        click.echo("   It has no user yet. The first one may do everything; the recorder gets a token of its own.")
        name = terminal.text("Name of its first user", default=given.admin_user or "admin", option="--admin-user")
        password = given.admin_password or terminal.secret(
            "Password (8 letters or more)", option="--admin-password-file", twice=True
        )
        return Admin(admin.token, name, password)
    if found.dialect == "1":
        choices = ("with an administrator's name and password: makes databases and a user who may only write",
                   "with a user of mine who may write; the databases are there")  # fmt: skip
        if terminal.choose("How", choices, option="--admin-user") == 1:
            return None
        name = terminal.text("Administrator", default=given.admin_user or "admin", option="--admin-user")
        return Admin("", name, terminal.secret("Password", option="--admin-password-file"))
    choices = (
        "with an administrator's token: makes buckets and a token that may only write to them",
        "with a token of mine that may write; the buckets are there",
    )
    if terminal.choose("How", choices, option="--admin-token-file") == 1:
        return None
    return Admin(terminal.secret("The administrator's token (it is not shown)", option="--admin-token-file"))


def _by_hand(terminal: Terminal, target: Target, found: Server) -> Target:
    """Credentials that a person has made."""
    if found.dialect == "1":
        name = terminal.text("User", default=target.username or USERS["write"], option="--influxdb-user")
        return replace(target, username=name, password=terminal.secret("Password", option="--influxdb-password-file"))
    return replace(target, token=terminal.secret("The token (it is not shown)", option="--influxdb-token-file"))


def _plan_setup(terminal: Terminal, draft: Draft, given: DatabaseAnswers, target: Target) -> SetupPlan:
    spans: dict[str, int | None] = {}
    for role in ROLES:
        span = given.retention.get(role)
        spans[target.buckets[role]] = span if span is not None else spans.get(target.buckets[role])
    before = draft.before.influxdb
    own = before.token.get_secret_value() or before.password.get_secret_value() or given.password or ""
    purposes: tuple[Purpose, ...] = ("write", "read") if given.read_token_file else ("write",)
    username = given.user or before.username
    held: dict[Purpose, str] = {"write": own} if own else {}
    if given.read_token_file:
        with contextlib.suppress(OSError):  # one that is not there is made, one that cannot be read is replaced
            held["read"] = given.read_token_file.read_bytes().decode("utf-8", "replace").strip()
    return SetupPlan(spans, target.org, username, purposes, held)


def _as_made(target: Target, made: SetupResult, admin: Admin, found: Server) -> Target:
    """The target with what the recorder signs in with."""
    credential = made.credentials.get("write")
    if credential is None:  # 3.x has no smaller token; a server that takes everybody wants none
        return replace(target, token=admin.token if found.dialect == "3" else "")
    if credential.username:
        return replace(target, username=credential.username, password=credential.secret)
    return replace(target, token=credential.secret)


async def _written(target: Target, clock: Clock) -> dict[Role, Outcome]:
    writer = Writer(target, clock)
    try:
        return await writer.check()
    finally:
        await writer.aclose()


def _prove(terminal: Terminal, outcomes: Mapping[Role, Outcome], buckets: Mapping[Role, str]) -> None:
    """An empty write to each bucket says whether the recorder may write there. Raises InfluxError."""
    for outcome in outcomes.values():
        if isinstance(outcome, Blocked):
            kind = InfluxRefusedError if outcome.kind == "credentials" else InfluxError
            raise kind(outcome.reason, outcome.hint)
        if not isinstance(outcome, Done):
            raise InfluxError(f"InfluxDB takes no points: {getattr(outcome, 'reason', outcome)}", "try it again.")
    terminal.good(f"may write to {', '.join(dict.fromkeys(buckets.values()))}")


def _into(draft: Draft, target: Target, defaults: Mapping[Role, str]) -> None:
    draft.drop(*_SECRETS)
    draft.put("INFLUXDB_URL", target.url)
    draft.put("INFLUXDB_ORG", target.org)
    draft.put("INFLUXDB_USERNAME", target.username)
    for role, name in _BUCKETS.items():
        if target.buckets[role] != defaults[role]:
            draft.put(name, target.buckets[role])
    if target.token:
        draft.put_secret("INFLUXDB_TOKEN", target.token)
    if target.password:
        draft.put_secret("INFLUXDB_PASSWORD", target.password)


def _keep(terminal: Terminal, draft: Draft, given: DatabaseAnswers, made: SetupResult) -> None:
    """What was made for others than the recorder: kept only where it was asked for."""
    if made.admin_token:
        if given.keep_admin_token:
            draft.further[given.keep_admin_token] = made.admin_token
        else:
            terminal.note(
                "the first user's own token is not kept (--keep-admin-token); name and password make another"
            )
    reading = made.credentials.get("read")
    if reading is not None and given.read_token_file:
        draft.further[given.read_token_file] = reading.secret
        user = f" of user {reading.username}" if reading.username else ""
        terminal.note(f"for Grafana: the secret{user} in {given.read_token_file} may only read")
