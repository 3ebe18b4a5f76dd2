"""What changed between two genomes, file by file, with a diff for a person to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SAME = ("git_id", "mode", "reason", "stripped", "charset")
"""A file has changed when one of these has."""

MOST_COMPARED = 4_000_000
"""Lines times lines, without what both begin and end with: comparing more takes seconds (difflib is quadratic)."""
MOST_LINES = 200
LONGEST_LINE = 500
CONTEXT = 3


@dataclass(frozen=True)
class Diff:
    """Lines added and removed, and the unified diff, cut off after `MOST_LINES` lines of `LONGEST_LINE` characters;
    all None where the texts are too different to be compared."""

    added: int | None = None
    removed: int | None = None
    text: str | None = None


def changes(before: pl.LazyFrame, after: pl.LazyFrame) -> pl.DataFrame:
    """Rows of `genome.changes` from two days of `genome.files`. Texts are read of changed files only."""
    import polars as pl

    columns = ("repo", "path", "size", *SAME)
    old, new = (frame.select(columns).collect() for frame in (before, after))
    both = old.join(new, on=["repo", "path"], how="full", suffix="_after", coalesce=True)
    was, is_now = pl.col("reason").is_not_null(), pl.col("reason_after").is_not_null()
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in SAME)
    changed = both.filter(differs).select(
        "repo",
        "path",
        pl.when(~was).then(pl.lit("added")).when(~is_now).then(pl.lit("removed")).otherwise(pl.lit("changed"))
        .alias("change"),
        pl.col("size").alias("before"),
        pl.col("size_after").alias("after"),
        pl.col("git_id").alias("before_id"),
        pl.col("git_id_after").alias("after_id"),
    ).sort("repo", "path")  # fmt: skip
    keys = changed.select("repo", "path").lazy()
    was_text, is_text = (_texts(frame, keys) for frame in (before, after))
    diffs = [compared(was_text.get(key), is_text.get(key), key[1]) for key in changed.select("repo", "path").rows()]
    return changed.with_columns(
        pl.Series("lines_added", [diff.added for diff in diffs], pl.Int64),
        pl.Series("lines_removed", [diff.removed for diff in diffs], pl.Int64),
        pl.Series("diff", [diff.text for diff in diffs], pl.String),
    )


def _texts(frame: pl.LazyFrame, keys: pl.LazyFrame) -> dict[tuple[str, ...], str | None]:
    rows = frame.select("repo", "path", "text").join(keys, on=["repo", "path"]).collect().iter_rows()
    return {(repo, path): text for repo, path, text in rows}


def compared(before: str | None, after: str | None, path: str) -> Diff:
    """The difference between two texts; None stands for a file that is not there, or has no text."""
    if before is None and after is None:
        return Diff()
    old, new = (_lines(text or "") for text in (before, after))
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    first, last = max(0, start - CONTEXT), max(0, end - CONTEXT)
    own, other = old[first : len(old) - last], new[first : len(new) - last]
    if len(own) * len(other) > MOST_COMPARED:
        return Diff()
    lines = list(unified_diff(own, other, f"a/{path}", f"b/{path}", n=CONTEXT, lineterm=""))
    body = lines[2:]
    shown = [lines[at] if at < 2 else _moved(lines[at], first) for at in range(len(lines))]
    return Diff(
        sum(line.startswith("+") for line in body), sum(line.startswith("-") for line in body), _cut(shown)
    )  # fmt: skip


def _lines(text: str) -> list[str]:
    """Without their ends; a last line that has none says so, as in git's diffs."""
    lines = text.split("\n")
    if not lines[-1]:
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _moved(line: str, by: int) -> str:
    """The head of a hunk, with line numbers of the whole file."""
    if not by or not line.startswith("@@"):
        return line
    ranges = []
    for each in line.split()[1:3]:
        start, comma, count = each[1:].partition(",")
        ranges.append(f"{each[0]}{int(start) + by}{comma}{count}")
    return f"@@ {' '.join(ranges)} @@"


def _cut(lines: Sequence[str]) -> str:
    kept = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …" for line in lines[:MOST_LINES]]
    more = len(lines) - MOST_LINES
    return "\n".join([*kept, *([f"… {more:,} more lines"] if more > 0 else [])])
