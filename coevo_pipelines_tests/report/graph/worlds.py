"""Graphs of any size for the tests of the picture: grown in communities, the same for the same numbers."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from coevo_pipelines.lake.schemas import KINDS, RELATIONS
from coevo_pipelines.report import html, records
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages.graph import PAGE

DAY = date(2019, 3, 27)
ABOUT = About(DAY, "synthetic", (DAY,))

Frames = dict[str, pl.DataFrame]


def frames(works: int, links: int, communities: int = 12, title: str = "Work number", alone: float = 0.15) -> Frames:
    """The answers that the page asks for; a part `alone` of the works has no link."""
    draw = np.random.default_rng(7)
    linked = max(int(works * (1 - alone)), 1)
    home = draw.integers(0, max(communities, 1), works)
    source = draw.integers(0, linked, links)
    target = (linked * draw.random(links) ** 2).astype(np.int64)
    near = draw.random(links) < 0.9
    target[near] -= (home[target[near]] - home[source[near]]) % communities
    target = np.clip(target, 0, linked - 1)
    ids = np.array([f"arxiv:{number:09d}" for number in range(works)])
    kinds = [KINDS[number % len(KINDS)] for number in range(works)]
    uses = np.bincount(target, minlength=works)
    nodes = pl.DataFrame(
        {
            "node_id": ids, "is_stub": [number % 11 == 10 for number in range(works)], "kind": kinds,
            "title": [f"{title} {number}" for number in range(works)],
            "created": [DAY - timedelta(days=(number * 37) % 9000) for number in range(works)],
            "inflow": uses / max(uses.sum(), 1), "in_degree": uses,
            "chamber_id": [f"2019-03-25-{home[number]:04d}" if number < linked else None for number in range(works)],
        },
        schema_overrides={"node_id": pl.String, "kind": pl.String, "title": pl.String, "created": pl.Date,
                          "chamber_id": pl.String, "is_stub": pl.Boolean},
    )  # fmt: skip
    edges = pl.DataFrame(
        {
            "source": ids[source], "target": ids[target],
            "relation": [RELATIONS[number % len(RELATIONS)] for number in range(links)],
            "weight": [number % 2 for number in range(links)], "day": [DAY] * links,
        },
        schema_overrides={"source": pl.String, "target": pl.String, "relation": pl.String, "weight": pl.Int64,
                          "day": pl.Date},
    )  # fmt: skip
    chambers = (
        nodes.drop_nulls("chamber_id").group_by("chamber_id").agg(pl.len().cast(pl.Int64).alias("size"))
        .sort("chamber_id").with_columns(leading_terms=pl.concat_list(pl.lit("ant"), "chamber_id"))
    )  # fmt: skip
    return {
        "nodes": nodes.sort(pl.col("inflow").neg(), "node_id"),
        "edges": edges.unique(["source", "target", "relation"], keep="first", maintain_order=True),
        "chambers": chambers,
    }


def write(folder: Path, given: Frames) -> Path:
    """The page with all that it needs beside it; its address."""
    from coevo_pipelines.report.build import WEB

    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("*.md"))
    page = folder / "graph.html"
    page.write_bytes(html.page(PAGE, [PAGE], ABOUT, PAGE.body(given, ABOUT)))
    for name, value in PAGE.data(given, ABOUT):
        records.script(folder / "data" / f"{name}.js", name, value)
    records.script(
        folder / "data" / "about.js", "about", {"day": DAY, "days": [DAY], "world": "synthetic", "shards": {}}
    )
    return page
