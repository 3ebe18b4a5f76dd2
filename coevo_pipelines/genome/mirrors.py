"""Bare mirrors of repositories under one folder, fetched incrementally, that never lose what they once held.

`<name>.git` is the mirror, `<name>.jsonl` its record (one line a fetch: when, and what the remote showed),
`<name>.lock` keeps two fetches of it apart. A fetch brings the remote's branches and tags to `refs/incoming/`, and only
when all of it is there and checked (`fetch.fsckObjects`) are `refs/heads/` and `refs/tags/` moved. A tip that a
force-push or a deletion would lose gets the ref `refs/kept/<id>` first. So whenever a fetch is killed, the mirror is as
it was or as it will be, and the next fetch finishes the work. The first fetch works in a folder beside it that is moved
into place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from coevo_pipelines.genome.audit import LEGACY
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError, algorithm_of

FOLDER = "genome/mirrors"
"""Of a lake."""

PROTOCOLS = ("https", "http", "git", "file")
SSH = "ssh"

HEADS = "refs/heads/"
TAGS = "refs/tags/"
INCOMING = "refs/incoming/"
KEPT = "refs/kept/"
DETACHED = INCOMING + "detached"

SETTINGS = {
    "fetch.fsckObjects": "true",
    "transfer.fsckObjects": "true",
    "fetch.unpackLimit": "1",  # packs only: a checksum covers every bit of them
    "fetch.writeCommitGraph": "false",
    "http.lowSpeedLimit": "1000",  # bytes a second, over
    "http.lowSpeedTime": "60",  # so many seconds
    **{f"fetch.fsck.{name}": "ignore" for name in LEGACY},
}

_GONE = re.compile(
    r"not found|does not exist|does not appear to be a git repository|could not read Username|Authentication failed"
    r"|returned error: 4(?:01|03|04|10|51)|access denied|No such file or directory",
    re.IGNORECASE,
)
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Status = Literal["fetched", "gone", "failed"]
How = Literal["forced", "deleted", "replaced"]


@dataclass(frozen=True)
class Kept:
    """A tip that the remote has no more, and that `refs/kept/<old>` keeps. `forced`: `new` does not descend from it.
    `deleted`: the ref is gone. `replaced`: in a shallow mirror, where descent cannot be told."""

    ref: str
    old: str
    new: str | None
    how: How


@dataclass(frozen=True)
class Mirror:
    """A mirror after a fetch. `head` is the remote's default branch (None: detached, or no branch yet), `commit` its
    tip. `status` `gone`: the remote answers that there is nothing (or not for us); `failed`: anything else, such as no
    answer, objects that fsck refuses, a full disk. In both cases the rest is as the last good fetch left it, and
    `error` says why."""

    url: str
    path: Path
    status: Status
    head: str | None
    commit: str | None
    changed: int = 0
    kept: tuple[Kept, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Seen:
    """One line of a mirror's record: at `at` (UTC) the remote had these branches and tags (full name -> id)."""

    at: datetime
    url: str
    status: Status
    head: str | None
    commit: str | None
    refs: dict[str, str]
    kept: tuple[Kept, ...]
    depth: int | None
    error: str


def checked(url: str, *, ssh: bool = False) -> str:
    """`url` as git may be given it: an address of an allowed protocol, or a local path made absolute. ValueError for
    anything that git would take for an option, a remote helper (`ext::`, `fd::`) or another protocol."""
    shown = public(url)
    if not url or url.startswith("-") or _CONTROL.search(url) or _HELPER.match(url):
        raise ValueError(f"{shown!r} is no address of a repository: give an https, git or file URL, or a local path")
    allowed = (*PROTOCOLS, SSH) if ssh else PROTOCOLS
    if scheme := _SCHEME.match(url):
        if scheme[1].lower() not in allowed:
            raise ValueError(f"{shown!r}: protocol {scheme[1]} is not allowed; {', '.join(allowed)} are")
        if (host := urlsplit(url).netloc.rpartition("@")[2]).startswith("-"):
            raise ValueError(f"{shown!r}: {host!r} is no host")
        return url
    if not Path(url).exists() and re.match(r"[^/\\]+:", url):  # host:path, ssh's short form
        if not ssh:
            raise ValueError(f"{shown!r}: protocol ssh is not allowed; {', '.join(allowed)} are, and local paths")
        return url
    return str(Path(url).absolute())


def public(url: str) -> str:
    """The address without the password or token in it."""
    if not _SCHEME.match(url) or "@" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def name_of(url: str) -> str:
    """The mirror's name: the address's last two parts for a person, and a hash of all of it to be unique on any
    file system."""
    shown = public(url).rstrip("/").removesuffix(".git")
    words = [re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.") for part in re.split(r"[/\\:]", shown)[-2:]]
    return "-".join([*filter(None, words), hashlib.sha256(os.fsencode(public(url))).hexdigest()[:10]])[-100:]


def fetch(
    url: str,
    folder: Path,
    *,
    at: datetime,
    name: str | None = None,
    depth: int | None = None,
    ssh: bool = False,
    timeout: float = TIMEOUT,
) -> Mirror:
    """Bring the mirror of `url` under `folder` up to date, or make it; `at` (with a zone) is the time put on record.

    `depth` cuts history off (a shallow mirror) and should stay the same for a mirror; `timeout` in seconds for each
    of the two commands that talk to the remote. ValueError for an address or a name that is refused. GitError when
    there is no mirror yet and none can be made, naming the remote and git's last words; where there is a mirror
    the result says so instead (`gone`, `failed`).
    """
    if at.tzinfo is None:
        raise ValueError(f"{at}: a time without a zone is no instant; give it in UTC")
    address = checked(url, ssh=ssh)
    name = name_of(address) if name is None else name
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"{name!r} is no name for a mirror: letters, digits, '.', '_' and '-'")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.git"
    with FileLock(folder / f"{name}.lock"):
        for left in folder.glob(f".{name}.git-*"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            if path.exists():
                _clear(path)
                return _bring(address, path, path, at, depth, timeout, _remote(address, path, timeout))
            return _make(address, path, at, depth, timeout)
        except GitError as error:
            words = str(error).replace(url, public(url)).replace(address, public(address))
            if not path.exists():
                raise GitError(
                    f"{public(address)}: no mirror made: {words}", said=error.said, timed_out=error.timed_out
                ) from None
            git = Git(path)
            status: Status = "gone" if is_gone(error) else "failed"
            mirror = Mirror(public(address), path, status, _head(git), git.resolve("HEAD"), error=words)
            _record(mirror, at, git.refs(HEADS, TAGS), depth)
            return mirror


def is_gone(error: GitError) -> bool:
    """Whether the remote answered that there is nothing, or not for us; else it may be there tomorrow."""
    return not error.timed_out and _GONE.search(error.said) is not None


def seen(mirror: Path) -> Iterator[Seen]:
    """The mirror's record, oldest first. A line that a killed process cut off is no line."""
    file = mirror.with_suffix(".jsonl")
    refs: dict[str, str] = {}
    if not file.exists():
        return
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                row: dict[str, Any] = json.loads(line)
                refs = refs if row["refs"] is None else row["refs"]
                kept = tuple(Kept(**given) for given in row.pop("kept"))
                yield Seen(**{**row, "at": datetime.fromisoformat(row["at"]), "refs": refs, "kept": kept})
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{file} line {number}: not a line of a mirror's record ({error})") from error


def first_seen(mirror: Path, start: datetime, end: datetime) -> Seen | None:
    """What the first good fetch from `start` to `end` saw; None where there was none."""
    good = (row for row in seen(mirror) if start <= row.at <= end and row.status == "fetched")
    return min(good, key=lambda row: row.at, default=None)


@dataclass(frozen=True)
class _Remote:
    """What the remote lists: the branch that its HEAD names, the id of a HEAD that names none, its id format."""

    head: str | None
    detached: str | None
    algorithm: str


def _git(path: Path) -> Git:
    return Git(path, (*PROTOCOLS, SSH), SETTINGS)  # `checked` has said which of them this address may use


def _serving(address: str) -> list[str]:
    """A local repository may belong to somebody else (another user's folder, a mounted disk): git then refuses to
    serve it unless told that this is meant."""
    return ["--upload-pack=git -c 'safe.directory=*' upload-pack"] if address.startswith(("/", "file://")) else []


def _remote(address: str, path: Path, timeout: float) -> _Remote:
    out = _git(path).run("ls-remote", "--quiet", "--symref", *_serving(address), "--", address, timeout=timeout)
    head = detached = None
    algorithm = "sha1"
    for line in out.decode(errors="surrogateescape").removesuffix("\n").split("\n"):
        if not line:
            continue
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            head = value.removeprefix("ref: ")
            continue
        algorithm = algorithm_of(value)
        if name == "HEAD":
            detached = value
    if head is not None and head.startswith(HEADS):
        return _Remote(head, None, algorithm)
    return _Remote(None, detached, algorithm)


def _make(address: str, path: Path, at: datetime, depth: int | None, timeout: float) -> Mirror:
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        new = temporary / path.name
        remote = _remote(address, new, timeout)
        Git(new).run("init", "--quiet", "--bare", f"--object-format={remote.algorithm}", "--template=")
        mirror = _bring(address, new, path, at, depth, timeout, remote)
        new.replace(path)
        return mirror
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _bring(
    address: str, work: Path, path: Path, at: datetime, depth: int | None, timeout: float, remote: _Remote
) -> Mirror:
    """Fetch into the repository at `work`, which is or will be the mirror at `path`."""
    git = _git(work)
    git.run(
        "fetch",
        *("--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head"),
        *("--no-recurse-submodules", "--no-auto-maintenance", *_serving(address)),
        *([f"--depth={depth}"] if depth else []),
        *("--", address, f"+{HEADS}*:{INCOMING}heads/*", f"+{TAGS}*:{INCOMING}tags/*"),
        *([f"+HEAD:{DETACHED}"] if remote.detached else []),
        timeout=timeout,
    )
    incoming = git.refs(INCOMING)
    detached = incoming.pop(DETACHED, None)
    new = {"refs/" + name.removeprefix(INCOMING): oid for name, oid in incoming.items()}
    old = git.refs(HEADS, TAGS)
    kept = tuple(_lost(git, old, new))
    head = remote.head if remote.head in new else None
    commit = git.resolve(new[head]) if head else git.resolve(detached) if detached and remote.detached else None
    changed = sum(old.get(name) != new.get(name) for name in old | new)
    mirror = Mirror(public(address), path, "fetched", head, commit, changed, kept)
    # On record first: a fetch killed behind this is done, and told of, once more; one killed before it is not lost.
    _record(mirror, at, new, depth)
    _move(git, {f"{KEPT}{lost.old}": lost.old for lost in kept})
    _move(git, {name: None for name in old.keys() - new.keys()})  # first: a deleted `a` is in the way of a new `a/b`
    _move(git, {name: oid for name, oid in new.items() if old.get(name) != oid})
    if head:
        git.run("symbolic-ref", "HEAD", head)
    elif commit:
        git.run("update-ref", "--no-deref", "HEAD", commit)
    return mirror


def _lost(git: Git, old: dict[str, str], new: dict[str, str]) -> Iterator[Kept]:
    """Tips that moving the refs would leave without a name."""
    shallow = (git.folder / "shallow").exists()
    for name, oid in old.items():
        if name not in new:
            yield Kept(name, oid, None, "deleted")
        elif new[name] != oid and shallow:
            yield Kept(name, oid, new[name], "replaced")
        elif new[name] != oid and not (name.startswith(HEADS) and git.is_ancestor(oid, new[name])):
            yield Kept(name, oid, new[name], "forced")


def _move(git: Git, refs: dict[str, str | None]) -> None:
    """Set refs, or delete those of value None, all or none."""
    if not refs:
        return
    lines = (f"delete {name}\0\0" if oid is None else f"update {name}\0{oid}\0\0" for name, oid in refs.items())
    git.run("update-ref", "--stdin", "-z", stdin="".join(lines).encode(errors="surrogateescape"))


def _head(git: Git) -> str | None:
    answer = git.ask("symbolic-ref", "--quiet", "HEAD", accept=(0, 1))
    name = answer.out.decode(errors="surrogateescape").rstrip("\n")
    return name if name and git.resolve(name) else None


def _clear(path: Path) -> None:
    """Remove what a killed git leaves and trips over. Nobody else writes here: the mirror's lock is held, and a git
    that outlived its killed parent only adds objects and moves `refs/incoming/`."""
    for left in (*path.glob("*.lock"), *(path / "refs").rglob("*.lock"), *path.glob("objects/pack/tmp_*")):
        left.unlink(missing_ok=True)


def _record(mirror: Mirror, at: datetime, refs: dict[str, str], depth: int | None) -> None:
    """Append a line. Refs are null where they are as in the line before."""
    file = mirror.path.with_suffix(".jsonl")
    last = None
    for last in seen(mirror.path):  # noqa: B007
        pass
    row = {
        "at": at.astimezone(UTC).isoformat(),
        "url": mirror.url,
        "status": mirror.status,
        "head": mirror.head,
        "commit": mirror.commit,
        "refs": None if last is not None and last.refs == refs else refs,
        "kept": [asdict(lost) for lost in mirror.kept],
        "depth": depth,
        "error": mirror.error,
    }
    with file.open("a+b") as stream:
        stream.seek(0)
        whole = sum(len(line) for line in stream if line.endswith(b"\n"))
        stream.truncate(whole)
        stream.write(json.dumps(row, sort_keys=True).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
