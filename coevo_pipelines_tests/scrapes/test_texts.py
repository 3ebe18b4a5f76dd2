"""`traces.texts`: abstracts, READMEs and cards out of what the services really answered, and out of damaged ones."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.settings import Settings
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.parsing import (
    ARXIV_100,
    ARXIV_2019,
    ARXIV_URL,
    GITHUB_README,
    GRACE,
    day,
    entry,
    feed,
    hub_item,
    hub_page,
    quick,
    read,
    reasons,
    references,
    search_page,
)
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges, file

ADA = "github:ada/one"
MODEL = "hf:model/o/n"
CREATED, PUSHED = "2026-11-03T08:00:00Z", "2026-11-03T09:30:00Z"
THE_DAY = day(2026, 11, 3)


def texts(source: str, *answers: Exchange) -> dict[str, dict[str, Any]]:
    """The rows by work, each beside the event of the work's own row."""
    traces = read(source, *answers)
    works = {row["work_id"]: row for row in traces.rows["works"]}
    made = {row["work_id"]: row for row in traces.rows["texts"]}
    assert len(made) == len(traces.rows["texts"])
    for work_id, row in made.items():
        assert row["event_at"] == works[work_id]["event_at"]
        assert row["sha256"] == hashlib.sha256(row["text"].encode()).hexdigest()
    return made


def repository(**changes: Any) -> Exchange:
    return search_page({"full_name": "Ada/One", "created_at": CREATED, "license": {"spdx_id": "MIT"}} | changes)


def readme(content: bytes, path: str = "readme", fetched_at: datetime | None = None) -> Exchange:
    record = {"path": "README.md", "encoding": "base64", "content": base64.encodebytes(content).decode()}
    said = answer(f"https://api.github.com/repos/Ada/One/{path}", json.dumps(record))
    return said if fetched_at is None else Exchange("GET", said.url, 200, {}, fetched_at, said.body)


def card(content: bytes) -> Exchange:
    return answer("https://huggingface.co/o/n/raw/main/README.md", content)


SAID_BY: dict[str, tuple[str, Callable[[], Exchange], Callable[[bytes], Exchange]]] = {
    "github": (ADA, repository, readme),
    "huggingface": (MODEL, lambda: hub_page(hub_item(id="o/n")), card),
}


# arXiv


def test_recorded_abstracts() -> None:
    """Sums of the elements' text with runs of white space made one space, by sed, tr and sha256sum."""
    made = texts("arxiv", *exchanges(ARXIV_100), answer(ARXIV_URL, file(ARXIV_2019)))
    assert len(made) == 110
    assert {(row["kind"], row["license"], row["source"]) for row in made.values()} == {("abstract", "CC0-1.0", "arxiv")}
    of_2019 = made["arxiv:1501.05039"]
    assert of_2019["sha256"] == "9331709e60326b351c79de3a32182b7a5d4dd39d1edb28c21023b115118efae0"
    assert of_2019["text"].startswith(
        "Data science is gaining more and more and widespread attention, but no consensus"
    )
    assert of_2019["event_at"] == datetime(2015, 1, 21, 2, 41, 55, tzinfo=UTC)
    of_2026 = made["arxiv:2202.12139"]
    assert of_2026["sha256"] == "e96775dd8c3975f2af63bf8d2b2d5c9fd81d19720a8eb9248f38b571e88b1ba2"
    assert of_2026["raw_sha256"] == exchanges(ARXIV_100)[0].body_sha256
    paragraphs = made["arxiv:2206.10210"]["text"].split("\n\n")
    assert [paragraph.split()[0] for paragraph in paragraphs] == [
        "Context:", "Objective:", "Methods:", "Results:", "Conclusion:"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("One line.", "One line."),
        ("\n  Wrapped at\neighty   signs.\n", "Wrapped at eighty signs."),
        ("One.\n  Two, wrapped\nhere.\n\tThree.\n", "One.\n\nTwo, wrapped here.\n\nThree."),
        ("  \n  \nOne.\n \n  Two.", "One.\n\nTwo."),
        ("a &lt; b &amp; $\\alpha$ — Größe 🙂", "a < b & $\\alpha$ — Größe 🙂"),
    ],
)
def test_paragraphs_of_an_abstract(said: str, expected: str) -> None:
    (row,) = texts("arxiv", answer(ARXIV_URL, feed(entry(more=f"<summary>{said}</summary>")))).values()
    assert row["text"] == expected


@pytest.mark.parametrize("more", ["", "<summary/>", "<summary> \n\t\n </summary>"])
def test_no_abstract_is_no_text(more: str) -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more=more))))
    assert (len(traces.rows["works"]), traces.rows["texts"], traces.rows["rejects"]) == (1, [], [])


# GitHub and Hugging Face


@pytest.mark.parametrize(
    ("page", "path", "said", "license_", "blob", "first"),
    [
        (
            GITHUB_README,
            "/repos/sigmavirus24/github3.py",
            GITHUB_README,
            None,
            "c6bdb1b8063dfcb7acf8a14aca2bf6e3363208da",
            ".. image::\n    https://raw.github.com/sigmavirus24/github3.py/",
        ),
        (
            "github/replay_pygithub/Repository.setUp.txt",
            "/repos/PyGithub/PyGithub",
            "github/replay_pygithub/Repository.testGetContents.txt",
            "LGPL-3.0",
            "5628799a7d517a4aaa0c1a7004d07569cd154df0",
            "This is a Python library to access the [Github API v3]",
        ),
    ],
)
def test_recorded_readmes(page: str, path: str, said: str, license_: str | None, blob: str, first: str) -> None:
    """`blob` is the `sha` beside the content: git's id of the file, so every byte is there."""
    (row,) = texts("github", exchange(page, path), exchange(said, "/readme")).values()
    content = row["text"].encode()
    assert hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == blob
    assert row["text"].startswith(first)
    assert (row["kind"], row["license"]) == ("readme", license_)
    assert row["raw_sha256"] == exchange(said, "/readme").body_sha256


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("datasetcard", "9a5702df6b90d5749a7f480e683136cd8b59b55395ebd0cffd9d8a2d13b1fe4a"),
        ("sample_invalid_card_data", "583cb0420b60a0b1f54c534c260d8c13e17ecbcb448282952d2ea874fd965a14"),
        ("sample_no_metadata", "d64e15c03f8932f61e900a5a8b0cb9a6b736bdd6ef90f09c0703c14d1b2f4a5a"),
        ("sample_windows_line_breaks", "12609d834b1872603592b8f0b28c6a80021f89765d17d06c31213a53d987ce20"),
    ],
)
@pytest.mark.parametrize(("tags", "license_"), [(["license:cc-by-4.0"], "cc-by-4.0"), ([], None)])
def test_recorded_cards(name: str, sha256: str, tags: list[str], license_: str | None) -> None:
    listed = hub_page(hub_item(id="o/n", tags=tags), kind="datasets")
    url = "https://huggingface.co/datasets/o/n/raw/main/README.md"
    (row,) = texts("huggingface", listed, answer(url, file(f"huggingface/model_cards_fixtures/{name}.md"))).values()
    assert (row["work_id"], row["kind"], row["license"]) == ("hf:dataset/o/n", "card", license_)
    assert row["sha256"] == sha256


def test_only_the_readme_is_the_readme() -> None:
    assert texts("github", repository(), readme(b"numpy\n", "contents/setup.py")) == {}


@pytest.mark.parametrize("source", SAID_BY)
def test_what_is_not_utf8_is_a_reject_and_its_links_are_read(source: str) -> None:
    work_id, listed, said = SAID_BY[source]
    traces = read(source, listed(), said("Größe https://github.com/a/b\n".encode("latin-1")))
    assert traces.rows["texts"] == []
    ((locator, reason),) = reasons(traces)
    assert locator == f"{work_id} {'readme' if source == 'github' else 'card'}"
    assert reason.startswith("not UTF-8, so no text: 'utf-8' codec can't decode byte 0xf6 in position 2")
    assert ("github:a/b", "mentions", "README.md line 1") in references(traces, work_id)


@pytest.mark.parametrize("source", SAID_BY)
def test_no_text_without_a_work_of_the_day(source: str) -> None:
    _, listed, said = SAID_BY[source]
    for content in (b"# Title\n", b"\xff"):
        assert read(source, said(content)).rows == read(source).rows
        traces = normalize(source, (listed(), said(content)), day(2001, 1, 1), (), GRACE)
        assert (traces.rows, traces.outside_window) == (read(source).rows, 1)


@pytest.mark.parametrize("source", SAID_BY)
@quick
@given(content=st.binary(max_size=40) | st.text(alphabet="\ufeff \r\n\0aß\u2028🙂", max_size=8).map(str.encode))
def test_any_bytes_are_a_text_a_reject_or_white_space(source: str, content: bytes) -> None:
    _, listed, said = SAID_BY[source]
    traces = read(source, listed(), said(content))
    kept, rejected = traces.rows["texts"], traces.rows["rejects"]
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        assert (kept, len(rejected)) == ([], 1)
    else:
        assert [row["text"] for row in kept] == [text] * bool(text.strip())
        assert rejected == []


# A day


def stored(*answers: Exchange) -> list[dict[str, Any]]:
    traces = normalize("github", answers, THE_DAY, (), GRACE)
    frame = frames([traces], THE_DAY, GRACE)["traces.texts"]
    return schemas.conform(schemas.table("traces.texts"), frame, "test").to_dicts()


def test_of_several_sightings_the_last_in_time_stands() -> None:
    in_time, last, late, later = (THE_DAY.end + timedelta(hours=hours) for hours in (1, 47, 49, 50))
    seen = {at: readme(f"seen {at}".encode(), fetched_at=at) for at in (in_time, last, late, later)}
    for some, stands in ((seen, last), ({at: seen[at] for at in (late, later)}, late)):
        (row,) = stored(repository(), *some.values())
        assert (row["text"], row["observed_at"]) == (f"seen {stands}", stands)


def test_each_event_of_a_work_has_its_text_and_the_licence_of_then() -> None:
    old = repository(created_at="2020-01-01T00:00:00Z", pushed_at=CREATED, license=None)
    new = repository(created_at="2020-01-01T00:00:00Z", pushed_at=PUSHED, license={"spdx_id": "GPL-3.0"})
    rows = stored(old, readme(b"old"), new, readme(b"new"))
    assert [(row["event_at"].hour, row["text"], row["license"]) for row in rows] == [
        (8, "old", None),
        (9, "new", "GPL-3.0"),
    ]


def test_the_sample_has_a_text_of_each_repository_and_hub_item_and_composes_no_abstract(sample: Settings) -> None:
    lake = Lake(sample.lake_root)
    works, rows = (lake.scan(f"traces.{name}", upto=DAYS[-1]).collect() for name in ("works", "texts"))
    said = works.filter(pl.col("source").is_in(["github", "huggingface"]))
    rows = rows.filter(pl.col("source") != "hubs")
    key = ["date", "work_id", "source", "event_at", "license"]
    assert rows.select(key).sort(key).equals(said.select(key).sort(key))
    assert rows.group_by("date", "kind").len().sort("date", "kind")["len"].to_list() == [10, 38, 2, 3, 3]
    (pyswarms,) = rows.filter(work_id="github:ljvmiranda921/pyswarms", date=DAYS[-1]).to_dicts()
    assert pyswarms["license"] == "MIT"
    assert pyswarms["text"].startswith("# ljvmiranda921/pyswarms\n\nComposed for the sample from links alone.\n\n- ")
