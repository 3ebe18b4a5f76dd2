"""What Dagster sees: loaded as its server does, with every asset, check, job and schedule."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from coevo_pipelines.definitions import build_definitions
from coevo_pipelines.lake.schemas import tables
from coevo_pipelines.orchestration.jobs import DAILY_SNAPSHOT
from coevo_pipelines.orchestration.run import instance
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.runs import CORPORA, DAYS, MADE, OFF, ROOT, environment


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(load_settings())


def test_there_is_an_asset_for_every_table_and_the_catalog(definitions: dg.Definitions) -> None:
    keys = {key.to_user_string().replace("/", ".") for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {*MADE, "lake.catalog", "report.genome", "report.swarm", "reviews.decisions"}


def test_a_source_that_is_turned_on_is_an_asset_that_traces_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OFF:
        monkeypatch.setenv(f"COEVO_SOURCES__{name.removeprefix('scrapes.').upper()}__ENABLED", "true")
    graph = build_definitions(load_settings()).resolve_asset_graph()
    read = {parent.to_user_string() for parent in graph.get(dg.AssetKey(["traces", "works"])).parent_keys}
    assert {name.replace(".", "/") for name in OFF} <= read


def test_every_asset_is_grouped_by_stage_described_typed_and_checked(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checked = {check.asset_key: check for check in graph.asset_check_keys if check.name == "schema"}
    for schema in tables(CORPORA):
        name = schema.name
        if name in OFF:
            continue
        node = graph.get(dg.AssetKey(name.split(".")))
        assert node.group_name == schema.stage
        assert node.description == schema.description
        columns = node.metadata["dagster/column_schema"].columns
        assert [column.name for column in columns] == [column.name for column in schema.columns]
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
        assert node.backfill_policy == dg.BackfillPolicy.single_run()
        assert graph.get(checked[node.key]).blocking


def test_the_stages_follow_each_other(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    def parents(key: str) -> set[str]:
        return {parent.to_user_string() for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}

    assert parents("scrapes/register") == set()
    assert parents("scrapes/arxiv") == {"scrapes/register"}, "who has opted out is known first"
    sources = ("arxiv", "github", "huggingface", "openalex", "register")
    assert parents("traces/works") == parents("traces/claims") == {f"scrapes/{name}" for name in sources}
    assert parents("citations/edges") == {f"traces/{name}" for name in ("works", "references", "people", "identities")}
    graph_of_a_day = {f"citations/{name}" for name in ("nodes", "aliases", "edges")}
    assert parents("influence/scores") == {"traces/works", "traces/people", "traces/claims", *graph_of_a_day}
    told = {f"traces/{name}" for name in ("works", "people", "claims", "optouts", "contributions")}
    assert parents("rewards/receipts") == {"influence/scores", *told, *graph_of_a_day}
    assert parents("genome/ecosystem") == {"traces/works", "influence/scores"}
    assert parents("genome/files") == parents("genome/manifest") == {"genome/ecosystem"}
    assert parents("genome/changes") == {"genome/files"}
    assert parents("corpora/contracts") == set()
    of_works = {f"traces/{name}" for name in ("texts", "works", "people", "claims", "optouts")}
    of_graph = {"citations/nodes", "citations/aliases", "influence/scores", "influence/lattice"}
    of_genome = {f"genome/{name}" for name in ("files", "repositories", "ecosystem", "manifest")}
    assert parents("corpora/sample") == {"corpora/contracts", *of_works, *of_graph, *of_genome}
    assert parents("corpora/chrysalides") == {"corpora/releases"}
    of_world = {"traces/works", "traces/people", "traces/claims", "traces/contributions", "rewards/allocations"}
    of_lattice = {"influence/scores", "influence/lattice", *graph_of_a_day}
    assert parents("swarm/cells") == parents("swarm/review_queue") == {"reviews/decisions", *of_world, *of_lattice}
    assert "swarm/metrics" in parents("report/swarm")
    assert parents("report/genome") == {"genome/manifest", "genome/repositories", "genome/changes"}


def test_what_stands_before_money_blocks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    guards = {
        "sums_to_one": "influence/scores", "adds_up": "rewards/rounds", "root": "genome/manifest",
        "consent": "corpora/releases", "sums_to_zero": "swarm/lifeforce_ledger",
        "nobody_pretends": "swarm/decision_markers",
    }  # fmt: skip
    for name, asset in guards.items():
        check = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name)
        assert check in graph.asset_check_keys
        assert graph.get(check).blocking


def test_the_schedule_makes_yesterdays_partition(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    (schedule,) = repository.schedule_defs
    with dg.instance_for_test() as empty:
        moment = dg.build_schedule_context(
            instance=empty,
            scheduled_execution_time=datetime(2026, 11, 21, 2, tzinfo=UTC),
            repository_def=repository,
        )
        data = schedule.evaluate_tick(moment)
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.job_name == DAILY_SNAPSHOT
    assert data.run_requests is not None
    assert [request.partition_key for request in data.run_requests] == ["2026-11-20"]


def test_each_partition_carries_its_own_numbers(sample: Settings) -> None:
    """A range is one run, yet each day's event has that day's row count, hash and vintage."""
    key = dg.AssetKey(["traces", "works"])
    with instance(sample) as opened:
        found = {}
        for day in DAYS:
            record = opened.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day.isoformat()]), limit=1
            ).records[0]
            assert record.asset_materialization is not None
            metadata = record.asset_materialization.metadata
            found[day.isoformat()] = metadata["dagster/row_count"].value
            assert len(str(metadata["sha256"].value)) == 64
            assert metadata["vintage"].value == "observed"
            assert str(metadata["dagster/uri"].value).startswith("file://")
    import polars as pl

    from coevo_pipelines.lake.store import Lake

    rows = Lake(sample.lake_root).scan("traces.works", upto=DAYS[-1]).group_by("date").agg(pl.len()).collect()
    assert found == {day.isoformat(): count for day, count in rows.rows()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("dagster", "definitions", "validate", "-w", "workspace.yaml"),
        ("dg", "check", "defs"),
        ("dg", "list", "defs"),
    ],
    ids=" ".join,
)
def test_dagsters_own_commands_load_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    program = Path(sys.executable).parent / arguments[0]
    found = subprocess.run(
        [program, *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment(DAGSTER_HOME=str(tmp_path), DAGSTER_DG_CLI_CONFIG=str(tmp_path / "none.toml")), timeout=120,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
