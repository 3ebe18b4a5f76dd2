"""Every source against every way in which a server misbehaves: what is asked, what is kept, what the lake says of it.

Each scrape gets two good answers and then the same misfortune for every request. The row says how often the third
request is tried, what the partition's note says, and whether the next run asks only for the rest.
"""

from __future__ import annotations

import gzip
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest

from coevo_pipelines.lake.schemas import SOURCES
from coevo_pipelines.lake.store import Lake, Written
from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes.assets import scrape_assets
from coevo_pipelines.scrapes.capture import scrape_day
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.scrapes.misbehaving import (
    Answer,
    CutOff,
    Drip,
    Huge,
    Reset,
    Seen,
    Server,
    Silence,
    Step,
    as_json,
    misbehaving,
    relay,
    truncated_gzip,
)

DAY = date(2019, 3, 25)
ELSEWHERE = frozenset({"register", "hubs", "gbif", "nasa_power"})
"""They are no lists of one service, and have their misfortunes in tests of their own: a hub that cannot be read is told
to its index, and the others are asked all the same; GBIF and NASA POWER are asked about places, one by one."""
NAMES = tuple(name for name in SOURCES if name not in ELSEWHERE)
XML = frozenset({"arxiv", "arxiv_oai"})
PAGE_SIZES = {"arxiv": 10, "arxiv_oai": 500, "openalex": 30, "crossref": 20, "github": 2, "semanticscholar": 20}
TOPIC = {
    "name": "swarm",
    "terms": ["particle swarm"],
    "github_topics": ["particle-swarm-optimization"],
    "huggingface_tags": ["swarm-intelligence"],
}
GOOD_ANSWERS = 2
RETRIES = 2
TRIES = RETRIES + 1
BACKOFF_S = 0.04
GOES_ON = r"; goes on after \d{4}-\d\d-\d\d \d\d:\d\d UTC$"


@dataclass(frozen=True)
class Row:
    """`step` is made when it is played. `tries` is how often a request is sent that meets it."""

    step: Callable[[Seen], Step]
    tries: int
    says: str
    least_pause_s: Sequence[float] = ()
    resumes: bool = True
    only: frozenset[str] = frozenset(NAMES)


def row(
    step: Step, tries: int, says: str, *pauses: float, resumes: bool = True, only: frozenset[str] | None = None
) -> Row:
    return Row(lambda _: step, tries, says, pauses, resumes, frozenset(NAMES) if only is None else only)


def epoch(seconds: int) -> str:
    return str(int(time.time()) + seconds)


def date_in(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


OWN = [BACKOFF_S * 2**attempt for attempt in range(RETRIES)]
SECONDARY = as_json({"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}, status=403)
HTML = Answer(503, b"<html><body>\n<h1>503</h1>\nNo server is available</body></html>", {"Content-Type": "text/html"})
ATOM = b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>a feed</title></feed>'
LATIN_XML = '<?xml version="1.0" encoding="UTF-8"?><feed><title>Gödel</title></feed>'.encode("latin-1")
BOMB = Answer(200, gzip.compress(bytes(3 << 20)), {"Content-Encoding": "gzip"})
JSON = frozenset(NAMES) - XML
CLIENTS = frozenset({"arxiv", "github", "huggingface"})
"""One source of each client, for what takes seconds: the pauses are those of the session that all share."""

ROWS = {
    "429 without Retry-After": row(Answer(429, b"Rate exceeded."), TRIES, "HTTP 429 after 3 attempts$", *OWN),
    "429 with seconds": row(
        Answer(429, b"", {"Retry-After": "1"}), TRIES, "HTTP 429 after 3 attempts$", 1.0, 1.0, only=CLIENTS
    ),
    "429 with many seconds": row(
        Answer(429, b"", {"Retry-After": "54000"}),
        1,
        rf"HTTP 429, asks to wait 54000 s \(cap 5 s\) after 1 attempt{GOES_ON}",
    ),
    "429 with a date": Row(
        lambda _: Answer(429, b"", {"Retry-After": date_in(2)}), TRIES, "HTTP 429 after 3 attempts$", (0.8,),
        only=CLIENTS,
    ),
    "429 with a date tomorrow": Row(
        lambda _: Answer(429, b"", {"Retry-After": date_in(86_400)}), 1, rf"HTTP 429, asks to wait 86\d+ s.*{GOES_ON}"
    ),
    "429 of Hugging Face": row(Answer(429, b"", {"RateLimit": '"api";r=0;t=222'}), 1, rf"wait 223 s.*{GOES_ON}"),
    "429 of OpenAlex": row(
        Answer(429, b"{}", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "41741"}), 1, rf"wait 41742 s.*{GOES_ON}"
    ),
    "403 of GitHub's hour": Row(
        lambda _: Answer(403, b"{}", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": epoch(3000)}), 1,
        rf"HTTP 403, asks to wait 300\d s.*{GOES_ON}",
    ),
    "403 secondary": row(SECONDARY, 1, rf"HTTP 403, asks to wait 60 s \(cap 5 s\) after 1 attempt{GOES_ON}"),
    "403 secondary with Retry-After": row(
        Answer(403, SECONDARY.body, {"Retry-After": "1"}), TRIES, "HTTP 403 after 3 attempts$", 1.0, 1.0, only=CLIENTS
    ),
    "500": row(Answer(500), TRIES, "HTTP 500 after 3 attempts$", *OWN),
    "502": row(Answer(502, b"<html>Unicorn!</html>"), TRIES, "HTTP 502 after 3 attempts$", *OWN),
    "503 with a page": row(HTML, TRIES, "HTTP 503 after 3 attempts$", *OWN),
    "504": row(Answer(504, b"stream timeout"), TRIES, "HTTP 504 after 3 attempts$", *OWN),
    "406 of arXiv's edge": row(Answer(406), TRIES, "HTTP 406 after 3 attempts$", *OWN, only=XML),
    "reset": row(Reset(), TRIES, "after 3 attempts$", *OWN),
    "reset in the middle": row(CutOff(b'{"results": []}', 5, reset=True), TRIES, "after 3 attempts$", *OWN),
    "cut off": row(CutOff(b'{"results": []}', 5), TRIES, "after 3 attempts$", *OWN),
    "truncated gzip": row(truncated_gzip(b'{"results": []}' * 99), TRIES, "lacks its end.*after 3 attempts$", *OWN),
    "silence": row(Silence(), TRIES, "timed out.* after 3 attempts$", *OWN, only=CLIENTS),
    "slow drip": row(Drip(bytes(4000), 0.05), TRIES, r"longer than 0.8 s .* after 3 attempts$", *OWN, only=CLIENTS),
    "slow headers": row(
        Drip(b"", 0.05, "headers"), TRIES, r"longer than 0.8 s .* after 3 attempts$", *OWN, only=CLIENTS
    ),
    "too large": row(Huge(3), 1, r"longer than 1 MB \(http.max_body_mb\)$"),
    "too large in chunks": row(Huge(3, chunked=True), 1, r"longer than 1 MB \(http.max_body_mb\)$"),
    "gzip bomb": row(BOMB, 1, r"longer than 1 MB \(http.max_body_mb\)$"),
    "JSON for XML": row(as_json({"results": []}), TRIES, "HTTP 200: .* after 3 attempts$", *OWN, only=XML),
    "XML for JSON": row(Answer(200, ATOM), TRIES, "HTTP 200: .* after 3 attempts$", *OWN, only=JSON),
    "a page for people": row(Answer(200, b"<html>Down</html>"), TRIES, "HTTP 200: .* after 3 attempts$", *OWN),
    "nothing": row(Answer(200, b""), TRIES, "HTTP 200: .* after 3 attempts$", *OWN),
    "another charset in XML": row(Answer(200, LATIN_XML), TRIES, "HTTP 200: .* after 3 attempts$", *OWN, only=XML),
    "another charset in JSON": row(
        Answer(200, '{"title": "Gödel", "results": []}'.encode("latin-1")),
        TRIES,
        "HTTP 200: .* after 3 attempts$",
        *OWN,
        only=JSON,
    ),
    "an endless redirect": Row(
        lambda request: Answer(302, b"", {"Location": request.target}), 1, "redirect", resumes=False
    ),
    **{
        f"{status}": row(Answer(status, b"no,\nnever"), 1, f"{status}", resumes=False)
        for status in (400, 401, 404, 410, 422, 451)
    },
}  # fmt: skip


SLOW = frozenset({"silence", "slow drip", "slow headers"})


def settings_for(name: str, root: Path, url: str, *, hasty: bool = False) -> Settings:
    source = {"base_url": f"{url}/{name}", "min_interval_s": 0, "enabled": True, "page_size": PAGE_SIZES.get(name, 100)}
    off = {other: {"enabled": False} for other in SOURCES if other != name}
    http = {
        "retries": RETRIES,
        "backoff_s": BACKOFF_S,
        "retry_after_cap_s": 5.0,
        "read_timeout_s": 0.7 if hasty else 30.0,
        "answer_timeout_s": 0.8 if hasty else 30.0,
        "max_body_mb": 1,
    }
    return load_settings(
        source="live", lake=root, start_date=DAY, history_from=date(1980, 1, 1), topics=[TOPIC],
        sources={**off, name: source}, http=http,
    )  # fmt: skip


@dataclass
class Stage:
    """A server in front of the sample that is well or unwell, and the lake that is filled from it."""

    name: str
    server: Server
    lake: Lake
    step: Callable[[Seen], Step] | None = None
    asked: int = 0

    def scrape(self, step: Callable[[Seen], Step] | None = None, *, hasty: bool = False) -> Written:
        self.step, self.asked = step, 0
        self.server.seen.clear()
        settings = settings_for(self.name, self.lake.root, self.server.url, hasty=hasty)
        return scrape_day(self.name, DAY, self.lake, settings)

    def rows(self, capture: int) -> list[dict[str, Any]]:
        found = self.lake.scan(f"scrapes.{self.name}", on=DAY).collect().filter(capture=capture)
        return found.sort("sequence").to_dicts()


@contextmanager
def stage(name: str, folder: Path) -> Iterator[Stage]:
    with serve(DAY) as sample:
        through = relay(sample)

        def play(request: Seen) -> Step:
            made.asked += 1
            return made.step(request) if made.step and made.asked > GOOD_ANSWERS else through(request)

        with misbehaving(play) as server:
            made = Stage(name, server, Lake(folder / "lake"))
            yield made


@cache
def undisturbed(name: str) -> list[tuple[str, str]]:
    """Digest and path of every answer of a scrape that nothing disturbs."""
    with TemporaryDirectory() as folder, stage(name, Path(folder)) as calm:
        written = calm.scrape()
        assert written.commit.complete, written.commit.note
        return [(answer["body_sha256"], path(answer["url"])) for answer in calm.rows(1)]


def path(url: str) -> str:
    """Without the port."""
    return url.partition("://")[2].partition("/")[2]


@pytest.fixture(autouse=True)
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


CASES = [(name, what) for what, row in ROWS.items() for name in NAMES if name in row.only]


@pytest.mark.parametrize(("name", "what"), CASES, ids=[f"{name}: {what}" for name, what in CASES])
def test_a_misfortune_midway_is_told_and_costs_nothing_that_was_answered(
    name: str, what: str, tmp_path: Path, counts: Path
) -> None:
    case, whole = ROWS[what], undisturbed(name)
    assert len(whole) > GOOD_ANSWERS + 1
    with stage(name, tmp_path) as unwell:
        written = unwell.scrape(case.step, hasty=what in SLOW)
        seen = list(unwell.server.seen)
        # As often as it is worth, with pauses, and then no more.
        questions = {(request.target, request.body) for request in seen[GOOD_ANSWERS:]}
        assert len(seen) == GOOD_ANSWERS + case.tries * len(questions)
        # A refusal says nothing of the Hub's other lists and of its cards.
        assert len(questions) == 1 or (name == "huggingface" and not case.resumes)
        gaps = [later.at - earlier.at for earlier, later in pairwise(seen[GOOD_ANSWERS:])]
        assert all(gap >= least - 0.005 for gap, least in zip(gaps, case.least_pause_s, strict=False)), gaps
        # The partition says what it is, in one line.
        assert not written.commit.complete
        assert "\n" not in written.commit.note
        assert re.search(case.says, written.commit.note), written.commit.note
        # Nothing that was answered is lost, and what failed is on record.
        good, bad = unwell.rows(1)[:GOOD_ANSWERS], unwell.rows(1)[GOOD_ANSWERS:]
        assert {answer["body_sha256"] for answer in good} <= {digest for digest, _ in whole}
        assert len(good) == GOOD_ANSWERS and len(bad) == len(questions)
        assert all(answer["error"] is not None or answer["status"] >= 300 for answer in bad)
        # The next run, when all is well, asks for the rest only.
        shutil.rmtree(counts, ignore_errors=True)  # the time that the service named is over
        again = unwell.scrape()
        assert again.commit.complete, again.commit.note
        assert len(unwell.server.seen) == len(whole) - (GOOD_ANSWERS if case.resumes else 0)
        filled = [(answer["body_sha256"], path(answer["url"])) for answer in unwell.rows(2)]
        assert sorted(filled) == sorted(whole)
        assert len(unwell.rows(1)) == GOOD_ANSWERS + len(bad)  # a second capture replaces none
        assert not unwell.scrape().changed
        assert unwell.server.seen == []


@pytest.mark.parametrize("name", NAMES)
def test_the_check_of_the_asset_warns_and_says_why(name: str, tmp_path: Path) -> None:
    """Through Dagster itself; the step succeeds, for the other sources must go on."""
    with stage(name, tmp_path) as unwell:
        unwell.step = ROWS["503 with a page"].step
        assets = scrape_assets(settings_for(name, unwell.lake.root, unwell.server.url))
        assert [asset.key.path for asset in assets] == [["scrapes", name]]
        result = dg.materialize(assets, partition_key=str(DAY), instance=dg.DagsterInstance.ephemeral())
    assert result.success
    (check,) = (event for event in result.get_asset_check_evaluations() if event.check_name == "complete")
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.description is not None
    assert check.description.startswith(f"{DAY}: ")
    assert "HTTP 503 after 3 attempts" in check.description


@pytest.mark.parametrize("name", NAMES)
def test_another_charset_in_the_headers_changes_nothing(name: str, tmp_path: Path) -> None:
    """What the body is written in, it says itself or is known; headers are often wrong."""
    with serve(DAY) as sample:
        through = relay(sample)

        def mislabelled(request: Seen) -> Step:
            answer = through(request)
            kind = answer.headers.get("Content-Type", "application/json").partition(";")[0]
            headers = {n: v for n, v in answer.headers.items() if n.lower() != "content-type"}
            return Answer(answer.status, answer.body, {**headers, "Content-Type": f"{kind}; charset=utf-16"})

        with misbehaving(mislabelled) as server:
            lake = Lake(tmp_path / "lake")
            written = scrape_day(name, DAY, lake, settings_for(name, lake.root, server.url))
    assert written.commit.complete, written.commit.note
    kept = lake.scan(f"scrapes.{name}", on=DAY).collect()
    assert sorted(kept["body_sha256"].to_list()) == sorted(digest for digest, _ in undisturbed(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_listing_that_gives_its_first_page_for_ever_comes_to_an_end_and_is_not_complete(
    name: str, tmp_path: Path
) -> None:
    first: dict[str, Answer] = {}
    latest = ""
    with serve(DAY) as sample:
        through = relay(sample)

        def repeating(request: Seen) -> Step:
            nonlocal latest
            listing = re.sub(r"(?<=[?&])(page|start|cursor|token|offset)=[^&]*", "", request.target).strip("&")
            if "resumptionToken" not in listing:  # with which nothing else may be said
                latest = listing
            if latest not in first:
                first[latest] = through(request)
            return first[latest]

        with misbehaving(repeating) as server:
            lake = Lake(tmp_path / "lake")
            written = scrape_day(name, DAY, lake, settings_for(name, lake.root, server.url))
            assert len(server.seen) < 2 * len(undisturbed(name)) + 10
    assert not written.commit.complete
    assert written.commit.note
