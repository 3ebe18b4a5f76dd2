"""The day's graph as a world, worked out by hand; and out of a lake, without what comes later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.citations.assets import TABLES as CITATIONS
from coevo_pipelines.citations.assets import compute as citations_of
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import compute_and_commit
from coevo_pipelines.settings import load_settings
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.load import known_of
from coevo_pipelines.swarm.seeding.world import (
    CELLS,
    ORGANISMS,
    PARTS,
    TRIALS,
    TRIED,
    VERSIONS,
    Known,
    Rules,
    World,
    trials_of,
    world_of,
)
from coevo_pipelines_tests.citations import test_graph as graphs
from coevo_pipelines_tests.rewards.worlds import claim, merged, owned, repository, tell

DAY = date(2026, 1, 20)
PSO = "particle-swarm-optimization"
ANY = Rules(min_holders=1)
Row = dict[str, Any]
Link = tuple[str, str] | tuple[str, str, int]

WORKS: dict[str, Any] = {
    "node_id": pl.String, "is_stub": pl.Boolean, "kind": pl.String, "title": pl.String, "owner": pl.String,
    "status": pl.String, "created_at": pl.Datetime("us", "UTC"), "tags": pl.List(pl.String), "influence": pl.Float64,
    "guarded_inflow": pl.Float64, "integrative_potential": pl.Float64, "chamber_id": pl.String,
}  # fmt: skip
EDGES: dict[str, Any] = {"source": pl.String, "target": pl.String, "relation": pl.String, "weight": pl.Int64}
AUTHORS = {"node_id": pl.String, "person_id": pl.String, "name": pl.String}
CREDITS: dict[str, Any] = {"node_id": pl.String, "person_id": pl.String, "share": pl.Int64}
ALLOCATIONS: dict[str, Any] = {"round": pl.String, "person_id": pl.String, "amount": pl.Decimal(38, 0)}


def paper(node_id: str, by: str | None = None, *, days: int = 10, **more: Any) -> Row:
    """About particle swarms, unless said otherwise; `by`: who is identified as its first author; days old."""
    row = {
        "node_id": node_id, "is_stub": False, "kind": "paper", "title": "Particle swarm", "owner": None, "tags": [],
        "status": "active", "created_at": datetime(2026, 1, 20, 23, tzinfo=UTC) - timedelta(days), "influence": 0.0,
        "by": by,
    }  # fmt: skip
    return row | more


def code(node_id: str, owner: str | None = None, *, days: int = 10, **more: Any) -> Row:
    return paper(node_id, days=days, **{"kind": "repository", "title": node_id, "owner": owner, "tags": ["pso"]} | more)


def known(
    works: Sequence[Row],
    *links: Link,
    credits: Iterable[tuple[str, str, int]] = (),
    allocations: Iterable[tuple[str, str, int]] = (),
    aliases: Mapping[str, str] | None = None,
) -> Known:
    """links: source, target and, unless 1, the weight; again for each relation."""
    seen: dict[tuple[str, str], int] = {}
    edges = []
    for source, target, *weight in links:
        relation = ("cites", "mentions", "depends_on")[seen.get((source, target), 0)]
        seen[source, target] = seen.get((source, target), 0) + 1
        edges.append((source, target, relation, *(weight or [1])))
    by = [(row["node_id"], row["by"] or f"{row['node_id']}#1", row["by"]) for row in works if row["kind"] == "paper"]
    return Known(
        day=DAY,
        works=pl.DataFrame([{name: row.get(name) for name in WORKS} for row in works], schema=WORKS),
        edges=pl.DataFrame(edges, schema=EDGES, orient="row"),
        authors=pl.DataFrame(by, schema=AUTHORS, orient="row"),
        credits=pl.DataFrame(list(credits), schema=CREDITS, orient="row"),
        allocations=pl.DataFrame([(*row, Decimal(amount)) for *row, amount in allocations], schema=ALLOCATIONS,
                                 orient="row"),
        aliases=pl.DataFrame(list((aliases or {}).items()), schema=["id", "canonical"], orient="row",
                             schema_overrides={"id": pl.String, "canonical": pl.String}),
    )  # fmt: skip


def cells(world: World, *columns: str) -> dict[str, Any]:
    """By organism; its one pattern is PSO."""
    assert world.cells["pattern"].unique().to_list() in ([], [PSO])
    found = {}
    for organism, *values in world.cells.select("organism_id", *columns).iter_rows():
        found[organism] = values[0] if len(values) == 1 else tuple(values)
    return found


def organism(world: World, organism_id: str) -> Row:
    return world.organisms.row(by_predicate=pl.col("organism_id") == organism_id, named=True)


KENNEDY = [
    paper("K", "orcid:k"), paper("K2", "orcid:k"),
    paper("A", "orcid:a"), paper("A2", "orcid:a", title="On birds"), paper("B"),
    code("R", "github:Rose"), code("R2", "github:rose"), code("M", "hf:m", kind="model"),
    paper("Q", "orcid:q", chamber_id="c1"), paper("P"),
    code("D", "hf:d", kind="dataset"),
]  # fmt: skip
CITED: list[Link] = [
    ("K2", "K"),
    ("A", "K"),
    ("A2", "K"),
    ("B", "K"),
    ("R", "K"),
    ("R", "K"),
    ("R2", "K"),
    ("M", "K", 0),
]


def test_evidence_comes_from_other_clusters_than_the_version_s_and_the_holder_s() -> None:
    """K is cited by its author (K2: not counted), by a twice, by B, by Rose's two repositories, and over a link of
    weight 0: three clusters. Who is one of them has two that are not its own."""
    world = world_of(known(KENNEDY, *CITED), ANY)
    (row,) = world.versions.filter(pl.col("version_id") == "K").iter_rows(named=True)
    assert (row["evidence_for"], row["evidence_against"], row["work_id"], row["title"]) == (3, 0, "K", "Particle swarm")
    columns = ("version_id", "evidence_for", "weight", "k", "n", "verifications")
    assert cells(world, *columns) == {
        "orcid:k": ("K", 3, 1, 3, 3, 3),  # g(3, 3) = 0.9375
        "orcid:a": ("K", 2, 0, 2, 2, 2),  # g(2, 2) = 0.875
        "B": ("K", 2, 0, 2, 2, 2),
        "R": ("K", 2, 0, 2, 2, 2),
        "R2": ("K", 2, 0, 2, 2, 2),
        "M": ("K", 3, 1, 3, 3, 3),  # its link weighs 0: it is none of the three, and still what it uses
        "orcid:q": (f"c1:{PSO}", 0, 0, 0, 0, 0),
        "P": (f"none:{PSO}", 0, 0, 0, 0, 0),
    }
    usual = world.versions.filter(pl.col("work_id").is_null())
    assert usual.select("version_id", "title", "is_withdrawn", "evidence_for").rows() == [
        (f"c1:{PSO}", None, False, 0), (f"none:{PSO}", None, False, 0),
    ]  # fmt: skip


def test_organisms() -> None:
    world = world_of(known(KENNEDY, *CITED), ANY)
    columns = ("organism_id", "kind", "cluster", "works", "label")
    assert world.organisms.select(columns).rows() == [
        ("B", "author_cluster", "B", ["B"], "Particle swarm"),
        ("M", "model", "hf:m", ["M"], "M"),
        ("P", "author_cluster", "P", ["P"], "Particle swarm"),
        ("R", "repo", "github:rose", ["R"], "R"),
        ("R2", "repo", "github:rose", ["R2"], "R2"),
        ("orcid:a", "author_cluster", "orcid:a", ["A", "A2"], "orcid:a"),
        ("orcid:k", "author_cluster", "orcid:k", ["K", "K2"], "orcid:k"),
        ("orcid:q", "author_cluster", "orcid:q", ["Q"], "orcid:q"),
    ]
    assert world.organisms["allocation"].to_list() == [0] * 8
    assert world.organisms.schema == ORGANISMS


def test_accounts_are_alike_in_any_case() -> None:
    """A person to whom a claim gives the account is behind it, as behind papers."""
    works = [code("r", "HF:Ada"), code("s", "hf:ada"), code("t"), code("u", "person:ada"), paper("p", "person:ada")]
    world = world_of(known([*works, paper("q")], ("r", "s"), ("p", "u"), ("q", "u"), ("q", "s")), ANY)
    behind = dict(world.organisms.select("organism_id", "cluster").rows())
    assert behind == {
        "r": "hf:ada", "s": "hf:ada", "t": "t", "u": "person:ada", "person:ada": "person:ada", "q": "q",
    }  # fmt: skip
    assert dict(world.versions.select("version_id", "evidence_for").rows()) == {"s": 1, "t": 0, "u": 1}


def test_only_who_holds_a_method_counts_for_it() -> None:
    """Eight organisms hold it; the dataset that has the tag is none, the paper on birds is of one that does anyway."""
    graph = known(KENNEDY, *CITED)
    assert world_of(graph, Rules(min_holders=8)).cells.height == 8
    nine = world_of(graph, Rules(min_holders=9))
    assert (nine.cells.height, nine.versions.height, nine.organisms.height) == (0, 0, 8)


@pytest.mark.parametrize(
    ("status", "users", "expected"),
    [
        ("active", 3, (3, 0, 1)),
        ("withdrawn", 30, (30, 1, -1)),
        ("archived", 3, (3, 1, 0)),  # g(3, 4) = 26/32
        ("archived", 30, (30, 1, 1)),
        ("gated", 3, (3, 0, 1)),
        ("active", 2, (2, 0, 0)),
        ("active", 0, (0, 0, 0)),
        ("archived", 0, (0, 1, 0)),  # g(0, 1) = 1/4
    ],
)
def test_what_speaks_against_a_version(status: str, users: int, expected: tuple[int, int, int]) -> None:
    works = [code("V", "github:v", status=status), *(paper(f"u{i}", title="-") for i in range(users))]
    world = world_of(known(works, *((f"u{i}", "V") for i in range(users))), ANY)
    assert cells(world, "evidence_for", "evidence_against", "weight")["V"] == expected
    assert world.versions["is_withdrawn"].to_list() == [status == "withdrawn"]


def test_many_trials_are_halved_as_those_of_the_simulation_are() -> None:
    works = [code("V", "github:v", status="archived"), *(paper(f"u{i}", title="-") for i in range(130))]
    world = world_of(known(works, *((f"u{i}", "V") for i in range(130))), ANY)
    assert cells(world, "k", "n", "verifications", "weight")["V"] == (32, 32, 130, 1)  # 130/131, 65/65, 32/32
    fine = world_of(known(works, *((f"u{i}", "V") for i in range(130))), Rules(Config(most_trials=127), min_holders=1))
    assert cells(fine, "k", "n")["V"] == (65, 65)


def pick(works: Sequence[Row], *links: Link) -> Any:
    """The version that X has."""
    return cells(world_of(known([*works, paper("T", title="-", by="orcid:t")], *links), ANY), "version_id")["X"]


def test_the_version_is_what_is_cited_most_then_the_more_influential_then_the_first() -> None:
    x = code("X", "github:x")
    others = [paper("a"), paper("b"), paper("c", influence=0.25)]
    assert pick([x, *others], ("X", "b"), ("X", "b"), ("X", "c")) == "b"
    assert pick([x, *others], ("X", "b"), ("X", "c")) == "c"
    assert pick([x, *others], ("X", "b"), ("X", "a")) == "a"
    assert pick([x, *others], ("X", "T"), ("X", "T"), ("X", "b")) == "b"  # T is not about the method
    assert pick([x, *others], ("X", "X"), ("X", "X"), ("X", "b")) == "b"
    assert pick([x, *others], ("X", "X")) == "X"
    assert pick([x, code("y", "github:x")], ("X", "y", 0)) == "y"  # what it uses of its own


def test_all_works_of_an_organism_choose_its_version() -> None:
    by_one = [paper("w1", "X"), paper("w2", "X", title="-"), paper("w3", "X", title="-")]
    assert pick([*by_one, paper("a"), paper("b")], ("w1", "b"), ("w2", "a"), ("w3", "a")) == "a"


def test_whoever_cites_none_implements_its_own_where_it_is_one() -> None:
    assert pick([code("X", "github:x")]) == "X"
    assert pick([code("X", "github:x", kind="space")]) == "X"
    assert pick([paper("X")]) == f"none:{PSO}"
    assert pick([paper("X", chamber_id="c7")]) == f"c7:{PSO}"
    assert pick([paper("X")], ("T", "X")) == "X"  # somebody builds on it
    assert pick([paper("X")], ("T", "X", 0)) == f"none:{PSO}"
    # The most influential one that somebody builds on.
    works = [paper("w1", "X", influence=0.1), paper("w2", "X", influence=0.2), paper("w3", "X", influence=0.3)]
    assert pick(works, ("T", "w1"), ("T", "w2")) == "w2"


def test_influence_is_the_mid_rank_percentile() -> None:
    works = [paper("a", influence=0.1), paper("b", influence=0.1), paper("c", influence=None), paper("d", "o:d")]
    more = [paper("e", "o:d", influence=0.15), paper("f", "o:d", influence=0.15)]
    world = world_of(known([*works, *more]), ANY)
    assert dict(world.organisms.select("organism_id", "influence").rows()) == {
        "a": 0.5, "b": 0.5, "c": 0.125, "o:d": 0.875,
    }  # fmt: skip
    assert world_of(known([paper("a")]), ANY).organisms["influence"].to_list() == [0.5]


def test_a_home_is_where_most_of_the_influence_is() -> None:
    works = [
        paper("w1", "X", chamber_id="c1", influence=0.1), paper("w2", "X", chamber_id="c1", influence=0.1),
        paper("w3", "X", chamber_id="c2", influence=0.3), paper("w4", "X", influence=0.9),
        paper("v1", "Y", chamber_id="c1"), paper("v2", "Y", chamber_id="c2"), paper("v3", "Y", chamber_id="c2"),
        paper("u1", "Z", chamber_id="c2"), paper("u2", "Z", chamber_id="c1"),
    ]  # fmt: skip
    world = world_of(known(works), ANY)
    assert [organism(world, each)["community"] for each in "XYZ"] == ["c2", "c2", "c1"]


def test_age_is_since_the_first_trace() -> None:
    works = [paper("a", days=0), paper("b", "X", days=3), paper("c", "X", days=400), paper("d", days=-5)]
    world = world_of(known(works), ANY)
    assert dict(world.organisms.select("organism_id", "age").rows()) == {"a": 0, "X": 400, "d": 0}


def test_the_most_integrative_of_the_young_are_blessed_and_who_is_named() -> None:
    """Of 101 young ones two: the one per cent is rounded up. Old ones are not young, and 0 is not integrative."""
    works = [paper(f"w{i:03}", integrative_potential=i / 1000 if i % 2 else None) for i in range(101)]
    old = [paper("old", days=100, integrative_potential=1.0), paper("older", "orcid:o", days=700)]
    rules = Rules(min_holders=1, blessed=("doi:older", "github:nobody", "orcid:o", "w000"))
    world = world_of(known([*works, *old], aliases={"doi:older": "older"}), rules)
    assert world.organisms.filter("blessed")["organism_id"].to_list() == ["orcid:o", "w000", "w097", "w099"]
    assert world.unknown == ("github:nobody",)
    assert not world_of(known([paper("a", integrative_potential=0.0)]), ANY).organisms["blessed"].any()


def test_what_rounds_give_goes_to_the_works_behind_it() -> None:
    """Two rounds count alike, whatever their currencies. p has two works alike in inflow, but only a third of one; q
    has the rest of it; r's work is a dataset, which is no organism."""
    works = [code("x", guarded_inflow=0.3), code("y", guarded_inflow=0.3), code("z", kind="dataset", title="-")]
    found = world_of(
        known(
            works,
            credits=[("x", "p", 1), ("x", "q", 2), ("y", "p", 1), ("z", "r", 1)],
            allocations=[("eur", "p", 300), ("eur", "q", 100), ("eur", "r", 100), ("wei", "p", 10**20)],
        ),
        ANY,
    )
    given = dict(found.organisms.select("organism_id", "allocation").rows())
    p = PARTS * 3 // 5 + PARTS
    assert given["x"] + given["y"] == p + PARTS // 5
    assert given["y"] == pytest.approx(0.75 * p, abs=100)
    nothing = world_of(known(works, credits=[("x", "p", 1), ("y", "p", 1)], allocations=[("r", "p", 0)]), ANY)
    assert nothing.organisms["allocation"].to_list() == [0, 0]


def test_works_without_inflow_share_alike() -> None:
    graph = known([code("x"), code("y")], credits=[("x", "p", 1), ("y", "p", 1)], allocations=[("r", "p", 7)])
    assert world_of(graph, ANY).organisms["allocation"].to_list() == [PARTS // 2] * 2


@pytest.mark.parametrize("works", [[], [paper("a")], [paper("s", kind=None, is_stub=True, title=None)]])
def test_hardly_anything(works: list[Row]) -> None:
    """The frames keep their columns and types, whatever is in them."""
    world = world_of(known(works), ANY)
    trials = trials_of(known(works), ANY)
    assert [dict(frame.schema) for frame in (world.organisms, world.versions, world.cells, trials)] == [
        ORGANISMS, VERSIONS, CELLS, TRIALS,
    ]  # fmt: skip
    assert world.organisms.height == world.cells.height == sum(row["title"] is not None for row in works)


def adopted(*rows: Row, links: Sequence[Link] = ()) -> list[tuple[Any, ...]]:
    """Trials of new works beside two older ones about the method, in chambers c1 and c2."""
    old = [paper("a", "orcid:a", chamber_id="c1"), paper("b", chamber_id="c2"), paper("o", title="-", chamber_id="c2")]
    found = trials_of(known([*old, *rows], *links), ANY)
    return [(*row[:3], row[4]) for row in found.rows()]


def test_a_new_work_is_a_trial_of_the_versions_that_it_takes_up() -> None:
    new = paper("n", days=0, chamber_id="c1")
    assert adopted(new, links=[("n", "b"), ("n", "a"), ("n", "a"), ("n", "o")]) == [("n", PSO, "c1", ["a", "b"])]
    assert adopted(new, links=[("n", "o")]) == [("n", PSO, "c1", [f"c1:{PSO}"])]
    assert adopted(new, links=[("n", "n")]) == [("n", PSO, "c1", [f"c1:{PSO}"])]
    # What it uses of its own speaks for nobody, and is no usual way either; nor is code that is its own.
    assert adopted(paper("n", "orcid:a", days=0, chamber_id="c1"), links=[("n", "a")]) == [("n", PSO, "c1", [])]
    assert adopted(new, links=[("n", "a", 0)]) == [("n", PSO, "c1", [])]
    assert adopted(code("n", days=0, chamber_id="c1")) == [("n", PSO, "c1", [])]
    assert adopted(code("n", days=0, kind="dataset", chamber_id="c1"), links=[("n", "a")]) == [("n", PSO, "c1", ["a"])]


def test_a_new_work_without_a_chamber_belongs_where_it_cites_most() -> None:
    new = paper("n", days=0)
    assert adopted(new, links=[("n", "a"), ("n", "b"), ("n", "o")]) == [("n", PSO, "c2", ["a", "b"])]
    assert adopted(new, links=[("n", "b"), ("n", "a")]) == [("n", PSO, "c1", ["a", "b"])]
    assert adopted(new) == []


def test_what_is_no_trial() -> None:
    assert adopted(paper("n", days=1, chamber_id="c1")) == []  # of the day before
    assert adopted(paper("n", days=0, chamber_id="c1", title="Birds")) == []
    assert adopted(paper("n", days=0, chamber_id="c1", is_stub=True, kind=None, title=None)) == []


def test_one_row_for_each_method() -> None:
    new = paper("n", days=0, chamber_id="c1", title="PSO with genetic algorithms")
    assert adopted(new, links=[("n", "a")]) == [
        ("n", "genetic-algorithm", "c1", ["c1:genetic-algorithm"]), ("n", PSO, "c1", ["a"]),
    ]  # fmt: skip


def test_a_new_hub_that_takes_up_another_s_way_is_a_trial_of_it() -> None:
    """The paper that has the practice's words in its title is of another matter."""
    works = [
        *(code(each, kind="hub_dataset", tags=[], days=days, chamber_id="c1") for each, days in (("h", 5), ("n", 0))),
        paper("p", days=0, title="Compost", chamber_id="c1"), code("o", kind="hub_dataset", tags=[], chamber_id="c1"),
    ]  # fmt: skip
    practices = pl.DataFrame({"node_id": ["h", "n"], "pattern": "practice:compost"})
    graph = replace(known(works, ("n", "h"), ("n", "o"), ("p", "h")), practices=practices)
    assert trials_of(graph, ANY).select("work_id", "pattern", "community", "versions").rows() == [
        ("n", "practice:compost", "c1", ["h"])
    ]
    world = world_of(graph, Rules(min_holders=9))
    assert world.organisms.select("organism_id", "kind").rows() == [
        ("h", "hub"), ("n", "hub"), ("p", "author_cluster"),
    ]  # fmt: skip
    assert world.cells.select("organism_id", "version_id", "evidence_for").rows() == [("h", "h", 2), ("n", "h", 1)]


def test_hubs_of_one_owner_are_one_voice_and_so_is_one_that_cites_and_succeeds() -> None:
    """Better with o and z, worse with o and q; z cites the version of o, which is no second voice for it."""
    owners = (("a", "o"), ("b", "O"), ("c", "q"), ("d", "z"))
    works = [code(each, owner, kind="hub_dataset", tags=[]) for each, owner in owners]
    rows = [("a", 1), ("b", 1), ("b", -1), ("c", -1), ("d", 1)]
    tried = pl.DataFrame([(hub, "practice:x", side) for hub, side in rows], TRIED, orient="row")
    practices = pl.DataFrame({"node_id": list("abcd"), "pattern": "practice:x"})
    world = world_of(replace(known(works, ("d", "a")), practices=practices, tried=tried), ANY)
    assert world.versions.select("version_id", "evidence_for", "evidence_against").rows() == [
        ("a", 1, 2), ("b", 1, 2), ("c", 2, 2),
    ]  # fmt: skip
    assert world.cells.select("organism_id", "version_id", "evidence_for", "n").rows() == [
        ("a", "a", 1, 3), ("b", "b", 1, 3), ("c", "c", 2, 4), ("d", "a", 0, 2),
    ]  # fmt: skip


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 1)), max_size=30), st.randoms())
def test_evidence_by_its_definition_and_in_any_order(links: list[tuple[int, int, int]], random: Any) -> None:
    """Against a plain count; shuffled rows give the same frames."""
    works = [paper(str(i), f"by{i // 2}") if i < 6 else code(str(i), f"github:o{i % 2}") for i in range(8)]
    cluster = {str(i): f"by{i // 2}" if i < 6 else f"github:o{i % 2}" for i in range(8)}
    named = list(dict.fromkeys((str(a), str(b), w) for a, b, w in links))
    world = world_of(known(works, *named), ANY)
    for row in world.cells.iter_rows(named=True):
        version, own = row["version_id"], dict(world.organisms.select("organism_id", "cluster").rows())
        users = {cluster[a] for a, b, w in named if b == version and w}
        others = users - {cluster.get(version), own[row["organism_id"]]}
        assert (row["evidence_for"], row["k"], row["n"]) == (len(others),) * 3
    random.shuffle(works)
    random.shuffle(named)
    again = world_of(known(works, *named), ANY)
    for name in ("organisms", "versions", "cells"):
        assert getattr(again, name).equals(getattr(world, name))


FACTS = merged(
    {
        "works": [
            graphs.work("arxiv:k", 0, created=-400, title="Particle swarm"),
            graphs.work("arxiv:a", 0, title="A particle swarm"),
            graphs.work("arxiv:b", 0, title="Particle swarms of b"),
        ],
        "references": [graphs.reference(f"arxiv:{each}", "arxiv:k", 0) for each in "ab"],
        "people": [
            graphs.author("arxiv:k", "Kay", 1, 0, "0000-0001"), graphs.author("arxiv:a", "Ann", 1, 0),
            graphs.author("arxiv:b", "Bo", 1, 0), graphs.author("arxiv:b", "Ann", 2, 0), *owned("Ann"),
        ],
        "claims": claim("ann", "arxiv:a#1", "github:ann", name="Ann A."),
    },
    {
        "works": repository("Ann", tags=["pso"]),
        "references": [graphs.reference("github:Ann/1", "arxiv:k", 0), graphs.reference("arxiv:b", "github:Ann/1", 0)],
    },
)  # fmt: skip
LATER = {
    "works": [
        graphs.work("arxiv:new", 1, title="New particle swarm"),
        graphs.work(
            "arxiv:k", 1, created=-400, event="updated", status="withdrawn", title="Particle swarm (withdrawn)"
        ),
    ],
    "references": [graphs.reference("arxiv:new", "arxiv:k", 1), graphs.reference("arxiv:new", "github:Ann/1", 1)],
    "people": [graphs.author("arxiv:new", "Kay", 1, 1, "0000-0001"), graphs.author("arxiv:b", "Bo", 1, 1, "0000-0002")],
    "claims": FACTS["claims"],
}


def score(lake: Lake, offset: int, given: Mapping[str, tuple[float, str | None]], amounts: Mapping[str, int]) -> None:
    """Influence and chamber by work, and what a round gives; the stages between are tested elsewhere."""
    day = graphs.DAY + timedelta(offset)
    rows: dict[str, list[Row]] = {
        "influence.scores": [{"node_id": each, "influence": value} for each, (value, _) in given.items()],
        "influence.lattice": [{"node_id": each, "chamber_id": home} for each, (_, home) in given.items()],
        "rewards.allocations": [{"person_id": who, "amount": Decimal(amount)} for who, amount in amounts.items()],
    }
    for table, own in rows.items():
        schema = TABLES[table].polars_schema()
        blank = {c.name: None if c.nullable else BLANK.get(c.type, "r") for c in TABLES[table].columns}
        lake.write(table, day, pl.DataFrame([blank | row for row in own], schema=schema))


BLANK: dict[str, Any] = {"int64": 0, "float64": 0.0, "bool": False, "amount": Decimal(0)}
Told = tuple[Lake, World]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A lake of two days, and the world of the first as it was before the second came. On the second day the version
    is withdrawn, Bo turns out to be somebody, and everything has another chamber."""
    lake = Lake(tmp_path_factory.mktemp("seeding"))
    scores: dict[str, tuple[float, str | None]] = {
        "arxiv:k": (0.4, "c1"), "arxiv:a": (0.2, "c1"), "arxiv:b": (0.2, None), "github:Ann/1": (0.2, "c2"),
    }  # fmt: skip
    tell(lake, 0, FACTS)
    compute_and_commit(lake, CITATIONS, graphs.DAY, citations_of)
    score(lake, 0, scores, {"orcid:0000-0001": 60, "person:ann": 40})
    first = world_of(known_of(lake.snapshot(), graphs.DAY, load_settings()), ANY)
    tell(lake, 1, LATER)
    compute_and_commit(lake, CITATIONS, graphs.DAY + timedelta(1), citations_of)
    score(lake, 1, {each: (value, "c9") for each, (value, _) in scores.items()}, {})
    return lake, first


def test_out_of_the_lake(told: Told) -> None:
    """Ann claims her account and an authorship: her paper and her repository are of one cluster. So K's evidence is
    Ann and Bo; Bo is not identified, and Ann as second author of his paper does not make it hers."""
    world = told[1]
    columns = ("organism_id", "kind", "cluster", "label", "community", "age", "influence", "allocation")
    assert world.organisms.select(columns).rows() == [
        ("arxiv:b", "author_cluster", "arxiv:b", "Particle swarms of b", None, 0, 0.375, 0),
        ("github:Ann/1", "repo", "person:ann", "github:Ann/1", "c2", 0, 0.375, PARTS // 5),
        ("orcid:0000-0001", "author_cluster", "orcid:0000-0001", "Kay", "c1", 400, 0.875, PARTS * 3 // 5),
        ("person:ann", "author_cluster", "person:ann", "Ann A.", "c1", 0, 0.375, PARTS // 5),
    ]
    assert cells(world, "version_id", "evidence_for", "weight") == {
        "arxiv:b": ("arxiv:k", 1, 0),
        "github:Ann/1": ("arxiv:k", 1, 0),
        "orcid:0000-0001": ("arxiv:k", 2, 0),
        "person:ann": ("arxiv:k", 1, 0),
    }


def test_what_comes_later_is_not_known(told: Told) -> None:
    lake, first = told
    snapshot = lake.snapshot()
    again = world_of(known_of(snapshot, graphs.DAY, load_settings()), ANY)
    for name in ("organisms", "versions", "cells"):
        assert getattr(again, name).equals(getattr(first, name))
    assert {given.date for given in snapshot.inputs} == {graphs.DAY.isoformat()}


def test_the_day_after(told: Told) -> None:
    """K is withdrawn, Bo identified; the new work takes up Ann's repository, and K, which is its own author's."""
    after = known_of(told[0].snapshot(), graphs.DAY + timedelta(1), load_settings())
    world = world_of(after, ANY)
    assert cells(world, "version_id", "evidence_for", "evidence_against", "weight") == {
        "github:Ann/1": ("arxiv:k", 1, 1, -1),
        "orcid:0000-0001": ("arxiv:k", 2, 1, -1),
        "orcid:0000-0002": ("arxiv:k", 1, 1, -1),
        "person:ann": ("arxiv:k", 1, 1, -1),
    }
    assert world.organisms["community"].to_list() == ["c9"] * 4
    (row,) = trials_of(after, ANY).iter_rows(named=True)
    assert row == {
        "work_id": "arxiv:new", "pattern": PSO, "community": "c9", "cluster": "orcid:0000-0001",
        "versions": ["github:Ann/1"],
    }  # fmt: skip


def test_a_day_without_anything(tmp_path: Path) -> None:
    found = known_of(Lake(tmp_path).snapshot(), graphs.DAY, load_settings())
    world = world_of(found, ANY)
    assert (world.organisms.height, world.versions.height, world.cells.height) == (0, 0, 0)
    assert trials_of(found, ANY).height == 0
