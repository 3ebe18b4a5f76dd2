"""Normalization of stored answers beside a loop that only reads their JSON or XML, each in a process of its own.

Started as `python -m coevo_pipelines.bench.normalize NAME FOLDER`; prints one JSON object. One core for each: the
process is bound to one, and Polars is told so. Seconds are those of the core: others may be using it too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import Any

from coevo_pipelines.bench.answers import DAY, SOURCES, exchanges, write
from coevo_pipelines.bench.contestants import Clock, peak_bytes

LOOP, OURS = "loop", "coevo"
GRACE = timedelta(hours=48)
PATIENCE_S = 7200


@dataclass(frozen=True)
class Measured:
    """Stored answers of some sources, read by a plain loop and normalized. Bytes are of bodies as received."""

    sources: tuple[str, ...]
    works: int
    received: int
    stored: int
    """Bytes of the Parquet files."""
    loop_s: float
    seconds: Mapping[str, float]
    loop_peak: int
    peak: int
    rows: int
    """In all tables that were made."""

    @property
    def normalized_s(self) -> float:
        """From stored bytes to one row a key in memory."""
        return sum(self.seconds.values()) - self.seconds["write"]

    @property
    def ratio(self) -> float:
        """How many times as long as the loop."""
        return self.normalized_s / self.loop_s


def run(works: int, folder: Path, seed: int, tell: Callable[[str], None], *, apart: bool = True) -> list[Measured]:
    """`works` works, a quarter from each source: each source alone, if `apart`, and all as one day.

    Raises RuntimeError when a process fails, with its last words.
    """
    share = works // len(SOURCES)
    received = {}
    for name in SOURCES:
        tell(f"making {share:,} works as {name} would answer")
        received[name] = write(name, share, folder / f"{name}.parquet", seed)
    chosen = [*((name,) for name in SOURCES if apart), SOURCES]
    found = []
    for sources in chosen:
        tell(f"{', '.join(sources)}: loop")
        loop = _in_process(LOOP, folder, sources)
        tell(f"{', '.join(sources)}: normalization")
        ours = _in_process(OURS, folder, sources)
        if ours["works"] != share * len(sources):
            raise RuntimeError(f"{ours['works']:,} works came out of {share * len(sources):,}")
        found.append(
            Measured(
                sources=tuple(sources),
                works=ours["works"],
                received=sum(received[name] for name in sources),
                stored=sum((folder / f"{name}.parquet").stat().st_size for name in sources),
                loop_s=sum(loop["seconds"].values()),
                seconds=ours["seconds"],
                loop_peak=loop["peak"],
                peak=ours["peak"],
                rows=ours["rows"],
            )
        )
    return found


def _in_process(name: str, folder: Path, sources: Sequence[str]) -> dict[str, Any]:
    arguments = [sys.executable, "-m", "coevo_pipelines.bench.normalize", name, str(folder), *sources]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{name}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def loop(folder: Path, sources: Sequence[str]) -> dict[str, Any]:
    """The lower limit: every stored body through `json.loads`, or lxml, and nothing else."""
    import pyarrow.parquet  # noqa: F401  (imported before the clock starts)
    from lxml import etree

    from coevo_pipelines.scrapes import stored

    clock = Clock(process_time)
    for name in sources:
        read: Callable[[bytes], Any] = etree.fromstring if name == "arxiv" else json.loads
        for exchange in stored.read([folder / f"{name}.parquet"]):
            read(exchange.body)
    clock.lap("read")
    return {"seconds": clock.seconds, "peak": peak_bytes()}


def coevo(folder: Path, sources: Sequence[str]) -> dict[str, Any]:
    """As the stage does it: to checked, sorted and durably written partitions of all its tables."""
    import tempfile

    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.scrapes import stored
    from coevo_pipelines.settings import SWARM_INTELLIGENCE
    from coevo_pipelines.traces.normalize import frames, normalize
    from coevo_pipelines.windows import window_of

    window = window_of(DAY, DAY, DAY)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        lake = Lake(Path(place), grace=GRACE)
        for name in sources:  # imports are done before the clock starts
            normalize(name, exchanges(name, 1, 0), window, (SWARM_INTELLIGENCE,), GRACE).frame("works")
        clock = Clock(process_time)
        collected = [
            normalize(name, stored.read([folder / f"{name}.parquet"]), window, (SWARM_INTELLIGENCE,), GRACE)
            for name in sources
        ]
        clock.lap("parse")
        tables = frames(collected, window, GRACE)
        clock.lap("one row a key")
        rejected = tables["traces.rejects"]
        if rejected.height:
            raise RuntimeError(f"rejected: {rejected['locator'][0]}: {rejected['reason'][0]}")
        for name, frame in tables.items():
            lake.write(name, DAY, frame)
        clock.lap("write")
        rows = sum(frame.height for frame in tables.values())
        return {
            "seconds": clock.seconds, "peak": peak_bytes(), "works": tables["traces.works"].height, "rows": rows
        }  # fmt: skip


def main(name: str, folder: str, *sources: str) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    measured = {LOOP: loop, OURS: coevo}[name](Path(folder), sources)
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
