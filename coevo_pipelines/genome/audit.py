"""Four checks of a commit in an object store; every object, nothing sampled, nothing taken from git's own answer alone.

1. Commit and tree: the commit's bytes hash to its id, git gives the tree that they name, and the commit is the one
   that the remote has, or on the line of what the mirror recorded.
2. Object store: `git fsck --full --strict` with the commit as head and `git rev-list --objects` for connectivity; and
   nothing that shows objects other than they are: no grafts, replace refs, alternates, promised objects, or (unless
   the mirror is meant to be shallow) cut-off history.
3. Files: each blob read back, its id recomputed here, its SHA-256 recorded.
4. Tree: every tree parsed, rebuilt from its entries with the ids recomputed in 3 and below, and compared; the root with
   the commit's.

Damage anywhere in the store fails level 2, also where this commit does not reach; an object that is only malformed
counts where the commit reaches it. What cannot be seen: the up to seven unused bits at the end of a loose object's
compressed stream, which stand for nothing. In packs a checksum covers them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from coevo_pipelines.genome import asof, trees
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError, Objects, algorithm_of, object_id
from coevo_pipelines.genome.trees import LIMITS, SUBMODULE, TREE, Entry, Limits, TreeError

T = TypeVar("T")
Status = Literal["passed", "failed", "not_run"]

HELD = 32 << 20
"""Blobs of more bytes are hashed in chunks."""

DAMAGED = 100
"""So many unreadable blobs end level 3: each costs a new process, and the store is beyond use."""

LEGACY = (
    "badTimezone",
    "badFilemode",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingNameBeforeEmail",
    "missingEmail",
    "badEmail",
    "badDate",
    "badDateOverflow",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
    "missingTaggerEntry",
    "badTagName",
)
"""fsck messages about form only, true of well-known old histories (docs: git-fsck, "FSCK MESSAGES"). They change no
file's bytes or name; a tree of the commit itself that is not in today's form still fails level 4."""

_ID = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b")
_PLACE = re.compile(r"objects/([0-9a-f]{2})/([0-9a-f]{62}|[0-9a-f]{38})\b")
_FORM = re.compile(r"(?:error|warning) in (?:blob|tree|commit|tag) ([0-9a-f]{40,64}): ")


@dataclass(frozen=True)
class Difference:
    """What is wrong with one object (an id, a ref or a file of the store), at `path` if it has one."""

    object: str
    path: str
    found: str
    expected: str


@dataclass(frozen=True)
class Level:
    """One row of the report: level 1 to 4, and how many objects were looked at."""

    level: int
    status: Status
    checked: int
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Content:
    """A blob that was read back whole."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Audit:
    """The four levels, in order, and by git id each blob that was read and is what its id says."""

    commit: str
    tree: str
    levels: tuple[Level, ...]
    contents: dict[str, Content] = field(default_factory=dict, repr=False)

    @property
    def passed(self) -> bool:
        """Nothing failed, and everything ran that can run without a remote."""
        first, *others = (level.status for level in self.levels)
        return first != "failed" and all(status == "passed" for status in others)


Visit = Callable[[Entry, bytes | None, Content | None], None]
"""Told of each file, in order of path: its bytes where they were read whole, its hashes unless it is a submodule or
not what its id says."""


@dataclass(frozen=True)
class _Forest:
    """Every tree of a commit once, whatever refers to it."""

    places: dict[str, tuple[str | None, bytes]]
    """Tree -> the tree that it was first met in, and its name there: paths of deep trees are not held."""
    entries: dict[str, list[Entry]]
    broken: dict[str, Difference]

    def path(self, tree: str | None, name: bytes = b"") -> str:
        names = [name] if name else []
        while tree is not None:
            tree, name = self.places[tree]
            names.append(name)
        return _text(b"/".join(filter(None, reversed(names))))


def audit(
    repo: Path | Git,
    commit: str,
    remote_tip: str | None = None,
    *,
    past: bool = False,
    shallow: bool = False,
    limits: Limits = LIMITS,
    timeout: float = TIMEOUT,
    visit: Visit | None = None,
    held: int = HELD,
) -> Audit:
    """The four levels for the commit of id `commit`.

    `remote_tip` is the commit that the remote's branch has (or that the mirror recorded); without it level 1 is not
    run. `past`: the commit is meant to be of an earlier day, so it may also lie on the tip's first-parent line.
    `shallow`: the mirror's history is cut off on purpose. `timeout` in seconds for each git command. `visit` is
    told of every file while it is read, blobs of up to `held` bytes whole: nothing of it may be used before the
    result is there. Damage is in the result, never raised.
    """
    algorithm_of(commit)
    git = repo if isinstance(repo, Git) else Git(repo)
    with Objects(git) as objects:
        try:
            kind, data = objects.read(commit)
            if kind != "commit":
                raise asof.CommitError(f"is a {kind}, not a commit")
            tree = asof.parse(data, commit).tree
        except (GitError, asof.CommitError) as error:
            first = Level(1, "failed", 0, (Difference(commit, "", str(error), "a commit"),))
            return Audit(commit, "", (first, *(Level(number, "not_run", 0) for number in (2, 3, 4))))
        own = object_id("commit", data, algorithm_of(commit))
        with ThreadPoolExecutor(1) as pool:  # git checks on one core what is hashed here on another
            second = pool.submit(_second, git, commit, shallow, timeout)
            first = _first(git, commit, own, tree, remote_tip, past)
            forest = _walk(objects, tree, limits)
            contents, third = _third(objects, tree, forest, limits, held, visit)
            fourth = _fourth(tree, forest, contents, limits)
    return Audit(commit, tree, (first, second.result(), third, fourth), contents)


def commit_level(git: Git, commit: str, remote_tip: str | None, *, past: bool = False) -> Level:
    """Level 1 alone, as in `audit`."""
    try:
        with Objects(git) as objects:
            kind, data = objects.read(commit)
        tree = asof.parse(data, commit).tree
    except (GitError, asof.CommitError) as error:
        return Level(1, "failed", 0, (Difference(commit, "", str(error), "a commit"),))
    return _first(git, commit, object_id(kind, data, algorithm_of(commit)), tree, remote_tip, past)


def _level(number: int, checked: int, differences: Iterable[Difference]) -> Level:
    found = tuple(differences)
    return Level(number, "failed" if found else "passed", checked, found)


def _first(git: Git, commit: str, own: str, tree: str, remote_tip: str | None, past: bool) -> Level:
    differences = []
    if own != commit:
        differences.append(Difference(commit, "", f"bytes of {own}", commit))
    answer = git.ask("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}", accept=(0, 1, 128))
    if (said := answer.out.decode().strip()) != tree:
        differences.append(Difference(commit, "", f"git gives tree {said or 'none'}", f"tree {tree}, in its bytes"))
    if remote_tip is None:
        return Level(1, "failed", 1, tuple(differences)) if differences else Level(1, "not_run", 1)
    algorithm_of(remote_tip)
    if commit != remote_tip and not (past and _on_line(git, commit, remote_tip)):
        expected = f"a commit of the line of {remote_tip}" if past else remote_tip
        differences.append(Difference(commit, "", _relation(git, commit, remote_tip), expected))
    return _level(1, 1, differences)


def _relation(git: Git, commit: str, tip: str) -> str:
    """How the mirror's commit stands to the remote's, as far as the mirror can tell."""
    if git.resolve(tip) is None:
        return f"the remote has {tip}, which is not here: behind, or another history; fetch and audit again"
    try:
        if git.is_ancestor(commit, tip):
            return f"behind the remote's {tip}"
        if git.is_ancestor(tip, commit):
            return f"ahead of the remote's {tip}"
    except GitError as error:
        return f"not the remote's {tip}; how they are related cannot be read: {error}"
    return f"another history than the remote's {tip}"


def _on_line(git: Git, commit: str, tip: str) -> bool:
    try:
        with git.lines("rev-list", "--first-parent", tip) as lines:
            return commit.encode() in lines
    except GitError:
        return False


def _second(git: Git, commit: str, shallow: bool, timeout: float) -> Level:
    differences = list(_disguises(git, shallow))
    reached, broken = _connectivity(git, commit)
    differences += broken
    differences += _fsck(git, commit, timeout)
    return _level(2, reached, differences)


def _disguises(git: Git, shallow: bool) -> Iterator[Difference]:
    """What makes git show other objects than the store holds, or hold fewer than it says."""
    for name, what in (
        ("info/grafts", "grafts: other parents than the commits name"),
        ("objects/info/alternates", "alternates: objects that lie elsewhere"),
        ("objects/info/http-alternates", "alternates: objects that lie elsewhere"),
        ("shallow", "a shallow file: history is cut off"),
    ):
        file = git.folder / name
        if not (shallow and name == "shallow") and file.exists() and file.read_bytes().strip():
            yield Difference(name, "", f"{what} ({_first_line(file)})", "no such file")
    try:
        replaced = git.refs("refs/replace/")
    except GitError as error:
        replaced = {}
        yield Difference("packed-refs", "", str(error), "refs that git can read")
    for ref, oid in replaced.items():
        yield Difference(ref.removeprefix("refs/replace/"), "", f"replace ref to {oid}", "no replace ref")
    for file in sorted((git.folder / "objects" / "pack").glob("*.promisor")):
        yield Difference(f"objects/pack/{file.name}", "", "a partial clone: objects only promised", "no such file")


def _first_line(file: Path) -> str:
    return file.read_bytes().strip().split(b"\n")[0][:100].decode(errors="backslashreplace")


def _connectivity(git: Git, commit: str) -> tuple[int, list[Difference]]:
    """How many objects the commit reaches, and which of them are missing."""
    count, missing = 0, []
    try:
        with git.lines("rev-list", "--objects", "--missing=print", commit) as lines:
            for line in lines:
                if line.startswith(b"?"):
                    missing.append(Difference(line[1:].decode(), "", "missing", "an object that the commit reaches"))
                else:
                    count += 1
    except GitError as error:
        missing.append(_said(commit, error))
    if not count and not missing:
        missing.append(Difference(commit, "", "reaches no object", "at least itself"))
    return count, missing


def _fsck(git: Git, commit: str, timeout: float) -> list[Difference]:
    settings = [part for name in LEGACY for part in ("-c", f"fsck.{name}=ignore")]
    arguments = ("fsck", "--full", "--strict", "--no-dangling", "--no-progress", commit)
    try:
        answer = git.ask(*settings, *arguments, timeout=timeout, accept=range(256))
    except GitError as error:
        return [_said(commit, error)]
    lines = [line for line in (answer.said + answer.out.decode(errors="replace")).splitlines() if line.strip()]
    formal = {found[1] for line in lines if (found := _FORM.match(line))}
    reached = _reached(git, commit, formal) if formal else set()
    differences = []
    for line in lines:
        form = _FORM.match(line)
        if form and (form[1] not in reached or line.startswith("warning")):
            continue
        if line.startswith(("notice:", "Checking ")):
            continue
        oid = form[1] if form else _named(line)
        differences.append(Difference(oid or str(git.folder), "", line.strip(), "no complaint of git fsck"))
    if answer.status and not lines:
        differences.append(Difference(commit, "", f"git fsck ended with status {answer.status}", "status 0"))
    return differences


def _reached(git: Git, commit: str, wanted: set[str]) -> set[str]:
    """Those of `wanted` that the commit reaches; all of them where that cannot be read."""
    try:
        with git.lines("rev-list", "--objects", "--missing=print", commit) as lines:
            return {oid for line in lines if (oid := line.lstrip(b"?").split(b" ", 1)[0].decode()) in wanted}
    except GitError:
        return wanted


def _said(commit: str, error: GitError) -> Difference:
    return Difference(error.oid or _named(error.said) or commit, "", str(error), "git to read it to its end")


def _named(line: str) -> str | None:
    """The object that a line is about: the one whose file it names, as bytes under another id give two ids."""
    if place := _PLACE.search(line):
        return place[1] + place[2]
    found = _ID.search(line)
    return found[0] if found else None


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _surviving(
    read: Callable[[list[str]], Iterator[T]], oids: list[str], failed: Callable[[str, str], None]
) -> Iterator[T]:
    """What `read` gives for each of `oids`, going on behind those that it fails on, up to `DAMAGED` of them."""
    at = failures = 0
    while at < len(oids) and failures < DAMAGED:
        try:
            for row in read(oids[at:]):
                at += 1
                yield row
        except GitError as error:
            failures += 1
            failed(oids[at], str(error))
            at += 1
    for oid in oids[at:]:
        failed(oid, f"not read: {DAMAGED} others could not be read")


def _walk(objects: Objects, root: str, limits: Limits) -> _Forest:
    forest = _Forest({root: (None, b"")}, {}, {})

    def failed(oid: str, what: str, expected: str = "a tree") -> None:
        forest.broken[oid] = Difference(oid, forest.path(oid), what, expected)

    met = level = 0
    waiting = [root]
    while waiting:
        level += 1
        if level > limits.depth:
            failed(waiting[0], f"more than {limits.depth} levels of directories", "fewer")
            return forest
        coming: list[str] = []
        for oid, kind, data in _surviving(objects.read_many, waiting, failed):
            if kind != "tree":
                failed(oid, f"a {kind}")
                continue
            try:
                inside = trees.parse(data, oid)
            except TreeError as error:
                failed(oid, str(error), "a tree that git would write")
                continue
            met += len(inside)
            if met > limits.entries:
                failed(oid, f"more than {limits.entries} entries in the trees up to this one", "fewer")
                return forest
            forest.entries[oid] = inside
            for entry in inside:
                if entry.mode == TREE and entry.oid not in forest.places:
                    forest.places[entry.oid] = (oid, entry.path)
                    coming.append(entry.oid)
        waiting = coming
    return forest


def _third(
    objects: Objects, root: str, forest: _Forest, limits: Limits, held: int, visit: Visit | None
) -> tuple[dict[str, Content], Level]:
    try:
        entries = list(trees.entries(lambda oid: forest.entries.get(oid, []), root, limits))
    except TreeError as error:
        return {}, _level(3, 0, [Difference(root, _text(error.path), error.what, "fewer")])
    reading = _Reading(objects, algorithm_of(root), held)
    for entry in entries:
        if entry.mode != SUBMODULE:
            reading.places.setdefault(entry.oid, entry.path)
    places = reading.places
    # Whoever looks on is told of a file each time that it comes; else a blob is read once.
    asked = entries if visit else [Entry(path, 0, oid) for oid, path in places.items()]
    for entry, data in reading.read(asked):
        if visit:
            visit(entry, data, reading.contents.get(entry.oid))
    if not places:
        nothing = "at least one: a check of nothing shows nothing"
        reading.differences[root] = Difference(root, "", "no file to read", nothing)
    return reading.contents, _level(3, len(places), reading.differences.values())


class _Reading:
    """Blobs read back and hashed: what they are, and what is wrong with those that are not what their ids say."""

    def __init__(self, objects: Objects, algorithm: str, held: int) -> None:
        self.places: dict[str, bytes] = {}
        self.contents: dict[str, Content] = {}
        self.differences: dict[str, Difference] = {}
        self._objects = objects
        self._algorithm = algorithm
        self._held = held

    def read(self, asked: list[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Each entry, with its bytes where they are read whole."""
        sizes = self._sizes()
        small = [entry.oid for entry in asked if 0 <= sizes.get(entry.oid, -1) <= self._held]
        whole = _surviving(self._objects.blobs, small, self._failed)
        oid, data = next(whole, (None, b""))
        for entry in asked:
            if entry.oid == oid:
                own = data
                if oid not in self.contents:
                    self._keep(oid, object_id("blob", own, self._algorithm), len(own), hashlib.sha256(own).hexdigest())
                yield entry, own
                oid, data = next(whole, (None, b""))
                continue
            if sizes.get(entry.oid, 0) > self._held and entry.oid not in self.contents:
                for hashed in _surviving(lambda oids: map(self._objects.hashed, oids), [entry.oid], self._failed):
                    self._keep(entry.oid, hashed.oid, hashed.size, hashed.sha256)
            yield entry, None

    def _sizes(self) -> dict[str, int]:
        sizes = {}
        for oid, kind, size in _surviving(self._objects.sizes, list(self.places), self._failed):
            if kind == "blob":
                sizes[oid] = size
            else:
                self._failed(oid, f"a {kind}")
        return sizes

    def _keep(self, oid: str, own: str, size: int, sha256: str) -> None:
        if own == oid:
            self.contents[oid] = Content(size, sha256)
        else:
            self._failed(oid, f"bytes of {own}", oid)

    def _failed(self, oid: str, what: str, expected: str = "a file's bytes") -> None:
        self.differences.setdefault(oid, Difference(oid, _text(self.places[oid]), what, expected))


def _fourth(root: str, forest: _Forest, contents: dict[str, Content], limits: Limits) -> Level:
    rebuilt: dict[str, str | None] = {oid: None for oid in forest.broken}
    heights = dict.fromkeys(forest.broken, 1)
    differences = list(forest.broken.values())
    opened: set[str] = set()
    stack = [root]
    while stack:
        tree = stack[-1]
        if tree in rebuilt:
            stack.pop()
            continue
        inside = forest.entries.get(tree, [])
        below = {entry.oid for entry in inside if entry.mode == TREE}
        if tree not in opened:
            opened.add(tree)
            # One that is open already contains itself: bytes under a name that is not theirs. It stays unbuilt.
            if fresh := [oid for oid in below if oid not in rebuilt and oid not in opened]:
                stack += fresh
                continue
        heights[tree] = 1 + max((heights.get(oid, 0) for oid in below), default=0)
        rebuilt[tree], lacking = _rebuild(tree, inside, rebuilt, contents)
        if rebuilt[tree] != tree:
            found = (
                f"rebuilt as {rebuilt[tree]}" if lacking is None else f"not rebuilt: {lacking} is not what its id says"
            )
            differences.append(Difference(tree, forest.path(tree), found, tree))
    if heights[root] > limits.depth:
        differences.append(Difference(root, "", f"{heights[root]} levels of directories", f"at most {limits.depth}"))
    return _level(4, len(opened), differences)


def _rebuild(
    tree: str, inside: list[Entry], rebuilt: dict[str, str | None], contents: dict[str, Content]
) -> tuple[str | None, str | None]:
    """The tree's id from what its entries were found to be, or the first of them that could not be."""
    new = []
    for entry in inside:
        if entry.mode == TREE:
            own = rebuilt.get(entry.oid)
        else:
            own = entry.oid if entry.mode == SUBMODULE or entry.oid in contents else None
        if own is None:
            return None, entry.oid
        new.append(entry if own == entry.oid else entry._replace(oid=own))
    return object_id("tree", trees.build(new), algorithm_of(tree)), None
