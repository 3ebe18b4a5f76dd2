"""The tables of `traces` of a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.bench.vectors import Ints, ranges
from coevo_pipelines.bench.world import shares
from coevo_pipelines.bench.world.columns import (
    Tables,
    assembled,
    formatted,
    framed,
    masked,
    series,
    timestamps,
    words_at,
)
from coevo_pipelines.bench.world.drawing import World, has_orcid
from coevo_pipelines.bench.world.items import Items, Said, is_by_arxiv
from coevo_pipelines.bench.world.kinds import (
    ARXIV,
    CATEGORIES,
    GITHUB,
    HUGGINGFACE,
    KINDS,
    LINKS,
    OPENALEX,
    PAPER,
    REPOSITORY,
    SAID_TWICE,
    SPACE,
)
from coevo_pipelines.bench.world.naming import author_names, identifiers, orcids, owners, titles
from coevo_pipelines.bench.world.shape import DOI, OWN, RECORD, start_of
from coevo_pipelines.lake import schemas

if TYPE_CHECKING:
    import polars as pl

_LANGUAGES = ("Python", "C++", "Julia", "Rust", "Jupyter Notebook", "TypeScript", "C#")
_TASKS = ("text-generation", "text-classification", "reinforcement-learning", "image-classification", "other")
_TAGS: tuple[tuple[str, ...], ...] = (
    (), ("swarm-intelligence",), ("particle-swarm-optimization", "optimization"), ("ant-colony", "tsp", "aco"),
    ("multi-agent", "ros2"), ("license:mit", "region:us"), ("boids", "simulation", 'a "quoted" tag'), ("群体智能",),
)  # fmt: skip
_TOPICS = (("swarm-intelligence",), ("cellular-automata",), ("cellular-automata", "swarm-intelligence"))
_REASONS = ("a date is missing or not text: None", "not a requirement: Expected package name at the start",
            "not a DOI: '10.1016/…'", "not JSON: Expecting ',' delimiter")  # fmt: skip
# What an arXiv feed says nothing of is null; OpenAlex and the Hub write names, GitHub writes SPDX identifiers.
_LICENSES: tuple[tuple[str | None, ...], ...] = (
    (None,), (None, "MIT", "MIT", "Apache-2.0", "GPL-3.0", "BSD-3-Clause"), (None, "mit", "apache-2.0", "openrail"),
    (None, None, "cc-by", "publisher-specific-oa"),
)  # fmt: skip
_VERSIONS: tuple[tuple[str | None, ...], ...] = (
    ("v1", "v1", "v2"), (None, "2026-03-26T14:11:09+00:00"), ("main", "0f3a9c1d", None), (None,),
)  # fmt: skip
_STATUSES: tuple[tuple[str | None, ...], ...] = (
    ("active",) * 99 + ("withdrawn",), ("active",) * 24 + ("archived",), ("active",) * 19 + ("gated",),
    ("active",) * 499 + ("withdrawn",),
)  # fmt: skip


def trace_tables(world: World, items: Items, said: Said) -> Tables:
    """The tables of the stage, each made when it is asked for."""
    yield "traces.works", _works(world, items)
    yield "traces.references", reference_rows(world, items, said)
    yield "traces.metrics", _metrics(world, items)
    yield "traces.people", _people(world, items)
    yield "traces.identities", _identities(world, items)
    for name in ("traces.claims", "traces.payouts", "traces.optouts", "traces.contributions", "traces.texts"):
        yield name, schemas.table(name).empty()  # nobody of a made-up world wants to be paid or says anything
    yield "traces.rejects", _rejects(world, items)


def _works(world: World, items: Items) -> pl.DataFrame:
    work, kind = items.work, world.kind[items.work]
    code = 3 * work + items.slot

    def of_service(words: Sequence[Sequence[str | None]]) -> pl.Series:
        def made(number: int) -> Callable[[Ints], pl.Series]:
            some = words[number]
            return lambda rows: words_at(some, world.pick(f"{some}", work[rows], len(some)))

        return assembled(work.size, [(items.service == number, made(number)) for number in range(len(words))])

    identifier = identifiers(world, code)
    native = identifier.str.replace("^[a-z]+:", "")
    return framed(
        "traces.works",
        {
            "work_id": identifier,
            "kind": words_at([one.name for one in KINDS], kind),
            "event": words_at(("created", "updated"), items.is_update.astype(np.int64)),
            "event_at": timestamps(items.at),
            "title": titles(world, code),
            "created_at": timestamps(np.where(items.slot == RECORD, items.at, world.created[work])),
            "version": of_service(_VERSIONS),
            "status": of_service(_STATUSES),
            "license": of_service(_LICENSES),
            "owner": owners(world, work),
            "native_id": masked(world.chance("native", work) < 0.97, native),
            "url": masked(world.chance("url", work) < 0.99, formatted("https://example.org/{}", native)),
            "fields": _fields(world, work),
            "tags": words_at(_TAGS, np.where(items.service == ARXIV, 0, world.pick("tags", work, len(_TAGS)))),
            "topics": words_at(_TOPICS, world.pick("topics", work, len(_TOPICS))),
            **_provenance(items, items.page, items.service),
        },
    )


def _fields(world: World, work: Ints) -> pl.Series:
    """Primary and, for half of them, a second category of papers; a language or a task of others, if any."""
    many = len(CATEGORIES)
    pairs = [(one,) if one == two else (one, two) for one, *_ in CATEGORIES for two, *_ in CATEGORIES]
    others = [(name,) for name in (*_LANGUAGES, *_TASKS)]
    first = world.field[work].astype(np.int64)
    second = np.where(world.chance("crossed", work) < 0.5, first, world.pick("second", work, many))
    language = len(pairs) + world.pick("language", work, len(_LANGUAGES))
    task = len(pairs) + len(_LANGUAGES) + world.pick("task", work, len(_TASKS) + 1)
    kind = world.kind[work]
    place = np.where(kind == PAPER, first * many + second, np.where(kind == REPOSITORY, language, task))
    return words_at([*pairs, *others, ()], place)


def reference_rows(world: World, items: Items, said: Said) -> pl.DataFrame:
    """`traces.references`, for all or for some of what is said."""
    ends = {"source_id": identifiers(world, said.source), "target_id": identifiers(world, said.target)}
    return framed("traces.references", ends | saying(world, items, said))


def saying(world: World, items: Items, said: Said) -> dict[str, pl.Series]:
    """The columns of references beside their two ends."""
    work = items.work[said.item]
    by_arxiv = is_by_arxiv(world, said.row, work)
    again = world.references.second[said.row] & (world.kind[work] == PAPER)
    form = np.where(again, len(LINKS), world.references.link[said.row])
    before, after = zip(*(text.split("{}") for text in (*(one.evidence for one in LINKS), SAID_TWICE)), strict=True)
    evidence = formatted(
        "{}{}{}", words_at(before, form), said.row - world.references.starts[work], words_at(after, form)
    )
    return {
        "relation": words_at(schemas.RELATIONS, said.relation),
        "event_at": timestamps(items.at[said.item]),
        "evidence": evidence,
        **_provenance(items, items.page[said.item], np.where(by_arxiv, ARXIV, items.service[said.item])),
    }


def _metrics(world: World, items: Items) -> pl.DataFrame:
    """Counters with a heavy tail, the median as given; null where the answer came too late."""
    hub = items.service == HUGGINGFACE
    counted = (
        ("stars", items.service == GITHUB, 8),
        ("forks", items.service == GITHUB, 1),
        ("likes", hub, 2),
        ("downloads", hub & (world.kind[items.work] != SPACE), 120),
        ("citations", items.service == OPENALEX, 6),
    )
    rows = np.concatenate([np.flatnonzero(mask) for _, mask, _ in counted])
    metric = np.repeat(np.arange(len(counted)), [int(mask.sum()) for _, mask, _ in counted])
    work = items.work[rows]
    median = np.array([size for *_, size in counted])[metric]
    tail = 1 / (1 - world.chance("count", work * len(counted) + metric)) - 1
    # Citations have a thinner tail than what a click gives.
    value = np.minimum(median * np.where(metric == len(counted) - 1, np.sqrt(tail), tail), 1e9).astype(np.int64)
    return framed(
        "traces.metrics",
        {
            "work_id": identifiers(world, 3 * work + items.slot[rows]),
            "metric": words_at([name for name, *_ in counted], metric),
            "value": masked(~items.page_late[items.page[rows]], value),
            "event_at": timestamps(np.full(rows.size, items.last_instant)),
            **_provenance(items, items.page[rows], items.service[rows]),
        },
    )


def _people(world: World, items: Items) -> pl.DataFrame:
    """The team of each paper, by OpenAlex with accounts and, of some, ORCID iDs; the owner of the rest."""
    is_paper = world.kind[items.work] == PAPER
    papers = np.flatnonzero(is_paper)
    team = world.group[items.work[papers]]
    starts = world.teams.starts[team]
    counts = world.teams.starts[team + 1] - starts
    held = np.flatnonzero(~is_paper & (world.group[items.work] >= 0))
    place = ranges(starts, counts)
    rows = np.concatenate([np.repeat(papers, counts), held])
    author = np.concatenate([world.teams.members[place].astype(np.int64), np.zeros(held.size, dtype=np.int64)])
    position = np.concatenate([place - np.repeat(starts, counts), np.zeros(held.size, dtype=np.int64)]) + 1
    is_author = np.arange(rows.size) < place.size
    by_openalex = items.service[rows] == OPENALEX
    account = masked(by_openalex, formatted("openalex:A{}", 5_000_000_000 + author))
    owner = owners(world, items.work).gather(rows)
    return framed(
        "traces.people",
        {
            "work_id": identifiers(world, 3 * items.work + items.slot).gather(rows),
            "role": words_at(("owner", "author"), is_author.astype(np.int64)),
            "position": series(position),
            "name": masked(is_author, author_names(author)),
            "orcid": masked(by_openalex & has_orcid(world.shape.seed, author), orcids(author)),
            "account": masked(is_author, account, owner),
            "event_at": timestamps(items.at[rows]),
            **_provenance(items, items.page[rows], items.service[rows]),
        },
    )


def _identities(world: World, items: Items) -> pl.DataFrame:
    """arXiv names the DOI of its papers, OpenAlex that of its records (maybe arXiv's own); some are taken back."""
    day, start = items.day, start_of(world.shape.date_of(items.day))
    with_doi = np.flatnonzero((items.slot == OWN) & world.has_doi[items.work])
    at_once = np.flatnonzero((items.slot == RECORD) & (world.link_day[items.work] == day))
    late = np.flatnonzero((world.link_day == day) & (world.record_day != day))
    gone = np.flatnonzero(world.leave_day == day)
    work = np.concatenate([items.work[with_doi], items.work[at_once], late, gone])
    sort = np.repeat(np.arange(4), [with_doi.size, at_once.size, late.size, gone.size])
    by_arxiv = (sort == 0) | (sort == 3)
    service = np.where(by_arxiv, ARXIV, OPENALEX)
    left = np.where(by_arxiv | ~world.has_doi[work], OWN, DOI)
    right = np.where(by_arxiv, DOI, RECORD)
    hours = np.array([[12], [18]], dtype=np.int64) * 3_600_000_000 + start
    at = [items.at[with_doi], items.at[at_once], np.repeat(hours[0], late.size), np.repeat(hours[1], gone.size)]
    page = [items.page[with_doi], items.page[at_once], items.odd_page[service[sort >= 2]]]
    return framed(
        "traces.identities",
        {
            "left_id": identifiers(world, 3 * work + left),
            "right_id": identifiers(world, 3 * work + right),
            "same": series(sort != 3),
            "event_at": timestamps(np.concatenate(at)),
            "evidence": words_at(("arxiv:doi", "openalex:doi"), (~by_arxiv).astype(np.int64)),
            **_provenance(items, np.concatenate(page), service),
        },
    )


def _rejects(world: World, items: Items) -> pl.DataFrame:
    rows = np.flatnonzero(world.chance(f"rejected {items.day}", np.arange(items.work.size)) < shares.REJECTED)
    return framed(
        "traces.rejects",
        {
            "locator": formatted("entry {}", rows),
            "reason": words_at(_REASONS, rows % len(_REASONS)),
            "event_at": timestamps(np.full(rows.size, items.last_instant)),
            **_provenance(items, items.page[rows], items.service[rows]),
        },
    )


def _provenance(items: Items, page: Ints, service: Ints) -> dict[str, pl.Series]:
    return {
        "source": words_at(schemas.SOURCES, service),
        "observed_at": timestamps(items.page_observed[page]),
        "raw_sha256": items.page_sha256.gather(page),
    }
