"""Plain and compiled loops: the same bits, and no compiler where it does not pay."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from coevo_pipelines.influence import kernel
from coevo_pipelines_tests.runs import environment

SMALL_SCORE = """
import sys
import numpy as np
from coevo_pipelines.influence.links import hold, pack
from coevo_pipelines.influence.pagerank import solve
links = hold(100, pack(np.arange(1, 100), np.arange(99)))
assert solve(links, np.ones(100), 0.85).sweeps == 1
print("numba" in sys.modules)
"""


def running_sum(values: np.ndarray[tuple[int], np.dtype[np.float64]], factor: float) -> float:
    result = 0.0
    for value in values:
        result = result * factor + value / 3.0
    return result


def test_both_ways_give_the_same_bits() -> None:
    values = np.random.default_rng(0).normal(size=kernel.LARGE + 1) * 1e9
    assert kernel.kernel(running_sum)(values, 0.9) == running_sum(values, 0.9)


def test_a_small_graph_is_scored_without_the_compiler() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_SCORE], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("sizes", "compiled"),
    [
        ([10] * 3, False),
        ([10, 11], True),
        # Not large, but often: 20 arrays of the largest size that runs plain.
        ([10] * 20, False),
        ([10] * 22, True),
        ([1] * 201, False),
        ([1] * 202, True),
    ],
)
def test_when_compiling_pays(sizes: list[int], compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "LARGE", 10)
    plain = []

    def counted(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
        plain.append(values.size)
        return values.size

    monkeypatch.setattr("numba.njit", lambda **_options: lambda _function: lambda values: int(values.size))
    call = kernel.kernel(counted)
    assert [call(np.zeros(size)) for size in sizes] == sizes
    assert (len(plain) < len(sizes)) == compiled
    assert plain == sizes[: len(plain)]
