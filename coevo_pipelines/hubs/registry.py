"""The hubs that there are as of a day, each by the last package that it published. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.consent import consent_of

if TYPE_CHECKING:
    from coevo_pipelines.scrapes.scrape import Place

REGISTRY = "hubs.registry"
_VERSION = ["hub_id", "event_at"]


def latest(packages: pl.DataFrame) -> pl.DataFrame:
    """hub_id and event_at of each hub's last version."""
    return packages.group_by("hub_id").agg(pl.col("event_at").max()).sort("hub_id")


def standing(table: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    """The rows of `table` (with hub_id and event_at) that are of the last versions."""
    return table.join(last, on=_VERSION, how="semi", maintain_order="left")


def registry(packages: pl.DataFrame, now: Mapping[str, pl.DataFrame], posts: pl.DataFrame) -> pl.DataFrame:
    """hubs.registry: `packages` are all versions so far, `now` the rows of the last ones by table, `posts` those that
    are open."""
    versions = packages.group_by("hub_id").agg(versions=pl.len().cast(pl.Int64))
    counted = [
        versions,
        _count(now["hubs.datasets"], "datasets"),
        _count(now["hubs.measurements"], "measurements"),
        _count(posts.filter(pl.col("side") == "need"), "needs"),
        _count(posts.filter(pl.col("side") == "offer"), "offers"),
    ]
    frame = now["hubs.packages"].rename({"event_at": "published_at"})
    for each in counted:
        frame = frame.join(each, on="hub_id", how="left")
    numbers = ("datasets", "measurements", "needs", "offers")
    frame = frame.with_columns(pl.col(numbers).fill_null(0))
    table = schemas.table(REGISTRY)
    return frame.select(*table.polars_schema()).sort(table.key)


def opted_out(people: pl.DataFrame, optouts: pl.DataFrame, claims: pl.DataFrame) -> list[str]:
    """Hubs that are opted out, by themselves, by whose they are, or by one of those who made them.

    people: `traces.people` of hubs' data sets so far; optouts and claims: the tables of traces as of the day.
    """
    proven = claims.filter(pl.col("proof").is_not_null()).select("person_id", "subject").rows()
    consent = consent_of(optouts.select("scope", "subject", "event_at").iter_rows(), proven)
    behind = people.group_by("work_id").agg(
        pl.col("account").filter(pl.col("role") == "owner").drop_nulls().first().alias("owner"),
        pl.col("account").drop_nulls(),
        ("orcid:" + pl.col("orcid")).drop_nulls(),
    )
    found = {
        hub_id
        for hub_id, owner, accounts, orcids in behind.iter_rows()
        if consent.withheld([hub_id], owner=owner, people=[*accounts, *orcids])
    }
    return sorted(found.union(work for work in consent.works if work.startswith("hub:")))


def places(frame: pl.DataFrame) -> tuple[Place, ...]:
    """Where the hubs of hubs.registry are."""
    from coevo_pipelines.scrapes.scrape import Place

    return tuple(Place(*row) for row in frame.select("hub_id", "latitude", "longitude").iter_rows())


def _count(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.group_by("hub_id").agg(pl.len().cast(pl.Int64).alias(name))
