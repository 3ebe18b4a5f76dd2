"""Who is behind a work, and with what share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake.engine import DUCKDB, Engine
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.rewards.credits import credits
from coevo_pipelines_tests.citations.sail import sail
from coevo_pipelines_tests.rewards.worlds import DAY, Row, at, author, owned, part

__all__ = ["sail"]


@pytest.fixture(scope="module", params=[DUCKDB, "sail"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    where = request.param if request.param == DUCKDB else request.getfixturevalue("sail")
    with Engine(Lake(tmp_path_factory.mktemp("credits")).snapshot(), where) as engine:
        yield engine


@pytest.fixture(scope="module")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Lake(tmp_path_factory.mktemp("credits")).snapshot()) as engine:
        yield engine


def told(table: str, rows: Iterable[Row]) -> pl.DataFrame:
    """Rows of a table of traces with the partition; the offset of their day is `on`, 0 unless given."""
    common = {"observed_at": at(9), "raw_sha256": "ab", "on": 0}
    dated = [{**common, **row} for row in rows]
    dated = [{**row, "date": DAY + timedelta(row.pop("on"))} for row in dated]
    return pl.DataFrame(dated, schema=TABLES[table].polars_schema() | {"date": pl.Date()})


def credited(
    engine: Engine,
    works: list[str],
    contributions: Iterable[Row],
    people: Iterable[Row] = (),
    aliases: Mapping[str, str] | None = None,
) -> list[tuple[Any, ...]]:
    """(work, person, position, share) as of the third day."""
    schema = {"id": pl.String, "node_id": pl.String, "date": pl.Date}
    numbered = pl.DataFrame(
        {"node_id": works, "node": range(len(works))}, schema={"node_id": pl.String, "node": pl.Int64}
    )
    stands = [{"id": name, "node_id": node, "date": DAY} for name, node in (aliases or {}).items()]
    found = credits(
        engine.put(numbered),
        engine.put(told("traces.people", people)),
        engine.put(pl.DataFrame(stands, schema=schema)),
        engine.put(told("traces.contributions", contributions)),
        DAY + timedelta(2),
    )
    frame = engine.frame(found)
    assert dict(frame.schema) == {
        "node": pl.Int64, "person_id": pl.String, "name": pl.String, "position": pl.Int64, "share": pl.Int64,
    }  # fmt: skip
    columns = ("node_id", "person_id", "position", "share")
    return frame.join(numbered, "node").select(columns).sort("node_id", "position").rows()


def now(contributor: str, amount: int, basis: str = "share", work: str = "w", **more: Any) -> Row:
    return part(work, contributor, amount, basis, **{"on": 2} | more)


AUTHORS = [author("w", "Ada", 1, 0), author("w", "Bob", 2, 0)]
SHARES = [now("github:a", 3), now("orcid:1", 1)]
ROLES = [now("github:b", 2, "credit"), now("github:c", 1, "credit")]
COMMITS = [now("github:d", 40, "commits"), now("github:e", 2, "commits")]
LISTED = [now("github:f", 1, "author"), now("github:g", 1, "author")]
OF_SHARES = [("w", "github:a", 1, 3), ("w", "orcid:1", 2, 1)]
OF_ROLES = [("w", "github:b", 1, 2), ("w", "github:c", 2, 1)]
OF_COMMITS = [("w", "github:d", 1, 40), ("w", "github:e", 2, 2)]
OF_LISTED = [("w", "github:f", 1, 1), ("w", "github:g", 2, 1)]
OF_AUTHORS = [("w", "w#1", 1, 1), ("w", "w#2", 2, 1)]


Case = tuple[list[Row], list[tuple[Any, ...]]]
CASES: dict[str, Case] = {
    "shares before all": ([*SHARES, *ROLES, *COMMITS, *LISTED], OF_SHARES),
    "roles before commits": ([*ROLES, *COMMITS, *LISTED], OF_ROLES),
    "commits before a list": ([*COMMITS, *LISTED], OF_COMMITS),
    "a list in the repository before the source's": (LISTED, OF_LISTED),
    "the source's list": ([], OF_AUTHORS),
    "shares of nothing": ([now("github:a", 0)], OF_AUTHORS),
    "shares of nothing beside roles": ([now("github:a", 0), *ROLES], OF_ROLES),
    "programs are left out": ([*COMMITS, now("github:bot", 900, "commits", is_bot=True)], OF_COMMITS),
    "nothing but programs": ([now("github:bot", 9, "commits", is_bot=True)], OF_AUTHORS),
    "the register of the day before": ([{**row, "on": 1} for row in SHARES], OF_AUTHORS),
    "commits as seen last": ([{**row, "on": 0} for row in COMMITS], OF_COMMITS),
    "not commits as seen before": (
        [now("github:old", 7, "commits", on=0), *({**row, "on": 1} for row in COMMITS)],
        OF_COMMITS,
    ),
    "somebody with a name alone": (
        [now("github:d", 40, "commits"), now("Eve", 2, "commits"), now("w#7", 1, "commits")],
        [("w", "github:d", 1, 40), ("w", "w#Eve", 2, 2), ("w", "w#7", 3, 1)],
    ),
    "a work that is not there": ([now("github:x", 2, work="nowhere")], OF_AUTHORS),
    "equals in order of id": (
        [now("z", 5), now("b", 5), now("a", 5)],
        [("w", "w#a", 1, 5), ("w", "w#b", 2, 5), ("w", "w#z", 3, 5)],
    ),
}


@pytest.fixture(scope="module")
def found(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every case is a work of its own in one world: an engine takes as long for one as for all."""
    names = {case: f"w{number}" for number, case in enumerate(CASES)}
    said, people = [], []
    for case, (rows, _) in CASES.items():
        work = names[case]
        said += [{**row, "work_id": work if row["work_id"] == "w" else row["work_id"]} for row in rows]
        people += [{**row, "work_id": work} for row in AUTHORS]
    found = credited(engine, [*names.values()], said, people)
    return {
        case: [("w", person.replace(f"{work}#", "w#"), *rest) for node, person, *rest in found if node == work]
        for case, work in names.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_best_counts(found: dict[str, list[tuple[Any, ...]]], case: str) -> None:
    assert found[case] == CASES[case][1]


def test_each_work_by_itself_and_an_owner_where_nobody_is_named(engine: Engine) -> None:
    found = credited(engine, ["github:o/1", "v", "w"], [*COMMITS, now("github:z", 1, work="gone")], owned("o"))
    assert found == [("github:o/1", "github:o", 1, 1), *OF_COMMITS]


def test_what_is_said_of_an_alias_is_said_of_the_work(duckdb: Engine) -> None:
    """Its own identifier's statement goes first, on the same day."""
    aliases = {"old": "w"}
    said = [{**row, "work_id": "old"} for row in COMMITS]
    assert credited(duckdb, ["w"], said, AUTHORS, aliases) == OF_COMMITS
    both = [*said, now("github:own", 5, "commits")]
    assert credited(duckdb, ["w"], both, AUTHORS, aliases) == [("w", "github:own", 1, 5)]
    later = [*said, now("github:own", 5, "commits", on=1)]
    assert credited(duckdb, ["w"], later, AUTHORS, aliases) == OF_COMMITS


_ROWS = st.lists(
    st.builds(
        now,
        st.sampled_from(["github:a", "github:b", "Eve", "w#1"]),
        st.integers(0, 2**40),
        st.sampled_from(["share", "credit", "commits", "author"]),
        st.sampled_from(["v", "w", "old", "gone"]),
        on=st.integers(0, 2),
        is_bot=st.booleans(),
    ),
    max_size=10,
    unique_by=lambda row: (row["work_id"], row["contributor"], row["basis"], row["on"]),
)


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(_ROWS, st.randoms())
def test_every_work_has_one_basis_and_positions_from_one(duckdb: Engine, said: list[Row], order: Any) -> None:
    """Whoever is known has a share of at least one, nobody is there twice, and order does not matter."""
    people = [*AUTHORS, author("v", "Cy", 1, 0)]
    found = credited(duckdb, ["v", "w", "x"], said, people, {"old": "w"})
    for work in ("v", "w"):
        own = [row for row in found if row[0] == work]
        assert [row[2] for row in own] == [*range(1, len(own) + 1)], "and there is somebody"
        assert own
        assert len({row[1] for row in own}) == len(own)
        assert min(row[3] for row in own) >= 1
    assert {row[0] for row in found} <= {"v", "w"}
    order.shuffle(said)
    assert credited(duckdb, ["v", "w", "x"], said, people, {"old": "w"}) == found
