"""What changed between two genomes, file by file, with a diff for a person to read."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

SAME = ("git_id", "mode", "reason", "stripped", "charset")
"""A file has changed when one of these has."""

MOST_EDITS = 1_000
"""Lines that both texts hold, but not at the same place: comparing more takes seconds (it goes with the square)."""
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


class Edit(NamedTuple):
    """Lines of the one text that became lines of the other; from 0."""

    old: range
    new: range


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
    edits = _edits(old[start : len(old) - end], new[start : len(new) - end], start)
    if edits is None:
        return Diff()
    head = [f"--- a/{path}", f"+++ b/{path}"] if edits else []
    return Diff(
        sum(len(edit.new) for edit in edits),
        sum(len(edit.old) for edit in edits),
        _cut(chain(head, _hunks(edits, old, new))),
    )


def _edits(old: Sequence[str], new: Sequence[str], start: int) -> list[Edit] | None:
    """As few lines as turn `old` into `new`, the texts from line `start` on; None beyond `MOST_EDITS`.

    The greedy algorithm of E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), on the lines that
    are in both: after each edit, how far into `old` one can be on each diagonal (place in `old` less place in `new`).
    """
    both = set(old) & set(new)
    ours, theirs = ([at for at, line in enumerate(lines) if line in both] for lines in (old, new))
    a, b = [old[at] for at in ours], [new[at] for at in theirs]
    most = min(len(a) + len(b), MOST_EDITS)
    zero = most + 1
    furthest = array("l", [-1]) * (2 * zero + 1)
    steps = []
    for edits in range(most + 1):
        steps.append(furthest[zero - edits - 1 : zero + edits + 2])
        for diagonal in range(-edits, edits + 1, 2):
            at = zero + diagonal
            x = max(furthest[at + 1], furthest[at - 1] + 1)  # a line of `new` added, or one of `old` removed
            y = x - diagonal
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[at] = x
            if x >= len(a) and y >= len(b):
                same = [(ours[x], theirs[y]) for x, y in _same(steps, len(a), len(b))]
                return list(_between([*same, (len(old), len(new))], start))
    return None


def _same(steps: Sequence[Sequence[int]], x: int, y: int) -> list[tuple[int, int]]:
    """The lines that no step touched, found on the way back."""
    pairs = []
    for furthest in reversed(steps):
        at = x - y + len(furthest) // 2
        begun = max(furthest[at + 1], furthest[at - 1] + 1)
        while x > begun:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        if begun == furthest[at + 1]:
            y -= 1
        else:
            x -= 1
    return pairs[::-1]


def _between(same: Iterable[tuple[int, int]], start: int) -> Iterator[Edit]:
    """What is not the same."""
    own = other = 0
    for x, y in same:
        if (own, other) != (x, y):
            yield Edit(range(start + own, start + x), range(start + other, start + y))
        own, other = x + 1, y + 1


def _hunks(edits: Sequence[Edit], old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The body of a unified diff."""
    breaks = [at for at in range(1, len(edits)) if edits[at].old.start - edits[at - 1].old.stop > 2 * CONTEXT]
    for begin, end in pairwise([0, *breaks, len(edits)]):
        hunk = edits[begin:end]
        if not hunk:
            return
        above = min(CONTEXT, hunk[0].old.start)
        below = min(CONTEXT, len(old) - hunk[-1].old.stop)
        at, stop = hunk[0].old.start - above, hunk[-1].old.stop + below
        yield f"@@ -{_place(at, stop)} +{_place(hunk[0].new.start - above, hunk[-1].new.stop + below)} @@"
        for edit in hunk:
            yield from (f" {line}" for line in old[at : edit.old.start])
            yield from (f"-{old[line]}" for line in edit.old)
            yield from (f"+{new[line]}" for line in edit.new)
            at = edit.old.stop
        yield from (f" {line}" for line in old[at:stop])


def _place(start: int, stop: int) -> str:
    """First line, from 1, and how many; of none, the line before."""
    count = stop - start
    return f"{start + 1}" if count == 1 else f"{start + (count > 0)},{count}"


def _lines(text: str) -> list[str]:
    """Without their ends; a last line that has none says so, as in git's diffs."""
    lines = text.split("\n")
    if not lines[-1]:
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _cut(lines: Iterator[str]) -> str:
    kept = [_short(line) for line in islice(lines, MOST_LINES)]
    more = sum(1 for _ in lines)
    return "\n".join([*kept, *([f"… {more:,} more lines"] if more else [])])


def _short(line: str) -> str:
    text, end, mark = line.partition("\n")
    return f"{text[:LONGEST_LINE]} …{end}{mark}" if len(text) > LONGEST_LINE else line
