"""arXiv query API: papers whose first version was submitted on the day.

https://info.arxiv.org/help/api/user-manual.html. One request per three seconds; a `submittedDate` range in
GMT selects by the date of v1. Deep offsets are refused, so long spans are cut by date.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape, phrases, sliced
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.authors import decoded
from coevo_pipelines.traces.records import ParseError, Traces, xml_root

if TYPE_CHECKING:
    import requests
    from lxml.etree import _Element as Element

SERVICE = Service(
    "arXiv",
    Source(base_url="https://export.arxiv.org", min_interval_s=3.0, page_size=500),
    also_transient=(406,),  # the edge says so to whom it takes for a robot, and no more after a pause
)
withhold = withholding.arxiv
PATH = "/api/query"
DEEPEST_OFFSET = 9_000
ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
METADATA_LICENSE = "CC0-1.0"
"""Of the descriptive metadata, to which the terms count the abstract: https://info.arxiv.org/help/api/tou.html."""
_WITHDRAWN = re.compile(
    r"(?i)^\W*withdrawn\b|\bthis\s+has\s+been\s+withdrawn|"
    r"\b(?:this|the)\s+(?:paper|article|submission|manuscript|work|preprint|note|draft|letter|document)\s+"
    r"(?:has\s+been|have\s+been|is|was|had\s+to\s+be)\s+(?:temporarily\s+)?withdrawn\b"
)
_ID, _AUTHOR, _NAME, _CATEGORY = f"{ATOM}id", f"{ATOM}author", f"{ATOM}name", f"{ATOM}category"
_SUMMARY, _PUBLISHED, _UPDATED, _TITLE = f"{ATOM}summary", f"{ATOM}published", f"{ATOM}updated", f"{ATOM}title"
_PRIMARY = f"{ARXIV}primary_category"
_COMMENT, _JOURNAL, _DOI = f"{ARXIV}comment", f"{ARXIV}journal_ref", f"{ARXIV}doi"
_WRAPPED = ("\n", "  ", "\t", "\r")
_PARAGRAPH = re.compile(r"\n(?=[ \t])")


def fetch(scrape: Scrape) -> None:
    """Ask for every paper on a followed topic whose v1 date lies in the window, page by page."""
    session = scrape.session()
    for topic in scrape.topics():
        terms = " OR ".join(f"all:{phrase}" for phrase in phrases(topic))

        def ask(start: datetime, end: datetime, terms: str = terms) -> bool:
            last = end - timedelta(minutes=1)
            query = f"({terms}) AND submittedDate:[{start:%Y%m%d%H%M} TO {last:%Y%m%d%H%M}]"
            return _pages(scrape, session, query)

        if terms:
            with scrape.question():
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
    seen: set[str | None] = set()
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
        found = _identifiers(feed)
        if seen.issuperset(found) and offset < total:
            # Known fault of the service: a page in the middle that is empty, or the one before it once more. Asking
            # with another page size gets past its cache; what stays without a new paper is recorded as what it is.
            params["max_results"] = str(max(1, scrape.source.page_size - 1))
            found = _identifiers(xml_root(scrape.get(session, PATH, params).content))
            if seen.issuperset(found):
                what = "repeats what came before" if found else "is empty"
                raise Incomplete(f"{PATH}: page at {offset} of {total} results {what}")
        seen.update(found)
        offset += max(len(found), 1)
    if len(seen) < total:
        scrape.shortfalls.append(f"{PATH}: {len(seen)} papers came, {total} were announced")
    return True


def _identifiers(feed: Element) -> list[str | None]:
    return [_text(entry, f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]


def parse(exchange: Exchange, traces: Traces) -> None:
    """Works, abstracts, people and identities of one Atom feed. Raises ParseError when it is not one."""
    feed = xml_root(exchange.body)
    if feed.tag != f"{ATOM}feed":
        raise ParseError(f"the root element is {feed.tag!r}, not an Atom feed")
    for number, entry in enumerate(feed.iterchildren(f"{ATOM}entry"), start=1):
        with traces.item(f"entry {number}"):
            _parse_entry(entry, traces)


def _parse_entry(entry: Element, traces: Traces) -> None:
    texts: dict[str, str | None] = {}
    names: list[str] = []
    terms: dict[str, None] = {}  # the primary category comes first
    for child in entry:
        tag = str(child.tag)
        if tag == _AUTHOR:
            names.extend(part.text for part in child if part.tag == _NAME and part.text)
        elif tag == _CATEGORY:
            terms.setdefault(child.get("term", ""))
        elif tag == _PRIMARY:
            terms = {child.get("term", ""): None, **terms}
        elif tag not in texts:
            texts[tag] = child.text
    url = _one_line(texts.get(_ID))
    if "/api/errors" in url:
        raise ParseError(f"the service answered with an error entry: {_one_line(texts.get(_SUMMARY))}")
    work_id, version = identifiers.arxiv(url)
    created_at = traces.moment(texts.get(_PUBLISHED))
    title = _one_line(texts.get(_TITLE))
    if not title:
        raise ParseError(f"{work_id} has no title")
    if created_at not in traces.window:
        traces.outside(work_id)
        return
    comment, abstract = _one_line(texts.get(_COMMENT)), paragraphs(texts.get(_SUMMARY))
    bare = work_id.removeprefix("arxiv:")
    traces.work(
        work_id,
        kind="paper",
        event="created",
        event_at=created_at,
        title=title,
        created_at=created_at,
        version=version,
        status="withdrawn" if _is_withdrawn(comment, abstract, texts.get(_UPDATED), traces) else "active",
        native_id=bare,
        url=f"https://arxiv.org/abs/{bare}",
        fields=[term for term in terms if term],
        text="\n".join((title, abstract, comment, texts.get(_JOURNAL) or "")),
    )
    traces.text(work_id, "abstract", abstract, license=METADATA_LICENSE)
    for position, name in enumerate(filter(None, map(_one_line, names)), start=1):
        traces.person(work_id, "author", position, created_at, name=decoded(name))
    same_dois(work_id, texts.get(_DOI), created_at, traces)


def same_dois(work_id: str, given: str | None, at: datetime, traces: Traces) -> None:
    """The paper is the one that each DOI in `given` names: some papers came out in two parts."""
    for one in given.split() if given else ():
        if doi := traces.read(f"{work_id} doi", identifiers.doi, one):
            traces.identity(work_id, doi, at, "arxiv:doi")


def paragraphs(abstract: str | None) -> str:
    """Its paragraphs, a blank line between two. A line that is indented begins one; other line ends are where the
    text was wrapped (https://info.arxiv.org/help/prep.html)."""
    if not abstract:
        return ""
    if abstract.isascii() and not any(space in abstract for space in _WRAPPED):  # one line, as most are
        return abstract.strip()
    return "\n\n".join(joined for part in _PARAGRAPH.split(abstract) if (joined := " ".join(part.split())))


def _is_withdrawn(comment: str, abstract: str, updated: str | None, traces: Traces) -> bool:
    """Whether the latest version is a withdrawal, and not one of a later day. The feed says so in words only."""
    if "ithdr" not in comment and "ITHDR" not in comment:
        return False
    if updated and traces.moment(updated) >= traces.window.end:
        return False
    return bool(_WITHDRAWN.search(comment)) or (not abstract and "withdrawn" in comment.lower())


def _text(node: Element, path: str) -> str | None:
    """Text of a child, in one line; None when there is none."""
    return _one_line(node.findtext(path)) or None


def _one_line(text: str | None) -> str:
    """With runs of white space made one space (old feeds break titles over lines)."""
    return " ".join(text.split()) if text else ""
