"""What a day of rewards is computed from, out of the lake; what assets and commands share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from coevo_pipelines.citations import asof
from coevo_pipelines.influence.load import aliases_of, tables_of
from coevo_pipelines.lake.engine import Engine
from coevo_pipelines.lake.store import Snapshot, vintage
from coevo_pipelines.rewards import rounds
from coevo_pipelines.rewards.credits import credits
from coevo_pipelines.rewards.day import Known
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    from coevo_pipelines.settings import Round, Settings

SCORES = ("guarded_inflow", "guarded_influence", "integrative_potential")


def known_of(snapshot: Snapshot, day: date, settings: Settings) -> Known:
    """What `day.rewards_of` needs."""
    with Engine(snapshot, settings.engine) as engine:
        tables = tables_of(engine, day)
        works = engine.keep(asof.works(tables))
        contributions = engine.table("traces.contributions", upto=day)
        behind = credits(works, tables.people, tables.aliases, contributions, day)
        frames = engine.frame(works), engine.frame(asof.edges(tables, works)), engine.frame(behind)
        aliases = aliases_of(engine, tables)
    scores = snapshot.scan("influence.scores", on=day).select("node_id", *SCORES).collect()
    yesterday = day - DAY
    last = snapshot.scan("rewards.rounds", upto=yesterday)
    held = snapshot.scan("rewards.escrow", upto=yesterday)
    escrow = held.filter(pl.col("date") == pl.col("date").max(), pl.col("state") == "open").drop("date").collect()
    opened = escrow["opened"].unique()
    return Known(
        day=day,
        works=frames[0].join(scores, "node_id", how="left"),
        edges=frames[1],
        credits=frames[2],
        aliases=aliases,
        claims=snapshot.scan("traces.claims", on=day).collect(),
        optouts=snapshot.scan("traces.optouts", on=day).collect(),
        history=_history(snapshot, day, settings.reward_rounds),
        earned=_earned(snapshot, yesterday, settings.reward_rounds),
        rounds=last.filter(pl.col("date") == pl.col("date").max()).drop("date").collect(),
        escrow=escrow,
        had=_had(snapshot, yesterday, opened),
        caps=last.with_columns(opened=pl.col("date").cast(pl.String))
        .filter(pl.col("opened").is_in(opened.implode()))
        .select("round", "opened", "cap")
        .collect(),
    )


def _history(snapshot: Snapshot, day: date, current: Sequence[Round]) -> list[pl.DataFrame]:
    """`rewards.eligibility` of the days looked back on, the latest first; a day that is not there has no merit."""
    days = max(map(rounds.reach, current), default=0)
    found = [snapshot.scan("rewards.eligibility", on=day - back * DAY).collect() for back in range(1, days + 1)]
    return [frame.select("round", "person_id", "merit") for frame in found]


def _earned(snapshot: Snapshot, upto: date, current: Sequence[Round]) -> pl.DataFrame:
    """What people got in all paid rounds; asked only where a policy goes by it."""
    named = [each.name for each in current if any(policy.name == "BALANCED" for policy in each.policies)]
    if not named:
        return pl.DataFrame(schema={"round": pl.String, "person_id": pl.String, "amount": rounds.AMOUNT})
    paid = snapshot.scan("rewards.allocations", upto=upto).filter("is_paid", pl.col("round").is_in(named))
    return paid.group_by("round", "person_id").agg(pl.col("amount").sum()).collect()


def _had(snapshot: Snapshot, upto: date, opened: pl.Series) -> pl.DataFrame:
    """What people got of the rounds of the days `opened`: receipts, and escrow of theirs that was released."""
    paid = snapshot.scan("rewards.receipts", upto=upto).filter(pl.col("kind") == "round")
    released = snapshot.scan("rewards.escrow", upto=upto).filter(pl.col("state") == "released")
    columns = ("round", "opened", "person_id", "amount")
    both = pl.concat(
        [
            paid.with_columns(opened=pl.col("date").cast(pl.String)).select(columns),
            released.with_columns(person_id="released_to").select(columns),
        ]
    )
    return both.filter(pl.col("opened").is_in(opened.implode())).collect()


def obstacle(snapshot: Snapshot, day: date, settings: Settings) -> str | None:
    """Why nothing of `day` may be paid, from all that was read through the snapshot; None when it may."""
    if not snapshot.complete():
        return "an input is incomplete"
    seen: datetime | None = snapshot.observed_until()
    if vintage(day, seen, settings.grace) != "observed":
        return (
            f"reconstructed: something was observed {settings.grace_hours} hours or more after the day"
            if seen
            else ("nothing was observed")
        )
    return None
