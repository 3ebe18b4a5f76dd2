"""Images and recordings of a hub: named by address and hash, never fetched. None is kept: a photo may tell where it was
taken.

A hash is `sha256:` and 64 hexadecimal digits. The Data Package standard takes MD5 and SHA-1 too (and MD5 where no name
stands before it), but of both it is known how to make two files with one hash: RFC 6151, and Stevens and others (2017),
doi:10.1007/978-3-319-63688-7_19.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from coevo_pipelines.hubs.problems import Problem, seen

MOST_BYTES = 2**40
"""Of one file, as said: a tebibyte is no photo."""
_LONGEST = 2000
_MEDIATYPE = re.compile(r"(?:image|audio)/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_SUFFIXES = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif",
    "tif": "image/tiff", "tiff": "image/tiff", "svg": "image/svg+xml", "avif": "image/avif", "mp3": "audio/mpeg",
    "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "opus": "audio/ogg", "m4a": "audio/mp4",
}  # fmt: skip
_DIGITS = {32: "MD5", 40: "SHA-1", 128: "SHA-512"}
_ADDRESS = "https://example.org/before.jpg"


@dataclass(frozen=True)
class Media:
    """An image or a recording as the descriptor has it; `bytes` None where it does not say."""

    path: str
    mediatype: str
    sha256: str
    bytes: int | None

    @property
    def format(self) -> str:
        """`image` or `audio`, as in hubs.datasets."""
        return self.mediatype.partition("/")[0]


def media_of(given: Mapping[str, Any], at: str = "resource") -> tuple[Media | None, list[Problem]]:
    """A resource of role media from its descriptor, and what is wrong with it: then None. Nothing is fetched.

    `at` is its place in the descriptor, for the problems' column.
    """
    problems: list[Problem] = []

    def say(column: str, found: str, expected: str, example: str) -> None:
        problems.append(Problem("", None, f"{at}.{column}", found, expected, example))

    path = given.get("path")
    wrong = "the address of an image or a recording" if not isinstance(path, str) else _wrong_path(path)
    if wrong:
        say("path", seen(path), wrong, _ADDRESS)
    mediatype = given.get("mediatype")
    kind = mediatype.partition(";")[0].strip().lower() if isinstance(mediatype, str) else ""
    if not _MEDIATYPE.fullmatch(kind):
        suffix = path.rpartition(".")[2].lower() if isinstance(path, str) else ""
        say("mediatype", seen(mediatype), "image/… or audio/…", _SUFFIXES.get(suffix, "image/jpeg"))
    sha256 = _sha256(given.get("hash"))
    if sha256 is None:
        say(
            "hash", seen(given.get("hash")), _wrong_hash(given.get("hash")), f"sha256:{hashlib.sha256(b'').hexdigest()}"
        )
    size = given.get("bytes")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= MOST_BYTES):
        say("bytes", seen(size), "its length in bytes, a whole number above 0", "12345")
    if problems or not isinstance(path, str) or sha256 is None:
        return None, problems
    return Media(path, kind, sha256, size), []


def _wrong_path(path: str) -> str:
    """What was expected of a path that cannot be taken; empty where it can."""
    if not path or len(path) > _LONGEST or not path.isprintable() or path != path.strip():
        return f"an address of up to {_LONGEST} characters, without spaces around it"
    first, _, _ = path.partition("/")
    if ":" in first or path.startswith("//"):
        return _wrong_address(path)
    return "the address where the image or recording is: it is named here, not taken along"


def _wrong_address(path: str) -> str:
    try:
        parts = urlsplit(path)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "an address that can be read"
    if parts.scheme.lower() not in ("http", "https") or not host:
        return "an address with https or http"
    if "@" in parts.netloc:
        return "an address without a user's name and password"
    return "an address without spaces (%20) and backslashes" if " " in path or "\\" in path else ""


def _sha256(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    found = re.fullmatch(r"sha256:([0-9a-f]{64})", value.strip().lower())
    return found[1] if found else None


def _wrong_hash(value: Any) -> str:
    expected = "sha256: and 64 hexadecimal digits, as `sha256sum FILE` prints them"
    if not isinstance(value, str):
        return expected
    name, _, digits = value.strip().lower().rpartition(":")
    if not re.fullmatch(r"[0-9a-f]+", digits):
        return expected
    if len(digits) == 64:
        return f"{expected} (with sha256: before them)" if not name else expected
    kind = _DIGITS.get(len(digits))
    return f"{expected}, not {kind}" if kind else f"{expected}; these are {len(digits)}"
