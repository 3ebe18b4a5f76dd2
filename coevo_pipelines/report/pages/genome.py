"""How the genome grew: its newest numbers, days, audit and repositories, and what changed of late, on one page.

What is strangers' text and how it is written: report/html.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.report import charts, links
from coevo_pipelines.report.html import name, rest, share, table, text
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import size

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

REPOSITORIES, LEFT_OUT, DAYS, RECENT, LARGEST, DIFFERING, LICENCES = 500, 200, 60, 7, 20, 50, 12
"""Most rows shown: repositories, those left out, days with a genome, days of change, largest changes, failed audits,
licences."""
DIFFS, DIFF_LINES, LINE = 10, 60, 400
"""Most diffs and lines of each; most characters of a line."""

Row = Mapping[str, Any]

_NEWEST = "date = (SELECT max(date) FROM genome.repositories WHERE date <= getvariable('day'))"
_RECENT = (
    "SELECT min(date) FROM (SELECT date FROM genome.manifest WHERE date <= getvariable('day') "
    f"ORDER BY date DESC LIMIT {RECENT})"
)
QUERIES = {
    "manifest": "FROM genome.manifest WHERE date <= getvariable('day') ORDER BY date",
    "repositories": f"FROM genome.repositories WHERE {_NEWEST} ORDER BY place",
    "audits": f"FROM genome.audits WHERE {_NEWEST} ORDER BY repo, level",
    "changes": f"FROM genome.changes WHERE date <= getvariable('day') AND date >= ({_RECENT}) "
    "ORDER BY date, repo, path",
    "works": "SELECT DISTINCT work_id FROM traces.works WHERE date <= getvariable('day') AND work_id IN "
    f"(SELECT 'github:' || lower(repo) FROM genome.repositories WHERE {_NEWEST}) ORDER BY work_id",
}
"""The manifests of all days; repositories and audits of the last day that has any; changes since the `RECENT`-th last
day that has a genome, however long ago; which of the repositories are works."""

_LEVELS = (
    ("Commit and tree", "the commit is the one that the remote’s branch has, and its ids are right"),
    ("Object store", "every object in the mirror’s store is what its id says"),
    ("Files", "every file of the commit, read back, gives its id"),
    ("Tree", "every folder, made again from its files, gives its id"),
)
_ABOUT = (
    '<p class="lead">The genome is the ecosystem’s repositories as one text. Every object of a repository is audited '
    "before it goes in, and one Merkle root stands for every file, byte for byte.</p>\n"
)


def body(frames: Frames, about: About) -> str:
    """The answers to `QUERIES`. Sizes are decimal: 1 kB is 1,000 bytes."""
    manifest, repositories, audits, changes, works = (frames[name] for name in QUERIES)
    days = manifest.sort("date").to_dicts()
    newest = pl.concat([manifest["date"], repositories["date"]]).max()
    if not isinstance(newest, date):
        return f"{_ABOUT}<p>No genome has been made yet: no repository was named, or no day has come so far.</p>\n"
    own = repositories.filter(pl.col("date") == newest)
    parts = [_ABOUT, _headline(days, newest), _growth(days, newest) if days else ""]
    parts += [_audit(audits.filter(pl.col("date") == newest), newest)]
    parts += [_repositories(own, newest, set(works["work_id"])), _changes(days, changes)]
    return "".join(parts)


def _headline(days: Sequence[Row], newest: date) -> str:
    none = f'<p class="note warn">{newest} has no genome: nothing could be packed. The reasons are below.</p>\n'
    if not days:
        return none
    last = days[-1]
    counted = "pieces of text" if last["tokenizer"] == "pieces" else f"those of tokenizer {last['tokenizer'][:12]}…"
    numbers = (
        ("Repositories", f"{last['repositories']:,}"),
        ("Left out", f"{last['left_out']:,}"),
        ("Files", f"{last['files']:,}"),
        ("Text", size(last["text_bytes"])),
        ("Tokens", f"{last['tokens']:,}"),
        ("Pack", size(last["pack_bytes"])),
    )
    became = sorted(json.loads(last["reasons"]).items(), key=lambda each: (-each[1], each[0]))
    return (
        (none if last["date"] < newest else "")
        + f"<h2>As of {last['date']}</h2>\n<dl>"
        + "".join(f"<div><dt>{name}</dt><dd>{_proved(last, value)}</dd></div>" for name, value in numbers)
        + f'<div class="wide"><dt>Merkle root</dt><dd><code>{_proved(last, last["root"])}</code></dd></div></dl>\n'
        + f'<p class="soft">What became of the files: {"; ".join(f"{text(k)} {n:,}" for k, n in became)}. '
        + f"{size(last['bytes'])} in all, {last['packed']:,} packed as text; tokens are {text(counted)}.</p>\n"
        + "<p>To check it yourself, recompute every hash of the pack and compare the root with the one above:</p>\n"
        + f"<pre><code>coevo genome verify data_lake/{text(last['pack'])}</code></pre>\n"
    )


def _proved(day: Row, label: str) -> str:
    """A number of a day's genome, leading to its row."""
    return links.proof("genome.manifest", day["date"], label, root=day["root"])


def _growth(days: Sequence[Row], newest: date) -> str:
    rows = [
        [str(day["date"]), *(f"{day[name]:,}" for name in ("repositories", "files")), size(day["text_bytes"]),
         f"{day['tokens']:,}", f"<code>{_proved(day, day['root'][:12])}</code>"]
        for day in reversed(days[-DAYS:])
    ]  # fmt: skip
    heads = ("Day", "Repositories#", "Files#", "Text#", "Tokens#", "Root")
    return (
        '<h2>Growth</h2>\n<div class="charts">'
        + _chart("Text", {day["date"]: day["text_bytes"] for day in days}, newest, size, labelExpr=charts.SIZES)
        + _chart("Files", {day["date"]: day["files"] for day in days}, newest, "{:,}".format, tickMinStep=1)
        + "</div>\n<details><summary>The days in numbers</summary>"
        + table("Days with a genome, newest first", heads, rows)
        + rest(len(days) - DAYS, "older days", "genome.manifest")
        + "</details>\n"
    )


def _chart(name: str, values: Mapping[date, int], newest: date, told: Any, **axis: Any) -> str:
    """One step a day from the first genome to `newest`; a day without one is marked over the whole height."""
    first, last, most = min(values), max(values), max(values.values())
    span = (newest - first).days + 1
    without = f"; {span - len(values):,} of {span:,} days have no genome (marked)" if span > len(values) else ""
    line = f"{told(values[first])} on {first}, {told(values[last])} on {last}{without}; at most {told(most)}"
    frame = pl.DataFrame({"day": sorted(values), "value": [values[day] for day in sorted(values)]})
    end = newest + timedelta(days=1)

    def draw(width: int) -> charts.Chart:
        import altair as alt

        across = charts.days(first, newest, width)
        grown, gaps = charts.runs(frame.with_columns(pl.col("day").cast(pl.Int32)), "day", width // 2)
        grown, gaps = grown.cast({"day": pl.Date}), gaps.cast({"day": pl.Date, "end": pl.Date})
        if last < newest:
            gaps = gaps.extend(pl.DataFrame({"day": [last + timedelta(days=1)], "end": [end]}))
        area = alt.Chart(grown).mark_area(interpolate="step-after", line=True, fillOpacity=0.35)
        upward = alt.Y("value:Q", title=None, axis=alt.Axis(**axis))
        return alt.layer(area.encode(x=across, y=upward, detail="run:N"), charts.missing(gaps, across)).properties(
            width=width, height=150
        )

    return charts.figure(name, f"{line}.", draw)


def _audit(audits: pl.DataFrame, newest: date) -> str:
    if audits.is_empty():
        return f"<h2>Audit</h2>\n<p>Nothing was audited on {newest}: there was no repository to look at.</p>\n"
    count = [(pl.col("status") == status).sum().alias(status) for status in ("passed", "failed", "not_run")]
    sums = {row["level"]: row for row in audits.group_by("level").agg(pl.col("checked").sum(), *count).to_dicts()}
    rows = []
    for level, (title, meant) in enumerate(_LEVELS, 1):
        if level in sums:
            numbers = [
                links.proof("genome.audits", newest, f"{sums[level][each]:,}", level=level)
                for each in ("checked", "passed", "failed", "not_run")
            ]
            rows.append([f"{level} {title} <span class=soft>{meant}</span>", *numbers])
    repositories = audits["repo"].n_unique()
    bad = audits.filter(pl.col("status") == "failed")
    failed = bad["repo"].n_unique()
    state = (
        f'<p><span class="state bad">{failed:,} of {repositories:,} repositories failed</span></p>\n'
        if failed
        else f'<p><span class="state good">No level failed, in any of {repositories:,} repositories</span></p>\n'
    )
    heads = ("Level", "Objects#", "Passed#", "Failed#", "Not run#")
    told = [state, table(f"Four levels of each repository, as of {newest}", heads, rows)]
    if failed:
        rows = [
            [name(each["repo"]),
             links.proof("genome.audits", newest, f"{each['level']}", repo=each["repo"], level=each["level"]),
             f"{each['differing']:,}", "<br>".join(name(one) for one in each["differences"][:3])]
            for each in bad.head(DIFFERING).iter_rows(named=True)
        ]  # fmt: skip
        told.append(table("What failed", ("Repository", "Level#", "Differing#", "The first of them"), rows))
        told.append(rest(bad.height - DIFFERING, "failed levels", "genome.audits"))
    return f"<h2>Audit</h2>\n{''.join(told)}"


def _repositories(frame: pl.DataFrame, newest: date, works: Collection[str]) -> str:
    packed = frame.filter(pl.col("status") == "packed").sort("text_bytes", "place", descending=[True, False])
    out = frame.filter(pl.col("status") != "packed").sort("place")
    whole, told = int(packed["text_bytes"].sum()), []
    if packed.height:
        rows = [
            [_linked(each["repo"], works), f"<code>{text((each['commit'] or '–')[:10])}</code>",
             text(each["license"] or "not certain", 60), f"{each['files']:,}",
             links.proof("genome.repositories", newest, size(each["text_bytes"]), place=each["place"]),
             share(each["text_bytes"], whole)]
            for each in packed.head(REPOSITORIES).iter_rows(named=True)
        ]  # fmt: skip
        heads = ("Repository", "Commit", "Licence", "Files#", "Text#", "Share of text#")
        hidden = size(int(packed["text_bytes"][REPOSITORIES:].sum()))
        told.append(_licences(packed))
        told.append(table(f"{packed.height:,} in the genome of {newest}, most text first", heads, rows))
        told.append(rest(packed.height - REPOSITORIES, f"repositories with {hidden} of text", "genome.repositories"))
    if out.height:
        reasons = out.select("repo", pl.col("why").fill_null("no reason given"), "place").head(LEFT_OUT).iter_rows()
        rows = [
            [_linked(repo, works), links.proof("genome.repositories", newest, why, place=place)]
            for repo, why, place in reasons
        ]
        told.append(table(f"{out.height:,} not in it on {newest}, and why", ("Repository", "Why"), rows))
        told.append(rest(out.height - LEFT_OUT, "left out", "genome.repositories"))
    return f"<h2>Repositories</h2>\n{''.join(told) or '<p>None on this day.</p>'}"


def _licences(packed: pl.DataFrame) -> str:
    """How many repositories and how much text under each licence that is certain."""
    sums = packed.group_by(pl.col("license").fill_null("not certain")).agg(pl.len(), pl.col("text_bytes").sum())
    most = sums.sort("text_bytes", "license", descending=[True, False])
    shown = [f"{text(each, 60)} {count:,} ({size(sum_)})" for each, count, sum_ in most.head(LICENCES).iter_rows()]
    more = f"; {most.height - LICENCES:,} more" if most.height > LICENCES else ""
    return f'<p class="soft">Licences, by repositories and text: {"; ".join(shown)}{more}.</p>\n'


def _linked(repo: str, works: Collection[str]) -> str:
    """A repository's name; one of GitHub is named by owner and name there, and so is the work that it is."""
    identifier = f"github:{repo.lower()}"
    return links.to("repository", identifier, repo) if identifier in works else name(repo)


def _changes(days: Sequence[Row], changes: pl.DataFrame) -> str:
    made = {day["date"] for day in days}
    shown = sorted(made | set(changes["date"].unique()), reverse=True)[:RECENT]
    if not shown:
        return ""
    grown = pl.col("after").fill_null(0) - pl.col("before").fill_null(0)
    lines = pl.col("lines_added").fill_null(0) + pl.col("lines_removed").fill_null(0)
    recent = changes.filter(pl.col("date") >= shown[-1]).with_columns(size=grown, lines=lines)
    how = [(pl.col("change") == kind).sum().alias(kind) for kind in ("added", "removed", "changed")]
    sums = {day["date"]: day for day in recent.group_by("date").agg(*how, pl.col("size").sum()).to_dicts()}
    by_day = []
    for day in shown:
        if day in sums:
            kinds = [f"{sums[day][kind]:,}" for kind in ("added", "removed", "changed")]
            grew = links.proof("genome.changes", day, size(sums[day]["size"], "+"))
            by_day.append([str(day), *kinds, grew])
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
            [
                _file(each),
                str(each["date"]),
                each["change"],
                _lines(each),
                links.proof(
                    "genome.changes", each["date"], size(each["size"], "+"), repo=each["repo"], path=each["path"]
                ),
            ]
            for each in largest
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


PAGE = Page("genome", "Genome", QUERIES, body)
