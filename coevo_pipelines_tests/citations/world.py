"""A synthetic world of any size as `traces.*` partitions of two days: aliases, duplicates and dirt included.

Two engines must make the same graph of it. So it holds what engines are known to treat each in its own way: ties,
nulls, equal times, empty lists and texts, names that differ by case alone, text far outside ASCII.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake

DAYS = (date(2026, 1, 5), date(2026, 1, 6))
FIRST = datetime(2011, 1, 1, tzinfo=UTC)
SPAN_DAYS = 15 * 365
LATE = 0.05
"""Share of the facts that are of the second day."""
NAMES = ("Ada Lovelace", "ADA LOVELACE", "Ş. İnan", "ş. inan", "ΝΙΚΟΣ ΠΑΠΠΑΣ", "Νικος Παππας", "王 小云", "", "🐜")


def write_world(lake: Lake, works: int, references: int, seed: int = 7) -> None:
    """About 1.2 rows a work of `traces.works`, 2 of people and 1.5 of identities, and `references` references."""
    random = np.random.default_rng(seed)
    world = _numbered(works, random)
    tables = {
        "works": _works(world),
        "references": _references(world, references, random),
        "people": _people(world, random),
        "identities": _identities(world),
    }
    for name, frame in tables.items():
        late = pl.Series(random.random(frame.height) < LATE)
        dated = frame.with_columns(
            late=late,
            observed_at=pl.lit(datetime(2026, 1, 7, tzinfo=UTC)),
            raw_sha256=pl.int_range(pl.len()).mod(97).cast(pl.String),
        )
        schema = TABLES[f"traces.{name}"]
        for one in DAYS:
            rows = dated.filter(late=one == DAYS[1]).unique(schema.key, keep="first", maintain_order=True)
            missing = [
                pl.lit(None, dtype=dtype).alias(column)
                for column, dtype in schema.polars_schema().items()
                if column not in rows.columns
            ]
            lake.write(schema.name, one, rows.with_columns(missing).select(list(schema.polars_schema())))


def _numbered(works: int, random: np.random.Generator) -> pl.DataFrame:
    """n, its kind by n, the names it goes by, when it appeared; times to the day, so that many are equal."""
    days = np.sort(random.integers(0, SPAN_DAYS, works))
    n = pl.col("n")
    frame = pl.DataFrame({"n": np.arange(works), "created_at": [FIRST] * works, "day": days})
    number = n.cast(pl.String)
    return frame.with_columns(
        created_at=pl.col("created_at").cast(pl.Datetime("us", "UTC")) + pl.duration(days="day"),
        form=n % 10,
        doi="doi:10.1/" + number,
        openalex="openalex:W" + number,
        owner=pl.when(n % 10 >= 8).then("github:o" + (n % max(works // 30, 2)).cast(pl.String)),
        work_id=pl.when(n % 10 < 6).then("arxiv:" + number)
        .when(n % 10 < 8).then("openalex:W" + number)
        .when(n % 10 == 8).then("github:o/r" + number)
        .otherwise("hf:model/o/Ⅻ" + number),
    )  # fmt: skip


def _works(world: pl.DataFrame) -> pl.DataFrame:
    form = pl.col("form")
    own = world.select(
        "n", "work_id", "created_at", "owner",
        source=pl.when(form < 6).then(pl.lit("arxiv")).when(form < 8).then(pl.lit("openalex"))
        .when(form == 8).then(pl.lit("github")).otherwise(pl.lit("huggingface")),
        kind=pl.when(form < 8).then(pl.lit("paper")).when(form == 8).then(pl.lit("repository"))
        .otherwise(pl.lit("model")),
    )  # fmt: skip
    # Some papers are in OpenAlex too, there a month later or earlier.
    again = world.filter(form < 6, pl.col("n") % 3 == 0).select(
        "n", "owner", work_id="openalex", source=pl.lit("openalex"), kind=pl.lit("paper"),
        created_at=pl.col("created_at") + pl.duration(days=pl.col("n") % 61 - 30),
    )  # fmt: skip
    both = pl.concat([own, again.select(own.columns)])
    updated = both.filter(pl.col("n") % 20 == 0).with_columns(
        event=pl.lit("updated"), event_at=pl.col("created_at") + pl.duration(days=40)
    )
    created = both.with_columns(event=pl.lit("created"), event_at=pl.col("created_at"))
    return pl.concat([created, updated]).with_columns(
        title=pl.col("work_id") + pl.col("event"),
        status=pl.lit("active"),
        fields=pl.when(pl.col("n") % 4 == 0).then(pl.lit([], pl.List(pl.String))).otherwise(pl.concat_list("source")),
        tags=pl.concat_list("kind", "event"),
        topics=pl.lit([], pl.List(pl.String)),
    )


def _references(world: pl.DataFrame, references: int, random: np.random.Generator) -> pl.DataFrame:
    """Mostly to earlier works, the early ones often; a tenth twice; some to itself, to newer ones, to nothing known."""
    works = world.height
    source = random.integers(1, works, references)
    target = (source * random.random(references) ** 2).astype(np.int64)
    odd = random.random(references)
    target = np.where(odd < 0.01, source, np.where(odd < 0.02, random.integers(0, works, references), target))
    twice = random.random(references) < 0.1
    source[1:][twice[1:]], target[1:][twice[1:]] = source[:-1][twice[1:]], target[:-1][twice[1:]]
    citing, cited = world[source], world[target]
    name = random.integers(0, 3, references)
    stub = pl.Series(np.where(odd > 0.97, target % (works // 20 + 1), -1))
    relation = np.array(["cites", "mentions", "depends_on", "derives_from", "trained_on"])
    return pl.DataFrame(
        {
            "source_id": citing["work_id"],
            "name": name,
            "stub": stub,
            "relation": relation[np.minimum(random.geometric(0.7, references) - 1, 4)],
            "event_at": citing["created_at"],
            "evidence": (random.integers(0, 50, references)).astype(str),
            "source": ["openalex"] * references,
        }
    ).hstack(cited.select("work_id", "doi", "openalex")).with_columns(
        target_id=pl.when(pl.col("stub") >= 0).then("pypi:p" + pl.col("stub").cast(pl.String))
        .when(pl.col("name") == 0).then("doi").when(pl.col("name") == 1).then("openalex").otherwise("work_id")
    )  # fmt: skip


def _people(world: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """One to four authors a paper, a third with ORCID iD, some twice or without any name; one owner else."""
    authors = world.filter(pl.col("form") < 8)
    count = np.minimum(random.geometric(0.5, authors.height), 4)
    row = np.repeat(np.arange(authors.height), count)
    position = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 1
    who = random.integers(0, max(world.height // 3, 2), len(row))
    name = pl.Series(np.array(NAMES)[random.integers(0, len(NAMES), len(row))])
    listed = authors[row].select(
        work_id=pl.when(pl.col("n") % 7 == 0).then("openalex").otherwise("work_id"),
        source=pl.when((pl.col("n") % 7 == 0) | (pl.col("form") >= 6)).then(pl.lit("openalex")).otherwise(
            pl.lit("arxiv")),
        event_at="created_at",
    )  # fmt: skip
    listed = listed.with_columns(
        role=pl.lit("author"),
        position=pl.Series(position),
        name=pl.when(pl.Series(who % 11 != 0)).then(name),
        orcid=pl.when(pl.Series(who % 3 == 0)).then(pl.Series(who).cast(pl.String)),
        account=pl.when(pl.Series(who % 5 == 0)).then("openalex:A" + pl.Series(who).cast(pl.String)),
    )
    owners = world.filter(pl.col("form") >= 8).select(
        "work_id", source=pl.when(pl.col("form") == 8).then(pl.lit("github")).otherwise(pl.lit("huggingface")),
        event_at="created_at", role=pl.lit("owner"), position=pl.lit(1, pl.Int64),
        name=pl.lit(None, pl.String), orcid=pl.lit(None, pl.String), account="owner",
    )  # fmt: skip
    return pl.concat([listed, owners.select(listed.columns)])


def _identities(world: pl.DataFrame) -> pl.DataFrame:
    """Papers and their DOIs, on both services; now and then two works proved one, in chains; some taken back."""
    n, form = pl.col("n"), pl.col("form")
    plus = {"event_at": pl.col("created_at"), "same": pl.lit(True), "source": pl.lit("openalex")}
    papers = world.filter(form < 8)
    neighbour = world.with_columns(other=pl.col("work_id").shift(1)).filter(n % 53 < 3, pl.col("other").is_not_null())
    pairs = pl.concat(
        [
            papers.filter(form < 6).select("n", one="work_id", other="doi", evidence=pl.lit("arxiv:doi"), **plus),
            papers.filter(n % 3 == 0).select("n", one="openalex", other="doi", evidence=pl.lit("ids.doi"), **plus),
            neighbour.select("n", one="work_id", other="other", evidence=pl.lit("same"), **plus),
        ]
    )
    back = pairs.filter(n % 41 == 0).with_columns(
        same=pl.lit(False), event_at=pl.col("event_at") + pl.duration(days=1), evidence=pl.lit("back")
    )
    return pl.concat([pairs, back]).with_columns(
        left_id=pl.min_horizontal("one", "other"), right_id=pl.max_horizontal("one", "other")
    )
