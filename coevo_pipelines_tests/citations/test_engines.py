"""DuckDB and a Spark Connect engine make the same of every relational expression, to the last row."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from coevo_pipelines.citations import asof, graph
from coevo_pipelines.citations.assets import TABLES as CITATIONS
from coevo_pipelines.citations.assets import citation_assets, compute
from coevo_pipelines.influence import people
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.engine import DUCKDB, Engine
from coevo_pipelines.lake.store import Lake, Snapshot
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.citations.sail import sail
from coevo_pipelines_tests.citations.world import DAYS as WORLD_DAYS
from coevo_pipelines_tests.citations.world import write_world
from coevo_pipelines_tests.runs import DAYS

__all__ = ["sail"]


def citations(snapshot: Snapshot, day: date, where: str) -> Mapping[str, pl.DataFrame]:
    """The day's rows of each table of the stage, as they would be written."""
    results = compute(day, snapshot, where)
    return {name: schemas.conform(schemas.table(name), results[name].frame, f"{where} {day}") for name in CITATIONS}


def as_of(snapshot: Snapshot, day: date, where: str) -> Mapping[str, pl.DataFrame]:
    """The graph of the day, who is behind its works, and what they get of units that do not divide."""
    with Engine(snapshot, where) as engine:
        works, persons, aliases, nodes, edges = (engine.table(name, upto=day) for name in asof.KNOWN)
        known = asof.Known(day, works, persons, aliases, nodes, edges, engine)
        standing = engine.keep(asof.works(known))
        credits = engine.keep(people.credits(standing, persons, aliases))
        frames = {
            "works": engine.frame(standing).sort("node_id"),
            "edges": engine.frame(asof.edges(known, standing)).sort("source", "target", "relation"),
            "credits": engine.frame(credits).sort("node_id", "position"),
        }
        number = pl.int_range(pl.len(), dtype=pl.Int64)
        units = frames["works"].select("node_id", **{name: number * k for k, name in enumerate(people.UNITS, 10**9)})
        carried = engine.frame(people.carry(engine.put(units), credits))
        return {**frames, "people": carried.sort("person_id")}


def materializations(result: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [event.materialization for event in result.get_asset_materialization_events()]


def assert_same(one: Mapping[str, pl.DataFrame], other: Mapping[str, pl.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert_frame_equal(one[name], other[name], check_exact=True)


@pytest.mark.parametrize("day", DAYS)
def test_the_sample(sample: Settings, sail: str, day: date) -> None:
    snapshot = Lake(sample.lake_root).snapshot()
    made = citations(snapshot, day, sail)
    assert_same(citations(snapshot, day, DUCKDB), made)
    for name, frame in made.items():
        assert_frame_equal(frame, snapshot.scan(name, on=day).drop("date").collect(), check_exact=True)
    assert_same(as_of(snapshot, day, DUCKDB), as_of(snapshot, day, sail))


def test_the_setting_reaches_the_asset(sample: Settings, sail: str, tmp_path: Path) -> None:
    """A day made again by the other engine, on a copy of the lake: the same bytes, so that nothing changes."""
    shutil.copytree(sample.lake_root, tmp_path / "lake", ignore=shutil.ignore_patterns(".dagster"))
    settings = load_settings(lake=tmp_path / "lake", engine=sail)
    kept: list[str] = []

    class Watched(Engine):
        def __init__(self, snapshot: Snapshot, where: str = DUCKDB) -> None:
            kept.append(where)
            super().__init__(snapshot, where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coevo_pipelines.lake.engine.Engine", Watched)
        result = dg.materialize([citation_assets(settings)], partition_key=DAYS[2].isoformat())
    assert kept == [sail]
    made = {event.asset_key.path[-1]: event.metadata["changed"].value for event in materializations(result)}
    assert made == dict.fromkeys((name.partition(".")[2] for name in CITATIONS), False)


def test_two_days_of_a_dirty_world(tmp_path: Path, sail: str) -> None:
    """The second day stands on the first, which each engine has made by itself."""
    lakes = {DUCKDB: Lake(tmp_path / "duckdb"), sail: Lake(tmp_path / "spark")}
    made: dict[str, dict[str, pl.DataFrame]] = {}
    for where, lake in lakes.items():
        write_world(lake, 5_000, 40_000)
        made[where] = {}
        for day in WORLD_DAYS:
            for name, frame in citations(lake.snapshot(), day, where).items():
                lake.write(name, day, frame)
                made[where][f"{name} {day}"] = frame
            made[where] |= {f"{name} {day}": frame for name, frame in as_of(lake.snapshot(), day, where).items()}
    assert_same(made[DUCKDB], made[sail])
    # What the world is there for does occur.
    for name in CITATIONS:
        assert made[DUCKDB][f"{name} {WORLD_DAYS[1]}"].height > 0, name
    edges = made[DUCKDB][f"edges {WORLD_DAYS[1]}"]
    assert set(edges["own"]) == {None, "self_loop", "same_owner", "same_authors"}
    authors = made[DUCKDB][f"works {WORLD_DAYS[1]}"]["authors"].drop_nulls()
    assert authors.str.contains("νικοσ παππασ").any()
    assert authors.str.contains("ş. inan").any()


def test_a_large_world(tmp_path: Path, sail: str) -> None:
    lake = Lake(tmp_path / "lake")
    write_world(lake, 25_000, 250_000)
    day = WORLD_DAYS[0]
    made = citations(lake.snapshot(), day, DUCKDB)
    assert made["citations.edges"].height > 220_000
    assert_same(made, citations(lake.snapshot(), day, sail))
    for name, frame in made.items():
        lake.write(name, day, frame)
    assert_same(as_of(lake.snapshot(), day, DUCKDB), as_of(lake.snapshot(), day, sail))


def test_names_are_folded_alike(tmp_path: Path, sail: str) -> None:
    """Every character that is older than the engines' tables, inside a word and at its end."""
    old = [chr(code) for code in range(1, 0x20000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs")]
    names = pl.DataFrame({"name": [f"A{c}B" for c in old] + [f"A{c} B" for c in old]})
    folded = []
    for where in (DUCKDB, sail):
        with Engine(Lake(tmp_path).snapshot(), where) as engine:
            table = engine.put(names)
            folded.append(engine.frame(table.select("name", folded=graph.folded(table.name))).sort("name"))
    assert_frame_equal(*folded, check_exact=True)
    rows = dict(folded[0].rows())
    assert (rows["AÉB"], rows["AΣ B"], rows["Aς B"], rows["AİB"]) == ("aéb", "aσ b", "aσ b", "aib")
