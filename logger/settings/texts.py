"""Write the settings as text: `.env.example`, the README's table, `check --show`."""

from __future__ import annotations

from pydantic import SecretStr

from logger.settings.definitions import DESCRIPTIONS, Description
from logger.settings.load import Settings


def show_value(settings: Settings, item: Description) -> str:
    """Return a setting's value as text. For a secret return only whether it is set."""
    value = settings.values[item.variable]
    if isinstance(value, SecretStr):
        return "(set)" if value else ""
    return "" if value is None else str(value)


def render_env_example() -> str:
    """Return the text of `.env.example`, which dotenv, systemd and compose read with the same result."""
    lines = [
        "# Settings of envoy-logger. Copy to .env and fill in; every line can also be an environment variable.",
        "# Secrets belong in files of their own: NAME_FILE=/path/to/file (one value, nothing else in it).",
    ]
    group = ""
    for item in DESCRIPTIONS:
        if item.group != group:
            group = item.group
            lines += ["", f"# --- {group} ---"]
        lines += ["", f"# {item.help}"]
        if item.secret:
            lines.append(f"#{item.variable}_FILE=")
        else:
            lines.append(f"{'' if item.variable == 'ENPHASE_GATEWAY' else '#'}{item.variable}={item.example}")
    return "\n".join(lines) + "\n"


def render_settings_table() -> str:
    """Return a Markdown table with every setting, for the README."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for item in DESCRIPTIONS:
        name = f"`{item.variable}`" + (" (secret)" if item.secret else "")
        lines.append(f"| {name} | {f'`{item.default}`' if item.default else ''} | {item.help} |")
    return "\n".join(lines) + "\n"
