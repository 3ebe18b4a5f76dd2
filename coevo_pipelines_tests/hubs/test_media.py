"""Images and recordings: named by address and SHA-256, never fetched."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.media import Media, media_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SHA256 = hashlib.sha256(PNG).hexdigest()
GOOD = {
    "name": "before", "path": "https://example.org/a.png", "mediatype": "image/png", "hash": f"sha256:{SHA256}",
    "bytes": len(PNG),
}  # fmt: skip


def test_an_address_with_type_and_hash_is_taken() -> None:
    found, problems = media_of(GOOD)
    assert problems == []
    assert found == Media("https://example.org/a.png", "image/png", SHA256, len(PNG))
    assert found.format == "image"


@pytest.mark.parametrize(
    "changed",
    [
        {"path": "http://example.org:8080/a.png?x=1#y"},
        {"path": "HTTPS://example.org/a"},
        {"path": "https://example.org/a:b@c.png"},
        {"mediatype": "Audio/OGG; codecs=opus"},
        {"mediatype": "image/svg+xml"},
        {"hash": "SHA256:" + SHA256.upper()},
        {"bytes": None},
    ],
)
def test_what_else_is_taken(changed: dict[str, Any]) -> None:
    found, problems = media_of({**GOOD, **changed})
    assert problems == [] and found is not None
    assert found.sha256 == SHA256
    assert found.mediatype == found.mediatype.lower() and ";" not in found.mediatype


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("path", None, "the address of"),
        ("path", 3, "the address of"),
        ("path", ["a.png"], "the address of"),
        ("path", "", "an address of"),
        ("path", " a.png", "without spaces around"),
        ("path", "a\n.png", "an address of"),
        ("path", "https://example.org/" + "a" * 2000, "up to 2000 characters"),
        ("path", "ftp://example.org/a.png", "https or http"),
        ("path", "file:///etc/passwd", "https or http"),
        ("path", "data:image/png;base64,AA==", "https or http"),
        ("path", "javascript:alert(1)", "https or http"),
        ("path", "//example.org/a.png", "https or http"),
        ("path", "https://", "https or http"),
        ("path", "https:///a.png", "https or http"),
        ("path", "https://ada:secret@example.org/a.png", "without a user's name"),
        ("path", "https://@example.org/a.png", "without a user's name"),
        ("path", "https://[::1/a.png", "that can be read"),
        ("path", "https://example.org:x/a.png", "that can be read"),
        ("path", "https://example.org/a b.png", "without spaces (%20)"),
        ("path", "https://example.org\\a.png", "backslashes"),
        ("path", "media/before.png", "not taken along"),
        ("path", "/etc/passwd", "not taken along"),
        ("path", "../a.png", "not taken along"),
        ("path", "media/../../a.png", "not taken along"),
        ("path", "media\\a.png", "not taken along"),
        ("path", "C:\\a.png", "https or http"),
        ("mediatype", None, "image/… or audio/…"),
        ("mediatype", "image", "image/… or audio/…"),
        ("mediatype", "text/html", "image/… or audio/…"),
        ("mediatype", "image/<script>", "image/… or audio/…"),
        ("mediatype", ["image/png"], "image/… or audio/…"),
        ("hash", None, "sha256: and 64"),
        ("hash", 3, "sha256: and 64"),
        ("hash", SHA256, "with sha256: before them"),
        ("hash", hashlib.md5(b"").hexdigest(), "not MD5"),
        ("hash", "md5:" + hashlib.md5(b"").hexdigest(), "not MD5"),
        ("hash", "sha1:" + hashlib.sha1(b"").hexdigest(), "not SHA-1"),
        ("hash", "sha512:" + hashlib.sha512(b"").hexdigest(), "not SHA-512"),
        ("hash", "sha256:" + "g" * 64, "sha256: and 64"),
        ("hash", "sha256:" + "a" * 63, "these are 63"),
        ("hash", "sha3:" + "a" * 64, "sha256: and 64"),
        ("bytes", 0, "above 0"),
        ("bytes", -1, "above 0"),
        ("bytes", 1.5, "above 0"),
        ("bytes", True, "above 0"),
        ("bytes", "12", "above 0"),
        ("bytes", 2**60, "above 0"),
    ],
)
def test_what_cannot_be_is_refused_in_words(key: str, value: Any, expected: str) -> None:
    found, problems = media_of({**GOOD, key: value}, "resources.before")
    assert found is None
    (problem,) = problems
    assert problem.column == f"resources.before.{key}" and expected in problem.expected
    assert "\n" not in problem.line() and not problem.fatal


def test_everything_that_is_wrong_is_said_at_once() -> None:
    _, problems = media_of({})
    assert [problem.column for problem in problems] == ["resource.path", "resource.mediatype", "resource.hash"]


def test_the_example_of_a_mediatype_is_of_the_name() -> None:
    _, problems = media_of({**GOOD, "path": "https://example.org/bells.MP3", "mediatype": "music"})
    assert problems[0].example == "audio/mpeg"


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers(), max_size=2)
)


@given(
    st.fixed_dictionaries({}, optional={key: VALUES for key in ("path", "mediatype", "hash", "bytes")}),
    st.text(max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_no_descriptor_is_a_traceback(given_: dict[str, Any], path: str) -> None:
    found, problems = media_of(given_)
    assert (found is None) is bool(problems)
    found, problems = media_of({**GOOD, "path": path})
    assert (found is None) is bool(problems)
