"""Who is behind a work, and what of its units each of them gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence.people import UNITS, carry, credits
from coevo_pipelines.lake.engine import Engine
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake

DAY = date(2026, 1, 5)
Row = dict[str, Any]
CREDITS = {
    "node_id": pl.String, "person_id": pl.String, "name": pl.String, "position": pl.Int64, "persons": pl.Int64,
}  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Lake(tmp_path_factory.mktemp("people")).snapshot()) as engine:
        yield engine


def person(work_id: str, position: int, source: str = "arxiv", day: int = 0, **more: Any) -> Row:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC) + timedelta(days=day)
    row = {"work_id": work_id, "source": source, "role": "author", "position": position, "event_at": at}
    return row | {"observed_at": at, "raw_sha256": "ab", "date": DAY + timedelta(day)} | more


def credited(
    engine: Engine, people: Sequence[Row], works: Sequence[str], aliases: Sequence[tuple[str, str, int]] = ()
) -> list[tuple[Any, ...]]:
    schema = TABLES["traces.people"].polars_schema() | {"date": pl.Date()}
    named = {"id": pl.String, "node_id": pl.String, "date": pl.Date}
    found = credits(
        engine.put(pl.DataFrame({"node_id": works}, schema={"node_id": pl.String})),
        engine.put(pl.DataFrame(people, schema=schema)),
        engine.put(pl.DataFrame([(a, b, DAY + timedelta(n)) for a, b, n in aliases], schema=named, orient="row")),
    )
    frame = engine.frame(found).sort("node_id", "position")
    assert frame.schema == CREDITS
    return frame.rows()


def test_a_person_is_an_orcid_or_an_account_or_somebody_of_this_work_alone(engine: Engine) -> None:
    people = [
        person("arxiv:a", 1, name="Ada Lovelace", orcid="0000-0001", account="openalex:A1"),
        person("arxiv:a", 2, name="Grace Hopper", account="openalex:A2"),
        person("arxiv:a", 3, name="Ada Lovelace"),
        person("arxiv:b", 1, name="Ada Lovelace"),
    ]
    assert credited(engine, people, ["arxiv:a", "arxiv:b", "arxiv:c"]) == [
        ("arxiv:a", "orcid:0000-0001", "Ada Lovelace", 1, 3),
        ("arxiv:a", "openalex:A2", "Grace Hopper", 2, 3),
        ("arxiv:a", "arxiv:a#3", "Ada Lovelace", 3, 3),
        ("arxiv:b", "arxiv:b#1", "Ada Lovelace", 1, 1),
    ]


def test_a_person_twice_in_a_list_counts_once_at_the_first_place(engine: Engine) -> None:
    people = [
        person("arxiv:a", 1, name="B", orcid="2"),
        person("arxiv:a", 2, name="A", orcid="1"),
        person("arxiv:a", 4, name="B.", orcid="2"),
        person("arxiv:a", 5, name="C"),
    ]
    assert credited(engine, people, ["arxiv:a"]) == [
        ("arxiv:a", "orcid:2", "B", 1, 3),
        ("arxiv:a", "orcid:1", "A", 2, 3),
        ("arxiv:a", "arxiv:a#5", "C", 3, 3),
    ]


OWNER: Row = {"role": "owner", "account": "github:o"}


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([person("arxiv:a", 1, name="One"), person("doi:a", 1, "github", **OWNER)], ["arxiv:a#1"]),
        ([person("doi:a", 1, "github", **OWNER)], ["github:o"]),
        ([person("arxiv:a", 1, name="One"), person("doi:a", 1, "openalex", name="One", orcid="1")], ["orcid:1"]),
        ([person("doi:a", 1, account="x"), person("arxiv:a", 1, "openalex", account="y")], ["y"]),
        ([person("arxiv:a", 1, account="x"), person("arxiv:a", 1, "openalex", account="y")], ["x"]),
        ([person("doi:a", 1, account="x"), person("hf:a", 1, account="y")], ["x"]),
        ([person("arxiv:a", 1, orcid="1"), person("arxiv:a", 1, day=1, account="x")], ["x"]),
        ([person("arxiv:a", 1, account="x"), person("arxiv:a", 2), person("arxiv:a", 1, day=1, account="y")], ["y"]),
        ([person("arxiv:a", 1, account="x", date=DAY + timedelta(1)), person("arxiv:a", 1, day=1, account="y")], ["y"]),
    ],
    ids=[
        "authors before owners", "owners where no author is named", "the most ORCID iDs", "the work's own identifier",
        "the first source", "the first identifier", "the latest day of the list", "the latest list is whole",
        "the latest event of the day",
    ],
)  # fmt: skip
def test_a_work_takes_one_list(engine: Engine, people: list[Row], expected: list[str]) -> None:
    aliases = [("doi:a", "arxiv:a", 0), ("hf:a", "arxiv:a", 0)]
    assert [row[1] for row in credited(engine, people, ["arxiv:a"], aliases)] == expected


def test_the_list_follows_what_stands_for_its_work(engine: Engine) -> None:
    people = [person("doi:a", 1, account="x")]
    assert credited(engine, people, ["arxiv:a"], [("doi:a", "arxiv:a", 0)]) == [("arxiv:a", "x", None, 1, 1)]
    again = [("doi:a", "arxiv:a", 0), ("doi:a", "doi:a", 1)]
    assert credited(engine, people, ["arxiv:a", "doi:a"], again) == [("doi:a", "x", None, 1, 1)]


def carried(engine: Engine, units: Sequence[tuple[str, int]], people: Sequence[tuple[str, list[str]]]) -> pl.DataFrame:
    """With the same units in all three columns but for a factor; the lists name the people of works."""
    listed = [
        (work, person, f"name of {person}", position, len(persons))
        for work, persons in people
        for position, person in enumerate(persons, start=1)
    ]
    rows = [(work, number, number // 2, number // 3) for work, number in units]
    schema = {"node_id": pl.String} | dict.fromkeys(UNITS, pl.Int64)
    given = engine.put(pl.DataFrame(rows, schema=schema, orient="row"))
    frame = engine.frame(carry(given, engine.put(pl.DataFrame(listed, schema=CREDITS, orient="row"))))
    assert frame.schema == {"person_id": pl.String, "name": pl.String, "works": pl.Int64} | dict.fromkeys(
        UNITS, pl.Int64
    )
    return frame.sort("person_id")


def test_the_first_people_get_what_does_not_divide(engine: Engine) -> None:
    """100 over three: 34, 33, 33; the second work of one of them adds to that."""
    frame = carried(engine, [("w", 100), ("v", 5), ("stub", 7)], [("w", ["c", "b", "a"]), ("v", ["a", "b"])])
    assert frame.select("person_id", "name", "works", "influence_units", "inflow_units").rows() == [
        ("a", "name of a", 2, 33 + 3, 16 + 1),
        ("b", "name of b", 2, 33 + 2, 17 + 1),
        ("c", "name of c", 1, 34, 17),
        ("stub#unknown", None, 1, 7, 3),
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2**53), st.lists(st.sampled_from("abcdefghijklm"), max_size=9, unique=True)),
        max_size=8,
    )
)
def test_nothing_is_lost_and_nobody_gets_two_more_than_another(
    engine: Engine, works: list[tuple[int, list[str]]]
) -> None:
    units = [(f"w{number}", amount) for number, (amount, _) in enumerate(works)]
    people = [(f"w{number}", persons) for number, (_, persons) in enumerate(works)]
    frame = carried(engine, units, people)
    assert frame["influence_units"].sum() == sum(amount for _, amount in units)
    assert frame["inflow_units"].sum() == sum(amount // 2 for _, amount in units)
    assert frame["guarded_inflow_units"].sum() == sum(amount // 3 for _, amount in units)
    expected: dict[str, int] = {}
    for (work, amount), (_, persons) in zip(units, people, strict=True):
        for place, who in enumerate(persons or [f"{work}#unknown"]):
            count = len(persons) or 1
            expected[who] = expected.get(who, 0) + amount // count + (place < amount % count)
    assert dict(frame.select("person_id", "influence_units").rows()) == expected
