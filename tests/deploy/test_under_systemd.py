"""Settings and secrets as a real systemd hands them to a service: its user manager, started in a mount namespace.

Needs root, for the namespace; nothing outside it is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from logger.commands.init.draft import Destination, Draft, choose_destination
from logger.settings.load import Settings, load_settings
from tests.deploy.test_envfile import ODD
from tests.sizes import LONG

ROOT = Path(__file__).parents[2]
MANAGER = Path("/lib/systemd/systemd")
SITE = 'Our house (o\'brien & sons) 100 %, no#1st="best"'

SCRIPT = """\
set -eu
mount --make-rshared /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/manager
chmod 700 /run/manager
export XDG_RUNTIME_DIR=/run/manager HOME="$1"
/lib/systemd/systemd --user --log-target=console > "$1/manager.log" 2>&1 &
manager=$!
trap 'kill $manager; wait $manager || true' EXIT
for try in $(seq 300); do
    systemctl --user show-environment > /dev/null 2>&1 && break
    sleep 0.1
done
serve() {
    folder=$1
    etc=$folder/etc/envoy-logger
    shift
    systemd-run --user --quiet --wait --pipe -p WorkingDirectory="$(dirname "$folder")" \\
        -p EnvironmentFile="$etc/envoy-logger.env" -p LoadCredential=envoy_logger:"$etc/credentials" "$@"
}
for folder in "$1"/layout-*; do
    serve "$folder" sh -c 'cp -rp "$CREDENTIALS_DIRECTORY" "$0/given" && env -0 > "$0/environ"' "$folder"
done
for folder in "$1"/$4; do
    serve "$folder" -p Environment=PYTHONPATH="$2" "$3" "$1/service.py"
done
"""
SERVED = 1 if LONG else 10
"""The program is started with each password, or with every tenth; what a service is handed is read with each."""
SERVICE = """\
import json
from logger.settings.load import load_settings
found = load_settings()
print(json.dumps([found.enphase.username, found.recorder.site, found.secrets, list(found.warnings)]))
"""


def layout(folder: Path, password: str) -> Destination:
    """What `init --systemd` writes, below `folder`."""
    place = choose_destination(None, folder, systemd=True)
    draft = Draft(place, load_settings(None, environ={"ENPHASE_GATEWAY": "x"}))
    draft.put("ENPHASE_GATEWAY", "192.168.1.50")
    draft.put("ENPHASE_USERNAME", "o'brien@example.org")
    draft.put("LOGGER_SITE", SITE)
    draft.put_secret("ENPHASE_PASSWORD", password)
    draft.put("INFLUXDB_USERNAME", "recorder")
    draft.put_secret("INFLUXDB_PASSWORD", password)
    draft.write()
    return place


def read_given(folder: Path) -> Settings:
    """What the program reads of the environment and the credentials that a service was handed."""
    told = (folder / "environ").read_text(encoding="utf-8").rstrip("\0").split("\0")
    environ = dict(line.split("=", 1) for line in told) | {"CREDENTIALS_DIRECTORY": str(folder / "given")}
    return load_settings(folder / "no.env", environ=environ)


@pytest.mark.long
def test_every_odd_password_reaches_a_service_of_a_real_systemd_unharmed(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not MANAGER.exists() or shutil.which("unshare") is None:
        pytest.skip("needs: root, systemd and unshare")
    for number, password in enumerate(ODD):
        layout(tmp_path / f"layout-{number:02}", password)
    (tmp_path / "service.py").write_text(SERVICE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENVOY_LOGGER_")}
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private",
         "bash", "-c", SCRIPT, "bash", tmp_path, ROOT, sys.executable, "layout-*" if LONG else "layout-?0"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + (tmp_path / "manager.log").read_text()
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told == [
        ["o'brien@example.org", SITE, {"ENPHASE_PASSWORD": password, "INFLUXDB_PASSWORD": password}, []]
        for password in ODD[::SERVED]
    ]
    for number, password in enumerate(ODD):
        found = read_given(tmp_path / f"layout-{number:02}")
        assert (found.enphase.username, found.recorder.site, found.warnings) == ("o'brien@example.org", SITE, ())
        assert found.secrets == {"ENPHASE_PASSWORD": password, "INFLUXDB_PASSWORD": password}
