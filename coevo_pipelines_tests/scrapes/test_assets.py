"""From a scrape to the raw table: captures are appended, what died midway goes on from where it was."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes.capture import scrape_day
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.scrapes.misbehaving import Reset, Seen, Step, as_json, misbehaving, relay

DAY = date(2019, 3, 25)
TABLE = "scrapes.openalex"


def settings_for(root: Path, url: str) -> Settings:
    """Live settings whose OpenAlex is at `url`, with the sample's window."""
    openalex = {"base_url": f"{url}/openalex", "min_interval_s": 0, "page_size": 100}
    return load_settings(
        source="live",
        lake=root,
        start_date=DAY,
        history_from=date(1980, 1, 1),
        sources={"openalex": openalex},
        http={"retries": 0, "backoff_s": 0.0},
    )


def test_a_source_that_died_midway_is_asked_only_for_the_rest_by_the_next_run(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with serve(DAY) as sample:
        through = relay(sample)
        served = 0

        def dies(request: Seen) -> Step:
            nonlocal served
            served += 1
            return through(request) if served <= 2 else Reset()

        with misbehaving(dies) as server:
            first = scrape_day("openalex", DAY, lake, settings_for(lake.root, server.url))
        with misbehaving(through) as server:
            second = scrape_day("openalex", DAY, lake, settings_for(lake.root, server.url))
            asked_again = len(server.seen)
        with misbehaving(through) as server:
            third = scrape_day("openalex", DAY, lake, settings_for(lake.root, server.url))
            assert server.seen == []
    assert not first.commit.complete
    assert second.commit.complete
    assert not third.changed
    rows = lake.scan(TABLE, on=DAY).collect()
    captures = {n: rows.filter(capture=n) for n in (1, 2)}
    assert captures[1]["error"].is_null().to_list() == [True, True, False]
    assert captures[2]["error"].is_null().all()
    assert asked_again == captures[2].height - 2
    assert captures[1]["body_sha256"].to_list()[:2] == captures[2]["body_sha256"].to_list()[:2]


@pytest.mark.parametrize("runs", [1, 3])
def test_a_source_that_contradicts_itself_is_asked_everything_again(tmp_path: Path, runs: int) -> None:
    """Otherwise the journal would answer the same contradiction for ever."""
    lake = Lake(tmp_path / "lake")
    short = as_json({"results": [], "meta": {"count": 3, "next_cursor": None}})
    for _ in range(runs):
        with misbehaving(lambda _: short) as server:
            written = scrape_day("openalex", DAY, lake, settings_for(lake.root, server.url))
            assert len(server.seen) == 1
        assert not written.commit.complete
        assert "0 works came, 3 were announced" in written.commit.note
    assert lake.scan(TABLE, on=DAY).collect()["capture"].to_list() == list(range(1, runs + 1))
