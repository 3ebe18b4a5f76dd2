"""Structures in the graph that look made for the score: for a person to look at, no money depends on them.

A party is whoever a work belongs to: its owner or, where none is known, its set of authors. A work without either
belongs to nobody here and speaks for nobody. The kinds and their thresholds are ours; what they look for is what
studies of citation cartels, link farms and bought stars describe: parties that use each other and are used by nobody
else, voices that say one thing, at one time, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

KINDS = ("reciprocity", "burst", "closed_clique", "self_citation", "split_repositories")
ALERTS = pl.Schema(
    {
        "alert": pl.String(), "kind": pl.String(), "members": pl.List(pl.String()), "works": pl.List(pl.String()),
        "score": pl.Float64(), "reason": pl.String(),
    }
)  # fmt: skip
_TIE_SHARES = (0.02, 0.05, 0.1, 0.2)
_SEEDS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Thresholds:
    """From where on something is worth a look."""

    mutual_links: int = 3
    """Reciprocity: links each way at least."""
    mutual_share: float = 0.5
    """Reciprocity: of all that either party gets from others, what comes from the other one at least."""
    lift: float = 5.0
    """Reciprocity: how many times as many links each way as chance would give at least, by what they give and get."""
    burst_voices: int = 5
    """Burst: parties that have nothing else, at least."""
    burst_share: float = 0.8
    """Burst: of all links to the work, what such parties gave within the window at least."""
    burst_says: int = 2
    """Burst: works that such a party uses at most."""
    burst_days: int = 7
    young_days: int = 30
    """Burst: how long before its link a work appeared at most. Split: within how many days its works appeared."""
    clique_parties: tuple[int, int] = (3, 50)
    """Closed clique: how many parties."""
    clique_share: float = 0.8
    """Closed clique: of all that its parties get, and of half of all that they give, what stays inside at least."""
    self_links: int = 20
    """Self-citation: links within a party's own works at least."""
    self_share: float = 0.95
    """Self-citation: their share of all links to its works, and of all from them, at least."""
    split_works: int = 5
    """Split repositories: how many at least."""
    split_share: float = 0.8
    """Split repositories: the share of their links that go to works which nearly all of them use."""
    split_part: float = 0.2
    """Split repositories: what they give of all that those works get, at least. Much used works are used by many."""


DEFAULT = Thresholds()


def alerts(works: pl.DataFrame, edges: pl.DataFrame, day: date, thresholds: Thresholds = DEFAULT) -> pl.DataFrame:
    """One row a suspicious structure of the graph as of the end of `day`, by kind and falling score.

    works, edges: as `citations.asof` gives them. Returned: `ALERTS`; members are parties, an author set on one line;
    alert is the same from day to day while kind and core (the parties; for a burst its work, for split repositories
    owner and first work) are; score in [0, 1] says how much of the structure fits the pattern. The order of the input
    does not matter.
    """
    graph = _Graph(works, edges, day)
    found = [
        *_reciprocity(graph, thresholds),
        *_burst(graph, thresholds),
        *_closed_cliques(graph, thresholds),
        *_self_citation(graph, thresholds),
        *_split_repositories(graph, thresholds),
    ]
    frame = pl.DataFrame([_row(*each) for each in found], schema=ALERTS, orient="row")
    order = pl.col("kind").replace_strict({kind: place for place, kind in enumerate(KINDS)}, return_dtype=pl.Int8)
    return frame.sort(order, -pl.col("score"), "alert")


Found = tuple[str, list[str], list[str], float, str, str]
"""kind, members, works, score, reason, core."""


def _row(kind: str, members: list[str], works: list[str], score: float, reason: str, core: str) -> tuple[Any, ...]:
    name = hashlib.sha256(f"{kind}\0{core}".encode()).hexdigest()[:16]
    return name, kind, sorted(set(members)), sorted(set(works)), score, reason


class _Graph:
    """Works and links by number, with the party of each."""

    def __init__(self, works: pl.DataFrame, edges: pl.DataFrame, day: date) -> None:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        party = pl.coalesce("owner", pl.col("authors").str.replace_all("\n", "; ", literal=True))
        held = works.filter(pl.col("event_at") < end).select("node_id", "event_at", party=party).sort("node_id")
        names = held.get_column("party").unique().drop_nulls().sort()
        numbers = pl.DataFrame({"party": names, "number": pl.int_range(names.len(), eager=True)})
        self.parties: list[str] = names.to_list()
        self.works = held.join(numbers, on="party", how="left", maintain_order="left").select(
            "node_id", "event_at", party="number"
        )
        end_of = self.works.select("node_id", "party", "event_at")
        known = edges.filter(pl.col("event_at") < end).select("source", "target", "target_node", "event_at", "own")
        # What uses a work in two ways says it once.
        once = known.group_by("source", "target", "target_node").agg(
            pl.col("event_at").min(), own=pl.col("own").is_not_null().any()
        )
        self.links = (
            once.join(end_of.rename({"node_id": "source", "party": "by", "event_at": "source_at"}), on="source")
            .join(end_of.select(target="node_id", to="party"), on="target")
            .filter(pl.col("source") != pl.col("target"))
            .with_columns(own=pl.col("own") | (pl.col("by") == pl.col("to")).fill_null(False))
            .sort("source", "target")
        )
        self.between = self.links.filter(~pl.col("own"))
        """Links that count."""
        self.pairs = (
            self.between.filter(pl.col("by").is_not_null() & pl.col("to").is_not_null())
            .group_by("by", "to")
            .agg(links=pl.len().cast(pl.Int64))
            .sort("by", "to")
        )
        self.given = self._of_parties("by")
        self.got = self._of_parties("to")

    def _of_parties(self, end: str) -> Integers:
        numbers = self.between.get_column(end).drop_nulls().to_numpy()
        return np.bincount(numbers, minlength=len(self.parties))

    def named(self, numbers: Any) -> list[str]:
        return [self.parties[number] for number in numbers]


def _ends(links: pl.DataFrame, by: list[str]) -> dict[Any, list[str]]:
    """The works at both ends of links, by the columns `by`."""
    if links.is_empty():
        return {}
    both = pl.concat([links.select(*by, work="source"), links.select(*by, work="target")]).unique()
    return {tuple(key): works for *key, works in both.group_by(by).agg("work").iter_rows()}


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _reciprocity(graph: _Graph, limits: Thresholds) -> Iterator[Found]:
    """Two parties that use each other far more than chance, and are used by hardly anybody else."""
    back = graph.pairs.select(by="to", to="by", back="links")
    both = graph.pairs.join(back, on=["by", "to"]).filter(pl.col("by") < pl.col("to"))
    both = both.filter(pl.min_horizontal("links", "back") >= limits.mutual_links).sort("by", "to")
    total = graph.between.height
    found = []
    for one, other, there, here in both.iter_rows():
        share = min(here / int(graph.got[one]), there / int(graph.got[other]))
        # As many links as one would give the other if all links went where links go.
        chance = int(graph.given[one]) * int(graph.got[other]), int(graph.given[other]) * int(graph.got[one])
        lift = min(there * total / chance[0], here * total / chance[1])
        if share >= limits.mutual_share and lift >= limits.lift:
            found.append((one, other, there, here, share, lift))
    chosen = pl.DataFrame([each[:2] for each in found], schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    ordered = graph.between.with_columns(a=pl.min_horizontal("by", "to"), b=pl.max_horizontal("by", "to"))
    works = _ends(ordered.join(chosen, on=["a", "b"], how="semi"), ["a", "b"])
    for one, other, there, here, share, lift in found:
        names = graph.named((one, other))
        yield (
            "reciprocity", names, works[one, other], share,
            f"{names[0]} uses works of {names[1]} {there:,} times and is used {here:,} times in return, at least "
            f"{lift:,.0f} times as often as chance would have it; at least {_percent(share)} of what either gets is "
            "from the other",
            "\0".join(names),
        )  # fmt: skip


def _densest(groups: Integers, times: Integers, days: int, least: int) -> Iterator[tuple[int, int]]:
    """First place and number of the most rows of each group within `days`, where they are at least `least`.

    groups, times: by row, in order of group and time; times in seconds.
    """
    if not groups.size:
        return
    width = days * 86_400
    since = times - times.min()
    keys = groups * (int(since.max()) + width + 1) + since
    counts = np.searchsorted(keys, keys + width, side="right") - np.arange(keys.size)
    order = np.lexsort((-counts, groups))
    for first in order[np.flatnonzero(np.diff(groups[order], prepend=-1))]:
        if counts[first] >= least:
            yield int(first), int(counts[first])


def _numbered(rows: pl.DataFrame, by: list[str], time: str) -> tuple[pl.DataFrame, Integers, Integers]:
    """Rows by group and time, the number of each row's group, and its time in seconds."""
    ordered = rows.sort(*by, time, "source")
    groups = ordered.select((pl.struct(by) != pl.struct(by).shift()).fill_null(True).cum_sum()).to_series()
    return ordered, groups.cast(pl.Int64).to_numpy(), ordered.get_column(time).dt.epoch("s").to_numpy()


def _burst(graph: _Graph, limits: Thresholds) -> Iterator[Found]:
    """A work nearly all of whose links came within days from young works of parties that hardly do anything else."""
    between = graph.between
    said = between.filter(pl.col("by").is_not_null())
    brief = said.group_by("by").agg(targets=pl.col("target").n_unique()).filter(pl.col("targets") <= limits.burst_says)
    unheard = pl.Series(np.flatnonzero(graph.got == 0))
    is_young = pl.col("event_at") - pl.col("source_at") <= timedelta(days=limits.young_days)
    empty = (
        said.join(brief, on="by", how="semi")
        .join(unheard.to_frame("by"), on="by", how="semi")
        .filter(is_young)
        # A party has one voice, the first time.
        .sort("target", "by", "event_at", "source")
        .unique(["target", "by"], keep="first", maintain_order=True)
    )
    totals = between.group_by("target").agg(links=pl.len())
    ordered, groups, times = _numbered(empty.join(totals, on="target"), ["target"], "event_at")
    for first, count in _densest(groups, times, limits.burst_days, limits.burst_voices):
        voices = ordered.slice(first, count)
        target, links, owner = voices.select("target", "links", "to").row(0)
        if count < limits.burst_share * links:
            continue
        begins, ends = voices.item(0, "event_at"), voices.item(-1, "event_at")
        yield (
            "burst",
            graph.named([*voices.get_column("by"), *([] if owner is None else [owner])]),
            [target, *voices.get_column("source")],
            count / links,
            f"{count:,} of the {links:,} links to {target} came from {begins:%Y-%m-%d} to {ends:%Y-%m-%d} from new "
            f"works of parties that nobody uses and that use at most {limits.burst_says} works",
            target,
        )


def _closed_cliques(graph: _Graph, limits: Thresholds) -> Iterator[Found]:
    """A few parties whose links go round among them and that hardly anybody else uses."""
    import igraph

    least, most = limits.clique_parties
    seen: set[tuple[int, ...]] = set()
    by, to, links = (graph.pairs.get_column(name).to_numpy() for name in ("by", "to", "links"))
    # A party that the group also uses may use one of it in passing: ties of less than a share of what somebody gives
    # are left out, and what that share should be depends on the size of the group.
    for tie in _TIE_SHARES if links.size else ():
        strong = links >= tie * graph.given[by]
        ties = igraph.Graph(len(graph.parties), np.column_stack((by[strong], to[strong])), directed=True)
        group = np.array(ties.connected_components(mode="strong").membership)
        sizes = np.bincount(group)
        inside = np.bincount(group[by], weights=links * (group[by] == group[to]), minlength=sizes.size)
        got = np.bincount(group, weights=graph.got, minlength=sizes.size)
        given = np.bincount(group, weights=graph.given, minlength=sizes.size)
        # A circle of three with a link each happens; more of them, or more links, want a reason.
        closed = (sizes >= least) & (sizes <= most) & (inside >= np.maximum(sizes, least + 1))
        closed &= (inside >= limits.clique_share * got) & (inside >= limits.clique_share / 2 * given)
        circles, works = _circles(group, closed, graph)
        for number, members in circles.items():
            if members in seen:
                continue
            seen.add(members)
            names = graph.named(members)
            yield (
                "closed_clique", names, works[(number,)], float(inside[number] / got[number]),
                f"{len(names):,} parties use one another in a circle: {int(inside[number]):,} of the "
                f"{int(got[number]):,} links to them and of the {int(given[number]):,} that they give are among them",
                "\0".join(names),
            )  # fmt: skip


def _circles(group: Integers, closed: Any, graph: _Graph) -> tuple[dict[int, tuple[int, ...]], dict[Any, list[str]]]:
    """The parties of each closed group, and the works at both ends of the links within it."""
    numbers = pl.DataFrame({"by": np.arange(group.size), "group": group}).filter(pl.Series(closed[group]))
    inside = graph.between.join(numbers, on="by").join(numbers.rename({"by": "to"}), on=["to", "group"])
    members = numbers.sort("by").group_by("group", maintain_order=True).agg("by")
    return {number: tuple(parties) for number, parties in members.iter_rows()}, _ends(inside, ["group"])


def _self_citation(graph: _Graph, limits: Thresholds) -> Iterator[Found]:
    """A party whose works use hardly anything but one another, and are used by hardly anything else."""
    own = graph.links.filter(pl.col("own"))
    counts = own.group_by("by").agg(links=pl.len()).filter(pl.col("links") >= limits.self_links).sort("by")
    found = []
    for number, links in counts.iter_rows():
        got, given = int(graph.got[number]), int(graph.given[number])
        share = min(links / (links + got), links / (links + given))
        if share >= limits.self_share:
            found.append((number, links, got, given, share))
    chosen = pl.DataFrame({"by": [each[0] for each in found]}, schema={"by": pl.Int64})
    works = _ends(own.join(chosen, on="by", how="semi"), ["by"])
    for number, links, got, given, share in found:
        name = graph.parties[number]
        yield (
            "self_citation", [name], works[(number,)], share,
            f"{links:,} links lead from works of {name} to its own, {got:,} from others to them and {given:,} from "
            "them to others",
            name,
        )  # fmt: skip


def _split_repositories(graph: _Graph, limits: Thresholds) -> Iterator[Found]:
    """One party with many works of the same time that all link to the same works: what could have been one."""
    said = graph.between.filter(pl.col("by").is_not_null())
    # MinHash (Broder 1997): works that link to nearly the same fall together under one of a few hashes.
    targets = said.get_column("target_node").to_numpy()
    hashes = said.with_columns(_mixed(targets, seed) for seed in _SEEDS)
    hashes = hashes.group_by("by", "source").agg(
        pl.col("source_at").first(), *(pl.col(f"h{seed}").min() for seed in _SEEDS)
    )
    chosen, parts = [], 0
    for seed in _SEEDS:
        large = hashes.filter(pl.len().over("by", f"h{seed}") >= limits.split_works)
        ordered, groups, times = _numbered(large, ["by", f"h{seed}"], "source_at")
        found = np.array(list(_densest(groups, times, limits.young_days, limits.split_works)), np.int64).reshape(-1, 2)
        part = np.repeat(np.arange(len(found)), found[:, 1])
        rows = np.arange(part.size) - (np.cumsum(found[:, 1]) - found[:, 1])[part] + found[part, 0]
        chosen.append(ordered[rows].select("by", "source", "source_at", part=pl.Series(part + parts)))
        parts += len(found)
    members = pl.concat(chosen)
    seen: set[str] = set()
    for _, works, targets, share, by, begins, ends, names in _shared(members, said, limits).iter_rows():
        if not seen.isdisjoint(names):
            continue
        seen.update(names)
        owner = graph.parties[by]
        yield (
            "split_repositories", [owner], names, share,
            f"{works:,} works of {owner} that appeared from {begins:%Y-%m-%d} to {ends:%Y-%m-%d} link to the same "
            f"{targets:,} works with {_percent(share)} of their links",
            f"{owner}\0{names[0]}",
        )  # fmt: skip


def _mixed(numbers: Integers, seed: int) -> pl.Series:
    """A hash of whole numbers that is the same everywhere (the finalizer of SplitMix64, Steele et al. 2014)."""
    bits = numbers.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return pl.Series(f"h{seed}", bits ^ (bits >> np.uint64(31)))


def _shared(members: pl.DataFrame, said: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """part, works, targets, share, by, begins, ends, names: what nearly all works of a part link to, how much of their
    links go there, and whose they are.

    The parts of which that is most, the largest first.
    """
    sizes = members.group_by("part").agg(
        pl.col("by").first(),
        works=pl.len(),
        begins=pl.col("source_at").min(),
        ends=pl.col("source_at").max(),
        names=pl.col("source").sort_by("source_at", "source"),
    )
    got = said.group_by("target").agg(got=pl.len())
    links = members.join(said.select("source", "target"), on="source").group_by("part", "target").agg(links=pl.len())
    is_shared = pl.col("links") >= limits.split_share * pl.col("works")
    to_shared = pl.col("links").filter(is_shared).sum()
    measured = (
        links.join(sizes.select("part", "works"), on="part")
        .join(got, on="target")
        .group_by("part", "works")
        .agg(
            targets=is_shared.sum(),
            share=to_shared / pl.col("links").sum(),
            of_all=to_shared / pl.col("got").filter(is_shared).sum(),
        )
    )
    chosen = measured.filter((pl.col("share") >= limits.split_share) & (pl.col("of_all") >= limits.split_part))
    chosen = chosen.sort(-pl.col("works").cast(pl.Int64), "part").drop("of_all")
    return chosen.join(sizes.drop("works"), on="part", maintain_order="left")
