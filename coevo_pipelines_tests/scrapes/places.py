"""What the tests of open data share: places of hubs, and a whole scrape of one source about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from coevo_pipelines.sample.server import answer_time
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.scrape import Place
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import load_settings
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.collecting import PATIENCE

OPENING, QUIET, BUSY = DAYS
GODAVARI = Place("hub:godavari", 16.9891, 81.229)
AMBOLI = Place("hub:amboli", 15.9647, 74.0036)
CHORLA = Place("hub:chorla", 15.805, 74.112)
NELLIYAMPATHY = Place("hub:nelliyampathy", 10.3147, 76.8606)
MAGDEBURG = Place("hub:magdeburg", 52.1205, 11.6276)
ALL = (GODAVARI, AMBOLI, CHORLA, NELLIYAMPATHY, MAGDEBURG)


class AskAbout:
    """Collects with a journal of the test's own; what died midway goes on from it, as the next run would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        name: str,
        url: str,
        *places: Place,
        day: date = BUSY,
        now: datetime | None = None,
        http: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Capture:
        settings = load_settings(http=PATIENCE | dict(http or {}), **changes)
        endpoint = Endpoint(url, f"sample://{name}", lambda: now or answer_time(day))
        journal = Journal(self.folder / name / f"{day}.jsonl")
        capture = collect(name, settings.window(day), settings, endpoint, journal, places=places)
        if capture.resumable:
            journal.keep_good()
        else:
            journal.remove()
        return capture


def made(url: str, body: bytes, *, status: int | None = 200, error: str | None = None, hour: int = 2) -> Exchange:
    """An exchange as it is stored."""
    fetched = answer_time(BUSY).replace(hour=hour)
    return Exchange("GET", url, status, {}, fetched, body, error)
