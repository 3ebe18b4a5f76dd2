"""The four levels on repositories that were damaged for real, each in one way."""

from __future__ import annotations

import hashlib
import random
import zlib
from pathlib import Path

import pytest

from coevo_pipelines.genome import audit as module
from coevo_pipelines.genome.audit import Audit, Content, Level, audit
from coevo_pipelines.genome.git import Git, Objects
from coevo_pipelines.genome.trees import Limits
from coevo_pipelines_tests.genome.repositories import (
    FIRST_DATE,
    blob,
    commit,
    commit_tree,
    flip,
    git,
    loose,
    make,
    nested,
    put_loose,
    raw,
    tree,
)

FILES: dict[bytes, bytes | tuple[str, str]] = {
    b"README": b"read me\n",
    b"a.b": b"",
    b"a/x": b"x\n",
    b"a/deep/er": b"deeper\n",
    b"copy": b"x\n",
    b"m": ("160000", "1" * 40),
}
BLOBS = 4
TREES = 3


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make(tmp_path / "r.git")


def statuses(found: Audit) -> list[str]:
    return [level.status for level in found.levels]


def everything(level: Level) -> str:
    return "\n".join(f"{d.object} {d.path} {d.found} {d.expected}" for d in level.differences)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_sound_repository_passes(tmp_path: Path, algorithm: str, packed: bool) -> None:
    repo = make(tmp_path / "r.git", algorithm)
    files = FILES | {b"m": ("160000", "1" * (40 if algorithm == "sha1" else 64))}
    first = commit(repo, {b"old": b"old\n"})
    head = commit(repo, files, [first])
    if packed:
        git(repo, "repack", "-adq")
    found = audit(repo, head, head)
    assert statuses(found) == ["passed"] * 4, found.levels
    # Two commits, a tree of the first, and its file, which is in no tree of the second.
    assert [level.checked for level in found.levels] == [1, BLOBS + TREES + 4, BLOBS, TREES]
    assert found.passed
    assert found.contents[blob(repo, b"x\n")] == Content(2, hashlib.sha256(b"x\n").hexdigest())
    assert len(found.contents) == BLOBS
    assert found.tree == git(repo, "rev-parse", f"{head}^{{tree}}")
    assert statuses(audit(repo, head)) == ["not_run", "passed", "passed", "passed"]
    assert audit(repo, head).passed


def test_blobs_larger_than_are_held(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD", 3)
    head = commit(repo, FILES)
    whole = audit(repo, head)
    assert whole.passed
    assert whole.contents[blob(repo, b"deeper\n")].sha256 == hashlib.sha256(b"deeper\n").hexdigest()
    put_loose(repo, blob(repo, b"deeper\n"), "blob", b"dooper\n")
    assert statuses(audit(repo, head)) == ["not_run", "failed", "failed", "failed"]


@pytest.mark.parametrize("data", [b"x\n", b"deeper\n", b""])
def test_a_missing_blob(repo: Path, data: bytes) -> None:
    head = commit(repo, FILES)
    oid = blob(repo, data)
    loose(repo, oid).unlink()
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "failed", "failed"]
    for level in found.levels[1:]:
        assert oid in everything(level)
    (difference,) = found.levels[2].differences
    path = next(path for path, value in FILES.items() if value == data).decode()
    assert (difference.object, difference.path) == (oid, path)
    assert not found.passed


def test_a_missing_tree_and_a_missing_commit(repo: Path) -> None:
    first = commit(repo, {b"a": b"a"})
    head = commit(repo, FILES, [first])
    inner = git(repo, "rev-parse", f"{head}:a/deep")
    content = loose(repo, inner).read_bytes()
    loose(repo, inner).unlink()
    found = audit(repo, head, head)
    assert statuses(found)[1::2] == ["failed", "failed"]
    assert (found.levels[3].differences[0].object, found.levels[3].differences[0].path) == (inner, "a/deep")
    assert found.levels[3].differences[1].path == "a"
    loose_path = repo / "objects" / inner[:2] / inner[2:]
    loose_path.write_bytes(content)
    assert audit(repo, head, head).passed
    loose(repo, first).unlink()
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "passed", "passed"]
    assert first in everything(found.levels[1])
    loose(repo, head).unlink()
    assert statuses(audit(repo, head, head)) == ["failed", "not_run", "not_run", "not_run"]


def test_other_content_under_a_blobs_id(repo: Path) -> None:
    """The object is well formed; only its bytes are another file's."""
    head = commit(repo, FILES)
    oid = blob(repo, b"deeper\n")
    put_loose(repo, oid, "blob", b"dooper\n")
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "failed", "failed"]
    (difference,) = found.levels[2].differences
    assert (difference.object, difference.path, difference.expected) == (oid, "a/deep/er", oid)
    assert [d.path for d in found.levels[3].differences] == ["a/deep", "a", ""]
    assert oid not in found.contents


def test_another_tree_under_a_trees_id(repo: Path) -> None:
    head = commit(repo, FILES)
    inner = git(repo, "rev-parse", f"{head}:a/deep")
    with Objects(repo) as objects:
        _, other = objects.read(nested(repo, {b"er": b"x\n"}))
    put_loose(repo, inner, "tree", other)
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "passed", "failed"]
    assert [d.path for d in found.levels[3].differences] == ["a/deep", "a", ""]
    assert found.levels[3].differences[0].expected == inner


def test_a_tree_that_contains_itself(repo: Path) -> None:
    """Possible only with bytes under a name that is not theirs; nothing may hang."""
    head = commit(repo, FILES)
    inner = git(repo, "rev-parse", f"{head}:a/deep")
    root = git(repo, "rev-parse", f"{head}^{{tree}}")
    put_loose(repo, inner, "tree", b"40000 up\0" + bytes.fromhex(root))
    found = audit(repo, head, head)
    assert statuses(found)[3] == "failed"
    assert inner in everything(found.levels[3])


def test_another_commit_under_the_commits_id(repo: Path) -> None:
    head = commit(repo, FILES)
    other = commit(repo, {b"a": b"evil"}, ref=None)
    with Objects(repo) as objects:
        put_loose(repo, head, "commit", objects.read(other)[1])
    found = audit(repo, head, head)
    assert statuses(found)[:2] == ["failed", "failed"]
    assert f"bytes of {other}" in everything(found.levels[0])


def test_a_blob_where_a_tree_should_be_and_the_other_way_round(repo: Path) -> None:
    file, inner = blob(repo, b"x"), nested(repo, {b"f": b"f"})
    lying = tree(repo, [("100644", b"file", inner), ("40000", b"folder", file)])
    found = audit(repo, commit_tree(repo, lying))
    assert statuses(found) == ["not_run", "failed", "failed", "failed"]
    assert [(d.object, d.path, d.found) for d in found.levels[2].differences] == [(inner, "file", "a tree")]
    assert (file, "folder", "a blob") in [(d.object, d.path, d.found) for d in found.levels[3].differences]


def objects_of(repo: Path, head: str) -> list[str]:
    return [line.split()[0] for line in git(repo, "rev-list", "--objects", head).splitlines()]


def test_any_flipped_bit_of_a_loose_object(repo: Path) -> None:
    """All bits of a blob's file, and some of the others'. A flip that passes is one of the unused bits that end the
    compressed stream: what it stands for is the same."""
    head = commit(repo, {b"a/f": b"text\n"})
    some = random.Random(1)
    unseen = tried = 0
    for oid in objects_of(repo, head):
        path = loose(repo, oid)
        whole = path.read_bytes()
        size = len(whole) * 8
        for bit in [*some.sample(range(size), 12), *range(size - 40, size - 30)]:
            flip(path, bit)
            found = audit(repo, head, head)
            tried += 1
            if found.passed:
                assert zlib.decompress(path.read_bytes()) == zlib.decompress(whole)
                unseen += 1
            else:
                assert oid in "\n".join(map(everything, found.levels))
            path.write_bytes(whole)
    assert unseen <= 7 * len(objects_of(repo, head)) < tried
    assert audit(repo, head, head).passed


@pytest.mark.parametrize("suffix", ["pack", "idx"])
def test_any_flipped_bit_of_a_pack(repo: Path, suffix: str) -> None:
    head = commit(repo, FILES, [commit(repo, FILES | {b"README": b"read\n" * 90})])
    git(repo, "repack", "-adfq")
    git(repo, "prune-packed")
    (path,) = (repo / "objects" / "pack").glob(f"*.{suffix}")
    whole = path.read_bytes()
    for bit in random.Random(2).sample(range(len(whole) * 8), 40):
        flip(path, bit)
        found = audit(repo, head, head)
        assert not found.passed, bit
        differences = [difference for level in found.levels for difference in level.differences]
        assert differences
        assert all(difference.object for difference in differences)
        path.write_bytes(whole)
    assert audit(repo, head, head).passed


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_pack(repo: Path, part: float) -> None:
    head = commit(repo, FILES)
    git(repo, "repack", "-adq")
    git(repo, "prune-packed")
    (path,) = (repo / "objects" / "pack").glob("*.pack")
    path.chmod(0o644)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    found = audit(repo, head, head)
    assert "failed" in statuses(found)
    assert not found.passed


def test_damage_that_the_commit_does_not_reach_fails_the_store_only(repo: Path) -> None:
    head = commit(repo, FILES)
    stray = blob(repo, b"stray\n")
    put_loose(repo, stray, "blob", b"changed\n")
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "passed", "passed"]
    assert [difference.object for difference in found.levels[1].differences] == [stray]


def test_a_malformed_object_counts_where_it_is_reached(repo: Path) -> None:
    head = commit(repo, FILES)
    evil = tree(repo, [("100644", b".git", blob(repo, b"x"))])
    assert audit(repo, head, head).passed
    bad = commit_tree(repo, evil, [head])
    found = audit(repo, bad, bad)
    assert statuses(found) == ["passed", "failed", "failed", "failed"]
    assert evil in everything(found.levels[1])
    assert evil in everything(found.levels[3])


def test_old_forms_pass(repo: Path) -> None:
    """What git's own history and many others hold: fsck complains of them by default."""
    root = nested(repo, FILES)
    person = b"A <a@example.org> 1553472000 +051800"
    head = raw(repo, "commit", b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (root.encode(), person, person))
    assert audit(repo, head, head).passed


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("info/grafts", "{first}\n", "grafts"),
        ("objects/info/alternates", "{other}/objects\n", "alternates"),
        ("objects/info/http-alternates", "http://127.0.0.1/objects\n", "alternates"),
        ("shallow", "{first}\n", "shallow"),
        ("objects/pack/pack-1.promisor", "", "partial clone"),
    ],
)
def test_what_shows_other_objects(repo: Path, tmp_path: Path, name: str, text: str, says: str) -> None:
    other = make(tmp_path / "other.git")
    first = commit(repo, {b"a": b"a"})
    head = commit(repo, FILES, [first])
    assert audit(repo, head, head).passed
    file = repo / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text.format(first=first, other=other))
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "passed", "passed"]
    assert any(difference.object in name and says in difference.found for difference in found.levels[1].differences)
    assert audit(repo, head, head, shallow=True).passed == (name == "shallow")


def test_a_replace_ref(repo: Path) -> None:
    head = commit(repo, FILES)
    git(repo, "replace", head, commit(repo, {b"a": b"evil"}, ref=None))
    found = audit(repo, head, head)
    assert statuses(found) == ["passed", "failed", "passed", "passed"]
    assert [(d.object, "replace ref" in d.found) for d in found.levels[1].differences] == [(head, True)]


def test_behind_ahead_and_another_history(repo: Path) -> None:
    first = commit(repo, FILES)
    second = commit(repo, FILES | {b"new": b""}, [first])
    other = commit(repo, FILES, seconds=FIRST_DATE + 1, ref="refs/heads/other")
    for ours, theirs, says in (
        (first, second, f"behind the remote's {second}"),
        (second, first, f"ahead of the remote's {first}"),
        (second, other, f"another history than the remote's {other}"),
        (second, "2" * 40, "which is not here"),
    ):
        found = audit(repo, ours, theirs)
        assert statuses(found) == ["failed", "passed", "passed", "passed"]
        (difference,) = found.levels[0].differences
        assert (difference.object, difference.expected) == (ours, theirs)
        assert says in difference.found


def test_a_past_day_lies_on_the_recorded_line(repo: Path) -> None:
    first = commit(repo, FILES)
    side = commit(repo, FILES | {b"side": b""}, [first], ref=None)
    merge = commit(repo, FILES | {b"side": b""}, [first, side], FIRST_DATE + 5)
    assert audit(repo, first, merge, past=True).passed
    assert audit(repo, merge, merge, past=True).passed
    for ours, theirs in ((side, merge), (merge, first)):
        found = audit(repo, ours, theirs, past=True)
        assert found.levels[0].status == "failed"
        assert "a commit of the line" in found.levels[0].differences[0].expected


def test_nothing_to_check_does_not_pass(repo: Path) -> None:
    empty = commit_tree(repo, tree(repo, []))
    found = audit(repo, empty, empty)
    assert statuses(found) == ["passed", "passed", "failed", "passed"]
    assert "no file" in everything(found.levels[2])
    assert not found.passed


def test_what_is_no_commit(repo: Path) -> None:
    head = commit(repo, FILES)
    for oid in (git(repo, "rev-parse", f"{head}^{{tree}}"), "3" * 40):
        found = audit(repo, oid, oid)
        assert statuses(found) == ["failed", "not_run", "not_run", "not_run"]
        assert found.levels[0].differences[0].object == oid
    with pytest.raises(ValueError, match="not an object id"):
        audit(repo, "main")


def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    found = audit(tmp_path / "none", "1" * 40)
    assert statuses(found)[0] == "failed"
    assert "not a git repository" in everything(found.levels[0])


def test_git_that_hangs_is_a_failed_level(repo: Path) -> None:
    found = audit(repo, commit(repo, FILES), timeout=-1)  # over before git can end, however fast it is
    assert found.levels[1].status == "failed"
    assert "no end after" in everything(found.levels[1])


def test_bombs_end_at_the_limits(repo: Path) -> None:
    oid = tree(repo, [("100644", b"f", blob(repo, b"x"))])
    for _ in range(30):
        oid = tree(repo, [("40000", b"%d" % number, oid) for number in range(10)])
    head = commit_tree(repo, oid)
    found = audit(repo, head)  # 31 objects that stand for 10^30 files
    assert statuses(found) == ["not_run", "passed", "failed", "failed"]
    assert "more than 1000000 entries" in everything(found.levels[2])
    deep = audit(repo, head, limits=Limits(depth=20))
    assert statuses(deep) == ["not_run", "passed", "failed", "failed"]
    assert "more than 20 levels" in everything(deep.levels[3])
    wide = audit(repo, head, limits=Limits(entries=100))
    assert wide.levels[3].status == "failed"
    assert "more than 100 entries" in everything(wide.levels[3])


def test_levels_are_counted_along_the_longest_way(repo: Path) -> None:
    """A tree met near the root may also lie deep."""
    low = tree(repo, [("100644", b"f", blob(repo, b"x"))])
    for _ in range(15):
        low = tree(repo, [("40000", b"d", low)])
    high = low
    for _ in range(10):
        high = tree(repo, [("40000", b"d", high)])
    head = commit_tree(repo, tree(repo, [("40000", b"high", high), ("40000", b"low", low)]))
    assert audit(repo, head, limits=Limits(depth=27)).passed
    found = audit(repo, head, limits=Limits(depth=26))
    assert statuses(found) == ["not_run", "passed", "failed", "failed"]
    assert "27 levels" in everything(found.levels[3])


def test_a_store_beyond_use_is_given_up(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DAMAGED", 3)
    files = {b"%d" % number: b"%d" % number for number in range(8)}
    head = commit(repo, files)
    for data in list(files.values())[:5]:
        loose(repo, blob(repo, data)).unlink()
    found = audit(repo, head)
    assert found.levels[2].status == "failed"
    assert found.levels[2].checked == 8
    assert sum("not read: 3 others" in d.found for d in found.levels[2].differences) == 5


def test_hostile_names_are_reported_in_one_line(repo: Path) -> None:
    file = blob(repo, b"x")
    for name in (b"..", b"/etc/passwd", b"a/../../b", b".git", b"."):
        evil = commit_tree(repo, tree(repo, [("100644", name, file)]))
        found = audit(repo, evil)
        assert found.levels[1].status == "failed", name
        assert found.levels[3].status == "failed", name
    twins = commit(repo, {b"A": b"1", b"a": b"2", b"new\nline": b"3", b"\xff": b"4", b"out": ("120000", file)})
    assert audit(repo, twins).passed
    gone = blob(repo, b"4")
    loose(repo, gone).unlink()
    assert audit(repo, twins).levels[2].differences[0].path == "\\xff"


def test_a_git_of_its_own(repo: Path) -> None:
    assert audit(Git(repo), commit(repo, FILES)).passed
