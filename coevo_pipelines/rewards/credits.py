"""Who is behind each work, and with what share, as Ibis expressions.

What is said best counts: shares that somebody gave, else CRediT roles, else commits without those of programs, else
the list of authors or owners, each alike (fractional counting: see influence.people).
"""

from __future__ import annotations

from datetime import date

import ibis
from ibis import _

from coevo_pipelines.citations.graph import Table, standing, with_canonical
from coevo_pipelines.influence import people

BASES = ("share", "credit", "commits", "author")


def credits(works: Table, named: Table, aliases: Table, contributions: Table, day: date) -> Table:
    """The people of each work that stands: node, person_id, name, position (1 to n), share (int64, at least 1).

    works: `citations.asof.works`; named: `traces.people`, aliases: `citations.aliases`, contributions:
    `traces.contributions`, each up to the day with the partition `date`. What the register says is said by its latest
    partition alone: that one is the whole register. Works of nobody that is known have no row.
    """
    alike = people.credits(works, named, aliases).mutate(share=ibis.literal(1, "int64"))
    given = _given(works, contributions, aliases, day)
    columns = ("node_id", "person_id", "name", "position", "share")
    known = alike.select("node_id", "person_id", known_name="name")
    named_ = given.left_join(known, ["node_id", "person_id"])
    given = named_.mutate(name=ibis.coalesce(named_["name"], named_["known_name"])).select(*columns)
    rest = alike.anti_join(given, "node_id")
    both = rest.select(*columns).union(given.select(*columns))
    return both.join(works.select("node_id", "node"), "node_id").select("node", *columns[1:])


def _given(works: Table, contributions: Table, aliases: Table, day: date) -> Table:
    """The credits that somebody stated or a repository counted: of each work the best basis, its latest statement."""
    standing_ = standing(aliases)
    counted = contributions.filter(
        ~_.is_bot, _.amount > 0, (_.source != "register") | (_.date == ibis.date(day.isoformat()))
    )
    rows = with_canonical(counted, standing_, "work_id", "node_id").semi_join(works, "node_id")
    basis = ibis.cases(*((rows.basis == name, rank) for rank, name in enumerate(BASES)), else_=len(BASES))
    best = ibis.row_number().over(
        group_by="node_id",
        order_by=[_.rank, _.date.desc(), _.work_id != _.node_id, _.source, _.work_id],
    )
    ranked = rows.mutate(rank=basis)
    chosen = ranked.mutate(place=best).filter(_.place == 0).select("node_id", "rank", "date", "source", "work_id")
    listed = ranked.semi_join(chosen, ["node_id", "rank", "date", "source", "work_id"])
    known = listed.contributor.contains(":") | listed.contributor.contains("#")
    who = ibis.ifelse(known, listed.contributor, listed.node_id + "#" + listed.contributor)
    name = ibis.ifelse(known, ibis.null("string"), listed.contributor)
    place = ibis.row_number().over(group_by="node_id", order_by=[_.share.desc(), _.person_id])
    summed = listed.mutate(person_id=who, called=name).group_by(["node_id", "person_id"]).agg(
        name=_.called.min(), share=_.amount.sum().cast("int64")
    )  # fmt: skip
    return summed.mutate(position=place.cast("int64") + 1)
