"""Of which hubs open data are asked: those that had published by the day, as they stand in the raw exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.scrapes.assets import scrape_assets
from coevo_pipelines.scrapes.capture import append, places, scrape_day
from coevo_pipelines.scrapes.collect import Capture
from coevo_pipelines.scrapes.consent import Consent
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Place
from coevo_pipelines.scrapes.sources import services
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.traces.assets import trace_assets
from coevo_pipelines_tests.hubs.packages import as_bytes, changed
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, as_json, misbehaving
from coevo_pipelines_tests.scrapes.places import BUSY, OPENING, QUIET

NOWHERE = {"offset": 0, "endOfRecords": True, "count": 0, "results": []}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(lake=tmp_path / "lake")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


@pytest.fixture(autouse=True)
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def descriptor(name: str, created: str, latitude: float = 52.0, **place: Any) -> bytes:
    where = {"latitude": latitude, "longitude": 11.63} | place
    return as_bytes(changed(("name", name), ("created", created), ("hub.place", where)))


def publish(lake: Lake, day: date, *bodies: bytes, reason: str = "", **changes: Any) -> None:
    """What is in the lake when these descriptors were read on `day`."""
    at = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
    given: dict[str, Any] = {"status": 200, "error": None} | changes
    exchanges = [
        Exchange("GET", f"sample://hubs/{number}/datapackage.json", given["status"], {}, at, body, given["error"])
        for number, body in enumerate(bodies)
    ]
    append(lake, "scrapes.hubs", day, Capture(tuple(exchanges), reason))


def named(found: tuple[Place, ...]) -> Iterator[tuple[str, float]]:
    return ((place.hub_id, place.latitude) for place in found)


def test_a_hub_is_where_its_last_package_says_and_not_before_it_was_published(lake: Lake, settings: Settings) -> None:
    first = descriptor("aa", "2019-03-20T00:00:00Z", 50.0)
    second, third = descriptor("bb", "2019-03-25T10:00:00Z"), descriptor("cc", "2019-03-26T10:00:00Z")
    publish(lake, OPENING, second, first)
    publish(lake, QUIET, first, second, third, descriptor("dd", "2019-03-27T00:00:00Z"))
    publish(lake, BUSY, second, third, descriptor("aa", "2019-03-27T10:00:00Z", 51.0), first)
    assert list(named(places(lake, OPENING, settings))) == [("hub:aa", 50.0), ("hub:bb", 52.0)]
    assert list(named(places(lake, QUIET, settings))) == [("hub:aa", 50.0), ("hub:bb", 52.0), ("hub:cc", 52.0)]
    assert list(named(places(lake, BUSY, settings))) == [("hub:aa", 51.0), ("hub:bb", 52.0), ("hub:cc", 52.0)]


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (descriptor("late", "1979-12-31T00:00:00Z"), {}),  # it belongs to no partition
        (descriptor("early", "2019-03-27T00:00:00Z"), {}),
        (as_bytes(changed(("hub.consent.given", False), ("created", "2019-03-26T01:00:00Z"))), {}),
        (descriptor("unread", "2019-03-26T01:00:00Z"), {"status": 404}),
        (descriptor("broken", "2019-03-26T01:00:00Z"), {"status": None, "error": "cut off"}),
        (b"", {}),
        (b"{", {}),
        (b"<html>", {}),
    ],
    ids=["of another day", "of tomorrow", "without consent", "404", "an error", "empty", "half", "a page for people"],
)
def test_what_is_no_package_of_the_day_is_no_place(
    body: bytes, changes: dict[str, Any], lake: Lake, settings: Settings
) -> None:
    publish(lake, OPENING)
    publish(lake, QUIET, body, **changes)
    assert places(lake, QUIET, settings) == ()


def test_of_a_private_home_the_cell_of_the_grid_is_asked_about(lake: Lake, settings: Settings) -> None:
    publish(lake, OPENING, descriptor("home", "2019-03-25T00:00:00Z", 52.12345, private=True))
    (place,) = places(lake, OPENING, settings)
    assert 0.0001 < abs(place.latitude - 52.12345) < 0.01


def test_about_a_hub_that_opted_out_nobody_is_asked(lake: Lake, settings: Settings) -> None:
    publish(lake, OPENING, descriptor("aa", "2019-03-25T00:00:00Z"), descriptor("bb", "2019-03-25T00:00:00Z"))
    out = Consent(works={"hub:aa": datetime(2019, 3, 26, tzinfo=UTC)})
    assert list(named(places(lake, OPENING, settings, out))) == [("hub:bb", 52.0)]


def live(root: Path, url: str, **changes: Any) -> Settings:
    """Live settings whose GBIF is at `url` and in which nothing else is asked that is not named."""
    sources = {name: {"enabled": False} for name, _ in services()} | {
        "gbif": {"base_url": url, "min_interval_s": 0},
        "hubs": {"base_url": "", "enabled": True},
        **changes,
    }
    return load_settings(
        source="live", lake=root, start_date=OPENING, sources=sources, http={"retries": 0, "backoff_s": 0}
    )


def test_hubs_are_read_first_and_what_they_lack_is_told(tmp_path: Path) -> None:
    def play(request: Seen) -> Step:
        return as_json(NOWHERE) if "occurrence" in request.path else Answer(500)

    with misbehaving(play) as server:
        hubs = {"base_url": f"{server.url}/index.json", "min_interval_s": 0}
        settings = live(tmp_path / "lake", server.url, hubs=hubs)
        lake = Lake(settings.lake_root)
        publish(lake, OPENING, descriptor("aa", "2019-03-25T00:00:00Z"), reason="an index did not answer")
        written = scrape_day("gbif", OPENING, lake, settings)
        assert [request.path for request in server.seen] == ["/index.json", "/occurrence/search"]
    assert not written.commit.complete
    assert written.commit.note.startswith("hubs may be missing: scrapes hubs: ")
    with misbehaving(lambda _: as_json(NOWHERE)) as server:
        settings = live(tmp_path / "lake", server.url)  # no place of hubs is set: there are none more
        assert scrape_day("gbif", OPENING, lake, settings).commit.complete
        assert [request.parameters["geoDistance"] for request in server.seen] == ["52.0000,11.6300,5km"]
        assert not scrape_day("gbif", OPENING, lake, settings).changed


def test_without_hubs_nothing_is_asked_and_the_day_is_complete(tmp_path: Path) -> None:
    with misbehaving([]) as server:
        for changes in ({"hubs": {"enabled": False}}, {}):
            settings = live(tmp_path / f"lake-{len(changes)}", server.url, **changes)
            written = scrape_day("gbif", OPENING, Lake(settings.lake_root), settings)
            assert (written.commit.complete, written.commit.rows) == (True, 0)
        assert server.seen == []


def test_a_sample_day_asks_about_the_samples_hubs(lake: Lake, settings: Settings) -> None:
    for name in ("gbif", "nasa_power"):
        written = scrape_day(name, OPENING, lake, settings)
        assert (written.commit.complete, written.commit.note) == (True, "")
        assert 0 < written.commit.rows <= len(places(lake, OPENING, settings))


def test_sources_of_places_come_after_hubs_and_are_no_traces(settings: Settings) -> None:
    of_places = {name for name, service in services() if service.of_places}
    assert of_places == {"gbif", "nasa_power"}
    before = {asset.key.path[-1]: {key.path[-1] for key in asset.dependency_keys} for asset in scrape_assets(settings)}
    assert {name for name, first in before.items() if "hubs" in first} == of_places
    assert all("register" in before[name] for name in before if name != "register")
    traced = {key.path[-1] for key in trace_assets(settings).dependency_keys}
    assert traced == {name for name, source in settings.sources.items() if source.enabled} - of_places
