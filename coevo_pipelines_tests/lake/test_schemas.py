"""The registry, and the checks that every write goes through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.lake.schemas import STAGES, TABLES, Column, SchemaError, Table, conform, table, violations

TABLE = Table(
    name="traces.things",
    description="for tests",
    key=("name", "number"),
    columns=(
        Column("name", "string", "a name"),
        Column("number", "int64", "a number", minimum=0, maximum=10),
        Column("license", "string", "a licence", nullable=True, enum=("MIT", "CC0-1.0")),
        Column("at", "timestamp", "a time", nullable=True),
    ),
)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def frame(**columns: Any) -> pl.DataFrame:
    rows: dict[str, Any] = {"name": ["b", "a"], "number": [1, 2], "license": ["MIT", None], "at": [NOON, None]}
    return pl.DataFrame({name: values for name, values in (rows | columns).items() if values is not None})


def test_conform_orders_columns_casts_and_sorts_by_key() -> None:
    shuffled = frame().select("at", "license", "number", "name").with_columns(pl.col("number").cast(pl.Int16))
    result = conform(TABLE, shuffled, "date=2026-11-03")
    assert dict(result.schema) == TABLE.polars_schema()
    assert result["name"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"licence": ["MIT", None]}, "column 'licence' is not in the schema (did you mean 'license'?)"),
        ({"zzz": [1, 2]}, "column 'zzz' is not in the schema"),
        ({"number": None}, "column 'number' is missing"),
        ({"number": ["1", "2"]}, "column 'number' is String, the schema says Int64"),
        ({"number": [1.0, 2.5]}, "column 'number' is Float64, the schema says Int64"),
        ({"name": ["a", None]}, "column 'name' has 1 null(s) and may have none"),
        ({"license": ["MIT", "WTFPL"]}, "column 'license' holds 'WTFPL'; allowed: MIT, CC0-1.0"),
        ({"number": [1, 11]}, "column 'number' has a value outside 0..10"),
        ({"number": [-1, 1]}, "column 'number' has a value outside 0..10"),
        ({"name": ["a", "a"], "number": [1, 1]}, "2 rows share a key (name, number), first ('a', 1)"),
    ],
)
def test_conform_names_table_place_column_and_way_out(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError) as raised:
        conform(TABLE, frame(**columns), "date=2026-11-03")
    assert str(raised.value).startswith(f"traces.things date=2026-11-03: {message}")


def test_an_empty_frame_fits() -> None:
    assert conform(TABLE, TABLE.empty(), "date=2026-11-03").height == 0
    assert violations(TABLE, TABLE.empty()) == []


def test_a_column_of_nulls_takes_the_schemas_type() -> None:
    result = conform(TABLE, frame(license=[None, None]), "date=2026-11-03")
    assert result.schema["license"] == pl.String


def test_fingerprint_follows_the_contract_and_not_the_prose() -> None:
    reworded = Table(**{**vars_of(TABLE), "description": "reworded"})
    rekeyed = Table(**{**vars_of(TABLE), "key": ("name",)})
    assert reworded.fingerprint == TABLE.fingerprint
    assert rekeyed.fingerprint != TABLE.fingerprint


def vars_of(schema: Table) -> dict[str, Any]:
    return {name: getattr(schema, name) for name in ("name", "description", "key", "columns", "not_in_catalog")}


@pytest.mark.parametrize("schema", TABLES.values(), ids=str)
def test_every_registered_table_is_whole(schema: Table) -> None:
    names = [column.name for column in schema.columns]
    assert schema.stage in STAGES
    assert len(set(names)) == len(names)
    assert set(schema.key) <= set(names)
    assert all(not column.nullable for column in schema.columns if column.name in schema.key)
    assert all(column.description for column in schema.columns)
    assert "date" not in names, "the partition date is in the path"


def test_derived_facts_say_when_and_who_said_so() -> None:
    traces = [schema for name, schema in TABLES.items() if name.startswith("traces.")]
    for schema in traces:
        assert {"event_at", "observed_at", "raw_sha256"} <= {column.name for column in schema.columns}


def test_unknown_table_suggests_the_nearest() -> None:
    with pytest.raises(SchemaError, match=r"did you mean 'traces\.works'"):
        table("traces.work")
