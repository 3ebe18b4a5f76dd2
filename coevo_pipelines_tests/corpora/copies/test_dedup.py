"""Exact copies and near-duplicates: what a word is, every pair that is there, nothing that is not, who is kept."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.copies import dedup
from coevo_pipelines.corpora.copies.dedup import bands, candidates, components, kept, pairs, sketch, verified

Found = dict[tuple[int, int], float]


def found(texts: list[str], **options: float) -> Found:
    rows = pairs(pl.Series(texts, dtype=pl.String), **options)  # type: ignore[arg-type]
    return {(left, right): jaccard for left, right, jaccard, _ in rows.iter_rows()}


def words_of(text: str) -> list[str]:
    """The docstring's definition once more, by Python's own tables, for the alphabets that tests use."""
    if text.isascii():
        return re.findall(r"\w+", text.lower())
    words, word = list[str](), ""
    for c in text:
        category = unicodedata.category(c)
        alone = re.match("CJK UNIFIED|HIRAGANA LETTER|THAI CHARACTER", unicodedata.name(c, "")) is not None
        if category[0] == "M" and word:
            word += c
        elif category[0] in "LM" or category in ("Nd", "Pc"):
            ends = word and (alone or re.match("CJK UNIFIED|HIRAGANA|THAI", unicodedata.name(word[0])))
            if ends:
                words.append(word)
                word = ""
            word += c.lower()[0]
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words


def set_of(text: str, n: int = 5) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[k : k + n]) for k in range(max(1, len(words) - n + 1))} if words else set()


def brute(texts: list[str], threshold: float = 0.8, n: int = 5) -> Found:
    """All pairs that `pairs` should report, in its way of exact copies, by counting what they share."""
    result, sets = Found(), [set_of(text, n) for text in texts]
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        if first.setdefault(text, row) != row:
            result[first[text], row] = 1.0
    having: dict[tuple[str, ...], list[int]] = {}
    for row in sorted(first.values()):
        for shingle in sets[row]:
            having.setdefault(shingle, []).append(row)
    common = Counter(pair for rows in having.values() for pair in combinations(rows, 2))
    jaccards = {(i, j): both / (len(sets[i]) + len(sets[j]) - both) for (i, j), both in common.items()}
    return result | {pair: jaccard for pair, jaccard in jaccards.items() if jaccard >= threshold}


def family(seed: int, bases: int = 120, copies: int = 4) -> list[str]:
    """Random texts of 5 to 300 words, each with copies in which more and more words are others."""
    rng = random.Random(seed)
    vocabulary = [f"w{k}" for k in range(5000)]
    texts = []
    for _ in range(bases):
        words = rng.choices(vocabulary, k=rng.randint(5, 300))
        texts.append(" ".join(words))
        for copy in range(copies):
            changed = list(words)
            for _ in range(round(len(words) * copy * 0.012)):
                changed[rng.randrange(len(words))] = rng.choice(vocabulary)
            texts.append(" ".join(changed))
    rng.shuffle(texts)
    return texts


ABCDE = "a b c d e"


@pytest.mark.parametrize(
    ("one", "other", "jaccard"),
    [
        ("", "", 1.0),
        ("", " ", None),
        ("...", "!!!", None),
        ("...", "...", 1.0),
        ("one", "One!", 1.0),
        ("a b c", "A, (b) -- c.", 1.0),
        ("a b c", "a b c d", None),
        ("a b c", "a b c a b c", None),
        (ABCDE, "a b c d e\n", 1.0),
        ("a b c d e f", "b c d e f g", None),  # 1 of 3
        ("a b c d e f g h i", "a b c d e f g h i j", 5 / 6),
        ("a b c d e f g h", "a b c d e f g h i", 4 / 5),  # at the threshold itself
        ("snake_case x2 y z w", "SNAKE_CASE X2 Y Z W", 1.0),
        ("don t do it now", "don't do it now", 1.0),
        ("ab c d e f", "a bc d e f", None),
        ("ÉCOLE ΟΔΟΣ Ёлка İ ẞ", "école οδοσ ёлка i ß", 1.0),
        ("e\u0301 b c d e", "é b c d e", None),  # no normalization
        ("深度 学习 网", "深度学习网", 1.0),  # a character a word
        ("日本語の本だ", "日本語の本だ。", 1.0),
        ("ก็ดีมาก", "ก็ ดี มา ก", 1.0),
        ("हिन्दी में लिखा हुआ है", "हिन्दी, में; लिखा हुआ है", 1.0),
        ("हिन्दी में लिखा हुआ है", "ह न द में लिखा हुआ है", None),
        ("カタカナ a b c d", "カ タカナ a b c d", None),
        ("a1 b c d e", "a 1 b c d e", None),
        ("a\u200db c d e f", "ab c d e f", None),
        ("😀 a b c d e 🚀", "a b c d e", 1.0),
        ("a\x00b c d e f", "a b c d e f", 1.0),
        ("\U000e0100 \U0010ffff \U0003fffd", "", None),
    ],
)
def test_what_is_alike(one: str, other: str, jaccard: float | None) -> None:
    assert found([one, other]) == ({} if jaccard is None else {(0, 1): jaccard})


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_jaccard_is_that_of_sets_of_words_in_a_row(n: int) -> None:
    texts = family(n, bases=30)
    expected = brute(texts, 0.5, n)
    assert len(expected) > 40
    assert found(texts, threshold=0.5, ngram=n, permutations=256) == expected


def test_every_pair_is_found_and_nothing_else() -> None:
    texts = [text for seed in range(4) for text in family(seed)]
    expected = brute(texts)
    got = found(texts)
    assert {0.8 < jaccard < 1 for jaccard in expected.values()} == {True, False}
    assert not got.keys() - expected.keys()
    assert all(got[each] == expected[each] for each in got)
    assert len(got) >= 0.995 * len(expected) > 1000


characters = st.sampled_from("aB9_ .,'\n-éÉßΣσ深学の日กำ็ी́カナ😀İ")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(characters, max_size=30), max_size=8), st.sampled_from([0.3, 0.8, 1.0]))
def test_as_by_brute_force_on_any_text(texts: list[str], threshold: float) -> None:
    expected = brute(texts, threshold, 2)
    got = found(texts, threshold=threshold, ngram=2)
    assert got.items() <= expected.items()
    assert all(got[each] == 1 for each in expected if expected[each] == 1)


def test_texts_longer_than_a_block_and_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    long = [f"w{rng.randrange(9999)}" for _ in range(10_000)]
    block = [f"v{rng.randrange(9999)}" for _ in range(2048)]
    texts = [" ".join(long), " ".join([*long, "more"]), " ".join(block), " ".join(block[:-1]), " ".join(block * 2)]
    expected = brute(texts)
    assert found(texts) == expected
    monkeypatch.setattr(dedup, "BATCH_BYTES", 100)
    monkeypatch.setattr(dedup, "PART_BYTES", 10)
    assert found(texts) == expected


def test_parts_batches_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series([*family(7), "", ""])
    whole = pairs(texts)
    assert pairs([texts[:100], texts[100:100], texts[100:]]).equals(whole)
    assert pairs(pl.Series([None, *texts])[1:]).equals(whole)
    monkeypatch.setattr(dedup, "BATCH_BYTES", 5000)
    monkeypatch.setattr(dedup, "PART_BYTES", 700)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 7)
    assert pairs(texts).equals(whole)
    monkeypatch.setattr(dedup, "SETS_BYTES", 200_000)
    assert pairs([texts[:100], texts[100:]]).equals(whole)
    monkeypatch.setattr(dedup, "SETS_BYTES", 1)
    assert pairs(texts[:30]).equals(whole.filter(pl.col("right") < 30))
    assert whole.equals(whole.sort("left", "right"))
    assert (whole["left"] < whole["right"]).all()


def test_another_seed_finds_the_same_by_other_signatures() -> None:
    texts = pl.Series(family(8, bases=40))
    one, other = sketch(texts, seed=1), sketch(texts, seed=2)
    assert (one.signatures == other.signatures).mean() < 0.01
    assert (one.counts == other.counts).all()
    assert pairs(texts, seed=1).equals(pairs(texts, seed=2))


def test_signatures_agree_as_often_as_sets_do() -> None:
    words = [f"w{k}" for k in range(3000)]
    ratios = []
    for k in range(150):
        shared = words[: 100 + k]
        texts = pl.Series([" ".join([*shared, "x", *words[-9 - k :]]), " ".join([*shared, "y", *words[-5:]])])
        one, other = (set_of(text) for text in texts)
        signatures = sketch(texts, seed=k).signatures
        agreeing = (signatures[0] == signatures[1]).sum()
        true = len(one & other) / len(one | other)
        ratios.append((agreeing - 128 * true) / (128 * true * (1 - true)) ** 0.5)
    assert abs(np.mean(ratios)) < 4 / 150**0.5
    assert 0.8 < np.std(ratios) < 1.2


@pytest.mark.parametrize(
    ("threshold", "permutations", "expected"),
    [(0.8, 128, (21, 6)), (0.5, 128, (42, 3)), (0.95, 128, (9, 14)), (1.0, 128, (1, 128)), (0.999, 1, (1, 1))],
)
def test_bands(threshold: float, permutations: int, expected: tuple[int, int]) -> None:
    count, rows = bands(threshold, permutations)
    assert (count, rows) == expected
    assert 1 - (1 - threshold**rows) ** count >= dedup.RECALL
    assert count * rows <= permutations


def boilerplate(n: int) -> list[str]:
    """One text of 300 words with a name of its own in each copy: any two have a Jaccard index above 0.9."""
    rng = random.Random(3)
    body = [f"w{rng.randrange(999)}" for _ in range(300)]
    return [" ".join([*body[:10], f"name{k}", *body[10:]]) for k in range(n)]


def test_boilerplate_in_thousands_is_compared_with_few() -> None:
    n = 6000
    texts = pl.Series(boilerplate(n))
    sketches = sketch(texts)
    places = candidates(sketches)
    assert len(places) < 10 * n  # of 18 million
    near, jaccard = verified(texts, sketches, places)
    assert jaccard.min() > 0.9
    every = pairs(texts)
    assert every.height == len(near)
    assert not components(every, n).any()


def test_what_is_left_out_links_only_what_is_alike_for_certain() -> None:
    n = 400
    every = pairs(pl.Series(boilerplate(n)))
    some = np.arange(n) % 97 == 96  # the leaders, which stand first, are not among them
    assert components(every, n, some).tolist() == [96 if each else -1 for each in some]
    rows = pl.DataFrame({"left": [0, 0, 3, 3], "right": [1, 2, 4, 5], "jaccard": [0.95, 0.9, 0.95, 0.85]})
    rows = rows.with_columns(exact=pl.lit(False))
    without = np.array([False, True, True, False, True, True])
    assert components(rows, 6).tolist() == [0, 0, 0, 3, 3, 3]
    assert components(rows, 6, without).tolist() == [-1, 1, 1, -1, 4, 5]


def test_copies_stay_linked_without_the_first() -> None:
    text = " ".join(f"w{k}" for k in range(50))
    changed = text + " more"
    every = pairs(pl.Series([text, "other", text.upper(), text, changed, changed]))
    assert every.filter("exact").select("left", "right").rows() == [(0, 3), (4, 5)]
    assert components(every, 6).tolist() == [0, 1, 0, 0, 0, 0]
    late = np.array([False, True, False, True, False, True])
    assert components(every, 6, late).tolist() == [-1, 1, -1, 3, -1, 3]
    with pytest.raises(ValueError, match="one for each document"):
        components(every, 6, late[:3])


DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"influence": 2.0}, {"influence": 1.0}),
        ({"influence": 0.0}, {"influence": None}),
        ({"influence": 0.0}, {"influence": float("nan")}),
        ({"event_at": DAY.replace(day=1)}, {"event_at": DAY}),
        ({"event_at": DAY}, {"event_at": None}),
        ({"path": "zz"}, {"path": "aaa"}),
        ({"path": "a/long/path"}, {"path": None}),
        ({"doc_id": "A"}, {"doc_id": "B"}),
        ({"influence": 2.0, "event_at": None, "path": None}, {"influence": 1.0}),
    ],
)
def test_who_is_kept(better: dict[str, object], worse: dict[str, object]) -> None:
    plain = {"doc_id": "x", "influence": 1.0, "event_at": DAY, "path": "p"}
    schema: dict[str, pl.DataType] = {
        "doc_id": pl.String(),
        "influence": pl.Float64(),
        "event_at": pl.Datetime("us", "UTC"),
        "path": pl.String(),
    }
    every = pairs(pl.Series(["same text", "same text"]))
    for two, index in (((better, worse), 1), ((worse, better), 0)):
        documents = pl.DataFrame([{**plain, **each} for each in two], schema)
        dropped = kept(documents, components(every, 2), every)
        assert dropped.select("index", "kept_index", "rule", "jaccard").rows() == [(index, 1 - index, "exact", 1.0)]


def test_what_was_dropped_for_which() -> None:
    words = [f"w{k}" for k in range(104)]
    base = " ".join(words)
    step = " ".join(["new", *words[10:]])  # 90 of 101 shingles
    far = " ".join(["new", *words[10:90], "end"])
    texts = [far, step, base, base.upper(), base, "quite another text", step + "!", ""]
    every = pairs(pl.Series(texts))
    documents = pl.DataFrame(
        {
            "doc_id": list("abcdefgh"),
            "influence": [0.0, 0.0, 1.0, 0.0, 0.0, 9.0, 0.0, 0.0],
            "event_at": [DAY] * 8,
            "path": ["p"] * 8,
        }
    )
    labels = components(every, 8)
    assert kept(documents, labels, every).rows() == [
        (0, "a", 2, "c", "near", None),  # by way of b only
        (1, "b", 2, "c", "near", brute([step, base])[0, 1]),
        (3, "d", 2, "c", "near", 1.0),
        (4, "e", 2, "c", "exact", 1.0),
        (6, "g", 2, "c", "near", brute([step, base])[0, 1]),
    ]
    without = components(every, 8, np.arange(8) != 2)
    assert kept(documents, without, every)["kept_doc_id"].to_list() == ["a", "a", "a", "a"]
    with pytest.raises(ValueError, match="one label a document"):
        kept(documents, labels[:3], every)


def test_nothing() -> None:
    for texts in (pl.Series([], dtype=pl.String), pl.Series([]), [], [pl.Series([], dtype=pl.String)], pl.Series([""])):
        none = pairs(texts)
        assert none.is_empty()
        assert dict(none.schema) == {
            "left": pl.Int64,
            "right": pl.Int64,
            "jaccard": pl.Float64,
            "exact": pl.Boolean,
        }
    assert components(none, 0).tolist() == []
    documents = pl.DataFrame({"doc_id": ["a"], "influence": [1.0], "event_at": [None], "path": [None]})
    assert kept(documents, components(none, 1), none).is_empty()


class Changing:
    """Batches that are others at the second reading."""

    def __init__(self, *readings: list[str]) -> None:
        self.readings = [pl.Series(each) for each in readings]

    def __iter__(self) -> Iterator[pl.Series]:
        yield self.readings.pop(0)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ((pl.Series(["a"]) for _ in range(1)), {}, "generator, which can be gone through once only"),
        (pl.Series(["a", None]), {}, "the text of row 1 is null"),
        ([pl.Series(["a"]), pl.Series([None, "b"])], {}, "the text of row 1 is null"),
        (pl.Series([1, 2]), {}, "from row 0 on are Int64, not String"),
        (pl.Series(["a"]), {"threshold": 0}, "threshold 0 "),
        (pl.Series(["a"]), {"threshold": 1.5}, "threshold 1.5 "),
        (pl.Series(["a"]), {"threshold": float("nan")}, "threshold nan "),
        (pl.Series(["a"]), {"permutations": 0}, "0 permutations"),
        (pl.Series(["a"]), {"threshold": 0.01}, "find 72.4% of the pairs at Jaccard 0.01, less than 99.5%"),
        (pl.Series(["a"]), {"ngram": 0}, "shingles of 0 words"),
        (Changing(["a b", "a  b"], ["a b"]), {}, "1 texts at a later reading are not the 2 of the first"),
        (
            Changing([ABCDE, ABCDE + "."], [ABCDE, "a b c d e f g"]),
            {},
            "2 texts at a later reading are not the 2",
        ),
    ],
)
def test_what_cannot_be_searched_is_named(texts: pl.Series, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        pairs(texts, **options)  # type: ignore[arg-type]
