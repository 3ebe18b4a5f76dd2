"""What Dagster sees: loaded as its server does, with every asset, check, job and schedule."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from coevo_pipelines.definitions import build_definitions
from coevo_pipelines.lake import lineage, schemas
from coevo_pipelines.lake.schemas import STAGES, tables
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.jobs import DAILY_SNAPSHOT
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.run import instance
from coevo_pipelines.settings import Settings, SettingsError, load_settings
from coevo_pipelines_tests.runs import CORPORA, DAYS, MADE, OFF, ROOT, environment


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(load_settings())


def test_there_is_an_asset_for_every_table_and_the_catalog(definitions: dg.Definitions) -> None:
    keys = {key.to_user_string().replace("/", ".") for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {*MADE, "lake.catalog", "report.snapshot", "reviews.decisions"}


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


def test_every_asset_says_whose_it_is_and_what_it_holds(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node, name = graph.get(key), key.to_user_string()
        assert node.group_name in {*STAGES, "lake", "report"}, name
        assert len(node.description or "") > 20, name
        assert node.owners == ["team:coevo"], name
        assert node.kinds, name
        assert {"coevo/holds", "coevo/time", "coevo/world"} <= set(node.tags), name
        assert node.tags["coevo/world"] == "sample"
        page = str(node.metadata["docs"].value).partition("/docs/")[2]
        assert (ROOT / "docs" / page).is_file(), f"{name}: docs/{page}"
        (code,) = node.metadata["dagster/code_references"].code_references
        assert Path(code.file_path).is_file(), name
    chained = {key.path[0] for key in graph.get_all_asset_keys() if graph.get(key).tags["coevo/time"] == "chained"}
    assert chained == {"rewards", "swarm"}


def test_owners_are_a_setting() -> None:
    owners = ("team:maps", "ada@example.org")
    graph = build_definitions(load_settings(owners=owners)).resolve_asset_graph()
    assert {tuple(graph.get(key).owners) for key in graph.get_all_asset_keys()} == {owners}
    for wrong in ("coevo", "team:", "team: x", "a@b", "@example.org"):
        with pytest.raises(SettingsError, match="is no owner: write team:<name> or an e-mail address"):
            load_settings(owners=(wrong,))


def test_columns_say_what_may_be_in_them(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for schema in tables(CORPORA):
        if schema.name in OFF:
            continue
        shown = graph.get(dg.AssetKey(schema.name.split("."))).metadata["dagster/column_schema"]
        assert shown.constraints.other == [f"key: {', '.join(schema.key)}"]
        for column, seen in zip(schema.columns, shown.columns, strict=True):
            assert (seen.description or "").startswith(column.description)
            assert seen.constraints.nullable == column.nullable
            assert seen.constraints.unique == (schema.key == (column.name,))
            if column.enum:
                assert seen.constraints.other == [f"one of: {', '.join(column.enum)}"]
                assert f"({', '.join(column.enum)})" in str(seen.description)
            elif (column.minimum, column.maximum) != (None, None):
                (limits,) = seen.constraints.other
                assert all(f"{end:g}" in limits for end in (column.minimum, column.maximum) if end is not None)
            else:
                assert list(seen.constraints.other) == []


NOT_OF_TABLES = {
    "corpora.contracts", "swarm.decisions", "swarm.lifeforce_ledger", "swarm.metrics", "swarm.escalations",
    "swarm.checkpoints",
}  # fmt: skip
"""Read from files of the lake, or made by the simulation: no column of another table is behind theirs."""


def test_the_lineage_of_columns_names_columns_of_the_parents(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for table in sorted(MADE):
        node = graph.get(dg.AssetKey(table.split(".")))
        found = node.metadata.get("dagster/column_lineage")
        if table in NOT_OF_TABLES or table.startswith("scrapes."):
            assert found is None, table
            continue
        assert found is not None, table
        own = {column.name for column in schemas.table(table).columns}
        for column, deps in found.deps_by_column.items():
            assert column in own, f"{table}.{column}"
            assert deps, f"{table}.{column}"
            for dep in deps:
                assert dep.asset_key in node.parent_keys, f"{table}.{column}: {dep}"
                of = schemas.table(".".join(dep.asset_key.path))
                assert dep.column_name in {each.name for each in of.columns}, f"{table}.{column}: {dep}"


def test_every_declared_source_leads_to_a_parent(definitions: dg.Definitions) -> None:
    """None is lost on the way, as one of a stage that is not read would be."""
    graph = definitions.resolve_asset_graph()
    for table in sorted({*lineage.LINEAGE, *CORPORA} - OFF):
        parents = {".".join(key.path) for key in graph.get(dg.AssetKey(table.split("."))).parent_keys}
        for column, sources in lineage.declared(table).items():
            for named in sources:
                of, _, source = named.rpartition(".")
                beside = of.split(".")[0] == table.split(".")[0] and source in lineage.declared(of)
                assert of in parents or of == "scrapes.*" or beside, f"{table}.{column}: {named}"


CARRIED = [
    ("citations.edges", "evidence"), ("citations.edges", "raw_sha256"), ("citations.edges", "relation"),
    ("citations.nodes", "title"), ("citations.nodes", "node_id"), ("influence.scores", "node_id"),
    ("influence.people", "name"), ("rewards.allocations", "name"),
    ("genome.files", "repo"), ("genome.changes", "path"), ("corpora.documents", "leaf"),
    ("corpora.documents", "raw_sha256"), ("corpora.documents", "source_sha256"), ("corpora.documents", "influence"),
    ("corpora.releases", "genome_root"), ("corpora.releases", "contract_hash"), ("swarm.organisms", "community"),
    ("traces.works", "raw_sha256"), ("traces.works", "observed_at"),
]  # fmt: skip
"""Columns whose values stand as they are in what they are declared to be made of."""


@pytest.mark.parametrize(("table", "column"), CARRIED)
def test_what_is_carried_over_is_there_in_the_sample(
    table: str, column: str, sample: Settings, definitions: dg.Definitions
) -> None:
    import polars as pl

    held = Lake(sample.lake_root).snapshot()
    parents = definitions.resolve_asset_graph().get(dg.AssetKey(table.split("."))).parent_keys
    known: set[object] = {0.0}  # a document of a work that nobody knows has influence 0
    for source in lineage.sources(table, [".".join(key.path) for key in parents])[column]:
        of, _, name = source.rpartition(".")
        values = held.scan(of, upto=DAYS[-1]).select(name).collect()[name]
        known |= set((values.explode() if isinstance(values.dtype, pl.List) else values).to_list())
    found = set(held.scan(table, upto=DAYS[-1]).select(column).collect()[column].drop_nulls().to_list())
    assert found
    assert found <= known


def test_every_check_says_what_it_looks_for_and_what_red_means(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        told = graph.get(key).description or ""
        assert len(told) > 80, key
        assert "Red: " in told or "the run goes on" in told, key


def test_job_schedule_and_sensor_say_what_they_do(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    job = repository.get_job(DAILY_SNAPSHOT)
    assert "A range of days is one run" in (job.description or "")
    assert job.tags["coevo/world"] == "sample"
    told = {each.name: each.description or "" for each in repository.schedule_defs}
    told |= {each.name: each.description or "" for each in repository.sensor_defs}
    assert sorted(told) == ["daily_snapshot_schedule", "reviews_decided"]
    assert all(len(text) > 60 and "Off until it is turned on" in text for text in told.values())


def test_the_stages_follow_each_other(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    def parents(key: str) -> set[str]:
        return {parent.to_user_string() for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}

    assert parents("scrapes/register") == set()
    assert parents("scrapes/arxiv") == {"scrapes/register"}, "who has opted out is known first"
    of_places = {"scrapes/gbif", "scrapes/nasa_power"}
    for name in of_places:
        assert parents(name) == {"scrapes/register", "scrapes/hubs"}, "where hubs are is known first"
    sources = ("arxiv", "github", "hubs", "huggingface", "openalex", "register")
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
    of_consent = {"traces/people", "traces/optouts", "traces/claims"}
    assert parents("hubs/registry") == parents("hubs/matches") == {"scrapes/hubs", *of_places, *of_consent}
    of_hubs = {"hubs/registry", "hubs/strategies", "hubs/outcomes"}
    of_world = {"traces/works", "traces/people", "traces/claims", "traces/contributions", "rewards/allocations"}
    of_lattice = {"influence/scores", "influence/lattice", *graph_of_a_day}
    assert parents("swarm/cells") == parents("swarm/review_queue") == {
        "reviews/decisions", *of_world, *of_lattice, *of_hubs,
    }  # fmt: skip
    tables_made = {name.replace(".", "/") for name in MADE}
    assert parents("lake/catalog") == tables_made
    assert parents("report/snapshot") == {"lake/catalog"}


def test_what_stands_before_money_blocks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    guards = {
        "sums_to_one": "influence/scores", "adds_up": "rewards/rounds", "root": "genome/manifest",
        "consent": "corpora/releases", "sums_to_zero": "swarm/lifeforce_ledger",
        "nobody_pretends": "swarm/decision_markers", "conserved": "hubs/matches", "rows_as_committed": "lake/catalog",
    }  # fmt: skip
    for name, asset in guards.items():
        check = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name)
        assert check in graph.asset_check_keys
        assert graph.get(check).blocking


def test_the_schedule_makes_yesterdays_partition() -> None:
    repository = build_definitions(load_settings(source="live")).get_repository_def()
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


def test_the_sample_ends_and_a_live_lake_does_not() -> None:
    assert daily(load_settings()).get_last_partition_key() == "2019-03-31"
    assert daily(load_settings(source="live")).end is None
    assert daily(load_settings(start_date=date(2019, 5, 1))).end is None, "days of one's own have no end"


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
