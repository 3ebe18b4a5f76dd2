"""A real HTTP server on 127.0.0.1 that plays a script: answers, broken connections, cut, slow and huge bodies.

What it is asked is kept, with headers and times, so that tests can count requests.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

_BLOCK = bytes(1 << 16)
_OWN_HEADERS = frozenset({"content-length", "connection", "transfer-encoding"})


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    at: float
    """Monotonic seconds."""
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def parameters(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.target.partition("?")[2]).items()}


@dataclass(frozen=True)
class Answer:
    """A whole answer. `announced` is the Content-Length when it is to be a lie."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None


@dataclass(frozen=True)
class Reset:
    """The connection is torn down (RST) before a byte is answered."""


@dataclass(frozen=True)
class CutOff:
    """Headers, `sent` bytes of a longer body, then the connection ends."""

    body: bytes
    sent: int
    reset: bool = False


@dataclass(frozen=True)
class Drip:
    """An answer byte by byte, with a pause before each: of its body, of a chunk of it, or of the headers before it."""

    body: bytes
    pause_s: float
    of: Literal["body", "chunk", "headers"] = "body"


@dataclass(frozen=True)
class Huge:
    """A body of `megabytes` MB of zeros; the length is announced or, chunked, is not."""

    megabytes: int
    chunked: bool = False


@dataclass(frozen=True)
class Silence:
    """The request is read and never answered."""


Step = Answer | Reset | CutOff | Drip | Huge | Silence
Play = Sequence[Step] | Callable[[Seen], Step]

UNSCRIPTED = 418
"""Answered (once, permanent) when the script is over: too many requests fail a test instead of hanging it."""


@dataclass
class Server:
    """A running server: its url and what it saw so far."""

    url: str
    play: Play
    seen: list[Seen] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, request: Seen) -> Step:
        with self._lock:
            number = len(self.seen)
            self.seen.append(request)
        if callable(self.play):
            return self.play(request)
        return self.play[number] if number < len(self.play) else Answer(UNSCRIPTED, b"the script is over")

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.seen]


@contextmanager
def misbehaving(play: Play) -> Iterator[Server]:
    """Serve `play`: its steps in turn, or whatever it returns for a request."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = self.rfile.read(int(headers.get("content-length", 0)))
            step = server.next(Seen(self.command, self.path, headers, time.monotonic(), sent))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._perform(step)

        do_POST = do_GET

        def _perform(self, step: Step) -> None:
            if isinstance(step, Answer):
                length = len(step.body) if step.announced is None else step.announced
                self._head(step.status, length, step.headers)
                self.wfile.write(step.body)
                self.close_connection = self.close_connection or length != len(step.body)
            elif isinstance(step, Reset):
                self._reset()
            elif isinstance(step, CutOff):
                self._head(200, len(step.body), {})
                self.wfile.write(step.body[: step.sent])
                self.close_connection = True
                if step.reset:
                    self._reset()
            elif isinstance(step, Drip):
                self._drip(step)
            elif isinstance(step, Huge):
                self._huge(step)
            else:
                over.wait()
                self.close_connection = True

        def _head(self, status: int, length: int | None, headers: Mapping[str, str]) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if length is None:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def _drip(self, step: Drip) -> None:
            self.close_connection = True
            slow = step.body
            if step.of == "headers":
                slow = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(step.body), step.body)
            else:
                self._head(200, None if step.of == "chunk" else len(step.body), {})
                if step.of == "chunk":
                    slow = b"%x\r\n%b\r\n0\r\n\r\n" % (len(step.body), step.body)
            for byte in slow:
                if over.wait(step.pause_s):
                    break
                self.wfile.write(bytes([byte]))

        def _huge(self, step: Huge) -> None:
            self.close_connection = True
            self._head(200, None if step.chunked else step.megabytes << 20, {})
            for _ in range((step.megabytes << 20) // len(_BLOCK)):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(_BLOCK), _BLOCK) if step.chunked else _BLOCK)
            if step.chunked:
                self.wfile.write(b"0\r\n\r\n")

        def _reset(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # the usual end would say FIN first

        def log_message(self, *_: Any) -> None:
            """`seen` is the log."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server = Server(f"http://127.0.0.1:{listening.server_address[1]}", play)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


@contextmanager
def nobody() -> Iterator[str]:
    """The url of a port that is taken, so that no one else can get it, but on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def as_json(value: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def relay(root: str) -> Callable[[Seen], Answer]:
    """A play that passes each request on to `root` (the sample server), keeping the Host that was asked."""
    parts = urlsplit(root)

    def passed_on(request: Seen) -> Answer:
        connection = HTTPConnection(parts.hostname or "", parts.port)
        try:
            connection.request(
                request.method, request.target, body=request.body or None, headers={"Host": request.headers["host"]}
            )
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN_HEADERS}
            return Answer(answer.status, answer.read(), headers)
        finally:
            connection.close()

    return passed_on


def truncated_gzip(text: bytes) -> Answer:
    """A gzip body that lacks its end while Content-Length agrees with what is sent."""
    packed = gzip.compress(text, mtime=0)
    return Answer(200, packed[: len(packed) // 2], {"Content-Encoding": "gzip", "Content-Type": "application/json"})
