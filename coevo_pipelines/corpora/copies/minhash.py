"""The loops of near-duplicate search, compiled by numba: words, shingle hashes, signatures, bands, set intersections.

Imported only by what searches, as importing numba takes 0.6 s. Each loop holds no lock of Python's, so that plain
threads run it on parts of one problem: results lie at fixed places and do not depend on how many threads there are.
(numba's own threads would: OpenMP's do not survive a fork, and the others do not like callers in two threads.)
Unsigned 64-bit numbers meet no signed ones here: numba makes floats of the two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

SEPARATES, JOINS, ALONE, EXTENDS = range(4)
"""What a character does in words, see `dedup`."""

_U = np.uint64
_0, _1 = _U(0), _U(1)
_STEP = _U(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = _U(0xBF58476D1CE4E5B9), _U(0x94D049BB133111EB)
_30, _27, _31, _32 = _U(30), _U(27), _U(31), _U(32)
_LAST = np.uint32(0xFFFFFFFF)
_BLOCK = 2048
"""Words that are worked on at once: what is made of them stays in the nearest caches."""
_STRIDE = 32
"""Shingles of a block are filled up to a multiple of this by repeating the last: what is left over by four vectors is
slow (of 271 shingles it took half of the time)."""
_PLACE, _HASH, _KIND, _WORDS, _SUM, _STATE = range(6)
"""Where a text was left: byte, hash and kind of the word there (0 between words), words so far, the last n of them
summed; and how many numbers that is."""


@njit(cache=True, nogil=True)
def _mixed(x: Any) -> Any:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014): each bit in changes each bit out half of the time."""
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@njit(cache=True, nogil=True)
def _words(data: Any, stop: int, characters: Any, state: Any, out: Any) -> Any:
    """Go on reading a text where `state` says until `out` has a hash in each place or the text ends; how many it has.

    The hash is of lower-case code points, ((c1 S) ^ c2) S ..., not yet mixed.
    """
    i, h = np.int64(state[_PLACE]), state[_HASH]
    kind: Any = np.int64(state[_KIND])
    count: Any = np.int64(0)
    room = out.size
    while count < room and (i < stop or kind != SEPARATES):
        # ASCII without a branch on what a character is: guessing where words end costs as much as all else.
        while kind != ALONE and i < stop and count < room and data[i] < 0x80:
            entry = _U(characters[data[i]])
            joins = entry & _1
            out[count] = h
            count += kind & ~np.int64(joins)
            h = ((h ^ entry >> _U(2)) * _STEP) & (_0 - joins)
            kind = np.int64(joins)
            i += 1
        if count == room:
            break
        entry = _0
        if i < stop:
            c = np.int64(data[i])
            if c >= 0xF0:
                c = (c & 0x07) << 18 | (data[i + 1] & 0x3F) << 12 | (data[i + 2] & 0x3F) << 6 | (data[i + 3] & 0x3F)
                i += 4
            elif c >= 0xE0:
                c = (c & 0x0F) << 12 | (data[i + 1] & 0x3F) << 6 | (data[i + 2] & 0x3F)
                i += 3
            elif c >= 0x80:
                c = (c & 0x1F) << 6 | (data[i + 1] & 0x3F)
                i += 2
            else:
                i += 1
            if c < characters.size:
                entry = _U(characters[c])
        this = np.int64(entry & _U(3))
        if kind != SEPARATES and this != EXTENDS and (this != JOINS or kind == ALONE):
            out[count] = h
            count += 1
            kind, h = SEPARATES, _0
        if this != SEPARATES:
            if kind == SEPARATES:
                kind = ALONE if this == ALONE else JOINS
            h = (h ^ entry >> _U(2)) * _STEP
    state[_PLACE], state[_HASH], state[_KIND] = _U(i), h, _U(kind)
    return count


@njit(cache=True, nogil=True)
def _shingles(data: Any, stop: int, characters: Any, n: int, state: Any, words: Any, out: Any) -> Any:
    """Go on reading a text by as many words as `out` has places; how many hashes of n words in a row it has.

    The hash of words w1 ... wn is that of w1 S^(n-1) + ... + wn. `words` begins with the last n.
    """
    oldest = _1
    for _ in range(n):
        oldest *= _STEP
    count = _words(data, stop, characters, state, words[n : n + out.size])
    seen: Any = np.int64(state[_WORDS])
    total, filled = state[_SUM], 0
    for k in range(count):
        words[n + k] = _mixed(words[n + k])
        total = total * _STEP + words[n + k] - words[k] * oldest
        out[filled] = _mixed(total)
        seen += 1
        filled += seen >= n
    for k in range(n):
        words[k] = words[count + k]
    if count < out.size and 0 < seen < n:
        out[0] = _mixed(total ^ _mixed(_U(seen)))
        filled = 1
    state[_WORDS], state[_SUM] = _U(seen), total
    return -filled - 1 if count < out.size else filled


@njit(cache=True, nogil=True)
def sign(
    data: Any, starts: Any, stops: Any, characters: Any, n: int, a: Any, b: Any, signatures: Any, counts: Any
) -> None:
    """Signatures [documents, permutations] and shingles counted with repetitions, of the texts data[start:stop].

    Permutation i of a shingle x (the upper half of its hash) is a[i] x + b[i] mod 2^32, a odd, as datasketch's affine32
    does it; a text without words keeps 2^32 - 1 everywhere.
    """
    state, words = np.empty(_STATE, np.uint64), np.empty(n + _BLOCK, np.uint64)
    block, short = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint32)
    for document in range(starts.size):
        state[:] = words[:n] = _0
        state[_PLACE] = _U(starts[document])
        signature = signatures[document]
        signature[:] = _LAST
        counts[document] = 0
        filled = 0
        while filled >= 0:
            filled = _shingles(data, stops[document], characters, n, state, words, block)
            got = filled if filled >= 0 else -filled - 1
            counts[document] += got
            full = -(-got // _STRIDE) * _STRIDE
            for k in range(full):
                short[k] = np.uint32(block[min(k, got - 1)] >> _32)
            for p in range(a.size):
                times, plus, least = a[p], b[p], signature[p]
                for k in range(full):
                    least = min(least, np.uint32(times * short[k] + plus))
                signature[p] = least


@njit(cache=True, nogil=True)
def shingle_sets(
    data: Any, starts: Any, stops: Any, characters: Any, n: int, places: Any, counts: Any, sets: Any, sizes: Any
) -> None:
    """The distinct shingle hashes of each text, sorted, into `sets` from its place on; how many into `sizes`.

    `counts`: how many there are with repetitions, as `sign` says; a text that has another number now, as it was
    changed in between, gets size -1.
    """
    state, words = np.empty(_STATE, np.uint64), np.empty(n + _BLOCK, np.uint64)
    block = np.empty(_BLOCK, np.uint64)
    for document in range(starts.size):
        state[:] = words[:n] = _0
        state[_PLACE] = _U(starts[document])
        own = sets[places[document] : places[document] + counts[document]]
        total, filled = 0, 0
        while filled >= 0 and total <= own.size:
            filled = _shingles(data, stops[document], characters, n, state, words, block)
            got = filled if filled >= 0 else -filled - 1
            if total + got <= own.size:
                own[total : total + got] = block[:got]
            total += got
        sizes[document] = -1
        if total == own.size:
            own.sort()
            size = 0
            for k in range(own.size):
                if k == 0 or own[k] != own[k - 1]:
                    own[size] = own[k]
                    size += 1
            sizes[document] = size


@njit(cache=True, nogil=True)
def band_keys(signatures: Any, documents: Any, first: int, rows: int, bits: int) -> Any:
    """A hash of a band's rows for each document of `documents`; its last `bits` bits are the document's place there."""
    keys = np.empty(documents.size, np.uint64)
    for k in range(documents.size):
        h = _0
        for row in range(first, first + rows):
            h = _mixed((h ^ _U(signatures[documents[k], row])) * _STEP)
        keys[k] = (h >> _U(bits)) << _U(bits) | _U(k)
    return keys


@njit(cache=True, nogil=True)
def bucket_pairs(keys: Any, documents: Any, bits: int, signatures: Any, least: int, close: int, largest: int) -> Any:
    """Pairs of documents [m, 2] out of one band's sorted keys whose signatures agree in at least `least` places.

    In a bucket of at most `largest` every two are compared. In a larger one each is compared with leaders only: the
    first `largest` documents of it that agree with no earlier leader in at least `close` places.
    """
    found = np.empty((1024, 2), np.int64)
    count = 0
    shift, mask = _U(bits), (_U(1) << _U(bits)) - _U(1)
    begin = 0
    leaders = np.empty(largest, np.int64)
    while begin < keys.size:
        end = begin + 1
        while end < keys.size and keys[end] >> shift == keys[begin] >> shift:
            end += 1
        large = end - begin > largest
        leading = 0
        for this in range(begin, end):
            right = documents[np.int64(keys[this] & mask)]
            leads = True
            for other in range(leading if large else this - begin):
                left = leaders[other] if large else documents[np.int64(keys[begin + other] & mask)]
                same = 0
                for p in range(signatures.shape[1]):
                    same += signatures[left, p] == signatures[right, p]
                if same >= least:
                    if count == len(found):
                        more = np.empty((2 * count, 2), np.int64)
                        more[:count] = found
                        found = more
                    found[count, 0], found[count, 1] = left, right
                    count += 1
                if large and same >= close:
                    leads = False
                    break
            if large and leads and leading < largest:
                leaders[leading] = right
                leading += 1
        begin = end
    return found[:count]


@njit(cache=True, nogil=True)
def jaccards(lefts: Any, rights: Any, sets: Any, places: Any, sizes: Any) -> Any:
    """|A & B| / |A | B| of the sorted sets at places[left] and places[right] of each pair."""
    result = np.empty(lefts.size, np.float64)
    for pair in range(lefts.size):
        i, j = places[lefts[pair]], places[rights[pair]]
        i_end, j_end = i + sizes[lefts[pair]], j + sizes[rights[pair]]
        total, common = i_end - i + j_end - j, 0
        while i < i_end and j < j_end:
            x, y = sets[i], sets[j]
            common += x == y
            i += x <= y
            j += y <= x
        result[pair] = common / (total - common)
    return result
