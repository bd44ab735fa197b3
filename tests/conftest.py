"""What every test shares: no network beyond loopback, and in CI no silent skips."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import sys
from collections import deque
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as of_hypothesis

from logger import log
from logger.clock import SystemClock
from logger.gateway import cool_down
from tests.databases.fixtures import (  # noqa: F401  the databases, for every folder of tests
    any_server,
    fake_influx2,
    influx1,
    influx1_auth,
    influx1_session,
    influx2,
    influx2_session,
    influx3_auth,
    influx3_session,
    real_influx2,
    real_influx3,
    victoria,
    victoria_session,
)
from tests.sizes import CI, LONG, USUAL_EXAMPLES
from tests.standin import site  # noqa: F401  a gateway, likewise

# A busy machine is no failure: neither a slow example nor slowly made ones.
of_hypothesis.register_profile(
    "no clock", max_examples=USUAL_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
of_hypothesis.load_profile("no clock")

gc.disable()  # until every test is collected: what they import and define stays
if find_spec("sniffio") is None:  # httpcore looks for it at each request, and to find nothing takes long
    sys.modules["sniffio"] = None  # type: ignore[assignment]
HASH_COST = cool_down.HASH_COST
"""What one hash of credentials costs in the product; in the tests it is cheap."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ALLOWED_SKIPS = ("needs: InfluxDB 2", "needs: InfluxDB 3", "needs: Grafana", "needs: recorded gateways")
"""What a machine cannot install; everything else that is skipped in CI is a failure."""

_SIZES = {"LONG", "SHARE", "examples", "sized"}
"""The names of tests/sizes.py that a test's size depends on."""
collect_ignore = [] if os.environ.get("ENVOY_LOGGER_TEST_BASE") else ["deploy/test_image.py"]


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test made the log mask is plain text to the next."""
    monkeypatch.setattr(log, "_SECRETS", set())
    monkeypatch.setattr(log, "_PASSING", deque(maxlen=16))


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cool_down, "HASH_COST", 2**4)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command of this process waits for between two tries is over twenty times as soon."""

    async def sleep(self: SystemClock, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / 20)

    monkeypatch.setattr(SystemClock, "sleep", sleep)


@pytest.fixture
def anyio_backend() -> str:
    """The loop on which async tests run."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer honours the machine's proxy; loopback must not go through one."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test` runs small and `make test-long` whole: the tests of each module that has sizes."""
    for item in items:
        if isinstance(item, pytest.Function) and not _is_long(item) and _SIZES & vars(item.module).keys():
            item.add_marker("sized")
    if CI:
        items[:] = _put_long_ones_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


def _put_long_ones_first(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Order tests → each process, which begins with an equal part of the list, begins with long ones.

    So no long test is left for the end, at which the other processes would wait for it.
    """
    long = [item for item in items if _is_long(item)]
    short = [item for item in items if not _is_long(item)]
    ends = [(len(long) * part // processes, len(short) * part // processes) for part in range(processes + 1)]
    parts = [long[a:c] + short[b:d] for (a, b), (c, d) in itertools.pairwise(ends)]
    return list(itertools.chain.from_iterable(parts))


def pytest_collection_finish() -> None:
    """Keep the thousands of tests, which live until the end, out of every later search for garbage."""
    gc.freeze()
    gc.enable()


def pytest_report_header() -> list[str]:
    lines = []
    if collect_ignore:
        lines.append("not collected: the container image (set ENVOY_LOGGER_TEST_BASE to a root file system)")
    if not LONG and not CI:
        lines.append("long tests: left out; ENVOY_LOGGER_CI=1 make test runs a seeded tenth, make test-long all")
        lines.append("tests of many examples: a small part of them; ENVOY_LOGGER_CI=1 make test runs a larger one")
    return lines


def _reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not CI:
        return
    reasons = sorted({_reason(report) for report in terminalreporter.getreports("skipped")})
    for reason in reasons:
        allowed = reason.startswith(ALLOWED_SKIPS)
        terminalreporter.write_line(f"{'allowed' if allowed else 'FORBIDDEN'} skip: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if CI and isinstance(reporter, pytest.TerminalReporter):
        reasons = {_reason(report) for report in reporter.getreports("skipped")}
        if any(not reason.startswith(ALLOWED_SKIPS) for reason in reasons):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
