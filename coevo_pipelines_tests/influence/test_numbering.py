"""Identifiers to numbers: the same however they come, and never two as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence import numbering
from coevo_pipelines.influence.numbering import FIRST_SLOTS, Numbering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

TEXT = pl.String()


def numbered(batches: Sequence[Sequence[Any]], dtype: Any = TEXT) -> tuple[list[Any], list[int]]:
    """The identifiers in their final order, and the final number of each one given."""
    table = Numbering(dtype)
    given_ = [table.add(pl.Series("any name", batch, dtype=dtype)) for batch in batches]
    ids, final = table.finish()
    numbers = final[np.concatenate(given_)] if given_ else np.empty(0, dtype=np.int64)
    return ids.to_list(), numbers.tolist()


def test_the_order_is_that_of_the_identifiers() -> None:
    assert numbered([["b", "a"], ["c", "a", "b"]]) == (["a", "b", "c"], [1, 0, 2, 0, 1])
    assert numbered([[5, -3], [2**63 - 1, 5]], pl.Int64()) == ([-3, 5, 2**63 - 1], [1, 0, 2, 1])


def test_nothing_at_all() -> None:
    assert numbered([]) == ([], [])
    assert numbered([[], []]) == ([], [])
    assert Numbering(pl.Int64()).finish()[0].dtype == pl.Int64


@pytest.mark.parametrize(
    "alike",
    [
        ["7", "07", "007", " 7", "7 "],
        ["\u00e9", "e\u0301", "E", "e"],  # composed and decomposed
        ["a", "A", "a\x00", "a\n", '"a"', ""],
        ["x" * 12, "x" * 13, "x" * 12 + "y", "x" * 100_000],  # short ones are kept apart from long ones inside
    ],
)
def test_what_is_not_the_same_text_is_not_the_same_work(alike: list[str]) -> None:
    ids, numbers = numbered([alike, alike[::-1]])
    assert sorted(ids) == sorted(alike) and len(set(numbers)) == len(alike)
    assert [ids[number] for number in numbers] == [*alike, *alike[::-1]]


words = st.lists(st.text(max_size=3) | st.sampled_from(["a", "b", "longer than twelve bytes"]), max_size=60)
integers = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-4, 4), max_size=60)


@settings(deadline=None)
@given(words, st.lists(st.integers(0, 60), max_size=5), st.randoms(use_true_random=False))
def test_neither_batches_nor_order_matter(given_: list[str], cuts: list[int], random: Any) -> None:
    bounds = [0, *sorted(cuts), 60]
    ids, numbers = numbered([given_[low:high] for low, high in pairwise(bounds)])
    assert ids == sorted(set(given_))
    assert [ids[number] for number in numbers] == given_
    shuffled = list(given_)
    random.shuffle(shuffled)
    assert numbered([shuffled])[0] == ids


@settings(deadline=None)
@given(integers)
def test_integers_too(given_: list[int]) -> None:
    ids, numbers = numbered([given_], pl.Int64())
    assert ids == sorted(set(given_))
    assert [ids[number] for number in numbers] == given_


@pytest.mark.parametrize("dtype", [TEXT, pl.Int64()], ids=str)
@pytest.mark.parametrize("large", [0, 10**9])
def test_the_table_grows(dtype: Any, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a batch and between batches; the plain way and the compiled one."""
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", large)
    rng = np.random.default_rng(0)
    given_ = rng.permutation(np.repeat(np.arange(3 * FIRST_SLOTS), 2))
    batches = [given_[:10], given_[10:20_000], given_[20_000:20_001], given_[20_001:]]
    series = [pl.Series(batch).cast(dtype) for batch in batches]
    table = Numbering(dtype)
    first = np.concatenate([table.add(each) for each in series])
    assert table.size == 3 * FIRST_SLOTS
    assert 2 * table.size <= table.table.shape[0] <= 8 * table.size
    ids, final = table.finish()
    assert ids.is_sorted() and ids.n_unique() == 3 * FIRST_SLOTS
    assert ids.gather(pl.Series(final[first])).to_list() == pl.concat(series).to_list()


@pytest.mark.parametrize("same", ["the first hash", "all slots", "neighbours"])
def test_hashes_that_collide(same: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in an identifier's slot is another one: the next slot is taken, also past the end of the table."""

    def colliding(identifiers: pl.Series) -> tuple[Integers, Integers]:
        second = identifiers.hash(2).to_numpy().view(np.int64)
        first = {
            "the first hash": np.full(second.size, 7, dtype=np.int64),
            "all slots": second >> 44 << 44,
            "neighbours": (np.int64(-1) << 20) + (second & 3),
        }[same]
        return first, second

    monkeypatch.setattr(numbering, "_hashes", colliding)
    names = [f"work {place % 300}" for place in range(900)]
    ids, numbers = numbered([names[:450], names[450:]])
    assert len(ids) == 300
    assert [ids[number] for number in numbers] == names


def test_many_are_numbered_in_an_order_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond two million texts: not sorted, but the same for the same identifiers."""
    monkeypatch.setattr(numbering, "SORTED_UP_TO", 20)
    names = [f"work {place}" for place in range(40)]
    ids, numbers = numbered([names])
    assert sorted(ids) == sorted(names) and ids != sorted(names)
    assert [ids[number] for number in numbers] == names
    turned, back = numbered([names[7::-1], names[:7:-1], names[3:5]])
    assert turned == ids
    assert [turned[number] for number in back] == [*names[7::-1], *names[:7:-1], *names[3:5]]
    assert numbered([names[:20]])[0] == sorted(names[:20])
    assert numbered([list(range(40))[::-1]], pl.Int64())[0] == list(range(40)), "integers are always sorted"


def test_only_the_identifiers_are_kept_of_a_batch() -> None:
    """Text that was read is not kept alive by the few new identifiers in it."""
    long = pl.Series([f"{place:04d} is a long identifier that is not kept inline" for place in range(1000)])
    table = Numbering(TEXT)
    table.add(long)
    rows = [*long.sample(50_000, with_replacement=True, seed=1), "one more that is not known yet"]
    table.add(pl.Series(rows))
    assert [part.len() for part in table.parts] == [1000, 1]
    buffers = [buffer for buffer in table.parts[1].to_arrow(compat_level=pl.CompatLevel.newest()).buffers() if buffer]
    assert sum(buffer.size for buffer in buffers) < 10_000
