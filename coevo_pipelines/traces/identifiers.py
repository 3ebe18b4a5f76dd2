"""Canonical prefixed identifiers of works, and how to find them in text.

One work may have several identifiers; each has one canonical form:
`arxiv:2401.01234` (no version), `arxiv:hep-th/9901001`, `doi:10.…` (lower case), `github:owner/name` (lower
case: GitHub compares names that way), `hf:model/owner/name`, `hf:dataset/…`, `hf:space/…` (as written: the
Hub keeps case), `openalex:W…`, `pypi:name`. A DOI that arXiv itself registered (10.48550/arXiv.…) *is* the
arXiv identifier. Functions raise ParseError, naming the text, when it is not of their form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from coevo_pipelines.traces.errors import ParseError

_ARXIV = re.compile(
    r"(?:^|arxiv\.org/(?:abs|pdf|html)/|arxiv:\s*)"
    r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?P<version>v\d+)?(?:\.pdf)?(?=$|[^\d.]|\.(?:\D|$))",
    re.IGNORECASE,
)
_ARXIV_DOI = re.compile(r"^10\.48550/arxiv\.(.+)$", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"'<>\\^`{|}\x00-\x1f]+")
_GITHUB_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$")
_GITHUB_URL = re.compile(r"github\.com/([A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]+)")
_HF_NAME = re.compile(r"^(?:[\w.-]{1,96}/)?[\w.-]{1,96}$")
_HF_URL = re.compile(r"(?:huggingface\.co|hf\.co)/(?:(datasets|spaces)/)?([\w.-]+/[\w.-]+)")
_OPENALEX = re.compile(r"(?:^|/)([WA]\d{1,19})$")
_ORCID = re.compile(r"(\d{4}-\d{4}-\d{4}-\d{3}[\dX])$")

# First path parts below github.com and huggingface.co that are pages, not owners.
_GITHUB_PAGES = frozenset(
    {"about", "apps", "collections", "features", "login", "marketplace", "orgs", "search", "settings", "sponsors",
     "topics", "trending", "users"}
)  # fmt: skip
_HF_PAGES = frozenset(
    {"blog", "docs", "join", "learn", "login", "models", "papers", "posts", "pricing", "settings", "tasks"}
)


def arxiv(text: Any) -> tuple[str, str | None]:
    """(`arxiv:…`, version such as `v2` or None) of an id, a URL or an `arxiv:` tag."""
    match = _ARXIV.search(_string(text, "an arXiv identifier"))
    if match is None:
        raise ParseError(f"not an arXiv identifier: {_short(text)}")
    version = match["version"]
    return f"arxiv:{match['id'].lower()}", version.lower() if version else None


def doi(text: Any) -> str:
    """`doi:…` in lower case from a bare DOI, a URL or a `doi:` tag; `arxiv:…` for a DOI of arXiv's own."""
    match = _DOI.search(unquote(_string(text, "a DOI")))
    if match is None:
        raise ParseError(f"not a DOI: {_short(text)}")
    bare = _trim(match[0]).lower()
    own = _ARXIV_DOI.match(bare)
    return arxiv(own[1])[0] if own else f"doi:{bare}"


def github(name: Any) -> str:
    """`github:owner/name` in lower case from `owner/name`."""
    text = _string(name, "a repository name")
    if not _GITHUB_NAME.match(text):
        raise ParseError(f"not a GitHub repository name: {_short(name)}")
    return f"github:{text.lower()}"


def huggingface(kind: str, name: Any) -> str:
    """`hf:<kind>/owner/name` for kind model, dataset or space."""
    text = _string(name, f"a Hugging Face {kind} name")
    if not _HF_NAME.match(text):
        raise ParseError(f"not a Hugging Face {kind} name: {_short(name)}")
    return f"hf:{kind}/{text}"


def openalex(text: Any) -> str:
    """`openalex:W…` (works) or `openalex:A…` (authors) from an id or URL."""
    match = _OPENALEX.search(_string(text, "an OpenAlex id"))
    if match is None:
        raise ParseError(f"not an OpenAlex id: {_short(text)}")
    return f"openalex:{match[1]}"


def orcid(text: Any) -> str | None:
    """The bare ORCID iD, or None when there is none."""
    match = _ORCID.search(text) if isinstance(text, str) else None
    return match[1] if match else None


def in_text(text: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, identifier) for each work that a text names by link, DOI or `arXiv:` id.

    A line gives each identifier once. What looks like one and is not is skipped: prose is not a promise.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if "10." not in line and "/" not in line and ":" not in line:
            continue
        found: dict[str, None] = {}
        for match in _ARXIV.finditer(line):
            if match.start() or match[0].lower().startswith(("arxiv", "http")):
                found[f"arxiv:{match['id'].lower()}"] = None
        for match in _DOI.finditer(line):
            found[doi(match[0])] = None
        for match in _GITHUB_URL.finditer(line):
            name = _trim(match[1]).removesuffix(".git")
            if name.partition("/")[0].lower() not in _GITHUB_PAGES and _GITHUB_NAME.match(name):
                found[github(name)] = None
        for match in _HF_URL.finditer(line):
            name = _trim(match[2])
            if name.partition("/")[0] not in _HF_PAGES and name.count("/") == 1 and not name.endswith("/"):
                kind = {"datasets": "dataset", "spaces": "space"}.get(match[1], "model")
                found[huggingface(kind, name)] = None
        yield from ((number, identifier) for identifier in found)


def decode_latex(name: str) -> str:
    r"""Unicode for a name with LaTeX accents (`G\"odel` -> `Gödel`); others come back unchanged."""
    if "\\" not in name and "{" not in name and "$" not in name:
        return name
    from pylatexenc.latex2text import LatexNodes2Text

    return " ".join(LatexNodes2Text().latex_to_text(name).split())


def _trim(text: str) -> str:
    """Without the punctuation that ends a sentence or a bracket rather than the identifier."""
    text = text.rstrip(".,;:!?*_'\"")
    while text and text[-1] in ")]" and text.count("([".__getitem__(")]".index(text[-1]))) < text.count(text[-1]):
        text = text[:-1].rstrip(".,;:!?")
    return text


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ParseError(f"{what} is missing")
    return value.strip()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
