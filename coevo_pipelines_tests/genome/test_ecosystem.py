"""Lists of repositories: what a README's links are and are not, accounts, topics, influence, and each one once."""

from __future__ import annotations

import string
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.genome import ecosystem
from coevo_pipelines.genome.ecosystem import GenomeError, Listed, Source, address, linked, once, source_of
from coevo_pipelines.genome.mirrors import checked
from coevo_pipelines.lake import schemas


def names(readme: str) -> list[str]:
    return [each.source.name for each in linked(readme, "lists/readme")]


@pytest.mark.parametrize(
    "text",
    [
        "[engine](https://github.com/ada/engine)",
        "[engine](https://github.com/ada/engine 'An engine')",
        "![stars](https://img.shields.io/x)](https://github.com/ada/engine)",
        "[engine]: https://github.com/ada/engine",
        "<https://github.com/ada/engine>",
        "<a href='https://github.com/ada/engine'>engine</a>",
        '<a href="https://github.com/ada/engine"><img src="x"/></a>',
        "<a href=https://github.com/ada/engine>engine</a>",
        "`Engine <https://github.com/ada/engine>`_",
        ".. _engine: https://github.com/ada/engine",
        ".. image:: https://github.com/ada/engine/actions/workflows/test.yml/badge.svg?branch=main",
        "[[https://github.com/ada/engine][engine]]",
        "See https://github.com/ada/engine.",
        "(https://github.com/ada/engine),",
        "**https://github.com/ada/engine**",
        "_https://github.com/ada/engine_",
        '"https://github.com/ada/engine";',
        "https://github.com/ada/engine.git",
        "https://github.com/ada/engine.git.",
        "https://github.com/ada/engine/",
        "https://github.com/ada/engine/tree/main/docs#here",
        "https://github.com/ada/engine?tab=readme-ov-file",
        "https://github.com/ada/engine#readme",
        "http://www.github.com/ada/engine",
        "HTTPS://GitHub.COM/Ada/Engine",
        "https://github.com:443/ada/engine",
        "git clone git@github.com:ada/engine.git",
        "git clone ssh://git@github.com:22/ada/engine.git",
        "git clone git://github.com/ada/engine",
        "pip install git+https://github.com/ada/engine@v1",
        "https://user:secret@github.com/ada/engine",
        "请看github.com/ada/engine。",
        "\u202ehttps://github.com/ada/engine\u202c",
        "https://github.com/ada/engine\r\nhttps://github.com/Ada/Engine",
    ],
)
def test_a_link_to_a_repository_however_written(text: str) -> None:
    found = once(linked(text, "lists/readme"))
    source = Source("ada/engine", "https://github.com/ada/engine")
    assert found == [Listed(source, "readme", "lists/readme")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://github.com",
        "https://github.com/ada",
        "https://github.com/ada/",
        "https://github.com/topics/ants",
        "https://github.com/orgs/ada/repositories",
        "https://github.com/sponsors/ada",
        "https://github.com/apps/bot",
        "https://gist.github.com/ada/0123456789abcdef",
        "https://ada.github.io/engine",
        "https://raw.githubusercontent.com/ada/engine/main/logo.png",
        "https://api.github.com/repos/ada/engine",
        "https://img.shields.io/github/stars/ada/engine",
        "https://not-github.com/ada/engine",
        "https://github.com.example.org/ada/engine",
        "https://github.com@example.org/ada/engine",
        "https://g\u0456thub.com/ada/engine",  # Cyrillic
        "https://xn--gthub-3ve.com/ada/engine",
        "https://github.com/../engine",
        "https://github.com/ada/..",
        "https://github.com/-ada/engine",
        "https://github.com/" + "a" * 40 + "/engine",
        "https://example.org/ada/engine.git",
        "[x](file:///etc/passwd)",
        "[x](file://github.com.local/ada/engine)",
        "[x](/work/other) [x](../other) [x](./docs/a.md)",
        "[x](ext::sh -c id) [x](--upload-pack=id) [x](javascript:alert(1)) [x](data:text/html,x)",
        "https://gitlab.com/users/sign_in https://gitlab.com/explore/projects https://gitlab.com/groups/a/b",
        "https://gitlab.com/api/v4/projects/1 https://gitlab.com/a/-/issues https://gitlab.com/a/../b",
        "https://codeberg.org/explore/repos https://codeberg.org/user/login https://codeberg.org/ada/",
    ],
)
def test_what_is_no_repository(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://gitlab.com/group/engine", "gitlab.com/group/engine"),
        ("https://gitlab.com/group/engine.git.", "gitlab.com/group/engine"),
        ("https://www.GitLab.com/group/engine/", "gitlab.com/group/engine"),
        ("https://gitlab.com/group/sub/sub2/engine", "gitlab.com/group/sub/sub2/engine"),
        ("https://gitlab.com/group/sub/engine/-/tree/main/docs", "gitlab.com/group/sub/engine"),
        ("https://gitlab.com/group/engine/badges/main/pipeline.svg", "gitlab.com/group/engine"),
        ("https://gitlab.com/group/engine/blob/main/README.md", "gitlab.com/group/engine"),
        ("https://gitlab.com/group/issues", "gitlab.com/group/issues"),
        ("git@gitlab.com:group/sub/engine.git", "gitlab.com/group/sub/engine"),
        ("https://codeberg.org/ada/engine/src/branch/main", "codeberg.org/ada/engine"),
        ("*https://codeberg.org/ada/engine*", "codeberg.org/ada/engine"),
        ("https://bitbucket.org/ada/engine/src/master/", "bitbucket.org/ada/engine"),
        ("https://ada:secret@bitbucket.org/ada/engine", "bitbucket.org/ada/engine"),
    ],
)
def test_other_hosts(text: str, name: str) -> None:
    assert [each.source for each in linked(text, "p")] == [Source(name, f"https://{name}.git")]


def test_links_keep_the_order_of_the_readme() -> None:
    text = "https://gitlab.com/z/z https://github.com/b/b\nhttps://codeberg.org/c/c https://github.com/a/a"
    assert names(text) == ["gitlab.com/z/z", "b/b", "codeberg.org/c/c", "a/a"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (" ".join(f"https://github.com/o{i}/r{i}" for i in range(10_000)), 10_000),
        ("\n".join(f"https://gitlab.com/g/o{i}/r{i}" for i in range(10_000)), 10_000),
        ("https://github.com/ada/x 10.1234/" + "," * 100_000, 1),
        ("https://github.com/ada/x 10.1234/" + ")" * 100_000, 1),
        ("github.com/" * 100_000, 0),
        ("https://gitlab.com/" + "a" * 1_000_000, 0),
        ("https://gitlab.com/" + "a/" * 500_000, 1),
        ("x" * 3_000_000, 0),
    ],
)
def test_a_huge_readme_takes_no_longer_than_its_length(text: str, count: int) -> None:
    start = time.process_time()
    assert len(once(linked(text, "p"))) == count
    assert time.process_time() - start < 5  # a second at most where nothing else runs; quadratic ones take minutes


@given(st.text(alphabet=string.ascii_letters[:4] + "githubla.com/:@-_%?=\\ \n<>()\u0130\u2028", max_size=80))
def test_whatever_is_written_only_plain_addresses_come_out(text: str) -> None:
    for written in (text, f"https://gitlab.com/{text}", f"https://github.com/{text}"):
        for each in linked(written, "p"):
            place = each.source.place
            assert checked(place) == place
            host, _, path = place.removeprefix("https://").partition("/")
            assert host in ("github.com", "gitlab.com", "codeberg.org", "bitbucket.org")
            assert not {"", ".", "..", ".git"} & set(path.split("/"))
            assert all(char.isascii() and (char.isalnum() or char in "._-/") for char in path)
            assert each.source == source_of(f"{each.source.name}={place}")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (b"README.md", True), (b"readme", True), (b"Readme.RST", True), (b"README.txt", True), (b"README.org", True),
        (b"README.html", True), (b"README.adoc", True), (b"README.markdown", True), (b"README.md\n", False),
        (b"README.md.bak", False), (b"docs/README.md", False), (b"NOREADME.md", False), (b"README.py", False),
        (b"README.\xff", False),
    ],
)  # fmt: skip
def test_what_is_called_a_readme(name: bytes, is_one: bool) -> None:
    assert bool(ecosystem.README.match(name)) is is_one


# What the settings name.


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("https://github.com/DEAP/deap.git/", "DEAP/deap", "https://github.com/DEAP/deap.git/"),
        ("https://gitlab.com/a/b/c", "b/c", "https://gitlab.com/a/b/c"),
        ("https://ada:secret@example.org", "example.org", "https://ada:secret@example.org"),
        ("https://ada:secret@example.org:8080/x", "x", "https://ada:secret@example.org:8080/x"),
        ("ada@example.org:ants/engine.git", "ants/engine", "ada@example.org:ants/engine.git"),
        ("ssh://ada@example.org/~/ants", "~/ants", "ssh://ada@example.org/~/ants"),
        ("x/y=https://example.org/a?b=c", "x/y", "https://example.org/a?b=c"),
        ("file:///x/an%20engine.git", "an engine", "file:///x/an%20engine.git"),
        ("/x/\udcff\u202ey", "\\xff\\xe2\\x80\\xaey", "/x/\udcff\u202ey"),
    ],
)
def test_name_and_place(text: str, name: str, place: str) -> None:
    assert source_of(text) == Source(name, place)


def test_a_folder_that_looks_named(tmp_path: Path) -> None:
    folder = tmp_path / "a=b"
    folder.mkdir()
    assert source_of(str(folder)) == Source("a=b", str(folder))
    assert source_of(f"c={folder}") == Source("c", str(folder))


@pytest.mark.parametrize("text", ["https://ada:secret@[::1/a/b", "https://ada:secret@exa\u2100mple.org/a", "a\0b"])
def test_an_address_that_is_none_is_told_without_its_secret(text: str) -> None:
    with pytest.raises(GenomeError, match="cannot be read as an address or a path") as caught:
        source_of(text)
    assert "secret" not in str(caught.value)
    with pytest.raises(GenomeError, match="cannot be read"):
        source_of(f"name={text}")


def test_nothing_is_no_repository() -> None:
    with pytest.raises(GenomeError, match="empty name"):
        source_of("")


@pytest.mark.parametrize(
    "written",
    [
        "https://github.com/Ada/Engine", "https://github.com/ada/engine.git", "http://www.github.com/ada/engine/",
        "git://github.com//ada/engine", "https://ada:secret@GitHub.com/ada/engine", "git@github.com:ada/engine.git",
        "ssh://git@github.com/ada/engine.git",
    ],
)  # fmt: skip
def test_ways_to_write_one_address(written: str) -> None:
    assert address(written) == "github.com/ada/engine"
    listed = [Listed(source_of("first=https://github.com/ada/engine"), "settings"), Listed(source_of(written), "owner")]
    assert once(listed) == listed[:1]


def test_ways_to_write_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "an engine").mkdir()
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "an engine"
    ways = ["an engine", "./an engine/", str(folder), f"file://{folder}", folder.as_uri()]
    listed = [Listed(source_of(way), "settings") for way in ways]
    assert once(listed) == listed[:1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://127.0.0.1:80/a/b", "https://127.0.0.1:81/a/b"),
        ("https://example.org/a/b", "https://example.org/A/b"),
        ("https://example.org/git?p=a", "https://example.org/git?p=b"),
        ("https://example.org/a/b", "https://example.com/a/b"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/b/c"),
        ("/x/engine", "/y/engine"),
    ],
)
def test_different_repositories_are_never_one(one: str, other: str) -> None:
    assert len(once([Listed(Source("1", one), "settings"), Listed(Source("2", other), "settings")])) == 2


def test_two_of_one_name() -> None:
    own = Listed(source_of("ada/engine=/x/engine"), "settings")
    theirs = next(linked("https://github.com/ada/engine", "lists/readme"))
    assert [each.source.name for each in once([own, theirs])] == ["ada/engine", "github.com/ada/engine"]
    secret = Listed(source_of("https://ada:secret@example.org/ada/engine"), "settings")
    with pytest.raises(GenomeError, match="are both called ada/engine: name one, NAME=PLACE") as caught:
        once([own, secret])
    assert "secret" not in str(caught.value)
    with pytest.raises(GenomeError, match="NAME=PLACE") as caught:
        ecosystem.in_order([own.source, secret.source])
    assert "secret" not in str(caught.value)
    longer = Listed(source_of("github.com/ada/engine=/z"), "settings")
    with pytest.raises(GenomeError, match="are both called ada/engine"):
        once([own, longer, theirs])


def test_who_lists_first_counts() -> None:
    theirs = next(linked("https://github.com/ada/engine", "lists/readme"))
    by_owner = Listed(Source("ada/engine", "https://github.com/ada/engine"), "owner", "ada")
    assert once([theirs, by_owner]) == [theirs]
    assert once([by_owner, theirs]) == [by_owner]


@given(st.permutations("abcdef"), st.lists(st.sampled_from("abcx")), st.lists(st.sampled_from("cdefx")))
def test_a_curriculum_has_everyone_once(everyone: list[str], first: list[str], last: list[str]) -> None:
    order = ecosystem.curriculum(everyone, first, last)
    assert sorted(order) == list("abcdef")
    begun = [name for name in dict.fromkeys(first) if name != "x"]
    assert order[: len(begun)] == begun
    ended = [name for name in dict.fromkeys(last) if name != "x" and name not in begun]
    assert order[len(order) - len(ended) :] == ended
    middle = order[len(begun) : len(order) - len(ended)]
    assert middle == sorted(middle)


# What traces.works knows.


def works(*rows: dict[str, object]) -> pl.DataFrame:
    given = [
        {"work_id": "github:ada/engine", "owner": "github:ada", "tags": ["ants"], "topics": ["swarms"], **row}
        for row in rows
    ]
    return pl.DataFrame(
        given,
        schema={"work_id": pl.String, "owner": pl.String, "tags": pl.List(pl.String), "topics": pl.List(pl.String)},
    )


def test_owners_in_any_case() -> None:
    known = works(
        {}, {"work_id": "github:ada/b", "owner": "github:Ada"}, {"work_id": "github:adam/b", "owner": "github:adam"},
        {"work_id": "github:x/y", "owner": None},
    )  # fmt: skip
    found = list(ecosystem.of_owners(known, ["ADA"]))
    assert [(each.source.name, each.source.place, each.by, each.place) for each in found] == [
        ("ada/engine", "https://github.com/ada/engine", "owner", "ADA"),
        ("ada/b", "https://github.com/ada/b", "owner", "ADA"),
    ]
    assert list(ecosystem.of_owners(known, [])) == list(ecosystem.of_owners(works(), ["ada"])) == []


def test_topics() -> None:
    known = works({}, {"work_id": "github:a/b", "tags": ["ants-2"]}, {"work_id": "github:a/c", "tags": None})
    found = list(ecosystem.of_topics(known, ["ants", "bees"]))
    assert [(each.source.name, each.by, each.place) for each in found] == [("ada/engine", "topic", "ants")]


def scores(**values: float | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"node_id": [f"github:a/{name}" for name in values], "guarded_influence": list(values.values())},
        schema={"node_id": pl.String, "guarded_influence": pl.Float64},
    )


def test_the_most_influential() -> None:
    known = works(
        {"work_id": "github:a/tie2"}, {"work_id": "github:a/tie1"}, {"work_id": "github:a/most", "topics": ["bees"]},
        {"work_id": "github:a/null"}, {"work_id": "github:a/least", "topics": None}, {"work_id": "github:a/unscored"},
    )  # fmt: skip
    scored = scores(tie2=0.2, tie1=0.2, most=0.5, null=None, least=0.1, other=9.0)

    def best(most: int, topic: str | None = None) -> list[str]:
        found = list(ecosystem.most_influential(known, scored, most, topic))
        assert {(each.by, each.place) for each in found} <= {("works", topic)}
        return [each.source.name for each in found]

    assert best(1) == ["a/most"]
    assert best(2) == ["a/most", "a/tie1"]
    assert best(99) == ["a/most", "a/tie1", "a/tie2", "a/least", "a/null"]
    assert best(99, "swarms") == ["a/tie1", "a/tie2", "a/null"]
    assert best(99, "nothing") == []
    assert best(0) == []


def test_repositories_as_last_seen() -> None:
    schema = schemas.table("traces.works").polars_schema()
    row: dict[str, object] = dict.fromkeys(schema)

    def seen(work: str, day: int, tags: list[str], kind: str = "repository") -> dict[str, object]:
        at = datetime(2019, 3, day, tzinfo=UTC)
        return {**row, "work_id": work, "kind": kind, "source": "github", "event_at": at, "tags": tags, "topics": []}

    given = [
        seen("github:b/b", 26, ["new"]), seen("github:b/b", 25, ["old"]), seen("github:a/a", 25, []),
        seen("arxiv:1", 25, [], "paper"), seen("hf:model/a/a", 25, [], "repository"),
    ]  # fmt: skip
    found = ecosystem.repositories(pl.LazyFrame(given, schema=schema, orient="row"))
    assert found.select("work_id", "tags").rows() == [("github:a/a", []), ("github:b/b", ["new"])]
