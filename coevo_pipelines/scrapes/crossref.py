"""Crossref: works whose DOI was registered on the day, with the references that their publishers made public.

https://api.crossref.org/swagger-ui/index.html. In the polite pool lists may be asked three times a second; it is for
whoever names an e-mail address in the User-Agent (setting `http.contact`), and so no address gets into a stored url.

The day is that of `created`, when the DOI was registered: it has a time, and it never changes, while publication dates
may be a year or nothing (`[[null]]`), and index dates follow each reindexing. A search knows no phrases: it finds what
has any one of the words, best first, also from page to page. So each term is asked for by itself (`query.title`), what
has not the whole term in its title is left out, and two pages without any such title end the search.
`select` is not used: asked for by name, references come back empty (https://github.com/CrossRef/rest-api-doc/issues/553).
What a notice of the day says of another work (a retraction) is asked for by that work's DOI. An abstract belongs to its
publisher; it is kept as a text only of a work under an open licence.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.records import ParseError, Traces, json_object

if TYPE_CHECKING:
    import requests

SERVICE = Service(
    "Crossref", Source(base_url="https://api.crossref.org", min_interval_s=0.34, page_size=100, enabled=False)
)
withhold = withholding.crossref
PATH = "/works"
MOST_ROWS = 1_000
ENOUGH = 2
"""Pages one after the other without the term in any title: what is below them only has a word of it."""
CONTAINERS = frozenset(
    {"book-series", "book-set", "book-track", "database", "grant", "journal", "journal-issue", "journal-volume",
     "proceedings-series", "report-series", "report-component", "standard-series", "component"}
)  # fmt: skip
"""Types of records that hold works, pay for them or are figures and tables of one."""
TAKEN_BACK = ("retraction", "withdrawal", "removal")
SAME = ("is-preprint-of", "has-preprint", "is-identical-to", "is-same-as")
"""Relations of one text's records, as between an arXiv paper and the article made of it."""
OPEN = re.compile(r"https?://(?:www\.)?creativecommons\.org/(?:licenses/by(?:-sa)?/|publicdomain/)", re.IGNORECASE)
_INLINE = "i|b|u|em|strong|italic|bold|sub|sup|sc|scp|tt|ovl|span|a|inline-formula|tex-math"
_BLOCK = "p|br|break|sec|title|list|list-item|disp-formula"
_TAG = re.compile(rf"</?(?:\w+:)?(?:(?P<block>{_BLOCK})|(?:{_INLINE})|(?<=:)[\w.-]+)(?:\s[^<>]*)?/?>", re.IGNORECASE)
"""Of HTML, JATS (`jats:p`) and MathML (`mml:mi`); any other `<…>` is text, such as `x<y and z>w`."""


def fetch(scrape: Scrape) -> None:
    """Ask for every work with a term of a followed topic in its title whose DOI was registered in the window."""
    session = scrape.session()
    contact = scrape.settings.http.contact
    if "@" in contact and not contact.startswith("mailto:"):
        agent = str(session.headers["User-Agent"])
        session.headers["User-Agent"] = agent.replace(f"; {contact})", f"; mailto:{contact})")
    last = scrape.window.end - timedelta(days=1)
    dates = f"from-created-date:{scrape.window.start:%Y-%m-%d},until-created-date:{last:%Y-%m-%d}"
    done: set[str] = set()
    for topic in scrape.topics():
        for term in filter(str.strip, topic.terms):
            with scrape.question():
                for doi, at in _pages(scrape, session, term, dates):
                    if doi not in done:
                        done.add(doi)
                        with scrape.item(doi):
                            _withdrawn(scrape, session, doi, at)


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status != 200:
        return ""
    try:
        message = json_object(body).get("message")
    except ParseError as error:
        return str(error)
    if not isinstance(message, dict):
        return "the answer has no message"
    if urlsplit(url).path.endswith(PATH) and not (
        isinstance(message.get("items"), list) and isinstance(message.get("total-results"), int)
    ):
        return "the page has no items or no total-results"
    return ""


def _pages(scrape: Scrape, session: requests.Session, term: str, dates: str) -> list[tuple[str, str]]:
    """All pages of one search that have something; (DOI, time) of each work that a notice among them takes back."""
    params = {
        "query.title": term,
        "filter": dates,
        "rows": str(min(scrape.source.page_size, MOST_ROWS)),
        "cursor": "*",
    }
    taken_back: list[tuple[str, str]] = []
    seen, fruitless, asked = set[str](), 0, {"*"}
    while True:
        message = json_object(scrape.get(session, PATH, params).content)["message"]
        items, expected = message["items"], message["total-results"]  # `check` has seen that they are there
        new = {str(item.get("DOI")) for item in items if isinstance(item, dict)} - seen
        if items and not new:
            raise Incomplete(f"{PATH}: {term!r}: a page brings nothing new after {len(seen)} of {expected} works")
        seen |= new
        found = [item for item in items if isinstance(item, dict) and _names(term, _title(item))]
        taken_back += [each for item in found for each in _taken_back(item)]
        fruitless = 0 if found else fruitless + 1
        if not items or fruitless == ENOUGH or len(seen) >= expected:
            break
        cursor = message.get("next-cursor")
        if not cursor or str(cursor) in asked:
            raise Incomplete(
                f"{PATH}: {term!r}: the next cursor repeats or is missing after {len(seen)} of {expected} works"
            )
        asked.add(str(cursor))
        params["cursor"] = str(cursor)
    if not items and len(seen) < expected:
        scrape.shortfalls.append(f"{PATH}: {len(seen)} works came for {term!r}, {expected} were announced")
    return taken_back


def _taken_back(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(DOI, time) of the works that the item, a notice, takes back; the time is when its own DOI was registered."""
    created, updates = item.get("created"), item.get("update-to")
    at = created.get("date-time") if isinstance(created, dict) else None
    for update in updates if isinstance(updates, list) else []:
        doi = update.get("DOI") if isinstance(update, dict) and update.get("type") in TAKEN_BACK else None
        if isinstance(at, str) and isinstance(doi, str) and doi != item.get("DOI"):
            yield doi, at


def _withdrawn(scrape: Scrape, session: requests.Session, doi: str, at: str) -> None:
    """Ask for the record of a work that was taken back. Since when stands after the `#` of the address, which is stored
    and never sent. A DOI that Crossref does not know (404) is another agency's."""
    path = f"{PATH}/{quote(doi, safe='')}"
    response = session.get(f"{scrape.base_url}{path}#withdrawn={quote(at, safe=':')}")
    if response.status_code >= 400 and response.status_code != 404:
        raise Incomplete(f"{path}: HTTP {response.status_code}: {response.text[:200].strip()}")


def parse(exchange: Exchange, traces: Traces) -> None:
    """Works, references, people, counters and identities of a page or one record. ParseError when it is neither."""
    message = json_object(exchange.body).get("message")
    if not isinstance(message, dict):
        raise ParseError("the body has no object 'message'")
    parts = urlsplit(exchange.url)
    if "DOI" in message and "items" not in message:
        with traces.item("message"):
            _parse_work(message, traces, withdrawn_at=unquote(parts.fragment.removeprefix("withdrawn=")) or None)
        return
    items = message.get("items")
    if not isinstance(items, list):
        raise ParseError("the message has no list 'items'")
    term = "".join(parse_qs(parts.query).get("query.title", ()))
    for number, item in enumerate(items):
        with traces.item(f"items[{number}]"):
            if not isinstance(item, dict):
                raise ParseError("the work is not an object")
            if _names(term, _title(item)):
                _parse_work(item, traces)


def _parse_work(item: dict[str, Any], traces: Traces, *, withdrawn_at: str | None = None) -> None:
    work_id = identifiers.doi(item.get("DOI"))
    created_at = traces.moment((item.get("created") or {}).get("date-time"))
    event_at = created_at if withdrawn_at is None else traces.moment(withdrawn_at)
    if event_at not in traces.window:
        traces.outside(work_id)
        return
    if item.get("type") in CONTAINERS:
        raise ParseError(f"{work_id} is no work: its type is {item['type']!r}")
    title = _title(item)
    if not title:
        raise ParseError(f"{work_id} has no title")
    abstract = _abstract(item.get("abstract"))
    license_ = _license(item, traces)
    traces.work(
        work_id,
        kind="dataset" if item.get("type") == "dataset" else "paper",
        event="created" if withdrawn_at is None else "updated",
        event_at=event_at,
        title=title,
        created_at=created_at,
        status="active" if withdrawn_at is None and not _is_withdrawn(item, traces) else "withdrawn",
        license=license_,
        native_id=item["DOI"],
        url=f"https://doi.org/{item['DOI']}",
        fields=[subject for subject in item.get("subject") or [] if subject],
        text=f"{title}\n{abstract}",
    )
    _parse_people(item, work_id, event_at, traces)
    if withdrawn_at is not None:
        return
    if license_ and OPEN.match(license_):
        traces.text(work_id, "abstract", abstract)
    traces.metric(work_id, "citations", item.get("is-referenced-by-count"))
    _parse_relations(item, work_id, created_at, traces)
    _parse_references(item, work_id, created_at, traces)


def _parse_people(item: dict[str, Any], work_id: str, at: datetime, traces: Traces) -> None:
    """Authors in order: given, family and suffix, or the name of an organisation or of one who has a single name."""
    for position, author in enumerate(item.get("author") or [], start=1):
        parts = [author[part] for part in ("given", "family", "suffix") if author.get(part)] or [
            author.get("name") or ""
        ]
        name, orcid = " ".join(_plain(" ".join(parts)).split()), identifiers.orcid(author.get("ORCID"))
        if name or orcid:
            traces.person(work_id, "author", position, at, name=name or None, orcid=orcid)
        else:
            traces.reject(f"{work_id} author {position}", "the author has no name")


def _parse_relations(item: dict[str, Any], work_id: str, at: datetime, traces: Traces) -> None:
    relations = item.get("relation") or {}
    for name in SAME:
        for index, other in enumerate(relations.get(name) or []):
            place = f"relation.{name}[{index}]"
            if other.get("id-type") == "doi" and (
                doi := traces.read(f"{work_id} {place}", identifiers.doi, other.get("id"))
            ):
                traces.identity(work_id, doi, at, f"crossref:{place}")


def _parse_references(item: dict[str, Any], work_id: str, at: datetime, traces: Traces) -> None:
    """What the work cites, dated by the work. References without a DOI are counted in one reject."""
    listed = item.get("reference") or []
    nameless = 0
    for index, cited in enumerate(listed):
        evidence = f"reference[{index}].DOI"
        if not isinstance(cited, dict) or not cited.get("DOI"):
            nameless += 1
        elif target := traces.read(f"{work_id} {evidence}", identifiers.doi, cited["DOI"]):
            traces.reference(work_id, target, "cites", at, evidence)
    if nameless:
        traces.reject(f"{work_id} reference", f"{nameless} of {len(listed)} references have no DOI")


def _is_withdrawn(item: dict[str, Any], traces: Traces) -> bool:
    """Whether it had been taken back by the day's end: what came later is not known yet."""
    return any(
        update.get("type") in TAKEN_BACK
        and traces.moment((update.get("updated") or {}).get("date-time")) < traces.window.end
        for update in item.get("updated-by") or ()
    )


def _license(item: dict[str, Any], traces: Traces) -> str | None:
    """Address of the licence of the article as published, else of any version, that holds by the day's end. A licence
    to mine texts (tdm, stm-asf) is none of the text, unless it is one of Creative Commons."""
    held = []
    for given in item.get("license") or []:
        url, version = given.get("URL"), given.get("content-version")
        start = (given.get("start") or {}).get("date-time")
        is_open = isinstance(url, str) and "creativecommons.org/" in url.lower()
        if (version in {"tdm", "stm-asf"} and not is_open) or (start and traces.moment(start) >= traces.window.end):
            continue
        held.append((version != "vor", version != "unspecified", str(url)))
    return min(held)[2] if held else None


def _names(term: str, title: str) -> bool:
    """Whether the title has the whole term, as a phrase; without a term every title does."""
    return _phrase(term).search(title) is not None


@functools.cache
def _phrase(term: str) -> re.Pattern[str]:
    words = (re.escape(word) for word in re.split(r"[\s-]+", term) if word)
    return re.compile(r"\b" * bool(term.strip()) + r"[\s-]+".join(words), re.IGNORECASE)


def _title(item: dict[str, Any]) -> str:
    """The first title that is not blank, without markup; empty when there is none."""
    given = item.get("title")
    titles = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    plain = (" ".join(_plain(title).split()) for title in titles if isinstance(title, str))
    return next((title for title in plain if title), "")


def _abstract(given: Any) -> str:
    """Its paragraphs and headings, a blank line between two."""
    paragraphs = _plain(given, between="\0").split("\0") if isinstance(given, str) else []
    return "\n\n".join(joined for paragraph in paragraphs if (joined := " ".join(paragraph.split())))


def _plain(markup: str, between: str = " ") -> str:
    """Text of a piece of HTML or JATS, escaped or not; `between` stands where a paragraph begins or ends."""
    return html.unescape(_TAG.sub(lambda tag: between if tag["block"] else "", html.unescape(markup)))
