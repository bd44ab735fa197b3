"""`setup` makes what is missing, no more, and its tokens can do one thing each."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from logger.clock import SystemClock
from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError, UnreachableError
from logger.influx.classify import Blocked, Done, Outcome
from logger.influx.provision import Provisioned, setup
from logger.influx.write import Writer
from logger.model import ROLES, Role
from tests.servers import Fake2, Influx1, Influx2, Victoria, serving

BUCKETS: dict[Role, str] = {"totals": "envoy", "devices": "envoy_devices", "daily": "envoy_daily"}
TOKENS = ("token 'envoy-logger (write)'", "token 'envoy-logger (read)'")
Server2 = Influx2 | Fake2


@pytest.fixture
def org(influx2: Server2) -> str:
    """A new organisation, so that every test starts from nothing."""
    return influx2.new_org()


def run(server: Server2, org: str, **changes: object) -> Provisioned:
    return setup(server.url, SecretStr(server.admin_token), org, BUCKETS.values(), **changes)  # type: ignore[arg-type]


def check(server: Server2, org: str, token: str | None) -> dict[Role, Outcome]:
    assert token

    async def ask() -> dict[Role, Outcome]:
        writer = Writer(server.target(BUCKETS, token=token, org=org), SystemClock())
        try:
            return await writer.check()
        finally:
            await writer.aclose()

    return asyncio.run(ask())


def buckets_of(server: Server2, org: str) -> dict[str, int]:
    """The organisation's own buckets and how long they keep data."""
    answer = server.ask("GET", "/api/v2/buckets", params={"orgID": server.org_id(org), "limit": "100"})
    return {
        one["name"]: sum(rule["everySeconds"] for rule in one["retentionRules"])
        for one in answer.json()["buckets"]
        if not one["name"].startswith("_")
    }


def tokens_of(server: Server2, org: str) -> list[str]:
    answer = server.ask("GET", "/api/v2/authorizations", params={"orgID": server.org_id(org)})
    return sorted(one["description"] for one in answer.json()["authorizations"])


def test_three_buckets_that_keep_for_ever_and_two_tokens_are_made(influx2: Server2, org: str) -> None:
    made = run(influx2, org)
    assert made.created == (*BUCKETS.values(), *TOKENS)
    assert made.existing == ()
    assert buckets_of(influx2, org) == dict.fromkeys(BUCKETS.values(), 0)
    assert tokens_of(influx2, org) == ["envoy-logger (read)", "envoy-logger (write)"]


def test_the_recorders_token_writes_the_three_buckets_and_can_do_nothing_else(influx2: Server2, org: str) -> None:
    made = run(influx2, org)
    token = made.write_token
    assert check(influx2, org, token) == dict.fromkeys(ROLES, Done())
    org_id = influx2.org_id(org)
    other = influx2.ask("POST", "/api/v2/buckets", json={"orgID": org_id, "name": "other"})
    assert other.status_code == 201

    async def write_elsewhere() -> Outcome:
        writer = Writer(influx2.target(dict.fromkeys(ROLES, "other"), token=token, org=org), SystemClock())
        try:
            return await writer.write("totals", b"m f=1 1\n", gzipped=False)
        finally:
            await writer.aclose()

    outcome = asyncio.run(write_elsewhere())
    assert isinstance(outcome, Blocked)
    assert outcome.status == 403
    for path, shown in (("buckets", "buckets"), ("orgs", "orgs"), ("authorizations", "authorizations")):
        assert influx2.ask("GET", f"/api/v2/{path}", token=token).json()[shown] == []
    assert influx2.ask(
        "POST", "/api/v2/buckets", token=token, json={"orgID": org_id, "name": "mine"}
    ).status_code in (401, 403)
    query = influx2.ask(
        "POST",
        "/api/v2/query",
        params={"org": org},
        token=token,
        json={"query": 'from(bucket: "envoy") |> range(start: 0)'},
    )
    assert query.status_code == 404


def test_grafanas_token_reads_the_three_buckets_and_cannot_write(influx2: Server2, org: str) -> None:
    made = run(influx2, org)
    assert made.read_token
    for bucket in BUCKETS.values():
        answer = influx2.ask(
            "POST",
            "/api/v2/query",
            params={"org": org},
            token=made.read_token,
            json={"query": f'from(bucket: "{bucket}") |> range(start: 0)'},
        )
        assert answer.status_code == 200
    for outcome in check(influx2, org, made.read_token).values():
        assert isinstance(outcome, Blocked)
        assert outcome.kind == "credentials"


def test_a_second_run_with_the_tokens_at_hand_changes_nothing(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    assert first.write_token
    assert first.read_token
    again = run(influx2, org, held={"write": first.write_token, "read": first.read_token})
    assert again.created == ()
    assert again.existing == (*BUCKETS.values(), *TOKENS)
    assert (again.write_token, again.read_token) == (first.write_token, first.read_token)
    assert len(tokens_of(influx2, org)) == 2


def test_a_second_run_without_them_replaces_tokens_that_the_server_does_not_show(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    again = run(influx2, org)
    assert again.existing[:3] == tuple(BUCKETS.values())
    assert check(influx2, org, again.write_token) == dict.fromkeys(ROLES, Done())
    assert len(tokens_of(influx2, org)) == 2
    if again.write_token != first.write_token:
        assert all(isinstance(outcome, Blocked) for outcome in check(influx2, org, first.write_token).values())


def test_a_token_that_the_server_shows_is_used_again() -> None:
    server = Fake2(readable_tokens=True)
    with serving(server):
        first = run(server, server.org)
        again = run(server, server.org)
        assert (again.write_token, again.read_token) == (first.write_token, first.read_token)
        assert again.created == ()


def test_tokens_of_a_remade_bucket_are_replaced(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    assert first.write_token
    assert first.read_token
    listed = influx2.ask("GET", "/api/v2/buckets", params={"orgID": influx2.org_id(org), "name": "envoy"}).json()
    influx2.ask("DELETE", f"/api/v2/buckets/{listed['buckets'][0]['id']}")
    again = run(influx2, org, held={"write": first.write_token, "read": first.read_token})
    assert again.created == ("envoy", *TOKENS)
    assert check(influx2, org, again.write_token) == dict.fromkeys(ROLES, Done())
    assert len(tokens_of(influx2, org)) == 2


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(influx2: Server2, org: str) -> None:
    made = run(influx2, org, dry_run=True)
    assert made.created == (*BUCKETS.values(), *TOKENS)
    assert (made.write_token, made.read_token) == (None, None)
    assert buckets_of(influx2, org) == {}
    assert tokens_of(influx2, org) == []


def test_one_bucket_for_all_roles_is_made_once(influx2: Server2, org: str) -> None:
    made = setup(influx2.url, influx2.admin_token, org, ["all", "all", "all"])
    assert made.created[0] == "all"
    assert list(buckets_of(influx2, org)) == ["all"]


def test_another_description_has_tokens_of_its_own(influx2: Server2, org: str) -> None:
    first = run(influx2, org)
    run(influx2, org, token_description="second")
    assert len(tokens_of(influx2, org)) == 4
    assert check(influx2, org, first.write_token) == dict.fromkeys(ROLES, Done())


def test_refusals_name_the_setting_to_mend_and_no_secret(influx2: Server2, org: str) -> None:
    with pytest.raises(InfluxRefusedError, match="401") as refused:
        setup(influx2.url, "wrong-secret", org, ["b"])
    assert "INFLUXDB_ADMIN_TOKEN" in refused.value.hint
    assert "wrong-secret" not in str(refused.value)
    with pytest.raises(InfluxMissingError, match="nowhere") as missing:
        setup(influx2.url, influx2.admin_token, "nowhere", ["b"])
    assert "INFLUXDB_ORG" in missing.value.hint
    made = run(influx2, org)
    with pytest.raises(InfluxMissingError):  # a write-only token sees no organisation
        setup(influx2.url, made.write_token or "", org, ["b"])


def test_a_server_that_is_no_influxdb_2_is_told_so(influx1: Influx1, victoria: Victoria) -> None:
    for server in (influx1, victoria):
        with pytest.raises(InfluxError, match="is it an InfluxDB 2"):
            setup(server.url, "t", "o", ["b"])


def test_a_server_that_is_down_is_unreachable(fake_influx2: Fake2) -> None:
    fake_influx2.stop()
    with pytest.raises(UnreachableError, match="refuses the connection"):
        setup(fake_influx2.url, "t", "o", ["b"])


def test_no_token_is_in_a_repr() -> None:
    assert "secret" not in repr(Provisioned((), (), "secret-1", "secret-2"))
