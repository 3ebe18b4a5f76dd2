"""Trees: the same bytes back, git's order, and what strangers put into them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome import trees
from coevo_pipelines.genome.git import GitError, Objects, object_id
from coevo_pipelines.genome.trees import Entry, Limits, TreeError
from coevo_pipelines_tests.genome.repositories import blob, commit, git, make, nested, raw, tree

OID = "1" * 40

names = st.binary(min_size=1, max_size=6).filter(
    lambda name: not set(b"\0/") & set(name) and name not in {b".", b".."} and name.lower() != b".git"
)
modes = st.sampled_from([0o100644, 0o100755, 0o120000, 0o040000, 0o160000])


@given(st.dictionaries(names, modes), st.sampled_from([20, 32]))
def test_built_and_parsed_again(given_modes: dict[bytes, int], width: int) -> None:
    entries = [Entry(name, mode, bytes(range(width)).hex()) for name, mode in given_modes.items()]
    data = trees.build(entries)
    parsed = trees.parse(data, "0" * 2 * width)
    assert set(parsed) == set(entries)
    assert trees.build(parsed) == data


@given(st.dictionaries(names, st.just(0o100644), min_size=1), st.data())
def test_a_cut_tree_is_an_error_or_another_tree(given_modes: dict[bytes, int], data: st.DataObject) -> None:
    whole = trees.build(Entry(name, mode, OID) for name, mode in given_modes.items())
    ends = {0}
    for entry in trees.parse(whole, OID):
        ends.add(max(ends) + len(b"100644 \0") + len(entry.path) + 20)
    cut = data.draw(st.integers(0, len(whole)))
    if cut in ends:
        assert trees.build(trees.parse(whole[:cut], OID)) == whole[:cut]
    else:
        with pytest.raises(TreeError, match=r"cut off|no mode"):
            trees.parse(whole[:cut], OID)


def line(mode: bytes, name: bytes) -> bytes:
    return mode + b" " + name + b"\0" + bytes(20)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (line(b"040000", b"a"), "mode '040000'"),
        (line(b"0100644", b"a"), "no mode"),
        (line(b"100600", b"a"), "mode '100600'"),
        (line(b"10064x", b"a"), "mode '10064x'"),
        (line(b"", b"a"), "mode ''"),
        (line(b"-40000", b"a"), "mode '-40000'"),
        (line(b"100644", b""), "without a name"),
        (line(b"100644", b"a/b"), "a slash"),
        (line(b"100644", b"/etc/passwd"), "a slash"),
        (line(b"40000", b"."), "leads elsewhere"),
        (line(b"40000", b".."), "leads elsewhere"),
        (line(b"40000", b".git"), "leads elsewhere"),
        (line(b"40000", b".GiT"), "leads elsewhere"),
        (line(b"100644", b"b") + line(b"100644", b"a"), "order"),
        (line(b"40000", b"a") + line(b"100644", b"a.b"), "order"),
        (line(b"100644", b"a") + line(b"100644", b"a"), "two entries"),
        (line(b"100644", b"a") + line(b"100644", b"a.b") + line(b"40000", b"a"), "two entries"),
        (b"100644 a\0" + bytes(19), "cut off"),
        (b"100644 a", "cut off"),
        (b"100644", "cut off"),
    ],
)
def test_what_git_would_not_write(data: bytes, what: str) -> None:
    with pytest.raises(TreeError, match=what) as caught:
        trees.parse(data, OID)
    assert OID in str(caught.value)


def listed(repo: Path, name: str) -> list[tuple[str, str, bytes]]:
    """What `git ls-tree` says: mode, id, path."""
    out = git(repo, "ls-tree", "-r", "-z", name).encode(errors="surrogateescape")
    rows = (row.split(b"\t", 1) for row in out.split(b"\0") if row)
    return [(info.split()[0].decode(), info.split()[2].decode(), path) for info, path in rows]


HARMLESS: dict[bytes, bytes | tuple[str, str]] = {
    b"a.b": b"",
    b"a/x": b"",
    b"a0": b"",
    b"a/b/c/d": b"deep",
    b"a/b.c": b"",
    b"a-": b"",
    b"new\nline": b"1",
    b"quote\"'\\": b"2",
    b"\xff\xfe not utf-8": b"3",
    b"Case": b"4",
    b"case": b"5",
    b"\xc3\xa9": b"NFC",
    b"e\xcc\x81": b"NFD",
    b"-rf": b"",
    b" ": b"",
    b"link": ("120000", OID),
    b"module": ("160000", OID),
    b"module.txt": b"",
}


def walked(objects: Objects, tree: str, limits: Limits = trees.LIMITS) -> Iterator[Entry]:
    return trees.entries(cache(partial(trees.read, objects)), tree, limits)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_entries_are_gits_in_byte_order_of_full_paths(tmp_path: Path, algorithm: str) -> None:
    repo = make(tmp_path / "r.git", algorithm)
    link, module = blob(repo, b"../../../etc/passwd"), "1" * (40 if algorithm == "sha1" else 64)
    files = HARMLESS | {b"link": ("120000", link), b"module": ("160000", module)}
    root = nested(repo, files)
    with Objects(repo) as objects:
        found = list(walked(objects, root))
        assert [entry.path for entry in found] == sorted(files)
        assert [(f"{entry.mode:06o}", entry.oid, entry.path) for entry in found] == listed(repo, root)
        assert object_id("tree", trees.build(trees.read(objects, root)), algorithm) == root


parts = st.lists(st.sampled_from([b"a", b"a.b", b"a0", b"b", b"a-"]), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(st.sets(parts.map(b"/".join), min_size=1, max_size=12))
def test_order_of_any_paths(tmp_path_factory: pytest.TempPathFactory, paths: set[bytes]) -> None:
    files = {path for path in paths if not any(other.startswith(path + b"/") for other in paths)}
    repo = make(tmp_path_factory.mktemp("order") / "r.git")
    with Objects(repo) as objects:
        found = walked(objects, nested(repo, dict.fromkeys(files, b"")))
        assert [entry.path for entry in found] == sorted(files)


def test_an_empty_tree_and_an_empty_directory(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    empty = tree(repo, [])
    with Objects(repo) as objects:
        assert list(walked(objects, empty)) == []
        assert list(walked(objects, tree(repo, [("40000", b"empty", empty)]))) == []


@pytest.mark.parametrize("empty", [False, True])
def test_a_tree_bomb_stops_at_the_limit(tmp_path: Path, empty: bool) -> None:
    """Ten levels of ten: 10^10 files, or that many empty directories."""
    repo = make(tmp_path / "r.git")
    oid = tree(repo, [] if empty else [("100644", b"f", blob(repo, b"x"))])
    for _ in range(10):
        oid = tree(repo, [("40000", b"%d" % number, oid) for number in range(10)])
    started = time.monotonic()
    with Objects(repo) as objects, pytest.raises(TreeError, match="more than 100000 entries") as caught:
        for _ in walked(objects, oid, Limits(entries=100_000)):
            pass
    assert caught.value.tree == oid
    assert caught.value.path
    assert time.monotonic() - started < 20


def test_a_tree_that_refers_to_one_subtree_many_times(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    inner = tree(repo, [("100644", b"f", blob(repo, b"x"))])
    oid = tree(repo, [("40000", b"%06d" % number, inner) for number in range(20_000)])
    with Objects(repo) as objects:
        assert sum(1 for _ in walked(objects, oid)) == 20_000
        with pytest.raises(TreeError, match="more than 1000 entries"):
            list(walked(objects, oid, Limits(entries=1000)))


def test_deep_trees(tmp_path: Path) -> None:
    """Each level is an object; 3,000 of them are made in one go."""
    repo = make(tmp_path / "r.git")
    stream = b"commit refs/heads/main\ncommitter C <c@example.org> 1553472000 +0000\ndata 0\n"
    deep = b"/".join([b"d"] * 3000) + b"/f"
    git(repo, "fast-import", "--quiet", stdin=stream + b"M 644 inline " + deep + b"\ndata 1\nx\n")
    root = git(repo, "rev-parse", "main^{tree}")
    with Objects(repo) as objects:
        assert [entry.path for entry in walked(objects, root, Limits(depth=3001))] == [deep]
        with pytest.raises(TreeError, match=f"tree {root} at .*more than 1000 levels"):
            list(walked(objects, root))
        with pytest.raises(TreeError, match="path of more than 500 bytes"):
            list(walked(objects, root, Limits(path_bytes=500)))


def test_hostile_subtrees_are_named(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    file = blob(repo, b"x")
    evil = tree(repo, [("100644", b"../../outside", file)])
    root = tree(repo, [("100644", b"a", file), ("40000", b"b", evil)])
    with Objects(repo) as objects:
        walk = walked(objects, root)
        assert [entry.path for entry in islice(walk, 1)] == [b"a"]
        with pytest.raises(TreeError, match=evil):
            next(walk)


def test_what_is_no_tree_or_missing(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    head = commit(repo, {b"a": b"a"})
    with Objects(repo) as objects:
        with pytest.raises(TreeError, match=f"{head}: is a commit, not a tree"):
            list(walked(objects, head))
        lying = tree(repo, [("40000", b"d", blob(repo, b"x"))])
        with pytest.raises(TreeError, match="is a blob, not a tree"):
            list(walked(objects, lying))
        with pytest.raises(GitError, match=OID):
            list(walked(objects, tree(repo, [("40000", b"d", OID)])))
        garbage = raw(repo, "tree", b"garbage")
        with pytest.raises(TreeError, match=garbage):
            list(walked(objects, garbage))
