"""The files of a hub's package: tables read into rows in SI units, all that is wrong said, nothing half-read kept.

A row that is wrong is left out and said; a file that is wrong as a whole is refused and said. What would tell of a
person refuses the file, and then nothing of the file is repeated, not even in a message.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from coevo_pipelines.hubs.package import Package, Resource, Rules, plain
from coevo_pipelines.hubs.privacy import cell_centre, is_about_a_person, needs_people
from coevo_pipelines.hubs.problems import Problem, one_of, seen
from coevo_pipelines.lake.schemas import HUB_KINDS
from coevo_pipelines.windows import midnight

if TYPE_CHECKING:
    from coevo_pipelines.hubs.tables import TableField

LARGEST_FILE = 64_000_000
"""Bytes of one file; larger ones are refused unread."""
MOST_ROWS = 200_000
"""Of one file: a minute of checking for a package of ten such."""
MOST_SAID = 50
"""Problems of one file that are said each; of more it is said how many."""
_LONGEST_CELL = 10_000
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,}")
_MOST_MEASURED = 10**12
"""Measurements, or people."""

File = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Contents:
    """Rows of hubs.datasets, hubs.measurements, hubs.outcomes and hubs.posts, less hub_id, event_at, observed_at and
    raw_sha256; the sha256 of each file that was read, by the resource's name; and what is wrong."""

    datasets: list[dict[str, Any]] = field(default_factory=list)
    measurements: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    sha256_of: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_contents(package: Package, file: File, rules: Rules) -> Contents:
    """What the package's files say. `file` gives a file's bytes by its path in the package, None: there is none.

    Raises nothing of its own, whatever the bytes are; what `file` raises passes.
    """
    contents = Contents()
    for resource in package.resources:
        if resource.role == "media" or resource.refused:
            contents.datasets.append(_named(resource))
            continue
        body = file(resource.path)
        read = _Table(package, resource, rules)
        if body is not None and len(body) <= LARGEST_FILE:
            digest = hashlib.sha256(body).hexdigest()
            contents.sha256_of[resource.name] = digest
            read.read(body, digest)
        else:
            digest = None
            read.unread(None if body is None else len(body))
        contents.problems.extend(read.said())
        if not read.is_refused:
            target = {"outcomes": contents.outcomes, "measurements": contents.measurements}
            target.get(resource.role, contents.posts).extend(read.kept)
        contents.datasets.append(read.dataset(None if body is None else len(body), digest))
    return contents


def _named(resource: Resource) -> dict[str, Any]:
    """A file that is not read, as a row of hubs.datasets."""
    return {
        "resource": resource.name, "role": resource.role, "format": resource.format, "title": resource.title,
        "path": resource.path, "rows": None, "refused": int(resource.refused), "bytes": resource.bytes,
        "sha256": resource.sha256, "is_checked": False, "method": resource.method,
    }  # fmt: skip


class _Refused(Exception):
    """The whole file is; it was said why."""


class _Wrong(Exception):
    """A row is; its problem."""

    def __init__(self, column: str, found: str, expected: str, example: str) -> None:
        super().__init__(column)
        self.said = (column, found, expected, example)


class _Row(dict[str, Any]):
    """A row's values by column, and its cells as written."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, str] = {}
        self.geometry: tuple[float, float] | None = None


class _Table:
    """One file being read."""

    def __init__(self, package: Package, resource: Resource, rules: Rules) -> None:
        self.package, self.resource, self.rules = package, resource, rules
        self.problems: list[Problem] = []
        self.unsaid = 0
        self.kept: list[dict[str, Any]] = []
        self.rows = 0
        self.wrong: set[int] = set()
        self.is_refused = False
        self.is_personal = False
        self.keys: dict[Any, int] = {}
        self.by_name: dict[str, TableField] = {each.name: each for each in resource.fields}

    # What is said

    def say(
        self, row: int | None, column: str, found: str, expected: str, example: str, *, fatal: bool = False
    ) -> None:
        if row is not None:
            self.wrong.add(row)
        if fatal or len(self.problems) < MOST_SAID:
            self.problems.append(Problem(self.resource.path, row, column, found, expected, example, fatal))
        else:
            self.unsaid += 1

    def refuse(self, row: int | None, column: str, found: str, expected: str, example: str) -> _Refused:
        self.say(row, column, found, expected, example, fatal=True)
        self.is_refused = True
        return _Refused()

    def refuse_persons(self, row: int | None, column: str, found: str, expected: str, example: str) -> _Refused:
        self.is_personal = True
        return self.refuse(row, column, found, expected, example)

    def said(self) -> list[Problem]:
        """What is wrong with it; of a file with data about persons only that."""
        if self.is_personal:
            return [each for each in self.problems if each.fatal]
        if not self.unsaid:
            return self.problems
        more = f"{self.unsaid:,} more things that are wrong"
        expected = f"none; the first {MOST_SAID} are said here"
        return [*self.problems, Problem(self.resource.path, None, "", more, expected, "")]

    def dataset(self, size: int | None, digest: str | None) -> dict[str, Any]:
        refused = max(self.rows, 1) if self.is_refused else len(self.wrong)
        return _named(self.resource) | {
            "rows": 0 if self.is_refused else self.rows - len(self.wrong), "refused": refused, "bytes": size,
            "sha256": digest, "is_checked": digest is not None,
        }  # fmt: skip

    # The file

    def unread(self, size: int | None) -> None:
        if size is None:
            expected = f"the file beside datapackage.json, as resource {self.resource.name} says"
            self.refuse(None, "", "no such file", expected, "")
        else:
            expected = f"at most {LARGEST_FILE // 1_000_000} MB: several files, or means of the measurements"
            self.refuse(None, "", f"more than {LARGEST_FILE // 1_000_000} MB", expected, "")

    def read(self, body: bytes, digest: str) -> None:
        try:
            if self.resource.sha256 not in {None, digest}:
                expected = f"the file with the hash of resource {self.resource.name}: it was changed after that"
                raise self.refuse(None, "", f"sha256:{digest}", expected, "take `hash` out, or renew it")
            if not body.strip(b"\xef\xbb\xbf \t\r\n"):
                names = ",".join(self.by_name)
                raise self.refuse(None, "", "an empty file", "at least a line with the names of the columns", names)
            rows = self._csv_rows(body) if self.resource.format == "csv" else self._geo_rows(body)
            take = {"outcomes": self._outcome, "measurements": self._measurement}.get(self.resource.role, self._post)
            for number, row in rows:
                try:
                    take(number, row)
                except _Wrong as wrong:
                    self.say(number, *wrong.said)
        except _Refused:
            self.kept = []

    def _csv_rows(self, body: bytes) -> Iterator[tuple[int, _Row]]:
        reading = _Lines(self._decoded(body), self.resource.dialect.get("commentChar", ""))
        dialect = self.resource.dialect
        reader = csv.reader(
            reading, delimiter=dialect.get("delimiter", ","), quotechar=dialect.get("quoteChar", '"'), strict=True
        )
        header: list[str] | None = None
        readers: dict[str, Any] = {}
        records = header_at = 0  # lines of the table as a spreadsheet counts them, comments and empty ones too
        while True:
            reading.at_start = True
            try:
                cells = next(reader, None)
            except csv.Error as error:
                row = records + 1 + reading.comments - header_at
                raise self._no_csv(str(error), row if header else None) from None
            if cells is None:
                break
            records += 1
            number = records + reading.comments - header_at
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header, header_at = self._header(cells), number
                readers = self._readers(header)
                continue
            self.rows += 1
            if self.rows > MOST_ROWS:
                raise self.refuse(None, "", f"more than {MOST_ROWS:,} rows", f"at most {MOST_ROWS:,}", "")
            values = self._cells(number, header, cells, readers)
            if values is not None:
                yield number, values
        if header is None:
            names = ",".join(self.by_name)
            raise self.refuse(None, "", "no line with names of columns", "the names in the first line", names)

    def _no_csv(self, error: str, row: int | None) -> _Refused:
        if "unexpected end of data" in error:
            found, expected = "a quotation mark that is never closed", "a second one where the text ends"
            return self.refuse(row, "", found, expected, '"tomatoes, early"')
        found = "text after a closing quotation mark" if "expected after" in error else error
        return self.refuse(row, "", found, "quotation marks inside a text twice", '"a ""good"" year"')

    def _decoded(self, body: bytes) -> str:
        encoding = self.resource.encoding
        if encoding.startswith("utf-8"):
            if body.startswith((b"\xff\xfe", b"\xfe\xff")):
                expected = 'UTF-8 (in a spreadsheet: save as "CSV UTF-8"), or the encoding said in the resource'
                raise self.refuse(None, "", "text in UTF-16", expected, '"encoding": "utf-16"')
            if body.startswith(b"PK\x03\x04"):
                expected = 'text: in the spreadsheet, save as "CSV UTF-8"'
                raise self.refuse(None, "", "a zipped file, perhaps a spreadsheet", expected, "")
        try:
            text = body.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            found = f"in line {line} a byte that is no {encoding.upper()}"
            if encoding == "utf-8":
                sign = body[error.start : error.start + 1].decode("windows-1252", "replace")
                guess = f" (in Windows-1252 it is {sign})" if sign.isalpha() else ""
                expected = 'UTF-8 (in a spreadsheet: save as "CSV UTF-8"), or the encoding said in the resource'
                raise self.refuse(None, "", found + guess, expected, '"encoding": "windows-1252"') from None
            raise self.refuse(None, "", found, f"text in {encoding}, as the resource says", "") from None
        except UnicodeError:
            raise self.refuse(
                None, "", f"text that is no {encoding.upper()}", "the encoding that it is in", ""
            ) from None
        if "\0" in text:
            found, expected = "a byte 0: it is no text, or in another encoding", "a text file in UTF-8"
            raise self.refuse(None, "", found, expected, '"encoding": "utf-16"')
        return text

    def _header(self, cells: Sequence[str]) -> list[str]:
        names = [cell.strip() for cell in cells]
        self._no_persons(names)
        delimiter = self.resource.dialect.get("delimiter", ",")
        if len(names) == 1 and len(self.by_name) > 1:
            for other, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "commas")):
                if other != delimiter and other in names[0]:
                    sign = "\\t" if other == "\t" else other
                    expected = f"{seen(delimiter)} as the resource says; or say what it is"
                    example = f'"dialect": {{"delimiter": "{sign}"}}'
                    if other == ";":
                        example += ', and "decimalChar": "," in fields with decimal commas'
                    raise self.refuse(None, "", f"columns divided by {called}", expected, example)
        for name in names:
            if names.count(name) > 1:
                what = f"the column {seen(name)} twice" if name else "columns without a name"
                raise self.refuse(None, name, what, "each name once", ",".join(self.by_name))
        missing = [name for name in self.by_name if name not in names]
        extra = [name for name in names if name not in self.by_name]
        for name in missing:
            close = one_of([*extra], name).partition(" (did you mean ")[2].rstrip("?)") if extra else ""
            found = f"no such column, but {seen(close)}" if close else "no such column"
            self.refuse(None, name, found, f"the columns {', '.join(self.by_name)}", ",".join(self.by_name))
        if not missing:
            for name in extra:
                expected = "only columns that the resource's schema has: add it there, or take it out of the file"
                self.refuse(None, name, "a column that is not in the schema", expected, f'{{"name": "{name[:60]}"}}')
        if missing or extra:
            raise _Refused
        return names

    def _no_persons(self, names: Sequence[str]) -> None:
        for name in names:
            if is_about_a_person(name, self.resource.role):
                expected = (
                    "no columns about persons: names, addresses, birthdays, phones and the like are not published"
                )
                example = "a column people: of how many people the row is"
                raise self.refuse_persons(None, name[:60], "a column about persons", expected, example)
        health = [
            each for each in self.by_name.values() if each.quantity and needs_people(each.quantity, self.package.kind)
        ]
        if health and "people" not in names:
            expected = "a column people: of how many people each row is an aggregate"
            found = f"{health[0].quantity} without a column people"
            raise self.refuse_persons(None, "people", found, expected, str(self.rules.fewest_people))

    def _no_address(self, number: int, name: str, cell: str) -> None:
        if "@" in cell and _EMAIL.search(cell):
            expected = "no addresses of persons: people write to the hub's contact page"
            raise self.refuse_persons(number, name, "an e-mail address", expected, "")

    def _readers(self, names: Sequence[str]) -> dict[str, Any]:
        from frictionless import Schema

        fields = [dict(self.by_name[name].descriptor) for name in names]
        schema = Schema.from_descriptor({"fields": fields, "missingValues": list(self.resource.missing)})
        return {each.name: lru_cache(4_096)(each.create_cell_reader()) for each in schema.fields}

    def _cells(
        self, number: int, header: Sequence[str], cells: Sequence[str], readers: Mapping[str, Any]
    ) -> _Row | None:
        if len(cells) != len(header):
            expected = f"{len(header)}, one for each column"
            more = len(cells) > len(header)
            delimiter = self.resource.dialect.get("delimiter", ",")
            example = f'"tomatoes{delimiter} early" in quotation marks' if more else "an empty cell where nothing is"
            self.say(number, "", f"{len(cells)} cells", expected, example)
            return None
        row = _Row()
        is_whole = True
        for name, cell in zip(header, cells, strict=True):
            self._no_address(number, name, cell)
            value, problem = self._cell(name, cell.strip(), readers[name])
            if problem:
                is_whole = False
                self.say(number, name, *problem)
            row[name] = value
            row.given[name] = cell.strip()
        return row if is_whole else None

    def _cell(self, name: str, cell: Any, reader: Any) -> tuple[Any, tuple[str, str, str] | None]:
        """The cell as its column's type; a problem where it is none."""
        described = self.by_name[name]
        if isinstance(cell, str) and len(cell) > _LONGEST_CELL:
            return None, (f"{len(cell):,} characters", f"at most {_LONGEST_CELL:,}", "")
        try:
            value, notes = reader(cell)
        except Exception:  # of readers by others, on cells by anybody
            value, notes = None, {"type": ""}
        if notes:
            return None, self._not_read(described, cell, self._shown(name, cell), notes)
        if described.type in {"number", "integer"} and value is not None:
            if isinstance(cell, str) and ("_" in cell or not cell.isascii()):
                return None, (self._shown(name, cell), "a number in digits 0 to 9", "12.5")
            try:
                is_finite = math.isfinite(float(value))
            except (OverflowError, ValueError):
                is_finite = False
            if not is_finite:
                expected = "a number; an empty cell where nothing was measured"
                return None, (self._shown(name, cell), expected, "12.5")
        return value, None

    def _shown(self, name: str, cell: Any) -> str:
        is_place = name in {"latitude", "longitude"} and self.package.is_private
        return "what is no such number" if is_place else seen(cell)

    def _not_read(self, described: TableField, cell: Any, found: str, notes: Mapping[str, str]) -> tuple[str, str, str]:
        if "type" not in notes:
            limits = ", ".join(f"{name} {described.descriptor['constraints'].get(name)}" for name in notes)
            return found, f"what the schema's constraints allow: {limits}", ""
        expected, example = _EXPECTED.get(described.type, (f"a value of type {described.type}", ""))
        if described.type in {"number", "integer"} and isinstance(cell, str) and "," in cell:
            comma = cell.replace(",", ".", 1)
            expected += ' with a decimal point, or `"decimalChar": ","` in the column\'s field'
            example = comma if comma.replace(".", "", 1).isdigit() else example
        if described.type == "date" and isinstance(cell, str):
            expected, example = _expected_date(cell, described, expected, example)
        return found, expected, example

    def _geo_rows(self, body: bytes) -> Iterator[tuple[int, _Row]]:
        from coevo_pipelines.hubs.geodata import read_geo

        form: Any = self.resource.format
        rows, problems = read_geo(body, form, (self.package.latitude, self.package.longitude))
        self._no_persons(list(dict.fromkeys(name for each in rows for name in each.properties)))
        for each in problems:
            is_place = self.package.is_private and each.row is not None
            self.say(
                each.row, each.column, "a place that cannot be" if is_place else each.found, each.expected,
                "" if is_place else each.example, fatal=each.fatal,
            )  # fmt: skip
            self.is_refused = self.is_refused or each.fatal
        if self.is_refused:
            raise _Refused
        self.rows += len({each.row for each in problems if each.row is not None})
        for name in dict.fromkeys(name for each in rows for name in each.properties if name not in self.by_name):
            expected = "only properties that the resource's schema has: it is not read"
            self.say(None, name[:60], "a property that is not in the schema", expected, f'{{"name": "{name[:60]}"}}')
        missing = [name for name in self.by_name if not any(name in row.properties for row in rows)]
        if rows and missing:
            raise self.refuse(None, missing[0], "no such property", f"the properties {', '.join(self.by_name)}", "")
        readers = self._readers(list(self.by_name))
        for feature in rows:
            self.rows += 1
            row = _Row()
            is_whole = True
            for name in self.by_name:
                given = _as_text(feature.properties.get(name))
                self._no_address(feature.row, name, given)
                value, problem = self._cell(name, given, readers[name])
                if problem:
                    is_whole = False
                    self.say(feature.row, name, *problem)
                row[name], row.given[name] = value, given
            if feature.latitude is not None and feature.longitude is not None:
                row.geometry = (feature.latitude, feature.longitude)
            if is_whole:
                yield feature.row, row

    # Rows by role

    def _post(self, number: int, row: _Row) -> None:
        from coevo_pipelines.hubs.units import amount, count_unit

        post_id = _text(row, "id", "a name of your own for the row", "n1", 100)
        if post_id in self.keys:
            raise _Wrong(
                "id", f"{seen(post_id)}, which row {self.keys[post_id]} has too", "each id once", f"{post_id}-2"
            )
        self.keys[post_id] = number
        kind = row.get("kind") or self.package.kind
        if kind not in HUB_KINDS:
            raise _Wrong("kind", seen(kind), one_of(HUB_KINDS, str(kind)), self.package.kind)
        unit = _text(row, "unit", "the unit of the amount", "kg", 60)
        if row.get("amount") is None:
            raise _Wrong("amount", "nothing", "a number above 0", "12.5")
        with _unit_problem("unit"):
            count_unit(unit)
        with _unit_problem("amount"):
            size, code = amount(_digits(row["amount"]), unit)
        received = 0
        if row.get("received") is not None:
            with _unit_problem("received"):
                received = amount(_digits(row["received"]), unit, zero=True)[0]
        first, last = self._days(row, "2019-04-30")
        priority = row.get("priority")
        if priority is not None and (priority != int(priority) or not 1 <= priority <= 5):
            raise _Wrong("priority", seen(row.given["priority"]), "a whole number, 1 (can wait) to 5 (urgent)", "3")
        most_km = row.get("most_km")
        if most_km is not None and most_km < 0:
            raise _Wrong("most_km", seen(row.given["most_km"]), "kilometres, 0 or more", "30")
        self.kept.append(
            {
                "side": "need" if self.resource.role == "needs" else "offer", "post_id": post_id, "kind": kind,
                "item": plain(_text(row, "item", "what, in a word or two", "seed potatoes", 200)), "amount": size,
                "received": received if self.resource.role == "needs" else 0, "unit": code,
                "given": f"{row.given['amount']} {unit}", "from_at": first, "until_at": last + timedelta(days=1),
                "latitude": self.package.latitude, "longitude": self.package.longitude,
                "most_km": None if most_km is None else float(most_km), "by_post": bool(row.get("by_post")),
                "priority": int(priority) if priority is not None and self.resource.role == "needs" else 3,
            }
        )  # fmt: skip

    def _days(self, row: _Row, example: str) -> tuple[datetime, datetime]:
        """The midnights with which the first and the last day begin."""
        for column in ("from", "until"):
            if row.get(column) is None:
                raise _Wrong(column, "nothing", "a date", example)
            if not 1000 <= row[column].year <= 2200:
                raise _Wrong(column, seen(row.given[column]), "a year from 1000 to 2200", example)
        if row["until"] < row["from"]:
            expected = f"the last day, on or after the first ({row['from']})"
            raise _Wrong("until", seen(row.given["until"]), expected, str(row["from"]))
        return midnight(row["from"]), midnight(row["until"])

    def _people(self, number: int, row: _Row, quantities: Mapping[str, float]) -> int | None:
        """Of how many people a row is; a file with an aggregate of too few is refused."""
        fewest = self.rules.fewest_people
        people = row.get("people")
        if people is not None and (people < 0 or people != int(people) or people > _MOST_MEASURED):
            raise _Wrong("people", seen(row.given["people"]), "a whole number, 0 or more", "24")
        asks = [name for name in quantities if needs_people(name, self.package.kind)]
        expected = f"at least {fewest} people in a row: join groups until there are so many"
        few = people is not None and 0 < people < fewest
        for name in asks:
            from coevo_pipelines.hubs.units import QUANTITIES

            few = few or (QUANTITIES[name].unit == "{person}" and 0 < quantities[name] < fewest)
        if few:
            raise self.refuse_persons(
                number, "people", f"an aggregate of fewer than {fewest} people", expected, str(fewest)
            )
        if asks and not people:
            found = f"{asks[0]} of nobody knows how many people"
            raise self.refuse_persons(number, "people", found, expected, str(fewest))
        return None if people is None else int(people)

    def _outcome(self, number: int, row: _Row) -> None:
        from coevo_pipelines.hubs.units import QUANTITIES, conversion, to_si

        practice = plain(_text(row, "practice", "what was done", "cover crops", 200))
        quantity = _text(row, "quantity", one_of(QUANTITIES), "soil_organic_carbon", 100)
        if quantity not in QUANTITIES:
            raise _Wrong("quantity", seen(quantity), one_of(QUANTITIES, quantity), "soil_organic_carbon")
        known = QUANTITIES[quantity]
        if known.better not in {"up", "down"}:
            expected = "a quantity of which more, or less, is better"
            raise _Wrong("quantity", f"{seen(quantity)}, of which neither is", expected, "yield")
        unit = _text(row, "unit", f"the unit of {quantity}", _example(quantity), 60)
        with _unit_problem("unit"):
            conversion(unit, quantity)
        values: dict[str, float | None] = {}
        code = ""
        for column in ("before", "after"):
            if row.get(column) is None:
                raise _Wrong(column, "nothing", "a number: the mean", "18.2")
            with _unit_problem(column):
                values[column], code = to_si(float(row[column]), unit, quantity)
        people = self._people(number, row, {quantity: min(values["before"] or 0.0, values["after"] or 0.0)})
        values |= _spreads(row, unit, quantity)
        known_practices = self.package.practices
        if known_practices and practice not in known_practices:
            expected = f"{one_of(known_practices, practice)}, as hub.practices has them; a new one is added there"
            raise _Wrong("practice", seen(practice), expected, known_practices[0])
        first, last = self._days(row, "2018-10-15")
        if last.date() > self.package.created.date():
            expected = f"a day that is over when the package is made ({self.package.created.date()})"
            raise _Wrong("until", seen(row.given["until"]), expected, str(self.package.created.date()))
        method = row.get("method") or self.resource.method or self.package.method
        if not method:
            raise _Wrong("method", "nothing, here and in hub.context", "how it was measured", "ISO 10694")
        outcome = {
            "practice": practice, "quantity": quantity, "better": known.better, **values, "unit": code,
            "given_unit": unit, "people": people, "from_at": first, "until_at": last, "method": str(method).strip(),
            "soil": self.package.soil, "climate": self.package.climate,
        }  # fmt: skip
        key = tuple(sorted((name, str(value)) for name, value in outcome.items()))
        if key in self.keys:
            raise _Wrong("", f"the same as row {self.keys[key]}", "each outcome once", "")
        self.keys[key] = number
        self.kept.append({"row": number} | outcome)

    def _measurement(self, number: int, row: _Row) -> None:
        from coevo_pipelines.hubs.units import to_si

        given = {
            each.quantity: each for each in self.by_name.values() if each.quantity and row.get(each.name) is not None
        }
        found: dict[str, tuple[float, str]] = {}
        problem: _Wrong | None = None
        for quantity, each in given.items():
            try:
                with _unit_problem(each.name):
                    found[quantity] = to_si(float(row[each.name]), each.unit or "", quantity)
            except _Wrong as wrong:
                problem = wrong
        people = self._people(number, row, {name: value for name, (value, _) in found.items()})
        if problem:
            raise problem
        place = self._place_of(row)
        taken = self._taken(row)
        for quantity, (value, code) in found.items():
            each = given[quantity]
            self.kept.append(
                {
                    "resource": self.resource.name, "row": number, "quantity": quantity, "value": value, "unit": code,
                    "given": str(row.given[each.name]), "given_unit": each.unit, "taken_at": taken,
                    "latitude": place and place[0], "longitude": place and place[1], "people": people,
                }
            )  # fmt: skip

    def _taken(self, row: _Row) -> datetime | None:
        taken = row.get("taken_on")
        if taken is None:
            if "taken_on" in self.by_name:
                raise _Wrong("taken_on", "nothing", "when it was measured", "2019-03-20")
            return None
        if isinstance(taken, datetime):
            try:
                moment = taken.replace(tzinfo=UTC) if taken.tzinfo is None else taken.astimezone(UTC)
            except OverflowError:
                raise _Wrong(
                    "taken_on", seen(row.given["taken_on"]), "a year from 1000 to 2200", "2019-03-20"
                ) from None
        else:
            moment = midnight(taken)
        if not 1000 <= moment.year <= 2200:
            raise _Wrong("taken_on", seen(row.given["taken_on"]), "a year from 1000 to 2200", "2019-03-20")
        if moment.date() > self.package.created.date():
            expected = f"a day not after the package was made ({self.package.created.date()})"
            raise _Wrong("taken_on", seen(row.given["taken_on"]), expected, str(self.package.created.date()))
        return moment

    def _place_of(self, row: _Row) -> tuple[float, float] | None:
        place = row.geometry
        if place is None:
            latitude, longitude = row.get("latitude"), row.get("longitude")
            if latitude is None and longitude is None:
                return None
            for column, value, most, example in (
                ("latitude", latitude, 90, "52.13"),
                ("longitude", longitude, 180, "11.63"),
            ):
                if value is None or abs(value) > most:
                    found = "nothing" if value is None else self._shown(column, row.given[column])
                    raise _Wrong(column, found, f"degrees from -{most} to {most}", example)
            place = (float(row["latitude"]), float(row["longitude"]))
        if self.package.is_private:
            return cell_centre(place[0], place[1], self.rules.home_km)
        return float(place[0]), float(place[1])


class _Lines:
    """The lines of a CSV text; those that begin a record with the comment sign are passed over and counted."""

    def __init__(self, text: str, comment: str) -> None:
        import io

        self._lines = io.StringIO(text, newline="")
        self._comment = comment
        self.comments = 0
        self.at_start = True

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        while True:
            line = next(self._lines)
            if self.at_start and self._comment and line.startswith(self._comment):
                self.comments += 1
                continue
            self.at_start = False
            return line


_EXPECTED: Mapping[str, tuple[str, str]] = {
    "number": ("a number", "12.5"),
    "integer": ("a whole number", "12"),
    "boolean": ("true or false", "true"),
    "date": ("a date, year-month-day", "2019-03-25"),
    "datetime": ("a date and time", "2019-03-25T14:30:00Z"),
}


def _expected_date(cell: str, described: TableField, expected: str, example: str) -> tuple[str, str]:
    """What to write in place of a date such as 31.02.2019 or 5/3/2019."""
    form = str(described.descriptor.get("format", "default"))
    if form != "default":
        return f"a date as {form}, as the schema says", ""
    match = re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", cell.strip(), re.ASCII)
    numbers = match or re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", cell.strip(), re.ASCII)
    if numbers is None:
        return expected, example
    year, month, day = (int(each) for each in (numbers.groups()[::-1] if match else numbers.groups()))
    try:
        meant = date(year, month, day)
    except ValueError:
        return f"a day that the calendar has, {expected.partition(', ')[2]}", example
    hint = ', or `"format": "%d.%m.%Y"` in the column\'s field' if "." in cell else ""
    return f"{expected}{hint}", meant.isoformat()


def _text(row: _Row, column: str, expected: str, example: str, most: int) -> str:
    value = row.get(column)
    text = "" if value is None else str(value).strip()
    if not text:
        raise _Wrong(column, "nothing", expected, example)
    if len(text) > most or not text.isprintable():
        found = f"{len(text):,} characters" if len(text) > most else f"{seen(text)}, with signs that cannot be seen"
        raise _Wrong(column, found, f"{expected}, at most {most} characters on one line", example)
    return text


def _as_text(value: Any) -> str:
    """A property of GeoJSON as the cell of a table: readers of types begin with text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str) else str(value)


@contextmanager
def _unit_problem(column: str) -> Iterator[None]:
    """What `units` refuses is a problem of this column."""
    from coevo_pipelines.hubs.units import UnitError

    try:
        yield
    except UnitError as error:
        raise _Wrong(column, seen(error.found), error.expected, error.example) from None


def _digits(value: Any) -> str:
    """A number as `amount` reads it: no exponent."""
    return format(value, "f") if abs(value) < 10**30 else str(value)


def _spreads(row: _Row, unit: str, quantity: str) -> dict[str, float | None]:
    """Standard deviations (SI) and numbers of measurements, before and after."""
    from coevo_pipelines.hubs.units import spread_to_si

    found: dict[str, float | None] = {}
    for when in ("before", "after"):
        spread, many = row.get(f"sd_{when}"), row.get(f"n_{when}")
        with _unit_problem(f"sd_{when}"):
            found[f"sd_{when}"] = None if spread is None else spread_to_si(float(spread), unit, quantity)
        if many is not None and (many < 1 or many != int(many) or many > _MOST_MEASURED):
            raise _Wrong(f"n_{when}", seen(row.given[f"n_{when}"]), "a whole number, 1 or more", "12")
        found[f"n_{when}"] = None if many is None else int(many)
    return found


def _example(quantity: str) -> str:
    from coevo_pipelines.hubs.units import QUANTITIES

    return next(iter(QUANTITIES[quantity].examples), "")
