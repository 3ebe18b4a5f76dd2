"""Repositories into a pack and its manifest, and everything that can be asked of the two, without a lake."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from coevo_pipelines.genome import files, licences, manifest, mirrors, swhid, trees
from coevo_pipelines.genome.asof import Commit, commit_at
from coevo_pipelines.genome.asof import read as read_commit
from coevo_pipelines.genome.audit import Audit, audit
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError, Objects, algorithm_of, git_folder, object_id
from coevo_pipelines.genome.pack import Packed, PackError, PackWriter
from coevo_pipelines.genome.pack import read as read_pack
from coevo_pipelines.genome.pack import unpack as unpack_pack

if TYPE_CHECKING:
    from datetime import date

SUBMODULE = trees.SUBMODULE


class GenomeError(ValueError):
    """What was asked cannot be done with these repositories; the message names them and the way out."""


class NothingToPack(GenomeError):
    """No repository could be had and passed the audit; the message says of each why."""


@dataclass(frozen=True)
class Source:
    """A repository as it was named: NAME=PLACE, or a place alone."""

    name: str
    place: str


@dataclass(frozen=True)
class Chosen:
    """The commit of a repository that goes into the genome; `tip`: what the remote's branch has, if that is known."""

    name: str
    git: Git
    commit: Commit
    tip: str | None
    kept: tuple[mirrors.Kept, ...] = ()


@dataclass(frozen=True)
class Choice:
    """How a commit is found: as of the end of a day (UTC), or the branch's tip. `shallow`: history may be cut off."""

    on: date | None = None
    mirrors: Path | None = None
    shallow: bool = False
    timeout: float = TIMEOUT


def source_of(text: str) -> Source:
    """`NAME=PLACE` or a place: an address, or a local path. The name is by default the last two parts of an address,
    and the folder's own name of a path. GenomeError for nothing."""
    named = re.match(r"([A-Za-z0-9_.][A-Za-z0-9_./-]*)=(.+)", text)
    if named and not Path(text).exists():
        return Source(named[1], named[2])
    if not text:
        raise GenomeError("an empty name of a repository: give an address or a path")
    if "://" in text and not text.startswith("file://"):
        parts = [part for part in re.sub(r"^[a-z+]+://[^/]*", "", text).split("/") if part]
        return Source("/".join(parts[-2:]).removesuffix(".git") or text, text)
    return Source(Path(text.removeprefix("file://")).resolve().name.removesuffix(".git") or text, text)


def in_order(sources: Iterable[Source], first: Sequence[str] = (), last: Sequence[str] = ()) -> list[Source]:
    """The curriculum: those named first, the others by name, those named last. GenomeError for a name that comes
    twice, or that an order names and no repository has."""
    by_name: dict[str, Source] = {}
    for source in sources:
        if source.name in by_name:
            raise GenomeError(
                f"{source.place} and {by_name[source.name].place} are both called {source.name}: name one, NAME=PLACE"
            )
        by_name[source.name] = source
    for name in (*first, *last):
        if name not in by_name:
            raise GenomeError(f"no repository is called {name}; there are {', '.join(sorted(by_name))}")
    ends = set(first) | set(last)
    return [by_name[name] for name in (*first, *sorted(by_name.keys() - ends), *(n for n in last if n not in first))]


def choose(source: Source, choice: Choice) -> Chosen:
    """The repository's commit. A local path is read where it lies; anything else is mirrored first.

    GenomeError where there is no repository, no commit, or none that early; GitError where the remote gives none.
    """
    tip = None
    kept: tuple[mirrors.Kept, ...] = ()
    local = Path(source.place)
    if local.is_dir():
        if not (git_folder(local) / "objects").is_dir():
            raise GenomeError(f"{source.place} is a folder without a git repository")
        git = Git(local)
    else:
        if "://" not in source.place and not re.match(r"[^/\\]+@[^/\\]+:", source.place):
            raise GenomeError(f"{source.place}: there is no such folder, and it is no address")
        if choice.mirrors is None:
            raise GenomeError(f"{source.place} is not here: name a folder for its mirror with --mirrors")
        try:
            mirror = mirrors.fetch(source.place, choice.mirrors, at=datetime.now(UTC), timeout=choice.timeout)
        except ValueError as error:
            raise GenomeError(str(error)) from error
        if mirror.status != "fetched":
            raise GenomeError(f"{source.name}: {mirror.status}: {mirror.error}")
        git, tip, kept = Git(mirror.path), mirror.commit, mirror.kept
    head = git.resolve("HEAD")
    if head is None:
        raise GenomeError(f"{source.name} ({source.place}) has no commit on its default branch")
    if choice.on is None:
        with Objects(git) as objects:
            return Chosen(source.name, git, read_commit(objects, head), tip, kept)
    found = commit_at(git, head, datetime.combine(choice.on + timedelta(1), time(), UTC))
    if found is None:
        raise GenomeError(f"{source.name} ({source.place}) has no commit before the end of {choice.on} (UTC)")
    return Chosen(source.name, git, found, tip, kept)


def audited(chosen: Chosen, choice: Choice) -> Audit:
    """All four levels of the chosen commit."""
    past = choice.on is not None
    return audit(
        chosen.git, chosen.commit.oid, chosen.tip, past=past, shallow=choice.shallow, timeout=choice.timeout
    )  # fmt: skip


def pack(
    sources: Sequence[Source],
    out: Path,
    choice: Choice,
    rules: files.Rules,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the pack of `sources`, in their order, to `out`, and its manifest beside it; the manifest's header.

    A repository that cannot be had or fails the audit is left out, with the reason in `left_out` of the header.
    NothingToPack when none is left: nothing is written then. Both files appear whole, the manifest last.
    """
    left_out: list[dict[str, str]] = []
    repositories: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    with _beside(out) as new_pack, _beside(manifest.place(out)) as new_manifest:
        with new_pack.open("wb") as stream:
            writer = PackWriter(stream)
            for source in sources:
                try:
                    chosen = choose(source, choice)
                    found = audited(chosen, choice)
                except (GenomeError, GitError) as error:
                    left_out.append({"name": source.name, "why": str(error)})
                    tell(f"{source.name}: left out: {error}")
                    continue
                if not found.passed:
                    why = reason_of(found)
                    left_out.append({"name": source.name, "why": why})
                    tell(f"{source.name}: left out: {why}")
                    continue
                own = list(_packed(writer, chosen, found, rules))
                rows += own
                repositories.append(_about(chosen, found, own))
                tell(f"{source.name}: {len(own):,} files, {repositories[-1]['packed']:,} packed")
            if not repositories:
                whys = "; ".join(f"{each['name']}: {each['why']}" for each in left_out) or "no repository was named"
                raise NothingToPack(f"nothing to pack: {whys}")
            done = writer.close()
            _to_disk(stream)
        about = {
            "as_of": None if choice.on is None else choice.on.isoformat(),
            "pack": {"size": done.size, "sha256": done.sha256, "files": done.files},
            "repositories": repositories,
            "left_out": left_out,
            "rules": {
                "extensions": sorted(rules.extensions), "all_text": rules.all_text, "largest": rules.largest,
                "strip_notebooks": rules.strip_notebooks,
            },
        }  # fmt: skip
        header = manifest.header_of(rows, about)
        with new_manifest.open("wb") as stream:
            stream.writelines(manifest.lines(header, rows))
            _to_disk(stream)
        new_pack.replace(out)
        new_manifest.replace(manifest.place(out))
    return header


def reason_of(found: Audit) -> str:
    """The first thing that the audit has against a repository, in one line."""
    for level in found.levels:
        if level.status == "failed":
            first = level.differences[0]
            more = f" (and {len(level.differences) - 1:,} more)" if len(level.differences) > 1 else ""
            where = f" at {first.path}" if first.path else ""
            return f"audit level {level.level}: {first.object}{where}: {first.found}; expected {first.expected}{more}"
    unrun = [str(level.level) for level in found.levels if level.status == "not_run"]
    return f"audit level {', '.join(unrun)} could not run"


def verify(out: Path) -> list[str]:
    """What does not agree between a pack, its manifest and the hashes in both; empty when everything does.

    Of every packed file the bytes are taken out of the pack again, and their git id and SHA-256 computed. OSError
    where one of the two files cannot be opened.
    """
    header, rows, findings = manifest.examine(manifest.place(out))
    left = iter([row for row in rows if row["offset"] is not None])
    last = 0
    try:
        with out.open("rb") as stream:
            for packed in read_pack(stream):
                row = next(left, None)
                last = packed.offset + packed.length
                if wrong := _differs(packed, row):
                    findings.append(f"{out} byte {packed.offset}: {packed.repo}: {files.shown(packed.path)}: {wrong}")
    except PackError as error:
        findings.append(f"{out} {error}")
    missing = sum(1 for _ in left)
    if missing and not findings:
        findings.append(f"{out}: {missing:,} packed files of the manifest are not in it")
    if header:
        with out.open("rb") as stream:
            own = hashlib.file_digest(stream, "sha256").hexdigest()
        size = out.stat().st_size
        said = header["pack"]
        if (size, own) != (said["size"], said["sha256"]) and not findings:
            findings.append(
                f"{out} after byte {last}: {size:,} bytes of sha256 {own}; the manifest says {said['size']:,} of "
                f"{said['sha256']}"
            )
    return findings


def unpack(pack_file: Path, out: Path) -> int:
    """Write every packed file to the new folder `out`, byte for byte as its blob; how many.

    Stripped notebooks come as they are in the pack. Raises PackError, ManifestError, FileExistsError.
    """
    known = {(row["repo"], row["path"]): row for row in manifest.read(manifest.place(pack_file)).rows}

    def original(packed: Packed) -> bytes:
        row = known.get((packed.repo, files.shown(packed.path)))
        if row is None:
            raise PackError(packed.offset, f"{packed.repo}: {files.shown(packed.path)} is not in the manifest")
        data = packed.text if row["stripped"] else files.restore(packed.text, row["charset"])
        if not row["stripped"] and hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise PackError(packed.offset, f"{packed.repo}: {files.shown(packed.path)}: not the bytes of its blob")
        return data

    with pack_file.open("rb") as stream:
        return unpack_pack(stream, out, original)


@dataclass(frozen=True)
class Change:
    """A file that is not the same in two genomes. `before` and `after` in bytes; None where it is not there."""

    what: str
    repo: str
    path: str
    before: int | None
    after: int | None


def changes(before: manifest.Manifest, after: manifest.Manifest) -> Iterator[Change]:
    """Files added, removed and changed (content, mode, or what became of them), by repository and path."""
    old, new = ({(row["repo"], row["path"]): row for row in each.rows} for each in (before, after))
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one is None and other is not None:
            yield Change("added", *name, None, other["size"])
        elif other is None and one is not None:
            yield Change("removed", *name, one["size"], None)
        elif one is not None and other is not None and _content(one) != _content(other):
            yield Change("changed", *name, one["size"], other["size"])


def _content(row: manifest.Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("git_id", "mode", "reason", "stripped", "charset"))


def _packed(writer: PackWriter, chosen: Chosen, found: Audit, rules: files.Rules) -> Iterator[dict[str, Any]]:
    """Write a repository's files; a row for each, packed or not."""
    writer.repo(chosen.name)
    with Objects(chosen.git) as objects:
        entries = list(trees.entries(objects, found.tree))
        wanted = [entry.oid for entry in entries if _is_read(entry, found, rules)]
        blobs = objects.blobs(wanted)
        for entry in entries:
            data = next(blobs)[1] if _is_read(entry, found, rules) else None
            content = found.contents.get(entry.oid)
            size = content.size if content else 0
            decision = files.decide(entry.path, entry.mode, data, size, rules)
            place = writer.file(entry.path, decision.text) if decision.text is not None else None
            if data is not None and (content is None or hashlib.sha256(data).hexdigest() != content.sha256):
                raise GitError(f"{chosen.name}: {entry.oid} was changed while it was packed", oid=entry.oid)
            yield manifest.sealed(
                {
                    "repo": chosen.name,
                    "path": files.shown(entry.path),
                    "mode": f"{entry.mode:06o}",
                    "reason": decision.reason,
                    "git_id": entry.oid,
                    "swhid": _swhid(entry, data),
                    "size": size,
                    "sha256": content.sha256 if content else None,
                    "charset": decision.charset,
                    "stripped": decision.stripped,
                    "language": decision.language,
                    "licence_kind": decision.licence_kind,
                    "license": licences.spdx_id(entry.path, decision.text) if decision.text is not None else None,
                    "target": None if decision.target is None else files.shown(decision.target),
                    "offset": place.offset if place else None,
                    "length": place.length if place else None,
                    "text_sha256": None if decision.text is None else hashlib.sha256(decision.text).hexdigest(),
                }
            )


def _is_read(entry: trees.Entry, found: Audit, rules: files.Rules) -> bool:
    content = found.contents.get(entry.oid)
    return content is not None and (content.size <= rules.largest or entry.mode == trees.LINK)


def _swhid(entry: trees.Entry, data: bytes | None) -> str | None:
    """None for a submodule, and for a large file of a sha256 repository: its sha1 was not computed."""
    if entry.mode == SUBMODULE:
        return None
    if len(entry.oid) == 40:
        return swhid.from_git("blob", entry.oid)
    return None if data is None else swhid.content(data)


def _about(chosen: Chosen, found: Audit, rows: Sequence[manifest.Row]) -> dict[str, Any]:
    commit = chosen.commit
    return {
        "name": chosen.name,
        "commit": commit.oid,
        "tree": found.tree,
        "swhid": swhid.from_git("commit", commit.oid) if len(commit.oid) == 40 else None,
        "committed_at": commit.committer.seconds if commit.committer else None,
        "files": len(rows),
        "packed": sum(row["offset"] is not None for row in rows),
        "bytes": sum(row["size"] for row in rows),
        "audit": {str(level.level): {"status": level.status, "checked": level.checked} for level in found.levels},
        "kept": [f"{kept.ref} was {kept.old}: {kept.how}" for kept in chosen.kept],
    }


def _differs(packed: Packed, row: manifest.Row | None) -> str | None:
    if row is None:
        return "not a packed file of the manifest"
    path = files.shown(packed.path)
    if (packed.repo, path) != (row["repo"], row["path"]):
        return f"the manifest has {row['repo']}: {row['path']} here"
    if (packed.offset, packed.length) != (row["offset"], row["length"]):
        return f"the manifest has it at byte {row['offset']}, {row['length']} bytes long"
    is_text = hashlib.sha256(packed.text).hexdigest() == row["text_sha256"]
    return None if is_text and (row["stripped"] or _is_blob(packed, row)) else "the content was changed"


def _is_blob(packed: Packed, row: manifest.Row) -> bool:
    """Whether the text gives back the bytes that git's id and the SHA-256 stand for."""
    try:
        data = files.restore(packed.text, row["charset"])
    except (UnicodeError, LookupError):
        return False
    oid: str = row["git_id"]
    sha256: str = row["sha256"]
    return object_id("blob", data, algorithm_of(oid)) == oid and hashlib.sha256(data).hexdigest() == sha256


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A name in the same folder for what will be moved to `out`; whatever is still there at the end is removed."""
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
