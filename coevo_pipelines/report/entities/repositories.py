"""Records of repositories: those of the day's graph and those of the genome; here is their genome side.

What a repository has as a work (title, scores, links) is in its record of kind work, which the page loads beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import links
from coevo_pipelines.report.entities.asked import (
    HISTORY,
    RECENT,
    Queries,
    by_owner,
    filled,
    leading,
    over_graph,
    percent,
    placed,
    short,
    words,
)
from coevo_pipelines.report.page import Page, Records

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

CHANGES, LANGUAGES, ARCHIVES = 40, 12, 20

_GENOME = """
SELECT g.repo, g.place, g.status, g.why, g.commit, g.tree, g.swhid, strftime(g.committed_at, '%Y-%m-%d') AS committed,
       g.license, g.files, g.packed, g.bytes, g.text_bytes, g.tokens, m.text_bytes AS all_text, m.tokens AS all_tokens,
       m.root, count(*) OVER () AS repositories
FROM genome.repositories g LEFT JOIN genome.manifest m ON m.date = g.date
WHERE g.date = getvariable('day') ORDER BY g.repo
"""

_ECOSYSTEM = """
SELECT repo, url, listed_by, listed_in, status, head, "commit" AS tip, len(kept) AS kept,
       strftime(fetched_at, '%Y-%m-%d %H:%M') AS fetched, error
FROM genome.ecosystem WHERE date = getvariable('day') ORDER BY repo
"""

_AUDITS = """
SELECT repo, level, status, checked, differing, differences[:3] AS differences FROM genome.audits
WHERE date = getvariable('day') ORDER BY repo, level
"""

_FILES = """
SELECT repo, reason, count(*) AS files, sum(size)::BIGINT AS bytes FROM genome.files WHERE date = getvariable('day')
GROUP BY 1, 2 ORDER BY 1, files DESC, reason
"""

_LANGUAGES = f"""
WITH sums AS (
    SELECT repo, coalesce(language, 'other text') AS language, count(*) AS files, sum(length)::BIGINT AS bytes,
           sum(tokens)::BIGINT AS tokens
    FROM genome.files WHERE date = getvariable('day') AND reason = 'packed' GROUP BY 1, 2),
placed AS (SELECT *, row_number() OVER (PARTITION BY repo ORDER BY bytes DESC, language) AS i FROM sums)
SELECT repo, language, files, bytes, tokens FROM placed WHERE i <= {LANGUAGES} ORDER BY repo, i
"""

_HISTORY = f"""
WITH {RECENT}
SELECT g.repo, list(r.place ORDER BY r.place), list(g.text_bytes ORDER BY r.place), list(g.tokens ORDER BY r.place),
       list(g.packed ORDER BY r.place)
FROM genome.repositories g JOIN recent r USING (date) WHERE g.status = 'packed' GROUP BY 1 ORDER BY 1
"""

_CHANGED = f"""
WITH {RECENT}
SELECT c.repo, c.date::VARCHAR AS date, count(*) FILTER (change = 'added') AS added,
       count(*) FILTER (change = 'changed') AS changed, count(*) FILTER (change = 'removed') AS removed,
       coalesce(sum(lines_added), 0)::BIGINT AS plus, coalesce(sum(lines_removed), 0)::BIGINT AS minus
FROM genome.changes c JOIN recent r USING (date) GROUP BY 1, 2 ORDER BY 1, 2 DESC
"""

_PATHS = f"""
WITH placed AS (
    SELECT *, row_number() OVER (PARTITION BY repo ORDER BY date DESC, path) AS i FROM genome.changes
    WHERE date <= getvariable('day'))
SELECT repo, date::VARCHAR AS date, path, change, lines_added, lines_removed FROM placed
WHERE i <= {CHANGES} ORDER BY repo, i
"""


def _queries() -> dict[str, str]:
    return {
        "works": over_graph("SELECT node_id, title, owner FROM works WHERE kind = 'repository' ORDER BY node_id"),
        "standing": over_graph("SELECT id, canonical FROM standing ORDER BY id"),
        "genome": _GENOME,
        "ecosystem": _ECOSYSTEM,
        "audits": _AUDITS,
        "files": _FILES,
        "languages": _LANGUAGES,
        "history": _HISTORY,
        "changed": _CHANGED,
        "paths": _PATHS,
    }


def records(frames: Frames, about: About) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One record a repository, under its work where there can be one; its other names say which it `is`."""
    days = min(len(about.days), HISTORY)
    works = {node: title for node, title, _ in frames["works"].iter_rows()}
    names = _ids(frames)
    found = {name: by_owner(frames[name]) for name in ("audits", "files", "languages", "history", "changed", "paths")}
    genome = {row["repo"]: row for row in frames["genome"].iter_rows(named=True)}
    listed = {row["repo"]: row for row in frames["ecosystem"].iter_rows(named=True)}
    repositories = {node: repo for repo, node in names.items()}
    said: set[str] = set()
    for node in sorted({*works, *repositories}):
        repo = repositories.get(node)
        said.add(node)
        record: dict[str, Any] = {"title": words(works.get(node) or repo), "work": node in works}
        if repo is not None:
            own = {name: rows.get(repo, []) for name, rows in found.items()}
            record |= {"repo": words(repo), **_genome(genome.get(repo), listed.get(repo), own, days)}
        yield node, filled(record)
    for repo, node in names.items():
        if repo not in said:
            said.add(repo)
            yield repo, {"is": node}
    for other, canonical in frames["standing"].iter_rows():
        if canonical in works and other not in said:
            yield other, {"is": canonical}


def _ids(frames: Frames) -> dict[str, str]:
    """The identifier of each repository of the genome, as the corpora have it, under what stands for it today."""
    from coevo_pipelines.corpora.candidates import work_of
    from coevo_pipelines.genome.ecosystem import address

    standing = dict(frames["standing"].iter_rows())
    addresses = dict(frames["ecosystem"].select("repo", "url").iter_rows())
    ids: dict[str, str] = {}
    for repo in sorted({*addresses, *frames["genome"]["repo"]}):
        node = work_of(repo, address(addresses[repo])) if repo in addresses else f"git:{repo}"
        node = standing.get(node, node)
        ids[repo] = node if node not in ids.values() else f"git:{repo}"
    return ids


def _genome(
    row: Mapping[str, Any] | None, listed: Mapping[str, Any] | None, own: Mapping[str, list[tuple[Any, ...]]], days: int
) -> dict[str, Any]:
    """What the genome knows of a repository."""
    record: dict[str, Any] = {
        "audits": [[*each[:4], [words(one) for one in each[4]]] for each in own["audits"]],
        "files": own["files"],
        "languages": [[words(language), *more] for language, *more in own["languages"]],
        "history": [placed(own["history"][0][0], line, days) for line in own["history"][0][1:]]
        if own["history"]
        else None,
        "changed": own["changed"],
        "paths": [[date, words(path), *more] for date, path, *more in own["paths"]],
    }
    if row is not None:
        record["genome"] = {
            **{name: row[name] for name in ("status", "commit", "tree", "swhid", "committed", "files", "packed")},
            **{name: row[name] for name in ("place", "repositories", "bytes", "text_bytes", "tokens", "root")},
            "why": words(row["why"]),
            "license": words(row["license"]),
            "share": short(row["text_bytes"] / row["all_text"]) if row["all_text"] else None,
        }
    if listed is not None:
        record["listed"] = {
            **{name: listed[name] for name in ("listed_by", "status", "kept", "fetched", "tip")},
            **{name: words(listed[name]) for name in ("url", "listed_in", "head", "error")},
        }
    return record


_LEADING = """
SELECT repo, status, text_bytes, tokens FROM genome.repositories WHERE date = getvariable('day')
ORDER BY text_bytes DESC, repo LIMIT 20
"""
_LEADING_WORKS = """
SELECT s.node_id, n.title, s.influence FROM influence.scores s
JOIN citations.nodes_as_of(getvariable('day')) n USING (node_id)
WHERE s.date = getvariable('day') AND n.kind = 'repository' ORDER BY s.influence DESC, s.node_id LIMIT 20
"""


def body(frames: Frames, about: About) -> str:
    """HTML of the page before a record is in it."""
    packed = [
        f'{links.to("repository", repo, repo)} <span class="soft">{status.replace("_", " ")}, '
        f"{links.proof('genome.repositories', about.day, f'{size:,} bytes', repo=repo)} of text in the genome</span>"
        for repo, status, size, _ in frames["leading"].iter_rows()
    ]
    used = [
        f'{links.to("repository", node, title or node)} <span class="soft">'
        f"{links.proof('influence.scores', about.day, percent(influence), node_id=node)} of all influence</span>"
        for node, title, influence in frames["works"].iter_rows()
    ]
    return leading([*packed, *used], "repository", "repositories")


PAGE = Page(
    "repository",
    "Repository",
    {"leading": _LEADING, "works": _LEADING_WORKS},
    body,
    ("entity.js", "repository.js"),
    in_navigation=False,
)
RECORDS = Records("repository", Queries(_queries), records)
