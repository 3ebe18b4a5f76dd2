"""A day's raw packages as tables: which capture stands, what is refused is told, and nothing is made of nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.hubs import raw, reading
from coevo_pipelines.hubs.problems import Problem
from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.consent import WITHHELD
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.hubs import LEFT_OUT
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.hubs.packages import FILES, RULES, as_bytes, changed

DAY = date(2019, 3, 20)
START = datetime(2019, 3, 20, tzinfo=UTC)
WINDOW = Window(DAY, START, START + timedelta(days=1))
GRACE = timedelta(hours=48)
SEEN = WINDOW.end + timedelta(hours=2)
ROWS = {"hubs.packages": 1, "hubs.datasets": 5, "hubs.measurements": 2, "hubs.outcomes": 1, "hubs.posts": 2}


def answer(
    url: str, body: bytes | str, at: datetime = SEEN, status: int | None = 200, headers: Mapping[str, str] = {}
) -> Exchange:
    said = body.encode() if isinstance(body, str) else body
    return Exchange("GET", url, status, headers, at, said, None if status else "no answer")


def capture(
    *changes: tuple[str, Any], at: datetime = SEEN, root: str = "hubs:green-valley", files: Mapping[str, str] = {}
) -> list[Exchange]:
    """The package of the tests, as it is stored when it is read whole."""
    mark = "" if root.startswith("hubs:") else "#hub:green-valley"
    held = {**FILES, **files}
    return [
        answer(f"{root}/datapackage.json", as_bytes(changed(*changes)), at),
        *(answer(f"{root}/{name}{mark}", body, at) for name, body in held.items()),
    ]


def read(*exchanges: Exchange) -> Mapping[str, pl.DataFrame]:
    frames = reading.read(exchanges, WINDOW, RULES, GRACE)
    assert set(frames) == set(reading.TABLES)
    for name, frame in frames.items():
        table = schemas.table(name)
        assert frame.schema == table.polars_schema()
        assert schemas.violations(table, frame) == []
    return frames


def heights(frames: Mapping[str, pl.DataFrame]) -> dict[str, int]:
    return {name: frame.height for name, frame in frames.items() if frame.height}


def told(frames: Mapping[str, pl.DataFrame]) -> list[tuple[str, str, str, str]]:
    return frames["hubs.rejects"].select("hub_id", "resource", "column", "found").rows()


@pytest.mark.parametrize("root", ["hubs:green-valley", "https://example.org/a", "sample://hubs/green-valley"])
def test_a_package_and_its_files(root: str) -> None:
    exchanges = capture(root=root)
    frames = read(*exchanges)
    assert heights(frames) == ROWS
    (package,) = frames["hubs.packages"].to_dicts()
    assert package["raw_sha256"] == exchanges[0].body_sha256
    assert (package["observed_at"], package["event_at"]) == (SEEN, START)
    digests = {each.url.partition("#")[0].rpartition("/")[2]: each.body_sha256 for each in exchanges}
    sides = dict(frames["hubs.posts"].select("side", "raw_sha256").rows())
    assert sides == {"need": digests["needs.csv"], "offer": digests["offers.csv"]}
    assert set(frames["hubs.measurements"]["raw_sha256"]) == {digests["soil.csv"]}
    assert set(frames["hubs.outcomes"]["raw_sha256"]) == {digests["outcomes.csv"]}
    named = dict(frames["hubs.datasets"].select("resource", "raw_sha256").rows())
    assert named["photo"] == digests["datapackage.json"]  # never fetched: the descriptor says so
    assert named["soil"] == digests["soil.csv"]


def test_nothing_said_is_a_day_of_empty_tables() -> None:
    assert heights(read()) == {}
    assert heights(read(answer("https://example.org/index.json", '{"packages": []}'))) == {}
    assert heights(read(answer("hubs:x/datapackage.json", b"", status=None))) == {}


@pytest.mark.parametrize("created", ["2019-03-19T23:59:59Z", "2019-03-21T00:00:00Z"])
def test_packages_of_other_days_belong_to_them(created: str) -> None:
    change = [("created", created), ("hub.consent.date", "2019-03-01")]
    assert heights(read(*capture(*change))) == {}
    assert heights(read(*capture(*change, ("hub.kind", "nothing")))) == {}  # their mistakes too


LATE = WINDOW.end + GRACE + timedelta(hours=1)


@pytest.mark.parametrize(
    ("times", "stands"),
    [
        ((SEEN, SEEN + timedelta(hours=1)), 1),
        ((SEEN, LATE), 0),
        ((LATE, LATE + timedelta(hours=1)), 0),
        ((LATE, SEEN), 1),
        ((SEEN, SEEN), 1),
        ((SEEN, SEEN + timedelta(hours=1), LATE), 1),
    ],
)
def test_of_several_captures_the_latest_in_time_stands_with_its_own_files(
    times: tuple[datetime, ...], stands: int
) -> None:
    exchanges = []
    for number, at in enumerate(times):
        soil = f"taken_on,latitude,longitude,soc\n2019-03-01,,,{number + 1}\n"
        exchanges += capture(("title", f"number {number}"), at=at, files={"soil.csv": soil})
    frames = read(*exchanges)
    assert frames["hubs.packages"]["title"].to_list() == [f"number {stands}"]
    assert frames["hubs.measurements"]["given"].to_list() == [str(stands + 1)]


def test_two_versions_of_one_day_are_both_kept() -> None:
    frames = read(*capture(), *capture(("created", "2019-03-20T15:00:00Z"), ("version", "1.1.0"), at=LATE))
    assert frames["hubs.packages"]["version"].to_list() == ["1.0.0", "1.1.0"]
    assert heights(frames) == {name: 2 * rows for name, rows in ROWS.items()}


def test_the_first_package_of_a_name_is_the_one_and_the_other_is_told() -> None:
    frames = read(*capture(), *capture(("title", "Somebody else"), root="https://example.org/b"))
    assert heights(frames) == ROWS | {"hubs.rejects": 1}
    assert frames["hubs.packages"]["title"].to_list() == ["Green Valley garden"]
    ((hub_id, _, column, found),) = told(frames)
    assert (hub_id, column) == ("hub:green-valley", "name")
    assert found == "'green-valley', as hubs:green-valley/datapackage.json has"


def test_a_file_that_did_not_come_is_told_and_the_rest_is_kept() -> None:
    exchanges = capture(root="https://example.org/a")
    missing = answer("https://example.org/a/soil.csv#hub:green-valley", "<html>", status=404)
    frames = read(*exchanges[:-1], missing)
    assert told(frames) == [("hub:green-valley", "soil.csv", "", "no such file")]
    assert heights(frames) == {name: rows for name, rows in ROWS.items() if "measure" not in name} | {"hubs.rejects": 1}


def test_a_file_that_was_not_stored_is_told_with_the_reason_of_then() -> None:
    problem = Problem("soil.csv", 3, "people", "an aggregate of fewer than 10 people", "at least 10", "10", True)
    left_out = answer("hubs:green-valley/soil.csv", b"", headers={LEFT_OUT: raw.said([problem])})
    frames = read(*capture()[:-1], left_out)
    assert told(frames) == [("hub:green-valley", "soil.csv", "people", "an aggregate of fewer than 10 people")]
    row = frames["hubs.datasets"].filter(resource="soil").to_dicts()[0]
    assert (row["sha256"], row["is_checked"], row["refused"]) == (None, False, 1)
    assert frames["hubs.measurements"].height == 0


def test_a_descriptor_that_was_not_stored_is_told_where_it_is() -> None:
    _, problems = raw.descriptor(b'{"name": "x",', RULES)
    exchange = answer("https://example.org/b/datapackage.json", b"", headers={LEFT_OUT: raw.said(problems)})
    ((hub_id, resource, _, found),) = told(read(exchange))
    assert (hub_id, resource) == ("https://example.org/b/datapackage.json", "")
    assert found.startswith("no JSON at line 1")


def test_a_package_that_the_index_names_and_that_is_not_there_is_told() -> None:
    index = answer("https://example.org/index.json", json.dumps({"packages": ["b/datapackage.json", "../c"]}))
    frames = read(index, answer("https://example.org/b/datapackage.json", "gone", status=404))
    assert told(frames) == [
        ("https://example.org/b/datapackage.json", "", "", "HTTP 404"),
        ("https://example.org/index.json", "", "packages", "'../c'"),
    ]


def test_what_is_wrong_is_numbered_for_each_hub() -> None:
    soil = "taken_on,latitude,longitude,soc\n2019-03-01,,,ten\n2019-03-02,,,NaN\n2019-03-03,,,18\n"
    frames = read(*capture(files={"soil.csv": soil}))
    rows = frames["hubs.rejects"].select("number", "row", "column", "expected").rows()
    assert [row[:3] for row in rows] == [(1, 1, "soc"), (2, 2, "soc")]
    assert all("number" in row[3] for row in rows)
    assert frames["hubs.measurements"]["row"].to_list() == [3]


def test_a_hub_that_is_opted_out_has_no_rows() -> None:
    headers = {WITHHELD: "hub:green-valley since 2019-01-01"}
    out = answer("hubs:green-valley/datapackage.json", as_bytes(changed()), headers=headers)
    assert heights(read(out)) == {}


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"null", b"{}", b'{"name": 7}', b"{" * 100_000, b'{"created": "2019-03-20T00:00:00Z"}'],
)
def test_whatever_a_descriptor_holds_the_day_can_be_stored(body: bytes) -> None:
    frames = read(*capture(), answer("https://example.org/b/datapackage.json", body))
    assert heights(frames) | {"hubs.rejects": 0} == ROWS | {"hubs.rejects": 0}
    assert frames["hubs.rejects"].height >= 1


def test_the_order_in_which_hubs_were_asked_does_not_matter() -> None:
    one = capture()
    other = [
        answer(each.url.replace("green-valley", "old-field"), each.body.replace(b'"green-valley"', b'"old-field"'))
        for each in one
    ]
    first, second = read(*one, *other), read(*other, *one)
    for name, frame in first.items():
        assert frame.equals(second[name]), name
