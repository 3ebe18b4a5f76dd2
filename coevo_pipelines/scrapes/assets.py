"""Assets `scrapes/<source>`: the raw exchanges of a day, appended as a capture."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from coevo_pipelines.lake.store import Lake, Written
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import (
    asset_key,
    partition_metadata,
    schema_check,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily, days
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.scrapes.capture import HUBS, REGISTER, scrape_day, withheld
from coevo_pipelines.scrapes.sources import services, source
from coevo_pipelines.settings import Settings

MOST_TOLD = 200


def scrape_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset a source, so that one that is down does not stop the others."""
    return [_scrape_asset(name, settings) for name, _ in services() if settings.sources[name].enabled]


def _scrape_asset(name: str, settings: Settings) -> dg.AssetsDefinition:
    table = f"scrapes.{name}"
    first = [each for each in _first(name) if settings.sources[each].enabled]

    @dg.multi_asset(
        name=f"scrapes__{name}",
        specs=[spec(table, [f"scrapes.{each}" for each in first], {"http", "parquet"})],
        check_specs=[schema_check_spec(table), _complete_check_spec(table, name)],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"source_{name}",
    )
    def scrape(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        asked = days(context.partition_keys)
        notes = {}
        for day in asked:
            written = scrape_day(name, day, lake, settings)
            notes[day] = written.commit.note
            metadata = partition_metadata(lake, written, _numbers(lake, name, written))
            context.add_asset_metadata(metadata, asset_key(table), day.isoformat())
        missing = {day.isoformat(): note for day, note in notes.items() if note}
        yield dg.MaterializeResult(
            asset_key=asset_key(table),
            check_results=[schema_check(lake, table, asked), _complete_check(table, missing, len(asked))],
        )

    return scrape


def _first(name: str) -> tuple[str, ...]:
    """What is asked before: the register, for who has opted out by then is not collected; hubs, for where they are."""
    if name == REGISTER:
        return ()
    return (REGISTER, HUBS) if source(name).SERVICE.of_places else (REGISTER,)


def _numbers(lake: Lake, name: str, written: Written) -> dict[str, Any]:
    """What a person would look for: how much came, how small it is kept, what is missing or left out."""
    commit = written.commit
    received = lake.scan(commit.table, on=commit.day).select("body_bytes").sum().collect().item() or 0
    found: dict[str, Any] = {"received_bytes": received}
    if received:
        found["stored_per_received"] = round(commit.bytes / received, 3)
    if commit.note:
        found["note"] = commit.note
    if left_out := withheld(lake, name, commit.day):
        found |= {"withheld": len(left_out), "withheld_since": dict(sorted(left_out.items())[:MOST_TOLD])}
    return found


def _complete_check_spec(table: str, name: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="complete",
        asset=asset_key(table),
        description=f"{source(name).SERVICE.title} answered all that was asked for the day. Red: something is "
        "missing. The day is marked incomplete, nothing of it is paid, and the next run of the day asks for the rest.",
    )


def _complete_check(table: str, missing: dict[str, str], asked: int) -> dg.AssetCheckResult:
    return verdict(
        asset_key(table),
        "complete",
        [f"{day}: {note}" for day, note in missing.items()],
        well=f"All that was asked for {count(asked, 'day')} came.",
        way_out="Materialize the day again to ask for what is missing; tokens and budgets: `coevo settings`.",
        blocks=False,
        numbers={"days": asked},
    )
