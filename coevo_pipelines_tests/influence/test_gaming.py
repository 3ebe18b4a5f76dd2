"""What somebody may try for a larger share, from the facts that a source would tell through to the scores.

The honest world is that of the known answer: M derives from B, is trained on D, depends on L and cites P; B and L cite
P. Of all that flows P gets 39 of 53 parts, B 6, D and L 4. In open mode an account buys influence; in guarded mode,
which money goes by, nothing that is free may move a share.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines_tests.citations.test_graph import Row, author, reference, work
from coevo_pipelines_tests.influence.worlds import lake_of, scores, settings_with

UNIFORM = settings_with(uniform=True)
HONEST = {"arxiv:P": 39 / 53, "arxiv:B": 6 / 53, "arxiv:D": 4 / 53, "arxiv:L": 4 / 53, "arxiv:M": 0}
Facts = dict[str, list[Row]]


def honest() -> Facts:
    links = [("M", "B", "derives_from"), ("M", "D", "trained_on"), ("M", "P", "cites"), ("M", "L", "depends_on")]
    links += [("B", "P", "cites"), ("L", "P", "cites")]
    return {
        "works": [work(f"arxiv:{name}", 0, created=-1) for name in "MBDPL"],
        "references": [reference(f"arxiv:{a}", f"arxiv:{b}", 0, relation) for a, b, relation in links],
        "people": [author(f"arxiv:{name}", f"Author of {name}", 1, 0) for name in "MBDPL"],
    }


def repository(owner: str, name: int = 1) -> Row:
    return work(f"github:{owner}/{name}", 0, kind="repository", source="github", owner=f"github:{owner}")


def names(owner: str, target: str, name: int = 1, relation: str = "mentions") -> Row:
    return reference(f"github:{owner}/{name}", target, 0, relation)


def world(root: Path, *attacks: Facts) -> Lake:
    """The honest world and what was done to it, on one day."""
    told = honest()
    merged = {table: [*rows, *(row for each in attacks for row in each.get(table, []))] for table, rows in told.items()}
    return lake_of(root, {0: merged}, UNIFORM)


def of_the_honest(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in HONEST}


def exactly(shares: Mapping[str, float]) -> Any:
    """To the last unit, but for the one that rounding may take."""
    return pytest.approx(dict(shares), abs=1.01e-12)


def puppets(count: int, *targets: str) -> Facts:
    """Accounts with a repository each that names the targets."""
    return {
        "works": [repository(f"puppet{n}") for n in range(count)],
        "references": [names(f"puppet{n}", target) for n in range(count) for target in targets],
    }


def ring(count: int) -> Facts:
    """Accounts that each depend on the next one, and all of them on one package."""
    return {
        "works": [repository(f"ring{n}") for n in range(count)],
        "references": [
            *(names(f"ring{n}", f"github:ring{(n + 1) % count}/1", relation="depends_on") for n in range(count)),
            *(names(f"ring{n}", "pypi:ring", relation="depends_on") for n in range(count)),
        ],
    }


def own_flood(count: int) -> Facts:
    """One account's repositories, which all depend on its first."""
    return {
        "works": [repository("flood", n) for n in range(count)],
        "references": [names("flood", "github:flood/0", n, "depends_on") for n in range(count)],
    }


def same_authors() -> Facts:
    """The author of D lists more papers, under the same name in other letters, that cite D and each other."""
    papers = [f"arxiv:self{n}" for n in range(3)]
    return {
        "works": [work(name, 0) for name in papers],
        "people": [author(name, "AUTHOR OF D", 1, 0) for name in papers],
        "references": [
            *(reference(name, "arxiv:D", 0) for name in papers),
            *(reference(one, other, 0) for one in papers for other in papers if one > other),
        ],
    }


def said_often() -> Facts:
    """The link from M to D in many places of M, and from D to itself."""
    again = [reference("arxiv:M", "arxiv:D", 0, "trained_on", evidence=f"line {n}") for n in range(9)]
    return {"references": [*again, reference("arxiv:D", "arxiv:D", 0)]}


@pytest.mark.parametrize(
    ("attack", "opened"),
    [
        pytest.param(puppets(7), HONEST, id="empty accounts"),
        pytest.param(same_authors(), HONEST, id="papers of the same authors"),
        pytest.param(own_flood(12), HONEST, id="an account's own flood"),
        pytest.param(said_often(), HONEST, id="a link said often"),
        pytest.param(puppets(3, "arxiv:D"), {"arxiv:D": 52 / 101}, id="accounts that cite one work"),
        pytest.param(puppets(3, "arxiv:D", "arxiv:P"), None, id="accounts that look honest beside it"),
        pytest.param(ring(5), None, id="a ring of accounts"),
    ],
)
def test_no_account_moves_a_share_in_guarded_mode(
    tmp_path: Path, attack: Facts, opened: Mapping[str, float] | None
) -> None:
    """`opened`: what it is in open mode; None: something else than it was."""
    lake = world(tmp_path / "lake", attack)
    guarded = scores(lake, 0, "guarded_inflow")
    assert guarded == exactly(HONEST | {name: 0 for name in guarded.keys() - HONEST.keys()})
    shares = scores(lake, 0, "inflow")
    if opened is None:
        assert of_the_honest(shares) != pytest.approx(HONEST, rel=0.05)
    else:
        assert {name: shares[name] for name in opened} == exactly(opened)
    accounts = [value for name, value in scores(lake, 0, "guarded_influence").items() if name.startswith("github:")]
    assert sum(accounts) == 0


def test_a_stub_that_turns_out_to_be_ones_own_loses_what_it_got(tmp_path: Path) -> None:
    """A repository depends on a name that is not known yet; the next day it is the same owner's work."""
    tells: Facts = {"works": [repository("o")], "references": [names("o", "github:o/2", relation="depends_on")]}
    day = honest()
    days = {
        0: {table: [*rows, *tells.get(table, [])] for table, rows in day.items()},
        1: {"works": [work("github:o/2", 1, kind="repository", source="github", owner="github:o")]},
    }
    lake = lake_of(tmp_path / "lake", days, UNIFORM)
    inflow, guarded = ([scores(lake, offset, name) for offset in (0, 1)] for name in ("inflow", "guarded_inflow"))
    assert inflow[0]["github:o/2"] > 0.1
    assert inflow[1]["github:o/2"] == 0
    assert of_the_honest(inflow[1]) == exactly(HONEST)
    for found in guarded:
        assert of_the_honest(found) == exactly(HONEST)
        assert found["github:o/2"] == 0
    assert scores(lake, 1, "in_degree")["github:o/2"] == 0


@pytest.fixture(scope="module")
def vouched_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """P names the account's first repository, which names D: what is D's then, in guarded mode."""
    root = tmp_path_factory.mktemp("vouched") / "lake"
    return scores(world(root, vouched(1)), 0, "guarded_inflow")


def vouched(count: int, made_up: int = 0) -> Facts:
    """A listed work names an account; it has `count` repositories that name D and, the first, packages of no use."""
    return {
        "works": [repository("o", n) for n in range(count)],
        "references": [
            reference("arxiv:P", "github:o/0", 0, "mentions"),
            *(names("o", "arxiv:D", n) for n in range(count)),
            *(names("o", f"pypi:nothing{n}", max(count - 1, 0), "mentions") for n in range(made_up)),
        ],
    }


@pytest.mark.parametrize(("count", "made_up"), [(40, 0), (40, 300)], ids=["empty works", "and made-up names"])
def test_an_account_with_a_voice_has_one_voice_however_many_works(
    tmp_path: Path, vouched_once: dict[str, Any], count: int, made_up: int
) -> None:
    """Forty repositories say no more than one: together they have 2 % of all starts. Naming what is not there costs
    the account a part of its own voice, and raises nobody's."""
    lake = world(tmp_path / "lake", vouched(count, made_up))
    found = scores(lake, 0, "guarded_inflow")
    if made_up:
        assert found["arxiv:D"] < vouched_once["arxiv:D"]
        assert found["arxiv:D"] == pytest.approx(vouched_once["arxiv:D"], rel=0.01)
    else:
        assert of_the_honest(found) == exactly(of_the_honest(vouched_once))
    assert of_the_honest(found)["arxiv:D"] > HONEST["arxiv:D"], "it does have a voice"
    opened = scores(lake, 0, "inflow")["arxiv:D"]
    assert opened > 0.5
