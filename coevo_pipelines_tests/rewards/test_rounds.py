"""Rounds: when they close, and that every unit of a budget is somewhere, within every limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake import schemas
from coevo_pipelines.rewards.checks import wrong
from coevo_pipelines.rewards.persons import Register, eligibility
from coevo_pipelines.rewards.rounds import Past, Settled, closes, frames, reach, settle
from coevo_pipelines.settings import Policy, Round
from coevo_pipelines_tests.rewards.test_persons import known, parts
from coevo_pipelines_tests.rewards.worlds import DAY, Row, claim, optout, rules

NOTHING = Past(merits=[], earned={}, returned=0)


@pytest.mark.parametrize(
    ("period", "start", "day", "expected"),
    [
        ("day", "2026-01-05", "2026-01-05", True),
        ("day", "2026-01-05", "2026-01-04", False),
        ("week", "2026-01-05", "2026-01-11", True),  # a Sunday
        ("week", "2026-01-11", "2026-01-11", True),  # a week of one day
        ("week", "2026-01-12", "2026-01-11", False),
        ("week", "2026-01-05", "2026-01-10", False),
        ("month", "2026-01-05", "2026-01-31", True),
        ("month", "2026-01-05", "2026-01-30", False),
        ("month", "2026-02-01", "2026-01-31", False),
        ("month", "2024-01-01", "2024-02-28", False),
        ("month", "2024-01-01", "2024-02-29", True),
        ("month", "2023-01-01", "2023-02-28", True),
        ("month", "1900-01-01", "1900-02-28", True),  # no leap year
        ("month", "2026-04-30", "2026-04-30", True),
        ("month", "2026-12-01", "2026-12-31", True),
    ],
)
def test_when_a_period_is_over(period: str, start: str, day: str, expected: bool) -> None:
    found = closes(rules(period=period, start=date.fromisoformat(start)), date.fromisoformat(day))
    assert found == expected


@pytest.mark.parametrize(("period", "times"), [("day", 366), ("week", 52), ("month", 12)])
def test_how_often_a_leap_year_is_closed(period: str, times: int) -> None:
    days = (date(2024, 1, 1) + timedelta(n) for n in range(366))
    assert sum(closes(rules(period=period, start=date(2020, 1, 1)), day) for day in days) == times


def test_how_far_back_is_looked() -> None:
    policies = (Policy(name="IMMEDIATE", days=3), Policy(name="BALANCED"), Policy(name="RECENT", lookback=90))
    assert [reach(rules(policies=policies[:n])) for n in (1, 2, 3)] == [2, 2, 89]
    assert reach(rules()) == 0


def people(merits: Mapping[str, int], *more: tuple[Any, ...]) -> pl.DataFrame:
    """What `eligibility` says of verified people with a work each, and of what else is given (see `parts`)."""
    return eligibility(parts(*((f"w-{p}", f"person:{p}", merit) for p, merit in merits.items()), *more), sure(merits))


def sure(names: Sequence[str] | Mapping[str, int], *optouts: Row) -> Register:
    return known([row for name in names for row in claim(name, f"github:{name}")], optouts)


def divided(round: Round, merits: Mapping[str, int], past: Past = NOTHING) -> dict[str, int]:
    found = settle(round, people(merits), sure(merits), past)
    assert sum(found.receipts.values()) + found.reserve == found.budget == round.pool + past.returned
    return {name.removeprefix("person:"): amount for name, amount in found.receipts.items()} | (
        {"reserve": found.reserve} if found.reserve else {}
    )


@pytest.mark.parametrize(
    ("options", "merits", "expected"),
    [
        ({"floor": 0.3}, {"a": 2, "b": 1, "c": 1}, {"a": 450, "b": 275, "c": 275}),
        ({"cap": 0.4, "minimum": 100}, {"a": 50, "b": 30, "c": 15, "d": 5}, {"a": 400, "b": 400, "c": 200}),
        ({"cap": 0.05}, {"a": 1, "b": 1}, {"a": 50, "b": 50, "reserve": 900}),
        ({"floor": 0.3}, {"a": 1, "b": 0, "c": 0}, {"a": 800, "b": 100, "c": 100}),
        ({"floor": 1}, {"a": 5, "b": 0}, {"a": 500, "b": 500}),
        ({"floor": 1}, {}, {"reserve": 1000}),
        ({}, {"a": 0}, {"reserve": 1000}),
        ({"pool": 0}, {"a": 1}, {}),
        ({"pool": 1, "cap": 0.5}, {"a": 1, "b": 1}, {"reserve": 1}),  # half a unit is no unit
        ({"pool": 10**30, "cap": "0.333333"}, {"a": 1, "b": 1, "c": 1}, None),
    ],
)
def test_known_answers(options: dict[str, Any], merits: dict[str, int], expected: dict[str, int] | None) -> None:
    if expected is None:
        cap = 333333 * 10**24
        expected = {"a": cap, "b": cap, "c": cap, "reserve": 10**24}
    assert divided(rules(**options), merits) == expected


def cells(found: Settled) -> list[SimpleNamespace]:
    rows = found.cells.sort("person_id").iter_rows(named=True)
    return [SimpleNamespace(**row | {"amount": int(row["amount"])}) for row in rows]


def policy(name: Any, **more: Any) -> Policy:
    return Policy(name=name, **({"recipient": "person:z", "memo": "x"} if name == "SPECIAL" else {}) | more)


@pytest.mark.parametrize(
    ("policies", "past", "expected"),
    [
        ([policy("IMMEDIATE", days=2)], {}, {"a": 500, "b": 500}),
        ([policy("IMMEDIATE", days=3)], {}, {"a": 400, "b": 600}),
        ([policy("RECENT", discount=Decimal("0.25"), lookback=3)], {}, {"a": 442, "b": 558}),  # 53 to 67
        ([policy("RECENT", discount=Decimal(0), lookback=3)], {}, {"a": 400, "b": 600}),
        ([policy("RECENT", discount=Decimal(1))], {}, {"a": 667, "b": 333}),
        ([policy("BALANCED")], {"a": 100, "b": 500}, {"a": 967, "b": 33}),  # 1600 at 2 to 1, less what they had
        ([policy("BALANCED")], {"a": 0, "b": 3000}, {"a": 1000}),
        ([policy("SPECIAL", recipient="person:b", most=250)], {}, {"b": 250, "reserve": 750}),
        ([policy("SPECIAL", recipient="github:B", most=250)], {}, {"b": 250, "reserve": 750}),
        (
            [policy("SPECIAL", recipient="person:b", most=100), policy("IMMEDIATE", share=Decimal(9))],
            {},
            {"a": 600, "b": 400},
        ),
        ([policy("SPECIAL", recipient="person:b", most=0), policy("IMMEDIATE")], {}, {"a": 667, "b": 333}),
    ],
)
def test_policies(policies: list[Policy], past: dict[str, int], expected: dict[str, int]) -> None:
    """a had 1 of 3 parts the day before and none before that, b two; today it is 2 to 1."""
    days = [{"person:a": 1, "person:b": 2}, {"person:a": 1, "person:b": 3}]
    merits = [days[0], {"person:a": 1, "person:b": 3}]
    earned = {f"person:{name}": amount for name, amount in past.items()}
    found = divided(rules(policies=policies), {"a": 2, "b": 1}, Past(merits, earned, 0))
    assert found == expected


def test_special_money_for_somebody_unknown_waits() -> None:
    """And for whoever opted out; for somebody of the register without a work it is paid."""
    for recipient, known_people, receipts, held in (
        ("github:new", {}, {}, "unverified"),
        ("person:z", {"z": 0}, {"person:z": 1000}, None),
        ("github:Z", {"z": 0}, {"person:z": 1000}, None),
    ):
        found = settle(
            rules(policies=[policy("SPECIAL", recipient=recipient)]), people(known_people), sure(known_people), NOTHING
        )
        assert found.receipts == receipts
        assert [cell.held for cell in cells(found)] == [held]
    register = sure(["z"], optout("person", "github:z"))
    rows = eligibility(parts(), register)
    found = settle(rules(policies=[policy("SPECIAL", recipient="github:z")]), rows, register, NOTHING)
    assert [(cell.person_id, cell.held, cell.amount) for cell in cells(found)] == [("person:z", "opted_out", 1000)]


def test_merit_of_earlier_days_of_people_who_are_gone_waits_for_them() -> None:
    past = Past([{"github:gone": 3, "person:a": 0}], {}, 0)
    found = settle(rules(policies=[policy("IMMEDIATE", days=2)]), people({"a": 1}), sure(["a"]), past)
    assert [(cell.person_id, cell.held, cell.amount) for cell in cells(found)] == [
        ("github:gone", "unverified", 750), ("person:a", None, 250),
    ]  # fmt: skip


def test_the_owner_cap_leaves_the_rest_in_reserve_and_below_the_minimum_nothing() -> None:
    rows = eligibility(
        parts(
            ("1", "github:a", 60, None, "github:lab"), ("2", "github:b", 20, None, "github:lab"),
            ("3", "github:c", 20, None, ""),
        ),
        sure("abc"),
    )  # fmt: skip
    found = settle(rules(owner_cap=0.5), rows, sure("abc"), NOTHING)
    assert found.receipts == {"person:a": 375, "person:b": 125, "person:c": 200}
    assert (found.owners, found.reserve) == ({"github:lab": 500}, 300)
    found = settle(rules(owner_cap=0.5, minimum=150), rows, sure("abc"), NOTHING)
    assert (found.receipts, found.reserve) == ({"person:a": 375, "person:c": 200}, 425)


# What always holds


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Round, pl.DataFrame, Register, Past, list[tuple[Any, ...]]]:
    names = draw(st.lists(st.sampled_from("abcdefg"), min_size=1, unique=True))
    verified = draw(st.lists(st.sampled_from(names), unique=True))
    out = [optout("person", f"github:{name}") for name in draw(st.lists(st.sampled_from(names), max_size=2))]
    register = known([row for name in verified for row in claim(name, f"github:{name}")], out)
    merit = st.one_of(st.integers(0, 50), st.integers(0, 10**17))
    listed = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["v", "w", "x", "y"]), st.sampled_from([f"github:{name}" for name in names]), merit,
                st.sampled_from([None, None, "retracted", "licence"]), st.sampled_from(["", "github:o", "github:p"]),
            ),
            max_size=14,
        )
    )  # fmt: skip
    pool = draw(st.one_of(st.integers(0, 3000), st.integers(0, 10**30)))
    share = st.fractions(Fraction(1, 1000), 1, max_denominator=1000).map(lambda f: round(Decimal(float(f)), 3))
    kinds = draw(st.lists(st.sampled_from(["IMMEDIATE", "RECENT", "BALANCED", "SPECIAL"]), min_size=1, max_size=4))
    policies = tuple(
        policy(
            kind,
            share=draw(share.filter(bool)),
            **(
                {"recipient": f"github:{draw(st.sampled_from(names))}", "most": draw(st.none() | st.integers(0, pool))}
                if kind == "SPECIAL"
                else {}
            ),
            **({"lookback": 3, "discount": draw(share)} if kind == "RECENT" else {}),
            **({"days": 2} if kind == "IMMEDIATE" else {}),
        )
        for kind in kinds
    )
    cap = draw(st.none() | share.filter(bool))
    limits: dict[str, Any] = {
        "floor": draw(share | st.just(Decimal(0))),
        "cap": cap,
        "minimum": draw(st.integers(0, min(400, pool if cap is None else int(pool * Fraction(cap))))),
        "owner_cap": draw(st.none() | share.filter(bool)),
    }
    persons = st.sampled_from([f"{'person' if name in verified else 'github'}:{name}" for name in names])
    past = Past(
        merits=draw(st.lists(st.dictionaries(persons, merit), min_size=2, max_size=2)),
        earned=draw(st.dictionaries(persons, st.integers(0, 10**30))),
        returned=draw(st.integers(0, 2000)),
    )
    return rules(pool=pool, policies=policies, **limits), eligibility(parts(*listed), register), register, past, listed


def owed(found: Settled) -> dict[str, int]:
    sums: dict[str, int] = {}
    for owner, amount in found.cells.filter(pl.col("owner") != "").select("owner", "amount").iter_rows():
        sums[owner] = sums.get(owner, 0) + int(amount)
    return sums


@settings(max_examples=40, deadline=None)
@given(_worlds())
def test_every_unit_is_somewhere_and_within_every_limit(
    world: tuple[Round, pl.DataFrame, Register, Past, list[tuple[Any, ...]]],
) -> None:
    round, rows, register, past, listed = world
    found = settle(round, rows, register, past)
    held = sum(cell.amount for cell in cells(found) if cell.held)
    assert sum(found.receipts.values()) + held + found.reserve == found.budget == round.pool + past.returned
    assert found.reserve >= 0
    assert min((cell.amount for cell in cells(found)), default=1) > 0
    if round.cap is not None:
        assert max(found.amounts, default=0) <= Fraction(round.cap) * found.budget
    assert all(amount == 0 or amount >= round.minimum for amount in found.amounts)
    if round.owner_cap is not None:
        assert max(owed(found).values(), default=0) <= int(found.budget * Fraction(round.owner_cap))
    payable = set(rows.filter(pl.col("held").is_null(), "is_verified")["person_id"])
    assert set(found.receipts) <= payable
    assert not set(found.receipts) & set(register.out["key"])
    full = [
        part
        for person, part, dropped in zip(found.people["person_id"], found.floors, found.dropped, strict=True)
        if person in payable and not dropped
    ]
    if round.owner_cap is None:
        assert len(set(full)) <= 1, "the floor is the same for all who have one"
    assert all(part <= amount for part, amount in zip(found.floors, found.amounts, strict=True))
    _fits_the_tables(round, found, rows, past)
    scaled = eligibility(parts(*((w, p, m * 3, *more) for w, p, m, *more in listed)), register)
    if all(each == 0 for day in past.merits for each in day.values()):
        assert settle(round, scaled, register, past).amounts == found.amounts, "scaling all changes no unit (P6)"


def _fits_the_tables(round: Round, found: Settled, rows: pl.DataFrame, past: Past) -> None:
    """The frames have the schema of the registry, and the check of the day finds nothing wrong in them."""
    tables = frames(round, DAY, found, past, is_paid=True, why_not=None)
    tables["rewards.eligibility"] = rows.with_columns(round=pl.lit(round.name))
    for name, frame in tables.items():
        schemas.conform(schemas.table(name), frame, "here")
    explained = tables["rewards.receipts"].select("round", "person_id", "amount")
    assert wrong(tables | {"rewards.explanations": explained}) == []
    assert tables["rewards.escrow"]["amount"].sum() == found.budget - found.reserve - sum(found.receipts.values())
