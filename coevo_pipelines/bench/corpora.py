"""A day of corpora from one end to the other: cleaning, near-duplicates, tokens, packing, release, with a clock.

Started as `python -m coevo_pipelines.bench.corpora TEXTS FOLDER` it is one day in one process, so that its peak memory
is its own; texts are files of one repository. Imports and compiling are done before the clock starts. Beside it the
tokenizer's own one-by-one call on a part of the same texts, as most scripts use it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
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
    kept: int
    tokens: int
    one_by_one: float
    """Tokens a second of the tokenizer's own call."""
    by_us: float
    """Tokens a second of the step `tokens`."""


def run(texts: Path, folder: Path) -> Measured:
    """The day in a process of its own. `texts`: Parquet with a column text. RuntimeError where it ends badly."""
    import subprocess

    command = [sys.executable, "-m", "coevo_pipelines.bench.corpora", str(texts), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the day ended with {done.returncode}: {done.stderr[-500:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def known_of(texts: pl.Series) -> Known:
    """Texts as files of one repository, in turns Markdown and Python; nothing else is known."""
    import hashlib

    import polars as pl

    from coevo_pipelines.corpora.candidates import Known
    from coevo_pipelines.lake import schemas

    suffix = [("md", "Markdown"), ("py", "Python")]
    files = pl.DataFrame(
        {
            "place": range(len(texts)),
            "repo": ["bench/texts"] * len(texts),
            "path": [f"{n // 1000}/{n}.{suffix[n % 2][0]}" for n in range(len(texts))],
            "language": [suffix[n % 2][1] for n in range(len(texts))],
            "license": pl.Series([None] * len(texts), dtype=pl.String),
            "licence_kind": pl.Series([None] * len(texts), dtype=pl.String),
            "leaf": pl.Series([None] * len(texts), dtype=pl.String),
            "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
            "text": texts,
        }
    )

    def empty(table: str) -> pl.DataFrame:
        return schemas.table(table).empty().with_columns(date=pl.lit(DAY))

    ids = pl.DataFrame(schema={"id": pl.String, "canonical": pl.String})
    return Known(
        day=DAY, files=files.lazy(), earlier=None, repositories=empty("genome.repositories"),
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


def day_of(texts: pl.Series, folder: Path) -> Iterator[tuple[str, float]]:
    """(what was done, seconds since the beginning) of each step."""
    from coevo_pipelines.corpora.cleaning.cleaned import Options
    from coevo_pipelines.corpora.consent.table import consents
    from coevo_pipelines.corpora.day import Asked, corpora_of
    from coevo_pipelines.sample import contract

    contract.place(folder)
    blueprint = blueprint_of(folder)
    known = known_of(texts)
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


def main(texts: str, folder: str) -> None:
    """Run the day, print one JSON object."""
    import polars as pl

    column = pl.read_parquet(texts)["text"]
    (Path(folder) / "warm").mkdir(exist_ok=True)
    list(day_of(column.head(50), Path(folder) / "warm"))
    said = list(day_of(column, Path(folder)))
    peak = peak_bytes()
    *steps, (last, _) = said
    ends = [0.0, *(moment for _, moment in steps)]
    seconds = {name: ends[n + 1] - ends[n] for n, name in enumerate(STEPS)}
    kept, tokens = int(last.split()[1]), int(last.split()[3])
    encoded = int(steps[4][0].split()[1].replace(",", ""))
    measured = Measured(
        documents=len(column),
        megabytes=int(column.str.len_bytes().cast(pl.Int64).sum()) / 1e6,
        seconds=seconds,
        peak_bytes=peak,
        kept=kept,
        tokens=tokens,
        one_by_one=_one_by_one(column),
        by_us=encoded / seconds["tokens"],
    )
    print(json.dumps(vars(measured)))


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
