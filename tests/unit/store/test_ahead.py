"""Decisions ahead of the disk: the newest one is seen until it is committed, then nothing is kept of it."""

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.model import Decision, LoginAnswer, RememberedAnswer, RoomState, Session
from enforcer.store.ahead import Ahead

STEPS = st.lists(
    st.tuples(st.sampled_from(["decide", "decide", "decide", "commit", "forget"]), st.integers(0, 2), st.integers(0, 3))
)


@given(STEPS)
def test_the_newest_uncommitted_decision_is_seen(steps: list[tuple[str, int, int]]) -> None:
    """Of each room, session and request id, whatever is committed in between; a commit is of all up to a number."""
    ahead = Ahead()
    on_their_way: list[tuple[int, str, Session, RoomState, RememberedAnswer]] = []
    for step, room_number, number in steps:
        room, id_ = f"room{room_number}", f"s{number}"
        if step == "decide":
            before = ahead.room(room) or RoomState(room, 0)
            made = Session(id_, room, True, before.epoch + 1, 0.0, 0.0, 0.0, 0.0, None, None, None)
            kept = RememberedAnswer(id_, "", 0.0, LoginAnswer(id_, made.epoch, True, (), None))
            decision = Decision(None, changed=(made,), epoch=made.epoch, remember=kept)
            after = decision.after(before)
            ahead.decided(after, decision)
            on_their_way.append((ahead.number, room, made, after, kept))
        elif step == "forget":
            ahead.forget()
            on_their_way.clear()
        elif on_their_way:
            last = on_their_way[min(number, len(on_their_way) - 1)][0]
            ahead.committed(last)
            on_their_way = [entry for entry in on_their_way if entry[0] > last]
        rooms = {room: after for _, room, _, after, _ in on_their_way}
        sessions = {made.id: made for _, _, made, _, _ in on_their_way}
        answers = {(room, kept.request_id): kept for _, room, _, _, kept in on_their_way}
        for n in range(4):
            assert ahead.room(f"room{n}") == rooms.get(f"room{n}")
            assert ahead.session(f"s{n}") == sessions.get(f"s{n}")
            for r in range(3):
                assert ahead.answer(f"room{r}", f"s{n}") == answers.get((f"room{r}", f"s{n}"))
    ahead.committed(ahead.number)
    assert not any([ahead._rooms, ahead._sessions, ahead._answers, ahead._order]), "nothing is kept of it"
