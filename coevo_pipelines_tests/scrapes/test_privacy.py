"""A token, addresses and opted-out texts are planted in all that the services say; no file of the lake holds any."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.run import run_days
from coevo_pipelines.sample.server import serve
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Reset, Seen, Step, misbehaving, relay
from coevo_pipelines_tests.scrapes.planted import places

DAY = date(2019, 3, 25)
TOKEN = "ghp_Planted/Secret+0123456789"
SIGNATURE = "plantedsignature0123456789abcdef"
PERSON = "planted.person@mail.example.org"
OTHER = "other-planted@univ.example.edu"
SENTENCE = "Zebras paint their stripes at night"
STAYS = "Giraffes read the upper shelves"
WORDS = (TOKEN, SIGNATURE, PERSON, OTHER, SENTENCE, "sid=plantedcookie")

PAPER, AUTHORED = "1106.6223", "1207.3285"
REPOSITORY, OWNER = "DEAP/deap", "ljvmiranda921"
MODEL = "coevo-sample/pso-tuner-base"
REGISTER = f"""
[[claims]]
person = "person:planted"
subjects = ["arxiv:{AUTHORED}#1"]
proof = "seen"
since = 2019-01-01
[[optouts]]
person = "person:planted"
since = 2019-01-01
[[optouts]]
work = "arxiv:{PAPER}"
since = 2019-01-01
[[optouts]]
work = "github:{REPOSITORY}"
since = 2019-01-01
[[optouts]]
owner = "github:{OWNER}"
since = 2019-01-01
[[optouts]]
work = "hf:model/{MODEL}"
since = 2019-01-01
"""
NAMES = {name: f"/{name}" for name in ("arxiv", "github", "openalex", "crossref", "semanticscholar", "arxiv_oai")}
NAMES |= {"register": "/register/", "huggingface": ""}
"""Where each service is; the Hub's parser goes by whole paths."""
OUT = (PAPER, AUTHORED, REPOSITORY, f"{OWNER}/", MODEL)
CONTACTS = (
    f"{STAYS}. Ask {PERSON}, <{OTHER}> or mailto:{quote(PERSON)}; ssh git@github.com:some/one https://github.com/a/b"
)


def said_about(name: str) -> str:
    return f"{SENTENCE}. {CONTACTS}" if any(out in name for out in OUT) else CONTACTS


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def echoes() -> str:
    """The token and the addresses in the forms in which libraries and servers write them."""
    packed = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    shifted = base64.urlsafe_b64encode(f"x-oauth:{TOKEN}!".encode()).decode()
    forms = [
        TOKEN,
        quote(TOKEN),
        quote(TOKEN, safe="").replace("%2F", "%2f"),
        quote(quote(TOKEN, safe="")),
        packed,
        shifted,
        PERSON,
        quote(PERSON),
    ]
    forms += [f"https://cdn.example.org/x?X-Amz-Signature={SIGNATURE}&a=1", PERSON.replace("@", "&#64;")]
    return json.dumps(forms)[:-1] + f', "{escaped(TOKEN)}", "{PERSON.replace("@", chr(92) + "u0040")}"]'


def tampered(request: Seen, answer: Answer) -> Step:
    path, body, headers = request.path, answer.body, dict(answer.headers)
    headers |= {
        "Set-Cookie": "sid=plantedcookie",
        "X-Echo": f"Bearer {TOKEN} of {request.headers.get('user-agent', '')}",
        "X-Signed": f"<https://cdn.example.org/?Signature={SIGNATURE}&Key-Pair-Id={SIGNATURE}>; rel=next",
    }
    if answer.status != 200:
        return Answer(answer.status, body, headers)
    if path.startswith(("/arxiv", "/arxiv_oai")):
        text = body.decode()
        for paper in (PAPER, AUTHORED):
            head, found, tail = text.partition(f"/abs/{paper}v1</id>")
            text = (
                head
                + found
                + tail.replace(
                    "<summary/>",
                    f"<summary>{said_about(paper)}</summary>".replace("<other", "&lt;other").replace("edu>", "edu&gt;"),
                    1,
                )
            )
        return Answer(
            200,
            text.replace(
                "<summary/>", f"<summary>{CONTACTS}</summary>".replace("<other", "&lt;other").replace("edu>", "edu&gt;")
            ).encode(),
            headers,
        )
    if path.startswith("/register"):
        return Answer(200, REGISTER.encode(), headers)
    if path.endswith("/raw/main/README.md"):
        return Answer(200, body + said_about(path).encode() + echoes().encode(), headers)
    value = json.loads(body)
    if path.startswith("/openalex") and "again" not in request.parameters:
        headers["Location"] = f"{request.target}&again=1&api_key={quote(TOKEN)}&X-Amz-Signature={SIGNATURE}"
        return Answer(302, b"", headers)
    plant(path, value)
    return Answer(200, with_echoes(value), headers)


def with_echoes(value: Any) -> bytes:
    if isinstance(value, dict):
        value["echo"] = "ECHOES"
    elif value and isinstance(value[0], dict):
        value[0]["echo"] = "ECHOES"
    return json.dumps(value).encode().replace(b'"ECHOES"', echoes().encode())


def plant(path: str, value: Any) -> None:
    if path.endswith("/contributors"):
        value.append({"name": "Ada", "email": PERSON, "type": "Anonymous", "contributions": 2})
        value.append({"name": "Ada", "email": "root@planted-laptop", "type": "Anonymous", "contributions": 1})
    elif isinstance(value, dict) and "content" in value:
        text = base64.b64decode(value["content"]).decode() + f"\n{said_about(path)} {TOKEN}\n"
        if not path.endswith((".json", ".yml", "rc", ".cff", ".txt")):
            value["content"] = base64.encodebytes(text.encode()).decode()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            name = str(one.get("full_name") or one.get("id") or "")
            if "full_name" in one or "cardData" in one:
                one["description"] = said_about(name)
            if "authorships" in one:
                one["authorships"][0]["raw_affiliation_strings"] = [CONTACTS]
            if "DOI" in one or "externalIds" in one:
                one["abstract"] = CONTACTS
            waiting += [each for each in one.values() if isinstance(each, dict | list)]
        elif isinstance(one, list):
            waiting += one


def settings_for(root: Path, url: str) -> Settings:
    every = {"min_interval_s": 0, "token": TOKEN, "enabled": True}
    return load_settings(
        source="live",
        lake=root,
        start_date=DAY,
        history_from=date(1980, 1, 1),
        grace_hours=24 * 36_500,
        texts="all",
        sources={name: every | {"base_url": f"{url}{path}"} for name, path in NAMES.items()},
        http={"retries": 0, "backoff_s": 0.0, "contact": PERSON},
    )


@pytest.fixture
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A day of everything, made over HTTP from tampered answers. One source dies: a journal stays."""
    root = tmp_path_factory.mktemp("planted") / "lake"
    with serve(DAY) as sample, misbehaving(_play(relay(sample))) as server, pytest.MonkeyPatch.context() as patch:
        log = root.parent / "lake" / "run.log"
        log.parent.mkdir()
        handler = logging.FileHandler(log)
        logger = logging.getLogger("coevo_pipelines")
        logger.addHandler(handler)
        patch.setattr(logger, "level", logging.INFO)
        outcome = run_days(settings_for(root, server.url), DAY, DAY)
        logger.removeHandler(handler)
        assert outcome.success, outcome.failures
    return Lake(root)


def _play(through: Any) -> Any:
    cards = 0

    def play(request: Seen) -> Step:
        nonlocal cards
        if request.path.endswith("/raw/main/README.md"):
            cards += 1
            if cards == 4:
                return Reset()
        service = request.path.split("/")[1]
        there = request if service in NAMES else replace(request, target=f"/huggingface{request.target}")
        return tampered(there, through(there))

    return play


def test_no_file_of_a_lake_holds_what_was_planted(lake: Lake) -> None:
    """One test, for the lake is dear to make and two processes would make it twice."""
    stays = (STAYS, "@redacted.invalid")
    found = places(lake.root, (*WORDS, *stays))
    assert [place for place in found if not place.endswith(tuple(word.lower() for word in stays))] == []
    check_the_rest_came_through(lake, found)
    check_contributors_without_an_account_are_still_told_apart(lake)
    check_links_beside_addresses_are_found(lake)


def check_the_rest_came_through(lake: Lake, places_found: list[str]) -> None:
    """Otherwise the test would find nothing because there is nothing."""
    found = " ".join(places_found)
    for part in (
        "scrapes/arxiv/",
        "scrapes/github/",
        "scrapes/huggingface/",
        "scrapes/openalex/",
        "traces/texts/",
        ".journal/huggingface/",
    ):
        assert part in found
    texts = lake.scan("traces.texts", on=DAY).collect()
    assert set(texts["kind"]) == {"abstract", "readme", "card"}
    works = lake.scan("traces.works", on=DAY).collect()
    for work in (f"arxiv:{PAPER}", f"arxiv:{AUTHORED}", f"github:{REPOSITORY.lower()}", f"hf:model/{MODEL}"):
        assert work in works["work_id"].to_list()
        assert work not in texts["work_id"].to_list()
    assert lake.scan("traces.optouts", on=DAY).collect().height == 5


def check_contributors_without_an_account_are_still_told_apart(lake: Lake) -> None:
    people = lake.scan("traces.contributions", on=DAY).collect()
    names = people.filter(pl.col("contributor").str.starts_with("Ada ("))["contributor"].unique().sort().to_list()
    assert names == ["Ada (5d9f053a)", "Ada (80efd707)"]


def check_links_beside_addresses_are_found(lake: Lake) -> None:
    links = lake.scan("traces.references", on=DAY).filter(pl.col("target_id").is_in(["github:some/one", "github:a/b"]))
    assert links.select("target_id").collect()["target_id"].n_unique() == 2


@pytest.mark.parametrize("where", ["plain", "parquet", "journal", "readme in a journal", "escapes", "basic", "duckdb"])
def test_what_is_not_redacted_would_be_found(tmp_path: Path, where: str) -> None:
    planted = f"some text {PERSON} and {TOKEN}, {SENTENCE}".encode()
    readme = json.dumps({"content": base64.encodebytes(planted).decode()}).encode()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    words: tuple[str, ...] = (PERSON, TOKEN, SENTENCE)
    if where == "plain":
        (tmp_path / "a.log").write_bytes(b"x" * 1000 + planted)
    elif where == "parquet":
        pl.DataFrame({"body": [b"", readme], "tags": [[""], ["x"]]}).write_parquet(
            tmp_path / "part.parquet", compression="zstd"
        )
    elif where in {"journal", "readme in a journal"}:
        body = planted if where == "journal" else readme
        Journal(tmp_path / "day.jsonl").append(Exchange("GET", "u", 200, {}, at, body))
    elif where == "escapes":
        text = "".join(f"\\u{ord(each):04x}" for each in PERSON) + " " + quote(quote(TOKEN, safe="")) + " " + SENTENCE
        (tmp_path / "a.json").write_text(text)
    elif where == "basic":
        words = (TOKEN,)
        (tmp_path / "a").write_bytes(b"Basic " + base64.b64encode(f"me:{TOKEN}".encode()))
    else:
        import duckdb

        with duckdb.connect(str(tmp_path / "a.duckdb")) as catalog:
            catalog.execute("CREATE TABLE t AS SELECT ?::VARCHAR AS a FROM range(3000)", [planted.decode()])
    assert {place.partition(": ")[2] for place in places(tmp_path, words)} == {word.lower() for word in words}
