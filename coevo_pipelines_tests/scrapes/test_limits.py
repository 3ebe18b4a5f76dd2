"""Limits that processes keep together: the pause between two requests, and budgets that end before the service does."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, date, datetime
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes import limits as limits_module
from coevo_pipelines.scrapes.collect import Capture, collect, limits
from coevo_pipelines.scrapes.errors import Spent
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.limits import (
    DAY_S,
    UNLIMITED,
    Allowed,
    Budget,
    LimitsError,
    RateLimiter,
    Told,
    budget_name,
    told,
)
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter, new_session
from coevo_pipelines.scrapes.sources import services
from coevo_pipelines.settings import Http, Settings, load_settings
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, as_json, misbehaving, relay

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
INTERVAL = 0.15
GOOD = Answer(200, b'{"good": true}', {"Content-Type": "application/json"})
PATIENT = Http(retries=3, backoff_s=0.0)
DAY = date(2019, 3, 25)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, also for processes it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own: the one that the counts are in."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "coevo_pipelines" / "limits"


# --- the pause between two requests --------------------------------------------------------------------


def state(folder: Path) -> Path:
    (found,) = (path for path in folder.glob("coevo-rate-*/polite") if path.suffix != ".lock")
    return found


def take_turns(folder: Path, turns: int, kept: Path) -> None:
    """In a process of its own: take each turn and keep the time that the limiter noted."""
    limiter = RateLimiter("polite", INTERVAL)
    for _ in range(turns):
        with limiter.turn(), kept.open("a") as stream:
            stream.write(f"{state(folder).read_text()}\n")


def test_two_processes_keep_the_interval_together(temporary: Path) -> None:
    context = multiprocessing.get_context("spawn")
    files = [temporary / "one.txt", temporary / "two.txt"]
    processes = [context.Process(target=take_turns, args=(temporary, 3, file)) for file in files]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    turns = sorted(float(line) for file in files for line in file.read_text().splitlines())
    assert len(turns) == 6
    assert all(later - earlier >= INTERVAL for earlier, later in pairwise(turns))


def scrape_politely(name: str, url: str, folder: Path, interval: float) -> None:
    """In a process of its own: a whole scrape of `name` with the limits of a live one."""
    source = {"base_url": f"{url}/arxiv", "min_interval_s": interval, "page_size": 60, "enabled": True}
    settings = load_settings(
        source="live", start_date=DAY, history_from=date(1980, 1, 1), sources={name: source}, http={"retries": 0}
    )
    endpoint = Endpoint(f"{url}/arxiv", "arxiv", lambda: NOON)
    capture = collect(name, settings.window(DAY), settings, endpoint, Journal(folder / f"{os.getpid()}.jsonl"))
    assert capture.complete, capture.reason


def test_two_runs_at_once_ask_arxiv_one_request_an_interval_and_one_at_a_time(temporary: Path) -> None:
    """As the service sees it: the time between any two requests, and how many are under way."""
    under_way, most, lock = 0, 0, threading.Lock()
    interval = 0.3
    with serve(DAY) as sample:
        through = relay(sample)

        def slowly(request: Seen) -> Step:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.4 if "start=0&" in request.target else 0.05)  # now and then slower than the interval
            with lock:
                under_way -= 1
            return through(request)

        context = multiprocessing.get_context("spawn")
        with misbehaving(slowly) as server:
            processes = [
                context.Process(target=scrape_politely, args=("arxiv", server.url, temporary, interval))
                for _ in range(2)
            ]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
            seen = sorted(request.at for request in server.seen)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(seen) >= 6
    assert most == 1
    # A request is on its way a little: what the service sees may be that much less than what was waited.
    assert min(later - earlier for earlier, later in pairwise(seen)) >= interval - 0.02


def test_sources_of_one_service_share_its_turn() -> None:
    """arXiv's two interfaces are one service."""
    settings = load_settings(source="live")
    names = {name: limits(name, settings)[0]._file.name for name, _ in services()}
    for name, service in services():
        assert names[name] == (service.shares_limits_of or name)
    if "arxiv_oai" in names:
        assert names["arxiv_oai"] == "arxiv"
        assert settings.sources["arxiv_oai"].min_interval_s == settings.sources["arxiv"].min_interval_s == 3.0


def hold(folder: Path) -> None:
    with RateLimiter("polite", INTERVAL).turn():
        (folder / "held").touch()
        time.sleep(600)


def test_a_process_killed_in_its_turn_does_not_stop_the_others(temporary: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(temporary,))
    process.start()
    while not (temporary / "held").exists():
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with RateLimiter("polite", INTERVAL).turn():
        pass  # else the time limit of a test ends it


@pytest.mark.parametrize(
    "noted",
    [b"", b"\xff\xfe\x00", b"yesterday", b"nan", b"inf", b"-inf", b"9e99", b"1.5\n2.5", b"1e12", b"-1e12"],
)
def test_a_state_that_is_corrupted_or_of_another_clock_costs_one_interval_at_most(
    noted: bytes, temporary: Path
) -> None:
    """The machine's clock starts anew with it: what was noted before may be later than now."""
    limiter = RateLimiter("polite", INTERVAL)
    with limiter.turn():
        state(temporary).write_bytes(noted)
    before = time.monotonic()
    with limiter.turn():
        first = float(state(temporary).read_text())
    assert first - before <= INTERVAL + 0.1
    with limiter.turn():
        assert float(state(temporary).read_text()) - first >= INTERVAL


def test_the_clock_of_the_wall_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set back or forward between two requests: the pause is the same."""
    limiter = RateLimiter("polite", INTERVAL)
    real = time.time
    for shift in (-7200.0, 7200.0, -86_400.0):
        with limiter.turn():
            before = time.monotonic()
        monkeypatch.setattr(time, "time", lambda shift=shift: real() + shift)
        with limiter.turn():  # for two hours, if the wall had a say
            assert time.monotonic() - before >= INTERVAL - 0.05


def test_limiters_of_different_names_and_without_interval_do_not_touch_each_other(temporary: Path) -> None:
    with RateLimiter("polite", INTERVAL).turn():
        noted = state(temporary).read_text()
    with RateLimiter("other", INTERVAL).turn(), RateLimiter("polite", 0.0).turn():
        assert state(temporary).read_text() == noted


def test_every_attempt_waits_for_its_turn(temporary: Path) -> None:
    with misbehaving([Answer(500), Answer(500), GOOD]) as server:
        adapter = dial(server.url, temporary, RateLimiter("polite", INTERVAL))
        assert new_session(adapter).get(f"{server.url}/works").status_code == HTTPStatus.OK
        gaps = [later.at - earlier.at for earlier, later in pairwise(server.seen)]
    assert len(gaps) == 2
    assert min(gaps) >= INTERVAL - 0.02


def test_an_answer_from_the_journal_takes_no_turn(temporary: Path) -> None:
    with misbehaving([GOOD]) as server:
        new_session(dial(server.url, temporary, RateLimiter("polite", 0.0))).get(f"{server.url}/works")
        adapter = dial(server.url, temporary, RateLimiter("polite", INTERVAL))
        assert new_session(adapter).get(f"{server.url}/works").content == GOOD.body
    assert list(temporary.glob("coevo-rate-*")) == []


@pytest.mark.parametrize("variable", ["TMPDIR", "XDG_STATE_HOME"])
def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the folder should be: not even root can write below it."""
    wall = tmp_path / "wall"
    wall.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(wall if variable == "TMPDIR" else tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(wall if variable == "XDG_STATE_HOME" else tmp_path))
    live = live_openalex("http://127.0.0.1:9", daily_budget=5, min_interval_s=0.01)
    with pytest.raises(LimitsError, match=rf"{wall}.*: .*set {variable} to a folder that can be written"):
        ask(live, "http://127.0.0.1:9", tmp_path)


def dial(url: str, folder: Path, limiter: RateLimiter, budget: Budget | None = None) -> RecordingAdapter:
    journal = Journal(folder / "journal" / "day.jsonl")
    return RecordingAdapter(
        Endpoint(url, url, lambda: NOON), journal, PATIENT, limiter, sleep=lambda _: None, budget=budget or UNLIMITED
    )


# --- what a service says of its limits -----------------------------------------------------------------

NOW = NOON.timestamp()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 90)}, Told(0, 90), id="GitHub"),
        pytest.param({"x-ratelimit-remaining": "59", "x-ratelimit-reset": str(int(NOW) - 5)}, Told(59, 0), id="over"),
        pytest.param({"x-ratelimit-remaining": "997", "x-ratelimit-reset": "11987"}, Told(997, 11987), id="OpenAlex"),
        pytest.param({"RateLimit": '"api";r=0;t=55'}, Told(0, 55), id="Hugging Face"),
        pytest.param({"ratelimit": '"api"; r = 495; t=23'}, Told(495, 23), id="with spaces"),
        pytest.param({"ratelimit-remaining": "9", "ratelimit-reset": "1"}, Told(9, 1), id="an older draft"),
        pytest.param({"x-rate-limit-limit": "3", "x-rate-limit-interval": "1s"}, None, id="Crossref"),
        pytest.param({"x-ratelimit-remaining": "0"}, None, id="no time"),
        pytest.param({"x-ratelimit-remaining": "few", "x-ratelimit-reset": "soon"}, None, id="words"),
        pytest.param({"x-ratelimit-remaining": "nan", "x-ratelimit-reset": "inf"}, None, id="no numbers"),
        pytest.param({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "-9"}, None, id="negative"),
        pytest.param({"RateLimit": '"api";r=0'}, None, id="half"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_what_is_left_is_read_from_every_services_headers(headers: dict[str, str], expected: Told | None) -> None:
    assert told(headers, NOW) == expected


# --- budgets -------------------------------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now.timestamp()

    def __call__(self) -> float:
        return self.now


DAYS_OF = Allowed("day", DAY_S, 3, "", "Works: today's budget of 3 requests is spent")
SEARCH = Allowed("search", 60, 2, "/search/", "2 searches a minute are spent")
CORE = Allowed("core", 3600, 3, "", "3 requests an hour are spent")


def taken(budget: Budget, times: int, url: str = "https://x/works") -> list[bool]:
    return [budget.take(url) is None for _ in range(times)]


def test_a_day_ends_at_midnight_utc_and_the_message_says_so(counts: Path) -> None:
    clock = Clock(datetime(2026, 11, 22, 23, 59, 58, tzinfo=UTC))
    budget = Budget("Works", "works", [DAYS_OF], clock)
    assert taken(budget, 5) == [True, True, True, False, False]
    closed = budget.take("https://x/works")
    assert closed is not None
    assert closed.message == "Works: today's budget of 3 requests is spent; goes on after 2026-11-23 00:00 UTC"
    clock.now += 2.0
    assert taken(budget, 4) == [True, True, True, False]
    assert [path.name for path in counts.glob("*.json")] == ["works.json"]


def test_an_hour_begins_with_its_first_request() -> None:
    clock = Clock(datetime(2026, 11, 22, 10, 50, 30, tzinfo=UTC))
    budget = Budget("X", "x", [SEARCH, CORE], clock)
    assert taken(budget, 1) == [True]
    clock.now += 1800
    assert taken(budget, 3) == [True, True, False]
    closed = budget.take("https://x/works")
    assert closed is not None
    assert closed.message == "3 requests an hour are spent; goes on after 2026-11-22 11:51 UTC"  # never too early
    clock.now += 1800
    assert taken(budget, 1) == [True]


def test_each_request_counts_for_the_first_quota_that_it_fits() -> None:
    budget = Budget("X", "x", [SEARCH, CORE], Clock(NOON))
    assert taken(budget, 3, "https://x/search/repositories?q=a") == [True, True, False]
    assert taken(budget, 4, "https://x/repos/a/b?q=/search/") == [True, True, True, False]


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff", b"[]", b"7", b'{"day": 3}', b'{"day": {"opened": "x", "spent": null}}']
)
def test_a_count_that_is_corrupted_begins_anew(garbage: bytes, counts: Path) -> None:
    budget = Budget("Works", "works", [DAYS_OF], Clock(NOON))
    assert taken(budget, 2) == [True, True]
    (counts / "works.json").write_bytes(garbage)
    assert taken(budget, 4) == [True, True, True, False]


def test_a_clock_that_was_wrong_for_a_while_does_not_stop_us_for_years() -> None:
    clock = Clock(datetime(2036, 1, 1, tzinfo=UTC))
    budget = Budget("Works", "works", [DAYS_OF], clock)
    budget.answered("https://x/works", {}, wait_s=3600.0)
    assert taken(budget, 4) == [False] * 4
    clock.now = NOON.timestamp()
    assert taken(budget, 4) == [True, True, True, False]


def test_a_request_costs_what_the_service_says(counts: Path) -> None:
    """OpenAlex counts credits: 1 for a list, 10 for a search, 0 for a single work."""
    credits_of_day = Allowed("day", DAY_S, 25, "", "spent")
    budget = Budget("Works", "works", [credits_of_day], Clock(NOON))

    def asked(cost: str) -> bool:
        allowed = budget.take("https://x/works") is None
        if allowed:
            budget.answered("https://x/works", {"X-RateLimit-Credits-Used": cost})
        return allowed

    assert [asked("10"), asked("10")] == [True, True]
    assert not asked("10")  # only 5 are left, and the service would refuse it
    kept = json.loads((counts / "works.json").read_text())["day"]["spent"]
    assert kept == 20
    again = Budget("Works", "works", [credits_of_day], Clock(NOON))
    assert again.take("https://x/works") is None
    again.answered("https://x/works", {"x-ratelimit-credits-used": "0"})
    assert json.loads((counts / "works.json").read_text())["day"]["spent"] == 20


def test_nothing_is_asked_before_the_time_that_the_service_named() -> None:
    """Whoever asks: another process, another lake, the next run."""
    clock = Clock(NOON)
    mine, another = (Budget("GitHub", "github", [SEARCH, CORE], clock) for _ in range(2))
    assert taken(mine, 1) == [True]
    mine.answered("https://x/works", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.now) + 600)})
    closed = another.take("https://x/works")
    assert closed is not None
    assert closed.message == "GitHub: the service gives nothing more for now; goes on after 2026-01-05 12:10 UTC"
    assert taken(another, 1, "https://x/search/a") == [True]  # this has its own limit
    clock.now += 601
    assert taken(another, 1) == [True]


def test_a_source_without_quotas_still_waits_when_it_is_told_to(counts: Path) -> None:
    clock = Clock(NOON)
    budget = Budget("arXiv", "arxiv", (), clock)
    assert taken(budget, 9) == [True] * 9
    assert list(counts.parent.glob("**/*")) == []  # nothing to count
    budget.answered("https://x/api", {}, wait_s=120.0)
    assert taken(budget, 1) == [False]
    clock.now += 121
    assert taken(budget, 1) == [True]


def test_a_token_has_its_own_account_and_is_not_in_its_name() -> None:
    secret = "sk_live_0123456789abcdef"
    default = "https://api.openalex.org"
    names = {
        budget_name("openalex", default, default, None),
        budget_name("openalex", default, default, secret),
        budget_name("openalex", default, default, "another"),
        budget_name("openalex", "http://127.0.0.1:1", default, None),
    }
    assert len(names) == 4
    assert "openalex" in names
    assert not [name for name in names if secret in name or "/" in name]


def quotas_in_force(name: str, token: str | None = None, **fields: Any) -> list[tuple[str, int, int]]:
    given = {"token": token, **fields}
    _, budget = limits(name, load_settings(source="live", sources={name: {k: v for k, v in given.items() if v}}))
    return [(quota.path, quota.seconds, quota.most) for quota in budget._allowed if quota.most]


@pytest.mark.parametrize(
    ("name", "without", "with_token"),
    [
        ("arxiv", [], []),
        ("github", [("/search/", 60, 10), ("", 3600, 60)], [("/search/", 60, 30), ("", 3600, 5000)]),
        ("huggingface", [("", 300, 500)], [("", 300, 1000)]),
        ("openalex", [("", DAY_S, 1000)], [("", DAY_S, 10_000)]),
    ],
)
def test_the_services_limits_are_those_that_they_document(name: str, without: Any, with_token: Any) -> None:
    assert quotas_in_force(name) == without
    assert quotas_in_force(name, token="a-token") == with_token
    assert quotas_in_force(name, base_url="http://127.0.0.1:1") == []  # nobody knows those of a mirror


def test_the_pauses_are_those_that_the_services_ask_for() -> None:
    """Requests a second that the pause allows, beside what the service does (spec/sources.md)."""
    pauses = {name: source.min_interval_s for name, source in load_settings(source="live").sources.items()}
    most = {"arxiv": 1 / 3, "arxiv_oai": 1 / 3, "huggingface": 500 / 300, "semanticscholar": 1.0, "crossref": 3.0}
    assert {name for name in most if name in pauses and 1 / pauses[name] > most[name] + 1e-9} == set()
    assert pauses["arxiv"] == 3.0


def test_the_settings_name_another_budget_for_any_source(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quotas_in_force("openalex", daily_budget=7) == [("", DAY_S, 7)]
    assert quotas_in_force("openalex", token="t", daily_budget=2_000_000) == [("", DAY_S, 2_000_000)]
    assert quotas_in_force("arxiv", daily_budget=9) == [("", DAY_S, 9)]
    assert quotas_in_force("huggingface", daily_budget=9) == [("", 300, 500), ("", DAY_S, 9)]
    monkeypatch.setenv("COEVO_SOURCES__OPENALEX__DAILY_BUDGET", "11")
    assert quotas_in_force("openalex") == [("", DAY_S, 11)]


def test_the_sample_counts_nothing(counts: Path) -> None:
    settings = load_settings(sources={"openalex": {"daily_budget": 1}})
    with serve(DAY) as root:
        endpoint = Endpoint(f"{root}/openalex", "sample://openalex", lambda: NOON)
        capture = collect("openalex", settings.window(DAY), settings, endpoint, Journal(counts.parents[2] / "j.jsonl"))
    assert capture.complete, capture.reason
    assert len(capture.exchanges) > 1
    assert not counts.exists()


# --- whole scrapes -------------------------------------------------------------------------------------


def live_openalex(url: str, http: dict[str, Any] | None = None, **fields: Any) -> Settings:
    source = {"base_url": f"{url}/openalex", "min_interval_s": 0, "page_size": 50, **fields}
    return load_settings(
        source="live",
        start_date=DAY,
        history_from=date(1980, 1, 1),
        sources={"openalex": source},
        http={"retries": 1, "backoff_s": 0.01, **(http or {})},
    )


def ask(settings: Settings, url: str, folder: Path, name: str = "openalex") -> Capture:
    endpoint = Endpoint(f"{url}/{name}", f"sample://{name}", lambda: NOON)
    return collect(name, settings.window(DAY), settings, endpoint, Journal(folder / "day.jsonl"))


def midnight() -> str:
    return datetime.fromtimestamp((time.time() // DAY_S + 1) * DAY_S, UTC).strftime("%Y-%m-%d 00:00 UTC")


def test_a_spent_budget_stops_the_scrape_before_the_service_does_and_the_next_day_goes_on(
    counts: Path, tmp_path: Path
) -> None:
    with serve(DAY) as sample, misbehaving(relay(sample)) as server:
        whole = ask(live_openalex(server.url), server.url, tmp_path / "whole")
        assert whole.complete
        pages = len(whole.exchanges)
        assert pages > 5
        server.seen.clear()
        first = ask(live_openalex(server.url, daily_budget=3), server.url, tmp_path / "j")
        assert len(server.seen) == 3
        assert first.reason == (
            "OpenAlex: today's budget of 3 requests is spent (sources.openalex.daily_budget); "
            f"goes on after {midnight()}"
        )
        assert first.resumable
        assert [e.ok for e in first.exchanges] == [True] * 3  # nothing was asked in vain
        again = ask(live_openalex(server.url, daily_budget=3), server.url, tmp_path / "j")
        assert len(server.seen) == 3  # what the journal answers costs nothing, and there is nothing else to spend
        assert again == first
        next(counts.glob("openalex-*.json")).unlink()  # as the next day finds it
        later = ask(live_openalex(server.url, daily_budget=100), server.url, tmp_path / "j")
        assert len(server.seen) == pages
    assert later.complete
    assert later.exchanges == whole.exchanges


def spend(url: str, folder: Path, kept: Path) -> None:
    kept.write_text(ask(live_openalex(url, daily_budget=5), url, folder).reason)


def test_two_lakes_of_one_machine_share_the_day(counts: Path, tmp_path: Path) -> None:
    with serve(DAY) as sample, misbehaving(relay(sample)) as server:
        context = multiprocessing.get_context("spawn")
        said = [tmp_path / "one.txt", tmp_path / "two.txt"]
        processes = [context.Process(target=spend, args=(server.url, tmp_path / path.stem, path)) for path in said]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert len(server.seen) == 5
    assert [path.read_text().partition(" (")[0] for path in said] == [
        "OpenAlex: today's budget of 5 requests is spent"
    ] * 2
    (kept,) = counts.glob("openalex-*.json")
    assert json.loads(kept.read_text())[f":{DAY_S}"]["spent"] == 5


def test_a_service_that_says_it_has_nothing_left_is_not_asked_again(tmp_path: Path) -> None:
    """`x-ratelimit-remaining: 0` on a good answer; OpenAlex tells the seconds that are left."""
    with serve(DAY) as sample:
        through = relay(sample)

        def last_of_the_day(request: Seen) -> Step:
            answer = through(request)
            headers = {**answer.headers, "x-ratelimit-remaining": "0", "x-ratelimit-reset": "7200"}
            return Answer(answer.status, answer.body, headers if len(server.seen) == 2 else answer.headers)

        with misbehaving(last_of_the_day) as server:
            capture = ask(live_openalex(server.url), server.url, tmp_path)
            assert len(server.seen) == 2
            assert capture.reason.startswith("OpenAlex: the service gives nothing more for now; goes on after ")
            until = datetime.strptime(f"{capture.reason[-20:-4]}+0000", "%Y-%m-%d %H:%M%z")
            assert 7100 < until.timestamp() - time.time() < 7300
            assert capture.resumable
            ask(live_openalex(server.url), server.url, tmp_path)
            assert len(server.seen) == 2


def test_a_short_pause_that_the_service_names_is_waited_for(tmp_path: Path) -> None:
    with serve(DAY) as sample:
        through = relay(sample)

        def pausing(request: Seen) -> Step:
            answer = through(request)
            limit = {"RateLimit": '"api";r=0;t=1'} if len(server.seen) == 2 else {"RateLimit": '"api";r=9;t=1'}
            return Answer(answer.status, answer.body, {**answer.headers, **limit})

        with misbehaving(pausing) as server:
            capture = ask(live_openalex(server.url), server.url, tmp_path)
            gaps = [later.at - earlier.at for earlier, later in pairwise(server.seen)]
    assert capture.complete, capture.reason
    assert gaps[1] >= 0.95
    assert max(gaps[:1] + gaps[2:]) < 0.9


def test_github_without_a_token_stops_after_its_hour_and_says_what_a_token_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search limit and the other one are counted apart: searches go on when the hour is spent."""
    from dataclasses import replace

    from coevo_pipelines.scrapes import github

    with serve(DAY) as sample, misbehaving(relay(sample)) as server:
        here = github.SERVICE.defaults.model_copy(update={"base_url": f"{server.url}/github"})
        monkeypatch.setattr(github, "SERVICE", replace(github.SERVICE, defaults=here))
        fields = {"base_url": f"{server.url}/github", "min_interval_s": 0}
        settings = load_settings(
            source="live", start_date=DAY, history_from=date(1980, 1, 1), sources={"github": fields}
        )
        capture = ask(settings, server.url, tmp_path, "github")
        searches = [request for request in server.seen if request.path.endswith("/search/repositories")]
        others = [request for request in server.seen if request not in searches]
        assert 0 < len(searches) <= 10
        assert len(others) == 60
        assert capture.reason.startswith(
            "GitHub: 60 requests an hour are spent (with a token in GITHUB_TOKEN it is 5,000); goes on after "
        )
        until = datetime.strptime(f"{capture.reason[-20:-4]}+0000", "%Y-%m-%d %H:%M%z")
        assert 3500 < until.timestamp() - time.time() < 3700
        assert capture.resumable
        with_token = settings.model_copy(
            update={"sources": {"github": settings.sources["github"].model_copy(update={"token": SecretStr("ghp_x")})}}
        )
        whole = ask(with_token, server.url, tmp_path, "github")
    assert whole.complete, whole.reason
    assert len(server.seen) == len(whole.exchanges)


def test_a_spent_budget_is_the_end_also_where_one_item_may_fail(tmp_path: Path) -> None:
    """Not one line for each of hundreds of items that were not asked for."""
    names = [f"some/r{number}" for number in range(50)]
    items = [{"id": n, "full_name": name, "fork": False} for n, name in enumerate(names)]

    def play(request: Seen) -> Step:
        found = {"total_count": 50, "incomplete_results": False, "items": items}
        return as_json(found if "q" in request.parameters else [])

    with misbehaving(play) as server:
        fields = {"base_url": f"{server.url}/github", "min_interval_s": 0, "daily_budget": 10}
        settings = load_settings(source="live", start_date=DAY, sources={"github": fields})
        capture = ask(settings, server.url, tmp_path, "github")
        assert len(server.seen) == 10
    assert capture.reason.count("is spent") == 1
    assert capture.reason.endswith(midnight())


INTERRUPTED = """
import sys, time
from pathlib import Path
from coevo_pipelines.scrapes.limits import RateLimiter
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter, new_session
from coevo_pipelines.settings import Http
import logging
logging.basicConfig(level="INFO", stream=sys.stderr)
from datetime import UTC, datetime
url, journal = sys.argv[1:]
endpoint = Endpoint(url, url, lambda: datetime.now(UTC))
adapter = RecordingAdapter(endpoint, Journal(Path(journal)), Http(), RateLimiter("polite", 0.01))
session = new_session(adapter)
session.get(url + "/one")
print("ready", flush=True)
session.get(url + "/two")
"""


def test_a_long_pause_is_told_and_ends_with_ctrl_c(temporary: Path) -> None:
    with misbehaving([GOOD, Answer(429, b"", {"Retry-After": "100"})]) as server:
        journal = temporary / "day.jsonl"
        command = [sys.executable, "-c", INTERRUPTED, server.url, str(journal)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        told = ""
        for line in process.stderr:  # it says so just before it waits
            told += line
            if "next in 100 s" in line:
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()  # one that waited on would end with an answer that is an error: 418
        assert len(server.seen) == 2
    assert process.returncode != 0
    assert "KeyboardInterrupt" in said
    assert "HTTP 429, attempt 1 of 5, next in 100 s" in told
    assert [exchange.body for exchange in Journal(journal).exchanges] == [GOOD.body]


def test_a_process_that_waits_for_another_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits_module, "_TOLD_AFTER_S", 0.1)
    caplog.set_level("INFO", "coevo_pipelines")
    held = threading.Event()

    def first() -> None:
        with RateLimiter("polite", INTERVAL).turn():
            held.set()
            time.sleep(0.5)

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with RateLimiter("polite", INTERVAL).turn():
        pass
    thread.join()
    assert "polite: waiting for the turn of another process" in caplog.text


def test_a_request_of_a_spent_budget_is_not_sent(tmp_path: Path) -> None:
    with misbehaving([GOOD] * 5) as server:
        budget = Budget("Works", "works", [DAYS_OF], Clock(NOON))
        budget._now = time.time
        session = new_session(dial(server.url, tmp_path, RateLimiter("x", 0.0), budget))
        for page in range(3):
            session.get(f"{server.url}/{page}")
        with pytest.raises(Spent, match=r"^Works: today's budget of 3 requests is spent; goes on after "):
            session.get(f"{server.url}/3")
        assert session.get(f"{server.url}/0").json() == {"good": True}
        assert len(server.seen) == 3
