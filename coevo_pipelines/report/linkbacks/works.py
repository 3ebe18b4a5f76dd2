"""Which works a topic's list holds, and what is said of each: asked of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from coevo_pipelines.lake.schemas import NOT_PUBLIC

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Work:
    """One line of a list. `inflow` is the share of all influence that flows over links (influence.scores)."""

    id: str
    kind: str
    title: str
    authors: tuple[str, ...]
    """As the source names them, in its order; of a work without authors the account that holds it."""
    published: date
    url: str
    doi: str | None
    arxiv: str | None
    license: str | None
    rank: int
    """Among all works of the topic, from 1."""
    inflow: float


@dataclass(frozen=True)
class Listed:
    """The works of a topic as of a day, the most built on first."""

    topic: str
    day: date
    world: str
    works: tuple[Work, ...]
    of: int
    """How many works the topic has; those that are not public, or whose holders opted out, are not counted."""


TOPICS = "SELECT DISTINCT unnest(topics) AS topic FROM traces.works WHERE date <= getvariable('day') ORDER BY topic"

# A work goes by the name that stands for it on the day, whichever of its names a source used. Its own row says more
# than that of another name. Authors come from one source only: two would name everybody twice.
_WORKS = f"""
WITH canonical AS (
    SELECT a.id, coalesce(r.resolved_id, a.node_id) AS node_id
    FROM (SELECT id, arg_max(node_id, date) AS node_id FROM citations.aliases
          WHERE date <= getvariable('day') GROUP BY id) a
    LEFT JOIN citations.resolved_as_of(getvariable('day')) r ON r.node_id = a.node_id
), named AS (
    SELECT w.*, coalesce(c.node_id, w.work_id) AS node_id, coalesce(c.node_id, w.work_id) = w.work_id AS own
    FROM traces.works w LEFT JOIN canonical c ON c.id = w.work_id WHERE w.date <= getvariable('day')
), known AS (
    SELECT node_id, arg_max(kind, (own, event_at, source)) AS kind, arg_max(title, (own, event_at, source)) AS title,
        min(created_at) AS created_at, arg_max(url, (own, event_at, source)) FILTER (url IS NOT NULL) AS url,
        arg_max(license, (event_at, source)) FILTER (license IS NOT NULL) AS license,
        arg_max(owner, (event_at, source)) FILTER (owner IS NOT NULL) AS owner,
        arg_max(status, (event_at, source)) AS status, bool_or(list_contains(topics, getvariable('topic'))) AS in_topic
    FROM named GROUP BY node_id
), people AS (
    SELECT node_id, arg_min(names, (NOT own, source, work_id)) AS names FROM (
        SELECT coalesce(c.node_id, p.work_id) AS node_id, p.work_id, p.source,
            coalesce(c.node_id, p.work_id) = p.work_id AS own, list(p.name ORDER BY p.position) AS names
        FROM (SELECT work_id, source, position, arg_max(name, date) AS name FROM traces.people
              WHERE date <= getvariable('day') AND role = 'author' AND name IS NOT NULL
              GROUP BY ALL) p
        LEFT JOIN canonical c ON c.id = p.work_id GROUP BY ALL)
    GROUP BY node_id
), other_names AS (
    SELECT node_id, list(id ORDER BY id) AS ids FROM canonical GROUP BY node_id
), out AS (
    SELECT o.scope, coalesce(c.node_id, o.subject) AS subject FROM traces.optouts o
    LEFT JOIN canonical c ON c.id = o.subject WHERE o.date = getvariable('day') AND o.scope IN ('work', 'owner')
), listed AS (
    SELECT k.*, p.names, coalesce(o.ids, []) AS ids, coalesce(s.inflow, 0) AS inflow
    FROM known k LEFT JOIN people p USING (node_id) LEFT JOIN other_names o USING (node_id)
    LEFT JOIN influence.scores s ON s.node_id = k.node_id AND s.date = getvariable('day')
    WHERE k.in_topic AND k.status NOT IN {NOT_PUBLIC}
      AND NOT EXISTS (FROM out WHERE out.scope = 'work' AND out.subject = k.node_id)
      AND NOT EXISTS (FROM out WHERE out.scope = 'owner' AND out.subject = lower(k.owner))
)
SELECT node_id, kind, title, names, owner, created_at, url, ids, license, inflow,
    row_number() OVER (ORDER BY inflow DESC, node_id) AS rank, count(*) OVER () AS total
FROM listed ORDER BY rank
"""


def topics(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The topics that works were found under up to the connection's day (variable `day`)."""
    return [row[0] for row in connection.execute(TOPICS).fetchall()]


def works_of(
    connection: duckdb.DuckDBPyConnection, world: str, day: date, topic: str, kinds: Sequence[str], most: int | None
) -> Listed:
    """The list of one topic as of `day` (the connection's variable too), of some kinds; `most`: how many works at most,
    None for all."""
    connection.execute("SET VARIABLE topic = $topic", {"topic": topic})
    rows = [row for row in connection.execute(_WORKS).fetchall() if row[1] in kinds]
    works = [
        Work(
            id=node,
            kind=kind,
            title=" ".join(title.split()) or node,
            authors=tuple(" ".join(name.split()) for name in names or [_account(owner)] if name and name.strip()),
            published=created.date(),
            url=_url(node, url),
            doi=_named("doi:", node, ids),
            arxiv=_named("arxiv:", node, ids),
            license=license,
            rank=rank,
            inflow=inflow,
        )
        for node, kind, title, names, owner, created, url, ids, license, inflow, rank, _ in rows
    ]
    return Listed(topic, day, world, tuple(works[:most]), len(rows))


def _url(node: str, url: str | None) -> str:
    """A page for a person: that of the identifier where there is one, since it is what readers of lists know."""
    scheme, _, name = node.partition(":")
    known = {"doi": f"https://doi.org/{name}", "arxiv": f"https://arxiv.org/abs/{name}"}
    return known.get(scheme) or url or node


def _account(owner: str | None) -> str | None:
    """`NiaOrg` of github:NiaOrg."""
    return owner and owner.partition(":")[2]


def _named(scheme: str, node: str, ids: Sequence[str]) -> str | None:
    return next((each.removeprefix(scheme) for each in (node, *ids) if each.startswith(scheme)), None)
