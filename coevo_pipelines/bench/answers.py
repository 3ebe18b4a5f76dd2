"""Made-up answers of the services, as they are stored: bodies of the right shape and size about works that are not.

Field for field what the services send for the requests that the scrapers make, with lengths as in recorded answers
of 2026: about 2.3 kB for an entry of arXiv, 7 kB for a work of OpenAlex, 5 kB for a repository, 2 kB for a model.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import RAW_ROW_GROUP
from coevo_pipelines.scrapes.exchange import Exchange

DAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
VARIANTS = 5_000
"""Different items of a source; each comes again and again under another identifier."""
_ID = "@@@"
_SAID = (
    "we study the problem of learning with many agents under noise and show that a simple rule for sharing what each "
    "one finds is enough to reach near optimal plans when the graph of contacts is sparse our method needs no global "
    "clock it scales to large networks and keeps its promise when agents fail experiments on routing scheduling and "
    "clustering tasks compare it with particle swarm ant colony and evolutionary search over forty benchmark "
    "functions results suggest that local memory matters more than population size code data and models are released "
    "theorem bound convergence rate gradient policy transformer attention robust estimation Bayesian é ö β quantum"
)
_WORDS = _SAID.split()


def write(source: str, works: int, path: Path, seed: int) -> int:
    """Raw exchanges about `works` works in the format of the lake's `scrapes.<source>`; returns the bytes of bodies."""
    import polars as pl
    import pyarrow.parquet as pq

    schema = schemas.table(f"scrapes.{source}")
    kept = schema.empty().to_arrow().schema
    received = 0
    with pq.ParquetWriter(path, kept, compression="zstd", compression_level=3) as writer:
        numbered = enumerate(exchanges(source, works, seed), start=1)
        while group := list(itertools.islice(numbered, RAW_ROW_GROUP)):
            received += sum(len(exchange.body) for _, exchange in group)
            rows = [exchange.row(1, number) for number, exchange in group]
            frame = pl.DataFrame(rows, schema=schema.polars_schema(), orient="row")
            writer.write_table(frame.to_arrow().cast(kept))
    return received


def exchanges(source: str, works: int, seed: int) -> Iterator[Exchange]:
    """Pages of one source, all of one day."""
    item, page, size, url = _SOURCES[source]
    drawn = random.Random(f"{source} {seed}")
    variants = [item(drawn) for _ in range(VARIANTS)]
    for first in range(0, works, size):
        numbers = range(first, min(first + size, works))
        items = [variants[number % VARIANTS].replace(_ID, _named(source, number)) for number in numbers]
        body = page(items, works).encode()
        headers = {"content-type": "application/json"}
        yield Exchange("GET", f"{url}&page={first // size}", 200, headers, AT, body, topic="swarm-intelligence")


def _named(source: str, number: int) -> str:
    return f"{2001 + number // 100_000}.{number % 100_000:05}" if source == "arxiv" else str(number)


def _text(drawn: random.Random, least: int, most: int) -> str:
    return " ".join(drawn.choices(_WORDS, k=drawn.randint(least, most))).capitalize()


def _name(drawn: random.Random) -> str:
    first = drawn.choice(("Ana", "Wei", "José", "Ingrid", "Kofi", "Priya", "Tomáš", "Mei", "Omar", "Lena"))
    return f"{first} {drawn.choice('ABCDEFGH')}. {drawn.choice(_WORDS).capitalize()}ov"


def _entry(drawn: random.Random) -> str:
    authors = "".join(f"<author><name>{_name(drawn)}</name></author>" for _ in range(drawn.randint(1, 7)))
    doi = f"<arxiv:doi>10.1000/{drawn.randrange(10**6)}.{_ID}</arxiv:doi>" if drawn.random() < 0.3 else ""
    terms = drawn.sample(("cs.NE", "cs.LG", "cs.AI", "math.OC", "stat.ML", "cs.MA"), k=drawn.randint(1, 3))
    categories = "".join(f'<category term="{term}" scheme="http://arxiv.org/schemas/atom"/>' for term in terms)
    link = f"http://arxiv.org/abs/{_ID}v1"
    return (
        f"<entry><id>{link}</id><title>{escape(_text(drawn, 6, 14))}</title><updated>{AT:%Y-%m-%dT%H:%M:%SZ}</updated>"
        f'<link href="{link}" rel="alternate" type="text/html"/><link href="{link}" rel="related" title="pdf"/>'
        f"<summary>{escape(_text(drawn, 120, 260))}</summary>{categories}<published>{AT:%Y-%m-%dT%H:%M:%SZ}</published>"
        f"<arxiv:comment>{drawn.randint(5, 40)} pages, {drawn.randint(1, 12)} figures</arxiv:comment>"
        f'<arxiv:primary_category term="{terms[0]}"/>{authors}{doi}</entry>'
    )


def _feed(entries: list[str], total: int) -> str:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<feed xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\" "
        'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">'
        f"<opensearch:totalResults>{total}</opensearch:totalResults>{''.join(entries)}</feed>"
    )


def _record(drawn: random.Random) -> str:
    def institution() -> dict[str, object]:
        number = drawn.randrange(10**9)
        return {
            "id": f"https://openalex.org/I{number}", "display_name": f"University of {drawn.choice(_WORDS).title()}",
            "ror": f"https://ror.org/0{number:x}", "country_code": "SI", "type": "education",
            "lineage": [f"https://openalex.org/I{number}"],
        }  # fmt: skip

    def authorship() -> dict[str, object]:
        given, name = drawn.randrange(10**9), _name(drawn)
        orcid = f"https://orcid.org/0000-0002-{drawn.randrange(10**4):04}-{drawn.randrange(10**4):04}"
        return {
            "author_position": "middle",
            "author": {"id": f"https://openalex.org/A{given}", "display_name": name, "orcid": orcid},
            "institutions": [institution()], "countries": ["SI"], "is_corresponding": False, "raw_author_name": name,
            "raw_affiliation_strings": [_text(drawn, 8, 16)],
            "affiliations": [{"raw_affiliation_string": _text(drawn, 8, 16), "institution_ids": ["https://openalex.org/I1"]}],
        }  # fmt: skip

    def labelled(kind: str) -> dict[str, object]:
        return {"id": f"https://openalex.org/{kind}/{drawn.randrange(100)}", "display_name": _text(drawn, 1, 3)}

    topics = [
        {**labelled("T"), "score": 0.9, "subfield": labelled("subfields"), "field": labelled("fields"),
         "domain": labelled("domains")}
        for _ in range(3)
    ]  # fmt: skip
    doi = f"https://doi.org/10.1000/{_ID}" if drawn.random() < 0.7 else None
    source = {
        **labelled("S"), "issn_l": "1111-2222", "issn": ["1111-2222"], "is_oa": True, "is_in_doaj": False,
        "type": "journal",
        "host_organization": "https://openalex.org/P1", "host_organization_name": "A publisher",
        "host_organization_lineage": ["https://openalex.org/P1"], "host_organization_lineage_names": ["A publisher"],
    }  # fmt: skip
    record = {
        "id": f"https://openalex.org/W{_ID}", "doi": doi, "title": _text(drawn, 6, 14), "publication_date": str(DAY),
        "type": "article", "language": "en", "ids": {"openalex": f"https://openalex.org/W{_ID}", "doi": doi},
        "primary_location": {"is_oa": True, "landing_page_url": doi, "pdf_url": None, "source": source,
                             "license": "cc-by", "license_id": "https://openalex.org/licenses/cc-by", "version": None},
        "authorships": [authorship() for _ in range(drawn.randint(1, 6))], "primary_topic": topics[0], "topics": topics,
        "keywords": [{**labelled("keywords"), "score": 0.5} for _ in range(5)],
        "cited_by_count": drawn.randrange(100), "is_retracted": False,
        "referenced_works": [f"https://openalex.org/W{drawn.randrange(10**6)}" for _ in range(drawn.randrange(50))],
        "updated_date": "2026-01-05T01:02:03.000000",
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _records(items: list[str], total: int) -> str:
    meta = f'{{"count":{total},"per_page":100,"next_cursor":"IlsxXSI="}}'
    return f'{{"meta":{meta},"results":[{",".join(items)}],"group_by":[]}}'


_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments "
    "downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels "
    "languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams "
    "trees"
)
_OF_REPOSITORIES = _LINKS.split()
_OF_ACCOUNTS = ("followers", "following", "gists", "starred", "repos")


def _repository(drawn: random.Random) -> str:
    owner, account = f"lab-{drawn.randrange(10**4)}", drawn.randrange(10**8)
    name = f"{owner}/tool-{_ID}"
    at = "https://api.github.com"
    user = {
        "login": owner, "id": account, "node_id": "MDQ6VXNlcjE=", "avatar_url": f"https://avatars.example/{account}",
        "type": "Organization", "site_admin": False, "url": f"{at}/users/{owner}",
        "html_url": f"https://github.com/{owner}",
        **{f"{link}_url": f"{at}/users/{owner}/{link}" for link in _OF_ACCOUNTS},
    }  # fmt: skip
    repository = {
        "id": account, "node_id": "R_kgDO", "name": f"tool-{_ID}", "full_name": name, "private": False, "owner": user,
        "html_url": f"https://github.com/{name}", "description": _text(drawn, 8, 20), "fork": False,
        "url": f"{at}/repos/{name}",
        **{f"{link}_url": f"{at}/repos/{name}/{link}{{/sha}}" for link in _OF_REPOSITORIES},
        "created_at": f"{AT:%Y-%m-%dT%H:%M:%SZ}", "updated_at": f"{AT:%Y-%m-%dT%H:%M:%SZ}",
        "pushed_at": f"{AT:%Y-%m-%dT%H:%M:%SZ}", "git_url": f"git://github.com/{name}.git", "homepage": "", "size": 120,
        "stargazers_count": drawn.randrange(500), "watchers_count": 3, "language": "Python", "has_issues": True,
        "forks_count": drawn.randrange(50), "mirror_url": None, "archived": False, "disabled": False,
        "open_issues_count": 1, "license": {"key": "mit", "name": "MIT License", "spdx_id": "MIT", "node_id": "MDc6"},
        "topics": drawn.sample(("swarm-intelligence", "pso", "optimization", "python", "multi-agent"), k=3),
        "visibility": "public", "forks": 1, "open_issues": 1, "watchers": 3, "default_branch": "main", "score": 1.0,
    }  # fmt: skip
    return json.dumps(repository, ensure_ascii=False, separators=(",", ":"))


def _found(items: list[str], total: int) -> str:
    return f'{{"total_count":{total},"incomplete_results":false,"items":[{",".join(items)}]}}'


def _model(drawn: random.Random) -> str:
    tags = ["transformers", "safetensors", "text-generation", "region:us", "license:apache-2.0", "arxiv:1712.06567",
            "base_model:some-lab/base-7b",
            "base_model:finetune:some-lab/base-7b", "dataset:some-lab/corpus"]  # fmt: skip
    name = f"some-lab/model-{_ID}"
    model = {
        "_id": f"{drawn.randrange(16**12):024x}", "id": name, "modelId": name, "author": "some-lab", "gated": False,
        "inference": "not-popular-enough", "sha": f"{drawn.randrange(16**12):040x}",
        "lastModified": "2026-01-05T12:00:00.000Z",
        "likes": drawn.randrange(50), "trendingScore": 0, "private": False,
        "downloads": drawn.randrange(9999), "tags": tags,
        "pipeline_tag": "text-generation", "library_name": "transformers", "createdAt": "2026-01-05T12:00:00.000Z",
        "siblings": [{"rfilename": f"model-{part:05}-of-00012.safetensors"} for part in range(drawn.randint(4, 24))],
        "cardData": {"license": "apache-2.0", "base_model": ["some-lab/base-7b"], "datasets": ["some-lab/corpus"],
                     "language": ["en"], "model-index": [{"name": name, "results": []}]},
    }  # fmt: skip
    return json.dumps(model, ensure_ascii=False, separators=(",", ":"))


def _listed(items: list[str], _: int) -> str:
    return f"[{','.join(items)}]"


_SOURCES: dict[str, tuple[Callable[[random.Random], str], Callable[[list[str], int], str], int, str]] = {
    "arxiv": (_entry, _feed, 500, "https://export.arxiv.org/api/query?search_query=all:swarm"),
    "openalex": (_record, _records, 100, "https://api.openalex.org/works?filter=swarm"),
    "github": (_repository, _found, 100, "https://api.github.com/search/repositories?q=topic:swarm-intelligence"),
    "huggingface": (_model, _listed, 100, "https://huggingface.co/api/models?filter=swarm-intelligence"),
}
SOURCES = tuple(_SOURCES)
