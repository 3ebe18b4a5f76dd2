"""The book: what moves, what is refused, and that it always sums to zero."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.swarm.tick.ledger import NYX, SINK, SOURCE, Entries, Ledger, Refused, version_account, version_of


def ledger(organisms: int = 3, lf: int = 1000) -> Ledger:
    found = Ledger()
    found.attach(np.zeros(organisms, dtype=np.int64), [f"o{n}" for n in range(organisms)])
    found.mint_all(0, np.arange(organisms), np.full(organisms, lf), "opening")
    return found


def rows(found: Entries) -> list[tuple[int, int, int, int]]:
    return [tuple(map(int, each)) for each in zip(found.tick, found.debit, found.credit, found.amount, strict=True)]  # type: ignore[misc]


def test_every_movement_has_two_sides() -> None:
    book = ledger()
    book.mint(0, NYX, 500, "opening")
    book.charge(1, NYX, 5, "level_2", "blend_1")
    book.charge_all(1, np.array([0, 2]), 250, "clasp")
    book.mint(2, version_account(4), 5000, "resolution", "blend_1")
    assert (book.nyx, book.lf.tolist(), book.versions) == (495, [750, 1000, 750], {4: 5000})
    assert (book.minted, book.burnt, book.total()) == (3000 + 500 + 5000, 505, 0)
    found = book.taken()
    assert rows(found)[3:] == [
        (0, SOURCE, NYX, 500), (1, NYX, SINK, 5), (1, 0, SINK, 250), (1, 2, SINK, 250),
        (2, SOURCE, version_account(4), 5000),
    ]  # fmt: skip
    assert found.first_id == 1 and found.ref == {4: "blend_1", 7: "blend_1"}
    book.charge(3, NYX, 1, "upkeep")
    assert book.taken().first_id == 9 and not len(book.taken().amount)


def test_a_cost_that_cannot_be_paid_is_refused_and_nothing_is_booked() -> None:
    book = ledger(lf=200)
    before = book.entries
    with pytest.raises(Refused, match="nyx has 0 and is to pay 5"):
        book.charge(1, NYX, 5, "level_2")
    with pytest.raises(Refused, match="2 organisms cannot pay 250"):
        book.charge_all(1, np.array([0, 1]), 250, "clasp")
    assert (book.entries, book.lf.tolist(), book.total()) == (before, [200] * 3, 0)


def test_a_penalty_takes_what_is_there_and_says_what_was_missing() -> None:
    book = ledger()
    book.mint(0, NYX, 3, "opening")
    book.taken()
    book.penalize(1, NYX, 5, "prediction", "predict_1")
    book.penalize(1, NYX, 5, "calibration", "predict_1")
    found = book.taken()
    assert rows(found) == [(1, NYX, SINK, 3)]
    assert found.shortfall.tolist() == [2]
    assert (book.nyx, book.shortfall, book.total()) == (0, 7, 0)


def test_a_reward_stops_at_the_most() -> None:
    book = ledger()
    book.mint(0, NYX, 990, "opening")
    book.taken()
    book.reward(1, NYX, 25, "prediction", most=1000)
    book.reward(1, NYX, 25, "prediction", most=1000)
    assert (book.nyx, book.taken().shortfall.tolist()) == (1000, [15])


def test_who_takes_a_place_has_an_account_of_its_own() -> None:
    book = ledger()
    book.bury(1, np.array([1, 2]))
    book.arrive(1, "newborn")
    book.mint_all(1, np.array([1]), np.array([100]), "opening")
    found = book.taken()
    assert [book.name(int(each)) for each in found.credit[-3:]] == ["SINK", "SINK", "organism:newborn"]
    assert [book.name(int(each)) for each in found.debit[-3:]] == ["organism:o1", "organism:o2", "SOURCE"]
    assert book.total() == 0 and book.lf.tolist() == [1000, 100, 0]


def test_no_movement_of_less_than_nothing() -> None:
    book = ledger()
    with pytest.raises(ValueError, match="an amount of -1"):
        book.mint(1, NYX, -1, "income")
    before = book.entries
    book.mint(1, NYX, 0, "income")
    assert book.entries == before


@given(st.integers(0, 10**6))
def test_accounts_of_versions_are_their_own(number: int) -> None:
    assert version_of(version_account(number)) == number
    assert version_account(number) not in {SOURCE, SINK, NYX} and version_account(number) < 0


def move(book: Ledger, tick: int, what: int, where: int, amount: int) -> None:
    places, version = np.array([where]), version_account(where)
    if what == 0:
        return book.mint(tick, NYX, amount, "income")
    if what == 1:
        return book.charge(tick, NYX, amount, "level_2")
    if what == 2:
        return book.charge_all(tick, places, amount, "clasp")
    if what == 3:
        return book.mint_all(tick, places, np.array([amount]), "wait")
    if what == 4:
        return book.penalize(tick, NYX, amount, "causal")
    if what == 5:
        return book.mint(tick, version, amount, "resolution")
    book.transfer(tick, version, version_account(where + 1), amount, "correction")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 3000)), max_size=40))
def test_all_accounts_sum_to_zero_whatever_happens(moves: list[tuple[int, int, int]]) -> None:
    book = ledger(5)
    for tick, (what, where, amount) in enumerate(moves):
        with contextlib.suppress(Refused):
            move(book, tick, what, where, amount)
        assert book.total() == 0
        assert min([book.nyx, *book.lf.tolist(), *book.versions.values(), book.sink]) >= 0
    balances = dict.fromkeys([SOURCE, SINK, NYX, *range(5)], 0)
    for _, debit, credit, amount in rows(book.taken()):
        balances[debit] = balances.get(debit, 0) - amount
        balances[credit] = balances.get(credit, 0) + amount
    assert balances[NYX] == book.nyx and balances[SINK] == book.sink and balances[SOURCE] == book.source
    assert [balances[place] for place in range(5)] == book.lf.tolist()
