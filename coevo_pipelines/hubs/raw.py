"""What of a hub's package may be stored raw: nothing that is refused, and no exact place of a private home. Pure.

Raw bytes are kept for good, so they are looked at before they are stored. A file that is refused as a whole, for
whatever reason, is not kept: what cannot be read cannot be checked either.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from coevo_pipelines.hubs.contents import read_contents
from coevo_pipelines.hubs.package import Package, Resource, Rules, read_descriptor
from coevo_pipelines.hubs.privacy import cell_centre
from coevo_pipelines.hubs.problems import Problem

Kept = tuple[bytes, list[Problem]]
"""The bytes that may be stored, and why they are not all: empty where the bytes are all there, or only moved."""

_KNOWN = (
    "$schema", "id", "name", "title", "description", "version", "created", "homepage", "licenses", "contributors",
    "sources", "keywords",
)  # fmt: skip
_KNOWN_HUB = ("kind", "practices", "capacity", "languages", "contact", "consent", "since", "context")
_KNOWN_FILE = (
    "name", "path", "role", "format", "title", "method", "type", "mediatype", "encoding", "dialect", "schema",
)  # fmt: skip
_FACTS = ("name", "created")
"""What stays of a descriptor that is refused: whose and when."""
_PLACE_WORDS = frozenset(
    ("lat", "lon", "lng", "latitude", "longitude", "gps", "coordinate", "coordinates", "geohash", "geometry", "wkt",
     "easting", "northing", "utm", "breitengrad", "längengrad", "koordinate", "koordinaten", "latitud", "longitud",
     "coordenadas", "coordonnées")
)  # fmt: skip
_PLACES = frozenset({"long", "x", "y"})
_DEGREES = {"latitude": 90.0, "longitude": 180.0}


def descriptor(body: bytes, rules: Rules) -> Kept:
    """A datapackage.json as it may be stored. Of one that is refused only its name and its moment are kept; data that
    are written into it belong into files, where they are looked at."""
    given = _object(body)
    package, problems = read_descriptor(body, rules)
    if given is None or package is None:
        facts = {name: given[name] for name in _FACTS if _is_short(given.get(name))} if given else {}
        return (json.dumps(facts).encode() if facts else b""), [_without_place(each) for each in problems]
    said = json.dumps(given, ensure_ascii=False)
    hub, files = given["hub"], [each for each in given["resources"] if isinstance(each, dict)]
    for each in files:
        each.pop("data", None)
    if package.is_private:
        # Of a home nothing stays that is not known to tell no place; its files are moved too, and get another hash.
        place: dict[str, Any] = {"private": True, "latitude": package.latitude, "longitude": package.longitude}
        place |= {"name": package.place} if package.place else {}
        given = _only(given, _KNOWN) | {"hub": _only(hub, _KNOWN_HUB) | {"place": place}}
        given["resources"] = [
            _only(each, _KNOWN_FILE) if each.get("role") != "media" else _only(each, (*_KNOWN_FILE, "hash", "bytes"))
            for each in files
        ]
    kept = json.dumps(given, ensure_ascii=False)
    return (body if kept == said else kept.encode()), []


def file(package: Package, resource: Resource, body: bytes, rules: Rules) -> Kept:
    """A file of the package as it may be stored: empty, with the reasons, where it is refused; of a private home with
    each place moved as the home is."""
    alone = replace(package, resources=(resource,))
    contents = read_contents(alone, {resource.path: body}.get, rules)
    refused = [each for each in contents.problems if each.fatal]
    if refused:
        return b"", refused
    if not package.is_private:
        return body, []
    moved = {"csv": _moved_csv, "geojson": _moved_geojson}.get(resource.format)
    found = moved(body, resource, rules.home_km) if moved else None
    if found is None:
        expected = (
            "places of a private home in columns latitude and longitude of a CSV file without comments, or GeoJSON"
        )
        return b"", [Problem(resource.path, None, "", "places that cannot be moved to a grid", expected, "", True)]
    return found, []


def said(problems: Iterable[Problem]) -> str:
    """Problems as the value of a header."""
    return json.dumps([asdict(each) for each in problems], ensure_ascii=False)


def read_said(value: str) -> list[Problem]:
    """The problems of such a value."""
    return [Problem(**each) for each in json.loads(value)]


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body.decode("utf-8-sig"))
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _only(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 100


def _without_place(problem: Problem) -> Problem:
    """What stands at a place is not repeated: it may be a home's."""
    return replace(problem, found="something else") if problem.column.startswith("hub.place") else problem


def _degrees(value: Any, most: float) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= most else None


def _moved_csv(body: bytes, resource: Resource, km: float) -> bytes | None:
    """The table with its columns `latitude` and `longitude` moved; a row whose place cannot be read loses it. Tables
    without them come back as they are."""
    names = {each.name for each in resource.fields}
    if any(_tells_a_place(name) for name in names - _DEGREES.keys()):
        return None
    if not names & _DEGREES.keys():
        return body
    if resource.dialect.get("commentChar"):
        return None
    text = body.decode(resource.encoding).removeprefix("\ufeff")
    form = {"delimiter": resource.dialect.get("delimiter", ","), "quotechar": resource.dialect.get("quoteChar", '"')}
    rows = list(csv.reader(io.StringIO(text, newline=""), **form))  # type: ignore[arg-type]
    first = next((number for number, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
    header = [name.strip() for name in rows[first]] if rows else []
    if not _DEGREES.keys() <= set(header):
        return None
    at = {name: header.index(name) for name in _DEGREES}
    for row in rows[first + 1 :]:
        if len(row) != len(header):  # its places may stand in any column
            row[:] = [""] * len(row)
            continue
        latitude, longitude = (_degrees(row[at[name]], most) for name, most in _DEGREES.items())
        known = latitude is not None and longitude is not None
        moved = cell_centre(latitude, longitude, km) if known else ("", "")  # type: ignore[arg-type]
        for name, value in zip(_DEGREES, moved, strict=True):
            row[at[name]] = str(value)
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n", **form).writerows(rows)  # type: ignore[arg-type]
    return written.getvalue().encode(resource.encoding)


def _tells_a_place(column: str) -> bool:
    """Whether a column looks like a place under another name than those that are moved."""
    name = column.casefold()
    return name in _PLACES or bool(_PLACE_WORDS & set(re.findall(r"[^\W\d_]+", name)))


def _moved_geojson(body: bytes, resource: Resource, km: float) -> bytes | None:
    """The features with points at the centre of the cell of each one's middle; only columns of the schema are kept."""
    from coevo_pipelines.hubs.geodata import read_geo

    names = [each.name for each in resource.fields if each.name not in _DEGREES]
    if any(map(_tells_a_place, names)):
        return None
    rows, _ = read_geo(body, "geojson")
    features = []
    for row in rows:
        point = None
        if row.latitude is not None and row.longitude is not None:
            latitude, longitude = cell_centre(row.latitude, row.longitude, km)
            point = {"type": "Point", "coordinates": [longitude, latitude]}
        properties = {name: row.properties[name] for name in names if name in row.properties}
        features.append({"type": "Feature", "geometry": point, "properties": properties})
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()
