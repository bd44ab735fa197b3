"""List every address that is served. The documentation of an address is made from its Route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from logger.model import Json
from logger.web import json_answers, site_answers, span_answers
from logger.web.question import Question

API: Final = "/api/v1"


@dataclass(frozen=True, slots=True)
class Route:
    """Describe one address of the API: path, answer and parameters.

    `answer`: the function that makes the JSON. It runs once after each change, and all visitors receive its result.
    `parameters`: names with meanings. `example`: the query of the example in the documentation.
    """

    path: str
    title: str
    answer: Callable[[Question], Awaitable[Json]]
    parameters: tuple[tuple[str, str], ...] = ()
    example: str = ""


ROUTES: Final = (
    Route(
        f"{API}/now",
        "The newest totals, grid and batteries, own use and self-sufficiency of today, and the present problems with "
        "their cures. `at` is the last tick at which the gateway answered. `is_fresh` is true if the gateway "
        "answered at one of the last two ticks. If the recorder began to count today's energy only after midnight, "
        "`counted` holds the time at which the counting began (`since`), and the energies counted from `since` on.",
        json_answers.answer_now,
    ),
    Route(
        f"{API}/curve",
        "Today's powers, tick by tick, as columns of equal length.",
        json_answers.answer_curve,
    ),
    Route(
        f"{API}/days",
        "One row for each local day, as in `envoy_day`, with own use and self-sufficiency.",
        span_answers.answer_days,
        (
            ("from", "the first local date; by default 13 days before `to`"),
            ("to", "the last local date; by default today. One request may ask for at most 400 days"),
        ),
        "from=2026-06-21&to=2026-06-22",
    ),
    Route(f"{API}/months", "The last twelve months, as in `envoy_month`.", span_answers.answer_months),
    Route(f"{API}/years", "All years, as in `envoy_year`.", span_answers.answer_years),
    Route(
        f"{API}/site",
        "The sums over a site of several gateways, as in `envoy_site`, and the site's days, as in `envoy_site_day`; "
        "`gateways` is null at a site of one gateway.",
        site_answers.answer_site,
    ),
    Route(
        f"{API}/inverters",
        "Each inverter: its place in the layout file, its last report, its state, and its newest day row "
        "(`group_ratio`: the inverter's energy of the day, divided by the group's median).",
        json_answers.answer_inverters,
    ),
    Route(
        f"{API}/events",
        "The events of the last seven days, newest first.",
        json_answers.answer_events,
        (("limit", "the greatest number of events, up to 200; by default 50"),),
        "limit=3",
    ),
    Route(
        f"{API}/status",
        "The state of the recorder, as in `envoy-logger status --json`, but without the keys `serial`, "
        "`token_user` and `pid`.",
        json_answers.answer_status,
    ),
)
