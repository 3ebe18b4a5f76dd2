"""Which documents are in a corpus: rules one after another, the first that holds says why a document is out.

The sums are exact: what a rule begins with is what the rule before it left, by repository and kind (`losses`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import polars as pl

from coevo_pipelines.corpora.cleaning import quality
from coevo_pipelines.corpora.cleaning.licensing import PERMISSIVE, evaluate_all
from coevo_pipelines.corpora.copies import dedup

if TYPE_CHECKING:
    from coevo_pipelines.corpora.blueprints import Blueprint, Narrowing

RULES = (
    "selection", "excluded_path", "withdrawn", "opted_out", "license", "backup", "vendored", "generated", "log", "test",
    "legal", "secret", "instructions", "natural_language", "quality", "contaminated", "no_stage",
    "exact_duplicate", "near_duplicate", "budget",
)  # fmt: skip
"""In the order in which they are tried."""

_Rule = tuple[str, pl.Expr, pl.Expr]


def before_copies(documents: pl.DataFrame, blueprint: Blueprint) -> pl.DataFrame:
    """(rule, detail) of each row, null where no rule up to quality holds. `documents`: `cleaning.cleaned`."""
    return _first(documents, list(_rules(documents, blueprint)))


def _rules(documents: pl.DataFrame, blueprint: Blueprint) -> Iterator[_Rule]:
    """(name, whether it holds, detail)."""
    asked, excluded = blueprint.selection, blueprint.exclusions
    none = pl.lit(None, pl.String)
    for what, taken in narrowing(documents, asked):
        yield "selection", ~taken, pl.lit(what)
    yield "excluded_path", matches(documents["path"], excluded.paths), pl.col("path")
    yield "withdrawn", pl.col("status").eq_missing("withdrawn"), none
    yield "opted_out", pl.col("opted_out"), none
    known = frozenset(PERMISSIVE if asked.licenses is None else asked.licenses)
    verdicts = evaluate_all(documents["license"], known, asked.unknown_license)
    yield "license", pl.lit(~verdicts["allowed"]), pl.lit(verdicts["why"])
    for name, column, wanted in (
        ("backup", "backup", excluded.backups),
        ("vendored", "vendored", excluded.vendored),
        ("generated", "generated", excluded.generated),
        ("log", "log", excluded.logs),
        ("test", "test", excluded.tests),
    ):
        if wanted:
            yield name, pl.col(column), none
    if excluded.legal:
        yield "legal", pl.col("kind") == "legal", none
    if excluded.secrets:
        yield "secret", pl.col("secrets") > 0, none
    addressed = pl.col("instructions").list.set_intersection(list(excluded.instructions))
    yield "instructions", addressed.list.len() > 0, addressed.list.join(", ")
    if excluded.natural_languages is not None:
        language = pl.col("natural_language")
        yield "natural_language", language.is_not_null() & ~language.is_in(list(excluded.natural_languages)), language
    flags = quality.flags(
        documents, documents["kind"], blueprint.limits, documents["language"], documents["natural_language"]
    )
    yield "quality", pl.lit(flags.list.len() > 0), pl.lit(flags.list.join(", "))


def narrowing(documents: pl.DataFrame, asked: Narrowing) -> Iterator[tuple[str, pl.Expr]]:
    """(what is asked, whether a document is taken) for each thing that is asked."""
    if asked.repositories is not None:
        yield "repository", matches(documents["repo"], asked.repositories)
    if asked.paths is not None:
        yield "path", matches(documents["path"], asked.paths)
    for column, values in (("kind", asked.kinds), ("language", asked.languages), ("chamber_id", asked.chambers)):
        if values is not None:
            yield column.removesuffix("_id"), pl.col(column).is_in(list(values)).fill_null(False)
    if asked.topics is not None:
        yield "topic", pl.col("topics").list.set_intersection(list(asked.topics)).list.len() > 0
    if asked.min_influence:
        yield "influence", pl.col("influence") >= asked.min_influence


def matches(values: pl.Series, patterns: Sequence[str]) -> pl.Expr:
    """Whether one of the patterns takes the value; none takes a null."""
    taken = [
        value
        for value in values.drop_nulls().unique().sort()
        if any(fnmatchcase(value, pattern) for pattern in patterns)
    ]
    return pl.col(values.name).is_in(taken).fill_null(False)


def _first(documents: pl.DataFrame, rules: Sequence[_Rule]) -> pl.DataFrame:
    held = documents.select(pl.coalesce(pl.when(holds).then(pl.lit(n)) for n, (_, holds, _) in enumerate(rules)))
    details = documents.select(
        pl.coalesce(
            pl.when(held.to_series() == n).then(pl.concat_str(detail)) for n, (_, _, detail) in enumerate(rules)
        ).alias("detail")
    )
    names = [name for name, _, _ in rules]
    rule = held.to_series().replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    return pl.DataFrame({"rule": rule, "detail": details.to_series()})


def copies(
    documents: pl.DataFrame, ruled: pl.DataFrame, pairs: pl.DataFrame, threshold: float, *, with_versions: bool
) -> pl.DataFrame:
    """`ruled` (rule, detail) with what is out as a copy of another, and `kept_id`, the copy that stays. `pairs`: of
    rows of `documents` (`dedup.pairs`). `with_versions`: a changed version of a file is no copy of it."""
    own = _without_versions(documents, pairs) if with_versions else pairs
    labels = dedup.components(own, documents.height, ruled["rule"].is_null().to_numpy(), threshold=threshold)
    gone = dedup.kept(documents.select("doc_id", "influence", "event_at", "path"), labels, own)
    out = gone.select(
        row="index",
        copy=pl.col("rule") + "_duplicate",
        jaccard=pl.format("Jaccard {}", pl.col("jaccard").round(4)),
        kept_id="kept_doc_id",
    )
    rows = pl.Series("row", range(ruled.height), dtype=pl.Int64)
    joined = ruled.with_columns(rows).join(out, "row", how="left", maintain_order="left")
    return joined.select(pl.coalesce("rule", "copy"), pl.coalesce("detail", "jaccard"), "kept_id")


def _without_versions(documents: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    file = documents.select("repo", "path", row=pl.int_range(pl.len(), dtype=pl.Int64))
    ends = pairs.join(file, left_on="left", right_on="row").join(file, left_on="right", right_on="row", suffix="_other")
    same_file = (pl.col("repo") == pl.col("repo_other")) & (pl.col("path") == pl.col("path_other"))
    return ends.filter(~(same_file & ~pl.col("exact")).fill_null(False)).select(pairs.columns).sort("left", "right")


def ruled_out(ruled: pl.DataFrame, rule: str, holds: pl.Series, detail: pl.Series | None = None) -> pl.DataFrame:
    """`ruled` with one more rule, for rows that no rule before it took."""
    now = holds.fill_null(False) & ruled["rule"].is_null()
    said = ruled.with_columns(rule=pl.when(now).then(pl.lit(rule)).otherwise("rule"))
    if detail is None:
        return said
    return said.with_columns(detail=pl.when(now).then(pl.lit(detail)).otherwise("detail"))


def staged(documents: pl.DataFrame, blueprint: Blueprint) -> pl.Series:
    """The first stage that takes each document, null where none does."""
    taken = []
    for stage in blueprint.stages:
        asked = [holds for _, holds in narrowing(documents, stage.selection)]
        taken.append(pl.when(pl.all_horizontal(pl.col("doc_id").is_not_null(), *asked)).then(pl.lit(stage.name)))
    return documents.select(pl.coalesce(taken).alias("stage"))["stage"]


def ranked(documents: pl.DataFrame, stages: pl.Series, blueprint: Blueprint) -> pl.Series:
    """Place of each document in its stage, from 0; null without one. Ties go by file, then time, then id."""
    ties = ("repo", "path", "event_at", "doc_id")
    orders = {
        "influence": (["influence", *ties], [True, False, False, False, False]),
        "time": (["event_at", *ties], [False] * 5),
        "genome": (["place", *ties], [False] * 5),
        "shuffled": (["_mixed", "doc_id"], [False] * 2),
    }
    rows = documents.select("influence", "event_at", "place", "repo", "path", "doc_id").with_columns(
        stages.alias("stage"),
        _row=pl.Series(range(documents.height), dtype=pl.Int64),
        _mixed=pl.Series([mixed(blueprint.split.seed, each) for each in documents["doc_id"]], dtype=pl.String),
    )
    found = []
    for stage in blueprint.stages:
        by, descending = orders[stage.order]
        own = rows.filter(pl.col("stage") == stage.name).sort(by, descending=descending, nulls_last=True)
        found.append(own.select("_row", rank=pl.int_range(pl.len(), dtype=pl.Int64)))
    return rows.select("_row").join(pl.concat(found), "_row", how="left", maintain_order="left")["rank"]


def mixed(seed: int, name: str) -> str:
    """An order that looks like chance and stays as it is when others come."""
    import hashlib

    return hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest()


def losses(documents: pl.DataFrame) -> pl.DataFrame:
    """What each rule took, by repository and kind: step, rule, repo, kind, documents, documents_out, tokens,
    tokens_out. `documents`: repo, kind, rule, tokens (all null: so are the sums). Groups that a rule finds empty are
    left out."""
    has_tokens = not documents["tokens"].null_count()
    named = documents.select(pl.col("repo").fill_null("traces"), "kind", "rule", "tokens")
    out = named.group_by("repo", "kind", "rule").agg(out=pl.len().cast(pl.Int64), tokens_out=pl.col("tokens").sum())
    whole = named.group_by("repo", "kind").agg(whole=pl.len().cast(pl.Int64), whole_tokens=pl.col("tokens").sum())
    steps = pl.DataFrame({"step": range(1, len(RULES) + 1), "rule": RULES}, {"step": pl.Int64, "rule": pl.String})
    gone = whole.join(steps, how="cross").join(out, ["repo", "kind", "rule"], how="left").sort("repo", "kind", "step")
    gone = gone.with_columns(pl.col("out", "tokens_out").fill_null(0))

    def before(all_of_it: str, taken: str) -> pl.Expr:
        return pl.col(all_of_it) - pl.col(taken).cum_sum().over("repo", "kind") + pl.col(taken)

    left = gone.select(
        "step", "rule", "repo", "kind", documents=before("whole", "out"), documents_out="out",
        tokens=before("whole_tokens", "tokens_out") if has_tokens else pl.lit(None, pl.Int64),
        tokens_out="tokens_out" if has_tokens else pl.lit(None, pl.Int64),
    )  # fmt: skip
    return left.filter(pl.col("documents") > 0).sort("step", "repo", "kind")


def unbalanced(lost: pl.DataFrame, documents: pl.DataFrame) -> list[str]:
    """What does not add up: one line a blueprint, repository and kind. `lost`: `corpora.losses`, `documents`:
    `corpora.documents` of the same day."""
    group = ["blueprint", "repo", "kind"]
    last = (
        lost.sort("step")
        .group_by(group)
        .agg(
            begun=pl.col("documents").first(),
            out=pl.col("documents_out").sum(),
            tokens=pl.col("tokens").first(),
            tokens_out=pl.col("tokens_out").sum(),
            broken=(pl.col("documents").shift(-1) != pl.col("documents") - pl.col("documents_out")).any()
            | (pl.col("tokens").shift(-1) != pl.col("tokens") - pl.col("tokens_out")).any(),
        )
    )
    own = documents.with_columns(pl.col("repo").fill_null("traces")).group_by(group).agg(
        all=pl.len().cast(pl.Int64),
        kept=pl.col("rule").is_null().sum().cast(pl.Int64),
        own_tokens=pl.col("tokens").sum(),
        kept_tokens=pl.col("tokens").filter(pl.col("rule").is_null()).sum(),
    )  # fmt: skip
    both = last.join(own, group, how="full", coalesce=True)
    wrong = both.filter(
        pl.col("broken").fill_null(True)
        | pl.col("begun").ne_missing(pl.col("all"))
        | (pl.col("begun") - pl.col("out")).ne_missing(pl.col("kept"))
        | (pl.col("tokens").is_not_null()
           & (pl.col("tokens").ne_missing(pl.col("own_tokens"))
              | (pl.col("tokens") - pl.col("tokens_out")).ne_missing(pl.col("kept_tokens"))))
    )  # fmt: skip
    return [f"{blueprint}: {repo} {kind}" for blueprint, repo, kind in wrong.select(group).sort(group).iter_rows()]
