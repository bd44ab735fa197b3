"""When a sign-in at Enphase may be tried: one at a time over all processes, and slower from attempt to attempt.

Accounts get locked, so every attempt is written down *before* it is made, in a file named by the gateway's
serial that survives restarts and is shared by all commands. Wrong credentials stop it for 24 hours or until the
credentials change; of these only a salted hash is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from logger.errors import SignInBlockedError, SignInRefusedError, StateError
from logger.files import hand_over, write_atomically
from logger.gateway.cloud import Refusal
from logger.gateway.words import minute
from logger.retry import SIGN_IN, delay

_DAY_S: Final = 86400.0
_UNSENT_S: Final = 60.0
"""Where nothing was sent no account can be locked; DNS and network come back sooner than in hours."""
_STOPS: Final = frozenset({"refused", "mfa"})
"""Only a person can cure these; changed credentials lift them."""
_LOCK_WAIT_S: Final = 120.0
_LATER: Final = (
    "nothing, it goes on by itself; or set ENPHASE_TOKEN_FILE to a token made at https://entrez.enphaseenergy.com."
)


@dataclass(frozen=True, slots=True)
class CoolDown:
    """The attempts of the last day (unix seconds), before when there is no next one, and why, in words."""

    attempts: tuple[float, ...] = ()
    not_before: float = 0.0
    kind: str = ""
    why: str = ""
    hint: str = ""
    salt: str = ""
    credentials: str = ""


def sane(state: CoolDown, now: float) -> CoolDown:
    """The state, mended if it was written while the clock was far ahead: that cannot block for ever."""
    if state.not_before - now <= _DAY_S + 3600:
        return state
    return replace(state, attempts=(now,), not_before=now + SIGN_IN.most_s)


def begun(state: CoolDown, now: float) -> CoolDown:
    """Before an attempt: counted, and the next one pushed away, whatever becomes of this one."""
    attempts = (*(t for t in state.attempts if now - _DAY_S < t <= now), now)
    why, hint = "the last sign-in did not come to its end", _LATER
    not_before = now + delay(SIGN_IN, len(attempts))
    return replace(state, attempts=attempts, not_before=not_before, kind="begun", why=why, hint=hint)


def succeeded(state: CoolDown) -> CoolDown:
    """After a token came: the distance to the next attempt stays, so that refused tokens cannot drive a loop."""
    why = "a token was fetched a short time ago, and the gateway refuses it"
    return replace(state, kind="done", why=why, hint=_LATER)


def failed(state: CoolDown, refusal: Refusal, now: float) -> CoolDown:
    """After an attempt without a token."""
    not_before, attempts = state.not_before, state.attempts
    if refusal.kind == "unsent":
        not_before, attempts = now + _UNSENT_S, attempts[:-1]
    elif refusal.kind in _STOPS:
        not_before = now + _DAY_S
    return replace(
        state,
        attempts=attempts,
        not_before=max(not_before, now + refusal.wait_s),
        kind=refusal.kind,
        why=refusal.error.what,
        hint=refusal.error.hint,
    )


def with_credentials(state: CoolDown, username: str, password: str) -> CoolDown:
    """The state as it stands for these credentials: other ones than last time lift what only they could cure."""
    if state.salt and _hash(state.salt, username, password) == state.credentials:
        return state
    salt = secrets.token_hex(16)
    known = replace(state, salt=salt, credentials=_hash(salt, username, password))
    return replace(known, not_before=0.0, attempts=(), kind="") if state.kind in _STOPS else known


def check(state: CoolDown, now: float) -> None:
    """Raise SignInRefusedError or SignInBlockedError if no sign-in may be tried now.

    The words change only when another attempt has been made, so that a trouble is said once.
    """
    if now >= state.not_before:
        return
    if state.kind in ("refused", "no-token"):
        raise SignInRefusedError(state.why, state.hint)
    if state.kind in ("mfa", "unsent"):
        raise SignInBlockedError(state.why, state.hint)
    raise SignInBlockedError(
        f"no sign-in at Enphase before {minute(state.not_before)}, so that the account is not locked: {state.why}",
        state.hint,
    )


def load(state_dir: Path, serial: str) -> CoolDown:
    """The stored state. One that cannot be read counts as an attempt just made, never as none."""
    path = _path(state_dir, serial)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return CoolDown(
            tuple(float(t) for t in values["attempts"]),
            float(values["not_before"]),
            str(values["kind"]),
            str(values["why"]),
            str(values["hint"]),
            str(values["salt"]),
            str(values["credentials"]),
        )
    except FileNotFoundError:
        return CoolDown()
    except OSError as error:
        raise StateError(
            f"{path} cannot be read: {error.strerror}", "make it the recorder's own again, or remove it."
        ) from error
    except (ValueError, KeyError, TypeError):
        modified = path.stat().st_mtime
        return CoolDown((modified,), modified + SIGN_IN.most_s, "unreadable", f"{path} was damaged", _LATER)


def save(state_dir: Path, serial: str, state: CoolDown) -> None:
    """Keep the state. Raises StateError: without it no attempt is made."""
    path = _path(state_dir, serial)
    try:
        write_atomically(path, (json.dumps(asdict(state), indent=1) + "\n").encode())
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}", "make the state folder writable.") from error


@contextlib.asynccontextmanager
async def alone(state_dir: Path, serial: str) -> AsyncIterator[None]:
    """Hold the lock that lets one process at a time sign in; wait for the others, in real time."""
    path = state_dir / f"signin-{serial}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}", "make the state folder writable.") from error
    try:
        hand_over(path)
        until = time.monotonic() + _LOCK_WAIT_S
        while not _locked(descriptor):
            if time.monotonic() > until:
                raise SignInBlockedError(
                    "another process has been signing in at Enphase for two minutes", "end it, or wait for it."
                )
            await asyncio.sleep(0.1)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _path(state_dir: Path, serial: str) -> Path:
    return state_dir / f"signin-{serial}.json"


@functools.lru_cache(maxsize=4)
def _hash(salt: str, username: str, password: str) -> str:
    """Slow on purpose: the file must not help anybody who guesses."""
    text = json.dumps([username, password]).encode()
    return hashlib.scrypt(text, salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
