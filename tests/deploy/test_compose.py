"""The compose file keeps its rules: no secret inside, nobody privileged, every image pinned, every setting known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from logger.commands.demo import command as demo_command
from logger.settings.definitions import DESCRIPTIONS, KNOWN_NAMES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("setup", "recorder", "demo")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|_KEY")


def test_the_services_are_there_and_only_the_demo_waits_to_be_asked_for() -> None:
    assert set(SERVICES) == {"influxdb", "setup", "recorder", "demo", "grafana"}
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "demo": ["demo"]
    }


def test_the_demo_reaches_no_gateway_and_no_setting() -> None:
    demo = SERVICES["demo"]
    assert not {"env_file", "environment"} & set(demo)
    assert demo["volumes"] == SERVICES["recorder"]["volumes"][1:2]
    options = {option.partition("=")[0] for option in demo["command"][1:]}
    known = {option for parameter in demo_command.params for option in parameter.opts}
    assert demo["command"][0] == "demo"
    assert options <= known


@pytest.mark.parametrize("name", OURS)
def test_the_recorders_image_runs_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["user"] == "65532:65532"
    assert service["cap_drop"] == ["ALL"]
    assert all(port.endswith(":9817:9817") for port in service.get("ports", []))
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nobody_gains_privileges_or_sees_the_host(name: str) -> None:
    service = SERVICES[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


def test_ports_are_bound_to_this_machine_unless_asked_otherwise() -> None:
    assert SERVICES["influxdb"]["ports"] == ["127.0.0.1:8086:8086"]
    assert SERVICES["recorder"]["ports"] == ["${PAGE_BIND:-127.0.0.1}:9817:9817"]
    assert SERVICES["demo"]["ports"] == ["127.0.0.1:9817:9817"]
    assert "ports" not in SERVICES["setup"]
    assert SERVICES["grafana"]["ports"] == ["${GRAFANA_BIND:-127.0.0.1}:3000:3000"]


def test_images_from_elsewhere_are_pinned_to_a_release() -> None:
    for name, service in SERVICES.items():
        if "build" in service:
            assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        else:
            assert re.fullmatch(r"docker\.io/[\w/-]+:\d+\.\d+\.\d+", service["image"]), name


@pytest.mark.parametrize("name", ["influxdb", "recorder", "grafana"])
def test_everything_that_stays_up_has_a_health_check_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_setup_runs_once_and_the_others_wait_for_it() -> None:
    assert SERVICES["setup"]["restart"] == "no"
    for name in ("recorder", "demo", "grafana"):
        assert SERVICES[name]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}


def test_setup_waits_for_influxdb_by_itself() -> None:
    """Podman starts nothing that depends on an ended container which depends on another one."""
    assert "depends_on" not in SERVICES["setup"]
    assert any(option.startswith("--wait=") for option in SERVICES["setup"]["command"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_written_into_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert variable.endswith("_FILE"), variable
            assert str(value).startswith(("/run/secrets/", "/tokens/")), variable


def test_every_secret_is_a_file_that_git_never_sees() -> None:
    ignored = (FOLDER / ".gitignore").read_text().split()
    assert "secrets/" in ignored
    assert ".env" in ignored
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


def test_only_influxdb_and_setup_see_the_operators_token() -> None:
    seen = {name for name, service in SERVICES.items() if "influxdb_admin_token" in service.get("secrets", [])}
    assert seen == {"influxdb", "setup"}
    assert not any(str(volume).startswith("./secrets:") for volume in SERVICES["recorder"]["volumes"])


def test_grafana_sees_no_token_that_may_write() -> None:
    tokens = {
        name: [volume for volume in service["volumes"] if "-token:" in volume] for name, service in SERVICES.items()
    }
    assert tokens["recorder"] == ["recorder-token:/tokens/recorder:ro", "grafana-token:/tokens/grafana:ro"]
    assert tokens["demo"] == ["recorder-token:/tokens/recorder:ro"]
    assert tokens["grafana"] == ["grafana-token:/tokens/grafana:ro"]
    assert tokens["influxdb"] == []
    assert SERVICES["grafana"]["group_add"] == [SERVICES["setup"]["user"].split(":")[1]]
    assert "--read-token-mode=0640" in SERVICES["setup"]["command"]


def test_setup_writes_the_tokens_where_they_are_read() -> None:
    flags = dict(flag.split("=") for flag in SERVICES["setup"]["command"][1:])
    from logger.commands.setup import command

    known = {option for parameter in command.params for option in parameter.opts}
    assert set(flags) <= known
    assert SERVICES["setup"]["command"][0] == "setup"
    assert flags["--write-token-file"] == SERVICES["recorder"]["environment"]["INFLUXDB_TOKEN_FILE"]
    assert flags["--read-token-file"] == SERVICES["recorder"]["environment"]["INFLUXDB_READ_TOKEN_FILE"]
    source = yaml.safe_load((ROOT / "grafana/provisioning/flux/datasources/envoy.yaml").read_text())["datasources"][0]
    assert source["secureJsonData"]["token"] == f"$__file{{{flags['--read-token-file']}}}"


def test_grafana_gets_every_variable_that_the_data_source_names() -> None:
    text = (ROOT / "grafana/provisioning/flux/datasources/envoy.yaml").read_text()
    assert set(re.findall(r"\$__env\{(\w+)\}", text)) <= set(SERVICES["grafana"]["environment"])


def test_every_setting_of_the_recorder_is_known() -> None:
    for name in OURS:
        assert set(SERVICES[name].get("environment", {})) <= KNOWN_NAMES
    example = (FOLDER / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    assert "ENPHASE_GATEWAY" in named
    assert named - {"GRAFANA_BIND", "BOARDS_LANGUAGE", "TZ"} <= KNOWN_NAMES
    assert not named & {item.variable for item in DESCRIPTIONS if item.secret}


def test_what_is_mounted_from_the_project_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.replace("${BOARDS_LANGUAGE:-en}", "en").split(":")[0]
            if source.startswith(".."):
                assert (FOLDER / source).is_dir(), source
                assert volume.endswith(":ro"), volume
            elif not source.startswith("./secrets"):
                assert source in COMPOSE["volumes"], source
