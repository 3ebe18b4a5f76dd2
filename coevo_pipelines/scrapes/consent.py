"""Who does not want to be collected: the opt-outs of the register, as they stand while a source is asked. Pure.

An opt-out that is in force now is honoured now, also when a past day is filled in: what is stored today is stored
today. Of an opted-out work, of all works of an opted-out owner, and of all works that an opted-out person owns or has
written, no text is asked for and none is stored (README, card, description, abstract, tldr). Identifiers, titles,
dates, counts and links stay: they are facts, and others build on them.

Persons are known as in `rewards/persons.py`: by an account, an ORCID iD or a place among a work's authors, and by what
they claim with a proof and nobody else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from coevo_pipelines.traces import register

WITHHELD = "coevo-withheld"
"""The header under which a stored answer says of which works something was left out, and since when."""


@dataclass(frozen=True)
class Consent:
    """Opt-outs, each with the moment from which it stands. Names are in small letters."""

    works: Mapping[str, datetime] = field(default_factory=dict)
    owners: Mapping[str, datetime] = field(default_factory=dict)
    people: Mapping[str, datetime] = field(default_factory=dict)
    """Accounts and `orcid:…`."""
    unread: tuple[str, ...] = ()
    """Opt-outs and claims of the register that cannot be read, and so are not honoured: place and reason."""

    def __bool__(self) -> bool:
        return bool(self.works or self.owners or self.people)

    def withheld(
        self, works: Iterable[str] = (), *, owner: str | None = None, people: Iterable[str] = ()
    ) -> datetime | None:
        """Since when the work of these identifiers, this owner and these people is opted out; None where it is not."""
        accounts = [owner.lower()] if owner else []
        found = [
            *(self.works.get(work.lower()) for work in works),
            *(self.owners.get(account) for account in accounts),
            *(self.people.get(person.lower()) for person in (*accounts, *people)),
        ]
        return min((since for since in found if since is not None), default=None)


EVERYBODY = Consent()
"""Nobody has opted out."""


def standing(body: bytes, at: datetime) -> Consent:
    """The opt-outs of a register that stand at `at`. Raises ParseError when the file as a whole is unreadable."""
    known = register.read(body, at)
    return consent_of(
        ((optout.scope, optout.subject, optout.since) for optout in known.optouts),
        ((claim.person, subject) for claim in known.claims if claim.proof for subject in claim.subjects),
        tuple(f"{place}: {reason}" for place, reason in known.rejected if not place.startswith("shares")),
    )


def consent_of(
    optouts: Iterable[tuple[str, str, datetime]], claims: Iterable[tuple[str, str]], unread: tuple[str, ...] = ()
) -> Consent:
    """From (scope, subject, since) of opt-outs and (person, subject) of claims with a proof."""
    works: dict[str, datetime] = {}
    owners: dict[str, datetime] = {}
    people: dict[str, datetime] = {}
    claimants = _claimants(claims)
    for scope, subject, since in optouts:
        name = subject.lower()
        person = claimants.get(name, name)  # out under one name is out under all
        theirs = {name, *(one for one, by in claimants.items() if by == person)} if scope == "person" else {name}
        for one in theirs:
            if scope == "person" and "#" in one:
                _earliest(works, one.rpartition("#")[0], since)
            else:
                _earliest({"work": works, "owner": owners, "person": people}[scope], one, since)
    return Consent(works, owners, people, unread)


def said(found: Mapping[str, datetime]) -> str:
    """The value of the header `WITHHELD`."""
    return "; ".join(f"{work} since {since:%Y-%m-%d}" for work, since in sorted(found.items()))


def read_said(value: str) -> dict[str, str]:
    """(work, date) pairs of such a value."""
    pairs = (one.rpartition(" since ") for one in value.split("; ") if one)
    return {work: since for work, _, since in pairs}


def _claimants(claims: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Who one is elsewhere -> the one person who says so with a proof."""
    found: dict[str, set[str]] = {}
    for person, subject in claims:
        found.setdefault(subject.lower(), set()).add(person)
    return {subject: min(persons) for subject, persons in found.items() if len(persons) == 1}


def _earliest(known: dict[str, datetime], name: str, since: datetime) -> None:
    known[name] = min(since, known.get(name, since))
