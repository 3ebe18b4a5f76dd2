"""The stage on a lake: no look ahead, and nothing but the facts changes a byte of tables or ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.orchestration.days import Result
from coevo_pipelines.rewards.assets import TABLES, _adds_up, _ledger, _problems, compute, reward_assets
from coevo_pipelines.rewards.checks import wrong
from coevo_pipelines.rewards.day import rewards_of
from coevo_pipelines.rewards.ledger import RewardLedger
from coevo_pipelines.rewards.load import known_of
from coevo_pipelines.rewards.settling import settle
from coevo_pipelines.settings import Policy
from coevo_pipelines_tests.rewards.worlds import (
    DAY,
    Facts,
    amounts,
    at,
    author,
    claim,
    digests,
    honest,
    link_up,
    merged,
    optout,
    owned,
    paid,
    part,
    pay,
    reference,
    renew,
    repository,
    rows,
    rules,
    same_graph,
    settings_of,
    table,
    tell,
    work,
)

MIX = (Policy(name="IMMEDIATE"), Policy(name="RECENT", lookback=3), Policy(name="BALANCED"))
ROUNDS = settings_of(
    rules(pool=10**6 + 7, policies=MIX, floor=0.1, integration=0.25, cap=0.4, minimum=100, escrow_days=2),
    rules(name="owners", pool=10**18 + 1, owner_cap=0.1, owner_minimum=0.01, start=DAY + timedelta(1)),
)
CLAIMS = claim("p", "arxiv:P#1") + claim("b", "arxiv:B#1") + claim("idle", "github:idle")
LATE_CLAIM = claim("o", "github:O")
LAST = 2


def told(offset: int) -> Facts:
    """A repository and its owner on the second day; on the third its owner claims it and a paper becomes known."""
    if offset == 0:
        return honest("") | {"claims": CLAIMS}
    if offset == 1:
        return {
            "works": repository("o", day=1),
            "people": owned("o"),
            "references": [reference("arxiv:P", "github:o/1", 1, "mentions"), reference("github:o/1", "arxiv:D", 1)],
            "contributions": [part("github:o/1", "github:o", 5, "commits"), part("github:o/1", "Eve", 3, "commits")],
            "claims": CLAIMS,
        }
    return {
        "works": [work("arxiv:Q", 2)],
        "people": [author("arxiv:Q", "Author of P", 1, 2)],
        "references": [reference("arxiv:Q", "github:o/1", 2), reference("arxiv:Q", "arxiv:B", 2)],
        "claims": CLAIMS + LATE_CLAIM,
        "contributions": [part("arxiv:P", "arxiv:P#1", 3), part("arxiv:P", "github:idle", 1)],
    }


def linked(root: Path, upto: int) -> Lake:
    lake = Lake(root)
    for offset in range(upto + 1):
        tell(lake, offset, told(offset))
        link_up(lake, offset, ROUNDS)
    return lake


def copy(lake: Lake, root: Path) -> Lake:
    shutil.copytree(lake.root, root)
    return Lake(root)


def bytes_of(lake: Lake) -> bytes:
    return RewardLedger(lake.root).file.read_bytes()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Three days without the money."""
    yield linked(tmp_path_factory.mktemp("assets") / "graph", LAST)


@pytest.fixture(scope="module")
def range_(graph: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """As one range: all tables, then the ledger. Read only."""
    lake = copy(graph, tmp_path_factory.mktemp("assets") / "range")
    for offset in range(LAST + 1):
        pay(lake, offset, ROUNDS)
    assert settle(lake, ROUNDS) == []
    yield lake


def test_all_tables_have_rows_and_add_up(range_: Lake) -> None:
    for name in TABLES:
        assert name == "rewards.alerts" or table(range_, name.partition(".")[2], 2).height > 0, name
    spent = [sum(row) for row in rows(range_, "rounds", 2, "receipts", "escrow", "reserve")]
    assert spent == [each for (each,) in rows(range_, "rounds", 2, "budget")]
    assert {"github:o", "github:o/1#Eve"} <= set(amounts(range_, 1))
    assert "o" in paid(range_, 2)
    assert verify(range_.root).findings == ()


def test_day_by_day_gives_the_same_bytes(graph: Lake, range_: Lake, tmp_path: Path) -> None:
    lake = copy(graph, tmp_path / "lake")
    for offset in range(LAST + 1):
        pay(lake, offset, ROUNDS)
        assert settle(lake, ROUNDS, [DAY + timedelta(offset)]) == []
    assert digests(lake, range(LAST + 1)) == digests(range_, range(LAST + 1))
    assert bytes_of(lake) == bytes_of(range_)


def test_backwards_gives_the_same_bytes(graph: Lake, range_: Lake, tmp_path: Path) -> None:
    """Days are computed without the ones before, then again."""
    lake, patient = copy(graph, tmp_path / "lake"), RewardLedger(range_.root)
    for offset in (2, 1, 0):
        pay(lake, offset, ROUNDS)
        renew(lake, ROUNDS)
        settle(lake, ROUNDS)
    assert digests(lake, range(LAST + 1)) == digests(range_, range(LAST + 1))
    # The round that began on the second day was entered before the first one was there: other lines, the same money.
    assert told_of(RewardLedger(lake.root)) == told_of(patient)
    RewardLedger(lake.root).file.unlink()
    settle(lake, ROUNDS)
    assert bytes_of(lake) == bytes_of(range_)


def told_of(ledger: RewardLedger) -> list[str]:
    """What the entries say, but for their place in the chain and what they were computed from."""
    left_out = ("prev", "id", "inputs")
    return sorted(str({k: v for k, v in each.record.items() if k not in left_out}) for each in ledger.entries())


def test_no_look_ahead(range_: Lake, tmp_path: Path) -> None:
    """P1: a lake that ends with a day has the same bytes for it as one that goes on."""
    cut = linked(tmp_path / "cut", 1)
    for offset in (0, 1):
        pay(cut, offset, ROUNDS)
    settle(cut, ROUNDS)
    found = digests(cut, range(LAST + 1))
    assert len(found) == 2 * len(TABLES)
    assert found.items() <= digests(range_, range(LAST + 1)).items()
    assert bytes_of(range_).startswith(bytes_of(cut))
    assert amounts(range_, 2) != amounts(range_, 1), "the next day must say something else"


def test_the_order_of_rows_is_irrelevant(range_: Lake) -> None:
    """P2, for every frame that goes in."""
    known = known_of(range_.snapshot(), DAY + timedelta(2), ROUNDS)
    plain = rewards_of(known, ROUNDS.reward_rounds, ROUNDS.influence.relation_weight, obstacle=None)
    for seed in range(3):
        given = {each.name: getattr(known, each.name) for each in fields(known)}
        shuffled: dict[str, Any] = {
            name: frame.sample(fraction=1, shuffle=True, seed=seed)
            for name, frame in given.items()
            if isinstance(frame, pl.DataFrame)
        }
        history = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in known.history]
        found = rewards_of(
            replace(known, **shuffled, history=history),
            ROUNDS.reward_rounds, ROUNDS.influence.relation_weight, obstacle=None,
        )  # fmt: skip
        for name, frame in plain.items():
            schema = schemas.table(name)
            assert schemas.conform(schema, found[name], "").equals(schemas.conform(schema, frame, "")), name


@pytest.mark.parametrize("scope", ["person", "owner", "work"])
def test_an_opt_out_changes_its_day_and_later_only(range_: Lake, tmp_path: Path, scope: str) -> None:
    """P8, in bytes: of the days before neither tables nor ledger change. What is not paid waits."""
    lake = copy(range_, tmp_path / "lake")
    RewardLedger(lake.root).file.unlink()
    out = [optout(scope, {"person": "github:o", "owner": "github:O", "work": "github:o/1"}[scope])]
    tell(lake, LAST, merged(told(LAST), {"optouts": out}), tables=["traces.optouts"])
    assert renew(lake, ROUNDS) == [LAST]
    assert settle(lake, ROUNDS) == []
    before, now = digests(range_, range(LAST + 1)), digests(lake, range(LAST + 1))
    assert {key for key in now if now[key] != before[key]} >= {
        ("rewards.allocations", LAST),
        ("rewards.receipts", LAST),
    }
    assert {key for key in now if key[1] < LAST and now[key] != before[key]} == set()
    assert "o" in paid(range_, LAST)
    equal_part = 0 if scope == "person" else amounts(lake, LAST, "floor")["o"]
    assert paid(lake, LAST).get("o", 0) == equal_part, "a person stays one without the work"
    assert amounts(lake, LAST, "held")["o"] > 0
    lines, old = (bytes_of(each).splitlines() for each in (lake, range_))
    changed = next(line for line, was in zip(lines, old, strict=False) if line != was)
    assert b'"as_of":"2026-01-07"' in changed


def test_counters_do_not_pay(range_: Lake, tmp_path: Path) -> None:
    """Stars, downloads and citation counts are not even an input: any number of them changes no byte."""
    lake = copy(range_, tmp_path / "lake")
    common = {"work_id": "github:o/1", "event_at": at(1), "source": "github"}
    bought = [
        common | {"metric": name, "value": 10**9} for name in ("stars", "forks", "likes", "downloads", "citations")
    ]
    tell(lake, 1, {"metrics": bought}, tables=["traces.metrics"])
    assert renew(lake, ROUNDS) == []
    link_up(lake, LAST, ROUNDS)
    pay(lake, LAST, ROUNDS)
    assert digests(lake, range(LAST + 1)) == digests(range_, range(LAST + 1))
    commit = lake.committed("rewards.allocations", DAY + timedelta(LAST))
    assert commit is not None
    assert "traces.metrics" not in {each.table for each in commit.inputs}


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("rewards.rounds", pl.col("receipts") + 1, "receipts"),
        ("rewards.rounds", pl.col("reserve") + 1, "receipts, escrow and reserve are"),
        ("rewards.rounds", pl.col("returned") + 1, "the budget is"),
        ("rewards.rounds", pl.col("cap") // 9, "the cap is"),
        ("rewards.rounds", (pl.col("minimum") + 10**6).alias("minimum"), "the minimum is"),
        ("rewards.allocations", pl.col("receipt") + 1, "receipts"),
        ("rewards.receipts", pl.col("amount") + 1, "the receipts are not what the allocations say"),
        ("rewards.explanations", pl.col("amount") + 1, "does not add up to what is paid"),
        ("rewards.eligibility", pl.lit(False).alias("is_verified"), "is paid and may not be"),
        ("rewards.eligibility", pl.lit("unverified").alias("held"), "is paid and may not be"),
    ],
)
def test_the_check_finds_what_does_not_add_up(range_: Lake, name: str, change: pl.Expr, problem: str) -> None:
    tables = {each: table(range_, each.partition(".")[2], 1) for each in TABLES}
    assert wrong(tables) == []
    tables[name] = tables[name].with_columns(change)
    results = {DAY: {each: Result(frame, {}) for each, frame in tables.items()}}
    found = _problems(results)
    assert problem in found[DAY.isoformat()]
    check = _adds_up(results, found)
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert check.description is not None
    assert problem in check.description or len(found[DAY.isoformat()].split("; ")) > 1


def test_what_the_checks_are() -> None:
    specs = {spec.name: spec for spec in reward_assets(ROUNDS).check_specs if spec.name != "schema"}
    assert specs["adds_up"].blocking
    assert not specs["in_ledger"].blocking
    assert _ledger([]).passed
    other = _ledger(["this differs"])
    assert (other.passed, other.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (other.description or "").startswith("this differs. `coevo rewards replay` shows what was paid")


def test_a_lake_without_rounds_or_facts_has_empty_tables(tmp_path: Path, range_: Lake) -> None:
    none = ROUNDS.model_copy(update={"rounds": ()})
    for lake, offset in ((Lake(tmp_path), 0), (range_, 1)):
        found = compute(none, DAY + timedelta(offset), lake.snapshot())
        assert found["rewards.rounds"].frame.height == found["rewards.receipts"].frame.height == 0
        for name, result in found.items():
            schemas.conform(schemas.table(name), result.frame, "")
    found = compute(ROUNDS, DAY, Lake(tmp_path).snapshot())
    (row,) = found["rewards.rounds"].frame.iter_rows(named=True)
    assert (int(row["reserve"]), row["is_paid"], row["why_not"]) == (10**6 + 7, False, "nothing was observed")


def test_a_round_before_its_start_is_not_there(range_: Lake) -> None:
    assert rows(range_, "rounds", 0, "round") == [("r",)]
    assert rows(range_, "rounds", 1, "round") == [("owners",), ("r",)]


def test_an_alias_of_a_held_work_keeps_it_held(tmp_path: Path) -> None:
    """The paper P was known by OpenAlex's name when its part was held back; the opt-out stays in force for it."""
    rule = settings_of(rules())
    lake = Lake(tmp_path)
    first = honest("B")
    for name in first:
        first[name] = [
            {
                key: value.replace("arxiv:P", "openalex:W9") if isinstance(value, str) else value
                for key, value in row.items()
            }
            for row in first[name]
        ]
    claims = claim("b", "arxiv:B#1") + claim("p", "openalex:W9#1")
    first |= {"claims": claims, "optouts": [optout("work", "openalex:W9")]}
    tell(lake, 0, first)
    link_up(lake, 0, rule)
    pay(lake, 0, rule)
    assert ("person:p", "openalex:W9", "work_opted_out") in rows(lake, "escrow", 0, "person_id", "subject", "held")
    same = {"left_id": "arxiv:P", "right_id": "openalex:W9", "same": True, "evidence": "x", "source": "arxiv"}
    second = {
        "works": [work("arxiv:P", 1, created=-2)], "identities": [same | {"event_at": at(1)}], "claims": claims,
        "people": [author("arxiv:P", "Author of P", 1, 1)], "optouts": first["optouts"],
    }  # fmt: skip
    tell(lake, 1, second)
    link_up(lake, 1, rule)
    pay(lake, 1, rule)
    assert ("person:p", "arxiv:P", "work_opted_out") in rows(lake, "escrow", 1, "person_id", "subject", "held")
    assert "released" not in table(lake, "escrow", 1)["state"].to_list()
    tell(lake, 2, {"claims": claims})
    same_graph(lake, 2)
    pay(lake, 2, rule)
    moved = [each for each in rows(lake, "escrow", 2, "person_id", "subject", "state") if each[2] == "released"]
    assert sorted(moved) == [("person:p", "arxiv:P", "released"), ("person:p", "openalex:W9", "released")]
    assert settle(lake, rule) == []
