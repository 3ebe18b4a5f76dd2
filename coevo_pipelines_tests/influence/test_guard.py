"""Guarded mode: empty accounts have no voice, and no owner has more of it than the cap."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence.guard import guarded_teleport
from coevo_pipelines.influence.links import hold, pack
from coevo_pipelines.influence.pagerank import Solution, solve
from coevo_pipelines.influence.scores import TOLERANCE, rounded
from coevo_pipelines_tests.influence.reference import exact

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DERIVES, TRAINED, DEPENDS, CITES = range(4)
WEIGHTS = (3.0, 2.0, 2.0, 1.0)
M, B, D, P, L = range(5)
TYPED = [(M, B, DERIVES), (M, D, TRAINED), (M, P, CITES), (M, L, DEPENDS), (B, P, CITES), (L, P, CITES)]
Work = tuple[str, str | None]
"""Identifier and owner."""


def teleport_of(
    works: Sequence[Work],
    links: Sequence[tuple[int, ...]],
    mass: Sequence[float] | None = None,
    *,
    cap: float = 1.0,
    vouching: Sequence[int] | None = None,
) -> Floats:
    """Arxiv-listed works vouch, unless it is said which do. Links are those that count: none within an owner."""
    ids = pl.Series([name for name, _ in works], dtype=pl.String)
    owners = pl.Series([owner for _, owner in works], dtype=pl.String)
    vouches = ids.str.starts_with("arxiv:").to_numpy()
    if vouching is not None:
        vouches = np.isin(np.arange(len(works)), vouching)
    source, target = np.array([link[:2] for link in links], dtype=np.int64).reshape(-1, 2).T
    given_ = np.array(mass if mass is not None else [1.0] * len(works))
    return guarded_teleport(given_, ids, owners, vouches, source, target, owner_cap=cap)


def solved(links: Sequence[tuple[int, ...]], teleport: Floats) -> Solution:
    source, target, relation = np.array(links, dtype=np.int64).reshape(-1, 3).T
    graph = hold(teleport.size, pack(source, target, relation))
    return solve(graph, teleport, 0.5, relation_weight=WEIGHTS, tolerance=TOLERANCE)


# --- who has a voice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "links", "voice"),
    [
        (("arxiv:1", None), [], True),  # somebody read it before it was listed
        (("doi:10.1/x", None), [], True),
        (("github:ann/x", "github:ann"), [], False),
        (("hf:model/ann/x", "hf:ann"), [], False),
        (("github:ann/x", None), [], False),
        (("hub:ann", None), [], False),
        (("hub:ann", None), [(1, 0)], True),
        (("doi:10.5281/zenodo.1", "github:ann"), [], False),  # a repository under its DOI
        # Used by: a listed paper, an unlisted one, another account.
        (("github:ann/x", "github:ann"), [(1, 0)], True),
        (("github:ann/x", None), [(1, 0)], True),
        (("github:ann/x", "github:ann"), [(2, 0)], False),
        (("github:ann/x", "github:ann"), [(3, 0)], False),
        # To use a listed paper costs nothing.
        (("github:ann/x", "github:ann"), [(0, 1)], False),
        # The paper uses another work of the same owner; of another owner; of the namesake on another service.
        (("github:ann/x", "github:ann"), [(1, 4)], True),
        (("github:ann/x", "github:ann"), [(1, 5)], False),
        (("github:ann/x", "github:ann"), [(1, 6)], False),
    ],
)
def test_whose_works_readers_start_from(work: Work, links: list[tuple[int, int]], voice: bool) -> None:
    others: list[Work] = [
        ("arxiv:2", None), ("doi:10.1/y", None), ("github:bob/y", "github:bob"), ("github:ann/z", "github:ann"),
        ("github:bob/z", "github:bob"), ("hf:model/ann/z", "hf:ann"),
    ]  # fmt: skip
    assert (teleport_of([work, *others], links)[0] > 0) == voice


def test_a_claimed_work_vouches_as_a_listed_one_does() -> None:
    works: list[Work] = [("github:ann/x", "github:ann"), ("doi:10.1/claimed", None)]
    assert teleport_of(works, [(1, 0)]).tolist() == [0.0, 1.0]
    assert teleport_of(works, [(1, 0)], vouching=[1]).tolist() == [1.0, 1.0]


def test_what_has_a_voice_keeps_its_part() -> None:
    works: list[Work] = [("arxiv:1", None), ("github:ann/x", "github:ann"), ("github:bob/y", "github:bob")]
    assert teleport_of(works, [(0, 1)], [0.25, 0.5, 0.125]).tolist() == [0.25, 0.5, 0.0]


def test_nobody_may_be_left() -> None:
    assert teleport_of([("github:ann/x", "github:ann")], []).tolist() == [0.0]
    assert teleport_of([], []).size == 0


# --- puppets ---------------------------------------------------------------------------------------------------------

LISTED: list[Work] = [(f"arxiv:{name}", None) for name in "MBDPL"]
PUPPETS: list[Work] = [(f"hf:model/puppet{place}/x", f"hf:puppet{place}") for place in range(7)]


def test_puppets_that_cite_a_work_change_nothing() -> None:
    """52/101 in open mode, 4/53 in guarded mode, as without them."""
    works = [*LISTED, *PUPPETS[:3]]
    links = [*TYPED, *((puppet, D, CITES) for puppet in (5, 6, 7))]
    opened = solved(links, np.ones(8))
    guarded = solved(links, teleport_of(works, links))
    assert rounded(opened.inflow)[D] == round(52 / 101, 12)
    assert rounded(guarded.inflow)[:5].tolist() == [round(share / 53, 12) for share in (0, 6, 4, 39, 4)]
    assert guarded.influence[5:].tolist() == [0.0] * 3


def test_accounts_that_a_paper_vouches_for_are_as_safe_from_puppets() -> None:
    """M, B, D and L are works of accounts here, and one paper that cites another work of each gives them a voice."""
    works: list[Work] = [
        ("hf:model/ann/m", "hf:ann"), ("hf:model/bob/b", "hf:bob"), ("hf:dataset/cem/d", "hf:cem"),
        ("arxiv:P", None), ("github:dia/l", "github:dia"),
        ("arxiv:V", None), ("hf:model/ann/old", "hf:ann"), ("hf:model/bob/old", "hf:bob"),
        ("hf:model/cem/old", "hf:cem"), ("github:dia/old", "github:dia"),
    ]  # fmt: skip
    links = [*TYPED, *((5, vouched, CITES) for vouched in (6, 7, 8, 9))]
    crowd = [*links, *((puppet, D, CITES) for puppet in range(10, 17)), (10, 11, DERIVES), (11, 10, DERIVES)]
    without = solved(links, teleport_of(works, links))
    with_them = solved(crowd, teleport_of([*works, *PUPPETS], crowd))
    assert rounded(with_them.inflow).tolist() == [*rounded(without.inflow), *[0.0] * 7]
    opened = solved(crowd, np.ones(17))
    assert opened.inflow[D] > 3 * without.inflow[D]
    x, inflow = exact(10, links, Fraction(1, 2), relation_weight=[3, 2, 2, 1])
    assert rounded(without.influence).tolist() == [float(round(each, 12)) for each in x]
    assert rounded(without.inflow).tolist() == [float(round(each, 12)) for each in inflow]


def test_empty_works_leave_the_inflow_shares_exactly_equal() -> None:
    alone = solved(TYPED, teleport_of(LISTED, TYPED))
    crowded = solved(TYPED, teleport_of([*LISTED, *PUPPETS], TYPED))
    assert rounded(crowded.inflow)[:5].tolist() == rounded(alone.inflow).tolist()


def test_a_voice_from_a_puppet_is_what_it_passes_on_and_not_more() -> None:
    """A puppet that a real work uses hands on that much, to whom it likes."""
    works: list[Work] = [("arxiv:1", None), *PUPPETS[:1], ("doi:10.1/x", None)]
    links = [(0, 1, CITES), (1, 2, CITES)]
    solution = solved(links, teleport_of(works, links, vouching=[]))
    assert solution.inflow == pytest.approx([0, 2 / 3, 1 / 3])


# --- one owner's flood -----------------------------------------------------------------------------------------------


def capped(
    accounts: Sequence[Fraction | int], others: Fraction | int, cap: Fraction
) -> tuple[list[Fraction], bool]:  # fmt: skip
    """What each account keeps, in fractions, and whether the cap can hold at all. By trying every k."""
    ordered = sorted(map(Fraction, accounts), reverse=True)
    if not ordered or ordered[0] <= cap * (sum(ordered) + others):
        return [Fraction(each) for each in accounts], True
    for k in range(1, len(ordered) + 1):
        if k * cap < 1:
            level = cap * (others + sum(ordered[k:])) / (1 - k * cap)
            if level > 0 and level <= ordered[k - 1] and (k == len(ordered) or level >= ordered[k]):
                return [min(Fraction(each), level) for each in accounts], True
    return [ordered[-1]] * len(ordered), False


def flood(sizes: Sequence[int], others: int) -> tuple[list[Work], list[tuple[int, int]]]:
    """Accounts with so many works each, all vouched for by papers; `others` papers in all."""
    works: list[Work] = [(f"arxiv:{place}", None) for place in range(others)]
    links = []
    for account, size in enumerate(sizes):
        links.append((0, len(works)))
        works += [(f"github:account{account}/{place}", f"github:account{account}") for place in range(size)]
    return works, links


def test_a_flood_of_one_owners_works_is_held_by_the_cap() -> None:
    """98 papers and an owner of one work; the same owner with 900 works gets no more than 2 %."""
    for size in (1, 2, 900):
        works, links = flood([size], 98)
        teleport = teleport_of(works, links, cap=0.02)
        assert teleport[98:].sum() / teleport.sum() <= 0.02 + 1e-15
        assert teleport[:98].tolist() == [1.0] * 98
        assert teleport[98:].sum() == pytest.approx(min(size, 2))


def test_many_small_owners_need_no_cap() -> None:
    works, links = flood([1] * 100, 1)
    assert teleport_of(works, links, cap=0.02).tolist() == [1.0] * 101


def test_papers_have_no_owner_to_be_capped() -> None:
    works: list[Work] = [("arxiv:1", "the same author"), ("arxiv:2", "the same author")]
    assert teleport_of(works, [], cap=0.02).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("cap", [0.0, -0.1, 1.1, float("nan")])
def test_a_cap_outside_0_to_1_is_refused(cap: float) -> None:
    with pytest.raises(ValueError, match="owner_cap must be above 0 and at most 1"):
        teleport_of([("arxiv:1", None)], [], cap=cap)


def account_sums(teleport: Floats, sizes: Sequence[int]) -> Floats:
    return np.add.reduceat(teleport, np.cumsum([0, *sizes[:-1]])) if sizes else np.empty(0)


sizes_of = st.lists(st.integers(1, 40), min_size=1, max_size=12)
caps = st.sampled_from([Fraction(1, 50), Fraction(1, 10), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(1)])


@settings(deadline=None, max_examples=300)
@given(sizes_of, st.integers(1, 60), caps)
def test_the_cap_is_the_one_of_the_formula(sizes: list[int], others: int, cap: Fraction) -> None:
    works, links = flood(sizes, others)
    teleport = teleport_of(works, links, cap=float(cap))
    expected, feasible = capped(sizes, others, cap)
    assert feasible
    assert teleport[:others].tolist() == [1.0] * others
    assert account_sums(teleport[others:], sizes) == pytest.approx([float(each) for each in expected], rel=1e-9)
    assert account_sums(teleport[others:], sizes).max() <= float(cap) * teleport.sum() * (1 + 1e-9)


@settings(deadline=None, max_examples=200)
@given(sizes_of, caps)
def test_without_anybody_else_accounts_hold_each_other(sizes: list[int], cap: Fraction) -> None:
    works, links = flood(sizes, 1)
    silent = [0.0, *[1.0] * sum(sizes)]  # the paper that vouches has no part of its own
    sums = account_sums(teleport_of(works, links, silent, cap=float(cap))[1:], sizes)
    expected, feasible = capped(sizes, 0, cap)
    assert sums == pytest.approx([float(each) for each in expected], rel=1e-9)
    if not feasible:
        assert len(sizes) * cap < 1 and np.ptp(sums) == pytest.approx(0, abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(sizes_of, st.integers(0, 30), caps, st.integers(0, 2**32))
def test_no_work_gains_and_proportions_inside_an_account_stay(
    sizes: list[int], others: int, cap: Fraction, seed: int
) -> None:
    works, links = flood(sizes, others + 1)
    mass = np.random.default_rng(seed).random(len(works)) + 1e-3
    kept = teleport_of(works, links, mass.tolist(), cap=float(cap))
    assert np.all(kept <= mass) and np.all(kept > 0)
    start = others + 1
    for size in sizes:
        shares = kept[start : start + size] / mass[start : start + size]
        assert shares == pytest.approx(np.full(size, shares[0]))
        start += size
