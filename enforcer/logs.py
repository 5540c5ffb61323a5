"""The log: one line an event on stderr, as text or JSON. Whatever a caller put into a name stays on its line."""

import asyncio
import contextlib
import logging
import sys
from functools import lru_cache
from time import gmtime, strftime
from typing import Any, TextIO

import orjson

from enforcer.terminal import plain, plain_json

GATHER = 0.05
"""Seconds in which lines are gathered and written at once."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(log_format: str, worker: int | None = None) -> None:
    """Sends our log to stderr, `text` or `json`. Other libraries only say warnings and errors.

    Where several processes write to one log, each line says which `worker` it is from.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not in our lines, so not asked for
    logging._srcfile = None  # as the documentation of `logging` has it: saves a walk up the stack for each line
    handler = GatheringHandler(sys.stderr)
    if worker is not None:
        handler.addFilter(_Naming(worker))
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("enforcer").setLevel(logging.INFO)
    logging.captureWarnings(True)  # Python's own are lines like all others


class _Naming(logging.Filter):
    """Lets every record through, with the number of the worker."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._worker
        return True


class GatheringHandler(logging.Handler):
    """Writes lines to a stream: a warning at once, with all that came before it; what is less, a moment later together.

    A write to a file or pipe costs more than all the rest of a line, and a busy server says hundreds of lines a second.
    Without a running event loop every line goes out at once; at the end of the process nothing is left behind.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # that will write them

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
            if record.levelno >= logging.WARNING or not self._written_later():
                self.flush()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Writes what was gathered."""
        with self.lock or contextlib.nullcontext():
            lines, self._lines, self._loop = self._lines, [], None
            if lines:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()

    def _written_later(self) -> bool:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(GATHER, self.flush)
        return True


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at))


def _at(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


def _members(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _dump(value: Any) -> str:
    """JSON that does nothing to the terminal on which somebody reads it."""
    try:
        return plain_json(orjson.dumps(value, default=str).decode())
    except TypeError:  # a lone surrogate, say
        return orjson.dumps(ascii(value)).decode()


class TextFormatter(logging.Formatter):
    """`time LEVEL message name=value …`, values as JSON so that newlines and escapes cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        message = plain(record.getMessage())
        parts = [_at(record), record.levelname, message]
        parts += [f"{name}={_dump(value)}" for name, value in _members(record).items()]
        line = " ".join(parts)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        members: dict[str, Any] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_members(record),
        }
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return _dump(members)
