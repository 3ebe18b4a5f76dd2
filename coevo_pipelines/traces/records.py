"""What a source's parser fills: rows of the `traces.*` tables, each with the answer that said so.

Rows are kept as tuples and packed into Arrow columns every `PACKED_AT` rows: a day of a million works as Python
objects would not fit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from coevo_pipelines.lake import schemas
from coevo_pipelines.traces.errors import ParseError

if TYPE_CHECKING:
    import polars as pl
    from lxml.etree import _Element as Element

    from coevo_pipelines.scrapes.exchange import Exchange
    from coevo_pipelines.settings import Topic
    from coevo_pipelines.windows import Window

__all__ = ["ParseError", "Traces", "json_list", "json_object", "json_value", "xml_root"]

_INT64_MAX = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
PACKED_AT = 200_000
_TEXTS = frozenset((str, type(None)))
_UNREADABLE = (ParseError, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)

KINDS_OF_ROW = (
    "works",
    "references",
    "metrics",
    "people",
    "identities",
    "claims",
    "payouts",
    "optouts",
    "contributions",
    "texts",
    "rejects",
)
"""The tables of the stage, by their short names."""
_TOPICS = "topics"


class Traces:
    """Collects the rows of one source and day, exchange by exchange.

    Facts whose event time lies outside the window belong to another partition: they are counted in
    `outside_window`, not stored. What cannot be read is a row of `traces.rejects`.
    """

    def __init__(self, source: str, window: Window, topics: tuple[Topic, ...], grace: timedelta) -> None:
        self.source = source
        self.window = window
        self.outside_window = 0
        self.off_topic = 0
        """Items about no followed topic, of a source that cannot be asked by topic; not stored."""
        self.heard: dict[str, str] = {}
        """What a parser remembers from one answer of the day to the next."""
        self._deadline = window.end + grace
        self._patterns = [(topic.name, pattern) for topic in topics if (pattern := _pattern(topic))]
        # Row: the table's columns less its provenance, in their order, then the number of the answer.
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in KINDS_OF_ROW}
        self._statuses: list[tuple[int, int, str, int]] = []
        revocable = [rows for name, rows in self._rows.items() if name != "rejects"]
        self._revocable: tuple[list[Any], ...] = (*revocable, self._statuses)
        self._packed: dict[str, list[pl.DataFrame]] = {name: [] for name in KINDS_OF_ROW}
        self._answers: list[tuple[int, str]] = []
        self._answer = -1
        self._in_time = False
        self._topic: str | None = None
        self._works: dict[str, _Work] = {}
        self._works_packed = 0
        self._begun: list[str] = []
        self._last: tuple[datetime | None, int] = (None, 0)
        self._at_end = _micros(window.last_instant)

    def begin(self, exchange: Exchange) -> None:
        """Rows from here on were said by `exchange`."""
        if sum(map(len, self._rows.values())) >= PACKED_AT:
            self._pack()
        self._begun.clear()
        self._answers.append((_micros(exchange.fetched_at), exchange.body_sha256))
        self._answer = len(self._answers) - 1
        self._in_time = exchange.fetched_at <= self._deadline
        self._topic = exchange.topic

    def item(self, locator: str) -> AbstractContextManager[None]:
        """One item of a body: what it raises rejects this item and not its neighbours."""
        return _Item(self, locator)

    def follows(self, texts: Sequence[str]) -> list[bool]:
        """Whether each of the texts names a followed topic."""
        return [bool(found) for found in self._found_topics([(text, None) for text in texts])] if texts else []

    def frame(self, name: str) -> pl.DataFrame:
        """The rows of `traces.<name>` so far, with that table's columns, in the order in which they were said."""
        import polars as pl

        self._pack()
        packed = self._packed[name]
        found = pl.concat(packed) if packed else schemas.table(f"traces.{name}").empty()
        return pl.concat([found, self._restated(found)]) if name == "works" and self._statuses else found

    @property
    def rows(self) -> Mapping[str, list[dict[str, Any]]]:
        """All rows as Python objects: for looking at a few."""
        return {name: self.frame(name).to_dicts() for name in KINDS_OF_ROW}

    def _pack(self) -> None:
        for name, rows in self._rows.items():
            if rows:
                self._packed[name].append(self._columns(name, rows))
                self._works_packed += len(rows) if name == "works" else 0
                rows.clear()

    def _restated(self, works: pl.DataFrame) -> pl.DataFrame:
        """The rows of works whose status was told later, once more with it."""
        import polars as pl

        rows, times, statuses, answers = zip(*self._statuses, strict=True)
        again = works[list(rows)].with_columns(
            event=pl.lit("updated"),
            event_at=pl.Series(times, dtype=pl.Int64).cast(works.schema["event_at"]),
            status=pl.Series(statuses, dtype=pl.String),
        )
        return again.with_columns(**self._provenance(answers))

    def _provenance(self, answers: Sequence[int]) -> dict[str, pl.Series]:
        """The columns that say who said so, of rows that came with the answers of these numbers."""
        import polars as pl

        said_at, said_in = zip(*self._answers, strict=True)
        answer = pl.Series(answers, dtype=pl.UInt32)
        return {
            "source": pl.repeat(self.source, len(answers), dtype=pl.String, eager=True),
            "observed_at": pl.Series(said_at, dtype=pl.Int64).gather(answer).cast(pl.Datetime("us", "UTC")),
            "raw_sha256": pl.Series(said_in, dtype=pl.String).gather(answer),
        }

    def _columns(self, name: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        """`rows` as a frame of the table."""
        import polars as pl
        import pyarrow as pa

        schema = schemas.table(f"traces.{name}").polars_schema()
        own = [column for column in schema if column not in ("source", "observed_at", "raw_sha256")]
        *columns, answers = zip(*rows, strict=True)
        given: dict[str, Sequence[Any]] = dict(zip(own, columns, strict=True))
        if name == "works":
            given[_TOPICS] = self._found_topics(given[_TOPICS])
        made = self._provenance(answers)
        for column in own:
            dtype = schema[column]
            if isinstance(dtype, pl.List):
                # Polars takes 12 microseconds for a list of three words, Arrow 0.3.
                texts = pa.array(given[column], pa.large_list(pa.large_string()))
                made[column] = pl.Series(pl.from_arrow(texts)).cast(dtype)
            elif isinstance(dtype, pl.Datetime):
                made[column] = pl.Series(given[column], dtype=pl.Int64).cast(dtype)
            else:
                made[column] = pl.Series(given[column], dtype=dtype)
        return pl.DataFrame(made).select(*schema)

    def _found_topics(self, said: Sequence[tuple[str, str | None]]) -> list[list[str]]:
        """The followed topics of each (text, topic that was asked for)."""
        import polars as pl

        texts, asked = zip(*said, strict=True)
        found: list[set[str]] = [{topic} if topic is not None else set() for topic in asked]
        searched = pl.Series(texts, dtype=pl.String)
        for topic, words in self._patterns:
            # All texts at once: 3 microseconds an abstract where `re` takes 100. With \b it is 180 where a text is not
            # ASCII, so the boundary is looked at only where the words are.
            likely = searched.str.contains(words).arg_true()
            for number in likely.filter(searched.gather(likely).str.contains(rf"\b{words}")):
                found[number].add(topic)
        return [sorted(names) for names in found]

    def _micros(self, at: datetime) -> int:
        last, micros = self._last
        if at is not last:  # the rows of one work have one time
            micros = _micros(at)
            self._last = (at, micros)
        return micros

    def moment(self, value: Any) -> datetime:
        """A UTC time from an ISO date or timestamp; ParseError otherwise."""
        if not isinstance(value, str):
            raise ParseError(f"a date is missing or not text: {value!r}")
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError as error:
            raise ParseError(f"not a date: {value[:60]!r}") from error
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)

    def outside(self, work_id: str) -> None:
        """The work's events belong to other days."""
        self.outside_window += 1
        self._works.pop(work_id, None)

    def work(
        self,
        work_id: str,
        *,
        kind: str,
        event: str,
        event_at: datetime,
        title: str,
        created_at: datetime,
        text: str,
        version: str | None = None,
        status: str = "active",
        license: str | None = None,
        owner: str | None = None,
        native_id: str | None = None,
        url: str | None = None,
        fields: list[str] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """The work appeared or changed. `text` is searched for the followed topics and not stored here."""
        given = {
            "title": title, "version": version, "license": license, "owner": owner, "native_id": native_id, "url": url
        }  # fmt: skip
        _require_texts(given)
        if fields:
            _require_texts({f"fields[{number}]": field for number, field in enumerate(fields)})
        at = self._micros(event_at)
        searched = ("\n".join([text, *tags]) if tags else text, self._topic)
        self._rows["works"].append(
            (
                work_id, kind, event, at, title, self._micros(created_at), version, status, license, owner, native_id,
                url, fields or [], tags or [], searched, self._answer,
            )
        )  # fmt: skip
        self._works[work_id] = _Work(at, license, self._works_packed + len(self._rows["works"]) - 1)
        self._begun.append(work_id)

    def status(self, work_id: str, status: str, at: datetime | None = None) -> None:
        """A work of the day got this status: its description once more, dated `at`, or else the day's end, if the
        answer came in time."""
        work = self._works.get(work_id)
        if work is not None and (at is not None or self._in_time):
            moment = self._at_end if at is None else self._micros(at)
            self._statuses.append((work.row, moment, status, self._answer))

    def read(self, locator: str, convert: Callable[[Any], str], value: Any) -> str | None:
        """`convert(value)`, or None and a reject: one wrong link must not cost the work it stands in."""
        try:
            return convert(value)
        except ParseError as error:
            self.reject(locator, str(error))
            return None

    def reference(self, source_id: str, target_id: str, relation: str, at: datetime, evidence: str) -> None:
        self._rows["references"].append((source_id, target_id, relation, self._micros(at), evidence, self._answer))

    def file_reference(self, source_id: str, target_id: str, relation: str, evidence: str) -> None:
        """A reference in a file of a work. It is dated by the day's event of that work: for a past day the
        file is read as it is now, and says nothing of when the line was written. A file that links to its own
        work (badges do) refers to nothing."""
        work = self._works.get(source_id)
        if work is not None and target_id != source_id:
            self._rows["references"].append((source_id, target_id, relation, work.at, evidence, self._answer))

    def text(self, work_id: str, kind: str, said: str | bytes, *, license: str | None = None) -> None:
        """What a work of the day says of itself, dated like a reference in a file of it; under `license`, or else
        the work's own. White space alone is no text, and bytes that are not UTF-8 are a reject."""
        work = self._works.get(work_id)
        if work is None:
            return
        try:
            text = said if isinstance(said, str) else said.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.reject(f"{work_id} {kind}", f"not UTF-8, so no text: {error}")
            return
        if not text.strip():
            return
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._rows["texts"].append((work_id, kind, work.at, license or work.license, digest, text, self._answer))

    def metric(self, work_id: str, metric: str, value: Any) -> None:
        """A counter, as of the day's end. One that was seen after the grace period is null: it would be
        today's value."""
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _INT64_MAX:
            self.reject(f"{work_id} {metric}", f"not a count: {value!r}"[:200])
            return
        counted = value if self._in_time else None
        self._rows["metrics"].append((work_id, metric, counted, self._at_end, self._answer))

    @property
    def seen_in_time(self) -> bool:
        """Whether the answer came within the grace period: what it says of now may be said of the day's end."""
        return self._in_time

    def observes(self, work_id: str) -> bool:
        """Whether what is seen of the work now may be said of the day: the work belongs to it, and the answer
        came in time. What a file or a list holds today says nothing of a day long past."""
        return work_id in self._works and self._in_time

    def claim(self, person_id: str, subject: str, at: datetime, *, name: str | None, proof: str | None) -> None:
        """The person says to be the account, author or iD `subject`. Without `proof` nobody has checked it."""
        self._rows["claims"].append((person_id, subject, name, proof, self._micros(at), self._answer))

    def optout(self, scope: str, subject: str, at: datetime, reason: str | None) -> None:
        self._rows["optouts"].append((scope, subject, reason, self._micros(at), self._answer))

    def payout(self, subject: str, channel: str, address: str, evidence: str, at: datetime | None = None) -> None:
        """Where `subject` can be paid, from `at` on; without it the address was seen as of the day's end."""
        moment = self._at_end if at is None else self._micros(at)
        self._rows["payouts"].append((subject, channel, address, moment, evidence, self._answer))

    def contribution(
        self,
        work_id: str,
        contributor: str,
        basis: str,
        amount: Any,
        evidence: str,
        at: datetime | None = None,
        *,
        is_bot: bool = False,
    ) -> None:
        """What the contributor did for the work, in the unit of the basis; without `at`, seen as of the day's end."""
        if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= _INT64_MAX:
            raise ParseError(f"not a count: {amount!r}"[:200])
        moment = self._at_end if at is None else self._micros(at)
        self._rows["contributions"].append(
            (work_id, contributor, basis, amount, is_bot, moment, evidence, self._answer)
        )

    def person(
        self,
        work_id: str,
        role: str,
        position: int,
        at: datetime,
        *,
        name: str | None = None,
        orcid: str | None = None,
        account: str | None = None,
    ) -> None:
        _require_texts({"name": name, "orcid": orcid, "account": account})
        self._rows["people"].append((work_id, role, position, name, orcid, account, self._micros(at), self._answer))

    def identity(self, one: str, other: str, at: datetime, evidence: str, *, same: bool = True) -> None:
        """Both identifiers name the same work (or, with same=False, an assertion is taken back)."""
        if one == other:
            return
        left, right = sorted((one, other))
        self._rows["identities"].append((left, right, same, self._micros(at), evidence, self._answer))

    def reject(self, locator: str, reason: str) -> None:
        self._rows["rejects"].append((locator, reason[:500], self._at_end, self._answer))


class _Work(NamedTuple):
    """What later answers need to know of a work of the day."""

    at: int
    license: str | None
    row: int
    """Its place among the rows of works."""


class _Item:
    """Takes back the rows of an item that raises; a class, since a generator costs more than many items."""

    __slots__ = ("_begun", "_locator", "_marks", "_traces")

    def __init__(self, traces: Traces, locator: str) -> None:
        self._traces = traces
        self._locator = locator

    def __enter__(self) -> None:
        self._marks = [len(rows) for rows in self._traces._revocable]
        self._begun = len(self._traces._begun)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, _UNREADABLE):
            return False
        traces = self._traces
        for rows, mark in zip(traces._revocable, self._marks, strict=True):
            del rows[mark:]  # no half of an item
        for work_id in traces._begun[self._begun :]:
            traces._works.pop(work_id, None)
        del traces._begun[self._begun :]
        reason = str(error) if isinstance(error, ParseError) else f"{type(error).__name__}: {error}"
        traces.reject(self._locator, reason)
        return True


def _pattern(topic: Topic) -> str | None:
    """What Polars finds the topic's words by, in any case; None without any word. They count where a word begins."""
    words = [word for word in (*topic.terms, *topic.github_topics, *topic.huggingface_tags) if word.strip()]
    # A space in a term also matches the hyphen of a tag.
    alternatives = (r"[\s-]+".join(re.escape(part) for part in re.split(r"[\s-]+", word)) for word in words)
    return "(?i:" + "|".join(alternatives) + ")" if words else None


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; ParseError when it is not one."""
    value = json_value(body)
    if not isinstance(value, dict):
        raise ParseError(f"the body is a JSON {type(value).__name__}, not an object")
    return value


def json_list(body: bytes) -> list[Any]:
    """The JSON array in `body`; ParseError when it is not one."""
    value = json_value(body)
    if not isinstance(value, list):
        raise ParseError(f"the body is a JSON {type(value).__name__}, not an array")
    return value


def json_value(body: bytes) -> Any:
    """Any JSON value; ParseError when it is none."""
    import orjson

    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass  # what it refuses may still be JSON: half of a surrogate pair, UTF-16
    try:
        # Valid JSON may hold half of a surrogate pair, which no file can: it becomes a question mark.
        return json.loads(json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"not JSON: {error}") from error


def _require_texts(given: Mapping[str, Any]) -> None:
    if _TEXTS.issuperset(map(type, given.values())):
        return
    for field, value in given.items():
        if value is not None and not isinstance(value, str):
            raise ParseError(f"{field} is not text: {value!r}"[:200])


def xml_root(body: bytes) -> Element:
    """The root element; ParseError for anything malformed, with a document type (entities could expand), or of absurd
    depth or size."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise ParseError(f"not XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise ParseError("not XML that is read here: it declares a document type")
    return root
