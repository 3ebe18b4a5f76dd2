"""Bare mirrors of repositories under one folder, fetched incrementally, that never lose what they once held.

`<name>.git` is the mirror, `<name>.jsonl` its record (one line a fetch: when, and what the remote showed),
`<name>.lock` keeps two fetches of it apart. A fetch brings the remote's branches and tags to `refs/incoming/`, and only
when all of it is there and checked (`fetch.fsckObjects`) are `refs/heads/` and `refs/tags/` moved. A tip that a
force-push or a deletion would lose gets the ref `refs/kept/<id>` first. So whenever a fetch is killed, the mirror is as
it was or as it will be, and the next fetch finishes the work. The first fetch works in a folder beside it that is moved
into place.

A mirror whose own store is damaged is made anew from the remote, takes over what is whole in the old one, and that is
set aside as `<name>.damaged-<UTC time>.git`, never deleted. An audit that finds damage says so by `mark_damaged`, an
empty file `<name>.damaged`, as a fetch alone may not meet it. Whether there is damage says `git fsck --full`, so that
what the remote itself has does not make a mirror anew day after day.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from coevo_pipelines.genome.audit import LEGACY
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError, algorithm_of

log = logging.getLogger(__name__)

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
_SAID = re.compile(r"^(?:fatal|error|ERROR): (.+)$", re.MULTILINE)
_FOLLOWS = re.compile(
    r"fetch-pack: invalid index-pack output|index-pack failed|could not read from remote repository"
    r"|the remote end hung up",
    re.IGNORECASE,
)
"""What git says after it has said why."""
_VARIES = re.compile(r" after \d+ (?:ms|milliseconds)\b|(?<=tmp_pack)_\w+|(?<=tmp_idx)_\w+|(?<=tmp_obj)_\w+")
_ENDED = re.compile(r"(?:status|killed by signal) \d+(?=: )|git is not installed.*")
_LONGEST = 300
"""Characters of an error on record and in tables."""

_PLAINLY = (
    *("--quiet", "--force", "--no-tags", "--no-write-fetch-head"),
    *("--no-recurse-submodules", "--no-auto-maintenance"),
)
"""A fetch of the refs that it names, and nothing else."""

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
    answer, objects that fsck refuses, a full disk. In both cases `head` and `commit` are those of the last good look
    that had a commit, and `error` says why: one line, and the same for the same reason."""

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

    def failed(error: GitError, status: Status) -> Mirror:
        log.debug("genome: %s: %s", name, public_text(str(error), url, address))
        words = shown(public_text(_why(error), url, address), folder)
        if not path.exists():
            raise GitError(
                f"{public(address)}: no mirror made: {words}",
                said=error.said if status == "gone" else "",
                timed_out=error.timed_out,
            ) from None
        last, tip = _last(path), last_tip(path, at)
        head, commit = (tip.head, tip.commit) if tip else (None, None)
        words = f"the remote is gone: {words}" if status == "gone" else words
        mirror = Mirror(public(address), path, status, head, commit, error=words)
        _record(mirror, at, last.refs if last else {}, depth)
        return mirror

    with FileLock(folder / f"{name}.lock"):
        for left in folder.glob(f".{name}.git-*"):
            shutil.rmtree(left, ignore_errors=True)
        if Path(address).is_absolute() and not any(map(Path.exists, (Path(address), path, _record_of(path)))):
            # Somebody named a place that never was: a slip of the pen, and no remote that went away.
            raise GitError(f"{public(address)}: no mirror made: there is no such folder")
        try:
            remote = _remote(address, folder / f".{name}.git-none", timeout)
        except GitError as error:
            return failed(error, "gone" if is_gone(error) else "failed")
        try:
            if path.exists() and (not is_marked(path) or _is_whole(path, timeout)):
                _clear(path)
                _mark(path).unlink(missing_ok=True)
                try:
                    return _unchanged(address, path, at, depth, timeout, remote) or _bring(
                        address, path, path, at, depth, timeout, remote
                    )
                except GitError as error:
                    if error.timed_out or _is_whole(path, timeout) is not False:
                        raise
                    why = shown(public_text(_why(error), url, address), folder)
                    log.warning("genome: mirror %s is damaged and made anew: %s", path.name, why)
                    mark_damaged(path)  # so that the next fetch goes on with this if this one is killed
            return _make(address, path, at, depth, timeout, remote)
        except GitError as error:
            return failed(error, "failed")  # the remote has just answered


def mark_damaged(mirror: Path) -> None:
    """Have the next fetch check the mirror's store, and make it anew where that is damaged, even if fetching works."""
    _mark(mirror).touch()


def is_marked(mirror: Path) -> bool:
    """Whether `mark_damaged` was called, and the mirror has not been made anew or found whole since."""
    return _mark(mirror).exists()


def is_shallow(mirror: Path) -> bool:
    """Whether its history is cut off because a fetch asked for a depth; not where the remote's own history is cut."""
    return _is_cut(mirror) and any(row.status == "fetched" and row.depth for row in seen(mirror))


def is_gone(error: GitError) -> bool:
    """Whether the remote answered that there is nothing, or not for us; else it may be there tomorrow."""
    return not error.timed_out and _GONE.search(error.said) is not None


def shown(text: str, folder: Path) -> str:
    """`text` with the paths in `folder` (of mirrors) as they are in every lake, and without names made at random."""
    for base in {re.escape(str(folder.absolute())), re.escape(str(folder.resolve()))}:
        text = re.sub(rf"{base}/(?:\.[^/\s']+/)?", "", text)
        text = re.sub(rf"{base}(?![\w.-])", FOLDER, text)
    return re.sub(r"\.([^/\s']+\.git)-\w{8}\b", r"\1", _VARIES.sub("", text))


def public_text(text: str, *urls: str) -> str:
    """`text` without the password or token of an address in it."""
    for url in urls:
        text = text.replace(url, public(url))
    return re.sub(r"(?<=://)[^/@\s']*@", "", text)


def _why(error: GitError) -> str:
    """git's last words that tell something, on one line."""
    if error.timed_out:
        return f"no answer within {str(error).rpartition('no end after ')[2]}"
    lines: list[str] = _SAID.findall(error.said)
    telling = [line for line in lines if not _FOLLOWS.match(line)] or lines
    if not telling:
        ended = _ENDED.search(str(error))
        return f"git: {ended[0] if ended else 'no words'}"
    if telling[-1].startswith("fsck error") and len(telling) > 1:
        telling[-1] += f": {telling[-2]}"
    return telling[-1][:_LONGEST]


def seen(mirror: Path) -> Iterator[Seen]:
    """The mirror's record, oldest first. A line that a killed process cut off is no line."""
    file = _record_of(mirror)
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


def last_tip(mirror: Path, upto: datetime) -> Seen | None:
    """The last good look until `upto` that saw a commit; None where there was none."""
    good = (row for row in seen(mirror) if row.at <= upto and row.status == "fetched" and row.commit)
    return max(good, key=lambda row: row.at, default=None)


def _last(mirror: Path) -> Seen | None:
    last = None
    for last in seen(mirror):  # noqa: B007
        pass
    return last


def _record_of(mirror: Path) -> Path:
    return mirror.with_suffix(".jsonl")


def _mark(mirror: Path) -> Path:
    return mirror.with_suffix(".damaged")


@dataclass(frozen=True)
class _Remote:
    """What the remote lists: the branch that its HEAD names (None: it names none), the id that HEAD stands for, its
    branches and tags (full name -> id), its id format."""

    head: str | None
    tip: str | None
    refs: dict[str, str]
    algorithm: str


def _git(path: Path) -> Git:
    return Git(path, (*PROTOCOLS, SSH), SETTINGS)  # `checked` has said which of them this address may use


def _serving(address: str) -> list[str]:
    """A local repository may belong to somebody else (another user's folder, a mounted disk): git then refuses to
    serve it unless told that this is meant."""
    return ["--upload-pack=git -c 'safe.directory=*' upload-pack"] if address.startswith(("/", "file://")) else []


def _remote(address: str, path: Path, timeout: float) -> _Remote:
    out = _git(path).run("ls-remote", "--quiet", "--symref", *_serving(address), "--", address, timeout=timeout)
    head = tip = None
    refs: dict[str, str] = {}
    algorithm = "sha1"
    for line in out.decode(errors="surrogateescape").removesuffix("\n").split("\n"):
        if not line:
            continue
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            head = value.removeprefix("ref: ") if name == "HEAD" else head
            continue
        algorithm = algorithm_of(value)
        if name == "HEAD":
            tip = value
        elif name.startswith((HEADS, TAGS)) and not name.endswith("^{}"):
            refs[name] = value
    return _Remote(head if head in refs else None, tip, refs, algorithm)


def _unchanged(
    address: str, path: Path, at: datetime, depth: int | None, timeout: float, remote: _Remote
) -> Mirror | None:
    """The mirror as it is, with one more line on record, where the remote has nothing that it has not; else None."""
    good = None
    for row in seen(path):
        good = row if row.status == "fetched" else good
    if good is None or good.depth != depth or (depth is None and _is_cut(path)):
        return None
    own = _remote(str(path.absolute()), path, timeout)  # without the refs whose objects are missing
    if own.refs != remote.refs or (remote.tip and (own.head, own.tip) != (remote.head, remote.tip)):
        return None
    mirror = Mirror(public(address), path, "fetched", remote.head, remote.tip)
    _record(mirror, at, remote.refs, depth)
    return mirror


def _make(address: str, path: Path, at: datetime, depth: int | None, timeout: float, remote: _Remote) -> Mirror:
    """A new mirror, in the place of a damaged one if there is one, of which it keeps what is whole."""
    damaged = path if path.exists() else max(path.parent.glob(f"{path.stem}.damaged-*.git"), default=None)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        new = temporary / path.name
        Git(new).run("init", "--quiet", "--bare", f"--object-format={remote.algorithm}", "--template=")
        mirror = _bring(address, new, path, at, depth, timeout, remote, damaged)
        if path.exists():
            path.rename(_aside(path, at))
        new.replace(path)
        _mark(path).unlink(missing_ok=True)
        return mirror
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _aside(path: Path, at: datetime) -> Path:
    """Where a damaged mirror goes: a name that is not taken."""
    stem = f"{path.stem}.damaged-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    names = (f"{stem}{number}.git" for number in ("", *(f"_{each}" for each in range(2, 1000))))
    return next(place for place in map(path.with_name, names) if not place.exists())


def _bring(
    address: str,
    work: Path,
    path: Path,
    at: datetime,
    depth: int | None,
    timeout: float,
    remote: _Remote,
    damaged: Path | None = None,
) -> Mirror:
    """Fetch into the repository at `work`, which is or will be the mirror at `path`, in the place of `damaged`."""
    git = _git(work)
    detached_head = remote.tip is not None and remote.head is None

    def get(*options: str) -> None:
        git.run(
            *("fetch", *_PLAINLY, "--prune", *_serving(address), *options),
            *("--", address, f"+{HEADS}*:{INCOMING}heads/*", f"+{TAGS}*:{INCOMING}tags/*"),
            *([f"+HEAD:{DETACHED}"] if detached_head else []),
            timeout=timeout,
        )

    if depth is None and _is_cut(work):
        try:
            get("--unshallow")
        except GitError as error:
            if error.timed_out:
                raise
            get()  # a remote that cannot serve more than it did
    else:
        get(*([f"--depth={depth}"] if depth else []))
    incoming = git.refs(INCOMING)
    detached = incoming.pop(DETACHED, None)
    new = {"refs/" + name.removeprefix(INCOMING): oid for name, oid in incoming.items()}
    head = remote.head if remote.head in new else None
    commit = git.resolve(new[head]) if head else git.resolve(detached) if detached and detached_head else None
    here = git.refs(HEADS, TAGS)
    old, lacking = here, set[str]()
    if work != path:
        lacking = _take_over(git, damaged, path, timeout)
        last = _last(path)
        old = last.refs if last else {}
    kept = tuple(_lost(git, old, new, lacking))
    changed = sum(old.get(name) != new.get(name) for name in old | new)
    mirror = Mirror(public(address), path, "fetched", head, commit, changed, kept)
    # On record first: a fetch killed behind this is done, and told of, once more; one killed before it is not lost.
    _record(mirror, at, new, depth)
    _move(git, {f"{KEPT}{lost.old}": lost.old for lost in kept if lost.old not in lacking})
    _move(git, {name: None for name in here.keys() - new.keys()})  # first: a deleted `a` is in the way of a new `a/b`
    _move(git, {name: oid for name, oid in new.items() if here.get(name) != oid})
    if head:
        git.run("symbolic-ref", "HEAD", head)
    elif commit:
        git.run("update-ref", "--no-deref", "HEAD", commit)
    return mirror


def _take_over(git: Git, damaged: Path | None, path: Path, timeout: float) -> set[str]:
    """Keep what the mirror at `damaged` held, by its refs and the record of `path`, and the remote has no more: each
    tip for itself, so that one that cannot be read costs no other. The ids of those that cannot."""
    wanted = {oid for row in seen(path) for oid in (*row.refs.values(), *(lost.old for lost in row.kept))}
    wanted |= {row.commit for row in seen(path) if row.commit}
    if damaged:
        with suppress(GitError):
            wanted |= set(Git(damaged).refs().values())
    wanted -= set(git.refs(INCOMING).values())
    with git.lines("rev-list", f"--glob={INCOMING}*") as reached:
        for line in reached:
            wanted.discard(line.decode())
    if damaged is None or not wanted:
        return wanted
    # Damaged settings, refs and objects stop git from serving the rest: a repository without any of them shows the
    # objects of both stores, and git takes each from where it is whole.
    view = git.folder.with_name("view.git")
    Git(view).run("init", "--quiet", "--bare", f"--object-format={algorithm_of(min(wanted))}", "--template=")
    stores = (git.folder / "objects", damaged / "objects")
    lines = b"".join(os.fsencode(store.absolute()) + b"\n" for store in stores)
    (view / "objects" / "info" / "alternates").write_bytes(lines)
    if _is_cut(git.folder) and _is_cut(damaged):
        shutil.copy(damaged / "shallow", view)
    place = str(view.absolute())
    options = (*_PLAINLY, *_serving(place), *(["--update-shallow"] if _is_cut(git.folder) else []))
    lacking = set()
    for oid in sorted(wanted):
        try:
            git.run("fetch", *options, "--", place, f"{oid}:{KEPT}{oid}", timeout=timeout)
        except GitError as error:
            log.debug("genome: %s of mirror %s is lost: %s", oid, path.name, error)
            lacking.add(oid)
    return lacking


def _is_whole(path: Path, timeout: float) -> bool | None:
    """Whether git's own check of the whole store finds no errors; None where it does not end in time."""
    git = Git(path, settings={f"fsck.{name}": "ignore" for name in LEGACY})
    try:
        git.run("fsck", "--full", "--no-dangling", "--no-progress", timeout=timeout)
    except GitError as error:
        return None if error.timed_out else False
    return True


def _is_cut(path: Path) -> bool:
    shallow = path / "shallow"
    return shallow.is_file() and shallow.stat().st_size > 0


def _lost(git: Git, old: dict[str, str], new: dict[str, str], lacking: set[str]) -> Iterator[Kept]:
    """Tips that moving the refs would leave without a name. Those `lacking` here are no ancestors of what is."""
    shallow = (git.folder / "shallow").exists()
    for name, oid in old.items():
        if name not in new:
            yield Kept(name, oid, None, "deleted")
        elif new[name] != oid and shallow:
            yield Kept(name, oid, new[name], "replaced")
        elif new[name] != oid and (oid in lacking or not (name.startswith(HEADS) and git.is_ancestor(oid, new[name]))):
            yield Kept(name, oid, new[name], "forced")


def _move(git: Git, refs: dict[str, str | None]) -> None:
    """Set refs, or delete those of value None, all or none."""
    if not refs:
        return
    lines = (f"delete {name}\0\0" if oid is None else f"update {name}\0{oid}\0\0" for name, oid in refs.items())
    git.run("update-ref", "--stdin", "-z", stdin="".join(lines).encode(errors="surrogateescape"))


def _clear(path: Path) -> None:
    """Remove what a killed git leaves and trips over. Nobody else writes here: the mirror's lock is held, and a git
    that outlived its killed parent only adds objects and moves `refs/incoming/`."""
    for left in (*path.glob("*.lock"), *(path / "refs").rglob("*.lock"), *path.glob("objects/pack/tmp_*")):
        left.unlink(missing_ok=True)


def _record(mirror: Mirror, at: datetime, refs: dict[str, str], depth: int | None) -> None:
    """Append a line. Refs are null where they are as in the line before."""
    file = _record_of(mirror.path)
    last = _last(mirror.path)
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
