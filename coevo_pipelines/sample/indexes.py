"""Crossref and Semantic Scholar as the sample's server speaks them, from the facts of `papers.json`.

Facts that the file does not hold are left out or null, as the services do (licences, abstracts, kinds of works). What
had to be composed: Semantic Scholar's ids, and the time at which a DOI was registered, for which the day of
publication stands. Where only a month or year of publication is known, Semantic Scholar says the year alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from typing import Any

from coevo_pipelines.sample.answers import BODY, Answer, Parameters, Refused, as_json
from coevo_pipelines.sample.world import Fact, World, about

CROSSREF_ROWS = 10
"""The most that one page holds, so that the sample's few works still need the cursor."""
S2_PAGE = 100
MOST_IDS = 500
_PHRASE = re.compile(r'"([^"]+)"')
_WORD = re.compile(r"\w+")


# --- Crossref ------------------------------------------------------------------------------------------


def crossref(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/works` with query.title, filter, rows and cursor, and `/works/{doi}`."""
    works = {paper["doi"].lower(): paper for paper in world.papers(on_arxiv=False) if paper["doi"]}
    if path.startswith("/works/"):
        paper = works.get(path.removeprefix("/works/").lower())
        if paper is None:
            raise Refused(404, "Resource not found.", "text/plain")
        return _message("work", _crossref_work(world, paper))
    if path != "/works":
        raise Refused(404, "Resource not found.", "text/plain")
    filters = dict(part.split(":", 1) for part in parameters.get("filter", "").split(",") if ":" in part)
    unknown = sorted(set(filters) - {"from-created-date", "until-created-date"})
    rows = parameters.get("rows", "20")
    if unknown or not rows.isdigit() or int(rows) > 1000:
        wrong = f"Filter {unknown[0]} specified but there is no such filter" if unknown else f"rows: {rows}"
        raise _invalid(
            "filter-not-available" if unknown else "integer-not-valid", unknown[0] if unknown else rows, wrong
        )
    first, last = filters.get("from-created-date", "0"), filters.get("until-created-date", "9")
    found = [paper for paper in works.values() if first <= paper["published"] <= last]
    scores = _scores(parameters.get("query.title", ""), found)
    if "query.title" in parameters:  # the words in any order, whoever has the rarest first
        found = sorted((p for p in found if scores[p["key"]]), key=lambda p: (-scores[p["key"]], p["key"]))
    cursor = parameters.get("cursor")
    start = 0
    if cursor not in {None, "*"}:
        try:
            start = int(base64.urlsafe_b64decode(cursor or ""))
        except (binascii.Error, ValueError):
            raise _invalid("cursor-not-valid", cursor or "", "Cursor is not valid") from None
    page = found[start : start + min(int(rows), CROSSREF_ROWS)]
    listed = {
        "facets": {},
        "total-results": len(found),
        "items": [_crossref_work(world, paper) | {"score": scores[paper["key"]]} for paper in page],
        "items-per-page": int(rows),
        "query": {"start-index": 0, "search-terms": None},
    }
    if cursor is not None:
        listed["next-cursor"] = base64.urlsafe_b64encode(str(start + len(page)).encode()).decode()
    return _message("work-list", listed)


def _message(kind: str, message: Fact) -> Answer:
    body = {"status": "ok", "message-type": kind, "message-version": "1.0.0", "message": message}
    return as_json(body, {"X-Rate-Limit-Limit": "3", "X-Rate-Limit-Interval": "1s"})


def _invalid(kind: str, value: str, message: str) -> Refused:
    failure = {"type": kind, "value": value, "message": message}
    return Refused(400, json.dumps({"status": "failed", "message-type": "validation-failure", "message": [failure]}))


def _scores(query: str, papers: list[Fact]) -> dict[str, float]:
    """By key of the paper: how rare the words of the query are that its title has."""
    titles = {paper["key"]: set(_WORD.findall(paper["title"].lower())) for paper in papers}
    having = {word: sum(word in words for words in titles.values()) for word in _WORD.findall(query.lower())}
    weights = {word: math.log(1 + len(titles) / count) for word, count in having.items() if count}
    return {key: math.fsum(weights[word] for word in words & set(weights)) for key, words in titles.items()}


def _crossref_work(world: World, paper: Fact) -> Fact:
    stamp = f"{paper['published']}T00:00:00Z"
    day = [int(part) for part in paper["published"].split("-")]
    known = {"day": 3, "month": 2, "year": 1}[paper["precision"]]
    return {
        "DOI": paper["doi"],
        "URL": f"https://doi.org/{paper['doi']}",
        "type": "other",
        "title": [paper["title"]],
        "author": [
            {"name": name, "sequence": "first" if place == 0 else "additional", "affiliation": []}
            for place, name in enumerate(paper["authors"])
        ],
        "container-title": [paper["venue"]] if paper["venue"] else [],
        "created": {"date-parts": [day], "date-time": stamp},
        "issued": {"date-parts": [day[:known]]},
        "is-referenced-by-count": world.citation_counts[paper["doi"]],
        "reference-count": len(paper["references"]),
        "reference": [{"key": f"ref{n}", "DOI": doi} for n, doi in enumerate(paper["references"], start=1)],
        "relation": {},
    }


# --- Semantic Scholar ----------------------------------------------------------------------------------


def s2_id(key: str) -> str:
    """A composed id of Semantic Scholar: the facts do not hold the real ones, which do not begin with ten zeros."""
    return "0" * 10 + hashlib.sha256(key.encode()).hexdigest()[:30]


def semanticscholar(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/paper/search/bulk` with query, publicationDateOrYear, fields and token, and a POST of ids to `/paper/batch`."""
    if path == "/paper/batch" and BODY in parameters:
        return _s2_batch(world, parameters)
    if path != "/paper/search/bulk" or BODY in parameters:
        raise Refused(404, json.dumps({"error": "Not found"}))
    first, _, last = parameters.get("publicationDateOrYear", ":").partition(":")
    phrases = _PHRASE.findall(parameters.get("query", ""))
    found = [
        paper
        for paper in world.papers(on_arxiv=False)
        if (first or "0") <= (_s2_day(paper) or f"{paper['published'][:4]}-01-01") <= (last or "9")
        and about(phrases, paper["title"])
    ]
    found.sort(key=lambda paper: s2_id(paper["key"]))
    try:
        start = int(parameters.get("token", "0"), 16)
    except ValueError:
        raise Refused(400, json.dumps({"error": "Invalid token"})) from None
    page = found[start : start + S2_PAGE]
    body: Fact = {"total": len(found), "token": f"{start + S2_PAGE:X}" if start + S2_PAGE < len(found) else None}
    if page:  # an empty search has no `data`
        by_doi = _by_doi(world)
        body["data"] = [_s2_fields(_s2_paper(world, paper, by_doi), parameters) for paper in page]
    return as_json(body)


def _s2_batch(world: World, parameters: Parameters) -> Answer:
    try:
        ids = json.loads(parameters[BODY])["ids"]
        right = 0 < len(ids) <= MOST_IDS
    except (ValueError, LookupError, TypeError):
        right = False
    if not right:
        raise Refused(400, json.dumps({"error": f"ids: expected a list of 1 to {MOST_IDS} ids"}))
    papers, by_doi = {s2_id(paper["key"]): paper for paper in world.papers(on_arxiv=False)}, _by_doi(world)
    return as_json(
        [_s2_fields(_s2_paper(world, papers[one], by_doi), parameters) if one in papers else None for one in ids]
    )


def _by_doi(world: World) -> dict[str, Fact]:
    return {paper["doi"]: paper for paper in world.papers(on_arxiv=False) if paper["doi"]}


def _s2_fields(paper: Fact, parameters: Parameters) -> Fact:
    """The fields that were asked for; of nested ones (`references.title`) the whole, which is all that is known."""
    asked = {name.partition(".")[0] for name in parameters.get("fields", "title").split(",")} | {"paperId"}
    unknown = sorted(asked - set(paper))
    if unknown:
        raise Refused(400, json.dumps({"error": f"Unrecognized or unsupported fields: [{', '.join(unknown)}]"}))
    return {name: value for name, value in paper.items() if name in asked}


def _s2_paper(world: World, paper: Fact, by_doi: dict[str, Fact]) -> Fact:
    cited = [by_doi[doi] for doi in paper["references"] if doi in by_doi]
    return {
        **_s2_name(paper),
        "year": int(paper["published"][:4]),
        "publicationDate": _s2_day(paper),
        "venue": paper["venue"] or "",
        "abstract": None,
        "authors": [{"authorId": None, "name": name} for name in paper["authors"]],
        "citationCount": world.citation_counts[paper["doi"]],
        "fieldsOfStudy": None,
        "publicationTypes": None,
        "openAccessPdf": None,
        "referenceCount": len(cited),
        "references": [_s2_name(other) for other in cited],
    }


def _s2_name(paper: Fact) -> Fact:
    ids: dict[str, Any] = {"DOI": paper["doi"], "ArXiv": paper["arxiv_id"]}
    return {
        "paperId": s2_id(paper["key"]),
        "externalIds": {name: value for name, value in ids.items() if value},
        "title": paper["title"],
    }


def _s2_day(paper: Fact) -> str | None:
    return str(paper["published"]) if paper["precision"] == "day" else None
