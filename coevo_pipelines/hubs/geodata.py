"""Places in files and descriptors: GeoJSON (RFC 7946), GeoParquet (1.0 and 1.1, WKB), areas, and distances.

All is WGS84, longitude first, as both standards want it. What is written otherwise is refused, never guessed: a number
on the wrong side of the globe harms more than a row that is missing. A row's place is the centroid of its geometry in
degrees, which is near enough for what a hub measures in one go; across the antimeridian it is taken on the short way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coevo_pipelines.hubs.problems import Problem, seen

EARTH_KM = 6371.0088
"""Mean radius of the Earth by WGS84: (2a + b) / 3 (Moritz 2000, doi:10.1007/s001900050278)."""
MOST_BYTES = 64 * 2**20
MOST_ROWS = 200_000
MOST_POSITIONS = 2_000_000
MOST_DECODED = 256 * 2**20
"""Bytes of a Parquet file after decompression: a thousand bytes may say a gigabyte."""
MOST_PROBLEMS = 200
"""Rows that are complained of one by one; the rest are counted."""
MOST_KM2 = 100_000.0
"""An area of a hub that is larger (than Iceland) is no place where something is restored."""
MOST_CORNERS = 5_000
SWAPPED_KM = 200.0
"""So near to the hub a place must come by swapping its coordinates, and at least ten times as far off it must be."""

_DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_WGS84 = frozenset(
    (
        "ogc:crs84", "urn:ogc:def:crs:ogc:1.3:crs84", "urn:ogc:def:crs:ogc::crs84", "urn:ogc:def:crs:ogc:1.3:crs84h",
        "epsg:4326", "epsg:4979", "urn:ogc:def:crs:epsg::4326", "http://www.opengis.net/def/crs/ogc/1.3/crs84",
        "https://www.opengis.net/def/crs/ogc/1.3/crs84", "http://www.opengis.net/def/crs/epsg/0/4326",
        "https://www.opengis.net/def/crs/epsg/0/4326",
    )
)  # fmt: skip
_FEATURE = '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [11.63, 52.13]}, "properties": {}}'
_COLLECTION = '{"type": "FeatureCollection", "features": […]}'
_POINT = '{"type": "Point", "coordinates": [11.63, 52.13]}'
_TO_WGS84 = "WGS84, longitude and latitude in degrees"


@dataclass(frozen=True)
class GeoRow:
    """A feature, or a row of a GeoParquet file: `row` counts from 1; no place where its geometry is null."""

    row: int
    latitude: float | None
    longitude: float | None
    properties: Mapping[str, Any]


class _Complaint(ValueError):
    """Why a geometry cannot be taken: found, expected, example."""

    def __init__(self, found: str, expected: str, example: str = _POINT) -> None:
        super().__init__(found, expected, example)
        self.found, self.expected, self.example = found, expected, example

    def problem(self, row: int | None, column: str, fatal: bool) -> Problem:
        return Problem("", row, column, self.found, self.expected, self.example, fatal)


def great_circle_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> NDArray[np.float64]:
    """Kilometres between places in degrees on a sphere of the Earth's mean radius; numbers or arrays of them.

    By the haversine (Sinnott 1984), which keeps its digits for near places. It is at most 0.6 % off the ellipsoid.
    """
    phi1, phi2 = np.radians(np.asarray(lat1, np.float64)), np.radians(np.asarray(lat2, np.float64))
    across = np.radians(np.asarray(lon2, np.float64) - np.asarray(lon1, np.float64))
    part = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(across / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(part, 0.0, 1.0))))


def read_geo(
    body: bytes, form: Literal["geojson", "geoparquet"], near: tuple[float, float] | None = None
) -> tuple[list[GeoRow], list[Problem]]:
    """Rows of a file and what is wrong with it; problems have no resource, which the caller knows.

    `near` is the hub's latitude and longitude: a row that lies far from it and would lie beside it with its coordinates
    swapped is refused. A fatal problem refuses the file, and there are no rows then; another refuses its row.
    """
    notes = _Notes()
    try:
        if len(body) > MOST_BYTES:
            expected = f"at most {MOST_BYTES // 2**20} MiB in one file: split it, or round its coordinates"
            raise _Complaint(f"{len(body) / 2**20:.0f} MiB", expected, "trees-2018.geojson, trees-2019.geojson")
        read = _read_geojson if form == "geojson" else _read_geoparquet
        rows = read(body, near, notes)
    except _Complaint as complaint:
        return [], [complaint.problem(None, "", fatal=True)]
    return rows, notes.all()


class _Notes:
    """Problems of rows; from `MOST_PROBLEMS` on they are only counted."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.more = 0

    def add(self, row: int, column: str, complaint: _Complaint) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(complaint.problem(row, column, fatal=False))
        else:
            self.more += 1

    def all(self) -> list[Problem]:
        if not self.more:
            return self.problems
        found = f"{self.more} more rows that cannot be taken"
        return [*self.problems, Problem("", None, "", found, "rows as above", "")]


# ---- GeoJSON


def _read_geojson(body: bytes, near: tuple[float, float] | None, notes: _Notes) -> list[GeoRow]:
    features = _features(_document(body))
    left = MOST_POSITIONS
    rows: list[tuple[int, Mapping[str, Any]]] = []
    shapes: list[Any] = []
    for number, feature in enumerate(features, start=1):
        try:
            geometry, properties = _feature(feature)
        except _Complaint as complaint:
            notes.add(number, "", complaint)
            continue
        try:
            positions = 0 if geometry is None else _checked(geometry)
            shape = None if geometry is None else _shape(geometry)
        except _Complaint as complaint:
            notes.add(number, "geometry", complaint)
            continue
        left -= positions
        if left < 0:
            raise _Complaint(f"more than {MOST_POSITIONS:,} positions", "fewer: split the file, or simplify its lines")
        rows.append((number, properties))
        shapes.append(shape)
    return _placed(rows, shapes, near, notes)


def _document(body: bytes) -> Any:
    import orjson

    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise _Complaint("an empty file", "GeoJSON", _COLLECTION)
    if text[:4] == b"PAR1":
        raise _Complaint("a Parquet file", 'GeoJSON, or "format": "geoparquet" of the resource', _COLLECTION)
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Complaint("text in UTF-16", "GeoJSON in UTF-8", _COLLECTION)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_json(text, error) from error


def _not_json(text: bytes, error: Any) -> _Complaint:
    where = f"line {error.lineno}, character {error.colno}"
    try:
        text.decode()
    except UnicodeDecodeError as wrong:
        return _Complaint(f"byte {wrong.start}, which is no UTF-8", "GeoJSON in UTF-8", _COLLECTION)
    first, _, rest = text.lstrip(b"\x1e").partition(b"\n")
    if rest.strip():
        try:
            if isinstance(json.loads(first), dict):
                return _Complaint("a line for each feature", "one FeatureCollection", _COLLECTION)
        except (ValueError, RecursionError):
            pass
    if any(word in text[-200:] for word in (b"NaN", b"Infinity")) or b"NaN" in text:
        return _Complaint(f"NaN or Infinity ({where})", "JSON, where a missing number is null", "null")
    if not text.rstrip().endswith(b"}"):
        return _Complaint(f"a file that ends before its time ({where})", "whole GeoJSON", _COLLECTION)
    return _Complaint(f"no JSON from {where} on", "GeoJSON", _COLLECTION)


def _features(document: Any) -> Sequence[Any]:
    if not isinstance(document, dict):
        raise _Complaint(seen(document), "a FeatureCollection", _COLLECTION)
    _check_crs(document.get("crs"))
    kind = document.get("type")
    if kind == "Feature":
        return [document]
    if isinstance(kind, str) and (kind in _DEPTHS or kind == "GeometryCollection"):
        raise _Complaint(f"a bare {kind}", "features, which have properties", _FEATURE)
    if kind == "Topology":
        raise _Complaint("TopoJSON", "GeoJSON", _COLLECTION)
    features = document.get("features")
    if kind != "FeatureCollection" or not isinstance(features, list):
        found = f"type {seen(kind)}" if kind != "FeatureCollection" else f"features {seen(features)}"
        raise _Complaint(found, "a FeatureCollection with a list of features", _COLLECTION)
    if not features:
        raise _Complaint("no features", "at least one", _FEATURE)
    if len(features) > MOST_ROWS:
        raise _Complaint(
            f"{len(features):,} features", f"at most {MOST_ROWS:,} in one file: split it", "trees-2019.geojson"
        )
    return features


def _check_crs(crs: Any) -> None:
    """RFC 7946 has no `crs`; the format of 2008 had one: it may say what holds anyhow."""
    if crs is None:
        return
    name = crs
    if isinstance(crs, dict):
        inner = crs.get("properties")
        name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(name, str) or name.strip().lower() not in _WGS84:
        raise _Complaint(f"crs {seen(name)}", f"{_TO_WGS84} and no crs: save it again as EPSG:4326", _POINT)


def _feature(feature: Any) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        found = f"type {seen(feature.get('type'))}" if isinstance(feature, dict) else seen(feature)
        raise _Complaint(found, "a Feature", _FEATURE)
    properties = feature.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, dict):
        raise _Complaint(f"properties {seen(properties)}", "properties in { }", _FEATURE)
    geometry = feature.get("geometry")
    if geometry is not None and not isinstance(geometry, dict):
        raise _Complaint(f"geometry {seen(geometry)}", "a geometry in { }, or null", _POINT)
    return geometry, properties


def _checked(geometry: Mapping[str, Any], inside: bool = False) -> int:
    """How many positions it has. _Complaint where they are not as RFC 7946 has them."""
    kind = geometry.get("type")
    if kind == "GeometryCollection" and not inside:
        parts = geometry.get("geometries")
        if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
            raise _Complaint(f"geometries {seen(parts)}", "a list of geometries")
        return sum(_checked(part, inside=True) for part in parts)
    if not isinstance(kind, str) or kind not in _DEPTHS:
        raise _Complaint(f"type {seen(kind)}", f"one of {', '.join(_DEPTHS)}")
    _check_crs(geometry.get("crs"))
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list) or not coordinates:
        raise _Complaint(f"coordinates {seen(coordinates)}", "a list of numbers, longitude first")
    if kind == "Point":
        _check_line([coordinates])
        return 1
    lines = [coordinates]
    for _ in range(_DEPTHS[kind] - 1):
        lines = [line for group in lines for line in _listed(group, kind)]
    least = {"LineString": 2, "MultiLineString": 2, "Polygon": 4, "MultiPolygon": 4}.get(kind, 1)
    total = 0
    for line in lines:
        _check_line(_listed(line, kind))
        if len(line) < least:
            raise _Complaint(f"{len(line)} positions in a {kind}", f"at least {least}")
        if least == 4 and line[0][:2] != line[-1][:2]:
            raise _Complaint(f"a ring from {seen(line[0])} to {seen(line[-1])}", "the first again as the last")
        if kind not in ("MultiPoint",):
            _check_steps(line)
        total += len(line)
    return total


def _listed(value: Any, kind: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _Complaint(f"{seen(value)} among the coordinates of a {kind}", "a list there")
    return value


def _check_line(line: Iterable[Any]) -> None:
    for position in line:
        if not isinstance(position, list) or not 2 <= len(position) <= 4:
            raise _Complaint(f"{seen(position)} as a position", "a longitude and a latitude in [ ]", "[11.63, 52.13]")
        lon, lat = position[0], position[1]
        if type(lon) not in (float, int) or type(lat) not in (float, int):
            found = f"[{seen(lon)}, {seen(lat)}]"
            raise _Complaint(found, "a longitude and a latitude as numbers", "[11.63, 52.13]")
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise _outside(lon, lat)


def _outside(lon: float, lat: float) -> _Complaint:
    found = f"longitude {lon:.10g}, latitude {lat:.10g}"
    if abs(lat) > 90 and abs(lat) <= 180 and abs(lon) <= 90:
        return _Complaint(f"{found}: they are swapped", "the longitude first", f"[{lat:.10g}, {lon:.10g}]")
    if abs(lon) <= 360 and abs(lat) <= 90:
        turned = (lon + 180) % 360 - 180
        return _Complaint(found, "a longitude from -180 to 180", f"[{turned:.10g}, {lat:.10g}]")
    metres = " (these look like metres of a projection)" if abs(lon) > 1000 or abs(lat) > 1000 else ""
    return _Complaint(found + metres, f"{_TO_WGS84}: save it again as EPSG:4326", "[11.63, 52.13]")


def _check_steps(line: Sequence[Sequence[float]]) -> None:
    for one, other in pairwise(line):
        if abs(one[0] - other[0]) > 180:
            found = f"a line from longitude {one[0]:.10g} to {other[0]:.10g}"
            raise _Complaint(
                found,
                "lines and areas that cross the antimeridian cut there in two (RFC 7946, 3.1.9)",
                '{"type": "MultiPolygon", …}',
            )


def _shape(geometry: Mapping[str, Any]) -> Any:
    import shapely
    from shapely.geometry import shape

    try:
        return shapely.force_2d(shape(geometry))
    except (shapely.errors.ShapelyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise _Complaint(" ".join(str(error).split())[:120], "a geometry of RFC 7946") from error


# ---- what both have in common


def _placed(
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    shapes: Sequence[Any],
    near: tuple[float, float] | None,
    notes: _Notes,
) -> list[GeoRow]:
    """Rows with centroids. Invalid geometries and swapped coordinates are noted, and their rows left out."""
    import shapely

    array = np.array(list(shapes), dtype=object)
    missing = shapely.is_missing(array)
    wrong = ~missing & (shapely.is_empty(array) | ~shapely.is_valid(array))
    lat, lon = _centroids(array)
    for at in np.flatnonzero(wrong).tolist():
        found = "an empty geometry" if shapely.is_empty(array[at]) else str(shapely.is_valid_reason(array[at]))[:120]
        expected = "a geometry with positions, or null" if shapely.is_empty(array[at]) else "lines that do not cross"
        notes.add(rows[at][0], "geometry", _Complaint(found, expected))
    if near is not None:
        with np.errstate(invalid="ignore"):
            off, swapped = great_circle_km(lat, lon, *near), great_circle_km(lon, lat, *near)
            turned = ~wrong & (np.abs(lon) <= 90) & (swapped <= SWAPPED_KM) & (off > 10 * SWAPPED_KM)
        for at in np.flatnonzero(turned).tolist():
            found = (
                f"longitude {lon[at]:.6g}, latitude {lat[at]:.6g}: {off[at]:,.0f} km from the hub, so they are swapped"
            )
            notes.add(
                rows[at][0], "geometry", _Complaint(found, "the longitude first", f"[{lat[at]:.6g}, {lon[at]:.6g}]")
            )
        wrong |= turned
    return [
        GeoRow(number, None if missing[at] else float(lat[at]), None if missing[at] else float(lon[at]), properties)
        for at, (number, properties) in enumerate(rows)
        if not wrong[at]
    ]


def _centroids(shapes: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes; what lies on both sides of the antimeridian is put together first."""
    import shapely

    is_somewhere = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    lon, lat = np.full(len(shapes), np.nan), np.full(len(shapes), np.nan)
    lon[is_somewhere], lat[is_somewhere] = shapely.get_coordinates(shapely.centroid(shapes[is_somewhere])).T
    west, _, east, _ = shapely.bounds(shapes).reshape(-1, 4).T
    with np.errstate(invalid="ignore"):
        wide = np.flatnonzero(east - west > 180)
    for at in wide:
        turned = shapely.transform(shapes[at], lambda xy: np.where([True, False], np.where(xy < 0, xy + 360, xy), xy))
        x0, _, x1, _ = shapely.bounds(turned)
        if x1 - x0 < east[at] - west[at]:
            centre = shapely.centroid(turned)
            lon[at], lat[at] = (centre.x + 180) % 360 - 180, centre.y
    return lat, lon


# ---- GeoParquet


def _read_geoparquet(body: bytes, near: tuple[float, float] | None, notes: _Notes) -> list[GeoRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not body:
        raise _Complaint("an empty file", "a GeoParquet file", "plots.parquet")
    if body[:4] != b"PAR1":
        found = "JSON" if body.lstrip()[:1] in (b"{", b"[") else "a file that is no Parquet"
        raise _Complaint(found, "a GeoParquet file", "plots.parquet")
    if len(body) < 12 or body[-4:] != b"PAR1":
        raise _Complaint("a Parquet file that ends before its time", "the whole file: copy it again", "plots.parquet")
    try:
        # texts as dictionaries: their length is known before they are spelled out row by row
        texts = [field.name for field in pq.ParquetFile(pa.BufferReader(body)).schema_arrow if _is_text(field.type)]
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts)
        column = _geometry_column(file)
        _check_size(file)
        names = [name for name in file.schema_arrow.names if name != column]
        if len(set(file.schema_arrow.names)) <= len(names):
            raise _Complaint("two columns of one name", "each name once", "plots.parquet")
        simple = [name for name in names if not pa.types.is_nested(file.schema_arrow.field(name).type)]
        rows: list[tuple[int, Mapping[str, Any]]] = []
        shapes: list[Any] = []
        number = decoded = 0
        for batch in file.iter_batches(batch_size=8192, columns=[column, *simple]):
            decoded += sum(map(_decoded_bytes, batch.columns))
            _check_decoded(decoded)
            geometries = _from_wkb(batch.column(batch.schema.get_field_index(column)))
            properties = batch.select(simple).to_pylist() if simple else [{} for _ in range(batch.num_rows)]
            for shape, values in zip(geometries, properties, strict=True):
                number += 1
                if isinstance(shape, _Complaint):
                    notes.add(number, column, shape)
                    continue
                rows.append((number, values))
                shapes.append(shape)
        if number != file.metadata.num_rows:
            found = f"{number:,} rows, where the file says {file.metadata.num_rows:,}"
            raise _Complaint(found, "the whole file: copy it again", "plots.parquet")
    except _Complaint:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise _Complaint(
            f"a Parquet file that cannot be read: {why}", "a whole GeoParquet file", "plots.parquet"
        ) from error
    return _placed(rows, shapes, near, notes)


def _geometry_column(file: Any) -> str:
    """Name of the geometry column, by the file's `geo` metadata."""
    text = (file.schema_arrow.metadata or {}).get(b"geo")
    if text is None:
        expected = 'GeoParquet, which has "geo" metadata: write it with GDAL, QGIS or GeoPandas'
        raise _Complaint("a Parquet file without geometries", expected, "plots.parquet")
    try:
        geo = json.loads(text)
        version, column, columns = geo["version"], geo["primary_column"], geo["columns"]
        about = columns[column]
        encoding = about["encoding"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _Complaint(
            '"geo" metadata that cannot be read', "metadata of GeoParquet 1.0 or 1.1", "plots.parquet"
        ) from error
    if not isinstance(version, str) or not version.startswith("1."):
        raise _Complaint(f"GeoParquet version {seen(version)}", "version 1.0 or 1.1", "1.1.0")
    if not isinstance(column, str) or column not in file.schema_arrow.names:
        raise _Complaint(f"no column {seen(column)}, the geometries by the metadata", "that column", "geometry")
    if encoding != "WKB":
        raise _Complaint(f"geometries encoded as {seen(encoding)}", "geometries encoded as WKB", "WKB")
    crs = about.get("crs")
    if crs is not None and not _is_wgs84(crs):
        name = crs.get("name") if isinstance(crs, dict) else crs
        raise _Complaint(f"crs {seen(name)}", f"{_TO_WGS84}: save it again as OGC:CRS84 or EPSG:4326", "OGC:CRS84")
    return column


def _is_wgs84(crs: Any) -> bool:
    """PROJJSON of WGS84 in degrees, by its identifier, or by its name where it has none."""
    if isinstance(crs, str):
        return crs.strip().lower() in _WGS84
    if not isinstance(crs, dict) or crs.get("type", "GeographicCRS") != "GeographicCRS":
        return False
    ident = crs.get("id")
    if isinstance(ident, dict):
        return f"{ident.get('authority')}:{ident.get('code')}".lower() in _WGS84
    return str(crs.get("name")).strip().lower() in ("wgs 84", "wgs 84 (crs84)", "wgs84")


def _check_size(file: Any) -> None:
    meta = file.metadata
    if not meta.num_rows:
        raise _Complaint("no rows", "at least one", "plots.parquet")
    if meta.num_rows > MOST_ROWS:
        raise _Complaint(
            f"{meta.num_rows:,} rows", f"at most {MOST_ROWS:,} in one file: split it", "trees-2019.parquet"
        )
    widest = max(
        (getattr(field.type, "byte_width", 0) or 0 for field in file.schema_arrow if _is_fixed(field.type)), default=0
    )
    _check_decoded(widest * meta.num_rows)
    _check_decoded(sum(abs(meta.row_group(at).total_byte_size) for at in range(meta.num_row_groups)))


def _check_decoded(size: int) -> None:
    if size > MOST_DECODED:
        expected = f"at most {MOST_DECODED // 2**20} MiB: split it, or leave out columns"
        raise _Complaint(f"{size / 2**20:,.0f} MiB or more once decompressed", expected, "trees-2019.parquet")


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def _is_fixed(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_binary(kind))


def _decoded_bytes(column: Any) -> int:
    """Bytes of a column's values; of a dictionary's, each as often as it is there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    return int(pc.sum(pc.cast(pc.take(pc.binary_length(column.dictionary), column.indices), pa.int64())).as_py() or 0)


def _from_wkb(column: Any) -> list[Any]:
    """Geometries of a column, None where it has none, a _Complaint where it has no WKB of WGS84."""
    import pyarrow as pa
    import shapely

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)):
        raise _Complaint(f"geometries of type {kind}", "geometries as binary WKB", "WKB")
    given = column.to_pylist()
    shapes = shapely.from_wkb(np.array(given, dtype=object), on_invalid="ignore")
    if int(np.sum(shapely.get_num_coordinates(shapes))) > MOST_POSITIONS:
        raise _Complaint(f"more than {MOST_POSITIONS:,} positions", "fewer: split the file, or simplify its lines")
    shapes = shapely.force_2d(shapes)
    xy, of = shapely.get_coordinates(shapes, return_index=True)
    with np.errstate(invalid="ignore"):
        off = ~np.isfinite(xy).all(axis=1) | (np.abs(xy[:, 0]) > 180) | (np.abs(xy[:, 1]) > 90)
        west, _, east, _ = shapely.bounds(shapes).reshape(-1, 4).T
        is_odd = (shapely.get_srid(shapes) > 0) | (east - west > 180) | shapely.is_missing(shapes)
    is_odd[of[off]] = True
    result: list[Any] = list(shapes)
    for at in np.flatnonzero(is_odd).tolist():
        if given[at] is None:
            continue
        try:
            _check_wkb(shapes[at])
        except _Complaint as complaint:
            result[at] = complaint
    return result


def _check_wkb(shape: Any) -> None:
    """_Complaint where a geometry, None where its bytes are none, is not in WGS84."""
    import shapely

    if shape is None:
        raise _Complaint("bytes that are no WKB", "a geometry as WKB", "WKB")
    if shapely.get_srid(shape) not in (0, 4326):
        raise _Complaint(f"SRID {shapely.get_srid(shape)}", f"{_TO_WGS84}, without SRID", "OGC:CRS84")
    xy = shapely.get_coordinates(shape)
    if not np.isfinite(xy).all():
        raise _Complaint("a coordinate that is no number", "finite longitudes and latitudes", "[11.63, 52.13]")
    off = np.flatnonzero((np.abs(xy[:, 0]) > 180) | (np.abs(xy[:, 1]) > 90))
    if off.size:
        raise _outside(*map(float, xy[off[0]]))
    for part in shapely.get_parts(shapely.get_parts(shape)):
        for line in shapely.get_rings(part) if part.geom_type == "Polygon" else [part]:
            _check_steps(shapely.get_coordinates(line).tolist())


# ---- areas


def area_of(given: Any) -> str:
    """A hub's area as GeoJSON text: Polygon or MultiPolygon, WGS84, outer rings counterclockwise, seven decimals.

    Takes a geometry, a Feature of one, or text of either. ValueError, with one line that says what to do, for anything
    else: rings that are open, cross themselves or each other, coordinates that are swapped or outside, areas of nothing
    or above `MOST_KM2`.
    """
    import shapely

    try:
        if isinstance(given, str | bytes):
            body = given.encode() if isinstance(given, str) else given
            if len(body) > MOST_BYTES:
                raise _Complaint(f"{len(body):,} characters", f"an area of up to {MOST_CORNERS:,} corners")
            given = _document(body)
        if isinstance(given, dict) and given.get("type") == "Feature":
            _check_crs(given.get("crs"))
            given = given.get("geometry")
        if not isinstance(given, dict) or given.get("type") not in ("Polygon", "MultiPolygon"):
            found = f"type {seen(given.get('type'))}" if isinstance(given, dict) else seen(given)
            raise _Complaint(found, "a Polygon or MultiPolygon", '{"type": "Polygon", "coordinates": […]}')
        corners = _checked(given)
        if corners > MOST_CORNERS:
            raise _Complaint(f"{corners:,} corners", f"at most {MOST_CORNERS:,}: simplify its outline")
        shape = _shape(given)
        if not shape.is_valid:
            raise _Complaint(str(shapely.is_valid_reason(shape))[:120], "an outline that does not cross itself")
        shape = shapely.orient_polygons(shapely.transform(shape, lambda xy: np.round(xy, 7)))
        size = area_km2(shape)
        if not shape.is_valid or size <= 0:
            raise _Complaint(f"{size:.3g} km²", "an area of some square metres, corners a centimetre apart")
        if size > MOST_KM2:
            raise _Complaint(f"{size:,.0f} km²", f"the hub's own area, at most {MOST_KM2:,.0f} km²")
        return json.dumps(json.loads(shapely.to_geojson(shape)), separators=(",", ":"))
    except _Complaint as complaint:
        example = f", such as {complaint.example}" if complaint.example else ""
        raise ValueError(f"found {complaint.found}, expected {complaint.expected}{example}") from complaint


def area_km2(shape: Any) -> float:
    """Square kilometres of a shapely Polygon or MultiPolygon in degrees, on a sphere of the Earth's mean radius.

    By Chamberlain and Duquette (2007), Some Algorithms for Polygons on a Sphere: good where edges are short.
    """
    import shapely

    total = 0.0
    for polygon in shapely.get_parts(shape):
        outer, *inner = (_ring_km2(shapely.get_coordinates(ring)) for ring in shapely.get_rings(polygon))
        total += outer - sum(inner)
    return total


def _ring_km2(corners: NDArray[np.float64]) -> float:
    lon, lat = np.radians(corners).T
    return float(abs(np.sum(np.diff(lon) * (2 + np.sin(lat[1:]) + np.sin(lat[:-1])))) * EARTH_KM**2 / 2)
