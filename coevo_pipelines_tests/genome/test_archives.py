"""What is in an archive comes out whole or is named with what is wrong, within the limits, whatever the bytes are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome import archives
from coevo_pipelines.genome.archives import Limits, Member, is_archive, members

DAMAGED, LIMIT = "archive_damaged", "archive_limit"
FILES = {"b/two.txt": b"two\n" * 1000, "a.txt": b"one\n", "b/empty": b"", "été.md": "été\n".encode()}
WRAP: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tbz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".txz": lzma.compress,
}
METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def zipped(files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name twice
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def tarred(files: Iterable[tuple[str | tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read(path: bytes, data: bytes, **limits: int) -> dict[bytes, Member]:
    found = list(members(path, data, Limits(**limits)))
    paths = [member.path for member in found]
    assert paths == sorted(set(paths))
    for member in found:
        assert (member.data is None) == (member.problem is not None) == bool(member.why)
        assert member.data is None or member.size == len(member.data)
        assert member.path.startswith(member.within + b"!/")
    return {member.path: member for member in found}


def given_in(path: bytes, data: bytes, **limits: int) -> dict[bytes, bytes]:
    """Members with bytes; nothing else may be there."""
    found = read(path, data, **limits)
    assert [member for member in found.values() if member.data is None] == []
    return {name: member.data for name, member in found.items() if member.data is not None}


def told(path: bytes, data: bytes, **limits: int) -> dict[bytes, str | bytes | None]:
    return {name: member.problem or member.data for name, member in read(path, data, **limits).items()}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        *((b"x" + suffix.encode(), True) for suffix in WRAP),
        (b"a/b.zip", True), (b"B.ZIP", True), (b"x.whl", True), (b"x.jar", True), (b"X.Tar.GZ", True),
        (b"new\nline.zip", True), (b"\xff.zip", True),
        (b".zip", False), (b"a/.tar.gz", False), (b"..zip", False), (b"zip", False), (b"x.gz", False),
        (b"x.zip!/y", False), (b"x.zip.txt", False), (b"x.rar", False), (b"x.xz", False), (b"", False),
    ],
)  # fmt: skip
def test_an_archive_is_known_by_its_extension(path: bytes, wanted: bool) -> None:
    assert is_archive(path) is wanted


@pytest.mark.parametrize("suffix", WRAP)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_gives_its_files(suffix: str, form: int) -> None:
    folder = entry("b", type=tarfile.DIRTYPE)
    data = WRAP[suffix](tarred([(folder, b""), *FILES.items()], form))
    path = b"d/o" + suffix.encode()
    wanted = {path + b"!/" + name.encode(): content for name, content in FILES.items()}
    assert given_in(path, data) == wanted
    assert {member.within for member in members(path, data)} == {path}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_of_a_zip_gives_its_files(method: int) -> None:
    data = zipped([("b/", b""), *FILES.items()], method)
    assert given_in(b"o.zip", data) == {b"o.zip!/" + name.encode(): content for name, content in FILES.items()}


@pytest.mark.parametrize("front", [b"", b"#/bin/sh\n" * 100])
def test_a_zip64_and_a_zip_behind_a_program_are_read(front: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a", "w", force_zip64=True) as stream:
        stream.write(b"x" * 1000)
    # A directory whose sizes all stand in the zip64 field (APPNOTE.TXT 4.5.3), which zipfile writes from 4 GB on.
    packed = out.getvalue()
    central = packed.index(b"PK\1\2")
    record = bytearray(packed[central : packed.index(b"PK\5\6")])
    struct.pack_into("<LL", record, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", record, 30, 20)
    record += struct.pack("<HHQQ", 1, 16, 1000, 1000)
    wide = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(record), central)
    where = struct.pack("<4sLQL", b"PK\6\7", 0, central + len(record), 1)
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert given_in(b"o.zip", packed[:central] + bytes(record) + wide + where + end) == {b"o.zip!/a": b"x" * 1000}
    assert given_in(b"o.zip", front + packed) == {b"o.zip!/a": b"x" * 1000}


@pytest.mark.parametrize("path", [b"o.zip", *(b"o" + suffix.encode() for suffix in WRAP)])
def test_an_empty_archive_holds_nothing_and_what_is_none_says_so(path: bytes) -> None:
    empty = zipped([]) if path == b"o.zip" else WRAP[path[1:].decode()](tarred([]))
    assert read(path, empty) == {}
    for lie in (b"", b"no archive at all\n" * 100, b"\x89PNG\r\n\x1a\n" + bytes(600)):
        found = read(path, lie)
        assert told(path, lie) == {path + b"!/": DAMAGED}
        assert found[path + b"!/"].within == path and found[path + b"!/"].size == len(lie)


def test_a_path_without_an_extension_of_an_archive_is_a_row_too() -> None:
    assert told(b"o.bin", zipped(FILES.items())) == {b"o.bin!/": DAMAGED}


def test_nested_archives_come_in_byte_order_with_where_they_stand() -> None:
    inner = tarred([("b.txt", b"B"), ("d/c.txt", b"C")])
    outer = zipped([("a.zip", zipped([("in.tgz", gzip.compress(inner)), ("z", b"Z")])), ("a.zip z", b"1"), ("B", b"2")])
    two, three = read(b"o.jar", outer), read(b"o.jar", outer, depth=3)
    assert [(name, member.within, member.problem) for name, member in two.items()] == [
        (b"o.jar!/B", b"o.jar", None),
        (b"o.jar!/a.zip", b"o.jar", None),
        (b"o.jar!/a.zip z", b"o.jar", None),
        (b"o.jar!/a.zip!/in.tgz", b"o.jar!/a.zip", None),
        (b"o.jar!/a.zip!/in.tgz!/", b"o.jar!/a.zip!/in.tgz", LIMIT),
        (b"o.jar!/a.zip!/z", b"o.jar!/a.zip", None),
    ]
    assert three[b"o.jar!/a.zip!/in.tgz!/d/c.txt"].data == b"C"
    assert b"o.jar!/a.zip!/in.tgz!/" not in three
    assert b"o.jar!/a.zip!/" in read(b"o.jar", outer, depth=1)


def test_a_damaged_nested_archive_leaves_the_others() -> None:
    outer = tarred([("bad.zip", b"PK"), ("good.zip", zipped([("x", b"X")]))])
    assert told(b"o.tar", outer) == {
        b"o.tar!/bad.zip": b"PK",
        b"o.tar!/bad.zip!/": DAMAGED,
        b"o.tar!/good.zip": zipped([("x", b"X")]),
        b"o.tar!/good.zip!/x": b"X",
    }


@pytest.mark.parametrize(
    ("name", "path", "outcome"),
    [
        ("./a", b"a", b"x"),
        ("b/.//./a", b"b/a", b"x"),
        ("a\nb", b"a\nb", b"x"),
        ("..a/...", b"..a/...", b"x"),
        ("a\\b", b"a\\b", b"x"),
        (".gitignore", b".gitignore", b"x"),
        ("/etc/passwd", b"/etc/passwd", DAMAGED),
        ("../a", b"../a", DAMAGED),
        ("a/../../b", b"a/../../b", DAMAGED),
        ("a/..", b"a/..", DAMAGED),
        (".", b".", DAMAGED),
        (".git/config", b".git/config", DAMAGED),
        ("a/.GIT", b"a/.GIT", DAMAGED),
        ("p" * 250, b"p" * 250, b"x"),
        ("p" * 251, b"p" * 251, LIMIT),
        ("n/" * 500 + "nn", b"n/" * 500, LIMIT),
    ],
)
def test_names_mean_what_they_say_or_are_refused(name: str, path: bytes, outcome: bytes | str) -> None:
    assert told(b"o.tar", tarred([(name, b"x")])) == {b"o.tar!/" + path: outcome}
    assert told(b"o.zip", zipped([(name, b"x")])) == {b"o.zip!/" + path: outcome}


def test_names_that_only_one_format_can_have() -> None:
    assert told(b"o.tar", tarred([("caf\udce9", b"x")], tarfile.GNU_FORMAT)) == {b"o.tar!/caf\xe9": b"x"}
    nul = zipped([("aQb", b"x"), ("c", b"y")]).replace(b"aQb", b"a\0b")
    assert told(b"o.zip", nul) == {b"o.zip!/a\0b": DAMAGED, b"o.zip!/c": b"y"}
    cp437 = zipped([("QQ", b"x")]).replace(b"QQ", b"\x82\xff")
    assert told(b"o.zip", cp437) == {"o.zip!/é\u00a0".encode(): b"x"}
    assert told(b"o.tar", tarred([("", b"x"), ("c", b"y")])) == {b"o.tar!/": DAMAGED, b"o.tar!/c": b"y"}
    assert told(b"o.zip", zipped([("d/", b"x")])) == {b"o.zip!/d": DAMAGED}
    not_utf8 = zipped([("é", b"x")]).replace("é".encode(), b"\xff\xff")
    assert told(b"o.zip", not_utf8) == {b"o.zip!/": DAMAGED}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_name_that_comes_twice_means_its_last_entry_and_hides_none(make: Callable[..., bytes]) -> None:
    path = b"o.zip" if make is zipped else b"o.tar"
    data = make([("a", b"1"), ("a!1", b"other"), ("./a", b"22"), ("b", b""), ("a", b"333")])
    found = read(path, data)
    assert told(path, data) == {
        path + b"!/a": b"333",
        path + b"!/a!1": b"other",
        path + b"!/a!2": DAMAGED,
        path + b"!/a!3": DAMAGED,
        path + b"!/b": b"",
    }
    assert [found[path + name].size for name in (b"!/a!2", b"!/a!3")] == [1, 2]


def test_a_file_that_is_a_folder_too_cannot_be_given() -> None:
    assert told(b"o.zip", zipped([("a", b"1"), ("a/b", b"2"), ("a b", b"3"), ("a-", b"4"), ("a.zip!", b"5")])) == {
        b"o.zip!/a": DAMAGED, b"o.zip!/a/b": b"2", b"o.zip!/a b": b"3", b"o.zip!/a-": b"4", b"o.zip!/a.zip!": b"5",
    }  # fmt: skip
    nested = zipped([("x", b"X")])
    clash = told(b"o.zip", zipped([("a.zip", nested), ("a.zip!", b"5"), ("b.zip", nested), ("b.zip!/x", b"mine")]))
    assert clash == {
        b"o.zip!/a.zip": nested, b"o.zip!/a.zip!": DAMAGED, b"o.zip!/a.zip!/x": b"X",
        b"o.zip!/b.zip": nested, b"o.zip!/b.zip!/x": b"X", b"o.zip!/b.zip!/x!1": DAMAGED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "../../etc/passwd"}, "a symlink to ../../etc/passwd, never followed"),
        ({"type": tarfile.LNKTYPE, "linkname": "a"}, "a hard link to a, never followed"),
        ({"type": tarfile.CHRTYPE}, "a device"),
        ({"type": tarfile.BLKTYPE}, "a device"),
        ({"type": tarfile.FIFOTYPE}, "a pipe"),
        ({"type": b"M"}, "an entry of type b'M'"),
    ],
)
def test_what_is_no_file_in_a_tar_is_listed(fields: dict[str, object], why: str) -> None:
    found = read(b"o.tar", tarred([("a", b"secret"), (entry("link", **fields), b""), ("z", b"Z")]))
    assert [member.data for member in found.values()] == [b"secret", None, b"Z"]
    assert (found[b"o.tar!/link"].problem, found[b"o.tar!/link"].why) == (DAMAGED, why)


def test_a_symlink_in_a_zip_is_listed() -> None:
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    found = read(b"o.zip", zipped([(link, b"/etc/passwd"), ("z", b"Z")]))
    assert (found[b"o.zip!/link"].data, found[b"o.zip!/link"].why) == (None, "a symlink, never followed")
    assert found[b"o.zip!/z"].data == b"Z"


def test_a_sparse_file_comes_with_its_holes_and_they_count() -> None:
    # GNU's old form: header of type S with one piece of 512 bytes at 1024, real size 4096.
    head = bytearray(entry("hole", size=512).tobuf(tarfile.GNU_FORMAT))
    head[156:157] = b"S"
    head[386:410] = b"00000002000\x0000000001000\0"
    head[483:495] = b"00000010000\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    data = bytes(head) + b"x" * 512 + bytes(1024)
    assert given_in(b"o.tar", data) == {b"o.tar!/hole": bytes(1024) + b"x" * 512 + bytes(2560)}
    assert told(b"o.tar", data, unpacked=4096) == {b"o.tar!/": LIMIT}


def flagged(data: bytes, offset: int, local: int, value: int, size: str = "<H") -> bytes:
    """A zip of one entry with a field changed in the directory and the header before the bytes."""
    out = bytearray(data)
    struct.pack_into(size, out, data.index(b"PK\1\2") + offset, value)
    struct.pack_into(size, out, local, value)
    return bytes(out)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: flagged(data, 8, 6, 1), "encrypted"),
        (lambda data: flagged(data, 10, 8, 93), "packed by method 93, which is not read here"),
        (lambda data: flagged(data, 16, 14, 1, "<L"), "not the checksum that the directory has"),
        (lambda data: flagged(data, 24, 22, 3, "<L"), "more than 3 bytes where the directory says 3"),
        (lambda data: flagged(data, 24, 22, 30, "<L"), "16 bytes where the directory says 30"),
        (lambda data: data.replace(b"name", b"lame", 1), "the header before its bytes has another name"),
        (lambda data: b"?" + data[1:], "not where the directory says"),
    ],
)
def test_a_member_of_a_zip_that_is_damaged_is_listed(change: Callable[[bytes], bytes], why: str) -> None:
    found = read(b"o.zip", change(zipped([("name", b"0123456789abcdef")])))
    assert [(name, member.problem, member.why) for name, member in found.items()] == [(b"o.zip!/name", DAMAGED, why)]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_a_tar_that_is_cut_off_gives_what_was_before_and_one_row(suffix: str) -> None:
    noise = random.Random(4).randbytes(30_000)
    whole = WRAP[suffix](tarred([("a", noise[:9000]), ("b", noise)]))
    path = b"o" + suffix.encode()
    for length in range(0, len(whole) - 10_300, 997):
        found = told(path, whole[:length])
        assert found.pop(path + b"!/") == DAMAGED
        for name, content in ((path + b"!/a", noise[:9000]), (path + b"!/b", noise)):
            assert found.pop(name, DAMAGED) in (content, DAMAGED)
        assert not found
    if suffix in (".tar", ".tar.gz"):
        assert told(path, whole[:20_000])[path + b"!/a"] == noise[:9000]


def test_a_tar_that_ends_between_two_members_is_seen_to_be_cut_off() -> None:
    whole = tarred([("a", b"1"), ("b", b"2")])
    assert told(b"o.tar", whole[:1024]) == {b"o.tar!/": DAMAGED, b"o.tar!/a": b"1"}
    for damaged in (whole[:1124] + b"?" + whole[1125:], whole[:1500]):
        assert told(b"o.tar", damaged) == {b"o.tar!/": DAMAGED, b"o.tar!/a": b"1"}
    assert told(b"o.tar", whole + tarred([("hidden", b"3")])) == {
        b"o.tar!/": DAMAGED, b"o.tar!/a": b"1", b"o.tar!/b": b"2",
    }  # fmt: skip


def test_streams_one_after_the_other_and_zeros_behind_are_one_file() -> None:
    whole = tarred(FILES.items())
    for suffix in (".tar.gz", ".tar.bz2", ".tar.xz"):
        pack, path = WRAP[suffix], b"o" + suffix.encode()
        data = pack(whole[:700]) + pack(b"") + pack(whole[700:])
        assert len(given_in(path, data + bytes(512))) == len(FILES)
        found = told(path, data + b"garbage")
        assert (found.pop(path + b"!/"), len(found)) == (DAMAGED, len(FILES))
    crc = bytearray(gzip.compress(whole))
    crc[-8] ^= 1
    assert told(b"o.tgz", bytes(crc))[b"o.tgz!/"] == DAMAGED


def test_a_size_or_a_place_below_zero_is_damage() -> None:
    size = entry("a", size=-1).tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert told(b"o.tar", size) == {b"o.tar!/a": DAMAGED}
    far = entry("a", size=-5000).tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert told(b"o.tar", far) == {b"o.tar!/": DAMAGED, b"o.tar!/a": DAMAGED}
    place = bytearray(zipped([("a", b"1")]))
    end = place.index(b"PK\5\6")
    struct.pack_into("<L", place, end + 16, struct.unpack_from("<L", place, end + 16)[0] + len(place))
    found = told(b"o.zip", bytes(place))
    assert found in ({b"o.zip!/a": DAMAGED}, {b"o.zip!/": DAMAGED})  # newer Pythons refuse the directory


def test_a_block_of_bzip2_that_ends_with_a_piece_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_PIECE", 1)  # so that each block does
    content = random.Random(6).randbytes(150_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2, compresslevel=1) as archive:
        archive.writestr("a", content)
    assert given_in(b"o.zip", out.getvalue()) == {b"o.zip!/a": content}


def test_running_out_of_memory_is_no_property_of_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(archives, "_unzipped", full)
    with pytest.raises(MemoryError):
        list(members(b"o.zip", zipped([("a", b"1")])))


# limits


@pytest.mark.parametrize(
    ("make", "path"), [(zipped, b"o.zip"), (tarred, b"o.tar"), (lambda files: gzip.compress(tarred(files)), b"o.tgz")]
)
def test_limits_end_an_archive_with_one_row(make: Callable[..., bytes], path: bytes) -> None:
    noise = random.Random(5).randbytes(3000)
    files = [(f"{number}", noise) for number in range(10)]
    data = make(files)
    names = [path + b"!/%d" % number for number in range(10)]
    whole = dict.fromkeys(names, noise)
    assert told(path, data, members=10, member=3000) == whole
    assert told(path, data, members=9) == {path + b"!/": LIMIT} | dict.fromkeys(names[:9], noise)
    assert told(path, data, member=2999) == dict.fromkeys(names, LIMIT)
    partly = told(path, data, unpacked=20_000)
    assert partly.pop(path + b"!/") == LIMIT
    assert 0 < len(partly) < 10 and partly.items() <= whole.items()


def test_nested_archives_count_into_the_outer_one() -> None:
    inner = zipped([("x", b"X" * 900), ("y", b"Y")], zipfile.ZIP_STORED)
    outer = zipped([("a.zip", inner), ("b.zip", inner)], zipfile.ZIP_STORED)
    assert len(given_in(b"o.zip", outer, members=6)) == 6
    assert told(b"o.zip", outer, members=5) == {
        b"o.zip!/": LIMIT, b"o.zip!/a.zip": inner, b"o.zip!/a.zip!/x": b"X" * 900, b"o.zip!/a.zip!/y": b"Y",
        b"o.zip!/b.zip": inner, b"o.zip!/b.zip!/": LIMIT, b"o.zip!/b.zip!/x": b"X" * 900,
    }  # fmt: skip
    size = 2 * len(inner) + 2 * 901
    assert len(given_in(b"o.zip", outer, unpacked=size)) == 6
    assert b"o.zip!/" in told(b"o.zip", outer, unpacked=size - 1)


def test_the_ratio_counts_once_a_million_bytes_are_out() -> None:
    data = zipped([("a", bytes(600_000)), ("b", bytes(400_000)), ("c", b"c")])
    assert len(data) * 200 < 1_000_000
    assert told(b"o.zip", data) == {b"o.zip!/": LIMIT, b"o.zip!/a": bytes(600_000), b"o.zip!/b": bytes(400_000)}
    assert len(given_in(b"o.zip", data, ratio=1000)) == 3


def peak_of(call: Callable[[], object]) -> int:
    """Bytes that Python held at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_not_held_in_memory() -> None:
    big = entry("big", size=8 << 30).tobuf(tarfile.GNU_FORMAT)  # 8 GB of zeros, passed over
    bombs = {
        b"o.tgz": gzip.compress(big) + gzip.compress(bytes(1 << 24)) * 640,
        b"o.tar.gz": gzip.compress(bytes(1 << 24)) * 640,  # 10 GB behind the end mark
        b"o.txz": lzma.compress(big) + lzma.compress(bytes(1 << 24)) * 640,
        b"o.tbz2": bz2.compress(big) + bz2.compress(bytes(1 << 24)) * 640,
    }
    for path, data in bombs.items():
        found = told(path, data, unpacked=40_000_000)
        assert found.pop(path + b"!/") == LIMIT
        assert found in ({}, {path + b"!/big": LIMIT})
        assert peak_of(partial(read, path, data, unpacked=20_000_000)) < 12_000_000  # 8 MB are xz's own


@pytest.mark.parametrize("method", ["deflate", "bzip2", "lzma"])
def test_a_member_that_says_less_than_it_holds_is_not_unpacked_further(method: str) -> None:
    data = flagged(zipped([("name", bytes(30_000_000))], METHODS[method]), 24, 22, 1000, "<L")
    assert told(b"o.zip", data) == {b"o.zip!/name": DAMAGED}
    assert peak_of(lambda: read(b"o.zip", data)) < 12_000_000


def test_entries_that_share_their_bytes_are_refused_but_the_last() -> None:
    data = bytearray(zipped([("name", b"x" * 5000)], zipfile.ZIP_STORED))
    central = data.index(b"PK\1\2")
    record = bytes(data[central : data.index(b"PK\5\6")])
    size = struct.pack("<HHL", 1000, 1000, 1000 * len(record))
    bomb = bytes(data[:central]) + record * 1000 + b"PK\5\6" + bytes(4) + size + struct.pack("<LH", central, 0)
    found = told(b"o.zip", bomb, unpacked=5000)
    assert len(found) == 1000
    assert found.pop(b"o.zip!/name") == b"x" * 5000
    assert set(found.values()) == {DAMAGED}


def test_archives_inside_one_another_end() -> None:
    """To a reader an archive that holds itself is one of these without end."""
    data = zipped([("a.txt", b"x")])
    for _ in range(20):
        data = zipped([("a.zip", data)])
    found = read(b"a.zip", data, depth=5)
    assert [name.count(b"!/") for name in found] == [1, 2, 3, 4, 5, 6]
    assert [member.problem for member in found.values()] == [None] * 5 + [LIMIT]


def test_headers_and_streams_without_members_end() -> None:
    name = tarred([(entry("n" * 600_000), b"x")], tarfile.GNU_FORMAT)
    assert told(b"o.tar", name) == {b"o.tar!/": LIMIT}
    assert told(b"o.tar", tarred([("a", b"1")])[:1024] + name) == {b"o.tar!/": LIMIT, b"o.tar!/a": b"1"}
    many = {f"key{number}": "v" for number in range(2000)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers=many) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    assert told(b"o.tar", out.getvalue()) == {b"o.tar!/": LIMIT}
    assert told(b"o.tgz", gzip.compress(b"") * 200 + gzip.compress(tarred([])), members=100) == {b"o.tgz!/": LIMIT}
    inside = gzip.compress(tarred([("a", b"1" * 5000)])[:600]) + gzip.compress(b"") * 200
    assert told(b"o.tgz", inside, members=100) == {b"o.tgz!/": LIMIT, b"o.tgz!/a": LIMIT}
    memory = lzma.compress(tarred([("a", b"x")]), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}])
    assert told(b"o.txz", memory) == {b"o.txz!/": LIMIT}


def test_a_directory_of_too_many_entries_is_not_made_into_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_DIRECTORY", 20)
    assert len(told(b"o.zip", zipped([(f"{number}", b"") for number in range(20)]), members=15)) == 16
    assert told(b"o.zip", zipped([(f"{number}", b"") for number in range(21)]), members=15) == {b"o.zip!/": LIMIT}


# whatever the bytes are

SOURCES = {
    **{
        b"o" + suffix.encode(): pack(tarred([*FILES.items(), ("c.zip", zipped(FILES.items()))]))
        for suffix, pack in WRAP.items()
    },
    b"gnu.tar": tarred(
        [("l" * 150, b"long"), (entry("s", type=tarfile.SYMTYPE, linkname="t" * 150), b"")], tarfile.GNU_FORMAT
    ),
    **{
        name.encode() + b".zip": zipped([*FILES.items(), ("c.tgz", gzip.compress(tarred(FILES.items())))], method)
        for name, method in METHODS.items()
    },
}  # fmt: skip
SMALL = Limits(members=50, member=20_000, unpacked=100_000, depth=3, name=100)


def sound(path: bytes, data: bytes) -> None:
    found = list(members(path, data, SMALL))
    paths = [member.path for member in found]
    assert paths == sorted(set(paths))
    assert all((member.data is None) == bool(member.problem and member.why) for member in found)
    assert sum(member.size for member in found if member.data is not None) <= SMALL.unpacked
    assert found == list(members(path, data, SMALL))


@given(st.sampled_from(sorted(SOURCES)), st.binary(max_size=2000))
def test_random_bytes_are_never_an_error(path: bytes, data: bytes) -> None:
    sound(path, data)


@settings(max_examples=300)
@given(st.sampled_from(sorted(SOURCES)), st.data())
def test_a_flipped_archive_is_never_an_error(path: bytes, draw: st.DataObject) -> None:
    data = bytearray(SOURCES[path])
    for at, value in draw.draw(
        st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        data[at] = value
    sound(path, bytes(data[: draw.draw(st.sampled_from([len(data), len(data) // 2, len(data) - 1]))]))


@given(st.sampled_from(["o.zip", *(f"o{suffix}" for suffix in WRAP)]), st.data())
def test_what_is_put_in_comes_out(path: str, draw: st.DataObject) -> None:
    names = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=20)
    good = names.filter(
        lambda name: name not in (".", "..") and name.lower() != ".git" and not is_archive(name.encode())
    )
    files = draw.draw(st.dictionaries(good, st.binary(max_size=600), max_size=6))
    data = zipped(files.items()) if path == "o.zip" else WRAP[path[1:]](tarred(files.items()))
    assert given_in(path.encode(), data) == {f"{path}!/{name}".encode(): content for name, content in files.items()}
