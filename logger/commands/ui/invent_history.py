"""Record the past days of the demo's invented site immediately, without a network and without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from logger.answer import Answer
from logger.clock import Clock
from logger.daemon.batches import make_commit
from logger.daemon.gateway_state import GatewayState
from logger.daemon.layout_file import read_layout
from logger.daemon.one_poll import BOTH
from logger.daemon.tariff_files import read_prices
from logger.daemon.tick import run_tick
from logger.days import first_instant, local_day
from logger.errors import EnvoyLoggerError
from logger.gateway.documents import number_skeleton, read_document, read_info
from logger.gateway.endpoints import Endpoint, plan
from logger.model import Document, GatewayInfo, Snapshot
from logger.readings import paths
from logger.readings.layout import list_inverter_serials
from logger.simulator.site_model import SiteModel
from logger.site import Site
from logger.store.store import Store

_FINE_S: Final = 300
"""Seconds between two ticks of the present day, whose curve the demo draws."""
_ROWS: Final = (("A", "south", 4), ("B", "south", 4), ("C", "garage", 4))
"""Rows of the invented roof: their letter, their group, and the number of panels."""
_TARIFF: Final = """\
# Invented prices.
currency = "EUR"

[[period]]
from = 2020-01-01
sell = 0.08
standing_charge = 0.35

[[period.band]]
name = "night"
hours = ["22:00-06:00"]
buy = 0.21

[[period.band]]
name = "day"
buy = 0.31
"""


def write_site_files(folder: Path, model: SiteModel, at: int) -> dict[str, str]:
    """Write a layout file and a tariff file of the invented site. Return the settings that name these files."""
    info = _read_info(model, at)
    snapshot = Snapshot(info, at, dict(_list_documents(model, plan(info), at)))
    serials = sorted(list_inverter_serials(snapshot) or ())
    places = [(f"{row}{column}", group, number, column) for number, (row, group, count) in enumerate(_ROWS, start=1)
              for column in range(1, count + 1)]  # fmt: skip
    lines = [
        f"{serial},{panel},{group},{row},{column}"
        for serial, (panel, group, row, column) in zip(serials, places, strict=False)
    ]
    layout, tariff = folder / "layout.csv", folder / "tariff.toml"
    layout.write_text("\n".join(["serial,panel,group,row,column", *lines, ""]), encoding="utf-8")
    tariff.write_text(_TARIFF, encoding="utf-8")
    return {"LOGGER_LAYOUT_FILE": str(layout), "LOGGER_TARIFF_FILE": str(tariff)}


def invent_history(
    folder: Path,
    model: SiteModel,
    site: Site,
    clock: Clock,
    since: int,
    until: int,
    *,
    coarse_s: int = 900,
) -> None:
    """Record the invented site from `since` to `until`, in unix seconds.

    Past days get a tick each `coarse_s` seconds. The last day gets a tick each 300 s.
    """
    info = _read_info(model, since)
    endpoints = plan(info)
    layout, _ = read_layout(site.layout_file)
    prices, _ = read_prices(site.tariff_file)
    state, stored = GatewayState(), dict[str, str]()
    store = Store.open(folder, max_mb=2048, keep_days=30, clock=clock)
    try:
        today = first_instant(local_day(until, site.zone), site.zone)
        for tick in (*range(since, today, coarse_s), *range(today, until, _FINE_S)):
            step_s = coarse_s if tick < today else _FINE_S
            documents = dict(_list_documents(model, endpoints, tick))
            absent = paths.PATHS - documents.keys()
            answered = dict.fromkeys(paths.PATHS, 3)
            snapshot = Snapshot(info, tick, documents, {}, absent, answered)
            result = run_tick(snapshot, BOTH, state, replace(site, totals_s=step_s, devices_s=step_s), layout, prices)
            commit, stored = make_commit(info.serial, tick, result.readings, result, stored)
            store.put(commit)
            state = result.state
    finally:
        store.close()


def _list_documents(model: SiteModel, endpoints: tuple[Endpoint, ...], at: int) -> Iterator[tuple[str, Document]]:
    """Read every document that the invented gateway has at the time `at`. Yield path and document."""
    for endpoint in endpoints:
        reply = model.answer(endpoint.path, at)
        if endpoint.path in paths.PATHS and reply.status == 200:
            answer = Answer(reply.status, {}, reply.body, 0.0)
            try:
                body = read_document(answer, endpoint.form, endpoint.path)
            except EnvoyLoggerError:
                continue
            yield endpoint.path, Document(endpoint.path, body, float(at), 0.0, number_skeleton(answer))


def _read_info(model: SiteModel, at: int) -> GatewayInfo:
    reply = model.answer("/info", at)
    return read_info(Answer(reply.status, {}, reply.body, 0.0), "the invented gateway", float(at))
