"""What worked at hubs becomes a pattern of the swarm, with its evidence: out of a lake, over two days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.citations.assets import TABLES as CITATIONS
from coevo_pipelines.citations.assets import compute as citations_of
from coevo_pipelines.hubs.strategies import strategies
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import compute_and_commit
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.swarm.assets import INPUTS, compute
from coevo_pipelines.swarm.assets import TABLES as SWARM
from coevo_pipelines.swarm.explain import explain, lines
from coevo_pipelines.swarm.load import known_of
from coevo_pipelines.swarm.seeding.world import ORGANISMS, Rules, World, world_of
from coevo_pipelines_tests.citations.test_graph import DAY, Row, at, identity, reference, work
from coevo_pipelines_tests.hubs.test_strategies import case
from coevo_pipelines_tests.rewards.worlds import merged, tell
from coevo_pipelines_tests.swarm.seeding.test_world import FACTS
from coevo_pipelines_tests.swarm.test_explain import MARKER, put

COMPOST = "practice:compost"
DAYS = [DAY, DAY + timedelta(1)]
BLANK: dict[str, Any] = {"int64": 1, "float64": 0.0, "timestamp": at(0), "list[string]": []}


def published(hub: str, day: int, *, owner: str | None = None, title: str | None = None) -> Row:
    """A work of the kind that hubs publish."""
    told: Row = {"kind": "hub_dataset", "source": "hubs", "owner": owner, "title": title or f"Garden {hub}"}
    return work(f"hub:{hub}", day, **told, tags=["compost"])


def listed(hub: str, day: int, *practices: str) -> Row:
    """A row of `hubs.registry`."""
    columns = TABLES["hubs.registry"].columns
    blank = {c.name: None if c.nullable else (c.enum or ("x",))[0] if c.type == "string" else BLANK[c.type]
             for c in columns}  # fmt: skip
    return blank | {"hub_id": f"hub:{hub}", "published_at": at(day), "practices": list(practices)}


def say(lake: Lake, offset: int, registry: Iterable[Row], outcomes: Iterable[Row], said: Iterable[Row]) -> None:
    """The hubs' tables of a day. outcomes: published on it; said: those that stand, of which strategies are made."""
    day = DAYS[offset]
    schemas = {name: TABLES[f"hubs.{name}"].polars_schema() for name in ("registry", "outcomes")}
    lake.write("hubs.registry", day, pl.DataFrame(list(registry), schema=schemas["registry"]))
    lake.write("hubs.outcomes", day, pl.DataFrame(list(outcomes), schema=schemas["outcomes"]))
    lake.write("hubs.strategies", day, strategies(pl.DataFrame(list(said), schema=schemas["outcomes"]), 4, 0.95))


def tried(hub: str, day: int, after: float, **more: Any) -> Row:
    return case(hub, 1.0, after, event_at=at(day), **more)


FIRST = [tried(hub, 0, after) for hub, after in zip("abcde", (1.30, 1.21, 1.28, 1.19, 1.25), strict=True)]
POOR = {"quantity": "yield", "row": 2}
SECOND = [
    tried("d", 1, 0.4),
    *(tried(hub, 1, after, **POOR) for hub, after in zip("bcd", (0.6, 0.62, 0.58), strict=True)),
]
"""On the second day b, c and d publish again: d that it got worse there, all three that the yield fell."""
STANDING = [FIRST[0], FIRST[4], *(tried(hub, 1, after) for hub, after in (("b", 1.21), ("c", 1.28))), *SECOND]


@pytest.fixture(scope="module")
def settings_of(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Five hubs that composted, of which b's data build on a's, d and e are of one account, and c's have a DOI too; a
    paper that cites a's data; a sixth hub that composts and measured nothing, and a seventh that does something else.
    On the second day nothing is sure any more."""
    settings = load_settings(lake=tmp_path_factory.mktemp("practices"))
    lake = Lake(settings.lake_root)
    owners = {"d": "github:Dee", "e": "github:dee"}
    facts = {
        "works": [
            *(published(hub, 0, owner=owners.get(hub)) for hub in "abcdefg"),
            work("doi:10.5281/c", 0, kind="dataset", title="Compost at c"),
            work("arxiv:x", 0, title="On composting"),
        ],
        "references": [reference("hub:b", "hub:a", 0), reference("arxiv:x", "hub:a", 0)],
        "identities": [identity("hub:c", "doi:10.5281/c", 0, evidence="id")],
    }
    registry = [
        *(listed(hub, 0, "compost") for hub in "abcde"), listed("f", 0, "Hot Compost-heaps", "bee keeping"),
        listed("f2", 0, "hot compost"), listed("g", 0, "bee keeping"),
    ]  # fmt: skip
    tell(lake, 0, merged(FACTS, facts))
    say(lake, 0, registry, FIRST, FIRST)
    again = [listed(hub, 1 if hub in "bcd" else 0, "compost") for hub in "abcde"]
    say(lake, 1, again, [*STANDING[2:4], *SECOND], STANDING)
    compute_and_commit(lake, CITATIONS, DAY, citations_of)
    for day in DAYS:
        compute_and_commit(lake, SWARM, day, partial(compute, settings))
    return settings


def world(settings: Settings, day: date) -> World:
    return world_of(known_of(Lake(settings.lake_root).snapshot(), day, settings), Rules())


def table(settings: Settings, name: str, day: date) -> pl.DataFrame:
    return Lake(settings.lake_root).scan(f"swarm.{name}", on=day).collect()


def test_holders_are_the_hubs_that_do_it(settings_of: Settings) -> None:
    """Fewer than `min_holders` organisms would do; the paper that has the word in its title is none of them, nor is a
    hub without a work in the graph."""
    found = world(settings_of, DAYS[0])
    hubs = found.organisms.filter(pl.col("kind") == "hub")
    assert hubs.select("organism_id", "label", "works").rows() == [
        (each, title, [each])
        for each, title in (
            ("doi:10.5281/c", "Compost at c"), ("hub:a", "Garden a"), ("hub:b", "Garden b"), ("hub:d", "Garden d"),
            ("hub:e", "Garden e"), ("hub:f", "Garden f"),
        )
    ]  # fmt: skip
    assert found.organisms.schema == ORGANISMS
    assert set(found.cells["pattern"]) == {COMPOST}
    assert found.cells["organism_id"].to_list() == hubs["organism_id"].to_list()


def test_versions_and_evidence(settings_of: Settings) -> None:
    """It got better at a, b, c and with Dee (d and e: one account): four clusters, of which a version's own does not
    count. To a's come the paper that cites it; b's citation is of a hub that counts already."""
    found = world(settings_of, DAYS[0])
    assert dict(found.versions.select("version_id", "evidence_for").rows()) == {
        "hub:a": 4, "doi:10.5281/c": 3, "hub:d": 3, "hub:e": 3, "hub:f": 4,
    }  # fmt: skip
    assert found.versions["evidence_against"].sum() == 0
    columns = ("organism_id", "version_id", "evidence_for", "weight", "k", "n")
    assert found.cells.select(columns).rows() == [
        ("doi:10.5281/c", "doi:10.5281/c", 3, 1, 3, 3),
        ("hub:a", "hub:a", 4, 1, 4, 4),
        ("hub:b", "hub:a", 3, 1, 3, 3),  # less its own success
        ("hub:d", "hub:d", 3, 1, 3, 3),
        ("hub:e", "hub:e", 3, 1, 3, 3),
        ("hub:f", "hub:f", 4, 1, 4, 4),  # five hubs did it, and it knows of four that are not its own
    ]


def test_what_worked_stays_a_pattern_with_what_speaks_against_it(settings_of: Settings) -> None:
    """On the second day d got worse and the yield fell at b, c and d: three hubs, too few to say that it harms, so by
    the yield nothing is counted; f is gone."""
    said = Lake(settings_of.lake_root).scan("hubs.strategies", on=DAYS[1]).collect()
    assert dict(said.select("quantity", "verdict").rows()) == {"soil_organic_carbon": "unclear", "yield": "too_few"}
    found = world(settings_of, DAYS[1])
    assert "hub:f" not in found.cells["organism_id"]
    assert dict(found.versions.select("version_id", "evidence_for").rows()) == {
        "hub:a": 4, "doi:10.5281/c": 3, "hub:d": 3, "hub:e": 3,
    }  # fmt: skip
    assert set(found.versions["evidence_against"]) == {1}


def test_what_harms_by_another_measure_speaks_against_it(settings_of: Settings, tmp_path: Path) -> None:
    """Where enough hubs tell it; what another practice did does not count."""
    lake = Lake(tmp_path)
    poor = [tried(hub, 0, after, **POOR) for hub, after in zip("abcd", (0.6, 0.62, 0.58, 0.61), strict=True)]
    other = [tried(hub, 0, 0.5, practice="mulch", row=3) for hub in "abcde"]
    say(lake, 0, [listed(hub, 0) for hub in "abcde"], [*FIRST, *poor, *other], [*FIRST, *poor, *other])
    found = known_of(lake.snapshot(), DAY, settings_of)
    assert found.tried.rows() == [
        (f"hub:{hub}", COMPOST, side) for hub in "abcde" for side in (-1, 1) if (hub, side) != ("e", -1)
    ]
    assert found.practices["node_id"].to_list() == [f"hub:{hub}" for hub in "abcde"]


def test_no_look_ahead(settings_of: Settings) -> None:
    """The first day is what it was before the second came, and reads nothing of it."""
    snapshot = Lake(settings_of.lake_root).snapshot()
    known_of(snapshot, DAYS[0], settings_of)
    assert {each.date for each in snapshot.inputs} == {DAYS[0].isoformat()}
    assert set(INPUTS) <= {each.table for each in snapshot.inputs} | {"traces.contributions"}


def test_where_all_hubs_are_gone_nothing_is_held(settings_of: Settings, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    say(lake, 0, [listed(hub, 0) for hub in "abcde"], FIRST, FIRST)
    say(lake, 1, [], [], [])
    found = known_of(lake.snapshot(), DAYS[1], settings_of)
    assert (found.practices.height, found.tried.height) == (0, 0)


def test_where_nothing_worked_hubs_hold_nothing(settings_of: Settings, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    say(lake, 0, [listed(hub, 0, "compost") for hub in "abc"], FIRST[:3], FIRST[:3])
    found = known_of(lake.snapshot(), DAY, settings_of)
    assert (found.practices.height, found.tried.height) == (0, 0)


def test_the_simulation_takes_it_up_and_goes_on_with_it(settings_of: Settings) -> None:
    """Two days of the asset itself: the second goes on from the tables of the first."""
    first, second = (table(settings_of, "versions", day) for day in DAYS[:2])
    assert dict(first.filter(pl.col("pattern") == COMPOST).select("version_id", "evidence_for").rows())["hub:a"] == 4
    later = second.filter(pl.col("pattern") == COMPOST)
    assert dict(later.select("version_id", "evidence_against").rows()) == {
        "hub:a": 1, "doi:10.5281/c": 1, "hub:d": 1, "hub:e": 1, "hub:f": 0,
    }  # fmt: skip
    organisms = table(settings_of, "organisms", DAYS[1])
    own = organisms.filter(~pl.col("organism_id").str.starts_with("~"), pl.col("kind") == "hub")
    assert set(own["organism_id"]) <= {"doi:10.5281/c", "hub:a", "hub:b", "hub:d", "hub:e"}
    assert table(settings_of, "cells", DAYS[1]).filter(pl.col("pattern") == COMPOST).height > 0


def test_explain_shows_what_hubs_found_and_where_that_is_kept(settings_of: Settings) -> None:
    lake = Lake(settings_of.lake_root)
    row = {"pattern": COMPOST, "teacher_id": "hub:a", "student_id": "hub:d", "teacher_version": "hub:a",
           "student_version": "hub:d", "marked_at": at(0)}  # fmt: skip
    put(lake, DAYS[1], "decision_markers", MARKER | row)
    found = explain(lake.snapshot(), "blend_r_1", settings_of, DAYS[1])
    assert [each["quantity"] for each in found.strategies] == ["soil_organic_carbon", "yield"]
    text = "\n".join(lines(found))
    assert "What hubs found of it:\n  compost, by soil_organic_carbon: unclear; 5 hubs, better in 4, worse in 1" in text
    assert "[hub:a, hub:b, hub:c, hub:d, hub:e; raw bytes a1, b1, c1, d1, e1]" in text
    assert "against it: 1 (withdrawn, archived by its owner, or a hub where it got worse)" in text
    assert 'version at +1: hub:a "Garden a"' in text
