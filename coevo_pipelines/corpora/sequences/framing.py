"""How a document is put to the model: templates, in which special tokens of the model stand as they are written.

A template is special tokens and what is between them: stretches of its own words and of the document's fields. Each
stretch is tokenized as one text, as the model would read it, in which nothing is a special token. {text} is tokenized
by itself, so a template never changes a text's own tokens.

What the loss counts where a blueprint says `loss_on = "text"`: the text, and what closes it, that is what comes after
it up to the first special token, so that a model learns to end. Without a special token after it: the text alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coevo_pipelines.corpora.blueprints import Blueprint, BlueprintError
from coevo_pipelines.corpora.sequences.tokenizer import Encoded, Loaded, copy_runs, encode

if TYPE_CHECKING:
    import polars as pl

Int64s = npt.NDArray[np.int64]

TEXT = "text"
INSTRUCTION = "instruction"
PREAMBLE = "preamble"
FIELDS = ("repo", "path", "title", "language", "license", "version")

_TOKEN_LIKE = re.compile(r"<[|｜][^<>\n]{0,80}?[|｜]>")


@dataclass(frozen=True)
class Field:
    """A place in a template for what a document has."""

    name: str


Read = int | str | Field
Part = int | tuple[str | Field, ...]
"""Of a template: a special token, or a stretch of words and fields."""


@dataclass(frozen=True)
class Frame:
    """What is around a text."""

    before: tuple[Part, ...]
    closing: tuple[Part, ...]
    """After the text, up to the first special token."""
    after: tuple[Part, ...]


@dataclass(frozen=True)
class Frames:
    """The templates of a blueprint, read. `by_kind`: for texts of repositories (True) and of traces (False), the
    frame of each kind of document, None for kinds without an own one."""

    blueprint: str
    by_kind: Mapping[bool, Mapping[str | None, Frame]]
    opening: tuple[Part, ...]
    """Of a sequence."""

    def of(self, has_repo: bool, kind: str) -> Frame:
        """The frame of a document. BlueprintError for a kind without an instruction."""
        frames = self.by_kind[has_repo]
        if kind not in frames and None not in frames:
            raise BlueprintError(
                f"blueprint {self.blueprint}: framing.instructions: none for documents of the kind {kind!r}: add one, "
                "or leave the kind out of selection.kinds"
            )
        return frames.get(kind) or frames[None]


@dataclass(frozen=True)
class Framed:
    """Tokens around each of many texts."""

    before: Encoded
    closing: Encoded
    after: Encoded


def plan(blueprint: Blueprint, loaded: Loaded) -> Frames:
    """The templates of a blueprint, for this tokenizer. BlueprintError, TokenizerError."""
    framing, packing = blueprint.framing, blueprint.packing
    reader = _Reader(f"blueprint {blueprint.name}", loaded)
    instructions: dict[str, list[Read]] = {
        kind: reader.parts(template, f"framing.instructions.{kind}", FIELDS)
        for kind, template in framing.instructions.items()
    }
    end = () if packing.end_token is None else (reader.marker(packing.end_token, "packing.end_token"),)
    start = () if packing.start_token is None else (reader.marker(packing.start_token, "packing.start_token"),)
    of_repositories = reader.frames(framing.document, "framing.document", instructions, end)
    of_traces = of_repositories
    if framing.text is not None:
        of_traces = reader.frames(framing.text, "framing.text", instructions, end)
    opening: tuple[Part, ...] = start
    if blueprint.preamble.kind != "none":
        opening += _stretched(reader.parts(blueprint.preamble.template, "preamble.template", (PREAMBLE,)))
    return Frames(blueprint.name, {True: of_repositories, False: of_traces}, opening)


@dataclass(frozen=True)
class _Reader:
    """Reads templates. A part read is a special token, a word or a field."""

    place: str
    loaded: Loaded

    def marker(self, written: str, field: str) -> int:
        return self.loaded.marker(written, f"{self.place}: {field}")

    def frames(
        self, template: str, field: str, instructions: Mapping[str, list[Read]], end: tuple[int, ...]
    ) -> dict[str | None, Frame]:
        parts = [*self.parts(template, field, (TEXT, INSTRUCTION, *FIELDS)), *end]
        if Field(INSTRUCTION) not in parts:
            return {None: self.frame(parts, field)}
        found: dict[str | None, Frame] = {}
        for kind, instruction in instructions.items():
            told = [inner for part in parts for inner in (instruction if part == Field(INSTRUCTION) else [part])]
            found[kind] = self.frame(told, field)
        return found

    def frame(self, parts: list[Read], field: str) -> Frame:
        if parts.count(Field(TEXT)) != 1:
            raise BlueprintError(f"{self.place}: {field}: a template has {{text}} exactly once")
        at = parts.index(Field(TEXT))
        after = _stretched(parts[at + 1 :])
        closed = next((n + 1 for n, part in enumerate(after) if isinstance(part, int)), 0)
        return Frame(_stretched(parts[:at]), after[:closed], after[closed:])

    def parts(self, template: str, field: str, names: tuple[str, ...]) -> list[Read]:
        place = f"{self.place}: {field}"
        try:
            read = list(Formatter().parse(template))
        except ValueError as error:
            raise BlueprintError(f"{place}: {error}: a brace of the text itself is written twice") from error
        found: list[Read] = []
        for words, name, form, conversion in read:
            found += self.words(words, place)
            if name is not None:
                written = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
                found.append(self.field(written, place, names))
        return found

    def field(self, name: str, place: str, names: tuple[str, ...]) -> Field:
        if name in names:
            return Field(name)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean {{{close[0]}}}?)" if close else ""
        raise BlueprintError(
            f"{place}: {{{name}}} is no field{hint}: there are {', '.join(f'{{{each}}}' for each in names)}, "
            "and a brace of the text itself is written twice"
        )

    def words(self, words: str, place: str) -> Iterator[int | str]:
        """Special tokens and what is between them, as the tokenizer finds them (some take the spaces beside them)."""
        numbers = frozenset(self.loaded.markers.values())
        self.loaded.tokenizer.encode_special_tokens = False
        try:
            encoding = self.loaded.tokenizer.encode(words, add_special_tokens=False)
        finally:
            self.loaded.tokenizer.encode_special_tokens = True
        done = 0
        for number, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True):
            # A model of whole words gives the id of an unknown one also for what is no special token.
            if number in numbers and (self.loaded.tokenizer.id_to_token(number) or "") in words[begin:end]:
                yield from self.plain(words[done:begin], place)
                yield number
                done = end
        yield from self.plain(words[done:], place)

    def plain(self, words: str, place: str) -> Iterator[str]:
        if match := _TOKEN_LIKE.search(words):
            self.loaded.marker(match.group(), place)
        if words:
            yield words


def _stretched(parts: list[Read]) -> tuple[Part, ...]:
    """Words and fields in a row as one."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, int):
            found.append(part)
        elif found and isinstance(found[-1], tuple):
            found[-1] += (part,)
        else:
            found.append((part,))
    return tuple(found)


def opening(frames: Frames, preamble: str, loaded: Loaded, scratch: Path) -> npt.NDArray[np.int32]:
    """Tokens that open every sequence; `preamble`: the text of the blueprint's preamble."""
    import polars as pl

    one = pl.DataFrame({PREAMBLE: [preamble]})
    return _joined(one, [(np.zeros(1, np.int64), frames.opening)], loaded, scratch).ids


def frame(documents: pl.DataFrame, frames: Frames, loaded: Loaded, scratch: Path) -> Framed:
    """Tokens around the text of each document. `documents`: kind and FIELDS, null for what it has not.
    BlueprintError."""
    import polars as pl

    keys = documents.select("kind", has_repo=pl.col("repo").is_not_null()).with_row_index("row")
    groups = [
        (rows["row"].to_numpy().astype(np.int64), frames.of(has_repo, kind))
        for (has_repo, kind), rows in keys.group_by("has_repo", "kind", maintain_order=True)
    ]
    told = documents.select(pl.col(FIELDS).fill_null(""))
    return Framed(
        _joined(told, [(rows, own.before) for rows, own in groups], loaded, scratch),
        _joined(told, [(rows, own.closing) for rows, own in groups], loaded, scratch),
        _joined(told, [(rows, own.after) for rows, own in groups], loaded, scratch),
    )


def _joined(
    told: pl.DataFrame, groups: Sequence[tuple[Int64s, tuple[Part, ...]]], loaded: Loaded, scratch: Path
) -> Encoded:
    """Tokens of the parts, one after the other, for each row of `told`; `groups`: rows, and what parts they have."""
    lengths = np.zeros(told.height, np.int64)
    pieces = []
    for rows, parts in groups:
        for part in parts:
            index, piece = _piece(told[rows], part, loaded, scratch)
            lengths[rows] += piece.lengths[index]
            pieces.append((rows, index, piece))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.empty(starts[-1], np.int32)
    cursor = starts[:-1].copy()
    for rows, index, piece in pieces:
        copy_runs(ids, cursor[rows], piece.ids, piece.starts[index], piece.lengths[index])
        cursor[rows] += piece.lengths[index]
    return Encoded(ids, starts)


def _piece(told: pl.DataFrame, part: Part, loaded: Loaded, scratch: Path) -> tuple[Int64s, Encoded]:
    """A part of each row: which of the encoded ones."""
    import polars as pl

    if isinstance(part, int):
        return np.zeros(told.height, np.int64), Encoded(np.array([part], np.int32), np.array([0, 1]))
    words = (pl.col(each.name) if isinstance(each, Field) else pl.lit(each) for each in part)
    values = told.with_columns(words=pl.concat_str(*words)).select("words")
    unique = values.unique(maintain_order=True)
    index = values.join(unique.with_row_index("index"), "words", maintain_order="left")["index"]
    return index.to_numpy().astype(np.int64), encode([unique["words"]], loaded, scratch)
