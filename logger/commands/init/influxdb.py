"""The InfluxDB section of `init`: detects InfluxDB, creates missing buckets as `setup` does, and tests a write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import click

from logger.clock import Clock
from logger.commands.init.answers import Answers
from logger.commands.init.draft import Draft
from logger.commands.init.further_tokens import keep_admin_token, keep_read_token
from logger.commands.init.terminal import Terminal, missing_answer
from logger.errors import InfluxError, InfluxRefusedError
from logger.influx.classify import Blocked, Done, Outcome
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import ROLES, Role
from logger.provision.detect import Server, SignIn, detect_server, list_sign_ins
from logger.provision.plan import Admin, Purpose, RecorderName, SetupPlan, SetupResult, describe_step
from logger.provision.set_up import set_up
from logger.provision.setup_v1 import USERS
from logger.settings.environment import read_hostname

_NONE: Final = "none"
_BUCKETS: Final[Mapping[Role, str]] = {
    "totals": "INFLUXDB_BUCKET", "devices": "INFLUXDB_BUCKET_DEVICES", "daily": "INFLUXDB_BUCKET_DAILY",
}  # fmt: skip
_SETTINGS: Final = ("INFLUXDB_URL", "INFLUXDB_API", "INFLUXDB_ORG", "INFLUXDB_USERNAME", "INFLUXDB_PASSWORD",
                    "INFLUXDB_TOKEN", *_BUCKETS.values())  # fmt: skip


def set_up_influxdb(terminal: Terminal, draft: Draft, answers: Answers, clock: Clock) -> None:
    """Ask for the InfluxDB to write to, prepare this InfluxDB, and put the settings for it into the draft."""
    terminal.start_section("InfluxDB")
    known = draft.before.influxdb.url

    def attempt(is_first: bool) -> bool:
        given = answers if is_first else answers.without_influxdb_server()
        url = given.influxdb_url or ("" if terminal.asks else known)
        if not url and terminal.asks:
            suggested = known or "http://localhost:8086"
            url = terminal.ask("Its address, or none", default=suggested, option="--influxdb-url")
        if not url or url == _NONE:
            draft.put("INFLUXDB_URL", "")
            terminal.show_note(
                "none: readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB, until an InfluxDB is set"
            )
        else:
            _set_up_server(terminal, draft, given, url if "://" in url else f"http://{url}", clock)
        return True

    later = "Leave InfluxDB for later, and keep the other answers"
    if terminal.retry(attempt, later=later) is None:
        draft.forget(*_SETTINGS)
        terminal.show_note(
            "left out: readings stay in the recorder's own store; `envoy-logger init` asks for InfluxDB again"
        )


def _set_up_server(terminal: Terminal, draft: Draft, answers: Answers, url: str, clock: Clock) -> None:
    known = draft.before.influxdb
    buckets: dict[Role, str] = {role: answers.buckets[role] or known.buckets[role] for role in ROLES}
    named = {variable: buckets[role] for role, variable in _BUCKETS.items()}
    draft.require_good(INFLUXDB_URL=url, INFLUXDB_ORG=answers.org, INFLUXDB_USERNAME=answers.influxdb_user, **named)
    url = url.rstrip("/")
    api = known.api if known.url in ("", url) else "auto"
    target = Target(url, api, "", answers.org or known.org, "", "", buckets)
    server, answers = _detect(terminal, draft, answers, target, clock)
    state = ", not set up yet" if server.is_fresh else ", asks for no credentials" if server.is_open else ""
    terminal.show_good(f"{server.name} at {target.url}{state}")
    if server.dialect == "2" and not server.is_other and not target.org:
        target = replace(target, org=terminal.ask("Its organisation", default="home", option="--org"))
        draft.require_good(INFLUXDB_ORG=target.org)
    result = None
    signed_in = _use_present(terminal, draft, answers, target, clock) or _use_given(answers, target, server)
    if signed_in is None and (admin := _choose_admin(terminal, draft, answers, server)) is not None:
        result = asyncio.run(set_up(target.url, server, admin, _plan_setup(draft, answers, target), clock))
        for step in result.steps:
            terminal.show_good(describe_step(step))
        signed_in = _use_made(target, result, admin, server)
    signed_in = signed_in or _ask_credentials(terminal, target, server)
    _require_writing(asyncio.run(_check_writing(signed_in, clock)))
    terminal.show_good(f"may write to {', '.join(dict.fromkeys(buckets.values()))}")
    _put_target(draft, signed_in, known.buckets)
    draft.put("INFLUXDB_API", server.dialect if server.is_guarded else api, default="auto")
    if result is not None:
        keep_admin_token(terminal, draft, answers, result)
    if answers.read_token_file is not None:
        keep_read_token(terminal, draft, answers.read_token_file, server, result)


def _detect(
    terminal: Terminal, draft: Draft, answers: Answers, target: Target, clock: Clock
) -> tuple[Server, Answers]:
    """Detect the server. Return the server, and the answers with the credentials that the detection needed."""
    given = _list_given(draft, answers, target)
    try:
        return asyncio.run(detect_server(target, clock, given)), answers
    except InfluxRefusedError as error:
        if given or not terminal.asks:
            raise
        terminal.show_note(error.message)
    choices = ("a token (InfluxDB 3)", "a user and a password (InfluxDB 1)")
    if terminal.choose("It wants", choices, option="--admin-token-file") == 0:
        token = terminal.ask_secret("The administrator's token (it is not shown)", option="--admin-token-file")
        answers = replace(answers, admin_token=token)
    else:
        name = terminal.ask("Administrator", default="admin", option="--admin-user")
        password = _ask_admin_password(terminal, "Password", twice=False)
        answers = replace(answers, admin_user=name, admin_password=password)
    return asyncio.run(detect_server(target, clock, _list_given(draft, answers, target))), answers


def _list_given(draft: Draft, answers: Answers, target: Target) -> list[SignIn]:
    """List the credentials for this server from the options and, if its address is unchanged, from the settings."""
    tokens = [answers.admin_token or "", answers.influxdb_token or ""]
    users = [(answers.admin_user, answers.admin_password or "")]
    users += [(answers.influxdb_user, answers.influxdb_password or "")]
    known = draft.before.influxdb
    if target.url == known.url:
        tokens += [known.admin_token.get_secret_value(), known.token.get_secret_value()]
        users += [(known.username, known.password.get_secret_value())]
    return list_sign_ins(tokens, users)


# --- with which credentials -------------------------------------------------------------------------------------


def _use_present(terminal: Terminal, draft: Draft, answers: Answers, target: Target, clock: Clock) -> Target | None:
    """Return the target with the credentials of the present settings.

    Return None if the settings have no credentials for this server, if the credentials may not write, or if a person
    or an option requires other credentials.
    """
    known = draft.before.influxdb
    token, password = known.token.get_secret_value(), known.password.get_secret_value()
    if target.url != known.url or not (token or password) or answers.has_influxdb_credentials:
        return None
    present = replace(target, token=token, username=known.username, password=password)
    if any(outcome != Done() for outcome in asyncio.run(_check_writing(present, clock)).values()):
        return None
    if terminal.asks and not terminal.confirm("The present credentials may write there; keep them", default=True):
        return None
    return present


def _use_given(answers: Answers, target: Target, server: Server) -> Target | None:
    """Return the target with the recorder's credentials from the options; None without such options."""
    user, password = answers.influxdb_user, answers.influxdb_password
    is_user = server.dialect == "1" and bool(user and password) and not answers.admin_user
    if not answers.influxdb_token and not is_user:
        return None
    return replace(target, token=answers.influxdb_token or "", username=user, password=password or "")


def _use_made(target: Target, result: SetupResult, admin: Admin, server: Server) -> Target:
    """Return the target with the credentials that were made for the recorder.

    InfluxDB 3 has no lesser token, so there the recorder gets the administrator's token. For an open server the
    target has no credentials.
    """
    credential = result.credentials.get("write")
    if credential is None:  # 3.x has no smaller token; an open server needs no token
        return replace(target, token=admin.token if server.dialect == "3" else "")
    if credential.username:
        return replace(target, username=credential.username, password=credential.secret)
    return replace(target, token=credential.secret)


def _ask_credentials(terminal: Terminal, target: Target, server: Server) -> Target:
    """Ask for credentials that exist in InfluxDB already. Return the target with these credentials."""
    if server.dialect == "1":
        name = terminal.ask("User", default=target.username or USERS["write"], option="--influxdb-user")
        password = terminal.ask_secret("Password", option="--influxdb-password-file")
        return replace(target, username=name, password=password)
    return replace(target, token=terminal.ask_secret("The token (it is not shown)", option="--influxdb-token-file"))


def _choose_admin(terminal: Terminal, draft: Draft, answers: Answers, server: Server) -> Admin | None:
    """Choose the administrator who creates missing buckets and tokens.

    Return None if the person chooses to enter existing credentials that may write. Nothing has to be created then.
    """
    token = answers.admin_token or draft.before.influxdb.admin_token.get_secret_value()
    admin = Admin(token, answers.admin_user, answers.admin_password or "")
    if server.is_open or (server.dialect != "1" and token) or (admin.username and admin.password):
        return admin
    if not terminal.asks:
        by_name = "--admin-user with --admin-password-file"
        is_named = answers.admin_user or server.is_fresh
        raise missing_answer(by_name if is_named else f"--admin-token-file, {by_name}, or --influxdb-token-file")
    if server.is_fresh:
        click.echo(
            "   This InfluxDB has no user yet. The first one may do everything; the recorder gets its own token."
        )
        name = terminal.ask("Name of its first user", default=admin.username or "admin", option="--admin-user")
        return Admin(token, name, admin.password or _ask_admin_password(terminal, "Password (8 letters or more)"))
    if server.dialect == "1":
        choices = ("with an administrator's name and password: makes databases and a user who may only write",
                   "with a user of mine who may write; the databases are there")  # fmt: skip
        if terminal.choose("How", choices, option="--admin-user") == 1:
            return None
        name = terminal.ask("Administrator", default=admin.username or "admin", option="--admin-user")
        return Admin("", name, _ask_admin_password(terminal, "Password", twice=False))
    makes = "makes buckets and a token that may only write to them"
    ways = {
        "token": f"with an administrator's token: {makes}",
        "password": f"with an administrator's name and password: {makes}",
        "own": "with a token of mine that may write; the buckets are there",
    }
    if server.dialect == "3":
        del ways["password"]
    way = [*ways][terminal.choose("How", [*ways.values()], option="--admin-token-file")]
    if way == "own":
        return None
    if way == "password":
        name = terminal.ask("Administrator", default=admin.username or "admin", option="--admin-user")
        return Admin("", name, _ask_admin_password(terminal, "Password", twice=False))
    return Admin(terminal.ask_secret("The administrator's token (it is not shown)", option="--admin-token-file"))


def _ask_admin_password(terminal: Terminal, question: str, *, twice: bool = True) -> str:
    return terminal.ask_secret(question, option="--admin-password-file", twice=twice)


# --- making and checking ----------------------------------------------------------------------------------------


def _plan_setup(draft: Draft, answers: Answers, target: Target) -> SetupPlan:
    """Plan the buckets with their retention, and the credentials.

    A secret that is known already is used again if InfluxDB accepts it.
    """
    spans: dict[str, int | None] = {}
    for role in ROLES:
        span, bucket = answers.retentions[role], target.buckets[role]
        spans[bucket] = span if span is not None else spans.get(bucket)
    before = draft.before.influxdb
    own = before.token.get_secret_value() or before.password.get_secret_value() or answers.influxdb_password
    held: dict[Purpose, str] = {"write": own} if own else {}
    purposes: tuple[Purpose, ...] = ("write",)
    if answers.read_token_file:
        purposes = ("write", "read")
        with contextlib.suppress(OSError):  # a missing or unreadable token is made again
            held["read"] = answers.read_token_file.read_bytes().decode("utf-8", "replace").strip()
    recorder = RecorderName(read_hostname(), str(draft.state_dir))
    return SetupPlan(spans, recorder, target.org, answers.influxdb_user or before.username, purposes, held)


async def _check_writing(target: Target, clock: Clock) -> dict[Role, Outcome]:
    writer = Writer(target, clock)
    try:
        return await writer.check()
    finally:
        await writer.aclose()


def _require_writing(outcomes: Mapping[Role, Outcome]) -> None:
    """Raise InfluxError or InfluxRefusedError if the recorder may not write to one of the buckets."""
    for outcome in outcomes.values():
        if isinstance(outcome, Blocked):
            kind = InfluxRefusedError if outcome.kind == "credentials" else InfluxError
            raise kind(outcome.reason, outcome.hint)
        if not isinstance(outcome, Done):
            raise InfluxError(f"InfluxDB takes no points: {getattr(outcome, 'reason', outcome)}", "try it again.")


def _put_target(draft: Draft, target: Target, defaults: Mapping[Role, str]) -> None:
    """Put the target into the draft. `defaults`: the buckets that the settings name already, which need no change."""
    draft.drop("INFLUXDB_TOKEN", "INFLUXDB_PASSWORD")
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
