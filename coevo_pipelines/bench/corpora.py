"""A day of corpora from one end to the other: cleaning, near-duplicates, tokens, packing, release, with a clock.

Started as `python -m coevo_pipelines.bench.corpora TEXTS FOLDER` it is one day in one process, so that its peak memory
is its own; texts are files of one repository. Imports and compiling are done before the clock starts. Beside it the
tokenizer's own one-by-one call on a part of the same texts, as most scripts use it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING

from coevo_pipelines.bench.contestants import peak_bytes

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.corpora.blueprints import Blueprint
    from coevo_pipelines.corpora.candidates import Known

DAY = date(2026, 1, 1)
PART = 4_000_000
"""Bytes of text for the tokenizer's own call."""
BLUEPRINT = """
tokenizer = "{tokenizer}"
context_length = 4096
[model]
id = "coevo/sample"
revision = "1"
[selection]
unknown_license = "keep"
[preamble]
kind = "contract"
[packing]
end_token = "<|end|>"
"""


@dataclass(frozen=True)
class Measured:
    """A day: seconds by step in their order, of documents and megabytes of text."""

    documents: int
    megabytes: float
    seconds: dict[str, float]
    peak_bytes: int
    """Of all memory, also pages of files that are mapped: tokens and sequences lie in such."""
    own_bytes: int
    """Of memory that is no file's; 0 where the system does not tell."""
    kept: int
    tokens: int
    one_by_one: float
    """Tokens a second of the tokenizer's own call."""
    by_us: float
    """Tokens a second of the step `tokens`."""


def run(texts: Path, folder: Path) -> Measured:
    """The day in a process of its own. `texts`: Parquet with a column text. RuntimeError where it ends badly."""
    import subprocess

    files = folder / "files.parquet"
    files_of(texts, files)
    command = [sys.executable, "-m", "coevo_pipelines.bench.corpora", str(files), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the day ended with {done.returncode}: {done.stderr[-500:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def files_of(texts: Path, out: Path) -> None:
    """Texts as files of one repository, in turns Markdown and Python: what a day reads of `genome.files`."""
    import hashlib

    import polars as pl

    column = pl.read_parquet(texts)["text"]
    suffix = [("md", "Markdown"), ("py", "Python")]
    nothing = pl.Series([None] * len(column), dtype=pl.String)
    pl.DataFrame(
        {
            "place": range(len(column)),
            "repo": ["bench/texts"] * len(column),
            "path": [f"{n // 1000}/{n}.{suffix[n % 2][0]}" for n in range(len(column))],
            "language": [suffix[n % 2][1] for n in range(len(column))],
            "license": nothing,
            "licence_kind": nothing,
            "leaf": nothing,
            "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in column],
            "text": column,
        }
    ).write_parquet(out)


def known_of(files: pl.LazyFrame) -> Known:
    """A day with these files; nothing else is known."""
    import polars as pl

    from coevo_pipelines.corpora.candidates import Known
    from coevo_pipelines.lake import schemas

    def empty(table: str) -> pl.DataFrame:
        return schemas.table(table).empty().with_columns(date=pl.lit(DAY))

    ids = pl.DataFrame(schema={"id": pl.String, "canonical": pl.String})
    return Known(
        day=DAY, files=files, earlier=None, repositories=empty("genome.repositories"),
        ecosystem=empty("genome.ecosystem"), texts=empty("traces.texts").lazy(), works=empty("traces.works").lazy(),
        people=empty("traces.people").lazy(), aliases=ids, scores=empty("influence.scores"),
        lattice=empty("influence.lattice"), claims=empty("traces.claims"), optouts=empty("traces.optouts"),
    )  # fmt: skip


def blueprint_of(folder: Path) -> Blueprint:
    """Everything that there is, with the sample's tokenizer."""
    from coevo_pipelines.corpora.blueprints import load

    facts = Path(__file__).parents[1] / "sample" / "facts"
    (folder / "bench.toml").write_text(BLUEPRINT.format(tokenizer=facts / "tokenizer.json"), encoding="utf-8")
    return load("bench.toml", folder)


def day_of(files: pl.LazyFrame, folder: Path) -> Iterator[tuple[str, float]]:
    """(what was done, seconds since the beginning) of each step."""
    from coevo_pipelines.corpora.cleaning.cleaned import Options
    from coevo_pipelines.corpora.consent.table import consents
    from coevo_pipelines.corpora.day import Asked, corpora_of
    from coevo_pipelines.sample import contract

    contract.place(folder)
    blueprint = blueprint_of(folder)
    known = known_of(files)
    said: list[tuple[str, float]] = []
    begun = perf_counter()
    found = corpora_of(
        known,
        Asked(
            blueprints=(blueprint,),
            consents=consents(folder, (blueprint,), (contract.PUBLIC_KEY,), {}),
            tokenizers={}, online=False, evaluation_sets={}, options=Options(), jaccard=0.8,
            shard_bytes=256_000_000, root=folder, world="synthetic", manifest=None,
            tell=lambda line: said.append((line, perf_counter() - begun)),
        ),
    )  # fmt: skip
    row = found["corpora.releases"].row(0, named=True)
    if row["status"] != "released":
        raise RuntimeError(f"withheld: {row['why']}")
    yield from said
    yield (
        f"documents {row['documents']} tokens {row['train_tokens'] + row['validation_tokens'] + row['test_tokens']}",
        0,
    )


STEPS = ("gather", "clean", "near-duplicates", "evaluation sets", "tokens", "pack", "release")


def main(files: str, folder: str) -> None:
    """Run the day, print one JSON object."""
    import polars as pl

    whole = pl.scan_parquet(files)
    (Path(folder) / "warm").mkdir(exist_ok=True)
    list(day_of(whole.head(50), Path(folder) / "warm"))
    with watched() as own:
        said = list(day_of(whole, Path(folder)))
    peak = peak_bytes()
    *steps, (last, _) = said
    ends = [0.0, *(moment for _, moment in steps)]
    seconds = {name: ends[n + 1] - ends[n] for n, name in enumerate(STEPS)}
    encoded = int(steps[4][0].split()[1].replace(",", ""))
    text = whole.select("text")
    measured = Measured(
        documents=text.select(pl.len()).collect().item(),
        megabytes=text.select(pl.col("text").str.len_bytes().cast(pl.Int64).sum()).collect().item() / 1e6,
        seconds=seconds,
        peak_bytes=peak,
        own_bytes=max(own, default=0),
        kept=int(last.split()[1]),
        tokens=int(last.split()[3]),
        one_by_one=_one_by_one(text.head(100_000).collect()["text"]),
        by_us=encoded / seconds["tokens"],
    )
    print(json.dumps(vars(measured)))


@contextmanager
def watched() -> Iterator[list[int]]:
    """Memory of this process that is no file's (Linux: RssAnon), again and again; elsewhere nothing."""
    status, seen, over = Path("/proc/self/status"), list[int](), Event()

    def watch() -> None:
        while status.exists() and not over.wait(0.2):
            said = dict(line.split(":", 1) for line in status.read_text().splitlines())
            seen.append(int(said["RssAnon"].split()[0]) * 1024)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _one_by_one(texts: pl.Series) -> float:
    import polars as pl
    from tokenizers import Tokenizer

    facts = Path(__file__).parents[1] / "sample" / "facts"
    tokenizer = Tokenizer.from_file(str(facts / "tokenizer.json"))
    own = texts.filter(texts.str.len_bytes().cast(pl.Int64).cum_sum() <= PART).to_list()
    begun = perf_counter()
    count = sum(len(tokenizer.encode(text).ids) for text in own)
    return count / (perf_counter() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:3])
