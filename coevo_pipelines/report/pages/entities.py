"""The pages of single works, people, repositories and chambers: one page a kind, which shows one record."""

from __future__ import annotations

from coevo_pipelines.report.page import Page, Records

PAGES: tuple[Page, ...] = ()
RECORDS: tuple[Records, ...] = ()
