"""A new hub's package, valid as it is: what `coevo hubs init` writes. Pure: facts in, files as text out.

Its tables hold no rows but examples in lines that begin with `#`, which are passed over: nothing is claimed that nobody
said. Taking the `#` away makes each of them a row that holds.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from coevo_pipelines.hubs.package import NAME, PROFILE, UNKNOWN
from coevo_pipelines.hubs.problems import DESCRIPTOR
from coevo_pipelines.hubs.tables import COLUMNS, REQUIRED_CONTEXT

CONTACT = "https://example.org/contact"
"""Stands in a new package until there is a true one."""
LICENCE = {
    "name": "CC-BY-4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
    "title": "Creative Commons Attribution 4.0",
}
MADE_BY = "those who made this package"


@dataclass(frozen=True)
class Facts:
    """What is known of a new hub."""

    name: str
    kind: str
    title: str
    latitude: float
    longitude: float
    private: bool
    day: date


@dataclass(frozen=True)
class _Field:
    name: str
    type: str
    quantity: str | None = None
    unit: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class _Example:
    """What hubs of a kind may write: (item, amount, unit) of a need and an offer, an outcome, a table of numbers."""

    need: tuple[str, str, str]
    offer: tuple[str, str, str]
    outcome: Mapping[str, str]
    table: str
    title: str
    fields: tuple[_Field, ...]
    row: Mapping[str, str]
    method: str


_TAKEN = _Field("taken_on", "date", title="when it was measured")
_PEOPLE = _Field("people", "integer", title="of how many people it is an aggregate")
_WELLBEING = _Field("who5", "number", "wellbeing_who5", "{score}", "WHO-5 well-being index, mean of the group")

_EXAMPLES: Mapping[str, _Example] = {
    "food": _Example(
        need=("seed potatoes", "25", "kg"),
        offer=("compost", "300", "kg"),
        outcome={
            "practice": "cover crops", "quantity": "soil_organic_carbon", "unit": "g/kg", "before": "18.2",
            "after": "19.6", "sd_before": "2.1", "sd_after": "2.4", "n_before": "12", "n_after": "12",
            "method": "dry combustion (ISO 10694)",
        },
        table="soil", title="Soil of the beds",
        fields=(
            _TAKEN,
            _Field("soc", "number", "soil_organic_carbon", "g/kg", "organic carbon of dry soil"),
            _Field("earthworms", "number", "earthworm_density", "{individual}/m2", "earthworms, hand sorted"),
        ),
        row={"soc": "19.6", "earthworms": "140"}, method="mixed samples of the upper 20 cm, dry combustion (ISO 10694)",
    ),
    "housing": _Example(
        need=("wool blankets", "20", "{piece}"),
        offer=("bed for the night", "12", "{bed_night}"),
        outcome={
            "practice": "insulated roof", "quantity": "energy_use_by_area", "unit": "kWh/(m2.a)", "before": "180",
            "after": "120", "sd_before": "15", "sd_after": "12", "n_before": "3", "n_after": "3",
            "method": "heat meter, three winters each",
        },
        table="rooms", title="Warmth and energy of the house",
        fields=(
            _TAKEN,
            _Field("indoor", "number", "indoor_temperature", "Cel", "mean temperature of the rooms"),
            _Field("energy", "number", "energy_use", "kWh", "energy used in the month before"),
        ),
        row={"indoor": "19.5", "energy": "640"}, method="logger in four rooms; the house's meters",
    ),
    "clothing": _Example(
        need=("sewing thread", "20", "{spool}"),
        offer=("winter jackets", "15", "{piece}"),
        outcome={
            "practice": "monthly repair café", "quantity": "garments_repaired", "unit": "{garment}", "before": "14",
            "after": "42", "sd_before": "5", "sd_after": "9", "n_before": "12", "n_after": "12",
            "method": "counted each month",
        },
        table="repairs", title="What was repaired and worn again",
        fields=(
            _TAKEN,
            _Field("repaired", "number", "garments_repaired", "{garment}", "garments repaired in the month before"),
            _Field("reused", "number", "textile_reused", "kg", "textiles given away in the month before"),
        ),
        row={"repaired": "42", "reused": "130"}, method="counted and weighed at the door",
    ),
    "professionalization": _Example(
        need=("laptops", "5", "{piece}"),
        offer=("welding course", "40", "h"),
        outcome={
            "practice": "mentoring", "quantity": "completion_rate", "unit": "%", "before": "61", "after": "78",
            "n_before": "48", "n_after": "52", "people": "52", "method": "enrolment lists",
        },
        table="courses", title="Courses and who finished them",
        fields=(
            _TAKEN,
            _Field("hours", "number", "training_hours", "h", "hours of training, one for each person and hour"),
            _Field("finished", "number", "completion_rate", "%", "part of those who began that finished"),
            _PEOPLE,
        ),
        row={"hours": "960", "finished": "78", "people": "52"}, method="enrolment lists of the term",
    ),
    "health_care": _Example(
        need=("consulting room", "20", "h"),
        offer=("first aid course", "16", "h"),
        outcome={
            "practice": "walking group", "quantity": "wellbeing_who5", "unit": "{score}", "before": "52",
            "after": "61", "sd_before": "18", "sd_after": "17", "n_before": "34", "n_after": "31", "people": "31",
            "method": "WHO-5 questionnaire",
        },
        table="wellbeing", title="Well-being of groups",
        fields=(_TAKEN, _WELLBEING, _PEOPLE),
        row={"who5": "61", "people": "31"}, method="WHO-5 questionnaire, means of whole groups",
    ),
    "connection_and_expression": _Example(
        need=("rehearsal room", "12", "h"),
        offer=("concert seats", "60", "{piece}"),
        outcome={
            "practice": "weekly choir", "quantity": "wellbeing_who5", "unit": "{score}", "before": "55", "after": "63",
            "sd_before": "16", "sd_after": "15", "n_before": "40", "n_after": "38", "people": "38",
            "method": "WHO-5 questionnaire",
        },
        table="evenings", title="Well-being of those who come",
        fields=(_TAKEN, _WELLBEING, _PEOPLE),
        row={"who5": "63", "people": "38"}, method="WHO-5 questionnaire, means of whole groups",
    ),
}  # fmt: skip


def files(facts: Facts) -> dict[str, str]:
    """The package's files by name, as text."""
    example = _EXAMPLES[facts.kind]
    tables = _tables(facts, example)
    resources = [_resource(name, role, title, fields, tables) for name, role, title, fields in _described(example)]
    resources[-1] = {**resources[-1], "method": example.method}
    descriptor = _descriptor(facts, resources)
    return {
        DESCRIPTOR: json.dumps(descriptor, ensure_ascii=False, indent=2) + "\n",
        **{f"{name}.csv": _csv(header, row) for name, (header, row) in tables.items()},
        "README.md": _README.format(
            title=facts.title, name=facts.name, kind=facts.kind, table=example.table,
            columns="\n".join(_told(role) for role in ("needs", "offers", "outcomes")),
            needed=", ".join(f"`{each}`" for each in REQUIRED_CONTEXT[facts.kind]), unknown=UNKNOWN,
            private=_PRIVATE if facts.private else "", contact=CONTACT,
        ),
    }  # fmt: skip


def name_of(text: str) -> str | None:
    """A package's name of a folder's or a hub's: small letters, digits and hyphens; None where nothing is left."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.casefold()).strip("-")[:63].strip("-")
    return name if NAME.fullmatch(name) else None


def title_of(name: str) -> str:
    """`green-valley` as people write it."""
    words = name.replace("-", " ").replace("_", " ").split()
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]]) if words else name


def _descriptor(facts: Facts, resources: list[dict[str, Any]]) -> dict[str, Any]:
    day = facts.day.isoformat()
    place: dict[str, Any] = {"latitude": facts.latitude, "longitude": facts.longitude, "private": facts.private}
    return {
        "$schema": PROFILE,
        "name": facts.name,
        "title": facts.title,
        "version": "1.0.0",
        "created": f"{day}T00:00:00Z",
        "licenses": [LICENCE],
        "hub": {
            "kind": facts.kind,
            "place": place,
            "practices": [],
            "contact": CONTACT,
            "consent": {"given": True, "by": MADE_BY, "date": day},
            "since": day,
            "context": dict.fromkeys(REQUIRED_CONTEXT[facts.kind], UNKNOWN),
        },
        "resources": resources,
    }


def _described(example: _Example) -> Sequence[tuple[str, str, str, Sequence[_Field]]]:
    """Name, role, title and columns of each table."""
    known = {
        role: [_Field(each.name, each.types[0], title=each.told) for each in COLUMNS[role]]
        for role in ("needs", "offers", "outcomes")
    }
    return (
        ("needs", "needs", "What is needed", known["needs"]),
        ("offers", "offers", "What is offered", known["offers"]),
        ("outcomes", "outcomes", "Before and after a practice", known["outcomes"]),
        (example.table, "measurements", example.title, example.fields),
    )


def _resource(
    name: str,
    role: str,
    title: str,
    fields: Sequence[_Field],
    tables: Mapping[str, tuple[list[str], Mapping[str, str]]],
) -> dict[str, Any]:
    assert tables[name][0] == [each.name for each in fields]
    described = [
        {key: value for key, value in vars(each).items() if value is not None} | {"name": each.name} for each in fields
    ]
    return {
        "name": name, "title": title, "path": f"{name}.csv", "role": role, "format": "csv", "encoding": "utf-8",
        "dialect": {"commentChar": "#"}, "schema": {"fields": described, "missingValues": [""]},
    }  # fmt: skip


def _tables(facts: Facts, example: _Example) -> dict[str, tuple[list[str], Mapping[str, str]]]:
    """Header and example row of each table, by its name."""
    day, month = facts.day, facts.day + timedelta(days=30)
    window = {"from": day.isoformat(), "until": month.isoformat()}

    def post(post_id: str, given: tuple[str, str, str], **more: str) -> dict[str, str]:
        return {"id": post_id, "item": given[0], "amount": given[1], "unit": given[2], **window, **more}

    before = day - timedelta(days=730)
    rows: dict[str, Mapping[str, str]] = {
        "needs": post("n1", example.need, most_km="30", by_post="false", priority="3"),
        "offers": post("o1", example.offer, most_km="30", by_post="false"),
        "outcomes": {**example.outcome, "from": before.isoformat(), "until": day.isoformat()},
        example.table: {"taken_on": day.isoformat(), **example.row},
    }
    headers = {name: [each.name for each in fields] for name, _, _, fields in _described(example)}
    return {name: (headers[name], row) for name, row in rows.items()}


def _csv(header: Sequence[str], row: Mapping[str, str]) -> str:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    written.write("#")
    writer.writerow([row.get(name, "") for name in header])
    return written.getvalue()


def _told(role: str) -> str:
    columns = "\n".join(
        f"| `{each.name}` | {'yes' if each.required else 'no'} | {each.told} | `{each.example}` |"
        for each in COLUMNS[role]
    )
    return f"### {role}.csv\n\n| column | needed | what it says | such as |\n| --- | --- | --- | --- |\n{columns}\n"


_PRIVATE = """
This hub is a private home (`"private": true`). Its place is moved to the centre of a grid cell before it is kept or
shown, and so is each place in its tables. Until then the exact place stands in `datapackage.json` here: pass the folder
on only as `coevo hubs add` copies it, and write no street or house number anywhere, nor photos that say where they were
taken.
"""

_README = """# {title}

A healing hub's data (kind: {kind}), as a [Data Package](https://datapackage.org) that people and programs can read.

    coevo hubs validate .
    coevo hubs add .

`validate` says what is wrong, by file, row and column, and what would do. `add` checks too, and copies the package to
where the next `coevo run` finds it. Other tools know the format too: `frictionless validate datapackage.json`.
{private}
## What to write

1. In `datapackage.json`: the `title`, the `licenses`, and, where there is something to say, a `description`, who made
   it (`"contributors": [{{"title": "Ada", "path": "https://orcid.org/…"}}]`), and what it builds on
   (`"sources": [{{"title": "…", "path": "https://doi.org/…"}}]`, or `hub:` and the name of another hub as the path).
2. There, in `hub`: `practices` (what you do), `languages` (`["de", "en"]`), `capacity` (in words), `contact` (a page
   where people can write to you, in place of {contact}), and `consent`: who agreed to publish this, and
   when. If nobody did, do not.
3. There, in `hub.context`: {needed}. They make a number worth something to others; `{unknown}` is an answer too.
4. In the tables, a row for each thing. Lines that begin with `#` are examples and are not read: copy one, take the `#`
   away, and write your own. A cell with nothing to say stays empty; one with a comma in it stands in "quotation marks".
   A spreadsheet program saves such tables as "CSV UTF-8"; where it writes semicolons and decimal commas, say so in
   `datapackage.json`: `"dialect": {{"delimiter": ";", "commentChar": "#"}}` of the file, `"decimalChar": ","` of its
   columns of numbers.
5. For a new version: another `version`, and in `created` the moment when it is published. What happened after that
   moment belongs into the next version.

Nothing about single persons: no names, addresses, birthdays, phones. Numbers about people are of groups of ten or more,
with a column `people` that says of how many.

{columns}
### {table}.csv

Numbers as they were measured. Each column that measures something says what (`quantity`) and in which unit (`unit`) in
`datapackage.json`; `taken_on` is the day. More such tables, each with the role `measurements`, are welcome.
"""
