"""Whom a page speaks for, by what it shows. Whether the session of a ticket lives is the store's to say."""

from enforcer import protocol
from enforcer.domain.errors import Refused, TicketInvalid
from enforcer.gateway.link import Link
from enforcer.gateway.socket import Refusal
from enforcer.tickets import PAGE, Ticket, TicketOffice
from enforcer.usecases.registry import new_session_id

REMEDIES = {
    "ticket-invalid": "a page showed a ticket that this server has not made: both need one authkey, or the page is"
    " another server's",
    "ticket-required": 'a page showed no ticket: put one into it, or set `join` to "open" if pages have none',
    "room-required": "a page named no room and showed no ticket: put one of them into it",
}
"""Refusals that come of a wrong set-up, and what the log says about them."""


def identify(auth: object, office: TicketOffice, *, by_name: bool) -> tuple[str, str, Ticket | None]:
    """Room, session and ticket that a CONNECT with this `auth` speaks for; `by_name`: with `join: "open"`.

    The ticket may have expired: that is for whoever has found the session live to judge.

    Raises:
        Refusal: goes out as CONNECT_ERROR.
    """
    members = auth if isinstance(auth, dict) else {}
    token = members.get("ticket")
    if token is not None:
        try:
            ticket = _checked(token, office)
        except Refused as e:
            raise Refusal(e.code) from None
        return ticket.room, ticket.session, ticket
    if not by_name:
        raise Refusal("ticket-required")
    room, session = protocol.room_text(members.get("room")), members.get("session")
    if room is None or room == "":
        raise Refusal("room-required")
    if not protocol.valid_room(room) or not (session is None or protocol.valid_session(session)):
        raise Refusal("invalid-request")
    return room, session or new_session_id(), None


def why_not_end_others(link: Link, token: object, office: TicketOffice, now: float) -> str | None:
    """Why the page may not log out everywhere; None if it may.

    The id of a polling session stands in URLs, and so in the logs of proxies. Whoever finds one there can send what
    its page could, so that over polling the ticket (`token`) is asked for again.
    """
    if not link.by_ticket or (link.socket.polls and token is None):
        return "ticket-required"
    if not link.socket.polls:
        return None
    try:
        ticket = _checked(token, office)
        ticket.judge_life(now)
    except Refused as e:
        return e.code
    return None if (ticket.room, ticket.session) == (link.room, link.session) else TicketInvalid.code


def _checked(token: object, office: TicketOffice) -> Ticket:
    if not isinstance(token, str):
        raise TicketInvalid("a ticket is a text")
    return office.check(token, PAGE)
