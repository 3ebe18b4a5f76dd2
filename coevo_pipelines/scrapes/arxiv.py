"""arXiv query API: papers whose first version was submitted on the day.

https://info.arxiv.org/help/api/user-manual.html. One request per three seconds; a `submittedDate` range in
GMT selects by the date of v1. Deep offsets are refused, so long spans are cut by date.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape, sliced
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.records import ParseError, Traces, xml_root

if TYPE_CHECKING:
    import requests
    from lxml.etree import _Element as Element

SERVICE = Service("arXiv", Source(base_url="https://export.arxiv.org", min_interval_s=3.0, page_size=500))
PATH = "/api/query"
DEEPEST_OFFSET = 9_000
ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
METADATA_LICENSE = "CC0-1.0"
"""Of the descriptive metadata, to which the terms count the abstract: https://info.arxiv.org/help/api/tou.html."""
_WITHDRAWN = re.compile(r"(?i)\bwithdrawn\b")


def fetch(scrape: Scrape) -> None:
    """Ask for every paper on a followed topic whose v1 date lies in the window, page by page."""
    session = scrape.session()
    for topic in scrape.topics():
        terms = " OR ".join(f'all:"{term}"' for term in topic.terms)

        def ask(start: datetime, end: datetime, terms: str = terms) -> bool:
            last = end - timedelta(minutes=1)
            query = f"({terms}) AND submittedDate:[{start:%Y%m%d%H%M} TO {last:%Y%m%d%H%M}]"
            return _pages(scrape, session, query)

        sliced(scrape.window.start, scrape.window.end, ask)


def check(_url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status != 200:
        return ""
    try:
        feed = xml_root(body)
    except ParseError as error:
        return str(error)
    if feed.tag != f"{ATOM}feed" or not (_text(feed, f"{OPENSEARCH}totalResults") or "").isdigit():
        return "not an Atom feed with totalResults"
    for entry in feed.findall(f"{ATOM}entry"):
        if "/api/errors" in (_text(entry, f"{ATOM}id") or ""):
            return f"the service says: {_text(entry, f'{ATOM}summary')}"
    return ""


def _pages(scrape: Scrape, session: requests.Session, query: str) -> bool:
    """All pages of one query. False when there are too many results to page through."""
    offset, total = 0, None
    while total is None or offset < total:
        params = {
            "search_query": query,
            "start": str(offset),
            "max_results": str(scrape.source.page_size),
            "sortBy": "submittedDate",
            "sortOrder": "ascending",
        }
        feed = xml_root(scrape.get(session, PATH, params).content)
        if total is None:
            total = int(_text(feed, f"{OPENSEARCH}totalResults") or 0)
            if total > DEEPEST_OFFSET:
                return False
        entries = len(feed.findall(f"{ATOM}entry"))
        if entries == 0 and offset < total:
            # Known fault of the service: an empty page in the middle. Asking with another page size gets
            # past its cache; an answer that stays empty is recorded as what it is.
            params["max_results"] = str(max(1, scrape.source.page_size - 1))
            entries = len(xml_root(scrape.get(session, PATH, params).content).findall(f"{ATOM}entry"))
            if entries == 0:
                raise Incomplete(f"{PATH}: page at {offset} of {total} results is empty")
        offset += max(entries, 1)
    return True


def parse(exchange: Exchange, traces: Traces) -> None:
    """Works, abstracts, people and identities of one Atom feed. Raises ParseError when it is not one."""
    feed = xml_root(exchange.body)
    if feed.tag != f"{ATOM}feed":
        raise ParseError(f"the root element is {feed.tag!r}, not an Atom feed")
    for number, entry in enumerate(feed.findall(f"{ATOM}entry"), start=1):
        with traces.item(f"entry {number}"):
            _parse_entry(entry, traces)


def _parse_entry(entry: Element, traces: Traces) -> None:
    url = _text(entry, f"{ATOM}id") or ""
    if "/api/errors" in url:
        raise ParseError(f"the service answered with an error entry: {_text(entry, f'{ATOM}summary')}")
    work_id, version = identifiers.arxiv(url)
    created_at = traces.moment(_text(entry, f"{ATOM}published"))
    title = _text(entry, f"{ATOM}title")
    if not title:
        raise ParseError(f"{work_id} has no title")
    comment = _text(entry, f"{ARXIV}comment") or ""
    abstract = _abstract(entry)
    if created_at not in traces.window:
        traces.outside(work_id)
        return
    categories = [node.attrib.get("term", "") for node in entry.findall(f"{ATOM}category")]
    primary = entry.find(f"{ARXIV}primary_category")
    first = [primary.attrib["term"]] if primary is not None and primary.attrib.get("term") else []
    traces.work(
        work_id,
        kind="paper",
        event="created",
        event_at=created_at,
        title=title,
        created_at=created_at,
        version=version,
        status="withdrawn" if _WITHDRAWN.search(comment) and not abstract else "active",
        native_id=work_id.removeprefix("arxiv:"),
        url=f"https://arxiv.org/abs/{work_id.removeprefix('arxiv:')}",
        fields=[*first, *(c for c in categories if c and c not in first)],
        text=f"{title}\n{abstract}",
    )
    traces.text(work_id, "abstract", abstract, license=METADATA_LICENSE)
    for position, author in enumerate(entry.findall(f"{ATOM}author"), start=1):
        name = _text(author, f"{ATOM}name")
        if name:
            traces.person(work_id, "author", position, created_at, name=identifiers.decode_latex(name))
    given = _text(entry, f"{ARXIV}doi")
    if given and (doi := traces.read(f"{work_id} doi", identifiers.doi, given)):
        traces.identity(work_id, doi, created_at, "arxiv:doi")


def _abstract(entry: Element) -> str:
    """Its paragraphs, a blank line between two. A line that is indented begins one; other line ends are where the
    text was wrapped (https://info.arxiv.org/help/prep.html)."""
    paragraphs = re.split(r"\n(?=[ \t])", entry.findtext(f"{ATOM}summary") or "")
    return "\n\n".join(joined for paragraph in paragraphs if (joined := " ".join(paragraph.split())))


def _text(node: Element, path: str) -> str | None:
    """Text of a child with runs of white space made one space (old feeds break titles over lines)."""
    child = node.find(path)
    return " ".join(child.text.split()) if child is not None and child.text else None
