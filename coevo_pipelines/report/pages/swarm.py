"""The swarm on its newest day: its numbers and pictures, what waits for a person, what is undecided, what was decided.

What is strangers' text and how it is written: report/html.py and report/charts.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.report import charts, links
from coevo_pipelines.report.html import name, rest, share, table, text
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import folded
from coevo_pipelines.swarm import pictures

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

DAYS = 30
"""Decisions and clasps of so many of the last days are shown."""
_LAST = "(SELECT max(date) FROM swarm.metrics WHERE date <= getvariable('day'))"
_KEYS = {
    "swarm.metrics": "tick", "swarm.blend_predictions": "prediction_id", "swarm.clasps": "tick, teacher_id, student_id",
    "swarm.decision_markers": "marker_id", "swarm.organisms": "organism_id", "swarm.versions": "pattern, version_id",
    "swarm.review_queue": "review_id", "swarm.decisions": "line",
}  # fmt: skip
_OLDEST = dict.fromkeys(
    ("swarm.organisms", "swarm.versions", "swarm.review_queue", "swarm.decisions"), f"date = {_LAST}"
)
_OLDEST |= dict.fromkeys(("swarm.clasps", "swarm.decision_markers"), f"date > {_LAST} - {DAYS}")
QUERIES = {
    name: f"FROM {name} WHERE date <= getvariable('day') AND {_OLDEST.get(name, 'true')} ORDER BY date, {key}"
    for name, key in _KEYS.items()
}
"""What the page is made of: metrics and predictions of all days, the last `DAYS` of clasps and decisions, and of the
rest what the last day that was simulated holds."""
WAITING, OPEN, DECIDED, UNUSED, ACCOUNTS = 10, 50, 50, 50, 10
"""Most rows of a list, of which the first `AT_ONCE` are seen at once."""
AT_ONCE = 5

Row = Mapping[str, Any]

_WHO = {4: "4 dafit", 5: "5 council"}
_HOW = {"": "", "human": ", a person", "standin": ", stand-in"}
_ABOUT = (
    '<p class="lead">The swarm is a simulation on the day’s works: organisms stand for repositories, models and '
    "authors, and teach one another versions of patterns. Where two versions compete, a decision stays open until "
    "outcomes are in.</p>\n"
    '<p class="note"><b>Simulated: nothing here happened.</b> Outcomes are observed where later works show any, else '
    "drawn at random; they say what goes together, not what causes what. LF is lifeforce, the simulation’s own "
    "currency.</p>\n"
)


def body(tables: Frames, about: About) -> str:
    """The tables of `QUERIES`, by their names. Raises ValueError as `pictures.draw_all`."""
    newest = tables["swarm.metrics"]["date"].max()
    if not isinstance(newest, date):
        return f"{_ABOUT}<p>No day has been simulated yet: the swarm begins on the day after the first snapshot.</p>\n"
    on = {each: tables[each].filter(pl.col("date") == newest) for each in ("swarm.review_queue", "swarm.decisions")}
    every = tables["swarm.decision_markers"].sort("date").unique("marker_id", keep="last", maintain_order=True)
    settled = every.filter(pl.col("status") != "pending")
    works = set(tables["swarm.organisms"].filter(pl.col("date") == newest)["works"].explode())
    return "".join(
        [
            _ABOUT,
            _headline(tables["swarm.metrics"].sort("tick").to_dicts(), newest),
            _waiting(on["swarm.review_queue"]),
            "<h2>How it went</h2>\n" + _pictures(tables),
            _accounts(tables, newest, works),
            _won(settled),
            _open(every.filter((pl.col("status") == "pending") & (pl.col("date") == newest)), works),
            _decided(settled, works),
            _unused(on["swarm.decisions"]),
        ]
    )


def _pictures(tables: Frames) -> str:
    drawn, nothing = [], []
    for key, picture in pictures.PICTURES.items():
        if key == "accounts":  # a table of its own, with links
            continue
        found = picture(tables)
        if found.draw is None:
            nothing.append(f'<p class="told">{text(found.title)}: {text(found.told)}</p>\n')
            continue
        shown = charts.figure(found.title, found.told, found.draw)
        if found.rows:
            rows = [[text(cell) for cell in row] for row in found.rows]
            numbers = f"<details><summary>In numbers</summary>{table(found.title, found.heads, rows)}</details>"
            shown = shown.replace("</figure>", f"{numbers}</figure>")
        drawn.append(shown)
    return f'<div class="charts">\n{"".join(drawn)}</div>\n{"".join(nothing)}'


def _accounts(tables: Frames, newest: date, works: Collection[str]) -> str:
    every = pictures.holders(tables)
    if every.is_empty():
        return "<h2>Who holds most lifeforce</h2>\n<p>Nobody holds any.</p>\n"
    whole = int(every["amount"].sum())
    rows = []
    for each in every.head(ACCOUNTS).iter_rows(named=True):
        own, amount, organism = name(each["name"]), f"{pictures.lf(each['amount'])} LF", each["organism"]
        if organism is not None:
            kind = "work" if organism in works else "person" if organism.startswith("person:") else None
            own = own if kind is None else links.to(kind, organism, each["name"])
            amount = links.proof("swarm.organisms", newest, amount, organism_id=organism)
        rows.append([own, amount, share(each["amount"], whole)])
    caption = f"Of {every.height:,} accounts: organisms, versions of patterns and Nyx, who wakes and sleeps"
    more = rest(every.height - ACCOUNTS, "accounts", "swarm.organisms and swarm.versions")
    return _listed("Who holds most lifeforce", caption, ("Account", "Lifeforce#", "Share#"), rows) + more


def _won(settled: pl.DataFrame) -> str:
    """Who won the decisions of the last days, and who decided them."""
    won = settled.filter(pl.col("status") == "resolved")
    if won.is_empty():
        return ""
    sums = dict(won.group_by("winner").len().iter_rows())
    decided = won.group_by("level", "decided_by").len().sort("level", "decided_by").to_dicts()
    cards = "".join(
        f"<div><dt>{what}</dt><dd>{sums.get(winner, 0):,} <small>of {won.height:,}</small></dd></div>"
        for winner, what in (("teacher", "Teacher won"), ("student", "Student won"), ("hybrid", "Both kept theirs"))
    )
    by = "; ".join(f"level {each['level']} {_who(each['decided_by'])} {each['len']:,}" for each in decided)
    return (
        f"<h2>Who won</h2>\n<dl>{cards}</dl>\n"
        f'<p class="soft">Decisions of the last {DAYS} days, by who decided: {by}.</p>\n'
    )


def _headline(rows: list[dict[str, Any]], newest: date) -> str:
    last = rows[-1]
    uses, observed = (sum(row[each] for row in rows) for each in ("uses", "observed"))
    numbers = (
        ("Organisms", f"{last['organisms']:,}"),
        ("Dormant", f"{last['dormant']:,}"),
        ("Cells at −1 / 0 / +1", f"{last['minus']:,} / {last['zero']:,} / {last['plus']:,}"),
        ("Decisions open", f"{last['pending']:,}"),
        ("Decided", f"{sum(row['resolved'] for row in rows):,}"),
        ("Given up", f"{sum(row['void'] for row in rows):,}"),
        ("Turned by a person", f"{sum(row['corrections'] for row in rows):,}"),
        ("Clasps", f"{sum(row['clasps'] for row in rows):,}"),
        ("Outcomes observed", f"{observed:,} of {uses:,}"),
        ("Nyx", f"{'asleep' if last['mode'] == 'SLUMBER' else 'awake'}, {last['nyx_milli'] / 1000:,.1f} LF"),
    )
    configs = len({row["config_hash"] for row in rows})
    changed = f" The configuration changed on the way: {configs:,} are in these rows." if configs > 1 else ""
    return (
        f"<h2>As of {newest}, tick {last['tick']:,}</h2>\n<dl>"
        + "".join(
            f"<div><dt>{what}</dt><dd>{links.proof('swarm.metrics', newest, value, tick=last['tick'])}</dd></div>"
            for what, value in numbers
        )
        + f'</dl>\n<p class="soft">Sums are from tick {rows[0]["tick"]:,} on. Run <code>{text(last["run_id"])}</code>, '
        f"seed {last['seed']:,}, configuration <code>{text(last['config_hash'][:12])}</code>.{changed}</p>\n"
    )


def _waiting(items: pl.DataFrame) -> str:
    waiting = items.filter(pl.col("status") == "open").sort(
        "level", "opened_tick", "review_id", descending=[True, False, False]
    )
    if waiting.is_empty():
        return "<h2>Waiting for a person</h2>\n<p>Nothing.</p>\n"
    rows = [
        [
            name(each["question"]),
            links.proof("swarm.review_queue", each["date"], _WHO[each["level"]], review_id=each["review_id"]),
            _moment(each["opened_tick"], each["opened_at"]),
            each["standin_decision"] or "nothing yet",
            f'<code class="id">{text(each["review_id"])}</code>',
        ]
        for each in waiting.head(WAITING).iter_rows(named=True)
    ]
    heads = ("Question", "Level", "Opened", "Holds meanwhile", "Id")
    how = (
        "<p>To see the evidence and to answer:</p>\n<pre><code>coevo review show ID\n"
        "coevo review decide ID --winner teacher|student|hybrid --reviewer NAME --note TEXT</code></pre>\n"
    )
    more = rest(waiting.height - WAITING, "open questions", "swarm.review_queue or coevo review list")
    return _listed("Waiting for a person", f"{waiting.height:,} open, highest level first", heads, rows) + more + how


def _open(markers: pl.DataFrame, works: Collection[str]) -> str:
    if markers.is_empty():
        return "<h2>Open decisions</h2>\n<p>None.</p>\n"
    ordered = markers.sort("marked_tick", "marker_id")
    rows = [
        [f"{name(each['pattern'])} <span class=soft>{each['importance']}, {each['kind']}</span>",
         _version(each["teacher_version"], works), _version(each["student_version"], works),
         _proved(each, _moment(each["marked_tick"], each["marked_at"])),
         f"{len(each['teacher_outcomes']):,} and {len(each['student_outcomes']):,}, "
         f"{_percent(each['fraction_observed'])} observed",
         text(each["why"] or "")]
        for each in ordered.head(OPEN).iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Pattern", "Teacher’s version", "Student’s version", "Since", "Outcomes of both", "Why still open")
    more = rest(ordered.height - OPEN, "open decisions", "swarm.decision_markers")
    return _listed("Open decisions", f"{ordered.height:,} open, oldest first", heads, rows) + more


def _decided(markers: pl.DataFrame, works: Collection[str]) -> str:
    if markers.is_empty():
        return "<h2>Last decisions</h2>\n<p>None.</p>\n"
    ordered = markers.sort("resolved_tick", "marker_id", descending=[True, False], nulls_last=True)
    rows = [
        [name(each["pattern"]), _winner(each, works), _decider(each),
         _proved(each, _confidence(each)),
         _percent(each["fraction_observed"]),
         "" if each["resolved_tick"] is None else _moment(each["resolved_tick"], each["resolved_at"])]
        for each in ordered.head(DECIDED).iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Pattern", "Winner", "Level, decided by", "Confidence", "Observed#", "When")
    caption = f"{ordered.height:,} of the last {DAYS} days, newest first"
    note = (
        '<p class="soft">q: chance that the teacher’s version is better. Observed: share of the outcomes that '
        "happened; the others were drawn.</p>\n"
    )
    more = rest(ordered.height - DECIDED, "decisions", "swarm.decision_markers")
    return _listed("Last decisions", caption, heads, rows) + note + more


def _unused(decisions: pl.DataFrame) -> str:
    """Records that a person wrote and that did not count: never silently."""
    unused = decisions.filter(pl.col("status").is_in(["waiting", "unknown", "invalid"])).sort("line", descending=True)
    if unused.is_empty():
        return ""
    rows = [
        [f"{each['line']:,}", each["status"], name(each["review_id"] or ""), name(each["reviewer"] or ""),
         text(each["why"] or "")]
        for each in unused.head(UNUSED).iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Line", "Status", "Review", "Reviewer", "Why")
    more = rest(unused.height - UNUSED, "lines", "swarm.decisions")
    return _listed("Answers that did not count", "Lines of the file of decisions, newest first", heads, rows) + more


def _listed(title: str, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<h2>{title}</h2>\n{folded(caption, heads, rows, AT_ONCE)}"


def _winner(row: Row, works: Collection[str]) -> str:
    if row["status"] == "void":
        return f"given up: {text(row['why'] or 'no reason given')}"
    version = {"teacher": row["teacher_version"], "student": row["student_version"]}.get(row["winner"])
    return "hybrid: both keep theirs" if version is None else f"{row['winner']}: {_version(version, works)}"


def _version(version: str, works: Collection[str]) -> str:
    """Named by the work that it comes from, if it comes from one."""
    return links.to("work", version, version) if version in works else name(version)


def _proved(row: Row, label: str) -> str:
    """A number of a decision, leading to its row."""
    return links.proof("swarm.decision_markers", row["date"], label, marker_id=row["marker_id"]) if label else ""


def _decider(row: Row) -> str:
    if row["level"] is None:
        return ""
    turned = "" if row["corrected_tick"] is None else f"; turned at t = {row['corrected_tick']:,}"
    return f"{row['level']} {_who(row['decided_by'])}{turned}"


def _who(decided_by: str | None) -> str:
    who, _, how = (decided_by or "nobody").partition("_")
    return f"{who}{_HOW[how]}"


def _confidence(row: Row) -> str:
    numbers = (("", row["confidence"]), ("q ", row["q"]))
    return ", ".join(f"{what}{number:.3f}" for what, number in numbers if number is not None)


def _moment(tick: int, at: datetime | None) -> str:
    return f"t = {tick:,}" + (f", {at:%Y-%m-%d}" if at else "")


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"


PAGE = Page("swarm", "Swarm", QUERIES, body)
