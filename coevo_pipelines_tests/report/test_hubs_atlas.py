"""Maps: where a place is drawn, which parts of the world are drawn larger, what a map is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pytest
import shapely

from coevo_pipelines.report import atlas, charts
from coevo_pipelines_tests.report.browser import HOSTILE, Reader

Places = Sequence[tuple[float, float]]


def places(given: Places, home: bool = False, words: str = "A hub") -> list[atlas.Place]:
    kinds = list(atlas.SHAPES)
    return [
        atlas.Place(latitude, longitude, kinds[number % 6], home, f"hub.html?id=hub:x{number}", words, f"Hub {number}")
        for number, (latitude, longitude) in enumerate(given)
    ]


def marks(svg: str) -> list[tuple[float, float]]:
    """Where the marks that are links stand, in px of the picture without its padding."""
    found = re.findall(r'<a href="[^"]*"[^>]*>.*?translate\(([-\d.]+),([-\d.]+)\)', svg)
    return [(float(x), float(y)) for x, y in found]


def test_equal_earth_has_its_published_measures() -> None:
    # Šavrič, Patterson and Jenny: the equator is 2.05458 times as long as the map is high.
    assert atlas._ACROSS / (2 * atlas._equal_earth(90)) == pytest.approx(2.05458, abs=1e-4)
    assert atlas._equal_earth(-30) == -atlas._equal_earth(30)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(0.0, 0.0), (52.13, 11.63), (-33.87, 151.21), (40.65, -73.95), (70.0, -179.0)]
)
def test_a_mark_of_the_world_is_where_the_projection_has_it(latitude: float, longitude: float) -> None:
    view = atlas.View()
    drawn = atlas._svg(view, places([(latitude, longitude)]), (), (), atlas.WIDE)
    scale = (atlas.WIDE - 8) / atlas._ACROSS
    angle = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    bend = 9 * 0.003796 * angle**8 + 7 * 0.000893 * angle**6 - 3 * 0.081106 * angle**2 + 1.340264
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(angle) / (3 * bend)
    expected = ((atlas.WIDE - 8) / 2 + scale * x, scale * (atlas._equal_earth(83.7) - atlas._equal_earth(latitude)))
    assert marks(drawn) == [pytest.approx(expected, abs=0.1)]


def test_names_stand_where_the_marks_are_in_a_part_over_the_date_line() -> None:
    given = [(-17.0, 179.0), (-17.5, -179.5), (-18.2, 178.4)]
    (_, *parts) = atlas.views(given)
    view = atlas.View(179.4, -17.6, 6.0)
    drawn = atlas._svg(view, places(given), (), (), charts.WIDE)
    assert marks(drawn) == [pytest.approx(view.spot(*at, charts.WIDE - 8), abs=0.1) for at in given]
    assert all(f">Hub {number}<" in drawn for number in range(3))
    assert parts == []  # two hubs on one side are too few for a part, and no cell goes over the line


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ([], []),
        ([(50.0, 10.0)], []),
        ([(50.0, 10.0)] * 5, []),
        ([(50.0, 10.0), (50.3, 10.2), (50.5, 11.0)], [3]),
        ([(50.0, 10.0), (50.3, 10.2), (50.5, 11.0), (-1.2, 36.8), (-1.3, 36.9), (-1.5, 37.0), (-1.6, 37.4)], [4, 3]),
        ([(float(lat), float(lon)) for lat in range(-50, 70, 10) for lon in range(-170, 180, 20)], []),
    ],
)  # fmt: skip
def test_parts_are_where_places_stand_close(given: Places, parts: list[int]) -> None:
    world, *found = atlas.views(given)
    assert world.is_world
    assert [sum(view.holds(*at) for at in given) for view in found] == parts
    assert all(3 <= view.span <= 120 for view in found)


def test_a_carpet_of_places_falls_into_parts_that_are_no_world() -> None:
    given = [(lat / 2, lon / 2) for lat in range(-80, 120, 2) for lon in range(-300, 300, 3)]
    world, *parts = atlas.views(given)
    assert len(parts) <= atlas.PARTS
    assert all(not view.is_world for view in parts)
    assert atlas.views(list(reversed(given))) == [world, *parts]


def test_the_world_reaches_as_far_south_as_its_places() -> None:
    (usual, far) = (atlas.views(given)[0] for given in ([(10.0, 0.0)], [(-77.85, 166.67)]))
    assert usual.south == -56
    assert far.south < -77.85
    assert far.ratio() > usual.ratio()


@pytest.mark.parametrize(("span", "kilometres"), [(3.0, 20), (40.0, 500), (0.01, 1)])
def test_the_bar_is_round(span: float, kilometres: int) -> None:
    assert atlas.scale(atlas.View(10.0, 45.0, span)) == kilometres


@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "is_land"),
    [
        ("Berlin", 52.5, 13.4, True), ("Nairobi", -1.3, 36.8, True), ("Sydney", -33.7, 150.5, True),
        ("Denver", 39.7, -105.0, True), ("Atlantic", 35.0, -40.0, False), ("Pacific", 0.0, -150.0, False),
        ("Caspian Sea", 42.0, 50.5, False), ("Bay of Bengal", 15.0, 88.0, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("detail", [0.05, 0.5])
def test_coasts_part_land_from_water(
    name: str, latitude: float, longitude: float, is_land: bool, detail: float
) -> None:
    shapes = [shapely.Polygon(rings[0], rings[1:]) for rings in atlas.land(detail)]
    assert any(shape.contains(shapely.Point(longitude, latitude)) for shape in shapes) is is_land, name


def test_coarser_coasts_are_shorter() -> None:
    fine, coarse = (sum(len(ring) for rings in atlas.land(each) for ring in rings) for each in (0.02, 0.6))
    assert fine > 3_000
    assert coarse < fine / 2


def test_kinds_differ_in_colour_and_in_shape_and_homes_are_hollow() -> None:
    given = [(10.0 * place, 20.0 * place) for place in range(6)]
    full, hollow = (atlas._svg(atlas.View(), places(given, home), (), (), atlas.WIDE) for home in (False, True))
    drawn = re.findall(r'<a [^>]*>.*?<path [^>]*?d="([^"]+)"[^>]*?fill="var\(--(\w+)\)"', full)
    assert len({shape for shape, _ in drawn}) == len({colour for _, colour in drawn}) == 6
    assert re.findall(r'<a [^>]*>.*?stroke="var\(--(\w+)\)"', hollow) == [f"c{number}" for number in range(1, 7)]
    assert 'fill="var(--paper)"' in hollow


def test_marks_are_links_for_a_pointer_and_hidden_from_readers_that_have_the_table() -> None:
    drawn = atlas.figure("Map", "words", atlas.View(), places([(10.0, 20.0)], words=HOSTILE))
    read = Reader(drawn.encode())
    assert all(dict(given).get("aria-hidden") == "true" for tag, given in read.elements if tag == "svg")
    links = [dict(given) for tag, given in read.elements if tag == "a"]
    assert {(each["href"], each["tabindex"]) for each in links} == {("hub.html?id=hub:x0", "-1")}
    assert len(links) == 2  # wide and narrow
    assert not {"script", "img", "iframe"} & {tag for tag, _ in read.elements}
    assert "\\u202e" in drawn
    assert "\u202e" not in drawn


def test_many_places_are_discs_and_their_picture_stays_small() -> None:
    given = [(lat / 10, lon / 5) for lat in range(-500, 700, 20) for lon in range(-850, 850, 10)]
    assert len(given) > 10_000
    drawn = atlas._svg(atlas.View(), places(given), (), (), atlas.WIDE)
    assert "<a " not in drawn
    assert len(drawn) < 200_000
    sizes = {float(each) for each in re.findall(r"d=\"M([\d.]+),0A", drawn)}
    assert max(sizes) <= atlas.CELL


def test_lines_go_both_ways_over_the_date_line_and_end_in_rings() -> None:
    here, there = (-36.8, 174.8), (-33.4, -70.7)
    lines = [atlas.Line(here, there, 4), atlas.Line(there, here, 1), atlas.Line(here, here, 9)]
    drawn = atlas._svg(atlas.View(), places([here, there]), lines, (), atlas.WIDE)
    ways = re.findall(r'd="(M[^"]+)"', drawn)
    over = [way for way in ways if way.count("M") == 2 and "Z" not in way]
    assert len(over) == 2  # cut in two at the edge of the map, instead of once across it
    assert drawn.count('stroke="var(--ink)"') >= 1


def test_too_many_lines_are_bundled() -> None:
    spots = [(lat / 4, lon / 4) for lat in range(-120, 200, 8) for lon in range(-500, 500, 25)]
    lines = [atlas.Line(one, other, 1) for one, other in zip(spots, reversed(spots), strict=True)]
    bundled = atlas._bundled(atlas.View(), lines, atlas.NARROW)
    assert len(bundled) == atlas.LINES
    assert [line.weight for line in bundled] == sorted((line.weight for line in bundled), reverse=True)


def test_the_same_map_has_the_same_bytes() -> None:
    given = places([(50.0, 10.0), (50.3, 10.2), (50.5, 11.0)])
    one, other = (atlas.figure("Map", "words", atlas.View(10.0, 50.0, 5.0), given) for _ in range(2))
    assert one == other
