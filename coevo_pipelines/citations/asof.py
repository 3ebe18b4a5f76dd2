"""The graph as it stands at the end of a day, from the tables of what changed on each day up to it.

`citations.nodes` and `.edges` say what was new on a day and are never rewritten. Whoever needs the whole graph
of a day takes it from here: one row a work that stands, one row a link between two such works, weighed by what
is known of both by then. What a link ended at when it was listed is followed to what stands for that now; two
works that were taken for one and let go again keep the links that were listed in between where they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import ibis
from ibis import _

from coevo_pipelines.citations.graph import (
    Engine,
    Table,
    described_works,
    is_late,
    own_work,
    standing,
    with_canonical,
)


@dataclass(frozen=True)
class Known:
    """What is known by the end of `day`: each table up to it, with the partition `date`.

    works, people: the `traces.*` tables. aliases, nodes, edges: the `citations.*` tables.
    """

    day: date
    works: Table
    people: Table
    aliases: Table
    nodes: Table
    edges: Table
    engine: Engine


KNOWN = ("traces.works", "traces.people", "citations.aliases", "citations.nodes", "citations.edges")
"""The tables of `Known`, in the order of its fields."""


def works(known: Known) -> Table:
    """One row a node that stands for itself as of the day, stubs included.

    node_id, node, is_stub, kind, title, owner, status, license, created_at, event_at, fields, tags, topics, authors.
    A stub has empty lists and nulls. event_at: when the work appeared, for a stub when it was first named.
    """
    canonical = known.engine.keep(standing(known.aliases))
    described = known.engine.keep(described_works(known.works, known.people, canonical))
    replaced = canonical.filter(_.id != _.canonical)
    # An earlier day that is filled in later lists again what a later one has listed, until that one is renewed.
    listed = known.nodes.group_by("node_id").agg(node=_.node.min(), named_at=_.event_at.min())
    nodes = listed.anti_join(replaced, [("node_id", "id")])
    joined = nodes.left_join(described, "node_id")
    nothing = ibis.literal([], type="array<string>")
    return joined.select(
        node_id=nodes.node_id,
        node=nodes.node,
        is_stub=described.node_id.isnull(),
        kind=described.kind,
        title=described.title,
        owner=described.owner,
        status=described.status,
        license=described.license,
        created_at=described.created_at,
        event_at=ibis.coalesce(described.created_at, nodes.named_at),
        fields=ibis.coalesce(described.fields, nothing),
        tags=ibis.coalesce(described.tags, nothing),
        topics=ibis.coalesce(described.topics, nothing),
        authors=described.authors,
    )


def edges(known: Known, works: Table) -> Table:
    """One row a link between two works that stand.

    source, target, source_node, target_node, relation, weight, own, event_at. `works` is `works(known)`. Links that
    became one by the day are one, dated by the earliest. `own` and `weight` are as of the day too: a name that
    turned out to be the same owner's work brings it nothing. A link is left out once its target is known to have
    appeared more than 30 days after it.
    """
    canonical = known.engine.keep(standing(known.aliases))
    links = known.edges.select("source", "target", "relation", "event_at")
    links = with_canonical(links, canonical, "source", "citing_id")
    links = with_canonical(links, canonical, "target", "cited_id")
    described = works.select("node_id", "node", "owner", "authors", "created_at")
    citing, cited = described.view(), described.view()
    joined = links.join(citing, links.citing_id == citing.node_id).join(cited, links.cited_id == cited.node_id)
    each = joined.select(
        source=links.citing_id,
        target=links.cited_id,
        source_node=citing.node,
        target_node=cited.node,
        relation=links.relation,
        own=own_work(links.citing_id == links.cited_id, citing, cited),
        event_at=links.event_at,
        is_late=is_late(cited.created_at, links.event_at),
    )
    # Everything but the time of the link depends on its ends alone, so the groups differ in nothing else.
    first = (
        each.filter(~_.is_late)
        .group_by(["source", "target", "source_node", "target_node", "relation", "own"])
        .agg(event_at=_.event_at.min())
    )
    return first.select(
        "source", "target", "source_node", "target_node", "relation",
        weight=_.own.isnull().cast("int64"), own=_.own, event_at=_.event_at,
    )  # fmt: skip
