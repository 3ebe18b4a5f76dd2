"""The swarm on its newest day: its numbers and pictures, what waits for a person, what is undecided, what was decided.

What is strangers' text and how it is written: report/html.py and swarm/pictures.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.report.html import name, rest, table, text
from coevo_pipelines.report.page import Page
from coevo_pipelines.swarm.pictures import draw_all

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

_DAYS = {
    "swarm.metrics": None, "swarm.blend_predictions": None, "swarm.clasps": 30, "swarm.decision_markers": 30,
    "swarm.organisms": 1, "swarm.versions": 1, "swarm.review_queue": 1, "swarm.decisions": 1,
}  # fmt: skip
_LAST = "(SELECT max(date) FROM swarm.metrics WHERE date <= getvariable('day'))"
QUERIES = {
    name: f"FROM {name} WHERE date <= getvariable('day')" + ("" if days is None else f" AND date > {_LAST} - {days}")
    for name, days in _DAYS.items()
}
"""What the page is made of: so many of the last days of each table; None: all days."""
WAITING, OPEN, DECIDED, UNUSED = 10, 50, 50, 50
"""Most rows shown."""

Row = Mapping[str, Any]

_WHO = {4: "4 dafit", 5: "5 council"}
_HOW = {"": "", "human": ", a person", "standin": ", stand-in"}
_ABOUT = (
    '<p class="note">Simulated: nothing here happened. Organisms stand for repositories, models and authors; they '
    "teach one another versions of patterns. Where two versions compete, a decision stays open until outcomes are "
    "in. Outcomes are observed where later works show any, else drawn at random; they say what goes together, not "
    "what causes what. LF is lifeforce, the simulation’s own currency.</p>\n"
)


def body(tables: Frames, about: About) -> str:
    """The tables of `QUERIES`, by their names. Raises ValueError as `draw_all`."""
    pictures = draw_all(tables, about.world)
    parts = [_ABOUT]
    newest = tables["swarm.metrics"]["date"].max()
    if not isinstance(newest, date):
        parts.append("<p>No day has been simulated yet.</p>\n")
    else:
        on = {each: tables[each].filter(pl.col("date") == newest) for each in ("swarm.review_queue", "swarm.decisions")}
        every = tables["swarm.decision_markers"].sort("date").unique("marker_id", keep="last", maintain_order=True)
        parts.append(_headline(tables["swarm.metrics"].sort("tick").to_dicts(), newest))
        parts.append(_waiting(on["swarm.review_queue"]))
        drawn = "".join(f"<figure>{each.decode()}</figure>\n" for each in pictures.values())
        parts.append(f'<h2>Pictures</h2>\n<div class="charts">\n{drawn}</div>\n')
        parts.append(_open(every.filter((pl.col("status") == "pending") & (pl.col("date") == newest))))
        parts.append(_decided(every.filter(pl.col("status") != "pending")))
        parts.append(_unused(on["swarm.decisions"]))
    return "".join(parts)


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
        + "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in numbers)
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
            _WHO[each["level"]],
            _moment(each["opened_tick"], each["opened_at"]),
            each["standin_decision"] or "nothing yet",
            f"<kbd>coevo review show {text(each['review_id'])}</kbd><br>"
            f"<kbd>coevo review decide {text(each['review_id'])} --winner teacher|student|hybrid "
            "--reviewer NAME --note TEXT</kbd>",
        ]
        for each in waiting.head(WAITING).iter_rows(named=True)
    ]
    heads = ("Question", "Level", "Opened", "Holds meanwhile", "To see the evidence and to answer")
    more = rest(waiting.height - WAITING, "open questions", "swarm.review_queue or coevo review list")
    return _listed("Waiting for a person", f"{waiting.height:,} open, highest level first", heads, rows) + more


def _open(markers: pl.DataFrame) -> str:
    if markers.is_empty():
        return "<h2>Open decisions</h2>\n<p>None.</p>\n"
    ordered = markers.sort("marked_tick", "marker_id")
    rows = [
        [f"{name(each['pattern'])} <span class=soft>{each['importance']}, {each['kind']}</span>",
         name(each["teacher_version"]), name(each["student_version"]), _moment(each["marked_tick"], each["marked_at"]),
         f"{len(each['teacher_outcomes']):,} and {len(each['student_outcomes']):,}, "
         f"{_percent(each['fraction_observed'])} observed",
         text(each["why"] or "")]
        for each in ordered.head(OPEN).iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Pattern", "Teacher’s version", "Student’s version", "Since", "Outcomes of both", "Why still open")
    more = rest(ordered.height - OPEN, "open decisions", "swarm.decision_markers")
    return _listed("Open decisions", f"{ordered.height:,} open, oldest first", heads, rows) + more


def _decided(markers: pl.DataFrame) -> str:
    if markers.is_empty():
        return "<h2>Last decisions</h2>\n<p>None.</p>\n"
    ordered = markers.sort("resolved_tick", "marker_id", descending=[True, False], nulls_last=True)
    rows = [
        [name(each["pattern"]), _winner(each), _decider(each),
         _confidence(each),
         _percent(each["fraction_observed"]),
         "" if each["resolved_tick"] is None else _moment(each["resolved_tick"], each["resolved_at"])]
        for each in ordered.head(DECIDED).iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Pattern", "Winner", "Level, decided by", "Confidence", "Observed#", "When")
    caption = f"{ordered.height:,} of the last {_DAYS['swarm.decision_markers']} days, newest first"
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
    return f'<h2>{title}</h2>\n<div class="many">{table(caption, heads, rows)}</div>\n'


def _winner(row: Row) -> str:
    if row["status"] == "void":
        return f"given up: {text(row['why'] or 'no reason given')}"
    version = {"teacher": row["teacher_version"], "student": row["student_version"]}.get(row["winner"])
    return "hybrid: both keep theirs" if version is None else f"{row['winner']}: {name(version)}"


def _decider(row: Row) -> str:
    if row["level"] is None:
        return ""
    who, _, how = (row["decided_by"] or "nobody").partition("_")
    turned = "" if row["corrected_tick"] is None else f"; turned at t = {row['corrected_tick']:,}"
    return f"{row['level']} {who}{_HOW[how]}{turned}"


def _confidence(row: Row) -> str:
    numbers = (("", row["confidence"]), ("q ", row["q"]))
    return ", ".join(f"{what}{number:.3f}" for what, number in numbers if number is not None)


def _moment(tick: int, at: datetime | None) -> str:
    return f"t = {tick:,}" + (f", {at:%Y-%m-%d}" if at else "")


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"


PAGE = Page("swarm", "Swarm", QUERIES, body)
