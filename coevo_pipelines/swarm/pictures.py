"""Pictures of a simulation: tables in, charts out, for the page and as standalone SVG files.

What a picture says is in its words too, and what it is drawn from in a small table. Names are strangers' text: what
draws them makes them readable (report/charts.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.report import charts
from coevo_pipelines.swarm.config import TIERS

if TYPE_CHECKING:
    import altair as alt

PHASES = ((0, "chaos"), (100, "learning"), (500, "stabilizing"), (1000, "mature"))
"""Ticks at which the gradient is read, and what the seed calls the time from there on."""
TABLES = (
    "swarm.metrics", "swarm.blend_predictions", "swarm.organisms", "swarm.versions", "swarm.clasps",
)  # fmt: skip
"""What the pictures are drawn from."""
LEAST = 20
"""A line of time is as many ticks long at least, so that one tick is a bar and no wall."""
ACCOUNTS, GROUPS, NAMED, PAIRS = 8, 5, 12, 10
"""Most rows shown: accounts, communities. Up to how many organisms they are named, and in how many pairs."""

Tables = Mapping[str, pl.DataFrame]
"""By name (`swarm.metrics`); of any days, in any order, with a column `date` or without."""

_GONE, _NONE, _OTHERS = "no longer there", "no community", "all others"
_PANELS = (("organisms", "organisms_milli"), ("pattern versions", "patterns_milli"), ("Nyx", "nyx_milli"),
           ("minted in all", "minted_milli"), ("burnt in all", "burnt_milli"))  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A chart with what it says; where there is nothing to draw, its words say why."""

    title: str
    told: str
    draw: Callable[[int], charts.Chart] | None = None
    """At a width in px."""
    heads: Sequence[str] = ()
    """Of `rows`; one that ends in # is of numbers."""
    rows: Sequence[Sequence[str]] = ()
    """The numbers that are drawn."""


def gradient(tables: Tables) -> Picture:
    """Shares of the cells at -1, 0 and +1 by tick, with their numbers at `PHASES` and at the last tick.

    From `swarm.metrics`. A tick without a cell, and one without a row, is marked over the whole height.
    """
    title = "Ternary gradient"
    every = _metrics(tables, "minus", "zero", "plus")
    held = every.with_columns(cells=pl.sum_horizontal("minus", "zero", "plus")).filter(pl.col("cells") > 0)
    if held.is_empty():
        return Picture(title, "No tick yet." if every.is_empty() else "Nobody holds a cell.")
    first, last = int(every["tick"][0]), int(every["tick"][-1])
    at = {row["tick"]: row for row in held.to_dicts()}
    rows = []
    for tick, phase in PHASES if last in dict(PHASES) else (*PHASES, (last, "newest")):
        parts = ["", "", "not reached" if tick > last else "no cell"]
        if tick in at:
            parts = [_percent(at[tick][each], at[tick]["cells"]) for each in ("minus", "zero", "plus")]
        rows.append((phase, f"{tick:,}", *parts))
    edges = {
        "+1 verified": pl.col("plus"),
        "0 uncertain": pl.col("plus") + pl.col("zero"),
        "−1 failed": pl.col("cells"),
    }
    shares = held.select("tick", **{name: edge / pl.col("cells") for name, edge in edges.items()})
    lacking = _gaps(shares, first, last)
    now = next(row for row in reversed(rows) if row[4].endswith("%"))
    told = (
        f"Share of the cells by tick. At t = {now[1]}: −1 {now[2]}, 0 {now[3]}, +1 {now[4]}."
        f" Dashed: where a phase begins.{_missing(lacking, 'cell or row')}"
    )

    def draw(width: int) -> charts.Chart:
        import altair as alt

        colours = alt.Color("series:N", scale=alt.Scale(domain=list(edges), range=[charts.COLOURS[0], charts.LINE,
                                                                                   charts.COLOURS[1]]))  # fmt: skip
        upward = alt.Y(
            "value:Q", title=None, stack=None, axis=alt.Axis(format=charts.SHARES), scale=alt.Scale(domain=[0, 1])
        )
        areas = alt.Chart(_steps(shares, reversed(edges), width)).mark_area(interpolate="step-after", opacity=1)
        phases = pl.DataFrame({"tick": [tick for tick, _ in PHASES if first < tick <= last]}, schema={"tick": pl.Int64})
        return alt.layer(
            areas.encode(x=_ticks(first, last, width), y=upward, color=colours, detail="run:N"),
            charts.missing(lacking, _ticks(first, last, width)),
            alt.Chart(phases).mark_rule(strokeDash=[4, 3], color=charts.INK).encode(x=_ticks(first, last, width)),
        ).properties(width=width, height=200)

    return Picture(title, told, draw, ("Phase", "Tick#", "−1#", "0#", "+1#"), rows)


def markers(tables: Tables) -> Picture:
    """Decisions open at each tick's end, when Nyx slept, and how many were opened, decided and given up until then.

    From `swarm.metrics`; the sums count from its first row.
    """
    title = "Decisions, open and settled"
    every = _metrics(tables, "pending", "opened", "resolved", "void", "mode")
    if every.is_empty():
        return Picture(title, "No tick yet.")
    first, last = int(every["tick"][0]), int(every["tick"][-1])
    sums = {"opened": "opened", "decided": "resolved", "given up": "void"}
    counted = every.select(
        "tick",
        pl.col("pending").alias("open now"),
        *(pl.col(column).cum_sum().alias(what) for what, column in sums.items()),
    )
    totals = ", ".join(f"{what} {int(counted[what][-1]):,}" for what in sums)
    asleep = every.filter(pl.col("mode") == "SLUMBER")
    lacking = _gaps(every, first, last)
    told = (
        f"{int(every['pending'][-1]):,} open; from t = {first:,} to {last:,}: {totals}. Nyx slept "
        f"{_percent(asleep.height, every.height)} of the ticks (shaded).{_missing(lacking, 'row')}"
    )

    def draw(width: int) -> charts.Chart:
        import altair as alt

        names = ["open now", *sums]
        slept = _stretches(asleep)
        lines = alt.Chart(_steps(counted, names, width)).mark_line(interpolate="step-after")
        upward = alt.Y("value:Q", title=None, axis=alt.Axis(tickMinStep=1))
        colours = alt.Color("series:N", scale=alt.Scale(domain=names))
        return alt.layer(
            alt.Chart(slept)
            .mark_rect(color=charts.COLOURS[5], opacity=0.18)
            .encode(x=_ticks(first, last, width), x2="end"),
            lines.encode(x=_ticks(first, last, width), y=upward, color=colours, detail="run:N"),
            charts.missing(lacking, _ticks(first, last, width)),
        ).properties(width=width, height=200)

    return Picture(title, told, draw)


def calibration(tables: Tables) -> Picture:
    """Reliability diagram of the scored predictions: how often those of a confidence came true, in 10 bins of [0, 1],
    with counts, 95% intervals (Wilson 1927), Brier score, log loss and expected calibration error.

    From `swarm.blend_predictions`; of a prediction that is in several days' rows, the scored one counts.
    """
    from coevo_pipelines.swarm.decisions.scoring import ece, reliability

    title = "Calibration of predictions"
    wanted = ("prediction_id", "prediction_confidence", "scored_tick", "prediction_correct", "brier", "log_loss")
    rows = _table(tables, "swarm.blend_predictions", *wanted).sort("prediction_id", "scored_tick", nulls_last=False)
    every = rows.unique("prediction_id", keep="last", maintain_order=True)
    scored = every.filter(pl.col("prediction_correct").is_not_null())
    open_ = every["scored_tick"].null_count()
    counts = f"{scored.height:,} scored, {every.height - open_ - scored.height:,} void, {open_:,} still open"
    if scored.is_empty():
        return Picture(title, f"No prediction was scored yet: {counts}." if every.height else "No prediction yet.")
    given = scored["prediction_confidence"].to_list(), scored["prediction_correct"].to_list()
    bins = [
        {"said": mean, "true": rate, "number": count, "low": low, "high": high}
        for mean, rate, count in reliability(*given, bins=10)
        for low, high in (wilson(round(rate * count), count),)
    ]
    brier, log_loss = (math.fsum(scored[each].drop_nulls()) / scored.height for each in ("brier", "log_loss"))
    numbers = f"Brier {brier:.3f}, ECE {ece(*given, bins=10):.3f}, log loss {log_loss:.3f}"
    told = f"{counts}. {numbers}. Dashed: as often as said. Larger dot: more predictions; its line: 95% interval."
    shown = [
        (f"{row['number']:,}", *(f"{100 * row[each]:.1f}%" for each in ("said", "true")),
         f"{100 * row['low']:.1f}%–{100 * row['high']:.1f}%")
        for row in bins
    ]  # fmt: skip

    def draw(width: int) -> charts.Chart:
        import altair as alt

        shares = alt.Axis(format=charts.SHARES, tickCount=5)
        across = alt.X("said:Q", title="confidence", scale=alt.Scale(domain=[0.5, 1]), axis=shares)
        upward = alt.Y("true:Q", title="came true", scale=alt.Scale(domain=[0, 1]), axis=shares)
        drawn = alt.Chart(pl.DataFrame(bins)).encode(x=across)
        even = alt.Chart(pl.DataFrame({"said": [0.5, 1.0], "true": [0.5, 1.0]}))
        size = alt.Size("number:Q", scale=alt.Scale(range=[40, 320], zero=True), legend=None)
        return alt.layer(
            even.mark_line(strokeDash=[4, 3], color=charts.SOFT, strokeWidth=1).encode(x=across, y=upward),
            drawn.mark_rule(color=charts.COLOURS[0]).encode(y=alt.Y("low:Q", title="came true"), y2="high"),
            drawn.mark_circle(opacity=1).encode(y=upward, size=size),
        ).properties(width=width, height=220)

    return Picture(title, told, draw, ("Predictions#", "Said#", "Came true#", "95% interval#"), shown)


def lifeforce(tables: Tables) -> Picture:
    """Lifeforce by tick of organisms, patterns' versions and Nyx, what was minted and burnt, each on its own scale.

    From `swarm.metrics`.
    """
    title = "Lifeforce"
    every = _metrics(tables, *(column for _, column in _PANELS))
    if every.is_empty():
        return Picture(title, "No tick yet.")
    first, last = int(every["tick"][0]), int(every["tick"][-1])
    lacking = _gaps(every, first, last)
    now = {what: f"{lf(every[column][-1])} LF" for what, column in _PANELS}
    told = f"At t = {last:,}: {', '.join(f'{what} {amount}' for what, amount in now.items())}."

    def draw(width: int) -> charts.Chart:
        import altair as alt

        panels = []
        for what, column in _PANELS:
            values = every.select("tick", (pl.col(column) / 1000).alias(what))
            axis = None if what != _PANELS[-1][0] else alt.Undefined
            area = alt.Chart(_steps(values, [what], width)).mark_area(
                interpolate="step-after", line=True, fillOpacity=0.35
            )
            upward = alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=2))
            across = _ticks(first, last, width) if axis is alt.Undefined else _ticks(first, last, width, axis=None)
            layers = alt.layer(area.encode(x=across, y=upward, detail="run:N"), charts.missing(lacking, across))
            heading = alt.TitleParams(f"{what}: {now[what]}", fontSize=15, fontWeight="normal", offset=4, frame="group")
            panels.append(layers.properties(title=heading, width=width - 64, height=46))
        return alt.vconcat(*panels, spacing=10)

    return Picture(title, f"{told} Each has its own scale.{_missing(lacking, 'row')}", draw)


def accounts(tables: Tables) -> Picture:
    """Which accounts hold most. From `swarm.metrics` and the newest `swarm.organisms` and `swarm.versions`."""
    title = "Who holds most lifeforce"
    every = holders(tables)
    if every.is_empty():
        return Picture(title, "Nobody holds any.")
    most = every.head(ACCOUNTS)
    rows = [(name, f"{lf(amount)} LF") for name, amount in most.select("name", "amount").iter_rows()]
    hidden = int(every["amount"][ACCOUNTS:].sum())
    more = f" And {every.height - ACCOUNTS:,} more with {lf(hidden)} LF." if every.height > ACCOUNTS else ""
    told = f"Of {every.height:,} accounts.{more}"
    return Picture(title, told, _bars(rows, most["amount"].to_list()), ("Account", "Lifeforce#"), rows)


def teaching(tables: Tables) -> Picture:
    """Who taught whom: cells taken over. Few organisms by name, in pairs; many by community.

    From `swarm.clasps` and the newest `swarm.organisms`. What a teacher took up from its student counts as taught by
    the student.
    """
    title = "Who teaches whom"
    clasps, flows = _taught(tables)
    if clasps.is_empty():
        return Picture(title, "No clasp yet.")
    idle = clasps.filter((pl.col("overwrites") == 0) & (pl.col("upward") == 0)).height
    first, last = (int(each) for each in clasps["tick"].sort()[[0, -1]])
    told = (
        f"{int(flows['cells'].sum()):,} cells in {clasps.height:,} clasps, t = {first:,} to {last:,}; {idle:,} clasps "
        "taught nothing."
    )
    if flows.is_empty():
        return Picture(title, told)
    people = _people(tables)
    taking_part = pl.concat([clasps["teacher_id"], clasps["student_id"]]).unique()
    if len(taking_part) > NAMED:
        return _matrix(f"{title}, by community", told, _grouped(flows, people, "community"))
    labels = dict(people.select("organism_id", "label").iter_rows())
    pairs = flows.group_by("who", "whom").agg(pl.col("cells").sum())
    pairs = pairs.sort("cells", "who", "whom", descending=[True, False, False])
    most = pairs.head(PAIRS)
    rows = [(labels.get(who, who), labels.get(whom, whom), f"{cells:,}") for who, whom, cells in most.iter_rows()]
    left = int(pairs["cells"][PAIRS:].sum())
    more = f" And {pairs.height - PAIRS:,} more pairs with {left:,} cells." if pairs.height > PAIRS else ""
    drawn = _bars(rows, most["cells"].to_list())
    return Picture(title, told + more, drawn, ("Teacher", "Student", "Cells#"), rows)


def tiers(tables: Tables) -> Picture:
    """Who taught whom, by tier; from the same tables as `teaching`."""
    title = "Who teaches whom, by tier"
    _, flows = _taught(tables)
    if flows.is_empty():
        return Picture(title, "Nothing was taught yet.")
    told = "Tiers as they are now, by age: from the young to the oldest."
    return _matrix(title, told, _grouped(flows, _people(tables), "tier"), TIERS)


PICTURES: Mapping[str, Callable[[Tables], Picture]] = {
    "gradient": gradient,
    "markers": markers,
    "calibration": calibration,
    "lifeforce": lifeforce,
    "accounts": accounts,
    "teaching": teaching,
    "tiers": tiers,
}
"""By name, in the order to show them."""


def draw_all(
    tables: Tables, world: str = "", width: int = charts.WIDE, names: Iterable[str] = PICTURES
) -> dict[str, bytes]:
    """Pictures as the bytes of SVG files (UTF-8), by the name of `PICTURES`. The same rows give the same bytes.

    `world`: the lake's; the sample is named as one. Raises ValueError for a table or column that is not there, and for
    two different rows of one tick.
    """
    label = "Simulated, on the sample." if world == "sample" else "Simulated."
    drawn = {}
    for name in names:
        found = PICTURES[name](tables)
        chart = None if found.draw is None else found.draw(width)
        drawn[name] = charts.standalone(chart, found.title, f"{label} {found.told}", width)
    return drawn


def holders(tables: Tables) -> pl.DataFrame:
    """`name`, `id` and `amount` (thousandths of one LF) of all accounts above 0, largest first; `organism` is null for
    a version and for Nyx."""
    organisms = _newest(tables, "swarm.organisms", "organism_id", "label", "lf_milli")
    versions = _newest(tables, "swarm.versions", "pattern", "version_id", "title", "lf_milli")
    nyx = _metrics(tables, "nyx_milli")["nyx_milli"][-1:]
    named = pl.concat(
        [
            organisms.select(
                name=pl.coalesce("label", "organism_id"), id="organism_id", amount="lf_milli", organism="organism_id"
            ),
            versions.select(
                name=pl.concat_str("pattern", pl.coalesce("title", "version_id"), separator=": "),
                id=pl.concat_str("pattern", "version_id", separator=":"),
                amount="lf_milli",
                organism=pl.lit(None, pl.String),
            ),
            pl.DataFrame({"name": "Nyx", "id": "", "amount": nyx, "organism": pl.Series([None], dtype=pl.String)})
            if len(nyx)
            else organisms.clear().select(name="label", id="label", amount="lf_milli", organism="label"),
        ]
    )
    return named.filter(pl.col("amount") > 0).sort("amount", "name", "id", descending=[True, False, False])


def lf(milli: int) -> str:
    """Thousandths of one LF as LF: whole up to 9,999.9, then to a tenth of thousands, millions, …"""
    tenths, unit = (milli + 50) // 100, ""
    for larger in ("k", "M", "G", "T"):
        if tenths < 100_000:
            break
        tenths, unit = (tenths + 500) // 1000, larger
    return f"{tenths // 10:,}{f'.{tenths % 10}' if tenths % 10 else ''}{unit}"


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927, the score interval)."""
    z = 1.959963984540054
    middle, room = hits / of + z * z / (2 * of), z * math.sqrt(hits * (of - hits) / of**3 + (z / (2 * of)) ** 2)
    return max(0.0, (middle - room) / (1 + z * z / of)), min(1.0, (middle + room) / (1 + z * z / of))


def _ticks(first: int, last: int, width: int, **more: Any) -> alt.X:
    """The axis of ticks; tick t is drawn from t to t + 1."""
    import altair as alt

    scale = alt.Scale(domain=[first, max(last + 1, first + LEAST)], nice=False)
    axis = {"axis": alt.Axis(format=",d", tickMinStep=1, tickCount=width // 90)} | more
    return alt.X("tick:Q", title="tick", scale=scale, **axis)


def _steps(frame: pl.DataFrame, series: Any, width: int) -> pl.DataFrame:
    """`tick`, `value`, `run` and `series` of each series to draw, with one column to every four px."""
    parts = []
    for name in series:
        steps, _ = charts.runs(frame.select("tick", value=pl.col(name).cast(pl.Float64)), "tick", width // 4)
        parts.append(steps.with_columns(series=pl.lit(name)))
    return pl.concat(parts)


def _gaps(frame: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    """`tick` and `end` of the ticks from `first` to `last` that have no row."""
    edges = pl.concat([pl.Series("tick", [first - 1]), frame["tick"], pl.Series("tick", [last + 1])])
    found = pl.DataFrame({"tick": edges[:-1] + 1, "end": edges[1:]})
    return found.filter(pl.col("end") > pl.col("tick"))


def _stretches(frame: pl.DataFrame) -> pl.DataFrame:
    """`tick` and `end` of the stretches of ticks that have a row."""
    runs = frame.with_columns(run=(pl.col("tick").diff() != 1).fill_null(value=False).cum_sum())
    grouped = runs.group_by("run", maintain_order=True).agg(pl.col("tick").min(), end=pl.col("tick").max() + 1)
    return grouped.select("tick", "end")


def _bars(rows: Sequence[Sequence[str]], amounts: Sequence[int]) -> Callable[[int], charts.Chart]:
    """A bar a row, its names and its amount (the last of the row) above it: names may need all the room there is."""

    def draw(width: int) -> charts.Chart:
        import altair as alt

        room = (width - 110) // (7 * (len(rows[0]) - 1))
        named = [" → ".join(each if len(each) <= room else f"{each[: room - 1]}…" for each in row[:-1]) for row in rows]
        frame = {"row": range(len(rows)), "name": named, "shown": [row[-1] for row in rows], "amount": amounts}
        base = alt.Chart(pl.DataFrame(frame, schema_overrides={"amount": pl.Float64}))
        upward = alt.Y("row:O", axis=None)
        across = alt.X("amount:Q", axis=None, scale=alt.Scale(domainMin=0))
        return alt.layer(
            base.mark_bar(height=5, yOffset=9).encode(y=upward, x=across),
            base.mark_text(align="left", dy=-4, limit=width - 90).encode(y=upward, x=alt.value(0), text="name:N"),
            base.mark_text(align="right", dy=-4).encode(y=upward, x=alt.value("width"), text="shown:N"),
        ).properties(width=width, height=36 * len(rows))

    return draw


def _taught(tables: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The clasps, and `cells` taken over by `whom` from `who`."""
    clasps = _table(tables, "swarm.clasps", "tick", "teacher_id", "student_id", "overwrites", "upward")
    down = clasps.select(who="teacher_id", whom="student_id", cells="overwrites")
    up = clasps.select(who="student_id", whom="teacher_id", cells="upward")
    return clasps, pl.concat([down, up]).filter(pl.col("cells") > 0)


def _people(tables: Tables) -> pl.DataFrame:
    rows = _newest(tables, "swarm.organisms", "organism_id", "label", "community_id", "community", "tier")
    number = pl.format("community {}", "community_id")
    return rows.select(
        "organism_id",
        "tier",
        label=pl.coalesce("label", "organism_id"),
        community=pl.when(pl.col("community_id") < 0).then(pl.lit(_NONE)).otherwise(pl.coalesce("community", number)),
    )


def _grouped(flows: pl.DataFrame, people: pl.DataFrame, group: str) -> pl.DataFrame:
    """Cells by group of who teaches and who learns."""
    groups = dict(people.select("organism_id", group).iter_rows())
    sides = [pl.col(each).replace_strict(groups, default=_GONE, return_dtype=pl.String) for each in ("who", "whom")]
    return flows.group_by(sides).agg(pl.col("cells").sum()).sort("who", "whom")


def _matrix(title: str, told: str, flows: pl.DataFrame, order: Sequence[str] | None = None) -> Picture:
    """Cells that group `whom` took over from group `who`, as a grid. `order`: of the groups; None: the largest first,
    and only so many."""
    sums: dict[tuple[str, str], int] = {(who, whom): cells for who, whom, cells in flows.iter_rows()}
    sizes: dict[str, int] = {}
    for pair, cells in sums.items():
        for each in pair:
            sizes[each] = sizes.get(each, 0) + cells
    if order is None:
        kept = sorted(sizes, key=lambda each: (-sizes[each], each))
        keys = kept if len(kept) <= GROUPS else [*kept[:GROUPS], _OTHERS]
    else:
        keys = [*order, *((_GONE,) if _GONE in sizes else ())]
    folded: dict[tuple[str, str], int] = {}
    for pair, cells in sums.items():
        who, whom = (keys.index(each if each in keys else _OTHERS) for each in pair)
        folded[keys[who], keys[whom]] = folded.get((keys[who], keys[whom]), 0) + cells
    names = [f"{place} {key.lower().replace('_', ' ') if key in TIERS else key}" for place, key in enumerate(keys, 1)]
    grid = [{"who": name, "whom": str(place), "cells": folded.get((key, other), 0)}
            for name, key in zip(names, keys, strict=True) for place, other in enumerate(keys, 1)]  # fmt: skip
    rows = [(names[keys.index(a)], names[keys.index(b)], f"{cells:,}") for (a, b), cells in
            sorted(folded.items(), key=lambda each: (keys.index(each[0][0]), keys.index(each[0][1])))]  # fmt: skip

    def draw(width: int) -> charts.Chart:
        import altair as alt

        base = alt.Chart(pl.DataFrame(grid)).encode(
            x=alt.X("whom:O", title="learns", axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)),
            y=alt.Y("who:N", title=None, sort=names, axis=alt.Axis(labelLimit=width * 2 // 5, labelOverlap=False)),
        )
        shade = alt.FillOpacity("cells:Q", scale=alt.Scale(range=[0.06, 0.5], type="sqrt"), legend=None)
        return alt.layer(
            base.mark_rect(fill=charts.COLOURS[0]).encode(fillOpacity=shade),
            base.mark_text().encode(text=alt.Text("cells:Q", format=charts.COUNTS)),
        ).properties(width=width, height=32 * len(names))

    more = " Rows teach, columns learn; number of cells."
    return Picture(title, told + more, draw, ("Teaches", "Learns", "Cells#"), rows)


def _table(tables: Tables, name: str, *columns: str) -> pl.DataFrame:
    if name not in tables:
        raise ValueError(f"pictures need {name}, and it was not given; known: {', '.join(tables) or 'nothing'}")
    missing = [each for each in columns if each not in tables[name].columns]
    if missing:
        raise ValueError(f"pictures need {name}.{missing[0]}, and there is no such column: see lake/schemas.py")
    return tables[name].select(columns)


def _metrics(tables: Tables, *columns: str) -> pl.DataFrame:
    rows = _table(tables, "swarm.metrics", "tick", *columns).unique().sort("tick")
    twice = rows.filter(pl.col("tick").is_duplicated())["tick"]
    if len(twice):
        raise ValueError(f"swarm.metrics: two different rows of tick {twice[0]}: give the rows of one simulation")
    return rows


def _newest(tables: Tables, name: str, *columns: str) -> pl.DataFrame:
    frame = tables.get(name)
    if frame is not None and "date" in frame.columns:
        tables = {name: frame.filter(pl.col("date") == pl.col("date").max())}
    return _table(tables, name, *columns)


def _missing(gaps: pl.DataFrame, what: str) -> str:
    number = int((gaps["end"] - gaps["tick"]).sum())
    return f" Marked: {number:,} ticks without a {what}." if number else ""


def _percent(part: int, whole: int) -> str:
    """To one decimal, rounded half up in integers."""
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10}%"
