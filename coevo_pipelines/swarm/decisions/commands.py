"""`coevo review …`: what the swarm asks a person, and the person's answer."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    existing_lake,
    settings_of,
)

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Snapshot

review = typer.Typer(
    name="review",
    no_args_is_help=True,
    help="What the swarm asks a person: decisions at levels 4 and 5. A person's word overrules the stand-in's.",
)

IdArgument = Annotated[str, typer.Argument(help="Review id, or its beginning, as listed.", show_default=False)]


class WinnerName(StrEnum):
    teacher = "teacher"
    student = "student"
    hybrid = "hybrid"


class DistributionName(StrEnum):
    broadcast = "broadcast"
    lovechild = "lovechild"
    organic = "organic"


class StatusName(StrEnum):
    open = "open"
    decided = "decided"
    expired = "expired"
    all = "all"


@review.command("list")
def list_(
    status: Annotated[StatusName, typer.Option("--status", help="Which of them.")] = StatusName.open,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """What waits for a person, oldest first; and records of decisions that could not be used."""
    from coevo_pipelines.terminal import json_out, rows_table, say

    root = existing_lake(settings_of(lake, source))
    day, items = _items(root)
    waiting = _recorded(root)
    for item in items:
        item["answered"] = item["review_id"] in waiting
    shown = [item for item in items if status is StatusName.all or item["status"] == status.value]
    odd = _odd(root, {item["review_id"] for item in items})
    if as_json:
        json_out({"date": day.isoformat(), "items": shown, "unused_records": odd})
        return
    if not shown:
        say(f"As of {day} nothing is {status.value}." if status is not StatusName.all else f"No items as of {day}.")
    else:
        rows_table(
            ("review", "opened", "level", "pattern", "meanwhile", "status"),
            [
                (
                    item["review_id"],
                    item["opened"],
                    str(item["level"]),
                    item["pattern"],
                    item["standin_decision"] or "",
                    "answered, not yet taken up" if item["answered"] and item["status"] == "open" else item["status"],
                )
                for item in shown
            ],
        )
        say(f"Next: coevo review show {shown[0]['review_id']}", style="dim")
    for each in odd:
        say(f"line {each['line']} of the decisions is {each['status']}: {each['why']}", style="yellow")


@review.command()
def show(
    review_id: IdArgument,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """One question: who the two are, what is known of their versions, what the levels below chose."""
    from coevo_pipelines.terminal import json_out, say

    root = existing_lake(settings_of(lake, source))
    item = _item(root, review_id)
    evidence = json.loads(item["evidence"])
    if as_json:
        json_out({**item, "evidence": evidence})
        return
    say(f"{item['review_id']} ({item['status']}), opened {item['opened']}, level {item['level']}", style="bold")
    say(item["question"])
    for side in ("teacher", "student"):
        told = evidence[side]
        counts, live = told["counts"], told["live"]
        say(
            f"  {side}: {told['organism_id']} with {told['version_id']}: {counts['k']:g} of {counts['n']:g} uses "
            f"succeeded ({live['k']:g} of {live['n']:g} since it was asked); {told['tier']}, age {told['age']}, "
            f"influence {told['influence']:.2f}, {told['consensus']:.0%} of its community agree"
        )
    say(f"  chance that the teacher's is better: {evidence['chance_that_the_teachers_is_better']:.3f}")
    for level in evidence["levels"]:
        say(f"  level {level['level']} chose {level['chose']} (confidence {level['confidence']:.2f}): {level['why']}")
    say(f"  meanwhile {item['standin_decision']} holds, by a stand-in")
    if item["reviewer"]:
        said = _line(item["note"]) or "no note"
        say(f"  {item['reviewer']} decided {item['decision']} at {item['decided_at']}: {said}")
    say(f"Behind it: coevo swarm explain {item['marker_id']}", style="dim")
    say(f"Answer: coevo review decide {item['review_id']} --winner … --reviewer NAME --note …", style="dim")


@review.command()
def decide(
    review_id: IdArgument,
    winner: Annotated[WinnerName, typer.Option("--winner", help="Whose version holds; hybrid: both keep their own.")],
    reviewer: Annotated[str, typer.Option("--reviewer", help="Who decides: your name.")],
    distribution: Annotated[
        DistributionName | None,
        typer.Option(
            "--distribution",
            help="How the winner spreads.",
            show_default="as usual for the pattern; to turn a decision: broadcast",
        ),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why, for those who come after.")] = "",
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Decide. The record is appended to reviews/decisions.jsonl in the lake and never changed; a later one counts.

    The next run takes it up: what is decided anew goes by it, what was decided otherwise is corrected on the next
    day's first tick. `coevo run` for the last day again, or the sensor reviews_decided in the UI, does so at once.
    """
    from coevo_pipelines.swarm.decisions.reviews import DECISIONS, ReviewError, append, latest, read
    from coevo_pipelines.swarm.records import Record
    from coevo_pipelines.terminal import json_out, say

    root = existing_lake(settings_of(lake, source))
    item = _item(root, review_id)
    record = Record(
        review_id=item["review_id"],
        decision=winner.value,
        distribution=distribution.value if distribution else None,
        reviewer=reviewer,
        decided_at=datetime.now(UTC).replace(microsecond=0),
        note=note,
    )
    try:
        line = append(root / DECISIONS, record)
    except ReviewError as error:
        raise UsageError(str(error)) from error
    if as_json:
        json_out({"line": line.number, "review_id": record.review_id, "decision": record.decision})
        return
    say(f"{reviewer} decided {winner.value} for {item['review_id']} (line {line.number} of {DECISIONS}).")
    counts = latest(read(root / DECISIONS)).get(record.review_id)
    if counts and counts != line.record:
        say(
            f"It does not count: {counts.reviewer} decided {counts.decision} with a later time, {counts.decided_at} "
            f"(by this machine's clock it is {record.decided_at})",
            style="yellow",
            error=True,
        )
        return
    day, _ = _items(root)
    say(f"Taken up by the next run; at once: coevo run --date {day}", style="dim")


def _line(text: str) -> str:
    """What somebody wrote, on one line: nothing in it may move a terminal's cursor."""
    return "".join(each if each.isprintable() else " " for each in text)


def _items(root: Path) -> tuple[date, list[dict[str, Any]]]:
    """The last day of the swarm, and its review items, oldest first. UsageError where there is no day."""
    from coevo_pipelines.lake.store import Lake

    snapshot: Snapshot = Lake(root).snapshot()
    days = [commit.day for commit in snapshot.index.partitions("swarm.review_queue")]
    if not days:
        raise UsageError(f"{root} has no day of the swarm: run `coevo run` first")
    day = max(days)
    rows = snapshot.scan("swarm.review_queue", on=day).drop("date").sort("opened_tick", "review_id").collect()
    return day, rows.to_dicts()


def _item(root: Path, beginning: str) -> dict[str, Any]:
    """The item of an id, or of its beginning. UsageError where there is none, or more than one."""
    day, items = _items(root)
    found = [item for item in items if beginning and item["review_id"].startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{beginning!r} begins {len(found)} review ids: {', '.join(i['review_id'] for i in found[:5])}"
        )
    some = ", ".join(item["review_id"] for item in items[:3])
    raise UsageError(
        f"there is no review item {beginning!r} as of {day}"
        + (
            f"; there are {some}{' …' if len(items) > 3 else ''} (coevo review list)"
            if items
            else ": nothing was asked"
        )
    )


def _recorded(root: Path) -> set[str]:
    """Ids that the file of decisions answers."""
    from coevo_pipelines.swarm.decisions.reviews import DECISIONS, latest, read

    return set(latest(read(root / DECISIONS)))


def _odd(root: Path, known: set[str]) -> list[dict[str, Any]]:
    """Lines of the file of decisions that are not used, but for those that a later one replaces."""
    from coevo_pipelines.swarm.decisions.reviews import DECISIONS, fates, read

    lines = read(root / DECISIONS)
    return [
        {"line": line.number, "status": fate.status, "why": fate.why}
        for line, fate in zip(lines, fates(lines, known), strict=True)
        if fate.status not in {"used", "superseded"}
    ]
