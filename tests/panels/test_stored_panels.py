"""A panel state comes back from the store as it went, also from parts that versions before 0.1.0 left."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from logger.energy.state import Counter, HeldValue
from logger.panels.panel_state import IntervalRun, InverterState, PanelDay, PanelDays, PanelState, UsualRatio, Watch
from logger.panels.stored_panels import dump_panels, load_panels
from tests.states import whole

A, B = "122000000001", "122000000002"
OLD_PARTS = {
    "panels.now": '{"since":1750000200,"interval_s":300,"at":[1750000200,1750000800],"run":[300,6],"inverters":{'
    '"122000000001":[1750000800,200.0,[1000016.5,1750000500,1750000500,[[1750000800,500000.0,0.0]],0,"2025-06-15"],'
    '1750000200,1000000.0],"122000000002":[1750000500,100.0,null,1750000200,null]}}',
    "panels.watch": '{"judged":"2025-06-14","weak":{"122000000002":2},"usual":{"122000000001":[0.97,7]},'
    '"told":{"122000000002":"weak"}}',
    "panels.day.2025-06-15": '{"site":"barn","122000000001":[16.5,0.0,200.0,3,1750000200,1750000800,"roof"],'
    '"122000000002":[8.3333,8.3333,200.0,2,1750000200,1750000500,""]}',
}
"""As commit b310d15 wrote them."""
STATE = PanelState(
    since=1750000200,
    interval_s=300,
    inverters={
        A: InverterState(
            1750000800,
            200.0,
            Counter(
                1000016.5,
                1750000500,
                "",
                rose_at=1750000500,
                held=(HeldValue(1750000800, 500000.0),),
                first_day="2025-06-15",
            ),
            1750000200,
            1000000.0,
        ),
        B: InverterState(1750000500, 100.0, None, 1750000200),
    },
    days={
        "2025-06-15": PanelDays(
            "barn",
            {
                A: PanelDay(16.5, 0.0, 200.0, 3, 1750000200, 1750000800, "roof"),
                B: PanelDay(8.3333, 8.3333, 200.0, 2, 1750000200, 1750000500),
            },
        )
    },
    watch=Watch(
        1750000200, 1750000800, IntervalRun(300, 6), "2025-06-14", {B: 2}, {A: UsualRatio(0.97, 7)}, {B: "weak"}
    ),
)


@given(whole(PanelState).map(lambda state: replace(state, since=state.since or 1)))
def test_every_state_comes_back_as_it_was_stored(state: PanelState) -> None:
    assert load_panels(dump_panels(state)) == state


def test_a_state_without_any_report_stores_nothing() -> None:
    assert dump_panels(PanelState()) == {}
    assert load_panels({}) == PanelState()


def test_the_parts_of_an_earlier_version_are_read_and_stored_in_their_present_form() -> None:
    state = load_panels(OLD_PARTS)
    assert state == STATE
    parts = dump_panels(state)
    assert parts.keys() == {*OLD_PARTS, "panels.inverters", "panels.places"}
    assert all(parts[name] != text for name, text in OLD_PARTS.items())


def test_a_poll_rewrites_what_was_reported_and_the_day_and_nothing_else() -> None:
    known = STATE.inverters[A]
    assert known.counter is not None
    counter = replace(known.counter, accepted_wh=1000033.0, at=1750000800)
    later = replace(known, last_at=1750001100, counter=counter)
    today = PanelDays("barn", {A: PanelDay(33.0, 0.0, 200.0, 4, 1750000200, 1750001100, "roof")})
    after = replace(STATE, inverters={**STATE.inverters, A: later}, days={**STATE.days, "2025-06-16": today})
    before, parts = dump_panels(STATE), dump_panels(after)
    assert {name for name in parts if parts[name] != before.get(name)} == {"panels.now", "panels.day.2025-06-16"}
