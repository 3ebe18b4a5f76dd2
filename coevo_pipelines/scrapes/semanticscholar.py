"""Semantic Scholar: papers published on the day, and what they cite.

https://api.semanticscholar.org/api-docs/graph. One request a second with a key (header `x-api-key`), a pool shared
with everybody without. Bulk search finds what has a term in title or abstract, 1,000 papers a page and then a token;
it gives no references, so these are asked for papers by the `page_size` (at most 500 ids, but the lists of one answer
are cut short near 10,000 entries: https://github.com/allenai/s2-folks/issues/199). A paper of which only the year is
known is filed under January 1st by the service's date filter; it has no day, so it is rejected and not dated.
Citation counts are of today only: an observation, never a fact about a past day. Abstracts belong to their
publishers; one is kept as a text only of a paper with an open copy under an open licence.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape, phrases
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.records import ParseError, Traces, json_object, json_value

if TYPE_CHECKING:
    import requests

SERVICE = Service(
    "Semantic Scholar",
    Source(base_url="https://api.semanticscholar.org/graph/v1", min_interval_s=1.0, page_size=50, enabled=False),
    token_variable="SEMANTIC_SCHOLAR_API_KEY",
)
withhold = withholding.semanticscholar
SEARCH = "/paper/search/bulk"
BATCH = "/paper/batch"
MOST_IDS = 500
FIELDS = (
    "externalIds,title,abstract,publicationDate,year,authors,citationCount,venue,fieldsOfStudy,publicationTypes,"
    "openAccessPdf"
)
REFERENCE_FIELDS = "publicationDate,referenceCount,references.externalIds,references.title"
LICENSES = {
    "CCBY": "cc-by",
    "CCBYSA": "cc-by-sa",
    "CCBYND": "cc-by-nd",
    "CCBYNC": "cc-by-nc",
    "CCBYNCSA": "cc-by-nc-sa",
    "CCBYNCND": "cc-by-nc-nd",
    "CC0": "cc0",
}
"""Its own words for licences of open copies, in those that OpenAlex uses; any other word stays as it is."""
OPEN = frozenset({"cc-by", "cc-by-sa", "cc0", "public-domain"})
"""Under these an abstract may be kept and passed on."""


def fetch(scrape: Scrape) -> None:
    """Ask for every paper on a followed topic whose publication date lies in the window, then for what they cite."""
    session = scrape.session()
    if scrape.token:
        session.headers["x-api-key"] = scrape.token
    last = scrape.window.end - timedelta(days=1)
    dates = f"{scrape.window.start:%Y-%m-%d}:{last:%Y-%m-%d}"
    found: dict[str, None] = {}
    for topic in scrape.topics():
        if query := " | ".join(phrases(topic)):
            with scrape.question():
                found.update(dict.fromkeys(_search(scrape, session, query, dates)))
    every, size = list(found), min(scrape.source.page_size, MOST_IDS)
    for ids in (every[start : start + size] for start in range(0, len(every), size)):
        with scrape.item(f"references of {ids[0]} and {len(ids) - 1} more"):
            _references(scrape, session, ids)


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status != 200:
        return ""
    try:
        if urlsplit(url).path.endswith(BATCH):
            asked, answers = _asked(url), json_value(body)
            right = isinstance(answers, list) and len(answers) == len(asked)
            return "" if right else f"not a list of {len(asked)} papers"
        page = json_object(body)
    except ParseError as error:
        return str(error)
    # An empty search may leave `data` out.
    data, total = page.get("data", []), page.get("total")
    if not isinstance(data, list) or not isinstance(total, int) or isinstance(total, bool):
        return "the page has no data or no total"
    return ""


def _search(scrape: Scrape, session: requests.Session, query: str, dates: str) -> list[str]:
    """All pages of one query; the ids of the papers that have a day in the window."""
    params = {"query": query, "publicationDateOrYear": dates, "fields": FIELDS, "sort": "paperId:asc"}
    found: list[str] = []
    seen, expected, asked = set[str](), 0, set[str]()
    while True:
        # A `token` in an address is taken for a secret where the address is stored: the number keeps pages apart.
        path = f"{SEARCH}#page={len(asked) + 1}" if asked else SEARCH
        page = json_object(scrape.get(session, path, params).content)
        papers, expected = page.get("data") or [], page["total"]  # `check` has seen that they are what they should be
        new = {str(paper.get("paperId")) for paper in papers if isinstance(paper, dict)} - seen
        if papers and not new:
            raise Incomplete(f"{SEARCH}: a page brings nothing new after {len(seen)} of {expected} papers")
        seen |= new
        found += [paper["paperId"] for paper in papers if _is_of(scrape, paper)]
        token = page.get("token")
        if not token:
            break
        if not papers:
            raise Incomplete(f"{SEARCH}: an empty page after {len(seen)} of {expected} papers")
        if str(token) in asked:
            raise Incomplete(f"{SEARCH}: the next token repeats after {len(seen)} of {expected} papers")
        asked.add(str(token))
        params["token"] = str(token)
    if len(seen) < expected:
        scrape.shortfalls.append(f"{SEARCH}: {len(seen)} papers came, {expected} were announced")
    return found


def _is_of(scrape: Scrape, paper: Any) -> bool:
    """Whether the paper's references are facts of the day: it has an id, and a day in the window."""
    if not isinstance(paper, dict) or not isinstance(paper.get("paperId"), str):
        return False
    day = paper.get("publicationDate")
    first, last = f"{scrape.window.start:%Y-%m-%d}", f"{scrape.window.end - timedelta(days=1):%Y-%m-%d}"
    return isinstance(day, str) and first <= day <= last


def _references(scrape: Scrape, session: requests.Session, ids: list[str]) -> None:
    """Ask for the lists of references of up to 500 papers.

    The ids go into the request's body, which is not stored: they stand after the `#` of the address as well, which
    is stored and never sent. So two requests differ by their address, and an answer of null can be told whose it is.
    """
    address = f"{scrape.base_url}{BATCH}?{urlencode({'fields': REFERENCE_FIELDS})}#ids={','.join(ids)}"
    response = session.post(address, json={"ids": ids})
    if response.status_code >= 400:
        raise Incomplete(f"{BATCH}: HTTP {response.status_code}: {response.text[:200].strip()}")


def _asked(url: str) -> list[str]:
    """The ids that were asked for, in order; empty when the address does not say."""
    ids = urlsplit(url).fragment.removeprefix("ids=")
    return ids.split(",") if ids else []


def parse(exchange: Exchange, traces: Traces) -> None:
    """Papers of a page of a search, or the references of those of a batch. ParseError when it is neither."""
    if urlsplit(exchange.url).path.endswith(BATCH):
        _parse_batch(exchange, traces)
        return
    page = json_object(exchange.body)
    data = page.get("data", [] if "total" in page else None)
    if not isinstance(data, list):
        raise ParseError("the body has no list 'data'")
    for number, paper in enumerate(data):
        with traces.item(f"data[{number}]"):
            _parse_paper(paper, traces)


def _of_the_day(paper: Any, traces: Traces) -> tuple[str, datetime] | None:
    """The paper's identifier and date; None, and counted, when it belongs to another day."""
    if not isinstance(paper, dict):
        raise ParseError("the paper is not an object")
    work_id = identifiers.semanticscholar(paper.get("paperId"))
    created_at = _day(paper, work_id, traces)
    if created_at not in traces.window:
        traces.outside(work_id)
        return None
    return work_id, created_at


def _parse_paper(paper: Any, traces: Traces) -> None:
    known = _of_the_day(paper, traces)
    if known is None:
        return
    work_id, created_at = known
    title = " ".join(str(paper.get("title") or "").split())
    if not title:
        raise ParseError(f"{work_id} has no title")
    abstract = paper.get("abstract") or ""
    given = (paper.get("openAccessPdf") or {}).get("license")
    license_ = LICENSES.get(str(given), given)
    traces.work(
        work_id,
        kind="dataset" if "Dataset" in (paper.get("publicationTypes") or ()) else "paper",
        event="created",
        event_at=created_at,
        title=title,
        created_at=created_at,
        license=license_,
        native_id=work_id.removeprefix("s2:"),
        url=f"https://www.semanticscholar.org/paper/{work_id.removeprefix('s2:')}",
        fields=[field for field in paper.get("fieldsOfStudy") or [] if field],
        text=f"{title}\n{abstract}",
    )
    if license_ in OPEN:
        traces.text(work_id, "abstract", abstract)
    traces.metric(work_id, "citations", paper.get("citationCount"))
    for name, other in _others(paper, work_id, traces):
        traces.identity(work_id, other, created_at, f"semanticscholar:externalIds.{name}")
    for position, author in enumerate(paper.get("authors") or [], start=1):
        account = author.get("authorId") and f"s2:author/{author['authorId']}"
        if author.get("name") or account:
            traces.person(work_id, "author", position, created_at, name=author.get("name"), account=account)


def _parse_batch(exchange: Exchange, traces: Traces) -> None:
    answers, asked = json_value(exchange.body), _asked(exchange.url)
    if not isinstance(answers, list):
        raise ParseError(f"the body is a JSON {type(answers).__name__}, not an array")
    for number, answer in enumerate(answers):
        with traces.item(f"[{number}]"):
            if answer is None:
                raise ParseError(f"no paper has the id {asked[number]}" if number < len(asked) else "no such paper")
            _parse_references(answer, traces)


def _parse_references(paper: Any, traces: Traces) -> None:
    """What the paper cites, dated by the paper. References that name no work are counted in one reject."""
    known = _of_the_day(paper, traces)
    if known is None:
        return
    work_id, created_at = known
    listed = paper.get("references") or []
    nameless = 0
    for index, cited in enumerate(listed):
        evidence = f"references[{index}]"
        place = f"{work_id} {evidence}"
        if not isinstance(cited, dict):
            traces.reject(place, "the reference is not an object")
            continue
        others = _others(cited, place, traces)
        target = None
        if cited.get("paperId") and (target := traces.read(place, identifiers.semanticscholar, cited["paperId"])):
            for name, other in others:
                traces.identity(target, other, created_at, f"semanticscholar:externalIds.{name}")
        target = target or (others[0][1] if others else None)
        if target:
            traces.reference(work_id, target, "cites", created_at, evidence)
        else:
            nameless += 1
    if nameless:
        traces.reject(f"{work_id} references", f"{nameless} of {len(listed)} references name no identifier")
    announced = paper.get("referenceCount")
    if isinstance(announced, int) and len(listed) < announced:
        traces.reject(f"{work_id} references", f"{announced} references are announced, {len(listed)} are listed")


def _day(paper: dict[str, Any], work_id: str, traces: Traces) -> Any:
    day = paper.get("publicationDate")
    if day is None:
        raise ParseError(f"{work_id} has no day of publication, only the year {paper.get('year')!r}")
    return traces.moment(day)


def _others(paper: dict[str, Any], place: str, traces: Traces) -> list[tuple[str, str]]:
    """What else the paper is called: (`DOI`, `doi:…`), (`ArXiv`, `arxiv:…`). Other catalogues' ids say nothing here."""
    given = paper.get("externalIds") or {}
    found = []
    for name, convert in (("DOI", identifiers.doi), ("ArXiv", lambda text: identifiers.arxiv(text)[0])):
        if given.get(name) and (other := traces.read(f"{place} externalIds.{name}", convert, given[name])):
            found.append((name, other))
    return found
