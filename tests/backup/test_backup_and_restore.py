"""`backup` beside a running recorder, and `restore`: nothing is lost, nothing comes twice, nothing is overwritten."""

from __future__ import annotations

import gzip
import json
import re
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import trustme

from logger.backup.archive import ArchiveWriter, Manifest, Texts
from logger.files import write_atomically
from logger.settings.definitions import DESCRIPTIONS
from logger.store.copies import copy_store
from logger.store.folder import LOCK, claim
from logger.store.store import Store
from tests.commands.program import Done, program
from tests.driven import DrivenClock, driving
from tests.endtoend.recorder import DrivenRecorder
from tests.standin import BackgroundSimulator, invent_gateway
from tests.store.samples import GATEWAY, START, HandClock, commit, daily_commit, day_row, drain, make_store

PASSWORD = "correct horse battery staple"
SETTINGS = "ENPHASE_GATEWAY=192.0.2.1\nENPHASE_USERNAME=me@example.org\nLOGGER_LAYOUT_FILE=layout.csv\n"
NOT_KEPT = {LOCK, "ballast", "control", "status.json", "store.sqlite3-wal", "store.sqlite3-shm"}


@pytest.fixture(name="old")
def make_old(tmp_path: Path) -> Path:
    """A machine with settings, a secret, a layout and a state folder; its store is closed."""
    home = tmp_path / "old"
    (home / "credentials").mkdir(parents=True, mode=0o700)
    (home / ".env").write_text(f"{SETTINGS}ENPHASE_PASSWORD_FILE={home}/credentials/enphase_password\n")
    (home / ".env").chmod(0o600)
    (home / "credentials" / "enphase_password").write_text(f"{PASSWORD}\n")
    (home / "credentials" / "enphase_password").chmod(0o600)
    (home / "layout.csv").write_text("serial,panel\n122000000001,A1\n")
    state = home / "state"
    store = make_store(state)
    for n in range(5):
        store.put(commit(START + 60 * n, roles=("totals", "devices")))
    store.put(daily_commit(START + 300, day_row("2026-05-28", 1.5)))
    store.close()
    for name in ("token-122000000042", "pin-122000000042.json"):
        (state / name).write_text(f"{name}\n")
    return home


def state_of(home: Path) -> Path:
    return home / "state"


def run(home: Path, *words: str) -> Done:
    home.mkdir(exist_ok=True)
    return program(home, *words)


def backed_up(home: Path) -> Path:
    file = home.parent / "backup.tar.gz"
    done = run(home, "backup", str(file))
    assert done.code == 0, done.err
    return file


# --- there and back ----------------------------------------------------------------------------------------------


def test_everything_is_back_on_another_machine(old: Path) -> None:
    file, new = backed_up(old), old.parent / "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = run(new, "restore", str(file))
    assert done.code == 0, done.err
    assert run(new, "check").err.count("Try:") == 0
    assert (new / ".env").read_text() == SETTINGS  # the secret lies beside it, where it is found by itself
    assert (new / "credentials" / "enphase_password").read_text() == f"{PASSWORD}\n"
    assert stat.S_IMODE((new / "credentials" / "enphase_password").stat().st_mode) == 0o600
    assert (new / "layout.csv").read_bytes() == (old / "layout.csv").read_bytes()
    for name in ("token-122000000042", "pin-122000000042.json"):
        assert (state_of(new) / name).read_text() == f"{name}\n"
    before, after = make_store(state_of(old)), make_store(state_of(new))
    assert after.read_state(GATEWAY) == before.read_state(GATEWAY)
    assert drain(after) == drain(before) == [START + 60 * n for n in range(5)]
    assert drain(after, "devices") == drain(before, "devices")
    assert after.read_daily(GATEWAY, "") == before.read_daily(GATEWAY, "")
    before.close()
    after.close()


def test_a_tariff_has_its_price_files_with_it(old: Path) -> None:
    """A folder beside the tariff file, and a file elsewhere that is named by its whole path."""
    elsewhere = old.parent / "elsewhere.csv"
    tariffs = {"own.toml": "prices", "../other.toml": str(elsewhere)}
    (old / "prices").mkdir()
    for path in (old / "prices" / "2025.csv", old / "prices" / "2026.csv", elsewhere):
        path.write_text(f"time,price\n2026-01-01T00:00,0.{path.stem[-1]}\n")
    for name, prices in tariffs.items():
        (old / name).write_text(f'prices = "{prices}"\n[[period]]\nfrom = 2025-01-01\nhourly = true\n')
        (old / ".env").write_text(f"{SETTINGS}LOGGER_TARIFF_FILE={name}\n")
        file, new = backed_up(old), old.parent / f"new-{len(prices)}"
        kept = elsewhere.read_bytes()
        elsewhere.unlink()
        assert run(new, "restore", str(file)).code == 0
        assert (new / name).read_bytes() == (old / name).read_bytes()
        if prices == "prices":
            elsewhere.write_bytes(kept)
            for year in ("2025.csv", "2026.csv"):
                assert (new / prices / year).read_bytes() == (old / prices / year).read_bytes()
    assert elsewhere.read_bytes() == kept


def test_several_gateways_have_their_files_and_secrets_with_them(old: Path) -> None:
    (old / "sites").mkdir()
    (old / "sites" / "gateways.toml").write_text(
        '[[gateway]]\naddress = "192.0.2.1"\nserial = "122233344455"\nusername = "me@example.org"\n'
        'password_file = "of_the_barn"\nlayout_file = "barn.csv"\ntariff_file = "barn.toml"\n'
        '[[gateway]]\naddress = "192.0.2.2"\nserial = "122233344466"\ntoken_file = "./secret/token"\n'
    )
    (old / "sites" / "secret").mkdir()
    (old / "sites" / "barn.csv").write_text("serial,panel\n122000000002,B1\n")
    (old / "sites" / "barn.toml").write_text('prices = "p.csv"\n[[period]]\nfrom = 2025-01-01\nhourly = true\n')
    (old / "sites" / "p.csv").write_text("time,price\n2026-01-01T00:00,0.3\n")
    for path in (old / "credentials" / "of_the_barn", old / "sites" / "secret" / "token"):
        path.write_text("correct horse\n" if path.name == "of_the_barn" else "eyJhbGciOi.bm90IGpzb24.c2ln\n")
        path.chmod(0o600)
    (old / ".env").write_text("ENPHASE_USERNAME=me@example.org\nENPHASE_GATEWAYS_FILE=sites/gateways.toml\n")
    file, new = backed_up(old), old.parent / "new"
    done = run(new, "restore", str(file))
    assert done.code == 0, done.err
    for name in ("gateways.toml", "barn.csv", "barn.toml", "p.csv", "secret/token"):
        assert (new / "sites" / name).read_bytes() == (old / "sites" / name).read_bytes(), name
    assert (new / "credentials" / "of_the_barn").read_bytes() == (old / "credentials" / "of_the_barn").read_bytes()
    for secret in (new / "credentials" / "of_the_barn", new / "sites" / "secret" / "token"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_every_file_that_a_setting_names_is_inside(old: Path) -> None:
    names = [each.variable for each in DESCRIPTIONS if each.variable.endswith("_FILE")]
    assert {"MQTT_CA_FILE", "LOGGER_TLS_CA_FILE"} < set(names)
    for name in {*names} - {"ENPHASE_GATEWAYS_FILE", "LOGGER_TARIFF_FILE", "LOGGER_LAYOUT_FILE"}:
        (old / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
        (old / ".env").write_text(f"{SETTINGS}{name}=ca.pem\n")
        file, new = backed_up(old), old.parent / f"new-{name}"
        assert run(new, "restore", str(file)).code == 0
        assert (new / "ca.pem").read_bytes() == (old / "ca.pem").read_bytes(), name


def test_it_says_what_is_inside_and_shows_no_secret(old: Path) -> None:
    done = run(old, "backup", "there.tar.gz")
    for said in (
        "ENPHASE_PASSWORD",
        "11 of its points will be sent",
        GATEWAY,
        "token-122000000042",
        "LOGGER_LAYOUT_FILE",
        "0600",
    ):
        assert said in done.err, said
    assert PASSWORD not in done.err + done.out
    assert run(old.parent / "new", "restore", str(old / "there.tar.gz")).out.count(PASSWORD) == 0


def test_what_comes_from_the_environment_is_named_as_not_inside(old: Path) -> None:
    done = program(old, "backup", "there.tar.gz", settings={"INFLUXDB_TOKEN": "sentinel-token"})
    (line,) = re.findall("^NOT INSIDE (.*): from the environment", done.err, re.M)
    assert {"INFLUXDB_TOKEN", "LOGGER_STATE_DIR"} <= set(line.split(", "))
    assert b"sentinel-token" not in gzip.decompress((old / "there.tar.gz").read_bytes())


def test_a_secret_in_a_file_that_the_environment_names_is_inside_and_not_named_as_outside(old: Path) -> None:
    (old / "token").write_text("sentinel-token\n")
    done = program(old, "backup", "there.tar.gz", settings={"INFLUXDB_TOKEN_FILE": str(old / "token")})
    (secrets,) = re.findall("^secrets +(.*)$", done.err, re.M)
    (outside,) = re.findall("^NOT INSIDE (.*): from the environment", done.err, re.M)
    assert "INFLUXDB_TOKEN" in secrets
    assert "INFLUXDB_TOKEN" not in outside
    assert b"sentinel-token" in gzip.decompress((old / "there.tar.gz").read_bytes())


def test_the_state_goes_where_the_settings_of_the_backup_say(old: Path) -> None:
    with (old / ".env").open("a") as file:
        file.write(f"LOGGER_STATE_DIR={old}/state\n")
    moved, new = old.parent / "moved", old.parent / "new"
    nowhere = {"LOGGER_STATE_DIR": ""}
    assert program(old, "backup", str(old.parent / "backup.tar.gz"), settings=nowhere).code == 0
    old.rename(moved)
    new.mkdir()
    done = program(new, "restore", str(moved.parent / "backup.tar.gz"), settings=nowhere)
    assert done.code == 0, done.err
    assert (old / "state" / "store.sqlite3").exists()


def test_the_state_alone_leaves_settings_alone(old: Path) -> None:
    file, new = backed_up(old), old.parent / "new"
    assert run(new, "restore", "--state-only", str(file)).code == 0
    assert not (new / ".env").exists()
    assert (state_of(new) / "store.sqlite3").exists()


# --- beside a running recorder -----------------------------------------------------------------------------------


def test_a_copy_beside_a_writer_is_of_one_moment(tmp_path: Path) -> None:
    """Every copy holds as many ticks as the state says that were stored: no half of a tick, and none is missing."""
    ticks, ended = 300, threading.Event()

    def write() -> None:
        store = make_store(tmp_path / "state")
        for n in range(ticks):
            store.put(commit(START + 60 * n, lines=20))
        store.close()
        ended.set()

    make_store(tmp_path / "state").close()
    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    number = 0
    while not ended.is_set() or not seen:
        place = tmp_path / f"copy-{number}"
        place.mkdir()
        copy_store(tmp_path / "state", place / "store.sqlite3")
        number += 1
        copy = make_store(place)
        last = int(copy.read_state(GATEWAY).get("last_tick", START - 60))
        assert sorted(set(drain(copy))) == list(range(START, last + 60, 60))
        copy.close()
        seen.append(last)
    writer.join()
    assert seen == sorted(seen)


@pytest.fixture(name="clock")
def start_clock() -> Iterator[DrivenClock]:
    """Begin at ten in the morning, two days ago."""
    with driving(time.time() // 86400 * 86400 - 2 * 86400 + 36000) as clock:
        yield clock


@pytest.fixture(name="site")
def start_site(clock: DrivenClock) -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(invent_gateway("8-battery", epoch=clock.start - 86400), clock) as running:
        yield running


def test_the_next_machine_goes_on_where_the_backup_was_made(
    site: BackgroundSimulator, clock: DrivenClock, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with DrivenRecorder(old, site.settings, clock) as recorder:
        recorder.wait_for_ticks(3)
        made = program(old, "backup", str(tmp_path / "backup.tar.gz"), settings=site.settings)
        assert made.code == 0, made.err
        kept = {member.rpartition("/")[2] for member in members(tmp_path / "backup.tar.gz")}
        names = {path.name for path in recorder.state.iterdir() if path.suffix != ".lock"}
        assert names - NOT_KEPT <= kept
        refused = program(old, "restore", "--force", str(tmp_path / "backup.tar.gz"), settings=site.settings)
        assert (refused.code, "in use by process" in refused.err) == (69, True)
        assert recorder.terminate() == 0
    sign_ins = site.simulator.cloud.sign_ins
    restored = program(new, "restore", str(tmp_path / "backup.tar.gz"), settings=site.settings)
    assert restored.code == 0, restored.err
    with DrivenRecorder(new, site.settings, clock) as recorder:
        recorder.wait_for_ticks(1)
        assert "no energy state" not in recorder.log
        assert recorder.terminate() == 0
    assert site.simulator.cloud.sign_ins == sign_ins  # the token moved too


def members(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


# --- what is refused ---------------------------------------------------------------------------------------------


def test_nothing_that_is_there_is_overwritten_without_force_and_with_it_is_kept_aside(old: Path) -> None:
    file, new = backed_up(old), old.parent / "new"
    own = make_store(state_of(new))
    own.put(commit(START + 6000))
    own.close()
    refused = run(new, "restore", str(file))
    assert (refused.code, "is not empty" in refused.err, "--force" in refused.err) == (78, True, True)
    assert not (new / ".env").exists()
    forced = run(new, "restore", "--force", str(file))
    assert forced.code == 0, forced.err
    (kept,) = state_of(new).glob("store.sqlite3.replaced-*")
    aside = old.parent / "aside"
    aside.mkdir()
    kept.rename(aside / "store.sqlite3")
    store = make_store(aside)
    assert drain(store) == [START + 6000]
    store.close()


def test_other_settings_are_not_overwritten_without_force_and_with_it_are_kept_aside(old: Path) -> None:
    file, new = backed_up(old), old.parent / "new"
    new.mkdir()
    (new / ".env").write_text("ENPHASE_GATEWAY=192.0.2.9\n")
    (new / ".env").chmod(0o600)
    refused = run(new, "restore", str(file))
    assert (refused.code, f"{new / '.env'} already exists" in refused.err) == (78, True)
    assert (new / ".env").read_text() == "ENPHASE_GATEWAY=192.0.2.9\n"
    assert run(new, "restore", "--force", str(file)).code == 0
    (kept,) = new.glob(".env.replaced-*")
    assert kept.read_text() == "ENPHASE_GATEWAY=192.0.2.9\n"


def test_secrets_that_are_there_are_kept_aside_for_their_owner_alone(old: Path) -> None:
    file, new = backed_up(old), old.parent / "new"
    secret = new / "credentials" / "enphase_password"
    secret.parent.mkdir(parents=True)
    secret.write_text("the one that works\n")
    secret.chmod(0o644)
    forced = run(new, "restore", "--force", str(file))
    assert forced.code == 0, forced.err
    assert secret.read_text() == f"{PASSWORD}\n"
    (kept,) = secret.parent.glob("enphase_password.replaced-*")
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == ("the one that works\n", 0o600)
    assert f"kept     {kept}, with the earlier content" in forced.out
    assert not list(run(new, "restore", "--force", str(file)).out.split("enphase_password.replaced-")[1:])


@pytest.mark.parametrize("kind", ["cut", "flipped", "other", "empty", "newer"])
def test_a_damaged_backup_changes_nothing(old: Path, kind: str) -> None:
    file, new = backed_up(old), old.parent / "new"
    whole = file.read_bytes()
    match kind:
        case "cut":
            file.write_bytes(whole[:-100])
        case "flipped":
            middle = len(whole) // 2
            file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
        case "other":
            with tarfile.open(file, "w:gz") as tar:
                tar.add(old / "layout.csv", "layout.csv")
        case "empty":
            file.write_bytes(b"")
        case "newer":
            text = gzip.decompress(whole).replace(b'"form":1', b'"form":9')
            file.write_bytes(gzip.compress(text))
    done = run(new, "restore", str(file))
    assert done.code == 78, done.err
    assert "Try:" in done.err
    assert "Traceback" not in done.err
    assert not (new / ".env").exists()
    left = {path.name for path in state_of(new).iterdir()} if state_of(new).exists() else set()
    assert left <= {LOCK}


def test_a_member_that_would_leave_the_state_folder_is_refused(old: Path) -> None:
    file, new = old.parent / "evil.tar.gz", old.parent / "new"
    text = json.dumps({"made_at": 1, "is_service": False}).encode()
    (old / "manifest").write_bytes(text)
    with tarfile.open(file, "w:gz") as tar:
        tar.add(old / "manifest", "manifest.json")
        tar.add(old / "layout.csv", "state/../../../evil")
    assert run(new, "restore", str(file)).code == 78
    assert not (new / "evil").exists()


def test_the_folder_stays_free_for_the_recorder_after_a_restore(old: Path) -> None:
    file, new = backed_up(old), old.parent / "new"
    assert run(new, "restore", str(file)).code == 0
    with claim(state_of(new)) as lock:
        Store.open(state_of(new), max_mb=64, keep_days=30, clock=HandClock(), lock=lock).close()


def test_a_file_that_the_recorder_replaces_meanwhile_is_whole_in_the_backup(tmp_path: Path) -> None:
    class Replaced(type(tmp_path)):  # type: ignore[misc]
        """A file that gets a shorter content between the opening and the look at its size."""

        def open(self, *words: str) -> IO[bytes]:
            file: IO[bytes] = super().open(*words)
            write_atomically(Path(self), b"new")
            return file

    token = Replaced(tmp_path / "token-1")
    Path(token).write_bytes(b"the earlier token")
    with (tmp_path / "backup").open("wb") as file:
        archive = ArchiveWriter(file, Texts(Manifest(0, is_service=False)))
        archive.add_state(token, "token-1")
        archive.close()
    with tarfile.open(tmp_path / "backup") as tar:
        member = tar.extractfile("state/token-1")
        assert member is not None
        assert member.read() == b"the earlier token"


def test_what_is_no_file_is_no_backup(tmp_path: Path) -> None:
    for name, said in ((str(tmp_path), "Is a directory"), (str(tmp_path / "gone"), "there is no file")):
        done = run(tmp_path, "restore", name)
        assert done.code == 2
        assert said in done.err
        assert "Try: envoy-logger restore --help" in done.err
