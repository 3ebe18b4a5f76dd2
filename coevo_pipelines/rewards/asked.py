"""Answers to questions about rounds in the lake and the reward ledger: what the commands show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.influence.asked import nearest
from coevo_pipelines.rewards import persons, settling
from coevo_pipelines.rewards.exports.payout import Paid, Payee
from coevo_pipelines.rewards.ledger import Entry, RewardLedger, State

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Settings

TO_DO: Mapping[str, str] = {
    "retracted": "nothing can be done while the work is withdrawn",
    "licence": "the work's licence is not among those that the round pays for: the owner can give it one of them",
    "work_opted_out": "the work was taken out: an `until` on that opt-out in the register brings it back",
    "owner_opted_out": "the owner of the works opted out: an `until` on that opt-out in the register brings them back",
    "opted_out": "the person opted out: an `until` on that opt-out in the register ends it",
    "disputed": "two persons claim this: one of the claims must end (an `until` in the register), by agreement",
    "unknown_person": "the source names nobody: claim it with a proof, as the work's author, in the register",
    "unverified": "claim it with a proof: a [[claims]] entry in the register with person, subjects and proof",
}
"""By the reason for which money is held (docs/explanation/rewards.md)."""


class UnknownPerson(ValueError):
    """Nobody of that name has to do with the round; the message names the nearest ones."""


class NothingThere(ValueError):
    """The lake or the ledger has no such round, day or entry; the message says what there is."""


@dataclass(frozen=True)
class Explained:
    """Why a person gets what he gets in a round as of a day."""

    asked: str
    person_id: str
    round: Mapping[str, Any]
    """Row of `rewards.rounds`."""
    allocation: Mapping[str, Any] | None
    """Row of `rewards.allocations`; None: no part in the round."""
    parts: pl.DataFrame
    """`rewards.explanations` of the person with titles: they add up to the receipt."""
    rows: pl.DataFrame
    """`rewards.eligibility` of the person."""
    holdings: pl.DataFrame
    """`rewards.escrow` of the person, in this round: of this day and earlier ones, as it stands on the day."""
    claims: Mapping[str, str | None]
    """What the person claims to be -> why that does not count yet, or None."""
    addresses: Mapping[str, str]
    entry: str | None
    """Of the reward ledger, where the round was paid on the day."""
    sent: str | None
    """When that entry was sent, as the ledger says."""

    @property
    def reasons(self) -> list[str]:
        held = [*self.rows["held"], *self.holdings.filter(pl.col("state") == "open")["held"], *self.claims.values()]
        return [reason for reason in TO_DO if reason in held]


def round_row(snapshot: Snapshot, day: date, name: str | None) -> dict[str, Any]:
    """The row of `rewards.rounds`; the only one of the day where no name is given. Raises NothingThere."""
    table = snapshot.scan("rewards.rounds", on=day).drop("date").collect()
    rows = {str(row["round"]): row for row in table.iter_rows(named=True)}
    if name is None and len(rows) == 1:
        return next(iter(rows.values()))
    if name not in rows:
        there = f"there are {', '.join(rows)}" if rows else "it has none (setting rounds)"
        raise NothingThere(
            f"{day}: {there}: name one with --round" if name is None else f"{day} has no round {name!r}; {there}"
        )
    return rows[name]


def explain(snapshot: Snapshot, day: date, name: str | None, asked: str, settings: Settings) -> Explained:
    """About a person of a round, under any name that he has. Raises NothingThere, UnknownPerson."""
    row = round_row(snapshot, day, name)
    register, stands = _register(snapshot, day, settings)
    given = _own(snapshot, "rewards.allocations", day, row["round"])
    person = _person(asked, given, register, stands, snapshot, day)
    found = given.filter(pl.col("person_id") == person).to_dicts()
    claims = _claims(snapshot, day, person, register, stands)
    entry, sent = _paid_by(RewardLedger(snapshot.root).replay(), row["round"], day)
    return Explained(
        asked,
        person,
        row,
        found[0] if found else None,
        _titled(_of(_own(snapshot, "rewards.explanations", day, row["round"]), person).sort("place"), snapshot, day),
        _of(_own(snapshot, "rewards.eligibility", day, row["round"]), person),
        _holdings(_own(snapshot, "rewards.escrow", day, row["round"]), person, claims, register),
        claims,
        addresses(snapshot, day, [person], register)[person],
        entry if row["is_paid"] else None,
        sent if row["is_paid"] else None,
    )


def _own(snapshot: Snapshot, table: str, day: date, name: str) -> pl.DataFrame:
    return snapshot.scan(table, on=day).filter(pl.col("round") == name).drop("date").collect()


def _of(frame: pl.DataFrame, person: str) -> pl.DataFrame:
    return frame.filter(pl.col("person_id") == person)


def _register(snapshot: Snapshot, day: date, settings: Settings) -> tuple[persons.Register, Mapping[str, str]]:
    """The register of the day, and what stands for identifiers of works."""
    from coevo_pipelines.influence.load import aliases_of, tables_of
    from coevo_pipelines.lake.engine import Engine

    with Engine(snapshot, settings.engine) as engine:
        aliases = aliases_of(engine, tables_of(engine, day))
    claims, optouts = (snapshot.scan(f"traces.{name}", on=day).collect() for name in ("claims", "optouts"))
    return persons.register(claims, optouts, aliases), dict(aliases.iter_rows())


def _person(
    asked: str,
    given: pl.DataFrame,
    register: persons.Register,
    stands: Mapping[str, str],
    snapshot: Snapshot,
    day: date,
) -> str:
    """Who is meant by a person, an account, an ORCID iD or the author of a work."""
    name = _canonical(asked.strip(), stands)
    known = persons.identified(pl.DataFrame({"person_id": [name]}), register).row(0, named=True)
    person = str(known["person_id"])
    scored = snapshot.scan("influence.people", on=day).select("person_id").collect()["person_id"]
    people = pl.concat([given["person_id"], register.people["person_id"], scored]).unique()
    if known["is_verified"] or person in people:
        return person
    if person.startswith(("github:", "hf:")) and len(
        same := people.filter(people.str.to_lowercase() == person.lower())
    ):
        return str(same[0])
    work = stands.get(person, person)
    authors = people.filter(people.str.starts_with(f"{work}#")).sort().head(5).to_list()
    in_name = pl.col("name").str.to_lowercase().str.contains(asked.lower(), literal=True)
    called = given.filter(in_name).sort(pl.col("amount").neg(), "person_id")["person_id"].head(3).to_list()
    near = list(dict.fromkeys([*called, *(authors or nearest(asked, people))]))[:5]
    hint = f"; did you mean {' or '.join(near)}?" if near else '; `coevo query "FROM influence.people"` lists everybody'
    raise UnknownPerson(f"nobody is known as {asked!r} on {day}{hint}")


def _canonical(name: str, stands: Mapping[str, str]) -> str:
    """The author of a work under the work's identifier of the day."""
    work, mark, place = name.rpartition("#")
    return f"{stands.get(work, work)}#{place}" if mark else name


def _claims(
    snapshot: Snapshot, day: date, person: str, register: persons.Register, stands: Mapping[str, str]
) -> dict[str, str | None]:
    claims = snapshot.scan("traces.claims", on=day).filter(pl.col("person_id") == person).collect()
    subjects = [_canonical(subject, stands) for subject in claims["subject"]]
    held = persons.identified(pl.DataFrame({"person_id": subjects}, schema={"person_id": pl.String}), register)["held"]
    return dict(zip(subjects, held, strict=True))


def _titled(parts: pl.DataFrame, snapshot: Snapshot, day: date) -> pl.DataFrame:
    ids = pl.concat([parts["work_id"], parts["via"]]).drop_nulls().unique()
    nodes = snapshot.scan("citations.nodes", upto=day).filter(pl.col("node_id").is_in(ids.implode()))
    titles = nodes.sort("date").group_by("node_id").agg(pl.col("title").drop_nulls().last()).collect()
    for column in ("work_id", "via"):
        named = titles.select(pl.col("node_id").alias(column), pl.col("title").alias(f"{column}_title"))
        parts = parts.join(named, on=column, how="left", maintain_order="left")
    return parts


def _holdings(
    escrow: pl.DataFrame, person: str, claims: Mapping[str, str | None], register: persons.Register
) -> pl.DataFrame:
    """Held for the person under any of his names, also those that he only claims, or released to him."""
    now = persons.identified(escrow.select("person_id"), register)["person_id"]
    mine = now.is_in([person, *claims]) | (escrow["released_to"] == person).fill_null(False)
    return escrow.filter(mine).sort("opened", "holding_id")


def _paid_by(state: State, name: str, day: date) -> tuple[str | None, str | None]:
    known = state.rounds.get(name)
    if known is None or day.isoformat() not in known.entries:
        return None, None
    entry = known.effective(day.isoformat()).id
    payment = state.payments.get(entry)
    return entry, str(payment.record["at"]) if payment else None


def addresses(
    snapshot: Snapshot, day: date, people: Sequence[str], register: persons.Register
) -> dict[str, dict[str, str]]:
    """Person -> channel -> where to pay, as known on `day`.

    What the register says goes first. Of the files of repositories only those count whose owner's account the person
    has claimed, each as it was last seen; a channel for which they name several counts only if one is an account of
    the person.
    """
    said = snapshot.scan("traces.payouts", upto=day).collect()
    own = said.filter(pl.col("source") == "register", pl.col("date") == day)
    files = said.filter(pl.col("source") != "register")
    files = files.filter(pl.col("date") == pl.col("date").max().over("subject", "source")).with_columns(
        key=pl.col("subject").str.extract(r"^((?:github|hf):[^/]+)").str.to_lowercase()
    )
    claimed = register.claims.filter(pl.col("claimants") == 1).select("key", "person_id")
    found: dict[str, dict[str, str]] = {person: {} for person in people}
    for (person, channel), given in files.join(claimed, "key").group_by("person_id", "channel"):
        names = claimed.filter(pl.col("person_id") == person)["key"].to_list()
        several = given["address"].unique().sort().to_list()
        chosen = several if len(several) == 1 else [one for one in several if f"github:{one.lower()}" in names]
        if person in found and len(chosen) == 1:
            found[str(person)][str(channel)] = chosen[0]
    for person, channel, address in own.select("subject", "channel", "address").sort(pl.all()).iter_rows():
        if person in found:
            found[person][channel] = address
    return found


def entry_of(state: State, name: str, day: date | None, chosen: str | None) -> Entry:
    """The payable entry that is meant: by the beginning of its id, else the one that holds for the round on the day
    (the last, where none is given). Raises NothingThere."""
    known = state.rounds.get(name)
    if known is None or not known.entries:
        there = f"there are {', '.join(sorted(state.rounds))}" if state.rounds else "it is empty"
        raise NothingThere(f"the reward ledger has no round {name!r}; {there}")
    if chosen is not None:
        found = [
            entry for entry in state.entries.values() if entry.id.startswith(chosen) and entry.record["round"] == name
        ]
        if len(found) != 1:
            several = f"{len(found)} entries" if found else "no entry"
            raise NothingThere(f"{several} of round {name} in the reward ledger begin with {chosen!r}")
        return found[0]
    as_of = max(known.entries) if day is None else day.isoformat()
    if as_of not in known.entries:
        raise NothingThere(f"round {name} was not paid on {as_of}; it was on {', '.join(sorted(known.entries)[-5:])}")
    return known.effective(as_of)


def paid_before(state: State, entry: Entry) -> Entry | None:
    """The payment of the same money: of this entry or, where it is a round's, of one that it corrects."""
    record = entry.record
    same = [entry]
    if record["kind"] != "release":
        same = state.rounds[record["round"]].entries[record["as_of"]]
    return next((state.payments[one.id] for one in same if one.id in state.payments), None)


def releases_of(state: State, entry: Entry) -> list[str]:
    """Entries that release escrow in the round and are not recorded as paid: an export of the round lacks them."""
    return [
        one.id
        for one in state.entries.values()
        if one.record["kind"] == "release"
        and one.record["round"] == entry.record["round"]
        and one.id not in state.payments
        and one.id != entry.id
    ]


def payable(snapshot: Snapshot, state: State, entry: Entry, settings: Settings, collective: str | None) -> Paid:
    """What an export needs of a ledger entry. Raises NothingThere for one that pays nobody."""
    record = entry.record
    if record["kind"] == "release":
        amounts: dict[str, int] = {}
        for _, amount, person in record["holdings"]:
            amounts[person] = amounts.get(person, 0) + amount
    elif record["kind"] in {"round", "correction"}:
        amounts = dict(record["receipts"])
    else:
        raise NothingThere(f"entry {entry.id} is a {record['kind']}: it pays nobody")
    if not amounts:
        raise NothingThere(f"entry {entry.id} of round {record['round']} pays nobody: all of it is held or in reserve")
    day = date.fromisoformat(record["as_of"])
    known = state.rounds[record["round"]]
    register, _ = _register(snapshot, day, settings)
    where = addresses(snapshot, day, list(amounts), register)
    names = dict(_own(snapshot, "rewards.allocations", day, record["round"]).select("person_id", "name").iter_rows())
    last = known.entries[max(known.entries)][-1]
    return Paid(
        round=record["round"],
        as_of=day,
        entry=entry.id,
        currency=known.currency,
        decimals=known.decimals,
        payees=[Payee(person, names.get(person), amount, where[person]) for person, amount in amounts.items()],
        token=(record if "policy" in record else last.record)["policy"].get("token"),
        collective=collective,
    )


@dataclass
class Replayed:
    """The ledger beside the tables."""

    entries: int = 0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    """round, currency, decimals, days, paid, escrow, reserve, returned: what both say."""
    findings: list[str] = field(default_factory=list)


def replay(snapshot: Snapshot) -> Replayed:
    """Replay the reward ledger, with who may be paid from the lake, and compare it with the lake's tables."""
    ledger = RewardLedger(snapshot.root)
    held = {commit.date for commit in snapshot.index.partitions("rewards.eligibility")}
    known: dict[tuple[str, str], frozenset[str] | None] = {}

    def eligible(name: str, as_of: str) -> frozenset[str] | None:
        if (name, as_of) not in known:
            there = as_of in held
            known[name, as_of] = settling.eligible(snapshot, name, date.fromisoformat(as_of)) if there else None
        return known[name, as_of]

    found = Replayed(findings=ledger.findings(eligible))
    if found.findings:
        return found
    state = ledger.replay(eligible)
    found.entries = len(state.entries)
    for name, round in state.rounds.items():
        gone = sorted(set(round.entries) - held)
        found.findings += [
            f"round {name}, {as_of}: it is paid, and the lake has no tables of that day" for as_of in gone
        ]
    days = [commit.day for commit in snapshot.index.partitions("rewards.rounds")]
    for day in days:
        found.findings += _of_day(state, snapshot, day)
    found.rounds = [_sums(state, snapshot, name, days, found.findings) for name in sorted(state.rounds)]
    return found


def _of_day(state: State, snapshot: Snapshot, day: date) -> list[str]:
    """What the tables of a day and the ledger do not both say; of days that the ledger is past, settling tells."""
    found = settling.differences(state, snapshot, day)
    for draft in settling.drafts(snapshot, day):
        kind, known = draft["kind"], state.rounds.get(draft["round"])
        if known and draft["as_of"] < known.latest:
            continue
        where = f"round {draft['round']}, {day}"
        if kind == "round" and known and draft["as_of"] in known.entries:
            if off := _changes(known.effective(draft["as_of"]), draft):
                found.append(f"{where}: the tables differ in {', '.join(off)} (`coevo rewards correct` shows how)")
            continue
        lost = 0 if kind == "round" else sum(known is None or row[0] not in known.closed for row in draft["holdings"])
        if kind == "round" or lost:
            of = f" of {lost} holdings" if lost else ""
            found.append(
                f"{where}: the tables have a {kind}{of} that the ledger has not; `coevo run --date {day}` enters it"
            )
    return found


def _changes(entry: Entry, draft: Mapping[str, Any]) -> list[str]:
    return [name for name in settling.COMPARED if entry.record[name] != draft[name]]


def _sums(state: State, snapshot: Snapshot, name: str, days: Sequence[date], findings: list[str]) -> dict[str, Any]:
    """What a round paid and holds, by the ledger and by the tables."""
    round = state.rounds[name]
    last = days[-1] if days else date.min
    receipts = snapshot.scan("rewards.receipts", upto=last).filter(pl.col("round") == name)
    paid = receipts.group_by("person_id").agg(pl.col("amount").sum()).collect()
    by_tables = {person: int(amount) for person, amount in paid.iter_rows()}
    off = sorted(p for p in by_tables.keys() | round.earned.keys() if by_tables.get(p, 0) != round.earned.get(p, 0))
    if off:
        findings.append(
            f"round {name}: {off[0]} got {round.earned.get(off[0], 0):,} by the ledger and "
            f"{by_tables.get(off[0], 0):,} by the tables{f', and {len(off) - 1} others differ' if off[1:] else ''}"
        )
    escrow = snapshot.scan("rewards.escrow", on=last).filter(pl.col("round") == name, pl.col("state") == "open")
    open_ = {holding: int(amount) for holding, amount in escrow.select("holding_id", "amount").collect().iter_rows()}
    waiting = {holding: held.amount for holding, held in round.holdings.items()}
    if open_ != waiting:
        findings.append(
            f"round {name}: {sum(waiting.values()):,} wait in escrow by the ledger ({len(waiting)} holdings) and "
            f"{sum(open_.values()):,} by the tables of {last} ({len(open_)} holdings)"
        )
    return {
        "round": name,
        "currency": round.currency,
        "decimals": round.decimals,
        "days": len(round.entries),
        "people": len(round.earned),
        "paid": sum(round.earned.values()),
        "escrow": sum(waiting.values()),
        "reserve": round.reserve,
        "returned": round.returned,
    }


@dataclass(frozen=True)
class Correction:
    """What a correction of a paid day would say otherwise."""

    draft: Mapping[str, Any]
    before: Entry
    people: Sequence[tuple[str, int, int, int, int]]
    """person, receipt before and after, held before and after, where they differ; the largest change first."""
    payment: Entry | None
    """The day's money was sent already."""

    @property
    def changes(self) -> list[str]:
        return _changes(self.before, self.draft)


def correction(snapshot: Snapshot, state: State, name: str, day: date, reason: str) -> Correction:
    """The tables' present version of a day as a correction of what the ledger has. Raises NothingThere."""
    before = entry_of(state, name, day, None)
    if not reason.strip():
        raise NothingThere("a correction says why: --reason TEXT")
    drafts = [one for one in settling.drafts(snapshot, day) if one["kind"] == "round" and one["round"] == name]
    if not drafts:
        raise NothingThere(
            f"the tables of {day} do not pay round {name} ({round_row(snapshot, day, name)['why_not']}): they cannot "
            "correct what is paid"
        )
    draft = drafts[0] | {"kind": "correction", "corrects": before.id, "reason": reason}
    old, new = _by_person(before.record), _by_person(draft)
    rows = [(person, *old.get(person, (0, 0)), *new.get(person, (0, 0))) for person in old.keys() | new.keys()]
    moved = [(person, a, c, b, d) for person, a, b, c, d in rows if (a, b) != (c, d)]
    moved.sort(key=lambda row: (-abs(row[2] - row[1]) - abs(row[4] - row[3]), row[0]))
    return Correction(draft, before, moved, paid_before(state, before))


def _by_person(record: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Person -> receipt, held."""
    receipts = dict(record["receipts"])
    held: dict[str, int] = {}
    for _, person, _, _, amount, _ in record["escrow"]:
        held[person] = held.get(person, 0) + amount
    return {person: (receipts.get(person, 0), held.get(person, 0)) for person in receipts.keys() | held.keys()}


@dataclass(frozen=True)
class Shown:
    """A round as of a day."""

    row: Mapping[str, Any]
    top: Sequence[Mapping[str, Any]]
    """`rewards.allocations` of the ten that get most."""
    amounts: Sequence[int]
    capped: Sequence[str]
    dropped: int
    escrow: Sequence[tuple[str, int, int]]
    """Open on the day, earlier rounds included: reason, holdings, amount; the weightiest reason first."""
    next_expiry: tuple[str, int] | None
    """Day, and what goes back on it."""
    entry: str | None
    sent: str | None


def show(snapshot: Snapshot, day: date, name: str | None) -> Shown:
    """The round as of the day. Raises NothingThere."""
    row = round_row(snapshot, day, name)
    given = _own(snapshot, "rewards.allocations", day, row["round"])
    ranked = given.filter(pl.col("amount") > 0).sort(pl.col("amount").neg(), "person_id")
    held = _own(snapshot, "rewards.escrow", day, row["round"]).filter(pl.col("state") == "open")
    by_reason = held.group_by("held").agg(holdings=pl.len(), total=pl.col("amount").sum())
    due = held.group_by("expires").agg(pl.col("amount").sum()).sort("expires").head(1).rows()
    entry, sent = _paid_by(RewardLedger(snapshot.root).replay(), row["round"], day)
    return Shown(
        row,
        ranked.head(10).to_dicts(),
        [int(amount) for amount in ranked["amount"]],
        given.filter("is_capped")["person_id"].to_list(),
        int(given["is_dropped"].sum()),
        [(str(reason), int(count), int(total)) for reason, count, total in by_reason.sort("held").iter_rows()],
        (str(due[0][0]), int(due[0][1])) if due else None,
        entry,
        sent,
    )
