"""The ladder by rule: who decides, what it costs, who is told; and a person's record in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from coevo_pipelines.swarm.config import Config, Importance, Winner
from coevo_pipelines.swarm.decisions.ladder import climb, standin
from coevo_pipelines.swarm.decisions.minds import Panel, Vote
from coevo_pipelines.swarm.records import Case, Counts, Record, Side

RICH = 10**9
WORKED = (Counts(12, 15), Counts(8, 14))
"""Of the specification: q 0.8994664, confidence 0.7989."""
EVEN = (Counts(5, 10), Counts(5, 10))
CLOSE = (Counts(6, 10), Counts(5, 10))
"""q 0.665, confidence 0.33."""


def side(name: str, counts: Counts) -> Side:
    return Side(
        organism_id=f"o-{name}",
        version_id=f"v-{name}",
        weight=1,
        counts=counts,
        live=Counts(1, 2),
        age=120,
        tier="ADULT",
        influence=0.5,
        consensus=0.25,
    )


def case(
    counts: tuple[Counts, Counts] = EVEN,
    importance: Importance = "standard",
    *,
    pattern: str = "PSO",
    past: tuple[Counts, Counts] = (Counts(0, 0), Counts(0, 0)),
) -> Case:
    teacher, student = (side(name, each) for name, each in zip(("teacher", "student"), counts, strict=True))
    return Case("blend_run_1", pattern, importance, "blend", teacher, student, *past)


def record(decision: Winner = "student", **more: str) -> Record:
    found = Record("0" * 16, decision, None, "Ada", datetime(2026, 11, 21, 9, tzinfo=UTC), "seen both")
    return replace(found, **more)  # type: ignore[arg-type]


def rows(found: Case, config: Config, human: Record | None = None, purse: int = RICH) -> list[tuple[object, ...]]:
    steps = climb(found, config, Panel(), human, purse).steps
    return [(step.level, step.event, step.cost, step.winner, step.is_final, step.decided_by) for step in steps]


@pytest.mark.parametrize("importance", ["critical", "standard", "experimental"])
def test_k2_nyx_decides_the_worked_example(importance: Importance) -> None:
    found = climb(case(WORKED, importance), Config(), Panel(), None, RICH)
    assert (found.level, found.winner, found.decided_by, found.cost) == (2, "teacher", "nyx", 5_000)
    assert found.q == pytest.approx(0.8994664, abs=5e-8)
    assert found.confidence == pytest.approx(0.7989, abs=5e-5)
    assert (found.refused, found.distribution) == (None, None)
    assert [(step.level, step.event) for step in found.steps] == [(2, "entered"), (0, "informed"), (1, "informed")]


def test_k6_from_nyx_to_the_council_costs_175() -> None:
    found = climb(case(), Config(standin_confidence=0.0), Panel(), None, 175_000)
    assert (found.cost, found.level, found.decided_by) == (175_000, 5, "council_standin")
    assert [(step.level, step.event, step.cost) for step in found.steps] == [
        (2, "entered", 5_000),
        (3, "entered", 20_000),
        (4, "entered", 50_000),
        (5, "entered", 100_000),
        *((level, "informed", 0) for level in range(5)),
    ]
    assert [step.is_final for step in found.steps] == [False, False, False, True, *[False] * 5]


def test_what_the_levels_say_is_in_their_rows() -> None:
    assert rows(case(CLOSE), Config()) == [
        (2, "entered", 5_000, "teacher", False, None),
        (3, "entered", 20_000, "teacher", False, None),
        (4, "entered", 50_000, "teacher", True, "dafit_standin"),
        *((level, "informed", 0, "teacher", False, "dafit_standin") for level in range(4)),
    ]


@pytest.mark.parametrize(
    ("counts", "importance", "level"),
    [
        (CLOSE, "standard", 4),  # 0.33
        (CLOSE, "experimental", 2),
        ((Counts(13, 20), Counts(10, 20)), "standard", 2),  # 0.65
        ((Counts(13, 20), Counts(10, 20)), "critical", 4),
        (EVEN, "experimental", 4),
    ],
)
def test_how_far_it_goes(counts: tuple[Counts, Counts], importance: Importance, level: int) -> None:
    assert climb(case(counts, importance), Config(), Panel(), None, RICH).level == level


def test_the_literal_rule_differs_for_what_is_experimental() -> None:
    found = case(CLOSE, "experimental")
    assert climb(found, Config(strict_seed=True), Panel(), None, RICH).level == 4


def test_chrysalis_adds_precedents_at_half_their_count() -> None:
    found = case(EVEN, past=(Counts(20, 20), Counts(0, 20)))
    result = climb(found, Config(), Panel(), None, RICH)
    assert (result.level, result.decided_by, result.winner) == (3, "chrysalis", "teacher")
    same = climb(case((Counts(15, 20), Counts(5, 20))), Config(), Panel(), None, RICH)
    assert (result.q, same.level) == (same.q, 2)
    assert climb(found, Config(precedent_weight=0.0), Panel(), None, RICH).q == 0.5


@pytest.mark.parametrize(
    ("counts", "winner"),
    [(EVEN, "hybrid"), (CLOSE, "teacher"), (CLOSE[::-1], "student"), ((Counts(0, 0), Counts(9, 9)), "hybrid")],
)
def test_the_stand_in_takes_a_side(counts: tuple[Counts, Counts], winner: Winner) -> None:
    within = Config(hybrid_within=0.4)
    found = climb(case(counts, pattern="care"), within.model_copy(update={"ethical": ("care",)}), Panel(), None, RICH)
    assert (found.winner, standin(case(counts), within)) == (winner, winner)
    assert found.confidence >= 0.75
    assert found.steps[0].reason is not None


def test_tags_jump() -> None:
    config = Config(ethical=("care", "frame"), architecture=("frame",))
    assert rows(case(WORKED, pattern="care"), config) == [
        (4, "entered", 50_000, "teacher", True, "dafit_standin"),
        *((level, "informed", 0, "teacher", False, "dafit_standin") for level in range(4)),
    ]
    assert rows(case(WORKED, pattern="frame"), config) == [
        (5, "entered", 100_000, "teacher", True, "council_standin"),
        *((level, "informed", 0, "teacher", False, "council_standin") for level in range(5)),
    ]
    low = config.model_copy(update={"standin_confidence": 0.0})
    assert climb(case(EVEN, pattern="care"), low, Panel(), None, RICH).level == 4, "a jump enters one level only"


@pytest.mark.parametrize(
    ("purse", "refused", "needed"),
    [(4_999, 2, 5_000), (5_000, 3, 25_000), (24_999, 3, 25_000), (25_000, 4, 75_000), (75_000, 5, 175_000)],
)
def test_a_purse_that_is_too_small_ends_it(purse: int, refused: int, needed: int) -> None:
    found = climb(case(), Config(standin_confidence=0.0), Panel(), None, purse)
    assert (found.refused, found.cost, found.steps) == (refused, needed, ())
    assert (found.winner, found.decided_by, found.distribution) == (None, None, None)


def test_a_persons_word_needs_no_council_but_its_own_level_is_paid() -> None:
    config = Config(standin_confidence=0.0)
    assert climb(case(), config, Panel(), record(), 75_000).level == 4
    assert climb(case(), config, Panel(), record(), 74_999).refused == 4


def test_a_jump_that_cannot_be_paid() -> None:
    config = Config(architecture=("PSO",))
    assert climb(case(), config, Panel(), None, 99_999).refused == 5
    assert climb(case(), config, Panel(), None, 100_000).cost == 100_000


def test_k9_a_person_at_dafits_level() -> None:
    without = climb(case(CLOSE), Config(), Panel(), None, RICH)
    found = climb(case(CLOSE), Config(), Panel(), record(distribution="broadcast"), RICH)
    assert (without.winner, without.decided_by) == ("teacher", "dafit_standin")
    assert (found.winner, found.decided_by, found.confidence) == ("student", "dafit_human", 1.0)
    assert (found.cost, found.distribution) == (without.cost, "broadcast")
    last = found.steps[2]
    assert (last.event, last.mind, last.reason) == ("entered", "human", "Ada, 2026-11-21: seen both")
    assert found == climb(case(CLOSE), Config(), Panel(), record(distribution="broadcast"), RICH)


def test_a_person_overrules_what_was_decided_below_without_cost() -> None:
    assert rows(case(WORKED), Config(), record("hybrid")) == [
        (2, "entered", 5_000, "teacher", False, None),
        (4, "correction", 0, "hybrid", True, "dafit_human"),
        *((level, "informed", 0, "hybrid", False, "dafit_human") for level in range(4)),
    ]
    found = climb(case(WORKED), Config(), Panel(), record("hybrid"), 5_000)
    assert (found.cost, found.level, found.refused) == (5_000, 4, None)


@pytest.mark.parametrize(
    ("past", "human", "votes", "winner", "decided_by"),
    [
        (None, None, "unanimous: Nyx teacher, Chrysalis teacher, dafit teacher", "teacher", "council_standin"),
        ((0, 40, 40), None, "they differ, dafit's vote holds: Nyx teacher, Chrysalis student, dafit student",
         "student", "council_standin"),
        (None, "hybrid", "they differ, dafit's vote holds: Nyx teacher, Chrysalis teacher, dafit hybrid",
         "hybrid", "council_human"),
        (None, "teacher", "unanimous: Nyx teacher, Chrysalis teacher, dafit teacher", "teacher", "council_human"),
    ],
)  # fmt: skip
def test_the_council(
    past: tuple[int, int, int] | None, human: Winner | None, votes: str, winner: Winner, decided_by: str
) -> None:
    before = (Counts(past[0], past[2]), Counts(past[1], past[2])) if past else (Counts(0, 0), Counts(0, 0))
    found = case(WORKED, past=before)
    config = Config(architecture=("PSO",))
    result = climb(found, config, Panel(), record(human) if human else None, RICH)
    step = result.steps[0]
    assert (result.winner, result.decided_by, result.level, result.cost) == (winner, decided_by, 5, 100_000)
    assert step.reason is not None
    assert step.reason.startswith(votes)
    assert step.mind == ("human" if human else "rule")
    assert (step.prompt, step.answer, step.tokens) == (None, None, None)


def test_no_decision_is_called_human_without_a_record() -> None:
    for config in (Config(), Config(ethical=("PSO",)), Config(architecture=("PSO",)), Config(standin_confidence=0.0)):
        for counts in (EVEN, CLOSE, WORKED):
            for step in climb(case(counts), config, Panel(), None, RICH).steps:
                assert step.mind != "human"
                assert "human" not in (step.decided_by or "")


def test_by_verifications_nyx_goes_by_their_number_and_the_posterior_says_how_sure() -> None:
    config = Config(evidence="verifications")
    rates = (Counts(12, 15, verifications=3), Counts(8, 14, verifications=9))
    found = climb(case(rates), config, Panel(), None, RICH)
    assert (found.winner, found.level) == ("student", 2)
    assert found.q == pytest.approx(0.8994664, abs=5e-8)
    assert found.steps[0].reason == "3 verifications and 9"
    assert climb(case(WORKED), config, Panel(), None, RICH).winner == "hybrid"


def test_nothing_known_of_either_side() -> None:
    found = climb(case((Counts(0, 0), Counts(0, 0))), Config(), Panel(), None, RICH)
    assert (found.winner, found.q, found.level) == ("hybrid", 0.5, 4)


def test_a_mind_of_ones_own_sits_at_levels_2_3_and_5() -> None:
    asked: list[tuple[str, float]] = []

    def contrary(about: Case, facts: Mapping[str, Any]) -> Vote:
        asked.append((about.pattern, facts["q"]))
        return Vote(winner="student", confidence=0.9, reason="on principle")

    found = climb(case(WORKED), Config(), Panel(own={2: contrary}), None, RICH)
    assert (found.winner, found.decided_by, found.level, found.confidence) == ("student", "nyx", 2, 0.9)
    assert (found.steps[0].mind, found.steps[0].reason) == ("own", "on principle")
    assert [q for _, q in asked] == [pytest.approx(0.8994664, abs=1e-7)]
    found = climb(case(CLOSE), Config(), Panel(own={3: contrary}), None, RICH)
    assert (found.decided_by, [step.mind for step in found.steps[:2]]) == ("chrysalis", ["rule", "own"])
    council = climb(case(), Config(architecture=("PSO",)), Panel(own={5: contrary}), None, RICH)
    assert "Chrysalis student" in (council.steps[0].reason or "") and council.winner == "hybrid"
