"""The real Dagster UI in a real browser: the lineage graph, an asset's page, a day and a range made by clicking.

Patience is long: on a busy machine a server or a run takes many times what it takes on a quiet one.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.dev import LINEAGE, answers, free_port
from coevo_pipelines_tests.report.browser import chromium, keep, window
from coevo_pipelines_tests.runs import DAYS, ROOT, environment

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_S = 400
GROUPS = ("scrapes", "traces", "citations", "influence", "rewards", "genome", "corpora", "swarm", "lake", "report")
REGISTER = "/assets/scrapes/register"

pytestmark = pytest.mark.timeout(4 * PATIENCE_S)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui") / "lake"


@pytest.fixture(scope="module")
def page(lake: Path) -> Iterator[Page]:
    """A window on the UI of an empty lake, as `make dev` opens it; skips where there is no browser."""
    with chromium() as browser, served(lake) as address:
        context = window(browser, base_url=address)
        context.set_default_timeout(PATIENCE_S * 1000)
        yield context.new_page()


@contextmanager
def served(lake: Path) -> Iterator[str]:
    """`make dev` without make, as its address says where: webserver and daemon on a free port, with a home of their
    own; ended with all that they started."""
    log = lake.with_name("dev.log")
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "coevo_pipelines.orchestration.dev"],
            cwd=ROOT, env=environment(COEVO_LAKE=str(lake)), stdout=told, stderr=told, start_new_session=True,
        )  # fmt: skip
    try:
        yield _address(process, log)
    finally:
        _end(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What it prints once the UI answers."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(rf"(http://[\d.:]+){LINEAGE}", log.read_text()):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"no UI:\n{log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as expecting

    expecting.set_options(timeout=PATIENCE_S * 1000)
    return expecting(locator)


def materialize(page: Page, days: str, button: str) -> None:
    """Choose partitions in the dialog of the asset that is open, and start."""
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    chosen = dialog.get_by_placeholder("ex: ")
    chosen.fill(days)
    chosen.press("Enter")
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_have_count(0)


def test_it_opens_on_a_lineage_graph_that_reads_from_left_to_right(page: Page) -> None:
    page.goto(LINEAGE)
    graph = page.locator("svg, [data-svg-viewport]").first
    expect(graph).to_be_visible()
    places = []
    for group in GROUPS:
        named = page.get_by_text(group, exact=True)
        expect(named.last).to_be_visible()
        boxes = [box for each in named.all() if (box := each.bounding_box())]
        places.append((group, max(box["x"] for box in boxes)))  # the sidebar lists the names too, further left
    keep(page, "dagster-lineage")
    x = dict(places)
    assert x["scrapes"] < x["traces"] < x["citations"] < x["influence"] < x["rewards"] < x["swarm"] < x["lake"]
    assert x["influence"] < x["genome"] < x["corpora"] < x["lake"] < x["report"]


def test_an_asset_says_what_it_is(page: Page) -> None:
    page.goto("/assets/traces/works")
    expect(page.get_by_text("What happened to a work on a day")).to_be_visible()
    expect(page.get_by_text("canonical prefixed identifier, such as arxiv:1712.06567")).to_be_visible()
    # What a column may hold, and what it is made of.
    made_of = page.get_by_text(
        re.compile(r"what it is \(paper, repository, model, dataset, space, hub_dataset\) ← scrapes\.arxiv")
    )
    expect(made_of).to_be_visible()
    for told in ("Polars", "coevo/holds: facts", "coevo/world: sample", "daily_snapshot"):
        expect(page.get_by_text(told).first).to_be_visible()
    expect(page.get_by_text("Owners")).to_be_visible()
    keep(page, "dagster-asset")


def test_a_day_is_made_by_clicking_and_its_checks_pass(page: Page, lake: Path) -> None:
    page.goto(REGISTER)
    materialize(page, DAYS[0].isoformat(), "Launch 1 run")
    page.goto("/runs")
    expect(page.get_by_text("Success", exact=True)).to_be_visible()
    keep(page, "dagster-run")
    committed = Lake(lake).committed("scrapes.register", DAYS[0])
    assert committed is not None
    page.goto(f"{REGISTER}?view=checks&checkDetail=complete")
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    expect(page.get_by_text("All that was asked for 1 day came.")).to_be_visible()
    keep(page, "dagster-check")
    page.goto(f"{REGISTER}?view=events")
    row = page.get_by_role("row").filter(has_text="dagster/row_count")
    expect(row).to_contain_text(str(committed.rows))
    expect(page.get_by_text(committed.sha256)).to_be_visible()
    keep(page, "dagster-metadata")


def test_a_range_is_one_run_of_several_days(page: Page, lake: Path) -> None:
    page.goto(REGISTER)
    materialize(page, f"[{DAYS[1]}...{DAYS[2]}]", "Launch backfill")
    page.goto(f"{REGISTER}?view=checks&checkDetail=complete")
    expect(page.get_by_text("All that was asked for 2 days came.")).to_be_visible()
    page.goto(f"{REGISTER}?view=partitions")
    expect(page.get_by_text(re.compile(r"Materialized \(\d"))).to_be_visible()
    keep(page, "dagster-range")
    for day in DAYS[1:]:
        assert Lake(lake).committed("scrapes.register", day) is not None


def test_the_port_that_is_taken_is_not_used() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
        assert not answers(f"http://127.0.0.1:{port}", patience_s=0)
