"""Where the recorded answers of the public services are, and their exchanges as the pipeline stores them.

The folder is the one that COEVO_RECORDINGS names, else `../shared/data` beside the repository. It is not part
of the project: a test that needs it is skipped where there is none.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coevo_pipelines.scrapes.exchange import Exchange

# Read when imported: the session fixture in conftest.py takes COEVO_* away before the first test runs.
_NAMED = os.environ.get("COEVO_RECORDINGS")
FETCHED_AT = datetime(2026, 11, 3, 12, tzinfo=UTC)


def recordings() -> Path:
    """The folder of recordings; skips the calling test when it is absent."""
    folder = Path(_NAMED) if _NAMED else Path(__file__).parents[3] / "shared" / "data"
    if not (folder / "readers.py").is_file():
        pytest.skip(f"no recordings at {folder} (set COEVO_RECORDINGS to the folder that holds readers.py)")
    return folder


def exchanges(name: str) -> tuple[Exchange, ...]:
    """Every exchange of one recording, in the order in which it was made."""
    return _exchanges(recordings(), name)


def exchange(name: str, path_ends: str = "", status: int = 200) -> Exchange:
    """The first exchange of a recording that has this status and whose url (less its query) ends so."""
    for one in exchanges(name):
        if one.status == status and one.url.partition("?")[0].endswith(path_ends):
            return one
    raise LookupError(f"{name} holds no answer {status} for a url that ends in {path_ends!r}")


def of_host(host: str) -> list[str]:
    """Names of the recordings of paper indexes in which this host answers something."""
    root = recordings()
    parts = ("openalex", "semanticscholar", "crossref", "multi")
    names = [path.relative_to(root).as_posix() for part in parts for path in sorted((root / part).rglob("*.y*ml"))]
    return [name for name in names if any(host in one.url for one in exchanges(name))]


def file(name: str) -> bytes:
    """The bytes of a recording that is a bare body."""
    return (recordings() / name).read_bytes()


def json_lines(name: str) -> list[dict[str, Any]]:
    """The records of a recording that is one JSON object a line."""
    return [json.loads(line) for line in file(name).splitlines()]


def answer(url: str, body: bytes | str, status: int = 200, topic: str | None = None) -> Exchange:
    """An answer to a GET, as if it had been fetched when the tests' clock says."""
    content = body.encode() if isinstance(body, str) else body
    return Exchange("GET", url, status, {}, FETCHED_AT, content, topic=topic)


@functools.cache
def _exchanges(folder: Path, name: str) -> tuple[Exchange, ...]:
    found = _readers(folder).exchanges(str(folder / name))
    return tuple(
        Exchange(
            method=one["method"],
            url=one["url"],
            status=one["status"],
            headers={key: ", ".join(values) for key, values in one["headers"].items()},
            fetched_at=FETCHED_AT,
            body=one["body"],
        )
        for one in found
    )


@functools.cache
def _readers(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("recorded_readers", folder / "readers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
