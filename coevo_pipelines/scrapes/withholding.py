"""Leaving out of an answer the texts of works that are opted out, before it is stored: one function a format. Pure.

Each takes an address, a body and the opt-outs, and gives the body to be stored with what was withheld: identifier of
the work -> since when. A body in which nothing is withheld, or that is of another kind (a page for people), comes back
as it is; of one that is cut off nobody can say whose texts it holds, so nothing of it is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from coevo_pipelines.scrapes.consent import Consent
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.errors import ParseError

Withheld = tuple[bytes, dict[str, datetime]]
Withhold = Callable[[str, bytes, Consent], Withheld]

_GITHUB = re.compile(r"/repos/([^/]+/[^/]+)(?:/(?:readme|contents/.*))?$")
_GITHUB_FILE = re.compile(r"/repos/([^/]+/[^/]+)/(?:contents|readme)\b")
_CUT_XML = re.compile(rb"<(?:\w+:)?(?:entry|record)\b")
_CUT_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]\s*[\[{\"]")
_HUB_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_HUB_LISTING = re.compile(r"/api/(models|datasets|spaces)(?:/.*)?$")
_HUB_FILE = re.compile(r"/(?:(datasets|spaces)/)?((?!(?:datasets|spaces)/)[^/]+(?:/[^/]+)?)/(?:raw|resolve)/[^/]+/")
_HUB_FACTS = frozenset(
    {"license", "license_name", "license_link", "language", "tags", "base_model", "base_model_relation", "datasets",
     "pipeline_tag", "library_name", "metrics"}
)  # fmt: skip


def nothing(_url: str, body: bytes, _consent: Consent) -> Withheld:
    """Of a source that tells nothing of anybody's works."""
    return body, {}


def github(url: str, body: bytes, consent: Consent) -> Withheld:
    """Descriptions of repositories, wherever one is described; what a file of one holds."""
    match = _GITHUB.search(unquote(urlsplit(url).path))
    asked_for = match[1] if match else ""

    def blank(value: Any) -> Iterator[tuple[str, datetime]]:
        if isinstance(value, dict) and "content" in value:
            # A repository that was renamed is answered under its number, and the answer names it.
            named = _GITHUB_FILE.search(str(value.get("url")))
            for own in filter(None, dict.fromkeys((asked_for, unquote(named[1]) if named else ""))):
                if since := consent.withheld([f"github:{own}"], owner=f"github:{own.partition('/')[0]}"):
                    value["content"] = ""
                    yield f"github:{own.lower()}", since
        for one in _objects(value):
            name = one.get("full_name")
            if isinstance(name, str) and "description" in one:
                since = consent.withheld([f"github:{name}"], owner=f"github:{name.partition('/')[0]}")
                if since:
                    one["description"] = None
                    yield f"github:{name.lower()}", since

    return _json(body, consent, blank)


def huggingface(url: str, body: bytes, consent: Consent) -> Withheld:
    """Descriptions in listings, and whole cards."""
    path = unquote(urlsplit(url).path)
    if match := _HUB_FILE.search(path):
        work = _hub_work(match[1], match[2])
        since = consent.withheld([work], owner=_hub_owner(match[2])) if body else None
        return (b"", {work: since}) if since else (body, {})
    match = _HUB_LISTING.search(path)
    kind = _HUB_KINDS[match[1]] if match else ""

    def blank(value: Any) -> Iterator[tuple[str, datetime]]:
        for one in value if isinstance(value, list) else [value]:
            name = (one.get("id") or one.get("modelId")) if isinstance(one, dict) and kind else None
            if not isinstance(name, str):
                continue
            work = f"hf:{kind}/{name}"
            if since := consent.withheld([work], owner=_hub_owner(name)):
                for field in ("description", "citation", "widgetData", "model-index"):
                    if field in one:
                        one[field] = None
                if isinstance(one.get("cardData"), dict):
                    one["cardData"] = {name: said for name, said in one["cardData"].items() if name in _HUB_FACTS}
                yield work, since

    return _json(body, consent, blank)


def is_hub_item_withheld(path: str, consent: Consent) -> bool:
    """Whether the model `owner/name`, or what stands behind `datasets/` or `spaces/`, is opted out."""
    kind, _, rest = path.partition("/")
    listed, name = (kind, rest) if kind in {"datasets", "spaces"} else (None, path)
    return consent.withheld([_hub_work(listed, name)], owner=_hub_owner(name)) is not None


def _hub_work(kind: str | None, name: str) -> str:
    return f"hf:{_HUB_KINDS[kind or 'models']}/{name}"


def _hub_owner(name: str) -> str | None:
    return f"hf:{name.partition('/')[0]}" if "/" in name else None


def openalex(_url: str, body: bytes, consent: Consent) -> Withheld:
    """Abstracts, which come as an index of words."""

    def blank(value: Any) -> Iterator[tuple[str, datetime]]:
        for one in _objects(value):
            if "authorships" not in one and "abstract_inverted_index" not in one:
                continue
            works = _ids((identifiers.openalex, one.get("id")), (identifiers.doi, one.get("doi")))
            authors = (each.get("author") for each in _dicts(one.get("authorships")))
            if since := consent.withheld(works, people=_orcids(each.get("orcid") for each in _dicts(authors))):
                one["abstract_inverted_index"] = None
                yield works[0] if works else "unknown", since

    return _json(body, consent, blank)


def crossref(_url: str, body: bytes, consent: Consent) -> Withheld:
    """Abstracts."""

    def blank(value: Any) -> Iterator[tuple[str, datetime]]:
        for one in _objects(value):
            works = _ids((identifiers.doi, one.get("DOI"))) if "abstract" in one else []
            people = _orcids(each.get("ORCID") for each in _dicts(one.get("author"))) if works else ()
            if since := consent.withheld(works, people=people):
                del one["abstract"]
                yield works[0], since

    return _json(body, consent, blank)


def semanticscholar(_url: str, body: bytes, consent: Consent) -> Withheld:
    """Abstracts, and summaries made of them."""

    def blank(value: Any) -> Iterator[tuple[str, datetime]]:
        for one in _objects(value):
            if not {"abstract", "tldr"} & one.keys():
                continue
            external = one.get("externalIds")
            external = external if isinstance(external, dict) else {}  # some papers have none
            works = _ids((_arxiv, external.get("ArXiv")), (identifiers.doi, external.get("DOI")))
            works += [f"s2:{one['paperId']}"] if isinstance(one.get("paperId"), str) else []
            if since := consent.withheld(works):
                for field in {"abstract", "tldr"} & one.keys():
                    one[field] = None
                yield works[0], since

    return _json(body, consent, blank)


def arxiv(_url: str, body: bytes, consent: Consent) -> Withheld:
    """Abstracts in Atom feeds (`entry`) and in every format of OAI-PMH (`record`)."""
    if not consent:
        return body, {}
    from lxml import etree

    from coevo_pipelines.traces.records import xml_root

    try:
        root = xml_root(body)
    except ParseError:
        return (b"" if _CUT_XML.search(body) else body), {}
    found: dict[str, datetime] = {}
    for record in root.iter("{*}entry", "{*}record"):
        works: list[str] = []
        for node in record.iter("{*}id", "{*}identifier", "{*}doi"):
            convert = identifiers.doi if etree.QName(node).localname == "doi" else _arxiv
            said = (node.text or "").split()  # a paper that came out in two parts has two DOIs
            works += _ids(*((convert, one.removeprefix("oai:arXiv.org:")) for one in said))
        if since := consent.withheld(works):
            for node in record.iter("{*}summary", "{*}abstract", "{*}description"):
                node.text = None
            found[works[0]] = since
    return (etree.tostring(root, encoding="UTF-8", xml_declaration=True) if found else body), found


def _json(body: bytes, consent: Consent, blank: Callable[[Any], Iterator[tuple[str, datetime]]]) -> Withheld:
    if not consent:
        return body, {}
    try:
        value = json.loads(body)
        found = dict(blank(value))
        return (json.dumps(value).encode() if found else body), found
    except (ValueError, RecursionError):
        return (b"" if _CUT_JSON.match(body) else body), {}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in `value`, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    if value is not None and not isinstance(value, str | int | float):
        yield from (one for one in value if isinstance(one, dict))


def _ids(*given: tuple[Callable[[Any], str], Any]) -> list[str]:
    found = []
    for convert, value in given:
        with suppress(ParseError):
            found.append(convert(value))
    return found


def _orcids(given: Iterator[Any]) -> list[str]:
    return [f"orcid:{iD}" for iD in map(identifiers.orcid, given) if iD]


def _arxiv(text: Any) -> str:
    return identifiers.arxiv(text)[0]
