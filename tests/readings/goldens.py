"""Expected line protocol of every recording's first poll: `python -m tests.readings.goldens` writes it anew.

The clock is set to the recording's `/info`, both roles are due, the books are empty. A file here was reviewed against
the bodies by hand; after a change look at `git diff tests/readings/golden` before you believe it.
"""

from __future__ import annotations

from pathlib import Path

from logger.influx.line_protocol import encode
from tests.readings.recordings import first_poll, load, names

GOLDEN = Path(__file__).parent / "golden"


def lines_of(name: str) -> str:
    """The line protocol of a first poll, by role, in the order in which it is written."""
    readings = first_poll(load(name)).readings
    parts = []
    for role in ("totals", "devices"):
        lines = encode(reading for reading in readings if reading.role == role).decode()
        parts.append(f"# role {role}\n{lines}")
    return "".join(parts)


def file_of(name: str) -> Path:
    return GOLDEN / f"{name}.txt"


def main() -> None:
    """Write every file, and drop those of recordings that are gone."""
    if not names():
        raise SystemExit("The recorded gateways are not there, so nothing is written.")
    GOLDEN.mkdir(exist_ok=True)
    for name in names():
        file_of(name).write_text(lines_of(name), encoding="utf-8")
    for file in GOLDEN.glob("*.txt"):
        if file.stem not in names():
            file.unlink()


if __name__ == "__main__":
    main()
