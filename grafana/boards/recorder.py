"""Define the board Recorder: reading, delivery and events."""

from __future__ import annotations

from typing import Final

from grafana.board import Board, Section
from grafana.boards.parts import READING, verdict
from grafana.kinds import bars, curve, listing, stats
from grafana.looks import (
    BAD,
    COLORED_TEXT,
    EACH_ITS_COLOR,
    GOOD,
    HOUSE,
    OF_HUNDRED,
    PLAIN,
    RIGHT,
    WARN,
    WHOLE,
    Look,
    cell,
)
from grafana.query.asked import SHOWN, Rows
from grafana.query.curves import Curve, CurveByTag, Rate
from grafana.query.each import Each, Listing
from grafana.query.newest import LastTime, Newest, NewestIn
from grafana.query.spans import Spans


def _self(*fields: str, since: str = SHOWN) -> Rows:
    return Rows("envoy_logger", fields, since)


_DAY_S: Final = 86400

RECORDER: Final = Board(
    "envoy-recorder",
    "Recorder",
    "State of reading and delivery, the gateway's answer times, and the events.",
    (
        Section(
            "",
            (
                verdict((5, 5)),
                stats(
                    "Last reading",
                    "Time of the gateway's newest reading.",
                    (4, 5),
                    LastTime(Rows("envoy_totals", READING, "30d")),
                    named=False,
                    is_time=True,
                    hidden=("inverters",),
                    looks={"Time": Look("Last reading", PLAIN, "dateTimeFromNow")},
                    absent="none for 30 days",
                ),
                stats(
                    "",
                    "Oldest waiting: the age of the oldest row that is not delivered yet. The recorder "
                    "keeps the points that InfluxDB refused, and can send them again.",
                    (15, 5),
                    Newest(_self("outbox_rows", "outbox_oldest_s", "refused_points", since="15m")),
                    NewestIn("token_days", _self("token_expires_s", since="15m"), _DAY_S),
                    Newest(_self("clock_skew_s", "memory_bytes", since="15m")),
                    looks={
                        "outbox_oldest_s": Look(steps=((None, GOOD), (600, WARN), (3600, BAD))),
                    },
                    absent="The recorder has written nothing for fifteen minutes.",
                ),
                curve(
                    "How long the gateway's answers take",
                    "Seconds from request to answer, for each path of the gateway.",
                    (12, 8),
                    CurveByTag(_self("latency_s"), "endpoint"),
                    interval="1m",
                    fill=0,
                    looks={"/^\\//": Look(unit="s", more=EACH_ITS_COLOR)},
                ),
                listing(
                    "Requests since the start",
                    "Number of requests for each path, and number of those that failed.",
                    (12, 8),
                    Each(_self("requests", "failures", "latency_s", since="20m"), ("endpoint",)),
                    order=("endpoint", "requests", "failures", "latency_s"),
                    hidden=("Time",),
                    sort="endpoint",
                    looks={"failures": Look(steps=((None, GOOD), (1, WARN)))},
                ),
                curve(
                    "What waits for InfluxDB",
                    "Number of rows that are not delivered yet (left), and the age of the oldest row (right).",
                    (12, 8),
                    Curve(_self("outbox_rows", "outbox_oldest_s")),
                    interval="1m",
                    looks={"outbox_oldest_s": Look(more=RIGHT)},
                ),
                curve(
                    "Memory and processor",
                    "Memory of the recorder (left), and the recorder's part of one processor (right).",
                    (12, 8),
                    Curve(_self("memory_bytes")),
                    Rate("cpu_percent", _self("cpu_s")),
                    interval="5m",
                    looks={
                        "cpu_percent": Look("Processor", WARN, more=RIGHT),
                        "memory_bytes": Look(color=HOUSE),
                    },
                ),
                bars(
                    "How much of each day was recorded",
                    "Number of polls, divided by the number of polls that were due on the local day. The last bar is "
                    "yesterday, because today is not over.",
                    (12, 7),
                    Spans(Rows("envoy_day", ("coverage_percent",), "31d", until="1d")),
                    along="local_date",
                    legend=False,
                    looks={"coverage_percent": Look(color=GOOD, more={**OF_HUNDRED, **WHOLE})},
                    absent="the first day has no row yet",
                ),
                curve(
                    "The gateway's clock, and its link to Enphase",
                    "The gateway's clock minus the recorder's clock (left), and the age of the gateway's last report "
"to Enphase (right).",
                    (12, 7),
                    Curve(_self("clock_skew_s")),
                    Curve(Rows("envoy_gateway", ("last_cloud_report_age_s",))),
                    interval="15m",
                    zero=False,
                    looks={
                        "last_cloud_report_age_s": Look(
                            "Last report to Enphase", WARN, more={**RIGHT, **WHOLE}
                        )
                    },
                ),
                listing(
                    "What happened, thirty days",
                    "Events of the last thirty days, the newest first. An event names an inverter by its serial "
                    "number. The board Panels shows the serial number of each panel.",
                    (16, 17),
                    Listing(Rows("envoy_event", ("severity", "text"), "30d"), ("kind",)),
                    order=("Time", "severity", "text", "kind"),
                    sort="Time",
                    down=True,
                    looks={
                        "Time": Look("When", more=cell(180)),
                        "severity": Look(
                            more={**cell(100), **COLORED_TEXT}
                        ),
                        "kind": Look("Kind", more=cell(190)),
                    },
                    absent="no event was recorded",
                ),
                listing(
                    "Gateways",
                    "Firmware, part number and other facts of each gateway.",
                    (8, 17),
                    Each(
                        Rows("envoy_gateway", ("firmware", "part_number", "interface", "update_status"), "2h"),
                        ("gateway",),
                    ),
                    order=("gateway", "firmware", "part_number", "interface", "update_status"),
                    hidden=("Time",),
                    looks={"gateway": Look("Gateway"), "update_status": Look("Update")},
                ),
            ),
        ),
    ),
    since="now-24h",
)  # fmt: skip
