"""The register as a source: a local file, a file over HTTP, none at all; and what of it reaches the tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.sample.server import answer_time, serve
from coevo_pipelines.sample.world import register as sample_register
from coevo_pipelines.scrapes.capture import scrape_day
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Huge, Reset, Seen, Step, misbehaving

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 6, 2, tzinfo=UTC)
ENTRY = b'[[claims]]\nperson = "person:ada"\nsubjects = ["github:ada"]\nsince = 2026-01-05\n'

Ask = Callable[..., Capture]


def live(**changes: Any) -> Settings:
    return load_settings(source="live", http={"retries": 1, "backoff_s": 0.01, "max_body_mb": 1}, **changes)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Collects from `where`, in an empty folder, with a journal of the test's own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def collected(where: str = "register.toml") -> Capture:
        settings = live(sources={"register": {"base_url": where}})
        journal = Journal(tmp_path / "journal.jsonl")
        return collect("register", settings.window(DAY), settings, Endpoint(where, where, lambda: NOON), journal)

    return collected


def tables(capture: Capture, settings: Settings, day: date) -> dict[str, list[dict[str, Any]]]:
    window = settings.window(day)
    traces = normalize("register", capture.exchanges, window, settings.topics, settings.grace)
    return {name: frame.to_dicts() for name, frame in frames([traces], window, settings.grace).items()}


def test_a_local_file_is_kept_byte_for_byte(ask: Ask) -> None:
    Path("register.toml").write_bytes(ENTRY)
    capture = ask()
    assert capture.complete, capture.reason
    (exchange,) = capture.exchanges
    assert (exchange.url, exchange.status, exchange.body) == ("file:register.toml", 200, ENTRY)
    rows = tables(capture, live(), DAY)
    assert rows["traces.claims"] == [
        {
            "person_id": "person:ada",
            "subject": "github:ada",
            "name": None,
            "proof": None,
            "event_at": datetime(2026, 1, 5, tzinfo=UTC),
            "source": "register",
            "observed_at": NOON,
            "raw_sha256": exchange.body_sha256,
        }
    ]
    assert rows["traces.rejects"] == []


def test_no_file_at_the_default_place_is_a_complete_register_of_nobody(ask: Ask) -> None:
    capture = ask()
    assert capture.complete, capture.reason
    assert [(one.status, one.error) for one in capture.exchanges] == [(None, "register.toml: no such file")]
    assert not any(tables(capture, live(), DAY).values())


@pytest.mark.parametrize("where", ["claims/register.toml", "/nonexistent/register.toml", "ftp://example.org/r.toml"])
def test_a_named_file_that_is_missing_is_incomplete_and_says_which_setting(ask: Ask, where: str) -> None:
    capture = ask(where)
    assert not capture.complete
    assert capture.reason.startswith(f"{where}: no such file (sources.register.base_url")


def test_a_folder_at_the_default_place_is_not_a_register_of_nobody(ask: Ask) -> None:
    Path("register.toml").mkdir()
    assert "no such file" in ask().reason


def test_a_file_that_is_too_long_is_incomplete(ask: Ask) -> None:
    Path("register.toml").write_bytes(b"#" * ((1 << 20) + 1))
    capture = ask()
    assert "longer than 1 MB (http.max_body_mb)" in capture.reason
    assert capture.exchanges[0].body == b""


@pytest.mark.parametrize("body", [b"\xff", b"[[claims]", b"<html>sign in</html>"])
def test_a_file_that_is_no_toml_is_kept_rejected_and_asked_again(ask: Ask, body: bytes) -> None:
    Path("register.toml").write_bytes(body)
    capture = ask()
    assert "register.toml: not valid TOML" in capture.reason
    assert not capture.resumable
    assert capture.exchanges[0].body == body
    (reject,) = tables(capture, live(), DAY)["traces.rejects"]
    assert (reject["source"], reject["locator"]) == ("register", "body")


def test_the_next_run_appends_the_repaired_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake, settings = Lake(tmp_path / "lake"), live(lake=tmp_path / "lake")
    Path("register.toml").write_bytes(b"[[claims]")
    assert not scrape_day("register", DAY, lake, settings).commit.complete
    Path("register.toml").write_bytes(ENTRY)
    assert scrape_day("register", DAY, lake, settings).commit.complete
    Path("register.toml").write_bytes(b"")
    assert not scrape_day("register", DAY, lake, settings).changed
    rows = lake.scan("scrapes.register", on=DAY).collect()
    assert rows.select("capture", "body").rows() == [(1, b"[[claims]"), (2, ENTRY)]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Answer(404, b"no"), "HTTP 404 (sources.register.base_url)"),
        (Answer(403, b"no"), "HTTP 403 (sources.register.base_url)"),
        (Answer(204, b""), "HTTP 204 (sources.register.base_url)"),
        (Answer(503, b"busy"), "HTTP 503 after 2 attempts"),
        (Reset(), "after 2 attempts"),
        (Huge(2), "longer than 1 MB"),
        (Answer(200, b"<html>sign in</html>"), "not valid TOML"),
    ],
    ids=str,
)
def test_over_http_what_goes_wrong_is_one_line(ask: Ask, step: Step, reason: str) -> None:
    with misbehaving(lambda _: step) as server:
        capture = ask(f"{server.url}/register.toml")
    assert not capture.complete
    assert reason in capture.reason
    assert "\n" not in capture.reason


def test_over_http_the_bytes_are_kept_and_a_killed_scrape_asks_nothing_again(ask: Ask) -> None:
    with misbehaving(lambda _: Answer(200, ENTRY, {"Content-Type": "text/plain"})) as server:
        first = ask(f"{server.url}/register.toml?raw=1")
        assert ask(f"{server.url}/register.toml?raw=1") == first
        assert [request.target for request in server.seen] == ["/register.toml?raw=1"]
    assert first.complete
    assert first.exchanges[0].body == ENTRY


def test_a_moved_register_is_followed(ask: Ask) -> None:
    def play(request: Seen) -> Step:
        return Answer(200, ENTRY) if request.path == "/new" else Answer(302, b"", {"Location": "/new"})

    with misbehaving(play) as server:
        capture = ask(f"{server.url}/register.toml")
    assert capture.complete, capture.reason
    assert len(tables(capture, live(), DAY)["traces.claims"]) == 1


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_sample_answers_it_and_its_optout_begins_on_the_second_day(tmp_path: Path, day: date) -> None:
    settings = load_settings()
    with serve(day) as root:
        endpoint = Endpoint(f"{root}/register", "sample://register", lambda: answer_time(day))
        capture = collect("register", settings.window(day), settings, endpoint, Journal(tmp_path / "journal"))
    assert capture.complete, capture.reason
    assert [(one.url, one.body) for one in capture.exchanges] == [("sample://register", sample_register())]
    rows = tables(capture, settings, day)
    assert rows["traces.rejects"] == []
    assert [row["subject"] for row in rows["traces.optouts"]] == ["person:sample-rashedi"] * (day >= DAYS[1])
    people = [row["subject"] for row in rows["traces.claims"]]
    assert len(people) - len(set(people)) == 1  # the dispute
    assert [row["person_id"] for row in rows["traces.claims"] if row["proof"] is None] == ["person:sample-simon"]
    assert [row["amount"] for row in rows["traces.contributions"]] == [25, 10, 5]
    assert sum(row["person_id"] == "person:sample-geem" for row in rows["traces.claims"]) == (day == DAYS[2])


def test_a_day_seen_late_shows_what_stood_and_says_when_it_was_seen(ask: Ask) -> None:
    """The entries have dates of their own; that the answer came late makes the day a reconstructed one."""
    Path("register.toml").write_bytes(ENTRY)
    capture = ask()
    settings = live(start_date=date(2025, 1, 1))
    assert tables(capture, settings, date(2026, 1, 4))["traces.claims"] == []
    assert len(tables(capture, settings, DAY)["traces.claims"]) == 1
