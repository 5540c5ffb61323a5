"""Bytes of a WebSocket and packets of Socket.IO, without any I/O: bytes in, events out, and the way back. Pure."""
