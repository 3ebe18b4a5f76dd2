"""One HTTP exchange as it is stored, and the journal that keeps it while a scrape is under way."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

REDACTED = "REDACTED"
_SECRET_PARAMETERS = re.compile(r"(?i)^(api[-_]?key|key|token|access_token|client_secret|password|sig)$")
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "set-cookie", "cookie", "x-api-key"})


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. `status` is None when no answer came; `error` then says why."""

    method: str
    url: str
    status: int | None
    headers: Mapping[str, str]
    fetched_at: datetime
    body: bytes
    error: str | None = None
    topic: str | None = None
    """The followed topic that was asked for, if the request was about one."""

    @property
    def body_sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def ok(self) -> bool:
        return self.error is None and self.status is not None and self.status < 400

    def row(self, capture: int, sequence: int) -> dict[str, Any]:
        """As a row of a `scrapes.*` table."""
        return {
            "capture": capture,
            "sequence": sequence,
            "method": self.method,
            "url": self.url,
            "topic": self.topic,
            "status": self.status,
            "headers": json.dumps(dict(self.headers), sort_keys=True, ensure_ascii=False),
            "fetched_at": self.fetched_at,
            "body": self.body,
            "body_bytes": len(self.body),
            "body_sha256": self.body_sha256,
            "error": self.error,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Exchange:
        return cls(
            method=row["method"],
            url=row["url"],
            status=row["status"],
            headers=json.loads(row["headers"]),
            fetched_at=row["fetched_at"],
            body=row["body"],
            error=row["error"],
            topic=row["topic"],
        )


class Redactor:
    """Takes secrets out of urls, headers and bodies before anything is stored."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        given = {secret for secret in secrets if secret}
        encoded = {quote(secret, safe="") for secret in given} | {quote_plus(secret) for secret in given}
        self._secrets = sorted(given | encoded, key=len, reverse=True)  # one may begin another

    def text(self, value: str) -> str:
        for secret in self._secrets:
            value = value.replace(secret, REDACTED)
        return value

    def url(self, url: str) -> str:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if any(_SECRET_PARAMETERS.match(name) for name, _ in query):
            kept = [(name, REDACTED if _SECRET_PARAMETERS.match(name) else value) for name, value in query]
            parts = parts._replace(query=urlencode(kept))
        if parts.password:
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return self.text(urlunsplit(parts))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name.lower(): self.text(value) for name, value in headers.items() if name.lower() not in _SECRET_HEADERS
        }

    def body(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret.encode(), REDACTED.encode())
        return body


class Journal:
    """Exchanges of a scrape that has not been committed yet, one JSON line each, durable one by one.

    A killed scrape leaves its journal; the next one for the same source and day answers from it what was
    already fetched, and asks only for the rest. A half-written last line is dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges = list(self._read())

    def append(self, exchange: Exchange) -> None:
        record = asdict(exchange) | {
            "fetched_at": exchange.fetched_at.isoformat(),
            "body": base64.b64encode(exchange.body).decode(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(json.dumps(record).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.exchanges.append(exchange)

    def keep_good(self) -> None:
        """Forget what failed: it will be asked again; what was answered will not."""
        good = [exchange for exchange in self.exchanges if exchange.ok]
        self.remove()
        self.exchanges = []
        for exchange in good:
            self.append(exchange)

    def remove(self) -> None:
        """Forget everything: the exchanges are committed."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> Iterator[Exchange]:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            with self.path.open("r+b") as stream:
                stream.truncate(whole)
        for line in data[:whole].splitlines():
            record = json.loads(line)
            record["fetched_at"] = datetime.fromisoformat(record["fetched_at"])
            record["body"] = base64.b64decode(record["body"])
            yield Exchange(**record)
