"""`setup` makes what is missing, no more, and its tokens can do one thing each."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from logger.clock import SystemClock
from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError, UnreachableError
from logger.influx.classify import Blocked, Done, Outcome
from logger.influx.write import Writer
from logger.model import ROLES, Json, Role
from logger.provision.plan import Admin, Credential, Purpose, RecorderName, SetupPlan, SetupResult
from logger.provision.setup_v2 import set_up_v2
from tests.databases.fake2 import Fake2
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import serving
from tests.databases.victoria import Victoria

BUCKETS: dict[Role, str] = {"totals": "envoy", "devices": "envoy_devices", "daily": "envoy_daily"}
MADE = tuple(f"bucket {name!r}" for name in BUCKETS.values())
HERE = RecorderName("pi", "/var/lib/envoy-logger")
THERE = RecorderName("nas", "/srv/envoy")
TOKENS = (f"token 'envoy-logger {HERE} (write)'", f"token 'envoy-logger {HERE} (read)'")
Server2 = Influx2 | Fake2


@pytest.fixture
def org(influx2: Server2) -> str:
    """A new organisation, so that every test starts from nothing."""
    return influx2.new_org()


def run(
    server: Server2,
    org: str,
    *,
    buckets: Mapping[str, int | None] | None = None,
    admin: Admin | None = None,
    held: Mapping[Purpose, str] | None = None,
    purposes: tuple[Purpose, ...] = ("write", "read"),
    dry_run: bool = False,
    shorten: bool = False,
    recorder: RecorderName = HERE,
) -> SetupResult:
    named = dict.fromkeys(BUCKETS.values()) if buckets is None else buckets
    plan = SetupPlan(named, recorder, org, purposes=purposes, held=held or {}, dry_run=dry_run, shorten=shorten)
    return set_up_v2(server.url, admin or Admin(server.admin_token), plan)


def secret(made: SetupResult, purpose: Purpose) -> str:
    return made.credentials[purpose].secret


def of(made: SetupResult) -> dict[Purpose, str]:
    return {purpose: credential.secret for purpose, credential in made.credentials.items()}


def check(server: Server2, org: str, token: str | None) -> dict[Role, Outcome]:
    assert token

    async def ask() -> dict[Role, Outcome]:
        writer = Writer(server.target(BUCKETS, token=token, org=org), SystemClock())
        try:
            return await writer.check()
        finally:
            await writer.aclose()

    return asyncio.run(ask())


def written(server: Server2, org: str, token: str, bucket: str) -> Outcome:
    async def write() -> Outcome:
        writer = Writer(server.target(dict.fromkeys(ROLES, bucket), token=token, org=org), SystemClock())
        try:
            return await writer.write("totals", b"m f=1 1\n", gzipped=False)
        finally:
            await writer.aclose()

    return asyncio.run(write())


def ids_of(server: Server2, org: str) -> dict[str, str]:
    answer = server.ask("GET", "/api/v2/buckets", params={"org": org, "limit": "100"})
    return {one["name"]: one["id"] for one in answer.json()["buckets"]}


def buckets_of(server: Server2, org: str, token: str | None = None) -> dict[str, int]:
    """The organisation's own buckets and how long they keep data."""
    answer = server.ask("GET", "/api/v2/buckets", params={"org": org, "limit": "100"}, token=token)
    return {
        one["name"]: sum(rule["everySeconds"] for rule in one["retentionRules"])
        for one in answer.json()["buckets"]
        if not one["name"].startswith("_")
    }


def tokens_of(server: Server2, org: str) -> list[str]:
    answer = server.ask("GET", "/api/v2/authorizations", params={"orgID": server.org_id(org)})
    return sorted(one["description"] for one in answer.json()["authorizations"])


def test_a_second_recorder_gets_tokens_of_its_own_and_ends_none_of_the_first_one(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    second = run(influx2, org, recorder=THERE)
    assert second.subjects("replaced") == ()
    assert sorted(tokens_of(influx2, org)) == sorted(
        f"envoy-logger {each} ({purpose})" for each in (HERE, THERE) for purpose in ("read", "write")
    )
    assert len({secret(made, purpose) for made in (first, second) for purpose in ("read", "write")}) == 4
    again = run(influx2, org, recorder=THERE, held=of(second))
    assert again.subjects("made", "replaced") == ()
    lost = run(influx2, org, recorder=THERE)
    assert len(tokens_of(influx2, org)) == 4
    assert run(influx2, org, held=of(first)).subjects("exists") == (f"organisation {org!r}", *MADE, *TOKENS)
    moved = run(influx2, org, recorder=RecorderName("container-2", "/state"), held=of(lost))
    assert moved.subjects("made", "replaced") == ()
    assert of(moved) == of(lost), "what is held is used again, under whichever name it was made"


def test_three_buckets_that_keep_for_ever_and_two_tokens_are_made(influx2: Server2, org: str) -> None:
    made = run(influx2, org)
    assert made.subjects("made") == (*MADE, *TOKENS)
    assert made.subjects("exists") == (f"organisation {org!r}",)
    assert buckets_of(influx2, org) == dict.fromkeys(BUCKETS.values(), 0)
    assert tokens_of(influx2, org) == [f"envoy-logger {HERE} (read)", f"envoy-logger {HERE} (write)"]


def test_a_missing_organisation_is_made(influx2: Server2) -> None:
    name = f"new_{uuid.uuid4().hex[:8]}"
    planned = run(influx2, name, dry_run=True)
    made = run(influx2, name)
    assert made.subjects("made") == planned.subjects("made") == (f"organisation {name!r}", *MADE, *TOKENS)
    assert check(influx2, name, secret(made, "write")) == dict.fromkeys(ROLES, Done())


@pytest.mark.parametrize("kind", [Influx2, Fake2])
def test_a_fresh_server_gets_its_first_user_and_everything_else(kind: type[Server2], tmp_path: Path) -> None:
    server = Influx2(tmp_path, fresh=True) if kind is Influx2 else Fake2(fresh=True)
    first = Admin(username="boss", password="long pass 'word' #1")
    with serving(server):
        with pytest.raises(InfluxRefusedError, match="was never set up") as alone:
            run(server, "home")
        assert "--admin-user" in alone.value.hint
        years = {"envoy": 2 * 365 * 86400, "envoy_devices": None, "envoy_daily": None}
        planned = run(server, "home", admin=first, buckets=years, dry_run=True)
        assert server.is_fresh()
        made = run(server, "home", admin=first, buckets=years)
        assert made.subjects("made") == planned.subjects("made")
        assert made.subjects("made") == ("user 'boss'", "organisation 'home'", *MADE, *TOKENS)
        assert buckets_of(server, "home", made.admin_token) == years | {"envoy_devices": 0, "envoy_daily": 0}
        assert check(server, "home", secret(made, "write")) == dict.fromkeys(ROLES, Done())
        again = run(server, "home", admin=Admin(made.admin_token), buckets=years, held=of(made))
        assert again.subjects("made", "changed", "replaced") == ()
        assert again.admin_token == ""
        if isinstance(server, Influx2):
            by_password = run(server, "home", admin=first, buckets=years, held=of(made))
            assert by_password.subjects("made", "changed", "replaced") == ()


def test_the_recorders_token_writes_the_three_buckets_and_can_do_nothing_else(influx2: Server2, org: str) -> None:
    made = run(influx2, org)
    token = secret(made, "write")
    assert check(influx2, org, token) == dict.fromkeys(ROLES, Done())
    org_id = influx2.org_id(org)
    other = influx2.ask("POST", "/api/v2/buckets", json={"orgID": org_id, "name": "other"})
    assert other.status_code == 201
    assert written(influx2, org, token, "envoy") == Done()
    outcome = written(influx2, org, token, "other")
    assert isinstance(outcome, Blocked)
    assert outcome.status == 403
    for path, shown in (("buckets", "buckets"), ("orgs", "orgs"), ("authorizations", "authorizations")):
        assert influx2.ask("GET", f"/api/v2/{path}", token=token).json()[shown] == []
    assert influx2.ask(
        "POST", "/api/v2/buckets", token=token, json={"orgID": org_id, "name": "mine"}
    ).status_code in (401, 403)
    for bucket in BUCKETS.values():
        query = influx2.ask(
            "POST",
            "/api/v2/query",
            params={"org": org},
            token=token,
            json={"query": f'from(bucket: "{bucket}") |> range(start: 0)'},
        )
        assert query.status_code == 404


def test_a_real_server_lets_the_recorders_token_do_nothing_else(real_influx2: Influx2) -> None:
    org = real_influx2.new_org()
    made = run(real_influx2, org)
    token = secret(made, "write")
    org_id, buckets = real_influx2.org_id(org), ids_of(real_influx2, org)
    one: dict[str, Json] = {"orgID": org_id, "name": "x"}
    whole: Json = {"start": "1970-01-01T00:00:00Z", "stop": "2030-01-01T00:00:00Z"}
    tries: list[tuple[Literal["GET", "POST", "PATCH", "DELETE"], str, Json]] = [
        ("GET", f"/api/v2/buckets/{buckets['envoy']}", None),
        ("PATCH", f"/api/v2/buckets/{buckets['envoy']}", {"name": "stolen"}),
        ("DELETE", f"/api/v2/buckets/{ids_of(real_influx2, real_influx2.org)['first']}", None),
        ("POST", f"/api/v2/delete?org={real_influx2.org}&bucket=first", whole),
        ("GET", f"/api/v2/orgs/{org_id}", None),
        ("POST", "/api/v2/orgs", {"name": f"x{org_id}"}),
        ("DELETE", f"/api/v2/orgs/{org_id}", None),
        ("POST", "/api/v2/users", {"name": "x"}),
        ("POST", "/api/v2/authorizations", {"orgID": org_id, "permissions": [
            {"action": "read", "resource": {"type": "buckets", "orgID": org_id}}]}),
        ("POST", "/api/v2/tasks", {"orgID": org_id, "flux": 'option task = {name: "x", every: 1h}\n'
            'from(bucket: "envoy") |> range(start: -1h) |> to(bucket: "envoy_daily")'}),
        ("POST", "/api/v2/dashboards", one),
        ("POST", "/api/v2/labels", one),
        ("POST", "/api/v2/dbrps", {"orgID": org_id, "bucketID": buckets["envoy"], "database": "x",
            "retention_policy": "x"}),
        ("POST", "/api/v2/variables", {**one, "arguments": {"type": "constant", "values": ["x"]}}),
        ("GET", "/api/v2/users", None),
        ("GET", "/api/v2/backup/metadata", None),
    ]  # fmt: skip
    for method, path, json in tries:
        answer = real_influx2.ask(method, path, token=token, json=json)
        nothing = answer.status_code == 200 and answer.json() == {"links": {"self": path}, "users": []}
        refused = answer.status_code in (401, 403, 404) or "unauthorized" in answer.text
        assert nothing or refused, f"{method} {path}: {answer.status_code} {answer.text}"
    assert buckets_of(real_influx2, org) == dict.fromkeys(BUCKETS.values(), 0)
    assert tokens_of(real_influx2, org) == [f"envoy-logger {HERE} (read)", f"envoy-logger {HERE} (write)"]


def test_what_influxdb_2_itself_means_by_write_is_as_documented(real_influx2: Influx2) -> None:
    """No smaller right exists there: whoever may write may also delete. The README says so."""
    org = real_influx2.new_org()
    token = secret(run(real_influx2, org), "write")
    assert written(real_influx2, org, token, "envoy") == Done()
    whole: Json = {"start": "1970-01-01T00:00:00Z", "stop": "2030-01-01T00:00:00Z"}
    for bucket, bucket_id in ids_of(real_influx2, org).items():
        if bucket in BUCKETS.values():
            params = {"org": org, "bucket": bucket}
            assert (
                real_influx2.ask("POST", "/api/v2/delete", token=token, params=params, json=whole).status_code == 204
            )
            assert real_influx2.ask("DELETE", f"/api/v2/buckets/{bucket_id}", token=token).status_code == 204
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert "a token that may write to a bucket may also delete the bucket's data" in " ".join(readme.split())


@pytest.mark.parametrize("purpose", ["read", "backfill"])
def test_a_reading_token_reads_the_three_buckets_and_cannot_write(
    influx2: Server2, org: str, purpose: Purpose
) -> None:
    made = run(influx2, org, purposes=("write", "read", "backfill"))
    assert len(set(of(made).values())) == 3
    for bucket in BUCKETS.values():
        answer = influx2.ask(
            "POST",
            "/api/v2/query",
            params={"org": org},
            token=secret(made, purpose),
            json={"query": f'from(bucket: "{bucket}") |> range(start: 0)'},
        )
        assert answer.status_code == 200
    for outcome in check(influx2, org, secret(made, purpose)).values():
        assert isinstance(outcome, Blocked)
        assert outcome.kind == "credentials"


def test_a_second_run_with_the_tokens_at_hand_changes_nothing(influx2: Server2, org: str) -> None:
    purposes: tuple[Purpose, ...] = ("write", "read", "backfill")
    first = run(influx2, org, purposes=purposes)
    again = run(influx2, org, purposes=purposes, held=of(first))
    assert again.subjects("exists") == (
        f"organisation {org!r}",
        *MADE,
        *TOKENS,
        f"token 'envoy-logger {HERE} (backfill)'",
    )
    assert len(again.steps) == len(again.subjects("exists"))
    assert of(again) == of(first)
    assert len(tokens_of(influx2, org)) == 3


def test_a_second_run_without_them_replaces_tokens_that_the_server_does_not_show(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    again = run(influx2, org)
    assert again.subjects("exists")[1:] == MADE
    assert again.subjects("replaced") == TOKENS
    assert check(influx2, org, secret(again, "write")) == dict.fromkeys(ROLES, Done())
    assert len(tokens_of(influx2, org)) == 2
    assert all(isinstance(outcome, Blocked) for outcome in check(influx2, org, secret(first, "write")).values())


def test_a_token_that_the_server_shows_is_used_again() -> None:
    server = Fake2(readable_tokens=True)
    with serving(server):
        first = run(server, server.org)
        again = run(server, server.org)
        assert of(again) == of(first)
        assert again.subjects("made", "replaced") == ()


def test_tokens_of_a_remade_bucket_are_replaced(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    listed = influx2.ask("GET", "/api/v2/buckets", params={"orgID": influx2.org_id(org), "name": "envoy"}).json()
    influx2.ask("DELETE", f"/api/v2/buckets/{listed['buckets'][0]['id']}")
    again = run(influx2, org, held=of(first))
    assert again.subjects("made", "replaced") == ("bucket 'envoy'", *TOKENS)
    assert check(influx2, org, secret(again, "write")) == dict.fromkeys(ROLES, Done())
    assert len(tokens_of(influx2, org)) == 2


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(influx2: Server2, org: str) -> None:
    made = run(influx2, org, dry_run=True)
    assert made.subjects("made") == (*MADE, *TOKENS)
    assert made.credentials == {}
    assert buckets_of(influx2, org) == {}
    assert tokens_of(influx2, org) == []


def test_one_bucket_for_all_roles_is_made_once(influx2: Server2, org: str) -> None:
    made = run(influx2, org, buckets={"all": None})
    assert made.subjects("made")[0] == "bucket 'all'"
    assert list(buckets_of(influx2, org)) == ["all"]


def test_retention_is_lengthened_when_asked_and_shortened_only_when_told(influx2: Server2, org: str) -> None:
    year = 365 * 86400
    run(influx2, org, buckets={"all": year})
    assert buckets_of(influx2, org) == {"all": year}
    assert run(influx2, org, buckets={"all": None}).subjects("changed") == ()
    planned = run(influx2, org, buckets={"all": 0}, dry_run=True)
    assert planned.subjects("changed") == ("bucket 'all'",)
    assert buckets_of(influx2, org) == {"all": year}
    run(influx2, org, buckets={"all": 0})
    assert buckets_of(influx2, org) == {"all": 0}
    kept = run(influx2, org, buckets={"all": year})
    assert kept.subjects("kept") == ("bucket 'all'",)
    assert "--shorten" in str(kept.steps[1])
    assert buckets_of(influx2, org) == {"all": 0}
    for shorter in (year, 90 * 86400, 86400):
        assert run(influx2, org, buckets={"all": shorter}, shorten=True).subjects("changed") == ("bucket 'all'",)
        assert buckets_of(influx2, org) == {"all": shorter}


def test_refusals_name_the_setting_to_mend_and_no_secret(influx2: Server2, org: str) -> None:
    with pytest.raises(InfluxRefusedError, match="401") as refused:
        run(influx2, org, admin=Admin("wrong-secret"))
    assert "INFLUXDB_ADMIN_TOKEN" in refused.value.hint
    assert "--admin-password-file" in refused.value.hint, "they may have been wrong as well"
    assert "wrong-secret" not in str(refused.value)
    made = run(influx2, org)
    with pytest.raises(InfluxMissingError, match=org) as missing:  # a write-only token sees no organisation
        run(influx2, org, admin=Admin(secret(made, "write")))
    assert "INFLUXDB_ORG" in missing.value.hint


def test_a_server_that_is_no_influxdb_2_is_told_so(influx1: Influx1, victoria: Victoria) -> None:
    for server in (influx1, victoria):
        with pytest.raises(InfluxError, match="is it an InfluxDB 2"):
            set_up_v2(server.url, Admin("t"), SetupPlan({"b": None}, HERE, "o"))


def test_a_server_that_is_down_is_unreachable(fake_influx2: Fake2) -> None:
    fake_influx2.stop()
    with pytest.raises(UnreachableError, match="refuses the connection"):
        set_up_v2(fake_influx2.url, Admin("t"), SetupPlan({"b": None}, HERE, "o"))


def test_no_secret_is_in_a_repr() -> None:
    made = SetupResult((), {"write": Credential("secret-1"), "read": Credential("secret-2")}, "secret-3")
    plan = SetupPlan({}, HERE, held={"write": "secret-4"})
    assert "secret" not in repr((made, plan, Admin("secret-5", "me", "secret-6")))
