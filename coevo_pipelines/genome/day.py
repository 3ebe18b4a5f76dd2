"""A day's genome out of its mirrors: which commit of each repository, audited, packed, and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevo_pipelines.genome import manifest, merkle, packs, tokens
from coevo_pipelines.genome.asof import Commit, CommitError, commit_at
from coevo_pipelines.genome.audit import Level
from coevo_pipelines.genome.ecosystem import curriculum
from coevo_pipelines.genome.files import Rules
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError
from coevo_pipelines.genome.packing import Chosen, reason_of, told
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import canonical, file_sha256

if TYPE_CHECKING:
    import polars as pl

TABLES = ("genome.repositories", "genome.audits", "genome.files", "genome.manifest")
MOST_DIFFERENCES = 20


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
    shallow: bool = False
    timeout: float = TIMEOUT
    tokenizer: Path | None = None


def genome_of(known: Known) -> dict[str, pl.DataFrame]:
    """The stage's tables, and on disk the pack that they tell of. TokenizerError."""
    rows = {row["repo"]: row for row in known.ecosystem}
    order = curriculum(rows, known.first, known.last)
    chosen: dict[str, Chosen] = {}
    why: dict[str, str] = {}
    for name in order:
        found = _chosen(rows[name], known)
        if isinstance(found, Chosen):
            chosen[name] = found
        else:
            why[name] = found
    pack, levels, files = _packed(known, list(chosen.values()))
    entries = {each["name"]: each for each in pack.header["repositories"]} if pack else {}
    why |= {name: reason_of(levels[name]) for name in chosen if name not in entries}
    sums = _sums(files)
    return {
        "genome.repositories": _frame(
            "genome.repositories",
            [
                _repository(place, name, chosen.get(name), entries.get(name), why.get(name), sums.get(name, {}))
                for place, name in enumerate(order, start=1)
            ],
        ),
        "genome.audits": _frame(
            "genome.audits", [_audit(name, level) for name in levels for level in levels[name]]
        ),
        "genome.files": files,
        "genome.manifest": _frame("genome.manifest", [_manifest(known, pack, len(why), files)] if pack else []),
    }  # fmt: skip


def root_of(files: pl.DataFrame) -> str:
    """The Merkle root over rows of `genome.files`, computed from their columns (RFC 6962)."""
    growing = merkle.Root()
    for row in files.sort("place").select(sorted(manifest.FIELDS - {"leaf"})).iter_rows(named=True):
        growing.add(merkle.leaf_hash(canonical(row)))
    return growing.value.hex()


def _chosen(row: Mapping[str, Any], known: Known) -> Chosen | str:
    """The commit as of the day, or why there is none."""
    if row["mirror"] is None:
        return f"{row['status']}: {row['error']}"
    if row["commit"] is None:
        return "no commit on its default branch"
    git = Git(known.mirrors / row["mirror"])
    if not git.folder.is_dir():
        return f"its mirror {row['mirror']} is not there any more: make the day again to fetch it"
    try:
        commit = commit_at(git, row["commit"], known.end)
    except (GitError, CommitError) as error:
        return str(error)
    if commit is None:
        return f"no commit before {known.end:%Y-%m-%d} (UTC)"
    return Chosen(row["repo"], git, commit, row["commit"])


def _packed(
    known: Known, chosen: Sequence[Chosen]
) -> tuple[packs.Pack | None, dict[str, tuple[Level, ...]], pl.DataFrame]:
    """The pack, the audits, and the rows of `genome.files` with their texts out of the pack."""
    pack, levels = packs.make(known.packs, chosen, known.rules, shallow=known.shallow, timeout=known.timeout)
    return pack, levels, schemas.table("genome.files").empty() if pack is None else _files(pack, known.tokenizer)


def _files(pack: packs.Pack, tokenizer: Path | None) -> pl.DataFrame:
    import polars as pl

    schema = schemas.table("genome.files").polars_schema()
    texts = pl.Series("text", [None if text is None else text.decode() for text in pack.texts(pack.rows)], pl.String)
    own = {name: [row[name] for row in pack.rows] for name in schema if name not in ("place", "tokens", "text")}
    return pl.DataFrame(
        {"place": range(len(pack.rows)), **own, "tokens": tokens.count(texts, tokenizer), "text": texts}, schema=schema
    )


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
    why: str | None,
    sums: Mapping[str, int],
) -> dict[str, Any]:
    commit = chosen.commit if chosen else None
    return {
        "place": place,
        "repo": name,
        "status": "packed" if entry else "left_out",
        "why": why,
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
        "differences": [told(each) for each in level.differences[:MOST_DIFFERENCES]],
    }


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
