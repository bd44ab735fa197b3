"""Every status and body that InfluxDB 1.x, 2.x, 3.x, Cloud and VictoriaMetrics give to a write, and what it means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.influx.classify import (
    MOST_RETRY_AFTER_S,
    BadLines,
    Blocked,
    Done,
    Outcome,
    OutsideRetention,
    TooLarge,
    Wait,
    classify,
)
from tests.sizes import examples

NOW = 1_700_000_000.0
CLOUD = {"x-platform-error-code": "invalid"}
OWN = {"x-platform-error-code": "invalid", "x-influxdb-build": "OSS", "x-influxdb-version": "v2.9.1"}
"""What a self-hosted 2.9.1 sends with an error."""


def outcome(status: int, body: str = "", **headers: str) -> Outcome:
    return classify(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, NOW)


def two(code: str, message: str) -> str:
    """A body of 2.x."""
    return f'{{"code":"{code}","message":"{message}"}}'


CONFLICT = (
    r"failure writing points to database: partial write: field type conflict: input field \"f\" on measurement "
    r"\"c\" is type integer, already exists as type float dropped=1"
)
RETENTION = (
    r"failure writing points to database: partial write: dropped 1 points outside retention policy of duration "
    r"1h0m0s - oldest point d at 1970-01-01T00:00:10Z dropped because it violates a Retention Policy Lower Bound"
)
BAD_LINES = [
    (
        "1.x one of several",
        400,
        r"""{"error":"partial write: unable to parse 'c f= 1': missing field value dropped=0"}""",
    ),
    ("1.x all", 400, r"""{"error":"unable to parse 'c f= 1': missing field value"}"""),
    (
        "1.x conflict",
        400,
        r'{"error":"partial write: field type conflict: input field \"f\" on measurement \"c\" is type '
        r'integer, already exists as type float dropped=1"}',
    ),
    (
        "1.x reserved name",
        400,
        r'{"error":"partial write: invalid tag key: input tag \"time\" on measurement \"c\" is '
        r'invalid dropped=1"}',
    ),
    ("1.x long key", 400, '{"error":"partial write: max key length exceeded: 70000 > 65535 dropped=1"}'),
    ("2.x syntax", 400, two("invalid", "unable to parse 'c f= 1': missing field value")),
    ("2.x conflict", 422, two("unprocessable entity", CONFLICT)),
    (
        "3.x part",
        400,
        '{"error":"partial write of line protocol occurred","data":[{"original_line":"c f= 1",'
        '"line_number":1,"error_message":"expected a value"}]}',
    ),
    (
        "3.x conflict",
        400,
        '{"error":"partial write of line protocol occurred","data":[{"original_line":"c f=1i",'
        '"line_number":1,"error_message":"invalid column type for column \'f\', expected '
        'iox::column_type::field::float"}]}',
    ),
    ("3.x all", 400, '{"error":"line protocol parse failed","data":[]}'.replace("parse", "parsing")),
    ("Cloud part as 201", 201, '{"error":"partial write of line protocol occurred","data":[]}'),
    ("VictoriaMetrics long line", 400, 'remoteAddr: "1"; too long line: more than 262144 bytes'),
    ("conflict as 500", 500, two("internal error", CONFLICT)),
    (
        "Serverless conflict as 500",
        500,
        two("internal error", "dml handler error: invalid column type for column 'f'"),
    ),
]
BLOCKED = [
    ("1.x no database", 404, '{"error":"database not found: \\"x\\""}', "missing"),
    ("1.x no policy", 500, '{"error":"retention policy not found: x"}', "missing"),
    ("1.x no credentials", 401, '{"error":"unable to parse authentication credentials"}', "credentials"),
    ("1.x wrong password", 401, '{"error":"authorization failed"}', "credentials"),
    ("1.x no right", 403, r'{"error":"\"r\" user is not authorized to write to database \"x\""}', "credentials"),
    (
        "1.x series limit",
        400,
        '{"error":"partial write: max-series-per-database limit exceeded: (1000000) dropped=1"}',
        "limit",
    ),
    (
        "1.x values limit",
        400,
        '{"error":"partial write: max-values-per-tag limit exceeded (100000/100000) dropped=1"}',
        "limit",
    ),
    ("1.x rotten gzip", 400, '{"error":"gzip: invalid header"}', "unknown"),
    ("2.x no bucket", 404, two("not found", r"bucket \"x\" not found"), "missing"),
    ("2.x no organisation", 404, two("not found", r"organization name \"x\" not found"), "missing"),
    ("2.x wrong token", 401, two("unauthorized", "unauthorized access"), "credentials"),
    ("2.x no right", 403, two("forbidden", "insufficient permissions for write"), "credentials"),
    ("2.x inactive", 403, two("forbidden", "insufficient permissions for write: token is inactive"), "credentials"),
    (
        "2.x precision",
        400,
        two("invalid", "invalid precision; valid precision units are ns, us, ms, and s"),
        "unknown",
    ),
    ("3.x no token", 401, "", "credentials"),
    (
        "3.x a token of two words",
        400,
        '{"error": "Authorization header was malformed, the request was not in the form '
        "of 'Authorization: <auth-scheme> <token>', supported auth-schemes are Bearer, Token and Basic\"}",
        "credentials",
    ),
    ("3.x v2 path, store fault", 400, two("invalid", "write buffer error: object store unreachable"), "unknown"),
    (
        "3.x tables limit",
        422,
        '{"error":"Update to schema would exceed number of tables limit of 2000 tables"}',
        "limit",
    ),
    (
        "3.x columns limit",
        422,
        '{"error":"Update to schema would exceed number of columns per table limit of 500 columns"}',
        "limit",
    ),
    ("Cloud plan", 422, two("invalid", "this write exceeds your plan's cardinality limit"), "limit"),
    (
        "Cloud service limit",
        400,
        two("invalid", "service limit reached: this org has exceeded limit is 200"),
        "limit",
    ),
    (
        "Serverless columns",
        400,
        two(
            "invalid",
            "couldn't create columns in table `m`; table contains 199 existing "
            "columns, applying this write would result in 201 columns, limit is 200",
        ),
        "limit",
    ),
    (
        "Serverless tables",
        400,
        two(
            "invalid",
            "dml handler error: service limit reached: couldn't create new table; "
            "namespace contains 500 existing tables",
        ),
        "limit",
    ),
    ("Cloud series", 503, two("unavailable", "org 04 has exceeded its cardinality limit"), "limit"),
    ("Cloud forbids", 403, two("forbidden", "org 04 has exceeded limited_write plan limit"), "limit"),
    ("Cloud bill", 402, two("payment", "upgrade your plan"), "limit"),
    ("Cloud suspended", 402, two("payment required", "organization is suspended"), "limit"),
    ("Cloud limits", 503, two("unavailable", "write limits exceeded: max series cardinality"), "limit"),
    ("another server", 404, "404 page not found", "unknown"),
    ("a web page", 404, "<html>Not Found</html>", "unknown"),
    ("a redirect", 301, "", "unknown"),
    ("method", 405, "Method Not Allowed", "unknown"),
    ("type", 415, "", "unknown"),
    ("a portal that says yes", 200, "<html>Welcome to our Wi-Fi</html>", "unknown"),
]
WAIT = [
    ("1.x memory", 500, '{"error":"engine: cache-max-memory-size exceeded: (1073741824/1073741824)"}'),
    ("1.x timeout", 500, '{"error":"timeout"}'),
    ("1.x throttled", 503, "request throttled, queue full"),
    ("2.x fault", 500, two("internal error", "An internal error has occurred - check server logs")),
    ("2.x rotten gzip", 500, two("internal error", "unable to read data: unexpected EOF")),
    ("Cloud rate", 429, two("too many requests", "rate limited")),
    ("proxy", 502, "<html>Bad Gateway</html>"),
    ("proxy slow", 504, ""),
    ("slow body", 408, ""),
    ("3.x rate", 429, ""),
    ("storage", 507, ""),
    *(
        (f"{status} {words}", status, words)
        for status in (500, 503)
        for words in (
            "rate limit exceeded",
            "memory limit exceeded",
            "concurrent write limit reached",
            "the organization exceeded its concurrent requests limit",
            "connection limit reached",
            "disk quota exceeded",
        )
    ),
    ("a host's bandwidth", 509, "Bandwidth Limit Exceeded"),
]


@pytest.mark.parametrize(("status", "body"), [case[1:] for case in BAD_LINES], ids=[case[0] for case in BAD_LINES])
def test_a_refused_line_is_looked_for(status: int, body: str) -> None:
    found = outcome(status, body)
    assert isinstance(found, BadLines)
    assert found.status == status
    assert f"HTTP {status}" in found.reason


@pytest.mark.parametrize(
    ("status", "body", "kind"), [case[1:] for case in BLOCKED], ids=[case[0] for case in BLOCKED]
)
def test_what_a_person_must_mend_keeps_the_data_and_says_what_to_do(status: int, body: str, kind: str) -> None:
    found = outcome(status, body)
    assert isinstance(found, Blocked)
    assert found.kind == kind
    assert found.hint
    assert found.status == status
    assert found.exit_code == (77 if kind == "credentials" else 69)


@pytest.mark.parametrize(("status", "body"), [case[1:] for case in WAIT], ids=[case[0] for case in WAIT])
def test_what_passes_by_itself_is_waited_for(status: int, body: str) -> None:
    found = outcome(status, body)
    assert isinstance(found, Wait)
    assert found.status == status
    assert found.retry_after_s is None


@pytest.mark.parametrize("words", ["rate limit exceeded", "memory limit exceeded", "disk quota exceeded"])
@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_is_busy_is_waited_for_with_its_words_and_blames_no_line(status: int, words: str) -> None:
    found = outcome(status, words)
    assert isinstance(found, Wait)
    assert found.of_server
    assert words in found.reason
    assert "see the logs of InfluxDB" in found.hint
    assert "Cloud" not in found.hint


def test_a_server_that_breaks_on_a_line_is_no_busy_server() -> None:
    found = outcome(500, "panic: runtime error: invalid memory address or nil pointer dereference")
    assert isinstance(found, Wait)
    assert not found.of_server


@pytest.mark.parametrize("status", [429, 500, 503])
def test_only_who_is_on_cloud_is_sent_to_its_page(status: int) -> None:
    found = classify(status, "rate limit exceeded", CLOUD, NOW)
    assert isinstance(found, Wait)
    assert "InfluxDB Cloud, then Usage" in found.hint
    for body in (two("x", "service limit reached: this org has exceeded limit is 200"), "rate limit exceeded"):
        for own in (400, 403, 422, status):
            at_home = classify(own, body, OWN, NOW)
            assert isinstance(at_home, Wait | Blocked)
            assert "Cloud" not in at_home.hint
            assert "plan" not in at_home.hint


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"partial write: points beyond retention policy dropped=3"}',
        two("unprocessable entity", RETENTION),
        '{"error":"write is outside of the database\'s retention period"}',
    ],
)
def test_points_older_than_the_bucket_keeps_are_told_apart_from_bad_ones(body: str) -> None:
    assert isinstance(outcome(422 if "unprocessable" in body else 400, body), OutsideRetention)


def test_no_content_is_done_and_too_large_is_too_large() -> None:
    assert outcome(204) == Done()
    assert outcome(200) == Done()
    assert isinstance(outcome(413, '{"error":"Request Entity Too Large"}'), TooLarge)


@pytest.mark.parametrize(
    "line",
    ["m,site=limit\\ exceeded f= 1", "m,site=beyond\\ retention\\ policy f= 1", "m,site=it's\\ max-series f= 1"],
)
def test_words_inside_the_quoted_line_decide_nothing(line: str) -> None:
    body = '{"error":"unable to parse \'' + line.replace("\\", "\\\\") + "': missing field value\"}"
    assert isinstance(outcome(400, body), BadLines)


@pytest.mark.parametrize(
    ("status", "message", "where"),
    [
        (400, "service limit reached: this org has exceeded limit is 200", "InfluxDB Cloud, then Usage"),
        (429, "org 04014de4ed590000 has exceeded limited_write plan limit", "InfluxDB Cloud, then Usage"),
        (402, "organization is suspended", "InfluxDB Cloud, then Usage"),
        (400, "partial write: max-series-per-database limit exceeded: (1000000)", "influxdb.conf"),
        (422, "Adding a new database would exceed limit of 5 databases", "name fewer databases"),
        (403, "insufficient permissions for write", "INFLUXDB_TOKEN"),
    ],
)
def test_a_cure_names_what_the_owner_of_this_server_can_do(status: int, message: str, where: str) -> None:
    found = classify(status, two("x", message), CLOUD if "Cloud" in where else OWN, NOW)
    assert isinstance(found, Wait | Blocked)
    assert where in found.hint


@pytest.mark.parametrize("seconds", [None, 63.0])
def test_a_rate_is_waited_for_as_long_as_the_server_asks(seconds: float | None) -> None:
    headers = {} if seconds is None else {"retry_after": f"{seconds:g}"}
    found = outcome(429, two("too many requests", "org 04 has exceeded limited_write plan limit"), **headers)
    assert isinstance(found, Wait)
    assert found.retry_after_s == seconds


def test_nobody_is_sent_to_the_log_of_a_server_that_is_not_his() -> None:
    host = "eu-central-1-1.aws.cloud2.influxdata.com"
    found = classify(400, two("invalid", "odd"), {}, NOW, host=host)
    assert isinstance(found, Blocked)
    assert "InfluxData's support" in found.hint
    for headers in ({}, OWN, {"x-platform-error-code": "invalid", "x-influxdb-version": "v2.0.4"}):
        own = classify(400, two("invalid", "odd"), headers, NOW)
        assert isinstance(own, Blocked)
        assert "own log" in own.hint


def test_words_inside_quoted_names_decide_nothing() -> None:
    body = r'{"error":"partial write: odd thing with \"unable to parse \\\" limit exceeded\" in it"}'
    assert isinstance(outcome(400, body), Blocked)
    found = outcome(400, body)
    assert isinstance(found, Blocked)
    assert found.kind == "unknown"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("99999", MOST_RETRY_AFTER_S),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("Wed, 15 Nov 2099 22:13:00 GMT", MOST_RETRY_AFTER_S),
        ("soon", None),
        ("Fri, 27 Nov 99999999999999999999 10:00:00 GMT", None),
        ("Fri, 27 Nov 2026 10:00:00 +99999999999999999999", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_understood_as_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    found = outcome(503, retry_after=value)
    assert isinstance(found, Wait)
    assert found.retry_after_s == seconds


def test_a_huge_or_broken_body_is_cut_and_not_believed() -> None:
    found = outcome(400, "{" + "x" * 100_000)
    assert isinstance(found, Blocked)
    assert len(found.reason) < 400


def test_an_answer_nested_without_end_is_text_like_any_other() -> None:
    assert isinstance(classify(503, '{"a":' * 12_000, {}, 0.0), Wait)


SAID = (
    "partial write:", "limit", "exceeded", "has", "reached", "org", "plan", "namespace", "retention policy",
    "outside", "beyond", "field type conflict", "unable to parse 'm f= 1'", '"limit"', "quota", "not found",
    "database", "bucket", "tables", "would exceed", "of", "is", "too long", "too large", "line", "batch",
)  # fmt: skip
WORDS = st.lists(st.sampled_from(SAID), max_size=12).map(" ".join)


@settings(max_examples=examples(2000), deadline=None)
@given(status=st.integers(100, 599), words=WORDS, wrapped=st.booleans())
def test_whatever_a_server_says_has_a_cure_or_is_waited_for_with_words(
    status: int, words: str, wrapped: bool
) -> None:
    found = outcome(status, json.dumps({"message": words}) if wrapped else words)
    if isinstance(found, Blocked):
        assert found.hint.endswith(".")
    if not isinstance(found, Done):
        assert found.reason.startswith(f"HTTP {status}")
    if isinstance(found, BadLines):  # a line is refused only if the server blames it
        assert status in {*range(200, 300), 400, 422, 500}
