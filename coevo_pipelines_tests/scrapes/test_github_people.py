"""GitHub's contributors and funding files: asked only where they are and only in time; what they become."""

from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.sample.server import answer_time, serve
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import SWARM_INTELLIGENCE, load_settings
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Play, Seen, Step, as_json, misbehaving
from coevo_pipelines_tests.scrapes.recordings import exchange

OPENING, _, BUSY = DAYS
ONE_TOPIC = [SWARM_INTELLIGENCE.model_copy(update={"github_topics": ("swarm-intelligence",)})]
CREATED = f"{BUSY}T10:00:00Z"
REPOSITORY = {"id": 1, "full_name": "Some/One", "fork": False, "created_at": CREATED, "owner": {"login": "Some"}}
SEARCH = "https://api.github.com/search/repositories?q=x"
LATE = timedelta(days=3)


def scrape(folder: Path, url: str, day: date = BUSY, later: timedelta = timedelta(0), **changes: Any) -> Capture:
    settings = load_settings(http={"retries": 0}, topics=ONE_TOPIC, **changes)
    endpoint = Endpoint(f"{url}/github", "sample://github", lambda: answer_time(day) + later)
    return collect("github", settings.window(day), settings, endpoint, Journal(folder / "journal"))


def rows(*answers: Exchange, day: date = BUSY) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold, each checked against its schema."""
    settings = load_settings()
    window = settings.window(day)
    traces = normalize("github", answers, window, settings.topics, settings.grace)
    made = frames([traces], window, settings.grace)
    return {name: schemas.conform(schemas.table(name), frame, "test").to_dicts() for name, frame in made.items()}


def said(url: str, value: Any, *, later: timedelta = timedelta(0), link: str = "") -> Exchange:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    headers = {"link": link} if link else {}
    return Exchange("GET", url, 200, headers, answer_time(BUSY) + later, body, topic="swarm-intelligence")


def found(**changes: Any) -> Exchange:
    return said(SEARCH, {"total_count": 1, "items": [REPOSITORY | changes]})


def file(path: str, text: str, later: timedelta = timedelta(0), name: str = "Some/One") -> Exchange:
    content = base64.encodebytes(text.encode()).decode()
    url = f"https://api.github.com/repos/{name}/contents/{path}"
    return said(url, {"path": path, "encoding": "base64", "content": content}, later=later)


def contributors(*people: Any, page: int = 1, **given: Any) -> Exchange:
    url = f"https://api.github.com/repos/Some/One/contributors?anon=true&per_page=100&page={page}"
    return said(url, list(people), **given)


def play(root: list[tuple[str, str]], people: Any = ()) -> Play:
    """A world of one repository whose root holds `root` (name, type)."""

    def answered(request: Seen) -> Step:
        if "q" in request.parameters:
            return as_json({"total_count": 1, "incomplete_results": False, "items": [REPOSITORY]})
        if request.path.endswith("/contents/"):
            return as_json([{"name": name, "path": name, "type": kind, "url": "x"} for name, kind in root])
        if request.path.endswith("/contributors"):
            return people if isinstance(people, Answer) else as_json(people(request) if callable(people) else people)
        return as_json({"name": "x", "path": request.path, "type": "file", "encoding": "base64", "content": ""})

    return answered


def asked(folder: Path, world: Play, **given: Any) -> list[str]:
    with misbehaving(world) as server:
        capture = scrape(folder, server.url, **given)
        assert capture.complete, capture.reason
        return [r.path.removeprefix("/github/repos/Some/One/") for r in server.seen if "q" not in r.parameters]


def test_only_what_the_listing_names_is_asked_for(tmp_path: Path) -> None:
    assert asked(tmp_path / "1", play([("setup.py", "file")])) == ["contents/", "contributors"]
    assert asked(tmp_path / "2", play([])) == ["contents/"]
    root = [(".github", "dir"), ("FUNDING.json", "file"), (".all-contributorsrc", "file")]
    expected = {"contents/", "contents/.github/FUNDING.yml", "contents/FUNDING.json", "contents/.all-contributorsrc"}
    assert set(asked(tmp_path / "3", play(root))) == {*expected, "contributors"}
    assert asked(tmp_path / "4", play([(".github", "file")])) == ["contents/", "contributors"]


def test_of_a_past_day_nothing_undated_is_asked(tmp_path: Path) -> None:
    root = [("CITATION.cff", "file"), (".github", "dir"), ("funding.json", "file")]
    assert asked(tmp_path, play(root), later=LATE) == ["contents/", "contents/CITATION.cff"]


def test_contributors_are_read_page_by_page_up_to_a_limit(tmp_path: Path) -> None:
    def page(request: Seen) -> Any:
        return [{"login": f"a{n}", "contributions": 1} for n in range(50 if request.parameters["page"] == "3" else 100)]

    assert asked(tmp_path / "1", play([("a", "file")], page)).count("contributors") == 3

    def endless(request: Seen) -> Any:
        return [{"login": f"a{request.parameters['page']}", "contributions": 1}] * 100

    assert asked(tmp_path / "2", play([("a", "file")], endless)).count("contributors") == 5


@pytest.mark.parametrize("status", [204, 403, 404, 451])
def test_contributors_that_are_refused_or_none_are_a_fact(tmp_path: Path, status: int) -> None:
    refused = Answer(status, b"" if status == 204 else b'{"message": "too large"}')
    with misbehaving(play([("a", "file")], refused)) as server:
        capture = scrape(tmp_path, server.url)
    assert capture.complete, capture.reason
    assert [one.status for one in capture.exchanges if "/contributors?" in one.url] == [status]
    assert rows(*capture.exchanges)["traces.rejects"] == []


def test_contributors_that_are_no_list_are_asked_again(tmp_path: Path) -> None:
    with misbehaving(play([("a", "file")], {"message": "hm"})) as server:
        capture = scrape(tmp_path, server.url)
    assert "a JSON dict" in capture.reason


def test_the_recorded_contributors_of_pygithub() -> None:
    """PyGithub's own recording of 2012; the repository's day is made up around it."""
    recorded = exchange("github/replay_pygithub/Repository.testGetContributors.txt", "/contributors")
    item = REPOSITORY | {"full_name": "PyGithub/PyGithub"}
    search = said(SEARCH, {"total_count": 1, "items": [item]})
    (row,) = rows(search, said(recorded.url, recorded.body))["traces.contributions"]
    assert (row["work_id"], row["contributor"], row["amount"]) == ("github:pygithub/pygithub", "github:jacquev6", 355)


def test_accounts_programs_and_names_are_told_apart() -> None:
    made = rows(
        found(),
        contributors(
            {"login": "Ada", "type": "User", "contributions": 9},
            {"login": "dependabot[bot]", "type": "Bot", "contributions": 8},
            {"login": "pyup-bot", "type": "User", "contributions": 7},
            {"name": "Ada L", "email": "a@x.org", "type": "Anonymous", "contributions": 6},
            {"name": "Ada L", "email": "b@x.org", "type": "Anonymous", "contributions": 5},
            {"name": "dependabot[bot]", "email": "s@x.org", "type": "Anonymous", "contributions": 4},
            {"name": "Nobody", "email": None, "type": "Anonymous", "contributions": 0},
        ),
    )
    amounts = {row["contributor"]: (row["amount"], row["is_bot"]) for row in made["traces.contributions"]}
    assert len(amounts) == 7
    assert amounts["github:Ada"] == (9, False)
    assert amounts["github:dependabot[bot]"] == (8, True)
    assert amounts["github:pyup-bot"] == (7, True)
    assert amounts["Nobody"] == (0, False)
    assert sorted(v for k, v in amounts.items() if k.startswith("Ada L (")) == [(5, False), (6, False)]
    assert [v for k, v in amounts.items() if k.startswith("dependabot[bot] (")] == [(4, True)]
    assert not any("@" in name for name in amounts)
    assert {row["basis"] for row in made["traces.contributions"]} == {"commits"}


def test_a_name_never_passes_for_an_account() -> None:
    forged = {"name": "github:ada", "email": "", "type": "Anonymous", "contributions": 1}
    number = {"name": "arxiv:1712.06567#1", "email": "", "type": "Anonymous", "contributions": 1}
    made = rows(found(), contributors(forged, number))
    assert [row["contributor"] for row in made["traces.contributions"]] == ["arxiv 1712.06567 1", "github ada"]


@pytest.mark.parametrize(
    "broken",
    [7, None, {}, {"login": 5, "contributions": 1}, {"login": "a/b", "contributions": 1}, {"login": "a"},
     {"login": "a", "contributions": -1}, {"login": "a", "contributions": True}, {"login": "a", "contributions": 2**63},
     {"type": "Anonymous", "name": "\ud800", "contributions": 1}, {"type": "Anonymous", "contributions": 1}],
)  # fmt: skip
def test_one_bad_contributor_rejects_itself_only(broken: Any) -> None:
    good = {"login": "z", "type": "User", "contributions": 3}
    made = rows(found(), contributors(broken, good))
    # Half of a surrogate pair becomes a question mark where JSON is read, as everywhere.
    kept = [row["contributor"] for row in made["traces.contributions"] if row["contributor"] != "?"]
    assert kept == ["github:z"]
    assert len(made["traces.rejects"]) + len(made["traces.contributions"]) == 2


def test_what_is_beyond_the_limit_is_counted() -> None:
    link = '<https://api.github.com/repositories/1/contributors?page=6>; rel="next"'
    made = rows(found(), contributors({"login": "a", "contributions": 1}, page=5, link=link))
    assert [(r["locator"], r["reason"]) for r in made["traces.rejects"]] == [
        ("github:some/one contributors", "more than 500: the others were not asked for")
    ]
    assert rows(found(), contributors({"login": "a", "contributions": 1}, page=4, link=link))["traces.rejects"] == []


def test_addresses_of_a_repository() -> None:
    manifest = {
        "version": "v1.0.0",
        "funding": {"channels": [{"guid": "a", "type": "other", "address": "https://liberapay.com/one"}], "plans": []},
    }
    made = rows(
        found(), file(".github/FUNDING.yml", "github: [ada]\nko-fi: x\n"), file("funding.json", json.dumps(manifest))
    )
    assert [(r["subject"], r["channel"], r["address"], r["evidence"]) for r in made["traces.payouts"]] == [
        ("github:some/one", "github_sponsors", "ada", ".github/FUNDING.yml line 1"),
        ("github:some/one", "liberapay", "one", "funding.json funding.channels[0]"),
    ]
    assert {row["event_at"] for row in made["traces.payouts"]} == {load_settings().window(BUSY).last_instant}
    assert [r["locator"] for r in made["traces.rejects"]] == ["github:some/one .github/FUNDING.yml line 2"]


def test_the_account_s_own_repository_speaks_for_the_account() -> None:
    search = found(full_name="Some/.github")
    made = rows(search, file("FUNDING.yml", "open_collective: some\n", name="Some/.github"))
    assert [(r["subject"], r["address"]) for r in made["traces.payouts"]] == [("github:Some", "some")]


@pytest.mark.parametrize(
    ("path", "text"),
    [(".github/FUNDING.yml", "a: &a [b]\ngithub: *a\n"), ("funding.json", "{"), (".all-contributorsrc", "[]")],
)
def test_a_file_that_cannot_be_read_is_one_reject_and_costs_no_work(path: str, text: str) -> None:
    made = rows(found(), file(path, text))
    assert len(made["traces.rejects"]) == len(made["traces.works"]) == 1


def test_a_file_that_the_service_does_not_give_is_a_reject() -> None:
    url = "https://api.github.com/repos/Some/One/contents/funding.json"
    made = rows(found(), said(url, {"path": "funding.json", "encoding": "none", "content": ""}))
    assert [row["reason"] for row in made["traces.rejects"]] == [
        "github:some/one funding.json: too large for the contents API"
    ]


def test_listed_contributors_count_one_each() -> None:
    listed = {"contributors": [{"login": "Ada"}, {"name": "no login"}, {"login": "allcontributors[bot]"}]}
    made = rows(found(), file(".all-contributorsrc", json.dumps(listed)))
    kept = [(r["contributor"], r["basis"], r["amount"], r["is_bot"]) for r in made["traces.contributions"]]
    assert kept == [("github:Ada", "author", 1, False), ("github:allcontributors[bot]", "author", 1, True)]
    assert len(made["traces.rejects"]) == 1


def test_what_was_seen_too_late_or_of_another_days_work_says_nothing() -> None:
    person, yml = {"login": "a", "contributions": 1}, "github: a\n"
    for answers in (
        (found(), contributors(person, later=LATE), file(".github/FUNDING.yml", yml, LATE)),
        (found(created_at="2019-03-20T00:00:00Z"), contributors(person), file(".github/FUNDING.yml", yml)),
        (contributors(person), file(".github/FUNDING.yml", yml)),
    ):
        made = rows(*answers)
        assert made["traces.contributions"] == made["traces.payouts"] == made["traces.rejects"] == []


def test_of_two_observations_in_time_the_later_one_stands() -> None:
    later = timedelta(hours=5)
    made = rows(
        found(),
        contributors({"login": "a", "contributions": 1}),
        contributors({"login": "a", "contributions": 2}, later=later),
        contributors({"login": "a", "contributions": 3}, later=LATE),
    )
    assert [row["amount"] for row in made["traces.contributions"]] == [2]


def test_the_sample_s_composed_people_and_addresses(tmp_path: Path) -> None:
    with serve(OPENING) as root:
        capture = scrape(tmp_path, root, OPENING, sources={"github": {"page_size": 3}})
    assert capture.complete, capture.reason
    made = rows(*capture.exchanges, day=OPENING)
    niapy = {r["contributor"]: r for r in made["traces.contributions"] if r["work_id"] == "github:niaorg/niapy"}
    assert [len(niapy), sum(r["is_bot"] for r in niapy.values())] == [5, 1]
    assert {r["subject"] for r in made["traces.payouts"]} == {"github:niaorg/niapy", "github:deap/deap"}
    assert {r["work_id"] for r in made["traces.contributions"]} == {r["work_id"] for r in made["traces.works"]}
    assert made["traces.rejects"] == []
