"""What a past day may say: what is asked for it, which counters it has, and that nothing seen too late reaches a
result that says it was observed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote_plus

import dagster as dg
import polars as pl
import pytest

from coevo_pipelines.lake.ledger import Commit
from coevo_pipelines.lake.schemas import SOURCES
from coevo_pipelines.lake.store import Lake, vintage
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.sample.server import answer_time, serve
from coevo_pipelines.scrapes.capture import append
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.traces.normalize import normalize
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, misbehaving, relay

OPENING, QUIET, BUSY = DAYS
LATE = timedelta(days=30)
"""Long after the grace period of two days."""

# What is asked


@dataclass(frozen=True)
class Past:
    """One row of the table in `spec/sources.md`: what a scrape of `BUSY` sends."""

    dates: tuple[str, ...]
    """Each stands in some request, whenever the day is asked for."""
    only_recent: tuple[str, ...] = ()
    """Each stands in a request while the day is recent, and in none once it is past: it would tell of now."""
    counters: tuple[str, ...] = ()
    """Metrics: numbers while the day is recent, null once it is past."""
    asks: bool = True


TABLE: Mapping[str, Past] = {
    "arxiv": Past(("submittedDate:[201903270000 TO 201903272359]",)),
    "arxiv_oai": Past(("metadataPrefix=arXivRaw&from=2019-03-26&until=",)),
    "github": Past(
        ("created:2019-03-27T00:00:00Z..2019-03-27T23:59:59Z",),
        ("pushed:", "/contributors?", "/contents/.github/FUNDING.yml", 
         "/contents/.all-contributorsrc"),
        ("stars", "forks"),
    ),
    "huggingface": Past(("sort=createdAt", "/raw/main/README.md"), (), ("likes", "downloads")),
    "openalex": Past(("from_publication_date:2019-03-27,to_publication_date:2019-03-27",), (), ("citations",)),
    "semanticscholar": Past(("publicationDateOrYear=2019-03-27:2019-03-27",), (), ("citations",)),
    "crossref": Past(("from-created-date:2019-03-27,until-created-date:2019-03-27",), (), ("citations",)),
    "register": Past((), asks=False),
}  # fmt: skip


def settings_of(lake: Path) -> Settings:
    # A day of one's own: the sample's own last day is no end.
    return load_settings(lake=lake, start_date=date(2019, 3, 25), http={"retries": 0, "backoff_s": 0.01})


def captured(name: str, day: date, at: datetime, root: str, settings: Settings, journal: Path) -> Capture:
    """A real scrape at `at`, whatever the time is."""
    endpoint = Endpoint(f"{root}/{name}", f"sample://{name}", lambda: at)
    if name == "register":
        return Capture((Exchange("GET", "file:register.toml", 200, {}, at, b""),), "")
    return collect(name, settings.window(day), settings, endpoint, Journal(journal / f"{name}-{day}-{at:%s}.jsonl"))


def test_every_source_is_in_the_table() -> None:
    of_hubs = {"hubs", "gbif", "nasa_power"}  # whose past days are in tests of their own
    assert set(TABLE) == set(SOURCES) - of_hubs


@pytest.mark.parametrize("name", TABLE)
def test_what_is_asked_for_a_past_day(name: str, tmp_path: Path) -> None:
    past, settings = TABLE[name], settings_of(tmp_path / "lake")
    sent: dict[str, list[str]] = {}
    counted: dict[str, dict[str, list[int | None]]] = {}
    for when, at in {"recent": answer_time(BUSY), "past": answer_time(BUSY) + LATE}.items():
        with serve(BUSY) as root, misbehaving(relay(root)) as server:
            capture = captured(name, BUSY, at, server.url, settings, tmp_path)
        assert capture.complete, capture.reason
        sent[when] = [unquote_plus(f"{seen.target} {seen.headers.get('x', '')}") for seen in server.seen]
        traces = normalize(name, capture.exchanges, settings.window(BUSY), settings.topics, settings.grace)
        counted[when] = {}
        for row in traces.rows["metrics"]:
            counted[when].setdefault(row["metric"], []).append(row["value"])
        expected = "observed" if when == "recent" else "reconstructed"
        observed_until = max(exchange.fetched_at for exchange in capture.exchanges)
        assert vintage(BUSY, observed_until, settings.grace) == expected
        for dates in past.dates:
            assert any(dates in one for one in sent[when]), (dates, sent[when][:5])
    assert all(bool(requests) == past.asks for requests in sent.values())
    for what in past.only_recent:
        assert any(what in one for one in sent["recent"]), what
        assert not any(what in one for one in sent["past"]), what
    assert set(counted["recent"]) == set(counted["past"]) == set(past.counters)
    for metric in past.counters:
        assert None not in counted["recent"][metric]
        assert set(counted["past"][metric]) == {None}


# What reaches a result

NUMBER = 987_654_321
WORD = "planted"
STAGES = ("traces", "citations", "influence", "rewards", "genome", "corpora", "swarm")


def later(root: str) -> Callable[[Seen], Answer]:
    """The services a month later: other counters, titles, versions, licences, links, people, and one more work each."""
    pass_on = relay(root)

    def answered(request: Seen) -> Answer:
        answer = pass_on(request)
        if answer.status != 200:
            return answer
        service = request.path.split("/")[1]
        if service == "arxiv":
            return replace(answer, body=_later_feed(answer.body))
        if request.path.endswith("/raw/main/README.md"):
            return replace(answer, body=answer.body + f"\nhttps://github.com/{WORD}/card\n".encode())
        value = json.loads(answer.body)
        items = value.get("items", value.get("results")) if isinstance(value, dict) else value
        if isinstance(value, dict) and value.get("encoding") == "base64":
            said = base64.b64decode(value["content"]) + f"\nhttps://github.com/{WORD}/readme\n".encode()
            value["content"] = base64.encodebytes(said).decode()
        elif request.path.endswith("/contributors"):
            value.append({"login": WORD, "type": "User", "contributions": NUMBER})
        elif isinstance(items, list) and items and isinstance(items[0], dict) and not _is_listing(items[0]):
            items.append(_another(items[0]))
            for item in items:
                item.update((field, value) for field, value in _LATER_FIELDS.items() if field in item)
        return replace(answer, body=json.dumps(value).encode())

    return answered


_LATER_FIELDS = {
    "stargazers_count": NUMBER, "forks_count": NUMBER, "likes": NUMBER, "downloads": NUMBER, "cited_by_count": NUMBER,
    "title": f"{WORD} title", "sha": WORD, "license": {"spdx_id": WORD}, "language": WORD, "pipeline_tag": WORD,
    "archived": True, "gated": "auto", "is_retracted": True, "tags": [WORD, "arxiv:9901.77777"],
    "referenced_works": ["https://openalex.org/W911111111"],
}  # fmt: skip


def _is_listing(item: dict[str, Any]) -> bool:
    return "type" in item and "path" in item


def _another(item: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {
        "full_name": f"{WORD}/work",
        "name": WORD,
        "doi": None,
        "ids": {},
        "modelId": f"{WORD}/work",
    }
    own = "https://openalex.org/W911111110" if "publication_date" in item else f"{WORD}/work"
    return item | {name: value for name, value in names.items() if name in item} | {"id": own}


def _later_feed(body: bytes) -> bytes:
    first, _, rest = body.partition(b"<entry>")
    if not rest:
        return body
    entry = rest.partition(b"</entry>")[0]
    number = entry.partition(b"/abs/")[2].partition(b"v1<")[0]
    another = b"<entry>" + entry.replace(number, b"1903.99999") + b"</entry>"
    changed = (another + b"<entry>" + rest).replace(b"v1</id>", b"v7</id>")
    return first + changed.replace(b"<title>", b"<title>" + WORD.encode() + b" ")


def deadline(day: date, settings: Settings) -> datetime:
    return settings.window(day).end + settings.grace


def raw_below(lake: Lake, commit: Commit) -> dict[tuple[str, str], Commit]:
    """The partitions of raw exchanges that a result was computed from, through all that lies between."""
    index, found, pending = lake.snapshot().index, dict[tuple[str, str], Commit](), [commit]
    done: set[tuple[str, str]] = set()
    while pending:
        one = pending.pop()
        for given in one.inputs:
            for below in index.partitions(given.table):
                covered = below.date == given.date or (given.scope == "upto" and below.date < given.date)
                if covered and (below.table, below.date) not in done:
                    done.add((below.table, below.date))
                    pending.append(below)
                    if below.table.startswith("scrapes."):
                        found[below.table, below.date] = below
    return found


def text_of(frame: pl.DataFrame) -> str:
    return frame.drop(name for name, dtype in frame.schema.items() if dtype == pl.Binary).write_ndjson().lower()


def derived(lake: Lake) -> Iterator[Commit]:
    index = lake.snapshot().index
    for stage in STAGES:
        for folder in sorted(path for path in (lake.root / stage).glob("*") if path.is_dir()):
            yield from index.partitions(f"{stage}.{folder.name}")


def check_no_leak(lake: Lake, settings: Settings) -> dict[tuple[str, str], str]:
    """Nothing of an `observed` partition was seen too late: not its rows, not its raw exchanges, not its words."""
    vintages = {}
    for commit in derived(lake):
        vintages[commit.table, commit.date] = commit.vintage
        frame = lake.scan(commit.table, on=commit.day).collect()
        assert str(NUMBER) not in text_of(frame), f"{commit.table} {commit.date}: a counter of today"
        if commit.vintage != "observed":
            continue
        until = deadline(commit.day, settings)
        assert WORD not in text_of(frame), f"{commit.table} {commit.date}"
        if "observed_at" in frame.columns:
            assert frame.filter(pl.col("observed_at") > until).is_empty(), f"{commit.table} {commit.date}"
        for table, day in raw_below(lake, commit):
            fetched = lake.scan(table, on=date.fromisoformat(day)).collect()["fetched_at"]
            assert fetched.filter(fetched > until).is_empty(), f"{commit.table} {commit.date} reads {table} {day}"
    assert verify(lake.root).findings == ()
    return vintages


@cache
def asked(name: str, day: date, at: datetime, changed: bool) -> Capture:
    """The same for all tests: what a scrape brings depends on nothing else."""
    with (
        TemporaryDirectory() as folder,
        serve(day) as root,
        misbehaving(later(root) if changed else relay(root)) as server,
    ):
        return captured(name, day, at, server.url, settings_of(Path(folder) / "lake"), Path(folder))


class World:
    """A lake that is filled capture by capture, and computed by the real job."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_of(folder / "lake")
        self.lake = open_lake(self.settings)
        self.sources = [name for name, source in self.settings.sources.items() if source.enabled]
        self.stages: tuple[str, ...] = ("traces",)

    def capture(self, name: str, day: date, at: datetime, *, changed: bool = False) -> Capture:
        return asked(name, day, at, changed)

    def append(self, name: str, day: date, capture: Capture) -> None:
        append(self.lake, f"scrapes.{name}", day, capture)

    def in_time(self, day: date, *without: str) -> None:
        for name in self.sources:
            if name not in without:
                self.append(name, day, self.capture(name, day, answer_time(day)))

    def late(self, day: date, *names: str) -> None:
        for name in names:
            self.append(name, day, self.capture(name, day, answer_time(day) + LATE, changed=True))

    def compute(self, *days: date) -> dict[str, str]:
        """Run `stages` for the days, as the UI does, but that no log is kept of it: that took as long as the rest.
        The vintage by stage of the last day's tables."""
        from coevo_pipelines.definitions import build_definitions

        definitions = build_definitions(self.settings)
        graph = definitions.resolve_asset_graph()
        keys = [key for key in graph.get_all_asset_keys() if key.path[0] in self.stages]
        span = {"dagster/asset_partition_range_start": str(days[0]), "dagster/asset_partition_range_end": str(days[-1])}
        with dg.DagsterInstance.ephemeral() as opened:
            job = definitions.resolve_implicit_global_asset_job_def()
            assert job.execute_in_process(instance=opened, asset_selection=keys, tags=span).success
        return self.vintages(days[-1])

    def vintages(self, day: date) -> dict[str, str]:
        found: dict[str, set[str]] = {}
        for (table, at), said in check_no_leak(self.lake, self.settings).items():
            if at == str(day):
                found.setdefault(table.partition(".")[0], set()).add(said)
        return {stage: " and ".join(sorted(said)) for stage, said in found.items()}

    def rows(self, table: str, day: date) -> pl.DataFrame:
        return self.lake.scan(table, on=day).collect()


OBSERVED, RECONSTRUCTED = {"traces": "observed"}, {"traces": "reconstructed"}
ALL_OBSERVED = dict.fromkeys(("traces", "citations", "influence"), "observed")
ALL_RECONSTRUCTED = dict.fromkeys(ALL_OBSERVED, "reconstructed")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_seen_late_never_stands_for_what_was_seen_in_time(world: World) -> None:
    """Every source asked again a month later. The rows of the day stand to the byte; what is new says reconstructed."""
    world.stages = ("traces", "citations", "influence")
    world.in_time(BUSY)
    assert world.compute(BUSY) == ALL_OBSERVED
    tables = [commit.table for commit in derived(world.lake) if commit.table.startswith("traces.")]
    before = {table: world.rows(table, BUSY) for table in tables}
    world.late(BUSY, *(name for name in world.sources if name != "register"))
    assert world.compute(BUSY) == ALL_RECONSTRUCTED
    for table, rows in before.items():
        kept = world.rows(table, BUSY).filter(pl.col("observed_at") <= deadline(BUSY, world.settings))
        assert kept.equals(rows), table
    new = world.rows("traces.works", BUSY).filter(pl.col("observed_at") > deadline(BUSY, world.settings))
    assert {"github:planted/work", "openalex:W911111110", "arxiv:1903.99999"} <= set(new["work_id"])
    assert {"hf:model/planted/work", "hf:dataset/planted/work", "hf:space/planted/work"} & set(new["work_id"])
    counters = world.rows("traces.metrics", BUSY).filter(pl.col("work_id").is_in(new["work_id"].implode()))
    assert counters.height > 0 and counters["value"].null_count() == counters.height
    assert "github:planted/readme" in world.rows("traces.references", BUSY)["target_id"].to_list()


@pytest.mark.parametrize("name", ["github", "openalex"])
def test_a_source_that_came_late_makes_the_day_reconstructed(name: str, world: World) -> None:
    """It was down while the day was recent. What the others said in time stands."""
    world.in_time(BUSY, name)
    down = Exchange("GET", f"sample://{name}/", None, {}, answer_time(BUSY), b"", "it was down")
    world.append(name, BUSY, Capture((down,), "it was down"))
    assert world.compute(BUSY) == OBSERVED
    assert name not in world.rows("traces.works", BUSY)["source"].to_list()
    world.late(BUSY, name)
    assert world.compute(BUSY) == RECONSTRUCTED
    assert name in world.rows("traces.works", BUSY)["source"].to_list()


def test_a_file_read_late_of_a_work_seen_in_time(world: World) -> None:
    """The search came in time, the README a month later: the links are there, and the day says reconstructed."""
    world.in_time(BUSY, "github")
    whole = world.capture("github", BUSY, answer_time(BUSY))
    page = tuple(one for one in whole.exchanges if "/search/" in one.url)
    world.append("github", BUSY, Capture(page, "died after the search"))
    assert world.compute(BUSY) == OBSERVED
    stars = world.rows("traces.metrics", BUSY)
    world.late(BUSY, "github")
    assert world.compute(BUSY) == RECONSTRUCTED
    found = world.rows("traces.references", BUSY).filter(target_id="github:planted/readme")
    assert found.height > 0 and found["observed_at"].min() == answer_time(BUSY) + LATE
    after = world.rows("traces.metrics", BUSY)
    assert after.filter(pl.col("observed_at") <= deadline(BUSY, world.settings)).equals(stars)
    assert after.filter(pl.col("work_id") == "github:planted/work")["value"].null_count() > 0


@pytest.mark.parametrize("is_journal", [False, True], ids=["asked nothing", "from a journal of before"])
def test_a_later_capture_does_not_hide_a_late_one(is_journal: bool, world: World) -> None:
    """A spent budget, or an unreadable register, ends a scrape before it asks: the late rows below it stay late."""
    world.in_time(BUSY, "openalex")
    works = replace(world.capture("openalex", BUSY, answer_time(BUSY) + LATE, changed=True), reason="died")
    world.append("openalex", BUSY, works)
    assert world.compute(BUSY) == RECONSTRUCTED
    again = world.capture("openalex", BUSY, answer_time(BUSY)).exchanges if is_journal else ()
    world.append("openalex", BUSY, Capture(again, "the budget of today is spent"))
    assert world.compute(BUSY) == RECONSTRUCTED


def test_a_graph_that_reads_a_reconstructed_day_is_reconstructed(world: World) -> None:
    """Citations and influence read all days up to their own: one that came too late for them taints them, not the
    day's own traces; and a day whose grace period covers it is observed."""
    world.stages = ("traces", "citations")
    observed, reconstructed = OBSERVED | {"citations": "observed"}, RECONSTRUCTED | {"citations": "reconstructed"}
    far = BUSY + LATE
    for day in (QUIET, BUSY):
        world.in_time(day)
    assert world.compute(QUIET, BUSY) == observed
    before = {table: world.rows(table, BUSY) for table in ("traces.works", "traces.metrics", "traces.references")}
    world.late(QUIET, "openalex")
    assert world.compute(QUIET) == reconstructed
    assert world.vintages(BUSY) == reconstructed | {"traces": "observed"}
    assert all(world.rows(table, BUSY).equals(rows) for table, rows in before.items())
    for name in world.sources:
        world.append(name, far, Capture((Exchange("GET", f"sample://{name}/", 404, {}, answer_time(far), b""),), ""))
    assert world.compute(far) == observed
