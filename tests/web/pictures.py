"""Take the pictures of the page for the documents: `python -m tests.web.pictures [FOLDER]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.grafana.reader import browse
from tests.web.live_site import LiveSite, SiteKind
from tests.web.test_browser import Visit

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
_YEAR: Final = SiteKind(past_days=365, coarse_s=10_800)
_TAKEN: Final = (("page", "desk", "light"), ("page-dark", "desk", "dark"), ("page-phone", "phone", "light"))


def main(folder: Path) -> None:
    """Take each picture of a site with a year of past."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, browse() as browser, LiveSite(Path(home), _YEAR) as site:
        for _ in range(120):
            site.tick()
        for name, size, theme in _TAKEN:
            visit = Visit(browser, site.url, size, theme, "en")
            visit.page.wait_for_selector("#live-curve canvas")
            visit.page.screenshot(path=folder / f"{name}.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
