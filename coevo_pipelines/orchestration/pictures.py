"""Small pictures for the metadata of a day: a few kB each, inline, so that they show where the files are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log

import dagster as dg

MOST_BARS = 8
MOST_POINTS = 60


def bars(title: str, told: str, counts: Mapping[str, int]) -> dict[str, dg.MetadataValue[str]]:
    """Counts as bars, longest first, under their title; nothing where there is nothing to count."""
    shown = sorted(((name, count) for name, count in counts.items() if count), key=lambda each: (-each[1], each[0]))
    if not shown:
        return {}
    import altair as alt
    import polars as pl

    from coevo_pipelines.report import charts

    rest = sum(count for _, count in shown[MOST_BARS:])
    drawn = [*shown[:MOST_BARS], *([("all others", rest)] if rest else [])]
    frame = pl.DataFrame(drawn, schema={"name": pl.String, "count": pl.Int64}, orient="row")
    names = [name for name, _ in drawn]
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(ticks=False, domain=False))
    x = alt.X("count:Q", title=None, axis=None)
    base = alt.Chart(frame).encode(y=y)
    told_bars = base.mark_text(align="left", dx=4).encode(x=x, text=alt.Text("count:Q", format=","))
    chart = (base.mark_bar(height=14).encode(x=x) + told_bars).properties(
        width=charts.NARROW, height=24 * len(drawn) + 10
    )
    return _under(title, charts.markdown_image(chart, title, told))


def counted(values: Iterable[str]) -> dict[str, int]:
    """How often each value is there, the most frequent first: a number each, so that Dagster plots it over the days."""
    return dict(sorted(Counter(values).items(), key=lambda each: (-each[1], each[0])))


def ranks(title: str, told: str, values: Sequence[float]) -> dict[str, dg.MetadataValue[str]]:
    """How a whole is divided: the share of the largest n, for each n on a logarithmic axis. Nothing without a value
    above 0."""
    ordered = sorted((value for value in values if value > 0), reverse=True)
    if not ordered:
        return {}
    import altair as alt
    import polars as pl

    from coevo_pipelines.report import charts

    whole, shares, running = sum(ordered), [], 0.0
    for value in ordered:
        running += value
        shares.append(running / whole)
    steps = range(MOST_POINTS + 1)
    places = sorted({round(2 ** (log(len(ordered), 2) * step / MOST_POINTS)) for step in steps})
    frame = pl.DataFrame({"n": places, "share": [shares[place - 1] for place in places]})
    axis = alt.Axis(format=charts.SHARES)
    chart = (
        alt.Chart(frame)
        .mark_line(point=len(places) == 1)
        .encode(
            x=alt.X("n:Q", scale=alt.Scale(type="log"), title="largest n"),
            y=alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), title=None, axis=axis),
        )
        .properties(width=charts.NARROW, height=150)
    )
    return _under(title, charts.markdown_image(chart, title, told))


def _under(title: str, image: str) -> dict[str, dg.MetadataValue[str]]:
    return {title: dg.MetadataValue.md(image)}
