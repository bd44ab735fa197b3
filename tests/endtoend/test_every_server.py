"""The recorder, a gateway over HTTPS with sign-in, every database: exactly the points expected are read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from logger.model import Role
from tests.databases.server import Server
from tests.endtoend.points import (
    ROLE_OF,
    Points,
    as_points,
    close_to,
    days_in_database,
    differences,
    in_database,
    in_victoria,
    numbers,
    stored,
    stored_days,
    typed,
)
from tests.endtoend.sites import driven_site
from tests.endtoend.truth import expected, unlike

TICKS = 8
OWN = ("envoy_logger", "envoy_event")
"""What the recorder says of itself; everything else is measured."""


def test_exactly_the_points_expected_reach_the_database(any_server: Server, tmp_path: Path) -> None:
    buckets = any_server.fresh_buckets()
    with driven_site(tmp_path, any_server, buckets) as here:
        here.recorder.start()
        status = here.recorder.wait_for_ticks(TICKS)
        assert here.recorder.terminate() == 0
        journal, sign_ins = here.gateway.journal, here.gateway.simulator.cloud.sign_ins
    rows = stored(here.recorder.state)
    last = status["polls"]["last_tick"]  # a later tick may have been cut short by the end
    measured = {
        place: fields
        for place, fields in as_points(row for row in rows if row.tick <= last).items()
        if place.measurement not in OWN
    }

    assert here.gateway.simulator.url.startswith("https://")
    assert sign_ins == 1
    assert {served.credential for served in journal if served.path not in ("/info", "/auth/check_jwt")} <= {
        "bearer", "cookie", "both"}  # fmt: skip
    ticks = sorted({place.time for place in measured if place.measurement == "envoy_totals"})
    assert all(tick % 60 == 0 for tick in ticks)
    assert (ticks[-1] - ticks[0]) // 60 + 1 == len(ticks) + status["polls"]["missed"] >= TICKS
    gateway = [measured.pop(place) for place in list(measured) if place.measurement == "envoy_gateway"]
    told = next(served.body.decode() for served in journal if served.path == "/info")
    assert [f"<software>{fields['firmware']}</software>" in told for fields in gateway] == [True]
    assert [f"<pn>{fields['part_number']}</pn>" in told for fields in gateway] == [True]
    assert unlike(measured, expected(journal, here.serial, last)) == []

    delivered = as_points(row for row in rows if row.delivered)
    everything = as_points(rows)
    assert {row.tick for row in rows if row.delivered} >= set(ticks[:-1])
    if any_server.kind == "victoria":
        got, all_of_it = in_victoria(any_server), numbers(everything)
        assert numbers(delivered).keys() <= got.keys() <= all_of_it.keys()
        assert close_to(got, {key: all_of_it[key] for key in got})
    else:
        points = in_database(any_server, buckets)
        assert delivered.keys() <= points.keys() <= everything.keys()
        assert differences(points, {place: everything[place] for place in points}) == []
        _the_days_are_as_the_recorder_has_them(any_server, buckets, here.recorder.state)
        _the_recorder_tells_of_itself(points, here.serial)


def _the_days_are_as_the_recorder_has_them(server: Server, buckets: Mapping[Role, str], state: Path) -> None:
    """The rows of days, months and years; what changed after the last delivery still waits in the store."""
    every, delivered = stored_days(state)
    days = days_in_database(server, buckets)
    assert days.keys() == every.keys()
    assert len([place for place in days if place.measurement == "envoy_day"]) in (1, 2)
    assert differences({place: days[place] for place in delivered}, delivered) == []
    for place, fields in every.items():
        assert ROLE_OF[place.measurement] == "daily"
        assert typed(fields).keys() == typed(days[place]).keys()
        if place.measurement == "envoy_day":
            assert 0.0 <= float(fields["coverage_percent"]) < 100.0


def _the_recorder_tells_of_itself(points: Points, serial: str) -> None:
    own = {place: fields for place, fields in points.items() if place.measurement == "envoy_logger"}
    assert all(place.tag("gateway") == serial for place in points)
    per_endpoint = [fields for place, fields in own.items() if place.tag("endpoint")]
    assert per_endpoint
    for fields in per_endpoint:
        assert {name: type(value) for name, value in fields.items()} == {
            "requests": int, "failures": int, "latency_s": float}  # fmt: skip
        assert fields["failures"] == 0
    whole = [fields for place, fields in own.items() if not place.tag("endpoint")]
    assert all(type(value) is float for fields in whole for value in fields.values())
    kinds = [place.tag("kind") for place in points if place.measurement == "envoy_event"]
    assert sorted(kinds) == ["certificate_pinned", "recorder_started", "token_renewed"]
