"""What is checked of a day before it is committed, and of all days by `coevo verify`."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import Settings
from coevo_pipelines.swarm.assets import TABLES
from coevo_pipelines.swarm.checks import pretending, unbalanced, wrong_accounts
from coevo_pipelines_tests.runs import DAYS, coevo

Tables = dict[str, pl.DataFrame]


@pytest.fixture
def tables(sample: Settings) -> Tables:
    lake = Lake(sample.lake_root)
    return {table: lake.scan(table, on=DAYS[2]).drop("date").collect() for table in TABLES}


@pytest.fixture
def before(sample: Settings) -> dict[str, Any]:
    """How the day before ended."""
    return Lake(sample.lake_root).scan("swarm.metrics", on=DAYS[1]).collect().row(-1, named=True)


def changed(tables: Tables, table: str, **columns: pl.Expr) -> Tables:
    return {**tables, f"swarm.{table}": tables[f"swarm.{table}"].with_columns(**columns)}


def one_more(column: str, where: pl.Expr) -> pl.Expr:
    return pl.when(where & (where.cum_sum() == 1)).then(pl.col(column) + 1).otherwise(pl.col(column))


def test_a_day_that_adds_up(tables: Tables, before: dict[str, Any]) -> None:
    assert unbalanced(tables, before) == pretending(tables) == []
    assert unbalanced(tables), "not from nothing"


@pytest.mark.parametrize(
    ("table", "column", "where", "says"),
    [
        ("metrics", "nyx_milli", pl.col("tick") == 150, "tick 150: the accounts sum to 1 thousandths"),
        ("lifeforce_ledger", "amount_milli", pl.col("from_account") == "SOURCE", "SOURCE has moved"),
        ("lifeforce_ledger", "amount_milli", pl.col("to_account") == "SINK", "SINK has moved"),
        ("organisms", "lf_milli", pl.col("lf_milli") > 0, "organisms hold"),
    ],
)
def test_one_thousandth_too_much(
    tables: Tables, before: dict[str, Any], table: str, column: str, where: pl.Expr, says: str
) -> None:
    found = unbalanced(changed(tables, table, **{column: one_more(column, where)}), before)
    assert len(found) == 1 and says in found[0]


def test_who_pretends(tables: Tables) -> None:
    assert pretending(changed(tables, "cells", simulated=pl.lit(False))) == [
        "swarm.cells: a row does not say that it is simulated"
    ]
    human = pl.when(pl.col("status") == "resolved").then(pl.lit("dafit_human")).otherwise(pl.col("decided_by"))
    (line,) = pretending(changed(tables, "decision_markers", decided_by=human))
    assert "is said to be decided by a person, and there is no record of one" in line


def test_accounts_are_replayed_over_all_days(sample: Settings) -> None:
    lake = Lake(sample.lake_root)

    def on(table: str, day: date) -> pl.DataFrame:
        return lake.scan(f"swarm.{table}", on=day).drop("date").collect()

    for day in DAYS:
        entries = lake.scan("swarm.lifeforce_ledger", upto=day)
        organisms, versions, metrics = (on(table, day) for table in ("organisms", "versions", "metrics"))
        assert wrong_accounts(entries, organisms, versions, metrics) == []
        richer = organisms.with_columns(lf_milli=one_more("lf_milli", pl.col("lf_milli") > 0))
        (line,) = wrong_accounts(entries, richer, versions, metrics)
        assert line.startswith(f"organism:{organisms['organism_id'][0]}: its entries sum to ")
    told = coevo("verify", "--lake", str(sample.lake_root))
    assert told.returncode == 0 and "entries of the swarm's lifeforce sum to zero, account by account" in told.stdout
