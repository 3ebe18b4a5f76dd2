"""Measures against plain Python, and each rule on a text that breaks it and on one that just does not."""

from __future__ import annotations

import base64
import random
import re
import unicodedata
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.cleaning import quality

SENTENCE = "The ants that walk on the shortest of all paths come home first, and others follow with them."
PROSE = "\n".join(
    f"{SENTENCE} This is paragraph {word}, which has to differ." for word in ("one", "two", "three", "four")
)
CODE = "\n".join(f"def walk_{name}(path):\n    return search(path, {name})\n" for name in "abcdefgh")


def measured(text: str | None) -> dict[str, float]:
    return quality.measure(pl.Series([text], dtype=pl.String)).row(0, named=True)


def flagged(
    text: str,
    kind: str,
    limits: dict[str, float | None] | None = None,
    language: str | None = None,
    natural: str | None = None,
) -> list[str]:
    texts = pl.Series([text])
    found = quality.flags(
        quality.measure(texts),
        pl.Series([kind]),
        limits,
        pl.Series([language], dtype=pl.String),
        pl.Series([natural], dtype=pl.String),
    )
    return list(found[0])


def is_space(character: str) -> bool:
    return unicodedata.category(character)[0] == "Z" or character in "\t\n\v\f\r\x85"


def reference(text: str) -> dict[str, float]:
    """The measures by definition, slowly."""
    lines = re.split(r"\r\n|\n|\r", text)
    if lines[-1] == "":
        lines.pop()
    stripped = []
    for line in lines:
        kept = line
        while kept and is_space(kept[0]):
            kept = kept[1:]
        while kept and is_space(kept[-1]):
            kept = kept[:-1]
        stripped.append(kept)
    full = [(kept, line) for kept, line in zip(stripped, lines, strict=True) if kept]
    seen: Counter[str] = Counter()
    duplicates = 0
    for kept, line in full:
        duplicates += len(line) if seen[kept] else 0
        seen[kept] += 1
    words = "".join("\n" if is_space(each) else each for each in text).split("\n")
    words = [word for word in words if word]
    size, letters = len(text), sum(unicodedata.category(each)[0] == "L" for each in text)
    digits = sum(unicodedata.category(each)[0] == "N" for each in text)

    def share(part: float, whole: float) -> float:
        return part / whole if whole else 0.0

    return {
        "characters": size,
        "lines": len(lines),
        "max_line": max(map(len, lines), default=0),
        "mean_line": share(sum(map(len, lines)), len(lines)),
        "alphanumeric": share(letters + digits, size),
        "letters": share(letters, size),
        "digits": share(digits, size),
        "whitespace": share(sum(map(is_space, text)), size),
        "non_ascii": share(sum(each > "\x7f" for each in text), size),
        "replacements": share(text.count("\ufffd"), size),
        "words": len(words),
        "mean_word": share(sum(map(len, words)), len(words)),
        "longest_word": max(map(len, words), default=0),
        "alphabetic_words": share(
            sum(any(unicodedata.category(each)[0] == "L" for each in word) for word in words), len(words)
        ),
        "hashes": share(text.count("#"), len(words)),
        "ellipses": share(len(re.findall(r"\.{3,}|…", text)), len(words)),
        "bullet_lines": share(
            sum(bool(re.match(r"[•‣●○▪]|[-*+][ \t\u3000]", kept + " ")) for kept, _ in full), len(full)
        ),
        "ellipsis_lines": share(sum(kept.endswith(("...", "…")) for kept, _ in full), len(full)),
        "short_lines": share(sum(len(line) <= quality.SHORT_LINE for _, line in full), len(full)),
        "duplicate_lines": share(len(full) - len(seen), len(full)),
        "duplicate_line_characters": share(duplicates, size),
        "top_line": share(max(seen.values(), default=0), len(full)),
        "lines_per_word": share(len(lines), len(words)),
    }


PIECES = st.lists(
    st.sampled_from(
        ["a", "B", "é", "中", "𝔘", "7", "٣", " ", "\t", "\n", "\r\n", "\r", "\n\n", "...", "…", "#", "- ", "• x", "* ",
         "\ufffd", "\u3000", "same line\n", "  same line \n", "_", "=", "z" * 31, "🐜", "\x00", "."]
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES.map("".join), min_size=1, max_size=4))
def test_measures_are_what_they_say(texts: list[str]) -> None:
    found = quality.measure(pl.Series(texts))
    for text, row in zip(texts, found.to_dicts(), strict=True):
        assert {name: row[name] for name in reference(text)} == pytest.approx(reference(text)), text


def test_a_text_is_measured_alike_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    texts = pl.Series([None, "", *("\n".join(rng.choices([SENTENCE, CODE, "x", ""], k=9)) for _ in range(40)), None])
    whole = quality.measure(texts)
    monkeypatch.setattr(quality, "_BATCH", 1000)
    assert quality.measure(texts).equals(whole)
    assert quality.measure(texts[5:9]).equals(whole[5:9])
    assert all(quality.measure(texts[at : at + 1]).equals(whole[at : at + 1]) for at in range(len(texts)))
    assert quality.measure(texts.reverse()).reverse().equals(whole)
    assert quality.measure(texts[:0]).schema == whole.schema


def test_a_series_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="series of strings is needed, this one is Int64"):
        quality.measure(pl.Series([1, 2]))


def test_long_documents_between_short_ones() -> None:
    """More lines than the table of lines starts with."""
    many = "".join(f"line {number}\n" for number in range(5000))
    found = quality.measure(pl.Series(["a\na", many, many + many, "b\nb"]))
    assert found["duplicate_lines"].to_list() == [0.5, 0.0, 0.5, 0.5]
    assert found["lines"].to_list() == [2, 5000, 10000, 2]


BASE64 = base64.b64encode(random.Random(2).randbytes(1200)).decode()


@pytest.mark.parametrize(
    "text, encoded, run",
    [
        ("x = '" + BASE64[:64] + "'", 64 / 70, 64),
        ("x = '" + BASE64[:63] + "'", 0, 0),
        ("\n".join(BASE64[at : at + 76] for at in range(0, 760, 76)), 760 / 769, 760),  # wrapped, as in a PEM file
        ("=" * 200 + "\n" + "/" * 200 + "\n" + "a" * 200, 0, 0),  # rules and repeats are no encoding
        ("9f" * 40, 1, 80),
        ("path/to/some/very/long/folder/name/that/goes/on/and/on/and/on/without/digits", 0, 0),
    ],
)
def test_encoded_runs(text: str, encoded: float, run: int) -> None:
    found = measured(text)
    assert found["encoded"] == pytest.approx(encoded) and found["encoded_run"] == run


@pytest.mark.parametrize(
    "text, share",
    [("0.5, 1e-5, -3", 9 / 11), ("x1 y2 z3", 0), ("0xFF 0x00", 1), ("1 a", 0.5), ("a-1 b_2", 0), ("- + .", 0), ("", 0)],
)
def test_numbers(text: str, share: float) -> None:
    assert measured(text)["numbers"] == pytest.approx(share)


@pytest.mark.parametrize(
    "head",
    [
        "# @generated by tool", "// Code generated by protoc-gen-go. DO NOT EDIT.", "/* DO NOT EDIT THIS FILE */",
        "# Autogenerated by Thrift Compiler (0.9)", "# This file is generated.",
        "# Generated by Django 4.2 on 2024-01-02", "/* Generated by Cython 3.0 */",
        "# This file was automatically generated by SWIG", "# auto-generated file",
        "// This is a generated file. Not intended for manual editing.", "<!-- Generated by Doxygen 1.9 -->",
        "# Generated by the protocol buffer compiler.  DO NOT EDIT!", "# THIS FILE IS GENERATED FROM setup.py",
        "# do not edit by hand",
    ],
)  # fmt: skip
def test_marks_of_generated_files(head: str) -> None:
    assert "generated" in flagged(f"#!/bin/sh\n{head}\n{CODE}", "code")
    assert "generated" not in flagged("x = 1\n" * quality.HEAD_LINES + f"{head}\n{CODE}", "code")
    assert "generated" not in flagged(f"{head}\n{PROSE}", "prose")


@pytest.mark.parametrize(
    "head",
    [
        "# Handles auto-generated names.", "def generate_code(model):", "# Do not modify the list while it is read.",
        '"""Tests of the generated tables."""', "auto_generated = True", "# An editor: do not edit twice",
        "# Text generation with swarms", "# ids are generated in order",
    ],
)  # fmt: skip
def test_talk_of_generated_files(head: str) -> None:
    assert "generated" not in flagged(f"{head}\n{CODE}", "code")


ONES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "too_short": ("x = 1\n", "code", {}),
    "too_long": (CODE * 6000, "code", {}),
    "many_lines": ("a\n" * 100_001, "code", {}),
    "max_line": (CODE + "x = '" + "ab " * 400 + "'", "code", {}),
    "mean_line": ("\n".join(["value = compute(first, second, third, fourth)" * 3] * 3), "code", {}),
    "max_line_text": ("word " * 20_001, "data", {}),
    "alphanumeric": ("{}();,[]" * 8 + "abc", "code", {}),
    "letters": ("1234 " * 30, "code", {}),
    "generated": ("// Code generated by x. DO NOT EDIT.\n" + CODE, "code", {}),
    "minified": ("function(a){return a+1};" * 12, "code", {"language": "JavaScript"}),
    "encoded": (BASE64, "data", {}),
    "encoded_run": (BASE64 + PROSE * 20, "prose", {}),
    "binary_like": ("ab\x01\x02" * 30, "data", {}),
    "mostly_numbers": ("0.25, 17.5, 3\n" * 30, "data", {}),
    "repetitive": ("INFO waiting for the next step\n" * 30, "data", {}),
    "settings_short": ('{"name": "ant", "size": 7}', "config", {"language": "JSON"}),
    "settings_long": ('{"name": "ant", "size": 7}\n' * 200, "data", {"language": "JSON"}),
    "min_words": (SENTENCE, "prose", {}),
    "max_words": ("word " * 100_001, "prose", {}),
    "min_word_length": ("a bc " * 60, "prose", {}),
    "max_word_length": ("incomprehensibilities " * 60, "prose", {}),
    "hashes": (PROSE + " #tag" * 20, "prose", {}),
    "ellipses": (PROSE + " and ..." * 20, "prose", {}),
    "bullet_lines": ("\n".join(f"- {SENTENCE} {n}" for n in range(9)), "prose", {}),
    "ellipsis_lines": ("\n".join(f"{SENTENCE} {n} ..." for n in range(9)), "prose", {}),
    "alphabetic_words": ("ants 12 34 walk " * 30, "prose", {}),
    "stop_words": ("ants walk home fast today " * 12, "prose", {"natural": "en"}),
    "duplicate_lines": (PROSE + "\n" + "so they say\n" * 4, "prose", {}),
    "duplicate_line_characters": (PROSE + "\n" + SENTENCE + "\n" + SENTENCE + "\n" + SENTENCE, "prose", {}),
    "punctuated_lines": ("\n".join(f"{SENTENCE[:-1]} {n}" for n in range(9)), "prose", {"limits": 0.12}),
    "short_lines": ("short line number\n" * 20, "prose", {"limits": 0.67}),
    "lines_per_word": ("one word\n" * 40, "prose", {"limits": 0.3}),
}  # fmt: skip


@pytest.mark.parametrize("name", quality.RULES)
def test_each_rule_can_be_broken_and_turned_off(name: str) -> None:
    text, kind, given = ONES[name]
    chosen = dict(given)
    limits = {name: chosen.pop("limits")} if "limits" in chosen else {}
    assert name in flagged(text, kind, limits, **chosen)
    assert name not in flagged(text, kind, {name: None}, **chosen)
    rule = quality.RULES[name]
    assert name not in flagged(text, kind, {name: 1e9 if rule.bad == "above" else -1}, **chosen)
    other = next(iter(quality.ANY - rule.kinds), None)
    assert other is None or name not in flagged(text, other, limits, **chosen)


@pytest.mark.parametrize("kind, text", [("code", CODE), ("prose", PROSE), ("readme", PROSE), ("abstract", SENTENCE)])
def test_good_texts_break_nothing(kind: str, text: str) -> None:
    assert flagged(text, kind, language="Python", natural="en") == []


def test_a_limit_itself_is_no_break() -> None:
    line = "x" * 999
    assert "max_line" not in flagged(f"{CODE}{line}y", "code")
    assert "max_line" in flagged(f"{CODE}{line}yz", "code")
    assert "max_line" not in flagged(f"{CODE}{line}yz", "code", {"max_line": 2000})


def test_rules_for_words_do_not_judge_scripts_without_spaces() -> None:
    chinese = (
        "蚂蚁在回巢的路上留下信息素，最短的路径因为走得更频繁而最终胜出。\n"
        + "群体智能来自许多简单个体之间的相互作用，没有谁在指挥。\n"
    )
    assert flagged(chinese, "prose", natural="zh") == []


def test_english_rules_need_english() -> None:
    german = "Ameisen legen auf dem Heimweg eine Duftspur. " * 12
    assert "stop_words" not in flagged(german, "prose", natural="de")
    assert "stop_words" not in flagged(german, "prose")
    assert "stop_words" in flagged(german, "prose", natural="en")


@pytest.mark.parametrize(
    "limits, message",
    [
        ({"max_lines": 3}, r"there is no rule 'max_lines' \(did you mean 'max_line'\?\)"),
        ({"zzzz": 3}, "the rules are too_short, too_long"),
        ({"max_line": "long"}, r"quality.max_line: the limit 'long' is not a number"),
        ({"max_line": float("nan")}, "is not a number"),
        ({"max_line": True}, "is not a number"),
    ],
)
def test_wrong_limits(limits: dict[str, float | None], message: str) -> None:
    with pytest.raises(quality.RuleError, match=message):
        quality.limits_of(limits)


def test_flags_of_nothing_and_of_wrong_lengths() -> None:
    none = quality.measure(pl.Series([], dtype=pl.String))
    assert quality.flags(none, pl.Series([], dtype=pl.String)).to_list() == []
    one = quality.measure(pl.Series(["x"]))
    off = dict.fromkeys(quality.RULES)
    assert quality.flags(one, pl.Series(["code"]), off).to_list() == [[]]
    with pytest.raises(ValueError, match="kinds: 2 values for 1 measured texts"):
        quality.flags(one, pl.Series(["code", "code"]))
