"""The relational core of the graph, as Ibis expressions: they run on any engine that Ibis speaks to.

Everything is *as of* a day: from facts of that day and earlier alone. Definitions:

- Identifiers joined by identity assertions (and not taken back) are one **cluster**. Its **representative**
  is the identifier of the work that appeared first; where one work has several, the most citable (arXiv, DOI,
  repository, Hub, …). So what comes later joins what was there, and representatives seldom change.
- A **node** is a representative; it is listed on the day on which it first is one. A **stub** is a node
  without a trace of the work itself.
- An **alias** says that from a day on an identifier has another representative than the day before.
- A **resolution** says that from a day on another node stands for an earlier one, or that a stub got its work.
- An **edge** is listed on the day of its first reference. Links within one work, owner or author set keep
  weight 0. A target that appeared more than 30 days after the reference is quarantined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import ibis
from ibis import _

QUARANTINE_DAYS = 30
_PREFERENCE = ("arxiv:", "doi:", "github:", "hf:", "pypi:", "openalex:")
_MOST_ROUNDS = 64

Table = Any
"""An Ibis table expression. Ibis tables carry their columns at run time only."""


class Engine(Protocol):
    """What is needed of the place where expressions run (see lake.engine)."""

    def keep(self, expression: Table) -> Table:
        """The expression computed once."""

    def count(self, expression: Table) -> int:
        """How many rows it has."""


@dataclass(frozen=True)
class Facts:
    """What is known by the end of `day`; each table has the partition `date`.

    works, references, people, identities: the `traces.*` tables up to the day. nodes, aliases, resolutions:
    the `citations.*` tables up to the day before.
    """

    day: date
    works: Table
    references: Table
    people: Table
    identities: Table
    nodes: Table
    aliases: Table
    resolutions: Table
    engine: Engine


def build(facts: Facts) -> Mapping[str, Table]:
    """The day's rows of `citations.nodes`, `.aliases`, `.resolutions`, `.edges` and `.quarantine`."""
    canonical = facts.engine.keep(representatives(facts))
    described = facts.engine.keep(described_works(facts.works, facts.people, canonical))
    linked = facts.engine.keep(first_references(facts, canonical))
    nodes = facts.engine.keep(new_nodes(facts, canonical, described))
    links = facts.engine.keep(weighed_links(facts, linked, nodes, described))
    return {
        "citations.nodes": nodes,
        "citations.aliases": new_aliases(facts.aliases, canonical),
        "citations.resolutions": new_resolutions(facts, canonical, described),
        "citations.edges": edges(links),
        "citations.quarantine": quarantine(links),
    }


def representatives(facts: Facts) -> Table:
    """(id, canonical) for every identifier that an identity assertion in force mentions."""
    pairs = facts.engine.keep(pairs_in_force(facts.identities))
    labels = facts.engine.keep(pairs.select(id=_.a, label=_.a).distinct())
    for _round in range(_MOST_ROUNDS):
        # Each identifier takes the smallest label among itself and its neighbours, until nothing changes.
        heard = pairs.join(labels, pairs.b == labels.id).group_by("a").agg(heard=_.label.min())
        spread = labels.left_join(heard, labels.id == heard.a).select(
            id=labels.id, before=labels.label, label=ibis.least(labels.label, heard.heard.fill_null(labels.label))
        )
        spread = facts.engine.keep(spread)
        changed = facts.engine.count(spread.filter(_.label != _.before))
        labels = spread.select("id", "label")
        if not changed:
            break
    else:
        raise RuntimeError(f"identity clusters longer than {_MOST_ROUNDS} links as of {facts.day}")
    appeared = facts.works.group_by("work_id").agg(created_at=_.created_at.min())
    # An identifier is as old as its own work; one without a trace, as the first work that asserts it.
    beside = pairs.join(appeared, pairs.b == appeared.work_id).select(work_id=_.a, created_at=_.created_at)
    beside = beside.anti_join(appeared, "work_id")
    oldest = appeared.union(beside).group_by("work_id").agg(created_at=_.created_at.min())
    ranked = labels.left_join(oldest, labels.id == oldest.work_id).select(
        "id", "label", "created_at", preference=_preference(labels.id)
    )
    first = ibis.row_number().over(group_by="label", order_by=[_.created_at.isnull(), _.created_at, _.preference, _.id])
    chosen = ranked.mutate(place=first).filter(_.place == 0).select("label", canonical=_.id)
    return labels.join(chosen, "label").select("id", "canonical")


def pairs_in_force(identities: Table) -> Table:
    """(a, b), both ways round, for each assertion whose latest word is that the two are the same."""
    latest = ibis.row_number().over(group_by=["left_id", "right_id"], order_by=[_.event_at.desc(), _.same, _.evidence])
    held = identities.mutate(place=latest).filter((_.place == 0) & _.same)
    forth = held.select(a=_.left_id, b=_.right_id)
    return forth.union(held.select(a=_.right_id, b=_.left_id))


def described_works(works: Table, people: Table, canonical: Table) -> Table:
    """One row a representative that has a trace: its own latest description, or else the latest of its aliases'.

    node_id; work_id and source of that description, and its kind, title, owner, status, license, fields, tags,
    topics; created_at of the first trace under any of its names; authors as in `author_sets`, null where the
    description has none.
    """
    key = ["work_id", "source", "event_at", "date"]
    described = works.select(*key, "raw_sha256", "created_at")  # no more: what a window sorts should be narrow
    described = with_canonical(described, canonical, "work_id", "node_id")
    place = ibis.row_number().over(
        group_by="node_id",
        order_by=[_.work_id != _.node_id, _.event_at.desc(), _.date.desc(), _.source, _.work_id, _.raw_sha256],
    )
    appeared = described.group_by("node_id").agg(appeared_at=_.created_at.min())
    best = described.mutate(place=place).filter(_.place == 0).select(*key, "node_id")
    best = works.join(best, key).join(appeared, "node_id")
    authors = author_sets(people)
    joined = best.left_join(authors, (best.work_id == authors.work_id) & (best.source == authors.source))
    return joined.select(
        "node_id", "work_id", "source", "kind", "title", "owner", "status", "license", "fields", "tags", "topics",
        created_at=best.appeared_at, authors=authors.authors,
    )  # fmt: skip


def author_sets(people: Table) -> Table:
    """(work_id, source, authors): the latest authors as one text that does not depend on their order."""
    authors = latest_lists(people.filter(_.role == "author"))
    named = authors.mutate(who=ibis.coalesce(_.orcid, folded(_.name), _.account)).filter(_.who.notnull())
    # Distinct rows first: Sail collects distinct values of many groups ten times slower.
    each = named.select("work_id", "source", "who").distinct().group_by(["work_id", "source"])
    return each.agg(who=_.who.collect()).select("work_id", "source", authors=_.who.sort().join("\n"))


def latest_lists(people: Table) -> Table:
    """The rows of `people` that belong to the latest list of their work, source and role."""
    whose = ["work_id", "source", "role"]
    lists = people.select(*whose, "date", "event_at").distinct()
    age = ibis.row_number().over(group_by=whose, order_by=[_.date.desc(), _.event_at.desc()])
    latest = lists.mutate(age=age).filter(_.age == 0)
    return people.semi_join(latest, [*whose, "date", "event_at"])


def folded(name: Any) -> Any:
    """The name in lower case. The dotted I and the sigma that ends a word have one that engines do not agree on."""
    return name.translate("\u0130", "i").lower().translate("ς", "σ")


def standing(aliases: Table) -> Table:
    """(id, canonical) for each identifier that ever was an alias: what the latest row says that stands for it."""
    latest = ibis.row_number().over(group_by="id", order_by=_.date.desc())
    return aliases.mutate(place=latest).filter(_.place == 0).select("id", canonical=_.node_id)


def new_aliases(aliases: Table, canonical: Table) -> Table:
    """(id, node_id) of the identifiers that something else stands for than the day before.

    An identifier without a row stands for itself, and so does one that is in no assertion in force.
    """
    before = standing(aliases).select("id", before=_.canonical)
    now = canonical.select("id", now=_.canonical)
    everyone = before.select("id").union(now.select("id"), distinct=True)
    joined = everyone.left_join(before, "id").select("id", before=ibis.coalesce(before.before, everyone.id))
    joined = joined.left_join(now, "id").select("id", before=joined.before, node_id=ibis.coalesce(now.now, joined.id))
    return joined.filter(_.node_id != _.before).drop("before")


def first_references(facts: Facts, canonical: Table) -> Table:
    """The first reference of each (source, target, relation) between representatives, if it is of the day."""
    key = ["citing", "cited", "relation"]
    today = facts.engine.keep(_between(facts.references.filter(_.date == facts.day), canonical))
    order = [_.event_at, _.source_id, _.target_id, _.evidence, _.source, _.raw_sha256]
    first = today.mutate(place=ibis.row_number().over(group_by=key, order_by=order)).filter(_.place == 0)
    # Of all earlier references only those under a name of the day's links: what they resolve to is then looked up
    # for these few.
    earlier = facts.references.filter(_.date < facts.day)
    earlier = earlier.semi_join(names(today.select(node_id="citing"), canonical), [("source_id", "id")])
    earlier = earlier.semi_join(names(today.select(node_id="cited"), canonical), [("target_id", "id")])
    return first.anti_join(_between(earlier, canonical), key).select(
        source="citing", target="cited", relation="relation",
        event_at="event_at", evidence="evidence", observed_at="observed_at", raw_sha256="raw_sha256",
    )  # fmt: skip


def new_nodes(facts: Facts, canonical: Table, described: Table) -> Table:
    """Representatives that no earlier day lists, numbered in order of event time."""
    named = (
        facts.works.select(id=_.work_id, event_at=_.created_at)
        .union(facts.references.select(id=_.source_id, event_at=_.event_at))
        .union(facts.references.select(id=_.target_id, event_at=_.event_at))
    )
    first = with_canonical(named, canonical, "id", "node_id").group_by("node_id").agg(event_at=_.event_at.min())
    new = first.anti_join(facts.nodes, "node_id")
    joined = new.left_join(described, "node_id").select(
        node_id=new.node_id,
        is_stub=described.node_id.isnull(),
        kind=described.kind,
        title=described.title,
        owner=described.owner,
        created_at=described.created_at,
        event_at=ibis.coalesce(described.created_at, new.event_at),
    )
    return numbered(facts, joined)


def numbered(facts: Facts, new: Table) -> Table:
    """The new nodes with `node`: the day's number times 2^32 plus their rank in order of event time and identifier.

    The rank is counted by date of the event and then added up over the dates: a window over all rows would bring
    the opening partition to one worker of a cluster.
    """
    dated = facts.engine.keep(new.mutate(event_date=_.event_at.date()))
    counts = dated.group_by("event_date").agg(count=_.count())
    before = ibis.cumulative_window(order_by="event_date")
    starts = counts.select("event_date", start=_["count"].sum().over(before) - _["count"])
    place = ibis.row_number().over(group_by="event_date", order_by=[_.event_at, _.node_id])
    joined = dated.mutate(place=place).join(starts, "event_date")
    offset = (facts.day - date(1970, 1, 1)).days << 32
    return joined.mutate(node=(joined.place + joined.start).cast("int64") + offset).drop("event_date", "place", "start")


def new_resolutions(facts: Facts, canonical: Table, described: Table) -> Table:
    """Earlier nodes for which another node stands from the day on, and stubs that got their work."""
    latest = ibis.row_number().over(group_by="node_id", order_by=_.date.desc())
    before = facts.resolutions.mutate(place=latest).filter(_.place == 0)
    before = before.select("node_id", before=_.resolved_id, described_before=_.resolved_created_at.notnull())
    known = facts.nodes.select("node_id", was_stub=_.is_stub)
    known = known.left_join(before, "node_id").select(
        "node_id",
        was_stub=known.was_stub & ~before.described_before.fill_null(False),
        before=ibis.coalesce(before.before, known.node_id),
    )
    now = with_canonical(known, canonical, "node_id", "resolved_id")
    joined = now.left_join(described, now.resolved_id == described.node_id).select(
        node_id=now.node_id,
        resolved_id=now.resolved_id,
        before=now.before,
        was_stub=now.was_stub,
        resolved_created_at=described.created_at,
        kind=described.kind,
        title=described.title,
    )
    changed = (_.resolved_id != _.before) | (_.was_stub & _.resolved_created_at.notnull())
    return joined.filter(changed).drop("before")


def weighed_links(facts: Facts, linked: Table, nodes: Table, described: Table) -> Table:
    """The day's links with node numbers, what makes them their own work's, and the target's first day."""
    numbers = facts.nodes.select("node_id", "node").union(nodes.select("node_id", "node"))
    source_number, target_number = numbers.view(), numbers.view()
    citing, cited = described.view(), described.view()
    joined = (
        linked.join(source_number, linked.source == source_number.node_id)
        .join(target_number, linked.target == target_number.node_id)
        .left_join(citing, linked.source == citing.node_id)
        .left_join(cited, linked.target == cited.node_id)
    )
    return joined.select(
        source=linked.source,
        target=linked.target,
        relation=linked.relation,
        source_node=source_number.node,
        target_node=target_number.node,
        own=own_work(linked.source == linked.target, citing, cited),
        target_is_stub=cited.node_id.isnull(),
        target_created_at=cited.created_at,
        is_late=is_late(cited.created_at, linked.event_at),
        event_at=linked.event_at,
        evidence=linked.evidence,
        observed_at=linked.observed_at,
        raw_sha256=linked.raw_sha256,
    )


def own_work(is_loop: Any, citing: Table, cited: Table) -> Any:
    """Why a link is one within somebody's own work, or null; citing, cited: with `owner` and `authors`."""
    return ibis.cases(
        (is_loop, "self_loop"),
        (citing.owner == cited.owner, "same_owner"),
        (citing.authors == cited.authors, "same_authors"),
    )


def is_late(created_at: Any, event_at: Any) -> Any:
    """True where the target appeared too long after the link to be what it means; false where that is unknown."""
    return (created_at > event_at + ibis.interval(days=QUARANTINE_DAYS)).fill_null(False)


def edges(links: Table) -> Table:
    """The links that stand, with their weight."""
    return links.filter(~_.is_late).mutate(weight=_.own.isnull().cast("int64")).drop("is_late", "target_created_at")


def quarantine(links: Table) -> Table:
    """The links whose target is newer than a reference to it can be."""
    return (
        links.filter(_.is_late)
        .mutate(reason=ibis.literal("target_newer_than_source"))
        .select(
            "source", "target", "relation", "reason", "target_created_at",
            "event_at", "evidence", "observed_at", "raw_sha256",
        )
    )  # fmt: skip


def names(nodes: Table, canonical: Table) -> Table:
    """(id) of every identifier that one of `nodes` (node_id) stands for."""
    own = nodes.select(id=_.node_id)
    aliases = canonical.semi_join(nodes, [("canonical", "node_id")]).select("id")
    return own.union(aliases, distinct=True)


def _between(references: Table, canonical: Table) -> Table:
    """`references` plus citing and cited: the representatives of their ends."""
    return with_canonical(with_canonical(references, canonical, "source_id", "citing"), canonical, "target_id", "cited")


def with_canonical(table: Table, canonical: Table, column: str, name: str) -> Table:
    """`table` plus column `name`: the representative of `column`."""
    looked_up = canonical.view()
    joined = table.left_join(looked_up, table[column] == looked_up.id)
    # Ibis extends a join that it is joined to again and then loses a computed column; a mutate ends it.
    plain = joined.select(*table.columns, _found=looked_up.canonical)
    return plain.mutate(**{name: ibis.coalesce(plain["_found"], plain[column])}).drop("_found")


def _preference(identifier: Any) -> Any:
    branches = ((identifier.startswith(prefix), rank) for rank, prefix in enumerate(_PREFERENCE))
    return ibis.cases(*branches, else_=len(_PREFERENCE))
