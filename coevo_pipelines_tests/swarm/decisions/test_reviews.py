"""The file of decisions: what is written is read back, by several at once, after a crash, and by hand."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.swarm.config import Config, Moment
from coevo_pipelines.swarm.decisions import reviews
from coevo_pipelines.swarm.decisions.ladder import climb, standin
from coevo_pipelines.swarm.decisions.minds import Panel
from coevo_pipelines.swarm.decisions.reviews import Fate, ReviewError, append, fates, latest, open_item, read, review_id
from coevo_pipelines.swarm.records import Record
from coevo_pipelines_tests.swarm.decisions.test_ladder import CLOSE, RICH, case

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
A, B = "a" * 16, "b" * 16
ADA = Record(A, "student", "broadcast", "Ada Lovelace", NOON, "saw both 🌱\nand ran them")
GOOD = {"review_id": A, "decision": "teacher", "reviewer": "Ada", "decided_at": "2026-11-21T13:00:00+01:00"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reviews" / "decisions.jsonl"


def written(path: Path, *lines: bytes) -> list[reviews.Line]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return read(path)


def test_what_is_appended_is_read(path: Path) -> None:
    assert read(path) == []
    other = replace(ADA, decision="hybrid", distribution=None, note="")
    told = [append(path, ADA), append(path, other)]
    assert read(path) == told
    assert [(line.number, line.record, line.why) for line in told] == [(1, ADA, None), (2, other, None)]
    lines = path.read_bytes().split(b"\n")
    assert [line.sha256 for line in told] == [hashlib.sha256(each).hexdigest() for each in lines[:2]]
    assert json.loads(lines[0])["note"] == ADA.note


def test_times_are_utc_wherever_they_were_given(path: Path) -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    append(path, replace(ADA, decided_at=east))
    found = read(path)[0].record
    assert found is not None
    assert (found.decided_at, found.decided_at.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"decision": "TEACHER"}, "decision: Input should be 'teacher', 'student' or 'hybrid'"),
        ({"decision": None}, "decision: "),
        ({"distribution": "everywhere"}, "distribution: "),
        ({"reviewer": "  "}, "reviewer: String should have at least 1 character"),
        ({"reviewer": "A\x1b[2J"}, "not printable"),
        ({"reviewer": 7}, "reviewer: "),
        ({"review_id": "a" * 15}, "review_id: "),
        ({"review_id": "A" * 16}, "review_id: "),
        ({"review_id": "a" * 16 + "\n"}, "review_id: "),
        ({"decided_at": "2026-11-21T12:00:00"}, "decided_at: Value error, '2026-11-21T12:00:00' is no time with its"),
        ({"decided_at": "2026-11-21"}, "is no time with its zone"),
        ({"decided_at": "20261121"}, "is no time with its zone"),
        ({"decided_at": "yesterday"}, "decided_at: "),
        ({"decided_at": 1_700_000_000}, "is no time with its zone"),
        ({"decided_at": "0001-01-01T00:00:00+14:00"}, "before the year 1"),
        ({"note": None}, "note: "),
        ({"note": "x" * 10_001}, "note: "),
        ({"note": "x" * reviews.MOST_LINE}, "longer than 65536 bytes"),
        ({"winner": "teacher"}, "winner: Extra inputs are not permitted"),
    ],
)
def test_records_that_do_not_count_are_kept_with_their_reason(path: Path, wrong: dict[str, Any], message: str) -> None:
    before, found, after = written(path, *(json.dumps(each).encode() for each in (GOOD, GOOD | wrong, GOOD)))
    assert (found.number, found.record) == (2, None)
    assert found.why is not None
    assert message in found.why
    assert before.record == after.record == Record(A, "teacher", None, "Ada", NOON, "")
    assert fates([found], {A}) == [Fate("invalid", found.why)]


@pytest.mark.parametrize("missing", ["review_id", "decision", "reviewer", "decided_at"])
def test_what_is_missing_is_named(path: Path, missing: str) -> None:
    (line,) = written(path, json.dumps({k: v for k, v in GOOD.items() if k != missing}).encode())
    assert (line.record, line.why) == (None, f"{missing}: Field required")


@pytest.mark.parametrize(
    "line", [b"", b"  ", b"{", b"null", b"[]", b'"yes"', b"\xff\xfe{", b"\x00" * 9, b"[" * 60_000, b"decide teacher"]
)
def test_lines_that_are_no_records(path: Path, line: bytes) -> None:
    found = written(path, line, json.dumps(GOOD).encode())
    assert found[0].record is None
    assert found[0].why
    assert found[1].record is not None


def test_a_file_of_windows_and_one_without_its_last_newline(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(json.dumps(GOOD).encode() + b"\r\n" + json.dumps(GOOD).encode())
    assert [line.record is not None for line in read(path)] == [True, True]
    append(path, ADA)
    assert [line.record is not None for line in read(path)] == [True, True, True]


@pytest.mark.parametrize("cut", [1, 40, -3, -1])
def test_what_a_killed_writer_left_stays_for_itself(path: Path, cut: int) -> None:
    append(path, ADA)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    torn = read(path)[1]
    assert append(path, replace(ADA, note="later")).number == 3
    lines = read(path)
    assert lines[1] == torn
    assert (torn.record is None) == (cut != -1), "only its newline was lost: it is whole"
    assert lines[2].record == replace(ADA, note="later")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reviewer": ""}, "reviewer: "),
        ({"decided_at": NOON.replace(tzinfo=None)}, "no time with its zone"),
        ({"decision": "maybe"}, "decision: "),
        ({"review_id": "x"}, "review_id: "),
        ({"note": "\udc80"}, "no text stands in it"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(path: Path, wrong: dict[str, Any], message: str) -> None:
    append(path, ADA)
    before = path.read_bytes()
    with pytest.raises(ReviewError, match=message):
        append(path, replace(ADA, **wrong))
    assert path.read_bytes() == before


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from coevo_pipelines.swarm.decisions.reviews import append
from coevo_pipelines_tests.swarm.decisions.test_reviews import ADA
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    print(append(Path(sys.argv[1]), replace(ADA, reviewer=sys.argv[2], note=f"{number} " + "x" * 500)).number)
"""


def test_two_processes_at_once_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in "AB"
    ]
    assert [each.stdout.readline() for each in writers if each.stdout] == ["ready\n"] * 2
    for each in writers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    numbers = [int(number) for each in writers for number in each.communicate(timeout=60)[0].split()]
    assert [each.returncode for each in writers] == [0, 0]
    assert sorted(numbers) == list(range(1, 401)), "each was told its own line"
    found = [line.record for line in read(path) if line.record]
    assert [line.why for line in read(path)] == [None] * 400
    for name in "AB":
        own = [int(each.note.split()[0]) for each in found if each.reviewer == name]
        assert own == list(range(200))


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_file_as_it_was(path: Path) -> None:
    import resource

    append(path, ADA)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, hard))
    try:
        with pytest.raises(ReviewError, match=r"decisions\.jsonl: not written \(.*\): the file is as it was"):
            append(path, ADA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert append(path, ADA).number == 2


def test_the_latest_record_counts_by_its_time_and_then_by_its_line(path: Path) -> None:
    late, early = replace(ADA, note="late"), replace(ADA, decided_at=NOON - timedelta(days=1), note="early")
    for each in (late, early, replace(late, decision="teacher"), replace(ADA, review_id=B)):
        append(path, each)
    path.write_bytes(path.read_bytes() + b"{\n")
    lines = read(path)
    assert latest(lines, {A}) == {A: replace(late, decision="teacher")}
    assert set(latest(lines)) == {A, B}
    assert latest(lines, set()) == {}
    assert [each.status for each in fates(lines, {A})] == ["superseded", "superseded", "used", "unknown", "invalid"]
    whys = [each.why for each in fates(lines, {A})]
    assert whys[:4] == ["line 3 counts", "line 3 counts", None,
                        f"there is no review item {B}: `coevo review list` shows those there are"]  # fmt: skip


def test_k9_the_same_record_again_changes_nothing(path: Path) -> None:
    append(path, ADA)
    once = latest(read(path), {A})
    append(path, ADA)
    assert latest(read(path), {A}) == once
    assert [each.status for each in fates(read(path), {A})] == ["superseded", "used"]


def test_an_items_id() -> None:
    parts = ("2019-03-25", "PSO", ("v2", "v1"), ("o1", "o2"))
    assert review_id(*parts) == hashlib.sha256(b"2019-03-25|PSO|v1|v2|o1|o2").hexdigest()[:16]
    assert review_id("2019-03-25", "PSO", ("v1", "v2"), ("o1", "o2")) == review_id(*parts)
    others = [
        ("2019-03-26", "PSO", ("v1", "v2"), ("o1", "o2")),
        ("2019-03-25", "ACO", ("v1", "v2"), ("o1", "o2")),
        ("2019-03-25", "PSO", ("v1", "v2"), ("o2", "o1")),
        ("2019-03-25|PSO", "v1", ("v2", "o1"), ("o2",)),
        ("2019-03-25", "PSO\\", ("v1", "v2"), ("o1", "o2")),
    ]
    assert len({review_id(*each) for each in (parts, *others)}) == 6


def test_what_a_person_is_asked() -> None:
    asked, config = case(CLOSE), Config()
    at = Moment(tick=3, at=NOON, partition="2026-11-21")
    without = climb(asked, config, Panel(), None, RICH)
    item = open_item(A, asked, without, at, standin(asked, config))
    assert item.question == (
        "Pattern PSO (standard): two organisms hold different versions, both verified (+1). Whose should hold? "
        "teacher o-teacher (ADULT, age 120) with v-teacher: 6 of 10 uses succeeded, 1 of 2 since the question was "
        "opened; student o-student (ADULT, age 120) with v-student: 5 of 10 uses succeeded, 1 of 2 since the question "
        "was opened. Decide teacher, student, or hybrid (both keep their own)."
    )
    evidence = json.loads(item.evidence)
    assert [each["level"] for each in evidence["levels"]] == [2, 3]
    assert evidence["teacher"]["counts"] == {"k": 6, "n": 10, "verifications": 0}
    assert evidence["chance_that_the_teachers_is_better"] == without.q
    assert (item.standin_decision, item.status, item.level, item.opened) == ("teacher", "open", 4, at)
    answered = open_item(A, asked, climb(asked, config, Panel(), ADA, RICH), at, standin(asked, config), ADA)
    assert answered == replace(item, status="decided", record=ADA), "the question stays what it was"
