"""arXiv by OAI-PMH, for bulk: every record of the followed sets that changed since the day, with the dates of all its
versions.

https://info.arxiv.org/help/oa/index.html. Off by default; `sources.arxiv_oai.enabled = true` with
`sources.arxiv.enabled = false` chooses it in place of the query API, whose limit it shares.

What is asked: OAI knows no topic and no date of submission. `from` and `until` are days on which a record last
*changed*; a paper of which a version is dated on day D changed on D or later, and each later change (a version, a
journal reference) moves it on. So a day's works are all among what changed from D on, and only there: the question is
`from` the day before D (datestamps are days of a service that lives in another time zone) `until` the day of asking,
cut into spans of a year, set by set. For a recent day that is a page or two a set. For a day long past it is much of
arXiv for one day of papers, so a single day further back than `FARTHEST` is refused with the way out: the query API
selects by the date of v1. A first partition that reaches far back (`history_from`) is bulk, and is asked for.
A paper that is announced after the day was asked for (up to some days after its submission) is missed, as it is by
the query API.

What is kept: works on a followed topic, `created` when v1's date lies in the window and `updated` for each later
version that does. Other records are counted; their raw answers are kept.

The format asked for is arXivRaw. `oai_dc` is read too: its first date is v1's, to the day. The `arXiv` format is not
when it says `<updated>`: its `<created>` is then the date of the current version or of v1, depending on the server's
age, so it says nothing of either. `arXivOld` has no date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.arxiv import METADATA_LICENSE, paragraphs, same_dois
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source, Topic
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.authors import authors, decoded, unescaped
from coevo_pipelines.traces.records import ParseError, Traces, xml_root

if TYPE_CHECKING:
    import requests
    from lxml.etree import _Element as Element

SERVICE = Service(
    "arXiv OAI-PMH",
    # The service decides how long its pages are (2,500 records); page_size is not asked for.
    Source(base_url="https://oaipmh.arxiv.org", min_interval_s=3.0, page_size=2000, enabled=False),
    shares_limits_of="arxiv",
    also_transient=(406,),
)
withhold = withholding.arxiv
PATH = "/oai"
EARLIEST = date(2005, 9, 16)
"""No record has an earlier datestamp; asking for one is an error."""
FARTHEST = timedelta(days=92)
"""How long ago a single day may have ended: about sixty pages, three minutes and 300 MB."""
SPAN = timedelta(days=366)
STALE = 3
"""Pages in a row without a new record after which a list is given up; one or two may be records that moved."""
RESTARTS = 3
"""How often one list is begun again because its token ended."""
OAI = "{http://www.openarchives.org/OAI/2.0/}"
_NO_RECORDS, _TOKEN_ENDED = "noRecordsMatch", "badResumptionToken"
_PREFIX = "oai:arXiv.org:"
_MONTHS = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6,
    "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}  # fmt: skip


# --- asking --------------------------------------------------------------------------------------------


def fetch(scrape: Scrape) -> None:
    """Ask for every record of the followed sets that changed since the window began, list by list."""
    session = scrape.session()
    for first, last in _spans(scrape):
        for chosen in _sets(scrape.settings.topics):
            params = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from": f"{first}", "until": f"{last}"}
            _list(scrape, session, params | ({"set": chosen} if chosen else {}))


def check(_url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read. An error of the protocol comes as a success."""
    if status != 200:
        return ""
    try:
        root = xml_root(body)
    except ParseError as error:
        return str(error)
    if root.tag != f"{OAI}OAI-PMH" or (root.find(f"{OAI}ListRecords") is None and root.find(f"{OAI}error") is None):
        return "not an OAI-PMH answer with ListRecords or an error"
    return ""


def _spans(scrape: Scrape) -> Iterator[tuple[date, date]]:
    """First and last datestamp of each list, both included."""
    window, today = scrape.window, scrape.adapter.endpoint.now().date()
    is_one_day = window.end - window.start <= timedelta(days=1)
    if is_one_day and scrape.adapter.endpoint.now() - window.end > FARTHEST:
        raise Incomplete(
            f"{PATH}: a day more than {FARTHEST.days} days back needs all that changed since; ask the query API for "
            "it (sources.arxiv.enabled), or open the lake with it (history_from)"
        )
    first = max((window.start - timedelta(days=1)).date(), EARLIEST)
    while first <= today:
        last = min(first + SPAN, today)
        yield first, last
        first = last + timedelta(days=1)


def _sets(topics: tuple[Topic, ...]) -> list[str]:
    """The sets of all topics, none of them twice or inside another; one that is empty stands for all of arXiv."""
    named = dict.fromkeys(one for topic in topics for one in topic.arxiv_sets or ("",))
    return [
        one for one in named if not any(one.startswith(f"{other}:") or not other for other in named if other != one)
    ]


def _list(scrape: Scrape, session: requests.Session, params: dict[str, str]) -> None:
    """One list to its end. When its token ends on the way (they live until 00:00 UTC), from its beginning again."""
    for attempt in range(RESTARTS + 1):
        # What is behind the # is not sent, but stored: else the journal would answer with the list that broke off.
        path = f"{PATH}#again-{attempt}" if attempt else PATH
        if _pages(scrape, session, path, params):
            return
    raise Incomplete(f"{PATH}: the token of {_name(params)} ended {RESTARTS + 1} times before the list did")


def _pages(scrape: Scrape, session: requests.Session, path: str, params: dict[str, str]) -> bool:
    """All pages of one list. False when the service no longer knows the token that it gave."""
    asked: set[str] = set()
    came: set[str | None] = set()
    announced = stale = 0
    what = _name(params)
    while True:
        root = xml_root(scrape.get(session, path, params).content)
        for code, message in _errors(root):
            if code == _TOKEN_ENDED and asked:
                return False
            if code != _NO_RECORDS:
                raise Incomplete(f"{PATH}: {what}: the service says {code}: {message}")
        before = len(came)
        came.update(header.findtext(f"{OAI}identifier") for header in root.iter(f"{OAI}header"))
        stale = stale + 1 if len(came) == before else 0
        token = root.find(f"{OAI}ListRecords/{OAI}resumptionToken")
        size = token.get("completeListSize", "") if token is not None else ""
        announced = int(size) if size.isascii() and size.isdigit() else announced
        following = (token.text or "").strip() if token is not None else ""
        if not following:
            break
        if following in asked:
            raise Incomplete(f"{PATH}: {what}: the resumption token repeats after {len(came)} records")
        if stale >= STALE:
            raise Incomplete(f"{PATH}: {what}: {stale} pages in a row bring no new record after {len(came)}")
        asked.add(following)
        params = {"verb": "ListRecords", "resumptionToken": following}
    if len(came) < announced:
        scrape.shortfalls.append(f"{PATH}: {what}: {len(came)} records came, {announced} were announced")
    return True


def _name(params: dict[str, str]) -> str:
    return f"{params.get('set', 'arXiv')} from {params.get('from')} until {params.get('until')}"


def _errors(root: Element) -> Iterator[tuple[str, str]]:
    for error in root.iterchildren(f"{OAI}error"):
        yield error.get("code", ""), " ".join((error.text or "").split())


# --- reading -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Version:
    name: str | None
    at: datetime
    is_withdrawn: bool = False


@dataclass(slots=True)
class _Paper:
    """What a record says, whatever its format. `names` is an authors line or names one by one."""

    title: str
    abstract: str
    versions: list[_Version]
    """The first is v1."""
    names: str | list[str]
    codes: tuple[str | None, ...] = ()
    """Categories in one line, then MSC and ACM classes."""
    tags: list[str] = field(default_factory=list)
    said: str = ""
    """Comments and journal reference: what a search of arXiv reads beside title and abstract."""
    license: str | None = None
    dois: str | None = None
    work_id: str = ""
    locator: str = ""
    is_deleted: bool = False
    events: list[_Version] = field(default_factory=list)
    """The versions that are dated in the window."""


def parse(exchange: Exchange, traces: Traces) -> None:
    """Works on a followed topic with abstracts, people and identities, of one answer to ListRecords or GetRecord, or
    of one bare record. ParseError when it is none of them, or an error that is more than an empty or broken list."""
    root = xml_root(exchange.body)
    if _local(root) == "record":
        records = iter([root])
    elif root.tag == f"{OAI}OAI-PMH":
        for code, message in _errors(root):
            if code not in (_NO_RECORDS, _TOKEN_ENDED):
                raise ParseError(f"the service says {code}: {message}")
        records = root.iter(f"{OAI}record")
        if root.find(f"{OAI}ListRecords") is None and root.find(f"{OAI}GetRecord") is None:
            if root.find(f"{OAI}error") is None:
                raise ParseError("an OAI-PMH answer without records")
            return
    else:
        raise ParseError(f"the root element is {root.tag!r}, not OAI-PMH")
    papers: list[_Paper] = []
    deleted: list[_Paper] = []
    for number, record in enumerate(records, start=1):
        with traces.item(f"record {number}"):
            if (paper := _read(record, traces)) is not None:
                paper.locator = f"record {number}"
                (deleted if paper.is_deleted else papers).append(paper)
    followed = traces.follows(["\n".join((p.title, p.abstract, p.said, *p.tags)) for p in papers])
    for paper, is_followed in zip(papers, followed, strict=True):
        if not is_followed:
            traces.off_topic += 1
            continue
        with traces.item(paper.locator):
            _tell(paper, traces)
    for paper in deleted:
        with traces.item(paper.locator):
            _tell_deleted(paper.work_id, traces)


def _read(record: Element, traces: Traces) -> _Paper | None:
    """The paper of a record; None when nothing happened to it in the window."""
    header, payload = None, None
    for child in record:
        name = str(child.tag)
        if name.endswith("header"):
            header = child
        elif name.endswith("metadata"):
            payload = next(iter(child), None)
    if header is None:
        raise ParseError("the record has no header")
    work_id, _ = identifiers.arxiv((header.findtext("{*}identifier") or "").strip().removeprefix(_PREFIX))
    if header.get("status") == "deleted":
        moment = _Version(None, traces.moment(header.findtext("{*}datestamp")))
        paper = _Paper("", "", [moment], "", is_deleted=True)
    elif payload is None:
        raise ParseError(f"{work_id} has no metadata")
    elif (reader := _FORMATS.get(_local(payload))) is None:
        raise ParseError(f"{work_id}: metadata {payload.tag!r} is of no format that is known here")
    else:
        paper = reader(payload)
    paper.work_id = work_id
    paper.events = [version for version in paper.versions if version.at in traces.window]
    if not paper.events:
        traces.outside(work_id)
        return None
    return paper


def _tell_deleted(work_id: str, traces: Traces) -> None:
    """The work is gone. The header that is left says neither title nor dates, so only a work that the day knows
    already can be told of."""
    if not traces.observes(work_id):
        raise ParseError(f"{work_id} was deleted, and the day knows nothing else of it")
    traces.status(work_id, "gone")


def _raw(payload: Element) -> _Paper:
    """`arXivRaw`: each version with its date; authors in one line."""
    texts: dict[str, str | None] = {}
    versions: list[_Version] = []
    start = str(payload.tag).find("}") + 1
    for child in payload:
        name = str(child.tag)[start:]
        if name == "version":
            versions.append(_version(child, start))
        else:
            texts[name] = child.text
    if len(versions) > 1:
        versions.sort(key=_number)
    if not versions or versions[0].name != "v1":
        raise ParseError("the record has no version v1, so no date of its first")
    return _paper(texts, versions, texts.get("authors") or "")


def _version(node: Element, start: int) -> _Version:
    name = node.get("version", "")
    if not (name[:1] == "v" and name[1:].isascii() and name[1:].isdigit()):
        raise ParseError(f"not a version: {name[:60]!r}")
    said = {str(child.tag)[start:]: child.text or "" for child in node}
    is_withdrawn = said.get("size") == "0kb" or "I" in said.get("source_type", "")
    return _Version(name, _moment(said.get("date", "")), is_withdrawn)


def _number(version: _Version) -> int:
    return int((version.name or "v0")[1:])


def _moment(text: str) -> datetime:
    """`Tue, 25 Jan 2000 16:09:37 GMT`; `email.utils` takes eight times as long."""
    try:
        _, day, month, year, clock, zone = text.split()
        hours, minutes, seconds = clock.split(":")
        at = datetime(int(year), _MONTHS[month], int(day), int(hours), int(minutes), int(seconds), tzinfo=UTC)
    except (ValueError, KeyError, OverflowError) as error:
        raise ParseError(f"not a date: {text[:60]!r}") from error
    if zone != "GMT":
        raise ParseError(f"not a date in GMT: {text[:60]!r}")
    return at


def _plain(payload: Element) -> _Paper:
    """`arXiv`: only where nothing was ever updated is `<created>` the date of v1."""
    texts = {_local(child): child.text for child in payload}
    if texts.get("updated"):
        raise ParseError("<created> of the arXiv format is not the date of v1: ask for arXivRaw")
    names = []
    for author in payload.iter("{*}author"):
        said = {_local(child): (child.text or "").strip() for child in author}
        names.append(" ".join(filter(None, (said.get("forenames"), said.get("keyname"), said.get("suffix")))))
    return _paper(texts, [_Version("v1", _day(texts.get("created")))], names)


def _old(_payload: Element) -> _Paper:
    raise ParseError("the format arXivOld says no date: ask for arXivRaw")


def _dublin_core(payload: Element) -> _Paper:
    """`oai_dc`: days only; the first date is v1's, a second that of the current version. Subjects are names of
    categories, not their codes."""
    said: dict[str, list[str]] = {}
    for child in payload:
        if text := (child.text or "").strip():
            said.setdefault(_local(child), []).append(text)
    dates = sorted(map(_day, said.get("date", [None])))
    versions = [_Version("v1", dates[0]), *(_Version(None, at) for at in dates[1:])]
    texts = {name: found[0] for name, found in said.items()}
    dois = [one for one in said.get("identifier", ()) if one.startswith("doi:")]
    abstract, *remarks = said.get("description") or [""]
    paper = _paper(texts | {"abstract": abstract, "comments": "\n".join(remarks)}, versions, [])
    paper.names = [_forward(name) for name in said.get("creator", ())]
    paper.tags = said.get("subject", [])
    paper.dois = " ".join(dois)
    return paper


def _forward(name: str) -> str:
    """`Kochanek, Christopher S.` -> `Christopher S. Kochanek`."""
    last, _, first = name.partition(",")
    return f"{first.strip()} {last.strip()}".strip()


def _paper(texts: Mapping[str, str | None], versions: list[_Version], names: str | list[str]) -> _Paper:
    return _Paper(
        title=_one_line(texts.get("title")),
        abstract=texts.get("abstract") or "",
        versions=versions,
        names=names,
        codes=(texts.get("categories"), texts.get("msc-class"), texts.get("acm-class")),
        said=f"{texts.get('comments') or ''}\n{texts.get('journal-ref') or ''}",
        license=_one_line(texts.get("license")) or None,
        dois=texts.get("doi"),
    )


def _tell(paper: _Paper, traces: Traces) -> None:
    """The rows of a paper that is followed."""
    if not paper.title:
        raise ParseError(f"{paper.work_id} has no title")
    bare = paper.work_id.removeprefix("arxiv:")
    title, abstract = _title(paper.title), paragraphs(paper.abstract)
    fields = _fields(*paper.codes)
    first, created_at = paper.versions[0], paper.versions[0].at
    for version in reversed(paper.events):  # the last told is the one that texts are dated by
        traces.work(
            paper.work_id,
            kind="paper",
            event="created" if version is first else "updated",
            event_at=version.at,
            title=title,
            created_at=created_at,
            version=version.name,
            status="withdrawn" if version.is_withdrawn else "active",
            license=paper.license,
            native_id=bare,
            url=f"https://arxiv.org/abs/{bare}",
            fields=fields,
            tags=paper.tags,
            text=f"{paper.title}\n{abstract}\n{paper.said}",
        )
    at = paper.events[0].at
    traces.text(paper.work_id, "abstract", abstract, license=METADATA_LICENSE)
    names = authors(paper.names) if isinstance(paper.names, str) else map(decoded, paper.names)
    for position, name in enumerate(names, start=1):
        traces.person(paper.work_id, "author", position, at, name=name)
    same_dois(paper.work_id, paper.dois, at, traces)


def _fields(categories: str | None = None, *classes: str | None) -> list[str]:
    """Where there is no class, the service's code may print Python's None, or the other class again."""
    named = (_one_line(one) for one in classes if one)
    return list(dict.fromkeys((*(categories or "").split(), *(one for one in named if one and one != "None"))))


def _title(given: str) -> str:
    """With its accents decoded, as the query API gives it; formulas are left as they are."""
    return decoded(unescaped(given)) if "\\" in given and "$" not in given else given


def _day(text: str | None) -> datetime:
    try:
        return datetime.strptime(text or "", "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ParseError(f"not a day: {(text or '')[:60]!r}") from error


def _one_line(text: str | None) -> str:
    return " ".join(text.split()) if text else ""


def _local(node: Element) -> str:
    """The name without its namespace."""
    return str(node.tag).rpartition("}")[2]


_FORMATS: dict[str, Callable[[Element], _Paper]] = {
    "arXivRaw": _raw,
    "arXiv": _plain,
    "arXivOld": _old,
    "dc": _dublin_core,
}
