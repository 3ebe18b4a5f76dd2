"""A day's graph on work numbers: which links count, in one order whatever order they came in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.influence.graph import RELATIONS, graph_of, microseconds
from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines.lake.schemas import RELATIONS as IN_THE_LAKE
from coevo_pipelines_tests.citations.test_graph import at
from coevo_pipelines_tests.influence.worlds import frames, link, node, stub


def test_links_that_weigh_nothing_are_left_out_and_counted() -> None:
    links = [
        link("C", "A", "mentions"),
        link("C", "B", weight=0),
        link("B", "A", days=-2),
        link("C", "A"),
        link("A", "A", weight=0),
    ]
    graph = graph_of(*frames(["A", "B", "C"], links))
    named = [RELATIONS[relation] for relation in graph.relation]
    assert list(zip(graph.source.tolist(), graph.target.tolist(), named, strict=True)) == [
        (1, 0, "cites"),
        (2, 0, "cites"),
        (2, 0, "mentions"),
    ]
    assert graph.event_at[0] == microseconds(pl.Series([at(-2)]))[0]
    assert (graph.n, graph.own) == (3, 2)


def test_works_are_numbered_in_order_of_their_node_numbers_with_gaps_between_them() -> None:
    works, edges = frames([node("new") | {"node": 9 << 32}, node("old") | {"node": 4}], [link("new", "old")])
    graph = graph_of(works, edges)
    assert graph.works["node_id"].to_list() == ["old", "new"]
    assert (graph.source.tolist(), graph.target.tolist()) == ([1], [0])


def test_the_relations_are_those_of_the_lake_and_each_has_a_weight() -> None:
    assert set(RELATIONS) == set(IN_THE_LAKE)
    nodes = ["A", *RELATIONS]
    graph = graph_of(*frames(nodes, [link(name, "A", name) for name in RELATIONS]))
    weighed = dict(zip(graph.works["node_id"].gather(graph.source), graph.weight(RELATION_WEIGHT), strict=True))
    assert weighed == RELATION_WEIGHT


def test_an_unknown_relation_is_an_error() -> None:
    with pytest.raises(pl.exceptions.PolarsError, match="replace"):
        graph_of(*frames(["A", "B"], [link("A", "B", "adores")]))


@pytest.mark.parametrize(
    ("nodes", "links"),
    [([], []), (["A"], []), ([stub("A"), stub("B")], []), (["A", "B"], [link("A", "B", weight=0)])],
    ids=["no works", "one work", "stubs alone", "no link that counts"],
)
def test_without_links(nodes: list[Any], links: list[Any]) -> None:
    graph = graph_of(*frames(nodes, links))
    assert graph.n == len(nodes)
    assert graph.own == len(links)
    for column in (graph.source, graph.target, graph.relation, graph.event_at):
        assert column.dtype == np.int64
        assert column.size == 0
    assert graph.weight(RELATION_WEIGHT).size == 0


def test_a_missing_time_is_the_earliest_there_is() -> None:
    moments = pl.Series([None, datetime(1969, 12, 31, tzinfo=UTC), at(0)], dtype=pl.Datetime("us", "UTC"))
    missing, before, now = microseconds(moments)
    assert missing == np.iinfo(np.int64).min
    assert before == -86_400_000_000
    assert now == at(0).timestamp() * 1_000_000
    assert microseconds(moments, missing=7)[0] == 7


@given(
    st.lists(st.tuples(*[st.integers(0, 5)] * 2, st.sampled_from(RELATIONS)), max_size=12, unique=True),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_is_irrelevant(links: list[tuple[int, int, str]], random: Any) -> None:
    rows = [link(f"w{a}", f"w{b}", relation, days=-a) for a, b, relation in links]
    works, edges = frames([f"w{number}" for number in range(6)], rows)
    graph = graph_of(works, edges)
    order, turned = list(range(6)), list(range(len(rows)))
    random.shuffle(order)
    random.shuffle(turned)
    other = graph_of(works[order], edges[turned])
    assert graph.works.equals(other.works)
    for name in ("source", "target", "relation", "event_at"):
        assert getattr(graph, name).tolist() == getattr(other, name).tolist()
