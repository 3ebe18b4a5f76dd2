"""Which columns a column is made of: declared once, for people who follow a number back by name.

What a table's rows were made of, hash by hash, is in the commit ledger; this says which columns to look at. A column is
named as `<table>.<column>`; `scrapes.*` are all sources that the day asked. What is declared of a table of the same
stage is followed back to what the stage was given. A column that is not listed is made here: counted, numbered,
drawn by lot, or a setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

Declared = Mapping[str, tuple[str, ...]]

_CORPUS = re.compile(r"corpora\.[a-z0-9_]+")


def _same(table: str, *columns: str) -> dict[str, tuple[str, ...]]:
    """Columns that are carried over under their own names."""
    return {column: (f"{table}.{column}",) for column in columns}


def _all(columns: str, *sources: str) -> dict[str, tuple[str, ...]]:
    """Several columns (separated by spaces) that are made of the same ones."""
    return dict.fromkeys(columns.split(), sources)


def _read(*columns: str) -> dict[str, tuple[str, ...]]:
    """Columns that are read out of raw bodies, and what says when and by which body."""
    return {
        **_all(" ".join(columns), "scrapes.*.body"),
        "event_at": ("scrapes.*.body",),
        "observed_at": ("scrapes.*.fetched_at",),
        "raw_sha256": ("scrapes.*.body_sha256",),
    }


_IDENTITY = ("traces.identities.left_id", "traces.identities.right_id", "traces.identities.same")
"""What says which identifier stands for a work."""
_STANDING = ("citations.nodes.node_id", "citations.aliases.node_id")
_LINKS = ("citations.edges.source", "citations.edges.target", "citations.edges.relation", "citations.edges.weight")
_RANK = (*_LINKS, "citations.nodes.created_at")
_GUARD = (*_RANK, "citations.nodes.owner", "traces.claims.subject", "traces.claims.proof")
_FIELD = ("traces.works.fields", "traces.works.tags", "traces.works.topics")
_PEOPLE = ("traces.people.orcid", "traces.people.account", "traces.people.work_id", "traces.people.position")
_REGISTER = ("traces.claims.person_id", "traces.claims.subject", "traces.claims.proof")
_SHARES = ("traces.contributions.contributor", "traces.contributions.amount")
_MERIT = ("influence.scores.guarded_inflow", "influence.scores.integrative_potential", *_LINKS, *_SHARES)
_TREE = ("genome.ecosystem.mirror", "genome.ecosystem.commit")
_WORK = ("genome.ecosystem.url", "genome.ecosystem.repo", "traces.texts.work_id", "citations.aliases.node_id")
_ORGANISMS = ("citations.nodes.node_id", *_PEOPLE, *_REGISTER)

_HUB = (
    "kind", "title", "description", "latitude", "longitude", "area", "coarsened_km", "place", "practices", "capacity",
    "languages", "license", "contact", "consent_by", "consent_at", "soil", "climate", "method", "since",
)  # fmt: skip
_WANTED = ("hubs.posts.amount", "hubs.posts.received")
_NEAR = tuple(f"hubs.posts.{name}" for name in ("latitude", "longitude", "most_km", "from_at", "until_at", "by_post"))

LINEAGE: Mapping[str, Declared] = {
    "traces.works": {
        **_read(
            "work_id", "kind", "event", "title", "created_at", "version", "status", "license", "owner", "native_id",
            "url", "fields", "tags",
        ),
        "topics": ("scrapes.*.body", "scrapes.*.topic"),
    },
    "traces.references": _read("source_id", "target_id", "relation", "evidence"),
    "traces.metrics": _read("work_id", "metric", "value"),
    "traces.people": _read("work_id", "role", "position", "name", "orcid", "account"),
    "traces.identities": _read("left_id", "right_id", "same", "evidence"),
    "traces.claims": _read("person_id", "subject", "name", "proof"),
    "traces.payouts": _read("subject", "channel", "address", "evidence"),
    "traces.optouts": _read("scope", "subject", "reason"),
    "traces.contributions": _read("work_id", "contributor", "basis", "amount", "is_bot", "evidence"),
    "traces.texts": _read("work_id", "kind", "license", "sha256", "text"),
    "traces.rejects": _read("locator", "reason"),
    "citations.nodes": {
        "node_id": ("traces.works.work_id", "traces.references.source_id", "traces.references.target_id", *_IDENTITY),
        "is_stub": ("traces.works.work_id",),
        **_same("traces.works", "kind", "title", "owner", "created_at"),
        "event_at": ("traces.works.created_at", "traces.references.event_at"),
    },
    "citations.aliases": {"id": _IDENTITY, "node_id": (*_IDENTITY, "traces.works.created_at")},
    "citations.resolutions": {
        **_all("node_id resolved_id", "citations.nodes.node_id"),
        "was_stub": ("citations.nodes.is_stub",),
        "resolved_created_at": ("traces.works.created_at",),
        **_same("traces.works", "kind", "title"),
    },
    "citations.edges": {
        "source": ("traces.references.source_id", *_IDENTITY),
        "target": ("traces.references.target_id", *_IDENTITY),
        **_all("source_node target_node", "citations.nodes.node_id"),
        **_all(
            "own weight", "traces.references.source_id", "traces.references.target_id", "traces.works.owner",
            "traces.people.name", "traces.people.orcid", "traces.people.account",
        ),
        "target_is_stub": ("traces.references.target_id", "traces.works.work_id"),
        **_same("traces.references", "relation", "event_at", "evidence", "observed_at", "raw_sha256"),
    },
    "citations.quarantine": {
        "source": ("traces.references.source_id", *_IDENTITY),
        "target": ("traces.references.target_id", *_IDENTITY),
        "reason": ("traces.works.created_at", "traces.references.event_at"),
        "target_created_at": ("traces.works.created_at",),
        **_same("traces.references", "relation", "event_at", "evidence", "observed_at", "raw_sha256"),
    },
    "influence.scores": {
        "node_id": _STANDING,
        **_all("influence inflow", *_RANK),
        **_all("guarded_influence guarded_inflow", *_GUARD),
        **_all("rescaled_influence traffic cd_index", *_RANK),
        **_all("in_degree citations betweenness", *_LINKS),
        "field": _FIELD,
        **_all(
            "neighbours_in neighbours_out delta_in delta_out fields_in fields_out integrative_potential",
            *_LINKS, *_FIELD,
        ),
    },
    "influence.fields": {
        **_all("field other", *_FIELD),
        "distance": (*_LINKS, *_FIELD),
    },
    "influence.chambers": {
        **_all("size links density conductance modularity event origins jaccard", *_LINKS),
        "leading_works": ("influence.scores.node_id", "influence.scores.influence"),
        "leading_terms": ("citations.nodes.title",),
    },
    "influence.lattice": {
        "node_id": _STANDING,
        **_all("chamber_id core_number persistence is_crystalline", *_LINKS),
    },
    "influence.bonds": {
        **_all("work_id other_id", "citations.edges.source", "citations.edges.target"),
        **_all("together persistence", *_LINKS),
    },
    "influence.people": {
        "person_id": _PEOPLE,
        "name": ("traces.people.name",),
        "works": ("citations.nodes.node_id", *_PEOPLE),
        "influence": ("influence.scores.influence", *_PEOPLE),
        "inflow": ("influence.scores.inflow", *_PEOPLE),
        "guarded_inflow": ("influence.scores.guarded_inflow", *_PEOPLE),
    },
    "rewards.eligibility": {
        "person_id": (*_PEOPLE, *_REGISTER, "traces.contributions.contributor"),
        "subject": ("traces.optouts.subject", "citations.nodes.node_id", *_REGISTER),
        "owner": ("citations.nodes.owner",),
        "name": ("traces.people.name", "traces.claims.name"),
        "is_verified": _REGISTER,
        "held": ("traces.works.status", "traces.works.license", "traces.optouts.subject", *_REGISTER),
        "works": ("citations.nodes.node_id", *_SHARES),
        "merit": _MERIT,
    },
    "rewards.rounds": {
        **_all("receipts escrow reserve floor recipients gini top_10_share", "rewards.allocations.amount"),
        "owners": ("rewards.eligibility.owner", "rewards.eligibility.merit"),
    },
    "rewards.allocations": {
        **_same("rewards.eligibility", "person_id", "name", "merit"),
        **_all("amount receipt is_capped is_dropped", "rewards.eligibility.merit"),
        **_all("held", "rewards.eligibility.merit", "rewards.eligibility.held"),
        "floor": ("rewards.eligibility.is_verified",),
    },
    "rewards.receipts": {
        "person_id": ("rewards.allocations.person_id",),
        "amount": ("rewards.allocations.receipt",),
    },
    "rewards.escrow": {
        "person_id": ("rewards.allocations.person_id",),
        **_same("rewards.eligibility", "subject", "held"),
        "amount": ("rewards.allocations.held",),
        "released_to": _REGISTER,
    },
    "rewards.explanations": {
        "person_id": ("rewards.allocations.person_id",),
        **_all("work_id via", "citations.edges.source", "citations.edges.target"),
        "relation": ("citations.edges.relation",),
        "amount": ("rewards.allocations.receipt", *_LINKS),
    },
    "rewards.alerts": {
        "members": ("citations.nodes.owner", "traces.people.name", "traces.people.orcid"),
        "works": ("citations.nodes.node_id",),
        **_all("kind score reason", *_LINKS),
    },
    "genome.ecosystem": {
        **_all("repo url listed_in", "traces.works.work_id", "traces.works.owner", "traces.works.tags",
               "influence.scores.node_id", "influence.scores.influence"),
    },
    "genome.repositories": {
        **_same("genome.ecosystem", "repo"),
        **_all("status commit tree swhid committed_at license files packed bytes text_bytes tokens", *_TREE),
        "why": ("genome.ecosystem.error", *_TREE),
    },
    "genome.audits": {
        **_same("genome.ecosystem", "repo"),
        **_all("status checked differing differences", *_TREE),
    },
    "genome.files": {
        **_same("genome.ecosystem", "repo"),
        **_all(
            "path within mode reason git_id swhid size sha256 charset stripped language licence_kind license target "
            "offset length text_sha256 leaf tokens text", *_TREE,
        ),
    },
    "genome.manifest": {
        "root": ("genome.files.leaf",),
        **_all("pack pack_sha256 pack_bytes manifest_sha256", "genome.files.text"),
        **_all("repositories left_out", "genome.repositories.status"),
        **_all("files packed reasons", "genome.files.reason"),
        "bytes": ("genome.files.size",),
        "text_bytes": ("genome.files.text",),
        "tokens": ("genome.files.tokens",),
    },
    "genome.changes": {
        **_same("genome.files", "repo", "path"),
        **_all("change before_id after_id", "genome.files.git_id"),
        **_all("before after", "genome.files.size"),
        **_all("lines_added lines_removed diff", "genome.files.text"),
    },
    "corpora.documents": {
        "doc_id": ("genome.files.repo", "genome.files.path", "traces.texts.work_id", "traces.texts.kind"),
        "work_id": _WORK,
        **_same("genome.files", "repo", "path", "language", "leaf"),
        "kind": ("genome.files.path", "traces.texts.kind"),
        **_all("license license_from", "genome.files.license", "genome.repositories.license", "traces.texts.license",
               "traces.works.license"),
        "influence": ("influence.scores.influence",),
        "chamber_id": ("influence.lattice.chamber_id",),
        "event_at": ("genome.repositories.committed_at", "traces.texts.event_at"),
        **_all("flags replaced tokens text_sha256", "genome.files.text", "traces.texts.text"),
        "source_sha256": ("genome.files.text_sha256", "traces.texts.sha256"),
        "raw_sha256": ("traces.texts.raw_sha256",),
        **_all(
            "rule detail", "genome.files.text", "traces.texts.text", "corpora.documents.license",
            "corpora.documents.influence", "traces.works.status", "traces.optouts.subject", "traces.people.account",
            "traces.claims.subject",
        ),
        "split": ("corpora.documents.work_id",),
    },
    "corpora.duplicates": {
        **_all("doc_id other_id", "corpora.documents.doc_id"),
        "jaccard": ("genome.files.text", "traces.texts.text"),
    },
    "corpora.losses": {
        **_same("corpora.documents", "repo", "kind"),
        **_all("documents documents_out", "corpora.documents.rule"),
        **_all("tokens tokens_out", "corpora.documents.tokens"),
    },
    "corpora.releases": {
        **_same("corpora.contracts", "contract_hash"),
        "genome_root": ("genome.manifest.root",),
        "status": ("corpora.contracts.is_in_force",),
        **_all("candidates documents", "corpora.documents.doc_id"),
        **_all("sequences train_tokens shortfall validation_tokens test_tokens", "corpora.documents.tokens"),
    },
    "corpora.chrysalides": {
        "release_digest": ("corpora.releases.digest",),
        **_same("corpora.releases", "blueprint", "model_id", "model_revision", "contract_hash", "genome_root"),
    },
    "hubs.packages": {
        **_read("hub_id", "version", *_HUB),
    },
    "hubs.datasets": _read(
        "hub_id", "resource", "role", "format", "title", "path", "rows", "refused", "bytes", "sha256", "is_checked",
        "method",
    ),
    "hubs.measurements": _read(
        "hub_id", "resource", "row", "quantity", "value", "unit", "given", "given_unit", "taken_at", "latitude",
        "longitude", "people",
    ),
    "hubs.outcomes": _read(
        "hub_id", "row", "practice", "quantity", "better", "before", "after", "unit", "given_unit", "sd_before",
        "sd_after", "n_before", "n_after", "people", "from_at", "until_at", "method", "soil", "climate",
    ),
    "hubs.posts": _read(
        "hub_id", "side", "post_id", "kind", "item", "amount", "received", "unit", "given", "from_at", "until_at",
        "latitude", "longitude", "most_km", "by_post", "priority",
    ),
    "hubs.rejects": _read("hub_id", "resource", "row", "column", "found", "expected", "example"),
    "hubs.observations": _read(
        "hub_id", "source", "variable", "native_id", "value", "unit", "distance_km", "label", "license", "url",
    ),
    "hubs.registry": {
        **_same("hubs.packages", "hub_id", "version", *_HUB),
        "published_at": ("hubs.packages.event_at",),
        "versions": ("hubs.packages.event_at",),
        "datasets": ("hubs.datasets.resource",),
        "measurements": ("hubs.measurements.value",),
        **_all("needs offers", "hubs.posts.post_id", "hubs.posts.until_at"),
    },
    "hubs.strategies": {
        **_same("hubs.outcomes", "practice", "quantity", "better", "unit"),
        **_all("hubs hub_ids cases", "hubs.outcomes.hub_id"),
        **_all("hubs_better hubs_worse measure", "hubs.outcomes.before", "hubs.outcomes.after"),
        **_all(
            "effect low high tau i2 prediction_low prediction_high verdict why", "hubs.outcomes.before",
            "hubs.outcomes.after", "hubs.outcomes.sd_before", "hubs.outcomes.sd_after", "hubs.outcomes.n_before",
            "hubs.outcomes.n_after",
        ),
        "comparable": ("hubs.outcomes.soil", "hubs.outcomes.climate", "hubs.outcomes.method"),
        "evidence": ("hubs.outcomes.raw_sha256",),
    },
    "hubs.markets": {
        **_same("hubs.posts", "kind", "item", "unit"),
        **_all("needs offers", "hubs.posts.post_id"),
        **_all("wanted offered", *_WANTED),
        **_all("matched gini objective bound", *_WANTED, "hubs.posts.priority", *_NEAR),
        "pairs": _NEAR,
    },
    "hubs.matches": {
        **_all("need_hub offer_hub", "hubs.posts.hub_id"),
        **_all("need_id offer_id", "hubs.posts.post_id"),
        **_same("hubs.posts", "kind", "item", "unit", "by_post", "from_at", "until_at", "priority"),
        "amount": _WANTED,
        "distance_km": ("hubs.posts.latitude", "hubs.posts.longitude"),
    },
    "hubs.unmatched": {
        "hub_id": ("hubs.posts.hub_id",),
        "need_id": ("hubs.posts.post_id",),
        **_same("hubs.posts", "kind", "item", "unit", "until_at", "priority"),
        **_all("wanted missing", *_WANTED),
        **_all("reason why", "hubs.posts.item", *_NEAR),
    },
    "swarm.organisms": {
        "organism_id": _ORGANISMS,
        "kind": ("citations.nodes.kind",),
        "label": ("citations.nodes.title", "traces.people.name", "traces.claims.name"),
        "works": ("citations.nodes.node_id",),
        **_all("community_id community", "influence.lattice.chamber_id"),
        "age": ("citations.nodes.created_at",),
        "blessed": ("influence.scores.integrative_potential",),
        "lf_milli": ("rewards.allocations.amount",),
        "influence": ("influence.scores.influence",),
    },
    "swarm.cells": {
        "organism_id": ("swarm.organisms.organism_id",),
        "pattern": ("citations.nodes.title", "traces.works.tags"),
        **_all("version_id weight k n verifications", *_LINKS),
    },
    "swarm.versions": {
        "pattern": ("citations.nodes.title", "traces.works.tags"),
        "version_id": _LINKS,
        "title": ("citations.nodes.title",),
        "is_withdrawn": ("traces.works.status",),
        "evidence_for": (*_LINKS, "citations.nodes.owner", *_PEOPLE),
        "evidence_against": ("traces.works.status",),
    },
    "swarm.decision_markers": {
        **_all("teacher_id student_id", "swarm.organisms.organism_id"),
        **_all("teacher_version student_version", "swarm.versions.version_id"),
        "pattern": ("swarm.versions.pattern",),
    },
    "swarm.clasps": _all("teacher_id student_id", "swarm.organisms.organism_id"),
    "swarm.blend_predictions": {"pattern": ("swarm.versions.pattern",)},
    "swarm.review_queue": {"pattern": ("swarm.versions.pattern",)},
}  # fmt: skip
"""By table: column to what it is made of."""

_OF_A_CORPUS: Declared = {
    "documents": ("corpora.documents.doc_id",),
    **_all("input_ids loss_mask seq_lengths", "genome.files.text", "traces.texts.text"),
    "split": ("corpora.documents.split",),
}


def declared(table: str) -> Declared:
    """What is declared of `table`; of a blueprint's corpus what holds for all of them."""
    if table in LINEAGE:
        return LINEAGE[table]
    from coevo_pipelines.lake import schemas

    return _OF_A_CORPUS if table not in schemas.TABLES and _CORPUS.fullmatch(table) else {}


def sources(table: str, parents: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By column of `table`: the columns of its `parents` (tables) that it is made of, sorted."""
    known = sorted(parents)
    return {column: tuple(sorted(set(_followed(table, column, known, ())))) for column in declared(table)}


def _followed(table: str, column: str, parents: list[str], seen: tuple[str, ...]) -> Iterator[str]:
    for named in declared(table).get(column, ()):
        stage, name, source = named.split(".")
        if name == "*":
            yield from (f"{parent}.{source}" for parent in parents if parent.startswith(f"{stage}."))
        elif f"{stage}.{name}" in parents:
            yield named
        elif named not in seen:
            yield from _followed(f"{stage}.{name}", source, parents, (*seen, named))
