"""The tables of `citations` of a day: the definitions of `citations.graph`, for names of which one knows what they are.

As every work knows which of its names are joined from which day on, the graph follows without a join over text.
That it is the same graph that the stage computes is tested, table by table.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.bench.vectors import Flags, Ints
from coevo_pipelines.bench.world.columns import Tables, framed, masked, series, timestamps, words_at
from coevo_pipelines.bench.world.drawing import World
from coevo_pipelines.bench.world.items import Items, Said, pushed_at
from coevo_pipelines.bench.world.kinds import KINDS, ON_BOTH, ON_OPENALEX, PAPER, REPOSITORY
from coevo_pipelines.bench.world.naming import identifiers, owners, titles
from coevo_pipelines.bench.world.shape import DAY_US, DOI, OWN, RECORD
from coevo_pipelines.bench.world.traces import reference_rows, saying
from coevo_pipelines.lake import schemas

if TYPE_CHECKING:
    import polars as pl


def citation_tables(world: World, numbers: Ints, items: Items, said: Said) -> Tables:
    """The tables of the stage. `numbers` holds the number of each node by identifier, -1 for none, and is filled."""
    source, target = (_represented(world, codes, items.day) for codes in (said.source, said.target))
    yield "citations.resolutions", _resolutions(world, numbers, items)  # looks at the nodes of earlier days
    yield "citations.nodes", _nodes(world, numbers, items, said, source, target)
    yield "citations.aliases", _aliases(world, items.day)
    yield from _links_of_day(world, numbers, items, said, source, target)


def _represented(world: World, codes: Ints, day: int) -> Ints:
    """The identifier that stands for each as of the day."""
    work, slot = _parts(world, codes)
    via = world.via[work]
    is_doi = (slot == DOI) & (via <= ON_BOTH) & (world.day[work] <= day) & (day < world.leave_day[work])
    is_record = (slot == RECORD) & (world.link_day[work] <= day)
    return np.where(is_doi | (is_record & (via == ON_BOTH)), 3 * work + OWN, np.where(is_record, 3 * work + DOI, codes))


def _describing(world: World, nodes: Ints, day: int) -> Ints:
    """The identifier whose trace describes each node as of the day; -1 for a stub."""
    work, slot = _parts(world, nodes)
    own = (slot == OWN) & (world.day[work] <= day)
    by_record = (slot == DOI) & (world.via[work] == ON_OPENALEX) & (world.link_day[work] <= day)
    record = (slot == RECORD) & (world.record_day[work] <= day)
    return np.where(own | record, nodes, np.where(by_record, 3 * work + RECORD, -1))


def _parts(world: World, codes: Ints) -> tuple[Ints, Ints]:
    """(work, slot); slot -1 for what never becomes a work."""
    inside = codes < 3 * world.shape.works
    return np.where(inside, codes // 3, 0), np.where(inside, codes % 3, -1)


def _created(world: World, describing: Ints) -> Ints:
    """When the described work appeared; 0 for a stub."""
    work = np.maximum(describing, 0) // 3
    by_record = np.where(describing % 3 == RECORD, world.record[work] * np.int64(DAY_US), world.created[work])
    return np.where(describing < 0, 0, by_record)


def _described(world: World, describing: Ints) -> dict[str, pl.Series]:
    """kind, title, owner, created_at; null for stubs."""
    there = describing >= 0
    safe = np.maximum(describing, 0)
    kinds = [one.name for one in KINDS]
    return {
        "kind": masked(there, words_at(kinds, world.kind[safe // 3])),
        "title": masked(there, titles(world, safe)),
        "owner": masked(there, owners(world, safe // 3)),
        "created_at": masked(there, timestamps(_created(world, describing))),
    }


def _nodes(world: World, numbers: Ints, items: Items, said: Said, source: Ints, target: Ints) -> pl.DataFrame:
    import polars as pl

    day = items.day
    linked = np.flatnonzero(world.link_day == day)
    gone, first_named = _let_go(world, day)
    appeared = _represented(world, 3 * items.work + items.slot, day)
    unlisted = np.zeros(world.names, dtype=np.bool_)
    for codes in (appeared, source, target, gone, _represented(world, 3 * linked + RECORD, day)):
        unlisted[codes] = True
    new = np.flatnonzero(unlisted & (numbers < 0))
    describing = _describing(world, new, day)
    # A stub is as old as the first reference of the day to it: an earlier one would have listed it.
    latest = np.iinfo(np.int64).max
    first = np.full(world.names, latest)
    at = items.at[said.item]
    for ends, moments in ((source, at), (target, at), (gone, first_named)):
        np.minimum.at(first, ends, moments)
    event = np.where(describing < 0, first[new], _created(world, describing))
    node_id = identifiers(world, new)
    order = pl.DataFrame({"at": event, "id": node_id}).select(pl.arg_sort_by("at", "id"))["at"].to_numpy()
    rank = np.empty(new.size, dtype=np.int64)
    rank[order] = np.arange(new.size)
    numbers[new] = rank + ((world.shape.date_of(day) - date(1970, 1, 1)).days << 32)
    return framed(
        "citations.nodes",
        {
            "node_id": node_id,
            "node": series(numbers[new]),
            "is_stub": series(describing < 0),
            "event_at": timestamps(event),
            **_described(world, describing),
        },
    )


def _let_go(world: World, day: int) -> tuple[Ints, Ints]:
    """(identifiers that are taken back on the day and were named by then, when each was named first)."""
    gone = 3 * np.flatnonzero(world.leave_day == day) + DOI
    rows = np.flatnonzero(np.isin(world.references.target, gone)) if gone.size else np.zeros(0, dtype=np.int64)
    work = np.searchsorted(world.references.starts, rows, "right") - 1
    paper = world.kind[work] == PAPER
    said_on = np.where(
        paper, world.record_day[work], np.where(world.references.later[rows], world.first_update[work], world.day[work])
    )
    at = np.where(paper, world.record[work] * np.int64(DAY_US), world.created[work])
    for update in np.unique(said_on[world.references.later[rows]]):
        late = world.references.later[rows] & (said_on == update)
        at[late] = pushed_at(world, work[late], int(update))
    by_now = said_on <= day
    return world.references.target[rows][by_now].astype(np.int64), at[by_now]


def _aliases(world: World, day: int) -> pl.DataFrame:
    with_doi = 3 * np.flatnonzero((world.day == day) & world.has_doi & (world.via <= ON_BOTH)) + DOI
    linked = 3 * np.flatnonzero(world.link_day == day) + RECORD
    gone = 3 * np.flatnonzero(world.leave_day == day) + DOI
    codes = np.concatenate([with_doi, linked, gone])
    return framed(
        "citations.aliases",
        {"id": identifiers(world, codes), "node_id": identifiers(world, _represented(world, codes, day))},
    )


def _resolutions(world: World, numbers: Ints, items: Items) -> pl.DataFrame:
    """Of the nodes that earlier days list, those whose work appears, or is joined to another, on the day."""
    day = items.day
    touched = np.concatenate([items.work, np.flatnonzero(world.link_day == day)])
    codes = 3 * np.repeat(touched, 3) + np.tile(np.arange(3), touched.size)
    codes = np.unique(codes[numbers[codes] >= 0])
    before, now = (_represented(world, codes, when) for when in (day - 1, day))
    was_stub = _describing(world, before, day - 1) < 0
    describing = _describing(world, now, day)
    changed = (now != before) | (was_stub & (describing >= 0))
    described = _described(world, describing[changed])
    return framed(
        "citations.resolutions",
        {
            "node_id": identifiers(world, codes[changed]),
            "resolved_id": identifiers(world, now[changed]),
            "was_stub": series(was_stub[changed]),
            "resolved_created_at": described["created_at"],
            **described,
        },
    )


def _links_of_day(world: World, numbers: Ints, items: Items, said: Said, source: Ints, target: Ints) -> Tables:
    """`citations.edges` and `citations.quarantine`: the first reference of each link, on its first day."""
    from coevo_pipelines.citations.graph import QUARANTINE_DAYS

    key = (source * world.names + target) * len(schemas.RELATIONS) + said.relation
    again = key[~said.is_new]
    rows = np.flatnonzero(said.is_new & ~np.isin(key, again)) if again.size else np.arange(key.size)
    rows = rows[_firsts(world, items, said.of(rows), key[rows])]
    cited = _describing(world, target[rows], items.day)
    is_late = (cited >= 0) & (_created(world, cited) > items.at[said.item[rows]] + QUARANTINE_DAYS * DAY_US)
    for table, kept in (("citations.edges", rows[~is_late]), ("citations.quarantine", rows[is_late])):
        yield table, framed(table, _link_columns(world, numbers, items, said.of(kept), source[kept], target[kept]))


def _link_columns(
    world: World, numbers: Ints, items: Items, said: Said, source: Ints, target: Ints
) -> dict[str, pl.Series]:
    """The columns of both tables."""
    citing, cited = (_describing(world, ends, items.day) for ends in (source, target))
    own = np.select([source == target, *_same_hands(world, citing, cited)], [1, 2, 3], 0)
    return saying(world, items, said) | {
        "source": identifiers(world, source),
        "target": identifiers(world, target),
        "source_node": series(numbers[source]),
        "target_node": series(numbers[target]),
        "weight": series((own == 0).astype(np.int64)),
        "own": words_at((None, "self_loop", "same_owner", "same_authors"), own),
        "target_is_stub": series(cited < 0),
        "target_created_at": timestamps(_created(world, cited)),
        "reason": words_at(("target_newer_than_source",), np.zeros(source.size, dtype=np.int64)),
    }


def _firsts(world: World, items: Items, said: Said, key: Ints) -> Ints:
    """Places of one row a key: the first by moment and then by what it says."""
    import polars as pl

    double = pl.Series(key).is_duplicated().to_numpy()
    place = np.flatnonzero(double)
    doubles = reference_rows(world, items, said.of(place)).with_columns(key=key[place], place=place)
    order = ["key", "event_at", "source_id", "target_id", "evidence", "source", "raw_sha256"]
    kept = doubles.sort(order).unique(subset="key", keep="first", maintain_order=True)["place"].to_numpy()
    return np.sort(np.concatenate([np.flatnonzero(~double), kept]))


def _same_hands(world: World, citing: Ints, cited: Ints) -> tuple[Flags, Flags]:
    """(the same account owns both, the same team wrote both), as their describing traces say."""
    there = (citing >= 0) & (cited >= 0)
    works = [np.maximum(codes, 0) // 3 for codes in (citing, cited)]
    one, other = (world.kind[work] for work in works)
    owner, owner_too = (np.where(world.kind[work] == PAPER, -1, world.group[work]) for work in works)
    family = (one == REPOSITORY) == (other == REPOSITORY)
    team, team_too = (
        np.where(codes % 3 == RECORD, world.teams.by_orcid[group], world.teams.by_name[group])
        for codes, work in zip((citing, cited), works, strict=True)
        for group in (np.where(world.kind[work] == PAPER, world.group[work], 0),)
    )
    papers = (one == PAPER) & (other == PAPER)
    return there & family & (owner >= 0) & (owner == owner_too), there & papers & (team == team_too)
