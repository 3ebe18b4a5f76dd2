"""A pool divided by a list of scores: exact for any decimals, whatever the list looks like."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.rewards.audit import audit, read_table
from coevo_pipelines.rewards.standalone import Divided, Rules, divide, write
from coevo_pipelines.rewards.tables import TableError

DATED = """recipient,date,score
ada,2026-01-01,4
ada,2026-01-03,1
ben,2026-01-02,4
ben,2026-01-03,1
cleo,2026-01-03,2
"""


def listed(folder: Path, text: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(text)
    return path


def amounts(divided: Divided) -> dict[str, int]:
    return dict(zip(divided.recipients, divided.allocation.amounts, strict=True))


@pytest.mark.parametrize(
    ("scores", "rules", "expected", "reserve"),
    [
        ("50 30 15 5", Rules(1000, cap=400, minimum=100), [400, 400, 200, 0], 0),
        ("7 7", Rules(1000, cap=50), [50, 50], 900),
        ("2 1 1", Rules(1000, floor=300), [450, 275, 275], 0),
        ("1 1 1", Rules(100), [34, 33, 33], 0),
        ("1e-18 3e-18", Rules(8), [2, 6], 0),
        ("1e18 0.000000000000000001", Rules(10**36 + 1), [10**36, 1], 0),
        ("+1.50 1,500 $1.5e0 .5", Rules(15035), [15, 15000, 15, 5], 0),
        ("0 0", Rules(10), [0, 0], 10),
        ("0 0", Rules(10, floor=4), [2, 2], 6),
    ],
)
def test_known_answers(tmp_path: Path, scores: str, rules: Rules, expected: list[int], reserve: int) -> None:
    rows = "".join(f'r{place},"{score}"\n' for place, score in enumerate(scores.split()))
    divided = divide(listed(tmp_path, f"recipient,score\n{rows}"), rules)
    assert list(amounts(divided).values()) == expected
    assert divided.allocation.reserve == reserve


DECIMALS = st.tuples(st.integers(1, 999), st.integers(-18, 16)).map(lambda parts: f"{parts[0]}e{parts[1]}")


@given(
    scores=st.lists(DECIMALS, min_size=1, max_size=12),
    pool=st.integers(0, 10**30),
    cap=st.integers(1, 100),
    shift=st.integers(-18, 16),
)
def test_every_unit_is_accounted_for_and_only_proportions_count(
    scores: list[str], pool: int, cap: int, shift: int
) -> None:
    rules = Rules(pool, cap=pool * cap // 100, floor=pool // 10)
    with tempfile.TemporaryDirectory() as folder:
        rows = [f"r{place:02d},{score}\n" for place, score in enumerate(scores)]
        found = divide(listed(Path(folder), "recipient,score\n" + "".join(rows)), rules)
        turned = divide(listed(Path(folder), "recipient,score\n" + "".join(reversed(rows))), rules)
        plain = [f"{Decimal(score).scaleb(shift):f}" for score in scores]
        rows = [f"r{place:02d},{score}\n" for place, score in enumerate(plain)]
        scaled = divide(listed(Path(folder), "recipient,score\n" + "".join(rows)), rules)
    given = found.allocation.amounts
    assert sum(given) + found.allocation.reserve == pool
    assert max(given) <= pool * cap // 100
    assert amounts(found) == amounts(turned) == amounts(scaled)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(400), {"ada": 100, "ben": 100, "cleo": 200}),
        (Rules(900, days=2), {"ada": 113, "ben": 562, "cleo": 225}),
        (Rules(1200, days=3), {"ada": 500, "ben": 500, "cleo": 200}),
        # 4/4 + 1 = 2, 4/2 + 1 = 3, 2
        (Rules(700, policy="RECENT", discount=Fraction(1, 2)), {"ada": 200, "ben": 300, "cleo": 200}),
        (Rules(600, policy="RECENT", days=2), {"ada": 100, "ben": 300, "cleo": 200}),
        (Rules(1200, policy="RECENT", discount=Fraction(0)), {"ada": 500, "ben": 500, "cleo": 200}),
        (Rules(400, policy="RECENT", discount=Fraction(1)), {"ada": 100, "ben": 100, "cleo": 200}),
        (Rules(100, policy="SPECIAL", recipient="ben", floor=30), {"ada": 10, "ben": 80, "cleo": 10}),
        (Rules(100, policy="SPECIAL", recipient="ben", most=25), {"ben": 25}),
    ],
)
def test_policies_over_days(tmp_path: Path, rules: Rules, expected: dict[str, int]) -> None:
    divided = divide(listed(tmp_path, DATED), rules)
    assert {who: amount for who, amount in amounts(divided).items() if amount} == expected
    assert divided.allocation.reserve == rules.pool - sum(expected.values())


def test_balanced_gives_what_is_missing(tmp_path: Path) -> None:
    path = listed(tmp_path, "recipient,score,earned\nada,1,40.00\nben,1,10\ncleo,2,\nx,1,0.001\n")
    divided = divide(path, Rules(10000, policy="BALANCED"), places=2)
    # 150.00 in all: 37.50, 37.50 and 75.00 are due, and ada has 40.00 already; 27.50 : 75.00
    assert amounts(divided) == {"ada": 0, "ben": 2683, "cleo": 7317}
    assert divided.rejected == {"earned is no whole number of minor units": 1}
    more = divide(path, Rules(10000, policy="BALANCED", paid=15000), places=2)
    # 250.00 in all, a hundred of them paid to others: 22.50, 52.50 and 125.00 are missing
    assert amounts(more) == {"ada": 1125, "ben": 2625, "cleo": 6250}
    with pytest.raises(ValueError, match="4999 was paid in all, it is said, and 5000 was earned"):
        divide(path, Rules(10000, policy="BALANCED", paid=4999), places=2)


def test_rows_in_a_bad_state_are_counted_with_their_lines(tmp_path: Path) -> None:
    text = "recipient,score,date\na,1,2026-01-02\n,1,2026-01-02\nb,,2026-01-02\nc,NaN,2026-01-02\nd,-1,2026-01-02\n"
    text += "e,1,2026-02-30\nf,1,1/2/2026\ng,1\nh,inf,2026-01-02\ni,1e101,2026-01-02\n"
    text += f"j,1.{'0' * 120}1,2026-01-02\nk,-0,2026-01-02\n"
    divided = divide(listed(tmp_path, text), Rules(10))
    number = "the score is no plain number (digits, point, exponent; up to 100 digits)"
    assert divided.rejects.select("line", "reason").rows() == [
        (3, "no recipient"), (4, "no score"), (5, number), (6, "the score is negative"),
        (7, "the date is not YYYY-MM-DD"), (8, "the date is not YYYY-MM-DD"), (9, "the row has 2 fields, the header 3"),
        (10, number), (11, number), (12, "the score has more than 100 decimals"),
    ]  # fmt: skip
    assert amounts(divided) == {"a": 10, "k": 0}
    assert divided.rows == 12


@pytest.mark.parametrize(
    ("text", "rules", "message"),
    [
        ("recipient,score\n", Rules(1), "there are no rows below the header"),
        ("recipient,score\na,x\nb,y\n", Rules(1), r"none of 2 rows can be used: the score is no plain number .* \(2\)"),
        ("recipient,score\na,1\nb,1\n a ,2\n", Rules(1), "there are 'a' on lines 2, 4: correct the list"),
        ("recipient,points\na,1\n", Rules(1), "there is no column 'score'; found: 'recipient', 'points'"),
        ("recipient,score\na,1\n", Rules(1, policy="RECENT"), "no column 'date'"),
        ("recipient,score\na,1\n", Rules(1, days=7), "no column 'date'"),
        ("recipient,score\na,1\n", Rules(1, policy="BALANCED"), "no column 'earned'"),
        ("recipient,score\na,1\n", Rules(1, policy="SPECIAL", recipient="b"), "'b', who is to get all, is not among"),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path: Path, text: str, rules: Rules, message: str) -> None:
    with pytest.raises(TableError, match=message):
        divide(listed(tmp_path, text), rules)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (Rules(10, floor=11), "the floor 11 is above the pool 10"),
        (Rules(10, cap=1, minimum=2), "the minimum 2 is above the cap 1"),
        (Rules(10, policy="BALANCED", days=2), "not by BALANCED"),
        (Rules(10, days=0), "from 1 to 1000"),
    ],
)
def test_rules_that_make_no_sense(tmp_path: Path, rules: Rules, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        divide(listed(tmp_path, "recipient,score,date,earned\na,1,2026-01-01,1\n"), rules)


def test_repeated_and_similar_recipients(tmp_path: Path) -> None:
    path = listed(tmp_path, "recipient,score\nAda,1\nada,2\nada,3\nａda,4\nbo b,0\nBO  b,0\n")
    divided = divide(path, Rules(100), sum_duplicates=True)
    assert amounts(divided) == {"Ada": 10, "BO  b": 0, "ada": 50, "bo b": 0, "ａda": 40}
    assert (divided.summed, list(divided.alike)) == (1, ["'Ada' and 'ada' and 'ａda'", "'BO  b' and 'bo b'"])
    dated = listed(tmp_path, "recipient,score,date\nada,1,2026-01-01\nada,1,2026-01-02\nben,1,2026-01-02\n")
    divided = divide(dated, Rules(10))
    assert (amounts(divided), divided.older, divided.summed) == ({"ada": 5, "ben": 5}, 1, 0)


@pytest.mark.parametrize("places", [0, 2, 30])
@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_what_is_written_passes_the_audit(tmp_path: Path, name: str, places: int) -> None:
    text = "recipient,score\n" + '"b, with ""quotes""",3\nczero,0\na,1e-9\nd,1.25\n'
    divided = divide(listed(tmp_path, text), Rules(10**30, cap=6 * 10**29))
    assert write(divided, tmp_path / name, places) == 3
    table = read_table(tmp_path / name)
    assert table.rows["recipient"].to_list() == ["a", 'b, with "quotes"', "d"]
    pool = Decimal(10**30).scaleb(-places)
    assert audit(table, pool, Decimal(6 * 10**29).scaleb(-places), places=places) == []
    assert len(str(table.rows["amount"][1]).partition(".")[2]) == places
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_parquet_list_with_numbers_and_days(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    frame = pl.DataFrame({"recipient": ["a", "b", "c"], "score": [0.1, 0.2, float("nan")], "date": ["2026-01-01"] * 3})
    frame.with_columns(pl.col("date").str.to_date()).write_parquet(path)
    divided = divide(path, Rules(3))
    assert amounts(divided) == {"a": 1, "b": 2}, "0.1 and 0.2 as they are written, not as floats hold them"
    assert divided.rejects["line"].to_list() == [3]
