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
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from coevo_pipelines.traces.errors import ParseError

_ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|"
    "dg-ga|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|"
    "physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int|supr-con"
)
_ARXIV = re.compile(
    r"(?:^|arxiv\.org/(?:abs|pdf|html)/|arxiv:\s*)"
    r"(?:(?P<new>\d{4}\.\d{4,5})|(?P<archive>" + _ARCHIVES + r")(?:\.[A-Z]{2})?/(?P<old>\d{7}))"
    r"(?P<version>v\d+)?(?:\.pdf)?(?=$|[^\d.]|\.(?:\D|$))",
    re.IGNORECASE | re.ASCII,
)
_BARE_ARXIV = re.compile(r"(?:arxiv:\s*)?[a-z.-]*/?[\d.]+(?:v\d+)?(?:\.pdf)?", re.IGNORECASE | re.ASCII)
_ARXIV_DOI = re.compile(r"^10\.48550/arxiv(?:\.(.*))?$", re.IGNORECASE)
# A SICI holds <...>; a link of Markdown ends the DOI, and so does the address of the next one.
_DOI = re.compile(
    r"10\.[0-9]{4,9}/(?:(?!\]\(|\)\]|[,;]+(?:https?:|10\.[0-9]{4,9}/))[^\s\"'<>\\^`{|}\x00-\x1f]|<[^\s<>/]*>(?=\d))+"
)
_GITHUB_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$")
_GITHUB_URL = re.compile(r"(?<![\w.-])(?:www\.|raw\.)?github\.com[/:]([A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]+)")
_HF_NAME = re.compile(r"^(?:(?!\.{1,2}/)[\w.-]{1,96}/)?(?!\.{1,2}$)[\w.-]{1,96}$")
_HF_URL = re.compile(
    r"(?<![\w.-])(?:www\.)?(?:huggingface\.co|hf\.co)/"
    r"(?:datasets/([\w.-]+)(?![\w.-]|/[\w.-])|(?:(datasets|spaces)/)?([\w.-]+/[\w.-]+))"
)
_OPENALEX = re.compile(r"(?:^|/)([WA][0-9]{1,19})$")
_ORCID = re.compile(r"(?:^|/)([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])$")

# First path parts below github.com and huggingface.co that are pages, not owners.
_GITHUB_PAGES = frozenset(
    {"about", "apps", "collections", "enterprise", "events", "explore", "features", "issues", "login", "marketplace",
     "notifications", "orgs", "pricing", "pulls", "readme", "search", "security", "settings", "site", "sponsors",
     "stars", "topics", "trending", "user-attachments", "users"}
)  # fmt: skip
_HF_PAGES = frozenset(
    {"api", "blog", "chat", "collections", "datasets", "docs", "enterprise", "join", "learn", "login", "models",
     "organizations", "papers", "posts", "pricing", "settings", "spaces", "tasks"}
)  # fmt: skip


def arxiv(text: Any) -> tuple[str, str | None]:
    """(`arxiv:…`, version such as `v2` or None) of an id, a URL or an `arxiv:` tag."""
    written = _string(text, "an arXiv identifier")
    match = _ARXIV.search(written)
    is_address = "://" in written or written.lower().startswith("arxiv.org")
    if match is None or not (is_address or _BARE_ARXIV.fullmatch(written)):
        raise ParseError(f"not an arXiv identifier: {_short(text)}")
    version = match["version"]
    return _arxiv_id(match), version.lower() if version else None


def _arxiv_id(match: re.Match[str]) -> str:
    bare = match["new"] or f"{match['archive']}/{match['old']}"
    return f"arxiv:{bare.lower()}"


def doi(text: Any) -> str:
    """`doi:…` in lower case from a bare DOI, a URL or a `doi:` tag; `arxiv:…` for a DOI of arXiv's own."""
    written = _string(text, "a DOI")
    # Only an address is percent-encoded: a bare DOI may hold a real '%'.
    match = _DOI.search(unquote(written) if "://" in written else written)
    bare = _trim(match[0]).lower() if match else ""
    if not bare.partition("/")[2]:
        raise ParseError(f"not a DOI: {_short(text)}")
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
                found[_arxiv_id(match)] = None
        for match in _DOI.finditer(line):
            with suppress(ParseError):
                found[doi(f"https://doi.org/{match[0].removesuffix('.svg')}")] = None  # a badge's picture
        for match in _GITHUB_URL.finditer(line):
            name = _trim(match[1]).removesuffix(".git")
            if name.partition("/")[0].lower() not in _GITHUB_PAGES and _GITHUB_NAME.match(name):
                found[github(name)] = None
        for match in _HF_URL.finditer(line):
            name = _trim(match[1] or match[3])
            kind = "dataset" if match[1] else {"datasets": "dataset", "spaces": "space"}.get(match[2], "model")
            if name.partition("/")[0] not in _HF_PAGES and not name.endswith("/"):
                with suppress(ParseError):
                    found[huggingface(kind, name)] = None
        yield from ((number, identifier) for identifier in found)


def decode_latex(name: str) -> str:
    r"""Unicode for a name with LaTeX accents (`G\"odel` -> `Gödel`); others come back unchanged."""
    if "\\" not in name and "{" not in name and "$" not in name:
        return name
    from pylatexenc.latex2text import LatexNodes2Text

    try:
        return " ".join(LatexNodes2Text().latex_to_text(name).split())
    except Exception:  # the library fails in many ways (IndexError, KeyError, RecursionError) on what is no LaTeX
        return name


def _trim(text: str) -> str:
    """Without the punctuation that ends a sentence or a bracket rather than the identifier."""
    opening = {")": "(", "]": "["}
    while True:
        text = text.rstrip(".,;:!?*_'\"")
        last = text[-1:]
        if last not in opening or text.count(opening[last]) >= text.count(last):
            return text
        text = text[:-1]


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ParseError(f"{what} is missing")
    return value.strip()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
