"""Read boards as people see them: in Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NEEDS_BROWSER: Final = "needs: Chromium (Debian package chromium) and playwright from PyPI"
SIZES: Final = {"wall": (1920, 1080), "laptop": (1280, 800), "phone": (420, 900)}
THEMES: Final = ("light", "dark")
MOST_BYTES: Final = 250_000
"""The greatest picture of the documents."""

_PANELS: Final = """
() => [...document.querySelectorAll("[data-panelid]")].filter((item) => !item.querySelector(".dashboard-row"))
    .map((item) => ({
    id: Number(item.dataset.panelid),
    title: (item.querySelector("h2, h6, .panel-title") || {innerText: ""}).innerText.trim(),
    text: (item.querySelector(".panel-content") || item).innerText.trim(),
    drawn: item.querySelectorAll("canvas, svg.flot-text, [role=table], table, [role=row]").length,
    error: [...item.querySelectorAll(".panel-info-corner--error, [aria-label='Panel header error'], "
        + "[data-testid='data-testid Panel status error'], .alert-error")].length,
    box: (({x, y, width, height}) => [x, y, width, height])(item.getBoundingClientRect()),
}))
"""
_QUIET: Final = """
() => {
    const busy = document.querySelector(
        ".panel-loading, .loading-placeholder-group, [aria-label='Panel loading bar']")
        || !document.querySelector("[data-panelid], .dashboard-row");
    window.quietFor = busy ? 0 : (window.quietFor || 0) + 1;
    return window.quietFor >= 8;
}
"""
"""Whether nothing was loading at eight looks in a row: a busy machine begins to ask late, and draws late."""
_TOP: Final = """
() => document.querySelectorAll("html, .scrollbar-view").forEach((item) => { item.scrollTop = 0; })
"""
_HEIGHT: Final = """
() => Math.max(...[...document.querySelectorAll(".react-grid-item, [data-panelid]")].map(
    (item) => item.getBoundingClientRect().bottom), 0)
"""


@dataclass(frozen=True)
class View:
    """How a board is looked at. `scale`: pixels of a picture for each pixel of the page."""

    size: str = "wall"
    theme: str = "dark"
    scale: float = 1.0


@dataclass(frozen=True)
class Seen:
    """One panel as the page shows it. `drawn`: pictures and tables in it; `box`: x, y, width, height in pixels."""

    id: int
    title: str
    text: str
    drawn: int
    error: int
    box: tuple[float, float, float, float]


@dataclass
class Opened:
    """A board in the browser: its panels, and what the console and the network complained of."""

    page: Page
    panels: list[Seen]
    complaints: list[str]


def find_chromium() -> str | None:
    """The path of Chromium, `CHROMIUM` first."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


@contextmanager
def browse() -> Iterator[Browser]:
    """Run Chromium without a window."""
    path = find_chromium()
    if path is None:
        pytest.skip(NEEDS_BROWSER)
    sync_api = pytest.importorskip("playwright.sync_api", reason=NEEDS_BROWSER)
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def address(url: str, board: str, view: View, **options: str) -> str:
    """Where a board is seen; `options` are Grafana's own (`from`, `to`) and the board's (`var-gateway`)."""
    chosen = {"theme": view.theme, **{key.replace("var_", "var-"): text for key, text in options.items()}}
    return f"{url}/d/{board}?{urlencode(chosen)}&kiosk"


@contextmanager
def open_board(
    browser: Browser, url: str, board: str, view: View, zone: str = "Europe/Berlin", **options: str
) -> Iterator[Opened]:
    """Open a board in full height, and wait until every panel has its answer."""
    width, height = SIZES[view.size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=view.scale, timezone_id=zone, locale="en"
    )
    try:
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.on("console", lambda said: complaints.append(f"console: {said.text}") if said.type == "error" else None)
        page.goto(address(url, board, view, **options), wait_until="networkidle")
        _settle(page)
        for heading in page.query_selector_all(".dashboard-row--collapsed .dashboard-row__title"):
            heading.click()
        page.evaluate(_TOP)
        shown = 0
        while (wanted := max(height, int(page.evaluate(_HEIGHT)) + 16)) != shown:
            shown = wanted  # panels below the first screen are asked for when they come into sight
            page.set_viewport_size({"width": width, "height": wanted})
            _settle(page)
        yield Opened(page, [_seen(found) for found in page.evaluate(_PANELS)], complaints)
    finally:
        context.close()


def _settle(page: Page) -> None:
    page.evaluate("window.quietFor = 0")
    page.wait_for_load_state("networkidle")
    page.wait_for_function(_QUIET, polling=150, timeout=120_000)
    page.wait_for_load_state("networkidle")


def _seen(found: dict[str, Any]) -> Seen:
    x, y, width, height = found["box"]
    return Seen(found["id"], found["title"], found["text"], found["drawn"], found["error"], (x, y, width, height))


def take_picture(opened: Opened, path: Path, first: tuple[int, int] | None = None, top: int = 0) -> None:
    """Write the page, or so many of its pixels from `top` on, into a PNG file.

    The colours stay true: with a palette, gradients would become bands. A file that is too large gets 128 shades of
    each colour instead of 256, which nobody sees.
    """
    from PIL import Image

    if first:
        opened.page.screenshot(path=path, clip={"x": 0, "y": top, "width": first[0], "height": first[1]})
    else:
        opened.page.screenshot(path=path)
    with Image.open(path) as picture:
        taken = picture.convert("RGB")
    taken.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        taken.point(lambda value: value & 0xFE).save(path, optimize=True)
