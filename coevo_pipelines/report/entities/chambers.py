"""Records of resonance chambers: those of the day, and those of the history that are no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import html, links
from coevo_pipelines.report.entities.asked import (
    HISTORY,
    RECENT,
    Queries,
    by_owner,
    filled,
    leading,
    over_graph,
    placed,
    short,
    words,
)
from coevo_pipelines.report.page import Page, Records

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

MEMBERS, NEIGHBOURS, BRIDGES = 500, 20, 20

_CHAMBERS = f"""
WITH {RECENT}
SELECT c.chamber_id, arg_max({{size: c.size, links: c.links, density: c.density, conductance: c.conductance,
                              modularity: c.modularity, terms: c.leading_terms, event: c.event, origins: c.origins,
                              jaccard: c.jaccard, date: c.date::VARCHAR}}, c.date) AS last,
       max(c.date) = getvariable('day') AS is_there, list(r.place ORDER BY r.place) AS places,
       list(c.size ORDER BY r.place) AS sizes, list(c.density ORDER BY r.place) AS densities
FROM influence.chambers c JOIN recent r USING (date) GROUP BY 1 ORDER BY 1
"""

_EVENTS = f"""
WITH {RECENT}
SELECT c.chamber_id, c.date::VARCHAR AS date, c.event, c.origins[:12] AS origins, c.size, c.jaccard
FROM influence.chambers c JOIN recent r USING (date) ORDER BY c.chamber_id, c.date DESC
"""

_WENT = f"""
WITH {RECENT}, came AS (
    SELECT c.chamber_id, c.date, unnest(c.origins) AS origin FROM influence.chambers c JOIN recent r USING (date))
SELECT origin, date::VARCHAR AS date, chamber_id FROM came WHERE origin <> chamber_id ORDER BY ALL
"""

_MEMBERS = f"""
, placed AS (
    SELECT l.chamber_id, l.node_id, s.influence, s.integrative_potential, l.core_number, l.is_crystalline,
           row_number() OVER (PARTITION BY l.chamber_id ORDER BY s.influence DESC NULLS LAST, l.node_id) AS i
    FROM influence.lattice l LEFT JOIN influence.scores s USING (date, node_id)
    WHERE l.date = getvariable('day') AND l.chamber_id IS NOT NULL)
SELECT p.chamber_id, p.node_id, w.title, w.kind, p.influence, p.core_number, p.is_crystalline
FROM placed p LEFT JOIN works w USING (node_id) WHERE p.i <= {MEMBERS} ORDER BY p.chamber_id, p.i
"""

_ACROSS = """
, inside AS (SELECT node_id, chamber_id FROM influence.lattice
             WHERE date = getvariable('day') AND chamber_id IS NOT NULL),
pairs AS (SELECT DISTINCT least(source, target) AS a, greatest(source, target) AS b FROM links WHERE source <> target),
ends AS (
    SELECT p.a, p.b, x.chamber_id AS of_a, y.chamber_id AS of_b FROM pairs p
    JOIN inside x ON x.node_id = p.a JOIN inside y ON y.node_id = p.b WHERE x.chamber_id <> y.chamber_id),
across AS (
    SELECT a AS node_id, of_a AS chamber_id, of_b AS other FROM ends
    UNION ALL SELECT b, of_b, of_a FROM ends)
"""

_NEIGHBOURS = f"""{_ACROSS}, sums AS (SELECT chamber_id, other, count(*) AS pairs FROM across GROUP BY 1, 2),
placed AS (
    SELECT *, count(*) OVER (PARTITION BY chamber_id) AS n,
           row_number() OVER (PARTITION BY chamber_id ORDER BY pairs DESC, other) AS i FROM sums)
SELECT p.chamber_id, p.n, p.other, p.pairs, c.leading_terms[:4] AS terms, c.size
FROM placed p LEFT JOIN influence.chambers c ON c.chamber_id = p.other AND c.date = getvariable('day')
WHERE p.i <= {NEIGHBOURS} ORDER BY p.chamber_id, p.i
"""

_BRIDGES = f"""{_ACROSS}, sums AS (
    SELECT chamber_id, node_id, count(*) AS pairs, count(DISTINCT other) AS others FROM across GROUP BY 1, 2),
placed AS (
    SELECT b.*, s.integrative_potential AS potential, count(*) OVER (PARTITION BY b.chamber_id) AS n,
           row_number() OVER (PARTITION BY b.chamber_id ORDER BY s.integrative_potential DESC NULLS LAST,
                              b.others DESC, b.pairs DESC, b.node_id) AS i
    FROM sums b LEFT JOIN influence.scores s ON s.node_id = b.node_id AND s.date = getvariable('day'))
SELECT p.chamber_id, p.n, p.node_id, w.title, w.kind, p.potential, p.others, p.pairs
FROM placed p LEFT JOIN works w USING (node_id) WHERE p.i <= {BRIDGES} ORDER BY p.chamber_id, p.i
"""


def _queries() -> dict[str, str]:
    return {
        "chambers": _CHAMBERS,
        "events": _EVENTS,
        "went": _WENT,
        "members": over_graph(_MEMBERS),
        "neighbours": over_graph(_NEIGHBOURS),
        "bridges": over_graph(_BRIDGES),
    }


def records(frames: Frames, about: About) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One record a chamber of the history's days; `ended` is the last day of one that is no more."""
    days = min(len(about.days), HISTORY)
    found = {name: by_owner(frames[name]) for name in frames if name != "chambers"}
    known = set(frames["chambers"]["chamber_id"].to_list())
    for chamber, last, is_there, places, sizes, densities in frames["chambers"].iter_rows():
        neighbours = found["neighbours"].get(chamber, [])
        bridges = found["bridges"].get(chamber, [])
        record = {
            "ended": None if is_there else last["date"],
            **{name: last[name] for name in ("size", "links")},
            **{name: short(last[name]) for name in ("density", "conductance", "modularity", "jaccard")},
            "terms": [words(term) for term in last["terms"]],
            "members": [
                [node, words(title), kind, short(influence), core, crystalline]
                for node, title, kind, influence, core, crystalline in found["members"].get(chamber, [])
            ]
            if is_there
            else None,
            "neighbours": [
                [other, pairs, [words(term) for term in terms or []], size]
                for _, other, pairs, terms, size in neighbours
            ],
            "all_neighbours": neighbours[0][0] if neighbours else None,
            "bridges": [
                [node, words(title), kind, short(potential), others, pairs]
                for _, node, title, kind, potential, others, pairs in bridges
            ],
            "all_bridges": bridges[0][0] if bridges else None,
            "history": [placed(places, sizes, days), placed(places, densities, days)],
            "events": [
                [date, event, [[origin, origin in known] for origin in origins], size, short(jaccard)]
                for date, event, origins, size, jaccard in found["events"].get(chamber, [])
            ],
            "went": found["went"].get(chamber, []),
        }
        yield chamber, filled(record)


_LEADING = """
SELECT chamber_id, size, leading_terms[:4] AS terms FROM influence.chambers WHERE date = getvariable('day')
ORDER BY size DESC, chamber_id LIMIT 20
"""


def body(frames: Frames, about: About) -> str:
    """HTML of the page before a record is in it."""
    rows = (
        f'{links.to("chamber", chamber, ", ".join(terms) or chamber)} <span class="soft">'
        f"{links.proof('influence.chambers', about.day, f'{size:,} works', chamber_id=chamber)}, "
        f"{html.text(chamber)}</span>"
        for chamber, size, terms in frames["leading"].iter_rows()
    )
    return leading(rows, "chamber", "chambers") + '<p><a href="chambers.html">All chambers</a></p>\n'


PAGE = Page("chamber", "Chamber", {"leading": _LEADING}, body, ("entity.js", "chamber.js"), in_navigation=False)
RECORDS = Records("chamber", Queries(_queries), records)
