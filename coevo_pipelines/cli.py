"""The `coevo` command. Heavy imports live inside the commands: `coevo --help` must answer at once.

Exit codes: 0 all is well; 1 it ran and something is wrong (incomplete source, failed step, a difference
found by verify); 2 it was asked wrongly (unknown option, date, setting); 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.bench.commands import bench
from coevo_pipelines.corpora.commands import corpora
from coevo_pipelines.corpora.consent.commands import contract
from coevo_pipelines.corpora.training.commands import chrysalis
from coevo_pipelines.genome.commands import genome
from coevo_pipelines.hubs.commands import hubs
from coevo_pipelines.influence.commands import influence
from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    day_of,
    existing_lake,
    not_a_file,
    settings_of,
)
from coevo_pipelines.report.commands import report
from coevo_pipelines.report.linkbacks.commands import export
from coevo_pipelines.rewards.commands import rewards
from coevo_pipelines.swarm.commands import swarm
from coevo_pipelines.swarm.decisions.commands import review

if TYPE_CHECKING:
    from pathlib import Path

    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Settings

app = typer.Typer(
    name="coevo",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # importing rich for the help page would take longer than all the rest of it
    pretty_exceptions_enable=False,
    help="""Daily, checkable snapshots of open research, from raw bytes to DuckDB.

    A day is scraped (scrapes), normalized (traces) and linked into one citation and lineage graph
    (citations), whose works and people get their scores (influence), by which pools are divided (rewards).
    The ecosystem's repositories become one text with a proof for every byte (genome); from it each model
    that agrees gets its corpus (corpora). Healing hubs publish what worked and what they need (hubs). A
    simulated swarm lives on it all (swarm). Every table is one Parquet file a day in the lake, and all of
    it one DuckDB file.

    \b
    Try, offline, on the bundled sample:
      coevo run --date 2019-03-25 --to 2019-03-27
      coevo status
      coevo query "FROM citations.edges LIMIT 5"
      coevo influence explain arxiv:1306.2257
      coevo verify

    \b
    With a list of links of your own:
      coevo influence score links.csv --out scores.parquet
      coevo rewards allocate scores.csv --pool 1000000 --cap 5% --out receipts.csv

    \b
    With a healing hub of your own:
      coevo hubs init my-garden --kind food --latitude 52.13 --longitude 11.63

    \b
    With repositories of your own:
      coevo genome pack . ../other --out genome.txt
      coevo genome verify genome.txt

    \b
    Exit codes: 0 all is well; 1 it ran and something is wrong (a source is incomplete, a step failed, a
    difference was found); 2 it was asked wrongly; 130 interrupted; 141 the reader of a pipe went away.
    Progress goes to standard error, and only where that is a terminal; --json gives standard output to scripts.
    Completion of commands and options in your shell: coevo --install-completion
    """,
)
app.add_typer(influence)
app.add_typer(rewards)
app.add_typer(genome)
app.add_typer(contract)
app.add_typer(corpora)
app.add_typer(chrysalis)
app.add_typer(hubs)
app.add_typer(swarm)
app.add_typer(review)
app.add_typer(report)
app.add_typer(export)
app.add_typer(bench)


ASKED_WRONGLY = {
    "UsageError", "SettingsError", "SchemaError", "EdgeListError", "UnknownWork", "UnknownPerson", "NothingThere",
    "ExportError", "GenomeError", "ManifestError", "SwarmError", "UnknownMarker", "UnknownRun",
}  # fmt: skip
"""Errors by name: their modules are not imported for this."""


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


def main() -> None:
    """Entry point: errors become one line with the way out; `--debug` shows the trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Titles and names are Unicode: a narrow locale must not make a good run fail while it reports.
            stream.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # as a program that SIGPIPE ended: `coevo query … | head` is no error
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        kind = type(error).__name__
        said = " ".join(str(error).split()) or kind
        print(f"error: {said} (--debug shows the trace)", file=sys.stderr)
        sys.exit(2 if kind in ASKED_WRONGLY else 1)


@app.command()
def run(
    day: Annotated[str, typer.Option("--date", help="Day to make, YYYY-MM-DD (UTC).")],
    to: Annotated[str | None, typer.Option("--to", help="Last day of a range, included.")] = None,
    source: SourceOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a day's snapshot, or a range of days as one run, through Dagster in this process.

    What is complete already is not asked again; what is missing is. A run that is interrupted or killed
    leaves a clean lake, and the next one goes on from there. Exit code 1 when a source is incomplete.
    """
    from coevo_pipelines.terminal import json_out, progress, say, show_outcome
    from coevo_pipelines.windows import days_between

    settings = settings_of(lake, source)
    not_a_file(settings.lake_root)
    first = day_of(day, settings)
    last = day_of(to, settings) if to else first
    if settings.closing and last > settings.closing:
        raise UsageError(
            f"{last} is after the sample's last day {settings.closing}; --source live has days up to yesterday"
        )
    try:
        days = days_between(first, last)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with progress(f"{len(days)} day{'s' if len(days) > 1 else ''}, {settings.source}", quiet=as_json) as expect:
        from coevo_pipelines.orchestration.resources import open_lake
        from coevo_pipelines.orchestration.run import run_days

        try:
            outcome = run_days(settings, first, last, expect)
        except KeyboardInterrupt:
            say("interrupted: what was committed stays, the next run goes on from there", error=True)
            raise typer.Exit(130) from None
        snapshot = open_lake(settings).snapshot()
    incomplete = [
        commit
        for table in snapshot.index.tables
        for commit in snapshot.index.partitions(table)
        # What was asked of the world says what is missing; what is computed from it has nothing of its own to say.
        if not commit.complete and commit.note and first <= commit.day <= last
    ]
    if as_json:
        json_out(
            {
                "success": outcome.success and not incomplete,
                "run_id": outcome.run_id,
                "seconds": outcome.seconds,
                "total_seconds": outcome.total_seconds,
                "failures": [f"{failure.step}: {failure.error}" for failure in outcome.failures],
                "warnings": list(outcome.warnings),
                "incomplete": {f"{c.table} date={c.date}": c.note for c in incomplete},
            }
        )
    else:
        show_outcome(settings, outcome, snapshot, first, last, incomplete)
    if not outcome.success or incomplete:
        raise typer.Exit(1)


@app.command()
def verify(
    lake: LakeOption = None, source: SourceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Recompute every sha256, the ledger's chain, the schemas and the inputs of every commit; replay the reward ledger;
    audit the genome's mirrors and recompute its packs; check releases and contracts; replay the swarm's lifeforce.

    Exit code 0 when everything agrees; 1 after naming what differs (table, date, file, expected, found).
    """
    from dataclasses import asdict

    from coevo_pipelines.lake.verify import verify as check
    from coevo_pipelines.rewards.ledger import RewardLedger
    from coevo_pipelines.terminal import bar, json_out, say

    settings = settings_of(lake, source)
    root = existing_lake(settings)
    with bar("verifying", quiet=as_json) as advance:
        report = check(root, lambda done, of, size: advance(done, of, f"{size / 1e6:,.0f} MB"))
    money = RewardLedger(root)
    in_money = money.findings()
    genome, packs, mirrors = _wrong_genome(root, settings)
    corpora, releases = _wrong_corpora(root, settings)
    swarm, entries = _wrong_swarm(root)
    findings = [*map(str, report.findings), *in_money, *genome, *corpora, *swarm]
    if as_json:
        json_out(asdict(report) | {"reward_ledger": in_money, "genome": genome, "corpora": corpora, "swarm": swarm})
    elif findings:
        for finding in findings[:20]:
            say(finding, style="red", error=True)
        if len(findings) > 20:
            say(f"and {len(findings) - 20} more", error=True)
    else:
        size = f"{report.bytes / 1e6:,.1f} MB"
        say(f"verified: {report.partitions:,} partitions, {report.commits:,} commits, {size}: all agree")
        say(f"          {len(money.entries()):,} entries of the reward ledger: all add up")
        say(f"          {packs:,} packs of the genome agree, {mirrors:,} mirrors pass the audit")
        say(f"          {releases:,} releases of corpora agree, their contracts hold")
        say(f"          {entries:,} entries of the swarm's lifeforce sum to zero, account by account")
    if findings:
        raise typer.Exit(1)


def _wrong_genome(root: Path, settings: Settings) -> tuple[list[str], int, int]:
    """What is wrong with packs and mirrors; how many of each there are."""
    from coevo_pipelines.genome.mirrors import FOLDER
    from coevo_pipelines.genome.verify import wrong_mirrors, wrong_packs
    from coevo_pipelines.lake.store import Lake

    snapshot = Lake(root).snapshot()
    made = _whole_rows(snapshot, "genome.manifest")
    asked = _whole_rows(snapshot, "genome.ecosystem") if made else []
    found = [*wrong_packs(root, made), *wrong_mirrors(root / FOLDER, asked, settings.genome.timeout_s)]
    return found, len({row["pack"] for row in made}), len({row["mirror"] for row in asked} - {None})


def _wrong_corpora(root: Path, settings: Settings) -> tuple[list[str], int]:
    """What is wrong with releases, their contracts and what was trained on them; how many releases there are."""
    from coevo_pipelines.corpora.releases.verify import untold_releases, wrong_releases
    from coevo_pipelines.corpora.training.chrysalis import wrong_runs
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.orchestration.resources import trusted_keys

    snapshot = Lake(root).snapshot()
    if not snapshot.index.partitions("corpora.releases"):
        return [], 0
    rows = _whole_rows(snapshot, "corpora.releases")
    keys = trusted_keys(settings, root)
    wrong = wrong_releases(root, rows, keys, settings.corpora.model_files)
    found = [*wrong, *untold_releases(root, rows), *wrong_runs(root)]
    return found, sum(row["status"] == "released" for row in rows)


def _wrong_swarm(root: Path) -> tuple[list[str], int]:
    """What is wrong with the swarm's lifeforce; how many entries there are. Replayed where all files can be read; the
    ledger's check names those that cannot."""
    import polars as pl

    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.swarm.checks import wrong_accounts

    snapshot = Lake(root).snapshot()
    days = [commit.day for commit in snapshot.index.partitions("swarm.metrics")]
    if not days:
        return [], 0
    with contextlib.suppress(OSError, pl.exceptions.PolarsError):
        entries = snapshot.scan("swarm.lifeforce_ledger", upto=max(days))
        last = [snapshot.scan(f"swarm.{name}", on=max(days)).collect() for name in ("organisms", "versions", "metrics")]
        wrong = wrong_accounts(entries, last[0], last[1], last[2])
        count = entries.select(pl.len()).collect().item()
        return [f"swarm.lifeforce_ledger date={max(days)}: {each}" for each in wrong], count
    return [], 0


def _whole_rows(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    """Of every day whose file can be read; the ledger's check names the others."""
    import polars as pl

    rows: list[dict[str, Any]] = []
    for commit in snapshot.index.partitions(table):
        with contextlib.suppress(OSError, pl.exceptions.PolarsError):
            rows += snapshot.scan(table, on=commit.day).collect().to_dicts()
    return rows


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='SQL for DuckDB, such as "FROM traces.works LIMIT 5".')],
    output: Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")] = Format.table,
    lake: LakeOption = None,
    source: SourceOption = None,
    debug: DebugOption = False,
) -> None:
    """Ask the catalog, read-only. Tables: traces.works, citations.edges, lake.commits, …

    The catalog is one file: `duckdb data_lake/coevo.duckdb` opens it from anywhere too.
    """
    from coevo_pipelines.lake.catalog import CATALOG, open_catalog
    from coevo_pipelines.terminal import show_rows

    settings = settings_of(lake, source)
    import duckdb

    if not sql.strip():
        raise UsageError('the question is empty; try "FROM traces.works LIMIT 5"')
    not_a_file(settings.lake_root)
    try:
        with open_catalog(settings.lake_root / CATALOG) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            cursor = connection.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            twice = {name for name in columns if columns.count(name) > 1}
            if twice and output is Format.json:
                raise UsageError(f"two columns are named {min(twice)!r}: give one another name with AS")
            show_rows(columns, cursor.fetchall(), output.value)
    except FileNotFoundError as error:
        raise UsageError(str(error)) from None
    except duckdb.Error as error:
        raise UsageError(str(error).partition("\n\nLINE")[0].strip()) from error


@app.command()
def status(
    lake: LakeOption = None, source: SourceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """What is in the lake: tables, partitions, rows, vintage, completeness, what is out of date."""
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.terminal import json_out, show_status

    store = Lake(existing_lake(settings_of(lake, source)))
    index = store.snapshot().index
    rows: list[dict[str, Any]] = []
    for table in index.tables:
        commits = index.partitions(table)
        rows.append(
            {
                "table": table,
                "partitions": len(commits),
                "first": commits[0].date,
                "last": commits[-1].date,
                "rows": sum(commit.rows for commit in commits),
                "bytes": sum(commit.bytes for commit in commits),
                "observed": sum(commit.vintage == "observed" for commit in commits),
                "incomplete": [commit.date for commit in commits if not commit.complete],
                "stale": [commit.date for commit in commits if not store.is_current(commit)],
            }
        )
    if as_json:
        json_out({"lake": str(store.root), "world": store.world, "tables": rows})
    else:
        show_status(store.root, store.world, rows)


@app.command()
def catalog(
    lake: LakeOption = None, source: SourceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Build coevo.duckdb again from the Parquet files and swap it in; readers are not disturbed."""
    from coevo_pipelines.lake.catalog import build
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.terminal import bar, json_out, say

    store = Lake(existing_lake(settings_of(lake, source)))
    with bar("building", quiet=as_json) as advance:
        path = build(store, advance)
    if as_json:
        json_out({"catalog": str(path), "bytes": path.stat().st_size})
    else:
        say(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command()
def settings(
    lake: LakeOption = None, source: SourceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show the settings in force, secrets hidden.

    They come from COEVO_* variables (nested with __, such as COEVO_SOURCES__ARXIV__PAGE_SIZE) and from the
    TOML file coevo.toml in the working directory, or the one that COEVO_CONFIG names.
    """
    from coevo_pipelines.settings import config_file
    from coevo_pipelines.terminal import json_out, show_settings

    values = settings_of(lake, source)
    shown = values.model_dump(mode="json") | {
        "lake": str(values.lake_root),
        "start_date": values.opening.isoformat(),
        "history_from": values.history.isoformat(),
        "dagster_home": str(values.dagster_home_path),
    }
    if as_json:
        json_out(shown)
    else:
        show_settings(shown, config_file())


if __name__ == "__main__":
    main()
