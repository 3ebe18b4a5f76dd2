"""Which days a run makes besides those it was asked for, and what it does when the lake changes under it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import pytest
from filelock import FileLock, Timeout

from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake, Snapshot, StaleInputs
from coevo_pipelines.orchestration import days as days_module
from coevo_pipelines.orchestration.days import (
    Result,
    compute_and_commit,
    materialize_days,
    schema_check_spec,
    stale_days,
)

DAY = date(2026, 1, 5)
NODES = "citations.nodes"


def empty_nodes(day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    snapshot.files("traces.works", upto=day)
    return {NODES: Result(TABLES[NODES].empty(), {})}


def add_works(lake: Lake, day: date, note: str = "") -> None:
    lake.write("traces.works", day, TABLES["traces.works"].empty(), note=note)


def test_an_earlier_day_makes_the_later_ones_stale(lake: Lake) -> None:
    for offset in (1, 2):
        add_works(lake, DAY + timedelta(offset))
        compute_and_commit(lake, [NODES], DAY + timedelta(offset), empty_nodes)
    assert stale_days(lake, [NODES]) == []
    add_works(lake, DAY)
    assert stale_days(lake, [NODES]) == [DAY + timedelta(1), DAY + timedelta(2)]
    for day in stale_days(lake, [NODES]):
        compute_and_commit(lake, [NODES], day, empty_nodes)
    assert stale_days(lake, [NODES]) == []


def test_a_changed_schema_makes_a_day_stale(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    add_works(lake, DAY)
    compute_and_commit(lake, [NODES], DAY, empty_nodes)
    changed = replace(TABLES[NODES], key=("node",))
    monkeypatch.setattr("coevo_pipelines.lake.schemas.TABLES", {**TABLES, NODES: changed})
    assert stale_days(lake, [NODES]) == [DAY]


def test_a_day_is_computed_again_when_an_input_changes_meanwhile(lake: Lake) -> None:
    add_works(lake, DAY)
    other = Lake(lake.root)
    computed = 0

    def interrupted(day: date, snapshot: Snapshot) -> Mapping[str, Result]:
        nonlocal computed
        computed += 1
        result = empty_nodes(day, snapshot)
        if computed == 1:
            add_works(other, DAY - timedelta(1))
        return result

    _, written = compute_and_commit(lake, [NODES], DAY, interrupted)
    assert computed == 2
    assert lake.is_current(written[NODES].commit)
    assert written[NODES].commit.inputs[0].partitions == 2


def test_it_gives_up_on_a_lake_that_never_rests(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days_module, "MOST_ATTEMPTS", 3)
    other = Lake(lake.root)
    computed = 0

    def restless(day: date, snapshot: Snapshot) -> Mapping[str, Result]:
        nonlocal computed
        computed += 1
        result = empty_nodes(day, snapshot)
        add_works(other, DAY - timedelta(computed))
        return result

    with pytest.raises(StaleInputs):
        compute_and_commit(lake, [NODES], DAY, restless)
    assert computed == 3
    assert lake.committed(NODES, DAY) is None


def test_checks_see_the_lake_that_the_days_were_made_from(lake: Lake) -> None:
    """The stage is still this run's alone: another process cannot commit an earlier day between a day and its check."""
    add_works(lake, DAY)
    locked: list[date] = []

    def checks(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
        try:
            FileLock(lake.root / ".citations.lock").acquire(timeout=0)
        except Timeout:
            locked.extend(results)
        return []

    @dg.asset(
        key=NODES.split("."),
        partitions_def=dg.DailyPartitionsDefinition(str(DAY)),
        check_specs=[schema_check_spec(NODES)],
    )
    def nodes(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        yield from materialize_days(context, lake, [NODES], empty_nodes, checks)

    assert dg.materialize([nodes], partition_key=str(DAY)).success
    assert locked == [DAY]
