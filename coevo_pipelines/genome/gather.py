"""The ecosystem of a day brought here: who lists which repository, each mirrored, and what its remote had.

A day keeps the first look that was taken at a remote after the day's end: whoever makes the day again later, or
many past days at once, finds that look on the mirror's record and asks nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from coevo_pipelines.genome import ecosystem, mirrors, trees
from coevo_pipelines.genome.asof import CommitError, commit_at
from coevo_pipelines.genome.ecosystem import Listed
from coevo_pipelines.genome.files import Rules as FileRules
from coevo_pipelines.genome.files import decide, shown
from coevo_pipelines.genome.git import TIMEOUT, Git, GitError, Objects
from coevo_pipelines.genome.trees import TreeError

log = logging.getLogger(__name__)

MOST_LINKS = 1_000
"""Repositories that one README may bring."""


@dataclass(frozen=True)
class Asking:
    """How remotes are asked. `end`: of the day, an instant with a zone; `now`: the clock that goes on record;
    `timeout` in seconds for one git command."""

    mirrors: Path
    end: datetime
    now: Callable[[], datetime]
    at_once: int = 4
    timeout: float = TIMEOUT
    depth: int | None = None
    ssh: bool = False


def gather(
    named: Sequence[Listed], readmes: Sequence[Listed], found: Iterable[Listed], asking: Asking
) -> list[dict[str, Any]]:
    """Rows of `genome.ecosystem`: the repositories `named`, the `readmes` and what they link to, and those `found`.

    A remote that cannot be had is a row that says so. GenomeError where two that are named have one name.
    """
    begun = ecosystem.once([*named, *readmes])
    rows = _all(begun, asking)
    of = {row["repo"]: row for row in rows}
    lists = {ecosystem.address(each.source.place) for each in readmes}
    linked = [
        link
        for each in begun
        if ecosystem.address(each.source.place) in lists
        for link in _linked(each.source.name, of[each.source.name], asking)
    ]
    more = ecosystem.once([*begun, *linked, *found])[len(begun) :]
    return rows + _all(more, asking)


def _all(listed: Sequence[Listed], asking: Asking) -> list[dict[str, Any]]:
    def one(each: Listed) -> dict[str, Any]:
        row = _row(each, asking)
        log.info("genome: %s: %s", row["repo"], row["error"] or row["status"])
        return row

    with ThreadPoolExecutor(asking.at_once) as pool:
        return list(pool.map(one, listed))


def _row(listed: Listed, asking: Asking) -> dict[str, Any]:
    place = listed.source.place
    # What is shown in place of an address stays; the address itself may differ from run to run.
    name = None if listed.shown is None else mirrors.name_of(listed.shown)
    row: dict[str, Any] = {
        "repo": listed.source.name, "url": listed.shown or _text(mirrors.public(place)), "listed_by": listed.by,
        "listed_in": listed.place, "mirror": None, "status": "failed", "head": None, "commit": None, "kept": [],
        "fetched_at": asking.now(), "error": None,
    }  # fmt: skip
    try:
        name = name or mirrors.name_of(mirrors.checked(place, ssh=asking.ssh))
        path = asking.mirrors / f"{name}.git"
        looked = mirrors.first_seen(path, asking.end, asking.now()) if path.exists() else None
        if looked and not mirrors.is_marked(path):
            return row | _looked(path, looked)
        mirror = mirrors.fetch(
            place, asking.mirrors, at=row["fetched_at"], name=name, depth=asking.depth, ssh=asking.ssh,
            timeout=asking.timeout,
        )  # fmt: skip
        error = _told(mirror.error, listed, asking) or None
        if looked:  # the day keeps its look; one that failed is taken again
            failed = {"status": "failed", "error": error} if mirror.status == "failed" else {}
            return row | _looked(path, looked) | failed
        had = _had(path, mirror.status, mirror.head, mirror.commit, mirror.kept, row["fetched_at"])
        return row | had | ({"error": error} if error else {})
    except GitError as error:
        status = "gone" if mirrors.is_gone(error) else "failed"
        return row | {"status": status, "error": _told(str(error), listed, asking)}
    except (ValueError, OSError) as error:  # OSError: this mirror's folder, a full disk
        return row | {"error": _told(str(error), listed, asking)}


def _looked(path: Path, looked: mirrors.Seen) -> dict[str, Any]:
    return _had(path, "fetched", looked.head, looked.commit, looked.kept, looked.at) | {"fetched_at": looked.at}


def _had(
    path: Path, status: str, head: str | None, commit: str | None, kept: Iterable[mirrors.Kept], at: datetime
) -> dict[str, Any]:
    told = [f"{_ref(each.ref)} was {each.old}: {each.how}" for each in kept]
    error = None
    if commit is None and (before := mirrors.last_tip(path, at)):
        commit = before.commit  # that the mirror keeps
        error = f"no default branch any more: the last one seen on {before.at:%Y-%m-%d} is used"
    return {
        "mirror": path.name, "status": status, "head": head and _ref(head), "commit": commit, "kept": told,
        "error": error,
    }  # fmt: skip


def _told(text: str, listed: Listed, asking: Asking) -> str:
    """An error as it is in every run: what is shown in place of an address, and no folder of this lake."""
    place = listed.source.place
    text = mirrors.shown(mirrors.public_text(text, place), asking.mirrors)
    if listed.shown is not None:
        for each in (str(Path(place).absolute()), mirrors.public(place), place.removeprefix("file://")):
            text = text.replace(each, listed.shown) if "/" in each else text
    return _text(text)


def _ref(name: str) -> str:
    """A ref's name, which may be any bytes, as text."""
    return shown(name.encode(errors="surrogateescape"))


def _text(text: str) -> str:
    """Without what no table can hold: parts of a path that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _linked(name: str, row: dict[str, Any], asking: Asking) -> list[Listed]:
    """What the README of a mirror links to, as of the day; nothing where there is no README by then."""
    if row["commit"] is None:
        return []
    git = Git(asking.mirrors / row["mirror"])
    try:
        commit = commit_at(git, row["commit"], asking.end)
        if commit is None:
            return []
        with Objects(git) as objects:
            readmes = [
                entry for entry in trees.read(objects, commit.tree)
                if entry.mode in trees.FILES and ecosystem.README.match(entry.path)
                and next(objects.sizes([entry.oid]))[2] <= FileRules().largest
            ]  # fmt: skip
            texts = []
            for entry in readmes:
                _, data = objects.read(entry.oid)
                decision = decide(entry.path, entry.mode, data, len(data), FileRules(all_text=True))
                texts.append((decision.text or b"").decode())
    except (GitError, TreeError, CommitError) as error:
        log.warning("genome: the README of %s cannot be read: %s", name, error)
        return []  # the audit of the same repository says so in the tables
    links = ecosystem.once(link for text in texts for link in ecosystem.linked(text, name))
    if len(links) > MOST_LINKS:
        log.warning("genome: %s links to %d repositories; the first %d are taken", name, len(links), MOST_LINKS)
    return links[:MOST_LINKS]
