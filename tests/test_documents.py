"""What the documents name exists: files, links, anchors of this repository, and every quirk that the code cites."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logger.readings.table import MEASUREMENTS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*/README.md")]
)
BUCKETS = [("totals", "envoy"), ("devices", "envoy_devices"), ("daily", "envoy_daily")]
QUIRK = re.compile(r"\bQ-[A-Z]\d+\b")


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(document: Path) -> set[str]:
    """The anchors of a page: its headings as they are linked, and those that are named."""
    text = document.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*plain, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=place)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path) if path else document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=place)
def test_every_module_that_is_named_exists(document: Path) -> None:
    for name in re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)\b", document.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file() or (ROOT / "logger" / name).is_file(), name


def test_every_quirk_that_is_cited_is_described() -> None:
    known = set(QUIRK.findall((ROOT / "docs" / "gateway-quirks.md").read_text(encoding="utf-8")))
    for file in [*(ROOT / "logger").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        unknown = set(QUIRK.findall(file.read_text(encoding="utf-8"))) - known
        assert not unknown, f"{place(file)} cites {sorted(unknown)}"


def test_no_comment_cites_a_document_that_is_not_here() -> None:
    for file in (ROOT / "logger").rglob("*.py"):
        assert not re.search(r"\breference \d", file.read_text(encoding="utf-8")), place(file)


@pytest.mark.parametrize(("role", "bucket"), BUCKETS)
def test_the_readme_names_every_measurement_in_its_bucket(role: str, bucket: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{bucket}` |"))
    named = set(re.findall(r"`(envoy_\w+)`", row.partition("|")[2].partition("|")[2]))
    assert named == {measurement.name for measurement in MEASUREMENTS if measurement.role == role}


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "grafana" / "README.md"], ids=place)
def test_no_sentence_is_broken_over_two_lines(document: Path) -> None:
    """A sentence that begins in one line and ends in the next is hard to search for and to review."""
    text = re.sub(r"^ *```.*?^ *```$", "```", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = text.splitlines()
    for line, following in zip(lines, lines[1:], strict=False):
        if is_prose(line) and is_prose(following) and not re.match(r" *(?:[-*]|\d+\.) ", following):
            assert re.search(r"[.!?:][)*]*$", line.rstrip()), line


def is_prose(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(("|", "#", "```", "<", "!["))
