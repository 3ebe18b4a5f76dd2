"""The pack goes there and back byte for byte, and nothing that is not a whole pack passes for one."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome import files, pack
from coevo_pipelines.genome.pack import Packed, PackError, PackWriter, Sealed, escape, read, unescape, unpack

TOKEN = re.compile(rb"<\|[A-Za-z0-9_]+\|>")

Repos = Sequence[tuple[str, Sequence[tuple[bytes, bytes]]]]

# Bytes as they come, and bytes made of what the format itself is made of.
PIECES = st.sampled_from(
    [
        b"<|file_end|>",
        b"<|file_start|>",
        b"<|repo_end|>",
        b"<|im_start|>",
        b"<",
        b"\\",
        b"|",
        b"|>",
        b"\n",
        b"a",
        b"\r\n",
    ]
)
TEXTS = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=12).map(b"".join))
PATHS = TEXTS.map(lambda text: text.replace(b"\0", b"")).filter(bool)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


def written(repos: Repos) -> tuple[bytes, Sealed]:
    stream = io.BytesIO()
    writer = PackWriter(stream)
    for name, contents in repos:
        writer.repo(name)
        for path, text in contents:
            writer.file(path, text)
    sealed = writer.close()
    return stream.getvalue(), sealed


def content(data: bytes) -> list[tuple[str, bytes, bytes]]:
    return [(packed.repo, packed.path, packed.text) for packed in read(io.BytesIO(data))]


SMALL: Repos = [
    ("owner/a", [(b"x.py", b"print(1)\n"), (b"e", b""), (b"t<|x|>\n", b"<|file_end|>")]),
    ("empty", []),
    ("b", [(b"\xff\\", b"\xff\r\n")]),
]


@given(TEXTS)
@example(b"<|file_end|>")
@example(b"<\\\\|file_end|>")
@example(b"<|<|file_end|>|>")
def test_escape_is_reversible_and_leaves_no_token(text: bytes) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert not TOKEN.search(escaped)
    if not re.search(rb"<\\*\|[A-Za-z0-9_]+\|>", text):
        assert escaped == text


@given(TEXTS)
def test_escape_keeps_utf8_and_escaping_is_onto(text: bytes) -> None:
    good = text.decode("utf-8", "replace").encode()
    escape(good).decode()
    if not TOKEN.search(text):
        assert escape(unescape(text)) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (b"<|file_end|>", rb"<\|file_end|>"),
        (rb"<\|file_end|>", rb"<\\|file_end|>"),
        (b"<|im_start|>user<|im_end|>", rb"<\|im_start|>user<\|im_end|>"),
        (b"a <| b |> c", b"a <| b |> c"),  # F#, Elixir
        (b"<||>", b"<||>"),
        (rb"<\|", rb"<\|"),
    ],
)
def test_escape_by_example(text: bytes, escaped: bytes) -> None:
    assert escape(text) == escaped


def test_the_layout_is_that_of_the_specification() -> None:
    data, sealed = written([("owner/a", [(b"x.py", b"print(1)\n"), (b"e", b"")]), ("b", [])])
    before = (
        b"# coevo genome pack: format 1, escape 1\n"
        b"<|repo_start|>owner/a\n"
        b"<|file_start|>x.py\nprint(1)\n\n<|file_end|>\n"
        b"<|file_start|>e\n\n<|file_end|>\n"
        b"<|repo_end|>\n\n"
        b"<|repo_start|>b\n<|repo_end|>\n\n"
    )
    digest = hashlib.sha256(before).hexdigest()
    assert data == before + f"# end of genome pack: 2 repositories, 2 files, sha256 {digest}\n".encode()
    assert sealed == Sealed(len(data), hashlib.sha256(data).hexdigest(), 2, 2)


@given(st.lists(st.tuples(NAMES, st.dictionaries(PATHS, TEXTS, max_size=4)), max_size=3, unique_by=lambda one: one[0]))
def test_round_trip(repos: list[tuple[str, dict[bytes, bytes]]]) -> None:
    data, _ = written([(name, list(contents.items())) for name, contents in repos])
    assert content(data) == [(name, path, text) for name, contents in repos for path, text in contents.items()]


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_round_trip_in_small_pieces(text: bytes, step: int) -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(step, size) if size and size > 0 else step)

    data, _ = written([("r", [(b"a", text), (b"b", text[::-1])])])
    assert [(one.path, one.text) for one in read(Drip(data))] == [(b"a", text), (b"b", text[::-1])]


def test_a_content_many_chunks_long_and_ends_across_chunks() -> None:
    for extra in range(20):  # the end mark falls on each side of a chunk's border
        text = b"x" * ((1 << 18) - 80 + extra)
        data, _ = written([("r", [(b"a", text), (b"b", text * 9)])])
        assert content(data) == [("r", b"a", text), ("r", b"b", text * 9)]


@given(st.dictionaries(PATHS, TEXTS, min_size=1, max_size=4))
def test_places_are_those_of_the_contents(contents: dict[bytes, bytes]) -> None:
    stream = io.BytesIO()
    writer = PackWriter(stream)
    writer.repo("r")
    places = {path: writer.file(path, text) for path, text in contents.items()}
    writer.close()
    data = stream.getvalue()
    for path, place in places.items():
        assert unescape(data[place.offset : place.offset + place.length]) == contents[path]
    assert {one.path: pack.Place(one.offset, one.length) for one in read(io.BytesIO(data))} == places


def test_every_truncation_is_an_error() -> None:
    data, _ = written(SMALL)
    for end in range(len(data)):
        with pytest.raises(PackError) as caught:
            content(data[:end])
        assert 0 <= caught.value.offset <= end


def test_every_flipped_bit_is_an_error() -> None:
    data, _ = written(SMALL)
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(PackError):
                content(bytes(flipped))


def sealed_again(before: bytes, repos: int = 1, files: int = 1) -> bytes:
    """A pack whose closing line fits, so that only what is wrong inside can be found."""
    digest = hashlib.sha256(before).hexdigest()
    return before + f"# end of genome pack: {repos} repositories, {files} files, sha256 {digest}\n".encode()


HEAD = b"# coevo genome pack: format 1, escape 1\n"


@pytest.mark.parametrize(
    ("data", "offset", "says"),
    [
        (b"", 0, "cut off"),
        (b"hello\n", 0, "no pack"),
        (b"# coevo genome pack: format 2, escape 1\n", 0, "format 2, escape 1"),
        (b"# coevo genome pack: format 1, escape 7\n", 0, "escape 7"),
        (HEAD, 40, "cut off"),
        (HEAD + b"<|repo_start|>r\n", 56, "cut off"),
        (HEAD + b"<|repo_start|>r\n<|file_start|>a\nx", 73, "cut off inside r: the content of a"),
        (HEAD + b"<|file_start|>a\nx\n<|file_end|>\n", 40, "token in the wrong place"),
        (HEAD + b"<|repo_end|>\n\n", 40, "token in the wrong place"),
        (HEAD + b"some text\n", 40, "text outside a file"),
        (HEAD + b"<|repo_start|>r\nsome text\n", 56, "text outside a file"),
        (HEAD + b"<|repo_start|>r\n<|repo_start|>s\n", 56, "token in the wrong place"),
        (HEAD + b"<|repo_start|>r\n<|file_end|>\n", 56, "token in the wrong place"),
        (HEAD + b"<|repo_start|>r\n<|repo_end|>\nx\n", 69, "text outside a file"),
        (HEAD + b"<|repo_start|>r\n<|file_start|>a\nx<|im_end|>\n<|file_end|>\n", 73, "<|im_end|> inside the content"),
        (HEAD + b"<|repo_start|>r\n<|file_start|>\nx\n<|file_end|>\n", 56, "not a name or path"),
        (HEAD + b"<|repo_start|>r\n<|file_start|>\\x61\nx\n<|file_end|>\n", 56, "not a name or path"),
        (HEAD + b"<|repo_start|>r\n<|file_start|>\xff\nx\n<|file_end|>\n", 56, "not a name or path"),
        (HEAD + b"<|repo_start|>r\n<|file_start|>\\x00\nx\n<|file_end|>\n", 56, "not a name or path"),
        (HEAD + b"<|repo_start|>r\n<|file_start|><|x|>\nx\n<|file_end|>\n", 56, "not a name or path"),
        (HEAD + b"<|repo_start|>\n", 40, "not a name or path"),
        (
            HEAD + b"<|repo_start|>r\n" + b"<|file_start|>a\nx\n<|file_end|>\n" * 2 + b"<|repo_end|>\n\n",
            87,
            "a stands twice in the repository",
        ),
        (HEAD + b"<|repo_start|>r\n<|repo_end|>\n\n" * 2, 70, "repository 'r' stands twice"),
        (sealed_again(HEAD, 0, 0) + b"\n", 159, "data after the end"),
        (sealed_again(HEAD, 0, 1), 40, "closing line"),
        (sealed_again(HEAD, 1, 0), 40, "closing line"),
    ],
)
def test_what_is_no_pack_says_where(data: bytes, offset: int, says: str) -> None:
    with pytest.raises(PackError, match=re.escape(says)) as caught:
        content(data)
    assert caught.value.offset == offset, str(caught.value)
    assert str(caught.value).startswith(f"byte {offset}: ")


def test_a_changed_content_is_found_by_the_closing_line() -> None:
    data, _ = written([("r", [(b"a", b"one"), (b"b", b"two")])])
    with pytest.raises(PackError, match="closing line does not fit"):
        content(data.replace(b"one", b"own"))


def test_the_writer_refuses_what_could_not_be_read_back() -> None:
    writer = PackWriter(io.BytesIO())
    with pytest.raises(ValueError, match="repository first"):
        writer.file(b"a", b"")
    writer.repo("r")
    writer.file(b"a", b"")
    for path in (b"", b"a", b"a\0b"):
        with pytest.raises(ValueError, match=r"r: .* must not be empty"):
            writer.file(path, b"")
    writer.repo("s")
    writer.file(b"a", b"")  # another repository's a
    for name in ("", "r", "s", "a\0b"):
        with pytest.raises(ValueError, match=r"repository .* must not be empty"):
            writer.repo(name)
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.repo("t")


def unpacked(data: bytes, out: Path) -> dict[bytes, bytes]:
    unpack(io.BytesIO(data), out)
    root = os.fsencode(out)
    return {
        os.path.relpath(os.path.join(folder, name), root): Path(os.fsdecode(os.path.join(folder, name))).read_bytes()  # noqa: PTH118
        for folder, _, names in os.walk(root)
        for name in names
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot hold these names")
def test_unpack_writes_every_byte(tmp_path: Path) -> None:
    long = b"/".join([b"d" * 100] * 4)
    repo = [
        (b"crlf.txt", b"a\r\nb\r\n"),
        (b"bom.txt", b"\xef\xbb\xbfa"),
        (b"empty", b""),
        (b"no newline", b"a"),
        (b"token", b"<|file_end|>"),
        (b"nul.txt", b"x" * 9000 + b"\0"),
        (b"line.json", b"[" + b"1," * 150_000 + b"1]"),
        (b"sub/dir/<|repo_end|>", b"x"),
        (b'new\nline "quoted" \\back', b"y"),
        (b"aux.c", b"a device on Windows only"),
        (long, b"deep"),
    ]
    data, _ = written([("owner/name", repo), ("owner/other", [(b"token", b"t")])])
    found = unpacked(data, tmp_path / "out")
    assert found == {b"owner/name/" + path: text for path, text in repo} | {b"owner/other/token": b"t"}
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot hold these names")
def test_unpack_keeps_names_that_are_not_utf8_and_twins(tmp_path: Path) -> None:
    repo = [(b"caf\xe9", b"1"), (b"cafe\xcc\x81", b"2"), (b"caf\xc3\xa9", b"3"), (b"A/x", b"4"), (b"a/y", b"5")]
    try:
        for path, _ in repo:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + path.replace(b"/", b""))).touch(exist_ok=False)
    except OSError:
        pytest.skip("this file system merges these names or refuses them")
    data, _ = written([("r", repo)])
    assert unpacked(data, tmp_path / "out") == {b"r/" + path: text for path, text in repo}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([b"a", b"b/c", b"b/d/e", b"\xc3\xa9"]), TEXTS), unique_by=lambda one: one[0]))
def test_unpack_round_trip(tmp_path_factory: pytest.TempPathFactory, repo: list[tuple[bytes, bytes]]) -> None:
    data, _ = written([("r", repo)])
    found = unpacked(data, tmp_path_factory.mktemp("u") / "out")
    assert found == {b"r/" + path: text for path, text in repo}


@pytest.mark.parametrize(
    "path", [b"/etc/passwd", b"../x", b"a/../x", b"a//b", b"a/", b"./a", b".", b"..", b".git/hooks/x", b"a/.GIT/x"]
)
@pytest.mark.parametrize("of_repo", [False, True])
def test_unpack_refuses_paths_that_leave(tmp_path: Path, path: bytes, of_repo: bool) -> None:
    data, _ = written([(path.decode(), [(b"x", b"x")])] if of_repo else [("r", [(b"fine", b""), (path, b"x")])])
    with pytest.raises(PackError, match="refused"):
        unpack(io.BytesIO(data), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", [b"NUL", b"a/con.txt", b"COM1", b"lpt9.x.y", b"a.", b"a ", b"a:b", b"a\\b", b"a\nb", b"\xff"]
)
def test_windows_refuses_what_it_cannot_hold(path: bytes) -> None:
    packed = Packed("r", path, b"", 7, 0)
    with pytest.raises(PackError, match=r"byte 7: r: .*Windows cannot hold"):
        pack.parts(path, packed, windows=True)
    assert pack.parts(path, packed, windows=False)
    assert pack.parts(b"console/nullable.c", packed, windows=True) == ("console", "nullable.c")


@pytest.mark.parametrize("paths", [(b"a", b"a/b"), (b"a/b", b"a")])
def test_a_file_and_a_folder_of_one_name(tmp_path: Path, paths: tuple[bytes, bytes]) -> None:
    data, _ = written([("r", [(path, b"") for path in paths])])
    with pytest.raises(PackError, match="is there already"):
        unpack(io.BytesIO(data), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_repositories_may_not_write_into_each_other(tmp_path: Path) -> None:
    data, _ = written([("a", [(b"b/c", b"1")]), ("a/b", [(b"c", b"2")])])
    with pytest.raises(PackError, match=r"a/b: c: .*is there already"):
        unpack(io.BytesIO(data), tmp_path / "out")


def test_unpack_never_writes_over_or_through_what_is_there(tmp_path: Path) -> None:
    data, _ = written([("r", [(b"a", b"new")])])
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError, match="new folder only"):
            unpack(io.BytesIO(data), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]


def test_a_symlink_planted_in_between_is_not_followed(tmp_path: Path) -> None:
    """Another process puts a link where the next file goes."""
    outside = tmp_path / "outside"
    outside.write_text("safe")
    data, _ = written([("r", [(b"a", b"1"), (b"b", b"2"), (b"d/c", b"3")])])

    def planting(packed: Packed, name: str) -> bytes:
        if packed.path == b"a":
            folder = next(tmp_path.glob(".out.*.part"))
            (folder / "r").mkdir(exist_ok=True)
            (folder / "r" / name).symlink_to(outside if name == "b" else tmp_path)
        return packed.text

    for name in ("b", "d"):
        with pytest.raises(PackError, match="is there already"):
            unpack(io.BytesIO(data), tmp_path / "out", lambda packed, name=name: planting(packed, name))  # type: ignore[misc]
    assert outside.read_text() == "safe"
    assert list(tmp_path.iterdir()) == [outside]


def test_a_damaged_pack_leaves_nothing_behind(tmp_path: Path) -> None:
    data, _ = written(SMALL)
    with pytest.raises(PackError):
        unpack(io.BytesIO(data[:-1]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    data, _ = written([("r", [(b"big", b"x" * 100_000)])])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="r: big"):
            unpack(io.BytesIO(data), tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


def test_charsets_are_put_back(tmp_path: Path) -> None:
    blobs = {b"l.py": "# é\n".encode("latin-1"), b"u.txt": "\ufeffé\n".encode("utf-16-le"), b"a.txt": b"a"}
    charsets = {b"l.py": "cp1252", b"u.txt": "utf-16-le", b"a.txt": "utf-8"}
    repo = [(path, blob.decode(charsets[path]).encode()) for path, blob in blobs.items()]
    data, _ = written([("r", repo)])
    assert unpack(io.BytesIO(data), tmp_path / "out", lambda one: files.restore(one.text, charsets[one.path])) == 3
    assert {path: (tmp_path / "out/r" / os.fsdecode(path)).read_bytes() for path in blobs} == blobs
    with pytest.raises(PackError, match=r"r: u\.txt: not the text of its charset"):
        unpack(
            io.BytesIO(data),
            tmp_path / "other",
            lambda one: files.restore(one.text, "ascii" if one.path == b"u.txt" else "utf-8"),
        )
    assert not (tmp_path / "other").exists()
