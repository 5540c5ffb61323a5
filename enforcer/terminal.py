"""Text as a terminal may show it: what is in a name must not move the cursor, colour the screen or turn the text. Pure.

Escape sequences begin with ESC or, eight bits wide, with a C1 control; characters of direction make text read otherwise
than it is (Unicode Technical Report 36, "bidirectional text spoofing"). None of them is printable to Python.
"""


def plain(text: str) -> str:
    """With a backslash escape for each character that does not print."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain_json(text: str, terminal: bool = True) -> str:
    """A line of JSON that means the same, with JSON's own escapes for those characters; for a `terminal` only."""
    if not terminal or text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """RFC 8259 §7: as one or two units of UTF-16."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
