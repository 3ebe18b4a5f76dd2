"""The one way to the network, against a server that misbehaves: patience, honesty, secrets, resuming."""

from __future__ import annotations

import gzip
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from coevo_pipelines.scrapes.errors import SourceDown
from coevo_pipelines.scrapes.exchange import REDACTED, Exchange, Journal
from coevo_pipelines.scrapes.session import Endpoint, RateLimiter, RecordingAdapter, new_session
from coevo_pipelines.settings import Http
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
    misbehaving,
    nobody,
    truncated_gzip,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LABEL = "sample://openalex"
SECRET = "sk_live_0123456789abcdef"
PATIENT = Http(retries=3, backoff_s=2.0, retry_after_cap_s=120.0, read_timeout_s=30.0, max_body_mb=1)
GOOD = Answer(200, b'{"good": true}', {"Content-Type": "application/json"})
HTML = {"Content-Type": "text/html"}


@dataclass
class Dialled:
    """A session to a server, and what it left behind."""

    url: str
    session: requests.Session
    adapter: RecordingAdapter
    pauses: list[float]

    def get(self, path: str = "/works", **headers: str) -> requests.Response:
        return self.session.get(f"{self.url}{path}", headers=headers)

    @property
    def journal(self) -> Journal:
        """As the next process would read it, not as this one remembers it."""
        return Journal(self.adapter.journal.path)

    @property
    def last(self) -> Exchange:
        return self.journal.exchanges[-1]

    @property
    def bytes(self) -> bytes:
        return self.adapter.journal.path.read_bytes()


class Dial:
    """Makes sessions that share one journal file, as one process after the other would."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal" / "day.jsonl"

    def __call__(
        self, url: str, http: Http = PATIENT, *, secrets: Sequence[str] = (), label: str | None = None
    ) -> Dialled:
        pauses: list[float] = []
        endpoint = Endpoint(url, label or url, lambda: NOON)
        limiter = RateLimiter("unlimited", 0.0)
        adapter = RecordingAdapter(endpoint, Journal(self.path), http, limiter, secrets, sleep=pauses.append)
        return Dialled(url, new_session(adapter, "mailto:someone@example.org"), adapter, pauses)


@pytest.fixture
def dial(tmp_path: Path) -> Dial:
    return Dial(tmp_path)


def statuses(dialled: Dialled) -> list[int | None]:
    return [exchange.status for exchange in dialled.journal.exchanges]


# --- retries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Answer(429, b"Rate exceeded."), id="429 without Retry-After"),
        pytest.param(Answer(429, b"", {"Retry-After": "soon"}), id="429 with a Retry-After that says nothing"),
        pytest.param(Answer(429, b"", {"Retry-After": "-5"}), id="429 with a negative Retry-After"),
        pytest.param(Answer(403, b"{}", {"X-RateLimit-Remaining": "0"}), id="403 with nothing remaining"),
        pytest.param(Answer(500, b"oops"), id="500"),
        pytest.param(Answer(502, b""), id="502"),
        pytest.param(Answer(503, b"<html><h1>Down for maintenance</h1></html>", HTML), id="503 with HTML"),
        pytest.param(Answer(504), id="504"),
        pytest.param(Reset(), id="reset"),
        pytest.param(CutOff(b'{"good": true}', 5), id="body cut off"),
        pytest.param(CutOff(b'{"good": true}', 0), id="no body at all"),
        pytest.param(CutOff(b'{"good": true}', 5, reset=True), id="reset in the middle of a body"),
        pytest.param(Answer(200, b"short", announced=50), id="body shorter than announced"),
        pytest.param(Answer(200, b"no gzip at all", {"Content-Encoding": "gzip"}), id="not gzip"),
    ],
)
class TestTransientFailures:
    def test_are_repeated_with_doubling_pauses_until_an_answer_comes(self, bad: Step, dial: Dial) -> None:
        with misbehaving([bad, bad, bad, GOOD]) as server:
            dialled = dial(server.url)
            assert dialled.get().json() == {"good": True}
            assert dialled.pauses == [2.0, 4.0, 8.0]
            assert server.targets == ["/works"] * 4
        assert [(e.status, e.body, e.error) for e in dialled.journal.exchanges] == [(200, GOOD.body, None)]

    def test_end_in_one_recorded_error_when_they_last(self, bad: Step, dial: Dial) -> None:
        with misbehaving([bad] * 10) as server:
            dialled = dial(server.url)
            with pytest.raises(SourceDown, match=r"after 4 attempts$") as down:
                dialled.get()
            assert str(down.value).startswith(server.url)
            assert dialled.pauses == [2.0, 4.0, 8.0]
            assert len(server.seen) == 4
        (kept,) = dialled.journal.exchanges
        assert not kept.ok
        assert kept.error is not None
        assert kept.error.endswith("after 4 attempts")
        if isinstance(bad, Answer) and bad.status >= 400:
            assert (kept.status, kept.body) == (bad.status, bad.body)
            assert kept.error.startswith(f"HTTP {bad.status}")
        else:
            assert (kept.status, kept.body) == (None, b"")


@pytest.mark.parametrize("size", [9, 5_000_000])
def test_a_gzip_body_without_its_end_is_a_broken_answer(size: int, dial: Dial) -> None:
    text = b'{"a": "' + bytes(range(97, 107)) * (size // 10) + b'"}'
    with misbehaving([truncated_gzip(text), Answer(200, gzip.compress(text), {"Content-Encoding": "gzip"})]) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"max_body_mb": 10}))
        assert dialled.get().content == text
        assert dialled.pauses == [2.0]


def test_a_whole_gzip_body_is_stored_and_given_decoded(dial: Dial) -> None:
    packed = Answer(200, gzip.compress(GOOD.body), {**GOOD.headers, "Content-Encoding": "gzip"})
    with misbehaving([packed]) as server:
        dialled = dial(server.url)
        answer = dialled.get()
    assert answer.json() == {"good": True}
    assert "content-encoding" not in answer.headers
    assert dialled.last.body == GOOD.body
    assert dialled.last.headers["content-encoding"] == "gzip"  # stored as it was on the wire


def test_no_retries_means_one_request_and_no_pause(dial: Dial) -> None:
    with misbehaving([Answer(503)] * 3) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"retries": 0}))
        with pytest.raises(SourceDown, match=r"HTTP 503 after 1 attempt$"):
            dialled.get()
        assert dialled.pauses == []
        assert len(server.seen) == 1


def test_each_request_has_its_own_retries(dial: Dial) -> None:
    with misbehaving([Answer(500), GOOD, Answer(500), Answer(500), GOOD]) as server:
        dialled = dial(server.url)
        dialled.get("/a")
        dialled.get("/b")
        assert server.targets == ["/a", "/a", "/b", "/b", "/b"]
    assert dialled.pauses == [2.0, 2.0, 4.0]


def test_the_failure_that_is_reported_is_the_last_one(dial: Dial) -> None:
    with misbehaving([Answer(500, b"first"), Reset(), Answer(500), Answer(502, b"last")]) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown, match="HTTP 502 after 4 attempts"):
            dialled.get()
    assert (dialled.last.status, dialled.last.body) == (502, b"last")


def test_a_port_where_nobody_listens_is_named_with_the_reason(dial: Dial) -> None:
    with nobody() as url:
        dialled = dial(url)
        with pytest.raises(SourceDown, match=r"refused after 4 attempts$") as down:
            dialled.get()
    assert str(down.value).startswith(url)
    assert " at 0x" not in str(down.value)
    assert dialled.pauses == [2.0, 4.0, 8.0]
    assert statuses(dialled) == [None]


def test_a_server_that_never_answers_is_down(dial: Dial) -> None:
    with misbehaving([Silence()] * 5) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"read_timeout_s": 0.3, "retries": 1}))
        with pytest.raises(SourceDown, match=r"timed out.* after 2 attempts"):
            dialled.get()
    assert dialled.pauses == [2.0]
    assert statuses(dialled) == [None]


def test_a_body_that_stops_in_the_middle_is_down(dial: Dial) -> None:
    with misbehaving([Drip(b"xy", 3600.0)] * 5) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"read_timeout_s": 0.3, "retries": 1}))
        with pytest.raises(SourceDown, match=r"timed out.* after 2 attempts"):
            dialled.get()
    assert dialled.pauses == [2.0]
    assert (dialled.last.status, dialled.last.body) == (None, b"")


def test_a_slow_body_is_waited_for(dial: Dial) -> None:
    with misbehaving([Drip(b"slow but whole", 0.01)]) as server:
        dialled = dial(server.url)
        assert dialled.get().content == b"slow but whole"
    assert dialled.pauses == []


# --- Retry-After ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_in_seconds_is_obeyed(status: int, dial: Dial) -> None:
    limited = [Answer(status, b"", {"Retry-After": seconds}) for seconds in ("7", "0", "120")]
    with misbehaving([*limited, GOOD]) as server:
        dialled = dial(server.url)
        assert dialled.get().status_code == 200
        assert len(server.seen) == 4
    assert dialled.pauses == [7, 0, 120]
    assert statuses(dialled) == [200]


def test_retry_after_as_a_date_is_obeyed(dial: Dial) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=3000), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=3000), usegmt=True)
    script = [Answer(429, b"", {"Retry-After": when}) for when in (later, past)]
    with misbehaving([*script, GOOD]) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"retry_after_cap_s": 3600.0}))
        assert dialled.get().status_code == 200
    first, second = dialled.pauses
    assert 8.0 < first <= 3000  # not one of the own pauses (2, 4, 8)
    assert second == 0


@pytest.mark.parametrize("status", [403, 429])
def test_a_retry_after_above_the_cap_ends_at_once_and_says_so(status: int, dial: Dial) -> None:
    with misbehaving([Answer(status, b"budget spent", {"Retry-After": "3600"}), GOOD]) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown, match=rf"HTTP {status}, asks to wait 3600 s \(cap 120 s\) after 1 attempt$"):
            dialled.get()
        assert len(server.seen) == 1
    assert dialled.pauses == []
    assert (dialled.last.status, dialled.last.body) == (status, b"budget spent")
    assert dialled.last.error == f"HTTP {status}, asks to wait 3600 s (cap 120 s) after 1 attempt"


def test_a_date_above_the_cap_ends_at_once(dial: Dial) -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(hours=5), usegmt=True)
    with misbehaving([Answer(429, b"", {"Retry-After": tomorrow}), GOOD]) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown, match=r"asks to wait \d+ s \(cap 120 s\)"):
            dialled.get()
    assert dialled.pauses == []


def test_the_message_says_how_long_the_service_asks_to_wait(dial: Dial) -> None:
    with misbehaving([Answer(429, b"", {"Retry-After": "86400"})]) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown, match="asks to wait 86400 s"):
            dialled.get()


def test_a_retry_after_of_absurd_length_is_no_crash(dial: Dial) -> None:
    with misbehaving([Answer(429, b"", {"Retry-After": "9" * 5000})] * 4) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown):
            dialled.get()


def test_the_cap_of_retry_after_does_not_cut_the_configured_retries(dial: Dial) -> None:
    with misbehaving([Answer(500), Answer(500), Answer(500), GOOD]) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"retry_after_cap_s": 3.0}))
        assert dialled.get().status_code == 200


# --- answers that stay as they are ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 410, 422, 451])
def test_a_permanent_refusal_is_returned_after_one_request_and_recorded(status: int, dial: Dial) -> None:
    with misbehaving([Answer(status, b"no", {"X-RateLimit-Remaining": "41"}), GOOD]) as server:
        dialled = dial(server.url)
        answer = dialled.get()
        assert (answer.status_code, answer.content) == (status, b"no")
        assert len(server.seen) == 1
    assert dialled.pauses == []
    (kept,) = dialled.journal.exchanges
    assert (kept.status, kept.body, kept.error, kept.ok) == (status, b"no", None, False)


def test_a_refusal_is_asked_again_after_a_restart(dial: Dial) -> None:
    with misbehaving([Answer(404, b"not yet"), GOOD]) as server:
        assert dial(server.url).get().status_code == 404
        again = dial(server.url)
        assert again.get().status_code == 200
    assert statuses(again) == [404, 200]


@pytest.mark.parametrize(
    "long",
    [
        pytest.param(Huge(2), id="announced"),
        pytest.param(Huge(2, chunked=True), id="chunked"),
        pytest.param(Answer(200, gzip.compress(bytes(2 << 20)), {"Content-Encoding": "gzip"}), id="gzip bomb"),
    ],
)
def test_a_body_over_the_limit_is_cut_off_and_recorded_as_an_error(long: Step, dial: Dial) -> None:
    with misbehaving([long, GOOD]) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown, match=r"longer than 1 MB \(http.max_body_mb\)"):
            dialled.get()
        assert len(server.seen) == 1
        assert dialled.pauses == []
        (kept,) = dialled.journal.exchanges
        assert (kept.ok, kept.body) == (False, b"")
        assert kept.error == "the answer is longer than 1 MB (http.max_body_mb)"
        assert dialled.get("/other").json() == {"good": True}  # the connection in tatters is not used again


def test_a_body_of_exactly_the_limit_is_kept(dial: Dial) -> None:
    with misbehaving([Huge(1), Huge(1, chunked=True)]) as server:
        dialled = dial(server.url)
        assert len(dialled.get("/a").content) == 1 << 20
        assert len(dialled.get("/b").content) == 1 << 20
    assert all(exchange.ok for exchange in dialled.journal.exchanges)


# --- the journal ---------------------------------------------------------------------------------------


def test_every_final_answer_is_journaled_with_all_that_is_known_of_it(dial: Dial) -> None:
    script = [GOOD, Answer(500), Answer(200, b"\x00\xff\n", {"X-Page": "2"}), Answer(404, b"gone")]
    with misbehaving(script) as server:
        dialled = dial(server.url)
        dialled.adapter.topic = "swarm-intelligence"
        dialled.get("/a?q=swarm%20intelligence")
        dialled.adapter.topic = None
        dialled.get("/b")
        dialled.get("/c")
        expected = [f"{server.url}/a?q=swarm%20intelligence", f"{server.url}/b", f"{server.url}/c"]
    kept = dialled.journal.exchanges
    assert [exchange.url for exchange in kept] == expected
    assert [exchange.status for exchange in kept] == [200, 200, 404]
    assert [exchange.body for exchange in kept] == [GOOD.body, b"\x00\xff\n", b"gone"]
    assert [exchange.topic for exchange in kept] == ["swarm-intelligence", None, None]
    assert {(exchange.method, exchange.fetched_at) for exchange in kept} == {("GET", NOON)}
    assert kept[1].headers["x-page"] == "2"


def test_a_good_answer_is_given_from_the_journal_after_a_restart(dial: Dial) -> None:
    with misbehaving([GOOD]) as server:
        dial(server.url).get("/works?page=1")
        before = dial.path.read_bytes()
        again = dial(server.url)
        answer = again.get("/works?page=1")
        assert answer.json() == {"good": True}
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.url == f"{server.url}/works?page=1"
        assert len(server.seen) == 1
        assert again.get("/works?page=2").status_code == 418  # another page is another request
        assert len(server.seen) == 2
    assert dial.path.read_bytes().startswith(before)
    assert len(again.journal.exchanges) == 2


def test_the_same_question_is_asked_once_in_one_run(dial: Dial) -> None:
    with misbehaving([GOOD]) as server:
        dialled = dial(server.url)
        assert dialled.get().content == dialled.get().content == GOOD.body
        assert len(server.seen) == 1
    assert len(dialled.journal.exchanges) == 1


def test_a_failure_in_the_journal_is_asked_again_after_a_restart(dial: Dial) -> None:
    with misbehaving([Answer(503)] * 4 + [GOOD]) as server:
        with pytest.raises(SourceDown):
            dial(server.url).get()
        again = dial(server.url)
        assert again.get().status_code == 200
    assert [(e.status, e.ok) for e in again.journal.exchanges] == [(503, False), (200, True)]


# --- redirects -----------------------------------------------------------------------------------------


def test_both_exchanges_of_a_redirect_are_recorded_and_both_answered_from_the_journal(dial: Dial) -> None:
    with misbehaving([Answer(301, b"moved", {"Location": "/new"}), GOOD]) as server:
        dialled = dial(server.url, label=LABEL)
        answer = dialled.get("/old")
        assert answer.url == f"{server.url}/new"
        assert [step.status_code for step in answer.history] == [301]
        assert dial(server.url, label=LABEL).get("/old").content == GOOD.body
        assert server.targets == ["/old", "/new"]
    kept = dialled.journal.exchanges
    assert [(e.url, e.status, e.body) for e in kept] == [
        (f"{LABEL}/old", 301, b"moved"),
        (f"{LABEL}/new", 200, GOOD.body),
    ]


@pytest.mark.parametrize("distinct", [True, False])
def test_an_endless_redirect_ends(distinct: bool, dial: Dial) -> None:
    def play(request: Seen) -> Step:
        step = int(request.parameters.get("step", 0)) + 1
        return Answer(302, b"", {"Location": f"/round?step={step if distinct else 0}"})

    with misbehaving(play) as server:
        dialled = dial(server.url)
        with pytest.raises(requests.TooManyRedirects):
            dialled.get("/round?step=0")
        assert len(server.seen) == (31 if distinct else 1)
    assert len(dialled.journal.exchanges) == len(server.seen)


# --- secrets -------------------------------------------------------------------------------------------


def echoing(server_url: str, request: Seen) -> Answer:
    """Repeats whatever it was told, wherever a service could."""
    told = request.headers.get("authorization", "")
    headers = {
        "X-Echo": told,
        "Set-Cookie": f"session={SECRET}",
        "Link": f'<{server_url}{request.target}&page=2>; rel="next"',
        "Content-Type": "application/json",
    }
    status = {"/refused": 401, "/moved": 302, "/broken": 500}.get(request.path, 200)
    if status == 302:
        headers["Location"] = f"/landed?api_key={SECRET}&then={SECRET}"
    return Answer(status, f'{{"you said": "{told}", "asked": "{request.target}"}}'.encode(), headers)


@pytest.mark.parametrize("path", ["/works", "/refused", "/moved", "/broken"])
def test_no_secret_reaches_a_byte_of_the_journal(path: str, dial: Dial, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "coevo_pipelines")
    with misbehaving(lambda request: echoing(server.url, request)) as server:
        dialled = dial(server.url, secrets=[SECRET, ""], label=LABEL)
        try:
            dialled.get(f"{path}?api_key={SECRET}&q=x", Authorization=f"Bearer {SECRET}", Cookie=SECRET)
        except SourceDown as down:
            assert path == "/broken"
            assert SECRET not in str(down)
        assert all(request.headers["authorization"] == f"Bearer {SECRET}" for request in server.seen)
        assert SECRET in server.targets[0]  # it was sent
    assert SECRET.encode() not in dialled.bytes
    assert dialled.journal.exchanges[0].url == f"{LABEL}{path}?api_key={REDACTED}&q=x"
    for kept in dialled.journal.exchanges:
        assert kept.headers["x-echo"] == f"Bearer {REDACTED}"
        assert not {"set-cookie", "authorization"} & set(kept.headers)
        assert SECRET.encode() not in kept.body
        assert REDACTED.encode() in kept.body
        assert SECRET not in f"{kept.url}{kept.headers}{kept.error}"
    assert SECRET not in caplog.text


def test_an_answer_kept_without_its_key_is_found_again_with_a_new_key(dial: Dial) -> None:
    with misbehaving([GOOD]) as server:
        dial(server.url, secrets=[SECRET]).get(f"/works?api_key={SECRET}&page=1")
        answer = dial(server.url, secrets=["another"]).get("/works?api_key=another&page=1")
        assert answer.content == GOOD.body
        assert len(server.seen) == 1


@pytest.mark.parametrize("name", ["api_key", "api-key", "key", "token", "access_token", "client_secret", "sig"])
def test_a_parameter_that_holds_keys_is_redacted_even_when_its_value_is_unknown(name: str, dial: Dial) -> None:
    with misbehaving([GOOD]) as server:
        dialled = dial(server.url)
        dialled.get(f"/works?page=1&{name}=whatever&q=a%20b")
    assert b"whatever" not in dialled.bytes
    assert dialled.last.url == f"{server.url}/works?page=1&{name}={REDACTED}&q=a+b"


def test_a_secret_that_is_echoed_percent_encoded_is_redacted(dial: Dial) -> None:
    secret = "ab/cd+ef=01234"
    with misbehaving(lambda request: Answer(200, request.target.encode(), {"X-Asked": request.target})) as server:
        dialled = dial(server.url, secrets=[secret])
        dialled.get(f"/works?api_key={quote(secret, safe='')}")
    assert quote(secret, safe="") not in f"{dialled.last.headers}{dialled.last.body!r}"


# --- the label -----------------------------------------------------------------------------------------


def paged(request: Seen) -> Answer:
    page = int(request.parameters.get("page", 1))
    base = f"http://{request.headers['host']}/openalex"
    links = f'<{base}/works?page={page + 1}>; rel="next", <{base}/works?page=1>; rel="first"'
    return Answer(200, f"page {page}".encode(), {"Link": links} if page < 4 else {"X-Last": "yes"})


def walk(dialled: Dialled) -> list[bytes]:
    answer, bodies = dialled.get("/works?page=1"), []
    while True:
        bodies.append(answer.content)
        if "next" not in answer.links:
            return bodies
        answer = dialled.session.get(answer.links["next"]["url"])


def test_stored_rows_name_the_label_and_paging_works_from_the_journal_at_another_port(dial: Dial) -> None:
    with misbehaving(paged) as server:
        dialled = dial(f"{server.url}/openalex", label=LABEL)
        pages = walk(dialled)
        assert len(server.seen) == 4
    assert pages == [b"page 1", b"page 2", b"page 3", b"page 4"]
    assert [e.url for e in dialled.journal.exchanges] == [f"{LABEL}/works?page={page}" for page in (1, 2, 3, 4)]
    assert dialled.journal.exchanges[1].headers["link"] == (
        f'<{LABEL}/works?page=3>; rel="next", <{LABEL}/works?page=1>; rel="first"'
    )
    assert b"127.0.0.1" not in dialled.bytes
    with misbehaving([]) as elsewhere:
        assert walk(dial(f"{elsewhere.url}/openalex", label=LABEL)) == pages
        assert elsewhere.seen == []


def test_without_a_label_the_public_address_is_stored(dial: Dial) -> None:
    with misbehaving(paged) as server:
        dialled = dial(f"{server.url}/openalex")
        assert len(walk(dialled)) == 4
        assert dialled.last.url == f"{server.url}/openalex/works?page=4"


def test_a_stored_error_does_not_depend_on_the_port(dial: Dial) -> None:
    with nobody() as url:
        dialled = dial(url, label=LABEL)
        with pytest.raises(SourceDown):
            dialled.get()
    assert dialled.last.error
    assert url.rpartition(":")[2] not in dialled.last.error


def test_a_stored_timeout_does_not_depend_on_the_port(dial: Dial) -> None:
    with misbehaving([Silence()]) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"read_timeout_s": 0.3, "retries": 0}), label=LABEL)
        with pytest.raises(SourceDown):
            dialled.get()
    assert dialled.last.error
    assert server.url.rpartition(":")[2] not in dialled.last.error


def test_the_user_agent_names_the_project_and_whom_to_write_to(dial: Dial) -> None:
    with misbehaving([GOOD]) as server:
        dial(server.url).get()
        agent = server.seen[0].headers["user-agent"]
    assert agent.startswith("coevo_pipelines/")
    assert "mailto:someone@example.org" in agent


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    with nobody() as proxy, misbehaving([GOOD]) as server:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert dial(server.url).get().status_code == 200


# --- the rate limiter ----------------------------------------------------------------------------------

INTERVAL = 0.15
CLOCK_SLACK = 0.005


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, also for processes it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def state(folder: Path) -> Path:
    (found,) = folder.glob("coevo-rate-*/polite")
    return found


def take_turns(folder: Path, turns: int, kept: Path) -> None:
    """In a process of its own: wait for each turn and keep the time that the limiter noted last."""
    limiter = RateLimiter("polite", INTERVAL)
    for _ in range(turns):
        limiter.wait()
        with kept.open("a") as stream:
            stream.write(f"{state(folder).read_text()}\n")


def test_two_processes_keep_the_interval_together(temporary: Path) -> None:
    context = multiprocessing.get_context("spawn")
    before = time.time()
    files = [temporary / "one.txt", temporary / "two.txt"]
    processes = [context.Process(target=take_turns, args=(temporary, 3, file)) for file in files]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    noted = [line for file in files for line in file.read_text().splitlines()]
    assert len(noted) == 6
    # A process may be so slow to look that it sees the other's next turn (or a half-written one): what it
    # then noted is another turn's time, or nothing, never a wrong one.
    turns = sorted({float(line) for line in noted if line} | {float(state(temporary).read_text())})
    assert all(later - earlier >= INTERVAL - CLOCK_SLACK for earlier, later in pairwise(turns))
    assert turns[-1] - before >= 5 * INTERVAL - CLOCK_SLACK


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe\x00", b"yesterday", b"nan", b"inf", b"-inf", b"9e99", b"1.5\n2.5"])
def test_a_corrupted_state_does_not_break_the_limiter(garbage: bytes, temporary: Path) -> None:
    limiter = RateLimiter("polite", INTERVAL)
    limiter.wait()
    state(temporary).write_bytes(garbage)
    before = time.time()
    limiter.wait()
    first = float(state(temporary).read_text())
    limiter.wait()
    second = float(state(temporary).read_text())
    assert first >= before - CLOCK_SLACK
    assert second - first >= INTERVAL - CLOCK_SLACK


def test_limiters_of_different_names_and_without_interval_do_not_touch_each_other(temporary: Path) -> None:
    RateLimiter("polite", INTERVAL).wait()
    noted = state(temporary).read_text()
    RateLimiter("other", INTERVAL).wait()
    RateLimiter("polite", 0.0).wait()
    assert state(temporary).read_text() == noted


def test_every_attempt_waits_for_its_turn(temporary: Path, tmp_path: Path) -> None:
    with misbehaving([Answer(500), Answer(500), GOOD]) as server:
        endpoint = Endpoint(server.url, server.url, lambda: NOON)
        limiter = RateLimiter("polite", INTERVAL)
        http = PATIENT.model_copy(update={"backoff_s": 0.0})
        adapter = RecordingAdapter(endpoint, Journal(tmp_path / "j.jsonl"), http, limiter, sleep=lambda _: None)
        before = time.time()
        assert new_session(adapter).get(f"{server.url}/works").status_code == HTTPStatus.OK
    assert float(state(temporary).read_text()) - before >= 2 * INTERVAL - CLOCK_SLACK


def test_an_answer_from_the_journal_takes_no_turn(temporary: Path, dial: Dial) -> None:
    with misbehaving([GOOD]) as server:
        dial(server.url).get()
        limiter = RateLimiter("polite", INTERVAL)
        adapter = RecordingAdapter(Endpoint(server.url, server.url, lambda: NOON), Journal(dial.path), PATIENT, limiter)
        assert new_session(adapter).get(f"{server.url}/works").content == GOOD.body
    assert list(temporary.glob("coevo-rate-*/polite")) == []


def test_the_script_is_over_when_it_is_over() -> None:
    """The misbehaving server itself: it never repeats a step, and keeps what it saw."""
    with misbehaving([GOOD]) as server:
        assert isinstance(server, Server)
        answers = [requests.get(f"{server.url}/{n}", timeout=30) for n in (1, 2)]
        assert [answer.status_code for answer in answers] == [200, 418]
        assert server.targets == ["/1", "/2"]
        assert server.seen[0].at <= server.seen[1].at
