"""The sample's server speaks as the services do: formats, paging, empty answers, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from coevo_pipelines.sample.server import serve

ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with serve(date(2019, 3, 27)) as url:
        yield url


def get(url: str, **params: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, params=params, timeout=10)


def test_arxiv_pages_one_after_another_equal_one_large_page(root: str) -> None:
    query = {"search_query": '(all:"particle swarm")', "sortOrder": "ascending"}
    large = ElementTree.fromstring(get(f"{root}/arxiv/api/query", **query, start=0, max_results=30).content)
    pages = [
        ElementTree.fromstring(get(f"{root}/arxiv/api/query", **query, start=start, max_results=10).content)
        for start in (0, 10, 20)
    ]
    ids = [entry.findtext(f"{ATOM}id") for entry in large.findall(f"{ATOM}entry")]
    assert ids == [entry.findtext(f"{ATOM}id") for page in pages for entry in page.findall(f"{ATOM}entry")]
    assert len(set(ids)) == 30
    assert int(large.findtext(f"{OPENSEARCH}totalResults") or 0) > 200


def test_arxiv_answers_errors_as_a_feed_with_one_entry(root: str) -> None:
    answer = get(f"{root}/arxiv/api/query", search_query="all:x", max_results=99_999)
    feed = ElementTree.fromstring(answer.content)
    (entry,) = feed.findall(f"{ATOM}entry")
    assert answer.status_code == 400
    assert "/api/errors#" in (entry.findtext(f"{ATOM}id") or "")


def test_arxiv_finds_nothing_for_another_topic(root: str) -> None:
    feed = ElementTree.fromstring(get(f"{root}/arxiv/api/query", search_query='all:"quantum gravity"').content)
    assert feed.findall(f"{ATOM}entry") == []


def test_openalex_cursors_end_with_an_empty_page(root: str) -> None:
    cursor, seen = "*", []
    while cursor:
        found = get(
            f"{root}/openalex/works", filter='title_and_abstract.search:"ant colony"', per_page=100, cursor=cursor
        ).json()
        seen += [work["id"] for work in found["results"]]
        cursor = found["meta"]["next_cursor"]
        assert found["results"] or cursor is None
    assert len(seen) == len(set(seen)) == found["meta"]["count"]


@pytest.mark.parametrize(("params", "status"), [({"per_page": 201}, 400), ({"filter": "nonsense:1"}, 400)])
def test_openalex_refuses_what_it_does_not_know(root: str, params: dict[str, Any], status: int) -> None:
    answer = get(f"{root}/openalex/works", **params)
    assert answer.status_code == status
    assert answer.json()["error"] == "Invalid query parameters error."


def test_github_links_its_pages(root: str) -> None:
    answer = get(f"{root}/github/search/repositories", q="topic:swarm-intelligence", per_page=10)
    names = [item["full_name"] for item in answer.json()["items"]]
    while "next" in answer.links:
        answer = get(answer.links["next"]["url"])
        names += [item["full_name"] for item in answer.json()["items"]]
    assert len(names) == len(set(names)) == answer.json()["total_count"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("repos/nobody/nothing", 404), ("repos/NiaOrg/NiaPy/contents/none.txt", 404), ("search/repositories", 422)],
)
def test_github_errors(root: str, path: str, status: int) -> None:
    answer = get(f"{root}/github/{path}")
    assert answer.status_code == status
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("user:rhgrant10", ["rhgrant10/acopy", "rhgrant10/Pants"]),
        ("user:RHGRANT10 topic:traveling-salesman", ["rhgrant10/acopy"]),
        ("user:rhgrant10 created:2014-01-01T00:00:00Z..2014-12-31T23:59:59Z", ["rhgrant10/Pants"]),
        ("user:coevo-sample", []),
        ("user:coevo-sample fork:true is:public", ["coevo-sample/NiaPy"]),
    ],
)
def test_github_searches_an_account_whatever_its_case_and_forks_when_asked(
    root: str, query: str, names: list[str]
) -> None:
    found = get(f"{root}/github/search/repositories", q=query).json()
    assert [item["full_name"] for item in found["items"]] == names
    assert found["total_count"] == len(names)


def test_github_does_not_search_an_account_that_nobody_has(root: str) -> None:
    answer = get(f"{root}/github/search/repositories", q="user:nobody topic:swarm-intelligence")
    assert answer.status_code == 422
    assert answer.json()["message"] == "Validation Failed"
    (error,) = answer.json()["errors"]
    assert (error["resource"], error["field"], error["code"]) == ("Search", "q", "invalid")


def test_the_fork_names_its_parent(root: str) -> None:
    assert get(f"{root}/github/repos/coevo-sample/NiaPy").json()["parent"]["full_name"] == "NiaOrg/NiaPy"


def test_the_hub_lists_newest_first_with_a_cursor(root: str) -> None:
    answer = get(f"{root}/huggingface/api/models", filter="swarm-intelligence", sort="createdAt")
    items = answer.json()
    while "next" in answer.links:
        answer = get(answer.links["next"]["url"])
        items += answer.json()
    created = [item["createdAt"] for item in items]
    assert created == sorted(created, reverse=True)
    assert len(items) == 7


def test_unknown_services_and_paths(root: str) -> None:
    assert get(f"{root}/nothing").status_code == 404
    assert get(f"{root}/huggingface/api/nothing").status_code == 404
    assert json.loads(get(f"{root}/openalex/authors").text)["error"] == "Not found"
