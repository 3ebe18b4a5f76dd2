"""The hubs that there are: each by its last version, with what of it is open."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from coevo_pipelines.hubs import reading, registry
from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.hubs.packages import FILES, RULES, as_bytes, changed

START = datetime(2019, 3, 20, tzinfo=UTC)
WEEK = Window(date(2019, 3, 26), START, START + timedelta(days=7))
NEEDS = FILES["needs.csv"] + "n2,bees,,3,kg,2019-03-01,2019-03-21,,,,\n"


def exchanges(name: str, created: str, *changes: tuple[str, Any], needs: str = NEEDS) -> list[Exchange]:
    root, at = f"https://example.org/{name}-{created[:10]}", WEEK.end
    body = as_bytes(changed(("name", name), ("created", created), *changes))
    files = {**FILES, "needs.csv": needs}
    return [
        Exchange("GET", f"{root}/datapackage.json", 200, {}, at, body),
        *(Exchange("GET", f"{root}/{file}#hub:{name}", 200, {}, at, text.encode()) for file, text in files.items()),
    ]


def made(*asked: list[Exchange], day_end: datetime = WEEK.end) -> pl.DataFrame:
    """The registry from days that are read one by one, as the lake has them."""
    days = [reading.read(each, WEEK, RULES, timedelta(days=2)) for each in asked]
    known = {name: pl.concat([day[name] for day in days]) for name in reading.TABLES}
    last = registry.latest(known["hubs.packages"])
    now = {name: registry.standing(rows, last) for name, rows in known.items() if name != "hubs.rejects"}
    posts = now["hubs.posts"].filter(pl.col("until_at") > day_end)
    frame = registry.registry(known["hubs.packages"], now, posts)
    assert schemas.violations(schemas.table("hubs.registry"), frame) == []
    assert frame.schema == schemas.table("hubs.registry").polars_schema()
    return frame


def test_a_hub_is_what_it_published_last() -> None:
    first = exchanges("green-valley", "2019-03-20T00:00:00Z", ("title", "Before"))
    second = exchanges(
        "green-valley", "2019-03-22T00:00:00Z", ("title", "After"), ("resources", changed()["resources"][:2])
    )
    for order in ((first, second), (second, first)):
        (row,) = made(*order).to_dicts()
        found = {name: row[name] for name in ("title", "versions", "datasets", "measurements", "needs", "offers")}
        # The second package has needs and offers alone; the offer was of one day, and one need is over.
        expected = {"title": "After", "versions": 2, "datasets": 2, "measurements": 0, "needs": 1, "offers": 0}
        assert found == expected
        assert row["published_at"] == datetime(2019, 3, 22, tzinfo=UTC)
        assert row["since"] == datetime(2017, 5, 1, tzinfo=UTC)


def test_what_is_open_depends_on_the_day() -> None:
    package = exchanges("green-valley", "2019-03-20T00:00:00Z")
    (early,) = made(package, day_end=datetime(2019, 3, 21, tzinfo=UTC)).to_dicts()
    (late,) = made(package, day_end=datetime(2019, 6, 1, tzinfo=UTC)).to_dicts()
    assert (early["needs"], early["offers"], early["datasets"], early["measurements"]) == (2, 1, 5, 2)
    assert (late["needs"], late["offers"]) == (0, 0)


def test_hubs_without_any_rows_are_there_and_none_is_none() -> None:
    alone = exchanges("old-field", "2019-03-21T00:00:00Z")[:1]  # no file came
    frame = made(exchanges("green-valley", "2019-03-20T00:00:00Z"), alone)
    assert frame.select("hub_id", "datasets", "measurements", "needs", "offers").rows() == [
        ("hub:green-valley", 5, 2, 1, 0),
        ("hub:old-field", 5, 0, 0, 0),
    ]
    assert made([]).height == 0


def test_places() -> None:
    home = ("hub.place.private", True)
    frame = made(
        exchanges("green-valley", "2019-03-20T00:00:00Z"), exchanges("old-field", "2019-03-20T00:00:00Z", home)
    )
    one, other = registry.places(frame)
    assert (one.hub_id, one.latitude, one.longitude) == ("hub:green-valley", 52.1301, 11.6302)
    assert other.hub_id == "hub:old-field"
    assert (other.latitude, other.longitude) != (52.1301, 11.6302)
    assert abs(other.latitude - 52.1301) < 0.01


def test_who_opted_out_is_left_out() -> None:
    people = schemas.table("traces.people")
    rows = [
        {"work_id": "hub:a", "role": "owner", "account": "github:ada", "orcid": None},
        {"work_id": "hub:b", "role": "author", "account": None, "orcid": "0000-0002-1825-0097"},
        {"work_id": "hub:c", "role": "author", "account": None, "orcid": None},
        {"work_id": "hub:d", "role": "author", "account": "github:bob", "orcid": None},
    ]
    known = pl.DataFrame(rows, schema={name: people.polars_schema()[name] for name in rows[0]})
    at = datetime(2019, 3, 26, tzinfo=UTC)

    def out(*optouts: tuple[str, str], claims: list[tuple[str, str, str | None]] | None = None) -> list[str]:
        asked = pl.DataFrame(
            [(*each, at) for each in optouts],
            schema={"scope": pl.String, "subject": pl.String, "event_at": pl.Datetime("us", "UTC")}, orient="row",
        )  # fmt: skip
        said = pl.DataFrame(
            claims or [], schema={"person_id": pl.String, "subject": pl.String, "proof": pl.String}, orient="row"
        )
        return registry.opted_out(known, asked, said)

    assert out() == []
    assert out(("work", "hub:c")) == ["hub:c"]
    assert out(("owner", "github:Ada")) == ["hub:a"]
    assert out(("owner", "github:bob")) == []  # who helped is not whose it is
    assert out(("person", "orcid:0000-0002-1825-0097")) == ["hub:b"]
    assert out(("person", "github:bob"), ("work", "hub:x"), ("work", "doi:10.1000/x")) == ["hub:d", "hub:x"]
    claimed: list[tuple[str, str, str | None]] = [("person:e", "github:ada", "proven"), ("person:e", "github:bob", "p")]
    assert out(("person", "person:e"), claims=claimed) == ["hub:a", "hub:d"]
    unproven: list[tuple[str, str, str | None]] = [("person:e", "github:ada", None)]
    assert out(("person", "person:e"), claims=unproven) == []
