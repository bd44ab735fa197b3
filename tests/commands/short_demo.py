"""The command `demo` with half an hour of invented past instead of two days: `short_demo demo [OPTION…]`."""

from __future__ import annotations

from pathlib import Path

from logger import __main__
from logger.clock import Clock
from logger.commands import demo
from logger.commands.ui.invent_history import invent_history
from logger.simulator.site_model import SiteModel
from logger.site import Site

PAST_S = 1800


def invent_less(folder: Path, model: SiteModel, site: Site, clock: Clock, since: int, until: int) -> None:
    invent_history(folder, model, site, clock, max(since, until - PAST_S), until)


if __name__ == "__main__":
    vars(demo)["invent_history"] = invent_less
    __main__.main()
