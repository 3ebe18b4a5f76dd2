"""Numbers, names and long tables, said in one way on every page that uses them."""

from __future__ import annotations

from collections.abc import Sequence

from coevo_pipelines.report.html import table

SHORT = 110
"""Most characters of a title in a table's cell."""
MANY = {
    "repository": "repositories", "person": "people", "chrysalis": "chrysalides", "entry": "entries",
    "training corpus": "training corpora",
}  # fmt: skip


def counted(number: int, one: str) -> str:
    """`1 work`, `2,000 works`, `3 repositories`."""
    return f"{number:,} {one if number == 1 else MANY.get(one, one + 's')}"


def size(number: int, sign: str = "") -> str:
    """Bytes in decimal units: 950 B, 1.5 kB; `sign` is + where a growth is meant."""
    before = "−" if number < 0 else sign if number else ""
    value, unit = float(abs(number)), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{before}{value:,.0f} {unit}" if unit == "B" else f"{before}{value:,.1f} {unit}"


def percent(share: float | None, places: int = 1) -> str:
    """A share of 1 as a percentage; a dash for none."""
    return "–" if share is None else f"{100 * share:.{places}f}%"


def short(title: str, most: int = SHORT) -> str:
    """A title that fits: cut at a space, with an ellipsis."""
    bare = " ".join(title.split())
    if len(bare) <= most:
        return bare
    head = bare[: most - 1]
    return f"{head[: head.rfind(' ')] if ' ' in head[most // 2 :] else head}…"


def folded(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> str:
    """A table of cells (HTML) that shows its first `most` rows; the others open with a click."""
    shown = f'<div class="many">{table(caption, heads, rows[:most])}</div>\n'
    if len(rows) <= most:
        return shown
    more = f'<div class="many">{table(f"{caption}, continued", heads, rows[most:])}</div>'
    return f"{shown}<details><summary>Show {len(rows) - most:,} more</summary>{more}</details>\n"
