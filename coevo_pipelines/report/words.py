"""Numbers, names and long tables, said in one way on every page that uses them."""

from __future__ import annotations

from collections.abc import Sequence

from coevo_pipelines.report.html import table

SHORT = 110
"""Most characters of a title in a table's cell."""
MANY = {
    "repository": "repositories", "person": "people", "chrysalis": "chrysalides", "entry": "entries",
    "training corpus": "training corpora", "match": "matches",
}  # fmt: skip


def counted(number: int, one: str) -> str:
    """`1 work`, `2,000 works`, `3 repositories`, `1 hub data set`."""
    return f"{number:,} {kind(one) if number == 1 else MANY.get(one, kind(one) + 's')}"


def kind(of: str) -> str:
    """What a work is, or what a hub restores, for people: `hub data set`, `health care`."""
    return "hub data set" if of == "hub_dataset" else of.replace("_", " ")


def number(value: float) -> str:
    """Three significant digits of a small number, whole numbers of a large one: 0.0312, 1.5, 12,345."""
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{float(f'{value:.3g}'):.12f}".rstrip("0").rstrip(".").replace("-", "−") or "0"


def amount(milli: int, unit: str) -> str:
    """Thousandths of a UCUM unit: `12.5 kg`, `40 meals`. What stands in braces is a count of such things."""
    whole, part = divmod(abs(milli), 1000)
    digits = f"{whole:,}" + (f".{part:03}".rstrip("0") if part else "")
    of = plain(unit)
    if unit.startswith("{") and unit.endswith("}") and milli != 1000:
        of = MANY.get(of) or (f"{of}es" if of.endswith(("s", "x", "ch", "sh")) else f"{of}s")
    return f"{'−' if milli < 0 else ''}{digits} {of}".rstrip()


def plain(unit: str) -> str:
    """A UCUM code for people: m2 is m², `{bed_night}` bed night, `1` nothing. What strangers count is cut."""
    from coevo_pipelines.hubs.units import label

    braces = "{" in unit
    return short(unit.replace("{", "").replace("}", "").replace("_", " ") if braces else label(unit), 24)


def measured(quantity: str) -> str:
    """What a quantity of hubs/quantities.toml is, in words."""
    from coevo_pipelines.hubs.units import QUANTITIES

    return QUANTITIES[quantity].title if quantity in QUANTITIES else kind(quantity)


def shown(value: float, unit: str, quantity: str, spread: bool = False) -> tuple[float, str]:
    """A number in the SI unit of its quantity, in the unit that people read it in; `spread`: it is a difference."""
    from coevo_pipelines.hubs import units

    if quantity not in units.QUANTITIES or units.QUANTITIES[quantity].unit != unit:
        return value, plain(unit)
    return units.shown_spread(value, quantity) if spread else units.shown(value, quantity)


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
