"""The packs of a lake, one folder each, named by what is in it: `genome/packs/<16 hex digits>/genome.txt`.

A day names its pack; days on which nothing changed name the same. A new pack takes over from an old one whatever
repository stands there at the same commit by the same rules, after checking its hashes: only what changed is read
from git and audited again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from coevo_pipelines.genome import files, manifest
from coevo_pipelines.genome.audit import Level, commit_level
from coevo_pipelines.genome.git import TIMEOUT
from coevo_pipelines.genome.pack import PackError, PackWriter, unescape
from coevo_pipelines.genome.packing import Chosen, about, add, reason_of, seal
from coevo_pipelines.lake.ledger import file_sha256, sync_folder

log = logging.getLogger(__name__)

FOLDER = "genome/packs"
"""Of a lake."""

NAME = "genome.txt"
TEMPORARY = ".new-"
OLD = 86_400.0
"""Seconds after which a draft that nobody finished is removed."""


@dataclass(frozen=True)
class Pack:
    """A finished pack and its manifest. ManifestError where that is damaged."""

    file: Path
    header: Mapping[str, Any]

    @cached_property
    def rows(self) -> tuple[manifest.Row, ...]:
        try:
            return manifest.read(manifest.place(self.file)).rows
        except OSError as error:
            raise manifest.ManifestError(str(error)) from error

    @cached_property
    def by_repo(self) -> Mapping[str, list[manifest.Row]]:
        found: dict[str, list[manifest.Row]] = {}
        for row in self.rows:
            found.setdefault(row["repo"], []).append(row)
        return found

    def texts(self, rows: Sequence[manifest.Row]) -> Iterator[bytes | None]:
        """The text of each row; None for those that are only listed. PackError where one is not what its hash says."""
        try:
            with self.file.open("rb") as stream:
                for row in rows:
                    yield None if row["offset"] is None else _text(stream, row)
        except OSError as error:
            raise PackError(0, str(error)) from error


def make(
    folder: Path, chosen: Sequence[Chosen], rules: files.Rules, *, timeout: float = TIMEOUT
) -> tuple[Pack | None, dict[str, tuple[Level, ...]]]:
    """The pack of these commits, in their order, and what the audit of each says; None when none passed.

    All are audited as of a past day, on the line of their `tip`. What an old pack has is not read from git again: of
    it only level 1 is new.
    """
    levels: dict[str, tuple[Level, ...]] = {}
    taken: dict[str, Pack] = {}
    known = before(folder, rules)
    for each in chosen:
        pack = known.get((each.name, each.commit.oid))
        if pack and (first := commit_level(each.git, each.commit.oid, each.tip, past=True)).status == "passed":
            taken[each.name] = pack
            levels[each.name] = (first, *_levels(_entry(pack, each.name))[1:])
    wanted = [(each.name, each.commit.oid) for each in chosen]
    if len(taken) == len(chosen):
        same = next((pack for pack in taken.values() if _contents(pack.header) == wanted), None)
        if same and _is_whole(same):
            return same, levels
    draft = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
    try:
        draft.mkdir(parents=True)
        header = _write(draft / NAME, chosen, taken, levels, rules, timeout)
        return (_keep(draft, folder, header) if header else None), levels
    except OSError as error:
        if error.filename is None:  # said of a stream
            raise OSError(error.errno, f"{error.strerror}, nothing was packed", str(draft)) from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def before(folder: Path, rules: files.Rules) -> dict[tuple[str, str], Pack]:
    """For each (repository, commit) that stands in a pack made by the same rules, the newest such pack."""
    found: dict[tuple[str, str], Pack] = {}
    made = sorted(folder.glob(f"[0-9a-f]*/{NAME}"), key=lambda file: (file.stat().st_mtime_ns, file), reverse=True)
    for file in made:
        header = manifest.header(manifest.place(file))
        if header is None or header["rules"] != rules.told():
            continue
        pack = Pack(file, header)
        for name in _contents(header):
            found.setdefault(name, pack)
    return found


def _write(
    file: Path,
    chosen: Sequence[Chosen],
    taken: Mapping[str, Pack],
    levels: dict[str, tuple[Level, ...]],
    rules: files.Rules,
    timeout: float,
) -> dict[str, Any] | None:
    """Write pack and manifest; the header, or None when no repository passed. What is found out goes into `levels`."""
    rows: list[dict[str, Any]] = []
    repositories: list[Mapping[str, Any]] = []
    with file.open("w+b") as stream:
        writer = PackWriter(stream)
        for each in chosen:
            if each.name in taken:
                try:
                    rows += _copied(writer, each.name, taken[each.name])
                    repositories.append(_entry(taken[each.name], each.name))
                    continue
                except (PackError, manifest.ManifestError) as error:
                    log.warning("genome: %s is packed again, as the old pack is damaged: %s", each.name, error)
                    writer.drop()
            found, own = add(writer, each, rules, past=True, timeout=timeout)
            levels[each.name] = found.levels
            if found.passed:
                rows += own
                repositories.append(about(each, found, own))
            log.info("genome: %s: %s", each.name, f"{len(own):,} files" if found.passed else reason_of(found.levels))
        if not repositories:
            return None
        return seal(writer, stream, manifest.place(file), rows, repositories, rules)


def _copied(writer: PackWriter, name: str, pack: Pack) -> list[dict[str, Any]]:
    """Write a repository as an old pack has it; its rows, at their new places."""
    rows = []
    writer.repo(name)
    own = pack.by_repo[name]
    for row, text in zip(own, pack.texts(own), strict=True):
        changed = {each: value for each, value in row.items() if each != "leaf"}
        if text is not None:
            place = writer.file(files.path_of(row["path"]), text)
            changed |= {"offset": place.offset, "length": place.length}
        rows.append(manifest.sealed(changed))
    return rows


def _keep(draft: Path, folder: Path, header: Mapping[str, Any]) -> Pack:
    """Move a finished pack to its place; one that is there already and whole stays."""
    target = folder / header["hash"][:16]
    kept = Pack(target / NAME, header)
    if target.exists() and not _is_whole(kept):
        _discard(kept)
    sync_folder(draft)
    try:
        draft.rename(target)
        sync_folder(folder)
    except OSError:
        if not _is_whole(kept):  # else another run made the same one
            raise
    for left in folder.glob(f"{TEMPORARY}*"):
        with suppress(FileNotFoundError):  # another run's, finished meanwhile
            if left != draft and left.stat().st_mtime < time.time() - OLD:
                shutil.rmtree(left, ignore_errors=True)
    return kept


def _discard(pack: Pack) -> None:
    """Move a damaged pack out of the way; it is removed a day later."""
    aside = pack.file.parent.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):  # another run did it
        pack.file.parent.rename(aside)
        os.utime(aside)


def _is_whole(pack: Pack) -> bool:
    if manifest.header(manifest.place(pack.file)) != pack.header:
        return False
    try:
        return bool(pack.rows) and file_sha256(pack.file) == pack.header["pack"]["sha256"]
    except (manifest.ManifestError, OSError):
        return False


def _contents(header: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each["name"], each["commit"]) for each in header["repositories"]]


def _entry(pack: Pack, name: str) -> Mapping[str, Any]:
    return next(each for each in pack.header["repositories"] if each["name"] == name)


def _levels(entry: Mapping[str, Any]) -> tuple[Level, ...]:
    told = sorted(entry["audit"].items())
    return tuple(Level(int(number), level["status"], level["checked"]) for number, level in told)


def _text(stream: IO[bytes], row: manifest.Row) -> bytes:
    stream.seek(row["offset"])
    text = unescape(stream.read(row["length"]))
    if hashlib.sha256(text).hexdigest() != row["text_sha256"]:
        raise PackError(row["offset"], f"{row['repo']}: {row['path']}: the content was changed")
    return text
