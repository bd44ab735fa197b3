"""Tariff files made at random: any periods, bands, holidays and tiers that are valid."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

PRICES = st.integers(-50, 9000).map(lambda tenths: tenths / 10_000)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")


@st.composite
def tariff_texts(draw: st.DrawFn) -> str:
    """A file of one to four periods from 2023 on, without an end."""
    text, first = 'currency = "EUR"\n', date(2023, 1, 1)
    for left in reversed(range(draw(st.integers(1, 4)))):
        text += f"\n[[period]]\nfrom = {first}\n"
        first += timedelta(days=draw(st.integers(1, 500)))
        if left:
            text += f"until = {first}\n"
        text += f"buy = {draw(PRICES)}\nsell = {draw(PRICES)}\nstanding_charge = {draw(PRICES)}\n"
        holidays = draw(st.lists(st.dates(date(2023, 1, 1), date(2026, 12, 31)), max_size=5, unique=True))
        text += f"holidays = [{', '.join(map(str, holidays))}]\n"
        text += draw(_bands()) + draw(_tiers())
    return text


@st.composite
def _bands(draw: st.DrawFn) -> str:
    """Bands that share the hours of some kinds of day, and one for the rest."""
    edges = sorted(draw(st.sets(st.integers(0, 24 * 12), max_size=6)))
    split = draw(st.integers(0, len(DAYS)))
    groups = [days for days in (DAYS[:split], DAYS[split:]) if days]
    text = ""
    for place, days in enumerate(groups):
        for number, (begin, end) in enumerate(zip(edges, edges[1:], strict=False)):
            span = "-".join(f"{at // 12:02}:{at % 12 * 5:02}" for at in (begin, end))
            names = ", ".join(f'"{day}"' for day in days)
            text += f'[[period.band]]\nname = "b{place}{number}"\ndays = [{names}]\nhours = ["{span}"]\n'
            text += f"buy = {draw(PRICES)}\n"
    return f'{text}[[period.band]]\nname = "rest"\n' if text else ""


@st.composite
def _tiers(draw: st.DrawFn) -> str:
    limits = sorted(draw(st.sets(st.integers(0, 900), max_size=3)))
    return "".join(f"[[period.tier]]\nabove_kwh = {limit}\nadd = {draw(PRICES)}\n" for limit in limits)
