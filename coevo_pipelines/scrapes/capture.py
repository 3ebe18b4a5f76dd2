"""One source, one day: asked with the consent of the moment, kept in the journal, appended to the lake."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from filelock import FileLock

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake, StaleInputs, Written
from coevo_pipelines.orchestration.resources import endpoint
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.consent import EVERYBODY, WITHHELD, Consent, read_said, said, standing
from coevo_pipelines.scrapes.exchange import Exchange, Journal, Redactor, secrets
from coevo_pipelines.scrapes.hubs import DESCRIPTOR, is_descriptor
from coevo_pipelines.scrapes.scrape import Place
from coevo_pipelines.scrapes.sources import source
from coevo_pipelines.scrapes.withholding import Withhold
from coevo_pipelines.settings import Settings
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.register import load

log = logging.getLogger(__name__)

REGISTER, HUBS = "register", "hubs"
OLDEST_REGISTER = timedelta(days=1)


def scrape_day(name: str, day: date, lake: Lake, settings: Settings, *, again: bool = False) -> Written:
    """Scrape one source for one day and append the capture, unless a complete one is there already (`again`:
    also then).

    Two processes asked for the same source and day take turns. The journal of a scrape that was killed, or
    whose source died on the way, answers for what it already holds. Who has opted out by now is left out: when that
    cannot be known, nothing is asked.
    """
    table = f"scrapes.{name}"
    journal_path = lake.root / ".journal" / name / f"{day}.jsonl"
    journal_path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{journal_path}.lock"):
        present = lake.committed(table, day)
        if present is not None and present.complete and not again:
            log.info("scrapes %s: %s is complete already, nothing asked", day, name, extra={"parts": [(table, day)]})
            journal_path.unlink(missing_ok=True)
            return Written(present, changed=False)
        journal = Journal(journal_path)
        redactor = Redactor(secrets(settings))
        with endpoint(name, day, settings) as where:
            try:
                consent = _consent(name, day, where.now(), lake, settings)
            except ParseError as unknown:
                capture = Capture(tuple(journal.exchanges), str(unknown), resumable=True)
            else:
                _withhold_from(journal, source(name).withhold, consent)
                known = _known_places(name, day, lake, settings, consent)
                capture = collect(name, settings.window(day), settings, where, journal, consent, known.places)
                if known.missing:
                    told = "; ".join(filter(None, (capture.reason, known.missing)))
                    capture = replace(capture, reason=told)
        capture = replace(capture, reason=redactor.text(capture.reason))
        written = append(lake, table, day, capture)
        if capture.resumable:
            journal.keep_good()
        else:
            journal.remove()
    if capture.complete:
        log.info("scrapes %s: %s %d exchanges", day, name, len(capture.exchanges), extra={"parts": [(table, day)]})
    else:
        log.warning("scrapes %s: %s incomplete: %s", day, name, capture.reason, extra={"parts": [(table, day)]})
    return written


def _consent(name: str, day: date, now: datetime, lake: Lake, settings: Settings) -> Consent:
    """Who is opted out now, by the newest register that could be read. ParseError, with the way out, when none could.

    The register is read for the day if it never was, or not for a day. It is not asked about itself.
    """
    is_asked = settings.sources[REGISTER].enabled
    if name == REGISTER:
        return Consent()
    known = newest_register(lake)
    if is_asked and (known is None or now - known.read_at > OLDEST_REGISTER):
        scrape_day(REGISTER, day, lake, settings, again=known is not None)
        known = newest_register(lake)
    if known is None:
        if not is_asked:
            return Consent()
        raise ParseError(
            "nothing was asked: the register cannot be read, so nobody knows who has opted out "
            "(sources.register.base_url; without a register, sources.register.enabled = false)"
        )
    if known.failed:
        log.warning("scrapes %s: %s goes by the register of %s: %s", day, name, f"{known.read_at:%F %R}", known.failed)
    consent = standing(known.body, now)
    for unread in consent.unread:
        log.warning("scrapes %s: %s: the register's %s: not honoured", day, name, unread)
    return consent


@dataclass(frozen=True)
class KnownPlaces:
    """Where hubs are, in order of their ids; `missing` is one line that says why there may be more."""

    places: tuple[Place, ...] = ()
    missing: str = ""


def _known_places(name: str, day: date, lake: Lake, settings: Settings, consent: Consent) -> KnownPlaces:
    """Of the hubs that had published by the end of `day`, by their last package; nobody's for a source that is not
    asked about places. What hubs published on `day` is read first, if it was not yet."""
    if not source(name).SERVICE.of_places or not settings.sources[HUBS].enabled:
        return KnownPlaces()
    commit = lake.committed(f"scrapes.{HUBS}", day)
    if commit is None or not commit.complete:
        commit = scrape_day(HUBS, day, lake, settings).commit
    missing = "" if commit.complete else f"hubs may be missing: scrapes {HUBS}: {commit.note}"
    return KnownPlaces(places(lake, day, settings, consent), missing)


def places(lake: Lake, day: date, settings: Settings, consent: Consent = EVERYBODY) -> tuple[Place, ...]:
    """Where the hubs are that had published by the end of `day`, by the last package of each, in order of their ids;
    without those that `consent` withholds: nobody is asked about them.

    Known from what was read of hubs for that day alone: descriptors of all packages that there are. So it does not
    depend on which other days have been made.
    """
    import polars as pl

    from coevo_pipelines.hubs.package import Package, Rules, read_descriptor

    rules = Rules.of(settings.hubs)
    first, end = settings.window(settings.opening).start, settings.window(day).end
    good = pl.col("url").str.contains(DESCRIPTOR, literal=True) & pl.col("error").is_null() & (pl.col("status") < 300)
    stored = lake.scan(f"scrapes.{HUBS}", on=day).filter(good).sort("capture", "sequence").select("url", "body")
    last: dict[str, tuple[Package, bool]] = {}
    for url, body in stored.collect().iter_rows():
        package, _ = read_descriptor(body, rules) if is_descriptor(url) else (None, [])
        if package is None or not first <= package.created < end:
            continue
        known = last.get(package.hub_id)
        if known is None or known[0].created <= package.created:
            _, withheld_now = source(HUBS).withhold(f"hubs:{package.name}/{DESCRIPTOR}", body, consent)
            last[package.hub_id] = package, bool(withheld_now)
    return tuple(
        Place(hub_id, one.latitude, one.longitude) for hub_id, (one, is_out) in sorted(last.items()) if not is_out
    )


@dataclass(frozen=True)
class KnownRegister:
    """The newest register that could be read; `failed` says why a newer one could not be."""

    body: bytes
    read_at: datetime
    failed: str = ""


def newest_register(lake: Lake) -> KnownRegister | None:
    """Of all days: the one of a past day may have been read today. A file at the default place that is not there says
    that nobody is registered only where none has ever been: one that is gone still counts."""
    table, failed = f"scrapes.{REGISTER}", ""
    nobody: KnownRegister | None = None
    commits = sorted(lake.snapshot().index.partitions(table), key=lambda one: one.observed_until or "", reverse=True)
    for commit in commits:
        frame = lake.scan(table, on=commit.day).collect().sort("fetched_at", "capture", descending=True)
        for row in frame.iter_rows(named=True):
            exchange = Exchange.from_row(row)
            if not exchange.ok:
                if commit.complete and exchange.status is None:
                    nobody = nobody or KnownRegister(b"", exchange.fetched_at)
                failed = failed or exchange.error or f"HTTP {exchange.status}"
                continue
            try:
                load(exchange.body)
            except ParseError as error:
                failed = failed or str(error)
                continue
            return KnownRegister(exchange.body, exchange.fetched_at, failed)
    return nobody


def _withhold_from(journal: Journal, withhold: Withhold, consent: Consent) -> None:
    """What a scrape that was stopped holds already, without those who have opted out since."""
    if not consent or not journal.exchanges:
        return
    kept = []
    for exchange in journal.exchanges:
        body, found = withhold(exchange.url, exchange.body, consent)
        headers = {**exchange.headers, WITHHELD: said(found)} if found else exchange.headers
        kept.append(replace(exchange, body=body, headers=headers))
    if kept != journal.exchanges:
        journal.rewrite(kept)


def withheld(lake: Lake, name: str, day: date) -> dict[str, str]:
    """Works of which the last capture left something out, and since when they are opted out."""
    headers = lake.scan(f"scrapes.{name}", on=day).select("capture", "headers").collect()
    if not headers.height:  # nothing was asked
        return {}
    last: list[str] = headers.filter(headers["capture"] == headers["capture"].max())["headers"].to_list()
    return {
        work: since
        for each in last
        if WITHHELD in each
        for work, since in read_said(json.loads(each).get(WITHHELD, "")).items()
    }


def append(lake: Lake, table: str, day: date, capture: Capture) -> Written:
    """Commit the capture behind those that the day has already."""
    import polars as pl

    schema = schemas.table(table)
    while True:
        snapshot = lake.snapshot()
        present = snapshot.index.get(table, day.isoformat())
        before = snapshot.scan(table, on=day).drop("date").collect() if present else schema.empty()
        number = max(before["capture"].to_list(), default=0) + 1
        rows = [exchange.row(number, i) for i, exchange in enumerate(capture.exchanges, start=1)]
        frame = pl.concat([before, pl.DataFrame(rows, schema=schema.polars_schema(), orient="row")])
        seen: list[datetime] = frame["fetched_at"].to_list()  # an earlier capture may hold what came later
        try:
            return lake.write(
                table,
                day,
                frame,
                observed_until=max(seen, default=None),
                complete=capture.complete,
                note=capture.reason,
                replaces=present,
            )
        except StaleInputs:
            continue
