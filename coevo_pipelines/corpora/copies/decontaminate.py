"""Which documents hold questions of evaluation sets: overlap of word n-grams, as GPT-3 looked for it.

T. Brown et al. 2020, arXiv:2005.14165, appendix C: 13-grams of words in lower case without punctuation; shorter ones
(down to 8 words) where an evaluation's texts are short; an n-gram in more than ten documents is a common phrase or
legal boilerplate and proves nothing. Changed here, because a question that leaked into eleven documents would escape:
such n-grams still prove it where they make up most of a question.

Words are runs of letters and digits, without case, marks and width (`characters.folded`); an ideograph or a kana is a
word. Hashes of 64 bits find the candidates, the words themselves decide.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coevo_pipelines.corpora.cleaning import characters
from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

NGRAM = 13
"""Words of an n-gram (GPT-3)."""
SHORT = 8
"""A text of so many words up to n is one n-gram by itself (GPT-3's smallest n)."""
SHORTEST = 5
"""A question of fewer words is not looked for: it would be found anywhere."""
COMMON = 10
"""Documents in which an n-gram may be before it counts as a common phrase (GPT-3)."""
DISTINCT = 4
"""Different words that an n-gram of eight or more has at least: a row of zeros is in every table."""
MOST = 0.5
"""Share of a question's n-grams from which on common ones prove it too."""

_BATCH = 4 << 20


class EvaluationError(ValueError):
    """An evaluation set that cannot be read; the message names the file, the place and the way out."""


@dataclass(frozen=True)
class EvaluationSet:
    """What a model will be tested on. `questions` are texts; several may belong to one record of the file."""

    name: str
    sha256: str
    """Of the file, or of whatever stands for these questions."""
    questions: tuple[str, ...]
    records: tuple[int, ...] = ()
    """For each text the number of its record in the file, from 0; empty: each text is a record."""
    skipped: int = 0
    """Records without any text in the fields that were looked at."""

    def __post_init__(self) -> None:
        if self.records and len(self.records) != len(self.questions):
            raise EvaluationError(f"{self.name}: {len(self.questions)} texts of {len(self.records)} records")


def load(path: Path, fields: Sequence[str] = (), name: str | None = None) -> EvaluationSet:
    """The set in a .jsonl, .json (a list, or an object that holds one), .parquet, .csv or .txt file (a line, a
    question). `fields` are the records' fields to look at, all if empty; texts inside lists and objects count.

    EvaluationError for a file that is absent, empty, damaged, not UTF-8 or of another kind, and for a field that no
    record has.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror or error})") from error
    readers = {".jsonl": _jsonl, ".json": _json, ".parquet": _parquet, ".csv": _csv, ".txt": _txt}
    if (reader := readers.get(path.suffix.lower())) is None:
        raise EvaluationError(f"{path}: an evaluation set is a file that ends in {', '.join(readers)}")
    try:
        records = list(reader(path, data))
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: not UTF-8 at byte {error.start}; convert it first") from error
    if not records:
        raise EvaluationError(f"{path}: holds no questions")
    known = sorted({key for record in records if isinstance(record, dict) for key in record})
    for field in fields:
        if field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else f"; there are {', '.join(known) or 'none'}"
            raise EvaluationError(f"{path}: no record has a field {field!r}{hint}")
    found = [list(_texts(record, fields)) for record in records]
    if not any(found):
        raise EvaluationError(f"{path}: none of its {len(records)} records holds a text")
    return EvaluationSet(
        name=name or path.stem,
        sha256=hashlib.sha256(data).hexdigest(),
        questions=tuple(text for texts in found for text in texts),
        records=tuple(number for number, texts in enumerate(found) for _ in texts),
        skipped=sum(not texts for texts in found),
    )


@dataclass(frozen=True)
class Index:
    """The n-grams of evaluation sets, ready to be looked for. Made by `index`."""

    n: int
    names: tuple[str, ...]
    grams: NDArray[np.int64]
    """A row each n-gram: start in `stream`, characters there, words, its first word there, hash."""
    stream: NDArray[np.int32]
    slots: NDArray[np.int32]
    """Open addressing by hash: the n-gram's number or -1."""
    filter: NDArray[np.uint8]
    postings: pl.DataFrame
    """gram, part (a text of a question), set, question."""
    parts: pl.DataFrame
    """part, words."""
    unsought: tuple[int, ...]
    """For each set the number of questions that cannot be looked for: too short, or of too few different words."""


def index(sets: Sequence[EvaluationSet], n: int = NGRAM) -> Index:
    """The n-grams of all texts of `sets`. ValueError for n below 1 and for two sets of one name."""
    import polars as pl

    if n < 1:
        raise ValueError(f"n = {n}: an n-gram has at least one word")
    names = tuple(each.name for each in sets)
    if len(set(names)) < len(names):
        raise ValueError(f"evaluation sets: two have one name ({', '.join(sorted(names))}); name them apart")
    texts = pl.Series([text for each in sets for text in each.questions], dtype=pl.String)
    of = pl.DataFrame(
        {
            "set": [number for number, each in enumerate(sets) for _ in each.questions],
            "question": [record for each in sets for record in (each.records or range(len(each.questions)))],
        },
        schema={"set": pl.UInt32, "question": pl.Int64},
    )
    streams, starts = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
    hashed, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for _, data, offsets in characters.batches(texts, _BATCH):
        part, ends, hashes, _, marks = _words(data, offsets, characters.folded())
        streams.append(part)
        starts.append(ends[1:] + starts[-1][-1])
        hashed.append(hashes)
        counts.append(np.diff(marks))
    stream, bounds, words = np.concatenate(streams), np.concatenate(starts), np.concatenate(counts)
    of = of.with_columns(part=pl.int_range(pl.len(), dtype=pl.UInt32), words=pl.Series(words, dtype=pl.Int64))
    longest = pl.col("words") == pl.col("words").max().over("set", "question")
    sought = of.filter((pl.col("words") >= min(n, SHORT)) | ((pl.col("words") >= min(n, SHORTEST)) & longest))
    firsts = np.concatenate([[0], np.cumsum(words)])
    word_hashes = np.concatenate(hashed)
    unique: dict[bytes, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    postings: list[tuple[int, int]] = []
    for part, count in sought.select("part", "words").iter_rows():
        size = min(n, count)
        for first in range(firsts[part], firsts[part] + count - size + 1):
            if size >= SHORT and len(set(word_hashes[first : first + size].tolist())) < DISTINCT:
                continue
            start, end = int(bounds[first]), int(bounds[first + size])
            number = unique.setdefault(stream[start:end].tobytes(), len(unique))
            if number == len(rows):
                rows.append((start, end - start, size, first))
            postings.append((number, part))
    grams = np.zeros((len(rows), 5), np.int64)
    grams[:, :4] = rows or np.zeros((0, 4))
    slots = np.full(1 << max(4, (2 * len(rows)).bit_length()), -1, np.int32)
    bits = np.zeros(4 * slots.size, np.uint8)
    with np.errstate(over="ignore"):  # hashes wrap around; compiled or not, see `kernel`
        _enter(word_hashes, grams, slots, bits)
    posted = pl.DataFrame(postings, schema={"gram": pl.UInt32, "part": pl.UInt32}, orient="row").unique()
    posted = posted.join(of, on="part").select("gram", "part", "set", "question").sort("gram", "part")
    left = of.select("set", "question").unique().join(posted, on=["set", "question"], how="anti")
    return Index(
        n=n,
        names=names,
        grams=grams,
        stream=stream,
        slots=slots,
        filter=bits,
        postings=posted,
        parts=of.select("part", "words"),
        unsought=tuple(left.filter(pl.col("set") == number).height for number in range(len(sets))),
    )


def hits(texts: pl.Series, sought: Index, first: int = 0) -> pl.DataFrame:
    """Where the n-grams of `sought` stand in `texts`: index (of the text, from `first` on), gram, and the characters
    from `start` to before `end`. A day too large for memory goes through in slices, `judged` looks at all of them."""
    import polars as pl

    schema = {"index": pl.UInt32, "gram": pl.UInt32, "start": pl.Int64, "end": pl.Int64}
    sizes = np.unique(sought.grams[:, 2])
    frames = [pl.DataFrame(schema=schema)]
    for number, data, offsets in characters.batches(texts, _BATCH) if sizes.size else ():
        stream, bounds, hashes, places, firsts = _words(data, offsets, characters.folded())
        with np.errstate(over="ignore"):
            rows = _find(
                stream, bounds, hashes, firsts, sizes, sought.stream, sought.grams, sought.slots, sought.filter
            )
        found = {
            "index": rows[:, 0] + (first + number),
            "gram": rows[:, 2],
            "start": places[rows[:, 1], 0],
            "end": places[rows[:, 1] + sought.grams[rows[:, 2], 2] - 1, 1],
        }
        frames.append(pl.DataFrame(found).cast(schema))  # type: ignore[arg-type]
    return pl.concat(frames)


def judged(found: pl.DataFrame, sought: Index, *, common: int | None = COMMON, min_share: float = 0.0) -> pl.DataFrame:
    """Which documents hold which questions, of the `hits` in all documents.

    Columns: index, set, question (number of the record), ngrams (different ones that were found), share (of the
    n-grams of that text of the question that was found best), passages (list of {start, end}, in characters,
    overlapping ones joined). Sorted by index, set, question.

    An n-gram in more than `common` documents is a common phrase (None: none is). What only such ones speak for is
    left out, unless they are at least half of a text of eight words or more. One that is common in the questions
    too (a template's text) never counts.
    """
    import polars as pl

    frequent = pl.lit(False) if common is None else pl.col("documents") > common
    grams = (
        found.group_by("gram")
        .agg(documents=pl.col("index").n_unique())
        .join(sought.postings.group_by("gram").agg(asked=pl.struct("set", "question").n_unique()), on="gram")
        .select("gram", frequent=frequent, template=frequent & (pl.col("asked") > (common or 0)))
    )
    postings = sought.postings.join(grams.filter("template"), on="gram", how="anti")
    totals = postings.group_by("part").agg(total=pl.len()).join(sought.parts, on="part")
    pairs = (
        found.select("index", "gram")
        .unique()
        .join(grams.filter(~pl.col("template")), on="gram")
        .join(postings, on="gram")
    )
    parts = (
        pairs.group_by("index", "set", "question", "part")
        .agg(matched=pl.len(), rare=(~pl.col("frequent")).any())
        .join(totals, on="part")
    )
    # By NumPy: Polars 2.1 divides by a column of one row through its reciprocal, another last bit than in a longer one.
    parts = parts.with_columns(share=parts["matched"].to_numpy() / parts["total"].to_numpy()).filter(
        pl.col("share") >= min_share,
        pl.col("rare") | ((pl.col("share") >= MOST) & (pl.col("words") >= min(sought.n, SHORT))),
    )
    passages = (
        parts.select("index", "set", "question", "part")
        .join(postings.select("part", "gram"), on="part")
        .join(found, on=["index", "gram"])
        .select("index", "set", "question", "gram", "start", "end")
        .unique()
        .sort("index", "set", "question", "start", "end")
        .with_columns(reach=pl.col("end").cum_max().over("index", "set", "question"))
        .with_columns(
            opens=(pl.col("start") > pl.col("reach").shift(1).over("index", "set", "question")).fill_null(True)
        )
        .with_columns(passage=pl.col("opens").cast(pl.UInt32).cum_sum())
    )
    spans = (
        passages.group_by("index", "set", "question", "passage")
        .agg(start=pl.col("start").min(), end=pl.col("end").max())
        .sort("start")
        .group_by("index", "set", "question", maintain_order=True)
        .agg(passages=pl.struct("start", "end"))
    )
    return (
        parts.group_by("index", "set", "question")
        .agg(share=pl.col("share").max())
        .join(
            passages.group_by("index", "set", "question").agg(ngrams=pl.col("gram").n_unique()),
            on=["index", "set", "question"],
        )
        .join(spans, on=["index", "set", "question"])
        .sort("index", "set", "question")
        .select(
            "index",
            pl.lit(pl.Series(sought.names, dtype=pl.String)).gather(pl.col("set")).alias("set"),
            "question",
            "ngrams",
            "share",
            "passages",
        )
    )


def overlaps(
    texts: pl.Series,
    sets: Sequence[EvaluationSet],
    n: int = NGRAM,
    *,
    common: int | None = COMMON,
    min_share: float = 0.0,
) -> pl.DataFrame:
    """Which of `texts`, the documents of a whole day, hold which questions of `sets`: `judged` of their `hits`."""
    sought = index(sets, n)
    return judged(hits(texts, sought), sought, common=common, min_share=min_share)


def _texts(value: Any, fields: Sequence[str]) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, dict):
        for key in value:
            if not fields or key in fields:
                yield from _texts(value[key], ())
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each, ())


def _jsonl(path: Path, data: bytes) -> Iterator[Any]:
    for number, line in enumerate(data.decode("utf-8-sig").split("\n"), start=1):
        if line.strip():
            yield _parsed(line, f"{path} line {number}")


def _json(path: Path, data: bytes) -> Iterable[Any]:
    whole = _parsed(data.decode("utf-8-sig"), str(path))
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        whole = lists[0] if len(lists) == 1 else list(whole.values())
    if not isinstance(whole, list):
        raise EvaluationError(f"{path}: a list of questions is needed, this is one {type(whole).__name__}")
    return whole


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{place}: not JSON ({error})") from error


def _parquet(path: Path, data: bytes) -> Iterable[Any]:
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(data)).to_dicts()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise EvaluationError(f"{path}: not a readable Parquet file ({error})") from error


def _csv(path: Path, data: bytes) -> Iterator[Any]:
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    try:
        header = next(rows, [])
        for row in rows:
            if len(row) != len(header) and row:
                raise EvaluationError(f"{path} line {rows.line_num}: {len(row)} fields under {len(header)} names")
            if row:
                yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise EvaluationError(f"{path} line {rows.line_num}: not CSV ({error})") from error


def _txt(path: Path, data: bytes) -> Iterable[Any]:
    del path
    return [line for line in data.decode("utf-8-sig").splitlines() if line.strip()]


@kernel
def _words(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], table: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """The words of texts: their characters (`characters.folded`), each word ended by a 0; where each word starts
    there, and the end; each word's hash; the characters from .. to before .. of each word in its text; each text's
    first word."""
    room = offsets[-1] - offsets[0] + offsets.size
    stream = np.empty(room, np.int32)
    bounds = np.empty(room + 1, np.int64)
    hashes = np.empty(room, np.int64)
    places = np.empty((room, 2), np.int32)
    firsts = np.zeros(offsets.size, np.int64)
    filled = words = 0
    bounds[0] = 0
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        place = hashed = 0
        begun = filled
        while at <= end:
            # One step past the end closes the last word.
            found: Any = 0
            if at < end:
                point = np.int64(data[at])
                if point > 127:
                    size = 2 + (point >= 224) + (point >= 240)
                    point &= 127 >> size
                    for step in range(1, size):
                        point = (point << 6) | (np.int64(data[at + step]) & 63)
                    at += size - 1
                found = np.int64(table[np.uint64(point)])
            is_single = found >= 1073741824
            if (found == 0 or is_single) and begun != filled:
                stream[filled] = 0
                filled += 1
                hashes[words] = (hashed ^ (hashed >> 29)) * 3202034522624059733
                places[words, 1] = place
                words += 1
                bounds[words] = begun = filled
                hashed = 0
            if found > 0:
                if begun == filled:
                    places[words, 0] = place
                stream[filled] = found
                filled += 1
                hashed = (hashed ^ found) * 1099511628211
                if is_single:
                    stream[filled] = 0
                    filled += 1
                    hashes[words] = (hashed ^ (hashed >> 29)) * 3202034522624059733
                    places[words, 1] = place + 1
                    words += 1
                    bounds[words] = begun = filled
                    hashed = 0
            place += 1
            at += 1
        firsts[text + 1] = words
    return stream[:filled], bounds[: words + 1], hashes[:words], places[:words], firsts


@kernel
def _enter(
    hashes: NDArray[np.int64], grams: NDArray[np.int64], slots: NDArray[np.int32], bits: NDArray[np.uint8]
) -> None:
    """The n-grams' hashes into their column 4, their numbers into `slots`, marks of both into `bits`."""
    for number in range(grams.shape[0]):
        whole = 0
        for word in range(grams[number, 3], grams[number, 3] + grams[number, 2]):
            whole = whole * 6364136223846793005 + hashes[word]
        grams[number, 4] = whole
        mixed = whole ^ (whole >> 31)
        mark = mixed & (8 * bits.size - 1)
        bits[mark >> 3] |= 1 << (mark & 7)
        slot = mixed & (slots.size - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = number


@kernel
def _find(  # noqa: PLR0912 - kernels cannot call each other
    stream: NDArray[np.int32],
    bounds: NDArray[np.int64],
    hashes: NDArray[np.int64],
    firsts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    asked: NDArray[np.int32],
    grams: NDArray[np.int64],
    slots: NDArray[np.int32],
    bits: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Rows of text, its word (counted over all texts) and n-gram, for each n-gram of `sizes` words that stands there
    word for word."""
    leaving = np.ones(sizes.size, np.int64)
    for number in range(sizes.size):
        for _ in range(sizes[number]):
            leaving[number] *= 6364136223846793005
    # The hash of words i .. j is sums[j + 1] - sums[i] * base ** (j + 1 - i), all modulo 2 ** 64.
    sums = np.zeros(hashes.size + 1, np.int64)
    for word in range(hashes.size):
        sums[word + 1] = sums[word] * 6364136223846793005 + hashes[word]
    rows = np.empty((1024, 3), np.int64)
    found = 0
    for text in range(firsts.size - 1):
        for after in range(firsts[text] + 1, firsts[text + 1] + 1):
            for number in range(sizes.size):
                first = after - sizes[number]
                if first < firsts[text]:
                    break  # the sizes ascend
                whole = sums[after] - sums[first] * leaving[number]
                mixed = whole ^ (whole >> 31)
                mark = mixed & (8 * bits.size - 1)
                if (np.int64(bits[np.uint64(mark >> 3)]) >> (mark & 7)) & 1 == 0:
                    continue
                slot = mixed & (slots.size - 1)
                while slots[slot] >= 0:
                    gram = np.int64(slots[slot])
                    slot = (slot + 1) & (slots.size - 1)
                    length = bounds[after] - bounds[first]
                    if grams[gram, 4] != whole or grams[gram, 2] != sizes[number] or grams[gram, 1] != length:
                        continue
                    same = True
                    for at in range(length):
                        if stream[bounds[first] + at] != asked[grams[gram, 0] + at]:
                            same = False
                            break
                    if same:
                        if found == rows.shape[0]:
                            larger = np.empty((2 * found, 3), np.int64)
                            larger[:found] = rows
                            rows = larger
                        rows[found, 0] = text
                        rows[found, 1] = first
                        rows[found, 2] = gram
                        found += 1
                        break
    return rows[:found]
