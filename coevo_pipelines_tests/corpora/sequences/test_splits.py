"""Which work is in which split: known answers, and that nothing else moves them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.blueprints import Splitting
from coevo_pipelines.corpora.sequences.splits import split_of

WORKS = [f"github:owner/repo-{n}" for n in range(4_000)]


def splits(works: list[str], **asked: Any) -> list[str]:
    return split_of(pl.Series("work_id", works, dtype=pl.String), Splitting(**asked)).to_list()


@pytest.mark.parametrize(
    ("seed", "work", "first"),
    [(0, "arxiv:1712.06567", 0x70), (1, "arxiv:1712.06567", 0xD1), (0, "github:deap/deap", 0xB6)],
)
def test_known_answers(seed: int, work: str, first: int) -> None:
    """`first`: byte that `printf %s 0:arxiv:1712.06567 | sha256sum` says."""
    below, above = first / 256, (first + 1) / 256
    assert splits([work], seed=seed, validation=above, test=0) == ["validation"]
    assert splits([work], seed=seed, validation=below, test=0) == ["train"]
    assert splits([work], seed=seed, validation=0, test=1 - below) == ["test"]
    assert splits([work], seed=seed, validation=0, test=1 - above) == ["train"]


def test_shares_and_repeats() -> None:
    found = splits([*WORKS, *WORKS], validation=0.05, test=0.2)
    assert found[: len(WORKS)] == found[len(WORKS) :]
    assert 150 < found[: len(WORKS)].count("validation") < 250
    assert 720 < found[: len(WORKS)].count("test") < 880
    assert splits(WORKS, validation=0, test=0) == ["train"] * len(WORKS)
    assert splits([]) == []


def test_the_size_of_one_moves_nothing_of_the_other() -> None:
    small, large = splits(WORKS, validation=0.1, test=0.1), splits(WORKS, validation=0.3, test=0.1)
    moved = {pair for pair in zip(small, large, strict=True) if pair[0] != pair[1]}
    assert moved == {("train", "validation")}
    assert splits(WORKS, seed=1, validation=0.1, test=0.1) != small


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), st.integers(0, 9))
def test_others_move_nothing(works: list[str], seed: int) -> None:
    together = splits(works, seed=seed, validation=0.3, test=0.3)
    assert together == [splits([work], seed=seed, validation=0.3, test=0.3)[0] for work in works]


def test_a_text_of_no_work() -> None:
    with pytest.raises(ValueError, match="row 1 has no work_id"):
        split_of(pl.Series(["a", None]), Splitting())
