"""GitHub's refusals, redirects and odd files: facts about repositories, on its own recorded answers."""

from __future__ import annotations

import ast
import base64
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.sample.server import answer_time
from coevo_pipelines.scrapes.collect import collect
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.github import check
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import SWARM_INTELLIGENCE, load_settings
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, as_json, misbehaving
from coevo_pipelines_tests.scrapes.recordings import exchanges, json_lines, recordings

DAY = date(2026, 11, 3)
ID = "github:some/one"
REPOSITORY = {
    "id": 7, "full_name": "Some/One", "fork": False, "created_at": f"{DAY}T10:00:00Z", "owner": {"login": "Some"},
    "description": "An ant colony", "stargazers_count": 3,
}  # fmt: skip
API = "https://api.github.com"
ONE_TOPIC = [SWARM_INTELLIGENCE.model_copy(update={"github_topics": ("swarm-intelligence",)})]
NOT_FOUND = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}


def said(path: str, body: Any, status: int = 200, later: timedelta = timedelta(0), location: str = "") -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"location": location} if location else {}
    return Exchange("GET", API + path, status, headers, answer_time(DAY) + later, content)


def found(**changes: Any) -> Exchange:
    return said("/search/repositories?q=x", {"total_count": 1, "items": [REPOSITORY | changes]})


def rows(*answers: Exchange) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold, each checked against its schema."""
    settings = load_settings()
    window = settings.window(DAY)
    traces = normalize("github", answers, window, settings.topics, settings.grace)
    made = frames([traces], window, settings.grace)
    return {name: schemas.conform(schemas.table(name), frame, "test").to_dicts() for name, frame in made.items()}


def statuses(*answers: Exchange) -> list[tuple[str, str, datetime]]:
    works = sorted(rows(*answers)["traces.works"], key=lambda row: row["event_at"])
    return [(row["event"], row["status"], row["event_at"]) for row in works]


CREATED = ("created", "active", datetime.fromisoformat(f"{DAY}T10:00:00Z"))
END = load_settings().window(DAY).last_instant
LATE = timedelta(days=30)


def quoted(kind: str) -> list[dict[str, Any]]:
    found = [one for one in json_lines("evidence/issue_quoted_responses.jsonl") if one["kind"] == kind]
    assert found
    return found


@pytest.mark.parametrize("kind", ["dmca_451", "tos_403", "unavailable_403"])
@pytest.mark.parametrize("path", ["", "/contents/", "/readme", "/contents/CITATION.cff", "/contributors?page=1"])
@pytest.mark.parametrize("later", [timedelta(0), LATE])
def test_a_blocked_repository_is_a_row_of_the_day(kind: str, path: str, later: timedelta) -> None:
    """The blocks that are quoted began years before: known on the day, whenever the answer came."""
    for one in quoted(kind):
        body = one["verbatim"] if one["verbatim"].startswith('{"') else json.dumps(ast.literal_eval(one["verbatim"]))
        blocked = said(f"/repos/Some/One{path}", body.encode(), one["status"], later)
        assert statuses(found(), blocked) == [CREATED, ("updated", "blocked", END)]


@pytest.mark.parametrize(
    ("since", "later", "expected"),
    [
        (f"{DAY}T12:00:00Z", LATE, [("updated", "blocked", datetime.fromisoformat(f"{DAY}T12:00:00Z"))]),
        (f"{DAY + timedelta(days=1)}T12:00:00Z", timedelta(0), []),  # not yet at the day's end
        (None, timedelta(0), [("updated", "blocked", END)]),
        (None, LATE, []),
    ],
)
def test_a_block_is_dated(since: str | None, later: timedelta, expected: list[Any]) -> None:
    body = {"message": "Repository access blocked", "block": {"reason": "tos", "created_at": since}}
    assert statuses(found(), said("/repos/Some/One", body, 451, later)) == [CREATED, *expected]


@pytest.mark.parametrize(
    ("path", "body", "status", "gone"),
    [
        ("", NOT_FOUND, 404, True),
        ("", {"message": "Not Found"}, 404, True),
        ("/contents/", NOT_FOUND, 404, True),
        ("/contents/", {"message": "This repository is empty.", "documentation_url": "x"}, 404, False),
        ("/readme", NOT_FOUND, 404, False),
        ("/contents/CITATION.cff", NOT_FOUND, 404, False),
        ("", {"message": "Resource not accessible by integration"}, 403, False),
        ("", {"message": "API rate limit exceeded"}, 403, False),
        ("", {"message": "Repository access blocked"}, 451, False),
        ("", b"<html>404</html>", 404, False),
        ("", b"", 304, False),
        ("", [], 404, False),
        ("", {"message": "Validation Failed"}, 422, False),
    ],
)
def test_what_is_not_found_is_gone_only_where_the_repository_itself_was_asked(
    path: str, body: Any, status: int, gone: bool
) -> None:
    refused = said(f"/repos/Some/One{path}", body, status)
    assert statuses(found(), refused) == [CREATED, *([("updated", "gone", END)] if gone else [])]
    assert rows(found(), refused)["traces.rejects"] == []
    assert statuses(found(), said(f"/repos/Some/One{path}", body, status, LATE)) == [CREATED]
    assert rows(refused)["traces.works"] == []  # of a repository that the day does not hold nothing is said


def test_a_status_row_keeps_what_is_known_of_the_work() -> None:
    first, second = rows(found(), said("/repos/Some/One", NOT_FOUND, 404))["traces.works"]
    changed = {"event", "event_at", "status", "raw_sha256"}
    assert {name: first[name] for name in first.keys() - changed} == {
        name: second[name] for name in second.keys() - changed
    }
    assert (second["native_id"], second["topics"]) == ("7", ["swarm-intelligence"])


RENAMES = {
    "github/betamax_github3py/Repository_assignees.json": ("kennethreitz/requests", "requests/requests", "1362490"),
    "github/betamax_github3py/Repository_license.json": ("github3py/github3.py", "github3py/github3py", "4464822"),
    "github/betamax_github3py/Repository_stargazers.json": ("sigmavirus24/betamax", "betamaxpy/betamax", "11439734"),
    "github/betamax_github3py/Repository_subscribers.json": ("sigmavirus24/betamax", "betamaxpy/betamax", "11439734"),
    "github/betamax_github3py/Repository_tags.json": ("sigmavirus24/betamax", "betamaxpy/betamax", "11439734"),
    "github/replay_pygithub/PullRequest2408.setUp.txt": (
        "redasers/phishing-detection", "redasers/phishbench", "146139403",
    ),
    "github/replay_pygithub/Repository.testGetRepositoryWith301Redirect.txt": (
        "protoncoin/protoncoin", "padima2/protoncoin", "112116543",
    ),
    "github/replay_pygithub/Requester.testLoggingRedirection.txt": (
        "enricomi/test", "enricomi/test-renamed", "638123443",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(RENAMES))
def test_a_recorded_rename_is_an_identity_with_the_number(name: str) -> None:
    before, after, number = RENAMES[name]
    asked = [one for one in exchanges(name) if one.url.startswith("https://api.github.com")]
    identities = rows(*asked)["traces.identities"]
    left, right = sorted((f"github:{before}", f"github:{after}"))
    assert [(row["left_id"], row["right_id"], row["same"], row["evidence"]) for row in identities] == [
        (left, right, True, f"github: moved, number {number}")
    ]


def test_every_recorded_redirect_from_a_repository_is_in_the_table() -> None:
    folder = recordings()
    there = set()
    for path in sorted((folder / "github").glob("*/*")):
        if path.suffix in {".json", ".txt"}:
            name = path.relative_to(folder).as_posix()
            if any(one.status == 301 and b"/repositories/" in one.body for one in exchanges(name)):
                there.add(name)
    assert there == RENAMES.keys()


def test_no_recorded_answer_is_more_than_a_row_or_a_reject() -> None:
    """All that PyGithub and github3.py recorded, whatever it is about, as one day."""
    folder = recordings()
    names = [path.relative_to(folder).as_posix() for path in sorted((folder / "github").glob("*_*/*"))
             if path.suffix in {".json", ".txt"}]  # fmt: skip
    answers = [one for name in names for one in exchanges(name) if one.method == "GET"]
    made = rows(*answers)
    assert len(answers) > 500
    assert {row["left_id"] for row in made["traces.identities"]} == {
        min(f"github:{before}", f"github:{after}") for before, after, _ in RENAMES.values()
    }
    assert all("Error" not in row["reason"] for row in made["traces.rejects"])


def file(path: str, data: bytes, base: str = "/repos/Some/One", **changes: Any) -> Exchange:
    record = {"type": "file", "path": path, "encoding": "base64", "content": base64.encodebytes(data).decode()}
    return said(f"{base}/contents/{path}", record | changes)


def test_the_files_of_a_renamed_repository_stay_those_of_the_work_that_was_found() -> None:
    moved = said("/repos/Some/One/contents/requirements.txt", {}, 301, location=f"{API}/repositories/7/contents/x")
    url = f"{API}/repos/Other/Two/contents/requirements.txt?ref=main"
    made = rows(found(), moved, file("requirements.txt", b"numpy\n", "/repositories/7", url=url))
    assert [(row["source_id"], row["target_id"]) for row in made["traces.references"]] == [(ID, "pypi:numpy")]
    assert [(row["left_id"], row["right_id"]) for row in made["traces.identities"]] == [("github:other/two", ID)]
    assert [row["status"] for row in made["traces.works"]] == ["active", "renamed"]


def test_a_redirect_to_the_same_name_is_no_rename() -> None:
    """As recorded of a folder whose address ends in a slash."""
    moved = said("/repos/Some/One/contents/a", b"", 302, location=f"{API}/repositories/7/contents/a")
    made = rows(found(), moved, file("a", b"", "/repositories/7", url=f"{API}/repos/some/ONE/contents/a"))
    assert (made["traces.identities"], len(made["traces.works"])) == ([], 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "symlink", "target": "../x"}, "no file but a symlink"),
        ({"type": "submodule"}, "no file but a submodule"),
        ({"encoding": "none", "content": "", "size": 2_000_000}, "too large for the contents API"),
        ({"content": 5}, "the content is not base64"),
    ],
)
def test_what_is_no_readable_file_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    made = rows(found(), file("Cargo.toml", b"", **changes))
    assert made["traces.references"] == []
    (reject,) = made["traces.rejects"]
    assert reject["reason"].startswith(f"{ID} Cargo.toml: {reason}")


def test_a_folder_named_like_a_manifest_is_no_file() -> None:
    made = rows(found(), said("/repos/Some/One/contents/package.json", [{"name": "a", "type": "file"}]))
    assert made["traces.references"] == made["traces.rejects"] == []


README = "# Ä\nhttps://github.com/o/n\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
def test_links_are_found_in_any_encoding(encoding: str) -> None:
    made = rows(found(), file("README.md", README.encode(encoding)))
    assert [(row["target_id"], row["evidence"]) for row in made["traces.references"]] == [
        ("github:o/n", "README.md line 2")
    ]


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("CITATION.cff", b"references:\n- doi: 10.1000/1\n", ("doi:10.1000/1", "cites", "line 2 (references[0].doi)")),
        ("package.json", b'{"devDependencies": {"@a/b": "1"}}', ("npm:@a/b", "depends_on", "devDependencies.@a/b")),
        ("Cargo.toml", b'[dependencies]\nrand = "1"\n', ("crates:rand", "depends_on", "dependencies.rand")),
        ("environment.yml", b"dependencies:\n- numpy\n", ("conda:numpy", "depends_on", "line 2")),
        ("environment.yaml", b"dependencies: [numpy]\n", ("conda:numpy", "depends_on", "line 1")),
    ],
)  # fmt: skip
def test_manifests_become_references(path: str, content: bytes, expected: tuple[str, str, str]) -> None:
    (row,) = rows(found(), file(path, content))["traces.references"]
    assert (row["target_id"], row["relation"], row["evidence"]) == (*expected[:2], f"{path} {expected[2]}")
    (reject,) = rows(found(), file(path, b"\x00"))["traces.rejects"]
    assert reject["reason"].startswith(f"{ID} {path}: ")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"disabled": True, "archived": True}, "blocked"),
        ({"private": True}, "private"),
        ({"archived": True}, "archived"),
    ],
)
def test_the_access_that_a_repository_has(changes: dict[str, Any], status: str) -> None:
    assert [each[1] for each in statuses(found(**changes))] == [status]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_answers(status: int) -> None:
    assert check(f"{API}/repos/o/n", status, b"") == ""


CARGO = {
    "type": "file", "path": "Cargo.toml", "encoding": "base64", "url": f"{API}/repos/Other/Two/contents/Cargo.toml",
    "content": base64.b64encode(b'[dependencies]\nrand = "1"\n').decode(),
}  # fmt: skip
HELD = {"message": "Repository access blocked", "block": {"reason": "tos", "created_at": "2021-01-01T00:00:00Z"}}
NAMES = ((7, "Some/One"), (8, "Gone/Gone"), (9, "Held/Held"))
WORLD = {
    "/repositories/7/contents/": as_json([{"name": "Cargo.toml", "path": "Cargo.toml", "type": "symlink", "url": "x"}]),
    "/repositories/7/contents/Cargo.toml": as_json(CARGO),
    "/repositories/7/contributors": as_json([{"login": "ada", "contributions": 1}]),
    "/repos/Held/Held/contents/": Answer(451, json.dumps(HELD).encode()),
}
"""Some/One was renamed to Other/Two after the search index was made; Gone/Gone was deleted, Held/Held blocked."""


def world(request: Seen) -> Step:
    path = request.path.removeprefix("/github")
    if "q" in request.parameters:
        items = [REPOSITORY | {"full_name": name, "id": number} for number, name in NAMES]
        return as_json({"total_count": len(items), "incomplete_results": False, "items": items})
    if path.startswith("/repos/Some/One"):
        there = path.replace("/repos/Some/One", "/repositories/7")
        return Answer(307, b"{}", {"Location": f"http://{request.headers['host']}/github{there}"})
    return WORLD.get(path, Answer(404, json.dumps(NOT_FOUND).encode()))


def test_a_scrape_of_renamed_deleted_and_blocked_repositories_is_complete(tmp_path: Path) -> None:
    settings = load_settings(http={"retries": 0}, topics=ONE_TOPIC)
    with misbehaving(world) as server:
        endpoint = Endpoint(f"{server.url}/github", "sample://github", lambda: answer_time(DAY))
        capture = collect("github", settings.window(DAY), settings, endpoint, Journal(tmp_path / "journal"))
    assert capture.complete, capture.reason
    made = rows(*capture.exchanges)
    works = {(row["work_id"], row["status"]) for row in made["traces.works"] if row["event"] == "updated"}
    assert works == {(ID, "renamed"), ("github:gone/gone", "gone"), ("github:held/held", "blocked")}
    assert [(row["source_id"], row["target_id"]) for row in made["traces.references"]] == [(ID, "crates:rand")]
    assert [(row["left_id"], row["right_id"]) for row in made["traces.identities"]] == [("github:other/two", ID)]
    assert [row["work_id"] for row in made["traces.contributions"]] == [ID]
    assert made["traces.rejects"] == []


def test_an_endless_redirect_ends(tmp_path: Path) -> None:
    def endless(request: Seen) -> Step:
        if "q" in request.parameters:
            return as_json({"total_count": 1, "incomplete_results": False, "items": [REPOSITORY]})
        number = len(request.path)
        return Answer(301, b"", {"Location": f"http://{request.headers['host']}{request.path}a{number}"})

    settings = load_settings(http={"retries": 0}, topics=ONE_TOPIC)
    with misbehaving(endless) as server:
        endpoint = Endpoint(f"{server.url}/github", "sample://github", lambda: answer_time(DAY))
        capture = collect("github", settings.window(DAY), settings, endpoint, Journal(tmp_path / "journal"))
        assert len(server.seen) < 20
    assert "redirect" in capture.reason
