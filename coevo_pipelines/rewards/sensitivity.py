"""What would move if something were otherwise: a link, a source, a parameter of a round left out.

Each answer divides the whole round again, from the graph on. Integrative potential and the merit of earlier days stay
as they were published: what is asked for is the effect on this round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from coevo_pipelines.influence import graph as influence_graph
from coevo_pipelines.influence.day import one_owner, vouching
from coevo_pipelines.influence.scores import both_modes, rounded
from coevo_pipelines.rewards import persons
from coevo_pipelines.rewards.day import Known, divide
from coevo_pipelines.rewards.load import known_of
from coevo_pipelines.rewards.worth import graph_of
from coevo_pipelines.settings import Policy

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Influence, Round, Settings

LINKS = 10
"""Links of an explanation that are left out in turn."""


@dataclass(frozen=True)
class Change:
    """What a person gets in all, held parts included, before and after."""

    what: str
    before: int
    after: int


def changes(snapshot: Snapshot, day: date, settings: Settings, round: Round, person: str) -> list[Change]:
    """What `person` would get in `round` as of `day` if one thing were otherwise, the largest change first.

    Left out in turn: each of the links that bring most, all links that one source alone told of, and the parameters
    of the round and of influence. Also: open mode instead of guarded.
    """
    known = known_of(snapshot, day, settings)
    row = snapshot.scan("rewards.rounds", on=day).filter(pl.col("round") == round.name).collect()
    returned = int(row["returned"][0]) if row.height else 0
    asked = _Asked(known, settings, round, person, returned)
    before = asked.amount(known, round)
    found = [Change(what, before, after) for what, after in _variants(snapshot, day, asked)]
    return sorted(found, key=lambda change: (-abs(change.after - change.before), change.what))


@dataclass(frozen=True)
class _Asked:
    known: Known
    settings: Settings
    round: Round
    person: str
    returned: int

    def amount(self, known: Known, round: Round) -> int:
        """What the person gets."""
        graph = graph_of(known.works, known.edges, known.credits)
        register = persons.register(known.claims, known.optouts, known.aliases)
        # What came back is given: no state of the day before is to add to it.
        fixed = replace(known, rounds=known.rounds.clear())
        settled = divide(fixed, graph, register, round, self.settings.influence.relation_weight, self.returned).settled
        amounts: dict[str, int] = dict(zip(settled.people["person_id"], settled.amounts, strict=True))
        return amounts.get(self.person, 0)

    def solved(self, edges: pl.DataFrame, influence: Influence, *, guarded: bool = True) -> Known:
        """The day with other links or other parameters of influence."""
        graph = influence_graph.graph_of(*one_owner(self.known.works, edges, self.known.claims))
        vouches = vouching(graph.works, self.known.aliases, self.known.claims)
        opened, kept = both_modes(graph, self.known.day, vouches, influence)
        solution = kept if guarded else opened
        zero = pl.lit(0.0)
        scored = self.known.works.sort("node").with_columns(
            guarded_inflow=zero if solution is None else pl.Series(rounded(solution.inflow)),
            guarded_influence=zero if solution is None else pl.Series(rounded(solution.influence)),
        )
        return replace(self.known, works=scored, edges=edges)


def _variants(snapshot: Snapshot, day: date, asked: _Asked) -> Iterator[tuple[str, int]]:
    known, round, influence = asked.known, asked.round, asked.settings.influence
    for via, relation, work in _links(snapshot, day, asked):
        one = (pl.col("source") == via) & (pl.col("target") == work) & (pl.col("relation") == relation)
        yield f"without {via} {relation} {work}", asked.amount(asked.solved(known.edges.filter(~one), influence), round)
    for source, told in _told_by_one(snapshot, day, known):
        rest = known.edges.join(told, ["source", "target", "relation"], how="anti")
        if rest.height < known.edges.height:
            yield f"without what {source} alone says of links", asked.amount(asked.solved(rest, influence), round)
    yield "open mode: every work votes", asked.amount(asked.solved(known.edges, influence, guarded=False), round)
    uniform = influence.model_copy(update={"uniform": not influence.uniform})
    said = "readers start at new works more often" if influence.uniform else "readers start anywhere alike"
    yield said, asked.amount(asked.solved(known.edges, uniform), round)
    for what, otherwise in _rounds(round):
        yield what, asked.amount(known, otherwise)


def _rounds(round: Round) -> Iterator[tuple[str, Round]]:
    """The round without one of its rules."""
    nothing = {
        "no floor": ("floor", Decimal(0)),
        "no part for integrative potential": ("integration", Decimal(0)),
        "no lineage credit": ("keep", Decimal(1)),
        "no cap": ("cap", None),
        "no minimum": ("minimum", 0),
        "no cap for owners": ("owner_cap", None),
        "any licence": ("licenses", None),
    }
    for what, (name, value) in nothing.items():
        if getattr(round, name) != value:
            yield what, round.model_copy(update={name: value})
    if [policy.name for policy in round.policies] != ["IMMEDIATE"]:
        yield "IMMEDIATE alone", round.model_copy(update={"policies": (Policy(name="IMMEDIATE"),)})


def _links(snapshot: Snapshot, day: date, asked: _Asked) -> list[tuple[str, str, str]]:
    rows = snapshot.scan("rewards.explanations", on=day).filter(
        pl.col("round") == asked.round.name, pl.col("person_id") == asked.person, pl.col("via").is_not_null()
    )
    # A link may bring use and lineage credit both.
    links = rows.sort("place").select("via", "relation", "work_id").unique(maintain_order=True)
    return [(via, relation, work) for via, relation, work in links.collect().head(LINKS).iter_rows()]


def _told_by_one(snapshot: Snapshot, day: date, known: Known) -> Iterator[tuple[str, pl.DataFrame]]:
    """For each source the links that it alone told of, as (source, target, relation) of the day's graph."""
    said = snapshot.scan("traces.references", upto=day).select("raw_sha256", service="source").unique()
    listed = snapshot.scan("citations.edges", upto=day).select("source", "target", "relation", "raw_sha256")
    joined = listed.join(said, "raw_sha256").collect()
    stands = dict(known.aliases.iter_rows())
    for end in ("source", "target"):
        joined = joined.with_columns(pl.col(end).replace(stands))
    by = joined.group_by("source", "target", "relation").agg(pl.col("service").unique())
    single = by.filter(pl.col("service").list.len() == 1).with_columns(pl.col("service").list.first())
    for service in single["service"].unique().sort():
        yield str(service), single.filter(pl.col("service") == service).drop("service")
