"""Sources, completeness, vintage, rejects, checks: whether to trust the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coevo_pipelines.report.page import Page

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    return f"<p>{about.day}</p>\n"


PAGE = Page("health", "Data health", {}, body)
