"""How long and how much; the same for both engines."""

PING_INTERVAL = 25.0
"""Seconds between two pings of the server (Engine.IO 4)."""
PING_TIMEOUT = 20.0
"""Seconds within which a ping must be answered."""
CONNECT_WITHIN = 10.0
"""Seconds that an open socket has to CONNECT, and a refused or disconnected one to go, before it is cut."""
CLOSE_WITHIN = 2.0
"""Seconds that a peer has to end the connection once it is told that it is closed."""
WRITE_LIMIT = 65_536
"""Bytes that may wait for a peer that does not read, beyond what its and our kernel hold; more, and it is cut."""
WAITING_PACKETS = 256
"""Packets of one page that may wait for their turn; a page that sends faster than it is answered is cut."""
