"""A batch that is read while the one before it is sent, and what is delivered in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from logger.daemon.read_ahead import ReadAhead
from logger.store.store import Store
from tests.daemon.parts import InlineStore
from tests.store.samples import START, HandClock, commit


@pytest.mark.parametrize("is_sent_meanwhile", [False, True])
def test_the_batch_is_not_sent_if_one_of_its_rows_was_sent_meanwhile(tmp_path: Path, is_sent_meanwhile: bool) -> None:
    async def scenario() -> None:
        with InlineStore(tmp_path, HandClock()) as store:
            for number in range(3):
                await store.call(Store.put, commit(START + 60 * number))
            first = await store.call(Store.lease, "totals", newest=False, max_lines=1)
            newest = await store.call(Store.lease, "totals", newest=True)
            assert first is not None
            assert newest is not None
            ahead = ReadAhead(store)
            ahead.begin("totals", first, 100)
            if is_sent_meanwhile:
                ahead.note_sent("totals", newest)
            found = await ahead.take("totals")
            assert (None if found is None else found.ids) == (None if is_sent_meanwhile else (2, 3))
            assert await ahead.take("totals") is None

    asyncio.run(scenario())
