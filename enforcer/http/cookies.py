"""Cookies as a request shows them (RFC 6265 §4.2.1). Pure."""

from collections.abc import Iterable


def cookies_called(name: str, fields: Iterable[str]) -> list[str]:
    """The values of all cookies of this name, in order; `fields` are the `Cookie` header fields.

    A browser sends two of one name when they were set for two paths or domains, and a site beside this one can set
    one: whoever takes a cookie for a credential must know. Quotes around a value are taken off.
    """
    values = []
    for field in fields:
        for pair in field.split(";"):
            found, _, value = pair.partition("=")
            if found.strip() == name:
                value = value.strip()
                quoted = len(value) >= 2 and value[0] == value[-1] == '"'
                values.append(value[1:-1] if quoted else value)
    return values
