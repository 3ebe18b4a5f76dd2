"""What a source's `fetch` is given, and what it promises."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from coevo_pipelines.scrapes.consent import EVERYBODY, Consent
from coevo_pipelines.scrapes.errors import Incomplete, SourceDown, Spent
from coevo_pipelines.traces.errors import ParseError

if TYPE_CHECKING:
    import requests

    from coevo_pipelines.scrapes.session import RecordingAdapter
    from coevo_pipelines.settings import Settings, Source, Topic
    from coevo_pipelines.windows import Window

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 10
"""Items one after the other for which the source did not answer: it is down, and each more is minutes of retries."""
PLACES_REACH_BACK = timedelta(days=365)
"""Of the opening partition, whose window is of decades, so much is asked about places: the four seasons before."""


@dataclass(frozen=True)
class Place:
    """Where a hub is: degrees, WGS84. Of a private home it is the centre of a cell of the grid already."""

    hub_id: str
    latitude: float
    longitude: float


@dataclass
class Scrape:
    """One source, one day. `fetch` asks through `session` (or `adapter`); each answer is kept.

    `shortfalls` collects, one line each, what makes the day incomplete without stopping the scrape.
    """

    name: str
    window: Window
    settings: Settings
    adapter: RecordingAdapter
    consent: Consent = EVERYBODY
    """Of whose works no text is asked for."""
    places: tuple[Place, ...] = ()
    """Of hubs: what a source `of_places` is asked about."""
    shortfalls: list[str] = field(default_factory=list)
    died: bool = False
    """The source stopped answering on the way, if only for one item."""
    contradicted: bool = False
    """It refused a question or contradicted itself: what it said must be asked again."""
    _lost: int = 0
    """Items in a row that were not answered."""

    @property
    def source(self) -> Source:
        return self.settings.sources[self.name]

    def topics(self) -> Iterator[Topic]:
        """The followed topics in turn; what is asked meanwhile is stored under the topic's name."""
        for topic in self.settings.topics:
            self.adapter.topic = topic.name
            yield topic
        self.adapter.topic = None

    @contextlib.contextmanager
    def question(self) -> Iterator[None]:
        """What is asked for one topic or term: when it is refused, or answered with nonsense, the others are asked all
        the same, and the day is incomplete."""
        try:
            yield
        except (Incomplete, ParseError) as refused:
            self.shortfalls.append(str(refused))
            self.contradicted = True

    @property
    def base_url(self) -> str:
        return self.adapter.endpoint.base_url

    @property
    def token(self) -> str | None:
        return self.source.token.get_secret_value() if self.source.token else None

    @property
    def is_recent(self) -> bool:
        """True while the day's counters and last pushes may still be asked for (end plus grace)."""
        return self.adapter.endpoint.now() <= self.window.end + self.settings.grace

    @property
    def days(self) -> tuple[date, date]:
        """First and last day (UTC, both included) for which a source `of_places` is asked."""
        start = max(self.window.start, self.window.end - PLACES_REACH_BACK)
        return start.date(), self.window.last_instant.date()

    def session(self) -> requests.Session:
        from coevo_pipelines.scrapes.session import new_session

        return new_session(self.adapter, self.settings.http.contact)

    @contextlib.contextmanager
    def item(self, what: str) -> Iterator[None]:
        """One of many requests: when it fails for good the rest goes on, and the failure is counted. Where the budget
        is spent or too many in a row fail, there is no rest."""
        try:
            yield
        except Spent:
            raise
        except SourceDown as down:
            self.shortfalls.append(f"{what}: {down}")
            self.died = True
            self._lost += 1
            if self._lost >= GIVE_UP_AFTER:
                raise SourceDown(f"{self._lost} items in a row failed, the rest was not asked for") from down
            return
        except Incomplete as refused:
            self.shortfalls.append(f"{what}: {refused}")
        self._lost = 0

    @contextlib.contextmanager
    def place(self, where: str) -> Iterator[None]:
        """What is asked about one of the places: as an item, and when it is refused, or answered with nonsense or not
        yet, the next scrape asks about all of them again."""
        with self.item(where):
            try:
                yield
            except (Incomplete, ParseError) as refused:
                self.contradicted = True
                raise Incomplete(str(refused)) from refused

    def get(self, session: requests.Session, path: str, params: dict[str, str]) -> requests.Response:
        """GET below the base url; Incomplete when the service refuses for good."""
        response = session.get(f"{self.base_url}{path}", params=params)
        if response.status_code >= 400:
            said = " ".join(response.content[:1000].decode("utf-8", "replace").split())
            raise Incomplete(f"{path}: HTTP {response.status_code}: {said[:200]}")
        return response


def phrases(topic: Topic, but: str = '"') -> list[str]:
    """The topic's terms as phrases in quotes, without the characters `but`, which mean something to the service. A
    blank term is none: a search for nothing finds everything."""
    plain = (" ".join(term.translate(dict.fromkeys(map(ord, but), " ")).split()) for term in topic.terms)
    return [f'"{term}"' for term in plain if term]


def split(start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """Two halves of [start, end), cut at a whole minute; ValueError when it is too short to cut."""
    middle = (start + (end - start) / 2).replace(second=0, microsecond=0)
    if middle <= start or end - middle < timedelta(minutes=1):
        raise ValueError(f"cannot split {start} to {end}")
    return (start, middle), (middle, end)


def sliced(start: datetime, end: datetime, ask: Callable[[datetime, datetime], bool]) -> None:
    """Call `ask(start, end)`; when it says the span holds too many results, halve the span and ask again.

    Services refuse deep paging (arXiv near 10,000, GitHub search after 1,000), so long spans are cut by date.
    Raises Incomplete when a single minute still holds too many.
    """
    if ask(start, end):
        return
    try:
        halves = split(start, end)
    except ValueError as error:
        raise Incomplete(f"too many results: {error}") from error
    for first, last in halves:
        sliced(first, last, ask)
