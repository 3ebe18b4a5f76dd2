"""The Hub's refusals, redirects, cards and floor of dates: facts about its items, on its own recorded answers."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.normalize import normalize
from coevo_pipelines.traces.records import Traces
from coevo_pipelines_tests.scrapes.parsing import (
    GRACE,
    HUB_HISTORY,
    TESTING,
    by_id,
    day,
    hub_item,
    hub_page,
    read,
    recorded_model,
    references,
)
from coevo_pipelines_tests.scrapes.recordings import FETCHED_AT, answer, exchanges, file, json_lines

HUB = "https://huggingface.co"
TODAY = day(2026, 11, 3)
CREATED = "2026-11-03T01:00:00.000Z"


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_card_of_an_item_without_an_owner_is_read(kind: str) -> None:
    listing = hub_page(hub_item(id="old", createdAt=CREATED, tags=[], cardData={}, gated=False), kind=f"{kind}s")
    place = "" if kind == "model" else "/datasets"
    card = answer(f"{HUB}{place}/old/raw/main/README.md", "# See https://github.com/a/b")
    traces = normalize("huggingface", (listing, card), TODAY, (TESTING,), GRACE)
    assert [row["work_id"] for row in traces.rows["texts"]] == [f"hf:{kind}/old"]
    assert [row["target_id"] for row in traces.rows["references"]] == ["github:a/b"]


def of_today(*answers: Exchange) -> Traces:
    item = hub_item(id="o/n", createdAt=CREATED, tags=[], cardData={}, gated=False)
    return normalize("huggingface", (hub_page(item), *answers), TODAY, (TESTING,), GRACE)


def refused(path: str, status: int, later: timedelta = timedelta(0), **headers: str) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange("GET", HUB + path, status, named, FETCHED_AT + later, b'{"error":"Invalid username or password."}')


def statuses(traces: Traces) -> list[tuple[str, str]]:
    return [(row["work_id"], row["status"]) for row in traces.rows["works"][1:]]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (401, {}, "gone"),  # absent or private: evidence/issue_quoted_responses.jsonl, nonexistent_or_private_401
        (401, {"x_error_code": "GatedRepo"}, "gated"),  # gated_file_401
        (403, {"x_error_code": "GatedRepo"}, "gated"),
        (401, {"x_error_code": "RepoNotFound"}, "gone"),
        (404, {"x_error_code": "RepoNotFound"}, "gone"),
        (403, {"x_error_code": "DisabledRepo"}, "blocked"),
        (451, {}, "blocked"),
        (404, {"x_error_code": "EntryNotFound"}, None),
        (404, {}, None),
        (403, {}, None),
        (400, {}, None),
    ],
)
@pytest.mark.parametrize("path", ["/api/models/o/n", "/o/n/raw/main/README.md"])
def test_a_refusal_becomes_a_status_of_the_day(path: str, status: int, headers: Any, expected: str | None) -> None:
    traces = of_today(refused(path, status, **headers))
    assert statuses(traces) == ([("hf:model/o/n", expected)] if expected else [])
    assert traces.rows["rejects"] == []
    assert statuses(of_today(refused(path, status, timedelta(days=30), **headers))) == []
    other = of_today(refused(path.replace("o/n", "o/other"), status, **headers))
    assert statuses(other) == []


def test_the_quoted_refusals_are_those_of_the_table() -> None:
    quoted = {one["kind"]: one for one in json_lines("evidence/issue_quoted_responses.jsonl")}
    absent, gated = quoted["nonexistent_or_private_401"], quoted["gated_file_401"]
    assert (absent["status"], absent["verbatim"].encode()) == (401, refused("/o/n", 401).body)
    assert (gated["status"], gated["verbatim"]) == (401, "x-error-code: GatedRepo")


RENAMES = [
    ("hf:model/bert-base-uncased", "hf:model/google-bert/bert-base-uncased"),
    ("hf:model/t5-small", "hf:model/google-t5/t5-small"),
]


def test_recorded_renames_are_identities() -> None:
    moved = []
    for one in json_lines(HUB_HISTORY):
        if int(one["status"]) == 307:
            headers = {name: ", ".join(values) for name, values in one["headers"].items()}
            moved.append(Exchange("GET", one["url"], 307, headers, FETCHED_AT, one["body"].encode()))
    assert len(moved) == 2
    identities = read("huggingface", *moved).rows["identities"]
    assert [(row["left_id"], row["right_id"], row["same"], row["evidence"]) for row in identities] == [
        (*sorted(names), True, "huggingface: moved") for names in RENAMES
    ]


def test_recorded_cassettes_hold_the_same_renames() -> None:
    names = [f"huggingface/vcr_huggingface_hub/InferenceApiTest.{test}.yaml"
             for test in ("test_inference_overriding_task", "test_simple_inference")]  # fmt: skip
    found = {
        (row["left_id"], row["right_id"])
        for name in names
        for row in read("huggingface", *(one for one in exchanges(name) if one.status == 307)).rows["identities"]
    }
    assert found <= {tuple(sorted(names)) for names in RENAMES}
    assert found


def test_the_card_of_a_renamed_item_is_that_of_the_item_that_was_listed() -> None:
    moved = refused("/o/n/raw/main/README.md", 307, location="/p/m/raw/main/README.md")
    traces = of_today(moved, answer(f"{HUB}/p/m/raw/main/README.md", "https://github.com/a/b\n"))
    assert references(traces, "hf:model/o/n") == [("github:a/b", "mentions", "README.md line 1")]
    assert statuses(traces) == [("hf:model/o/n", "renamed")]
    assert [row["text"] for row in traces.rows["texts"]] == ["https://github.com/a/b\n"]


@pytest.mark.parametrize(
    "location", ["", "/o/n/raw/main/README.md", "http://[", "/datasets/o/m/raw/main/README.md", "/x/"]
)
def test_a_redirect_that_names_no_other_item_says_nothing(location: str) -> None:
    traces = of_today(refused("/o/n/raw/main/README.md", 307, location=location))
    assert traces.rows["identities"] == []
    assert statuses(traces) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"gated": "auto", "private": True, "disabled": True}, "blocked"),
        ({"gated": "manual", "private": True}, "private"),
        ({"gated": "manual"}, "gated"),
        ({"gated": False, "private": False, "disabled": False}, "active"),
    ],
)
def test_the_access_that_an_item_has(changes: dict[str, Any], status: str) -> None:
    assert [row["status"] for row in read("huggingface", hub_page(hub_item(**changes))).rows["works"]] == [status]


@pytest.mark.parametrize(
    ("created", "event"),
    [
        ("2018-11-12T10:15:00.000Z", "created"),  # the bundled sample alone has such dates
        ("2022-03-01T23:59:59.000Z", "created"),
        ("2022-03-02T00:00:00.000Z", "listed"),
        ("2022-03-02T23:29:05.000Z", "listed"),
        ("2022-03-03T00:00:00.000Z", "created"),
        ("2022-12-06T17:24:51.000Z", "created"),
    ],
)
def test_what_is_as_old_as_the_hubs_dates_may_be_older(created: str, event: str) -> None:
    (row,) = read("huggingface", hub_page(hub_item(createdAt=created))).rows["works"]
    assert (row["event"], row["created_at"]) == (event, datetime.fromisoformat(created))


def test_the_recorded_items_of_the_floor() -> None:
    items = [json.loads(one["body"]) for one in json_lines(HUB_HISTORY) if int(one["status"]) == 200]
    by_name = {item["id"]: item for item in items if "createdAt" in item}
    works = by_id(read("huggingface", hub_page(*by_name.values())))
    created = {name.removeprefix("hf:model/") for name, row in works.items() if row["event"] == "created"}
    assert created == {
        "stabilityai/stable-diffusion-2-1", "alefiury/wav2vec2-large-xlsr-53-gender-recognition-librispeech",
        "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3-70B-Instruct",
        "naver-clova-ix/donut-base-finetuned-docvqa", "Salesforce/blip-image-captioning-base",
    }  # fmt: skip
    floor = [row["created_at"] for row in works.values() if row["event"] == "listed"]
    assert len(floor) == 13
    assert {at.replace(microsecond=0) for at in floor} == {
        datetime(2022, 3, 2, 23, 29, second, tzinfo=UTC) for second in (4, 5)
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("google-bert/bert-base-uncased", [
            ("hf:dataset/bookcorpus", "trained_on", "tag dataset:bookcorpus"),
            ("hf:dataset/wikipedia", "trained_on", "tag dataset:wikipedia"),
            ("arxiv:1810.04805", "cites", "tag arxiv:1810.04805"),
            ("hf:dataset/bookcorpus", "trained_on", "card datasets: bookcorpus"),
            ("hf:dataset/wikipedia", "trained_on", "card datasets: wikipedia"),
        ]),
        ("meta-llama/Llama-3.1-8B-Instruct", [
            ("arxiv:2204.05149", "cites", "tag arxiv:2204.05149"),
            ("hf:model/meta-llama/Llama-3.1-8B", "derives_from", "tag base_model:meta-llama/Llama-3.1-8B"),
            ("hf:model/meta-llama/Llama-3.1-8B", "derives_from", "tag base_model:finetune:meta-llama/Llama-3.1-8B"),
            ("hf:model/meta-llama/Meta-Llama-3.1-8B", "derives_from", "card base_model: meta-llama/Meta-Llama-3.1-8B"),
        ]),
        ("stabilityai/stable-diffusion-2-1", [
            ("arxiv:2112.10752", "cites", "tag arxiv:2112.10752"),
            ("arxiv:2202.00512", "cites", "tag arxiv:2202.00512"),
            ("arxiv:1910.09700", "cites", "tag arxiv:1910.09700"),
        ]),
    ],
)  # fmt: skip
def test_tags_and_card_each_with_its_own_evidence(name: str, expected: list[tuple[str, str, str]]) -> None:
    traces = read("huggingface", hub_page(recorded_model(name)))
    assert references(traces, f"hf:model/{name}") == expected


@pytest.mark.parametrize(
    ("kind", "card", "expected"),
    [
        ("datasets", {"datasets": ["a/b"]}, [("hf:dataset/a/b", "derives_from", "card datasets: a/b")]),
        ("datasets", {"source_datasets": ["original", "extended|squad", "extended|other-x", "extended", "a/b"]},
         [("hf:dataset/squad", "derives_from", "card source_datasets: extended|squad"),
          ("hf:dataset/a/b", "derives_from", "card source_datasets: a/b")]),
        ("spaces", {"datasets": ["c/d"]}, [("hf:dataset/c/d", "trained_on", "card datasets: c/d")]),
        ("models", {"models": ["a/b"], "source_datasets": ["c/d"]}, []),
    ],
)  # fmt: skip
def test_what_a_card_names_by_kind(kind: str, card: Any, expected: list[tuple[str, str, str]]) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[], cardData=card), kind=kind))
    assert references(traces, f"hf:{kind[:-1]}/o/n") == expected
    assert traces.rows["rejects"] == []


HUB_REPOSITORY = "github:huggingface/huggingface_hub"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("modelcard", {("github:huggingface/huggingface.js", 9), (HUB_REPOSITORY, 56)}),
        ("datasetcard", {("github:huggingface/huggingface.js", 28), (HUB_REPOSITORY, 101)}),
        ("sample_simple", set()),
        ("sample_no_metadata", set()),
        ("sample_template", set()),
        ("sample_invalid_card_data", set()),
        ("sample_invalid_model_index", set()),
        ("sample_simple_model_index", set()),
        ("sample_windows_line_breaks", set()),
        ("sample_datasetcard_simple", set()),
        ("sample_datasetcard_template", set()),
    ],
)
def test_links_of_the_recorded_cards(name: str, lines: set[tuple[str, int]]) -> None:
    card = file(f"huggingface/model_cards_fixtures/{name}.md")
    traces = of_today(answer(f"{HUB}/o/n/raw/main/README.md", card))
    found = {(target, int(evidence.split()[-1])) for target, _, evidence in references(traces, "hf:model/o/n")}
    assert found - {(target, line) for target, line in found if not target.startswith("github:")} == lines
    assert traces.rows["rejects"] == []
    crlf = of_today(answer(f"{HUB}/o/n/raw/main/README.md", b"\xef\xbb\xbf" + card.replace(b"\n", b"\r\n")))
    assert references(crlf, "hf:model/o/n") == references(traces, "hf:model/o/n")


def test_reuse_that_peatmoss_found_has_the_same_identifiers_here() -> None:
    """Each row of the study: a GitHub repository and the model that it uses, as an address and as a name."""
    rows = list(csv.reader(io.StringIO(file("huggingface/peatmoss/mapping.csv").decode())))
    pairs = {(row[0], row[1], row[2]) for row in rows}
    assert len(pairs) > 10_000
    wrong = []
    for repository, model, address in sorted(pairs):
        github = f"github:{repository.removeprefix('github.com/').lower()}"
        own = [f"hf:model/{model}"] if "/" in model else []  # an address without an owner could be any page
        text = f"[code](https://{repository}) uses [{model}]({address})."
        if [target for _, target in identifiers.in_text(text)] != [github, *own]:
            wrong.append((repository, model))
    assert wrong == []
