"""Blueprints: the shipped ones, and what is wrong with one of a user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from coevo_pipelines.corpora.blueprints import BlueprintError, load, load_all, parse, shipped
from coevo_pipelines.settings import SettingsError, load_settings

SMALLEST = 'tokenizer = "a/b"\ncontext_length = 64\n[model]\nid = "a/b"\n'


def written(folder: Path, text: str, name: str = "mine") -> str:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_shipped_ones_can_be_read() -> None:
    found = {each.name: each for each in load_all(tuple(shipped()))}
    assert sorted(found) == ["lfm2.5-1.2b", "qwen3-0.6b-base", "qwen3-4b", "sample", "whole-genome"]
    assert {each.framing.kind for each in found.values()} == {"continuation", "instruction"}
    small, whole = found["qwen3-0.6b-base"], found["whole-genome"]
    assert small.exclusions.backups and not whole.exclusions.backups
    assert found["lfm2.5-1.2b"].history == "versions"
    assert whole.packing.crossing and whole.token_budget is None
    assert set(whole.limits.values()) == {None}
    assert all(each.preamble.kind == "contract" for each in found.values())


def test_a_user_adds_one_without_code(tmp_path: Path) -> None:
    found = load(written(tmp_path, SMALLEST, "my-model.v2"))
    assert (found.name, found.table, found.folder) == ("my-model.v2", "corpora.my_model_v2", tmp_path)
    assert [stage.name for stage in found.stages] == ["all"]
    settings = load_settings(corpora={"blueprints": [str(tmp_path / "my-model.v2.toml")]})
    assert settings.blueprints == (str(tmp_path / "my-model.v2.toml"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "model: Field required"),
        ("tokenizer = ", "not valid TOML"),
        (SMALLEST + "colour = 1\n", "model.colour: Extra inputs are not permitted"),
        (SMALLEST.replace("64", "8"), "context_length: Input should be greater than or equal to 16"),
        (SMALLEST.replace("64", '"much"'), "context_length: Input should be a valid integer"),
        (SMALLEST + "[selection]\nkinds = ['poem']\n", "selection.kinds.0: Input should be 'code'"),
        (SMALLEST + "[selection]\nmin_influence = 2\n", "selection.min_influence"),
        (SMALLEST + "[selection]\nlicenses = ['MITT']\n", "'MITT' is no SPDX id"),
        (SMALLEST + "[selection]\nlanguages = ['python']\n", "did you mean 'Python'"),
        (SMALLEST + "[exclusions]\ninstructions = ['bidi']\n", "no rule is called 'bidi'"),
        (SMALLEST + "[exclusions]\nnatural_languages = ['english']\n", "exclusions.natural_languages.0"),
        (SMALLEST + "[[stages]]\nname = 'a'\n[[stages]]\nname = 'a'\n", "two stages are named 'a'"),
        (SMALLEST + "[[stages]]\nname = 'a'\nweight = 0\n", "stages.0.weight"),
        (SMALLEST + "[[stages]]\nname = 'a'\nrepeats = 0\n", "stages.0.repeats"),
        (SMALLEST + "[framing]\ndocument = 'no text'\n", "{text} exactly once"),
        (SMALLEST + "[framing]\nkind = 'instruction'\n", "needs `instructions`"),
        (SMALLEST + "[preamble]\nkind = 'system'\n", "kind system and system_prompt go together"),
        (SMALLEST + "[preamble]\ntemplate = 'x'\n", "{preamble} exactly once"),
        (SMALLEST + "[split]\nvalidation = 0.5\ntest = 0.5\n", "leave nothing to train on"),
        (SMALLEST + "[quality]\nmax_lin = 3\n", "did you mean 'max_line'"),
        (SMALLEST + "[quality]\nmax_line = true\n", "max_line = true"),
        ('name = "other"\n' + SMALLEST, "one name"),
        ('folder = "x"\n' + SMALLEST, "not a field"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BlueprintError, match="mine") as raised:
        load(written(tmp_path, text))
    assert said in str(raised.value)


def test_no_blueprint_is_a_table_of_the_stage(tmp_path: Path) -> None:
    with pytest.raises(BlueprintError, match="is a table of the stage itself"):
        load(written(tmp_path, SMALLEST, "documents"))


def test_two_of_one_table_are_refused(tmp_path: Path) -> None:
    one, other = written(tmp_path, SMALLEST, "a-b"), written(tmp_path, SMALLEST, "a.b")
    with pytest.raises(BlueprintError, match=r"would both be the table corpora\.a_b"):
        load_all((one, other))
    with pytest.raises(BlueprintError, match="would both be"):
        load_all(("sample", "sample"))


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(BlueprintError, match=r"did you mean qwen3-4b\?"):
        load("qwen3-4")


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlueprintError, match="No such file"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes('description = "é"'.encode("latin-1"))
    with pytest.raises(BlueprintError, match="not UTF-8"):
        load(str(tmp_path / "latin.toml"))


def test_settings_tell_of_a_wrong_one() -> None:
    with pytest.raises(SettingsError, match="no blueprint is called 'nobody'"):
        load_settings(corpora={"blueprints": ["nobody"]})


def test_settings_tell_of_a_missing_evaluation_set(tmp_path: Path) -> None:
    path = written(tmp_path, SMALLEST + "[decontamination]\nsets = ['gsm8k']\n")
    with pytest.raises(SettingsError, match="names evaluation set 'gsm8k': add it to evaluation_sets"):
        load_settings(corpora={"blueprints": [path]})
    questions = tmp_path / "questions.txt"
    questions.write_text("what?\n")
    load_settings(corpora={"blueprints": [path], "evaluation_sets": {"gsm8k": str(questions)}})


def test_every_field_goes_on_record() -> None:
    told = load("sample").told()
    assert told["packing"]["crossing"] is False and "folder" not in told
    assert parse(SMALLEST, "x", Path()).told()["stages"][0]["order"] == "influence"
