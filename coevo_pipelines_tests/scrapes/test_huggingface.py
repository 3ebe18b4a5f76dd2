"""Hugging Face's answers as the service really gave them; expected values were read off the recordings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from coevo_pipelines.windows import Window
from coevo_pipelines_tests.scrapes.parsing import (
    HUB_HISTORY,
    HUB_LIST,
    HUB_URL,
    by_id,
    counts,
    day,
    hub_item,
    hub_page,
    metrics,
    part,
    read,
    reasons,
    recorded_model,
    references,
)
from coevo_pipelines_tests.scrapes.recordings import answer, file, json_lines


def test_hugging_face_list() -> None:
    traces = read("huggingface", answer(HUB_URL, file(HUB_LIST)))
    assert counts(traces) == {"works": 6, "references": 9, "metrics": 12, "people": 6}
    expected = {
        "source": "huggingface",
        "kind": "model",
        "event": "created",
        "event_at": datetime(2026, 7, 31, 12, 24, 24, tzinfo=UTC),
        "created_at": datetime(2026, 7, 31, 12, 24, 24, tzinfo=UTC),
        "title": "unsloth/DeepSeek-V4-Flash-0731-GGUF",
        "version": None,
        "status": "active",
        "license": "mit",
        "owner": "hf:unsloth",
        "native_id": "6a6c93f8ab7a726c1651182a",
        "url": "https://huggingface.co/unsloth/DeepSeek-V4-Flash-0731-GGUF",
        "fields": [],
    }
    work_id = "hf:model/unsloth/DeepSeek-V4-Flash-0731-GGUF"
    assert part(by_id(traces)[work_id], expected) == expected
    assert references(traces, work_id) == [
        ("arxiv:2606.19348", "cites", "tag arxiv:2606.19348"),
        (
            "hf:model/deepseek-ai/DeepSeek-V4-Flash-0731",
            "derives_from",
            "tag base_model:deepseek-ai/DeepSeek-V4-Flash-0731",
        ),
        (
            "hf:model/deepseek-ai/DeepSeek-V4-Flash-0731",
            "derives_from",
            "tag base_model:quantized:deepseek-ai/DeepSeek-V4-Flash-0731",
        ),
    ]
    assert metrics(traces, work_id) == {"likes": 252, "downloads": 4048}
    assert [row["account"] for row in traces.rows["people"]][:2] == ["hf:DavidAU", "hf:unsloth"]
    assert by_id(traces)["hf:model/black-forest-labs/FLUX.1-dev"]["fields"] == ["text-to-image"]


def test_hugging_face_datasets_that_a_model_was_trained_on() -> None:
    traces = read("huggingface", answer(HUB_URL, file(HUB_LIST)))
    name = "DavidAU/Qwen3.6-27B-Fable-Fusion-711-Uncensored-Heretic-NM-DAU"
    assert [one[:2] for one in references(traces, f"hf:model/{name}-NEO-MAX-MTP-GGUF")] == [
        ("hf:dataset/DavidAU/Polar-STRICT-Datasets", "trained_on"),
        ("hf:dataset/DavidAU/F451-STRICT-Datasets", "trained_on"),
        (f"hf:model/{name}-MTP", "derives_from"),
        (f"hf:model/{name}-MTP", "derives_from"),
    ]


@pytest.mark.parametrize(
    ("window", "stored"),
    [
        (day(2026, 7, 31), ["unsloth/DeepSeek-V4-Flash-0731-GGUF", "deepseek-ai/DeepSeek-V4-Flash-0731"]),
        (day(2024, 7, 31), ["black-forest-labs/FLUX.1-dev"]),
        (day(2022, 3, 2), []),
    ],
)
def test_hugging_face_other_days_are_counted_and_not_stored(window: Window, stored: list[str]) -> None:
    traces = read("huggingface", answer(HUB_URL, file(HUB_LIST)), window=window)
    assert [row["title"] for row in traces.rows["works"]] == stored
    assert traces.outside_window == 6 - len(stored)
    assert {row["source_id"] for row in traces.rows["references"]} <= set(by_id(traces))
    assert len(traces.rows["metrics"]) == 2 * len(stored)


def test_hugging_face_gated_model_whose_tags_disagree_with_its_card() -> None:
    traces = read("huggingface", hub_page(recorded_model("meta-llama/Llama-3.1-8B-Instruct")))
    work_id = "hf:model/meta-llama/Llama-3.1-8B-Instruct"
    expected = {
        "status": "gated",
        "license": "llama3.1",
        "fields": ["text-generation"],
        "created_at": datetime(2024, 7, 18, 8, 56, tzinfo=UTC),
        "native_id": "6698d8a0653e4babe21e1e7d",
    }
    row = by_id(traces)[work_id]
    assert part(row, expected) == expected
    assert row["version"].startswith("0e9e39f2")
    assert references(traces, work_id) == [
        ("arxiv:2204.05149", "cites", "tag arxiv:2204.05149"),
        ("hf:model/meta-llama/Llama-3.1-8B", "derives_from", "tag base_model:meta-llama/Llama-3.1-8B"),
        ("hf:model/meta-llama/Llama-3.1-8B", "derives_from", "tag base_model:finetune:meta-llama/Llama-3.1-8B"),
        ("hf:model/meta-llama/Meta-Llama-3.1-8B", "derives_from", "card base_model: meta-llama/Meta-Llama-3.1-8B"),
    ]
    assert metrics(traces, work_id) == {"likes": 3763, "downloads": 5795728}


@pytest.mark.parametrize(
    ("name", "license_", "expected"),
    [
        (
            "stabilityai/stable-diffusion-2-1",
            "openrail++",
            [
                ("arxiv:2112.10752", "cites", "tag arxiv:2112.10752"),
                ("arxiv:2202.00512", "cites", "tag arxiv:2202.00512"),
                ("arxiv:1910.09700", "cites", "tag arxiv:1910.09700"),
            ],
        ),
        (
            "jonatasgrosman/wav2vec2-large-xlsr-53-english",
            "apache-2.0",
            [
                (
                    "hf:dataset/mozilla-foundation/common_voice_6_0",
                    "trained_on",
                    "tag dataset:mozilla-foundation/common_voice_6_0",
                ),
                ("doi:10.57967/hf/3569", "cites", "tag doi:10.57967/hf/3569"),
                (
                    "hf:dataset/mozilla-foundation/common_voice_6_0",
                    "trained_on",
                    "card datasets: mozilla-foundation/common_voice_6_0",
                ),
            ],
        ),
        (
            "alefiury/wav2vec2-large-xlsr-53-gender-recognition-librispeech",
            "apache-2.0",
            [
                (
                    "hf:model/facebook/wav2vec2-xls-r-300m",
                    "derives_from",
                    "tag base_model:facebook/wav2vec2-xls-r-300m",
                ),
                (
                    "hf:model/facebook/wav2vec2-xls-r-300m",
                    "derives_from",
                    "tag base_model:finetune:facebook/wav2vec2-xls-r-300m",
                ),
                (
                    "hf:model/facebook/wav2vec2-xls-r-300m",
                    "derives_from",
                    "card base_model: facebook/wav2vec2-xls-r-300m",
                ),
            ],
        ),
    ],
)
def test_hugging_face_history(name: str, license_: str, expected: list[tuple[str, str, str]]) -> None:
    traces = read("huggingface", hub_page(recorded_model(name)))
    assert [(row["license"], row["status"]) for row in traces.rows["works"]] == [(license_, "active")]
    assert set(expected) <= set(references(traces, f"hf:model/{name}"))


def test_hugging_face_whole_history_is_works_or_rejects() -> None:
    bodies = [json.loads(one["body"]) for one in json_lines(HUB_HISTORY) if one["status"] == 200]
    traces = read("huggingface", hub_page(*bodies))
    undated = [body for body in bodies if "createdAt" not in body]
    assert (len(traces.rows["works"]), len(undated)) == (len(bodies) - len(undated), 8)
    assert {reason for _, reason in reasons(traces)} == {"a date is missing or not text: None"}
    assert len(traces.rows["rejects"]) == 8
    assert min(row["created_at"] for row in traces.rows["works"]) >= datetime(2022, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gated", "status"),
    [(True, "gated"), ("auto", "gated"), ("manual", "gated"), (False, "active"), (None, "active")],
)
def test_hugging_face_gates(gated: Any, status: str) -> None:
    traces = read("huggingface", hub_page(hub_item(gated=gated)))
    assert [row["status"] for row in traces.rows["works"]] == [status]


@pytest.mark.parametrize(
    ("kind", "work_id", "url", "relation"),
    [
        ("models", "hf:model/o/n", "https://huggingface.co/o/n", "trained_on"),
        ("datasets", "hf:dataset/o/n", "https://huggingface.co/datasets/o/n", "derives_from"),
        ("spaces", "hf:space/o/n", "https://huggingface.co/spaces/o/n", "trained_on"),
    ],
)
def test_hugging_face_kinds(kind: str, work_id: str, url: str, relation: str) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=["dataset:a/b"]), kind=kind))
    row = by_id(traces)[work_id]
    assert (row["kind"], row["url"], row["owner"]) == (work_id.partition("/")[0][3:], url, "hf:o")
    assert references(traces, work_id) == [("hf:dataset/a/b", relation, "tag dataset:a/b")]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("base_model:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:finetune:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:adapter:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:merge:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:quantized:a/b", ("hf:model/a/b", "derives_from")),
        ("arxiv:1810.04805", ("arxiv:1810.04805", "cites")),
        ("doi:10.57967/HF/1", ("doi:10.57967/hf/1", "cites")),
        ("license:mit", None),
        ("region:us", None),
        ("diffusers:FluxPipeline", None),
        ("text/plain", None),
    ],
)
def test_hugging_face_tags(tag: str, expected: tuple[str, str] | None) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[tag])))
    assert references(traces, "hf:model/o/n") == ([(*expected, f"tag {tag}")] if expected else [])
    assert traces.rows["rejects"] == []


@pytest.mark.parametrize(
    ("card", "targets"),
    [
        ({"base_model": "a/b"}, ["hf:model/a/b"]),
        ({"base_model": ["a/b", "c/d"], "datasets": "e/f"}, ["hf:model/a/b", "hf:model/c/d", "hf:dataset/e/f"]),
        ({"base_model": None, "datasets": [None, 5, "e/f"]}, ["hf:dataset/e/f"]),
        ({"base_model": {"name": "a/b"}}, []),
        ({"datasets": 5}, []),
        ("not an object", []),
        ([], []),
    ],
)
def test_hugging_face_cards(card: Any, targets: list[str]) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[], cardData=card)))
    assert [target for target, _, _ in references(traces, "hf:model/o/n")] == targets
    assert len(traces.rows["works"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"cardData": {"datasets": ["https://huggingface.co/datasets/o/n"]}},
        {"cardData": {"base_model": "a/b/c"}},
        {"tags": ["arxiv:soon"]},
        {"tags": ["doi:pending"]},
    ],
)
def test_hugging_face_bad_link_does_not_cost_the_work(changes: dict[str, Any]) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", **changes)))
    assert len(traces.rows["works"]) == 1
    assert len(traces.rows["rejects"]) == 1


def test_hugging_face_card_links() -> None:
    card = "---\nlicense: mit\n---\r\nPaper: https://arxiv.org/abs/1810.04805\r\nSee https://hf.co/o/n\r\n"
    url = "https://huggingface.co/o/n/raw/main/README.md"
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[])), answer(url, card))
    assert references(traces, "hf:model/o/n") == [("arxiv:1810.04805", "mentions", "README.md line 4")]


@pytest.mark.parametrize(
    "name", ["modelcard", "sample_invalid_card_data", "sample_no_metadata", "sample_windows_line_breaks", "datasetcard"]
)
def test_hugging_face_recorded_cards_never_cost_the_work(name: str) -> None:
    card = file(f"huggingface/model_cards_fixtures/{name}.md")
    url = "https://huggingface.co/datasets/o/n/raw/main/README.md"
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[]), kind="datasets"), answer(url, card))
    assert list(by_id(traces)) == ["hf:dataset/o/n"]
    assert traces.rows["rejects"] == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (7, "the item is not an object"),
        ({}, "a Hugging Face model name is missing"),
        ({"id": "a/b/c"}, "not a Hugging Face model name: 'a/b/c'"),
        ({"id": "a/b"}, "a date is missing or not text: None"),
        ({"id": "a/b", "createdAt": "soon"}, "not a date: 'soon'"),
    ],
)
def test_hugging_face_one_bad_item_rejects_itself_only(broken: Any, reason: str) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/1"), broken, hub_item(id="o/2")))
    assert list(by_id(traces)) == ["hf:model/o/1", "hf:model/o/2"]
    assert reasons(traces) == [("[1]", reason)]
