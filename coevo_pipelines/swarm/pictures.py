"""Pictures of a simulation: tables in, standalone SVG files out.

A picture is laid out for its own width: lettering keeps its size, the drawn part takes the room that is left, so the
same file reads on a telephone and on a wall. Names are strangers' text: everything goes through `_label`.

A line of more than 400 ticks is drawn in 400 columns. Each runs through the first, the lowest, the highest and the
last value of its ticks, so that no peak is lost, and at that width the picture is the one that all ticks would give
(M4: Jugel, Jerzak, Hackenbroich and Markl, VLDB 2014).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from textwrap import wrap

import numpy as np
import numpy.typing as npt
import polars as pl

from coevo_pipelines.report.html import text, top
from coevo_pipelines.swarm.config import TIERS

PHASES = ((0, "chaos"), (100, "learning"), (500, "stabilizing"), (1000, "mature"))
"""Ticks at which the gradient is read, and what the seed calls the time from there on."""
TABLES = (
    "swarm.metrics", "swarm.blend_predictions", "swarm.organisms", "swarm.versions", "swarm.clasps",
)  # fmt: skip
"""What the pictures are drawn from."""
COLUMNS = 400
"""Most steps of a line; each stands for as many ticks as it must."""
LEAST = 20
"""A line of time is as many ticks long at least, so that one tick is a bar and no wall."""
ACCOUNTS, GROUPS, NAMED, PAIRS = 8, 5, 12, 10
"""Most rows shown: accounts, communities. Up to how many organisms they are named, and in how many pairs."""

Tables = Mapping[str, pl.DataFrame]
"""By name (`swarm.metrics`); of any days, in any order, with a column `date` or without."""
Ints = npt.NDArray[np.int64]

_HIGH = 500
"""Units of a drawing's height; its width has one unit a column."""
_LINE = 37
"""Characters that fit on a line of a telephone."""
_LEFT, _WIDE = 58, 79
"""Where drawings begin, and for how much of the width they go on: on a telephone, to its right edge."""
_LABEL = 40
"""Per cent of the width for the names of a grid's rows."""
_GONE, _NONE, _OTHERS = "no longer there", "no community", "all others"

_STYLE = (
    ".swarm{max-width:100%;font:12px system-ui,sans-serif;fill:#1c1c1c}.swarm .paper{fill:#fff}"
    ".swarm .soft{fill:#595959}.swarm .head{font-size:14px;font-weight:600}"
    ".swarm .halo{paint-order:stroke;stroke:#fff;stroke-width:3px}"
    ".swarm .bold{font-weight:600}.swarm path,.swarm line{vector-effect:non-scaling-stroke}"
    ".swarm .rule{stroke:#d8d8d8}.swarm .mark{stroke:#1c1c1c;stroke-dasharray:4 3}"
    ".swarm .gap{fill:#d97706;fill-opacity:.25;stroke:#d97706}.swarm .edge{stroke:#1c1c1c;stroke-opacity:.55}"
    ".swarm .line{fill:none;stroke-width:1.5}.swarm .plus{fill:#2563eb}.swarm .zero{fill:#b8bcc4}"
    ".swarm .minus{fill:#b91c1c}.swarm .one{fill:#2563eb}.swarm .two{fill:#15803d}.swarm .three{fill:#b91c1c}"
    ".swarm .one.line{fill:none;stroke:#2563eb}.swarm .two.line{fill:none;stroke:#15803d}"
    ".swarm .three.line{fill:none;stroke:#b91c1c}.swarm .area{stroke:#2563eb}.swarm .sleep{fill:#7c3aed;stroke:#7c3aed}"
    "@media(prefers-color-scheme:dark){.swarm{fill:#ececec}.swarm .paper{fill:#161616}.swarm .halo{stroke:#161616}"
    ".swarm .soft{fill:#a8a8a8}"
    ".swarm .rule{stroke:#3a3a3a}.swarm .mark,.swarm .edge{stroke:#ececec}.swarm .gap{fill:#f59e0b;stroke:#f59e0b}"
    ".swarm .plus,.swarm .one{fill:#60a5fa}.swarm .zero{fill:#5b6170}.swarm .minus,.swarm .three{fill:#f87171}"
    ".swarm .two{fill:#4ade80}.swarm .one.line,.swarm .area{stroke:#60a5fa}.swarm .two.line{stroke:#4ade80}"
    ".swarm .three.line{stroke:#f87171}.swarm .sleep{fill:#a78bfa;stroke:#a78bfa}}"
)


def gradient(tables: Tables, world: str = "") -> bytes:
    """Shares of the cells at -1, 0 and +1 by tick, with their numbers at `PHASES` and at the last tick.

    From `swarm.metrics`. A tick without a cell, and one without a row, is marked over the whole height.
    """
    sheet = _Sheet("gradient", "Ternary gradient", world)
    every = _metrics(tables, "minus", "zero", "plus")
    held = every.with_columns(cells=pl.sum_horizontal("minus", "zero", "plus")).filter(pl.col("cells") > 0)
    if held.is_empty():
        return sheet.nothing("No tick yet." if every.is_empty() else "Nobody holds a cell.")
    time, ticks = _Time.of(every["tick"]), _ints(held["tick"])
    cells, minus, zero, plus = (_ints(held[each]) for each in ("cells", "minus", "zero", "plus"))
    at = {tick: place for place, tick in enumerate(ticks.tolist())}
    rows: list[Sequence[str]] = [("phase", "t", "−1", "0", "+1")]
    told = []
    for tick, phase in PHASES if time.last in dict(PHASES) else (*PHASES, (time.last, "newest")):
        if tick in at:
            parts = [_percent(int(each[at[tick]]), int(cells[at[tick]])) for each in (minus, zero, plus)]
            told.append(f"t = {tick:,} ({phase}): {' / '.join(parts)}")
        else:
            parts = ["", "", "not reached" if tick > time.last else "no cell"]
        rows.append((phase, f"{tick:,}", *parts))
    areas = (("minus", cells), ("zero", plus + zero), ("plus", plus))
    paths = [_drawn(time.steps(ticks, part * _HIGH // cells), f"{kind} edge") for kind, part in areas]
    gaps, missing = time.gaps(ticks)
    sheet.words(f"share of the cells by tick{time.told}")
    sheet.put(_legend((("plus", "+1 verified"), ("zero", "0 uncertain"), ("minus", "−1 failed"))), 40)
    sheet.put(_pane(180, time, [*paths, gaps], ("0%", "50%", "100%"), _phases(time)), 206)
    sheet.put(_columns(rows, (0, 122, 168, 215, 262)), 18 * len(rows) + 6)
    sheet.words(*_missing(missing, "cell or row"))
    return sheet.file(f"Shares of the cells at -1 / 0 / +1. {'; '.join(told)}.")


def markers(tables: Tables, world: str = "") -> bytes:
    """Decisions open at each tick's end, when Nyx slept, and how many were opened, decided and given up until then.

    From `swarm.metrics`; the sums count from its first row.
    """
    sheet = _Sheet("markers", "Decisions, open and settled", world)
    every = _metrics(tables, "pending", "opened", "resolved", "void", "mode")
    if every.is_empty():
        return sheet.nothing("No tick yet.")
    time, ticks, pending = _Time.of(every["tick"]), _ints(every["tick"]), _ints(every["pending"])
    asleep = _ints((every["mode"] == "SLUMBER").cast(pl.Int64))
    kinds = (("one", "opened", "opened"), ("two", "decided", "resolved"), ("three", "given up", "void"))
    sums = [(kind, what, np.cumsum(_ints(every[column]))) for kind, what, column in kinds]
    most, end = top(max(int(pending.max()), 1)), top(max(*(int(each[-1]) for *_, each in sums), 1))
    gaps, missing = time.gaps(ticks)
    lines = [_drawn(time.steps(ticks, each * _HIGH // end, closed=False), f"{kind} line") for kind, _, each in sums]
    totals = ", ".join(f"{what} {int(each[-1]):,}" for _, what, each in sums)
    now = f"{int(pending[-1]):,} open"
    slept = f"Nyx slept {_percent(int(asleep.sum()), len(asleep))} of the ticks."
    sheet.words(f"number of decision markers{time.told}")
    open_ = _drawn(time.steps(ticks, pending * _HIGH // most), "one area")
    sheet.put(_heading("open at the tick’s end", now), 24)
    sheet.put(_pane(110, time, [open_, gaps], _scale(most)), 130)
    sheet.put(_pane(8, time, [_drawn(time.steps(ticks, asleep * _HIGH), "sleep")]) + _text("0", "8", "asleep"), 20)
    sheet.put(_heading(f"all since t = {time.first:,}", ""), 20)
    sheet.words(totals)
    sheet.put(_legend([(kind, what) for kind, what, _ in sums]), 24)
    sheet.put(_pane(130, time, [*lines, gaps], _scale(end)), 156)
    sheet.words(slept, *_missing(missing, "row"))
    return sheet.file(f"{now}; from t = {time.first:,} to {time.last:,}: {totals}. {slept}")


def calibration(tables: Tables, world: str = "") -> bytes:
    """Reliability diagram of the scored predictions: how often those of a confidence came true, in 10 bins of [0, 1],
    with counts, 95% intervals (Wilson 1927), Brier score, log loss and expected calibration error.

    From `swarm.blend_predictions`; of a prediction that is in several days' rows, the scored one counts.
    """
    from coevo_pipelines.swarm.decisions.scoring import ece, reliability

    sheet = _Sheet("calibration", "Calibration of predictions", world)
    wanted = ("prediction_id", "prediction_confidence", "scored_tick", "prediction_correct", "brier", "log_loss")
    rows = _table(tables, "swarm.blend_predictions", *wanted).sort("prediction_id", "scored_tick", nulls_last=False)
    every = rows.unique("prediction_id", keep="last", maintain_order=True)
    scored = every.filter(pl.col("prediction_correct").is_not_null())
    open_ = every["scored_tick"].null_count()
    counts = f"{scored.height:,} scored, {every.height - open_ - scored.height:,} void, {open_:,} still open"
    if scored.is_empty():
        return sheet.nothing(f"No prediction was scored yet: {counts}." if every.height else "No prediction yet.")
    given = scored["prediction_confidence"].to_list(), scored["prediction_correct"].to_list()
    bins = reliability(*given, bins=10)
    most = max(count for *_, count in bins)
    drawn, shown = (
        ['<line class="mark" x1="0" y1="50%" x2="100%" y2="0"/>'],
        [("number", "said", "true", "95% interval")],
    )
    for mean, rate, count in bins:
        low, high = _wilson(round(rate * count), count)
        drawn.append(_dot(mean, rate, count, low, high, 3 + 8 * math.sqrt(count / most)))
        shown.append((f"{count:,}", _share(mean), _share(rate), f"{_share(low)}–{_share(high)}"))
    brier, log_loss = (math.fsum(scored[each].drop_nulls()) / scored.height for each in ("brier", "log_loss"))
    numbers = f"Brier {brier:.3f} · ECE {ece(*given, bins=10):.3f} · log loss {log_loss:.3f}"
    sheet.words(counts)
    sheet.put(_text("0", "12", numbers), 28)
    sheet.put(_heading("came true", ""), 34)
    sheet.put(_axes(200, [], ("0%", "50%", "100%"), ("50%", "confidence 75%", "100%"), "".join(drawn)), 230)
    sheet.put(_columns(shown, (44, 100, 158, 262), "end"), 18 * len(shown) + 6)
    sheet.words("Dashed: as often as said. Larger dot: more predictions; its line: 95% interval.")
    told = "; ".join(f"{number}: said {said}, true {true}" for number, said, true, _ in shown[1:])
    return sheet.file(f"{counts}. {numbers}. {told}.")


def lifeforce(tables: Tables, world: str = "") -> bytes:
    """Lifeforce by tick of organisms, patterns' versions and Nyx, what was minted and burnt, each on its own scale
    from 0; and the accounts that hold most.

    From `swarm.metrics`, and the newest of `swarm.organisms` and `swarm.versions`.
    """
    sheet = _Sheet("lifeforce", "Lifeforce by account", world)
    series = (("organisms", "organisms_milli"), ("pattern versions", "patterns_milli"), ("Nyx", "nyx_milli"),
              ("minted in all", "minted_milli"), ("burnt in all", "burnt_milli"))  # fmt: skip
    every = _metrics(tables, *(column for _, column in series))
    if every.is_empty():
        return sheet.nothing("No tick yet.")
    time, ticks = _Time.of(every["tick"]), _ints(every["tick"])
    gaps, missing = time.gaps(ticks)
    told = []
    sheet.words(f"in LF, by tick{time.told}")
    for what, column in series:
        values = every[column].to_list()
        end = top(max(*values, 1000))
        heights = np.array([value * _HIGH // end for value in values], dtype=np.int64)
        now = f"{_lf(values[-1])} LF"
        told.append(f"{what} {now}")
        dates = column == series[-1][1]
        sheet.put(_heading(what, now), 24)
        area = _drawn(time.steps(ticks, heights), "one area")
        sheet.put(_pane(52, time, [area, gaps], ("0 LF", "", f"{_lf(end)} LF"), dates=dates), 88 if dates else 68)
    accounts = _accounts(tables, every["nyx_milli"][-1])
    sheet.put(_heading("accounts that hold most", ""), 18)
    for label, amount in accounts.select("name", "amount").head(ACCOUNTS).iter_rows():
        sheet.put(_row(label, amount, accounts["amount"][0]), 30)
    sheet.y += 12
    if accounts.height > ACCOUNTS:
        hidden = int(accounts["amount"][ACCOUNTS:].sum())
        sheet.words(f"And {accounts.height - ACCOUNTS:,} more with {_lf(hidden)} LF.")
    sheet.words("k: thousands, M: millions.", *_missing(missing, "row"))
    return sheet.file(f"At t = {time.last:,}: {', '.join(told)}.")


def teaching(tables: Tables, world: str = "") -> bytes:
    """Who taught whom: cells taken over. Few organisms by name, in pairs; many by community; both by tier.

    From `swarm.clasps` and the newest `swarm.organisms`, which says communities and tiers. What a teacher took up from
    its student counts as taught by the student.
    """
    sheet = _Sheet("teaching", "Who teaches whom", world)
    clasps = _table(tables, "swarm.clasps", "tick", "teacher_id", "student_id", "overwrites", "upward")
    if clasps.is_empty():
        return sheet.nothing("No clasp yet.")
    down = clasps.select(who="teacher_id", whom="student_id", cells="overwrites")
    up = clasps.select(who="student_id", whom="teacher_id", cells="upward")
    flows = pl.concat([down, up]).filter(pl.col("cells") > 0)
    people = _people(tables)
    idle = clasps.filter((pl.col("overwrites") == 0) & (pl.col("upward") == 0)).height
    first, last = (int(each) for each in clasps["tick"].sort()[[0, -1]])
    moved = f"{int(flows['cells'].sum()):,} cells in {clasps.height:,} clasps, t = {first:,} to {last:,}"
    sheet.words(moved, f"{idle:,} clasps taught nothing")
    taking_part = pl.concat([clasps["teacher_id"], clasps["student_id"]]).unique()
    if len(taking_part) <= NAMED:
        named = people.filter(pl.col("organism_id").is_in(taking_part.to_list()))
        labels = dict(named.select("organism_id", "label").iter_rows())
        sheet.put(_heading("teacher → student", "cells", 100), 18)
        pairs = flows.group_by("who", "whom").agg(pl.col("cells").sum())
        pairs = pairs.sort("cells", "who", "whom", descending=[True, False, False])
        for who, whom, cells in pairs.head(PAIRS).iter_rows():
            sheet.put(_pair(labels.get(who, who), labels.get(whom, whom), cells), 42)
        sheet.y += 12
        if pairs.height > PAIRS:
            left = int(pairs["cells"][PAIRS:].sum())
            sheet.words(f"And {pairs.height - PAIRS:,} more pairs with {left:,} cells.")
    groups = people.select("organism_id", "community", "tier")
    grouped = flows.join(groups, left_on="who", right_on="organism_id", how="left").join(
        groups, left_on="whom", right_on="organism_id", how="left", suffix="_whom"
    )
    told = [moved, f"{idle:,} clasps taught nothing"]
    if len(taking_part) > NAMED:
        told.append(_matrix(sheet, "by community", grouped.select("cells", who="community", whom="community_whom")))
    told.append(_matrix(sheet, "by tier", grouped.select("cells", who="tier", whom="tier_whom"), TIERS))
    sheet.words("Rows teach, columns learn; communities and tiers as they are now. k: thousands, M: millions.")
    return sheet.file(f"{'; '.join(told)}.")


Picture = Callable[[Tables, str], bytes]
PICTURES: Mapping[str, Picture] = {
    "gradient": gradient,
    "markers": markers,
    "calibration": calibration,
    "teaching": teaching,
    "lifeforce": lifeforce,
}
"""By name, in the order to show them. `world`: the lake's; the sample is named as one."""


def draw_all(tables: Tables, world: str = "") -> dict[str, bytes]:
    """Each picture as the bytes of an SVG file (UTF-8), by the name of `PICTURES`. The same rows give the same bytes.

    Raises ValueError for a table or column that is not there, and for two different rows of one tick.
    """
    return {name: picture(tables, world) for name, picture in PICTURES.items()}


@dataclass
class _Sheet:
    """A picture, filled from its top down."""

    name: str
    title: str
    world: str
    parts: list[str] = field(default_factory=list)
    y: int = 46

    @property
    def label(self) -> str:
        return "Simulated, on the sample" if self.world == "sample" else "Simulated"

    def put(self, part: str, high: int) -> None:
        self.parts.append(f'<svg y="{self.y}" width="100%" height="{high}" overflow="visible">{part}</svg>')
        self.y += high

    def words(self, *said: str) -> None:
        for line in (line for each in said for line in wrap(each, _LINE)):
            self.put(_text("0", "12", line, "soft"), 16)
        self.y += 4 if said else 0

    def file(self, desc: str) -> bytes:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="swarm" role="img" width="560" height="{self.y + 16}" '
            f'aria-labelledby="{self.name}-t {self.name}-d"><title id="{self.name}-t">{self.title}</title>'
            f'<desc id="{self.name}-d">{self.label}. {desc}</desc><style>{_STYLE}</style>'
            '<rect class="paper" width="100%" height="100%"/>'
            f'<svg x="2%" y="8" width="96%" height="{self.y}" overflow="visible">'
            f"{_text('0', '14', self.title, 'head')}{_text('0', '34', self.label, 'soft')}{''.join(self.parts)}</svg>"
            "</svg>\n"
        ).encode()

    def nothing(self, why: str) -> bytes:
        self.words(why)
        return self.file(why)


@dataclass(frozen=True)
class _Time:
    """The ticks a picture shows; tick t is drawn from t to t + 1."""

    first: int
    last: int

    @classmethod
    def of(cls, ticks: pl.Series) -> _Time:
        return cls(int(ticks[0]), int(ticks[-1]))

    @property
    def span(self) -> int:
        return max(self.last - self.first + 1, LEAST)

    @property
    def columns(self) -> int:
        return min(self.span, COLUMNS)

    @property
    def told(self) -> str:
        return "" if self.span <= COLUMNS else f", {-(-self.span // COLUMNS):,} ticks a column"

    def percent(self, tick: int) -> float:
        return 100 * (tick - self.first) / self.span

    def steps(self, ticks: Ints, heights: Ints, *, closed: bool = True) -> str:
        """The path of a value by tick in units of the drawing; `closed`: an area from 0, else its upper line."""
        columns = (ticks - self.first) * self.columns // self.span
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        ends = np.append(starts[1:], len(ticks)) - 1
        reached = (heights[starts], np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts),
                   heights[ends])  # fmt: skip
        parts: list[str] = []
        x, y, wide = -1, 0, 0
        for column, first, low, high, last in np.stack([columns[starts], *reached], axis=1).tolist():
            if column != x:
                parts.append(_end(wide, closed and x >= 0) + f"M{column} {_HIGH if closed else _HIGH - first}")
                x, y, wide = column, 0 if closed else first, 0
            for each in (first, *((low, high) if first <= last else (high, low)), last):
                if each != y:
                    parts.append((f"h{wide}" if wide else "") + f"v{y - each}")
                    y, wide = each, 0
            x, wide = x + 1, wide + 1
        return "".join(parts) + _end(wide, closed)

    def gaps(self, ticks: Ints) -> tuple[str, int]:
        """Marks over the columns in which a tick is missing, and how many are."""
        edges = [self.first - 1, *ticks.tolist(), self.last + 1]
        marks, missing, reached = [], 0, 0
        for before, after in pairwise(edges):
            if after - before > 1:
                missing += after - before - 1
                x, end = ((each - self.first) * self.columns // self.span for each in (before + 1, after - 1))
                x = max(x, reached)
                if x <= end:
                    marks.append(f"M{x} 0H{end + 1}V{_HIGH}H{x}z")
                    reached = end + 1
        return (f'<path class="gap" d="{"".join(marks)}"/>' if marks else ""), missing


def _end(wide: int, closed: bool) -> str:
    return (f"h{wide}" if wide else "") + (f"V{_HIGH}z" if closed else "")


def _table(tables: Tables, name: str, *columns: str) -> pl.DataFrame:
    if name not in tables:
        raise ValueError(f"pictures need {name}, and it was not given; known: {', '.join(tables) or 'nothing'}")
    missing = [each for each in columns if each not in tables[name].columns]
    if missing:
        raise ValueError(f"pictures need {name}.{missing[0]}, and there is no such column: see lake/schemas.py")
    return tables[name].select(columns)


def _metrics(tables: Tables, *columns: str) -> pl.DataFrame:
    rows = _table(tables, "swarm.metrics", "tick", *columns).unique().sort("tick")
    twice = rows.filter(pl.col("tick").is_duplicated())["tick"]
    if len(twice):
        raise ValueError(f"swarm.metrics: two different rows of tick {twice[0]}: give the rows of one simulation")
    return rows


def _newest(tables: Tables, name: str, *columns: str) -> pl.DataFrame:
    frame = tables.get(name)
    if frame is not None and "date" in frame.columns:
        tables = {name: frame.filter(pl.col("date") == pl.col("date").max())}
    return _table(tables, name, *columns)


def _people(tables: Tables) -> pl.DataFrame:
    rows = _newest(tables, "swarm.organisms", "organism_id", "label", "community_id", "community", "tier")
    number = pl.format("community {}", "community_id")
    return rows.select(
        "organism_id",
        "tier",
        label=pl.coalesce("label", "organism_id"),
        community=pl.when(pl.col("community_id") < 0).then(pl.lit(_NONE)).otherwise(pl.coalesce("community", number)),
    )


def _accounts(tables: Tables, nyx: int) -> pl.DataFrame:
    """`name` and `amount` of all accounts above 0, largest first."""
    organisms = _newest(tables, "swarm.organisms", "organism_id", "label", "lf_milli")
    versions = _newest(tables, "swarm.versions", "pattern", "version_id", "title", "lf_milli")
    named = pl.concat(
        [
            organisms.select(name=pl.coalesce("label", "organism_id"), id="organism_id", amount="lf_milli"),
            versions.select(
                name=pl.concat_str("pattern", pl.coalesce("title", "version_id"), separator=": "),
                id=pl.concat_str("pattern", "version_id", separator=":"),
                amount="lf_milli",
            ),
            pl.DataFrame([{"name": "Nyx", "id": "", "amount": nyx}]),
        ]
    )
    return named.filter(pl.col("amount") > 0).sort("amount", "name", "id", descending=[True, False, False])


def _matrix(sheet: _Sheet, title: str, flows: pl.DataFrame, order: Sequence[str] | None = None) -> str:
    """Cells taken over from group `who` to group `whom` as a grid, and the same in words; null: of an organism that is
    no longer there. `order`: of the groups; None: the largest first, and only so many."""
    sides = [pl.col(each).fill_null(_GONE) for each in ("who", "whom")]
    pairs = flows.group_by(sides).agg(pl.col("cells").sum())
    sums: dict[tuple[str, str], int] = {(who, whom): cells for who, whom, cells in pairs.iter_rows()}
    sizes: dict[str, int] = {}
    for pair, cells in sums.items():
        for each in pair:
            sizes[each] = sizes.get(each, 0) + cells
    if order is None:
        kept = sorted(sizes, key=lambda each: (-sizes[each], each))
        keys = kept if len(kept) <= GROUPS else [*kept[:GROUPS], _OTHERS]
    else:
        keys = [*order, *((_GONE,) if _GONE in sizes else ())]
    folded: dict[tuple[str, str], int] = {}
    for (who, whom), cells in sums.items():
        pair = (who if who in keys else _OTHERS, whom if whom in keys else _OTHERS)
        folded[pair] = folded.get(pair, 0) + cells
    most, step = max(folded.values(), default=0), (100 - _LABEL) / max(1, len(keys))
    heads = [_text(f"{_LABEL + step * (i + 0.5):.2f}%", "16", str(i + 1), "soft", "middle") for i in range(len(keys))]
    sheet.put("".join([_text("0", "16", title, "bold"), *heads]), 24)
    for row, who in enumerate(keys):
        parts = [_clipped("0", 2, f"{_LABEL - 1}%", f"{row + 1} {_known(who)}")]
        for column, whom in enumerate(keys):
            cells, x = folded.get((who, whom), 0), _LABEL + step * column
            shade = f"{0.08 + 0.37 * math.sqrt(cells / most):.2f}" if cells else "0"
            parts.append(
                f"<g><title>{_label(_known(who), 60)} → {_label(_known(whom), 60)}: {cells:,} cells</title>"
                f'<rect class="one" fill-opacity="{shade}" x="{x:.2f}%" width="{step - 0.5:.2f}%" height="22"/>'
                + _text(f"{x + step / 2:.2f}%", "15", _short(cells), "" if cells else "soft", "middle")
                + "</g>"
            )
        sheet.put("".join(parts), 24)
    if not keys:
        sheet.words("nothing was taught")
    sheet.y += 12
    told = [f"{_label(_known(a), 60)} → {_label(_known(b), 60)} {n:,}" for a in keys for b in keys
            if (n := folded.get((a, b), 0))]  # fmt: skip
    return f"{title}: {', '.join(told) or 'nothing'}"


def _known(group: str) -> str:
    return group.lower().replace("_", " ") if group in TIERS else group


def _pane(
    high: int, time: _Time, paths: Iterable[str], scale: Sequence[str] = (), over: str = "", *, dates: bool = True
) -> str:
    """Paths over the ticks; without a scale, without lettering too."""
    end = time.first + time.span - 1
    ticks = [f"t = {each:,}" for each in (time.first, (time.first + end) // 2, end)] if dates and scale else []
    drawing = (
        f'<svg width="100%" height="100%" viewBox="0 0 {time.columns} {_HIGH}" preserveAspectRatio="none" '
        f'overflow="visible">{"".join(paths)}</svg>'
    )
    return _axes(high, [drawing], scale, ticks, over)


def _axes(high: int, drawings: Iterable[str], scale: Sequence[str], across: Sequence[str], over: str = "") -> str:
    """Drawings in a frame: names of the heights 0, half and whole, and of left, middle and right."""
    parts = [f'<svg x="{_LEFT}" width="{_WIDE}%" height="{high}" overflow="visible">']
    for height, name in zip((100, 50, 0), scale, strict=False):
        parts.append(f'<line class="rule" x1="0" x2="100%" y1="{height}%" y2="{height}%"/>')
        parts.append(_text("-6", f"{height}%", name, "soft", "end", shift=("0", ".35em")) if name else "")
    parts += drawings
    for x, anchor, name in zip((0, 50, 100), ("start", "middle", "end"), across, strict=False):
        parts.append(_text(f"{x}%", str(high + 16), name, "soft", anchor))
    return "".join([*parts, over, "</svg>"])


def _phases(time: _Time) -> str:
    """Lines at the phases, and their ticks where there is room for them."""
    parts, free = [], 0.0
    for tick, _ in PHASES:
        x = time.percent(tick)
        if time.first <= tick <= time.last:
            parts.append(f'<line class="mark" x1="{x:.2f}%" x2="{x:.2f}%" y1="-4" y2="100%"/>')
            if x >= free:
                anchor = "start" if x < 3 else "end" if x > 90 else "middle"
                parts.append(_text(f"{x:.2f}%", "-8", f"{tick:,}", anchor=anchor))
                free = x + 9
    return "".join(parts)


def _dot(mean: float, rate: float, count: int, low: float, high: float, radius: float) -> str:
    """Predictions of a bin: confidence from 50% across, what came true upwards, the interval as a line."""
    x, y = f"{200 * mean - 100:.1f}%", f"{100 - 100 * rate:.1f}%"
    return (
        f'<line class="one line" x1="{x}" x2="{x}" y1="{100 - 100 * low:.1f}%" y2="{100 - 100 * high:.1f}%"/>'
        f'<circle class="one" cx="{x}" cy="{y}" r="{radius:.1f}"/>'
        + _text(x, y, f"{count:,}", "halo", "middle", shift=("0", f"{-radius - 4:.1f}"))
    )


def _drawn(path: str, kinds: str) -> str:
    return f'<path class="{kinds}" d="{path}"/>'


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<rect class="{kind}" x="{94 * place}" width="10" height="10"/>' + _text(str(94 * place + 14), "10", what)
        for place, (kind, what) in enumerate(entries)
    )


def _columns(rows: Sequence[Sequence[str]], places: Sequence[int], first: str = "start") -> str:
    """A small table, its first row the head; columns end at their places, but for a first one that starts there."""
    anchors = (first, *["end"] * (len(places) - 1))
    return "".join(
        _text(str(x), str(12 + 18 * row), cell, "soft" if row == 0 else "", anchor)
        for row, cells in enumerate(rows)
        for x, cell, anchor in zip(places, cells, anchors, strict=True)
        if cell
    )


def _heading(what: str, now: str, end: int = 0) -> str:
    """Words over a drawing, its newest value where the drawing ends, or at `end` per cent."""
    value = _text(f"{end or _WIDE}%", "12", now, anchor="end", shift=("0" if end else str(_LEFT), "0")) if now else ""
    return _text("0", "12", what, "bold") + value


def _row(label: str, amount: int, most: int) -> str:
    return (
        _clipped("0", 0, "72%", label)
        + _text("100%", "15", f"{_lf(amount)} LF", anchor="end")
        + f'<rect class="one" y="21" width="{100 * amount / most:.2f}%" height="4"/>'
    )


def _pair(who: str, whom: str, cells: int) -> str:
    return (
        _clipped("0", 0, "84%", who)
        + _text("4", "33", "→", "soft")
        + _clipped("22", 18, "77%", whom)
        + _text("100%", "33", f"{cells:,}", anchor="end")
    )


def _clipped(x: str, y: int, width: str, given: str) -> str:
    """Text that ends where its room ends, whatever it is made of; whole for a pointer."""
    return (
        f'<svg x="{x}" y="{y}" width="{width}" height="22" overflow="hidden"><title>{_label(given, 200)}</title>'
        + f'<text y="15">{_label(given, 100)}</text></svg>'
    )


def _missing(number: int, what: str) -> list[str]:
    return [f"Marked: {number:,} ticks without a {what}."] if number else []


def _text(x: str, y: str, given: str, kind: str = "", anchor: str = "", *, shift: tuple[str, str] | None = None) -> str:
    """Own words and numbers only: `given` is not escaped."""
    more = f' class="{kind}"' if kind else ""
    more += f' text-anchor="{anchor}"' if anchor and anchor != "start" else ""
    more += f' dx="{shift[0]}" dy="{shift[1]}"' if shift else ""
    return f'<text x="{x}" y="{y}"{more}>{given}</text>'


def _label(given: str, most: int) -> str:
    return text(given if len(given) <= most else given[: most - 1] + "…", most)


def _ints(column: pl.Series) -> Ints:
    return column.cast(pl.Int64).to_numpy().astype(np.int64)


def _percent(part: int, whole: int) -> str:
    """To one decimal, rounded half up in integers."""
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10}%"


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"


def _scale(most: int) -> tuple[str, str, str]:
    return "0", _short(most // 2) if most > 1 else "", _short(most)


def _short(number: int) -> str:
    """In room for four characters: 999, 1k, 12k, 3M."""
    value, unit = number, ""
    for larger in ("k", "M", "G", "T"):
        if value < 1000:
            break
        value, unit = (value + 500) // 1000, larger
    return f"{value}{unit}"


def _lf(milli: int) -> str:
    """Thousandths of one LF as LF: whole up to 9,999.9, then to a tenth of thousands, millions, …"""
    tenths, unit = (milli + 50) // 100, ""
    for larger in ("k", "M", "G", "T"):
        if tenths < 100_000:
            break
        tenths, unit = (tenths + 500) // 1000, larger
    return f"{tenths // 10:,}{f'.{tenths % 10}' if tenths % 10 else ''}{unit}"


def _wilson(hits: int, of: int) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927, the score interval)."""
    z = 1.959963984540054
    middle, room = hits / of + z * z / (2 * of), z * math.sqrt(hits * (of - hits) / of**3 + (z / (2 * of)) ** 2)
    return max(0.0, (middle - room) / (1 + z * z / of)), min(1.0, (middle + room) / (1 + z * z / of))
