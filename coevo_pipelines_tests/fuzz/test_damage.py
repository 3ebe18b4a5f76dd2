"""Damaged and hostile bodies, for every target of the table: rows that can be stored, or rejects, or ParseError.

What follows a path that nobody has thought of is the guided run's to find (`guided.py`); what it found stands here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.scrapes.sources import services
from coevo_pipelines_tests.fuzz.damage import damaged
from coevo_pipelines_tests.fuzz.targets import (
    MODEL,
    REPOSITORY,
    SOURCES,
    TARGETS,
    WORK,
    Target,
    check_rows,
    conforming,
)
from coevo_pipelines_tests.scrapes.parsing import OPENALEX_URL, counts, hub_page, page, read, search_page
from coevo_pipelines_tests.scrapes.recordings import answer

quick = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
names = pytest.mark.parametrize("name", TARGETS)
_RECORDED = 12
STRUCTURED = ("feed", "page", "search", "repository", "models", "datasets", "batch", "records", "descriptor")
"""Targets whose body is JSON or XML as a whole; the others read any text."""


def test_every_source_is_in_the_table() -> None:
    of_works = {name for name, service in services() if not service.of_places}
    assert {target.name.partition(".")[0] for target in SOURCES} == of_works


@names
def test_the_composed_seeds_are_what_the_target_reads(name: str) -> None:
    """A seed that is refused as a whole would fuzz the refusal."""
    for seed in TARGETS[name].seeds:
        made = TARGETS[name].run(seed)
        if made is not None:
            heights = conforming(made)
            assert sum(heights.values()) > heights["traces.rejects"], made.rows["rejects"]


@names
@quick
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_arbitrary_bytes(name: str, body: bytes) -> None:
    made = TARGETS[name].run(body)
    if made is not None and name.endswith(STRUCTURED) and not is_json(body) and not body.startswith(b"<"):
        assert made.frame("rejects").height, "dropped in silence"


@names
@quick
@given(rng=st.randoms(use_true_random=False))
def test_damaged_seeds(name: str, rng: Random) -> None:
    target = TARGETS[name]
    target.run(damaged(rng.choice(target.seeds), rng))


@pytest.mark.parametrize("name", [target.name for target in SOURCES])
def test_damaged_seeds_as_tables(name: str) -> None:
    """The whole way into the tables, for a few of them: it takes 50 ms."""
    rng = Random(8)
    for _ in range(6):
        made = TARGETS[name].run(damaged(rng.choice(TARGETS[name].seeds), rng))
        assert made is not None
        conforming(made)


@pytest.mark.parametrize("name", [target.name for target in TARGETS.values() if target.recorded])
def test_damaged_recordings(name: str) -> None:
    target, rng = TARGETS[name], Random(8)
    seeds = recorded(target)
    for seed in seeds:
        target.run(seed)
        for _ in range(5):
            target.run(damaged(seed, rng))


def recorded(target: Target) -> list[bytes]:
    """A few of the smaller recorded bodies, from all over."""
    seeds = [seed for seed in target.recorded_seeds() if len(seed) < 12_000]
    assert seeds, f"no recording fits {target.recorded}"
    return seeds[:: max(1, len(seeds) // _RECORDED)]


# One item

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["a/b", "W1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ITEMS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "github": (REPOSITORY, search_page),
    "huggingface": (MODEL, hub_page),
    "openalex": (WORK, lambda *items: answer(OPENALEX_URL, page(*items))),
}


def replace_inside(value: Any, path: list[int], replacement: Any) -> Any:
    """A copy of `value` with one leaf, reached by taking turns `path`, replaced."""
    if not path or not isinstance(value, (dict, list)) or not value:
        return replacement
    keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    changed = copy.copy(value)
    changed[key] = replace_inside(value[key], path[1:], replacement)
    return changed


@pytest.mark.parametrize("source", sorted(ITEMS))
@settings(quick, max_examples=120)
@given(data=st.data())
def test_an_item_with_any_value_anywhere_is_one_row_or_one_reject(source: str, data: st.DataObject) -> None:
    known, wrap = ITEMS[source]
    item = copy.deepcopy(known)
    field = data.draw(st.sampled_from(sorted(item)))
    path = data.draw(st.lists(st.integers(0, 3), max_size=3))
    item[field] = replace_inside(item.get(field), path, data.draw(anything))
    traces = read(source, wrap(item))
    check_rows(traces)
    made = counts(traces)
    if made.get("works"):
        assert made["works"] == 1 and traces.outside_window == 0
        return
    assert traces.outside_window + made.get("rejects", 0) == 1
    assert set(made) <= {"rejects"}


def test_the_damage_is_damage() -> None:
    """Most of what `damaged` makes differs from what it was given, and some of it can still be read."""
    rng = Random(1)
    body = json.dumps({"items": [REPOSITORY]}).encode()
    made = [damaged(body, rng) for _ in range(200)]
    assert sum(one != body for one in made) > 150
    assert 40 < sum(is_json(one) for one in made) < 200


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
