"""The way up the ladder: Nyx (2), Chrysalis (3), dafit (4), the council (5), and what the levels below are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coevo_pipelines.swarm.decisions.evidence import confidence, posterior, should_escalate, winner_of
from coevo_pipelines.swarm.records import Climb, Counts, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coevo_pipelines.swarm.config import Config, Winner
    from coevo_pipelines.swarm.decisions.minds import Panel, Told
    from coevo_pipelines.swarm.records import Case, Decider, Record

NYX: Final = 2
CHRYSALIS: Final = 3
DAFIT: Final = 4
COUNCIL: Final = 5
_NAMES = {NYX: "Nyx", CHRYSALIS: "Chrysalis", DAFIT: "dafit", COUNCIL: "the council"}


def climb(case: Case, config: Config, panel: Panel, human: Record | None, purse: int) -> Climb:
    """Who decides a case, and how; costs and `purse` in thousandths of one LF.

    Levels are entered from Nyx upwards as long as `should_escalate` says so; a pattern named as ethical or
    architecture enters dafit's or the council's alone. A level above the purse ends it: nothing is decided or charged,
    and that level's endpoint is not asked. A person's record is dafit's word at levels 4 and 5, and overrules a
    decision below them without further cost.
    """
    first = COUNCIL if case.pattern in config.architecture else DAFIT if case.pattern in config.ethical else NYX
    entered: list[Step] = []
    for level in range(first, COUNCIL + 1):
        needed = sum(config.level_costs[first - NYX : level - NYX + 1])
        if needed > purse:
            q = posterior(*_counts(case, config, level))
            return Climb((), needed, None, q, confidence(q), level, None, refused=level)
        entered.append(_enter(level, case, config, panel, human, entered))
        c = _sure(entered[-1])
        if first != NYX or not should_escalate(c, case.importance, level, strict_seed=config.strict_seed):
            break
    if human and entered[-1].level < DAFIT:
        entered.append(replace(_person(case, config, human), event="correction", cost=0))
    last = entered[-1]
    decider = _decider(last.level, human)
    entered[-1] = replace(last, is_final=True, decided_by=decider)
    return Climb(
        steps=(*entered, *_informed(last, decider)),
        cost=sum(step.cost for step in entered),
        winner=last.winner,
        q=posterior(*_counts(case, config, last.level)),
        confidence=_sure(last),
        level=last.level,
        decided_by=decider,
        distribution=human.distribution if human else None,
    )


def standin(case: Case, config: Config) -> Winner:
    """What is decided in place of a person: the side that is more likely better. Hybrid only where one was never
    tried or the chances are equal."""
    teacher, student = _counts(case, config, DAFIT)
    return winner_of(posterior(teacher, student), teacher.n, student.n, 0.0)


def _counts(case: Case, config: Config, level: int) -> tuple[Counts, Counts]:
    """What decides at a level: from Chrysalis on with precedents, weighted."""
    if level < CHRYSALIS:
        return case.teacher.counts, case.student.counts
    weight = config.precedent_weight
    return (
        _with(case.teacher.counts, case.past_teacher, weight),
        _with(case.student.counts, case.past_student, weight),
    )


def _with(counts: Counts, past: Counts, weight: float) -> Counts:
    return Counts(counts.k + weight * past.k, counts.n + weight * past.n, counts.verifications)


def _enter(level: int, case: Case, config: Config, panel: Panel, human: Record | None, entered: Sequence[Step]) -> Step:
    """What a level chooses."""
    if level in (NYX, CHRYSALIS):
        rule = _rule(case, config, level)
        return _asked(rule, panel.ask(level, case, {"q": rule.q}, rule.cost))
    if level == DAFIT:
        return _dafit(case, config, human)
    return _council(case, config, panel, human, entered)


def _sure(step: Step) -> float:
    return 0.0 if step.confidence is None else step.confidence


def _rule(case: Case, config: Config, level: int) -> Step:
    """The posterior's word; of Nyx, where verifications are what counts, theirs."""
    teacher, student = _counts(case, config, level)
    q = posterior(teacher, student)
    winner = winner_of(q, teacher.n, student.n, config.hybrid_within)
    reason = f"q {q:.4f} from {teacher.k:g} of {teacher.n:g} and {student.k:g} of {student.n:g}"
    if level == NYX and config.evidence == "verifications":
        more = teacher.verifications - student.verifications
        winner = "teacher" if more > 0 else "student" if more < 0 else "hybrid"
        reason = f"{teacher.verifications} verifications and {student.verifications}"
    return _step(config, level, q, confidence(q), winner, reason)


def _dafit(case: Case, config: Config, human: Record | None) -> Step:
    return _person(case, config, human) if human else _standin(case, config)


def _standin(case: Case, config: Config) -> Step:
    q = posterior(*_counts(case, config, DAFIT))
    sure = max(confidence(q), config.standin_confidence)
    return _step(
        config, DAFIT, q, sure, standin(case, config), f"stand-in for a person: the side that q {q:.4f} favours"
    )


def _person(case: Case, config: Config, human: Record) -> Step:
    q = posterior(*_counts(case, config, DAFIT))
    reason = f"{human.reviewer}, {human.decided_at:%Y-%m-%d}{f': {human.note}' if human.note else ''}"
    return replace(_step(config, DAFIT, q, 1.0, human.decision, reason), mind="human")


def _council(case: Case, config: Config, panel: Panel, human: Record | None, entered: Sequence[Step]) -> Step:
    """Three votes. Unanimous or not, dafit's is what holds; the reason tells which it was."""
    nyx = _rule(case, config, NYX)
    dafit = _dafit(case, config, human)
    cost = config.level_costs[COUNCIL - NYX]
    # Not dafit's vote: the question stays the same when a person answers later.
    told = panel.ask(COUNCIL, case, {"q": dafit.q, "votes": {"nyx": nyx.winner}}, cost)
    before = next((step for step in entered if step.level == CHRYSALIS), None) or _rule(case, config, CHRYSALIS)
    chrysalis = _asked(before, told)
    votes = (nyx.winner, chrysalis.winner, dafit.winner)
    heard = f"Nyx {nyx.winner}, Chrysalis {chrysalis.winner}, dafit {dafit.winner}"
    outcome = "unanimous" if len(set(votes)) == 1 else "they differ, dafit's vote holds"
    return replace(
        chrysalis if told else dafit,
        level=COUNCIL,
        cost=cost,
        q=dafit.q,
        confidence=dafit.confidence,
        winner=dafit.winner,
        mind="human" if human else told.by if told and told.vote else "rule",
        reason=f"{outcome}: {heard}; {dafit.reason}{f'; Chrysalis: {chrysalis.reason}' if told else ''}",
    )


def _asked(step: Step, told: Told | None) -> Step:
    """A step with what another mind said in its place, or why it did not."""
    if told is None:
        return step
    asked = replace(step, prompt=told.prompt, answer=told.answer, tokens=told.tokens)
    if told.vote is None:
        return replace(asked, reason=f"no vote of the endpoint ({told.why}), so as it was without: {step.reason}")
    vote = told.vote
    return replace(asked, mind=told.by, winner=vote.winner, confidence=vote.confidence, reason=vote.reason)


def _step(config: Config, level: int, q: float, sure: float, winner: Winner, reason: str) -> Step:
    return Step(
        level=level,
        event="entered",
        cost=config.level_costs[level - NYX],
        q=q,
        confidence=sure,
        winner=winner,
        is_final=False,
        decided_by=None,
        mind="rule",
        reason=reason,
    )


def _decider(level: int, human: Record | None) -> Decider:
    if level == COUNCIL:
        return "council_human" if human else "council_standin"
    if level == DAFIT:
        return "dafit_human" if human else "dafit_standin"
    return "chrysalis" if level == CHRYSALIS else "nyx"


def _informed(last: Step, decider: Decider) -> list[Step]:
    """What every level below the one that decided is told."""
    return [
        Step(
            level=level,
            event="informed",
            cost=0,
            q=None,
            confidence=None,
            winner=last.winner,
            is_final=False,
            decided_by=decider,
            reason=f"told by {_NAMES[last.level]}",
        )
        for level in range(last.level)
    ]
