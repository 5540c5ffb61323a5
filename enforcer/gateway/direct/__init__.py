"""The engine for clients that open a WebSocket at once."""
