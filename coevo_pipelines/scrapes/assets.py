"""Assets `scrapes/<source>`: the raw exchanges of a day, appended as a capture."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import dagster as dg
from filelock import FileLock

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake, StaleInputs, Written
from coevo_pipelines.orchestration.days import (
    asset_key,
    log,
    partition_metadata,
    schema_check,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily, days
from coevo_pipelines.orchestration.resources import endpoint, open_lake
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.sources import services, source
from coevo_pipelines.settings import Settings


def scrape_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset a source, so that one that is down does not stop the others."""
    return [_scrape_asset(name, settings) for name, _ in services() if settings.sources[name].enabled]


def _scrape_asset(name: str, settings: Settings) -> dg.AssetsDefinition:
    table = f"scrapes.{name}"

    @dg.multi_asset(
        name=f"scrapes__{name}",
        specs=[spec(table, (), {"http", "parquet"})],
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
            metadata = {"note": written.commit.note} if written.commit.note else {}
            context.add_asset_metadata(partition_metadata(lake, written, metadata), asset_key(table), day.isoformat())
        missing = {day.isoformat(): note for day, note in notes.items() if note}
        yield dg.MaterializeResult(
            asset_key=asset_key(table),
            check_results=[schema_check(lake, table, asked), _complete_check(table, missing)],
        )

    return scrape


def scrape_day(name: str, day: date, lake: Lake, settings: Settings) -> Written:
    """Scrape one source for one day and append the capture, unless a complete one is there already.

    Two processes asked for the same source and day take turns. The journal of a scrape that was killed, or
    whose source died on the way, answers for what it already holds.
    """
    table = f"scrapes.{name}"
    journal_path = lake.root / ".journal" / name / f"{day}.jsonl"
    journal_path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{journal_path}.lock"):
        present = lake.committed(table, day)
        if present is not None and present.complete:
            log.info("scrapes %s: %s is complete already, nothing asked", day, name)
            journal_path.unlink(missing_ok=True)
            return Written(present, changed=False)
        journal = Journal(journal_path)
        with endpoint(name, day, settings) as where:
            capture = collect(name, settings.window(day), settings, where, journal)
        written = _append(lake, table, day, capture)
        if capture.resumable:
            journal.keep_good()
        else:
            journal.remove()
    if capture.complete:
        log.info("scrapes %s: %s %d exchanges", day, name, len(capture.exchanges))
    else:
        log.warning("scrapes %s: %s incomplete: %s", day, name, capture.reason)
    return written


def _append(lake: Lake, table: str, day: date, capture: Capture) -> Written:
    import polars as pl

    schema = schemas.table(table)
    while True:
        snapshot = lake.snapshot()
        present = snapshot.index.get(table, day.isoformat())
        before = snapshot.scan(table, on=day).drop("date").collect() if present else schema.empty()
        number = max(before["capture"].to_list(), default=0) + 1
        rows = [exchange.row(number, i) for i, exchange in enumerate(capture.exchanges, start=1)]
        frame = pl.concat([before, pl.DataFrame(rows, schema=schema.polars_schema(), orient="row")])
        seen: list[datetime] = [exchange.fetched_at for exchange in capture.exchanges]
        try:
            return lake.write(
                table,
                day,
                frame,
                observed_until=max(seen, default=None),
                complete=capture.complete,
                note=capture.reason,
                replaces=present,
            )
        except StaleInputs:
            continue


def _complete_check_spec(table: str, name: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="complete",
        asset=asset_key(table),
        description=f"{source(name).SERVICE.title} answered all that was asked; if not, the next run asks again.",
    )


def _complete_check(table: str, missing: dict[str, str]) -> dg.AssetCheckResult:
    first = next(iter(missing.items()), None)
    return dg.AssetCheckResult(
        asset_key=asset_key(table),
        check_name="complete",
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{first[0]}: {first[1]}" if first else "every day is complete",
        metadata={"incomplete_days": len(missing), "reasons": missing},
    )
