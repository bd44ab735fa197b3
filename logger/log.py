"""Write logs: one line for each event, with secrets masked. A problem is logged when it begins and when it ends."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

from logger.model import Json

_SECRETS: set[str] = set()
_PASSING: deque[frozenset[str]] = deque(maxlen=16)
"""The latest short-lived secrets, such as daily tokens."""
_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
_URL_USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
MASK = "********"


_ORDINARY = frozenset({
    "admin", "administrator", "default", "enphase", "envoy", "envoy-logger", "gateway", "grafana", "home", "influx",
    "influxdb", "installer", "inverter", "localhost", "none", "owner", "password", "production", "read", "recorder",
    "root", "secret", "setting", "settings", "site", "test", "token", "user", "write",
})  # fmt: skip
"""Words of this program's own messages. They are never masked, because masks would make the messages unreadable."""


def is_ordinary(secret: str) -> bool:
    """Return True if a secret cannot be masked.

    A secret cannot be masked if it is shorter than four characters, or is a word of this program's texts.
    """
    return len(secret) < 4 or secret.casefold() in _ORDINARY


def protect(secrets: Iterable[str]) -> None:
    """Mask these secrets in all output from now on. A secret for which `is_ordinary` is True is not masked.

    A secret is also masked in the notation of JSON, Python, URLs, web pages and HTTP Basic.
    """
    for secret in secrets:
        _SECRETS.update(_forms(secret))


def protect_passing(secret: str) -> None:
    """Mask a short-lived secret, such as a daily token, in all output. Only the latest 16 such secrets are masked."""
    forms = frozenset(_forms(secret))
    if forms not in _PASSING:
        _PASSING.append(forms)


def _forms(secret: str) -> set[str]:
    """Return every notation of a secret, and the JSON form of each notation.

    The JSON form is needed, because a JSON answer of a server may repeat a secret.
    """
    if is_ordinary(secret):
        return set()
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr('"' + secret)[2:-1],
        secret.replace("\\", "\\\\"),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        *_in_base64(secret.encode()),
    }
    return forms | {json.dumps(form, ensure_ascii=pure)[1:-1] for form in forms for pure in (True, False)}


def _in_base64(secret: bytes) -> Iterable[str]:
    """Return the texts by which `secret` can be found inside base64.

    Base64 encodes groups of three bytes. So there is one text for each of the three places in a group at which the
    secret may begin.
    """
    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret).decode("ascii").rstrip("=")
        first = (0, 2, 3)[before]
        whole = text[first : (before + len(secret)) * 8 // 6]
        if len(whole) >= 8:
            yield whole


def without_secrets(text: str) -> str:
    """Mask in `text` every known secret, every token, and user:password in every URL. Return the new text."""
    for secret in sorted(_SECRETS.union(*_PASSING), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _URL_USER.sub(MASK, _JWT.sub(MASK, text))


def mask(text: str) -> str:
    """Mask the secrets in a text that people will read.

    Also replace characters that a terminal would take for a command, because a server may send such characters.
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", without_secrets(text).replace("\r\n", "\n"))


def mask_all(found: Json) -> Json:
    """Mask the secrets in every text of a JSON value. Keys and numbers stay unchanged."""
    match found:
        case str():
            return mask(found)
        case list():
            return [mask_all(value) for value in found]
        case dict():
            return {name: mask_all(value) for name, value in found.items()}
    return found


def get(name: str) -> logging.Logger:
    """Return the logger of one module."""
    return logging.getLogger(f"logger.{name}")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _OWN}


class _Text(logging.Formatter):
    """Formats a record as `time LEVEL message key=value`.

    Under systemd the journal adds the time. The line then begins with the level as a number, such as `<6>`.
    """

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self.journal = journal

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {key}={value}" for key, value in _facts(record).items())
        what, line_end, hint = record.getMessage().partition("\n")
        message = mask(f"{what}{facts}{line_end}{hint}")
        if record.exc_info:
            message += "\n" + mask(self.formatException(record.exc_info))
        if self.journal:
            head = f"<{_PRIORITIES.get(record.levelno, 5)}>"
            return "\n".join(head + line for line in message.split("\n"))
        return f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {record.levelname:<7} {message}"


class _JsonLines(logging.Formatter):
    """Formats a record as one line with one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Json] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **{
                key: value if isinstance(value, (int, float, bool)) else str(value)
                for key, value in _facts(record).items()
            },
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(mask_all(entry), ensure_ascii=False)


def configure(
    level: str = "info", style: str = "text", *, journal: bool = False, stream: TextIO | None = None
) -> None:
    """Send this program's logs to stderr. `style`: text or json. `journal`: with systemd's level prefixes."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines() if style == "json" else _Text(journal=journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("logger").setLevel(level.upper())


def mask_crashes() -> None:
    """From now on, print each unexpected exception of any thread completely, with secrets masked."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))

    def show_of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            show(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_of_thread


class Changes:
    """Logs a problem once when it begins, when its text changes, when its level rises, and when it ends.

    Without a log, the problems are only stored. `on_change` is called when a problem begins, changes or ends. `name`:
    the part of the recorder that has these problems, if the recorder has several parts. The text of each problem
    begins with this name.
    """

    def __init__(
        self, log: logging.Logger | None, on_change: Callable[[], None] = lambda: None, *, name: str = ""
    ) -> None:
        self._log, self._on_change, self._name = log, on_change, name
        self._open: dict[str, str] = {}
        self._levels: dict[str, int] = {}

    def of(self, name: str) -> Changes:
        """Return a `Changes` that logs the problems of the part `name`. All parts share one list of open problems."""
        part = Changes(self._log, self._on_change, name=name)
        part._open, part._levels = self._open, self._levels
        return part

    def begin(self, key: str, text: str, level: int = logging.WARNING) -> bool:
        """Report that problem `key` exists, with its text.

        Return True if the problem or its text is new, or if the level is higher than before.
        """
        key, text = self._key(key), self._text(text)
        if self._open.get(key) == text and level <= self._levels[key]:
            return False
        self._open[key], self._levels[key] = text, level
        if self._log is not None:
            self._log.log(level, text)
        self._on_change()
        return True

    def is_open(self, key: str) -> bool:
        """Return True if problem `key` of this part of the recorder has begun and has not ended."""
        return self._key(key) in self._open

    def renew(self, key: str, text: str) -> None:
        """Store a new text of an open problem, without logging the text. `status` shows the new text."""
        if self.is_open(key):
            self._open[self._key(key)] = self._text(text)

    def list_messages(self) -> list[str]:
        """Return the first line of each open problem in this part of the recorder, without the name of the part."""
        before, name = (f"{self._name} ", f"{self._name}: ") if self._name else ("", "")
        mine = [text for key, text in self._open.items() if key.startswith(before)]
        return [text.removeprefix(name).partition("\n")[0] for text in mine]

    def end(self, key: str, text: str) -> bool:
        """Report that problem `key` is over. Return True if the problem was open."""
        if self._open.pop(self._key(key), None) is None:
            return False
        del self._levels[self._key(key)]
        if self._log is not None:
            self._log.info(self._text(text))
        self._on_change()
        return True

    def _key(self, key: str) -> str:
        return f"{self._name} {key}" if self._name else key

    def _text(self, text: str) -> str:
        return mask(f"{self._name}: {text}" if self._name else text)

    @property
    def troubles(self) -> dict[str, str]:
        """Return the current problems: text by key."""
        return dict(self._open)
