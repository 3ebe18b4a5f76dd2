"""Looking for planted words in every file of a lake, through compression, base64 and escapes."""

from __future__ import annotations

import base64
import binascii
import html
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/_-]{4,}(?:\\n|\\r|\r|\n)*)+={0,2}")
_ESCAPE = re.compile(rb"\\{1,4}u([0-9A-Fa-f]{4})")


def places(root: Path, words: Iterable[str]) -> list[str]:
    """`file: word` for each file below `root` that holds one of the words in any form."""
    wanted = [word.lower().encode() for word in words]
    shortest = min(map(len, wanted))
    found = set()
    looked_at: dict[bytes, frozenset[str]] = {}  # most values of a lake stand in it many times
    for path in sorted(root.rglob("*")):
        if path.is_file():
            for said in _said(path):
                if len(said) < shortest:  # no form of a word is shorter
                    continue
                if said not in looked_at:
                    views = _views(said)
                    looked_at[said] = frozenset(word.decode() for view in views for word in wanted if word in view)
                found |= {f"{path.relative_to(root)}: {word}" for word in looked_at[said]}
    return sorted(found)


def _said(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if path.suffix == ".parquet":
        yield from _parquet(path)
    elif path.suffix == ".duckdb":
        yield from _duckdb(path)
    elif data[:2] == b"\x1f\x8b":
        yield zlib.decompress(data, 47)


def _parquet(path: Path) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    yield str(pq.read_metadata(path).metadata).encode()
    for column in table.columns:
        yield from _values(column.to_pylist())


def _duckdb(path: Path) -> Iterator[bytes]:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as catalog:
        for schema, name in catalog.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall():
            yield from _values(catalog.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall())


def _values(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode()
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _values(pair)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _values(one)


def _views(said: bytes, depth: int = 3) -> Iterator[bytes]:
    """In small letters: as it is, without escapes, and what is in its base64 (a journal's line holds a body that holds
    a file)."""
    yield said.lower()
    if b"\\" in said or b"%" in said or b"&" in said:
        plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)).encode("utf-8", "replace"), said)
        plain = unquote_to_bytes(unquote_to_bytes(plain))
        plain = html.unescape(plain.decode("utf-8", "replace")).encode("utf-8", "replace")
        if plain != said:
            yield plain.lower()
    for match in _BASE64.finditer(said) if depth else ():
        if len(match[0]) < 16:
            continue
        packed = re.sub(rb"\\[nr]|\s|=", b"", match[0]).replace(b"-", b"+").replace(b"_", b"/")
        for skip in range(4):  # it may begin anywhere
            piece = packed[skip:]
            piece = piece[: len(piece) // 4 * 4] if skip else piece + b"=" * (-len(piece) % 4)
            try:
                unpacked = base64.b64decode(piece)
            except binascii.Error:
                continue
            yield from _views(unpacked, depth - 1 if skip == 0 else 0)
            if len(packed) > 4000:
                break
