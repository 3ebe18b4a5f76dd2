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
from xml.sax.saxutils import escape

import numpy as np

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


_STYLE = (
    ".lorenz{font:12px system-ui,sans-serif;fill:#222}.lorenz .paper{fill:#fff}.lorenz .axis{fill:none;stroke:#777}"
    ".lorenz .even{stroke:#777;stroke-dasharray:4 3}.lorenz .curve{fill:#2563eb33;stroke:#2563eb;stroke-width:2}"
    "@media(prefers-color-scheme:dark){.lorenz{fill:#eee}.lorenz .paper{fill:#181818}"
    ".lorenz .axis,.lorenz .even{stroke:#999}.lorenz .curve{fill:#60a5fa33;stroke:#60a5fa}}"
)
_LEFT, _TOP, _SIDE = 46, 30, 200


def picture(amounts: Sequence[int], title: str) -> bytes:
    """The Lorenz curve as an SVG file of less than 6 kB, with the numbers beside it, readable in light and dark.

    The same amounts and title give the same bytes. Raises ValueError for a negative amount.
    """
    found = concentration(amounts)
    points = " ".join(f"{_across(x)},{_down(y)}" for x, y in found.lorenz)
    heading, lines = _escaped(title, 48), _numbers(found)
    told = f"Lorenz curve: share of the sum by share of the recipients. {'; '.join(lines)}."
    right, bottom = _LEFT + _SIDE, _TOP + _SIDE
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" class="lorenz" role="img" viewBox="0 0 420 276" width="420" '
        f'height="276"><title>{_escaped(title, 200)}</title><desc>{told}</desc><style>{_STYLE}</style>',
        '<rect class="paper" width="420" height="276"/>',
        f'<text x="{_LEFT}" y="18" font-weight="600">{heading}</text>',
        f'<rect class="axis" x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}"/>',
        f'<path class="even" d="M{_LEFT} {bottom}L{right} {_TOP}"/>',
        f'<polygon class="curve" points="{points}"/>' if points else "",
        *(
            f'<text x="{_LEFT - 6}" y="{_down(each, 4)}" text-anchor="end">{label}</text>'
            f'<text x="{_across(each)}" y="{bottom + 16}" text-anchor="middle">{label}</text>'
            for each, label in ((Fraction(0), "0"), (Fraction(1, 2), "50%"), (Fraction(1), "100%"))
        ),
        f'<text x="{_LEFT + _SIDE // 2}" y="{bottom + 36}" text-anchor="middle">recipients, least paid first</text>',
        f'<text transform="translate(12 {_TOP + _SIDE // 2})rotate(-90)" text-anchor="middle">share of the sum</text>',
        *(f'<text x="{right + 16}" y="{_TOP + 20 + 20 * row}">{line}</text>' for row, line in enumerate(lines)),
        "</svg>\n",
    ]
    return "".join(parts).encode()


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
    """Rounded half up, in integers: no number of the picture depends on a machine's floats."""
    whole, part = divmod(int(value * 10**places + Fraction(1, 2)), 10**places)
    return f"{whole}.{part:0{places}d}"


def _across(share: Fraction) -> str:
    return _decimals(_LEFT + share * _SIDE, 1)


def _down(share: Fraction, by: int = 0) -> str:
    return _decimals(_TOP + by + (1 - share) * _SIDE, 1)


def _escaped(text: str, length: int) -> str:
    """For XML, which has no control characters, cut to `length`."""
    bare = "".join(each if each.isprintable() else " " for each in text)
    return escape(bare if len(bare) <= length else bare[: length - 1] + "…")
