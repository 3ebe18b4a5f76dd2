"""SWHIDs against published values, and git's own ids."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.genome import swhid
from coevo_pipelines.genome.git import Git, Objects
from coevo_pipelines.genome.swhid import Target
from coevo_pipelines.genome.trees import Entry
from coevo_pipelines_tests.genome.repositories import commit, git, make

EMPTY_FILE = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", f"swh:1:cnt:{EMPTY_FILE}"),
        (b"Hello, World!\n", "swh:1:cnt:8ab686eafeb1f44702738c8b0f24f2567c36da6d"),
        (b"hello world\n", "swh:1:cnt:3b18e512dba79e4c8300dd08aeb37f8e728b8dad"),
        # swh.model and the OCaml package swhid test with these.
        (b"coucou\n", "swh:1:cnt:28d0af969b32e69a389087d7a267a2ecc05f1350"),
    ],
)
def test_contents(data: bytes, expected: str) -> None:
    assert swhid.content(data) == expected


# The example directory of swh.model's tests: names, modes and ids with `order` a directory among `order.` and `order0`.
EXAMPLE = [
    (0o100644, b"README", "37ec8ea2110c0b7a32fbb0e872f6e7debbf95e21"),
    (0o100644, b"Rakefile", "3bb0e8592a41ae3185ee32266c860714980dbed7"),
    (0o040000, b"app", "61e6e867f5d7ba3b40540869bc050b0c4fed9e95"),
    (0o100644, b"1.megabyte", "7c2b2fbdd57d6765cdc9d84c2d7d333f11be7fb3"),
    (0o040000, b"config", "591dfe784a2e9ccc63aaba1cb68a765734310d98"),
    (0o040000, b"public", "9588bf4522c2b4648bfd1c61d175d1f88c1ad4a5"),
    (0o100644, b"development.sqlite3", EMPTY_FILE),
    (0o040000, b"doc", "154705c6aa1c8ead8c99c7915373e3c44012057f"),
    (0o040000, b"db", "85f157bdc39356b7bc7de9d0099b4ced8b3b382c"),
    (0o040000, b"log", "5e3d3941c51cce73352dff89c805a304ba96fffe"),
    (0o040000, b"script", "1b278423caf176da3f3533592012502aa10f566c"),
    (0o040000, b"test", "035f0437c080bfd8711670b3e8677e686c69c763"),
    (0o040000, b"vendor", "7c0dc9ad978c1af3f9a4ce061e50f5918bd27138"),
    (0o160000, b"will_paginate", "3d531e169db92a16a9a8974f0ae6edf52e52659e"),
    (0o040000, b"order", "62cdb7020ff920e5aa642c3d4066950dd1f01f4d"),
    (0o040000, b"order.", "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"),
    (0o040000, b"order0", "bbe960a25ea311d21d40669e93df2003ba9b90a2"),
]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], "swh:1:dir:4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
        (EXAMPLE, "swh:1:dir:d7ed3d2c31d608823be58b1cbe57605310615231"),
    ],
)
def test_directories(entries: list[tuple[int, bytes, str]], expected: str) -> None:
    assert swhid.directory(Entry(name, mode, oid) for mode, name, oid in reversed(entries)) == expected


def test_the_sort_trap() -> None:
    inner = swhid.directory([Entry(b"x", 0o100644, EMPTY_FILE)]).removeprefix("swh:1:dir:")
    outer = [
        Entry(b"a", 0o040000, inner),
        Entry(b"a.b", 0o100644, EMPTY_FILE),
        Entry(b"a0", 0o100644, EMPTY_FILE),
    ]
    assert swhid.directory(outer) == "swh:1:dir:cc6b940246a412b229914418bd12af5e1601ec85"


def test_a_revision() -> None:
    """Linux 4.2-rc2, as in swh.model's tests and in Linus Torvalds' repository."""
    torvalds = b"Linus Torvalds <torvalds@linux-foundation.org> 1436739030 -0700"
    data = (
        b"tree 85a74718d377195e1efd0843ba4f3260bad4fe07\nparent 01e2d0627a9a6edb24c37db45db5ecb31e9de808\n"
        b"author " + torvalds + b"\ncommitter " + torvalds + b"\n\nLinux 4.2-rc2\n"
    )
    assert swhid.revision(data) == "swh:1:rev:bc0195aad0daa2ad5b0d76cce22b167bc3435590"


def test_a_release() -> None:
    """Linux 2.6.14."""
    data = (
        b"object 741b2252a5e14d6c60a913c77a6099abe73a854a\ntype commit\ntag v2.6.14\n"
        b"tagger Linus Torvalds <torvalds@g5.osdl.org> 1130457753 -0700\n\nLinux 2.6.14 release\n"
        b"-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG v1.4.1 (GNU/Linux)\n\n"
        b"iD8DBQBDYWq6F3YsRnbiHLsRAmaeAJ9RCez0y8rOBbhSv344h86l/VVcugCeIhO1\nwdLOnvj91G4wxYqrvThthbE=\n=7VeT\n"
        b"-----END PGP SIGNATURE-----\n"
    )
    assert swhid.release(data) == "swh:1:rel:2b10839e32c4c476e9d94492756bb1a3e1ec4aa8"


ALL_TYPES: dict[bytes, Target | None] = {
    b"directory": Target("directory", "1bd0e65f7d2ff14ae994de17a1e7fe65111dcad8"),
    b"content": Target("content", "fe95a46679d128ff167b7c55df5d02356c5a1ae1"),
    b"alias": Target("alias", b"revision"),
    b"revision": Target("revision", "aafb16d69fd30ff58afdd69036a26047f3aebdc6"),
    b"release": Target("release", "7045404f3d1c54e6473c71bbb716529fbad4be24"),
    b"snapshot": Target("snapshot", "1a8893e6a86f444e8be8e7bda6cb34fb1735a00e"),
    b"dangling": None,
}


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ({}, "1a8893e6a86f444e8be8e7bda6cb34fb1735a00e"),
        ({b"HEAD": None}, "c84502e821eb21ed84e9fd3ec40973abc8b32353"),
        ({b"foo": Target("alias", b"bar")}, "84b4548ea486e4b0a7933fa541ff1503a0afe1e0"),
        (ALL_TYPES, "6e65b86363953b780d92b0a928f3e8fcdd10db36"),
    ],
)
def test_snapshots(branches: dict[bytes, Target | None], expected: str) -> None:
    """The four of swh.model's and the OCaml package's tests."""
    assert swhid.snapshot(branches) == f"swh:1:snp:{expected}"


def test_branches_of_a_repository(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    first = commit(repo, {b"a": b"a"})
    git(repo, "tag", "-a", "v1", "-m", "one", first)
    git(repo, "tag", "light", first)
    git(repo, "update-ref", f"refs/kept/{first}", first)
    assert swhid.branches_of(Git(repo)) == {
        b"HEAD": Target("alias", b"refs/heads/main"),
        b"refs/heads/main": Target("revision", first),
        b"refs/tags/light": Target("revision", first),
        b"refs/tags/v1": Target("release", git(repo, "rev-parse", "v1")),
    }
    git(repo, "symbolic-ref", "HEAD", "refs/heads/none")
    assert swhid.branches_of(Git(repo))[b"HEAD"] is None
    git(repo, "update-ref", "--no-deref", "HEAD", first)
    assert swhid.branches_of(Git(repo))[b"HEAD"] == Target("revision", first)


def test_equal_to_gits_ids(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    head = commit(repo, {b"a.b": b"", b"a/x": b"", b"a0": b"", b"deep/er/file": b"text\n"})
    git(repo, "tag", "-a", "v1", "-m", "one", head)
    with Objects(repo) as objects:
        assert swhid.revision(objects.read(head)[1]) == f"swh:1:rev:{head}"
        tag = git(repo, "rev-parse", "v1")
        assert swhid.release(objects.read(tag)[1]) == f"swh:1:rel:{tag}"


def test_ids_of_a_sha256_repository_are_refused() -> None:
    with pytest.raises(ValueError, match="sha256"):
        swhid.from_git("tree", "0" * 64)
    with pytest.raises(ValueError, match="no sha1 id"):
        swhid.snapshot({b"a": Target("revision", "0" * 64)})
    with pytest.raises(ValueError, match="not an object id"):
        swhid.from_git("blob", "HEAD")


@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name),
        st.none() | st.binary(min_size=20, max_size=20),
        max_size=6,
    )
)
def test_snapshots_equal_swh_model(targets: dict[bytes, bytes | None]) -> None:
    model = pytest.importorskip("swh.model.model", reason="swh.model is a check from outside, not a dependency")
    objects = importlib.import_module("swh.model.git_objects")
    branches = {
        name: None if oid is None else model.SnapshotBranch(target=oid, target_type=model.SnapshotTargetType.REVISION)
        for name, oid in targets.items()
    }
    expected = model.Snapshot(branches=branches)
    assert objects.snapshot_git_object(expected).startswith(b"snapshot ")
    mine = {name: None if oid is None else Target("revision", oid.hex()) for name, oid in targets.items()}
    assert swhid.snapshot(mine) == f"swh:1:snp:{expected.id.hex()}"
