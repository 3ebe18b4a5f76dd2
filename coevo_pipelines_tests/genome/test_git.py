"""git as a tool: nothing of the caller's or the repository's settings gets through, and streams end as they should."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
import zlib
from itertools import islice
from pathlib import Path

import pytest

from coevo_pipelines.genome.git import CHUNK, Git, GitError, Objects, git_folder, object_id
from coevo_pipelines_tests.genome.repositories import BASE, blob, commit, git, loose, make, put_loose


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make(tmp_path / "r.git")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_ids_equal_gits(tmp_path: Path, algorithm: str) -> None:
    repo = make(tmp_path / "r.git", algorithm)
    head = commit(repo, {b"a": b"text\r\n"})
    with Objects(repo) as objects:
        for oid in (head, git(repo, "rev-parse", f"{head}^{{tree}}"), blob(repo, b"text\r\n")):
            kind, data = objects.read(oid)
            assert object_id(kind, data, algorithm) == oid


def test_the_callers_git_variables_do_not_reach_git(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = make(tmp_path / "other.git")
    head = commit(repo, {b"a": b"a"})
    config = tmp_path / "config"
    config.write_text("[core]\n\tpager = false\n[user]\n\tname = Config\n")
    for name, value in {
        "GIT_DIR": str(other),
        "GIT_OBJECT_DIRECTORY": str(other / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other / "objects"),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Counted",
        "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_EXEC_PATH": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    reading = Git(repo)
    assert reading.resolve("main") == head
    assert reading.ask("config", "--get", "user.name", accept=(0, 1)).status == 1
    assert reading._environment["GIT_ALLOW_PROTOCOL"] == ""


def test_replace_refs_and_grafts_are_not_followed(repo: Path) -> None:
    first = commit(repo, {b"a": b"a"})
    second = commit(repo, {b"a": b"b"}, [first])
    git(repo, "replace", second, commit(repo, {b"a": b"evil"}, ref=None))
    (repo / "info").mkdir(exist_ok=True)
    (repo / "info" / "grafts").write_text(f"{second}\n")
    assert git(repo, "rev-list", "--count", second) == "1"  # what an unguarded git says
    assert Git(repo).run("rev-list", "--count", second) == b"2\n"
    with Objects(repo) as objects:
        assert first.encode() in objects.read(second)[1]


def test_a_partial_clone_runs_nothing(repo: Path, tmp_path: Path) -> None:
    """Its configuration names the command that fetches what is missing; `ext` even allows itself."""
    touched = tmp_path / "touched"
    script = tmp_path / "serve"
    script.write_text(f"#!/bin/sh\ntouch {touched}\n")
    script.chmod(0o755)
    head = commit(repo, {b"a": b"a"})
    oid = blob(repo, b"a")
    loose(repo, oid).unlink()
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(tmp_path),
        "remote.origin.uploadpack": str(script),
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
        "protocol.file.allow": "always",
    }.items():
        git(repo, "config", name, value)
    with Objects(repo) as objects, pytest.raises(GitError, match=oid):
        objects.read(oid)
    with pytest.raises(GitError):
        Git(repo).run("cat-file", "-p", f"{head}:a")
    assert not touched.exists()
    subprocess.run(["git", "-C", repo, "cat-file", "-p", oid], check=False, capture_output=True, env=BASE)
    assert touched.exists()  # what an unguarded git does


def test_no_protocol_for_reading_whatever_the_repository_allows(repo: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    git(repo, "config", "protocol.ext.allow", "always")
    git(repo, "config", "protocol.allow", "always")
    for protocols in ((), ("https", "file")):
        with pytest.raises(GitError, match="transport 'ext' not allowed"):
            Git(repo, protocols).run("ls-remote", f"ext::touch {touched}")
    with pytest.raises(GitError, match="transport 'file' not allowed"):
        Git(repo).run("ls-remote", str(repo))
    assert not touched.exists()
    subprocess.run(
        ["git", "-C", repo, "ls-remote", f"ext::touch {touched}"], check=False, env=BASE, capture_output=True
    )
    assert touched.exists()  # what an unguarded git does


def test_no_hooks_and_no_monitor(repo: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    hook = repo / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {touched}\n")
    hook.chmod(0o755)
    head = commit(repo, {b"a": b"a"}, ref=None)
    Git(repo).run("update-ref", "refs/heads/new", head)
    assert not touched.exists()
    git(repo, "update-ref", "refs/heads/newer", head)
    assert touched.exists()  # the hook would have run


def test_a_damaged_mirror_is_not_the_repository_around_it(tmp_path: Path) -> None:
    around = tmp_path / "around"
    make(around / ".git")
    head = commit(around / ".git", {b"a": b"a"})
    inner = make(around / "mirrors" / "m.git")
    (inner / "HEAD").unlink()
    with pytest.raises(GitError, match=r"m\.git"):
        Git(inner).run("cat-file", "-t", head)


def test_checkouts_and_worktrees(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    git(checkout, "init", "--quiet", "--initial-branch=main")
    (checkout / "a").write_text("a")
    git(checkout, "add", "a")
    git(checkout, "commit", "--quiet", "-m", "a")
    git(checkout, "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "side")
    assert git_folder(checkout) == checkout / ".git"
    assert git_folder(tmp_path / "tree") == checkout / ".git"
    assert Git(tmp_path / "tree").resolve("side") == git(checkout, "rev-parse", "main")


def test_errors_say_where_what_and_why(repo: Path) -> None:
    with pytest.raises(GitError) as caught:
        Git(repo).run("rev-parse", "--verify", "nothing")
    for part in (str(repo), "rev-parse --verify nothing", "status 128", "Needed a single revision"):
        assert part in str(caught.value)
    assert Git(repo).resolve("nothing") is None
    assert Git(repo).resolve("--all") is None


def test_a_command_that_takes_too_long_is_ended_with_its_children(repo: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    started = time.monotonic()
    with pytest.raises(GitError, match=r"no end after 0\.5 s") as caught:
        Git(repo).run("-c", f"alias.wait=!sleep 3; touch {mark}", "wait", timeout=0.5)
    assert caught.value.timed_out
    assert time.monotonic() - started < 2.5
    time.sleep(3)
    assert not mark.exists()


def test_git_that_is_not_there(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="not installed"):
        Git(repo).run("version")


def many(repo: Path, count: int, size: int) -> dict[str, bytes]:
    """`count` blobs, in one pack, each of `size` bytes that compress badly."""
    data = [hashlib.shake_128(b"%d" % number).digest(size) for number in range(count)]
    stream = b"".join(b"blob\ndata %d\n%s\n" % (size, text) for text in data)
    git(repo, "fast-import", "--quiet", stdin=stream)
    return {object_id("blob", text): text for text in data}


def test_thousands_of_objects_in_any_order(repo: Path) -> None:
    """More than any pipe holds, both ways."""
    expected = many(repo, 6000, 700)
    order = sorted(expected)
    order += order[:50]
    with Objects(repo) as objects:
        assert [(oid, expected[oid]) for oid in order] == list(objects.blobs(order))
        assert [(oid, "blob", 700) for oid in order] == list(objects.sizes(iter(order)))
        assert [(oid, "blob", expected[oid]) for oid in order] == list(objects.read_many(iter(order)))


def test_stopping_early_leaves_nothing_behind(repo: Path) -> None:
    expected = many(repo, 500, 5000)
    order = sorted(expected)
    with Objects(repo) as objects:
        assert [oid for oid, _ in islice(objects.blobs(order), 3)] == order[:3]
        rows = objects.read_many(order)
        assert next(rows)[0] == order[0]
        rows.close()  # type: ignore[attr-defined]
        assert objects.read(order[7]) == ("blob", expected[order[7]])  # not an answer to what was asked before
    with Git(repo).lines("cat-file", "--batch-all-objects", "--batch-check") as lines:
        assert next(lines)


def test_a_missing_object_is_named_and_the_next_one_is_read(repo: Path) -> None:
    here, gone = blob(repo, b"here"), "1" * 40
    with Objects(repo) as objects:
        for read in (objects.read, objects.hashed):
            with pytest.raises(GitError, match=f"object {gone}.*missing") as caught:
                read(gone)
            assert caught.value.oid == gone
            assert objects.read(here) == ("blob", b"here")
        for stream in (objects.blobs, objects.sizes):
            with pytest.raises(GitError, match=f"object {gone}.*missing"):
                list(stream([here, gone, here]))
        with pytest.raises(GitError, match=gone):
            list(objects.read_many([here, gone, here]))
        assert objects.read(here) == ("blob", b"here")


def test_a_cut_off_object_is_named(repo: Path) -> None:
    here = blob(repo, b"here")
    oid = blob(repo, os.urandom(200_000))
    whole = loose(repo, oid).read_bytes()
    loose(repo, oid).write_bytes(whole[: len(whole) // 2])
    with Objects(repo) as objects:
        for _ in range(2):
            with pytest.raises(GitError, match=oid):
                objects.read(oid)
            with pytest.raises(GitError, match=oid):
                objects.hashed(oid)
            with pytest.raises(GitError, match=oid):
                list(objects.blobs([here, oid]))
            assert objects.read(here) == ("blob", b"here")


def test_names_are_no_ids(repo: Path) -> None:
    commit(repo, {b"a": b"a"})
    with Objects(repo) as objects:
        for name in ("HEAD", "main:a", "-" * 40, "a" * 39, "A" * 40, f"{'a' * 40}\n"):
            with pytest.raises(ValueError, match="not an object id"):
                objects.read(name)


def test_blobs_takes_blobs_only(repo: Path) -> None:
    head = commit(repo, {b"a": b"a"})
    with Objects(repo) as objects, pytest.raises(GitError, match="is a commit, not a blob"):
        list(objects.blobs([head]))


@pytest.mark.parametrize("size", [0, 1, CHUNK, 3 * CHUNK + 5])
def test_hashed_in_chunks(repo: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    oid = blob(repo, data)
    with Objects(repo) as objects:
        found = objects.hashed(oid, head=100)
        assert (found.asked, found.oid, found.size) == (oid, oid, size)
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        assert found.head == data[:100]
        assert objects.read(oid) == ("blob", data)


def test_a_bomb_is_hashed_without_being_held(repo: Path) -> None:
    """300 MB of zeros, 300 kB stored."""
    import resource

    size = 300 << 20
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    squeeze = zlib.compressobj()
    parts = [squeeze.compress(b"blob %d\0" % size)]
    for _ in range(300):
        digest.update(bytes(CHUNK))
        parts.append(squeeze.compress(bytes(CHUNK)))
    parts.append(squeeze.flush())
    oid = digest.hexdigest()
    path = repo / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir()
    path.write_bytes(b"".join(parts))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Objects(repo) as objects:
        assert next(iter(objects.sizes([oid]))) == (oid, "blob", size)
        found = objects.hashed(oid)
    assert (found.oid, found.size) == (oid, size)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_hashed_finds_other_bytes_under_an_id(repo: Path) -> None:
    oid = blob(repo, b"true")
    put_loose(repo, oid, "blob", b"evil")
    with Objects(repo) as objects:
        assert objects.hashed(oid).oid == object_id("blob", b"evil")
