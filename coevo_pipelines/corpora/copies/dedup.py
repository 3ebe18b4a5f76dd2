"""Which documents say the same: exact copies, near-duplicates by MinHash and exact Jaccard, and the copy that is kept.

A **word** is a maximal run of what Unicode calls word characters (regular expression `\\w`: letters, marks, digits and
`_`), each lower-cased by itself (İ to i, every Σ to σ), but a character that Unicode word segmentation (UAX #29) joins
with nothing is a word of its own, with the marks that follow it: Han, Hiragana, Thai, Lao, Khmer, Myanmar. Other than
UAX #29 in full, `'`, `.`, `,` and `:` always separate ("can't" is two words) and Katakana is not parted from letters.
There is no normalization: é in one code point and in two are different. Polars' tables say which character is what.

A **shingle** is n words in a row (5 by default); a text of fewer words is one shingle, all of it; a text without
words has none and is like no other but its exact copies. Texts are compared as sets of shingles, which are known by
64-bit hashes: among N different shingles about N^2 / 2^65 pairs collide (0.03 in 10^9 shingles), and a Jaccard index
is wrong by one shingle where both lie in one pair of documents.

The search: SHA-256 finds exact copies; each different text gets a signature of minima under random permutations (Broder
1997); those that agree in a whole band of a signature are candidates (Indyk and Motwani 1998), and
candidates are compared set by set. So every pair that is reported is one; a pair at or above the threshold is found
with a probability of at least RECALL, that rises fast with its Jaccard index (see `bands`).
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import polars as pl

THRESHOLD, PERMUTATIONS, NGRAM = 0.8, 128, 5
RECALL = 0.995
"""At least this share of pairs with exactly the threshold's Jaccard index become candidates."""
MISSED = 1e-6
"""A candidate is not compared when its signatures agree in so few places that a true pair does so this seldom."""
BUCKET = 128
"""Documents of one bucket that are all compared with each other; larger ones: see `candidates`."""
BATCH_BYTES = 32 << 20
"""Text that is worked on at a time."""
SETS_BYTES = 1 << 29
"""Shingle hashes that are held at a time to compare candidates."""
PART_BYTES = 1 << 20
"""What one thread works on of a batch."""


@dataclass(frozen=True)
class Sketches:
    """What is kept of texts: 4 bytes a permutation, and little more, for each different one.

    `first`: for every row the first row with exactly the same text, [rows] int64.
    `rows`: the rows that are first, ascending; `signatures` [rows, permutations] uint32 and `counts` [rows] int64,
    shingles with repetitions, are theirs.
    """

    first: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]
    signatures: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]
    ngram: int


def pairs(
    texts: pl.Series | Iterable[pl.Series],
    *,
    threshold: float = THRESHOLD,
    permutations: int = PERMUTATIONS,
    ngram: int = NGRAM,
    seed: int = 0,
) -> pl.DataFrame:
    """Pairs of rows with a Jaccard index of `threshold` or more: left < right, jaccard, exact; sorted.

    `texts` is a column, or batches that can be gone through twice (a list, or an object whose `__iter__` begins anew);
    rows are numbered through. Of n rows with exactly the same text there are the n - 1 pairs with the first of
    them (`exact` is true), and only the first is paired with others: `components` knows.

    Memory: 4 bytes a permutation for each different text, SETS_BYTES, some BATCH_BYTES; the texts of a column besides.

    Raises ValueError for null texts, other types than String, batches that can be read once only or that are others
    the second time, and for a threshold that no bands of so many permutations serve.
    """
    import polars as pl

    bands(threshold, permutations)  # what cannot be done is said before the texts are read
    sketches = sketch(texts, permutations=permutations, ngram=ngram, seed=seed)
    near, jaccard = verified(texts, sketches, candidates(sketches, threshold), threshold)
    copies = np.flatnonzero(sketches.first != np.arange(sketches.first.size))
    return pl.DataFrame(
        {
            "left": np.concatenate([near[:, 0], sketches.first[copies]]),
            "right": np.concatenate([near[:, 1], copies]),
            "jaccard": np.concatenate([jaccard, np.ones(copies.size)]),
            "exact": np.repeat([False, True], [len(near), copies.size]),
        }
    ).sort("left", "right")


def bands(threshold: float, permutations: int = PERMUTATIONS) -> tuple[int, int]:
    """(bands, rows): the most rows, so the fewest candidates, that find RECALL of the pairs at `threshold`.

    Two sets agree in a row with a probability of their Jaccard index J, so in at least one of b bands of r rows with
    1 - (1 - J^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4.2). 0.8 and 128: 21 of 6 rows,
    0.998 at 0.8, 0.9999 at 0.85, 0.28 at 0.5. ValueError where even single rows find fewer.
    """
    if not 0 < threshold <= 1 or permutations < 1:
        raise ValueError(
            f"near-duplicates: threshold {threshold} and {permutations} permutations: the one is above 0 and at "
            "most 1, the other at least 1"
        )
    for rows in range(permutations, 0, -1):
        if 1 - (1 - threshold**rows) ** (permutations // rows) >= RECALL:
            return permutations // rows, rows
    raise ValueError(
        f"near-duplicates: {permutations} permutations find {1 - (1 - threshold) ** permutations:.1%} of the pairs at "
        f"Jaccard {threshold}, less than {RECALL:.1%}: take a higher threshold or more permutations"
    )


def sketch(
    texts: pl.Series | Iterable[pl.Series], *, permutations: int = PERMUTATIONS, ngram: int = NGRAM, seed: int = 0
) -> Sketches:
    """Exact copies found and every different text signed, in one pass; errors as for `pairs`."""
    from coevo_pipelines.corpora.copies.minhash import sign

    if ngram < 1:
        raise ValueError(f"near-duplicates: shingles of {ngram} words: at least 1")
    random = np.random.PCG64(seed).random_raw(permutations)
    a, b = (random >> np.uint64(32)).astype(np.uint32) | np.uint32(1), random.astype(np.uint32)
    characters = _characters()
    known: dict[bytes, int] = {}
    first, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    signatures, counts = [np.empty((0, permutations), np.uint32)], [np.empty(0, np.int64)]
    begin = 0
    with _threads() as threads:
        for batch in _batches(texts):
            parts = list(threads.map(_hashed, _parts(batch)))
            digests = (digest for part in parts for digest in part.digests)
            own = np.array([known.setdefault(each, row) for row, each in enumerate(digests, begin)], np.int64)
            new = own == np.arange(begin, begin + own.size)
            first.append(own)
            rows.append(begin + np.flatnonzero(new))
            begin += own.size

            def signed(part: _Part, new: Any) -> tuple[Any, Any]:
                starts, stops = part.ends[:-1][new], part.ends[1:][new]
                signature, count = np.empty((starts.size, permutations), np.uint32), np.empty(starts.size, np.int64)
                sign(part.data, starts, stops, characters, ngram, a, b, signature, count)
                return signature, count

            cuts = np.cumsum([len(part.digests) for part in parts[:-1]])
            for signature, count in threads.map(signed, parts, np.split(new, cuts)):
                signatures.append(signature)
                counts.append(count)
    return Sketches(
        np.concatenate(first), np.concatenate(rows), np.concatenate(signatures), np.concatenate(counts), ngram
    )


def candidates(sketches: Sketches, threshold: float = THRESHOLD) -> np.ndarray[Any, Any]:
    """Pairs of places in `sketches.rows` to compare, [pairs, 2] int64, sorted.

    Two that share a bucket (a band in which they agree) and whose whole signatures agree in so many places as a pair
    at the threshold does but for one in a million times (binomial distribution).

    A bucket of more than BUCKET documents does not go quadratic: in it a document is compared with at most BUCKET
    leaders, each a document of the bucket that agrees with no earlier leader in a share of (1 + threshold) / 2. One
    that does is compared no further. So of a boilerplate in thousands of variants each is paired with one of few,
    rather than with every other. That may lose, within such buckets, pairs of two that are no leaders, and with more
    than BUCKET leaders also links of what comes last.
    """
    from coevo_pipelines.corpora.copies.minhash import band_keys, bucket_pairs

    signatures = sketches.signatures
    permutations = signatures.shape[1]
    count, rows = bands(threshold, permutations)
    documents = np.flatnonzero(sketches.counts)
    bits = max(1, int(documents.size).bit_length())
    least = _agreeing(threshold, permutations)
    close = math.ceil((1 + threshold) / 2 * permutations)

    def of_band(band: int) -> np.ndarray[Any, Any]:
        keys = band_keys(signatures, documents, band * rows, rows, bits)
        keys.sort()
        found = bucket_pairs(keys, documents, bits, signatures, least, close, BUCKET)
        return np.unique(found[:, 0] * len(signatures) + found[:, 1])

    together = np.empty(0, np.int64)
    if documents.size:
        with _threads() as threads:
            for found in threads.map(of_band, range(count)):
                together = np.union1d(together, found)
    return np.stack(np.divmod(together, max(1, len(signatures))), axis=1)


def verified(
    texts: pl.Series | Iterable[pl.Series],
    sketches: Sketches,
    places: np.ndarray[Any, Any],
    threshold: float = THRESHOLD,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(pairs of rows [m, 2], their Jaccard index [m]) of those candidates that reach the threshold.

    Reads `texts` again, as sets of shingles are made for candidates only, and once more for every SETS_BYTES of these.
    ValueError where they are other texts now.
    """
    jaccard = np.empty(len(places))
    for part in _rounds(places, sketches.counts):
        jaccard[part] = _compared(texts, sketches, places[part])
    true = jaccard >= threshold
    return sketches.rows[places[true]], jaccard[true]


def _rounds(places: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> Iterator[slice]:
    """Pairs in a row whose documents together have no more than SETS_BYTES of shingle hashes, or one pair."""
    most, begin = SETS_BYTES // 8, 0
    if counts[np.unique(places)].sum() > most:
        held, size = set[int](), 0
        for k, pair in enumerate(places.tolist()):
            more = sum(int(counts[each]) for each in {*pair} - held)
            if held and size + more > most:
                yield slice(begin, k)
                begin, held, size, more = k, set(), 0, int(counts[pair].sum())
            held.update(pair)
            size += more
    if begin < len(places):
        yield slice(begin, len(places))


def _compared(
    texts: pl.Series | Iterable[pl.Series], sketches: Sketches, places: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """The Jaccard index of each pair, all sets in memory at once."""
    from coevo_pipelines.corpora.copies.minhash import jaccards, shingle_sets

    wanted = np.unique(places)
    ends = np.concatenate([[0], np.cumsum(sketches.counts[wanted])])
    sets, sizes = np.empty(ends[-1], np.uint64), np.full(wanted.size, -1, np.int64)
    rows, counts = sketches.rows[wanted], sketches.counts[wanted]
    characters = _characters()
    begin = 0
    with _threads() as threads:
        for batch in _batches(texts):
            here = slice(*np.searchsorted(rows, (begin, begin + batch.len())).tolist())
            within = rows[here] - begin
            begin += batch.len()
            parts = _parts(batch.gather(within))

            def shingled(part: pl.Series, own: slice) -> None:
                data, at = _arrow(part)
                shingle_sets(
                    data, at[:-1], at[1:], characters, sketches.ngram, ends[own], counts[own], sets, sizes[own]
                )  # fmt: skip

            edges = here.start + np.cumsum([0, *(part.len() for part in parts)])
            for _ in threads.map(shingled, parts, map(slice, edges[:-1].tolist(), edges[1:].tolist())):
                pass  # the first error is raised
        if begin != sketches.first.size or (sizes < 0).any():
            raise ValueError(
                f"near-duplicates: {begin:,} texts at a later reading are not the {sketches.first.size:,} of the "
                "first: give a column or batches that stay the same"
            )
        left, right = np.searchsorted(wanted, places.T)
        steps = [slice(k, k + 10_000) for k in range(0, len(places), 10_000)]
        return np.concatenate(list(threads.map(lambda at: jaccards(left[at], right[at], sets, ends, sizes), steps)))


def components(
    found: pl.DataFrame, n: int, eligible: np.ndarray[Any, Any] | None = None, *, threshold: float = THRESHOLD
) -> np.ndarray[Any, Any]:
    """For each of n rows the smallest row that it is linked to by `pairs`, [n] int64.

    With `eligible` [n] bool others take no part: they get -1, and link nobody, save where that is certain: equal sets
    count as one document, and two rows that are both within (1 - threshold) / 2 of a row left out are within the
    threshold of each other, as 1 - Jaccard is a metric (Levandowsky and Winter 1971, doi:10.1038/234034a0). So what is
    eligible for one corpus needs no search of its own. (Dropping pairs by hand would lose copies of a first
    copy that is not eligible.)
    """
    allowed = np.ones(n, bool) if eligible is None else np.asarray(eligible, bool)
    if allowed.shape != (n,):
        raise ValueError(f"components: eligible has the shape {allowed.shape}, not ({n},), one for each document")
    left, right, jaccard = (found[name].to_numpy() for name in ("left", "right", "jaccard"))
    same = _linked(left[jaccard == 1], right[jaccard == 1], n)
    left, right = same[left], same[right]
    there = np.zeros(n, bool)
    there[same[allowed]] = True
    direct = there[left] & there[right]
    near = jaccard >= (1 + threshold) / 2
    joined = [(left[direct], right[direct])]
    for middle, other in ((left, right), (right, left)):
        through = near & ~there[middle] & there[other]
        joined.append((middle[through], other[through]))
    lefts, rights = zip(*joined, strict=True)
    label = _linked(np.concatenate(lefts), np.concatenate(rights), n)[same]
    smallest = np.full(n, n, np.int64)
    np.minimum.at(smallest, label[allowed], np.flatnonzero(allowed))
    return np.where(allowed, smallest[label], -1)


def kept(documents: pl.DataFrame, labels: np.ndarray[Any, Any], found: pl.DataFrame) -> pl.DataFrame:
    """Each document that is dropped, with the one that is kept for it: index, doc_id, kept_index, kept_doc_id, rule,
    jaccard; sorted by index.

    `documents` has a row for each label with doc_id, influence, event_at and path; `labels` come from `components` of
    the pairs `found`. Of a component stays the document with the highest influence, then the earliest event, then
    the shortest path in characters, then the first doc_id; what is null or NaN comes last in each. `rule` is `exact`
    where the text is the same, else `near`; `jaccard` is null where the two are linked through others only.
    """
    import polars as pl

    if documents.height != labels.size:
        raise ValueError(f"kept: {documents.height:,} documents and {labels.size:,} labels: one label a document")
    order = (
        documents.lazy()
        .with_row_index("index")
        .select(
            pl.col("index").cast(pl.Int64),
            "doc_id",
            pl.Series("label", labels),
            pl.col("influence").cast(pl.Float64).fill_nan(None),
            "event_at",
            pl.col("path").cast(pl.String).str.len_chars().alias("length"),
        )
        .filter(pl.col("label") >= 0)
        .sort("influence", "event_at", "length", "doc_id", descending=[True, False, False, False], nulls_last=True)
        .with_columns(pl.col("index", "doc_id").first().over("label").name.prefix("kept_"))
        .filter(pl.col("index") != pl.col("kept_index"))
        .sort("index")
        .collect()
    )
    n = labels.size
    left, right, jaccard = (found[name].to_numpy() for name in ("left", "right", "jaccard"))
    copies = found["exact"].to_numpy()
    text, same = _linked(left[copies], right[copies], n), _linked(left[jaccard == 1], right[jaccard == 1], n)
    known = pl.DataFrame({"one": same[left], "other": same[right], "jaccard": jaccard})
    both = pl.concat([known, known.select(one="other", other="one", jaccard="jaccard")]).unique(["one", "other"])
    index, by = order["index"].to_numpy(), order["kept_index"].to_numpy()
    return (
        order.with_columns(
            pl.Series("rule", np.where(text[index] == text[by], "exact", "near"), pl.String),
            pl.Series("one", same[index], pl.Int64),
            pl.Series("other", same[by], pl.Int64),
        )
        .join(both, on=["one", "other"], how="left", maintain_order="left")
        .with_columns(pl.when(pl.col("one") == pl.col("other")).then(1.0).otherwise("jaccard").alias("jaccard"))
        .select("index", "doc_id", "kept_index", "kept_doc_id", "rule", "jaccard")
    )


def _linked(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    """The smallest member of each one's connected component, [n]."""
    label = np.arange(n)
    if left.size:
        import igraph

        # Only what is linked: igraph's lists of members take 100 bytes a node.
        ends, numbers = np.unique(np.concatenate([left, right]), return_inverse=True)
        graph = igraph.Graph(ends.size, numbers.reshape(2, -1).T)
        member = np.array(graph.connected_components().membership)
        _, firsts = np.unique(member, return_index=True)
        label[ends] = ends[firsts][member]
    return label


def _agreeing(threshold: float, permutations: int) -> int:
    """The most places that all but MISSED of the pairs at the threshold agree in."""
    if threshold == 1:
        return permutations
    below = 0.0
    for agreeing in range(permutations + 1):
        ways = math.lgamma(permutations + 1) - math.lgamma(agreeing + 1) - math.lgamma(permutations - agreeing + 1)
        below += math.exp(ways + agreeing * math.log(threshold) + (permutations - agreeing) * math.log1p(-threshold))
        if below > MISSED:
            return agreeing
    return permutations


@functools.cache
def _characters() -> np.ndarray[Any, Any]:
    """For each code point 4 times its lower case plus what it does in words; see minhash's constants. Takes 0.2 s."""
    import polars as pl

    from coevo_pipelines.corpora.copies.minhash import ALONE, EXTENDS, JOINS

    # The planes that have characters: text and pictures, ideographs, and the marks that choose among variants.
    points = np.r_[0:0xD800, 0xE000:0x40000, 0xE0000:0xE0200].astype(np.uint32)
    each = pl.Series(list(points.astype("<u4").tobytes().decode("utf-32-le")))
    joins = each.str.contains(r"[\p{wb=ALetter}\p{wb=Hebrew_Letter}\p{wb=Katakana}\p{wb=Numeric}\p{wb=ExtendNumLet}]")
    extends = each.str.contains(r"[\p{wb=Extend}\p{wb=Format}\p{wb=ZWJ}]")
    kind = (
        np.select([extends.to_numpy(), joins.to_numpy()], [EXTENDS, JOINS], ALONE) * each.str.contains(r"\w").to_numpy()
    )
    lower = np.array([ord(c) for c in each.str.to_lowercase().str.slice(0, 1)], np.uint32)
    characters = np.zeros(points[-1] + 1, np.uint32)
    characters[points] = lower << 2 | kind.astype(np.uint32)
    return characters


def _batches(texts: pl.Series | Iterable[pl.Series]) -> Iterator[pl.Series]:
    """The same rows in parts of about BATCH_BYTES at most. ValueError for what is no column of texts."""
    import polars as pl

    if not isinstance(texts, pl.Series) and iter(texts) is texts:
        raise ValueError(
            "near-duplicates: texts come from a generator, which can be gone through once only: give a column, a list "
            "of batches, or an object whose __iter__ begins anew"
        )
    begin = 0
    for batch in (texts,) if isinstance(texts, pl.Series) else texts:
        if batch.dtype != pl.String and batch.len():
            raise ValueError(f"near-duplicates: texts from row {begin:,} on are {batch.dtype}, not String")
        if batch.null_count():
            row = begin + int(batch.is_null().arg_true()[0])
            raise ValueError(f"near-duplicates: the text of row {row:,} is null: leave the row out or make it empty")
        begin += batch.len()
        yield from _parts(batch.cast(pl.String), BATCH_BYTES)


def _parts(texts: pl.Series, size: int = PART_BYTES) -> list[pl.Series]:
    """The same rows in parts of `size` bytes, more by up to one text."""
    import polars as pl

    ends = texts.str.len_bytes().cast(pl.Int64).cum_sum().to_numpy()
    cuts = np.searchsorted(ends, np.arange(size, ends[-1] if ends.size else 0, size)) + 1
    edges = np.unique(np.concatenate([[0], cuts, [ends.size]])).tolist()
    return [texts.slice(i, j - i) for i, j in itertools.pairwise(edges)]


def _arrow(batch: pl.Series) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The bytes of all texts after each other, and where each begins and the last ends, [texts + 1] int64."""
    import polars as pl

    array = batch.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, data = array.buffers()
    at = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data or b"", np.uint8), at


class _Part(NamedTuple):
    data: np.ndarray[Any, Any]
    ends: np.ndarray[Any, Any]
    digests: list[bytes]


def _hashed(texts: pl.Series) -> _Part:
    data, ends = _arrow(texts)
    whole, at = data.data, ends.tolist()
    return _Part(data, ends, [hashlib.sha256(whole[i:j]).digest() for i, j in itertools.pairwise(at)])


def _threads() -> ThreadPoolExecutor:
    import polars as pl

    return ThreadPoolExecutor(pl.thread_pool_size())
