"""`init`, from nothing to points in a database, by its answers alone; every generation, every database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from zeroconf import Zeroconf

from logger.clock import SystemClock
from tests.commands.announcing import announce, own_serial, responder
from tests.commands.program import Done, program
from tests.commands.wizard import Person
from tests.databases.fake2 import Fake2
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Row, serving
from tests.databases.victoria import Victoria
from tests.standin import BackgroundSimulator, invent_gateway

__all__ = ["responder"]

PASSWORD = "Sentinel pa ss#$'\"\\w"
FIRST = "Sentinel first #$'\"\\ user"
SECRETS = (PASSWORD, FIRST, "Sentinel")
TOTALS = ("envoy", "envoy_totals")
ZONE = "days begin at midnight in Europe/Madrid, as the gateway is set"
ASKED_ZONE = "Days begin at midnight in this time zone ["


@dataclass(frozen=True)
class Gateway:
    """A stand-in gateway and what a person knows of it."""

    running: BackgroundSimulator

    @property
    def environment(self) -> dict[str, str]:
        """Where its sign-in is; a real one needs no such thing."""
        return {name: value for name, value in self.running.settings.items() if name.endswith("_URL")}

    @property
    def place(self) -> str:
        """host:port, as a person types it."""
        return self.running.url.partition("://")[2]


@contextmanager
def gateway(generation: str) -> Iterator[Gateway]:
    plant = invent_gateway(generation, epoch=time.time() - 5 * 86400)
    with BackgroundSimulator(plant, SystemClock()) as running:
        running.call(lambda: setattr(running.simulator.cloud, "password", PASSWORD))
        yield Gateway(running)


def sign_in(person: Person, here: Gateway, generation: str) -> None:
    """What each generation asks for: nothing, the account, a pasted token."""
    if generation.startswith("5"):
        person.wait("user envoy may read all documents that need a user")
        person.wait(ZONE)
        return
    person.answer("Trust it from now on [Y/n]: ", "y")
    if generation.startswith("7"):
        person.answer("How [1]: ", "")
        person.answer("account's e-mail: ", here.running.simulator.cloud.username)
        person.answer("Its password: ", PASSWORD)
    else:
        person.answer("How [1]: ", "2")
        person.answer("The token (it is not shown): ", here.running.new_token())
    person.wait("the gateway takes the token: role owner")
    person.wait(ZONE)


class Open1:
    """InfluxDB 1.x that takes everybody."""

    def __init__(self, folder: Path) -> None:
        self.server = Influx1(folder)

    def answers(self, person: Person) -> None:
        person.answer("Its address, or none [http://localhost:8086]: ", self.server.url)
        person.wait("InfluxDB 1.6.7 at ")

    def rows(self) -> list[Row]:
        return self.server.rows(*TOTALS)


class Fresh1(Open1):
    """InfluxDB 1.x with authentication and nobody in it."""

    def __init__(self, folder: Path) -> None:
        self.server = Influx1(folder, auth=True, fresh=True)

    def answers(self, person: Person) -> None:
        super().answers(person)
        person.answer("Name of its first user [admin]: ", "boss")
        person.answer("Password (8 letters or more): ", FIRST)
        person.answer("The same again: ", FIRST)
        self.server.username, self.server.password = "boss", FIRST


class Fresh2:
    """A real InfluxDB 2 that was never set up."""

    def __init__(self, folder: Path) -> None:
        self.server: Influx2 | Fake2 = Influx2(folder, fresh=True)
        self.kept = folder / "operator"

    def answers(self, person: Person) -> None:
        person.answer("Its address, or none [http://localhost:8086]: ", self.server.url)
        person.wait("not set up yet")
        person.answer("Its organisation [home]: ", "our house")
        person.answer("Name of its first user [admin]: ", "")
        person.answer("Password (8 letters or more): ", FIRST)
        person.answer("The same again: ", FIRST)

    def rows(self) -> list[Row]:
        return self.server.rows_as(self.kept.read_text().strip(), "our house", *TOTALS)


class FreshFake2(Fresh2):
    """The same with the fake, where no InfluxDB 2 is at hand."""

    def __init__(self, folder: Path) -> None:
        self.server = Fake2(fresh=True)
        self.kept = folder / "operator"


class Ready2(Fresh2):
    """A real InfluxDB 2 in use, whose administrator has a token."""

    def __init__(self, folder: Path) -> None:
        self.server = Influx2(folder)

    def answers(self, person: Person) -> None:
        person.answer("Its address, or none [http://localhost:8086]: ", self.server.url)
        person.answer("Its organisation [home]: ", "")
        person.answer("How [1]: ", "")
        person.answer("The administrator's token (it is not shown): ", self.server.admin_token)

    def rows(self) -> list[Row]:
        return self.server.rows(*TOTALS)


GENERATIONS = ("5-metered", "7-metered", "8-battery")
DATABASES = (Open1, Fresh1, Fresh2, FreshFake2, Ready2)
USUAL = {
    ("5-metered", Fresh1),
    ("7-metered", Fresh2),
}
PAIRS = [
    pytest.param(generation, kind, id=f"{generation}-{kind.__name__}",
                 marks=() if (generation, kind) in USUAL else pytest.mark.long)
    for generation in GENERATIONS
    for kind in DATABASES
]  # fmt: skip


@pytest.mark.parametrize(("generation", "kind"), PAIRS)
def test_from_nothing_to_points_in_a_database_by_answers_alone(
    generation: str, kind: type[Open1 | Fresh2], tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "database"
    home.mkdir()
    folder.mkdir()
    database = kind(folder)
    keep = ["--keep-admin-token", str(database.kept)] if isinstance(database, Fresh2) and kind is not Ready2 else []
    with gateway(generation) as here, serving(database.server):
        with Person(home, "init", "--no-search", *keep, settings=here.environment) as person:
            person.answer("The gateway's address: ", here.place)
            sign_in(person, here, generation)
            database.answers(person)
            person.wait("may write to envoy, envoy_devices, envoy_daily")
            person.wait("envoy-logger once --dry-run")
            assert person.end() == 0, person.screen
        assert not [secret for secret in SECRETS if secret in person.screen]
        done = program(home, "once", settings=here.environment)
        assert (done.code, done.said[-1]) == (0, "stored and delivered"), done.err
        assert len(database.rows()) == 1
        assert here.running.cloud.sign_ins == (1 if generation.startswith("7") else 0)
        again = program(home, "check", settings=here.environment)
        assert again.code == 0
        assert "warning" not in again.err
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}, modes
    folder = home / "credentials"
    assert folder.exists() == ((generation, kind) != ("5-metered", Open1))  # there nothing is secret
    assert not folder.exists() or folder.stat().st_mode & 0o777 == 0o700
    assert not [secret for secret in SECRETS if secret in (home / ".env").read_text()]


QUESTIONS = (
    "The gateway's address: ", "Trust it from now on [Y/n]: ", "How [1]: ", "account's e-mail: ", "Its password: ",
    "Its address, or none [http://localhost:8086]: ",
    "Its organisation [home]: ", "Name of its first user [admin]: ",
    "Password (8 letters or more): ",
)  # fmt: skip


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(0, marks=pytest.mark.long),
        pytest.param(4, marks=pytest.mark.long),
        len(QUESTIONS) - 1,
    ],
    ids=lambda at: QUESTIONS[at].strip(" :"),
)
def test_ctrl_c_leaves_no_settings_and_nothing_half_written(fake_fresh: Fake2, tmp_path: Path, at: int) -> None:
    with gateway("8-battery") as here:
        cloud = here.running.simulator.cloud
        answers = (here.place, "y", "1", cloud.username, PASSWORD, fake_fresh.url, "", "", FIRST)
        with Person(tmp_path, "init", "--no-search", settings=here.environment) as person:
            for question, answer in zip(QUESTIONS[:at], answers[:at], strict=True):
                person.answer(question, answer)
            person.wait(QUESTIONS[at])
            person.interrupt("Stopped. No settings were written.")
            assert person.end() == 130
    assert [path for path in tmp_path.iterdir() if path.name != "state"] == []
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    assert fake_fresh.is_fresh()


@pytest.fixture
def fake_fresh() -> Iterator[Fake2]:
    """A fake InfluxDB 2 that was never set up."""
    server = Fake2(fresh=True)
    with serving(server):
        yield server


def scripted(home: Path, here: Gateway, *words: str, stdin: str = "") -> Done:
    return program(home, "init", "--yes", *words, settings=here.environment, stdin=stdin)


def settings_of(home: Path) -> dict[str, str]:
    lines = (home / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_a_script_gives_every_answer_by_options_and_stdin(fake_influx2: Fake2, tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(fake_influx2.admin_token + "\n")
    with gateway("8-battery") as here:
        words = ["--gateway", here.place, "--account", here.running.cloud.username, "--password-file", "-",
                 "--influxdb-url", fake_influx2.url, "--org", "home", "--admin-token-file", "admin",
                 "--retention-daily", "forever", "--site", "Our house", "--read-token-file", "grafana"]  # fmt: skip
        done = scripted(tmp_path, here, *words, stdin=PASSWORD + "\n")
        assert done.code == 0, done.err
        assert "Next" in done.out
        assert settings_of(tmp_path) == {
            "ENPHASE_GATEWAY": here.place,
            "ENPHASE_SERIAL": here.running.simulator.model.serial,
            "ENPHASE_USERNAME": here.running.cloud.username,
            "ENPHASE_PASSWORD_FILE": str(tmp_path / "credentials/enphase_password"),
            "INFLUXDB_URL": fake_influx2.url,
            "INFLUXDB_TOKEN_FILE": str(tmp_path / "credentials/influxdb_token"),
            "INFLUXDB_ORG": "home",
            "LOGGER_SITE": "Our house",
            "LOGGER_TIMEZONE": "Europe/Madrid",
            "LOGGER_STATE_DIR": str(tmp_path / "state"),  # what the environment decided is written too
            **here.environment,
        }
        assert (tmp_path / "credentials/enphase_password").read_text() == PASSWORD + "\n"
        assert (tmp_path / "grafana").stat().st_mode & 0o777 == 0o600
        assert program(tmp_path, "once", settings=here.environment).code == 0
        shown = done.out + done.err
        assert not [secret for secret in (*SECRETS, fake_influx2.admin_token) if secret in shown]
        everything = b"".join(
            path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "admin"
        )
        assert fake_influx2.admin_token.encode() not in everything


def test_running_it_again_changes_only_what_is_asked(fake_influx2: Fake2, tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(fake_influx2.admin_token)
    with gateway("8-battery") as here:
        first = ["--gateway", here.place, "--account", here.running.cloud.username, "--password-file", "-"]
        assert scripted(tmp_path, here, *first, stdin=PASSWORD).code == 0
        env = tmp_path / ".env"
        env.write_text(env.read_text() + "# my own note\nLOGGER_KEEP_DAYS=90\n")
        before = env.read_text()
        assert here.running.cloud.sign_ins == 1
        second = ["--influxdb-url", fake_influx2.url, "--org", "home", "--admin-token-file", "admin"]
        done = scripted(tmp_path, here, *second)
        assert done.code == 0, done.err
        assert env.read_text().startswith(before)
        assert set(env.read_text().removeprefix(before).splitlines()) == {
            f"INFLUXDB_URL={fake_influx2.url}", "INFLUXDB_ORG=home",
            f"INFLUXDB_TOKEN_FILE={tmp_path}/credentials/influxdb_token",
        }  # fmt: skip
        requests = len(here.running.journal)
        third = scripted(tmp_path, here, "--timezone", "Europe/Madrid")
        assert third.code == 0, third.err
        assert len(here.running.journal) == requests  # nobody was asked for what was not asked
        nothing = scripted(tmp_path, here)
        assert nothing.code == 0
        assert "no question was asked" in nothing.out
        to_token = scripted(tmp_path, here, "--token-file", "-", stdin=here.running.new_token())
        assert to_token.code == 0, to_token.err
        back = scripted(
            tmp_path, here, "--account", here.running.cloud.username, "--password-file", "-", stdin=PASSWORD
        )
        assert back.code == 0, back.err
        assert "ENPHASE_TOKEN_FILE" not in settings_of(tmp_path)
        assert not (tmp_path / "credentials/enphase_token").exists()
        assert here.running.cloud.sign_ins == 1
        assert program(tmp_path, "once", settings=here.environment).code == 0


def test_a_gateway_that_announces_itself_is_chosen_by_its_number(responder: Zeroconf, tmp_path: Path) -> None:
    serial = own_serial()
    plant = invent_gateway("5-metered", serial=serial, epoch=time.time() - 86400)
    with BackgroundSimulator(plant, SystemClock()) as running:
        here = Gateway(running)
        announce(responder, running)
        with Person(tmp_path, "init", "--interface", "127.0.0.1", settings=here.environment) as person:
            person.wait("Which one, or another address")
            line = next(line for line in person.screen.splitlines() if f"serial {serial}" in line)
            assert here.place in line
            person.answer(": ", line.split()[0])
            person.wait(ZONE)
            person.answer("Its address, or none [http://localhost:8086]: ", "none")
            person.wait("envoy-logger once --dry-run")
            assert person.end() == 0, person.screen
    written = settings_of(tmp_path)
    assert (written["ENPHASE_GATEWAY"], written["ENPHASE_SERIAL"]) == (here.place, serial)


@pytest.mark.long
def test_a_server_that_takes_everybody_is_set_without_credentials(victoria: Victoria, tmp_path: Path) -> None:
    with gateway("5-metered") as here:
        done = scripted(tmp_path, here, "--gateway", here.place, "--influxdb-url", victoria.url)
        assert done.code == 0, done.err
        assert settings_of(tmp_path)["INFLUXDB_URL"] == victoria.url
        once = program(tmp_path, "once", settings=here.environment)
        assert (once.code, once.said[-1]) == (0, "stored and delivered"), once.err


def test_a_half_written_file_of_settings_is_completed(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENPHASE_USERNAME=somebody@example.org\nLOGGER_KEEP_DAYS=90\n")
    with gateway("8-battery") as here:
        given = ["--gateway", here.place, "--account", here.running.cloud.username, "--password-file", "-"]
        done = scripted(tmp_path, here, *given, "--no-next", stdin=PASSWORD)
        assert done.code == 0, done.err
        assert "Next" not in done.out
        assert settings_of(tmp_path)["ENPHASE_USERNAME"] == here.running.cloud.username
        assert settings_of(tmp_path)["LOGGER_KEEP_DAYS"] == "90"
        assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_secret_as_a_word_is_refused_and_not_repeated(tmp_path: Path) -> None:
    done = program(tmp_path, "init", "--yes", "--gateway", "x", "--password-file", PASSWORD)
    assert done.code == 2
    assert "never the secret itself" in done.err
    assert "Sentinel" not in done.out + done.err


Wrong = tuple[list[str], str, int, str]
"""Options, stdin, and the exit code and words that they lead to."""


def nothing_is_written(home: Path, here: Gateway, tries: list[Wrong]) -> None:
    for words, stdin, code, said in tries:
        done = scripted(home, here, *words, stdin=stdin)
        assert done.code == code, (words, done.err)
        assert said in done.err, (words, done.err)
        assert not (home / ".env").exists()
        assert not (home / "credentials").exists()


def test_wrong_answers_end_a_script_with_nothing_written(fake_influx2: Fake2, tmp_path: Path) -> None:
    with gateway("8-battery") as here:
        place = ["--gateway", here.place]
        nothing_is_written(tmp_path, here, [
            ([*place, "--serial", "121212121212"], "", 78, "not 121212121212"),
            ([*place, "--account", "me@example.org", "--password-file", "-"], "wrong", 77, "the e-mail (--account)"),
            ([*place, "--no-sign-in", "--influxdb-url", fake_influx2.url], "", 2, "--admin-token-file"),
            (["--gateway", "192.0.2.1", "--site", "a $HOME b"], "", 78, "LOGGER_SITE (your answer): contains $"),
        ])  # fmt: skip


def test_a_line_that_is_no_setting_stops_before_anybody_is_asked(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FOREIGN LINE\nENPHASE_GATEWAY 192.0.2.1\n")
    done = program(tmp_path, "init", "--yes", "--gateway", "127.0.0.1:1")
    assert done.code == 78
    assert ".env, line 2 (file): is not NAME=value, or its quote has no end" in done.err
    assert "line 1" not in done.err


@pytest.mark.long
def test_more_wrong_answers_end_a_script_with_nothing_written(tmp_path: Path) -> None:
    with gateway("8-battery") as here:
        place = ["--gateway", here.place]
        foreign = here.running.new_token(serial="999999999999")
        nothing_is_written(tmp_path, here, [
            ([], "", 2, "--gateway"),
            (["--gateway", "127.0.0.1:1"], "", 69, "refuses the connection"),
            ([*place, "--fingerprint", "AB:CD"], "", 69, "another certificate"),
            ([*place, "--token-file", "-"], foreign, 77, "is for gateway 999999999999"),
            ([*place, "--password-file", "/nowhere"], "", 2, "cannot be read"),
            ([*place, "--no-sign-in", "--influxdb-url", "http://127.0.0.1:1"], "", 69, "refuses the connection"),
            # told before anybody is asked
            (["--gateway", "192.0.2.1", "--timezone", "Mars/Base"], "", 78, "LOGGER_TIMEZONE"),
        ])  # fmt: skip


@pytest.mark.long
def test_another_certificate_than_the_pinned_one_is_never_accepted_by_yes_alone(tmp_path: Path) -> None:
    with gateway("8-battery") as here:
        first = scripted(tmp_path, here, "--gateway", here.place, "--no-sign-in")
        assert first.code == 0, first.err
        here.running.call(here.running.simulator.new_certificate)
        changed = scripted(tmp_path, here, "--gateway", here.place)
        assert changed.code == 2
        assert "--fingerprint" in changed.err
        with Person(tmp_path, "init", "--gateway", here.place, settings=here.environment) as person:
            person.wait("another one was pinned")
            person.answer("is this its new one [y/N]: ", "y")
            assert person.end() == 0, person.screen


def test_the_systemd_layout_has_settings_credentials_and_state_where_the_unit_looks(
    fake_influx2: Fake2, tmp_path: Path
) -> None:
    (tmp_path / "admin").write_text(fake_influx2.admin_token)
    root = tmp_path / "image"
    with gateway("8-battery") as here:
        words = ["--systemd", "--root", str(root), "--gateway", here.place, "--account",
                 here.running.cloud.username, "--password-file", "-", "--influxdb-url", fake_influx2.url, "--org",
                 "home", "--admin-token-file", "admin"]  # fmt: skip
        state = {"LOGGER_STATE_DIR": ""}
        done = program(tmp_path, "init", "--yes", *words, settings=here.environment | state, stdin=PASSWORD)
        assert done.code == 0, done.err
        assert "sudo systemctl" in done.out
        etc = root / "etc/envoy-logger"
        assert "_FILE" not in (etc / "envoy-logger.env").read_text()
        assert sorted(path.name for path in (etc / "credentials").iterdir()) == ["enphase_password", "influxdb_token"]
        serial = here.running.simulator.model.serial
        kept = {path.name for path in (root / "var/lib/envoy-logger").iterdir()}
        assert {f"pin-{serial}.json", f"token-{serial}"} <= kept
        env = ["--env-file", str(etc / "envoy-logger.env")]
        by_hand = program(tmp_path, "once", *env, settings=here.environment | state | {
            "LOGGER_STATE_DIR": str(root / "var/lib/envoy-logger")})  # fmt: skip
        assert by_hand.code == 0, by_hand.err
        again = program(tmp_path, "init", "--yes", "--systemd", "--root", str(root), "--site", "x",
                        settings=here.environment | state)  # fmt: skip
        assert again.code == 0, again.err
        assert here.running.cloud.sign_ins == 1


# --- what a person answers wrongly --------------------------------------------------------------------------------


@pytest.mark.long
def test_answers_are_checked_at_once_kept_through_a_retry_and_no_token_is_lost(
    fake_fresh: Fake2, tmp_path: Path
) -> None:
    with (
        gateway("8-battery") as here,
        Person(tmp_path, "init", "--no-search", settings=here.environment | {"TZ": "Asia/Tokyo"}) as person,
    ):
        person.answer("The gateway's address: ", here.place)
        person.answer("Trust it from now on [Y/n]: ", "y")
        person.answer("How [1]: ", "9")
        person.wait("answer with a number from 1 to 3")
        person.answer("How [1]: ", "1")
        person.answer("account's e-mail: ", "nonsense")
        person.wait("that is no e-mail address")
        person.answer("account's e-mail: ", here.running.simulator.cloud.username)
        person.answer("Its password: ", PASSWORD)
        person.wait("the gateway is set to Europe/Madrid, and this machine to Asia/Tokyo")
        person.answer(ASKED_ZONE, "Mars/Base")
        person.wait("that is no time zone")
        person.answer(ASKED_ZONE, "Europe/Lisbon")
        person.answer("Its address, or none [http://localhost:8086]: ", fake_fresh.url)
        for name, password in (("boss", "admin"), ("", "kurz")):
            if name:
                person.answer("Its organisation [home]: ", "our house")
                person.answer("Name of its first user [admin]: ", name)
            person.answer("Password (8 letters or more): ", password)
            person.answer("The same again: ", password)
        person.wait("does not accept its first user: passwords must be between 8 and 72 characters long")
        person.wait("Try: choose another password")
        person.answer(f"Its address, or none [{fake_fresh.url}]: ", "")
        person.answer("Its organisation [our house]: ", "")
        person.answer("Name of its first user [boss]: ", "")
        person.answer("Password (8 letters or more): ", FIRST)
        person.answer("The same again: ", FIRST)
        person.wait("the first user's own token, shown this once")
        assert person.end() == 0, person.screen
    assert "is it an InfluxDB 2" not in person.screen
    shown = next(line for line in person.screen.splitlines() if len(line.strip()) > 60 and " " not in line.strip())
    fake_fresh.rows_as(shown.strip(), "our house", *TOTALS)  # it is good
    assert settings_of(tmp_path)["LOGGER_TIMEZONE"] == "Europe/Lisbon"


def test_the_ordinary_way_asks_at_most_six_questions(fake_influx2: Fake2, tmp_path: Path) -> None:
    """With an account, and InfluxDB's address and credentials as the installation gives them."""
    (tmp_path / "admin").write_text(fake_influx2.admin_token + "\n")
    given = ["--influxdb-url", fake_influx2.url, "--org", "home", "--admin-token-file", "admin"]
    with (
        gateway("8-battery") as here,
        Person(tmp_path, "init", "--no-search", *given, settings=here.environment | {"TZ": "Europe/Paris"}) as person,
    ):
        person.answer("The gateway's address: ", here.place)
        person.answer("Trust it from now on [Y/n]: ", "y")
        person.answer("How [1]: ", "1")
        person.answer("account's e-mail: ", here.running.simulator.cloud.username)
        person.answer("Its password: ", PASSWORD)
        person.wait(ZONE)
        assert person.end() == 0, person.screen
    assert settings_of(tmp_path)["LOGGER_TIMEZONE"] == "Europe/Madrid"


@pytest.mark.long
def test_three_failures_leave_influxdb_for_later_and_keep_the_rest(fake_influx2: Fake2, tmp_path: Path) -> None:
    with (
        gateway("8-battery") as here,
        Person(tmp_path, "init", "--no-search", settings=here.environment) as person,
    ):
        person.answer("The gateway's address: ", here.place)
        sign_in(person, here, "8-battery")
        for number in range(3):
            person.answer("Its address, or none [", fake_influx2.url)
            person.answer("Its organisation [home]: ", "")
            person.answer("How [1]: ", "2" if number == 2 else "1")
            if number < 2:
                person.answer("token (it is not shown): ", "admin")
                person.wait("that is no token")
                person.answer("token (it is not shown): ", f"wrong-token-{number}")
            else:
                person.answer("Administrator [admin]: ", "nobody")
                person.answer("Password: ", "not this one")
        person.answer("Leave InfluxDB for later, and keep the other answers [Y/n]: ", "")
        assert person.end() == 0, person.screen
    assert "nobody" in person.screen
    assert settings_of(tmp_path)["ENPHASE_GATEWAY"] == here.place
    assert "INFLUXDB_URL" not in settings_of(tmp_path)


def test_what_the_environment_decided_is_written_for_the_service(tmp_path: Path) -> None:
    """Otherwise the service would take the password to another address than the one that was tested."""
    with gateway("8-battery") as here:
        words = ["--gateway", here.place, "--influxdb-url", "none"]
        environment = here.environment | {
            "ENPHASE_USERNAME": here.running.cloud.username, "ENPHASE_PASSWORD": PASSWORD,
        }  # fmt: skip
        done = program(tmp_path, "init", "--yes", *words, settings=environment)
        assert done.code == 0, done.err
        written = settings_of(tmp_path)
        assert written["ENPHASE_LOGIN_URL"] == here.environment["ENPHASE_LOGIN_URL"]
        assert written["ENPHASE_USERNAME"] == here.running.cloud.username
        alone = program(tmp_path, "once", settings={})
        assert alone.code == 0, alone.err


def test_a_state_folder_from_the_environment_is_refused_for_the_service(tmp_path: Path) -> None:
    words = ["--systemd", "--root", str(tmp_path / "image"), "--gateway", "192.0.2.1"]
    done = program(tmp_path, "init", "--yes", *words)
    assert (done.code, "Try: unset LOGGER_STATE_DIR" in done.err) == (78, True)


@pytest.mark.parametrize("word", ["admin", "x"])
def test_a_word_is_no_token_and_eats_no_messages(tmp_path: Path, word: str) -> None:
    done = program(tmp_path, "init", "--yes", "--gateway", "192.0.2.1", "--admin-token-file", "-", stdin=word)
    assert done.code == 2
    assert "that is no token" in done.err
    assert "***" not in done.err
