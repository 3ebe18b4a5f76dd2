"""Whole scrapes of the four sources: complete, cut short, resumed, contradicted, and never raised."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from coevo_pipelines.sample.server import answer_time, serve
from coevo_pipelines.sample.world import World
from coevo_pipelines.scrapes.arxiv import DEEPEST_OFFSET
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.github import MOST_SEARCH_RESULTS
from coevo_pipelines.scrapes.limits import RateLimiter
from coevo_pipelines.scrapes.scrape import Scrape, sliced, split
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter
from coevo_pipelines.scrapes.sources import source as source_module
from coevo_pipelines.settings import SAMPLE_START, SWARM_INTELLIGENCE, Settings, load_settings
from coevo_pipelines.traces.records import xml_root
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import (
    Answer,
    Play,
    Reset,
    Seen,
    Step,
    as_json,
    misbehaving,
    nobody,
    relay,
    truncated_gzip,
)

NAMES = ("arxiv", "github", "huggingface", "openalex")
OPENING, QUIET, BUSY = DAYS
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
ATOM = "{http://www.w3.org/2005/Atom}entry"
TAGS = SWARM_INTELLIGENCE.github_topics


class Ask:
    """Collects with a journal of the test's own; asked twice it resumes, as the next run would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def journal(self, name: str, day: date = BUSY) -> Journal:
        return Journal(self.folder / name / f"{day}.jsonl")

    def endpoint(self, name: str, root: str, day: date = BUSY) -> Endpoint:
        return Endpoint(f"{root}/{name}", f"sample://{name}", lambda: answer_time(day))

    def __call__(self, name: str, root: str, day: date = BUSY, **changes: Any) -> Capture:
        settings = impatient(**changes)
        return collect(name, settings.window(day), settings, self.endpoint(name, root, day), self.journal(name, day))


def impatient(**changes: Any) -> Settings:
    """One retry and no pause to speak of."""
    return load_settings(http={"retries": 1, "backoff_s": 0.01, "contact": "mailto:someone@example.org"}, **changes)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return Ask(tmp_path / "journal")


def counting(play: Callable[[Seen], Step], changed: Callable[[Seen], Step | None]) -> Callable[[Seen], Step]:
    """`play`, but for the requests for which `changed` has an answer of its own."""
    return lambda request: changed(request) or play(request)


def paths(exchanges: Sequence[Exchange]) -> list[str]:
    return [unquote(exchange.url).partition("?")[0] for exchange in exchanges]


def read(capture: Capture) -> list[Any]:
    return [json.loads(exchange.body) for exchange in capture.exchanges]


# --- complete ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_source_of_the_sample_is_complete_on_every_day(name: str, day: date, ask: Ask) -> None:
    with serve(day) as root:
        capture = ask(name, root, day)
    assert capture.complete, capture.reason
    assert capture.reason == ""
    assert len(capture.exchanges) > 0
    assert {exchange.status for exchange in capture.exchanges} == {200}
    assert all(exchange.url.startswith(f"sample://{name}/") for exchange in capture.exchanges)
    assert {exchange.fetched_at for exchange in capture.exchanges} == {answer_time(day)}
    assert list(capture.exchanges) == ask.journal(name, day).exchanges
    addresses = [exchange.url for exchange in capture.exchanges]
    assert len(addresses) == len(set(addresses))  # nothing is asked twice


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_openalex_brings_every_work_of_the_window(day: date, ask: Ask) -> None:
    with serve(day) as root:
        pages = read(ask("openalex", root, day))
    window = load_settings().window(day)
    published = [p["published"] for p in World(day).papers(on_arxiv=False)]
    expected = sum(f"{window.start:%Y-%m-%d}" <= moment <= str(day) for moment in published)
    assert sum(len(page["results"]) for page in pages) == expected == pages[0]["meta"]["count"]
    assert expected > (300 if day == OPENING else 0)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_arxiv_brings_every_paper_of_the_window_in_pages(day: date, ask: Ask) -> None:
    with serve(day) as root:
        capture = ask("arxiv", root, day, sources={"arxiv": {"page_size": 50}})
    feeds = [xml_root(exchange.body) for exchange in capture.exchanges]
    window = load_settings().window(day)
    published = [p["published"] for p in World(day).papers(on_arxiv=True)]
    expected = sum(f"{window.start:%Y-%m-%d}" <= moment <= str(day) for moment in published)
    assert [int(feed.findtext(OPENSEARCH) or "") for feed in feeds] == [expected] * len(feeds)
    assert sum(len(feed.findall(ATOM)) for feed in feeds) == expected
    assert len(feeds) == -(-expected // 50)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_github_reads_every_repository_created_or_pushed_on_the_day(day: date, ask: Ask) -> None:
    with serve(day) as root:
        capture = ask("github", root, day)
    window = load_settings().window(day)
    expected = {
        repository["full_name"]
        for repository in World(day).repositories()
        if (
            datetime.fromisoformat(repository["created"]) in window
            or datetime.fromisoformat(repository["pushed"]).date() == day
        )
        and set(repository["topics"]) & set(TAGS)
    }
    root_listings = {p for p in paths(capture.exchanges) if p.endswith("/contents/")}
    assert {p.removeprefix("sample://github/repos/").removesuffix("/contents/") for p in root_listings} == expected
    assert expected
    assert sum(p.endswith("/readme") for p in paths(capture.exchanges)) == len(expected)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_huggingface_reads_the_card_of_every_item_created_in_the_window(day: date, ask: Ask) -> None:
    with serve(day) as root:
        capture = ask("huggingface", root, day)
    window = load_settings().window(day)
    expected = {
        f"sample://huggingface/{'' if kind == 'models' else kind + '/'}{item['id']}/raw/main/README.md"
        for kind in ("models", "datasets", "spaces")
        for item in World(day).hub(kind)
        if datetime.fromisoformat(item["created"]) in window and "swarm-intelligence" in item["tags"]
    }
    assert {path for path in paths(capture.exchanges) if path.endswith("README.md")} == expected
    assert bool(expected) is (day != QUIET)
    kinds = {path for path in paths(capture.exchanges) if "/api/" in path}
    assert kinds == {f"sample://huggingface/api/{kind}" for kind in ("models", "datasets", "spaces")}


@pytest.mark.parametrize("name", NAMES)
def test_a_day_on_which_nothing_happened_is_complete(name: str, ask: Ask) -> None:
    """A day before the first fact of the sample: answers come, and they are empty."""
    settings = load_settings(start_date=date(1950, 1, 1), http={"retries": 0})
    day = date(1950, 1, 2)
    with serve(day) as root:
        capture = collect(name, settings.window(day), settings, ask.endpoint(name, root, day), ask.journal(name, day))
    assert capture.complete, capture.reason
    assert len(capture.exchanges) > 0
    if name == "openalex":
        assert [page["meta"]["count"] for page in read(capture)] == [0]
    if name == "github":
        assert {page["total_count"] for page in read(capture)} == {0}


@pytest.mark.parametrize("name", NAMES)
def test_two_scrapes_of_the_same_day_bring_the_same_bytes(name: str, tmp_path: Path) -> None:
    captures = []
    for folder in ("first", "second"):
        with serve(BUSY) as root:  # another port each time
            captures.append(Ask(tmp_path / folder)(name, root))
    assert captures[0] == captures[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_second_scrape_with_the_same_journal_asks_nothing(name: str, ask: Ask) -> None:
    with serve(BUSY) as sample:
        first = ask(name, sample)
    with misbehaving([]) as server:
        assert ask(name, server.url) == first
        assert server.seen == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_for_a_topic_is_stored_under_its_name(name: str, ask: Ask) -> None:
    with serve(BUSY) as root:
        capture = ask(name, root)
    topics = {exchange.topic for exchange in capture.exchanges}
    listings = {e.topic for e in capture.exchanges if "?" in e.url and "/contributors?" not in e.url}
    assert listings == {"swarm-intelligence"}
    assert topics <= {"swarm-intelligence", None}


def test_a_second_topic_is_asked_without_code(ask: Ask) -> None:
    second = {"name": "ants", "terms": ["ant colony", "stigmergy"]}
    first = {"name": "swarm", "terms": ["particle swarm"]}
    with serve(BUSY) as sample, misbehaving(relay(sample)) as server:
        for name in ("arxiv", "openalex"):
            assert ask(name, server.url, topics=[first, second]).complete
        asked = [request.parameters.get("search_query") or request.parameters["filter"] for request in server.seen]
    assert sum('"particle swarm"' in query for query in asked) > 0
    assert sum('"ant colony"' in query and '"stigmergy"' in query for query in asked) > 0
    assert not [query for query in asked if "particle" in query and "ant colony" in query]


# --- who asks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "arxiv",
        "github",
        pytest.param(
            "huggingface",
        ),
        "openalex",
    ],
)
def test_every_request_names_the_project_and_the_contact(name: str, ask: Ask) -> None:
    with serve(BUSY) as sample, misbehaving(relay(sample)) as server:
        assert ask(name, server.url).complete
        agents = {request.headers.get("user-agent", "") for request in server.seen}
    assert [a for a in agents if "coevo_pipelines/" not in a or "mailto:someone@example.org" not in a] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_token_is_sent_and_not_stored(name: str, ask: Ask) -> None:
    token = "hf_0123456789abcdef"
    with serve(BUSY) as sample, misbehaving(relay(sample)) as server:
        capture = ask(name, server.url, sources={name: {"token": token}})
        assert capture.complete, capture.reason
        told = [token in f"{request.target}{request.headers}" for request in server.seen]
    assert any(told) is (name != "arxiv")
    assert token.encode() not in ask.journal(name).path.read_bytes()


def test_every_request_to_hugging_face_carries_the_token(ask: Ask) -> None:
    with serve(BUSY) as sample, misbehaving(relay(sample)) as server:
        assert ask("huggingface", server.url, sources={"huggingface": {"token": "hf_0123456789abcdef"}}).complete
        assert [request.target for request in server.seen if "authorization" not in request.headers] == []


# --- down ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_dead_port_is_one_clear_line_and_no_exception(name: str, ask: Ask) -> None:
    with nobody() as url:
        capture = ask(name, url)
    assert not capture.complete
    assert capture.reason.startswith(f"{url}/{name}: ")
    assert capture.reason.endswith("refused after 2 attempts")
    assert "\n" not in capture.reason
    assert [(exchange.status, exchange.body) for exchange in capture.exchanges] == [(None, b"")]


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_was_down_is_filled_by_the_next_run(name: str, ask: Ask) -> None:
    with nobody() as url:
        assert not ask(name, url).complete
    with serve(BUSY) as root:
        capture = ask(name, root)
    assert capture.complete, capture.reason
    assert capture.exchanges[0].status is None
    assert {exchange.status for exchange in capture.exchanges[1:]} == {200}


REFUSALS = [(name, status) for name in NAMES for status in (400, 401, 403, 404, 410, 422, 451)]


@pytest.mark.parametrize(
    ("name", "status"),
    REFUSALS,
)
def test_a_refused_listing_is_incomplete_and_says_the_status(name: str, status: int, ask: Ask) -> None:
    with misbehaving(lambda _: as_json({"message": "no", "error": "no"}, status=status)) as server:
        capture = ask(name, server.url)
        # Three topics, three kinds of item: what is refused of one question says nothing of the others.
        assert len(server.seen) == {"github": 3, "huggingface": 3}.get(name, 1)
    assert not capture.complete
    assert str(status) in capture.reason
    assert "\n" not in capture.reason
    assert {exchange.status for exchange in capture.exchanges} == {status}


@pytest.mark.parametrize("name", NAMES)
def test_a_spent_budget_is_incomplete_at_once_and_says_how_long(name: str, ask: Ask) -> None:
    with misbehaving(lambda _: Answer(429, b"", {"Retry-After": "7200"})) as server:
        capture = ask(name, server.url)
        assert len(server.seen) == 1
    assert "HTTP 429, asks to wait 7200 s (cap 120 s)" in capture.reason


@pytest.mark.parametrize("name", NAMES)
def test_one_bad_moment_does_not_show(name: str, ask: Ask) -> None:
    """Each address fails once: reset, 503 with a page for people, or 429, in turn."""
    failed: Counter[str] = Counter()
    bad = (Reset(), Answer(503, b"<html>busy</html>", {"Content-Type": "text/html"}), Answer(429))

    def once(request: Seen) -> Step | None:
        failed[request.target] += 1
        return bad[len(failed) % 3] if failed[request.target] == 1 else None

    with serve(BUSY) as sample:
        expected = Ask(ask.folder / "undisturbed")(name, sample)
        with misbehaving(counting(relay(sample), once)) as server:
            capture = ask(name, server.url)
            assert len(server.seen) == 2 * len(expected.exchanges)
    assert capture == expected


MAINTENANCE = Answer(200, b"<html><body>We are down for maintenance</body></html>", {"Content-Type": "text/html"})
NOT_AS_ASKED = {
    "a page for people": MAINTENANCE,
    "nothing": Answer(200, b""),
    "null": as_json(None),
    "a number": as_json(7),
    "an empty object": as_json({}),
    "a list of other things": as_json([1, "a", None]),
    "no text at all": Answer(200, b"\xff\xfe\x00{}"),
    "half a document": Answer(200, b'{"results": [{"id": "https://openalex.org/W1'),
    "truncated gzip": truncated_gzip(b'{"results": [], "meta": {"count": 0}, "items": [], "total_count": 0}'),
    "an endless redirect": lambda request: Answer(302, b"", {"Location": request.target}),
    "an endless permanent redirect": lambda request: Answer(301, b"", {"Location": f"/x{request.target}"}),
    "a redirect to nowhere": Answer(302, b"", {"Location": "http://[x"}),
    "a redirect to another protocol": Answer(301, b"", {"Location": "ftp://example.org/"}),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", NOT_AS_ASKED.values(), ids=NOT_AS_ASKED.keys())
def test_an_answer_that_is_not_what_was_asked_for_is_incomplete_not_raised(name: str, answer: Any, ask: Ask) -> None:
    play: Play = answer if callable(answer) else lambda _: answer
    with misbehaving(play) as server:
        capture = ask(name, server.url)
    assert not capture.complete
    assert capture.reason
    assert "\n" not in capture.reason
    assert len(capture.exchanges) > 0


def test_an_unreadable_answer_in_the_journal_is_asked_again_by_the_next_run(ask: Ask) -> None:
    with misbehaving(lambda _: MAINTENANCE) as server:
        assert not ask("github", server.url).complete
    with serve(BUSY) as root:
        assert ask("github", root).complete


# --- dying midway --------------------------------------------------------------------------------------


@pytest.mark.parametrize("survived", [0, 1, 3])
def test_openalex_that_died_midway_is_asked_only_for_the_rest(survived: int, ask: Ask) -> None:
    small = {"openalex": {"page_size": 20}}
    with serve(OPENING) as sample:
        expected = Ask(ask.folder / "undisturbed")("openalex", sample, OPENING, sources=small)
        assert len(expected.exchanges) > 10
        served = 0

        def dies(_: Seen) -> Step | None:
            nonlocal served
            served += 1
            return Reset() if served > survived else None

        with misbehaving(counting(relay(sample), dies)) as server:
            first = ask("openalex", server.url, OPENING, sources=small)
            assert len(server.seen) == survived + 2  # the one that failed was tried twice
        assert not first.complete
        assert first.reason.endswith("after 2 attempts")
        assert first.exchanges[:survived] == expected.exchanges[:survived]
        assert first.exchanges[survived].error is not None

        with misbehaving(relay(sample)) as server:
            second = ask("openalex", server.url, OPENING, sources=small)
            assert len(server.seen) == len(expected.exchanges) - survived
    assert second.complete, second.reason
    assert [e for e in second.exchanges if e.ok] == list(expected.exchanges)


@pytest.mark.parametrize("name", ["arxiv", "github", "huggingface"])
@pytest.mark.parametrize("survived", [1, 4])
def test_the_other_sources_resume_too(name: str, survived: int, ask: Ask) -> None:
    small = {"arxiv": {"page_size": 40}, "github": {"page_size": 5}}
    with serve(OPENING) as sample:
        expected = Ask(ask.folder / "undisturbed")(name, sample, OPENING, sources=small)
        alive = set[str]()

        def dies(request: Seen) -> Step | None:
            if len(alive) < survived:
                alive.add(request.target)
            return None if request.target in alive else Reset()

        with misbehaving(counting(relay(sample), dies)) as server:
            first = ask(name, server.url, OPENING, sources=small)
        assert not first.complete
        assert sum(exchange.ok for exchange in first.exchanges) == survived

        with misbehaving(relay(sample)) as server:
            second = ask(name, server.url, OPENING, sources=small)
            assert len(server.seen) == len(expected.exchanges) - survived
            assert not alive & set(server.targets)
    assert second.complete, second.reason
    assert sorted(e.url for e in second.exchanges if e.ok) == sorted(e.url for e in expected.exchanges)


# --- OpenAlex ------------------------------------------------------------------------------------------


def works(count: Any, *pages: tuple[int, str | None]) -> list[Answer]:
    """Pages of so many works each, numbered through, with the next cursor."""
    numbers = itertools.count()
    return [
        as_json(
            {"meta": {"count": count, "next_cursor": cursor}, "results": [{"id": next(numbers)} for _ in range(size)]}
        )
        for size, cursor in pages
    ]


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param(works(5, (2, "b"), (2, None)), id="the cursor ends early"),
        pytest.param(works(5, (2, "b"), (2, "c"), (0, "d")), id="the last page is empty"),
        pytest.param(works(5, (0, None)), id="nothing came"),
    ],
)
def test_fewer_works_than_announced_are_incomplete_with_the_numbers(pages: list[Answer], ask: Ask) -> None:
    with misbehaving(pages) as server:
        capture = ask("openalex", server.url)
        assert len(server.seen) == len(pages)
        assert [request.parameters["cursor"] for request in server.seen] == ["*", "b", "c"][: len(pages)]
    came = sum(len(page["results"]) for page in read(capture))
    assert capture.reason == f"/works: {came} works came, 5 were announced"
    assert len(capture.exchanges) == len(pages)


def test_all_works_that_were_announced_are_complete(ask: Ask) -> None:
    with misbehaving(works(5, (2, "b"), (3, "c"), (0, None))) as server:
        assert ask("openalex", server.url).complete
        assert len(server.seen) == 3


def test_a_cursor_that_repeats_ends_the_scrape(ask: Ask) -> None:
    with misbehaving(works(50, (2, "b"), (2, "b"))) as server:
        capture = ask("openalex", server.url)
        assert len(server.seen) == 2
    assert capture.reason == "/works: the next cursor repeats after 4 of 50 works"


class Patience(requests.Session):
    """A session that gives up after so many questions, answered from the journal or not."""

    def __init__(self, inner: requests.Session, most: int) -> None:
        super().__init__()
        self._inner, self._left = inner, most

    def get(self, url: Any, **options: Any) -> requests.Response:
        self._left -= 1
        assert self._left >= 0, f"still asking: {url}"
        return self._inner.get(url, **options)


@dataclass
class PatientScrape(Scrape):
    """A scrape whose questions are counted: an endless one fails instead of hanging."""

    def session(self) -> requests.Session:
        return Patience(super().session(), most=20)


def test_cursors_that_go_round_in_a_circle_end_the_scrape(ask: Ask) -> None:
    with misbehaving(works(50, (2, "b"), (2, "c"), (2, "b"))) as server:
        settings = impatient()
        endpoint = ask.endpoint("openalex", server.url)
        adapter = RecordingAdapter(endpoint, ask.journal("openalex"), settings.http, RateLimiter("openalex", 0.0))
        scrape = PatientScrape("openalex", settings.window(BUSY), settings, adapter)
        source_module("openalex").fetch(scrape)
    (reason,) = scrape.shortfalls
    assert "cursor repeats" in reason


@pytest.mark.parametrize(
    "count",
    [
        pytest.param("many"),
        pytest.param([1]),
    ],
)
def test_a_count_that_is_no_number_is_incomplete_not_raised(count: Any, ask: Ask) -> None:
    with misbehaving(works(count, (2, None))) as server:
        assert not ask("openalex", server.url).complete


# --- arXiv ---------------------------------------------------------------------------------------------


def feed(total: Any, entries: int, first: int = 0) -> Answer:
    """A page of so many papers, numbered from `first`."""
    numbers = range(first, first + entries)
    entry = "".join(f"<entry><id>http://arxiv.org/abs/1903.{n:05}v1</id></entry>" for n in numbers)
    body = (
        '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns="http://www.w3.org/2005/Atom">'
        f"<opensearch:totalResults>{total}</opensearch:totalResults>{entry}</feed>"
    )
    return Answer(200, body.encode(), {"Content-Type": "application/atom+xml"})


TEN_A_PAGE = {"arxiv": {"page_size": 10}}


def test_an_empty_page_in_the_middle_is_asked_again_once_and_then_incomplete(ask: Ask) -> None:
    with misbehaving([feed(25, 10), feed(25, 0), feed(25, 0)]) as server:
        capture = ask("arxiv", server.url, sources=TEN_A_PAGE)
        asked = [(r.parameters["start"], r.parameters["max_results"]) for r in server.seen]
    assert asked == [("0", "10"), ("10", "10"), ("10", "9")]
    assert capture.reason == "/api/query: page at 10 of 25 results is empty"
    assert len(capture.exchanges) == 3


def test_an_empty_page_that_is_there_when_asked_again_does_not_show(ask: Ask) -> None:
    with misbehaving([feed(25, 10), feed(25, 0), feed(25, 9, 10), feed(25, 6, 19)]) as server:
        assert ask("arxiv", server.url, sources=TEN_A_PAGE).complete
        assert [r.parameters["start"] for r in server.seen] == ["0", "10", "10", "19"]


def test_a_page_that_is_too_short_is_followed_by_what_it_left_out(ask: Ask) -> None:
    with misbehaving([feed(25, 10), feed(25, 3, 10), feed(25, 10, 13), feed(25, 2, 23)]) as server:
        assert ask("arxiv", server.url, sources=TEN_A_PAGE).complete
        assert [r.parameters["start"] for r in server.seen] == ["0", "10", "13", "23"]


def span(request: Seen) -> tuple[datetime, datetime]:
    """The minutes that an arXiv query asks for, first and last."""
    first, _, last = request.parameters["search_query"].rpartition("[")[2].rstrip("]").partition(" TO ")
    return datetime.strptime(f"{first}+0000", "%Y%m%d%H%M%z"), datetime.strptime(f"{last}+0000", "%Y%m%d%H%M%z")


@pytest.mark.parametrize("day", [OPENING, BUSY], ids=["many years", "a day"])
def test_a_span_with_too_many_papers_is_cut_by_date_without_gap_or_overlap(day: date, ask: Ask) -> None:
    window = load_settings().window(day)
    longest = (window.end - window.start) / 3

    def play(request: Seen) -> Step:
        first, last = span(request)
        return feed(DEEPEST_OFFSET + 1, 1) if last - first > longest else feed(1, 1)

    with misbehaving(play) as server:
        assert ask("arxiv", server.url, day).complete
        asked = [span(request) for request in server.seen]
    minute = timedelta(minutes=1)
    assert asked[0] == (window.start, window.end - minute)
    final = [(first, last) for first, last in asked if last - first <= longest]
    assert len(asked) == 7  # the whole, two halves, four quarters
    assert len(final) == 4
    assert final[0][0] == window.start
    assert final[-1][1] == window.end - minute
    assert all(one[1] + minute == other[0] for one, other in pairwise(final))


def test_a_span_with_as_many_papers_as_can_be_paged_through_is_not_cut(ask: Ask) -> None:
    def page(request: Seen) -> Step:
        first = int(request.parameters["start"])
        return feed(DEEPEST_OFFSET, min(2000, DEEPEST_OFFSET - first), first)

    with misbehaving(page) as server:
        assert ask("arxiv", server.url, sources={"arxiv": {"page_size": 2000}}).complete
        assert [r.parameters["start"] for r in server.seen] == ["0", "2000", "4000", "6000", "8000"]


def test_a_total_that_is_always_too_high_is_incomplete_not_raised(ask: Ask) -> None:
    with misbehaving(lambda _: feed(DEEPEST_OFFSET + 1, 1)) as server:
        assert not ask("arxiv", server.url).complete


def test_a_total_that_is_no_number_is_incomplete_not_raised(ask: Ask) -> None:
    with misbehaving(lambda _: feed("many", 1)) as server:
        assert not ask("arxiv", server.url).complete


def test_a_feed_that_is_an_error_is_incomplete(ask: Ask) -> None:
    entry = b"<entry><id>https://arxiv.org/api/errors#bad</id><title>Error</title><summary>bad</summary></entry>"
    wrong = feed(1, 0)
    with misbehaving([Answer(200, wrong.body.replace(b"</feed>", entry + b"</feed>"), wrong.headers)]) as server:
        assert not ask("arxiv", server.url).complete


@pytest.mark.parametrize(("minutes", "halves"), [(2, (1, 1)), (3, (1, 2)), (1440, (720, 720)), (61, (30, 31))])
def test_halves_meet_at_a_whole_minute(minutes: int, halves: tuple[int, int]) -> None:
    start = load_settings().window(BUSY).start
    (first, middle), (again, last) = split(start, start + timedelta(minutes=minutes))
    assert (first, middle, last) == (start, again, start + timedelta(minutes=minutes))
    assert ((middle - first).total_seconds() / 60, (last - middle).total_seconds() / 60) == halves


@pytest.mark.parametrize("seconds", [1, 59, 60, 90])
def test_a_minute_cannot_be_cut(seconds: int) -> None:
    start = load_settings().window(BUSY).start
    with pytest.raises(ValueError, match="cannot split"):
        split(start, start + timedelta(seconds=seconds))
    with pytest.raises((ValueError, Incomplete), match="cannot split"):
        sliced(start, start + timedelta(seconds=seconds), lambda *_: False)


# --- GitHub --------------------------------------------------------------------------------------------


def created(request: Seen) -> tuple[datetime, datetime]:
    """First and last second of a search by date of creation."""
    query = request.parameters["q"].partition("created:")[2]
    first, _, last = query.partition("..")
    return datetime.fromisoformat(first), datetime.fromisoformat(last)


ONE_TOPIC = [SWARM_INTELLIGENCE.model_copy(update={"github_topics": ("swarm-intelligence",)})]


def found(total: int, *names: str, incomplete: bool = False) -> Answer:
    items = [{"id": number, "full_name": name, "fork": False} for number, name in enumerate(names, start=1)]
    return as_json({"total_count": total, "incomplete_results": incomplete, "items": items})


def test_a_search_with_too_many_repositories_is_cut_by_date_without_gap_or_overlap(ask: Ask) -> None:
    window = load_settings().window(OPENING)
    longest = (window.end - window.start) / 3

    def play(request: Seen) -> Step:
        if "created:" not in request.parameters["q"]:
            return found(0)
        first, last = created(request)
        return found(MOST_SEARCH_RESULTS + 1, "some/one") if last - first > longest else found(0)

    with misbehaving(play) as server:
        assert ask("github", server.url, OPENING, topics=ONE_TOPIC).complete
        asked = list(dict.fromkeys(created(r) for r in server.seen if "created:" in r.parameters["q"]))
    second = timedelta(seconds=1)
    final = [(first, last) for first, last in asked if last - first <= longest]
    assert len(asked) == 7
    assert len(final) == 4
    assert (final[0][0], final[-1][1]) == (window.start, window.end - second)
    assert all(one[1] + second == other[0] for one, other in pairwise(final))


def test_a_total_that_is_too_high_for_a_minute_is_incomplete_not_raised(ask: Ask) -> None:
    with misbehaving(lambda _: found(MOST_SEARCH_RESULTS + 1, "some/one")) as server:
        assert not ask("github", server.url).complete


def test_too_many_pushed_repositories_are_cut_or_incomplete_but_not_left_out(ask: Ask) -> None:
    def play(request: Seen) -> Step:
        query = request.parameters.get("q", "")
        if "pushed:" in query and "T00:00:00Z" in query and "T23:59:59Z" in query:
            return found(MOST_SEARCH_RESULTS + 1, "some/one")
        return found(0) if query else as_json([])

    with misbehaving(play) as server:
        capture = ask("github", server.url, topics=ONE_TOPIC)
        pushed = {r.parameters["q"] for r in server.seen if "pushed:" in r.parameters.get("q", "")}
    assert len(pushed) > 1 or not capture.complete


def test_a_search_that_timed_out_at_the_service_is_incomplete(ask: Ask) -> None:
    def play(request: Seen) -> Step:
        return found(1, "some/one", incomplete=True) if "q" in request.parameters else as_json([])

    with misbehaving(play) as server:
        assert not ask("github", server.url, topics=ONE_TOPIC).complete


def test_fewer_repositories_than_announced_are_incomplete(ask: Ask) -> None:
    with misbehaving(lambda request: found(5, "some/one") if "q" in request.parameters else as_json([])) as server:
        assert not ask("github", server.url, topics=ONE_TOPIC).complete


def test_a_repository_is_asked_about_once_however_often_it_is_found(ask: Ask) -> None:
    def play(request: Seen) -> Step:
        return found(1, "some/one") if "q" in request.parameters else as_json([])

    with misbehaving(play) as server:
        assert ask("github", server.url).complete
        searched = {r.parameters["q"] for r in server.seen if "q" in r.parameters}
        others = [r.path for r in server.seen if "q" not in r.parameters]
    assert len(searched) == 2 * len(TAGS)  # created and pushed
    assert others == ["/github/repos/some/one/contents/"]


def test_pushes_are_not_asked_for_once_the_day_is_long_past(ask: Ask) -> None:
    settings = impatient(topics=ONE_TOPIC)
    with misbehaving(lambda _: found(0)) as server:
        endpoint = Endpoint(f"{server.url}/github", "sample://github", lambda: answer_time(BUSY + timedelta(days=3)))
        assert collect("github", settings.window(BUSY), settings, endpoint, ask.journal("github")).complete
        assert {"pushed:" in request.parameters["q"] for request in server.seen} == {False}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "Repository access blocked"),
        (404, "Not Found"),
        pytest.param(
            404,
            "This repository is empty.",
        ),
        (409, "Git Repository is empty."),
        (451, "Repository access blocked"),
    ],
)
def test_a_repository_that_is_gone_or_blocked_is_a_fact_and_the_others_go_on(
    status: int, message: str, ask: Ask
) -> None:
    blocked = "NiaOrg/NiaPy"

    def changed(request: Seen) -> Step | None:
        gone = request.path.startswith(f"/github/repos/{blocked}/contents")
        return as_json({"message": message}, status=status) if gone else None

    with serve(BUSY) as sample:
        expected = Ask(ask.folder / "undisturbed")("github", sample)
        with misbehaving(counting(relay(sample), changed)) as server:
            capture = ask("github", server.url)
    assert capture.complete, capture.reason
    ours = f"sample://github/repos/{blocked}/"
    kept = [(e.url, e.status) for e in capture.exchanges if e.url.startswith(ours)]
    assert kept == [(f"{ours}contents/", status)]
    others = [e for e in expected.exchanges if not e.url.startswith(ours)]
    assert [e for e in capture.exchanges if not e.url.startswith(ours)] == others
    assert any("/repos/" in e.url for e in others)


def test_a_repository_that_cannot_be_reached_is_counted_and_the_others_go_on(ask: Ask) -> None:
    blocked = "/github/repos/NiaOrg/NiaPy/"
    with serve(BUSY) as sample:
        expected = Ask(ask.folder / "undisturbed")("github", sample)

        def changed(request: Seen) -> Step | None:
            return Answer(502) if request.path.startswith(blocked) else None

        with misbehaving(counting(relay(sample), changed)) as server:
            capture = ask("github", server.url)
    assert capture.reason == f"NiaOrg/NiaPy: {server.url}/github: HTTP 502 after 2 attempts"
    ours = f"sample:/{blocked}"
    assert [e for e in capture.exchanges if ours not in e.url] == [e for e in expected.exchanges if ours not in e.url]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("coevo-sample/NiaPy", id="the page of a fork"),
        pytest.param("NiaOrg/NiaPy/readme", id="a README that is a folder or gone"),
        pytest.param("NiaOrg/NiaPy/contents/requirements.txt", id="a manifest that is gone since"),
    ],
)
@pytest.mark.parametrize("status", [403, 404, 451])
def test_a_part_of_a_repository_that_is_refused_does_not_stop_the_others(path: str, status: int, ask: Ask) -> None:
    hit = 0

    def changed(request: Seen) -> Step | None:
        nonlocal hit
        hit += request.path == f"/github/repos/{path}"
        return as_json({"message": "no"}, status=status) if request.path == f"/github/repos/{path}" else None

    with serve(BUSY) as sample:
        expected = Ask(ask.folder / "undisturbed")("github", sample)
        with misbehaving(counting(relay(sample), changed)) as server:
            capture = ask("github", server.url)
    assert hit == 1
    refused = [e.url for e in capture.exchanges if e.status == status]
    assert refused == [f"sample://github/repos/{path}"]
    assert {e.url for e in capture.exchanges} == {e.url for e in expected.exchanges}


def test_more_than_three_shortfalls_are_counted(ask: Ask) -> None:
    names = [f"some/r{number}" for number in range(5)]

    def play(request: Seen) -> Step:
        return found(5, *names) if "q" in request.parameters else Answer(500)

    with misbehaving(play) as server:
        capture = ask("github", server.url, topics=ONE_TOPIC)
    assert [part.partition(":")[0] for part in capture.reason.split("; ")] == [*names[:3], "and 2 more"]


@pytest.mark.parametrize("every", [1, 5])
def test_a_source_that_dies_among_its_items_is_not_asked_for_hundreds_more(every: int, ask: Ask) -> None:
    """Each would be tried with all its pauses. Where some are answered in between, all are asked for."""
    names = [f"some/r{number:02}" for number in range(30)]

    def play(request: Seen) -> Step:
        if "q" in request.parameters:
            return found(30, *names)
        number = int(request.path.removesuffix("/contents/")[-2:])
        return as_json([]) if every > 1 and number % every == 0 else Answer(500)

    with misbehaving(play) as server:
        capture = ask("github", server.url, topics=ONE_TOPIC)
        items = {request.path for request in server.seen if "q" not in request.parameters}
        assert len(server.seen) < 100
    assert capture.resumable
    if every == 1:
        assert len(items) == 10
        assert capture.reason.startswith("10 items in a row failed, the rest was not asked for; some/r00: ")
    else:
        assert len(items) == 30
        assert capture.reason.endswith("and 21 more")


@pytest.mark.parametrize("name", ["arxiv", "openalex"])
def test_a_refusal_of_many_lines_is_one_line_of_the_reason(name: str, ask: Ask) -> None:
    page = b"<html>\n<body>\n\n  <h1>Bad\trequest</h1>" + b"\xff<p>no</p>\n" * 100_000
    with misbehaving([Answer(400, page, {"Content-Type": "text/html; charset=nonsense"})]) as server:
        capture = ask(name, server.url)
    assert "HTTP 400: <html> <body> <h1>Bad request</h1>" in capture.reason
    assert len(capture.reason) < 300


# --- Hugging Face --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["models", "datasets", "spaces"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_listing_that_is_refused_is_incomplete_and_named(kind: str, status: int, ask: Ask) -> None:
    def changed(request: Seen) -> Step | None:
        refused = request.path == f"/huggingface/api/{kind}"
        return as_json({"error": "Invalid credentials"}, status=status) if refused else None

    with serve(BUSY) as sample, misbehaving(counting(relay(sample), changed)) as server:
        capture = ask("huggingface", server.url)
    assert capture.reason.startswith(f"/api/{kind}?filter=swarm-intelligence: ")
    assert str(status) in capture.reason
    assert "\n" not in capture.reason
    asked = {urlsplit(exchange.url).path: exchange.status for exchange in capture.exchanges}
    assert {path.rpartition("/")[2]: answered for path, answered in asked.items() if "/api/" in path} == {
        one: status if one == kind else 200 for one in ("models", "datasets", "spaces")
    }


def test_a_topic_that_is_refused_costs_no_other_topic(ask: Ask) -> None:
    topics = [
        {"name": name, "terms": [f"{name} words"], "github_topics": [name], "huggingface_tags": [name]}
        for name in ("bad", "good")
    ]

    def play(request: Seen) -> Step:
        if "bad" in unquote(request.target):
            return as_json({"message": "no"}, status=422)
        return as_json({"meta": {"count": 0, "next_cursor": None}, "results": [], "total_count": 0, "items": []})

    for name in ("openalex", "github"):
        with misbehaving(play) as server:
            capture = ask(name, server.url, topics=topics)
        assert "422" in capture.reason and not capture.complete
        assert any("good" in exchange.url and exchange.status == 200 for exchange in capture.exchanges)


def test_openalex_whose_pages_have_no_end_is_left(ask: Ask) -> None:
    def endless(_: Seen) -> Step:
        number = len(server.seen)
        results = [{"id": f"https://openalex.org/W{number}"}]
        return as_json({"meta": {"count": 5, "next_cursor": f"c{number}"}, "results": results})

    with misbehaving(endless) as server:
        capture = ask("openalex", server.url)
        assert len(server.seen) == 7
    assert "5 were announced, and there is no end" in capture.reason


def test_a_listing_is_followed_by_its_links_only_down_to_the_window(ask: Ask) -> None:
    with serve(BUSY) as sample, misbehaving(relay(sample)) as server:
        ask("huggingface", server.url, BUSY)
        daily = [r for r in server.seen if r.path == "/huggingface/api/models"]
    with serve(OPENING) as sample, misbehaving(relay(sample)) as server:
        ask("huggingface", server.url, OPENING)
        opening = [r for r in server.seen if r.path == "/huggingface/api/models"]
    assert len(daily) == 1
    assert len(opening) == -(-len(World(OPENING).hub("models")) // 4)
    assert opening[1].parameters["cursor"] == "4"


@pytest.mark.parametrize("status", [401, 403, 404, 451])
def test_a_card_that_is_gated_or_gone_is_a_fact_and_the_others_go_on(status: int, ask: Ask) -> None:
    gated = "/huggingface/datasets/coevo-sample/ant-trail-maps/raw/main/README.md"
    with serve(BUSY) as sample:
        expected = Ask(ask.folder / "undisturbed")("huggingface", sample)

        def changed(request: Seen) -> Step | None:
            return Answer(status, b"Access is restricted") if request.path == gated else None

        with misbehaving(counting(relay(sample), changed)) as server:
            capture = ask("huggingface", server.url)
    assert capture.complete, capture.reason
    assert [e.status for e in capture.exchanges if e.url == f"sample:/{gated}"] == [status]
    assert len(capture.exchanges) == len(expected.exchanges)


def test_a_card_that_cannot_be_reached_is_counted_and_the_others_go_on(ask: Ask) -> None:
    lost = "/huggingface/datasets/coevo-sample/ant-trail-maps/raw/main/README.md"
    with serve(BUSY) as sample:
        expected = Ask(ask.folder / "undisturbed")("huggingface", sample)
        with misbehaving(counting(relay(sample), lambda r: Reset() if r.path == lost else None)) as server:
            capture = ask("huggingface", server.url)
    assert capture.reason.startswith(f"datasets/coevo-sample/ant-trail-maps: {server.url}/huggingface: ")
    assert {e.url for e in capture.exchanges} == {e.url for e in expected.exchanges}
    assert [e.url for e in capture.exchanges if not e.ok] == [f"sample:/{lost}"]


def test_a_card_that_moved_is_followed_and_both_exchanges_are_kept(ask: Ask) -> None:
    old = "/huggingface/datasets/coevo-sample/ant-trail-maps/raw/main/README.md"
    new = "/huggingface/datasets/coevo-sample/new-name/raw/main/README.md"

    def changed(request: Seen) -> Step | None:
        if request.path == old:
            return Answer(307, b"", {"Location": new})
        return Answer(200, b"moved here") if request.path == new else None

    with serve(BUSY) as sample, misbehaving(counting(relay(sample), changed)) as server:
        capture = ask("huggingface", server.url)
    assert capture.complete, capture.reason
    kept = [(e.url, e.status) for e in capture.exchanges if e.url.endswith((old[12:], new[12:]))]
    assert kept == [(f"sample:/{old}", 307), (f"sample:/{new}", 200)]


def test_a_card_that_redirects_for_ever_does_not_stop_the_others(ask: Ask) -> None:
    lost = "/huggingface/datasets/coevo-sample/ant-trail-maps/raw/main/README.md"

    def changed(request: Seen) -> Step | None:
        return Answer(307, b"", {"Location": lost}) if request.path == lost else None

    with serve(BUSY) as sample, misbehaving(counting(relay(sample), changed)) as server:
        capture = ask("huggingface", server.url)
    assert not capture.complete
    assert sum(path.endswith("README.md") for path in paths(capture.exchanges)) == 3


@pytest.mark.parametrize(
    "odd",
    [
        {"createdAt": None},
        {"createdAt": "soon"},
        {"createdAt": 5},
        {"id": 7},
        {"id": None},
        {"lastModified": "soon"},
        {"siblings": [1]},
        {"safetensors": {"total": 1}},
        {"transformersInfo": {"new_field": 1}},
        {"inferenceProviderMapping": 5},
    ],
    ids=json.dumps,
)
def test_an_odd_item_of_a_listing_costs_no_other(ask: Ask, odd: dict[str, Any]) -> None:
    first, second = ({"id": f"a/{name}", "createdAt": f"{BUSY}T10:00:00.000Z"} for name in "xy")

    def play(request: Seen) -> Step:
        if request.path.endswith("README.md"):
            return Answer(200, b"# A card")
        return as_json([first | odd, second] if request.path.endswith("/api/models") else [])

    with misbehaving(play) as server:
        capture = ask("huggingface", server.url)
    assert capture.complete, capture.reason
    assert paths(capture.exchanges)[-1].endswith("/a/y/raw/main/README.md")


@pytest.mark.parametrize(
    ("name", "empty", "sent"),
    [
        ("arxiv", feed(0, 0), '(all:"say hi" OR all:"a, b") AND submittedDate:'),
        ("openalex", as_json({"meta": {"count": 0}, "results": []}), 'search:"say hi"|"a b",from_'),
        ("semanticscholar", as_json({"total": 0, "data": []}), '"say hi" | "a, b"'),
        ("crossref", as_json({"message": {"items": [], "total-results": 0}}), "a, b"),
    ],
)
def test_a_topic_without_words_is_not_asked_for_and_no_word_breaks_the_question(
    ask: Ask, name: str, empty: Answer, sent: str
) -> None:
    code = {"name": "code", "terms": ["", " "], "github_topics": ["x"]}
    topics = [code, {"name": "said", "terms": ['say "hi"', "a, b"]}]
    with misbehaving(lambda _: empty) as server:
        capture = ask(name, server.url, topics=topics)
    assert capture.complete, capture.reason
    assert {exchange.topic for exchange in capture.exchanges} == {"said"}
    assert sent in " ".join(" ".join(request.parameters.values()) for request in server.seen)


ODD_REPOSITORY = {"full_name": "a/b", "id": 1, "created_at": f"{BUSY}T10:00:00Z", "fork": False}


@pytest.mark.parametrize(
    ("items", "listed"),
    [
        ([ODD_REPOSITORY | {"fork": "yes"}], []),
        ([ODD_REPOSITORY | {"full_name": None}], []),
        ([ODD_REPOSITORY | {"owner": 5}], []),
        ([ODD_REPOSITORY], [1]),
        ([ODD_REPOSITORY], [{"name": 5, "type": "file"}]),
        ([ODD_REPOSITORY], [{"name": None, "type": "file"}]),
    ],
    ids=json.dumps,
)
def test_what_the_client_cannot_read_is_a_shortfall_and_not_the_end(ask: Ask, items: Any, listed: Any) -> None:
    def play(request: Seen) -> Step:
        if "/search/" in request.path:
            return as_json({"total_count": len(items), "incomplete_results": False, "items": items})
        is_listing = request.path.endswith("/a/b/contents/")
        return as_json(listed) if is_listing else as_json({"message": "Not Found"}, status=404)

    with misbehaving(play) as server:
        capture = ask("github", server.url)
    assert "PyGithub cannot read" in capture.reason
    assert not capture.resumable


def test_the_client_is_left_as_it_was_found(ask: Ask) -> None:
    """The Hub's client and PyGithub's connections are set for a scrape only, also when it fails."""
    from github import Requester
    from huggingface_hub.utils import _http

    before = _http._GLOBAL_CLIENT_FACTORY
    connection = Requester.Requester._Requester__httpConnectionClass  # type: ignore[attr-defined]
    with nobody() as url:
        for name in ("huggingface", "github"):
            assert not ask(name, url).complete
    assert _http._GLOBAL_CLIENT_FACTORY is before
    assert Requester.Requester._Requester__httpConnectionClass is connection  # type: ignore[attr-defined]


def test_the_sample_opens_where_these_tests_think_it_does() -> None:
    assert OPENING == SAMPLE_START
