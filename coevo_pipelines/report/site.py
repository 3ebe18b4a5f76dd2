"""Which pages and records a report is made of, in the order of the navigation."""

from __future__ import annotations

from coevo_pipelines.report.page import Page, Records
from coevo_pipelines.report.pages import (
    chambers,
    corpora,
    entities,
    genome,
    graph,
    health,
    hubs,
    linkbacks,
    overview,
    proof,
    resources,
    rewards,
    works,
)
from coevo_pipelines.report.pages import swarm as swarm_page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    graph.PAGE,
    works.PAGE,
    chambers.PAGE,
    rewards.PAGE,
    genome.PAGE,
    corpora.PAGE,
    hubs.PAGE,
    resources.PAGE,
    swarm_page.PAGE,
    linkbacks.PAGE,
    health.PAGE,
    *entities.PAGES,
    proof.PAGE,
)
RECORDS: tuple[Records, ...] = entities.RECORDS
