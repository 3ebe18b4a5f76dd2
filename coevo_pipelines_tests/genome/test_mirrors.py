"""Mirrors of real remotes: folders, file URLs and HTTP on 127.0.0.1, that move, are rewritten, hang and vanish."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.genome import mirrors
from coevo_pipelines.genome.audit import audit
from coevo_pipelines.genome.git import Git, GitError
from coevo_pipelines.genome.mirrors import (
    Kept,
    Mirror,
    fetch,
    first_seen,
    is_gone,
    is_marked,
    is_shallow,
    last_tip,
    mark_damaged,
    seen,
)
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, blob, commit, commit_tree, flip, git, make, tree

NOW = datetime(2019, 3, 27, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return make(tmp_path / "remote" / "r.git")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


def refs(mirror: Mirror, *prefixes: str) -> dict[str, str]:
    return Git(mirror.path).refs(*(prefixes or ("refs/heads/", "refs/tags/")))


@pytest.mark.parametrize("form", ["{}", "file://{}"])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_branches_tags_and_head(tmp_path: Path, folder: Path, form: str, algorithm: str) -> None:
    remote = make(tmp_path / "remote" / "r.git", algorithm)
    head = commit(remote, {b"a": b"a"})
    side = commit(remote, {b"a": b"b"}, [head], ref="refs/heads/side/way")
    git(remote, "tag", "-a", "v1", "-m", "one", side)
    git(remote, "update-ref", "refs/pull/1/head", head)
    git(remote, "update-ref", "refs/replace/" + head, side)
    mirror = fetch(form.format(remote), folder, at=NOW)
    assert (mirror.status, mirror.head, mirror.commit, mirror.kept) == ("fetched", "refs/heads/main", head, ())
    assert mirror.changed == 3
    assert refs(mirror) == {
        "refs/heads/main": head,
        "refs/heads/side/way": side,
        "refs/tags/v1": git(remote, "rev-parse", "v1"),
    }
    assert git(mirror.path, "rev-parse", "HEAD") == head
    assert not list(mirror.path.glob("objects/[0-9a-f][0-9a-f]"))  # packs only
    assert not Git(mirror.path).refs("refs/replace/", "refs/pull/")
    assert audit(mirror.path, head, head).passed
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        mirror.path.name.removesuffix("git") + suffix for suffix in ("git", "jsonl", "lock")
    )


def test_incremental(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    mirror = fetch(str(remote), folder, at=NOW)
    packs = set(mirror.path.glob("objects/pack/*.pack"))
    again = fetch(str(remote), folder, at=NOW + DAY)
    assert (again.path, again.changed, again.commit) == (mirror.path, 0, first)
    assert set(mirror.path.glob("objects/pack/*.pack")) == packs
    second = commit(remote, {b"a": b"b"}, [first])
    moved = fetch(str(remote), folder, at=NOW + 2 * DAY)
    assert (moved.changed, moved.commit, moved.kept) == (1, second, ())
    (new,) = set(mirror.path.glob("objects/pack/*.pack")) - packs
    assert len(git(mirror.path, "verify-pack", "-v", str(new.with_suffix(".idx"))).splitlines()) < 8  # three objects
    assert audit(mirror.path, second, second).passed


def test_a_force_push_keeps_what_was_there(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    lost = commit(remote, {b"a": b"b"}, [first])
    git(remote, "tag", "v1", lost)
    fetch(str(remote), folder, at=NOW)
    new = commit(remote, {b"a": b"c"}, [first])
    git(remote, "tag", "--force", "v1", new)
    git(remote, "reflog", "expire", "--expire=now", "--all")
    git(remote, "gc", "--quiet", "--prune=now")
    mirror = fetch(str(remote), folder, at=NOW + DAY)
    assert mirror.status == "fetched"
    assert set(mirror.kept) == {
        Kept("refs/heads/main", lost, new, "forced"),
        Kept("refs/tags/v1", lost, new, "forced"),
    }
    assert refs(mirror, "refs/kept/") == {f"refs/kept/{lost}": lost}
    assert mirror.commit == new
    git(mirror.path, "gc", "--quiet", "--prune=now")
    assert audit(mirror.path, lost).passed
    assert fetch(str(remote), folder, at=NOW + 2 * DAY).kept == ()


def test_deleted_refs_are_kept_and_may_make_room(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    side = commit(remote, {b"a": b"b"}, [first], ref="refs/heads/side")
    git(remote, "tag", "-a", "v1", "-m", "one", side)
    tag = git(remote, "rev-parse", "v1")
    fetch(str(remote), folder, at=NOW)
    git(remote, "branch", "-D", "side")
    git(remote, "tag", "-d", "v1")
    below = commit(remote, {b"a": b"c"}, [first], ref="refs/heads/side/below")
    mirror = fetch(str(remote), folder, at=NOW + DAY)
    assert set(mirror.kept) == {
        Kept("refs/heads/side", side, None, "deleted"),
        Kept("refs/tags/v1", tag, None, "deleted"),
    }
    assert refs(mirror) == {"refs/heads/main": first, "refs/heads/side/below": below}
    assert refs(mirror, "refs/kept/") == {f"refs/kept/{oid}": oid for oid in sorted((side, tag))}


def test_a_remote_that_is_gone_keeps_the_mirror(remote: Path, folder: Path) -> None:
    head = commit(remote, {b"a": b"a"})
    mirror = fetch(str(remote), folder, at=NOW)
    shutil.rmtree(remote)
    gone = fetch(str(remote), folder, at=NOW + DAY)
    assert (gone.status, gone.head, gone.commit) == ("gone", "refs/heads/main", head)
    assert gone.error == f"the remote is gone: '{remote}' does not appear to be a git repository"
    assert audit(mirror.path, head, head).passed
    assert [row.status for row in seen(mirror.path)] == ["fetched", "gone"]
    make(remote)
    emptied = fetch(str(remote), folder, at=NOW + 2 * DAY)
    assert (emptied.status, emptied.head, emptied.commit) == ("fetched", None, None)
    assert emptied.kept == (Kept("refs/heads/main", head, None, "deleted"),)
    assert audit(mirror.path, head).passed


def test_heads_that_lead_elsewhere(remote: Path, folder: Path) -> None:
    assert fetch(str(remote), folder, at=NOW).commit is None  # nothing in it yet
    first = commit(remote, {b"a": b"a"})
    second = commit(remote, {b"a": b"b"}, [first], ref="refs/heads/trunk")
    git(remote, "symbolic-ref", "HEAD", "refs/heads/trunk")
    mirror = fetch(str(remote), folder, at=NOW)
    assert (mirror.head, mirror.commit) == ("refs/heads/trunk", second)
    git(remote, "update-ref", "--no-deref", "HEAD", first)
    mirror = fetch(str(remote), folder, at=NOW)
    assert (mirror.head, mirror.commit) == (None, first)
    assert git(mirror.path, "rev-parse", "HEAD") == first
    git(remote, "symbolic-ref", "HEAD", "refs/heads/none")
    assert fetch(str(remote), folder, at=NOW).commit is None


def test_a_shallow_mirror(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    second = commit(remote, {b"a": b"b"}, [first])
    mirror = fetch(str(remote), folder, at=NOW, depth=1)
    assert Git(mirror.path).run("rev-list", "--count", second) == b"1\n"
    assert audit(mirror.path, second, second, shallow=True).passed
    assert audit(mirror.path, second, second).levels[1].status == "failed"
    third = commit(remote, {b"a": b"c"}, [second])
    mirror = fetch(str(remote), folder, at=NOW + DAY, depth=1)
    assert mirror.kept == (Kept("refs/heads/main", second, third, "replaced"),)
    for oid in (second, third):
        assert audit(mirror.path, oid, shallow=True).passed


def test_the_record(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    mirror = fetch(str(remote), folder, at=NOW, depth=3)
    fetch(str(remote), folder, at=NOW + DAY)
    file = mirror.path.with_suffix(".jsonl")
    with file.open("ab") as stream:
        stream.write(b'{"at": "2019-03-29T0')  # a process killed while writing
    assert len(list(seen(mirror.path))) == 2
    second = commit(remote, {b"a": b"b"}, ref="refs/heads/main")
    fetch(str(remote), folder, at=NOW + 2 * DAY)
    rows = list(seen(mirror.path))
    assert [row.at for row in rows] == [NOW, NOW + DAY, NOW + 2 * DAY]
    assert [row.commit for row in rows] == [first, first, second]
    assert [row.refs for row in rows] == [{"refs/heads/main": oid} for oid in (first, first, second)]
    assert [json.loads(line)["refs"] is None for line in file.read_text().splitlines()] == [False, True, False]
    assert [row.depth for row in rows] == [3, None, None]
    assert [lost.old for lost in rows[2].kept] == [first]
    assert first_seen(mirror.path, NOW + 3 * DAY, NOW + 9 * DAY) is None
    assert first_seen(mirror.path, NOW - DAY, NOW - DAY) is None
    found = first_seen(mirror.path, NOW + timedelta(seconds=1), NOW + 9 * DAY)
    assert found is not None
    assert (found.at, found.commit) == (NOW + DAY, first)
    file.write_bytes(b"nonsense\n" + file.read_bytes())
    with pytest.raises(ValueError, match="line 1"):
        list(seen(mirror.path))
    with pytest.raises(ValueError, match="zone"):
        fetch(str(remote), folder, at=datetime(2019, 3, 25))  # noqa: DTZ001


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c touch% /tmp/x",
        "fd::17",
        "a::b",
        "::x",
        "EXT::sh",
        "ssh://host/x",
        "git@host:a/b",
        "host:a",
        "ftp://host/x",
        "rsync://host/x",
        "https://-host/x",
        "https://host/a\nb",
        "/tmp/a\0b",
        "",
    ],
)
def test_addresses_that_are_refused(folder: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"no address|not allowed|no host"):
        fetch(url, folder, at=NOW)
    assert not list(folder.glob("*")) if folder.exists() else True


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", ".x", "a b", "ä"])
def test_names_that_are_refused(remote: Path, folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a mirror"):
        fetch(str(remote), folder, at=NOW, name=name)


def test_allowed_addresses_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mirrors.checked("git@host:a/b", ssh=True) == "git@host:a/b"
    assert mirrors.checked("ssh://git@host/a", ssh=True) == "ssh://git@host/a"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd:name").mkdir()
    assert mirrors.checked("odd:name") == str(tmp_path / "odd:name")
    one, two = "https://github.com/Owner/Repo.git", "https://gitlab.com/Owner/Repo.git"
    assert mirrors.name_of(one).startswith("owner-repo-")
    assert mirrors.name_of(one) != mirrors.name_of(two)
    assert mirrors.name_of(f"/x/{'y' * 500}/../-z").isascii()
    assert mirrors.public("https://user:secret@host/x") == "https://host/x"
    assert mirrors.name_of("https://user:secret@host/x") == mirrors.name_of("https://host/x")


@contextmanager
def serving(handler: object) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def silent() -> Iterator[tuple[str, socket.socket]]:
    """A server that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/r.git", server


def test_over_http(remote: Path, folder: Path) -> None:
    head = commit(remote, {b"a": b"a"})
    git(remote, "update-server-info")
    with serving(partial(Quiet, directory=str(remote.parent))) as address:
        url = address.replace("//", "//user:secret@") + "/r.git"
        mirror = fetch(url, folder, at=NOW)
        assert (mirror.commit, mirror.url) == (head, f"{address}/r.git")
        remote.rename(remote.with_name("elsewhere.git"))
        gone = fetch(url, folder, at=NOW + DAY)
        assert gone.status == "gone"
        assert audit(mirror.path, head).passed
        with pytest.raises(GitError, match="no mirror made") as caught:
            fetch(f"{address}/none.git", folder, at=NOW)
        assert f"{address}/none.git" in str(caught.value)
    down = fetch(url, folder, at=NOW + 2 * DAY)
    assert (down.status, down.commit) == ("failed", head)
    for file in folder.glob("*.jsonl"):
        assert "secret" not in file.read_text()
    assert "secret" not in repr((mirror, gone, down))
    assert "secret" not in (mirror.path / "config").read_text()


def test_a_remote_that_hangs(remote: Path, folder: Path) -> None:
    with silent() as (url, _):
        started = time.monotonic()
        with pytest.raises(GitError, match="no mirror made: no answer within 1 s") as caught:
            fetch(url, folder, at=NOW, timeout=1)
        assert caught.value.timed_out
        assert time.monotonic() - started < 15
        assert not list(folder.glob("*.git"))
        assert not list(folder.glob(".*.git-*"))
        head = commit(remote, {b"a": b"a"})
        fetch(str(remote), folder, at=NOW, name="m")
        late = fetch(url, folder, at=NOW, name="m", timeout=1)
        assert (late.status, late.commit) == ("failed", head)


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from coevo_pipelines.genome.mirrors import fetch
fetch(sys.argv[1], Path(sys.argv[2]), at=datetime.now(UTC), name="m")
"""


def begin(url: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", KILLED, url, str(folder)], cwd=Path(__file__).parents[2])


def kill_while_fetching(folder: Path) -> None:
    """SIGKILL a process whose git waits for a remote."""
    with silent() as (url, server):
        process = begin(url, folder)
        server.settimeout(60)
        connection, _ = server.accept()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        connection.close()  # ends the git that outlived it


def test_a_killed_first_fetch_leaves_no_half_mirror(remote: Path, folder: Path) -> None:
    head = commit(remote, {b"a": b"a"})
    git(remote, "update-server-info")
    reached, over = threading.Event(), threading.Event()

    class Stalling(Quiet):
        def do_GET(self) -> None:
            if "/objects/" in self.path:
                reached.set()
                over.wait(60)
            super().do_GET()

    with serving(partial(Stalling, directory=str(remote.parent))) as address:
        process = begin(f"{address}/r.git", folder)
        assert reached.wait(60)
        process.kill()
        process.wait()
        over.set()
    assert not (folder / "m.git").exists()
    assert list(folder.glob(".m.git-*"))
    assert fetch(str(remote), folder, at=NOW, name="m").commit == head
    assert not list(folder.glob(".m.git-*"))


def test_a_killed_fetch_leaves_a_usable_mirror(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    mirror = fetch(str(remote), folder, at=NOW, name="m", depth=1)
    kill_while_fetching(folder)
    for name in ("packed-refs.lock", "shallow.lock", "HEAD.lock", "refs/incoming/heads/main.lock"):
        (mirror.path / name).touch()
    (mirror.path / "objects" / "pack" / "tmp_pack_x").write_bytes(b"PACK")
    assert audit(mirror.path, first, first, shallow=True).passed
    second = commit(remote, {b"a": b"b"}, [first])
    again = fetch(str(remote), folder, at=NOW, name="m", depth=1)
    assert (again.status, again.commit) == ("fetched", second)
    assert not list(mirror.path.glob("objects/pack/tmp_*"))


def test_killed_between_fetching_and_moving(remote: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step the process dies at: nothing is lost, and the next fetch ends and tells the same."""
    first = commit(remote, {b"a": b"a"})
    fetch(str(remote), folder, at=NOW)
    new = commit(remote, {b"a": b"c"})
    plain = mirrors._move
    for step in range(1, 4):
        calls = 0

        def dying(git: Git, refs: dict[str, str | None], step: int = step) -> None:
            nonlocal calls
            calls += 1
            if calls == step:
                raise KeyboardInterrupt
            plain(git, refs)

        with monkeypatch.context() as patch:
            patch.setattr(mirrors, "_move", dying)
            with pytest.raises(KeyboardInterrupt):
                fetch(str(remote), folder, at=NOW + DAY)
        (path,) = folder.glob("*.git")
        assert first in Git(path).refs().values()
    mirror = fetch(str(remote), folder, at=NOW + 2 * DAY)
    assert mirror.kept == (Kept("refs/heads/main", first, new, "forced"),)
    assert audit(mirror.path, first).passed


def test_several_at_a_time(tmp_path: Path, folder: Path) -> None:
    heads = {}
    for number in range(6):
        remote = make(tmp_path / "remote" / f"{number}.git")
        heads[str(remote)] = commit(remote, {b"a": b"%d" % number})
    urls = [*heads, next(iter(heads))]  # one of them twice
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda url: fetch(url, folder, at=NOW), urls))
    assert [mirror.commit for mirror in found] == [*heads.values(), heads[urls[0]]]
    assert len(list(folder.glob("*.git"))) == 6


def test_what_is_gone_is_told_from_what_fails(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(GitError, match=r"none: no mirror made: .*not") as missing:
        fetch((tmp_path / "none").as_uri(), folder, at=NOW)
    with pytest.raises(GitError, match="none: no mirror made: there is no such folder") as mistyped:
        fetch(str(tmp_path / "none"), folder, at=NOW)
    with pytest.raises(GitError) as refused:
        fetch("http://127.0.0.1:1/x.git", folder, at=NOW)
    assert [is_gone(each.value) for each in (missing, mistyped, refused)] == [True, False, False]


@pytest.mark.parametrize("name", [b".git", b"..", b"/etc/passwd", b"a/../../b"])
def test_a_remote_with_hostile_trees_is_refused(remote: Path, folder: Path, name: bytes) -> None:
    good = commit(remote, {b"a": b"a"})
    mirror = fetch(str(remote), folder, at=NOW)
    commit_tree(remote, tree(remote, [("100644", name, blob(remote, b"x"))]), [good], ref="refs/heads/main")
    refused = fetch(str(remote), folder, at=NOW + DAY)
    assert (refused.status, refused.commit) == ("failed", good)
    assert re.fullmatch(r"fsck error in pack\w+ objects?: object [0-9a-f]{40}: \w+: .*", refused.error)
    assert not list(folder.glob("*damaged*"))  # the mirror itself is whole
    assert refs(mirror) == {"refs/heads/main": good}
    with pytest.raises(GitError, match="fsck error"):
        fetch(str(remote), folder, at=NOW, name="another")


def test_a_hostile_module_file_is_refused(remote: Path, folder: Path) -> None:
    text = b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch x\n'
    commit(remote, {b".gitmodules": text})
    with pytest.raises(GitError, match="gitmodules"):
        fetch(str(remote), folder, at=NOW)


def test_odd_names_and_links_do_no_harm(remote: Path, folder: Path) -> None:
    out = blob(remote, b"../../../../etc/passwd")
    files: dict[bytes, bytes | tuple[str, str]] = {
        b"new\nline": b"1",
        b"A": b"2",
        b"a": b"3",
        b"\xff\xfe": b"4",
        b"-rf": b"5",
        b"out": ("120000", out),
    }
    head = commit(remote, files)
    commit(remote, files, ref="refs/heads/b\u00e4h", seconds=FIRST_DATE + 1)
    git(remote, "update-ref", b"refs/heads/b\xff".decode(errors="surrogateescape"), head)
    mirror = fetch(str(remote), folder, at=NOW)
    assert len(refs(mirror)) == 3
    assert next(iter(seen(mirror.path))).refs == refs(mirror)
    assert audit(mirror.path, head, head).passed


def test_old_forms_are_fetched(remote: Path, folder: Path) -> None:
    root = git(remote, "rev-parse", commit(remote, {b"a": b"a"}) + "^{tree}")
    person = b"A <a@example.org> 1553472000 +051800"
    data = b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (root.encode(), person, person)
    odd = git(remote, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=data)
    git(remote, "update-ref", "refs/heads/main", odd)
    assert fetch(str(remote), folder, at=NOW).commit == odd


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_somebody_else(remote: Path, folder: Path) -> None:
    head = commit(remote, {b"a": b"a"})
    for path in (remote, *remote.rglob("*")):
        os.chown(path, 65534, 65534)
    assert fetch(str(remote), folder, at=NOW).commit == head


# Mirrors that are damaged.


def two_packs(remote: Path, folder: Path) -> tuple[str, str, Path]:
    """The tips of main and side in a mirror `m`, where each has a pack of its own, and main's pack."""
    head = commit(remote, {b"a": b"a" * 99})
    mirror = fetch(str(remote), folder, at=NOW, name="m")
    (pack,) = mirror.path.glob("objects/pack/*.pack")
    side = commit(remote, {b"b": b"b"}, ref="refs/heads/side")
    fetch(str(remote), folder, at=NOW + DAY, name="m")
    return head, side, pack


def broken_pack(mirror: Path) -> None:
    pack = min(mirror.glob("objects/pack/*.pack"), key=lambda file: file.stat().st_mtime_ns)
    pack.chmod(0o644)
    data = pack.read_bytes()
    pack.write_bytes(data[:16] + b"\xff" * 16 + data[32:])  # the commit that lies first


def zeroed_head(mirror: Path) -> None:
    (mirror / "HEAD").write_bytes(b"\0" * 20)


def no_settings(mirror: Path) -> None:
    (mirror / "config").write_text("[nonsense")


def no_folder(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.write_text("no folder")


@pytest.mark.parametrize("damage", [broken_pack, zeroed_head, no_settings, no_folder])
def test_a_damaged_mirror_is_made_anew(remote: Path, folder: Path, damage: Callable[[Path], None]) -> None:
    head, side, _ = two_packs(remote, folder)
    damage(folder / "m.git")
    git(remote, "branch", "-D", "side")
    new = commit(remote, {b"a": b"b"}, [head])
    mirror = fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    assert (mirror.status, mirror.commit, mirror.error) == ("fetched", new, "")
    assert mirror.kept == (Kept("refs/heads/side", side, None, "deleted"),)
    assert audit(mirror.path, new, new).passed
    assert (folder / "m.damaged-20190329T000000Z.git").exists()
    assert not is_marked(mirror.path)
    whole = damage is not no_folder
    assert refs(mirror, "refs/kept/") == ({f"refs/kept/{side}": side} if whole else {})
    if whole:
        assert audit(mirror.path, side).passed
    assert [row.commit for row in seen(mirror.path)] == [head, head, new]
    assert fetch(str(remote), folder, at=NOW + 3 * DAY, name="m").kept == ()
    assert len(list(folder.glob("*.damaged-*"))) == 1


def test_a_tip_that_the_remote_dropped_and_damage_took(remote: Path, folder: Path) -> None:
    head, side, _ = two_packs(remote, folder)
    broken_pack(folder / "m.git")
    new = commit(remote, {b"a": b"b"})
    mirror = fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    assert (mirror.status, mirror.commit) == ("fetched", new)
    assert mirror.kept == (Kept("refs/heads/main", head, new, "forced"),)  # told, and not to be had
    assert refs(mirror, "refs/") == {
        **{f"refs/{kind}/main": new for kind in ("heads", "incoming/heads")},
        **{f"refs/{kind}/side": side for kind in ("heads", "incoming/heads")},
    }


def test_killed_before_the_new_mirror_stands(remote: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, _, _ = two_packs(remote, folder)
    path = folder / "m.git"
    broken_pack(path)
    commit(remote, {b"a": b"b"}, [head])

    def dying(*_: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mirrors, "_aside", dying)
        with pytest.raises(KeyboardInterrupt):
            fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    assert is_marked(path)  # its record tells of a look that it does not have
    mirror = fetch(str(remote), folder, at=NOW + 3 * DAY, name="m")
    assert audit(path, str(mirror.commit), mirror.commit).passed
    assert not is_marked(path)


def test_damage_that_a_fetch_does_not_meet(remote: Path, folder: Path) -> None:
    head, side, pack = two_packs(remote, folder)
    lost = commit(remote, {b"c": b"c"})
    fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    path = folder / "m.git"
    flip(pack, 8 * (pack.stat().st_size - 25))
    assert not audit(path, lost, lost).passed
    assert fetch(str(remote), folder, at=NOW + 2 * DAY, name="m").status == "fetched"
    for name in ("m.damaged-20190330T000000Z.git", "m.damaged-20190330T000000Z_2.git"):
        mark_damaged(path)
        assert is_marked(path)
        mirror = fetch(str(remote), folder, at=NOW + 3 * DAY, name="m")
        assert (mirror.status, mirror.commit, mirror.kept, is_marked(path)) == ("fetched", lost, (), False)
        assert audit(path, lost, lost).passed
        assert (folder / name).is_dir()
        for each in path.glob("objects/pack/*.pack"):
            flip(each, 8 * (each.stat().st_size - 1))
    # main's first tip was forced away and lay in the damaged pack.
    assert refs(mirror) == {"refs/heads/main": lost, "refs/heads/side": side}
    assert refs(mirror, "refs/kept/") == {}
    assert Git(path).resolve(head) is None


def test_a_mark_on_a_mirror_that_is_whole(remote: Path, folder: Path) -> None:
    """Nothing better would come of making it anew."""
    head, _, _ = two_packs(remote, folder)
    path = folder / "m.git"
    mark_damaged(path)
    mirror = fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    assert (mirror.status, mirror.commit, is_marked(path)) == ("fetched", head, False)
    assert not list(folder.glob("*.damaged-*"))


def test_every_tip_on_record_is_taken_over(remote: Path, folder: Path) -> None:
    tips = []
    for number in range(3):  # roots of their own
        tips.append(commit(remote, {b"n": b"%d" % number}))
        mirror = fetch(str(remote), folder, at=NOW + number * DAY)
    git(remote, "tag", "-a", "v1", "-m", "one", tips[-1])
    tag = git(remote, "rev-parse", "v1")
    fetch(str(remote), folder, at=NOW + 3 * DAY)
    git(remote, "tag", "-d", "v1")
    detached = [commit(remote, {b"n": b"on no branch %d" % number}, ref=None) for number in range(2)]
    for oid in detached:
        git(remote, "update-ref", "--no-deref", "HEAD", oid)
        fetch(str(remote), folder, at=NOW + 3 * DAY)
    git(remote, "symbolic-ref", "HEAD", "refs/heads/main")
    fetch(str(remote), folder, at=NOW + 3 * DAY)
    unseen = commit(mirror.path, {b"n": b"on no record"}, ref="refs/incoming/heads/x")
    (mirror.path / "objects" / "00").mkdir(exist_ok=True)
    (mirror.path / "objects" / "00" / ("0" * 38)).write_bytes(b"no object")
    mark_damaged(mirror.path)
    fetch(str(remote), folder, at=NOW + 4 * DAY)
    assert list(folder.glob("*.damaged-*"))
    kept = {f"refs/kept/{oid}": oid for oid in sorted((*tips[:2], tag, *detached, unseen))}
    assert refs(mirror, "refs/kept/") == kept
    mirror.path.rename(mirror.path.with_name(f"{mirror.path.stem}.damaged-9.git"))  # killed before the new one stood
    assert fetch(str(remote), folder, at=NOW + 5 * DAY).commit == tips[-1]
    assert refs(mirror, "refs/kept/") == kept


def test_what_a_shallow_mirror_held_is_taken_over(remote: Path, folder: Path) -> None:
    tips: list[str] = []
    before = commit(remote, {b"n": b"before the mirror"})
    for number in range(3):
        tips.append(commit(remote, {b"n": b"%d" % number}, tips[-1:] or [before]))
        mirror = fetch(str(remote), folder, at=NOW + number * DAY, depth=1)
    zeroed_head(mirror.path)
    fetch(str(remote), folder, at=NOW + 4 * DAY, depth=1)
    assert refs(mirror, "refs/kept/") == {f"refs/kept/{oid}": oid for oid in sorted(tips[:2])}
    assert all(audit(mirror.path, oid, shallow=True).passed for oid in tips)
    assert is_shallow(mirror.path)
    zeroed_head(mirror.path)
    assert fetch(str(remote), folder, at=NOW + 5 * DAY).commit == tips[-1]
    assert (refs(mirror, "refs/kept/"), is_shallow(mirror.path)) == ({}, False)  # all of them are on main's line
    assert all(audit(mirror.path, oid).passed for oid in tips)


def test_a_damaged_mirror_stays_where_nothing_better_is_to_be_had(remote: Path, folder: Path) -> None:
    head, _, pack = two_packs(remote, folder)
    flip(pack, 8 * (pack.stat().st_size - 25))
    path = folder / "m.git"
    mark_damaged(path)
    away = remote.rename(remote.with_name("away"))
    gone = fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    assert (gone.status, gone.commit, is_marked(path)) == ("gone", head, True)
    with silent() as (url, _):
        late = fetch(url, folder, at=NOW + 2 * DAY, name="m", timeout=1)
    assert (late.status, late.commit, late.error) == ("failed", head, "no answer within 1 s")
    commit_tree(away, tree(away, [("100644", b".git", blob(away, b"x"))]), [head], ref="refs/heads/main")
    refused = fetch(str(away), folder, at=NOW + 2 * DAY, name="m")
    assert (refused.status, refused.commit, is_marked(path)) == ("failed", head, True)
    assert pack.exists()
    assert not list(folder.glob("*.damaged-*"))


def test_a_mirror_that_went_without_a_trace(remote: Path, folder: Path) -> None:
    head, side, _ = two_packs(remote, folder)
    shutil.rmtree(folder / "m.git")
    git(remote, "branch", "-D", "side")
    mirror = fetch(str(remote), folder, at=NOW + 2 * DAY, name="m")
    assert (mirror.commit, mirror.kept) == (head, (Kept("refs/heads/side", side, None, "deleted"),))
    assert refs(mirror, "refs/kept/") == {}


# What changes nothing, and what is seen last.


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that are run, in order."""
    commands: list[str] = []
    plain = Git.start

    def counting(self: Git, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        commands.append(arguments[0])
        return plain(self, *arguments, **options)

    monkeypatch.setattr(Git, "start", counting)
    return commands


@pytest.mark.parametrize("form", ["main", "detached", "unborn", "empty"])
def test_a_remote_as_it_was_is_not_fetched(remote: Path, folder: Path, form: str, asked: list[str]) -> None:
    if form != "empty":
        head = commit(remote, {b"a": b"a"})
        git(remote, "tag", "-a", "v1", "-m", "one", head)
        git(remote, "update-ref", "refs/pull/1/head", head)
    if form == "detached":
        git(remote, "update-ref", "--no-deref", "HEAD", commit(remote, {b"a": b"b"}, ref="refs/heads/side"))
        commit(remote, {b"a": b"c"}, ref="refs/heads/side")  # HEAD is on no branch
    if form == "unborn":
        git(remote, "symbolic-ref", "HEAD", "refs/heads/none")
    first = fetch(str(remote), folder, at=NOW)
    asked.clear()
    again = fetch(str(remote), folder, at=NOW + DAY)
    assert asked == ["ls-remote", "ls-remote"]
    assert (again.head, again.commit, again.changed, again.kept) == (first.head, first.commit, 0, ())
    rows = list(seen(first.path))
    assert [row.at for row in rows] == [NOW, NOW + DAY]
    assert (rows[0].refs, rows[0].commit) == (rows[1].refs, rows[1].commit)
    commit(remote, {b"a": b"d"}, ref="refs/heads/other")
    assert fetch(str(remote), folder, at=NOW + 2 * DAY).changed == 1
    assert "fetch" in asked


def test_another_default_branch_is_no_remote_as_it_was(remote: Path, folder: Path) -> None:
    head = commit(remote, {b"a": b"a"})
    git(remote, "branch", "trunk", head)
    fetch(str(remote), folder, at=NOW)
    git(remote, "symbolic-ref", "HEAD", "refs/heads/trunk")
    mirror = fetch(str(remote), folder, at=NOW + DAY)
    assert mirror.head == "refs/heads/trunk"
    assert git(mirror.path, "symbolic-ref", "HEAD") == "refs/heads/trunk"


def test_the_last_tip_outlives_its_branch(remote: Path, folder: Path) -> None:
    assert last_tip(folder / "none.git", NOW) is None
    head = commit(remote, {b"a": b"a"})
    mirror = fetch(str(remote), folder, at=NOW)
    git(remote, "update-ref", "-d", "refs/heads/main")
    assert fetch(str(remote), folder, at=NOW + DAY).commit is None
    shutil.rmtree(remote)
    gone = fetch(str(remote), folder, at=NOW + 2 * DAY)
    assert (gone.status, gone.head, gone.commit) == ("gone", "refs/heads/main", head)
    assert audit(mirror.path, head).passed
    found = last_tip(mirror.path, NOW + 9 * DAY)
    assert found is not None and (found.at, found.commit) == (NOW, head)
    assert last_tip(mirror.path, NOW - DAY) is None


# Depth.


def test_a_depth_that_is_asked_for_no_more(remote: Path, folder: Path) -> None:
    first = commit(remote, {b"a": b"a"})
    second = commit(remote, {b"a": b"b"}, [first])
    mirror = fetch(str(remote), folder, at=NOW, depth=1)
    assert is_shallow(mirror.path)
    assert fetch(str(remote), folder, at=NOW + DAY).status == "fetched"
    assert not is_shallow(mirror.path)
    assert audit(mirror.path, second, second).passed
    assert Git(mirror.path).run("rev-list", "--count", second) == b"2\n"


@pytest.mark.parametrize("over_http", [False, True])
def test_a_remote_whose_own_history_is_cut_off(tmp_path: Path, remote: Path, folder: Path, over_http: bool) -> None:
    first = commit(remote, {b"a": b"a"})
    second = commit(remote, {b"a": b"b"}, [first])
    cut = tmp_path / "remote" / "cut.git"
    git(tmp_path, "clone", "--quiet", "--bare", "--depth=1", remote.as_uri(), str(cut))
    mirror = fetch(str(cut), folder, at=NOW, depth=1, name="m")
    with serving(partial(Quiet, directory=str(cut.parent))) as address:
        git(cut, "update-server-info")
        for day in (1, 2):
            again = fetch(f"{address}/cut.git" if over_http else str(cut), folder, at=NOW + day * DAY, name="m")
            assert (again.status, again.commit, again.error) == ("fetched", second, "")
    assert is_shallow(mirror.path)
    fetch(str(remote), folder, at=NOW + 3 * DAY, name="m")
    assert not is_shallow(mirror.path)
    assert not list(folder.glob("*damaged*"))


# Errors on record.


def test_errors_are_short_and_the_same_every_time(remote: Path, folder: Path, tmp_path: Path) -> None:
    head = commit(remote, {b"a": b"a"})
    said = []
    for place in (folder, tmp_path / "other"):
        fetch(str(remote), place, at=NOW, name="m")
        for url in ("http://ada:pass-word@127.0.0.1:1/x", "git://127.0.0.1:1/x", (tmp_path / "none").as_uri()):
            mirror = fetch(url, place, at=NOW + DAY, name="m")
            assert (mirror.commit, "\n" in mirror.error) == (head, False)
            said.append(mirror.error)
    commit_tree(remote, tree(remote, [("100644", b".git", blob(remote, b"x"))]), [head], ref="refs/heads/side")
    for place in (folder, tmp_path / "other"):
        broken_pack(place / "m.git")
        mirror = fetch(str(remote), place, at=NOW + DAY, name="m")
        assert mirror.status == "failed"
        said.append(mirror.error)
        with pytest.raises(GitError) as caught:
            fetch(str(remote), place, at=NOW + DAY, name="another")
        said.append(str(caught.value))
    assert (said[:3], said[6:8]) == (said[3:6], said[8:])
    assert all(len(each) < 330 and str(tmp_path / "mirrors") not in each for each in said)
    assert "pass-word" not in "".join(said)
    assert "http://127.0.0.1:1/x" in said[0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("remote: Not here.\nfatal: repository 'https://h/x/' not found\n", "repository 'https://h/x/' not found"),
        ("ERROR: Not here.\nfatal: Could not read from remote repository.\n\nPlease make sure\n", "Not here."),
        ("fatal: the remote end hung up unexpectedly\n", "the remote end hung up unexpectedly"),
        ("fatal: 'https://u:s@h/x/': Failed to connect after 17 ms: no\n", "'https://h/x/': Failed to connect: no"),
        ("error: /l/m/.x.git-a1b2c3d4/x.git/objects/pack/tmp_pack_Qw12er: no\n", "x.git/objects/pack/tmp_pack: no"),
        ("", "git: killed by signal 9"),
    ],
)  # fmt: skip
def test_git_s_last_words(said: str, words: str) -> None:
    error = Git(Path("/l/m/x.git")).error(["fetch", "https://h/x"], -9, said)
    assert mirrors.shown(mirrors.public_text(mirrors._why(error)), Path("/l/m")) == words
