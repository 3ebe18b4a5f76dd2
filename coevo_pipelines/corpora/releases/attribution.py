"""Whose works a release is made of: ATTRIBUTION.md, and the licence and notice files that must travel along.

MIT, BSD and Apache-2.0 (4c, 4d) ask for their texts and notices with every copy; Apache-2.0 (4b) and CC BY 4.0
(3.a.1.B) ask to say that the text was changed.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from coevo_pipelines.corpora.releases import card

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.corpora.releases.release import Release


def page(release: Release) -> str:
    """ATTRIBUTION.md: a row for each work with a document in the release, by work id."""
    import polars as pl

    used = release.documents.group_by("work_id").agg(
        pl.len().alias("documents"), pl.col("tokens").sum(), pl.col("license").unique().sort().alias("licenses")
    )
    works = release.works.unique("work_id", keep="first", maintain_order=True)
    rows = works.select("work_id", "title", "owner", "url", "commit", "people").join(used, on="work_id").sort("work_id")
    texts: dict[str, list[str]] = {}
    for each in _notices(release).iter_rows(named=True):
        name = _name(each)
        texts.setdefault(each["repo"], []).append(f"{card.escaped(each['path'])}: [{card.escaped(name)}]({name})")
    files = [(card.escaped(repo), "<br>".join(names)) for repo, names in sorted(texts.items())]
    return card.joined(
        f"# Attribution: {card.escaped(card.title(release))}",
        card.WORLDS.get(release.world, ""),
        "The works that this release is made of, and the people who are known to be behind them. Their texts were "
        "changed: secrets and personal data that were found are placeholders, outputs of notebooks are gone where they "
        "were not wanted, and all is cut into tokens. None of these people has endorsed the release.",
        card.table(
            ("work", "people", "licences of its documents", "address", "commit", "documents", "tokens"),
            [_row(each) for each in rows.iter_rows(named=True)],
        ),
        "## Licence and notice files" if files else "",
        card.table(("repository", "files"), files) if files else "",
        _without(release, set(texts)),
    )


def notices(release: Release) -> dict[str, bytes]:
    """Name in the release -> text, of the licence and notice files of repositories that have documents in it. Equal
    texts are one file."""
    return {_name(each): each["text"].encode() for each in _notices(release).iter_rows(named=True)}


def _notices(release: Release) -> pl.DataFrame:
    repos = release.documents["repo"].drop_nulls().unique()
    return release.notices.filter(release.notices["repo"].is_in(repos.implode())).sort("repo", "path")


def _name(notice: dict[str, Any]) -> str:
    """A name that any file system takes, whatever the repository calls the file."""
    kind = re.sub(r"[^A-Za-z0-9.+-]+", "-", notice["license"] or "notice").strip("-.")[:60]
    return f"LICENSES/{kind or 'notice'}-{hashlib.sha256(notice['text'].encode()).hexdigest()[:16]}.txt"


def _row(work: dict[str, Any]) -> tuple[object, ...]:
    people = [name for name in work["people"] or () if name]
    names = ", ".join(map(card.escaped, people)) or (card.escaped(work["owner"]) if work["owner"] else "not known")
    stated = [each or "not stated" for each in work["licenses"]]
    title = card.escaped(work["title"] or work["work_id"])
    if work["title"] not in (None, "", work["work_id"]):
        title += f" ({card.escaped(work['work_id'])})"
    return (
        title,
        names, card.escaped(", ".join(stated)), card.link(work["url"]), card.escaped(work["commit"] or ""),
        work["documents"], work["tokens"],
    )  # fmt: skip


def _without(release: Release, having: set[str]) -> str:
    lacking = sorted(set(release.documents["repo"].drop_nulls()) - having)
    if not lacking:
        return ""
    return (
        "Repositories without such a file: " + ", ".join(map(card.escaped, lacking)) + ". Their licence, where one is "
        "given above, is stated in their files or on their page."
    )
