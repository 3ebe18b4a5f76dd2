"""The scores of every work of a day's graph, from one call: what `influence.scores` holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coevo_pipelines.influence.betweenness import betweenness
from coevo_pipelines.influence.disruption import disruption
from coevo_pipelines.influence.graph import RELATIONS, Graph, microseconds
from coevo_pipelines.influence.guard import guarded_teleport
from coevo_pipelines.influence.integration import (
    NO_FIELD,
    TOPIC_FIELDS,
    Distances,
    distances,
    effective_fields,
    field_of,
    integrative_potential,
    numbered,
)
from coevo_pipelines.influence.links import Held, hold, pack
from coevo_pipelines.influence.pagerank import Solution, recency, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coevo_pipelines.settings import Influence

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

MICROSECONDS_A_YEAR = 365.25 * 86_400 * 1e6
UNITS = 10**12
"""Published scores are multiples of 1/UNITS: money counts in them, and noise of the solve stays below them."""
TOLERANCE = 1e-16
NEAREST_IN_AGE = 1_000


@dataclass(frozen=True)
class Scores:
    """The scores of a day, and what they were made with."""

    table: pl.DataFrame
    """As `influence.scores`; in order of event time."""
    distances: Distances
    open: Solution
    guarded: Solution | None
    """None: nobody may vote."""
    betweenness_pivots: int
    parameters: Mapping[str, Any]

    @property
    def numbers(self) -> dict[str, Any]:
        """What a person looks for, and what it takes to get the same again."""
        return {
            "residual": self.open.residual,
            "flow": float(self.open.flow),
            "guarded_residual": self.guarded.residual if self.guarded else None,
            "guarded_flow": float(self.guarded.flow) if self.guarded else None,
            "sweeps": self.open.sweeps,
            "field_distances_sha256": self.distances.sha256,
            "betweenness_exact": bool(self.table["betweenness_is_exact"].all()),
            "betweenness_pivots": self.betweenness_pivots,
            "parameters": dict(self.parameters),
            "parameters_sha256": hashlib.sha256(
                json.dumps(self.parameters, sort_keys=True, separators=(",", ":")).encode()
            ).hexdigest(),
        }


def scores_of(graph: Graph, settled: Graph, day: date, vouches: Flags, settings: Influence) -> Scores:
    """All scores as of the end of `day`. `settled`: the graph as the month began; `vouches`: see
    `guard.guarded_teleport`, shape (n,)."""
    age = ages(graph, day)
    opened, guarded = both_modes(graph, day, vouches, settings)
    pairs = hold(graph.n, pack(graph.source, graph.target))
    traffic = solve(pairs, recency(age, settings.tau_years), settings.damping, tolerance=TOLERANCE)
    created = microseconds(graph.works["created_at"])
    disrupted = disruption(graph.source, graph.target, created)
    between = betweenness(
        graph.n, graph.source, graph.target, exact_nodes=settings.exact_betweenness, seed=settings.seed
    )
    fields, field, matrix = field_distances(graph, settled, day, settings.topic_fields)
    integration = integrative_potential(
        graph.source, graph.target, field, matrix.matrix, minimum=settings.fewest_neighbours
    )
    cites = graph.relation == RELATIONS.index("cites")
    table = pl.DataFrame(
        {
            "node_id": graph.works["node_id"],
            "influence": rounded(opened.influence),
            "inflow": rounded(opened.inflow),
            "guarded_influence": rounded(guarded.influence) if guarded else np.zeros(graph.n),
            "guarded_inflow": rounded(guarded.inflow) if guarded else np.zeros(graph.n),
            "rescaled_influence": rescaled(opened.influence, microseconds(graph.works["event_at"])),
            "traffic": rounded(traffic.traffic),
            "in_degree": _users(graph, np.ones(graph.source.size, dtype=np.bool_)),
            "citations": _users(graph, cites),
            "cd_index": disrupted.cd,
            "betweenness": np.round(between.values, 6),
            "betweenness_is_exact": np.full(graph.n, between.exact),
            "field": pl.Series([None if place == NO_FIELD else fields[place] for place in field], dtype=pl.String),
            "neighbours_in": integration.neighbours_in,
            "neighbours_out": integration.neighbours_out,
            "delta_in": np.round(integration.delta_in, 12),
            "delta_out": np.round(integration.delta_out, 12),
            "fields_in": np.round(effective_fields(integration.delta_in), 12),
            "fields_out": np.round(effective_fields(integration.delta_out), 12),
            "integrative_potential": np.round(integration.ip, 12),
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
    return Scores(table, matrix, opened, guarded, between.pivots, parameters(settings))


def both_modes(
    graph: Graph, day: date, vouches: Flags, settings: Influence, *, links: Held | None = None
) -> tuple[Solution, Solution | None]:
    """Influence in open and in guarded mode; the latter None where nobody may vote."""
    held = links or typed_links(graph)
    weights = tuple(settings.relation_weight[name] for name in RELATIONS)

    def solved(teleport: Floats) -> Solution:
        return solve(held, teleport, settings.damping, relation_weight=weights, tolerance=TOLERANCE)

    opened, guarded = teleports(graph, day, vouches, settings)
    return solved(opened), solved(guarded) if guarded.sum() > 0 else None


def teleports(graph: Graph, day: date, vouches: Flags, settings: Influence) -> tuple[Floats, Floats]:
    """Where readers start, in open and in guarded mode, each (n,)."""
    opened = np.ones(graph.n) if settings.uniform else recency(ages(graph, day), settings.tau_years)
    # Naming costs nothing: every name that one makes up would raise what an owner's share of all starts is.
    written = np.where(graph.works["is_stub"].to_numpy(), 0.0, opened)
    nodes, owners = graph.works["node_id"], graph.works["owner"]
    cap = settings.owner_cap
    return opened, guarded_teleport(written, nodes, owners, vouches, graph.source, graph.target, owner_cap=cap)


def typed_links(graph: Graph) -> Held:
    """The links that count, ready to be swept."""
    return hold(graph.n, pack(graph.source, graph.target, graph.relation))


def ages(graph: Graph, day: date) -> Floats:
    """Years from each work's first day to the end of `day`."""
    end = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1e6 + 86_400e6
    return np.asarray((end - microseconds(graph.works["event_at"])) / MICROSECONDS_A_YEAR, dtype=np.float64)


def field_distances(
    graph: Graph, settled: Graph, day: date, topic_fields: Mapping[str, str]
) -> tuple[tuple[str, ...], Integers, Distances]:
    """Names of the fields, each work's place in them, and their distances.

    The distances are those of the links dated before the first of the month, between works as `settled` knows them:
    the same graph all month, so that nothing that is learnt of a work meanwhile moves them either.
    """
    known = {**TOPIC_FIELDS, **topic_fields}
    now, then = (field_of(each.works, known) for each in (graph, settled))
    fields, places = numbered(pl.concat([now, then]))
    field, earlier = places[: graph.n], places[graph.n :]
    month = datetime(day.year, day.month, 1, tzinfo=UTC).timestamp() * 1e6
    before = settled.event_at < month
    return fields, field, distances(fields, earlier[settled.source[before]], earlier[settled.target[before]])


def rescaled(influence: Floats, event_at: Integers) -> Floats:
    """By how many standard deviations a work's influence differs from that of the works nearest to it in age.

    Mariani, Medo & Zhang 2016 (doi:10.1016/j.joi.2016.10.005), over 1,000 works around it in order of event time (all,
    where there are fewer). Shape as `influence`; nan where all of those are alike in whole `UNITS`.
    """
    n = influence.size
    width = min(NEAREST_IN_AGE, n)
    order = np.argsort(event_at, kind="stable")
    low = np.clip(np.arange(n) - width // 2, 0, n - width)
    # Python's integers: one work with much would leave noise in float sums, and alike works would differ by it.
    units = np.rint(influence[order] * UNITS).astype(np.int64).astype(object)
    sums, squares = (np.concatenate([[0], np.cumsum(values)]) for values in (units, units * units))
    mean, square = (values[low + width] - values[low] for values in (sums, squares))  # each times `width`
    spread = np.asarray(width * square - mean * mean, dtype=np.float64)
    above = np.asarray(width * units - mean, dtype=np.float64)
    scores = np.full(n, np.nan)
    scores[order] = np.divide(above, np.sqrt(spread), out=np.full(n, np.nan), where=spread > 0)
    return np.round(scores, 9)


def rounded(values: Floats) -> Floats:
    """To the nearest multiple of 1/UNITS."""
    multiples: Floats = np.rint(values * UNITS) / UNITS
    return multiples


def parameters(settings: Influence) -> dict[str, Any]:
    """The settings that the scores depend on. What the code fixes is told by the code version of the commit."""
    return settings.model_dump(mode="json")


def _users(graph: Graph, which: Flags) -> Integers:
    """How many different works use each work, by the links that `which` picks."""
    source, target = graph.source[which], graph.target[which]
    new = np.ones(source.size, dtype=np.bool_)
    new[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])  # links are in order of source and target
    return np.bincount(target[new], minlength=graph.n).astype(np.int64)
