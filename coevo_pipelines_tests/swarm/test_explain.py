"""From a marker back to the works behind it, out of tables written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.citations.assets import TABLES as CITATIONS
from coevo_pipelines.citations.assets import compute as citations_of
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import compute_and_commit
from coevo_pipelines.settings import load_settings
from coevo_pipelines.swarm.config import Outcome
from coevo_pipelines.swarm.explain import Explanation, Use, Work, explain, lines
from coevo_pipelines_tests.citations.test_graph import DAY, Row, at, identity, work
from coevo_pipelines_tests.rewards.worlds import tell
from coevo_pipelines_tests.swarm.seeding.test_world import FACTS

NEXT, LAST = DAY + timedelta(1), DAY + timedelta(2)
PSO = "particle-swarm-optimization"
K, REPO = "arxiv:k", "github:Ann/1"
BLANK: dict[str, Any] = {"int64": 0, "float64": 0.0, "bool": False, "timestamp": at(0), "list[string]": []}
MARKER: Row = {
    "marker_id": "blend_r_1", "pattern": PSO, "importance": "standard", "kind": "blend", "protocol": "mark_continue",
    "teacher_id": "orcid:0000-0001", "student_id": "arxiv:b", "teacher_version": K, "student_version": REPO,
    "teacher_weight": 1, "student_weight": 1, "marked_tick": 3, "teacher_prior_k": 12, "teacher_prior_n": 15,
    "teacher_prior_verifications": 14, "student_prior_k": 8, "student_prior_n": 14, "student_prior_verifications": 8,
    "status": "pending",
}  # fmt: skip


def put(lake: Lake, day: date, table: str, *rows: Row) -> None:
    """A day of one of the swarm's tables; what is not given is empty, zero or null."""
    name = f"swarm.{table}"
    columns = TABLES[name].columns
    blank = {c.name: None if c.nullable else BLANK.get(c.type, (c.enum or ("x",))[0]) for c in columns}
    strange = {column for row in rows for column in row} - set(blank)
    assert not strange, f"{name} has no {strange}"
    lake.write(name, day, pl.DataFrame([blank | row for row in rows], schema=TABLES[name].polars_schema()))


def outcome(tick: int, success: bool, source: Any, **context: str) -> str:
    text = "{" + ",".join(f'"{name}":"{value}"' for name, value in context.items()) + "}"
    told = Outcome(tick=tick, organism_id="o", success=success, context=text, source=source)
    return told.model_dump_json()


def organisms() -> list[Row]:
    kay = {"organism_id": "orcid:0000-0001", "kind": "author_cluster", "label": "Kay", "works": [K], "tier": "ELDER",
           "community": "c1", "influence": 0.875}  # fmt: skip
    return [kay, {"organism_id": "arxiv:b", "kind": "author_cluster", "works": ["arxiv:b"], "influence": 0.375}]


def versions(*holders: int, **chosen: Any) -> list[Row]:
    rows = [
        {"version_id": K, "evidence_for": 2, "title": "Particle swarm"} | chosen,
        {"version_id": REPO, "evidence_for": 1},
    ]
    return [row | {"pattern": PSO, "holders": count} for row, count in zip(rows, holders, strict=True)]


def first_day(lake: Lake) -> None:
    newborn = {"organism_id": "~newborn:1", "replaces": "arxiv:gone", "tier": "YOUNG"}
    put(lake, DAY, "organisms", *organisms(), newborn)
    put(lake, DAY, "versions", *versions(5, 4))
    void = MARKER | {
        "marker_id": "blend_r_2", "teacher_id": "arxiv:b", "teacher_version": REPO, "student_id": "~newborn:1",
        "student_version": f"c1:{PSO}", "status": "void", "why": "the student died", "kind": "uncertain",
    }  # fmt: skip
    put(lake, DAY, "decision_markers", MARKER, void)
    put(lake, DAY, "lifeforce_ledger", {"entry_id": 1, "tick": 3, "from_account": "SOURCE", "to_account": "nyx",
                                        "amount_milli": 5, "kind": "income"})  # fmt: skip
    guess = {"prediction_id": "predict_r_1", "marker_id": "blend_r_1", "pattern": PSO, "predicted_winner": "teacher",
             "prediction_confidence": 0.7, "causal_reasoning": "its rate is higher", "predicted_tick": 3,
             "horizon": 100}  # fmt: skip
    put(lake, DAY, "blend_predictions", guess)


def second_day(lake: Lake) -> None:
    put(lake, NEXT, "organisms", *organisms())
    put(lake, NEXT, "versions", *versions(6, 3, hops=9, chosen_by="blend_r_1"))
    outcomes = [
        outcome(4, True, "simulated", tier="YOUNG"), outcome(5, False, "simulated"),
        outcome(5, True, "observed", work="arxiv:a"), outcome(5, False, "observed", work="arxiv:unheard"),
    ]  # fmt: skip
    told = {
        "status": "resolved", "resolved_tick": 20, "resolved_at": at(1), "winner": "teacher", "level": 4,
        "distribution": "lovechild", "evidence_delta": 0.2286, "q": 0.8994664, "confidence": 0.7989, "fisher_p": 0.245,
        "decided_by": "dafit_human", "review_id": "ab12", "teacher_outcomes": outcomes,
        "student_outcomes": [outcome(6, True, "simulated")], "fraction_observed": 0.4,
    }  # fmt: skip
    put(lake, NEXT, "decision_markers", MARKER | told)
    step = {"marker_id": "blend_r_1", "tick": 20, "q": 0.8994664, "confidence": 0.7989, "winner": "teacher"}
    put(
        lake, NEXT, "escalations",
        step | {"level": 1, "event": "informed", "q": None, "confidence": None},
        step | {"level": 4, "event": "entered", "cost_milli": 50_000, "is_final": True, "decided_by": "dafit_human",
                "reason": "seen it\x1b[31m before"},
        step | {"level": 2, "event": "entered", "cost_milli": 5_000},
        step | {"marker_id": "blend_r_9", "level": 2, "event": "entered"},
    )  # fmt: skip
    entry = {"tick": 20, "from_account": "nyx", "to_account": "SINK", "ref": "blend_r_1"}
    put(
        lake, NEXT, "lifeforce_ledger",
        entry | {"entry_id": 2, "amount_milli": 5_000, "kind": "level_2"},
        entry | {"entry_id": 3, "amount_milli": 3_000, "kind": "prediction", "ref": "predict_r_1",
                 "shortfall_milli": 500},
        entry | {"entry_id": 4, "amount_milli": 1, "kind": "clasp", "ref": None},
    )  # fmt: skip
    put(lake, NEXT, "review_queue", {
        "review_id": "ab12", "marker_id": "blend_r_1", "opened": "2026-01-06", "level": 4, "question": "Which?",
        "status": "decided", "decision": "teacher", "reviewer": "Ada", "decided_at": at(1), "note": "read both",
    })  # fmt: skip
    put(lake, NEXT, "blend_predictions", {
        "prediction_id": "predict_r_1", "marker_id": "blend_r_1", "pattern": PSO, "predicted_winner": "teacher",
        "prediction_confidence": 0.7, "causal_reasoning": "its rate is higher", "horizon": 100, "scored_tick": 20,
        "prediction_correct": True, "actual_winner": "teacher", "prediction_reward": 5.0, "calibration_reward": 1.92,
        "causal_reward": 8.0, "brier": 0.09,
    })  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("explain"))
    works = [row | {"url": f"https://example.org/{row['work_id'][-1]}"} for row in FACTS["works"]]
    tell(lake, 0, FACTS | {"works": works})
    compute_and_commit(lake, CITATIONS, DAY, citations_of)
    tell(lake, 1, {"claims": FACTS["claims"]}, tables=("traces.claims",))
    first_day(lake)
    second_day(lake)
    older = work("doi:10.1/b", 2, created=-900, title="B as printed")
    tell(lake, 2, {"works": [older], "identities": [identity("doi:10.1/b", "arxiv:b", 2)]})
    compute_and_commit(lake, CITATIONS, LAST, citations_of)
    put(lake, LAST, "decision_markers")
    return lake


@pytest.fixture(scope="module")
def found(lake: Lake) -> Explanation:
    return explain(lake.snapshot(), "blend_r_1", load_settings(), NEXT)


def test_who_the_two_are_and_what_is_behind_their_versions(found: Explanation) -> None:
    """K is used by Ann (paper and repository, one cluster) and by Bo, the student; Ann's repository by Bo alone, who
    holds it: that does not count."""
    assert found.day == NEXT
    k = Work(K, "Particle swarm", "https://example.org/k")
    b = Work("arxiv:b", "Particle swarms of b", "https://example.org/b")
    assert (found.teacher.works, found.teacher.work, found.student.works) == ([k], k, [b])
    said = "referenced_works[0]"
    assert found.teacher.uses == [
        Use(b, "arxiv:b", "cites", at(0), said, True),
        Use(Work("arxiv:a", "A particle swarm", "https://example.org/a"), "person:ann", "cites", at(0), said, True),
        Use(Work(REPO, REPO, "https://example.org/1"), "person:ann", "cites", at(0), said, True),
    ]
    assert found.student.uses == [Use(b, "arxiv:b", "cites", at(0), said, False)]
    assert (found.teacher.prior, found.teacher.weight) == ({"k": 12, "n": 15, "verifications": 14}, 1)
    assert (found.teacher.organism["tier"], found.teacher.version["evidence_for"]) == ("ELDER", 2)


def test_what_happened_while_it_was_open(found: Explanation) -> None:
    seen = [(each.tick, each.success, each.work) for each in found.teacher.observed]
    assert seen == [
        (5, True, Work("arxiv:a", "A particle swarm", "https://example.org/a")), (5, False, Work("arxiv:unheard")),
    ]  # fmt: skip
    assert (found.teacher.simulated, found.student.simulated) == ((1, 2), (1, 1))
    assert [(row["level"], row["event"]) for row in found.steps] == [(2, "entered"), (4, "entered"), (1, "informed")]
    assert [row["entry_id"] for row in found.entries] == [2, 3]
    assert [row["prediction_correct"] for row in found.predictions] == [True]
    assert found.review is not None and found.review["reviewer"] == "Ada"
    assert found.spread == [(DAY, 5, 4), (NEXT, 6, 3)]


def test_as_of_an_earlier_day(lake: Lake) -> None:
    """Nothing that came later."""
    early = explain(lake.snapshot(), "blend_r_1", load_settings(), DAY)
    assert (early.day, early.marker["status"], early.steps, early.entries) == (DAY, "pending", [], [])
    assert (early.review, early.spread, early.teacher.observed) == (None, [(DAY, 5, 4)], [])
    text = [*lines(early)]
    assert "  Still open." in text
    assert "Who was asked: nobody yet" in text
    assert [each for each in text if "tick 3: teacher at 0.700, because its rate is higher; open" in each]


def test_in_words(found: Explanation) -> None:
    told = [*lines(found)]
    assert all(each.isprintable() for each in told)
    assert told == [
        f"blend_r_1 as of 2026-01-06: whose way of {PSO} (standard) is better?",
        "  Simulated, seeded from real works; 40% of the outcomes below were observed.",
        "  Opened at tick 3 (2026-01-05): both hold theirs as verified; protocol mark_continue.",
        "  Resolved at tick 20 (2026-01-06) by dafit_human: the teacher's; q 0.899, confidence 0.799, Fisher p 0.245, "
        "rates differ by +22.86 points while it was open.",
        "",
        "teacher: Kay (orcid:0000-0001)",
        "  author_cluster, ELDER, community c1, influence above 88% of all",
        "  its works:",
        '    arxiv:k "Particle swarm" https://example.org/k',
        '  version at +1: arxiv:k "Particle swarm" https://example.org/k',
        "    built on by 2 independent clusters:",
        '      arxiv:b: arxiv:b "Particle swarms of b" https://example.org/b cites it '
        "[referenced_works[0], 2026-01-05]",
        '      person:ann: arxiv:a "A particle swarm" https://example.org/a cites it [referenced_works[0], 2026-01-05]',
        f'      person:ann: {REPO} "{REPO}" https://example.org/1 cites it [referenced_works[0], 2026-01-05]',
        "  when opened: 12 of 15 trials succeeded, 14 verifications",
        "  while open, simulated: 1 of 2 succeeded",
        "  while open, observed:",
        '    tick 5: arxiv:a "A particle swarm" https://example.org/a took it up',
        "    tick 5: arxiv:unheard did not take it up",
        "",
        "student: arxiv:b",
        "  author_cluster, YOUNG, influence above 38% of all",
        "  its works:",
        '    arxiv:b "Particle swarms of b" https://example.org/b',
        f'  version at +1: {REPO} "{REPO}" https://example.org/1',
        "    built on by 0 independent clusters:",
        '      arxiv:b: arxiv:b "Particle swarms of b" https://example.org/b cites it '
        "[referenced_works[0], 2026-01-05]; its own, does not count",
        "  when opened: 8 of 14 trials succeeded, 8 verifications",
        "  while open, simulated: 1 of 1 succeeded",
        "  while open, observed: none",
        "",
        "Who was asked:",
        "  tick 20, level 2 (Nyx) entered, 5 LF, q 0.899, confidence 0.799: teacher",
        "  tick 20, level 4 (dafit) entered, 50 LF, q 0.899, confidence 0.799: teacher - decided by dafit_human "
        "(seen it [31m before)",
        "  tick 20, level 1 (organisms) informed: teacher",
        "What Nyx expected:",
        "  tick 0: teacher at 0.700, because its rate is higher; right (Brier 0.090), +14.92 LF",
        "What a person was asked:",
        "  ab12 (decided): Which?",
        "  Ada decided teacher (2026-01-06 12:00 UTC): read both",
        "How it spread:",
        "  lovechild: 9 clasps carried the winner's version on",
        "  2026-01-05: 5 held the teacher's version, 4 the student's",
        "  2026-01-06: 6 held the teacher's version, 3 the student's",
        "Lifeforce:",
        "  tick 20: 5 LF for level_2, nyx to SINK",
        "  tick 20: 3 LF for prediction, nyx to SINK, 0.5 LF missing",
    ]


@pytest.mark.parametrize(
    ("marker_id", "day", "message"),
    [
        ("blend_r_3", None, r"no marker 'blend_r_3' by 2026-01-07; did you mean blend_r_2, blend_r_1\?"),
        ("", None, r"no marker '' by 2026-01-07; there are 2"),
        ("blend_r_1", DAY - timedelta(1), "the lake has no swarm by 2026-01-04: it begins on 2026-01-05"),
    ],
)
def test_a_marker_that_is_not_there(lake: Lake, marker_id: str, day: date | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain(lake.snapshot(), marker_id, load_settings(), day)


def test_a_lake_without_a_swarm(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the lake has no swarm: `coevo run` makes one"):
        explain(Lake(tmp_path).snapshot(), "blend_r_1", load_settings())


def test_many_works_are_cut_in_words_only(found: Explanation) -> None:
    works: Sequence[Work] = [Work(f"w{number}") for number in range(30)]
    told = [*lines(replace(found, teacher=replace(found.teacher, works=works)))]
    assert "    w11" in told and "    w12" not in told and "    and 18 more" in told


def test_a_version_that_another_decision_chose_again(found: Explanation) -> None:
    later = replace(found.teacher, version=dict(found.teacher.version) | {"chosen_by": "blend_r_7", "hops": 1})
    told = [*lines(replace(found, teacher=later))]
    assert "  lovechild: 1 clasp carried the winner's version on; blend_r_7 chose it too, later" in told


def test_a_newborn_and_a_work_that_has_another_name_by_now(lake: Lake) -> None:
    """B is an older work's preprint, it turns out: the teacher is the same, and so is what is its own. No work is
    behind the newborn or its version; it is in the table of the first day only."""
    found = explain(lake.snapshot(), "blend_r_2", load_settings())
    b = Work("doi:10.1/b", "B as printed", "https://example.org/b")
    assert (found.day, found.teacher.organism["organism_id"], found.teacher.works) == (LAST, "arxiv:b", [b])
    assert found.teacher.uses == [Use(b, "doi:10.1/b", "cites", at(0), "referenced_works[0]", False)]
    assert (found.student.works, found.student.work, found.student.uses) == ([], None, [])
    told = [*lines(found)]
    assert "  a newborn of the simulation, in the place of arxiv:gone; no work is behind it" in told
    assert f"  version at +1: c1:{PSO} (the usual way there, no single work)" in told
    assert "  Given up: the student died." in told
