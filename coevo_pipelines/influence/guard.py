"""Guarded mode: whom the readers start from, so that empty accounts cannot vote.

Opening an account costs nothing, so nothing may follow from it. In guarded mode (the default for money) a work of
GitHub, of Hugging Face or of a hub gets no teleport unless its owner was used by somebody else's work that arXiv lists
or that a verified person has claimed, and one owner's works together get at most a set share of all teleport. A work
that gets no teleport still passes on what others hand to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

OPEN_ACCOUNTS = ("github:", "hf:", "hub:", "person:")
"""Where anyone can open an account and put up works; a person stands for all accounts of hers that are claimed."""
OWNER_CAP = 0.02


def guarded_teleport(
    teleport: Floats,
    node_id: pl.Series,
    owner: pl.Series,
    vouches: Flags,
    source: Integers,
    target: Integers,
    *,
    owner_cap: float = OWNER_CAP,
) -> Floats:
    """`teleport` with 0 for works of owners that nobody vouched for, and the largest owners capped.

    All of shape (n,) but `source` and `target`: the links that count, so never within one owner. `vouches`: works
    that arXiv lists or a verified person has claimed. Sums to what is left, possibly 0. Raises ValueError for a cap
    outside (0, 1].
    """
    if not 0 < owner_cap <= 1:
        raise ValueError(f"owner_cap must be above 0 and at most 1, not {owner_cap}")
    # By its owner too: a repository with a DOI may be in the graph under that.
    names = (node_id, owner.fill_null(""))
    open_account = np.zeros(len(node_id), dtype=np.bool_)
    for prefix in OPEN_ACCOUNTS:
        for name in names:
            open_account |= name.str.starts_with(prefix).to_numpy()
    account = _accounts(node_id, owner)
    vouched = np.zeros(int(account.max(initial=-1)) + 1, dtype=np.bool_)
    vouched[account[target[vouches[source]]]] = True
    kept = np.where(open_account & ~vouched[account], 0.0, teleport)
    return _capped(kept, np.where(open_account, account, -1), owner_cap)


def _accounts(node_id: pl.Series, owner: pl.Series) -> Integers:
    """A number for each owner; a work without a known owner is its own."""
    names = owner.fill_null(node_id)
    return names.rank("dense").cast(pl.Int64).to_numpy() - 1


def _capped(mass: Floats, account: Integers, cap: float) -> Floats:
    """`mass` with each account (-1: none) held to at most `cap` of the sum that remains.

    With the k largest accounts held to one level L and R the rest, L = cap (k L + R). Where even that has no
    solution (fewer than 1/cap accounts and nothing else) all accounts get the same.
    """
    if not (account >= 0).any():
        return mass
    held = np.bincount(account[account >= 0], weights=mass[account >= 0])
    accounts = np.flatnonzero(held > 0)
    ordered = np.sort(held[accounts])[::-1]
    if not accounts.size or ordered[0] <= cap * mass.sum():
        return mass
    others = float(mass[account < 0].sum())
    smaller = np.append(np.cumsum(ordered[::-1])[::-1][1:], 0.0)  # what the accounts after the k-th hold
    level = ordered[-1]
    for k, rest in enumerate(others + smaller, start=1):
        if k * cap >= 1 or rest == 0:
            break
        candidate = cap * rest / (1 - k * cap)
        if k == ordered.size or candidate >= ordered[k]:
            level = candidate
            break
    factor = np.ones(held.size)
    factor[accounts] = np.minimum(1.0, level / held[accounts])
    return np.where(account >= 0, mass * factor[account], mass)
