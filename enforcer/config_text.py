"""The text of a configuration: JSON (RFC 8259), and of what is not, one sentence that says where and what to do. Pure.

Sentences never repeat a value: it may be a key.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

BOM = "\ufeff"
"""What some editors put before the text."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')
_WORD = re.compile(r"[A-Za-z]+")
_WORDS = {"True": "true", "False": "false", "None": "null", "TRUE": "true", "FALSE": "false", "NULL": "null"}
_WORDS |= {"yes": "true", "no": "false", "Yes": "true", "No": "false", "undefined": "null", "nil": "null"}


class NotAConfiguration(Exception):
    """The text cannot be used; the message is a clause like "line 3, column 5: comments are not JSON; remove it"."""


def members(text: str) -> dict[str, Any]:
    """The members of a configuration.

    Raises:
        NotAConfiguration: with the first thing that is wrong with the text.
    """
    if not text.strip():
        raise NotAConfiguration("it is empty")
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        line, column = _place(text, error.pos)
        raise NotAConfiguration(f"line {line}, column {column}: {_sentence(text, error)}") from None
    except RecursionError:
        raise NotAConfiguration("it is nested too deeply") from None
    for name, first, again in _doubled(text):
        line, column = _place(text, again)
        raise NotAConfiguration(
            f"line {line}, column {column}: {name!r} stands here again, after line {_place(text, first)[0]}; keep one"
        )
    if not isinstance(values, dict):
        raise NotAConfiguration("it must hold a JSON object: {…}")
    return values


def _no_constant(name: str) -> NoReturn:
    raise NotAConfiguration(f"{name} is not a JSON number")


def _place(text: str, position: int) -> tuple[int, int]:
    """Line and column, both from 1."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _sentence(text: str, error: json.JSONDecodeError) -> str:
    """What is wrong at the place where Python's reader stopped, in an operator's words."""
    rest = text[error.pos :]
    before = text[: error.pos].rstrip()
    if rest.startswith(("//", "/*", "#")):
        return "comments are not JSON; remove this one"
    if rest.lstrip(" \t\r\n,").startswith(("}", "]")) and (before.endswith(",") or rest.startswith(",")):
        return "a comma stands before the closing bracket; remove it"
    if rest.startswith(("'", "‘", "“", "”")):
        return 'texts and names stand in plain double quotes: "…"'
    if error.msg.startswith("Unterminated string"):
        return 'the text that begins here has no closing "'
    if error.msg.startswith("Invalid control character"):
        return "a text must not hold a line break or another control character"
    if "escape" in error.msg:
        return "a backslash begins an escape; write two for one"
    if error.msg.startswith("Extra data"):
        return "something follows the end of the object; remove it"
    if not rest.strip():
        return "the file ends before its last bracket is closed"
    if (word := _WORD.match(rest)) is not None:
        known = _WORDS.get(word[0])
        return f"write {known}, in lower case" if known is not None else 'texts and names stand in double quotes: "…"'
    if error.msg.startswith("Expecting ','"):
        return "a comma, or the closing bracket, is missing before this"
    if error.msg.startswith("Expecting ':'"):
        return "a colon is missing between a name and its value"
    if error.msg.startswith("Expecting property name"):
        return 'a name in double quotes must stand here: "…"'
    return "a value is missing here"


def _doubled(text: str) -> Iterator[tuple[str, int, int]]:
    """Names that an object has twice, of a text that is JSON: the name, and where it stands first and again."""
    objects: list[dict[str, int] | None] = []  # None for a list
    last: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{":
                objects.append({})
            case "[":
                objects.append(None)
            case "}" | "]":
                objects.pop()
            case ":":
                names = objects[-1]
                if names is not None and last is not None:
                    name = json.loads(last[0])
                    if name in names:
                        yield name, names[name], last.start()
                    names.setdefault(name, last.start())
        last = token
