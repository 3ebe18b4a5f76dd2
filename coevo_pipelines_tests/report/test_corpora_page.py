"""The page of the corpora: what was released, what was left out and why, who agreed; and that it adds up."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from coevo_pipelines.corpora.deciding import RULES
from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.schemas import CONTRACT_STATUSES
from coevo_pipelines.report.build import FOLDER
from coevo_pipelines.report.pages import corpora
from coevo_pipelines.report.pages.corpora import BARS, PAGE, SOURCES
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.asked import BEFORE, LATER, links, page_of, said, shown, tags
from coevo_pipelines_tests.report.browser import HOSTILE
from coevo_pipelines_tests.runs import DAYS


def release(**more: Any) -> dict[str, Any]:
    return {
        "blueprint": "mine", "status": "released", "model_id": "me/ant", "model_revision": "1", "candidates": 9,
        "documents": 3, "sequences": 2, "budget": 3_000, "train_tokens": 2_500, "shortfall": 500,
        "validation_tokens": 40, "test_tokens": 80, "folder": "releases/mine/date=2026-11-20", "digest": "ab" * 32,
    } | more  # fmt: skip


def lost(step: int, rule: str, documents: int, out: int, **more: Any) -> dict[str, Any]:
    return {"blueprint": "mine", "step": step, "rule": rule, "repo": "traces", "kind": "code", "documents": documents,
            "documents_out": out, "tokens": 10 * documents, "tokens_out": 10 * out} | more  # fmt: skip


def document(name: str, rule: str | None = None, **more: Any) -> dict[str, Any]:
    inside = {} if rule else {"stage": "prose", "split": "train", "used": 30, "times": 2}
    return {"blueprint": "mine", "doc_id": name, "work_id": "w1", "kind": "code", "license": "MIT",
            "license_from": "file", "influence": 0.1, "rule": rule, "tokens": 10, **inside} | more  # fmt: skip


def contract(**more: Any) -> dict[str, Any]:
    return {"file": "contracts/me/ab.signed.json", "model_id": "me/ant", "model_revision": "1", "status": "accepted",
            "created_at": datetime(2026, 11, 1, tzinfo=UTC), "human": "Ada", "is_in_force": True} | more  # fmt: skip


def world(**more: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        "corpora.releases": [release(), release(date=BEFORE, candidates=5, documents=2, train_tokens=100)],
        "corpora.losses": [
            lost(1, "opted_out", 6, 1), lost(1, "opted_out", 3, 0, repo="repo"), lost(2, "license", 8, 3),
            lost(3, "test", 5, 0), lost(4, "near_duplicate", 5, 2),
        ],
        "corpora.documents": [
            document("d1", repo="repo"), document("d2", split="test", license="Apache-2.0", kind="readme"),
            document("d3", license=None, license_from="none"),
            document("secret-one", "opted_out", detail="secret reason"),
            *(document(f"l{each}", "license", detail="refused: GPL-3.0", influence=each / 10) for each in range(3)),
            document("n1", "near_duplicate", kept_id="d1"), document("n2", "near_duplicate", kept_id="d1"),
        ],
        "corpora.duplicates": [{"doc_id": "d1", "other_id": "n1", "jaccard": 0.9},
                               {"doc_id": "d1", "other_id": "n2", "jaccard": 0.95}],
        "corpora.contracts": [contract()],
        "citations.nodes": [{"node_id": "w1", "title": "Ant trails", "kind": "paper", "date": BEFORE}],
    } | more  # fmt: skip


def test_what_it_says() -> None:
    written = page_of(PAGE, world())
    words = said(written)
    for each in (
        "Corpus mine Released. For me/ant (revision 1), which accepted (asked by Ada on 2026-11-01).",
        "Documents looked at 9 In the corpus 3 Sequences 2 Tokens to train on 2,500 of 3,000 Held out: validation 40 "
        "Held out: test 80 500 tokens of the budget could not be filled",
        "9 documents − 6 left out = 3 documents in the corpus.",
        "9 documents were looked at; opted out took 1, license took 3, near duplicate took 2. That leaves 3.",
        "its people asked to be left out opted_out 1 11.1% 10 the licence does not allow it",
        "license 3 33.3% 30 refused: GPL-3.0 3 l2 l1 l0 nearly the same as another",
        "near_duplicate 2 22.2% 20 n1 kept: d1 n2 kept: d1",
        "2 documents of kind code; 1 document of kind readme.",
        "prose test 1 10 30 2 prose train 2 20 60 2",
        "Apache-2.0 33.3%, MIT 33.3%, none known 33.3%.",
        "2 sources, those with most documents first", "Ant trails 2 20", "repo of the genome 1 10",
        "No model was trained on this release yet",
        "2 verified pairs.", "d1 n2 0.95 d1 n1 0.90",
        "me/ant revision 1 2026-11-01 Ada accepted in force question, answer, signature",
        "2026-11-20 released 9 3 2,500 2026-11-19 released 5 2 100",
    ):  # fmt: skip
        assert each in words, each
    assert "secret" not in words, "who asked to be left out is not shown as an example"
    assert "../../../contracts/me/ab.signed.json" in links(written)
    assert "../../../releases/mine/date%3D2026-11-20/README.md" in links(written)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({}, "There is no corpus of 2026-11-20"),
        ({}, "No model was asked yet"),
        ({"corpora.releases": [release(candidates=0, documents=0)]}, "There was no document to look at."),
        ({"corpora.releases": [release(candidates=3)]}, "Nothing: every document that was looked at is in."),
        ({"corpora.releases": [release(documents=0)]}, "What is in it Nothing."),
        ({"corpora.releases": [release()]}, "No two documents that a corpus asked for were the same or nearly so."),
        ({"corpora.releases": [release()]}, "which nobody has asked yet."),
    ],
)
def test_where_there_is_nothing_a_sentence_says_so(rows: dict[str, Any], told: str) -> None:
    assert told in said(page_of(PAGE, rows))


def test_withheld_and_why() -> None:
    row = release(status="withheld", why="the model said no", folder=None, digest=None, train_tokens=0)
    asked = contract(status="declined", is_in_force=False, why="it said no")
    written = page_of(PAGE, world(**{"corpora.releases": [row], "corpora.contracts": [asked]}))
    words = said(written)
    assert "Withheld: the model said no" in words and "Would be in it 3" in words
    assert "which said no (asked by Ada on 2026-11-01). That is not in force: it said no" in words
    assert "This is what would be in it; no sequence was made." in words
    assert not any("releases/" in each for each in links(written))


def test_the_newest_record_of_that_revision_counts() -> None:
    records = [
        contract(file="a", status="revoked", is_in_force=False, created_at=datetime(2026, 11, 9, tzinfo=UTC)),
        contract(file="b"),
        contract(file="c", model_revision="2", status="declined", created_at=datetime(2026, 11, 10, tzinfo=UTC)),
        contract(file="d", model_id=None, model_revision=None, status="damaged", created_at=None, human=None),
    ]
    words = said(page_of(PAGE, world(**{"corpora.contracts": records})))
    assert "For me/ant (revision 1), which took its consent back" in words
    assert "unknown – – is unknown: the record cannot be read" in words


def test_trainings_are_told() -> None:
    run = {"run_id": "r1", "blueprint": "mine", "steps": 1_200, "tokens": 5}
    runs = [
        {**run, "status": "succeeded", "loss_before": 2.5, "loss_after": 1.25},
        {**run, "run_id": "r2", "status": "failed", "error": "no memory"},
    ]
    words = said(page_of(PAGE, world(**{"corpora.chrysalides": runs})))
    assert "r1 succeeded 1,200 5 2.500 1.250 r2 failed 1,200 5 – – no memory" in words


def test_every_rule_and_answer_has_words() -> None:
    assert tuple(corpora._RULES) == RULES
    assert corpora._ANSWERS.keys() == set(CONTRACT_STATUSES)


def test_later_days_change_no_byte() -> None:
    rows = world()
    later = {name: [*held, *({**row, "date": LATER} for row in held)] for name, held in rows.items()}
    assert page_of(PAGE, rows) == page_of(PAGE, later)


def test_the_same_rows_give_the_same_bytes() -> None:
    assert page_of(PAGE, world()) == page_of(PAGE, {name: rows[::-1] for name, rows in world().items()})


def test_strangers_words_do_nothing() -> None:
    rows = world(**{
        "corpora.releases": [release(model_id=HOSTILE, why=HOSTILE, blueprint="mine", folder="releases/" + HOSTILE)],
        "corpora.contracts": [contract(model_id=HOSTILE, human=HOSTILE, why=HOSTILE, file="contracts/" + HOSTILE)],
        "corpora.duplicates": [{"doc_id": HOSTILE, "other_id": HOSTILE, "jaccard": 0.9}],
    })  # fmt: skip
    for row in rows["corpora.documents"]:
        row |= {"doc_id": row["doc_id"] + HOSTILE, "license": HOSTILE, "stage": HOSTILE, "repo": HOSTILE,
                "detail": HOSTILE, "kept_id": HOSTILE}  # fmt: skip
    written = page_of(PAGE, rows)
    assert not {"iframe", "img"} & tags(written)
    assert written.count(b"<script") == page_of(PAGE, world()).count(b"<script")
    assert "\u202e" not in written.decode() and "</title></desc></svg>" in said(written)
    assert not any(each.startswith(("http:", "https:", "javascript:")) for each in links(written))


def test_what_is_too_much_is_counted() -> None:
    rows = world(**{
        "corpora.releases": [release(documents=SOURCES + 3, candidates=SOURCES + 3)], "corpora.losses": [],
        "corpora.documents": [document(f"d{each:03}", repo=f"r{each:03}", license=f"L-{each:03}")
                              for each in range(SOURCES + 3)],
    })  # fmt: skip
    written = page_of(PAGE, rows)
    assert "And 3 more sources, not shown: see corpora.documents." in said(written)
    chart = re.search(r'aria-label="Documents by licence".*?</svg>', written.decode(), re.DOTALL)
    assert chart is not None and chart[0].count(">L-") == BARS and ">others<" in chart[0]


@pytest.fixture(scope="module")
def page(sample: Settings) -> bytes:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        return shown(PAGE, connection, DAYS[-1], "sample")


def test_the_sample_says_what_the_tables_say(sample: Settings, page: bytes) -> None:
    words = said(page)
    with open_catalog(sample.lake_root / CATALOG) as connection:
        connection.execute(f"SET VARIABLE day = DATE '{DAYS[-1]}'")
        rows = connection.sql(
            """SELECT r.blueprint, r.candidates, r.documents, r.train_tokens,
                (SELECT count(*) FROM corpora.documents d
                 WHERE (d.date, d.blueprint) = (r.date, r.blueprint) AND d.rule IS NULL),
                (SELECT count(*) FROM corpora.documents d
                 WHERE (d.date, d.blueprint) = (r.date, r.blueprint) AND d.rule IS NOT NULL)
            FROM corpora.releases r WHERE r.date = getvariable('day')"""
        ).fetchall()
        rules = connection.sql(
            """SELECT blueprint, rule, count(*) FROM corpora.documents
            WHERE date = getvariable('day') AND rule IS NOT NULL GROUP BY ALL"""
        ).fetchall()
    assert {row[0] for row in rows} == {"sample", "qwen3-0.6b-base"}
    for blueprint, candidates, documents, train, inside, out in rows:
        own = words[words.index(f"Corpus {blueprint} ") :]
        own = own[: own.find("Corpus ", 10)] if "Corpus " in own[10:] else own
        assert documents == inside and candidates == inside + out
        plural = "document" if inside == 1 else "documents"
        assert f"{candidates} documents − {out} left out = {inside} {plural} in the corpus." in own
        assert not train or f"Tokens to train on {train:,}" in own
        for name, rule, number in rules:
            if name == blueprint:
                assert f"{rule} {number} " in own, rule


def test_what_it_links_to_is_there(sample: Settings, page: bytes) -> None:
    report = sample.lake_root / FOLDER / f"date={DAYS[-1]}"
    beside = [each for each in links(page) if each.startswith("../../../")]
    assert len(beside) == 7
    for each in beside:
        assert (report / each.replace("%3D", "=")).exists(), each
