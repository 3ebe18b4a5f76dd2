"""Why somebody gets what he gets: the parts add up, and are what the definition gives by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.rewards.assets import compute
from coevo_pipelines.rewards.explain import SHOWN, explanations
from coevo_pipelines_tests.rewards.worlds import (
    DAY,
    amounts,
    author,
    claim,
    honest,
    lake_of,
    merged,
    reference,
    rows,
    rules,
    settings_of,
    work,
)

ROUND = rules(pool=2674)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """The typed example; N cites M, and O names what nobody knows."""
    more = {
        "works": [work("arxiv:N", 0), work("arxiv:O", 0)],
        "references": [reference("arxiv:N", "arxiv:M", 0), reference("arxiv:O", "pypi:x", 0, "mentions")],
        "people": [author("arxiv:N", "n", 1, 0)],
        "claims": claim("n", "arxiv:N#1"),
    }
    rounds = (ROUND, rules(name="half", pool=5348, floor=0.5, cap=0.4), rules(name="floor", pool=60, floor=1))
    yield lake_of(tmp_path_factory.mktemp("explain") / "lake", {0: merged(honest(), more)}, settings_of(*rounds))


def explained(lake: Lake, person: str, round: str = "r") -> list[tuple[Any, ...]]:
    columns = ("round", "person_id", "place", "part", "work_id", "via", "relation", "amount")
    found = sorted(rows(lake, "explanations", 0, *columns))
    own = [each[2:] for each in found if each[:2] == (round, f"person:{person}")]
    assert [each[0] for each in own] == [*range(1, len(own) + 1)]
    return [each[1:] for each in own]


def test_the_typed_example_with_lineage(lake: Lake) -> None:
    """With readers at N and M at c and 3/2 c, of 382 parts (c/256 each) arrive at M 64, B 36, D and L 24, P 170, x 64.
    M passes on half of its own, over derives_from 3, trained_on 2 and depends_on 2: times 7 all is whole."""
    everybody = {name: n for name, n in amounts(lake).items() if name != "pypi:x#unknown"}
    assert {"b": 348, "d": 232, "l": 232, "m": 224, "p": 1190}.items() <= everybody.items()
    assert explained(lake, "b") == [
        ("use", "arxiv:B", "arxiv:M", "derives_from", 252), ("lineage", "arxiv:B", "arxiv:M", "derives_from", 96),
    ]  # fmt: skip
    assert explained(lake, "d") == [
        ("use", "arxiv:D", "arxiv:M", "trained_on", 168), ("lineage", "arxiv:D", "arxiv:M", "trained_on", 64),
    ]  # fmt: skip
    assert explained(lake, "m") == [("use", "arxiv:M", "arxiv:N", "cites", 224)]
    assert explained(lake, "p") == [
        ("use", "arxiv:P", "arxiv:B", "cites", 574), ("use", "arxiv:P", "arxiv:L", "cites", 532),
        ("use", "arxiv:P", "arxiv:M", "cites", 84),
    ]  # fmt: skip
    assert explained(lake, "n") == [], "nobody uses N"


def test_the_equal_part_is_a_part(lake: Lake) -> None:
    assert explained(lake, "n", "floor") == [("floor", None, None, None, 10)]
    with_floor = {part: amount for part, *_, amount in explained(lake, "m", "half")}
    assert with_floor["floor"] == 445
    assert set(with_floor) == {"floor", "use"}


def test_the_parts_are_what_is_paid(lake: Lake) -> None:
    said: dict[tuple[str, str], int] = {}
    for round, person, amount in rows(lake, "explanations", 0, "round", "person_id", "amount"):
        said[round, person] = said.get((round, person), 0) + amount
    receipts = rows(lake, "receipts", 0, "round", "person_id", "amount")
    assert said == {(round, person): amount for round, person, amount in receipts}
    assert len(said) == 5 + 6 + 6


def test_a_relation_that_weighs_nothing_explains_nothing(lake: Lake) -> None:
    """O has no other link: what it passes on is nothing divided by nothing."""
    found = compute(settings_of(ROUND, relation_weight={"mentions": 0, "cites": 0}), DAY, lake.snapshot())
    parts = found["rewards.explanations"].frame
    assert parts.filter(pl.col("relation") == "mentions").height == 0
    assert parts["amount"].sum() == found["rewards.receipts"].frame["amount"].sum()


# The division alone


def told(
    receipt: int, floor: int, merits: dict[str, int], arrived: list[tuple[str, str, int]]
) -> list[tuple[Any, ...]]:
    """(part, work, via, amount) of one payee whose works have these merits and these (work, via, grains) arrive."""
    settled: Any = SimpleNamespace(receipts={"a": receipt}, people={"person_id": ["a", "b"]}, floors=[floor, 5])
    works = pl.DataFrame(
        [("a", name, merit, None, None) for name, merit in merits.items()],
        schema={
            "person_id": pl.String, "node_id": pl.String, "merit": pl.Int64, "held": pl.String, "work_held": pl.String,
        },
        orient="row",
    )  # fmt: skip
    arrivals = pl.DataFrame(
        [(name, "use", via, "cites", grains) for name, via, grains in arrived],
        schema={"node_id": pl.String, "part": pl.String, "via": pl.String, "relation": pl.String, "arrived": pl.Int64},
        orient="row",
    )
    found = explanations(settled, works, arrivals.lazy())
    return [(*each[:3], int(each[3])) for each in found.select("part", "work_id", "via", "amount").rows()]


@pytest.mark.parametrize(
    ("receipt", "floor", "merits", "arrived", "expected"),
    [
        (100, 0, {"w": 5}, [("w", "x", 3), ("w", "y", 1)], [("use", "w", "x", 75), ("use", "w", "y", 25)]),
        (100, 40, {"w": 5}, [("w", "x", 1)], [("use", "w", "x", 60), ("floor", None, None, 40)]),
        (100, 100, {"w": 5}, [("w", "x", 1)], [("floor", None, None, 100)]),
        (40, 60, {"w": 5}, [("w", "x", 1)], [("floor", None, None, 40)]),  # the rest of the floor is held elsewhere
        (100, 0, {}, [], [("past", None, None, 100)]),
        (100, 30, {}, [], [("past", None, None, 70), ("floor", None, None, 30)]),
        (100, 0, {"w": 5}, [], [("use", "w", None, 100)]),
        (100, 0, {"v": 1, "w": 3}, [("v", "x", 9), ("w", "x", 1)], [("use", "w", "x", 75), ("use", "v", "x", 25)]),
        (2, 0, {"w": 1}, [("w", n, 1) for n in "xyz"], [("use", "w", "x", 1), ("use", "w", "y", 1)]),
    ],
)
def test_parts(
    receipt: int,
    floor: int,
    merits: dict[str, int],
    arrived: list[tuple[str, str, int]],
    expected: list[tuple[Any, ...]],
) -> None:
    scaled = {name: merit * 10**12 for name, merit in merits.items()}
    assert told(receipt, floor, scaled, arrived) == expected


def test_what_is_smaller_than_the_shown_is_one_row() -> None:
    links = [("w", f"v{n:02}", 10 if n < SHOWN else 1) for n in range(SHOWN + 7)]
    found = told(10 * SHOWN + 7, 0, {"w": 10**15}, links)
    assert len(found) == SHOWN + 1
    assert ("rest", None, None, 7) in found


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 10**30), st.integers(0, 10**29),
    st.dictionaries(st.sampled_from("uvw"), st.integers(1, 10**18 // 3)),
    st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("xyz"), st.integers(1, 10**17)), max_size=40),
)  # fmt: skip
def test_the_parts_add_up_to_any_amount(
    receipt: int, floor: int, merits: dict[str, int], arrived: list[tuple[str, str, int]]
) -> None:
    found = told(receipt, floor, merits, arrived)
    assert sum(amount for *_, amount in found) == receipt
    assert all(amount > 0 for *_, amount in found)
    assert [each[3] for each in found] == sorted((each[3] for each in found), reverse=True)


def test_an_amount_beyond_floating_point_is_exact(tmp_path: Path) -> None:
    pool = 10**30 - 7
    lake = lake_of(tmp_path, {0: honest()}, settings_of(rules(pool=pool)))
    total = sum(each[0] for each in rows(lake, "explanations", 0, "amount"))
    assert total == pool == sum(amounts(lake).values())
    assert Decimal(pool) == rows(lake, "rounds", 0, "receipts")[0][0]
