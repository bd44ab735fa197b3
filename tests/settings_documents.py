"""Write `.env.example` and the README's settings: `python -m tests.settings_documents`. A test compares them."""

from __future__ import annotations

from pathlib import Path

from logger.settings.texts import render_env_example, render_settings_table

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"
README = ROOT / "README.md"
_BEGIN, _END = "<!-- settings: generated -->\n", "<!-- /settings -->"


def with_table(text: str) -> str:
    """The README's text with its table of settings replaced."""
    head, _, rest = text.partition(_BEGIN)
    return f"{head}{_BEGIN}{render_settings_table()}{_END}{rest.partition(_END)[2]}"


def main() -> None:
    """Write both."""
    EXAMPLE.write_text(render_env_example(), encoding="utf-8")
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
