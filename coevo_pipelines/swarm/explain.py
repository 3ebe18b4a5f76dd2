"""From a decision marker back to the works behind it: who the two are, what speaks for each version, who decided."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from coevo_pipelines.swarm.config import MILLI, Outcome
from coevo_pipelines.swarm.seeding.methods import PRACTICE, pattern_of
from coevo_pipelines.swarm.seeding.world import Known, seats_of, uses_of

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Settings

SHOWN = 12
"""Works or rows of one kind that `lines` shows."""
LEVELS = ("reflex", "organisms", "Nyx", "Chrysalis", "dafit", "council")


class UnknownMarker(ValueError):
    """There is no such marker; the message says what there is."""


@dataclass(frozen=True)
class Work:
    """A work as a person finds it."""

    work_id: str
    title: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Use:
    """A work that cites or reuses a version."""

    work: Work
    cluster: str
    """Who is behind it."""
    relation: str
    event_at: datetime | None
    evidence: str | None
    """Where exactly it says so (`citations.edges`)."""
    counts: bool
    """False: it is the holder's own."""


@dataclass(frozen=True)
class Seen:
    """An outcome that happened: a new work of the community, and whether it took up the version."""

    tick: int
    success: bool
    work: Work


@dataclass(frozen=True)
class Party:
    """One of the two: who it is, which version it had when the marker was opened, and how that went."""

    side: Literal["teacher", "student"]
    organism: Mapping[str, Any]
    """Row of `swarm.organisms`: the last one of it by the day."""
    works: Sequence[Work]
    version_id: str
    work: Work | None
    """Of the version; None where the version is no work."""
    version: Mapping[str, Any]
    """Row of `swarm.versions`."""
    uses: Sequence[Use]
    """What speaks for the version, in order of cluster: works of other clusters than its own."""
    weight: int
    prior: Mapping[str, int]
    """k, n and verifications when the marker was opened."""
    observed: Sequence[Seen]
    simulated: tuple[int, int]
    """Successes and trials while it was open that nobody observed."""


@dataclass(frozen=True)
class Explanation:
    """A marker as of a day, with all that the lake holds about it."""

    day: date
    marker: Mapping[str, Any]
    """Row of `swarm.decision_markers`."""
    teacher: Party
    student: Party
    steps: Sequence[Mapping[str, Any]]
    """Rows of `swarm.escalations`, in order."""
    entries: Sequence[Mapping[str, Any]]
    """Rows of `swarm.lifeforce_ledger` about the marker or its predictions."""
    predictions: Sequence[Mapping[str, Any]]
    """Rows of `swarm.blend_predictions`."""
    review: Mapping[str, Any] | None
    """Row of `swarm.review_queue`."""
    spread: Sequence[tuple[date, int, int]]
    """By day since it was opened: how many hold the teacher's version, and the student's."""
    is_made_up: bool = False
    """A world without a lake: no works are behind it."""
    strategies: Sequence[Mapping[str, Any]] = ()
    """Of a practice of hubs: rows of `hubs.strategies` of the day, what it was measured by in order."""


def explain(snapshot: Snapshot, marker_id: str, settings: Settings, day: date | None = None) -> Explanation:
    """About a marker as of `day` (default: the swarm's last). Raises UnknownMarker."""
    from coevo_pipelines.swarm.load import known_of

    last, marker = _marker(snapshot, marker_id, day)
    known = known_of(snapshot, last, settings)
    shelf = _Shelf(snapshot, last, known)
    predictions = _latest(snapshot, "swarm.blend_predictions", last, "prediction_id", pl.col("marker_id") == marker_id)
    about = [marker_id, *(row["prediction_id"] for row in predictions)]
    entries = snapshot.scan("swarm.lifeforce_ledger", upto=last).filter(pl.col("ref").is_in(about)).sort("entry_id")
    steps = snapshot.scan("swarm.escalations", upto=last).filter(pl.col("marker_id") == marker_id)
    queue = _latest(snapshot, "swarm.review_queue", last, "review_id", pl.col("marker_id") == marker_id)
    return Explanation(
        last,
        marker,
        shelf.party("teacher", marker),
        shelf.party("student", marker),
        # Of one tick: those that were asked, upwards; then those that were told.
        steps.sort("tick", "event", "level").collect().to_dicts(),
        entries.collect().to_dicts(),
        predictions,
        queue[0] if queue else None,
        _spread(snapshot, last, marker),
        strategies=_strategies(snapshot, last, marker["pattern"]),
    )


def _strategies(snapshot: Snapshot, day: date, pattern: str) -> list[dict[str, Any]]:
    if not pattern.startswith(PRACTICE):
        return []
    rows = snapshot.scan("hubs.strategies", on=day).filter(pattern_of(pl.col("practice")) == pattern)
    return rows.sort("practice", "quantity").collect().drop("date").to_dicts()


def _marker(snapshot: Snapshot, marker_id: str, day: date | None) -> tuple[date, dict[str, Any]]:
    """The day as of which is asked, and the last row of the marker by then."""
    days = [commit.day for commit in snapshot.index.partitions("swarm.decision_markers")]
    there = [each for each in days if day is None or each <= day]
    if not there:
        since = f" by {day}: it begins on {days[0]}" if days else ": `coevo run` makes one"
        raise UnknownMarker(f"the lake has no swarm{since}")
    last = max(there)
    found = _latest(snapshot, "swarm.decision_markers", last, "marker_id", pl.col("marker_id") == marker_id)
    if found:
        return last, found[0]
    ids = snapshot.scan("swarm.decision_markers", upto=last).select("marker_id").unique().sort("marker_id").collect()
    known = ids["marker_id"].to_list()
    close = difflib.get_close_matches(marker_id, known[-500:], n=3)
    hint = (
        f"did you mean {', '.join(close)}?"
        if close
        else f'there are {len(known)}: `coevo query "FROM swarm.decision_markers"`'
    )
    raise UnknownMarker(f"no marker {marker_id!r} by {last}; {hint}")


def _latest(snapshot: Snapshot, table: str, day: date, key: str, where: pl.Expr) -> list[dict[str, Any]]:
    """The last row by `day` of each `key`, in order."""
    rows = snapshot.scan(table, upto=day).filter(where).collect()
    return rows.sort("date").unique(key, keep="last").sort(key).drop("date").to_dicts()


def _spread(snapshot: Snapshot, last: date, marker: Mapping[str, Any]) -> list[tuple[date, int, int]]:
    since = marker["marked_at"].date()
    rows = snapshot.scan("swarm.versions", upto=last).filter(
        pl.col("date") >= since, pl.col("pattern") == marker["pattern"]
    )
    holders = [
        pl.col("holders").filter(pl.col("version_id") == marker[f"{side}_version"]).sum().alias(side)
        for side in ("teacher", "student")
    ]
    return list(rows.group_by("date").agg(*holders).sort("date").collect().iter_rows())


class _Shelf:
    """Works, and what the graph of a day knows of them."""

    def __init__(self, snapshot: Snapshot, day: date, known: Known) -> None:
        self.snapshot, self.day, self.known = snapshot, day, known
        self.seats = seats_of(known)
        self.uses = uses_of(known, self.seats)
        self.stands = dict(known.aliases.select("id", "canonical").iter_rows())

    def party(self, side: Literal["teacher", "student"], marker: Mapping[str, Any]) -> Party:
        organism = self._organism(marker[f"{side}_id"])
        version_id = marker[f"{side}_version"]
        is_version = (pl.col("pattern") == marker["pattern"]) & (pl.col("version_id") == version_id)
        versions = _latest(self.snapshot, "swarm.versions", self.day, "version_id", is_version)
        outcomes = [Outcome.model_validate_json(each) for each in marker[f"{side}_outcomes"]]
        seen = [(each, json.loads(each.context)["work"]) for each in outcomes if each.source == "observed"]
        simulated = [each.success for each in outcomes if each.source == "simulated"]
        # What was one work when the tables were written may be known under another name by now.
        version, *own = (self.stands.get(each, each) for each in (version_id, *organism["works"]))
        uses = self._uses(version)
        works = self._works([version, *own, *uses["source"], *(work for _, work in seen)])
        mine = set(self.seats.filter(pl.col("node_id").is_in(own))["cluster"])
        return Party(
            side,
            organism,
            [works[each] for each in own],
            version_id,
            works[version] if version in set(self.seats["node_id"]) else None,
            versions[0] if versions else {},
            [
                Use(works[source], cluster, relation, event_at, evidence, cluster not in mine)
                for source, cluster, relation, event_at, evidence in uses.iter_rows()
            ],
            marker[f"{side}_weight"],
            {name: marker[f"{side}_prior_{name}"] for name in ("k", "n", "verifications")},
            [Seen(each.tick, each.success, works[work]) for each, work in seen],
            (sum(simulated), len(simulated)),
        )

    def _organism(self, organism_id: str) -> dict[str, Any]:
        rows = _latest(self.snapshot, "swarm.organisms", self.day, "organism_id", pl.col("organism_id") == organism_id)
        return rows[0] if rows else {"organism_id": organism_id, "works": []}

    def _uses(self, version_id: str) -> pl.DataFrame:
        """source, cluster, relation, event_at, evidence: one row a link that speaks for the version."""
        uses = self.uses.filter(pl.col("target") == version_id).select("source", "cluster", "relation")
        edges = self.snapshot.scan("citations.edges", upto=self.day)
        stands = self.known.aliases.lazy()
        for end in ("source", "target"):
            edges = edges.join(stands.rename({"id": end, "canonical": f"{end}_now"}), end, how="left")
            edges = edges.with_columns(pl.coalesce(f"{end}_now", end).alias(end))
        said = edges.filter(pl.col("target") == version_id).select("source", "relation", "event_at", "evidence")
        first = said.sort("event_at", "evidence").unique(["source", "relation"], keep="first").collect()
        joined = uses.join(first, ["source", "relation"], how="left")
        return joined.select("source", "cluster", "relation", "event_at", "evidence").sort(
            "cluster", "source", "relation"
        )

    def _works(self, ids: Iterable[str]) -> dict[str, Work]:
        wanted = pl.DataFrame({"node_id": sorted(set(ids))}, schema={"node_id": pl.String})
        titles = wanted.join(self.known.works.select("node_id", "title"), "node_id", how="left")
        names = self.known.aliases.join(wanted, left_on="canonical", right_on="node_id", how="semi")
        names = pl.concat([names, wanted.select(id="node_id", canonical="node_id")]).unique()
        pages = self.snapshot.scan("traces.works", upto=self.day).select("date", "event_at", "url", id="work_id")
        found = pages.drop_nulls("url").join(names.lazy(), "id").sort("date", "event_at", "id", "url").collect()
        # The page under the work's own name, where it has one.
        urls = found.sort(pl.col("id") == pl.col("canonical"), maintain_order=True)
        urls = urls.unique("canonical", keep="last").select("url", node_id="canonical")
        joined = titles.join(urls, "node_id", how="left")
        return {node_id: Work(node_id, title, url) for node_id, title, url in joined.iter_rows()}


def lines(found: Explanation) -> Iterator[str]:
    """The explanation for a person, a line at a time."""
    for line in _told(found):
        # Titles and reasons are others' text: nothing in them may move a terminal's cursor.
        yield "".join(each if each.isprintable() else " " for each in line)


def _told(found: Explanation) -> Iterator[str]:
    row = found.marker
    yield f"{row['marker_id']} as of {found.day}: whose way of {row['pattern']} ({row['importance']}) is better?"
    seeded = "in a made-up world" if found.is_made_up else "seeded from real works"
    yield f"  Simulated, {seeded}; {row['fraction_observed']:.0%} of the outcomes below were observed."
    kind = "both hold theirs as verified" if row["kind"] == "blend" else "neither is verified"
    yield f"  Opened at tick {row['marked_tick']} ({row['marked_at']:%Y-%m-%d}): {kind}; protocol {row['protocol']}."
    yield f"  {_outcome(row)}"
    if row["pattern"].startswith(PRACTICE):
        yield from _listed("What hubs found of it:", [_strategy(each) for each in found.strategies], nothing="nothing")
    for party in (found.teacher, found.student):
        yield ""
        yield from _party(party, found.is_made_up)
    yield ""
    yield from _listed("Who was asked:", [_step(each) for each in found.steps], nothing="nobody yet")
    yield from _listed("What Nyx expected:", [_expected(each) for each in found.predictions], nothing="nothing")
    yield from _listed("What a person was asked:", _asked(found.review), nothing="nothing")
    yield from _listed("How it spread:", [*_spreading(found)], nothing="not yet")
    yield from _listed("Lifeforce:", [_entry(each) for each in found.entries], nothing="no entry")


def _outcome(row: Mapping[str, Any]) -> str:
    if row["status"] != "resolved":
        state = "Still open" if row["status"] == "pending" else "Given up"
        return state + (f": {row['why']}." if row["why"] else ".")
    whose = "both keep theirs" if row["winner"] == "hybrid" else f"the {row['winner']}'s"
    told = f"Resolved at tick {row['resolved_tick']} ({row['resolved_at']:%Y-%m-%d}) by {row['decided_by']}: {whose}"
    told += f"; q {_number(row['q'])}, confidence {_number(row['confidence'])}, Fisher p {_number(row['fisher_p'])}"
    if row["evidence_delta"] is not None:
        told += f", rates differ by {100 * row['evidence_delta']:+.2f} points while it was open"
    turned = row["corrected_tick"]
    return told + (f"; a person turned it at tick {turned}." if turned is not None else ".")


def _party(party: Party, is_made_up: bool) -> Iterator[str]:
    row = party.organism
    label = row.get("label")
    yield f"{party.side}: {label} ({row['organism_id']})" if label else f"{party.side}: {row['organism_id']}"
    if row.get("replaces"):
        yield f"  a newborn of the simulation, in the place of {row['replaces']}; no work is behind it"
    elif "kind" in row:
        home = f", community {row['community']}" if row["community"] else ""
        yield f"  {row['kind']}, {row['tier']}{home}, influence above {row['influence']:.0%} of all"
    if not is_made_up:
        yield from _listed("  its works:", [_work(each) for each in party.works], "    ")
    usual = "" if is_made_up else " (the usual way there, no single work)"
    what = _work(party.work) if party.work else f"{party.version_id}{usual}"
    withdrawn = ", WITHDRAWN" if party.version.get("is_withdrawn") else ""
    yield f"  version at {party.weight:+d}: {what}{withdrawn}"
    if not is_made_up:
        clusters = len({each.cluster for each in party.uses if each.counts})
        yield from _listed(
            f"    built on by {clusters} independent cluster{'' if clusters == 1 else 's'}:",
            [_use(each) for each in party.uses],
            "      ",
        )
    if against := party.version.get("evidence_against"):
        yield f"    against it: {against} (withdrawn, archived by its owner, or a hub where it got worse)"
    prior = party.prior
    yield f"  when opened: {prior['k']} of {prior['n']} trials succeeded, {prior['verifications']} verifications"
    succeeded, trials = party.simulated
    yield f"  while open, simulated: {succeeded} of {trials} succeeded"
    yield from _listed("  while open, observed:", [_seen(each) for each in party.observed], "    ")


def _work(work: Work) -> str:
    title = f' "{work.title}"' if work.title else ""
    return f"{work.work_id}{title}" + (f" {work.url}" if work.url else "")


def _strategy(row: Mapping[str, Any]) -> str:
    said = f"{row['practice']}, by {row['quantity']}: {row['verdict']}; {row['why']}"
    return f"{said} [{', '.join(row['hub_ids'])}; raw bytes {', '.join(row['evidence'])}]"


def _use(use: Use) -> str:
    when = f", {use.event_at:%Y-%m-%d}" if use.event_at else ""
    where = f" [{use.evidence}{when}]" if use.evidence else ""
    own = "" if use.counts else "; its own, does not count"
    return f"{use.cluster}: {_work(use.work)} {use.relation} it{where}{own}"


def _seen(seen: Seen) -> str:
    return f"tick {seen.tick}: {_work(seen.work)} {'took it up' if seen.success else 'did not take it up'}"


def _step(row: Mapping[str, Any]) -> str:
    told = f"tick {row['tick']}, level {row['level']} ({LEVELS[row['level']]}) {row['event']}"
    if row["cost_milli"]:
        told += f", {_lf(row['cost_milli'])}"
    if row["q"] is not None:
        told += f", q {_number(row['q'])}, confidence {_number(row['confidence'])}"
    if row["winner"]:
        told += f": {row['winner']}"
    if row["is_final"]:
        told += f" - decided by {row['decided_by']}"
    return told + (f" ({row['reason']})" if row["reason"] else "")


def _expected(row: Mapping[str, Any]) -> str:
    told = f"tick {row['predicted_tick']}: {row['predicted_winner']} at {_number(row['prediction_confidence'])}"
    told += f", because {row['causal_reasoning']}"
    if row["prediction_correct"] is None:
        return told + (f"; not scored: {row['void_reason']}" if row["void_reason"] else "; open")
    paid = sum(row[f"{name}_reward"] or 0 for name in ("prediction", "calibration", "causal"))
    right = "right" if row["prediction_correct"] else f"wrong, it was the {row['actual_winner']}"
    return f"{told}; {right} (Brier {_number(row['brier'])}), {paid:+g} LF"


def _asked(row: Mapping[str, Any] | None) -> list[str]:
    if row is None:
        return []
    told = f"{row['review_id']} ({row['status']}): {row['question']}"
    if row["decision"] is None:
        return [told]
    note = f": {row['note']}" if row["note"] else ""
    return [told, f"{row['reviewer']} decided {row['decision']} ({row['decided_at']:%Y-%m-%d %H:%M} UTC){note}"]


def _spreading(found: Explanation) -> Iterator[str]:
    row = found.marker
    winner = {"teacher": found.teacher, "student": found.student}.get(row["winner"])
    if row["distribution"] and winner:
        hops = winner.version.get("hops", 0)
        chosen = winner.version.get("chosen_by")
        again = f"; {chosen} chose it too, later" if chosen not in {None, row["marker_id"]} else ""
        yield f"{row['distribution']}: {hops} clasp{'' if hops == 1 else 's'} carried the winner's version on{again}"
    days = found.spread if len(found.spread) <= SHOWN else [found.spread[0], *found.spread[1 - SHOWN :]]
    for day, teacher, student in days:
        yield f"{day}: {teacher} held the teacher's version, {student} the student's"


def _entry(row: Mapping[str, Any]) -> str:
    short = f", {_lf(row['shortfall_milli'])} missing" if row["shortfall_milli"] else ""
    amount = _lf(row["amount_milli"])
    return f"tick {row['tick']}: {amount} for {row['kind']}, {row['from_account']} to {row['to_account']}{short}"


def _listed(heading: str, rows: Sequence[str], indent: str = "  ", nothing: str = "none") -> Iterator[str]:
    """At most `SHOWN` of the rows."""
    if not rows:
        yield f"{heading} {nothing}"
        return
    yield heading
    yield from (f"{indent}{each}" for each in rows[:SHOWN])
    if len(rows) > SHOWN:
        yield f"{indent}and {len(rows) - SHOWN} more"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _lf(milli: int) -> str:
    return f"{milli / MILLI:g} LF"
