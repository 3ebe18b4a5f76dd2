"""The version that goes into ledger entries and the User-Agent."""

from __future__ import annotations

import functools
import importlib.metadata


@functools.cache
def code_version() -> str:
    """Version of the installed package."""
    return importlib.metadata.version("coevo_pipelines")
