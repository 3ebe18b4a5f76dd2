"""What open data say of the places of hubs: exchanges with GBIF and NASA POWER -> rows of `hubs.observations`. Pure.

A sighting counts on the day, by the calendar of its place, that its eventDate names; GBIF gives no time zone to make
more of. One dated by a span of days, a month or a year is of no one day: it is left out and counted, whatever the
window, so that an opening partition of years and a row of single days hold the same.

Coordinates are not kept, only the distance from the hub: as given, however uncertain they are. Where the source says
that it moved them (to protect a rare species), there is no distance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.hubs.geodata import great_circle_km
from coevo_pipelines.hubs.units import UnitError, to_si
from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes import gbif, nasa_power
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.windows import Window, midnight

if TYPE_CHECKING:
    from coevo_pipelines.scrapes.exchange import Exchange
    from coevo_pipelines.scrapes.scrape import Place

TABLE = "hubs.observations"
INDIVIDUAL = "{individual}"
NOT_WILD = frozenset({"FOSSIL_SPECIMEN", "LIVING_SPECIMEN"})
"""In a collection or a zoo, or long dead: these say nothing of what came back."""
_SLACK = 1.01
"""GBIF measures on a sphere a little smaller than ours."""
_UNITS: Mapping[str, str] = {"C": "Cel", "mm/day": "mm/d", "mm day-1": "mm/d"}
"""Units as NASA POWER writes them -> UCUM; the others are the same."""
_POWER_PAGE = "https://power.larc.nasa.gov/"
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T[0-9:.]+(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_MOST_COUNTED = 10**9
_LONGEST = 300


@dataclass(frozen=True)
class Observed:
    """Rows of `hubs.observations`, and how many things were left out, by reason."""

    frame: pl.DataFrame
    left_out: Mapping[str, int]


def observe(exchanges: Mapping[str, Iterable[Exchange]], window: Window, places: Iterable[Place]) -> Observed:
    """What the exchanges (by table, `scrapes.gbif` and `scrapes.nasa_power`, in their order) say of the places in the
    window. Where an occurrence or a day came more than once, the last answer stands."""
    near: dict[str, list[Place]] = {}
    in_cell: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        near.setdefault(gbif.point_of(place), []).append(place)
        in_cell.setdefault(nasa_power.cell_of(place), []).append(place)
    left_out: Counter[str] = Counter()
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for exchange in exchanges.get("scrapes.gbif", ()):
        if _is_answer(exchange):
            with_point = _seen(exchange, near, window, left_out)
            rows.update(((row["hub_id"], "gbif", row["native_id"]), row) for row in with_point)
    for exchange in exchanges.get("scrapes.nasa_power", ()):
        if _is_answer(exchange):
            for row in _weather(exchange, in_cell, window, left_out):
                rows[row["hub_id"], "nasa_power", row["variable"], str(row["event_at"])] = row
    table = schemas.table(TABLE)
    frame = pl.DataFrame(list(rows.values()), schema=table.polars_schema(), orient="row")
    return Observed(frame.sort(table.key), dict(sorted(left_out.items())))


def _is_answer(exchange: Exchange) -> bool:
    return exchange.error is None and exchange.status is not None and exchange.status < 300


def _said_by(exchange: Exchange) -> dict[str, Any]:
    return {"observed_at": exchange.fetched_at, "raw_sha256": exchange.body_sha256}


def _seen(
    exchange: Exchange, near: Mapping[str, list[Place]], window: Window, left_out: Counter[str]
) -> Iterator[dict[str, Any]]:
    try:
        around, found = gbif.asked(exchange.url), gbif.occurrences(exchange.body)
    except ParseError:
        left_out["unreadable answers"] += 1
        return
    said = _said_by(exchange)
    for one in found:
        read = _sighting(one)
        if isinstance(read, str):
            left_out[read] += 1
            continue
        day, where, row = read
        if midnight(day) not in window:
            left_out["outside the window"] += 1
            continue
        for place in near.get(around.point, ()):
            far = float(great_circle_km(place.latitude, place.longitude, *where))
            if far > around.km * _SLACK + 0.1:
                left_out["too far off"] += 1
                continue
            yield {
                **row,
                "hub_id": place.hub_id,
                "distance_km": None if _is_moved(one) else round(far, 3),
                "event_at": midnight(day),
                **said,
            }


def _sighting(one: Mapping[str, Any]) -> str | tuple[date, tuple[float, float], dict[str, Any]]:
    """Day, place (latitude, longitude) and the columns of an occurrence; or why it is left out."""
    key, species = one.get("key"), _text(one.get("species"))
    where = one.get("decimalLatitude"), one.get("decimalLongitude")
    if type(key) is not int or not _is_place(*where):
        return "without key or place"
    if one.get("occurrenceStatus") == "ABSENT" or one.get("individualCount") == 0:
        return "absent"
    if one.get("basisOfRecord") in NOT_WILD:
        return "not in the wild"
    if species is None:
        return "no species named"
    day = _day(one.get("eventDate"))
    if day is None:
        return "not of one day"
    counted = one.get("individualCount")
    is_count = type(counted) is int and 0 < counted <= _MOST_COUNTED
    labels = filter(None, (_text(one.get("family")), _text(one.get("datasetName"))))
    row = {
        "source": "gbif",
        "variable": species,
        "native_id": str(key),
        "value": float(counted) if is_count and isinstance(counted, int) else None,
        "unit": INDIVIDUAL,
        "label": ", ".join(labels) or None,
        "license": _text(one.get("license")),
        "url": f"https://www.gbif.org/occurrence/{key}",
    }
    return day, (float(where[0]), float(where[1])), row  # type: ignore[arg-type]


def _weather(
    exchange: Exchange, in_cell: Mapping[tuple[str, str], list[Place]], window: Window, left_out: Counter[str]
) -> Iterator[dict[str, Any]]:
    try:
        cell, found = nasa_power.asked(exchange.url), nasa_power.readings(exchange.body)
    except ParseError:
        left_out["unreadable answers"] += 1
        return
    said = _said_by(exchange)
    for reading in found:
        try:
            value, unit = to_si(reading.value, _UNITS.get(reading.unit, reading.unit), reading.quantity)
        except UnitError:
            left_out["of another unit, or impossible"] += 1
            continue
        if midnight(reading.day) not in window:
            left_out["outside the window"] += 1
            continue
        for place in in_cell.get(cell, ()):
            yield {
                "hub_id": place.hub_id,
                "source": "nasa_power",
                "variable": reading.quantity,
                "native_id": "",
                "event_at": midnight(reading.day),
                "value": value,
                "unit": unit,
                "distance_km": None,
                "label": _text(reading.title),
                "license": None,
                "url": _POWER_PAGE,
                **said,
            }


def _day(written: Any) -> date | None:
    """The one day that an eventDate names: a date, a time, or a span that ends on the day on which it began."""
    if not isinstance(written, str):
        return None
    days = set()
    for part in written.split("/", 1):
        match = _DATE.fullmatch(part.strip())
        if match is None:
            return None
        days.add(match[1])
    try:
        return date.fromisoformat(days.pop()) if len(days) == 1 else None
    except ValueError:
        return None


def _is_place(latitude: Any, longitude: Any) -> bool:
    both = (latitude, longitude)
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in both):
        return False
    return bool(abs(latitude) <= 90 and abs(longitude) <= 180)  # false for NaN too


def _is_moved(one: Mapping[str, Any]) -> bool:
    """Whether whoever published it says that its coordinates are not those of where it was."""
    return any(_text(one.get(name)) is not None for name in ("dataGeneralizations", "informationWithheld"))


def _text(value: Any) -> str | None:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text[:_LONGEST] or None
