"""The one way to the network: timeouts, retries, rate limit, redaction, recording, resuming.

Every client (requests, PyGithub, huggingface_hub) is given this adapter or a thin bridge to it, so that all
sources are equally patient, polite and recorded, whatever their client library does by itself.
"""

from __future__ import annotations

import io
import logging
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import DecodeError
from urllib3.exceptions import HTTPError as TransportError
from urllib3.util.retry import Retry

from coevo_pipelines.scrapes.consent import WITHHELD, said
from coevo_pipelines.scrapes.errors import Incomplete, SourceDown, Spent
from coevo_pipelines.scrapes.exchange import Exchange, Journal, Redactor
from coevo_pipelines.scrapes.limits import UNLIMITED, Budget, RateLimiter, told
from coevo_pipelines.settings import Http
from coevo_pipelines.version import user_agent

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
PROGRESS_EVERY = 50
LIMIT_PAUSE_S = 60.0
"""Least pause after a secondary limit that does not say how long, as GitHub asks; it doubles each time."""
_CHUNK = 1 << 16
_MOST_MEMBERS = 1_000
_LIMITED = re.compile(rb"(?i)secondary rate limit|abuse detection")
_SAME_PAGES = 10
_PAGE_BYTES = 1_000
"""An empty page may well be like the one before it; a full one is longer than this."""
_PAGING = frozenset({"cursor", "offset", "page", "resumptionToken", "skip", "start", "token"})
_OWN_KEYS = ("authorization", "x-api-key")
"""Headers in which a service is told our key."""
_WHERE = re.compile(r"^(?:<[^>]*>|HTTPS?Connection(?:Pool)?\([^)]*\)): ")


class BodyTooLarge(Exception):
    """The answer is longer than `http.max_body_mb`."""


class TooSlow(Exception):
    """The answer took longer than `http.answer_timeout_s`, however steadily it came."""


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


class RecordingAdapter(HTTPAdapter):
    """A requests transport that retries, keeps to the limits and journals each final answer.

    A request whose good answer is in the journal already is answered from there. Transient failures (429, 5xx,
    the service's own `also_transient`, a broken, late or cut off answer, a body of which `check` says that it is
    not what the source answers; 403 with a rate limit in its headers or text) are repeated with exponential backoff
    or when the service says; permanent ones (other 4xx) are returned at once. When retries are used up, or the
    service asks to wait longer than the cap, SourceDown is raised, after recording; Spent, when the budget is spent
    before a request. Incomplete when the pages of a listing go round in a circle.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        http: Http,
        limiter: RateLimiter,
        secrets: Iterable[str] = (),
        sleep: Callable[[float], None] = time.sleep,
        keeps_addresses: bool = False,
        withhold: Callable[[str, bytes], tuple[bytes, Mapping[str, datetime]]] = lambda _url, body: (body, {}),
        check: Callable[[str, int, bytes], str] = lambda _url, _status, _body: "",
        budget: Budget = UNLIMITED,
        also_transient: Iterable[int] = (),
    ) -> None:
        self._sent: Callable[[], None] = lambda: None
        self._pools = _pools(http.answer_timeout_s, self._on_its_way)
        super().__init__(max_retries=0)
        self.endpoint = endpoint
        self.journal = journal
        self.http = http
        self._limiter = limiter
        self._budget = budget
        self._redactor = Redactor(secrets, keeps_addresses=keeps_addresses)
        self._sleep = sleep
        self._check = check
        self._withhold = withhold
        self._transient = TRANSIENT_STATUSES | frozenset(also_transient)
        self.topic: str | None = None
        self.leave_out: Callable[[str, bytes], tuple[bytes, Mapping[str, str]]] = lambda _url, body: (body, {})
        """What a source itself may not keep of an answer: address as stored and body in; out the body that is stored
        and given to the source, with headers that say what is missing."""
        self._known = {(e.method, e.url): e for e in journal.exchanges if e.ok}
        self._unsent = 0
        self._repeated: tuple[str, str, int] = ("", "", 0)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        method, url = request.method or "GET", request.url or ""
        stored_url = self._stored_url(request)
        known = self._known.get((method, stored_url))
        page = stored_url.partition("?")[0]
        if known is not None:
            self._unsent += 1
            if self._unsent > 1000 + 10 * len(self._known):
                raise Incomplete(f"{page}: its pages go round in a circle")
            return _response(request, known, self._served_headers(known.headers))
        self._unsent = 0
        attempts = self.http.retries + 1
        cap = self.http.retry_after_cap_s
        for attempt in range(1, attempts + 1):
            status: int | None = None
            headers: Mapping[str, str] = {}
            body, wait = b"", None
            self._await_budget(url)
            try:
                with self._limiter.turn() as self._sent:
                    status, headers, body = self._exchange(request, options)
            except BodyTooLarge as error:
                self._record(method, stored_url, None, {}, b"", str(error))
                raise SourceDown(f"{self.endpoint.base_url}: {error}") from error
            except (requests.RequestException, TransportError, OSError, TooSlow) as error:
                failure = _plain(error)
            else:
                failure, wait = self._judge(url, status, headers, body, attempt)
                self._budget.answered(url, headers, wait)
                if not failure:
                    exchange = self._record(method, stored_url, status, headers, body)
                    self._no_repeated_page(exchange)
                    return _response(request, exchange, headers)
            pause = self.http.backoff_s * 2 ** (attempt - 1) if wait is None else wait
            if attempt == attempts or (wait is not None and wait > cap):
                break
            said = self._redactor.text(failure)
            log.info("%s: %s, attempt %d of %d, next in %.0f s", page, said, attempt, attempts, pause)
            self._sleep(pause)
        until = ""
        if wait is not None and wait > cap:
            failure += f", asks to wait {wait:.0f} s (cap {cap:.0f} s)"
            until = f"; goes on after {_minute(wait)}"
        error_text = self._redactor.text(f"{failure} after {attempt} attempt{'s' if attempt > 1 else ''}{until}")
        self._record(method, stored_url, status, headers, body, error_text)
        raise SourceDown(f"{self.endpoint.base_url}: {error_text}")

    def known(self, url: str) -> Exchange | None:
        """The good answer to a GET of this address (as stored) that is in the journal."""
        return self._known.get(("GET", url))

    def keep(self, url: str, body: bytes) -> Exchange:
        """Record what a source read from this machine, as if it were an answer: redacted, less what is left out."""
        return self._record("GET", url, 200, {}, body)

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):  # these have connections of their own
            manager.pool_classes_by_scheme = self._pools
        return manager

    def _on_its_way(self) -> None:
        self._sent()

    def _stored_url(self, request: requests.PreparedRequest) -> str:
        """The address as it is stored. What a POST sends stands behind the `#`, which is never sent itself: so the
        row says what was asked, and another body is another question. A source may put it there itself, shorter."""
        url = self.endpoint.stored_url(request.url or "")
        if request.body and not urlsplit(url).fragment:
            body = request.body.encode() if isinstance(request.body, str) else bytes(request.body)
            url += f"#{quote(self._redactor.body(body), safe='')}"
        return self._redactor.url(url)

    def _judge(
        self, url: str, status: int, headers: Mapping[str, str], body: bytes, attempt: int
    ) -> tuple[str, float | None]:
        """What is wrong with an answer that is worth another try, and the seconds that the service asks to wait."""
        limited_text = status in {403, 429} and _LIMITED.search(body[:_CHUNK]) is not None
        limited = limited_text or "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
        if status in self._transient or (status == 403 and limited):
            wait = _wait_asked(headers)
            if wait is None and limited_text:
                longest = max(LIMIT_PAUSE_S, self.http.retry_after_cap_s)
                wait = min(LIMIT_PAUSE_S * 2.0 ** (attempt - 1), longest)
            return f"HTTP {status}", wait
        wrong = _bad_location(status, headers) or (status < 400 and self._check(url, status, body))
        return (f"HTTP {status}: {wrong}" if wrong else ""), None

    def _await_budget(self, url: str) -> None:
        while (closed := self._budget.take(url)) is not None:
            pause = closed.until - time.time()
            if pause > self.http.retry_after_cap_s:
                raise Spent(closed.message)
            log.info("%s, in %.0f s", closed.message, pause)
            self._sleep(max(pause, 0.05))

    def _no_repeated_page(self, exchange: Exchange) -> None:
        """A service that gives the same page under every address would be asked for ever."""
        if exchange.method != "GET" or exchange.status != 200 or len(exchange.body) < _PAGE_BYTES:
            return
        path, _, query = exchange.url.partition("?")
        listing = f"{path}?{urlencode([(name, value) for name, value in parse_qsl(query) if name not in _PAGING])}"
        before, digest, times = self._repeated
        times = times + 1 if (before, digest) == (listing, exchange.body_sha256) else 1
        self._repeated = (listing, exchange.body_sha256, times)
        if times >= _SAME_PAGES:
            raise Incomplete(f"{path}: the same page came {times} times, under different addresses")

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
                if max(size, response.raw.tell()) > limit:  # packed, a body can also be much longer than it is
                    raise BodyTooLarge(f"the answer is longer than {self.http.max_body_mb} MB (http.max_body_mb)")
                chunks += [chunk] if chunk else []
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
        body, left_out = self.leave_out(stored_url, self._redactor.body(body))
        kept |= left_out
        body, withheld = self._withhold(stored_url, body)
        if withheld:
            kept[WITHHELD] = said(withheld)
        exchange = Exchange(method, stored_url, status, kept, self.endpoint.now(), body, error, self.topic)
        self.journal.append(exchange)
        if len(self.journal.exchanges) % PROGRESS_EVERY == 0:
            log.info("%s: %d answers so far", self.endpoint.label, len(self.journal.exchanges))
        if exchange.ok:
            self._known[(method, stored_url)] = exchange
        return exchange

    def _served_headers(self, stored: Mapping[str, str]) -> dict[str, str]:
        return {name: value.replace(self.endpoint.label, self.endpoint.base_url) for name, value in stored.items()}


class _Session(requests.Session):
    """Tells a service what the settings say, and nothing to anybody else."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: (
            request
        )  # without one, requests takes a password from ~/.netrc in place of the token

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """On a redirect to another host; requests takes back `Authorization` alone, and looks into ~/.netrc again."""
        before, after = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(before, after):  # type: ignore[no-untyped-call]
            for name in _OWN_KEYS:
                prepared_request.headers.pop(name, None)


def new_session(adapter: RecordingAdapter, contact: str = "") -> requests.Session:
    """A requests session whose every exchange goes through `adapter`."""
    session = _Session()
    session.headers["User-Agent"] = user_agent(contact)
    prepare_session(session, adapter)
    return session


def prepare_session(session: requests.Session, adapter: RecordingAdapter) -> None:
    """Route an existing session (PyGithub's own, say) through `adapter`."""
    # Loopback must not go through a proxy.
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
    response.encoding = _encoding(exchange.body, response.headers)
    response._content = exchange.body
    return response


def _encoding(body: bytes, headers: Mapping[str, str]) -> str | None:
    """What can be read as UTF-8 is UTF-8, whatever the headers say: PyGithub would believe them."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return requests.utils.get_encoding_from_headers(headers)
    return "utf-8"


def _wait_asked(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait until the service may be asked again, in whichever way it says so."""
    value = headers.get("retry-after")
    if value is not None:
        try:
            return Retry(retry_after_max=10**9).parse_retry_after(value)  # seconds or an HTTP date
        except (TransportError, ValueError, OverflowError):
            return None
    limit = told(headers, time.time())
    return limit.reset_in_s + 1 if limit is not None and limit.remaining == 0 else None  # whole seconds are told


def _minute(seconds: float) -> str:
    """The minute after which so many seconds will be over."""
    return (datetime.now(UTC) + timedelta(seconds=min(seconds, 10**9) + 59)).strftime("%Y-%m-%d %H:%M UTC")


def _bad_location(status: int, headers: Mapping[str, str]) -> str:
    try:
        urlsplit(headers.get("location", ""))
    except ValueError as error:
        return f"Location is no address: {error}" if 300 <= status < 400 else ""
    return ""


def _inflated(response: requests.Response) -> Iterator[bytes]:
    """The body's bytes, decoded; unlike urllib3, TransportError when a packed body lacks its end."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    pieces = response.raw.stream(_CHUNK, decode_content=False)
    if coding in {"", "identity"}:
        yield from pieces
        return
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise DecodeError(f"the body is packed as {coding[:40]!r}, which was not asked for")
    decoder, empty, members = zlib.decompressobj(47), True, 1
    try:
        for packed in pieces:
            empty, rest = False, packed
            while rest:
                if decoder.eof:
                    if rest[:1] != b"\x1f":
                        break  # filled up with something; browsers pass over it too
                    members += 1
                    if members > _MOST_MEMBERS:
                        raise DecodeError(f"the body has more than {_MOST_MEMBERS:,} members of {coding}")
                    decoder = zlib.decompressobj(47)  # gzip may come in several members
                yield decoder.decompress(rest, _CHUNK)
                rest = decoder.unconsumed_tail or decoder.unused_data
        while not decoder.eof and (more := decoder.decompress(decoder.unconsumed_tail, _CHUNK)):
            yield more
    except zlib.error as error:
        raise DecodeError(f"the body is not {coding}: {error}") from error
    if not decoder.eof and not empty:
        raise DecodeError(f"the {coding} body lacks its end")


class _Deadline(io.RawIOBase):
    """The bytes of a connection until a moment, then TooSlow. A timeout of reading is for one read: a byte now and
    then keeps that waiting for ever."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, seconds: float) -> None:
        self._raw, self._connection, self._seconds = raw, connection, seconds
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._late()
        patience = self._connection.gettimeout()
        if patience is None or left < patience:
            self._connection.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() >= self._until:
                raise self._late() from None
            raise

    def _late(self) -> TooSlow:
        return TooSlow(f"the answer took longer than {self._seconds:g} s (http.answer_timeout_s)")

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pools(seconds: float, sent: Callable[[], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Kinds of connections whose answers, from the first byte of the headers to the last of the body, have so long;
    `sent` is called as soon as a request is on its way."""

    class Answer(HTTPResponse):
        def __init__(self, connection: socket.socket, *args: Any, **options: Any) -> None:
            sent()
            super().__init__(connection, *args, **options)
            self.fp: Any = io.BufferedReader(_Deadline(self.fp.detach(), connection, seconds))

    # The names of these are in the messages of urllib3, and `_plain` takes them out.
    plain = type("HTTPConnection", (HTTPConnection,), {"response_class": Answer})
    secure = type("HTTPSConnection", (HTTPSConnection,), {"response_class": Answer})
    return {
        "http": type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPSConnectionPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


def _plain(error: BaseException) -> str:
    """The innermost reason, without object addresses."""
    inner: Any = error
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return f"{type(error).__name__}: {_WHERE.sub('', str(error))}"
