r"""The pack: many repositories as one text, and back, byte for byte. Format 1, escape 1.

    # coevo genome pack: format 1, escape 1
    <|repo_start|>NAME
    <|file_start|>PATH
    CONTENT
    <|file_end|>
    <|repo_end|>
                                        (an empty line)
    # end of genome pack: 1 repositories, 1 files, sha256 HEX

One newline ends each of these lines, one newline stands between a content and its `<|file_end|>`, and nothing else
stands outside a file. The closing comment counts what came before it and hashes every byte of it; without it a pack
cut off between two repositories would look whole. A pack is UTF-8 if its contents are, which is for the caller to
see to: here any bytes go in and come out.

**Escape 1.** A token is `<|`, one or more of A-Z a-z 0-9 _, `|>`: the four above, and so also the control strings
that tokenizers turn into control ids when they meet them in a text (`<|im_start|>`, `<|endoftext|>`, `<|fim_prefix|>`).
Wherever a content has `<`, any number of backslashes, and the rest of a token, one backslash more goes behind the `<`:
`<|file_end|>` becomes `<\|file_end|>`, and that becomes `<\\|file_end|>`. Taking one backslash away is the way back.
So an escaped text holds no token, and a text that holds nothing of the kind stays as it is. Control strings of
another build (`<s>`, `[INST]`, `<｜User｜>`) are not tokens here and stay.

A name or path is first made one line by `files.shown` (backslashes doubled; newlines, other controls and bytes that
are not UTF-8 as \xHH) and then escaped.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, Protocol

from coevo_pipelines.genome.files import path_of, shown

FORMAT = 1
ESCAPE = 1

_HEADER = b"# coevo genome pack: format %d, escape %d\n" % (FORMAT, ESCAPE)
_ANY_HEADER = re.compile(rb"# coevo genome pack: format (\d+), escape (\d+)\n")
_END = b"# end of genome pack: "
_REPO_START = b"<|repo_start|>"
_REPO_END = b"<|repo_end|>\n"
_FILE_START = b"<|file_start|>"
_FILE_END = b"\n<|file_end|>\n"

INSIDE = b"!//"
"""In a path: what follows is in the archive before it. `unpack` makes a folder `a.zip!` of it."""

_TOKEN = re.compile(rb"<\|[A-Za-z0-9_]+\|>")
_TO_ESCAPE = re.compile(rb"<(?=\\*\|[A-Za-z0-9_]+\|>)")
_TO_UNESCAPE = re.compile(rb"<\\(?=\\*\|[A-Za-z0-9_]+\|>)")

_PLAIN = re.compile(rb"[ -;=-\[\]-~]+")
"""Paths that are their own line: printable ASCII without < and backslash. Nearly all; small files are mostly path."""

_CHUNK = 1 << 18

_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\..*)?", re.DOTALL)


class PackError(ValueError):
    """This is no whole pack; `offset` is the byte of it where that shows."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(f"byte {offset}: {message}")
        self.offset = offset


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...
    def seek(self, offset: int, /) -> object: ...
    def truncate(self) -> object: ...


@dataclass(frozen=True)
class Place:
    """Where a content stands in the pack, in bytes, as it is written there (escaped)."""

    offset: int
    length: int


@dataclass(frozen=True)
class Sealed:
    """A finished pack: its bytes and their SHA-256, the closing line included."""

    size: int
    sha256: str
    repositories: int
    files: int


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of a pack; `offset` and `length` say where its content stands there, escaped."""

    repo: str
    path: bytes
    text: bytes
    offset: int
    length: int


def escape(text: bytes) -> bytes:
    """`text` without tokens; see the module's docstring."""
    return _TO_ESCAPE.sub(rb"<\\", text) if b"|>" in text else text  # a search costs a tenth of the expression


def unescape(text: bytes) -> bytes:
    """What `escape` made `text` of."""
    return _TO_UNESCAPE.sub(rb"<", text)


class PackWriter:
    """Writes a pack to a buffered binary stream, empty so far, as it comes. `repo`, `file` as often as wanted, then
    `close`, which leaves the stream open. ValueError for what could not be read back: an empty name or path, one with
    a NUL, one that is there already, a file before the first repository."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._size = 0
        self._repos: set[str] = set()
        self._repo: str | None = None
        self._paths: set[bytes] = set()
        self._files = 0
        self._closed = False
        self._write(_HEADER)
        self._begun = self._size, self._files, self._hash.copy()

    def repo(self, name: str) -> None:
        """End the repository before and begin this one."""
        self._end_repo()
        if not name or "\0" in name or name in self._repos:
            raise ValueError(f"repository {name!a}: a name must not be empty, hold a NUL or come twice in a pack")
        self._begun = self._size, self._files, self._hash.copy()
        self._write(_REPO_START + _name_line(name) + b"\n")
        self._repos.add(name)
        self._repo = name

    def drop(self) -> None:
        """Take back the repository that was begun last, with its files: it turned out not to be fit."""
        if self._repo is None:
            raise ValueError("no repository was begun")
        self._size, self._files, self._hash = self._begun
        self._stream.seek(self._size)
        self._stream.truncate()
        self._repos.discard(self._repo)
        self._repo = None
        self._paths.clear()

    def file(self, path: bytes, text: bytes) -> Place:
        """Add a file; where its content stands."""
        if self._repo is None:
            raise ValueError(f"{shown(path)}: a file needs a repository first")
        if not path or b"\0" in path or path in self._paths:
            raise ValueError(
                f"{self._repo}: {shown(path)!r}: a path must not be empty, hold a NUL or come twice in a repository"
            )
        head = _FILE_START + _path_line(path) + b"\n"
        content = escape(text)
        place = Place(self._size + len(head), len(content))
        self._write(b"".join((head, content, _FILE_END)))
        self._paths.add(path)
        self._files += 1
        return place

    def close(self) -> Sealed:
        """End the pack."""
        self._end_repo()
        self._write(_end_line(len(self._repos), self._files, self._hash.hexdigest()))
        self._closed = True
        return Sealed(self._size, self._hash.hexdigest(), len(self._repos), self._files)

    def _end_repo(self) -> None:
        if self._repo is not None:
            self._write(_REPO_END + b"\n")
            self._repo = None
            self._paths.clear()

    def _write(self, data: bytes) -> None:
        if self._closed:
            raise ValueError("the pack is closed")
        self._stream.write(data)
        self._hash.update(data)
        self._size += len(data)


def to_disk(stream: IO[bytes]) -> None:
    """Not only to the system: what was written is there after a power cut."""
    stream.flush()
    os.fsync(stream.fileno())


def read(stream: Readable) -> Iterator[Packed]:
    """The files of a pack in its order, holding one at a time; PackError where it is not one, whole and unchanged.

    That it is unchanged is known only at the end, from the closing line: use nothing of it before.
    """
    source = _Source(stream)
    header = source.line()
    if header != _HEADER:
        found = _ANY_HEADER.fullmatch(header)
        if not found:
            raise PackError(0, f"no pack: it does not begin with {_HEADER.decode().strip()!r}")
        raise PackError(0, f"format {int(found[1])}, escape {int(found[2])}; this program reads {FORMAT} and {ESCAPE}")
    repos: set[str] = set()
    files = 0
    while True:
        start = source.offset
        digest = source.hash.hexdigest()
        line = source.line()
        if line.startswith(_END):
            if line != _end_line(len(repos), files, digest):
                raise PackError(
                    start,
                    f"the closing line does not fit what stands before it ({len(repos)} repositories, {files} files, "
                    f"sha256 {digest}): the pack was changed; its manifest tells where",
                )
            if not source.at_end():
                raise PackError(source.offset, "data after the end of the pack")
            return
        if not line.startswith(_REPO_START):
            _misplaced(line, start, "a repository or the closing line")
        repo = _name(line[len(_REPO_START) : -1], start)
        if repo in repos:
            raise PackError(start, f"repository {repo!a} stands twice in the pack")
        repos.add(repo)
        for packed in _files(source, repo):
            files += 1
            yield packed


def _files(source: _Source, repo: str) -> Iterator[Packed]:
    paths: set[bytes] = set()
    while True:
        start = source.offset
        line = source.line()
        if line == _REPO_END:
            if source.line() != b"\n":
                raise PackError(start + len(line), f"{repo}: text outside a file, after {_REPO_END.decode().strip()}")
            return
        if not line.startswith(_FILE_START):
            _misplaced(line, start, f"{repo}: a file or the repository's end")
        path = _path(line[len(_FILE_START) : -1], start)
        if path in paths:
            raise PackError(start, f"{repo}: {shown(path)} stands twice in the repository")
        paths.add(path)
        offset = source.offset
        content = source.until(_FILE_END, f"{repo}: the content of {shown(path)}")
        text = content
        if _TO_ESCAPE.search(content):  # one pass over the many files that hold nothing of the kind
            if token := _TOKEN.search(content):
                raise PackError(
                    offset + token.start(), f"{repo}: {token[0].decode()} inside the content of {shown(path)}"
                )
            text = unescape(content)
        yield Packed(repo, path, text, offset, len(content))


def unpack(stream: Readable, out: Path, original: Callable[[Packed], bytes] = lambda packed: packed.text) -> int:
    """Write every file of a pack to `out`/repository/path and return how many. `out` must not exist; it appears whole
    or not at all.

    `original` gives the bytes to write, by default the text: pass what looks up the charset in the manifest and calls
    `files.restore`. A repository without files leaves no folder.

    Raises PackError for a pack that is damaged, for a path that would leave its folder or that this system cannot
    hold as it is (`parts`), and for two paths that this file system takes for one; FileExistsError if `out` exists;
    OSError naming the file if it cannot be written.
    """
    if os.path.lexists(out):
        raise FileExistsError(errno.EEXIST, "unpack writes to a new folder only", str(out))
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(8)}.part")
    temporary.mkdir()
    try:
        made: set[tuple[str, ...]] = set()
        count = 0
        for packed in read(stream):
            names = (*parts(packed.repo.encode("utf-8", "surrogateescape"), packed), *parts(packed.path, packed))
            for depth in range(1, len(names)):
                if names[:depth] not in made:
                    _create(temporary.joinpath(*names[:depth]), packed, None)
                    made.add(names[:depth])
            try:
                data = original(packed)
            except (UnicodeError, LookupError) as error:
                raise PackError(packed.offset, f"{_where(packed)}: not the text of its charset ({error})") from error
            _create(temporary.joinpath(*names), packed, data)
            count += 1
        temporary.replace(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return count


def parts(path: bytes, packed: Packed, windows: bool = os.name == "nt") -> tuple[str, ...]:
    """The names that `path` walks through, fit to be joined to a folder.

    PackError for a path that is absolute or has an empty part, `.`, `..`, a NUL, or `.git` (no tree that git made has
    one, and git would run what it holds); on Windows also for what is not UTF-8, device names, and names that would
    be cut or mean a stream or a drive.
    """
    path = path.replace(INSIDE, INSIDE[:-1], 1)
    whole = path.decode("utf-8", "surrogateescape") if windows else os.fsdecode(path)
    names = tuple(whole.split("/"))
    for name in names:
        if name in ("", ".", "..") or "\0" in name or name.lower() == ".git":
            raise PackError(packed.offset, f"{_where(packed)}: refused, it has the part {name!a}")
        if windows and (
            _DEVICE.fullmatch(name) or name[-1] in ". " or re.search(r'[\x00-\x1f<>:"|?*\\\udc80-\udcff]', name)
        ):
            raise PackError(packed.offset, f"{_where(packed)}: Windows cannot hold the name {name!a}")
    return names


def _create(place: Path, packed: Packed, data: bytes | None) -> None:
    """Make a new file, or a new folder where `data` is None; never through or over what is there."""
    try:
        if data is None:
            place.mkdir()
            return
        with place.open("xb") as stream:
            stream.write(data)
    except FileExistsError as error:
        raise PackError(
            packed.offset,
            f"{_where(packed)}: {place.name!a} is there already under this name or one that this file system takes "
            "for the same (case, accents): unpack on one that tells them apart",
        ) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{_where(packed)} (as {place})") from error


def _where(packed: Packed) -> str:
    return f"{shown(packed.repo.encode('utf-8', 'surrogateescape'))}: {shown(packed.path)}"


def _end_line(repos: int, files: int, digest: str) -> bytes:
    return _END + f"{repos} repositories, {files} files, sha256 {digest}\n".encode()


def _path_line(path: bytes) -> bytes:
    return path if _PLAIN.fullmatch(path) else escape(shown(path).encode())


def _name_line(name: str) -> bytes:
    return _path_line(name.encode("utf-8", "surrogateescape"))


def _path(line: bytes, start: int) -> bytes:
    """The path of a line; PackError unless it is the one way to write it."""
    if _PLAIN.fullmatch(line):
        return line
    try:
        path = path_of(unescape(line).decode())
    except ValueError as error:
        raise PackError(start, f"not a name or path as a pack has it: {line!r}") from error
    if not path or b"\0" in path or _path_line(path) != line:
        raise PackError(start, f"not a name or path as a pack has it: {line!r}")
    return path


def _name(line: bytes, start: int) -> str:
    return _path(line, start).decode("utf-8", "surrogateescape")


def _misplaced(line: bytes, start: int, wanted: str) -> NoReturn:
    what = "a token in the wrong place" if _TOKEN.match(line) else "text outside a file"
    raise PackError(start, f"{what}: {line[:60]!r} where there should be {wanted}")


class _Source:
    """A stream read piece by piece: `offset` is where the next piece begins, `hash` covers all before it."""

    def __init__(self, stream: Readable) -> None:
        self.offset = 0
        self.hash = hashlib.sha256()
        self._stream = stream
        self._data = b""
        self._position = 0

    def line(self) -> bytes:
        """The next line with its newline."""
        return self.until(b"\n", "a line") + b"\n"

    def until(self, mark: bytes, what: str) -> bytes:
        """What stands before the next `mark`, which is passed over; PackError at the stream's end."""
        searched = self._position
        while (found := self._data.find(mark, searched)) < 0:
            left = len(self._data) - self._position
            searched = max(0, left - len(mark) + 1)
            # As much again as there is, so that one long content is not copied once for each chunk.
            if not self._more(max(_CHUNK, left)):
                raise PackError(self.offset + left, f"cut off inside {what} that begins at byte {self.offset}")
        piece = self._data[self._position : found]
        end = found + len(mark)
        self.hash.update(memoryview(self._data)[self._position : end])
        self.offset += end - self._position
        self._position = end
        return piece

    def at_end(self) -> bool:
        return self._position == len(self._data) and not self._more(1)

    def _more(self, size: int) -> bool:
        data = self._stream.read(size)
        self._data = self._data[self._position :] + data
        self._position = 0
        return bool(data)
