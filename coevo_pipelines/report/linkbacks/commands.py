"""`coevo export …`: what leaves the lake for other people's use."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coevo_pipelines.lake.schemas import KINDS
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

export = typer.Typer(name="export", no_args_is_help=True, help="What leaves the lake for other people's use.")


class FormatName(StrEnum):
    markdown = "markdown"
    csv = "csv"
    json = "json"
    yaml = "yaml"
    bibtex = "bibtex"
    citation = "citation"


@export.callback()
def _group() -> None:
    """What leaves the lake for other people's use."""


@export.command()
def linkbacks(
    topic: Annotated[list[str] | None, typer.Option("--topic", help="A topic; again for more; default: all.")] = None,
    on: Annotated[str | None, typer.Option("--date", help="As of this day, YYYY-MM-DD; default: the last.")] = None,
    most: Annotated[int, typer.Option("--most", help="Works in a list at most; 0: all.", min=0)] = 100,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help=f"{', '.join(KINDS)}; again for more; default: all.")
    ] = None,
    format: Annotated[
        list[FormatName] | None, typer.Option("--format", help="Again for more; default: all of them.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder; each topic gets one in it.")] = Path("linkbacks"),
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """For each topic a list of its works, the most built on first, that a repository can include to mention them.

    Markdown for a README, CSV, JSON, YAML, BibTeX, and a CITATION.cff whose `references` are citations. Works that are
    not public any more, or whose holders opted out, are in no list.

    \b
    Examples:
      coevo export linkbacks
      coevo export linkbacks --topic swarm-intelligence --kind paper --most 20 --format bibtex --out docs
    """
    from coevo_pipelines.lake.catalog import CATALOG, open_catalog
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.report.linkbacks.files import write
    from coevo_pipelines.terminal import json_out, say

    store = Lake(existing_lake(settings_of(lake, source)))
    days = [commit.day for commit in store.snapshot().index.partitions("traces.works")]
    if not days:
        raise UsageError(f"{store.root} has no works yet: run `coevo run` first")
    day = date_of(on) if on else days[-1]
    if day not in days:
        raise UsageError(f"{day} is not in the lake; it has {days[0]} to {days[-1]}")
    kinds = kind or list(KINDS)
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise UsageError(f"no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: --out names a folder")

    def chosen(known: list[str]) -> list[str]:
        if unknown := sorted(set(topic or ()) - set(known)):
            raise UsageError(f"no work was found under the topic {unknown[0]!r}; there are {', '.join(known)}")
        return list(dict.fromkeys(topic or known))

    formats = [each.value for each in dict.fromkeys(format or FormatName)]
    told = []
    try:
        with open_catalog(store.root / CATALOG) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET VARIABLE day = DATE '{day}'")
            for each in write(
                out, connection, store.world, chosen=chosen, kinds=kinds, formats=formats, most=most or None
            ):
                works, of = len(each.listed.works), each.listed.of
                told.append({"topic": each.listed.topic, "file": str(each.path), "works": works, "of": of})
                if not as_json:
                    say(f"{each.path}: {works:,} of {of:,} works")
    except FileNotFoundError as error:
        raise UsageError(str(error)) from None
    if as_json:
        json_out(told)
    elif not told:
        say("no topic has works yet: nothing was written")
