"""Resonance chambers of the day: what they are about, what leads them, how they moved, what joins them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.influence.changes import Stirred, stir
from coevo_pipelines.report import charts
from coevo_pipelines.report.html import rest, share, table, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import counted, folded, percent, short

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

MOST, OPEN, MOVES, JOINING, DAYS = 100, 10, 30, 15, 30
"""Most rows shown: chambers, of them without a click, moves, joining works; days looked back on."""
LINES, MAPPED, LEADING, EXAMPLES = 5, 10, 3, 3
"""Chambers drawn as lines, in the map of links; works named of a chamber, of a move."""

_LARGEST = f"""(SELECT chamber_id FROM influence.chambers WHERE date = getvariable('day')
    ORDER BY size DESC, chamber_id LIMIT {MAPPED})"""

QUERIES = {
    "chambers": "FROM influence.chambers WHERE date = getvariable('day') ORDER BY size DESC, chamber_id",
    "works": """SELECT l.node_id, l.chamber_id, l.is_crystalline, n.kind, n.title, s.influence,
            s.integrative_potential, s.fields_in, s.fields_out
        FROM influence.lattice l
        LEFT JOIN citations.nodes_as_of(getvariable('day')) n ON n.node_id = l.node_id
        LEFT JOIN influence.scores s ON s.date = l.date AND s.node_id = l.node_id
        WHERE l.date = getvariable('day') ORDER BY l.node_id""",
    "before": """SELECT date, node_id, chamber_id FROM influence.lattice
        WHERE date = (SELECT max(date) FROM influence.lattice WHERE date < getvariable('day')) ORDER BY node_id""",
    "aliases": """SELECT id, arg_max(node_id, date) AS canonical FROM citations.aliases
        WHERE date <= getvariable('day') GROUP BY id ORDER BY id""",
    "history": f"""SELECT date, chamber_id, size, event FROM influence.chambers
        WHERE date BETWEEN getvariable('day') - {DAYS} AND getvariable('day') ORDER BY date, chamber_id""",
    "between": f"""SELECT least(a.chamber_id, b.chamber_id) AS one, greatest(a.chamber_id, b.chamber_id) AS other,
            count(*) AS pairs
        FROM influence.bonds p
        JOIN influence.lattice a ON a.date = p.date AND a.node_id = p.work_id
        JOIN influence.lattice b ON b.date = p.date AND b.node_id = p.other_id
        WHERE p.date = getvariable('day') AND a.chamber_id IN {_LARGEST} AND b.chamber_id IN {_LARGEST}
        GROUP BY ALL ORDER BY ALL""",
    "bonds": """SELECT together, days, count(*) AS pairs FROM influence.bonds
        WHERE date = getvariable('day') GROUP BY ALL ORDER BY ALL""",
    "joining": f"""WITH best AS (
            SELECT node_id FROM influence.scores
            WHERE date = getvariable('day') AND integrative_potential > 0
            ORDER BY integrative_potential DESC, node_id LIMIT {JOINING}),
        pairs AS (
            SELECT work_id AS work, other_id AS other FROM influence.bonds WHERE date = getvariable('day')
            UNION ALL SELECT other_id, work_id FROM influence.bonds WHERE date = getvariable('day'))
        SELECT p.work AS node_id, l.chamber_id, count(*) AS neighbours
        FROM pairs p JOIN best b ON b.node_id = p.work
        JOIN influence.lattice l ON l.date = getvariable('day') AND l.node_id = p.other
        WHERE l.chamber_id IS NOT NULL GROUP BY ALL ORDER BY 1, 3 DESC, 2""",
}
_WHAT = (
    '<p class="lead">A resonance chamber is a group of works that are linked with each other more than with the rest: '
    "a community of the citation and lineage graph. Chambers are found again each day and keep their name as long as "
    "enough of their works stay together.</p>\n"
)


def body(frames: Frames, about: About) -> str:
    """HTML of the page; `frames` as `QUERIES` ask for them."""
    chambers = frames["chambers"]
    if chambers.is_empty():
        why = (
            "the graph has no links between works yet" if frames["works"].height else "no influence was computed for it"
        )
        return f"{_WHAT}<p>There is no chamber on {about.day}: {why}.</p>\n"
    works = frames["works"].with_columns(grains=(pl.col("influence").fill_null(0) * 10**12).round().cast(pl.Int64))
    rows = _with_works(chambers, works)
    named = {row["chamber_id"]: _label(row) for row in rows}
    stirred = stir(frames["before"], works, frames["aliases"]) if frames["before"].height else None
    return "".join(
        (
            _WHAT,
            _headline(rows, works, about),
            _all(rows, about),
            _moved(frames, rows, named, works, stirred, about),
            _between(frames["between"], rows, about),
            _joining(frames["joining"], works, named, about),
            _bonds(frames["bonds"], about),
        )
    )


def _with_works(chambers: pl.DataFrame, works: pl.DataFrame) -> list[Row]:
    """Each chamber with its number on the page, its part of the influence (grains of 10^-12) and its works' kinds."""
    seated = works.filter(pl.col("chamber_id").is_not_null())
    grains = dict(seated.group_by("chamber_id").agg(pl.col("grains").sum()).iter_rows())
    kinds: dict[str, Counter[str]] = {}
    for chamber, kind, number in seated.group_by("chamber_id", "kind").len().iter_rows():
        kinds.setdefault(chamber, Counter())[kind or "work only named"] += number
    named = dict(works.select("node_id", "title").iter_rows())
    ordered = chambers.with_columns(grains=pl.col("chamber_id").replace_strict(grains, default=0)).sort(
        "size", "grains", "chamber_id", descending=[True, True, False]
    )
    return [
        {
            **row,
            "place": place,
            "kinds": sorted(kinds.get(row["chamber_id"], Counter()).items(), key=lambda each: (-each[1], each[0])),
            "leading": [(work, named.get(work) or work) for work in row["leading_works"][:LEADING]],
        }
        for place, row in enumerate(ordered.iter_rows(named=True), 1)
    ]


def _label(row: Row) -> str:
    """What people call a chamber: its leading terms, else its id."""
    return ", ".join(row["leading_terms"][:3]) or str(row["chamber_id"])


def _headline(rows: Sequence[Row], works: pl.DataFrame, about: About) -> str:
    seated = works["chamber_id"].count()
    crystalline = int(works["is_crystalline"].sum())
    numbers = (
        ("Chambers", proof("influence.chambers", about.day, f"{len(rows):,}")),
        ("Works in a chamber", proof("influence.lattice", about.day, f"{seated:,}")),
        ("Works in none", f"{works.height - seated:,}"),
        ("The largest holds", counted(rows[0]["size"], "work")),
        ("Crystalline works", f"{crystalline:,}"),
    )
    return (
        "<dl>"
        + "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in numbers)
        + '</dl>\n<p class="soft">A work is crystalline when it has sat deep in the graph, among the same works, for '
        "the whole window of at least seven days.</p>\n"
    )


def _all(rows: Sequence[Row], about: About) -> str:
    whole = sum(row["grains"] for row in rows)
    heads = ("Chamber", "Works#", "Influence", "Density#", "Leads out#", "Modularity#", "Leading works")
    cells = [
        [
            to("chamber", row["chamber_id"], f"{row['place']}. {_label(row)}")
            + f'<br><span class="soft">{text(_kinds(row))}{_fresh(row, about)}</span>',
            proof("influence.chambers", about.day, f"{row['size']:,}", chamber_id=row["chamber_id"]),
            share(row["grains"], whole),
            percent(row["density"]),
            percent(row["conductance"]),
            f"{row['modularity']:.3f}",
            "<br>".join(to("work", work, short(title, 70)) for work, title in row["leading"]),
        ]
        for row in rows[:MOST]
    ]
    told = (
        '<p class="told">Density: how many of all possible pairs are linked. Leads out: how many of its links go to '
        "other chambers. Modularity: how much more linked it is than chance would have it. Influence: its part of the "
        "influence of all chambers.</p>\n"
    )
    caption = f"Chambers of {about.day}, the largest first"
    return f'<h2 id="all">Chambers by size</h2>\n{told}{folded(caption, heads, cells, OPEN)}' + rest(
        len(rows) - MOST, "chambers", "influence.chambers"
    )


def _kinds(row: Row) -> str:
    if not row["kinds"]:
        return ""
    return ", ".join(
        counted(number, kind) if kind != "work only named" else f"{number:,} only named"
        for kind, number in row["kinds"]
    )


def _fresh(row: Row, about: About) -> str:
    return "" if row["event"] == "continued" or len(about.days) < 2 else f" · {row['event']}"


def _moved(
    frames: Frames, rows: Sequence[Row], named: Mapping[str, str], works: pl.DataFrame, stirred: Stirred | None,
    about: About,
) -> str:  # fmt: skip
    title = '<h2 id="moved">How they moved</h2>\n'
    if stirred is None:
        return f"{title}<p>{about.day} is the first day with chambers: there is nothing to compare it with yet.</p>\n"
    before = frames["before"]["date"][0]
    events = Counter(stirred.chambers["event"])
    arrived = stirred.works.filter("is_new")
    went = stirred.works.filter(~pl.col("is_new"))
    told = (
        f"<p>Since {before}: {counted(events['continued'], 'chamber')} went on, {events['appeared']:,} appeared, "
        f"{events['split']:,} split off, {events['merged']:,} merged, {len(stirred.ended):,} ended. "
        f"{counted(arrived.height, 'work')} {'is' if arrived.height == 1 else 'are'} new in the graph, "
        f"{arrived['after'].count():,} of them in a chamber; {counted(went.height, 'work')} changed places. "
        f"<kbd>coevo influence compare {before} {about.day}</kbd> tells the same.</p>\n"
    )
    return (
        title
        + told
        + _sizes(frames["history"], rows)
        + _events(stirred, named, before)
        + _moves(stirred.works, works, named, before)
        + _days(frames["history"], about)
    )


def _sizes(history: pl.DataFrame, rows: Sequence[Row]) -> str:
    held = history["date"].to_list()
    first, last = held[0], held[-1]
    names = {row["chamber_id"]: f"{row['place']} {short((*row['leading_terms'], '')[0], 16)}" for row in rows[:LINES]}
    points = [
        {"day": f"{row['date']}T12:00:00", "chamber": names[row["chamber_id"]], "size": row["size"]}
        for row in history.filter(pl.col("chamber_id").is_in(list(names))).iter_rows(named=True)
    ]
    grown = [(row, _size_on(history, row["chamber_id"], first)) for row in rows[:LINES]]
    told = "; ".join(
        f"{row['place']} from {was:,} to {row['size']:,}"
        if was
        else f"{row['place']} came later and has {row['size']:,}"
        for row, was in grown
    )

    def draw(width: int) -> charts.Chart:
        import altair as alt

        y = alt.Y("size:Q", title="works", axis=alt.Axis(tickMinStep=1))
        colour = alt.Color("chamber:N", scale=alt.Scale(domain=list(names.values())),
                           legend=alt.Legend(columns=3 if width == charts.WIDE else 2))  # fmt: skip
        drawing = alt.Chart(pl.DataFrame(points)).mark_line(point=True)
        x = charts.days(first, last, width, least=2)
        done: charts.Chart = drawing.encode(x=x, y=y, color=colour).properties(width=width, height=220)
        return done

    words = f"In works, {first} to {last}. Chamber {told}. The numbers are those of the table above."
    return charts.figure("Sizes of the largest chambers", words, draw)


def _size_on(history: pl.DataFrame, chamber: str, day: Any) -> int:
    found = history.filter((pl.col("chamber_id") == chamber) & (pl.col("date") == day))["size"]
    return int(found[0]) if len(found) else 0


def _events(stirred: Stirred, named: Mapping[str, str], before: Any) -> str:
    """What appeared, split, merged or ended, one line each."""
    lines = []
    for row in stirred.chambers.filter(pl.col("event") != "continued").sort("size", "chamber_id", descending=[True, False]).iter_rows(named=True):  # fmt: skip  # noqa: E501
        origins = [_chamber(each, named) for each in row["origins"] if each != row["chamber_id"]]
        whence = f" from {', '.join(origins)}" if origins else ""
        word = {"split": "split off", "merged": "took in others"}.get(row["event"], row["event"])
        lines.append(f"{_chamber(row['chamber_id'], named)} {word}{whence} ({counted(row['size'], 'work')})")
    for gone, into in stirred.ended.items():
        where = f"; most of it is in {_chamber(into, named)}" if into else "; its works went apart"
        lines.append(f"{_chamber(gone, named)} ended{where}")
    if not lines:
        return f"<p>No chamber appeared, split, merged or ended since {before}.</p>\n"
    items = "".join(f"<li>{line}</li>\n" for line in lines[:MOVES])
    return f'<ul class="rows">\n{items}</ul>\n{rest(len(lines) - MOVES, "of these", "influence.chambers")}'


def _chamber(identifier: str, named: Mapping[str, str]) -> str:
    """A link where the day has a page of it: one that ended has none."""
    if identifier in named:
        return to("chamber", identifier, named[identifier])
    return f"<code>{text(identifier)}</code>"


def _moves(moved: pl.DataFrame, works: pl.DataFrame, named: Mapping[str, str], before: Any) -> str:
    known = moved.join(works.select("node_id", "title", "grains"), on="node_id", how="left")
    ordered = known.sort("grains", "node_id", descending=[True, False], nulls_last=True)
    kinds = ordered.group_by("is_new", "before", "after", maintain_order=True).agg(
        pl.len(), pl.col("node_id").head(EXAMPLES), pl.col("title").head(EXAMPLES)
    )
    flows = kinds.sort("is_new", "len", "before", "after", descending=[False, True, False, False]).to_dicts()
    if not flows:
        return f"<p>No work came or changed its chamber since {before}.</p>\n"
    rows = [
        [
            '<span class="soft">new in the graph</span>' if flow["is_new"] else _seat(flow["before"], named),
            _seat(flow["after"], named),
            f"{flow['len']:,}",
            "<br>".join(
                to("work", work, short(title or work, 80))
                for work, title in zip(flow["node_id"], flow["title"], strict=True)
            )
            + (f'<br><span class="soft">and {flow["len"] - EXAMPLES:,} more</span>' if flow["len"] > EXAMPLES else ""),
        ]
        for flow in flows[:MOVES]
    ]
    heads = ("From", "To", "Works#", "Which, the most influential first")
    caption = f"Works that came or went from one chamber to another since {before}"
    return folded(caption, heads, rows, OPEN) + rest(len(flows) - MOVES, "moves", "influence.lattice")


def _seat(chamber: str | None, named: Mapping[str, str]) -> str:
    return '<span class="soft">no chamber</span>' if chamber is None else _chamber(chamber, named)


def _days(history: pl.DataFrame, about: About) -> str:
    days = history["date"].unique().sort().to_list()
    rows = []
    ids: set[str] = set()
    for place, day in enumerate(days):
        own = history.filter(pl.col("date") == day)
        events, now = Counter(own["event"]), set(own["chamber_id"])
        ended = f"{len(ids - now):,}" if place else "–"
        rows.append(
            [proof("influence.chambers", day, str(day)), f"{own.height:,}", f"{own['size'].sum():,}",
             *(f"{events[each]:,}" for each in ("appeared", "split", "merged")), ended]
        )  # fmt: skip
        ids = now
    heads = ("Day", "Chambers#", "Works in them#", "Appeared#", "Split off#", "Merged#", "Ended#")
    caption = f"From each day to the next, the last {DAYS} days, newest first"
    return f"<details><summary>The days in numbers</summary>{table(caption, heads, rows[::-1])}</details>\n"


def _between(pairs: pl.DataFrame, rows: Sequence[Row], about: About) -> str:
    title = '<h2 id="between">Links between chambers</h2>\n'
    if len(rows) < 2:
        return f"{title}<p>There is one chamber only, so nothing to be linked with.</p>\n"
    numbers = {row["chamber_id"]: row["place"] for row in rows[:MAPPED]}
    held = {(one, other): number for one, other, number in pairs.iter_rows() if {one, other} <= numbers.keys()}
    cells = []
    for one, x in numbers.items():
        for other, y in numbers.items():
            number = held.get((min(one, other), max(one, other)), 0)
            cells.append({"x": x, "y": y, "pairs": number, "inside": x == y})
    outside = sorted(((n, *ids) for ids, n in held.items() if ids[0] != ids[1]), key=lambda each: (-each[0], each[1:]))
    named = {row["chamber_id"]: row for row in rows}
    told = (
        f"Linked pairs of works between the {len(numbers)} largest chambers, by the numbers of the table above; on the "
        "diagonal, those inside. "
    )
    if outside:
        number, one, other = outside[0]
        told += f"Most go between {numbers[one]} and {numbers[other]}: {counted(number, 'pair')}."
    else:
        told += "No pair goes from one of them to another."
    most = max((cell["pairs"] for cell in cells if not cell["inside"]), default=0)

    def draw(width: int) -> charts.Chart:
        import altair as alt

        wide = width == charts.WIDE
        x = alt.X("x:O", title=None, axis=alt.Axis(labelAngle=0, ticks=False, domain=False, orient="top"))
        y = alt.Y("y:O", title=None, axis=alt.Axis(ticks=False, domain=False))
        base = alt.Chart(pl.DataFrame([cell | {"depth": _depth(cell, most)} for cell in cells])).encode(x=x, y=y)
        boxes = base.mark_rect(stroke=charts.PAPER).encode(
            color=alt.condition("datum.inside", alt.value(charts.COLOURS[5]), alt.value(charts.COLOURS[0])),
            opacity=alt.Opacity("depth:Q", scale=None, legend=None),
        )
        shown = base.transform_filter("datum.pairs > 0").mark_text(fontSize=15 if wide else 12)
        words = shown.encode(text=alt.Text("pairs:Q", format=",d" if most < 1000 else "~s"))
        return alt.layer(boxes, words).properties(width=width, height=(34 if wide else 25) * len(numbers))

    listed = "".join(
        f"<li>{to('chamber', one, _label(named[one]))} and {to('chamber', other, _label(named[other]))}: "
        f"{proof('influence.bonds', about.day, counted(number, 'pair'))}</li>\n"
        for number, one, other in outside[:5]
    )
    return (
        title
        + charts.figure("Who is linked with whom", told, draw)
        + (f'<ul class="rows">\n{listed}</ul>\n' if listed else "")
    )


def _depth(cell: Row, most: int) -> float:
    """How strongly a cell is painted: never so strongly that the number on it cannot be read."""
    if cell["inside"]:
        return 0.25
    return round(0.06 + 0.44 * (cell["pairs"] / most) ** 0.5, 3) if cell["pairs"] else 0.04


def _joining(neighbours: pl.DataFrame, works: pl.DataFrame, named: Mapping[str, str], about: About) -> str:
    title = '<h2 id="joining">Works that join chambers</h2>\n'
    told = (
        '<p class="told">Integrative potential is high where a work builds on several fields and several fields build '
        "on it: 0 for one field on both sides, towards 1 for many distant ones. It is known from three neighbours "
        "with a field on.</p>\n"
    )
    best = works.filter(pl.col("integrative_potential") > 0).sort(
        "integrative_potential", "node_id", descending=[True, False]
    )
    if best.is_empty():
        return f"{title}{told}<p>No work joins several fields on {about.day}.</p>\n"
    touched: dict[str, list[tuple[str, int]]] = {}
    for work, chamber, number in neighbours.iter_rows():
        touched.setdefault(work, []).append((chamber, number))
    rows = [
        [
            to("work", row["node_id"], short(row["title"] or row["node_id"])),
            proof("influence.scores", about.day, f"{row['integrative_potential']:.2f}", node_id=row["node_id"]),
            f"{_fields(row['fields_out'])} → {_fields(row['fields_in'])}",
            f"{len(touched.get(row['node_id'], [])):,}",
            ", ".join(
                f"{_chamber(chamber, named)} ({number:,})" for chamber, number in touched.get(row["node_id"], [])[:3]
            ),
        ]
        for row in best.head(JOINING).iter_rows(named=True)
    ]
    heads = ("Work", "Potential#", "Fields, from → to#", "Chambers#", "Its neighbours sit in")
    caption = "Largest integrative potential; fields are effective numbers: built on → building on it"
    return f"{title}{told}{folded(caption, heads, rows, OPEN)}" + rest(
        best.height - JOINING, "works with a potential above 0", "influence.scores"
    )


def _fields(number: float | None) -> str:
    return "–" if number is None else f"{number:.1f}"


def _bonds(bonds: pl.DataFrame, about: About) -> str:
    title = '<h2 id="bonds">Bonds</h2>\n'
    if bonds.is_empty():
        return f"{title}<p>No two works are linked on {about.day}, so there is no bond.</p>\n"
    days = max(bonds["days"].to_list())
    counts = dict(bonds.group_by("together").agg(pl.col("pairs").sum()).iter_rows())
    whole = sum(counts.values())
    always, never = counts.get(days, 0), counts.get(0, 0)
    told = (
        f"<p>A bond is a linked pair of works. Of {proof('influence.bonds', about.day, counted(whole, 'bond'))}, "
        f"{always:,} ({percent(always / whole)}) had both ends in one chamber on all of the last "
        f"{counted(days, 'day')}, {never:,} ({percent(never / whole)}) on none.</p>\n"
    )
    if days < 2:
        return title + told
    values = [{"together": number, "pairs": counts.get(number, 0)} for number in range(days + 1)]

    def draw(width: int) -> charts.Chart:
        import altair as alt

        x = alt.X("together:O", title="days together", axis=alt.Axis(labelAngle=0))
        y = alt.Y("pairs:Q", title="bonds", axis=alt.Axis(tickMinStep=1))
        bars = alt.Chart(pl.DataFrame(values)).mark_bar().encode(x=x, y=y)
        done: charts.Chart = bars.properties(width=width, height=180)
        return done

    words = f"Bonds by how many of the last {counted(days, 'day')} both ends shared a chamber."
    return title + told + charts.figure("How long bonds last", words, draw)


PAGE = Page("chambers", "Chambers", QUERIES, body)
