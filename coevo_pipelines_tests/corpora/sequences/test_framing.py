"""Templates of special tokens, words and fields, and documents whose fields and texts try to be special tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora import blueprints
from coevo_pipelines.corpora.blueprints import Blueprint, BlueprintError
from coevo_pipelines.corpora.sequences import framing
from coevo_pipelines.corpora.sequences.tokenizer import Loaded, TokenizerError, load
from coevo_pipelines_tests.corpora.sequences.test_tokenizer import HE, MARKERS, letters, saved, texts_of

Row = Mapping[str, str | None]
END, REPO, THINK = MARKERS.values()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(saved(tmp_path_factory.mktemp("tiny")))


def blueprint(asked: dict[str, Any] | None = None, **fields: Any) -> Blueprint:
    given: dict[str, Any] = {
        "tokenizer": "x",
        "context_length": 64,
        "model": {"id": "a/b"},
        "folder": Path(),
        "name": "made",
    }
    return Blueprint(**given | {"framing": asked or {}} | fields)


def documents(*rows: Row) -> pl.DataFrame:
    columns = ("kind", *framing.FIELDS)
    return pl.DataFrame(
        [{"kind": "code", "repo": "a/b", "path": "c.d", **row} for row in rows],
        schema=dict.fromkeys(columns, pl.String),
    )


def around(tiny: Loaded, made: Blueprint, folder: Path, *rows: Row) -> list[tuple[list[int], ...]]:
    """Before, closing and after, of each document."""
    framed = framing.frame(documents(*rows), framing.plan(made, tiny), tiny, folder)
    return list(zip(*(texts_of(each) for each in (framed.before, framed.closing, framed.after)), strict=True))


@pytest.mark.parametrize(
    ("asked", "packing", "wanted"),
    [
        ({}, {}, ([], [], [])),
        ({}, {"end_token": "<|end|>"}, ([], [END], [])),
        (
            {"document": "<|repo_name|>{repo}\n{text}"},
            {"end_token": "<|end|>"},
            ([REPO, *letters("a/b\n")], [END], []),
        ),
        # Fields and words between two special tokens are one text: the merge goes across them, and not into {text}.
        ({"document": "h{version}: h{text}e"}, {}, ([HE, *letters(": h")], [], letters("e"))),
        ({"document": "{{{path}}} <|end|>{text}"}, {}, ([*letters("{c.d} "), END], [], [])),
        ({"document": "a{{b{text}"}, {}, (letters("a{b"), [], [])),
        # What closes a text: up to the first special token after it.
        (
            {"document": "<think>{text}\n{path}<|end|>\n<think>{license}"},
            {"end_token": "<|end|>"},
            ([THINK], [*letters("\nc.d"), END], [*letters("\n"), THINK, *letters("MIT"), END]),
        ),
        # A missing field is nothing.
        ({"document": "{title}{language}|{text}"}, {}, (letters("|"), [], [])),
    ],
)
def test_known_answers(
    tiny: Loaded, tmp_path: Path, asked: dict[str, Any], packing: dict[str, str], wanted: tuple[list[int], ...]
) -> None:
    row = {"version": "e", "license": "MIT"}
    assert around(tiny, blueprint(asked, packing=packing), tmp_path, row) == [wanted]


def test_texts_of_traces_and_instructions(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(
        {
            "kind": "instruction",
            "document": "<think>{instruction}<|end|>{text}",
            "text": "{title}: {text}",
            "instructions": {"code": "Write {path}.", "prose": "<|repo_name|>{repo}"},
        }
    )
    found = around(
        tiny,
        made,
        tmp_path,
        {"kind": "prose"},
        {"repo": None, "kind": "abstract", "title": "ants"},
        {},
        {"kind": "prose"},
    )
    prose: tuple[list[int], ...] = ([THINK, REPO, *letters("a/b"), END], [], [])
    code: tuple[list[int], ...] = ([THINK, *letters("Write c.d."), END], [], [])
    assert found == [prose, (letters("ants: "), [], []), code, prose]
    message = r"blueprint made: framing\.instructions: none for documents of the kind 'data'"
    with pytest.raises(BlueprintError, match=message):
        around(tiny, made, tmp_path, {}, {"kind": "data"})


def test_no_documents(tiny: Loaded, tmp_path: Path) -> None:
    assert around(tiny, blueprint({"document": "{repo}{text}"}), tmp_path) == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=6), st.sampled_from([*MARKERS, "{text}", "{repo}", "<|im_start|>"]), st.text(max_size=6))
def test_fields_stay_text(tiny: Loaded, tmp_path: Path, before: str, middle: str, after: str) -> None:
    value = before + middle + after
    made = blueprint({"document": "<|repo_name|>{repo}<think>{text}"})
    [(ids, _, _)] = around(tiny, made, tmp_path, {"repo": value})
    assert (ids[0], ids[-1]) == (REPO, THINK)
    assert not set(ids[1:-1]) & set(MARKERS.values())
    assert tiny.tokenizer.decode(ids[1:-1]) == value


def test_special_tokens_that_take_the_spaces_beside_them(tmp_path: Path) -> None:
    loaded = load(saved(tmp_path, strip=True))
    assert around(loaded, blueprint({"document": "a<|end|> \n b{text}"}), tmp_path, {}) == [
        ([*letters("a"), END, *letters("b")], [], [])
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"asked": {"document": "{repos}{text}"}},
            r"framing\.document: \{repos\} is no field \(did you mean \{repo\}\?\)",
        ),
        ({"asked": {"document": "{}{text}"}}, r"framing\.document: \{\} is no field: there are \{text\}, "),
        ({"asked": {"document": "{text}{repo!r}"}}, r"framing\.document: \{repo!r\} is no field"),
        ({"asked": {"document": "{text}{repo:>5}"}}, r"framing\.document: \{repo:>5\} is no field"),
        ({"asked": {"document": "{text}}"}}, r"framing\.document: .*brace of the text itself is written twice"),
        ({"asked": {"document": "{{text}}"}}, r"framing\.document: a template has \{text\} exactly once"),
        ({"asked": {"document": "{text}", "text": "{texts}{text}"}}, r"framing\.text: \{texts\} is no field"),
        (
            {"asked": {"kind": "instruction", "document": "{instruction}{text}", "instructions": {"code": "{text}"}}},
            r"framing\.instructions\.code: \{text\} is no field",
        ),
        (
            {"preamble": {"kind": "contract", "template": "{preamble}{repo}"}},
            r"preamble\.template: \{repo\} is no field",
        ),
    ],
)
def test_templates_that_cannot_be(tiny: Loaded, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BlueprintError, match=f"blueprint made: {message}"):
        framing.plan(blueprint(**fields), tiny)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"asked": {"document": "<|file_sep|>{text}"}},
            r"framing\.document: '<\|file_sep\|>' is no special token of .*tokenizer\.json",
        ),
        ({"asked": {"document": "a<|repo_nam|>{text}"}}, r".*\(did you mean <\|repo_name\|>\?\)"),
        ({"asked": {"document": "<｜User｜>{text}"}}, r"framing\.document: '<｜User｜>' is no special token"),
        ({"packing": {"end_token": "end"}}, r"packing\.end_token: 'end' is no special token"),
        ({"packing": {"start_token": "<|start|>"}}, r"packing\.start_token: '<\|start\|>' is no special token"),
        ({"preamble": {"kind": "contract", "template": "<|x|>{preamble}"}}, r"preamble\.template: '<\|x\|>' is no"),
    ],
)
def test_special_tokens_of_other_models(tiny: Loaded, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=f"blueprint made: {message}"):
        framing.plan(blueprint(**fields), tiny)


def test_openings(tiny: Loaded, tmp_path: Path) -> None:
    def opening(said: str, **fields: Any) -> list[int]:
        return list(framing.opening(framing.plan(blueprint(**fields), tiny), said, tiny, tmp_path))

    assert opening("") == []
    assert opening("", packing={"start_token": "<think>"}) == [THINK]
    contract = {"kind": "contract", "template": "<|repo_name|>x{preamble}<|end|>"}
    wanted = [THINK, REPO, *letters("x<|end|>{repo}"), END]
    assert opening("<|end|>{repo}", packing={"start_token": "<think>"}, preamble=contract) == wanted


def test_the_samples_templates(tmp_path: Path) -> None:
    made = blueprints.load("sample")
    loaded = load(made.folder / made.tokenizer)
    [(before, closing, after)] = around(loaded, made, tmp_path, {})
    assert loaded.tokenizer.decode(before, skip_special_tokens=False) == "<|repo|>a/b\n<|file|>c.d\n"
    assert (closing, after) == ([loaded.markers["<|end|>"]], [])
