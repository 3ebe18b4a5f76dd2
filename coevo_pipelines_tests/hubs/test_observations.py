"""What open data say of the places of hubs: which sightings count, on which day, how far off; and the weather in SI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.hubs.observations import observe
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Place
from coevo_pipelines.settings import load_settings
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.scrapes.parsing import quick
from coevo_pipelines_tests.scrapes.places import ALL, BUSY, GODAVARI, OPENING, AskAbout, made

DAY = Window(BUSY, datetime(2019, 3, 27, tzinfo=UTC), datetime(2019, 3, 28, tzinfo=UTC))
WIDE = Window(BUSY, datetime(1980, 1, 1, tzinfo=UTC), datetime(2019, 3, 28, tzinfo=UTC))
HUB = Place("hub:garden", 52.12, 11.63)
AROUND = "https://api.gbif.org/v1/occurrence/search?geoDistance=52.1200%2C11.6300%2C5km&eventDate=2019-03-27,2019-03-27"
CELL = "https://power.larc.nasa.gov/api/temporal/daily/point?parameters=T2M&latitude=52.000&longitude=11.875"
FROG = {
    "key": 7,
    "species": "Rana temporaria",
    "decimalLatitude": 52.13,
    "decimalLongitude": 11.63,
    "eventDate": "2019-03-27",
    "occurrenceStatus": "PRESENT",
}


def page(*occurrences: Any, url: str = AROUND, **changes: Any) -> Exchange:
    return made(url, json.dumps({"results": occurrences, "count": 1, "endOfRecords": True}).encode(), **changes)


def weather(
    values: Mapping[str, Mapping[str, Any]], units: Mapping[str, str] | None = None, url: str = CELL, **changes: Any
) -> Exchange:
    told = {name: {"units": unit, "longname": f"{name} in words"} for name, unit in (units or {"T2M": "C"}).items()}
    said = {"properties": {"parameter": values}, "header": {"fill_value": -999.0}, "parameters": told}
    return made(url, json.dumps(said).encode(), **changes)


def seen(*exchanges: Exchange, places: Iterable[Place] = (HUB,), window: Window = DAY) -> list[dict[str, Any]]:
    return observe({"scrapes.gbif": exchanges}, window, places).frame.to_dicts()


def measured(*exchanges: Exchange, places: Iterable[Place] = (HUB,), window: Window = DAY) -> list[dict[str, Any]]:
    return observe({"scrapes.nasa_power": exchanges}, window, places).frame.to_dicts()


# --- sightings -----------------------------------------------------------------------------------------


def test_a_sighting_is_kept_with_what_is_known_of_it() -> None:
    said = {
        "individualCount": 3,
        "family": "Ranidae",
        "datasetName": "Ponds",
        "license": "http://creativecommons.org/x",
    }
    exchange = page(FROG | said)
    assert seen(exchange) == [
        {
            "hub_id": "hub:garden",
            "source": "gbif",
            "variable": "Rana temporaria",
            "native_id": "7",
            "event_at": datetime(2019, 3, 27, tzinfo=UTC),
            "value": 3.0,
            "unit": "{individual}",
            "distance_km": pytest.approx(1.112, abs=0.001),  # a hundredth of a degree of a meridian
            "label": "Ranidae, Ponds",
            "license": "http://creativecommons.org/x",
            "url": "https://www.gbif.org/occurrence/7",
            "observed_at": exchange.fetched_at,
            "raw_sha256": exchange.body_sha256,
        }
    ]


LEFT_OUT: dict[str, list[dict[str, Any]]] = {
    "without key or place": [
        {"key": None}, {"key": "7"}, {"decimalLatitude": None}, {"decimalLatitude": "52.13"}, {"decimalLongitude": 181},
        {"decimalLatitude": True},
    ],
    "absent": [{"occurrenceStatus": "ABSENT"}, {"individualCount": 0}],
    "not in the wild": [{"basisOfRecord": "FOSSIL_SPECIMEN"}, {"basisOfRecord": "LIVING_SPECIMEN"}],
    "no species named": [{"species": None}, {"species": " "}, {"species": 7}],
    "not of one day": [
        {"eventDate": None}, {"eventDate": ""}, {"eventDate": "2019-03"}, {"eventDate": "2019"}, {"eventDate": "May"},
        {"eventDate": 20190327}, {"eventDate": "2019-03-27/2019-03-28"}, {"eventDate": "2019-03-01/2019-03-31"},
        {"eventDate": "2019/2019-03-27"},
        {"eventDate": "2019-02-29"}, {"eventDate": "2019-03-27/2019-03-27/2019-03-27"},
    ],
    "outside the window": [{"eventDate": "2019-03-26"}, {"eventDate": "2019-03-28T00:00:00"}],
    "too far off": [{"decimalLatitude": 52.17}, {"decimalLatitude": -52.13}],
}  # fmt: skip
CASES = [(why, change) for why, changes in LEFT_OUT.items() for change in changes]


@pytest.mark.parametrize(("why", "change"), CASES, ids=[f"{why}: {change}" for why, change in CASES])
def test_what_is_no_sighting_of_the_day_near_the_hub_is_left_out_and_counted(why: str, change: dict[str, Any]) -> None:
    found = observe({"scrapes.gbif": [page(FROG | change, FROG | {"key": 8})]}, DAY, [HUB])
    assert found.frame["native_id"].to_list() == ["8"]
    assert found.left_out == {why: 1}


@pytest.mark.parametrize(
    "change",
    [
        {"eventDate": "2019-03-27T23:59"},
        {"eventDate": "2019-03-27T17:44:38"},
        {"eventDate": "2019-03-27T01:00:00.000+13:00"},  # the day of its place, whatever the day in Greenwich
        {"eventDate": "2019-03-27T08:00/2019-03-27T09:30"},
        {"individualCount": None},
        {"individualCount": 2.5},
        {"individualCount": 10**12},
        {"basisOfRecord": "PRESERVED_SPECIMEN"},
        {"coordinateUncertaintyInMeters": 30_000.0},
        {"decimalLatitude": 52.165},  # 5.004 km: within what two spheres may differ by
        {"scientificName": "Rana temporaria Linnaeus, 1758", "taxonRank": "SUBSPECIES"},
    ],
    ids=str,
)
def test_what_is_a_sighting_all_the_same(change: dict[str, Any]) -> None:
    (row,) = seen(page(FROG | change))
    assert (row["variable"], row["event_at"], row["value"]) == ("Rana temporaria", DAY.start, None)
    assert row["distance_km"] is not None


@pytest.mark.parametrize("said", ["dataGeneralizations", "informationWithheld"])
def test_of_a_rare_species_whose_place_was_moved_there_is_no_distance(said: str) -> None:
    assert seen(page(FROG | {said: "Coordinates moved to a grid of 10 km"}))[0]["distance_km"] is None
    assert seen(page(FROG | {said: ""}))[0]["distance_km"] is not None


def test_a_sighting_is_told_to_each_hub_that_it_was_asked_for() -> None:
    twin = Place("hub:twin", HUB.latitude + 0.00001, HUB.longitude)
    other = Place("hub:other", 52.14, 11.63)
    about_other = AROUND.replace("52.1200", "52.1400")
    rows = seen(page(FROG), page(FROG, url=about_other), places=[HUB, other, twin])
    assert [(row["hub_id"], row["native_id"]) for row in rows] == [
        ("hub:garden", "7"), ("hub:other", "7"), ("hub:twin", "7"),
    ]  # fmt: skip


def test_of_an_occurrence_that_came_twice_the_last_answer_stands() -> None:
    later = page(FROG | {"species": "Rana arvalis", "individualCount": 2}, hour=3)
    (row,) = seen(page(FROG, FROG), page(FROG), later)
    assert (row["variable"], row["value"], row["raw_sha256"]) == ("Rana arvalis", 2.0, later.body_sha256)


def test_of_a_hub_that_is_not_there_nothing_is_told() -> None:
    assert seen(page(FROG), places=[]) == []
    assert seen(page(FROG), places=[Place("hub:moved", 10.0, 10.0)]) == []


def test_a_long_or_odd_text_is_kept_short_and_on_one_line() -> None:
    (row,) = seen(page(FROG | {"family": "Rani\ndae", "datasetName": "x" * 1_000, "license": {"a": 1}}))
    assert row["label"].startswith("Rani dae, xxx") and len(row["label"]) < 400
    assert row["license"] is None


@pytest.mark.parametrize(
    ("exchange", "counted"),
    [
        (made(AROUND, b"<html>"), {"unreadable answers": 1}),
        (made(AROUND, b'{"results": null}'), {"unreadable answers": 1}),
        (page(FROG, url="https://api.gbif.org/v1/occurrence/7"), {"unreadable answers": 1}),
        (made(AROUND, b"", status=429), {}),
        (made(AROUND, b"", status=None, error="no answer came"), {}),
        (page(FROG, error="cut off"), {}),
        (page(7, None, "frog"), {}),
        (page(), {}),
    ],
    ids=["a page for people", "no results", "another address", "429", "no answer", "an error", "no objects", "empty"],
)
def test_what_is_no_answer_says_nothing(exchange: Exchange, counted: dict[str, int]) -> None:
    found = observe({"scrapes.gbif": [exchange]}, DAY, [HUB])
    assert (found.frame.height, found.left_out) == (0, counted)


# --- weather -------------------------------------------------------------------------------------------


def test_weather_is_kept_in_si_for_each_hub_of_the_cell() -> None:
    beside = Place("hub:beside", 51.9, 12.1)
    units = {"T2M": "C", "PRECTOTCORR": "mm/day", "RH2M": "%", "WS10M": "m/s"}
    values = {name: {"20190327": value} for name, value in zip(units, (20.0, 8.64, 50.0, 3.5), strict=True)}
    rows = measured(weather(values, units), places=[HUB, beside, GODAVARI])
    expected = [
        ("precipitation", 1e-7, "m/s"), ("relative_humidity", 0.5, "1"), ("temperature", 293.15, "K"),
        ("wind_speed", 3.5, "m/s"),
    ]  # fmt: skip
    for hub in ("hub:beside", "hub:garden"):
        found = [(row["variable"], row["value"], row["unit"]) for row in rows if row["hub_id"] == hub]
        assert found == [(name, pytest.approx(value, rel=1e-12), unit) for name, value, unit in expected]
    assert len(rows) == 8
    assert {(row["native_id"], row["distance_km"], row["event_at"]) for row in rows} == {("", None, DAY.start)}
    assert rows[2]["label"] == "T2M in words"


@pytest.mark.parametrize(
    ("values", "units", "why"),
    [
        ({"T2M": {"20190327": -999.0}}, {"T2M": "C"}, {}),
        ({"T2M": {"20190327": None}}, {"T2M": "C"}, {}),
        ({"PS": {"20190327": 99.8}}, {"PS": "kPa"}, {}),
        ({"T2M": {"20190326": 20.0}}, {"T2M": "C"}, {"outside the window": 1}),
        ({"T2M": {"20190327": 20.0}}, {"T2M": "mm/day"}, {"of another unit, or impossible": 1}),
        ({"T2M": {"20190327": 20.0}}, {"RH2M": "%"}, {"of another unit, or impossible": 1}),
        ({"T2M": {"20190327": 900.0}}, {"T2M": "C"}, {"of another unit, or impossible": 1}),
        ({"RH2M": {"20190327": -1.0}}, {"RH2M": "%"}, {"of another unit, or impossible": 1}),
        ({"T2M": {"27 March": 20.0}}, {"T2M": "C"}, {"unreadable answers": 1}),
    ],
)
def test_what_is_no_weather_of_the_day_is_left_out_and_counted(
    values: dict[str, Any], units: dict[str, str], why: dict[str, int]
) -> None:
    found = observe({"scrapes.nasa_power": [weather(values, units)]}, DAY, [HUB])
    assert (found.frame.height, found.left_out) == (0, why)


def test_of_a_day_that_was_asked_for_again_the_last_answer_stands() -> None:
    early, late = weather({"T2M": {"20190327": 20.0}}), weather({"T2M": {"20190327": 21.0}}, hour=3)
    (row,) = measured(early, late)
    assert (row["value"], row["raw_sha256"]) == (294.15, late.body_sha256)
    failed = made(CELL, b"", status=None, error="no answer came")
    assert measured(early, failed)[0]["value"] == 293.15


# --- the whole -----------------------------------------------------------------------------------------


def of_the_sample(folder: Path, day: date) -> tuple[dict[str, tuple[Exchange, ...]], Window]:
    with serve(day) as root:
        found = {
            f"scrapes.{name}": AskAbout(folder)(name, f"{root}/{name}", *ALL, day=day).exchanges
            for name in ("gbif", "nasa_power")
        }
    return found, load_settings().window(day)


def test_the_samples_slice_becomes_rows_that_the_lake_takes(tmp_path: Path) -> None:
    exchanges, window = of_the_sample(tmp_path, OPENING)
    found = observe(exchanges, window, ALL)
    assert found.left_out == {}
    table = schemas.table("hubs.observations")
    written = Lake(tmp_path / "lake").write("hubs.observations", OPENING, found.frame)
    assert written.commit.rows == found.frame.height == 5 + 84 * 4
    assert found.frame.select(table.key).is_duplicated().sum() == 0
    species = found.frame.filter(pl.col("source") == "gbif")
    assert species["hub_id"].unique().sort().to_list() == ["hub:amboli", "hub:chorla", "hub:nelliyampathy"]
    assert species["event_at"].max() == datetime(2018, 10, 9, tzinfo=UTC)
    rain = found.frame.filter(pl.col("variable") == "precipitation", pl.col("value") > 0)
    assert rain["hub_id"].unique().to_list() == ["hub:godavari"]
    wettest = rain.sort("value").tail(1).to_dicts()[0]
    assert wettest["event_at"] == datetime(2019, 3, 2, tzinfo=UTC)
    assert wettest["value"] == pytest.approx(5.32e-3 / 86_400)


def test_the_order_of_places_and_of_answers_changes_nothing(tmp_path: Path) -> None:
    exchanges, window = of_the_sample(tmp_path, OPENING)
    turned = {name: answers[::-1] for name, answers in reversed(exchanges.items())}
    assert observe(exchanges, window, ALL).frame.equals(observe(turned, window, ALL[::-1]).frame)


def test_a_row_of_single_days_holds_what_one_opening_does() -> None:
    """Whatever the windows are cut into, a sighting is in one of them, or in none."""
    days = [date(2019, 3, 20) + timedelta(days=number) for number in range(8)]
    dates = [
        "2019-03-20",
        "2019-03-22T10:00",
        "2019-03-20/2019-03-23",
        "2019-03",
        "2019-03-27",
        "2019-03-24/2019-03-24",
    ]
    answer = page(*({**FROG, "key": key, "eventDate": written} for key, written in enumerate(dates)))
    at_once = seen(answer, window=WIDE)
    one_by_one = [row for day in days for row in seen(answer, window=load_settings(start_date=days[0]).window(day))]
    assert [row["native_id"] for row in at_once] == ["0", "1", "5", "4"]
    assert one_by_one == at_once


# --- whatever comes ------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SPOILT = st.fixed_dictionaries({}, optional=dict.fromkeys([*FROG, "individualCount", "family", "license"], ANYTHING))


def conforming(exchanges: Mapping[str, Iterable[Exchange]]) -> int:
    frame = observe(exchanges, WIDE, [HUB]).frame
    table = schemas.table("hubs.observations")
    assert frame.schema == table.polars_schema()
    assert not frame.select(table.key).is_duplicated().any()
    needed = [column.name for column in table.columns if not column.nullable]
    assert not frame.select(pl.col(needed).is_null().any()).row(0).count(True)
    assert not frame["value"].is_nan().any()
    return frame.height


@quick
@given(st.lists(SPOILT, max_size=3))
def test_whatever_stands_in_an_occurrence_gives_rows_that_fit_or_none(changes: list[dict[str, Any]]) -> None:
    results = [FROG | {"key": number} | change for number, change in enumerate(changes)]
    body = json.dumps({"results": [*results, FROG | {"key": 99}]}).encode()
    assert conforming({"scrapes.gbif": [made(AROUND, body)]}) <= len(changes) + 1


@quick
@given(st.dictionaries(st.sampled_from(["20190327", "20190326", "27"]), ANYTHING, max_size=3), ANYTHING, ANYTHING)
def test_whatever_stands_in_the_weather_gives_rows_that_fit_or_none(days: Any, units: Any, fill: Any) -> None:
    said = {
        "properties": {"parameter": {"T2M": days}},
        "header": {"fill_value": fill},
        "parameters": {"T2M": {"units": units, "longname": units}},
    }
    assert conforming({"scrapes.nasa_power": [made(CELL, json.dumps(said).encode())]}) <= len(days)


@quick
@given(st.binary(max_size=200), st.text(max_size=80))
def test_bytes_of_any_kind_from_any_address_give_no_rows(body: bytes, address: str) -> None:
    both = [made(url, body) for url in (AROUND, CELL, address)]
    assert conforming({"scrapes.gbif": both, "scrapes.nasa_power": both}) == 0
