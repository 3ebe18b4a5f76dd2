"""The simulation as a whole: known answers, hand-computed scenarios, laws with a closed form, and the book."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pytest

from coevo_pipelines.lake.schemas import LEDGER_KINDS
from coevo_pipelines.swarm.config import Config, Distribution, Winner
from coevo_pipelines.swarm.decisions import reviews
from coevo_pipelines.swarm.decisions.predictions import predict
from coevo_pipelines.swarm.records import Marker, Record
from coevo_pipelines.swarm.tick.cases import case_of
from coevo_pipelines.swarm.tick.engine import CheckpointError, Swarm
from coevo_pipelines.swarm.tick.events import Trial
from coevo_pipelines.swarm.tick.ledger import NYX, SINK, SOURCE
from coevo_pipelines.swarm.tick.state import BUSY, LOVE_CHILD, PLUS, PRESENT, REFLEX, WAITING, Versions, empty_state
from coevo_pipelines_tests.swarm.worlds import at, begin, random_state, state, still, versions, weights_of

PQ = {"p": ("vt", "vs")}


def trials(pattern: str, community: str, successes: int, failures: int, version: str) -> list[Trial]:
    """New works of a community, of which so many use the version of the organisms there."""
    return [
        Trial(f"work:{community}:{n}", pattern, community, frozenset([version] if n < successes else []))
        for n in range(successes + failures)
    ]


def tied(config: Config, *, weight: int = 1, others: int = 0) -> Swarm:
    """Organisms 0 (community c0, version vt) and 1 (c1, vs) have an open decision; others hold vs at 0 in c2."""
    for seed in range(100):
        found = state(
            [[weight], [weight]] + [[0]] * others,
            [[0], [1]] + [[1]] * others,
            community=[0, 1] + [2] * others,
        )
        found.lf[2:] = 0
        found.blessed[2:] = True
        everybody = config.model_copy(update={"clasp_rate": 1.0, "inside": 0.0})
        swarm = Swarm.begin(everybody, seed, found, versions(PQ, config), at(0))
        swarm.tick(at(1))
        if swarm.pending:
            swarm.config = config
            return swarm
    raise AssertionError("the two never met")


def only(swarm: Swarm) -> Marker:
    (found,) = swarm.events.markers.values()
    return found


def balances(swarm: Swarm) -> dict[str, int]:
    """Of all accounts, from the entries alone."""
    _, entries = swarm.taken()
    names = [f"pattern:{swarm.versions.patterns[p]}:{v}" for p, v in
             zip(swarm.versions.pattern, swarm.versions.version_id, strict=True)]  # fmt: skip
    found: Counter[str] = Counter()
    for debit, credit, amount in zip(entries.debit, entries.credit, entries.amount, strict=True):
        found[swarm.ledger.name(int(debit), names)] -= int(amount)
        found[swarm.ledger.name(int(credit), names)] += int(amount)
    return dict(found)


def test_k7_the_whole_economy_of_one_decision() -> None:
    config = still(rewards="seed", min_wait=1, max_wait=200)
    swarm = tied(config, others=3)
    assert (swarm.state.tier[2:] == LOVE_CHILD).all()
    seen = trials("p", "c0", 12, 3, "vt") + trials("p", "c1", 8, 6, "vs")
    marker = only(swarm)
    won: Literal["teacher", "student"] = "teacher" if marker.teacher_version == "vt" else "student"
    swarm.state.influence[0] = 0.9  # a reason for vt
    found = predict(
        case_of(swarm, marker.marker_id), prediction_id="predict_1", at=at(1), horizon=10, trials=10, config=config
    )
    assert [(each.feature, each.favours) for each in found.claims] == [("influence", won)]
    # The known answer's prediction has c = 0.7.
    swarm.predicted[marker.marker_id] = replace(found, predicted_winner=won, confidence=0.7)
    swarm.tick(at(2), seen)
    assert (marker.status, marker.winner, marker.level, marker.decided_by) == ("resolved", won, 2, "nyx")
    assert marker.fraction_observed == 1.0
    assert (len(marker.teacher_outcomes), len(marker.student_outcomes)) in {(15, 14), (14, 15)}
    assert marker.confidence == pytest.approx(0.7989, abs=1e-4)
    assert marker.evidence_delta == pytest.approx(12 / 15 - 8 / 14)
    assert marker.fisher_p == pytest.approx(0.245, abs=5e-4)
    accounts = balances(swarm)
    assert accounts == {
        "organism:o0000": 111_750,
        "organism:o0001": 107_750,
        "pattern:p:vt": 5_000,
        "nyx": 505_000,
        "SINK": 7_000,
        "SOURCE": -736_500,
    }
    assert [weights_of(swarm.state)[n] for n in range(5)] == [[1]] * 5
    assert swarm.state.version[:, 0].tolist() == [0] * 5


def test_k2_decides_the_same_for_all_importances() -> None:
    for importance in ("critical", "standard", "experimental"):
        swarm = tied(still(min_wait=1, importance={"p": importance}))
        swarm.tick(at(2), trials("p", "c0", 12, 3, "vt") + trials("p", "c1", 8, 6, "vs"))
        marker = only(swarm)
        assert marker.level == 2 and marker.q is not None
        q = marker.q if marker.teacher_version == "vt" else 1 - marker.q
        assert q == pytest.approx(0.8994664, abs=1e-7)


@pytest.mark.parametrize(("protocol", "weights"), [("mark_continue", [[1], [1]]), ("freeze", [[0], [0]])])
def test_both_protocols(protocol: str, weights: list[list[int]]) -> None:
    swarm = tied(still(protocol=protocol, min_wait=3, max_wait=9))
    assert weights_of(swarm.state) == weights
    assert swarm.state.is_set(WAITING, 0, 0) == (protocol == "freeze")
    seen = trials("p", "c0", 9, 0, "vt") + trials("p", "c1", 0, 9, "vs")
    swarm.tick(at(2), seen)
    marker = only(swarm)
    frozen = protocol == "freeze"
    assert len(marker.teacher_outcomes) == (0 if frozen else 9)
    assert swarm.state.lf.tolist() == [99_750 + (0 if frozen else 9_000), 99_750]
    swarm.tick(at(3))
    found = [marker.status]
    swarm.tick(at(4))  # three ticks after tick 1
    assert [*found, marker.status] == ["pending", "resolved"]
    assert weights_of(swarm.state) == [[1], [1]]
    assert not any(swarm.state.is_set(plane, place, 0) for plane in (BUSY, WAITING) for place in (0, 1))
    # Frozen, nothing was learned: without trials both keep their versions.
    assert swarm.state.version[:, 0].tolist() == ([0, 1] if frozen else [0, 0])
    assert marker.winner == ("hybrid" if frozen else "teacher" if marker.teacher_version == "vt" else "student")


def test_uncertain_ties_are_tried_three_times_as_often() -> None:
    swarm = tied(still(use_rate=0.02, min_wait=10**6, max_wait=10**6), weight=0)
    for tick in range(2, 1502):
        swarm.tick(at(tick))
    marker = only(swarm)
    assert marker.kind == "uncertain"
    found = len(marker.teacher_outcomes) + len(marker.student_outcomes)
    assert found / 3000 == pytest.approx(0.06, abs=0.015)
    assert {each.source for each in marker.teacher_outcomes} == {"simulated"} and marker.fraction_observed == 0


def test_no_decision_before_its_time_nor_without_lifeforce() -> None:
    swarm = tied(still(min_wait=5, max_wait=20, nyx_start=29_000, sleep_floor=0.0, sleep_share=0.0))
    marker = only(swarm)
    for tick in range(2, 21):
        swarm.tick(at(tick), trials("p", "c0", 1, 0, "vt"))
        assert marker.status == "pending"  # Nyx has less than 30 LF
    swarm.tick(at(21))
    assert (marker.status, marker.resolved) == ("resolved", at(21))  # forced


def test_what_nyx_cannot_pay_stays_open_and_costs_nothing() -> None:
    # Even evidence goes up to level 4: 75 LF.
    config = still(min_wait=1, nyx_start=60_000, sleep_floor=0.0, sleep_share=0.0)
    swarm = tied(config)
    even = trials("p", "c0", 2, 2, "vt") + trials("p", "c1", 2, 2, "vs")
    swarm.tick(at(2), even)
    marker = only(swarm)
    assert (marker.status, marker.why, swarm.ledger.nyx) == ("pending", "level 4 could not be paid at tick 2", 60_000)
    assert not swarm.events.steps
    swarm.ledger.mint(2, NYX, 40_000, "income")
    swarm.tick(at(3))
    assert (marker.level, marker.decided_by, swarm.ledger.nyx) == (4, "dafit_standin", 25_000)
    assert [step.level for _, _, step in swarm.events.steps if step.event == "entered"] == [2, 3, 4]
    assert {step.level for _, _, step in swarm.events.steps if step.event == "informed"} == {0, 1, 2, 3}


@pytest.mark.parametrize("how", ["broadcast", "lovechild", "organic"])
def test_distribution(how: Distribution) -> None:
    config = still(min_wait=1, distribution=dict.fromkeys(("critical", "standard", "experimental"), how))
    swarm = tied(config, others=4)
    swarm.state.blessed[4:] = False
    swarm.state.put(REFLEX, 5, 0, True)
    swarm.state.put(PLUS, 5, 0, True)
    swarm.tick(at(2), trials("p", "c0", 12, 3, "vt") + trials("p", "c1", 8, 6, "vs"))
    marker = only(swarm)
    assert marker.distribution == how
    told = {"broadcast": [2, 3, 4, 5], "lovechild": [2, 3], "organic": []}[how]
    assert [place for place in range(2, 6) if swarm.state.version[place, 0] == 0] == told
    cost = {"broadcast": 20_000, "lovechild": 1_000, "organic": 0}[how]
    assert swarm.ledger.nyx == 500_000 - 5_000 - cost
    assert swarm.state.is_set(REFLEX, 5, 0) == (how != "broadcast")
    assert swarm.versions.chosen_by[0] == marker.marker_id


def test_k5_leapfrogging_is_cheaper_than_telling_everybody_once() -> None:
    config = Config()
    seeded = config.broadcast_cost + 9 * 2 * config.clasp_cost
    assert (seeded, 10 * config.broadcast_cost, config.broadcast_cost // (2 * config.clasp_cost)) == (
        24_500,
        200_000,
        40,
    )


def test_decisions_of_one_tick_leave_one_another_alone_until_their_turn() -> None:
    """Two on one pattern: the participants of the second keep its winner, and the last told is everywhere."""
    config = still(clasp_rate=1.0, inside=0.0, min_wait=1, importance={"p": "critical"})
    names = versions({"p": ("a", "b", "c", "d")}, config)
    swarm = begin(config, state([[1]] * 4, [[0], [1], [2], [3]], community=[0, 1, 2, 3]), names)
    swarm.tick(at(1))
    assert len(swarm.pending) == 2
    swarm.config = still(min_wait=1, importance={"p": "critical"})
    swarm.tick(at(2), [each for n, name in enumerate("abcd") for each in trials("p", f"c{n}", 9 - 3 * n, 3 * n, name)])
    first, second = swarm.events.markers.values()
    assert {first.distribution, second.distribution} == {"broadcast"}
    last = second.teacher_version if second.winner == "teacher" else second.student_version
    assert {names.version_id[each] for each in swarm.state.version[:, 0]} == {last}


def test_what_nobody_spreads_asks_nothing_of_nyx() -> None:
    swarm = tied(still(min_wait=1, importance={"p": "critical"}))
    swarm.tick(at(2))  # nobody tried anything: a hybrid of level 4, no broadcast
    assert (only(swarm).winner, swarm.ledger.nyx) == ("hybrid", 425_000)
    assert swarm.nyx.requested == pytest.approx(2 / 11 * 75_000)


def test_a_broadcast_that_cannot_be_paid() -> None:
    config = still(min_wait=1, nyx_start=10_000, decide_from=0, sleep_floor=0.0, importance={"p": "critical"})
    swarm = tied(config, others=2)
    swarm.tick(at(2), trials("p", "c0", 12, 3, "vt") + trials("p", "c1", 8, 6, "vs"))
    marker = only(swarm)
    assert (marker.distribution, marker.why) == ("organic", "the broadcast could not be paid")
    assert swarm.ledger.nyx == 5_000


def test_love_children_are_seeded_as_far_as_the_lifeforce_goes() -> None:
    swarm = tied(still(min_wait=1, nyx_start=5_900, decide_from=0, sleep_floor=0.0), others=3)
    swarm.tick(at(2), trials("p", "c0", 12, 3, "vt") + trials("p", "c1", 8, 6, "vs"))
    assert swarm.state.version[2:, 0].tolist() == [0, 1, 1]
    assert only(swarm).why == "2 love children could not be paid for"


def test_what_is_proven_as_it_arrives_is_a_reflex_at_once_and_what_failed_is_none() -> None:
    config = still(clasp_rate=1.0, inside=0.0)
    found = state([[1], [1]], [[0], [1]])
    found.k[0, 0], found.n[0, 0], found.verifications[0, 0], found.verified[0] = 45, 50, 200, 200
    swarm = begin(config, found, versions(PQ, config))
    assert [swarm.state.is_set(REFLEX, place, 0) for place in (0, 1)] == [True, False]
    swarm.tick(at(1))
    assert (swarm.events.metrics[-1]["reflex_ties"], swarm.pending) == (1, {})
    swarm.state.set_weight(0, 0, -1)  # withdrawn
    swarm.admit(empty_state(0, 1), at=at(1))
    assert not swarm.state.is_set(REFLEX, 0, 0)


# people


def asked(swarm: Swarm, tick: int, known: dict[str, Record] | None = None) -> Marker:
    """Evidence that hardly tells them apart: level 4."""
    swarm.tick(at(tick), trials("p", "c0", 4, 4, "vt") + trials("p", "c1", 3, 5, "vs"), known)
    return only(swarm)


def record(review: str, decision: Winner, *, second: int = 0, distribution: Distribution | None = None) -> Record:
    return Record(review, decision, distribution, "ada", datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC), "because")


def test_k9_a_person_decides_in_a_replay_and_again_gives_the_same() -> None:
    config = still(min_wait=1)
    first = asked(tied(config), 2)
    assert (first.level, first.decided_by) == (4, "dafit_standin") and first.review_id
    other: Winner = "student" if first.winner == "teacher" else "teacher"
    known = {first.review_id: record(first.review_id, other, distribution="broadcast")}
    runs = []
    for _ in range(2):
        swarm = tied(config, others=2)
        again = asked(swarm, 2, known)
        assert (again.review_id, again.winner, again.decided_by) == (first.review_id, other, "dafit_human")
        assert again.distribution == "broadcast"
        assert swarm.review_items[first.review_id].status == "decided"
        for tick in range(3, 6):
            swarm.tick(at(tick), (), known)
        assert not any(row["corrections"] for row in swarm.events.metrics)
        runs.append((weights_of(swarm.state), swarm.state.version.tolist(), swarm.checkpoint()))
    assert runs[0] == runs[1]


def test_a_person_turns_what_was_decided() -> None:
    swarm = tied(still(min_wait=1), others=3)
    marker = asked(swarm, 2)
    assert marker.review_id and marker.winner in {"teacher", "student"}
    item = swarm.review_items[marker.review_id]
    assert (item.status, item.standin_decision, item.level) == ("open", marker.winner, 4)
    was = marker.winner
    won, lost = (0, 1) if marker.teacher_version == "vt" and was == "teacher" else (1, 0)
    if marker.teacher_version == "vs":
        won, lost = (1, 0) if was == "teacher" else (0, 1)
    assert swarm.ledger.versions == {won: 5_000}
    other: Winner = "student" if was == "teacher" else "teacher"
    before, spent = swarm.ledger.nyx, swarm.ledger.burnt
    known = {marker.review_id: record(marker.review_id, other)}
    swarm.tick(at(3), (), known)
    assert (marker.winner, marker.decided_by, marker.corrected_tick) == (other, "dafit_human", 3)
    assert marker.distribution == "broadcast" and swarm.state.version[:, 0].tolist() == [lost] * 5
    assert swarm.ledger.versions == {won: 0, lost: 5_000}
    assert (swarm.versions.chosen_by[won], swarm.versions.chosen_by[lost]) == (None, marker.marker_id)
    assert (swarm.ledger.nyx, swarm.ledger.burnt) == (before - 20_000, spent + 20_000)
    assert swarm.events.metrics[-1]["corrections"] == 1
    swarm.tick(at(4), (), known)  # the same record again: nothing
    assert swarm.events.metrics[-1]["corrections"] == 0 and swarm.ledger.nyx == before - 20_000
    # A later record turns it back; the broadcast was paid.
    known = {marker.review_id: record(marker.review_id, was, second=1)}
    swarm.tick(at(5), (), known)
    assert (marker.winner, swarm.ledger.nyx) == (was, before - 20_000)
    assert swarm.state.version[:, 0].tolist() == [won] * 5
    # And one that says both were right.
    known = {marker.review_id: record(marker.review_id, "hybrid", second=2)}
    swarm.tick(at(6), (), known)
    assert [marker.winner, marker.distribution] == ["hybrid", None]
    assert swarm.state.version[:2, 0].tolist() == [0, 1]
    assert swarm.ledger.versions == {won: 0, lost: 0}
    # And back again: the broadcast is still paid.
    spent = swarm.ledger.nyx
    swarm.tick(at(7), (), {marker.review_id: record(marker.review_id, other, second=3)})
    assert (marker.winner, marker.distribution, swarm.ledger.nyx) == (other, "broadcast", spent)
    assert [step.event for _, _, step in swarm.events.steps].count("correction") == 4
    assert all(row["tick"] for row in swarm.events.metrics[1:])


def test_a_record_that_agrees_changes_nothing_but_the_item() -> None:
    swarm = tied(still(min_wait=1))
    marker = asked(swarm, 2)
    assert marker.review_id and marker.winner
    swarm.tick(at(3), (), {marker.review_id: record(marker.review_id, marker.winner)})
    assert (marker.decided_by, marker.corrected_tick) == ("dafit_standin", None)
    assert swarm.review_items[marker.review_id].status == "decided"


def test_a_record_that_agrees_and_asks_for_more_to_be_told_is_heard() -> None:
    swarm = tied(still(min_wait=1, distribution=dict.fromkeys(("critical", "standard", "experimental"), "organic")),
                 others=3)  # fmt: skip
    marker = asked(swarm, 2)
    assert marker.review_id and marker.winner and marker.distribution == "organic"
    won = swarm.versions.number(0, marker.teacher_version if marker.winner == "teacher" else marker.student_version)
    swarm.state.k[:2, 0] = 7  # tried since
    swarm.state.n[:2, 0] = 9
    was, nyx, accounts = marker.winner, swarm.ledger.nyx, dict(swarm.ledger.versions)
    narrow_and_wide: list[tuple[int, Distribution, int]] = [
        (3, "organic", 0), (4, "broadcast", 20_000), (5, "lovechild", 20_000),
    ]  # fmt: skip
    for tick, how, cost in narrow_and_wide:
        swarm.tick(at(tick), (), {marker.review_id: record(marker.review_id, was, second=tick, distribution=how)})
        assert swarm.ledger.nyx == nyx - cost
    assert swarm.state.version[:, 0].tolist() == [won] * 5
    assert (marker.winner, marker.distribution, marker.decided_by) == (was, "broadcast", "dafit_human")
    assert (marker.corrected_tick, swarm.state.k[:2, 0].tolist(), swarm.ledger.versions) == (4, [7, 7], accounts)


def test_records_of_what_is_not_there_do_nothing_and_items_expire() -> None:
    swarm = tied(still(min_wait=1, review_ticks=3))
    marker = asked(swarm, 2)
    unknown = {"0" * 16: record("0" * 16, "teacher")}
    for tick in range(3, 6):
        swarm.tick(at(tick), (), unknown)
    assert marker.review_id and swarm.review_items[marker.review_id].status == "expired"
    assert list(swarm.review_items) == [marker.review_id]
    assert reviews.fates([], set(swarm.review_items)) == []


# predictions


def test_nyx_predicts_sleeps_wakes_and_is_scored() -> None:
    config = still(
        min_wait=2, max_wait=500, nyx_start=49_000, nyx_income=100_000, nyx_upkeep=0, most_slumber=5, wake_share=1.0
    )
    swarm = tied(config.model_copy(update={"nyx_income": 0}))
    assert swarm.nyx.mode == "SLUMBER"  # below the floor of 50 LF
    marker = only(swarm)
    found = swarm.predicted[marker.marker_id]
    assert found.confidence >= 0.5 and found.predicted == at(1)
    for tick in range(2, 6):
        swarm.tick(at(tick), trials("p", "c0", 2, 0, "vt") + trials("p", "c1", 0, 2, "vs"))
        assert (swarm.nyx.mode, marker.status) == ("SLUMBER", "pending")
    swarm.config = config
    swarm.tick(at(6))  # five ticks: awake, whatever lambda is
    assert marker.status == "resolved" and swarm.events.metrics[-1]["resolved"] == 1
    assert swarm.nyx.requested == pytest.approx(2 / 11 * 5_000)  # what she decides as she wakes is asked of her too
    assert (found.scored_tick, found.scored_on) == (6, "post_prediction")
    right = found.predicted_winner == ("teacher" if marker.teacher_version == "vt" else "student")
    assert found.correct is right and found.brier == pytest.approx((found.confidence - right) ** 2)
    assert found.prediction_reward == pytest.approx(5.0 if right else -5.0)


def test_a_prediction_of_what_is_given_up_pays_nothing() -> None:
    swarm = tied(still(nyx_start=40_000))
    marker = only(swarm)
    found = swarm.predicted[marker.marker_id]
    before = swarm.ledger.nyx
    assert swarm.retire([marker.student_id], "gone") == 1
    assert (marker.status, marker.why, marker.winner) == ("void", "gone", None)
    assert found.void_reason and found.correct is None and found.prediction_reward == 0
    assert swarm.ledger.nyx == before and swarm.ledger.total() == 0 and not swarm.pending and not swarm.predicted
    assert len(swarm.state) == 1 and not swarm.state.is_set(BUSY, 0, 0)
    swarm.tick(at(2))


# laws


def test_pure_transfer_is_logistic() -> None:
    """Only clasps, and a student's +1 goes up too: each meeting of a holder with another makes two holders. With rate r
    an organism meets somebody with chance r a tick, so x' = r x (1 - x): x(t) = 1 / (1 + (1/x0 - 1) exp(-r t))."""
    config = still(clasp_rate=0.04, inside=0.0, clasp_cost=0, dormant_below=0, upward="full")
    count, start = 6000, 300
    names = versions({"p": ("a",)}, config)
    swarm = begin(config, state([[1 if n < start else -1] for n in range(count)]), names)
    shares = [start / count]
    for tick in range(1, 161):
        swarm.tick(at(tick))
        shares.append(swarm.events.metrics[-1]["plus"] / count)
    x0 = start / count
    law = [1 / (1 + (1 / x0 - 1) * np.exp(-0.04 * tick)) for tick in range(161)]
    assert max(abs(np.array(shares) - law)) < 0.04
    assert shares[160] > 0.94 and swarm.events.metrics[-1]["minus"] + swarm.events.metrics[-1]["plus"] == count
    assert swarm.ledger.burnt == 0


def test_one_tick_of_transfer_is_as_many_as_meetings_of_unlike() -> None:
    """Expected takeovers: pairs x m (N - m) / (N (N - 1)), since either of the two is the teacher alike."""
    config = still(clasp_rate=1.0, inside=0.0)
    names = versions({"p": ("a",)}, config)
    rng = np.random.default_rng(0)
    found = []
    for seed in range(30):
        held = rng.permutation(400) < 100
        swarm = Swarm.begin(config, seed, state([[1 if each else -1] for each in held]), names, at(0))
        swarm.tick(at(1))
        found.append(swarm.events.metrics[-1]["overwrites"])
    expected = 200 * 100 * 300 / (400 * 399)
    assert np.mean(found) == pytest.approx(expected, abs=5 * (expected / 30) ** 0.5)


def test_churn_replaces_at_its_rate_and_burns_what_is_left() -> None:
    config = still(churn=0.05)
    names = versions({"p": ("a", "b"), "q": ("c",)}, config)
    found = state([[1, None]] * 1000, [[0, -1]] * 1000)
    found.blessed[:10] = True
    swarm = begin(config, found, names)
    swarm.tick(at(1))
    born = [place for place, name in enumerate(swarm.state.ids) if name.startswith("~newborn:")]
    assert len(born) == swarm.events.metrics[-1]["births"] == pytest.approx(990 * 0.05, abs=5 * 7)
    assert min(born) >= 10
    place = born[0]
    assert swarm.state.ids[place] == "~newborn:000000000001" and swarm.state.replaces[place] == f"o{place:04d}"
    assert swarm.state.weight(place, 0) == 0 and not swarm.state.is_set(PRESENT, place, 1)
    assert {int(swarm.state.version[each, 0]) for each in born} == {0, 1}
    assert (swarm.state.age[place], swarm.state.born_tick[place], swarm.state.lf[place]) == (0, 1, 100_000)
    assert swarm.ledger.burnt == 100_000 * len(born) and swarm.ledger.minted == 500_000 + 100_000 * (1000 + len(born))
    assert swarm.departed == [f"o{each:04d}" for each in born]


def closed(seed: int, ticks: int, **changed: Any) -> Swarm:
    """A small closed world with everything going on."""
    config = Config(**{"importance": {"p0": "critical", "p1": "experimental"}, "churn": 0.002, **changed})
    names = versions({f"p{n}": ("a", "b", "c") for n in range(6)}, config)
    names.theta = [0.2 + 0.04 * n for n in range(18)]
    found = random_state(seed, 60, names)
    found.community[:], found.communities = np.arange(60) % 3, ["c0", "c1", "c2"]
    found.blessed[:3] = True
    found.lf[:] = 100_000
    swarm = Swarm.begin(config, seed, found, names, at(0))
    for tick in range(1, ticks + 1):
        swarm.tick(at(tick))
    return swarm


def test_a_thousand_ticks_sum_to_zero_and_every_kind_is_what_was_counted() -> None:
    swarm = closed(4, 0)
    decided = Counter[int]()
    for tick in range(1, 1001):
        swarm.tick(at(tick))
        assert swarm.ledger.total() == 0
        assert min(int(swarm.state.lf.min()), swarm.ledger.nyx, *(each for _, each in swarm.ledger)) >= 0
        assert swarm.ledger.nyx <= swarm.config.nyx_most
    events, entries = swarm.taken()
    rows = events.metrics
    sums = {kind: int(entries.amount[entries.kind == number].sum()) for number, kind in enumerate(LEDGER_KINDS)}
    assert sums["clasp"] == 500 * sum(row["clasps"] for row in rows)
    markers = list(events.markers.values())
    for marker in markers:
        decided[marker.level or 0] += marker.status == "resolved"
    assert sums["level_2"] == 5_000 * sum(decided.values()) > 0
    assert sums["level_3"] == 20_000 * (decided[3] + decided[4] + decided[5]) > 0
    assert sums["level_4"] == 50_000 * (decided[4] + decided[5]) > 0
    assert sums["resolution"] == 5_000 * sum(
        marker.status == "resolved" and marker.winner != "hybrid" for marker in markers
    )
    assert sums["wait"] == 1_000 * sum(
        each.success for marker in markers for each in marker.teacher_outcomes + marker.student_outcomes
    )
    awake = sum(row["mode"] == "AWAKE" for row in rows[:-1])
    assert sums["upkeep"] <= 3_000 * (awake + 1)
    births = rows[0]["births"] + sum(row["births"] for row in rows[1:])
    assert sums["opening"] == 100_000 * births + 500_000
    # Balances, from the entries alone
    found: Counter[int] = Counter()
    for debit, credit, amount in zip(
        entries.debit.tolist(), entries.credit.tolist(), entries.amount.tolist(), strict=True
    ):
        found[debit] -= amount
        found[credit] += amount
    assert sum(found.values()) == 0
    assert (found[NYX], found[SINK], found[SOURCE]) == (swarm.ledger.nyx, swarm.ledger.sink, swarm.ledger.source)
    assert [found[int(each)] for each in swarm.ledger.serial] == swarm.state.lf.tolist()
    assert rows[-1]["minted_milli"] == -found[SOURCE] and rows[-1]["burnt_milli"] == found[SINK]
    assert sum(row["pending"] for row in rows) > 0 and any(row["mode"] == "SLUMBER" for row in rows)


def test_s2_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    one, two, other = closed(1, 40), closed(1, 40), closed(2, 40)
    assert one.checkpoint() == two.checkpoint() != other.checkpoint()
    assert one.events.metrics == two.events.metrics
    assert one.state.planes.tobytes() == two.state.planes.tobytes()


def test_a_checkpoint_of_another_configuration_is_refused() -> None:
    swarm = closed(1, 3)
    told = json.loads(json.dumps(swarm.checkpoint()))
    with pytest.raises(CheckpointError, match="was made with configuration"):
        Swarm.restore(Config(churn=0.5), swarm.state, swarm.versions, {}, told)
    with pytest.raises(CheckpointError, match="sums to"):
        Swarm.restore(swarm.config, swarm.state, swarm.versions, {0: 7, **swarm.ledger.versions}, told)


# what there is none of


def test_an_empty_swarm_ticks() -> None:
    swarm = begin(Config(), state([]), Versions())
    for tick in range(1, 30):
        swarm.tick(at(tick), trials("p", "c0", 1, 0, "vt"))
    assert swarm.events.metrics[-1]["organisms"] == 0 and swarm.ledger.total() == 0
    assert swarm.nyx.mode == "AWAKE" and swarm.ledger.nyx == 500_000 - 29 * 3_000


def test_one_organism_clasps_with_nobody() -> None:
    swarm = begin(Config(clasp_rate=1.0), state([[1]]), versions(PQ, Config()))
    for tick in range(1, 100):
        swarm.tick(at(tick))
    assert not any(row["clasps"] for row in swarm.events.metrics)
    assert sum(row["uses"] for row in swarm.events.metrics) > 0


def test_a_pattern_that_nobody_holds() -> None:
    config = Config(clasp_rate=1.0, churn=0.1)
    swarm = begin(config, state([[1, None]] * 20, [[0, -1]] * 20), versions({**PQ, "nobody": ()}, config))
    for tick in range(1, 20):
        swarm.tick(at(tick), trials("nobody", "c0", 1, 0, "vt"))
    assert not (swarm.state.version[:, 1] >= 0).any()
    assert swarm.events.metrics[-1]["births"] >= 0 and swarm.ledger.total() == 0


def test_without_lifeforce_nobody_clasps_and_nyx_sleeps() -> None:
    config = still(clasp_rate=1.0, nyx_start=0, nyx_upkeep=3_000)
    swarm = begin(config, state([[1]] * 10, [[0], [1]] * 5, lf=0), versions(PQ, config))
    for tick in range(1, 5):
        swarm.tick(at(tick))
    last = swarm.events.metrics[-1]
    assert (last["clasps"], last["skipped"], last["dormant"], last["mode"], last["nyx_milli"]) == (
        0,
        5,
        10,
        "SLUMBER",
        0,
    )
    assert weights_of(swarm.state) == [[1]] * 10


def test_ticks_come_in_order() -> None:
    swarm = closed(1, 2)
    with pytest.raises(ValueError, match="tick 9 does not follow tick 2"):
        swarm.tick(at(9))


def test_an_organism_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="'a' is there twice"):
        state([[0], [0]], ids=["a", "a"])


def test_two_decisions_of_one_pattern_in_one_tick_spread_their_own_winners() -> None:
    """The first is told to everybody, also to the second's winner, whose version must still be the one that spreads."""
    config = still(min_wait=1, importance={"p": "critical"}, clasp_rate=1.0, inside=1.0)
    names = versions({"p": ("a", "b", "c", "d")}, config)
    found = state([[1]] * 6, [[0], [1], [2], [3], [3], [3]], community=[0, 0, 1, 1, 2, 2])
    found.lf[4:] = 0
    swarm = begin(config, found, names)
    swarm.tick(at(1))
    assert len(swarm.pending) == 2
    swarm.config = config.model_copy(update={"clasp_rate": 0.0})
    swarm.tick(at(2), trials("p", "c0", 9, 0, "a") + trials("p", "c1", 9, 0, "c"))
    assert [marker.winner for marker in swarm.events.markers.values()].count(None) == 0
    last = max(swarm.events.markers.values(), key=lambda marker: marker.number)
    won = last.teacher_version if last.winner == "teacher" else last.student_version
    assert {swarm.versions.version_id[int(each)] for each in swarm.state.version[4:, 0]} == {won}
