"""The installer for Debian: what it says it would do, what it writes below another root, and what it refuses.

That it installs on a bare Debian with a booted systemd was tried in containers; no test does that.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "deploy" / "systemd" / "install"
SCRIPTS = (INSTALL, ROOT / "deploy" / "debian" / "build")
MAINTAINER_SCRIPTS = sorted((ROOT / "deploy" / "debian").glob("p*"))

if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
    pytest.skip("needs: Debian", allow_module_level=True)


class Machine:
    """A root folder that stands for a machine with these packages."""

    def __init__(self, root: Path) -> None:
        self.root = root / "machine"
        self.root.mkdir()
        self._programs = root / "programs"
        self._programs.mkdir()
        self.packages: set[str] = set()
        self.running: set[str] = set()

    def write(self, path: str, text: str = "") -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the installer. Nothing outside this root is changed, whatever the machine has."""
        query = self._programs / "dpkg-query"
        known = "|".join(sorted(self.packages)) or "none"
        answer = f'case $last in {known}) echo "install ok installed" ;; esac'
        query.write_text(f"#!/bin/sh\nfor last; do :; done\n{answer}\n")
        architecture = self._programs / "dpkg"
        architecture.write_text("#!/bin/sh\necho amd64\n")
        services = self._programs / "systemctl"
        active = "|".join(f"*{name}.service" for name in sorted(self.running)) or "none"
        services.write_text(f'#!/bin/sh\ncase "$*" in {active}) exit 0 ;; esac\nexit 3\n')
        for program in (query, architecture, services):
            program.chmod(0o755)
        environment = {"PATH": f"{self._programs}:{os.environ['PATH']}", "DESTDIR": str(self.root)}
        environment["LANG"] = os.environ.get("LANG", "C")
        return subprocess.run(
            [str(INSTALL), *options], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def steps(told: subprocess.CompletedProcess[str]) -> list[str]:
    assert told.returncode == 0, told.stdout + told.stderr
    return [line.removeprefix("==> ") for line in told.stdout.splitlines() if line.startswith("==> ")]


def test_each_step_is_said_and_none_is_done(machine: Machine) -> None:
    said = steps(machine.install("--dry-run", "--yes"))
    expected = (
        "Building the package envoy-logger", "Installing it", "Adding the package source", "Installing influxdb2",
        "Starting InfluxDB", "Installing grafana", "Asking for the settings", "Starting the recorder", "Done",
    )  # fmt: skip
    found = [next(number for number, step in enumerate(said) if step.startswith(begin)) for begin in expected]
    assert found == sorted(found)
    assert machine.files == []


@pytest.mark.parametrize(
    ("option", "again"), [((), ""), (("--upgrade",), " --upgrade"), (("--uninstall",), " --uninstall")]
)
def test_a_person_without_root_is_told_the_same_command_with_sudo(
    tmp_path: Path, option: tuple[str, ...], again: str
) -> None:
    """Every other program of this path fails, so that nothing can be changed."""
    person = tmp_path / "id"
    person.write_text("#!/bin/sh\necho 1000\n")
    person.chmod(0o755)
    for name in ("dirname", "cat", "bash"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    done = subprocess.run(
        [shutil.which("bash") or "", str(INSTALL), *option], capture_output=True, text=True,
        stdin=subprocess.DEVNULL, env={"PATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 69
    assert done.stderr == f"This needs root.\nTry: sudo deploy/systemd/install{again}\n"


def test_without_a_terminal_it_asks_for_options_instead_of_guessing(machine: Machine) -> None:
    told = machine.install()
    assert told.returncode == 69
    assert "Try: " in told.stderr
    assert "--influxdb" in told.stderr
    assert machine.files == []


def test_debians_influxdb_is_closed_to_other_machines(machine: Machine) -> None:
    said = steps(machine.install("--influxdb", "debian", "--grafana", "none"))
    assert "Installing influxdb from Debian" in said
    assert machine.read("/etc/default/influxdb") == 'INFLUXDB_HTTP_BIND_ADDRESS="127.0.0.1:8086"\n'
    assert not any("grafana" in step.lower() for step in said)


def test_passwords_that_it_makes_are_new_each_time_and_only_for_their_readers(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        machine = Machine(tmp_path / name)
        told = machine.install("--yes")
        steps(told)
        for path in ("etc/influxdb/admin_password", "etc/grafana/admin_password"):
            assert stat.S_IMODE((machine.root / path).stat().st_mode) == 0o600
            secret = machine.read(path)
            assert re.fullmatch(r"[0-9a-f]{36}", secret)
            assert secret not in told.stdout + told.stderr
            made.append(secret)
    assert len(set(made)) == 4


def test_passwords_are_there_before_the_servers_that_take_them(machine: Machine) -> None:
    """An installation that was cut off in between must not leave a server with a password that everybody knows."""
    said = steps(machine.install("--yes"))
    for password, package in (("InfluxDB's", "influxdb2"), ("Grafana's", "grafana")):
        made = said.index(f"Making a password for {password} user admin")
        assert made < said.index(f"Installing {package} from there")
    assert "Letting Grafana read its password" in said


def test_grafana_reads_its_password_from_the_file(machine: Machine) -> None:
    """As a service Grafana reads `$__file{}`; a variable ending in __FILE is read in its maker's image alone."""
    steps(machine.install("--yes"))
    given = machine.read("/etc/systemd/system/grafana-server.service.d/envoy-logger.conf")
    assert "Environment=GF_SECURITY_ADMIN_PASSWORD=$__file{/etc/grafana/admin_password}\n" in given


@pytest.mark.parametrize(
    ("file", "line", "known"),
    [
        ("influxdb.list", "deb [signed-by=/x.gpg] https://repos.influxdata.com/debian stable main", True),
        ("telegraf.sources", "URIs: https://repos.influxdata.com/debian", True),
        ("influxdb.list", "# deb https://repos.influxdata.com/debian stable main", False),
    ],
)  # fmt: skip
def test_a_package_source_that_is_there_gets_no_second_entry(
    machine: Machine, file: str, line: str, known: bool
) -> None:
    machine.write(f"/etc/apt/sources.list.d/{file}", f"{line}\n")
    said = steps(machine.install("--yes"))
    assert any("repos.influxdata.com" in step and "Adding" in step for step in said) is not known
    assert "Installing influxdb2 from there" in said


def provided(machine: Machine, influxdb: str = "influxdb2") -> Machine:
    """A machine with both servers and settings, to which the boards have been given."""
    machine.packages = {influxdb, "grafana"}
    machine.write(
        "/etc/envoy-logger/envoy-logger.env",
        "ENPHASE_GATEWAY=192.0.2.5\nINFLUXDB_URL=http://localhost:8086\nINFLUXDB_ORG=home\nINFLUXDB_BUCKET_DAILY=days/kept\n",
    )
    if influxdb == "influxdb2":
        machine.write("/etc/grafana/envoy-logger_token", "secret")
    steps(machine.install())
    return machine


def test_grafana_gets_the_same_source_and_boards_as_in_containers(machine: Machine) -> None:
    provided(machine)
    ours = yaml.safe_load(machine.read("/etc/grafana/provisioning/datasources/envoy-logger.yaml"))
    theirs = yaml.safe_load((ROOT / "grafana/provisioning/flux/datasources/envoy.yaml").read_text())
    source = ours["datasources"][0]
    assert source["url"] == "http://localhost:8086"
    assert source["jsonData"]["organization"] == "home"
    assert source["jsonData"]["defaultBucket"] == "envoy"
    assert source["secureJsonData"]["token"] == "$__file{/etc/grafana/envoy-logger_token}"
    assert source.keys() == theirs["datasources"][0].keys()
    assert source["uid"] == theirs["datasources"][0]["uid"]
    boards = yaml.safe_load(machine.read("/etc/grafana/provisioning/dashboards/envoy-logger.yaml"))
    assert boards["providers"][0]["options"]["path"] == "/usr/share/envoy-logger/dashboards/flux/en"
    rules = (ROOT / "grafana/provisioning/flux/alerting/en/envoy.yaml").read_text()
    there = machine.read("/etc/grafana/provisioning/alerting/envoy-logger.yaml")
    assert there == rules.replace('bucket: "envoy_daily"', 'bucket: "days"') != rules


def test_the_recorders_commands_may_read_with_grafanas_token(machine: Machine) -> None:
    file = provided(machine).root / "etc/envoy-logger/credentials/influxdb_read_token"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("secret", 0o600)
    theirs = machine.root / "etc/grafana/envoy-logger_token"
    file.write_text("a person's own")
    for moment, kept in ((1, "a person's own"), (3, "secret")):
        os.utime(theirs, (moment, moment))
        os.utime(file, (2, 2))
        steps(machine.install())
        assert file.read_text() == kept


def test_with_debians_influxdb_grafana_asks_in_influxql_without_a_secret(machine: Machine) -> None:
    provided(machine, "influxdb")
    sources = yaml.safe_load(machine.read("/etc/grafana/provisioning/datasources/envoy-logger.yaml"))["datasources"]
    assert [source["jsonData"]["dbName"] for source in sources] == ["envoy", "envoy_devices", "days"]
    assert {source["jsonData"]["version"] for source in sources} == {"InfluxQL"}
    assert {source["url"] for source in sources} == {"http://localhost:8086"}
    assert machine.read("/etc/grafana/envoy-logger_token") == "none\n"
    assert not (machine.root / "etc/envoy-logger/credentials/influxdb_read_token").exists()
    boards = yaml.safe_load(machine.read("/etc/grafana/provisioning/dashboards/envoy-logger.yaml"))
    assert boards["providers"][0]["options"]["path"] == "/usr/share/envoy-logger/dashboards/influxql/en"
    assert "influxdb" in machine.read("/etc/grafana/provisioning/alerting/envoy-logger.yaml")


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ("INFLUXDB_URL=http://192.0.2.9:8086\nINFLUXDB_ORG=home\n", "flux"),
        ("INFLUXDB_URL=http://192.0.2.9:8086\n", "influxql"),
        ("INFLUXDB_URL=http://192.0.2.9:8086\nINFLUXDB_USERNAME=me\n", ""),
        ("", ""),
    ],
)
def test_with_influxdb_on_another_machine_grafana_is_started_and_told_what_can_be_told(
    machine: Machine, settings: str, given: str
) -> None:
    machine.packages = {"grafana"}
    machine.write("/etc/envoy-logger/envoy-logger.env", f"ENPHASE_GATEWAY=192.0.2.5\n{settings}")
    machine.write("/etc/grafana/envoy-logger_token", "secret")
    told = machine.install("--influxdb", "none")
    said = steps(told)
    assert "Starting Grafana, now and at each boot" in said
    assert any(step.startswith("Grafana gets no boards: ") for step in said) is (not given)
    assert ("without boards" in told.stdout) is (not given)
    path = machine.root / "etc/grafana/provisioning/dashboards/envoy-logger.yaml"
    assert path.exists() is bool(given)
    if given:
        assert f"dashboards/{given}/en" in path.read_text()
        sources = yaml.safe_load(machine.read("/etc/grafana/provisioning/datasources/envoy-logger.yaml"))
        assert sources["datasources"][0]["url"] == "http://192.0.2.9:8086"


@pytest.mark.parametrize(
    ("system", "language"),
    [("de_AT.UTF-8", "de"), pytest.param("fr_FR", "fr", marks=pytest.mark.long), ("ja_JP.UTF-8", "en")],
)
def test_boards_and_alerts_speak_the_machines_language(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, system: str, language: str
) -> None:
    monkeypatch.setenv("LANG", system)
    provided(machine)
    boards = machine.read("/etc/grafana/provisioning/dashboards/envoy-logger.yaml")
    assert f"dashboards/flux/{language}\n" in boards
    rules = yaml.safe_load((ROOT / f"grafana/provisioning/flux/alerting/{language}/envoy.yaml").read_text())
    there = yaml.safe_load(machine.read("/etc/grafana/provisioning/alerting/envoy-logger.yaml"))
    assert [rule["title"] for rule in there["groups"][0]["rules"]] == [
        rule["title"] for rule in rules["groups"][0]["rules"]
    ]


@pytest.mark.parametrize(
    ("bind", "told"),
    [
        ("127.0.0.1:99", "ssh -L 99:localhost:99 "),
        ("0.0.0.0:99", ":99/\n"),
        pytest.param("", "ssh -L 9817:localhost:9817 ", marks=pytest.mark.long),
    ],
)
def test_a_machine_without_a_screen_is_told_the_way_to_the_page(machine: Machine, bind: str, told: str) -> None:
    provided(machine)
    settings = machine.root / "etc/envoy-logger/envoy-logger.env"
    settings.write_text(f"{settings.read_text()}LOGGER_HTTP={bind}\n" if bind else settings.read_text())
    said = machine.install().stdout
    assert told in said
    assert ("ssh" in said) is told.startswith("ssh")


def call(function: str, script: str, tmp_path: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Call a function of a script, with stand-ins for what it calls (`before`)."""
    text = (ROOT / "deploy" / "systemd" / script).read_text()
    functions = re.findall(r"^\w+\(\) \{[^\n]*\}$|^\w+\(\) \{$.*?^\}$", text, re.M | re.S)
    known = "dry_run= DESTDIR= settings=/dev/null influxdb_url=http://localhost:8086"
    return subprocess.run(
        ["bash", "-euc", "\n".join([known, *functions, before, function])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ('{"ready": true, "troubles": {}}', 0),
        ('{"ready": false,\n"troubles": {"influx totals": "InfluxDB at h, bucket e: HTTP 401: no\\nTry: x"}}', 69),
    ],
)
def test_a_token_that_is_refused_is_said_at_once_and_is_not_done(tmp_path: Path, status: str, code: int) -> None:
    stand_in = f"""is_running() {{ true; }}
    sleep() {{ exit 99; }}
    envoy-logger() {{
        case "$*" in "status --json") printf '%s' {shlex.quote(status)} ;; *) echo "told by $*" ;; esac
    }}"""
    told = call("wait_for_first_point", "install", tmp_path, stand_in)
    assert told.returncode == code, told.stderr
    assert f"told by {'doctor' if code else 'status'}" in told.stdout
    assert ("Try: " in told.stderr) is bool(code)


@pytest.mark.parametrize(
    ("packages", "files", "given", "absent"),
    [
        ("influxdb2", ["password", "token"], "--org home .*--admin-token-file token", "nothing"),
        ("influxdb2", ["password"], "--org home .*--keep-admin-token token", "--admin-token-file"),
        ("influxdb2", [], "--influxdb-url", "--org"),
        ("influxdb", ["password", "token"], "--influxdb-url", "--org"),
    ],
)
def test_what_an_earlier_installation_knows_is_not_asked(
    tmp_path: Path, packages: str, files: list[str], given: str, absent: str
) -> None:
    for name in files:
        (tmp_path / name).write_text("secret\n")
    before = f"has_package() {{ [ $1 = {packages} ]; }}\ninfluxdb_password=password influxdb_token=token found=()"
    told = call('collect_influxdb_options found; echo "${found[*]}"', "databases.sh", tmp_path, before)
    assert re.search(given, told.stdout), told.stderr
    assert absent not in told.stdout


def test_settings_that_are_there_are_not_asked_for_again(machine: Machine) -> None:
    before = provided(machine).files
    said = steps(machine.install())
    assert any("already" in step for step in said)
    assert not any(step.startswith("Asking") for step in said)
    assert machine.files == before


def install_by_hand(machine: Machine) -> tuple[Path, Path, Path]:
    """An installation as earlier versions described it: its unit, its program and its command."""
    unit = machine.write("/etc/systemd/system/envoy-logger.service", "[Unit]\n")
    wanted = machine.root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir()
    (wanted / "envoy-logger.service").symlink_to("/etc/systemd/system/envoy-logger.service")
    machine.write("/opt/envoy-logger/pyvenv.cfg")
    program = machine.write("/opt/envoy-logger/bin/envoy-logger")
    command = machine.root / "usr/local/bin/envoy-logger"
    command.parent.mkdir(parents=True)
    command.symlink_to("/opt/envoy-logger/bin/envoy-logger")
    return unit, program, command


@pytest.mark.parametrize("task", ["--upgrade", "--uninstall"])
def test_an_installation_by_hand_is_replaced_or_removed(machine: Machine, task: str) -> None:
    unit, program, command = install_by_hand(machine)
    readings = machine.write("/var/lib/private/envoy-logger/store.sqlite3", "readings")
    said = steps(machine.install(task))
    assert ("Letting the service run from the package's unit" in said) is (task == "--upgrade")
    assert ("Stopping the service" in said) is (task == "--uninstall")
    assert not unit.exists()
    assert not command.is_symlink()
    assert not program.parent.parent.exists()
    assert readings.read_text() == "readings"


def test_a_grafana_that_was_installed_from_here_shows_the_board_first_again_after_an_uninstallation(
    machine: Machine,
) -> None:
    provided(machine)
    machine.write("/etc/grafana/admin_password", "secret")
    drop_in = "etc/systemd/system/grafana-server.service.d/envoy-logger.conf"
    for task, is_there in (("--upgrade", False), ("--yes", True), ("--uninstall", False), ("--yes", True)):
        machine.write("/etc/grafana/envoy-logger_token", "secret")
        steps(machine.install(task))
        assert (drop_in in machine.files) is is_there, task


@pytest.mark.parametrize("is_running", [pytest.param(True, marks=pytest.mark.long), False])
def test_an_upgrade_starts_no_grafana_that_was_stopped(machine: Machine, is_running: bool) -> None:
    provided(machine)
    machine.running = {"grafana-server"} if is_running else set()
    said = steps(machine.install("--upgrade"))
    assert any(step.startswith("Giving Grafana") for step in said)
    assert ("Grafana is stopped, and stays so" in said) is not is_running
    assert any(step.startswith("Starting Grafana") for step in said) is is_running


def test_a_folder_in_opt_that_is_something_else_stays(machine: Machine) -> None:
    other = machine.write("/opt/envoy-logger/notes.txt")
    steps(machine.install("--upgrade"))
    assert other.exists()


def test_removing_it_names_what_stays_and_deletes_no_setting_or_reading(machine: Machine) -> None:
    provided(machine)
    machine.packages.add("envoy-logger")
    secret = machine.write("/etc/influxdb/admin_token", "0a1b2c")
    told = machine.install("--uninstall")
    assert any("Grafana" in step and "forgets" in step for step in steps(told))
    for given in ("data sources  Envoy", "alert rules   envoy-no-data, ", "folders       Envoy, Solar alerts"):
        assert given in told.stdout
    assert "/etc/influxdb/admin_token" in told.stdout
    assert secret.read_text() not in told.stdout
    secret.unlink()
    for named in ("/etc/envoy-logger", "/var/lib/private/envoy-logger", "apt-get purge envoy-logger", "envoy_daily"):
        assert named in told.stdout
    assert machine.files == ["etc/envoy-logger/envoy-logger.env"]


@pytest.mark.parametrize("is_running", [pytest.param(True, marks=pytest.mark.long), False])
def test_removing_it_leaves_grafana_running_or_stopped_as_it_was(machine: Machine, is_running: bool) -> None:
    provided(machine)
    machine.running = {"grafana-server"} if is_running else set()
    said = [step for step in steps(machine.install("--uninstall")) if " Grafana" in step]
    verbs = [step.split()[0] for step in said if not step.startswith("Taking")]
    assert verbs == (["Restarting"] if is_running else ["Starting", "Stopping"])


def test_removing_it_names_what_stays_on_another_machine(machine: Machine) -> None:
    machine.write("/etc/envoy-logger/envoy-logger.env", "INFLUXDB_URL=http://192.0.2.9:8086\n")
    assert "at http://192.0.2.9:8086, the buckets envoy, " in machine.install("--uninstall").stdout


def test_a_backup_takes_the_place_of_the_questions(machine: Machine, tmp_path: Path) -> None:
    backup = tmp_path / "backup.tar.gz"
    assert machine.install("--restore", str(backup)).returncode == 69
    backup.touch()
    said = steps(machine.install("--restore", str(backup)))
    assert f"Restoring settings and readings from {backup}" in said
    assert not any(step.startswith("Asking") or "influxdb2" in step for step in said)


@pytest.mark.parametrize(("which", "is_filled"), [("vendor", True), ("debian", True), ("none", False)])
def test_an_influxdb_that_is_new_gets_what_the_backup_names(
    machine: Machine, tmp_path: Path, which: str, is_filled: bool
) -> None:
    backup = tmp_path / "backup.tar.gz"
    backup.touch()
    said = steps(machine.install("--restore", str(backup), "--influxdb", which))
    assert any(step.startswith("Making the buckets and tokens") for step in said) is is_filled


@pytest.mark.parametrize("options", [["--influxdb", "3"], ["--grafana"], ["--grafana", "debian"], ["--now"]])
def test_options_that_it_does_not_know_are_refused(machine: Machine, options: list[str]) -> None:
    told = machine.install(*options)
    assert told.returncode == 2
    assert told.stderr.startswith("usage: ")


def test_every_file_that_the_package_is_made_of_exists() -> None:
    build = (ROOT / "deploy" / "debian" / "build").read_text()
    for variable, folder in (("clone", ROOT), ("here", ROOT / "deploy" / "debian")):
        for path in re.findall(rf'\${variable}/([\w./-]+\w)"', build):
            assert (folder / path).exists(), path


def test_the_shell_accepts_every_script() -> None:
    for script in SCRIPTS:
        subprocess.run(["bash", "-n", str(script)], check=True)
    for script in MAINTAINER_SCRIPTS:
        subprocess.run(["sh", "-n", str(script)], check=True)


@pytest.mark.long
@pytest.mark.parametrize("script", [*SCRIPTS, *MAINTAINER_SCRIPTS], ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("needs: shellcheck")
    done = subprocess.run([checker, "-x", "-a", str(script)], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")
