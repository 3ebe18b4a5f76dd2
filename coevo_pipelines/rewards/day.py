"""One day of the stage: scores, people, register and what the days before left -> the tables of the stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.rewards import escrow, persons, rounds
from coevo_pipelines.rewards.alerts import alerts
from coevo_pipelines.rewards.explain import arrivals, explanations
from coevo_pipelines.rewards.worth import Graph, Worth, graph_of, parts_of, shares_of, worth

if TYPE_CHECKING:
    from coevo_pipelines.settings import Round


@dataclass(frozen=True)
class Known:
    """What a day is computed from."""

    day: date
    works: pl.DataFrame
    """`citations.asof.works` with guarded_inflow, guarded_influence and integrative_potential (`influence.scores`)."""
    edges: pl.DataFrame
    """`citations.asof.edges`."""
    credits: pl.DataFrame
    """`credits.credits`."""
    aliases: pl.DataFrame
    """(id, canonical)."""
    claims: pl.DataFrame
    optouts: pl.DataFrame
    """`traces.claims` and `.optouts` of the day."""
    history: Sequence[pl.DataFrame]
    """`rewards.eligibility` of the days before that a policy looks back on, latest first."""
    earned: pl.DataFrame
    """(round, person_id, amount): sums of `rewards.allocations` where they were paid."""
    rounds: pl.DataFrame
    """`rewards.rounds` of the last day before that has any."""
    escrow: pl.DataFrame
    """Holdings that were open on it."""
    had: pl.DataFrame
    """(round, opened, person_id, amount) that people got of the rounds in which those were opened."""
    caps: pl.DataFrame
    """(round, opened, cap) of those rounds."""


@dataclass(frozen=True)
class Divided:
    """A round as of a day, step by step."""

    past: rounds.Past
    worth: Worth
    held: pl.Series
    """Why the part of a work is held back, (works,)."""
    parts: pl.DataFrame
    """What people have in works: see `persons.eligibility`."""
    rows: pl.DataFrame
    """`persons.eligibility`."""
    settled: rounds.Settled


def divide(
    known: Known,
    graph: Graph,
    register: persons.Register,
    round: Round,
    relation_weight: Mapping[str, float],
    came_back: int,
) -> Divided:
    """Divide a round as of the day; came_back: what expired on it."""
    past = _past(round, known, register, came_back)
    value = worth(graph, round, relation_weight)
    held = persons.held_works(graph.works, register, round.licenses)
    parts = parts_of(graph, value.kept, held, round.owner_cap is not None)
    rows = persons.eligibility(parts, register)
    return Divided(past, value, held, parts, rows, rounds.settle(round, rows, register, past))


def rewards_of(
    known: Known, settings: Sequence[Round], relation_weight: Mapping[str, float], *, obstacle: str | None
) -> Mapping[str, Any]:
    """The tables of the stage, frames by name. obstacle: why nothing of the day may be paid; None when it may."""
    graph = graph_of(known.works, known.edges, known.credits)
    register = persons.register(known.claims, known.optouts, known.aliases)
    current = [round for round in settings if round.start <= known.day]
    carried = _carried(known, graph, register, current, obstacle)
    came_back = escrow.returned(carried) if obstacle is None else {}
    tables: dict[str, list[pl.DataFrame]] = {
        "rewards.receipts": [escrow.releases(carried)] if obstacle is None else [],
        "rewards.escrow": [carried],
    }
    for round in current:
        divided = divide(known, graph, register, round, relation_weight, came_back.get(round.name, 0))
        why_not = obstacle or (None if rounds.closes(round, known.day) else f"the {round.period} is not over")
        found = rounds.frames(round, known.day, divided.settled, divided.past, is_paid=why_not is None, why_not=why_not)
        found["rewards.eligibility"] = divided.rows.with_columns(round=pl.lit(round.name))
        found["rewards.explanations"] = explanations(
            divided.settled,
            _of_payees(divided, graph, register),
            arrivals(graph, divided.worth, round, relation_weight),
        ).with_columns(round=pl.lit(round.name))
        for name, frame in found.items():
            tables.setdefault(name, []).append(frame)
    result = {name: pl.concat(frames, how="diagonal_relaxed") for name, frames in tables.items() if frames}
    result["rewards.alerts"] = alerts(known.works, known.edges, known.day)
    return result


def _of_payees(divided: Divided, graph: Graph, register: persons.Register) -> pl.DataFrame:
    """What those who are paid have of each work: person_id, node_id, merit, held, work_held."""
    who = persons.identified(divided.parts.select(raw="person_id", person_id="person_id").unique("raw"), register)
    payees = who.filter(pl.col("person_id").is_in(list(divided.settled.receipts))).select("raw", "person_id", "held")
    credits = graph.credits.select("place", shares_of(graph, divided.worth.kept), raw="person_id")
    mine = credits.join(payees, "raw")
    return mine.with_columns(
        node_id=graph.works["node_id"].gather(mine["place"]), work_held=divided.held.gather(mine["place"])
    )


def _carried(
    known: Known, graph: Graph, register: persons.Register, current: Sequence[Round], obstacle: str | None
) -> pl.DataFrame:
    """Escrow from the day before; on a day that may not pay it stays as it is."""
    if obstacle is not None:
        return known.escrow
    # What waits for a work in a round that is no more keeps waiting: which licences it allowed is not known.
    ended: dict[str, Sequence[str] | None] = dict.fromkeys(known.escrow["round"].unique(), ())
    works = [
        graph.works.select("node_id", round=pl.lit(name))
        .with_columns(held=persons.held_works(graph.works, register, licenses))
        .filter(pl.col("held").is_not_null())
        for name, licenses in (ended | {round.name: round.licenses for round in current}).items()
    ]
    none = pl.DataFrame(schema={"node_id": pl.String, "round": pl.String, "held": pl.String})
    return escrow.carried(known.escrow, known.day, register, pl.concat([none, *works]), known.had, known.caps)


def _past(round: Round, known: Known, register: persons.Register, came_back: int) -> rounds.Past:
    """What the days before mean for a round, about people as they are identified today."""

    def today(frame: pl.DataFrame, column: str) -> dict[str, int]:
        own = persons.identified(frame.filter(pl.col("round") == round.name).select("person_id", column), register)
        return {person: int(total) for person, total in own.group_by("person_id").agg(pl.col(column).sum()).iter_rows()}

    before = {row["round"]: row for row in known.rounds.iter_rows(named=True)}.get(round.name)
    kept = int(before["returned"]) if before and not before["is_paid"] else 0
    return rounds.Past(
        merits=[today(frame, "merit") for frame in known.history[: rounds.reach(round)]],
        earned=today(known.earned, "amount"),
        returned=kept + came_back,
    )
