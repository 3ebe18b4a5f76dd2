"""What would move if something were left out, on the sample."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest

from coevo_pipelines.lake.store import Lake, Snapshot
from coevo_pipelines.rewards.sensitivity import LINKS, Change, changes
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import DAYS

DAY = DAYS[-1]
WHO = "person:sample-yang"


@pytest.fixture(scope="module")
def snapshot(sample: Settings) -> Snapshot:
    return Lake(sample.lake_root).snapshot()


@pytest.fixture(scope="module")
def found(sample: Settings, snapshot: Snapshot) -> Mapping[str, Change]:
    listed = changes(snapshot, DAY, sample, sample.reward_rounds[0], WHO)
    moved = [abs(change.after - change.before) for change in listed]
    assert moved == sorted(moved, reverse=True)
    return {change.what: change for change in listed}


def test_before_is_what_is_published(found: Mapping[str, Change], snapshot: Snapshot) -> None:
    rows = snapshot.scan("rewards.allocations", on=DAY).filter(pl.col("person_id") == WHO).collect()
    assert {change.before for change in found.values()} == {int(rows["amount"][0])}


def test_without_a_link_its_payee_gets_less(found: Mapping[str, Change], snapshot: Snapshot) -> None:
    rows = snapshot.scan("rewards.explanations", on=DAY).filter(pl.col("person_id") == WHO, pl.col("via").is_not_null())
    asked = [
        f"without {via} {kind} {work}" for via, kind, work in rows.select("via", "relation", "work_id").collect().rows()
    ]
    left_out = [what for what in asked if what in found]
    assert len(left_out) == LINKS
    assert all(found[what].after < found[what].before for what in left_out)


def test_without_the_rules_that_hold_the_payee_down_or_up(found: Mapping[str, Change], sample: Settings) -> None:
    round = sample.reward_rounds[0]
    assert found["no floor"].after != found["no floor"].before
    assert found["IMMEDIATE alone"].after != found["IMMEDIATE alone"].before
    # All of the payee's links were told by one source: what is left is the floor.
    members = int(round.pool * round.floor) // found["without what openalex alone says of links"].after
    assert 1 < members < 20


def test_somebody_without_anything_has_nothing_to_lose(sample: Settings, snapshot: Snapshot) -> None:
    nobody = changes(snapshot, DAY, sample, sample.reward_rounds[0], "person:nobody")
    assert nobody and {(change.before, change.after) for change in nobody} == {(0, 0)}
