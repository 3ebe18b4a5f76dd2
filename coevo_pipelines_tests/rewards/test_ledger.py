"""The reward ledger: what is refused, what replays, and that no damage, kill or full disk goes unseen."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake.ledger import GENESIS, LedgerError, canonical
from coevo_pipelines.rewards.ledger import (
    Entry,
    LedgerDamaged,
    Refused,
    RewardLedger,
    State,
    entry_id,
    holding_id,
)

Record = dict[str, Any]
PEOPLE = frozenset({"ann", "bob", "cyd", "dön"})


def held(as_of: str, person: str, amount: int, expires: str, subject: str = "w1") -> list[Any]:
    return [holding_id("r", as_of, person, "unverified", subject), person, "unverified", subject, amount, expires]


def divided(as_of: str, receipts: Mapping[str, int], escrow: list[list[Any]] | None = None, **changes: Any) -> Record:
    """A round entry of 1000 units of which the reserve takes what is left."""
    escrow = sorted(escrow or [])
    budget = changes.get("pool", 1000) + changes.get("returned", 0)
    left = budget - sum(receipts.values()) - sum(row[4] for row in escrow)
    return {
        "kind": "round",
        "round": "r",
        "as_of": as_of,
        "pool": 1000,
        "returned": 0,
        "budget": budget,
        "currency": "EUR",
        "decimals": 2,
        "policy": {"name": "IMMEDIATE", "λ": "1/4"},
        "cap": 500,
        "owner_cap": None,
        "minimum": 0,
        "floor": 0,
        "inputs": "ab" * 32,
        "receipts": sorted(map(list, receipts.items())),
        "escrow": escrow,
        "reserve": left,
    } | changes


def closing(kind: str, as_of: str, *holdings: list[Any]) -> Record:
    return {"kind": kind, "round": "r", "as_of": as_of, "holdings": sorted(holdings)}


def payment(paid: Entry) -> Record:
    return {
        "kind": "payment",
        "round": "r",
        "as_of": paid.record["as_of"],
        "pays": paid.id,
        "key": paid.id,
        "url": "https://pay.example/round",
        "status": 200,
        "answer_sha256": "cd" * 32,
        "attempts": 2,
        "at": "2026-01-03T10:00:00+00:00",
    }


D1, D2, D3 = "2026-01-01", "2026-01-02", "2026-01-03"
BOB, CYD = held(D1, "bob", 100, "2026-03-01"), held(D1, "cyd", 50, D2)
FIRST = divided(D1, {"ann": 400, "dön": 300}, [BOB, CYD])


def all_kinds(root: Path) -> RewardLedger:
    """A ledger with an entry of each kind."""
    ledger = RewardLedger(root)
    first = ledger.append(FIRST, eligible=PEOPLE)
    ledger.append(closing("release", D1, [BOB[0], 100, "bob"]), eligible=PEOPLE)
    ledger.append(closing("expiry", D2, [CYD[0], 50]), eligible=PEOPLE)
    ledger.append(divided(D2, {"ann": 500, "bob": 450}, pool=900, returned=50), eligible=PEOPLE)
    correction = divided(D1, {"ann": 300, "cyd": 400}, [BOB, CYD]) | {
        "kind": "correction",
        "corrects": first.id,
        "reason": "dön opted out",
    }
    ledger.append(correction, eligible=PEOPLE)
    ledger.append(payment(first), eligible=())
    return ledger


@pytest.fixture
def ledger(tmp_path: Path) -> RewardLedger:
    return all_kinds(tmp_path)


def forged(ledger: RewardLedger, number: int, **changes: Any) -> None:
    """Change an entry and hash it and all later ones anew, as someone who knows the format would."""
    prev, lines = GENESIS, []
    for at, line in enumerate(ledger.file.read_bytes().splitlines(), start=1):
        record = json.loads(line) | ({"prev": prev} | (changes if at == number else {}))
        record["id"] = prev = entry_id(record)
        lines.append(canonical(record) + b"\n")
    ledger.file.write_bytes(b"".join(lines))


# The chain, and what it adds up to


def test_the_specified_chain_entry_has_the_specified_hash() -> None:
    record = {"as_of": "2026-01-01", "budget": 1000, "prev": GENESIS, "receipts": [["a", 450], ["b", 275], ["c", 275]]}
    assert entry_id(record) == "de3e2e67f1f47c24c8408f7feaa7148d6921239c2c85989e31ab551d40773bb7"
    assert entry_id(record | {"id": "whatever"}) == entry_id(record)


def test_a_ledger_of_all_kinds_adds_up(ledger: RewardLedger) -> None:
    state = ledger.replay(lambda _round, _as_of: PEOPLE)
    known = state.rounds["r"]
    assert known.earned == {"ann": 300 + 500, "cyd": 400, "bob": 100 + 450}
    assert known.holdings == {}
    assert {holding: to for holding, (_, to) in known.closed.items()} == {BOB[0]: "bob", CYD[0]: None}
    assert (known.returned, known.reserve, known.latest) == (0, 150, D2)
    assert known.effective(D1).record["reason"] == "dön opted out"
    assert list(state.payments) == [known.entries[D1][0].id]
    entries = ledger.entries()
    assert [e.record["kind"] for e in entries] == ["round", "release", "expiry", "round", "correction", "payment"]
    assert [e.record["prev"] for e in entries] == [GENESIS, *(e.id for e in entries[:-1])]
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    for entry, line in zip(entries, lines, strict=True):
        assert ledger.file.read_bytes()[entry.offset :].startswith(line)
        assert line == canonical(dict(entry.record)) + b"\n" and entry.number == lines.index(line) + 1
    assert ledger.findings() == []


def test_an_empty_lake_has_an_empty_ledger(tmp_path: Path) -> None:
    assert RewardLedger(tmp_path).replay() == State()
    assert not (tmp_path / "ledger").exists()


def test_the_same_entry_again_changes_nothing(ledger: RewardLedger) -> None:
    before = ledger.file.read_bytes()
    for entry in ledger.entries():
        for draft in ({k: v for k, v in entry.record.items() if k not in ("prev", "id")}, dict(entry.record)):
            assert ledger.append(draft, eligible=()) == entry
    assert ledger.append(FIRST | {"prev": "ee" * 32}, eligible=PEOPLE).number == 1
    assert ledger.file.read_bytes() == before


def test_a_correction_can_be_taken_back(ledger: RewardLedger) -> None:
    """The same words as an earlier correction, but another one holds now."""
    one = {k: v for k, v in ledger.entries()[4].record.items() if k not in ("prev", "id")}
    other = one | {"receipts": [["ann", 400], ["cyd", 300]], "reason": "cyd objected"}
    ledger.append(other, eligible=PEOPLE)
    assert ledger.replay().rounds["r"].earned["cyd"] == 300
    assert ledger.append(one, eligible=PEOPLE).number == 8
    assert ledger.replay().rounds["r"].earned["cyd"] == 400


def test_amounts_of_thirty_digits_are_exact(tmp_path: Path) -> None:
    ledger = RewardLedger(tmp_path)
    draft = divided(D1, {"ann": 10**30 - 1}, pool=10**30, cap=None)
    ledger.append(draft, eligible=PEOPLE)
    assert ledger.replay().rounds["r"].earned == {"ann": 10**30 - 1}
    with pytest.raises(Refused, match=r"pool .* is not a whole number from 0 to 1e\+30"):
        ledger.append(divided(D2, {}, pool=10**30 + 1), eligible=PEOPLE)


# P7: what is refused


def without(name: str) -> Record:
    return {k: v for k, v in FIRST.items() if k != name}


def correction(**changes: Any) -> Record:
    return FIRST | {"kind": "correction", "corrects": None, "reason": "x"} | changes


NEXT = divided(D3, {"ann": 400, "bob": 500})
REFUSED: list[tuple[Record, str]] = [
    (NEXT | {"reserve": 99}, r"receipts 900 \+ escrow 0 \+ reserve 99 = 999, but the budget is 1000 \(-1\)"),
    (NEXT | {"receipts": [["ann", 401], ["bob", 500]]}, r"= 1001, but the budget is 1000 \(\+1\)"),
    (divided(D3, {"ann": 501}), r"ann gets 501: above the cap 500"),
    (divided(D3, {"ann": 400}, [held(D3, "ann", 101, "2026-06-01")]), r"ann gets 501: above the cap 500"),
    (divided(D3, {"ann": 400, "bob": 99}, minimum=100), r"bob gets 99: below the minimum 100"),
    (divided(D3, {"ann": 400}, owner_cap=200, owners=[["o", 201]]), r"owner o gets 201: above the owner cap 200"),
    (divided(D3, {"ann": 400, "eve": 1}), r"eve: not eligible"),
    (divided(D3, dict.fromkeys("efghi", 1)), r"e, f, g and 2 more: not eligible"),
    (NEXT | {"prev": "ee" * 32}, r"forged or stale"),
    (NEXT | {"id": "ee" * 32}, r"the content's sha256 is"),
    (NEXT | {"pool": 999}, r"budget 1000 is not pool 999 \+ returned 0"),
    (divided(D3, {}, returned=5), r"returned 5, but expiries gave back 0"),
    (divided(D3, {}, floor=1001), r"floor 1001 is more than the budget 1000"),
    (FIRST | {"reserve": 149, "escrow": [BOB]}, r"has an entry for 2026-01-01 with other content.*correction of"),
    (divided("2025-12-31", {}), r"2025-12-31 is before 2026-01-02"),
    (divided(D3, {}, currency="USD"), r"currency USD, but round r has EUR: name a new round"),
    (divided(D3, {}, decimals=3), r"decimals 3, but round r has 2"),
    (divided(D3, {}, [held(D3, "ann", 5, D3)]), r"expires on 2026-01-03, not after 2026-01-03"),
    (divided(D3, {}, [["0" * 16, *held(D3, "ann", 5, "2026-06-01")[1:]]]), r"must be named"),
    (divided(D3, {}, owners=[]), r"owners is no field of a round"),
    (divided(D3, {}, owner_cap=5), r"owners is missing"),
    (divided(D3, {}, bonus=5), r"bonus is no field of a round"),
    (without("inputs") | {"as_of": D3}, r"inputs is missing"),
    (NEXT | {"kind": "gift"}, r"kind 'gift' is none of round, correction"),
    (NEXT | {"kind": ["round"]}, r"kind \['round'\] is none of"),
    (NEXT | {"pool": 1000.0}, r"pool 1000\.0 is not a whole number"),
    (NEXT | {"decimals": True}, r"decimals True is not a whole number"),
    (NEXT | {"cap": True}, r"cap True is not a whole number"),
    (NEXT | {"reserve": -1}, r"reserve -1 is not a whole number"),
    (NEXT | {"as_of": "2026-1-3"}, r"is not a day"),
    (NEXT | {"as_of": "20260103"}, r"is not a day"),
    (NEXT | {"inputs": "AB" * 32}, r"is not a sha256"),
    (NEXT | {"currency": ""}, r"currency '' is not a text"),
    (NEXT | {"policy": {"λ": 0.25}}, r"holds the float 0\.25"),
    (NEXT | {"policy": [1]}, r"policy \[1\] is not a mapping"),
    (NEXT | {"policy": {"λ": float("nan")}}, r"holds the float nan"),
    (NEXT | {"policy": {"λ": "\ud800"}}, r"cannot be written as JSON"),
    (NEXT | {"policy": {"λ": object()}}, r"cannot be written as JSON"),
    (NEXT | {"receipts": {"ann": 1}}, r"receipts .* is not a list"),
    (NEXT | {"receipts": [["bob", 1], ["ann", 1]]}, r"row 1: 'ann' is not in order"),
    (NEXT | {"receipts": [["ann", 1], ["ann", 1]]}, r"row 1: 'ann' is there twice"),
    (NEXT | {"receipts": [["ann", 0]]}, r"row 0 \['ann', 0\]: 0 is not above 0"),
    (NEXT | {"receipts": [["ann", "1"]]}, r"'1' is not a whole number"),
    (NEXT | {"receipts": [["ann", 1, 2]]}, r"not a list of 2"),
    (NEXT | {"receipts": [[None, 1]]}, r"None is not a text"),
    (closing("expiry", D3), r"holdings is empty"),
    (closing("expiry", D3, ["0" * 16, 5]), r"holding 0000000000000000 is not open"),
    (closing("expiry", D3) | {"round": "q"}, r"there is no round q"),
    (closing("release", D3, [BOB[0], 100, "bob"]), r"is not open"),
    (correction(as_of=D3), r"has no entry for 2026-01-03 to correct"),
    (correction(round="q"), r"round q has no entry"),
]


@pytest.mark.parametrize(("draft", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_breaks_a_rule_is_refused(ledger: RewardLedger, draft: Record, message: str) -> None:
    before = ledger.file.read_bytes()
    draft = {k: (ledger.entries()[0].id if v is None and k == "corrects" else v) for k, v in draft.items()}
    with pytest.raises(Refused, match=message):
        ledger.append(draft, eligible=PEOPLE)
    assert ledger.file.read_bytes() == before
    ledger.append(NEXT, eligible=PEOPLE)  # the refused ones are near misses of this


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool": 999, "budget": 999, "reserve": 149}, "pool 999, but the round has 1000.*divides the same money"),
        ({"corrects": "ee" * 32}, "but the round entry is"),
        ({"reason": ""}, "reason '' is not a text"),
        ({"escrow": sorted([BOB, CYD])[:1], "reserve": 1000 - 700 - sorted([BOB, CYD])[0][4]}, "must be in the escrow"),
        (
            {"escrow": sorted([[*BOB[:4], 99, *BOB[5:]], CYD]), "reserve": 151},
            "of 100 was released: it must be in the escrow as it was",
        ),
        ({"receipts": [["ann", 299], ["bob", 401]]}, "bob gets 501: above the cap 500"),
    ],
)
def test_a_correction_keeps_to_the_money_and_to_what_is_done(
    ledger: RewardLedger, changes: Record, message: str
) -> None:
    first = ledger.entries()[0].id
    with pytest.raises(Refused, match=message):
        ledger.append(correction(corrects=first) | changes, eligible=PEOPLE)
    ledger.append(correction(corrects=first), eligible=PEOPLE)


def test_holdings_close_once_in_time_and_in_full(tmp_path: Path) -> None:
    ledger = RewardLedger(tmp_path)
    ledger.append(FIRST, eligible=PEOPLE)
    for draft, message in [
        (closing("expiry", D2, [BOB[0], 100]), "has not expired on 2026-01-02: it expires on 2026-03-01"),
        (closing("expiry", D2, [CYD[0], 49]), "has 50, not 49"),
        (closing("release", D2, [CYD[0], 50, "cyd"]), "has expired on 2026-01-02: it expires on 2026-01-02"),
        (closing("release", D1, [CYD[0], 50, "eve"]), "eve: not eligible"),
        (closing("release", "2025-12-31", [CYD[0], 50, "cyd"]), "2025-12-31 is before 2026-01-01"),
        # ann has 400 already: what waits under other names cannot bring her above the cap of 500
        (closing("release", D1, [CYD[0], 50, "ann"], [BOB[0], 100, "ann"]), "ann gets 550: above the cap 500"),
    ]:
        with pytest.raises(Refused, match=message):
            ledger.append(draft, eligible=PEOPLE)
    ledger.append(closing("release", D1, [BOB[0], 100, "ann"]), eligible=PEOPLE)
    with pytest.raises(Refused, match="ann gets 550: above the cap 500"):
        ledger.append(closing("release", D1, [CYD[0], 50, "ann"]), eligible=PEOPLE)
    ledger.append(closing("expiry", D2, [CYD[0], 50]), eligible=())
    with pytest.raises(Refused, match="is not open"):
        ledger.append(closing("expiry", D3, [CYD[0], 50]), eligible=())
    known = ledger.replay().rounds["r"]
    assert known.returned == 50 and known.earned == {"ann": 500, "dön": 300}
    with pytest.raises(Refused, match="returned 0, but expiries gave back 50"):
        ledger.append(divided(D2, {}), eligible=())
    ledger.append(divided(D2, {}, returned=50), eligible=())
    assert ledger.replay().rounds["r"].returned == 0


def test_a_payment_is_noted_once_and_for_money_only(ledger: RewardLedger) -> None:
    first, release, expiry = ledger.entries()[:3]
    for draft, message in [
        (payment(first) | {"at": "2026-01-04T00:00:00Z"}, r"is paid already, at 2026-01-03T10:00:00\+00:00 \(line 6\)"),
        (payment(expiry), "is no correction, release, round entry"),
        (payment(release) | {"pays": "ee" * 32}, "is no correction, release, round entry"),
        (payment(release) | {"key": first.id}, "but the paid entry's is"),
        (payment(release) | {"status": 302}, "status 302 is not a whole number from 200 to 299"),
        (payment(release) | {"at": "2026-01-03T10:00:00+02:00"}, "is not a time in UTC"),
        (payment(release) | {"at": "2026-01-03T10:00:00"}, "is not a time in UTC"),
        (payment(release) | {"attempts": 0}, "attempts 0 is not"),
    ]:
        with pytest.raises(Refused, match=message):
            ledger.append(draft, eligible=())
    ledger.append(payment(release), eligible=())


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (1, {"reserve": 151}, "= 1001, but the budget is 1000"),
        (4, {"cap": 499}, "ann gets 500: above the cap 499"),
        (3, {"as_of": "2025-12-31"}, "2025-12-31 is before 2026-01-01"),
        (4, {"receipts": 7}, "receipts 7 is not a list"),
        (5, {"corrects": "ee" * 32}, "but the round entry is"),
        (6, {"status": 500}, "status 500"),
        (3, {"holdings": [["0" * 16, 50]]}, "holding 0000000000000000 is not open"),
        (2, {"round": "q"}, "there is no round q"),
        (4, {"as_of": D1}, "has an entry for 2026-01-01 with other content"),
        (1, {"kind": None}, "kind None is none of"),
        (6, {"pays": "ee" * 32}, "which is no"),
    ],
)
def test_a_forger_who_hashes_anew_is_found_by_the_rules(
    ledger: RewardLedger, number: int, changes: Record, message: str
) -> None:
    forged(ledger, number, **changes)
    with pytest.raises(LedgerDamaged, match=message) as damage:
        ledger.replay()
    assert damage.value.line == number
    assert ledger.findings()[0] == str(damage.value)
    with pytest.raises(LedgerDamaged):
        ledger.append(NEXT, eligible=PEOPLE)


def test_replay_asks_who_was_eligible(ledger: RewardLedger) -> None:
    with pytest.raises(LedgerDamaged, match=r"line 4 .*bob: not eligible") as damage:
        ledger.replay(lambda _round, as_of: PEOPLE - {"bob"} if as_of == D2 else None)
    assert damage.value.line == 4


# Any valid history


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Entries that follow the rules, made from a simple model of the money."""
    entries: list[Record] = []
    waiting: dict[str, list[Any]] = {}
    back = 0
    days = draw(st.lists(st.integers(1, 28), min_size=1, max_size=4, unique=True).map(sorted))
    for number in days:
        day = f"2026-01-{number:02}"
        due = {h: row for h, row in waiting.items() if row[5] <= day}
        if due:
            entries.append(closing("expiry", day, *([h, row[4]] for h, row in due.items())))
            back += sum(row[4] for row in due.values())
            waiting = {h: row for h, row in waiting.items() if h not in due}
        amounts = st.dictionaries(st.sampled_from(sorted(PEOPLE)), st.integers(1, 10**29))
        receipts = draw(amounts)
        escrow: list[list[Any]] = []
        for person, amount in draw(amounts).items():
            escrow.append(
                held(day, person, amount, f"2026-{draw(st.integers(1, 3)):02}-{28}", draw(st.text(min_size=1)))
            )
        escrow = [row for row in escrow if row[5] > day]
        spent = sum(receipts.values()) + sum(row[4] for row in escrow)
        pool = max(0, spent - back) + draw(st.integers(0, 9))
        whole = divided(day, receipts, escrow, pool=pool, returned=back, cap=None)
        entries.append(whole)
        back = 0
        waiting |= {row[0]: row for row in escrow}
        if draw(st.booleans()) and waiting:
            chosen = draw(st.sampled_from(sorted(waiting)))
            row = waiting.pop(chosen)
            if row[5] > day:
                entries.append(closing("release", day, [chosen, row[4], draw(st.sampled_from(sorted(PEOPLE)))]))
            else:
                waiting[chosen] = row
    return entries


def balance(state: State) -> int:
    return sum(
        sum(known.earned.values()) + sum(h.amount for h in known.holdings.values()) + known.returned + known.reserve
        for known in state.rounds.values()
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_any_valid_history_replays_to_the_same_state(history: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first, second = RewardLedger(Path(one)), RewardLedger(Path(two))
        for draft in history:
            first.append(draft, eligible=PEOPLE)
            assert balance(first.replay()) == sum(e.record.get("pool", 0) for e in first.entries())
        for draft in history:
            second.append(draft, eligible=PEOPLE)
            second.append(draft, eligible=PEOPLE)
        assert second.file.read_bytes() == first.file.read_bytes()
        state = first.replay(lambda _round, _as_of: PEOPLE)
        assert state == second.replay() == RewardLedger(Path(one)).replay()
        earned: dict[str, int] = {}
        for draft in history:
            gains = draft["receipts"] if draft["kind"] == "round" else draft["holdings"]
            for row in gains if draft["kind"] != "expiry" else ():
                person, amount = (row[0], row[1]) if draft["kind"] == "round" else (row[2], row[1])
                earned[person] = earned.get(person, 0) + amount
        assert state.rounds["r"].earned == earned


# P5: damage is located


def damage_of(ledger: RewardLedger, content: bytes) -> LedgerDamaged:
    ledger.file.write_bytes(content)
    with pytest.raises(LedgerDamaged) as caught:
        ledger.replay()
    return caught.value


def test_every_flipped_byte_is_located(tmp_path: Path) -> None:
    """Two single bits of every byte, line ends too: the right line, the right place in it, and what stood there."""
    ledger = RewardLedger(tmp_path)
    paid = ledger.append(FIRST, eligible=PEOPLE)
    ledger.append(closing("release", D1, [BOB[0], 100, "bob"]), eligible=PEOPLE)
    ledger.append(payment(paid), eligible=())
    whole = ledger.file.read_bytes()
    line, offset, named = 1, 0, 0
    for at, byte in enumerate(whole):
        for flip in (1 << at % 8, 1 << (at + 3) % 8):
            damage = damage_of(ledger, whole[:at] + bytes([byte ^ flip]) + whole[at + 1 :])
            assert (damage.line, damage.offset) == (line, offset), (at, flip, str(damage))
            found = f"byte {at - offset + 1} of the line: expected 0x{byte:02x}"
            named += found in str(damage)
        if byte == ord("\n"):
            line, offset = line + 1, at + 1
    assert named == 2 * len(whole)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_byte_is_located(ledger: RewardLedger, data: st.DataObject) -> None:
    path = ledger.file.with_name("whole")
    if not path.exists():
        path.write_bytes(ledger.file.read_bytes())
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[at]))
    damage = damage_of(ledger, whole[:at] + bytes([byte]) + whole[at + 1 :])
    assert damage.line == whole[:at].count(b"\n") + 1
    assert f"byte {at - damage.offset + 1} of the line: expected 0x{whole[at]:02x}" in str(damage)


def test_a_long_line_is_located_and_its_meaning_told(tmp_path: Path) -> None:
    """Too long to try every byte, but the sum gives it away."""
    ledger = RewardLedger(tmp_path)
    people = [f"person{i:04}" for i in range(2000)]
    ledger.append(divided(D1, dict.fromkeys(people, 5), pool=10_000), eligible=people)
    whole = ledger.file.read_bytes()
    changed = whole.replace(b'"person1234",5', b'"person1234",6')
    message = str(damage_of(ledger, changed))
    assert "line 1 (at byte 0 of the file)" in message
    assert "receipts 10001 + escrow 0 + reserve 0 = 10001, but the budget is 10000 (+1)" in message
    assert "expected 0x35 '5', found 0x36 '6'" not in message


def test_lines_removed_added_doubled_or_moved_are_located(ledger: RewardLedger) -> None:
    whole = ledger.file.read_bytes()
    lines = whole.splitlines(keepends=True)

    def at(*order: int, extra: bytes = b"") -> int:
        return damage_of(ledger, b"".join(lines[i] if i >= 0 else extra for i in order)).line

    everything = list(range(len(lines)))
    for i in everything[:-1]:
        assert at(*(j for j in everything if j != i)) == i + 1
        swapped = everything.copy()
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
        assert at(*swapped) == i + 1
    for i in everything:
        assert at(*everything[: i + 1], i, *everything[i + 1 :]) == i + 2
        for extra in (b"\n", b"{}\n", b"[]\n", b"\xff\xfe\n", b"null\n", lines[0].replace(b'"r"', b'"q"')):
            assert at(*everything[:i], -1, *everything[i:], extra=extra) == i + 1


def test_truncation_at_every_byte_is_seen_but_at_a_line_end(ledger: RewardLedger) -> None:
    """Whole lines missing at the end leave a whole, older ledger: only its head tells."""
    whole = ledger.file.read_bytes()
    heads = [GENESIS, *(entry.id for entry in ledger.entries())]
    for size in range(len(whole)):
        kept = whole[:size]
        if not kept or kept.endswith(b"\n"):
            ledger.file.write_bytes(kept)
            assert ledger.replay().head == heads[kept.count(b"\n")]
        else:
            damage = damage_of(ledger, kept)
            assert damage.line == kept.count(b"\n") + 1
            lost = "expected 0x0a" if whole[size : size + 1] == b"\n" else f"cut off after {size - damage.offset} bytes"
            assert lost in str(damage)


def test_findings_go_on_after_the_first(ledger: RewardLedger) -> None:
    forged(ledger, 4, cap=499)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    assert [f.split(" (at")[0] for f in ledger.findings()] == ["ledger/rewards.jsonl line 4"]
    lines[1] = lines[1].replace(b"100", b"101")
    lines[5] = b"\xff" + lines[5]
    ledger.file.write_bytes(b"".join(lines))
    found = ledger.findings()
    assert [f.split(" (at")[0].split()[-1] for f in found] == ["2", "6"]  # line 4's sums may stand on line 2
    assert "expected 0x30 '0', found 0x31 '1'" in found[0] and "0xff is no UTF-8" in found[1]


def test_a_sealed_line_without_a_kind_is_a_finding(ledger: RewardLedger) -> None:
    record: Record = {"prev": ledger.replay().head}
    line = canonical(record | {"id": entry_id(record)}) + b"\n"
    ledger.file.write_bytes(ledger.file.read_bytes() + line)
    assert "line 7" in ledger.findings()[0] and "kind None is none of" in ledger.findings()[0]


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"pool":' + b"9" * 5000 + b"}",
        b'{"pool":1e999}',
        b'{"pool":NaN}',
        b'{"a":"\\ud800"}',
        b'\xef\xbb\xbf{"a":1}',
        b"\x00" * 64,
    ],
)
def test_garbage_is_damage_not_a_crash(ledger: RewardLedger, line: bytes) -> None:
    whole = ledger.file.read_bytes()
    assert damage_of(ledger, whole + line + b"\n").line == 7
    assert damage_of(ledger, whole + line).line == 7


# Kills, full disks, company


def drafted(ledger: RewardLedger) -> tuple[bytes, bytes]:
    """The ledger before and after one more entry."""
    before = ledger.file.read_bytes()
    ledger.append(NEXT, eligible=PEOPLE)
    return before, ledger.file.read_bytes()


def test_a_writer_killed_at_any_byte_leaves_the_old_ledger_or_the_new_one(ledger: RewardLedger) -> None:
    before, after = drafted(ledger)
    line = after[len(before) :]
    heads = {len(before): json.loads(line)["prev"], len(after): json.loads(line)["id"]}
    moments = [(line[:size], before) for size in range(0, len(line), 7)]
    moments += [(line, after[:size]) for size in range(len(before), len(after) + 1, 7)] + [(line, after)]
    for note, left in moments:
        ledger.pending.write_bytes(note)
        ledger.file.write_bytes(left)
        whole = len(after) if left == after else len(before)
        assert ledger.replay().head == heads[whole]  # a reader, before anyone repairs
        entry = ledger.append(NEXT, eligible=PEOPLE)
        assert (entry.number, entry.offset) == (7, len(before))
        assert ledger.file.read_bytes() == after
        assert not ledger.pending.exists()


def test_the_first_entry_of_a_killed_writer_is_finished(tmp_path: Path) -> None:
    ledger = RewardLedger(tmp_path)
    ledger.append(FIRST, eligible=PEOPLE)
    line = ledger.file.read_bytes()
    for left in (None, b"", line[:50]):
        ledger.pending.write_bytes(line)
        ledger.file.unlink()
        if left is not None:
            ledger.file.write_bytes(left)
        assert ledger.append(FIRST, eligible=()).number == 1
        assert ledger.file.read_bytes() == line


def test_a_torn_end_that_nobody_announced_is_never_cut_off(ledger: RewardLedger) -> None:
    """The last line end changed, or the disk lost bytes: cutting would lose an entry that was promised."""
    before, after = drafted(ledger)
    other = canonical(json.loads(after[len(before) :]) | {"as_of": D2}) + b"\n"
    for note in (None, other, b"{}\n", b"garbage\n"):
        ledger.file.write_bytes(after[:-1])
        if note is not None:
            ledger.pending.write_bytes(note)
        with pytest.raises(LedgerDamaged) as damage:
            ledger.append(NEXT, eligible=PEOPLE)
        assert damage.value.line == 7
        assert ledger.file.read_bytes() == after[:-1]
    ledger.file.write_bytes(before[: before.rindex(b"\n", 0, -1) + 1])  # two entries are gone, the note is the later
    ledger.pending.write_bytes(after[len(before) :])
    with pytest.raises(LedgerError, match="does not follow the last one"):
        ledger.append(NEXT, eligible=PEOPLE)
    assert ledger.pending.exists()


WRITER = """
import json, sys
from pathlib import Path
from coevo_pipelines.rewards.ledger import RewardLedger
ledger, drafts = RewardLedger(Path(sys.argv[1])), json.loads(sys.stdin.read())
print("ready", flush=True)
for draft in drafts:
    print(ledger.append(draft, eligible={"ann"}).number, flush=True)
"""


def writer(root: Path, drafts: list[Record], **options: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    assert process.stdin
    process.stdin.write(json.dumps(drafts))
    process.stdin.close()
    process.stdin = None
    return process


def many(round_name: str, count: int) -> list[Record]:
    days = (f"20{year}-{month:02}-01" for year in range(26, 99) for month in range(1, 13))
    return [{**divided(day, {"ann": 400}), "round": round_name} for day, _ in zip(days, range(count), strict=False)]


def test_two_processes_append_at_the_same_time(tmp_path: Path) -> None:
    names = ("one", "two", "same", "same")
    writers = [writer(tmp_path, many(name, 12)) for name in names]
    for process in writers:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    state = RewardLedger(tmp_path).replay()
    assert len(state.entries) == 36
    assert {name: len(known.entries) for name, known in state.rounds.items()} == dict.fromkeys(names, 12)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_leaves_a_ledger_that_goes_on(tmp_path: Path) -> None:
    drafts, chance, done = many("r", 400), random.Random(4), 0
    for _ in range(4):
        process = writer(tmp_path, drafts)
        assert process.stdout and process.stderr
        for _ in range(chance.randrange(2, 20) + done):  # what is there already is answered again
            process.stdout.readline()
        time.sleep(chance.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        ledger = RewardLedger(tmp_path)
        seen = len(ledger.replay().entries)
        assert seen >= done
        entry = ledger.append(drafts[seen + 1], eligible={"ann"})
        done = entry.number
        assert ledger.findings() == [] and done in (seen + 1, seen + 2)


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("room", [0, 1, 100, 400])
def test_a_full_disk_leaves_the_old_ledger(ledger: RewardLedger, room: int) -> None:
    """The file may grow by `room` bytes only; the announcement alone fits, or does not (when the ledger is small)."""
    before = ledger.file.read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, len(before) + room))

    process = writer(ledger.folder.parent, [divided(D3, {"ann": 400})], preexec_fn=limit)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and output == "ready\n"
    assert "not written (File too large" in errors and "the ledger is as it was" in errors
    assert ledger.file.read_bytes() == before and not ledger.pending.exists()
    ledger.append(NEXT, eligible=PEOPLE)


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE")
def test_a_disk_too_full_for_the_announcement(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    process = writer(tmp_path, [divided(D3, {"ann": 400})], preexec_fn=limit)
    _, errors = process.communicate(timeout=60)
    assert "not written (File too large" in errors
    ledger = RewardLedger(tmp_path)
    assert ledger.replay() == State() and not ledger.pending.exists()
