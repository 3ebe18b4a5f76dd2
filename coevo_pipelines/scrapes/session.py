"""The one way to the network: timeouts, retries, rate limit, redaction, recording, resuming.

Every client (requests, PyGithub, huggingface_hub) is given this adapter or a thin bridge to it, so that all
sources are equally patient, polite and recorded, whatever their client library does by itself.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from filelock import FileLock
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import DecodeError
from urllib3.exceptions import HTTPError as TransportError
from urllib3.util.retry import Retry

from coevo_pipelines.scrapes.errors import SourceDown
from coevo_pipelines.scrapes.exchange import Exchange, Journal, Redactor
from coevo_pipelines.settings import Http
from coevo_pipelines.version import user_agent

log = logging.getLogger(__name__)

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
PROGRESS_EVERY = 50
_CHUNK = 1 << 16
_WHERE = re.compile(r"^(?:<[^>]*>|HTTPS?Connection(?:Pool)?\([^)]*\)): ")


class Unreadable(Exception):
    """The answer came, but is not what its address promises (cut off, a page for people)."""


class BodyTooLarge(Exception):
    """The answer is longer than `http.max_body_mb`."""


@dataclass(frozen=True)
class Endpoint:
    """Where a source lives, and the name under which its exchanges are stored.

    For the sample the base url is a random port of 127.0.0.1 while `label` is `sample://<source>`: stored
    rows show plainly that no public service said so, and do not depend on the port.
    """

    base_url: str
    label: str
    now: Callable[[], datetime]

    def stored_url(self, url: str) -> str:
        if self.base_url.startswith("https://"):
            url = url.replace(f"{self.base_url}:443/", f"{self.base_url}/")  # PyGithub spells the port out
        return url.replace(self.base_url, self.label)


class RateLimiter:
    """At most one request per `interval_s` over all processes of this machine that share `name`."""

    def __init__(self, name: str, interval_s: float) -> None:
        self._interval_s = interval_s
        folder = Path(tempfile.gettempdir()) / f"coevo-rate-{os.getuid() if hasattr(os, 'getuid') else 0}"
        self._file = folder / name
        self._lock = FileLock(folder / f"{name}.lock")

    def wait(self) -> None:
        """Sleep until it is this process's turn. The lock is held while sleeping: that makes the queue."""
        if self._interval_s <= 0:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            try:
                last = float(self._file.read_text())
            except (FileNotFoundError, ValueError):
                last = 0.0
            pause = last + self._interval_s - time.time()
            if 0 < pause <= self._interval_s:  # a clock set back must not stop us for hours
                time.sleep(pause)
            self._file.write_text(repr(time.time()))


class RecordingAdapter(HTTPAdapter):
    """A requests transport that retries, keeps to the rate limit and journals each final answer.

    A request whose good answer is in the journal already is answered from there. Transient failures (429, 5xx,
    a broken connection or body, a body of which `check` says that it is not what the source answers; 403 with
    a rate-limit header) are repeated with exponential backoff or as Retry-After says; permanent ones (other
    4xx) are returned at once. When retries are used up, or Retry-After asks for more than the cap, SourceDown
    is raised, after recording.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        http: Http,
        limiter: RateLimiter,
        secrets: Iterable[str] = (),
        sleep: Callable[[float], None] = time.sleep,
        check: Callable[[str, int, bytes], str] = lambda _url, _status, _body: "",
    ) -> None:
        super().__init__(max_retries=0)
        self.endpoint = endpoint
        self.journal = journal
        self.http = http
        self._limiter = limiter
        self._redactor = Redactor(secrets)
        self._sleep = sleep
        self._check = check
        self.topic: str | None = None
        self._known = {(e.method, e.url): e for e in journal.exchanges if e.ok}

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        method, url = request.method or "GET", request.url or ""
        stored_url = self._redactor.url(self.endpoint.stored_url(url))
        known = self._known.get((method, stored_url))
        if known is not None:
            return _response(request, known, self._served_headers(known.headers))
        attempts = self.http.retries + 1
        failure = ""
        for attempt in range(1, attempts + 1):
            self._limiter.wait()
            status: int | None = None
            headers: Mapping[str, str] = {}
            body, wait = b"", None
            try:
                status, headers, body = self._exchange(request, options)
                if not _is_transient(status, headers):
                    wrong = _bad_location(status, headers) or (status < 400 and self._check(url, status, body))
                    if wrong:
                        raise Unreadable(wrong)
                    exchange = self._record(method, stored_url, status, headers, body)
                    return _response(request, exchange, headers)
                failure = f"HTTP {status}"
                wait = _retry_after(headers)
            except BodyTooLarge as error:
                self._record(method, stored_url, None, {}, b"", str(error))
                raise SourceDown(f"{self.endpoint.base_url}: {error}") from error
            except Unreadable as error:
                failure = f"HTTP {status}: {error}"
            except (requests.RequestException, TransportError, OSError) as error:
                failure = _plain(error)
            pause = self.http.backoff_s * 2 ** (attempt - 1) if wait is None else wait
            if attempt == attempts or (wait is not None and wait > self.http.retry_after_cap_s):
                break
            page = stored_url.partition("?")[0]
            log.info("%s: %s, attempt %d of %d, next in %.0f s", page, failure, attempt, attempts, pause)
            self._sleep(pause)
        if wait is not None and wait > self.http.retry_after_cap_s:
            failure += f", asks to wait {wait:.0f} s (cap {self.http.retry_after_cap_s:.0f} s)"
        error_text = f"{failure} after {attempt} attempt{'s' if attempt > 1 else ''}"
        self._record(method, stored_url, status, headers, body, self._redactor.text(error_text))
        raise SourceDown(f"{self.endpoint.base_url}: {self._redactor.text(error_text)}")

    def _exchange(
        self, request: requests.PreparedRequest, options: dict[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        options |= {"stream": True, "timeout": (self.http.connect_timeout_s, self.http.read_timeout_s)}
        request.headers["Accept-Encoding"] = "gzip, deflate"  # what _inflated can tell the end of
        response = super().send(request, **options)
        with response:
            limit = self.http.max_body_mb << 20
            chunks, size = [], 0
            for chunk in _inflated(response):
                size += len(chunk)
                if size > limit:
                    raise BodyTooLarge(f"the answer is longer than {self.http.max_body_mb} MB (http.max_body_mb)")
                chunks.append(chunk)
            return response.status_code, response.headers, b"".join(chunks)

    def _record(
        self,
        method: str,
        stored_url: str,
        status: int | None,
        headers: Mapping[str, str],
        body: bytes,
        error: str | None = None,
    ) -> Exchange:
        kept = {name: self.endpoint.stored_url(value) for name, value in self._redactor.headers(headers).items()}
        exchange = Exchange(
            method, stored_url, status, kept, self.endpoint.now(), self._redactor.body(body), error, self.topic
        )
        self.journal.append(exchange)
        if len(self.journal.exchanges) % PROGRESS_EVERY == 0:
            log.info("%s: %d answers so far", self.endpoint.label, len(self.journal.exchanges))
        if exchange.ok:
            self._known[(method, stored_url)] = exchange
        return exchange

    def _served_headers(self, stored: Mapping[str, str]) -> dict[str, str]:
        return {name: value.replace(self.endpoint.label, self.endpoint.base_url) for name, value in stored.items()}


def new_session(adapter: RecordingAdapter, contact: str = "") -> requests.Session:
    """A requests session whose every exchange goes through `adapter`."""
    session = requests.Session()
    session.headers["User-Agent"] = user_agent(contact)
    prepare_session(session, adapter)
    return session


def prepare_session(session: requests.Session, adapter: RecordingAdapter) -> None:
    """Route an existing session (PyGithub's own, say) through `adapter`."""
    # Loopback must not go through a proxy, and no stored password file may add credentials.
    session.trust_env = not adapter.endpoint.base_url.startswith("http://127.0.0.1")
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def _response(request: requests.PreparedRequest, exchange: Exchange, headers: Mapping[str, str]) -> requests.Response:
    response = requests.Response()
    response.request = request
    response.url = request.url or ""
    response.status_code = exchange.status or 0
    response.headers = CaseInsensitiveDict(headers)
    # The body is decoded already; these two would describe it as it was on the wire.
    for name in ("content-encoding", "transfer-encoding"):
        response.headers.pop(name, None)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response._content = exchange.body
    return response


def _is_transient(status: int, headers: Mapping[str, str]) -> bool:
    limited = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return status in TRANSIENT_STATUSES or (status == 403 and limited)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return Retry(retry_after_max=10**9).parse_retry_after(value)  # seconds or an HTTP date
    except (TransportError, ValueError, OverflowError):
        return None


def _bad_location(status: int, headers: Mapping[str, str]) -> str:
    try:
        urlsplit(headers.get("location", ""))
    except ValueError as error:
        return f"Location is no address: {error}" if 300 <= status < 400 else ""
    return ""


def _inflated(response: requests.Response) -> Iterator[bytes]:
    """The body's bytes, decoded; unlike urllib3, TransportError when a packed body lacks its end."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"gzip", "x-gzip", "deflate"}:
        yield from response.raw.stream(_CHUNK, decode_content=True)
        return
    decoder, empty = zlib.decompressobj(47), True
    try:
        for packed in response.raw.stream(_CHUNK, decode_content=False):
            empty, rest = False, packed
            while rest and not decoder.eof:
                yield decoder.decompress(rest, _CHUNK)
                rest = decoder.unconsumed_tail
        while not decoder.eof and (more := decoder.decompress(decoder.unconsumed_tail, _CHUNK)):
            yield more
    except zlib.error as error:
        raise DecodeError(f"the body is not {coding}: {error}") from error
    if not decoder.eof and not empty:
        raise DecodeError(f"the {coding} body lacks its end")


def _plain(error: BaseException) -> str:
    """The innermost reason, without object addresses."""
    inner: Any = error
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return f"{type(error).__name__}: {_WHERE.sub('', str(error))}"
