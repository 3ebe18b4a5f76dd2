"""GeoJSON and GeoParquet as people save them, areas, and distances: WGS84 or a word of what to do."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs import geodata
from coevo_pipelines.hubs.geodata import EARTH_KM, GeoRow, area_km2, area_of, great_circle_km, read_geo
from coevo_pipelines.hubs.problems import Problem

HERE = (52.13, 11.63)
POINT = {"type": "Point", "coordinates": [11.63, 52.13]}
SQUARE = {"type": "Polygon", "coordinates": [[[11.6, 52.1], [11.7, 52.1], [11.7, 52.2], [11.6, 52.2], [11.6, 52.1]]]}
BOWTIE = [[11, 52], [12, 53], [12, 52], [11, 53], [11, 52]]
WGS84 = {"type": "GeographicCRS", "name": "WGS 84 (CRS84)", "id": {"authority": "OGC", "code": "CRS84"}}


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: Any, **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more}).encode()


def geoparquet(
    shapes: Sequence[Any], columns: dict[str, Any] | None = None, about: dict[str, Any] | None = None, **geo: Any
) -> bytes:
    """A file of WKB geometries; `about` and `geo` change its metadata."""
    raw = [shape.wkb if hasattr(shape, "wkb") else shape for shape in shapes]
    table = pa.table({"geometry": pa.array(raw, pa.binary()), **(columns or {})})
    meta = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], **(about or {})}},
        **geo,
    }
    return parquet(table.replace_schema_metadata({"geo": json.dumps(meta)}))


def parquet(table: pa.Table) -> bytes:
    sink = BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def one_fatal(body: bytes, form: Any) -> Problem:
    rows, problems = read_geo(body, form)
    assert rows == [] and len(problems) == 1
    assert problems[0].fatal and problems[0].row is None and problems[0].resource == ""
    return problems[0]


# ---- GeoJSON


def test_features_become_rows_with_their_centres() -> None:
    body = collection(
        feature(POINT, soc=21.5, taken_on="2019-03-20"),
        feature(SQUARE, soc=None),
        feature(None, soc=3),
        {**feature({"type": "LineString", "coordinates": [[11, 52, 80], [13, 52, 90]]}), "properties": None},
        feature({"type": "MultiPoint", "coordinates": [[11, 52], [13, 54]]}),
        feature({"type": "GeometryCollection", "geometries": [POINT, POINT]}),
    )  # fmt: skip
    rows, problems = read_geo(body, "geojson")
    assert problems == []
    assert rows[0] == GeoRow(1, 52.13, 11.63, {"soc": 21.5, "taken_on": "2019-03-20"})
    assert [rows[1].latitude, rows[1].longitude] == pytest.approx([52.15, 11.65])
    assert rows[2] == GeoRow(3, None, None, {"soc": 3})
    assert rows[3] == GeoRow(4, 52.0, 12.0, {})
    assert (rows[4].latitude, rows[4].longitude) == (53.0, 12.0)
    assert (rows[5].latitude, rows[5].longitude) == (52.13, 11.63)


def test_a_single_feature_and_a_byte_order_mark_will_do() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(feature(POINT, trees=3)).encode()
    assert read_geo(body, "geojson") == ([GeoRow(1, 52.13, 11.63, {"trees": 3})], [])


@pytest.mark.parametrize(
    "name", ["EPSG:4326", "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "OGC:CRS84"]
)
def test_the_old_crs_member_may_say_what_holds_anyhow(name: str) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    assert len(read_geo(collection(feature(POINT), crs=crs), "geojson")[0]) == 1
    assert len(read_geo(collection(feature(POINT), crs=None), "geojson")[0]) == 1


@pytest.mark.parametrize(
    ("body", "found", "expected"),
    [
        (b"", "an empty file", "GeoJSON"),
        (b" \n ", "an empty file", "GeoJSON"),
        (b"PAR1....PAR1", "a Parquet file", "geoparquet"),
        ('{"type": "FeatureCollection"}'.encode("utf-16"), "UTF-16", "UTF-8"),
        (b'{"type": "FeatureCollection", "features": [{"n": "\xe4"}]}', "no UTF-8", "UTF-8"),
        (collection(feature(POINT))[:-20], "ends before its time", "whole GeoJSON"),
        (b"id,lat,lon\n1,52,11\n", "ends before its time", "GeoJSON"),
        (b'{"type" "x"}', "no JSON from line 1", "GeoJSON"),
        (b'{"type": "FeatureCollection", "features": [NaN]}', "NaN", "null"),
        (2 * (json.dumps(feature(POINT)).encode() + b"\n"), "a line for each", "one"),
        (b"[" * 100_000, "ends before its time", "GeoJSON"),
        (b"[" * 5000 + b"]" * 5000 + b"}", "no JSON", "GeoJSON"),
        (b"[]", "list", "a FeatureCollection"),
        (b"3", "3", "a FeatureCollection"),
        (b"null", "nothing", "a FeatureCollection"),
        (b"{}", "type nothing", "a FeatureCollection"),
        (json.dumps(POINT).encode(), "a bare Point", "features"),
        (b'{"type": "Topology"}', "TopoJSON", "GeoJSON"),
        (b'{"type": "FeatureCollection"}', "features nothing", "a list of features"),
        (b'{"type": "FeatureCollection", "features": {}}', "features", "a list of features"),
        (collection(), "no features", "at least one"),
        (collection(feature(POINT), crs={"properties": {"name": "EPSG::25832"}}), "EPSG::25832", "EPSG:4326"),
        (collection(feature(POINT), crs={"type": "link", "properties": {"href": "http://x"}}), "crs nothing", "WGS84"),
        (collection(feature(POINT), crs=4326), "crs 4326", "WGS84"),
    ],
)  # fmt: skip
def test_files_that_are_no_geojson_are_refused(body: bytes, found: str, expected: str) -> None:
    problem = one_fatal(body, "geojson")
    assert found in problem.found and expected in problem.expected, problem.line()
    assert "\n" not in problem.line()


@pytest.mark.parametrize(
    ("geometry", "found", "expected"),
    [
        ({"type": "Point", "coordinates": [52.13, 111.63]}, "swapped", "the longitude first"),
        ({"type": "Point", "coordinates": [11.63, 5213]}, "metres", "EPSG:4326"),
        ({"type": "Point", "coordinates": [679000.5, 5778000.1]}, "metres", "EPSG:4326"),
        ({"type": "Point", "coordinates": [190, 10]}, "longitude 190", "from -180 to 180"),
        ({"type": "Point", "coordinates": []}, "coordinates", "a list of numbers"),
        ({"type": "Point", "coordinates": [11]}, "as a position", "a longitude and a latitude"),
        ({"type": "Point", "coordinates": [11, 52, 1, 2, 3]}, "as a position", "a longitude and a latitude"),
        ({"type": "Point", "coordinates": ["11", "52"]}, "'11'", "as numbers"),
        ({"type": "Point", "coordinates": [True, 52]}, "true", "as numbers"),
        ({"type": "Point", "coordinates": [None, None]}, "nothing", "as numbers"),
        ({"type": "Point", "coordinates": [[11, 52]]}, "as a position", "a longitude"),
        ({"type": "Point", "coordinates": {"lat": 1}}, "coordinates", "a list of numbers"),
        ({"type": "Point"}, "coordinates nothing", "a list of numbers"),
        ({"type": "point", "coordinates": [11, 52]}, "type 'point'", "one of Point"),
        ({"type": "Circle", "coordinates": [11, 52]}, "type 'Circle'", "one of Point"),
        ({"type": ["Point"], "coordinates": [11, 52]}, "type", "one of Point"),
        ({}, "type nothing", "one of Point"),
        ("POINT (11 52)", "geometry 'POINT (11 52)'", "a geometry in { }"),
        ([11, 52], "geometry", "a geometry in { }"),
        ({"type": "LineString", "coordinates": [[11, 52]]}, "1 positions", "at least 2"),
        ({"type": "LineString", "coordinates": [11, 52]}, "as a position", "a longitude"),
        ({"type": "Polygon", "coordinates": [[11, 52], [12, 53]]}, "as a position", "a longitude"),
        ({"type": "Polygon", "coordinates": [[[11, 52], [12, 52], [11, 52]]]}, "3 positions", "at least 4"),
        ({"type": "Polygon", "coordinates": [[[11, 52], [12, 52], [12, 53], [11, 53]]]}, "a ring from", "the first"),
        ({"type": "Polygon", "coordinates": [BOWTIE]}, "Self-intersection", "cross"),
        ({"type": "Polygon", "coordinates": [[[179, 0], [-179, 0], [-179, 1], [179, 0]]]}, "longitude 179", "3.1.9"),
        ({"type": "MultiPolygon", "coordinates": [[[]]]}, "among the coordinates", "a list there"),
        ({"type": "MultiPolygon", "coordinates": SQUARE["coordinates"]}, "as a position", "a longitude"),
        ({"type": "GeometryCollection", "geometries": []}, "geometries", "a list of geometries"),
        ({"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection"}]}, "type", "one of"),
        ({**POINT, "crs": {"properties": {"name": "EPSG:3857"}}}, "EPSG:3857", "EPSG:4326"),
    ],
)  # fmt: skip
def test_a_geometry_that_cannot_be_costs_its_row_only(geometry: Any, found: str, expected: str) -> None:
    rows, problems = read_geo(collection(feature(POINT), feature(geometry), feature(POINT)), "geojson")
    assert [row.row for row in rows] == [1, 3]
    (problem,) = problems
    assert (problem.row, problem.fatal) == (2, False)
    assert found in problem.found and expected in problem.expected, problem.line()


@pytest.mark.parametrize("wrong", [None, 3, "x", {"type": "Point"}, {**feature(POINT), "properties": []}])
def test_a_feature_that_is_none_costs_its_row_only(wrong: Any) -> None:
    rows, problems = read_geo(collection(wrong, feature(POINT)), "geojson")
    assert [row.row for row in rows] == [2] and [problem.row for problem in problems] == [1]


@pytest.mark.parametrize("form", ["geojson", "geoparquet"])
def test_swapped_coordinates_are_found_beside_the_hub(form: Any) -> None:
    """52.13 is a longitude too: only that the hub lies where it would lie tells."""
    places = [(52.13, 11.63), (11.63, 52.13), (11.9, 51.9), (51.9, 11.9), (77.2, 28.6)]
    body = (
        collection(*(feature({"type": "Point", "coordinates": place}) for place in places))
        if form == "geojson"
        else geoparquet([shapely.Point(place) for place in places])
    )
    rows, problems = read_geo(body, form, HERE)
    assert [row.row for row in rows] == [2, 3, 5]
    assert [problem.row for problem in problems] == [1, 4]
    assert "swapped" in problems[0].found and problems[0].example == "[11.63, 52.13]"
    assert len(read_geo(body, form)[0]) == 5


def test_what_lies_on_both_sides_of_the_antimeridian_has_its_centre_there() -> None:
    halves = [[[[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]] for x in (179, -180)]
    points = {"type": "MultiPoint", "coordinates": [[178, 10], [-176, 10]]}
    body = collection(feature({"type": "MultiPolygon", "coordinates": halves}), feature(points))
    rows, problems = read_geo(body, "geojson")
    assert problems == []
    assert abs(rows[0].longitude or 0) == pytest.approx(180) and rows[0].latitude == pytest.approx(0.5)
    assert rows[1].longitude == pytest.approx(-179)
    shapes = [shapely.geometry.shape(points), shapely.geometry.shape({"type": "MultiPolygon", "coordinates": halves})]
    rows, problems = read_geo(geoparquet(shapes), "geoparquet")
    assert (
        problems == []
        and rows[0].longitude == pytest.approx(-179)
        and abs(rows[1].longitude or 0) == pytest.approx(180)
    )


def test_huge_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [feature(POINT)] * 10
    monkeypatch.setattr(geodata, "MOST_ROWS", 9)
    assert "10 features" in one_fatal(collection(*points), "geojson").found
    assert "10 rows" in one_fatal(geoparquet([shapely.Point(1, 2)] * 10), "geoparquet").found
    monkeypatch.setattr(geodata, "MOST_ROWS", 10)
    monkeypatch.setattr(geodata, "MOST_POSITIONS", 9)
    assert "positions" in one_fatal(collection(*points), "geojson").found
    assert "positions" in one_fatal(geoparquet([shapely.Point(1, 2)] * 10), "geoparquet").found
    monkeypatch.setattr(geodata, "MOST_DECODED", 10)
    assert "decompressed" in one_fatal(geoparquet([shapely.Point(1, 2)] * 10), "geoparquet").found
    monkeypatch.setattr(geodata, "MOST_BYTES", 100)
    assert "MiB" in one_fatal(collection(*points), "geojson").expected


@pytest.mark.parametrize("use_dictionary", [True, False])
def test_a_small_file_that_says_much_is_refused(use_dictionary: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is in it once may stand in each row."""
    monkeypatch.setattr(geodata, "MOST_DECODED", 2**20)
    columns = [pa.array(["a" * 1000] * 2000), pa.array([bytes(2**10)] * 2000, pa.binary(2**10))]
    for column in columns:
        table = pa.table({"geometry": [shapely.Point(1, 2).wkb] * 2000, "note": column})
        geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
        sink = BytesIO()
        table = table.replace_schema_metadata({"geo": json.dumps(geo)})
        pq.write_table(table, sink, compression="zstd", use_dictionary=use_dictionary)
        assert len(sink.getvalue()) < 20_000
        assert "2 MiB or more" in one_fatal(sink.getvalue(), "geoparquet").found


def test_a_flood_of_bad_rows_is_counted() -> None:
    bad = feature({"type": "Point", "coordinates": [500, 500]})
    rows, problems = read_geo(collection(feature(POINT), *[bad] * 1000), "geojson")
    assert len(rows) == 1 and len(problems) == geodata.MOST_PROBLEMS + 1
    assert problems[-1].found == f"{1000 - geodata.MOST_PROBLEMS} more rows that cannot be taken"
    assert not problems[-1].fatal and problems[-1].row is None


# ---- GeoParquet


@pytest.mark.parametrize(
    "about",
    [
        {}, {"crs": None}, {"crs": WGS84}, {"crs": {"type": "GeographicCRS", "name": "WGS 84"}},
        {"crs": {"type": "GeographicCRS", "name": "WGS 84", "id": {"authority": "EPSG", "code": 4326}}},
        {"edges": "spherical", "orientation": "counterclockwise", "bbox": [0, 0, 1, 1]},
    ],
)  # fmt: skip
def test_geoparquet_becomes_rows(about: dict[str, Any]) -> None:
    shapes = [shapely.Point(11.63, 52.13), shapely.geometry.shape(SQUARE), None, shapely.Point(11.63, 52.13, 80)]
    columns = {"soc": [21.5, None, 3.0, 4.0], "note": ["a", "b", "c", "d"], "bbox": [{"xmin": 1.0}] * 4}
    rows, problems = read_geo(geoparquet(shapes, columns, about), "geoparquet")
    assert problems == []
    assert rows[0] == GeoRow(1, 52.13, 11.63, {"soc": 21.5, "note": "a"})
    assert [rows[1].latitude, rows[1].longitude] == pytest.approx([52.15, 11.65])
    assert rows[2] == GeoRow(3, None, None, {"soc": 3.0, "note": "c"})
    assert (rows[3].latitude, rows[3].longitude) == (52.13, 11.63)


def test_version_1_0_and_many_batches_are_read_in_order() -> None:
    count = 20_000
    rows, problems = read_geo(
        geoparquet([shapely.Point(n / count, 1) for n in range(count)], {"n": range(count)}, version="1.0.0"),
        "geoparquet",
    )
    assert problems == [] and len(rows) == count
    assert all(row.row == at + 1 and row.properties["n"] == at for at, row in enumerate(rows))
    assert rows[-1].longitude == pytest.approx(1 - 1 / count)


def test_rows_of_geoparquet_that_cannot_be_are_left_out() -> None:
    bowtie = shapely.Polygon(BOWTIE)
    shapes = [
        shapely.Point(11, 52),
        b"no WKB",
        b"",
        shapely.Point(52, 111),
        shapely.Point(679000, 5778000),
        bowtie,
        shapely.Point(),
        struct.pack("<BIdd", 1, 1, math.nan, 52.0),
        struct.pack("<BIdd", 1, 1, math.inf, 52.0),
        struct.pack("<BIIdd", 1, 0x20000001, 25832, 11.0, 52.0),
        shapely.LineString([(179, 1), (-179, 1)]),
        shapely.Point(12, 53),
    ]
    rows, problems = read_geo(geoparquet(shapes), "geoparquet")
    assert [row.row for row in rows] == [1, 12]
    said = {problem.row: problem.line() for problem in problems}
    assert sorted(each for each in said if each) == list(range(2, 12))
    for row, words in {
        2: "no WKB", 3: "no WKB", 4: "swapped", 5: "metres", 6: "Self-intersection", 7: "empty", 9: "no number",
        10: "SRID 25832", 11: "antimeridian",
    }.items():  # fmt: skip
        assert words in said[row]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04", "no Parquet"),
        (collection(feature(POINT)), "JSON"),
        (b"PAR1", "ends before its time"),
        (b"PAR1PAR1", "ends before its time"),
        (b"PAR1" + bytes(100) + b"PAR1", "cannot be read"),
        (geoparquet([shapely.Point(1, 2)])[:-1], "ends before its time"),
        (geoparquet([shapely.Point(1, 2)])[:200] + b"PAR1", "cannot be read"),
        (parquet(pa.table({"a": [1]})), "without geometries"),
        (parquet(pa.table({"a": [1]}).replace_schema_metadata({"geo": "{"})), "metadata that cannot be read"),
        (parquet(pa.table({"a": [1]}).replace_schema_metadata({"geo": "[]"})), "metadata that cannot be read"),
        (parquet(pa.table({"a": [1]}).replace_schema_metadata({"geo": b"\xff\xfe"})), "metadata that cannot be read"),
        (parquet(pa.table({"a": [1]}).replace_schema_metadata({"geo": "[" * 100_000})), "metadata that cannot be read"),
        (geoparquet([shapely.Point(1, 2)], primary_column="geom"), "metadata that cannot be read"),
        (geoparquet([shapely.Point(1, 2)], primary_column=["geometry"]), "metadata that cannot be read"),
        (geoparquet([shapely.Point(1, 2)], version="0.4.0"), "version '0.4.0'"),
        (geoparquet([shapely.Point(1, 2)], version=1), "version 1"),
        (geoparquet([shapely.Point(1, 2)], about={"encoding": "point"}), "encoded as 'point'"),
        (geoparquet([shapely.Point(1, 2)], about={"crs": {"type": "ProjectedCRS", "name": "UTM 32N"}}), "UTM 32N"),
        (geoparquet([shapely.Point(1, 2)], about={"crs": {**WGS84, "id": {"authority": "EPSG", "code": 4258}}}), "crs"),
        (geoparquet([shapely.Point(1, 2)], about={"crs": "EPSG:3857"}), "EPSG:3857"),
        (geoparquet([shapely.Point(1, 2)], about={"crs": 3}), "crs 3"),
        (geoparquet([]), "no rows"),
    ],
)  # fmt: skip
def test_files_that_are_no_geoparquet_are_refused(body: bytes, found: str) -> None:
    problem = one_fatal(body, "geoparquet")
    assert found in problem.found, problem.line()
    assert "\n" not in problem.line()


def test_geometries_must_be_bytes_and_columns_named_once() -> None:
    geo = {"version": "1.0.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB"}}}
    text = pa.table({"g": ["POINT (1 2)"]}).replace_schema_metadata({"geo": json.dumps(geo)})
    assert "type string" in one_fatal(parquet(text), "geoparquet").found
    twice = pa.Table.from_arrays([pa.array([b"x"]), pa.array([1]), pa.array([2])], names=["g", "a", "a"])
    assert "one name" in one_fatal(parquet(twice.replace_schema_metadata({"geo": json.dumps(geo)})), "geoparquet").found
    missing = pa.table({"a": [1]}).replace_schema_metadata({"geo": json.dumps(geo)})
    assert "no column 'g'" in one_fatal(parquet(missing), "geoparquet").found
    large = pa.table({"g": pa.array([shapely.Point(1, 2).wkb], pa.large_binary())})
    assert len(read_geo(parquet(large.replace_schema_metadata({"geo": json.dumps(geo)})), "geoparquet")[0]) == 1


# ---- no input is a traceback

KINDS = ["Point", "Polygon", "MultiPolygon", "Feature", "GeometryCollection"]
KEYS = ["type", "coordinates", "geometry", "properties", "geometries", "features", "crs"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(-400, 400) | st.text(max_size=5) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=10,
)
GEOMETRY = st.fixed_dictionaries({"type": st.sampled_from(list(geodata._DEPTHS)), "coordinates": JSON})


@given(st.one_of(JSON, GEOMETRY), JSON)
@settings(max_examples=150, deadline=None)
def test_no_json_is_a_traceback(geometry: Any, document: Any) -> None:
    rows, problems = read_geo(collection(feature(geometry), feature(POINT)), "geojson", HERE)
    assert {1, 2} == {row.row for row in rows} | {problem.row for problem in problems}
    assert all(row.latitude is None or -90 <= row.latitude <= 90 for row in rows)
    read_geo(json.dumps(document).encode(), "geojson")
    for given_ in (geometry, document, feature(geometry)):
        try:
            assert shapely.from_geojson(area_of(given_)).is_valid
        except ValueError as error:
            assert "\n" not in str(error)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_damaged_file_is_a_traceback(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([PARQUET, GEOJSON]))
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    for form in ("geojson", "geoparquet"):
        for damaged in (bytes(body), cut):
            rows, problems = read_geo(damaged, form)
            assert rows or problems


PARQUET = geoparquet([shapely.Point(11.63, 52.13), shapely.geometry.shape(SQUARE)] * 20, {"soc": range(40)})
GEOJSON = collection(*[feature(POINT, soc=1), feature(SQUARE, soc=2)])


# ---- areas


def test_an_area_is_tidied() -> None:
    ring = [[11.6, 52.1, 80], [11.6, 52.2, 80], [11.7000000049, 52.2, 80], [11.7, 52.1, 80], [11.6, 52.1, 80]]
    text = area_of({"type": "Polygon", "coordinates": [ring]})
    assert json.loads(text) == {
        "type": "Polygon",
        "coordinates": [[[11.6, 52.1], [11.7, 52.1], [11.7, 52.2], [11.6, 52.2], [11.6, 52.1]]],
    }
    assert " " not in text and area_of(text) == text
    assert area_of(feature(SQUARE)) == area_of(SQUARE) == area_of(json.dumps(SQUARE).encode())
    two = {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"], [[[13, 52], [14, 52], [14, 53], [13, 52]]]]}
    assert json.loads(area_of(two))["type"] == "MultiPolygon"


@pytest.mark.parametrize(
    ("area", "said"),
    [
        (POINT, "type 'Point', expected a Polygon or MultiPolygon"),
        (None, "found nothing, expected a Polygon"),
        ("", "an empty file"),
        ("POLYGON ((1 2))", "GeoJSON"),
        ({"type": "Polygon", "coordinates": [BOWTIE]}, "Self-intersection"),
        ({"type": "Polygon", "coordinates": [[[52, 111], [53, 111], [53, 112], [52, 111]]]}, "swapped"),
        ({"type": "Polygon", "coordinates": [[[11, 52], [11, 52], [11, 52], [11, 52]]]}, "does not cross itself"),
        ({"type": "Polygon", "coordinates": [[[11, 52], [11.0000000001, 52], [11, 52.0000000001], [11, 52]]]}, "km²"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [20, 0], [20, 20], [0, 20], [0, 0]]]}, "at most 100,000 km²"),
        (
            {"type": "Polygon", "coordinates": [[[x / 1e4, (x % 2) / 1e3] for x in range(6000)] + [[0, 0]]]},
            "6,001 corners",
        ),
        ({**SQUARE, "crs": {"properties": {"name": "EPSG:25832"}}}, "EPSG:25832"),
        ({"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"]] * 2}, "cross"),
        ({"type": "Polygon", "coordinates": [[[179, 0], [-179, 0], [-179, 1], [179, 0]]]}, "antimeridian"),
    ],
)
def test_areas_that_cannot_be_are_refused(area: Any, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        area_of(area)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_square_kilometres_are_right() -> None:
    sphere = 4 * math.pi * EARTH_KM**2
    octant = shapely.Polygon([*((x, 0) for x in range(91)), (90, 90), (0, 90), (0, 0)])
    assert area_km2(octant) == pytest.approx(sphere / 8, rel=1e-12)
    # a zone of a sphere: 2 pi R² (sin b - sin a), here a hundredth of a degree of it
    cell = shapely.box(11.60, 52.10, 11.61, 52.11)
    zone = 2 * math.pi * EARTH_KM**2 * (math.sin(math.radians(52.11)) - math.sin(math.radians(52.10))) / 36_000
    assert area_km2(cell) == pytest.approx(zone, rel=1e-9)
    hole = shapely.Polygon(cell.exterior, [shapely.box(11.602, 52.102, 11.604, 52.104).exterior.coords])
    assert area_km2(hole) == pytest.approx(zone - area_km2(shapely.box(11.602, 52.102, 11.604, 52.104)), rel=1e-9)


# ---- distances


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (0, 90), math.pi / 2 * EARTH_KM),
        ((90, 0), (-90, 123), math.pi * EARTH_KM),
        ((0, 179.5), (0, -179.5), math.pi / 180 * EARTH_KM),
        ((10, 20), (-10, -160), math.pi * EARTH_KM),
        ((52.13, 11.63), (52.13, 11.63001), math.radians(1e-5) * math.cos(math.radians(52.13)) * EARTH_KM),
    ],
)
def test_great_circles(one: tuple[float, float], other: tuple[float, float], km: float) -> None:
    assert great_circle_km(*one, *other) == pytest.approx(km, rel=1e-5, abs=1e-9)


@given(*[st.floats(-90, 90), st.floats(-180, 180)] * 3)
@settings(max_examples=200, deadline=None)
def test_distance_is_one(lat1: float, lon1: float, lat2: float, lon2: float, lat3: float, lon3: float) -> None:
    """Symmetric, never above half the circle, and no way is shorter by a detour; as the law of cosines has it."""
    direct = float(great_circle_km(lat1, lon1, lat2, lon2))
    assert 0 <= direct <= math.pi * EARTH_KM
    assert direct == pytest.approx(float(great_circle_km(lat2, lon2, lat1, lon1)), abs=1e-6)
    detour = great_circle_km(lat1, lon1, lat3, lon3) + great_circle_km(lat3, lon3, lat2, lon2)
    assert direct <= detour + 1e-3
    a, b, c = math.radians(lat1), math.radians(lat2), math.radians(lon2 - lon1)
    cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(c)
    assert math.cos(direct / EARTH_KM) == pytest.approx(cosine, abs=1e-9)


def test_distances_of_many_at_once() -> None:
    lat, lon = np.linspace(-80, 80, 5), np.linspace(-170, 170, 5)
    found = great_circle_km(lat[:, None], lon[:, None], lat, lon)
    assert found.shape == (5, 5) and np.allclose(found, found.T) and np.allclose(np.diag(found), 0)
    assert np.isnan(great_circle_km(math.nan, 0, 0, 0))
