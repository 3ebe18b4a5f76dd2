"""Records of people: what a source names, put together only where a claim with a proof says so.

An identifier is an ORCID iD, an account, a work and a place in its list of authors, or a person of the register
(`rewards.persons`). All identifiers of an undisputed claim are one page. Who opted out has none, and is not named on
any other page of this room.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import links
from coevo_pipelines.report.entities.asked import (
    HISTORY,
    MOST,
    RECENT,
    Queries,
    by_owner,
    filled,
    leading,
    over_graph,
    percent,
    placed,
    short,
    words,
)
from coevo_pipelines.report.page import Page, Records

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

EXPLAINED, HELD, RECEIPTS = 40, 30, 60
ADDRESS = re.compile(r"[^\s@<>()]+@[^\s@<>()]+\.[^\s@<>()]+")
UNNAMED = "someone who opted out"

_EVERYONE = """
SELECT person_id FROM influence.people WHERE date = getvariable('day')
UNION SELECT person_id FROM rewards.allocations WHERE date = getvariable('day')
UNION SELECT person_id FROM rewards.eligibility WHERE date = getvariable('day')
UNION SELECT person_id FROM rewards.escrow WHERE date = getvariable('day')
UNION SELECT person_id FROM traces.claims WHERE date = getvariable('day')
ORDER BY 1
"""

WHO: Mapping[str, str] = {
    "everyone": _EVERYONE,
    "sourced": "SELECT DISTINCT person_id FROM influence.people WHERE date = getvariable('day') ORDER BY 1",
    "claims": "SELECT person_id, subject, name, proof FROM traces.claims WHERE date = getvariable('day') ORDER BY 1, 2",
    "optouts": "SELECT scope, subject FROM traces.optouts WHERE date = getvariable('day') ORDER BY 1, 2",
}
"""What `who` needs, beside `standing`."""


@dataclass(frozen=True)
class Who:
    """Whose page an identifier of a person leads to."""

    pages: Mapping[str, str]
    """Identifier that the page is under, of each identifier that sources or rounds use."""
    hidden: frozenset[str]
    """Identifiers of those who opted out; accounts in small letters, too."""
    standing: Mapping[str, tuple[bool, str | None]]
    """Of each identifier, whether it is verified, and what is in the way of being paid."""

    def page(self, person: str) -> str | None:
        """Null where there is none: of an owner who is nobody's author, and of who opted out."""
        return self.pages.get(person)

    def name(self, person: str, given: str | None) -> str | None:
        return UNNAMED if person in self.hidden or person.lower() in self.hidden else named(given)


def named(given: str | None) -> str | None:
    """A name for a page; what looks like an e-mail address is not shown."""
    return words(None if given is None else ADDRESS.sub("(an e-mail address)", given))


def who(frames: Frames) -> Who:
    """From the questions `WHO` and `standing`: what the reward rounds take for one person is one page."""
    from coevo_pipelines.rewards.persons import identified, register

    known = register(frames["claims"], frames["optouts"], frames["standing"])
    owners_out = set(known.owners_out["key"].to_list())
    rows = identified(frames["everyone"].with_columns(raw="person_id"), known).sort("raw")
    sourced = set(frames["sourced"]["person_id"].to_list())
    hidden: set[str] = {*known.out["key"], *owners_out}
    under: dict[str, list[str]] = defaultdict(list)
    standing: dict[str, tuple[bool, str | None]] = {}
    for person, raw, verified, held in rows.select("person_id", "raw", "is_verified", "held").iter_rows():
        standing[raw] = verified, held
        if held == "opted_out" or raw.lower() in owners_out:
            hidden |= {person, raw}
        else:
            under[person].append(raw)
    claimed = set(frames["claims"]["person_id"].to_list())
    pages: dict[str, str] = {}
    for person, raws in under.items():
        # A claim's page is the person's; else the name that the sources use, in their letters.
        page = person if person in claimed else min((r for r in raws if r in sourced), default=raws[0])
        pages |= {raw: page for raw in (*raws, person) if raw not in hidden}
    return Who(pages, frozenset(hidden), standing)


_PEOPLE = """
SELECT person_id, name, works, influence, inflow, guarded_inflow FROM influence.people
WHERE date = getvariable('day') ORDER BY person_id
"""

_WORKS = f"""
, mine AS (
    SELECT c.person_id, c.node_id, c.position, c.persons FROM credits c
    UNION ALL
    SELECT p.person_id, w.node_id, 1, 1 FROM influence.people p JOIN works w ON p.person_id = w.node_id || '#unknown'
    WHERE p.date = getvariable('day')),
placed AS (
    SELECT m.*, s.influence, s.inflow, count(*) OVER (PARTITION BY m.person_id) AS n,
           row_number() OVER (PARTITION BY m.person_id ORDER BY s.influence DESC NULLS LAST, m.node_id) AS i
    FROM mine m LEFT JOIN influence.scores s ON s.node_id = m.node_id AND s.date = getvariable('day'))
SELECT p.person_id, p.n, p.node_id, w.title, w.kind, strftime(w.created_at, '%Y-%m-%d') AS created, p.position,
       p.persons, p.influence, p.inflow
FROM placed p JOIN works w USING (node_id) WHERE p.i <= {MOST} ORDER BY p.person_id, p.i
"""

_HISTORY = f"""
WITH {RECENT}
SELECT p.person_id, list(r.place ORDER BY r.place), list(p.inflow ORDER BY r.place), list(p.works ORDER BY r.place)
FROM influence.people p JOIN recent r USING (date) GROUP BY 1 ORDER BY 1
"""

_ROUNDS = f"""
WITH {RECENT}, mine AS (
    SELECT a.person_id, a.round, list(r.place ORDER BY r.place) AS places,
           list(a.amount::DOUBLE ORDER BY r.place) AS amounts
    FROM rewards.allocations a JOIN recent r USING (date) GROUP BY 1, 2)
SELECT a.person_id, a.round, r.currency, r.decimals, a.name, a.amount::VARCHAR, a.floor::VARCHAR, a.receipt::VARCHAR,
       a.held::VARCHAR, a.is_capped, a.is_dropped, a.is_paid, m.places, m.amounts, (a.merit / 1e18)::DOUBLE
FROM rewards.allocations a JOIN rewards.rounds r USING (date, round)
LEFT JOIN mine m ON m.person_id = a.person_id AND m.round = a.round
WHERE date = getvariable('day') ORDER BY a.person_id, a.round
"""

_EXPLAINED = f"""
, placed AS (
    SELECT *, count(*) OVER (PARTITION BY person_id, round) AS n,
           row_number() OVER (PARTITION BY person_id, round ORDER BY place) AS i
    FROM rewards.explanations WHERE date = getvariable('day'))
SELECT e.person_id, e.round, e.n, e.place, e.part, e.work_id, w.title, e.via, v.title AS via_title, e.relation,
       e.amount::VARCHAR AS amount, w.node_id IS NOT NULL AS has_work, v.node_id IS NOT NULL AS has_via
FROM placed e LEFT JOIN works w ON w.node_id = e.work_id LEFT JOIN works v ON v.node_id = e.via
WHERE e.i <= {EXPLAINED} ORDER BY e.person_id, e.round, e.place
"""

_ESCROW = """
SELECT e.person_id, e.round, r.currency, r.decimals, e.held, e.state, count(*) AS n, sum(e.amount)::VARCHAR AS amount,
       min(e.expires) AS expires, e.person_id AS own
FROM rewards.escrow e LEFT JOIN (
    SELECT round, arg_max(currency, date) AS currency, arg_max(decimals, date) AS decimals FROM rewards.rounds
    WHERE date <= getvariable('day') GROUP BY 1) r USING (round)
WHERE e.date = getvariable('day') GROUP BY ALL ORDER BY e.person_id, e.round, e.state, e.held
"""

_RECEIPTS = f"""
WITH placed AS (
    SELECT c.*, r.currency, r.decimals, count(*) OVER (PARTITION BY person_id) AS n,
           row_number() OVER (PARTITION BY person_id ORDER BY c.date DESC, c.round, c.kind, c.holding_id) AS i
    FROM rewards.receipts c JOIN rewards.rounds r USING (date, round) WHERE c.date <= getvariable('day'))
SELECT person_id, n, date::VARCHAR AS date, round, currency, decimals, kind, amount::VARCHAR AS amount, holding_id,
       person_id AS own
FROM placed WHERE i <= {RECEIPTS} ORDER BY person_id, i
"""

_HELD = f"""
WITH placed AS (
    SELECT *, row_number() OVER (PARTITION BY person_id ORDER BY merit DESC, round, subject, owner) AS i
    FROM rewards.eligibility WHERE date = getvariable('day') AND held IS NOT NULL)
SELECT person_id, round, held, subject, (merit / 1e18)::DOUBLE AS merit FROM placed WHERE i <= {HELD}
ORDER BY person_id, i
"""

_CLAIMS = """
SELECT person_id, subject, proof IS NOT NULL AS is_proven, strftime(event_at, '%Y-%m-%d') AS since FROM traces.claims
WHERE date = getvariable('day') ORDER BY person_id, subject
"""

_PAYOUTS = """
SELECT DISTINCT subject, channel FROM traces.payouts WHERE date = getvariable('day') ORDER BY subject, channel
"""


def _queries() -> dict[str, str]:
    return {
        **WHO,
        "standing": over_graph("SELECT id, canonical FROM standing ORDER BY id"),
        "people": _PEOPLE,
        "works": over_graph(_WORKS),
        "history": _HISTORY,
        "rounds": _ROUNDS,
        "explained": over_graph(_EXPLAINED),
        "escrow": _ESCROW,
        "receipts": _RECEIPTS,
        "held": _HELD,
        "subjects": _CLAIMS,
        "payouts": _PAYOUTS,
    }


def records(frames: Frames, about: About) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One record a person, and for each other identifier of one whom it `is`."""
    days = min(len(about.days), HISTORY)
    known = who(frames)
    found = {name: by_owner(frames[name]) for name in frames if name not in (*WHO, "standing")}
    identifiers: dict[str, list[str]] = defaultdict(list)
    for raw, page in sorted(known.pages.items()):
        identifiers[page].append(raw)
    inflow = {
        page: sum(row[3] for raw in raws for row in found["people"].get(raw, ())) for page, raws in identifiers.items()
    }
    named_people = [page for page in identifiers if not page.endswith("#unknown") and inflow[page]]
    ordered = sorted(named_people, key=lambda page: -inflow[page])
    ranks: dict[str, int] = {}
    for place, page in enumerate(ordered):
        before = ordered[place - 1] if place else None
        ranks[page] = ranks[before] if before is not None and inflow[before] == inflow[page] else place + 1
    for page, raws in identifiers.items():
        rank = [ranks[page], len(ordered)] if page in ranks else None
        yield page, _person(page, raws, found, days, known, rank)
        yield from ((raw, {"is": page}) for raw in raws if raw != page)


def _person(
    page: str, raws: list[str], found: Mapping[str, dict[str, list[tuple[Any, ...]]]], days: int, known: Who,
    rank: list[int] | None,
) -> dict[str, Any]:  # fmt: skip
    """Everything that is kept under any identifier of a person."""

    def of(name: str) -> list[tuple[Any, ...]]:
        return [row for raw in dict.fromkeys((page, *raws)) for row in found[name].get(raw, ())]

    people, works, rounds, receipts = of("people"), of("works"), of("rounds"), of("receipts")
    names = [row[0] for row in people] + [row[3] for row in rounds]
    verified, held = known.standing.get(page, (False, None))
    counted: dict[str, tuple[Any, ...]] = {}
    for row in works:
        counted.setdefault(row[1], row)
    top = sorted(counted.values(), key=lambda row: (-(row[7] or 0), row[1]))[:MOST]
    return filled(
        {
            "name": next((named(each) for each in names if each), None),
            "verified": verified,
            "held": held,
            "identifiers": [words(raw) for raw in raws if raw != page],
            "scores": [short(sum(row[place] for row in people)) for place in (2, 3, 4)] if people else None,
            "rows": [raw for raw in raws if raw in found["people"]],
            "rank": rank,
            "all_works": sum(row[1] for row in people) or None,
            "works": [
                [node, words(title), kind, created, position, persons, short(influence), short(share)]
                for _, node, title, kind, created, position, persons, influence, share in top
            ],
            "history": _history(of("history"), days),
            "rounds": [
                [words(name), words(currency), decimals, *amounts, placed(places or [], line or [], days), short(merit)]
                for name, currency, decimals, _, *amounts, places, line, merit in rounds
            ],
            "paid_as": next((raw for raw in (page, *raws) if raw in found["rounds"]), None),
            "explained": [
                [words(name), number, place, part, [work, words(title), is_there] if work else None,
                 [via, words(via_title), via_there] if via else None, relation, amount]
                for name, number, place, part, work, title, via, via_title, relation, amount, is_there, via_there
                in of("explained")
            ],
            "held_parts": [[words(a), b, words(c), short(d)] for a, b, c, d in of("held")],
            "escrow": [[words(name), words(currency), *more] for name, currency, *more in of("escrow")],
            "receipts": [[a, words(b), words(c), *more] for _, a, b, c, *more in receipts],
            "all_receipts": sum({raw: found["receipts"][raw][0][0] for raw in raws if raw in found["receipts"]}
                                .values()) or None,
            "claims": [[words(subject), proven, since, known.standing.get(subject, (False, None))[1] == "disputed"]
                       for subject, proven, since in found["subjects"].get(page, ())],
            "channels": sorted({channel for (channel,) in of("payouts")}),
        }
    )  # fmt: skip


def _history(found: list[tuple[Any, ...]], days: int) -> list[list[Any]] | None:
    """Lines of inflow and works, over all identifiers."""
    if not found:
        return None
    lines: list[list[Any]] = [[None] * days, [None] * days]
    for places, *values in found:
        for line, each in zip(lines, values, strict=True):
            for place, value in zip(places, each, strict=True):
                line[place] = value + (line[place] or 0)
    return [[short(value) for value in lines[0]], lines[1]]


_LEADING = """
SELECT person_id, name, works, inflow FROM influence.people
WHERE date = getvariable('day') AND person_id NOT LIKE '%#unknown' ORDER BY inflow DESC, person_id LIMIT 60
"""


def body(frames: Frames, about: About) -> str:
    """HTML of the page before a record is in it."""
    known = who(frames)
    shown: dict[str, str] = {}
    for person, given, works, inflow in frames["leading"].iter_rows():
        page = known.page(person)
        if page is None or page in shown:
            continue
        number = links.proof("influence.people", about.day, percent(inflow), person_id=person)
        what = f"{works:,} work{'' if works == 1 else 's'}, {number} of all inflow"
        shown[page] = f'{links.to("person", page, named(given) or page)} <span class="soft">{what}</span>'
    return leading(list(shown.values())[:20], "person", "people") + (
        '<p class="soft">Nobody is put together by name: what sources name twice is two people until one of them '
        "claims both. Who opted out is not shown.</p>\n"
    )


PAGE = Page(
    "person",
    "Person",
    {**WHO, "leading": _LEADING, "standing": "SELECT id, arg_max(node_id, date) AS canonical FROM citations.aliases "
     "WHERE date <= getvariable('day') GROUP BY id ORDER BY id"},
    body,
    ("entity.js", "person.js"),
    in_navigation=False,
)  # fmt: skip
RECORDS = Records("person", Queries(_queries), records)
