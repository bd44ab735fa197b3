"""Delete folders of Grafana on this machine that have become empty: delete_folders.py PASSWORD_FILE "TITLES".

TITLES has one title on each line. A folder in which anything is left stays, and each one's fate is said.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

PORT = int(os.environ.get("GRAFANA_PORT", "3000"))
PATIENCE_S = float(os.environ.get("GRAFANA_PATIENCE_S", "30"))
"""How long Grafana may take at its start to delete the boards."""


def main(password_file: str, titles: str) -> None:
    """Delete the empty ones of these folders, or say why one stays."""
    try:
        password = Path(password_file).read_text(encoding="utf-8").strip()
        _delete_all(password, titles.splitlines())
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        _say(f"The folders {', '.join(titles.splitlines())} stay in Grafana ({reason}).")
        _say("Try: delete them on Grafana's page under Dashboards, where they are empty.")


def _delete_all(password: str, titles: list[str]) -> None:
    folders = {folder["title"]: folder["uid"] for folder in _ask(password, "GET", "folders?limit=1000")}
    for title in titles:
        uid = folders.get(title)
        if uid is None:
            continue
        if inside := _list_when_settled(password, uid):
            _say(f"The folder {title} stays in Grafana, because it holds: {', '.join(inside)}")
            continue
        _ask(password, "DELETE", f"folders/{uid}")
        _say(f"The folder {title} is deleted in Grafana")


def _list_when_settled(password: str, uid: str) -> list[str]:
    """List what is in a folder, once Grafana has deleted what it no longer gets by files."""
    end = time.monotonic() + PATIENCE_S
    while (inside := _list_contents(password, uid)) and time.monotonic() < end:
        time.sleep(1)
    return inside


def _list_contents(password: str, uid: str) -> list[str]:
    boards = _ask(password, "GET", "search?limit=5000")
    rules = [
        rule["grafana_alert"]
        for groups in _ask(password, "GET", "ruler/grafana/api/v1/rules").values()
        for group in groups
        for rule in group["rules"]
    ]
    found = [board["title"] for board in boards if board.get("folderUid") == uid]
    return [*found, *(rule["title"] for rule in rules if rule.get("namespace_uid") == uid)]


def _ask(password: str, method: str, path: str) -> Any:
    """Return Grafana's answer, or None where it has no content. Raises OSError, or ValueError for a refusal."""
    sign_in = base64.b64encode(f"admin:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request(method, f"/api/{path}", headers={"Authorization": f"Basic {sign_in}"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status >= http.HTTPStatus.BAD_REQUEST:
        raise ValueError(f"it answers HTTP {answer.status}")
    return json.loads(body or "null")


def _say(text: str) -> None:
    sys.stdout.write(f"    {text}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
