"""What the commands share: their common options, and how they read settings, days and the lake's folder."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from coevo_pipelines.settings import Settings


class WorldName(StrEnum):
    sample = "sample"
    live = "live"


LakeOption = Annotated[
    Path | None, typer.Option("--lake", help="Folder of the lake (COEVO_LAKE).", show_default="data_lake")
]
SourceOption = Annotated[
    WorldName | None,
    typer.Option("--source", help="The bundled sample, or the live services (COEVO_SOURCE).", show_default="sample"),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the full trace of an error.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on standard output, for scripts.")]


class UsageError(Exception):
    """It was asked wrongly; the message says what and the way out."""


def settings_of(lake: Path | None, source: WorldName | None) -> Settings:
    """The settings in force; SettingsError when one is wrong."""
    from coevo_pipelines.settings import load_settings

    return load_settings(lake=lake, source=source.value if source else None)


def date_of(text: str) -> date:
    """A date as people write it on the command line; UsageError for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date: write it as YYYY-MM-DD") from None


def day_of(text: str, settings: Settings) -> date:
    """A partition's day; UsageError for what is no date, or no day that this lake can hold."""
    from datetime import UTC, datetime

    day = date_of(text)
    if day < settings.opening:
        raise UsageError(
            f"{day} is before the lake's first partition {settings.opening}; "
            "set start_date (COEVO_START_DATE) before the first run to begin earlier"
        )
    if day >= datetime.now(UTC).date():
        raise UsageError(f"{day} is not over yet (UTC): a partition is a whole day")
    return day


def existing_lake(settings: Settings) -> Path:
    """The lake's folder; UsageError when there is none, so that reading never makes one."""
    root = settings.lake_root
    not_a_file(root)
    if not (root / "ledger").is_dir():
        raise UsageError(f"{root} is not a lake (it has no ledger); run `coevo run` first or name one with --lake")
    return root


def not_an_input(written: Iterable[Path], read: Iterable[Path | None]) -> None:
    """UsageError when what is to be written is what is to be read."""
    given = [path for path in read if path and path.exists()]
    for path in written:
        if path.exists() and any(path.samefile(each) for each in given):
            raise UsageError(f"{path} would be written and is what is to be read: give --out another name")


def not_a_file(root: Path) -> None:
    """UsageError when the lake's path is taken by a file."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file: --lake (COEVO_LAKE) names a folder")
