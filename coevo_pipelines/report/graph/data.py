"""What the page of the graph is given: columns of numbers and names, the most linked works first, in parts.

Works are numbered by falling inflow, so that the first part already shows what matters; a link is in the part of
the later of its two works, so that every part can be drawn once those before it are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.report.graph import layout, timeline
from coevo_pipelines.report.html import seen
from coevo_pipelines.report.words import short

if TYPE_CHECKING:
    import polars as pl

PART = 5_000
"""Works in a part."""
TITLE = 160
"""Most characters of a title on the map; the work's own page has all of it."""
COLOURS = 10
"""Colours for chambers (web/graph.css)."""
NAMED = 3
"""Words that name a chamber."""
PRECISION = 10
"""Places are whole numbers of tenths of a work's room."""


def parts(
    nodes: pl.DataFrame, edges: pl.DataFrame, chambers: pl.DataFrame, kinds: tuple[str, ...], relations: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """`graph/head` and `graph/0`, `graph/1`, …: names and values of the files.

    `nodes`, most linked first: node_id, is_stub, kind, title, created (date), inflow, chamber_id. `edges`: source,
    target (node_id), relation, weight, day (date). `chambers`: chamber_id, size, leading_terms, event. Kinds and
    relations are said by their place in `kinds` and `relations`.
    """
    import polars as pl

    numbered = nodes.select("node_id").with_row_index("number")
    linked = (
        edges.join(numbered.rename({"node_id": "source", "number": "s"}), on="source")
        .join(numbered.rename({"node_id": "target", "number": "t"}), on="target")
        .select(
            pl.col("s", "t").cast(pl.Int64),
            pl.col("relation").replace_strict(list(relations), range(len(relations)), return_dtype=pl.Int64).alias("r"),
            pl.col("weight").cast(pl.Int64).alias("w"),
            pl.col("day").cast(pl.Date).cast(pl.Int32).cast(pl.Int64).alias("d"),
        )
        .sort(pl.max_horizontal("s", "t"), "s", "t", "r")
    )
    chambers = chambers.sort("size", "chamber_id", descending=[True, False])
    chamber = _numbers(nodes, chambers)
    source, target = linked["s"].to_numpy(), linked["t"].to_numpy()
    day = _days(nodes, linked)
    order = np.lexsort((np.arange(nodes.height), day))
    rank = np.empty(nodes.height, dtype=np.int64)
    rank[order] = np.arange(nodes.height)
    places = layout.place(nodes.height, source, target, chamber, rank)
    time = timeline.place(day, _lanes(places))
    drawn = (source != target).sum()
    yield "graph/head", {
        "works": nodes.height,
        "links": linked.height,
        "drawn": int(drawn),
        "parts": -(-nodes.height // PART),
        "kinds": list(kinds),
        "relations": list(relations),
        "chambers": _chambers(chambers, chamber, places, time),
        "scale": PRECISION,
        "map": {"linked": [round(edge, 2) for edge in places.linked], "whole": round(places.whole, 2)},
        "time": {
            "width": round(time.width, 2), "height": round(time.height, 2), "linked": round(time.linked, 2),
            "ticks": [list(tick) for tick in time.ticks]
        },
    }  # fmt: skip
    columns = {
        "id": nodes["node_id"].to_list(),
        "title": [None if title is None else seen(short(title, TITLE), TITLE) for title in nodes["title"].to_list()],
        "kind": [kinds.index(kind) if kind in kinds else -1 for kind in nodes["kind"].to_list()],
        "stub": nodes["is_stub"].cast(pl.Int8).to_list(),
        "chamber": chamber.tolist(),
        "inflow": [float(f"{value:.4g}") for value in nodes["inflow"].fill_null(0.0).to_list()],
        "created": nodes["created"].cast(pl.Date).cast(pl.Int32).to_list(),
    }
    at = {"map": _whole(places.xy), "time": _whole(time.xy)}
    last = np.maximum(source, target)
    for number, start in enumerate(range(0, nodes.height, PART)):
        held = slice(start, start + PART)
        mine = linked[int(np.searchsorted(last, start)) : int(np.searchsorted(last, start + PART))]
        yield (
            f"graph/{number}",
            {
                **{name: column[held] for name, column in columns.items()},
                **{name: xy[held].ravel().tolist() for name, xy in at.items()},
                "links": {name: mine[name].to_list() for name in ("s", "t", "r", "w", "d")},
            },
        )


def _numbers(nodes: pl.DataFrame, chambers: pl.DataFrame) -> NDArray[np.int64]:
    """The chamber of each work as its row in `chambers`; -1 for none."""
    import polars as pl

    rows = chambers.select("chamber_id").with_row_index("chamber")
    found = nodes.select("node_id", "chamber_id").join(rows, on="chamber_id", how="left", maintain_order="left")
    return found["chamber"].cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int64)


def _days(nodes: pl.DataFrame, linked: pl.DataFrame) -> NDArray[np.int64]:
    """When each work appeared, in days since 1970; one without a date stands where it was first used, and one that
    nothing dated uses where the first work stands."""
    import polars as pl

    created = nodes["created"].cast(pl.Date).cast(pl.Int32).cast(pl.Int64)
    used = linked.group_by("t").agg(pl.col("d").min())
    first = nodes.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("t")).join(
        used, on="t", how="left", maintain_order="left"
    )["d"]
    known = pl.DataFrame({"created": created, "first": first}).select(pl.coalesce("created", "first").alias("day"))[
        "day"
    ]
    least = known.min()
    return known.fill_null(0 if least is None else least).to_numpy().astype(np.int64)


def _lanes(places: layout.Places) -> NDArray[np.int64]:
    """The lane of each work: groups from the top in the order in which they lie on the map, so that what is linked is
    near here too; groups of a few works share the last of them."""
    k = places.radius.size
    sizes = np.bincount(places.group[places.group >= 0], minlength=k)
    own = np.flatnonzero(sizes >= max(5, sizes.sum() // 200))
    order = own[np.lexsort((own, -places.centre[own, 1]))]
    lane = np.full(k + 1, order.size, dtype=np.int64)
    lane[order] = np.arange(order.size)
    lane[k] = -1  # where group -1 looks
    return lane[places.group]


def _chambers(
    chambers: pl.DataFrame, chamber: NDArray[np.int64], places: layout.Places, time: timeline.Timeline
) -> list[dict[str, Any]]:
    """Chambers by falling size: id, name, size, colour, middle and radius on the map, middle of their works in time."""
    out: list[dict[str, Any]] = []
    lanes = _lanes(places)
    by_chamber = np.argsort(chamber, kind="stable")
    edges = np.searchsorted(chamber[by_chamber], np.arange(chambers.height + 1))
    middles = np.zeros((chambers.height, 2))
    colours = np.zeros(chambers.height, dtype=np.int64)
    for number, row in enumerate(chambers.iter_rows(named=True)):
        mine = by_chamber[edges[number] : edges[number + 1]]
        middles[number] = places.xy[mine].mean(axis=0) if mine.size else 0.0
        if number < COLOURS:
            colours[number] = number
        else:  # the colour whose nearest bearer so far is farthest away
            gaps = np.hypot(*(middles[:number] - middles[number]).T)
            nearest = [gaps[colours[:number] == colour].min() for colour in range(COLOURS)]
            colours[number] = int(np.argmax(nearest))
        away = np.hypot(*(places.xy[mine] - middles[number]).T)
        reach = np.quantile(away, 0.98) if mine.size else 0.0  # single works far out do not make the disc
        lane = int(np.bincount(lanes[mine] + 1).argmax()) - 1 if mine.size else -1
        # A lane may hold a few works without a chamber, or with another one, that hang on its chamber's works.
        has_lane = 0 <= lane < time.top.size and 2 * np.count_nonzero(lanes[mine] == lane) > np.count_nonzero(
            lanes == lane
        )
        name = " · ".join(row["leading_terms"][:NAMED])
        out.append(
            {
                "id": row["chamber_id"],
                "name": seen(name, 60) or row["chamber_id"],
                "size": row["size"],
                "colour": int(colours[number]),
                "at": [round(float(value), 1) for value in middles[number]],
                "reach": round(float(reach), 1),
                "lane": [round(float(time.top[lane]), 1), round(float(time.bottom[lane]), 1)] if has_lane else None,
            }
        )
    return out


def _whole(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(xy * PRECISION).astype(np.int64)
