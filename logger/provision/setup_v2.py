"""Sets an InfluxDB 2 up for the recorder: organisation, buckets, a token that may only write to them, others that may
only read.

Administration goes through influxdb-client, which is imported here and nowhere near the daemon. Running it again
changes nothing that is already right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from influxdb_client import (
    Authorization,
    Bucket,
    BucketRetentionRules,
    InfluxDBClient,
    OnboardingRequest,
    Permission,
    PermissionResource,
)
from influxdb_client.rest import ApiException
from influxdb_client.service.setup_service import SetupService
from influxdb_client.service.write_service import WriteService
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
from logger.log import masked, protect
from logger.provision.plan import (
    DAY_S,
    WORDS,
    Admin,
    Credential,
    Done,
    Provisioned,
    Purpose,
    Step,
    Wanted,
    judged,
    keeps,
)
from logger.proxies import proxy_for

T = TypeVar("T")
TIMEOUT_MS = 20_000
_SHARDS = ((2 * DAY_S, 3600), (180 * DAY_S, DAY_S), (0, 7 * DAY_S))
"""What InfluxDB 2 itself chooses: retention below → seconds of a shard; 0 stands for all above."""
DESCRIPTION = "envoy-logger"
"""What our tokens are known by on the server."""


def setup(url: str, admin: Admin, wanted: Wanted) -> Provisioned:
    """Make what is missing on the InfluxDB 2 at `url`.

    A server that was never set up gets its first user (`admin`) and the organisation. A token of ours, known by its
    description, is used again if it still fits the buckets and its text is known: because the server shows it (2.9
    and later do not), or because it is held and the server still takes it. Else it is replaced, and the old one ends.
    With `dry_run` nothing is made: the steps say what would be. Raises InfluxError and its kinds, or a WireError.
    """
    if admin.token and not is_sendable(admin.token):
        raise InfluxRefusedError(
            "INFLUXDB_ADMIN_TOKEN holds a space, a line break or a letter that no token has",
            "copy it again into INFLUXDB_ADMIN_TOKEN_FILE, the token alone.",
        )
    run = _Setup(url, wanted)
    if not run.is_fresh():
        return run.with_admin(admin)
    if not (admin.username and admin.password):
        raise InfluxRefusedError(
            f"InfluxDB at {run.host} was never set up: it has no user yet",
            "name its first user: --admin-user NAME and --admin-password-file FILE (- for stdin).",
        )
    return run.onboard(admin)


class _Setup:
    """One run: what it made and what was there."""

    def __init__(self, url: str, wanted: Wanted) -> None:
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._url, self._wanted = url, wanted
        self._steps: list[Step] = []

    def is_fresh(self) -> bool:
        """Whether the server still waits for its first user."""
        with _client(self._url, token="") as client:
            answer = self._told(lambda: SetupService(client.api_client).get_setup(), "say whether it is set up")
        return bool(answer.allowed)

    def onboard(self, admin: Admin) -> Provisioned:
        """First user, organisation and first bucket; the rest follows with the token that comes of it."""
        wanted = self._wanted
        bucket, seconds = next(iter(wanted.buckets.items()))
        self._steps += [Step("made", f"user {admin.username!r}", "the server's first"), self._organisation("made")]
        if wanted.dry_run:
            return self._all_would_be_made()
        request = OnboardingRequest(
            username=admin.username,
            password=admin.password,
            org=wanted.org,
            bucket=bucket,
            retention_period_seconds=seconds or 0,
            token=admin.token or None,
        )
        with _client(self._url, token="") as client:
            made = self._told(lambda: SetupService(client.api_client).post_setup(request), "take its first user")
        token = str(made.auth.token)
        protect([token])
        self._steps.append(Step("made", f"bucket {bucket!r}", keeps(seconds or 0)))
        return self.with_admin(Admin(token), made={bucket: str(made.bucket.id)}, admin_token=token)

    def with_admin(self, admin: Admin, made: Mapping[str, str] | None = None, admin_token: str = "") -> Provisioned:
        """Everything else. `made`: the bucket that is there since a moment ago."""
        wanted = self._wanted
        sign_in = {"token": admin.token} if admin.token else {"username": admin.username, "password": admin.password}
        with _client(self._url, org=wanted.org, **sign_in) as client:
            org_id = self._org_id(client)
            if org_id is None:
                return self._all_would_be_made()
            buckets = {
                name: (made or {}).get(name) or self._bucket_id(client, org_id, name, seconds)
                for name, seconds in wanted.buckets.items()
            }
            known = self._told(
                lambda: client.authorizations_api().find_authorizations(org_id=org_id), "list its tokens"
            )
            credentials: dict[Purpose, Credential] = {}
            for purpose in wanted.purposes:
                text = self._token(client, org_id, purpose, buckets, known or ())
                if text is not None:
                    protect([text])
                    credentials[purpose] = Credential(text)
        return Provisioned(tuple(self._steps), credentials, admin_token)

    def _all_would_be_made(self) -> Provisioned:
        """A dry run on a server where nothing of ours can be there yet."""
        wanted = self._wanted
        self._steps += [Step("made", f"bucket {name!r}", keeps(s or 0)) for name, s in wanted.buckets.items()]
        self._steps += [self._token_step("made", purpose) for purpose in wanted.purposes]
        return Provisioned(tuple(self._steps), {})

    def _organisation(self, done: Done) -> Step:
        return Step(done, f"organisation {self._wanted.org!r}")

    def _token_step(self, done: Done, purpose: Purpose) -> Step:
        ends = "; the old one is no longer good" if done == "replaced" else ""
        detail = f"may {WORDS[purpose]} {', '.join(self._wanted.buckets)}{ends}"
        return Step(done, f"token {described(purpose)!r}", detail)

    def _org_id(self, client: InfluxDBClient) -> str | None:
        """The organisation's id, made if it is missing; None where a dry run would make it."""
        name = self._wanted.org
        orgs = client.organizations_api()
        try:
            listed = self._told(lambda: orgs.find_organizations(org=name), "list its organisations")
        except InfluxMissingError:
            listed = []
        for item in listed:
            if item.name == name:
                if self._organisation("made") not in self._steps:  # as it is when it was made a moment ago
                    self._steps.append(self._organisation("exists"))
                return str(item.id)
        if self._wanted.dry_run:
            self._steps.append(self._organisation("made"))
            return None
        try:
            made = self._told(lambda: orgs.create_organization(name), f"make the organisation {name!r}")
        except InfluxRefusedError as error:
            raise InfluxMissingError(
                f"InfluxDB at {self.host} shows no organisation {name!r} to this token, nor lets it make one",
                "check INFLUXDB_ORG, and that INFLUXDB_ADMIN_TOKEN belongs to that organisation.",
            ) from error
        self._steps.append(self._organisation("made"))
        return str(made.id)

    def _bucket_id(self, client: InfluxDBClient, org_id: str, name: str, seconds: int | None) -> str | None:
        """The bucket's id, made if it is missing; None where a dry run would make it."""
        api = client.buckets_api()
        try:
            listed = self._told(lambda: api.find_buckets(name=name, org_id=org_id).buckets, "list its buckets")
        except InfluxMissingError:  # some versions answer 404 instead of an empty list
            listed = []
        for item in listed:
            if item.name != name:
                continue
            has = sum(int(rule.every_seconds or 0) for rule in item.retention_rules or ())
            step, change = judged(f"bucket {name!r}", has, seconds, shorten=self._wanted.shorten)
            self._steps.append(step)
            if change is not None and not self._wanted.dry_run:
                item.retention_rules = _rules(change, changed=True)
                self._ask(partial(api.update_bucket, item), f"change the bucket {name!r}")
            return str(item.id)
        self._steps.append(Step("made", f"bucket {name!r}", keeps(seconds or 0)))
        if self._wanted.dry_run:
            return None
        new = Bucket(name=name, org_id=org_id, retention_rules=_rules(seconds or 0), description=f"by {DESCRIPTION}")
        return str(self._told(lambda: api.create_bucket(bucket=new), f"make the bucket {name!r}").id)

    def _token(
        self,
        client: InfluxDBClient,
        org_id: str,
        purpose: Purpose,
        buckets: Mapping[str, str | None],
        known: Iterable[Authorization],
    ) -> str | None:
        """The text of the token that may do what `purpose` says with exactly these buckets."""
        action = "write" if purpose == "write" else "read"
        wanted = {(action, "buckets", bucket_id) for bucket_id in buckets.values()}
        api = client.authorizations_api()
        stale = []
        for item in known:
            if item.description != described(purpose):
                continue
            allowed = {(str(each.action), str(each.resource.type), each.resource.id) for each in item.permissions}
            text = item.token if _readable(item.token) else self._held_text(purpose)
            if allowed == wanted and item.status == "active" and text is not None:
                self._steps.append(self._token_step("exists", purpose))
                return None if self._wanted.dry_run else str(text)
            stale.append(item)
        self._steps.append(self._token_step("replaced" if stale else "made", purpose))
        if self._wanted.dry_run:
            return None
        permissions = [
            Permission(action=action, resource=PermissionResource(type="buckets", id=bucket_id, org_id=org_id))
            for bucket_id in dict.fromkeys(buckets.values())
        ]
        new = Authorization(org_id=org_id, permissions=permissions, description=described(purpose))
        doing = f"the token {described(purpose)!r}"
        made = self._told(lambda: api.create_authorization(authorization=new), f"make {doing}")
        for item in stale:
            self._ask(partial(api.delete_authorization, item), f"remove the old {doing}")
        return str(made.token)

    def _held_text(self, purpose: Purpose) -> str | None:
        """The token that an earlier run returned, if the server takes it for these buckets."""
        text = self._wanted.held.get(purpose)
        if not text or not is_sendable(text):
            return None
        with _client(self._url, token=text, org=self._wanted.org) as client:
            for bucket in self._wanted.buckets:
                try:
                    if purpose == "write":  # an empty write tells and stores nothing
                        write = WriteService(client.api_client).post_write
                        self._ask(partial(write, org=self._wanted.org, bucket=bucket, body=b""), "try the token")
                    else:
                        flux = f"from(bucket: {json.dumps(bucket)}) |> range(start: -1s)"
                        self._ask(partial(client.query_api().query, flux), "try the token")
                except InfluxError:
                    return None
        return text

    def _told(self, call: Callable[[], T | None], doing: str) -> T:
        """The same, of an answer that must tell something: a page of another server's tells nothing."""
        try:
            found = self._ask(call, doing)
        except (AttributeError, TypeError, ValueError):
            found = None
        if found is None:
            raise InfluxError(
                f"what answers at {self.host} does not {doing} as an InfluxDB 2 does",
                "check INFLUXDB_URL, its path included, and INFLUXDB_API.",
            )
        return found

    def _ask(self, call: Callable[[], T], doing: str) -> T:
        """Call influxdb-client; its exceptions become ours."""
        try:
            return call()
        except ApiException as error:
            raise _refusal(error, self.host, doing) from error
        except HTTPError as error:
            raise _outage(error, self.host) from error


def _client(url: str, **how: str) -> InfluxDBClient:
    return InfluxDBClient(url=url, timeout=TIMEOUT_MS, proxy=proxy_for(url), **how)


def described(purpose: Purpose) -> str:
    """The description by which a token of ours is found again."""
    return f"{DESCRIPTION} ({purpose})"


def _rules(seconds: int, *, changed: bool = False) -> list[BucketRetentionRules]:
    """For ever is no rule at all, unless it is a change; a change needs shards that are no longer than it."""
    if not seconds and not changed:
        return []
    shards = next(shard for most, shard in _SHARDS if seconds < most or most == 0) if seconds else _SHARDS[-1][1]
    return [
        BucketRetentionRules(
            type="expire", every_seconds=seconds, shard_group_duration_seconds=shards if changed else None
        )
    ]


def _readable(token: object) -> bool:
    """Servers that keep tokens hashed list them without text, or with the text redacted."""
    return isinstance(token, str) and bool(token) and "redacted" not in token.lower()


def _refusal(error: ApiException, host: str, doing: str) -> InfluxError:
    """InfluxDB answered, with a status that is no success."""
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
    said = f"InfluxDB at {host} does not {doing}: HTTP {error.status}: {' '.join(masked(body).split())[:200]}"
    if error.status in (401, 403):
        return InfluxRefusedError(
            said, "give a token that may manage buckets and tokens: INFLUXDB_ADMIN_TOKEN_FILE, or --admin-token-file."
        )
    if error.status == 404 and "page not found" not in body:
        return InfluxMissingError(said, "check INFLUXDB_ORG.")
    if error.status in (400, 404, 405):
        return InfluxError(f"{said} (is it an InfluxDB 2?)", "check INFLUXDB_URL and INFLUXDB_API.")
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
