"""What holds for the parser of every source.

All recordings together fit the tables. The same bodies damaged in every way: `fuzz/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines.traces.records import Traces
from coevo_pipelines_tests.scrapes.parsing import (
    ARXIV_100,
    ARXIV_2019,
    ARXIV_URL,
    GITHUB_FORK,
    GITHUB_README,
    GITHUB_SEARCH,
    GITHUB_SEARCH_2014,
    GRACE,
    HUB_HISTORY,
    HUB_LIST,
    HUB_URL,
    OPENALEX_PAGE,
    OPENALEX_RANDOM,
    OPENALEX_URL,
    TESTING,
    WIDE,
    hub_item,
    hub_page,
    page,
    read,
    regression,
    repository,
    search_page,
    single,
)
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges, file, json_lines, recordings

# Everything, as tables


def recorded_days() -> dict[str, tuple[Exchange, ...]]:
    return {
        "arxiv": (*exchanges(ARXIV_100), answer(ARXIV_URL, file(ARXIV_2019))),
        "openalex": (*exchanges(OPENALEX_PAGE), *exchanges(OPENALEX_RANDOM)),
        "github": (
            *exchanges(GITHUB_SEARCH_2014),
            exchange(GITHUB_SEARCH, "/search/repositories"),
            exchange(GITHUB_FORK, "/repos/westphahl/github3.py"),
            *exchanges(GITHUB_README),
        ),
        "huggingface": (
            answer(HUB_URL, file(HUB_LIST)),
            hub_page(*(json.loads(one["body"]) for one in json_lines(HUB_HISTORY) if one["status"] == 200)),
        ),
    }


def conforming(*collected: Traces) -> dict[str, int]:
    tables = frames(collected, WIDE, GRACE)
    return {name: schemas.conform(schemas.table(name), frame, "test").height for name, frame in tables.items()}


def test_all_recordings_together_fit_their_tables() -> None:
    collected = [normalize(source, found, WIDE, (TESTING,), GRACE) for source, found in recorded_days().items()]
    heights = conforming(*collected)
    works = {row["work_id"] for one in collected for row in one.rows["works"]}
    assert heights["traces.works"] >= len(works) > 300
    assert heights["traces.references"] > 2600
    assert heights["traces.rejects"] >= 1


@pytest.mark.parametrize(
    ("source", "make"),
    [
        regression(
            "a lone surrogate cannot be stored: one title ends the whole day",
            "openalex",
            lambda: answer(
                OPENALEX_URL, page(single("openalex/vcr_commonmeta/test_dataset.yaml") | {"title": "\ud800"})
            ),
        ),
        regression(
            "a lone surrogate cannot be stored: one tag ends the whole day",
            "huggingface",
            lambda: hub_page(hub_item(tags=["\udcff"])),
        ),
        regression(
            "a field of another type passes the parser and breaks the table",
            "huggingface",
            lambda: hub_page(hub_item(pipeline_tag=["text"])),
        ),
        ("huggingface", lambda: hub_page(hub_item(likes=None, sha=None))),
        ("github", lambda: search_page(repository(owner=None, language=None, license=None))),
    ],
)
def test_whatever_one_item_holds_its_day_can_be_stored(source: str, make: Callable[[], Exchange]) -> None:
    heights = conforming(read(source, make()))
    assert heights["traces.works"] + heights["traces.rejects"] >= 1


def test_the_recordings_are_named_relative_to_one_folder() -> None:
    assert (recordings() / "provenance.csv").is_file()
