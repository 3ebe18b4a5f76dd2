"""Charts: an Altair chart in, SVG out, drawn when the page is made, so that a page runs nothing for it.

A chart is drawn twice, wide and narrow, and the page shows the one that fits: lettering keeps its size. Colours are the
page's own (CSS variables), so one drawing serves both themes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coevo_pipelines.report.html import text

if TYPE_CHECKING:
    import altair as alt

WIDE, NARROW = 640, 290
"""Width of the drawn part in px."""
COLOURS = tuple(f"var(--c{number})" for number in range(1, 7))


def figure(title: str, told: str, draw: Callable[[int], alt.Chart]) -> str:
    """HTML of a chart: `draw(width)` gives it at a width in px; `told` says in words what it shows."""
    drawn = "".join(
        f'<div class="{size}">{svg(draw(width), f"{title}: {told}")}</div>'
        for size, width in (("wide", WIDE), ("narrow", NARROW))
    )
    caption = f"<figcaption><b>{text(title)}</b><span>{text(told)}</span></figcaption>"
    return f'<figure class="chart">{caption}{drawn}</figure>\n'


def svg(chart: alt.Chart, label: str) -> str:
    """The chart as SVG in the colours of the page."""
    import vl_convert

    shown = (
        chart.configure(background="transparent", font="system-ui, sans-serif", range={"category": list(COLOURS)})
        .configure_view(stroke=None)
        .configure_axis(labelColor="var(--soft)", titleColor="var(--soft)", gridColor="var(--line)",
                        domainColor="var(--line)", tickColor="var(--line)", labelFontSize=12, titleFontSize=12)
        .configure_legend(labelColor="var(--ink)", titleColor="var(--soft)", labelFontSize=12, orient="top")
    )  # fmt: skip
    drawn = str(vl_convert.vegalite_to_svg(shown.to_dict()))
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{text(label)}" ', 1)
