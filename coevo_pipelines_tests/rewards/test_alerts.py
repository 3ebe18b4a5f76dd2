"""Structures planted in an honest world are each found, and in real graphs hardly anything is."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coevo_pipelines.rewards.alerts import ALERTS, KINDS, alerts
from coevo_pipelines_tests.citations.test_graph import DAY, Row
from coevo_pipelines_tests.influence.worlds import frames, link, node
from coevo_pipelines_tests.scrapes.recordings import recordings

World = tuple[list[Row], list[Row]]
SCORED = DAY + timedelta(days=40)


def repository(owner: str, name: object = 1, days: float = 0) -> Row:
    return node(f"github:{owner}/{name}", days, kind="repository", owner=f"github:{owner}")


def uses(source: str, target: str, days: float = 0, own: bool = False) -> Row:
    return link(source, target, "depends_on", days, weight=int(not own))


def honest(seed: int = 1, owners: int = 120, each: int = 3) -> World:
    """Owners whose repositories use earlier works, popular ones more often, over 30 days."""
    chance = random.Random(seed)
    works: list[Row] = []
    links: dict[tuple[str, str], Row] = {}
    popular: list[int] = []
    for number in range(owners * each):
        owner, days = f"o{number % owners}", 30 * number / (owners * each)
        works.append(repository(owner, number // owners, days))
        for place in {
            chance.choice(popular) if popular and chance.random() < 0.6 else chance.randrange(number + 1)
            for _ in range(4)
        }:
            if works[place]["owner"] != works[number]["owner"]:
                links[works[number]["node_id"], works[place]["node_id"]] = uses(
                    works[number]["node_id"], works[place]["node_id"], days
                )
                popular.append(place)
    return works, list(links.values())


def cartel() -> World:
    """Two owners with four works each; every work uses all of the other owner's."""
    works = [repository(owner, n, 31) for owner in ("left", "right") for n in range(4)]
    links = [
        uses(f"github:{one}/{n}", f"github:{other}/{m}", 32)
        for one, other in (("left", "right"), ("right", "left"))
        for n in range(4)
        for m in range(4)
    ]
    return works, [*links, uses("github:left/0", "github:o1/0", 32)]


def puppets(said: int = 1) -> World:
    """Twelve new accounts name one work within two days, and a popular one as if by the way."""
    works = [repository("star", "work", 20), *(repository(f"puppet{n}", 1, 33) for n in range(12))]
    names = ["github:star/work", "github:o0/0"][:said]
    return works, [uses(f"github:puppet{n}/1", name, 33 + n / 8) for n in range(12) for name in names]


def ring(size: int = 5, disguised: int = 0) -> World:
    """Owners that each use the next one's work, and `disguised` honest ones."""
    works = [repository(f"ring{n}", 1, 31) for n in range(size)]
    links = [uses(f"github:ring{n}/1", f"github:ring{(n + 1) % size}/1", 32) for n in range(size)]
    return works, links + [
        uses(f"github:ring{n}/1", f"github:o{m}/0", 32) for n in range(size) for m in range(disguised)
    ]


def farm() -> World:
    """Eight authors' sets that all cite one another."""
    names = [f"arxiv:{n}" for n in range(8)]
    works = [node(name, 30, authors=f"author {name}\nsecond {name}") for name in names]
    return works, [link(one, other, "cites", 31) for one in names for other in names if one != other]


def own_flood() -> World:
    """Seven repositories of one owner that all use each other."""
    works = [repository("flood", n, 31) for n in range(7)]
    names = [each["node_id"] for each in works]
    return works, [uses(one, other, 32, own=True) for one in names for other in names if one != other]


def split() -> World:
    """Nine repositories of one owner that use the same three works, but for one link of one of them."""
    works = [repository("split", n, 25 + n / 9) for n in range(9)]
    works += [repository("wanted", n, 2) for n in range(3)]
    links = [uses(f"github:split/{n}", f"github:wanted/{m}", 25 + n / 9) for n in range(9) for m in range(3)]
    return works, [*links[1:], uses("github:split/8", "github:o5/0", 26)]


def found(*worlds: World, day: date = SCORED, seed: int | None = None) -> pl.DataFrame:
    works = [work for world in worlds for work in world[0]]
    links = [each for world in worlds for each in world[1]]
    if seed is not None:
        random.Random(seed).shuffle(works)
        random.Random(seed).shuffle(links)
    return alerts(*frames(works, links), day)


def test_an_honest_world_alerts_nobody() -> None:
    for seed in range(5):
        assert found(honest(seed)).is_empty()
    nothing = found(([], []))
    assert nothing.schema == ALERTS
    assert nothing.is_empty()


PLANTED: list[tuple[Callable[[], World], str, list[str], int]] = [
    (cartel, "reciprocity", ["github:left", "github:right"], 8),
    (puppets, "burst", sorted(["github:star", *(f"github:puppet{n}" for n in range(12))]), 13),
    (lambda: puppets(2), "burst", sorted(["github:star", *(f"github:puppet{n}" for n in range(12))]), 13),
    (ring, "closed_clique", [f"github:ring{n}" for n in range(5)], 5),
    (lambda: ring(4, 1), "closed_clique", [f"github:ring{n}" for n in range(4)], 4),
    (farm, "closed_clique", [f"author arxiv:{n}; second arxiv:{n}" for n in range(8)], 8),
    (own_flood, "self_citation", ["github:flood"], 7),
    (split, "split_repositories", ["github:split"], 9),
]


@pytest.mark.parametrize(
    ("planted", "kind", "members", "works"),
    PLANTED,
    ids=["cartel", "puppets", "puppets in disguise", "ring", "ring in disguise", "farm", "own flood", "split"],
)
def test_a_planted_structure_is_found_alone(
    planted: Callable[[], World], kind: str, members: list[str], works: int
) -> None:
    (row,) = found(honest(), planted()).iter_rows(named=True)
    assert (row["kind"], row["members"], len(row["works"])) == (kind, members, works)
    assert row["works"] == sorted(row["works"])
    assert 0.5 <= row["score"] <= 1
    assert len(row["alert"]) == 16


def test_all_at_once() -> None:
    worlds = [planted() for planted in (cartel, puppets, ring, own_flood, split)]
    frame = found(honest(), *worlds)
    assert frame.get_column("kind").to_list() == list(KINDS)
    assert frame.schema == ALERTS
    assert frame.get_column("reason").to_list() == [
        "github:left uses works of github:right 16 times and is used 16 times in return, at least "
        f"{links_that_count(worlds) / 17:.0f} times as often as chance would have it; at least 100% of what "
        "either gets is from the other",
        f"12 of the 12 links to github:star/work came from {after(33)} to {after(34)} from new works of parties that "
        "nobody uses and that use at most 2 works",
        "5 parties use one another in a circle: 5 of the 5 links to them and of the 5 that they give are among them",
        "42 links lead from works of github:flood to its own, 0 from others to them and 0 from them to others",
        f"9 works of github:split that appeared from {after(25)} to {after(26)} link to the same 3 works with 96% of "
        "their links",
    ]


def after(days: int) -> date:
    """The tests' clock starts at noon."""
    return DAY + timedelta(days)


def links_that_count(worlds: list[World]) -> int:
    return sum(each["weight"] for world in [honest(), *worlds] for each in world[1])


def test_the_order_of_the_input_does_not_matter() -> None:
    worlds = [honest(), *(planted() for planted, *_ in PLANTED[:1] + PLANTED[3:4] + PLANTED[6:])]
    assert found(*worlds).equals(found(*worlds, seed=7))


def test_an_alert_keeps_its_name_while_it_grows() -> None:
    """One puppet more the next day: the same alert, of the same work."""
    more = ([repository("late", 1, 35)], [uses("github:late/1", "github:star/work", 35)])
    before, after = found(honest(), puppets()), found(honest(), puppets(), more)
    assert after.get_column("alert").to_list() == before.get_column("alert").to_list()
    assert after.item(0, "works").len() == before.item(0, "works").len() + 1


def test_what_comes_after_the_day_is_not_seen() -> None:
    worlds = (honest(), cartel(), puppets(), ring(), own_flood(), split())
    assert found(*worlds, day=DAY + timedelta(days=24)).is_empty()
    assert found(*worlds, day=DAY + timedelta(days=32)).get_column("kind").to_list() == [
        "reciprocity", "closed_clique", "self_citation", "split_repositories",
    ]  # fmt: skip


def many_users(days: float = 0) -> World:
    """A work that twelve owners use, each of whom uses other works too."""
    works = [repository("good", "work", 20), *(repository(f"user{n}", 1, 31) for n in range(12))]
    names = ["github:good/work", "github:o0/0", "github:o1/0", "github:o2/0"]
    return works, [uses(f"github:user{n}/1", name, 33 + n * days) for n in range(12) for name in names]


def slowly() -> World:
    """Accounts that say one thing, but over a month and not in a week."""
    works = [repository("star", "work", 5), *(repository(f"user{n}", 1, 3 * n) for n in range(12))]
    return works, [uses(f"github:user{n}/1", "github:star/work", 3 * n) for n in range(12)]


def old_friends() -> World:
    """Two owners that use each other, among many others who use both."""
    works, links = cartel()
    others = [uses(f"github:o{n}/2", f"github:{one}/{n % 4}", 33) for n in range(60) for one in ("left", "right")]
    return works, links + others


def monorepo() -> World:
    """An owner's repositories that use each other and that others use."""
    works, links = own_flood()
    return works, links + [uses(f"github:o{n}/1", "github:flood/0", 33) for n in range(6)]


def same_tools() -> World:
    """One owner's repositories that all use what everybody uses."""
    works = [repository("many", n, 31) for n in range(9)]
    users = [uses(f"github:o{n}/2", "github:o0/0", 32) for n in range(50)]
    return works, [*(uses(f"github:many/{n}", "github:o0/0", 32) for n in range(9)), *users]


def triangle() -> World:
    """Three owners in a circle, a link each: that happens."""
    return ring(3)


@pytest.mark.parametrize("ordinary", [many_users, slowly, old_friends, monorepo, same_tools, triangle])
def test_what_is_ordinary_alerts_nobody(ordinary: Callable[[], World]) -> None:
    works, links = honest()
    more, new = ordinary()
    seen = {(each["source"], each["target"]) for each in links}
    new = [each for each in new if (each["source"], each["target"]) not in seen]
    assert found((works, links), (more, new)).get_column("reason").to_list() == []


def test_works_of_nobody_speak_for_nobody() -> None:
    """Stubs and works without owner and authors are in no party, however they are linked."""
    names = [f"doi:{n}" for n in range(8)]
    works = [node(name, 30) for name in names]
    assert found(honest(), (works, [link(one, other, days=31) for one in names for other in names])).is_empty()


def graph_of(
    pairs: list[tuple[str, str]], owner: Callable[[str], str], when: Callable[[str], datetime]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Works and links as `citations.asof` gives them."""
    names = sorted({name for pair in pairs for name in pair})
    works = frames([node(name, owner=owner(name), event_at=when(name)) for name in names])[0]
    held = works.select("node_id", "node", "owner", "event_at")
    links = (
        pl.DataFrame(pairs, schema=["source", "target"], orient="row")
        .unique()
        .join(held.rename({"node_id": "source", "node": "source_node", "owner": "by"}), on="source")
        .join(held.select(target="node_id", target_node="node", to="owner"), on="target")
        .with_columns(
            relation=pl.lit("cites"),
            weight=(pl.col("by") != pl.col("to")).cast(pl.Int64),
            own=pl.when(pl.col("by") == pl.col("to")).then(pl.lit("same_owner")),
        )
    )
    return works, links.drop("by", "to")


def at_once(_: str) -> datetime:
    """All at one time: the most that a burst can be made to look like."""
    return datetime(2020, 1, 1, tzinfo=UTC)


def month_of(paper: str) -> datetime:
    """Of an arXiv number before 2007: year and month."""
    year, month = int(paper.zfill(7)[:2]), int(paper.zfill(7)[2:4])
    return datetime(1900 + year if year > 50 else 2000 + year, month, 1, tzinfo=UTC)


def citations(name: str, swapped: bool = False) -> list[tuple[str, str]]:
    lines = (recordings() / "citation_graphs" / name).read_text().splitlines()
    pairs = [(one, other) for one, other in (line.split()[:2] for line in lines if line and line[0] != "#")]
    return [(other, one) for one, other in pairs] if swapped else pairs


def dependencies(name: str, source: str, target: str) -> list[tuple[str, str]]:
    with (recordings() / "funding" / "deepfunding" / name).open(newline="") as stream:
        rows = csv.DictReader(stream)
        pairs = [(source.format(**row), target.format(**row)) for row in rows]
    return [(_bare(one), _bare(other)) for one, other in pairs]


def _bare(url: str) -> str:
    return url.lower().removeprefix("https://github.com/")


def themselves(name: str) -> str:
    return f"author of {name}"


def first_part(name: str) -> str:
    return name.partition("/")[0]


@pytest.mark.parametrize(
    ("pairs", "owner", "when", "expected"),
    [
        (lambda: citations("planetoid_text/cora.cites", True), themselves, at_once, {"closed_clique": 4}),
        (lambda: citations("planetoid_text/citeseer.cites"), themselves, at_once, {"closed_clique": 2, "burst": 1}),
        (lambda: citations("planetoid_text/pubmed.cites"), themselves, at_once, {}),
        (lambda: citations("snap_cit_hepph_subset/cit-HepPh.txt"), themselves, month_of, {}),
        (
            lambda: dependencies(
                "graph/unweighted_graph.csv",
                "{seed_repo_owner}/{seed_repo_name}",
                "{package_repo_owner}/{package_repo_name}",
            ),
            first_part, at_once, {},
        ),
        (
            lambda: dependencies("datasets/v2-graph/dependency-graph-v2.csv", "{seed_repo}", "{dependency_repo}"),
            first_part, at_once, {},
        ),
    ],
    ids=["Cora", "CiteSeer", "PubMed", "HEP-PH", "Deep Funding", "Deep Funding 2"],
)  # fmt: skip
def test_real_graphs_alert_next_to_nobody(
    pairs: Callable[[], list[tuple[str, str]]],
    owner: Callable[[str], str],
    when: Callable[[str], datetime],
    expected: dict[str, int],
) -> None:
    """Up to 200,000 links. The few circles are of papers of one volume that cite each other."""
    frame = alerts(*graph_of(pairs(), owner, when), date(2026, 1, 1))
    assert Counter(frame.get_column("kind")) == expected


def test_a_large_world_takes_seconds() -> None:
    """200,000 links in which a thousand cartels are hidden: every one is found, without a look at all for each."""
    chance = random.Random(3)
    pairs = [(f"w{chance.randrange(40_000)}", f"w{int(40_000 * chance.random() ** 3)}") for _ in range(200_000)]
    pairs = [(one, other) for one, other in pairs if one != other]
    for n in range(1000):
        names = [[f"c{n}{side}/{m}" for m in range(2)] for side in "ab"]
        pairs += [(x, y) for one, other in (names, names[::-1]) for x in one for y in other]
    frame = alerts(*graph_of(pairs, first_part, at_once), date(2026, 1, 1))
    assert Counter(frame.get_column("kind")) == {"reciprocity": 1000}
