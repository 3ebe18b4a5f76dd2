"""What people get of the scores of works: fractional counting, as Ibis expressions.

Each work counts one, divided equally over the people behind it (fractional counting at the level of authors:
Waltman & van Eck 2015, https://doi.org/10.1016/j.joi.2015.08.001). Nobody is merged by name: two people are the
same when their ORCID iD is, or their account; whoever has neither is a person of that one work.
"""

from __future__ import annotations

import ibis
from ibis import _

from coevo_pipelines.citations.graph import Table, latest_lists, standing, with_canonical

UNITS = ("influence_units", "inflow_units", "guarded_inflow_units")


def credits(works: Table, people: Table, aliases: Table) -> Table:
    """The people of each work that stands: node_id, person_id, name, position (1 to n), persons (n).

    works: `citations.asof.works`; people: `traces.people`, aliases: `citations.aliases`, each up to the day with the
    partition `date`. A work takes one list of one source, the latest that this source gives under one of the
    work's identifiers: authors where any are named, else owners; then the list with the most ORCID iDs, then the
    one under the work's own identifier. A person twice in it counts once, at the first place. Works of nobody
    that is known have no row.
    """
    lists = latest_lists(people).select("work_id", "source", "role", "position", "name", "orcid", "account")
    rows = with_canonical(lists, standing(aliases), "work_id", "node_id").semi_join(works, "node_id")
    chosen = rows.semi_join(_one_list(rows), ["node_id", "work_id", "source", "role"])
    named = chosen.select("node_id", "name", "position", person_id=_person_id(chosen))
    # Windows, not joins of a table with what is made of it: an engine would compute that table twice.
    again = ibis.row_number().over(group_by=["node_id", "person_id"], order_by=_.position)
    unique = named.mutate(again=again).filter(_.again == 0)
    place = ibis.row_number().over(group_by="node_id", order_by=_.position)
    placed = unique.mutate(place=place.cast("int64") + 1, persons=_.count().over(group_by="node_id"))
    return placed.select("node_id", "person_id", "name", position="place", persons="persons")


def carry(units: Table, credits: Table) -> Table:
    """What each person has: person_id, name, works (how many), and the sum of their parts of each of `UNITS`.

    units: one row a work: node_id and the columns `UNITS`, integers from 0 to 2^53. Of a work's u units each of
    its n people gets u // n, and the first u % n of them one more: integers throughout, so that no order of
    addition can change a sum, and the people have together exactly what the works have. A work without people
    is one person's, `<node_id>#unknown`.
    """
    joined = units.left_join(credits, "node_id")
    parts = joined.select(
        person_id=ibis.coalesce(credits.person_id, units.node_id + "#unknown"),
        name=credits.name,
        **{name: _part(units[name], credits.position.fill_null(1), credits.persons.fill_null(1)) for name in UNITS},
    )
    return parts.group_by("person_id").agg(
        name=_.name.min(), works=_.count(), **{name: _[name].sum() for name in UNITS}
    )


def _one_list(lists: Table) -> Table:
    """node_id, work_id, source and role of the one list that a node takes."""
    each = lists.group_by(["node_id", "work_id", "source", "role"]).agg(orcids=_.orcid.count())
    best = ibis.row_number().over(
        group_by="node_id",
        order_by=[_.role != "author", _.orcids.desc(), _.work_id != _.node_id, _.source, _.work_id],
    )
    return each.mutate(place=best).filter(_.place == 0).drop("place", "orcids")


def _person_id(people: Table) -> ibis.Value:
    nobody = people.node_id + "#" + people.position.cast("string")
    return ibis.coalesce("orcid:" + people.orcid, people.account, nobody)


def _part(units: ibis.Value, position: ibis.Value, persons: ibis.Value) -> ibis.Value:
    # Without the rest the quotient is whole, and below 2^53 the engines' floating division gives it exactly.
    rest = units % persons
    return ((units - rest) / persons).cast("int64") + (position <= rest).cast("int64")
