"""What holds for the parser of every source.

All recordings together fit the tables; and the same bodies damaged in every way: a parser ends in rows or rejects,
never in an exception.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    GITHUB_URL,
    GRACE,
    HUB_HISTORY,
    HUB_LIST,
    HUB_URL,
    OPENALEX_PAGE,
    OPENALEX_RANDOM,
    OPENALEX_URL,
    TESTING,
    WIDE,
    counts,
    hub_item,
    hub_page,
    page,
    quick,
    read,
    recorded_model,
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


# Damage

URLS = {
    "arxiv": (ARXIV_URL,),
    "openalex": (OPENALEX_URL,),
    "github": (
        GITHUB_URL,
        "https://api.github.com/repos/o/n",
        "https://api.github.com/repos/o/n/readme",
        "https://api.github.com/repos/o/n/contents/requirements.txt",
    ),
    "huggingface": (HUB_URL, "https://huggingface.co/o/n/raw/main/README.md"),
}
SOURCES = sorted(URLS)


def real_body(source: str) -> bytes:
    """A recorded body, cut to a few items so that damage often lands where it matters."""
    if source == "arxiv":
        return file(ARXIV_2019)
    if source == "openalex":
        return page(*json.loads(exchanges(OPENALEX_RANDOM)[1].body)["results"][:2]).encode()
    if source == "github":
        return search_page(repository(), json.loads(exchange(GITHUB_FORK, "/repos/westphahl/github3.py").body)).body
    return file(HUB_LIST)


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("source", SOURCES)
@quick
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode), data=st.data())
def test_arbitrary_bytes_become_a_reject(source: str, body: bytes, data: st.DataObject) -> None:
    url = data.draw(st.sampled_from(URLS[source]))
    traces = read(source, answer(url, body))
    assert set(counts(traces)) <= {"rejects"}
    silent = "/contents/" in url or url.endswith("README.md")
    assert traces.rows["rejects"] or silent or is_json(body)


@pytest.mark.parametrize("source", SOURCES)
@quick
@given(data=st.data())
def test_a_damaged_real_body_ends_in_rows_or_rejects(source: str, data: st.DataObject) -> None:
    body = real_body(source)
    at = data.draw(st.integers(0, len(body) - 1))
    length = data.draw(st.integers(1, 64))
    cut = body[at : at + length]
    how = data.draw(st.sampled_from(["removed", "doubled", "flipped", "ended"]))
    damaged = {
        "removed": body[:at] + body[at + length :],
        "doubled": body[:at] + cut + body[at:],
        "flipped": body[:at] + bytes([body[at] ^ (1 << length % 8)]) + body[at + 1 :],
        "ended": body[:at],
    }[how]
    traces = read(source, answer(URLS[source][0], damaged))
    silent = source == "github" and b'"items"' not in damaged  # see test_github_search_page_that_is_none_is_a_reject
    assert traces.rows["works"] or traces.rows["rejects"] or traces.outside_window or silent


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["a/b", "W1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ITEMS: dict[str, Callable[[], dict[str, Any]]] = {
    "github": lambda: json.loads(exchange(GITHUB_FORK, "/repos/westphahl/github3.py").body),
    "huggingface": lambda: recorded_model("meta-llama/Llama-3.1-8B-Instruct"),
    "openalex": lambda: json.loads(exchanges(OPENALEX_RANDOM)[1].body)["results"][4],
}
READ_FIELDS = {
    "github": (
        "full_name created_at pushed_at owner topics license archived id language description "
        "stargazers_count forks_count parent"
    ),
    "huggingface": "id modelId createdAt tags sha gated _id pipeline_tag likes downloads cardData",
    "openalex": (
        "id publication_date title topics keywords primary_location type is_retracted cited_by_count doi "
        "authorships referenced_works"
    ),
}
WRAP: dict[str, Callable[..., Exchange]] = {
    "github": search_page,
    "huggingface": hub_page,
    "openalex": lambda *items: answer(OPENALEX_URL, page(*items)),
}


def replace_inside(value: Any, path: list[int], replacement: Any) -> Any:
    """A copy of `value` with one leaf, reached by taking turns `path`, replaced."""
    if not path or not isinstance(value, (dict, list)) or not value:
        return replacement
    keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    changed = copy.copy(value)
    changed[key] = replace_inside(value[key], path[1:], replacement)
    return changed


@pytest.mark.parametrize("source", sorted(ITEMS))
@settings(quick, max_examples=200)
@given(data=st.data())
def test_an_item_with_any_value_anywhere_is_one_row_or_one_reject(source: str, data: st.DataObject) -> None:
    item = ITEMS[source]()
    field = data.draw(st.sampled_from(READ_FIELDS[source].split()))
    path = data.draw(st.lists(st.integers(0, 3), max_size=3))
    item[field] = replace_inside(item.get(field), path, data.draw(anything))
    traces = read(source, WRAP[source](item))
    if traces.rows["works"]:
        assert len(traces.rows["works"]) == 1 and traces.outside_window == 0
        return
    assert traces.outside_window + len(traces.rows["rejects"]) == 1
    assert set(counts(traces)) <= {"rejects"}


def test_the_recordings_are_named_relative_to_one_folder() -> None:
    assert (recordings() / "provenance.csv").is_file()
