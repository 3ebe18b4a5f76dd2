"""Which texts of a day are kept: of no work that is opted out, and only under a licence that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from coevo_pipelines.scrapes.consent import consent_of

if TYPE_CHECKING:
    import polars as pl

Texts = Literal["all", "licensed", "free"]


def allowed(tables: Mapping[str, pl.DataFrame], wanted: Texts) -> tuple[pl.DataFrame, dict[str, int]]:
    """`traces.texts` of the day's tables less what may not be kept, and how many texts were left out by which rule."""
    texts = tables["traces.texts"]
    out = _opted_out(tables)
    licensed = _licensed(texts["license"], wanted)
    kept = texts.filter(~texts["work_id"].is_in(out) & licensed)
    opted_out = int(texts["work_id"].is_in(out).sum())
    return kept, {"opted_out": opted_out, "licence": texts.height - kept.height - opted_out}


def _opted_out(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Works with a text that are opted out at the day's end, by any name that the day's answers give them, also from
    one to the next: an article has the DOI that an arXiv paper says to have."""
    import polars as pl

    optouts, claims = tables["traces.optouts"], tables["traces.claims"]
    if not optouts.height or not tables["traces.texts"].height:
        return []
    proven = claims.filter(pl.col("proof").is_not_null()).select("person_id", "subject").rows()
    consent = consent_of(optouts.select("scope", "subject", "event_at").iter_rows(), proven)
    identities = tables["traces.identities"].filter("same")
    works, people = tables["traces.works"], tables["traces.people"]
    behind = pl.concat(
        [
            works.select("work_id", known="owner"),
            people.select("work_id", known="account"),
            people.select("work_id", known="orcid:" + pl.col("orcid")),
        ]
    ).filter(_is_in("known", consent.people))
    owned = works.filter(_is_in("owner", consent.owners))
    names = {*consent.works, *behind["work_id"].str.to_lowercase(), *owned["work_id"].str.to_lowercase()}
    pairs = identities.select(pl.col("left_id", "right_id").str.to_lowercase())
    while (
        more := {
            *pairs.filter(pairs["left_id"].is_in(sorted(names)))["right_id"],
            *pairs.filter(pairs["right_id"].is_in(sorted(names)))["left_id"],
        }
        - names
    ):
        names |= more
    told = tables["traces.texts"]["work_id"].unique()
    return told.filter(told.str.to_lowercase().is_in(sorted(names))).sort().to_list()


def _is_in(column: str, names: Mapping[str, object]) -> pl.Expr:
    import polars as pl

    return pl.col(column).str.to_lowercase().is_in(sorted(names)).fill_null(False)


def _licensed(licenses: pl.Series, wanted: Texts) -> pl.Series:
    """Whether each licence, in its source's words, is one that `wanted` asks for."""
    import polars as pl

    if wanted == "all":
        return pl.Series([True]).new_from_index(0, len(licenses))
    from coevo_pipelines.corpora.cleaning.licensing import evaluate, of_source

    verdicts = {}
    for given in licenses.unique().to_list():
        known = of_source(given)
        verdicts[given] = known is not None and known != "NONE" and (wanted == "licensed" or evaluate(known).allowed)
    return pl.Series([verdicts[given] for given in licenses.to_list()], dtype=pl.Boolean)
