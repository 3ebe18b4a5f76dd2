"""A lake's packs and mirrors against what its tables say of them, down to the byte that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coevo_pipelines.genome import manifest, standalone
from coevo_pipelines.genome.audit import audit
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError
from coevo_pipelines.genome.mirrors import HEADS, KEPT, TAGS, is_shallow, seen
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


def wrong_mirrors(mirrors: Path, rows: Sequence[Mapping[str, Any]], timeout: float = TIMEOUT) -> Iterator[str]:
    """One line for each thing that does not agree: every mirror's whole store, its refs and its record against the
    rows of `genome.ecosystem` of all days."""
    by_mirror: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["mirror"] is not None:
            by_mirror.setdefault(row["mirror"], []).append(row)
    for name, own in by_mirror.items():
        what = f"{own[-1]['repo']}: mirror {name}"
        git = Git(mirrors / name)
        if not git.folder.is_dir():
            yield f"{what}: it is not there any more; make the day again to fetch it"
            continue
        tip = next((row["commit"] for row in reversed(own) if row["commit"]), None)
        if tip is not None:
            found = audit(git, tip, tip, shallow=is_shallow(git.repo), timeout=timeout)
            if not found.passed:
                yield f"{what}: {reason_of(found.levels)}"
        for wrong in (*_wrong_record(git.repo, own), *_wrong_refs(git)):
            yield f"{what}: {wrong}"


def _wrong_record(mirror: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether the looks that days were made from are still on record."""
    try:
        looks = {look.at: look for look in seen(mirror)}
    except ValueError as error:
        yield str(error)
        return
    for row in rows:
        look = looks.get(row["fetched_at"])
        if look is None:
            yield f"its record has no look of {row['fetched_at']}, from which {row['date']} was made"
        elif look.status == row["status"] == "fetched" and look.commit and look.commit != row["commit"]:
            made = f"{row['date']} was made from {row['commit']}"
            yield f"its record says {look.commit} for {row['fetched_at']}, and {made}"


def _wrong_refs(git: Git) -> Iterator[str]:
    """Whether every branch, tag and kept tip is where the record has it."""
    try:
        looks = [look for look in seen(git.repo) if look.status == "fetched"]
        found = git.refs(HEADS, TAGS, KEPT)
    except (GitError, ValueError) as error:
        yield str(error)
        return
    said = dict(looks[-1].refs) if looks else {}
    said |= {f"{KEPT}{kept.old}": kept.old for look in looks for kept in look.kept}
    for name in sorted(said.keys() | found.keys()):
        if name in said and said[name] != found.get(name):
            yield f"{name} is {found.get(name, 'missing')}; the record has {said[name]}"
        elif name not in said and not name.startswith(KEPT):
            yield f"{name} is {found[name]}; the record has no such ref"
