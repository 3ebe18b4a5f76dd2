"""How the genome grew: its newest numbers, its days, its repositories, and what changed of late, on one page.

What is strangers' text and how it is written: report/html.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.report.html import name, rest, share, table, text, top
from coevo_pipelines.report.page import Page

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

REPOSITORIES, LEFT_OUT, DAYS, RECENT, LARGEST = 500, 200, 60, 7, 20
"""Most rows shown: repositories, those left out, days with a genome, days of change, largest changes."""
DIFFS, DIFF_LINES, LINE = 10, 60, 400
"""Most diffs and lines of each; most characters of a line."""
FORTNIGHT = 14
"""The charts show as many days at least, so that one day is a bar and no wall."""

Row = Mapping[str, Any]

QUERIES = {
    "manifest": "FROM genome.manifest WHERE date <= getvariable('day')",
    "repositories": "FROM genome.repositories WHERE date = "
    "(SELECT max(date) FROM genome.repositories WHERE date <= getvariable('day'))",
    "changes": f"FROM genome.changes WHERE date BETWEEN getvariable('day') - {RECENT - 1} AND getvariable('day')",
}


def body(frames: Frames, about: About) -> str:
    """`genome.manifest` of all days, `genome.repositories` of the last and `genome.changes` of the last `RECENT`.

    Sizes are decimal: 1 kB is 1,000 bytes.
    """
    manifest, repositories, changes = (frames[name] for name in QUERIES)
    days = manifest.sort("date").to_dicts()
    newest = pl.concat([manifest["date"], repositories["date"]]).max()
    if not isinstance(newest, date):
        return "<p>No genome has been made yet.</p>\n"
    parts = [_headline(days, newest), _growth(days, newest) if days else ""]
    parts += [_repositories(repositories.filter(pl.col("date") == newest), newest), _changes(days, changes)]
    return "".join(parts)


def _headline(days: Sequence[Row], newest: date) -> str:
    none = f'<p class="note">{newest} has no genome: nothing could be packed. The reasons are below.</p>\n'
    if not days:
        return none
    last = days[-1]
    counted = "pieces of text" if last["tokenizer"] == "pieces" else f"those of tokenizer {last['tokenizer'][:12]}…"
    numbers = (
        ("Repositories", f"{last['repositories']:,}"),
        ("Left out", f"{last['left_out']:,}"),
        ("Files", f"{last['files']:,}"),
        ("Text", _size(last["text_bytes"])),
        ("Tokens", f"{last['tokens']:,}"),
        ("Pack", _size(last["pack_bytes"])),
    )
    became = sorted(json.loads(last["reasons"]).items(), key=lambda each: (-each[1], each[0]))
    return (
        (none if last["date"] < newest else "")
        + f"<h2>As of {last['date']}</h2>\n<dl>"
        + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers)
        + f'<div class="wide"><dt>Merkle root</dt><dd><code>{text(last["root"])}</code></dd></div></dl>\n'
        + f'<p class="soft">What became of the files: {"; ".join(f"{text(k)} {n:,}" for k, n in became)}. '
        + f"{_size(last['bytes'])} in all, {last['packed']:,} packed as text; tokens are {text(counted)}.</p>\n"
    )


def _growth(days: Sequence[Row], newest: date) -> str:
    rows = [
        [str(day["date"]), *(f"{day[name]:,}" for name in ("repositories", "files")), _size(day["text_bytes"]),
         f"{day['tokens']:,}", f"<code>{text(day['root'][:12])}</code>"]
        for day in reversed(days[-DAYS:])
    ]  # fmt: skip
    heads = ("Day", "Repositories#", "Files#", "Text#", "Tokens#", "Root")
    return (
        '<h2>Growth</h2>\n<div class="charts">'
        + _chart("Text", {day["date"]: day["text_bytes"] for day in days}, newest, _size)
        + _chart("Files", {day["date"]: day["files"] for day in days}, newest, "{:,}".format)
        + "</div>\n<details><summary>The days in numbers</summary>"
        + table("Days with a genome, newest first", heads, rows)
        + rest(len(days) - DAYS, "older days", "genome.manifest")
        + "</details>\n"
    )


def _chart(name: str, values: Mapping[date, int], newest: date, told: Any) -> str:
    """One step a day from the first genome to `newest`; a day without one is marked over the whole height.

    The picture is stretched to the room there is, so all lettering is HTML beside it, at its own size.
    """
    first, last, most = min(values), max(values), max(values.values())
    start = min(first, newest - timedelta(days=FORTNIGHT - 1))
    span, end = (newest - start).days + 1, top(most)
    heights = [(x, values.get(start + timedelta(days=x))) for x in range((first - start).days, span)]
    grown, gaps = [], []
    for height, run in groupby(heights, key=lambda each: each[1]):
        x, *others = (each[0] for each in run)
        wide = len(others) + 1
        if height is None:
            gaps.append(f"M{x} 0h{wide}v1000h-{wide}z")
        else:
            y = height * 1000 // end
            grown.append(f"M{x} 1000v-{y}h{wide}v{y}z")
    missing = sum(height is None for _, height in heights)
    without = f"; {missing:,} of {len(heights):,} days have no genome (marked)" if missing else ""
    line = f"{told(values[first])} on {first}, {told(values[last])} on {last}{without}"
    ticks = "".join(f"<span>{told(each).replace('.0 ', ' ')}</span>" for each in (end, end // 2, 0))
    dates = "".join(f"<span>{start + timedelta(days=x)}</span>" for x in (0, span // 2, span - 1))
    return (
        f'<figure><figcaption><b>{name}</b><span>{line}</span></figcaption><div class="plot">'
        f'<div class="scale" aria-hidden="true">{ticks}</div>'
        f'<svg role="img" viewBox="0 0 {span} 1000" preserveAspectRatio="none" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{name} by day</title><desc id="{name}-d">{line}; at most {told(most)}.</desc>'
        f'<path class="grid" d="M0 0H{span}M0 500H{span}M0 1000H{span}"/><path class="grown" d="{"".join(grown)}"/>'
        f'<path class="none" d="{"".join(gaps)}"/></svg><div class="when" aria-hidden="true">{dates}</div></div>'
        "</figure>"
    )


def _repositories(frame: pl.DataFrame, newest: date) -> str:
    packed = frame.filter(pl.col("status") == "packed").sort("text_bytes", "place", descending=[True, False])
    out = frame.filter(pl.col("status") != "packed").sort("place")
    whole, told = int(packed["text_bytes"].sum()), []
    if packed.height:
        rows = [
            [name(each["repo"]), f"<code>{text((each['commit'] or '–')[:10])}</code>",
             text(each["license"] or "not certain", 60), f"{each['files']:,}", _size(each["text_bytes"]),
             share(each["text_bytes"], whole)]
            for each in packed.head(REPOSITORIES).iter_rows(named=True)
        ]  # fmt: skip
        heads = ("Repository", "Commit", "Licence", "Files#", "Text#", "Share of text#")
        hidden = _size(int(packed["text_bytes"][REPOSITORIES:].sum()))
        told.append(table(f"{packed.height:,} in the genome of {newest}, most text first", heads, rows))
        told.append(rest(packed.height - REPOSITORIES, f"repositories with {hidden} of text", "genome.repositories"))
    if out.height:
        reasons = out.select("repo", pl.col("why").fill_null("no reason given")).head(LEFT_OUT).iter_rows()
        rows = [[name(repo), text(why)] for repo, why in reasons]
        told.append(table(f"{out.height:,} not in it on {newest}, and why", ("Repository", "Why"), rows))
        told.append(rest(out.height - LEFT_OUT, "left out", "genome.repositories"))
    return f"<h2>Repositories</h2>\n{''.join(told) or '<p>None on this day.</p>'}"


def _changes(days: Sequence[Row], changes: pl.DataFrame) -> str:
    made = {day["date"] for day in days}
    shown = sorted(made | set(changes["date"].unique()), reverse=True)[:RECENT]
    if not shown:
        return ""
    size = pl.col("after").fill_null(0) - pl.col("before").fill_null(0)
    lines = pl.col("lines_added").fill_null(0) + pl.col("lines_removed").fill_null(0)
    recent = changes.filter(pl.col("date") >= shown[-1]).with_columns(size=size, lines=lines)
    how = [(pl.col("change") == kind).sum().alias(kind) for kind in ("added", "removed", "changed")]
    sums = {day["date"]: day for day in recent.group_by("date").agg(*how, pl.col("size").sum()).to_dicts()}
    by_day = []
    for day in shown:
        if day in sums:
            kinds = [f"{sums[day][kind]:,}" for kind in ("added", "removed", "changed")]
            by_day.append([str(day), *kinds, _size(sums[day]["size"], "+")])
        else:
            before = "nothing changed" if day - timedelta(days=1) in made else "not compared: no genome the day before"
            by_day.append([f"{day} ({before})", *[""] * 4])
    heads = ("Day", "Files added#", "Files removed#", "Files changed#", "Bytes#")
    told = [table("The last days, newest first", heads, by_day)]
    if recent.height:
        order, down = ("repo", "path", "date"), [True, True, False, False, True]
        largest = (
            recent.sort(pl.col("size").abs(), "lines", *order, descending=down).drop("diff").head(LARGEST).to_dicts()
        )
        rows = [
            [_file(each), str(each["date"]), each["change"], _lines(each), _size(each["size"], "+")] for each in largest
        ]
        heads = ("File", "Day", "Change", "Lines", "Bytes#")
        told.append(table("Largest changes of these days, by bytes", heads, rows))
        told.append(rest(recent.height - LARGEST, "smaller changes", "genome.changes"))
    compared = recent.filter(pl.col("diff") != "")
    if compared.height:
        newest = compared.sort("date", "lines", "repo", "path", descending=[True, True, False, False]).head(DIFFS)
        told += ["<h3>Newest diffs</h3>\n", *map(_diff, newest.to_dicts())]
        told.append(rest(compared.height - DIFFS, "diffs of these days", "genome.changes"))
    return f"<h2>What changed</h2>\n{''.join(told)}"


def _diff(row: Row) -> str:
    lines = row["diff"].removesuffix("\n").split("\n")
    cut = re.fullmatch("… ([0-9,]+) more lines", lines[-1])  # by genome/changes.py
    hidden = len(lines) - DIFF_LINES + (int(cut[1].replace(",", "")) - 1 if cut else 0)
    start = next((place for place, line in enumerate(lines) if line.startswith("@@")), 0)
    shown = []
    for place, line in enumerate(lines[:DIFF_LINES]):
        tag = {"+": "ins", "-": "del"}.get(line[:1]) if place > start else None
        told = text(line, LINE, keep="\t")
        shown.append(f"<{tag}>{told}</{tag}>" if tag else told)
    return (
        f"<details><summary>{_file(row)} <span class=soft>{row['change']} on {row['date']}, {_lines(row)}</span>"
        f'</summary><pre dir="ltr">{chr(10).join(shown)}</pre>'
        + rest(hidden, "lines of this diff", "genome.changes")
        + "</details>\n"
    )


def _file(row: Row) -> str:
    return f"{name(row['repo'])} <code>{name(row['path'])}</code>"


def _lines(row: Row) -> str:
    if row["lines_added"] is None or row["lines_removed"] is None:
        return "not compared"
    return f"+{row['lines_added']:,} −{row['lines_removed']:,}"


def _size(number: int, sign: str = "") -> str:
    """Decimal units; `sign` is + where a growth is meant."""
    before = "−" if number < 0 else sign if number else ""
    value, unit = float(abs(number)), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{before}{value:,.0f} {unit}" if unit == "B" else f"{before}{value:,.1f} {unit}"


PAGE = Page("genome", "Genome", QUERIES, body)
