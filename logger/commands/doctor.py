"""`doctor`: check the gateway, InfluxDB and this machine once, and show each fault with its cure."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from logger import log
from logger.clock import SystemClock
from logger.commands.ui.chosen import choose_gateways, gateway_option
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.output import fold, mark, wrap
from logger.commands.ui.start import inspect
from logger.doctor.check_result import CheckResult, State
from logger.doctor.run_checks import run_checks
from logger.model import Json
from logger.store.folder import prepare

_MARKS: Final[dict[State, tuple[str, str, str]]] = {
    "good": ("✓", "ok", "green"),
    "note": ("!", "!", "yellow"),
    "bad": ("✗", "XX", "red"),
    "left out": ("–", "-", "bright_black"),
}
"""The state of a check → the mark of the state, the mark in plain ASCII, and the colour of the mark."""
_NAME_WIDTH: Final = 16
_INDENT: Final = _NAME_WIDTH + 4
"""The column at which the result of a check begins, behind its mark and its name."""


@click.command("doctor", short_help="Check everything, and name the cure of each fault.")
@env_file_option
@gateway_option
@json_option
@click.option("--sign-in", is_flag=True, help="Sign in at Enphase if no token is stored and the cool-down allows it.")
def command(env_file: Path, serial: str, as_json: bool, sign_in: bool) -> int:
    """Check the gateway, InfluxDB, clocks, disk and settings, step by step; every ✗ names its cure.

    Changes nothing (--sign-in stores a token and the cool-down), so a recorder may be running. ✓ good, ! needs
    attention, ✗ wrong, – not checked. The first ✗ decides the exit code.
    """
    configured, problems = inspect(env_file, require=["ENPHASE_GATEWAY"])
    log.protect(configured.all_secrets)
    log.configure("error")
    if sign_in:
        prepare(configured.state_dir)

    found: list[CheckResult] = []

    def report(result: CheckResult) -> None:
        is_next = result.gateway != (found[-1].gateway if found else "")
        found.append(result)
        if is_next and not as_json:
            click.secho(f"\ngateway {result.gateway}" if result.gateway else "", bold=True)
        if not as_json:
            text = wrap(f"  {log.mask(_format(result))}", _INDENT)
            click.echo(f"{mark(*_MARKS[result.state])} {text[2:]}")

    chosen = choose_gateways(configured, serial)
    asyncio.run(run_checks(configured, chosen, problems, SystemClock(), report, sign_in=sign_in))
    code = next((result.exit_code for result in found if result.state == "bad"), 0)
    if as_json:
        answer: Json = {"exit_code": code, "checks": [_as_json(result) for result in found]}
        click.echo(json.dumps(log.mask_all(answer), indent=1, ensure_ascii=False))
    else:
        click.echo(_summarise(found))
    return code


def _as_json(result: CheckResult) -> Json:
    """Return a result as JSON, without the gateway's name if there is only one gateway."""
    return {name: value for name, value in asdict(result).items() if name != "gateway" or value}


def _format(check: CheckResult) -> str:
    """Write one check's name and result, with the fix on the next line."""
    kind, _, which = ("document", "", check.name) if check.name.startswith("/") else check.name.partition(" ")
    is_one_of_many = kind in ("document", "bucket", "read")
    name = f"{kind if is_one_of_many else check.name:<{_NAME_WIDTH}}"
    path = f"{which}: " if is_one_of_many and which not in check.text else ""
    below = "\n" + " " * _INDENT
    text = fold(f"{path}{check.text}{_format_latency(check.took_s)}", _INDENT).replace("\n", below)
    return f"{name}  {text}{below}Try: {check.cure}" if check.cure else f"{name}  {text}"


def _format_latency(took_s: float | None) -> str:
    if took_s is None:
        return ""
    return f", {took_s * 1000:.0f} ms" if took_s < 1 else f", {took_s:.1f} s"


def _summarise(found: list[CheckResult]) -> str:
    wrong, notes = (sum(result.state == state for result in found) for state in ("bad", "note"))
    if not wrong and not notes:
        return "\nEverything is well."
    counts = ((wrong, "wrong"), (notes, "to watch"))
    return f"\n{', '.join(f'{count} {what}' for count, what in counts if count)}."
