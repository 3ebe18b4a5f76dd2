"""What the pages share: their head, looks and tables, and how strangers' text is written on them.

Names, reasons and diffs are strangers' text: everything goes through `text`, and a page forbids itself to run or load
anything, should that fail. What is left out for length is counted where it would stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

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
    links = "".join(
        f'<li><a href="{each.name}.html"{" aria-current=page" if each is own else ""}>{escape(each.title)}</a></li>'
        for each in pages
        if each.in_navigation
    )
    scripts = "".join(f'<script defer src="{each}"></script>' for each in ("report.js", "data/about.js", *own.scripts))
    sample = (
        f'<p class="note">{text(SAMPLE_NOTE)} No number here is for citing.</p>\n' if about.world == "sample" else ""
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{escape(own.title)} · {about.day}</title>'
        f'<link rel="stylesheet" href="report.css">{scripts}</head><body>'
        f'<a class="skip" href="#main">Skip to the content</a><header><nav aria-label="Report"><ul>{links}</ul></nav>'
        f'</header><main id="main">\n<h1>{escape(own.title)} <span class="soft">{about.day}</span></h1>\n'
        f"{sample}{body}</main></body></html>\n"
    ).encode()


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
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
    cut = f" … ({len(given) - most:,} more characters)" if len(given) > most else ""
    return UNSEEN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], given[:most]) + cut


def top(most: int) -> int:
    """The end of a scale: even in its first digit, so that its half is a short number too."""
    unit = 1
    while 10 * unit < most:
        unit *= 10
    return next(digit * unit for digit in (2, 4, 6, 8, 10) if digit * unit >= most)
