"""What somebody may try for more money, from the facts that a source would tell through to what is paid.

The honest world is that of the known answer, at 1,000 a part of 53: P gets 39,000, B 6,000, D and L 4,000, M 0. What
an attack brings is measured in both modes: guarded, by which money goes, and open, as if it went by plain inflow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.rewards.checks import wrong
from coevo_pipelines.rewards.day import rewards_of
from coevo_pipelines.rewards.load import known_of
from coevo_pipelines.settings import Round
from coevo_pipelines_tests.influence.test_gaming import own_flood, puppets, ring
from coevo_pipelines_tests.rewards.worlds import (
    DAY,
    Facts,
    Row,
    at,
    author,
    claim,
    honest,
    link_up,
    merged,
    owned,
    part,
    reference,
    repository,
    rules,
    settings_of,
    tell,
    work,
)

POOL = 53_000
HONEST = {"p": 39_000, "b": 6_000, "d": 4_000, "l": 4_000}


class Found(NamedTuple):
    """What everybody gets, held money included, and what is paid; in both modes. Kinds of alerts with their parties."""

    guarded: dict[str, int]
    opened: dict[str, int]
    paid: dict[str, int]
    alerts: dict[str, set[str]]


def tried(root: Path, *attacks: Facts, round: Round | None = None, world: Facts | None = None) -> Found:
    settings = settings_of(round or rules(pool=POOL))
    lake = Lake(root)
    tell(lake, 0, merged(world or honest(), *attacks))
    link_up(lake, 0, settings)
    known = known_of(lake.snapshot(), DAY, settings)
    scores = lake.scan("influence.scores", on=DAY).select("node_id", "inflow", "influence").collect()
    works = known.works.join(scores, "node_id").with_columns(guarded_inflow="inflow", guarded_influence="influence")
    guarded, opened = (
        rewards_of(each, settings.reward_rounds, settings.influence.relation_weight, obstacle=None)
        for each in (known, replace(known, works=works))
    )
    assert wrong(guarded) == wrong(opened) == []
    alerts: dict[str, set[str]] = {}
    for kind, members in guarded["rewards.alerts"].select("kind", "members").iter_rows():
        alerts.setdefault(kind, set()).update(members)
    allocations = guarded["rewards.allocations"]
    return Found(gets(allocations), gets(opened["rewards.allocations"]), gets(allocations, "receipt"), alerts)


def gets(allocations: pl.DataFrame, column: str = "amount") -> dict[str, int]:
    """Who gets something of the round, by person without the prefix."""
    found = allocations.filter(pl.col(column) > 0).select("person_id", column).iter_rows()
    return {person.removeprefix("person:"): int(amount) for person, amount in found}


def links(source: str, targets: Iterable[str], relation: str = "mentions") -> list[Row]:
    return [reference(source, target, 0, relation) for target in targets]


def accounts(*names: str, works: int = 1) -> dict[str, list[Row]]:
    """Accounts with repositories 1 to n each, and who owns them."""
    numbers = [str(n) for n in range(1, works + 1)]
    return {
        "works": [row for name in names for n in numbers for row in repository(name, n)],
        "people": [row for name in names for row in owned(name, *numbers)],
    }


def cartel(works: int, *, proof: str | None) -> Facts:
    """Two owners; each work of one mentions all of the other's."""
    sides = {"x": "y", "y": "x"}
    return accounts(*sides, works=works) | {
        "references": [
            row
            for one, other in sides.items()
            for n in range(works)
            for row in links(f"github:{one}/{n + 1}", [f"github:{other}/{m + 1}" for m in range(works)])
        ],
        "claims": [row for name in sides for row in claim(name, f"github:{name}", proof=proof)],
    }


def split(parts: Sequence[str], *, beside: bool) -> Facts:
    """A project of o in parts, which P mentions and, `beside` L, M depends on; each part mentions D."""
    names = [f"github:o/{n}" for n in parts]
    return {
        "works": [row for n in parts for row in repository("o", n)],
        "people": owned("o", *parts),
        "references": [
            *links("arxiv:P", names),
            *(links("arxiv:M", names, "depends_on") if beside else []),
            *(row for name in names for row in links(name, ["arxiv:D"])),
        ],
        "claims": claim("o", "github:o"),
    }


def vouched_by_oneself(count: int, *, claimed: bool) -> Facts:
    """Eve's accounts mention one another in a circle, and all of them her paper D; she proves all of them, or one."""
    names = [f"eve{n}" for n in range(count)]
    return accounts(*names) | {
        "references": [
            row
            for n, name in enumerate(names)
            for row in links(f"github:{name}/1", [f"github:{names[(n + 1) % count]}/1", "arxiv:D"])
        ],
        "claims": claim("d", *(f"github:{name}" for name in (names if claimed else names[:1]))),
    }


def background(count: int) -> Facts:
    """Papers that cite one another in a row: in a world of ten links nothing is far from chance."""
    names = [f"arxiv:z{n}" for n in range(count)]
    return {
        "works": [work(name, 0, created=-1) for name in names],
        "people": [author(name, f"Author of {name}", 1, 0) for name in names],
        "references": [reference(one, other, 0) for one, other in itertools.pairwise(names)],
    }


def unproven(prefix: str, count: int) -> Facts:
    return {"claims": [row for n in range(count) for row in claim(f"s{n}", f"github:{prefix}{n}", proof=None)]}


def proven(prefix: str, count: int) -> Facts:
    names = [f"{prefix}{n}" for n in range(count)]
    claims = [row for n, name in enumerate(names) for row in claim(f"s{n}", f"github:{name}")]
    return {"claims": claims, "people": [row for name in names for row in owned(name)]}


@pytest.mark.parametrize(
    ("attack", "opened", "alert"),
    [
        pytest.param(merged(puppets(7, "arxiv:D"), unproven("puppet", 7)), {"d": 37_261}, "burst", id="sock puppets"),
        pytest.param(
            merged(puppets(3, "arxiv:D"), proven("puppet", 3)), {"d": 27_287}, None, id="verified, used by nobody"
        ),
        pytest.param(own_flood(25), HONEST, "self_citation", id="self-citation"),
        pytest.param(ring(5), {"p": 12_946, "pypi:ring#unknown": 23_605}, "closed_clique", id="a ring of accounts"),
    ],
)
def test_what_is_free_brings_nothing(tmp_path: Path, attack: Facts, opened: dict[str, int], alert: str | None) -> None:
    """Not one unit, in guarded mode; in open mode `opened`: three puppets would lift D from 4 to 27 of 53."""
    found = tried(tmp_path, attack)
    assert found.guarded == found.paid == HONEST
    assert opened.items() <= found.opened.items()
    assert set(found.alerts) == ({alert} if alert else set())
    if alert:
        assert any(name.startswith("github:") for name in found.alerts[alert])


def test_a_cartel_of_nobody_known_brings_nothing_and_is_named(tmp_path: Path) -> None:
    """Open mode would give 7.4 % to them; the hundred papers beside them are there for the alert."""
    found = tried(tmp_path, background(100), cartel(4, proof=None))
    assert "github:x" not in found.guarded
    assert "github:y" not in found.guarded
    assert found.guarded["p"] == pytest.approx(found.guarded["d"] * 39 / 4, abs=10)
    assert found.alerts["reciprocity"] == {"github:x", "github:y"}
    assert (found.opened["github:x"], found.opened["github:y"]) == (1_969, 1_969)


def test_a_cartel_of_two_verified_people_is_bounded_however_many_works(tmp_path: Path) -> None:
    """Two people with a proof vouch for each other: each account has its 2 % of all starts, nothing of which leaves
    the circle, so they get 11.2 % of the money together; with four works each or with twelve. Open mode: 93.5 %."""
    found = [tried(tmp_path / str(works), cartel(works, proof="https://proof")) for works in (4, 12)]
    for each in found:
        assert (each.guarded["x"], each.guarded["y"]) == (2_961, 2_961)
        assert each.paid == each.guarded
    assert found[1].opened["x"] == 24_789
    assert found[1].alerts.keys() == {"split_repositories"}


TEN = [str(n) for n in range(10)]


@pytest.mark.parametrize(
    ("beside", "one", "ten", "opened"),
    [
        # What P passes on to mentions goes to o in any case: to the unit the same.
        (False, {"o": 27_020, "l": 1_965}, {"o": 27_020, "l": 1_965}, {"o": 10_948, "d": 36_179}),
        # M's dependencies are divided equally, so ten packages take ten parts beside L's one instead of one: the
        # owner gets 2.1 % more, and L, the only one beside it, loses 82 %. What M gives to dependencies is the limit.
        (True, {"o": 27_704, "l": 989}, {"o": 28_271, "l": 181}, {"o": 11_368, "d": 36_638}),
    ],
)
def test_splitting_a_project_in_ten(
    tmp_path: Path, beside: bool, one: dict[str, int], ten: dict[str, int], opened: dict[str, int]
) -> None:
    """The owner's voice is the same (2 % of starts), and what others say to the project is divided among the parts."""
    before = tried(tmp_path / "one", split(["1"], beside=beside))
    after = tried(tmp_path / "ten", split(TEN, beside=beside))
    assert one.items() <= before.guarded.items()
    assert ten.items() <= after.guarded.items()
    assert after.guarded["o"] <= before.guarded["o"] * 1.021
    assert opened.items() <= after.opened.items()
    assert (before.alerts, after.alerts) == ({}, {"split_repositories": {"github:o"}})


def test_vouching_for_ones_own_unclaimed_account(tmp_path: Path) -> None:
    """Eve's claimed account vouches for another of hers, which names her paper D: 43 % more for it, from the 2 % of
    starts that one account may have. Not one account more can be vouched for so: the second is not claimed."""
    found = tried(tmp_path, vouched_by_oneself(2, claimed=False))
    assert found.guarded == {"p": 37_462, "b": 5_763, "d": 5_724, "l": 3_842, "github:eve1": 209}
    assert found.paid["d"] == 5_724
    assert found.opened["d"] == 19_944


def test_the_accounts_of_a_person_are_one_owner(tmp_path: Path) -> None:
    """Twenty accounts that one person proves to own have one person's 2 % of starts, and none of them vouches for
    another: not one unit more for D, where open mode gives 46,037. Judged by account it would have been 32,075."""
    found = tried(tmp_path, vouched_by_oneself(20, claimed=True))
    assert found.guarded == HONEST
    assert found.opened["d"] == 46_037
    assert len(found.alerts["closed_clique"]) == 20


def test_identities(tmp_path: Path) -> None:
    """One floor for a person however many accounts; two for whoever registers twice with two proofs, which nothing
    here can tell; nothing for what two persons claim, and no merit is lost by it."""
    claims = [*claim("p", "arxiv:P#1", "github:p", "hf:p", "orcid:1"), *claim("p2", "github:p-again")]
    claims += [*claim("b", "arxiv:B#1"), *claim("eve", "arxiv:B#1"), *claim("d", "arxiv:D#1"), *claim("l", "arxiv:L#1")]
    found = tried(tmp_path, {"claims": claims}, round=rules(pool=POOL, floor=0.1), world=honest(""))
    merit = {name: amount * 9 // 10 for name, amount in HONEST.items()}
    equal = 5_300 // 4
    assert found.paid == {
        "p": merit["p"] + equal, "p2": equal, "d": merit["d"] + equal, "l": merit["l"] + equal,
    }  # fmt: skip
    assert found.guarded["arxiv:B#1"] == merit["b"]
    assert sum(found.guarded.values()) == POOL


def test_bought_stars_and_commits_of_programs(tmp_path: Path) -> None:
    """Counters are not an input; a program's commits are left out; commits say whose a work is, not its worth."""
    stars = [
        {"work_id": "arxiv:D", "metric": "stars", "value": 10**9, "event_at": at(0), "source": "github"},
        {"work_id": "arxiv:D", "metric": "citations", "value": 10**9, "event_at": at(0), "source": "openalex"},
    ]
    commits = [
        part("arxiv:D", "github:bot", 10**6, "commits", is_bot=True), part("arxiv:D", "arxiv:D#1", 3, "commits"),
        part("arxiv:D", "github:helper", 1, "commits"),
    ]  # fmt: skip
    found = tried(tmp_path, {"metrics": stars, "contributions": commits})
    assert found.guarded == HONEST | {"d": 3_000, "github:helper": 1_000}
    assert found.opened == found.guarded
