"""An official round, from its published inputs to its published payouts: Optimism Retro Funding, season 7, month 6.

Both parts (onchain builders, developer tools) had 1,300,000 OP to give, to the cent. The scores are computed here in
floats as the round's published algorithm defines them (github.com/ethereum-optimism/Retro-Funding, eval-algos/core/
models: onchain_builders.py, devtooling.py); the money is divided by our own exact apportionment, and each payee gets
what the round officially paid, but for the one cent that each part's rounding made or lost. The round's allocator.py
divides in floats and rounds each payee alone.
"""

from __future__ import annotations

import csv
import functools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from coevo_pipelines.rewards.apportion import Allocation, allocate
from coevo_pipelines.rewards.audit import Table, audit, cap_of, table_of
from coevo_pipelines_tests.scrapes.recordings import recordings

Floats = NDArray[np.float64]
Scores = dict[str, float]


def folder() -> Path:
    return recordings() / "funding" / "retro_funding" / "S7" / "M6"


def rows(name: str) -> list[dict[str, str]]:
    with (folder() / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@functools.cache
def weights(name: str) -> Any:
    return yaml.safe_load((folder() / "weights" / f"{name}.yaml").read_text())


@functools.cache
def official(part: str) -> dict[str, Decimal]:
    """What the round paid, by project, in OP; exactly as printed."""
    results = json.loads((folder() / "outputs" / f"{part}__results.json").read_text(), parse_float=Decimal)
    return {each["oso_project_id"]: each["op_reward"] or Decimal(0) for each in results}


@functools.cache
def rules(name: str) -> tuple[Decimal, Fraction, Decimal]:
    """Budget, cap as a share of it, and minimum, in OP."""
    stated = weights(name)["allocation"]
    share = Fraction(str(stated["max_share_per_project"]))
    return Decimal(stated["budget"]), share, Decimal(stated["min_amount_per_project"])


def onchain_scores() -> Scores:
    """Each metric of two months as level, growth and what stayed, each scaled to [0, 1] up to a percentile, weighed;
    their root mean square."""
    stated = weights("onchain__goldilocks")["simulation"]
    eligible = {each["project_id"] for each in rows("onchain__project_metadata") if each["is_eligible"] == "True"}
    sums: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    projects: set[str] = set()
    for each in rows("onchain__metrics_by_project"):
        metric, period = each["metric_name"], each["measurement_period"]
        if each["project_id"] in eligible and metric in stated["metrics"] and period in stated["periods"].values():
            projects.add(each["project_id"])
            sums[metric, period][each["project_id"]] += float(each["amount"])
    names = sorted(projects)
    columns = []
    for metric, weight in stated["metrics"].items():
        now, before = (
            np.array([sums[metric, stated["periods"][when]][name] for name in names])
            for when in ("current", "previous")
        )
        if "tvl" in metric:
            now, before = (np.where(each < stated["tvl_minimum"], 0, each) for each in (now, before))
        variants = {"adoption": now, "growth": np.maximum(now - before, 0), "retention": np.minimum(now, before)}
        for variant, values in variants.items():
            capped = np.minimum(values, np.percentile(values, stated["percentile_cap"]))
            columns.append(scaled(capped) * weight * stated["metric_variants"][variant])
    return dict(zip(names, np.sqrt((np.array(columns) ** 2).mean(axis=0)).tolist(), strict=True))


def scaled(values: Floats) -> Floats:
    least, most = float(values.min()), float(values.max())
    return (values - least) / (most - least)


Edge = tuple[str, str, float]
_PACKAGES, _COMMITS, _USES = "package_dependency", "onchain_project_to_developer", "developer_to_devtooling_project"


def tooling_scores() -> Scores:
    """Personalised PageRank over packages, and over who commits to what and uses what; the sum of both, of those that
    enough others use."""
    stated = weights("devtooling__arcturus")["simulation"]
    onchain, tools = rows("devtooling__onchain_metadata"), rows("devtooling__project_metadata")
    links = tooling_links({each["project_id"] for each in onchain}, {each["project_id"] for each in tools})
    latest = max(month for each in links.values() for *_, month in each)
    weighed = {kind: weigh(kind, each, latest, stated, tools) for kind, each in links.items()}
    started = starting(stated, onchain, tools, links)
    both = [
        (weighed[_PACKAGES], stated["alpha_onchain"]),
        ([*weighed[_COMMITS], *weighed[_USES]], stated["alpha_devtooling"]),
    ]
    total: Scores = defaultdict(float)
    for edges, damping in both:
        ranks = page_rank([each for each in edges if each[2] > 0], damping, started)
        of_tools = {each["project_id"]: ranks[each["project_id"]] for each in tools if each["project_id"] in ranks}
        for name, rank in of_tools.items():
            total[name] += rank / sum(of_tools.values())
    limits = stated["eligibility_thresholds"]
    users = {kind: users_of(links[kind]) for kind in (_PACKAGES, _USES)}
    return {
        name: score
        for name, score in sorted(total.items())
        if users[_PACKAGES][name] >= limits["num_projects_with_package_links"]
        or users[_USES][name] >= limits["num_onchain_developers_with_links"]
    }


Links = list[tuple[str, str, str, date]]


def tooling_links(onchain: set[str], tools: set[str]) -> dict[str, Links]:
    """(from, to, event, month) by kind."""
    events = [
        (each["project_id"], each["developer_id"], each["event_type"], date.fromisoformat(each["bucket_month"]))
        for each in rows("devtooling__developer_graph")
    ]
    latest = max(each[3] for each in events)
    commits = [each for each in events if each[0] in onchain and each[2] == "COMMIT_CODE"]
    works_for = {developer: project for project, developer, _, _ in commits}
    return {
        _PACKAGES: [
            (each["onchain_builder_project_id"], each["devtooling_project_id"], each["dependency_source"], latest)
            for each in rows("devtooling__dependency_graph")
        ],
        _COMMITS: commits,
        _USES: [
            (developer, project, event, month)
            for project, developer, event, month in events
            if project in tools and works_for.get(developer) != project
        ],
    }


def weigh(kind: str, links: Links, latest: date, stated: Any, tools: Sequence[Mapping[str, str]]) -> list[Edge]:
    """By event, by age and by what the tool is for."""
    ids = {each["project_name"]: each["project_id"] for each in tools}
    labels = {ids.get(each["project_name"]): each["recommendation"] for each in rows("devtooling__utility_labels")}
    events = {name.upper(): weight for name, weight in stated["event_type_weights"].items()}
    decay = math.log(2) / stated["link_type_time_decays"][kind]
    return [
        (
            one,
            other,
            math.exp(-decay * ((latest - month).days / 365.0))
            * events[event]
            * (1.0 if kind == _COMMITS else stated["utility_weights"].get(labels.get(other), 1.0)),
        )
        for one, other, event, month in links
    ]


def starting(
    stated: Any, onchain: Sequence[dict[str, str]], tools: Sequence[dict[str, str]], links: Mapping[str, Links]
) -> Scores:
    """Where trust starts: projects by what goes on at them, tools by who uses them, developers by their projects."""
    counted: dict[str, dict[str, int]] = {kind: defaultdict(int) for kind in links}
    for kind, each in links.items():
        for _, other, _, _ in each:
            counted[kind][other] += 1
    by_name = [
        {"num_package_connections": counted[_PACKAGES][each["project_id"]],
         "num_developer_connections": counted[_USES][each["project_id"]]}
        for each in tools
    ]  # fmt: skip
    projects = parts(onchain, onchain, stated["onchain_project_pretrust_weights"])
    started: Scores = defaultdict(float, projects)
    for name, part in parts(tools, by_name, stated["devtooling_project_pretrust_weights"]).items():
        started[name] += part
    months: dict[tuple[date, str], set[str]] = defaultdict(set)
    for project, developer, _, month in links[_COMMITS]:
        months[month, developer].add(project)
    for (_, developer), worked_on in sorted(months.items()):
        started[developer] += sum(projects[project] for project in sorted(worked_on)) / len(worked_on)
    return started


def parts(
    named: Sequence[Mapping[str, str]], measured: Sequence[Mapping[str, Any]], stated: Mapping[str, float]
) -> Scores:
    """Shares of a weighed sum of measures, each on a logarithmic scale from 0 to 1."""
    values = np.zeros(len(named))
    for name, weight in stated.items():
        if weight and name in measured[0]:
            values += weight * scaled(np.log1p(np.array([float(each[name]) for each in measured])))
    return {each["project_id"]: value for each, value in zip(named, (values / values.sum()).tolist(), strict=True)}


def users_of(links: Links) -> dict[str, int]:
    users: dict[str, set[str]] = defaultdict(set)
    for one, other, _, _ in links:
        users[other].add(one)
    return defaultdict(int, {name: len(each) for name, each in users.items()})


def page_rank(edges: Iterable[Edge], damping: float, started: Mapping[str, float]) -> Scores:
    """As networkx computes it, up to where it stops; of several links between two the last counts."""
    weight = {(one, other): value for one, other, value in edges}
    names = sorted({name for pair in weight for name in pair})
    number = {name: place for place, name in enumerate(names)}
    source = np.array([number[one] for one, _ in weight])
    target = np.array([number[other] for _, other in weight])
    value = np.array(list(weight.values()))
    out = np.bincount(source, value, len(names))
    value /= out[source]
    start = np.array([started.get(name, 0.0) for name in names])
    start /= start.sum()
    ranks = np.full(len(names), 1 / len(names))
    while True:
        moved = np.bincount(target, ranks[source] * value, len(names)) + ranks[out == 0].sum() * start
        before, ranks = ranks, damping * moved + (1 - damping) * start
        if np.abs(ranks - before).sum() < len(names) * 1e-8:
            return dict(zip(names, ranks.tolist(), strict=True))


def divided(scores: Scores, name: str) -> tuple[dict[str, int], Allocation]:
    """What our own apportionment gives to each, in cents."""
    budget, share, minimum = rules(name)
    exact = [Fraction(score) for score in scores.values()]
    scale = math.lcm(*(each.denominator for each in exact))
    pool = int(budget * 100)
    given = allocate([int(each * scale) for each in exact], pool, cap=int(share * pool), minimum=int(minimum * 100))
    return dict(zip(scores, given.amounts, strict=True)), given


def compared(part: str, scores: Scores, name: str) -> dict[str, int]:
    """Cents that the official round paid more than ours, by project, where it differs."""
    ours, given = divided(scores, name)
    budget, share, minimum = rules(name)
    assert sum(given.amounts) == budget * 100
    assert given.reserve == 0
    assert max(given.amounts) == share * Fraction(budget) * 100
    assert min(amount for amount in given.amounts if amount) >= minimum * 100
    paid = official(part)
    assert set(ours) <= set(paid)
    assert {project for project, amount in ours.items() if amount} == {name for name, amount in paid.items() if amount}
    off = {project: int(amount * 100) - ours.get(project, 0) for project, amount in paid.items()}
    return {project: cents for project, cents in off.items() if cents}


def published(part: str) -> Table:
    return table_of(part, [(project, str(amount)) for project, amount in official(part).items() if amount])


def test_onchain_builders_from_their_metrics_to_the_cent() -> None:
    """156 payees of 265 scored; the official round gave one of them a cent that was not in the budget."""
    off = compared("onchain", onchain_scores(), "onchain__goldilocks")
    assert off == {"XLvkdswVcDHS98ET9dfOceXRGZFTzV/dYrPUB8DA2Bc=": 1}
    assert sum(amount > 0 for amount in official("onchain").values()) == 156


def test_developer_tools_from_their_graph_to_the_cent() -> None:
    """93 payees, five of them at the cap; the official round kept a cent of one of them from everybody."""
    off = compared("devtooling", tooling_scores(), "devtooling__arcturus")
    assert off == {"b9Ln/oJ391BCdgtl8bjkvvb4QhQZF6nfJbjQDYZP00Q=": -1}
    assert sum(amount == 78000 for amount in official("devtooling").values()) == 5


def test_the_official_tables_do_not_add_up() -> None:
    """Each is a cent off its budget. No payee of this round is over the cap or below the minimum."""
    messages = {}
    for part, name in (("onchain", "onchain__goldilocks"), ("devtooling", "devtooling__arcturus")):
        budget, share, minimum = rules(name)
        found = audit(published(part), budget, share, minimum, places=2)
        assert [each.kind for each in found] == ["sum"]
        messages[part] = found[0].message
    assert messages == {
        "onchain": "the amounts add up to 1,300,000.01; the pool is 1,300,000.00: 0.01 too much",
        "devtooling": "the amounts add up to 1,299,999.99; the pool is 1,300,000.00: 0.01 too little",
    }


def test_a_cap_a_cent_lower_is_seen_to_be_broken() -> None:
    """So that the audit above could have failed: both payees at the cap of 65,000 are named."""
    budget, share, minimum = rules("onchain__goldilocks")
    lower = cap_of("64,999.99")
    found = audit(published("onchain"), budget, lower, minimum, places=2)
    at_cap = [name for name, amount in official("onchain").items() if amount == share * Fraction(budget)]
    assert [each.recipient for each in found if each.kind == "over_cap"] == at_cap
    assert len(at_cap) == 2
    assert found[1].message == "gets 65,000.00: 0.01 above the cap of 64,999.99"
