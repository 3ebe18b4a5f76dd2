"""The stage in the sample's lake: all tables, their sums, their time, what the checks find."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.hubs import assets
from coevo_pipelines.lake.schemas import HUB_KINDS, UNMATCHED
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import Result
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import DAYS


@pytest.fixture(scope="module")
def of(sample: Settings) -> dict[str, pl.DataFrame]:
    """Every table of the stage, all days."""
    lake = Lake(sample.lake_root)
    return {table: lake.scan(table, upto=DAYS[-1]).collect() for table in assets.TABLES}


def on(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return frame.filter(pl.col("date") == day)


def test_the_sample_has_hubs_of_every_kind_and_a_reason_of_every_kind(of: dict[str, pl.DataFrame]) -> None:
    assert set(of["hubs.registry"]["kind"]) == set(HUB_KINDS)
    assert set(of["hubs.unmatched"]["reason"]) >= set(UNMATCHED) - {"not_worth_it"}
    assert of["hubs.matches"].height and of["hubs.observations"].height
    assert set(of["hubs.strategies"]["verdict"]) >= {"works", "unclear", "too_few"}


def test_a_hub_is_there_from_the_day_on_which_it_was_published(of: dict[str, pl.DataFrame]) -> None:
    first = of["hubs.registry"].group_by("hub_id").agg(pl.col("date").min(), pl.col("since").min())
    published = of["hubs.packages"].group_by("hub_id").agg(pl.col("date").min().alias("published"))
    joined = first.join(published, on="hub_id")
    assert joined.height == first.height == published.height
    assert (joined["date"] == joined["published"]).all()
    per_day = [on(of["hubs.registry"], day).height for day in DAYS]
    assert per_day == sorted(per_day) and per_day[0] < per_day[-1]


def test_the_last_version_of_a_hub_is_the_one(of: dict[str, pl.DataFrame]) -> None:
    twice = of["hubs.registry"].filter(pl.col("versions") > 1)
    assert twice.height
    for row in twice.iter_rows(named=True):
        versions = of["hubs.packages"].filter(pl.col("hub_id") == row["hub_id"], pl.col("date") <= row["date"])
        assert versions.height == row["versions"]
        assert versions["event_at"].max() == row["published_at"]


def test_no_row_knows_what_came_later(of: dict[str, pl.DataFrame]) -> None:
    for table in assets.OF_THE_DAY:
        after = of[table].filter(pl.col("event_at").dt.date() > pl.col("date"))
        assert after.height == 0, table


def test_matches_add_up_on_every_day(of: dict[str, pl.DataFrame]) -> None:
    matches = of["hubs.matches"]
    posts = of["hubs.posts"].select("hub_id", "post_id", "side", "amount", "received", "event_at", "date")
    for day in DAYS:
        now = on(matches, day)
        known = posts.filter(pl.col("date") <= day)
        last = known.group_by("hub_id").agg(pl.col("event_at").max())
        known = known.join(last, on=["hub_id", "event_at"])
        given = now.group_by(hub_id="offer_hub", post_id="offer_id").agg(pl.col("amount").sum().alias("given"))
        offers = given.join(known.filter(pl.col("side") == "offer"), on=["hub_id", "post_id"])
        assert offers.height == given.height
        assert (offers["given"] <= offers["amount"]).all()
        got = now.group_by(hub_id="need_hub", post_id="need_id").agg(pl.col("amount").sum().alias("got"))
        needs = got.join(known.filter(pl.col("side") == "need"), on=["hub_id", "post_id"])
        assert needs.height == got.height
        assert (needs["got"] <= needs["amount"] - needs["received"]).all()


def test_no_other_matching_is_worth_more(of: dict[str, pl.DataFrame]) -> None:
    markets = of["hubs.markets"]
    assert markets.height and (markets["objective"] == markets["bound"]).all()


def frames(day: date, of: dict[str, pl.DataFrame]) -> dict[str, Result]:
    return {table: Result(on(frame, day).drop("date"), {}) for table, frame in of.items()}


@pytest.mark.parametrize(
    ("table", "column", "word"), [("hubs.matches", "amount", "matched of"), ("hubs.unmatched", "missing", "missing")]
)
def test_the_check_finds_what_does_not_add_up(of: dict[str, pl.DataFrame], table: str, column: str, word: str) -> None:
    right = frames(DAYS[-1], of)
    assert assets._conserved({DAYS[-1]: right}).passed
    wrong: dict[str, Any] = {**right, table: Result(right[table].frame.with_columns(pl.col(column) + 1), {})}
    result = assets._conserved({DAYS[-1]: wrong})
    assert not result.passed and word in str(result.description)


def test_what_could_not_be_taken_is_said_in_words(of: dict[str, pl.DataFrame]) -> None:
    day = frames(DAYS[-1], of)
    assert assets._readable({DAYS[-1]: day}).passed
    reject = {
        "hub_id": "hub:x", "number": 1, "resource": "needs.csv", "row": 3, "column": "amount", "found": "'ten'",
        "expected": "a number above 0", "example": "12.5",
    }  # fmt: skip
    result = assets._readable({DAYS[-1]: {**day, assets.REJECTS: Result(pl.DataFrame([reject]), {})}})
    assert not result.passed
    assert "hub:x: needs.csv row 3, column amount: found 'ten', expected a number above 0" in str(result.description)
