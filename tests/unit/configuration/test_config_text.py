"""The text of a configuration: what is wrong with it, in one plain sentence with its place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.configuration.text import NotAConfiguration, members


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ('{\n  // the port\n  "port": 1}', "line 2, column 3: comments are not JSON"),
        ('{"port": 1 // the port\n}', "line 1, column 12: comments are not JSON"),
        ('{"port": /* one */ 1}', "line 1, column 10: comments are not JSON"),
        ('# settings\n{"port": 1}', "line 1, column 1: comments are not JSON"),
        ('{"port": 1}\n# that was it', "line 2, column 1: comments are not JSON"),
        ('{"port": 1,\n}', "a comma stands before the closing bracket; remove it"),
        ('{"origins": ["https://a.example",]}', "a comma stands before the closing bracket; remove it"),
        ('{"port": 1 "join": "open"}', "line 1, column 12: a comma, or the closing bracket, is missing before this"),
        ('{"port" 1}', "line 1, column 9: a colon is missing"),
        ('{"port": }', "line 1, column 10: a value is missing here"),
        ("{'port': 1}", "line 1, column 2: texts and names stand in plain double quotes"),
        ('{"join": \u201copen\u201d}', "line 1, column 10: texts and names stand in plain double quotes"),
        ("{port: 1}", "line 1, column 2: texts and names stand in double quotes"),
        ('{"demo": True}', "line 1, column 10: write true, in lower case"),
        ('{"demo": None}', "line 1, column 10: write null, in lower case"),
        ('{"port": NaN}', "NaN is not a JSON number"),
        ('{"store": "sqlite:///C:\\data"}', "a backslash begins an escape; write two for one"),
        ('{"join": "open\n"}', "a text must not hold a line break"),
        ('{"join": "open', 'line 1, column 10: the text that begins here has no closing "'),
        ('{"port": 1', "ends before its last bracket is closed"),
        ('{"port": 1} {"port": 2}', "line 1, column 13: something follows the end of the object"),
        ('{"port": 1,\n "join": "open",\n "port": 2}', "line 3, column 2: 'port' stands here again, after line 1"),
        ('{"p\\u006frt": 1, "port": 2}', "'port' stands here again"),
        ('{"redirects": {"direct": "/a", "direct": "/b"}}', "line 1, column 32: 'direct' stands here again"),
        ("[1]", "it must hold a JSON object"),
        ('"text"', "it must hold a JSON object"),
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_plainly(text: str, clause: str) -> None:
    """What operators get wrong, each with what to do; never Python's wording, never a value."""
    with pytest.raises(NotAConfiguration) as caught:
        members(text)
    assert clause in str(caught.value)
    assert "\n" not in str(caught.value)


SECRET = "Zk3vR9xW2mQ8tY5uB7nL4pS6dF1gH0jC-secret"


@given(st.integers(0, 60), st.sampled_from(['"', ",", "}", "{", "//", "'", "\\", "x", "\n", ""]), st.booleans())
def test_no_sentence_repeats_a_value(at: int, what: str, instead: bool) -> None:
    """Wherever the mistake is."""
    text = json.dumps({"authkey": SECRET, "port": 8080})
    broken = text[:at] + what + text[at + instead :]
    said = ""
    try:
        members(broken)
    except NotAConfiguration as error:
        said = str(error)
    assert SECRET[:8] not in said
    assert SECRET[-8:] not in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.sampled_from([None, 2]), st.booleans())
def test_json_is_read_as_it_is(values: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    """Names that are equal in different objects, brackets and colons in texts: nothing is taken for a mistake."""
    assert members(json.dumps(values, indent=indent, ensure_ascii=ascii_only)) == values
