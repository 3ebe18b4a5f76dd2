"""`coevo bench swarm`: everyone does the same work, and what is measured is there."""

from __future__ import annotations

import copy
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from coevo_pipelines.bench.swarm import ABSENT, NAMES, contestant, meetings, rounds, world
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.tick.state import MINUS, PLUS, PRESENT, empty_state
from coevo_pipelines_tests.runs import coevo

PEERS = [
    name if name != "Mesa" or find_spec("mesa") else pytest.param(name, marks=pytest.mark.skip("mesa is not installed"))
    for name in NAMES[1:]
]


@pytest.mark.parametrize("name", PEERS)
def test_all_end_with_the_same_cells(name: str) -> None:
    config, organisms, patterns = Config(), 400, 70
    state, theta = world(organisms, patterns, 1, config)
    found = []
    for each in (NAMES[0], name):
        who = contestant(each, copy.deepcopy(state), theta, config)
        uses = rounds(who, meetings(state, 1), organisms * patterns, 1)["uses"]
        found.append((who.cells(np.arange(organisms)), who.told(), uses))
    (ours, told, uses), (theirs, theirs_told, theirs_uses) = found
    assert np.array_equal(ours, theirs)
    assert told == theirs_told
    assert uses == theirs_uses
    assert min(*told, uses) > 50, "each kind of thing has to have happened, else nothing was compared"


@pytest.mark.parametrize("name", [NAMES[0], *PEERS])
def test_the_nine_cells_and_absent_ones(name: str) -> None:
    teacher = [1, 1, 1, 0, 0, 0, -1, -1, -1, 1, 0, -1, None]
    student = [-1, 0, 1, -1, 0, 1, -1, 0, 1, None, None, None, 1]
    after = [1, 1, 1, 0, 0, 1, -1, 0, 1, 1, None, None, 1]
    state = empty_state(2, len(teacher))
    state.tier[:] = 3, 0
    for place, weights in enumerate((teacher, student)):
        for pattern, weight in enumerate(weights):
            if weight is not None:
                state.put(PRESENT, place, pattern, True)
                state.put(PLUS, place, pattern, weight > 0)
                state.put(MINUS, place, pattern, weight < 0)
                state.version[place, pattern] = 2 * pattern + place
    who = contestant(name, state, np.full(2 * len(teacher), 0.5), Config())
    who.clasp(np.array([[1, 0]]), 1)
    cells = who.cells(np.array([1]))[0]
    assert [None if weight == ABSENT else weight for weight in cells[:, 0].tolist()] == after
    overwritten = [0, 1, 3, 9]
    assert [p for p in range(len(teacher)) if after[p] is not None and cells[p, 1] == 2 * p] == overwritten
    assert np.flatnonzero(cells[:, 7]).tolist() == [2, 4], "a decision is open on each tie"
    assert who.told()[:6] == [4, 2, 0, 0, 0, 2]


def test_all_is_measured_and_agrees(tmp_path: Path) -> None:
    arguments = ("--organisms", "100", "--patterns", "3", "--folder", str(tmp_path), "--json")
    measured = json.loads(coevo("bench", "swarm", *arguments).stdout)
    assert [each["name"] for each in measured["passes"]] == list(NAMES)
    for each in measured["passes"]:
        if each["name"] == "Mesa" and not find_spec("mesa"):
            assert each["failure"] == "not installed: pip install mesa"
            continue
        assert not each["failure"]
        assert each["agrees"] is (None if each["name"] == NAMES[0] else True)
        assert (each["clasps"], each["cells"]) == (150, 900)
        assert min(each["clasp_seconds"], each["use_seconds"]) > 0
    (memory,) = measured["memory"]
    assert (memory["pairs"], memory["plane_bytes"]) == (50, 100 * 64)
    (day,) = measured["days"]
    assert set(day["seconds"]) == {"read", "tick", "write"}
    assert min(day["seconds"].values()) > 0
    assert (day["rows"]["cells"], day["rows"]["organisms"], day["rows"]["metrics"]) == (300, 100, 1)
    assert day["peak_bytes"] > 50e6


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = coevo("bench", "swarm", "--folder", str(tmp_path / "absent"))
    assert done.returncode == 2
    assert "absent: there is no such folder" in done.stderr
