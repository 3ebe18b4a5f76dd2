"""One pass that audits and packs: what git itself gives, blob by blob; nothing of a repository that fails."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import stat
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.genome import manifest, pack, packing, standalone
from coevo_pipelines.genome.asof import read as read_commit
from coevo_pipelines.genome.audit import HELD, Audit, Difference, Level
from coevo_pipelines.genome.ecosystem import Source
from coevo_pipelines.genome.files import Rules, path_of, restore
from coevo_pipelines.genome.git import Git, Objects, algorithm_of, object_id
from coevo_pipelines.genome.mirrors import Kept
from coevo_pipelines.genome.pack import PackWriter, Sealed, unescape
from coevo_pipelines.genome.packing import Chosen
from coevo_pipelines.sample import remotes
from coevo_pipelines_tests.genome.repositories import (
    BASE,
    FIRST_DATE,
    blob,
    commit,
    flip,
    git,
    loose,
    make,
    put_loose,
    tree,
)  # fmt: skip
from coevo_pipelines_tests.genome.test_archives import entry, tarred, zipped

Files = Mapping[bytes, bytes | tuple[str, bytes]]
"""Path -> bytes, or (mode, bytes or the commit of a submodule in hex)."""

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
NOTEBOOK = json.dumps({"nbformat": 4, "metadata": {}, "cells": [{"outputs": [1], "metadata": {}}]}).encode()
ODD: Files = {
    b"LICENSE": b"SPDX-License-Identifier: MIT\n",
    b"run.sh": ("100755", b"#!/bin/sh\n"),
    b"empty.txt": b"",
    b"newline.txt": b"\n",
    b"cr.txt": b"one\rtwo\r\nthree\n\r",
    b"bom.txt": b"\xef\xbb\xbfx\n",
    b"late.txt": b"x" * 8000 + b"\0",
    b"long.json": b'"' + b"y" * 300_000 + b'"',
    b"tokens.md": b"<|repo_end|>\n\n<\\|file_end|>\n<|file_end|>\n<\\\\|im_start|>\n<|<|a|>",
    b"end.txt": b"\n<|file_end|>\n",
    b"latin.txt": "# -*- coding: latin-1 -*-\ncafé\n".encode("latin-1"),
    b"sjis.xml": "<?xml version='1.0' encoding='Shift_JIS'?><a>蟻の道</a>".encode("shift_jis"),
    b"utf16.txt": b"\xff\xfe" + "trail".encode("utf-16-le"),
    b"book.ipynb": NOTEBOOK,
    b"binary.md": b"text\0text",
    b"strange.md": bytes(range(128, 256)),
    b"photo.png": b"\x89PNG",
    b"big.txt": b"z" * 5_000_001,
    b"model.txt": LFS,
    b"link": ("120000", b"../../etc/passwd"),
    b"link.md": ("120000", b"/absolute\n\xff"),
    b"module": ("160000", b"1" * 40),
    b"a.b.py": b"1",
    b"a/x.py": b"2",
    b"a0.py": b"3",
    b"new\nline.md": b"4",
    b'quote".md': b"5",
    b"back\\slash.md": b"6",
    b"<|file_start|>.md": b"7",
    b"\xff\xfe.md": b"8",
    "e\u0301.md".encode(): b"9",
    "\u00e9.md".encode(): b"10",
    b"Case.md": b"11",
    b"case.md": b"12",
    b"bang!.md": b"13",
    b"zip!/inner.md": b"14",
    b"x" * 179 + b"/" + b"y" * 175 + b".md": b"15",
    b"deep/" * 150 + b"deep.md": b"16",
    **{b"same/%03d.md" % number: b"the same\n" for number in range(60)},
}  # fmt: skip


def made(repo: Path, files: Files, algorithm: str = "sha1") -> Path:
    """A repository with one commit of these files, by one git process."""
    make(repo, algorithm)
    stream = [b"commit refs/heads/main\ncommitter C <c@example.org> %d +0000\ndata 0\n" % FIRST_DATE]
    for path, value in files.items():
        mode, data = ("100644", value) if isinstance(value, bytes) else value
        name = b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'
        if mode == "160000":
            stream.append(b"M 160000 %s %s\n" % (data if algorithm == "sha1" else b"1" * 64, name))
        else:
            stream.append(b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), name, len(data), data))
    git(repo, "-c", "core.compression=1", "fast-import", "--quiet", stdin=b"".join(stream))
    return repo


def chosen(repo: Path, oid: str | None = None, name: str | None = None) -> Chosen:
    """Commit `oid` (else the tip) of the repository's branch, the tip known as the remote's."""
    own = Git(repo)
    tip = git(repo, "rev-parse", "HEAD")
    with Objects(own) as objects:
        return Chosen(name or repo.name, own, read_commit(objects, oid or tip), tip)


def packed(repos: Sequence[Chosen], rules: Rules) -> tuple[bytes, list[dict[str, Any]], list[Audit], Sealed]:
    """Pack, rows of the manifest, audits."""
    stream = io.BytesIO()
    writer = PackWriter(stream)
    added = [packing.add(writer, each, rules) for each in repos]
    sealed = writer.close()
    return stream.getvalue(), [row for _, rows in added for row in rows], [found for found, _ in added], sealed


def told_by_git(repo: Path) -> list[tuple[str, str, bytes, bytes]]:
    """(mode, id, path, bytes) of every entry of main, from git's own commands."""
    listed = subprocess.run(
        ["git", "-C", str(repo), "ls-tree", "-r", "-z", "main"], capture_output=True, check=True, env=BASE
    ).stdout.split(b"\0")[:-1]
    heads = [(line.partition(b"\t")[0].decode().split(), line.partition(b"\t")[2]) for line in listed]
    asked = "".join(f"{oid}\n" for (_, kind, oid), _ in heads if kind == "blob")
    answer = io.BytesIO(
        subprocess.run(
            ["git", "-C", str(repo), "cat-file", "--batch"], input=asked.encode(), capture_output=True, check=True,
            env=BASE,
        ).stdout
    )  # fmt: skip
    found = []
    for (mode, kind, oid), path in heads:
        data = b""
        if kind == "blob":
            data = answer.read(int(answer.readline().split()[2]))
            answer.read(1)
        found.append((mode, oid, path, data))
    return found


def check(text: bytes, rows: Sequence[Mapping[str, Any]], repo: Path) -> None:
    """Rows and what stands in the pack are what git says, file by file."""
    told = told_by_git(repo)
    assert [(row["mode"], row["git_id"], path_of(row["path"])) for row in rows] == [each[:3] for each in told]
    for row, (mode, oid, _, data) in zip(rows, told, strict=True):
        assert row == manifest.sealed({name: value for name, value in row.items() if name != "leaf"})
        if mode == "160000":
            assert (row["reason"], row["size"], row["sha256"], row["swhid"]) == ("submodule", 0, None, None)
            continue
        assert (row["size"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest()), row["path"]
        assert row["git_id"] == oid == object_id("blob", data, algorithm_of(oid))
        if len(oid) == 40:
            assert row["swhid"] == f"swh:1:cnt:{oid}"
        elif row["swhid"]:
            assert row["swhid"] == f"swh:1:cnt:{object_id('blob', data)}"
        if row["reason"] == "packed":
            own = unescape(text[row["offset"] : row["offset"] + row["length"]])
            assert hashlib.sha256(own).hexdigest() == row["text_sha256"]
            assert row["stripped"] or restore(own, row["charset"]) == data, row["path"]
        else:
            assert (row["offset"], row["length"], row["text_sha256"]) == (None, None, None)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_odd_files_are_what_git_gives(tmp_path: Path, algorithm: str) -> None:
    repo = made(tmp_path / "odd", ODD, algorithm)
    text, rows, (found,), sealed = packed([chosen(repo)], Rules())
    assert found.passed, packing.reason_of(found.levels)
    check(text, rows, repo)
    assert {row["path"]: row["reason"] for row in rows if row["reason"] != "packed"} == {
        "binary.md": "binary", "strange.md": "undecodable", "photo.png": "extension", "big.txt": "too_large",
        "model.txt": "lfs_pointer", "link": "symlink", "link.md": "symlink", "module": "submodule",
    }  # fmt: skip
    assert {row["path"]: row["target"] for row in rows if row["target"]} == {
        "link": "../../etc/passwd", "link.md": "/absolute\\x0a\\xff",
    }  # fmt: skip
    assert [row["path"] for row in rows if row["stripped"]] == ["book.ipynb"]
    back = [(each.path, each.offset, each.length) for each in pack.read(io.BytesIO(text))]
    assert back == [(path_of(row["path"]), row["offset"], row["length"]) for row in rows if row["offset"] is not None]
    assert (sealed.files, sealed.size, sealed.sha256) == (len(back), len(text), hashlib.sha256(text).hexdigest())
    places = {row["path"]: row["offset"] for row in rows if row["path"].startswith("same/")}
    assert len(set(places.values())) == 60
    about = packing.about(chosen(repo), found, rows)
    assert about["license"] == "MIT"
    assert (about["files"], about["packed"]) == (len(ODD), len(back))
    assert about["swhid"] == (f"swh:1:rev:{found.commit}" if algorithm == "sha1" else None)


def test_random_files_are_what_git_gives(tmp_path: Path) -> None:
    """Contents and names out of what is easily got wrong, by chance."""
    draw = random.Random(5)
    parts = (b"<|", b"|>", b"<", b"\\", b"file_end", b"\n", b"\r\n", b"\0", b"\xff", b"a", "é".encode(), b" ", b"\xc3")

    def some(most: int) -> bytes:
        return b"".join(draw.choice(parts) for _ in range(draw.randrange(most)))

    files = {
        b"%d%s%s" % (number, some(8).replace(b"\0", b""), draw.choice((b".md", b".py", b"", b".png"))): some(40)
        for number in range(400)
    }
    repo = made(tmp_path / "random", files)
    for rules in (Rules(), Rules(all_text=True, largest=30, strip_notebooks=False)):
        text, rows, (found,), _ = packed([chosen(repo)], rules)
        assert found.passed
        check(text, rows, repo)
        assert min(sum(row["reason"] == reason for row in rows) for reason in ("packed", "binary")) > 20


def test_the_sample_is_what_git_gives(tmp_path: Path) -> None:
    repos = [remotes.make(tmp_path, each) for each in remotes.facts()]
    text, rows, found, sealed = packed([chosen(repo) for repo in repos], Rules(all_text=True))
    assert all(each.passed for each in found)
    assert sealed.repositories == len(repos) == 3
    for repo in repos:
        check(text, [row for row in rows if row["repo"] == repo.name], repo)


def test_what_is_too_large_to_be_held_is_hashed_all_the_same(tmp_path: Path) -> None:
    """A text and a symlink of 32 MB: listed, the target not believed, the hashes right."""
    data = bytes(HELD + 1)
    repo = made(tmp_path / "large", {b"a.md": b"a", b"b.txt": data, b"c": ("120000", data), b"d.md": b"d"})
    text, rows, (found,), _ = packed([chosen(repo)], Rules())
    assert found.passed, packing.reason_of(found.levels)
    check(text, rows, repo)
    assert [row["reason"] for row in rows] == ["packed", "too_large", "symlink", "packed"]
    assert rows[2]["target"] is None


def _missing(repo: Path) -> str:
    loose(repo, blob(repo, b"m\n")).unlink()
    return object_id("blob", b"m\n")


def _swapped(repo: Path) -> str:
    put_loose(repo, oid := blob(repo, b"m\n"), "blob", b"M\n")
    return oid


def _flipped(repo: Path) -> str:
    oid = blob(repo, b"m\n")
    path = loose(repo, oid)
    flip(path, 8 * (path.stat().st_size - 6))
    return oid


def _not_a_blob(repo: Path) -> str:
    put_loose(repo, oid := blob(repo, b"m\n"), "tree", b"")
    return oid


def _tree_gone(repo: Path) -> str:
    loose(repo, oid := git(repo, "rev-parse", "main:sub")).unlink()
    return oid


def _half_a_pack(repo: Path) -> str:
    """Bytes of the middle of a pack file."""
    git(repo, "gc", "--quiet")
    (file,) = (repo / "objects" / "pack").glob("*.pack")
    flip(file, 8 * (file.stat().st_size // 2))
    return ""


DAMAGES = (_missing, _swapped, _flipped, _not_a_blob, _tree_gone, _half_a_pack)


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_of_a_repository_that_fails_is_in_the_pack(tmp_path: Path, damage: Callable[[Path], str]) -> None:
    """Nor is anything else moved by it, wherever it stands among the others."""
    one, two = (
        chosen(made(tmp_path / name, {b"%d.md" % at: name.encode() * at for at in range(20)}))
        for name in ("one", "two")
    )
    noise = random.Random(1)
    files = {b"%c/%d.md" % (first, at): b"only of bad %d" % noise.getrandbits(99) for first in b"lz" for at in range(9)}
    bad = made(tmp_path / "bad", {**files, b"m.md": b"m\n", b"sub/x.md": b"x"})
    fails = [chosen(bad, name=name) for name in ("first", "middle", "last")]
    whole, rows, _, sealed = packed([one, two], Rules())
    oid = damage(bad)
    text, own, found, other = packed([fails[0], one, fails[1], two, fails[2]], Rules())
    assert (text, own, other) == (whole, rows, sealed)
    assert [each.passed for each in found] == [False, True, False, True, False]
    assert all(oid in packing.reason_of(each.levels) for each in found[::2])
    assert b"only of bad" not in whole
    nothing, none, _, empty = packed(fails[:1], Rules())
    assert (none, empty.repositories, empty.files) == ([], 0, 0)
    assert list(pack.read(io.BytesIO(nothing))) == []


def test_a_repository_that_failed_may_come_again(tmp_path: Path) -> None:
    bad = make(tmp_path / "same")
    commit(bad, {b"a.md": b"a", b"m.md": b"m\n"})
    fails = chosen(bad)
    _missing(bad)
    good = made(tmp_path / "good" / "same", {b"a.md": b"a"})
    text, _, found, _ = packed([fails, chosen(good)], Rules())
    assert [each.passed for each in found] == [False, True]
    assert [(each.repo, each.path) for each in pack.read(io.BytesIO(text))] == [("same", b"a.md")]


def test_trees_that_git_would_not_write_fail(tmp_path: Path) -> None:
    repo = make(tmp_path / "twice")
    oid = blob(repo, b"a")
    bad = tree(repo, [("100644", b"a.md", oid), ("100644", b"a.md", oid)])
    git(repo, "update-ref", "refs/heads/main", git(repo, "commit-tree", bad, "-m", "x"))
    _, rows, (found,), sealed = packed([chosen(repo)], Rules())
    assert (found.passed, rows, sealed.files) == (False, [], 0)


def _archives() -> dict[bytes, bytes]:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    inner = zipped([("deep.md", b"deep\n"), ("deeper.zip", zipped([("x.md", b"x")]))])
    good = zipped([("b/two.md", b"two\n"), ("a.md", b"<|file_end|>\n"), ("photo.png", b"\x89"), ("inner.zip", inner)])
    return {
        b"good.zip": good,
        b"good.tar.gz": gzip.compress(
            tarred([("one.md", b"one\n"), (entry("l", type=b"2", linkname="/etc/passwd"), b"")])
        ),
        b"odd.zip": zipped([("../out.md", b"o"), (link, b"/etc/passwd"), ("x.md", b"old"), ("x.md", b"new")]),
        b"cut.zip": good[:-30],
        b"big.zip": zipped([("big.md", random.Random(2).randbytes(10) * 500_001), ("small.md", b"s")]),
        b"bomb.zip": zipped([(f"{number}.md", bytes(3_000_000)) for number in range(10)]),
        b"pointer.zip": LFS,
    }


def test_archives_are_opened_when_wanted(tmp_path: Path) -> None:
    repo = made(tmp_path / "r", {**_archives(), b"link.zip": ("120000", b"good.zip")})
    text, rows, (found,), _ = packed([chosen(repo)], Rules(archives=True))
    assert found.passed
    check(text, [row for row in rows if row["within"] is None], repo)
    inside = {row["path"]: row["reason"] for row in rows if row["within"]}
    bombs = {path: reason for path, reason in inside.items() if path.startswith("bomb.zip")}
    assert {path: reason for path, reason in inside.items() if path not in bombs} == {
        "good.zip!//a.md": "packed", "good.zip!//b/two.md": "packed", "good.zip!//photo.png": "extension",
        "good.zip!//inner.zip": "extension", "good.zip!//inner.zip!/deep.md": "packed",
        "good.zip!//inner.zip!/deeper.zip": "extension", "good.zip!//inner.zip!/deeper.zip!/": "archive_limit",
        "good.tar.gz!//one.md": "packed", "good.tar.gz!//l": "archive_damaged",
        "odd.zip!//../out.md": "archive_damaged", "odd.zip!//link": "archive_damaged", "odd.zip!//x.md": "packed",
        "odd.zip!//x.md!1": "archive_damaged", "cut.zip!//": "archive_damaged",
        "big.zip!//big.md": "archive_limit", "big.zip!//small.md": "packed",
    }  # fmt: skip
    assert bombs["bomb.zip!//"] == "archive_limit"
    by_path = {row["path"]: row for row in rows}
    deep = by_path["good.zip!//inner.zip!/deep.md"]
    assert (deep["within"], deep["git_id"]) == ("good.zip!/inner.zip", object_id("blob", b"deep\n"))
    assert deep["swhid"] == f"swh:1:cnt:{deep['git_id']}"
    assert deep["sha256"] == hashlib.sha256(b"deep\n").hexdigest()
    bad = by_path["odd.zip!//../out.md"]
    assert (bad["git_id"], bad["swhid"], bad["sha256"], bad["offset"]) == (None, None, None, None)
    for row in rows:
        assert row["offset"] is None or hashlib.sha256(
            unescape(text[row["offset"] : row["offset"] + row["length"]])
        ).hexdigest() == row["text_sha256"]  # fmt: skip


def test_archives_come_back_beside_the_tree(tmp_path: Path) -> None:
    """As a folder `a.zip!`, also where the tree has a folder of that name."""
    repo = made(
        tmp_path / "r", {b"a.zip": zipped([("x.md", b"of the zip")]), b"a.zip!/y.md": b"of the tree", b"b.md": b"b"}
    )
    out = tmp_path / "g.txt"
    for rules, names in (
        (Rules(archives=True), {"a.zip!/x.md": b"of the zip", "a.zip!/y.md": b"of the tree", "b.md": b"b"}),
        (Rules(), {"a.zip!/y.md": b"of the tree", "b.md": b"b"}),
    ):
        standalone.pack([Source("r", str(repo))], out, standalone.Choice(), rules)
        assert standalone.verify(out) == []
        back = tmp_path / str(len(names))
        assert standalone.unpack(out, back) == len(names)
        assert {str(p.relative_to(back / "r")): p.read_bytes() for p in back.rglob("*") if p.is_file()} == names


@pytest.mark.parametrize(
    ("files", "license"),
    [
        ({b"LICENSE": b"SPDX-License-Identifier: MIT\n"}, "MIT"),
        ({b"LICENSE": b"do as you like"}, None),
        ({b"a.md": b"SPDX-License-Identifier: MIT\n"}, None),
        ({b"sub/LICENSE": b"SPDX-License-Identifier: MIT\n"}, None),
        (
            {
                b"LICENSE-MIT": b"SPDX-License-Identifier: MIT\n",
                b"LICENSE-APACHE": b"SPDX-License-Identifier: Apache-2.0\n",
            },
            None,
        ),
    ],
)  # fmt: skip
def test_the_licence_of_a_repository(tmp_path: Path, files: Files, license: str | None) -> None:
    own = chosen(made(tmp_path / "r", files))
    _, rows, (found,), _ = packed([own], Rules())
    assert packing.about(own, found, rows)["license"] == license


def test_what_the_header_says(tmp_path: Path) -> None:
    repo = made(tmp_path / "r", {b"a.md": b"one", b"b.png": b"\0" * 5})
    own = chosen(repo)
    own = Chosen("name", own.git, own.commit, own.tip, (Kept("refs/heads/x", "1" * 40, None, "deleted"),))
    _, rows, (found,), _ = packed([own], Rules())
    assert packing.about(own, found, rows) == {
        "name": "name", "commit": git(repo, "rev-parse", "main"), "tree": git(repo, "rev-parse", "main^{tree}"),
        "swhid": "swh:1:rev:" + git(repo, "rev-parse", "main"), "committed_at": FIRST_DATE, "license": None,
        "files": 2, "packed": 1, "bytes": 8, "kept": [f"refs/heads/x was {'1' * 40}: deleted"],
        "audit": {
            "1": {"status": "passed", "checked": 1}, "2": {"status": "passed", "checked": 4},
            "3": {"status": "passed", "checked": 2}, "4": {"status": "passed", "checked": 1},
        },
    }  # fmt: skip


def test_the_reason_is_the_first_difference() -> None:
    one = Difference("a1", "x.md", "missing", "bytes")
    levels = [Level(1, "not_run", 1), Level(2, "passed", 1), Level(3, "failed", 1, (one, one)), Level(4, "failed", 1)]
    assert packing.reason_of(levels) == "audit level 3: a1 at x.md: missing; expected bytes (and 1 more)"
    assert packing.told(Difference("a1", "", "y", "z")) == "a1: y; expected z"
    assert packing.reason_of([Level(1, "passed", 1), Level(2, "not_run", 0)]) == "audit level 2 could not run"
