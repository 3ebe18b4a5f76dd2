"""A lake's packs and mirrors against what its tables say of them, down to the byte that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coevo_pipelines.genome import manifest, standalone
from coevo_pipelines.genome.audit import audit
from coevo_pipelines.genome.git import TIMEOUT, Git
from coevo_pipelines.genome.packing import reason_of
from coevo_pipelines.lake.ledger import file_sha256


def wrong_packs(root: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each thing that does not agree; `rows` of `genome.manifest`, with their dates."""
    told = {(row["pack"], row["pack_sha256"], row["manifest_sha256"]): row for row in rows}
    for (pack, *_), row in told.items():
        file = root / pack
        what = f"genome.manifest date={row['date']}"
        said = {file: row["pack_sha256"], manifest.place(file): row["manifest_sha256"]}
        try:
            own = {each: file_sha256(each) for each in said}
            wrong = next((each for each in said if own[each] != said[each]), None)
            findings = standalone.verify(file) if wrong else []
        except OSError as error:
            yield f"{what}: {error.filename}: {error.strerror}; make the day again"
            continue
        if wrong:
            yield from findings or [f"{what}: {wrong}: sha256 {own[wrong]}, and {said[wrong]} was committed"]


def wrong_mirrors(
    mirrors: Path, rows: Sequence[Mapping[str, Any]], *, shallow: bool, timeout: float = TIMEOUT
) -> Iterator[str]:
    """One line for each mirror that fails the audit; `rows` (repo, mirror, commit as of the day, tip) of a day."""
    for row in rows:
        git = Git(mirrors / row["mirror"])
        if not git.folder.is_dir():
            yield f"{row['repo']}: the mirror {row['mirror']} is not there any more; make the day again to fetch it"
            continue
        found = audit(git, row["commit"], row["tip"], past=True, shallow=shallow, timeout=timeout)
        if not found.passed:
            yield f"{row['repo']}: mirror {row['mirror']}: {reason_of(found.levels)}"
