"""Numbers, names and long tables."""

from __future__ import annotations

import pytest

from coevo_pipelines.report.words import counted, folded, percent, short


@pytest.mark.parametrize(
    ("number", "one", "told"),
    [
        (0, "work", "0 works"),
        (1, "work", "1 work"),
        (2000, "repository", "2,000 repositories"),
        (2, "person", "2 people"),
    ],
)
def test_counted(number: int, one: str, told: str) -> None:
    assert counted(number, one) == told


@pytest.mark.parametrize(("share", "told"), [(None, "–"), (0.0, "0.0%"), (0.0625, "6.2%"), (1, "100.0%")])
def test_percent(share: float | None, told: str) -> None:
    assert percent(share) == told


@pytest.mark.parametrize(
    ("title", "most", "told"),
    [
        ("ants", 10, "ants"),
        (" a\n b ", 10, "a b"),
        ("ants and bees", 10, "ants and…"),
        ("x" * 500, 10, "x" * 9 + "…"),
        ("a " + "x" * 500, 10, "a xxxxxxx…"),
    ],
)
def test_short(title: str, most: int, told: str) -> None:
    found = short(title, most)
    assert found == told and len(found) <= most


@pytest.mark.parametrize(("rows", "tables"), [(0, 1), (2, 1), (3, 2)])
def test_a_long_table_is_folded(rows: int, tables: int) -> None:
    cells = [[f"row {number}", "x"] for number in range(rows)]
    found = folded("All", ("One", "Two"), cells, 2)
    assert found.count("<table") == tables and ("Show 1 more" in found) == (tables == 2)
    assert all(found.count(f">row {number}<") == 1 for number in range(rows))
