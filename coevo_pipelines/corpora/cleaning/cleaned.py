"""Documents cleaned and measured: what must not be trained on becomes placeholders, all else is noticed, not judged.

Which of it puts a document out is a blueprint's to say (`deciding`). Text that addresses models is data like any
other: it is named, never followed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from coevo_pipelines.corpora.cleaning import instructions, languages, paths, personal, quality, secrets
from coevo_pipelines.corpora.cleaning.redaction import Redacted
from coevo_pipelines.genome import notebooks
from coevo_pipelines.lake.ledger import canonical

BATCH = 32_000_000
"""Bytes of text that are cleaned at once."""

PROSE = ("prose", "abstract", "readme", "card")
"""Kinds whose natural language is looked for."""


class DamagedText(ValueError):
    """A text is not the one whose hash is on record."""


@dataclass(frozen=True)
class Options:
    """What is done to every text."""

    replace_personal_data: bool = True
    strip_notebooks: bool = True


def cleaned(candidates: pl.DataFrame, options: Options) -> pl.DataFrame:
    """`candidates` with kind, `paths.classify`'s columns, the cleaned text, text_sha256, replaced (placeholders by type
    as canonical JSON), secrets (how many), instructions (rules), natural_language and
    `quality.measure`'s columns. DamagedText for a text that is not the one of source_sha256."""
    kinds = paths.classify(candidates.select("repo", "path", "language"))
    named = candidates.with_columns(kinds.get_columns()).with_columns(
        kind=pl.coalesce(candidates["kind"], kinds["kind"])
    )
    if not named.height:
        return _cleaned(named, options)
    return pl.concat([_cleaned(batch, options) for batch in batches(named)])


def batches(documents: pl.DataFrame, most: int = BATCH) -> Iterator[pl.DataFrame]:
    """`documents` in pieces of about `most` bytes of text."""
    sizes = documents["text"].str.len_bytes().cast(pl.Int64)
    offset = 0
    for length in ((sizes.cum_sum() - sizes) // most).rle().struct.field("len"):
        yield documents.slice(offset, length)
        offset += length


def _cleaned(documents: pl.DataFrame, options: Options) -> pl.DataFrame:
    _undamaged(documents)
    found = [secrets.redact(_stripped(documents, options))]
    if options.replace_personal_data:
        found.append(personal.redact(found[0].texts))
    texts = found[-1].texts
    is_prose = documents["kind"].is_in(PROSE)
    spoken = languages.identify(texts.filter(is_prose))["language"]
    rows = pl.int_range(documents.height, eager=True)
    return documents.with_columns(
        texts.alias("text"),
        pl.Series("text_sha256", _sha256(texts), dtype=pl.String),
        _replaced(found, documents.height),
        _by_row(rows, found[0].counts.group_by("row").agg(secrets=pl.col("n").sum())).fill_null(0),
        _united(instructions.flags(texts), instructions.by_path(documents["path"])),
        _by_row(rows, pl.DataFrame({"row": rows.filter(is_prose), "natural_language": spoken})),
        *quality.measure(texts).get_columns(),
    )


def _by_row(rows: pl.Series, found: pl.DataFrame) -> pl.Series:
    """The second column of `found`, for every row; null where it has none."""
    keyed = found.with_columns(pl.col("row").cast(pl.Int64))
    return rows.alias("row").to_frame().join(keyed, "row", how="left", maintain_order="left").to_series(1)


def _replaced(found: Sequence[Redacted], height: int) -> pl.Series:
    """Placeholders by type, canonical JSON."""
    counts: list[dict[str, int]] = [{} for _ in range(height)]
    for each in found:
        for row, name, n in each.counts.select("row", "type", "n").iter_rows():
            counts[row][name] = counts[row].get(name, 0) + n
    return pl.Series("replaced", [canonical(each).decode() for each in counts], dtype=pl.String)


def _undamaged(documents: pl.DataFrame) -> None:
    for found, name, expected in zip(
        _sha256(documents["text"]), documents["doc_id"], documents["source_sha256"], strict=True
    ):
        if found != expected:
            raise DamagedText(f"{name}: the text's SHA-256 is {found}, on record is {expected}: run coevo verify")


def _stripped(documents: pl.DataFrame, options: Options) -> pl.Series:
    texts = documents["text"]
    is_notebook = documents["kind"] == "notebook"
    if not (options.strip_notebooks and is_notebook.any()):
        return texts
    found = [_without_outputs(text) if notebook else text for text, notebook in zip(texts, is_notebook, strict=True)]
    return pl.Series("text", found, dtype=pl.String)


def _without_outputs(text: str) -> str:
    found = notebooks.strip(text.encode())
    return text if found is None else found.decode()


def _united(one: pl.Series, other: pl.Series) -> pl.Series:
    both = pl.DataFrame({"one": one, "other": other})
    return both.select(instructions=pl.col("one").list.set_union(pl.col("other")).list.sort())["instructions"]


def _sha256(texts: pl.Series) -> list[str]:
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def flags(documents: pl.DataFrame) -> pl.Series:
    """All that was noticed of each document, by name, sorted."""
    noticed = [pl.when(pl.col(name)).then(pl.lit(name)) for name in ("backup", "vendored", "generated", "log", "test")]
    return documents.select(
        pl.concat_list(
            pl.concat_list(noticed).list.drop_nulls(),
            pl.col("instructions").list.eval("addresses_models:" + pl.element()),
            pl.concat_list(pl.when(pl.col("secrets") > 0).then(pl.lit("secret"))).list.drop_nulls(),
        ).list.sort()
    ).to_series()
