"""What is in a zip or tar file, from its bytes: bounded, nothing written, the same bytes give the same members.

A member is named OUTER!/name, in an archive inside it OUTER!/a.zip!/name. Everything that an archive lists but folders
is one row with bytes or with what is wrong with it; what is wrong with an archive as a whole is the row OUTER!/:
- a name becomes what it means: `./a//b` is `a/b`. One that nobody should write to a disk is a row without bytes: empty,
  absolute, with a NUL, with a part `..` or `.git`, with a part or as a whole too long;
- links and devices are rows without bytes, never followed;
- a name that comes twice means its last entry, as for every program that unpacks in order. The earlier ones are rows
  without bytes at NAME!1, NAME!2. A file that is also the folder of another is a row without bytes;
- what was read before an archive's damage or limit is given. A zip that is cut off has lost its directory: no member.

Of the standard library, zipfile reads a zip's directory (PKWARE's APPNOTE.TXT; names per appendix D: UTF-8 if flagged,
else code page 437, here as UTF-8) and tarfile a tar's headers. What is packed is unpacked here, in small pieces:
zipfile's own reader does not bound what one read of bzip2 or LZMA gives, and tarfile ends without a word at a header
that is damaged.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise
from typing import Literal, Protocol, Self

from coevo_pipelines.genome.files import shown

Problem = Literal["archive_limit", "archive_damaged"]

SEPARATOR = b"!/"

RATIO_FROM = 1_000_000
"""Bytes: less than this may come out of however little."""

LONGEST_PART = 250
"""Bytes between two slashes: file systems hold 255, and an archive's own name gets `!` or a count."""

_HEADERS = 1 << 18
"""Bytes of a tar between two members (long names, attributes, maps of holes): tarfile makes many objects of them."""
_ATTRIBUTES = 1000
"""Global attributes of a tar, which tarfile copies for each member."""
_LZMA_MEMORY = 1 << 27
"""Bytes: `xz -9` needs half."""
_DIRECTORY = 100_000
"""Entries of a zip of which zipfile may make objects, unless more are wanted."""
_FEED = 1 << 16
_PIECE = 1 << 14

_ZIPS = (b".zip", b".whl", b".jar")
_LOCAL, _CENTRAL = b"PK\3\4", b"PK\1\2"
_SPECIAL = {
    stat.S_IFLNK: "a symlink, never followed", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
}  # fmt: skip
_ZEROS = re.compile(rb"\0*")


@dataclass(frozen=True)
class Limits:
    """Where reading ends. All of an outer archive and what is nested in it counts together, but for `member`, `name`
    and `depth`."""

    members: int = 10_000
    """Entries, folders included."""
    member: int = 5_000_000
    """Bytes of one."""
    unpacked: int = 200_000_000
    """Bytes that come out, those included that must be passed over in a tar."""
    ratio: int = 200
    """Of the bytes that come out to the outer archive's, once `RATIO_FROM` are out."""
    depth: int = 2
    """Archives inside one another that are opened, the outer one counted."""
    name: int = 1000
    """Bytes of a member's name."""


@dataclass(frozen=True)
class Member:
    """One file in an archive, or an archive that has something wrong (`path` is then its own and `!/`)."""

    path: bytes
    within: bytes
    """The archive that it stands in."""
    data: bytes | None
    """None where there is a problem."""
    size: int
    """Bytes, as the archive says where there is a problem."""
    problem: Problem | None
    why: str


class _Stop(Exception):
    """A member or an archive cannot be read on; `everything`: nothing else of the outer archive either."""

    def __init__(self, problem: Problem, why: str, everything: bool = False) -> None:
        super().__init__(why)
        self.problem = problem
        self.why = why
        self.everything = everything


class _Decoder(Protocol):
    """What decompressors of bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """zlib's decompressor as a `_Decoder`."""

    def __init__(self, wbits: int) -> None:
        self._object = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _gzip() -> _Decoder:
    return _Zlib(31)


def _xz() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY)


_TARS: dict[bytes, Callable[[], _Decoder] | None] = {
    b".tar": None,
    b".tar.gz": _gzip,
    b".tgz": _gzip,
    b".tar.bz2": bz2.BZ2Decompressor,
    b".tbz2": bz2.BZ2Decompressor,
    b".tar.xz": _xz,
    b".txz": _xz,
}


class _Used:
    """How much of the limits on the whole is used up."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self.limits = limits
        self._packed = packed
        self._entries = 0
        self._unpacked = 0

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self.limits.members:
            self.too_many()

    def too_many(self) -> None:
        raise _Stop("archive_limit", f"more than {self.limits.members:,} entries", everything=True)

    def out(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > self.limits.unpacked:
            raise _Stop("archive_limit", f"more than {self.limits.unpacked:,} bytes come out", everything=True)
        if self._unpacked > max(RATIO_FROM, self.limits.ratio * self._packed):
            why = f"more than {self.limits.ratio:,} times its {self._packed:,} bytes come out"
            raise _Stop("archive_limit", why, everything=True)


class _Rows:
    """Members, one for each path."""

    def __init__(self) -> None:
        self._rows: dict[bytes, Member] = {}
        self._twins: Counter[bytes] = Counter()

    def add(self, member: Member) -> None:
        path = member.path
        if earlier := self._rows.get(path):
            twin = path
            while twin in self._rows:
                self._twins[path] += 1
                twin = path + b"!%d" % self._twins[path]
            if earlier.problem is None:
                why = "an entry of the same name comes later and is the one given"
                earlier = replace(earlier, data=None, problem="archive_damaged", why=why)
            self._rows[twin] = replace(earlier, path=twin)
        self._rows[path] = member

    def __getitem__(self, path: bytes) -> Member:
        return self._rows[path]

    def ordered(self) -> Iterator[Member]:
        """All by path, each let go when it is given."""
        # With NUL, which no good name holds, for the slash, what is in a folder comes right behind the folder's name.
        given = [path for path, row in self._rows.items() if row.data is not None]
        for above, below in pairwise(sorted(given, key=lambda path: path.replace(b"/", b"\0"))):
            if below.startswith(above + b"/"):
                why = "a file that is also the folder of others"
                self._rows[above] = replace(self._rows[above], data=None, problem="archive_damaged", why=why)
        for path in sorted(self._rows):
            yield self._rows.pop(path)


def is_archive(path: bytes) -> bool:
    """Its extension, in any case, is one that `members` reads."""
    return _suffix(path) is not None


def members(path: bytes, data: bytes, limits: Limits = Limits()) -> Iterator[Member]:
    """All that is in the archive `path` of these bytes, and in archives in it, in byte order of the paths, each once.

    Nothing but MemoryError is raised, whatever the bytes are. Holds the archive and up to `limits.unpacked` bytes, for
    an archive is in no order.
    """
    used = _Used(limits, len(data))
    rows = _Rows()
    waiting = deque([(path, data, 1)])
    while waiting:
        archive, packed, depth = waiting.popleft()
        inside: set[bytes] = set()
        try:
            if depth > limits.depth:
                raise _Stop("archive_limit", f"{limits.depth} archives deep: not opened")
            for member in _read(archive, packed, used):
                rows.add(member)
                inside.add(member.path)
        except Exception as error:  # the library raises many kinds on hostile bytes, RecursionError too
            stop = _stop(error)
            rows.add(_bad(archive + SEPARATOR, archive, len(packed), stop))
            if stop.everything:
                if depth > 1:
                    rows.add(_bad(path + SEPARATOR, path, len(data), stop))
                break
        for name in sorted(inside):
            content = rows[name].data
            if content is not None and is_archive(name):
                waiting.append((name, content, depth + 1))
    yield from rows.ordered()


def _suffix(path: bytes) -> bytes | None:
    name = path.rpartition(b"/")[2].lower()
    return next(
        (suffix for suffix in chain(_ZIPS, _TARS) if name.endswith(suffix) and name[: -len(suffix)].strip(b".")), None
    )


def _read(archive: bytes, data: bytes, used: _Used) -> Iterator[Member]:
    suffix = _suffix(archive)
    if suffix in _ZIPS:
        return _zip(archive, data, used)
    if suffix is None:
        raise _Stop("archive_damaged", "no archive by its extension")
    return _tar(archive, data, _TARS[suffix], used)


def _stop(error: Exception) -> _Stop:
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, _Stop):
        return error
    if isinstance(error, lzma.LZMAError) and "limit" in str(error):
        return _Stop("archive_limit", f"needs more than {_LZMA_MEMORY:,} bytes of memory to unpack")
    return _Stop("archive_damaged", f"cannot be read: {error}")


def _bad(path: bytes, within: bytes, size: int, stop: _Stop) -> Member:
    return Member(path, within, None, size, stop.problem, stop.why)


def _named(name: bytes, limits: Limits) -> bytes:
    """The name as it is given; _Stop for one that is not."""
    if len(name) > limits.name:
        raise _Stop("archive_limit", f"a name of {len(name):,} bytes, cut here")
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/") or b".." in parts:
        raise _Stop("archive_damaged", "the name leads out of the archive")
    if not parts:
        raise _Stop("archive_damaged", "an empty name")
    if b"\0" in name:
        raise _Stop("archive_damaged", "a NUL in the name")
    if any(part.lower() == b".git" for part in parts):
        raise _Stop("archive_damaged", "a part .git: git would run what it says")
    if any(len(part) > LONGEST_PART for part in parts):
        raise _Stop("archive_limit", f"more than {LONGEST_PART} bytes between two slashes of the name")
    return b"/".join(parts)


def _member(archive: bytes, name: bytes, size: int, used: _Used, content: Callable[[], bytes]) -> Member:
    """One member; a _Stop of `content` that is not for everything is this member's problem."""
    path = archive + SEPARATOR + name[: used.limits.name]
    try:
        path = archive + SEPARATOR + _named(name, used.limits)
        if size > used.limits.member:
            raise _Stop("archive_limit", f"{size:,} bytes, more than {used.limits.member:,}")
        data = content()
    except Exception as error:  # as in `members`
        stop = _stop(error)
        if stop.everything:
            raise stop from error
        return _bad(path, archive, size, stop)
    return Member(path, archive, data, len(data), None, "")


def _decoded(data: bytes, at: int, decoder: _Decoder) -> Generator[bytes, None, int]:
    """One packed stream that begins at `at`, in pieces of at most `_PIECE` bytes; where it ends."""
    while not decoder.eof:
        feed = b""
        hungry = decoder.needs_input
        if hungry:
            feed = data[at : at + _FEED]
            at += len(feed)
        piece = decoder.decompress(feed, _PIECE)
        if piece:
            yield piece
        elif hungry and not feed and not decoder.eof:
            raise _Stop("archive_damaged", "cut off: what is packed has no end")
    return at - len(decoder.unused_data)


# zip


class _Directory(io.BytesIO):
    """A zip file whose directory, which zipfile reads in one go and makes many objects of, may not be too long."""

    def __init__(self, data: bytes, used: _Used) -> None:
        super().__init__(data)
        self._used = used

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if data.startswith(_CENTRAL) and data.count(_CENTRAL) > max(_DIRECTORY, self._used.limits.members):
            self._used.too_many()
        return data


def _zip(archive: bytes, data: bytes, used: _Used) -> Iterator[Member]:
    with zipfile.ZipFile(_Directory(data, used)) as directory:
        entries = directory.infolist()
    order = sorted(entries, key=lambda entry: entry.header_offset)
    overlaps = {
        id(entry)
        for entry, following in pairwise(order)
        if entry.header_offset + 30 + entry.compress_size > following.header_offset
    }
    for entry in entries:
        used.entry()
        # Not `filename`, which ends at a NUL and on Windows turns backslashes.
        name = entry.orig_filename.encode()
        if name.endswith(b"/") and not entry.file_size:
            continue
        content = partial(_unzipped, entry, data, used, id(entry) in overlaps)
        yield _member(archive, name, entry.file_size, used, content)


def _unzipped(entry: zipfile.ZipInfo, data: bytes, used: _Used, overlaps: bool) -> bytes:
    special = _SPECIAL.get(stat.S_IFMT(entry.external_attr >> 16))
    if special:
        raise _Stop("archive_damaged", special)
    if entry.orig_filename.endswith("/"):
        raise _Stop("archive_damaged", "a folder that holds bytes")
    if entry.flag_bits & 1:
        raise _Stop("archive_damaged", "encrypted")
    if overlaps:
        raise _Stop("archive_damaged", "overlaps with the entry behind it")
    packed = _packed(entry, data)
    out = bytearray()
    for piece in _method(entry, packed):
        used.out(len(piece))
        out += piece
        if len(out) > entry.file_size:
            break
    if len(out) != entry.file_size:
        more = "more than " if len(out) > entry.file_size else ""
        raise _Stop(
            "archive_damaged",
            f"{more}{min(len(out), entry.file_size):,} bytes where the directory says {entry.file_size:,}",
        )
    if zlib.crc32(out) != entry.CRC:
        raise _Stop("archive_damaged", "not the checksum that the directory has")
    return bytes(out)


def _packed(entry: zipfile.ZipInfo, data: bytes) -> bytes:
    """The bytes of an entry, found through the header before them."""
    start = entry.header_offset
    head = data[start : start + 30] if start >= 0 else b""
    if len(head) < 30 or not head.startswith(_LOCAL):
        raise _Stop("archive_damaged", "not where the directory says")
    length, extra = struct.unpack_from("<HH", head, 26)
    start += 30
    if data[start : start + length] != entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
        raise _Stop("archive_damaged", "the header before its bytes has another name")
    start += length + extra
    return data[start : start + entry.compress_size]


def _method(entry: zipfile.ZipInfo, packed: bytes) -> Iterator[bytes]:
    if entry.compress_type == zipfile.ZIP_STORED:
        return iter((packed,))
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        return _decoded(packed, 0, _Zlib(-15))
    if entry.compress_type == zipfile.ZIP_BZIP2:
        return _decoded(packed, 0, bz2.BZ2Decompressor())
    if entry.compress_type == zipfile.ZIP_LZMA:
        # Version and length of the properties (APPNOTE.TXT 5.8.8), these, the stream. An .lzma file is the same with
        # the size behind the properties, all ones where an end mark stands instead (flag bit 1).
        size = b"\xff" * 8 if entry.flag_bits & 2 else struct.pack("<Q", entry.file_size)
        decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, _LZMA_MEMORY)
        return _decoded(packed[4:9] + size + packed[9:], 0, decoder)
    raise _Stop("archive_damaged", f"packed by method {entry.compress_type}, which is not read here")


# tar


class _Strict(tarfile.TarInfo):
    """A header that is damaged or missing is an error, not the end; only a block of zeros is."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile, /) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise _Stop("archive_damaged", f"cut off or damaged at a header ({error})") from error


class _Pieces(io.RawIOBase):
    """The bytes of a tar, as a file to be read in pieces; _Stop beyond `stop`."""

    def __init__(self, data: bytes, new: Callable[[], _Decoder] | None, used: _Used) -> None:
        self.stop = _HEADERS
        self._failed: Exception | None = None
        self._at = 0
        self._used = used
        self._pieces = _unpacked(data, new, used.limits)

    def read(self, _size: int = -1, /) -> bytes:
        if self._at > self.stop:
            raise _Stop("archive_limit", f"more than {_HEADERS:,} bytes of headers for one entry")
        if self._failed:
            raise self._failed
        try:
            piece = next(self._pieces, b"")
        except Exception as error:  # what is left is not the end: it fails again when read again
            self._failed = error
            raise
        self._used.out(len(piece))
        self._at += len(piece)
        return piece


def _unpacked(data: bytes, new: Callable[[], _Decoder] | None, limits: Limits) -> Iterator[bytes]:
    """The streams of a file one after the other, with zeros between and behind them as gzip allows."""
    if new is None:
        yield from (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
        return
    at = 0
    for _ in range(limits.members):
        at = yield from _decoded(data, at, new())
        if found := _ZEROS.match(data, at):
            at = found.end()
        if at == len(data):
            return
    raise _Stop("archive_limit", f"more than {limits.members:,} packed streams")


def _tar(archive: bytes, data: bytes, new: Callable[[], _Decoder] | None, used: _Used) -> Iterator[Member]:
    pieces = _Pieces(data, new, used)
    with tarfile.open(
        fileobj=pieces, mode="r|", bufsize=_PIECE, tarinfo=_Strict, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        while entry := tar.next():
            tar.members.clear()  # type: ignore[attr-defined]
            used.entry()
            if len(tar.pax_headers) > _ATTRIBUTES:
                raise _Stop("archive_limit", f"more than {_ATTRIBUTES:,} global attributes")
            pieces.stop = used.limits.unpacked
            if not entry.isdir():
                name = entry.name.encode("utf-8", "surrogateescape")
                yield _member(archive, name, entry.size, used, partial(_untarred, tar, entry, used))
            pieces.stop = tar.offset + _HEADERS
        pieces.stop = used.limits.unpacked
        while rest := tar.fileobj.read(_PIECE):
            if rest.strip(b"\0"):
                raise _Stop("archive_damaged", "more stands behind the end mark")


def _untarred(tar: tarfile.TarFile, entry: tarfile.TarInfo, used: _Used) -> bytes:
    target = shown(entry.linkname.encode("utf-8", "surrogateescape")[: used.limits.name])
    if entry.issym():
        raise _Stop("archive_damaged", f"a symlink to {target}, never followed")
    if entry.islnk():
        raise _Stop("archive_damaged", f"a hard link to {target}, never followed")
    stream = tar.extractfile(entry) if entry.isreg() else None
    if stream is None:
        what = "a pipe" if entry.isfifo() else "a device" if entry.isdev() else f"an entry of type {entry.type!r}"
        raise _Stop("archive_damaged", what)
    if entry.issparse():
        used.out(entry.size)  # holes come out of nothing
    data = stream.read()
    if len(data) != entry.size:
        raise _Stop("archive_damaged", f"{len(data):,} bytes where its header says {entry.size:,}")
    return data
