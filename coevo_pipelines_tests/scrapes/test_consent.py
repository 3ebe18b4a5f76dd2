"""Who has opted out: of whose works no text is asked for, none is stored, and where that is written down."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes import withholding
from coevo_pipelines.scrapes.capture import newest_register, scrape_day
from coevo_pipelines.scrapes.consent import EVERYBODY, Consent, read_said, said, standing
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.traces.allowed import Texts, allowed
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, misbehaving, relay

DAY = date(2019, 3, 25)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SINCE = datetime(2026, 2, 1, tzinfo=UTC)
REGISTER = b"""
[[claims]]
person = "person:ada"
subjects = ["github:Ada", "orcid:0000-0002-1825-0097", "arxiv:1712.06567#2"]
proof = "seen"
since = 2026-01-01
[[claims]]
person = "person:bob"
subjects = ["github:bob", "hf:bob"]
since = 2026-01-01
[[optouts]]
person = "github:ada"
since = 2026-02-01
[[optouts]]
person = "person:bob"
since = 2026-02-01
[[optouts]]
owner = "hf:Org"
since = 2026-03-01
[[optouts]]
work = "doi:10.1000/X"
since = 2026-03-02
[[optouts]]
work = "doi:10.1000/later"
since = 2026-07-01
[[optouts]]
work = "doi:10.1000/over"
since = 2026-01-01
until = 2026-05-01
[[optouts]]
wrok = "doi:10.1000/typo"
since = 2026-01-01
"""
OUT = standing(REGISTER, NOW)


@pytest.mark.parametrize(
    ("works", "owner", "people", "since"),
    [
        (["arxiv:1712.06567"], None, [], SINCE),  # she claims to be its second author
        (["github:x/y"], "github:ADA", [], SINCE),
        ([], None, ["orcid:0000-0002-1825-0097"], SINCE),
        ([], "github:bob", [], None),  # a claim without a proof is nobody's
        (["hf:model/org/M"], "hf:org", [], datetime(2026, 3, 1, tzinfo=UTC)),
        (["openalex:W1", "doi:10.1000/x"], None, [], datetime(2026, 3, 2, tzinfo=UTC)),
        (["doi:10.1000/x"], "github:ada", [], SINCE),  # the earliest
        (["doi:10.1000/later"], None, [], None),
        (["doi:10.1000/over"], None, [], None),
        ([], None, [], None),
    ],
)
def test_who_is_out(works: list[str], owner: str | None, people: list[str], since: datetime | None) -> None:
    assert OUT.withheld(works, owner=owner, people=people) == since


def test_an_optout_that_cannot_be_read_is_told() -> None:
    assert OUT.unread == ("optouts[6]: expected one of person, owner, work; found none",)


def test_what_is_withheld_is_written_with_its_date_and_read_back() -> None:
    found = {"github:b/c": SINCE, "arxiv:1": NOW}
    assert said(found) == "arxiv:1 since 2026-06-01; github:b/c since 2026-02-01"
    assert read_said(said(found)) == {"arxiv:1": "2026-06-01", "github:b/c": "2026-02-01"}
    assert read_said("") == {}


TEXT = "Zebra stripes."
ATOM = f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/1712.06567v1</id><title>T</title>
<summary>{TEXT}</summary></entry><entry><id>http://arxiv.org/abs/1801.00001v1</id><summary>Stays.</summary></entry></feed>"""
OAI = f"""<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header>
<identifier>oai:arXiv.org:1712.06567</identifier></header><metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/">
<id>1712.06567</id><abstract>{TEXT}</abstract></arXivRaw></metadata></record></ListRecords></OAI-PMH>"""
REPOSITORY = {"full_name": "Ada/One", "description": TEXT, "stargazers_count": 3}
KEPT = {"full_name": "cy/two", "description": "Stays."}
PACKED = base64.b64encode(TEXT.encode()).decode()
API = "https://api.github.com"
HUB = "https://huggingface.co"


@pytest.mark.parametrize(
    ("withhold", "url", "body", "work"),
    [
        (withholding.arxiv, "https://export.arxiv.org/api/query", ATOM, "arxiv:1712.06567"),
        (withholding.arxiv, "https://oaipmh.arxiv.org/oai", OAI, "arxiv:1712.06567"),
        (
            withholding.arxiv,
            "https://export.arxiv.org/api/query",
            ATOM.replace("1712.06567", "1801.00002").replace(
                "<title>T</title>", '<doi xmlns="http://arxiv.org/schemas/atom">10.1000/Y 10.1000/X</doi>'
            ),
            "arxiv:1801.00002",
        ),
        (withholding.github, f"{API}/search/repositories", {"items": [REPOSITORY, KEPT]}, "github:ada/one"),
        (withholding.github, f"{API}/repos/cy/fork", {**KEPT, "parent": REPOSITORY}, "github:ada/one"),
        (withholding.github, f"{API}/repos/Ada/One/readme", {"path": "README.md", "content": PACKED}, "github:ada/one"),
        (withholding.github, f"{API}/repos/Ada/One/contents/a.cff", {"content": PACKED}, "github:ada/one"),
        (
            withholding.github,
            f"{API}/repositories/7/readme",
            {"content": PACKED, "url": f"{API}/repos/Ada/One/contents/README.md?ref=main"},
            "github:ada/one",
        ),
        (withholding.huggingface, f"{HUB}/Org/m/raw/main/README.md", TEXT, "hf:model/Org/m"),
        (withholding.huggingface, f"{HUB}/old/raw/main/README.md", TEXT, "hf:model/old"),
        (withholding.huggingface, f"{HUB}/datasets/old/raw/main/README.md", TEXT, "hf:dataset/old"),
        (withholding.huggingface, f"{HUB}/datasets/Org/m/raw/main/README.md", TEXT, "hf:dataset/Org/m"),
        (
            withholding.huggingface,
            f"{HUB}/api/datasets?filter=x",
            [{"id": "Org/m", "description": TEXT, "cardData": {"license": "mit", "widget": TEXT}}, {"id": "a/b"}],
            "hf:dataset/Org/m",
        ),
        (
            withholding.openalex,
            "https://api.openalex.org/works",
            {"results": [{"id": "https://openalex.org/W1", "doi": "https://doi.org/10.1000/X", "authorships": [],
                          "abstract_inverted_index": {TEXT: [0]}}]},
            "openalex:W1",
        ),
        (
            withholding.openalex,
            "https://api.openalex.org/works",
            {"results": [{"id": "https://openalex.org/W1", "abstract_inverted_index": {TEXT: [0]},
                          "authorships": [{"author": {"orcid": "0000-0002-1825-0097"}}, {"author": None}]}]},
            "openalex:W1",
        ),
        (
            withholding.crossref,
            "https://api.crossref.org/works",
            {"items": [{"DOI": "10.1000/X", "abstract": TEXT}, {"DOI": "10.1000/Y", "abstract": "Stays."}]},
            "doi:10.1000/x",
        ),
        (
            withholding.crossref,
            "https://api.crossref.org/works/10.1234",
            {"message": {"DOI": "10.1234/y", "abstract": TEXT, "author": [{"ORCID": "http://orcid.org/0000-0002-1825-0097"}]}},
            "doi:10.1234/y",
        ),
        (
            withholding.semanticscholar,
            "https://api.semanticscholar.org/graph/v1/paper/search/bulk",
            {"data": [{"paperId": "a", "externalIds": {"ArXiv": "1712.06567"}, "abstract": TEXT, "tldr": TEXT}]},
            "arxiv:1712.06567",
        ),
        *(
            (
                withholding.semanticscholar,
                "https://api.semanticscholar.org/graph/v1/paper/search/bulk",
                {"data": [{"paperId": "ab12", **external, "abstract": TEXT}]},
                "s2:ab12",
            )
            for external in ({"externalIds": None}, {})
        ),
    ],
)  # fmt: skip
def test_texts_are_left_out_and_facts_stay(withhold: withholding.Withhold, url: str, body: object, work: str) -> None:
    consent = replace(OUT, works={**OUT.works, "s2:ab12": SINCE, "hf:model/old": SINCE, "hf:dataset/old": SINCE})
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert withhold(url, raw, EVERYBODY) == (raw, {})
    assert withhold(url, raw, Consent(works={"doi:10.1/other": SINCE})) == (raw, {})
    kept, found = withhold(url, raw, consent)
    assert list(found) == [work]
    assert b"Zebra" not in kept and PACKED.encode() not in kept
    assert kept.count(b"Stays.") == raw.count(b"Stays.")
    for fact in (
        b"stargazers_count",
        b"1801.00001v1",
        b"1712.06567",
        b"10.1000/Y",
        b"Ada/One",
        b'"license": "mit"',
        b"Org/m",
    ):
        assert (fact in raw) is (fact in kept)
    assert withhold(url, kept, consent)[0] == kept


@pytest.mark.parametrize(
    ("withhold", "url", "body"),
    [
        (withholding.arxiv, "https://export.arxiv.org/api/query", ATOM[:-9]),
        (withholding.arxiv, "https://oaipmh.arxiv.org/oai", OAI[:-9]),
        (withholding.github, f"{API}/search/repositories", json.dumps({"items": [REPOSITORY]})[:-1]),
        (withholding.huggingface, f"{HUB}/api/models", json.dumps([{"id": "Org/m", "description": TEXT}])[:-1]),
    ],
)
def test_nothing_is_kept_of_a_listing_that_was_cut_off(withhold: withholding.Withhold, url: str, body: str) -> None:
    assert withhold(url, body.encode(), OUT) == (b"", {})
    assert withhold(url, body.encode(), EVERYBODY) == (body.encode(), {})


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[", b"null", b"[null, 1]", b'{"items": [null]}', b"\xff"])
@pytest.mark.parametrize(
    "withhold",
    [withholding.arxiv, withholding.github, withholding.huggingface, withholding.openalex, withholding.crossref,
     withholding.semanticscholar],
)  # fmt: skip
def test_what_cannot_be_read_comes_back_as_it_is(withhold: withholding.Withhold, body: bytes) -> None:
    for url in (f"{API}/search/repositories", f"{HUB}/api/models", f"{API}/repos/Ada/One/readme"):
        assert withhold(url, body, OUT) == (body, {})


# A scrape


def live(root: Path, url: str, register: str = "register.toml", **changes: object) -> Settings:
    return load_settings(
        source="live",
        lake=root,
        start_date=DAY,
        history_from=date(1980, 1, 1),
        grace_hours=24 * 36_500,
        sources={
            "github": {"base_url": f"{url}/github", "min_interval_s": 0},
            "register": {"base_url": register, **changes},
        },
        http={"retries": 0, "backoff_s": 0.0},
    )


def targets(lake: Lake, register: str, sample: str, **changes: object) -> tuple[list[str], str]:
    """What is asked of GitHub on the day, and the note of the scrape."""
    with misbehaving(relay(sample)) as server:
        written = scrape_day("github", DAY, lake, live(lake.root, server.url, register, **changes))
        return server.targets, written.commit.note


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


OPTOUT = b'[[optouts]]\nowner = "github:LJVMiranda921"\nsince = 2026-01-01\n'


def test_nothing_is_asked_about_an_owner_who_is_out_and_the_stored_row_says_so(at: Path) -> None:
    lake = Lake(at / "lake")
    (at / "r.toml").write_bytes(OPTOUT)
    with serve(DAY) as sample:
        asked, note = targets(lake, "r.toml", sample)
    assert note == ""
    assert not [target for target in asked if "/repos/ljvmiranda921/" in target]
    assert [target for target in asked if "/repos/" in target]
    rows = lake.scan("scrapes.github", on=DAY).collect()
    written = [json.loads(headers).get("coevo-withheld", "") for headers in rows["headers"]]
    assert "github:ljvmiranda921/pyswarms since 2026-01-01" in "; ".join(written)
    assert "pyswarms" in "".join(body.decode() for body in rows["body"])  # that it is there is a fact
    assert lake.scan("scrapes.register", on=DAY).collect()["body"].to_list() == [OPTOUT]


@pytest.mark.parametrize("broken", [b"[[optouts]", None])
def test_without_any_register_that_can_be_read_nothing_is_asked(at: Path, broken: bytes | None) -> None:
    lake = Lake(at / "lake")
    if broken is not None:
        (at / "r.toml").write_bytes(broken)
    with serve(DAY) as sample:
        asked, note = targets(lake, "r.toml", sample)
        assert asked == []
        assert "nobody knows who has opted out (sources.register.base_url" in note
        assert not lake.committed("scrapes.github", DAY).complete  # type: ignore[union-attr]
        asked, note = targets(lake, "r.toml", sample, enabled=False)
        assert (bool(asked), note) == (True, "")


@pytest.mark.parametrize("after", [b"[[optouts]", None])
def test_the_last_register_known_holds_where_a_newer_one_cannot_be_read(at: Path, after: bytes | None) -> None:
    lake = Lake(at / "lake")
    (at / "register.toml").write_bytes(OPTOUT)
    settings = live(lake.root, "http://127.0.0.1:9")
    assert scrape_day("register", DAY, lake, settings).commit.complete
    if after is None:
        (at / "register.toml").unlink()  # a file that is gone does not take an opt-out back
    else:
        (at / "register.toml").write_bytes(after)
    scrape_day("register", DAY, lake, settings, again=True)
    known = newest_register(lake)
    assert known is not None and known.body == OPTOUT
    assert ("not valid TOML" if after else "no such file") in known.failed
    with serve(DAY) as sample:
        asked, _ = targets(lake, "register.toml", sample)
    assert asked and not [target for target in asked if "/repos/ljvmiranda921/" in target]


def test_what_a_stopped_scrape_holds_is_searched_again_for_who_is_out_by_now(at: Path) -> None:
    lake = Lake(at / "lake")
    (at / "register.toml").write_bytes(OPTOUT)
    body = json.dumps({"full_name": "ljvmiranda921/pyswarms", "description": TEXT}).encode()
    kept = Exchange("GET", "sample/repos/ljvmiranda921/pyswarms", 200, {}, NOW, body)
    Journal(lake.root / ".journal" / "github" / f"{DAY}.jsonl").append(kept)

    def dead(_: Seen) -> Answer:
        return Answer(503, b"busy")

    with misbehaving(dead) as server:
        scrape_day("github", DAY, lake, live(lake.root, server.url))
    rows = lake.scan("scrapes.github", on=DAY).collect()
    assert b"Zebra" not in rows["body"][0] and b"pyswarms" in rows["body"][0]
    assert "Zebra" not in str(
        [one.body for one in Journal(lake.root / ".journal" / "github" / f"{DAY}.jsonl").exchanges]
    )


# Texts of a day


def tables(**rows: list[dict[str, object]]) -> dict[str, pl.DataFrame]:
    found = {}
    for name in ("texts", "works", "people", "identities", "optouts", "claims"):
        schema = schemas.table(f"traces.{name}").polars_schema()
        found[f"traces.{name}"] = pl.DataFrame(rows.get(name, []), schema=schema)
    return found


LICENSES = [None, "MIT", "cc-by-4.0", "gpl-3.0", "other", "cc-by-nc-4.0"]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [("all", LICENSES), ("licensed", ["MIT", "cc-by-4.0", "gpl-3.0", "cc-by-nc-4.0"]), ("free", ["MIT", "cc-by-4.0"])],
)
def test_texts_are_kept_under_the_licences_that_are_asked_for(wanted: Texts, kept: list[str | None]) -> None:
    texts, left_out = allowed(
        tables(texts=[{"work_id": str(n), "license": one} for n, one in enumerate(LICENSES)]), wanted
    )
    assert texts["license"].to_list() == kept
    assert left_out == {"opted_out": 0, "licence": len(LICENSES) - len(kept)}


def test_no_text_is_kept_of_a_work_that_is_out_under_another_of_its_names() -> None:
    day = tables(
        texts=[{"work_id": f"arxiv:{n}", "license": "MIT"} for n in range(7)],
        works=[{"work_id": "arxiv:2", "owner": "github:Ada"}],
        people=[{"work_id": "arxiv:3", "orcid": "0000-0002-1825-0097"}],
        identities=[
            {"left_id": "arxiv:1", "right_id": "doi:10.1/x", "same": True},
            {"left_id": "arxiv:4", "right_id": "doi:10.1/x", "same": False},
            {"left_id": "arxiv:1", "right_id": "doi:10.1/y", "same": True},
            {"left_id": "arxiv:5", "right_id": "doi:10.1/y", "same": True},  # so it is arxiv:1
            {"left_id": "arxiv:2", "right_id": "arxiv:6", "same": True},  # whose owner is out
        ],
        optouts=[
            {"scope": "work", "subject": "doi:10.1/X", "event_at": SINCE},
            {"scope": "owner", "subject": "github:ada", "event_at": SINCE},
            {"scope": "person", "subject": "person:eve", "event_at": SINCE},
        ],
        claims=[{"person_id": "person:eve", "subject": "orcid:0000-0002-1825-0097", "proof": "seen"}],
    )
    texts, left_out = allowed(day, "all")
    assert texts["work_id"].to_list() == ["arxiv:0", "arxiv:4"]
    assert left_out == {"opted_out": 5, "licence": 0}


def test_live_texts_need_a_licence_unless_the_settings_say_otherwise() -> None:
    assert load_settings().stored_texts == "all"
    assert load_settings(source="live").stored_texts == "licensed"
    assert load_settings(source="live", texts="free").stored_texts == "free"
