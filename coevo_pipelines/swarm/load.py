"""What a day of the swarm is seeded from, out of the lake; what assets and commands share."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from coevo_pipelines.citations import asof
from coevo_pipelines.hubs.strategies import sides
from coevo_pipelines.influence import people
from coevo_pipelines.influence.day import one_owner
from coevo_pipelines.influence.load import aliases_of, claims_of, tables_of
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.engine import Engine
from coevo_pipelines.lake.store import PART
from coevo_pipelines.rewards import persons
from coevo_pipelines.rewards.credits import credits
from coevo_pipelines.swarm.config import STATE
from coevo_pipelines.swarm.frames import restored
from coevo_pipelines.swarm.seeding.methods import blessed, practices_of, tried_of, vocabulary
from coevo_pipelines.swarm.seeding.world import PRACTICES, TRIED, Known, Rules
from coevo_pipelines.swarm.tick.engine import CheckpointError, OtherRules
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Settings
    from coevo_pipelines.swarm.config import Config
    from coevo_pipelines.swarm.decisions.minds import Panel
    from coevo_pipelines.swarm.tick.engine import Swarm

BLESSED = Path("blessed.yaml")
"""Where the list of blessed organisms is looked for when no setting says so; there it may be missing."""
WORKS = ("node_id", "is_stub", "kind", "title", "owner", "status", "created_at", "tags")
EDGES = ("source", "target", "relation", "weight")
SCORES = ("influence", "guarded_inflow", "integrative_potential")


def known_of(snapshot: Snapshot, day: date, settings: Settings) -> Known:
    """What `seeding` needs, from partitions up to `day` alone."""
    with Engine(snapshot, settings.engine) as engine:
        tables = tables_of(engine, day)
        standing = engine.keep(asof.works(tables))
        listed = people.credits(standing, tables.people, tables.aliases).filter(lambda row: row.position == 1)
        contributions = engine.table("traces.contributions", upto=day)
        behind = credits(standing, tables.people, tables.aliases, contributions, day)
        works = engine.frame(standing.select(*WORKS))
        edges = engine.frame(asof.edges(tables, standing).select(*EDGES))
        first = engine.frame(listed.select("node_id", "person_id", "name"))
        money = engine.frame(behind.join(standing.select("node", "node_id"), "node").select(
            "node_id", "person_id", "share"
        ))  # fmt: skip
        aliases = aliases_of(engine, tables)
    claims = claims_of(snapshot, day)
    register = persons.register(claims, schemas.table("traces.optouts").empty(), aliases)
    works, edges = one_owner(works, edges, claims)
    scores = snapshot.scan("influence.scores", on=day).select("node_id", *SCORES).collect()
    chambers = snapshot.scan("influence.lattice", on=day).select("node_id", "chamber_id").collect()
    authors = persons.identified(first, register).with_columns(name=pl.coalesce("claimed", "name"))
    practices, tried = _of_hubs(snapshot, day, aliases)
    return Known(
        day=day,
        works=works.join(scores, "node_id", how="left").join(chambers, "node_id", how="left"),
        edges=edges,
        authors=authors.select("node_id", "person_id", "name"),
        credits=persons.identified(money, register).select("node_id", "person_id", "share"),
        allocations=snapshot.scan("rewards.allocations", on=day).select("round", "person_id", "amount").collect(),
        aliases=aliases,
        practices=practices,
        tried=tried,
    )


def _of_hubs(snapshot: Snapshot, day: date, aliases: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`Known.practices` and `Known.tried`: of what worked on any day up to this one, what hubs say of it by now."""
    said = snapshot.scan("hubs.strategies", upto=day).select("date", "practice", "quantity", "verdict").collect()
    worked = said.filter(pl.col("verdict") == "works").select("practice", "quantity").unique()
    if worked.is_empty():
        return pl.DataFrame(schema=PRACTICES), pl.DataFrame(schema=TRIED)
    harmed = said.filter(pl.col("date") == day, pl.col("verdict") == "harms").select("practice", "quantity")
    hubs = snapshot.scan("hubs.registry", on=day).select("hub_id", "published_at", "practices")
    outcomes = snapshot.scan("hubs.outcomes", upto=day).drop("date")
    outcomes = outcomes.join(hubs, left_on=["hub_id", "event_at"], right_on=["hub_id", "published_at"], how="semi")
    tried = tried_of(_nodes(sides(outcomes.collect()), aliases), worked, harmed)
    return practices_of(_nodes(hubs.collect(), aliases), tried), tried


def _nodes(hubs: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    """With node_id: what stands for the hub's data set as of the day."""
    joined = hubs.join(aliases.rename({"id": "hub_id"}), "hub_id", how="left")
    return joined.with_columns(node_id=pl.coalesce("canonical", "hub_id"))


def rules_of(settings: Settings) -> Rules:
    """By what the graph becomes a world. MethodsError for a vocabulary or list of blessed that cannot be used."""
    chosen = settings.swarm
    path = chosen.blessed or (BLESSED if BLESSED.exists() else None)
    return Rules(
        config=chosen.parameters,
        methods=vocabulary(chosen.methods),
        blessed=blessed(path) if path else (),
        min_holders=chosen.min_holders,
    )


def previous_of(snapshot: Snapshot, day: date, config: Config, run_id: str, panel: Panel, workers: int) -> Swarm | None:
    """The swarm as the last committed day before `day` left it; None where there is none.

    Raises CheckpointError, naming the day and the way out, where it cannot be gone on from.
    """
    files = {table: snapshot.files(table, upto=day - DAY) for table in STATE}
    if not files[STATE[-1]]:
        return None
    last = files[STATE[-1]][-1].parent.name
    paths = [snapshot.root / "swarm" / table.partition(".")[2] / last / PART for table in STATE]
    # Not chained: a run tells the innermost cause alone, and the way out stands in these.
    try:
        frames = [pl.read_parquet(path, hive_partitioning=False) for path in paths]
        found = restored(config, *frames, workers=workers, panel=panel)
        if found.run_id != run_id:
            raise OtherRules("it was seeded by other rules (methods, min_holders, ticks_per_day or seed)")
    except OtherRules as error:
        raise CheckpointError(
            f"swarm {last}: {error}. Either set things as they were, or begin again with the first day: "
            "coevo run --date with the first day of the lake; later days are then made again"
        ) from None
    except (CheckpointError, OSError, pl.exceptions.PolarsError) as error:
        raise CheckpointError(
            f"swarm {last}: {error}. Make that day again: coevo run --date {last.removeprefix('date=')}; "
            "coevo verify names what else is damaged"
        ) from None
    return found
