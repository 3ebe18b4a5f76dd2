"""What the pages share: their head, looks and tables, and how strangers' text is written on them.

Names, reasons and diffs are strangers' text: everything goes through `text`, and a page forbids itself to run or load
anything, should that fail. What is left out for length is counted where it would stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

NAME = 500
"""Most characters of a name or reason."""

UNSEEN = re.compile(
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
code,kbd,pre{font-family:ui-monospace,monospace;font-size:.875em}
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
tbody th{font-weight:400;color:var(--ink);width:40%}.many tbody th{width:auto}
thead th{overflow-wrap:normal}td code{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.share{display:inline-block;min-width:6rem;padding:0 .3rem;
background:linear-gradient(90deg,var(--share) var(--of),transparent 0)}
summary{cursor:pointer;padding:.3rem 0}
pre{margin:.25rem 0 1rem;padding:.75rem;background:var(--box);border-radius:.5rem;white-space:pre-wrap;tab-size:4;
overflow:clip}ins,del{text-decoration:none}ins{color:var(--plus)}del{color:var(--minus)}
@media(max-width:44rem){table,caption,tbody{display:block}thead{position:absolute;clip-path:inset(50%);height:1px;
width:1px;overflow:hidden}tr{display:flex;flex-wrap:wrap;gap:.1rem 1rem;padding:.4rem 0;
border-bottom:1px solid var(--line)}th,td{border:0;padding:0;text-align:left}.many tbody th,tbody th{width:100%}
td:empty{display:none}td::before{content:attr(data-of)": ";color:var(--soft)}}
@media print{body{max-width:none}}
"""
FOOT = "</main></body></html>\n"


def head(title: str, heading: str) -> str:
    """The beginning of a page, to be closed by `FOOT`."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none';style-src 'unsafe-inline';img-src data:;base-uri 'none';form-action 'none'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><main>\n<h1>{heading}</h1>\n"
    )


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
    cut = f" … ({len(given) - most:,} more characters)" if len(given) > most else ""
    seen = UNSEEN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], given[:most])
    return escape(seen) + cut


def top(most: int) -> int:
    """The end of a scale: even in its first digit, so that its half is a short number too."""
    unit = 1
    while 10 * unit < most:
        unit *= 10
    return next(digit * unit for digit in (2, 4, 6, 8, 10) if digit * unit >= most)
