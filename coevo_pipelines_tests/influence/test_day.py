"""A day of the stage from frames: what comes out of odd worlds, in any order of rows, and from day to day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from coevo_pipelines.influence.day import Known, Table, influence_of, one_owner, people_of, units_of, vouching
from coevo_pipelines.lake.schemas import TABLES, conform
from coevo_pipelines.settings import Influence
from coevo_pipelines_tests.citations.test_graph import DAY, Row
from coevo_pipelines_tests.influence.worlds import INFLUENCE, NO_CLAIMS, cites, frames, known, link, names, node, stub

MADE = tuple(name for name in INFLUENCE if name != "influence.people")


def tables(found: Mapping[str, Table]) -> dict[str, pl.DataFrame]:
    """As they would lie in the lake."""
    return {name: conform(TABLES[name], found[name].frame, "") for name in MADE}


@pytest.mark.parametrize(
    ("nodes", "links"),
    [
        ([], []),
        (["A"], []),
        (["A", "B"], []),
        ([stub("A"), stub("github:o/b")], []),
        ([stub("A"), "B"], cites("B>A")),
        (["A", "B"], cites("A>B B>A")),
        (["A", "B"], [link("A", "B", weight=0)]),
        ([node("A", title=None, kind=None, created_at=None), node("B", fields=None, tags=None)], cites("B>A")),
        ([node("A", fields=[None, ""], tags=["", None], title="")], []),
        ([node("A", -365_000), node("B", 3)], cites("A>B")),
        ([node("github:o/a", owner="github:o"), node("hf:model/p/b", owner="hf:p")], cites("github:o/a>hf:model/p/b")),
    ],
    ids=[
        "no works", "one work", "no links", "stubs alone", "a stub that is used", "a circle", "nothing that counts",
        "nulls", "empty labels", "a thousand years apart", "nobody may vote",
    ],
)  # fmt: skip
def test_odd_worlds_fit_the_schema(nodes: list[Row | str], links: list[Row]) -> None:
    found = influence_of(known(nodes, links), Influence())
    assert found.keys() == set(MADE)
    frames_of = tables(found)
    assert frames_of["influence.scores"].height == frames_of["influence.lattice"].height == len(nodes)
    if nodes:
        assert found["influence.scores"].frame["influence"].sum() == pytest.approx(1, abs=1e-11)
    units = units_of(found["influence.scores"].frame)
    assert units.schema == {"node_id": pl.String} | {
        f"{n}_units": pl.Int64 for n in ("influence", "inflow", "guarded_inflow")
    }


def test_what_is_counted_is_told() -> None:
    found = influence_of(known(["A", "B", "C"], [*cites("B>A C>A"), link("C", "B", weight=0)]), Influence())
    numbers = found["influence.scores"].numbers
    assert (numbers["works"], numbers["links"], numbers["links_of_weight_0"]) == (3, 2, 1)
    assert found["influence.chambers"].numbers == {
        "chambers": 1, "appeared": 1, "continued": 0, "merged": 0, "split": 0, "ended": {},
    }  # fmt: skip
    assert found["influence.lattice"].numbers == {"highest_core": 1, "crystalline": 0}
    assert found["influence.bonds"].numbers == {"days": 1, "mean_persistence": 1.0}
    assert found["influence.fields"].numbers["fields"] == 0


NODES = pl.DataFrame({"node_id": ["arxiv:1", "doi:1", "github:o/1"], "owner": [None, None, "github:o"]})


@pytest.mark.parametrize(
    ("aliases", "expected"),
    [
        ({}, [True, False, False]),
        ({"arxiv:9": "doi:1"}, [True, True, False]),
        ({"arxiv:9": "arxiv:9", "doi:1": "doi:1"}, [True, False, False]),
        ({"arxiv:8": "doi:1", "arxiv:9": "doi:1", "doi:7": "github:o/1"}, [True, True, False]),
        ({"arxiv:9": "elsewhere"}, [True, False, False]),
    ],
)
def test_who_vouches_is_what_arxiv_lists(aliases: dict[str, str], expected: list[bool]) -> None:
    assert vouching(NODES, names(aliases), NO_CLAIMS).tolist() == expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([("person:a", "github:O", "seen")], [True, False, True]),
        ([("person:a", "github:o", None)], [True, False, False]),
        ([("person:a", "github:o", "seen"), ("person:b", "github:O", "seen")], [True, False, False]),
        ([("person:a", "github:o", "seen"), ("person:b", "github:o", None)], [True, False, True]),
        ([("person:a", "doi:1#2", "seen")], [True, True, False]),
        ([("person:a", "doi:one#2", "seen")], [True, True, False]),
        ([("person:a", "orcid:0000-0001-2345-6789", "seen")], [True, False, False]),
    ],
)
def test_what_a_verified_person_has_claimed_vouches_too(
    claims: list[tuple[str, str, str | None]], expected: list[bool]
) -> None:
    rows = pl.DataFrame(claims, schema={"person_id": pl.String, "subject": pl.String, "proof": pl.String}, orient="row")
    owned, _ = one_owner(NODES, frames([], [])[1], rows)
    assert vouching(owned, names({"doi:one": "doi:1"}), rows).tolist() == expected


def test_the_accounts_of_one_person_are_one_owner() -> None:
    works, edges = frames(
        [node(f"github:{owner}/{owner}", owner=f"github:{owner}") for owner in "abc"],
        [link("github:a/a", "github:b/b"), link("github:b/b", "github:c/c")],
    )
    claims = [("person:p", "github:A", "seen"), ("person:p", "github:b", "seen"), ("person:q", "github:c", None)]
    rows = pl.DataFrame(claims, schema={"person_id": pl.String, "subject": pl.String, "proof": pl.String}, orient="row")
    owned, weighed = one_owner(works, edges, rows)
    assert dict(owned.select("node_id", "owner").iter_rows()) == {
        "github:a/a": "person:p", "github:b/b": "person:p", "github:c/c": "github:c",
    }  # fmt: skip
    assert weighed.sort("source")["weight"].to_list() == [0, 1]


def test_people_have_exactly_the_units_of_their_works() -> None:
    """As fractions of 10^12 they are the nearest there are, so a work's only person has its very scores."""
    scores = pl.DataFrame({"node_id": ["A", "B", "C"], "influence": [1 / 3, 1 / 7, 11 / 21]})
    scores = scores.with_columns(pl.col("influence").round(12), inflow=pl.lit(0.1), guarded_inflow=pl.lit(0.0))
    units = units_of(scores)
    assert units["influence_units"].to_list() == [333_333_333_333, 142_857_142_857, 523_809_523_810]
    carried = units.drop("node_id").with_columns(
        person_id=pl.Series(["orcid:1", "github:b", "C#2"]),
        name=pl.Series(["One", None, "Two"]),
        works=pl.lit(1, pl.Int64),
    )
    found = people_of(carried)
    assert found.numbers == {"identified": 2}
    assert found.frame["influence"].to_list() == [0.333333333333, 0.142857142857, 0.52380952381]
    assert found.frame.select("inflow", "guarded_inflow").unique().rows() == [(0.1, 0.0)]
    assert people_of(carried.clear()).frame.schema == conform(TABLES["influence.people"], found.frame, "").schema


FIELDS = ("cs.NE", "cs.RO", "cs.LG", "python")
RELATIONS = ("cites", "mentions", "depends_on", "derives_from", "trained_on")


@st.composite
def worlds(draw: st.DrawFn) -> Known:
    """Up to nine works of papers and accounts, linked at will, some only named, and a lattice of the day before."""
    size = draw(st.integers(0, 9))
    nodes: list[Row | str] = []
    for number in range(size):
        name = draw(st.sampled_from(("arxiv:", "doi:", "github:o/", "hf:model/p/"))) + str(number)
        owner = {"g": "github:o", "h": "hf:p"}.get(name[0])
        fields = draw(st.lists(st.sampled_from(FIELDS), max_size=2))
        made = node(
            name, -draw(st.integers(0, 90)), owner=owner, fields=fields, title=draw(st.sampled_from(["Ant", None]))
        )
        nodes.append(stub(name) if draw(st.integers(0, 4)) == 0 else made)
    listed = [each["node_id"] for each in nodes if not isinstance(each, str)]
    ends = st.sampled_from(listed) if listed else st.nothing()
    pairs = st.tuples(ends, ends, st.sampled_from(RELATIONS))
    drawn = draw(st.lists(pairs, max_size=20, unique=True)) if listed else []
    links = [link(a, b, kind, -draw(st.integers(0, 90)), int(a != b)) for a, b, kind in drawn]
    before = pl.DataFrame(
        {
            "node_id": listed[::2],
            "chamber_id": [draw(st.sampled_from(["2026-01-04-0001", "2026-01-04-0002", None])) for _ in listed[::2]],
            "core_number": [1] * len(listed[::2]),
            "persistence": [draw(st.sampled_from([0.5, None])) for _ in listed[::2]],
            "is_crystalline": [False] * len(listed[::2]),
        },
        schema=TABLES["influence.lattice"].polars_schema(),
    )
    aliases = {"arxiv:x": draw(ends), "old": draw(ends)} if listed else {}
    return known(nodes, links, aliases=aliases, before=[before])


@tried(deadline=None, max_examples=25)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant(world: Known, random: Any) -> None:
    """Also: all of it fits the schema, the sums are one, and every chamber and bond is of works that are there."""

    def turned(frame: pl.DataFrame) -> pl.DataFrame:
        order = list(range(frame.height))
        random.shuffle(order)
        return frame[order]

    shuffled = Known(
        world.day, turned(world.works), turned(world.edges), turned(world.aliases), world.claims,
        (turned(world.settled[0]), turned(world.settled[1])), [turned(each) for each in world.before],
    )  # fmt: skip
    plain, other = influence_of(world, Influence()), influence_of(shuffled, Influence())
    assert {name: table.numbers for name, table in plain.items()} == {n: t.numbers for n, t in other.items()}
    lies, lies_too = tables(plain), tables(other)
    for name in MADE:
        assert_frame_equal(lies[name], lies_too[name], check_exact=True)
    scores, lattice = lies["influence.scores"], lies["influence.lattice"]
    for name in ("influence", "inflow", "guarded_influence", "guarded_inflow"):
        total = float(scores[name].sum())
        assert min(abs(total - 1), total) < 1e-10
    assert set(lattice["chamber_id"].drop_nulls()) == set(lies["influence.chambers"]["chamber_id"])
    sizes = dict(lattice.drop_nulls("chamber_id").group_by("chamber_id").len().iter_rows())
    assert sizes == dict(lies["influence.chambers"].select("chamber_id", "size").iter_rows())
    bonds = lies["influence.bonds"]
    assert (bonds["work_id"] < bonds["other_id"]).all()
    linked = world.edges.filter(pl.col("weight") > 0)
    pairs = {tuple(sorted(pair)) for pair in linked.select("source", "target").iter_rows()}
    assert set(bonds.select("work_id", "other_id").iter_rows()) == pairs


@tried(deadline=None, max_examples=10)
@given(worlds())
def test_what_does_not_count_changes_nothing(world: Known) -> None:
    """Without the links of weight 0 every table is the same: nothing reads them but the count."""
    without = replace(world, edges=world.edges.filter(pl.col("weight") > 0))
    plain, other = (tables(influence_of(each, Influence())) for each in (world, without))
    for name in MADE:
        assert_frame_equal(plain[name], other[name], check_exact=True)


def two_rings() -> list[Row]:
    """Two circles of four with chords, a bridge between them."""
    rings = cites("a1>a2 a2>a3 a3>a4 a4>a1 a1>a3 a2>a4 b1>b2 b2>b3 b3>b4 b4>b1 b1>b3 b2>b4")
    return [*rings, *cites("a1>b1")]


RINGS = [f"{ring}{number}" for ring in "ab" for number in range(1, 5)]


def lived(
    days: int, settings: Influence, nodes: Sequence[Row | str] = RINGS, links: Sequence[Row] = ()
) -> list[pl.DataFrame]:
    """The lattices of as many days on which nothing happened, oldest first."""
    before: list[pl.DataFrame] = []
    for number in range(days):
        window = before[max(0, len(before) - settings.window + 1) :]
        made = known(nodes, links or two_rings(), day=DAY + timedelta(number), before=window)
        before.append(tables(influence_of(made, settings))["influence.lattice"])
    return before


@pytest.mark.parametrize(("window", "needed"), [(1, 1), (3, 3), (7, 7), (30, 7)])
def test_works_become_crystalline_once_they_held_through_the_window(window: int, needed: int) -> None:
    """Rings of core number 3 in a chamber each; seven days at least, where the window is not shorter."""
    settings = Influence(window=window)
    for number, lattice in enumerate(lived(needed + 1, settings), start=1):
        assert lattice["core_number"].to_list() == [3] * 8
        assert lattice["is_crystalline"].to_list() == [number >= needed] * 8, number


def test_one_bad_day_is_remembered_through_the_window() -> None:
    settings = Influence(window=3)
    before = lived(3, settings)
    broken = two_rings()[1:]  # a1 no longer uses a2: both have core number 2 for a day
    cores = []
    for number in range(3, 8):
        links = broken if number == 3 else two_rings()
        made = known(RINGS, links, day=DAY + timedelta(number), before=before[-2:])
        before.append(tables(influence_of(made, settings))["influence.lattice"])
        cores.append(dict(before[-1].select("node_id", "is_crystalline").iter_rows())["a1"])
    assert cores == [False, False, False, True, True]


def test_a_work_keeps_its_seat_under_another_name() -> None:
    """a1 turns out to be a paper that appeared before it; its chamber, its persistence and its days go on."""
    settings = Influence(window=3)
    before = lived(3, settings)
    renamed = [{**each, **{end: "a0" for end in ("source", "target") if each[end] == "a1"}} for each in two_rings()]
    world = known(["a0", *RINGS[1:]], renamed, day=DAY + timedelta(3), before=before[-2:], aliases={"a1": "a0"})
    found = influence_of(world, settings)
    chambers = found["influence.chambers"]
    assert chambers.frame["event"].to_list() == ["continued", "continued"]
    assert chambers.frame["jaccard"].to_list() == [1, 1]
    seats = dict(before[-1].select("node_id", "chamber_id").iter_rows())
    row = tables(found)["influence.lattice"].row(0, named=True)
    assert row == {
        "node_id": "a0", "chamber_id": seats["a1"], "core_number": 3, "persistence": pytest.approx(3 / 4),
        "is_crystalline": True,
    }  # fmt: skip
    stranger = influence_of(known(["a0", *RINGS[1:]], renamed, day=DAY + timedelta(3), before=before[-2:]), settings)
    assert not tables(stranger)["influence.lattice"].row(0, named=True)["is_crystalline"]


def test_of_works_that_became_one_its_own_past_counts_then_the_deepest() -> None:
    past = pl.DataFrame(
        {
            "node_id": ["own", "deep", "x", "y", "z"],
            "chamber_id": [
                "2026-01-04-0001",
                "2026-01-04-0002",
                "2026-01-04-0001",
                "2026-01-04-0002",
                "2026-01-04-0002",
            ],
            "core_number": [1, 9, 1, 2, 2],
            "persistence": [0.1, 0.9, 0.1, 0.2, 0.3],
            "is_crystalline": [False] * 5,
        }
    )
    from coevo_pipelines.influence.day import _today

    aliases = names({"deep": "own", "x": "one", "z": "one", "y": "one"})
    found = _today(past, pl.Series("node_id", ["own", "one", "new"]), aliases)
    assert found.core.tolist() == [1, 2, -1]
    assert found.persistence.tolist()[:2] == [0.1, 0.2]  # of y and z, equally deep, the first by name
    assert found.chamber[2] == -1
    assert found.chamber[0] != found.chamber[1] >= 0


def chambers_after(links: list[Row], before: pl.DataFrame, nodes: Sequence[str] = RINGS) -> tuple[list[Any], Any]:
    made = known(nodes, links, day=DAY + timedelta(1), before=[before])
    found = influence_of(made, Influence(window=2))["influence.chambers"]
    rows = found.frame.sort("chamber_id").select("chamber_id", "event", "origins", "size").rows()
    return rows, found.numbers


def test_chambers_join_and_part() -> None:
    """Two chambers become one and that one becomes two again: the id goes with the larger overlap, else is new."""
    (first,) = lived(1, Influence(window=2))
    one, other = "2026-01-05-0001", "2026-01-05-0002"
    assert set(first["chamber_id"]) == {one, other}
    whole = [link(a, b) for a in RINGS for b in RINGS if a < b]
    joined, numbers = chambers_after(whole, first)
    assert joined == [(one, "merged", [one, other], 8)]
    assert (numbers["merged"], numbers["ended"]) == (1, {other: one})

    together = first.with_columns(chamber_id=pl.lit(one))
    parted, numbers = chambers_after(two_rings()[:-1], together)
    assert [(event, origins, size) for _, event, origins, size in parted] == [
        ("continued", [one], 4),
        ("split", [one], 4),
    ]
    assert parted[1][0] == "2026-01-06-0001"
    assert numbers["split"] == 1


@pytest.mark.parametrize("turn", range(3))
def test_of_equally_good_divisions_that_of_the_day_before_stays(turn: int) -> None:
    """A circle of nine falls into three arcs in three ways, all alike: chambers do not jump between them."""
    circle = [f"n{number}" for number in range(9)]
    arcs = [f"2026-01-04-000{1 + (number + turn) % 9 // 3}" for number in range(9)]
    before = pl.DataFrame(
        {"node_id": circle, "chamber_id": arcs, "core_number": 2, "persistence": 0.5, "is_crystalline": False}
    )
    links = [link(circle[number - 1], circle[number]) for number in range(9)]
    found = influence_of(known(circle, links, before=[before]), Influence(window=2))
    assert tables(found)["influence.lattice"]["chamber_id"].to_list() == arcs


def test_a_chamber_that_comes_back_is_a_new_one() -> None:
    (first,) = lived(1, Influence(window=3))
    alone = known(RINGS, two_rings()[:6], day=DAY + timedelta(1), before=[first])
    gone = influence_of(alone, Influence(window=3))
    assert gone["influence.chambers"].numbers["ended"] == {"2026-01-05-0002": None}
    second = tables(gone)["influence.lattice"]
    back = known(RINGS, two_rings(), day=DAY + timedelta(2), before=[first, second])
    found = influence_of(back, Influence(window=3))["influence.chambers"].frame.sort("chamber_id")
    assert found.select("chamber_id", "event").rows() == [
        ("2026-01-05-0001", "continued"),
        ("2026-01-07-0001", "appeared"),
    ]


def test_what_always_held_held_for_all_of_the_window() -> None:
    """49 times 1/49 is not 1 in floats."""
    lattice = lived(1, Influence())[0]
    made = known(RINGS, two_rings(), day=DAY + timedelta(48), before=[lattice] * 48)
    found = tables(influence_of(made, Influence(window=49)))
    persistence = dict(found["influence.bonds"].group_by("together").agg(pl.col("persistence").unique()).iter_rows())
    assert persistence == {49: [1.0], 0: [0.0]}
    assert found["influence.lattice"].filter(node_id="a2")["persistence"].to_list() == [1.0]


def test_bonds_count_the_days_that_there_are() -> None:
    """Of a window of five days three are there; a5 came today and is in the chamber of its links."""
    settings = Influence(window=5)
    before = lived(2, settings)
    made = known([*RINGS, "a5"], [*two_rings(), *cites("a5>a1 a5>a2")], day=DAY + timedelta(4), before=before)
    bonds = tables(influence_of(made, settings))["influence.bonds"]
    rows = {(a, b): (together, days, share) for a, b, together, days, share in bonds.iter_rows()}
    assert rows["a1", "a2"] == (3, 3, 1)
    assert rows["a1", "a5"] == (1, 3, pytest.approx(1 / 3))
    assert rows["a1", "b1"] == (0, 3, 0)


class TestFieldDistances:
    """They are those of the graph as the month began."""

    nodes = (node("a", -60, fields=["cs.NE"]), node("b", -60, fields=["cs.RO"]), stub("c", -60))
    links = (link("a", "b", days=-40), link("b", "a", days=-40))

    def found(self, nodes: Sequence[Row | str], links: Sequence[Row], settled: Known) -> Mapping[str, Table]:
        now = frames(nodes, links)
        world = Known(DAY, *now, names(), NO_CLAIMS, (settled.works, settled.edges), [])
        return influence_of(world, Influence())

    @pytest.mark.parametrize(
        ("nodes", "links"),
        [
            ([], [link("b", "b2", days=0)]),
            ([node("d", fields=["cs.LG"])], [link("d", "a")]),
            ([node("c", -50, fields=["cs.NE"])], []),
            ([node("a", -60, fields=["cs.SE"])], []),
        ],
        ids=["new links", "a new field", "a stub that got its work", "a work that says another field"],
    )
    def test_nothing_of_the_month_moves_them(self, nodes: list[Row], links: list[Row]) -> None:
        start = known(self.nodes, [*self.links, link("a", "c", days=-40)])
        plain = self.found(self.nodes, [*self.links, link("a", "c", days=-40)], start)
        changed = {each["node_id"]: each for each in (*self.nodes, node("b2", fields=["cs.RO"]), *nodes)}
        now = self.found(list(changed.values()), [*self.links, link("a", "c", days=-40), *links], start)
        sha = "field_distances_sha256"
        assert now["influence.scores"].numbers[sha] == plain["influence.scores"].numbers[sha]
        distance = pl.col("field") == "cs.NE", pl.col("other") == "cs.RO"
        rows = [found["influence.fields"].frame.filter(*distance)["distance"].to_list() for found in (plain, now)]
        assert rows[0] == rows[1] != []

    def test_links_of_the_month_do_not_count_even_where_the_lake_opened_in_it(self) -> None:
        def sha(*links: Row) -> Any:
            found = influence_of(known(self.nodes, links), Influence())
            return found["influence.scores"].numbers["field_distances_sha256"]

        of_month = link("a", "b", days=0), link("b", "a", "mentions", days=-4)
        assert sha(*of_month) == sha() != sha(*self.links) == sha(*self.links, *of_month)
