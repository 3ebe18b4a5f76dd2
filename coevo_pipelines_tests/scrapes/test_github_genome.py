"""GitHub for the genome: its accounts and topics are searched as the followed topics are, and stored under none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.sample.server import answer_time, serve
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.github import FIRST_REPOSITORY, MOST_SEARCH_RESULTS
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import SWARM_INTELLIGENCE, Settings, SettingsError, Topic, load_settings
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, as_json, misbehaving, relay

OPENING, QUIET, BUSY = DAYS
LATE = timedelta(days=3)
ELSEWHERE = Topic(name="elsewhere", terms=("quantum gravity",))
"""Followed, but without a topic on GitHub."""


def following(*topics: Topic, **genome: Any) -> Settings:
    return load_settings(http={"retries": 0}, topics=topics or (ELSEWHERE,), genome=genome)


def scrape(
    folder: Path, url: str, settings: Settings, day: date = BUSY, later: timedelta = timedelta(0)
) -> tuple[Capture, list[Exchange]]:
    """The capture and, of it, the searches."""
    endpoint = Endpoint(f"{url}/github", "sample://github", lambda: answer_time(day) + later)
    capture = collect("github", settings.window(day), settings, endpoint, Journal(folder / "journal"))
    return capture, [one for one in capture.exchanges if query(one)]


def query(exchange: Exchange) -> str:
    return parse_qs(urlsplit(exchange.url).query).get("q", [""])[0]


def queries(searches: list[Exchange]) -> list[str]:
    return list(dict.fromkeys(query(one) for one in searches))


def names(exchange: Exchange) -> list[str]:
    return [item["full_name"] for item in json.loads(exchange.body)["items"]]


def read(capture: Capture) -> set[str]:
    """The repositories whose files were listed."""
    paths = [urlsplit(one.url).path for one in capture.exchanges]
    return {path.removeprefix("/repos/").removesuffix("/contents/") for path in paths if path.endswith("/contents/")}


def works(capture: Capture, settings: Settings, day: date) -> dict[str, dict[str, Any]]:
    traces = normalize("github", capture.exchanges, settings.window(day), settings.topics, settings.grace)
    made = frames([traces], settings.window(day), settings.grace)
    assert made["traces.rejects"].is_empty()
    table = schemas.conform(schemas.table("traces.works"), made["traces.works"], "test")
    return {row["work_id"]: row for row in table.iter_rows(named=True)}


def test_an_account_is_searched_for_the_day_and_while_it_is_recent_for_all_it_has(tmp_path: Path) -> None:
    settings = following(owners=("RHGrant10",))
    with serve(BUSY) as root:
        capture, searches = scrape(tmp_path, root, settings)
    assert capture.complete, capture.reason
    account, day = "user:RHGrant10 fork:true is:public", f"{BUSY}T00:00:00Z..{BUSY}T23:59:59Z"
    assert queries(searches) == [
        f"{account} created:{day}",
        f"{account} pushed:{day}",
        f"{account} created:2007-10-01T00:00:00Z..{BUSY}T23:59:59Z",
    ]
    assert sorted({name for one in searches for name in names(one)}) == ["rhgrant10/Pants", "rhgrant10/acopy"]
    assert {one.topic for one in capture.exchanges} == {None}
    assert read(capture) == set()  # on none of them anything happened
    found = works(capture, settings, BUSY)
    assert set(found) == {"github:rhgrant10/pants", "github:rhgrant10/acopy"}
    assert {row["event"] for row in found.values()} == {"listed"}
    assert {row["event_at"] for row in found.values()} == {settings.window(BUSY).last_instant}
    assert found["github:rhgrant10/pants"]["created_at"] == datetime.fromisoformat("2014-06-12T15:56:16Z")
    assert {tuple(row["topics"]) for row in found.values()} == {()}


def test_of_a_past_day_only_what_was_created_is_asked(tmp_path: Path) -> None:
    with serve(BUSY) as root:
        capture, searches = scrape(tmp_path, root, following(owners=("rhgrant10",)), later=LATE)
    assert capture.complete, capture.reason
    assert [q.partition("created:")[2] for q in queries(searches)] == [f"{BUSY}T00:00:00Z..{BUSY}T23:59:59Z"]


def test_the_opening_partition_holds_an_account_s_history_under_no_topic(tmp_path: Path) -> None:
    settings = following(owners=("rhgrant10",))
    with serve(OPENING) as root:
        capture, searches = scrape(tmp_path, root, settings, OPENING)
    assert len(queries(searches)) == 2  # the window is older than GitHub: its list is the account's
    assert read(capture) == {"rhgrant10/Pants", "rhgrant10/acopy"}
    found = works(capture, settings, OPENING)
    assert {work_id: (row["event"], row["owner"], row["topics"]) for work_id, row in found.items()} == {
        "github:rhgrant10/pants": ("created", "github:rhgrant10", []),
        "github:rhgrant10/acopy": ("created", "github:rhgrant10", []),
    }


def test_what_an_account_pushed_or_created_that_day_is_read_forks_too(tmp_path: Path) -> None:
    settings = following(owners=("NiaOrg", "coevo-sample"))
    with serve(BUSY) as root:
        capture, _ = scrape(tmp_path, root, settings)
    assert capture.complete, capture.reason
    assert read(capture) == {"NiaOrg/NiaPy", "coevo-sample/NiaPy"}
    events = {work_id: row["event"] for work_id, row in works(capture, settings, BUSY).items()}
    assert events == {"github:niaorg/niapy": "updated", "github:coevo-sample/niapy": "created"}


@pytest.mark.parametrize(
    ("created", "later", "event"),
    [
        ("2014-06-12T15:56:16Z", timedelta(0), "listed"),
        ("2014-06-12T15:56:16Z", LATE, None),
        (f"{BUSY}T23:59:59Z", timedelta(0), "created"),
        (f"{BUSY + timedelta(days=1)}T00:00:00Z", timedelta(0), None),
    ],
)
def test_a_list_says_what_was_there_at_the_day_s_end_if_it_came_in_time(
    created: str, later: timedelta, event: str | None
) -> None:
    item = {"id": 1, "full_name": "some/one", "created_at": created, "pushed_at": "2014-07-01T00:00:00Z"}
    body = json.dumps({"total_count": 1, "items": [item]}).encode()
    for asked, expected in (("user:some+fork:true", event), ("topic:x", event if event == "created" else None)):
        url = f"https://api.github.com/search/repositories?q={asked}"
        said = Exchange("GET", url, 200, {}, answer_time(BUSY) + later, body)
        rows = normalize("github", [said], following().window(BUSY), (ELSEWHERE,), following().grace).rows["works"]
        assert [row["event"] for row in rows] == ([expected] if expected else [])


def test_a_work_found_by_topic_and_by_account_keeps_its_topic(tmp_path: Path) -> None:
    settings = following(SWARM_INTELLIGENCE, ELSEWHERE, owners=("niaorg",))
    with serve(BUSY) as root:
        capture, _ = scrape(tmp_path, root, settings)
    contents = [one.url for one in capture.exchanges if one.url.endswith("/NiaOrg/NiaPy/contents/")]
    assert len(contents) == 1
    assert works(capture, settings, BUSY)["github:niaorg/niapy"]["topics"] == ["swarm-intelligence"]


def test_topics_of_the_genome_are_searched_unless_they_are_followed(tmp_path: Path) -> None:
    followed = SWARM_INTELLIGENCE.model_copy(update={"github_topics": ("Swarm-Intelligence",)})
    settings = following(followed, topics=("swarm-intelligence", "evolutionary-algorithms"))
    with misbehaving(lambda _: found(0)) as server:
        capture, searches = scrape(tmp_path, server.url, settings)
    assert capture.complete, capture.reason
    asked = [(query(one).partition(" ")[0], query(one).partition(" ")[2][:7], one.topic) for one in searches]
    assert list(dict.fromkeys(asked)) == [
        ("topic:Swarm-Intelligence", "created", "swarm-intelligence"),
        ("topic:Swarm-Intelligence", "pushed:", "swarm-intelligence"),
        ("topic:evolutionary-algorithms", "created", None),
        ("topic:evolutionary-algorithms", "pushed:", None),
    ]


def test_a_topic_of_the_genome_brings_works_without_a_followed_topic(tmp_path: Path) -> None:
    settings = following(topics=("cma-es",))
    with serve(OPENING) as root:
        capture, _ = scrape(tmp_path, root, settings, OPENING)
    found = works(capture, settings, OPENING)
    assert set(found) == {"github:deap/deap", "github:cma-es/pycma", "github:keurfonluu/stochopy"}
    assert [row["topics"] for row in found.values()] == [[], [], []]


def test_an_account_that_nobody_has_is_named_and_the_others_are_asked(tmp_path: Path) -> None:
    with serve(BUSY) as root:
        settings = following(SWARM_INTELLIGENCE, owners=("NiaOrg",))
        expected, _ = scrape(tmp_path / "expected", root, settings)
        settings = following(SWARM_INTELLIGENCE, owners=("no-such-one", "NiaOrg"))
        capture, _ = scrape(tmp_path / "asked", root, settings)
    assert not capture.complete
    assert capture.reason.startswith("search user:no-such-one: HTTP 422: Validation Failed: ")
    assert "genome.owners" in capture.reason
    refused = [one for one in capture.exchanges if one.status == 422]
    assert [one for one in capture.exchanges if one.status != 422] == list(expected.exchanges)
    assert [query(one).partition(" ")[0] for one in refused] == ["user:no-such-one"]
    assert read(capture) == read(expected) != set()


@pytest.mark.parametrize("status", [401, 403, 404, 451])
def test_any_other_refusal_names_the_account_and_the_next_one_is_asked(status: int, tmp_path: Path) -> None:
    def changed(request: Seen) -> Step | None:
        return as_json({"message": "no"}, status=status) if "user:" in request.parameters.get("q", "") else None

    with serve(BUSY) as sample, misbehaving(instead(relay(sample), changed)) as server:
        capture, searches = scrape(tmp_path, server.url, following(SWARM_INTELLIGENCE, owners=("NiaOrg", "esa")))
    assert capture.reason == f"search user:NiaOrg: HTTP {status}: no; search user:esa: HTTP {status}: no"
    assert any("user:esa" in query(one) for one in searches)


def test_a_refused_topic_of_the_genome_is_named(tmp_path: Path) -> None:
    with misbehaving(lambda _: as_json({"message": "no"}, status=422)) as server:
        capture, _ = scrape(tmp_path, server.url, following(topics=("cma-es",)))
    assert capture.reason == "search topic:cma-es: HTTP 422: no"


def test_the_list_of_a_large_account_is_cut_by_date_without_gap_or_overlap(tmp_path: Path) -> None:
    settings = following(owners=("some",))
    longest = (settings.window(BUSY).end - FIRST_REPOSITORY) / 3

    def play(request: Seen) -> Step:
        first, last = span(request.parameters["q"])
        return found(MOST_SEARCH_RESULTS + 1, "some/one") if last - first > longest else found(0)

    with misbehaving(play) as server:
        capture, searches = scrape(tmp_path, server.url, settings)
    assert capture.complete, capture.reason
    asked = [span(one) for one in queries(searches) if "created:" in one][1:]
    final = [(first, last) for first, last in asked if last - first <= longest]
    second = timedelta(seconds=1)
    assert (len(asked), len(final)) == (7, 4)
    assert (final[0][0], final[-1][1]) == (FIRST_REPOSITORY, settings.window(BUSY).end - second)
    assert all(one[1] + second == other[0] for one, other in pairwise(final))


def test_fewer_repositories_of_an_account_than_announced_are_incomplete(tmp_path: Path) -> None:
    def play(request: Seen) -> Step:
        return found(5, "some/one") if "2007" in request.parameters.get("q", "") else found(0)

    with misbehaving(play) as server:
        capture, _ = scrape(tmp_path, server.url, following(owners=("some",)))
    assert capture.reason.startswith("search user:some fork:true is:public created:2007-10-01T")
    assert capture.reason.endswith(": 1 repositories came, 5 were announced")


@pytest.mark.parametrize("owner", ["DEAP", "a", "1", "a-b-c", "a" * 39])
def test_names_of_accounts(owner: str) -> None:
    assert following(owners=(owner,)).genome.owners == (owner,)


@pytest.mark.parametrize(
    "owner",
    ["", "-a", "a-", "a--b", "a_b", "a.b", "a b", "a/b", "user:a", "ä", "a" * 40, "https://github.com/a", "a\n"],
)
def test_what_is_no_name_of_an_account_is_refused(owner: str) -> None:
    with pytest.raises(SettingsError, match=r"genome\.owners: .*a GitHub account is named by letters, digits"):
        following(owners=("DEAP", owner))


@pytest.mark.parametrize("topic", ["cma-es", "c", "3d", "a" * 50])
def test_names_of_topics(topic: str) -> None:
    assert following(topics=(topic,)).genome.topics == (topic,)


@pytest.mark.parametrize("topic", ["", "CMA-ES", "-a", "a b", "a_b", "topic:a", "é", "a" * 51, "a\n"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(SettingsError, match=r"genome\.topics: .*a GitHub topic has lower case letters"):
        following(topics=("cma-es", topic))


def found(total: int, *full_names: str) -> Answer:
    items = [{"id": number, "full_name": name, "fork": False} for number, name in enumerate(full_names, start=1)]
    return as_json({"total_count": total, "incomplete_results": False, "items": items})


def instead(play: Callable[[Seen], Step], changed: Callable[[Seen], Step | None]) -> Callable[[Seen], Step]:
    return lambda request: changed(request) or play(request)


def span(asked: str) -> tuple[datetime, datetime]:
    first, _, last = asked.rpartition(" ")[2].partition(":")[2].partition("..")
    return datetime.fromisoformat(first), datetime.fromisoformat(last)
