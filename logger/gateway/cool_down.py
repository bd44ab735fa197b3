"""Decides when a sign-in at Enphase may be tried. Pure.

The waits become longer with each attempt, and some end only when a person acts. Enphase locks accounts, so every
attempt is counted *before* it is made. Wrong credentials block further attempts for 24 hours or until the credentials
change. Credentials are stored as salted hashes only. Each gateway of the settings may get its first token of a day
without waiting for the other gateways.
"""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.clock import format_minute
from logger.errors import SignInBlockedError, SignInRefusedError
from logger.gateway.cloud import Refusal
from logger.retry import SIGN_IN

_DAY_S: Final = 86400.0
MOST_A_DAY: Final = 16
"""Most attempts in any 24 hours, even if credentials change. The delays between attempts alone allow 14."""
_UNSENT_S: Final = 60.0
"""Seconds to wait after an attempt that sent nothing: it cannot lock an account, and network faults pass quickly."""
_STOPS: Final = frozenset({"refused", "blocked", "mfa"})
"""Kinds of refusal that only a person can resolve. Changed credentials may be tried immediately."""
HASH_COST: Final = 2**12
HASH_TIMES: Final = 4
"""The parameter p of scrypt for the hash of credentials; HASH_COST is its n. One hash takes about 4 MiB and 50 ms."""
LATER: Final = "wait, or set ENPHASE_TOKEN_FILE to a token made at https://entrez.enphaseenergy.com."


@dataclass(frozen=True, slots=True)
class Stop:
    """A block on credentials that Enphase refused: no attempt with them before `until` (unix seconds)."""

    until: float
    kind: str
    why: str
    hint: str


@dataclass(frozen=True, slots=True)
class CoolDown:
    """The attempts to sign in, and how long the next attempt must wait. All times are unix seconds.

    `attempts`: the times of the attempts of the last 24 hours. `not_before`: the earliest time of the next attempt.
    `kind`, `why`, `hint`: the outcome of the last attempt, the reason for waiting, and what a person can do.
    `serial`, `credentials`: the gateway and the hash of the credentials of the last attempt. `stops`: hash of
    credentials → the block on these credentials. `fetched`: serial → when this gateway's token was last fetched.
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
    fetched: Mapping[str, float] = field(default_factory=dict)

    def limit(self, now: float) -> CoolDown:
        """Shorten the waits that were stored while this machine's clock was far ahead."""
        stops = {known: replace(stop, until=min(stop.until, now + _DAY_S)) for known, stop in self.stops.items()}
        state = replace(self, stops=stops)
        if state.not_before - now <= _DAY_S + 3600:
            return state
        return replace(state, attempts=(now,), not_before=now + SIGN_IN.most_s)

    def apply_credentials(self, username: str, password: str, now: float) -> CoolDown:
        """Return the state for these credentials.

        If Enphase refused other credentials at the last attempt, these credentials may be tried at once, unless
        the limit of attempts in 24 hours is reached. Raises SignInRefusedError or SignInBlockedError while a
        `Stop` blocks these credentials. Attempts with other credentials do not end this block. So two processes with
        different wrong passwords cannot end each other's block.
        """
        state = self if self.salt else replace(self, salt=secrets.token_hex(16))
        known = _hash(state.salt, username, password)
        stop = state.stops.get(known)
        if stop is not None and stop.until > now:
            raise (SignInRefusedError if stop.kind == "refused" else SignInBlockedError)(stop.why, stop.hint)
        if known == state.credentials:
            return state
        if state.kind not in _STOPS:
            return replace(state, credentials=known)
        recent = state._recent(now)
        free_at = recent[-MOST_A_DAY] + _DAY_S if len(recent) >= MOST_A_DAY else 0.0
        return replace(state, credentials=known, not_before=free_at)

    def check(self, serial: str, now: float, sharing: int = 1) -> None:
        """Raise SignInRefusedError or SignInBlockedError if no sign-in for gateway `serial` may be tried now.

        `sharing`: how many gateways in the settings use this account. After a successful sign-in, each of the
        other gateways may sign in once in 24 hours without waiting. The error has the same message until the next
        attempt to sign in, so that the log does not repeat the message.
        """
        fetched = self._list_fetched(now)
        may_follow = self.kind == "done" and serial not in fetched and len(fetched) < sharing
        if now >= self.not_before or may_follow:
            return
        why, hint = self.why, self.hint
        if self.kind in ("done", "no-token") and self.serial not in ("", serial):
            why, hint = f"the last sign-in was for gateway {self.serial}", LATER
        elif self.kind == "no-token":
            raise SignInRefusedError(why, hint)
        elif self.kind == "unsent":
            raise SignInBlockedError(why, hint)
        until = format_minute(self.not_before)
        raise SignInBlockedError(
            f"no sign-in at Enphase before {until}, so that the account is not locked: {why}", hint
        )

    def begin(self, serial: str, now: float) -> CoolDown:
        """Count an attempt before it is made, and set the earliest time of the next attempt."""
        attempts = (*self._recent(now), now)
        why, free_at = "the last sign-in was interrupted", _find_next(attempts, now)
        return replace(self, attempts=attempts, not_before=free_at, kind="begun", why=why, hint=LATER, serial=serial)

    def succeed(self, now: float, sharing: int = 1) -> CoolDown:
        """Record that a token was fetched. `sharing`: how many gateways in the settings use this account.

        The wait before the next sign-in remains, so that refused tokens cannot cause one sign-in after another. But
        if a further gateway got no token in the last 24 hours, a sign-in for this gateway does not count as an
        attempt. So the wait for an account with several gateways is not longer than the wait for an account with one
        gateway.
        """
        why = "a token was fetched a short time ago, and the gateway refuses it"
        before = self._list_fetched(now)
        is_further = self.serial not in before and 0 < len(before) < sharing
        attempts = self.attempts[:-1] if is_further else self.attempts
        free_at = _find_next(attempts, now) if is_further else self.not_before
        fetched = {**before, self.serial: now}
        return replace(self, attempts=attempts, not_before=free_at, kind="done", why=why, hint=LATER, fetched=fetched)

    def fail(self, refusal: Refusal, now: float) -> CoolDown:
        """Record a failed attempt: its reason, a block on refused credentials, and the earliest next attempt."""
        why, hint = refusal.error.message, refusal.error.hint
        not_before, attempts = self.not_before, self.attempts
        stops = {known: stop for known, stop in self.stops.items() if stop.until > now}
        if refusal.kind == "unsent":
            not_before, attempts = now + _UNSENT_S, attempts[:-1]
        elif refusal.kind in _STOPS:
            stops[self.credentials] = Stop(now + _DAY_S, refusal.kind, why, hint)
        not_before = max(not_before, now + refusal.wait_s)
        return replace(
            self, attempts=attempts, not_before=not_before, kind=refusal.kind, why=why, hint=hint, stops=stops
        )

    def _list_fetched(self, now: float) -> dict[str, float]:
        return {serial: at for serial, at in self.fetched.items() if now - _DAY_S < at <= now}

    def _recent(self, now: float) -> tuple[float, ...]:
        return tuple(attempt for attempt in self.attempts if now - _DAY_S < attempt <= now)


def _find_next(attempts: tuple[float, ...], now: float) -> float:
    """Return the earliest time of the next attempt, in unix seconds, after these attempts of the last 24 hours."""
    free_at = now + SIGN_IN.pause_s(max(1, len(attempts)))
    return max(free_at, attempts[-MOST_A_DAY] + _DAY_S) if len(attempts) >= MOST_A_DAY else free_at


@functools.lru_cache(maxsize=4)
def _hash(salt: str, username: str, password: str) -> str:
    """Hash the credentials. The hash is slow on purpose, so that passwords cannot be guessed quickly."""
    text = json.dumps([username, password]).encode()
    return hashlib.scrypt(text, salt=bytes.fromhex(salt), n=HASH_COST, r=8, p=HASH_TIMES).hex()
