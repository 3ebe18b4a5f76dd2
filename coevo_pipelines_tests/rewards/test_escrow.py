"""Held money: released, expired and given back, from day to day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake.schemas import HELD
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.rewards.escrow import OF_WORKS, carried, releases, returned
from coevo_pipelines.rewards.ledger import RewardLedger
from coevo_pipelines.rewards.load import known_of
from coevo_pipelines.rewards.persons import Register
from coevo_pipelines.rewards.rounds import AMOUNT, escrow_frame
from coevo_pipelines.rewards.settling import settle
from coevo_pipelines.settings import Policy
from coevo_pipelines_tests.rewards.test_persons import known
from coevo_pipelines_tests.rewards.worlds import (
    DAY,
    Row,
    add,
    amounts,
    claim,
    honest,
    lake_of,
    optout,
    paid,
    rows,
    rules,
    settings_of,
    table,
)

TODAY = DAY + timedelta(9)
HAD: dict[str, Any] = {"round": pl.String, "opened": pl.String, "person_id": pl.String, "amount": AMOUNT}
CAPS: dict[str, Any] = {"round": pl.String, "opened": pl.String, "cap": AMOUNT}
WORKS: dict[str, Any] = {"node_id": pl.String, "round": pl.String, "held": pl.String}


def holding(name: str, person: str, amount: int = 10, **more: Any) -> Row:
    row = {"holding_id": name, "round": "r", "opened": "2026-01-05", "expires": "2026-07-04", "person_id": person}
    return row | {"subject": person, "held": "unverified", "amount": amount, "state": "open"} | more


def after(
    holdings: Iterable[Row],
    register: Register,
    *,
    works: Iterable[tuple[str, str, str]] = (),
    had: Iterable[tuple[str, str, str, int]] = (),
    caps: Iterable[tuple[str, str, int | None]] = (),
) -> pl.DataFrame:
    return carried(
        escrow_frame([{"released_to": None} | each for each in holdings]), TODAY, register,
        pl.DataFrame(list(works), WORKS, orient="row"), pl.DataFrame(list(had), HAD, orient="row"),
        pl.DataFrame(list(caps), CAPS, orient="row"),
    )  # fmt: skip


def states(found: pl.DataFrame) -> dict[str, tuple[str, str | None]]:
    return {name: (state, to) for name, state, to in found.select("holding_id", "state", "released_to").iter_rows()}


OPEN, EXPIRED = ("open", None), ("expired", None)
ADA = ("released", "person:ada")
CLAIMED = claim("ada", "github:a", "arxiv:x#1")
YESTERDAY, TOMORROW = str(TODAY - timedelta(1)), str(TODAY + timedelta(1))


@pytest.mark.parametrize(
    ("held", "claims", "expected"),
    [
        (holding("h", "github:a"), [], OPEN),
        (holding("h", "github:A"), CLAIMED, ADA),
        (holding("h", "github:b"), CLAIMED, OPEN),
        (holding("h", "openalex:W1#1"), CLAIMED, ADA),  # an alias by now
        (holding("h", "github:a"), claim("ada", "github:a", proof=None), OPEN),
        (holding("h", "github:a"), CLAIMED + claim("eve", "github:a"), OPEN),
        (holding("h", "github:a", held="disputed"), CLAIMED, ADA),
        (holding("h", "person:ada", held="opted_out"), CLAIMED, ADA),
        (holding("h", "github:a", expires=TOMORROW), CLAIMED, ADA),
        (holding("h", "github:a", expires=str(TODAY)), CLAIMED, EXPIRED),  # too late by a day
        (holding("h", "github:b", expires=YESTERDAY), CLAIMED, EXPIRED),
        (holding("h", "x#unknown", held="unknown_person"), CLAIMED, OPEN),
    ],
)
def test_what_becomes_of_a_holding(held: Row, claims: list[Row], expected: tuple[str, str | None]) -> None:
    found = after([held], known(claims, aliases={"openalex:W1": "arxiv:x"}))
    assert states(found) == {"h": expected}
    assert found.drop("state", "released_to").equals(
        escrow_frame([{"released_to": None} | held]).drop("state", "released_to")
    )
    assert releases(found).height == (expected == ADA)
    assert returned(found) == ({"r": 10} if expected == EXPIRED else {})


@pytest.mark.parametrize("reason", OF_WORKS)
@pytest.mark.parametrize(
    ("works", "claims", "expected"),
    [
        ([("w", "r")], CLAIMED, OPEN),
        ([("w", "another")], CLAIMED, ADA),
        ([("v", "r")], CLAIMED, ADA),
        ([], CLAIMED, ADA),
        ([], [], OPEN),
    ],
)  # fmt: skip
def test_what_waits_for_a_work_waits_for_its_person_too(
    reason: str, works: list[tuple[str, str]], claims: list[Row], expected: tuple[str, str | None]
) -> None:
    held = [(*each, "retracted") for each in works]
    found = after(
        [holding("h", "github:a", subject="old-w", held=reason)], known(claims, aliases={"old-w": "w"}), works=held
    )
    assert states(found) == {"h": expected}


def test_an_opt_out_holds_what_was_held_for_another_reason() -> None:
    found = after([holding("h", "github:a")], known(CLAIMED, [optout("person", "arxiv:x#1")]))
    assert states(found) == {"h": OPEN}


CAP = [("r", "2026-01-05", 100)]


@pytest.mark.parametrize(
    ("had", "amounts", "expected"),
    [
        ([], [100], "R"), ([], [101], "-"), ([60], [40], "R"), ([60], [41], "-"), ([30, 30], [40], "R"),
        ([], [50, 50, 1], "-RR"), ([], [50, 49, 1], "RRR"), ([50], [30, 30], "R-"), ([100], [1], "-"),
        ([10], [95, 30, 30], "-RR"),
    ],
)  # fmt: skip
def test_several_accounts_claimed_late_bring_no_more_than_the_cap(
    had: list[int], amounts: list[int], expected: str
) -> None:
    """The smallest are released first: what fits does not depend on names. "-RR" of 50, 50, 1: a 50 has to wait."""
    holdings = [holding(f"h{n}", f"github:{n}", amount) for n, amount in enumerate(amounts)]
    register = known(claim("ada", *(f"github:{n}" for n in range(len(amounts)))))
    found = after(holdings, register, had=[("r", "2026-01-05", "person:ada", amount) for amount in had], caps=CAP)
    released = found.filter(pl.col("state") == "released")["amount"].sum()
    assert sum(had) + released <= 100
    assert sorted("R" if state == "released" else "-" for state in found["state"]) == sorted(expected)
    free = after(
        holdings, register, had=[("r", "2026-01-12", "person:ada", 100), ("q", "2026-01-05", "person:ada", 100)]
    )
    assert set(free["state"]) == {"released"}, "other rounds and days, or no cap"


def test_what_waits_in_ones_own_name_counts_towards_the_cap() -> None:
    """As in the ledger: it was divided within the cap already, so it is released whatever else came meanwhile."""
    own = holding("own", "person:ada", 60, subject="w", held="retracted")
    register, other = known(CLAIMED), holding("h", "github:a", 41)
    waiting = after([own, other], register, works=[("w", "r", "retracted")], caps=CAP)
    assert states(waiting) == {"h": OPEN, "own": OPEN}
    assert states(after([own, other], register, caps=CAP)) == {"h": OPEN, "own": ADA}
    assert states(after([own | {"amount": 59}, other], register, caps=CAP)) == {"h": ADA, "own": ADA}
    gone = after([own | {"expires": YESTERDAY}, other], register, caps=CAP)
    assert states(gone) == {"h": ADA, "own": EXPIRED}


_HOLDINGS = st.lists(
    st.builds(
        lambda name, person, amount, held, expires: holding(
            f"h{name}", person, amount, held=held, subject="w" if held in OF_WORKS else person, expires=expires
        ),
        st.integers(0, 10**6), st.sampled_from(["github:a", "github:b", "person:ada", "arxiv:x#1"]),
        st.integers(1, 10**30), st.sampled_from(HELD), st.sampled_from([YESTERDAY, str(TODAY), TOMORROW]),
    ),
    max_size=8, unique_by=lambda row: row["holding_id"],
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(_HOLDINGS, st.booleans(), st.integers(0, 10**30) | st.none(), st.randoms())
def test_no_holding_is_lost_or_changed_but_in_its_state(
    holdings: list[Row], is_held: bool, cap: int | None, order: Any
) -> None:
    register = known([*CLAIMED, *claim("bob", "github:b")], [optout("person", "github:b")])
    options: dict[str, Any] = {"works": [("w", "r", "licence")] if is_held else [], "caps": [("r", "2026-01-05", cap)]}
    found = after(holdings, register, **options)
    same = escrow_frame([{"released_to": None} | each for each in holdings]).sort("holding_id")
    assert found.drop("state", "released_to").equals(same.drop("state", "released_to"))
    for row in found.iter_rows(named=True):
        assert (row["state"] == "expired") == (row["expires"] <= str(TODAY))
        assert (row["state"] == "released") == (row["released_to"] is not None)
        if row["state"] == "released":
            assert row["released_to"] == "person:ada"
            assert not (is_held and row["held"] in OF_WORKS)
    order.shuffle(holdings)
    assert after(holdings, register, **options).equals(found)


# Through the lake, day by day

ROUNDS = settings_of(
    rules(start=DAY + timedelta(6), escrow_days=3),
    rules(name="w", start=DAY + timedelta(6), pool=5300, period="week", escrow_days=2),
    rules(name="b", start=DAY + timedelta(6), policies=(Policy(name="BALANCED"),)),
)
LATE = 10


def told(offset: int) -> Mapping[str, list[Row]]:
    """D's author never claims anything, L's does on offset 7, a Monday."""
    facts = honest("BPM" if offset < 7 else "BPML")
    return facts if offset == 6 else {"claims": facts["claims"]}


def weeks(root: Path, days: Iterable[int]) -> Lake:
    return lake_of(root, {offset: told(offset) for offset in days}, ROUNDS, late={LATE: 3})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """From Sunday 11 January 2026 to the next Sunday; all that is asked of it is read."""
    made = weeks(tmp_path_factory.mktemp("escrow") / "lake", range(6, 14))
    assert settle(made, ROUNDS) == []
    yield made


def of(lake: Lake, name: str, offset: int, *columns: str, round: str = "r") -> list[tuple[Any, ...]]:
    return [each[1:] for each in rows(lake, name, offset, "round", *columns) if each[0] == round]


def test_it_is_released_on_the_day_of_the_claim(lake: Lake) -> None:
    assert sorted(of(lake, "escrow", 6, "person_id", "amount", "state")) == [
        ("arxiv:D#1", 76, "open"), ("arxiv:L#1", 75, "open"),
    ]  # fmt: skip
    moved = of(lake, "escrow", 7, "opened", "amount", "state", "released_to")
    assert [each for each in moved if each[2] != "open"] == [("2026-01-11", 75, "released", "person:l")]
    assert sorted(of(lake, "receipts", 7, "person_id", "kind", "amount")) == [
        ("person:b", "round", 113), ("person:l", "release", 75), ("person:l", "round", 75), ("person:p", "round", 736),
    ]  # fmt: skip
    assert "released" not in table(lake, "escrow", 8)["state"].to_list(), "said once"


def test_what_expires_is_in_the_next_budget_the_same_day_where_that_is_the_next(lake: Lake) -> None:
    assert of(lake, "rounds", 8, "returned", "budget") == [(0, 1000)]
    assert of(lake, "rounds", 9, "returned", "budget") == [(76, 1076)]


def test_or_some_days_later(lake: Lake) -> None:
    """The week's 400 for D expire on Tuesday and are divided on Sunday, once; until then they are shown."""
    week = {offset: of(lake, "rounds", offset, "returned", "budget", "is_paid", round="w") for offset in range(6, 14)}
    assert week[6] == [(0, 5300, True)]
    assert week[7] == [(0, 5300, False)]
    for offset in range(8, 13):
        assert week[offset] == [(400, 5700, False)]
    assert week[13] == [(400, 5700, True)]
    assert sum(each[0] for each in of(lake, "receipts", 13, "amount", round="w")) == 5270, "49 of 53 parts"


def test_a_reconstructed_day_moves_no_money(lake: Lake) -> None:
    """Shown in full; what is due on it is due on the next day that may pay; what was earned does not count it."""
    before, on, after_it = (table(lake, "escrow", offset) for offset in (LATE - 1, LATE, LATE + 1))
    assert on.equals(before.filter(pl.col("state") == "open"))
    assert "2026-01-15" in on["expires"].to_list(), "something was due"
    assert table(lake, "receipts", LATE).height == 0
    ((is_paid, why),) = of(lake, "rounds", LATE, "is_paid", "why_not")
    assert not is_paid
    assert why.startswith("reconstructed")
    assert sum(amounts(lake, LATE).values()) > 0
    expired = after_it.filter(pl.col("state") == "expired", pl.col("round") == "r").sort("expires")
    assert expired["expires"].to_list() == ["2026-01-15", "2026-01-16"]
    assert of(lake, "rounds", LATE + 1, "returned", "is_paid") == [(152, True)]
    earned = known_of(lake.snapshot(), DAY + timedelta(LATE + 1), ROUNDS).earned
    assert earned["amount"].sum() == sum(of(lake, "rounds", n, "budget", round="b")[0][0] for n in range(6, LATE))


def test_the_ledger_has_what_the_tables_have(lake: Lake) -> None:
    state = RewardLedger(lake.root).replay()
    held = table(lake, "escrow", 13).filter(pl.col("state") == "open")
    for round, known_ in state.rounds.items():
        own = held.filter(pl.col("round") == round)
        assert {name: int(amount) for name, amount in own.select("holding_id", "amount").iter_rows()} == {
            name: each.amount for name, each in known_.holdings.items()
        }
        received: dict[str, int] = {}
        for offset in range(6, 14):
            for person, amount in of(lake, "receipts", offset, "person_id", "amount", round=round):
                received[person] = received.get(person, 0) + amount
        assert received == known_.earned
        pools = [int(entry[-1].record["pool"]) for entry in known_.entries.values()]
        assert sum(pools) == sum(received.values()) + known_.reserve + known_.returned + int(own["amount"].sum())


def test_a_late_claim_above_the_cap_stays_and_the_ledger_agrees(tmp_path: Path) -> None:
    """Ada wrote B and D; D is opted out, so 157 of her 393 wait in her own name. L's 157 would make it 550 of 450."""
    ada = claim("ada", "arxiv:B#1", "arxiv:D#1") + claim("p", "arxiv:P#1")
    late = {"claims": ada + claim("ada", "arxiv:L#1")}
    rule = settings_of(rules(cap=0.45, escrow_days=9))
    out = [optout("work", "arxiv:D")]
    lake = lake_of(tmp_path, {0: honest("") | {"claims": ada, "optouts": out}, 1: late | {"optouts": out}}, rule)
    assert paid(lake) == {"ada": 236, "p": 450}
    opened = [each for each in rows(lake, "escrow", 1, "person_id", "opened", "amount", "state") if each[1] == str(DAY)]
    assert sorted(opened) == [("arxiv:L#1", str(DAY), 157, "open"), ("person:ada", str(DAY), 157, "open")]
    assert settle(lake, rule) == []
    add(lake, 2, late, rule)
    moved = [
        each for each in rows(lake, "escrow", 2, "person_id", "opened", "amount", "state") if each[3] == "released"
    ]
    assert ("person:ada", str(DAY), 157, "released") in moved, "the opt-out is gone"
    assert settle(lake, rule) == []
