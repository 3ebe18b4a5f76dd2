"""From the tables to the ledger: in order, whole, once; and what is said when they no longer agree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.rewards.ledger import LedgerDamaged, RewardLedger
from coevo_pipelines.rewards.settling import settle
from coevo_pipelines_tests.rewards.worlds import (
    DAY,
    Row,
    add,
    claim,
    honest,
    lake_of,
    pay,
    renew,
    rows,
    rules,
    settings_of,
    table,
    tell,
)

ROUNDS = settings_of(rules(escrow_days=2), rules(name="later", start=DAY + timedelta(2)))
LAST = 3


def told(offset: int) -> dict[str, list[dict[str, object]]]:
    return honest("BPM") if offset == 0 else {"claims": honest("BPM" if offset < 2 else "BPML")["claims"]}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four days; L's author claims on the third what waits for him, D's lets it expire. Nothing is in the ledger."""
    root = tmp_path_factory.mktemp("settling") / "lake"
    lake_of(root, {offset: told(offset) for offset in range(LAST + 1)}, ROUNDS)
    yield root


@pytest.fixture
def lake(original: Path, tmp_path: Path) -> Lake:
    """Of one's own."""
    shutil.copytree(original, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def day(offset: int) -> str:
    return (DAY + timedelta(offset)).isoformat()


def entered(lake: Lake) -> list[tuple[str, str, int]]:
    """(kind, round, offset) of all entries."""
    records = (entry.record for entry in RewardLedger(lake.root).entries())
    offsets = {day(offset): offset for offset in range(9)}
    return [(record["kind"], record["round"], offsets[record["as_of"]]) for record in records]


ALL = [
    ("round", "r", 0), ("round", "r", 1), ("expiry", "r", 2), ("release", "r", 2), ("round", "later", 2),
    ("round", "r", 2), ("expiry", "r", 3), ("round", "later", 3), ("round", "r", 3),
]  # fmt: skip


def test_everything_is_entered_in_order_and_once(lake: Lake) -> None:
    assert settle(lake, ROUNDS) == []
    assert entered(lake) == ALL
    line = RewardLedger(lake.root).file.read_bytes()
    assert settle(lake, ROUNDS, [DAY + timedelta(offset) for offset in range(LAST + 1)]) == []
    assert RewardLedger(lake.root).file.read_bytes() == line


def test_a_lake_without_rounds_has_nothing_to_enter(tmp_path: Path) -> None:
    assert settle(Lake(tmp_path), ROUNDS) == []
    assert not RewardLedger(tmp_path).file.exists()


@pytest.mark.parametrize("kept", range(len(ALL)))
def test_a_process_killed_between_the_tables_and_the_ledger_or_in_it(lake: Lake, kept: int) -> None:
    """Whatever number of entries was written: the next run enters the rest, and the file is the same to the byte."""
    settle(lake, ROUNDS)
    ledger = RewardLedger(lake.root)
    whole = ledger.file.read_bytes()
    lines = whole.splitlines(keepends=True)
    ledger.file.write_bytes(b"".join(lines[:kept]))
    assert settle(lake, ROUNDS) == []
    assert ledger.file.read_bytes() == whole


def test_a_gap_is_named_and_filled_later(original: Path, tmp_path: Path) -> None:
    """Without the second day, later ones are not entered in the round that began before it, and lose nothing: when
    the day is filled in, all is as if it had always been there. The other round began after the gap and goes on."""
    facts = {offset: told(offset) for offset in range(LAST + 1) if offset != 1}
    lake = lake_of(tmp_path / "lake", facts, ROUNDS)
    problems = settle(lake, ROUNDS)
    assert entered(lake) == [("round", "r", 0), ("round", "later", 2), ("round", "later", 3)]
    assert all(f"{day(1)} is there" in problem and "round r" in problem for problem in problems)
    assert {problem.partition(":")[0] for problem in problems} == {f"round r, {day(2)}", f"round r, {day(3)}"}
    add(lake, 1, told(1), ROUNDS)
    renew(lake, ROUNDS)
    assert settle(lake, ROUNDS) == []
    assert sorted(entered(lake)) == sorted(ALL)
    whole = Lake(tmp_path / "whole")
    shutil.copytree(original, whole.root)
    settle(whole, ROUNDS)
    earned = [
        {name: each.earned for name, each in RewardLedger(at.root).replay().rounds.items()} for at in (lake, whole)
    ]
    assert earned[0] == earned[1]


def test_a_round_older_than_the_lake_begins_with_the_lake(lake: Lake) -> None:
    """Days before the opening partition can never be there."""
    older = settings_of(rules(start=DAY - timedelta(400), escrow_days=2)).model_copy(update={"start_date": DAY})
    assert settle(lake, older) == []


def changed(lake: Lake, offset: int, who: str, *more: Row, late: int = 0) -> list[str]:
    """The register of a day said otherwise; what `settle` then says of all days that were renewed."""
    tell(lake, offset, {"claims": honest(who, *more)["claims"]}, tables=["traces.claims"], late=late)
    touched = [DAY + timedelta(n) for n in renew(lake, ROUNDS)]
    return settle(lake, ROUNDS, touched)


def test_a_changed_past_day_is_named_and_the_ledger_keeps_what_it_has(lake: Lake) -> None:
    settle(lake, ROUNDS)
    before = RewardLedger(lake.root).file.read_bytes()
    problems = changed(lake, 1, "BPMD")
    assert RewardLedger(lake.root).file.read_bytes() == before
    assert any(p.startswith(f"round r, {day(1)}: the tables differ in receipts, escrow; `coevo") for p in problems)
    # What D's author released in the tables had expired in the ledger the day after.
    assert any(
        p.startswith(f"round r, {day(1)}: the tables have 1 holdings in the release, the ledger") for p in problems
    )
    assert not any(day(0) in p for p in problems)


def test_a_past_day_that_may_no_longer_be_paid_is_named_too(lake: Lake) -> None:
    """Its facts were seen again, too late: the tables show it as reconstructed."""
    settle(lake, ROUNDS)
    problems = changed(lake, 1, "BPM", *claim("nobody", "github:x", proof=None), late=5)
    assert rows(lake, "rounds", 1, "is_paid") == [(False,)]
    assert f"round r, {day(1)}: the ledger has paid 1,000, the tables say that nothing may be paid" in problems


def test_the_last_day_when_it_changes_needs_a_correction(lake: Lake) -> None:
    """But for what is released by it: that is not in the ledger yet, and right."""
    settle(lake, ROUNDS)
    for _ in range(2):
        problems = changed(lake, LAST, "BPMLD")
        assert [problem.partition(";")[0] for problem in problems] == [
            f"round {name}, {day(LAST)}: the tables differ in receipts, escrow" for name in ("later", "r")
        ]
        assert entered(lake) == [*ALL, ("release", "later", LAST), ("release", "r", LAST)]


def test_a_round_that_is_no_more_still_releases_and_expires(lake: Lake) -> None:
    """L's author has only another round left; what waits for a work of the old one waits on, to its end."""
    other = settings_of(rules(name="later", start=DAY + timedelta(2)))
    add(lake, LAST + 1, {"claims": honest("BPMLD")["claims"]}, other)
    moved = table(lake, "escrow", LAST + 1).select("round", "state").unique().sort("round", "state").rows()
    assert ("r", "released") in moved
    assert rows(lake, "rounds", LAST + 1, "round") == [("later",)]
    assert settle(lake, other) == []
    assert ("release", "r", LAST + 1) in entered(lake)


# P5, P7: what was written is what is read


def test_one_changed_byte_of_a_table_is_named(lake: Lake) -> None:
    settle(lake, ROUNDS)
    assert verify(lake.root).findings == ()
    file = lake.path("rewards.receipts", DAY)
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    (finding,) = verify(lake.root).findings
    assert "rewards/receipts" in str(finding) or "rewards.receipts" in str(finding)


def flipped(line: bytes) -> bytes:
    return line.replace(b'"reserve":0', b'"reserve":1', 1)


def richer(line: bytes) -> bytes:
    """More for one, less for another: only the hash tells."""
    record = json.loads(line)
    record["receipts"][0][1] += 1
    record["receipts"][1][1] -= 1
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    ("forge", "message"),
    [(flipped, r"line 2 .*byte"), (richer, "line 2 .*sha256 is"), (lambda _: b"", "line 2 .*removed, added or moved")],
)
def test_a_ledger_that_does_not_replay_takes_nothing_more(
    lake: Lake, forge: Callable[[bytes], bytes], message: str
) -> None:
    settle(lake, ROUNDS)
    ledger = RewardLedger(lake.root)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    lines[1] = forge(lines[1])
    ledger.file.write_bytes(b"".join(lines))
    before = ledger.file.read_bytes()
    with pytest.raises(LedgerDamaged, match=message):
        settle(lake, ROUNDS)
    assert ledger.file.read_bytes() == before


def test_a_table_that_pays_too_much_is_refused(lake: Lake) -> None:
    """P7, with somebody who writes tables past the check: the sum is wrong, and the ledger says so."""
    receipts = table(lake, "receipts", LAST)
    more = receipts.with_columns(amount=receipts["amount"] + 1)
    lake.write("rewards.receipts", DAY + timedelta(LAST), more)
    problems = settle(lake, ROUNDS)
    assert len(problems) == 2, "both rounds of the day"
    assert all("refuses the round: receipts" in problem and "but the budget is" in problem for problem in problems)
    pay(lake, LAST, ROUNDS)
    assert settle(lake, ROUNDS) == []
    assert entered(lake) == ALL


def test_a_table_that_pays_somebody_who_may_not_be_is_refused(lake: Lake) -> None:
    receipts = table(lake, "receipts", LAST)
    forged = receipts.with_columns(person_id=receipts["person_id"].replace("person:b", "person:a"))
    lake.write("rewards.receipts", DAY + timedelta(LAST), forged)
    problems = settle(lake, ROUNDS)
    assert len(problems) == 2
    assert all("person:a: not eligible" in problem for problem in problems)


def test_claims_are_as_they_stand(lake: Lake) -> None:
    """Who has taken a claim back is not paid from then on, and keeps what he has."""
    settle(lake, ROUNDS)
    add(lake, LAST + 1, {"claims": claim("b", "arxiv:B#1")}, ROUNDS)
    assert settle(lake, ROUNDS) == []
    earned = RewardLedger(lake.root).replay().rounds["r"].earned
    assert earned["person:p"] > 0
    assert [each for each in rows(lake, "receipts", LAST + 1, "person_id") if each != ("person:b",)] == []
