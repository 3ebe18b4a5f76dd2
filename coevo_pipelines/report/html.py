"""What the pages share: their head, looks and tables, and how strangers' text is written on them.

Names, reasons and diffs are strangers' text: everything goes through `text`, and a page forbids itself to run or load
anything, should that fail. What is left out for length is counted where it would stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from coevo_pipelines.sample.label import SAMPLE_NOTE

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Page

NAME = 500
"""Most characters of a name or reason."""

UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
"""Controls and what is invisible or turns the direction of reading: written out, as \\u202e. A fixed list: what
Python's own tables call printable differs between its versions, and the page must not."""

POLICY = (
    "default-src 'none';style-src 'self' file: 'unsafe-inline';script-src 'self' file:;"
    "img-src 'self' file: data: blob:;base-uri 'none';form-action 'none'"
)
"""What a page may load: files beside it. A script written into a page would not run."""


def page(own: Page, pages: Sequence[Page], about: About, body: str) -> bytes:
    """The whole file: head, navigation over `pages`, heading, `body`, foot."""
    scripts = "".join(f'<script defer src="{each}"></script>' for each in ("report.js", "data/about.js", *own.scripts))
    sample = (
        '<details class="sample"><summary>The bundled sample: no number here is for citing.</summary>'
        f"<p>{text(SAMPLE_NOTE)}</p></details>\n"
        if about.world == "sample"
        else ""
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:image/svg+xml,{quote(_MARK)}"><title>{escape(own.title)} · {about.day}</title>'
        '<link rel="stylesheet" href="report.css"><link rel="stylesheet" id="dark" href="dark.css" '
        'media="screen and (prefers-color-scheme: dark)">'
        f'<script src="frame.js"></script>{scripts}</head><body>'
        f'<a class="skip" href="#main">Skip to the content</a>{_top(own, pages, about)}<main id="main" tabindex="-1">\n'
        f"<h1>{escape(own.title)}</h1>\n{sample}{body}</main>{_foot(about)}</body></html>\n"
    ).encode()


_MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 20" fill="none" stroke-width="3" aria-hidden="true">'
    '<circle class="one" cx="10" cy="10" r="8" stroke="#2a63c4"/>'
    '<circle class="two" cx="20" cy="10" r="8" stroke="#b04a06"/></svg>'
)


def _top(own: Page, pages: Sequence[Page], about: About) -> str:
    links = "".join(
        f'<li><a href="{each.name}.html"{" aria-current=page" if each is own else ""}>{escape(each.title)}</a></li>'
        for each in pages
        if each.in_navigation
    )
    before = max((day for day in about.days if day < about.day), default=None)
    back = (
        f'<a href="../date={before}/{own.name}.html" rel="prev" aria-label="the day before: {before}">←</a>'
        if before
        else ""
    )
    return (
        f'<header class="top"><div class="brand"><a class="home" href="index.html">{_MARK}<span>coevo</span></a>'
        f'<div class="days">{back}<time datetime="{about.day}">{long(about.day)}</time>'
        f'<i id="after" data-day="{about.day}" hidden></i></div>'
        '<button type="button" id="menu" aria-expanded="false" aria-controls="pages" hidden>Pages</button>'
        '<button type="button" id="theme" hidden>Theme</button></div>'
        f'<nav id="pages" aria-label="Report"><ul>{links}</ul></nav></header>'
    )


def _foot(about: About) -> str:
    worlds = {"sample": "the bundled sample", "live": "the live services", "synthetic": "a made-up world"}
    return (
        f"<footer><p>Snapshot of <b>{long(about.day)}</b> (UTC), made from "
        f"{worlds.get(about.world, text(about.world))}. "
        'Numbers are links: each leads to <a href="proof.html">its row and its proof</a>. Can the day be trusted? '
        '<a href="health.html">Data health</a> says what is missing, <kbd>coevo verify</kbd> checks every byte.</p>'
        "</footer>"
    )


def long(day: date) -> str:
    """27 March 2019, in English whatever the machine speaks."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML; a head that ends in # is one of numbers, one that ends in ~ says nothing that its cells do not,
    and is left out where rows become blocks. The roles are said because a narrow screen shows the rows as blocks, which
    takes them from some readers."""
    names = [escape(head.rstrip("#~")) for head in heads]
    kinds = [' class="n"' if head.endswith("#") else "" for head in heads]
    marks = ["" if head.endswith("~") else f' data-of="{of}"' for head, of in zip(heads, names, strict=True)]
    top = "".join(f'<th role="columnheader" scope="col"{k}>{n}</th>' for n, k in zip(names, kinds, strict=True))
    body = []
    for first, *others in rows:
        cells = zip(others, marks[1:], kinds[1:], strict=True)
        tail = "".join(f'<td role="cell"{mark}{k or _kept(cell)}>{cell}</td>' for cell, mark, k in cells)
        body.append(f'<tr role="row"><th role="rowheader" scope="row"{_kept(first)}>{first}</th>{tail}</tr>\n')
    return (
        f'<table role="table"><caption>{escape(caption)}</caption><thead role="rowgroup"><tr role="row">{top}</tr>'
        f'</thead><tbody role="rowgroup">\n{"".join(body)}</tbody></table>\n'
    )


_DAY = re.compile(r"(<[^<>]+>)*\d{4}-\d\d-\d\d( \d\d:\d\d)?(<[^<>]+>)*")


def _kept(cell: str) -> str:
    """The class of a cell that is a date and no more: it must not be broken at its hyphens."""
    return ' class="d"' if _DAY.fullmatch(cell) else ""


def rest(number: int, what: str, where: str) -> str:
    return f'<p class="soft">And {number:,} more {what}, not shown: see {where}.</p>\n' if number > 0 else ""


def share(part: int, whole: int) -> str:
    percent = f"{100 * part / whole if whole else 0:.1f}%"
    return (
        f'<span class="share" style="--of:{percent}">{"under 0.1%" if part and percent == "0.0%" else percent}</span>'
    )


def name(given: str) -> str:
    """A name apart from what stands around it: its direction and its stacked marks stay its own."""
    return f"<bdi>{text(given)}</bdi>"


def text(given: str, most: int = NAME, keep: str = "") -> str:
    """Strangers' text as HTML."""
    return escape(seen(given, most, keep))


def seen(given: str, most: int = NAME, keep: str = "") -> str:
    """Strangers' text as anyone can see it: what is invisible is written out, what is too long is cut and counted."""
    if len(given) <= most and given.isascii() and given.isprintable():
        return given
    cut = f" … ({len(given) - most:,} more characters)" if len(given) > most else ""
    return UNSEEN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], given[:most]) + cut
