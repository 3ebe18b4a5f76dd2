"""`coevo report …`: the pages of a day, made from the catalog and opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    date_of,
    existing_lake,
    settings_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from coevo_pipelines.lake.store import Lake

report = typer.Typer(
    name="report", no_args_is_help=True, help="The pages of a day: make them from the catalog, and open them."
)

DayOption = Annotated[
    str | None, typer.Option("--date", help="Day, YYYY-MM-DD (UTC).", show_default="the newest there is")
]


@report.command()
def build(
    day: DayOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a day's report again from the catalog, without a run; the old one is replaced as a whole.

    `coevo run` makes it too. The folder is self-contained: it opens from disk, and it can be handed to someone else.

    \b
    Example:
      coevo report build --date 2019-03-27
      coevo report open
    """
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.report import build as building
    from coevo_pipelines.terminal import bar, json_out, say

    store = Lake(existing_lake(settings_of(lake, source)))
    asked = date_of(day) if day else None
    with bar("the report", quiet=as_json) as advance:
        done = -1

        def tell(part: str, which: str) -> None:
            nonlocal done
            done += 1
            advance(done, building.PARTS, f"{part} {which}")

        try:
            built = building.build(store, asked, tell)
        except (FileNotFoundError, building.NoSuchDay) as error:
            raise UsageError(str(error)) from None
    if as_json:
        json_out(
            {
                "date": built.day,
                "page": built.page,
                "files": built.files,
                "bytes": built.bytes,
                "newer_than_catalog": built.behind,
            }
        )
        return
    if built.behind:
        say(
            f"{built.behind:,} partitions of the lake are newer than the catalog and not in the report: "
            "run `coevo catalog` and this again to have them in it",
            style="yellow",
            error=True,
        )
    say(f"The report of {built.day}: {built.files:,} files, {built.bytes / 1e6:,.1f} MB")
    say(str(built.page))


@report.command("open")
def open_(
    day: DayOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Open a day's report in the browser; where there is none, say which file to open."""
    import webbrowser

    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.terminal import json_out, say

    page = _page(Lake(existing_lake(settings_of(lake, source))), day)
    try:
        opened = webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        opened = False
    if as_json:
        json_out({"page": page, "opened": opened})
        return
    if not opened:
        say("no browser was found here; open this file in one:", error=True)
    say(str(page))


def _page(lake: Lake, day: str | None) -> Path:
    """The first page of that day's report, or of the newest; UsageError when there is none."""
    from coevo_pipelines.report.build import folder_of, reports

    found = reports(lake)
    if not found:
        raise UsageError(f"{lake.root} has no report yet: run `coevo report build`")
    asked = date_of(day) if day else found[-1]
    if asked not in found:
        span = f"there are reports of {found[0]} to {found[-1]}" if len(found) > 1 else f"there is one of {found[0]}"
        raise UsageError(f"no report of {asked}: run `coevo report build --date {asked}`; {span}")
    return folder_of(lake, asked) / "index.html"
