"""SWHIDs (ISO/IEC 18670, specification v1.2): ids of contents, directories, revisions, releases and snapshots.

The first four equal git's sha1 ids. A snapshot is hashed like a git object of kind `snapshot`; its manifest is one
record a branch, `<type> <name>\\0<length>:<target>`, in byte order of the names, with nothing between them
(section 5 of the specification, https://www.swhid.org/specification/v1.2/5.Core_identifiers/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from coevo_pipelines.genome.git import Git, algorithm_of, object_id
from coevo_pipelines.genome.trees import Entry, build

KINDS = {"blob": "cnt", "tree": "dir", "commit": "rev", "tag": "rel"}
"""git's kind of an object -> the SWHID's."""

_TYPES = {"blob": "content", "tree": "directory", "commit": "revision", "tag": "release"}

Type = Literal["content", "directory", "revision", "release", "snapshot", "alias"]


class Target(NamedTuple):
    """What a branch of a snapshot stands for: an object's id, or for an alias the name of another branch."""

    type: Type
    id: str | bytes


def from_git(kind: str, oid: str) -> str:
    """The SWHID of a git object by its id. ValueError for an id of a sha256 repository, which no SWHID v1 equals:
    its contents have one by their bytes (`content`), its directories and revisions have none."""
    if algorithm_of(oid) != "sha1":
        raise ValueError(f"{kind} {oid}: a SWHID v1 is a sha1, and this repository's ids are sha256")
    return f"swh:1:{KINDS[kind]}:{oid}"


def content(data: bytes) -> str:
    """`swh:1:cnt:` of a file's bytes."""
    return from_git("blob", object_id("blob", data))


def directory(entries: Iterable[Entry]) -> str:
    """`swh:1:dir:` of a directory's entries (names, modes, sha1 ids), in any order."""
    return from_git("tree", object_id("tree", build(entries)))


def revision(data: bytes) -> str:
    """`swh:1:rev:` of a commit object's bytes."""
    return from_git("commit", object_id("commit", data))


def release(data: bytes) -> str:
    """`swh:1:rel:` of a tag object's bytes."""
    return from_git("tag", object_id("tag", data))


def snapshot(branches: Mapping[bytes, Target | None]) -> str:
    """`swh:1:snp:` of branch name -> target; None for a branch that leads nowhere."""
    manifest = b"".join(_record(name, branches[name]) for name in sorted(branches))
    return f"swh:1:snp:{object_id('snapshot', manifest)}"


def branches_of(git: Git) -> dict[bytes, Target | None]:
    """The branches and tags of a repository and where its HEAD leads, as `snapshot` takes them. Other refs (what a
    mirror keeps of former days) are no part of it."""
    rows = git.run(
        "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)", "refs/heads/", "refs/tags/"
    ).splitlines()
    found: dict[bytes, Target | None] = {}
    for kind, oid, name in (row.split(b" ", 2) for row in rows):
        found[name] = Target(_TYPES[kind.decode()], oid.decode())  # type: ignore[arg-type]
    head = git.ask("symbolic-ref", "--quiet", "HEAD", accept=(0, 1))
    if head.status == 0:
        name = head.out.rstrip(b"\n")
        found[b"HEAD"] = Target("alias", name) if name in found else None
    elif commit := git.resolve("HEAD"):
        found[b"HEAD"] = Target("revision", commit)
    return found


def _record(name: bytes, target: Target | None) -> bytes:
    if target is None:
        kind, identifier = "dangling", b""
    else:
        kind = target.type
        identifier = target.id if isinstance(target.id, bytes) else bytes.fromhex(target.id)
        if kind != "alias" and len(identifier) != 20:
            raise ValueError(f"branch {name!r}: {target.id!r} is no sha1 id, and a SWHID v1 takes no other")
    return b"%s %s\0%d:%s" % (kind.encode(), name, len(identifier), identifier)
