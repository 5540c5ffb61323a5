"""What identity providers signal: of whom they speak, what ends, and which login comes too late. Pure.

A *subject* is a text that stands for whom a signal can speak of: a session at an issuer, a person at an issuer, or an
alias of a person. A session can be spoken of by each of its `subjects_of`; a signal names some.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enforcer.domain.model import FOREVER, EndReason, Identity, Session, Terms

KEPT = 3600.0
"""Seconds for which it is remembered that a signal came, for logins that it has overtaken and for repeats of it."""
MOST_ALIASES = 16
ALIAS_LIMIT = 320
"""Aliases of a login, and characters of one: an e-mail address has 320 at most (RFC 5321 §4.5.3.1)."""
NAME_LIMIT = 512
"""Characters of an issuer, a subject or a session id of somebody else's."""
_SESSION, _PERSON, _ALIAS = "sid", "sub", "alias"
_BETWEEN = "\n"
"""In none of the texts that it stands between."""


def of_session(iss: str, sid: str) -> str:
    """A session at an issuer."""
    return _BETWEEN.join((_SESSION, iss, sid))


def of_person(iss: str, sub: str) -> str:
    """A person at an issuer."""
    return _BETWEEN.join((_PERSON, iss, sub))


def of_alias(alias: str) -> str:
    """Whoever has this alias. Case does not count in e-mail addresses, which providers write as they like."""
    return _BETWEEN.join((_ALIAS, alias.casefold() if alias[:6].casefold() == "email:" else alias))


def of_room(room: str) -> str:
    """Whoever is known here by this name: `opaque` may mean an alias or the room."""
    return of_alias(f"opaque:{room}")


def subjects_of(room: str, idp: Identity | None, aliases: Sequence[str]) -> tuple[str, ...]:
    """By what signals can speak of a login; nothing where it does not say who it is."""
    subjects = [of_alias(alias) for alias in aliases]
    if idp is not None:
        subjects += [of_person(idp.iss, idp.sub), of_room(room)]
        if idp.sid is not None:
            subjects.append(of_session(idp.iss, idp.sid))
    return tuple(dict.fromkeys(subjects))


@dataclass(frozen=True, slots=True)
class Signal:
    """A message of the signal `name` of the settings, verified and understood.

    `subjects` and `rooms` are of whom it speaks, `at` is when it was said (UTC seconds), `once` tells it from every
    other message, if it may be taken only once. `late`: it is so old that nobody remembers whether it came before, so
    it concerns only sessions that were there when it was said.
    """

    name: str
    reason: EndReason
    subjects: tuple[str, ...]
    at: float
    rooms: tuple[str, ...] = ()
    once: str | None = None
    late: bool = False

    @property
    def not_before(self) -> dict[str, float]:
        """For each subject, before when (UTC, whole seconds) a login of it must have been to be refused from now on;
        a session at an issuer that has ended there never comes back."""
        whole = math.floor(self.at)
        return {s: FOREVER if s.startswith(_SESSION + _BETWEEN) else whole for s in self.subjects}

    def means(self, session: Session) -> bool:
        """Whether it speaks of this session."""
        if self.late and session.started_at > self.at:
            return False
        subjects = subjects_of(session.room, session.idp, session.aliases)
        return session.room in self.rooms or not set(subjects).isdisjoint(self.subjects)


def claimed_subjects(room: str, terms: Terms) -> tuple[str, ...]:
    """By what signals can speak of the login that brings these terms."""
    return subjects_of(room, terms.idp, terms.aliases or ())


def signed_out(room: str, terms: Terms, signalled: Mapping[str, float]) -> bool:
    """Whether a signal has overtaken this login: its session at the issuer has ended, or its user was signed out since
    the user logged in there. A login that does not say when that was is judged by its session alone."""
    if not signalled or terms.idp is None:
        return False
    auth_time = terms.idp.auth_time
    for subject in claimed_subjects(room, terms):
        not_before = signalled.get(subject)
        if not_before is not None and (not_before >= FOREVER or (auth_time is not None and auth_time < not_before)):
            return True
    return False
