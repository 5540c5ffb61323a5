"""Frames of a WebSocket client, written the slow and plain way (RFC 6455 §5.2), to set against the server's reading."""

import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def masked(
    opcode: int, payload: bytes = b"", fin: bool = True, key: bytes = b"\x01\x02\x03\x04", rsv: int = 0
) -> bytes:
    """A frame as a client sends it, masked byte by byte."""
    first = (0x80 if fin else 0) | rsv | opcode
    if len(payload) < 126:
        head = struct.pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
    return head + key + bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))
