"""A release: one folder that holds a corpus whole, as a dataset repository in the layout of the Hugging Face Hub.

`data/` holds Parquet for `datasets.load_dataset`, `jsonl/` the same documents as text (a dataset folder of its own:
`datasets` reads all configurations of a repository in one format, huggingface/datasets issue 7101). `release.json`
lists every other file by SHA-256, and holds the Merkle root (RFC 6962) over the documents in the order of the shards:
train, validation, test, each by doc_id. The SHA-256 of `release.json` is the digest of the release.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from coevo_pipelines.corpora.blueprints import SPLITS, Blueprint
from coevo_pipelines.corpora.releases import attribution, card, croissant
from coevo_pipelines.genome import merkle
from coevo_pipelines.lake.ledger import canonical, file_sha256, sync_folder

if TYPE_CHECKING:
    from datetime import date

    import polars as pl
    import pyarrow as pa

FORMAT = "coevo release 1"
RECORD = "release.json"

DOCUMENTS = {
    "doc_id": "string", "work_id": "string", "repo": "string", "path": "string", "kind": "string",
    "language": "string", "license": "string", "license_from": "string", "influence": "float64",
    "event_at": "timestamp[us, tz=UTC]", "split": "string", "stage": "string", "version": "string", "title": "string",
    "tokens": "int64", "text_sha256": "string", "source_sha256": "string", "leaf": "string", "raw_sha256": "string",
    "replaced": "string", "text": "string",
}  # fmt: skip
"""Columns and types of a document, as `datasets` names types. `source_sha256` is of the text before cleaning, `leaf`
the file's in `genome.files`, `raw_sha256` of the raw exchange of a trace, `replaced` JSON counts of placeholders."""
SEQUENCES = {
    "place": "int64", "split": "string", "stage": "string", "input_ids": "list<int32>", "loss_mask": "list<bool>",
    "seq_lengths": "list<int32>", "documents": "list<string>",
}  # fmt: skip
"""Columns and types of a sequence. `loss_mask` is null where training counts all tokens."""

_NEVER_NULL = {
    "doc_id", "work_id", "kind", "split", "stage", "tokens", "text_sha256", "text", "place", "input_ids",
    "seq_lengths", "documents",
}  # fmt: skip
_WORKS = {"work_id", "title", "owner", "url", "license", "commit", "people"}
_NOTICES = {"repo", "path", "license", "text"}
_LOSSES = {"step", "repo", "kind", "documents", "tokens"}

SHARD_BYTES = 256_000_000
_GROUP_BYTES = 32_000_000
"""Bytes of values in a row group, and in memory beside the frames while writing."""
_ROW_BYTES = 300
"""What a row takes beside its text or tokens, about."""


class ReleaseError(ValueError):
    """What cannot be released, or a folder that is no release; the message names what and why."""


@dataclass(frozen=True)
class Release:
    """All that a release is made of. `losses` has a row for each rule, repository and kind in the order of the rules;
    `numbers` is any JSON: it goes into `release.json`, and on the card. Known to the card: `natural_languages`
    (ISO 639-1 -> documents of prose), `near_duplicates` (`jaccard`, `ngram`), `personal_data` (replaced, kept) and
    `notebooks` (stripped, kept)."""

    blueprint: Blueprint
    world: Literal["sample", "live", "synthetic"]
    day: date
    genome_root: str | None
    tokenizer_sha256: str
    contract: bytes
    integrity: bytes
    contract_hash: str
    code_version: str
    documents: pl.DataFrame
    sequences: pl.DataFrame
    losses: pl.DataFrame
    notices: pl.DataFrame
    works: pl.DataFrame
    numbers: Mapping[str, Any] = field(default_factory=dict)
    shard_bytes: int = SHARD_BYTES


@dataclass(frozen=True)
class File:
    """A file of the release; `name` is its path in the folder, with slashes."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Written:
    """`root` is the Merkle root over the documents; `files` are all but `release.json`, by name."""

    digest: str
    root: str
    files: tuple[File, ...]
    bytes: int


@dataclass(frozen=True)
class Part:
    """A split of a configuration: its rows, and bytes of values before compression, about."""

    rows: int
    bytes: int


Parts = Mapping[str, Mapping[str, Part]]
"""Configuration -> split -> part; splits without rows are not in it."""


def write(folder: Path, release: Release) -> Written:
    """Make the release in `folder`, in place of a former one. Whatever happens, `folder` is the old release or the
    new one; what a killed process left beside it is cleaned away by the next one.

    ReleaseError where there is nothing to release, the frames do not fit together, or something else lies there.
    """
    folder = folder.absolute()
    release = _checked(release)
    draft, former = folder.with_name(f".{folder.name}.draft"), folder.with_name(f".{folder.name}.former")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        _tidy(folder, draft, former)
        _only_a_release(folder)
        try:
            draft.mkdir()
            written = _fill(draft, release)
            _sync(draft)
            if not (folder.exists() and _exchange(draft, folder)):
                if folder.exists():
                    folder.rename(former)
                draft.rename(folder)
            sync_folder(folder.parent)
        finally:
            _tidy(folder, draft, former)
    return written


def digest_of(folder: Path) -> str:
    """SHA-256 of `release.json`. ReleaseError."""
    try:
        return file_sha256(folder / RECORD)
    except OSError as error:
        raise ReleaseError(f"{folder / RECORD}: {error.strerror}: no release lies there") from error


def verify(folder: Path, digest: str | None = None) -> list[str]:
    """What is wrong with the release in `folder`, a sentence each; nothing when it is whole.

    `digest`: that on record elsewhere, such as in the lake; without it, a release that was made anew as a whole
    passes. Documents are read in row groups; files that do not have their hash are not opened as data.
    """
    try:
        raw = (folder / RECORD).read_bytes()
    except OSError as error:
        return [f"{RECORD}: {error.strerror}: no release lies in {folder}"]
    findings = []
    found = hashlib.sha256(raw).hexdigest()
    if digest is not None and found != digest:
        findings.append(f"{RECORD}: the digest on record is {digest}, the file's SHA-256 is {found}")
    try:
        record = json.loads(raw)
        listed = {
            each["name"]: File(str(each["name"]), str(each["sha256"]), int(each["bytes"])) for each in record["files"]
        }
        count, root, sequences = record["documents"]["count"], record["documents"]["root"], dict(record["sequences"])
        if record["format"] != FORMAT or canonical(record) != raw or set(map(type, listed)) - {str}:
            raise ValueError(f"not the canonical JSON of a {FORMAT!r}")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return [*findings, f"{RECORD}: damaged: {type(error).__name__}: {error}"]
    damaged = list(_damaged(folder, listed))
    findings += damaged
    if not damaged:  # only bytes that have their hash are worth parsing
        from pyarrow import ArrowException

        try:
            findings += _contents(folder, sorted(listed), count, root, sequences)
        except (ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            findings.append(f"the data cannot be read: {type(error).__name__}: {error}")
    return findings


# What may be released


def _checked(release: Release) -> Release:
    """The release with documents and sequences in the columns that are written. ReleaseError."""
    if release.shard_bytes < 1:
        raise ReleaseError(f"shard_bytes is {release.shard_bytes}: give at least 1")
    documents = _typed(release.documents, DOCUMENTS, "documents")
    sequences = _typed(release.sequences, SEQUENCES, "sequences")
    for name, frame, columns in (
        ("works", release.works, _WORKS), ("notices", release.notices, _NOTICES), ("losses", release.losses, _LOSSES),
    ):  # fmt: skip
        if absent := columns - set(frame.columns):
            raise ReleaseError(f"{name}: column {min(absent)!r} is missing")
    for name, frame in (("document", documents), ("sequence", sequences)):
        if frame.is_empty():
            raise ReleaseError(
                f"{release.blueprint.name} of {release.day}: not one {name}: there is nothing to release"
            )
        if unknown := set(frame["split"].unique()) - set(SPLITS):
            raise ReleaseError(f"{name}s: split {min(unknown)!r} is none of {', '.join(SPLITS)}")
    for problem in _misfits(documents, sequences, release.works):
        raise ReleaseError(problem)
    try:
        json.dumps(dict(release.numbers), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"numbers: not JSON: {error}") from error
    return replace(release, documents=documents, sequences=sequences)


def _misfits(documents: pl.DataFrame, sequences: pl.DataFrame, works: pl.DataFrame) -> Iterator[str]:
    """Where the frames do not fit together."""
    twice = documents.filter(documents["doc_id"].is_duplicated())["doc_id"]
    if len(twice):
        yield f"documents: doc_id {twice[0]!r} is there {int((twice == twice[0]).sum())} times"
    if not documents["influence"].is_finite().all():
        yield "documents: an influence is not a finite number"
    where = documents.select("work_id", "split").unique()
    leaks = where.filter(where["work_id"].is_duplicated())["work_id"].sort()
    if len(leaks):
        yield f"documents: work {leaks[0]!r} is in two splits: a split goes by work"
    nameless = documents.filter(~documents["work_id"].is_in(works["work_id"].implode()))["work_id"]
    if len(nameless):
        yield f"works: {nameless.min()!r} has documents but no row: it could not be attributed"
    for given in documents["replaced"].drop_nulls().unique().sort():
        if not _is_counts(given):
            yield f"documents: replaced: {given[:80]!r} is no JSON of counts"
    ids: dict[str, set[str]] = {split: set(documents.filter(documents["split"] == split)["doc_id"]) for split in SPLITS}
    yield from (f"sequences: {each}" for each in _wrong_sequences(sequences, ids))


def _typed(frame: pl.DataFrame, columns: Mapping[str, str], name: str) -> pl.DataFrame:
    import polars as pl

    if absent := [column for column in columns if column not in frame.columns]:
        raise ReleaseError(f"{name}: column {absent[0]!r} is missing")
    if unknown := [column for column in frame.columns if column not in columns]:
        raise ReleaseError(f"{name}: column {unknown[0]!r} is none of a release")
    simple: dict[str, Any] = {
        "string": pl.String, "int64": pl.Int64, "int32": pl.Int32, "float64": pl.Float64, "bool": pl.Boolean,
        "timestamp[us, tz=UTC]": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    try:
        frame = frame.select(
            pl.col(column).cast(pl.List(simple[kind[5:-1]]) if kind.startswith("list<") else simple[kind])
            for column, kind in columns.items()
        )
    except pl.exceptions.PolarsError as error:
        raise ReleaseError(f"{name}: {error}") from error
    for column in columns:
        if column in _NEVER_NULL and frame[column].null_count():
            raise ReleaseError(f"{name}: {column} is null in {frame[column].null_count()} rows")
    return frame


def _is_counts(given: str) -> bool:
    try:
        counts = json.loads(given)
    except (ValueError, RecursionError):
        return False
    return isinstance(counts, dict) and all(isinstance(number, int) for number in counts.values())


def _wrong_sequences(sequences: pl.DataFrame, ids: Mapping[str, set[str]]) -> Iterator[str]:
    """`ids`: split -> doc_id of its documents."""
    import polars as pl

    told = sequences.select("place", "split", "documents", pl.col("input_ids", "loss_mask").list.len())
    for place, split, documents, tokens, mask in told.iter_rows():
        for doc_id in documents:
            if doc_id not in ids.get(split, ()):
                yield f"document {doc_id!r} of sequence {place} is not in {split}"
        if mask is not None and mask != tokens:
            yield f"a mask of {mask} for the {tokens} tokens of sequence {place} of {split}"


# Writing


def _fill(draft: Path, release: Release) -> Written:
    documents, sequences, limit = release.documents, release.sequences, release.shard_bytes
    growing = merkle.Root()
    parts: dict[str, dict[str, Part]] = {"sequences": {}, "documents": {}}
    for split in SPLITS:
        order = _order(documents, split, "doc_id")
        for row in documents.select("doc_id", "text_sha256", "leaf")[order].iter_rows(named=True):
            growing.add(_leaf(row))
        sizes = documents["text"].str.len_bytes()[order] + _ROW_BYTES
        if len(order):
            parts["documents"][split] = _write_part(draft, "documents", split, documents, order, sizes, limit)
        order = _order(sequences, split, "place")
        sizes = 4 * sequences["input_ids"].list.len()[order] + _ROW_BYTES
        if len(order):
            parts["sequences"][split] = _write_part(draft, "sequences", split, sequences, order, sizes, limit)
    root = growing.value.hex()
    blueprint = canonical(release.blueprint.told())
    summary = card.summary(release)
    texts: dict[str, bytes] = {
        "README.md": card.readme(release, summary, parts, root).encode(),
        "DATA_STATEMENT.md": card.statement(release, summary).encode(),
        "jsonl/README.md": card.jsonl_readme(release, parts).encode(),
        "ATTRIBUTION.md": attribution.page(release).encode(),
        "losses.csv": release.losses.write_csv(line_terminator="\n").encode(),
        "blueprint.json": blueprint,
        "contract.json": release.contract,
        "integrity.json": release.integrity,
        **attribution.notices(release),
    }
    for name, data in texts.items():
        _write(draft / name, data)
    _write(draft / "croissant.json", croissant.page(release, summary, parts, _files(draft)))
    files = _files(draft)
    record = {
        "format": FORMAT,
        "world": release.world,
        "day": release.day.isoformat(),
        "model": release.blueprint.told()["model"],
        "blueprint": {"name": release.blueprint.name, "sha256": hashlib.sha256(blueprint).hexdigest()},
        "genome_root": release.genome_root,
        "tokenizer_sha256": release.tokenizer_sha256,
        "contract_hash": release.contract_hash,
        "code_version": release.code_version,
        "settings": {"shard_bytes": release.shard_bytes, "row_group_bytes": _GROUP_BYTES},
        "documents": {"count": growing.size, "root": root},
        "sequences": {split: part.rows for split, part in parts["sequences"].items()},
        "numbers": {"of_the_release": summary, "given": dict(release.numbers)},
        "files": [asdict(each) for each in files],
    }
    raw = canonical(record)
    _write(draft / RECORD, raw)
    size = len(raw) + sum(each.bytes for each in files)
    return Written(hashlib.sha256(raw).hexdigest(), root, files, size)


def _order(frame: pl.DataFrame, split: str, by: str) -> pl.Series:
    """Rows of the split, sorted. The frame is not: sorting one of lists copies it."""
    return frame.select("split", by).with_row_index("_row").filter(frame["split"] == split).sort(by, "_row")["_row"]


def _write_part(
    draft: Path, config: str, split: str, frame: pl.DataFrame, order: pl.Series, sizes: pl.Series, limit: int
) -> Part:
    """The shards of a split: Parquet, and JSON lines too for documents. `order`: rows of the frame, `sizes`: their
    bytes."""
    import pyarrow.parquet as pq

    schema = _arrow(DOCUMENTS if config == "documents" else SEQUENCES)
    shards = list(_cuts(sizes, limit))
    names = [f"{split}-{number:05}-of-{len(shards):05}" for number in range(len(shards))]
    for folder in (f"data/{config}", "jsonl"):
        (draft / folder).mkdir(parents=True, exist_ok=True)
    for name, (offset, length) in zip(names, shards, strict=True):
        with contextlib.ExitStack() as stack:
            lines = stack.enter_context((draft / f"jsonl/{name}.jsonl").open("wb")) if config == "documents" else None
            # Without the Arrow schema in the footer: strings and times are then read by every engine as they are.
            parquet = stack.enter_context(
                pq.ParquetWriter(
                    draft / f"data/{config}/{name}.parquet",
                    schema,
                    compression="zstd",
                    compression_level=3,
                    use_dictionary=[column for column in schema.names if column != "text"],
                    store_schema=False,
                    write_page_index=True,
                )
            )
            for start, rows in _cuts(sizes.slice(offset, length), _GROUP_BYTES):
                group = frame[order.slice(offset + start, rows)]
                if lines:
                    _check_texts(group)
                    group.with_columns(group["event_at"].dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")).write_ndjson(lines)
                parquet.write_table(group.to_arrow().cast(schema), row_group_size=rows)
    return Part(len(order), int(sizes.sum()))


def _check_texts(group: pl.DataFrame) -> None:
    for doc_id, text, given in group.select("doc_id", "text", "text_sha256").iter_rows():
        if (found := hashlib.sha256(text.encode()).hexdigest()) != given:
            raise ReleaseError(f"documents: {doc_id!r}: text_sha256 is {given}, its text has {found}")


def _cuts(sizes: pl.Series, limit: int) -> Iterator[tuple[int, int]]:
    """Offset and length of runs of rows that begin within the same `limit` bytes."""
    lengths = ((sizes.cum_sum() - sizes) // limit).rle().struct.field("len")
    offset = 0
    for length in lengths:
        yield offset, length
        offset += length


def _arrow(columns: Mapping[str, str]) -> pa.Schema:
    import pyarrow as pa

    def kind(name: str) -> pa.DataType:
        if name.startswith("list<"):
            return pa.list_(kind(name[5:-1]))
        return pa.timestamp("us", "UTC") if name.startswith("timestamp") else pa.type_for_alias(name)

    return pa.schema([(column, kind(name)) for column, name in columns.items()])


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _files(folder: Path) -> tuple[File, ...]:
    """Every file under `folder`, by name."""
    return tuple(
        File(name, file_sha256(folder / name), (folder / name).stat().st_size) for name in sorted(_names(folder))
    )


def _names(folder: Path) -> Iterator[str]:
    """Names of all that lies under `folder` and is no folder."""
    for place, folders, files in os.walk(folder):
        for name in files + [each for each in folders if (Path(place) / each).is_symlink()]:
            yield (Path(place) / name).relative_to(folder).as_posix()


# Putting it in its place


def _only_a_release(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ReleaseError(f"{folder} is no folder: name another place for the release")
    if folder.exists() and any(folder.iterdir()) and not (folder / RECORD).is_file():
        raise ReleaseError(f"{folder} holds something else ({RECORD} is not in it): name another place for the release")


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders' names in one step, where the system can: Linux, renameat2(2) with RENAME_EXCHANGE (2)."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    at_cwd = -100
    return bool(call(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), 2) == 0)


def _sync(folder: Path) -> None:
    """Make all of a folder survive a power cut."""
    for place, _, files in os.walk(folder):
        for name in files:
            with (Path(place) / name).open("rb+") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(place))


def _tidy(folder: Path, draft: Path, former: Path) -> None:
    """Take back the former release if the new one did not come, and remove what else is left."""
    if former.exists() and not folder.exists():
        former.rename(folder)
    for left in (draft, former):
        shutil.rmtree(left, ignore_errors=True)


# Checking it


def _damaged(folder: Path, listed: Mapping[str, File]) -> Iterator[str]:
    there = set(_names(folder)) - {RECORD}
    for name in sorted(there - set(listed)):
        yield f"{name}: not a file of the release: {RECORD} does not list it"
    for name, each in sorted(listed.items()):
        path = folder / name
        try:
            if name not in there:
                yield f"{name}: missing"
            elif not stat.S_ISREG(path.lstat().st_mode):
                yield f"{name}: a link or device, not a file"
            elif (size := path.stat().st_size) != each.bytes:
                yield f"{name}: {size:,} bytes, {each.bytes:,} on record"
            elif (found := file_sha256(path)) != each.sha256:
                yield f"{name}: SHA-256 is {found}, {each.sha256} on record"
        except OSError as error:
            yield f"{name}: {error.strerror}"


def _contents(folder: Path, names: list[str], count: int, root: str, sequences: Mapping[str, int]) -> Iterator[str]:
    import polars as pl

    growing = merkle.Root()
    ids: dict[str, set[str]] = {split: set() for split in SPLITS}
    for name in _shards(names, "documents"):
        split = Path(name).name.partition("-")[0]
        lines = folder / "jsonl" / f"{Path(name).stem}.jsonl"
        same = True
        rows = (row for group in _groups(folder / name, DOCUMENTS) for row in group.to_pylist())
        for row, line in zip_longest(rows, _lines(lines)):
            if row is not None:
                growing.add(_leaf(row))
                ids[split].add(row["doc_id"])
                if row["split"] != split:
                    yield f"{name}: {row['doc_id']!r} is of split {row['split']}"
                if (found := hashlib.sha256(row["text"].encode()).hexdigest()) != row["text_sha256"]:
                    yield f"{name}: the text of {row['doc_id']!r} has SHA-256 {found}, not {row['text_sha256']}"
            if same and (row is None or line is None or _as_json(row) != line):
                same = False
                which = (row or line or {}).get("doc_id")
                yield f"{lines.relative_to(folder).as_posix()}: {which!r} is not as in {name}"
    if (growing.size, growing.value.hex()) != (count, root):
        yield (
            f"data/documents: {growing.size} documents under the root {growing.value.hex()}, "
            f"{count} under {root} on record"
        )
    counted: dict[str, int] = dict.fromkeys(SPLITS, 0)
    for name in _shards(names, "sequences"):
        split = Path(name).name.partition("-")[0]
        for group in _groups(folder / name, SEQUENCES):
            packed = pl.DataFrame(group)
            counted[split] += len(packed)
            if others := set(packed["split"]) - {split}:
                yield f"{name}: a sequence is of split {min(others)}"
            yield from (f"{name}: {problem}" for problem in _wrong_sequences(packed, ids))
    for split, number in counted.items():
        if number != sequences.get(split, 0):
            yield f"data/sequences: {number} sequences of {split}, {sequences.get(split, 0)} on record"


def _shards(names: list[str], config: str) -> list[str]:
    """Names of a configuration's Parquet files, by split and number."""
    return [name for split in SPLITS for name in names if name.startswith(f"data/{config}/{split}-")]


def _leaf(row: Mapping[str, Any]) -> bytes:
    """What stands for a document in the Merkle tree."""
    return merkle.leaf_hash(canonical({name: row[name] for name in ("doc_id", "text_sha256", "leaf")}))


def _groups(path: Path, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    """Row groups of a Parquet file."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if file.schema_arrow != _arrow(columns):
            raise ValueError(f"{path.name}: the columns are not those of a release")
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, use_threads=False)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        yield from map(json.loads, stream)


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    at: datetime | None = row["event_at"]
    written = at and f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return {**row, "event_at": written}
