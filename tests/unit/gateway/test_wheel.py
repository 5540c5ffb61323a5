"""One timer for all sockets: who is pinged when, who has waited too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.gateway.direct.wheel import PingWheel, WaitingLine


class Rider:
    """Counts its turns."""

    def __init__(self) -> None:
        self.spoke = 0
        self.pinged: list[int] = []
        self.judged: list[int] = []


def ride(wheel: PingWheel[Rider], ticks: int, start: int = 0) -> None:
    """Turns the wheel, and lets the riders note when they came by."""
    for tick in range(start + 1, start + ticks + 1):
        to_ping, to_judge = wheel.turn()
        for rider in to_judge:
            rider.judged.append(tick)
        for rider in to_ping:
            rider.pinged.append(tick)


def test_a_ping_a_round_and_a_judgement_after_it() -> None:
    """The first ping comes after a whole round, the judgement of it `timeout` ticks later."""
    wheel: PingWheel[Rider] = PingWheel(interval=10, timeout=8)
    rider = Rider()
    wheel.add(rider)
    ride(wheel, 40)
    assert rider.pinged == [10, 20, 30, 40]
    assert rider.judged == [8, 18, 28, 38]


@given(st.lists(st.integers(0, 30), max_size=30), st.integers(2, 20), st.data())
def test_everybody_comes_by_once_in_a_round(joins: list[int], interval: int, data: st.DataObject) -> None:
    """Whenever they joined; and nobody after they left."""
    timeout = data.draw(st.integers(1, interval - 1))
    wheel: PingWheel[Rider] = PingWheel(interval, timeout)
    riders: list[tuple[int, Rider]] = []
    for tick in range(31):
        for _ in range(joins.count(tick)):
            rider = Rider()
            wheel.add(rider)
            riders.append((tick, rider))
        ride(wheel, 1, tick)
    assert len(wheel) == len(riders) == len(list(wheel))
    ride(wheel, 2 * interval, 31)
    for joined, rider in riders:
        assert rider.pinged == list(range(joined + interval, 32 + 2 * interval, interval))
        wheel.discard(rider)
        wheel.discard(rider)
    assert len(wheel) == 0
    assert wheel.turn() == ([], [])


def test_a_timeout_longer_than_the_interval_is_refused() -> None:
    """One ping is open at a time."""
    with pytest.raises(ValueError, match="20 ticks"):
        PingWheel(interval=20, timeout=25)


def test_the_first_in_line_is_the_first_out() -> None:
    """Each has the same patience; who starts anew goes to the end."""
    line: WaitingLine[str] = WaitingLine(10)
    line.add("a", 0)
    line.add("b", 3)
    line.add("c", 4)
    line.add("a", 5)
    line.discard("c")
    line.discard("nobody")
    assert line.over(12.9) == []
    assert line.over(13) == ["b"]
    assert line.over(14) == []
    assert len(line) == 1
    assert line.over(99) == ["a"]
    assert len(line) == 0
