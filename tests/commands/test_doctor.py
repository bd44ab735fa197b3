"""`doctor`: every fault that can be made is named with what cures it, and nothing is touched by looking."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from logger.clock import SystemClock
from logger.daemon.config import access_of
from logger.doctor.check_result import CheckResult
from logger.doctor.machine_checks import check_clocks, check_disk
from logger.doctor.run_checks import run_checks
from logger.errors import SignInBlockedError, SignInRefusedError
from logger.gateway import pins, sign_in, tokens
from logger.gateway.cloud import Kind, Refusal
from logger.gateway.cool_down import CoolDown
from logger.gateway.trust import accept_certificate
from logger.model import GatewayInfo
from logger.provision.detect import Server
from logger.settings.load import Settings, inspect_settings
from logger.store.folder import mark_demo
from tests.commands.program import process, program
from tests.databases.fake2 import Fake2
from tests.databases.fake_records import Scripted
from tests.databases.influx1 import Influx1
from tests.driven import driving
from tests.endtoend.recorder import DrivenRecorder, influxdb
from tests.standin import BackgroundSimulator, Fault, Mode, invent_gateway
from tests.waiting import LONGEST_S, SHORT_S, give_up_soon

pytestmark = pytest.mark.usefixtures("short_waits")
NO_ACCOUNT = {"ENPHASE_USERNAME": "", "ENPHASE_PASSWORD": ""}
CURES = re.compile(
    r"envoy-logger |systemctl |timedatectl |time synchronisation|chmod |chown |ENPHASE_|INFLUXDB_|LOGGER_|"
    r"restart the (gateway|device)|"
    r"remove |https://entrez|InfluxDB's own log|let the gateway"
)
"""What a person can do."""
BY_ITSELF = re.compile(r"the recorder accepts it at its next poll|the gateway renews the certificate")
"""What is said of a note or fault that nobody has to do anything about."""


class Lenient(SystemClock):
    """The machine's own time; whoever answers late on a busy machine is waited for."""

    __slots__ = ()

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds if seconds <= SHORT_S else LONGEST_S)


@dataclass
class Patient:
    """A site that is well, a folder, and the settings; a fault is made in one of them."""

    home: Path
    site: BackgroundSimulator
    settings: dict[str, str] = field(default_factory=dict)
    silent: str = "nobody is silent"
    """The part of an address that nobody answers for: waiting for it ends soon."""

    @property
    def state(self) -> Path:
        return self.home / "state"

    def examined(self) -> Settings:
        return inspect_settings(None, environ=self.settings, require=["ENPHASE_GATEWAY"])[0]

    def looked_at(self, *, sign_in: bool = False) -> list[CheckResult]:
        """What doctor finds; each complaint has a cure, and each fault its exit code."""

        configured, problems = inspect_settings(
            self.home / ".env", environ=self.settings, require=["ENPHASE_GATEWAY"]
        )
        found: list[CheckResult] = []
        with give_up_soon(self.silent):
            asyncio.run(
                run_checks(configured, configured.gateways, problems, Lenient(), found.append, sign_in=sign_in)
            )
        for check in found:
            if check.state in ("bad", "note"):
                assert CURES.search(check.cure) or (not check.cure and BY_ITSELF.search(check.text)), check
            assert (check.exit_code in (69, 77, 78)) is (check.state == "bad"), check
        return found

    def keep_token(self, *, lifetime_s: float = 300 * 86400, user: str = "owner") -> None:
        """A token of the gateway in the state folder, as the recorder keeps it."""
        life = 43200 if user == "installer" else 365 * 86400
        mine, issued = self.site.simulator.model.serial, time.time() + lifetime_s - life
        text = self.site.call(lambda: self.site.simulator.tokens.make(mine, issued, lifetime_s=life, user=user))
        tokens.save(self.state, mine, tokens.Token(text, time.time() + lifetime_s, 0.0, user))

    def refuse_sign_in(self, kind: Kind, why: str, hint: str) -> None:
        """As if the last sign-in had ended so a minute ago."""
        error = (SignInRefusedError if kind == "refused" else SignInBlockedError)(why, hint)
        now, access = time.time() - 60, access_of(self.examined())
        state = CoolDown().apply_credentials(access.username, access.password, now)
        sign_in.save(self.state, access.username, state.begin("1", now).fail(Refusal(kind, error), now))


@pytest.fixture
def patient(site: BackgroundSimulator, tmp_path: Path) -> Iterator[Patient]:
    """Pinned, with a token, recording into the embedded store: well."""
    made = Patient(tmp_path, site, {**site.settings, "LOGGER_STATE_DIR": str(tmp_path / "state")})
    made.state.mkdir(mode=0o700)
    made.keep_token()
    asyncio.run(accept_certificate(access_of(made.examined()), SystemClock()))
    yield made
    assert site.simulator.cloud.sign_ins == 0, "doctor signed in by itself"


def of(found: list[CheckResult], name: str) -> CheckResult:
    """The first fault or note of that name; else the first of the name."""
    named = [check for check in found if check.name == name]
    return next((check for check in named if check.state in ("bad", "note")), named[0])


def first_bad(found: list[CheckResult]) -> str:
    return next((check.name for check in found if check.state == "bad"), "")


def test_a_site_that_is_well_has_no_complaint_and_nothing_is_touched(patient: Patient) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in patient.state.iterdir()}
    found = patient.looked_at()
    assert {check.state for check in found} == {"good", "left out"}
    assert re.match(r"stored token of role owner, 300 days left$", of(found, "sign-in").text)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in patient.state.iterdir()} == before
    documents = [check for check in found if check.name.startswith("/")]
    assert len(documents) >= 15
    assert all(check.took_s is not None for check in documents if check.state == "good")
    served = [served.path for served in patient.site.journal]
    assert served.count("/ivp/meters/readings") == 1


# --- faults: how one is made, where it is seen, what cures it -----------------------------------------------------


def _other_certificate(patient: Patient) -> None:
    patient.site.call(patient.site.simulator.new_certificate)


def _damaged_pin(patient: Patient) -> None:
    next(patient.state.glob("pin-*")).write_text("{")


def _setting(**changes: str) -> Callable[[Patient], None]:
    def change(patient: Patient) -> None:
        patient.settings |= changes

    return change


def _silent(patient: Patient) -> None:
    patient.site.fail("/info", Fault("hang", seconds=60))
    patient.silent = "/info"


def _busy(patient: Patient) -> None:
    patient.site.fail("/info", Fault("status"))


def _web_page(patient: Patient) -> None:
    patient.site.fail("/info", Fault("html"))


def _http_only(patient: Patient) -> None:
    port = patient.site.simulator.cloud.http.port
    next(patient.state.glob("pin-*")).unlink()
    patient.settings["ENPHASE_GATEWAY"] = f"https://127.0.0.1:{port}"


def _no_token(patient: Patient) -> None:
    next(patient.state.glob("token-*")).unlink()


def _nothing_to_sign_in_with(patient: Patient) -> None:
    _no_token(patient)
    patient.settings |= NO_ACCOUNT


def _pasted(lifetime_s: float = 9e6, serial: str | None = None, user: str = "owner") -> Callable[[Patient], None]:
    def paste(patient: Patient) -> None:
        _nothing_to_sign_in_with(patient)
        patient.settings["ENPHASE_TOKEN"] = patient.site.call(
            lambda: patient.site.simulator.new_token(lifetime_s=lifetime_s, serial=serial, user=user)
        )

    return paste


def _nonsense_token(patient: Patient) -> None:
    _nothing_to_sign_in_with(patient)
    patient.settings["ENPHASE_TOKEN"] = "pasted with a sentence"


def _revoked(patient: Patient) -> None:
    patient.site.call(patient.site.simulator.revoke_tokens)


def _revoked_pasted(patient: Patient) -> None:
    _pasted()(patient)
    _revoked(patient)


def _wrong_password(patient: Patient) -> None:
    _no_token(patient)
    patient.refuse_sign_in(
        "refused", "x refuses the sign-in: wrong e-mail or password", "check ENPHASE_PASSWORD_FILE."
    )


def _second_factor(patient: Patient) -> None:
    _no_token(patient)
    patient.refuse_sign_in(
        "mfa", "x requires a second factor (MFA)", "make a token: https://entrez.enphaseenergy.com"
    )


def _cooling_down(patient: Patient) -> None:
    _no_token(patient)
    patient.refuse_sign_in("throttled", "x answered 429", "wait, or set ENPHASE_TOKEN_FILE.")


def _renewal_stopped(patient: Patient) -> None:
    patient.keep_token(lifetime_s=20 * 86400)
    patient.refuse_sign_in(
        "refused", "x refuses the sign-in: wrong e-mail or password", "check ENPHASE_PASSWORD_FILE."
    )


def _ends_soon_and_no_account(patient: Patient) -> None:
    patient.keep_token(lifetime_s=20 * 86400)
    patient.settings |= NO_ACCOUNT


def _installer(patient: Patient) -> None:
    patient.keep_token(lifetime_s=11 * 3600, user="installer")


def _unreadable_token(patient: Patient) -> None:
    path = next(patient.state.glob("token-*"))
    path.unlink()
    path.mkdir()


def _document_fails(patient: Patient) -> None:
    patient.site.fail("/ivp/meters/readings", Fault("status"))


def _document_hangs(patient: Patient) -> None:
    patient.site.fail("/home.json", Fault("hang", seconds=60))
    patient.silent = "/home.json"


def _clock_off(by_s: float) -> Callable[[Patient], None]:
    def shift(patient: Patient) -> None:
        patient.site.call(lambda: setattr(patient.site.simulator, "skew_s", by_s))

    return shift


def _state_is_a_file(patient: Patient) -> None:
    shutil.rmtree(patient.state)
    patient.state.write_text("")


def _state_is_open(patient: Patient) -> None:
    patient.state.chmod(0o755)


def _token_is_open(patient: Patient) -> None:
    next(patient.state.glob("token-*")).chmod(0o644)


def _state_is_the_demo(patient: Patient) -> None:
    shutil.rmtree(patient.state)
    mark_demo(patient.state)


def _daemon_stands_still(patient: Patient) -> None:
    now = time.time()
    told = {"pid": os.getpid(), "written_at": now - 900, "alive_until": now - 600}
    (patient.state / "status.json").write_text(json.dumps(told))


def _daemon_has_trouble(patient: Patient) -> None:
    now = time.time()
    told = {"pid": 1, "written_at": now, "alive_until": now + 60, "troubles": {"a": "it burns\nTry: water"}}
    (patient.state / "status.json").write_text(json.dumps(told))


def _secret_is_open(patient: Patient) -> None:
    path = patient.home / "password"
    path.write_text("secret\n")
    path.chmod(0o644)
    patient.settings |= {"ENPHASE_PASSWORD": "", "ENPHASE_PASSWORD_FILE": str(path)}


def _broken_layout(patient: Patient) -> None:
    (patient.home / "layout.csv").write_text("nonsense\n")
    patient.settings["LOGGER_LAYOUT_FILE"] = str(patient.home / "layout.csv")


@dataclass(frozen=True)
class Induced:
    """One fault: made how, seen where, as what, and the cure that must be named."""

    make: Callable[[Patient], None]
    where: str
    cure: str
    code: int = 0  # 0: it works all the same, and is only noted
    first: str = ""  # where else it shows before


FAULTS = {
    "a name that does not resolve": Induced(
        _setting(ENPHASE_GATEWAY="envoy.invalid"), "gateway name", "ENPHASE_GATEWAY .*envoy-logger discover", 69
    ),
    "nobody at the port": Induced(
        _setting(ENPHASE_GATEWAY="127.0.0.1:1"), "gateway port", "gateway is on.*envoy-logger discover", 69
    ),
    "http where https was meant": Induced(_http_only, "certificate", "without https://", 69),
    "another certificate": Induced(_other_certificate, "certificate", "^run envoy-logger accept-certificate", 69),
    "a damaged pin": Induced(_damaged_pin, "certificate", "remove the file and run `envoy-logger accept-cert", 78),
    "no authority vouches": Induced(
        _setting(LOGGER_TLS="verify"), "certificate", "LOGGER_TLS_CA_FILE.*LOGGER_TLS=pin", 69
    ),
    "the certificate is not checked": Induced(_setting(LOGGER_TLS="off"), "certificate", "remove LOGGER_TLS"),
    "it hangs": Induced(_silent, "firmware", "restart the device", 69),
    "it starts up": Induced(_busy, "firmware", "restart the gateway if this lasts", 69),
    "something else answers": Induced(_web_page, "firmware", "check ENPHASE_GATEWAY", 69),
    "another gateway answers": Induced(
        _setting(ENPHASE_SERIAL="999999999999"), "firmware", "correct ENPHASE_SERIAL or ENPHASE_GATEWAY", 78
    ),
    "nothing to sign in with": Induced(_nothing_to_sign_in_with, "sign-in", "ENPHASE_TOKEN_FILE.*ENPHASE_USERN", 77),
    "an expired token": Induced(_pasted(-60), "sign-in", "https://entrez.enphaseenergy.com", 77),
    "a foreign token": Induced(_pasted(serial="999999999999"), "sign-in", "make a token for this gateway", 77),
    "no token at all": Induced(_nonsense_token, "sign-in", "set ENPHASE_TOKEN_FILE", 77),
    "no token yet": Induced(_no_token, "sign-in", "^envoy-logger doctor --sign-in"),
    "a revoked token": Induced(_revoked, "sign-in", "^wait: the recorder gets another token at its next poll", 77),
    "a revoked pasted token": Induced(_revoked_pasted, "sign-in", "set ENPHASE_TOKEN_FILE", 77),
    "a wrong password": Induced(_wrong_password, "sign-in", "check ENPHASE_PASSWORD_FILE", 77),
    "a second factor": Induced(_second_factor, "sign-in", "https://entrez.enphaseenergy.com", 77),
    "a cool-down": Induced(_cooling_down, "sign-in", "^wait, or set ENPHASE_TOKEN_FILE", 77),
    "a renewal that will not come": Induced(_renewal_stopped, "sign-in", "check ENPHASE_PASSWORD_FILE"),
    "a token that ends without an account": Induced(_ends_soon_and_no_account, "sign-in", "make a token"),
    "an installer's token": Induced(_installer, "sign-in", "owner's account"),
    "a token that cannot be read": Induced(_unreadable_token, "sign-in", "remove the file", 78),
    "a document that fails": Induced(_document_fails, "/ivp/meters/readings", "restart the gateway", 69),
    "a document that hangs": Induced(_document_hangs, "/home.json", "restart the device", 69),
    "a gateway's clock that is minutes off": Induced(_clock_off(300), "clock", "NTP"),
    "a gateway's clock that is days off": Induced(_clock_off(-2 * 86400), "clock", "NTP", 69),
    "a state folder that is a file": Induced(
        _state_is_a_file, "state folder", "set LOGGER_STATE_DIR", 78, "certificate"
    ),
    "a state folder open to all": Induced(_state_is_open, "state folder", "^chmod 700 /", 78),
    "a kept token open to all": Induced(_token_is_open, "state folder", "^chmod 600 /.*token-", 78),
    "the demo's state folder": Induced(_state_is_the_demo, "state folder", "another folder", 78),
    "a daemon that stands still": Induced(
        _daemon_stands_still, "daemon", "then restart the recorder .systemctl restart envoy-logger", 69
    ),
    "a daemon in trouble": Induced(_daemon_has_trouble, "daemon", "^envoy-logger status"),
    "a secret open to all": Induced(_secret_is_open, "settings", "^chmod 600 /.*password"),
    "a misspelt setting": Induced(_setting(ENPHASE_USERNME="x"), "settings", "envoy-logger check --show"),
    "a wrong setting": Induced(_setting(LOGGER_TIMEZONE="Mars/North"), "settings", "correct LOGGER_TIMEZONE", 78),
    "a broken layout file": Induced(_broken_layout, "settings", "envoy-logger devices --layout", 78),
    "a database that is off": Induced(
        _setting(INFLUXDB_URL="http://127.0.0.1:1"), "influxdb", "systemctl start influxdb", 69
    ),
    "a database whose name is wrong": Induced(
        _setting(INFLUXDB_URL="http://influx.invalid:8086"), "influxdb", "correct the host in INFLUXDB_URL", 69
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_cure(patient: Patient, name: str) -> None:
    induced = FAULTS[name]
    induced.make(patient)
    found = patient.looked_at()
    check = of(found, induced.where)
    assert check.state == ("bad" if induced.code else "note"), check
    assert re.search(induced.cure, check.cure), check
    assert check.exit_code == induced.code
    if induced.code:
        assert first_bad(found) == (induced.first or induced.where)  # nothing else before it is blamed
    later = [check for check in found if "not checked, because" in check.text]
    assert all(check.state == "left out" for check in later)


def test_at_an_old_gateway_a_wrong_local_password_is_named(tmp_path: Path) -> None:
    plant = invent_gateway("5-metered", epoch=time.time() - 5 * 86400)
    with BackgroundSimulator(plant, SystemClock(), local_password="changed") as site:
        state = {"LOGGER_STATE_DIR": str(tmp_path / "state")}
        patient = Patient(tmp_path, site, {**site.settings, **state})
        found = patient.looked_at()
        assert of(found, "certificate").text.startswith("none: plain http")
        check = of(found, "/api/v1/production/inverters")
        assert (check.state, check.exit_code) == ("bad", 77)
        assert "ENPHASE_LOCAL_PASSWORD_FILE" in check.cure
        assert of(found, "/api/v1/production").state == "good"
        patient.settings["ENPHASE_LOCAL_PASSWORD"] = "changed"
        assert of(patient.looked_at(), "/api/v1/production/inverters").state == "good"


# --- InfluxDB -----------------------------------------------------------------------------------------------------


def database(**changes: str) -> dict[str, str]:
    return {"ENPHASE_GATEWAY": "", **changes}


def test_a_database_that_takes_everything_has_a_line_for_each_bucket(
    site: BackgroundSimulator, tmp_path: Path, fake_influx2: Fake2
) -> None:
    buckets = fake_influx2.fresh_buckets()
    _, read = fake_influx2.new_token(read=tuple(buckets.values()))
    target = influxdb(fake_influx2.target(buckets))
    found = Patient(tmp_path, site, database(**target, INFLUXDB_READ_TOKEN=read)).looked_at()
    assert of(found, "influxdb").state == "good"
    assert "speaks 2.x, version " in of(found, "influxdb").text
    for bucket in buckets.values():
        assert of(found, f"bucket {bucket}").text == "may be written to"
        assert of(found, f"read {bucket}").state == "good"
        assert fake_influx2.rows(bucket, "envoy_totals") == []


@pytest.mark.parametrize(
    ("changes", "where", "cure", "code"),
    [
        (
            {"INFLUXDB_TOKEN": "not-this-one"},
            "bucket",
            "^run envoy-logger setup --admin-.*INFLUXDB_TOKEN",
            77,
        ),
        ({"INFLUXDB_BUCKET": "nowhere"}, "bucket nowhere", "envoy-logger setup", 69),
        ({"INFLUXDB_ORG": "nobody"}, "bucket", "INFLUXDB_ORG", 69),
        ({"INFLUXDB_READ_TOKEN": "not-this-one"}, "read", "INFLUXDB_READ_TOKEN", 77),
    ],
    ids=["wrong token", "no bucket", "no organisation", "wrong token for reading"],
)
def test_what_credentials_may_not_do_is_named_with_its_cure(
    site: BackgroundSimulator, tmp_path: Path, fake_influx2: Fake2, changes: dict[str, str], where: str,
    cure: str, code: int,
) -> None:  # fmt: skip
    target = influxdb(fake_influx2.target(fake_influx2.fresh_buckets()))
    found = Patient(tmp_path, site, database(**{**target, **changes})).looked_at()
    check = next(check for check in found if check.name.startswith(where) and check.state == "bad")
    assert re.search(cure, check.cure), check
    assert check.exit_code == code


def test_a_token_that_may_only_write_is_not_taken_for_a_reader(
    site: BackgroundSimulator, tmp_path: Path, fake_influx2: Fake2
) -> None:
    buckets = fake_influx2.fresh_buckets()
    _, write = fake_influx2.new_token(write=tuple(buckets.values()))
    target = influxdb(fake_influx2.target(buckets, token=write))
    found = Patient(tmp_path, site, database(**target, INFLUXDB_READ_TOKEN=write)).looked_at()
    assert of(found, f"bucket {buckets['totals']}").state == "good"
    check = of(found, f"read {buckets['totals']}")
    assert check.state == "bad"
    assert "may not read" in check.text or check.exit_code == 77


def test_a_server_that_nobody_set_up_and_one_that_starts_and_one_that_is_none_are_told_apart(
    site: BackgroundSimulator, tmp_path: Path, fake_influx2: Fake2
) -> None:
    patient = Patient(tmp_path, site, database(**influxdb(fake_influx2.target(fake_influx2.fresh_buckets()))))
    fake_influx2.fake.script(Scripted(200, '{"allowed": true}'), 1, "/api/v2/setup")
    fresh = [check for check in patient.looked_at() if check.state == "bad" and check.name == "influxdb"]
    assert [check.cure.partition(",")[0] for check in fresh] == ["run envoy-logger init"]
    fake_influx2.fake.script(Scripted(503, "starting"), 99, "/ping")
    assert "InfluxDB's own log" in of(patient.looked_at(), "influxdb").cure
    patient.settings["INFLUXDB_URL"] = site.simulator.cloud.url
    check = of(patient.looked_at(), "influxdb")
    assert check.state == "bad"
    assert "check INFLUXDB_URL" in check.cure


def test_a_real_influxdb_1_is_looked_at_by_its_user_and_a_wrong_one_is_named(
    site: BackgroundSimulator, tmp_path: Path, influx1_auth: Influx1
) -> None:
    buckets = influx1_auth.fresh_buckets()
    patient = Patient(tmp_path, site, database(**influxdb(influx1_auth.target(buckets, api="auto"))))
    found = patient.looked_at()
    assert "speaks 1.x, version 1." in of(found, "influxdb").text
    assert of(found, f"bucket {buckets['daily']}").state == "good"
    patient.settings |= influxdb(influx1_auth.target(buckets, password="not-this-one"))
    check = of(patient.looked_at(), f"bucket {buckets['totals']}")
    assert (check.state, check.exit_code) == ("bad", 77)
    assert "INFLUXDB_USERNAME and INFLUXDB_PASSWORD" in check.cure


# --- this machine -------------------------------------------------------------------------------------------------


def compare_clocks(now: float, gateway_s: float | None, influx_s: float | None) -> list[CheckResult]:
    info = GatewayInfo("122000000042", "D8.2.4286", "800", True, True, gateway_s or 0.0)
    found: list[CheckResult] = []
    server = Server("2", "2.7", "", skew_s=influx_s, took_s=0.1)
    check_clocks(now, None if gateway_s is None else info, server, found.append)
    return found


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("now", "gateway", "influx", "state", "cure"),
    [
        (NOW, 3.0, 1.0, "good", ""),
        (NOW, 90.0, 0.0, "note", "NTP"),
        (NOW, 90.0, None, "note", "NTP"),
        (NOW, -86401.0, 0.0, "bad", "NTP"),
        (NOW, 7200.0, 7199.0, "bad", "timedatectl set-ntp true"),
        (NOW, -7200.0, -7199.0, "bad", "timedatectl set-ntp true"),
        (NOW, 7200.0, -7199.0, "note", "NTP"),
        (3600.0, 0.0, 0.0, "bad", "timedatectl set-ntp true"),
        (NOW, None, 0.0, "left out", ""),
    ],
)
def test_of_three_clocks_the_one_that_stands_alone_is_wrong(
    now: float, gateway: float | None, influx: float | None, state: str, cure: str
) -> None:
    first, *_ = compare_clocks(now, gateway, influx)
    assert first.state == state
    assert cure in first.cure


def test_influxdbs_own_clock_is_noted() -> None:
    assert [check.state for check in compare_clocks(NOW, 0.0, 600.0)] == ["good", "note"]


def test_a_disk_that_fills_is_said_before_it_is_full(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    for free, state, cure in ((10 << 20, "bad", "free some space"), (1 << 30, "note", "LOGGER_STORE_MAX_MB")):
        found: list[CheckResult] = []
        check_disk(tmp_path / "state", 2048, found.append, lambda path, free=free: free)  # type: ignore[misc]
        assert [(check.name, check.state) for check in found] == [("disk", state)]
        assert cure in found[0].cure
    for folder in (tmp_path / "state", tmp_path / "not" / "there"):
        found = []
        check_disk(folder, 2048, found.append, lambda path: 1 << 40)
        assert [check.state for check in found] == ["good"]


# --- the command --------------------------------------------------------------------------------------------------


def test_beside_a_running_daemon_it_uses_its_token_and_is_well(site: BackgroundSimulator, tmp_path: Path) -> None:
    now = time.time()
    with driving(now - 600) as clock, DrivenRecorder(tmp_path, site.settings, clock) as recorder:
        recorder.wait_until(  # its clock has caught up with ours
            lambda status: (
                status["written_at"] > now and (status["gateway"] or {}).get("token_expires_at") is not None
            )
        )
        done = program(tmp_path, "doctor", settings=site.settings)
        assert done.code == 0, done.out
        assert "stored token of role owner, 365 days left" in done.out
        assert re.search(r"^[✓!] daemon +process \d+ runs", done.out, re.M)
        assert done.err == ""
        assert recorder.terminate() == 0
    assert site.simulator.cloud.sign_ins == 1


def test_every_line_has_its_mark_every_fault_its_cure_and_json_says_the_same(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    broken = {**site.settings, "INFLUXDB_URL": "http://127.0.0.1:1", "LOGGER_TIMEZONE": "Mars/North"}
    text = program(tmp_path, "doctor", settings=broken)
    told = program(tmp_path, "doctor", "--json", settings=broken)
    assert text.code == told.code == 69  # the first ✗ decides
    assert text.err == told.err == ""
    lines = text.out.splitlines()[:-2]
    rows = [line for line in lines if re.match(r" {20}[0-9A-F:]{47}$| {20}\(ends ", line)]
    assert len(rows) == 3  # the fingerprint, which fits into no line of a terminal, and its end
    lines = [line for line in lines if line not in rows]
    assert all(re.match(r"[✓✗!–] \w|  +Try: ", line) for line in lines)
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        assert line[0] not in "✗!" or re.match(r" +Try: \S", after)
    found = json.loads(told.out)
    assert found["exit_code"] == 69
    assert [check["state"] for check in found["checks"]].count("bad") == text.out.count("✗")
    assert text.out.splitlines()[-1] == "2 wrong, 2 to watch."
    assert list(tmp_path.iterdir()) == []


def test_half_configured_it_says_what_is_missing(tmp_path: Path) -> None:
    done = program(tmp_path, "doctor")
    assert done.code == 78
    assert "✗ settings          ENPHASE_GATEWAY (not set)" in done.out
    assert "Try: set ENPHASE_GATEWAY, for example ENPHASE_GATEWAY=192.168.1.50" in done.out
    assert "Traceback" not in done.err


@pytest.mark.long
def test_where_the_terminal_knows_no_such_marks_they_are_letters(tmp_path: Path) -> None:
    done = process(tmp_path, "doctor", settings={"PYTHONIOENCODING": "ascii"})
    assert done.code == 78
    assert done.out.startswith("-  gateway ")
    assert "\nXX settings" in done.out


@pytest.mark.parametrize(("mode", "code"), [("ok", 0), ("refused", 77), ("mfa", 77), ("installer", 0)])
def test_it_signs_in_only_when_told_and_then_once_within_the_cool_down(
    site: BackgroundSimulator, tmp_path: Path, mode: Mode, code: int
) -> None:
    site.call(lambda: setattr(site.simulator.cloud, "mode", mode))
    for _ in range(2):
        done = program(tmp_path, "doctor", "--sign-in", settings=site.settings)
        assert done.code == code, done.out
        assert site.simulator.cloud.sign_ins == 1
    files = [path for path in (tmp_path / "state").iterdir() if path.suffix != ".lock"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert site.simulator.cloud.password not in done.out
    assert pins.load(tmp_path / "state", site.simulator.model.serial, "") is None  # it pins nothing
