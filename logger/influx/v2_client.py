"""The only door to influxdb-client, for commands that set an InfluxDB 2 up or read it back.

It takes long to import, so the daemon never does. What it raises becomes one of our errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeVar
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


class V2Client:
    """One InfluxDB 2, signed in to with `token`, or `username` and `password`, or not at all. `api` is the client."""

    def __init__(
        self, url: str, *, timeout_s: float, org: str = "", token: str = "", username: str = "", password: str = ""
    ) -> None:
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._timeout_s = timeout_s
        by_name = {"username": username, "password": password} if username and not token else {"token": token}
        self.api = InfluxDBClient(url=url, timeout=int(timeout_s * 1000), org=org, proxy=proxy_for(url), **by_name)

    def call(self, function: Callable[[], T], explain: Callable[[int, str], InfluxError]) -> T:
        """Call one of the client's functions. `explain` makes an error of a refusal's HTTP status and body.

        Raises what `explain` returns, and a WireError where there is no answer.
        """
        try:
            return function()
        except ApiException as error:
            body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
            raise explain(error.status or 0, body) from error
        except HTTPError as error:
            raise self._explain_silence(getattr(error, "reason", None) or error) from error

    def _explain_silence(self, cause: object) -> EnvoyLoggerError:
        match cause:
            case NameResolutionError():
                return NameUnknownError(f"the name {self.host} does not resolve", "check the host in INFLUXDB_URL.")
            case NewConnectionError():
                refused = isinstance(cause.__cause__, ConnectionRefusedError)
                return UnreachableError(
                    f"{self.host} {'refuses the connection' if refused else 'cannot be reached'}",
                    "check that InfluxDB runs, the network, and INFLUXDB_URL.",
                )
            case NoAnswerError():
                return TimedOutError(
                    f"InfluxDB at {self.host} gave no answer in {self._timeout_s:g} s",
                    "check that it runs and that INFLUXDB_URL is right.",
                )
            case SSLError():
                return CertificateError(
                    f"the certificate of {self.host} does not verify",
                    "check INFLUXDB_URL, and that the machine knows the authority.",
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
