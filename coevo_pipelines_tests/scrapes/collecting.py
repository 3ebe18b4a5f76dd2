"""What the tests of whole scrapes of the indexes share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from coevo_pipelines.sample.server import answer_time
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import load_settings
from coevo_pipelines.traces.normalize import normalize
from coevo_pipelines.traces.records import Traces
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import Seen, Server, Step

OPENING, QUIET, BUSY = DAYS
PATIENCE = {"retries": 1, "backoff_s": 0.01}


class Ask:
    """Collects with a journal of the test's own; asked twice it resumes, as the next run would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, root: str, day: date = BUSY, http: Any = None, **changes: Any) -> Capture:
        settings = load_settings(http=PATIENCE | (http or {}), **changes)
        endpoint = Endpoint(f"{root}/{name}", f"sample://{name}", lambda: answer_time(day))
        journal = Journal(self.folder / name / f"{day}.jsonl")
        return collect(name, settings.window(day), settings, endpoint, journal)


def counting(play: Callable[[Seen], Step], changed: Callable[[Seen], Step | None]) -> Callable[[Seen], Step]:
    """`play`, but for the requests for which `changed` has an answer of its own."""
    return lambda request: changed(request) or play(request)


def targets(server: Server) -> list[str]:
    """What was asked, with what was sent."""
    return [f"{request.method} {request.target} {request.body.decode()}" for request in server.seen]


def normalized(name: str, capture: Capture, day: date) -> Traces:
    settings = load_settings()
    return normalize(name, capture.exchanges, settings.window(day), settings.topics, settings.grace)
