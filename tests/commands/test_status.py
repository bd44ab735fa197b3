"""What `status` writes for its reader, from a status as the recorder writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from logger.commands.ui.status_text import write_lines
from logger.daemon import status_file
from logger.model import Json
from tests.commands.program import program
from tests.databases.fake_influx2 import FakeInflux2

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
    assert told.startswith("influxdb   3 points delivered in total, last ")
    assert told.endswith("an outage shows at the next delivery") is is_fresh


def test_influxdb_is_asked_at_the_time_of_the_status(tmp_path: Path) -> None:
    """The recorder notices an outage only when it delivers."""
    server = FakeInflux2()
    server.start()
    settings = {"INFLUXDB_URL": server.url, "INFLUXDB_ORG": "home", "LOGGER_STATE_DIR": str(tmp_path)}
    status_file.write(tmp_path, {"alive_until": 4e9, "influxdb": {"batches": 1}, "store": {}})
    asked = len(server.seen)
    shown = program(tmp_path, "status", settings=settings)
    assert "refused; answers now\n" in shown.out
    assert [request.path for request in server.seen[asked:]] == ["/ping"]
    server.stop()
    shown = program(tmp_path, "status", settings=settings)
    assert "refused; DOES NOT ANSWER NOW: " in shown.out
    assert shown.code == 0


@pytest.mark.parametrize(
    ("counting", "said"),
    [
        ({"measured": ["load"], "begun": ["load"], "since": NOW, "wh": {"load": 1100.0}},
         "1.10 kWh used by the house since 16:13, when recording began"),
        ({"measured": ["production"]},
         "no figure of the energy used by the house: no meter of this site counts this energy"),
        ({"measured": ["load"], "waiting": ["load"]},
         "no figure of the energy used by the house: the counter waits for its first value above zero, "
         "or for an hour of zeros"),
    ],
)  # fmt: skip
def test_today_has_the_figure_or_the_reason_of_query_today(counting: dict[str, Json], said: str) -> None:
    found: dict[str, Json] = {
        "written_at": NOW + 600,
        "alive_until": NOW + 700,
        "values": {"production_today_wh": 2500.0},
        "books": {"zone": "Europe/Berlin", "counting": counting},
    }
    lines = write_lines(found, NOW + 601)
    assert lines[lines.index("today      2.50 kWh produced") + 1] == f"{'':<11}{said}"
