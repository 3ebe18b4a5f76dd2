"""The manifest of a pack: one line a file, under one Merkle root, with enough in each line to find what was changed.

The first line is the header, every further line a file of an audited repository, packed or only listed, in the pack's
order. All lines are canonical JSON. `leaf` of a row is its RFC 6962 leaf hash, over the canonical JSON of all of the
row but `leaf`; `root` of the header is the Merkle root over the leaves; `hash` of the header is the SHA-256 over the
canonical JSON of all of the header but `hash`. So a damaged line is told by itself, and whoever has kept the root
(64 hex digits) needs nothing else to check the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coevo_pipelines.genome import merkle
from coevo_pipelines.lake.ledger import canonical

FORMAT = "coevo genome manifest 1"
PROOF = "coevo genome proof 1"

FIELDS = frozenset({
    "repo", "path", "within", "mode", "reason", "git_id", "swhid", "size", "sha256", "charset", "stripped", "language",
    "licence_kind", "license", "target", "offset", "length", "text_sha256", "leaf",
})  # fmt: skip
"""Of a row. `path` and `target` as `files.shown` writes them, `mode` in octal, sizes and places in bytes; `offset` and
`length` of the content as the pack has it, `text_sha256` of the text in it. `sha256` and `swhid` are of the blob; null
for a submodule. `within`: the archive that it stands in; null for a file of the tree."""

Row = Mapping[str, Any]


class ManifestError(ValueError):
    """A manifest or a proof that cannot be used; the message names the file, the line and what is wrong."""


@dataclass(frozen=True)
class Manifest:
    """A manifest without a damaged line."""

    header: Row
    rows: tuple[Row, ...]

    @property
    def root(self) -> str:
        return str(self.header["root"])

    def leaves(self) -> list[bytes]:
        """Leaf hashes, in order."""
        return [bytes.fromhex(row["leaf"]) for row in self.rows]


def place(pack: Path) -> Path:
    """Where the manifest of a pack lies."""
    return pack.with_name(f"{pack.name}.manifest.jsonl")


def sealed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its leaf hash."""
    return {**row, "leaf": merkle.leaf_hash(canonical(dict(row))).hex()}


def header_of(rows: Iterable[Row], about: Mapping[str, Any]) -> dict[str, Any]:
    """The header over `rows`, with what else there is to say `about` the pack."""
    growing = merkle.Root()
    reasons: Counter[str] = Counter()
    size = 0
    for row in rows:
        growing.add(bytes.fromhex(row["leaf"]))
        reasons[row["reason"]] += 1
        size += row["size"]
    header = {
        **about, "format": FORMAT, "files": growing.size, "bytes": size, "reasons": dict(sorted(reasons.items())),
        "root": growing.value.hex(),
    }  # fmt: skip
    return {**header, "hash": _hash(header)}


def lines(header: Row, rows: Iterable[Row]) -> Iterator[bytes]:
    """The manifest's lines."""
    for record in (header, *rows):
        yield canonical(dict(record)) + b"\n"


def header(file: Path) -> dict[str, Any] | None:
    """The header alone; None where there is none, or a damaged one."""
    try:
        with file.open("rb") as stream:
            record, problem = _record(stream.readline())
    except OSError:
        return None
    return None if problem or _wrong_header(record) else record


def read(file: Path) -> Manifest:
    """A manifest; ManifestError for the first thing that is wrong with it, OSError where it cannot be opened."""
    header, rows, findings = examine(file)
    if findings:
        raise ManifestError(findings[0])
    return Manifest(header, tuple(rows))


def examine(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """The header, the rows that are whole, and what is wrong, by line."""
    header: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    findings: list[str] = []
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            record, problem = _record(line)
            if problem is None and number == 1:
                problem = _wrong_header(record)
                header = {} if problem else record
            elif problem is None:
                problem = _wrong_row(record)
                if not problem:
                    rows.append(record)
            if problem:
                findings.append(f"{file} line {number}: {problem}")
    if not header and not findings:
        findings.append(f"{file}: empty, no manifest")
    if header and not findings:
        expected = header_of(rows, {})
        wrong = [name for name in ("files", "bytes", "reasons", "root") if header[name] != expected[name]]
        if wrong:
            findings.append(
                f"{file}: the lines do not make the header's {', '.join(wrong)}: lines were removed, added or moved "
                f"({len(rows):,} here, {header['files']:,} said)"
            )
    return header, rows, findings


def find(manifest: Manifest, path: str) -> int:
    """The row of `REPO:PATH`, or of a path that only one repository has; ManifestError naming the candidates."""
    found = [n for n, row in enumerate(manifest.rows) if path in (f"{row['repo']}:{row['path']}", row["path"])]
    if len(found) == 1:
        return found[0]
    if found:
        candidates = ", ".join(f"{manifest.rows[n]['repo']}:{path}" for n in found[:5])
        raise ManifestError(f"{path!r} is in several repositories: name one of {candidates}")
    from difflib import get_close_matches

    names = [f"{row['repo']}:{row['path']}" for row in manifest.rows]
    near = get_close_matches(path, names, 3) or [name for name in names if name.endswith(path)][:3]
    raise ManifestError(f"no file {path!r} in the manifest" + (f"; did you mean {', '.join(near)}?" if near else ""))


def proof_of(manifest: Manifest, index: int) -> dict[str, Any]:
    """That row `index` is in the genome of this root: the row, its place, and the hashes beside its way to the root."""
    hashes = merkle.inclusion_proof(manifest.leaves(), index)
    row = {name: value for name, value in manifest.rows[index].items() if name != "leaf"}
    return {
        "format": PROOF, "root": manifest.root, "files": len(manifest.rows), "index": index, "row": row,
        "hashes": [each.hex() for each in hashes],
    }  # fmt: skip


def checked(proof: Mapping[str, Any], root: str | None = None) -> str | None:
    """Why a proof shows nothing; None when it shows that its row is in the genome of its root (of `root`, if given).

    That there are `files` rows in all is not shown: trees of other sizes can have the same way to the root.
    """
    try:
        if proof["format"] != PROOF:
            return f"format {proof['format']!r}, not {PROOF!r}"
        if root is not None and root.lower() != proof["root"]:
            return f"it leads to the root {proof['root']}, not to {root}"
        leaf = merkle.leaf_hash(canonical(dict(proof["row"])))
        hashes = [bytes.fromhex(each) for each in proof["hashes"]]
        index, files = int(proof["index"]), int(proof["files"])
        shown = merkle.verify_inclusion(leaf, index, files, hashes, bytes.fromhex(proof["root"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"not a proof: {type(error).__name__}: {error}"
    return None if shown else "its hashes do not lead from the row to the root: the row or the proof was changed"


def _record(line: bytes) -> tuple[dict[str, Any], str | None]:
    if not line.endswith(b"\n"):
        return {}, "cut off: it has no end"
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, f"no JSON ({error})"
    if not isinstance(record, dict):
        return {}, "no JSON object"
    try:
        same = canonical(record) + b"\n" == line
    except (ValueError, RecursionError):
        same = False
    return record, None if same else "not canonical JSON: it was written by something else, or changed"


def _wrong_header(header: Mapping[str, Any]) -> str | None:
    if header.get("format") != FORMAT:
        return f"format {header.get('format')!r}; this program reads {FORMAT!r}"
    record = {name: value for name, value in header.items() if name != "hash"}
    if header.get("hash") != (own := _hash(record)):
        return f"the header was changed: its hash is {own}, and it says {header.get('hash')}"
    return None


def _wrong_row(row: Mapping[str, Any]) -> str | None:
    what = f"{row.get('repo')}: {row.get('path')}"
    if row.keys() != FIELDS:
        return f"{what}: fields {sorted(row.keys() ^ FIELDS)} are missing or unknown"
    own = merkle.leaf_hash(canonical({name: value for name, value in row.items() if name != "leaf"})).hex()
    return None if row["leaf"] == own else f"{what}: the row was changed: its leaf hash is not what it says"


def _hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(record))).hexdigest()
