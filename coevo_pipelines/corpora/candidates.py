"""The documents of a day that a corpus can be made of: files of the genome, and texts of the traces.

Each belongs to a work (`work_id`), by which it gets influence, chamber, topics and people, and by which corpora are
split. A file's work is its repository: `github:owner/name` or `hf:<kind>/owner/name` where its address is there, else
`git:<name>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from coevo_pipelines.corpora.cleaning.licensing import effective, of_header
from coevo_pipelines.genome.ecosystem import address
from coevo_pipelines.lake import schemas
from coevo_pipelines.rewards.persons import register

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = (
    "doc_id", "work_id", "repo", "path", "kind", "language", "license", "license_from", "influence", "chamber_id",
    "topics", "title", "owner", "url", "status", "opted_out", "event_at", "version", "is_current", "place",
    "source_sha256", "leaf", "raw_sha256", "text",
)  # fmt: skip

UNTOLD = "LicenseRef-unknown"
"""What a licence file says whose text is none of the well-known ones."""


@dataclass(frozen=True)
class Known:
    """What a day's documents are made from: tables of the lake, with their column `date` where they reach back."""

    day: date
    files: pl.LazyFrame
    """`genome.files` of the day."""
    earlier: pl.LazyFrame | None
    """`genome.files` of the days before, where a blueprint asks for versions."""
    repositories: pl.DataFrame
    """`genome.repositories` up to the day."""
    ecosystem: pl.DataFrame
    """`genome.ecosystem` of the day."""
    texts: pl.LazyFrame
    """`traces.texts` up to the day."""
    works: pl.LazyFrame
    """`traces.works` up to the day."""
    people: pl.LazyFrame
    """`traces.people` up to the day."""
    aliases: pl.DataFrame
    """(id, canonical)."""
    scores: pl.DataFrame
    """`influence.scores` of the day."""
    lattice: pl.DataFrame
    """`influence.lattice` of the day."""
    claims: pl.DataFrame
    optouts: pl.DataFrame
    """`traces.claims` and `.optouts` of the day."""


def candidates(known: Known, works: pl.DataFrame) -> pl.DataFrame:
    """One row a document, in order of doc_id: columns `_COLUMNS`, kind null for files (`paths.classify`). `works`:
    `works_of`."""
    found = pl.concat([_files(known), _texts(known)], how="diagonal_relaxed")
    joined = found.join(works, "work_id", how="left").with_columns(
        pl.col("influence").fill_null(0.0),
        pl.col("topics").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        pl.col("title").fill_null(pl.coalesce("repo", "work_id")),
        pl.col("opted_out").fill_null(False),
    )
    licenses = [
        effective(own, repository, source)
        for own, repository, source in joined.select(
            "own_license", "repo_license", pl.coalesce("text_license", "source_license")
        ).iter_rows()
    ]
    return (
        joined.with_columns(
            pl.Series("license", [each[0] for each in licenses], dtype=pl.String),
            pl.Series("license_from", [each[1] or "none" for each in licenses], dtype=pl.String),
        )
        .select(_COLUMNS)
        .sort("doc_id")
    )


def works_of(known: Known) -> pl.DataFrame:
    """Each work as of the day, under the identifier that stands for it: title, owner, url, status, license, topics,
    influence, chamber, whether it or one of its people opted out."""
    last = (
        known.works.sort("date", "event_at", "source", "work_id")
        .with_columns(
            # What each source says now: a licence that it no longer names is none, and what one source withdrew is
            # withdrawn, as is what it shows nobody any more, though others that know the work by another name say
            # nothing of it.
            source_license=pl.col("license").last().over("work_id", "source"),
            gone=pl.col("status").last().over("work_id", "source").is_in(schemas.NOT_PUBLIC),
        )
        .select("work_id", "title", "owner", "url", "status", "topics", "source_license", "gone")
        .collect()
    )
    works = (
        _canonical(last, "work_id", known.aliases)
        .group_by("work_id", maintain_order=True)
        .agg(
            pl.col("title", "url").last(),
            pl.when(pl.col("gone").any()).then(pl.lit("withdrawn")).otherwise(pl.col("status").last()).alias("status"),
            pl.col("owner", "source_license").drop_nulls().last(),
            pl.col("topics").list.explode(keep_nulls=False, empty_as_null=False).unique().sort(),
        )
    )
    own = pl.DataFrame({"work_id": [*_work_ids(known).values()]}, schema={"work_id": pl.String})
    works = pl.concat([works, _canonical(own, "work_id", known.aliases).unique().join(works, "work_id", how="anti")],
                      how="diagonal")  # fmt: skip
    # A repository of the genome may be one that no source told of: whose it is stands in its name.
    github = "github:" + pl.col("work_id").str.extract(r"^github:([^/]+)/")
    hub = "hf:" + pl.col("work_id").str.extract(r"^hf:[a-z]+/([^/]+)/")
    works = works.with_columns(pl.coalesce("owner", github, hub))
    scores = known.scores.select(work_id="node_id", influence="influence")
    chambers = known.lattice.select(work_id="node_id", chamber_id="chamber_id")
    return (
        works.with_columns(opted_out=_opted_out(works, known))
        .join(scores, "work_id", how="left")
        .join(chambers, "work_id", how="left")
        .sort("work_id")
    )


def _files(known: Known) -> pl.DataFrame:
    """Files of the day, and where asked for what they were before."""
    now = known.files.filter(pl.col("text").is_not_null()).select(
        "place", "repo", "path", "language", "leaf", "text", own_license="license",
        source_sha256="text_sha256", date=pl.lit(known.day), is_current=pl.lit(True),
    ).collect()  # fmt: skip
    found = now if known.earlier is None else pl.concat([now, _versions(now, known.earlier)], how="diagonal_relaxed")
    committed = known.repositories.select("date", "repo", event_at="committed_at", repo_license="license")
    joined = found.join(committed, ["date", "repo"], how="left", maintain_order="left").with_columns(
        repo_license=pl.coalesce(_nearest_license(found, known.files), "repo_license")
    )
    names = _work_ids(known)
    return _canonical(
        joined.with_columns(
            # `/@`: where a file is today no folder is, so no other file has such an id.
            doc_id=pl.col("repo") + ":" + pl.col("path")
            + pl.when("is_current").then(pl.lit("")).otherwise("/@" + pl.col("date").cast(pl.String)),
            work_id=pl.col("repo").replace_strict(names, default=None, return_dtype=pl.String).fill_null(
                "git:" + pl.col("repo")
            ),
            version=pl.coalesce(pl.col("event_at").dt.date(), pl.col("date")).cast(pl.String),
            kind=pl.lit(None, pl.String),
            raw_sha256=pl.lit(None, pl.String),
            own_license=pl.coalesce("own_license", _headers(joined)),
        ).drop("date"),
        "work_id",
        known.aliases,
    )  # fmt: skip


def _headers(files: pl.DataFrame) -> pl.Series:
    """What files say of their licence that the genome, which takes nothing uncertain, has not."""
    open_ = files["own_license"].is_null() & files["text"].str.head(4096).str.contains(
        r"(?i)spdx-license-identifier:|(?:General|Mozilla)[\s*#/;%!-]{1,9}Public"
    )
    said = [of_header(text) if look else None for text, look in zip(files["text"], open_, strict=True)]
    return pl.Series("own_license", said, dtype=pl.String)


def _nearest_license(files: pl.DataFrame, known: pl.LazyFrame) -> pl.Series:
    """Of each file what the licence file says that is nearest above it, below the root: a folder of another project
    keeps that one's licence, also one that nobody can tell. Of several in one folder all hold."""
    own = known.filter(pl.col("licence_kind") == "licence").select("repo", "path", pl.col("license").fill_null(UNTOLD))
    held: dict[tuple[str, str], set[str]] = {}
    for repo, path, license_ in own.collect().iter_rows():
        if folder := path.rpartition("/")[0]:
            held.setdefault((repo, folder), set()).add(license_)

    def nearest(repo: str, path: str) -> str | None:
        while path := path.rpartition("/")[0]:
            if found := held.get((repo, path)):
                return " AND ".join(f"({each})" for each in sorted(found)) if len(found) > 1 else min(found)
        return None

    found = [nearest(*each) if held else None for each in files.select("repo", "path").iter_rows()]
    return pl.Series("nearest", found, dtype=pl.String)


def _versions(now: pl.DataFrame, earlier: pl.LazyFrame) -> pl.DataFrame:
    """Other texts that the files of `now` had on days before, each as it was first seen."""
    seen = earlier.filter(pl.col("text_sha256").is_not_null()).select(
        "date", "place", "repo", "path", "language", "leaf", own_license="license",
        source_sha256="text_sha256",
    )  # fmt: skip
    first = seen.collect().sort("date").unique(["repo", "path", "source_sha256"], keep="first", maintain_order=True)
    paths = now.select("repo", "path").unique()
    older = first.join(paths, ["repo", "path"], how="semi").join(now, ["repo", "path", "source_sha256"], how="anti")
    # The texts themselves are read only of these: the days before repeat nearly all of them. Copied (+ ""), because a
    # view of one keeps all the texts that were read with it: 20 days of 50 MB took 1 GB, and take 0.4.
    key = ["date", "repo", "path"]
    texts = (
        earlier.select(*key, "text").join(older.lazy().select(key), key, how="semi").with_columns(pl.col("text") + "")
    )
    return older.join(texts.collect(engine="streaming"), key).with_columns(is_current=pl.lit(False))


def _texts(known: Known) -> pl.DataFrame:
    """The last text of each kind that each work had by the day's end."""
    last = (
        known.texts.sort("date", "event_at", "source", "work_id")
        .select("work_id", "kind", "event_at", "raw_sha256", "text", text_license="license", source_sha256="sha256")
        .collect()
    )
    found = _canonical(last, "work_id", known.aliases).group_by("work_id", "kind", maintain_order=True).last()
    return found.with_columns(
        doc_id=pl.col("work_id") + "#" + pl.col("kind"),
        version=pl.col("event_at").dt.date().cast(pl.String),
        is_current=pl.lit(True),
    )


def _work_ids(known: Known) -> dict[str, str]:
    """The work of each repository, by its name in the genome."""
    return {repo: work_of(repo, address(url)) for repo, url in known.ecosystem.select("repo", "url").iter_rows()}


def work_of(repo: str, place: str) -> str:
    """The work that a repository of the genome is, by its name there and its address (`genome.ecosystem.address`)."""
    host, *parts = place.split("/")
    if host == "github.com" and len(parts) == 2:
        return f"github:{'/'.join(parts)}"
    kind = {"datasets": "dataset", "spaces": "space"}.get(parts[0], "model") if parts else ""
    if host == "huggingface.co" and len(parts) == (2 if kind == "model" else 3):
        return f"hf:{kind}/{'/'.join(parts[-2:])}"
    return f"git:{repo}"


def _opted_out(works: pl.DataFrame, known: Known) -> pl.Series:
    """Whether the work, its owner, or one of its authors or owners asked to be left out."""
    out = register(known.claims, known.optouts, known.aliases)
    people = _canonical(
        known.people.select("work_id", "position", "orcid", "account").collect(), "work_id", known.aliases
    )
    names = pl.concat(
        [
            people.select("work_id", key=pl.col("account").str.to_lowercase()),
            works.select("work_id", key=pl.col("owner").str.to_lowercase()),
            people.select("work_id", key="orcid:" + pl.col("orcid")),
            people.select("work_id", key=pl.col("work_id") + "#" + pl.col("position").cast(pl.String)),
        ]
    ).drop_nulls()
    mine = out.claims.filter(pl.col("claimants") == 1).select("key", "person_id")
    gone = pl.concat(
        [out.out, mine.join(out.out, left_on="person_id", right_on="key", how="semi").select("key")]
    )["key"].str.to_lowercase()  # fmt: skip
    by_people = names.filter(pl.col("key").str.to_lowercase().is_in(gone.implode()))["work_id"].unique()
    owner_out = pl.col("owner").str.to_lowercase().is_in(out.owners_out["key"].implode()).fill_null(False)
    return works.select(
        opted_out=pl.col("work_id").str.to_lowercase().is_in(sorted(map(str.lower, out.works_out)))
        | owner_out
        | pl.col("work_id").is_in(by_people.implode())
    )["opted_out"]


def _canonical(frame: pl.DataFrame, column: str, aliases: pl.DataFrame) -> pl.DataFrame:
    """`frame` with what stands for its identifiers today."""
    stands = aliases.select(pl.col("id").alias(column), "canonical")
    joined = frame.join(stands, column, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("canonical", column).alias(column)).drop("canonical")


def people_of(known: Known, work_ids: Sequence[str]) -> pl.DataFrame:
    """(work_id, people): names of the people of these works, for the attribution."""
    people = _canonical(
        known.people.filter(pl.col("name").is_not_null() | pl.col("account").is_not_null())
        .select("work_id", "position", "event_at", name=pl.coalesce("name", "account")).collect(),
        "work_id",
        known.aliases,
    )  # fmt: skip
    own = people.filter(pl.col("work_id").is_in(list(work_ids))).sort("work_id", "event_at", "position", "name")
    return own.group_by("work_id", maintain_order=True).agg(people=pl.col("name").unique(maintain_order=True))


def commits_of(known: Known) -> pl.DataFrame:
    """(work_id, commit, repo_license) of the repositories packed on the day."""
    own = known.repositories.filter(pl.col("date") == known.day, pl.col("status") == "packed")
    names = _work_ids(known)
    rows = own.select("commit", work_id=pl.col("repo").replace_strict(names, default=None, return_dtype=pl.String),
                      repo_license="license")  # fmt: skip
    return (
        _canonical(rows.drop_nulls("work_id"), "work_id", known.aliases).unique("work_id", keep="first").sort("work_id")
    )
