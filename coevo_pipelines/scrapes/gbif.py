"""GBIF: species that were seen around the places of hubs.

https://techdocs.gbif.org/en/openapi/v1/occurrence. One search a place: around it (`hubs.around_km`), seen on the day,
present, with coordinates that GBIF finds no fault with. At most 300 a page and 100,000 a search, so a longer answer is
asked for by halves of its days. Hubs at one place are asked about once, and rounded to 4 decimals of a degree (11 m).

A day is asked for when it is over. Who uploads a sighting later is not in it until the day is scraped again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Place, Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.records import Traces, json_object

if TYPE_CHECKING:
    import requests

SERVICE = Service("GBIF", Source(base_url="https://api.gbif.org/v1", min_interval_s=1.0, page_size=300), of_places=True)
withhold = withholding.nothing
PATH = "/occurrence/search"
MOST_A_PAGE, MOST_A_SEARCH = 300, 100_000


class Around(NamedTuple):
    """What was asked about: a point as it is asked for, and how far around it."""

    point: str
    km: float


def fetch(scrape: Scrape) -> None:
    """Ask for all that was seen around each place on the window's days."""
    session = scrape.session()
    first, last = scrape.days
    for point in dict.fromkeys(map(point_of, scrape.places)):
        with scrape.place(point):
            _search(scrape, session, point, first, last)


def check(url: str, status: int, body: bytes) -> str:
    """What is wrong with an answer; empty when it can be read."""
    if status >= 300:
        return ""
    try:
        page = json_object(body)
    except ParseError as error:
        return str(error)
    results, count, is_end = page.get("results"), page.get("count"), page.get("endOfRecords")
    if not isinstance(results, list) or type(count) is not int or not isinstance(is_end, bool):
        return "the page has no results, no count or no endOfRecords"
    if not all(isinstance(one, dict) and type(one.get("key")) is int for one in results):
        return "an occurrence has no key"
    asked = parse_qs(urlsplit(url).query).get("offset", ["0"])[-1]
    return "" if str(page.get("offset")) == asked else f"the page begins at {page.get('offset')}, asked was {asked}"


def parse(_exchange: Exchange, _traces: Traces) -> None:
    """Nothing: sightings are no works. What they say of a place: `hubs/observations.py`."""


def point_of(place: Place) -> str:
    """`latitude,longitude` as it is asked for."""
    return f"{round(place.latitude, 4) + 0.0:.4f},{round(place.longitude, 4) + 0.0:.4f}"


def asked(url: str) -> Around:
    """What a search was about. ParseError for an address that is no search of ours."""
    given = parse_qs(urlsplit(url).query).get("geoDistance", [""])[-1]
    latitude, _, rest = given.partition(",")
    longitude, _, radius = rest.partition(",")
    try:
        return Around(f"{latitude},{longitude}", float(radius.removesuffix("km")))
    except ValueError:
        raise ParseError(f"the address asks for no place: geoDistance={given!r}") from None


def occurrences(body: bytes) -> list[dict[str, Any]]:
    """Those of a page, as GBIF gives them. ParseError when it is none."""
    found = json_object(body).get("results")
    if not isinstance(found, list):
        raise ParseError("the body has no list 'results'")
    return [one for one in found if isinstance(one, dict)]


def _search(scrape: Scrape, session: requests.Session, point: str, first: date, last: date) -> None:
    """All of the days from `first` to `last`, both included; in halves where they are too many for one search."""
    params = {
        "geoDistance": f"{point},{scrape.settings.hubs.around_km:g}km",
        "eventDate": f"{first},{last}",
        "hasCoordinate": "true",
        "hasGeospatialIssue": "false",
        "occurrenceStatus": "PRESENT",
    }
    seen: set[int] = set()
    count = 0
    for page in _pages(scrape, session, params):
        count = page["count"]
        if count > MOST_A_SEARCH and first < last:
            middle = first + (last - first) // 2
            _search(scrape, session, point, first, middle)
            _search(scrape, session, point, middle + timedelta(days=1), last)
            return
        keys = {one["key"] for one in page["results"]}  # `check` has seen that they are there
        if keys and keys <= seen:
            raise Incomplete(f"a page brings nothing new after {len(seen)} of {count} occurrences")
        seen |= keys
    if len(seen) < count:
        raise Incomplete(f"{len(seen)} occurrences of {first} to {last} came, {count} were announced")


def _pages(scrape: Scrape, session: requests.Session, params: dict[str, str]) -> Iterator[dict[str, Any]]:
    limit = min(scrape.source.page_size, MOST_A_PAGE)
    for offset in range(0, MOST_A_SEARCH, limit):
        asked_for = params | {"limit": str(min(limit, MOST_A_SEARCH - offset)), "offset": str(offset)}
        page = json_object(scrape.get(session, PATH, asked_for).content)
        yield page
        if page["endOfRecords"] or not page["results"]:
            return
