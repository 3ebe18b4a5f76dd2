"""What the UI shows of an asset before anything has run: whose it is, tags to filter by, where the code and the
explanation are, columns with what may be in them and what they are made of."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg

from coevo_pipelines.lake import lineage, schemas
from coevo_pipelines.settings import Settings

PACKAGE = Path(__file__).parent.parent
EXPLAINED: Mapping[str, str] = {
    "scrapes": "explanation/sources.md",
    "influence": "explanation/influence.md",
    "rewards": "explanation/rewards.md",
    "genome": "explanation/genome.md",
    "corpora": "explanation/corpora.md",
    "hubs": "explanation/hubs.md",
    "swarm": "explanation/swarm.md",
    "reviews": "explanation/swarm.md",
}
"""Page of docs/ about a stage; else the tables with all their columns."""
TABLES_EXPLAINED = "reference/tables.md"

HOLDS: Mapping[str, str] = {
    "scrapes": "raw",
    "traces": "facts",
    "swarm": "simulation",
    "reviews": "decisions",
    "lake": "product",
    "report": "product",
}
"""By stage what kind of thing its tables hold; else what is computed from facts."""
COMPUTED = "results"

OF_THE_DAY = ("scrapes", "traces", "citations")
CHAINED = ("rewards", "swarm")


def described(settings: Settings) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """A function that adds to an asset what does not depend on its stage's code."""

    def describe(spec: dg.AssetSpec) -> dg.AssetSpec:
        stage = spec.key.path[0]
        return spec.replace_attributes(
            owners=list(settings.owners),
            tags={
                **spec.tags,
                "coevo/holds": HOLDS.get(stage, COMPUTED),
                "coevo/time": time_of(stage),
                "coevo/world": settings.source,
            },
            metadata={
                **spec.metadata,
                "docs": dg.MetadataValue.url(page_of(stage)),
                "dagster/code_references": code_of(stage),
            },
        )

    return describe


def time_of(stage: str) -> str:
    """What a partition of the stage is about, as a tag: `day`, what happened on it; `as-of-day`, the state at its end
    from everything before; `chained`, what also goes on from the day before."""
    return "day" if stage in OF_THE_DAY else "chained" if stage in CHAINED else "as-of-day"


def page_of(stage: str) -> str:
    """Address of the explanation, from the address of the project in the package's metadata."""
    urls = dict(line.split(", ", 1) for line in metadata.metadata("coevo_pipelines").get_all("Project-URL") or ())
    home = urls.get("Documentation", "https://github.com/coevo/coevo_pipelines").partition("#")[0]
    return f"{home}/blob/main/docs/{EXPLAINED.get(stage, TABLES_EXPLAINED)}"


def code_of(stage: str) -> dg.CodeReferencesMetadataValue:
    """Where the stage's assets are written."""
    stage = {"reviews": "swarm"}.get(stage, stage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(
            code_references=[dg.LocalFileCodeReference(file_path=str(PACKAGE / stage / "assets.py"), line_number=1)]
        )


def columns(table: schemas.Table, parents: Sequence[str]) -> dict[str, Any]:
    """Metadata about the columns of a table: what may be in them, and which columns of its parents (tables) they are
    made of.

    That stands in their descriptions too: the open-source UI draws no lineage of columns.
    """
    made_of = {column: named for column, named in lineage.sources(table.name, parents).items() if named}
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=schemas.DUCKDB_TYPES[column.type],
                description=_told(column, made_of.get(column.name, ())),
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=table.key == (column.name,), other=allowed(column)
                ),
            )
            for column in table.columns
        ],
        constraints=dg.TableConstraints(other=[f"key: {', '.join(table.key)}"]),
    )
    found: dict[str, Any] = {"dagster/column_schema": schema}
    if made_of:
        deps = {column: [_dep(each) for each in named] for column, named in made_of.items()}
        found["dagster/column_lineage"] = dg.TableColumnLineage(deps_by_column=deps)
    return found


def allowed(column: schemas.Column) -> list[str]:
    """What may be in a column beside its type, in words."""
    words = []
    if column.enum is not None:
        words.append(f"one of: {', '.join(column.enum)}")
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        words.append(f"{low:g} to {high:g}")
    elif low is not None:
        words.append(f"≥ {low:g}")
    elif high is not None:
        words.append(f"≤ {high:g}")
    return words


def _told(column: schemas.Column, made_of: Sequence[str]) -> str:
    """The column's description, with its values (the UI cuts off long constraints) and what it is made of."""
    told = column.description
    if column.enum is not None:
        told += f" ({', '.join(column.enum)})"
    by_table = groupby(made_of, key=lambda each: each.rpartition(".")[0])
    named = [f"{table} ({', '.join(each.rpartition('.')[2] for each in group)})" for table, group in by_table]
    return f"{told} ← {', '.join(named)}" if named else told


def _dep(column: str) -> dg.TableColumnDep:
    table, _, name = column.rpartition(".")
    return dg.TableColumnDep(asset_key=dg.AssetKey(table.split(".")), column_name=name)
