"""What a source's parser fills: rows of the `traces.*` tables, each with the answer that said so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from coevo_pipelines.traces.errors import ParseError

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

    from coevo_pipelines.scrapes.exchange import Exchange
    from coevo_pipelines.settings import Topic
    from coevo_pipelines.windows import Window

__all__ = ["ParseError", "Traces", "json_list", "json_object", "json_value", "xml_root"]

Row = dict[str, Any]
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_HALF_OF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_INT64_MAX = 2**63 - 1

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


class Traces:
    """Collects the rows of one source and day, exchange by exchange.

    Facts whose event time lies outside the window belong to another partition: they are counted in
    `outside_window`, not stored. What cannot be read is a row of `traces.rejects`.
    """

    def __init__(self, source: str, window: Window, topics: tuple[Topic, ...], grace: timedelta) -> None:
        self.source = source
        self.window = window
        self.outside_window = 0
        self.rows: dict[str, list[Row]] = {name: [] for name in KINDS_OF_ROW}
        self._deadline = window.end + grace
        self._patterns = [(topic.name, _pattern(topic)) for topic in topics]
        self._provenance: Row = {}
        self._topic: str | None = None
        self._works: dict[str, Row] = {}
        self._begun: list[str] = []

    def begin(self, exchange: Exchange) -> None:
        """Rows from here on were said by `exchange`."""
        self._provenance = {
            "source": self.source,
            "observed_at": exchange.fetched_at,
            "raw_sha256": exchange.body_sha256,
        }
        self._topic = exchange.topic

    @contextmanager
    def item(self, locator: str) -> Iterator[None]:
        """One item of a body: what it raises rejects this item and not its neighbours."""
        marks = {name: len(rows) for name, rows in self.rows.items() if name != "rejects"}
        begun = len(self._begun)
        try:
            yield
        except (ParseError, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            for name, mark in marks.items():
                del self.rows[name][mark:]  # no half of an item
            for work_id in self._begun[begun:]:
                self._works.pop(work_id, None)
            del self._begun[begun:]
            self.reject(locator, str(error) if isinstance(error, ParseError) else f"{type(error).__name__}: {error}")

    def moment(self, value: Any) -> datetime:
        """A UTC time from an ISO date or timestamp; ParseError otherwise."""
        if not isinstance(value, str):
            raise ParseError(f"a date is missing or not text: {value!r}")
        try:
            if _DATE.match(value):
                return datetime.fromisoformat(value).replace(tzinfo=UTC)
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
        for field, value in (
            ("title", title), ("version", version), ("license", license), ("owner", owner),
            ("native_id", native_id), ("url", url), *(("fields", one) for one in fields or ()),
        ):  # fmt: skip
            _require_text(field, value)
        haystack = "\n".join([text, *(tags or [])])
        topics = {name for name, pattern in self._patterns if pattern.search(haystack)}
        if self._topic is not None:
            topics.add(self._topic)
        row = {
            "work_id": work_id,
            "kind": kind,
            "event": event,
            "event_at": event_at,
            "title": title,
            "created_at": created_at,
            "version": version,
            "status": status,
            "license": license,
            "owner": owner,
            "native_id": native_id,
            "url": url,
            "fields": fields or [],
            "tags": tags or [],
            "topics": sorted(topics),
            **self._provenance,
        }
        self.rows["works"].append(row)
        self._works[work_id] = row
        self._begun.append(work_id)

    def read(self, locator: str, convert: Callable[[Any], str], value: Any) -> str | None:
        """`convert(value)`, or None and a reject: one wrong link must not cost the work it stands in."""
        try:
            return convert(value)
        except ParseError as error:
            self.reject(locator, str(error))
            return None

    def reference(self, source_id: str, target_id: str, relation: str, at: datetime, evidence: str) -> None:
        self.rows["references"].append(
            {
                "source_id": source_id,
                "target_id": target_id,
                "relation": relation,
                "event_at": at,
                "evidence": evidence,
                **self._provenance,
            }
        )

    def file_reference(self, source_id: str, target_id: str, relation: str, evidence: str) -> None:
        """A reference in a file of a work. It is dated by the day's event of that work: for a past day the
        file is read as it is now, and says nothing of when the line was written. A file that links to its own
        work (badges do) refers to nothing."""
        work = self._works.get(source_id)
        if work is not None and target_id != source_id:
            self.reference(source_id, target_id, relation, work["event_at"], evidence)

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
        self.rows["texts"].append(
            {
                "work_id": work_id,
                "kind": kind,
                "event_at": work["event_at"],
                "license": license or work["license"],
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "text": text,
                **self._provenance,
            }
        )

    def metric(self, work_id: str, metric: str, value: Any) -> None:
        """A counter, as of the day's end. One that was seen after the grace period is null: it would be
        today's value."""
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _INT64_MAX:
            self.reject(f"{work_id} {metric}", f"not a count: {value!r}"[:200])
            return
        self.rows["metrics"].append(
            {
                "work_id": work_id,
                "metric": metric,
                "value": value if self.seen_in_time else None,
                "event_at": self.window.last_instant,
                **self._provenance,
            }
        )

    @property
    def seen_in_time(self) -> bool:
        """Whether the answer came within the grace period: what it says of now may be said of the day's end."""
        return bool(self._provenance["observed_at"] <= self._deadline)

    def observes(self, work_id: str) -> bool:
        """Whether what is seen of the work now may be said of the day: the work belongs to it, and the answer
        came in time. What a file or a list holds today says nothing of a day long past."""
        return work_id in self._works and self.seen_in_time

    def claim(self, person_id: str, subject: str, at: datetime, *, name: str | None, proof: str | None) -> None:
        """The person says to be the account, author or iD `subject`. Without `proof` nobody has checked it."""
        self.rows["claims"].append(
            {
                "person_id": person_id,
                "subject": subject,
                "name": name,
                "proof": proof,
                "event_at": at,
                **self._provenance,
            }
        )

    def optout(self, scope: str, subject: str, at: datetime, reason: str | None) -> None:
        self.rows["optouts"].append(
            {"scope": scope, "subject": subject, "reason": reason, "event_at": at, **self._provenance}
        )

    def payout(self, subject: str, channel: str, address: str, evidence: str, at: datetime | None = None) -> None:
        """Where `subject` can be paid, from `at` on; without it the address was seen as of the day's end."""
        self.rows["payouts"].append(
            {
                "subject": subject,
                "channel": channel,
                "address": address,
                "event_at": at or self.window.last_instant,
                "evidence": evidence,
                **self._provenance,
            }
        )

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
        self.rows["contributions"].append(
            {
                "work_id": work_id,
                "contributor": contributor,
                "basis": basis,
                "amount": amount,
                "is_bot": is_bot,
                "event_at": at or self.window.last_instant,
                "evidence": evidence,
                **self._provenance,
            }
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
        for field, value in (("name", name), ("orcid", orcid), ("account", account)):
            _require_text(field, value)
        self.rows["people"].append(
            {
                "work_id": work_id,
                "role": role,
                "position": position,
                "name": name,
                "orcid": orcid,
                "account": account,
                "event_at": at,
                **self._provenance,
            }
        )

    def identity(self, one: str, other: str, at: datetime, evidence: str, *, same: bool = True) -> None:
        """Both identifiers name the same work (or, with same=False, an assertion is taken back)."""
        if one == other:
            return
        left, right = sorted((one, other))
        self.rows["identities"].append(
            {
                "left_id": left,
                "right_id": right,
                "same": same,
                "event_at": at,
                "evidence": evidence,
                **self._provenance,
            }
        )

    def reject(self, locator: str, reason: str) -> None:
        self.rows["rejects"].append(
            {"locator": locator, "reason": reason[:500], "event_at": self.window.last_instant, **self._provenance}
        )


def _pattern(topic: Topic) -> re.Pattern[str]:
    words = [word for word in (*topic.terms, *topic.github_topics, *topic.huggingface_tags) if word.strip()]
    # A space in a term also matches the hyphen of a tag.
    alternatives = (r"[\s-]+".join(re.escape(part) for part in re.split(r"[\s-]+", word)) for word in words)
    # An empty pattern would find the topic in every work; (?!) is found in none.
    return re.compile(r"\b(?:" + ("|".join(alternatives) or "(?!)") + r")", re.IGNORECASE)


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
    try:
        value = json.loads(body)
        if _HALF_OF_A_PAIR.search(body):
            # Valid JSON may hold half of a surrogate pair, which no file can: it becomes a question mark.
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        return value
    except (ValueError, RecursionError) as error:
        raise ParseError(f"not JSON: {error}") from error


def _require_text(field: str, value: Any) -> None:
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
