"""Whole runs: any order of days gives the same bytes, nothing that interrupts them harms the lake."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb

from coevo_pipelines.definitions import build_definitions
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.orchestration.days import stale_days
from coevo_pipelines.orchestration.run import instance, run_days
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.runs import DAYS, coevo, command, derived_digests, environment


def run_in_order(root: Path, days: Iterable[date]) -> Settings:
    settings = load_settings(lake=root)
    for day in days:
        outcome = run_days(settings, day, day)
        assert outcome.success, outcome.failures
    return settings


def of(days: Iterable[date], digests: dict[str, str]) -> dict[str, str]:
    """Those of some days. What a day holds does not depend on whether later ones are there."""
    return {path: digest for path, digest in digests.items() if any(f"date={day}" in path for day in days)}


def test_days_in_reverse_give_the_bytes_of_the_range(sample: Settings, tmp_path: Path) -> None:
    settings = run_in_order(tmp_path / "lake", DAYS[1::-1])
    assert derived_digests(settings.lake_root) == of(DAYS[:2], derived_digests(sample.lake_root))
    assert verify(settings.lake_root).findings == ()


def test_a_second_run_changes_no_byte_and_commits_nothing(sample: Settings, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root)
    before, commits = derived_digests(root), verify(root).commits
    outcome = run_days(load_settings(lake=root), DAYS[0], DAYS[-1])
    assert outcome.success
    assert derived_digests(root) == before
    assert verify(root).commits == commits


def test_runs_for_different_dates_at_once(sample: Settings, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    runs = [
        subprocess.Popen(
            command("run", "--date", str(day), "--lake", str(root), "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path,
        )
        for day in DAYS[:2]
    ]  # fmt: skip
    for run in runs:
        out, err = run.communicate(timeout=200)
        assert run.returncode == 0, err
        assert json.loads(out)["success"]
    assert derived_digests(root) == of(DAYS[:2], derived_digests(sample.lake_root))
    assert verify(root).findings == ()


def test_one_stage_alone_later_days_first(sample: Settings, tmp_path: Path) -> None:
    """As in the UI: scrapes and traces of all days, then graph and influence, each backwards."""
    root = tmp_path / "lake"
    settings = load_settings(lake=root)
    definitions = build_definitions(settings)
    graph = definitions.resolve_asset_graph()
    early = [key for key in graph.get_all_asset_keys() if key.path[0] in {"scrapes", "traces"}]
    job = definitions.resolve_implicit_global_asset_job_def()
    span = {"dagster/asset_partition_range_start": str(DAYS[0]), "dagster/asset_partition_range_end": str(DAYS[2])}
    with instance(settings) as opened:
        assert job.execute_in_process(instance=opened, asset_selection=early, tags=span).success
        for stage in ("citations", "influence", "rewards", "genome", "corpora", "hubs", "swarm"):
            late = [key for key in graph.get_all_asset_keys() if key.path[0] == stage]
            tables = [".".join(key.path) for key in late]
            for day in reversed(DAYS):
                result = job.execute_in_process(instance=opened, asset_selection=late, partition_key=day.isoformat())
                assert result.success
                assert stale_days(Lake(root), tables) == []
    assert derived_digests(root) == derived_digests(sample.lake_root)


def test_killed_late_in_a_run(sample: Settings, tmp_path: Path) -> None:
    """SIGKILL while it mirrors and packs: the lake verifies at once, and the next run completes it to the same bytes.

    Scrapes that are killed: scrapes/test_collect.py.
    """
    root = tmp_path / "lake"
    arguments = ("run", "--date", str(DAYS[0]), "--to", str(DAYS[1]), "--lake", str(root))
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), cwd=tmp_path
    )
    while process.poll() is None and not (root / "genome").exists():
        time.sleep(0.01)
    time.sleep(random.Random(2).random() * 0.8)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert verify(root).findings == ()
    again = coevo(*arguments, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert derived_digests(root) == of(DAYS[:2], derived_digests(sample.lake_root))
    assert verify(root).findings == ()
    assert not list(root.rglob(".writing-*"))


def test_interrupted_by_the_user(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    process = subprocess.Popen(
        command("run", "--date", str(DAYS[0]), "--to", str(DAYS[2]), "--lake", str(root)),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path,
    )  # fmt: skip
    while process.poll() is None and not (root / "scrapes" / "github").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "interrupted: what was committed stays" in err
    assert verify(root).findings == ()


def test_a_reader_of_the_catalog_neither_fails_nor_blocks_a_run(sample: Settings, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root)
    with duckdb.connect(str(root / "coevo.duckdb"), read_only=True) as reader:
        before = reader.execute("SELECT count(*), max(committed_at) FROM lake.commits").fetchall()
        run = coevo("run", "--date", "2019-03-28", "--lake", str(root), cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        assert reader.execute("SELECT count(*), max(committed_at) FROM lake.commits").fetchall() == before
    after = coevo("query", "SELECT max(date) AS d FROM lake.commits", "--format", "csv", "--lake", str(root))
    assert after.stdout.split() == ["d", "2019-03-28"]


def test_live_without_a_network_says_one_line_a_source_and_loses_nothing(tmp_path: Path) -> None:
    """The live path is the sample path with other base urls; here they lead nowhere."""
    urls = {
        f"COEVO_SOURCES__{name.upper()}__BASE_URL": "http://127.0.0.1:9"
        for name in ("arxiv", "github", "huggingface", "openalex")
    }
    quick = {"COEVO_HTTP__BACKOFF_S": "0.01", "COEVO_HTTP__RETRIES": "1"}
    slow = {f"COEVO_SOURCES__{n.upper()}__MIN_INTERVAL_S": "0" for n in ("arxiv", "github", "huggingface", "openalex")}
    run = coevo("run", "--date", "2026-01-01", "--source", "live", cwd=tmp_path, **urls, **quick, **slow)
    assert run.returncode == 1, run.stderr
    lines = [line for line in run.stderr.splitlines() if line.startswith("incomplete: ")]
    assert [line.split(":")[1].strip() for line in lines] == [
        f"scrapes.{name} date=2026-01-01" for name in ("arxiv", "github", "huggingface", "openalex")
    ]
    assert all("Connection refused" in line for line in lines)
    root = tmp_path / "data_lake" / "live"
    report = verify(root)
    assert report.findings == ()
    lake = Lake(root)
    tried = lake.scan("scrapes.arxiv", on=date(2026, 1, 1)).collect()
    assert tried["status"].to_list() == [None]
    for table in ("citations.edges", "influence.scores", "influence.people"):
        assert lake.committed(table, date(2026, 1, 1)) is not None
        assert lake.scan(table, on=date(2026, 1, 1)).collect().height == 0
    present = lake.committed("traces.works", date(2026, 1, 1))
    assert present is not None
    assert not present.complete
    status = json.loads(coevo("status", "--source", "live", "--json", cwd=tmp_path).stdout)
    whole = {row["table"] for row in status["tables"] if row["incomplete"] != ["2026-01-01"]}
    # Without a file where it is looked for by default nobody has claimed anything; contracts are asked of nobody.
    # Where there are no hubs, nobody is asked for any, or about their places.
    nobody = {f"scrapes.{name}" for name in ("hubs", "gbif", "nasa_power")}
    assert whole == {"scrapes.register", "corpora.contracts", *nobody}


def test_an_incomplete_day_is_filled_by_the_next_run(sample: Settings, tmp_path: Path) -> None:
    """OpenAlex is down for the first run; the second asks only for what is missing, as a second capture."""
    root = tmp_path / "lake"
    day = DAYS[1]
    lake = Lake(root)
    settings = load_settings(lake=root)
    from coevo_pipelines.orchestration.resources import open_lake
    from coevo_pipelines.scrapes.capture import append
    from coevo_pipelines.scrapes.collect import Capture

    open_lake(settings)
    append(lake, "scrapes.openalex", day, Capture((), "https://api.openalex.org: it was down"))
    run_in_order(root, [DAYS[0], day])
    assert derived_digests(root) == of([DAYS[0], day], derived_digests(sample.lake_root))
    assert verify(root).findings == ()
    present = lake.committed("scrapes.openalex", day)
    assert present is not None
    assert present.complete


def test_sample_and_live_never_share_a_lake(sample: Settings) -> None:
    run = coevo("run", "--date", "2026-01-01", "--source", "live", "--lake", str(sample.lake_root))
    assert run.returncode == 1
    assert "was made with world = sample and the settings say live: choose another folder with --lake" in run.stderr


def test_the_opening_of_a_lake_is_fixed(sample: Settings) -> None:
    """A moved opening would hold the same history twice, or claim a history that was never asked for."""
    run = coevo("run", "--date", "2019-03-24", "--lake", str(sample.lake_root), COEVO_START_DATE="2019-03-24")
    assert run.returncode == 1
    assert "was made with start_date = 2019-03-25 and the settings say 2019-03-24" in run.stderr
