"""Who is a person: claims put accounts, ORCID iDs and authorships together; opt-outs and works hold money back.

Nobody is merged by name. A claim counts with a proof; what two persons claim is disputed and belongs to neither
until one of them gives way. GitHub and Hugging Face accounts are the same in any case of letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

ROWS = {
    "person_id": pl.String,
    "subject": pl.String,
    "owner": pl.String,
    "name": pl.String,
    "is_verified": pl.Boolean,
    "held": pl.String,
    "works": pl.Int64,
    "merit": pl.Int64,
}
"""Columns of `eligibility`."""


@dataclass(frozen=True)
class Register:
    """Claims and opt-outs as they stand on a day, under the identifiers of the day's graph."""

    claims: pl.DataFrame
    """key (a folded subject that is claimed with proof), person_id, name, claimants (how many persons)."""
    people: pl.DataFrame
    """person_id, name, is_verified (an undisputed claim with a proof): one row a person of the register."""
    out: pl.DataFrame
    """key: folded identifiers of people who opted out."""
    owners_out: pl.DataFrame
    """key: folded accounts of owners who opted out."""
    works_out: frozenset[str]
    stands: pl.DataFrame
    """work, canonical: what stands for a work today."""


def register(claims: pl.DataFrame, optouts: pl.DataFrame, aliases: pl.DataFrame) -> Register:
    """claims: `traces.claims`, optouts: `traces.optouts` of the day; aliases: (id, canonical)."""
    stands = aliases.select(pl.col("id").alias("work"), "canonical")
    keyed = _canonical(claims, "subject", stands).with_columns(key=_key("subject"))
    # A claim without a proof neither counts nor disputes one that has one.
    proven = keyed.filter(pl.col("proof").is_not_null())
    joined = proven.group_by("key").agg(
        pl.col("person_id").min(),
        pl.col("name").drop_nulls().min(),
        claimants=pl.col("person_id").n_unique().cast(pl.Int64),
    )
    undisputed = pl.col("claimants") == 1
    verified = proven.join(joined.filter(undisputed).select("key"), "key", how="semi").select("person_id").unique()
    named = keyed.group_by("person_id").agg(pl.col("name").drop_nulls().min())
    people = named.join(verified.with_columns(is_verified=pl.lit(True)), "person_id", how="left")
    people = people.with_columns(pl.col("is_verified").fill_null(False))
    scoped = {scope: optouts.filter(pl.col("scope") == scope) for scope in ("person", "owner", "work")}
    out = _canonical(scoped["person"], "subject", stands).select(key=_key("subject"))
    # Whoever opts out under one name is out under all that he claims.
    all_names = out.join(joined.filter(undisputed), "key").select(key="person_id")
    works = _canonical_ids(scoped["work"]["subject"], stands)
    return Register(
        joined.sort("key"),
        people.sort("person_id"),
        pl.concat([out, all_names]).unique().sort("key"),
        scoped["owner"].select(key=_key("subject")).unique().sort("key"),
        frozenset(works.to_list()),
        stands,
    )


def held_works(works: pl.DataFrame, known: Register, licenses: Sequence[str] | None) -> pl.Series:
    """Why the part of a work is held back, (works,): null where it is not. works: node_id, owner, status, license."""
    owner_out = pl.col("owner").str.to_lowercase().is_in(known.owners_out["key"].implode())
    allowed = pl.lit(True) if licenses is None else pl.col("license").is_in(list(licenses)).fill_null(False)
    return works.select(
        held=pl.when(pl.col("status") == "withdrawn").then(pl.lit("retracted"))
        .when(~allowed).then(pl.lit("licence"))
        .when(pl.col("node_id").is_in(sorted(known.works_out))).then(pl.lit("work_opted_out"))
        .when(owner_out.fill_null(False)).then(pl.lit("owner_opted_out"))
    )["held"]  # fmt: skip


def identified(raw: pl.DataFrame, known: Register) -> pl.DataFrame:
    """`raw` (column person_id: as a source or an earlier day names a person) with what the register says: person_id of
    the claim (else as given, under today's name of the work and with accounts in small letters), is_verified, held
    (why the person is not paid; null when nothing speaks against it), claimed (name)."""
    keyed = _canonical(raw.rename({"person_id": "_raw"}), "_raw", known.stands).with_columns(key=_key("_raw"))
    claim = known.claims.select("key", "claimants", claimed="name", claimant="person_id")
    own = known.people.select(key="person_id", own_name="name", own_verified="is_verified")
    joined = keyed.join(claim, "key", how="left", maintain_order="left")
    joined = joined.join(own, "key", how="left", maintain_order="left")
    mine = pl.col("claimants") == 1
    person = pl.when(mine).then("claimant").otherwise("key")
    is_out = pl.col("key").is_in(known.out["key"].implode()) | person.is_in(known.out["key"].implode())
    verified = mine.fill_null(False) | pl.col("own_verified").fill_null(False)
    return joined.with_columns(
        person_id=person,
        claimed=pl.coalesce(pl.when(mine).then("claimed"), "own_name"),
        is_verified=verified,
        held=pl.when(is_out).then(pl.lit("opted_out"))
        .when(pl.col("claimants") > 1).then(pl.lit("disputed"))
        .when(verified).then(None)
        .when(pl.col("_raw").str.ends_with("#unknown")).then(pl.lit("unknown_person"))
        .otherwise(pl.lit("unverified")),
    ).drop("_raw", "key", "claimants", "claimant", "own_name", "own_verified")  # fmt: skip


def eligibility(parts: pl.DataFrame, known: Register) -> pl.DataFrame:
    """One row a person and what decides whether it is paid, columns `ROWS`, in order.

    parts: person_id (as sources name it), name, works (how many), merit (int64 grains) that the person has in them,
    work_held (why the works' part is held, or null) and then the work's node_id; owner (text, empty where owners have
    no limit). Verified people without
    merit are there too: they have a part in the floor. Others without merit are not.
    """
    subject = pl.when(pl.col("work_held").is_not_null()).then("node_id")
    rows = identified(parts.filter(pl.col("merit") > 0).with_columns(subject=subject), known).with_columns(
        name=pl.coalesce("claimed", "name"),
        subject=pl.coalesce("subject", "person_id"),
        held=pl.coalesce("work_held", "held"),
    )
    found = rows.group_by("person_id", "subject", "owner").agg(
        pl.col("name").min(),
        pl.col("is_verified").any(),
        pl.col("held").min(),
        pl.col("works").sum(),
        pl.col("merit").sum(),
    )
    return pl.concat([found.select(*ROWS), _without_merit(found, known)]).sort("person_id", "subject", "owner")


def _without_merit(found: pl.DataFrame, known: Register) -> pl.DataFrame:
    verified = known.people.filter("is_verified").select("person_id")
    rest = verified.join(found.filter(pl.col("subject") == pl.col("person_id")), "person_id", how="anti")
    return (
        identified(rest, known)
        .with_columns(
            subject="person_id", owner=pl.lit(""), name="claimed", works=pl.lit(0, pl.Int64), merit=pl.lit(0, pl.Int64)
        )
        .select(pl.col(name).cast(dtype) for name, dtype in ROWS.items())
    )


def _key(column: str) -> pl.Expr:
    """What is the same under any spelling: accounts ignore the case of letters, other identifiers do not."""
    text = pl.col(column)
    account = (text.str.starts_with("github:") | text.str.starts_with("hf:")) & ~text.str.contains("#", literal=True)
    return pl.when(account).then(text.str.to_lowercase()).otherwise(text)


def _canonical(frame: pl.DataFrame, column: str, stands: pl.DataFrame) -> pl.DataFrame:
    """An authorship (`<work>#<place>`) under the work's identifier of the day; anything else as it is."""
    if not frame[column].str.contains("#", literal=True).any():
        return frame
    split = frame.with_columns(
        work=pl.col(column).str.extract(r"^(.*)#[^#]*$", 1), place=pl.col(column).str.extract(r"^.*(#[^#]*)$", 1)
    )
    joined = split.join(stands, "work", how="left", maintain_order="left")
    moved = pl.coalesce("canonical", "work") + pl.col("place")
    return joined.with_columns(pl.coalesce(moved, column).alias(column)).drop("work", "place", "canonical")


def _canonical_ids(ids: pl.Series, stands: pl.DataFrame) -> pl.Series:
    joined = pl.DataFrame({"work": ids}, schema={"work": pl.String}).join(stands, "work", how="left")
    return joined.select(id=pl.coalesce("canonical", "work"))["id"]
