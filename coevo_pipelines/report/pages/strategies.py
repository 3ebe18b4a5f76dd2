"""What worked: practices that hubs tried, as a forest plot and in words, part of hubs.html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, isfinite
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import charts
from coevo_pipelines.report.html import name, rest, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.words import counted, folded, kind, measured, number, percent, short, shown

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

MOST, DRAWN, OPEN, NAMED = 200, 12, 12, 4
"""Most strategies in the table, in one plot, of the table without a click; hubs named of one."""

QUERIES = {
    "strategies": f"""SELECT * EXCLUDE (evidence), len(evidence) AS sources, count(*) OVER () AS every
        FROM hubs.strategies WHERE date = getvariable('day')
        ORDER BY list_position(['works', 'harms', 'unclear', 'too_few'], verdict), hubs DESC, practice, quantity
        LIMIT {MOST}""",
    "verdicts": """SELECT verdict, count(*) AS practices FROM hubs.strategies WHERE date = getvariable('day')
        GROUP BY verdict ORDER BY list_position(['works', 'harms', 'unclear', 'too_few'], verdict)""",
}
VERDICTS = {
    "works": ("good", "works", "the whole interval is on the better side"),
    "harms": ("bad", "harms", "the whole interval is on the worse side"),
    "unclear": ("warn", "unclear", "the interval holds better and worse"),
    "too_few": ("none", "too few cases", "too few hubs tried it to say anything"),
}
"""Of each verdict: how it looks, its name, why."""


def section(frames: Frames, about: About, titles: Mapping[str, str]) -> str:
    """HTML; `titles`: of hubs, by hub_id."""
    head = '<section><h2 id="worked">What worked</h2>\n'
    rows = frames["strategies"].to_dicts()
    if not rows:
        return (
            f"{head}<p>No hub has published an outcome up to {about.day}: what was measured before and after a "
            "practice, in a table with the role <code>outcomes</code>. Nothing can be said of any "
            "practice.</p></section>\n"
        )
    verdicts = dict(frames["verdicts"].iter_rows())
    chips = "".join(
        f'<li><span class="state {VERDICTS[each][0]}">{VERDICTS[each][1]}</span> {practices:,}: '
        f"{VERDICTS[each][2]}</li>"
        for each, practices in verdicts.items()
    )
    told = (
        '<p class="told">A practice and what it was measured by, before and after, over all hubs that tried it. The '
        "interval says how sure one may be; a hub is one case, however often it measured. What hubs tell of "
        "themselves is no trial: there is nobody to compare with who did nothing.</p>\n"
    )
    return (
        f'{head}{told}<ul class="rows">{chips}</ul>\n{_plots(rows)}{_table(rows, about, titles)}'
        + rest(rows[0]["every"] - len(rows), "practices", "hubs.strategies")
        + "</section>\n"
    )


def change(row: Row, value: float) -> float:
    """Of a logarithm of a ratio the change as a share of what was before; a difference in the unit that people read."""
    if row["measure"] == "log_ratio":
        return exp(min(value, 50)) - 1
    return shown(value, row["unit"], row["quantity"], spread=True)[0]


def said(row: Row, value: float | None) -> str:
    """A change in words: `+12%`, `−3.4 kg/m2`."""
    if value is None or not isfinite(value):
        return "–"
    if row["measure"] == "log_ratio":
        share = 100 * change(row, value)
        return f"{'+' if share > 0 else ''}{number(share)}%"
    of, unit = shown(value, row["unit"], row["quantity"], spread=True)
    return f"{'+' if of > 0 else ''}{number(of)} {unit}".rstrip()


def interval(row: Row) -> str:
    if row["low"] is None or row["high"] is None:
        return "–"
    return f"{said(row, row['low'])} to {said(row, row['high'])}"


def _plots(rows: Sequence[Row]) -> str:
    """One plot of changes in percent, one for each unit of differences."""
    known = [row for row in rows if row["effect"] is not None and row["low"] is not None and row["high"] is not None]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in known:
        ratio = row["measure"] == "log_ratio"
        groups.setdefault(("", "") if ratio else (row["quantity"], row["unit"]), []).append(row)
    if not groups:
        return "<p>No practice was tried by enough hubs to draw an effect of it.</p>\n"
    drawn = "".join(_plot(quantity, unit, own) for (quantity, unit), own in list(groups.items())[:4])
    more = rest(len(groups) - 4, "plots", "the table below")
    return f'<div class="charts">{drawn}</div>\n{more}'


def _plot(quantity: str, unit: str, rows: Sequence[Row]) -> str:
    drawn = rows[:DRAWN]
    level = percent(drawn[0]["level"], 0)
    unit = shown(0, unit, quantity)[1] or "parts of one"
    of = f"{kind(quantity)} in {unit}" if quantity else "percent of what was before"
    left = f" The first {len(drawn)} of {len(rows)}." if len(rows) > len(drawn) else ""
    told = (
        f"Change in {of}: the mark is the effect over all hubs, the thick line its {level} interval, the thin one "
        "where the effect at one more hub may lie. An arrow says which way is better; what goes further than the "
        f"picture is cut there.{left}"
    )
    most, values = _drawn_to(drawn), []
    for place, row in enumerate(drawn):
        arrow = "↑" if row["better"] == "up" else "↓"
        ends = {
            key: None if row[column] is None else round(max(-most, min(most, change(row, row[column]))), 5)
            for key, column in (("effect", "effect"), ("low", "low"), ("high", "high"),
                                ("plow", "prediction_low"), ("phigh", "prediction_high"))
        }  # fmt: skip
        label = f"{short(row['practice'], 30)}: {short(kind(row['quantity']), 26)} {arrow}"
        values.append(
            {"place": place, "label": label, "hubs": row["hubs"], "verdict": VERDICTS[row["verdict"]][1], **ends}
        )

    def draw(width: int) -> charts.Chart:
        return _forest(values, width, is_share=not quantity)

    title = kind(quantity).capitalize() if quantity else "Effects of practices"
    return charts.figure(title, told, draw)


def _drawn_to(rows: Sequence[Row]) -> float:
    """How far from no change a plot reaches: an interval without end must not make the others points."""
    far = 2.5 * max(abs(change(row, row["effect"])) for row in rows)
    ends = [abs(change(row, row[end])) for row in rows for end in ("low", "high") if isfinite(row[end])]
    return min(far, max(ends, default=far)) or 1.0


def _forest(values: Sequence[Row], width: int, is_share: bool) -> charts.Chart:
    import altair as alt

    most = 30 if width <= charts.NARROW else 60
    rows = [{**each, "label": short(each["label"], most)} for each in values]
    data = alt.InlineData(values=rows)
    y = alt.Y("place", type="ordinal", axis=None, scale=alt.Scale(paddingOuter=0.2))
    form = ".0%" if is_share else charts.COUNTS
    axis = alt.Axis(format=form, tickCount=4 if width <= charts.NARROW else 6, grid=True)

    def x(field: str) -> alt.X:
        return alt.X(field, type="quantitative", title=None, axis=axis)

    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=charts.SOFT, strokeDash=[4, 3])
    base = alt.Chart(data)
    names = [words for _, words, _ in VERDICTS.values()]
    looks = [charts.COLOURS[2], charts.COLOURS[1], charts.COLOURS[5], charts.COLOURS[5]]
    shapes = ["circle", "square", "diamond", "diamond"]
    colour = alt.Color("verdict", type="nominal", legend=None, scale=alt.Scale(domain=names, range=looks))
    shape = alt.Shape("verdict", type="nominal", legend=None, scale=alt.Scale(domain=names, range=shapes))
    thin = base.transform_filter("datum.plow != null && datum.phigh != null")
    layers = [
        zero.encode(x=x("zero")),
        thin.mark_rule(strokeWidth=1).encode(x=x("plow"), x2="phigh:Q", y=y, color=colour),
        base.mark_rule(strokeWidth=3.5).encode(x=x("low"), x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=110, opacity=1, stroke=charts.PAPER, strokeWidth=1).encode(
            x=x("effect"), y=y, color=colour, shape=shape
        ),
        base.mark_text(align="left", dy=-17, fontSize=15).encode(
            x=alt.value(0), y=y, text=alt.Text("label", type="nominal")
        ),
    ]
    drawn: charts.Chart = alt.layer(*layers).properties(width=width, height=48 * len(rows) + 10)
    return drawn


def _table(rows: Sequence[Row], about: About, titles: Mapping[str, str]) -> str:
    cells = []
    for row in rows:
        looks, words, _ = VERDICTS[row["verdict"]]
        way = "more is better" if row["better"] == "up" else "less is better"
        key = {"practice": row["practice"], "quantity": row["quantity"]}
        hubs = [
            to("hub", hub, titles[hub]) if hub in titles else f"<code>{text(hub)}</code>"
            for hub in row["hub_ids"][:NAMED]
        ]
        more = f" and {row['hubs'] - NAMED:,} more" if row["hubs"] > NAMED else ""
        cells.append(
            [
                f'{name(short(row["practice"]))}<div class="below">{text(measured(row["quantity"]))}: {way}</div>',
                f'<span class="state {looks}">{words}</span><div class="below">{text(row["why"], 600)}</div>'
                f'<div class="below">Tried by {", ".join(hubs)}{more}</div>',
                proof("hubs.strategies", about.day, said(row, row["effect"]), **key),
                text(interval(row)),
                f"{row['hubs']:,}",
                f"{row['cases']:,}",
                percent(row["comparable"], 0),
            ]
        )
    heads = ("Practice", "What may be said", "Effect#", "Interval#", "Hubs#", "Cases#", "Alike#")
    told = (
        "<details><summary>What the columns mean</summary><dl class=facts>"
        "<div><dt>Effect</dt><dd>After against before, over all hubs: in percent, or in the unit where that says more. "
        "A dash: too few hubs.</dd></div>"
        "<div><dt>Interval</dt><dd>Where the effect lies, as sure as the level of the setting <code>hubs.level</code> "
        f"({percent(rows[0]['level'], 0)}).</dd></div>"
        "<div><dt>Alike</dt><dd>How comparable the hubs are: soil, climate and method, a third each.</dd></div>"
        "</dl></details>\n"
    )
    return told + folded("Practices by what may be said of them", heads, cells, OPEN)


def works(frames: Frames) -> str:
    """In a few words for another page: which practice is known to work, HTML."""
    verdicts = dict(frames["verdicts"].iter_rows())
    if not verdicts:
        return "no outcome was published yet"
    found = verdicts.get("works", 0)
    if not found:
        tried = sum(verdicts.values())
        return f"of {counted(tried, 'practice')} none can be said to work yet"
    first = next(row for row in frames["strategies"].to_dicts() if row["verdict"] == "works")
    best = (
        f"{name(short(first['practice'], 60))} ({text(kind(first['quantity']))} {text(said(first, first['effect']))})"
    )
    return f"{counted(found, 'practice')} {'works' if found == 1 else 'work'}: {best}" + (
        " and others" if found > 1 else ""
    )
