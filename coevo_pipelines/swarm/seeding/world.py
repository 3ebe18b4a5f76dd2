"""The day's graph as a world for the simulation: organisms, versions of methods, what speaks for them, and new works.

- An **organism** is a repository (a space is one too: code that runs), a model, or a cluster of papers: those with the
  same first author, where an ORCID iD, an account or a verified claim says who that is; any other paper is one of its
  own. Nobody is merged by name. Datasets and works that are only named are none: they hold no way of doing things.
- Its **cluster** is who is behind it: the account of a repository, model, space or dataset, the author of a paper,
  the person where a verified claim joins them. Only what another cluster does speaks for a version.
- A **pattern** is a method that enough organisms name in titles or tags; or a practice that worked at hubs.
- A **version** is the work of that method which the organism's works cite or reuse most: by links, then influence,
  then identifier; links within its own work count too, for they say what it uses. An organism that cites none
  implements its own: the most influential of its works of the method that is code, or that another cluster builds on.
  A paper on which nobody has built is no variant yet: there it is `<community>:<pattern>`, the usual way around it.
- **e+** are the clusters, other than the version's own, of works that cite or reuse it; for an organism, other than
  its own too. Links of weight 0 (one work, owner or set of authors) never count. **e-** is one for a work that was
  withdrawn, one for a repository that its owner archived; of failed replications the lake knows nothing.
- A **practice of hubs** (`hubs.strategies`) is a pattern from the day on which it worked. Enough hubs tried it then, so
  `min_holders` does not count for it. It is held by the hubs that do it, each an organism of its data set, which is
  also its version unless it cites another's more. To e+ come the hubs where it got better, to e- those where worse:
  they tried the practice, whichever variant of it, so they speak for all. A practice that turns out not to work stays
  a pattern, with what then speaks against it; a hub that holds no such practice is no organism.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from coevo_pipelines.influence.scores import UNITS
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.seeding.methods import PRACTICE, Vocabulary, methods_of, vocabulary

KINDS = {"repository": "repo", "space": "repo", "model": "model", "paper": "author_cluster"}
"""By kind of work."""
CODE = ("repository", "space", "model")
HUB = "hub"
"""Kind of organism: a hub's data set."""
PRACTICES: dict[str, Any] = {"node_id": pl.String, "pattern": pl.String}
TRIED: dict[str, Any] = {"node_id": pl.String, "pattern": pl.String, "side": pl.Int64}
BLESSED_SHARE = 100
"""One of so many young organisms is blessed for its integrative potential."""
PARTS = 10**12
"""What a round gives is counted in such parts of all that it gives: currencies cannot be added up."""

ORGANISMS: dict[str, Any] = {
    "organism_id": pl.String,
    "kind": pl.String,
    "label": pl.String,
    "works": pl.List(pl.String),
    "community": pl.String,
    "age": pl.Int64,
    "influence": pl.Float64,
    "integrative": pl.Float64,
    "allocation": pl.Int64,
    "blessed": pl.Boolean,
    "cluster": pl.String,
}
VERSIONS: dict[str, Any] = {
    "pattern": pl.String,
    "version_id": pl.String,
    "work_id": pl.String,
    "title": pl.String,
    "is_withdrawn": pl.Boolean,
    "evidence_for": pl.Int64,
    "evidence_against": pl.Int64,
}
CELLS: dict[str, Any] = {
    "organism_id": pl.String,
    "pattern": pl.String,
    "version_id": pl.String,
    "evidence_for": pl.Int64,
    "evidence_against": pl.Int64,
    "weight": pl.Int64,
    "k": pl.Int64,
    "n": pl.Int64,
    "verifications": pl.Int64,
}
TRIALS: dict[str, Any] = {
    "work_id": pl.String,
    "pattern": pl.String,
    "community": pl.String,
    "cluster": pl.String,
    "versions": pl.List(pl.String),
}


@dataclass(frozen=True)
class Known:
    """What is known by the end of `day`."""

    day: date
    works: pl.DataFrame
    """One row a work that stands: node_id, is_stub, kind, title, owner (the person where a claim says so), status,
    created_at, tags; influence, guarded_inflow, integrative_potential and chamber_id, null where unknown."""
    edges: pl.DataFrame
    """source, target, relation, weight: one row each, as `citations.asof.edges`."""
    authors: pl.DataFrame
    """node_id, person_id, name: the first author of each paper, `<work>#1` where nobody is identified."""
    credits: pl.DataFrame
    """node_id, person_id, share: who is behind each work, as money goes; without rounds it may be empty."""
    allocations: pl.DataFrame
    """round, person_id, amount: `rewards.allocations` of the day."""
    aliases: pl.DataFrame
    """(id, canonical)."""
    practices: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=PRACTICES))
    """Columns `PRACTICES`: which hubs do what worked by the day, as `methods.practices_of`."""
    tried: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=TRIED))
    """Columns `TRIED`: where it got better and where worse, as `methods.tried_of`."""


@dataclass(frozen=True)
class Rules:
    """By what a world is made."""

    config: Config = field(default_factory=Config)
    """most_trials, rise, fall and adult_age count here."""
    methods: Vocabulary = field(default_factory=vocabulary)
    blessed: tuple[str, ...] = ()
    """Organisms, or works of theirs, under any of their identifiers."""
    min_holders: int = 5


@dataclass(frozen=True)
class World:
    """Rows in order of their ids, so the same knowledge gives the same bytes."""

    organisms: pl.DataFrame
    """Columns `ORGANISMS`. age: days from the day of the first trace to the day; influence: mid-rank percentile."""
    versions: pl.DataFrame
    """Columns `VERSIONS`: those that somebody holds."""
    cells: pl.DataFrame
    """Columns `CELLS`. k of n trials are the evidence, halved until below `Config.most_trials`."""
    unknown: tuple[str, ...]
    """Blessed ids that are no organism as of the day."""


def world_of(known: Known, rules: Rules) -> World:
    """Organisms, versions and cells as of the end of the day."""
    seats = seats_of(known)
    organisms = _organisms(known, seats)
    blessed, unknown = _blessed(known, organisms, rules)
    organisms = organisms.with_columns(blessed=pl.col("organism_id").is_in(blessed)).select(*ORGANISMS)
    users = uses_of(known, seats).select("target", "cluster").unique()
    methods = pl.concat([methods_of(known.works, rules.methods), known.practices])
    cells = _held(known, seats, methods, organisms, users, rules.min_holders)
    better, worse = (_clusters(known.tried.filter(side), seats) for side in (pl.col("side") > 0, pl.col("side") < 0))
    built = _built(cells, users, better)
    versions = _versions(cells, built, better, worse, seats)
    return World(organisms, versions.select(*VERSIONS), _cells(cells, versions, built, better, rules.config), unknown)


def trials_of(known: Known, rules: Rules) -> pl.DataFrame:
    """Columns `TRIALS`: one row for each method of each work that appeared on the day, where it has a community: its
    own, or that of what it cites most.

    It is one trial for every organism of that community which holds the pattern and is of another cluster, a success
    where that organism's version is among `versions`: works of the method, of other clusters, that it cites or
    reuses. A paper that cites no work of the method takes the usual way: `<community>:<pattern>`.
    """
    seats = seats_of(known)
    new = seats.filter(~pl.col("is_stub"), pl.col("created_at").dt.date() == known.day)
    cited = _cited(known).join(new.select("node_id"), left_on="source", right_on="node_id", how="semi")
    near = pl.concat([new["node_id"], cited["target"]]).unique()
    methods = methods_of(known.works.filter(pl.col("node_id").is_in(near.implode())), rules.methods)
    methods = pl.concat([methods, known.practices.filter(pl.col("node_id").is_in(near.implode()))])
    new = new.join(_neighbourhood(cited, seats), "node_id", how="left").with_columns(
        community=pl.coalesce("chamber_id", "cited_chamber")
    )
    rows = methods.join(new.drop_nulls("community"), "node_id").select(
        "node_id", "pattern", "community", "cluster", "kind"
    )
    named = (
        cited.join(methods, left_on="target", right_on="node_id")
        .join(rows, left_on=["source", "pattern"], right_on=["node_id", "pattern"])
        .join(seats.select("node_id", "cluster"), left_on="target", right_on="node_id", suffix="_of_target")
    )
    counts = (pl.col("weight") > 0) & (pl.col("cluster") != pl.col("cluster_of_target"))
    adopted = named.group_by(node_id="source", pattern="pattern").agg(
        versions=pl.col("target").filter(counts).unique().sort()
    )
    usual = pl.when(pl.col("kind") == "paper").then(pl.concat_list(_usual())).otherwise(pl.lit([], pl.List(pl.String)))
    joined = rows.join(adopted, ["node_id", "pattern"], how="left").with_columns(
        versions=pl.coalesce("versions", usual), work_id="node_id"
    )
    return joined.select(*TRIALS).sort("work_id", "pattern")


def seats_of(known: Known) -> pl.DataFrame:
    """`Known.works` with organism_id (null where the work is of none), cluster, author (its name, where identified) and
    units: influence in whole `UNITS`, so that sums do not depend on the order of rows."""
    identified = known.authors.filter(~pl.col("person_id").str.contains("#", literal=True))
    joined = known.works.join(identified.select("node_id", "person_id", author="name"), "node_id", how="left")
    is_paper = pl.col("kind") == "paper"
    behind = pl.when(is_paper).then("person_id").otherwise(pl.col("owner").str.to_lowercase())
    cluster = pl.coalesce(behind, "node_id")
    is_hub = pl.col("node_id").is_in(known.practices["node_id"].unique().implode())
    kinds = pl.col("kind").replace_strict(KINDS, default=None, return_dtype=pl.String)
    kinds = pl.coalesce(kinds, pl.when(is_hub).then(pl.lit(HUB)))
    return joined.with_columns(
        cluster=cluster,
        organism_id=pl.when(is_paper).then(cluster).when(kinds.is_not_null()).then("node_id"),
        organism_kind=kinds,
        author=pl.when(is_paper).then("author"),
        units=(pl.col("influence").fill_null(0.0) * UNITS).round().cast(pl.Int64),
    ).drop("person_id")


def uses_of(known: Known, seats: pl.DataFrame) -> pl.DataFrame:
    """source, target, relation, cluster (of the source): the links that speak for their target."""
    behind = seats.select("node_id", "cluster")
    ends = known.edges.filter(pl.col("weight") > 0).join(behind, left_on="source", right_on="node_id")
    ends = ends.join(behind, left_on="target", right_on="node_id", suffix="_of_target")
    independent = ends.filter(pl.col("cluster") != pl.col("cluster_of_target"))
    return independent.select("source", "target", "relation", "cluster")


def _cited(known: Known) -> pl.DataFrame:
    return known.edges.filter(pl.col("source") != pl.col("target")).select("source", "target", "weight")


def _usual() -> pl.Expr:
    """The version of whoever has none of its own."""
    return pl.concat_str(pl.col("community").fill_null("none"), pl.lit(":"), "pattern")


def _neighbourhood(cited: pl.DataFrame, seats: pl.DataFrame) -> pl.DataFrame:
    """(node_id, cited_chamber): the chamber of most of the links of each source; of equals that with more influence,
    then the first by name."""
    chambers = seats.select("node_id", "units", cited_chamber="chamber_id").drop_nulls("cited_chamber")
    each = cited.join(chambers, left_on="target", right_on="node_id").group_by("source", "cited_chamber")
    summed = each.agg(pl.col("units").sum(), links=pl.len().cast(pl.Int64))
    ranked = summed.sort(-pl.col("links"), -pl.col("units"), "cited_chamber")
    return ranked.unique("source", keep="first").select("cited_chamber", node_id="source")


def _organisms(known: Known, seats: pl.DataFrame) -> pl.DataFrame:
    """Columns `ORGANISMS` but for blessed."""
    own = seats.drop_nulls("organism_id").sort("organism_id", -pl.col("units"), "node_id")
    age = (pl.lit(known.day) - pl.col("created_at").min().dt.date()).dt.total_days()
    described = own.group_by("organism_id", maintain_order=True).agg(
        kind=pl.col("organism_kind").first(),
        label=pl.coalesce(pl.col("author").first(), pl.col("title").first()),
        works=pl.col("node_id").sort(),
        age=age.clip(0),
        units=pl.col("units").sum(),
        integrative=pl.col("integrative_potential").max(),
        cluster=pl.col("cluster").first(),
    )
    chambers = (
        own.drop_nulls("chamber_id")
        .group_by("organism_id", "chamber_id")
        .agg(pl.col("units").sum(), links=pl.len().cast(pl.Int64))
    )
    homes = chambers.sort(-pl.col("units"), -pl.col("links"), "chamber_id").unique("organism_id", keep="first")
    joined = described.join(homes.select("organism_id", community="chamber_id"), "organism_id", how="left")
    joined = joined.join(_allocations(known, seats), "organism_id", how="left")
    percentile = (pl.col("units").rank("average") - 0.5) / pl.len()
    return joined.with_columns(influence=percentile, allocation=pl.col("allocation").fill_null(0)).sort("organism_id")


def _allocations(known: Known, seats: pl.DataFrame) -> pl.DataFrame:
    """(organism_id, allocation): what the day's rounds give for its works, in `PARTS` of each round.

    A person's amount is divided over his works by his share of their inflow in guarded mode, by which money goes.
    """
    totals = {name: int(total) for name, total in known.allocations.group_by("round").agg(pl.sum("amount")).rows()}
    each = [
        (person, int(amount) * PARTS // totals[name])
        for name, person, amount in known.allocations.select("round", "person_id", "amount").iter_rows()
        if amount
    ]
    parts = pl.DataFrame(each, schema={"person_id": pl.String, "parts": pl.Int64}, orient="row")
    parts = parts.group_by("person_id").agg(pl.col("parts").sum())
    part = pl.col("guarded_inflow").fill_null(0.0) * pl.col("share") / pl.col("share").sum().over("node_id")
    # One unit more: whoever has works without inflow only has them alike.
    behind = known.credits.join(seats.select("node_id", "guarded_inflow", "organism_id"), "node_id").with_columns(
        units=(part * UNITS).round().cast(pl.Int64) + 1
    )
    shared = behind.join(parts, "person_id").sort("person_id", -pl.col("units"), "node_id")
    quotient = (pl.col("parts") * (pl.col("units") / pl.col("units").sum().over("person_id"))).floor().cast(pl.Int64)
    rest = pl.col("parts") - pl.col("quotient").sum().over("person_id")
    is_first = pl.int_range(pl.len()).over("person_id") == 0
    whole = shared.with_columns(quotient=quotient).with_columns(
        allocation=pl.col("quotient") + pl.when(is_first).then(rest).otherwise(0)
    )
    return whole.drop_nulls("organism_id").group_by("organism_id").agg(pl.col("allocation").sum())


def _blessed(known: Known, organisms: pl.DataFrame, rules: Rules) -> tuple[list[str], tuple[str, ...]]:
    """Who is blessed; and blessed ids that are nobody's."""
    stands = dict(known.aliases.select("id", "canonical").iter_rows())
    works = organisms.select("organism_id", "works").explode("works", empty_as_null=False)
    of = dict(works.select("works", "organism_id").iter_rows())
    of.update((each, each) for each in organisms["organism_id"])
    named = {each: of.get(stands.get(each, each)) for each in rules.blessed}
    young = organisms.filter(pl.col("age") < rules.config.adult_age)
    integrative = young.filter(pl.col("integrative") > 0).sort(-pl.col("integrative"), "organism_id")
    top = integrative.head(-(-young.height // BLESSED_SHARE))["organism_id"].to_list()
    found = [organism for organism in named.values() if organism is not None]
    return sorted({*found, *top}), tuple(sorted(each for each, organism in named.items() if organism is None))


def _held(
    known: Known,
    seats: pl.DataFrame,
    methods: pl.DataFrame,
    organisms: pl.DataFrame,
    users: pl.DataFrame,
    fewest: int,
) -> pl.DataFrame:
    """organism_id, pattern, version_id, work_id (null: the usual way), cluster (of the organism)."""
    own = seats.select("node_id", "organism_id", "organism_kind", "kind", "units").drop_nulls("organism_id")
    own = methods.join(own, "node_id")
    held = own.select("organism_id", "pattern").unique()
    held = held.filter((pl.len().over("pattern") >= fewest) | pl.col("pattern").str.starts_with(PRACTICE))
    behind = seats.select("node_id", "organism_id").drop_nulls()
    targets = methods.join(seats.select("node_id", "units"), "node_id")
    cited = (
        _cited(known)
        .join(behind, left_on="source", right_on="node_id")
        .join(targets, left_on="target", right_on="node_id")
        .join(held, ["organism_id", "pattern"], how="semi")
        .group_by("organism_id", "pattern", "target")
        .agg(pl.col("units").first(), links=pl.len().cast(pl.Int64))
        .sort(-pl.col("links"), -pl.col("units"), "target")
        .unique(["organism_id", "pattern"], keep="first")
    )
    implemented = (
        own.filter(
            pl.col("kind").is_in(CODE)
            | (pl.col("organism_kind") == HUB)
            | pl.col("node_id").is_in(users["target"].unique().implode())
        )
        .sort(-pl.col("units"), "node_id")
        .unique(["organism_id", "pattern"], keep="first")
    )
    key = ["organism_id", "pattern"]
    joined = held.join(cited.select(*key, "target"), key, how="left")
    joined = joined.join(implemented.select(*key, "node_id"), key, how="left")
    joined = joined.join(organisms.select("organism_id", "community", "cluster"), "organism_id")
    joined = joined.with_columns(work_id=pl.coalesce("target", "node_id"))
    return joined.with_columns(version_id=pl.coalesce("work_id", _usual())).select(
        *key, "version_id", "work_id", "cluster"
    )


def _clusters(tried: pl.DataFrame, seats: pl.DataFrame) -> pl.DataFrame:
    """pattern, cluster: who is behind the hubs."""
    return tried.join(seats.select("node_id", "cluster"), "node_id").select("pattern", "cluster").unique()


def _built(cells: pl.DataFrame, users: pl.DataFrame, better: pl.DataFrame) -> pl.DataFrame:
    """pattern, work_id, cluster: who builds on each version, but for hubs that speak for all versions of a pattern."""
    versions = cells.select("pattern", "work_id").drop_nulls().unique()
    built = versions.join(users.rename({"target": "work_id"}), "work_id")
    return built.join(better, ["pattern", "cluster"], how="anti")


def _versions(
    cells: pl.DataFrame, built: pl.DataFrame, better: pl.DataFrame, worse: pl.DataFrame, seats: pl.DataFrame
) -> pl.DataFrame:
    """Columns `VERSIONS`, and itself: the cluster of the version. better, worse: `_clusters`."""
    count = pl.len().cast(pl.Int64)
    described = seats.select("title", "status", work_id="node_id", itself="cluster")
    own = better.select("pattern", itself="cluster", own=pl.lit(1, pl.Int64))
    joined = cells.select("pattern", "version_id", "work_id").unique().join(described, "work_id", how="left")
    joined = joined.join(built.group_by("pattern", "work_id").agg(built=count), ["pattern", "work_id"], how="left")
    joined = joined.join(better.group_by("pattern").agg(better=count), "pattern", how="left")
    joined = joined.join(worse.group_by("pattern").agg(worse=count), "pattern", how="left")
    joined = joined.join(own, ["pattern", "itself"], how="left")
    joined = joined.with_columns(pl.col("built", "better", "worse", "own").fill_null(0))
    gone = pl.col("status").is_in(["withdrawn", "archived"]).fill_null(False).cast(pl.Int64)
    return joined.with_columns(
        is_withdrawn=(pl.col("status") == "withdrawn").fill_null(False),
        evidence_for=pl.col("built") + pl.col("better") - pl.col("own"),
        evidence_against=gone + pl.col("worse"),
    ).select(*VERSIONS, "itself").sort("pattern", "version_id")  # fmt: skip


def _cells(
    cells: pl.DataFrame, versions: pl.DataFrame, built: pl.DataFrame, better: pl.DataFrame, config: Config
) -> pl.DataFrame:
    from coevo_pipelines.swarm.decisions.evidence import rule

    joined = cells.join(versions.drop("work_id"), ["pattern", "version_id"])
    own = [
        frame.with_columns(pl.lit(1, pl.Int64).alias(name)) for frame, name in ((built, "built"), (better, "better"))
    ]
    joined = joined.join(own[0], ["pattern", "work_id", "cluster"], how="left")
    joined = joined.join(own[1], ["pattern", "cluster"], how="left")
    # What is the version's own is not among its evidence, so it cannot be taken from that.
    is_other = (pl.col("cluster") != pl.col("itself")).fill_null(True).cast(pl.Int64)
    joined = joined.with_columns(
        evidence_for=pl.col("evidence_for") - pl.col("built").fill_null(0) - pl.col("better").fill_null(0) * is_other
    )
    k = joined["evidence_for"].to_numpy().copy()
    n = k + joined["evidence_against"].to_numpy()
    while (many := n >= config.most_trials).any():
        k[many] //= 2
        n[many] //= 2
    weight = np.where(joined["is_withdrawn"], -1, rule(config.most_trials, config.rise, config.fall)[n, k])
    return joined.with_columns(
        weight=pl.Series(weight.astype(np.int64)), k=pl.Series(k), n=pl.Series(n), verifications="evidence_for"
    ).select(*CELLS).sort("organism_id", "pattern")  # fmt: skip
