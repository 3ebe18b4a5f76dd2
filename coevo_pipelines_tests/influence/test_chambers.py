"""Chambers: Leiden on known graphs, descriptions beside networkx, and ids that outlive days."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import igraph
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from coevo_pipelines.influence.chambers import (
    EVENTS,
    Integers,
    Matching,
    communities,
    describe,
    detect,
    match,
    project,
)
from coevo_pipelines_tests.scrapes.recordings import recordings

nx = pytest.importorskip("networkx")

DAY = date(2019, 3, 26)
NEW = "2019-03-26-"
# two cliques of four, joined by 3-4; 8 is alone, 9 only links to itself
CLIQUES = [
    (0, 1),
    (0, 2),
    (0, 3),
    (1, 2),
    (1, 3),
    (2, 3),
    (4, 5),
    (4, 6),
    (4, 7),
    (5, 6),
    (5, 7),
    (6, 7),
    (3, 4),
    (9, 9),
]


def links(pairs: Sequence[tuple[int, int]]) -> tuple[Integers, Integers, NDArray[np.float64]]:
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1], np.ones(len(array))


def random_links(n: int, m: int, seed: int) -> tuple[Integers, Integers, NDArray[np.float64]]:
    """Links of which seven in ten stay within blocks of about forty works; weights as relations have, and a third."""
    rng = np.random.default_rng(seed)
    blocks = max(n // 40, 1)
    source = rng.integers(0, n, m)
    near = (source % blocks + blocks * rng.integers(0, max(n // blocks, 1), m)) % n
    target = np.where(rng.random(m) < 0.7, near, rng.integers(0, n, m))
    return source, target, rng.choice([3.0, 2.0, 1.0, 0.5, 1 / 3], m)


def as_networkx(n: int, source: Integers, target: Integers, weight: NDArray[np.float64]) -> Any:
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    for a, b, w in zip(source.tolist(), target.tolist(), weight.tolist(), strict=True):
        if a != b:
            graph.add_edge(a, b, weight=w + graph.get_edge_data(a, b, {"weight": 0.0})["weight"])
    return graph


class TestProject:
    def test_a_pair_weighs_what_its_links_weigh_together(self) -> None:
        graph = project(4, np.array([2, 0, 1, 3, 0]), np.array([0, 2, 1, 0, 1]), np.array([3, 0.5, 2, 1, 0]))
        assert graph.low.tolist() == [0, 0]
        assert graph.high.tolist() == [2, 3]
        assert graph.weight.tolist() == [3.5, 1]

    def test_the_order_of_links_changes_no_bit(self) -> None:
        source, target, weight = random_links(30, 2000, 1)
        order = np.random.default_rng(2).permutation(source.size)
        one, other = project(30, source, target, weight), project(30, source[order], target[order], weight[order])
        assert one.weight.tobytes() == other.weight.tobytes()
        assert np.array_equal(one.low, other.low) and np.array_equal(one.high, other.high)

    @pytest.mark.parametrize("n", [0, 3])
    def test_no_links(self, n: int) -> None:
        graph = project(n, *links([]))
        assert (graph.low.size, graph.high.size, graph.weight.size) == (0, 0, 0)
        assert graph.weight.dtype == np.float64

    @pytest.mark.parametrize(
        ("source", "target", "weight", "said"),
        [
            ([0], [3], [1.0], "0..2"),
            ([-1], [0], [1.0], "0..2"),
            ([0], [1], [-1.0], "not negative"),
            ([0], [1], [np.nan], "finite"),
            ([0, 1], [1], [1.0], "2 sources, 1 targets"),
        ],
    )
    def test_refuses(self, source: list[int], target: list[int], weight: list[float], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            project(3, np.array(source), np.array(target), np.array(weight))


class TestDetect:
    def test_two_cliques_joined_by_a_link(self) -> None:
        labels = detect(10, *links(CLIQUES), resolution=1, seed=0)
        assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, -1, -1]
        assert labels.dtype == np.int64

    def test_weights_decide(self) -> None:
        square = links([(0, 1), (1, 2), (2, 3), (3, 0)])[:2]
        assert detect(4, *square, np.array([9, 1, 9, 1]), resolution=1, seed=0).tolist() == [0, 0, 1, 1]
        assert detect(4, *square, np.array([1, 9, 1, 9]), resolution=1, seed=0).tolist() == [0, 1, 1, 0]

    def test_several_links_count_together(self) -> None:
        square = [(0, 1), (1, 2), (2, 3), (3, 0)]
        doubled = [*square, *[(1, 0)] * 8, *[(3, 2)] * 8]
        assert detect(4, *links(doubled), resolution=1, seed=0).tolist() == [0, 0, 1, 1]

    def test_resolution_sets_the_size(self) -> None:
        assert detect(10, *links(CLIQUES), resolution=0.01, seed=0).max() == 0
        assert (detect(10, *links(CLIQUES), resolution=50, seed=0) == -1).all()

    @pytest.mark.parametrize("n", [0, 2])
    def test_without_links_there_are_no_chambers(self, n: int) -> None:
        assert detect(n, *links([]), resolution=1, seed=0).tolist() == [-1] * n

    def test_refuses(self) -> None:
        with pytest.raises(ValueError, match="resolution"):
            detect(10, *links(CLIQUES), resolution=0, seed=0)
        with pytest.raises(ValueError, match="start"):
            detect(10, *links(CLIQUES), resolution=1, seed=0, start=np.zeros(3, dtype=np.int64))

    def test_order_direction_and_what_ran_before_change_nothing(self) -> None:
        n, (source, target, weight) = 600, random_links(600, 3000, 3)
        first = detect(n, source, target, weight, resolution=1, seed=7)
        order = np.random.default_rng(4).permutation(source.size)
        random.seed(99)
        igraph.Graph.Erdos_Renyi(n=50, m=200)
        again = detect(n, target[order], source[order], weight[order], resolution=1, seed=7)
        assert again.tolist() == first.tolist()

    def test_threads_do_not_share_random_numbers(self) -> None:
        graphs = [random_links(400, 1600, seed) for seed in range(6)]
        alone = [detect(400, *graph, resolution=1, seed=seed).tolist() for seed, graph in enumerate(graphs)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(4) as pool:
                runs = [pool.submit(detect, 400, *graph, resolution=1, seed=seed) for seed, graph in enumerate(graphs)]
                assert [run.result().tolist() for run in runs] == alone
        finally:
            sys.setswitchinterval(interval)

    def test_igraph_draws_from_python_again_afterwards(self) -> None:
        def drawn() -> list[tuple[int, int]]:
            edges: list[tuple[int, int]] = igraph.Graph.Erdos_Renyi(n=60, m=100).get_edgelist()
            return edges

        random.seed(5)
        expected, state = drawn(), random.getstate()
        random.seed(5)
        detect(10, *links(CLIQUES), resolution=1, seed=0)
        assert drawn() == expected
        assert random.getstate() == state

    def test_works_without_links_change_nothing_for_the_others(self) -> None:
        source, target, weight = random_links(300, 1200, 5)
        labels = detect(300, source, target, weight, resolution=1, seed=1)
        spaced = detect(900, 3 * source + 1, 3 * target + 1, weight, resolution=1, seed=1)
        assert spaced[1::3].tolist() == labels.tolist()
        assert (spaced[0::3] == -1).all()

    def test_the_seed_matters_where_there_is_a_choice(self) -> None:
        graph = random_links(600, 1800, 6)
        assert len({detect(600, *graph, resolution=1, seed=seed).tobytes() for seed in range(4)}) > 1

    def test_chambers_begin_from_those_of_the_day_before(self) -> None:
        source, target, weight = random_links(900, 3600, 8)
        before = detect(900, source[:-40], target[:-40], weight[:-40], resolution=1, seed=1)
        cold = detect(900, source, target, weight, resolution=1, seed=2)
        warm = detect(900, source, target, weight, resolution=1, seed=2, start=before)
        nodes = [f"w:{work:03}" for work in range(900)]
        yesterday = chambers_of(nodes, before)
        assert kept(nodes, warm, yesterday) > kept(nodes, cold, yesterday)

    def test_only_the_partition_of_the_start_counts_not_its_numbers(self) -> None:
        source, target, weight = random_links(300, 900, 9)
        start = detect(300, source[:800], target[:800], weight[:800], resolution=1, seed=1)
        renumbered = np.where(start < 0, -1, 1000 - 7 * start)
        one = detect(300, source, target, weight, resolution=1, seed=1, start=start)
        assert detect(300, source, target, weight, resolution=1, seed=1, start=renumbered).tolist() == one.tolist()

    def test_works_in_no_chamber_begin_alone(self) -> None:
        source, target, weight = random_links(300, 600, 9)
        cold = detect(300, source, target, weight, resolution=1, seed=1)
        nobody = np.full(300, -1)
        assert detect(300, source, target, weight, resolution=1, seed=1, start=nobody).tolist() == cold.tolist()

    def test_every_chamber_hangs_together_even_from_a_start_that_does_not(self) -> None:
        for seed in range(5):
            source, target, weight = random_links(200, 500, seed)
            start = np.random.default_rng(seed).integers(-1, 12, 200)
            labels = detect(200, source, target, weight, resolution=1, seed=seed, start=start)
            graph = as_networkx(200, source, target, weight)
            assert all(nx.is_connected(graph.subgraph(np.flatnonzero(labels == a))) for a in range(labels.max() + 1))

    def test_as_good_as_louvain_on_a_random_graph(self) -> None:
        source, target, weight = random_links(2000, 10_000, 10)
        labels = detect(2000, source, target, weight, resolution=1, seed=1)
        graph = as_networkx(2000, source, target, weight)
        ours = nx.community.modularity(graph, sets(labels))
        theirs = nx.community.modularity(graph, nx.community.louvain_communities(graph, seed=1))
        assert ours >= theirs - 0.005

    def test_the_citations_of_cora(self) -> None:
        cited = np.loadtxt(recordings() / "citation_graphs/cora_original/cora.cites", dtype=np.int64)
        works, ends = np.unique(cited, return_inverse=True)
        source, target = ends.reshape(-1, 2)[:, 1], ends.reshape(-1, 2)[:, 0]
        labels = detect(works.size, source, target, np.ones(source.size), resolution=1, seed=1)
        graph = as_networkx(works.size, source, target, np.ones(source.size))
        for edge in graph.edges.values():
            edge["weight"] = 1.0
        # published optima of modularity on Cora lie near .82; 78 components are the least that there can be
        assert nx.community.modularity(graph, sets(labels)) > 0.81
        assert 78 <= labels.max() + 1 <= 120
        assert (labels >= 0).all()


def sets(labels: Integers) -> list[set[int]]:
    """The partition, works without a chamber alone."""
    chambers = [set(np.flatnonzero(labels == a).tolist()) for a in range(labels.max(initial=-1) + 1)]
    return chambers + [{work} for work in np.flatnonzero(labels < 0).tolist()]


def chambers_of(nodes: Sequence[str], labels: Integers) -> pl.DataFrame:
    ids = [None if label < 0 else f"2019-03-25-{label:04d}" for label in labels.tolist()]
    return pl.DataFrame({"node_id": nodes, "chamber_id": ids}, schema={"node_id": pl.String, "chamber_id": pl.String})


def kept(nodes: Sequence[str], labels: Integers, before: pl.DataFrame) -> float:
    """The mean over works of the overlap of their chamber with the one whose id it keeps."""
    overlap = np.array([value or 0 for value in match(DAY, nodes, labels, before).jaccard])
    return float(overlap[labels[labels >= 0]].mean())


def day_before(**chambers: str) -> pl.DataFrame:
    """A frame of (node, chamber) from chamber=letters; chamber X is `2019-03-25-X`."""
    rows = [(work, f"2019-03-25-{name}") for name, works in chambers.items() for work in works]
    return pl.DataFrame(rows, schema={"node_id": pl.String, "chamber_id": pl.String}, orient="row")


def matched(
    today: str, before: pl.DataFrame | None, renamed: Mapping[str, str] | None = None, **how: float
) -> dict[str, tuple[str, str, str, float | None]]:
    """`today` is chambers of letters: 'abc de' -> {'abc': (id, event, origins, jaccard)}, ids shortened."""
    nodes = list(today.replace(" ", ""))
    labels = np.repeat(np.arange(len(today.split())), [len(chamber) for chamber in today.split()])
    result = match(DAY, nodes, labels, before, renamed, **how)
    return {
        chamber: (
            result.ids[a].removeprefix("2019-03-"),
            result.events[a],
            " ".join(origin.removeprefix("2019-03-25-") for origin in result.origins[a]),
            result.jaccard[a],
        )
        for a, chamber in enumerate(today.split())
    }


def ended(today: str, before: pl.DataFrame) -> dict[str, str | None]:
    nodes = list(today.replace(" ", ""))
    labels = np.repeat(np.arange(len(today.split())), [len(chamber) for chamber in today.split()])
    result = match(DAY, nodes, labels, before).ended
    short = {old.removeprefix("2019-03-25-"): new and new.removeprefix("2019-03-") for old, new in result.items()}
    return short


class TestMatch:
    def test_the_first_day_numbers_by_size_then_smallest_work(self) -> None:
        told = matched("xyz ab cdef ij", None)
        assert {chamber: row[0] for chamber, row in told.items()} == {
            "cdef": "26-0001", "xyz": "26-0002", "ab": "26-0003", "ij": "26-0004",
        }  # fmt: skip
        assert {row[1:] for row in told.values()} == {("appeared", "", None)}

    def test_continues_with_the_same_id(self) -> None:
        assert matched("abcde fgh", day_before(A="abcd", B="fgh")) == {
            "abcde": ("25-A", "continued", "A", 4 / 5),
            "fgh": ("25-B", "continued", "B", 1.0),
        }

    def test_a_split_leaves_the_id_with_the_larger_overlap(self) -> None:
        assert matched("abc defg", day_before(A="abcdefg")) == {
            "abc": ("26-0001", "split", "A", None),
            "defg": ("25-A", "continued", "A", 4 / 7),
        }

    def test_a_small_part_of_a_large_chamber_is_split_too(self) -> None:
        told = matched("abcdefghijkl mno", day_before(A="abcdefghijklmn"))
        assert told["mno"] == ("26-0001", "split", "A", None)

    def test_a_merger_keeps_the_id_of_the_larger_and_tells_the_other(self) -> None:
        before = day_before(A="ab", B="cdef")
        assert matched("abcdef", before) == {"abcdef": ("25-B", "merged", "B A", 4 / 6)}
        assert ended("abcdef", before) == {"A": "25-B"}

    def test_many_that_join_are_a_new_chamber(self) -> None:
        before = day_before(A="ab", B="cd", C="ef", D="gh")
        assert matched("abcdefgh", before) == {"abcdefgh": ("26-0001", "merged", "A B C D", None)}
        assert ended("abcdefgh", before) == dict.fromkeys("ABCD", "26-0001")

    def test_a_chamber_that_falls_to_pieces_ends_and_the_pieces_are_split_from_it(self) -> None:
        before = day_before(A="abcdefgh")
        told = matched("ab cd ef gh", before)
        assert {row[1:] for row in told.values()} == {("split", "A", None)}
        assert ended("ab cd ef gh", before) == {"A": None}

    def test_one_that_appears_and_one_that_ends(self) -> None:
        before = day_before(A="abc", B="de")
        assert matched("abc xyz", before)["xyz"] == ("26-0001", "appeared", "", None)
        assert ended("abc xyz", before) == {"B": None}

    def test_one_work_is_a_move_not_an_origin(self) -> None:
        before = day_before(A="ab", B="cdef")
        told = matched("cdefa xb", before, minimum=0.5)
        assert told["xb"] == ("26-0001", "appeared", "", None)
        assert told["cdefa"] == ("25-B", "continued", "B", 4 / 5)

    def test_a_piece_of_one_work_has_no_origin_whatever_the_share(self) -> None:
        before = day_before(A="abcdef")
        assert matched("bcdef axyz", before, share=0.1)["axyz"] == ("26-0001", "appeared", "", None)

    def test_most_of_a_chamber_goes_where_its_id_does_not(self) -> None:
        told = matched("abcdefklmnopqrstuvwxyz ghij", day_before(A="abcdefghij"))
        assert told["abcdefklmnopqrstuvwxyz"] == ("26-0001", "split", "A", None)  # 6 of 26, so not the same
        assert told["ghij"] == ("25-A", "continued", "A", 4 / 10)

    def test_swallowed_by_many_new_works(self) -> None:
        assert matched("abcqrstuvwxyz", day_before(A="abc")) == {"abcqrstuvwxyz": ("26-0001", "merged", "A", None)}

    def test_a_threshold_keeps_ids_from_going_to_strangers(self) -> None:
        before = day_before(A="abcd")
        assert matched("abxy", before)["abxy"][0] == "25-A"  # 2 of 6
        assert matched("axyz", before)["axyz"] == ("26-0001", "appeared", "", None)  # 1 of 7
        assert matched("axyz", before, minimum=0.1)["axyz"][0] == "25-A"

    def test_ties_go_to_more_common_works_then_the_older_id_then_the_smaller_work(self) -> None:
        assert matched("abcd", day_before(B="ab", A="cd"))["abcd"][0] == "25-A"
        assert matched("cd ab", day_before(A="abcd"))["ab"][0] == "25-A"
        assert matched("ab cdefuvwxyz", day_before(A="abcdef"))["cdefuvwxyz"][0] == "25-A"  # 2 of 6, 4 of 12

    def test_a_node_that_another_stands_for_now(self) -> None:
        told = matched("aBc", day_before(A="abc"), {"b": "B"})
        assert told == {"aBc": ("25-A", "continued", "A", 1.0)}
        assert matched("aBc", day_before(A="abc"))["aBc"][3] == 2 / 4

    def test_nodes_that_became_one_count_once(self) -> None:
        assert matched("ab", day_before(A="abc"), {"c": "b"})["ab"][3] == 1
        assert matched("abx yz", day_before(A="ab", B="cyz"), {"c": "b"})["abx"][3] == 2 / 3

    def test_works_that_are_gone_and_works_in_no_chamber(self) -> None:
        before = pl.concat([day_before(A="abcd"), pl.DataFrame({"node_id": ["x"], "chamber_id": [None]})])
        labels = np.array([0, 0, -1, -1])
        told = match(DAY, ["a", "b", "x", "c"], labels, before)
        assert (told.ids, told.events, told.jaccard) == (("2019-03-25-A",), ("continued",), (0.5,))

    def test_a_day_with_no_chambers_ends_them_all(self) -> None:
        told = match(DAY, ["a"], np.array([-1]), day_before(A="ab"))
        assert (told.ids, told.ended) == ((), {"2019-03-25-A": None})
        assert match(DAY, [], np.array([], dtype=np.int64)) == Matching((), (), (), (), {})

    def test_refuses(self) -> None:
        with pytest.raises(ValueError, match="2019-03-26-0001 is not from before 2019-03-26"):
            matched("ab", pl.DataFrame({"node_id": ["a"], "chamber_id": ["2019-03-26-0001"]}))
        with pytest.raises(ValueError, match="twice"):
            match(DAY, ["a", "a"], np.array([0, 0]))
        with pytest.raises(ValueError, match="gap"):
            match(DAY, ["a", "b"], np.array([1, 1]))
        with pytest.raises(ValueError, match="2 nodes but 1 labels"):
            match(DAY, ["a", "b"], np.array([0]))

    @settings(deadline=None, max_examples=120)
    @given(st.data())
    def test_ids_are_one_to_one_and_what_ended_is_accounted_for(self, data: st.DataObject) -> None:
        names = [f"w{i}" for i in range(data.draw(st.integers(2, 24)))]
        chamber = st.integers(-1, 4)
        earlier = {name: data.draw(chamber) for name in names if data.draw(st.booleans())}
        raw = np.array([data.draw(chamber) for _ in names])
        found, labels = np.unique(raw, return_inverse=True)
        labels = labels.astype(np.int64) - int(found[0] == -1)
        renamed = {data.draw(st.sampled_from(names)): data.draw(st.sampled_from(names))}
        before = chambers_of(list(earlier), np.array(list(earlier.values()), dtype=np.int64))
        told = match(DAY, names, labels, before, renamed)

        assert len(told.ids) == len(set(told.ids)) == labels.max() + 1
        old = set(before["chamber_id"].drop_nulls())
        carried = {name for name in told.ids if not name.startswith(NEW)}
        assert set(told.ended) == old - carried and carried <= old
        assert set(told.ended.values()) - {None} <= set(told.ids)
        for name, event, origins, jaccard in zip(told.ids, told.events, told.origins, told.jaccard, strict=True):
            assert event in EVENTS
            assert (jaccard is not None) == (name in old) == (bool(origins) and origins[0] == name)
            assert jaccard is None or 0.3 <= jaccard <= 1
            assert set(origins) <= old and len(set(origins)) == len(origins)
            assert (event == "appeared") == (not origins)
            assert event != "split" or name not in old
            assert {end for end, into in told.ended.items() if into == name} == (
                set(origins) - {name} if event == "merged" else set()
            )
        # the order of rows says nothing
        order = np.array(data.draw(st.permutations(range(len(names)))))
        again = match(DAY, [names[i] for i in order], labels[order], before.reverse(), renamed)
        assert again == told


class TestDescribe:
    def test_two_cliques_by_hand(self) -> None:
        source, target, weight = links(CLIQUES)
        graph, labels = project(10, source, target, weight), detect(10, source, target, weight, resolution=1, seed=0)
        nodes = [f"w:{work}" for work in range(10)]
        titles = ["Ant colony routing", "Ants and colony search", "An ant colony", None, *["Swarm of the robots"] * 4]
        score = np.array([1, 3, 3, 2, 0, 0, 0, 0, 9, 9.0])
        told = match(DAY, nodes, labels, day_before(A="ab"))
        frame = describe(graph, labels, told, nodes, [*titles, "Lost", "Lost"], score, works=3, terms=2)
        assert frame.to_dicts() == [
            {
                "chamber_id": f"{NEW}0001", "size": 4, "links": 6, "density": 1.0, "conductance": 1 / 13,
                "modularity": 12 / 26 - 1 / 4, "leading_works": ["w:1", "w:2", "w:3"],
                "leading_terms": ["colony", "ant"], "event": "appeared", "origins": [], "jaccard": None,
            },
            {
                "chamber_id": f"{NEW}0002", "size": 4, "links": 6, "density": 1.0, "conductance": 1 / 13,
                "modularity": 12 / 26 - 1 / 4, "leading_works": ["w:4", "w:5", "w:6"],
                "leading_terms": ["robots", "swarm"], "event": "appeared", "origins": [], "jaccard": None,
            },
        ]  # fmt: skip

    def test_a_chamber_that_has_all_links_has_no_conductance(self) -> None:
        rng = np.random.default_rng(1)
        graph = project(41, rng.integers(0, 40, 900), rng.integers(0, 40, 900), rng.random(900))
        labels, nodes = np.array([0] * 40 + [-1]), [f"w:{work:02}" for work in range(41)]
        frame = describe(graph, labels, match(DAY, nodes, labels), nodes, [None] * 41, np.zeros(41))
        assert frame.select("conductance", "leading_terms").rows() == [(None, [])]

    def test_conductance_looks_at_the_smaller_side(self) -> None:
        graph, nodes = project(10, *links(CLIQUES)), list("abcdefghij")
        labels = np.array([0] * 6 + [-1] * 4)
        frame = describe(graph, labels, match(DAY, nodes, labels), nodes, [None] * 10, np.zeros(10))
        assert frame["conductance"].to_list() == [4 / 6]  # 4 links leave it; 6 ends outside, 20 inside

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_agrees_with_networkx(self, seed: int) -> None:
        source, target, weight = random_links(500, 1500, seed)
        graph = project(500, source, target, weight)
        labels = communities(graph, resolution=1.3, seed=seed)
        labels = np.where(np.random.default_rng(seed).random(500) < 0.02, -1, labels)  # some in no chamber
        nodes = [f"w:{work:03}" for work in range(500)]
        told = match(DAY, nodes, labels)
        frame = describe(graph, labels, told, nodes, [None] * 500, np.zeros(500), resolution=1.3)
        peer = as_networkx(500, source, target, weight)
        for a, chamber_id in enumerate(told.ids):
            row = frame.row(by_predicate=pl.col("chamber_id") == chamber_id, named=True)
            works = set(np.flatnonzero(labels == a).tolist())
            assert row["size"] == len(works)
            assert row["links"] == peer.subgraph(works).number_of_edges()
            assert row["density"] == pytest.approx(nx.density(peer.subgraph(works)), abs=1e-12)
            assert row["conductance"] == pytest.approx(nx.conductance(peer, works, weight="weight"), rel=1e-9)
        alone = sum(
            1.3 * (peer.degree(w, "weight") / (2 * graph.weight.sum())) ** 2 for w in np.flatnonzero(labels < 0)
        )
        total = nx.community.modularity(peer, sets(labels), resolution=1.3)
        assert frame["modularity"].sum() - alone == pytest.approx(total, abs=1e-9)

    def test_words_are_letters_of_any_script_without_function_words(self) -> None:
        titles = ["Überblick: the PSO-based ﬁreﬂy x²", "Überblick über FIREFLY using 3D", "蟻コロニー最適化"]
        graph = project(3, np.array([0, 1]), np.array([1, 2]))
        labels, nodes = np.zeros(3, dtype=np.int64), ["a", "b", "c"]
        frame = describe(graph, labels, match(DAY, nodes, labels), nodes, titles, np.zeros(3))
        assert frame["leading_terms"].to_list() == [["firefly", "überblick", "pso", "über", "蟻コロニー最適化"]]

    def test_a_word_counts_once_a_title(self) -> None:
        labels, nodes, graph = np.zeros(2, dtype=np.int64), ["a", "b"], project(2, np.array([0]), np.array([1]))
        titles = ["Robots, robots, robots and ants", "Ants"]
        frame = describe(graph, labels, match(DAY, nodes, labels), nodes, titles, np.zeros(2), terms=1)
        assert frame["leading_terms"].to_list() == [["ants"]]

    def test_terms_are_those_that_set_a_chamber_apart(self) -> None:
        titles = ["swarm ants trail", "swarm ants nest", "swarm birds wing", "swarm birds flock"]
        labels = np.array([0, 0, 1, 1])
        nodes = list("abcd")
        graph = project(4, np.array([0, 2]), np.array([1, 3]))
        frame = describe(graph, labels, match(DAY, nodes, labels), nodes, titles, np.zeros(4), terms=1)
        assert frame["leading_terms"].to_list() == [["ants"], ["birds"]]

    def test_no_chambers_is_an_empty_frame_of_the_same_columns(self) -> None:
        none, some = np.full(2, -1), np.zeros(2, dtype=np.int64)
        graph = project(2, np.array([0]), np.array([1]))
        empty = describe(graph, none, match(DAY, ["a", "b"], none), ["a", "b"], ["Ants", None], np.zeros(2))
        full = describe(graph, some, match(DAY, ["a", "b"], some), ["a", "b"], ["Ants", None], np.zeros(2))
        assert empty.height == 0
        assert empty.schema == full.schema
        assert full["size"].dtype == full["links"].dtype == pl.Int64
        assert full["leading_works"].dtype == full["leading_terms"].dtype == full["origins"].dtype == pl.List(pl.String)

    def test_refuses(self) -> None:
        labels, graph = np.zeros(2, dtype=np.int64), project(2, np.array([0]), np.array([1]))
        told = match(DAY, ["a", "b"], labels)
        with pytest.raises(ValueError, match="finite"):
            describe(graph, labels, told, ["a", "b"], [None, None], np.array([1, np.nan]))
        with pytest.raises(ValueError, match="1 titles"):
            describe(graph, labels, told, ["a", "b"], [None], np.zeros(2))
