"""When a sign-in at Enphase may be tried: one at a time over all processes, and slower from attempt to attempt.

Accounts get locked, so every attempt is written down *before* it is made, in a file that survives restarts and is
shared by all commands. It is the account that is spared, so the file belongs to no gateway: whatever serial answers
counts on the same list. Wrong credentials stop it for 24 hours or until the credentials change; of these only salted
hashes are kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from logger.clock import SystemClock, format_minute
from logger.errors import SignInBlockedError, SignInRefusedError, StateError
from logger.files import hand_over, unwritten, write_atomically
from logger.gateway.cloud import Refusal
from logger.retry import SIGN_IN, SIGN_IN_LOCK, attempt

_DAY_S: Final = 86400.0
MOST_A_DAY: Final = 16
"""The ceiling in any 24 hours, changed credentials included; the delays alone come to 14."""
_UNSENT_S: Final = 60.0
"""Where nothing was sent no account can be locked; DNS and network come back sooner than in hours."""
_STOPS: Final = frozenset({"refused", "blocked", "mfa"})
"""Only a person can cure these; changed credentials lift them."""
_FILE: Final = "signin.json"
_LATER: Final = "wait, or set ENPHASE_TOKEN_FILE to a token made at https://entrez.enphaseenergy.com."


@dataclass(frozen=True, slots=True)
class Stop:
    """Credentials that only a person can cure are not tried before `until` (unix seconds)."""

    until: float
    kind: str
    why: str
    hint: str


@dataclass(frozen=True, slots=True)
class CoolDown:
    """The attempts of the last day (unix seconds), before when there is no next one, and why, in words.

    `serial` and `credentials` (a hash): of the last attempt. `stops`: by such a hash.
    """

    attempts: tuple[float, ...] = ()
    not_before: float = 0.0
    kind: str = ""
    why: str = ""
    hint: str = ""
    salt: str = ""
    credentials: str = ""
    serial: str = ""
    stops: Mapping[str, Stop] = field(default_factory=dict)


def sane(state: CoolDown, now: float) -> CoolDown:
    """The state, mended if it was written while the clock was far ahead: that cannot block for ever."""
    stops = {known: replace(stop, until=min(stop.until, now + _DAY_S)) for known, stop in state.stops.items()}
    state = replace(state, stops=stops) if stops != state.stops else state
    if state.not_before - now <= _DAY_S + 3600:
        return state
    return replace(state, attempts=(now,), not_before=now + SIGN_IN.most_s)


def begun(state: CoolDown, serial: str, now: float) -> CoolDown:
    """Before an attempt: counted, and the next one pushed away, whatever becomes of this one."""
    attempts = (*(t for t in state.attempts if now - _DAY_S < t <= now), now)
    not_before = now + SIGN_IN.pause_s(len(attempts))
    if len(attempts) >= MOST_A_DAY:
        not_before = max(not_before, attempts[-MOST_A_DAY] + _DAY_S)
    return replace(
        state,
        attempts=attempts,
        not_before=not_before,
        kind="begun",
        why="the last sign-in did not come to its end",
        hint=_LATER,
        serial=serial,
    )


def succeeded(state: CoolDown) -> CoolDown:
    """After a token came: the distance to the next attempt stays, so that refused tokens cannot drive a loop."""
    why = "a token was fetched a short time ago, and the gateway refuses it"
    return replace(state, kind="done", why=why, hint=_LATER)


def failed(state: CoolDown, refusal: Refusal, now: float) -> CoolDown:
    """After an attempt without a token."""
    not_before, attempts = state.not_before, state.attempts
    stops = {known: stop for known, stop in state.stops.items() if stop.until > now}
    if refusal.kind == "unsent":
        not_before, attempts = now + _UNSENT_S, attempts[:-1]
    elif refusal.kind in _STOPS:
        stops[state.credentials] = Stop(now + _DAY_S, refusal.kind, refusal.error.message, refusal.error.hint)
    return replace(
        state,
        attempts=attempts,
        not_before=max(not_before, now + refusal.wait_s),
        kind=refusal.kind,
        why=refusal.error.message,
        hint=refusal.error.hint,
        stops=stops,
    )


def with_credentials(state: CoolDown, username: str, password: str, now: float) -> CoolDown:
    """The state as it stands for these credentials: other ones than last time need not wait for what those did wrong.

    Raises SignInRefusedError or SignInBlockedError where these are stopped, whatever others did in between: two
    processes with different wrong passwords do not free each other.
    """
    state = state if state.salt else replace(state, salt=secrets.token_hex(16))
    known = _hash(state.salt, username, password)
    stop = state.stops.get(known)
    if stop is not None and stop.until > now:
        raise (SignInRefusedError if stop.kind == "refused" else SignInBlockedError)(stop.why, stop.hint)
    if known == state.credentials:
        return state
    if state.kind not in _STOPS:
        return replace(state, credentials=known)
    recent = [t for t in state.attempts if now - _DAY_S < t <= now]
    free_at = recent[-MOST_A_DAY] + _DAY_S if len(recent) >= MOST_A_DAY else 0.0
    return replace(state, credentials=known, not_before=free_at)


def check(state: CoolDown, serial: str, now: float) -> None:
    """Raise SignInRefusedError or SignInBlockedError if no sign-in for that gateway may be tried now.

    The words change only when another attempt has been made, so that a trouble is said once.
    """
    if now >= state.not_before:
        return
    why, hint = state.why, state.hint
    if state.kind in ("done", "no-token") and state.serial not in ("", serial):
        why, hint = f"the last one was for gateway {state.serial}", _LATER
    elif state.kind == "no-token":
        raise SignInRefusedError(why, hint)
    elif state.kind == "unsent":
        raise SignInBlockedError(why, hint)
    raise SignInBlockedError(
        f"no sign-in at Enphase before {format_minute(state.not_before)}, so that the account is not locked: {why}",
        hint,
    )


def load(state_dir: Path) -> CoolDown:
    """The stored state. One that cannot be read counts as an attempt just made, never as none."""
    path = state_dir / _FILE
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
            str(values["serial"]),
            {
                str(known): Stop(float(stop["until"]), str(stop["kind"]), str(stop["why"]), str(stop["hint"]))
                for known, stop in values["stops"].items()
            },
        )
    except FileNotFoundError:
        return CoolDown()
    except OSError as error:
        raise StateError(
            f"{path} cannot be read: {error.strerror}", "make it the recorder's own again, or remove it."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        modified = path.stat().st_mtime
        return CoolDown((modified,), modified + SIGN_IN.most_s, "unreadable", f"{path} was damaged", _LATER)


def save(state_dir: Path, state: CoolDown) -> None:
    """Keep the state. Raises StateError: without it no attempt is made."""
    path = state_dir / _FILE
    try:
        write_atomically(path, (json.dumps(asdict(state), indent=1) + "\n").encode())
    except OSError as error:
        raise unwritten(path, error) from error


@contextlib.asynccontextmanager
async def alone(state_dir: Path) -> AsyncIterator[None]:
    """Hold the lock that lets one process at a time sign in; wait for the others, in real time."""

    async def lock() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    path = state_dir / "signin.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}", "make the state folder writable.") from error
    try:
        hand_over(path)
        try:
            await attempt(SIGN_IN_LOCK, SystemClock(), lock)
        except BlockingIOError as error:
            raise SignInBlockedError(
                "another process has been signing in at Enphase for two minutes", "end it, or wait for it."
            ) from error
        yield
    finally:
        os.close(descriptor)  # gives the lock back


@functools.lru_cache(maxsize=4)
def _hash(salt: str, username: str, password: str) -> str:
    """Slow on purpose: the file must not help anybody who guesses."""
    text = json.dumps([username, password]).encode()
    return hashlib.scrypt(text, salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
