"""A reward round beside the same formula in floating point, each in a process of its own.

Started as `python -m coevo_pipelines.bench.rewards NAME FOLDER POOL`; prints one JSON object. Imports and compiling
are done before the clock starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coevo_pipelines.bench.contestants import Clock, peak_bytes

if TYPE_CHECKING:
    from coevo_pipelines.settings import Round

CONTESTANTS = ("coevo", "pandas")
DAY = date(2026, 1, 1)
CAP, MINIMUM, FLOOR, LAMBDA, KEEP = 0.0001, 100, 0.1, 0.25, 0.5
PATIENCE_S = 3600


@dataclass(frozen=True)
class Measured:
    """One contestant on one round; amounts in minor units."""

    name: str
    seconds: Mapping[str, float]
    peak_bytes: int
    divided: int
    """Sum of what everybody gets and of the reserve: the pool, if nothing is lost or made."""
    off: int
    """People who get another amount than with the first contestant."""
    most_off: int
    """Largest difference of an amount from the first contestant's."""
    over_cap: int
    """People above the cap."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def run(works: int, people: int, pool: int, folder: Path, seed: int, tell: Callable[[str], None]) -> Iterator[Measured]:
    """Divide `pool` minor units among `people` behind `works`, exactly and in floating point.

    Raises RuntimeError when a contestant fails, with its last words.
    """
    from coevo_pipelines.bench.payout import make

    place = folder / f"round_{works}_{people}_{seed}"
    if not (place / "claims.parquet").exists():
        tell(f"making {works:,} works and {people:,} people")
        place.mkdir(exist_ok=True)
        make(works, people, seed, place)
    for name in CONTESTANTS:
        tell(f"{works:,} works: {name}")
        arguments = [sys.executable, "-m", "coevo_pipelines.bench.rewards", name, str(place), str(pool)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            raise RuntimeError(f"{name}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
        said = json.loads(done.stdout.splitlines()[-1])
        differences = _differences(place, name, int(pool * CAP))
        yield Measured(name, said["seconds"], said["peak_bytes"], said["divided"], *differences)


def _differences(folder: Path, name: str, cap: int) -> tuple[int, int, int]:
    """How many people differ, by how much at most, how many are above the cap."""
    import polars as pl

    ours, theirs = (pl.scan_parquet(folder / f"out_{each}.parquet") for each in (CONTESTANTS[0], name))
    both = ours.join(theirs.rename({"amount": "theirs"}), on="person_id", how="full", coalesce=True)
    off = (pl.col("amount").fill_null(0) - pl.col("theirs").fill_null(0)).abs()
    found = both.select(
        off=(off > 0).sum(), most_off=off.max().fill_null(0), over_cap=(pl.col("theirs") > cap).sum()
    ).collect()
    off_people, most_off, over_cap = (int(found[column][0]) for column in found.columns)
    return off_people, most_off, over_cap


def the_round(pool: int) -> Round:
    """The rules of the measured round."""
    from coevo_pipelines.settings import Round

    return Round(
        name="bench", start=DAY, pool=pool, period="day", cap=Decimal(str(CAP)), minimum=MINIMUM,
        floor=Decimal(str(FLOOR)), integration=Decimal(str(LAMBDA)), keep=Decimal(str(KEEP)),
    )  # fmt: skip


def coevo(folder: Path, pool: int) -> tuple[Clock, int]:
    """This package, step by step as the rewards stage does it, to the files of allocations, receipts and escrow."""
    import polars as pl

    from coevo_pipelines.influence.lineage import Columns, lineage_credit
    from coevo_pipelines.influence.weights import RELATION_WEIGHT
    from coevo_pipelines.lake.schemas import TABLES
    from coevo_pipelines.rewards import persons, rounds
    from coevo_pipelines.rewards.merit import divided
    from coevo_pipelines.rewards.worth import graph_of, parts_of, worth

    many = np.zeros(100_000, np.int64)  # enough to be compiled
    lineage_credit(Columns(many[:1], many[:1], many[:1], ("cites",)), many)
    divided(many[:1], np.array([0, many.size]), many)
    round, past = the_round(pool), rounds.Past([], {}, 0)
    clock = Clock()
    read = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("works", "edges", "credits", "claims")}
    clock.lap("load")
    graph = graph_of(read.pop("works"), read.pop("edges"), read.pop("credits"))
    clock.lap("graph")
    value = worth(graph, round, RELATION_WEIGHT)
    clock.lap("merit and lineage")
    aliases = pl.DataFrame(schema={"id": pl.String, "canonical": pl.String})
    register = persons.register(read["claims"], TABLES["traces.optouts"].empty(), aliases)
    parts = parts_of(graph, value.kept, persons.held_works(graph.works, register, None), by_owner=False)
    clock.lap("people of works")
    rows = persons.eligibility(parts, register)
    clock.lap("eligibility")
    settled = rounds.settle(round, rows, register, past)
    clock.lap("divide")
    tables = rounds.frames(round, DAY, settled, past, is_paid=True, why_not=None)
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    clock.lap("write")
    given = tables["rewards.allocations"].select("person_id", pl.col("amount").cast(pl.Int64))
    given.filter(pl.col("amount") > 0).write_parquet(folder / "out_coevo.parquet")
    return clock, sum(settled.amounts) + settled.reserve


def pandas(folder: Path, pool: int) -> tuple[Clock, int]:
    """The same formula as one would write it in a notebook: floating point, rounded to cents at the end."""
    import pandas as pd

    clock = Clock()
    works = pd.read_parquet(folder / "works.parquet")
    edges = pd.read_parquet(folder / "edges.parquet")
    credits = pd.read_parquet(folder / "credits.parquet")
    verified = pd.read_parquet(folder / "claims.parquet").set_index("subject")["person_id"]
    clock.lap("load")
    flow = works["guarded_inflow"]
    bridging = flow * works["integrative_potential"].fillna(0)
    seeds = ((1 - LAMBDA) * flow / flow.sum() + LAMBDA * bridging / bridging.sum()).to_numpy()
    works["kept"] = _credited(seeds, works["node"].to_numpy(), edges)
    clock.lap("merit and lineage")
    credits["part"] = credits["node"].map(works.set_index("node")["kept"])
    credits["part"] /= credits.groupby("node")["node"].transform("size")
    credits["payee"] = credits["person_id"].map(verified).fillna(credits["person_id"])
    merit = credits.groupby("payee")["part"].sum()
    clock.lap("people of works")
    merit = merit.reindex(merit.index.union(pd.Index(verified.unique())), fill_value=0.0)
    merit = merit[(merit > 0) | merit.index.str.startswith("person:")]
    amounts = _filled(merit, merit.index.str.startswith("person:"), pool)
    clock.lap("divide")
    paid = amounts.round().astype("int64")
    paid.rename("amount").rename_axis("person_id").reset_index().query("amount > 0").to_parquet(
        folder / "out_pandas.parquet"
    )
    clock.lap("write")
    reserve = round(pool - amounts.sum())
    return clock, int(paid.sum()) + reserve


def _credited(seeds: Any, nodes: Any, edges: Any) -> Any:
    """Lineage credit by repeated multiplication, until nothing moves."""
    from coevo_pipelines.influence.weights import RELATION_WEIGHT

    source = np.searchsorted(nodes, edges["source_node"].to_numpy())
    target = np.searchsorted(nodes, edges["target_node"].to_numpy())
    counts = source != target
    edges, source, target = edges[counts].copy(), source[counts], target[counts]
    edges["weight"] = edges["relation"].map(RELATION_WEIGHT)
    grouped = edges.groupby(["source_node", "relation"])["weight"]
    each = edges["weight"] / grouped.transform("size")
    share = (each / each.groupby(edges["source_node"]).transform("sum")).to_numpy()
    passes = np.zeros(nodes.size, np.bool_)
    passes[source] = True
    kept, moving = np.zeros(nodes.size), seeds
    while moving.sum() > 1e-15:
        kept += np.where(passes, KEEP * moving, moving)
        moving = np.bincount(target, weights=(1 - KEEP) * moving[source] * share, minlength=nodes.size)
    return kept


def _filled(merit: Any, member: Any, pool: int) -> Any:
    """Water-filling: cap the largest, drop the smallest, repeat."""
    import pandas as pd

    cap = int(pool * CAP)
    floor = pd.Series(np.where(member, pool * FLOOR / member.sum(), 0.0), index=merit.index)
    capped = pd.Series(np.zeros(merit.size, np.bool_), index=merit.index)
    while True:
        left = pool * (1 - FLOOR) - (cap - floor[capped]).sum()
        open_merit = merit[~capped].sum()
        amounts = floor + (merit * (left / open_merit) if open_merit else 0.0)
        amounts[capped] = cap
        over = (amounts > cap) & ~capped
        if over.any():
            capped |= over
            continue
        low = amounts[amounts < MINIMUM].index
        if low.empty:
            return amounts
        # One at a time would take days here: as many as are below now, the smallest half of them first.
        gone = amounts[low].nsmallest(max(len(low) // 2, 1)).index
        keep = ~merit.index.isin(gone)
        merit, floor, capped, member = merit[keep], floor[keep], capped[keep], member[keep]
        floor[:] = np.where(member, pool * FLOOR / max(member.sum(), 1), 0.0)


def main() -> None:
    """Run one contestant."""
    name, folder, pool = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    clock, divided = {"coevo": coevo, "pandas": pandas}[name](folder, pool)
    print(json.dumps({"seconds": clock.seconds, "peak_bytes": peak_bytes(), "divided": divided}))


if __name__ == "__main__":
    main()
