"""Defines every error of the program, in one tree.

Each class states whether trying again can help (`retry`), and with which code a command ends (`exit_code`).
Each instance says in two lines what happened and what to do::

    EnvoyLoggerError                       exit retry
    ├── SettingsError                       78        one or more settings are wrong; all are listed
    ├── StateError                          78        the state folder cannot be used
    ├── StoreHeldError                      69        another process owns the store
    ├── StoreFullError                       1   yes  no room for the next tick
    ├── WireError                           69   yes  a request brought no answer
    │   ├── NameUnknownError                69   yes  the host name does not resolve
    │   ├── UnreachableError                69   yes  refused, no route, network down
    │   ├── TimedOutError                   69   yes
    │   ├── BrokenError                     69   yes  reset, or closed in the middle
    │   ├── OversizeError                   69        the answer is larger than allowed
    │   └── CertificateError                69        the other side is not who was pinned or verified
    ├── GatewayError                        69
    │   ├── BusyError                       69   yes  5xx: booting, cleaning up, overloaded
    │   ├── UnreadableError                 69   yes  HTML, an empty or a cut body where a document should be
    │   ├── AbsentError                     69        404: this gateway has no such document
    │   ├── NotAllowedError                 69        401 or 403 on one path
    │   ├── NotAGatewayError                69        something else answers at this address
    │   └── SerialDiffersError              78        another gateway than the settings name
    ├── CredentialsError                    77
    │   ├── TokenError                      77        malformed, foreign, expired or refused token
    │   ├── SignInRefusedError              77        wrong e-mail, password or serial
    │   └── SignInBlockedError              77        multi-factor, too many sessions, throttled, cooling down
    ├── BrokerError                         69   yes  the MQTT broker is away
    │   └── BrokerRefusedError              77        it refuses user or password
    └── InfluxError                         69
        ├── InfluxRefusedError              77        401, 403: the credentials may not do this
        └── InfluxMissingError              69        no such database, bucket or organisation
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class EnvoyLoggerError(Exception):
    """An error for the user: `message` says what happened, `hint` what to do."""

    retry: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nTry: {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold one problem of one setting: its name, the origin of its value, what is wrong, what to do."""

    setting: str
    origin: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.setting} ({self.origin}): {self.message}\nTry: {self.fix}"


class SettingsError(EnvoyLoggerError):
    """One or more settings are wrong. All problems are listed at once."""

    exit_code = 78

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(f"{count} setting{'s are' if count > 1 else ' is'} wrong")
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([f"{self.message}:", *(str(problem) for problem in self.problems)])


class StateError(EnvoyLoggerError):
    """The state folder cannot be used: not writable, the demo's, or of a newer program."""

    exit_code = 78


class StoreHeldError(EnvoyLoggerError):
    """Another process owns the store."""

    exit_code = 69


class StoreFullError(EnvoyLoggerError):
    """There is no room for the next tick."""

    retry = True


class WireError(EnvoyLoggerError):
    """A request brought no usable answer."""

    retry = True
    exit_code = 69


class NameUnknownError(WireError):
    """The host name does not resolve."""


class UnreachableError(WireError):
    """Connection refused, no route, or the network is down."""


class TimedOutError(WireError):
    """No complete answer came in the time allowed."""


class BrokenError(WireError):
    """The connection was reset or closed in the middle of an answer."""


class OversizeError(WireError):
    """The answer is larger than allowed, or unpacks to more."""

    retry = False


class CertificateError(WireError):
    """The other side's certificate is not the one that was pinned, or does not verify."""

    retry = False


class GatewayError(EnvoyLoggerError):
    """The gateway answered, but not with the document that was asked for."""

    exit_code = 69


class BusyError(GatewayError):
    """A 5xx status: the gateway starts, cleans up or is overloaded."""

    retry = True


class UnreadableError(GatewayError):
    """HTML, an empty or a cut body where a document should be."""

    retry = True


class AbsentError(GatewayError):
    """404: this gateway has no such document."""


class NotAllowedError(GatewayError):
    """401 or 403 on one path."""


class NotAGatewayError(GatewayError):
    """Something that is not an Enphase gateway answers at this address."""


class SerialDiffersError(GatewayError):
    """Another gateway answers than the settings name."""

    exit_code = 78


class CredentialsError(EnvoyLoggerError):
    """The credentials for the gateway are missing, wrong or cannot be used now."""

    exit_code = 77


class TokenError(CredentialsError):
    """The token is malformed, for another gateway, expired or refused by the gateway."""


class SignInRefusedError(CredentialsError):
    """Enphase refused the e-mail, the password or the serial."""


class SignInBlockedError(CredentialsError):
    """Enphase does not sign this account in now: multi-factor, too many sessions, throttled, or cooling down."""


class BrokerError(EnvoyLoggerError):
    """The MQTT broker is away, or accepts no messages."""

    retry = True
    exit_code = 69


class BrokerRefusedError(BrokerError):
    """The MQTT broker refuses user or password."""

    exit_code = 77


class InfluxError(EnvoyLoggerError):
    """InfluxDB answered, but did not do what was asked."""

    exit_code = 69


class InfluxRefusedError(InfluxError):
    """The InfluxDB credentials are wrong, or do not permit what was asked."""

    exit_code = 77


class InfluxMissingError(InfluxError):
    """InfluxDB has no such database, bucket or organisation."""
