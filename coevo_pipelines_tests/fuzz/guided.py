"""A coverage-guided run over the table of targets: atheris (libFuzzer) watches which edges an input reaches.

    uv run --with atheris python -m coevo_pipelines_tests.fuzz.guided [--seconds 60] [NAME …]

atheris is no dependency of the project: it has wheels for few platforms, and nothing else needs it. Every target runs
in a process of its own. Findings (another exception than ParseError, an input that takes longer than `SLOW_S` or
makes the process grow by `GROWTH_MB`) are told once each, with the input, and the run goes on; an input that hangs or
passes `MOST_MB` ends its target. Exit status 1 when anything was found.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

SLOW_S = 2.0
HANG_S = 30
GROWTH_MB = 256
MOST_MB = 1_500
LONGEST = 65_536
_CONFORMED_EVERY = 500
_INSTRUMENTED = ["coevo_pipelines", "tomllib", "yaml", "pylatexenc", "packaging"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run targets in turn; a table of what they did."""
    parser = argparse.ArgumentParser(description="Coverage-guided fuzzing of the parsers.")
    parser.add_argument("names", nargs="*", help="targets, or parts of their names; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.inside:
        _inside(given.inside, given.seconds)
        return 0
    from coevo_pipelines_tests.fuzz.targets import TARGETS

    names = [name for name in TARGETS if not given.names or any(part in name for part in given.names)]
    print(f"{'target':<34} {'runs':>10} {'runs/s':>8} {'edges':>7} {'minutes':>8} {'findings':>8}", flush=True)
    found = 0
    for name in names:
        found += _outside(name, given.seconds)
    return 1 if found else 0


def _outside(name: str, seconds: int) -> int:
    """One target in a process of its own; the number of its findings."""
    command = [sys.executable, "-m", __spec__.name, "--inside", name, "--seconds", str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    findings = [json.loads(line[8:]) for line in ran.stdout.splitlines() if line.startswith("FINDING ")]
    counted = [json.loads(line[6:]) for line in ran.stdout.splitlines() if line.startswith("COUNT ")]
    runs, spent = (counted[-1]["runs"], counted[-1]["seconds"]) if counted else (0, 0.0)
    edges = max((int(cov) for cov in re.findall(r"\bcov: (\d+)", ran.stderr)), default=0)
    if ran.returncode != 0:
        last = "\n".join(line for line in ran.stderr.splitlines()[-60:] if not line.startswith("#"))
        findings.append({"what": f"the process ended with {ran.returncode}", "input": last[-3_000:]})
    rate = runs / spent if spent else 0
    print(f"{name:<34} {runs:>10,} {rate:>8,.0f} {edges:>7,} {spent / 60:>8.1f} {len(findings):>8}", flush=True)
    for finding in findings:
        print(f"    {finding['what']}\n        input: {finding['input']}", flush=True)
    return len(findings)


def _inside(name: str, seconds: int) -> None:
    """The process of one target: libFuzzer's own loop, which never returns."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        from coevo_pipelines_tests.fuzz.damage import damaged
        from coevo_pipelines_tests.fuzz.targets import TARGETS, conforming

        target = TARGETS[name]
        target.run(target.seeds[0])  # what is imported late must be watched too: the module of the source is
    import pytest

    try:
        seeds = [*target.seeds, *target.recorded_seeds()]
    except pytest.skip.Exception:  # no recordings here
        seeds = [*target.seeds]
    told: set[str] = set()
    runs, started = 0, time.monotonic()
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def tell(kind: str, what: str, data: bytes) -> None:
        if kind not in told:
            told.add(kind)
            print("FINDING " + json.dumps({"what": what, "input": repr(data[:2_000])}), flush=True)

    def one(data: bytes) -> None:
        nonlocal runs, largest
        runs += 1
        before = time.perf_counter()
        try:
            made = target.run(data)
            if made is not None and runs % _CONFORMED_EVERY == 0:
                conforming(made)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error}"[:300] + f" ({Path(frame.filename).name}:{frame.lineno})"
            tell(f"{type(error).__name__} {frame.filename} {frame.lineno}", what, data)
        spent = time.perf_counter() - before
        if spent > SLOW_S and runs % _CONFORMED_EVERY:
            tell(f"slow {int(spent)}", f"took {spent:.1f} s for {len(data):,} bytes", data)
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if now - largest > GROWTH_MB << 10:
            tell("grew", f"grew by {(now - largest) >> 10} MB for {len(data):,} bytes", data)
        largest = max(largest, now)
        if runs % 100 == 0:
            print("COUNT " + json.dumps({"runs": runs, "seconds": time.monotonic() - started}), flush=True)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        way = rng.random()
        if way < 0.1 or len(data) < 2:
            return rng.choice(seeds)[:most]
        if way < 0.7:
            return damaged(data, rng)[:most]
        return bytes(atheris.Mutate(data, most))

    with tempfile.TemporaryDirectory(prefix="coevo-fuzz-") as folder:
        options: list[Any] = [
            sys.argv[0], f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-len_control=0", f"-timeout={HANG_S}",
            f"-rss_limit_mb={MOST_MB}", f"-artifact_prefix={folder}/", "-seed=1",
        ]  # fmt: skip
        atheris.Setup(options, one, custom_mutator=mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
