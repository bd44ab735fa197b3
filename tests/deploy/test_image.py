"""The image, really built and really run: read-only, as nobody in particular, without a single capability.

Needs podman and buildah as root, and ENVOY_LOGGER_TEST_BASE: a folder or tar with a Debian that has python3,
python3-venv and ca-certificates (`debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates`).
No part of what CI must run. A build fetches the locked dependencies from the package index.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import yaml

from tests.databases.influx2 import Influx2

ROOT = Path(__file__).parents[2]
BASE = os.environ.get("ENVOY_LOGGER_TEST_BASE", "")
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
READY = bool(BASE and Path(BASE).exists() and shutil.which("podman") and shutil.which("buildah"))

if not READY:
    pytest.skip("needs: podman, buildah and ENVOY_LOGGER_TEST_BASE", allow_module_level=True)

pytestmark = pytest.mark.timeout(600)

CLOSED = (
    "--http-proxy=false",
    "--read-only",
    "--user",
    "65532:65532",
    "--cap-drop",
    "all",
    "--security-opt",
    "no-new-privileges",
    "--memory",
    "256m",
    "--no-healthcheck",
)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image's name, built from the base; removed with everything made here."""
    folder = tmp_path_factory.mktemp("image")
    os.environ["CONTAINERS_CONF"] = str(_runc(folder))
    mark = uuid4().hex[:8]
    base, name = f"localhost/envoy-logger-test-base:{mark}", f"localhost/envoy-logger-test:{mark}"
    try:
        _import(base)
        _build(folder, base, name)
        yield name
    finally:
        subprocess.run(["podman", "rmi", "--force", name, base], capture_output=True)
        os.environ.pop("CONTAINERS_CONF")


def test_the_command_answers_read_only_and_without_privileges(image: str) -> None:
    done = _run(image, "version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_it_holds_the_program_and_no_installer_index_or_certificate_of_the_builder(image: str) -> None:
    found = _python(
        image,
        """
        import importlib.util, json, os
        from pathlib import Path
        import logger
        print(json.dumps({
            "program": logger.__file__,
            "pip": bool(list(Path("/opt/envoy-logger").rglob("pip"))),
            "configured": [str(p) for p in (Path("/etc/pip.conf"), Path("/opt/pip"), Path("/src")) if p.exists()],
            "environment": sorted(os.environ),
            "user": [os.getuid(), os.getgid()],
        }))""",
    )
    assert str(found["program"]).startswith("/opt/envoy-logger/lib/")
    assert found["pip"] is False
    assert found["configured"] == []
    assert found["user"] == [65532, 65532]
    assert not re.findall(r"(?i)\w*(?:proxy|cert|pip|token)\w*", str(found["environment"]))


def test_every_module_has_its_bytecode(image: str) -> None:
    found = _python(
        image,
        """
        import importlib.util, json
        from pathlib import Path
        import logger
        folder = Path(logger.__file__).parent
        sources = list(folder.rglob("*.py")) + list(folder.parent.joinpath("httpx").rglob("*.py"))
        print(json.dumps({"all": len(sources), "missing": [
            str(s) for s in sources if not Path(importlib.util.cache_from_source(str(s))).exists()]}))""",
    )
    assert found["missing"] == []
    assert isinstance(found["all"], int)
    assert found["all"] > 30


def test_it_can_write_its_state_and_nothing_else(image: str) -> None:
    found = _python(
        image,
        """
        import json, os
        def may(path):
            try:
                os.close(os.open(os.path.join(path, "x"), os.O_CREAT | os.O_WRONLY))
            except OSError:
                return False
            return True
        print(json.dumps({path: may(path) for path in (
            "/var/lib/envoy-logger", "/opt/envoy-logger", "/tokens/recorder", "/etc", "/")}))""",
    )
    assert [path for path, possible in found.items() if possible] == ["/var/lib/envoy-logger"]


def test_a_volume_starts_with_the_owner_and_mode_that_its_reader_needs(image: str) -> None:
    """Grafana (472, in group 65532) may read its token and not the recorder's."""
    volumes = {"/tokens/recorder": f"recorder-{uuid4().hex[:8]}", "/tokens/grafana": f"grafana-{uuid4().hex[:8]}"}
    mounts = [flag for path, volume in volumes.items() for flag in ("-v", f"{volume}:{path}")]
    try:
        _python(
            image,
            """
            import json, os
            for name, mode in (("recorder", 0o600), ("grafana", 0o640)):
                os.close(os.open(f"/tokens/{name}/influxdb_token", os.O_CREAT | os.O_WRONLY, mode))
            print(json.dumps({}))""",
            *mounts,
        )
        found = _python(
            image,
            """
            import json
            def may(path):
                try:
                    open(path).close()
                except OSError:
                    return False
                return True
            print(json.dumps({name: may(f"/tokens/{name}/influxdb_token") for name in ("recorder", "grafana")}))""",
            *mounts,
            "--user",
            "472:0",
            "--group-add",
            "65532",
        )
        assert found == {"recorder": False, "grafana": True}
    finally:
        subprocess.run(["podman", "volume", "rm", "--force", *volumes.values()], capture_output=True)


def test_setup_in_the_image_makes_a_token_for_the_recorder_and_one_for_grafana(
    image: str, influx2_session: Influx2
) -> None:
    """As compose runs it, on a real InfluxDB 2: each token is readable by its owner and does its one thing."""
    volumes = [f"recorder-{uuid4().hex[:8]}:/tokens/recorder", f"grafana-{uuid4().hex[:8]}:/tokens/grafana"]
    mounts = [flag for volume in volumes for flag in ("-v", volume)]
    server = influx2_session
    settings = {"INFLUXDB_URL": server.url, "INFLUXDB_ORG": server.org, "INFLUXDB_ADMIN_TOKEN": server.admin_token}
    given = [flag for name, value in settings.items() for flag in ("-e", f"{name}={value}")]
    service = yaml.safe_load((ROOT / "deploy" / "compose" / "compose.yaml").read_text())["services"]["setup"]
    try:
        for _ in ("first", "again"):
            done = _run(image, *service["command"], flags=[*mounts, *given, "--network", "host"])
            assert done.returncode == 0, done.stderr
        write = _token(image, "/tokens/recorder/influxdb_token", mounts)
        read = _token(image, "/tokens/grafana/influxdb_token", [*mounts, "--user", "472:0", "--group-add", "65532"])
        line = "envoy_totals,gateway=1 production_power_w=5 1700000000"
        assert [_write(server, token, line) for token in (write, read)] == [204, 403]
        assert [row.fields for row in server.rows_as(read, server.org, "envoy", "envoy_totals")] == [
            {"production_power_w": 5.0}
        ]
    finally:
        names = [volume.split(":")[0] for volume in volumes]
        subprocess.run(["podman", "volume", "rm", "--force", *names], capture_output=True)


def test_missing_settings_end_it_with_78_and_a_hint(image: str) -> None:
    done = _run(image)
    assert done.returncode == 78, done.stderr
    assert "ENPHASE_GATEWAY" in done.stderr
    assert "Try: " in done.stderr


def test_the_health_check_is_in_the_image_and_fails_while_nothing_runs(image: str) -> None:
    shown = subprocess.run(["podman", "image", "inspect", image], capture_output=True, text=True, check=True)
    (described,) = json.loads(shown.stdout)
    config = described["Config"]
    assert (described.get("HealthCheck") or described["Healthcheck"])["Test"] == ["CMD", "envoy-logger", "health"]
    assert config["User"] == "65532:65532"
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert list(config["Volumes"]) == ["/var/lib/envoy-logger"]
    assert _run(image, "health").returncode != 0


def _runc(folder: Path) -> Path:
    """A configuration that works where crun or raised limits do not."""
    path = folder / "containers.conf"
    path.write_text(
        '[engine]\nruntime = "runc"\n[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
    )
    return path


def _import(name: str) -> None:
    if Path(BASE).is_dir():
        with subprocess.Popen(["tar", "-C", BASE, "-cf", "-", "."], stdout=subprocess.PIPE) as packed:
            subprocess.run(["podman", "import", "-", name], stdin=packed.stdout, check=True, capture_output=True)
        assert packed.returncode == 0
    else:
        subprocess.run(["podman", "import", BASE, name], check=True, capture_output=True)


def _build(folder: Path, base: str, name: str) -> None:
    """As the Dockerfile says, with this machine's certificates lent for the time of the build."""
    pip = folder / "pip.conf"
    pip.write_text(f"[global]\ncert = {SYSTEM_CERTIFICATES}\n")
    done = subprocess.run(
        [
            "buildah",
            "bud",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--format",
            "docker",
            "--build-arg",
            f"BASE={base}",
            "--secret",
            f"id=pip.conf,src={pip}",
            "-v",
            f"{SYSTEM_CERTIFICATES}:{SYSTEM_CERTIFICATES}:ro",
            "-f",
            str(ROOT / "deploy" / "container" / "Dockerfile"),
            "-t",
            name,
            str(ROOT),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def _run(
    image: str, *arguments: str, flags: Sequence[str] = ("--network", "none")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["podman", "run", "--rm", *CLOSED, *flags, image, *arguments], capture_output=True, text=True
    )


def _token(image: str, path: str, flags: Sequence[str]) -> str:
    """The text of a token's file, read as the container's user."""
    found = _python(image, f"import json; print(json.dumps({{'text': open({path!r}).read().strip()}}))", *flags)
    return str(found["text"])


def _write(server: Influx2, token: str, line: str) -> int:
    """The status of writing one line with that token."""
    return httpx.post(
        f"{server.url}/api/v2/write",
        content=line.encode(),
        params={"org": server.org, "bucket": "envoy", "precision": "s"},
        headers={"authorization": f"Token {token}"},
        trust_env=False,
    ).status_code


def _python(image: str, source: str, *flags: str) -> dict[str, object]:
    """What a short program run in the image with its Python prints as JSON."""
    lines = source.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    done = subprocess.run(
        [
            "podman",
            "run",
            "--rm",
            *CLOSED,
            *flags,
            "--network=none",
            "--entrypoint",
            "/opt/envoy-logger/bin/python",
            image,
            "-c",
            "\n".join(line[indent:] for line in lines),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
