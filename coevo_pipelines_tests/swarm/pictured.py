"""Rows to draw: tables of a simulation that nobody ran, with numbers that can be checked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from coevo_pipelines.lake import schemas

DAY = date(2026, 11, 20)
Tables = dict[str, pl.DataFrame]

_PLAIN: Mapping[str, Any] = {
    "int64": 0, "float64": 0.5, "string": "x", "bool": True, "list[string]": [],
    "timestamp": datetime(2026, 11, 1, tzinfo=UTC),
}  # fmt: skip


def frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of a table with its date; a column that a row lacks is null or something plain."""
    table = schemas.table(name)
    plain = {each.name: None if each.nullable else each.enum[0] if each.enum else _PLAIN[each.type]
             for each in table.columns}  # fmt: skip
    schema = {"date": pl.Date(), **table.polars_schema()}
    return pl.DataFrame([{"date": DAY, **plain, **row} for row in rows], schema=schema)


def tick(t: int, last: int, **more: Any) -> dict[str, Any]:
    """A row of `swarm.metrics` on its day: of 1,000 cells ever more at +1; one decision opened a tick, every second
    one decided; Nyx asleep from tick 40 to 59 of every 100."""
    plus, minus = 60 + 690 * t // max(1, last), 150 - 100 * t // max(1, last)
    asleep = 40 <= t % 100 < 60
    return {
        "date": DAY - timedelta(days=last - t), "tick": t, "organisms": 300, "cells": 1000, "minus": minus,
        "zero": 1000 - plus - minus, "plus": plus, "opened": 1, "resolved": t % 2, "pending": 1 + t // 2,
        "mode": "SLUMBER" if asleep else "AWAKE", "nyx_milli": 900_000 if asleep else 500_000,
        "organisms_milli": 30_000_000 + 1_500 * t, "patterns_milli": 5_000 * (t // 2),
        "minted_milli": 30_500_000 + 4_000 * t, "burnt_milli": 2_500 * t, "clasps": 6, "uses": 20, "observed": 3,
    } | more  # fmt: skip


def swarm(ticks: int = 1001, organisms: int = 40, word: str = "ant") -> Tables:
    """All tables that pictures and page need; `word` stands wherever strangers' words can."""
    people = [
        {"organism_id": f"o{n:02}", "number": n, "label": f"{word} {n}", "community_id": n % 9 - 1,
         "community": None if n % 9 < 3 else f"{word} chamber {n % 9}", "tier": schemas.SWARM_TIERS[n % 4],
         "lf_milli": 100_000 + 1_500 * n}
        for n in range(organisms)
    ]  # fmt: skip
    versions = [
        {"pattern": f"{word} PSO", "version_id": f"w{n}", "title": f"{word} title {n}" if n else None,
         "lf_milli": 40_000 * n} for n in range(4)
    ]  # fmt: skip
    clasps = [
        {"tick": 1 + n, "teacher_id": f"o{n % organisms:02}", "student_id": f"o{(3 * n + 1) % (organisms + 1):02}",
         "overwrites": n % 4, "upward": n % 3 // 2}
        for n in range(120)
    ]  # fmt: skip
    return {
        "swarm.metrics": frame("swarm.metrics", [tick(t, ticks - 1) for t in range(ticks)]),
        "swarm.organisms": frame("swarm.organisms", people),
        "swarm.versions": frame("swarm.versions", versions),
        "swarm.clasps": frame("swarm.clasps", clasps),
        "swarm.blend_predictions": predictions(
            [(0.55, True), (0.55, False), (0.65, True), (0.75, True), (0.85, True), (0.95, True), (0.95, True)]
        ),
        "swarm.decision_markers": markers(ticks - 1, word),
        "swarm.review_queue": frame(
            "swarm.review_queue", [review(word), review(word, review_id="r-old", status="decided")]
        ),
        "swarm.decisions": frame(
            "swarm.decisions",
            [{"line": 1, "status": "used"}, {"line": 2, "status": "unknown", "review_id": word, "reviewer": word,
                                             "why": f"there is no item {word}"}],
        ),
    }  # fmt: skip


def predictions(given: Sequence[tuple[float, bool | None]]) -> pl.DataFrame:
    """Confidence and whether it came true; None: void."""
    return frame("swarm.blend_predictions", [
        {"prediction_id": f"p{n:04}", "prediction_confidence": c, "scored_tick": 9, "prediction_correct": y,
         "brier": None if y is None else (c - y) ** 2, "log_loss": None if y is None else 0.5,
         "void_reason": "tie" if y is None else None}
        for n, (c, y) in enumerate(given)
    ])  # fmt: skip


def markers(now: int, word: str = "ant") -> pl.DataFrame:
    shared = {"pattern": f"{word} PSO", "teacher_version": f"{word} w1", "student_version": f"{word} w2",
              "kind": "blend"}  # fmt: skip
    settled = {"status": "resolved", "resolved_at": datetime(2026, 11, 20, tzinfo=UTC), "resolved_tick": now}
    return frame("swarm.decision_markers", [
        {"marker_id": "m1", "marked_tick": 3, "teacher_outcomes": ["{}", "{}"], "fraction_observed": 0.25,
         "why": f"level 3 cannot be paid {word}", **shared},
        {"marker_id": "m2", "winner": "teacher", "level": 2, "decided_by": "nyx", "confidence": 0.7989, "q": 0.89947,
         "fraction_observed": 0.5, **shared, **settled},
        {"marker_id": "m3", "winner": "hybrid", "level": 4, "decided_by": "dafit_human", "confidence": 1.0, "q": 0.5,
         "corrected_tick": now, **shared, **settled, "resolved_tick": now - 1},
        {"marker_id": "m4", "status": "void", "why": f"{word} is no more", **shared},
    ])  # fmt: skip


def review(word: str, **more: Any) -> dict[str, Any]:
    return {"review_id": "0123456789abcdef", "question": f"Which is better, {word} or not {word}?", "level": 4,
            "opened_tick": 7, "standin_decision": "student", "status": "open", "pattern": word} | more  # fmt: skip


def none() -> Tables:
    return {name: rows.clear() for name, rows in swarm(ticks=2).items()}
