"""The facts: enough of them, well-formed, marked where composed, and free of other people's prose."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from importlib import resources
from typing import Any

import pytest

from coevo_pipelines.sample.world import World, facts, openalex_id
from coevo_pipelines.traces import identifiers
from coevo_pipelines_tests.runs import DAYS

PAPERS: list[dict[str, Any]] = facts("papers")
REPOSITORIES: list[dict[str, Any]] = facts("repositories")
HUB: dict[str, list[dict[str, Any]]] = facts("hub")


def test_at_least_150_real_works_with_real_references() -> None:
    real = [r for r in REPOSITORIES if "*" not in r["composed"]]
    assert len(PAPERS) + len(real) > 500
    assert sum(len(paper["references"]) for paper in PAPERS) > 200


def test_each_of_the_three_days_has_papers_and_one_source_has_an_empty_day() -> None:
    by_day = Counter(paper["published"] for paper in PAPERS)
    assert all(by_day[day.isoformat()] for day in DAYS)
    hub_days = {item["created"][:10] for items in HUB.values() for item in items}
    assert "2019-03-25" in hub_days
    assert "2019-03-26" not in hub_days
    assert "2019-03-27" in hub_days


def test_one_work_changes_between_the_days() -> None:
    states = {r["full_name"]: r for day in DAYS for r in World(day).repositories() if r["full_name"] == "NiaOrg/NiaPy"}
    seen = [next(r for r in World(day).repositories() if r["full_name"] in states) for day in DAYS]
    assert len({state["stars"] for state in seen}) > 1
    assert len(seen[2]["topics"]) > len(seen[1]["topics"])


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper["key"])
def test_a_paper_is_well_formed(paper: dict[str, Any]) -> None:
    assert paper["title"].strip() == paper["title"] != ""
    assert paper["authors"]
    assert all(name.strip() for name in paper["authors"])
    assert date.fromisoformat(paper["published"]) <= DAYS[-1]
    if paper["arxiv_id"]:
        assert identifiers.arxiv(paper["arxiv_id"])[0] == f"arxiv:{paper['arxiv_id']}"
    if paper["doi"]:
        assert identifiers.doi(paper["doi"]) == f"doi:{paper['doi']}"


def test_references_stay_inside_the_file() -> None:
    dois = {paper["doi"] for paper in PAPERS if paper["doi"]}
    assert all(cited in dois for paper in PAPERS for cited in paper["references"])


def test_what_is_composed_says_so() -> None:
    assert all({"stars", "forks", "topics"} <= set(r["composed"]) or "*" in r["composed"] for r in REPOSITORIES)
    items = [item for items in HUB.values() for item in items]
    assert all(item["composed"] and item["id"].startswith("coevo-sample/") for item in items)
    composed_forks = [r for r in REPOSITORIES if r["fork_of"]]
    assert all(r["owner"] == "coevo-sample" for r in composed_forks)


def test_composed_openalex_ids_are_unique_and_unlike_real_ones() -> None:
    ids = [openalex_id(paper["key"]) for paper in PAPERS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"W99\d{13}", found) for found in ids)


def test_no_prose_of_others() -> None:
    """No field is long enough to be an abstract, and none is named like one."""
    for name in ("papers", "repositories", "hub"):
        text = resources.files("coevo_pipelines.sample").joinpath("facts", f"{name}.json").read_text("utf-8")
        assert not re.search(r'"(abstract|description|summary|readme)"', text)
        assert max(len(value) for value in re.findall(r'"((?:[^"\\]|\\.)*)"', text)) < 330


def test_the_world_shows_nothing_of_later_days() -> None:
    for day in DAYS:
        world = World(day)
        assert all(date.fromisoformat(paper["published"]) <= day for paper in world.papers(on_arxiv=False))
        for kind in ("models", "datasets", "spaces"):
            assert all(datetime.fromisoformat(item["created"]).date() <= day for item in world.hub(kind))
        assert all(datetime.fromisoformat(r["pushed"]).date() <= day for r in world.repositories())
