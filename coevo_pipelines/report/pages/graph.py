"""The citation and lineage graph as a picture to explore, and its most linked works in words.

The picture is drawn in the browser (web/graph.js) from the files beside the page (report/graph). Where it cannot be
drawn, the list of the most linked works is there all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from coevo_pipelines.lake.schemas import KINDS, RELATIONS
from coevo_pipelines.report import links
from coevo_pipelines.report.html import table, text
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import counted, kind, percent, short

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.report.page import About, Frames

LEADING = 25
"""Works in the list below the picture."""

NODES = """
SELECT n.node_id, n.is_stub, n.kind, n.title, n.created_at::DATE AS created, coalesce(s.inflow, 0) AS inflow,
       coalesce(s.in_degree, 0) AS in_degree, l.chamber_id
FROM citations.nodes_as_of(getvariable('day')) n
LEFT JOIN influence.scores s ON s.node_id = n.node_id AND s.date = getvariable('day')
LEFT JOIN influence.lattice l ON l.node_id = n.node_id AND l.date = getvariable('day')
ORDER BY inflow DESC, in_degree DESC, n.node_id
"""
EDGES = """
SELECT source, target, relation, weight, event_at::DATE AS day
FROM citations.edges_as_of(getvariable('day')) ORDER BY source, target, relation
"""
CHAMBERS = """
SELECT chamber_id, size, leading_terms FROM influence.chambers WHERE date = getvariable('day')
ORDER BY size DESC, chamber_id
"""

RELATION_WORDS = {
    "cites": ("cites", "cited by"),
    "derives_from": ("derives from", "origin of"),
    "trained_on": ("trained on", "trained"),
    "depends_on": ("depends on", "needed by"),
    "mentions": ("mentions", "mentioned by"),
}
"""Of a link, seen from the work that uses and from the work used."""
KIND_WORDS = {
    "paper": "papers",
    "repository": "repositories",
    "model": "models",
    "dataset": "datasets",
    "space": "spaces",
    "hub_dataset": "hub data sets",
}
SHAPES = {
    "paper": '<circle cx="8" cy="8" r="6"/>',
    "repository": '<rect x="2.6" y="2.6" width="10.8" height="10.8"/>',
    "model": '<path d="M8 .8 15.2 8 8 15.2.8 8Z"/>',
    "dataset": '<path d="M8 1.6 14.8 14H1.2Z"/>',
    "space": '<path d="M5.2 1.6h5.6v3.6h3.6v5.6h-3.6v3.6H5.2v-3.6H1.6V5.2h3.6Z"/>',
    "hub_dataset": '<path d="M15 8 11.5 14h-7L1 8l3.5-6h7Z"/>',
    "": '<circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="2"/>',
}
"""As the picture draws them (web/graph.js)."""


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    nodes, edges = frames["nodes"], frames["edges"]
    if not nodes.height:
        return f'<p class="lead">There is no work in the graph yet on {about.day}, so there is nothing to draw.</p>\n'
    between = edges.filter(edges["source"] != edges["target"])
    linked = len({*between["source"], *between["target"]})
    alone = nodes.height - linked
    lead = (
        f'<p class="lead">{counted(nodes.height, "work")} and {counted(edges.height, "link")} between them, up to '
        f"{about.day}. An arrow leads from the work that uses to the work that is used.</p>\n"
    )
    if not edges.height:
        lead += "<p>No work is linked with another one yet: all stand in rings, by date.</p>\n"
    return lead + _stage(nodes, edges, alone, frames["chambers"].height) + _list(nodes, about)


def data(frames: Frames, about: About) -> Iterable[tuple[str, Any]]:
    """The files beside the page."""
    from coevo_pipelines.report.graph.data import parts

    if frames["nodes"].height:
        yield from parts(frames["nodes"], frames["edges"], frames["chambers"], KINDS, RELATIONS)


def _stage(nodes: pl.DataFrame, edges: pl.DataFrame, alone: int, chambers: int) -> str:
    relations = {name: edges.filter(edges["relation"] == name).height for name in RELATIONS}
    stubs = int(nodes["is_stub"].sum())
    kinds = {name: nodes.filter((nodes["kind"] == name) & ~nodes["is_stub"]).height for name in KINDS}
    relation_boxes = "".join(
        _box(f'data-relation="{number}"', f'<i class="tie r{number}"></i>{escape(RELATION_WORDS[name][0])}', count)
        for number, (name, count) in enumerate(relations.items())
        if count
    )
    kind_boxes = "".join(
        _box(f'data-kind="{number}"', f"{_shape(name)}{escape(KIND_WORDS[name])}", count)
        for number, (name, count) in enumerate(kinds.items())
        if count
    )
    if stubs:
        kind_boxes += _box('data-kind="-1"', f"{_shape('')}only named, not seen", stubs)
    ring = ""
    if alone and edges.height:
        ring = _box('id="alone"', "works without links, in rings around", alone, checked=False)
    words = escape(
        "|".join(f"{uses},{used}" for uses, used in (RELATION_WORDS[name] for name in RELATIONS)), quote=True
    )
    return f"""<link rel="stylesheet" href="graph.css">
<p class="note" id="without">The picture needs JavaScript and WebGL, which are not at work here. The most
linked works are in the list below; each leads to a page with its links.</p>
<div id="graph" class="graph" data-words="{words}" hidden>
<div class="bar">
<div class="find"><label for="find" class="hidden-words">Find a work</label>
<input id="find" type="search" role="combobox" aria-expanded="false" aria-controls="hits" aria-autocomplete="list"
autocomplete="off" spellcheck="false" placeholder="Find a title or identifier">
<ul id="hits" role="listbox" aria-label="Works found" hidden></ul></div>
<button type="button" id="legend" aria-expanded="true" aria-controls="aside">Filters</button>
<fieldset class="switch"><legend class="hidden-words">Arrange</legend>
<label><input type="radio" name="view" value="map" checked><span>By links</span></label>
<label><input type="radio" name="view" value="time"><span>By time</span></label></fieldset>
<fieldset class="switch"><legend class="hidden-words">Colour</legend>
<label><input type="radio" name="colour" value="chamber" checked><span>Chambers</span></label>
<label><input type="radio" name="colour" value="kind"><span>Kinds</span></label></fieldset>
</div>
<div class="stage">
<div class="aside" id="aside" role="region" aria-label="Legend and filters" tabindex="0">
<h2>Links</h2><ul>{relation_boxes}</ul>
<h2>Works</h2><ul>{kind_boxes}{ring}</ul><p>Larger: more use arrives there.</p>
<h2>Years</h2><div class="years"><label>from <output id="since"></output><input type="range" id="from"></label>
<label>to <output id="until"></output><input type="range" id="to"></label></div>
<h2>Chambers</h2><p>Groups of works that are linked more with each other than with the rest.</p>
<label class="hidden-words" for="chamber">Only one chamber</label><select id="chamber"><option value="-1">All
{chambers:,} chambers</option></select><ul id="chambers" class="swatches"></ul>
<button type="button" id="reset">Show everything again</button>
</div>
<div class="view" id="view" tabindex="0" role="application" aria-roledescription="graph" aria-describedby="keys"
aria-label="Picture of the graph"></div>
<p id="keys" class="hidden-words">Arrow keys move, plus and minus zoom, 0 shows all, Enter chooses the most linked work
near the middle, Escape lets go. All works can be reached by searching, too.</p>
<div class="zoom"><button type="button" data-zoom="in" aria-label="Zoom in">+</button>
<button type="button" data-zoom="out" aria-label="Zoom out">−</button>
<button type="button" data-zoom="all" aria-label="Show all">⤢</button></div>
<p class="status"><output id="shown" aria-live="polite"></output></p>
<p class="tip" id="tip" hidden></p>
<section class="sheet" id="sheet" aria-label="Chosen work" hidden></section>
</div>
<p class="hidden-words" id="said" role="status"></p>
</div>
"""


def _box(attributes: str, label: str, count: int, checked: bool = True) -> str:
    mark = " checked" if checked else ""
    return f'<li><label><input type="checkbox" {attributes}{mark}>{label}<span class="n">{count:,}</span></label></li>'


def _shape(kind: str) -> str:
    number = KINDS.index(kind) if kind else -1
    return f'<svg class="shape k{number}" viewBox="0 0 16 16" aria-hidden="true">{SHAPES[kind]}</svg>'


def _list(nodes: pl.DataFrame, about: About) -> str:
    leading = nodes.filter(nodes["in_degree"] > 0).head(LEADING)
    if not leading.height:
        return ""
    rows = [
        (
            links.to("work", row["node_id"], short(row["title"] or row["node_id"])),
            escape("only named" if row["is_stub"] else kind(row["kind"] or "–")),
            text(str(row["created"] or "–")),
            links.proof("influence.scores", about.day, f"{row['in_degree']:,}", node_id=row["node_id"]),
            links.proof("influence.scores", about.day, percent(row["inflow"], 2), node_id=row["node_id"]),
        )
        for row in leading.iter_rows(named=True)
    ]
    heads = ("Work", "Kind", "Since", "Used by#", "Share of all inflow#")
    return (
        '<h2 id="most-linked">Most linked works</h2>\n<p class="told">Inflow is the influence that reaches a work over '
        f"links from others, as a share of all that does.</p>\n{table('By inflow', heads, rows)}"
    )


QUERIES = {"nodes": NODES, "edges": EDGES, "chambers": CHAMBERS}
PAGE = Page(
    "graph", "Graph", QUERIES, body, ("vendor/graphology.umd.min.js", "vendor/sigma.min.js", "graph.js"), data=data
)
