"""git trees: bytes parsed and rebuilt, and a tree's files walked in order of path, without recursion.

A tree is a row of entries `<mode in octal> <name>\\0<id, 20 or 32 bytes>`. git orders them by name, a directory as if
its name ended in `/`; so the walk meets files in byte order of their full paths (`a.b`, `a/x`, `a0`).
Everything in a tree comes from strangers: whatever git itself would not write is an error, and a walk has limits, as
a few kB of trees that refer to each other can stand for any number of files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from coevo_pipelines.genome.git import Objects

TREE = 0o040000
LINK = 0o120000
SUBMODULE = 0o160000
FILES = frozenset({0o100644, 0o100755, 0o100664})
"""Regular files. 100664 is in histories from before git 1.0 (fsck: badFilemode)."""
MODES = FILES | {TREE, LINK, SUBMODULE}

_MODE = re.compile(rb"[1-7][0-7]{4,5}\Z")


class TreeError(ValueError):
    """A tree that git would not write, or that is beyond a limit; the message names tree and path."""

    def __init__(self, tree: str, what: str, path: bytes = b"") -> None:
        super().__init__(f"tree {tree}{f' at {shown(path)}' if path else ''}: {what}")
        self.tree = tree
        self.what = what
        self.path = path


class Entry(NamedTuple):
    """A line of a tree. `path` is relative to the tree that was asked for: a name in `parse`, a path in `entries`."""

    path: bytes
    mode: int
    oid: str


@dataclass(frozen=True)
class Limits:
    """What a walk may meet: entries (files and directories, each time they are met), levels of directories, bytes
    of a path."""

    entries: int = 1_000_000
    depth: int = 1_000
    path_bytes: int = 65_536


LIMITS = Limits()


def shown(path: bytes) -> str:
    """A path for a message: one printable line, cut in the middle when long."""
    text = path if len(path) <= 300 else path[:150] + b" ... " + path[-145:]
    return repr(text)[1:]


def key(entry: Entry) -> bytes:
    """What git sorts the entries of a tree by."""
    return entry.path + b"/" if entry.mode == TREE else entry.path


def parse(data: bytes, tree: str) -> list[Entry]:
    """The entries of a tree object of id `tree` (40 hex digits: sha1 ids inside, 64: sha256). TreeError."""
    width = len(tree) // 2
    found: list[Entry] = []
    names: set[bytes] = set()
    position, before = 0, b""
    while position < len(data):
        space = data.find(b" ", position, position + 7)
        end = data.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + width > len(data):
            raise TreeError(tree, f"entry {len(found) + 1} is cut off or has no mode, at byte {position}")
        mode, name = data[position:space], data[space + 1 : end]
        position = end + 1 + width
        entry = Entry(name, _mode(mode, tree, name), data[end + 1 : position].hex())
        _check_name(name, tree)
        if name in names:
            raise TreeError(tree, "two entries have this name", name)
        names.add(name)
        order = key(entry)
        if order < before:
            raise TreeError(tree, "out of git's order", name)
        before = order
        found.append(entry)
    return found


def build(entries: Iterable[Entry]) -> bytes:
    """The tree object's bytes, entries put in git's order."""
    return b"".join(
        b"%o %s\0%s" % (entry.mode, entry.path, bytes.fromhex(entry.oid)) for entry in sorted(entries, key=key)
    )


def entries(inside: Callable[[str], list[Entry]], tree: str, limits: Limits = LIMITS) -> Iterator[Entry]:
    """Files, links and submodules under `tree`, in byte order of their full paths. An empty directory has none.

    `inside` gives the entries of a tree by its id. TreeError at a limit, after the entries before it.
    """
    met = 0
    stack = [(b"", iter(inside(tree)))]
    while stack:
        prefix, rest = stack[-1]
        entry = next(rest, None)
        if entry is None:
            stack.pop()
            continue
        met += 1
        path = prefix + entry.path
        if met > limits.entries:
            raise TreeError(tree, f"more than {limits.entries} entries", path)
        if len(path) > limits.path_bytes:
            raise TreeError(tree, f"a path of more than {limits.path_bytes} bytes", path)
        if entry.mode != TREE:
            yield Entry(path, entry.mode, entry.oid)
            continue
        if len(stack) >= limits.depth:
            raise TreeError(tree, f"more than {limits.depth} levels of directories", path)
        stack.append((path + b"/", iter(inside(entry.oid))))


def read(objects: Objects, tree: str) -> list[Entry]:
    """The entries of a tree object. TreeError where it is malformed or something else, GitError where it is
    missing."""
    kind, data = objects.read(tree)
    if kind != "tree":
        raise TreeError(tree, f"is a {kind}, not a tree")
    return parse(data, tree)


def _mode(text: bytes, tree: str, name: bytes) -> int:
    mode = int(text, 8) if _MODE.match(text) else 0
    if mode not in MODES:
        raise TreeError(tree, f"mode {text.decode(errors='backslashreplace')!r} is none of git's", name)
    return mode


def _check_name(name: bytes, tree: str) -> None:
    if not name:
        raise TreeError(tree, "an entry without a name")
    if b"/" in name:
        raise TreeError(tree, "a name with a slash", name)
    if name in {b".", b".."} or name.lower() == b".git":
        raise TreeError(tree, "a name that leads elsewhere", name)
