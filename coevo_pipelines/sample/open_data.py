"""The sample's GBIF and NASA POWER: a small true slice of each (`facts/gbif.json`, `facts/nasa_power.json`), asked as
the services are. What the slice does not hold is answered as empty, never made up.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date, timedelta
from typing import Any

from coevo_pipelines.sample.answers import Answer, Parameters, Refused, as_json
from coevo_pipelines.sample.world import Fact, World, facts

_EARTH_KM = 6371.0088
_AROUND = re.compile(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?),(\d+(?:\.\d+)?)km")
_DAYS = re.compile(r"(\d{4}-\d{2}-\d{2}),(\d{4}-\d{2}-\d{2})")
_MOST_A_PAGE, _MOST_DEEP = 300, 100_001


def gbif(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/occurrence/search` with geoDistance, eventDate, limit and offset. Other parameters change nothing: all that is
    held is present, with coordinates, and without complaint of them."""
    if path != "/occurrence/search":
        raise Refused(404, "", "text/plain")
    limit, offset = (_whole(parameters, name, default) for name, default in (("limit", 20), ("offset", 0)))
    limit = min(limit, _MOST_A_PAGE)
    if limit + offset > _MOST_DEEP:
        raise Refused(400, f"Max offset of {_MOST_DEEP} exceeded: {offset} + {limit}", "text/plain")
    found = [one for one in facts("gbif")["occurrences"] if _chosen(world, one, parameters)]
    page = [_occurrence(one) for one in found[offset : offset + limit]]
    is_end = offset + limit >= len(found)
    return as_json(
        {"offset": offset, "limit": limit, "endOfRecords": is_end, "count": len(found), "results": page, "facets": []}
    )


def _whole(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    if not re.fullmatch(r"\d{1,9}", text):
        raise Refused(400, f"Invalid value for {name}: {text}", "text/plain")
    return int(text)


def _chosen(world: World, one: Fact, parameters: Parameters) -> bool:
    seen = one["eventDate"]
    if seen > world.day.isoformat():
        return False
    if days := parameters.get("eventDate"):
        match = _DAYS.fullmatch(days)
        if match is None:
            raise Refused(400, f"Invalid eventDate: {days}", "text/plain")
        if not match[1] <= seen <= match[2]:
            return False
    if around := parameters.get("geoDistance"):
        match = _AROUND.fullmatch(around)
        if match is None or abs(float(match[1])) > 90 or abs(float(match[2])) > 180:
            raise Refused(400, f"Invalid geoDistance: {around}", "text/plain")
        where = one["decimalLatitude"], one["decimalLongitude"]
        return _km(float(match[1]), float(match[2]), *where) <= float(match[3])
    return True


def _km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """On a sphere, in degrees: the haversine."""
    phi, other = math.radians(latitude), math.radians(other_latitude)
    across = math.radians(other_longitude - longitude)
    part = math.sin((other - phi) / 2) ** 2 + math.cos(phi) * math.cos(other) * math.sin(across / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(part))


def _occurrence(one: Fact) -> Fact:
    seen = date.fromisoformat(one["eventDate"])
    of_day = {"year": seen.year, "month": seen.month, "day": seen.day}
    said = {name: value for name, value in one.items() if value is not None}
    return {**facts("gbif")["common"], **said, **of_day, "gbifID": str(one["key"])}


def nasa_power(world: World, path: str, parameters: Parameters, _base: str) -> Answer:
    """`/temporal/daily/point` as JSON. Of a cell or a day that is not held there is no value, and a message says so."""
    if path != "/temporal/daily/point":
        raise Refused(404, '{"detail": "Not Found"}')
    held = facts("nasa_power")
    wanted = parameters.get("parameters", "").split(",")
    try:
        latitude, longitude = (float(parameters[name]) for name in ("latitude", "longitude"))
        first, last = (_day(parameters[name]) for name in ("start", "end"))
    except (KeyError, ValueError):
        raise _refused("latitude, longitude, start and end (YYYYMMDD) are required") from None
    if not set(wanted) <= set(held["columns"]):
        raise _refused(f"the sample holds {', '.join(held['columns'])}")
    if parameters.get("time-standard") != held["time_standard"] or parameters.get("format") != "JSON":
        raise _refused("the sample holds time-standard=UTC, and answers with format=JSON")
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and first <= last):
        raise _refused("the point or the days are not valid")
    is_held = _cell(latitude, longitude) == _cell(held["latitude"], held["longitude"])
    last_seen = min(last, world.day)
    days = [first + timedelta(days=number) for number in range((last_seen - first).days + 1)] if is_held else []
    values = {f"{day:%Y%m%d}": held["days"][day.isoformat()] for day in days if day.isoformat() in held["days"]}
    series = {name: {written: row[held["columns"].index(name)] for written, row in values.items()} for name in wanted}
    asked = (last - first).days + 1
    missing = [f"The sample holds {len(values)} of {asked} days of this cell."] if len(values) < asked else []
    where = [longitude, latitude, held["elevation_m"]] if is_held else [longitude, latitude]
    return as_json(
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": where},
            "properties": {"parameter": series},
            "header": {
                "title": held["title"],
                "api": {"version": "sample", "name": "POWER Daily API"},
                "sources": ["MERRA2"],
                "fill_value": held["fill_value"],
                "time_standard": held["time_standard"],
                "start": f"{first:%Y%m%d}",
                "end": f"{last:%Y%m%d}",
            },
            "messages": missing,
            "parameters": {name: held["parameters"][name] for name in wanted},
        }
    )


def _day(written: str) -> date:
    if not re.fullmatch(r"\d{8}", written):
        raise ValueError(written)
    return date.fromisoformat(written)


def _cell(latitude: float, longitude: float) -> tuple[int, int]:
    """Number of the cell, of a grid of half a degree of latitude by five eighths of longitude."""
    return math.floor((latitude + 90) / 0.5 + 0.5), math.floor((longitude + 180) / 0.625 + 0.5) % 576


def _refused(message: str) -> Refused:
    """As POWER refuses: 422 with a list of messages."""
    body: dict[str, Any] = {"header": "The API request is not valid.", "messages": [message]}
    return Refused(422, json.dumps(body))
