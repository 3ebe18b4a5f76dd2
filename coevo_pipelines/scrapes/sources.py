"""What a source is. A new one is a module beside this file and its name in `lake.schemas.SOURCES`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from coevo_pipelines.lake.schemas import SOURCES

if TYPE_CHECKING:
    from coevo_pipelines.scrapes.exchange import Exchange
    from coevo_pipelines.scrapes.scrape import Scrape
    from coevo_pipelines.scrapes.withholding import Withhold
    from coevo_pipelines.settings import Source
    from coevo_pipelines.traces.records import Traces


@dataclass(frozen=True)
class Quota:
    """What a service gives in a window of time to those without and with a token.

    A window of a day ends at 00:00 UTC, a shorter one begins with its first request. `path` is a part of the
    addresses that count; of several quotas of a service the first that fits is the one.
    """

    seconds: int
    anonymous: int
    with_token: int
    path: str = ""


@dataclass(frozen=True)
class Service:
    """What a module says of its service: its name for people, and how it is asked when no setting says otherwise
    (limits as documented by the services in November 2026)."""

    title: str
    defaults: Source
    token_variable: str | None = None
    """The variable under which people already keep their key or token."""
    shares_limits_of: str | None = None
    """Another source whose service counts these requests too."""
    quotas: tuple[Quota, ...] = ()
    """What it gives a minute, an hour or a day."""
    keeps_addresses: bool = False
    """E-mail addresses in its answers are stored: whoever stands there gave them for that."""
    also_transient: tuple[int, ...] = ()
    """Statuses that are refusals elsewhere, and here mean: ask again later."""
    of_places: bool = False
    """It is asked about the places of hubs, not about topics; it tells of no works."""


class SourceModule(Protocol):
    """What each module of a source offers."""

    SERVICE: Service
    fetch: Callable[[Scrape], None]
    check: Callable[[str, int, bytes], str]
    """What is wrong with a good answer to this url; empty when it can be read."""
    parse: Callable[[Exchange, Traces], None]
    withhold: Withhold
    """Leaves the texts of works that are opted out away: one of `scrapes/withholding.py`."""


def source(name: str) -> SourceModule:
    """The module of one source; KeyError for a name that is none."""
    if name not in SOURCES:
        raise KeyError(f"no source {name!r}; known: {', '.join(SOURCES)}")
    module: SourceModule = importlib.import_module(f"coevo_pipelines.scrapes.{name}")
    return module


def services() -> Iterator[tuple[str, Service]]:
    """Every source by name."""
    for name in SOURCES:
        yield name, source(name).SERVICE
