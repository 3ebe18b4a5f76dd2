"""Lakes that a few facts made, through all stages up to the money; and the facts of the register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from coevo_pipelines.citations.assets import TABLES as CITATIONS
from coevo_pipelines.citations.assets import compute as citations_of
from coevo_pipelines.influence.assets import TABLES as INFLUENCE
from coevo_pipelines.influence.assets import compute as influence_of
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import Result, compute_and_commit, stale_days
from coevo_pipelines.rewards.assets import TABLES as REWARDS
from coevo_pipelines.rewards.assets import compute as rewards_of
from coevo_pipelines.rewards.checks import wrong
from coevo_pipelines.settings import Influence, Round, Settings, load_settings
from coevo_pipelines_tests.citations.test_graph import DAY, Row, at, author, frame, reference, work

TRACES = tuple(
    f"traces.{name}"
    for name in ("works", "references", "people", "identities", "claims", "optouts", "contributions", "metrics")
)
Facts = Mapping[str, list[Row]]


def rules(**more: Any) -> Round:
    """A round of 1,000 a day, all of it by merit, and merit by influence alone, unless said otherwise."""
    given: dict[str, Any] = {"name": "r", "start": DAY, "pool": 1000, "period": "day", "floor": 0, "integration": 0}
    decimals = {"floor", "integration", "keep", "cap", "owner_cap", "owner_minimum"}
    for name, value in (given | more).items():
        given[name] = Decimal(str(value)) if name in decimals and value is not None else value
    return Round(**given)


def settings_of(*rounds: Round, **influence: Any) -> Settings:
    """The sample's settings with these rounds; readers start anywhere alike, unless said otherwise."""
    return load_settings().model_copy(
        update={"rounds": rounds or (rules(),), "influence": Influence(**{"uniform": True} | influence)}
    )


def claim(person: str, *subjects: str, proof: str | None = "https://proof", name: str | None = None) -> list[Row]:
    """`person` says to be each of the subjects."""
    row = {"person_id": f"person:{person}", "name": name, "proof": proof, "event_at": at(0), "source": "register"}
    return [row | {"subject": subject} for subject in subjects]


def optout(scope: str, subject: str) -> Row:
    return {"scope": scope, "subject": subject, "event_at": at(0), "source": "register"}


def part(work_id: str, contributor: str, amount: int, basis: str = "share", **more: Any) -> Row:
    row = {"work_id": work_id, "contributor": contributor, "basis": basis, "amount": amount, "event_at": at(0)}
    source = "github" if basis in ("commits", "author") else "register"
    return row | {"source": source, "is_bot": False, "evidence": "here"} | more


def repository(owner: str, name: str = "1", day: int = 0, **more: Any) -> list[Row]:
    """For `works`: a repository of an account. See `owned` for whose it is."""
    told: dict[str, Any] = {"kind": "repository", "source": "github", "owner": f"github:{owner}"}
    return [work(f"github:{owner}/{name}", day, **told | more)]


def owned(owner: str, *names: str) -> list[Row]:
    """For `people`: the account behind the repositories."""
    row = {"source": "github", "role": "owner", "position": 1, "name": owner, "account": f"github:{owner}"}
    return [row | {"work_id": f"github:{owner}/{name}", "event_at": at(0)} for name in names or ("1",)]


def merged(*facts: Facts) -> dict[str, list[Row]]:
    """All of it on one day."""
    names = sorted({name for each in facts for name in each})
    return {name: [row for each in facts for row in each.get(name, [])] for name in names}


LINKS = [
    ("M", "B", "derives_from"), ("M", "D", "trained_on"), ("M", "P", "cites"), ("M", "L", "depends_on"),
    ("B", "P", "cites"), ("L", "P", "cites"),
]  # fmt: skip


def honest(claimed: str = "BDPLM", *more: Row) -> dict[str, list[Row]]:
    """The world of the known answers: inflow P 39, B 6, D 4, L 4, M 0 of 53. Each of five people has one work;
    person:p wrote P, and so on, as far as they are `claimed`."""
    return {
        "works": [work(f"arxiv:{name}", 0, created=-1) for name in "MBDPL"],
        "references": [reference(f"arxiv:{a}", f"arxiv:{b}", 0, relation) for a, b, relation in LINKS],
        "people": [author(f"arxiv:{name}", f"Author of {name}", 1, 0) for name in "MBDPL"],
        "claims": [row for name in claimed for row in claim(name.lower(), f"arxiv:{name}#1")] + list(more),
    }


def tell(lake: Lake, offset: int, facts: Facts, *, late: int = 0, tables: Sequence[str] = TRACES) -> None:
    """Commit a day's facts as seen on it, or `late` days later."""
    for table in tables:
        rows = facts.get(table.partition(".")[2], [])
        seen = at(offset + late, 23)
        lake.write(table, DAY + timedelta(offset), frame(table, rows), observed_until=seen)


def link_up(lake: Lake, offset: int, settings: Settings) -> None:
    """The graph and the scores of a day."""
    day = DAY + timedelta(offset)
    compute_and_commit(lake, CITATIONS, day, citations_of)
    compute_and_commit(lake, INFLUENCE, day, partial(influence_of, settings))


def same_graph(lake: Lake, offset: int) -> None:
    """A day on which nothing happened to the graph: the scores of the day before, much faster than to compute them."""
    day = DAY + timedelta(offset)
    for name in CITATIONS:
        lake.write(name, day, TABLES[name].empty(), observed_until=at(offset))
    scores = lake.scan("influence.scores", on=day - timedelta(1)).drop("date").collect()
    lake.write("influence.scores", day, scores, observed_until=at(offset))


def pay(lake: Lake, offset: int, settings: Settings) -> Mapping[str, Result]:
    """The tables of the money of a day; they add up."""
    results, _ = compute_and_commit(lake, REWARDS, DAY + timedelta(offset), partial(rewards_of, settings))
    assert wrong({name: result.frame for name, result in results.items()}) == []
    return results


def renew(lake: Lake, settings: Settings) -> list[int]:
    """What a run does at its end: days out of date again, in order, until none is. Their offsets."""
    stages = ((CITATIONS, citations_of), (INFLUENCE, partial(influence_of, settings)))
    for tables, compute in (*stages, (REWARDS, partial(rewards_of, settings))):
        renewed = []
        while stale := stale_days(lake, tables):
            compute_and_commit(lake, tables, min(stale), compute)
            renewed.append((min(stale) - DAY).days)
    return renewed


def lake_of(
    root: Path, days: Mapping[int, Facts], settings: Settings, *, late: Mapping[int, int] | None = None
) -> Lake:
    """A lake with the facts of these days, through all stages, in order of date."""
    lake = Lake(root)
    for offset in sorted(days):
        add(lake, offset, days[offset], settings, late=(late or {}).get(offset, 0))
    return lake


def add(lake: Lake, offset: int, facts: Facts, settings: Settings, *, late: int = 0) -> None:
    """One more day."""
    tell(lake, offset, facts, late=late)
    before = lake.committed("influence.scores", DAY + timedelta(offset - 1))
    if before is None or any(facts.get(name) for name in ("works", "references", "people", "identities")):
        link_up(lake, offset, settings)
    else:
        same_graph(lake, offset)
    pay(lake, offset, settings)


def table(lake: Lake, name: str, offset: int) -> pl.DataFrame:
    return lake.scan(f"rewards.{name}", on=DAY + timedelta(offset)).drop("date").collect()


def rows(lake: Lake, name: str, offset: int, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of `rewards.<name>`, amounts as whole numbers."""
    found = table(lake, name, offset).select(columns).rows()
    return [tuple(int(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in found]


def amounts(lake: Lake, offset: int = 0, column: str = "amount", round: str = "r") -> dict[str, int]:
    """What everybody gets in a round who gets something, by person without the prefix."""
    found = rows(lake, "allocations", offset, "round", "person_id", column)
    return {person.removeprefix("person:"): amount for name, person, amount in found if amount and name == round}


def paid(lake: Lake, offset: int = 0, round: str = "r") -> dict[str, int]:
    """What is paid in a round, releases left out."""
    return (
        amounts(lake, offset, "receipt", round)
        if (round, True) in rows(lake, "rounds", offset, "round", "is_paid")
        else {}
    )


def digests(lake: Lake, offsets: Iterable[int], tables: Sequence[str] = REWARDS) -> dict[tuple[str, int], str]:
    """sha256 of the files."""
    found = {(name, offset): lake.committed(name, DAY + timedelta(offset)) for name in tables for offset in offsets}
    return {key: commit.sha256 for key, commit in found.items() if commit}


__all__ = ["DAY", "Row", "at", "author", "frame", "reference", "work"]
