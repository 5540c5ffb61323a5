"""What a terminal may show."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.process.terminal import plain, plain_json

ORDERS = [
    "\x1b[31m",
    "\x9b31m",
    "\u202e",
    "\u2066",
    "\u200f",
    "\x07",
    "\r",
    "\n",
    "\u2028",
    "\U000e0041",
    "\ufeff",
    "\xad",
]


@pytest.mark.parametrize("order", ORDERS, ids=ascii)
def test_orders_to_a_terminal_are_shown(order: str) -> None:
    """ESC, C1, direction, bell, returns, tags: as escapes, around what is text."""
    shown = plain(f"é{order}x")
    assert shown.isprintable()
    assert shown.startswith("é\\")
    assert plain_json(f"é{order}x").isprintable()


@given(st.text())
def test_a_line_of_json_means_the_same(text: str) -> None:
    """Also beyond the first plane, and by halves."""
    line = plain_json(json.dumps({"name": text}, ensure_ascii=False))
    assert line.isprintable()
    assert json.loads(line) == {"name": text}


def test_what_does_not_go_to_a_terminal_stays() -> None:
    """A file gets what the server has sent."""
    assert plain_json("\u202e", terminal=False) == "\u202e"
