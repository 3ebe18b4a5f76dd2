"""A folder put into the place of another, so that the place has the old one or the new one at every instant."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def put(new: Path, place: Path, aside: Path) -> None:
    """Move folder `new` to `place`; what was there is removed.

    Linux exchanges the two in one step. Elsewhere, and on file systems that cannot, the old folder is first moved to
    `aside`: whoever finds it there, and nothing at `place`, was left by a kill in between and can move it back.
    """
    if not place.exists():
        new.rename(place)
        return
    if _exchange(new, place):
        shutil.rmtree(new, ignore_errors=True)
        return
    place.rename(aside)
    new.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names; False where that is not possible."""
    call = _renameat2()
    return bool(call and call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    """The call of the C library (glibc 2.28, musl 1.2.5 and later); None where there is none."""
    if sys.platform != "linux":
        return None
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return call
