"""Texts as one array of bytes with offsets, and what each Unicode character is: what loops over every character need.

A loop in numba sees a gigabyte of UTF-8 at several hundred MB/s where one regular expression for each measure would
read it a dozen times. The tables come from the Unicode data of the running Python (`unicodedata.unidata_version`).
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

LETTER, DIGIT, SPACE, CONTROL, UNSPACED, PUNCTUATION = 1, 2, 4, 8, 16, 32
"""Bits of `classes`. UNSPACED: a character of a script that is written without spaces between words."""

SINGLE = 1 << 30
"""Bit of `folded`: the character is a word by itself (ideographs and kana)."""

_IDEOGRAPHS = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "HIRAGANA",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "IDEOGRAPHIC",
)
_NO_BYTES = memoryview(b"\0")[:0]
"""Read-only like the rest: a kernel would be compiled anew for an array that can be written to."""
_UNSPACED = (*_IDEOGRAPHS, "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def batches(texts: pl.Series, largest: int) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.int64]]]:
    """The texts in their order as (number of the first text, UTF-8 bytes, offsets of the texts' starts and the end).

    A batch holds about `largest` bytes, or one text that is larger. A null is an empty text.
    ValueError for a series that is not of strings.
    """
    import polars as pl

    if texts.dtype == pl.Null:
        texts = texts.cast(pl.String)
    if texts.dtype != pl.String:
        raise ValueError(f"texts: a series of strings is needed, this one is {texts.dtype}")
    ends = texts.str.len_bytes().fill_null(0).cast(pl.Int64).cum_sum().to_numpy()
    first = 0
    while first < len(texts):
        before = int(ends[first - 1]) if first else 0
        stop = max(first + 1, int(np.searchsorted(ends, before + largest, side="right")))
        array = texts.slice(first, stop - first).to_arrow(compat_level=pl.CompatLevel.oldest())
        offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(array.buffers()[2] or _NO_BYTES, np.uint8)
        yield first, data, offsets
        first = stop


@functools.cache
def classes() -> NDArray[np.uint8]:
    """Code point -> bits of what it is."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    for point in range(sys.maxunicode + 1):
        kind = unicodedata.category(character := chr(point))
        if kind in ("Cn", "Co", "Cs"):
            continue
        if kind[0] == "L":
            table[point] = LETTER | (UNSPACED if unicodedata.name(character, "").startswith(_UNSPACED) else 0)
        elif kind[0] == "N":
            table[point] = DIGIT
        elif kind[0] == "P":
            table[point] = PUNCTUATION
        elif kind[0] == "Z" or character in "\t\n\v\f\r\x85":
            table[point] = SPACE
        elif kind == "Cc" and point != 0x1B:  # the escape of terminal colours
            table[point] = CONTROL
    return table


@functools.cache
def folded() -> NDArray[np.int32]:
    """Code point -> the character that it counts as in a word, in lower case and without marks; 0 for what parts
    words, -1 for what is passed over (combining marks, joiners, soft hyphens). `SINGLE` is set where a character is
    a word by itself. So texts in NFC and NFD, in full and half width, in any case have the same words."""
    table = np.zeros(sys.maxunicode + 1, np.int32)
    for point in range(sys.maxunicode + 1):
        kind = unicodedata.category(character := chr(point))
        if kind[0] == "M" or kind == "Cf":
            table[point] = -1
        elif kind[0] in "LN":
            found = _base(character)
            name = unicodedata.name(character, "")
            table[point] = found | (SINGLE if kind[0] == "L" and name.startswith(_IDEOGRAPHS) else 0)
    return table


def _base(character: str) -> int:
    plain = unicodedata.normalize("NFKD", character)
    if len(plain) > 1 and not all(unicodedata.category(each)[0] == "M" for each in plain[1:]):
        plain = character
    lower = plain[0].casefold()
    return ord(lower if len(lower) == 1 else plain[0].lower()[0])
