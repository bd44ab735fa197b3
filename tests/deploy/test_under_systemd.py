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
from logger.settings.load import load_settings
from tests.deploy.test_envfile import ODD

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
for folder in "$1"/layout-*; do
    etc=$folder/etc/envoy-logger
    systemd-run --user --quiet --wait --pipe -p WorkingDirectory="$1" \\
        -p EnvironmentFile="$etc/envoy-logger.env" -p LoadCredential=envoy_logger:"$etc/credentials" \\
        -p Environment=PYTHONPATH="$2" "$3" "$1/service.py"
done
"""
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
         "bash", "-c", SCRIPT, "bash", tmp_path, ROOT, sys.executable],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + (tmp_path / "manager.log").read_text()
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told == [
        ["o'brien@example.org", SITE, {"ENPHASE_PASSWORD": password, "INFLUXDB_PASSWORD": password}, []]
        for password in ODD
    ]
