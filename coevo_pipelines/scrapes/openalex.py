"""OpenAlex: works published on the day, with their references.

https://docs.openalex.org/. Cursor paging, at most 100 a page; the filter is the publication date. Citation
counts are of today only, so they become an observation, never a fact about a past day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape, phrases
from coevo_pipelines.scrapes.sources import Quota, Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.records import ParseError, Traces, json_object

if TYPE_CHECKING:
    import requests

SERVICE = Service(
    "OpenAlex",
    Source(base_url="https://api.openalex.org", min_interval_s=0.1, page_size=100),
    token_variable="OPENALEX_API_KEY",
    quotas=(Quota(86_400, 1_000, 10_000),),  # $0.10 and $1 a day; a list call costs $0.0001
)
withhold = withholding.openalex
PATH = "/works"
FIELDS = (
    "id,doi,title,publication_date,type,language,ids,primary_location,authorships,primary_topic,topics,"
    "keywords,cited_by_count,is_retracted,referenced_works,updated_date"
)
_DATASETS = frozenset({"dataset"})


def fetch(scrape: Scrape) -> None:
    """Ask for every work on a followed topic whose publication date lies in the window, cursor by cursor."""
    session = scrape.session()
    last = scrape.window.end - timedelta(days=1)
    dates = f"from_publication_date:{scrape.window.start:%Y-%m-%d},to_publication_date:{last:%Y-%m-%d}"
    for topic in scrape.topics():
        # A comma ends a filter, a bar an alternative.
        if terms := "|".join(phrases(topic, but='",|')):
            with scrape.question():
                _pages(scrape, session, f"title_and_abstract.search:{terms},{dates}")


def check(_url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status != 200:
        return ""
    try:
        page = json_object(body)
    except ParseError as error:
        return str(error)
    meta = page.get("meta")
    count = meta.get("count") if isinstance(meta, dict) else None
    if not isinstance(page.get("results"), list) or not isinstance(count, int):
        return "the page has no results or no meta.count"
    return ""


def _pages(scrape: Scrape, session: requests.Session, filters: str) -> None:
    cursor, seen, expected = "*", set[str](), 0
    asked = {cursor}
    while cursor:
        params = {
            "filter": filters,
            "select": FIELDS,
            "per_page": str(min(scrape.source.page_size, 100)),
            "cursor": cursor,
        }
        if scrape.token:
            params["api_key"] = scrape.token
        page = json_object(scrape.get(session, PATH, params).content)
        results, meta = page["results"], page["meta"]  # `check` has seen that they are there
        expected = meta["count"]
        new = {str(result.get("id")) for result in results if isinstance(result, dict)} - seen
        if results and not new:
            raise Incomplete(f"{PATH}: a page brings nothing new after {len(seen)} of {expected} works")
        seen |= new
        if len(seen) > expected + len(results):
            raise Incomplete(f"{PATH}: {len(seen)} works came, {expected} were announced, and there is no end")
        following = meta.get("next_cursor") if results else None
        if following in asked:
            raise Incomplete(f"{PATH}: the next cursor repeats after {len(seen)} of {expected} works")
        cursor = str(following) if following else ""
        asked.add(cursor)
    if len(seen) < expected:
        scrape.shortfalls.append(f"{PATH}: {len(seen)} works came, {expected} were announced")


def parse(exchange: Exchange, traces: Traces) -> None:
    """Works, references, people, counters and identities of one page. ParseError when it is not one."""
    results = json_object(exchange.body).get("results")
    if not isinstance(results, list):
        raise ParseError("the body has no list 'results'")
    for number, result in enumerate(results):
        with traces.item(f"results[{number}]"):
            _parse_work(result, traces)


def _parse_work(record: Any, traces: Traces) -> None:
    if not isinstance(record, dict):
        raise ParseError("the work is not an object")
    work_id = identifiers.openalex(record.get("id"))
    created_at = traces.moment(record.get("publication_date"))
    if created_at not in traces.window:
        traces.outside(work_id)
        return
    title = " ".join(str(record.get("title") or "").split())
    if not title:
        raise ParseError(f"{work_id} has no title")
    labels = [topic.get("display_name") for topic in record.get("topics") or [] if isinstance(topic, dict)]
    keywords = [k.get("display_name") for k in record.get("keywords") or [] if isinstance(k, dict)]
    location = record.get("primary_location") or {}
    traces.work(
        work_id,
        kind="dataset" if record.get("type") in _DATASETS else "paper",
        event="created",
        event_at=created_at,
        title=title,
        created_at=created_at,
        status="withdrawn" if record.get("is_retracted") else "active",
        license=location.get("license"),
        native_id=work_id.removeprefix("openalex:"),
        url=f"https://openalex.org/{work_id.removeprefix('openalex:')}",
        fields=[label for label in labels if label],
        tags=[keyword for keyword in keywords if keyword],
        text=title,
    )
    traces.metric(work_id, "citations", record.get("cited_by_count"))
    if record.get("doi") and (doi := traces.read(f"{work_id} doi", identifiers.doi, record["doi"])):
        traces.identity(work_id, doi, created_at, "openalex:doi")
    for position, authorship in enumerate(record.get("authorships") or [], start=1):
        author = authorship.get("author") or {}
        name = author.get("display_name") or authorship.get("raw_author_name")
        account = author.get("id") and traces.read(f"{work_id} author {position}", identifiers.openalex, author["id"])
        if name or account:
            traces.person(
                work_id, "author", position, created_at,
                name=name, orcid=identifiers.orcid(author.get("orcid")), account=account,
            )  # fmt: skip
    for index, cited in enumerate(record.get("referenced_works") or []):
        evidence = f"referenced_works[{index}]"
        if target := traces.read(f"{work_id} {evidence}", identifiers.openalex, cited):
            traces.reference(work_id, target, "cites", created_at, evidence)
