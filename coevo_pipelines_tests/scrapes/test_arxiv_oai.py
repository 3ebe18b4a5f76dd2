"""arXiv by OAI-PMH: whole scrapes of the sample and of a server that misbehaves, and the parser on all recordings.

The recordings are the official server's own answers in three formats, answers that ADS kept (2017-2023) with the
parses that ADS expects of them, and Sickle's samples of the protocol's errors. Snapshots of arXiv's metadata made by
others (docmeta, Kaggle, the dump of 2020) are no answers of this service. Of them the Kaggle rows hold authors lines
with arXiv's own parse, and serve in traces/test_authors.py; one paper of theirs is in the recordings and is compared
here. The others share no identifier with what is recorded.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.sample.server import answer_time, serve
from coevo_pipelines.scrapes import arxiv, arxiv_oai
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import SWARM_INTELLIGENCE, Settings, Topic, load_settings
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines.traces.records import Traces, xml_root
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, misbehaving, relay
from coevo_pipelines_tests.scrapes.parsing import GRACE, WIDE, by_id, counts, day, names, part, reasons
from coevo_pipelines_tests.scrapes.recordings import answer, file, json_lines, recordings

OPENING, QUIET, BUSY = DAYS
URL = "https://oaipmh.arxiv.org/oai?verb=ListRecords&metadataPrefix=arXivRaw"
OFFICIAL = "arxiv/oai_2026_official_server_output"
ADS = "arxiv/oai_2017_2023_ads"
SICKLE = "arxiv/oai_sickle_samples"
EVERYTHING = Topic(name="everything", terms=tuple("aeiouyst"))
"""Every title has a word that begins so."""


# --- asking --------------------------------------------------------------------------------------------


class Ask:
    """Collects with a journal of the test's own; asked twice it resumes, as the next run would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def journal(self, name: str, day: date) -> Journal:
        return Journal(self.folder / name / f"{day}.jsonl")

    def __call__(
        self, root: str, day: date = BUSY, *, name: str = "arxiv_oai", now: datetime | None = None, **changes: Any
    ) -> Capture:
        settings = impatient(**changes)
        where = Endpoint(f"{root}/{name}", f"sample://{name}", lambda: now or answer_time(day))
        return collect(name, settings.window(day), settings, where, self.journal(name, day))


def impatient(**changes: Any) -> Settings:
    return load_settings(http={"retries": 1, "backoff_s": 0.01}, **changes)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return Ask(tmp_path / "journal")


NARROW = {"name": "swarm-intelligence", "terms": ["swarm intelligence"], "arxiv_sets": ["cs", "physics:nlin"]}
ONE_SET = NARROW | {"arxiv_sets": ["cs"]}


def asked(request: Seen) -> dict[str, str]:
    """What a request asks for; a token says it in its own words."""
    return {name: unquote(value) for name, value in request.parameters.items()}


def works_of(capture: Capture, name: str, day: date, topics: tuple[Topic, ...] = (SWARM_INTELLIGENCE,)) -> Any:
    window = load_settings().window(day)
    return frames([normalize(name, capture.exchanges, window, topics, GRACE)], window, GRACE)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_day_has_the_same_works_by_oai_as_by_the_query_api(day: date, ask: Ask) -> None:
    with serve(day) as root:
        by_oai, by_query = ask(root, day), ask(root, day, name="arxiv")
    assert by_oai.complete, by_oai.reason
    told = works_of(by_oai, "arxiv_oai", day), works_of(by_query, "arxiv", day)
    for name in ("traces.works", "traces.people", "traces.identities", "traces.texts"):
        key = [column for column in schemas.table(name).key if column != "source"]
        one, other = (each[name].drop("source", "raw_sha256", strict=False).sort(key) for each in told)
        assert one.equals(other), name
    assert told[0]["traces.rejects"].height == 0
    assert told[0]["traces.works"].height == {OPENING: 266, QUIET: 1, BUSY: 3}[day]


def test_a_recent_day_is_one_list_a_set_from_the_day_before_until_now(ask: Ask) -> None:
    with serve(BUSY) as sample, misbehaving(relay(sample)) as server:
        assert ask(server.url, topics=[NARROW]).complete
        lists = [asked(request) for request in server.seen]
    expected = {"verb": "ListRecords", "metadataPrefix": "arXivRaw"}
    dates = {"from": f"{BUSY - timedelta(days=1)}", "until": f"{BUSY + timedelta(days=1)}"}
    assert lists == [expected | dates | {"set": "cs"}, expected | dates | {"set": "physics:nlin"}]


def test_the_first_partition_is_listed_from_the_first_datestamp_on_year_by_year(ask: Ask) -> None:
    with serve(OPENING) as sample, misbehaving(relay(sample)) as server:
        capture = ask(server.url, OPENING, topics=[ONE_SET])
        lists = [asked(request) for request in server.seen if "from" in request.parameters]
        pages = [asked(request) for request in server.seen if "resumptionToken" in request.parameters]
    assert capture.complete, capture.reason
    assert lists[0]["from"] == "2005-09-16"
    assert lists[-1]["until"] == f"{OPENING + timedelta(days=1)}"
    for earlier, later in pairwise(lists):
        assert date.fromisoformat(later["from"]) - date.fromisoformat(earlier["until"]) == timedelta(days=1)
    assert len(lists) == 14
    assert all(set(page) == {"verb", "resumptionToken"} for page in pages)
    assert pages


def test_a_single_day_far_back_is_refused_with_the_way_out_and_nothing_is_asked(ask: Ask) -> None:
    far = answer_time(BUSY) + arxiv_oai.FARTHEST
    with misbehaving([]) as server:
        capture = ask(server.url, now=far)
        assert server.seen == []
    assert not capture.complete
    assert "sources.arxiv.enabled" in capture.reason
    assert "\n" not in capture.reason


def test_before_the_first_datestamp_nothing_is_asked_and_the_day_is_complete(ask: Ask) -> None:
    early = date(1999, 1, 2)
    with misbehaving([]) as server:
        assert ask(server.url, early, start_date=date(1999, 1, 1), history_from=date(1999, 1, 1)).complete
        assert server.seen == []


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([("cs",)], ["cs"]),
        ([("cs", "cs:cs:NE")], ["cs"]),
        ([("cs:cs:NE",), ("cs", "math")], ["cs", "math"]),
        ([("physics:nlin",), ("physics:nlin",)], ["physics:nlin"]),
        ([("cs",), ()], [""]),
        ([("q-bio", "q-fin")], ["q-bio", "q-fin"]),
    ],
)
def test_no_set_is_asked_twice_or_inside_another(chosen: list[tuple[str, ...]], expected: list[str]) -> None:
    topics = tuple(Topic(name=f"t{number}", terms=("x",), arxiv_sets=sets) for number, sets in enumerate(chosen))
    assert arxiv_oai._sets(topics) == expected


def test_the_sets_of_the_default_topic_are_sets_of_the_service() -> None:
    listed = {node.text for node in xml_root(file(f"{OFFICIAL}/ListSets.xml")).iter("{*}setSpec")}
    assert set(SWARM_INTELLIGENCE.arxiv_sets) <= listed
    assert SWARM_INTELLIGENCE.arxiv_sets


def test_a_kill_resumes_from_the_last_page(ask: Ask) -> None:
    with serve(OPENING) as sample:
        whole = Ask(ask.folder / "undisturbed")(sample, OPENING, topics=[ONE_SET])
        journal = ask.journal("arxiv_oai", OPENING)
        kept = len(whole.exchanges) - 3
        for exchange in whole.exchanges[:kept]:
            journal.append(exchange)
        with journal.path.open("ab") as stream:
            stream.write(b'{"method": "GET", "url": "half a line')  # killed while writing
        with misbehaving(relay(sample)) as server:
            capture = ask(server.url, OPENING, topics=[ONE_SET])
            assert len(server.seen) == 3
    assert capture == whole
    assert "resumptionToken" in whole.exchanges[kept].url or kept


def test_a_source_that_dies_on_the_way_keeps_its_pages_for_the_next_run(ask: Ask) -> None:
    down = False

    def play(request: Seen) -> Step:
        return (
            Answer(503, b"<html>busy</html>") if down and "resumptionToken" in request.parameters else passed(request)
        )

    with serve(OPENING) as sample:
        passed = relay(sample)
        with misbehaving(play) as server:
            down = True
            capture = ask(server.url, OPENING, topics=[ONE_SET])
            assert (capture.complete, capture.resumable) == (False, True)
            assert "HTTP 503" in capture.reason
            good = sum(exchange.ok for exchange in capture.exchanges)
            ask.journal("arxiv_oai", OPENING).keep_good()
            down, before = False, len(server.seen)
            again = ask(server.url, OPENING, topics=[ONE_SET])
            assert again.complete, again.reason
            assert len(server.seen) - before == len(again.exchanges) - good


ENVELOPE = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><request/>{}</OAI-PMH>'


def said(content: str) -> Answer:
    return Answer(200, ENVELOPE.format(content).encode(), {"Content-Type": "text/xml"})


def header(number: str, more: str = "") -> str:
    return f"<header{more}><identifier>oai:arXiv.org:{number}</identifier><datestamp>2019-03-27</datestamp></header>"


def record(
    number: str = "1903.00001",
    dates: tuple[str, ...] = ("Wed, 27 Mar 2019 01:02:03 GMT",),
    more: str = "",
    title: str = "Swarm intelligence",
) -> str:
    versions = "".join(
        f'<version version="v{place}"><date>{at}</date><size>9kb</size></version>'
        for place, at in enumerate(dates, start=1)
    )
    return (
        f'<record>{header(number)}<metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{number}</id>'
        f"<submitter>A</submitter>{versions}<title>{title}</title><authors>A. Author</authors>"
        f"<categories>cs.NE math.OC</categories>{more}</arXivRaw></metadata></record>"
    )


def listed(*records: str, token: str = "", size: int | None = None) -> Answer:
    announced = "" if size is None else f' completeListSize="{size}"'
    return said(f"<ListRecords>{''.join(records)}<resumptionToken{announced}>{token}</resumptionToken></ListRecords>")


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        ([said('<error code="noRecordsMatch"/>')], ""),
        ([listed(record())], ""),
        ([said(f"<ListRecords>{record()}</ListRecords>")], ""),
        ([listed(record(), token="t1"), said('<error code="noRecordsMatch"/>')], ""),
        ([listed(record(), token="t1"), listed(record("1903.00002"))], ""),
        ([listed(token="t1"), listed(record())], ""),
        ([listed(record(), size=1)], ""),
        (
            [listed(record(), token="t1", size=3), listed(record("1903.00002"))],
            "/oai: cs from {day} until {now}: 2 records came, 3 were announced",
        ),
        (
            [listed(record(), token="t1"), listed(record("1903.00002"), token="t1")],
            "/oai: cs from {day} until {now}: the resumption token repeats after 2 records",
        ),
        (
            [listed(record(), token=f"t{page}") for page in range(1, 5)],
            "/oai: cs from {day} until {now}: 3 pages in a row bring no new record after 1",
        ),
        (
            [listed(record(), token="t1"), listed(record(), token="t2"), listed(record("1903.00002"))],
            "",
        ),
        (
            [said('<error code="badArgument">until is  wrong</error>')],
            "/oai: cs from {day} until {now}: the service says badArgument: until is wrong",
        ),
        (
            [said('<error code="badResumptionToken"/>')],
            "/oai: cs from {day} until {now}: the service says badResumptionToken: ",
        ),
        ([Answer(404, b"gone away")], "/oai: HTTP 404: gone away"),
    ],
)
def test_how_a_list_ends(play: list[Step], reason: str, ask: Ask) -> None:
    with misbehaving(play) as server:
        capture = ask(server.url, topics=[ONE_SET])
        assert len(server.seen) == len(play)
    expected = reason.format(day=BUSY - timedelta(days=1), now=BUSY + timedelta(days=1))
    assert capture.reason == expected


@pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"a": 1}', b"", ENVELOPE.format("<Identify/>").encode()])
def test_an_answer_that_is_no_list_is_asked_again(body: bytes, ask: Ask) -> None:
    with misbehaving([Answer(200, body), listed(record())]) as server:
        assert ask(server.url, topics=[ONE_SET]).complete
        assert len(server.seen) == 2
    with misbehaving(lambda _: Answer(200, body)) as server:
        assert not Ask(ask.folder / "always")(server.url, topics=[ONE_SET]).complete
        assert len(server.seen) == 2


@pytest.mark.parametrize("status", [406, 429, 503])
def test_the_edge_is_asked_again(status: int, ask: Ask) -> None:
    with misbehaving([Answer(status, b"", {"Retry-After": "0"}), listed(record())]) as server:
        capture = ask(server.url, topics=[ONE_SET])
        assert len(server.seen) == 2
    assert capture.complete, capture.reason


def test_a_token_that_ended_begins_its_list_again(ask: Ask) -> None:
    """A page of each try stays in the capture, and a paper that came twice is one work."""
    ended = said('<error code="badResumptionToken">over</error>')
    play = [listed(record(), token="t1"), ended, listed(record(), token="t1"), listed(record("1903.00002"))]
    with misbehaving(play) as server:
        capture = ask(server.url, topics=[ONE_SET])
        first, token, again, more = server.targets
    assert capture.complete, capture.reason
    assert (first, token) == (again, more)  # the same is sent, though it is stored under another address
    assert len({exchange.url for exchange in capture.exchanges}) == 4
    window = load_settings().window(BUSY)
    tables = frames([normalize("arxiv_oai", capture.exchanges, window, (EVERYTHING,), GRACE)], window, GRACE)
    assert sorted(tables["traces.works"]["work_id"]) == ["arxiv:1903.00001", "arxiv:1903.00002"]
    assert tables["traces.rejects"].height == 0


def test_a_token_that_ended_over_night_does_not_hold_up_the_next_run(ask: Ask) -> None:
    """The journal holds the first page and its token, which the service no longer knows."""
    with misbehaving([listed(record(), token="t1"), Answer(500), Answer(500)]) as server:
        assert not ask(server.url, topics=[ONE_SET]).complete
    ask.journal("arxiv_oai", BUSY).keep_good()
    ended = said('<error code="badResumptionToken">over</error>')
    with misbehaving([ended, listed(record(), token="t2"), listed(record("1903.00002"))]) as server:
        capture = ask(server.url, topics=[ONE_SET])
        assert len(server.seen) == 3
    assert capture.complete, capture.reason


def test_a_token_that_always_ends_is_given_up(ask: Ask) -> None:
    def play(request: Seen) -> Step:
        over = "resumptionToken" in request.parameters
        return said('<error code="badResumptionToken"/>') if over else listed(record(), token="t1")

    with misbehaving(play) as server:
        capture = ask(server.url, topics=[ONE_SET])
        assert len(server.seen) == 2 * (1 + arxiv_oai.RESTARTS)
    assert capture.reason.endswith("ended 4 times before the list did")


def test_it_shares_the_limit_of_the_query_api_and_is_off_by_default() -> None:
    assert arxiv_oai.SERVICE.shares_limits_of == "arxiv"
    assert arxiv_oai.SERVICE.defaults.min_interval_s == arxiv.SERVICE.defaults.min_interval_s == 3.0
    assert not load_settings().sources["arxiv_oai"].enabled


def test_settings_choose_between_the_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEVO_SOURCES__ARXIV_OAI__ENABLED", "true")
    monkeypatch.setenv("COEVO_SOURCES__ARXIV__ENABLED", "false")
    sources = load_settings().sources
    assert (sources["arxiv_oai"].enabled, sources["arxiv"].enabled) == (True, False)


# --- the sample's server --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("verb=Identify", "<earliestDatestamp>2005-09-16</earliestDatestamp>"),
        ("verb=Dance", '<error code="badVerb">'),
        ("verb=ListRecords", '<error code="badArgument">'),
        ("verb=ListRecords&metadataPrefix=arXivRaw&from=2005-09-15", '<error code="badArgument">'),
        ("verb=ListRecords&metadataPrefix=arXivRaw&from=yesterday", '<error code="badArgument">'),
        ("verb=ListRecords&metadataPrefix=arXivRaw&color=red", '<error code="badArgument">'),
        ("verb=ListRecords&metadataPrefix=marc", '<error code="cannotDisseminateFormat">'),
        ("verb=ListRecords&metadataPrefix=arXivRaw&from=2005-09-16&until=2005-09-17", '<error code="noRecordsMatch">'),
        ("verb=ListRecords&metadataPrefix=arXivRaw&set=econ", '<error code="noRecordsMatch">'),
        ("verb=ListRecords&resumptionToken=made-up", '<error code="badResumptionToken">'),
        ("verb=ListRecords&resumptionToken=x&set=cs", '<error code="badArgument">'),
        ("verb=ListRecords&metadataPrefix=arXivRaw&set=physics:nlin", "<setSpec>physics:nlin:AO</setSpec>"),
    ],
)
def test_the_sample_answers_as_the_service_does(query: str, holds: str) -> None:
    import requests

    with serve(BUSY) as root:
        response = requests.get(f"{root}/arxiv_oai/oai?{query}", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/xml"
    assert holds in response.text
    xml_root(response.content)


def test_a_token_of_the_sample_does_not_outlive_its_day() -> None:
    import requests

    ask_for = {"verb": "ListRecords", "metadataPrefix": "arXivRaw"}
    with serve(QUIET) as root:
        page = xml_root(requests.get(f"{root}/arxiv_oai/oai", ask_for, timeout=10).content)
    token = page.findtext(".//{*}resumptionToken") or ""
    with serve(BUSY) as root:
        following = {"verb": "ListRecords", "resumptionToken": token}
        assert "badResumptionToken" in requests.get(f"{root}/arxiv_oai/oai", following, timeout=10).text
    assert token


# --- the parser on what the services really answered ----------------------------------------------------


def official(form: str) -> list[Exchange]:
    pages = sorted((recordings() / OFFICIAL).glob(f"ListRecords_{form}_p*.xml"))
    assert pages
    return [answer(URL, page.read_bytes()) for page in pages]


def read(*exchanges: Exchange, window: Window = WIDE, topic: Topic = EVERYTHING) -> Traces:
    return normalize("arxiv_oai", exchanges, window, (topic,), GRACE)


def versions(traces: Traces, work_id: str) -> list[tuple[str, str, str, str]]:
    rows = [row for row in traces.rows["works"] if row["work_id"] == work_id]
    rows.sort(key=lambda row: row["event_at"])
    return [(row["event"], row["version"], f"{row['event_at']:%Y-%m-%dT%H:%M:%S}", row["status"]) for row in rows]


@pytest.fixture(scope="module")
def raw() -> Traces:
    return read(*official("arXivRaw"))


def test_every_record_of_the_official_server_becomes_a_work_with_all_its_versions(raw: Traces) -> None:
    """240 records with 447 versions, of which 5 are withdrawals; counted in the files by hand (`grep -c`)."""
    rows = raw.rows
    assert len(rows["works"]) == 447
    assert len({row["work_id"] for row in rows["works"]}) == 240
    assert Counter((row["event"], row["status"]) for row in rows["works"]) == {
        ("created", "active"): 240,
        ("updated", "active"): 202,
        ("updated", "withdrawn"): 5,
    }
    assert (rows["rejects"], raw.outside_window, raw.off_topic) == ([], 0, 0)
    assert {row["topics"][0] for row in rows["works"]} == {"everything"}


@pytest.mark.parametrize(
    ("work_id", "expected"),
    [
        ("arxiv:cs/0001024", [("created", "v1", "2000-01-25T16:09:37", "active")]),
        ("arxiv:chao-dyn/9510015", [("created", "v1", "1995-10-25T14:22:36", "active")]),
        ("arxiv:0704.0046", [("created", "v1", "2007-04-01T16:37:36", "active")]),
        (
            "arxiv:0903.0442",
            [
                ("created", "v1", "2009-03-03T04:22:14", "active"),
                ("updated", "v2", "2009-07-13T17:52:55", "active"),
                ("updated", "v3", "2009-08-17T14:15:51", "active"),
                ("updated", "v4", "2010-01-11T15:24:38", "active"),
                ("updated", "v5", "2011-02-02T00:49:18", "withdrawn"),
            ],
        ),
        (
            "arxiv:1101.6031",
            [
                ("created", "v1", "2011-01-31T17:27:36", "active"),
                ("updated", "v2", "2011-02-02T11:53:40", "withdrawn"),
            ],
        ),
        (
            "arxiv:1011.0730",
            [
                ("created", "v1", "2010-11-02T20:00:03", "active"),
                ("updated", "v2", "2011-02-02T10:16:33", "active"),
            ],
        ),
    ],
)
def test_each_version_is_an_event(raw: Traces, work_id: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert versions(raw, work_id) == expected
    created = {row["created_at"] for row in raw.rows["works"] if row["work_id"] == work_id}
    assert {f"{at:%Y-%m-%dT%H:%M:%S}" for at in created} == {expected[0][2]}


def test_a_withdrawal_is_not_known_before_its_day() -> None:
    before = read(*official("arXivRaw"), window=day(2009, 3, 3))
    assert versions(before, "arxiv:0903.0442") == [("created", "v1", "2009-03-03T04:22:14", "active")]
    after = read(*official("arXivRaw"), window=day(2011, 2, 2))
    assert versions(after, "arxiv:0903.0442") == [("updated", "v5", "2011-02-02T00:49:18", "withdrawn")]


@pytest.mark.parametrize(
    ("work_id", "expected"),
    [
        (
            "arxiv:cs/0001024",
            {
                "source": "arxiv_oai",
                "kind": "paper",
                "title": "A Parallel Algorithm for Dilated Contour Extraction from Bilevel Images",
                "license": None,
                "owner": None,
                "native_id": "cs/0001024",
                "url": "https://arxiv.org/abs/cs/0001024",
                "fields": ["cs.CV"],  # its acm-class says None, which is none
                "tags": [],
            },
        ),
        (
            "arxiv:1102.0401",  # the same codes stand in msc-class and acm-class
            {"fields": ["cs.DM", "math.CO", "05C69, 05C70 (Primary) 05A20(Secondary)"]},
        ),
        (
            "arxiv:0903.0442",
            {
                "license": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
                "fields": ["cond-mat.dis-nn", "cond-mat.stat-mech"],
            },
        ),
        ("arxiv:1101.6031", {"title": "Time-dependent Schrödinger equation from the Hamilton-Jacobi equation"}),
        ("arxiv:chao-dyn/9510015", {"fields": ["chao-dyn", "ao-sci", "nlin.CD"]}),
    ],
)
def test_what_a_record_says_of_the_work(raw: Traces, work_id: str, expected: dict[str, Any]) -> None:
    row = next(row for row in raw.rows["works"] if row["work_id"] == work_id)
    assert part(row, expected) == expected


@pytest.mark.parametrize(
    ("work_id", "people"),
    [
        ("arxiv:1008.3399", ["Ana M. Mosquera", "José A. Muñoz", "Evencio Mediavilla", "Christopher S. Kochanek"]),
        ("arxiv:0704.0046", ["I. Csiszar", "F. Hiai", "D. Petz"]),
        ("arxiv:chao-dyn/9510015", ["Melvin Leok Boon Tiong"]),
    ],
)
def test_people_of_a_record(raw: Traces, work_id: str, people: list[str]) -> None:
    assert names(raw, work_id) == people


def test_dois_of_a_record(raw: Traces) -> None:
    """141 records have a DOI, and one of them two."""
    pairs = {(row["left_id"], row["right_id"]) for row in raw.rows["identities"]}
    assert len(pairs) == 142
    assert {("arxiv:0704.0046", "doi:10.1063/1.2779138")} < pairs
    assert {right for left, right in pairs if left == "arxiv:1011.0730"} == {
        "doi:10.1007/jhep12(2010)070",
        "doi:10.1007/jhep02(2011)044",
    }


def test_an_abstract_is_stored_as_metadata(raw: Traces) -> None:
    text = next(row for row in raw.rows["texts"] if row["work_id"] == "arxiv:1101.6031")
    assert (text["text"], text["license"]) == ("This paper and abstract have been withdrawn.", "CC0-1.0")
    assert len(raw.rows["texts"]) == 240


def test_a_paper_that_kaggle_lists_too_says_the_same(raw: Traces) -> None:
    rows = json_lines("arxiv/kaggle_snapshot_sample/arxiv-metadata-oai-snapshot.json")
    listed_too = next(row for row in rows if row["id"] == "0704.0046")
    work = by_id(read(*official("arXivRaw"), window=day(2007, 4, 1)))["arxiv:0704.0046"]
    assert work["title"] == listed_too["title"]
    assert " ".join(work["fields"]) == listed_too["categories"]
    assert f"{work['created_at']:%a, %-d %b %Y %H:%M:%S GMT}" == listed_too["versions"][0]["created"]
    people = [f"{first} {last}" for last, first, _ in listed_too["authors_parsed"]]
    assert names(raw, "arxiv:0704.0046") == people


@pytest.mark.parametrize(
    ("form", "number", "reason"),
    [
        ("arXiv", 503, "<created> of the arXiv format is not the date of v1: ask for arXivRaw"),
        ("arXivOld", 103, "the format arXivOld says no date: ask for arXivRaw"),
    ],
)
def test_formats_without_the_date_of_v1_are_rejects(form: str, number: int, reason: str) -> None:
    traces = read(*official(form))
    assert counts(traces) == {"rejects": number}
    assert {why for _, why in reasons(traces)} == {reason}


def test_created_of_the_arxiv_format_is_the_date_of_the_current_version(raw: Traces) -> None:
    """Why that format is not believed: where it can be told, its date is never v1's."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for row in sorted(raw.rows["works"], key=lambda row: row["event_at"]):
        first.setdefault(row["native_id"], f"{row['event_at']:%Y-%m-%d}")
        last[row["native_id"]] = f"{row['event_at']:%Y-%m-%d}"
    said_of = {
        node.findtext("{*}id"): node.findtext("{*}created")
        for exchange in official("arXiv")
        for node in xml_root(exchange.body).iter("{http://arxiv.org/OAI/arXiv/}arXiv")
    }
    moved = [number for number in first if number in said_of and first[number] != last[number]]
    assert len(moved) == 134
    assert [number for number in moved if said_of[number] != last[number]] == []


@pytest.mark.parametrize("name", ["0901_2443", "1711_04702", "1711_05739", "math_0306266"])
def test_oai_dc_says_what_ads_expects(name: str) -> None:
    expected = json.loads(file(f"{ADS}/ads_expected/arxiv_{name}.json"))
    traces = read(answer(URL, file(f"{ADS}/arxiv_{name}.xml")))
    urn, *others = (one["Identifier"] for one in expected["publisherIDs"])
    work_id = f"arxiv:{urn.removeprefix('oai:arXiv.org:')}"
    row = by_id(traces)[work_id]
    assert (row["event"], row["version"], row["title"]) == ("created", "v1", expected["title"]["textEnglish"])
    assert f"{row['created_at']:%Y-%m-%d}" == expected["pubDate"]["electrDate"]
    assert row["tags"] == [one["keyString"] for one in expected["keywords"]]
    people = [one["name"] for one in expected["authors"]]
    parts = [[one.get(part) for part in ("given_name", "middle_name", "surname")] for one in people]
    assert names(traces, work_id) == [" ".join(filter(None, one)) for one in parts]
    abstract = next(text["text"] for text in traces.rows["texts"])
    assert abstract == " ".join(expected["abstract"]["textEnglish"].split())
    same = [row["right_id"] for row in traces.rows["identities"]]
    assert same == [one.lower() for one in others if one.startswith("doi:")]


def test_oai_dc_of_2023_with_several_records() -> None:
    traces = read(answer(URL, file(f"{ADS}/arxiv_multi_20230125.xml")))
    assert versions(traces, "arxiv:1009.1022") == [("created", "v1", "2010-09-06T00:00:00", "active")]
    assert versions(traces, "arxiv:1305.6404") == [("created", "v1", "2013-05-28T00:00:00", "active")]
    assert versions(traces, "arxiv:1412.1417") == [
        ("created", "v1", "2014-12-03T00:00:00", "active"),
        ("updated", None, "2023-01-23T00:00:00", "active"),
    ]
    assert names(traces, "arxiv:1412.1417") == ["Anna Beliakova", "Kazuo Habiro", "Aaron D. Lauda", "Ben Webster"]
    assert {(row["left_id"], row["right_id"]) for row in traces.rows["identities"]} == {
        ("arxiv:1305.6404", "doi:10.1007/s00153-015-0433-z"),
        ("arxiv:1412.1417", "doi:10.1112/jlms.12001"),
    }
    assert traces.rows["rejects"] == []


NOT_LISTED = "an OAI-PMH answer without records"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"{SICKLE}/noRecordsMatch.xml", []),
        (f"{SICKLE}/badResumptionToken.xml", []),
        (f"{SICKLE}/badArgument.xml", [("body", "the service says badArgument: ")]),
        (f"{SICKLE}/cannotDisseminateFormat.xml", [("body", "the service says cannotDisseminateFormat: ")]),
        (
            f"{SICKLE}/idDoesNotExist.xml",
            [
                (
                    "body",
                    "the service says idDoesNotExist: oai:lcoa1.loc.gov:loc.rbc/rbpe.00000111 has the structure of a "
                    "valid LOC identifier, but it maps to no known item",
                )
            ],
        ),
        (
            f"{SICKLE}/noSetHierarchy.xml",
            [("body", "the service says noSetHierarchy: This repository does not support sets")],
        ),
        (f"{SICKLE}/undefinedError.xml", [("body", "the service says undefinedError: ")]),
        (f"{SICKLE}/Identify.xml", [("body", NOT_LISTED)]),
        (f"{SICKLE}/ListIdentifiers.xml", [("body", NOT_LISTED)]),
        (f"{SICKLE}/ListIdentifiers2.xml", [("body", NOT_LISTED)]),
        (f"{SICKLE}/ListMetadataFormats.xml", [("body", NOT_LISTED)]),
        (f"{SICKLE}/ListSets.xml", [("body", NOT_LISTED)]),
        (f"{SICKLE}/GetRecord.xml", [("record 1", "not an arXiv identifier: 'oai:test.example.com:1996652'")]),
        (f"{SICKLE}/GetRecord_utf8test.xml", [("record 1", "not an arXiv identifier: 'oai:test.example.com:1996652'")]),
        (
            f"{SICKLE}/ListRecords.xml",
            [
                ("record 1", "not an arXiv identifier: 'oai:test.example.com:1585310'"),
                ("record 2", "not an arXiv identifier: 'oai:test.example.com:1585322'"),
            ],
        ),
        (f"{OFFICIAL}/Identify.xml", [("body", NOT_LISTED)]),
        (f"{OFFICIAL}/ListSets.xml", [("body", NOT_LISTED)]),
        (f"{OFFICIAL}/ListMetadataFormats.xml", [("body", NOT_LISTED)]),
        (f"{OFFICIAL}/ListIdentifiers_p00.xml", [("body", NOT_LISTED)]),
        (f"{OFFICIAL}/ListIdentifiers_p03.xml", [("body", NOT_LISTED)]),
        (
            "arxiv/rss_2026/arxiv_weekend_empty.xml",
            [("body", "the root element is 'rss', not OAI-PMH")],
        ),
    ],
)
def test_answers_without_papers(name: str, expected: list[tuple[str, str]]) -> None:
    traces = read(answer(URL, file(name)))
    assert reasons(traces) == expected
    assert set(counts(traces)) <= {"rejects"}


@pytest.mark.parametrize("name", ["ListRecords2", "ListRecords3", "ListRecords4", "ListRecordsBroken"])
def test_other_samples_of_the_protocol_are_rejects(name: str) -> None:
    assert set(counts(read(answer(URL, file(f"{SICKLE}/{name}.xml"))))) == {"rejects"}


# --- the parser on what it could be answered -------------------------------------------------------------


def page(*records: str) -> Exchange:
    return answer(URL, listed(*records).body)


FIRST, SECOND, THIRD = (
    "Wed, 27 Mar 2019 01:02:03 GMT",
    "Wed, 27 Mar 2019 23:59:59 GMT",
    "Thu, 28 Mar 2019 00:00:00 GMT",
)
OF_BUSY = day(2019, 3, 27)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ((FIRST,), [("created", "v1")]),
        ((FIRST, SECOND), [("created", "v1"), ("updated", "v2")]),
        ((FIRST, THIRD), [("created", "v1")]),
        (("Tue, 26 Mar 2019 23:59:59 GMT", SECOND), [("updated", "v2")]),
        (("Tue, 6 Mar 2007 23:59:59 GMT", "Wed, 6 Mar 2013 00:00:00 GMT"), []),
    ],
)
def test_events_are_the_versions_of_the_day(dates: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    traces = read(page(record(dates=dates)), window=OF_BUSY)
    assert [(event, version) for event, version, _, _ in versions(traces, "arxiv:1903.00001")] == expected
    assert traces.outside_window == (not expected)
    assert len(traces.rows["people"]) == bool(expected)
    assert {row["event_at"] in OF_BUSY for rows in traces.rows.values() for row in rows} <= {True}


def test_versions_in_any_order() -> None:
    one = record(dates=(FIRST, SECOND))
    swapped = one.replace('"v1"', '"v0"').replace('"v2"', '"v1"').replace('"v0"', '"v2"')
    rows = versions(read(page(swapped), window=OF_BUSY), "arxiv:1903.00001")
    assert [row[:3] for row in rows] == [
        ("updated", "v2", "2019-03-27T01:02:03"),
        ("created", "v1", "2019-03-27T23:59:59"),
    ]


def test_what_is_off_topic_is_counted_and_not_stored() -> None:
    swarm = Topic(name="swarm", terms=("ant colony", "stigmergy"))
    traces = read(
        page(
            record("1903.00001", title="Ant-colony optimization"),
            record("1903.00002", title="Number theory"),
            record("1903.00003", title="A", more="<abstract>On stigmergy</abstract>"),
            record("1903.00004", title="B", more="<comments>From an ant colony</comments>"),
            record("1903.00005", title="C", more="<submitter>Ant Colony</submitter>"),
        ),
        topic=swarm,
    )
    assert set(by_id(traces)) == {"arxiv:1903.00001", "arxiv:1903.00003", "arxiv:1903.00004"}
    assert {row["work_id"] for row in traces.rows["people"]} == set(by_id(traces))
    assert {tuple(row["topics"]) for row in traces.rows["works"]} == {("swarm",)}
    assert (traces.off_topic, traces.rows["rejects"]) == (2, [])


@pytest.mark.parametrize(
    ("size", "kind", "status"),
    [
        ("0kb", "I", "withdrawn"),
        ("0kb", "", "withdrawn"),
        ("12kb", "I", "withdrawn"),
        ("12kb", "SI", "withdrawn"),
        ("12kb", "D", "active"),
        ("10kb", "", "active"),
        ("", "", "active"),
    ],
)
def test_a_version_without_a_source_is_a_withdrawal(size: str, kind: str, status: str) -> None:
    source = f"<size>{size}</size>" + (f"<source_type>{kind}</source_type>" if kind else "")
    traces = read(page(record().replace("<size>9kb</size>", source)))
    assert [row["status"] for row in traces.rows["works"]] == [status]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("<record/>", "the record has no header"),
        (f"<record>{header('1903.00009')}</record>", "arxiv:1903.00009 has no metadata"),
        (f"<record>{header('1903.00009')}<metadata/></record>", "arxiv:1903.00009 has no metadata"),
        (
            f"<record>{header('1903.00009')}<metadata><a xmlns='urn:b'/></metadata></record>",
            "arxiv:1903.00009: metadata '{urn:b}a' is of no format that is known here",
        ),
        (record("nonsense"), "not an arXiv identifier: 'nonsense'"),
        (record(dates=()), "the record has no version v1, so no date of its first"),
        (record().replace('"v1"', '"v2"'), "the record has no version v1, so no date of its first"),
        (record().replace('"v1"', '"1"'), "not a version: '1'"),
        (record(dates=("2019-03-27",)), "not a date: '2019-03-27'"),
        (record(dates=("Wed, 27 Mar 2019 01:02:03 EST",)), "not a date in GMT: 'Wed, 27 Mar 2019 01:02:03 EST'"),
        (record(dates=("Wed, 30 Feb 2019 01:02:03 GMT",)), "not a date: 'Wed, 30 Feb 2019 01:02:03 GMT'"),
        (record(title="", more="<comments>swarm</comments>"), "arxiv:1903.00001 has no title"),
    ],
)
def test_one_bad_record_rejects_itself_only(broken: str, reason: str) -> None:
    traces = read(page(record("1903.00007"), broken, record("1903.00008")))
    assert sorted(by_id(traces)) == ["arxiv:1903.00007", "arxiv:1903.00008"]
    assert reasons(traces) == [("record 2", reason)]


def test_a_bad_doi_does_not_cost_the_paper() -> None:
    traces = read(page(record(more="<doi>10.1/x pending</doi>")))
    assert [locator for locator, _ in reasons(traces)] == ["arxiv:1903.00001 doi"] * 2
    assert list(by_id(traces)) == ["arxiv:1903.00001"]


def test_a_paper_in_two_sets_and_on_two_pages_is_one_work() -> None:
    window = OF_BUSY
    pages = [page(record(), record("1903.00002")), page(record("1903.00002"), record("1903.00003")), page(record())]
    tables = frames([normalize("arxiv_oai", pages, window, (EVERYTHING,), GRACE)], window, GRACE)
    assert sorted(tables["traces.works"]["work_id"]) == ["arxiv:1903.00001", "arxiv:1903.00002", "arxiv:1903.00003"]
    assert tables["traces.people"].height == 3


def test_a_deleted_record_of_a_work_of_the_day_is_a_dated_status() -> None:
    deleted = "<record>" + header("1903.00001", ' status="deleted"') + "</record>"
    soon = Exchange("GET", URL, 200, {}, datetime(2019, 3, 28, 2, tzinfo=UTC), listed(deleted, record()).body)
    rows = read(soon, window=OF_BUSY).rows["works"]
    assert [(row["status"], row["event"]) for row in rows] == [("active", "created"), ("gone", "updated")]
    assert rows[1]["event_at"] == OF_BUSY.last_instant
    assert rows[1]["title"] == rows[0]["title"]


def test_a_deleted_record_of_which_nothing_else_is_known_is_a_reject_on_its_day_only() -> None:
    deleted = "<record>" + header("1903.00001", ' status="deleted"') + "</record>"
    on_the_day = read(page(deleted), window=OF_BUSY)
    assert reasons(on_the_day) == [("record 1", "arxiv:1903.00001 was deleted, and the day knows nothing else of it")]
    another = read(page(deleted), window=day(2019, 3, 28))
    assert (counts(another), another.outside_window) == ({}, 1)


def test_the_arxiv_format_of_a_paper_that_was_never_updated() -> None:
    plain = (
        f'<record>{header("1903.00001")}<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>1903.00001</id>'
        "<created>2019-03-27</created><authors><author><keyname>Evans</keyname><forenames>Neal J.</forenames>"
        "<suffix>II</suffix></author><author><keyname>The Group</keyname></author></authors>"
        "<title>Swarms</title><categories>cs.NE</categories></arXiv></metadata></record>"
    )
    traces = read(page(plain), window=OF_BUSY)
    assert versions(traces, "arxiv:1903.00001") == [("created", "v1", "2019-03-27T00:00:00", "active")]
    assert names(traces, "arxiv:1903.00001") == ["Neal J. Evans II", "The Group"]


def test_all_recordings_together_fit_their_tables() -> None:
    bodies = [*official("arXivRaw"), *official("arXiv"), answer(URL, file(f"{ADS}/arxiv_multi_20230125.xml"))]
    tables = frames([read(*bodies)], WIDE, GRACE)
    heights = {name: schemas.conform(schemas.table(name), frame, "test").height for name, frame in tables.items()}
    assert heights["traces.works"] == 446 + 4  # two versions of 0704.0248 have one date
    assert heights["traces.rejects"] == 503
