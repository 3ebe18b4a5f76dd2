"""The sample as Crossref and Semantic Scholar: their forms of answers and errors, and nothing that is no fact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from coevo_pipelines.sample.indexes import CROSSREF_ROWS, s2_id
from coevo_pipelines.sample.server import serve
from coevo_pipelines.sample.world import World, facts
from coevo_pipelines_tests.runs import DAYS

BUSY = DAYS[2]


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with serve(BUSY) as url:
        yield url


def get(url: str, **parameters: str) -> requests.Response:
    return requests.get(url, params=parameters, timeout=10)


def test_crossref_pages_hold_every_work_with_a_doi_once(root: str) -> None:
    cursor, seen = "*", list[str]()
    while True:
        message = get(f"{root}/crossref/works", cursor=cursor, rows="1000").json()["message"]
        if not message["items"]:
            break
        assert len(message["items"]) <= CROSSREF_ROWS
        seen += [item["DOI"] for item in message["items"]]
        cursor = message["next-cursor"]
    expected = [paper["doi"] for paper in World(BUSY).papers(on_arxiv=False) if paper["doi"]]
    assert sorted(seen) == sorted(set(expected)) and message["total-results"] == len(seen) > 300


def test_crossref_record_is_the_fact() -> None:
    fact = next(paper for paper in facts("papers") if paper["doi"] == "10.1006/jcph.1993.1010")
    with serve(BUSY) as root:
        record = get(f"{root}/crossref/works/10.1006%2FJCPH.1993.1010").json()["message"]
    assert (
        record["title"]
        == [fact["title"]]
        == ["New Optimization Heuristics: The Great Deluge and Record to Record Travel"]
    )
    assert [author["name"] for author in record["author"]] == ["Gunter Dueck"]
    assert record["issued"] == {"date-parts": [[1993, 1]]}  # the month is all that is known
    assert record["reference"] == [] and "abstract" not in record and "license" not in record


@pytest.mark.parametrize(
    ("path", "parameters", "status", "said"),
    [
        ("works/10.9999%2Fnone", {}, 404, "Resource not found."),
        ("works", {"rows": "2000"}, 400, "integer-not-valid"),
        ("works", {"filter": "from-pub-date:2019-01-01"}, 400, "filter-not-available"),
        ("works", {"cursor": "thing"}, 400, "cursor-not-valid"),
    ],
)
def test_crossref_errors(path: str, parameters: dict[str, str], status: int, said: str, root: str) -> None:
    answer = get(f"{root}/crossref/{path}", **parameters)
    assert answer.status_code == status and said in answer.text
    assert answer.headers["content-type"].startswith("text/plain" if status == 404 else "application/json")


def test_semantic_scholar_names_are_composed_and_look_it(root: str) -> None:
    page = get(f"{root}/semanticscholar/paper/search/bulk", query='"ant colony"', fields="title").json()
    assert all(re.fullmatch(r"0{10}[0-9a-f]{30}", paper["paperId"]) for paper in page["data"])
    assert set(page["data"][0]) == {"paperId", "title"}


def test_semantic_scholar_knows_no_day_where_the_facts_do_not(root: str) -> None:
    page = get(
        f"{root}/semanticscholar/paper/search/bulk",
        query='"ant colony"', publicationDateOrYear="1995-01-01:1995-01-01", fields="publicationDate,year",
    ).json()  # fmt: skip
    assert page["data"] == [
        {"paperId": s2_id("10.1287/ijoc.7.4.417"), "publicationDate": None, "year": 1995}
    ]  # of November; filed under January 1st
    assert page["total"] == 1 and page["token"] is None


def test_semantic_scholar_empty_search_omits_data(root: str) -> None:
    page = get(f"{root}/semanticscholar/paper/search/bulk", query='"no such thing"', fields="title").json()
    assert page == {"total": 0, "token": None}


def test_semantic_scholar_batch_is_in_the_order_of_the_ids_with_null_for_unknown_ones(root: str) -> None:
    ids = [s2_id("1307.4186"), "f" * 40]
    answer = post(root, {"ids": ids}, "title,references.title")
    assert [one and one["paperId"] for one in answer.json()] == [ids[0], None]


@pytest.mark.parametrize(
    "sent", [{"ids": []}, {"ids": ["0" * 40] * 501}, {}, [], "x"], ids=["none", "many", "object", "list", "text"]
)
def test_semantic_scholar_refuses_what_is_no_list_of_ids(sent: Any, root: str) -> None:
    answer = post(root, sent, "title")
    assert answer.status_code == 400 and "ids" in answer.json()["error"]


def test_semantic_scholar_refuses_unknown_fields_and_paths(root: str) -> None:
    answer = get(f"{root}/semanticscholar/paper/search/bulk", query='"ant colony"', fields="title,colour")
    assert (answer.status_code, answer.json()) == (400, {"error": "Unrecognized or unsupported fields: [colour]"})
    assert get(f"{root}/semanticscholar/paper/batch").status_code == 404
    assert get(f"{root}/semanticscholar/paper/search/bulk", token="zz").status_code == 400


def post(root: str, sent: Any, fields: str) -> requests.Response:
    address = f"{root}/semanticscholar/paper/batch"
    return requests.post(address, params={"fields": fields}, data=json.dumps(sent), timeout=10)
