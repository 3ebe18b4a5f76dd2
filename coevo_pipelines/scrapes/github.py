"""GitHub REST through PyGithub: repositories of a topic created, or last pushed to, on the day.

https://docs.github.com/en/rest. A search gives at most 1,000 results, so long spans are cut by date.
`created:` is stable; `pushed:` is only the last push, so it is asked only while the day is recent.
For each repository its README, CITATION.cff and Python dependency manifests are read.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Incomplete, Scrape, sliced
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.records import ParseError, Traces, json_object, json_value

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

MOST_SEARCH_RESULTS = 1_000
MANIFESTS = ("CITATION.cff", "pyproject.toml", "requirements.txt")
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)$")
_README = re.compile(r"/repos/([^/]+/[^/]+)/readme$")
_CONTENT = re.compile(r"/repos/([^/]+/[^/]+)/contents/(.+)$")


def fetch(scrape: Scrape) -> None:
    """Search the followed topics, then read what each repository found says about itself."""
    from github import GithubException

    found: dict[str, Repository] = {}
    with _client(scrape) as client:

        def ask(start: datetime, end: datetime, topic: str, qualifier: str = "created") -> bool:
            last = end - timedelta(seconds=1)
            query = f"topic:{topic} {qualifier}:{start:%Y-%m-%dT%H:%M:%SZ}..{last:%Y-%m-%dT%H:%M:%SZ}"
            results = client.search_repositories(query, sort="updated", order="asc")
            total = results.totalCount
            if total > MOST_SEARCH_RESULTS:
                return False
            came = {repository.full_name: repository for repository in results}
            found.update(came)
            if len(came) < total or results.incomplete_results:
                scrape.shortfalls.append(f"search {query}: {len(came)} repositories came, {total} were announced")
            return True

        for followed in scrape.topics():
            for topic in followed.github_topics:
                try:
                    sliced(scrape.window.start, scrape.window.end, partial(ask, topic=topic))
                    if scrape.is_recent:
                        last_day = scrape.window.end - timedelta(days=1)
                        sliced(last_day, scrape.window.end, partial(ask, topic=topic, qualifier="pushed"))
                except GithubException as refused:
                    raise Incomplete(f"search topic:{topic}: HTTP {refused.status}: {refused.message}") from refused
                except RuntimeError as redirected:  # PyGithub's word for a redirect to another host
                    raise Incomplete(f"search topic:{topic}: {redirected}") from redirected
        for name, repository in sorted(found.items()):
            with scrape.item(name):
                _fetch_repository(client, name, is_fork=repository.fork)


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read. A 202 means: ask again."""
    path = unquote(urlsplit(url).path)
    if status == 301:
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
    wanted = (dict, list) if path.endswith("/contents/") else dict
    return "" if isinstance(value, wanted) else f"a JSON {type(value).__name__}"


def _fetch_repository(client: Github, name: str, *, is_fork: bool) -> None:
    if is_fork:
        with _refusable():
            client.get_repo(name).complete()  # a search result does not say what a fork was forked from
    # A fresh lazy one: its address is made from the name; the one in an answer may be on another host.
    repository = client.get_repo(name)
    files: set[str] = set()
    with _refusable():
        listed = repository.get_contents("")
        files = {item.name for item in (listed if isinstance(listed, list) else [listed]) if item.type == "file"}
    if any(file.lower().startswith("readme") for file in files):
        with _refusable():
            repository.get_readme()
    for manifest in MANIFESTS:
        if manifest in files:
            with _refusable():
                repository.get_contents(manifest)


@contextmanager
def _refusable() -> Iterator[None]:
    """Gone, blocked or empty is a fact about the repository, recorded with its status."""
    from github import GithubException

    try:
        yield
    except GithubException as refused:
        if refused.status not in {403, 404, 409, 410, 451}:
            raise Incomplete(f"HTTP {refused.status}: {refused.message}") from refused


@contextmanager
def _client(scrape: Scrape) -> Iterator[Github]:
    """A PyGithub client whose connections go through the recording adapter."""
    import github
    from github import Requester

    from coevo_pipelines.scrapes.session import prepare_session, user_agent

    def through_adapter(base: type[Any]) -> type[Any]:
        class Connection(base):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                prepare_session(self.session, scrape.adapter)

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
    """Repositories from a search page or a repository's own page; references from a file of it."""
    path = unquote(urlsplit(exchange.url).path)
    if path.endswith("/search/repositories"):
        body = json_object(exchange.body)
        if body.get("incomplete_results"):
            traces.reject("search", "the search timed out (incomplete_results)")
        items = body.get("items")
        if not isinstance(items, list):
            raise ParseError("the search result has no list 'items'")
        for number, item in enumerate(items):
            with traces.item(f"items[{number}]"):
                _parse_repository(item, traces)
    elif match := _README.search(path):
        _parse_file(match[1], exchange.body, traces)
    elif match := _CONTENT.search(path):
        if exchange.body.lstrip()[:1] == b"{":
            _parse_file(match[1], exchange.body, traces)
    elif _REPOSITORY.search(path):
        with traces.item("repository"):
            _parse_repository(json_object(exchange.body), traces)


def _parse_repository(item: Any, traces: Traces) -> None:
    if not isinstance(item, dict):
        raise ParseError("the repository is not an object")
    work_id = identifiers.github(item.get("full_name"))
    created_at, pushed_at = traces.moment(item.get("created_at")), item.get("pushed_at")
    happened = [("created", created_at)]
    if pushed_at:
        happened.append(("updated", traces.moment(pushed_at)))
    events = [(event, at) for event, at in happened if at in traces.window]
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
        status="archived" if item.get("archived") else "active",
        license=None if license_ in {None, "NOASSERTION"} else license_,
        owner=owner,
        native_id=str(item["id"]) if item.get("id") is not None else None,
        url=f"https://github.com/{item['full_name']}",
        fields=[item["language"]] if item.get("language") else [],
        tags=topics,
        text=f"{item.get('full_name')} {item.get('description') or ''}",
    )
    traces.metric(work_id, "stars", item.get("stargazers_count"))
    traces.metric(work_id, "forks", item.get("forks_count"))
    if owner:
        traces.person(work_id, "owner", 1, event_at, account=owner)
    parent = item.get("parent")
    if isinstance(parent, dict) and parent.get("full_name"):
        target = identifiers.github(parent["full_name"])
        traces.reference(work_id, target, "derives_from", created_at, "repository: fork parent")


def _parse_file(repository: str, body: bytes, traces: Traces) -> None:
    """References in one file of a repository, as the contents API gives it (base64 inside JSON)."""
    record = json_object(body)
    work_id, path = identifiers.github(repository), str(record.get("path") or "README")
    try:
        text = base64.b64decode(record.get("content") or "", validate=False).decode("utf-8", "replace")
    except (binascii.Error, TypeError) as error:
        raise ParseError(f"{path}: the content is not base64 ({error})") from error
    if path == "requirements.txt":
        _parse_requirements(work_id, path, enumerate(text.splitlines(), start=1), traces)
    elif path == "pyproject.toml":
        _parse_pyproject(work_id, path, text, traces)
    elif path == "CITATION.cff":
        for line, target in identifiers.in_text(text):
            traces.file_reference(work_id, target, "cites", f"{path} line {line}")
    else:
        for line, target in identifiers.in_text(text):
            traces.file_reference(work_id, target, "mentions", f"{path} line {line}")


def _parse_pyproject(work_id: str, path: str, text: str, traces: Traces) -> None:
    try:
        declared = tomllib.loads(text).get("project", {}).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise ParseError(f"{path}: not valid TOML ({error})") from error
    if isinstance(declared, list):
        numbered = ((f"project.dependencies[{i}]", str(line)) for i, line in enumerate(declared))
        _parse_requirements(work_id, path, numbered, traces)


def _parse_requirements(
    work_id: str, path: str, lines: Iterator[tuple[Any, str]] | enumerate[str], traces: Traces
) -> None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for place, line in lines:
        wanted = line.partition(" #")[0].strip()
        if not wanted or wanted.startswith(("#", "-")):
            continue
        where = f"{path} {place}" if isinstance(place, str) else f"{path} line {place}"
        try:
            name = canonicalize_name(Requirement(wanted).name)
        except InvalidRequirement as error:
            traces.reject(f"{work_id} {where}", f"not a requirement: {str(error).splitlines()[0]}")
            continue
        traces.file_reference(work_id, f"pypi:{name}", "depends_on", where)
