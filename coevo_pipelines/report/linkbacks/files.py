"""The lists as files in a folder, for the report and for `coevo export linkbacks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coevo_pipelines.lake.ledger import write_whole
from coevo_pipelines.lake.schemas import KINDS
from coevo_pipelines.report.linkbacks.formats import FORMATS
from coevo_pipelines.report.linkbacks.works import Listed, topics, works_of

if TYPE_CHECKING:
    import duckdb

MOST = 100
"""Works in a list, unless another number is asked for."""


@dataclass(frozen=True)
class Written:
    """A file and the list that is in it."""

    path: Path
    listed: Listed


def write(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    world: str,
    *,
    chosen: Callable[[list[str]], Sequence[str]] = list,
    kinds: Sequence[str] = KINDS,
    formats: Sequence[str] = tuple(FORMATS),
    most: int | None = MOST,
) -> Iterator[Written]:
    """Write `folder`/<topic>/<file> for the day of the connection (variable `day`), each file whole; yield each.

    `chosen` picks among the topics that there are.
    """
    ((day,),) = connection.execute("SELECT getvariable('day')").fetchall()
    for topic in chosen(topics(connection)):
        listed = works_of(connection, world, day, topic, kinds, most)
        (folder / topic).mkdir(parents=True, exist_ok=True)
        for name in formats:
            file, written = FORMATS[name]
            path = folder / topic / file
            write_whole(path, written(listed).encode())
            yield Written(path, listed)
