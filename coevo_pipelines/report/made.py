"""What a report was made from: the ledger's entries up to its day and the report's own code. When either changes, the
report is made again when its day is."""

from __future__ import annotations

import functools
import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevo_pipelines.lake.ledger import Commit, Index
from coevo_pipelines.lake.store import Lake, LakeError
from coevo_pipelines.version import code_version

if TYPE_CHECKING:
    import duckdb

CODE = Path(__file__).parent


@dataclass(frozen=True)
class Sources:
    """What a catalog holds: from it the reports of all its days are made."""

    world: str
    commits: tuple[Commit, ...]
    """In order of date and table."""
    digests: Mapping[str, str]
    """By date: sha256 over the `<table> <date> <hash>` lines of all entries up to it."""
    behind: int = 0
    """Partitions of the lake that were committed since the catalog was built."""

    @property
    def days(self) -> list[date]:
        return [date.fromisoformat(day) for day in self.digests]

    def upto(self, day: date) -> Index:
        """The entries of `day` and before."""
        index = Index()
        for commit in self.commits:
            if commit.day <= day:
                index.apply(commit)
        return index

    def digest(self, day: date) -> str:
        """Of all entries up to `day`."""
        before = bisect_right(list(self.digests), day.isoformat())
        return list(self.digests.values())[before - 1] if before else ""

    def name(self, day: date) -> str:
        """One short name for what the report of `day` is made from and by: another name, another report."""
        text = "\n".join((day.isoformat(), self.world, self.digest(day), code_sha256(), code_version()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def told(self, day: date) -> dict[str, Any]:
        """The same for people and programs: for each table how many partitions, and `Index.upto`'s digest of them."""
        index = self.upto(day)
        inputs = [index.upto(table, day.isoformat()) for table in index.tables]
        return {
            "name": self.name(day),
            "code_version": code_version(),
            "code_sha256": code_sha256(),
            "ledger_sha256": self.digest(day),
            "tables": {given.table: {"partitions": given.partitions, "sha256": given.sha256} for given in inputs},
        }


def sources(lake: Lake, catalog: duckdb.DuckDBPyConnection) -> Sources:
    """What the open catalog holds. The ledger's entries never change, so that they may be read later than it was built.

    Raises LakeError when the catalog holds an entry that the ledger has not.
    """
    held = {seq for (seq,) in catalog.execute("SELECT seq FROM lake.commits").fetchall()}
    index = lake.ledger.refresh()
    now = {each.seq: each for table in index.tables for each in index.partitions(table)}
    found = {seq: each for seq, each in now.items() if seq in held}
    behind = len(now) - len(found)
    if len(found) < len(held):  # what was replaced since the catalog was built
        found |= {each.seq: each for each in lake.ledger.entries() if each.seq in held}
    if missing := held - set(found):
        raise LakeError(
            f"{lake.root}: the catalog holds entry {min(missing)}, which the ledger has not: run `coevo catalog`"
        )
    commits = tuple(sorted(found.values(), key=lambda each: (each.date, each.table)))
    return Sources(lake.world, commits, _digests(commits), behind)


def _digests(commits: Iterable[Commit]) -> dict[str, str]:
    digests: dict[str, str] = {}
    running = hashlib.sha256()
    for commit in commits:
        running.update(f"{commit.table} {commit.date} {commit.hash}\n".encode())
        digests[commit.date] = running.hexdigest()
    return digests


@functools.cache
def code_sha256() -> str:
    """Of the files that make the report: names and contents, whatever the order on disk."""
    digest = hashlib.sha256()
    for path in sorted(CODE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(CODE).as_posix()} {content}\n".encode())
    return digest.hexdigest()
