"""What people decide: an append-only file of records, one JSON object a line, and the questions they answer.

Nothing is ever taken out of the file, also not what cannot be read: each line keeps its number, and its reason.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from filelock import FileLock
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, ValidationError

from coevo_pipelines.lake.ledger import canonical, sync_folder
from coevo_pipelines.swarm.config import Distribution, Winner
from coevo_pipelines.swarm.records import Record, ReviewItem

if TYPE_CHECKING:
    from coevo_pipelines.swarm.config import Moment
    from coevo_pipelines.swarm.records import Case, Climb, Side

DECISIONS = "reviews/decisions.jsonl"
"""In the lake."""
MOST_LINE = 1 << 16
"""Bytes of a line."""

Status = Literal["used", "superseded", "unknown", "invalid"]


class ReviewError(ValueError):
    """A line cannot be written. The message says why."""


@dataclass(frozen=True)
class Line:
    """One line of the file."""

    number: int
    """From 1."""
    sha256: str
    """Of its bytes, without the newline."""
    record: Record | None
    why: str | None
    """Where there is no record."""


@dataclass(frozen=True)
class Fate:
    """What became of a line."""

    status: Status
    why: str | None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that are not printable")
    return text


def _moment(value: Any) -> datetime:
    # Not pydantic's own: it reads "20261121" as seconds since 1970.
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{str(value)[:40]!r} is no time with its zone, such as 2026-11-21T09:00:00+00:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is before the year 1 or after 9999 in UTC") from None


class _Record(BaseModel):
    """A record as it stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    review_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    decision: Winner
    distribution: Distribution | None = None
    reviewer: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
    ]
    decided_at: Annotated[datetime, PlainValidator(_moment)]
    note: Annotated[str, Field(max_length=10_000)] = ""


def review_id(partition: str, pattern: str, versions: Sequence[str], participants: Sequence[str]) -> str:
    """sha256(partition|pattern|sorted versions|participants), 16 hex digits; a `|` inside a part is escaped.

    Participants are teacher and student, in this order: who is who decides what `teacher` means in a record.
    """
    parts = (partition, pattern, *sorted(versions), *participants)
    text = "|".join(each.replace("\\", "\\\\").replace("|", "\\|") for each in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def append(path: Path, record: Record) -> Line:
    """Write a record at the end of the file. Raises ReviewError for one that could not be read back."""
    try:
        line = canonical({**asdict(record), "decided_at": record.decided_at.isoformat()})
        found = _parsed(line)
    except UnicodeEncodeError as error:
        found = f"what is no text stands in it ({error.reason})"
    if isinstance(found, str):
        raise ReviewError(f"this is no record of a decision: {found}; nothing was written")
    return Line(append_line(path, line), hashlib.sha256(line).hexdigest(), found, None)


def append_line(path: Path, line: bytes) -> int:
    """Add `line` to a file, whole and on disk or not at all, and tell its number; writers wait for each other.

    A last line that a killed writer cut off is ended first: it stays as it is, for itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        before = path.read_bytes() if path.exists() else b""
        end = b"\n" if before and not before.endswith(b"\n") else b""
        try:
            with path.open("ab") as stream:
                stream.write(end + line + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            if path.exists() and path.stat().st_size > len(before):
                os.truncate(path, len(before))
            raise ReviewError(f"{path}: not written ({error.strerror}): the file is as it was") from error
        sync_folder(path.absolute().parent)
    return before.count(b"\n") + len(end) + 1


def read(path: Path) -> list[Line]:
    """All lines, those without a record too; none where there is no file. OSError where it cannot be read."""
    try:
        return lines_of(path.read_bytes())
    except FileNotFoundError:
        return []


def lines_of(decided: bytes) -> list[Line]:
    """The same, of what stands in a file."""
    lines = decided.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [_line(number, line) for number, line in enumerate(lines, 1)]


def latest(lines: Sequence[Line], known: Set[str] | None = None) -> dict[str, Record]:
    """For each review item (of the `known` ones) the record that counts: the last by `decided_at`, then by line."""
    return {name: line.record for name, line in _counting(lines, known).items() if line.record}


def fates(lines: Sequence[Line], known: Set[str]) -> list[Fate]:
    """What became of each line, for items `known` by a day."""
    counting = _counting(lines, known)
    return [_fate(line, counting) for line in lines]


def open_item(
    review_id: str, case: Case, climb: Climb, at: Moment, standin: Winner, record: Record | None = None
) -> ReviewItem:
    """What a person is asked about a decision that came to level 4 or 5.

    `standin`: what holds without a person (`ladder.standin`); `record`: what one has answered already.
    """
    question = (
        f"Pattern {case.pattern} ({case.importance}): two organisms hold different versions, "
        f"{'both verified (+1)' if case.kind == 'blend' else 'both uncertain (0)'}. "
        f"Whose should hold? {_who('teacher', case.teacher)}; {_who('student', case.student)}. "
        "Decide teacher, student, or hybrid (both keep their own)."
    )
    evidence = {
        "importance": case.importance,
        "kind": case.kind,
        **{name: asdict(side) for name, side in (("teacher", case.teacher), ("student", case.student))},
        "precedents": {"teacher": asdict(case.past_teacher), "student": asdict(case.past_student)},
        "chance_that_the_teachers_is_better": climb.q,
        "levels": [
            {"level": step.level, "chose": step.winner, "confidence": step.confidence, "why": step.reason}
            for step in climb.steps
            if step.event == "entered" and step.level < 4
        ],
    }
    return ReviewItem(
        review_id=review_id,
        marker_id=case.marker_id,
        opened=at,
        pattern=case.pattern,
        level=climb.level,
        question=question,
        evidence=canonical(evidence).decode(),
        standin_decision=standin,
        status="decided" if record else "open",
        record=record,
    )


def _who(role: str, side: Side) -> str:
    return (
        f"{role} {side.organism_id} ({side.tier}, age {side.age}) with {side.version_id}: "
        f"{side.counts.k:g} of {side.counts.n:g} uses succeeded, "
        f"{side.live.k:g} of {side.live.n:g} since the question was opened"
    )


def _line(number: int, line: bytes) -> Line:
    found = _parsed(line)
    record, why = (None, found) if isinstance(found, str) else (found, None)
    return Line(number, hashlib.sha256(line).hexdigest(), record, why)


def _parsed(line: bytes) -> Record | str:
    """The record, or why there is none."""
    if not line.strip():
        return "an empty line"
    if len(line) > MOST_LINE:
        return f"longer than {MOST_LINE} bytes"
    try:
        return Record(**dict(_Record.model_validate_json(line)))
    except ValidationError as error:
        return "; ".join(map(_problem, error.errors(include_url=False)))


def _problem(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else str(error["msg"])


def _counting(lines: Sequence[Line], known: Set[str] | None) -> dict[str, Line]:
    counting: dict[str, Line] = {}
    for line in lines:
        if line.record is None or (known is not None and line.record.review_id not in known):
            continue
        before = counting.get(line.record.review_id)
        if before is None or before.record is None or before.record.decided_at <= line.record.decided_at:
            counting[line.record.review_id] = line
    return counting


def _fate(line: Line, counting: dict[str, Line]) -> Fate:
    if line.record is None:
        return Fate("invalid", line.why)
    name = line.record.review_id
    if name not in counting:
        return Fate("unknown", f"there is no review item {name}: `coevo review list` shows those there are")
    if counting[name].number != line.number:
        return Fate("superseded", f"line {counting[name].number} counts")
    return Fate("used", None)
