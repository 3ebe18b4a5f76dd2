"""Linkbacks: for each topic its works as lists that a repository can include."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from coevo_pipelines.report import links
from coevo_pipelines.report.html import table, text
from coevo_pipelines.report.linkbacks.formats import FORMATS
from coevo_pipelines.report.page import Page

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

FOLDER = "linkbacks"
_NAMES = {
    "markdown": "Markdown", "csv": "CSV", "json": "JSON", "yaml": "YAML", "bibtex": "BibTeX",
    "citation": "CITATION.cff",
}  # fmt: skip
_HOW = """<p>A linkback is a mention that leads back to what a project stands on. Each list below holds the works of a
topic, the most built on first. Put one into your repository and the works in it are mentioned, or cited, by it: the
next snapshot reads the links of a README as mentions, and the references of a <code>CITATION.cff</code> as
citations.</p>
<ul><li><b>Markdown</b>: paste it into a README.</li>
<li><b>CITATION.cff</b>: copy its <code>references</code> into your own file.</li>
<li><b>BibTeX</b>: <code>\\nocite</code> or <code>\\cite</code> from a paper.</li>
<li><b>CSV, JSON, YAML</b>: for programs and websites.</li></ul>
"""
QUERIES = {
    "topics": "SELECT topic, count(DISTINCT work_id) AS works FROM (SELECT work_id, unnest(topics) AS topic "
    "FROM traces.works WHERE date <= getvariable('day')) GROUP BY topic ORDER BY topic"
}


def body(frames: Frames, about: About) -> str:
    """`topics`: topic, works (number of works found under it so far)."""
    rows = [
        [text(topic), links.proof("traces.works", about.day, f"{works:,}"), _files(topic)]
        for topic, works in frames["topics"].iter_rows()
    ]
    if not rows:
        return _HOW + "<p>No topic has works yet.</p>\n"
    more = "<p>Longer lists, or of some kinds only: <code>coevo export linkbacks --help</code>.</p>\n"
    return _HOW + table("Topics", ("Topic", "Works found#", "Lists"), rows) + more


def _files(topic: str) -> str:
    folder = f"{FOLDER}/{quote(topic)}"
    return " · ".join(f'<a href="{folder}/{file}">{_NAMES[name]}</a>' for name, (file, _) in FORMATS.items())


PAGE = Page("linkbacks", "Linkbacks", QUERIES, body)
