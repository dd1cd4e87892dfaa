"""Log lines: readable for people, JSON objects for machines; never a word of a user's text.

Facts go beside the message, not into it: `log.info("version is ready", extra=facts(model=name))`.
"""

import json
import logging
import time
from typing import Any, TextIO

_LEVEL_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}


def facts(**values: object) -> dict[str, object]:
    """Structured facts for the `extra=` of a log call. Never pass a text of a user."""
    return {"facts": values}


def configure(*, level: str, style: str, stream: TextIO, colour: bool) -> None:
    """Send every log line of the process to `stream`.

    `style` is "text" or "json"; `colour` applies only to text on a terminal.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        JsonFormatter() if style == "json" else TextFormatter(colour=colour and stream.isatty())
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


class TextFormatter(logging.Formatter):
    """`12:03:44 INFO    registry  version is ready  model=m version=3`."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it where there is one."""
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"\x1b[{_LEVEL_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        message = _one_line(record.getMessage())
        pairs = " ".join(f"{key}={_word(value)}" for key, value in _facts_of(record).items())
        line = f"{clock} {level} {_source(record):<9} {message}{'  ' if pairs else ''}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, time in UTC with milliseconds (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        seconds, milliseconds = divmod(int(record.created * 1000), 1000)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        entry: dict[str, Any] = {
            "time": f"{stamp}.{milliseconds:03d}Z",
            "level": record.levelname.lower(),
            "source": _source(record),
            "message": record.getMessage(),
            **_facts_of(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def _facts_of(record: logging.LogRecord) -> dict[str, Any]:
    return dict(getattr(record, "facts", {}))


def _source(record: logging.LogRecord) -> str:
    """The part of the house that speaks: `service.registry.manager` -> `registry`."""
    parts = record.name.split(".")
    return parts[1] if parts[0] == "service" and len(parts) > 1 else parts[0]


def _word(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else _one_line(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or text == "" else text


def _one_line(text: str) -> str:
    """Control characters spelt out: a file name must not be able to forge a log line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
