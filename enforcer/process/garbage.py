"""When Python looks for cyclic garbage: seldom, and never among what lives as long as the process."""

import gc

YOUNG = 10_000
"""Objects that may be new before they are looked through. It takes a fraction of a millisecond, which no page feels;
the default of 700 does it for every second login, for nothing: our own paths make no cycles."""
MIDDLE = 20
"""Such rounds before those that outlived them are looked through as well."""
OLD = 10
"""Such rounds before everything is: about two million objects that came and stayed. The libraries do make cycles (a
polling session is one), so it has to happen; among 10,000 sockets it takes some ten milliseconds."""


def settle() -> None:
    """To be called once the process has started: its modules and routes are not looked through ever again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
