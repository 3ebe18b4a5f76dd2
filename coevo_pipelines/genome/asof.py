"""The commit of a branch at a day's end.

Rule: walk the first-parent line from the branch's tip and take the first commit whose committer date is before the
end. So a merged branch counts when it was merged, not when it was written. Clocks differ, so dates need not fall
along that line; from the rule follows:

- with the same tip, a later end never gives an older commit;
- a commit dated too late (a clock ahead) is passed over until its date has come, and what was built on it is not;
- a commit dated too early (a clock behind, a date that was set) is taken for every end after that date, with all that
  it was built on: git holds no other record of when it came. A mirror's own record of tips does (`mirrors.seen`).

A commit whose committer date git cannot read is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from coevo_pipelines.genome.git import Git, GitError, Objects

_PERSON = re.compile(rb"(?P<name>.*?) ?(?P<seconds>-?\d{1,18}) (?P<zone>[+-]\d{4,})\Z", re.DOTALL)


class CommitError(ValueError):
    """Bytes that are no commit; the message names the commit and the line."""


@dataclass(frozen=True)
class Stamp:
    """Who and when: `name <mail>` as stored, seconds since 1970 (UTC), the writer's zone (`+0200`)."""

    name: bytes
    seconds: int
    zone: str

    @property
    def when(self) -> datetime:
        """In UTC. OverflowError or ValueError for a year that a datetime cannot hold."""
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass(frozen=True)
class Commit:
    """A commit object, read from its bytes. A stamp is None where its line cannot be read."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: Stamp | None
    committer: Stamp | None
    encoding: str
    message: bytes


def parse(data: bytes, oid: str) -> Commit:
    """A commit object's bytes. CommitError unless it begins with a tree and its parents, as git writes it."""
    head, _, message = data.partition(b"\n\n")
    lines = head.split(b"\n")
    width = len(oid)
    tree = _id(lines[0], b"tree ", width)
    if tree is None:
        raise CommitError(f"commit {oid}: no tree in its first line {lines[0][:100]!r}")
    parents = []
    for line in lines[1:]:
        if not line.startswith(b"parent "):
            break
        parent = _id(line, b"parent ", width)
        if parent is None:
            raise CommitError(f"commit {oid}: unreadable parent in line {line[:100]!r}")
        parents.append(parent)
    headers: dict[bytes, bytes] = {}
    for line in lines[1 + len(parents) :]:
        name, _, value = line.partition(b" ")
        headers.setdefault(name, value)  # continuation lines have an empty name
    return Commit(
        oid,
        tree,
        tuple(parents),
        _stamp(headers.get(b"author")),
        _stamp(headers.get(b"committer")),
        headers.get(b"encoding", b"UTF-8").decode("ascii", "replace"),
        message,
    )


def read(objects: Objects, oid: str) -> Commit:
    """The commit of id `oid`. CommitError where it is something else, GitError where it is missing."""
    kind, data = objects.read(oid)
    if kind != "commit":
        raise CommitError(f"{oid} is a {kind}, not a commit")
    return parse(data, oid)


def commit_at(git: Git, ref: str, end: datetime) -> Commit | None:
    """The commit of `ref` (a branch, a tag, an id) just before `end`, an instant with a zone; None where the line
    begins later. GitError where `ref` leads nowhere or the line is broken."""
    if end.tzinfo is None:
        raise ValueError(f"{end}: an end without a time zone is no instant; give it in UTC")
    tip = git.resolve(ref)
    if tip is None:
        raise GitError(f"{git.repo}: {ref!r} is no commit here; fetch first, or name a branch that there is")
    with Objects(git) as objects, git.lines("rev-list", "--first-parent", "--timestamp", tip) as lines:
        for line in lines:
            seconds, oid = line.decode().split()
            if int(seconds) >= end.timestamp():
                continue
            commit = read(objects, oid)
            # git gives 0 for a date that it cannot read.
            if commit.committer is not None and commit.committer.seconds < end.timestamp():
                return commit
    return None


def _id(line: bytes, prefix: bytes, width: int) -> str | None:
    text = line.removeprefix(prefix)
    good = line.startswith(prefix) and len(text) == width and not text.strip(b"0123456789abcdef")
    return text.decode() if good else None


def _stamp(value: bytes | None) -> Stamp | None:
    found = _PERSON.match(value or b"")
    return Stamp(found["name"], int(found["seconds"]), found["zone"].decode()) if found else None
