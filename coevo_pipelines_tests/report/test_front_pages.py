"""What came out, works, data health: what they say of known rows, and what no title can do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from coevo_pipelines.lake.ledger import Commit, Index
from coevo_pipelines.report import html
from coevo_pipelines.report.build import answers
from coevo_pipelines.report.page import About, Page
from coevo_pipelines.report.pages import health, overview, works
from coevo_pipelines_tests.report.asked import BEFORE, DAY, Rows, catalog_of, said, tags
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED, Reader

if TYPE_CHECKING:
    from coevo_pipelines.report.page import Frames

FIRST = DAY - timedelta(days=20)
SCRAPE = "scrapes.arxiv"


def commit(table: str, day: Any = DAY, **given: Any) -> Commit:
    plain: dict[str, Any] = {
        "seq": 1, "table": table, "date": str(day), "file": "x", "rows": 1, "bytes": 1_500, "sha256": "0" * 64,
        "schema": "", "complete": True, "observed_until": "2026-11-21T02:00:00+00:00", "vintage": "observed",
        "inputs": (), "code_version": "1", "run_id": "r", "committed_at": "2026-11-21T03:00:00+00:00",
    }  # fmt: skip
    return Commit(**(plain | given))


def about(*commits: Commit) -> About:
    index = Index()
    for each in commits or (commit(SCRAPE, BEFORE), commit(SCRAPE)):
        index.apply(each)
    days = tuple(FIRST + timedelta(days=number) for number in range(21))
    return About(DAY, "live", days, index)


def frames(page: Page, rows: Rows) -> Frames:
    connection = catalog_of(rows)
    connection.execute("CREATE SCHEMA lake; CREATE TABLE lake.commits (table_name VARCHAR, date DATE)")
    connection.execute(f"INSERT INTO lake.commits VALUES ('{SCRAPE}', DATE '{DAY}')")
    connection.execute(f"SET VARIABLE day = DATE '{DAY}'")
    return answers(connection, page.queries)


def page(own: Page, rows: Rows, of: About | None = None) -> bytes:
    known = of or about()
    return html.page(own, [own], known, own.body(frames(own, rows), known))


WORKS = [{"work_id": f"arxiv:{n}", "source": "arxiv", "date": BEFORE - timedelta(days=n // 9)} for n in range(108)]
WRONG: Sequence[tuple[str, Rows, Sequence[Commit], str, str]] = [
    ("well", {}, (), "good", "5 sources|1 source answered everything"),
    ("incomplete", {}, [commit(SCRAPE, complete=False, note="429 <b>")], "bad", "Incomplete: 429 &lt;b&gt;"),
    ("missed", {}, [commit(SCRAPE), commit("traces.works", BEFORE)], "bad", "1 table of the day before not made"),
    ("none", {}, [commit(SCRAPE, BEFORE)], "bad", "nothing of this day"),
    ("derived", {}, [commit(SCRAPE), commit("traces.works", complete=False)], "warn", "1 table made from incomplete"),
    ("late", {}, [commit(SCRAPE, vintage="reconstructed")], "warn", "Reconstructed"),
    ("silent", {"traces.works": WORKS}, (), "warn", "No work today; on half of the days before there were 9"),
    ("rejects", {"traces.rejects": [{"reason": "no <title>"}]}, (), "warn", "1 entry could not be used"),
    ("audit", {"genome.audits": [{"repo": "<r>", "status": "failed"}]}, (), "bad", "audit failed for 1 repository"),
    ("mirror", {"genome.ecosystem": [{"repo": "r", "status": "gone"}]}, (), "warn", "1 repository not fetched"),
    ("sum", {"rewards.rounds": [{"round": "r", "budget": 7}]}, (), "bad", "do not add up"),
    ("unpaid", {"rewards.rounds": [{"closes": True, "why_not": "late"}]}, (), "warn", "was not paid: late"),
    ("alerts", {"rewards.alerts": [{"alert": "a"}]}, (), "warn", "1 structure that may be arranged"),
    ("counters", {"traces.metrics": [{"work_id": "w", "value": None}]}, (), "good", "1 of 1 counters are unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "commits", "state", "words"), [each[1:] for each in WRONG], ids=[e[0] for e in WRONG])
def test_health_names_what_is_wrong(rows: Rows, commits: Sequence[Commit], state: str, words: str) -> None:
    found = health.checks(frames(health.PAGE, rows), about(*commits))
    assert health.verdict(found)[0] == state
    assert any(part in each.words for each in found for part in words.split("|"))
    order = [("bad", "warn", "good", "none").index(each.state) for each in found]
    assert order == sorted(order)


def test_the_verdict_counts() -> None:
    bad, warn = (health.Check("x", state, "") for state in ("bad", "warn"))
    assert health.verdict([bad, warn, warn]) == ("bad", "1 thing is wrong, and 2 things to look at.")
    assert health.verdict([warn]) == ("warn", "Nothing is wrong; 1 thing to look at.")
    assert health.verdict([]) == ("good", "All is well.")


def test_health_shows_sources_failures_and_links_left_out() -> None:
    rows: Rows = {
        SCRAPE: [{"sequence": n, "status": status, "error": error, "url": "https://x/<a>"}
                 for n, (status, error) in enumerate([(200, None), (404, None), (None, "timed out")], 1)],
        "citations.quarantine": [{"source": "a:1", "target": "b:2", "relation": "cites"}],
    }  # fmt: skip
    words = said(page(health.PAGE, rows))
    assert "arXiv complete 3 1 1 1" in words
    assert "timed out" in words and "status 404" in words and "https://x/<a>" in words
    assert "a:1 cites b:2 target newer than source" in words
    assert "Not asked (off in the settings): GitHub" in words


def linked(title: str | None = None) -> Mapping[str, list[dict[str, Any]]]:
    """a cites b, b has the title; c is only named and takes two thirds of what readers of a pass on."""
    at = datetime(2026, 11, 20, 6, tzinfo=UTC)
    node = {"is_stub": False, "kind": "paper", "created_at": at, "event_at": at}
    return {
        "traces.works": [
            {"work_id": each, "source": "arxiv", "kind": "paper", "event": "created", "title": title or each,
             "event_at": at, "created_at": at} for each in ("t:a", "t:b")
        ],
        "citations.nodes": [
            {"node_id": "t:a", "node": 1, "title": title, **node},
            {"node_id": "t:b", "node": 2, "title": title, **node},
            {"node_id": "t:c", "node": 3, "is_stub": True, "event_at": at},
        ],
        "citations.edges": [
            {"source": "t:a", "target": "t:b", "relation": "cites", "source_node": 1, "target_node": 2, "event_at": at},
            {"source": "t:a", "target": "t:c", "relation": "depends_on", "source_node": 1, "target_node": 3,
             "target_is_stub": True, "event_at": at},
        ],
        "influence.scores": [
            {"node_id": "t:a", "inflow": 0.0}, {"node_id": "t:b", "inflow": 0.25}, {"node_id": "t:c", "inflow": 0.75}
        ],
    }  # fmt: skip


def test_what_came_out() -> None:
    words = said(page(overview.PAGE, linked("Ants & bees")))
    assert "On 20 November 2026, 2 new works came out, and 2 links" in words
    assert "arXiv: 2 papers" in words
    assert "Ants & bees 25% of all inflow paper · 2026 Why: 100% Ants & bees (cites)" in words
    assert "depends on 1 1 1" in words


@pytest.mark.parametrize("own", [overview.PAGE, works.PAGE, health.PAGE], ids=lambda own: own.name)
def test_no_title_changes_the_elements(own: Page) -> None:
    usual, hostile = page(own, linked("x")), page(own, linked(HOSTILE + STACKED))
    assert [tag for tag, _ in Reader(hostile).elements] == [tag for tag, _ in Reader(usual).elements]
    assert tags(page(own, linked(None))) <= tags(usual) | {"code"}


@pytest.mark.parametrize("own", [overview.PAGE, works.PAGE, health.PAGE], ids=lambda own: own.name)
def test_an_empty_lake_says_so(own: Page) -> None:
    words = said(page(own, {}))
    assert {"index": "nothing new came out", "works": "The graph has no work", "health": "Check it"}[own.name] in words


def test_the_search_has_every_work_in_files() -> None:
    every = pl.DataFrame(
        {"node_id": [f"n:{n}" for n in range(works.A_FILE + 1)], "title": None, "kind": "paper", "is_stub": False,
         "created": "2026-11-20", "influence": 0.25, "in_degree": 1},
        schema_overrides={"title": pl.String},
    )  # fmt: skip
    files = dict(works.data({"every": every}, about()))
    assert {name: len(rows) for name, rows in files.items()} == {"works/0": works.A_FILE, "works/1": 1}
    assert files["works/1"] == [[f"n:{works.A_FILE}", None, "paper", "2026-11-20", 0.25, 1]]
