"""Answer health checks: whether the loops meet their deadlines, and whether a poll and a delivery succeeded."""

from __future__ import annotations

import json

from logger.daemon.recorder import Recorder
from logger.daemon.status_file import describe_health
from logger.web.cached_documents import JSON, WebDocument


def answer_health(recorder: Recorder) -> WebDocument:
    """Return an answer with status 200 while every loop meets its deadline, else with status 503."""
    is_live = recorder.progress.is_alive
    return _answer({"live": is_live}, is_good=is_live)


def answer_ready(recorder: Recorder) -> WebDocument:
    """Return an answer with status 200 if the recorder is ready, else with status 503 and the reasons.

    The recorder is ready after the first stored poll of each gateway and the first delivery. Without a database no
    delivery is needed.
    """
    health = describe_health(recorder)
    return _answer({"ready": health["ready"], "reasons": health["reasons"]}, is_good=bool(health["ready"]))


def _answer(found: object, *, is_good: bool) -> WebDocument:
    return WebDocument(json.dumps(found).encode(), JSON, 200 if is_good else 503)
