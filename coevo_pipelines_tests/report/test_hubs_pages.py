"""Hubs, resources and the page of one hub: what they say of known rows, and how they look in a real browser."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from coevo_pipelines.report.build import answers
from coevo_pipelines.report.entities import hubs as entity
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages import hubs, overview, resources, strategies
from coevo_pipelines.report.words import amount, number
from coevo_pipelines_tests.report import hubs as given
from coevo_pipelines_tests.report.asked import DAY, LATER, Rows, catalog_of, links, page_of, said, tags

if TYPE_CHECKING:
    import duckdb

ABOUT = About(DAY, "live", (DAY - timedelta(days=1), DAY))
PAGES = (hubs.PAGE, resources.PAGE, entity.PAGE)


def of(rows: Rows) -> duckdb.DuckDBPyConnection:
    connection = catalog_of(rows)
    connection.execute(f"SET VARIABLE day = DATE '{DAY}'")
    return connection


def records_of(rows: Rows) -> dict[str, dict[str, Any]]:
    found = dict(entity.records(answers(of(rows), entity.QUERIES), ABOUT))
    return {name: orjson.loads(orjson.dumps(record)) for name, record in found.items()}


def test_every_hub_is_on_the_map_and_in_the_table() -> None:
    page = page_of(hubs.PAGE, given.day())
    words = said(page)
    for name, kind, *_, place in given.PLACES:
        assert page.count(f'href="hub.html?id=hub:{name}"'.encode()) >= 3, name  # the map twice, the table
        assert f"{name.replace('-', ' ').title()} {kind.replace('_', ' ')}" in words
        assert place in words
    assert "Hamburg private home, moved to a 1 km grid" in words
    assert "hollow: a private home, shown at the centre of a 1 km grid cell 1" in words
    assert "7 hubs in a part" in words
    assert "40 people a week de, en CC-BY-4.0 1 1" in words


def test_numbers_are_those_of_the_tables_and_lead_to_their_proof() -> None:
    page = page_of(hubs.PAGE, given.day())
    # 13 needs; six unmet ones miss 3 wholly and 3 for 10 of 35: 13 - 3 - 3 * 10 / 35 are met.
    met = 100 * (13 - 3 - 30 / 35) / 13
    assert f"Open needs 13 Met, of the needs {met:.1f}% Practices that work 2" in said(page)
    assert "proof.html?table=hubs.registry&date=2026-11-20&hub_id=hub%3Achoir" in links(page)


def test_practices_are_said_with_their_certainty_and_too_few_say_so() -> None:
    words = said(page_of(hubs.PAGE, given.day()))
    assert "compost organic carbon in dry soil, part of its mass: more is better works six hubs, all better" in words
    assert "Tried by Green Valley, River House, Second Thread, Open Workshop and 2 more +19.7%" in words
    assert (
        "sprinklers water used on an area, in the time that the row says: less is better harms all use more Tried by"
        in words
    )
    assert " and 2 more +19.7% +9.42% to +31% 6 9 80%" in words
    assert (
        "sheep species count: more is better too few cases 1 hub of the 4 that it takes Tried by Green Valley – – 1"
        in words
    )
    order = [words.index(f"{each} ", words.index("Practices by what")) for each in ("compost", "sprinklers", "cover")]
    assert order == sorted(order)


def test_what_was_refused_says_where_and_what_would_do() -> None:
    words = said(page_of(hubs.PAGE, given.day()))
    assert "soil.csv row 3, column soc ten a number above 0 12.5" in words
    assert 'datapackage.json, property hub.consent nothing who agreed to publish {"given": true}' in words


def test_what_a_later_package_put_right_is_refused_no_more() -> None:
    rows = dict(given.day())
    rows["hubs.rejects"] = [{**row, "date": DAY - timedelta(days=2)} for row in rows["hubs.rejects"]]
    words = said(page_of(hubs.PAGE, rows))
    assert "soil.csv row 3" not in words
    assert "property hub.consent" in words  # no package of that place was ever taken


def test_resources_say_who_could_give_what_and_why_not() -> None:
    words = said(page_of(resources.PAGE, given.day()))
    assert "7 matches between 9 hubs" in words
    assert "seed potatoes food 12.5 kg Green Valley Hill Garden by post 2026-11-29 5" in words
    for reason, _ in resources.REASONS.values():
        assert f"{reason} 1 16.7%" in words
    assert "35 kg too_far" not in words
    first, last = words.index("Quiet Clinic 10 kg of 35 kg"), words.index("Green Valley 10 kg of 35 kg")
    assert first < last  # priority 5 before 1
    assert "In 2 of 3 markets no other matching is worth more" in words
    assert "bed housing, in bed nights 350 3 needs 400 9 offers 87.5 25.0% 0.31 at most 1.1% below the best" in words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"pairs": 0, "objective": 0, "bound": 0}, '<span class="soft">no need and offer can meet</span>'),
        ({"pairs": 3, "objective": "9" * 25, "bound": "9" * 25}, "the best there is"),
        ({"pairs": 3, "objective": 99_999, "bound": 100_000}, "at most under 0.1% below the best"),
        ({"pairs": 3, "objective": 90, "bound": 100}, "at most 10.0% below the best"),
        ({"pairs": 3, "objective": 0, "bound": 5}, "at most 100.0% below the best"),
    ],
)
def test_a_market_is_said_in_words(row: dict[str, Any], words: str) -> None:
    assert resources.solved(row) == words


@pytest.mark.parametrize(
    ("milli", "unit", "words"),
    [
        (12_500, "kg", "12.5 kg"), (1_000, "{meal}", "1 meal"), (40_000, "{meal}", "40 meals"), (1, "L", "0.001 L"),
        (2_000, "{bed_night}", "2 bed nights"), (3_000, "{box}", "3 boxes"), (7_000, "1", "7"),
        (5_000_000, "{person}", "5,000 people"), (-1_500, "kg", "−1.5 kg"), (0, "{hour}", "0 hours"),
    ],
)  # fmt: skip
def test_amounts_are_written_for_people(milli: int, unit: str, words: str) -> None:
    assert amount(milli, unit) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (0.03123, "0.0312"), (-1.5, "−1.5"), (999.6, "1000"), (12345.6, "12,346"), (1e-9, "0.000000001"),
     (-12345.0, "−12,345"), (120.0, "120")],
)  # fmt: skip
def test_numbers_keep_three_digits(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("measure", "unit", "value", "words"),
    [
        ("log_ratio", "1", math.log(2), "+100%"), ("log_ratio", "1", -0.6931471805599453, "−50%"),
        ("difference", "{hour}", 12.0, "+12 hour"), ("difference", "kg", -0.25, "−0.25 kg"),
        ("log_ratio", "1", None, "–"), ("log_ratio", "1", 0.0, "0%"), ("log_ratio", "1", math.inf, "–"),
        ("difference", f"{{{'x' * 99}}}", 1.0, f"+1 {'x' * 23}…"),
    ],
)  # fmt: skip
def test_effects_are_said_as_changes(measure: str, unit: str, value: float | None, words: str) -> None:
    assert strategies.said({"measure": measure, "unit": unit, "quantity": "none"}, value) == words


def test_an_interval_without_end_makes_no_point_of_the_others() -> None:
    page = page_of(hubs.PAGE, given.day()).decode()
    plot = page[page.index("Effects of practices") :].partition("</figure>")[0]
    lines = [abs(float(each)) for each in re.findall(r'<line [^>]*?x2="(-?[\d.]+)"[^>]*stroke-width="3.5"', plot)]
    assert len(lines) == 6 or "3.5" in plot  # three, wide and narrow
    assert "810" not in plot  # +810,208% is in the table alone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_day_without_hubs_says_so(page: Any) -> None:
    written = page_of(page, {})
    assert re.search(r"There (is|are) no ", said(written))


def test_hubs_without_needs_or_outcomes_say_so() -> None:
    registry = {"hubs.registry": given.day()["hubs.registry"]}
    assert "No hub has published an outcome" in said(page_of(hubs.PAGE, registry))
    assert "no hub has published any that is open" in said(page_of(resources.PAGE, registry))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_strangers_words_run_nothing(page: Any) -> None:
    written = page_of(page, given.hostile())
    assert not {"iframe", "img"} & tags(written)
    assert written.count(b"<script") == page_of(page, {}).count(b"<script")
    assert not any(each.startswith("javascript:") for each in links(written))
    for bare in ("\u202e", "\u2066", "\x1b", "\0"):
        assert bare.encode() not in written


def test_nothing_of_a_later_day_is_in_a_page_or_record() -> None:
    rows = given.day()
    later = {name: [{**row, "date": LATER} for row in table] for name, table in rows.items()}
    assert records_of(later) == {}
    for page in PAGES:
        assert page_of(page, later) == page_of(page, {}), page.name
    both = {name: [*rows[name], *({**row, "hub_id": "hub:later"} for row in later[name])] for name in rows}
    both = {name: [row for row in table if name.startswith("hubs.")] for name, table in both.items()}
    assert set(records_of(both)) == set(records_of(rows))


def test_a_record_holds_what_the_tables_say() -> None:
    record = records_of(given.day())["hub:green-valley"]
    assert record["counts"] == [3, 4, 1, 1]
    assert [each[2] for each in record["numbers"]] == ["soil organic carbon"] * 4
    assert record["numbers"][0][1:9] == [1, "soil organic carbon", "soil_organic_carbon", 19.0, "g/kg", "19", "g/kg",
                                         str(DAY - timedelta(days=1))]  # fmt: skip
    assert record["sums"][0][3:8] == ["g/kg", 4, 19.0, 20.5, 22.0]
    need = record["wants"][0]
    assert need[3:7] == ["40 kg", "5 kg", str(DAY - timedelta(days=1)), str(DAY + timedelta(days=9))]
    assert need[10:14] == ["open", "37.5 kg", "10 kg", "no_such_offer"]
    assert [each[0] for each in record["matches"]].count("gets") == 3
    assert [each[:2] for each in record["versions"]] == [[f"{DAY} 08:00", "1.1.0"],
                                                         [f"{DAY - timedelta(days=30)} 08:00", "1.0.0"]]  # fmt: skip
    assert record["refused"][0][1] == "soil.csv row 3, column soc"
    assert record["species"][0][:4] == ["Apis mellifera", "Apidae", 2, str(DAY - timedelta(days=1))]
    assert record["weather"][0][:2] == ["temperature", "temperature"]
    assert record["weather"][0][6:10] == [pytest.approx(7.85), pytest.approx(7.85), pytest.approx(8.85),
                                          pytest.approx(9.85)]  # fmt: skip
    assert record["area"][0][0] == [11.62, 52.12]
    assert [each[0] for each in record["near"]][:2] == ["hub:hill-garden", "hub:open-workshop"]


def test_a_record_is_of_the_last_package_alone() -> None:
    rows = dict(given.day())
    old = given.AT - timedelta(days=30)
    rows["hubs.measurements"] = [
        *rows["hubs.measurements"],
        {**rows["hubs.measurements"][0], "event_at": old, "date": old.date(), "quantity": "water_use"},
    ]
    assert [each[2] for each in records_of(rows)["hub:green-valley"]["sums"]] == ["soil_organic_carbon"]


@pytest.mark.parametrize(
    ("area", "rings"),
    [
        (None, None), ("", None), ("{", None), ("[]", None), ('{"type":"Point","coordinates":[1,2]}', None),
        ('{"type":"Polygon","coordinates":"no"}', None), ('{"type":"Polygon"}', None),
        ('{"type":"Polygon","coordinates":[[[1,2,3],[2,2],[1,2]]]}', [[[1.0, 2.0], [2.0, 2.0], [1.0, 2.0]]]),
        ('{"type":"MultiPolygon","coordinates":[[[[1,2],[2,2],[1,2]]]]}', [[[1.0, 2.0], [2.0, 2.0], [1.0, 2.0]]]),
    ],
)  # fmt: skip
def test_an_area_is_drawn_or_left_out(area: str | None, rings: Any) -> None:
    assert entity.outline(area) == rings


def test_the_nearest_are_those_of_a_plain_search() -> None:
    places = [(row["latitude"], row["longitude"]) for row in given.many(300)["hubs.registry"]]

    def far(one: tuple[float, float], other: tuple[float, float]) -> float:
        (a, b), (c, d) = (tuple(map(math.radians, each)) for each in (one, other))
        return (
            2
            * 6371.0088
            * math.asin(math.sqrt(math.sin((a - c) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((b - d) / 2) ** 2))
        )

    for place, found in enumerate(entity.nearest(places)):
        plain = sorted((far(places[place], other), at) for at, other in enumerate(places) if at != place)[:8]
        assert [at for at, _ in found] == [at for _, at in plain]
        assert [kilometres for _, kilometres in found] == pytest.approx([each for each, _ in plain])
    assert entity.nearest([(1.0, 2.0)]) == [[]]
    assert entity.nearest([(1.0, 2.0)] * 3)[0] == [(1, 0.0), (2, 0.0)]


def test_ten_thousand_hubs_make_a_small_page() -> None:
    body = resources.PAGE.body(answers(of(given.many(10_000)), resources.QUERIES), ABOUT)
    assert len(body) < 1_000_000
    assert "more unmet needs, not shown: see hubs.unmatched" in body


def test_the_first_page_has_the_hubs() -> None:
    told = overview._hubs({name: answers(of(given.day()), {name: sql})[name] for name, sql in overview._HUBS.items()})
    assert "10 healing hubs with 40 measurements" in told
    assert "13 open needs, 70.3% met" in told
    assert "2 practices work: " in told
    none = overview._hubs({name: answers(of({}), {name: sql})[name] for name, sql in overview._HUBS.items()})
    assert none == "No healing hub has published anything yet."
