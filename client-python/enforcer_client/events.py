"""Server-sent events out of bytes (HTML Living Standard §9.2.6). Pure."""

import codecs
from typing import NamedTuple


class Event(NamedTuple):
    """`name` is empty, and `data` too, for what only moves the `id` on."""

    name: str
    data: str
    id: str | None


class Parser:
    """Takes the bytes of a stream as they come."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, part: bytes) -> list[Event]:
        """The events that are complete with this part."""
        *lines, self._rest = (self._rest + self._decode(part)).split("\n")
        events = []
        for line in lines:
            line = line.removesuffix("\r")
            if line:
                self._field(*line.partition(":"))
            elif self._data or self._id is not None:
                events.append(Event(self._name, "\n".join(self._data), self._id))
                self._name, self._data, self._id = "", [], None
            else:
                self._name = ""
        return events

    def _field(self, name: str, _: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
