"""How the genome grew: its newest numbers, its days, its repositories, and what changed of late, on one page.

Names, reasons and diffs are strangers' text: everything goes through `_text`, and the page forbids itself to run or
load anything, should that fail. What is left out for length is counted where it would stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from html import escape
from itertools import groupby
from typing import Any

import polars as pl

REPOSITORIES, LEFT_OUT, DAYS, RECENT, LARGEST = 500, 200, 60, 7, 20
"""Most rows shown: repositories, those left out, days with a genome, days of change, largest changes."""
DIFFS, DIFF_LINES, LINE, NAME = 10, 60, 400, 500
"""Most diffs and lines of each; most characters of a line and of a name or reason."""
FORTNIGHT = 14
"""The charts show as many days at least, so that one day is a bar and no wall."""

Row = Mapping[str, Any]

_UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
"""Controls and what is invisible or turns the direction of reading: written out, as \\u202e. A fixed list: what
Python's own tables call printable differs between its versions, and the page must not."""

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c1c1c;--soft:#595959;--line:#d8d8d8;--box:#f5f6f8;--bar:#2563eb;
--share:#dbe6fd;--gap:#d97706;--note:#fff4d6;--plus:#116329;--minus:#a40e26}
@media(prefers-color-scheme:dark){:root{--paper:#161616;--ink:#ececec;--soft:#a8a8a8;--line:#3a3a3a;--box:#222;
--bar:#60a5fa;--share:#1e3357;--gap:#f59e0b;--note:#3a2f10;--plus:#6fdd8b;--minus:#ff9a9a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:75rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1,h2{line-height:1.2;margin:2rem 0 .75rem}h1{margin-top:.5rem}
.note{background:var(--note);padding:.75rem 1rem;border-radius:.5rem}
.soft,figcaption span,dt,caption,th{color:var(--soft)}
dl{display:flex;flex-wrap:wrap;gap:.75rem;margin:0}
dl div{flex:1 1 9rem;background:var(--box);border-radius:.5rem;padding:.6rem .9rem}dl .wide{flex-basis:100%}
dt{font-size:.875rem}dd{margin:0;font-size:1.375rem;font-variant-numeric:tabular-nums}.wide dd{font-size:.9375rem}
code,pre{font-family:ui-monospace,monospace;font-size:.875em}
bdi{display:inline-block;max-width:100%;overflow:clip;vertical-align:top}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem 2rem}
figure{margin:0}figcaption span{display:block;font-size:.875rem}
.plot{display:grid;grid-template-columns:auto 1fr;gap:.25rem .5rem;margin-top:.75rem;font-size:.8125rem;
line-height:1rem;color:var(--soft)}
.plot svg{display:block;width:100%;height:11rem;margin:.5rem 0}
.plot div{display:flex;justify-content:space-between}.scale{min-width:3.75rem;flex-direction:column;text-align:right}
.when{grid-column:2}path{vector-effect:non-scaling-stroke}
.grid{stroke:var(--line)}.grown{fill:var(--bar);stroke:var(--bar)}.none{fill:var(--gap);fill-opacity:.2;stroke:var(--gap)}
table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:.9375rem}
caption{text-align:left;padding-bottom:.4rem}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;
border-bottom:1px solid var(--line)}tr>:first-child{padding-left:0}tr>:last-child{padding-right:0}
tbody th{font-weight:400;color:var(--ink);width:40%}
thead th{overflow-wrap:normal}td code{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.share{display:inline-block;min-width:6rem;padding:0 .3rem;
background:linear-gradient(90deg,var(--share) var(--of),transparent 0)}
summary{cursor:pointer;padding:.3rem 0}
pre{margin:.25rem 0 1rem;padding:.75rem;background:var(--box);border-radius:.5rem;white-space:pre-wrap;tab-size:4;
overflow:clip}ins,del{text-decoration:none}ins{color:var(--plus)}del{color:var(--minus)}
@media(max-width:44rem){table,caption,tbody{display:block}thead{position:absolute;clip-path:inset(50%);height:1px;
width:1px;overflow:hidden}tr{display:flex;flex-wrap:wrap;gap:.1rem 1rem;padding:.4rem 0;
border-bottom:1px solid var(--line)}th,td{border:0;padding:0;text-align:left}tbody th{width:100%}
td:empty{display:none}td::before{content:attr(data-of)": ";color:var(--soft)}}
@media print{body{max-width:none}}
"""
_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none';style-src 'unsafe-inline';img-src data:;base-uri 'none';form-action 'none'\">"
    '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">'
    '<link rel="icon" href="data:,"><title>The genome\'s growth</title>'
    f"<style>{_STYLE}</style></head><body><main>\n<h1>The genome’s growth</h1>\n"
)
_SAMPLE = (
    '<p class="note">This is the sample: its repositories are made up, but for this project’s own checkout where one '
    "is among them. No number here is for citing.</p>\n"
)


def page(manifest: pl.DataFrame, repositories: pl.DataFrame, changes: pl.DataFrame, world: str) -> bytes:
    """A self-contained HTML page (UTF-8, no script, no request) of `genome.manifest`, `genome.repositories` and
    `genome.changes`, each with its column `date`, of any days and in any order; `world` is the lake's.

    The same rows give the same bytes. Sizes are decimal: 1 kB is 1,000 bytes.
    """
    days = manifest.sort("date").to_dicts()
    parts = [_HEAD, _SAMPLE if world == "sample" else ""]
    newest = pl.concat([manifest["date"], repositories["date"]]).max()
    if not isinstance(newest, date):
        parts.append("<p>No genome has been made yet.</p>\n")
    else:
        parts += [_headline(days, newest), _growth(days, newest) if days else ""]
        parts += [_repositories(repositories.filter(pl.col("date") == newest), newest), _changes(days, changes)]
    return "".join([*parts, "</main></body></html>\n"]).encode()


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
        + f'<div class="wide"><dt>Merkle root</dt><dd><code>{_text(last["root"])}</code></dd></div></dl>\n'
        + f'<p class="soft">What became of the files: {"; ".join(f"{_text(k)} {n:,}" for k, n in became)}. '
        + f"{_size(last['bytes'])} in all, {last['packed']:,} packed as text; tokens are {_text(counted)}.</p>\n"
    )


def _growth(days: Sequence[Row], newest: date) -> str:
    rows = [
        [str(day["date"]), *(f"{day[name]:,}" for name in ("repositories", "files")), _size(day["text_bytes"]),
         f"{day['tokens']:,}", f"<code>{_text(day['root'][:12])}</code>"]
        for day in reversed(days[-DAYS:])
    ]  # fmt: skip
    heads = ("Day", "Repositories#", "Files#", "Text#", "Tokens#", "Root")
    return (
        '<h2>Growth</h2>\n<div class="charts">'
        + _chart("Text", {day["date"]: day["text_bytes"] for day in days}, newest, _size)
        + _chart("Files", {day["date"]: day["files"] for day in days}, newest, "{:,}".format)
        + "</div>\n<details><summary>The days in numbers</summary>"
        + _table("Days with a genome, newest first", heads, rows)
        + _rest(len(days) - DAYS, "older days", "genome.manifest")
        + "</details>\n"
    )


def _chart(name: str, values: Mapping[date, int], newest: date, told: Any) -> str:
    """One step a day from the first genome to `newest`; a day without one is marked over the whole height.

    The picture is stretched to the room there is, so all lettering is HTML beside it, at its own size.
    """
    first, last, most = min(values), max(values), max(values.values())
    start = min(first, newest - timedelta(days=FORTNIGHT - 1))
    span, top = (newest - start).days + 1, _top(most)
    heights = [(x, values.get(start + timedelta(days=x))) for x in range((first - start).days, span)]
    grown, gaps = [], []
    for height, run in groupby(heights, key=lambda each: each[1]):
        x, *others = (each[0] for each in run)
        wide = len(others) + 1
        if height is None:
            gaps.append(f"M{x} 0h{wide}v1000h-{wide}z")
        else:
            y = height * 1000 // top
            grown.append(f"M{x} 1000v-{y}h{wide}v{y}z")
    missing = sum(height is None for _, height in heights)
    without = f"; {missing:,} of {len(heights):,} days have no genome (marked)" if missing else ""
    line = f"{told(values[first])} on {first}, {told(values[last])} on {last}{without}"
    ticks = "".join(f"<span>{told(each).replace('.0 ', ' ')}</span>" for each in (top, top // 2, 0))
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


def _top(most: int) -> int:
    """The end of a scale: even in its first digit, so that its half is a short number too."""
    unit = 1
    while 10 * unit < most:
        unit *= 10
    return next(digit * unit for digit in (2, 4, 6, 8, 10) if digit * unit >= most)


def _repositories(frame: pl.DataFrame, newest: date) -> str:
    packed = frame.filter(pl.col("status") == "packed").sort("text_bytes", "place", descending=[True, False])
    out = frame.filter(pl.col("status") != "packed").sort("place")
    whole, told = int(packed["text_bytes"].sum()), []
    if packed.height:
        rows = [
            [_name(each["repo"]), f"<code>{_text((each['commit'] or '–')[:10])}</code>",
             _text(each["license"] or "not certain", 60), f"{each['files']:,}", _size(each["text_bytes"]),
             _share(each["text_bytes"], whole)]
            for each in packed.head(REPOSITORIES).iter_rows(named=True)
        ]  # fmt: skip
        heads = ("Repository", "Commit", "Licence", "Files#", "Text#", "Share of text#")
        hidden = _size(int(packed["text_bytes"][REPOSITORIES:].sum()))
        told.append(_table(f"{packed.height:,} in the genome of {newest}, most text first", heads, rows))
        told.append(_rest(packed.height - REPOSITORIES, f"repositories with {hidden} of text", "genome.repositories"))
    if out.height:
        reasons = out.select("repo", pl.col("why").fill_null("no reason given")).head(LEFT_OUT).iter_rows()
        rows = [[_name(repo), _text(why)] for repo, why in reasons]
        told.append(_table(f"{out.height:,} not in it on {newest}, and why", ("Repository", "Why"), rows))
        told.append(_rest(out.height - LEFT_OUT, "left out", "genome.repositories"))
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
    told = [_table("The last days, newest first", heads, by_day)]
    if recent.height:
        order, down = ("repo", "path", "date"), [True, True, False, False, True]
        largest = (
            recent.sort(pl.col("size").abs(), "lines", *order, descending=down).drop("diff").head(LARGEST).to_dicts()
        )
        rows = [
            [_file(each), str(each["date"]), each["change"], _lines(each), _size(each["size"], "+")] for each in largest
        ]
        heads = ("File", "Day", "Change", "Lines", "Bytes#")
        told.append(_table("Largest changes of these days, by bytes", heads, rows))
        told.append(_rest(recent.height - LARGEST, "smaller changes", "genome.changes"))
    compared = recent.filter(pl.col("diff") != "")
    if compared.height:
        newest = compared.sort("date", "lines", "repo", "path", descending=[True, True, False, False]).head(DIFFS)
        told += ["<h3>Newest diffs</h3>\n", *map(_diff, newest.to_dicts())]
        told.append(_rest(compared.height - DIFFS, "diffs of these days", "genome.changes"))
    return f"<h2>What changed</h2>\n{''.join(told)}"


def _diff(row: Row) -> str:
    lines = row["diff"].removesuffix("\n").split("\n")
    cut = re.fullmatch("… ([0-9,]+) more lines", lines[-1])  # by genome/changes.py
    hidden = len(lines) - DIFF_LINES + (int(cut[1].replace(",", "")) - 1 if cut else 0)
    start = next((place for place, line in enumerate(lines) if line.startswith("@@")), 0)
    shown = []
    for place, line in enumerate(lines[:DIFF_LINES]):
        tag = {"+": "ins", "-": "del"}.get(line[:1]) if place > start else None
        text = _text(line, LINE, keep="\t")
        shown.append(f"<{tag}>{text}</{tag}>" if tag else text)
    return (
        f"<details><summary>{_file(row)} <span class=soft>{row['change']} on {row['date']}, {_lines(row)}</span>"
        f'</summary><pre dir="ltr">{chr(10).join(shown)}</pre>'
        + _rest(hidden, "lines of this diff", "genome.changes")
        + "</details>\n"
    )


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML; a head that ends in # is one of numbers. The roles are said because a narrow screen shows the
    rows as blocks, which takes them from some readers."""
    names = [escape(head.removesuffix("#")) for head in heads]
    kinds = [' class="n"' if head.endswith("#") else "" for head in heads]
    top = "".join(f'<th role="columnheader" scope="col"{k}>{n}</th>' for n, k in zip(names, kinds, strict=True))
    body = []
    for first, *others in rows:
        cells = zip(others, names[1:], kinds[1:], strict=True)
        tail = "".join(f'<td role="cell" data-of="{n}"{k}>{cell}</td>' for cell, n, k in cells)
        body.append(f'<tr role="row"><th role="rowheader" scope="row">{first}</th>{tail}</tr>\n')
    return (
        f'<table role="table"><caption>{escape(caption)}</caption><thead role="rowgroup"><tr role="row">{top}</tr>'
        f'</thead><tbody role="rowgroup">\n{"".join(body)}</tbody></table>\n'
    )


def _rest(number: int, what: str, table: str) -> str:
    return f'<p class="soft">And {number:,} more {what}, not shown: see {table}.</p>\n' if number > 0 else ""


def _file(row: Row) -> str:
    return f"{_name(row['repo'])} <code>{_name(row['path'])}</code>"


def _lines(row: Row) -> str:
    if row["lines_added"] is None or row["lines_removed"] is None:
        return "not compared"
    return f"+{row['lines_added']:,} −{row['lines_removed']:,}"


def _share(part: int, whole: int) -> str:
    percent = f"{100 * part / whole if whole else 0:.1f}%"
    return (
        f'<span class="share" style="--of:{percent}">{"under 0.1%" if part and percent == "0.0%" else percent}</span>'
    )


def _size(number: int, sign: str = "") -> str:
    """Decimal units; `sign` is + where a growth is meant."""
    before = "−" if number < 0 else sign if number else ""
    value, unit = float(abs(number)), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{before}{value:,.0f} {unit}" if unit == "B" else f"{before}{value:,.1f} {unit}"


def _name(given: str) -> str:
    """A name apart from what stands around it: its direction and its stacked marks stay its own."""
    return f"<bdi>{_text(given)}</bdi>"


def _text(given: str, most: int = NAME, keep: str = "") -> str:
    cut = f" … ({len(given) - most:,} more characters)" if len(given) > most else ""
    seen = _UNSEEN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], given[:most])
    return escape(seen) + cut
