"""Near-duplicate search beside the tools that people know: the same texts, words in fives, Jaccard 0.8, in one run.

The texts are composed: words by Zipf's law, some with copies in which more or fewer words are others, so that their
Jaccard indexes reach from 0.5 to 1; real files can stand for the originals. What is true is computed by brute
force with Python's sets of words, apart from the code that is measured: for every two of a sample of families, and for
a sample of the pairs that a contestant reports.

Started as `python -m coevo_pipelines.bench.duplicates NAME TEXTS PAIRS` this file is one contestant in one process.
Imports and compiling are done before its clock starts. datasketch, whose users bring their own loop, gets one
process a core for its signatures, datatrove its own executor with one worker a core, rensa its own threads.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevo_pipelines.bench.contestants import Clock, peak_bytes

if TYPE_CHECKING:
    import polars as pl

THRESHOLD, PERMUTATIONS, NGRAM = 0.8, 128, 5
FAMILY = 4
"""One original in so many has copies."""
COPIES = 3
VOCABULARY, LONGEST = 50_000, 11
"""Words, and their most letters."""
SAMPLE = 3000
"""Families, and reported pairs, that are compared by brute force."""
INSTALL = {"datasketch": 'pip install "coevo_pipelines[bench]"', "rensa": 'pip install "coevo_pipelines[bench]"'} | {
    "datatrove": 'pip install "datatrove[processing]" spacy'
}
PATIENCE_S = 3600
LAST_WORDS = 500


@dataclass(frozen=True)
class Measured:
    """One contestant. `recall`: of the sampled pairs at or above the threshold the share that its pairs put into one
    cluster; `precision`: of the sampled pairs that it reports the share at or above it; None where there are none."""

    name: str
    documents: int
    megabytes: float
    seconds: dict[str, float]
    cpu_seconds: float = 0.0
    """Of all cores and processes together: what still compares when others use the machine too."""
    peak_bytes: int = 0
    pairs: int = 0
    recall: float | None = None
    precision: float | None = None
    failure: str = ""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class Work(Clock):
    """Seconds by step, and those of all cores from the start to the last lap; of processes that have ended by then."""

    def __init__(self) -> None:
        super().__init__()
        self.cpu_seconds = 0.0
        self._before = sum(os.times()[:4])

    def lap(self, step: str) -> None:
        """What went by since the last lap was `step`."""
        super().lap(step)
        self.cpu_seconds = sum(os.times()[:4]) - self._before


def run(
    documents: int,
    folder: Path,
    *,
    seed: int,
    peers: bool,
    text: Path | None,
    tell: Callable[[str], None],
) -> Iterator[Measured]:
    """Compose about so many texts in `folder` and search them with each contestant; those not installed fail."""
    import polars as pl

    tell(f"composing {documents:,} texts")
    composed = compose(documents, seed, text)
    texts = folder / "texts.parquet"
    composed.write_parquet(texts)
    megabytes = int(composed["text"].str.len_bytes().cast(pl.Int64).sum()) / 1e6
    tell(f"comparing the members of {SAMPLE:,} families by brute force")
    true = labelled(composed)
    for name in CONTESTANTS if peers else ("coevo",):
        out = folder / f"pairs_{name}.parquet"
        if name in INSTALL and find_spec(name) is None:
            failure = f"not installed: {INSTALL[name]}"
            yield Measured(name, composed.height, megabytes, {}, failure=failure)
            continue
        tell(f"{name} on {composed.height:,} texts, {megabytes:,.0f} MB")
        command = [sys.executable, "-m", "coevo_pipelines.bench.duplicates", name, str(texts), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            failure = f"ended with {done.returncode}: {' '.join(done.stderr[-LAST_WORDS:].split())}"
            yield Measured(name, composed.height, megabytes, {}, failure=failure)
            continue
        said = json.loads(done.stdout.splitlines()[-1])
        pairs = pl.read_parquet(out)
        yield Measured(
            name,
            composed.height,
            megabytes,
            said["seconds"],
            said["cpu_seconds"],
            said["peak_bytes"],
            pairs.height,
            _recall(pairs, true, composed.height),
            _precision(pairs, composed["text"], seed),
        )


def compose(documents: int, seed: int, folder: Path | None = None) -> pl.DataFrame:
    """About `documents` texts in a mixed order: text, family (a number; the same for an original and its copies).

    Lengths are log-normal, 270 words on average; with a folder the originals are its UTF-8 files, in order of path.
    """
    import numpy as np
    import polars as pl

    random = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlcumwfgypbvk"))[random.integers(0, 22, (VOCABULARY, LONGEST))]
    sizes = random.integers(2, LONGEST + 1, VOCABULARY)
    vocabulary = np.array(["".join(word[:size]) for word, size in zip(letters.tolist(), sizes.tolist(), strict=True)])

    def drawn(size: int) -> Any:
        return vocabulary[np.minimum(random.zipf(1.2, size) - 1, VOCABULARY - 1)]

    originals = documents * FAMILY // (FAMILY + COPIES)
    texts, families = list[str](), list[int]()
    real = _read(folder) if folder else None
    for family in range(originals):
        if real is None:
            words = drawn(int(random.lognormal(5.3, 0.8)) + 1)
        else:
            found = next(real, None)
            if found is None:
                break
            words = np.array(re.split(r"(?<=\s)(?=\S)", found))
        members = ["".join(words) if real else " ".join(words)]
        for _ in range(COPIES if family % FAMILY == 0 else 0):
            changed = words.copy()
            count = int(len(words) * random.choice([0.0, 0.01, 0.02, 0.03, 0.06]))
            other = drawn(count)
            changed[random.integers(0, len(words), count)] = np.char.add(other, " ") if real else other
            members.append("".join(changed) if real else " ".join(changed))
        if len(members) > 1:
            members[-1] = members[-1].upper()
        texts += members
        families += [family] * len(members)
    order = random.permutation(len(texts))
    made = pl.DataFrame({"text": texts, "family": families}, {"text": pl.String, "family": pl.Int64})
    return made.select(pl.all().gather(order))


def labelled(composed: pl.DataFrame) -> dict[tuple[int, int], float]:
    """Jaccard index of every two members of SAMPLE families, by rows of the frame."""
    import polars as pl

    families = composed.with_row_index("row").group_by("family", maintain_order=True).agg("row", "text")
    members = families.filter(pl.col("row").list.len() > 1).head(SAMPLE)
    return {
        (rows[i], rows[j]): jaccard(texts[i], texts[j])
        for rows, texts in members.select("row", "text").iter_rows()
        for i, j in combinations(range(len(rows)), 2)
    }


def jaccard(one: str, other: str) -> float:
    """Of the sets of five words in a row, as Python's regular expressions see words; 0 for texts without."""
    a, b = set(shingles(one)), set(shingles(other))
    return len(a & b) / len(a | b) if a or b else 0.0


def shingles(text: str) -> list[str]:
    """Five lower-case words in a row, joined by spaces; all of a shorter text."""
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[k : k + NGRAM]) for k in range(max(1, len(words) - NGRAM + 1))] if words else []


def _recall(pairs: pl.DataFrame, true: Mapping[tuple[int, int], float], n: int) -> float | None:
    import polars as pl

    from coevo_pipelines.corpora.copies.dedup import components

    label = components(pairs.with_columns(jaccard=pl.lit(THRESHOLD)), n)
    wanted = [pair for pair, value in true.items() if value >= THRESHOLD]
    return sum(label[i] == label[j] for i, j in wanted) / len(wanted) if wanted else None


def _precision(pairs: pl.DataFrame, texts: pl.Series, seed: int) -> float | None:
    sample = pairs.sample(min(SAMPLE, pairs.height), seed=seed)
    good = [jaccard(texts[i], texts[j]) >= THRESHOLD or texts[i] == texts[j] for i, j in sample.iter_rows()]
    return sum(good) / len(good) if good else None


def _read(folder: Path) -> Iterator[str]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if text.split():
            yield text


def coevo(texts: pl.Series, _folder: Path) -> tuple[Work, Any]:
    """This package, by the steps of `dedup.pairs`."""
    import numpy as np
    import polars as pl

    from coevo_pipelines.corpora.copies import dedup

    dedup.pairs(pl.Series(["a b c d e", "a b c d e f", "A B C D E"]), threshold=0.5)  # compiles
    clock = Work()
    sketches = dedup.sketch(texts)
    clock.lap("shingles and signatures")
    places = dedup.candidates(sketches)
    clock.lap("bands")
    near, _ = dedup.verified(texts, sketches, places)
    clock.lap("verification")
    copies = np.flatnonzero(sketches.first != np.arange(sketches.first.size))
    return clock, [*near.tolist(), *zip(sketches.first[copies].tolist(), copies.tolist(), strict=True)]


def datasketch(texts: pl.Series, _folder: Path) -> tuple[Work, Any]:
    """MinHash with its own hash function in one process a core, MinHashLSH with its own weights."""
    from multiprocessing import get_context

    from datasketch import MinHashLSH

    documents = texts.to_list()
    with get_context("spawn").Pool(_cores(), _import_datasketch) as pool:
        pool.map(_datasketched, ["start"] * _cores(), 1)
        clock = Work()
        signatures = pool.map(_datasketched, documents, 200)
        pool.close()
        pool.join()
        clock.lap("shingles and signatures")
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    found = []
    for row, signature in enumerate(signatures):
        if not signature.is_empty():
            found += [(other, row) for other in index.query(signature)]
            index.insert(row, signature, check_duplication=False)
    clock.lap("bands")
    return clock, found


def _import_datasketch() -> None:
    import datasketch  # noqa: F401


def _datasketched(text: str) -> Any:
    from datasketch import MinHash

    signature = MinHash(num_perm=PERMUTATIONS)
    if found := [shingle.encode() for shingle in shingles(text)]:
        signature.update_batch(found)
    return signature


def rensa(texts: pl.Series, _folder: Path) -> tuple[Work, Any]:
    """RMinHash over lists of shingles in batches, RMinHashLSH with the bands that come nearest to ours."""
    from rensa import RMinHash, RMinHashLSH

    documents = texts.to_list()
    clock = Work()
    signatures = list[Any]()
    for begin in range(0, len(documents), 5000):
        signatures += RMinHash.from_token_sets(
            [shingles(text) for text in documents[begin : begin + 5000]], PERMUTATIONS, 42
        )
    clock.lap("shingles and signatures")
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=16)
    found = []
    for row, signature in enumerate(signatures):
        found += [(other, row) for other in index.query(signature)]
        index.insert(row, signature)
    clock.lap("bands")
    return clock, found


def datatrove(texts: pl.Series, folder: Path) -> tuple[Work, Any]:
    """Its signatures and buckets (14 of 8 hashes, its own rules for words) by its local executor, logs to a folder."""
    import struct
    from shutil import rmtree

    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader

    place = folder / "datatrove"
    rmtree(place, ignore_errors=True)
    cores, config = _cores(), MinhashConfig()
    size = -(-texts.len() // cores)
    (place / "texts").mkdir(parents=True)
    for part in range(cores):
        own = texts.slice(part * size, size).to_frame("text")
        own.write_parquet(place / "texts" / f"{part}.parquet")
    clock = Work()
    steps = {
        "shingles and signatures": (
            [ParquetReader(str(place / "texts")), MinhashDedupSignature(str(place / "signatures"), config)],
            cores,
        ),
        "bands": (
            [MinhashDedupBuckets(str(place / "signatures"), str(place / "buckets"), config=config)],
            config.num_buckets,
        ),
    }
    for step, (pipeline, tasks) in steps.items():
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=cores, logging_dir=str(place / "logs" / step), start_method="spawn"
        ).run()
        clock.lap(step)
    found = {
        (one * size + i, other * size + j)
        for path in sorted((place / "buckets").rglob("*.dups"))
        for one, i, other, j in struct.iter_unpack("<4I", path.read_bytes())
    }
    return clock, [pair for pair in sorted(found) if max(pair) < texts.len()]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


CONTESTANTS: Mapping[str, Callable[[Any, Path], tuple[Work, Any]]] = {
    "coevo": coevo,
    "rensa": rensa,
    "datasketch": datasketch,
    "datatrove": datatrove,
}


def main(name: str, texts: str, out: str) -> None:
    """Run one contestant, write the pairs that it found, print seconds by step and peak memory."""
    import polars as pl

    clock, found = CONTESTANTS[name](pl.read_parquet(texts)["text"], Path(out).parent)
    peak = peak_bytes()
    pairs = pl.DataFrame(found, {"left": pl.Int64, "right": pl.Int64}, orient="row")
    pairs = pairs.select(left=pl.min_horizontal("left", "right"), right=pl.max_horizontal("left", "right"))
    pairs.unique().sort("left", "right").write_parquet(out)
    print(json.dumps({"seconds": clock.seconds, "cpu_seconds": clock.cpu_seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
