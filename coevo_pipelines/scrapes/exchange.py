"""One HTTP exchange as it is stored, and the journal that keeps it while a scrape is under way."""

from __future__ import annotations

import base64
import binascii
import codecs
import contextlib
import hashlib
import html
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from coevo_pipelines.scrapes import addresses

if TYPE_CHECKING:
    from coevo_pipelines.settings import Settings

log = logging.getLogger(__name__)

REDACTED = "REDACTED"
_SECRET = (
    r"api[-_]?key|key|token|access[-_]?token|auth[-_]?token|refresh[-_]?token|client[-_]?secret|secret|password|passwd|"
    r"pwd|sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token)|awsaccesskeyid|key-pair-id|policy|jwt|"
    r"auth|authorization|mailto|e-?mail"
)
"""Parameters that hold a key, a signature that stands for one, or the address of whoever asks."""
_SECRET_PARAMETERS = re.compile(rf"(?i)^(?:{_SECRET})$")
_IN_HEADER = re.compile(rf"(?i)([?&;](?:{_SECRET})=)[^&#\s<>\"';,]*")
_SIGNED = re.compile(
    rb"(?i)([?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|awsaccesskeyid|key-pair-id|signature|sig)=)"
    rb"[A-Za-z0-9%._~+/=-]+"
)
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "authentication-info", "set-cookie", "set-cookie2", "cookie", "x-api-key",
     "api-key", "x-auth-token", "x-access-token", "x-csrf-token", "x-amz-security-token", "private-token", "user-agent"}
)  # fmt: skip
_IN_CONTENT = re.compile(rb'("content"\s{0,9}:\s{0,9}")((?:[A-Za-z0-9+/=]|\\[nr/])+)"')
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins alike
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Files in these encodings are read as text (`traces.files`), so they are searched as text."""
_SHORTEST = 8
"""Characters of a secret from which on its escaped forms are looked for; shorter ones would be found anywhere."""


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


def secrets(settings: Settings) -> list[str]:
    """The keys of all sources: what one service is told another may say."""
    return [source.token.get_secret_value() for source in settings.sources.values() if source.token]


class Redactor:
    """Takes secrets and e-mail addresses out of urls, headers and bodies before anything is stored.

    A secret is found as it is, percent-encoded, with escapes of JSON or HTML, and inside base64 (`Authorization:
    Basic` holds it so); in the files that GitHub sends as base64, both are looked for in what the file says.
    """

    def __init__(self, secrets: Iterable[str] = (), *, keeps_addresses: bool = False) -> None:
        self._without_addresses = (lambda body: body) if keeps_addresses else addresses.redact
        given = {secret for secret in secrets if secret}
        plain = given | {form for secret in given for form in _spellings(secret)}
        self._secrets = sorted(plain, key=len, reverse=True)  # one may begin another
        long = sorted((secret for secret in given if len(secret) >= _SHORTEST), key=len, reverse=True)
        self._escaped = [_escaped(secret) for secret in long]
        self._packed = sorted({core for secret in long for core in _packed(secret.encode())}, key=len, reverse=True)

    def text(self, value: str) -> str:
        if self._secrets:
            for secret in self._secrets:
                value = value.replace(secret, REDACTED)
            value = self._hidden(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        return addresses.redact_text(value)

    def url(self, url: str) -> str:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if any(_SECRET_PARAMETERS.match(name) for name, _ in query):
            kept = [(name, REDACTED if _SECRET_PARAMETERS.match(name) else value) for name, value in query]
            parts = parts._replace(query=urlencode(kept))
        if parts.username is not None or parts.password is not None:
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return self.text(urlunsplit(parts))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name.lower(): self.text(_IN_HEADER.sub(rf"\1{REDACTED}", value))
            for name, value in headers.items()
            if name.lower() not in _SECRET_HEADERS
        }

    def body(self, body: bytes) -> bytes:
        """What is stored of a body; its digest is of this. A file in base64 keeps its length and digest as told."""
        if b'"content"' in body and b"base64" in body:
            body = _IN_CONTENT.sub(self._content, body)
        return self._plain(body)

    def _plain(self, body: bytes) -> bytes:
        for mark, encoding in _WIDE:
            if body.startswith(mark):
                said = body.decode(encoding, "replace").encode("utf-8", "replace")
                kept = self._plain(said)
                return body if kept == said else kept.decode().encode(encoding)
        if self._secrets:
            for secret in self._secrets:
                body = body.replace(secret.encode(), REDACTED.encode())
            body = self._hidden(body)
        if b"ig" in body or b"AWSAccessKeyId" in body or b"amz" in body.lower():
            body = _SIGNED.sub(rb"\1" + REDACTED.encode(), body)
        return self._without_addresses(body)

    def _hidden(self, body: bytes) -> bytes:
        for escaped in self._escaped:
            body = escaped.sub(REDACTED.encode(), body)
        for core in self._packed:
            body = body.replace(core, (REDACTED.encode() * (len(core) // len(REDACTED) + 1))[: len(core)])
        return body

    def _content(self, match: re.Match[bytes]) -> bytes:
        packed = match[2].replace(b"\\n", b"").replace(b"\\r", b"").replace(b"\\/", b"/")
        try:
            said = base64.b64decode(packed, validate=True)
        except binascii.Error:
            return match[0]
        kept = self._plain(said)
        if kept == said:
            return match[0]
        width = match[2].find(b"\\n")
        again = base64.b64encode(kept)
        lines = [again[at : at + width] + b"\\n" for at in range(0, len(again), width)] if width > 0 else [again]
        return match[1] + b"".join(lines) + b'"'


def _spellings(secret: str) -> Iterator[str]:
    """The ways in which libraries write a text where some characters mean something."""
    for form in {quote(secret, safe=""), quote(secret), quote_plus(secret)}:
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form)
        yield quote(form, safe="")
    for form in {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
        yield form
        yield form.replace("/", "\\/")
        yield json.dumps(form)[1:-1]
    yield html.escape(secret)
    yield html.escape(secret, quote=False)


def _escaped(secret: str) -> re.Pattern[bytes]:
    """The secret with any of its characters as an escape of JSON, of addresses or of HTML."""

    def forms(character: str) -> bytes:
        code = ord(character)
        found = [re.escape(character.encode())]
        found += [b"".join(b"%%(?:25)?(?i:%02x)" % byte for byte in character.encode())]
        if code < 0x10000:
            found.append(rb"\\{1,2}u(?i:%04x)" % code)
        found += [b"&#0{0,4}%d;" % code, b"&#[xX]0{0,4}(?i:%x);" % code]
        return b"(?:" + b"|".join(found) + b")"

    return re.compile(b"".join(map(forms, secret)))


def _packed(secret: bytes) -> Iterator[bytes]:
    """What stands for the secret in base64, wherever in three bytes it begins: the letters that only it decides."""
    for pad in range(3):
        letters = base64.b64encode(bytes(pad) + secret).rstrip(b"=")
        core = letters[(pad * 8 + 5) // 6 : (pad + len(secret)) * 8 // 6]
        if len(core) >= _SHORTEST:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))


class Journal:
    """Exchanges of a scrape that has not been committed yet, one JSON line each, durable one by one.

    A killed scrape leaves its journal; the next one for the same source and day answers from it what was
    already fetched, and asks only for the rest. A half-written last line is dropped; a damaged one is left out and
    told, so that what it answered is asked again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges = list(self._read())

    def append(self, exchange: Exchange) -> None:
        line = memoryview(self._line(exchange))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as stream:
            before = stream.seek(0, os.SEEK_END)
            try:
                while line:
                    line = line[stream.write(line) :]
                os.fsync(stream.fileno())
            except BaseException:  # a full disk, or somebody's Ctrl-C: no half line may stand before the next one
                with contextlib.suppress(OSError):
                    stream.truncate(before)
                raise
        self.exchanges.append(exchange)

    def keep_good(self) -> None:
        """Forget what failed: it will be asked again; what was answered will not."""
        self.rewrite([exchange for exchange in self.exchanges if exchange.ok])

    def rewrite(self, exchanges: Iterable[Exchange]) -> None:
        """Hold these and no others. Who is killed meanwhile leaves the old file or the new one."""
        kept = list(exchanges)
        if not kept:
            self.remove()
            self.exchanges = []
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.new")
        with new.open("wb") as stream:
            stream.writelines(map(self._line, kept))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.path)
        self.exchanges = kept

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
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
            try:
                yield self._exchange(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                log.warning("%s line %d is damaged (%s): what it answered is asked again", self.path, number, error)

    @staticmethod
    def _line(exchange: Exchange) -> bytes:
        record = asdict(exchange) | {
            "fetched_at": exchange.fetched_at.isoformat(),
            "body": base64.b64encode(exchange.body).decode(),
            "body_sha256": exchange.body_sha256,
        }
        return json.dumps(record).encode() + b"\n"

    @staticmethod
    def _exchange(record: dict[str, Any]) -> Exchange:
        digest = record.pop("body_sha256", None)
        record["fetched_at"] = datetime.fromisoformat(record["fetched_at"])
        record["body"] = base64.b64decode(record["body"], validate=True)
        exchange = Exchange(**record)
        if digest not in {None, exchange.body_sha256}:
            raise ValueError("the body is not the one that was written")
        return exchange
