"""The list of sources. A new one is a module beside this file, a line here, a schema entry and a setting."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol

from coevo_pipelines.lake.schemas import SOURCES
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.traces.records import Traces

SERVICES = {
    "arxiv": "arXiv",
    "github": "GitHub",
    "huggingface": "Hugging Face",
    "openalex": "OpenAlex",
    "register": "The register",
}


class SourceModule(Protocol):
    """What each module in this folder offers."""

    fetch: Callable[[Scrape], None]
    check: Callable[[str, int, bytes], str]
    """What is wrong with a good answer to this url; empty when it can be read."""
    parse: Callable[[Exchange, Traces], None]


def source(name: str) -> SourceModule:
    """The module of one source; imported when asked for, because the clients are heavy."""
    if name not in SOURCES:
        raise KeyError(f"no source {name!r}; known: {', '.join(SOURCES)}")
    module: SourceModule = importlib.import_module(f"coevo_pipelines.scrapes.{name}")
    return module
