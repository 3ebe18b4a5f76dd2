"""Canonical prefixed identifiers of works, and how to find them in text.

One work may have several identifiers; each has one canonical form:
`arxiv:2401.01234` (no version), `arxiv:hep-th/9901001`, `doi:10.…` (lower case), `github:owner/name` (lower
case: GitHub compares names that way), `hf:model/owner/name`, `hf:dataset/…`, `hf:space/…` (as written: the
Hub keeps case), `openalex:W…`, `s2:…` (Semantic Scholar's 40 hex digits). Packages, which only dependency manifests
name: `pypi:name` (normalized as PyPI does), `npm:name`, `npm:@scope/name` and `crates:name` (as written: both
registries keep case), `conda:name` (lower case, without the channel). The data set of a healing hub is `hub:name`, by
the name of its package. A DOI that arXiv itself registered (10.48550/arXiv.…) *is* the arXiv identifier. Functions
raise ParseError, naming the text, when it is not of their form.
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
# Of a run of commas only the first looks ahead: 20,000 of them took 6 s.
_DOI = re.compile(
    r"10\.[0-9]{4,9}/(?:(?!\]\(|\)\]|(?<![,;])[,;]+(?:https?:|10\.[0-9]{4,9}/))[^\s\"'<>\\^`{|}\x00-\x1f]|<[^\s<>/]*>(?=\d))+"
)
_GITHUB_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$")
_GITHUB_URL = re.compile(
    r"(?<![\w.-])(?:www\.|raw\.)?github\.com[/:]([A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]+)",
    re.IGNORECASE | re.ASCII,
)
_HF_NAME = re.compile(r"^(?:(?!\.{1,2}/)[\w.-]{1,96}/)?(?!\.{1,2}$)[\w.-]{1,96}$")
_HF_URL = re.compile(
    r"(?<![\w.-])(?:www\.)?(?:huggingface\.co|hf\.co)/"
    r"(?:datasets/([\w.-]+)(?![\w.-]|/[\w.-])|(?:(datasets|spaces)/)?([\w.-]+/[\w.-]+))"
)
_PAPER = re.compile(r"papers/(\d{4}\.\d{4,5})(?!\d)", re.ASCII)
_EPRINT = re.compile(
    r"\beprint\s{0,20}=\s{0,20}[{\"]\s{0,20}(\d{4}\.\d{4,5})(?:v\d+)?\s{0,20}[}\"]", re.IGNORECASE | re.ASCII
)
_LINK = re.compile(r"https?://[^\s<>\"]*")  # asking for a '%' in it made the time quadratic
_STATIC_BADGE = re.compile(r"https?://img\.shields\.io/[^\s<>\"')\]]*")
_PAGE_OF_A_DOI = re.compile(
    r"(?:/(?:full|fulltext|abstract|pdf|epdf|html|meta|summary|references)|\.(?:svg|pdf|html?|full|abstract)){1,3}$",
    re.IGNORECASE,
)
_NPM = re.compile(r"(?:@[a-zA-Z0-9~_][\w.~-]*/)?[a-zA-Z0-9~_][\w.~-]*", re.ASCII)
_CRATE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_CONDA = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,127}")
_HUB = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
# An address with a port (`http://hub:8080`) is none, and neither is what follows another word (`github:ada/x`).
_HUB_LINK = re.compile(
    r"(?<![\w:/.@-])hub:(?=[0-9-]{0,62}[a-z])([a-z0-9][a-z0-9-]{0,61}[a-z0-9])(?![\w@]|:\w|-+\w)", re.ASCII
)
_LONGEST_NAME, _DEEPEST_NAME = 1_000, 8
_OPENALEX = re.compile(r"(?:^|/)([WA][0-9]{1,19})$")
_S2 = re.compile(r"(?:^|/)([0-9a-f]{40})$")
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


def semanticscholar(text: Any) -> str:
    """`s2:…` from a paper's id or URL at Semantic Scholar."""
    match = _S2.search(_string(text, "a Semantic Scholar id"))
    if match is None:
        raise ParseError(f"not a Semantic Scholar id: {_short(text)}")
    return f"s2:{match[1]}"


def pypi(name: Any) -> str:
    """`pypi:name`, normalized: runs of `-`, `_` and `.` are one `-`, in lower case."""
    from packaging.utils import InvalidName, canonicalize_name

    try:
        return f"pypi:{canonicalize_name(_string(name, 'a package name'), validate=True)}"
    except InvalidName as error:
        raise ParseError(f"not a name of a Python package: {_short(name)}") from error


def npm(name: Any) -> str:
    """`npm:name` or `npm:@scope/name`."""
    return _package("npm", _NPM, name)


def crate(name: Any) -> str:
    """`crates:name`, of crates.io."""
    return _package("crates", _CRATE, name)


def conda(name: Any) -> str:
    """`conda:name`: the channels share their names, by and large."""
    return _package("conda", _CONDA, name.lower() if isinstance(name, str) else name)


def hub(name: Any) -> str:
    """`hub:name`, of the name of a healing hub's package."""
    text = _string(name, "a name of a hub's package")
    if not _HUB.fullmatch(text):
        raise ParseError(f"not a name of a hub's package: {_short(name)}")
    return f"hub:{text}"


def _package(scheme: str, form: re.Pattern[str], name: Any) -> str:
    text = _string(name, "a package name")
    if len(text) > 214 or not form.fullmatch(text):
        raise ParseError(f"not a name of a package ({scheme}): {_short(name)}")
    return f"{scheme}:{text}"


def repository(address: str) -> str | None:
    """`github:owner/name` when the address (https, ssh, git) is of a repository there, else None."""
    return next((found for _, found in in_text(address) if found.startswith("github:")), None)


def orcid(text: Any) -> str | None:
    """The bare ORCID iD, or None when there is none."""
    match = _ORCID.search(text) if isinstance(text, str) else None
    return match[1] if match else None


def lines(text: str) -> list[str]:
    """The lines as editors count them: unlike `splitlines`, a form feed or U+2028 inside a line does not end it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def in_text(text: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, identifier) for each work that a text names by link, DOI or `arXiv:` id.

    A line gives each identifier once. What looks like one and is not is skipped: prose is not a promise. Code blocks
    are read like the rest: the BibTeX entry of a README stands in one, and so does `git clone`.
    """
    for number, written in enumerate(lines(text), start=1):
        if "." not in written and ":" not in written:
            continue
        is_encoded = "%" in written and "http" in written
        line = _LINK.sub(lambda address: unquote(address[0]), written) if is_encoded else written
        lowered = line.lower()
        found: dict[str, None] = {}
        if "arxiv" in lowered:
            for match in _ARXIV.finditer(line):
                if match.start() or match[0].lower().startswith(("arxiv", "http")):
                    found[_arxiv_id(match)] = None
        if "eprint" in lowered:
            found.update(dict.fromkeys(f"arxiv:{match[1]}" for match in _EPRINT.finditer(line)))
        if "10." in line:
            found.update(dict.fromkeys(_dois(line)))
        if "github.com" in lowered:
            found.update(dict.fromkeys(_repositories(line)))
        if "huggingface.co" in lowered or "hf.co" in lowered:
            found.update(dict.fromkeys(_hub_items(line)))
        if "hub:" in line:
            found.update(dict.fromkeys(f"hub:{match[1]}" for match in _HUB_LINK.finditer(line)))
        yield from ((number, identifier) for identifier in found)


def _dois(line: str) -> Iterator[str]:
    if "img.shields.io" in line:  # the picture of a badge holds the DOI and a colour; its link has the DOI alone
        line = _STATIC_BADGE.sub(" ", line)
    for match in _DOI.finditer(line):
        written, before = match[0], line[max(0, match.start() - 8) : match.start()]
        if before.endswith(("/", "=")) and not before.endswith("doi.org/"):
            written = _PAGE_OF_A_DOI.sub("", _trim(written))  # a publisher's page or a badge about that DOI
        with suppress(ParseError):
            yield doi(written)


def _repositories(line: str) -> Iterator[str]:
    for match in _GITHUB_URL.finditer(line):
        name = _named(match[1], line, match).removesuffix(".git")
        if name.partition("/")[0].lower() not in _GITHUB_PAGES and _GITHUB_NAME.match(name):
            yield github(name)


def _named(name: str, line: str, match: re.Match[str]) -> str:
    """Names may end in `.` or `_` (two repositories of PeaTMOSS do): kept where the link goes on or is closed there."""
    following, before = line[match.end() : match.end() + 1], line[max(0, match.start() - 14) : match.start()]
    is_whole = following in {"/", "#", "?", '"', ">"} or (following == ")" and "](" in before)
    return name if is_whole else _trim(name)


def _hub_items(line: str) -> Iterator[str]:
    for match in _HF_URL.finditer(line):
        name = _named(match[1] or match[3], line, match)
        kind = "dataset" if match[1] else {"datasets": "dataset", "spaces": "space"}.get(match[2], "model")
        if paper := _PAPER.match(name):
            yield f"arxiv:{paper[1]}"  # the Hub's pages of papers have their arXiv number
        elif name.partition("/")[0] not in _HF_PAGES and not name.endswith("/"):
            with suppress(ParseError):
                yield huggingface(kind, name)


def decode_latex(name: str) -> str:
    r"""Unicode for a name with LaTeX accents (`G\"odel` -> `Gödel`); others come back unchanged, and so do those that
    are longer or deeper than names are."""
    if "\\" not in name and "{" not in name and "$" not in name:
        return name
    if len(name) > _LONGEST_NAME or _depth(name) > _DEEPEST_NAME:
        return name
    from pylatexenc.latex2text import LatexNodes2Text

    try:
        # Its tolerant mode reads what follows an open brace again at every level: 5 s for 14 times `\frac{`.
        return " ".join(LatexNodes2Text().latex_to_text(name, tolerant_parsing=False).split())
    except Exception:  # the library fails in many ways (IndexError, KeyError, RecursionError) on what is no LaTeX
        return name


def _depth(text: str) -> int:
    """How deep its braces are nested; each level of an accent doubles pylatexenc's work."""
    depth = deepest = 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        deepest = max(deepest, depth)
    return deepest


def _trim(text: str) -> str:
    """Without the punctuation that ends a sentence or a bracket rather than the identifier."""
    spare = {")": text.count(")") - text.count("("), "]": text.count("]") - text.count("[")}
    end = len(text)
    while end:  # each character once: counting anew after each cut took a minute for 200 kB of brackets
        last = text[end - 1]
        if spare.get(last, 0) > 0:
            spare[last] -= 1
        elif last not in ".,;:!?*_'\"":
            break
        end -= 1
    return text[:end]


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ParseError(f"{what} is missing")
    return value.strip()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
