"""One scrape of one source: ask, keep, and say honestly how it ended."""

from __future__ import annotations

from dataclasses import dataclass

import requests

from coevo_pipelines.scrapes.errors import Incomplete, SourceDown
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.session import Endpoint, RateLimiter, RecordingAdapter
from coevo_pipelines.scrapes.sources import source as source_module
from coevo_pipelines.settings import Settings
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.windows import Window


@dataclass(frozen=True)
class Capture:
    """What a scrape brought. `reason` is one line that says what is missing; empty when complete.

    `resumable`: the source died on the way, so what it did answer holds and the next scrape may go on from
    there. Where it contradicted itself instead, everything has to be asked again.
    """

    exchanges: tuple[Exchange, ...]
    reason: str
    resumable: bool = False

    @property
    def complete(self) -> bool:
        return not self.reason


def collect(name: str, window: Window, settings: Settings, endpoint: Endpoint, journal: Journal) -> Capture:
    """Ask source `name` for the window's day; whatever happens, what was answered is in the capture.

    A source that is down, refuses or contradicts itself gives an incomplete capture, not an exception: the
    other sources must go on. Anything else (a bug, a full disk) is raised, and the journal keeps the answers
    for the next try.
    """
    source = settings.sources[name]
    secrets = [source.token.get_secret_value()] if source.token else []
    interval = source.min_interval_s if settings.source == "live" else 0.0
    module = source_module(name)
    limiter = RateLimiter(module.SERVICE.shares_limits_of or name, interval)
    adapter = RecordingAdapter(endpoint, journal, settings.http, limiter, secrets, check=module.check)
    scrape = Scrape(name, window, settings, adapter)
    try:
        module.fetch(scrape)
    except SourceDown as down:
        scrape.shortfalls.insert(0, str(down))
        scrape.died = True
    except (Incomplete, ParseError) as stopped:
        scrape.shortfalls.insert(0, str(stopped))
        scrape.died = False
    except requests.RequestException as broken:
        scrape.shortfalls.insert(0, f"{type(broken).__name__}: {broken}")
        scrape.died = False
    reason = "; ".join(scrape.shortfalls[:3])
    if len(scrape.shortfalls) > 3:
        reason += f"; and {len(scrape.shortfalls) - 3} more"
    return Capture(tuple(journal.exchanges), reason, resumable=scrape.died)
