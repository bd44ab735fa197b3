"""Sets up an InfluxDB 2 for the recorder: organisation, buckets, and tokens that may only write or only read.

A second run changes only missing or wrong items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from influxdb_client import (
    Authorization,
    Bucket,
    BucketRetentionRules,
    OnboardingRequest,
    Permission,
    PermissionResource,
    SetupService,
    WriteService,
)

from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError
from logger.influx.dialects import is_sendable
from logger.influx.queries import quote_flux
from logger.influx.v2_client import V2Client
from logger.log import protect
from logger.provision.plan import (
    DAY_S,
    RIGHTS,
    Action,
    Admin,
    Credential,
    Purpose,
    SetupPlan,
    SetupResult,
    Step,
    describe_retention,
    plan_retention,
)
from logger.provision.v2_refusals import refuse

_TIMEOUT_S: Final = 20.0
_SHARDS: Final = ((2 * DAY_S, 3600), (180 * DAY_S, DAY_S), (0, 7 * DAY_S))
"""Limit of the retention → shard duration that InfluxDB 2 chooses for a retention below this limit, in seconds.

A limit of 0 stands for all longer retentions.
"""
_DESCRIPTION: Final = "envoy-logger"
"""The word by which the descriptions of tokens and buckets on the server name this program."""


def set_up_v2(url: str, admin: Admin, plan: SetupPlan) -> SetupResult:
    """Create the missing organisation, buckets and tokens on the InfluxDB 2 at `url`.

    A server that was never set up gets its first user (`admin`), the organisation and the first bucket. The
    recorder's own tokens are found by their description, which names the recorder. A token fits if it has the planned
    rights on the planned buckets. A fitting token stays in use in three cases: the server shows the token's text
    (before 2.9), the plan has the token's text and the server accepts the text, or the caller does not need the text.
    Otherwise a new token is made, and the old token is deleted. A dry run creates nothing and lists the steps. Raises
    InfluxError or a subclass, or a WireError.
    """
    with V2Client(url, refuse, timeout_s=_TIMEOUT_S) as anonymous:
        service = SetupService(anonymous.api.api_client)
        if not _is_fresh(anonymous, service):
            return _set_up_as(admin, url, plan, [], {})
        if not (admin.username and admin.password):
            raise InfluxRefusedError(
                f"InfluxDB at {anonymous.host} was never set up: it has no user yet",
                "name its first user: --admin-user NAME and --admin-password-file FILE (- for stdin).",
            )
        steps = [Step("made", f"user {admin.username!r}", "the server's first"), _organisation_step("made", plan)]
        if plan.dry_run:
            return SetupResult((*steps, *_list_steps(plan)))
        bucket, seconds = next(iter(plan.buckets.items()))
        request = OnboardingRequest(
            username=admin.username,
            password=admin.password,
            org=plan.org,
            bucket=bucket,
            retention_period_seconds=seconds or 0,
            token=admin.token or None,
        )
        made = anonymous.ask(partial(service.post_setup, request), "accept its first user")
    protect([made.auth.token])
    steps.append(Step("made", f"bucket {bucket!r}", describe_retention(seconds)))
    return _set_up_as(Admin(made.auth.token), url, plan, steps, {bucket: made.bucket.id}, made.auth.token)


def _is_fresh(client: V2Client, service: SetupService) -> bool:
    """Ask the server whether it waits for its first user.

    Return False if the server answers 404, as InfluxDB Cloud does, because InfluxDB Cloud always has users.
    """
    try:
        return bool(client.ask(service.get_setup, "report whether it is set up").allowed)
    except InfluxMissingError:
        return False


def _set_up_as(
    admin: Admin, url: str, plan: SetupPlan, steps: list[Step], made: Mapping[str, str], admin_token: str = ""
) -> SetupResult:
    """Sign in, and create the items of the plan that InfluxDB lacks.

    `made`: name → id of the buckets that were made together with the server's first user. `admin_token`: the token
    of this first user; empty if the server had a user before.
    """
    sign_in = {"token": admin.token} if admin.token else {"username": admin.username, "password": admin.password}
    with V2Client(url, refuse, timeout_s=_TIMEOUT_S, org=plan.org, **sign_in) as client:
        setup = _V2Setup(client, url, plan, steps)
        org_id = setup.make_organisation()
        if org_id is None:
            return SetupResult((*steps, *_list_steps(plan)))
        buckets = {
            name: made.get(name) or setup.make_bucket(org_id, name, seconds) for name, seconds in plan.buckets.items()
        }
        credentials = setup.make_tokens(org_id, buckets)
    return SetupResult(tuple(steps), credentials, admin_token)


class _V2Setup:
    """Makes the organisation, the buckets and the tokens. Appends each checked item to `steps`."""

    def __init__(self, client: V2Client, url: str, plan: SetupPlan, steps: list[Step]) -> None:
        self._client, self._url, self._plan, self._steps = client, url, plan, steps

    def make_organisation(self) -> str | None:
        """Find or make the organisation. Return its id; None if a dry run would make it."""
        name, made = self._plan.org, _organisation_step("made", self._plan)
        api = self._client.api.organizations_api()
        for item in self._list(partial(api.find_organizations, org=name), "list its organisations"):
            if item.name == name:
                if made not in self._steps:  # was not made by this run
                    self._steps.append(_organisation_step("exists", self._plan))
                return str(item.id)
        self._steps.append(made)
        if self._plan.dry_run:
            return None
        try:
            return str(self._client.ask(partial(api.create_organization, name), f"make the {made.subject}").id)
        except InfluxRefusedError as error:
            raise InfluxMissingError(
                f"InfluxDB at {self._client.host} shows no organisation {name!r} to this token, and does not make it",
                "check INFLUXDB_ORG, and that INFLUXDB_ADMIN_TOKEN belongs to that organisation.",
            ) from error

    def make_bucket(self, org_id: str, name: str, seconds: int | None) -> str | None:
        """Find or make the bucket. Return its id; None if a dry run would make it."""
        api, subject, dry_run = self._client.api.buckets_api(), f"bucket {name!r}", self._plan.dry_run
        listed = self._list(lambda: api.find_buckets(name=name, org_id=org_id).buckets, "list its buckets")
        for item in listed:
            if item.name != name:
                continue
            has = sum(int(rule.every_seconds or 0) for rule in item.retention_rules or ())
            step, change = plan_retention(subject, has, seconds, shorten=self._plan.shorten)
            self._steps.append(step)
            if change is not None and not dry_run:
                item.retention_rules = _make_rules(change, is_change=True)
                self._client.call(partial(api.update_bucket, item), f"change the {subject}")
            return str(item.id)
        self._steps.append(Step("made", subject, describe_retention(seconds)))
        if dry_run:
            return None
        rules = _make_rules(seconds or 0)
        new = Bucket(name=name, org_id=org_id, retention_rules=rules, description=f"by {_DESCRIPTION}")
        return str(self._client.ask(partial(api.create_bucket, bucket=new), f"make the {subject}").id)

    def make_tokens(self, org_id: str, buckets: Mapping[str, str | None]) -> dict[Purpose, Credential]:
        """Find or make a token for each purpose, and return the tokens. A dry run returns none.

        `buckets`: name → id.
        """
        api = self._client.api.authorizations_api()
        known = self._client.ask(partial(api.find_authorizations, org_id=org_id), "list its tokens")
        credentials: dict[Purpose, Credential] = {}
        for purpose in self._plan.purposes:
            kin = [item for item in known if _is_kin(str(item.description or ""), purpose)]
            text = self._make_token(org_id, purpose, buckets.values(), kin)
            if text is not None:
                protect([text])
                credentials[purpose] = Credential(text)
        return credentials

    def _make_token(
        self, org_id: str, purpose: Purpose, bucket_ids: Iterable[str | None], kin: Iterable[Authorization]
    ) -> str | None:
        """Find or make the token that has the rights of `purpose` on these buckets.

        Return the token's secret text. Return None in a dry run. If a token has these rights already, and the caller
        does not need its text (the plan's `unasked` contains `purpose`), also return None.

        `kin`: the tokens of all recorders for that purpose. A token whose text is in the plan is used again, even if
        the token names another recorder, because the host name of a container changes. Other tokens of other
        recorders stay unchanged.
        """
        action = "write" if purpose == "write" else "read"
        asked = dict.fromkeys((action, "buckets", bucket_id) for bucket_id in bucket_ids)
        stale = []
        for item in kin:
            is_own = item.description == _describe(self._plan, purpose)
            if not is_own and not self._plan.held.get(purpose):
                continue
            allowed = {(str(each.action), str(each.resource.type), each.resource.id) for each in item.permissions}
            fits = allowed == asked.keys() and item.status == "active"
            text = item.token if _is_shown(item.token) else self._try_held(purpose)
            text = text if is_own or text == self._plan.held[purpose] else None
            is_unasked = purpose in self._plan.unasked
            if fits and (is_unasked or text is not None):
                self._steps.append(_token_step("exists", self._plan, purpose))
                return None if self._plan.dry_run or is_unasked else str(text)
            stale += [item] if is_own else []
        self._steps.append(_token_step("replaced" if stale else "made", self._plan, purpose))
        if self._plan.dry_run:
            return None
        permissions = [
            Permission(action=action, resource=PermissionResource(type=kind, id=bucket_id, org_id=org_id))
            for action, kind, bucket_id in asked
        ]
        api, subject = self._client.api.authorizations_api(), f"token {_describe(self._plan, purpose)!r}"
        new = Authorization(org_id=org_id, permissions=permissions, description=_describe(self._plan, purpose))
        made = self._client.ask(partial(api.create_authorization, authorization=new), f"make the {subject}")
        for item in stale:
            self._client.call(partial(api.delete_authorization, item), f"remove the old {subject}")
        return str(made.token)

    def _try_held(self, purpose: Purpose) -> str | None:
        """Return the plan's token of `purpose` if the server accepts it for every bucket, otherwise None."""
        text, org = self._plan.held.get(purpose, ""), self._plan.org
        if not is_sendable(text):
            return None
        with V2Client(self._url, refuse, timeout_s=_TIMEOUT_S, token=text, org=org) as client:
            write, query = WriteService(client.api.api_client).post_write, client.api.query_api().query
            for bucket in self._plan.buckets:
                if purpose == "write":  # an empty write stores nothing; the client's writer cannot send it
                    attempt = partial(write, org=org, bucket=bucket, body=b"")
                else:
                    attempt = partial(query, f"from(bucket: {quote_flux(bucket)}) |> range(start: -1s)")
                try:
                    client.call(attempt, "accept the token")
                except InfluxError:
                    return None
        return text

    def _list(self, function: Callable[[], list[Any] | None], doing: str) -> list[Any]:
        try:
            return self._client.ask(function, doing)
        except InfluxMissingError:  # some versions answer 404 instead of an empty list
            return []


def _list_steps(plan: SetupPlan) -> list[Step]:
    """Return the steps of a dry run on a server that has no bucket and no token of the recorder."""
    buckets = [Step("made", f"bucket {name!r}", describe_retention(s)) for name, s in plan.buckets.items()]
    return buckets + [_token_step("made", plan, purpose) for purpose in plan.purposes]


def _organisation_step(action: Action, plan: SetupPlan) -> Step:
    return Step(action, f"organisation {plan.org!r}")


def _token_step(action: Action, plan: SetupPlan, purpose: Purpose) -> Step:
    ends = "; the old token is no longer valid" if action == "replaced" else ""
    return Step(
        action, f"token {_describe(plan, purpose)!r}", f"may {RIGHTS[purpose]} {', '.join(plan.buckets)}{ends}"
    )


def _is_kin(description: str, purpose: Purpose) -> bool:
    """Return whether a token with that description was made for this purpose, by this recorder or another."""
    return description.startswith(f"{_DESCRIPTION} ") and description.endswith(f"({purpose})")


def _describe(plan: SetupPlan, purpose: Purpose) -> str:
    """Return the description by which the recorder finds its token for a purpose."""
    return f"{_DESCRIPTION} {plan.recorder} ({purpose})"


def _make_rules(seconds: int, *, is_change: bool = False) -> list[BucketRetentionRules]:
    """Make the retention rules of a bucket that keeps data for `seconds`; 0 means without limit.

    A new bucket without limit gets no rule. A change always needs a rule (`is_change`). InfluxDB requires that the
    shard duration is at most the retention.
    """
    if not seconds and not is_change:
        return []
    shards = next(shard for most, shard in _SHARDS if seconds < most or most == 0) if seconds else _SHARDS[-1][1]
    duration = shards if is_change else None
    return [BucketRetentionRules(type="expire", every_seconds=seconds, shard_group_duration_seconds=duration)]


def _is_shown(token: object) -> bool:
    """Return True if `token` is a token's text. Some servers show nothing or a redacted text instead."""
    return isinstance(token, str) and bool(token) and "redacted" not in token.lower()
