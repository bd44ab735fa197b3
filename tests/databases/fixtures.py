"""Give each test its databases. Session servers are shared by the tests of one worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases.fake2 import Fake2
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.influx3 import Influx3
from tests.databases.server import Server, serving
from tests.databases.victoria import Victoria


def _again(server: Server) -> None:
    """What a test stopped runs again for the next one."""
    if not server.running:
        server.start()


@pytest.fixture(scope="session")
def influx1_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One InfluxDB 1.x for the session."""
    with serving(Influx1(tmp_path_factory.mktemp("influx1"))) as server:
        yield server


@pytest.fixture(scope="session")
def influx2_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real InfluxDB 2 for the session."""
    with serving(Influx2(tmp_path_factory.mktemp("influx2"))) as server:
        yield server


@pytest.fixture(scope="session")
def influx3_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One InfluxDB 3 Core for the session."""
    with serving(Influx3(tmp_path_factory.mktemp("influx3"))) as server:
        yield server


@pytest.fixture(scope="session")
def victoria_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One VictoriaMetrics for the session."""
    with serving(Victoria(tmp_path_factory.mktemp("victoria"))) as server:
        yield server


@pytest.fixture
def influx1(influx1_session: Influx1) -> Iterator[Influx1]:
    """A running InfluxDB 1.x without authentication; what a test made in it goes, because open shards cost time."""
    _again(influx1_session)
    before = influx1_session.databases()
    yield influx1_session
    if influx1_session.running:
        for name in influx1_session.databases() - before:
            influx1_session.drop(name)


@pytest.fixture
def influx1_auth(tmp_path: Path) -> Iterator[Influx1]:
    """A new InfluxDB 1.x that asks for user and password."""
    server = Influx1(tmp_path, auth=True)
    with serving(server):
        yield server


@pytest.fixture
def real_influx2(influx2_session: Influx2) -> Influx2:
    """A running real InfluxDB 2."""
    _again(influx2_session)
    return influx2_session


@pytest.fixture
def fake_influx2() -> Iterator[Fake2]:
    """A new fake InfluxDB 2, onboarded; its failures are scripted through `.fake`."""
    server = Fake2()
    with serving(server):
        yield server


@pytest.fixture(params=["real", "fake"])
def influx2(request: pytest.FixtureRequest) -> Influx2 | Fake2:
    """The real InfluxDB 2 and the fake: a test that takes this runs on both."""
    server = request.getfixturevalue("real_influx2" if request.param == "real" else "fake_influx2")
    assert isinstance(server, Influx2 | Fake2)
    return server


@pytest.fixture
def real_influx3(influx3_session: Influx3) -> Influx3:
    """A running real InfluxDB 3 Core without authorisation."""
    _again(influx3_session)
    return influx3_session


@pytest.fixture
def influx3_auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx3]:
    """A new InfluxDB 3 Core that lets nobody in but with its administrator's token."""
    server = Influx3(tmp_path_factory.mktemp("influx3-auth"), auth=True)
    with serving(server):
        yield server


@pytest.fixture
def victoria(victoria_session: Victoria) -> Victoria:
    """A running VictoriaMetrics."""
    _again(victoria_session)
    return victoria_session


@pytest.fixture(params=["influx1", "real_influx2", "fake_influx2", "real_influx3", "victoria"])
def any_server(request: pytest.FixtureRequest) -> Server:
    """Every database that can be written to, one after the other."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Server)
    return server
