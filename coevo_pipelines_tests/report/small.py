"""A small lake with a catalog, and one short page in place of the real ones: for tests of the frame alone."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from coevo_pipelines.lake import catalog, schemas
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.report import build
from coevo_pipelines.report.page import About, Page, Records

if TYPE_CHECKING:
    from coevo_pipelines.report.page import Frames

FIRST, SECOND, THIRD = date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)


def body(frames: Frames, _about: About) -> str:
    """How many partitions there are up to the day, and of which sha256."""
    return " ".join(frames["held"]["sha256"])


HELD = "SELECT sha256 FROM lake.commits WHERE date <= getvariable('day') ORDER BY date, table_name"
PAGE = Page("index", "Held", {"held": HELD}, body, data=lambda frames, _about: [("more/held", frames["held"].height)])
RECORDS = Records(
    "work",
    {"held": HELD},
    lambda frames, _about: ((each, {"sha256": each}) for each in sorted(set(frames["held"]["sha256"]))),
)


def short() -> None:
    """From now on a report has that page only."""
    vars(build).update(PAGES=(PAGE,), RECORDS=(RECORDS,))


def committed(lake: Lake, day: date, note: str = "") -> None:
    """A partition of that day; another note, another ledger entry."""
    lake.write("citations.aliases", day, schemas.table("citations.aliases").empty(), note=note)


def small(root: Path) -> Lake:
    """Two days, and their catalog."""
    lake = Lake(root)
    lake.claim(world="synthetic", start_date=FIRST.isoformat())
    for day in (FIRST, SECOND):
        committed(lake, day)
    catalog.build(lake)
    return lake


def digest(folder: Path) -> str:
    """Of every file below `folder`: paths and bytes."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            whole.update(
                f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return whole.hexdigest()
