"""The leading works with their scores and the reason, and a search over all works of the day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines.lake.schemas import KINDS
from coevo_pipelines.report.entities.asked import Queries, over_graph
from coevo_pipelines.report.html import rest, seen, table, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import counted, kind, percent, short

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

MOST, REASONS = 100, 3
"""Works in the list; links named as the reason of one."""
A_FILE, TITLE = 2_500, 200
"""Works in a file of the search, about 300 kB; most characters of a title there."""

_RANKED = f"""
, ranked AS (
    SELECT w.node_id, w.kind, w.title, strftime(w.created_at, '%Y') AS year, s.influence, s.inflow, s.guarded_inflow,
           s.in_degree, s.field, s.integrative_potential, l.chamber_id, c.leading_terms[:3] AS terms,
           row_number() OVER (ORDER BY s.inflow DESC, s.node_id) AS place
    FROM works w JOIN influence.scores s ON s.node_id = w.node_id AND s.date = getvariable('day')
    LEFT JOIN influence.lattice l ON l.node_id = w.node_id AND l.date = getvariable('day')
    LEFT JOIN influence.chambers c ON c.chamber_id = l.chamber_id AND c.date = getvariable('day')
    WHERE NOT w.is_stub AND s.inflow > 0
    QUALIFY place <= {MOST})
"""

_WEIGHTS = ", ".join(f"('{relation}', {weight})" for relation, weight in RELATION_WEIGHT.items())

_REASONS = f"""{_RANKED}, weights(relation, weight) AS (VALUES {_WEIGHTS}),
scored AS (SELECT node_id, influence FROM influence.scores WHERE date = getvariable('day')),
-- Readers of a work go on to its types of links by their weights, to links of one type alike (influence/explain.py).
counting AS (SELECT * FROM links WHERE own IS NULL AND source <> target),
kinds AS (SELECT source, relation, count(*) AS links FROM counting GROUP BY 1, 2),
present AS (SELECT source, sum(weight) AS mass FROM kinds JOIN weights USING (relation) GROUP BY 1),
flows AS (
    SELECT l.target, l.source, l.relation, s.influence * w.weight / p.mass / k.links AS flow
    FROM counting l JOIN ranked r ON r.node_id = l.target JOIN kinds k USING (source, relation)
    JOIN present p USING (source) JOIN weights w USING (relation) JOIN scored s ON s.node_id = l.source),
placed AS (
    SELECT *, flow / sum(flow) OVER (PARTITION BY target) AS share, count(*) OVER (PARTITION BY target) AS links,
           row_number() OVER (PARTITION BY target ORDER BY flow DESC, source, relation) AS i
    FROM flows WHERE flow > 0)
SELECT p.target, p.source, w.title, p.relation, p.share, p.links, p.i
FROM placed p LEFT JOIN works w ON w.node_id = p.source WHERE p.i <= {REASONS} ORDER BY p.target, p.i
"""

_EVERY = """
SELECT w.node_id, w.title, w.kind, w.is_stub, strftime(w.created_at, '%Y-%m-%d') AS created, s.influence, s.in_degree
FROM works w LEFT JOIN influence.scores s ON s.node_id = w.node_id AND s.date = getvariable('day')
ORDER BY s.influence DESC NULLS LAST, w.node_id
"""


LEADING = Queries(
    lambda: {"leading": over_graph(f"{_RANKED} FROM ranked ORDER BY place"), "reasons": over_graph(_REASONS)}
)
"""The leading works and the links that bring them most."""
QUERIES = Queries(lambda: {**LEADING, "every": over_graph(_EVERY)})


def reasons(frame: Any) -> dict[str, str]:
    """Of each leading work, HTML: which links bring it most, with their shares of all that arrives over links."""
    by_work: dict[str, list[Row]] = defaultdict(list)
    for row in frame.iter_rows(named=True):
        by_work[row["target"]].append(row)
    return {work: _reason(rows) for work, rows in by_work.items()}


def _reason(rows: Sequence[Row]) -> str:
    named = "; ".join(
        f"{percent(row['share'], 0)} {to('work', row['source'], short(row['title'] or row['source'], 70))} "
        f"({row['relation'].replace('_', ' ')})"
        for row in rows
    )
    more = rows[0]["links"] - len(rows)
    return f"{named}; {counted(more, 'more link')}" if more > 0 else named


def described(row: Row) -> str:
    """What a work is, in a few words of HTML."""
    parts = [kind(row["kind"] or "work"), row["year"], row["field"]]
    words = " · ".join(text(each) for each in parts if each)
    if row["chamber_id"]:
        words += f" · {to('chamber', row['chamber_id'], ', '.join(row['terms'] or []) or row['chamber_id'])}"
    return words


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    every = frames["every"]
    if every.is_empty():
        return f"<p>The graph has no work on {about.day}: nothing was collected yet.</p>\n"
    named = int(every["is_stub"].sum())
    lead = (
        f'<p class="lead">{counted(every.height - named, "work")} stand in the graph on this day, and '
        f"{counted(named, 'name')} that they only mention. What leads is what others build on.</p>\n"
    )
    return lead + _search(every.height, _files(every.height)) + _leading(frames, about)


def _search(works: int, files: int) -> str:
    kinds = "".join(f'<option value="{each}">{kind(each)}</option>' for each in KINDS)
    return (
        '<noscript><p class="note">The search takes JavaScript; the list below works without it.</p></noscript>\n'
        f'<form class="search" role="search" id="search" data-files="{files}" hidden>'
        f'<label>Title or identifier, of all {works:,}<input type="search" id="words" autocomplete="off"></label>'
        f'<label>Kind<select id="kind"><option value="">all</option>{kinds}'
        '<option value="named">only named</option></select></label>'
        '<label>Order<select id="order"><option value="influence">influence</option>'
        '<option value="used">used by most</option><option value="new">newest</option>'
        '<option value="title">title</option></select></label></form>\n'
        '<p id="found" role="status" class="soft"></p><div id="results"></div>\n'
    )


def _leading(frames: Frames, about: About) -> str:
    leading = frames["leading"]
    head = '<section id="leading"><h2>Leading works</h2>\n'
    if leading.is_empty():
        return f"{head}<p>No work leads: no link counts on this day.</p></section>\n"
    why = reasons(frames["reasons"])
    rows = [
        [
            f'<span class="rank">{row["place"]}</span> {to("work", row["node_id"], row["title"] or row["node_id"])}'
            f'<div class="below">{described(row)}<br>Why: {why.get(row["node_id"], "no link counts")}</div>',
            proof("influence.scores", about.day, percent_of(row["inflow"]), node_id=row["node_id"]),
            percent_of(row["guarded_inflow"]),
            percent_of(row["influence"]),
            f"{row['in_degree']:,}",
            "–" if row["integrative_potential"] is None else f"{row['integrative_potential']:.2f}",
        ]
        for row in leading.iter_rows(named=True)
    ]
    heads = ("Work", "Inflow#", "Guarded#", "Influence#", "Used by#", "Integrative#")
    told = (
        '<p class="told">By inflow: the share of all attention that reaches a work over links, when readers follow '
        "what works build on. The reason names the links that bring most of it.</p>\n"
    )
    everyone = int((~frames["every"]["is_stub"]).sum())
    return (
        f"{head}{told}{_WORDS}"
        f'<div id="top">{table(f"The first {len(rows)}", heads, rows)}</div>'
        + rest(everyone - len(rows), "works", "the search above")
        + "</section>\n"
    )


_WORDS = (
    "<details><summary>What the columns mean</summary><dl class=facts>"
    "<div><dt>Inflow</dt><dd>What arrives over links, as a share of all that does. All works together have 100%.</dd>"
    "</div><div><dt>Guarded</dt><dd>The same when only those start readers who are vouched for: empty accounts cannot "
    "raise it. Money goes by this one.</dd></div>"
    "<div><dt>Influence</dt><dd>PageRank with dated starts and typed links: inflow, and readers who start at the work "
    "itself because it is new.</dd></div>"
    "<div><dt>Used by</dt><dd>Other works that cite, mention, need or derive from it.</dd></div>"
    "<div><dt>Integrative</dt><dd>How many distant fields it joins, 0 to 1; a dash where too few neighbours have a "
    "field.</dd></div>"
    "<div><dt>Why</dt><dd>Shares of what arrives over links, by the default weights of relations. "
    "<kbd>coevo influence explain ID</kbd> counts with the settings of your lake and shows whole paths.</dd></div>"
    "</dl></details>\n"
)


def percent_of(share: float) -> str:
    """Two or three digits whatever the size: 7.73%, 0.041%."""
    return f"{100 * share:.3g}%" if share >= 1e-6 else "0%"


def data(frames: Frames, about: About) -> Iterator[tuple[str, Any]]:
    """All works, the most influential first: id, title, kind (null: only named), day, influence, used by."""
    every = frames["every"]
    for place in range(_files(every.height)):
        rows = every[place * A_FILE : (place + 1) * A_FILE]
        yield (
            f"works/{place}",
            [
                [node, seen(title, TITLE) if title else None, None if stub else kind, created,
                 float(f"{influence or 0:.3g}"), used or 0]
                for node, title, kind, stub, created, influence, used in rows.iter_rows()
            ],
        )  # fmt: skip


def _files(works: int) -> int:
    return -(-works // A_FILE)


PAGE = Page("works", "Works", QUERIES, body, ("works.js",), data=data)
