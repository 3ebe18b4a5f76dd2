"""The definition of influence, once more: slow, plain, in exact fractions or as a dense matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.influence.links import Held, hold, pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Link = tuple[int, int, int, int]
"""Source, target, relation, weight."""


def links_of(rows: Iterable[tuple[int, ...]]) -> list[Link]:
    """Links of relation 0 and weight 1 where a row does not say otherwise."""
    return [(row + (0, 1)[len(row) - 2 :])[:4] for row in rows]  # type: ignore[misc]


def held(n: int, rows: Iterable[tuple[int, ...]], *, weighted: bool = False) -> Held:
    """The links ready to be swept."""
    source, target, relation, weight = np.array(links_of(rows), dtype=np.int64).reshape(-1, 4).T
    return hold(n, pack(source, target, relation), weight.astype(np.float64) if weighted else None)


def shares(n: int, rows: Iterable[tuple[int, ...]], relation_weight: Sequence[Fraction | int]) -> list[list[Fraction]]:
    """P: what part of its influence each work hands to each other one. All 0 for a work that uses nothing."""
    heaviest: dict[tuple[int, int, int], int] = {}
    for source, target, relation, weight in links_of(rows):
        if source != target:
            link = (source, target, relation)
            heaviest[link] = max(weight, heaviest.get(link, 0))
    matrix = [[Fraction(0)] * n for _ in range(n)]
    for source in range(n):
        own = {link: weight for link, weight in heaviest.items() if link[0] == source and relation_weight[link[2]]}
        present = {relation for _, _, relation in own}
        of_all = sum(Fraction(relation_weight[relation]) for relation in present)
        for (_, target, relation), weight in own.items():
            inside = sum(other for link, other in own.items() if link[2] == relation)
            matrix[source][target] += Fraction(relation_weight[relation]) / of_all * Fraction(weight, inside)
    return matrix


def exact(
    n: int,
    rows: Iterable[tuple[int, ...]],
    damping: Fraction,
    teleport: Sequence[Fraction | int] | None = None,
    relation_weight: Sequence[Fraction | int] = (1,),
) -> tuple[list[Fraction], list[Fraction]]:
    """Influence and inflow shares of x = (1-d) p + d (Pᵀ x + (Σ x over dangling) p), solved in fractions."""
    mass = sum(map(Fraction, teleport or [1] * n))
    p = [Fraction(each) / mass for each in teleport or [1] * n]
    share = shares(n, rows, relation_weight)
    dangling = [not any(row) for row in share]
    system = [
        [
            Fraction(int(i == j)) - damping * (share[j][i] + (p[i] if dangling[j] else 0))
            for j in range(n)
        ] + [(1 - damping) * p[i]]
        for i in range(n)
    ]  # fmt: skip
    for i in range(n):
        pivot = next(row for row in range(i, n) if system[row][i])
        system[i], system[pivot] = system[pivot], system[i]
        system[i] = [value / system[i][i] for value in system[i]]
        for row in range(n):
            if row != i and system[row][i]:
                factor = system[row][i]
                system[row] = [a - factor * b for a, b in zip(system[row], system[i], strict=True)]
    x = [row[n] for row in system]
    arrived = [damping * sum((share[j][i] * x[j] for j in range(n)), Fraction(0)) for i in range(n)]
    flow = sum(arrived)
    return x, [each / flow if flow else Fraction(0) for each in arrived]


def step(
    x: Floats,
    rows: Iterable[tuple[int, ...]],
    damping: float,
    teleport: Floats,
    relation_weight: Sequence[Fraction | int] = (1,),
) -> Floats:
    """F(x), of which influence is the fixed point, by a dense matrix."""
    matrix = np.array(shares(x.size, rows, relation_weight), dtype=np.float64).reshape(x.size, x.size)
    p = teleport / teleport.sum()
    dangling = x[~matrix.any(axis=1)].sum()
    after: Floats = (1 - damping) * p + damping * (matrix.T @ x + dangling * p)
    return after


def random_rows(
    rng: np.random.Generator, n: int, links: int, *, relations: int = 1, heaviest: int = 1
) -> list[tuple[int, ...]]:
    """Any links: cycles, self-loops and duplicates among them, works without links too."""
    columns = [
        rng.integers(0, n, links), rng.integers(0, n, links), rng.integers(0, relations, links),
        rng.integers(1, heaviest + 1, links),
    ]  # fmt: skip
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]
