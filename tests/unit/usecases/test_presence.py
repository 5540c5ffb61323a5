"""Who has sockets here, counted and gone through in turns."""

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.model import Session
from enforcer.usecases.presence import Presence


def session(name: str, room: str = "alice") -> Session:
    return Session(name, room, True, 1, 0.0, 0.0, 0.0, 60.0, None, None, None)


def test_a_session_is_here_from_its_first_socket_to_its_last() -> None:
    presence = Presence(3)
    assert presence.left("s") is None
    assert presence.arrived(session("s")) is not None
    assert presence.arrived(session("s")) is None
    assert "s" in presence
    assert list(presence.in_room("alice")) == ["s"]
    assert presence.left("s") is None
    last = presence.left("s")
    assert last is not None
    assert last.room == "alice"
    assert "s" not in presence
    assert not presence.in_room("alice")


@given(st.sets(st.text(min_size=1)), st.integers(1, 30))
def test_everybody_has_a_turn_in_each_round(names: set[str], shares: int) -> None:
    """Once, whatever the number of shares."""
    presence = Presence(shares)
    for name in names:
        presence.arrived(session(name))
    assert len(presence) == len(names)
    assert set(presence) == names
    for _ in range(2):
        met = [(number, list(here)) for number, here in (presence.next_share() for _ in range(shares))]
        assert [number for number, _ in met] == list(range(shares))
        assert sorted(name for _, here in met for name in here) == sorted(names)
