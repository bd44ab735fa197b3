"""Signs in at Enphase, one sign-in at a time for each account. Each account has its own cool-down file.

The cool-down protects the account. So the account's file counts the attempts of all commands and for all gateways of
the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from pydantic import TypeAdapter

from logger.clock import Clock, SystemClock
from logger.errors import SignInBlockedError, StateError
from logger.files import describe_write_error, hand_over, write_atomically
from logger.gateway import tokens
from logger.gateway.access import Access
from logger.gateway.cloud import Refusal, fetch_token
from logger.gateway.cool_down import LATER, CoolDown
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.tokens import Token
from logger.retry import SIGN_IN, SIGN_IN_LOCK, attempt

_STORED: Final = TypeAdapter(CoolDown)
_NAMES: Final = {item.name for item in fields(CoolDown)}
_QUEUES: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Path, asyncio.Lock]]] = WeakKeyDictionary()
"""Lock file of an account → the lock within this process, for which gateways of the account wait without a limit."""


async def sign_in(
    access: Access, serial: str, clock: Clock, events: GatewayEvents, is_usable: Callable[[Token], bool]
) -> Token:
    """Sign in once, and return the token.

    If another process has just fetched a usable token, return that token without a sign-in. Raises
    SignInRefusedError, SignInBlockedError or StateError.
    """
    async with _alone(path_of(access.state_dir, access.username).with_suffix(".lock")):
        kept = tokens.load(access.state_dir, serial, clock.time())
        if kept is not None and is_usable(kept):
            return kept
        state = _count(access, serial, clock.time())
        result = await fetch_token(access, serial, clock)
        now = clock.time()
        if isinstance(result, Refusal):
            state = state.fail(result, now)
            save(access.state_dir, access.username, state)
            events.record("sign_in_failed", state.why, "warning")
            state.apply_credentials(access.username, access.password, now).check(
                serial, now
            )  # raises the error of later attempts
            raise result.error
        tokens.save(access.state_dir, serial, result)
        save(access.state_dir, access.username, state.succeed(now, access.sharing))
    events.record(
        "token_renewed", f"a token of role {result.user} was fetched; it ends on {tokens.format_end(result)}"
    )
    if result.user == "installer":
        events.warn_once("installer_token", "this is an installer's account: its tokens last 12 hours only")
    return result


def check_allowed(access: Access, serial: str, now: float) -> None:
    """Raise SignInRefusedError, SignInBlockedError or StateError if no sign-in may be tried now."""
    state = load(access.state_dir, access.username).limit(now)
    state.apply_credentials(access.username, access.password, now).check(serial, now, access.sharing)


def _count(access: Access, serial: str, now: float) -> CoolDown:
    """Count an attempt before it is made. Raises SignInRefusedError, SignInBlockedError or StateError."""
    stored = load(access.state_dir, access.username)
    state = stored.limit(now).apply_credentials(access.username, access.password, now)
    if state != stored:
        save(access.state_dir, access.username, state)
    state.check(serial, now, access.sharing)
    state = state.begin(serial, now)
    save(access.state_dir, access.username, state)
    return state


def path_of(state_dir: Path, username: str) -> Path:
    """Return the path of an account's cool-down file. The file name does not reveal the account."""
    return state_dir / f"signin-{sha256(username.strip().lower().encode()).hexdigest()[:16]}.json"


def load(state_dir: Path, username: str) -> CoolDown:
    """Load the stored cool-down of an account. A damaged file counts as one attempt.

    Raises StateError if the file cannot be read.
    """
    path = path_of(state_dir, username)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.keys() != _NAMES:
            raise ValueError("something is missing")
        state = _STORED.validate_python(values)
        bytes.fromhex(state.salt)
        return state
    except FileNotFoundError:
        return CoolDown()
    except OSError as error:
        raise StateError(
            f"{path} cannot be read: {error.strerror}",
            "make the recorder's user the owner of the file, or remove the file.",
        ) from error
    except ValueError:
        modified = path.stat().st_mtime
        return CoolDown((modified,), modified + SIGN_IN.most_s, "unreadable", f"{path} was damaged", LATER)


def save(state_dir: Path, username: str, state: CoolDown) -> None:
    """Save the cool-down of an account.

    Raises StateError if the file cannot be written. In this case the caller must not sign in.
    """
    path = path_of(state_dir, username)
    try:
        write_atomically(path, _STORED.dump_json(state, indent=1) + b"\n")
    except OSError as error:
        raise describe_write_error(path, error) from error


@contextlib.asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Hold the lock that allows one sign-in of an account at a time.

    Raises SignInBlockedError if another process holds the lock for two minutes.
    """
    queue = _QUEUES.setdefault(asyncio.get_running_loop(), {}).setdefault(path, asyncio.Lock())
    async with queue:
        descriptor = await _lock_file(path)
        try:
            yield
        finally:
            os.close(descriptor)  # releases the lock


async def _lock_file(path: Path) -> int:
    """Lock the file against other processes. Return its descriptor. Raises SignInBlockedError, StateError."""

    async def lock() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}", "make the state folder writable.") from error
    try:
        hand_over(path)
        await attempt(SIGN_IN_LOCK, SystemClock(), lock)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise SignInBlockedError(
                "another process has been signing in at Enphase for two minutes",
                "end that process, or wait until it has ended.",
            ) from error
        if isinstance(error, OSError):
            raise StateError(
                f"{path} cannot be locked: {error.strerror}", "set LOGGER_STATE_DIR to a folder on a local disk."
            ) from error
        raise
    return descriptor
