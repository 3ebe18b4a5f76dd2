"""GBIF."""

from __future__ import annotations

from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces.records import Traces

SERVICE = Service("GBIF", Source(base_url="https://gbif.invalid", min_interval_s=1.0, page_size=100))
withhold = withholding.nothing


def fetch(_scrape: Scrape) -> None:
    """Nothing yet."""


def check(_url: str, _status: int, _body: bytes) -> str:
    """Nothing yet."""
    return ""


def parse(_exchange: Exchange, _traces: Traces) -> None:
    """Nothing yet."""
