"""Methods in titles and tags, the vocabulary's own rules, and the file of the blessed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.swarm.seeding.methods import (
    MethodsError,
    Vocabulary,
    blessed,
    methods_of,
    practices_of,
    tried_of,
    vocabulary,
)

PSO, ACO, GA = "particle-swarm-optimization", "ant-colony-optimization", "genetic-algorithm"


def named(title: str | None, *tags: str | None, known: Vocabulary | None = None) -> list[str]:
    works = pl.DataFrame(
        {"node_id": ["w"], "title": [title], "tags": [list(tags)]},
        schema_overrides={"title": pl.String, "tags": pl.List(pl.String)},
    )
    return methods_of(works, known or vocabulary())["pattern"].to_list()


@pytest.mark.parametrize(
    ("title", "tags", "expected"),
    [
        ("Particle swarm optimization", (), [PSO]),
        ("A PARTICLE-SWARM approach", (), [PSO]),
        ("Multi-Objective Particle Swarm Optimisation and Genetic Algorithms", (), [GA, PSO]),
        ("Particle swarm ant colony hybrids", (), [ACO, PSO]),  # the blank between them is of both
        ("Cuckoo Search via Lévy flights", (), ["cuckoo-search"]),
        ("The Grey\u2010Wolf\u00a0Optimiser", (), ["grey-wolf-optimizer"]),
        ("Genetíc\u0301 algorithm", (), [GA]),
        ("PSO", (), [PSO]),
        ("Combat algorithm of the batalgorithm", (), []),
        ("Diet of the grey wolf near a bee colony", (), []),  # animals
        ("Particle physics of a swarm", (), []),
        ("ACO and ABC in health care", (), []),  # acronyms of other things
        ("", (), []),
        (None, (), []),
        ("粒子群优化", (), []),
        (None, ("particle-swarm-optimization",), [PSO]),
        (None, ("Particle_Swarm_Optimizer", "pso-cuda"), [PSO]),
        (None, ("ACO",), [ACO]),
        (None, ("aco-medicare",), []),
        (None, ("base_model:x/pso-tuner", "arxiv:pso", "license:mit", "swarm-intelligence"), []),
        (None, ("stigmergy", "flocking"), ["flocking", "stigmergy"]),
        ("PSO again: particle swarms", ("pso", "pso", None, ""), [PSO]),  # once
    ],
)  # fmt: skip
def test_what_a_work_names(title: str | None, tags: tuple[str | None, ...], expected: list[str]) -> None:
    assert named(title, *tags) == expected


def test_rows_are_in_order_and_no_works_are_no_rows() -> None:
    works = pl.DataFrame({"node_id": ["b", "a"], "title": ["pso", "firefly algorithm pso"], "tags": [["aco"], []]})
    assert methods_of(works, vocabulary()).rows() == [("a", "firefly-algorithm"), ("a", PSO), ("b", ACO), ("b", PSO)]
    assert methods_of(works.clear(), vocabulary()).rows() == []


def test_every_shipped_method_is_found_by_its_own_name() -> None:
    known = vocabulary()
    assert len(known.methods) >= 40
    assert [each for each in known.methods if each not in named(each)] == []
    assert [each for each in known.methods if each not in named(None, each)] == []


def test_practices_of_hubs_in_their_own_words() -> None:
    """Whoever measured it, and whoever has its words in what it does; accents, hyphens and a last "s" aside."""
    tried = pl.DataFrame({"node_id": ["a", "b"], "pattern": ["practice:cover crop", "practice:thé"]})
    hubs = pl.DataFrame(
        {
            "node_id": ["a", "b", "c", "d", "e"],
            "practices": [[], ["pruning"], ["Winter Cover-Crops", "the"], ["crop cover", "covered crops"], [None]],
        }
    )
    tried = tried.with_columns(pattern=pl.col("pattern").str.replace("thé", "the"))
    assert practices_of(hubs, tried).rows() == [
        ("a", "practice:cover crop"), ("b", "practice:the"), ("c", "practice:cover crop"), ("c", "practice:the"),
    ]  # fmt: skip
    assert practices_of(hubs, tried.clear()).rows() == []


def test_where_it_got_better_and_where_worse() -> None:
    rows = [
        ("a", "Cover crops", "carbon", 1), ("a", "Cover crops", "yield", -1), ("a", "Cover crops", "water", -1),
        ("b", "cover-crops", "carbon", 0), ("b", "mulch", "yield", -1), ("c", "…", "carbon", 1),
    ]  # fmt: skip
    sides = pl.DataFrame(rows, schema=["node_id", "practice", "quantity", "side"], orient="row")
    pair = ["practice", "quantity"]
    worked = pl.DataFrame([("Cover crops", "carbon"), ("cover-crops", "carbon"), ("…", "carbon")], pair, orient="row")
    harmed = pl.DataFrame([("Cover crops", "yield"), ("mulch", "yield")], pair, orient="row")
    pattern = "practice:cover crops"
    assert tried_of(sides, worked, harmed).rows() == [("a", pattern, -1), ("a", pattern, 1), ("b", pattern, 0)]
    assert tried_of(sides, worked, harmed.clear()).rows() == [("a", pattern, 1), ("b", pattern, 0)]


def test_settings_add_methods_and_phrases() -> None:
    more = vocabulary({"lion-algorithm": ["pride of lions"], PSO: ["swarm of particles"]})
    assert named("A Pride of Lions; a swarm of particles", known=more) == ["lion-algorithm", PSO]
    assert named("The Lion Algorithms", known=more) == ["lion-algorithm"]
    assert named("A Pride of Lions") == []  # the shipped one is as it was


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({"lion": ["--"]}, "the settings: method 'lion' has the phrase '--', which has no letter or digit"),
        ({" ": []}, "method ' ' has the phrase ' '"),
        ({"lion": ["Genetic-Algorithm"]}, f"the phrase 'Genetic-Algorithm' names two methods, {GA} and lion"),
        ({"lion": "pride"}, r"method 'lion': its phrases are one text; give a list: \['pride'\]"),
    ],
)
def test_a_vocabulary_that_makes_no_sense(added: dict[str, list[str]], message: str) -> None:
    with pytest.raises(MethodsError, match=message):
        vocabulary(added)


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text(), st.sampled_from(["", "s"]), st.sampled_from([" ", "-", "_", "\n", "\u2013"]))
def test_any_text_around_a_phrase(before: str, after: str, plural: str, between: str) -> None:
    """Nothing breaks, and whole words are found wherever they stand."""
    assert PSO in named(f"{before} Particle{between}Swarm{plural} {after}")


def test_who_is_blessed(tmp_path: Path) -> None:
    file = tmp_path / "blessed.yaml"
    file.write_text("# by hand\n- github:b/b\n- ' arxiv:1 '\n- github:b/b\n", encoding="utf-8-sig")
    assert blessed(file) == ("arxiv:1", "github:b/b")
    for nothing in ("", "# none yet\n", "[]"):
        file.write_text(nothing)
        assert blessed(file) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"organisms: [a]", "give a list of organism ids"),
        (b"github:b/b", "give a list of organism ids"),
        (b"- a\n- 2019-03-25", "entry 2 is datetime.date"),
        (b"- a\n-\n", "entry 2 is None"),
        (b"- [a]", r"entry 1 is \['a'\]"),
        (b"- '  '", "entry 1 is '  '"),
        (b"- {a", "not a YAML file in UTF-8"),
        (b"- \xff\xfe", "not a YAML file in UTF-8"),
        (b"- !!python/object/apply:os.getcwd []", "not a YAML file in UTF-8"),
    ],
)
def test_a_file_of_the_blessed_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "blessed.yaml"
    file.write_bytes(content)
    with pytest.raises(MethodsError, match=message) as raised:
        blessed(file)
    assert str(file) in str(raised.value)


def test_no_file_of_the_blessed(tmp_path: Path) -> None:
    with pytest.raises(MethodsError, match="there is no such file"):
        blessed(tmp_path / "blessed.yaml")
    with pytest.raises(MethodsError, match="not a YAML file"):
        blessed(tmp_path)
