"""What a day's corpora are made from, out of the lake; what assets and commands share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.corpora.candidates import Known
from coevo_pipelines.influence.load import aliases_of, tables_of
from coevo_pipelines.lake.engine import Engine
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    from coevo_pipelines.corpora.blueprints import Blueprint
    from coevo_pipelines.settings import Settings

RELEASES = "releases"
"""Folder of the lake: one release a blueprint and day."""


def known_of(snapshot: Snapshot, day: date, settings: Settings, blueprints: Sequence[Blueprint]) -> Known:
    """What `candidates.candidates` needs."""
    with Engine(snapshot, settings.engine) as engine:
        aliases = aliases_of(engine, tables_of(engine, day))
    wants_versions = any(each.history == "versions" for each in blueprints)

    def on_day(table: str) -> pl.DataFrame:
        return snapshot.scan(table, on=day).drop("date").collect()

    return Known(
        day=day,
        files=snapshot.scan("genome.files", on=day).drop("date"),
        earlier=snapshot.scan("genome.files", upto=day - DAY) if wants_versions else None,
        repositories=snapshot.scan("genome.repositories", upto=day).collect(),
        ecosystem=on_day("genome.ecosystem"),
        texts=snapshot.scan("traces.texts", upto=day),
        works=snapshot.scan("traces.works", upto=day),
        people=snapshot.scan("traces.people", upto=day),
        aliases=aliases,
        scores=on_day("influence.scores"),
        lattice=on_day("influence.lattice"),
        claims=on_day("traces.claims"),
        optouts=on_day("traces.optouts"),
    )


def manifest_of(snapshot: Snapshot, day: date) -> dict[str, Any] | None:
    """The row of `genome.manifest`, None where nothing was packed."""
    rows = snapshot.scan("genome.manifest", on=day).collect().to_dicts()
    return rows[0] if rows else None


def release_folder(root: Path, blueprint: Blueprint, day: date) -> Path:
    """Where the release of a blueprint and day lies."""
    return root / RELEASES / blueprint.short_name / f"date={day.isoformat()}"
