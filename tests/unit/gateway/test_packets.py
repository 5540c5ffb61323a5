"""Packets of Engine.IO v4 and Socket.IO v5: from their texts, and by fuzzing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.gateway import packets
from enforcer.gateway.direct.frames import CloseCode, ProtocolError
from enforcer.gateway.packets import Engine, Kind, Packet, read

READ: dict[str, Engine | Packet] = {
    "1": Engine.CLOSE,
    "3": Engine.PONG,
    "40": Packet(Kind.CONNECT, "/", None, None),
    '40{"ticket":"x"}': Packet(Kind.CONNECT, "/", None, {"ticket": "x"}),
    "40/admin,": Packet(Kind.CONNECT, "/admin", None, None),
    "40/admin": Packet(Kind.CONNECT, "/admin", None, None),
    '40/admin,{"a":1}': Packet(Kind.CONNECT, "/admin", None, {"a": 1}),
    "41": Packet(Kind.DISCONNECT, "/", None, None),
    "41/admin,": Packet(Kind.DISCONNECT, "/admin", None, None),
    '42["check"]': Packet(Kind.EVENT, "/", None, ["check"]),
    '4212["check",{"a":[1,null]}]': Packet(Kind.EVENT, "/", 12, ["check", {"a": [1, None]}]),
    '42/admin,0["x"]': Packet(Kind.EVENT, "/admin", 0, ["x"]),
    '42[" \\u00e9€"]': Packet(Kind.EVENT, "/", None, [" é€"]),
    "430[]": Packet(Kind.ACK, "/", 0, []),
    '43/admin,7[{"ok":true}]': Packet(Kind.ACK, "/admin", 7, [{"ok": True}]),
}


@pytest.mark.parametrize("text", READ)
def test_packets_that_a_page_may_send(text: str) -> None:
    """Type, namespace, id and payload, each where the protocol puts it."""
    assert read(text) == READ[text]


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "9", "0", '0{"sid":"x"}', "2", "2probe", "3probe", "5", "6", "11", "é", "b!", "bAAEC"),
        *("4", "49", "4x", "4é", "44", '44{"message":"x"}', "42", "42{}", "42[]", '42"x"', "425", "42/", "42/admin,"),
        *('42["x"', "42[NaN]", "42[Infinity]", "42[1]x", '42abc["x"]', "43", "43{}", "431", '43"x"'),
        *("4２[]", "42１[1]", "42" + "1" * 16 + '["x"]', "42" + "[" * 10_000, "42[" + "1" * 10_000 + "]", "40{"),
    ],
)
def test_what_is_no_packet_is_a_protocol_error(text: str) -> None:
    """The one error, with the code that closes the connection."""
    with pytest.raises(ProtocolError) as broken:
        read(text)
    assert broken.value.code is CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("text", ['451-["x",{"_placeholder":true,"num":0}]', "461-0[]", "45"])
def test_binary_is_refused_as_what_it_is(text: str) -> None:
    """1003: a kind of data that is not taken here."""
    with pytest.raises(ProtocolError) as broken:
        read(text)
    assert broken.value.code is CloseCode.UNSUPPORTED_DATA


def test_what_we_send() -> None:
    """Each packet as the protocol writes it."""
    assert json.loads(packets.opened("s", 25, 20, 16_384)[1:]) == {
        "sid": "s",
        "upgrades": [],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 16_384,
    }
    assert packets.opened("s", 25, 20, 1)[:1] == b"0"
    assert packets.connected("s") == b'40{"sid":"s"}'
    assert packets.refused("session-unknown") == b'44{"message":"session-unknown"}'
    assert packets.refused("x", {"a": 1}) == b'44{"message":"x","data":{"a":1}}'
    assert packets.refused("x", namespace="/é") == '44/é,{"message":"x"}'.encode()
    assert packets.disconnected() == b"41"
    assert packets.event("session", {"a": "é"}) == '42["session",{"a":"é"}]'.encode()
    assert packets.event("x", {}, 0) == b'420["x",{}]'
    assert packets.ack(12, {"ok": True}) == b'4312[{"ok":true}]'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.text(min_size=1, max_size=20), JSON, st.none() | st.integers(0, 10**15 - 1))
def test_events_come_back_as_they_went(name: str, payload: object, id_: int | None) -> None:
    """What we write is what a peer with this parser reads."""
    assert read(packets.event(name, payload, id_).decode()) == Packet(Kind.EVENT, "/", id_, [name, payload])


@given(JSON, st.integers(0, 10**15 - 1))
def test_acks_come_back_as_they_went(answer: object, id_: int) -> None:
    """The same for acks."""
    assert read(packets.ack(id_, answer).decode()) == Packet(Kind.ACK, "/", id_, [answer])


@given(st.text(max_size=60) | st.from_regex(r"4[0-9](/[a-z]*,?)?[0-9]*[\[{\]}\",a1]*", fullmatch=True))
def test_garbage_raises_nothing_but_a_protocol_error(text: str) -> None:
    """An event always has a name, whatever was sent."""
    try:
        packet = read(text)
    except ProtocolError:
        return
    if isinstance(packet, Packet) and packet.kind is Kind.EVENT:
        assert packet.data
