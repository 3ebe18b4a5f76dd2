"""Places of private homes, columns about persons, and aggregates of too few of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.contents import Contents
from coevo_pipelines.hubs.geodata import great_circle_km
from coevo_pipelines.hubs.package import Rules, read_descriptor
from coevo_pipelines.hubs.privacy import cell_centre, is_about_a_person, needs_people
from coevo_pipelines_tests.hubs.packages import RULES, SOIL, as_bytes, changed, contents, fields

PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@settings(max_examples=300)
@given(PLACES, st.sampled_from([0.1, 1.0, 5.0, 50.0, 100.0]))
@example((90.0, 180.0), 1.0)
@example((-90.0, -180.0), 100.0)
@example((0.0, 180.0), 1.0)
def test_a_centre_is_near_its_own_and_never_the_place(place: tuple[float, float], km: float) -> None:
    centre = cell_centre(*place, km)
    assert -90 <= centre[0] <= 90 and -180 <= centre[1] <= 180
    assert cell_centre(*centre, km) == centre
    # Half the diagonal of a cell; near a pole, cells are as wide as the few that fit around it.
    assert float(great_circle_km(*place, *centre)) <= 1.6 * km


@settings(max_examples=200)
@given(PLACES, st.floats(-0.45, 0.45), st.floats(-0.45, 0.45))
def test_all_places_of_a_cell_have_one_centre(place: tuple[float, float], north: float, east: float) -> None:
    latitude, longitude = cell_centre(*place, 1.0)
    height = 1.0 / 111.195
    width = height / max(math.cos(math.radians(latitude)), 1e-9)
    moved = (latitude + north * height, longitude + east * width)
    if abs(moved[1]) <= 180 and abs(moved[0]) <= 90:
        assert cell_centre(*moved, 1.0) == (latitude, longitude)


def test_cells_are_a_kilometre_wide() -> None:
    """Over half a degree of Magdeburg, as many centres as square kilometres."""
    rows = {cell_centre(52.0 + step / 1_000, 11.6, 1.0)[0] for step in range(500)}
    columns = {cell_centre(52.0, 11.0 + step / 2_000, 1.0)[1] for step in range(1_000)}
    assert len(rows) == pytest.approx(0.5 * 111.195, abs=1.5)
    assert len(columns) == pytest.approx(0.5 * 111.195 * math.cos(math.radians(52)), abs=1.5)


@pytest.mark.parametrize(
    "column",
    ["name", "Name", "surname", "last_name", "e_mail", "email", "Phone", "birth_date", "birthDate", "patient_id",
     "patientId", "street", "home address", "Nachname", "Geburtsdatum", "Straße", "PLZ", "zip", "prénom", "apellidos",
     "client no", "plant_surname"],
)  # fmt: skip
def test_columns_about_persons(column: str) -> None:
    assert is_about_a_person(column)


@pytest.mark.parametrize(
    "column",
    ["soc", "people", "taken_on", "species", "species_name", "plant name", "variety_name", "ph", "tree_age", "plot",
     "birds", "namely", "addressed", "unit", "item", "mobility", "latitude", "bed", "tree_street"],
)  # fmt: skip
def test_columns_about_other_things(column: str) -> None:
    assert not is_about_a_person(column)


WELLBEING = [
    *fields("taken_on:date"),
    {"name": "who5", "type": "number", "quantity": "wellbeing_who5", "unit": "{score}"},
]
PEOPLE = fields("people:integer")
TRAINED = [*fields("taken_on:date"), {"name": "n", "type": "number", "quantity": "people_trained", "unit": "{person}"}]


def measured(rows: str, columns: list[dict[str, Any]], kind: str = "food", rules: Rules = RULES) -> Contents:
    head = ",".join(each["name"] for each in columns) + "\n"
    change = ("resources.3.schema.fields", columns)
    return contents({"soil.csv": head + rows}, change, ("hub.kind", kind), rules=rules)


REFUSED: list[tuple[str, list[dict[str, Any]], str, str]] = [
    ("2019-03-01,61\n", WELLBEING, "food", "wellbeing_who5 without a column people"),
    ("2019-03-01,61,9\n", [*WELLBEING, *PEOPLE], "food", "an aggregate of fewer than 10 people"),
    ("2019-03-01,61,30\n2019-03-02,60,1\n", [*WELLBEING, *PEOPLE], "food", "row 3, column people"),
    ("2019-03-01,61,\n", [*WELLBEING, *PEOPLE], "food", "of nobody knows how many people"),
    ("2019-03-01,61,0\n", [*WELLBEING, *PEOPLE], "food", "of nobody knows how many people"),
    ("2019-03-01,,5\n", [*WELLBEING, *PEOPLE], "food", "an aggregate of fewer than 10 people"),
    ("2019-03-01,40\n", TRAINED, "health_care", "people_trained without a column people"),
    ("2019-03-01,4,40\n", [*TRAINED, *PEOPLE], "health_care", "an aggregate of fewer than 10 people"),
]


@pytest.mark.parametrize(("rows", "columns", "kind", "said"), REFUSED)
def test_aggregates_of_too_few_refuse_the_file(rows: str, columns: list[dict[str, Any]], kind: str, said: str) -> None:
    found = measured("2019-02-01,50,40\n" * (len(columns) == 3) + rows, columns, kind)
    (problem,) = found.problems
    assert problem.fatal and said in problem.line()
    assert found.measurements == []


KEPT: list[tuple[str, list[dict[str, Any]], str]] = [
    ("2019-03-01,61,10\n", [*WELLBEING, *PEOPLE], "health_care"),
    ("2019-03-01,4\n", TRAINED, "professionalization"),
    ("2019-03-01,12,40\n", [*TRAINED, *PEOPLE], "health_care"),
    ("2019-03-01,52.1,11.6,18\n", SOIL, "health_care"),
]


@pytest.mark.parametrize(("rows", "columns", "kind"), KEPT)
def test_aggregates_of_enough_are_kept(rows: str, columns: list[dict[str, Any]], kind: str) -> None:
    found = measured(rows, columns, kind)
    assert found.problems == [] and len(found.measurements) == 1


def test_how_many_are_enough_is_a_setting() -> None:
    rules = Rules(home_km=1.0, fewest_people=50)
    assert measured("2019-03-01,61,49\n", [*WELLBEING, *PEOPLE], rules=rules).measurements == []
    assert len(measured("2019-03-01,61,50\n", [*WELLBEING, *PEOPLE], rules=rules).measurements) == 1


def test_health_is_of_people_everywhere_and_counts_in_health_care() -> None:
    assert needs_people("wellbeing_who5", "food") and needs_people("blood_pressure_systolic", "housing")
    assert not needs_people("people_trained", "professionalization") and needs_people("people_trained", "health_care")
    assert not needs_people("soil_ph", "health_care")


EXACT = ("52.1301", "11.6302")


def test_nothing_that_is_read_of_a_private_home_has_its_place() -> None:
    """Of a hub, its posts and its measurements in CSV and GeoJSON, with rows that are wrong beside."""
    geometry = {"type": "Point", "coordinates": [11.6302, 52.1301]}
    tree = {"type": "Feature", "geometry": geometry, "properties": {"taken_on": "2019-03-01", "soc": 18}}
    outside = tree | {"geometry": {"type": "Point", "coordinates": [52.1301, 111.6302]}}
    trees = {"type": "FeatureCollection", "features": [tree, outside]}
    more = {"name": "trees", "path": "trees.geojson", "role": "measurements", "schema": {"fields": [SOIL[0], SOIL[3]]}}
    given = changed(("hub.place.private", True))
    changes = [("hub.place.private", True), ("resources", [*given["resources"], more])]
    soil = "taken_on,latitude,longitude,soc\n2019-03-01,52.1301,11.6302,18\n2019-03-01,152.1301,11.6302,18\n"
    soil += "2019-03-02,52.1301x,11.6302,18\n"
    found = contents({"soil.csv": soil, "trees.geojson": json.dumps(trees)}, *changes)
    package, _ = read_descriptor(as_bytes(changed(*changes)), RULES)
    assert package is not None
    centre = cell_centre(52.1301, 11.6302, 1.0)
    assert (package.latitude, package.longitude) == centre
    assert {(each["latitude"], each["longitude"]) for each in [*found.posts, *found.measurements]} == {centre}
    assert len(found.problems) == 3
    told = repr(package.row()) + repr(found)
    assert not any(each in told for each in EXACT)
