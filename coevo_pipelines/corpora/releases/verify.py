"""A lake's releases against what its tables say of them, and against the contracts as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coevo_pipelines.corpora.consent.contracts import Refused
from coevo_pipelines.corpora.consent.table import states
from coevo_pipelines.corpora.load import RELEASES
from coevo_pipelines.corpora.releases import release


def wrong_releases(
    root: Path, rows: Sequence[Mapping[str, Any]], trusted: Sequence[str], model_files: Mapping[str, Path]
) -> Iterator[str]:
    """One line for each thing that does not agree; `rows` of `corpora.releases`, with their dates."""
    state_of = states(root, trusted, model_files)
    for row in rows:
        what = f"corpora.releases date={row['date']} {row['blueprint']}"
        if row["status"] != "released":
            continue
        yield from (f"{what}: {line}" for line in release.verify(root / row["folder"], row["digest"]))
        state = state_of(row["model_id"], row["model_revision"])
        if isinstance(state, Refused):
            yield f"{what}: released, and there is no contract in force any more: {state.reason}"


def untold_releases(root: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Releases on the disk that no row of `corpora.releases` tells of: nobody looks after their contracts."""
    told = {row["folder"] for row in rows}
    for path in sorted((root / RELEASES).glob("[!.]*/date=*")):
        if (folder := path.relative_to(root).as_posix()) not in told:
            yield f"{folder}: corpora.releases says nothing of it: remove it, or name its blueprint again"
