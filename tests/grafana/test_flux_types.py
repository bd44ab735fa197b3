"""Every query type-checks: with the Flux checker of the InfluxData editor, run by node."""

from __future__ import annotations

import pytest

from tests.grafana.board_files import every_query, fill_in
from tests.grafana.node_scripts import run_script


def errors_of(queries: list[str]) -> list[list[str]]:
    answers: list[list[str]] = run_script("check.mjs", queries)
    assert len(answers) == len(queries)
    return answers


@pytest.mark.long
def test_every_query_type_checks() -> None:
    queries = every_query("flux")
    answers = errors_of([fill_in(query.text) for query in queries])
    found = dict(zip([query.name for query in queries], answers, strict=True))
    assert not {title: errors for title, errors in found.items() if errors}


def test_the_checker_sees_each_mistake() -> None:
    wrong = [
        'from(bucket: "envoy") |> rang(start: -1h)',
        'from(bucket: "envoy") |> range(start: -1h) |> filter(fn: (r) => 1)',
        'from(bucket: "envoy") |> range(start: -1h) |> aggregateWindow(evry: 1m, fn: mean)',
        'import "no/such"\nfrom(bucket: "envoy") |> range(start: -1h)',
    ]
    assert [text for text, errors in zip(wrong, errors_of(wrong), strict=True) if not errors] == []
