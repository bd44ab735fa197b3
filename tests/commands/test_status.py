"""What `status` writes for its reader, from a status as the recorder writes it."""

from __future__ import annotations

import pytest

from logger.commands.status import write_lines
from logger.model import Json

NOW = 1_790_000_000.0


def line_of(name: str, **status: Json) -> str:
    found: dict[str, Json] = {"written_at": NOW - 3, "alive_until": NOW + 60, **status}
    return next(line for line in write_lines(found, NOW) if line.startswith(name))


@pytest.mark.parametrize(
    ("address", "is_own"),
    [("http://127.0.0.1:9900/", True), ("http://[::1]:9900/", True),
     ("http://localhost:9900/", False), ("http://192.0.2.7:9900/", False)],
)  # fmt: skip
def test_a_page_for_this_machine_alone_tells_the_way_from_another(address: str, is_own: bool) -> None:
    told = line_of("page", outlets={"page": address})
    assert address in told
    assert ("ssh -L 9900:localhost:9900 " in told) is is_own


@pytest.mark.parametrize(("ago", "is_fresh"), [(40, True), (7200, False)])
def test_a_fresh_delivery_does_not_promise_that_influxdb_still_answers(ago: int, is_fresh: bool) -> None:
    told = line_of("influxdb", influxdb={"last_delivery": NOW - ago}, store={"delivered": 3, "refused": 0})
    assert told.startswith("influxdb   3 points delivered ever, last ")
    assert told.endswith("an outage shows at the next delivery") is is_fresh
