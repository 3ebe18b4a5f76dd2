"""Replacing what is found in texts by typed placeholders, in two steps: a Rust regular expression picks the few
lines that are worth a look, and only those reach the slow detector in Python.

A placeholder is a word in square brackets (`[EMAIL]`), which no tokenizer takes for a control token; no detector
finds anything inside or across one, so that replacing twice changes nothing more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl


class Span(NamedTuple):
    """Characters `start` to `end` of a text, to be replaced by `[type in capitals]`."""

    start: int
    end: int
    type: str


@dataclass(frozen=True)
class Redacted:
    """texts: name, length and nulls as given. counts: one row for each text and type that was found in it: row
    (UInt32, position in the series), type (String), n (UInt32), sorted by row and type."""

    texts: pl.Series
    counts: pl.DataFrame


Finder = Callable[[str], Iterable[Span]]
"""What is in a text, most certain kinds first: of two spans that overlap the first wins."""


def placeholder(kind: str) -> str:
    return f"[{kind.upper()}]"


def replace(text: str, find: Finder) -> tuple[str, Counter[str]]:
    """The text without what `find` finds, and how many of each type; repeated until nothing is found, because what
    stands beside a placeholder may have been hidden by what it replaced."""
    counts: Counter[str] = Counter()
    while True:
        taken: list[Span] = []
        for span in find(text):
            at = bisect_left(taken, span)
            before, after = taken[max(0, at - 1) : at], taken[at : at + 1]
            if all(span.end <= other.start or other.end <= span.start for other in before + after):
                taken.insert(at, span)
        if not taken:
            return text, counts
        parts, at = [], 0
        for span in taken:
            parts += [text[at : span.start], placeholder(span.type)]
            at = span.end
            counts[span.type] += 1
        text = "".join([*parts, text[at:]])


def matching(texts: pl.Series, patterns: Sequence[str]) -> pl.Series:
    """Which texts match one of the Rust expressions (Boolean, false for null). One by one: each finds its literals at
    some GB/s, while all in one expression took 70 times as long (28 MB/s for 40 of them)."""
    found = texts.str.contains(patterns[0])
    for pattern in patterns[1:]:
        found |= texts.str.contains(pattern)
    return found.fill_null(False)


def redact(
    texts: pl.Series, *, block: Sequence[str], in_text: Finder, worth: Sequence[str], in_line: Finder
) -> Redacted:
    """`in_text` is asked about whole texts that match one of the Rust expressions `block` (keys of many lines), then
    `in_line` about single lines that match one of `worth`. They must match wherever the finder would find."""
    import polars as pl

    changed: dict[int, str] = {}
    counts: dict[int, Counter[str]] = {}
    for row in matching(texts, block).arg_true():
        text, found = replace(texts[row], in_text)
        if found:
            changed[row], counts[row] = text, found
    texts = _with(texts, changed)

    changed = {}
    for row, lines in _lines(texts, worth).items():
        news = {number: replace(line, in_line) for number, line in lines}
        total = sum((found for _, found in news.values()), Counter[str]())
        if total:
            whole = texts[row].split("\n")
            for number, (line, _) in news.items():
                whole[number] = line
            changed[row] = "\n".join(whole)
            counts.setdefault(row, Counter()).update(total)
    rows = [(row, kind, n) for row in sorted(counts) for kind, n in sorted(counts[row].items())]
    schema = {"row": pl.UInt32, "type": pl.String, "n": pl.UInt32}
    return Redacted(_with(texts, changed), pl.DataFrame(rows, schema=schema, orient="row"))


def _lines(texts: pl.Series, worth: Sequence[str]) -> dict[int, list[tuple[int, str]]]:
    """The lines that match, by row: their number in the text, from 0, and they themselves."""
    import polars as pl

    rows = matching(texts, worth).arg_true()
    split = texts.gather(rows).str.split("\n")
    sizes = split.list.len().cast(pl.Int64)
    lines = split.explode()
    hits = matching(lines, worth).arg_true()
    starts = sizes.cum_sum() - sizes
    owner = starts.search_sorted(hits, side="right").cast(pl.Int64) - 1
    found: dict[int, list[tuple[int, str]]] = {}
    for row, number, line in zip(
        rows.gather(owner), (hits - starts.gather(owner)).to_list(), lines.gather(hits).to_list(), strict=True
    ):
        found.setdefault(row, []).append((number, line))
    return found


def _with(texts: pl.Series, changed: dict[int, str]) -> pl.Series:
    if not changed:
        return texts
    return texts.clone().scatter(list(changed), list(changed.values()))  # scatter changes its series
