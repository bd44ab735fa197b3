"""Take pictures of the boards of a Grafana that runs, such as `tests.grafana.serve`.

Without names it takes every board that Grafana has. `docs/pictures` gets PNG files of at most 250 KB. A board that is
higher than the wall has a second picture of what is below its first screen, in the dark theme.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.databases.server import http
from tests.grafana.reader import MOST_BYTES, SIZES, THEMES, Opened, View, browse, open_board, take_picture
from tests.grafana.sites import HOME, SHOWN

_SCALES: Final = {"wall": (0.85, 0.8, 0.75, 0.7), "laptop": (1.0, 0.9, 0.8), "phone": (1.0,)}
"""Pixels of a picture for each pixel of the page: the next one if a file would have more than 250 KB."""
_KINDS: Final = (HOME, *SHOWN)


def main() -> None:
    """Open each board at each size and theme that is asked for, and write what is seen."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("boards", nargs="*", help="uids; all without")
    ask.add_argument("--url", default="http://127.0.0.1:3900")
    ask.add_argument("--kind", choices=[kind.name for kind in _KINDS], default=HOME.name)
    ask.add_argument("--size", choices=SIZES, action="append", help="wall and phone without")
    ask.add_argument("--theme", choices=THEMES, action="append", help="both without")
    ask.add_argument("--zone", help="the browser's time zone; the site's own without")
    ask.add_argument("--whole", action="store_true", help="the whole board instead of its first screen")
    ask.add_argument("--variable", action="append", default=[], help="NAME=VALUE of Grafana (from) or board (var-…)")
    ask.add_argument("--to", type=Path, default=Path(__file__).parents[2] / "docs" / "pictures")
    asked = ask.parse_args()
    kind = next(kind for kind in _KINDS if kind.name == asked.kind)
    boards = asked.boards or [found["uid"] for found in http("GET", f"{asked.url}/api/search?type=dash-db").json()]
    chosen = {"var-gateway": kind.gateway, **dict(each.split("=", 1) for each in asked.variable)}
    zone = asked.zone or kind.zone
    weak = next((panel for panel in kind.panels if panel.weak_from), kind.panels[0])
    asked.to.mkdir(parents=True, exist_ok=True)
    with browse() as browser:
        for board in boards:
            options = {"var-inverter": weak.serial, **chosen} if board == "envoy-panel" else chosen
            for size in asked.size or ("wall", "phone"):
                for theme in asked.theme or THEMES:
                    for scale in _SCALES[size]:
                        with open_board(browser, asked.url, board, View(size, theme, scale), zone, **options) as seen:
                            pictures = list(_take(seen, asked.to, board, View(size, theme), asked.whole))
                        if max(path.stat().st_size for path in pictures) <= MOST_BYTES:
                            break
                    _tell(pictures, seen)


def _take(seen: Opened, folder: Path, board: str, view: View, whole: bool) -> Iterator[Path]:
    """Take the picture of a board, and of a wall in the dark also what is below its first screen."""
    width, height = SIZES[view.size]
    path = folder / f"{board}-{view.size}-{view.theme}.png"
    take_picture(seen, path, None if whole else (width, height))
    yield path
    below = max((panel.box[1] + panel.box[3] for panel in seen.panels), default=0.0)
    is_long = any(panel.drawn and panel.box[1] >= height for panel in seen.panels)
    if (view.size, view.theme) == ("wall", "dark") and is_long and not whole:
        path = folder / f"{board}-below-{view.theme}.png"
        take_picture(seen, path, (width, min(int(below) + 16 - height, 1500)), top=height)
        yield path


def _tell(pictures: list[Path], seen: Opened) -> None:
    """Print what was written, and what is wrong with it."""
    for path in pictures:
        print(f"{path} ({path.stat().st_size / 1000:.0f} KB)")
    for each in seen.complaints:
        print(f"    {each}")
    for panel in seen.panels:
        if panel.error or not (panel.text or panel.drawn):
            print(f"    panel {panel.id} {panel.title!r}: {'error' if panel.error else 'empty'}")


if __name__ == "__main__":
    main()
