"""The scores of a day beside known answers and beside the plainest way to compute them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from coevo_pipelines.influence import scores as module
from coevo_pipelines.influence.day import vouching
from coevo_pipelines.influence.graph import RELATIONS, graph_of
from coevo_pipelines.influence.scores import Scores, ages, rescaled, rounded, scores_of
from coevo_pipelines.settings import Influence
from coevo_pipelines_tests.citations.test_graph import DAY, Row
from coevo_pipelines_tests.influence.worlds import NO_CLAIMS, cites, frames, link, names, node, stub

UNIFORM = Influence(uniform=True)
YEAR = 365.25


def scored(
    nodes: Sequence[Row | str],
    links: Sequence[Row],
    settings: Influence = UNIFORM,
    aliases: Mapping[str, str] | None = None,
    day: date = DAY,
) -> Scores:
    graph = graph_of(*frames(nodes, links))
    return scores_of(graph, graph, day, vouching(graph.works, names(aliases), NO_CLAIMS), settings)


def column(found: Scores, name: str) -> dict[str, Any]:
    return dict(found.table.select("node_id", name).iter_rows())


TYPED = [
    link("M", "B", "derives_from"),
    link("M", "D", "trained_on"),
    link("M", "P"),
    link("M", "L", "depends_on"),
    link("B", "P"),
    link("L", "P"),
]
MORE = [link("M", "Q", "depends_on"), link("Q", "L", "depends_on")]
PAGERANK = "B>C C>B D>A D>B E>B E>D E>F F>B F>E G>B G>E H>B H>E I>B I>E J>E K>E"


@pytest.mark.parametrize(
    ("works", "links", "settings", "influence", "inflow"),
    [
        pytest.param(
            "ABCDEFGHIJK", cites(PAGERANK), Influence(uniform=True, damping=0.85),
            (579662461, "19002201 222822800 198772220 22657320 46886400 22657320" + 5 * " 9372840"), None,
            id="textbook",
        ),
        pytest.param("MBDPL", TYPED, UNIFORM, (213, "32 38 36 71 36"), (53, "0 6 4 39 4"), id="typed"),
        pytest.param("MBDPLQ", TYPED + MORE, UNIFORM, (539, "64 76 72 157 102 68"), None, id="many of one type"),
        pytest.param("AB", [], UNIFORM, (2, "1 1"), (1, "0 0"), id="nothing flows"),
        pytest.param("AB", cites("A>B"), Influence(uniform=True, damping=0), (2, "1 1"), (1, "0 0"), id="no damping"),
        pytest.param(
            "ABC", [link("A", "B"), link("A", "C", "mentions")],
            Influence(uniform=True, relation_weight={"mentions": 0}), (7, "2 3 2"), (1, "0 1 0"),
            id="a relation that weighs nothing",
        ),
    ],
)  # fmt: skip
def test_known_answers(
    works: str, links: list[Row], settings: Influence, influence: tuple[int, str], inflow: tuple[int, str] | None
) -> None:
    """In exact fractions; PageRank and typed influence from the definitions of the project."""
    found = scored(list(works), links, settings)
    for name, expected in (("influence", influence), ("inflow", inflow)):
        if expected:
            whole, parts = expected
            exact = [Fraction(int(part), whole) for part in parts.split()]
            assert column(found, name) == pytest.approx(dict(zip(works, map(float, exact), strict=True)), abs=1e-12)
    assert found.open.residual <= 1e-16


def test_citerank_of_a_chain() -> None:
    """C of now cites B of a year ago, which cites A of the year before; τ of one year."""
    nodes = [node("A", -2 * YEAR), node("B", -YEAR), node("C")]
    found = scored(nodes, cites("C>B B>A"), Influence(tau_years=1))
    expected = {"A": 0.3787050476, "B": 0.5773489489, "C": 0.6652409558}
    assert column(found, "traffic") == pytest.approx(expected, abs=1e-10)
    share = {name: value / sum(expected.values()) for name, value in expected.items()}
    assert column(found, "influence") == pytest.approx(share, abs=1e-10)


def test_traffic_weighs_no_relation() -> None:
    """A reader of CiteRank goes to each of the works used alike; influence prefers what a work derives from."""
    links = [link("C", "A", "derives_from"), link("C", "B", "mentions"), link("C", "B")]
    found = scored(["A", "B", "C"], links)
    assert column(found, "traffic") == pytest.approx({"A": 5 / 12, "B": 5 / 12, "C": 1 / 3}, abs=1e-12)
    assert column(found, "inflow") == pytest.approx({"A": 3 / 4.5, "B": 1.5 / 4.5, "C": 0}, abs=1e-12)


@pytest.mark.parametrize("day", [DAY, DAY + timedelta(500)])
def test_ages_are_counted_to_the_end_of_the_day(day: date) -> None:
    """The links say who is influential whatever the day: only differences of age count."""
    nodes = [node("A", -YEAR), node("B", 0.5)]
    later = (day - DAY).days / YEAR
    found = ages(graph_of(*frames(nodes)), day)
    assert found == pytest.approx([1 + 0.5 / YEAR + later, later], abs=1e-12)
    then, now = (scored(nodes, cites("B>A"), Influence(), day=each).table for each in (DAY, day))
    assert then.equals(now)


def test_stubs_are_dated_by_their_first_mention() -> None:
    found = scored([stub("A", -YEAR), stub("B")], [], Influence(tau_years=1))
    influence = column(found, "influence")
    assert influence["B"] / influence["A"] == pytest.approx(np.e)


def test_works_that_use_a_work_count_once_however_they_use_it() -> None:
    links = [
        link("C", "A"), link("C", "A", "mentions"), link("C", "A", "depends_on"),
        link("B", "A", "mentions"), link("C", "B"), link("D", "A", weight=0), link("A", "A", weight=0),
    ]  # fmt: skip
    found = scored(list("ABCD"), links)
    assert column(found, "in_degree") == {"A": 2, "B": 1, "C": 0, "D": 0}
    assert column(found, "citations") == {"A": 1, "B": 1, "C": 0, "D": 0}


@tried(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 2, st.sampled_from(["cites", "mentions"])), max_size=20, unique=True))
def test_users_beside_a_naive_count(links: list[tuple[int, int, str]]) -> None:
    found = module._users
    graph = graph_of(*frames([f"w{n}" for n in range(5)], [link(f"w{a}", f"w{b}", kind) for a, b, kind in links]))
    everything = found(graph, np.full(graph.source.size, True))
    assert everything.tolist() == [len({a for a, b, _ in links if b == work}) for work in range(5)]
    citing = found(graph, np.array([RELATIONS[number] == "cites" for number in graph.relation], dtype=np.bool_))
    assert citing.tolist() == [len({a for a, b, kind in links if b == work and kind == "cites"}) for work in range(5)]


def naive_rescaled(influence: Sequence[float], event_at: Sequence[int], width: int) -> list[float | None]:
    """z-scores in exact fractions over the window around each work in order of time."""
    order = sorted(range(len(influence)), key=lambda work: (event_at[work], work))
    units = [Fraction(round(influence[work] * 10**12)) for work in order]
    found: list[float | None] = [None] * len(order)
    for place, work in enumerate(order):
        width = min(width, len(order))
        low = min(max(place - width // 2, 0), len(order) - width)
        near = units[low : low + width]
        mean = sum(near, Fraction(0)) / width
        variance = sum((each - mean) ** 2 for each in near) / width
        found[work] = float(units[place] - mean) / sqrt(variance) if variance else None
    return found


VALUES = st.one_of(st.sampled_from([0.0, 1e-12, 0.25]), st.floats(0, 1))


@tried(deadline=None)
@given(st.lists(st.tuples(VALUES, st.integers(0, 3)), max_size=14), st.sampled_from([2, 3, 5, 1000]))
@example([(0.9, 0)] + 9 * [(1.37e-10, 1)], 3)
def test_rescaled_beside_a_naive_loop(works: list[tuple[float, int]], width: int) -> None:
    influence, event_at = [value for value, _ in works], [moment for _, moment in works]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NEAREST_IN_AGE", width)
        found = rescaled(np.array(influence, dtype=np.float64), np.array(event_at, dtype=np.int64))
    for one, other in zip(found.tolist(), naive_rescaled(influence, event_at, width), strict=True):
        assert np.isnan(one) if other is None else one == pytest.approx(other, abs=2e-9)


def test_alike_works_have_no_rescaled_influence_whatever_came_before_them() -> None:
    """Sums of floats over all works left noise of 1e-9 here, which was then taken for a deviation."""
    influence = np.full(6000, 1.37e-4)
    influence[:2000] = np.random.default_rng(0).pareto(1.1, 2000)
    found = rescaled(influence / influence.sum(), np.arange(6000))
    assert np.isnan(found[2500:]).all()
    assert np.isfinite(found[:2499]).all()


def test_rescaled_influence_compares_works_of_one_age_not_of_one_day_of_discovery() -> None:
    """An old work that the lake met late has a high number, and is old all the same."""
    nodes = [node("old", -900), node("new", -1), node("old, met late", -899), node("user")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NEAREST_IN_AGE", 2)
        found = scored(nodes, cites("user>old user>new"))
    rescaled_influence = column(found, "rescaled_influence")
    assert rescaled_influence["old, met late"] == -1  # beside "old", which has a user
    assert rescaled_influence["new"] == 1  # beside "old, met late"


def test_scores_are_whole_units() -> None:
    found = scored(list("ABCDEFGHIJK"), cites(PAGERANK))
    for name in ("influence", "inflow", "traffic"):
        units = found.table[name].to_numpy() * 10**12
        assert np.abs(units - np.rint(units)).max() < 1e-3
    assert rounded(np.array([1 / 3, 0.5e-12, 1.5e-12, 4e-13])).tolist() == [0.333333333333, 0.0, 2e-12, 0.0]


class TestGuarded:
    """Whom readers start from when money goes by it."""

    nodes = ("arxiv:1", node("github:o/1", owner="github:o"), node("github:p/1", owner="github:p"), "doi:10.1/x")

    def test_nobody_vouches(self) -> None:
        """Accounts alone: all of guarded mode is zero, and open mode is not."""
        found = scored(self.nodes[1:3], [link("github:o/1", "github:p/1", "depends_on")])
        assert found.guarded is None
        assert found.numbers["guarded_residual"] is None
        for name in ("guarded_influence", "guarded_inflow"):
            assert column(found, name) == {"github:o/1": 0, "github:p/1": 0}
        assert column(found, "inflow")["github:p/1"] == 1

    def test_an_account_has_a_voice_once_a_listed_work_uses_it(self) -> None:
        links = [link("arxiv:1", "github:o/1", "mentions"), link("github:p/1", "doi:10.1/x", "mentions")]
        influence = column(scored(self.nodes, links, Influence(uniform=True, owner_cap=1)), "guarded_influence")
        assert influence["github:p/1"] == 0
        # p = 1/3 at the paper, its repository and the DOI: y = 1/3, 1/2, 1/3
        assert influence == pytest.approx(
            {"arxiv:1": 2 / 7, "github:o/1": 3 / 7, "github:p/1": 0, "doi:10.1/x": 2 / 7}, abs=1e-12
        )

    @pytest.mark.parametrize(("aliases", "share"), [({}, 1 / 3), ({"arxiv:9": "doi:10.1/x"}, 3 / 5)])
    def test_a_work_is_listed_under_any_of_its_names(self, aliases: dict[str, str], share: float) -> None:
        """The paper is in the graph under its DOI, which appeared first; only the alias says that arXiv lists it.

        Unlisted, all readers start there; listed, half of them start at the repository that it names.
        """
        links = [link("doi:10.1/x", "github:o/1", "mentions")]
        found = scored(self.nodes[1:], links, Influence(uniform=True, owner_cap=1), aliases)
        assert column(found, "guarded_influence") == pytest.approx(
            {"github:o/1": share, "github:p/1": 0, "doi:10.1/x": 1 - share}, abs=1e-12
        )

    def test_an_alias_that_was_let_go_vouches_no_more(self) -> None:
        aliases = {"arxiv:9": "arxiv:9"}
        links = [link("doi:10.1/x", "github:o/1", "mentions"), link("github:o/1", "github:p/1", "mentions")]
        without, let_go = (scored(self.nodes[1:], links, aliases=each).table for each in ({}, aliases))
        assert without.equals(let_go)

    def test_an_owners_work_is_an_accounts_work_under_whatever_name(self) -> None:
        """A repository with a DOI may be in the graph under that: it is no paper for it."""
        links = [link("doi:10.5/archive", "arxiv:1", "mentions")]
        named = scored(["arxiv:1", node("doi:10.5/archive", owner="github:o")], links)
        assert column(named, "guarded_inflow") == {"arxiv:1": 0, "doi:10.5/archive": 0}
        unowned = scored(["arxiv:1", node("doi:10.5/archive")], links)
        assert column(unowned, "guarded_inflow") == {"arxiv:1": 1, "doi:10.5/archive": 0}

    @pytest.mark.parametrize("works", [1, 7, 60])
    @pytest.mark.parametrize("made_up", [0, 1000])
    def test_an_owner_has_two_hundredths_of_all_starts_however_many_works(self, works: int, made_up: int) -> None:
        """A vouched owner floods the graph with repositories that all use one target, and with names of nothing."""
        papers = [f"arxiv:{n}" for n in range(200)]
        flood = [node(f"github:o/{n}", owner="github:o") for n in range(works)]
        links = [link("arxiv:0", "github:o/0")]
        links += [link(each["node_id"], "doi:10.1/x", "mentions") for each in flood[1:]]
        nothing = [stub(f"pypi:{n}") for n in range(made_up)]
        links += [link("github:o/0", each["node_id"], "depends_on") for each in nothing]
        graph = graph_of(*frames([*nothing, *papers, "doi:10.1/x", *flood], links))
        vouches = vouching(graph.works, names(), NO_CLAIMS)
        start = module.teleports(graph, DAY, vouches, UNIFORM)[1]
        share = start[-works:].sum() / start.sum()
        assert share == pytest.approx(min(0.02, works / (201 + works)), abs=1e-12)


def test_what_is_not_defined_is_null() -> None:
    found = scored(["A", stub("B")], [])
    row = found.table.row(0, named=True)
    for name in ("rescaled_influence", "cd_index", "field", "delta_in", "delta_out", "fields_in", "fields_out"):
        assert row[name] is None, name
    assert row["integrative_potential"] is None
    assert (row["neighbours_in"], row["neighbours_out"], row["betweenness"]) == (0, 0, 0)
    assert row["betweenness_is_exact"] is True
    assert not found.table.select(pl.col(pl.Float64).is_nan().any()).row(0).count(True)


def test_disruption_of_the_published_example() -> None:
    """n_i = 3, n_j = 2, n_k = 1: CD 1/6. The user of weight 0 and the work without a date count for nobody."""
    later = [node(name, 1 + place / 100) for place, name in enumerate("abcdef")]
    links = [
        *cites("F>R a>F b>F c>F d>F d>R e>F e>R f>R undated>F"), link("g", "F", weight=0),
    ]  # fmt: skip
    found = scored([node("R", -9), node("F"), *later, stub("undated", 2), node("g", 3)], links)
    assert column(found, "cd_index")["F"] == pytest.approx(1 / 6)
    assert column(found, "cd_index")["R"] is None


def test_integrative_potential_of_a_work_between_fields() -> None:
    """It builds on cs.NE and cs.RO alike, cs.NE builds on it: Δ_out = d/2, Δ_in = 0."""
    nodes = [
        node("a", fields=["cs.NE"]), node("b", fields=["cs.RO"]),
        node("focal"), node("c", fields=["cs.NE"]), node("x", -60, fields=["cs.NE"]), node("y", -60, fields=["cs.RO"]),
    ]  # fmt: skip
    links = [*cites("focal>a focal>b c>focal"), link("x", "y", days=-40), link("y", "y2", days=-40)]
    found = scored([*nodes, node("y2", -60, fields=["cs.RO"])], links)
    # Profiles of (NE, RO): (0, 1) and (1, 2), of which the cosine is 2/√5.
    distance = round(1 - 2 / sqrt(5), 6)
    row = found.table.filter(node_id="focal").row(0, named=True)
    assert (row["neighbours_out"], row["neighbours_in"]) == (2, 1)
    assert row["delta_out"] == pytest.approx(distance / 2)
    assert row["integrative_potential"] == pytest.approx(1 - sqrt(1 - distance / 2))
    assert row["fields_out"] == pytest.approx(1 / (1 - distance / 2))
    assert found.distances.matrix[0, 1] == distance


def test_the_numbers_say_how_to_get_the_same_again() -> None:
    found = scored(["arxiv:1", "B"], cites("arxiv:1>B"), Influence(damping=0.4, seed=5))
    numbers = found.numbers
    assert Influence(**numbers["parameters"]) == Influence(damping=0.4, seed=5)
    assert len(numbers["parameters_sha256"]) == 64
    assert numbers["parameters_sha256"] != scored(["A"], []).numbers["parameters_sha256"]
    assert numbers["field_distances_sha256"] == found.distances.sha256
    assert 0 < numbers["flow"] < 1
    assert numbers["guarded_flow"] == pytest.approx(numbers["flow"])
    plain = {float, int, bool, str, dict}
    assert {type(value) for value in numbers.values()} <= plain, "Dagster takes no number of NumPy's"
