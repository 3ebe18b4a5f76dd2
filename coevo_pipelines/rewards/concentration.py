"""How unequally a pool is divided: Gini coefficient, the largest shares, and the Lorenz curve with its picture.

Amounts are whole minor units, and every number is an exact fraction of them. Definitions: Gini 1912 over the mean
absolute difference, without a correction for small samples; Lorenz 1905.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import mul

import numpy as np

from coevo_pipelines.report import charts

STEPS = 100
"""A Lorenz curve has a point at each hundredth of the recipients at most."""
_INT64 = 1 << 62


@dataclass(frozen=True)
class Concentration:
    """How a sum is divided among recipients; the fractions are None where the sum is 0."""

    recipients: int
    total: int
    gini: Fraction | None
    """0: all get the same; (n-1)/n: one of n gets all."""
    top_10: Fraction | None
    """Share of the ten that get most."""
    top_tenth: Fraction | None
    """Share of the tenth of the recipients that get most; a tenth that is no whole number is rounded up."""
    lorenz: list[tuple[Fraction, Fraction]]
    """(share of the recipients, share of the sum that those who get least have together), from (0, 0) to (1, 1); of
    at most 100 recipients a point each, of more at every hundredth, on the recipient below."""


def concentration(amounts: Sequence[int]) -> Concentration:
    """How the amounts are divided. Their order does not matter. Raises ValueError for a negative amount."""
    ordered = _ascending(amounts)
    if ordered and ordered[0] < 0:
        raise ValueError(f"an amount is negative ({ordered[0]}): shares of a sum need amounts of at least 0")
    n, total = len(ordered), sum(ordered)
    if not total:
        return Concentration(n, 0, None, None, None, [])
    ranked = _ranked_sum(ordered, total)
    return Concentration(
        n,
        total,
        Fraction(2 * ranked, n * total) - Fraction(n + 1, n),
        Fraction(sum(ordered[-10:]), total),
        Fraction(sum(ordered[n - (n + 9) // 10 :]), total),
        _lorenz(ordered, total),
    )


def _ascending(amounts: Sequence[int]) -> list[int]:
    try:
        held = np.array(amounts, dtype=np.int64)
    except OverflowError:
        return sorted(amounts)
    held.sort()
    return held.tolist()  # type: ignore[no-any-return]


def _ranked_sum(ordered: list[int], total: int) -> int:
    """Σ i·x_i over i = 1..n."""
    n = len(ordered)
    if total >= _INT64:
        return sum(map(mul, range(1, n + 1), ordered))
    # Every partial sum fits in 64 bits, and so does the sum of 2^31 halves of them.
    below = np.cumsum(np.array(ordered, dtype=np.int64))[:-1]
    return n * total - (int((below >> 32).sum()) << 32) - int((below & 0xFFFFFFFF).sum())


def _lorenz(ordered: list[int], total: int) -> list[tuple[Fraction, Fraction]]:
    n = len(ordered)
    steps = min(n, STEPS)
    reached = list(accumulate(ordered, initial=0))
    places = [step * n // steps for step in range(steps + 1)]
    return [(Fraction(place, n), Fraction(reached[place], total)) for place in places]


def lorenz(found: Concentration, width: int) -> charts.Chart:
    """The Lorenz curve as a chart, beside the dashed line of all getting the same."""
    import altair as alt
    import polars as pl

    axis = alt.Axis(format=charts.SHARES, tickCount=4)
    across = alt.X("people:Q", title="recipients, least paid first", axis=axis, scale=alt.Scale(domain=[0, 1]))
    upward = alt.Y("sum:Q", title="share of the sum", axis=axis, scale=alt.Scale(domain=[0, 1]))
    points = pl.DataFrame([[float(x), float(y)] for x, y in found.lorenz], schema=["people", "sum"], orient="row")
    even = pl.DataFrame({"people": [0.0, 1.0], "sum": [0.0, 1.0]})
    return alt.layer(
        alt.Chart(points).mark_area(line=True, fillOpacity=0.2).encode(x=across, y=upward),
        alt.Chart(even).mark_line(strokeDash=[4, 3], strokeWidth=1, color=charts.SOFT).encode(x=across, y=upward),
    ).properties(width=width, height=200)


def picture(amounts: Sequence[int], title: str) -> bytes:
    """The Lorenz curve as an SVG file of less than 6 kB, with the numbers over it, readable in light and dark.

    The same amounts and title give the same bytes. Raises ValueError for a negative amount.
    """
    found = concentration(amounts)
    chart = lorenz(found, charts.NARROW) if found.lorenz else None
    return charts.standalone(chart, title, f"{', '.join(_numbers(found))}.", charts.NARROW)


def _numbers(found: Concentration) -> list[str]:
    if found.gini is None or found.top_10 is None or found.top_tenth is None:
        return [f"{found.recipients:,} recipients", "nothing was paid"]
    return [
        f"{found.recipients:,} recipients",
        f"Gini {_decimals(found.gini, 3)}",
        f"top 10: {_decimals(100 * found.top_10, 1)}%",
        f"top 10%: {_decimals(100 * found.top_tenth, 1)}%",
    ]


def _decimals(value: Fraction, places: int) -> str:
    """Rounded half up, in integers: no number in words depends on a machine's floats."""
    whole, part = divmod(int(value * 10**places + Fraction(1, 2)), 10**places)
    return f"{whole}.{part:0{places}d}"
