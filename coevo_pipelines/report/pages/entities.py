"""The pages of single works, people, repositories, chambers and hubs: one page a kind, which shows one record."""

from __future__ import annotations

from coevo_pipelines.report.entities import chambers, hubs, people, repositories, works
from coevo_pipelines.report.page import Page, Records

PAGES: tuple[Page, ...] = (works.PAGE, people.PAGE, repositories.PAGE, chambers.PAGE, hubs.PAGE)
RECORDS: tuple[Records, ...] = (works.RECORDS, people.RECORDS, repositories.RECORDS, chambers.RECORDS, hubs.RECORDS)
