"""What a check says: one sentence on what was found and, when it is red, where else and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

MOST_TOLD = 20


def verdict(
    asset: dg.AssetKey,
    name: str,
    problems: Sequence[str],
    *,
    well: str,
    way_out: str,
    blocks: bool = True,
    numbers: Mapping[str, int | float] | None = None,
) -> dg.AssetCheckResult:
    """The result of a check.

    problems: one line each, place first; none: it passed, and `well` says what was looked at. way_out: what a person
    can do who sees it red. blocks: an error; else a warning. numbers: what is plotted over the runs, beside `problems`.
    """
    counted: dict[str, Any] = {**(numbers or {}), "problems": len(problems)}
    if problems:
        told = [f"- {_line(problem)}" for problem in problems[:MOST_TOLD]]
        if len(problems) > MOST_TOLD:
            told.append(f"- … and {len(problems) - MOST_TOLD:,} more")
        counted["found"] = dg.MetadataValue.md("\n".join(told))
        counted["what to do"] = way_out
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=_told(problems, way_out) if problems else well,
        metadata=counted,
    )


def _told(problems: Sequence[str], way_out: str) -> str:
    more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
    return f"{problems[0].rstrip('.')}{more}. {way_out}"


def _line(text: str) -> str:
    """Strangers' words in a list of Markdown: as they are, in one line."""
    return "`" + " ".join(text.split()).replace("`", "'") + "`"


def count(number: int, thing: str, things: str | None = None) -> str:
    """`1 day`, `3 days`, `2,799 days`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
