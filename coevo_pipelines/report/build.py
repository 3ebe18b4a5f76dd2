"""A day's report: ask the catalog, write the pages and what lies beside them into a new folder, put it in its place.

Reports are derived, like the catalog: whoever holds the lake can make them again. One process of a lake at a time
makes them. What a killed one left is cleared away by the next, and the day has its old report or its new one.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.ledger import sync_folder
from coevo_pipelines.lake.store import LakeError
from coevo_pipelines.report import entrance, exchange, html, made, records
from coevo_pipelines.report.linkbacks import files as linkbacks
from coevo_pipelines.report.page import About
from coevo_pipelines.report.site import PAGES, RECORDS

if TYPE_CHECKING:
    import duckdb

    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.report.made import Sources
    from coevo_pipelines.report.page import Frames

FOLDER = "report/snapshot"
WEB = Path(__file__).parent / "web"
WRITING, REPLACED = ".writing-", ".replaced-"

Tell = Callable[[str, str], None]
"""Told before each part of the work: `ask`, `page`, `records`, `files` or `swap`, and which."""
PARTS = 2 * len(PAGES) + 2 * len(RECORDS) + 2
"""How often it is told in one build."""


def silent(_part: str, _which: str) -> None:
    """Nobody listens."""


class ReportError(LakeError):
    """A report could not be made; the message says which, why, and the way out. The old one is as it was."""


class NoSuchDay(ReportError):
    """There is nothing to make that day's report from."""


@dataclass(frozen=True)
class Built:
    """A report: where it is, how large, and whether it was made now or was found up to date."""

    day: date
    folder: Path
    files: int
    bytes: int
    changed: bool = True
    behind: int = 0
    """Partitions of the lake that are newer than the catalog, and so not in it."""

    @property
    def page(self) -> Path:
        """What to open."""
        return self.folder / "index.html"


def folder_of(lake: Lake, day: date) -> Path:
    return lake.root / FOLDER / f"date={day}"


def build(lake: Lake, day: date | None = None, tell: Tell = silent) -> Built:
    """Make the report of `day` (none: the newest) from the lake's catalog; an older one of it is replaced as a whole.

    Raises FileNotFoundError where there is no catalog, NoSuchDay for a day that the catalog has nothing of, and
    ReportError when the report cannot be written.
    """
    with _alone(lake) as (connection, sources):
        if not sources.days:
            raise NoSuchDay("the catalog is empty: run `coevo run --date YYYY-MM-DD` first")
        day = day or sources.days[-1]
        if day not in sources.days:
            raise NoSuchDay(
                f"the catalog has nothing of {day} (its last day is {sources.days[-1]}): "
                f"run `coevo run --date {day}` first"
            )
        return _build(lake, connection, sources, day, tell)


def renew(lake: Lake, asked: Iterable[date]) -> Iterator[Built]:
    """The reports of the days asked for, and all others whose data have changed: an earlier day was filled in since.

    What is up to date is left alone. A newer version of the report renews the days asked for only, since a lake may
    hold years of them; `coevo report build --date …` renews one of the others.

    One by one: a report that was made stays when a later one fails. Raises as `build`, and makes the report of a day
    of which the lake has nothing, too: an empty day is not a missing one.
    """
    with _alone(lake) as (connection, sources):
        days = list(asked)
        others = [day for day in reports(lake) if day not in days]
        for day in [*days, *reversed(others)]:
            held = _found(lake, sources, day, whatever_code=day not in days)
            if held is None:
                yield _build(lake, connection, sources, day, silent)
            elif day in days:
                yield held


def reports(lake: Lake) -> list[date]:
    """Days that have a report, oldest first."""
    found = []
    for path in (lake.root / FOLDER).glob("date=*/index.html"):
        try:
            found.append(date.fromisoformat(path.parent.name.removeprefix("date=")))
        except ValueError:
            continue  # a folder of somebody's own
    return sorted(found)


@contextmanager
def _alone(lake: Lake) -> Iterator[tuple[duckdb.DuckDBPyConnection, Sources]]:
    """The catalog, opened for asking, and no other process at the reports. Leftovers are cleared away at the start, and
    at the end the way in knows every report."""
    path = lake.root / CATALOG
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: run `coevo run` or `coevo catalog` first")
    with FileLock(lake.root / ".report.lock"):
        home = lake.root / FOLDER
        home.mkdir(parents=True, exist_ok=True)
        _clear(home)
        with open_catalog(path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            # A sum over several threads depends in its last digit on which is first, and the pages must not.
            connection.execute("SET threads = 1")
            try:
                yield connection, made.sources(lake, connection)
            except BaseException:
                with suppress(OSError):  # a full disk ends this too; the first error is the one to tell
                    entrance.write(lake.root / "report", reports(lake), connection)
                raise
            entrance.write(lake.root / "report", reports(lake), connection)


def _clear(home: Path) -> None:
    """What killed builds left: a report that was out of its place goes back, the rest goes."""
    for replaced in home.glob(f"{REPLACED}date=*"):
        place = home / replaced.name.removeprefix(REPLACED)
        if not place.exists():
            replaced.rename(place)
    for leftover in (*home.glob(f"{WRITING}*"), *home.glob(f"{REPLACED}*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _found(lake: Lake, sources: Sources, day: date, *, whatever_code: bool) -> Built | None:
    """The report of `day` when it is there, whole, and made from what the lake holds now, by this code or by any."""
    folder = folder_of(lake, day)
    try:
        _, about, _ = records.read(folder / "data" / "about.js")
        files, size = _measure(folder)
        whole = (about["files"], about["bytes"]) == (files - 1, size - (folder / "data" / "about.js").stat().st_size)
        current = about["data"] == sources.digest(day) and (whatever_code or about["made"] == sources.name(day))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Built(day, folder, files, size, False, sources.behind) if whole and current else None


def _measure(folder: Path) -> tuple[int, int]:
    """Files below `folder`, and their bytes."""
    files = size = 0
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            inner = _measure(Path(entry.path))
            files, size = files + inner[0], size + inner[1]
        else:
            files, size = files + 1, size + entry.stat().st_size
    return files, size


def _build(lake: Lake, connection: duckdb.DuckDBPyConnection, sources: Sources, day: date, tell: Tell) -> Built:
    target = folder_of(lake, day)
    writing = target.with_name(f"{WRITING}{os.getpid()}")
    try:
        connection.execute(f"SET VARIABLE day = DATE '{day}'")
        _write(writing, connection, sources, day, tell)
        tell("swap", target.name)
        files, size = _measure(writing)
        replaced = target.with_name(f"{REPLACED}{target.name}")
        exchange.put(writing, target, replaced)
        sync_folder(target.parent)
    except OSError as error:
        told = "the disk is full: make room" if error.errno == errno.ENOSPC else str(error)
        raise ReportError(
            f"report/snapshot date={day}: {told}, then run `coevo report build --date {day}`; "
            "the old report, if there is one, is as it was"
        ) from error
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return Built(day, target, files, size, behind=sources.behind)


def _write(folder: Path, connection: duckdb.DuckDBPyConnection, sources: Sources, day: date, tell: Tell) -> None:
    """The files of a report."""
    days = tuple(each for each in sources.days if each <= day)
    about = About(day, sources.world, days, sources.upto(day))
    name = sources.name(day)
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("*.md"), copy_function=shutil.copyfile)

    def script(what: str, value: object) -> None:
        records.script(folder / "data" / f"{what}.js", what, value, name)

    for page in PAGES:
        tell("ask", page.name)
        frames = answers(connection, page.queries)
        tell("page", page.name)
        (folder / f"{page.name}.html").write_bytes(html.page(page, PAGES, about, page.body(frames, about)))
        for what, value in page.data(frames, about):
            script(what, value)
    shards = {}
    for each in RECORDS:
        tell("ask", each.kind)
        frames = answers(connection, each.queries)
        tell("records", each.kind)
        shards[each.kind] = records.write(folder, each.kind, each.records(frames, about), name)
    tell("files", "linkbacks")
    for _ in linkbacks.write(folder / "linkbacks", connection, sources.world):
        pass
    script("made", sources.told(day))
    files, size = _measure(folder)
    script("about", {"day": day, "world": sources.world, "days": days, "shards": shards, "made": name,
                     "data": sources.digest(day), "files": files, "bytes": size})  # fmt: skip


def answers(connection: duckdb.DuckDBPyConnection, queries: Mapping[str, str]) -> Frames:
    """The answers to the questions of a page, by name; the connection knows the report's day."""
    import polars as pl

    return {name: pl.DataFrame(pl.from_arrow(connection.sql(sql).to_arrow_table())) for name, sql in queries.items()}
