"""Helpers around whole runs: the sample's days, the real command, digests of a lake."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from coevo_pipelines.lake.schemas import TABLES

DAYS = (date(2019, 3, 25), date(2019, 3, 26), date(2019, 3, 27))
CORPORA = frozenset({"corpora.sample", "corpora.qwen3_0_6b_base"})
"""One table for each blueprint of the sample."""
OFF = frozenset({"scrapes.arxiv_oai", "scrapes.crossref", "scrapes.semanticscholar"})
"""Tables of sources that a setting turns on."""
MADE = (frozenset(TABLES) | CORPORA) - OFF
"""What a day of the sample has."""
ROOT = Path(__file__).parent.parent


def environment(**extra: str) -> dict[str, str]:
    """The caller's environment without settings of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COEVO_", "DAGSTER_"))}
    return kept | {"NO_COLOR": "1", "COLUMNS": "200"} | extra


def coevo(*arguments: str, cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, cwd=cwd, env=environment(**extra), timeout=200
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "coevo_pipelines.cli", *arguments]


def derived_digests(lake: Path) -> dict[str, str]:
    """sha256 by path of every derived Parquet file and release."""
    stages = ("traces", "citations", "influence", "rewards", "genome", "corpora", "hubs", "swarm")
    files = [path for stage in stages for path in sorted((lake / stage).rglob("part.parquet"))]
    files += sorted((lake / "releases").rglob("release.json"))  # with the hashes of all their files
    return {str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
