"""One repository into a pack: every file read once, audited, decided on and written; a row of the manifest for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

from coevo_pipelines.genome import archives, audit, files, licences, manifest, swhid, trees
from coevo_pipelines.genome.asof import Commit
from coevo_pipelines.genome.audit import Audit, Content, Level
from coevo_pipelines.genome.git import TIMEOUT, Git, algorithm_of, object_id
from coevo_pipelines.genome.mirrors import Kept
from coevo_pipelines.genome.pack import INSIDE, PackWriter, to_disk
from coevo_pipelines.genome.trees import Entry

INNER = 0o100644
"""Mode of what is in an archive: whatever that says, nothing is run."""


@dataclass(frozen=True)
class Chosen:
    """The commit of a repository that goes into the genome; `tip`: what the remote's branch has, if that is known.
    `shallow`: its history was cut off on purpose."""

    name: str
    git: Git
    commit: Commit
    tip: str | None
    kept: tuple[Kept, ...] = ()
    shallow: bool = False


def add(
    writer: PackWriter,
    chosen: Chosen,
    rules: files.Rules,
    *,
    past: bool = False,
    timeout: float = TIMEOUT,
) -> tuple[Audit, list[dict[str, Any]]]:
    """Audit a repository and write what passes; the audit and a row for each file, packed or only listed.

    Nothing of a repository that fails is left in the pack, and there are no rows of it. `past` and `timeout` as in
    `audit`.
    """
    writer.repo(chosen.name)
    rows: list[dict[str, Any]] = []

    def visit(entry: Entry, data: bytes | None, content: Content | None) -> None:
        if content is None and entry.mode != trees.SUBMODULE:
            return  # not what its id says: the audit fails
        rows.append(_row(writer, chosen.name, entry, data, content, rules))
        if rules.archives and data is not None and _holds_files(entry, data):
            rows.extend(_inside(writer, chosen.name, entry, data, rules))

    found = audit.audit(
        chosen.git, chosen.commit.oid, chosen.tip, past=past, shallow=chosen.shallow, timeout=timeout,
        visit=visit, held=max(audit.HELD, rules.largest),
    )  # fmt: skip
    if not found.passed:
        writer.drop()
        return found, []
    return found, rows


def seal(
    writer: PackWriter,
    stream: IO[bytes],
    place: Path,
    rows: Sequence[manifest.Row],
    repositories: Sequence[Mapping[str, Any]],
    rules: files.Rules,
    *,
    as_of: date | None = None,
    left_out: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """End the pack that `writer` writes to `stream`, and write its manifest to `place`; the manifest's header."""
    done = writer.close()
    to_disk(stream)
    header = manifest.header_of(
        rows,
        {
            "as_of": None if as_of is None else as_of.isoformat(),
            "pack": {"size": done.size, "sha256": done.sha256, "files": done.files},
            "repositories": list(repositories),
            "left_out": list(left_out),
            "rules": rules.told(),
        },
    )
    with place.open("wb") as lines:
        lines.writelines(manifest.lines(header, rows))
        to_disk(lines)
    return header


def about(chosen: Chosen, found: Audit, rows: Sequence[manifest.Row]) -> dict[str, Any]:
    """What the manifest's header says of a packed repository."""
    commit = chosen.commit
    return {
        "name": chosen.name,
        "commit": commit.oid,
        "tree": found.tree,
        "swhid": swhid.from_git("commit", commit.oid) if len(commit.oid) == 40 else None,
        "committed_at": commit.committer.seconds if commit.committer else None,
        "license": _license(rows),
        "files": len(rows),
        "packed": sum(row["offset"] is not None for row in rows),
        "bytes": sum(row["size"] for row in rows),
        "audit": {str(level.level): {"status": level.status, "checked": level.checked} for level in found.levels},
        "kept": [f"{kept.ref} was {kept.old}: {kept.how}" for kept in chosen.kept],
    }


def reason_of(levels: Sequence[Level]) -> str:
    """The first thing that an audit has against a repository, in one line; of the store as a whole only if no object
    is named."""
    for level in levels:
        if level.status == "failed":
            named = (each for each in level.differences if not Path(each.object).is_absolute())
            first = next(named, level.differences[0])
            more = f" (and {len(level.differences) - 1:,} more)" if len(level.differences) > 1 else ""
            return f"audit level {level.level}: {told(first)}{more}"
    unrun = [str(level.level) for level in levels if level.status == "not_run"]
    return f"audit level {', '.join(unrun)} could not run"


def told(difference: audit.Difference) -> str:
    """A difference in one line."""
    where = f" at {difference.path}" if difference.path else ""
    return f"{difference.object}{where}: {difference.found}; expected {difference.expected}"


def _license(rows: Sequence[manifest.Row]) -> str | None:
    """The one SPDX id of the licence files at the root; None where there is none, or several."""
    ids = {row["license"] for row in rows if row["licence_kind"] == "licence" and "/" not in row["path"]}
    return ids.pop() if len(ids) == 1 else None


def _row(
    writer: PackWriter, repo: str, entry: Entry, data: bytes | None, content: Content | None, rules: files.Rules
) -> dict[str, Any]:
    size = content.size if content else 0
    decision = files.decide(entry.path, entry.mode, data, size, rules)
    sha256 = content.sha256 if content else None
    own = _swhid(entry, data)
    return _sealed(writer, repo, entry, decision, {"swhid": own, "size": size, "sha256": sha256, "within": None})


def _holds_files(entry: Entry, data: bytes) -> bool:
    return entry.mode in trees.FILES and archives.is_archive(entry.path) and not files.is_lfs_pointer(data)


def _inside(writer: PackWriter, repo: str, entry: Entry, data: bytes, rules: files.Rules) -> Iterator[dict[str, Any]]:
    """Rows of what is in an archive. Their paths have an empty part, `a.zip!//b`, as none of a tree has."""
    algorithm = algorithm_of(entry.oid)
    for member in archives.members(entry.path, data):
        content = member.data
        path = entry.path + INSIDE + member.path.removeprefix(entry.path + archives.SEPARATOR)
        inner = Entry(path, INNER, object_id("blob", content or b"", algorithm))
        hashes: dict[str, Any] = {"swhid": None, "size": member.size, "sha256": None}
        if content is None:
            decision = files.Decision(member.problem or "archive_damaged")
            hashes["git_id"] = None
        else:
            decision = files.decide(path, INNER, content, len(content), rules)
            hashes |= {"swhid": swhid.content(content), "sha256": hashlib.sha256(content).hexdigest()}
        yield _sealed(writer, repo, inner, decision, {**hashes, "within": files.shown(member.within)})


def _sealed(
    writer: PackWriter, repo: str, entry: Entry, decision: files.Decision, hashes: dict[str, Any]
) -> dict[str, Any]:
    text = decision.text
    place = writer.file(entry.path, text) if text is not None else None
    same = decision.charset == "utf-8" and not decision.stripped
    text_sha256 = None if text is None else hashes["sha256"] if same else hashlib.sha256(text).hexdigest()
    return manifest.sealed(
        {
            "repo": repo,
            "path": files.shown(entry.path),
            "mode": f"{entry.mode:06o}",
            "reason": decision.reason,
            "git_id": entry.oid,
            **hashes,
            "charset": decision.charset,
            "stripped": decision.stripped,
            "language": decision.language,
            "licence_kind": decision.licence_kind,
            "license": licences.spdx_id(entry.path, text) if text is not None else None,
            "target": None if decision.target is None else files.shown(decision.target),
            "offset": place.offset if place else None,
            "length": place.length if place else None,
            "text_sha256": text_sha256,
        }
    )


def _swhid(entry: Entry, data: bytes | None) -> str | None:
    """None for a submodule, and for a large file of a sha256 repository: its sha1 was not computed."""
    if entry.mode == trees.SUBMODULE:
        return None
    if len(entry.oid) == 40:
        return swhid.from_git("blob", entry.oid)
    return None if data is None else swhid.content(data)
