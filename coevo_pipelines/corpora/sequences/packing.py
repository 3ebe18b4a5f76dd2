"""Documents into sequences of at most `context_length` tokens, and a token budget that is met to the token.

Every sequence opens with the start token and the preamble. Documents follow by rank, each once, then all again up to
the stage's repeats. Without crossing they stay whole as long as they fit (next-fit: a document that does not fit what
is left of the sequence opens the next), and one longer than a sequence is cut into pieces of a sequence's length; with
crossing they are one stream, cut at every sequence's end. No sequence holds two stages or two splits.

The budget counts every token of a sequence, its opening too. The last document is cut to the token. Where the tokens
that are left do not open another sequence, the last sequence is filled up, given back as many tokens as are missing for
one opening, and its last document put into a sequence of its own. That is always possible while an opening takes less
than half of a sequence, which is asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coevo_pipelines.corpora.blueprints import SPLITS, Blueprint, BlueprintError
from coevo_pipelines.corpora.sequences import framing
from coevo_pipelines.corpora.sequences.curriculum import by_weight, shares
from coevo_pipelines.corpora.sequences.tokenizer import Encoded, Loaded, copy_runs, mapped
from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    import polars as pl

Int64s = npt.NDArray[np.int64]

AT_ONCE = 4_000_000
"""Tokens that are put together before they are written."""


@dataclass(frozen=True)
class Packed:
    """A corpus. Its ids lie in a nameless temporary file, mapped into memory."""

    sequences: pl.DataFrame
    """place (from 0), split, stage, input_ids, loss_mask (what training counts, never what opens a sequence),
    seq_lengths (of the parts that must not attend to one another: the opening belongs to the first), documents (doc_id
    of each part). Train by stage, then validation, then test."""
    uses: pl.DataFrame
    """doc_id, tokens (framed, once), used (tokens in all sequences), times (how often begun), cut (not whole each
    time)."""
    shortfall: int
    """Tokens of the budget for which there was no material."""
    stages: pl.DataFrame
    """stage, share (by weight alone; null without a budget), used (tokens to train on)."""


@dataclass(frozen=True)
class Parts:
    """Pieces of documents, in order: tokens `begin` to `begin + length` of a framed document, in a sequence."""

    document: Int64s
    begin: Int64s
    length: Int64s
    sequence: Int64s

    def __getitem__(self, which: Any) -> Parts:
        return Parts(self.document[which], self.begin[which], self.length[which], self.sequence[which])

    def opens(self) -> npt.NDArray[np.bool_]:
        """Which are the first of their sequence."""
        return np.diff(self.sequence, prepend=-1) > 0

    def ends(self, opening: int) -> Int64s:
        """Tokens of all sequences up to the end of each part."""
        return np.cumsum(self.length) + opening * (self.sequence + 1)


def pack(
    documents: pl.DataFrame, texts: Encoded, blueprint: Blueprint, loaded: Loaded, preamble: str | None, scratch: Path
) -> Packed:
    """The sequences of a corpus.

    documents: doc_id, split, stage, rank (int64; the order in its stage), kind, repo, path, title, language, license,
    version, and row, which of the `texts` (`tokenizer.encode`) is its. preamble: the contract's header or the system
    prompt, where the blueprint asks for one. scratch: a folder for temporary files. BlueprintError, TokenizerError,
    OSError.
    """
    frames = framing.plan(blueprint, loaded)
    opening = _opening(blueprint, frames, loaded, preamble, scratch)
    framed = framing.frame(documents, frames, loaded, scratch)
    rows = documents["row"].to_numpy()
    segments = [
        _Segment(framed.before.ids, framed.before.starts[:-1], framed.before.lengths, False),
        _Segment(texts.ids, texts.starts[rows], texts.lengths[rows], True),
        _Segment(framed.closing.ids, framed.closing.starts[:-1], framed.closing.lengths, True),
        _Segment(framed.after.ids, framed.after.starts[:-1], framed.after.lengths, False),
    ]
    lengths: Int64s = np.stack([segment.lengths for segment in segments]).sum(axis=0)
    plan = _plan(documents, lengths, blueprint, opening.size)
    return Packed(
        sequences=_sequences(documents, plan, opening, segments, blueprint.framing.loss_on == "all", scratch),
        uses=_uses(documents, lengths, [parts for _, _, parts in plan.parts]),
        shortfall=plan.shortfall,
        stages=plan.stages,
    )


def _opening(
    blueprint: Blueprint, frames: framing.Frames, loaded: Loaded, preamble: str | None, scratch: Path
) -> npt.NDArray[np.int32]:
    if preamble is None and blueprint.preamble.kind != "none":
        kind = blueprint.preamble.kind
        raise BlueprintError(f"blueprint {blueprint.name}: preamble: there is no text of the kind {kind}")
    opening = framing.opening(frames, preamble or "", loaded, scratch)
    room = blueprint.context_length - opening.size
    if room <= opening.size:
        raise BlueprintError(
            f"blueprint {blueprint.name}: context_length: start token and preamble take {opening.size} of the "
            f"{blueprint.context_length} tokens of each sequence, and must take less than half: shorten the preamble, "
            f"or let context_length be {2 * opening.size + 1} or more"
        )
    if blueprint.token_budget is not None and blueprint.token_budget <= opening.size:
        raise BlueprintError(
            f"blueprint {blueprint.name}: token_budget: {blueprint.token_budget} tokens hold no text: start token and "
            f"preamble of one sequence take {opening.size}"
        )
    return opening


@dataclass(frozen=True)
class _Plan:
    parts: list[tuple[str, str, Parts]]
    """Of each split and stage, in order."""
    shortfall: int
    stages: pl.DataFrame


def _plan(documents: pl.DataFrame, lengths: Int64s, blueprint: Blueprint, opening: int) -> _Plan:
    """What goes where, from the lengths alone."""
    import polars as pl

    _known(documents, blueprint)
    room = blueprint.context_length - opening
    budget = blueprint.token_budget
    groups = documents.select("split", "stage", "rank", "doc_id").with_row_index("row").sort("rank", "doc_id")
    ordered = {
        key: own["row"].to_numpy().astype(np.int64)
        for key, own in groups.group_by("split", "stage", maintain_order=True)
    }
    material = [
        placed(
            lengths, ordered.get(("train", stage.name), _NONE), stage.repeats, budget, room, blueprint.packing.crossing
        )
        for stage in blueprint.stages
    ]
    sizes = [int(parts.ends(opening)[-1]) if parts.length.size else 0 for parts in material]
    weights = [stage.weight for stage in blueprint.stages]
    used = sizes if budget is None else shares(budget, weights, sizes, opening + 1)
    found = [
        ("train", stage.name, cut(parts, tokens, opening, room))
        for stage, parts, tokens in zip(blueprint.stages, material, used, strict=True)
    ]
    for split in SPLITS[1:]:
        for stage in blueprint.stages:
            rows = ordered.get((split, stage.name), _NONE)
            found.append((split, stage.name, placed(lengths, rows, 1, None, room, blueprint.packing.crossing)))
    return _Plan(
        [each for each in found if each[2].length.size],
        0 if budget is None else budget - sum(used),
        pl.DataFrame(
            {
                "stage": [stage.name for stage in blueprint.stages],
                "share": [None] * len(weights) if budget is None else by_weight(budget, weights),
                "used": used,
            },
            schema={"stage": pl.String, "share": pl.Int64, "used": pl.Int64},
        ),
    )


def _known(documents: pl.DataFrame, blueprint: Blueprint) -> None:
    for column, known in (("split", SPLITS), ("stage", [stage.name for stage in blueprint.stages])):
        if unknown := set(documents[column]) - set(known):
            raise ValueError(
                f"documents: no {column} of blueprint {blueprint.name} is called {min(map(str, unknown))!r}"
            )
    if documents["doc_id"].n_unique() < documents.height:
        twice = documents.filter(documents["doc_id"].is_duplicated())["doc_id"][0]
        raise ValueError(f"documents: {twice!r} is there twice")


_NONE = np.empty(0, np.int64)


def placed(lengths: Int64s, order: Int64s, repeats: int, enough: int | None, room: int, crossing: bool) -> Parts:
    """Documents, of `lengths`, in this order and up to so many times, in sequences with room for so many tokens each;
    no more documents than have `enough` tokens. A document without tokens has no part."""
    order = order[lengths[order] > 0]
    once = int(lengths[order].sum())
    if not once:
        return Parts(_NONE, _NONE, _NONE, _NONE)
    if enough is not None:
        repeats = min(repeats, -(-enough // once))
    stream = np.tile(order, repeats)
    ends = np.cumsum(lengths[stream])
    if enough is not None:
        stream = stream[: np.searchsorted(ends, enough) + 1]
        ends = ends[: stream.size]
    starts = ends - lengths[stream]
    if crossing:
        # Cut where a document ends and where a sequence does.
        bounds = np.union1d(starts, np.arange(0, ends[-1], room))
        of = np.searchsorted(starts, bounds, side="right") - 1
        return Parts(stream[of], bounds - starts[of], np.diff(bounds, append=ends[-1]), bounds // room)
    pieces = -(-lengths[stream] // room)
    of = np.repeat(np.arange(stream.size), pieces)
    begin = room * (np.arange(of.size) - np.repeat(np.cumsum(pieces) - pieces, pieces))
    length = np.minimum(lengths[stream[of]] - begin, room)
    return Parts(stream[of], begin, length, _next_fit(length, room))


@kernel
def _next_fit(lengths: Int64s, room: int) -> Int64s:
    """The sequence of each piece: the last one, where it fits, else a new one."""
    found = np.empty(lengths.size, np.int64)
    sequence, left = -1, 0
    for n in range(lengths.size):
        if lengths[n] > left:
            sequence += 1
            left = room
        left -= lengths[n]
        found[n] = sequence
    return found


def cut(parts: Parts, tokens: int, opening: int, room: int) -> Parts:
    """The first parts, of so many `tokens` with what opens their sequences: exactly.

    tokens: at most what all parts have, and 0 or more than `opening`, which is less than `room`.
    """
    ends = parts.ends(opening)
    last = int(np.searchsorted(ends, tokens))
    if not tokens or ends[last] == tokens:
        return parts[: last + 1 if tokens else 0]
    kept, begun = parts[: last + 1], bool(parts.opens()[last])
    left = tokens - (int(ends[last - 1]) if last else 0)
    if not begun or left > opening:
        return _shortened(kept, int(ends[last]) - tokens)
    # What is left does not open a sequence: into the last one goes what it has room for of the next document.
    of_last = parts.sequence[:last] == parts.sequence[last - 1]
    filling = min(left, room - int(parts.length[:last][of_last].sum()))
    filled = _with_last(kept, length=filling, sequence=int(parts.sequence[last - 1])) if filling else parts[:last]
    return filled if left == filling else _split(_shortened(filled, opening - (left - filling)))


def _shortened(parts: Parts, tokens: int) -> Parts:
    """Without so many tokens of the last parts."""
    ends = np.cumsum(parts.length)
    keep = int(ends[-1]) - tokens
    last = int(np.searchsorted(ends, keep))
    return _with_last(parts[: last + 1], length=int(parts.length[last] - ends[last]) + keep)


def _split(parts: Parts) -> Parts:
    """The last part in a sequence of its own, or its second half where it is alone."""
    own = int(parts.sequence[-1]) + 1
    if not parts.opens()[-1]:
        return _with_last(parts, sequence=own)
    whole, begin = int(parts.length[-1]), int(parts.begin[-1])
    half = whole // 2
    doubled = _with_last(parts, length=whole - half)[np.append(np.arange(parts.length.size), -1)]
    return _with_last(doubled, begin=begin + whole - half, length=half, sequence=own)


def _with_last(parts: Parts, **changed: int) -> Parts:
    """With other numbers for the last part."""
    return replace(parts, **{name: np.append(getattr(parts, name)[:-1], value) for name, value in changed.items()})


@dataclass(frozen=True)
class _Segment:
    """Tokens that every framed document has in this place: `lengths` of `ids` from `starts` on. counted: in the loss
    also where that is on texts only."""

    ids: npt.NDArray[np.int32]
    starts: Int64s
    lengths: Int64s
    counted: bool


def _sequences(
    documents: pl.DataFrame,
    plan: _Plan,
    opening: npt.NDArray[np.int32],
    segments: Sequence[_Segment],
    all_counts: bool,
    scratch: Path,
) -> pl.DataFrame:
    import polars as pl
    import pyarrow as pa

    parts = _joined([own for _, _, own in plan.parts])
    opens = parts.opens()
    lengths = parts.length + opening.size * opens
    ends = np.cumsum(lengths)
    total = int(lengths.sum())
    counted = np.zeros(-(-total // 8), np.uint8)
    with tempfile.TemporaryFile(dir=scratch) as file:
        bounds = np.unique(np.searchsorted(ends, np.arange(0, total, AT_ONCE)))
        for begin, end in pairwise((*bounds.tolist(), lengths.size)):
            own, at = parts[begin:end], ends[begin:end] - parts.length[begin:end]
            done = int(ends[begin] - lengths[begin])
            ids = np.empty(int(ends[end - 1]) - done, np.int32)
            first = at[opens[begin:end]] - opening.size - done
            copy_runs(ids, first, opening, np.zeros_like(first), np.full_like(first, opening.size))
            for run in _runs(own, at, segments):
                copy_runs(ids, run.at - done, run.segment.ids, run.begin, run.length)
                if all_counts or run.segment.counted:
                    _mark(counted, run.at, run.length)
            ids.tofile(file)
        values = pa.Array.from_buffers(pa.int32(), total, [None, pa.py_buffer(mapped(file))])
    mask = pa.Array.from_buffers(pa.bool_(), total, [None, pa.py_buffer(counted)])
    first_parts = np.append(np.flatnonzero(opens), lengths.size)
    tokens = np.append(0, ends)[first_parts]
    of = np.repeat(np.arange(len(plan.parts)), [own.sequence[-1] + 1 for _, _, own in plan.parts])

    def lists(offsets: Int64s, values: Any) -> pl.Series:
        return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(offsets, values)))

    return pl.DataFrame(
        {
            "place": np.arange(of.size),
            "split": pl.Series([split for split, _, _ in plan.parts], dtype=pl.String).gather(of),
            "stage": pl.Series([stage for _, stage, _ in plan.parts], dtype=pl.String).gather(of),
            "input_ids": lists(tokens, values),
            "loss_mask": lists(tokens, mask),
            "seq_lengths": lists(first_parts, pa.array(lengths.astype(np.int32))),
            "documents": lists(first_parts, documents["doc_id"].gather(parts.document).to_arrow()),
        }
    )


def _joined(groups: Sequence[Parts]) -> Parts:
    """All groups as one, each in sequences of its own."""
    sequence = [_NONE]
    done = 0
    for parts in groups:
        sequence.append(parts.sequence + done)
        done += int(parts.sequence[-1]) + 1
    return Parts(
        np.concatenate([_NONE, *(parts.document for parts in groups)]),
        np.concatenate([_NONE, *(parts.begin for parts in groups)]),
        np.concatenate([_NONE, *(parts.length for parts in groups)]),
        np.concatenate(sequence),
    )


@dataclass(frozen=True)
class _Run:
    """Tokens of one segment: `length` of its ids from `begin` on are in the corpus from `at` on."""

    segment: _Segment
    at: Int64s
    begin: Int64s
    length: Int64s


def _runs(parts: Parts, at: Int64s, segments: Sequence[_Segment]) -> Iterator[_Run]:
    """What the parts, which are in the corpus from `at` on, take of each segment."""
    base = np.zeros_like(parts.begin)
    for segment in segments:
        lengths = segment.lengths[parts.document]
        begin = np.maximum(parts.begin, base)
        end = np.minimum(parts.begin + parts.length, base + lengths)
        some = end > begin
        source = segment.starts[parts.document] + begin - base
        yield _Run(segment, (at + begin - parts.begin)[some], source[some], (end - begin)[some])
        base = base + lengths


@kernel
def _mark(bits: npt.NDArray[np.uint8], at: Int64s, length: Int64s) -> None:
    """Set bits, of which the lowest of a byte is its first."""
    for n in range(at.size):
        for bit in range(at[n], at[n] + length[n]):
            bits[bit >> 3] |= 1 << (bit & 7)


def _uses(documents: pl.DataFrame, lengths: Int64s, groups: Sequence[Parts]) -> pl.DataFrame:
    import polars as pl

    parts = _joined(groups)
    used, times = np.zeros(lengths.size, np.int64), np.zeros(lengths.size, np.int64)
    np.add.at(used, parts.document, parts.length)
    np.add.at(times, parts.document[parts.begin == 0], 1)
    return documents.select(
        "doc_id", tokens=pl.Series(lengths), used=pl.Series(used), times=pl.Series(times),
        cut=pl.Series(used != lengths * times),
    )  # fmt: skip
