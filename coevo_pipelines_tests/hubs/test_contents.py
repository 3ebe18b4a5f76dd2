"""The tables of a package: what their rows become, and what is said of each that is wrong."""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs import contents as module
from coevo_pipelines.hubs.contents import Contents, read_contents
from coevo_pipelines.hubs.package import Rules
from coevo_pipelines.lake import schemas
from coevo_pipelines_tests.hubs.packages import FILES, NEEDS, SOIL, contents, fields, package

NEEDS_HEAD = FILES["needs.csv"].partition("\n")[0] + "\n"
OFFERS_HEAD = FILES["offers.csv"].partition("\n")[0] + "\n"
OUTCOMES_HEAD = FILES["outcomes.csv"].partition("\n")[0] + "\n"
SOIL_HEAD = FILES["soil.csv"].partition("\n")[0] + "\n"
NEED = "n1,potatoes,,12.5,kg,2019-03-25,2019-04-30,30,false,5,2\n"
OUTCOME = "compost,soil_organic_carbon,g/kg,18.2,21.9,2.1,2.4,12,12,,2016-03-01,2018-10-15,\n"


def lines(found: Contents) -> list[str]:
    return [each.line() for each in found.problems]


def of(found: Contents, resource: str) -> dict[str, Any]:
    return next(each for each in found.datasets if each["resource"] == resource)


def test_a_whole_package() -> None:
    found = contents()
    assert found.problems == []
    need, offer = found.posts
    assert (need["side"], need["item"], need["kind"], need["amount"], need["received"], need["unit"]) == (
        "need", "seed potatoes", "food", 12_500, 2_000, "kg",
    )  # fmt: skip
    assert (need["given"], need["priority"], need["most_km"], need["by_post"]) == ("12.5 kg", 5, 30.0, False)
    assert (need["from_at"], need["until_at"]) == (datetime(2019, 3, 25, tzinfo=UTC), datetime(2019, 5, 1, tzinfo=UTC))
    assert (offer["amount"], offer["unit"], offer["priority"], offer["received"]) == (40_000, "{meal}", 3, 0)
    (outcome,) = found.outcomes
    assert (outcome["practice"], outcome["better"], outcome["unit"]) == ("cover crops", "up", "kg/kg")
    assert [outcome[name] for name in ("before", "after", "sd_before", "sd_after")] == pytest.approx(
        [0.0182, 0.0219, 0.0021, 0.0024]
    )
    assert (outcome["method"], outcome["soil"], outcome["climate"]) == ("weighed", "loam", "Cfb")
    assert [(each["row"], each["value"], each["given"], each["latitude"]) for each in found.measurements] == [
        (1, pytest.approx(0.0182), "18.2", 52.1301), (2, pytest.approx(0.019), "19", None),
    ]  # fmt: skip
    assert found.sha256_of["soil"] == hashlib.sha256(FILES["soil.csv"].encode()).hexdigest()
    photo = of(found, "photo")
    assert (photo["rows"], photo["is_checked"], photo["format"], photo["sha256"]) == (None, False, "image", "0" * 64)
    assert (of(found, "needs")["rows"], of(found, "needs")["refused"], of(found, "needs")["is_checked"]) == (1, 0, True)


def test_rows_are_those_of_the_lake() -> None:
    found = contents()
    more = {"hub_id", "event_at", "observed_at", "raw_sha256"}
    for name in ("datasets", "measurements", "outcomes", "posts"):
        of_the_table = {each.name for each in schemas.table(f"hubs.{name}").columns}
        for row in getattr(found, name):
            assert set(row) == of_the_table - more


ROWS: list[tuple[str, str, str]] = [
    ("needs.csv", NEED.replace("12.5", "ten"), "row 1, column amount: found 'ten', expected a number, such as 12.5"),
    ("needs.csv", NEED.replace("12.5", "0"), "row 1, column amount: found '0', expected a number above 0"),
    ("needs.csv", NEED.replace("12.5", "-3"), "row 1, column amount: found '-3', expected a number above 0"),
    ("needs.csv", NEED.replace("12.5", ""), "row 1, column amount: found nothing, expected a number above 0"),
    ("needs.csv", NEED.replace("12.5", "NaN"), "row 1, column amount: found 'NaN', expected a number; an empty cell"),
    ("needs.csv", NEED.replace("12.5", "inf"), "row 1, column amount: found 'inf', expected a number; an empty cell"),
    ("needs.csv", NEED.replace("12.5", "1e999"), "row 1, column amount: found '1e999', expected a number"),
    ("needs.csv", NEED.replace("12.5", "1_000"), "row 1, column amount: found '1_000', expected a number in digits"),
    ("needs.csv", NEED.replace("12.5", "١٢"), "row 1, column amount: found '١٢', expected a number in digits 0 to 9"),
    ("needs.csv", NEED.replace("12.5", "0.0001"), "row 1, column amount: found "),
    ("needs.csv", NEED.replace("12.5", "1e18"), "row 1, column amount: found "),
    ("needs.csv", NEED.replace("12.5", '"12,5"'),
     "column amount: found '12,5', expected a number with a decimal point, or `\"decimalChar\": \",\"` in the column's "
     "field, such as 12.5"),
    ("needs.csv", NEED.replace(",kg,", ",kgs of it,"), "column unit: found 'kgs of it', expected a unit of mass"),
    ("needs.csv", NEED.replace(",kg,", ",,"), "row 1, column unit: found nothing, expected the unit of the amount"),
    ("needs.csv", NEED.replace("2019-03-25", "31.02.2019"),
     "row 1, column from: found '31.02.2019', expected a day that the calendar has"),
    ("needs.csv", NEED.replace("2019-03-25", "25.3.2019"),
     "expected a date, year-month-day, or `\"format\": \"%d.%m.%Y\"` in the column's field, such as 2019-03-25"),
    ("needs.csv", NEED.replace("2019-03-25", "2019-02-30"),
     "row 1, column from: found '2019-02-30', expected a day that the calendar has"),
    ("needs.csv", NEED.replace("2019-03-25", "0001-01-01"), "column from: found '0001-01-01', expected a year from"),
    ("needs.csv", NEED.replace("2019-04-30", "9999-12-31"), "column until: found '9999-12-31', expected a year"),
    ("needs.csv", NEED.replace("2019-04-30", "2019-03-24"),
     "row 1, column until: found '2019-03-24', expected the last day, on or after the first (2019-03-25)"),
    ("needs.csv", NEED.replace("2019-04-30", ""), "row 1, column until: found nothing, expected a date"),
    ("needs.csv", NEED.replace(",,", ",fod,"), "row 1, column kind: found 'fod', expected one of food, housing"),
    ("needs.csv", NEED.replace("false", "perhaps"), "column by_post: found 'perhaps', expected true or false"),
    ("needs.csv", NEED.replace("false,5", "false,6"), "column priority: found '6', expected a whole number, 1"),
    ("needs.csv", NEED.replace("false,5", "false,2.5"), "column priority: found '2.5', expected a whole number"),
    ("needs.csv", NEED.replace(",30,", ",-1,"), "column most_km: found '-1', expected kilometres, 0 or more"),
    ("needs.csv", NEED.replace(",2\n", ",-2\n"), "column received: found '-2', expected a number from 0"),
    ("needs.csv", NEED.replace("n1,", ","), "row 1, column id: found nothing, expected a name of your own for the row"),
    ("needs.csv", NEED.replace("potatoes", "pot\x1batoes"), "with signs that cannot be seen"),
    ("needs.csv", NEED.replace("potatoes", "p" * 201), "column item: found 201 characters, expected"),
    ("needs.csv", NEED.replace("potatoes", "p" * 10_001), "column item: found 10,001 characters, expected at most"),
    ("needs.csv", NEED + NEED, "row 2, column id: found 'n1', which row 1 has too, expected each id once, such as n"),
    ("needs.csv", NEED.replace("potatoes", "potatoes, early"),
     "row 1: found 12 cells, expected 11, one for each column"),
    ("needs.csv", NEED[:30], "row 1: found 6 cells, expected 11"),
    ("outcomes.csv", OUTCOME.replace("compost", "composte"),
     "row 1, column practice: found 'composte', expected one of cover crops, compost (did you mean compost?), as "),
    ("outcomes.csv", OUTCOME.replace("organic_carbon", "organic_carbn"),
     "(did you mean soil_organic_carbon?)"),
    ("outcomes.csv", OUTCOME.replace("soil_organic_carbon,g/kg", "soil_ph,pH").replace("18.2,21.9", "6,7"),
     "column quantity: found 'soil_ph', of which neither is, expected a quantity of which more, or less, is better"),
    ("outcomes.csv", OUTCOME.replace("g/kg", "mm"), "row 1, column unit: found 'mm', expected"),
    ("outcomes.csv", OUTCOME.replace("21.9", "2190"), "row 1, column after: found"),
    ("outcomes.csv", OUTCOME.replace("18.2", ""), "row 1, column before: found nothing, expected a number: the mean"),
    ("outcomes.csv", OUTCOME.replace(",2.1,", ",-2.1,"), "row 1, column sd_before: found "),
    ("outcomes.csv", OUTCOME.replace(",12,12,", ",0,12,"), "column n_before: found '0', expected a whole number, 1"),
    ("outcomes.csv", OUTCOME.replace("2018-10-15", "2016-02-28"), "row 1, column until: found '2016-02-28', expected"),
    ("outcomes.csv", OUTCOME.replace("2018-10-15", "2019-03-21"), "expected a day that is over when the package is"),
    ("outcomes.csv", OUTCOME + OUTCOME, "row 2: found the same as row 1, expected each outcome once"),
    ("outcomes.csv", OUTCOME.replace(",,2016", ",-5,2016"), "column people: found '-5', expected a whole number"),
    ("soil.csv", "2019-03-01,52.1,11.6,999\n", "row 1, column soc: found"),
    ("soil.csv", ",52.1,11.6,18\n", "row 1, column taken_on: found nothing, expected when it was measured"),
    ("soil.csv", "2019-03-21,52.1,11.6,18\n", "expected a day not after the package was made (2019-03-20)"),
    ("soil.csv", "2019-03-01,52.1,,18\n", "row 1, column longitude: found nothing, expected degrees from -180 to 180"),
    ("soil.csv", "2019-03-01,95,11,18\n", "row 1, column latitude: found '95', expected degrees from -90 to 90"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows", "said"), ROWS)
def test_a_row_that_is_wrong_is_left_out_and_said(name: str, rows: str, said: str) -> None:
    good = {
        "needs.csv": NEED.replace("n1", "good"),
        "outcomes.csv": OUTCOME.replace("18.2", "17"),
        "soil.csv": "2019-02-01,,,18\n",
    }[name]
    head = {"needs.csv": NEEDS_HEAD, "outcomes.csv": OUTCOMES_HEAD, "soil.csv": SOIL_HEAD}[name]
    found = contents({name: head + rows.rstrip("\n") + "\n" + good})
    assert len(found.problems) == 1, lines(found)
    assert said in lines(found)[0]
    assert lines(found)[0].startswith(name) and not found.problems[0].fatal
    dataset = of(found, name.removesuffix(".csv"))
    assert dataset["refused"] == 1
    assert dataset["rows"] == rows.rstrip("\n").count("\n") + 1


UTF_8 = 'UTF-8 (in a spreadsheet: save as "CSV UTF-8"), or the encoding said in the resource'
WHOLE: list[tuple[str, str | bytes | None, str]] = [
    ("needs.csv", None, "needs.csv: found no such file, expected the file beside datapackage.json, as resource needs"),
    ("needs.csv", b"", "needs.csv: found an empty file, expected at least a line with the names of the columns"),
    ("needs.csv", b"\xef\xbb\xbf\r\n", "needs.csv: found an empty file"),
    ("needs.csv", (NEEDS_HEAD + NEED).encode("utf-16"), f"found text in UTF-16, expected {UTF_8}, such as"),
    ("needs.csv", (NEEDS_HEAD + NEED.replace("potatoes", "Sämlinge")).encode("latin-1"),
     f"needs.csv: found in line 2 a byte that is no UTF-8 (in Windows-1252 it is ä), expected {UTF_8}, such as "
     '"encoding": "windows-1252"'),
    ("needs.csv", b"PK\x03\x04\x14\0", "found a zipped file, perhaps a spreadsheet, expected text"),
    ("needs.csv", (NEEDS_HEAD + NEED).encode("utf-16-le"), "found a byte 0: it is no text, or in another encoding"),
    ("needs.csv", NEEDS_HEAD.replace(",", ";") + NEED.replace(",", ";"),
     "found columns divided by semicolons, expected ',' as the resource says; or say what it is, such as \"dialect\": "
     '{"delimiter": ";"}, and "decimalChar": "," in fields with decimal commas'),
    ("needs.csv", NEEDS_HEAD.replace("id,item", "id,id") + NEED, "column id: found the column 'id' twice, expected"),
    ("needs.csv", NEEDS_HEAD.replace("amount", "Amount") + NEED, "found no such column, but 'Amount', expected the"),
    ("needs.csv", NEEDS_HEAD.replace("\n", ",colour\n") + NEED, "column colour: found a column that is not in the"),
    ("needs.csv", NEED, "column id: found no such column"),
    ("needs.csv", NEEDS_HEAD + NEED.replace("potatoes", '"potatoes'),
     "needs.csv row 1: found a quotation mark that is never closed, expected a second one where the text ends"),
    ("needs.csv", NEEDS_HEAD + NEED + NEED.replace("potatoes", '"po"tatoes'),
     "needs.csv row 2: found text after a closing quotation mark, expected quotation marks inside a text twice"),
    ("needs.csv", b"x" * (module.LARGEST_FILE + 1), "needs.csv: found more than 64 MB, expected at most 64 MB"),
    ("needs.csv", NEEDS_HEAD.replace("item", "surname") + NEED, "column surname: found a column about persons"),
    ("soil.csv", "taken_on,latitude,longitude,soc,e_mail\n2019-03-01,,,18,a@example.org\n",
     "column e_mail: found a column about persons, expected no columns about persons"),
    ("outcomes.csv", OUTCOMES_HEAD + OUTCOME + OUTCOME.replace(",,2016", ",4,2016"),
     "outcomes.csv row 2, column people: found an aggregate of fewer than 10 people, expected at least 10 people"),
    ("outcomes.csv", OUTCOMES_HEAD + "compost,wellbeing_who5,{score},50,60,,,,,,2016-03-01,2018-10-15,\n",
     "column people: found wellbeing_who5 of nobody knows how many people, expected at least 10 people in a row"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "said"), WHOLE)
def test_a_file_that_is_wrong_is_refused_and_said(name: str, body: str | bytes | None, said: str) -> None:
    found = contents({name: body})  # type: ignore[dict-item]
    assert any(said in each.line() and each.fatal for each in found.problems), lines(found)
    dataset = of(found, name.removesuffix(".csv"))
    assert dataset["rows"] == 0 and dataset["refused"] >= 1
    assert dataset["is_checked"] is (body is not None and len(body) <= module.LARGEST_FILE)
    sides = {each["side"] for each in found.posts}
    assert "need" not in sides if name == "needs.csv" else "need" in sides
    assert bool(found.outcomes) is (name != "outcomes.csv")


def test_of_a_file_about_persons_nothing_is_repeated() -> None:
    rows = OUTCOME.replace("18.2", "Ms Schmidt") + OUTCOME.replace(",,2016", ",4,2016")
    (problem,) = contents({"outcomes.csv": OUTCOMES_HEAD + rows}).problems
    assert "Schmidt" not in problem.line() and problem.column == "people"


def test_a_header_alone_says_that_nothing_is_needed() -> None:
    found = contents({"needs.csv": NEEDS_HEAD, "offers.csv": OFFERS_HEAD.rstrip("\n")})
    assert found.problems == [] and found.posts == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_however_utf_8_is_written(encoding: str, ends: str) -> None:
    text = (NEEDS_HEAD + "\n" + NEED.replace("potatoes", '"Knollen, frühe"') + "\n\n").replace("\n", ends)
    found = contents({"needs.csv": text.encode(encoding)})
    assert lines(found) == []
    assert [each["item"] for each in found.posts if each["side"] == "need"] == ["knollen, frühe"]


def german() -> list[dict[str, Any]]:
    """The fields of needs.csv as a German spreadsheet writes them."""
    more: dict[str, Any] = {"amount": {"decimalChar": ",", "groupChar": "."}, "received": {"decimalChar": ","}}
    more |= {name: {"format": "%d.%m.%Y"} for name in ("from", "until")}
    more |= {"by_post": {"trueValues": ["ja"], "falseValues": ["nein"]}}
    return [each | more.get(each["name"], {}) for each in NEEDS]


def test_a_german_spreadsheet() -> None:
    text = NEEDS_HEAD.replace(",", ";") + "n1;Sämlinge;;1.012,5;kg;25.03.2019;30.04.2019;30;ja;5;0,5\r\n"
    found = contents(
        {"needs.csv": text.encode("windows-1252")},
        ("resources.0.dialect", {"delimiter": ";"}),
        ("resources.0.encoding", "windows-1252"),
        ("resources.0.schema.fields", german()),
    )
    assert lines(found) == []
    need = found.posts[0]
    assert (need["item"], need["amount"], need["received"], need["by_post"]) == ("sämlinge", 1_012_500, 500, True)
    assert need["from_at"].date() == date(2019, 3, 25)
    assert need["given"] == "1.012,5 kg"


def test_utf_16_where_it_is_said() -> None:
    found = contents({"needs.csv": (NEEDS_HEAD + NEED).encode("utf-16")}, ("resources.0.encoding", "utf-16"))
    assert lines(found) == [] and found.posts[0]["item"] == "potatoes"


def test_comments_are_passed_over_and_counted() -> None:
    text = '# our "needs\n' + NEEDS_HEAD + '#n0,"wrong,,\n' + NEED + "\n" + NEED
    found = contents({"needs.csv": text}, ("resources.0.dialect", {"commentChar": "#"}))
    assert lines(found) == [
        "needs.csv row 4, column id: found 'n1', which row 2 has too, expected each id once, such as n1-2"
    ]


def test_a_number_sign_in_quotation_marks_is_no_comment() -> None:
    text = NEEDS_HEAD + NEED.replace("potatoes", '"seeds\n#2 mix"')
    (problem,) = contents({"needs.csv": text}, ("resources.0.dialect", {"commentChar": "#"})).problems
    assert "seeds" in problem.found and problem.row == 1


def test_a_file_that_changed_after_its_hash() -> None:
    digest = hashlib.sha256(FILES["soil.csv"].encode()).hexdigest()
    assert lines(contents({}, ("resources.3.hash", f"sha256:{digest}"))) == []
    (problem,) = contents({"soil.csv": FILES["soil.csv"] + " "}, ("resources.3.hash", f"sha256:{digest}")).problems
    assert problem.fatal and "it was changed after that" in problem.line()


def test_of_many_problems_some_are_said_and_all_are_counted() -> None:
    found = contents({"needs.csv": NEEDS_HEAD + NEED.replace("12.5", "x") * 1_000})
    assert len(found.problems) == module.MOST_SAID + 1
    assert lines(found)[-1].startswith("needs.csv: found 950 more things that are wrong")
    assert of(found, "needs")["refused"] == 1_000


def test_a_spread_has_no_zero_point() -> None:
    row = "compost,energy_use_by_area,kWh/(m2.a),180,120,15,12,3,3,,2016-03-01,2018-10-15,\n"
    warm = "compost,water_temperature,Cel,18,16,2,1,3,3,,2016-03-01,2018-10-15,\n"
    found = contents({"outcomes.csv": OUTCOMES_HEAD + row})
    assert lines(found) == []
    assert found.outcomes[0]["sd_before"] == pytest.approx(15 * 3.6e6 / (365.25 * 86_400))
    problems = lines(contents({"outcomes.csv": OUTCOMES_HEAD + warm}))
    assert problems and "neither is" in problems[0]


def geojson(*features: tuple[Any, dict[str, Any]]) -> bytes:
    return json.dumps({
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": place, "properties": given} for place, given in features],
    }).encode()  # fmt: skip


TREES = [
    ("resources.3.path", "trees.geojson"),
    ("resources.3.schema.fields", [*fields("taken_on:date", "species"), SOIL[3]]),
]
POINT = {"type": "Point", "coordinates": [11.64, 52.14]}


def test_geojson() -> None:
    area = {"type": "Polygon", "coordinates": [[[11, 52], [12, 52], [12, 53], [11, 53], [11, 52]]]}
    body = geojson(
        (POINT, {"taken_on": "2019-03-01", "species": "Malus domestica", "soc": 18.2}),
        (area, {"taken_on": "2019-03-01", "species": "Pyrus", "soc": 19}),
        (None, {"taken_on": "2019-03-01", "species": None, "soc": None}),
        (POINT, {"taken_on": "yesterday", "species": "Malus", "soc": 18.2}),
        ({"type": "Point", "coordinates": [999, 0]}, {"taken_on": "2019-03-01", "species": "x", "soc": 1}),
    )
    found = contents({"trees.geojson": body}, *TREES)
    assert [(each["row"], each["value"], each["latitude"], each["longitude"]) for each in found.measurements] == [
        (1, pytest.approx(0.0182), 52.14, 11.64), (2, pytest.approx(0.019), 52.5, 11.5),
    ]  # fmt: skip
    assert sorted((each.row, each.column) for each in found.problems) == [(4, "taken_on"), (5, "geometry")]
    assert (of(found, "soil")["rows"], of(found, "soil")["refused"]) == (3, 2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "trees.geojson: found type nothing, expected a FeatureCollection"),
        (b"\xff\xff", "trees.geojson: found byte 0, which is no UTF-8"),
        (b"", "trees.geojson: found an empty file"),
        (geojson((POINT, {"taken_on": "2019-03-01", "species": "x"})), "column soc: found no such property"),
        (geojson((POINT, {"owner_surname": "x"})), "column owner_surname: found a column about persons"),
    ],
)
def test_geojson_that_is_none(body: bytes, said: str) -> None:
    found = contents({"trees.geojson": body}, *TREES)
    assert any(said in each and problem.fatal for each, problem in zip(lines(found), found.problems, strict=True)), (
        lines(found)
    )
    assert found.measurements == []


def test_an_address_of_a_person_in_a_cell() -> None:
    found = contents({"needs.csv": NEEDS_HEAD + NEED + NEED.replace("potatoes", "potatoes (ask ada@example.org)")})
    (problem,) = found.problems
    assert problem.fatal and problem.line().startswith(
        "needs.csv row 2, column item: found an e-mail address, expected"
    )
    assert "ada" not in repr(found.problems)


def test_a_property_that_is_not_in_the_schema() -> None:
    given_row = {"taken_on": "2019-03-01", "species": "Malus", "soc": 18, "fid": 7}
    found = contents({"trees.geojson": geojson((POINT, given_row))}, *TREES)
    assert len(found.measurements) == 1
    assert [each.line().partition(", expected")[0] for each in found.problems] == [
        "trees.geojson, column fid: found a property that is not in the schema"
    ]


def test_geoparquet_whole_and_cut_off() -> None:
    body = geoparquet()
    changes = [("resources.3.path", "plots.parquet"), ("resources.3.schema.fields", [SOIL[0], SOIL[3]])]
    found = contents({"plots.parquet": body}, *changes)
    assert [(each["row"], each["latitude"], each["longitude"]) for each in found.measurements] == [(1, 52.14, 11.64)]
    assert found.problems == []
    for size in range(0, len(body), 97):
        cut = contents({"plots.parquet": body[:size]}, *changes)
        assert cut.measurements == [] and [each.fatal for each in cut.problems] == [True]
        wrong = bytearray(body)
        wrong[size] ^= 0xFF
        contents({"plots.parquet": bytes(wrong)}, *changes)


def geoparquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "taken_on": pa.array([date(2019, 3, 1)], pa.date32()),
        "soc": pa.array([18.2]),
        "geometry": pa.array([struct.pack("<BIdd", 1, 1, 11.64, 52.14)], pa.binary()),
    })  # fmt: skip
    column = {"encoding": "WKB", "geometry_types": ["Point"]}
    said = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(said)}), sink)
    return bytes(sink.getvalue().to_pybytes())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.one_of(
    st.binary(max_size=300), st.text(max_size=200),
    st.lists(st.lists(st.sampled_from(["", "1", "-1", "kg", "x", '"', '""', "2019-03-01", "9e99", "é", "1e-400", "{}"]),
                      min_size=3, max_size=13), max_size=4),
), st.booleans())  # fmt: skip
@example("needs.csv", [["n1", "x", "", "1" * 5_000, "kg", "2019-03-01", "2019-03-01", "", "", "", ""]], True)
@example("needs.csv", [["n1", "x", "", "1e5000000", "kg", "2019-03-01", "2019-03-01", "", "", "", ""]], True)
@example("soil.csv", [["2019-03-01", "1e400", "1", "1e-400"]], True)
@example("outcomes.csv", [["compost", "yield", "kg/m2", "1", "1", "1e308", "-0", "1e300", "1", "1e300"]], True)
def test_no_bytes_make_it_raise(name: str, given_rows: bytes | str | list[list[str]], with_head: bool) -> None:
    if isinstance(given_rows, list):
        given_rows = "".join(",".join(row) + "\n" for row in given_rows)
    body = given_rows if isinstance(given_rows, bytes) else given_rows.encode("utf-8", "replace")
    head = FILES[name].partition("\n")[0].encode() + b"\n" if with_head else b""
    found = read_contents(PACKAGE, lambda path: head + body if path == name else FILES[path].encode(), Rules())
    for each in found.problems:
        assert each.line().isprintable() and each.found and each.expected
    of_file = of(found, name.removesuffix(".csv"))
    assert of_file["rows"] >= 0 and of_file["refused"] >= 0


PACKAGE = package()
