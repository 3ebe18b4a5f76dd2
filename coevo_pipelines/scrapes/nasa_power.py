"""NASA POWER: the day's weather at the places of hubs.

https://power.larc.nasa.gov/docs/services/api/temporal/daily/. What is asked for comes from one grid (MERRA-2, half a
degree of latitude by five eighths of longitude), so a cell is asked about once, at its centre: it has one answer, the
service does not learn where in it a hub is, and ten thousand hubs are some hundred requests. Days are UTC days.

The last days are not there yet: their values are the fill value. Such a day is incomplete, and asked for again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Place, Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.records import Traces, json_object

SERVICE = Service(
    "NASA POWER",
    Source(base_url="https://power.larc.nasa.gov/api", min_interval_s=1.0, page_size=1),
    of_places=True,
)
withhold = withholding.nothing
PATH = "/temporal/daily/point"
QUANTITIES: Mapping[str, str] = {
    "T2M": "temperature",
    "PRECTOTCORR": "precipitation",
    "RH2M": "relative_humidity",
    "WS10M": "wind_speed",
}
"""Parameter -> quantity of hubs/quantities.toml: means of the day, precipitation its sum."""
LATITUDE_STEP, LONGITUDE_STEP = 0.5, 0.625
LATENCY = timedelta(days=60)
"""A day without values that is over for longer will get none: there are none at that place."""
_NEAR = 0.01
_DAY = re.compile(r"[0-9]{8}")


class Reading(NamedTuple):
    """A number of an answer: in `unit` as the service writes it."""

    quantity: str
    day: date
    value: float
    unit: str
    title: str


def fetch(scrape: Scrape) -> None:
    """Ask for the window's days at each cell of the grid that has a place."""
    session = scrape.session()
    first, last = scrape.days
    for latitude, longitude in dict.fromkeys(map(cell_of, scrape.places)):
        params = {
            "parameters": ",".join(QUANTITIES),
            "community": "AG",
            "latitude": latitude,
            "longitude": longitude,
            "start": f"{first:%Y%m%d}",
            "end": f"{last:%Y%m%d}",
            "format": "JSON",
            "time-standard": "UTC",
        }
        with scrape.place(f"{latitude},{longitude}"):
            answer = json_object(scrape.get(session, PATH, params).content)
            _complete(answer, first, last, is_late=scrape.adapter.endpoint.now() > scrape.window.end + LATENCY)


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status >= 300:
        return ""
    try:
        answer = json_object(body)
        given = _series(answer)
        _fill_value(answer)
    except ParseError as error:
        return str(error)
    if missing := sorted(set(QUANTITIES) - set(given)):
        return f"the answer has no {', '.join(missing)}"
    if (days := answer["header"].get("time_standard", "UTC")) != "UTC":
        return f"its days are {days!r}, asked was UTC"
    where, sought = _where(answer), asked(url)
    if where is None or max(abs(one - float(other)) for one, other in zip(where, sought, strict=True)) > _NEAR:
        return f"the answer is about {where}, asked was {', '.join(sought)}"
    return ""


def parse(_exchange: Exchange, _traces: Traces) -> None:
    """Nothing: weather is no work. What it says of a place: `hubs/observations.py`."""


def cell_of(place: Place) -> tuple[str, str]:
    """Latitude and longitude of the centre of the grid's cell that the place is in, as they are asked for."""
    row = math.floor((place.latitude + 90) / LATITUDE_STEP + 0.5)
    column = math.floor((place.longitude + 180) / LONGITUDE_STEP + 0.5) % round(360 / LONGITUDE_STEP)
    return f"{row * LATITUDE_STEP - 90:.3f}", f"{column * LONGITUDE_STEP - 180:.3f}"


def asked(url: str) -> tuple[str, str]:
    """The cell that a request was about. ParseError for an address that is no request of ours."""
    given = parse_qs(urlsplit(url).query)
    latitude, longitude = (given.get(name, [""])[-1] for name in ("latitude", "longitude"))
    try:
        float(latitude), float(longitude)
    except ValueError:
        raise ParseError(f"the address asks for no place: {latitude!r}, {longitude!r}") from None
    return latitude, longitude


def readings(body: bytes) -> list[Reading]:
    """Numbers of an answer, less those that are the fill value. ParseError when it is none."""
    answer = json_object(body)
    fill, told = _fill_value(answer), answer.get("parameters")
    found = []
    for parameter, days in _series(answer).items():
        about = told.get(parameter) if isinstance(told, dict) else None
        about = about if isinstance(about, dict) else {}
        for written, value in days.items():
            if parameter in QUANTITIES and _is_value(value, fill):
                unit, title = str(about.get("units", "")), str(about.get("longname", parameter))
                found.append(Reading(QUANTITIES[parameter], _day(written), float(value), unit, title))
    return found


def _complete(answer: Mapping[str, Any], first: date, last: date, *, is_late: bool) -> None:
    """Raises Incomplete where days are missing of which the answer does not say why, or have no values yet."""
    given, fill = _series(answer), _fill_value(answer)
    asked_for = (last - first).days + 1
    days = {written for one in given.values() for written in one}
    if len(days) < asked_for and not answer.get("messages"):
        raise Incomplete(f"{len(days)} of {asked_for} days came, and the answer does not say why")
    newest = f"{last:%Y%m%d}"
    of_newest = [one[newest] for one in given.values() if newest in one]
    if of_newest and not is_late and not any(_is_value(value, fill) for value in of_newest):
        raise Incomplete(f"there are no values of {last} yet")


def _series(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    properties = answer.get("properties")
    given = properties.get("parameter") if isinstance(properties, dict) else None
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise ParseError("the answer has no properties.parameter")
    for one in given.values():
        for written in one:
            _day(written)
    return given


def _fill_value(answer: Mapping[str, Any]) -> float:
    header = answer.get("header")
    fill = header.get("fill_value") if isinstance(header, dict) else None
    if isinstance(fill, bool) or not isinstance(fill, int | float):
        raise ParseError("the answer has no header.fill_value")
    return float(fill)


def _where(answer: Mapping[str, Any]) -> tuple[float, float] | None:
    """Latitude and longitude; GeoJSON has them the other way round."""
    geometry = answer.get("geometry")
    given = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(given, list) or len(given) < 2 or not all(_is_value(one, math.inf) for one in given[:2]):
        return None
    return float(given[1]), float(given[0])


def _is_value(value: Any, fill: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and float(value) != fill


def _day(written: str) -> date:
    try:
        if not _DAY.fullmatch(written):
            raise ValueError
        return date.fromisoformat(written)
    except ValueError:
        raise ParseError(f"{written[:40]!r} is no day such as 20190325") from None
