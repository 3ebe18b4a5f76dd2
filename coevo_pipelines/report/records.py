"""Records beside the pages: a few in each file, found by their identifier without a list of them all.

A page that is opened from disk may not fetch a file, but it may run one: each is a script that hands its records over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

A_FILE = 64
"""About so many records in a file: a few dozen kB."""


def shard(identifier: str, shards: int) -> int:
    """Which file a record is in: CRC-32 of the identifier in UTF-8, modulo their number (so in web/report.js too)."""
    return crc32(identifier.encode()) % shards


def write(folder: Path, kind: str, records: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
    """Write data/<kind>/<n>.js below `folder`; returns the number of files. ValueError for one identifier twice."""
    every: dict[str, Mapping[str, Any]] = {}
    for identifier, record in records:
        if identifier in every:
            raise ValueError(f"two records of the {kind} {identifier!r}")
        every[identifier] = record
    shards = max(1, -(-len(every) // A_FILE))
    files: list[dict[str, Mapping[str, Any]]] = [{} for _ in range(shards)]
    for identifier in sorted(every):
        files[shard(identifier, shards)][identifier] = every[identifier]
    target = folder / "data" / kind
    target.mkdir(parents=True)
    for number, held in enumerate(files):
        script(target / f"{number}.js", f"{kind}/{number}", held)
    return shards


def script(path: Path, name: str, value: Any) -> None:
    """A script that hands `value` (JSON) over under `name`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"coevo.put(" + orjson.dumps(name) + b"," + orjson.dumps(value) + b")\n")
