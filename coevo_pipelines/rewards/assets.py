"""Assets `rewards/*`: what a day would pay and why, and the reward ledger that says what is paid."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import (
    Result,
    asset_key,
    materialize_days,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.pictures import counted
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
        return {
            f"{row['round']}: {what}": value
            for row in found[ROUNDS].iter_rows(named=True)
            for what, value in _of_a_round(row).items()
        }
    if name == "rewards.eligibility":
        return {"verified": int(found[name]["is_verified"].sum()), **counted(found[name]["held"].drop_nulls())}
    if name == "rewards.alerts":
        return counted(found[name]["kind"])
    if name == "rewards.allocations":
        return {f"concentration of {each}": _picture(found[name], each) for each in found[ROUNDS]["round"]}
    return {}


def _picture(allocations: Any, name: str) -> dg.MetadataValue[Any]:
    """The Lorenz curve of a round, small enough to stand in the metadata."""
    from coevo_pipelines.report import charts
    from coevo_pipelines.rewards.concentration import picture

    own = allocations.filter((allocations["round"] == name) & (allocations["amount"] > 0))
    drawn = picture([int(amount) for amount in own["amount"]], f"Round {name}")
    return dg.MetadataValue.md(charts.markdown(drawn, "Lorenz curve"))


def _of_a_round(row: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts in units of the currency, as floats: to be looked at and plotted, the table has them exactly."""
    amounts = {what: float(row[what]) / 10 ** row["decimals"] for what in ("budget", "receipts", "escrow", "reserve")}
    shares = {what: row[what] for what in ("gini", "top_10_share") if row[what] is not None}
    state = "paid" if row["is_paid"] else f"not paid: {row['why_not']}"
    return {"state": state, "currency": row["currency"], **amounts, "recipients": row["recipients"], **shares}


def _adds_up_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="adds_up",
        asset=asset_key(ROUNDS),
        blocking=True,
        description="Receipts + escrow + reserve = budget, to the last cent, in every round; nobody is above the "
        "cap, nobody is paid who may not be. Red: nothing of these days reaches the reward ledger.",
    )


def _problems(results: Mapping[date, Mapping[str, Result]]) -> dict[str, str]:
    from coevo_pipelines.rewards.checks import wrong

    found = {
        day.isoformat(): wrong({name: result.frame for name, result in tables.items()})
        for day, tables in results.items()
    }
    return {day: "; ".join(lines) for day, lines in found.items() if lines}


def _adds_up(results: Mapping[date, Mapping[str, Result]], problems: Mapping[str, str]) -> dg.AssetCheckResult:
    rounds = sum(tables[ROUNDS].frame.height for tables in results.values())
    return verdict(
        asset_key(ROUNDS),
        "adds_up",
        [f"{day}: {problem}" for day, problem in problems.items()],
        well=f"{count(rounds, 'round')} of {count(len(results), 'day')} add up to the last cent.",
        way_out="No setting can cause this: it is a fault of the program. Pay nothing, keep the lake and report it.",
        numbers={"days": len(results), "rounds": rounds},
    )


def _ledger_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="in_ledger",
        asset=asset_key(ROUNDS),
        description="What the reward ledger has paid is what the tables say now. Red: a day was made again after it "
        "was paid and came out otherwise. The ledger is never rewritten: the difference needs a correction by a "
        "person.",
    )


def _ledger(differences: list[str]) -> dg.AssetCheckResult:
    return verdict(
        asset_key(ROUNDS),
        "in_ledger",
        differences,
        well="The ledger and the tables say the same.",
        way_out="`coevo rewards replay` shows what was paid; what was paid wrongly is corrected by hand, not by a run.",
        blocks=False,
    )
