"""The stage on a lake: the sample's corpora, repositories with all that a corpus must not have, consent that goes."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.corpora.assets import CONTRACTS, DOCUMENTS, LOSSES, RELEASES, TABLES, asked, compute
from coevo_pipelines.corpora.blueprints import load_all
from coevo_pipelines.corpora.consent.contracts import FOLDER
from coevo_pipelines.corpora.deciding import unbalanced
from coevo_pipelines.corpora.releases import release
from coevo_pipelines.corpora.releases.verify import wrong_releases
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import compute_and_commit, stale_days
from coevo_pipelines.orchestration.resources import trusted_keys
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, commit, make
from coevo_pipelines_tests.genome.test_assets import make_day
from coevo_pipelines_tests.runs import DAYS

SEEN = datetime.fromtimestamp(FIRST_DATE, tz=UTC).date()


def frame(lake: Lake, table: str, day: date) -> pl.DataFrame:
    return lake.scan(table, on=day).drop("date").collect()


def row(lake: Lake, day: date, blueprint: str = "sample") -> dict[str, Any]:
    return frame(lake, RELEASES, day).filter(pl.col("blueprint") == blueprint).row(0, named=True)


def make_corpora(settings: Settings, day: date) -> Lake:
    """The stage's tables of a day, as its assets make them."""
    lake = Lake(settings.lake_root)
    tables = (*TABLES, *(blueprint.table for blueprint in load_all(settings.blueprints)))
    compute_and_commit(lake, (CONTRACTS,), day, partial(asked, settings))
    compute_and_commit(lake, tables, day, partial(compute, settings))
    return lake


class TestSample:
    def test_the_budget_is_met_to_the_token(self, sample: Settings) -> None:
        for day in DAYS:
            lake = Lake(sample.lake_root)
            made, corpus = row(lake, day), frame(lake, "corpora.sample", day)
            train = corpus.filter(pl.col("split") == "train")
            assert made["status"] == "released"
            assert train["input_ids"].list.len().sum() == made["train_tokens"] == made["budget"] - made["shortfall"]
            assert corpus.select((pl.col("seq_lengths").list.sum() == pl.col("input_ids").list.len()).all()).item()
            assert corpus.select((pl.col("input_ids").list.len() <= 1024).all()).item()
        assert made["shortfall"] == 0

    def test_each_document_has_a_reason_and_the_losses_add_up(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        for day in DAYS:
            documents, lost = frame(lake, DOCUMENTS, day), frame(lake, LOSSES, day)
            assert unbalanced(lost, documents) == []
            made = row(lake, day)
            own = documents.filter(pl.col("blueprint") == "sample")
            assert (own.height, own["rule"].null_count()) == (made["candidates"], made["documents"])
            used = frame(lake, "corpora.sample", day)["documents"].explode().unique()
            assert set(used) == set(own.filter(pl.col("rule").is_null())["doc_id"])

    def test_no_work_is_in_two_splits(self, sample: Settings) -> None:
        documents = Lake(sample.lake_root).scan(DOCUMENTS, upto=DAYS[-1]).filter(pl.col("split").is_not_null())
        splits = documents.group_by("blueprint", "work_id").agg(pl.col("split").n_unique()).collect()
        assert splits.height > 20
        assert splits["split"].max() == 1, "also from day to day"

    def test_releases_agree_with_their_digests_and_contracts(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        rows = lake.scan(RELEASES, upto=DAYS[-1]).collect().to_dicts()
        assert list(wrong_releases(lake.root, rows, trusted_keys(sample, lake.root), {})) == []

    def test_a_model_that_was_never_asked_gets_none(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        made = row(lake, DAYS[-1], "qwen3-0.6b-base")
        assert (made["status"], made["sequences"], made["folder"]) == ("withheld", 0, None)
        assert "was never asked: coevo contract ask --model Qwen/Qwen3-0.6B-Base" in made["why"]
        assert not (lake.root / "releases" / "qwen3_0_6b_base").exists()

    def test_every_text_leads_to_the_genome_or_to_an_answer(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        documents = frame(lake, DOCUMENTS, DAYS[-1])
        leaves = set(frame(lake, "genome.files", DAYS[-1])["leaf"])
        texts = {(sha, raw) for sha, raw in lake.scan("traces.texts", upto=DAYS[-1]).select("sha256", "raw_sha256")
                 .collect().iter_rows()}  # fmt: skip
        for leaf, source, raw in documents.select("leaf", "source_sha256", "raw_sha256").iter_rows():
            assert (leaf in leaves) != ((source, raw) in texts)


@pytest.fixture
def copied(sample: Settings, tmp_path: Path) -> Settings:
    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root, ignore=shutil.ignore_patterns(".dagster", "mirrors", "coevo.duckdb"))
    return load_settings(lake=root)


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


class TestConsent:
    def test_made_again_it_is_the_same_to_the_byte(self, copied: Settings) -> None:
        before = files(copied.lake_root / "releases"), files(copied.lake_root / "corpora")
        shutil.rmtree(copied.lake_root / "releases")
        for day in DAYS:
            make_corpora(copied, day)
        assert (files(copied.lake_root / "releases"), files(copied.lake_root / "corpora")) == before

    def test_any_changed_byte_withholds_the_corpus_and_names_the_file(self, copied: Settings) -> None:
        (contract,) = (copied.lake_root / FOLDER).rglob("*.json")
        data = bytearray(contract.read_bytes())
        data[len(data) // 2] ^= 1
        contract.write_bytes(data)
        lake = make_corpora(copied, DAYS[-1])
        made = row(lake, DAYS[-1])
        assert made["status"] == "withheld" and contract.name in made["why"]
        assert frame(lake, "corpora.sample", DAYS[-1]).is_empty()
        assert not (lake.root / "releases" / "sample" / f"date={DAYS[-1]}").exists()
        assert (lake.root / "releases" / "sample" / f"date={DAYS[0]}").exists(), "not made again yet"
        wrong = list(
            wrong_releases(lake.root, [row(lake, DAYS[0]) | {"date": DAYS[0]}], trusted_keys(copied, lake.root), {})
        )
        assert len(wrong) == 1 and "no contract in force any more" in wrong[0]

    def test_a_new_record_puts_the_days_corpora_out_of_date(self, copied: Settings) -> None:
        (contract,) = (copied.lake_root / FOLDER).rglob("*.json")
        contract.write_bytes(contract.read_bytes() + b"\n")
        lake = Lake(copied.lake_root)
        compute_and_commit(lake, (CONTRACTS,), DAYS[-1], partial(asked, copied))
        assert stale_days(lake, (RELEASES,)) == [DAYS[-1]]
        assert frame(lake, CONTRACTS, DAYS[-1])["status"].to_list() == ["damaged"]

    def test_files_of_another_model_withhold_the_corpus(self, copied: Settings, tmp_path: Path) -> None:
        model = tmp_path / "model"
        model.mkdir()
        (model / "model.safetensors").write_bytes(b"\0")
        settings = load_settings(lake=copied.lake_root, corpora={"model_files": {"coevo/sample": str(model)}})
        made = row(make_corpora(settings, DAYS[-1]), DAYS[-1])
        assert made["status"] == "withheld" and "model files" in made["why"]

    def test_a_changed_byte_of_a_release_is_found(self, copied: Settings) -> None:
        lake = Lake(copied.lake_root)
        made = row(lake, DAYS[0]) | {"date": DAYS[0]}
        folder = lake.root / made["folder"]
        shard = next((folder / "data" / "documents").glob("train-*.parquet"))
        data = bytearray(shard.read_bytes())
        data[100] ^= 1
        shard.write_bytes(data)
        wrong = list(wrong_releases(lake.root, [made], trusted_keys(copied, lake.root), {}))
        assert wrong and all(shard.name in line for line in wrong[:1])


PROSE = """A trail that is kept up is hard to leave, and the ants that follow it
make it stronger with every step they take. They do not know of each other,
and yet the whole of them finds the shorter of the two ways to the food.
When the bridge is opened late, most of them stay on the long arm for days.
This was seen in the laboratory with a nest, a bridge and a dish of sugar,
and it can be told in two lines of code that any reader is able to check.
What a single ant remembers is not the point, for it remembers very little.
"""
CODE = '''"""Trails on the edges of a graph."""


def evaporate(trails, rate):
    """Every trail loses the part `rate` of itself; the weakest are forgotten."""
    for edge in list(trails):
        trails[edge] *= 1 - rate
        if trails[edge] < 1e-9:
            del trails[edge]
'''
KEY = "AKIA" + "Q3EGRZ7LM2XW5TNB"
QUESTION = (
    "How many ants of a colony of four hundred reach the sugar if each third one takes the longer arm of the bridge?"
)
MIT = "SPDX-License-Identifier: MIT\n"

BLUEPRINT = """
tokenizer = "{tokenizer}"
context_length = 400
token_budget = {budget}
[model]
id = "coevo/sample"
revision = "1"
[[stages]]
name = "prose"
order = "genome"
selection.kinds = ["prose"]
[[stages]]
name = "code"
weight = 3
[preamble]
kind = "contract"
[packing]
end_token = "<|end|>"
[split]
validation = 0
test = 0
[decontamination]
sets = ["ants"]
[quality]
min_words = 8
"""


@pytest.fixture
def planted(tmp_path: Path) -> Settings:
    """A lake with two repositories that have what a corpus must not have, and a blueprint for them."""
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    planted = {
        "LICENSE": MIT,
        "README.md": PROSE,
        "swarm.py": CODE,
        "backup/swarm.py": CODE.replace("rate", "speed"),
        "node_modules/p/index.js": "export const a = 1;\n" * 9,
        "keys.py": f'AWS = "{KEY}"\n# Ask jane.doe@ants.org\n\n\ndef first(colony):\n    return colony[0]\n',
        "gpl.py": "# SPDX-License-Identifier: GPL-3.0-only\n" + CODE.replace("trail", "path"),
        "own.py": "# SPDX-License-Identifier: Proprietary\n" + CODE.replace("trail", "road"),
        "exam.md": PROSE.replace("ants", "bees").replace("bridge", "board") + QUESTION.upper() + "\n",
    }
    commit(one, {name.encode(): text.encode() for name, text in planted.items()})
    near = PROSE.replace("very little", "next to nothing")
    copies = {"LICENSE": MIT, "same.md": PROSE, "near.md": near}
    commit(other, {name.encode(): text.encode() for name, text in copies.items()})
    (tmp_path / "exam.txt").write_text(QUESTION + "\n", encoding="utf-8")
    tokenizer = Path(release.__file__).parents[2] / "sample" / "facts" / "tokenizer.json"
    (tmp_path / "mine.toml").write_text(BLUEPRINT.format(tokenizer=tokenizer, budget=1200), encoding="utf-8")
    settings = load_settings(
        lake=tmp_path / "lake",
        start_date=SEEN,
        genome={"repositories": (str(one), str(other))},
        corpora={"blueprints": [str(tmp_path / "mine.toml")], "evaluation_sets": {"ants": str(tmp_path / "exam.txt")}},
    )
    make_day(settings, SEEN)
    return settings


class TestPlanted:
    def test_each_finds_its_rule(self, planted: Settings) -> None:
        lake = make_corpora(planted, SEEN)
        documents = frame(lake, DOCUMENTS, SEEN)
        rules = {name: rule for name, rule in documents.select("doc_id", "rule").iter_rows()}
        assert rules == {
            "one:LICENSE": "legal",
            "one:README.md": "near_duplicate",
            "one:swarm.py": None,
            "one:backup/swarm.py": "backup",
            "one:node_modules/p/index.js": "vendored",
            "one:keys.py": None,
            "one:gpl.py": "license",
            "one:own.py": "license",
            "one:exam.md": "contaminated",
            "other:LICENSE": "legal",
            "other:same.md": "near_duplicate",
            "other:near.md": None,
        }
        kept = dict(documents.filter(pl.col("kept_id").is_not_null()).select("doc_id", "kept_id").iter_rows())
        assert set(kept.values()) == {"other:near.md"}, "shorter than README.md, before same.md"
        (told,) = documents.filter(pl.col("doc_id") == "one:exam.md")["detail"]
        assert "ants question" in told
        pairs = set(frame(lake, "corpora.duplicates", SEEN).select("doc_id", "other_id").iter_rows())
        assert ("one:README.md", "other:same.md") in pairs

    def test_nothing_planted_is_in_the_release(self, planted: Settings) -> None:
        lake = make_corpora(planted, SEEN)
        made = row(lake, SEEN, "mine")
        assert made["status"] == "released", made["why"]
        folder = lake.root / made["folder"]
        released = pl.read_parquet(folder / "data" / "documents" / "train-*.parquet")
        whole = "\n".join(released["text"])
        for bad in (KEY, "jane.doe@ants.org", QUESTION.upper(), "GPL-3.0", "export const"):
            assert bad not in whole
        assert "ants" in whole
        replaced = Counter(released["replaced"].to_list())
        assert any("email" in each for each in replaced) and any("aws" in each for each in replaced)
        assert made["train_tokens"] + made["shortfall"] == 1200

    def test_without_a_token_there_is_no_release_and_the_reason_is_told(self, tmp_path: Path) -> None:
        commit(make(tmp_path / "bare"), {b"LICENSE": MIT.encode(), b"a.md": b""})
        tokenizer = Path(release.__file__).parents[2] / "sample" / "facts" / "tokenizer.json"
        (tmp_path / "mine.toml").write_text(
            f'tokenizer = "{tokenizer}"\ncontext_length = 64\nquality = false\n'
            'model = { id = "coevo/sample", revision = "1" }\n',
            encoding="utf-8",
        )
        settings = load_settings(
            lake=tmp_path / "lake",
            start_date=SEEN,
            genome={"repositories": (str(tmp_path / "bare"),)},
            corpora={"blueprints": [str(tmp_path / "mine.toml")]},
        )
        make_day(settings, SEEN)
        made = row(make_corpora(settings, SEEN), SEEN, "mine")
        assert (made["status"], made["why"]) == ("withheld", "no document has a token")

    def test_an_opt_out_takes_the_work_out(self, planted: Settings) -> None:
        from coevo_pipelines.corpora.candidates import works_of
        from coevo_pipelines.corpora.load import known_of

        lake = Lake(planted.lake_root)
        known = known_of(lake.snapshot(), SEEN, planted, load_all(planted.blueprints))
        assert works_of(known).filter("opted_out").is_empty()
        from dataclasses import replace

        out = pl.DataFrame(
            [{"scope": "work", "subject": "git:one", "reason": None}],
            schema={"scope": pl.String, "subject": pl.String, "reason": pl.String},
        )
        assert works_of(replace(known, optouts=out)).filter("opted_out")["work_id"].to_list() == ["git:one"]
