"""The loop that every partitioned asset runs: day by day, write, check, report.

A range is one run (`BackfillPolicy.single_run`): its days are computed in order and committed one by one, so
that a day that was committed stays committed when a later one fails. Days outside the range whose inputs
have changed since they were computed (an earlier day was backfilled, say) are computed again in the same run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from filelock import FileLock

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake, Snapshot, StaleInputs, Written
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.describing import columns
from coevo_pipelines.orchestration.partitions import days

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 20
SCHEMA_CHECK = "schema"


@dataclass(frozen=True)
class Result:
    """A day's frame of one table, and the numbers that a person would look for. What was asked of the world for it,
    not of the lake, says itself when it was seen last and whether all of it came."""

    frame: pl.DataFrame
    metadata: Mapping[str, Any]
    complete: bool = True
    observed_until: datetime | None = None
    note: str = ""


Compute = Callable[[date, Snapshot], Mapping[str, Result]]


def asset_key(table: str) -> dg.AssetKey:
    """`citations.edges` -> `citations/edges`."""
    return dg.AssetKey(table.split("."))


def spec(table: str, deps: Sequence[str | dg.AssetKey], kinds: set[str]) -> dg.AssetSpec:
    """The asset of one table: described, grouped and typed from the schema registry."""
    schema = schemas.table(table)
    return dg.AssetSpec(
        asset_key(table),
        deps=[asset_key(dep) if isinstance(dep, str) else dep for dep in deps],
        group_name=schema.stage,
        description=schema.description,
        kinds=kinds,
        metadata={
            **columns(schema, [dep for dep in deps if isinstance(dep, str)]),
            "dagster/table_name": schema.name,
            "key": ", ".join(schema.key),
        },
    )


def schema_check_spec(table: str) -> dg.AssetCheckSpec:
    """The blocking check that what lies on disk fits the registry."""
    return dg.AssetCheckSpec(
        name=SCHEMA_CHECK,
        asset=asset_key(table),
        blocking=True,
        description="Each file that was written is read back and held against the schema: columns and types, one row a "
        "key, no empty value where none may be, only allowed values. Red: nothing downstream is made from it.",
    )


def materialize_days(
    context: dg.AssetExecutionContext,
    lake: Lake,
    tables: Sequence[str],
    compute: Compute,
    checks: Callable[[Mapping[date, Mapping[str, Result]]], Sequence[dg.AssetCheckResult]] = lambda _: (),
) -> Iterator[dg.MaterializeResult[Any]]:
    """Compute and commit `tables` for each day of the run and each stale day; then yield one result a table."""
    asked = days(context.partition_keys)
    results: dict[date, Mapping[str, Result]] = {}
    # One writer a stage at a time: a day read while another process renews an earlier one is out of date at once.
    with FileLock(lake.root / f".{schemas.table(tables[0]).stage}.lock"):
        pending = set(asked)
        while pending := pending | set(stale_days(lake, tables)):
            day = min(pending)  # a day can only put later ones out of date
            results[day], written = compute_and_commit(lake, tables, day, compute)
            pending.discard(day)
            rows = ", ".join(f"{schemas.table(t).short_name} {results[day][t].frame.height:,}" for t in tables)
            log.info("%s %s: %s", schemas.table(tables[0]).stage, day, rows, extra={"parts": [(tables[0], day)]})
            for table in tables:
                metadata = partition_metadata(lake, written[table], results[day][table].metadata)
                if day in asked:
                    context.add_asset_metadata(metadata, asset_key(table), day.isoformat())
                else:
                    context.log_event(
                        dg.AssetMaterialization(asset_key(table), partition=day.isoformat(), metadata=metadata)
                    )
        # Still alone: another process that renews an earlier day would change what these days are held against.
        extra = list(checks(results))
    for table in tables:
        yield dg.MaterializeResult(
            asset_key=asset_key(table),
            check_results=[
                schema_check(lake, table, list(results)),
                *(check for check in extra if check.asset_key == asset_key(table)),
            ],
        )


def compute_and_commit(
    lake: Lake, tables: Sequence[str], day: date, compute: Compute
) -> tuple[Mapping[str, Result], Mapping[str, Written]]:
    """One day. When another process commits one of the inputs meanwhile, the day is computed again from it.

    Raises StaleInputs when that happens `MOST_ATTEMPTS` times in a row.
    """
    for attempt in range(1, MOST_ATTEMPTS + 1):
        snapshot = lake.snapshot()
        results = compute(day, snapshot)
        try:
            return results, {
                table: lake.write(
                    table,
                    day,
                    results[table].frame,
                    inputs=snapshot.inputs,
                    observed_until=_latest(snapshot.observed_until(), results[table].observed_until),
                    complete=snapshot.complete() and results[table].complete,
                    note=results[table].note,
                )
                for table in tables
            }
        except StaleInputs as stale:
            if attempt == MOST_ATTEMPTS:
                raise
            log.info("%s; computing it again", stale)
    raise AssertionError("unreachable")


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def stale_days(lake: Lake, tables: Sequence[str]) -> list[date]:
    """Committed days of `tables` whose inputs, or whose table's schema, have changed since they were computed."""
    index = lake.snapshot().index
    return sorted(
        {
            commit.day
            for table in tables
            for commit in index.partitions(table)
            if not lake.is_current(commit) or commit.schema != schemas.table(table).fingerprint
        }
    )


def partition_metadata(lake: Lake, written: Written, own: Mapping[str, Any]) -> dict[str, Any]:
    """What each materialization event carries."""
    commit = written.commit
    return {
        "dagster/row_count": commit.rows,
        "dagster/uri": (lake.root / commit.file).as_uri(),
        "sha256": commit.sha256,
        "bytes": commit.bytes,
        "vintage": commit.vintage,
        "world": lake.world,
        "complete": commit.complete,
        "changed": written.changed,
        **own,
    }


def schema_check(lake: Lake, table: str, checked: Sequence[date]) -> dg.AssetCheckResult:
    """Read the committed files back and hold them against the registry."""
    import polars as pl

    schema = schemas.table(table)
    problems, rows = [], 0
    for day in checked:
        frame = pl.read_parquet(lake.path(table, day), hive_partitioning=False)
        if dict(frame.schema) != schema.polars_schema():
            problems.append(f"{day}: {_other_columns(schema.polars_schema(), dict(frame.schema))}")
            continue
        rows += frame.height
        problems.extend(f"{day}: {problem}" for problem in schemas.violations(schema, frame))
    return verdict(
        asset_key(table),
        SCHEMA_CHECK,
        problems,
        well=f"{count(rows, 'row')} in {count(len(checked), 'day')} are as the schema says.",
        way_out="The file is not what was committed: `coevo verify` names every damaged one; make the day again.",
        numbers={"days": len(checked), "rows": rows},
    )


def _other_columns(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """How the columns of a file differ from the schema, in words."""
    missing = [name for name in wanted if name not in found]
    strange = [name for name in found if name not in wanted]
    other = [
        f"{name} is {found[name]}, not {wanted[name]}"
        for name in wanted
        if found.get(name, wanted[name]) != wanted[name]
    ]
    return "; ".join(
        [
            *([f"without column {', '.join(missing)}"] if missing else []),
            *([f"with unknown column {', '.join(strange)}"] if strange else []),
            *other,
        ]
    )
