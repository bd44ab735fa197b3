"""Defines every error of the program, in one tree.

Each class has two attributes. `retry`: another try may succeed. `exit_code`: the exit code of a command after this
error. The text of each error has two lines: what happened, and what to do::

    EnvoyLoggerError                       exit retry
    ├── SettingsError                       78        one or more settings are wrong; all are listed
    ├── StateError                          78        a file or folder cannot be used, or the clock is not set
    ├── StoreHeldError                      69        another process owns the store
    ├── StoreFullError                       1   yes  the store has no space, or its disk cannot be used now
    ├── WireError                           69   yes  a request got no usable answer
    │   ├── NameUnknownError                69   yes  the host name does not resolve
    │   ├── UnreachableError                69   yes  connection refused, no route, network down
    │   ├── TimedOutError                   69   yes  no complete answer in the allowed time
    │   ├── BrokenError                     69   yes  the connection was reset or closed during an answer
    │   ├── OversizeError                   69        the answer is larger than allowed
    │   └── CertificateError                69        the certificate is not the pinned one, or does not verify
    ├── GatewayError                        69
    │   ├── BusyError                       69   yes  408, 429, 5xx: booting, cleaning up, overloaded
    │   ├── UnreadableError                 69   yes  HTML, a redirect, an empty or an incomplete body
    │   ├── AbsentError                     69        400, 404, 405, 410: this gateway has no such document
    │   ├── NotAllowedError                 69        401 or 403 on one path
    │   ├── NotAGatewayError                69        a device that is no gateway answers at this address
    │   └── SerialDiffersError              78        the gateway's serial differs from the settings
    ├── CredentialsError                    77
    │   ├── TokenError                      77        malformed, foreign, expired or refused token
    │   ├── SignInRefusedError              77        wrong e-mail, password or serial
    │   └── SignInBlockedError              77        multi-factor, too many sessions, throttled, cooling down
    ├── BrokerError                         69   yes  the MQTT broker cannot be reached
    │   └── BrokerRefusedError              77   yes  the MQTT broker refuses user or password
    └── InfluxError                         69
        ├── InfluxRefusedError              77        401, 403: the credentials do not permit the request
        └── InfluxMissingError              69        no such database, bucket or organisation
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class EnvoyLoggerError(Exception):
    """An error for the user. `message` states what happened, and `hint` states what to do."""

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
    """One problem of one setting: its name, the origin of its value, what is wrong, what to do."""

    setting: str
    origin: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.setting} ({self.origin}): {self.message}\nTry: {self.fix}"


class SettingsError(EnvoyLoggerError):
    """One or more settings are wrong. The text lists all problems."""

    exit_code = 78

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(f"{count} setting{'s are' if count > 1 else ' is'} wrong")
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([f"{self.message}:", *(str(problem) for problem in self.problems)])


class StateError(EnvoyLoggerError):
    """A file or folder cannot be used, or this machine's clock is not set.

    For example, the state folder is not writable, belongs to the demo, or was written by a newer version of the
    program.
    """

    exit_code = 78


class StoreHeldError(EnvoyLoggerError):
    """Another process owns the store."""

    exit_code = 69


class StoreFullError(EnvoyLoggerError):
    """The store has no space, or its disk cannot be used now. A later try may succeed."""

    retry = True


class WireError(EnvoyLoggerError):
    """A request got no usable answer."""

    retry = True
    exit_code = 69


class NameUnknownError(WireError):
    """The host name does not resolve."""


class UnreachableError(WireError):
    """The connection is refused, there is no route to the server, or the network is down."""


class TimedOutError(WireError):
    """No complete answer arrived in the allowed time."""


class BrokenError(WireError):
    """The connection was reset or closed in the middle of an answer."""


class OversizeError(WireError):
    """The answer is larger than allowed, compressed or decompressed."""

    retry = False


class CertificateError(WireError):
    """The server's certificate is not the pinned certificate, or does not verify."""

    retry = False


class GatewayError(EnvoyLoggerError):
    """The gateway answered, but not with the requested document."""

    exit_code = 69


class BusyError(GatewayError):
    """The gateway cannot give the document now, because it starts, cleans up or is overloaded."""

    retry = True


class UnreadableError(GatewayError):
    """The gateway answered with HTML, a redirect, or an empty or incomplete body, instead of a document."""

    retry = True


class AbsentError(GatewayError):
    """The gateway answered that it does not have the requested document."""


class NotAllowedError(GatewayError):
    """The gateway answered with status 401 or 403 on one path."""


class NotAGatewayError(GatewayError):
    """A device that is not an Enphase gateway answers at this address."""


class SerialDiffersError(GatewayError):
    """The gateway that answers has another serial than the gateway in the settings."""

    exit_code = 78


class CredentialsError(EnvoyLoggerError):
    """The credentials for the gateway are missing, wrong or cannot be used now."""

    exit_code = 77


class TokenError(CredentialsError):
    """The token is malformed, belongs to another gateway, has expired, or is refused by the gateway."""


class SignInRefusedError(CredentialsError):
    """Enphase refused the e-mail, the password or the serial."""


class SignInBlockedError(CredentialsError):
    """No sign-in at Enphase is possible now, for a reason other than wrong credentials.

    For example, the account requires a second factor or has too many sessions, the cool-down has not ended, or
    Enphase does not answer.
    """


class BrokerError(EnvoyLoggerError):
    """The MQTT broker cannot be reached, or accepts no messages."""

    retry = True
    exit_code = 69


class BrokerRefusedError(BrokerError):
    """The MQTT broker refuses user or password."""

    exit_code = 77


class InfluxError(EnvoyLoggerError):
    """InfluxDB answered, but did not carry out the request."""

    exit_code = 69


class InfluxRefusedError(InfluxError):
    """The InfluxDB credentials are wrong, or do not permit the request."""

    exit_code = 77


class InfluxMissingError(InfluxError):
    """InfluxDB does not have the database, bucket or organisation of the settings."""
