"""Which repositories make an ecosystem: named, linked from a README, or works of an owner, a topic, an influence.

Only who names a repository in the settings may name a local path. A README's links come from strangers: only
addresses on well-known hosts are taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from coevo_pipelines.genome.files import shown
from coevo_pipelines.traces import identifiers

if TYPE_CHECKING:
    import polars as pl

By = Literal["settings", "readme", "owner", "topic", "works"]

GITHUB = "https://github.com"
README = re.compile(rb"readme(?:\.(?:md|markdown|rst|txt|org|adoc|html))?\Z", re.IGNORECASE)
"""Of a file at the root whose links are followed."""
_HOSTED = re.compile(
    r"https?://(?:www\.)?(gitlab\.com|codeberg\.org|bitbucket\.org)/([A-Za-z0-9][\w.-]*/[\w.-]*\w)", re.ASCII
)
_NAMED = re.compile(r"([A-Za-z0-9_.][A-Za-z0-9_./-]*)=(.+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")


class GenomeError(ValueError):
    """What was asked cannot be done with these repositories; the message names them and the way out."""


@dataclass(frozen=True)
class Source:
    """A repository: its name in the genome, and the address or local path that git is given."""

    name: str
    place: str


@dataclass(frozen=True)
class Listed:
    """A repository of an ecosystem, what lists it, and where. `shown` is the address on record, if that is another
    than the one that git is given."""

    source: Source
    by: By
    place: str | None = None
    shown: str | None = None


def source_of(text: str) -> Source:
    """`NAME=PLACE` or a place: an address, or a local path. The name is by default the last two parts of an address,
    and the folder's own name of a path. GenomeError for nothing."""
    named = _NAMED.match(text)
    if named and not Path(text).exists():
        return Source(named[1], named[2])
    if not text:
        raise GenomeError("an empty name of a repository: give an address or a path")
    if "://" in text and not text.startswith("file://"):
        parts = [part for part in _SCHEME.sub("", text).split("/") if part]
        return Source("/".join(parts[-2:]).removesuffix(".git") or text, text)
    return Source(Path(text.removeprefix("file://")).resolve().name.removesuffix(".git") or text, text)


def in_order(sources: Iterable[Source], first: Sequence[str] = (), last: Sequence[str] = ()) -> list[Source]:
    """The curriculum: those named first, the others by name, those named last. GenomeError for a name that comes
    twice, or that an order names and no repository has."""
    by_name: dict[str, Source] = {}
    for source in sources:
        if source.name in by_name:
            raise GenomeError(
                f"{source.place} and {by_name[source.name].place} are both called {source.name}: name one, NAME=PLACE"
            )
        by_name[source.name] = source
    for name in (*first, *last):
        if name not in by_name:
            raise GenomeError(f"no repository is called {name}; there are {', '.join(sorted(by_name))}")
    return [by_name[name] for name in curriculum(by_name, first, last)]


def curriculum(names: Iterable[str], first: Sequence[str], last: Sequence[str]) -> list[str]:
    """`names` in order; what `first` and `last` name and nobody has is passed over."""
    there = set(names)
    ends = set(first) | set(last)
    begun = [name for name in dict.fromkeys(first) if name in there]
    ended = [name for name in dict.fromkeys(last) if name in there and name not in begun]
    return [*begun, *sorted(there - ends), *ended]


def linked(readme: str, place: str) -> Iterator[Listed]:
    """The repositories that a README links to, in its order; `place`: the repository whose README it is."""
    for _, identifier in identifiers.in_text(readme):
        kind, _, name = identifier.partition(":")
        if kind == "github":
            yield Listed(Source(name, f"{GITHUB}/{name}"), "readme", place)
    for host, path in _HOSTED.findall(readme):
        name = f"{host}/{path.removesuffix('.git')}"
        yield Listed(Source(name, f"https://{name}.git"), "readme", place)


def of_owners(works: pl.DataFrame, owners: Sequence[str]) -> Iterator[Listed]:
    """The repositories that these GitHub accounts hold. `works`: `repositories`."""
    for owner in owners:
        account = f"github:{owner.lower()}"
        yield from _listed(works.filter(works["owner"].str.to_lowercase() == account), "owner", owner)


def of_topics(works: pl.DataFrame, topics: Sequence[str]) -> Iterator[Listed]:
    """The repositories that carry one of these GitHub topics."""
    for topic in topics:
        yield from _listed(works.filter(works["tags"].list.contains(topic)), "topic", topic)


def most_influential(works: pl.DataFrame, scores: pl.DataFrame, most: int, topic: str | None) -> Iterator[Listed]:
    """The `most` repositories of the largest influence (in guarded mode, as nobody can buy it), of a followed topic
    or of all. `scores`: `influence.scores` of the day."""
    own = works if topic is None else works.filter(works["topics"].list.contains(topic))
    ranked = own.join(scores.select("node_id", "guarded_influence"), left_on="work_id", right_on="node_id")
    best = ranked.sort("guarded_influence", "work_id", descending=[True, False]).head(most)
    yield from _listed(best, "works", topic)


def repositories(works: pl.LazyFrame) -> pl.DataFrame:
    """Each GitHub repository of `traces.works` as it was last seen: (work_id, owner, tags, topics)."""
    import polars as pl

    own = works.filter(pl.col("kind") == "repository", pl.col("work_id").str.starts_with("github:"))
    last = own.sort("event_at", "source").group_by("work_id", maintain_order=True).last()
    return last.select("work_id", "owner", "tags", "topics").sort("work_id").collect()


def once(listed: Iterable[Listed]) -> list[Listed]:
    """Each repository once, by whoever lists it first. Two of one name: the later one gets its host before its name.

    GenomeError for two of one name that the settings name.
    """
    by_address: dict[str, Listed] = {}
    names: dict[str, Listed] = {}
    for given in listed:
        each = given
        if (address := _address(each.source.place)) in by_address:
            continue
        if (other := names.get(each.source.name)) is not None:
            if each.by == "settings":
                raise GenomeError(
                    f"{each.source.place} and {other.source.place} are both called {each.source.name}: name one, "
                    "NAME=PLACE"
                )
            each = replace(each, source=replace(each.source, name=address))
        by_address[address] = names[each.source.name] = each
    return list(by_address.values())


def _listed(works: pl.DataFrame, by: By, place: str | None) -> Iterator[Listed]:
    for work in works["work_id"]:
        name = work.removeprefix("github:")
        yield Listed(Source(name, f"{GITHUB}/{name}"), by, place)


def _address(place: str) -> str:
    """What two ways to write one address have in common."""
    if not _SCHEME.match(place) or place.startswith("file://"):
        return place
    parts = urlsplit(place)
    host = (parts.hostname or "").removeprefix("www.")
    path = parts.path.rstrip("/").removesuffix(".git")
    return shown((host + (path.lower() if host == "github.com" else path)).encode())
