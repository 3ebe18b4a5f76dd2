"""Repositories made with git itself: fixed names and dates, and objects that git's own commands would refuse."""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

FIRST_DATE = 1_553_472_000
"""2019-03-25 00:00 UTC, in seconds since 1970."""

BASE = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A. Author",
    "GIT_AUTHOR_EMAIL": "author@example.org",
    "GIT_COMMITTER_NAME": "C. Committer",
    "GIT_COMMITTER_EMAIL": "committer@example.org",
    "LC_ALL": "C",
}

Line = tuple[str, bytes, str]
"""A line of a tree: mode as text, name, id."""


def git(repo: Path, *arguments: str, stdin: bytes = b"", seconds: int = FIRST_DATE) -> str:
    """Run git in `repo`; what it wrote, without the last newline."""
    when = {"GIT_AUTHOR_DATE": f"{seconds} +0000", "GIT_COMMITTER_DATE": f"{seconds} +0000"}
    done = subprocess.run(
        ["git", "-C", str(repo), *arguments], input=stdin, capture_output=True, check=False, env={**BASE, **when}
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode(errors="surrogateescape").removesuffix("\n")


def make(path: Path, algorithm: str = "sha1") -> Path:
    """An empty bare repository, HEAD on main."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={algorithm}")
    return path


def blob(repo: Path, data: bytes) -> str:
    return git(repo, "hash-object", "-w", "--stdin", stdin=data)


def tree(repo: Path, lines: Iterable[Line]) -> str:
    """A tree object with these lines as they are, whatever git thinks of them."""
    data = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(oid)) for mode, name, oid in lines)
    return raw(repo, "tree", data)


def raw(repo: Path, kind: str, data: bytes) -> str:
    return git(repo, "hash-object", "-t", kind, "-w", "--stdin", "--literally", stdin=data)


def nested(repo: Path, files: Mapping[bytes, bytes | tuple[str, str]]) -> str:
    """The tree of path -> bytes, or (mode, id), through an index of its own."""
    rows = []
    for path, value in files.items():
        mode, oid = ("100644", blob(repo, value)) if isinstance(value, bytes) else value
        rows.append(f"{mode} {oid}\t".encode() + path + b"\0")
    index = repo / "index.made"
    subprocess.run(
        ["git", "-C", str(repo), "update-index", "-z", "--index-info"],
        input=b"".join(rows),
        check=True,
        env={**BASE, "GIT_INDEX_FILE": str(index)},
    )
    done = subprocess.run(
        ["git", "-C", str(repo), "write-tree", "--missing-ok"],
        capture_output=True,
        check=True,
        env={**BASE, "GIT_INDEX_FILE": str(index)},
    )
    index.unlink()
    return done.stdout.decode().strip()


def commit_tree(
    repo: Path, tree_id: str, parents: Iterable[str] = (), seconds: int = FIRST_DATE, ref: str | None = None
) -> str:
    given = [part for parent in parents for part in ("-p", parent)]
    oid = git(repo, "commit-tree", tree_id, *given, "-m", "made", seconds=seconds)
    if ref:
        git(repo, "update-ref", ref, oid)
    return oid


def commit(
    repo: Path,
    files: Mapping[bytes, bytes | tuple[str, str]],
    parents: Iterable[str] = (),
    seconds: int = FIRST_DATE,
    ref: str | None = "refs/heads/main",
) -> str:
    """A commit of exactly these files."""
    return commit_tree(repo, nested(repo, files), parents, seconds, ref)


def loose(repo: Path, oid: str) -> Path:
    """The file of a loose object, made writable."""
    path = repo / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    return path


def put_loose(repo: Path, oid: str, kind: str, data: bytes) -> None:
    """Put other content under an id."""
    loose(repo, oid).write_bytes(zlib.compress(b"%s %d\0%s" % (kind.encode(), len(data), data)))


def flip(path: Path, bit: int) -> None:
    """Turn one bit of a file over (bit 0: the lowest of the first byte)."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.chmod(0o644)
    path.write_bytes(bytes(data))
