"""Runs every check of `doctor`. Each check uses the results of the checks before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from logger.clock import Clock
from logger.daemon import status_file
from logger.daemon.config import access_of, site_of
from logger.daemon.layout_file import layout_problems
from logger.daemon.tariff_files import tariff_problems
from logger.doctor.check_result import Report, bad, good, note, skip
from logger.doctor.gateway_checks import check_gateway
from logger.doctor.influxdb_checks import check_influxdb
from logger.doctor.machine_checks import check_clocks, check_daemon, check_disk, check_state_folder
from logger.doctor.mqtt_checks import check_mqtt
from logger.doctor.site_checks import check_site
from logger.errors import Problem
from logger.model import GatewayInfo
from logger.settings.load import Settings


async def run_checks(
    settings: Settings,
    chosen: Sequence[Settings],
    problems: tuple[Problem, ...],
    clock: Clock,
    report: Report,
    *,
    sign_in: bool,
) -> None:
    """Run every check and report each result immediately. A recorder may be running.

    Only a sign-in changes files of the recorder: it stores the token and the cool-down.

    `chosen`: the gateways to check. `problems`: the problems of the settings. `sign_in`: allow a sign-in at Enphase.
    """
    if closed := [problem for problem in problems if problem.setting == str(settings.env_file)]:
        _report_closed(closed, settings, clock, report)
        return
    if len(chosen) == 1:
        gateway = await _check_one(chosen[0], clock, report, sign_in=sign_in)
        influxdb = await check_influxdb(settings, clock, report)
        await _check_mqtt(settings, problems, report)
        check_clocks(clock.time(), gateway, influxdb, report)
    else:
        influxdb = await check_influxdb(settings, clock, report)
        await _check_mqtt(settings, problems, report)
        met: dict[str, str] = {}
        for each in chosen:
            report_one = _report_of(each.enphase.gateway, report)
            gateway = await _check_one(each, clock, report_one, sign_in=sign_in)
            check_clocks(clock.time(), gateway, influxdb, report_one)
            if gateway is None:
                continue
            first = met.setdefault(gateway.serial, each.enphase.gateway)
            if first != each.enphase.gateway:
                cure = f"remove one of the two entries from {settings.enphase.gateways_file}."
                report_one(note("gateway", f"{gateway.serial} answers at {first}, too; it is polled only once", cure))
    check_disk(settings.state_dir, settings.recorder.store_max_mb, report)
    check_state_folder(settings.state_dir, report)
    check_daemon(status_file.read(settings.runtime_dir), clock.time(), settings.start_command, report)
    check_settings(settings, problems, report)


def _report_closed(closed: Sequence[Problem], settings: Settings, clock: Clock, report: Report) -> None:
    """Report a settings file that cannot be read. Then check only a recorder that is running already."""
    for problem in closed:
        report(bad("settings", f"{problem.setting} ({problem.origin}) {problem.message}", problem.fix))
    for name in ("gateway", "influxdb", "state folder"):
        report(skip(name, "not checked, because the settings cannot be read"))
    if found := status_file.read(settings.runtime_dir):
        check_daemon(found, clock.time(), settings.start_command, report)


async def _check_mqtt(settings: Settings, problems: tuple[Problem, ...], report: Report) -> None:
    if not any(problem.setting == "MQTT_URL" for problem in problems):
        await check_mqtt(settings.mqtt, report)


async def _check_one(settings: Settings, clock: Clock, report: Report, *, sign_in: bool) -> GatewayInfo | None:
    """Check one gateway and its site. Return the facts of `/info`; None if no gateway answered."""
    gateway, found = await check_gateway(access_of(settings), clock, report, sign_in=sign_in)
    if found is not None:
        check_site(found, site_of(settings), report)
    return gateway


def _report_of(gateway: str, report: Report) -> Report:
    """Return a function that reports results with the name of one of several gateways."""
    return lambda result: report(replace(result, gateway=gateway))


def check_settings(settings: Settings, problems: tuple[Problem, ...], report: Report) -> None:
    """Report each problem and each warning of the settings and of the files for layout and tariff.

    If there is no problem, report how many settings are set, and by which sources.
    """
    name = "settings"
    found = [*problems, *layout_problems(settings), *tariff_problems(settings)]
    for problem in found:
        report(bad(name, f"{problem.setting} ({problem.origin}) {problem.message}", problem.fix))
    for warning in settings.warnings:
        text, _, cure = warning.partition(" Try: ")
        report(
            note(
                name,
                text,
                cure
                or "correct or remove the setting; `envoy-logger check --show` lists the settings that are read.",
            )
        )
    if not found:
        places = sorted({origin.partition(",")[0] for origin in settings.origins.values()})
        report(good(name, f"{len(settings.origins)} set" + (f", by {', '.join(places)}" if places else "")))
