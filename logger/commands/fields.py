"""`fields`: list the recorded fields; trace one value from the gateway to the database."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import click

from logger.commands.ui.chosen import choose_gateway, gateway_option
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.options import list_similar
from logger.commands.ui.start import begin_polling, poll
from logger.daemon import one_poll
from logger.daemon.config import site_of
from logger.gateway.endpoints import ENDPOINTS
from logger.influx.line_protocol import encode
from logger.model import Reading, round_value
from logger.readings import field_texts
from logger.readings.explain import MEANINGS, Candidate, Explained, explain
from logger.readings.table import MEASUREMENTS
from logger.settings.load import Settings


@click.command("fields", short_help="List every field, or explain the source of one field.")
@env_file_option
@json_option
@click.option("--explain", "explained", is_flag=True, help="Poll once, and show the way of one value.")
@gateway_option
@click.option(
    "--serial", "device", default="", help="With --explain: serial of the device; the first device by default."
)
@click.argument("name", default="")
def command(env_file: Path, as_json: bool, explained: bool, serial: str, device: str, name: str) -> int:
    """List every field that is written. With NAME, list only this measurement or field, with its sources.

    If nothing has this name, list the fields whose names contain it.

    With --explain, poll the gateway, and show endpoint, document, rows, key, raw value, reading, line and bucket of
    one value.
    """
    every = [(m, f) for m in MEASUREMENTS for f in m.fields]
    found = field_texts.find(name) if name else every
    if not found:
        raise click.BadParameter(f"there is no field {name}{list_similar(name, field_texts.names())}")
    if explained:
        if len(found) != 1:
            several = ", ".join(f"{m.name}.{f.name}" for m, f in found[:3])
            raise click.BadParameter(f"--explain needs the name of one field, such as {several}")
        measurement, field = found[0]
        chosen = choose_gateway(begin_polling(env_file), serial)
        return _explain(chosen, f"{measurement.name}.{field.name}", device)
    if as_json:
        click.echo(json.dumps(field_texts.as_json(found), indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(field_texts.lines(found, sources=bool(name))))
    return 0


def _explain(configured: Settings, name: str, serial: str) -> int:
    found = asyncio.run(poll(configured))
    ((measurement, field),) = field_texts.find(name)
    series = explain(found.snapshot(), one_poll.read(found, site_of(configured)).readings, measurement, field)
    chosen = [one for one in series if not serial or one.tags.get("serial") == serial]
    if not chosen:
        raise click.BadParameter(f"this poll gave no {measurement.name} for a device with the serial {serial}")
    click.echo("\n".join(_describe_way(chosen[0], found, configured.influxdb.buckets[measurement.role])))
    if len(chosen) > 1:
        click.echo(f"\n{len(chosen) - 1} more series: choose a device with --serial.")
    return 75 if found.failures else 0


def _describe_way(one: Explained, found: one_poll.Poll, bucket: str) -> list[str]:
    """Describe the way of one value from the gateway to the bucket, in lines of text."""
    m, f = one.measurement, one.field
    unit = field_texts.unit_of(f)
    tags = ", ".join(f"{name}={value}" for name, value in one.tags.items())
    text = [f"{m.name}.{f.name}  {f.help}  ({f.kind}{', ' + unit if unit else ''})", f"series     {tags or 'none'}"]
    if (used := one.source) is not None:
        text += _describe_source(used, found)
    elif f.made_of:
        text.append(f"from       {f.made_of}")
    text += _describe_writing(one, bucket)
    if one.candidates:
        text += ["", "sources in order:", *_describe_candidates(one.candidates)]
    for counter, candidates in one.counters:
        text += ["", f"counter {counter.name}, sources in order:", *_describe_candidates(candidates)]
    return text


def _describe_source(used: Candidate, found: one_poll.Poll) -> list[str]:
    endpoint = next((e for e in ENDPOINTS if e.path == used.path), None)
    document = found.documents.get(used.path)
    asked = ""
    if endpoint is not None:
        every = f"every {endpoint.every} s" if isinstance(endpoint.every, int) else f"at the {endpoint.every} tick"
        asked = f"  {endpoint.lane} lane, {every}: {endpoint.purpose}"
    came = "" if document is None else f"{_format_time(int(document.received_at))}, after {document.took_s:.2f} s"
    return [
        f"endpoint   {used.path}{asked}",
        f"document   {came}",
        f"rowset     {used.key.rowset.name}: {used.key.rowset.where}",
        f"key        {used.key.name}",
        f"raw value  {used.raw}",
    ]


def _describe_writing(one: Explained, bucket: str) -> list[str]:
    point, name = one.reading, one.field.name
    if point is None or name not in point.fields:
        return ["reading    none: the value is left out"]
    value = round_value(name, point.fields[name])
    line = encode([Reading(point.measurement, point.tags, {name: value}, point.time, point.role)]).decode().rstrip()
    return [
        f"reading    {name} = {value!r} at {_format_time(point.time)}",
        f"line       {line}",
        f"bucket     {bucket} (role {point.role})",
    ]


def _describe_candidates(candidates: tuple[Candidate, ...]) -> list[str]:
    text = []
    for number, c in enumerate(candidates, 1):
        value = "" if c.value is None else f" = {c.value!r}"
        text.append(f"  {number}. {c.state:<10}  {c.key.rowset.name}, {c.key.name}{value}")
        text.append(f"     {'':<10}  {MEANINGS[c.state]}  [{c.key.rowset.where}]")
    return text


def _format_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
