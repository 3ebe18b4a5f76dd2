"""Maps: places and lines between them over plain coastlines, drawn when the page is made. No tile, no network.

The world in the Equal Earth projection (Šavrič, Patterson and Jenny, IJGIS 2019), and parts of it where places stand
close together in Mercator's. Marks can be links for a pointer. Who reads with ears or keys gets nothing of a map, so
whatever it shows must stand in words beside it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from coevo_pipelines.report import charts
from coevo_pipelines.report.html import text

if TYPE_CHECKING:
    import altair as alt

WIDE, NARROW = 960, 340
"""Widths of a drawing of the world in px; of a part of it, `charts.WIDE` and `NARROW`."""
MARKS, LINES, PARTS = 300, 80, 4
"""Most places and lines drawn one by one, more are drawn by cells; most parts of the world drawn larger."""
CELL = 20
"""Width of a cell in px, where places are drawn by cells."""
FEWEST = 3
"""Places that make a part worth drawing."""
LABELLED = 14
"""Most places of a part whose names are written beside them."""
_WIDEST = 40.0
"""Degrees: a larger cluster is no part, but several."""

SHAPES: Mapping[str, str] = {
    "food": "circle",
    "housing": "square",
    "clothing": "triangle-up",
    "professionalization": "diamond",
    "health_care": "cross",
    "connection_and_expression": "triangle-down",
}
"""Of each kind of hub, beside its colour: who tells colours apart badly can tell these."""
_OUTLINES = {
    "circle": '<circle cx="8" cy="8" r="5.5"/>',
    "square": '<rect x="3" y="3" width="10" height="10"/>',
    "triangle-up": '<path d="M8 2.2 14 13H2Z"/>',
    "diamond": '<path d="M8 1 14 8 8 15 2 8Z"/>',
    "cross": '<path d="M5.6 2h4.8v3.6H14v4.8h-3.6V14H5.6v-3.6H2V5.6h3.6Z"/>',
    "triangle-down": '<path d="M8 13.8 14 3H2Z"/>',
}


@dataclass(frozen=True)
class Place:
    """A hub on a map: degrees (WGS84), kind, whether it was moved to a grid, its address in the report, words."""

    latitude: float
    longitude: float
    kind: str
    is_home: bool = False
    address: str = ""
    words: str = ""
    """What a pointer over it is told."""
    label: str = ""
    """A short name, written beside it where there is room."""


@dataclass(frozen=True)
class Line:
    """Between two places (latitude, longitude), from who gives; `weight` of how many things."""

    start: tuple[float, float]
    end: tuple[float, float]
    weight: int


@dataclass(frozen=True)
class View:
    """What a picture shows. `longitude` and `latitude`: of the middle; `span`: degrees of longitude across it, 360 for
    the world, which also says how far `south` it reaches."""

    longitude: float = 0.0
    latitude: float = 0.0
    span: float = 360.0
    south: float = -56.0

    @property
    def is_world(self) -> bool:
        return self.span >= 360

    def ratio(self) -> float:
        """Height of a picture, by its width."""
        if self.is_world:
            return (_equal_earth(_NORTH) - _equal_earth(self.south)) / _ACROSS
        return 0.62

    def projection(self, width: float) -> dict[str, Any]:
        """As Vega-Lite has it, for a picture so many px wide."""
        height = round(width * self.ratio())
        clip = [[0, 0], [width, height]]
        if self.is_world:
            scale = width / _ACROSS
            return {"type": "equalEarth", "scale": scale, "clipExtent": clip,
                    "translate": [width / 2, scale * _equal_earth(_NORTH)]}  # fmt: skip
        return {"type": "mercator", "scale": width / math.radians(self.span), "rotate": [-self.longitude, 0],
                "center": [0, self.latitude], "translate": [width / 2, height / 2], "clipExtent": clip}  # fmt: skip

    def edges(self) -> tuple[float, float]:
        """Degrees of latitude at the lower and upper edge."""
        if self.is_world:
            return self.south, _NORTH
        half = math.radians(self.span) * self.ratio() / 2
        middle = _mercator(self.latitude)
        return _latitude(middle - half), _latitude(middle + half)

    def holds(self, latitude: float, longitude: float) -> bool:
        if self.is_world:
            return True
        low, high = self.edges()
        return low < latitude < high and abs(_turned(longitude - self.longitude)) < self.span / 2

    def spot(self, latitude: float, longitude: float, width: float) -> tuple[float, float]:
        """x and y in px of a place in a part's picture."""
        scale = width / math.radians(self.span)
        x = width / 2 + scale * math.radians(_turned(longitude - self.longitude))
        return x, round(width * self.ratio()) / 2 - scale * (_mercator(latitude) - _mercator(self.latitude))

    @property
    def kilometres(self) -> float:
        """From the left edge to the right one, through the middle."""
        return math.radians(self.span) * 6371.0088 * math.cos(math.radians(self.latitude))


_NORTH = 83.7  # the north of Greenland


def _equal_earth(latitude: float) -> float:
    """y of the Equal Earth projection, for a scale of 1."""
    angle = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    square = angle * angle
    return angle * (1.340264 - 0.081106 * square + square**3 * (0.000893 + 0.003796 * square))


_ACROSS = 2 * math.pi * 2 / math.sqrt(3) / 1.340264  # width of the world at the equator, for a scale of 1


def _mercator(latitude: float) -> float:
    return math.log(math.tan(math.pi / 4 + math.radians(max(-84.0, min(84.0, latitude))) / 2))


def _latitude(y: float) -> float:
    return math.degrees(2 * math.atan(math.exp(y)) - math.pi / 2)


def _turned(degrees: float) -> float:
    """The same direction, in [-180, 180)."""
    return (degrees + 180) % 360 - 180


def views(places: Sequence[tuple[float, float]]) -> list[View]:
    """The world, and its parts where at least `FEWEST` places stand close together, those of most places first."""
    south = min([-56.0, *(latitude - 3 for latitude, _ in places)])
    spots = sorted({(round(latitude, 1), round(longitude, 1)) for latitude, longitude in places})  # 11 km: one spot
    parts = [_around(part) for part in _clusters(spots) if len(part) >= FEWEST]
    return [View(south=max(-90.0, south)), *parts[:PARTS]]


def _clusters(places: Sequence[tuple[float, float]], size: float = 4.0) -> list[list[tuple[float, float]]]:
    """Places in touching cells of `size` degrees; what comes out too wide is parted again by smaller ones."""
    cells: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for latitude, longitude in places:
        shrunk = max(0.1, math.cos(math.radians(latitude)))
        cells[math.floor(latitude / size), math.floor(longitude * shrunk / size)].append((latitude, longitude))
    found: list[list[tuple[float, float]]] = []
    for first in sorted(cells):
        part: list[tuple[float, float]] = []
        waiting = [first] if first in cells else []
        while waiting:
            row, column = waiting.pop()
            part += cells.pop((row, column), [])
            near = ((row + up, column + right) for up in (-1, 0, 1) for right in (-1, 0, 1))
            waiting += [each for each in near if each in cells]
        if not part:
            continue
        latitudes, longitudes = zip(*part, strict=True)
        wide = max(max(latitudes) - min(latitudes), max(longitudes) - min(longitudes))
        found += _clusters(part, size / 2) if wide > _WIDEST and size > 0.2 else [part]
    return sorted(found, key=lambda part: (-len(part), min(part)))


def _around(part: Sequence[tuple[float, float]]) -> View:
    """A view with some room around those places."""
    latitudes, longitudes = zip(*part, strict=True)
    low, high = _mercator(min(latitudes)), _mercator(max(latitudes))
    tall = math.degrees(high - low) / 0.62
    span = max(1.5 * max(max(longitudes) - min(longitudes), tall), 3.0)
    return View((min(longitudes) + max(longitudes)) / 2, _latitude((low + high) / 2), min(span, 120.0))


def figure(
    title: str,
    told: str,
    view: View,
    places: Sequence[Place],
    lines: Sequence[Line] = (),
    frames: Sequence[View] = (),
) -> str:
    """HTML of a map; `told` says in words what it shows, `frames` are parts that it shows the place of."""
    sizes = (("wide", WIDE if view.is_world else charts.WIDE), ("narrow", NARROW))
    drawn = "".join(f'<div class="{size}">{_svg(view, places, lines, frames, width)}</div>' for size, width in sizes)
    caption = f"<figcaption><b>{text(title)}</b> <span>{text(told, 2000)}</span></figcaption>"
    return f'<figure class="chart map{" world" if view.is_world else ""}">{caption}{drawn}</figure>\n'


def _svg(view: View, places: Sequence[Place], lines: Sequence[Line], frames: Sequence[View], width: int) -> str:
    seen = [place for place in places if view.holds(place.latitude, place.longitude)]
    alone = len(seen) <= MARKS
    drawing = _Drawing(view, width)
    drawing.coasts()
    drawing.ways(lines)
    drawing.frames(frames)
    drawing.places(seen) if alone else drawing.cells(seen)
    if not view.is_world:
        drawing.bar()
        if len(seen) <= LABELLED:
            drawing.names(seen)
    links = {str(number): (place.address, place.words) for number, place in enumerate(seen) if place.address}
    return charts.svg(drawing.chart(), None, links if alone else {}, drawing.data)


class _Drawing:
    """The layers of a picture, and their rows: Altair would check coordinates for longer than it takes to draw."""

    def __init__(self, view: View, width: int) -> None:
        self.view = view
        self.outer = width
        self.width = width - 8
        """Without the picture's padding."""
        self.height = round(self.width * view.ratio())
        self.layers: list[Any] = []
        self.data: dict[str, list[dict[str, Any]]] = {}

    def chart(self) -> charts.Chart:
        import altair as alt

        made: charts.Chart = (
            alt.layer(*self.layers)
            .project(**self.view.projection(self.width))
            .properties(width=self.outer, height=self.height)
        )
        return made

    def _of(self, rows: list[dict[str, Any]]) -> alt.Chart:
        import altair as alt

        name = f"rows{len(self.data)}"
        self.data[name] = rows
        return alt.Chart(alt.NamedData(name=name))

    def _geometries(self, given: Iterable[Mapping[str, Any]]) -> alt.Chart:
        return self._of([{"type": "Feature", "geometry": each} for each in given])

    def coasts(self) -> None:
        """Simplified by two thirds of a pixel."""
        shape = {"type": "MultiPolygon", "coordinates": land(round(0.67 * self.view.span / self.outer, 3))}
        drawn = self._geometries([shape]).mark_geoshape
        self.layers.append(drawn(fill=charts.LINE, fillOpacity=0.75, stroke=charts.SOFT, strokeWidth=0.4))

    def places(self, places: Sequence[Place]) -> None:
        """Full marks, and hollow ones of private homes: their places are not true."""
        import altair as alt

        size = 60 if self.outer < 400 else 95
        shapes = alt.Scale(domain=list(SHAPES), range=list(SHAPES.values()))
        for home in (False, True):
            rows = [
                {"lat": each.latitude, "lon": each.longitude, "kind": each.kind, "at": f"{charts.MARK}{number}"}
                for number, each in enumerate(places)
                if each.is_home is home
            ]
            if not rows:
                continue
            marks = (
                self._of(rows).mark_point(fill=charts.PAPER, size=size * 0.8, strokeWidth=2.2, opacity=1)
                if home
                else self._of(rows).mark_point(stroke=charts.PAPER, size=size, strokeWidth=1, opacity=1)
            )
            of_kind = {"stroke": _stroke_of_kind()} if home else {"fill": _fill_of_kind()}
            shape = alt.Shape("kind", type="nominal", legend=None, scale=shapes)
            self.layers.append(marks.encode(**_at(), shape=shape, href=alt.Href("at", type="nominal"), **of_kind))

    def cells(self, places: Sequence[Place]) -> None:
        """Discs as large as the number of places in a cell, in the colour of the kind that most of them are of."""
        import altair as alt

        held: dict[tuple[int, int], list[Place]] = defaultdict(list)
        for place in places:
            held[cell(self.view, self.outer, place.latitude, place.longitude)].append(place)
        most = max(map(len, held.values()))
        rows = []
        for _, own in sorted(held.items()):
            kinds = Counter(each.kind for each in own)
            latitude, longitude = _middle([(each.latitude, each.longitude) for each in own])
            rows.append(
                {
                    "lat": latitude,
                    "lon": longitude,
                    "kind": min(kinds, key=lambda kind: (-kinds[kind], kind)),
                    "size": max(12, round(CELL * CELL * len(own) / most)),
                }
            )
        marks = self._of(rows).mark_point(stroke=charts.PAPER, strokeWidth=0.6, opacity=1)
        size = alt.Size("size", type="quantitative", scale=None, legend=None)
        self.layers.append(marks.encode(**_at(), size=size, fill=_fill_of_kind()))

    def ways(self, lines: Sequence[Line]) -> None:
        """Great circles, thicker where more goes; a ring where it arrives."""
        shown = [line for line in lines if self.view.holds(*line.start) or self.view.holds(*line.end)]
        if len(shown) > LINES:
            shown = _bundled(self.view, shown, self.outer)
        if not shown:
            return
        most = max(line.weight for line in shown)
        for step in range(1, 5):
            ways = [
                {"type": "LineString", "coordinates": [line.start[::-1], line.end[::-1]]}
                for line in shown
                if math.ceil(4 * line.weight / most) == step and line.start != line.end
            ]
            if ways:
                drawn = self._geometries(ways).mark_geoshape
                self.layers.append(drawn(filled=False, stroke=charts.INK, strokeWidth=0.6 + 0.7 * step, opacity=0.6))
        ends = [{"lat": latitude, "lon": longitude} for latitude, longitude in sorted({line.end for line in shown})]
        rings = self._of(ends).mark_point(size=200 if self.outer < 400 else 260, stroke=charts.INK, strokeWidth=1.4)
        self.layers.append(rings.encode(**_at()))

    def frames(self, frames: Sequence[View]) -> None:
        """Where the parts lie, numbered."""
        import altair as alt

        boxes, names = [], []
        for number, view in enumerate(frames, 1):
            low, high = view.edges()
            left, right = view.longitude - view.span / 2, view.longitude + view.span / 2
            corners = [(left, low), (left, high), (right, high), (right, low), (left, low)]
            boxes.append({"type": "LineString", "coordinates": corners})
            names.append({"lat": high, "lon": left, "name": str(number)})
        if boxes:
            self.layers.append(self._geometries(boxes).mark_geoshape(filled=False, stroke=charts.SOFT, strokeWidth=1))
            words = self._of(names).mark_text(align="right", baseline="bottom", dx=-2, dy=3, fontSize=15)
            self.layers.append(words.encode(**_at(), text=alt.Text("name", type="nominal")))

    def bar(self) -> None:
        """A bar of a round number of kilometres."""
        import altair as alt

        kilometres = scale(self.view)
        long, low = kilometres / self.view.kilometres * self.width, self.height - 8
        bar = self._of([{"name": f"{kilometres:,} km"}])
        rule = bar.mark_rule(stroke=charts.SOFT, strokeWidth=2)
        words = bar.mark_text(align="left", baseline="bottom", color=charts.SOFT, fontSize=15)
        ends = {"x": 8, "x2": 8 + round(long, 1), "y": low, "y2": low}
        self.layers += [
            rule.encode(**{name: alt.value(at) for name, at in ends.items()}),
            words.encode(x=alt.value(8), y=alt.value(low - 4), text=alt.Text("name", type="nominal")),
        ]

    def names(self, places: Sequence[Place]) -> None:
        """The names of places, each where it meets no mark and no other name; some have no such place."""
        import altair as alt

        spots = [self.view.spot(place.latitude, place.longitude, self.width) for place in places]
        taken = [(x - 11, y - 11, x + 11, y + 11) for x, y in spots]
        taken.append((0, self.height - 34, 90, self.height))  # the bar of kilometres
        rows = []
        for place, (x, y) in zip(places, spots, strict=True):
            long = 8.6 * len(place.label)  # as wide as it may be: a reader's font is not the one that it is measured in
            for left, top in ((x + 13, y - 9), (x - 13 - long, y - 9), (x - long / 2, y - 31), (x - long / 2, y + 13)):
                box = (left, top, left + long, top + 18)
                inside = left > 2 and box[2] < self.width - 2 and top > 2 and box[3] < self.height - 2
                if place.label and inside and not any(_meet(box, other) for other in taken):
                    taken.append(box)
                    rows.append({"x": round(left, 1), "y": round(top + 9, 1), "name": place.label})
                    break
        if rows:
            words = self._of(rows).mark_text(align="left", baseline="middle", fontSize=15)
            across = alt.X("x", type="quantitative", scale=None, axis=None)
            down = alt.Y("y", type="quantitative", scale=None, axis=None)
            self.layers.append(words.encode(across, down, alt.Text("name", type="nominal")))


def _at() -> dict[str, Any]:
    import altair as alt

    return {
        "latitude": alt.Latitude("lat", type="quantitative"),
        "longitude": alt.Longitude("lon", type="quantitative"),
    }


def _fill_of_kind() -> alt.Fill:
    import altair as alt

    scale = alt.Scale(domain=list(SHAPES), range=list(charts.COLOURS))
    return alt.Fill("kind", type="nominal", legend=None, scale=scale)


def _stroke_of_kind() -> alt.Stroke:
    import altair as alt

    scale = alt.Scale(domain=list(SHAPES), range=list(charts.COLOURS))
    return alt.Stroke("kind", type="nominal", legend=None, scale=scale)


def cell(view: View, width: int, latitude: float, longitude: float) -> tuple[int, int]:
    """Row and column of the cell of a picture so wide, in steps of degrees."""
    size = view.span * CELL / width
    return math.floor(latitude / size), math.floor(longitude / size)


def _bundled(view: View, lines: Sequence[Line], width: int) -> list[Line]:
    """Lines between cells instead of places, the heaviest."""
    held: dict[tuple[tuple[int, int], tuple[int, int]], list[Line]] = defaultdict(list)
    for line in lines:
        held[cell(view, width, *line.start), cell(view, width, *line.end)].append(line)
    bundles = [
        Line(_middle([each.start for each in own]), _middle([each.end for each in own]), sum(o.weight for o in own))
        for _, own in sorted(held.items())
    ]
    return sorted(bundles, key=lambda line: (-line.weight, line.start, line.end))[:LINES]


def _middle(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(each[0] for each in points) / len(points), sum(each[1] for each in points) / len(points)


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def scale(view: View) -> int:
    """Round kilometres, about a fifth of the way across."""
    most = view.kilometres / 5
    power = 10 ** math.floor(math.log10(most)) if most >= 1 else 1
    return max(1, max((step for step in (1, 2, 5) if step * power <= most), default=1) * power)


def legend(counts: Mapping[str, int], homes: int = 0, grid: float | None = None) -> str:
    """HTML: each kind with its mark, name and number."""
    entries = [
        f"<li>{mark(kind)} {text(kind.replace('_', ' '))} <b>{counts[kind]:,}</b></li>"
        for kind in SHAPES
        if counts.get(kind)
    ]
    if homes:
        where = f", shown at the centre of a {grid:g} km grid cell" if grid else ""
        entries.append(f"<li>{mark('', hollow=True)} hollow: a private home{where} <b>{homes:,}</b></li>")
    return f'<ul class="kinds">{"".join(entries)}</ul>\n' if entries else ""


def mark(kind: str, hollow: bool = False) -> str:
    """The mark of a kind as a small picture; it says nothing that its name does not."""
    place = list(SHAPES).index(kind) + 1 if kind in SHAPES else 0
    outline = _OUTLINES[SHAPES.get(kind, "circle")]
    looks = f"mark k{place} hollow" if hollow else f"mark k{place}"
    return f'<svg class="{looks}" viewBox="0 0 16 16" aria-hidden="true">{outline}</svg>'


def land(detail: float) -> list[list[list[tuple[float, float]]]]:
    """The land as polygons of rings of longitude and latitude, simplified by so many degrees; islets are left out."""
    import shapely

    whole = shapely.MultiPolygon([(rings[0], rings[1:]) for rings in _every_land()])
    simple = whole.simplify(detail, preserve_topology=True)
    parts = [part for part in getattr(simple, "geoms", [simple]) if part.area > 4 * detail * detail]
    places = 2 if detail > 0.05 else 3
    return [
        [[(round(x, places), round(y, places)) for x, y in ring.coords] for ring in (part.exterior, *part.interiors)]
        for part in parts
    ]


@cache
def _every_land() -> tuple[tuple[tuple[tuple[float, float], ...], ...], ...]:
    """The polygons of the bundled file: TopoJSON, whose arcs are differences of whole numbers."""
    given = orjson.loads((Path(__file__).parent / "coastlines" / "land-110m.json").read_bytes())
    (wide, high), (left, low) = given["transform"]["scale"], given["transform"]["translate"]
    arcs: list[list[tuple[float, float]]] = []
    for arc in given["arcs"]:
        x = y = 0
        line = []
        for right, up in arc:
            x, y = x + right, y + up
            line.append((x * wide + left, y * high + low))
        arcs.append(line)

    def ring(parts: Sequence[int]) -> tuple[tuple[float, float], ...]:
        points: list[tuple[float, float]] = []
        for number in parts:
            line = arcs[number] if number >= 0 else arcs[~number][::-1]
            points += line[1:] if points else line
        return tuple(points)

    geometries = given["objects"]["land"]["geometries"]
    return tuple(tuple(ring(each) for each in polygon) for one in geometries for polygon in one["arcs"])
