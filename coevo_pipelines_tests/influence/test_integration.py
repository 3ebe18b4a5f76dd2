"""Fields, their distances, and the integrative potential: known answers, and the definition applied naively."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from coevo_pipelines.influence.integration import (
    NO_FIELD,
    TOPIC_FIELDS,
    distances,
    distinct_pairs,
    effective_fields,
    field_of,
    integrative_potential,
    normal_label,
    numbered,
    rao_stirling,
)

THREE = np.array([[0, 0.5, 1], [0.5, 0, 0.8], [1, 0.8, 0]])
APART = 1.0 - np.eye(4)


def ints(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def fields(works: Sequence[tuple[list[str] | None, list[str] | None]], **more: str) -> list[str | None]:
    schema = {"fields": pl.List(pl.String), "tags": pl.List(pl.String)}
    return field_of(pl.DataFrame(list(works), schema, orient="row"), {**TOPIC_FIELDS, **more}).to_list()


@pytest.mark.parametrize(
    ("labels", "tags", "field"),
    [
        (["cs.NE", "cs.AI"], [], "cs.NE"),
        (["math-ph", "math.MP"], [], "math-ph"),
        (["physics.bio-ph"], ["robotics"], "physics.bio-ph"),
        (["cs.SY"], [], "eess.SY"),  # arXiv's second name of one category
        (["adap-org"], [], "nlin.AO"),  # an archive of 1993, now a category
        (["Python"], ["benchmark", "swarm-intelligence", "robotics"], "cs.NE"),
        (["text-generation"], ["transformers", "robotics"], "cs.CL"),
        (["Swarm  Intelligence"], [], "cs.NE"),
        ([], ["Collective_Behavior"], "nlin.AO"),
        (["Modular Robots and Swarm Intelligence", "Evolutionary Algorithms and Applications"], [], "cs.RO"),
        (["Evolutionary Algorithms and Applications", "cs.AI"], ["robotics"], "cs.AI"),
        (["cs", "CS.NE", "cs.Ne", "xcs.NE"], ["cs.NE"], None),  # not categories; a tag is nobody's arXiv category
        (["Python"], ["demo", ""], None),
        ([], [], None),
        (None, None, None),
        (None, ["boids"], "nlin.AO"),
    ],
)
def test_a_work_has_the_field_that_it_names_first(
    labels: list[str] | None, tags: list[str] | None, field: str | None
) -> None:
    assert fields([(labels, tags)]) == [field]


def test_fields_keep_the_order_of_the_works() -> None:
    works: list[tuple[list[str] | None, list[str] | None]]
    works = [([], ["robotics"]), ([], []), (["cs.AI"], []), ([], ["x", "flocking"]), (["cs.AI"], None), (None, None)]
    assert fields(works * 50) == ["cs.RO", None, "cs.AI", "nlin.AO", "cs.AI", None] * 50
    assert fields([]) == []


def test_a_deployment_extends_and_corrects_the_topics() -> None:
    own = {"myco-computing": "cs.ET", "UAV": "eess.SY", "drones": ""}
    works: list[tuple[list[str] | None, list[str] | None]]
    works = [([], ["Myco Computing"]), ([], ["drones"]), ([], ["uav"])]
    assert fields(works, **own) == ["cs.ET", None, "eess.SY"]


def test_the_topics_are_in_the_form_in_which_labels_are_looked_up() -> None:
    assert [label for label in TOPIC_FIELDS if normal_label(label) != label] == []
    known = pl.DataFrame({"fields": [[field] for field in TOPIC_FIELDS.values()], "tags": [[]] * len(TOPIC_FIELDS)})
    assert field_of(known.cast({"tags": pl.List(pl.String)}), {}).to_list() == list(TOPIC_FIELDS.values())


def test_fields_are_numbered_in_order_of_name() -> None:
    names, places = numbered(pl.Series(["cs.RO", None, "cs.AI", "cs.RO"]))
    assert (names, places.tolist()) == (("cs.AI", "cs.RO"), [1, NO_FIELD, 0, 1])
    names, places = numbered(pl.Series([None, None], dtype=pl.String))
    assert (len(names), places.tolist(), places.dtype) == (0, [NO_FIELD, NO_FIELD], np.dtype(np.int64))


def test_distances_compare_what_fields_exchange_with_all_fields() -> None:
    # One link inside a, one from a to b: profiles (2, 1) and (1, 0), cosine 2/√5. Two and one link from c and d to e:
    # proportional profiles.
    found = distances("abcdef", ints(0, 0, 2, 2, 3, NO_FIELD, 5), ints(0, 1, 4, 4, 4, 0, NO_FIELD))
    near = round(1 - 2 / math.sqrt(5), 6)
    assert found.fields == tuple("abcdef")
    assert found.matrix.tolist() == [
        [0, near, 1, 1, 1, 1],
        [near, 0, 1, 1, 1, 1],
        [1, 1, 0, 0, 1, 1],
        [1, 1, 0, 0, 1, 1],
        [1, 1, 1, 1, 0, 1],
        [1, 1, 1, 1, 1, 0],
    ]
    lines = [f"{a}\t{b}\t{found.matrix['abcdef'.index(a), 'abcdef'.index(b)]:.6f}\n" for a, b in
             itertools.combinations("abcde", 2)]  # fmt: skip
    assert "a\tb\t0.105573\n" in lines
    assert found.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_field_that_appears_in_the_middle_of_a_month_leaves_the_hash_as_it_is() -> None:
    before = distances("ac", ints(0, 1, 0), ints(1, 0, 0))
    after = distances("abc", ints(0, 2, 0), ints(2, 0, 0))
    assert before.sha256 == after.sha256
    assert before.sha256 != distances("ac", ints(0, 1), ints(1, 0)).sha256


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), max_size=40), st.randoms())
def test_distances_are_symmetric_and_do_not_depend_on_order(links: list[tuple[int, int]], random: Random) -> None:
    shuffled = sorted(links, key=lambda _: random.random())
    found, again = (distances("abcdef", *np.array(each, np.int64).reshape(-1, 2).T) for each in (links, shuffled))
    assert found.matrix.tobytes() == again.matrix.tobytes()
    assert (found.matrix == found.matrix.T).all()
    assert ((found.matrix >= 0) & (found.matrix <= 1)).all()
    assert not np.diagonal(found.matrix).any()


def test_distances_of_nothing() -> None:
    assert distances((), ints(), ints()).matrix.shape == (0, 0)
    assert distances(("a", "b"), ints(), ints()).matrix.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("names", ["ba", "aa"])
def test_fields_out_of_order_are_refused(names: str) -> None:
    with pytest.raises(ValueError, match="distinct and in order"):
        distances(names, ints(0), ints(1))


def test_field_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1, found 0\.\.2"):
        distances("ab", ints(0, 2), ints(1, 1))
    with pytest.raises(ValueError, match=r"0\.\.2, found 0\.\.3"):
        integrative_potential(ints(0, 1), ints(1, 0), ints(3, 0), THREE)
    with pytest.raises(ValueError, match=r"0\.\.1, found 0\.\.2"):
        integrative_potential(ints(0, 2), ints(1, 0), ints(0, 0), THREE)


@pytest.mark.parametrize(
    ("shares", "matrix", "delta", "effective"),
    [
        ([0.5, 0.25, 0.25], THREE, 19 / 40, 40 / 21),
        ([2, 1, 1], THREE, 19 / 40, 40 / 21),
        ([1, 1, 1, 1], APART, 3 / 4, 4),
        ([0, 7, 0], THREE, 0, 1),
        ([3, 3], np.zeros((2, 2)), 0, 1),
    ],
)
def test_rao_stirling_known_answers(
    shares: list[float], matrix: Sequence[Sequence[float]], delta: float, effective: float
) -> None:
    assert rao_stirling(shares, matrix) == pytest.approx(delta, abs=1e-15)
    assert effective_fields(rao_stirling(shares, matrix)) == pytest.approx(effective)


def test_rao_stirling_of_many_works_at_once() -> None:
    works = np.array([[[0.5, 0.25, 0.25], [0, 0, 0]], [[0, 1, 0], [0, 1, 1]]])
    found = rao_stirling(works, THREE)
    np.testing.assert_allclose(found, [[19 / 40, np.nan], [0, 0.4]])


def test_integrative_potential_known_answer() -> None:
    """Work 0 builds on fields (½, ¼, ¼) at distances .5, 1, .8, and four equal fields at distance 1 build on it."""
    matrix = np.ones((7, 7)) - np.eye(7)
    matrix[:3, :3] = THREE
    field = ints(0, 0, 0, 1, 2, 3, 4, 5, 6)
    source, target = ints(0, 0, 0, 0, 5, 6, 7, 8), ints(1, 2, 3, 4, 0, 0, 0, 0)
    found = integrative_potential(source, target, field, matrix)
    assert (found.neighbours_out[0], found.neighbours_in[0]) == (4, 4)
    assert found.delta_out[0] == pytest.approx(19 / 40)
    assert found.delta_in[0] == pytest.approx(3 / 4)
    assert found.ip[0] == pytest.approx(0.6377155813, abs=5e-11)


def test_below_three_labelled_neighbours_there_is_no_potential() -> None:
    # 0 builds on 1 (twice, by two relations), 2 and 3, which has no field; 4 builds on 0 and 1.
    source, target = ints(0, 0, 0, 0, 4, 4), ints(1, 1, 2, 3, 0, 1)
    field = ints(0, 0, 1, NO_FIELD, 2)
    found = integrative_potential(source, target, field, THREE)
    assert found.neighbours_out.tolist() == [2, 0, 0, 0, 2]
    assert found.neighbours_in.tolist() == [1, 2, 1, 1, 0]
    assert np.isfinite(found.ip).tolist() == [True, False, False, False, False]
    # One side without diversity: only the other counts.
    assert found.ip[0] == pytest.approx(1 - math.sqrt(1 - 0.25))
    assert np.isfinite(found.delta_in).tolist() == [True, True, True, True, False]
    assert np.isfinite(found.delta_out).tolist() == [True, False, False, False, True]
    two = integrative_potential(source, target, field, THREE, minimum=2)
    assert np.isfinite(two.ip).tolist() == [True, True, False, False, True]
    assert two.ip[4] == 0  # both neighbours are of one field


def test_no_links_no_works_no_fields() -> None:
    found = integrative_potential(ints(), ints(), ints(0, 1), THREE)
    assert np.isnan(found.ip).all() and not found.neighbours_in.any()
    assert [len(each) for each in integrative_potential(ints(), ints(), ints(), THREE)] == [0] * 5
    unlabelled = integrative_potential(ints(0), ints(1), ints(NO_FIELD, NO_FIELD), np.zeros((0, 0)))
    assert np.isnan(unlabelled.ip).all()


def random_world(seed: int, works: int, links: int, k: int) -> tuple[NDArray[np.int64], ...]:
    draw = np.random.default_rng(seed)
    source, target = draw.integers(0, works, (2, links))
    apart = source != target
    return source[apart], target[apart], draw.integers(-1, k, works)


def naive(
    source: Sequence[int],
    target: Sequence[int],
    field: Sequence[int],
    matrix: NDArray[np.float64],
) -> list[float]:
    """The definition, work by work with dictionaries."""
    found = []
    for work in range(len(field)):
        sides = [{t for s, t in zip(source, target, strict=True) if s == work},
                 {s for s, t in zip(source, target, strict=True) if t == work}]  # fmt: skip
        counts = [Counter(field[other] for other in side if field[other] != NO_FIELD) for side in sides]
        similar = 1.0
        for count in counts:
            total = count.total() or 1
            similar *= 1 - sum(matrix[i, j] * count[i] * count[j] / total**2 for i in count for j in count if i != j)
        found.append(1 - math.sqrt(similar) if counts[0].total() + counts[1].total() >= 3 else math.nan)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_random_worlds_agree_with_the_definition(seed: int) -> None:
    source, target, field = random_world(seed, 40, 200, 6)
    matrix = distances("abcdef", field[source], field[target]).matrix
    found = integrative_potential(source, target, field, matrix)
    np.testing.assert_allclose(found.ip, naive(source.tolist(), target.tolist(), field.tolist(), matrix), atol=1e-12)
    dense = np.zeros((40, 6))
    for one, other in sorted(set(zip(source.tolist(), target.tolist(), strict=True))):
        dense[one, field[other]] += field[other] != NO_FIELD
    np.testing.assert_array_equal(found.delta_out, rao_stirling(dense, matrix))


def test_neither_order_nor_compilation_changes_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, field = random_world(9, 300, 3000, 20)
    matrix = distances([f"{i:02}" for i in range(20)], field[source], field[target]).matrix
    plain = integrative_potential(source, target, field, matrix)
    order = np.random.default_rng(0).permutation(source.size)
    shuffled = integrative_potential(source[order], target[order], field, matrix)
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", -1)
    compiled = integrative_potential(source, target, field, matrix)
    for one, two, three in zip(plain, shuffled, compiled, strict=True):
        assert one.tobytes() == two.tobytes() == three.tobytes()


def test_distinct_pairs_are_in_order() -> None:
    one, other = distinct_pairs(4, ints(3, 0, 3, 0, 3), ints(1, 2, 0, 2, 1))
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 2), (3, 0), (3, 1)]
    assert [each.size for each in distinct_pairs(0, ints(), ints())] == [0, 0]
