"""Assets `rewards/*`: what a day would pay and why, and the reward ledger that says what is paid."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.days import (
    Result,
    asset_key,
    materialize_days,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

TABLES = (
    "rewards.eligibility",
    "rewards.rounds",
    "rewards.allocations",
    "rewards.receipts",
    "rewards.escrow",
    "rewards.explanations",
    "rewards.alerts",
)
INPUTS = (
    "traces.works",
    "traces.people",
    "traces.claims",
    "traces.optouts",
    "traces.contributions",
    "citations.nodes",
    "citations.aliases",
    "citations.edges",
    "influence.scores",
)
ROUNDS = "rewards.rounds"


def reward_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the stage as one computation: all or none of a day's money is accounted for."""

    @dg.multi_asset(
        name="rewards",
        specs=[spec(table, INPUTS, {"polars", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _adds_up_spec(), _ledger_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def rewards(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        from coevo_pipelines.rewards.settling import settle

        lake = open_lake(settings, context.run.run_id)

        def checks(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
            # Money that does not add up never reaches the ledger.
            problems = _problems(results)
            return [_adds_up(results, problems), _ledger([] if problems else settle(lake, settings, results))]

        yield from materialize_days(context, lake, TABLES, partial(compute, settings), checks)

    return rewards


def compute(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's rows of the stage's tables."""
    from coevo_pipelines.rewards.day import rewards_of
    from coevo_pipelines.rewards.load import known_of, obstacle

    known = known_of(snapshot, day, settings)
    found = rewards_of(
        known,
        settings.reward_rounds,
        settings.influence.relation_weight,
        obstacle=obstacle(snapshot, day, settings),
    )
    return {name: Result(found.get(name, schemas.table(name).empty()), _numbers(name, found)) for name in TABLES}


def _numbers(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What a person would look for."""
    if ROUNDS not in found:
        return {}
    if name == ROUNDS:
        columns = (
            "budget",
            "receipts",
            "escrow",
            "reserve",
            "recipients",
            "gini",
            "top_10_share",
            "is_paid",
            "why_not",
        )
        rows = found[ROUNDS].iter_rows(named=True)
        return {row["round"]: {column: _plain(row[column]) for column in columns} for row in rows}
    if name == "rewards.allocations":
        return {f"concentration of {each}": _picture(found[name], each) for each in found[ROUNDS]["round"]}
    return {}


def _picture(allocations: Any, name: str) -> dg.MetadataValue[Any]:
    """The Lorenz curve of a round, small enough to stand in the metadata."""
    import base64

    from coevo_pipelines.rewards.concentration import picture

    own = allocations.filter((allocations["round"] == name) & (allocations["amount"] > 0))
    drawn = base64.b64encode(picture([int(amount) for amount in own["amount"]], f"round {name}")).decode()
    return dg.MetadataValue.md(f"![Lorenz curve](data:image/svg+xml;base64,{drawn})")


def _plain(value: Any) -> Any:
    from decimal import Decimal

    return str(value) if isinstance(value, Decimal) else value  # JSON numbers end at 2^53


def _adds_up_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="adds_up",
        asset=asset_key(ROUNDS),
        blocking=True,
        description="Receipts, escrow and reserve are the budget; nobody is above the cap or paid without a right to.",
    )


def _problems(results: Mapping[date, Mapping[str, Result]]) -> dict[str, str]:
    from coevo_pipelines.rewards.checks import wrong

    found = {
        day.isoformat(): wrong({name: result.frame for name, result in tables.items()})
        for day, tables in results.items()
    }
    return {day: "; ".join(lines) for day, lines in found.items() if lines}


def _adds_up(results: Mapping[date, Mapping[str, Result]], problems: Mapping[str, str]) -> dg.AssetCheckResult:
    first = next(iter(problems.items()), None)
    return dg.AssetCheckResult(
        asset_key=asset_key(ROUNDS),
        check_name="adds_up",
        passed=not problems,
        description=f"{first[0]}: {first[1]}" if first else f"{len(results)} day(s) add up",
        metadata={"problems": dict(problems)},
    )


def _ledger_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="in_ledger",
        asset=asset_key(ROUNDS),
        description="What was paid is in the reward ledger as it is in the tables; the rest needs a correction.",
    )


def _ledger(differences: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset_key(ROUNDS),
        check_name="in_ledger",
        passed=not differences,
        severity=dg.AssetCheckSeverity.WARN,
        description=differences[0] if differences else "the ledger agrees with the tables",
        metadata={"differences": differences[:20]},
    )
