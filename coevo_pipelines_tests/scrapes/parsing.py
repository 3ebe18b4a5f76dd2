"""What the tests of the parsers share: where the recordings are, and rows as a test wants to read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings

from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.settings import Topic
from coevo_pipelines.traces.normalize import normalize
from coevo_pipelines.traces.records import Traces
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges, file, json_lines

WIDE = Window(date(2026, 11, 3), datetime(1980, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
GRACE = timedelta(days=2)
TESTING = Topic(name="testing", terms=("metamorphic testing", "ant colony"), github_topics=("rest-api",))

ARXIV_100 = "arxiv/atom_2026_arxivpy/q_testing_s0_m100_cfe7536492ca.json"
ARXIV_PAGES = tuple(
    f"arxiv/atom_2026_arxivpy/q_testing_s{start}_m10_{digest}.json"
    for start, digest in (
        (0, "bc5a6c384fe9"),
        (10, "34e56e15aaac"),
        (20, "348a237fecab"),
        (30, "f2e39f0143dc"),
        (40, "96dd32eb854c"),
        (50, "7f488ab8598c"),
    )
)
ARXIV_2019 = "arxiv/atom_2019_old_backend/all_science_s0_m10_2019-08-10.xml"
ARXIV_URL = "https://export.arxiv.org/api/query?search_query=all:testing"
OPENALEX_PAGE = "openalex/vcr_openalexPro_2026/pro_fetch_search_biodiversity_AND_finance.yml"
OPENALEX_RANDOM = "openalex/vcr_commonmeta/test_get_random_id_from_openalex.yaml"
OPENALEX_URL = "https://api.openalex.org/works?filter=x"
GITHUB_SEARCH = "github/betamax_github3py/GitHub_search_repositories.json"
GITHUB_SEARCH_2014 = "github/replay_pygithub/Search.testSearchRepos.txt"
GITHUB_FORK = "github/betamax_github3py/CheckApp_create_check_run.json"
GITHUB_README = "github/betamax_github3py/Repository_readme.json"
GITHUB_URL = "https://api.github.com/search/repositories?q=topic:x"
HUB_LIST = "huggingface/api_lists_2026/hf_models.json"
HUB_HISTORY = "huggingface/model_info_recorded_history.jsonl"
HUB_URL = "https://huggingface.co/api/models?filter=x"
quick = settings(max_examples=120, deadline=None, derandomize=True)
"""Of property tests: the same examples in each run."""


def regression(reason: str, *values: Any) -> Any:
    """A case that once went wrong, and how."""
    return pytest.param(*values, id=reason)


def day(year: int, month: int, number: int) -> Window:
    start = datetime(year, month, number, tzinfo=UTC)
    return Window(start.date(), start, start + timedelta(days=1))


def read(source: str, *answers: Exchange, window: Window = WIDE) -> Traces:
    return normalize(source, answers, window, (TESTING,), GRACE)


def counts(traces: Traces) -> dict[str, int]:
    return {name: len(rows) for name, rows in traces.rows.items() if rows}


def by_id(traces: Traces) -> dict[str, dict[str, Any]]:
    works = {row["work_id"]: row for row in traces.rows["works"]}
    assert len(works) == len(traces.rows["works"])
    return works


def part(row: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in expected}


def names(traces: Traces, work_id: str) -> list[str | None]:
    people = [row for row in traces.rows["people"] if row["work_id"] == work_id]
    assert [row["position"] for row in people] == list(range(1, len(people) + 1))
    return [row["name"] for row in people]


def reasons(traces: Traces) -> list[tuple[str, str]]:
    return [(row["locator"], row["reason"]) for row in traces.rows["rejects"]]


def references(traces: Traces, work_id: str) -> list[tuple[str, str, str]]:
    return [
        (row["target_id"], row["relation"], row["evidence"])
        for row in traces.rows["references"]
        if row["source_id"] == work_id
    ]


def metrics(traces: Traces, work_id: str) -> dict[str, int | None]:
    return {row["metric"]: row["value"] for row in traces.rows["metrics"] if row["work_id"] == work_id}


def without_provenance(traces: Traces) -> dict[str, list[dict[str, Any]]]:
    said = ("observed_at", "raw_sha256")
    return {
        table: [{name: value for name, value in row.items() if name not in said} for row in rows]
        for table, rows in traces.rows.items()
    }


def page(*works: Any) -> str:
    return json.dumps({"meta": {"count": len(works), "next_cursor": None}, "results": list(works)})


def single(name: str) -> dict[str, Any]:
    work: dict[str, Any] = json.loads(exchanges(name)[0].body)
    return work


def repository(**changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(exchange(GITHUB_SEARCH, "/search/repositories").body)["items"][0]
    return item | changes


def search_page(*items: Any, **more: Any) -> Exchange:
    return answer(GITHUB_URL, json.dumps({"total_count": len(items), "items": list(items), **more}))


def hub_page(*items: Any, kind: str = "models") -> Exchange:
    return answer(f"https://huggingface.co/api/{kind}?filter=x&full=true", json.dumps(list(items)))


def hub_item(**changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(file(HUB_LIST))[0]
    return item | changes


def recorded_model(name: str) -> dict[str, Any]:
    """The last full record of a model in the history of cassettes."""
    found: dict[str, Any] = {}
    for record in json_lines(HUB_HISTORY):
        if record["status"] == 200 and record["url"].endswith(f"/{name}"):
            found = json.loads(record["body"])
    return found


def feed(*entries: str) -> str:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<feed xmlns:arxiv='http://arxiv.org/schemas/atom' "
        "xmlns='http://www.w3.org/2005/Atom'><title>arXiv Query</title>" + "".join(entries) + "</feed>"
    )


def entry(name: str = "A. Author", title: str = "A title", number: str = "2401.01234v1", more: str = "") -> str:
    return (
        f"<entry><published>2024-01-02T03:04:05Z</published><author><name>{name}</name></author>"
        f"<title>{title}</title><id>http://arxiv.org/abs/{number}</id>{more}</entry>"
    )


def held(source: str, host: str, name: str) -> list[int | tuple[int, ...]]:
    """What each answer of `host` in a recording holds: how many works, references, people and rejects; its status where
    that is not 200, and then it must hold nothing."""
    found: list[int | tuple[int, ...]] = []
    for one in exchanges(name):
        if host in one.url:
            rows = counts(read(source, one))
            numbers = tuple(rows.get(table, 0) for table in ("works", "references", "people", "rejects"))
            found.append(numbers if one.status == 200 else one.status or 0)
            assert one.status == 200 or numbers == (0, 0, 0, 0)
    return found
