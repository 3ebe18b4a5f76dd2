"""The one way to the network, against a server that misbehaves: patience, honesty, secrets, resuming."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import requests

from coevo_pipelines.scrapes.errors import Incomplete, SourceDown
from coevo_pipelines.scrapes.exchange import REDACTED, Exchange, Journal
from coevo_pipelines.scrapes.limits import RateLimiter
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter, new_session
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


def test_a_gzip_body_in_several_members_is_read_whole(dial: Dial) -> None:
    members = gzip.compress(b'{"good": ') + gzip.compress(b"") + gzip.compress(b"true}")
    filled = gzip.compress(GOOD.body) + bytes(100)  # padded: what is behind is no member
    headers = {"Content-Encoding": "gzip"}
    with misbehaving([Answer(200, members, headers), Answer(200, filled, headers)]) as server:
        dialled = dial(server.url)
        assert dialled.get("/a").json() == {"good": True}
        assert dialled.get("/b").json() == {"good": True}
    assert dialled.pauses == []


def test_a_body_of_very_many_members_is_a_broken_answer(dial: Dial) -> None:
    """Each costs time to begin, whether there is anything in it or not."""
    headers = {"Content-Encoding": "gzip"}
    play = [Answer(200, gzip.compress(b"") * members, headers) for members in (1_000, 1_001)]
    with misbehaving(play) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"retries": 0}))
        assert dialled.get("/a").content == b""
        with pytest.raises(SourceDown, match=r"more than 1,000 members of gzip after 1 attempt$"):
            dialled.get("/b")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x" * 5000])
def test_a_body_packed_as_nobody_asked_for_is_a_broken_answer(coding: str, dial: Dial) -> None:
    with misbehaving([Answer(200, gzip.compress(GOOD.body), {"Content-Encoding": coding}), GOOD]) as server:
        dialled = dial(server.url)
        assert dialled.get().json() == {"good": True}
        assert "br" not in server.seen[0].headers["accept-encoding"]
    assert dialled.pauses == [2.0]


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


@pytest.mark.parametrize("of", ["body", "chunk", "headers"])
def test_an_answer_that_drips_is_given_up_after_its_time_however_steadily_it_comes(of: Any, dial: Dial) -> None:
    """No single read takes long: only the whole does."""
    slow = PATIENT.model_copy(update={"read_timeout_s": 5.0, "answer_timeout_s": 0.5, "retries": 1})
    with misbehaving([Drip(bytes(10_000), 0.02, of)] * 5) as server:
        dialled = dial(server.url, slow)
        before = time.monotonic()
        with pytest.raises(SourceDown, match=r"took longer than 0.5 s \(http.answer_timeout_s\) after 2 attempts$"):
            dialled.get()
        assert time.monotonic() - before >= 1.0  # the whole drip takes 200 s
        assert len(server.seen) == 2
    assert dialled.pauses == [2.0]
    assert (dialled.last.status, dialled.last.body) == (None, b"")


@pytest.mark.parametrize("of", ["body", "chunk", "headers"])
def test_a_silence_longer_than_the_time_of_an_answer_is_no_longer_waited_for(of: Any, dial: Dial) -> None:
    slow = PATIENT.model_copy(update={"read_timeout_s": 30.0, "answer_timeout_s": 0.4, "retries": 0})
    dripping = misbehaving([Drip(b"xy", 3600.0, of)])
    with dripping as server, pytest.raises(SourceDown, match=r"took longer than 0.4 s"):
        dial(server.url, slow).get()


def test_each_answer_has_the_whole_time_on_one_connection(dial: Dial) -> None:
    """The time does not run on from one answer to the next."""
    slow = PATIENT.model_copy(update={"answer_timeout_s": 0.6, "retries": 0})

    def play(_: Seen) -> Step:
        time.sleep(0.25)
        return GOOD

    with misbehaving(play) as server:
        dialled = dial(server.url, slow)
        for page in range(4):
            assert dialled.get(f"/{page}").json() == {"good": True}


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
        said = rf"HTTP {status}, asks to wait 3600 s \(cap 120 s\) after 1 attempt; goes on after [\d-]+ [\d:]+ UTC$"
        with pytest.raises(SourceDown, match=said) as down:
            dialled.get()
        assert len(server.seen) == 1
    assert dialled.pauses == []
    assert (dialled.last.status, dialled.last.body) == (status, b"budget spent")
    assert str(down.value) == f"{server.url}: {dialled.last.error}"
    until = datetime.strptime(f"{str(down.value)[-20:-4]}+0000", "%Y-%m-%d %H:%M%z")
    assert timedelta(minutes=-1) < until - datetime.now(UTC) - timedelta(hours=1) < timedelta(minutes=1)


def test_a_date_above_the_cap_ends_at_once(dial: Dial) -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(hours=5), usegmt=True)
    with misbehaving([Answer(429, b"", {"Retry-After": tomorrow}), GOOD]) as server:
        dialled = dial(server.url)
        with pytest.raises(SourceDown, match=r"asks to wait \d+ s \(cap 120 s\)"):
            dialled.get()
    assert dialled.pauses == []


def in_seconds(seconds: int) -> str:
    """GitHub's way to name a time: seconds since 1970."""
    return str(int(time.time()) + seconds)


LIMITED = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'
ABUSE = b'{"message": "You have triggered an abuse detection mechanism. Please wait a few minutes."}'


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("body", [LIMITED, ABUSE], ids=["secondary", "abuse"])
def test_a_secondary_limit_that_does_not_say_how_long_is_a_minute_and_doubles_up_to_the_cap(
    status: int, body: bytes, dial: Dial
) -> None:
    with misbehaving([Answer(status, body)] * 3 + [GOOD]) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"retry_after_cap_s": 100.0}))
        assert dialled.get().status_code == 200
        assert len(server.seen) == 4
    assert dialled.pauses == [60, 100, 100]


def test_a_secondary_limit_is_not_waited_for_by_the_impatient(dial: Dial) -> None:
    with misbehaving([Answer(403, LIMITED), GOOD]) as server:
        dialled = dial(server.url, PATIENT.model_copy(update={"retry_after_cap_s": 30.0}))
        with pytest.raises(
            SourceDown, match=r"HTTP 403, asks to wait 60 s \(cap 30 s\) after 1 attempt; goes on after"
        ):
            dialled.get()
        assert len(server.seen) == 1
    assert dialled.pauses == []


def test_a_secondary_limit_with_retry_after_is_that_long(dial: Dial) -> None:
    with misbehaving([Answer(403, LIMITED, {"Retry-After": "7"}), GOOD]) as server:
        dialled = dial(server.url)
        assert dialled.get().status_code == 200
    assert dialled.pauses == [7]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        pytest.param(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "EPOCH"}, 90, id="GitHub"),
        pytest.param(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "EPOCH"}, 90, id="GitHub 429"),
        pytest.param(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "90"}, 90, id="OpenAlex"),
        pytest.param(429, {"RateLimit": '"api";r=0;t=90', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, 90,
                     id="Hugging Face"),
        pytest.param(429, {"RateLimit": '"api";r=0;t=90', "Retry-After": "5"}, 4, id="Retry-After goes first"),
        pytest.param(429, {"RateLimit": '"api";r=3;t=90'}, 1, id="something is left: the own pause"),
        pytest.param(403, {"x-ratelimit-remaining": "0"}, 1, id="no time: the own pause"),
    ],
)  # fmt: skip
def test_the_time_at_which_there_is_more_is_waited_for(
    status: int, headers: dict[str, str], expected: float, dial: Dial
) -> None:
    told = {name: in_seconds(90) if value == "EPOCH" else value for name, value in headers.items()}
    with misbehaving([Answer(status, b"{}", told), GOOD]) as server:
        dialled = dial(server.url)
        assert dialled.get().status_code == 200
        assert len(server.seen) == 2
    (pause,) = dialled.pauses
    assert 0 <= pause - expected <= 1.01  # told in whole seconds, so one more is waited


@pytest.mark.parametrize("reset", ["41741", "EPOCH"])
def test_a_budget_that_is_spent_for_hours_ends_at_once_and_says_when_it_goes_on(reset: str, dial: Dial) -> None:
    told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": in_seconds(41741) if reset == "EPOCH" else reset}
    with misbehaving([Answer(429, b"{}", told), GOOD]) as server:
        dialled = dial(server.url)
        with pytest.raises(
            SourceDown, match=r"HTTP 429, asks to wait 4174\d s \(cap 120 s\) after 1 attempt; "
        ) as down:
            dialled.get()
        assert len(server.seen) == 1
    until = datetime.strptime(f"{str(down.value)[-20:-4]}+0000", "%Y-%m-%d %H:%M%z")
    assert 0 <= (until - datetime.now(UTC)).total_seconds() - 41741 <= 62
    assert dialled.pauses == []


def test_a_status_that_one_service_means_otherwise_is_repeated_there(dial: Dial) -> None:
    """406 of arXiv's edge; elsewhere it is a refusal."""
    with misbehaving([Answer(406), GOOD, Answer(406)]) as server:
        dialled = dial(server.url)
        dialled.adapter._transient |= {406}
        assert dialled.get("/a").status_code == 200
        assert dialled.pauses == [2.0]
        assert dial(server.url).get("/b").status_code == 406


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


MEASURED = """
import re, sys
from datetime import UTC, datetime
from pathlib import Path
from coevo_pipelines.scrapes.errors import Incomplete, SourceDown
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.limits import RateLimiter
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter, new_session
from coevo_pipelines.settings import Http
url, journal, most = sys.argv[1:]
endpoint = Endpoint(url, url, lambda: datetime.now(UTC))
adapter = RecordingAdapter(endpoint, Journal(Path(journal)), Http(max_body_mb=int(most)), RateLimiter("x", 0.0))
session = new_session(adapter)
session.get(url + "/small")
def peak():  # not ru_maxrss: a process begins with that of its parent
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
try:
    session.get(url + "/large")
except SourceDown as down:
    print(peak() - before, down)
"""


EMPTY_BLOCKS = gzip.compress(b"")[:10] + bytes.fromhex("000000ffff") * (40 << 20)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("most", [1, 16])
@pytest.mark.parametrize(
    "large",
    [
        pytest.param(lambda: Huge(200), id="200 MB announced"),
        pytest.param(lambda: Huge(200, chunked=True), id="200 MB in chunks"),
        pytest.param(
            lambda: Answer(200, gzip.compress(bytes(200 << 20), 1), {"Content-Encoding": "gzip"}), id="gzip bomb"
        ),
        pytest.param(
            lambda: Answer(200, EMPTY_BLOCKS, {"Content-Encoding": "gzip"}), id="200 MB that unpack to nothing"
        ),
    ],
)
def test_a_body_far_over_the_limit_costs_no_more_memory_than_the_limit(large: Any, most: int, tmp_path: Path) -> None:
    """Measured in a process of its own: peak memory with the answer, above that without."""
    with misbehaving([GOOD, large()]) as server:
        command = [sys.executable, "-c", MEASURED, server.url, str(tmp_path / "day.jsonl"), str(most)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert len(server.seen) == 2
    grown, _, said = run.stdout.partition(" ")
    assert f"the answer is longer than {most} MB (http.max_body_mb)" in said, run.stderr
    assert int(grown) / 1024 < most + 8
    assert (tmp_path / "day.jsonl").stat().st_size < 10_000


# --- what repeats --------------------------------------------------------------------------------------


def test_pages_of_one_listing_that_are_all_the_same_end_it(dial: Dial) -> None:
    page = Answer(200, b"[" + b"1," * 1000 + b"1]", {"Content-Type": "application/json"})
    with misbehaving(lambda _: page) as server:
        dialled = dial(server.url)
        for number in range(1, 10):
            dialled.get(f"/works?q=a&page={number}")
        with pytest.raises(Incomplete, match=r"/works: the same page came 10 times, under different addresses$"):
            dialled.get("/works?q=a&page=10")
        assert len(server.seen) == 10
    assert len(dialled.journal.exchanges) == 10  # it is kept: the message can be checked


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param([f"/works?q={n}" for n in range(12)], id="other questions, one answer"),
        pytest.param([f"/repos/{n}/readme" for n in range(12)], id="other things alike"),
    ],
)
def test_other_questions_may_have_the_same_answer(addresses: list[str], dial: Dial) -> None:
    page = Answer(200, b"[" + b"1," * 1000 + b"1]")
    with misbehaving(lambda _: page) as server:
        dialled = dial(server.url)
        assert [dialled.get(address).status_code for address in addresses] == [200] * 12


def test_empty_pages_may_be_alike(dial: Dial) -> None:
    with misbehaving(lambda _: Answer(200, b'{"items": []}')) as server:
        dialled = dial(server.url)
        assert [dialled.get(f"/works?page={n}").status_code for n in range(12)] == [200] * 12


def test_pages_that_lead_back_to_each_other_end(dial: Dial) -> None:
    """No request is sent any more, so nothing else would ever stop it."""

    def play(request: Seen) -> Step:
        following = "b" if request.parameters["cursor"] == "a" else "a"
        return Answer(200, following.encode(), {"Link": f'<{server.url}/works?cursor={following}>; rel="next"'})

    with misbehaving(play) as server:
        dialled = dial(server.url)
        answer = dialled.get("/works?cursor=a")
        with pytest.raises(Incomplete, match=r"/works: its pages go round in a circle$"):
            for _ in range(10_000):
                answer = dialled.session.get(answer.links["next"]["url"])
        assert len(server.seen) == 2


# --- what is sent --------------------------------------------------------------------------------------


def test_a_post_is_kept_with_what_it_asked_and_another_body_is_another_question(dial: Dial) -> None:
    def play(request: Seen) -> Step:
        return Answer(200, b"answer to " + request.body, {"Content-Type": "text/plain"})

    with misbehaving(play) as server:
        dialled = dial(server.url, secrets=[SECRET])
        one = dialled.session.post(f"{server.url}/batch?fields=title", json={"ids": ["a", "ä#&"]})
        two = dialled.session.post(f"{server.url}/batch?fields=title", data=f"key={SECRET}")
        again = dial(server.url, secrets=[SECRET])
        assert again.session.post(f"{server.url}/batch?fields=title", json={"ids": ["a", "ä#&"]}).content == one.content
        assert again.session.post(f"{server.url}/batch?fields=title", data=f"key={SECRET}").status_code == 200
        assert len(server.seen) == 2
        assert {request.target for request in server.seen} == {"/batch?fields=title"}  # what is behind # stays here
        assert two.status_code == 200
    first, second = dialled.journal.exchanges
    assert (first.method, first.url.partition("#")[0]) == ("POST", f"{server.url}/batch?fields=title")
    assert unquote(first.url.partition("#")[2]).replace(" ", "") == '{"ids":["a","\\u00e4#&"]}'
    assert unquote(second.url.partition("#")[2]) == f"key={REDACTED}"
    assert SECRET.encode() not in dialled.bytes


def test_a_source_may_say_shorter_what_it_sends(dial: Dial) -> None:
    with misbehaving(lambda request: Answer(200, request.body)) as server:
        dialled = dial(server.url)
        for ids in ("a,b", "c"):
            dialled.session.post(f"{server.url}/batch#ids={ids}", json={"ids": ids.split(",")})
    assert [e.url for e in dialled.journal.exchanges] == [f"{server.url}/batch#ids=a,b", f"{server.url}/batch#ids=c"]


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


FULL = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.limits import RateLimiter
from coevo_pipelines.scrapes.session import Endpoint, RecordingAdapter, new_session
from coevo_pipelines.settings import Http
url, path = sys.argv[1:]
endpoint = Endpoint(url, url, lambda: datetime.now(UTC))
journal = Journal(Path(path))
session = new_session(RecordingAdapter(endpoint, journal, Http(backoff_s=0), RateLimiter("x", 0.0)))
session.get(url + "/one")
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(path).stat().st_size + 500, resource.RLIM_INFINITY))
try:
    session.get(url + "/two")
except OSError as error:
    print(type(error).__name__, error.strerror)
session.get(url + "/three")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are a matter of Unix")
def test_a_full_disk_is_raised_and_not_taken_for_a_broken_connection(dial: Dial) -> None:
    """What was kept before is whole, and what is kept after (somebody made room) is not glued to half a line."""
    with misbehaving([GOOD, Answer(200, bytes(5000)), Answer(200, b"3")]) as server:
        path = dial.path
        path.parent.mkdir()
        command = [sys.executable, "-c", FULL, server.url, str(path)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert run.stdout == "OSError File too large\n", run.stderr
        assert server.targets == ["/one", "/two", "/three"]  # asked once: another try would not make room
    assert [exchange.body for exchange in Journal(path).exchanges] == [GOOD.body, b"3"]


def test_a_damaged_line_of_the_journal_is_asked_again_and_nothing_else(
    dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "coevo_pipelines")
    bodies = [b"one", b"two", b"three"]
    with misbehaving([Answer(200, body) for body in [*bodies, b"two"]]) as server:
        dialled = dial(server.url)
        for number in (1, 2, 3):
            dialled.get(f"/{number}")
        first, second, third, _ = dial.path.read_bytes().split(b"\n")
        turned = second.replace(b'"body": "dHdv"', b'"body": "dHdw"')  # a body that is base64 and not what came
        assert turned != second
        for damaged in (turned, b"\x00" * len(second), second[:-7], b"[]", b"{}", second.replace(b"GET", b"\xff\xfe")):
            dial.path.write_bytes(b"\n".join([first, damaged, third, b""]))
            caplog.clear()
            assert [exchange.body for exchange in Journal(dial.path).exchanges] == [b"one", b"three"]
            assert f"{dial.path} line 2 is damaged" in caplog.text
        again = dial(server.url)
        assert [again.get(f"/{number}").content for number in (1, 2, 3)] == bodies
        assert server.targets == ["/1", "/2", "/3", "/2"]


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


def test_a_key_is_told_to_its_service_only_and_nobody_is_told_a_password_of_this_machine(
    dial: Dial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login ada password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "*")

    def play(request: Seen) -> Step:
        return GOOD if request.path == "/new" else Answer(302, b"", {"Location": f"{other.url}/new"})

    with misbehaving([GOOD]) as other, misbehaving(play) as server:
        dialled = dial(server.url.replace("127.0.0.1", "localhost"))
        assert dialled.get(**{"x-api-key": SECRET}).json() == {"good": True}
    first, second = server.seen[0].headers, other.seen[0].headers
    assert first["x-api-key"] == SECRET and "authorization" not in first
    assert "x-api-key" not in second and "authorization" not in second


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


def test_the_script_is_over_when_it_is_over() -> None:
    """The misbehaving server itself: it never repeats a step, and keeps what it saw."""
    with misbehaving([GOOD]) as server:
        assert isinstance(server, Server)
        answers = [requests.get(f"{server.url}/{n}", timeout=30) for n in (1, 2)]
        assert [answer.status_code for answer in answers] == [200, 418]
        assert server.targets == ["/1", "/2"]
        assert server.seen[0].at <= server.seen[1].at
