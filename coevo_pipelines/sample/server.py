"""A server on 127.0.0.1 that answers in the services' documented formats from the sample's facts.

One server, a path prefix a service; `/register` is the file of claims. Paging, empty results and errors are answered
as the services do. Files of repositories and cards are composed from facts (links, dependency names), never copied.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

from coevo_pipelines.sample import hubs, indexes, oai, open_data
from coevo_pipelines.sample.answers import BODY, Answer, Parameters, Refused, as_json
from coevo_pipelines.sample.world import Fact, World, about, facts, openalex_id, register

HUB_PAGE = 4  # small, so that the sample's few items still need the Link header


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away (Ctrl-C in the middle of a scrape) is no error of the server's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def answer_time(day: date) -> datetime:
    """When the sample's clock stands while day `day` is scraped: two hours after the day's end."""
    return datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)


@contextmanager
def serve(day: date) -> Iterator[str]:
    """Serve the world as of `day`; yields the root url, `http://127.0.0.1:<port>`."""
    world = World(day)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One segment an answer: headers and body sent apart wait 40 ms for a delayed acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer({BODY: sent.decode("utf-8", "replace")})

        def _answer(self, sent: Parameters) -> None:
            parts = urlsplit(self.path)
            service, _, path = parts.path.lstrip("/").partition("/")
            parameters = {name: values[-1] for name, values in parse_qs(parts.query).items()} | sent
            base = f"http://{self.headers['Host']}/{service}"
            try:
                respond = SERVICES.get(service)
                if respond is None:
                    raise Refused(404, "no such service", "text/plain")
                answer = respond(world, f"/{unquote(path)}", parameters, base)
            except Refused as refused:
                answer = refused.answer
            self.send_response_only(answer.status)
            self.send_header("Date", format_datetime(answer_time(day), usegmt=True))
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """The clients' journal is the log."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- arXiv ---------------------------------------------------------------------------------------------

_SUBMITTED = re.compile(r"submittedDate:\[(\d{12}) TO (\d{12})\]")
_PHRASE = re.compile(r'"([^"]+)"')
_MOST_RESULTS = 2_000


def arxiv(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/api/query`: an Atom feed in the dialect of the backend of 2025-11."""
    if path != "/api/query":
        raise Refused(404, "<html><body>Not Found</body></html>", "text/html")
    query = parameters.get("search_query", "")
    asked_start, asked_limit = parameters.get("start", "0"), parameters.get("max_results", "10")
    text = f"search_query={query}&id_list=&start={asked_start}&max_results={asked_limit}"
    try:
        start, limit = int(asked_start), int(asked_limit)
    except ValueError:
        raise _arxiv_error("start and max_results must be integers", text) from None
    if start < 0 or not 0 <= limit <= _MOST_RESULTS:
        raise _arxiv_error(f"max_results must be between 0 and {_MOST_RESULTS}", text)
    papers = [p for p in world.papers(on_arxiv=True) if about(_PHRASE.findall(query), p["title"])]
    if match := _SUBMITTED.search(query):
        papers = [p for p in papers if match[1] <= p["published"].replace("-", "") + "0000" <= match[2]]
    if parameters.get("sortOrder", "descending") != "ascending":
        papers.reverse()
    entries = "".join(_arxiv_entry(paper) for paper in papers[start : start + limit])
    return _arxiv_feed(200, text, entries, total=len(papers), start=start, limit=limit)


def _arxiv_error(message: str, text: str) -> Refused:
    entry = (
        f"<entry><id>https://arxiv.org/api/errors#{escape(message.replace(' ', '_'))}</id><title>Error</title>"
        f"<summary>{escape(message)}</summary></entry>"
    )
    refused = Refused(400, "")
    refused.answer = _arxiv_feed(400, text, entry, total=1, start=0, limit=1)
    return refused


def _arxiv_feed(status: int, text: str, entries: str, *, total: int, start: int, limit: int) -> Answer:
    digest = base64.b64encode(hashlib.sha1(text.encode()).digest()).decode().rstrip("=")
    body = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
        'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>https://arxiv.org/api/{digest}</id><title>arXiv Query: {escape(text)}</title>"
        f"<opensearch:itemsPerPage>{limit}</opensearch:itemsPerPage>"
        f"<opensearch:totalResults>{total}</opensearch:totalResults>"
        f"<opensearch:startIndex>{start}</opensearch:startIndex>\n{entries}</feed>\n"
    )
    return Answer(status, body.encode(), "application/atom+xml; charset=UTF-8")


def _arxiv_entry(paper: Fact) -> str:
    url = f"http://arxiv.org/abs/{paper['arxiv_id']}v1"
    stamp = f"{paper['published']}T00:00:00Z"
    authors = "".join(f"<author><name>{escape(name)}</name></author>" for name in paper["authors"])
    categories = "".join(f'<category term="{escape(term)}"/>' for term in paper["categories"])
    doi = f"<arxiv:doi>{escape(paper['doi'])}</arxiv:doi>" if paper["doi"] else ""
    primary = f'<arxiv:primary_category term="{escape(paper["categories"][0])}"/>' if paper["categories"] else ""
    return (
        f"<entry><id>{url}</id><title>{escape(paper['title'])}</title><updated>{stamp}</updated>"
        f'<link href="{url}" rel="alternate" type="text/html"/><summary/>'
        f"{categories}<published>{stamp}</published>{primary}{doi}{authors}</entry>\n"
    )


# --- OpenAlex ------------------------------------------------------------------------------------------


def openalex(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/works` with filter, select, per_page and cursor."""
    if path != "/works":
        raise Refused(404, json.dumps({"error": "Not found", "message": f"{path} not found"}))
    filters = dict(part.split(":", 1) for part in parameters.get("filter", "").split(",") if ":" in part)
    unknown = set(filters) - {"title_and_abstract.search", "from_publication_date", "to_publication_date"}
    per_page = parameters.get("per_page", "25")
    if unknown or not per_page.isdigit() or not 1 <= int(per_page) <= 100:
        message = f"{sorted(unknown)[0]} is not a valid field." if unknown else "per_page must be between 1 and 100"
        raise Refused(400, json.dumps({"error": "Invalid query parameters error.", "message": message}))
    phrases = _PHRASE.findall(filters.get("title_and_abstract.search", ""))
    first, last = filters.get("from_publication_date", "0"), filters.get("to_publication_date", "9")
    found = [
        paper
        for paper in world.papers(on_arxiv=False)
        if first <= paper["published"] <= last and about(phrases, paper["title"])
    ]
    cursor = parameters.get("cursor", "*")
    start = 0 if cursor == "*" else int(base64.urlsafe_b64decode(cursor))
    page = found[start : start + int(per_page)]
    following = base64.urlsafe_b64encode(str(start + len(page)).encode()).decode() if page else None
    meta = {"count": len(found), "page": None, "per_page": int(per_page), "next_cursor": following}
    select = set(parameters["select"].split(",")) if "select" in parameters else None
    works = [_openalex_work(world, paper) for paper in page]
    if select is not None:
        works = [{name: value for name, value in work.items() if name in select} for work in works]
    return as_json({"meta": meta, "results": works, "group_by": []})


def _openalex_work(world: World, paper: Fact) -> Fact:
    doi = paper["doi"] or f"10.48550/arxiv.{paper['arxiv_id']}"
    ids = world.openalex_ids
    return {
        "id": f"https://openalex.org/{openalex_id(paper['key'])}",
        "doi": f"https://doi.org/{doi}",
        "title": paper["title"],
        "publication_date": paper["published"],
        "type": "article" if paper["venue"] else "preprint",
        "language": None,
        "ids": {"openalex": f"https://openalex.org/{openalex_id(paper['key'])}", "doi": f"https://doi.org/{doi}"},
        "primary_location": {"license": None, "source": {"display_name": paper["venue"]}} if paper["venue"] else None,
        "authorships": [
            {"author": {"id": None, "display_name": name, "orcid": None}, "raw_author_name": name}
            for name in paper["authors"]
        ],
        "primary_topic": None,
        "topics": [],
        "keywords": [],
        "cited_by_count": world.citation_counts[paper["doi"]],
        "is_retracted": False,
        "referenced_works": [f"https://openalex.org/{ids[cited]}" for cited in paper["references"] if cited in ids],
        "updated_date": None,
    }


# --- GitHub --------------------------------------------------------------------------------------------

_QUALIFIER = re.compile(r"(topic|user|fork|created|pushed):(\S+)")


def github(world: World, path: str, parameters: Parameters, base: str) -> Answer:
    """`/search/repositories`, `/repos/{owner}/{name}` and its readme, contents and contributors."""
    if path == "/search/repositories":
        return _github_search(world, parameters, base)
    match = re.fullmatch(r"/repos/([^/]+/[^/]+)(?:/(readme|contents|contributors)/?(.*))?", path)
    by_name = {repository["full_name"].lower(): repository for repository in world.repositories()}
    repository = by_name.get(match[1].lower()) if match else None
    if match is None or repository is None:
        raise _github_error(404, "Not Found")
    if match[2] is None:
        parent = by_name.get((repository["fork_of"] or "").lower())
        extra = {"parent": _github_repository(parent)} if parent else {}
        return as_json({**_github_repository(repository), **extra})
    if match[2] == "contributors":
        return _github_contributors(world, repository, parameters, f"{base}{path}")
    files = _repository_files(repository) | world.people_of(repository)["files"]
    if match[2] == "contents" and not match[3]:
        return as_json([_github_entry(repository, name) for name in sorted({file.partition("/")[0] for file in files})])
    name = "README.md" if match[2] == "readme" else match[3]
    if name not in files:
        raise _github_error(404, "Not Found")
    return as_json(_github_file(repository, name, files[name]))


def _github_contributors(world: World, repository: Fact, parameters: Parameters, address: str) -> Answer:
    """Most commits first; whoever has no account only where `anon` is asked for."""
    page, per_page = int(parameters.get("page", 1)), min(int(parameters.get("per_page", 30)), 100)
    anonymous = parameters.get("anon") in {"1", "true"}
    listed = [one for one in world.people_of(repository)["contributors"] if anonymous or one["type"] != "Anonymous"]
    headers = {}
    if page * per_page < len(listed):
        headers["Link"] = f'<{address}?{urlencode({**parameters, "page": page + 1})}>; rel="next"'
    return as_json(listed[(page - 1) * per_page : page * per_page], headers)


def _github_error(status: int, message: str, *errors: str) -> Refused:
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    listed = [{"message": error, "resource": "Search", "field": "q", "code": "invalid"} for error in errors]
    return Refused(status, json.dumps(body | ({"errors": listed} if errors else {})))


def _github_accounts() -> set[str]:
    """Who has a repository on some day of the sample, in lower case: accounts are not told apart by case."""
    return {repository["full_name"].partition("/")[0].lower() for repository in facts("repositories")}


def _github_search(world: World, parameters: Parameters, base: str) -> Answer:
    qualifiers = dict(_QUALIFIER.findall(parameters.get("q", "")))
    page, per_page = int(parameters.get("page", 1)), int(parameters.get("per_page", 30))
    if not qualifiers or per_page > 100:
        raise _github_error(422, "Validation Failed")
    user = qualifiers.get("user", "").lower()
    if user and user not in _github_accounts():
        nobody = "The listed users and repositories cannot be searched: none of them exists or may be seen."
        raise _github_error(422, "Validation Failed", nobody)

    def chosen(repository: Fact) -> bool:
        if "topic" in qualifiers and qualifiers["topic"] not in repository["topics"]:
            return False
        if user and user != repository["full_name"].partition("/")[0].lower():
            return False
        if user and repository["fork_of"] and qualifiers.get("fork") != "true":
            return False  # a search leaves forks out unless it asks for them
        for field in ("created", "pushed"):
            if field in qualifiers:
                first, last = qualifiers[field].split("..")
                if not first <= repository[field] <= last:
                    return False
        return True

    found = [_github_repository(repository) for repository in world.repositories() if chosen(repository)]
    items = found[(page - 1) * per_page : page * per_page]
    headers = {"X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "29"}
    if page * per_page < len(found):
        following = urlencode({**parameters, "page": page + 1})
        headers["Link"] = f'<{base}/search/repositories?{following}>; rel="next"'
    return as_json({"total_count": len(found), "incomplete_results": False, "items": items}, headers)


def _github_repository(repository: Fact) -> Fact:
    owner, _, name = repository["full_name"].partition("/")
    number = int(hashlib.sha256(repository["full_name"].encode()).hexdigest()[:7], 16)
    api = f"https://api.github.com/repos/{repository['full_name']}"
    return {
        "id": 9_000_000_000 + number,  # composed, above real ids
        "name": name,
        "full_name": repository["full_name"],
        "owner": {"login": owner, "type": "User", "url": f"https://api.github.com/users/{owner}"},
        "html_url": f"https://github.com/{repository['full_name']}",
        "url": api,
        "description": None,
        "fork": bool(repository["fork_of"]),
        "created_at": repository["created"],
        "pushed_at": repository["pushed"],
        "updated_at": repository["pushed"],
        "language": repository["language"],
        "license": {"key": repository["license"].lower(), "spdx_id": repository["license"]}
        if repository["license"]
        else None,
        "topics": repository["topics"],
        "stargazers_count": repository["stars"],
        "forks_count": repository["forks"],
        "archived": False,
        "disabled": False,
        "default_branch": "master",
        "private": False,
    }


def _repository_files(repository: Fact) -> dict[str, str]:
    links = "".join(f"- {link}\n" for link in repository["links"])
    files = {"README.md": f"# {repository['full_name']}\n\nComposed for the sample from links alone.\n\n{links}"}
    if repository["dependencies"]:
        files["requirements.txt"] = "".join(f"{line}\n" for line in repository["dependencies"])
    if repository["citation_doi"]:
        files["CITATION.cff"] = (
            "cff-version: 1.2.0\nmessage: Composed for the sample.\n"
            f"title: {json.dumps(repository['full_name'])}\npreferred-citation:\n  type: article\n"
            f"  doi: {repository['citation_doi']}\n"
        )
    return files


def _github_entry(repository: Fact, name: str) -> Fact:
    """An entry of the root's listing; the sample's only folder is `.github`."""
    return {
        "type": "dir" if name == ".github" else "file",
        "name": name,
        "path": name,
        "url": f"https://api.github.com/repos/{repository['full_name']}/contents/{name}",
    }


def _github_file(repository: Fact, path: str, text: str) -> Fact:
    body = text.encode()
    return {
        "type": "file",
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest(),
        "size": len(body),
        "url": f"https://api.github.com/repos/{repository['full_name']}/contents/{path}",
        "encoding": "base64",
        "content": base64.encodebytes(body).decode(),
    }


# --- Hugging Face --------------------------------------------------------------------------------------


def huggingface(world: World, path: str, parameters: Parameters, base: str) -> Answer:
    """`/api/models|datasets|spaces` newest first with Link cursors, and `…/raw/main/README.md`."""
    if match := re.fullmatch(r"/api/(models|datasets|spaces)", path):
        return _hub_listing(world, match[1], parameters, base)
    match = re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/raw/main/README\.md", path)
    items = {item["id"]: item for item in world.hub((match and match[1]) or "models")}
    if match is None or match[2] not in items:
        raise Refused(404, "Entry not found", "text/plain; charset=utf-8")
    return Answer(200, _card(items[match[2]]).encode(), "text/plain; charset=utf-8")


def _hub_listing(world: World, kind: str, parameters: Parameters, base: str) -> Answer:
    if parameters.get("sort", "createdAt") != "createdAt":
        raise Refused(400, json.dumps({"error": "the sample sorts by createdAt only"}))
    start = int(parameters.get("cursor", 0))
    tag = parameters.get("filter")
    items = [item for item in world.hub(kind) if tag is None or tag in item["tags"]]
    page = [_hub_item(kind, item) for item in items[start : start + HUB_PAGE]]
    headers = {}
    if start + HUB_PAGE < len(items):
        following = urlencode({**parameters, "cursor": start + HUB_PAGE})
        headers["Link"] = f'<{base}/api/{kind}?{following}>; rel="next"'
    return as_json(page, headers)


def _hub_item(kind: str, item: Fact) -> Fact:
    record = {
        "_id": hashlib.sha256(item["id"].encode()).hexdigest()[:24],
        "id": item["id"],
        "author": item["id"].partition("/")[0],
        "sha": item["sha"],
        "createdAt": item["created"].replace("Z", ".000Z"),
        "lastModified": item["created"].replace("Z", ".000Z"),
        "private": False,
        "gated": item.get("gated", False),
        "disabled": False,
        "likes": item.get("likes", 0),
        "downloads": item.get("downloads", 0),
        "tags": item["tags"],
        "cardData": item["card"],
    }
    if kind == "models":
        record["modelId"] = item["id"]
    return record


def _card(item: Fact) -> str:
    import yaml

    front = yaml.safe_dump(item["card"], sort_keys=True, allow_unicode=True)
    links = "".join(f"- {link}\n" for link in item.get("card_links", ()))
    return f"---\n{front}---\n\n# {item['id']}\n\nComposed for the sample.\n\n{links}"


# --- the register --------------------------------------------------------------------------------------


def claims(_world: World, path: str, _parameters: Parameters, _base: str) -> Answer:
    """The file itself."""
    if path != "/":
        raise Refused(404, "Not Found", "text/plain")
    return Answer(200, register(), "application/toml")


SERVICES: dict[str, Callable[[World, str, Parameters, str], Answer]] = {
    "arxiv": arxiv,
    "arxiv_oai": oai.arxiv_oai,
    "crossref": indexes.crossref,
    "gbif": open_data.gbif,
    "github": github,
    "hubs": hubs.hubs,
    "huggingface": huggingface,
    "nasa_power": open_data.nasa_power,
    "openalex": openalex,
    "register": claims,
    "semanticscholar": indexes.semanticscholar,
}
