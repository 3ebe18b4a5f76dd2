"""Planted questions are found however they are written, common phrases are not, and collisions decide nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.copies import decontaminate
from coevo_pipelines.corpora.copies.decontaminate import EvaluationError, EvaluationSet, load, overlaps

LONG = (
    "A farmer has twelve red hens and seven speckled ducks; how many legs walk across the yard when three of the ducks "
    "leave before noon and nobody else arrives?"
)
MIDDLE = "Who was the second person to walk on the moon?"  # ten words
SIX = "What is the capital of France?"
THREE = "What is photosynthesis?"
HEADER = (
    "Copyright 2024 The Authors. All rights reserved. Licensed under the Example License; you may not use this file "
    "except in compliance with the License. You may obtain a copy of the License at the address below."
)
FILLER = "Nothing of this kind stands in the text that goes before or comes after what was planted here."


def asked(*questions: str, name: str = "toy") -> EvaluationSet:
    return EvaluationSet(name, "0" * 64, questions)


def found(texts: list[str | None], *questions: str, n: int = decontaminate.NGRAM) -> list[tuple[int, int]]:
    frame = overlaps(pl.Series(texts, dtype=pl.String), [asked(*questions)], n)
    return list(frame.select("index", "question").iter_rows())


def shouted(text: str) -> str:
    return text.upper().replace(" ", "\r\n\t ").replace(";", " —")


@pytest.mark.parametrize("question", [LONG, MIDDLE, SIX])
@pytest.mark.parametrize(
    "written",
    [
        str,
        shouted,
        lambda text: text.replace(" ", "  **").replace("?", "**"),
        lambda text: text.replace(" ", "\n# "),
        lambda text: text.replace(" ", "_"),
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text),  # full width
    ],
)
def test_a_planted_question_is_found_however_it_is_written(question: str, written: object) -> None:
    text = f"{FILLER}\n{written(question)}\n{FILLER}"  # type: ignore[operator]
    assert found([FILLER, text, None, ""], question) == [(1, 0)]


@pytest.mark.parametrize(
    "question, text",
    [
        (LONG, LONG.replace("hens", "geese").replace("three", "four").replace("legs", "feet").replace("noon", "dusk")),
        (MIDDLE, MIDDLE.replace("second", "third")),
        (SIX, "What is the capital city of France?"),
        (SIX, "what is the capital of Francestown"),
        (THREE, THREE),  # too short to prove anything
        (MIDDLE, MIDDLE[: MIDDLE.index("moon")]),
        ("0 " * 40, "0 " * 400),  # a row of zeros is in every table
        ("", "anything"),
    ],
)
def test_what_is_no_question(question: str, text: str) -> None:
    assert found([text], question) == []


def test_other_alphabets() -> None:
    chinese = "中国古代的四大发明之中，哪一项最先传到欧洲？"
    russian = "Сколько ног пройдёт через двор, если три утки улетят ещё до полудня, а гуси останутся дома?"
    texts: list[str | None] = [f"问题 {chinese.replace('，', ' ')} 答案", russian.upper().replace("Ё", "Е\u0308")]
    assert found(texts, chinese, russian) == [(0, 0), (1, 1)]


def test_what_is_reported() -> None:
    text = f"Ünï — {LONG} {FILLER} {LONG[:80]}"
    row = overlaps(pl.Series([FILLER, text]), [asked(MIDDLE, LONG), asked(LONG, name="other")])
    words = decontaminate.index([asked(LONG)], 13).parts["words"][0]
    assert row["index"].to_list() == [1, 1] and row["set"].to_list() == ["toy", "other"]
    assert row["question"].to_list() == [1, 0]
    assert row["ngrams"].to_list() == [words - 12] * 2 and row["share"].to_list() == [1.0, 1.0]
    first, second = row["passages"][0].to_list()
    assert text[first["start"] : first["end"]] == LONG.rstrip("?")
    assert text[second["start"] : second["end"]] == LONG[:80].rpartition(" ")[0] or LONG[:80].startswith(
        text[second["start"] : second["end"]]
    )


def test_half_a_question_has_half_the_share() -> None:
    words = LONG.split()
    frame = overlaps(pl.Series([" ".join(words[:19])]), [asked(LONG)])
    assert frame["ngrams"].to_list() == [7] and frame["share"][0] == pytest.approx(7 / (len(words) - 12))
    assert overlaps(pl.Series([" ".join(words[:19])]), [asked(LONG)], min_share=0.9).height == 0


def test_n_is_a_choice() -> None:
    text = "how many legs walk across the barn"
    assert found([text], LONG) == []
    assert found([text], LONG, n=5) == [(0, 0)]
    with pytest.raises(ValueError, match="n = 0"):
        found([text], LONG, n=0)


class TestCommonPhrases:
    def test_a_licence_header_in_a_question_is_no_leak(self) -> None:
        body = " ".join(f"token{number} is read and then value{number} is kept" for number in range(40))
        documents = [f"{HEADER}\n{FILLER} {number}" for number in range(30)]
        assert found([*documents, body], f"{HEADER}\n{body}") == [(30, 0)]

    def test_few_copies_of_a_phrase_are_a_leak(self) -> None:
        assert found([f"{HEADER} {number}" for number in range(10)], f"{HEADER} {LONG}") == [(n, 0) for n in range(10)]

    def test_a_question_that_leaked_everywhere_is_a_leak(self) -> None:
        assert found([f"{number} {LONG}" for number in range(30)], LONG) == [(number, 0) for number in range(30)]

    def test_a_short_question_that_stands_everywhere_is_a_phrase(self) -> None:
        texts: list[str | None] = [f"{number}: which of the following is true" for number in range(11)]
        assert found(texts, "Which of the following is true?") == []
        assert found(texts[:10], "Which of the following is true?") == [(number, 0) for number in range(10)]

    def test_the_text_of_a_template_is_no_question(self) -> None:
        template = "The following are multiple choice questions with answers about the subject that is named here first"
        questions = [f"{template}. {name} {LONG.replace('farmer', name)}" for name in map(chr, range(97, 112))]
        assert found([f"{template} {number}" for number in range(20)], *questions) == []

    def test_nothing_is_common_unless_asked(self) -> None:
        documents = pl.Series([f"{HEADER} {number}" for number in range(30)])
        question = asked(f"{HEADER} {LONG} {LONG[::-1]}")
        assert overlaps(documents, [question]).height == 0
        assert overlaps(documents, [question], common=None).height == 30


def test_slices_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    texts = pl.Series([rng.choice([FILLER, LONG, MIDDLE, HEADER, SIX, None]) for _ in range(60)])
    sets = [asked(LONG, MIDDLE), asked(SIX, f"{HEADER} {LONG}", name="other")]
    whole = overlaps(texts, sets)
    sought = decontaminate.index(sets)
    parts = [decontaminate.hits(texts[at : at + 7], sought, first=at) for at in range(0, 60, 7)]
    assert decontaminate.judged(pl.concat(parts), sought).equals(whole)
    monkeypatch.setattr(decontaminate, "_BATCH", 500)
    assert overlaps(texts, sets).equals(whole)
    assert whole.height > 10


def test_no_collision_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """All words have the same hash: all n-grams of as many words are candidates, the words decide."""
    real = decontaminate._words

    def blind(*arguments: object) -> tuple[object, ...]:
        stream, bounds, hashes, places, firsts = real(*arguments)  # type: ignore[arg-type]
        return stream, bounds, np.full_like(hashes, 7), places, firsts

    monkeypatch.setattr(decontaminate, "_words", blind)
    monkeypatch.setattr(decontaminate, "DISTINCT", 1)
    assert found([FILLER, LONG, HEADER, MIDDLE], MIDDLE, LONG, f"{HEADER} once") == [(1, 1), (2, 2), (3, 0)]


def test_many_words() -> None:
    """Enough of them for the compiled search."""
    rng = random.Random(4)
    texts = [" ".join(rng.choices(FILLER.split(), k=9000)) for _ in range(8)]
    texts[5] = texts[5][:20_000] + f" {LONG} " + texts[5][20_000:]
    texts[7] += f" {SIX}"
    frame = overlaps(pl.Series(texts), [asked(MIDDLE, SIX, LONG)])
    assert frame.select("index", "question", "share").rows() == [(5, 2, 1.0), (7, 1, 1.0)]
    assert [texts[5][each["start"] : each["end"]] for each in frame["passages"][0]] == [LONG.rstrip("?")]


WORDS = st.lists(st.sampled_from(["ant", "bee", "cat", "dog", "Élan", "FOX", "中", "été", "9", "x1"]), max_size=14)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=3), st.integers(1, 6))
def test_against_plain_python(texts: list[list[str]], questions: list[list[str]], n: int) -> None:
    def folded(words: list[str]) -> list[str]:
        plain = [unicodedata.normalize("NFD", word).casefold() for word in words]
        return ["".join(each for each in word if not unicodedata.combining(each)) for word in plain]

    expected = set()
    for number, question in enumerate(questions):
        words = folded(question)
        if len(words) < min(n, decontaminate.SHORTEST):
            continue
        size = min(n, len(words))
        grams = {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
        for index, text in enumerate(texts):
            plain = folded(text)
            held = {tuple(plain[at : at + size]) for at in range(len(plain) - size + 1)}
            if grams & held:
                expected.add((index, number, len(grams & held), len(grams & held) / len(grams)))
    sets = [asked(*(", ".join(question) for question in questions))]
    frame = overlaps(pl.Series([" -- ".join(text) for text in texts], dtype=pl.String), sets, n, common=None)
    assert set(frame.select("index", "question", "ngrams", "share").iter_rows()) == expected


def test_what_cannot_be_looked_for_is_counted() -> None:
    assert decontaminate.index([asked(LONG, THREE, "yes", ""), asked(SIX, name="other")]).unsought == (3, 0)
    assert overlaps(pl.Series([LONG]), []).height == 0
    with pytest.raises(ValueError, match="two have one name"):
        decontaminate.index([asked(LONG), asked(SIX)])


RECORDS = [
    {"question": LONG, "choices": ["forty", "fifty two"], "answer": "B", "points": 3},
    {"question": SIX, "choices": [], "answer": "Paris", "points": 1},
    {"question": "", "choices": [], "answer": None, "points": 0},
]


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"quiz{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, RECORDS)) + "\n\n", "utf-8")
    elif suffix == ".json":
        path.write_text(json.dumps({"version": "1", "data": RECORDS}), "utf-8")
    elif suffix == ".parquet":
        pl.DataFrame(RECORDS).write_parquet(path)
    elif suffix == ".csv":
        stream = io.StringIO()
        rows = csv.writer(stream)
        rows.writerow(["question", "answer"])
        rows.writerows([[LONG, "B"], [SIX, "Paris"], ["", ""]])
        path.write_bytes(b"\xef\xbb\xbf" + stream.getvalue().encode())
    else:
        path.write_text(f"{LONG}\n\n{SIX}\n", "utf-8")
    return path


class TestLoading:
    @pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", ".csv", ".txt"])
    def test_each_format(self, tmp_path: Path, suffix: str) -> None:
        path = written(tmp_path, suffix)
        got = load(path, () if suffix == ".txt" else ("question",))
        assert (got.name, got.questions, got.records) == ("quiz", (LONG, SIX), (0, 1))
        assert got.skipped == (0 if suffix == ".txt" else 1)
        assert got.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_all_texts_of_a_record_belong_to_it(self, tmp_path: Path) -> None:
        got = load(written(tmp_path, ".jsonl"), name="quiz two")
        assert got.questions == (LONG, "forty", "fifty two", "B", SIX, "Paris") and got.records == (0, 0, 0, 0, 1, 1)
        frame = overlaps(pl.Series(["forty", f"Paris. {SIX}", shouted(LONG)]), [got])
        assert frame.select("index", "set", "question").rows() == [(1, "quiz two", 1), (2, "quiz two", 0)]

    @pytest.mark.parametrize(
        "name, data, message",
        [
            ("a.jsonl", b'{"q": "x y"}\n{"q": \n', r"a\.jsonl line 2: not JSON"),
            ("a.jsonl", b"", "holds no questions"),
            ("a.jsonl", b'{"q": 1}\n{"q": null}', "none of its 2 records holds a text"),
            ("a.jsonl", b'{"q": "caf\xe9"}', "not UTF-8 at byte 10"),
            ("a.json", b"3", "a list of questions is needed, this is one int"),
            ("a.json", b"[" * 100_000, "not JSON"),
            ("a.parquet", b"PAR1 cut off", "not a readable Parquet file"),
            ("a.csv", b"q,a\nx\n", r"a\.csv line 2: 1 fields under 2 names"),
            ("a.csv", b'q,a\n"x,y\n', r"a\.csv line \d: not CSV"),
            ("a.txt", b"\n \n", "holds no questions"),
            ("a.pdf", b"%PDF", r"is a file that ends in \.jsonl, \.json"),
        ],
    )
    def test_damaged_files(self, tmp_path: Path, name: str, data: bytes, message: str) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(EvaluationError, match=message):
            load(path)

    def test_wrong_names(self, tmp_path: Path) -> None:
        with pytest.raises(EvaluationError, match=r"no record has a field 'qestion' \(did you mean 'question'\?\)"):
            load(written(tmp_path, ".jsonl"), ("qestion",))
        with pytest.raises(EvaluationError, match="cannot be read"):
            load(tmp_path / "absent.jsonl")
        with pytest.raises(EvaluationError, match="cannot be read"):
            load(tmp_path)
        with pytest.raises(EvaluationError, match="1 texts of 2 records"):
            EvaluationSet("x", "0", ("a",), (0, 1))
