"""What a page and a set of records are to whoever builds the report: what they ask, and what they make of the answers.

A question is SQL for the catalog; `getvariable('day')` in it is the day of the report. It must ask for no later day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from coevo_pipelines.lake.ledger import Index

if TYPE_CHECKING:
    import polars as pl

    Frames = Mapping[str, pl.DataFrame]
    """The answers, by the names of the questions."""


@dataclass(frozen=True)
class About:
    """What every page says of the report it belongs to."""

    day: date
    world: str
    """sample, live or synthetic."""
    days: tuple[date, ...]
    """Days up to this one that the lake holds, oldest first."""
    commits: Index = field(default_factory=Index)
    """Ledger entries of those days, as the catalog holds them."""


def no_data(_frames: Frames, _about: About) -> Iterable[tuple[str, Any]]:
    """Of a page that has all in its HTML."""
    return ()


@dataclass(frozen=True)
class Page:
    """One HTML file. `body` must give the same HTML for the same rows in the same order."""

    name: str
    """`rewards` is rewards.html."""
    title: str
    """In the navigation and as heading."""
    queries: Mapping[str, str]
    body: Callable[[Frames, About], str]
    """HTML of the page's main part, below its heading."""
    scripts: tuple[str, ...] = ()
    """Files of web/ that it needs beside report.js."""
    in_navigation: bool = True
    data: Callable[[Frames, About], Iterable[tuple[str, Any]]] = no_data
    """Name and value (JSON) of what its scripts load: `graph/nodes` is data/graph/nodes.js, `coevo.load("graph/nodes")`
    in the page."""


@dataclass(frozen=True)
class Records:
    """What one page shows of many things: one record a thing, fetched by its identifier when it is looked at.

    A record is JSON; what is strangers' text in it has gone through `html.seen`.
    """

    kind: str
    """`work`: shown by work.html?id=…, kept in data/work/."""
    queries: Mapping[str, str]
    records: Callable[[Frames, About], Iterable[tuple[str, Mapping[str, Any]]]]
    """Identifier and record, in any order."""
