"""Structured logs: one JSON object a line for machines, plain lines on a terminal."""

import json
import logging
import sys
import time
from typing import TextIO

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """time, level, logger, event, and whatever `extra` carried."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= extras(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class PlainLines(logging.Formatter):
    """The same for a person."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in extras(record).items())
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        text = f"{stamp} {record.levelname:<7} {record.getMessage()}" + (f"  {fields}" if fields else "")
        return text + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


def extras(record: logging.LogRecord) -> dict[str, object]:
    """The fields given by `extra=`."""
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def configure_logging(out: TextIO | None = None, level: int = logging.INFO) -> None:
    """Log to standard error (or `out`), in the form that fits who reads it."""
    stream = sys.stderr if out is None else out
    logging.raiseExceptions = False  # a line that cannot be written (full disk) is lost, without a traceback for each
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainLines() if stream.isatty() else JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
