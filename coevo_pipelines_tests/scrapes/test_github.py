"""GitHub's answers as the service really gave them; expected values were read off the recordings."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.traces.records import Traces
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.scrapes.parsing import (
    GITHUB_FORK,
    GITHUB_README,
    GITHUB_SEARCH,
    GITHUB_SEARCH_2014,
    GITHUB_URL,
    by_id,
    counts,
    day,
    metrics,
    part,
    read,
    reasons,
    references,
    regression,
    repository,
    search_page,
)
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges


def test_github_search() -> None:
    traces = read("github", exchange(GITHUB_SEARCH, "/search/repositories"))
    assert counts(traces) == {"works": 8, "metrics": 16, "people": 8}
    expected = {
        "source": "github",
        "kind": "repository",
        "event": "created",
        "event_at": datetime(2012, 3, 13, 19, 58, 53, tzinfo=UTC),
        "created_at": datetime(2012, 3, 13, 19, 58, 53, tzinfo=UTC),
        "title": "sigmavirus24/github3.py",
        "version": "2017-02-05T15:00:49Z",
        "status": "active",
        "license": None,
        "owner": "github:sigmavirus24",
        "native_id": "3710711",
        "url": "https://github.com/sigmavirus24/github3.py",
        "fields": ["Python"],
        "tags": [],
        "topics": [],
    }
    assert part(by_id(traces)["github:sigmavirus24/github3.py"], expected) == expected
    assert metrics(traces, "github:sigmavirus24/github3.py") == {"stars": 637, "forks": 223}
    assert by_id(traces)["github:thedjpetersen/py-github3"]["title"] == "thedjpetersen/Py-Github3"
    owners = [row["account"] for row in traces.rows["people"] if row["work_id"] == "github:devjones/py_github3"]
    assert owners == ["github:devjones"]


def test_github_search_with_text_matches_names_the_same_repositories() -> None:
    plain = read("github", exchange(GITHUB_SEARCH, "/search/repositories"))
    marked = read("github", exchange("github/betamax_github3py/GitHub_search_repositories_text_match.json", "ories"))
    assert list(by_id(marked)) == list(by_id(plain))
    assert metrics(marked, "github:kennethreitz-archive/python-github3") == {"stars": 92, "forks": 103}


def test_github_search_of_2014() -> None:
    traces = read("github", *exchanges(GITHUB_SEARCH_2014))
    assert counts(traces) == {"works": 60, "metrics": 120, "people": 60}
    works = by_id(traces)
    assert list(works)[:2] == ["github:kennethreitz/legit", "github:ruudburger/couchpotatov1"]
    assert list(works)[-1] == "github:robertkrimen/gist-it"
    assert works["github:aaasen/github_globe"]["fields"] == ["JavaScript"]
    assert works["github:kennethreitz/legit"]["native_id"] == "1951148"
    assert metrics(traces, "github:kennethreitz/legit") == {"stars": 3036, "forks": 118}


@pytest.mark.parametrize(
    ("window", "stored", "outside"),
    [
        (day(2011, 6, 25), {"github:kennethreitz/legit": "created"}, 59),
        (
            day(2014, 1, 27),
            {"github:kennethreitz/legit": "updated"},
            59,
        ),
        (day(2009, 12, 7), {"github:bububa/mongohub": "created"}, 59),
        (day(2008, 1, 1), {}, 60),
    ],
)
def test_github_event_is_the_one_of_the_day(window: Window, stored: dict[str, str], outside: int) -> None:
    traces = read("github", *exchanges(GITHUB_SEARCH_2014), window=window)
    assert {work: row["event"] for work, row in by_id(traces).items()} == stored
    assert traces.outside_window == outside
    assert {row["work_id"] for row in (*traces.rows["people"], *traces.rows["metrics"])} == set(stored)


def test_github_search_without_results() -> None:
    traces = read("github", exchange("github/replay_pygithub/Search.testSearchReposWithNoResults.txt", "repositories"))
    assert (counts(traces), traces.outside_window) == ({}, 0)


@pytest.mark.parametrize(
    ("name", "path", "work_id", "license_", "tags", "values"),
    [
        (
            "github/betamax_github3py/Branch_latest_sha.json",
            "/repos/PyCQA/flake8",
            "github:pycqa/flake8",
            None,
            [],
            {"stars": 277, "forks": 47},
        ),
        (
            "github/replay_pygithub/Issue174.setUp.txt",
            "/repos/twbs/bootstrap",
            "github:twbs/bootstrap",
            "MIT",
            ["bootstrap", "css", "css-framework", "html", "javascript", "sass", "scss"],
            {"stars": 171281, "forks": 78987},
        ),
        (
            "github/replay_pygithub/Issue945.setUp.txt",
            "/repos/openframeworks/openFrameworks",
            "github:openframeworks/openframeworks",
            None,
            [],
            {"stars": 6453, "forks": 2143},
        ),
        (
            "github/replay_pygithub/BadAttributes.testBadAttributeInClassAttribute.txt",
            "/repos/klmitch/turnstile",
            "github:klmitch/turnstile",
            None,
            [],
            {"forks": 6},
        ),
        (
            "github/replay_pygithub/Repository.testGetTeams.txt",
            "/repos/BeaverSoftware/FatherBeaver",
            "github:beaversoftware/fatherbeaver",
            None,
            [],
            {},
        ),
    ],
)
def test_github_repository_page(
    name: str, path: str, work_id: str, license_: str | None, tags: list[str], values: dict[str, int]
) -> None:
    traces = read("github", exchange(name, path))
    row = by_id(traces)[work_id]
    assert (row["license"], row["tags"], row["status"]) == (license_, tags, "active")
    assert metrics(traces, work_id) == values
    assert traces.rows["rejects"] == []


def test_github_never_pushed_repository_has_no_version() -> None:
    traces = read("github", exchange("github/replay_pygithub/Repository.testGetTeams.txt", "/FatherBeaver"))
    assert [row["version"] for row in traces.rows["works"]] == [None]


def test_github_topics_of_a_repository_are_matched() -> None:
    name = "github/betamax_github3py/Repository_compare_commits_consistency.json"
    traces = read("github", exchange(name, "/repos/sigmavirus24/github3.py"))
    assert [(row["topics"], row["license"]) for row in traces.rows["works"]] == [(["testing"], "BSD-3-Clause")]


@pytest.mark.parametrize(
    ("name", "path", "fork", "parent"),
    [
        (GITHUB_FORK, "/repos/westphahl/github3.py", "github:westphahl/github3.py", "github:sigmavirus24/github3.py"),
        (
            "github/replay_pygithub/Commit.testGetPulls.txt",
            "/repos/mawkee/PyGithub",
            "github:mawkee/pygithub",
            "github:pygithub/pygithub",
        ),
        (
            "github/replay_pygithub/ConditionalRequestUpdate.setUp.txt",
            "/repos/akfish/PyGithub",
            "github:akfish/pygithub",
            "github:jacquev6/pygithub",
        ),
    ],
)
def test_github_fork_derives_from_its_parent(name: str, path: str, fork: str, parent: str) -> None:
    traces = read("github", exchange(name, path))
    assert references(traces, fork) == [(parent, "derives_from", "repository: fork parent")]
    assert [row["event_at"] for row in traces.rows["references"]] == [by_id(traces)[fork]["created_at"]]


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("github/betamax_github3py/Repository_assignees.json", "/repos/kennethreitz/requests", 301),
        ("github/replay_pygithub/ConditionalRequestUpdate.testDidNotUpdate.txt", "/repos/akfish/PyGithub", 304),
        ("github/replay_pygithub/Exceptions.testUnknownObject.txt", "/repos/jacquev6/Xxx", 404),
        ("github/replay_pygithub/Retry.testRaisesRetryErrorAfterMaxRetries.txt", "/repos/PyGithub/PyGithub", 502),
    ],
)
def test_github_answers_that_say_nothing_about_works(name: str, path: str, status: int) -> None:
    assert counts(read("github", exchange(name, path, status))) == {}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("github/replay_pygithub/Github.testSearchRepos.txt", "/legacy/repos/search/github"),
        ("github/replay_pygithub/Github.testGetRepoFromFullName.txt", "/repos/jacquev6/PyGithub"),
    ],
)
def test_github_bodies_of_the_time_before_full_name_are_rejected(name: str, path: str) -> None:
    traces = read("github", exchange(name, path))
    assert reasons(traces) == [("repository", "a repository name is missing")]
    assert counts(traces) == {"rejects": 1}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"archived": True}, {"status": "archived"}),
        ({"archived": False}, {"status": "active"}),
        ({"license": None}, {"license": None}),
        ({"license": {"key": "other", "spdx_id": "NOASSERTION"}}, {"license": None}),
        ({"license": {"key": "mit", "spdx_id": "MIT"}}, {"license": "MIT"}),
        ({"license": {"key": "old"}}, {"license": None}),
        ({"owner": None}, {"owner": None}),
        ({"language": None}, {"fields": []}),
        ({"description": None}, {"title": "sigmavirus24/github3.py"}),
        ({"topics": ["ant-colony-optimization"]}, {"topics": ["testing"], "tags": ["ant-colony-optimization"]}),
        ({"description": "An Ant  Colony solver"}, {"topics": ["testing"]}),
        ({"description": "Pant colony"}, {"topics": []}),
    ],
)
def test_github_null_and_rare_fields(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    traces = read("github", search_page(repository(**changes)))
    assert part(traces.rows["works"][0], expected) == expected
    assert len(traces.rows["people"]) == (0 if changes.get("owner", 1) is None else 1)
    assert traces.rows["rejects"] == []


def test_github_search_that_timed_out_is_a_reject_beside_its_items() -> None:
    traces = read("github", search_page(repository(), incomplete_results=True))
    assert len(traces.rows["works"]) == 1
    assert reasons(traces) == [("search", "the search timed out (incomplete_results)")]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "<html>503</html>",
        '{"items": 5}',
        regression("a success without 'items' leaves neither rows nor a reject", "{}"),
        regression("a success without 'items' leaves neither rows nor a reject", '{"items": null}'),
        regression("a success without 'items' leaves neither rows nor a reject", '{"message": "Server Error"}'),
    ],
)
def test_github_search_page_that_is_none_is_a_reject(body: str) -> None:
    assert counts(read("github", answer(GITHUB_URL, body))) == {"rejects": 1}


def github_file(path: str, text: str) -> Exchange:
    content = base64.encodebytes(text.encode()).decode()
    body = json.dumps({"path": path, "encoding": "base64", "content": content})
    return answer(f"https://api.github.com/repos/Sigmavirus24/github3.py/contents/{path}", body)


def read_file(path: str, text: str) -> Traces:
    return read("github", search_page(repository()), github_file(path, text))


def test_github_readme() -> None:
    page_, readme = exchange(GITHUB_README, "/repos/sigmavirus24/github3.py"), exchange(GITHUB_README, "/readme")
    traces = read("github", page_, readme)
    assert references(traces, "github:sigmavirus24/github3.py") == [
        ("github:kennethreitz/requests", "mentions", "README.rst line 22"),
        ("github:sigmavirus24/uritemplate", "mentions", "README.rst line 23"),
        ("github:sigmavirus24/betamax", "mentions", "README.rst line 43"),
    ]
    assert {row["raw_sha256"] for row in traces.rows["references"]} == {readme.body_sha256}
    assert {row["event_at"] for row in traces.rows["references"]} == {datetime(2012, 3, 13, 19, 58, 53, tzinfo=UTC)}


def test_github_readme_of_a_repository_that_the_day_does_not_hold() -> None:
    page_, readme = exchange(GITHUB_README, "/repos/sigmavirus24/github3.py"), exchange(GITHUB_README, "/readme")
    traces = read("github", page_, readme, window=day(2016, 1, 1))
    assert (counts(traces), traces.outside_window) == ({}, 1)


def test_github_readme_of_pygithub_names_no_other_repository() -> None:
    name = "github/replay_pygithub/Repository.testGetContents.txt"
    setup = exchange("github/replay_pygithub/Repository.setUp.txt", "/repos/PyGithub/PyGithub")
    traces = read("github", setup, exchange(name, "/readme"))
    assert {target for target, _, _ in references(traces, "github:pygithub/pygithub")} == {"github:jacquev6/pygithub"}


def test_github_folder_listing_is_no_file() -> None:
    listing = exchange("github/replay_pygithub/Repository.testGetContentsDir.txt", "/contents/")
    assert counts(read("github", listing)) == {}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "CITATION.cff",
            "cff-version: 1.2.0\ndoi: 10.21105/joss.00433\nurl: https://github.com/sigmavirus24/github3.py\n",
            [("doi:10.21105/joss.00433", "cites", "CITATION.cff line 2 (doi)")],
        ),
        (
            "requirements.txt",
            "# all\n-r dev.txt\n\nNumPy>=1.20  # arrays\nscikit_learn[extra]==1.0 ; python_version < '3'\n",
            [
                ("pypi:numpy", "depends_on", "requirements.txt line 4"),
                ("pypi:scikit-learn", "depends_on", "requirements.txt line 5"),
            ],
        ),
        (
            "pyproject.toml",
            '[project]\nname = "x"\ndependencies = ["attrs", "Py.Swarms>=1"]\n',
            [
                ("pypi:attrs", "depends_on", "pyproject.toml project.dependencies[0]"),
                ("pypi:py-swarms", "depends_on", "pyproject.toml project.dependencies[1]"),
            ],
        ),
        ("pyproject.toml", "[tool.x]\ny = 1\n", []),
        ("README.md", "Größe\r\nhttps://hf.co/a/b\r\n", [("hf:model/a/b", "mentions", "README.md line 2")]),
        ("README.md", "", []),
    ],
)
def test_github_files(path: str, text: str, expected: list[tuple[str, str, str]]) -> None:
    traces = read_file(path, text)
    assert references(traces, "github:sigmavirus24/github3.py") == expected
    assert traces.rows["rejects"] == []


def test_github_line_that_is_no_requirement_rejects_itself_only() -> None:
    traces = read_file("requirements.txt", "numpy\nnot a requirement!\nscipy\n")
    assert [row["target_id"] for row in traces.rows["references"]] == ["pypi:numpy", "pypi:scipy"]
    assert [locator for locator, _ in reasons(traces)] == ["github:sigmavirus24/github3.py requirements.txt line 2"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("pyproject.toml", base64.b64encode(b"[project\n").decode()),
        ("pyproject.toml", base64.b64encode(b"project = 5\n").decode()),
        ("README.md", "abc"),
        ("README.md", 5),
    ],
)
def test_github_file_that_cannot_be_read_is_a_reject(path: str, content: Any) -> None:
    url = f"https://api.github.com/repos/sigmavirus24/github3.py/contents/{path}"
    traces = read("github", search_page(repository()), answer(url, json.dumps({"path": path, "content": content})))
    assert counts(traces) == {"works": 1, "metrics": 2, "people": 1, "rejects": 1}


def test_github_file_that_starts_with_a_reject_leaves_the_links_that_follow() -> None:
    traces = read_file("README.md", "https://github.com/a/b\n10.48550/arXiv.2401.01234\n")
    assert [row["target_id"] for row in traces.rows["references"]] == ["github:a/b", "arxiv:2401.01234"]


def test_files_of_a_rejected_repository_give_no_references() -> None:
    broken = search_page(repository(parent={"full_name": "not a name"}))
    traces = read("github", broken, github_file("README.md", "https://github.com/a/b\n"))
    assert traces.rows["works"] == []
    assert traces.rows["references"] == []
