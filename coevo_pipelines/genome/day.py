"""A day's genome out of its mirrors: which commit of each repository, audited, packed, and as tables."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coevo_pipelines.genome import manifest, merkle, mirrors, packs, tokens
from coevo_pipelines.genome.asof import Commit, CommitError, commit_at
from coevo_pipelines.genome.audit import Difference, Level
from coevo_pipelines.genome.ecosystem import curriculum
from coevo_pipelines.genome.files import Rules
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError
from coevo_pipelines.genome.packing import Chosen, reason_of, told
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import canonical, file_sha256

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

MOST_DIFFERENCES = 20
LONGEST_DIFFERENCE = 1_000
AT_ONCE = 200
"""Texts."""

ON_PURPOSE = ("no such file", "no replace ref")
"""What level 2 expects where somebody arranged that git shows other objects: that is no damage."""


@dataclass(frozen=True)
class Known:
    """What a day's genome is made of. `ecosystem`: rows of that table; `end`: of the day, an instant with a zone;
    `root`: the lake, in which `mirrors` and `packs` lie."""

    ecosystem: Sequence[Mapping[str, Any]]
    end: datetime
    root: Path
    mirrors: Path
    packs: Path
    rules: Rules = field(default_factory=Rules)
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    timeout: float = TIMEOUT
    tokenizer: Path | None = None


def genome_of(known: Known) -> dict[str, pl.DataFrame]:
    """The stage's tables, and on disk the pack that they tell of. TokenizerError."""
    rows = {row["repo"]: row for row in known.ecosystem}
    order = curriculum(rows, known.first, known.last)
    for name in {*known.first, *known.last} - rows.keys():
        log.warning("genome: no repository is called %s, which genome.first or genome.last names", name)
    found = {name: _chosen(rows[name], known) for name in order}
    chosen = {name: each for name, each in found.items() if isinstance(each, Chosen)}
    absent = {name: each for name, each in found.items() if isinstance(each, Absent)}
    pack, levels, files = _packed(known, list(chosen.values()))
    entries = {each["name"]: each for each in pack.header["repositories"]} if pack else {}
    for name, each in chosen.items():
        if name not in entries:
            absent[name] = Absent("left_out", reason_of(levels[name]))
            if is_damage(levels[name]):
                mirrors.mark_damaged(each.git.repo)
        elif entries[name]["commit"] != each.commit.oid:
            raise RuntimeError(f"{name}: the pack has {entries[name]['commit']}, the day {each.commit.oid}")
    levels |= {name: (each.level,) for name, each in absent.items() if each.level}
    sums = _sums(files)
    return {
        "genome.repositories": _frame(
            "genome.repositories",
            [
                _repository(place, name, chosen.get(name), entries.get(name), absent.get(name), sums.get(name, {}))
                for place, name in enumerate(order, start=1)
            ],
        ),
        "genome.audits": _frame(
            "genome.audits", [_audit(name, level) for name in levels for level in levels[name]]
        ),
        "genome.files": files,
        "genome.manifest": _frame("genome.manifest", [_manifest(known, pack, len(absent), files)] if pack else []),
    }  # fmt: skip


def root_of(files: pl.DataFrame) -> str:
    """The Merkle root over rows of `genome.files`, computed from their columns (RFC 6962)."""
    growing = merkle.Root()
    for row in files.sort("place").select(sorted(manifest.FIELDS - {"leaf"})).iter_rows(named=True):
        growing.add(merkle.leaf_hash(canonical(row)))
    return growing.value.hex()


@dataclass(frozen=True)
class Absent:
    """A repository that is not in the day's genome: it had no commit yet, or is left out, and why."""

    status: Literal["not_yet", "left_out"]
    why: str
    level: Level | None = None
    """What the audit has against the line of commits on which the day's one should be found."""


def is_damage(levels: Sequence[Level]) -> bool:
    """Whether the mirror's own store is broken, and not what the remote put into it."""
    second = next((level for level in levels if level.level == 2), None)
    return second is not None and any(each.expected not in ON_PURPOSE for each in second.differences)


def _chosen(row: Mapping[str, Any], known: Known) -> Chosen | Absent:
    """The commit as of the day, or why there is none."""
    if row["mirror"] is None:
        return Absent("left_out", f"{row['status']}: {row['error']}")
    if row["commit"] is None:
        return Absent("left_out", row["error"] or "no commit on its default branch")
    git = Git(known.mirrors / row["mirror"])
    if not git.folder.is_dir():
        return Absent("left_out", f"its mirror {row['mirror']} is not there any more: make the day again to fetch it")
    try:
        commit = commit_at(git, row["commit"], known.end)
    except (GitError, CommitError) as error:
        mirrors.mark_damaged(git.repo)
        said = Difference(
            row["commit"],
            "",
            f"the line of commits cannot be read: {mirrors.shown(str(error), known.mirrors)}",
            "all of it",
        )
        level = Level(1, "failed", 1, (said,))
        return Absent("left_out", reason_of([level]), level)
    if commit is None:
        return Absent("not_yet", f"no commit before {known.end:%Y-%m-%d} (UTC)")
    return Chosen(row["repo"], git, commit, row["commit"], shallow=mirrors.is_shallow(git.repo))


def _packed(
    known: Known, chosen: Sequence[Chosen]
) -> tuple[packs.Pack | None, dict[str, tuple[Level, ...]], pl.DataFrame]:
    """The pack, the audits, and the rows of `genome.files` with their texts out of the pack."""
    pack, levels = packs.make(known.packs, chosen, known.rules, timeout=known.timeout)
    return pack, levels, schemas.table("genome.files").empty() if pack is None else _files(pack, known.tokenizer)


def _files(pack: packs.Pack, tokenizer: Path | None) -> pl.DataFrame:
    import polars as pl

    schema = schemas.table("genome.files").polars_schema()
    own = {name: [row[name] for row in pack.rows] for name in schema if name not in ("place", "tokens", "text")}
    texts = pl.concat([pl.Series("text", [], pl.String), *_texts(pack)], rechunk=False)
    counts = tokens.count(texts, tokenizer)
    return pl.DataFrame({"place": range(len(pack.rows)), **own, "tokens": counts, "text": texts}, schema=schema)


def _texts(pack: packs.Pack) -> Iterator[pl.Series]:
    """The texts in pieces: as Python's strings they are held a few at a time only."""
    import polars as pl

    texts = pack.texts(pack.rows)
    while piece := list(islice(texts, AT_ONCE)):
        yield pl.Series("text", [None if text is None else text.decode() for text in piece], pl.String)


def _sums(files: pl.DataFrame) -> dict[str, dict[str, int]]:
    """(text_bytes, tokens) by repository."""
    import polars as pl

    summed = files.group_by("repo").agg(text_bytes=pl.col("text").str.len_bytes().sum(), tokens=pl.col("tokens").sum())
    return {row.pop("repo"): row for row in summed.iter_rows(named=True)}


def _frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(rows, schema=schemas.table(name).polars_schema(), orient="row")


def _repository(
    place: int,
    name: str,
    chosen: Chosen | None,
    entry: Mapping[str, Any] | None,
    absent: Absent | None,
    sums: Mapping[str, int],
) -> dict[str, Any]:
    commit = chosen.commit if chosen else None
    return {
        "place": place,
        "repo": name,
        "status": absent.status if absent else "packed",
        "why": absent.why if absent else None,
        "commit": commit.oid if commit else None,
        "tree": commit.tree if commit else None,
        "swhid": entry["swhid"] if entry else None,
        "committed_at": _moment(commit),
        "license": entry["license"] if entry else None,
        "files": entry["files"] if entry else 0,
        "packed": entry["packed"] if entry else 0,
        "bytes": entry["bytes"] if entry else 0,
        "text_bytes": sums.get("text_bytes", 0),
        "tokens": sums.get("tokens", 0),
    }


def _moment(commit: Commit | None) -> datetime | None:
    try:
        return commit.committer.when if commit and commit.committer else None
    except (OverflowError, ValueError, OSError):  # a year that no calendar has: a clock that was set by hand
        return None


def _audit(name: str, level: Level) -> dict[str, Any]:
    return {
        "repo": name,
        "level": level.level,
        "status": level.status,
        "checked": level.checked,
        "differing": len(level.differences),
        "differences": [_short(told(each)) for each in level.differences[:MOST_DIFFERENCES]],
    }


def _short(text: str) -> str:
    half = LONGEST_DIFFERENCE // 2
    return text if len(text) <= LONGEST_DIFFERENCE else f"{text[:half]} … {text[-half:]}"


def _manifest(known: Known, pack: packs.Pack, left_out: int, files: pl.DataFrame) -> dict[str, Any]:
    header = pack.header
    return {
        "root": header["root"],
        "pack": pack.file.relative_to(known.root).as_posix(),
        "pack_sha256": header["pack"]["sha256"],
        "pack_bytes": header["pack"]["size"],
        "manifest_sha256": file_sha256(manifest.place(pack.file)),
        "repositories": len(header["repositories"]),
        "left_out": left_out,
        "files": header["files"],
        "packed": header["pack"]["files"],
        "bytes": header["bytes"],
        "text_bytes": int(files["text"].str.len_bytes().sum()),
        "tokens": int(files["tokens"].sum()),
        "tokenizer": tokens.name_of(known.tokenizer),
        "reasons": canonical(dict(Counter(files["reason"].to_list()))).decode(),
        "rules": canonical(dict(header["rules"])).decode(),
    }
