"""What a check says to a person who sees it red for the first time, and the small pictures beside numbers."""

from __future__ import annotations

import re
from base64 import b64decode

import dagster as dg
import pytest

from coevo_pipelines.orchestration.checks import MOST_TOLD, count, verdict
from coevo_pipelines.orchestration.days import _other_columns
from coevo_pipelines.orchestration.pictures import bars, counted, ranks

KEY = dg.AssetKey(["a", "b"])


def test_green_says_what_was_looked_at() -> None:
    found = verdict(KEY, "c", [], well="3 rows.", way_out="Look.", numbers={"rows": 3})
    assert (found.passed, found.description) == (True, "3 rows.")
    assert {name: value.value for name, value in found.metadata.items()} == {"rows": 3, "problems": 0}


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        (["here: x"], "here: x. Look."),
        (["here: x.", "there: y"], "here: x (and 1 more). Look."),
        ([f"{number}: `x`\n" for number in range(1500)], "0: `x`\n (and 1,499 more). Look."),
    ],
)
def test_red_says_what_where_and_what_to_do(problems: list[str], told: str) -> None:
    found = verdict(KEY, "c", problems, well="3 rows.", way_out="Look.", blocks=False)
    assert (found.passed, found.description, found.severity) == (False, told, dg.AssetCheckSeverity.WARN)
    listed = str(found.metadata["found"].value).splitlines()
    assert found.metadata["problems"].value == len(problems)
    assert len(listed) == min(len(problems), MOST_TOLD + 1)
    assert all(line.startswith(("- `", "- …")) and line.count("`") in (0, 2) for line in listed)


def test_the_columns_of_a_file_that_are_others() -> None:
    wanted = {"a": "Int64", "b": "String"}
    assert _other_columns(wanted, {"a": "String", "c": "Int64"}) == (
        "without column b; with unknown column c; a is String, not Int64"
    )


def test_numbers_in_words() -> None:
    assert [count(number, "day") for number in (0, 1, 2799)] == ["0 days", "1 day", "2,799 days"]
    assert count(2, "entry", "entries") == "2 entries"


def test_what_is_counted_is_in_order() -> None:
    assert list(counted(["b", "a", "c", "c"]).items()) == [("c", 2), ("a", 1), ("b", 1)]


def test_pictures_are_small_and_none_is_empty() -> None:
    assert bars("t", "x", {"a": 0}) == {} == ranks("t", "x", [0.0, 0.0])
    many = {f"{number:02} <script>": number for number in range(40)}
    for found in (bars("t", "x", many), ranks("t", "x", [1 / (n + 1) for n in range(50_000)]), ranks("t", "x", [1.0])):
        image = re.search(r"base64,([^)]+)\)", str(found["t"].value))
        assert image is not None
        drawn = b64decode(image[1]).decode()
        assert len(drawn) < 8_000 and "<script" not in drawn
    assert "all others" in b64decode(re.search(r"base64,([^)]+)\)", str(bars("t", "x", many)["t"].value))[1]).decode()  # type: ignore[index]
