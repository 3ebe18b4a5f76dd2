"""The register: who claims which works, who wants no part in it, and who did how much. A TOML file, read purely.

The round keeper writes it; every entry is dated, and nothing in it is taken back by deleting: it gets an `until`.

    [[claims]]
    person = "person:ada"                  # the keeper's name for one human being: a-z, 0-9, '.', '_' and '-'
    name = "Ada Lovelace"                  # optional
    subjects = [                           # who she is elsewhere; each as it stands in influence.people
        "github:ada",                      # an account: github:… or hf:…
        "orcid:0000-0001-2345-6789",
        "arxiv:1712.06567#2",              # the second author of that work
    ]
    proof = "https://gist.github.com/ada/1"  # what was checked; without it the claim is known and not verified
    since = 2026-01-05                     # a date, or a time with its offset (UTC where it has none)
    until = 2027-01-01                     # optional: from then on it stands no more
    payout = { ethereum = "0x…", github_sponsors = "ada", open_collective = "ada" }

    [[optouts]]
    owner = "github:ada"                   # one of person, owner, work
    since = 2026-02-01
    reason = "not now"                     # optional

    [[shares]]
    work = "arxiv:1712.06567"
    since = 2026-01-05
    share = { "orcid:0000-0001-2345-6789" = 3, "github:bob" = "1.5" }     # whole, or decimal as text
    # or, by the 14 roles of CRediT (ANSI/NISO Z39.104-2022, https://credit.niso.org); each role counts one:
    # credit = { "orcid:0000-0001-2345-6789" = ["Conceptualization", "Software"] }

An entry stands on a day when `since` is not after the day's last instant and `until` is. Of several share tables of
one work the one with the latest `since` stands. An entry with a wrong, missing or unknown field is rejected as a
whole, with the place, and its neighbours stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeVar

from coevo_pipelines.traces import identifiers, toml_text
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.funding import ETHEREUM, LOGIN, SLUG, readable

CREDIT_ROLES = (
    "Conceptualization",
    "Data curation",
    "Formal analysis",
    "Funding acquisition",
    "Investigation",
    "Methodology",
    "Project administration",
    "Resources",
    "Software",
    "Supervision",
    "Validation",
    "Visualization",
    "Writing – original draft",
    "Writing – review & editing",
)
"""As https://credit.niso.org/contributor-roles-defined/ names them, with its en dash; a hyphen is taken for one."""

Scope = Literal["person", "owner", "work"]
SCOPES: tuple[Scope, ...] = ("person", "owner", "work")
MOST = 2**63 - 1

_PERSON = re.compile(r"person:[a-z0-9][a-z0-9._-]{0,62}")
_HF_ACCOUNT = re.compile(r"(?!\.{1,2}$)[\w.-]{1,96}", re.ASCII)
_AUTHOR = re.compile(r"(?P<work>.+)#(?P<position>[1-9][0-9]{0,5}|unknown)")
_DECIMAL = re.compile(r"(?P<whole>[0-9]{1,19})(?:\.(?P<part>[0-9]{1,12}))?", re.ASCII)
_PAYOUTS: dict[str, re.Pattern[str] | None] = {
    "ethereum": ETHEREUM,
    "drips": None,
    "github_sponsors": LOGIN,
    "open_collective": SLUG,
    "paypal": None,
    "bank": None,
    "liberapay": None,
    "patreon": None,
    "ko_fi": None,
    "other": None,
}


@dataclass(frozen=True)
class Claim:
    """`person` says to be each of `subjects`. `payouts`: channel -> address. Without `proof` it is not verified."""

    place: str
    person: str
    subjects: tuple[str, ...]
    since: datetime
    name: str | None
    proof: str | None
    payouts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Optout:
    """From `since` on, nothing is to be paid to the person, the owner's works, or the work."""

    place: str
    scope: Scope
    subject: str
    since: datetime
    reason: str | None


@dataclass(frozen=True)
class Share:
    """The parts of the people behind a work, as integers of one unit of their own."""

    place: str
    work: str
    basis: Literal["share", "credit"]
    parts: tuple[tuple[str, int], ...]
    since: datetime


@dataclass
class Register:
    """What stands at one moment; `rejected` holds (place, reason) of what could not be read or stands twice."""

    claims: list[Claim] = field(default_factory=list)
    optouts: list[Optout] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)


def load(body: bytes) -> dict[str, Any]:
    """The TOML document in `body`; ParseError, with the line, when it is none."""
    try:
        return toml_text.table(body.decode("utf-8-sig"))
    except ValueError as error:  # ParseError is one, and so is what is not UTF-8
        raise ParseError(f"not valid TOML in UTF-8: {error}") from error


def read(body: bytes, at: datetime) -> Register:
    """The entries of the register that stand at `at`. Raises ParseError when the file as a whole is unreadable."""
    document = load(body)
    register = Register()
    for name in document.keys() - {"claims", "optouts", "shares"}:
        register.rejected.append((name, "unknown; known are claims, optouts and shares"))
    register.claims = list(_unclaimed_twice(register, _standing(register, document, "claims", _claim, at)))
    register.optouts = list(_once(register, _standing(register, document, "optouts", _optout, at)))
    register.shares = list(_latest(register, _standing(register, document, "shares", _share, at)))
    register.rejected.sort()
    return register


def subject(value: Any) -> str:
    """A person as influence names one: an account, an ORCID iD, a person of the register or `<work>#<position>`."""
    text = readable(value)
    if match := _AUTHOR.fullmatch(text):
        return f"{work(match['work'])}#{match['position']}"
    kind, _, rest = text.partition(":")
    if kind == "person" and _PERSON.fullmatch(text):
        return text
    if kind == "orcid" and identifiers.orcid(rest) == rest and _orcid_digit(rest) == rest[-1]:
        return text
    if kind in {"github", "hf"}:
        return account(text)
    raise ParseError(f"not a person, an account, an ORCID iD or <work>#<position>: {text[:80]!r}")


def account(value: Any) -> str:
    """`github:<login>` or `hf:<name>`, as written: the services keep the case and compare without it."""
    text = readable(value)
    kind, _, name = text.partition(":")
    if (kind == "github" and LOGIN.fullmatch(name)) or (kind == "hf" and _HF_ACCOUNT.fullmatch(name)):
        return text
    raise ParseError(f"not an account (github:login or hf:name): {text[:80]!r}")


def work(value: Any) -> str:
    """The canonical identifier of a work, from one with its prefix. `git:<name>` is a repository of the genome."""
    text = readable(value)
    kind, _, rest = text.partition(":")
    if kind == "arxiv":
        return identifiers.arxiv(rest)[0]
    if read := {"doi": identifiers.doi, "github": identifiers.github, "hub": identifiers.hub}.get(kind):
        return read(rest)
    if kind == "openalex" and rest.startswith("W"):
        return identifiers.openalex(rest)
    if kind == "hf" and (parts := rest.partition("/"))[0] in {"model", "dataset", "space"}:
        return identifiers.huggingface(parts[0], parts[2])
    if kind == "git" and rest:
        return text
    raise ParseError(
        f"not a work (arxiv:, doi:, github:owner/name, hf:model/…, openalex:W…, hub:name, git:name): {text[:80]!r}"
    )


_T = TypeVar("_T")
_Entry = TypeVar("_Entry", Claim, Optout, Share)


class _Wrong(Exception):
    """One field of an entry is wrong."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.reason = place, reason


class _Fields:
    """The fields of one entry, taken one by one; each failure says where."""

    def __init__(self, place: str, entry: Any) -> None:
        if not isinstance(entry, dict):
            raise _Wrong(place, "expected a table of fields")
        self.place = place
        self._left = dict(entry)
        self.since = self.need("since", _moment)
        self.until = self.take("until", _moment, optional=True)
        if self.until is not None and self.until <= self.since:
            raise _Wrong(f"{place}.until", "is not after since")

    def take(self, name: str, convert: Callable[[Any], _T], *, optional: bool = False) -> _T | None:
        if name not in self._left:
            if optional:
                return None
            raise _Wrong(f"{self.place}.{name}", "is missing")
        return _at(f"{self.place}.{name}", convert, self._left.pop(name))

    def need(self, name: str, convert: Callable[[Any], _T]) -> _T:
        value = self.take(name, convert)
        assert value is not None
        return value

    def which(self, names: tuple[str, ...]) -> str:
        given = [name for name in names if name in self._left]
        if len(given) != 1:
            raise _Wrong(self.place, f"expected one of {', '.join(names)}; found {' and '.join(given) or 'none'}")
        return given[0]

    def end(self) -> None:
        if self._left:
            raise _Wrong(f"{self.place}.{min(self._left)}", "unknown field")


def _standing(
    register: Register, document: dict[str, Any], name: str, convert: Callable[[_Fields], _Entry], at: datetime
) -> Iterator[_Entry]:
    entries = document.get(name, [])
    if not isinstance(entries, list):
        register.rejected.append((name, f"expected [[{name}]] entries"))
        return
    for number, entry in enumerate(entries):
        try:
            fields = _Fields(f"{name}[{number}]", entry)
            converted = convert(fields)
            fields.end()
        except _Wrong as wrong:
            register.rejected.append((wrong.place, wrong.reason))
            continue
        if fields.since <= at and (fields.until is None or at < fields.until):
            yield converted


def _claim(fields: _Fields) -> Claim:
    return Claim(
        place=fields.place,
        person=fields.need("person", _person),
        subjects=fields.need("subjects", lambda value: _list(value, subject)),
        since=fields.since,
        name=fields.take("name", readable, optional=True),
        proof=fields.take("proof", lambda value: readable(value, 2000), optional=True),
        payouts=fields.take("payout", _payouts, optional=True) or (),
    )


def _optout(fields: _Fields) -> Optout:
    converters: dict[Scope, Callable[[Any], str]] = {"person": subject, "owner": account, "work": work}
    scope = next(scope for scope in SCOPES if scope == fields.which(SCOPES))
    return Optout(
        place=fields.place,
        scope=scope,
        subject=fields.need(scope, converters[scope]),
        since=fields.since,
        reason=fields.take("reason", lambda value: readable(value, 2000), optional=True),
    )


def _share(fields: _Fields) -> Share:
    named = fields.need("work", work)
    if fields.which(("share", "credit")) == "share":
        return Share(fields.place, named, "share", fields.need("share", _scaled), fields.since)
    return Share(fields.place, named, "credit", fields.need("credit", _roles), fields.since)


def _unclaimed_twice(register: Register, claims: Iterator[Claim]) -> Iterator[Claim]:
    """A person who claims a subject again keeps the first claim of it. Two persons may: that is a dispute."""
    seen: dict[tuple[str, str], str] = {}
    for claim in claims:
        kept = []
        for number, one in enumerate(claim.subjects):
            first = seen.setdefault((claim.person, _same(one)), claim.place)
            if first == claim.place and one not in kept:
                kept.append(one)
            else:
                register.rejected.append((f"{claim.place}.subjects[{number}]", f"claimed already in {first}"))
        yield Claim(claim.place, claim.person, tuple(kept), claim.since, claim.name, claim.proof, claim.payouts)


def _once(register: Register, optouts: Iterator[Optout]) -> Iterator[Optout]:
    seen: dict[tuple[str, str], str] = {}
    for optout in optouts:
        first = seen.setdefault((optout.scope, _same(optout.subject)), optout.place)
        if first == optout.place:
            yield optout
        else:
            register.rejected.append((optout.place, f"the same as {first}"))


def _latest(register: Register, shares: Iterator[Share]) -> Iterator[Share]:
    latest: dict[str, Share] = {}
    for share in shares:
        held = latest.get(share.work)
        if held is not None and held.since == share.since:
            register.rejected.append((share.place, f"{held.place} is of the same work and the same since"))
        elif held is None or held.since < share.since:
            latest[share.work] = share
    yield from latest.values()


def _same(name: str) -> str:
    return name.lower() if name.startswith(("github:", "hf:")) else name


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError as error:
            raise ParseError("is outside of the calendar") from error
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ParseError("expected a date such as 2026-01-05, without quotes")


def _person(value: Any) -> str:
    text = readable(value)
    if not _PERSON.fullmatch(text):
        raise ParseError(f"expected person: and 1 to 63 of a-z, 0-9, '.', '_', '-', found {text[:80]!r}")
    return text


def _payouts(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple(_table(value, lambda channel: channel, _payout))


def _payout(channel: str, value: Any) -> str:
    if channel not in _PAYOUTS:
        raise ParseError(f"unknown channel; known: {', '.join(_PAYOUTS)}")
    address, pattern = readable(value), _PAYOUTS[channel]
    if pattern is not None and not pattern.fullmatch(address):
        raise ParseError(f"not an address there: {address[:60]!r}")
    return address


def _scaled(value: Any) -> tuple[tuple[str, int], ...]:
    """Parts as integers: all times the power of ten that makes the finest one whole."""
    parts = list(_table(value, contributor, _part))
    digits = max((len(part[1]) for _, part in parts), default=0)
    scaled = tuple((who, int(whole + fraction.ljust(digits, "0"))) for who, (whole, fraction) in parts)
    if not 0 < sum(amount for _, amount in scaled) <= MOST:
        raise ParseError("the parts must have a sum above 0 and, as integers of one unit, below 2^63")
    return scaled


def _part(_who: str, value: Any) -> tuple[str, str]:
    """(digits before the point, digits after it)."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
        value = str(value)
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ParseError('expected a whole number of at least 0, or a decimal as text, such as "1.5"')
    return match["whole"], (match["part"] or "").rstrip("0")


def _roles(value: Any) -> tuple[tuple[str, int], ...]:
    counted = tuple(_table(value, contributor, lambda _, roles: len(_list(roles, _role))))
    if not counted:
        raise ParseError("names nobody")
    return counted


def _role(value: Any) -> str:
    written = readable(value).replace(" - ", " – ").casefold()
    for role in CREDIT_ROLES:
        if role.casefold() == written:
            return role
    raise ParseError(f"not one of the 14 roles of CRediT: {str(value)[:60]!r}")


def contributor(value: Any) -> str:
    """Whom a part belongs to: a `subject`, or the plain name of somebody without any identifier."""
    text = readable(value)
    return text if ":" not in text and "#" not in text else subject(text)


def _table(value: Any, name: Callable[[Any], str], convert: Callable[[str, Any], _T]) -> Iterator[tuple[str, _T]]:
    if not isinstance(value, dict):
        raise ParseError("expected a table {name = value}")
    seen: set[str] = set()
    for key, given in value.items():
        try:
            known = name(key)
            if _same(known) in seen:
                raise ParseError("is named twice")
            converted = convert(known, given)
        except ParseError as error:
            raise _Deeper(f".{key!r}"[:100] + _below(error), str(error)) from error
        seen.add(_same(known))
        yield known, converted


def _list(value: Any, convert: Callable[[Any], str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ParseError("expected a list that is not empty")
    found: list[str] = []
    for number, one in enumerate(value):
        try:
            found.append(convert(one))
        except ParseError as error:
            raise _Deeper(f"[{number}]{_below(error)}", str(error)) from error
        if found[-1] in found[:-1]:
            raise _Deeper(f"[{number}]", "is named twice")
    return tuple(found)


class _Deeper(ParseError):
    """Wrong inside a value: `where` is the place below the field."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.where = where


def _below(error: ParseError) -> str:
    return error.where if isinstance(error, _Deeper) else ""


def _at(place: str, convert: Callable[[Any], _T], value: Any) -> _T:
    try:
        return convert(value)
    except ParseError as error:
        raise _Wrong(place + _below(error), str(error)) from error


def _orcid_digit(orcid: str) -> str:
    """The check character of an ORCID iD (ISO 7064 MOD 11-2)."""
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    return "X" if rest == 10 else str(rest)
