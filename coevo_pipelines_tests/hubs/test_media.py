"""Images and recordings: named by address and SHA-256, never fetched; files of the package are compared."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.media import Media, check_file, media_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SHA256 = hashlib.sha256(PNG).hexdigest()
GOOD = {
    "name": "before", "path": "https://example.org/a.png", "mediatype": "image/png", "hash": f"sha256:{SHA256}",
    "bytes": len(PNG),
}  # fmt: skip


def test_an_address_with_type_and_hash_is_taken() -> None:
    found, problems = media_of(GOOD)
    assert problems == []
    assert found == Media("https://example.org/a.png", "image/png", SHA256, len(PNG), is_local=False)
    assert found.format == "image"


@pytest.mark.parametrize(
    ("changed", "is_local"),
    [
        ({"path": "media/before.png"}, True),
        ({"path": "Grüne Beete.png"}, True),
        ({"path": "http://example.org:8080/a.png?x=1#y"}, False),
        ({"path": "HTTPS://example.org/a"}, False),
        ({"path": "https://example.org/a:b@c.png"}, False),
        ({"mediatype": "Audio/OGG; codecs=opus"}, False),
        ({"mediatype": "image/svg+xml"}, False),
        ({"hash": "SHA256:" + SHA256.upper()}, False),
        ({"bytes": None}, False),
    ],
)
def test_what_else_is_taken(changed: dict[str, Any], is_local: bool) -> None:
    found, problems = media_of({**GOOD, **changed})
    assert problems == [] and found is not None
    assert found.is_local is is_local and found.sha256 == SHA256
    assert found.mediatype == found.mediatype.lower() and ";" not in found.mediatype


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("path", None, "an address or a file"),
        ("path", 3, "an address or a file"),
        ("path", ["a.png"], "an address or a file"),
        ("path", "", "an address or a path"),
        ("path", " a.png", "without spaces around"),
        ("path", "a\n.png", "an address or a path"),
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
        ("path", "/etc/passwd", "inside the package's folder"),
        ("path", "../a.png", "inside the package's folder"),
        ("path", "media/../../a.png", "inside the package's folder"),
        ("path", "media\\a.png", "inside the package's folder"),
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
    _, problems = media_of({**GOOD, "path": "bells.MP3", "mediatype": "music"})
    assert problems[0].example == "audio/mpeg"


def local(**changed: Any) -> Media:
    found, problems = media_of({**GOOD, "path": "a.png", **changed})
    assert found is not None and not problems
    return found


def test_a_file_of_the_package_is_what_the_descriptor_says() -> None:
    assert check_file(local(), PNG, "before") == []
    assert check_file(local(bytes=None), PNG, "before") == []
    other = b"RIFF1234WEBPVP8 "
    assert (
        check_file(
            local(mediatype="image/webp", hash=f"sha256:{hashlib.sha256(other).hexdigest()}", bytes=None), other, "x"
        )
        == []
    )


@pytest.mark.parametrize(
    ("media", "body", "column", "words"),
    [
        (local(), None, "", "no such file"),
        (local(), b"", "", "an empty file"),
        (local(), PNG + b"x", "hash", "the file was changed since"),
        (local(), PNG[:-1], "hash", "the file was changed since"),
        (local(bytes=5), PNG, "bytes", "28 bytes"),
        (local(mediatype="image/jpeg"), PNG, "mediatype", "a file that is image/png"),
        (local(hash=f"sha256:{hashlib.sha256(b'<p>').hexdigest()}", bytes=3), b"<p>", "mediatype", "something else"),
    ],
)  # fmt: skip
def test_a_file_that_is_another_is_refused(media: Media, body: bytes | None, column: str, words: str) -> None:
    (problem,) = check_file(media, body, "before")
    assert problem.resource == "before" and problem.column == column and problem.fatal
    assert words in problem.line() and "\n" not in problem.line()


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
    if found is not None and found.is_local:
        assert not path.startswith("/") and ".." not in path.split("/") and "\\" not in path
