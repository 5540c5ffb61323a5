"""Cursors of the audit log as text: what is written is read, and nothing else is."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from enforcer.store.cursors import Cursor, cursor_of, cursor_text

cursors = st.builds(
    Cursor,
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.sampled_from([1, 64]).flatmap(lambda n: st.tuples(*[st.integers(0, 2**56 - 1)] * n)),
)


@given(cursor=cursors)
def test_a_cursor_comes_back_as_it_was_written(cursor: Cursor) -> None:
    """In a text that may stand in a URL and on a line of its own."""
    text = cursor_text(cursor)
    assert text.isascii()
    assert not set(text) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert cursor_of(text) == cursor


@given(text=st.text() | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_was_never_a_cursor_is_none(text: str) -> None:
    """Whatever it is; and what is taken is written in one way only."""
    cursor = cursor_of(text)
    assert cursor is None or cursor_text(cursor) == text
