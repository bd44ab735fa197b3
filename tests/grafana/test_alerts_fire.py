"""Each alert goes to firing and back to normal in a real Grafana, in both query languages, with data made for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.alerts.rules import RULES
from logger.influx.line_protocol import encode
from logger.model import Reading, Role, Value
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Server, http, serving
from tests.grafana.grafana_server import BUCKETS, Choice, Grafana, QueryLanguage
from tests.history.load import write_lines
from tests.waiting import wait_until

pytestmark = pytest.mark.long
WELL, QUIET = "122500000001", "122500000002"
DAY_S: Final = 86400


@dataclass
class Watched:
    """A database, and the Grafana that watches it."""

    server: Server
    grafana: Grafana

    def write(self, readings: list[Reading]) -> None:
        lines: dict[Role, list[bytes]] = {"totals": [], "devices": [], "daily": []}
        for reading in readings:
            lines[reading.role].append(encode([reading]))
        write_lines(self.server, BUCKETS, lines)

    def forget(self, gateway: str, since: int) -> None:
        """Delete what a gateway had from a time on."""
        if isinstance(self.server, Influx1):
            self.server.query(
                f'DELETE FROM "envoy_totals" WHERE "gateway" = \'{gateway}\' AND time >= {since}s', BUCKETS["totals"]
            )
            return
        assert isinstance(self.server, Influx2)
        start, stop = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (since, since + DAY_S))
        answer = http(
            "POST",
            f"{self.server.url}/api/v2/delete",
            params={"org": self.server.org, "bucket": BUCKETS["totals"]},
            json={"start": start, "stop": stop, "predicate": f'gateway="{gateway}"'},
            headers={"authorization": f"Token {self.server.admin_token}"},
        )
        assert answer.status_code == 204, answer.text

    def rules(self) -> dict[str, Any]:
        """Each rule by its title, as Grafana shows it."""
        found: Any = self.grafana.get("/api/prometheus/grafana/api/v1/rules")
        return {rule["name"]: rule for group in found["data"]["groups"] for rule in group["rules"]}


@pytest.fixture(params=["influx1 influxql", "influx2 influxql", "influx2 flux"])
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    generation, language = request.param.split()
    query_language: QueryLanguage = "flux" if language == "flux" else "influxql"
    for name in ("database", "grafana"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        make = Influx1 if generation == "influx1" else Influx2
        server = stack.enter_context(serving(make(tmp_path / "database")))
        for bucket in BUCKETS.values():
            server.create(bucket)
        grafana = Grafana(tmp_path / "grafana", server, Choice(query_language), alerts_every="10s")
        stack.callback(grafana.stop)
        yield Watched(server, grafana)


def point(measurement: str, role: Role, at: int, tags: Mapping[str, str] = {}, /, **fields: Value) -> Reading:
    return Reading(measurement, {"gateway": WELL, **tags}, fields, at, role)


def state(at: int, *, is_well: bool) -> list[Reading]:
    """A site in which all is well, or nothing is, at a time and in the ten minutes before."""
    today = at // DAY_S * DAY_S
    phases = [
        point("envoy_phase", "totals", minute, {"meter": "net-consumption", "phase": "L1"},
              voltage_v=231.0 if is_well else 262.0)
        for minute in range(at // 60 * 60 - 660, at + 1, 60)
    ]  # fmt: skip
    grid = [
        point("envoy_grid", "totals", minute, grid_state="on-grid" if is_well else "off-grid")
        for minute in range(at // 60 * 60 - 240, at + 1, 60)
    ]
    inverter = {"serial": "1225010001", "panel_group": "south"}
    return [
        *phases,
        *grid,
        point("envoy_totals", "totals", at, production_power_w=1.0, inverters=8),
        point("envoy_logger", "totals", at, outbox_oldest_s=60.0 if is_well else 7300.0,
              refused_points=0.0 if is_well else 12.0, token_expires_s=(300.0 if is_well else 10.0) * DAY_S),
        point("envoy_battery", "devices", at, {"serial": "1225100", "kind": "encharge"},
              temperature_c=24.0 if is_well else 61.0),
        point("envoy_inverter_day", "daily", today, inverter, low_days=0 if is_well else 4,
              silent_days=0 if is_well else 3),
    ]  # fmt: skip


def test_every_alert_fires_and_ends(watched: Watched) -> None:
    began = int(time.time())
    heard = [point("envoy_totals", "totals", began - ago, {"gateway": QUIET}, inverters=5) for ago in (3000, 30)]
    watched.write([*state(began - 120, is_well=True), *heard])
    watched.grafana.start()

    def all_are(wanted: str) -> bool:
        rules = watched.rules()
        return len(rules) == len(RULES) and all(
            rule["health"] == "ok" and rule["state"] == wanted for rule in rules.values()
        )

    def shown() -> str:
        return "\n".join(
            f"{name}: {rule['state']} {rule['health']} {rule.get('lastError', '')}"
            for name, rule in watched.rules().items()
        ) + "\n".join(watched.grafana.log())

    wait_until(
        lambda: all_are("inactive") and all(r["lastEvaluation"] > "2" for r in watched.rules().values()), shown
    )
    watched.write(state(int(time.time()) - 60, is_well=False))
    watched.forget(QUIET, began - 60)
    wait_until(lambda: all_are("firing"), shown)
    said = [alert["annotations"]["summary"] for rule in watched.rules().values() for alert in rule["alerts"]]
    assert not [text for text in said if "no value" in text and "Gateway" not in text]
    now = int(time.time())
    watched.write([*state(now, is_well=True), point("envoy_totals", "totals", now, {"gateway": QUIET}, inverters=5)])
    wait_until(lambda: all_are("inactive"), shown)
