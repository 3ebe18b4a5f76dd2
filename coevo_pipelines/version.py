"""The version that goes into ledger entries and the User-Agent."""

from __future__ import annotations

import functools
import importlib.metadata


@functools.cache
def code_version() -> str:
    """Version of the installed package."""
    return importlib.metadata.version("coevo_pipelines")


def user_agent(contact: str = "") -> str:
    """Names the project and, when set, whom to write to: the services ask for both."""
    who = f"; {contact}" if contact else ""
    return f"coevo_pipelines/{code_version()} (+https://github.com/coevo/coevo_pipelines{who})"
