"""Sentences of our own in many languages; code and addresses are not looked at."""

from __future__ import annotations

import polars as pl
import pytest

from coevo_pipelines.corpora.cleaning import languages

SENTENCES = {
    "en": "Ants leave pheromone on the way home, and the shortest path wins because it is walked more often.",
    "de": "Ameisen legen auf dem Heimweg eine Duftspur, und der kürzeste Weg setzt sich durch, weil er öfter begangen "
    "wird.",
    "fr": "Les fourmis déposent une phéromone sur le chemin du retour, et le trajet le plus court finit par gagner.",
    "es": "Las hormigas dejan una feromona en el camino de vuelta y el sendero más corto acaba ganando.",
    "it": "Le formiche lasciano una traccia sulla via del ritorno e il percorso più breve alla fine prevale.",
    "pt": "As formigas deixam um rasto no caminho de volta e o percurso mais curto acaba por vencer.",
    "pl": "Mrówki zostawiają ślad zapachowy w drodze powrotnej, a najkrótsza ścieżka w końcu wygrywa.",
    "ru": "Муравьи оставляют пахучий след на обратном пути, и самая короткая дорога в конце концов побеждает.",
    "tr": "Karıncalar eve dönerken koku izi bırakır ve sonunda en kısa yol kazanır.",
    "ar": "يترك النمل أثرا من الفيرومون في طريق العودة، فيفوز أقصر طريق في النهاية.",
    "hi": "चींटियाँ घर लौटते समय गंध का निशान छोड़ती हैं और अंत में सबसे छोटा रास्ता जीतता है।",
    "zh": "蚂蚁在回巢的路上留下信息素，最短的路径因为走得更频繁而最终胜出。",
    "ja": "アリは巣に帰る道にフェロモンを残し、最も短い道がやがて選ばれるようになります。",
    "ko": "개미는 집으로 돌아가는 길에 페로몬을 남기고, 가장 짧은 길이 결국 선택됩니다.",
}

GERMAN_README = f"""---
license: mit
language: en
---
# Werkzeug

[![build](https://ci.example.org/badge.svg)](https://ci.example.org/the/build/of/this)

{SENTENCES["de"]} Siehe <https://example.org/the-best-documentation-in-the-world>.

```python
def the_shortest_path(of_the_graph, with_the_weights):
    '''This is the function that returns the shortest path of all the paths that are in the graph.'''
    return of_the_graph.search(with_the_weights)  # and this is what it has to be
```
"""


def test_whole_sentences() -> None:
    found = languages.identify(pl.Series(list(SENTENCES.values())))
    assert found["language"].to_list() == list(SENTENCES)
    assert found["score"].is_between(languages.CERTAIN, 1).all()


def test_code_in_prose_does_not_count() -> None:
    prose = languages.written(pl.Series([GERMAN_README]))[0]
    assert prose.startswith("Werkzeug") and "Siehe" in prose
    for left_out in ("shortest", "license", "example", "badge", "build"):
        assert left_out not in prose.replace(SENTENCES["de"], "")
    assert languages.identify(pl.Series([GERMAN_README]))["language"].to_list() == ["de"]


@pytest.mark.parametrize(
    "text",
    [
        "", None, "OK", "v1.2.3", "12345 67890 !!! 3.14 2.71", "def f(x):\n    return x", "🐜 🐜 🐜",
        "```\nonly code\nand more code\n```", "https://example.org/this/is/the/way/to/the/home/of/the/ants",
        "a84fbc0 9913 ccd0-ffe1 zzk 77fe",
    ],
)  # fmt: skip
def test_nothing_to_tell_from(text: str | None) -> None:
    found = languages.identify(pl.Series([text], dtype=pl.String))
    assert found["language"].to_list() == [None]


def test_an_unclosed_code_block_hides_the_rest() -> None:
    assert languages.written(pl.Series(["Before.\n```\ncode that never ends"]))[0] == "Before."


def test_half_and_half_is_one_of_both_or_unknown() -> None:
    mixed = f"{SENTENCES['en']} {SENTENCES['de']}"
    assert languages.identify(pl.Series([mixed]))["language"][0] in ("en", "de", None)


def test_only_the_first_characters_are_read() -> None:
    long = SENTENCES["fr"] + " " + SENTENCES["en"] * 2000
    assert len(languages.written(pl.Series([long]))[0]) == languages.LOOKED_AT
    capitals = languages.identify(pl.Series([SENTENCES["en"].upper()]))
    assert capitals["language"].to_list() == ["en"]


def test_nothing() -> None:
    found = languages.identify(pl.Series([], dtype=pl.String))
    assert found.schema == {"language": pl.String, "score": pl.Float64} and found.height == 0
