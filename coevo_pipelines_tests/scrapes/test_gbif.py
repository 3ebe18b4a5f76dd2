"""GBIF: what is asked about the places of hubs, and what its misfortunes make of the day."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes import gbif
from coevo_pipelines.scrapes.collect import Capture
from coevo_pipelines.scrapes.scrape import GIVE_UP_AFTER, Place
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines_tests.scrapes.misbehaving import (
    Answer,
    CutOff,
    Play,
    Reset,
    Seen,
    Step,
    as_json,
    misbehaving,
    relay,
)
from coevo_pipelines_tests.scrapes.parsing import WIDE, read
from coevo_pipelines_tests.scrapes.places import (
    ALL,
    AMBOLI,
    BUSY,
    CHORLA,
    GODAVARI,
    MAGDEBURG,
    NELLIYAMPATHY,
    OPENING,
    QUIET,
    AskAbout,
    made,
)

URL = "https://api.gbif.org/v1/occurrence/search"


@pytest.fixture
def ask(tmp_path: Path) -> AskAbout:
    return AskAbout(tmp_path)


@contextmanager
def sample(day: date) -> Iterator[str]:
    with serve(day) as root:
        yield f"{root}/gbif"


def listing(request: Seen, total: int) -> Step:
    """A page of `total` occurrences, as many as were asked for."""
    offset, limit = (int(request.parameters[name]) for name in ("offset", "limit"))
    keys = range(offset, min(offset + limit, total))
    is_end = offset + limit >= total
    return as_json(
        {
            "offset": offset,
            "limit": limit,
            "endOfRecords": is_end,
            "count": total,
            "results": [{"key": k} for k in keys],
        }
    )


def keys(capture: Capture) -> list[int]:
    return [one["key"] for exchange in capture.exchanges if exchange.ok for one in gbif.occurrences(exchange.body)]


# --- what is asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "day", "found"),
    [
        (AMBOLI, OPENING, [2598683414, 2598683392]),
        (CHORLA, OPENING, [2598683812, 2598683816]),
        (NELLIYAMPATHY, OPENING, [2598683444]),  # five more there are older than a year
        (GODAVARI, OPENING, []),
        (MAGDEBURG, OPENING, []),
        (AMBOLI, QUIET, []),
        (AMBOLI, BUSY, []),
    ],
)
def test_the_sample_holds_true_sightings_around_its_places(
    place: Place, day: date, found: list[int], ask: AskAbout
) -> None:
    with sample(day) as url:
        capture = ask("gbif", url, place, day=day)
    assert (capture.complete, capture.reason, keys(capture)) == (True, "", found)


def test_what_the_sample_says_is_as_gbif_says_it(ask: AskAbout) -> None:
    with sample(OPENING) as url:
        (exchange,) = ask("gbif", url, NELLIYAMPATHY, day=OPENING).exchanges
    (one,) = json.loads(exchange.body)["results"]
    assert (one["species"], one["eventDate"], one["year"], one["license"], one["gbifID"]) == (
        "Micrixalus nelliyampathi",
        "2018-10-09",
        2018,
        "http://creativecommons.org/licenses/by/4.0/legalcode",
        "2598683444",
    )
    assert exchange.topic is None


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ("geoDistance=10.3,76.86,5", 400),
        ("geoDistance=91,0,5km", 400),
        ("eventDate=2019", 400),
        ("limit=x", 400),
        ("limit=300&offset=100000", 400),
        ("limit=1000", 200),
    ],
)
def test_the_sample_refuses_as_gbif_does(parameters: str, status: int) -> None:
    with sample(OPENING) as url:
        answer = requests.get(f"{url}/occurrence/search?{parameters}", timeout=10)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["limit"] == 300
        assert all(one["eventDate"] <= "2019-03-25" for one in answer.json()["results"])


def test_hubs_at_one_place_are_asked_about_once_and_nowhere_nothing_is_asked(ask: AskAbout) -> None:
    beside = Place("hub:beside", AMBOLI.latitude + 0.00001, AMBOLI.longitude - 0.00001)
    with misbehaving(lambda request: listing(request, 0)) as server:
        capture = ask("gbif", server.url, AMBOLI, beside, CHORLA, day=QUIET)
        assert [request.parameters["geoDistance"] for request in server.seen] == [
            "15.9647,74.0036,5km",
            "15.8050,74.1120,5km",
        ]
        assert capture.complete
        nothing = ask("gbif", server.url, day=OPENING)
        assert (nothing.complete, nothing.exchanges, len(server.seen)) == (True, (), 2)


@pytest.mark.parametrize(
    ("day", "days"),
    [(OPENING, "2018-03-26,2019-03-25"), (QUIET, "2019-03-26,2019-03-26")],
)
def test_of_an_opening_of_decades_a_year_is_asked_for(day: date, days: str, ask: AskAbout) -> None:
    with misbehaving(lambda request: listing(request, 0)) as server:
        assert ask("gbif", server.url, AMBOLI, day=day, hubs={"around_km": 2.5}).complete
        (request,) = server.seen
    assert request.path == "/occurrence/search"
    assert request.parameters == {
        "geoDistance": "15.9647,74.0036,2.5km",
        "eventDate": days,
        "hasCoordinate": "true",
        "hasGeospatialIssue": "false",
        "occurrenceStatus": "PRESENT",
        "limit": "300",
        "offset": "0",
    }


def test_pages_are_asked_for_until_the_end(ask: AskAbout) -> None:
    with misbehaving(lambda request: listing(request, 7)) as server:
        capture = ask("gbif", server.url, AMBOLI, sources={"gbif": {"page_size": 3}})
        assert [request.parameters["offset"] for request in server.seen] == ["0", "3", "6"]
    assert capture.complete
    assert keys(capture) == list(range(7))


def test_more_than_a_search_gives_is_asked_for_by_halves_of_its_days(ask: AskAbout) -> None:
    def play(request: Seen) -> Step:
        first, last = map(date.fromisoformat, request.parameters["eventDate"].split(","))
        many = gbif.MOST_A_SEARCH + 1 if last - first > timedelta(days=100) else 0
        return as_json({"offset": 0, "endOfRecords": not many, "count": many, "results": [{"key": 1}] * bool(many)})

    with misbehaving(play) as server:
        assert ask("gbif", server.url, AMBOLI, day=OPENING).complete
        spans = [request.parameters["eventDate"].split(",") for request in server.seen]
    asked = [span for span in spans if date.fromisoformat(span[1]) - date.fromisoformat(span[0]) <= timedelta(days=100)]
    assert len(spans) == 7 and len(asked) == 4
    assert (asked[0][0], asked[-1][1]) == ("2018-03-26", "2019-03-25")
    for before, after in pairwise(asked):
        assert date.fromisoformat(after[0]) - date.fromisoformat(before[1]) == timedelta(days=1)


def test_more_in_one_day_than_a_search_gives_is_told(ask: AskAbout) -> None:
    many = {"offset": 0, "endOfRecords": True, "count": gbif.MOST_A_SEARCH + 1, "results": [{"key": 1}]}
    with misbehaving(lambda _: as_json(many)) as server:
        capture = ask("gbif", server.url, AMBOLI, day=QUIET)
        assert len(server.seen) == 1
    assert capture.reason == ("15.9647,74.0036: 1 occurrences of 2019-03-26 to 2019-03-26 came, 100001 were announced")


# --- misfortunes ---------------------------------------------------------------------------------------

GOOD = {"offset": 0, "endOfRecords": True, "count": 1, "results": [{"key": 1}]}
BODY = json.dumps(GOOD).encode()
PAGE = b"<!doctype html><title>Sign in to this network</title>"


@pytest.mark.parametrize(
    "step",
    [
        Answer(429, b"", {"Retry-After": "0"}),
        Answer(503, PAGE),
        Answer(200, PAGE, {"Content-Type": "text/html"}),
        Answer(200, b""),
        Answer(204, b""),
        Answer(200, BODY[:-4]),
        CutOff(BODY, 10),
        Reset(),
        as_json([]),
        as_json({"error": "something"}),
        as_json(GOOD | {"offset": 300}),
        as_json(GOOD | {"count": "1"}),
        as_json(GOOD | {"results": [{"gbifID": "1"}]}),
        as_json(GOOD | {"results": [1]}),
    ],
    ids=lambda step: str(step)[:60],
)
def test_a_misfortune_is_tried_again_and_one_that_stays_is_told(step: Step, ask: AskAbout) -> None:
    with misbehaving([step, as_json(GOOD)]) as server:
        assert ask("gbif", server.url, AMBOLI).complete
        assert len(server.seen) == 2
    with misbehaving(lambda _: step) as server:
        capture = ask("gbif", server.url, AMBOLI)
        assert len(server.seen) == 2  # as often as the settings say, and no more
    assert not capture.complete
    assert capture.resumable
    assert capture.reason.startswith("15.9647,74.0036: ")
    assert "\n" not in capture.reason
    with misbehaving([as_json(GOOD)]) as server:
        assert ask("gbif", server.url, AMBOLI).complete


def test_who_asks_to_wait_for_long_is_not_asked_again_now(ask: AskAbout) -> None:
    with misbehaving(lambda _: Answer(429, b"", {"Retry-After": "7200"})) as server:
        capture = ask("gbif", server.url, AMBOLI)
        assert len(server.seen) == 1
    assert "asks to wait 7200 s" in capture.reason


def test_of_a_place_that_dies_the_rest_goes_on_and_the_next_run_asks_for_it_alone(ask: AskAbout) -> None:
    with serve(OPENING) as root:
        through = relay(f"{root}")

        def at(request: Seen) -> Step:
            return through(Seen(request.method, f"/gbif{request.target}", request.headers, request.at))

        def play(request: Seen) -> Step:
            return Reset() if "15.8050" in request.target else at(request)

        with misbehaving(play) as server:
            first = ask("gbif", server.url, *ALL, day=OPENING)
        assert (first.complete, first.resumable, keys(first)) == (False, True, [2598683414, 2598683392, 2598683444])
        with misbehaving(at) as server:
            second = ask("gbif", server.url, *ALL, day=OPENING)
            assert [request.parameters["geoDistance"] for request in server.seen] == ["15.8050,74.1120,5km"]
    assert second.complete
    assert len(keys(second)) == 5


def test_of_a_service_that_is_down_not_every_place_is_asked(ask: AskAbout) -> None:
    many = [Place(f"hub:{number}", number, 0.0) for number in range(3 * GIVE_UP_AFTER)]
    with misbehaving(lambda _: Answer(500)) as server:
        capture = ask("gbif", server.url, *many)
        assert len(server.seen) == 2 * GIVE_UP_AFTER
    assert f"{GIVE_UP_AFTER} items in a row failed" in capture.reason
    assert capture.resumable


REFUSED: dict[str, tuple[Play, str]] = {
    "a refusal": (lambda _: Answer(400, b"Invalid geoDistance"), "HTTP 400: Invalid geoDistance"),
    "fewer than announced": (lambda _: as_json(GOOD | {"count": 3}), "1 occurrences of .* came, 3 were announced"),
    "the same page for ever": (
        lambda request: as_json(
            GOOD | {"offset": int(request.parameters["offset"]), "endOfRecords": False, "count": 9}
        ),
        "a page brings nothing new after 1 of 9",
    ),
    "an end that is none": (
        lambda request: as_json(
            {"offset": int(request.parameters["offset"]), "endOfRecords": False, "count": 9, "results": []}
        ),
        "0 occurrences of .* came, 9 were announced",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_of_a_place_that_is_answered_wrongly_the_rest_goes_on_and_all_is_asked_again(what: str, ask: AskAbout) -> None:
    play, says = REFUSED[what]

    def mixed(request: Seen) -> Step:
        assert callable(play)
        return play(request) if "15.9647" in request.target else as_json(GOOD)

    with misbehaving(mixed) as server:
        capture = ask("gbif", server.url, AMBOLI, CHORLA, day=QUIET)
        assert "15.8050,74.1120,5km" in {request.parameters["geoDistance"] for request in server.seen}
        assert len(server.seen) <= 3
    assert (capture.complete, capture.resumable) == (False, False)
    assert capture.reason.startswith("15.9647,74.0036: ")
    assert re.search(says, capture.reason), capture.reason
    with misbehaving(lambda _: as_json(GOOD)) as server:
        assert ask("gbif", server.url, AMBOLI, CHORLA, day=QUIET).complete
        assert len(server.seen) == 2


def test_pages_that_never_end_come_to_an_end(ask: AskAbout) -> None:
    def endless(request: Seen) -> Step:
        offset = int(request.parameters["offset"])
        page = {"offset": offset, "endOfRecords": False, "count": 100_000, "results": [{"key": offset}]}
        return as_json(page)

    with misbehaving(endless) as server:
        capture = ask("gbif", server.url, AMBOLI, day=QUIET)
        assert len(server.seen) == 334
        assert int(server.seen[-1].parameters["offset"]) + int(server.seen[-1].parameters["limit"]) == 100_000
    assert "334 occurrences of 2019-03-26 to 2019-03-26 came, 100000 were announced" in capture.reason


# --- reading -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latitude", "longitude", "point"),
    [
        (52.12051, 11.62764, "52.1205,11.6276"),
        (-0.00001, -0.00001, "0.0000,0.0000"),
        (-33.5, 151.0, "-33.5000,151.0000"),
        (90, -180, "90.0000,-180.0000"),
    ],
)
def test_a_point_is_written_in_one_way(latitude: float, longitude: float, point: str) -> None:
    assert gbif.point_of(Place("hub:x", latitude, longitude)) == point
    assert gbif.asked(f"{URL}?geoDistance={point.replace(',', '%2C')}%2C2.5km&limit=1") == (point, 2.5)


@pytest.mark.parametrize("given", ["", "?limit=1", "?geoDistance=1,2", "?geoDistance=1,2,km", "?geoDistance=1,2,xkm"])
def test_an_address_that_asks_about_no_place_is_told(given: str) -> None:
    with pytest.raises(ParseError, match="asks for no place"):
        gbif.asked(URL + given)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", PAGE, b'{"results": {}}', b"\xff\xfe"])
def test_what_is_no_page_is_told(body: bytes) -> None:
    with pytest.raises(ParseError):
        gbif.occurrences(body)
    assert gbif.check(URL, 200, body)
    assert gbif.check(URL, 404, body) == ""


def test_sightings_are_no_works() -> None:
    traces = read("gbif", made(f"{URL}?geoDistance=1,2,5km", BODY), made(URL, PAGE), window=WIDE)
    assert not any(traces.rows.values())
