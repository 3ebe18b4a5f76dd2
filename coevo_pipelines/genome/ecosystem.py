"""Which repositories make an ecosystem: named, linked from a README, or works of an owner, a topic, an influence.

Only who names a repository in the settings may name a local path. A README's links come from strangers: only
addresses on well-known hosts are taken from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from coevo_pipelines.genome.files import shown
from coevo_pipelines.genome.mirrors import public
from coevo_pipelines.traces import identifiers

if TYPE_CHECKING:
    import polars as pl

By = Literal["settings", "readme", "owner", "topic", "works"]

GITHUB = "https://github.com"
README = re.compile(rb"readme(?:\.(?:md|markdown|rst|txt|org|adoc|html))?\Z", re.IGNORECASE)
"""Of a file at the root whose links are followed."""
_ANY_CASE = frozenset({"github.com", "gitlab.com", "codeberg.org", "bitbucket.org"})
"""Well-known hosts; all of them find a repository whatever the case of its path."""
_LINK = re.compile(
    rf"(?<![\w.-])(?:www\.|raw\.)?({'|'.join(map(re.escape, sorted(_ANY_CASE)))})(?::(?:22|443)/|[/:])"
    r"((?:[\w.-]{1,255}/){1,20}[\w.-]{1,255})",
    re.ASCII | re.IGNORECASE,
)
_PART = re.compile(r"[A-Za-z0-9_][\w.-]*", re.ASCII)
_PAGES = frozenset({
    "account", "api", "assets", "dashboard", "explore", "groups", "help", "product", "projects", "search", "snippets",
    "user", "users",
})  # fmt: skip
"""First parts of a path on GitLab, Codeberg and Bitbucket that are no account."""
_INNER_PAGES = frozenset({
    "-", "activity", "badges", "blame", "blob", "builds", "commit", "commits", "compare", "edit", "environments",
    "files", "find_file", "issues", "jobs", "labels", "merge_requests", "milestones", "new", "pipelines", "raw",
    "refs", "releases", "tags", "tree", "uploads", "wikis",
})  # fmt: skip
"""What follows a project in addresses of GitLab, where groups nest: the names reserved for its pages
(docs.gitlab.com, "Reserved project and group names"), and those of its pages before they moved behind `/-/`."""
_NAMED = re.compile(r"([A-Za-z0-9_.][A-Za-z0-9_./-]*)=(.+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SHORT = re.compile(r"(?:[^/@:]+@)?([^/\\@:]{2,}):(?!:)(.+)")
"""ssh's `user@host:path`."""


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
    and the folder's own name of a path. GenomeError for nothing, and for an address that is none."""
    named = _NAMED.match(text)
    name, place = (named[1], named[2]) if named and not Path(text).exists() else (None, text)
    if not place:
        raise GenomeError("an empty name of a repository: give an address or a path")
    if name and any(part in {"", ".", ".."} or part.lower() == ".git" for part in name.split("/")):
        raise GenomeError(f"{name!r} is no name for a repository: it becomes a folder when a genome is unpacked")
    try:
        host, path = _host_and_path(place)
    except ValueError:
        shorn = re.sub("//[^/]*@", "//", place)  # not the reason: it may quote a password
        raise GenomeError(f"{shorn!r} cannot be read as an address or a path: name another") from None
    own = "/".join(path.split("/")[-2:]) if host else Path(path).name.removesuffix(".git")
    return Source(name or shown(os.fsencode(own or host or place)), place)


def in_order(sources: Iterable[Source], first: Sequence[str] = (), last: Sequence[str] = ()) -> list[Source]:
    """The curriculum: those named first, the others by name, those named last. GenomeError for a name that comes
    twice, or that an order names and no repository has."""
    by_name: dict[str, Source] = {}
    for source in sources:
        if source.name in by_name:
            raise _twice(source, by_name[source.name])
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
    for written, path in _LINK.findall(readme):
        host = written.lower()
        if host != "github.com":
            if project := _project(host, path):
                yield Listed(Source(f"{host}/{project}", f"https://{host}/{project}.git"), "readme", place)
            continue
        for _, identifier in identifiers.in_text(f"{host}/{path}"):
            kind, _, name = identifier.partition(":")
            if kind == "github":
                yield Listed(Source(name, f"{GITHUB}/{name}"), "readme", place)


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
    best = ranked.sort("guarded_influence", "work_id", descending=[True, False], nulls_last=True).head(most)
    yield from _listed(best, "works", topic)


def repositories(works: pl.LazyFrame) -> pl.DataFrame:
    """Each GitHub repository of `traces.works` as it was last seen: (work_id, owner, tags, topics)."""
    import polars as pl

    own = works.filter(pl.col("kind") == "repository", pl.col("work_id").str.starts_with("github:"))
    last = own.sort("event_at", "source").group_by("work_id", maintain_order=True).last()
    return last.select("work_id", "owner", "tags", "topics").sort("work_id").collect()


def once(listed: Iterable[Listed]) -> list[Listed]:
    """Each repository once, by whoever lists it first. Two of one name: the later one gets its host before its name.

    GenomeError for two of one name that the settings name, or where that longer name is taken too.
    """
    by_address: dict[str, Listed] = {}
    names: dict[str, Listed] = {}
    for given in listed:
        each = given
        if (key := address(each.source.place)) in by_address:
            continue
        if (other := names.get(each.source.name)) is not None:
            if each.by == "settings" or key in names:
                raise _twice(each.source, other.source)
            each = replace(each, source=replace(each.source, name=key))
        by_address[key] = names[each.source.name] = each
    return list(by_address.values())


def _twice(source: Source, other: Source) -> GenomeError:
    return GenomeError(
        f"{public(source.place)} and {public(other.place)} are both called {source.name}: name one, NAME=PLACE"
    )


def _listed(works: pl.DataFrame, by: By, place: str | None) -> Iterator[Listed]:
    for work in works["work_id"]:
        name = work.removeprefix("github:")
        yield Listed(Source(name, f"{GITHUB}/{name}"), by, place)


def address(place: str) -> str:
    """What the ways to write one address, or one local path, have in common."""
    host, path = _host_and_path(place)
    if not host:
        return path
    host = host.removeprefix("www.")
    return shown(os.fsencode(f"{host}/{path.lower() if host in _ANY_CASE else path}"))


def _host_and_path(place: str) -> tuple[str, str]:
    """Of an address, without what tells a user, a protocol or a bare repository; of a local path: ("", absolute).
    ValueError for what cannot be read as either."""
    if place.startswith("file://"):
        return "", str(Path(unquote(place.removeprefix("file://"), errors="surrogateescape")).resolve())
    if _SCHEME.match(place):
        parts = urlsplit(place)
        host, path = parts.netloc.rpartition("@")[2], parts.path
        asked = f"?{parts.query}" if parts.query else ""
    elif (short := _SHORT.fullmatch(place)) and not Path(place).exists():
        host, path, asked = short[1], short[2], ""
    else:
        return "", str(Path(place).resolve())
    return host.lower(), "/".join(filter(None, path.split("/"))).removesuffix(".git") + asked


def _project(host: str, path: str) -> str | None:
    """The repository that a path on GitLab, Codeberg or Bitbucket is in, None for other pages."""
    parts = path.split("/")
    groups = takewhile(lambda part: part.lower() not in _INNER_PAGES, parts[2:]) if host == "gitlab.com" else ()
    parts = [*parts[:2], *groups]
    parts[-1] = parts[-1].rstrip("._-").removesuffix(".git")
    if parts[0].lower() in _PAGES or not all(map(_PART.fullmatch, parts)):
        return None
    return "/".join(parts)
