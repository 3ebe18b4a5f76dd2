"""Names: identifiers, owners, titles and people as text, made for the works of one day at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.bench.vectors import Ints, scramble
from coevo_pipelines.bench.world import shares
from coevo_pipelines.bench.world.columns import assembled, formatted, masked, padded, words_at
from coevo_pipelines.bench.world.drawing import World
from coevo_pipelines.bench.world.kinds import DATASET, KINDS, MODEL, PAPER, REPOSITORY, SPACE
from coevo_pipelines.bench.world.shape import DOI, OWN, RECORD, outside_names

if TYPE_CHECKING:
    import polars as pl

_ADJECTIVES = ("adaptive", "collective", "deep", "discrete", "distributed", "efficient", "emergent", "evolving",
               "hybrid", "large", "local", "multi-agent", "noisy", "parallel", "robust", "self-organized", "sparse",
               "stochastic", "swarming", "unsupervised")  # fmt: skip
_NOUNS = ("ants", "bees", "boids", "consensus", "control", "dynamics", "estimation", "flocking", "foraging", "graphs",
          "learning", "models", "networks", "optimization", "pheromones", "planning", "policies", "robots", "search",
          "transport")  # fmt: skip
_JOINTS = ("for", "in", "of", "with", "without", "and", "through", "versus", "under", "beyond")
_ODD_ENDS = (
    ": “α‑β” and ßtraße", "\nand a second line", ' "quoted", \'twice\' and, with; separators', " $\\mathcal{O}(n)$",
    " 群体智能", " ذكاء السرب", " 🐜🐝", " e\u0301tude", " \u202eback to front\u202c", "\ta tab, a \\ and a \r return",
    "; DROP TABLE works; --", " NULL", "  ", " <i>H</i><sub>2</sub>O",
)  # fmt: skip
_GIVEN = ("Ada", "Adam", "Aïcha", "Ana", "Björn", "Chen", "Chloé", "Dimitra", "Dmitri", "Eun", "Fatima", "Grace",
          "Gülşen", "Hiro", "Igor", "Jan", "João", "Lise", "Małgorzata", "Mei", "Ngozi", "Omar", "Priya", "Rosalind",
          "Sofía", "Søren", "Tomáš", "Wei", "Yuki", "Zoë")  # fmt: skip
_FAMILY = ("Bonabeau", "Boulding", "Castellano", "Dorigo", "D'Angelo", "Eberhart", "Fernández", "Gómez", "Grassé",
           "Hölldobler", "Ivanov", "Jørgensen", "Kennedy", "Kim", "Kovač", "Lovelace", "Müller", "Nguyễn", "Okafor",
           "O'Neil", "Park", "Reynolds", "Şahin", "Singh", "Szabó", "Tanaka", "Theraulaz", "van der Berg", "Wang",
           "Yılmaz", "Zhang")  # fmt: skip
_HOUSES = ("Hive", "Nest", "Flock", "Colony", "Shoal", "Herd", "Pack", "Swarm")
_PACKAGES = ("numpy", "torch", "scipy", "pandas", "matplotlib", "scikit-learn", "tqdm", "requests", "transformers",
             "networkx", "pytest", "jax", "gymnasium", "numba", "pillow", "pyyaml")  # fmt: skip
_JOURNALS = ("10.1016/j.swevo", "10.1007/s11721", "10.1109/tevc", "10.1145/", "10.1371/journal.pone",
             "10.1103/physreve", "10.1038/s41598")  # fmt: skip


def identifiers(world: World, codes: Ints) -> pl.Series:
    """The identifiers of these numbers, as text."""
    some, back = _distinct(codes, world.names)
    work, slot = some // 3, some % 3
    kind = np.where(some < 3 * world.shape.works, world.kind[np.minimum(work, world.shape.works - 1)], 9)
    starts, _ = outside_names(world.shape)
    sort = np.where(kind == 9, np.searchsorted(starts, some, "right") - 1, -1)

    def arxiv(rows: Ints) -> pl.Series:
        papers = work[rows]
        months = world.created[papers].astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        years, month = months // 12 + 1970, months % 12 + 1
        # Four digits until the end of 2014.
        digits = masked(years >= 2015, padded(world.place[papers], 5), padded(world.place[papers], 4))
        return formatted("arxiv:{}{}.{}", padded(years % 100, 2), padded(month, 2), digits)

    def number(rows: Ints) -> Ints:
        return some[rows] - starts[sort[rows]]

    def package(rows: Ints) -> pl.Series:
        n = number(rows)
        made = formatted("{}-{}", words_at(_NOUNS, n % len(_NOUNS)), n)
        known = words_at(_PACKAGES, np.minimum(n, len(_PACKAGES) - 1))
        return formatted("pypi:{}", masked(n < len(_PACKAGES), known, made))

    def doi(rows: Ints) -> pl.Series:
        return formatted("doi:{}.{}", words_at(_JOURNALS, work[rows] % len(_JOURNALS)), work[rows])

    def outside(form: str) -> Callable[[Ints], pl.Series]:
        return lambda rows: formatted(form, words_at(_NOUNS, number(rows) % len(_NOUNS)), number(rows))

    parts: list[tuple[NDArray[Any], Callable[[Ints], pl.Series]]] = [
        ((kind == PAPER) & (slot == OWN), arxiv),
        ((kind == PAPER) & (slot == DOI), doi),
        (
            (kind == PAPER) & (slot == RECORD),
            lambda rows: formatted("openalex:W{}", 2_000_000_000 + scramble(work[rows])),
        ),
        (
            (kind == REPOSITORY),
            lambda rows: formatted("github:{}", _title_of_entry(world, work[rows]).str.to_lowercase()),
        ),
        *(
            (
                kind == of,
                lambda rows, name=KINDS[of].name: formatted(f"hf:{name}/{{}}", _title_of_entry(world, work[rows])),
            )
            for of in (MODEL, DATASET, SPACE)
        ),
        (sort == 0, lambda rows: formatted("openalex:W{}", 4_200_000_000 + scramble(number(rows)))),
        (sort == 1, lambda rows: formatted("doi:10.5555/outside.{}", number(rows))),
        (sort == 2, lambda rows: formatted("arxiv:cs/{}", padded(number(rows), 7))),
        (sort == 3, outside("github:upstream/{}-{}")),
        (sort == 4, outside("hf:model/foundation-lab/{}-{}")),
        (sort == 5, outside("hf:dataset/commons/{}-{}")),
        (sort == 6, package),
    ]
    return assembled(some.size, parts).gather(back)


def _distinct(codes: Ints, below: int) -> tuple[Ints, Ints]:
    """(the distinct ones in order, the place of each in those), of numbers below a bound."""
    if codes.size < below // 8:
        return np.unique(codes, return_inverse=True)
    there = np.zeros(below, dtype=np.bool_)
    there[codes] = True
    # A table of places is a fifth of the time of sorting ten million numbers.
    return np.flatnonzero(there), (np.cumsum(there, dtype=np.int32) - 1)[codes].astype(np.int64)


def owners(world: World, work: Ints) -> pl.Series:
    """The account that holds each work, as its service writes it; null for papers and for what has none."""
    import polars as pl

    kind, group = world.kind[work], world.group[work]

    def login(form: str) -> Callable[[Ints], pl.Series]:
        return lambda rows: formatted(form, words_at(_HOUSES, group[rows] % len(_HOUSES)), group[rows])

    nobody = (kind == PAPER) | (group < 0)
    parts: list[tuple[NDArray[Any], Callable[[Ints], pl.Series]]] = [
        (nobody, lambda rows: pl.Series([None], dtype=pl.String).gather(np.zeros(rows.size, dtype=np.int64))),
        (~nobody & (kind == REPOSITORY), login("github:{}Lab{}")),
        (~nobody & (kind > REPOSITORY), login("hf:{}-AI-{}")),
    ]
    return assembled(work.size, parts)


def _title_of_entry(world: World, work: Ints) -> pl.Series:
    """`Owner/Name`, or the name alone, of repositories and entries of the Hub. The number makes it one of a kind."""
    adjective = words_at(_ADJECTIVES, world.pick("adjective", work, len(_ADJECTIVES)))
    noun = words_at(_NOUNS, world.pick("noun", work, len(_NOUNS)))
    name = formatted("{}-{}-{}", adjective, noun, work)
    owner = owners(world, work).str.replace("^[a-z]+:", "")
    return masked(owner.is_null().to_numpy(), name, formatted("{}/{}", owner, name))


def titles(world: World, codes: Ints) -> pl.Series:
    """The title of the trace with each identifier: OpenAlex writes papers in small letters."""
    work = codes // 3

    def paper(rows: Ints) -> pl.Series:
        of = work[rows]
        words = [
            words_at(words, world.pick(f"title {place}", of, len(words)))
            for place, words in enumerate((_ADJECTIVES, _NOUNS, _JOINTS, _ADJECTIVES, _NOUNS))
        ]
        chance = world.chance("odd title", of)
        odd = np.where(chance < shares.ODD_TITLE, 1 + (chance / shares.ODD_TITLE * len(_ODD_ENDS)).astype(np.int64), 0)
        return formatted("{} {} {} {} {}{}", words[0].str.to_titlecase(), *words[1:], words_at(("", *_ODD_ENDS), odd))

    is_paper = world.kind[work] == PAPER
    small = is_paper & (codes % 3 == RECORD)
    parts: list[tuple[NDArray[Any], Callable[[Ints], pl.Series]]] = [
        (is_paper & ~small, paper),
        (small, lambda rows: paper(rows).str.to_lowercase()),
        (~is_paper, lambda rows: _title_of_entry(world, work[rows])),
    ]
    return assembled(codes.size, parts)


def author_names(author: Ints) -> pl.Series:
    """A name for each author, another for each, also in small letters."""
    rest = author // len(_GIVEN)
    given, family = author % len(_GIVEN), rest % len(_FAMILY)
    rest //= len(_FAMILY)
    initial, rest = rest % 26, rest // 26
    letters = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    again = words_at(("", *(f"-{name}" for name in _FAMILY)), rest % (len(_FAMILY) + 1))
    rest //= len(_FAMILY) + 1
    generation = words_at(("", *(f" {n}." for n in range(2, 1000))), rest)
    return formatted(
        "{} {}. {}{}{}",
        words_at(_GIVEN, given),
        words_at(letters, initial),
        words_at(_FAMILY, family),
        again,
        generation,
    )


def orcids(author: Ints) -> pl.Series:
    """ORCID iDs with their check digit (ISO 7064, mod 11-2)."""
    number = author + 15_000_000  # from 0000-0001-5000-0007 on: the block that is ORCID's
    total = np.zeros(author.size, dtype=np.int64)
    for power in range(14, -1, -1):
        total = (total + number // 10**power % 10) * 2
    check = (12 - total % 11) % 11
    digits = padded(number, 15)
    last = words_at((*"0123456789", "X"), check)
    pieces = (digits.str.slice(start, length) for start, length in ((0, 4), (4, 4), (8, 4), (12, 3)))
    return formatted("{}-{}-{}-{}{}", *pieces, last)
