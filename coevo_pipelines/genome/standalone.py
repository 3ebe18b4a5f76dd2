"""Repositories into a pack and its manifest, and everything that can be asked of the two, without a lake."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevo_pipelines.genome import files, manifest, mirrors
from coevo_pipelines.genome.asof import commit_at
from coevo_pipelines.genome.asof import read as read_commit
from coevo_pipelines.genome.audit import Audit, audit
from coevo_pipelines.genome.changes import SAME, compared
from coevo_pipelines.genome.ecosystem import GenomeError, Source
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError, Objects, algorithm_of, git_folder, object_id
from coevo_pipelines.genome.pack import Packed, PackError, PackWriter
from coevo_pipelines.genome.pack import read as read_pack
from coevo_pipelines.genome.pack import unpack as unpack_pack
from coevo_pipelines.genome.packing import Chosen, about, add, reason_of, seal
from coevo_pipelines.genome.packs import Pack
from coevo_pipelines.lake.ledger import beside, file_sha256

if TYPE_CHECKING:
    from datetime import date


class NothingToPack(GenomeError):
    """No repository could be had and passed the audit; the message says of each why."""


@dataclass(frozen=True)
class Choice:
    """How a commit is found: as of the end of a day (UTC), or the branch's tip. `shallow`: history may be cut off.
    `at_once`: how many remotes are asked at the same time."""

    on: date | None = None
    mirrors: Path | None = None
    shallow: bool = False
    timeout: float = TIMEOUT
    at_once: int = 4


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
            return Chosen(source.name, git, read_commit(objects, head), tip, kept, choice.shallow)
    found = commit_at(git, head, datetime.combine(choice.on + timedelta(1), time(), UTC))
    if found is None:
        raise GenomeError(f"{source.name} ({source.place}) has no commit before the end of {choice.on} (UTC)")
    return Chosen(source.name, git, found, tip, kept, choice.shallow)


def choose_all(sources: Iterable[Source], choice: Choice) -> Iterator[tuple[Source, Chosen | GenomeError | GitError]]:
    """`choose` of each, in the order given, `choice.at_once` at a time; the error where one cannot be had."""

    def one(source: Source) -> tuple[Source, Chosen | GenomeError | GitError]:
        try:
            return source, choose(source, choice)
        except (GenomeError, GitError) as error:
            return source, error

    with ThreadPoolExecutor(choice.at_once) as pool:
        yield from pool.map(one, sources)


def audited(chosen: Chosen, choice: Choice) -> Audit:
    """All four levels of the chosen commit."""
    past = choice.on is not None
    return audit(
        chosen.git, chosen.commit.oid, chosen.tip, past=past, shallow=chosen.shallow, timeout=choice.timeout
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
    with beside(out) as new_pack, beside(manifest.place(out)) as new_manifest:
        with new_pack.open("wb") as stream:
            writer = PackWriter(stream)
            for source, chosen in choose_all(sources, choice):
                why = str(chosen)
                if isinstance(chosen, Chosen):
                    found, own = add(
                        writer, chosen, rules,
                        past=choice.on is not None, timeout=choice.timeout,
                    )  # fmt: skip
                    if found.passed:
                        rows += own
                        repositories.append(about(chosen, found, own))
                        tell(f"{source.name}: {len(own):,} files, {repositories[-1]['packed']:,} packed")
                        continue
                    why = reason_of(found.levels)
                left_out.append({"name": source.name, "why": why})
                tell(f"{source.name}: left out: {why}")
            if not repositories:
                whys = "; ".join(f"{each['name']}: {each['why']}" for each in left_out) or "no repository was named"
                raise NothingToPack(f"nothing to pack: {whys}")
            header = seal(
                writer, stream, new_manifest, rows, repositories, rules, as_of=choice.on, left_out=left_out
            )  # fmt: skip
        new_pack.replace(out)
        new_manifest.replace(manifest.place(out))
    return header


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
        own = file_sha256(out)
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


def diffs(before: Path, after: Path, found: Sequence[Change]) -> dict[Change, str | None]:
    """What changed inside each file of two packs, as a unified diff; None where no text can be compared."""
    old, new = (_texts_of(file, {(change.repo, change.path) for change in found}) for file in (before, after))
    return {
        change: compared(old.get((change.repo, change.path)), new.get((change.repo, change.path)), change.path).text
        for change in found
    }


def _texts_of(file: Path, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    own = Pack(file, {})
    rows = [row for row in own.rows if (row["repo"], row["path"]) in wanted]
    return {
        (row["repo"], row["path"]): text.decode()
        for row, text in zip(rows, own.texts(rows), strict=True)
        if text is not None
    }


def _content(row: manifest.Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in SAME)


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
