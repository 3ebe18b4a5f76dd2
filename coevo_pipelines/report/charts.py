"""Charts: an Altair chart in, SVG out, drawn when the page is made, so that a page runs nothing for it.

A chart is drawn twice, wide and narrow, and the page shows the one that fits: lettering stays readable. Colours are the
page's own (CSS variables), so one drawing serves both themes; a file that stands alone brings them along. The same
chart gives the same bytes on every machine: times are UTC, and lettering is measured in a font that the library brings.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report.html import seen, text

if TYPE_CHECKING:
    from datetime import date

    import altair as alt
    import polars as pl

    Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart
    Links = Mapping[str, tuple[str, str]]
    Data = Mapping[str, Sequence[Mapping[str, Any]]]

WIDE, NARROW = 528, 300
"""Width of the whole picture in px, axes and their labels included."""
COLOURS = tuple(f"var(--c{number})" for number in range(1, 7))
INK, SOFT, LINE, PAPER, GAP = (f"var(--{each})" for each in ("ink", "soft", "line", "paper", "gap"))
"""Colours for marks with a meaning of their own: `GAP` is for what is missing."""
COUNTS, SHARES = ".3~s", ".0%"
"""Formats of numbers: 950, 1.5k, 20M; 35%."""
SIZES = "replace(format(datum.value, '.3~s'), regexp('(\\\\D?)$'), ' $1B')"
"""An axis' `labelExpr` for bytes: 950 B, 1.5 kB, 20 MB."""
MARK = "http://mark.invalid/"
"""Before the key of a mark that is a link: what draws the charts makes an address of any other."""

_MEASURED, _SHOWN = 15, 12
"""Lettering is laid out larger than it is shown: a reader's font may be wider than the one it is measured in."""
_FONT = "Arial,Helvetica,Liberation Sans,sans-serif"
_LETTERING = {f"{part}{what}": value for part in ("label", "title") for what, value in
              (("Color", SOFT), ("FontSize", _MEASURED), ("FontWeight", "normal"))}  # fmt: skip
_CONFIG: Mapping[str, Any] = {
    "aria": False,
    "background": "transparent",
    "font": "Liberation Sans",
    "padding": 4,
    "range": {"category": list(COLOURS), "ordinal": list(COLOURS)},
    "view": {"stroke": None},
    "axis": {**_LETTERING, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "labelOverlap": True,
             "labelSeparation": 6, "labelLimit": 140, "labelPadding": 5, "titlePadding": 8},
    "axisX": {"grid": False, "labelFlush": 20},
    "axisY": {"domain": False, "ticks": False, "tickCount": 4},
    "axisQuantitative": {"format": COUNTS},
    "legend": {**_LETTERING, "labelColor": INK, "orient": "top", "title": None, "columnPadding": 12,
               "symbolSize": 110, "symbolStrokeWidth": 2, "symbolOpacity": 1, "offset": 8},
    "header": {**_LETTERING},
    "title": {"color": INK, "subtitleColor": SOFT, "fontSize": 17, "subtitleFontSize": _MEASURED, "anchor": "start",
              "subtitlePadding": 4, "offset": 12, "subtitleLineHeight": 18, "frame": "bounds"},
    "mark": {"color": COLOURS[0]},
    "text": {"color": INK, "fontSize": _MEASURED},
    "rule": {"color": SOFT},
    "line": {"strokeWidth": 2},
}  # fmt: skip


def figure(title: str, told: str, draw: Callable[[int], Chart]) -> str:
    """HTML of a chart: `draw(width)` gives it for a whole width in px; `told` says in words what it shows."""
    drawn = "".join(
        f'<div class="{size}">{svg(draw(width), title)}</div>' for size, width in (("wide", WIDE), ("narrow", NARROW))
    )
    caption = f"<figcaption><b>{text(title)}</b> <span>{text(told, 2000)}</span></figcaption>"
    return f'<figure class="chart">{caption}{drawn}</figure>\n'


def svg(chart: Chart, label: str | None, links: Links = MappingProxyType({}), data: Data = MappingProxyType({})) -> str:
    """The chart as SVG in the colours of the page; `label` names it for a reader who does not see it, None for a
    picture whose page says all that it shows.

    `links`: by the key in the href of a mark (`MARK` and the key), where it leads and what a pointer over it is told.
    They are for a pointer alone: of a picture with links, all must stand on the page in words. `data`: rows of named
    data, where there are so many that Altair would check them for longer than it takes to draw them.
    """
    drawn = _drawn(chart, links, data)
    if label is None:
        drawn.set("aria-hidden", "true")
    else:
        drawn.set("role", "img")
        drawn.set("aria-label", _words(label))
    return _written(drawn)


def standalone(chart: Chart | None, title: str, told: str, width: int = WIDE) -> bytes:
    """An SVG file that stands alone, light or dark as its viewer is, with title and words in it; without a chart, the
    words alone."""
    import altair as alt
    import polars as pl

    if chart is None:
        chart = alt.Chart(pl.DataFrame()).mark_point().properties(width=width, height=0)
    lines = [line for each in told.split("\n") for line in wrap(each, width // 7)]
    drawn = _drawn(chart.properties(title={"text": seen(title, 80), "subtitle": lines}))
    drawn.set("role", "img")
    for place, (tag, given) in enumerate((("title", seen(title, 200)), ("desc", told))):
        element = ET.Element(tag)
        element.text = _words(given)
        drawn.insert(place, element)
    style = ET.Element("style")
    light, dark = (";".join(f"--{name}:{value}" for name, value in each.items()) for each in theme())
    style.text = f":root{{{light};background:{PAPER}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    drawn.insert(2, style)
    drawn.insert(3, ET.Element("rect", {"width": "100%", "height": "100%", "fill": PAPER}))
    return f"{_written(drawn)}\n".encode()


def markdown_image(chart: Chart, title: str, told: str = "", width: int = NARROW) -> str:
    """A picture of a few kB inside Markdown, for the metadata of an asset."""
    return markdown(standalone(chart, title, told, width), title)


def markdown(drawn: bytes, title: str) -> str:
    """An SVG file inside Markdown."""
    name = re.sub(r"[^\w ,.:]", " ", title)
    return f"![{name}](data:image/svg+xml;base64,{b64encode(drawn).decode()})"


def sparkline(values: Sequence[float | None], told: str) -> str:
    """The course of a number, oldest first, small enough to stand in a line; None is a gap. `told`: it in words."""
    known = [each for each in values if each is not None]
    low, high, last = min(known, default=0), max(known, default=0), max(1, len(values) - 1)
    path, drawing = [], False
    for place, value in enumerate(values):
        if value is not None:
            height = 22 - 20 * (value - low) / (high - low) if high > low else 12
            x = 100 * place / last
            path.append(f"{'L' if drawing else 'M'}{x:.4g} {height:.4g}" + ("" if drawing else "h.01"))
        drawing = value is not None
    return (
        f'<svg class="spark" role="img" aria-label="{text(told)}" viewBox="0 0 100 24" preserveAspectRatio="none">'
        f'<path d="{"".join(path)}"/></svg>'
    )


def days(first: date, last: date, width: int, least: int = 7) -> alt.X:
    """The axis of days, both included, for a column `day`; of at least so many, so that one day is a bar and no wall.

    A few ticks, at noon: a bar reaches from its day to the next.
    """
    from datetime import UTC, datetime, time, timedelta

    import altair as alt

    first = min(first, last - timedelta(days=least - 1))
    span = (last - first).days
    step = max(1, -(-span // (width // (110 if first.year == last.year else 150))))
    noons = [datetime.combine(last - timedelta(days=back), time(12), UTC) for back in range(0, span + 1, step)]
    ends = [datetime.combine(each, time(0), UTC) for each in (first, last + timedelta(days=1))]
    form = "%-d %b" if first.year == last.year else "%-d %b %Y" if span < 365 or width == WIDE else "%b %Y"
    return alt.X(
        "day:T",
        title=None if first.year != last.year else str(last.year),
        axis=alt.Axis(values=[_moment(each) for each in noons], format=form),
        scale=alt.Scale(type="utc", domain=[_moment(each) for each in ends], nice=False),
    )


def _moment(at: Any) -> Any:
    import altair as alt

    return alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, utc=True)


def runs(frame: pl.DataFrame, x: str, columns: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A long series of numbers as steps in at most so many columns, and where it has nothing.

    `frame`: sorted by the integer `x`, one row each. First the rows to draw with interpolation step-after: each stretch
    without a missing x has its number in the column `run`, and ends with a row that repeats its last one at the next x.
    Of the rows of a column those stay that hold the first, the lowest, the highest or the last value of a series, so
    that no peak is lost (M4: Jugel, Jerzak, Hackenbroich and Markl, VLDB 2014). Then the gaps: the first `x` that is
    missing, and `end`, the next that is not.
    """
    import polars as pl

    span = int(frame[x][-1]) - int(frame[x][0]) + 1
    marked = frame.with_columns(
        run=(pl.col(x).diff() != 1).fill_null(value=False).cum_sum(),
        _column=(pl.col(x) - pl.col(x).first()) * min(columns, span) // span,
        _row=pl.int_range(pl.len()),
    )
    series = [each for each in frame.columns if each != x]
    reached = [pl.col("_row").first().alias("first"), pl.col("_row").last().alias("last")]
    for each in series:
        reached += [pl.col("_row").get(pl.col(each).arg_min()).alias(f"{each} low"),
                    pl.col("_row").get(pl.col(each).arg_max()).alias(f"{each} high")]  # fmt: skip
    kept = marked.group_by("run", "_column").agg(reached).drop("run", "_column").unpivot()["value"].unique()
    rows = marked.filter(pl.col("_row").is_in(kept.implode())).drop("_column", "_row")
    ends = marked.group_by("run", maintain_order=True).last().with_columns(pl.col(x) + 1)
    drawn = pl.concat([rows, ends.select(rows.columns)]).sort("run", x, maintain_order=True)
    starts = marked.group_by("run", maintain_order=True).first()[x]
    return drawn, pl.DataFrame({x: ends[x][:-1], "end": starts[1:]})


def missing(gaps: pl.DataFrame, across: alt.X) -> alt.Chart:
    """Marks over the whole height, from the column that `across` shows to `end`."""
    import altair as alt

    marks: alt.Chart = alt.Chart(gaps).mark_rect(color=GAP, opacity=0.3).encode(x=across, x2="end")
    return marks


@cache
def theme() -> tuple[dict[str, str], dict[str, str]]:
    """The colours of the pages, light and dark, by the names of their CSS variables."""
    web = Path(__file__).parent / "web"
    names = re.findall(r"--(\w+)", " ".join((*COLOURS, INK, SOFT, LINE, PAPER, GAP)))
    found = [dict(re.findall(r"--(\w+):\s*([^;}]+)", (web / each).read_text("utf-8"))) for each in _SHEETS]
    light, dark = ({name: sheet[name].strip() for name in names} for sheet in found)
    return light, dark


_SHEETS = ("report.css", "dark.css")
_SVG = "http://www.w3.org/2000/svg"
_DROPPED = {"class", "role", "pointer-events", "stroke-miterlimit", "version", "font-family", "cursor", "href"}
_PLAIN = {"opacity": "1", "transform": "translate(0,0)", "stroke-width": "1", "font-weight": "normal",
          "text-anchor": "start"}  # fmt: skip
_INHERITED = ("fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "stroke-opacity", "text-anchor",
              "font-weight", "font-size")  # fmt: skip
_LEVEL = re.compile(r"(L[-\d.]+,([-\d.]+))(?:L[-\d.]+,\2(?![\d.]))+(L[-\d.]+,\2(?![\d.]))")
"""Points on a level line, of which the first and the last draw it."""


def _drawn(chart: Chart, links: Links = MappingProxyType({}), data: Data = MappingProxyType({})) -> ET.Element:
    import vl_convert

    # Altair has checked each part when it was made; to check the whole again takes as long as to draw it.
    given = chart.to_dict(validate=False)
    spec = _safe({**given, "datasets": {**given.get("datasets", {}), **data}})
    columns = 4 if spec.get("width", WIDE) > (WIDE + NARROW) // 2 else 2
    legend = {**_CONFIG["legend"], "columns": columns, "labelLimit": spec.get("width", WIDE) // columns - 38}
    spec["config"] = {**spec.get("config", {}), **_CONFIG, "legend": legend}
    if "mark" in spec or "layer" in spec:
        spec.setdefault("autosize", {"type": "fit-x", "contains": "padding"})
    source = vl_convert.vegalite_to_svg(spec, format_locale=_NUMBERS, allowed_base_urls=[])
    root = ET.fromstring(re.sub(r'"-?\d*\.?\d*e-\d+"', '"0"', source))
    _legend_to_the_left(root)
    found = {each: _key(each) for each in root.iter(f"{{{_SVG}}}a")}
    identity = sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]
    ids = [each.attrib["id"] for each in root.iter() if "id" in each.attrib]
    _clean(root, {old: f"{identity}-{place}" for place, old in enumerate(ids)})
    for each, key in found.items():
        _link(each, *links.get(key, ("", "")))
    root.set("font-family", _FONT)
    root.set("font-size", str(_SHOWN))
    root.attrib.pop("class", None)
    return root


def _key(anchor: ET.Element) -> str:
    return next((value for name, value in anchor.items() if name.endswith("href")), "").removeprefix(MARK)


def _link(anchor: ET.Element, address: str, words: str) -> None:
    """Make it one that a pointer finds and the keyboard passes by, or no link at all."""
    if address:
        anchor.set("href", address)
        anchor.set("tabindex", "-1")
        told = ET.Element(f"{{{_SVG}}}title")
        told.text = _words(words)
        anchor.insert(0, told)
    else:
        anchor.tag = f"{{{_SVG}}}g"


_NUMBERS = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["$", ""], "minus": "−"}
_DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
_STACKED = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})"
                      "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # fmt: skip


def _safe(given: Any) -> Any:
    """A specification with strangers' text as anyone can see it, and with times that are UTC wherever they are read."""
    if isinstance(given, dict):
        found = {key: _safe(each) for key, each in given.items()}
        if found.get("type") == "temporal" and found.get("scale", {}) is not None:
            found["scale"] = {"type": "utc", **found.get("scale", {})}
        return found
    if isinstance(given, list):
        return [_safe(each) for each in given]
    if isinstance(given, str):
        return f"{given}Z" if _DATED.fullmatch(given) else _words(given)
    return given


def _words(given: str) -> str:
    """Strangers' text as anyone can see it, with two marks over or under a letter at most: more reach over others."""
    return _STACKED.sub(r"\1", seen(given, 2000, "\n"))


def _legend_to_the_left(root: ET.Element) -> None:
    """A legend over the picture begins where the picture does, not where its axis ends: else it may not fit."""
    frame = next((each for each in root if each.tag == f"{{{_SVG}}}g"), root)
    left = re.match(r"translate\(([\d.]+),", frame.get("transform", ""))
    for legend in root.iter(f"{{{_SVG}}}g"):
        if left and "role-legend" in legend.get("class", "").split():
            for inner in legend:
                over = re.match(r"translate\(0(?:\.5)?,(-[\d.]+)\)", inner.get("transform", ""))
                if over:
                    inner.set("transform", f"translate({-float(left[1]):g},{over[1]})")


def _clean(element: ET.Element, ids: Mapping[str, str]) -> None:
    """Leave what is seen: no roles inside the picture, no default, no long number. `ids`: the new one of each, of this
    picture alone: those given count on from picture to picture."""
    for name, value in list(element.attrib.items()):
        kept = _attribute(name, value, ids)
        if kept is None:
            del element.attrib[name]
        else:
            element.set(name, kept)
    children: list[ET.Element] = []
    for child in element:
        if not _unseen(child):
            _clean(child, ids)
            bare = child.tag == f"{{{_SVG}}}g" and (not child.attrib or not len(child))
            children += child if bare else [child]
    element[:] = children
    if element.tag == f"{{{_SVG}}}g" and children:
        _shared(element)


def _attribute(name: str, value: str, ids: Mapping[str, str]) -> str | None:
    """The value to write, None for none."""
    if name.rpartition("}")[2] in _DROPPED or name.startswith("aria-") or _PLAIN.get(name) == value:
        return None
    if name == "font-size":
        size = f"{float(value.removesuffix('px')) * _SHOWN / _MEASURED:.3g}"
        return None if size == str(_SHOWN) else size
    if name == "id":
        return ids[value]
    if name == "d":
        value = _LEVEL.sub(r"\1\3", re.sub(r"-?\d+\.\d{2,}", _rounded, value))
    if "url(#" in value:
        return re.sub(r"url\(#(\w+)\)", lambda found: f"url(#{ids[found[1]]})", value)
    return value if name == "viewBox" else re.sub(r"-?\d+\.\d{2,}", _rounded, value)


def _shared(group: ET.Element) -> None:
    """What all elements of a group say alike is said once."""
    for name in _INHERITED:
        values = {child.get(name) for child in group}
        if len(values) == 1 and None not in values and name not in group.attrib:
            group.set(name, values.pop() or "")
            for child in group:
                del child.attrib[name]


def _unseen(element: ET.Element) -> bool:
    return (
        element.get("opacity") == "0"
        or element.get("display") == "none"
        or (element.tag == f"{{{_SVG}}}path" and (not element.get("d") or "h0v0h0" in element.get("d", "")))
        or (element.tag == f"{{{_SVG}}}rect" and element.get("fill") == "transparent")
        or (element.get("class") == "background" and not {"fill", "stroke"} & element.attrib.keys())
    )


def _rounded(found: re.Match[str]) -> str:
    return f"{round(float(found[0]), 1) + 0:g}"  # no -0


def _written(root: ET.Element) -> str:
    ET.register_namespace("", _SVG)
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    root.attrib = {"xmlns": _SVG, **root.attrib}
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)
