"""A package's descriptor: what is read of it, and what is said of each thing that is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.package import Rules, read_descriptor
from coevo_pipelines.hubs.problems import Problem, one_of, seen
from coevo_pipelines.lake.schemas import table
from coevo_pipelines_tests.hubs.packages import DESCRIPTOR, NEEDS, REMOVE, RULES, SOIL, as_bytes, changed, package


def lines(*changes: tuple[str, Any]) -> list[str]:
    return [each.line() for each in read_descriptor(as_bytes(changed(*changes)), RULES)[1]]


def test_a_whole_package() -> None:
    found = package()
    assert found.hub_id == "hub:green-valley"
    assert (found.created, found.since) == (datetime(2019, 3, 20, tzinfo=UTC), datetime(2017, 5, 1, tzinfo=UTC))
    assert found.practices == ("cover crops", "compost")
    assert (found.latitude, found.longitude, found.coarsened_km) == (52.1301, 11.6302, None)
    assert (found.license, found.contact) == ("CC-BY-4.0", "https://example.org/contact")
    assert (found.consent_by, found.consent_at) == ("the members' meeting", datetime(2019, 3, 1, tzinfo=UTC))
    assert [each.path for each in found.sources] == ["hub:other-hub"]
    assert [(each.title, each.roles, each.path) for each in found.contributors] == [
        ("Ada", ("author",), "https://github.com/ada")
    ]
    assert [(each.name, each.role, each.format) for each in found.resources] == [
        ("needs", "needs", "csv"), ("offers", "offers", "csv"), ("outcomes", "outcomes", "csv"),
        ("soil", "measurements", "csv"), ("photo", "media", "image"),
    ]  # fmt: skip
    assert (found.resources[3].fields[3].quantity, found.resources[3].fields[3].unit) == ("soil_organic_carbon", "g/kg")


def test_its_row_is_one_of_hubs_packages() -> None:
    of_the_table = {each.name for each in table("hubs.packages").columns}
    assert set(package().row()) == of_the_table - {"event_at", "observed_at", "raw_sha256"}


WRONG: list[tuple[str, Any, str]] = [
    ("name", "Green Valley", "property name: found 'Green Valley', expected 2 to 63 small letters"),
    ("name", REMOVE, "property name: found nothing, expected 2 to 63 small letters"),
    ("title", "  ", "property title: found '  ', expected the hub's name for people"),
    ("title", 7, "property title: found 7, expected the hub's name for people"),
    ("created", "2019-03-20", "created: found '2019-03-20', expected a time too, such as 2019-03-20T00:00:00Z"),
    ("created", "20.03.2019", "property created: found '20.03.2019', expected the moment when this version"),
    ("created", "2019-02-31T00:00:00Z", "property created: found '2019-02-31T00:00:00Z', expected the moment"),
    ("created", "9999-12-31T23:59:59-12:00", "property created: found '9999-12-31T23:59:59-12:00', expected"),
    ("licenses", REMOVE, "property licenses: found nothing, expected under which licence"),
    ("licenses", [{}], "property licenses: found a list of 1, expected under which licence"),
    ("hub", REMOVE, "property hub: found nothing, expected an object in { }"),
    ("hub.kind", "foot", "(did you mean food?)"),
    ("hub.kind", ["food"], "property hub.kind: found a list of 1, expected one of food, housing"),
    ("hub.place.latitude", "52,13", "property hub.place.latitude: found '52,13', expected degrees as a number"),
    ("hub.place.latitude", 91, "property hub.place.latitude: found 91, expected degrees as a number from -90 to 90"),
    ("hub.place.longitude", REMOVE, "property hub.place.longitude: found nothing, expected degrees as a number"),
    ("hub.place.latitude", True, "property hub.place.latitude: found true, expected degrees"),
    ("hub.place.private", "yes", "property hub.place.private: found 'yes', expected true for somebody's home"),
    ("hub.contact", "me@example.org", "property hub.contact: found 'me@example.org', expected the address of a page"),
    ("hub.consent", REMOVE, "property hub.consent: found nothing, expected an object in { }"),
    ("hub.consent.given", False, "property hub.consent.given: found false, expected true, once those"),
    ("hub.consent.given", "true", "property hub.consent.given: found 'true', expected true, once those"),
    ("hub.consent.date", "2019-03-21", "property hub.consent.date: found '2019-03-21', expected the day when they"),
    ("hub.consent.by", REMOVE, "property hub.consent.by: found nothing, expected who agreed"),
    ("hub.context.soil", REMOVE, "hub.context.soil: found nothing, expected the soil in a word or two, or unknown"),
    ("hub.context.climate", "mild", "property hub.context.climate: found 'mild', expected the Köppen-Geiger class"),
    ("hub.context.method", "", "property hub.context.method: found nothing, expected how the numbers are found"),
    ("hub.context", [], "property hub.context: found a list of 0, expected an object in { }"),
    ("resources", [], "property resources: found a list of 0, expected the files of the package"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_what_a_hub_cannot_be_without_is_fatal(path: str, value: Any, said: str) -> None:
    found, problems = read_descriptor(as_bytes(changed((path, value))), RULES)
    assert found is None
    assert any(said in each.line() and each.fatal for each in problems), [each.line() for each in problems]


OPTIONAL: list[tuple[str, Any, str]] = [
    ("$schema", "https://example.org/profile.json", "property $schema: found 'https://example.org/profile.json'"),
    ("homepage", "javascript:alert(1)", "property homepage: found 'javascript:alert(1)', expected an address"),
    ("keywords", "soil", "property keywords: found 'soil', expected a list of texts in [ ]"),
    ("contributors", [{"roles": ["author"]}], "property contributors[0].title: found nothing, expected a name"),
    ("contributors", [{"title": "Ada", "email": "ada"}], '"contributors[].email" is not valid "email"'),
    ("sources", ["x"], "property sources[0]: found 'x', expected an object in { }"),
    ("hub.practises", [], "property hub.practises: found a property that is not known, expected one of kind"),
    ("hub.place.privat", True, "(did you mean private?)"),
    (
        "hub.since",
        "2020-01-01",
        "property hub.since: found '2020-01-01', expected the day when the hub first published",
    ),
    ("hub.languages", ["Deutsch sprechen"], "property hub.languages[0]: found 'Deutsch sprechen'"),
    ("hub.place.area", {"type": "Point", "coordinates": [1, 2]}, "property hub.place.area: found type 'Point'"),
]


@pytest.mark.parametrize(("path", "value", "said"), OPTIONAL)
def test_what_is_optional_is_said_and_left_out(path: str, value: Any, said: str) -> None:
    found, problems = read_descriptor(as_bytes(changed((path, value))), RULES)
    assert found is not None
    assert any(said in each.line() and not each.fatal for each in problems), [each.line() for each in problems]


OUTSIDE = (
    "../needs.csv", "/etc/passwd", "a/../../b.csv", "C:\\needs.csv", "C:/needs.csv", "..", ".", "", "a//b.csv", "a/",
    "https://example.org/needs.csv", "file:///etc/passwd", "~/needs.csv", "needs.csv\0", "needs\n.csv", "%2e%2e/a.csv",
    ".ssh/key.csv", "a" * 300 + ".csv", ["needs.csv"], 7, None, REMOVE, "s3://bucket/a.csv", "\\\\server\\a.csv",
)  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_outside_of_the_package(path: Any) -> None:
    found, problems = read_descriptor(as_bytes(changed(("resources.0.path", path))), RULES)
    assert found is not None
    assert "needs" not in [each.name for each in found.resources]
    assert any("expected one file inside the package's folder" in each.line() for each in problems)


def test_a_file_below_the_folder_is_inside() -> None:
    assert package(("resources.0.path", "data/Bedürfnisse 2019.csv")).resources[0].path == "data/Bedürfnisse 2019.csv"


OF_A_FILE: list[tuple[str, Any, str]] = [
    ("resources.0.schema", "schema.json", "resources.needs.schema: found 'schema.json', expected a Table Schema here"),
    ("resources.0.schema", "https://example.org/s.json", "expected a Table Schema here, an object in { }"),
    ("resources.0.dialect", "dialect.json", "resources.needs.dialect: found 'dialect.json', expected a Table Dialect"),
    ("resources.0.dialect", {"delimiter": ";;"}, "needs.dialect.delimiter: found ';;', expected one character"),
    ("resources.0.dialect", {"delimiter": "#", "commentChar": "#"}, "the same character for two things"),
    ("resources.0.dialect", {"header": False}, "resources.needs.dialect.header: found false, expected true"),
    ("resources.0.encoding", "klingon", "resources.needs.encoding: found 'klingon', expected one of utf-8"),
    ("resources.0.role", "need", "(did you mean needs?)"),
    ("resources.0.name", "offers", "resources[1].name: found 'offers' a second time, expected each name once"),
    ("resources.0.path", "offers.csv", "resources[1].path: found 'offers.csv' a second time, expected each file once"),
    ("resources.3.role", "needs", "found a second file with role needs, expected one file with role needs"),
    ("resources.0.path", "needs.xlsx", "a spreadsheet is saved as CSV (UTF-8) first"),
    ("resources.0.format", "geojson", "resources.needs.format: found 'geojson', expected csv: needs are a table"),
    ("resources.0.hash", "d41d8cd98f00b204e9800998ecf8427e", "resources.needs.hash: found 'd41d8cd98f00b204e980"),
    ("resources.0.schema.fields", NEEDS[1:], "needs.schema.fields: found no such column, expected a column id"),
    ("resources.0.schema.fields", [*NEEDS, NEEDS[0]], "found the column 'id' twice, expected each name once"),
    ("resources.0.schema.fields", [*NEEDS, 7], "resources.needs.schema.fields[11]: found 7, expected an object"),
    ("resources.0.schema.fields.3.type", "string", "fields.amount: found type string, expected type number or integer"),
    ("resources.0.schema.fields.3.type", "numbr", "(did you mean number?)"),
    ("resources.0.schema.fields.3.decimalChar", ",,", "fields.amount.decimalChar: found ',,'"),
    ("resources.0.schema.fields.5.format", "any", "fields.from.format: found 'any'"),
    ("resources.0.schema.fields.3.constraints", {"minimum": "x"}, "constraints.minimum: found 'x', expected a value"),
    ("resources.0.schema.missingValues", "-", "schema.missingValues: found '-', expected a list of texts"),
    ("resources.3.schema.fields.3.quantity", "soil_organic_carbn", "(did you mean soil_organic_carbon?)"),
    ("resources.3.schema.fields.3.unit", "kg", "fields.soc.unit: found 'kg', expected"),
    ("resources.3.schema.fields.3.unit", REMOVE, "fields.soc.unit: found nothing, expected the unit of"),
    ("resources.3.schema.fields.3.type", "string", "found 'string', expected number, as the column"),
    ("resources.3.schema.fields", SOIL[:3], "found none that measures something, expected at least one column"),
    ("resources.3.schema.fields", SOIL[1:], "found no such column, expected a column taken_on: when it was measured"),
    ("resources.3.schema.fields", [*SOIL, SOIL[3] | {"name": "soc_deep"}], "found two columns with quantity soil"),
    ("resources.3.schema.fields", [SOIL[0], SOIL[1], SOIL[3]], "found latitude without longitude"),
    ("resources.3.schema.fields", [*SOIL, {"name": "patient_id"}], "found the column 'patient_id', expected no"),
    ("resources.4.path", "a.jpg", "resources.photo.path: found 'a.jpg', expected the address where"),
    ("resources.4.path", "ftp://example.org/a.jpg", "resources.photo.path: found 'ftp://example.org/a.jpg', expected"),
    ("resources.4.hash", REMOVE, "resources.photo.hash: found nothing, expected sha256:"),
    ("resources.4.mediatype", "text/html", "resources.photo.mediatype: found 'text/html', expected image/"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said"), OF_A_FILE)
def test_what_is_wrong_of_one_file_leaves_the_others(path: str, value: Any, said: str) -> None:
    found, problems = read_descriptor(as_bytes(changed((path, value))), RULES)
    assert found is not None
    assert any(said in each.line() for each in problems), [each.line() for each in problems]
    assert not any(each.fatal for each in problems)
    whole = [each for each in found.resources if not each.refused]
    assert 3 <= len(whole) < 5


NO_JSON: list[tuple[bytes, str]] = [
    (b"", "found an empty file, expected JSON"),
    (b"\xef\xbb\xbf \n", "found an empty file, expected JSON"),
    (as_bytes(DESCRIPTOR)[:-40], "found no JSON at line 1"),
    (b'{"name": "x",}', "found no JSON at line 1, character 14"),
    (b"[1]", "found a list of 1, expected an object in { }"),
    (b"null", "found nothing, expected an object in { }"),
    (b"\xff\xfe{\0}\0", "found text in UTF-16, expected text in UTF-8"),
    ('{"title": "Grün"}'.encode("latin-1"), "which is no UTF-8, expected text in UTF-8"),
    (b"[" * 100_000, "found lists or objects nested very deep"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "found lists or objects nested very deep"),
    (b'{"a": NaN}', "found NaN, which is no number"),
    (b'{"a": ' + b"9" * 5_000 + b"}", "found a number of thousands of digits"),
    (b'{"name": "a1", "name": "b1"}', "found the property 'name' twice in one object"),
    (b'{"name": "\\ud800"}', "found half of a character"),
    (b" " * 1_000_001, "found 1,000,001 bytes, expected at most 1,000,000 bytes"),
]


@pytest.mark.parametrize(("body", "said"), NO_JSON)
def test_what_is_no_json(body: bytes, said: str) -> None:
    found, problems = read_descriptor(body, RULES)
    assert found is None
    assert [each.fatal for each in problems] == [True]
    assert said in problems[0].line() and problems[0].line().startswith("datapackage.json: ")


def test_a_byte_order_mark_is_read_over() -> None:
    assert read_descriptor(b"\xef\xbb\xbf" + as_bytes(DESCRIPTOR), RULES)[1] == []


def test_a_private_home_is_moved_and_its_area_is_not_kept() -> None:
    area = {"type": "Polygon", "coordinates": [[[11.6, 52.1], [11.7, 52.1], [11.7, 52.2], [11.6, 52.1]]]}
    assert package(("hub.place.area", area)).area is not None
    found = package(("hub.place.area", area), ("hub.place.private", True))
    assert (found.latitude, found.longitude) != (52.1301, 11.6302)
    assert abs(found.latitude - 52.1301) < 0.01 and abs(found.longitude - 11.6302) < 0.02
    assert (found.area, found.coarsened_km, found.is_private) == (None, 1.0, True)


def test_a_private_home_names_no_house() -> None:
    said = lines(("hub.place.private", True), ("hub.place.name", "Rosenweg 5, Magdeburg"))
    assert said == [
        "datapackage.json, property hub.place.name: found 'Rosenweg 5, Magdeburg', expected the town or region of a "
        "private home, without the number of a house or a postcode, such as Magdeburg"
    ]


def test_what_nobody_knows_is_not_the_same_as_what_nobody_else_knows() -> None:
    found = package(("hub.context", {"soil": "Unknown", "climate": "unknown", "method": "unknown"}))
    assert (found.soil, found.climate, found.method) == (None, None, None)


def test_context_depends_on_the_kind() -> None:
    assert package(("hub.kind", "clothing"), ("hub.context", {"method": "weighed"})).soil is None
    assert any("data of kind housing mean little without" in each for each in lines(
        ("hub.kind", "housing"), ("hub.context", {"method": "weighed"})
    ))  # fmt: skip


def test_problems_in_words() -> None:
    problem = Problem("needs.csv", 3, "amount", seen("ten"), "a number above 0", "12.5")
    assert problem.line() == "needs.csv row 3, column amount: found 'ten', expected a number above 0, such as 12.5"
    assert seen("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert len(seen("x" * 500)) <= 82
    assert one_of(("food", "housing"), "Houssing") == "one of food, housing (did you mean housing?)"


def tree(value: Any) -> st.SearchStrategy[Any]:
    """Like `value`, with anything in place of any part of it."""
    anything = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.just([]),
        st.just({}), st.just([None]), st.just({"": {}}), st.just(10**400),
    )  # fmt: skip
    if isinstance(value, dict):
        kept: st.SearchStrategy[Any] = st.fixed_dictionaries(
            {}, optional={name: tree(inner) for name, inner in value.items()}
        ).map(lambda found: {**value, **found})
        return st.one_of(kept, kept, kept, anything)
    if isinstance(value, list) and value:
        return st.one_of(st.lists(st.one_of(*map(tree, value)), max_size=4), st.just(value), anything)
    return st.one_of(st.just(value), anything)


@settings(max_examples=150, deadline=None)
@given(tree(DESCRIPTOR))
@example({"resources": [{"schema": {"fields": [{"name": "a", "constraints": {"enum": [{}]}}]}}]})
@example(changed(("resources.0.schema.fields.3.constraints", {"enum": [[], {}], "minLength": 3})))
@example(changed(("resources.0.schema.fields.3.missingValues", 7)))
@example(changed(("resources.0.schema.missingValues", [{}])))
@example(changed(("licenses", [{"name": "x"}, 7])))
@example(changed(("hub.place.latitude", 10**400)))
@example(changed(("$schema", [])))
def test_no_json_makes_it_raise(value: Any) -> None:
    found, problems = read_descriptor(as_bytes(value), RULES)
    assert (found is None) == any(each.fatal for each in problems)
    for each in problems:
        assert each.line().isprintable() and each.expected and each.found


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.builds(
    lambda at, put: as_bytes(DESCRIPTOR)[:at] + put + as_bytes(DESCRIPTOR)[at:],
    st.integers(0, len(as_bytes(DESCRIPTOR))), st.binary(min_size=1, max_size=4),
)))  # fmt: skip
def test_no_bytes_make_it_raise(body: bytes) -> None:
    found, problems = read_descriptor(body, Rules())
    assert found is not None or any(each.fatal for each in problems)


def test_descriptors_of_the_tests_are_json() -> None:
    assert json.loads(as_bytes(DESCRIPTOR)) == DESCRIPTOR
