"""Wraps the client of influxdb-client, for commands that set up an InfluxDB 2 or read from it.

The library takes long to import, so the recorder does not import it. The library's exceptions become this program's
errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerError

from logger.errors import (
    BrokenError,
    CertificateError,
    EnvoyLoggerError,
    InfluxError,
    NameUnknownError,
    TimedOutError,
    UnreachableError,
)
from logger.proxies import proxy_for

T = TypeVar("T")


Explain: TypeAlias = Callable[[str, str, int, str], InfluxError]
"""Makes the error for a refused request from the host, a description of the action, the HTTP status and the body."""


class V2Client:
    """Calls one InfluxDB 2 with `token`, with `username` and `password`, or without credentials.

    `api`: the client of influxdb-client.
    """

    def __init__(self, url: str, explain: Explain, *, timeout_s: float, org: str = "", **sign_in: str) -> None:
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._explain, self._timeout_s = explain, timeout_s
        self.api = InfluxDBClient(url=url, timeout=int(timeout_s * 1000), org=org, proxy=proxy_for(url), **sign_in)

    def call(self, function: Callable[[], T], doing: str) -> T:
        """Call one of the client's functions. `doing`: a description of the action, for error messages.

        Raises InfluxError if the server refuses, and a WireError if it does not answer.
        """
        try:
            return function()
        except ApiException as error:
            body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
            raise self._explain(self.host, doing, error.status or 0, body) from error
        except HTTPError as error:
            raise self._explain_silence(getattr(error, "reason", None) or error) from error

    def ask(self, function: Callable[[], T | None], doing: str) -> T:
        """Call one of the client's functions, as `call` does. `doing`: the action, for error messages.

        Also raises InfluxError if the function returns None instead of a value.
        """
        try:
            found = self.call(function, doing)
        except (AttributeError, TypeError, ValueError):
            found = None
        if found is None:
            raise InfluxError(
                f"the server at {self.host} does not {doing} as an InfluxDB 2 does",
                "check INFLUXDB_URL, its path included, and INFLUXDB_API.",
            )
        return found

    def _explain_silence(self, cause: object) -> EnvoyLoggerError:
        match cause:
            case NameResolutionError():
                return NameUnknownError(
                    f"the name {self.host} of InfluxDB does not resolve",
                    "check the host in INFLUXDB_URL; if it is a container, check that it runs.",
                )
            case NewConnectionError():
                refused = isinstance(cause.__cause__, ConnectionRefusedError)
                return UnreachableError(
                    f"InfluxDB ({self.host}) {'refuses the connection' if refused else 'cannot be reached'}",
                    "check that InfluxDB runs; check the network and INFLUXDB_URL.",
                )
            case NoAnswerError():
                return TimedOutError(
                    f"InfluxDB at {self.host} gave no answer in {self._timeout_s:g} s",
                    "check that InfluxDB runs and that INFLUXDB_URL is right.",
                )
            case SSLError():
                return CertificateError(
                    f"the certificate of {self.host} does not verify",
                    "check INFLUXDB_URL, and that this machine trusts the certificate authority.",
                )
        return BrokenError(
            f"InfluxDB at {self.host} broke the connection: {type(cause).__name__}", "run the command again."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.api.close()
