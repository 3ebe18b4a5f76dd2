"""What the tables of a package hold: the columns of each role, and how a table's schema is read from the descriptor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from coevo_pipelines.hubs.privacy import is_about_a_person
from coevo_pipelines.hubs.problems import one_of, seen

REQUIRED_CONTEXT: Mapping[str, tuple[str, ...]] = {
    "food": ("soil", "climate", "method"),
    "housing": ("climate", "method"),
    "clothing": ("method",),
    "professionalization": ("method",),
    "health_care": ("method",),
    "connection_and_expression": ("method",),
}
"""What `hub.context` must say, by kind of hub; place, time and consent are asked of all. Health care: `people` too,
in each row that is about people."""


@dataclass(frozen=True)
class TableField:
    """A column of a table. `descriptor` is its Table Schema field, with nothing in it that could be fetched or run."""

    name: str
    type: str
    title: str | None
    quantity: str | None
    unit: str | None
    descriptor: Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column that a role knows: its Table Schema types, the first the usual one."""

    name: str
    types: tuple[str, ...]
    told: str
    example: str
    required: bool = True


_NUMBER, _TEXT, _DATE, _WHOLE = ("number", "integer"), ("string",), ("date",), ("integer", "number")


def _window(what: str) -> tuple[Column, ...]:
    return (
        Column("from", _DATE, f"first day {what}", "2019-03-25"),
        Column("until", _DATE, f"last day {what}, included", "2019-04-30"),
    )


_POST = (
    Column("id", ("string", "integer"), "a name of your own for the row, each once", "n1"),
    Column("item", _TEXT, "what, in a word or two that others use too", "seed potatoes"),
)
_AMOUNT = (
    Column("amount", _NUMBER, "how much, above 0", "12.5"),
    Column("unit", _TEXT, "of the amount: a unit such as kg, or what is counted such as {meal}", "kg"),
)
_WAY = (
    Column("most_km", _NUMBER, "how far it may come or go, in kilometres", "30", required=False),
    Column("by_post", ("boolean",), "true: it can be sent", "false", required=False),
)
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "needs": (
        *_POST,
        Column("kind", _TEXT, "what it restores; empty: as the hub", "food", required=False),
        *_AMOUNT,
        *_window("on which it is of use"),
        *_WAY,
        Column("priority", _WHOLE, "1 can wait, 5 is urgent; empty: 3", "3", required=False),
        Column("received", _NUMBER, "what came already, in the same unit; empty: 0", "0", required=False),
    ),
    "offers": (
        *_POST,
        Column("kind", _TEXT, "what it restores; empty: as the hub", "food", required=False),
        *_AMOUNT,
        *_window("on which it is there"),
        *_WAY,
    ),
    "outcomes": (
        Column("practice", _TEXT, "what was done", "cover crops"),
        Column("quantity", _TEXT, "what it is measured by", "soil_organic_carbon"),
        Column("unit", _TEXT, "of before and after", "g/kg"),
        Column("before", _NUMBER, "the mean before", "18.2"),
        Column("after", _NUMBER, "the mean after", "21.9"),
        *(
            Column(f"{name}_{when}", types, f"{told} {when}", example, required=False)
            for name, types, told, example in (
                ("sd", _NUMBER, "standard deviation of the measurements", "2.1"),
                ("n", _WHOLE, "how many measurements", "12"),
            )
            for when in ("before", "after")
        ),
        Column("people", _WHOLE, "of how many people it is an aggregate", "24", required=False),
        Column("from", _DATE, "the day when the practice began", "2016-03-01"),
        Column("until", _DATE, "the day of the measurement after", "2018-10-15"),
        Column("method", _TEXT, "how it was measured; empty: as the hub's context", "ISO 10694", required=False),
    ),
    "measurements": (
        Column("taken_on", ("date", "datetime"), "when it was measured", "2019-03-20"),
        Column("latitude", ("number",), "degrees, WGS84", "52.13", required=False),
        Column("longitude", ("number",), "degrees, WGS84", "11.63", required=False),
        Column("people", _WHOLE, "of how many people it is an aggregate", "24", required=False),
    ),
}
"""The columns that each role knows; other columns are kept in the file and not read."""

_TYPES = (
    "string", "number", "integer", "boolean", "date", "datetime", "time", "year", "yearmonth", "duration", "any",
)  # fmt: skip
_OPTIONS: Mapping[str, type | tuple[type, ...]] = {
    "format": str, "decimalChar": str, "groupChar": str, "bareNumber": bool, "trueValues": list, "falseValues": list,
}  # fmt: skip
_CONSTRAINTS: Mapping[str, type | tuple[type, ...]] = {
    "required": bool, "enum": list, "minLength": int, "maxLength": int,
    "minimum": (int, float, str), "maximum": (int, float, str),
    "exclusiveMinimum": (int, float, str), "exclusiveMaximum": (int, float, str),
}  # fmt: skip
_DIALECT: Mapping[str, str] = {"delimiter": ",", "quoteChar": '"', "commentChar": ""}
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "iso-8859-15", "windows-1252")
_PROPERTY = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_MOST_FIELDS = 300


class Say(Protocol):
    """Where problems go: property, found, expected, an example."""

    def __call__(self, column: str, found: str, expected: str, example: str, *, fatal: bool = True) -> None: ...


def checked_fields(
    given: Mapping[str, Any], role: str, form: str, at: str, say: Say
) -> tuple[tuple[TableField, ...], tuple[str, ...], dict[str, str], str]:
    """A resource's columns, what stands for nothing in them, how its CSV is written, and its encoding."""
    if role == "media":
        return (), ("",), {}, "utf-8"
    encoding = _encoding(given, at, say)
    dialect = _dialect(given, at, say) if form == "csv" else {}
    schema = given.get("schema")
    example = '{"fields": [{"name": "id", "type": "string"}, …]}'
    if not isinstance(schema, dict):
        expected = "a Table Schema here, an object in { } (not the name of a file)"
        say(f"{at}.schema", seen(schema), expected, example)
        return (), ("",), dialect, encoding
    missing = schema.get("missingValues", [""])
    if not isinstance(missing, list) or not all(isinstance(each, str) for each in missing) or len(missing) > 50:
        say(f"{at}.schema.missingValues", seen(missing), "a list of texts", '["", "-"]')
        missing = [""]
    fields = schema.get("fields")
    if not isinstance(fields, list) or not fields or len(fields) > _MOST_FIELDS:
        found = f"a list of {len(fields)}" if isinstance(fields, list) else seen(fields)
        say(f"{at}.schema.fields", found, f"the table's columns, 1 to {_MOST_FIELDS}", example)
        return (), ("",), dialect, encoding
    kept = [
        read
        for number, each in enumerate(fields)
        if (read := _field(each, role, f"{at}.schema.fields[{number}]", say)) is not None
    ]
    _fit_the_role(kept, role, at, say)
    return tuple(kept), tuple(missing), dialect, encoding


def _encoding(given: Mapping[str, Any], at: str, say: Say) -> str:
    value = given.get("encoding", "utf-8")
    if isinstance(value, str):
        name = value.strip().lower().replace("_", "-")
        name = {"utf8": "utf-8", "latin-1": "iso-8859-1", "latin1": "iso-8859-1", "cp1252": "windows-1252"}.get(
            name, name
        )
        if name in _ENCODINGS:
            return name
    say(f"{at}.encoding", seen(value), one_of(_ENCODINGS), "utf-8")
    return "utf-8"


def _dialect(given: Mapping[str, Any], at: str, say: Say) -> dict[str, str]:
    """Delimiter, quote and comment sign, of what the Table Dialect can say; what cannot be read so is a problem."""
    value = given.get("dialect", {})
    if not isinstance(value, dict):
        expected = "a Table Dialect here, an object in { } (not the name of a file)"
        say(f"{at}.dialect", seen(value), expected, '{"delimiter": ";"}')
        return {}
    if isinstance(value.get("csv"), dict):  # as the frictionless library writes it
        value = {**value, **value["csv"]}
    kept = {}
    for key, default in _DIALECT.items():
        sign = value.get(key, default)
        if sign == default or (isinstance(sign, str) and len(sign) == 1 and sign not in "\r\n\0"):
            kept[key] = sign
        elif sign is not None:
            say(f"{at}.dialect.{key}", seen(sign), "one character", default or "#")
    if len({sign for sign in kept.values() if sign}) < sum(map(bool, kept.values())):
        say(f"{at}.dialect", "the same character for two things", "different ones", '{"delimiter": ";"}')
    for key in ("header", "doubleQuote"):
        if value.get(key, True) is not True:
            say(f"{at}.dialect.{key}", seen(value[key]), "true: the names of the columns in the first line", "true")
    if value.get("headerRows", [1]) != [1]:
        say(f"{at}.dialect.headerRows", seen(value["headerRows"]), "the names of the columns in the first line", "[1]")
    return kept


def _field(given: Any, role: str, at: str, say: Say) -> TableField | None:
    if not isinstance(given, dict):
        say(at, seen(given), "an object in { }", '{"name": "amount", "type": "number"}')
        return None
    name = given.get("name")
    if not isinstance(name, str) or not _PROPERTY.fullmatch(name) or name != name.strip():
        say(f"{at}.name", seen(name), "the column's name as in the file, without spaces around it", "amount")
        return None
    at = f"{at.rpartition('.fields')[0]}.fields.{name}"
    kind = given.get("type", "string" if role != "measurements" else "any")
    if is_about_a_person(name, role):
        expected = "no columns about persons: names, addresses, birthdays, phones and the like are not published"
        say(at, f"the column {seen(name)}", expected, "a column people: of how many people the row is")
        return None
    if not isinstance(kind, str) or kind not in _TYPES:
        say(f"{at}.type", seen(kind), one_of(_TYPES, str(kind)), "number")
        return None
    return _typed(given, name, kind, at, say)


def _typed(given: Mapping[str, Any], name: str, kind: str, at: str, say: Say) -> TableField | None:
    descriptor: dict[str, Any] = {"name": name, "type": kind}
    for key, types in _OPTIONS.items():
        if key in given:
            if isinstance(given[key], types) and _is_option(key, given[key]):
                descriptor[key] = given[key]
            else:
                say(f"{at}.{key}", seen(given[key]), "what Table Schema says of it", "see https://datapackage.org")
    descriptor["constraints"] = _constraints(given.get("constraints", {}), at, say)
    if not _can_be_read(descriptor, at, say):
        return None
    quantity, unit = given.get("quantity"), given.get("unit")
    if quantity is None and unit is None:
        return TableField(name, kind, _title(given), None, None, descriptor)
    return _measured(given, descriptor, at, say)


def _can_be_read(descriptor: Mapping[str, Any], at: str, say: Say) -> bool:
    """The frictionless library makes a reader of it, and of the limits that it names."""
    from frictionless import Field

    bare = Field.from_descriptor({key: value for key, value in descriptor.items() if key != "constraints"})
    for key, limit in descriptor["constraints"].items():
        if key not in {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum"}:
            continue
        for each in limit if isinstance(limit, list) else [limit]:
            try:
                value, notes = bare.read_cell(each)
            except Exception:  # of readers by others, on values by anybody
                value, notes = None, {"type": ""}
            if notes or value is None:
                say(f"{at}.constraints.{key}", seen(each), f"a value of type {descriptor['type']}", "")
                return False
    return True


def _title(given: Mapping[str, Any]) -> str | None:
    title = given.get("title")
    return title.strip()[:200] or None if isinstance(title, str) else None


def _is_option(key: str, value: Any) -> bool:
    if key in {"decimalChar", "groupChar"}:
        return len(value) == (1 if key == "decimalChar" else len(value)) <= 1
    if key == "format" and value == "any":
        return False  # dates that are guessed: parts that are missing would be today's
    if key in {"trueValues", "falseValues"}:
        return bool(value) and all(isinstance(each, str) for each in value)
    return not isinstance(value, str) or len(value) <= 100


def _constraints(given: Any, at: str, say: Say) -> dict[str, Any]:
    """Those that are checked here. `pattern` is left to others: an expression may take longer than the sun shines."""
    if not isinstance(given, dict):
        say(f"{at}.constraints", seen(given), "an object in { }", '{"required": true}')
        return {}
    kept = {}
    for key, types in _CONSTRAINTS.items():
        if key not in given:
            continue
        value = given[key]
        if isinstance(value, types) and (isinstance(value, bool) == (types is bool)):
            kept[key] = value
        else:
            say(f"{at}.constraints.{key}", seen(value), "what Table Schema says of it", "see https://datapackage.org")
    return kept


def _measured(given: Mapping[str, Any], descriptor: dict[str, Any], at: str, say: Say) -> TableField | None:
    """A column that measures something: a quantity that is known, and a unit of it."""
    from coevo_pipelines.hubs.units import QUANTITIES, UnitError, conversion

    quantity, unit = given.get("quantity"), given.get("unit")
    if not isinstance(quantity, str) or quantity not in QUANTITIES:
        say(f"{at}.quantity", seen(quantity), one_of(QUANTITIES, str(quantity or "")), "soil_organic_carbon")
        return None
    if not isinstance(unit, str) or not unit.strip():
        say(f"{at}.unit", seen(unit), f"the unit of {quantity}", QUANTITIES[quantity].examples[0])
        return None
    try:
        conversion(unit.strip(), quantity)
    except UnitError as error:
        say(f"{at}.unit", seen(unit), error.expected, error.example)
        return None
    if descriptor["type"] not in {"number", "integer"}:
        say(f"{at}.type", seen(descriptor["type"]), "number, as the column measures something", "number")
        return None
    return TableField(descriptor["name"], descriptor["type"], _title(given), quantity, unit.strip(), descriptor)


def _fit_the_role(fields: list[TableField], role: str, at: str, say: Say) -> None:
    """What a table of this role needs is there, once, and of a type that can be read."""
    by_name: dict[str, TableField] = {}
    for each in fields:
        if each.name in by_name:
            say(f"{at}.schema.fields", f"the column {seen(each.name)} twice", "each name once", "")
        by_name[each.name] = each
    for column in COLUMNS[role]:
        if column.name not in by_name:
            if column.required:
                expected = f"a column {column.name}: {column.told}"
                example = f'{{"name": "{column.name}", "type": "{column.types[0]}"}}'
                say(f"{at}.schema.fields", "no such column", expected, example)
        elif by_name[column.name].type not in column.types:
            found = f"type {by_name[column.name].type}"
            expected = f"type {' or '.join(column.types)}: {column.told}"
            say(f"{at}.schema.fields.{column.name}", found, expected, column.types[0])
    if role != "measurements":
        return
    measured = [each.quantity for each in fields if each.quantity]
    if not measured:
        expected = "at least one column with a quantity and a unit"
        example = '{"name": "soc", "type": "number", "quantity": "soil_organic_carbon", "unit": "g/kg"}'
        say(f"{at}.schema.fields", "none that measures something", expected, example)
    for quantity in sorted({each for each in measured if measured.count(each) > 1}):
        expected = "one column for each quantity in a table, others in a table of their own"
        say(f"{at}.schema.fields", f"two columns with quantity {quantity}", expected, "soil-deep.csv")
    if ("latitude" in by_name) != ("longitude" in by_name):
        say(f"{at}.schema.fields", "latitude without longitude, or the other way round", "both or none", "")
