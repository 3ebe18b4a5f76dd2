"""Resonance chambers: communities of the graph as of a day, what they are made of, and how they live on.

A chamber is a Leiden community of at least two works on the weighted undirected projection of the graph. Works are
the integers 0..n-1 here; where a chamber has to be recognised on another day, their identifiers are used, because
numbers do not outlive a day. Everything is a function of its arguments: input order, threads and whatever igraph was
asked before change nothing.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Event = Literal["appeared", "continued", "merged", "split"]

EVENTS: tuple[Event, ...] = ("appeared", "continued", "merged", "split")

MOST_ROUNDS = 10
LEAST_GAIN = 1e-6
"""A round is one pass of Leiden from the result of the one before. Rounds end when one gains less modularity than
this (two seeds differ a thousand times as much), or after ten: until nothing moved, a random graph of a million links
took 12 minutes, for a modularity of .314; ten rounds took 23 seconds, for .304."""

_IGRAPH_RANDOMNESS = threading.Lock()

_WORD = r"\p{L}[\p{L}\p{M}]{2,}"
_STOP_WORDS = """
about above across after against all along also among and any are around based been before being below between
beyond both but can could does doing done during each either else for from further get had has have having her here
his how if into its itself just less let may more most much must near neither nor not off once one only onto other
our out over own per rather same several she should since some still such than that the their them then there these
they this those through thus too toward towards two under until upon use used uses using very via was were what when
where whether which while who whose why will with within without would you your
amp inf sub sup
"""  # the last four are what is left of HTML in titles


@dataclass(frozen=True)
class Projection:
    """The weighted undirected projection: each pair of linked works once, sorted by (low, high), no loops.

    `low` < `high` are works (int64), `weight` > 0 (float64), all of one length.
    """

    n: int
    low: Integers
    high: Integers
    weight: Floats


@dataclass(frozen=True)
class Matching:
    """What became of the chambers between two partitions; the tuples have one element per label of the later one.

    `ids`: the chamber's id. `events`, `origins` (ids of the day before, the one whose id it keeps first): see `match`.
    `jaccard`: overlap with the chamber whose id it keeps; None where the id is new. `ended`: each id of the day before
    that nothing carries on, with the id of the chamber that holds most of its works now, or None.
    """

    ids: tuple[str, ...]
    events: tuple[Event, ...]
    origins: tuple[tuple[str, ...], ...]
    jaccard: tuple[float | None, ...]
    ended: Mapping[str, str | None]


def project(n: int, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None = None) -> Projection:
    """Links of any direction and number between works 0..n-1 as an undirected graph without loops.

    The weight of a pair is the sum over its links (1 each without `weight`); pairs of weight 0 are not linked. Sums run
    in order of size, so that the order of the links changes no bit. ValueError: lengths differ, a work is not
    in 0..n-1, a weight is negative or not finite.
    """
    source, target = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
    weight = np.ones(source.size) if weight is None else np.asarray(weight, dtype=np.float64)
    if not source.shape == target.shape == weight.shape:
        raise ValueError(f"links: {source.size} sources, {target.size} targets and {weight.size} weights")
    ends = np.concatenate((source, target))
    if ends.size and (ends.min() < 0 or ends.max() >= n):
        raise ValueError(f"links: works must be in 0..{n - 1}")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("links: weights must be finite and not negative")
    kept = (source != target) & (weight > 0)
    pair = (np.minimum(source, target) * n + np.maximum(source, target))[kept]
    weight = weight[kept]
    order = np.lexsort((weight, pair))
    pair, weight = pair[order], weight[order]
    first = np.diff(pair, prepend=-1) != 0
    summed = np.bincount(np.cumsum(first) - 1, weights=weight).astype(np.float64)
    low, high = np.divmod(pair[first], max(n, 1))
    return Projection(n, low, high, summed)


def detect(
    n: int,
    source: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    *,
    resolution: float,
    seed: int,
    start: Integers | None = None,
) -> Integers:
    """The chamber of each work, shape (n,): 0..k-1, numbered by smallest member; -1 for a work in none.

    Communities by the Leiden algorithm for modularity with a resolution (Traag, Waltman & van Eck 2019): higher
    resolutions give more and smaller chambers. Communities of one work are no chambers, so a work without links never
    has one, and adding such works changes nothing.

    `start`, shape (n,), is where the search begins: the chambers of the day before, -1 for works in none. Without it
    each work begins alone. Modularity has many optima nearly as good as the best, and searches that begin alone
    end in another one each day: on 21,550 papers whose links grew by .3 % a step, chambers kept 83 % of
    themselves (mean Jaccard, weighted by size) beginning alone and 99.6 % beginning with the day before, at a slightly
    higher modularity. The price is that the result then depends on the days before, not on the graph alone.

    ValueError: as `project`; `resolution` not above 0; `start` of another shape.
    """
    return communities(project(n, source, target, weight), resolution=resolution, seed=seed, start=start)


def communities(graph: Projection, *, resolution: float, seed: int, start: Integers | None = None) -> Integers:
    """`detect` for who has the projection already."""
    if not resolution > 0:
        raise ValueError(f"resolution must be above 0, not {resolution}")
    if start is not None and np.shape(start) != (graph.n,):
        raise ValueError(f"start has shape {np.shape(start)}, not ({graph.n},)")
    labels = np.full(graph.n, -1, dtype=np.int64)
    if not graph.low.size:
        return labels
    # Without the works that have no links, these neither cost time nor shift the random numbers of the others.
    has_links = np.zeros(graph.n, dtype=np.bool_)
    has_links[graph.low] = has_links[graph.high] = True
    place = np.cumsum(has_links) - 1
    pairs = np.column_stack((place[graph.low], place[graph.high]))
    begin = None if start is None else _all_labelled(np.asarray(start, dtype=np.int64)[has_links])
    labels[has_links] = _leiden(int(has_links.sum()), pairs, graph.weight, resolution, seed, begin)
    return _chambers_only(labels)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """igraph's random numbers begin with `seed`, for one thread at a time: the whole process has one source of them."""
    import igraph

    with _IGRAPH_RANDOMNESS:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            igraph.set_random_number_generator(random)  # igraph's default; it does not tell what was set before


def _leiden(n: int, pairs: Integers, weight: Floats, resolution: float, seed: int, start: Integers | None) -> Integers:
    """Communities of works that all have links."""
    import igraph

    graph = igraph.Graph(n=n, edges=pairs)
    weights = weight.tolist()
    membership = None if start is None else start.tolist()
    quality = -np.inf
    with seeded(seed):
        for _ in range(MOST_ROUNDS):
            found = graph.community_leiden(
                objective_function="modularity",
                weights=weights,
                resolution=resolution,
                n_iterations=1,
                initial_membership=membership,
            )
            membership, before, quality = found.membership, quality, found.quality
            if quality - before < LEAST_GAIN:
                break
    return np.asarray(membership, dtype=np.int64)


def _all_labelled(start: Integers) -> Integers:
    """Labels 0.. by smallest member, a label of its own for each -1: only the partition counts, not its names."""
    alone = np.arange(start.size) + start.max(initial=0) + 1
    return _by_first(np.where(start < 0, alone, start))


def _by_first(labels: Integers) -> Integers:
    """The same partition with labels 0, 1, … in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[inverse]


def _chambers_only(labels: Integers) -> Integers:
    """Labels 0..k-1 by smallest member for communities of two or more works, -1 for the rest."""
    kept = labels >= 0
    kept[kept] = np.bincount(labels[kept])[labels[kept]] >= 2
    out = np.full(labels.size, -1, dtype=np.int64)
    out[kept] = _by_first(labels[kept])
    return out


def match(
    day: date,
    nodes: Sequence[str],
    labels: Integers,
    before: pl.DataFrame | None = None,
    renamed: Mapping[str, str] | None = None,
    *,
    minimum: float = 0.3,
    share: float = 0.5,
) -> Matching:
    """Recognise the chambers of the day before in those of `day`, so that a chamber keeps its id.

    `nodes` are the identifiers of the works that `labels` (shape (n,), 0..k-1 and -1) is about. `before` has a row per
    work of the day before: `node_id`, `chamber_id` (null: in none); None or empty on the first day. `renamed` says of
    identifiers of the day before what stands for them now; works that became one count once in each
    chamber that they came from. Works that are gone still count as members that did not come along.

    **Ids.** With B a chamber of the day before and A one of `day`, A keeps the id of B where J(A, B) = |A∩B| / |A∪B|
    is largest: pairs are taken by falling J, ties by more common works, then the older id, then the smallest work
    id in A; one to one, and only from `minimum` on (as Greene, Doyle & Cunningham 2010, but one to one). At .3
    the id survives one tripling, two of a size that join, and the larger part of a chamber that breaks in three; it is
    not handed to another of the same size that shares less than 46 % of the works. Other chambers get the
    id `<day>-<number>`, numbered by falling size, then smallest work id: no other day can make the same id,
    and a chamber that ended and comes back has a new one.

    **Events.** At least two works must be common to speak of origin. B *went into* A where A holds more than `share`
    of B; A *came out of* B where more than `share` of A was in B. B *ended* when nothing has its id.

    - `merged`: at least one B that ended went into A; origins are these, after the one whose id A keeps, if any.
    - `continued`: otherwise, where A keeps the id of B; origins: B.
    - `split`: otherwise, where A came out of a B, or a B went into A; origins: every such B. Its id is carried on by
      another chamber, or by none, where the parts are all too small.
    - `appeared`: otherwise; no origins.

    A chamber that lost a part, or won a part of one that goes on, is still `continued`.

    ValueError: lengths differ, a node is given twice, labels leave a number out, or an id of `before` is of `day` or
    later (then ids could collide).
    """
    import polars as pl

    members = _members(nodes, labels)
    earlier = _earlier(day, before, renamed or {})
    sizes = dict(earlier.group_by("chamber_id").len().iter_rows())
    chambers = members.group_by("label").agg(pl.len().alias("size"), pl.col("node_id").min().alias("first"))
    now = {label: (size, first) for label, size, first in chambers.iter_rows()}
    shared = earlier.join(members, on="node_id").group_by("chamber_id", "label").len()
    common = {(origin, label): count for origin, label, count in shared.sort("chamber_id", "label").iter_rows()}

    jaccard = {(b, a): both / (sizes[b] + now[a][0] - both) for (b, a), both in common.items()}
    candidates = [pair for pair, overlap in jaccard.items() if overlap >= minimum]
    candidates.sort(key=lambda pair: (-jaccard[pair], -common[pair], pair[0], now[pair[1]][1]))
    kept = _one_to_one(candidates)
    carried = set(kept.values())

    fresh = sorted((a for a in now if a not in kept), key=lambda a: (-now[a][0], now[a][1]))
    ids = kept | {a: f"{day.isoformat()}-{number:04d}" for number, a in enumerate(fresh, start=1)}
    went = [(b, a) for (b, a), both in common.items() if both >= 2 and both > share * sizes[b]]
    came = [(b, a) for (b, a), both in common.items() if both >= 2 and both > share * now[a][0]]
    absorbed = _grouped([pair for pair in went if pair[0] not in carried])
    parents = _grouped(sorted({*went, *came}))
    told = [_event(kept.get(a), absorbed.get(a, []), parents.get(a, [])) for a in range(len(now))]

    went.sort(key=lambda pair: (common[pair], ids[pair[1]]))  # the largest part last: it is the one that stays
    into = {b: ids[a] for b, a in went}
    return Matching(
        ids=tuple(ids[a] for a in range(len(now))),
        events=tuple(event for event, _ in told),
        origins=tuple(origins for _, origins in told),
        jaccard=tuple(jaccard[kept[a], a] if a in kept else None for a in range(len(now))),
        ended={b: into.get(b) for b in sorted(sizes) if b not in carried},
    )


def _members(nodes: Sequence[str], labels: Integers) -> pl.DataFrame:
    """`node_id`, `label` of the works that are in a chamber."""
    import polars as pl

    if len(nodes) != len(labels):
        raise ValueError(f"{len(nodes)} nodes but {len(labels)} labels")
    every = pl.DataFrame({"node_id": nodes, "label": labels}, schema={"node_id": pl.String, "label": pl.Int64})
    if every["node_id"].n_unique() != every.height:
        raise ValueError("a node is given twice")
    members = every.filter(pl.col("label") >= 0)
    found = members["label"].unique().sort().to_list()
    if found != list(range(len(found))):
        raise ValueError("labels must be 0, 1, … without a gap")
    return members


def _earlier(day: date, before: pl.DataFrame | None, renamed: Mapping[str, str]) -> pl.DataFrame:
    """Distinct (chamber_id, node_id) of the day before, under the identifiers of `day`."""
    import polars as pl

    if before is None:
        return pl.DataFrame(schema={"chamber_id": pl.String, "node_id": pl.String})
    earlier = before.select(pl.col("chamber_id", "node_id").cast(pl.String)).drop_nulls()
    latest = earlier["chamber_id"].sort().to_list()[-1:]
    if latest and latest[0][:10] >= day.isoformat():
        raise ValueError(f"chamber {latest[0]} is not from before {day.isoformat()}: match days in order")
    names = {"node_id": list(renamed), "now": list(renamed.values())}
    mapping = pl.DataFrame(names, schema={"node_id": pl.String, "now": pl.String})
    translated = earlier.join(mapping, on="node_id", how="left")
    return translated.select("chamber_id", pl.coalesce("now", "node_id").alias("node_id")).unique()


def _one_to_one(pairs: Sequence[tuple[str, int]]) -> dict[int, str]:
    """Label -> id, taking pairs in the order given where both are still free."""
    kept: dict[int, str] = {}
    taken: set[str] = set()
    for origin, label in pairs:
        if origin not in taken and label not in kept:
            kept[label] = origin
            taken.add(origin)
    return kept


def _grouped(pairs: Sequence[tuple[str, int]]) -> dict[int, list[str]]:
    """Label -> ids, in the order given."""
    groups: dict[int, list[str]] = {}
    for origin, label in pairs:
        groups.setdefault(label, []).append(origin)
    return groups


def _event(kept: str | None, absorbed: list[str], parents: list[str]) -> tuple[Event, tuple[str, ...]]:
    """Event and origins of one chamber; the rules are told at `match`."""
    own = () if kept is None else (kept,)
    if absorbed:
        return "merged", (*own, *absorbed)
    if kept is not None:
        return "continued", own
    return ("split", tuple(parents)) if parents else ("appeared", ())


def describe(
    graph: Projection,
    labels: Integers,
    matching: Matching,
    nodes: Sequence[str],
    titles: Sequence[str | None],
    score: NDArray[Any],
    *,
    resolution: float = 1.0,
    works: int = 5,
    terms: int = 8,
) -> pl.DataFrame:
    """One row per chamber, sorted by `chamber_id`. `nodes`, `titles` and `score` are about the works of `labels`.

    - `chamber_id`, `event`, `origins`, `jaccard`: from `match`
    - `size`: works; `links`: linked pairs inside, each counted once
    - `density`: links / (size·(size-1)/2), 0..1
    - `conductance`: weight of the links that leave it / the smaller of its volume and the volume of the rest, where
      volume is the sum of weighted degrees (Kannan, Vempala & Vetta 2004), 0..1; null where the rest has no links
    - `modularity`: what it adds to the modularity of the partition, w_in/W - γ(volume/2W)² (Reichardt & Bornholdt 2006)
    - `leading_works`: up to `works` node ids by falling `score`, ties by id
    - `leading_terms`: up to `terms` words by falling n_tc·ln(1 + A/n_t) (class-based TF-IDF, Grootendorst 2022), ties
      by word; n_tc titles of the chamber and n_t titles of all chambers have the word, A words a chamber on average

    A word is three or more letters of any script, in lower case, not an English function word, counted once a title.
    ValueError: lengths differ or a score is not finite.
    """
    import polars as pl

    if not len(nodes) == len(titles) == len(score) == len(labels) == graph.n:
        raise ValueError(
            f"{graph.n} works, {len(labels)} labels, {len(nodes)} nodes, {len(titles)} titles, {len(score)} scores"
        )
    if not np.isfinite(score).all():
        raise ValueError("scores must be finite")
    told = pl.DataFrame(
        {
            "label": np.arange(len(matching.ids)),
            "chamber_id": matching.ids,
            "event": matching.events,
            "origins": [list(origins) for origins in matching.origins],
            "jaccard": matching.jaccard,
        },
        schema={
            "label": pl.Int64,
            "chamber_id": pl.String,
            "event": pl.String,
            "origins": pl.List(pl.String),
            "jaccard": pl.Float64,
        },
    )
    data = {"label": labels, "node_id": nodes, "title": titles, "score": score}
    schema = {"label": pl.Int64, "node_id": pl.String, "title": pl.String, "score": pl.Float64}
    members = pl.DataFrame(data, schema=schema).filter(pl.col("label") >= 0)
    frame = told.join(_numbers(graph, labels, len(matching.ids), resolution), on="label", how="left")
    frame = frame.join(_leading_works(members, works), on="label", how="left")
    frame = frame.join(_leading_terms(members, terms), on="label", how="left")
    return frame.sort("chamber_id").select(
        "chamber_id", "size", "links", "density", "conductance", "modularity", "leading_works",
        pl.col("leading_terms").fill_null([]), "event", "origins", "jaccard",
    )  # fmt: skip


def _numbers(graph: Projection, labels: Integers, k: int, resolution: float) -> pl.DataFrame:
    """`label` 0..k-1 with size, links, density, conductance and modularity."""
    import polars as pl

    def total(where: NDArray[Any], weight: NDArray[Any] | None = None) -> NDArray[Any]:
        chosen = labels[where]
        inside = chosen >= 0
        return np.bincount(chosen[inside], None if weight is None else weight[inside], k)

    low, high, weight = graph.low, graph.high, graph.weight
    apart = (labels[low] != labels[high]) | (labels[low] < 0)
    size, links, ends = total(np.arange(graph.n)), total(low[~apart]), total(low) + total(high)
    inner = total(low[~apart], weight[~apart])
    cut = total(low[apart], weight[apart]) + total(high[apart], weight[apart])
    volume, whole = 2 * inner + cut, 2 * weight.sum()
    alone = ends == 2 * low.size  # counted in whole numbers: a difference of sums of floats need not be 0
    smaller = np.where(alone, 1.0, np.minimum(volume, whole - volume))
    return pl.DataFrame(
        {
            "label": np.arange(k),
            "size": size,
            "links": links,
            "density": links / np.maximum(size * (size - 1) / 2, 1),
            "conductance": pl.Series(np.minimum(cut / smaller, 1.0)).set(pl.Series(alone), None),
            "modularity": 2 * inner / max(whole, 1e-300) - resolution * (volume / max(whole, 1e-300)) ** 2,
        }
    ).cast({"size": pl.Int64, "links": pl.Int64})


def _leading_works(members: pl.DataFrame, most: int) -> pl.DataFrame:
    """`label`, `leading_works`."""
    import polars as pl

    ordered = members.sort("label", pl.col("score").neg(), "node_id")
    return ordered.group_by("label", maintain_order=True).agg(pl.col("node_id").head(most).alias("leading_works"))


def _leading_terms(members: pl.DataFrame, most: int) -> pl.DataFrame:
    """`label`, `leading_terms`; no row for a chamber without words."""
    import polars as pl

    plain = pl.col("title").str.normalize("NFKC").str.to_lowercase()
    words = (
        members.select("label", plain.str.extract_all(_WORD).list.unique().alias("word"))
        .explode("word")
        .filter(pl.col("word").is_not_null() & ~pl.col("word").is_in(_STOP_WORDS.split()))
        .group_by("label", "word")
        .agg(pl.len().cast(pl.Float64).alias("here"))
    )
    average = words["here"].sum() / max(words["label"].n_unique(), 1)
    scored = words.with_columns((pl.col("here") * (1 + average / pl.col("here").sum().over("word")).log()).alias("s"))
    ordered = scored.sort("label", pl.col("s").neg(), "word")
    return ordered.group_by("label", maintain_order=True).agg(pl.col("word").head(most).alias("leading_terms"))
