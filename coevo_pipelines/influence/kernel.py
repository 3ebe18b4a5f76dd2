"""Loops that must be loops: plain Python on small arrays, compiled by numba on large ones.

Importing numba takes about 0.6 s and compiling a loop about 1 s. A small graph is done before that, so the very
same function runs uncompiled on it; numba does no reassociation and no contraction unless asked, so both
ways give the same bits. Compiled code is cached on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

LARGE = 30_000
"""Elements from which on compiling pays."""
OFTEN = 20
"""Compiling pays too once so many times that many elements have gone through a function."""


def kernel(function: F) -> F:
    """Decorator for a function of numbers and arrays that numba's nopython mode understands.

    It may not call another kernel, and keeps to 64-bit integers, so that both ways compute the same. How much there is
    to do is judged by the largest array.
    """
    return kernel_by(_largest)(function)


def kernel_by(work: Callable[..., int]) -> Callable[[F], F]:
    """The same, where another number says how many elements the arguments make it go through."""

    def decorated(function: F) -> F:
        @functools.cache
        def compiled() -> Callable[..., Any]:
            import numba

            return numba.njit(cache=True, nogil=True)(function)

        done = 0

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            nonlocal done
            now = work(*arguments)
            if now > LARGE or done > OFTEN * LARGE:
                return compiled()(*arguments)
            done += now
            return function(*arguments)

        return call  # type: ignore[return-value]

    return decorated


def _largest(*arguments: Any) -> int:
    return max((given.size for given in arguments if isinstance(given, np.ndarray)), default=0)
