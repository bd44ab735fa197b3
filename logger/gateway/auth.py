"""The token's life: which one is used, when the next is fetched, and what happens when the gateway refuses one.

A pasted token is used until it nears its end or is refused, then the account's. A token that is still valid is
used while its renewal fails. A sign-in runs as a task of its own: a poll that is cut off does not cut it off. Where
it cannot go on with what it has, the credentials are read again: what a person put right needs no restart.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from logger import log
from logger.clock import Clock
from logger.errors import CredentialsError, EnvoyLoggerError, SignInRefusedError, TokenError
from logger.gateway import sign_in, tokens
from logger.gateway.access import Access
from logger.gateway.cloud import Refusal, fetch_token
from logger.gateway.tokens import Token

Tell = Callable[[str, str, Literal["info", "warning", "error"]], None]
_AGAIN_S: Final = 300.0
"""How long a refused token rests where there is no other, and between looks at whether a renewal is allowed."""
_REREAD_S: Final = 50.0
"""Credentials are read again once a minute; a little less, so that no tick just misses it."""
_SET_ONE: Final = (
    "set ENPHASE_TOKEN_FILE to a new token made at https://entrez.enphaseenergy.com, "
    "or set ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE."
)


class Auth:
    """The tokens of one gateway. `tell(kind, text, severity)` takes what a person may want to know.

    `reread` gives the credentials as they are now; None where nobody waits for a person.
    """

    def __init__(
        self, access: Access, clock: Clock, serial: str, tell: Tell, reread: Callable[[], Access] | None = None
    ) -> None:
        self.token: Token | None = None
        self._access, self._clock, self._serial, self._tell = access, clock, serial, tell
        self._reread, self._reread_at = reread, clock.monotonic()
        self._refused: dict[str, float] = {}
        self._task: asyncio.Task[Token | EnvoyLoggerError] | None = None
        self._renewal_looked_at = float("-inf")
        self._told: set[str] = set()
        self._kept = tokens.load(access.state_dir, serial, clock.time())
        self._pasted: Token | None = None
        self._pasted_fault: TokenError | None = None
        self._judge_pasted()

    def _judge_pasted(self) -> None:
        self._pasted = self._pasted_fault = None
        if not self._access.token:
            return
        try:
            self._pasted = tokens.read_token(self._access.token, self._serial, self._clock.time(), "ENPHASE_TOKEN")
        except TokenError as error:
            self._pasted_fault = error
            if self._kept or self._access.has_account:
                self._tell_once("token_unusable", error.message)

    async def current(self) -> Token:
        """The token to use now; signs in if there is none. Raises CredentialsError or StateError."""
        now = self._clock.time()
        best = self._best(now)
        if (best is None or now >= best.renew_at) and self._read_again():
            best = self._best(now)
        if best is None:
            best = await self._without(now)
        elif now >= best.renew_at:
            if self._access.has_account:
                self._renew_beside(now)
            else:
                self._tell_once("token_ends_soon", f"the token ends on {tokens.ends(best)} and no account is set")
        self.token = best
        return best

    def _read_again(self) -> bool:
        """Whether a person has changed the credentials since they were read."""
        if self._reread is None or self._clock.monotonic() - self._reread_at < _REREAD_S:
            return False
        self._reread_at = self._clock.monotonic()
        now, old = self._reread(), self._access
        if (now.token, now.username, now.password) == (old.token, old.username, old.password):
            return False
        log.protect((now.token, now.password))
        self._access = replace(old, token=now.token, username=now.username, password=now.password)
        self._told.clear()
        self._judge_pasted()
        self._tell("credentials_changed", "the gateway's credentials in the settings have changed", "info")
        return True

    def refused(self, token: Token) -> None:
        """The gateway refuses this token for certain."""
        self._refused[token.id] = self._clock.time()
        if self.token is token:
            self.token = None

    def accepted(self, token: Token) -> None:
        """The gateway took this token."""
        self._refused.pop(token.id, None)

    async def aclose(self) -> None:
        """End a sign-in in flight; it stays counted."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _valid(self, now: float) -> list[Token]:
        return [token for token in (self._pasted, self._kept) if token is not None and token.expires_at > now]

    def _best(self, now: float) -> Token | None:
        """The first that is far from its end, else the one that lasts longest; none that was refused."""
        usable = [token for token in self._valid(now) if token.id not in self._refused]
        far = [token for token in usable if now < token.renew_at]
        return far[0] if far else max(usable, key=lambda token: token.expires_at, default=None)

    async def _without(self, now: float) -> Token:
        """There is no usable token: fetch one, else try a refused one again after a rest, else say why not."""
        rested = [token for token in self._valid(now) if now - self._refused[token.id] >= _AGAIN_S]
        if not self._access.has_account:
            if rested:
                return rested[0]
            raise self._by_restart(self._fault(now))
        result = await asyncio.shield(self._signing_in())
        if isinstance(result, Token):
            return result
        if rested and isinstance(result, CredentialsError):
            return rested[0]
        raise self._by_restart(result)

    def _by_restart(self, error: EnvoyLoggerError) -> EnvoyLoggerError:
        """The error, with what to do once the credentials are right where this process cannot read them again."""
        if self._reread is None or not self._access.fixed or not isinstance(error, (TokenError, SignInRefusedError)):
            return error
        return type(error)(error.message, f"{error.hint.rstrip('.')}; then systemctl restart envoy-logger.")

    def _fault(self, now: float) -> TokenError:
        """Why the pasted token cannot be used, or that there is none."""
        if self._pasted_fault is not None:
            return self._pasted_fault
        if self._pasted is None:
            return TokenError(f"gateway {self._serial} wants a token, and neither token nor account is set", _SET_ONE)
        if self._pasted.expires_at <= now:
            return TokenError(f"ENPHASE_TOKEN expired on {tokens.ends(self._pasted)}", _SET_ONE)
        return TokenError(f"gateway {self._serial} refuses ENPHASE_TOKEN, though it is not expired", _SET_ONE)

    def _renew_beside(self, now: float) -> None:
        """Fetch the next token while the present one goes on working."""
        if now - self._renewal_looked_at >= _AGAIN_S:
            self._renewal_looked_at = now
            self._signing_in()

    def _signing_in(self) -> asyncio.Task[Token | EnvoyLoggerError]:
        """The one sign-in of this process: the running one, or a new one."""
        if self._task is None or self._task.done():
            if self._task is not None and not self._task.cancelled():
                self._task.result()  # a defect in the last one is not swallowed
            self._task = asyncio.create_task(self._sign_in(), name="sign-in")
        return self._task

    async def _sign_in(self) -> Token | EnvoyLoggerError:
        """One sign-in at most, alone among all processes, or the token that another one has just fetched."""
        try:
            async with sign_in.alone(self._access.state_dir):
                return await self._sign_in_alone()
        except EnvoyLoggerError as error:
            return error

    async def _sign_in_alone(self) -> Token:
        access, serial, now = self._access, self._serial, self._clock.time()
        kept = tokens.load(access.state_dir, serial, now)
        if kept is not None and kept.id not in self._refused and now < kept.renew_at:
            self._kept = kept
            return kept
        stored = sign_in.load(access.state_dir)
        state = sign_in.with_credentials(sign_in.sane(stored, now), access.username, access.password, now)
        if state != stored:
            sign_in.save(access.state_dir, state)
        sign_in.check(state, serial, now)
        state = sign_in.begun(state, serial, now)
        sign_in.save(access.state_dir, state)
        result = await fetch_token(access, serial, self._clock)
        now = self._clock.time()
        if isinstance(result, Refusal):
            state = sign_in.failed(state, result, now)
            sign_in.save(access.state_dir, state)
            self._tell("sign_in_failed", state.why, "warning")
            state = sign_in.with_credentials(state, access.username, access.password, now)
            sign_in.check(state, serial, now)  # raises in the words of every later call
            raise result.error
        tokens.save(access.state_dir, serial, result)
        sign_in.save(access.state_dir, sign_in.succeeded(state))
        self._kept = result
        text = f"a token of role {result.user} was fetched; it ends on {tokens.ends(result)}"
        self._tell("token_renewed", text, "info")
        if result.user == "installer":
            self._tell_once("installer_token", "this is an installer's account: its tokens last 12 hours only")
        return result

    def _tell_once(self, kind: str, text: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._tell(kind, text, "warning")
