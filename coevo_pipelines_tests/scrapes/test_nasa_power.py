"""NASA POWER: what is asked about the cells in which hubs are, and what days without values make of a scrape."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes import nasa_power
from coevo_pipelines.scrapes.nasa_power import QUANTITIES, Reading, cell_of, readings
from coevo_pipelines.scrapes.scrape import Place
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines_tests.scrapes.misbehaving import Answer, CutOff, Reset, Seen, Step, as_json, misbehaving
from coevo_pipelines_tests.scrapes.parsing import WIDE, read
from coevo_pipelines_tests.scrapes.places import AMBOLI, BUSY, GODAVARI, MAGDEBURG, OPENING, QUIET, AskAbout, made

URL = "https://power.larc.nasa.gov/api/temporal/daily/point?latitude=17.000&longitude=81.250"
UNITS = {"T2M": "C", "PRECTOTCORR": "mm/day", "RH2M": "%", "WS10M": "m/s"}
PAGE = b"<!doctype html><title>504 Gateway Time-out</title>"


@pytest.fixture
def ask(tmp_path: Path) -> AskAbout:
    return AskAbout(tmp_path)


@contextmanager
def sample(day: date) -> Iterator[str]:
    with serve(day) as root:
        yield f"{root}/nasa_power"


def answer(
    values: Mapping[str, Mapping[str, Any]], where: tuple[float, float] = (17.0, 81.25), **changes: Any
) -> dict[str, Any]:
    """As POWER answers: parameter -> day -> value."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [where[1], where[0], 107.61]},
        "properties": {"parameter": values},
        "header": {"title": "NASA/POWER Source Native Resolution Daily Data", "fill_value": -999.0},
        "messages": [],
        "parameters": {name: {"units": UNITS[name], "longname": name} for name in values},
        **changes,
    }


def all_days(request: Seen, value: Callable[[date], float] = lambda _: 1.5) -> dict[str, Any]:
    """An answer with each day that was asked for."""
    asked = request.parameters
    first, last = (date.fromisoformat(asked[name]) for name in ("start", "end"))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    where = float(asked["latitude"]), float(asked["longitude"])
    return answer({name: {f"{day:%Y%m%d}": value(day) for day in days} for name in QUANTITIES}, where)


# --- what is asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "mean", "rain", "days"),
    [(OPENING, 31.45, 0.02, 84), (QUIET, 31.1, 0.0, 1), (BUSY, 31.38, 0.0, 1)],
)
def test_the_sample_holds_true_weather_of_one_cell(
    day: date, mean: float, rain: float, days: int, ask: AskAbout
) -> None:
    with sample(day) as url:
        capture = ask("nasa_power", url, GODAVARI, MAGDEBURG, day=day)
    assert (capture.complete, len(capture.exchanges)) == (True, 2)
    found = readings(capture.exchanges[0].body)
    assert len(found) == days * len(QUANTITIES)
    of_day = {one.quantity: (one.value, one.unit) for one in found if one.day == day}
    assert (of_day["temperature"], of_day["precipitation"]) == ((mean, "C"), (rain, "mm/day"))
    assert readings(capture.exchanges[1].body) == []
    assert "holds 0 of" in capture.exchanges[1].body.decode()


def test_the_sample_tells_no_day_before_it_is_over() -> None:
    with sample(QUIET) as url:
        asked = f"{url}/temporal/daily/point?parameters=T2M&latitude=17&longitude=81.25&format=JSON&time-standard=UTC"
        body = requests.get(f"{asked}&start=20190325&end=20190401", timeout=10).content
    assert [one.day for one in readings(body)] == [OPENING, QUIET]


@pytest.mark.parametrize(
    "change",
    [
        "latitude=x",
        "latitude=91",
        "start=2019-03-25",
        "start=20190401",
        "parameters=TS",
        "time-standard=LST",
        "format=CSV",
    ],
)
def test_the_sample_refuses_what_it_cannot_answer(change: str) -> None:
    name, _, value = change.partition("=")
    asked = {"parameters": "T2M", "latitude": "17", "longitude": "81.25", "start": "20190325", "end": "20190325",
             "format": "JSON", "time-standard": "UTC"}  # fmt: skip
    with sample(QUIET) as url:
        refused = requests.get(f"{url}/temporal/daily/point", params=asked | {name: value}, timeout=10)
    assert refused.status_code == 422
    assert refused.json()["messages"]


def test_a_cell_is_asked_about_once_by_its_centre_and_nowhere_nothing_is_asked(ask: AskAbout) -> None:
    beside = Place("hub:beside", 17.2, 81.5)
    with misbehaving(lambda request: as_json(all_days(request))) as server:
        capture = ask("nasa_power", server.url, GODAVARI, beside, AMBOLI, day=OPENING)
        first, second = server.seen
        assert capture.complete
        assert ask("nasa_power", server.url, day=OPENING).exchanges == ()
        assert len(server.seen) == 2
    assert first.path == "/temporal/daily/point"
    assert first.parameters == {
        "parameters": "T2M,PRECTOTCORR,RH2M,WS10M",
        "community": "AG",
        "latitude": "17.000",
        "longitude": "81.250",
        "start": "20180326",
        "end": "20190325",
        "format": "JSON",
        "time-standard": "UTC",
    }
    assert (second.parameters["latitude"], second.parameters["longitude"]) == ("16.000", "73.750")


@pytest.mark.parametrize(
    ("latitude", "longitude", "cell"),
    [
        (16.9891, 81.229, ("17.000", "81.250")),
        (52.1205, 11.6276, ("52.000", "11.875")),
        (0.0, 0.0, ("0.000", "0.000")),
        (-0.1, -0.1, ("0.000", "0.000")),
        (90.0, 180.0, ("90.000", "-180.000")),
        (-90.0, -180.0, ("-90.000", "-180.000")),
        (10.25, 179.6875, ("10.500", "-180.000")),
        (10.2499, 179.6874, ("10.000", "179.375")),
    ],
)
def test_each_place_is_in_the_cell_whose_centre_is_nearest(
    latitude: float, longitude: float, cell: tuple[str, str]
) -> None:
    assert cell_of(Place("hub:x", latitude, longitude)) == cell
    assert nasa_power.asked(f"{URL.partition('?')[0]}?latitude={cell[0]}&longitude={cell[1]}") == cell


def test_no_place_is_farther_from_its_centre_than_half_a_cell() -> None:
    for number in range(2_000):
        latitude, longitude = -90 + number * 0.0899, -180 + (number * 7.3137) % 360
        cell = tuple(map(float, cell_of(Place("hub:x", latitude, longitude))))
        across = abs(cell[1] - longitude)
        assert abs(cell[0] - latitude) <= 0.25 + 1e-9
        assert min(across, 360 - across) <= 0.3125 + 1e-9


# --- days without values -------------------------------------------------------------------------------


def test_a_day_that_has_no_values_yet_is_incomplete_and_asked_for_again(ask: AskAbout) -> None:
    with misbehaving(lambda request: as_json(all_days(request, lambda _: -999.0))) as server:
        for runs in (1, 2):
            capture = ask("nasa_power", server.url, GODAVARI, day=BUSY)
            assert (capture.complete, capture.resumable) == (False, False)
            assert capture.reason == "17.000,81.250: there are no values of 2019-03-27 yet"
            assert len(server.seen) == runs
    with misbehaving(lambda request: as_json(all_days(request))) as server:
        assert ask("nasa_power", server.url, GODAVARI, day=BUSY).complete


def test_a_day_that_never_had_values_is_complete_one_day(ask: AskAbout) -> None:
    later = datetime(2019, 6, 1, tzinfo=UTC)
    with misbehaving(lambda request: as_json(all_days(request, lambda _: -999.0))) as server:
        capture = ask("nasa_power", server.url, GODAVARI, day=BUSY, now=later)
    assert capture.complete
    assert readings(capture.exchanges[0].body) == []


def test_a_gap_among_older_days_is_no_shortfall(ask: AskAbout) -> None:
    def gap(day: date) -> float:
        return -999.0 if day.month == 1 else 0.0  # no rain is a value

    with misbehaving(lambda request: as_json(all_days(request, gap))) as server:
        capture = ask("nasa_power", server.url, GODAVARI, day=OPENING)
    assert capture.complete
    assert len(readings(capture.exchanges[0].body)) == (365 - 31) * len(QUANTITIES)


@pytest.mark.parametrize(
    ("messages", "says"),
    [([], "17.000,81.250: 1 of 365 days came, and the answer does not say why"), (["No data before 2019."], "")],
)
def test_days_that_are_missing_are_told_unless_the_answer_does(messages: list[str], says: str, ask: AskAbout) -> None:
    short = answer({name: {"20190325": 1.5} for name in QUANTITIES}, messages=messages)
    with misbehaving([as_json(short)]) as server:
        assert ask("nasa_power", server.url, GODAVARI, day=OPENING).reason == says


# --- misfortunes ---------------------------------------------------------------------------------------

ONE_DAY = answer({name: {"20190327": 1.5} for name in QUANTITIES})
BODY = json.dumps(ONE_DAY).encode()


@pytest.mark.parametrize(
    "step",
    [
        Answer(429, b"", {"ratelimit-remaining": "0", "ratelimit-limit": "60", "ratelimit-reset": "0"}),
        Answer(504, PAGE),
        Answer(200, PAGE, {"Content-Type": "text/html"}),
        Answer(200, b""),
        Answer(200, BODY[:-4]),
        CutOff(BODY, 10),
        Reset(),
        as_json([ONE_DAY]),
        as_json({"messages": ["Something is wrong."]}),
        as_json(answer({"T2M": {"20190327": 1.5}})),
        as_json(answer({name: {"27.3.2019": 1.5} for name in QUANTITIES})),
        as_json(answer({name: {"20190229": 1.5} for name in QUANTITIES})),
        as_json(answer({name: {"20190327": 1.5} for name in QUANTITIES}, (52.0, 11.875))),
        as_json(ONE_DAY | {"geometry": None}),
        as_json(ONE_DAY | {"geometry": {"coordinates": ["81.25", "17.0"]}}),
        as_json(ONE_DAY | {"header": {"fill_value": None}}),
        as_json(ONE_DAY | {"header": {"fill_value": -999.0, "time_standard": "LST"}}),
        as_json(ONE_DAY | {"properties": {"parameter": []}}),
    ],
    ids=lambda step: str(step)[:60],
)
def test_a_misfortune_is_tried_again_and_one_that_stays_is_told(step: Step, ask: AskAbout) -> None:
    with misbehaving([step, as_json(ONE_DAY)]) as server:
        assert ask("nasa_power", server.url, GODAVARI).complete
        assert len(server.seen) == 2
    with misbehaving(lambda _: step) as server:
        capture = ask("nasa_power", server.url, GODAVARI)
        assert len(server.seen) == 2
    assert (capture.complete, capture.resumable) == (False, True)
    assert capture.reason.startswith("17.000,81.250: ")
    assert "\n" not in capture.reason


def test_a_place_that_is_refused_does_not_stop_the_others(ask: AskAbout) -> None:
    def play(request: Seen) -> Step:
        if request.parameters["latitude"] == "17.000":
            return as_json({"messages": ["Please provide a valid point."]}, status=422)
        return as_json(all_days(request))

    with misbehaving(play) as server:
        capture = ask("nasa_power", server.url, GODAVARI, AMBOLI)
        assert len(server.seen) == 2
    assert capture.reason.startswith("17.000,81.250: /temporal/daily/point: HTTP 422: ")
    assert not capture.resumable


def test_where_one_place_died_and_another_has_no_values_yet_both_are_asked_again(ask: AskAbout) -> None:
    """Else the journal would say for ever that there are none."""

    def play(request: Seen) -> Step:
        return Reset() if request.parameters["latitude"] == "16.000" else as_json(all_days(request, lambda _: -999.0))

    with misbehaving(play) as server:
        capture = ask("nasa_power", server.url, GODAVARI, AMBOLI)
    assert (capture.complete, capture.resumable) == (False, False)
    with misbehaving(lambda request: as_json(all_days(request))) as server:
        assert ask("nasa_power", server.url, GODAVARI, AMBOLI).complete
        assert len(server.seen) == 2


# --- reading -------------------------------------------------------------------------------------------


def test_the_fill_value_and_what_is_no_number_are_no_readings() -> None:
    given: dict[str, dict[str, Any]] = {
        "T2M": {"20190325": 31.45, "20190326": -999, "20190327": -999.0},
        "RH2M": {"20190325": None, "20190326": "51", "20190327": True},
        "PS": {"20190325": 99.8},
    }
    told = {"T2M": {"units": "C", "longname": "Temperature"}}
    said = answer({}, properties={"parameter": given}, parameters=told)
    assert readings(json.dumps(said).encode()) == [Reading("temperature", OPENING, 31.45, "C", "Temperature")]
    said["header"]["fill_value"] = 31.45
    assert [one.value for one in readings(json.dumps(said).encode())] == [-999.0, -999.0]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", PAGE, b'{"properties": {"parameter": {}}}', b"\xff"])
def test_what_is_no_answer_is_told(body: bytes) -> None:
    with pytest.raises(ParseError):
        readings(body)
    assert nasa_power.check(URL, 200, body)
    assert nasa_power.check(URL, 422, body) == ""


def test_an_address_that_asks_about_no_place_is_told() -> None:
    with pytest.raises(ParseError, match="asks for no place"):
        nasa_power.asked("https://power.larc.nasa.gov/api/temporal/daily/point?latitude=x")


def test_weather_is_no_work() -> None:
    traces = read("nasa_power", made(URL, BODY), made(URL, PAGE), window=WIDE)
    assert not any(traces.rows.values())
