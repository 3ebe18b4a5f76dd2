"""Everything here that reads what strangers wrote, as one table: a new source is one line of `SOURCES`.

A target takes bytes. It ends quietly, or with ParseError, whatever they are; every row that it makes fits its table,
every identifier is canonical. Anything else that is raised is a finding.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.exchange import Exchange, Journal, Redactor
from coevo_pipelines.scrapes.sources import source as source_module
from coevo_pipelines.traces import citation_file, funding, identifiers, register
from coevo_pipelines.traces.authors import authors
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines.traces.records import Traces
from coevo_pipelines_tests.hubs.packages import DESCRIPTOR
from coevo_pipelines_tests.scrapes.parsing import ARXIV_URL, GITHUB_URL, GRACE, OPENALEX_URL, TESTING, WIDE
from coevo_pipelines_tests.scrapes.recordings import FETCHED_AT, answer, recordings

SECRET = "s3cr3t/+ %pl ä"
_LONGEST_SEED = 40_000


@dataclass(frozen=True)
class Target:
    """`run` takes any bytes. `seeds` are composed; `recorded` are patterns of files below the folder of recordings,
    each a recorded exchange or a bare body."""

    name: str
    run: Callable[[bytes], Traces | None]
    seeds: tuple[bytes, ...]
    recorded: tuple[str, ...] = ()

    def recorded_seeds(self) -> Iterator[bytes]:
        """Recorded bodies, each cut to few items so that damage often lands where it matters."""
        folder = recordings()
        for pattern in self.recorded:
            for path in sorted(path for path in folder.glob(pattern) if path.is_file()):
                for body in _bodies(folder, path):
                    yield from (cut for cut in _cut(body) if len(cut) <= _LONGEST_SEED)


def _bodies(folder: Path, path: Path) -> Iterator[bytes]:
    from coevo_pipelines_tests.scrapes.recordings import exchanges

    found: Iterable[Exchange] = ()
    with suppress(ValueError):  # a bare body that is no JSON
        found = exchanges(str(path.relative_to(folder)))
    if found:
        yield from (exchange.body for exchange in found)
    else:
        yield path.read_bytes()


def _cut(body: bytes) -> Iterator[bytes]:
    """The body, or, if it is a long list or page of items, a few of each of them."""
    if len(body) <= _LONGEST_SEED // 4:
        yield body
        return
    if body.lstrip()[:1] == b"<":
        yield from _cut_xml(body)
        return
    try:
        value = json.loads(body)
    except ValueError:
        yield body
        return
    for holder in (
        (value, *value.values(), *(value.get("message") or {}).values()) if isinstance(value, dict) else (value,)
    ):
        if isinstance(holder, list) and len(holder) > 2:
            kept = list(holder)
            for first in range(0, min(len(kept), 10), 2):
                holder[:] = kept[first : first + 2]
                yield json.dumps(value).encode()
            return
    yield body


def _cut_xml(body: bytes) -> Iterator[bytes]:
    from lxml import etree

    with suppress(etree.XMLSyntaxError, ValueError):
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        holder = max(root.iter(etree.Element), key=len)
        for child in list(holder)[12:]:
            holder.remove(child)
        yield bytes(etree.tostring(root))


# What must hold of rows


def check_rows(traces: Traces) -> None:
    """AssertionError that names the first row that would not fit its table, or holds what is not canonical.

    Looks at the rows as they were told, in microseconds; `conforming` makes the tables of them, in 50 ms.
    """
    for name, rows in traces._rows.items():
        table = schemas.table(f"traces.{name}")
        own = [column for column in table.columns if column.name not in _PROVENANCE]
        for row in rows:
            for column, value in zip(own, row, strict=False):
                problem = _problem(column, value)
                assert not problem, f"{table.name} {column.name} {problem}: {value!r}"[:300]
            for column, value in zip(own, row, strict=False):
                if column.name == "work_id" or column.name in _REFERENCE:
                    check_identifier(value)


def conforming(traces: Traces) -> Mapping[str, int]:
    """Rows by table, as they would be stored. SchemaError when they cannot be."""
    tables = frames([traces], WIDE, GRACE)
    return {name: schemas.conform(schemas.table(name), frame, "fuzz").height for name, frame in tables.items()}


_PROVENANCE = frozenset({"source", "observed_at", "raw_sha256", "topics"})
_REFERENCE = frozenset({"source_id", "target_id", "left_id", "right_id"})
_MICROSECONDS = (-62_135_596_800_000_000, 253_402_300_800_000_000)
"""From year 1 to year 9999: what Python, DuckDB and Parquet agree on."""


def _problem(column: schemas.Column, value: Any) -> str:
    if value is None:
        return "" if column.nullable else "is null"
    if column.type == "list[string]":
        fits = isinstance(value, list) and all(_is_storable(one) for one in value)
    elif column.type == "string":
        fits = _is_storable(value)
    elif column.type == "timestamp":
        fits = type(value) is int and _MICROSECONDS[0] <= value < _MICROSECONDS[1]
    elif column.type == "bool":
        fits = isinstance(value, bool)
    else:
        fits = type(value) is int and abs(value) < 2**63
    if not fits:
        return f"is no {column.type}"
    if column.enum is not None and value not in column.enum:
        return "is not in the enum"
    if isinstance(value, int) and column.minimum is not None and value < column.minimum:
        return "is too small"
    return ""


def _is_storable(value: Any) -> bool:
    with suppress(UnicodeEncodeError):
        return isinstance(value, str) and value.encode() is not None
    return False


_READERS: Mapping[str, Callable[[str], str]] = {
    "arxiv": lambda rest: identifiers.arxiv(rest)[0],
    "doi": identifiers.doi,
    "github": identifiers.github,
    "hf": lambda rest: identifiers.huggingface(*rest.partition("/")[::2]),
    "hub": identifiers.hub,
    "openalex": identifiers.openalex,
}


def check_identifier(identifier: str) -> None:
    """AssertionError when it is not what its own reader makes of it: one work would have two names."""
    prefix, _, rest = identifier.partition(":")
    assert rest, identifier[:200]
    if prefix in _READERS:
        again = _READERS[prefix](rest)
        assert again == identifier, f"{identifier[:200]} reads as {again[:200]}"


# Sources


def _body(
    source: str,
    name: str,
    url: str,
    *seeds: str,
    recorded: Iterable[str] = (),
    before: Callable[[], tuple[Exchange, ...]] = lambda: (),
    wrap: Callable[[bytes], bytes] = lambda body: body,
) -> Target:
    """The body of an answer to `url`, which came after `before`; `wrap` is how the service packs a file."""

    def run(data: bytes) -> Traces:
        body = wrap(data)
        for status in (200, 301, 404):
            assert isinstance(source_module(source).check(url, status, body), str)
        traces = normalize(source, (*before(), answer(url, body, topic="testing")), WIDE, (TESTING,), GRACE)
        check_rows(traces)
        return traces

    return Target(f"{source}.{name}", run, tuple(seed.encode() for seed in seeds), tuple(recorded))


ENTRY = (
    "<entry><id>http://arxiv.org/abs/2401.01234v2</id><title>On <![CDATA[ants]]></title>"
    "<published>2024-01-02T03:04:05Z</published><updated>2024-02-02T03:04:05Z</updated>"
    "<summary>  One.\n  Two $\\alpha$.</summary><category term='cs.NE'/>"
    "<arxiv:primary_category term='cs.NE'/><arxiv:comment>withdrawn</arxiv:comment><arxiv:doi>10.1000/X</arxiv:doi>"
    "<author><name>G\\\"odel, K{\\'a}lm\\'an</name></author><author><name>\u738b</name></author></entry>"
)
FEED = (
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom" '
    'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"><opensearch:totalResults>2</opensearch:totalResults>'
    f"{ENTRY}{ENTRY.replace('2401.01234v2', 'hep-th/9901001v1')}</feed>"
)
WORK = {
    "id": "https://openalex.org/W1", "doi": "https://doi.org/10.1000/x", "title": "Ants",
    "publication_date": "2024-01-02",
    "type": "article", "ids": {}, "primary_location": {"license": "cc-by", "source": None}, "is_retracted": False,
    "authorships": [{"author": {"id": "https://openalex.org/A1", "display_name": "A", "orcid": None},
                     "raw_author_name": "A"}],
    "topics": [{"display_name": "t"}], "keywords": [{"display_name": "k"}], "cited_by_count": 3,
    "referenced_works": ["https://openalex.org/W2", "W3"],
}  # fmt: skip
REPOSITORY = {
    "id": 7, "full_name": "O/n", "created_at": "2024-01-02T03:04:05Z", "pushed_at": "2024-01-03T03:04:05Z",
    "owner": {"login": "O", "type": "User"}, "topics": ["ant-colony"], "license": {"spdx_id": "MIT"},
    "archived": False, "language": "Python", "description": "ant colony", "stargazers_count": 4, "forks_count": 1,
    "fork": True, "parent": {"full_name": "p/q"},
}  # fmt: skip
MODEL = {
    "id": "o/n", "_id": "6", "createdAt": "2024-01-02T03:04:05.000Z", "sha": "a1", "gated": "auto", "likes": 1,
    "downloads": 2, "pipeline_tag": "text-generation", "tags": [
        "license:mit", "arxiv:2401.01234", "dataset:a/b", "base_model:c/d", "base_model:quantized:c/d", "doi:10.1000/x",
    ], "cardData": {"base_model": ["c/d"], "datasets": "a/b", "license": "mit"},
}  # fmt: skip
PEOPLE = [
    {"login": "ada", "type": "User", "contributions": 3},
    {"login": "x[bot]", "type": "Bot", "contributions": 1},
    {"type": "Anonymous", "name": "B: #1", "email": "b@example.org", "contributions": 2},
]
TEXT = """# Ants
See https://arxiv.org/abs/2401.01234v2, arXiv:hep-th/9901001, doi:10.1002/(SICI)1097(199601)1:1<1::AID-X>3.0.CO;2-#,
[r](https://github.com/A/b.git) and git@github.com:c/d, https://huggingface.co/datasets/a/b and hf.co/e/f.
[![DOI](https://zenodo.org/badge/DOI/10.5281/zenodo.1.svg)](https://doi.org/10.5281/zenodo.1)
"""
CITATION = """cff-version: 1.2.0
title: "Ants"
doi: 10.5281/zenodo.1
authors:
  - {family-names: Lovelace, given-names: Ada, orcid: "https://orcid.org/0000-0001-2345-6789"}
preferred-citation: {type: article, doi: 10.1000/x, title: T, authors: [{name: N}]}
references:
  - type: software
    repository-code: https://github.com/a/b
    identifiers: [{type: doi, value: 10.1000/y}, {type: other, value: "arXiv:2401.01234"}]
"""
PYPROJECT = """[project]
dependencies = ["numpy>=1; python_version < '3.13'", "a[b] @ https://example.org/a.zip"]
[project.optional-dependencies]
dev = ["pytest"]
[dependency-groups]
dev = ["x", {include-group = "y"}]
[tool.poetry.dependencies]
python = "^3.9"
requests = {version = "*", optional = true}
"""
PACKAGE = {
    "name": "x", "dependencies": {"@a/b": "^1", "c": "github:o/n#v1"}, "devDependencies": {"d": "file:../d"},
    "peerDependencies": {}, "optionalDependencies": {"e": "npm:f@1"}, "bundleDependencies": True,
}  # fmt: skip
CARGO = """[package]
name = "x"
[dependencies]
serde = { version = "1", features = ["derive"] }
renamed = { package = "rand", git = "https://github.com/o/n" }
[target.'cfg(unix)'.dependencies]
libc = "0.2"
"""
ENVIRONMENT = """name: x
channels: [conda-forge]
dependencies:
  - python=3.11
  - conda-forge::numpy>=1
  - pip
  - pip: ["-r r.txt", "requests==2", "git+https://github.com/o/n"]
"""
_ID = "0123456789abcdef0123456789abcdef01234567"
PAPER = {
    "paperId": _ID, "title": "Ant colony", "publicationDate": "2024-01-02", "year": 2024, "citationCount": 3,
    "externalIds": {"ArXiv": "2401.01234", "DOI": "10.1000/x", "CorpusId": 7}, "abstract": "On ants.",
    "referenceCount": 2,
    "publicationTypes": ["JournalArticle"], "fieldsOfStudy": ["Biology"], "s2FieldsOfStudy": [{"category": "Biology"}],
    "authors": [{"authorId": "1", "name": "A. B."}, {"authorId": None, "name": "\u738b"}], "isOpenAccess": True,
    "openAccessPdf": {"url": "http://x", "license": "CCBY"}, "venue": "V", "url": "https://www.semanticscholar.org/x",
    "references": [{"paperId": _ID[::-1], "externalIds": {"DOI": "10.1000/y"}, "title": "T"}, {"paperId": None}],
}  # fmt: skip
CROSSREF = {
    "DOI": "10.1000/X", "title": ["On <i>ants</i> &amp; bees"], "type": "journal-article", "prefix": "10.1",
    "created": {"date-parts": [[2024, 1, 2]], "date-time": "2024-01-02T03:04:05Z", "timestamp": 1704164645000},
    "published": {"date-parts": [[2024]]}, "issued": {"date-parts": [[None]]}, "is-referenced-by-count": 3,
    "author": [{"given": "A", "family": "B", "ORCID": "http://orcid.org/0000-0002-1825-0097", "sequence": "first"},
               {"name": "The Group"}, {"given": "Solo"}],
    "license": [{"URL": "https://creativecommons.org/licenses/by/4.0/", "start": {"date-parts": [[2024, 1, 1]]},
                 "delay-in-days": 0, "content-version": "vor"}],
    "reference": [{"key": "1", "DOI": "10.1000/Y", "doi-asserted-by": "crossref"}, {"key": "2", "unstructured": "T"}],
    "relation": {"is-preprint-of": [{"id-type": "doi", "id": "10.1000/z", "asserted-by": "subject"}],
                 "has-preprint": [{"id-type": "arxiv", "id": "2401.01234"}]},
    "abstract": "<jats:p>On ants.</jats:p>", "subject": ["Ants"], "container-title": ["J"], "reference-count": 2,
    "update-to": [{"DOI": "10.1000/w", "type": "retraction", "updated": {"date-time": "2024-01-02T00:00:00Z"}}],
    "updated-by": [{"DOI": "10.1000/v", "type": "withdrawal", "updated": {"date-time": "2024-01-03T00:00:00Z"}}],
}  # fmt: skip
_RECORD = (
    "<record><header><identifier>oai:arXiv.org:2401.01234</identifier><datestamp>2024-02-02</datestamp>"
    "<setSpec>cs:cs:NE</setSpec></header><metadata><arXivRaw xmlns='http://arxiv.org/OAI/arXivRaw/'><id>2401.01234</id>"
    "<submitter>S</submitter><version version='v1'><date>Tue, 02 Jan 2024 03:04:05 GMT</date><size>9kb</size></version>"
    "<version version='v2'><date>Fri, 02 Feb 2024 03:04:05 GMT</date><size>0kb</size><source_type>I</source_type>"
    "</version><title>Ant colony</title><authors>K{\\'a}lm\\'an B. and The X Collaboration: C. D (1, 2) ((1) E)"
    "</authors><categories>cs.NE math.OC</categories><comments>c</comments><doi>10.1000/x 10.1000/y</doi>"
    "<license>http://creativecommons.org/licenses/by/4.0/</license><acm-class>None</acm-class>"
    "<abstract>  On ants.\n  Two.\n</abstract></arXivRaw></metadata></record>"
)
OAI = (
    "<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><responseDate>2026-11-03T00:00:00Z</responseDate>"
    f"<ListRecords>{_RECORD}<record><header status='deleted'><identifier>oai:arXiv.org:hep-th/9901001</identifier>"
    "<datestamp>2024-02-02</datestamp></header></record><resumptionToken>t</resumptionToken></ListRecords></OAI-PMH>"
)
FUNDING_YML = "github: [ada, bob]\nko_fi: x\ncustom: ['https://paypal.me/x', \"0x" + "a" * 40 + '"]\n'
FUNDING_JSON = {
    "version": "v1.0.0", "drips": {"ethereum": {"ownedBy": "0x" + "1" * 40}},
    "funding": {"channels": [{"guid": "paypal", "type": "payment-provider", "address": "https://paypal.me/x"},
                             {"guid": "b", "type": "bank", "address": ""}]},
}  # fmt: skip
REGISTER = """[[claims]]
person = "person:ada"
subjects = ["github:ada", "arxiv:1712.06567#2", "orcid:0000-0002-1825-0097"]
proof = "https://example.org"
since = 2024-01-05
until = 2030-01-05T01:02:03+02:00
payout = { ethereum = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", github_sponsors = "ada" }
[[optouts]]
owner = "github:ada"
since = 2024-02-01
[[shares]]
work = "arxiv:1712.06567"
since = 2024-01-05T00:00:00
share = { "orcid:0000-0002-1825-0097" = 3, "github:bob" = "1.5", "Some Body" = "0.25" }
[[shares]]
work = "github:o/n"
since = 2024-01-06
credit = { "github:bob" = ["Conceptualization", "Software"] }
"""


def _found_repository() -> tuple[Exchange, ...]:
    page = {"total_count": 1, "items": [REPOSITORY]}
    return (answer(GITHUB_URL, json.dumps(page)),)


def _found_model() -> tuple[Exchange, ...]:
    return (answer("https://huggingface.co/api/models?filter=x", json.dumps([MODEL])),)


def _file(path: str, *seeds: str, recorded: Iterable[str] = ()) -> Target:
    """The content of a file of a repository, packed as the contents API packs it."""

    def wrap(content: bytes) -> bytes:
        encoded = base64.encodebytes(content).decode()
        return json.dumps({"path": path, "encoding": "base64", "content": encoded}).encode()

    last = "readme" if path == "README.md" else f"contents/{path}"
    url = f"https://api.github.com/repos/O/n/{last}"
    return _body("github", f"file {path}", url, *seeds, recorded=recorded, before=_found_repository, wrap=wrap)


_ABOUT_O_N = "https://api.github.com/repos/O/n"
_S2 = "https://api.semanticscholar.org/graph/v1"
_GITHUB = ("github/betamax_github3py/*.json", "github/replay_pygithub/*.txt", "github/perceval_fixtures/*")

SOURCES: tuple[Target, ...] = (
    _body("arxiv", "feed", ARXIV_URL, FEED, recorded=("arxiv/atom_*/*", "arxiv/rss_2026/*")),
    _body("openalex", "page", OPENALEX_URL, json.dumps({"meta": {"count": 1}, "results": [WORK]}),
          recorded=("openalex/*/*",)),
    _body("github", "search", GITHUB_URL, json.dumps({"total_count": 1, "items": [REPOSITORY]}),
          recorded=("github/*/*earch*",)),
    _body("github", "repository", _ABOUT_O_N, json.dumps(REPOSITORY), recorded=_GITHUB),
    _body("github", "contributors", f"{_ABOUT_O_N}/contributors?page=5&per_page=100", json.dumps(PEOPLE),
          before=_found_repository, recorded=("github/*/*ontributors*",)),
    _body("github", "readme", f"{_ABOUT_O_N}/readme", json.dumps({"path": "README.md", "content": "YQ=="}),
          before=_found_repository, recorded=("github/*/*eadme*", "github/*/*ontents*")),
    _file("README.md", TEXT, recorded=("huggingface/model_cards_fixtures/*",)),
    _file("CITATION.cff", CITATION, recorded=("citation_cff/**/*.cff",)),
    _file("pyproject.toml", PYPROJECT),
    _file("requirements.txt", "numpy>=1 # x\n-r other.txt\ngit+https://github.com/o/n#egg=n\na b\n"),
    _file("package.json", json.dumps(PACKAGE)),
    _file("Cargo.toml", CARGO),
    _file("environment.yml", ENVIRONMENT),
    _file(".github/FUNDING.yml", FUNDING_YML),
    _file("funding.json", json.dumps(FUNDING_JSON)),
    _file(".all-contributorsrc", json.dumps({"contributors": [{"login": "ada"}, {"login": "x[bot]"}]})),
    _body("huggingface", "models", "https://huggingface.co/api/models?filter=x", json.dumps([MODEL]),
          recorded=("huggingface/api_lists_2026/*", "huggingface/vcr_huggingface_hub/*")),
    _body("huggingface", "datasets", "https://huggingface.co/api/datasets?filter=x", json.dumps([MODEL])),
    _body("huggingface", "card", "https://huggingface.co/o/n/raw/main/README.md", f"---\nlicense: mit\n---\n{TEXT}",
          before=_found_model, recorded=("huggingface/model_cards_fixtures/*",)),
    _body("register", "file", "file:register.toml", REGISTER),
    _body("semanticscholar", "search", f"{_S2}/paper/search/bulk?query=x", json.dumps({"total": 1, "data": [PAPER]}),
          recorded=("semanticscholar/*/*.json", "multi/*/*")),
    _body("semanticscholar", "batch", f"{_S2}/paper/batch?fields=x#ids=a,b", json.dumps([PAPER, None]),
          recorded=("semanticscholar/*/*.json",)),
    _body("crossref", "page", "https://api.crossref.org/works?query.title=ants",
          json.dumps({"message": {"total-results": 1, "items": [CROSSREF]}}),
          recorded=("crossref/*/*", "crossref/*/*/*", "multi/*/*")),
    _body("crossref", "record", "https://api.crossref.org/works/10.1000/x#withdrawn=2026-11-03T00:00:00Z",
          json.dumps({"message": CROSSREF}), recorded=("crossref/fixtures_commonmeta/*",)),
    _body("hubs", "descriptor", "https://hubs.example.org/green-valley/datapackage.json", json.dumps(DESCRIPTOR)),
    _body("arxiv_oai", "records", "https://oaipmh.arxiv.org/oai?verb=ListRecords&metadataPrefix=arXivRaw", OAI,
          recorded=("arxiv/oai_*/*",)),
)  # fmt: skip
"""Every answer of every source."""


# Functions


def _text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _text(name: str, read: Callable[[str], Any], *seeds: str, recorded: Iterable[str] = ()) -> Target:
    """A function of text."""
    return Target(name, lambda data: _quiet(read, _text_of(data)), tuple(s.encode() for s in seeds), tuple(recorded))


def _named(read: Callable[[Any], str]) -> Callable[[Any], None]:
    return lambda value: check_identifier(read(value))


def _value(name: str, read: Callable[[Any], Any], *seeds: Any) -> Target:
    """A function of whatever JSON can hold where an identifier should be; of the text itself where that is none."""

    def run(data: bytes) -> None:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = _text_of(data)
        _quiet(read, value)

    return Target(name, run, tuple(json.dumps(seed).encode() for seed in seeds))


def _quiet(read: Callable[[Any], Any], value: Any) -> None:
    with suppress(ParseError):
        read(value)


def _decoded(name: str) -> None:
    assert isinstance(identifiers.decode_latex(name), str)


def _found_in(text: str) -> None:
    last = len(identifiers.lines(text))
    for number, identifier in identifiers.in_text(text):
        assert 1 <= number <= last
        check_identifier(identifier)


def _funding(read: Callable[[str], funding.Addresses]) -> Callable[[str], None]:
    def run(text: str) -> None:
        addresses = read(text)
        assert all(one.address.isprintable() for one in addresses.found)

    return run


def _registered(text: str) -> None:
    register.read(text.encode(), datetime(2026, 11, 3, tzinfo=UTC))


def _redacted(text: str) -> None:
    redactor = Redactor([SECRET])
    for hidden in (
        redactor.text(text),
        redactor.url(f"https://example.org/?{text}"),
        *redactor.headers({"link": text}).values(),
        redactor.body(text.encode("utf-8", "replace")).decode("utf-8", "replace"),
    ):
        assert SECRET not in hidden


def _journal(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="coevo-fuzz-") as folder, suppress(ParseError):
        path = Path(folder) / "day.jsonl"
        path.write_bytes(data)
        journal = Journal(path)
        assert list(Journal(path).exchanges) == journal.exchanges


def _stored(data: bytes) -> None:
    """What a row keeps of an exchange with this body and header."""
    told = Exchange("GET", OPENALEX_URL, 200, {"link": _text_of(data)}, FETCHED_AT, data)
    assert Exchange.from_row(told.row(1, 1)) == told


_LINE = json.dumps(
    {"method": "GET", "url": "u", "status": 200, "headers": {"a": "b"}, "fetched_at": "2026-11-03T12:00:00+00:00",
     "body": "YQ==", "error": None, "topic": None}
)  # fmt: skip

FUNCTIONS: tuple[Target, ...] = (
    _value("identifiers.arxiv", _named(lambda v: identifiers.arxiv(v)[0]),
           "http://arxiv.org/abs/2401.01234v2", "cs.NE/0601001"),
    _value("identifiers.doi", _named(identifiers.doi),
           "https://doi.org/10.1000/A%2Fb(1)", "10.48550/arXiv.2401.01234", "10.1000/x"),
    _value("identifiers.github", _named(identifiers.github), "Owner/name.js", "o/.github"),
    _value("identifiers.huggingface", _named(lambda v: identifiers.huggingface("model", v)), "owner/name", "gpt2"),
    _value("identifiers.openalex", _named(identifiers.openalex), "https://openalex.org/W1", "A5"),
    _value("identifiers.orcid", identifiers.orcid, "https://orcid.org/0000-0002-1825-0097", None),
    _text("authors", authors, "A. Author, B. C\\'eline and D. Dur Jr. (1) ((1) Some place)",
          "The X collaboration: A, B et al"),
    _text("citation_file.read", citation_file.read, CITATION, recorded=("citation_cff/**/*.cff",)),
    _text("identifiers.in_text", _found_in, TEXT, CITATION),
    _text("identifiers.decode_latex", _decoded, "G\\\"odel, K{\\'a}lm\\'an", "{\\o} $x_1^{2}$ \\verb|a| \\begin{a}",
          "\\href{http://a}{b} \\frac{1}{2} \\sqrt[3]{x} \\item[x] \\input{/etc/passwd}"),
    _text("funding.funding_yml", _funding(funding.funding_yml), FUNDING_YML),
    _text("funding.funding_json", _funding(funding.funding_json), json.dumps(FUNDING_JSON)),
    _text("funding.recognized", funding.recognized, "https://www.patreon.com/c/x"),
    _text("register.read", _registered, REGISTER),
    _value("register.subject", register.subject, "arxiv:1712.06567#2", "github:ada", "orcid:0000-0002-1825-0097"),
    _text("Redactor", _redacted, f"token=x&a={SECRET}", "api_key=s3cr3t%2F%2B%20%25pl%20%C3%A4", "http://u:p@[::1]/"),
    Target("Journal", _journal, ((_LINE + "\n").encode() * 2,)),
    Target("Exchange.from_row", _stored, (b'<http://x>; rel="next"',)),
)  # fmt: skip
"""Every function that reads text of others by itself."""

TARGETS: Mapping[str, Target] = {target.name: target for target in (*SOURCES, *FUNCTIONS)}
