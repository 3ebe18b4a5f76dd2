"""A day's raw packages -> rows of `hubs.packages`, `datasets`, `measurements`, `outcomes`, `posts` and `rejects`. Pure.

Of several captures of one package the latest within the grace period stands, else the earliest after it, as for traces;
its files are those that came with it. The first package of a name is the one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from coevo_pipelines.hubs import raw
from coevo_pipelines.hubs.contents import Contents, read_contents
from coevo_pipelines.hubs.package import Package, Rules, read_descriptor
from coevo_pipelines.hubs.problems import DESCRIPTOR, Problem
from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes import hubs as source
from coevo_pipelines.scrapes.consent import WITHHELD
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.windows import Window

ROWS = ("packages", "datasets", "measurements", "outcomes", "posts")
TABLES = tuple(f"hubs.{name}" for name in (*ROWS, "rejects"))


@dataclass(frozen=True)
class _Seen:
    """A descriptor as it was seen once, with what came of its files before it was seen again."""

    exchange: Exchange
    package: Package | None
    problems: list[Problem]
    files: Mapping[str, Exchange]
    """By their stored address."""

    @property
    def url(self) -> str:
        return self.exchange.url

    @property
    def hub_id(self) -> str:
        """As far as it can be known: else where it is."""
        return self.package.hub_id if self.package else source.name_of(self.exchange) or self.url

    @property
    def at(self) -> datetime | None:
        """When this version was published."""
        return self.package.created if self.package else source.published_at(self.exchange)


def read(exchanges: Iterable[Exchange], window: Window, rules: Rules, grace: timedelta) -> Mapping[str, pl.DataFrame]:
    """The frames of the day, by table. Opted-out hubs have no rows; what is wrong is in `hubs.rejects`."""
    answers = [each for each in exchanges if each.error is None and each.status is not None]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in (*ROWS, "rejects")}
    for seen, obstacles in _standing(list(_seen(answers, window, rules)), window.end + grace):
        known: dict[str, Any] = {"event_at": seen.at or window.last_instant}
        known |= {"observed_at": seen.exchange.fetched_at, "raw_sha256": seen.exchange.body_sha256}
        problems = obstacles or seen.problems
        if seen.package is not None and not obstacles and WITHHELD not in seen.exchange.headers:
            problems = [*problems, *_say(seen, seen.package, rules, rows, known)]
        rows["rejects"] += [{"hub_id": seen.hub_id, **_reject(each), **known} for each in problems]
    for exchange, entry in source.not_below(answers):
        expected = f"the path of a {DESCRIPTOR} below the index"
        said = Problem("", None, "packages", f"{entry!r:.80}", expected, f"green-valley/{DESCRIPTOR}")
        seen_in = {"observed_at": exchange.fetched_at, "raw_sha256": exchange.body_sha256}
        own = {"hub_id": exchange.url, "event_at": window.last_instant}
        rows["rejects"].append({**own, **_reject(said), **seen_in})
    return {f"hubs.{name}": _frame(f"hubs.{name}", found) for name, found in rows.items()}


def _seen(answers: Sequence[Exchange], window: Window, rules: Rules) -> Iterator[_Seen]:
    """Each descriptor of the day with its files: those between it and the next time that it was asked for."""
    places: dict[str, list[int]] = {}
    for number, each in enumerate(answers):
        places.setdefault(each.url, []).append(number)
    for number, each in enumerate(answers):
        if not source.is_descriptor(each.url) or not _is_of(window, source.published_at(each)):
            continue
        if each.status != 200 or source.LEFT_OUT in each.headers:
            yield _Seen(each, None, _why_not(each), {})
            continue
        package, problems = read_descriptor(each.body, rules)
        until = next((one for one in places[each.url] if one > number), len(answers))
        files = {}
        for resource in package.resources if package else ():
            url = source.file_url(each.url, package.hub_id, resource.path) if package else ""
            came = [answers[one] for one in places.get(url, ()) if number < one < until]
            if came:
                files[url] = came[-1]
        yield _Seen(each, package, problems, files)


def _is_of(window: Window, published: datetime | None) -> bool:
    """What does not say when it was published is told on each day on which it is there."""
    return published is None or published in window


def _why_not(exchange: Exchange) -> list[Problem]:
    if source.LEFT_OUT in exchange.headers:
        return raw.read_said(exchange.headers[source.LEFT_OUT])
    return [Problem("", None, "", f"HTTP {exchange.status}", "the package that the index names", "", True)]


def _standing(seen: Sequence[_Seen], deadline: datetime) -> Iterator[tuple[_Seen, list[Problem]]]:
    """What counts of the day, one a package and version, and what keeps it from being read, if anything does."""
    first: dict[str, str] = {}
    chosen: dict[tuple[str, str, datetime | None], _Seen] = {}
    for each in seen:
        if each.package is not None:
            first.setdefault(each.package.name, each.url)
        key = (each.url, each.package.name if each.package else "", each.at)
        before = chosen.get(key)
        if before is None or _is_better(each.exchange.fetched_at, before.exchange.fetched_at, deadline):
            chosen[key] = each
    for each in chosen.values():
        name = each.package.name if each.package else ""
        if name and first[name] != each.url:
            expected = "a name that no other package has"
            yield each, [Problem("", None, "name", f"{name!r}, as {first[name]} has", expected, f"{name}-2"[:63], True)]
        else:
            yield each, []


def _is_better(now: datetime, before: datetime, deadline: datetime) -> bool:
    """Of several observations the latest in time stands; if none came in time, the earliest."""
    return before <= now <= deadline or (before > deadline and now < before)


def _say(
    seen: _Seen, package: Package, rules: Rules, rows: dict[str, list[dict[str, Any]]], known: Mapping[str, Any]
) -> list[Problem]:
    """Add what the package says to `rows`; the problems of its files."""
    own = {"hub_id": package.hub_id, **known}

    def body_of(path: str) -> bytes | None:
        file = seen.files.get(source.file_url(seen.url, package.hub_id, path))
        return file.body if file is not None and file.status == 200 and source.LEFT_OUT not in file.headers else None

    contents = read_contents(package, body_of, rules)
    rows["packages"].append({**package.row(), **known})
    for name, found in _tables(contents).items():
        rows[name] += [{**own, "raw_sha256": _digest(each, package, contents, own), **each} for each in found]
    problems = []
    for resource in package.resources:
        file = seen.files.get(source.file_url(seen.url, package.hub_id, resource.path))
        if file is not None and source.LEFT_OUT in file.headers and file.status == 200:
            problems += raw.read_said(file.headers[source.LEFT_OUT])
        else:
            problems += [each for each in contents.problems if each.resource == resource.path]
    return problems


def _tables(contents: Contents) -> dict[str, list[dict[str, Any]]]:
    return {name: getattr(contents, name) for name in ROWS[1:]}


def _digest(row: Mapping[str, Any], package: Package, contents: Contents, own: Mapping[str, Any]) -> str:
    """Of the file that said so; of the descriptor where none did."""
    name = row.get("resource")
    if name is None:  # posts and outcomes: there is one file of each role
        role = {"need": "needs", "offer": "offers"}.get(row.get("side", ""), "outcomes")
        name = next((each.name for each in package.resources if each.role == role and not each.refused), "")
    return contents.sha256_of.get(name) or str(own["raw_sha256"])


def _reject(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("resource", "row", "column", "found", "expected", "example")}


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows as the table, by its key; rejects are numbered for each hub."""
    table = schemas.table(name)
    if name == "hubs.rejects":
        number: dict[str, int] = {}
        for row in rows:
            number[row["hub_id"]] = row["number"] = number.get(row["hub_id"], 0) + 1
    frame = pl.DataFrame([{column: row[column] for column in table.polars_schema()} for row in rows],
                         schema=table.polars_schema(), orient="row")  # fmt: skip
    return frame.sort(table.key)
