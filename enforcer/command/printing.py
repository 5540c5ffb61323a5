"""What the commands print: tables that fit the terminal, JSON, and how far a long piece of work is."""

import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, TypeVar

from enforcer.process.terminal import plain, plain_json

T = TypeVar("T")
NARROW = 6
"""Characters of a column that a narrow terminal leaves."""
MOVES_EVERY = 0.1
"""Seconds between two movements of a bar."""
BAR = 40
"""Characters of it."""


def print_json(document: Any) -> None:
    """One line of JSON; on a terminal, what does not print is escaped."""
    print(plain_json(json.dumps(document, ensure_ascii=False), sys.stdout.isatty()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows below their heads, as wide as they must be and the terminal is."""
    shown = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = _fitting([max(len(row[i]) for row in shown) for i in range(len(head))])
    for row in shown:
        line(row, widths)


def line(cells: Sequence[str], widths: Sequence[int]) -> None:
    """Prints a row in columns of these widths; one of no width is the last, and as long as it is."""
    shown = [_cut(plain(cell), width).ljust(width) for cell, width in zip(cells, widths, strict=True)]
    print("  ".join(shown).rstrip()[: _terminal_width()])


def _terminal_width() -> int | None:
    """Of what is printed to; None if it is no terminal."""
    return shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else None


def _fitting(widths: Sequence[int]) -> list[int]:
    """The widths of columns so that all are seen on a terminal: the widest give way first."""
    fitted, wide = list(widths), _terminal_width()
    while wide is not None and sum(fitted) + 2 * (len(fitted) - 1) > wide and max(fitted) > NARROW:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _cut(text: str, width: int) -> str:
    return text if not width or len(text) <= width or not sys.stdout.isatty() else f"{text[: width - 1]}…"


class Progress:
    """How far a long piece of work is: a line on stderr that is written again and again, if that is a terminal.

    `beside_rows`: the work prints rows. Then there is no line if these go to the terminal, too. A context manager.
    """

    def __init__(self, noun: str, *, beside_rows: bool = False) -> None:
        self._noun = noun
        self._seen = sys.stderr.isatty() and not (beside_rows and sys.stdout.isatty())
        self._last = 0.0
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print(file=sys.stderr, flush=True)

    def at(self, done: int, part: float | None = None) -> None:
        """So many are done; `part` is how much of the whole that is, 0 to 1, if it is known."""
        now = time.monotonic()
        if not self._seen or (part != 1.0 and now - self._last < MOVES_EVERY):
            return
        self._last = now
        bar = "" if part is None else f"[{'#' * round(BAR * part):{BAR}}] {part:4.0%} "
        text = f"{bar}{done:,} {self._noun}"
        print(f"\r{text:{len(self._shown)}}", end="", file=sys.stderr, flush=True)
        self._shown = text

    def counting(self, things: Iterable[T]) -> Iterator[T]:
        """Those things, while they are counted."""
        for number, thing in enumerate(things, 1):
            yield thing
            self.at(number)
