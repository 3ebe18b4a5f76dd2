"""Answers to questions about influence, with names and titles: what the commands show."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coevo_pipelines.influence import changes, standalone
from coevo_pipelines.influence.edgelist import EdgeListError
from coevo_pipelines.influence.explain import Flows
from coevo_pipelines.influence.graph import RELATIONS, graph_of
from coevo_pipelines.influence.links import Held, Streamed, in_memory
from coevo_pipelines.influence.scores import rounded

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Settings

MOST_COMPARED = 500
"""Identifiers that are looked at letter by letter for one that was misspelt."""


@dataclass(frozen=True)
class NamedArrival:
    """A link into the work, with what comes over it."""

    id: str
    title: str | None
    relation: str
    flow: float


@dataclass(frozen=True)
class NamedPath:
    """A way on which influence came, first work first."""

    ids: Sequence[str]
    relations: Sequence[str]
    flow: float

    @property
    def text(self) -> str:
        steps = zip(self.relations, self.ids[1:], strict=True)
        return self.ids[0] + "".join(f" -{relation}-> {name}" for relation, name in steps)


@dataclass(frozen=True)
class Answer:
    """Why a work's influence is what it is."""

    id: str
    title: str | None
    context: str
    influence: float
    rank: int
    works: int
    started: float
    arrivals: Sequence[NamedArrival]
    paths: Sequence[NamedPath]
    complete: bool

    def share(self, flow: float) -> str:
        """A part of the work's influence, as text."""
        return f"{100 * flow / self.influence if self.influence else 0:.1f} %"


class UnknownWork(EdgeListError):
    """There is no such work; the message names the nearest ones."""


def explain_day(snapshot: Snapshot, day: date, work: str, settings: Settings, *, guarded: bool, paths: int) -> Answer:
    """About a work of the lake, under any of its identifiers, as of `day`. Raises UnknownWork."""
    from coevo_pipelines.citations import asof
    from coevo_pipelines.influence.day import one_owner, vouching
    from coevo_pipelines.influence.load import aliases_of, claims_of, tables_of
    from coevo_pipelines.influence.scores import both_modes, teleports, typed_links
    from coevo_pipelines.lake.engine import Engine

    with Engine(snapshot, settings.engine) as engine:
        tables = tables_of(engine, day)
        works = engine.keep(asof.works(tables))
        frames = engine.frame(works), engine.frame(asof.edges(tables, works))
        aliases = aliases_of(engine, tables)
    claims = claims_of(snapshot, day)
    graph = graph_of(*one_owner(*frames, claims))
    stands = dict(aliases.filter(pl.col("id") == work).iter_rows())
    name = stands.get(work, work)
    place = _place(name, graph.works["node_id"], work, f"as of {day}", also=aliases["id"])
    vouches = vouching(graph.works, aliases, claims)
    links = typed_links(graph)
    solution = both_modes(graph, day, vouches, settings.influence, links=links)[1 if guarded else 0]
    if solution is None:
        raise UnknownWork(f"as of {day} nobody has a voice in guarded mode: no work that arXiv lists is in the graph")
    weights = tuple(settings.influence.relation_weight[relation] for relation in RELATIONS)
    teleport = teleports(graph, day, vouches, settings.influence)[1 if guarded else 0]
    flows = Flows(links, solution, teleport, settings.influence.damping, weights)
    context = f"as of {day}, {'guarded' if guarded else 'open'} mode"
    if name != work:
        context += f"; {work} is this work"
    return _answer(flows, place, graph.works["node_id"], graph.works["title"], RELATIONS, paths, context)


def explain_list(
    work: str,
    edges: Path,
    nodes: Path | None,
    *,
    damping: float,
    tau_years: float,
    uniform: bool,
    relation_weight: Mapping[str, float],
    paths: int,
) -> Answer:
    """About a work of an edge list. Raises UnknownWork, EdgeListError."""
    scored = standalone.score(
        edges, nodes, damping=damping, tau_years=tau_years, uniform=uniform, relation_weight=relation_weight
    )
    links = scored.edges.links
    held = in_memory(links) if isinstance(links, Streamed) else links
    assert isinstance(held, Held)
    numbers = pl.Series("id", np.arange(links.n))
    ids = numbers if scored.edges.ids is None else scored.edges.ids
    if scored.present is not None:
        ids = ids.set(pl.Series(~scored.present), None)
    place = _place(work, ids.cast(pl.String), work, f"in {edges}")
    relations = scored.edges.relations or ("uses",)
    weights = tuple(relation_weight.get(name, 1.0) for name in relations)
    teleport = scored.teleport if scored.present is None else scored.teleport * scored.present
    flows = Flows(held, scored.solution, teleport, damping, weights)
    return _answer(flows, place, ids.cast(pl.String), None, relations, paths, f"readers start: {scored.starts}")


def _place(name: str, ids: pl.Series, asked: str, where: str, also: Iterable[str] = ()) -> int:
    """Which of `ids` is `name`. UnknownWork when none is, naming those of `ids` and `also` that are spelt nearly so."""
    found = (ids == name).arg_true()
    if len(found):
        return int(found[0])
    known = ids.drop_nulls()
    near = nearest(asked, pl.concat([known, pl.Series("id", list(also), pl.String)]))
    example = f"; works go by their identifiers, such as {known[0]}" if len(known) else ""
    hint = f"; did you mean {' or '.join(near)}?" if near else example
    raise UnknownWork(f"there is no work {asked!r} {where}{hint}")


def nearest(name: str, ids: pl.Series) -> list[str]:
    """Up to three identifiers that are spelt nearly so, of those that begin and end most as `name` does: comparing
    each of 200,000 letter by letter took 11 s."""
    folded, asked = pl.col("id").str.to_lowercase(), name.lower()[:100]
    begins = [folded.str.starts_with(asked[:length]) for length in range(len(asked) + 1)]
    ends = [folded.str.ends_with(asked[-length:]) for length in range(1, len(asked) + 1)]
    shared = pl.sum_horizontal(begins + ends)
    likely = pl.DataFrame({"id": ids.unique()}).sort(shared, "id", descending=[True, False]).head(MOST_COMPARED)
    return difflib.get_close_matches(name, likely["id"].to_list(), n=3, cutoff=0.6)


def _answer(
    flows: Flows,
    place: int,
    ids: pl.Series,
    titles: pl.Series | None,
    relations: Sequence[str],
    paths: int,
    context: str,
) -> Answer:
    explanation = flows.explain(place, paths)
    title = (lambda number: titles[number]) if titles is not None else (lambda _: None)
    influence = rounded(flows.solution.influence)  # as published: works that are alike share a rank
    return Answer(
        id=ids[place],
        title=title(place),
        context=context,
        influence=explanation.influence,
        rank=1 + int((influence > influence[place]).sum()),
        works=int(ids.len() - ids.null_count()),
        started=explanation.started,
        arrivals=[
            NamedArrival(ids[each.source], title(each.source), relations[each.relation], each.flow)
            for each in explanation.arrivals
        ],
        paths=[
            NamedPath([ids[work] for work in path.works], [relations[each] for each in path.relations], path.flow)
            for path in explanation.paths
        ],
        complete=explanation.complete,
    )


def as_json(answer: Answer) -> dict[str, Any]:
    """All of an answer, for scripts."""
    return asdict(answer)


def compare_days(snapshot: Snapshot, first: date, second: date, score: str, where: str) -> changes.Changes:
    """What changed between two days of the lake; `where`: the setting `engine`. Raises EdgeListError for no score."""
    from coevo_pipelines.lake import schemas

    numeric = [c.name for c in schemas.table("influence.scores").columns if c.type in {"float64", "int64"}]
    if score not in numeric:
        raise EdgeListError(f"--score {score}: there is no such score; there are {', '.join(numeric)}")
    return changes.compare(_day(snapshot, first, where), _day(snapshot, second, where), score)


def changes_as_json(found: changes.Changes) -> dict[str, Any]:
    """All of it, for scripts."""
    return {
        "scores": found.scores.to_dicts(),
        "appeared": found.appeared,
        "gone": found.gone,
        "renamed": dict(found.renamed),
        "new_links": found.new_links.to_dicts(),
        "lost_links": found.lost_links.to_dicts(),
        "chambers": found.chambers.to_dicts(),
        "ended": dict(found.ended),
    }


def _day(snapshot: Snapshot, day: date, where: str) -> changes.Day:
    from coevo_pipelines.citations import asof
    from coevo_pipelines.influence.load import aliases_of, tables_of
    from coevo_pipelines.lake.engine import Engine

    with Engine(snapshot, where) as engine:
        tables = tables_of(engine, day)
        works = engine.keep(asof.works(tables))
        return changes.Day(
            day=day,
            scores=snapshot.scan("influence.scores", on=day).collect(),
            edges=engine.frame(asof.edges(tables, works)),
            lattice=snapshot.scan("influence.lattice", on=day).collect(),
            aliases=aliases_of(engine, tables),
        )
