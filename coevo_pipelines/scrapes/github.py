"""GitHub REST through PyGithub: repositories of a topic or an account created, or last pushed to, on the day.

https://docs.github.com/en/rest. A search gives at most 1,000 results, so long spans are cut by date.
`created:` is stable; `pushed:` is only the last push, so it is asked only while the day is recent.
The followed topics are asked first; then, stored under no topic, those of `genome.topics` that none of them has and
the accounts of `genome.owners` (`user:`, which finds organisations too): public repositories, forks included, since
a token would also find private ones and a search leaves forks out by default. Of an account all repositories are
wanted, also those on which nothing happened that day: while the day is recent, all that it had created by the day's
end are searched as well. Such a repository is a work with the event `listed`, dated by the day's last instant like
all that is seen without a date of its own; its files are not read. Of a past day the list would say nothing.
For each repository of the day its README, CITATION.cff and dependency manifests are read (`traces.files`). One that
was deleted or made private meanwhile, blocked, or renamed is a fact of the day's end: a further row of the work with
that status, and for a rename the identity of the two names, of which GitHub keeps the number.
While the day is recent, so are what says whom to pay (`.github/FUNDING.yml`, `funding.json`), `.all-contributorsrc`
and the list of contributors with their commits: none of these has a date, so of a past day they say nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from coevo_pipelines.scrapes import addresses, withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape, sliced
from coevo_pipelines.scrapes.sources import Quota, Service
from coevo_pipelines.settings import Settings, Source
from coevo_pipelines.traces import files, funding, identifiers
from coevo_pipelines.traces.bots import is_bot
from coevo_pipelines.traces.records import ParseError, Traces, json_list, json_object, json_value

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

SERVICE = Service(
    "GitHub",
    Source(base_url="https://api.github.com", min_interval_s=0.75, page_size=100),
    token_variable="GITHUB_TOKEN",
    quotas=(Quota(60, 10, 30, path="/search/"), Quota(3600, 60, 5_000)),
)
withhold = withholding.github
MOST_SEARCH_RESULTS = 1_000
FIRST_REPOSITORY = datetime(2007, 10, 1, tzinfo=UTC)
"""No repository is older: number 1, mojombo/grit, was created on 2007-10-29."""
UNDATED = ("funding.json", ".all-contributorsrc")
FUNDING_YML = ".github/FUNDING.yml"
MOST_CONTRIBUTORS = 500
"""GitHub links the first 500 author addresses of a repository to accounts; the rest would be bare names."""
_MOVED = frozenset({301, 302, 307, 308})
MOST_REDIRECTS = 5
_PLACE = re.compile(r"/(?:repos/([^/]+/[^/]+)|repositories/([0-9]+))(?:/(readme|contributors|contents)(?:/(.*))?)?$")
"""Name or number of a repository, what is asked about it, and the path of a file. A renamed repository is answered
under its number."""
_NUMBER = re.compile(r"/repositories/([0-9]+)(?=$|[/?])")
_NAMED = re.compile(r"/repos/([^/]+/[^/]+)/(?:contents|readme)\b")


def fetch(scrape: Scrape) -> None:
    """Search the followed topics and those and the accounts of the genome, then read what each repository of the day
    says about itself."""
    found: dict[str, Repository] = {}
    window = scrape.window
    with _client(scrape) as client:

        def ask(
            start: datetime, end: datetime, what: str, qualifier: str = "created", into: dict[str, Repository] = found
        ) -> bool:
            last = end - timedelta(seconds=1)
            query = f"{what} {qualifier}:{start:%Y-%m-%dT%H:%M:%SZ}..{last:%Y-%m-%dT%H:%M:%SZ}"
            results = client.search_repositories(query, sort="updated", order="asc")
            total = results.totalCount
            if total > MOST_SEARCH_RESULTS:
                return False
            came = {repository.full_name: repository for repository in results}
            into.update(came)
            if len(came) < total or results.incomplete_results:
                scrape.shortfalls.append(f"search {query}: {len(came)} repositories came, {total} were announced")
            return True

        def search(what: str) -> None:
            sliced(window.start, window.end, partial(ask, what=what))
            if scrape.is_recent:
                sliced(window.end - timedelta(days=1), window.end, partial(ask, what=what, qualifier="pushed"))

        for followed in scrape.topics():
            for topic in followed.github_topics:
                with scrape.question(), _searched(f"topic:{topic}"):
                    search(f"topic:{topic}")
        for topic in _genome_topics(scrape.settings):
            with scrape.question(), _searched(f"topic:{topic}"):
                search(f"topic:{topic}")
        for owner in scrape.settings.genome.owners:
            theirs = f"user:{owner} fork:true is:public"
            with scrape.question(), _searched(f"user:{owner}"):
                search(theirs)
                if scrape.is_recent and window.start > FIRST_REPOSITORY:
                    sliced(FIRST_REPOSITORY, window.end, partial(ask, what=theirs, into={}))
        for name, repository in sorted(found.items()):
            if scrape.consent.withheld([f"github:{name}"], owner=f"github:{name.partition('/')[0]}"):
                continue
            with scrape.item(name), _readable(name):
                _fetch_repository(scrape, client, name, is_fork=repository.fork)


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read. A 202 means: ask again."""
    path = unquote(urlsplit(url).path)
    place = _PLACE.search(path)
    lists_people = place is not None and place[3] == "contributors"
    if status in _MOVED or (status == 204 and lists_people):
        return ""
    if status != 200:
        return "not an answer of this API"
    try:
        value = json_value(body)
    except ParseError as error:
        return str(error)
    if path.endswith("/search/repositories"):
        items = value.get("items") if isinstance(value, dict) else None
        if not isinstance(items, list) or not isinstance(value.get("total_count"), int):
            return "the page has no items or no total_count"
        named = all(isinstance(item, dict) and "full_name" in item for item in items)
        return "" if named else "an item has no full_name"
    is_folder = place is not None and place[3] == "contents" and not place[4]
    wanted = list if lists_people else (dict, list) if is_folder else dict
    return "" if isinstance(value, wanted) else f"a JSON {type(value).__name__}"


def _genome_topics(settings: Settings) -> list[str]:
    """Those that no followed topic has."""
    followed = {name.lower() for topic in settings.topics for name in topic.github_topics}
    return [topic for topic in settings.genome.topics if topic not in followed]


@contextmanager
def _searched(what: str) -> Iterator[None]:
    """A search that GitHub refuses ends in Incomplete, which names what was searched and says why."""
    from github import GithubException

    try:
        with _readable(f"search {what}"):
            yield
    except GithubException as refused:
        why = f"search {what}: HTTP {refused.status}: {refused.message}"
        if refused.status == 422 and what.startswith("user:"):
            raise Incomplete(f"{why}: no such account, or none that can be searched (genome.owners)") from refused
        raise Incomplete(why) from refused
    except RuntimeError as redirected:  # PyGithub's word for a redirect to another host
        raise Incomplete(f"search {what}: {redirected}") from redirected


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """PyGithub raises whatever it stumbles over in a field of an unexpected type; asking again may help."""
    from github import BadAttributeException

    try:
        yield
    except (BadAttributeException, TypeError, AttributeError, LookupError) as error:
        raise Incomplete(f"{what}: PyGithub cannot read the answer: {type(error).__name__}: {error}"[:200]) from error


def _fetch_repository(scrape: Scrape, client: Github, name: str, *, is_fork: bool) -> None:
    if is_fork:
        with _refusable():
            client.get_repo(name).complete()  # a search result does not say what a fork was forked from
    # A fresh lazy one: its address is made from the name; the one in an answer may be on another host.
    repository = client.get_repo(name)
    kinds: dict[str, str] = {}
    with _refusable():
        listed = repository.get_contents("")
        kinds = {item.name: item.type for item in (listed if isinstance(listed, list) else [listed])}
    # A symlink to a file of the repository is answered with that file.
    there = sorted(name for name, kind in kinds.items() if kind in {"file", "symlink"})
    if any(file.lower().startswith("readme") for file in there):
        with _refusable():
            repository.get_readme()
    wanted = [manifest for manifest in files.MANIFESTS if manifest in there]
    if scrape.is_recent:
        undated = (*UNDATED, "funding.yml") if name.endswith("/.github") else UNDATED
        wanted += [file for file in there if file.lower() in undated]  # Drips writes FUNDING.json
        wanted += [FUNDING_YML] if kinds.get(".github") == "dir" else []
    for path in wanted:
        with _refusable():
            repository.get_contents(path)
    if scrape.is_recent and kinds:
        with _refusable():
            _fetch_contributors(repository, min(scrape.source.page_size, 100))


def _fetch_contributors(repository: Repository, per_page: int) -> None:
    """Page by page under the repository's name: the service's own link to the next page has a number for it."""
    for page in range(1, MOST_CONTRIBUTORS // per_page + 1):
        asked = {"anon": "true", "per_page": per_page, "page": page}
        _, listed = repository.requester.requestJsonAndCheck("GET", f"{repository.url}/contributors", parameters=asked)
        if len(listed or ()) < per_page:
            break


@contextmanager
def _refusable() -> Iterator[None]:
    """Gone, blocked or empty is a fact about the repository, recorded with its status."""
    from github import GithubException

    try:
        yield
    except GithubException as refused:
        if refused.status not in {403, 404, 409, 410, 451}:
            raise Incomplete(f"HTTP {refused.status}: {refused.message}") from refused
    except RuntimeError as redirected:  # PyGithub's word for a redirect to another host
        raise Incomplete(str(redirected)) from redirected


@contextmanager
def _client(scrape: Scrape) -> Iterator[Github]:
    """A PyGithub client whose connections go through the recording adapter."""
    import github
    from github import Requester

    from coevo_pipelines.scrapes.session import prepare_session
    from coevo_pipelines.version import user_agent

    redirects = 0  # in a row

    def through_adapter(base: type[Any]) -> type[Any]:
        class Connection(base):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                prepare_session(self.session, scrape.adapter)

            def getresponse(self) -> Any:
                """PyGithub follows a 301 alone, and for ever."""
                nonlocal redirects
                answer = super().getresponse()
                redirects = redirects + 1 if answer.status in _MOVED else 0
                if redirects > MOST_REDIRECTS:
                    raise Incomplete(f"redirected more than {MOST_REDIRECTS} times in a row")
                answer.status = 301 if redirects else answer.status
                return answer

        return Connection

    Requester.Requester.injectConnectionClasses(
        through_adapter(Requester.HTTPRequestsConnectionClass),
        through_adapter(Requester.HTTPSRequestsConnectionClass),
    )
    try:
        client = github.Github(
            auth=github.Auth.Token(scrape.token) if scrape.token else None,
            base_url=scrape.base_url,
            per_page=min(scrape.source.page_size, 100),
            user_agent=user_agent(scrape.settings.http.contact),
            retry=None,  # retries and pauses are the adapter's, the same as for every source
            seconds_between_requests=0,
            lazy=True,
        )
        yield client
        client.close()
    finally:
        Requester.Requester.resetConnectionClasses()


def parse(exchange: Exchange, traces: Traces) -> None:
    """Repositories from a search page or a repository's own page; what a file of it or its contributors say."""
    path = unquote(urlsplit(exchange.url).path)
    if path.endswith("/search/repositories"):
        body = json_object(exchange.body)
        if body.get("incomplete_results"):
            traces.reject("search", "the search timed out (incomplete_results)")
        items = body.get("items")
        if not isinstance(items, list):
            raise ParseError("the search result has no list 'items'")
        is_account = "user:" in "".join(parse_qs(urlsplit(exchange.url).query).get("q", ()))
        for place, item in enumerate(items):
            with traces.item(f"items[{place}]"):
                _parse_repository(item, traces, is_account=is_account)
    elif match := _PLACE.search(path):
        name, number, what, file = match.groups()
        if number is not None:
            name = traces.heard.get(number)
        if what is None:
            with traces.item("repository"):
                body = json_object(exchange.body)
                _parse_repository(body, traces)
                _renamed(name, body["full_name"], number, traces)
        elif what == "contributors":
            if name is None:
                raise ParseError(f"contributors of the repository number {number}, whose name was not told")
            _parse_contributors(name, exchange, traces)
        elif what == "readme" or (file and exchange.body.lstrip()[:1] == b"{"):
            _parse_file(name, number, exchange.body, traces, is_readme=what == "readme")


def refused(exchange: Exchange, traces: Traces) -> None:
    """What a redirect or a refusal says about a repository of the day: where it is now, that it is `gone` (deleted or
    private: GitHub answers these alike) or `blocked`. The rest says nothing of it: an empty repository and a file that
    is not there (404 too), limits, a token that may not."""
    match = _PLACE.search(unquote(urlsplit(exchange.url).path))
    if match is None:
        return
    name, number, what, file = match.groups()
    name = name if number is None else traces.heard.get(number)
    try:
        told = json_object(exchange.body) if exchange.body else {}
        work_id = identifiers.github(name) if name is not None else None
    except ParseError:
        return  # a page for people
    if work_id is None or name is None:
        return
    if exchange.status in _MOVED:
        to = _NUMBER.search(exchange.headers.get("location", "")) or _NUMBER.search(str(told.get("url")))
        if to is not None:
            traces.heard[to[1]] = name
    elif exchange.status in {403, 451} and isinstance(told.get("block"), dict):
        since = told["block"].get("created_at")
        at = traces.moment(since) if since is not None else None
        if at is None or at in traces.window:
            traces.status(work_id, "blocked", at)
        elif at < traces.window.end:
            traces.status(work_id, "blocked", traces.window.last_instant)
    elif (
        exchange.status in {404, 410} and told.get("message") == "Not Found" and not file and what in {None, "contents"}
    ):
        traces.status(work_id, "gone")


def _renamed(asked_for: str | None, now: Any, number: str | None, traces: Traces) -> None:
    """One repository answered to the name that was asked for and has another now."""
    if asked_for is None or number is None:
        return
    before, after = identifiers.github(asked_for), identifiers.github(now)
    if before != after:
        traces.identity(before, after, traces.window.last_instant, f"github: moved, number {number}")
        traces.status(before, "renamed")


def _parse_repository(item: Any, traces: Traces, *, is_account: bool = False) -> None:
    if not isinstance(item, dict):
        raise ParseError("the repository is not an object")
    work_id = identifiers.github(item.get("full_name"))
    created_at, pushed_at = traces.moment(item.get("created_at")), item.get("pushed_at")
    happened = [("created", created_at)]
    if pushed_at:
        happened.append(("updated", traces.moment(pushed_at)))
    events = [(event, at) for event, at in happened if at in traces.window]
    if not events and is_account and created_at < traces.window.end and traces.seen_in_time:
        events = [("listed", traces.window.last_instant)]
    if not events:
        traces.outside(work_id)
        return
    event, event_at = events[0]
    owner = f"github:{item['owner']['login']}" if item.get("owner") else None
    topics = [str(topic) for topic in item.get("topics") or []]
    license_ = (item.get("license") or {}).get("spdx_id")
    traces.work(
        work_id,
        kind="repository",
        event=event,
        event_at=event_at,
        title=str(item["full_name"]),
        created_at=created_at,
        version=str(item["pushed_at"]) if pushed_at else None,
        status=_status(item),
        license=None if license_ in {None, "NOASSERTION"} else license_,
        owner=owner,
        native_id=str(item["id"]) if item.get("id") is not None else None,
        url=f"https://github.com/{item['full_name']}",
        fields=[item["language"]] if item.get("language") else [],
        tags=topics,
        # Without the account: its name says nothing about each of its repositories.
        text=f"{item['full_name'].partition('/')[2]} {item.get('description') or ''}",
    )
    traces.metric(work_id, "stars", item.get("stargazers_count"))
    traces.metric(work_id, "forks", item.get("forks_count"))
    if owner:
        traces.person(work_id, "owner", 1, event_at, account=owner)
    parent = item.get("parent")
    if isinstance(parent, dict) and parent.get("full_name"):
        target = identifiers.github(parent["full_name"])
        traces.reference(work_id, target, "derives_from", created_at, "repository: fork parent")


def _status(item: dict[str, Any]) -> str:
    if item.get("disabled"):
        return "blocked"
    return "private" if item.get("private") else "archived" if item.get("archived") else "active"


def _parse_file(asked_for: str | None, number: str | None, body: bytes, traces: Traces, *, is_readme: bool) -> None:
    """What one file of a repository says, as the contents API gives it (base64 inside JSON)."""
    record = json_object(body)
    named = _NAMED.search(str(record.get("url")))
    if named is not None:
        _renamed(asked_for, named[1], number, traces)
    repository = asked_for or (named[1] if named else None)
    if repository is None:
        raise ParseError(f"a file of the repository number {number}, whose name was not told")
    work_id, path = identifiers.github(repository), str(record.get("path") or "README")
    kind = record.get("type", "file")
    if kind != "file":
        raise ParseError(f"{work_id} {path}: no file but a {str(kind)[:20]}")
    if record.get("encoding") == "none":
        raise ParseError(f"{work_id} {path}: too large for the contents API")
    try:
        content = base64.b64decode(record.get("content") or "", validate=False)
    except (binascii.Error, TypeError) as error:
        raise ParseError(f"{work_id} {path}: the content is not base64 ({error})") from error
    text = files.decode(content)
    if is_readme:
        traces.text(work_id, "readme", text if content.startswith(files.UTF16) else content)
    if read_addresses := funding.reader(path):
        _parse_addresses(repository, path, text, read_addresses, traces)
    elif path.lower() == ".all-contributorsrc":
        _parse_listed(work_id, path, text, traces)
    else:
        files.refer(work_id, path, text, traces)


def _parse_addresses(
    repository: str, path: str, text: str, read_addresses: Callable[[str], funding.Addresses], traces: Traces
) -> None:
    """Where the repository can be paid. The account's own `.github` repository speaks for the account: GitHub shows
    its files for those of all its repositories that have none."""
    work_id = identifiers.github(repository)
    if not traces.observes(work_id):
        return
    owner, _, name = repository.partition("/")
    subject = f"github:{owner}" if name == ".github" else work_id
    try:
        addresses = read_addresses(text)
    except ParseError as error:
        raise ParseError(f"{work_id} {path}: {error}") from error
    for found in addresses.found:
        traces.payout(subject, found.channel, found.address, f"{path} {found.place}")
    for place, reason in addresses.rejected:
        traces.reject(f"{work_id} {path} {place}", reason)


def _parse_listed(work_id: str, path: str, text: str, traces: Traces) -> None:
    """The people whom a project lists itself (https://allcontributors.org): each counts one."""
    if not traces.observes(work_id):
        return
    listed = json_object(text.encode("utf-8", "replace")).get("contributors", [])
    if not isinstance(listed, list):
        raise ParseError(f"{work_id} {path}: contributors is not a list")
    for number, one in enumerate(listed):
        with traces.item(f"{work_id} {path} contributors[{number}]"):
            login = _login(one)
            place = f"{path} contributors[{number}]"
            traces.contribution(work_id, f"github:{login}", "author", 1, place, is_bot=is_bot(login))


def _parse_contributors(repository: str, exchange: Exchange, traces: Traces) -> None:
    """Commits by account; whoever has no account is told apart by name and address, the address as a digest."""
    work_id = identifiers.github(repository)
    if not exchange.body or not traces.observes(work_id):
        return
    asked = parse_qs(urlsplit(exchange.url).query)
    page, per_page = int(asked.get("page", ["1"])[0]), int(asked.get("per_page", ["30"])[0])
    for number, one in enumerate(json_list(exchange.body), start=(page - 1) * per_page):
        place = f"contributors[{number}]"
        with traces.item(f"{work_id} {place}"):
            if one.get("type") == "Anonymous":
                who, bot = _nobody(one), is_bot(str(one.get("name")))
            else:
                login = _login(one)
                who, bot = f"github:{login}", is_bot(login, one.get("type"))
            traces.contribution(work_id, who, "commits", one.get("contributions"), place, is_bot=bot)
    if page * per_page >= MOST_CONTRIBUTORS and 'rel="next"' in exchange.headers.get("link", ""):
        traces.reject(f"{work_id} contributors", f"more than {page * per_page}: the others were not asked for")


def _login(one: Any) -> str:
    login = one.get("login") if isinstance(one, dict) else None
    if not isinstance(login, str) or not re.fullmatch(r"[A-Za-z0-9][\w-]{0,99}(\[bot\])?", login, re.ASCII):
        raise ParseError(f"not a login: {login!r}"[:200])
    return login


def _nobody(one: dict[str, Any]) -> str:
    # Anybody can call himself `github:ada` in his git settings: a name never looks like an identifier.
    name = funding.readable(str(one.get("name") or "").translate({ord(":"): " ", ord("#"): " "}))
    address = str(one.get("email") or "").strip()
    return f"{name} ({addresses.digest(address)})" if address else name
