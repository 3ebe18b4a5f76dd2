"""`coevo influence …`: scores for anyone's list of links, and questions about the lake's own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    day_of,
    existing_lake,
    not_an_input,
    settings_of,
)

if TYPE_CHECKING:
    from coevo_pipelines.influence.standalone import Scored

influence = typer.Typer(
    name="influence", no_args_is_help=True, help="Who influences whom: score a list of links, explain, compare days."
)


class Mode(StrEnum):
    open = "open"
    guarded = "guarded"


EdgesArgument = Annotated[
    Path,
    typer.Argument(
        help="Links as .parquet or .csv: columns source (the user) and target (the work used), text or integers; "
        "optional relation, weight, event_at.",
        show_default=False,
    ),
]
NodesOption = Annotated[
    Path | None, typer.Option("--nodes", help="Works, .parquet or .csv: column id, optional event_at.")
]
DampingOption = Annotated[float, typer.Option("--damping", help="Chance that a reader follows a link, 0 to below 1.")]
TauOption = Annotated[float, typer.Option("--tau", help="Years in which a work's share of fresh readers falls to 1/e.")]
UniformOption = Annotated[bool, typer.Option("--uniform", help="Readers start anywhere alike, whatever the dates.")]
WeightOption = Annotated[
    list[str] | None,
    typer.Option("--relation-weight", help="NAME=WEIGHT, again for each; known: derives_from=3, cites=1, …"),
]


@influence.command()
def score(
    edges: EdgesArgument,
    out: Annotated[Path, typer.Option("--out", help="Where to write id, influence, inflow: .parquet or .csv.")],
    nodes: NodesOption = None,
    damping: DampingOption = 0.5,
    tau: TauOption = 2.6,
    uniform: UniformOption = False,
    relation_weight: WeightOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Influence of every work in a list of links of your own.

    influence is PageRank: readers start at a work (at new ones more often, exp(-age/tau), when event_at says how old
    they are) and follow a link with chance --damping. inflow is what arrives over links alone, as a share of all that
    arrives. With --damping .85 --uniform it is textbook PageRank. Self-loops are dropped and
    counted; so are repeated links, of which the heaviest stays. Rows that cannot be read are counted and written to
    OUT.rejects.csv.

    \b
    Example:
      coevo influence score links.csv --damping .85 --uniform --out scores.parquet
    """
    from coevo_pipelines.influence.edgelist import memory
    from coevo_pipelines.influence.standalone import score as scored_of
    from coevo_pipelines.influence.standalone import write, write_table
    from coevo_pipelines.terminal import json_out, say

    _checked(damping, tau, out)
    weights = _weights(relation_weight)
    rejects = out.with_name(f"{out.name}.rejects.csv")
    not_an_input((out, rejects), (edges, nodes))
    if not as_json:
        needed = memory(edges, nodes, dated=not uniform) / 1e9
        say(f"{edges}: needs up to about {max(needed, 0.1):.1f} GB of memory", style="dim", error=True)

    def tell(line: str) -> None:
        if not as_json:
            say(f"  {line}", style="dim", error=True)

    scored = scored_of(
        edges, nodes, damping=damping, tau_years=tau, uniform=uniform, relation_weight=weights, tell=tell
    )
    write(scored, out)
    if scored.edges.rejects.height:
        write_table(scored.edges.rejects.to_arrow(), rejects)
    else:
        rejects.unlink(missing_ok=True)
    if as_json:
        json_out(_summary(scored, damping) | {"out": str(out)})
    else:
        _show_scored(scored, damping, out, rejects)


@influence.command(context_settings={"ignore_unknown_options": True})  # -5 is an identifier, not an option
def explain(
    work: Annotated[str, typer.Argument(metavar="ID", help="Identifier of a work, such as arxiv:1306.2257.")],
    date: Annotated[str | None, typer.Option("--date", help="As of this day; default: the lake's last.")] = None,
    mode: Annotated[Mode, typer.Option("--mode", help="Open, or guarded as money goes by.")] = Mode.open,
    paths: Annotated[int, typer.Option("--paths", min=0, max=1000, help="How many paths to show.")] = 10,
    edges: Annotated[
        Path | None, typer.Option("--edges", help="Ask about a list of links of your own, as `score` takes it.")
    ] = None,
    nodes: NodesOption = None,
    damping: DampingOption = 0.5,
    tau: TauOption = 2.6,
    uniform: UniformOption = False,
    relation_weight: WeightOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Why a work's influence is what it is: the links that bring it, and the paths on which readers came.

    Of the lake as of a day (with the lake's settings), or with --edges of a list of links of your own (then
    --damping, --tau, --uniform and --relation-weight count).
    """
    from coevo_pipelines.influence import asked
    from coevo_pipelines.terminal import json_out

    if edges is not None:
        if date is not None or mode is not Mode.open:
            raise UsageError("--date and --mode are about the lake: leave them out with --edges")
        _checked(damping, tau, None)
        answer = asked.explain_list(
            work, edges, nodes, damping=damping, tau_years=tau, uniform=uniform,
            relation_weight=_weights(relation_weight), paths=paths,
        )  # fmt: skip
    else:
        settings = settings_of(lake, source)
        store, day = _lake_and_day(existing_lake(settings), date, settings)
        answer = asked.explain_day(store.snapshot(), day, work, settings, guarded=mode is Mode.guarded, paths=paths)
    if as_json:
        json_out(asked.as_json(answer))
    else:
        _show_explained(answer)


@influence.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="D1", help="The earlier day, YYYY-MM-DD.")],
    second: Annotated[str, typer.Argument(metavar="D2", help="The later day.")],
    score: Annotated[str, typer.Option("--score", help="Column of influence.scores.")] = "influence",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many rows of each kind to show.")] = 10,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """What changed between two days of the lake: scores, links, and chambers that split, merged, appeared or ended."""
    from coevo_pipelines.influence import asked
    from coevo_pipelines.terminal import json_out

    settings = settings_of(lake, source)
    store, earlier = _lake_and_day(existing_lake(settings), first, settings)
    _, later = _lake_and_day(store.root, second, settings)
    if earlier >= later:
        raise UsageError(f"{first} is not before {second}: give the earlier day first")
    changes = asked.compare_days(store.snapshot(), earlier, later, score, settings.engine)
    if as_json:
        json_out(asked.changes_as_json(changes))
    else:
        _show_changes(changes, first, second, score, limit)


def _checked(damping: float, tau: float, out: Path | None) -> None:
    if not 0 <= damping < 1:
        raise UsageError(f"--damping is {damping}: give a number from 0 to below 1, such as .85")
    if not 0 < tau < float("inf"):
        raise UsageError(f"--tau is {tau}: give a number of years above 0")
    if out is not None and out.suffix.lower() not in {".parquet", ".csv"}:
        raise UsageError(f"--out {out}: the name ends in .parquet or .csv")
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out}: this is a folder; name a file in it")
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.absolute().parent}")


def _weights(given: list[str] | None) -> dict[str, float]:
    weights = dict(RELATION_WEIGHT)
    for text in given or []:
        name, _, number = text.rpartition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            name = ""
        if not name or not 0 <= weights[name] < float("inf"):
            raise UsageError(
                f"--relation-weight {text}: write NAME=WEIGHT with a weight of at least 0, such as cites=1"
            )
    return weights


def _lake_and_day(root: Path, text: str | None, settings: Any) -> tuple[Any, Any]:
    """The lake and a day that has scores; the last one when none is named."""
    from coevo_pipelines.lake.store import Lake

    store = Lake(root)
    scored = [commit.day for commit in store.snapshot().index.partitions("influence.scores")]
    if not scored:
        raise UsageError(f"{root} has no scores yet: `coevo run --date YYYY-MM-DD` makes them")
    day = day_of(text, settings) if text else scored[-1]
    if day not in scored:
        raise UsageError(f"there are no scores of {day}; there are from {scored[0]} to {scored[-1]}")
    return store, day


def _summary(scored: Scored, damping: float) -> dict[str, Any]:
    counts, solution = scored.edges.counts, scored.solution
    return {
        "rows": counts.rows,
        "works": scored.works,
        "links": counts.links - scored.dropped.self_loops - scored.dropped.duplicates,
        "self_loops": scored.dropped.self_loops,
        "duplicates": scored.dropped.duplicates,
        "rejected": dict(counts.rejected),
        "works_listed": counts.listed,
        "works_repeated_in_list": counts.repeated,
        "works_not_in_list": counts.unknown if counts.listed is not None else None,
        "works_without_date": counts.undated,
        "damping": damping,
        "teleport": scored.starts,
        "sweeps": solution.sweeps,
        "residual": solution.residual,
        "seconds": dict(scored.seconds),
    }


def _show_scored(scored: Scored, damping: float, out: Path, rejects: Path) -> None:
    from coevo_pipelines.terminal import rows_table, say

    facts = _summary(scored, damping)
    say(f"{facts['works']:,} works, {facts['links']:,} links from {facts['rows']:,} rows")
    notes = [(facts["self_loops"], "self-loops dropped"), (facts["duplicates"], "repeated links dropped")]
    notes += [(facts["works_repeated_in_list"], "works repeated in the list of works")]
    notes += [(facts["works_not_in_list"] or 0, "works are in links only, not in the list of works (they count)")]
    notes += [(facts["works_without_date"], "works without a date count as old as the oldest")]
    notes += [(count, f"rows: {reason}") for reason, count in facts["rejected"].items()]
    for count, what in notes:
        if count:
            say(f"  {count:,} {what}", style="yellow")
    say(f"damping {damping:g}, readers start: {facts['teleport']}; residual {facts['residual']:.1e}")
    rows_table(("id", "influence", "inflow"), [(name, f"{x:.9f}", f"{f:.9f}") for name, x, f in scored.top(10)])
    say(f"Written: {out}" + (f", and {rejects}" if scored.edges.rejects.height else ""), style="bold green")


def _show_explained(answer: Any) -> None:
    from coevo_pipelines.terminal import rows_table, say

    say(f"{answer.id}  {answer.title or ''}".rstrip(), style="bold")
    say(answer.context)
    share = answer.share
    say(
        f"influence {answer.influence:.9f}, rank {answer.rank:,} of {answer.works:,}: {share(answer.started)} of it "
        f"are readers who start here, {share(answer.influence - answer.started)} come over "
        f"{len(answer.arrivals):,} links"
    )
    if answer.arrivals:
        rows = [(share(a.flow), a.relation, a.id, a.title or "") for a in answer.arrivals[:20]]
        rows_table(("share", "relation", "from", "title"), rows)
        if len(answer.arrivals) > 20:
            say(f"and {len(answer.arrivals) - 20:,} more links (all of them with --json)", style="dim")
    if answer.paths:
        say("The strongest paths, from where readers start:")
        for path in answer.paths:
            say(f"  {share(path.flow)}  {path.text}")
        if not answer.complete:
            say("  (the search for more was given up)", style="dim")


def _show_changes(changes: Any, first: str, second: str, score: str, limit: int) -> None:
    from coevo_pipelines.terminal import rows_table, say

    say(f"{first} -> {second}", style="bold")
    moved = changes.scores.filter(changes.scores["change"] != 0)
    say(
        f"{score}: {moved.height:,} of {changes.scores.height:,} works moved; "
        f"{changes.appeared:,} are new, {changes.gone:,} are gone"
    )
    number = "{:.9f}".format
    rows_table(
        ("work", first, second, "change", "rank"),
        [
            (name, *(("-" if value is None else number(value)) for value in (before, after)), f"{change:+.9f}",
             f"{rank_before or '-'} -> {rank_after or '-'}")
            for name, before, after, rank_before, rank_after, change in moved.head(limit).iter_rows()
        ],
    )  # fmt: skip
    for name, stands in list(changes.renamed.items())[:limit]:
        say(f"  {name} is now {stands}")
    for what, links in (("new", changes.new_links), ("lost", changes.lost_links)):
        say(f"{links.height:,} {what} links")
        for source, target, relation, weight in links.head(limit).iter_rows():
            say(f"  {source} {relation} {target}{'' if weight else ' (weight 0)'}")
    stirred = changes.chambers.filter(changes.chambers["event"] != "continued")
    say(f"chambers: {changes.chambers.height:,}, of which {changes.chambers.height - stirred.height:,} continued")
    for chamber, event, origins, size in stirred.head(limit).iter_rows():
        say(f"  {chamber} {event}{' from ' + ', '.join(origins) if origins else ''} ({size:,} works)")
    for chamber, into in list(changes.ended.items())[:limit]:
        say(f"  {chamber} ended{f', most of it is in {into}' if into else ''}")
