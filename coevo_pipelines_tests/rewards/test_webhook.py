"""A receipt set is booked once, whatever the receiver, the network or a kill does: over real HTTP on 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from filelock import FileLock
from urllib3.util.retry import Retry

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.rewards.ledger import RewardLedger
from coevo_pipelines.rewards.webhook import MOST_ANSWER, RETRIES, DryRun, NotSent, Sent, send, sign
from coevo_pipelines_tests.rewards.test_ledger import D1, FIRST, PEOPLE, all_kinds, correction
from coevo_pipelines_tests.scrapes.misbehaving import nobody

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICK = RETRIES.new(total=3, backoff_factor=0.01, retry_after_max=5)
BOOKED = b'{"booked":true}'


@dataclass(frozen=True)
class Step:
    """How the receiver meets one request. `reads`: bytes of the body it takes before it hangs up."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = BOOKED
    reads: int | None = None
    sends: int | None = None
    """Bytes of the answer's body before the connection ends; -1: not even the status."""
    pause_s: float = 0
    drip_s: float = 0
    chunked: bool = False


@dataclass
class Receiver:
    """Books a receipt set when it has read it whole, once for each idempotency key."""

    url: str = ""
    steps: list[Step] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    booked: dict[str, bytes] = field(default_factory=dict)
    bookings: int = 0
    at: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    own = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with own.lock:
                own.requests.append({name.lower(): value for name, value in self.headers.items()})
                own.at.append(time.monotonic())
                step = own.steps.pop(0) if own.steps else Step()
            size = int(self.headers["Content-Length"])
            if step.reads is not None:
                self.rfile.read(step.reads)
                self._hang_up()
                return
            body = self.rfile.read(size)
            if step.status < 300:
                with own.lock:
                    own.bodies.append(body)
                    key = self.headers["Idempotency-Key"]
                    own.bookings += key not in own.booked
                    assert own.booked.setdefault(key, body) == body
            time.sleep(step.pause_s)
            with contextlib.suppress(OSError):
                self._answer(step)

        def _answer(self, step: Step) -> None:
            if step.sends == -1:
                self._hang_up()
                return
            self.send_response(step.status)
            for name, value in step.headers.items():
                self.send_header(name, value)
            if step.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(step.body)))
            self.end_headers()
            body = step.body[: step.sends]
            if step.chunked:
                body = b"%x\r\n%b\r\n" % (len(step.body), step.body)
                body = body[: step.sends] if step.sends else body + b"0\r\n\r\n"
            for byte in body if step.drip_s else ():
                self.wfile.write(bytes([byte]))
                time.sleep(step.drip_s)
            if not step.drip_s:
                self.wfile.write(body)
            self.close_connection = True

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

        def log_message(self, *_: Any) -> None:
            """`requests` is the log."""

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    own.url = f"http://127.0.0.1:{server.server_address[1]}/rounds?token=t0p"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield own
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ledger(tmp_path: Path) -> RewardLedger:
    ledger = RewardLedger(tmp_path)
    ledger.append(FIRST, eligible=PEOPLE)
    return ledger


def first(ledger: RewardLedger) -> str:
    return ledger.entries()[0].id


def sent(ledger: RewardLedger, receiver: Receiver, **options: Any) -> Sent:
    options.setdefault("retries", QUICK)
    result = send(ledger, first(ledger), receiver.url, dry_run=False, timeout_s=(2, 0.5), **options)
    assert isinstance(result, Sent)
    return result


def test_the_published_example_of_standard_webhooks() -> None:
    """libraries/python/tests/test_webhooks.py of standard-webhooks/standard-webhooks, test_sign_function."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(ledger: RewardLedger, receiver: Receiver) -> None:
    before = ledger.file.read_bytes()
    plan = send(ledger, first(ledger), receiver.url, secret=SECRET)
    assert isinstance(plan, DryRun)
    assert plan.body == before.rstrip(b"\n") and plan.url == receiver.url
    assert plan.headers["Idempotency-Key"] == f'"{first(ledger)}"'
    assert SECRET.removeprefix("whsec_") not in str(plan)
    assert receiver.requests == [] and ledger.file.read_bytes() == before


@pytest.mark.parametrize("secret", [SECRET, None])
def test_it_is_sent_once_signed_and_noted(ledger: RewardLedger, receiver: Receiver, secret: str | None) -> None:
    result = sent(ledger, receiver, secret=secret)
    (request,) = receiver.requests
    assert request["idempotency-key"] == f'"{first(ledger)}"' and request["content-type"] == "application/json"
    assert receiver.bodies == [canonical(dict(ledger.entries()[0].record))]
    names = {"webhook-id", "webhook-timestamp", "webhook-signature"}
    if secret:
        stamp = int(request["webhook-timestamp"])
        assert abs(stamp - time.time()) < 60 and request["webhook-id"] == first(ledger)
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        assert request["webhook-signature"] == sign(key, first(ledger), stamp, receiver.bodies[0])
    else:
        assert not names & request.keys()
    note = ledger.entries()[-1].record
    assert result.now and result.payment.record == note
    assert note["answer_sha256"] == hashlib.sha256(BOOKED).hexdigest()
    assert (note["status"], note["attempts"], note["pays"]) == (200, 1, first(ledger))
    assert note["url"] == receiver.url.partition("?")[0] and "t0p" not in ledger.file.read_text()
    assert not (again := sent(ledger, receiver)).now
    assert again.payment == result.payment and len(receiver.requests) == 1
    assert send(ledger, first(ledger), receiver.url) == again  # nor would a dry run send it


FAILURES = {
    "hangs up before the body": [Step(reads=0)],
    "hangs up in the middle of the body": [Step(reads=300)],
    "books, then hangs up": [Step(sends=-1)],
    "books, then cuts the answer off": [Step(sends=4)],
    "books, then cuts a chunked answer off": [Step(sends=7, chunked=True)],
    "books, and answers too late": [Step(pause_s=0.8)],
    "books, and drips": [Step(drip_s=0.1)],
    "503": [Step(503)],
    "500 and 504": [Step(500), Step(504)],
    "408, 409, 425": [Step(408), Step(409), Step(425)],
    "all of it": [Step(reads=10), Step(503), Step(sends=-1)],
    "Retry-After that says nothing": [Step(503, {"Retry-After": "soon"}), Step(429, {"Retry-After": "9" * 5000})],
}


@pytest.mark.parametrize("steps", FAILURES.values(), ids=FAILURES.keys())
def test_a_receiver_that_fails_halfway_books_once(ledger: RewardLedger, receiver: Receiver, steps: list[Step]) -> None:
    receiver.steps = steps.copy()
    result = sent(ledger, receiver)
    assert result.payment.record["attempts"] == len(steps) + 1 == len(receiver.requests)
    assert result.payment.record["answer_sha256"] == hashlib.sha256(BOOKED).hexdigest()
    assert {request["idempotency-key"] for request in receiver.requests} == {f'"{first(ledger)}"'}
    assert receiver.bookings == 1 and len(ledger.entries()) == 2


def test_retry_after_is_waited_for_in_seconds_or_as_a_date(ledger: RewardLedger, receiver: Receiver) -> None:
    soon = email.utils.formatdate(time.time() + 3, usegmt=True)
    receiver.steps = [Step(429, {"Retry-After": "1"}), Step(503, {"Retry-After": soon})]
    sent(ledger, receiver, secret=SECRET)
    first_pause, second_pause = receiver.at[1] - receiver.at[0], receiver.at[2] - receiver.at[1]
    assert 1 <= first_pause < 2 and 0.5 < second_pause < 3
    stamps = [int(request["webhook-timestamp"]) for request in receiver.requests]
    assert stamps[0] < stamps[1] < stamps[2]  # each attempt is signed anew
    assert len({request["webhook-signature"] for request in receiver.requests}) == 3


@pytest.mark.parametrize(
    ("steps", "attempts", "message"),
    [
        ([Step(400)], 1, "HTTP 400: nothing was recorded; the receiver refuses it"),
        ([Step(422)], 1, "HTTP 422"),
        ([Step(410)], 1, "HTTP 410: nothing was recorded; the receiver wants no more"),
        ([Step(302, {"Location": "http://127.0.0.1:1/"})], 1, "HTTP 302 to 'http://127.0.0.1:1/': .*not followed"),
        ([Step(307, {"Location": "http://[bad"})], 1, "HTTP 307 to .*not followed"),
        ([Step(304)], 1, "HTTP 304"),
        ([Step(503)] * 4, 4, "HTTP 503, attempt 4, the last. The receiver may have heard it"),
        ([Step(sends=-1)] * 4, 4, "attempt 4, the last"),
        ([Step(429, {"Retry-After": "6"})], 1, "HTTP 429, attempt 1; asks to wait 6 s, at most 5 are waited"),
    ],
)
def test_it_gives_up_with_the_reason_and_notes_nothing(
    ledger: RewardLedger, receiver: Receiver, steps: list[Step], attempts: int, message: str
) -> None:
    receiver.steps, before = steps.copy(), ledger.file.read_bytes()
    with pytest.raises(NotSent, match=message) as error:
        sent(ledger, receiver)
    assert "t0p" not in str(error.value)
    assert len(receiver.requests) == attempts and ledger.file.read_bytes() == before
    assert sent(ledger, receiver).now and receiver.bookings == 1  # another day


def test_nobody_listens(ledger: RewardLedger) -> None:
    with nobody() as url:
        target = f"{url}/?token=t0p"
        with pytest.raises(NotSent, match=r"ConnectionError.*attempt 2, the last") as error:
            send(ledger, first(ledger), target, dry_run=False, retries=QUICK.new(total=1))
    assert "t0p" not in "".join(traceback.format_exception(error.value))


def test_a_long_answer_is_read_to_a_bound(ledger: RewardLedger, receiver: Receiver) -> None:
    receiver.steps = [Step(body=bytes(MOST_ANSWER * 3))]
    assert sent(ledger, receiver).payment.record["answer_sha256"] == hashlib.sha256(bytes(MOST_ANSWER)).hexdigest()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://pay.example/", "goes to an https url"),
        ("http://127.0.0.1.example/", "goes to an https url"),
        ("http://10.0.0.1/", "goes to an https url"),
        ("ftp://127.0.0.1/", "goes to an https url"),
        ("https://", "goes to an https url"),
        ("", "goes to an https url"),
        ("https://u:p4ss@pay.example/", "a user and password in the url"),
        ("http://127.0.0.1:99999/", "url is none"),
        ("http://[::1/", "url is none"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_url_that_would_show_the_receipts_is_refused(
    ledger: RewardLedger, url: str, message: str, dry_run: bool
) -> None:
    with pytest.raises(NotSent, match=message) as error:
        send(ledger, first(ledger), url, dry_run=dry_run)
    assert "p4ss" not in str(error.value)
    for good in ("https://pay.example/", "http://localhost:1/", "http://127.9.9.9/", "http://[::1]:8/"):
        assert isinstance(send(ledger, first(ledger), good), DryRun)


@pytest.mark.parametrize(
    ("secret", "message"),
    [("whsec_käse", "not `whsec_` and base64"), ("whsec_c2hvcnQ=", "has 5 bytes"), ("", "has 0 bytes")],
)
def test_a_weak_secret_is_refused_and_not_shown(ledger: RewardLedger, secret: str, message: str) -> None:
    with pytest.raises(NotSent, match=message) as error:
        send(ledger, first(ledger), "https://pay.example/", secret=secret)
    assert "käse" not in str(error.value) and "c2hv" not in str(error.value)


def test_only_money_that_holds_is_sent(tmp_path: Path, ledger: RewardLedger) -> None:
    url = "https://pay.example/"
    with pytest.raises(NotSent, match="no entry eeee"):
        send(ledger, "ee" * 32, url)
    corrected = ledger.append(correction(corrects=first(ledger)), eligible=PEOPLE)
    with pytest.raises(NotSent, match=f"was corrected: send {corrected.id}, which holds for round r {D1}"):
        send(ledger, first(ledger), url)
    assert isinstance(send(ledger, corrected.id, url), DryRun)
    whole = all_kinds(tmp_path / "other")
    release, expiry = whole.entries()[1:3]
    assert isinstance(send(whole, release.id, url), DryRun)
    with pytest.raises(NotSent, match="has kind expiry: only"):
        send(whole, expiry.id, url)


def test_no_stored_password_or_proxy_is_used(
    ledger: RewardLedger, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password p4ss\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with requests.Session() as session:
        sent(ledger, receiver, session=session)
    assert "authorization" not in receiver.requests[0]


SENDER = """
import sys
from pathlib import Path
from coevo_pipelines.rewards.ledger import RewardLedger
from coevo_pipelines.rewards.webhook import send
print(send(RewardLedger(Path(sys.argv[1])), sys.argv[2], sys.argv[3], dry_run=False).now)
"""


def sender(ledger: RewardLedger, receiver: Receiver) -> subprocess.Popen[str]:
    arguments = [str(ledger.folder.parent), first(ledger), receiver.url]
    return subprocess.Popen([sys.executable, "-c", SENDER, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_between_the_answer_and_the_ledger(ledger: RewardLedger, receiver: Receiver) -> None:
    """The ledger's lock is held here, so the process that has the answer cannot note it, and is killed."""
    with FileLock(ledger.folder / ".rewards.lock"):
        process = sender(ledger, receiver)
        until = time.monotonic() + 60
        while not receiver.bookings and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert receiver.bookings == 1 and len(ledger.entries()) == 1
    assert sent(ledger, receiver).now
    assert [r["idempotency-key"] for r in receiver.requests] == [f'"{first(ledger)}"'] * 2
    assert receiver.bookings == 1 and receiver.bodies[0] == receiver.bodies[1]
    assert len(ledger.replay().payments) == 1


def test_of_several_processes_one_sends(ledger: RewardLedger, receiver: Receiver) -> None:
    receiver.steps = [Step(pause_s=0.5)]
    outputs = [process.communicate(timeout=90)[0].strip() for process in [sender(ledger, receiver) for _ in range(3)]]
    assert sorted(outputs) == ["False", "False", "True"]
    assert len(receiver.requests) == 1 and len(ledger.replay().payments) == 1


def test_the_backoff_is_exponential_and_capped() -> None:
    waits, retries = [], Retry(total=9, **{k: getattr(RETRIES, k) for k in ("backoff_factor", "backoff_max")})
    for _ in range(9):
        retries = retries.increment("POST", "/", error=OSError())
        waits.append(retries.get_backoff_time())
    assert waits == [0, 2, 4, 8, 16, 32, 60, 60, 60]
