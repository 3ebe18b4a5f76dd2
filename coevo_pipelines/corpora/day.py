"""A day's corpora: documents cleaned once, then for each blueprint chosen, packed and, with its consent, released."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from coevo_pipelines.corpora import candidates as gathered
from coevo_pipelines.corpora import deciding
from coevo_pipelines.corpora.blueprints import SPLITS, Blueprint, BlueprintError
from coevo_pipelines.corpora.cleaning import cleaned as cleaning
from coevo_pipelines.corpora.consent import contracts
from coevo_pipelines.corpora.consent.contracts import InForce, Refused
from coevo_pipelines.corpora.copies import decontaminate, dedup
from coevo_pipelines.corpora.load import release_folder
from coevo_pipelines.corpora.releases import release
from coevo_pipelines.corpora.sequences import packing, splits
from coevo_pipelines.corpora.sequences.tokenizer import Encoded, Loaded, TokenizerError, encode, load, place
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.version import code_version

log = logging.getLogger(__name__)

NOT_ASKED = "not_asked"
"""Of an earlier version, where the blueprint takes none: it is no candidate at all."""


@dataclass(frozen=True)
class Asked:
    """What corpora are made with, besides the lake's tables."""

    blueprints: Sequence[Blueprint]
    consents: Mapping[str, InForce | Refused]
    """By the blueprint's name."""
    tokenizers: Mapping[str, Path]
    online: bool
    """Tokenizers that are not here may be fetched."""
    evaluation_sets: Mapping[str, Path]
    options: cleaning.Options
    jaccard: float
    shard_bytes: int
    root: Path
    """The lake."""
    world: Literal["sample", "live", "synthetic"]
    manifest: Mapping[str, Any] | None
    """Row of `genome.manifest`."""
    tell: Callable[[str], None] = log.info
    """Gets a line after each step."""


@dataclass(frozen=True)
class Overlaps:
    """What was found of an evaluation set: `hits` (row of the documents, question, share), and `told` for the card."""

    hits: pl.DataFrame
    told: Mapping[str, Any]


@dataclass(frozen=True)
class Day:
    """What the blueprints of a day share. `documents`: `cleaning.cleaned`; `pairs`: `dedup.pairs` of its rows;
    `overlaps`: by evaluation set and n."""

    known: gathered.Known
    asked: Asked
    works: pl.DataFrame
    documents: pl.DataFrame
    pairs: pl.DataFrame
    overlaps: Mapping[tuple[str, int], Overlaps]


class Tokens:
    """The documents' tokens, made once by each tokenizer that a blueprint names."""

    def __init__(self, texts: pl.Series, scratch: Path) -> None:
        self.scratch = scratch
        self._texts = texts
        self._encoded: dict[str, Encoded] = {}

    def of(self, blueprint: Blueprint, asked: Asked) -> Loaded | str:
        """The blueprint's tokenizer, or why there is none."""
        try:
            return load(place(blueprint, asked.tokenizers, asked.online), blueprint.tokenizer_sha256)
        except TokenizerError as error:
            return str(error)

    def encoded(self, loaded: Loaded) -> Encoded:
        """Of all documents of the day."""
        if loaded.sha256 not in self._encoded:
            self._encoded[loaded.sha256] = encode([self._texts], loaded, self.scratch)
        return self._encoded[loaded.sha256]

    def lengths(self, loaded: Loaded) -> pl.Series:
        return pl.Series("tokens", self.encoded(loaded).lengths, dtype=pl.Int64)


@dataclass(frozen=True)
class Corpus:
    """One blueprint's part of the day."""

    documents: pl.DataFrame
    losses: pl.DataFrame
    sequences: pl.DataFrame
    row: dict[str, Any]


def corpora_of(known: gathered.Known, asked: Asked) -> dict[str, pl.DataFrame]:
    """The stage's tables of the day, and on disk the releases that they tell of."""
    works = gathered.works_of(known)
    found = gathered.candidates(known, works)
    size = int(found["text"].str.len_bytes().cast(pl.Int64).sum() or 0)
    asked.tell(f"gathered {found.height:,} documents, {size / 1e6:,.1f} MB")
    documents = cleaning.cleaned(found, asked.options)
    del found  # a second copy of every text
    asked.tell("cleaned")
    early = {each.name: _ruled_early(documents, each) for each in asked.blueprints}
    wanted = _any(documents.height, [ruled["rule"].is_null() for ruled in early.values()])
    pairs = _pairs(documents, wanted, asked.jaccard)
    asked.tell(f"compared with each other: {pairs.height:,} pairs")
    overlaps = _overlaps(documents, wanted, asked)
    asked.tell("compared with evaluation sets")
    day = Day(known, asked, works, documents, pairs, overlaps)
    with tempfile.TemporaryDirectory(prefix="coevo-corpora-") as scratch:
        tokens = Tokens(documents["text"], Path(scratch))
        made = [_corpus(day, blueprint, early[blueprint.name], tokens) for blueprint in asked.blueprints]
    ids = documents["doc_id"]
    tables = {
        "corpora.documents": pl.concat([each.documents for each in made]) if made else None,
        "corpora.losses": pl.concat([each.losses for each in made]) if made else None,
        "corpora.releases": pl.DataFrame(
            [each.row for each in made], schema=schemas.table("corpora.releases").polars_schema(), orient="row"
        ),
        "corpora.duplicates": pl.DataFrame(
            {"doc_id": ids.gather(pairs["left"]), "other_id": ids.gather(pairs["right"]), "jaccard": pairs["jaccard"]}
        ),
        **{blueprint.table: each.sequences for blueprint, each in zip(asked.blueprints, made, strict=True)},
    }
    return {name: schemas.table(name).empty() if frame is None else frame for name, frame in tables.items()}


def _ruled_early(documents: pl.DataFrame, blueprint: Blueprint) -> pl.DataFrame:
    """`deciding.before_copies`; what is no candidate of the blueprint at all has the rule NOT_ASKED."""
    ruled = deciding.before_copies(documents, blueprint)
    if blueprint.history == "versions":
        return ruled
    return ruled.with_columns(rule=pl.when(documents["is_current"]).then("rule").otherwise(pl.lit(NOT_ASKED)))


def _any(height: int, masks: Sequence[pl.Series]) -> pl.Series:
    held = pl.repeat(False, height, dtype=pl.Boolean, eager=True)
    for mask in masks:
        held |= mask
    return held


def _pairs(documents: pl.DataFrame, wanted: pl.Series, threshold: float) -> pl.DataFrame:
    """`dedup.pairs` of the documents that some blueprint wants, by their rows in `documents`."""
    rows = pl.int_range(documents.height, eager=True).filter(wanted)
    found = dedup.pairs(documents["text"].filter(wanted), threshold=threshold)
    return found.with_columns(left=rows.gather(found["left"]), right=rows.gather(found["right"]))


def _overlaps(documents: pl.DataFrame, wanted: pl.Series, asked: Asked) -> dict[tuple[str, int], Overlaps]:
    """For each (evaluation set, n) that a blueprint names."""
    rows = pl.int_range(documents.height, eager=True).filter(wanted)
    texts = documents["text"].filter(wanted)
    found = {}
    for name, ngram in sorted({(s, b.decontamination.ngram) for b in asked.blueprints for s in b.decontamination.sets}):
        questions = decontaminate.load(asked.evaluation_sets[name])
        sought = decontaminate.index([questions], ngram)
        hits = decontaminate.judged(decontaminate.hits(texts, sought), sought)
        told = {
            "sha256": questions.sha256,
            "questions": len(questions.questions),
            "without text": questions.skipped,
            "too short to look for": sought.unsought[0],
        }
        found[name, ngram] = Overlaps(hits.with_columns(row=rows.gather(hits["index"])), told)
    return found


def _corpus(day: Day, blueprint: Blueprint, early: pl.DataFrame, tokens: Tokens) -> Corpus:
    documents, asked = day.documents, day.asked
    ruled = early
    for name in blueprint.decontamination.sets:
        ruled = _contaminated(ruled, name, day.overlaps[name, blueprint.decontamination.ngram].hits)
    stages = deciding.staged(documents, blueprint)
    ruled = deciding.ruled_out(ruled, "no_stage", stages.is_null())
    # Last, so that the copy that stays is one that the corpus takes.
    ruled = deciding.copies(documents, ruled, day.pairs, asked.jaccard, with_versions=blueprint.history == "versions")
    loaded = tokens.of(blueprint, asked)
    if not isinstance(loaded, str):
        asked.tell(f"{blueprint.name}: {int(tokens.lengths(loaded).sum()):,} tokens")
    is_in = ruled["rule"].is_null()
    rows = documents.with_columns(
        *ruled.get_columns(),
        pl.Series("row", range(documents.height), dtype=pl.Int64),
        pl.when(is_in).then(stages).alias("stage"),
        pl.when(is_in).then(splits.split_of(documents["work_id"], blueprint.split)).alias("split"),
        pl.lit(None if isinstance(loaded, str) else tokens.lengths(loaded), dtype=pl.Int64).alias("tokens"),
        version=_version(blueprint),
    ).filter(pl.col("rule").ne_missing(NOT_ASKED))
    consent = asked.consents[blueprint.name]
    why, packed, written = None, None, None
    if isinstance(consent, Refused):
        why = consent.reason
    elif isinstance(loaded, str):
        why = loaded
    elif not rows["rule"].is_null().any():
        why = "no document is left: see corpora.losses"
    else:
        chosen = rows.filter(pl.col("rule").is_null())
        ranks = deciding.ranked(chosen, chosen["stage"], blueprint)
        try:
            packed = packing.pack(
                chosen.with_columns(ranks.alias("rank")), tokens.encoded(loaded), blueprint, loaded,
                _preamble(blueprint, consent), tokens.scratch,
            )  # fmt: skip
        except (TokenizerError, BlueprintError) as error:
            why = str(error)
        asked.tell(f"{blueprint.name}: packed")
    if packed is not None and not packed.sequences.height:
        packed, why = None, "no document has a token"
    if packed is not None and not isinstance(consent, Refused) and not isinstance(loaded, str):
        rows = _with_uses(rows, packed)
        written = _release(day, blueprint, rows, packed, consent, loaded)
        asked.tell(f"{blueprint.name}: released, {written.bytes / 1e6:,.1f} MB")
    folder = release_folder(asked.root, blueprint, day.known.day)
    if written is None:
        _withdraw(folder)
        log.info("corpora: %s %s is withheld: %s", blueprint.name, day.known.day, why)
    return Corpus(
        _documents(rows, blueprint),
        deciding.losses(rows).with_columns(blueprint=pl.lit(blueprint.name)),
        schemas.table(blueprint.table).empty() if packed is None else packed.sequences,
        _row(day, blueprint, rows, packed, written, why, loaded),
    )


def _withdraw(folder: Path) -> None:
    """Without consent there is no release any more, nor half of one."""
    gone = folder.with_name(f".{folder.name}.withdrawn")
    if gone.exists():  # of a run that was killed here
        shutil.rmtree(gone)
    if folder.exists():
        folder.rename(gone)
        shutil.rmtree(gone)


def _contaminated(ruled: pl.DataFrame, name: str, hits: pl.DataFrame) -> pl.DataFrame:
    """`hits`: rows with the question that they share most with."""
    said = hits.sort("row", "share", "question", descending=[False, True, False]).unique("row", keep="first")
    rows = pl.Series("row", range(ruled.height), dtype=pl.Int64)
    told = said.select(
        pl.col("row").cast(pl.Int64),
        told=pl.format("{} question {}, {} of it", pl.lit(name), "question", pl.col("share").round(3)),
    )
    found = rows.to_frame().join(told, "row", how="left", maintain_order="left")["told"]
    return deciding.ruled_out(ruled, "contaminated", found.is_not_null(), found)


def _version(blueprint: Blueprint) -> pl.Expr:
    """What a template's {version} says."""
    return pl.lit("") if blueprint.history == "none" else " @ " + pl.col("version")


def _preamble(blueprint: Blueprint, consent: InForce) -> str | None:
    if blueprint.preamble.kind == "contract":
        return contracts.header(consent.contract)
    return blueprint.preamble.system_prompt


def _with_uses(rows: pl.DataFrame, packed: packing.Packed) -> pl.DataFrame:
    """`rows` with used and times; what the budget left no room for is out."""
    uses = packed.uses.select("doc_id", "used", "times")
    joined = rows.join(uses, "doc_id", how="left", maintain_order="left")
    unused = pl.col("rule").is_null() & (pl.col("used").fill_null(0) == 0)
    return joined.with_columns(
        rule=pl.when(unused).then(pl.lit("budget")).otherwise("rule"),
        stage=pl.when(unused).then(None).otherwise("stage"),
        split=pl.when(unused).then(None).otherwise("split"),
        used=pl.when(unused).then(None).otherwise("used"),
        times=pl.when(unused).then(None).otherwise("times"),
    )


def _release(
    day: Day, blueprint: Blueprint, rows: pl.DataFrame, packed: packing.Packed, consent: InForce, loaded: Loaded
) -> release.Written:
    known, asked = day.known, day.asked
    chosen = rows.filter(pl.col("rule").is_null())
    repos = chosen["repo"].drop_nulls().unique().sort()
    is_notice = pl.col("licence_kind").is_in(["licence", "notice"]) & pl.col("text").is_not_null()
    ours = known.files.filter(is_notice, pl.col("repo").is_in(repos.implode()))
    notices = ours.select("repo", "path", "license", "text").collect()
    ids = chosen["work_id"].unique().sort()
    commits = gathered.commits_of(known)
    works = (
        ids.to_frame()
        .join(day.works, "work_id", how="left")
        .select("work_id", "title", "owner", "url", license="source_license")
        .join(commits, "work_id", how="left")
        .join(gathered.people_of(known, ids.to_list()), "work_id", how="left")
        .with_columns(
            pl.col("people").fill_null(pl.lit([], dtype=pl.List(pl.String))),
            pl.coalesce("title", "work_id").alias("title"),
            pl.coalesce("license", "repo_license").alias("license"),
        )
        .drop("repo_license")
        .sort("work_id")
    )
    languages = chosen.filter(pl.col("natural_language").is_not_null())["natural_language"].value_counts()
    return release.write(
        release_folder(asked.root, blueprint, known.day),
        release.Release(
            blueprint=blueprint,
            world=asked.world,
            day=known.day,
            genome_root=None if asked.manifest is None else asked.manifest["root"],
            tokenizer_sha256=loaded.sha256,
            contract=consent.path.read_bytes(),
            integrity=contracts.audit_json(consent.contract, consent.checks),
            contract_hash=consent.contract.hash,
            code_version=code_version(),
            documents=chosen.select(*release.DOCUMENTS),
            sequences=packed.sequences,
            losses=deciding.losses(rows).filter(pl.col("documents_out") > 0).select(
                "repo", "kind", step="rule", documents="documents_out", tokens="tokens_out"
            ),
            notices=notices,
            works=works,
            numbers={
                "budget": blueprint.token_budget,
                "shortfall": packed.shortfall,
                "natural_languages": dict(sorted(languages.iter_rows())),
                "near_duplicates": {"jaccard": asked.jaccard, "ngram": dedup.NGRAM},
                "evaluation_sets": {
                    name: day.overlaps[name, blueprint.decontamination.ngram].told
                    for name in blueprint.decontamination.sets
                },
                "personal_data": "replaced" if asked.options.replace_personal_data else "kept",
                "notebooks": "stripped" if asked.options.strip_notebooks else "kept",
            },
            shard_bytes=asked.shard_bytes,
        ),
    )  # fmt: skip


def _documents(rows: pl.DataFrame, blueprint: Blueprint) -> pl.DataFrame:
    """Rows of `corpora.documents`."""
    missing = {"used", "times"} - set(rows.columns)
    named = rows.with_columns(
        *(pl.lit(None, pl.Int64).alias(name) for name in missing),
        cleaning.flags(rows).alias("flags"),
        blueprint=pl.lit(blueprint.name),
    )
    return named.select(column.name for column in schemas.table("corpora.documents").columns)


def _row(
    day: Day,
    blueprint: Blueprint,
    rows: pl.DataFrame,
    packed: packing.Packed | None,
    written: release.Written | None,
    why: str | None,
    loaded: Loaded | str,
) -> dict[str, Any]:
    """The row of `corpora.releases`."""
    asked, consent = day.asked, day.asked.consents[blueprint.name]
    tokens = dict.fromkeys(SPLITS, 0)
    if packed is not None:
        sums = packed.sequences.group_by("split").agg(pl.col("input_ids").list.len().sum())
        tokens |= {name: int(number) for name, number in sums.iter_rows()}
    return {
        "blueprint": blueprint.name,
        "status": "withheld" if written is None else "released",
        "why": why,
        "model_id": blueprint.model.id,
        "model_revision": blueprint.model.revision,
        "blueprint_sha256": hashlib.sha256(canonical(blueprint.told())).hexdigest(),
        "tokenizer_sha256": None if isinstance(loaded, str) else loaded.sha256,
        "contract_hash": None if isinstance(consent, Refused) else consent.contract.hash,
        "genome_root": None if asked.manifest is None else asked.manifest["root"],
        "folder": None
        if written is None
        else release_folder(asked.root, blueprint, day.known.day).relative_to(asked.root).as_posix(),
        "digest": None if written is None else written.digest,
        "candidates": rows.height,
        "documents": int(rows["rule"].is_null().sum()),
        "sequences": 0 if packed is None else packed.sequences.height,
        "budget": blueprint.token_budget,
        "train_tokens": tokens["train"],
        "shortfall": 0 if packed is None else packed.shortfall,
        "validation_tokens": tokens["validation"],
        "test_tokens": tokens["test"],
    }
