"""The layout file under a running recorder: a change is in the next points, a broken file changes nothing."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from logger.daemon.collector import Collector
from tests.daemon.parts import START, ScriptedGateway
from tests.daemon.test_collector import SITE, field, record, times
from tests.virtual import VirtualClock

ONE = "482200000001"


def write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def test_a_change_is_in_the_next_points_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "roof.csv"
    write(path, f"serial,panel\n{ONE},A\n122999999999,Z\n")
    troubles: list[dict[str, str]] = []

    def edit(collector: Collector, _gateway: ScriptedGateway, clock: VirtualClock) -> object:
        async def hands() -> None:
            await asyncio.sleep(430)
            troubles.append(collector.changes.troubles)
            write(path, f"serial,panel\n{ONE},B\n")
            await asyncio.sleep(300)
            troubles.append(collector.changes.troubles)
            write(path, f"serial,panel,time\n{ONE},C,x\n")
            await asyncio.sleep(300)
            troubles.append(collector.changes.troubles)

        return asyncio.ensure_future(hands())

    store, _, _ = record(tmp_path, 18, of_site=replace(SITE, layout_file=str(path)), meanwhile=edit)
    status = [line for line in store.lines("envoy_inverter_status") if f"serial={ONE}" in line]
    assert times(status) == [START, START + 300, START + 600, START + 900]
    assert [field(line, "panel") for line in status] == ["A", "A", "B", "B"]
    measured = {field(line, "panel") for line in store.lines("envoy_inverter") if f"serial={ONE}" in line}
    assert measured == {"A", "B"}
    others = [line for line in store.lines() if "panel=" in line and ONE not in line]
    assert others == []
    assert "122999999999" in troubles[0]["layout unknown"]
    assert "layout unknown" not in troubles[1]
    assert "layout missing" in troubles[1]
    assert "'time'" in troubles[2]["layout file"]
