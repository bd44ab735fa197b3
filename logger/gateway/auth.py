"""Chooses the gateway's token, renews it in time, and replaces it when the gateway refuses it.

A pasted token is used until its end is near, or until it is refused. Then a new token is fetched with the account. A
valid token stays in use while its renewal fails. A sign-in runs as a separate task, so a cancelled poll does not
cancel the sign-in. Without a usable token the credentials are read again, so corrected settings need no restart.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from logger import log
from logger.clock import Clock
from logger.errors import CredentialsError, EnvoyLoggerError, SignInRefusedError, TokenError
from logger.gateway import tokens
from logger.gateway.access import Access
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.sign_in import sign_in
from logger.gateway.tokens import Token

_AGAIN_S: Final = 300.0
"""Seconds between two attempts to renew a token.

Also the seconds before a refused token is tried again, if there is no other token.
"""
_REREAD_S: Final = 50.0
"""Seconds between two readings of the credentials.

The value is just below a minute, so that every poll can read them.
"""


class Auth:
    """Chooses and renews the tokens of one gateway.

    `reread` reads the credentials again from the settings. It is None in commands, because a command ends instead of
    waiting for new credentials.
    """

    def __init__(
        self,
        access: Access,
        clock: Clock,
        serial: str,
        events: GatewayEvents,
        reread: Callable[[], Access] | None = None,
    ) -> None:
        self.token: Token | None = None
        self._access, self._clock, self._serial, self._events = access, clock, serial, events
        self._reread, self._reread_at = reread, clock.monotonic()
        self._rejected: dict[Token, float] = {}
        self._task: asyncio.Task[Token] | None = None
        self._renewal_looked_at = float("-inf")
        self._kept = tokens.load(access.state_dir, serial, clock.time())
        self._pasted: Token | None = None
        self._pasted_fault: TokenError | None = None
        self._read_pasted()

    def _read_pasted(self) -> None:
        self._pasted = self._pasted_fault = None
        if not self._access.token:
            return
        try:
            self._pasted = tokens.read_token(
                self._access.token, self._serial, self._clock.time(), self._access.pasted_as
            )
        except TokenError as error:
            self._pasted_fault = error
            if self._kept or self._access.has_account:
                self._events.warn_once("token_unusable", error.message)

    async def current(self) -> Token:
        """Return the token to use now. Sign in if there is no usable token.

        Raises CredentialsError if no token can be obtained, and StateError if the state folder cannot be used.
        """
        now = self._clock.time()
        best = self._choose(now)
        if (best is None or now >= best.renew_at) and self._read_again():
            best = self._choose(now)
        if best is None and self._pasted_fault is not None:
            self._read_pasted()  # our clock may have been set, so that the token has not expired
            best = self._choose(now)
        if best is None:
            best = await self._do_without(now)
        elif now >= best.renew_at:
            if self._access.has_account:
                self._renew_beside()
            else:
                text = f"the token ends on {tokens.format_end(best)} and no account is set to renew it"
                self._events.warn_once("token_ends_soon", text)
        self.token = best
        return best

    def reject(self, token: Token) -> None:
        """Record that the gateway has definitely refused this token."""
        self._rejected[token] = self._clock.monotonic()
        if self.token is token:
            self.token = None

    def accept(self, token: Token) -> None:
        """Record that the gateway has accepted this token."""
        self._rejected.pop(token, None)

    async def aclose(self) -> None:
        """Cancel a running sign-in. The cancelled attempt still counts for the cool-down."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, EnvoyLoggerError):
                await self._task

    def _read_again(self) -> bool:
        """Read the credentials again, at most once in `_REREAD_S` seconds. Return True if they have changed."""
        if self._reread is None or self._clock.monotonic() - self._reread_at < _REREAD_S:
            return False
        self._reread_at = self._clock.monotonic()
        now, old = self._reread(), self._access
        if (now.token, now.username, now.password) == (old.token, old.username, old.password):
            return False
        log.protect((now.token, now.password))
        self._access = replace(old, token=now.token, username=now.username, password=now.password)
        self._events.forget("token_unusable", "token_ends_soon", "installer_token")
        self._read_pasted()
        self._events.record("credentials_changed", "the gateway's credentials in the settings have changed")
        return True

    def _list_valid(self, now: float) -> list[Token]:
        return [token for token in (self._pasted, self._kept) if token is not None and token.expires_at > now]

    def _choose(self, now: float) -> Token | None:
        """Return the first token that needs no renewal yet, otherwise the token that expires last.

        Skip rejected tokens.
        """
        usable = [token for token in self._list_valid(now) if token not in self._rejected]
        far = [token for token in usable if now < token.renew_at]
        return far[0] if far else max(usable, key=lambda token: token.expires_at, default=None)

    async def _do_without(self, now: float) -> Token:
        """Fetch a token while there is no usable token.

        If the sign-in fails, return a token that the gateway rejected at least `_AGAIN_S` seconds ago, because the
        gateway may accept this token now. If there is no such token, raise CredentialsError.
        """
        rested = [
            token for token in self._list_valid(now) if self._clock.monotonic() - self._rejected[token] >= _AGAIN_S
        ]
        try:
            if not self._access.has_account:
                raise self._explain_fault(now)
            task = self._start_sign_in()
            await asyncio.wait({task})
            return task.result()
        except CredentialsError as error:
            if rested:
                return rested[0]
            is_for_person = isinstance(error, (TokenError, SignInRefusedError))
            if is_for_person and self._access.fixed and self._reread is not None:  # only a restart reads them
                hint = f"{error.hint.rstrip('.')}; then systemctl restart envoy-logger, or restart the container."
                raise type(error)(error.message, hint) from error
            raise

    def _explain_fault(self, now: float) -> TokenError:
        """Return the error that explains why no pasted token is usable."""
        if self._pasted_fault is not None:
            return self._pasted_fault
        key = self._access.pasted_as
        hint = (
            f"set {key}{'' if key.endswith('_file') else '_FILE'} to a new token made at "
            "https://entrez.enphaseenergy.com, or set ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE."
        )
        if self._pasted is None:
            return TokenError(f"gateway {self._serial} needs a token, and neither token nor account is set", hint)
        if self._pasted.expires_at <= now:
            return TokenError(f"{key} expired on {tokens.format_end(self._pasted)}", hint)
        return TokenError(f"gateway {self._serial} refuses {key}, although the token has not expired", hint)

    def _renew_beside(self) -> None:
        """Start to fetch the next token in a separate task.

        The present token stays in use until the next token arrives.
        """
        now = self._clock.monotonic()
        if now - self._renewal_looked_at >= _AGAIN_S:
            self._renewal_looked_at = now
            self._start_sign_in()

    def _start_sign_in(self) -> asyncio.Task[Token]:
        """Return the running sign-in task of this process. Start a task if none runs."""
        if self._task is None or self._task.done():
            if self._task is not None and not self._task.cancelled():
                with contextlib.suppress(EnvoyLoggerError):  # already recorded as an event
                    self._task.result()
            self._task = asyncio.create_task(self._sign_in(), name="sign-in")
        return self._task

    async def _sign_in(self) -> Token:
        def is_usable(kept: Token) -> bool:
            return kept not in self._rejected and self._clock.time() < kept.renew_at

        self._kept = await sign_in(self._access, self._serial, self._clock, self._events, is_usable)
        return self._kept
