"""One day of the stage: a day's graph and what the days before left of it -> the tables of the stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coevo_pipelines.influence import chambers, lattice
from coevo_pipelines.influence.graph import Graph, graph_of
from coevo_pipelines.influence.integration import Distances
from coevo_pipelines.influence.scores import UNITS, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coevo_pipelines.settings import Influence

    Integers = NDArray[np.int64]

LISTED = "arxiv:"
PERSON = "person:"
CARRIED = ("influence", "inflow", "guarded_inflow")
"""Scores that are divided among people."""
LEAST_DAYS = 7
"""Nothing is crystalline in a lake with fewer partitions, unless the window is shorter."""


@dataclass(frozen=True)
class Known:
    """What a day is computed from."""

    day: date
    works: pl.DataFrame
    """`citations.asof.works`."""
    edges: pl.DataFrame
    """`citations.asof.edges`."""
    aliases: pl.DataFrame
    """(id, canonical): what stands for identifiers as of the day."""
    claims: pl.DataFrame
    """`traces.claims` of the day."""
    settled: tuple[pl.DataFrame, pl.DataFrame]
    """`works` and `edges` as the month began: as of the last day of the one before, or of the lake's first day."""
    before: Sequence[pl.DataFrame]
    """`influence.lattice` of the days before that the window reaches, oldest first, without days that are not there."""


@dataclass(frozen=True)
class Table:
    """Rows of one table and the numbers that a person would look for."""

    frame: pl.DataFrame
    numbers: Mapping[str, Any]


def influence_of(known: Known, settings: Influence) -> Mapping[str, Table]:
    """The tables of the stage but for `influence.people`."""
    graph = graph_of(*one_owner(known.works, known.edges, known.claims))
    vouches = vouching(graph.works, known.aliases, known.claims)
    scored = scores_of(graph, graph_of(*known.settled), known.day, vouches, settings)
    counts = {"works": graph.n, "links": graph.source.size, "links_of_weight_0": graph.own}
    return {
        "influence.scores": Table(scored.table, {**counts, **scored.numbers}),
        "influence.fields": _fields(scored.distances),
        **_communities(known, graph, scored.table["influence"], settings),
    }


def units_of(scores: pl.DataFrame) -> pl.DataFrame:
    """What `people.carry` divides: the published scores in whole units."""
    return scores.select(
        "node_id", **{f"{name}_units": (pl.col(name) * UNITS).round().cast(pl.Int64) for name in CARRIED}
    )


def people_of(carried: pl.DataFrame) -> Table:
    """`influence.people` from what `people.carry` gives."""
    # NumPy divides: Polars multiplies by 1/UNITS, and whoever has a work alone would not have exactly its scores.
    parts = {name: carried[f"{name}_units"].to_numpy() / UNITS for name in CARRIED}
    frame = carried.select("person_id", "name", "works").with_columns(
        **{n: pl.Series(part) for n, part in parts.items()}
    )
    # An identifier with a # is the n-th person of one work: neither ORCID iD nor account is known.
    return Table(frame, {"identified": int((~frame["person_id"].str.contains("#", literal=True)).sum())})


def one_owner(works: pl.DataFrame, edges: pl.DataFrame, claims: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`citations.asof.works` and `.edges` with all accounts of a verified person as one owner, by the person's name:
    links between them weigh 0, they are capped together, and none of them speaks for another.

    claims: `traces.claims` of the day. What two persons claim with proof is neither's.
    """
    proven = claims.filter(pl.col("proof").is_not_null()).with_columns(account=pl.col("subject").str.to_lowercase())
    of = proven.join(_undisputed(proven, "account").to_frame(), "account", how="semi").unique("account")
    persons = dict(of.select("account", "person_id").iter_rows())
    folded = pl.col("owner").str.to_lowercase()
    owned = works.with_columns(
        owner=pl.when(folded.is_in(list(persons))).then(folded.replace(persons)).otherwise("owner")
    )
    ends = owned.filter(pl.col("owner").str.starts_with(PERSON)).select("node_id", "owner")
    pairs = (
        edges.with_row_index()
        .join(ends, left_on="source", right_on="node_id")
        .join(ends, left_on="target", right_on="node_id", suffix="_of_target")
    )
    own = pairs.filter(pl.col("owner") == pl.col("owner_of_target"))["index"]
    is_own = pl.int_range(pl.len()).is_in(own.cast(pl.Int64).implode())
    return owned, edges.with_columns(weight=pl.when(is_own).then(0).otherwise("weight"))


def vouching(works: pl.DataFrame, aliases: pl.DataFrame, claims: pl.DataFrame) -> NDArray[np.bool_]:
    """Which works arXiv lists, under whatever identifier the graph has them, and which a verified person has claimed:
    an authorship of them, or the account of their owner. What two persons claim counts for neither.

    works: node_id and owner (of `one_owner`); aliases: (id, canonical); claims: `traces.claims` of the day.
    """
    node_id = works["node_id"]
    listed = aliases.filter(pl.col("id").str.starts_with(LISTED))["canonical"]
    authorship = pl.col("subject").str.extract(r"^(.*)#[^#]*$", 1)
    proven = claims.filter(pl.col("proof").is_not_null(), authorship.is_not_null())
    authored = _undisputed(proven, "subject").str.extract(r"^(.*)#[^#]*$", 1)
    stands = aliases.filter(pl.col("id").is_in(authored.implode()))["canonical"]
    known = pl.concat([listed, authored, stands])
    claimed = works["owner"].str.starts_with(PERSON).fill_null(False)
    return (node_id.str.starts_with(LISTED) | node_id.is_in(known.implode()) | claimed).to_numpy()


def _undisputed(claims: pl.DataFrame, column: str) -> pl.Series:
    """The values of `column` that one person alone claims."""
    each = claims.group_by(column).agg(persons=pl.col("person_id").n_unique())
    return each.filter(pl.col("persons") == 1)[column]


def _fields(distances: Distances) -> Table:
    low, high = np.triu_indices(len(distances.fields), 1)
    frame = pl.DataFrame(
        {
            "field": [distances.fields[place] for place in low],
            "other": [distances.fields[place] for place in high],
            "distance": distances.matrix[low, high],
        },
        schema={"field": pl.String, "other": pl.String, "distance": pl.Float64},
    )
    return Table(frame, {"fields": len(distances.fields), "sha256_of_distances": distances.sha256})


def _communities(known: Known, graph: Graph, influence: pl.Series, settings: Influence) -> Mapping[str, Table]:
    nodes = graph.works["node_id"]
    past = [_today(frame, nodes, known.aliases) for frame in known.before]
    projection = chambers.project(graph.n, graph.source, graph.target, graph.weight(settings.relation_weight))
    start = past[-1].chamber if past else None
    labels = chambers.communities(projection, resolution=settings.resolution, seed=settings.seed, start=start)
    yesterday = known.before[-1] if known.before else None
    matching = chambers.match(known.day, nodes.to_list(), labels, yesterday, _renamed(yesterday, known.aliases))
    described = chambers.describe(
        projection, labels, matching, nodes.to_list(), graph.works["title"].to_list(), influence.to_numpy(),
        resolution=settings.resolution,
    )  # fmt: skip
    held = lattice.link_persistence(
        graph.source, graph.target, [*(each.chamber for each in past), labels], window=settings.window
    )
    persistence = lattice.work_persistence(graph.n, held)
    cores = lattice.core_numbers(graph.n, graph.source, graph.target)
    crystalline = lattice.crystalline(
        [*(each.core for each in past), cores],
        [*(each.persistence for each in past), persistence],
        core_at_least=settings.crystal_core,
        persistence_at_least=settings.crystal_persistence,
        window=settings.window,
        minimum_days=min(LEAST_DAYS, settings.window),
    )
    chamber_id = pl.Series(matching.ids, dtype=pl.String).gather(pl.Series(labels).replace(-1, None))
    seats = pl.DataFrame(
        {
            "node_id": nodes,
            "chamber_id": chamber_id,
            "core_number": cores,
            "persistence": pl.Series(persistence).fill_nan(None),
            "is_crystalline": crystalline,
        }
    )
    events: dict[str, Any] = {event: matching.events.count(event) for event in chambers.EVENTS}
    return {
        "influence.chambers": Table(
            described, {"chambers": described.height, **events, "ended": dict(sorted(matching.ended.items()))}
        ),
        "influence.lattice": Table(
            seats, {"highest_core": int(cores.max(initial=0)), "crystalline": int(crystalline.sum())}
        ),
        "influence.bonds": _bonds(nodes, held),
    }


def _bonds(nodes: pl.Series, held: lattice.Persistence) -> Table:
    low, high = nodes.gather(pl.Series(held.low)), nodes.gather(pl.Series(held.high))
    ends = pl.DataFrame({"low": low, "high": high, "together": held.together, "persistence": held.share})
    frame = ends.select(
        "together",
        "persistence",
        work_id=pl.min_horizontal("low", "high"),
        other_id=pl.max_horizontal("low", "high"),
        days=pl.lit(held.days, dtype=pl.Int64),
    )
    return Table(frame, {"days": held.days, "mean_persistence": frame["persistence"].mean()})


@dataclass(frozen=True)
class _Past:
    """An earlier day's lattice about today's works, each (n,): -1 or nan for a work that was not there."""

    chamber: Integers
    core: Integers
    persistence: NDArray[np.float64]


def _today(before: pl.DataFrame, nodes: pl.Series, aliases: pl.DataFrame) -> _Past:
    renamed = before.join(aliases, left_on="node_id", right_on="id", how="left").with_columns(
        now=pl.coalesce("canonical", "node_id")
    )
    # Where several became one work, its own row counts, or else the one deepest in the graph.
    own = pl.col("now") != pl.col("node_id")
    one = renamed.sort(own, -pl.col("core_number"), "node_id").unique("now", keep="first", maintain_order=True)
    codes = one.with_columns(code=pl.col("chamber_id").rank("dense").cast(pl.Int64))
    row = pl.DataFrame({"now": nodes}).join(codes, "now", how="left", maintain_order="left")
    return _Past(
        chamber=row["code"].fill_null(0).to_numpy() - 1,
        core=row["core_number"].fill_null(-1).to_numpy(),
        persistence=row["persistence"].fill_null(float("nan")).to_numpy(),
    )


def _renamed(before: pl.DataFrame | None, aliases: pl.DataFrame) -> Mapping[str, str]:
    if before is None:
        return {}
    changed = aliases.filter(pl.col("id") != pl.col("canonical")).join(before, left_on="id", right_on="node_id")
    return dict(changed.select("id", "canonical").iter_rows())
