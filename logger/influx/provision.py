"""Sets an InfluxDB 2 up for the recorder: three buckets, a token that may only write to them, one that may only read.

Administration goes through influxdb-client, which is imported here and nowhere near the daemon. Running it again
changes nothing that is already right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from influxdb_client import Authorization, Bucket, InfluxDBClient, Permission, PermissionResource
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from pydantic import SecretStr
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerError

from logger.errors import (
    BrokenError,
    CertificateError,
    EnvoyLoggerError,
    InfluxError,
    InfluxMissingError,
    InfluxRefusedError,
    NameUnknownError,
    TimedOutError,
    UnreachableError,
)
from logger.influx.dialects import is_sendable
from logger.log import masked

T = TypeVar("T")
Action = Literal["write", "read"]
TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What `setup` made and found: names of buckets and descriptions of tokens. Tokens are None in a dry run.

    `write_token` belongs to the recorder, `read_token` to Grafana; each covers exactly the buckets asked for.
    """

    created: tuple[str, ...]
    existing: tuple[str, ...]
    write_token: str | None = field(repr=False)
    read_token: str | None = field(repr=False)


def setup(
    url: str,
    admin: str | SecretStr,
    org: str,
    buckets: Iterable[str],
    *,
    token_description: str = "envoy-logger",  # noqa: S107  a name, no secret
    held: Mapping[Action, str] | None = None,
    dry_run: bool = False,
) -> Provisioned:
    """Make what is missing in organisation `org` of the InfluxDB 2 at `url`; new buckets keep their data forever.

    `admin` is a token that may manage buckets and authorizations. A token of ours, known by its description, is used
    again if it still fits the buckets and its text is known: because the server shows it (2.9 and later do not), or
    because it is in `held` (what an earlier run returned, by "write" and "read") and the server still takes it. Else
    it is replaced, and the old one ends. With `dry_run` nothing is made: `created` says what would be. Raises
    InfluxError and its kinds, or a WireError.
    """
    secret = admin.get_secret_value() if isinstance(admin, SecretStr) else admin
    if not is_sendable(secret):
        raise InfluxRefusedError(
            "INFLUXDB_ADMIN_TOKEN holds a space, a line break or a letter that no token has",
            "copy it again into INFLUXDB_ADMIN_TOKEN_FILE, the token alone.",
        )
    with InfluxDBClient(url=url, token=secret, org=org, timeout=TIMEOUT_MS) as client:
        run = _Setup(client, url, org, held or {}, dry_run=dry_run)
        return run.run(tuple(dict.fromkeys(buckets)), token_description)


class _Setup:
    """One run: what it made and what was there."""

    def __init__(
        self, client: InfluxDBClient, url: str, org: str, held: Mapping[Action, str], *, dry_run: bool
    ) -> None:
        self._client = client
        self._url = url
        self._held = held
        self._host = urlsplit(url).netloc.rpartition("@")[2]
        self._org = org
        self._dry_run = dry_run
        self._created: list[str] = []
        self._existing: list[str] = []

    def run(self, buckets: tuple[str, ...], description: str) -> Provisioned:
        org_id = self._org_id()
        found = {name: self._bucket_id(name, org_id) for name in buckets}
        known = [
            item
            for item in self._ask(
                lambda: self._client.authorizations_api().find_authorizations(org_id=org_id), "list its tokens"
            )
            or ()
            if str(item.description or "").startswith(description)
        ]
        tokens = {
            action: self._token(action, f"{description} ({action})", org_id, found, known)
            for action in ("write", "read")
        }
        return Provisioned(tuple(self._created), tuple(self._existing), tokens["write"], tokens["read"])

    def _org_id(self) -> str:
        try:
            orgs = self._ask(
                lambda: self._client.organizations_api().find_organizations(org=self._org), "list its organisations"
            )
        except InfluxMissingError:
            orgs = []
        for item in orgs:
            if item.name == self._org:
                return str(item.id)
        raise InfluxMissingError(
            f"InfluxDB at {self._host} shows no organisation {self._org!r} to this token",
            "check INFLUXDB_ORG, and that INFLUXDB_ADMIN_TOKEN belongs to that organisation.",
        )

    def _bucket_id(self, name: str, org_id: str) -> str | None:
        """The bucket's id, made if it is missing; None where a dry run would make it."""
        buckets = self._client.buckets_api()
        try:
            listed = self._ask(lambda: buckets.find_buckets(name=name, org_id=org_id).buckets, "list its buckets")
        except InfluxMissingError:  # some versions answer 404 instead of an empty list
            listed = []
        for item in listed:
            if item.name == name:
                self._existing.append(name)
                return str(item.id)
        self._created.append(name)
        if self._dry_run:
            return None
        wanted = Bucket(name=name, org_id=org_id, retention_rules=[], description="written by envoy-logger")
        return str(self._ask(lambda: buckets.create_bucket(bucket=wanted), f"make the bucket {name!r}").id)

    def _token(
        self,
        action: Action,
        description: str,
        org_id: str,
        buckets: Mapping[str, str | None],
        known: Iterable[Authorization],
    ) -> str | None:
        """The text of the token that may do `action` with exactly these buckets."""
        wanted = {(action, "buckets", bucket_id) for bucket_id in buckets.values()}
        api = self._client.authorizations_api()
        stale = []
        for item in known:
            if item.description != description:
                continue
            allowed = {(str(each.action), str(each.resource.type), each.resource.id) for each in item.permissions}
            text = item.token if _readable(item.token) else self._held_text(action, buckets)
            if allowed == wanted and item.status == "active" and text is not None:
                self._existing.append(f"token {description!r}")
                return None if self._dry_run else str(text)
            stale.append(item)
        self._created.append(f"token {description!r}")
        if self._dry_run:
            return None
        permissions = [
            Permission(action=action, resource=PermissionResource(type="buckets", id=bucket_id, org_id=org_id))
            for bucket_id in dict.fromkeys(buckets.values())
        ]
        made = self._ask(
            lambda: api.create_authorization(
                authorization=Authorization(org_id=org_id, permissions=permissions, description=description)
            ),
            f"make the token {description!r}",
        )
        for item in stale:
            self._ask(partial(api.delete_authorization, item), f"remove the old token {description!r}")
        return str(made.token)

    def _held_text(self, action: Action, buckets: Iterable[str]) -> str | None:
        """The token that an earlier run returned, if the server takes it for these buckets."""
        text = self._held.get(action)
        if not text or not is_sendable(text):
            return None
        with InfluxDBClient(url=self._url, token=text, org=self._org, timeout=TIMEOUT_MS) as client:
            for bucket in buckets:
                try:
                    if action == "write":  # an empty write tells and stores nothing
                        self._ask(
                            partial(
                                WriteService(client.api_client).post_write, org=self._org, bucket=bucket, body=b""
                            ),
                            "try the token",
                        )
                    else:
                        flux = f"from(bucket: {json.dumps(bucket)}) |> range(start: -1s)"
                        self._ask(partial(client.query_api().query, flux), "try the token")
                except InfluxError:
                    return None
        return text

    def _ask(self, call: Callable[[], T], doing: str) -> T:
        """Call influxdb-client; its exceptions become ours."""
        try:
            return call()
        except ApiException as error:
            raise _refusal(error, self._host, doing) from error
        except HTTPError as error:
            raise _outage(error, self._host) from error


def _readable(token: object) -> bool:
    """Servers that keep tokens hashed list them without text, or with the text redacted."""
    return isinstance(token, str) and bool(token) and "redacted" not in token.lower()


def _refusal(error: ApiException, host: str, doing: str) -> InfluxError:
    """InfluxDB answered, with a status that is no success."""
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
    said = f"InfluxDB at {host} does not {doing}: HTTP {error.status}: {' '.join(masked(body).split())[:200]}"
    if error.status in (401, 403):
        return InfluxRefusedError(said, "give INFLUXDB_ADMIN_TOKEN a token that may manage buckets and tokens.")
    if error.status == 404 and "page not found" not in body:
        return InfluxMissingError(said, "check INFLUXDB_ORG.")
    if error.status in (400, 404, 405):
        return InfluxError(
            f"{said} (is it an InfluxDB 2?)",
            "check INFLUXDB_URL. On InfluxDB 1.x make a database with CREATE DATABASE instead.",
        )
    return InfluxError(said, "see InfluxDB's own log, then run it again.")


def _outage(error: HTTPError, host: str) -> EnvoyLoggerError:
    """No answer from InfluxDB."""
    cause = getattr(error, "reason", None) or error
    match cause:
        case NameResolutionError():
            return NameUnknownError(f"the name {host} does not resolve", "check the host in INFLUXDB_URL.")
        case NewConnectionError():
            refused = isinstance(cause.__cause__, ConnectionRefusedError)
            return UnreachableError(
                f"{host} {'refuses the connection' if refused else 'cannot be reached'}",
                "check that InfluxDB runs, the network, and INFLUXDB_URL.",
            )
        case NoAnswerError():
            return TimedOutError(
                f"InfluxDB at {host} gave no answer in {TIMEOUT_MS // 1000} s",
                "check that it runs and that INFLUXDB_URL is right.",
            )
        case SSLError():
            return CertificateError(
                f"the certificate of {host} does not verify",
                "check INFLUXDB_URL, and that the machine knows the authority.",
            )
    return BrokenError(f"InfluxDB at {host} broke the connection: {type(cause).__name__}", "run it again.")
