"""Data files beside the pages, and records in them: a few in each, found by identifier without a list of them all.

A page that is opened from disk may not fetch a file, but it may run one: each is a script that hands its value over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

A_FILE = 64
"""About so many records in a file: a few dozen kB."""
_BEGIN, _END = b"coevo.put(", b")\n"


def shard(identifier: str, shards: int) -> int:
    """Which file a record is in: CRC-32 of the identifier in UTF-8, modulo their number (so in web/report.js too)."""
    return crc32(identifier.encode()) % shards


def write(folder: Path, kind: str, records: Iterable[tuple[str, Mapping[str, Any]]], made: str = "") -> int:
    """Write data/<kind>/<n>.js below `folder`; returns the number of files. ValueError for one identifier twice."""
    every: dict[str, bytes] = {}
    for identifier, record in records:
        if identifier in every:
            raise ValueError(f"two records of the {kind} {identifier!r}")
        every[identifier] = orjson.dumps(record)  # at once: as text they take a fraction of the memory
    shards = max(1, -(-len(every) // A_FILE))
    files: list[list[bytes]] = [[] for _ in range(shards)]
    for identifier in sorted(every):
        files[shard(identifier, shards)].append(orjson.dumps(identifier) + b":" + every[identifier])
    target = folder / "data" / kind
    target.mkdir(parents=True)
    for number, held in enumerate(files):
        (target / f"{number}.js").write_bytes(_script(f"{kind}/{number}", b"{" + b",".join(held) + b"}", made))
    return shards


def script(path: Path, name: str, value: Any, made: str = "") -> None:
    """A script that hands `value` (JSON) over under `name`; `made` names the report that it belongs to, so that a page
    that is still open when its report is replaced can tell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text(name, value, made))


def text(name: str, value: Any, made: str = "") -> bytes:
    """The content of such a script."""
    return _script(name, orjson.dumps(value), made)


def read(path: Path) -> tuple[str, Any, str]:
    """Name, value and report of a script that was written here. ValueError for any other file, OSError for none."""
    text = path.read_bytes()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise ValueError(f"{path}: not a data file of a report")
    name, value, made = orjson.loads(b"[" + text[len(_BEGIN) : -len(_END)] + b"]")
    return name, value, made


def _script(name: str, value: bytes, made: str) -> bytes:
    return b"".join((_BEGIN, orjson.dumps(name), b",", value, b",", orjson.dumps(made), _END))
