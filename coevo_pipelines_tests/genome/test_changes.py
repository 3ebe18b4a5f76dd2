"""What changed between two genomes: known answers, what git says of the same texts, and an end in all cases."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome.changes import LONGEST_LINE, MOST_EDITS, MOST_LINES, Diff, changes, compared
from coevo_pipelines.lake import schemas
from coevo_pipelines_tests.genome.repositories import BASE

FILES = schemas.table("genome.files")
NO_END = "\\ No newline at end of file"


def file(path: str, text: str | None, **other: Any) -> dict[str, Any]:
    """A row of `genome.files`; only what is compared matters."""
    data = (text or "").encode()
    return {
        "place": 0, "repo": "r", "path": path, "within": None, "mode": "100644",
        "reason": "extension" if text is None else "packed", "git_id": f"id of {text}", "swhid": None,
        "size": len(data), "sha256": None, "charset": None if text is None else "utf-8", "stripped": False,
        "language": None, "licence_kind": None, "license": None, "target": None, "offset": None, "length": None,
        "text_sha256": None, "leaf": "", "tokens": None, "text": text, **other,
    }  # fmt: skip


def changed(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    frames = [
        pl.DataFrame(
            [{**row, "place": at} for at, row in enumerate(rows)], schema=FILES.polars_schema(), orient="row"
        ).lazy()
        for rows in (before, after)
    ]
    frame = changes(*frames)
    table = schemas.table("genome.changes")
    assert schemas.conform(table, frame, "test").equals(frame)
    back = changes(*reversed(frames))
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(row["path"], turned[row["change"]], row["after"], row["before"]) for row in back.to_dicts()] == [
        (row["path"], row["change"], row["before"], row["after"]) for row in frame.to_dicts()
    ]
    return frame.to_dicts()


def test_known_answers() -> None:
    before = [
        file("same.md", "same\n"), file("changed.md", "one\ntwo\nthree\n"), file("gone.md", "was\nhere"),
        file("photo.png", None), file("old.png", None, git_id="old"),
    ]  # fmt: skip
    after = [
        file("new.md", "is\nhere\n"), file("changed.md", "one\n2\nthree\nfour\n"), file("same.md", "same\n"),
        file("photo.png", None), file("old.png", None, git_id="new", size=7),
    ]  # fmt: skip
    assert changed(before, after) == [
        {
            "repo": "r", "path": "changed.md", "change": "changed", "before": 14, "after": 17,
            "before_id": "id of one\ntwo\nthree\n", "after_id": "id of one\n2\nthree\nfour\n",
            "lines_added": 2, "lines_removed": 1,
            "diff": "--- a/changed.md\n+++ b/changed.md\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four",
        },
        {
            "repo": "r", "path": "gone.md", "change": "removed", "before": 8, "after": None,
            "before_id": "id of was\nhere", "after_id": None, "lines_added": 0, "lines_removed": 2,
            "diff": f"--- a/gone.md\n+++ b/gone.md\n@@ -1,2 +0,0 @@\n-was\n-here\n{NO_END}",
        },
        {
            "repo": "r", "path": "new.md", "change": "added", "before": None, "after": 8, "before_id": None,
            "after_id": "id of is\nhere\n", "lines_added": 2, "lines_removed": 0,
            "diff": "--- a/new.md\n+++ b/new.md\n@@ -0,0 +1,2 @@\n+is\n+here",
        },
        {
            "repo": "r", "path": "old.png", "change": "changed", "before": 0, "after": 7, "before_id": "old",
            "after_id": "new", "lines_added": None, "lines_removed": None, "diff": None,
        },
    ]  # fmt: skip


def test_nothing_changed_and_nothing_there() -> None:
    rows = [file("a.md", "a"), file("b.png", None), file("module", None, reason="submodule", charset=None)]
    assert changed(rows, rows) == changed([], []) == []
    assert [row["change"] for row in changed([], rows)] == ["added"] * 3
    assert [row["change"] for row in changed(rows, [])] == ["removed"] * 3


@pytest.mark.parametrize(
    ("other", "numbers"),
    [
        ({"mode": "100755"}, (0, 0, "")),
        ({"charset": "cp1252"}, (0, 0, "")),
        ({"stripped": True}, (0, 0, "")),
        ({"git_id": "another"}, (0, 0, "")),
        ({"reason": "binary", "charset": None, "text": None}, (0, 1, "--- a/a.md\n+++ b/a.md\n@@ -1 +0,0 @@\n-a")),
        ({"reason": "too_large", "charset": None, "text": None}, (0, 1, "--- a/a.md\n+++ b/a.md\n@@ -1 +0,0 @@\n-a")),
        ({"text": "a\r\n"}, None),  # a text alone does not change: its id does
        ({"language": "Markdown", "license": "MIT", "offset": 7, "place": 9}, None),
    ],
)
def test_what_makes_a_change(other: dict[str, Any], numbers: tuple[int, int, str] | None) -> None:
    found = changed([file("a.md", "a\n")], [file("a.md", "a\n") | other])
    assert [(row["lines_added"], row["lines_removed"], row["diff"]) for row in found] == ([numbers] if numbers else [])


def test_from_one_null_id_to_another() -> None:
    """What an archive would not give has no id."""
    rows = [file("a.zip!//", None, git_id=None, reason="archive_damaged")]
    assert changed(rows, rows) == []
    assert len(changed(rows, [rows[0] | {"reason": "archive_limit"}])) == 1
    assert len(changed(rows, [rows[0] | {"git_id": "1"}])) == 1


def test_the_same_path_in_two_repositories() -> None:
    found = changed(
        [file("a.md", "a\n"), file("a.md", "b\n", repo="s")], [file("a.md", "a\n"), file("a.md", "c\n", repo="s")]
    )
    assert [(row["repo"], row["diff"].splitlines()[-2:]) for row in found] == [("s", ["-b", "+c"])]


@pytest.mark.parametrize(
    ("before", "after", "body"),
    [
        ("a\n", "a", f"@@ -1 +1 @@\n-a\n+a\n{NO_END}"),
        ("a", "a\n", f"@@ -1 +1 @@\n-a\n{NO_END}\n+a"),
        ("a", "b", f"@@ -1 +1 @@\n-a\n{NO_END}\n+b\n{NO_END}"),
        ("a\nb", "c\nb", f"@@ -1,2 +1,2 @@\n-a\n+c\n b\n{NO_END}"),
        ("a\n", "a\r\n", "@@ -1 +1 @@\n-a\n+a\r"),
        ("a\rb\n", "a\rc\n", "@@ -1 +1 @@\n-a\rb\n+a\rc"),
        ("", "\n", "@@ -0,0 +1 @@\n+"),
        ("\n\n", "\n", "@@ -1,2 +1 @@\n \n-"),
        ("-- x\n", "++ x\n", "@@ -1 +1 @@\n--- x\n+++ x"),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n0\n", "@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+0"),
        ("a\x0bb\x0cc\u2028d\x85e\n", "a\n", "@@ -1 +1 @@\n-a\x0bb\x0cc\u2028d\x85e\n+a"),
        ("a\0b\n", "a\0c\n", "@@ -1 +1 @@\n-a\0b\n+a\0c"),
    ],
)  # fmt: skip
def test_small_texts(before: str, after: str, body: str) -> None:
    assert compared(before, after, "x").text == f"--- a/x\n+++ b/x\n{body}"


def test_far_changes_are_hunks_of_their_own() -> None:
    """Also in a long text, and between lines that are all the same."""
    for middle in ("".join(f"{at}\n" for at in range(50_000)), "0\n" * 50_000):
        found = compared(f"x\n{middle}y\n", f"X\n{middle}Y\n", "x")
        assert (found.added, found.removed) == (2, 2)
        assert found.text is not None
        assert re.findall("^@@.*$", found.text, re.MULTILINE) == ["@@ -1,4 +1,4 @@", "@@ -49999,4 +49999,4 @@"]


LINES = st.lists(st.sampled_from(["", "a", "b", "c", "d\r", "+", "- x", "@@ -1 +1 @@", "é", "\\"]), max_size=14)
TEXTS = st.tuples(LINES, st.booleans()).map(lambda drawn: "\n".join(drawn[0]) + "\n" * (drawn[1] and bool(drawn[0])))


@settings(max_examples=80, deadline=None)
@given(TEXTS, TEXTS)
def test_no_fewer_lines_could_do(before: str, after: str) -> None:
    """The longest common subsequence, by its definition."""
    old, new = ([*re.findall(r"[^\n]*\n|[^\n]+\Z", text)] for text in (before, after))

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(old) or j == len(new):
            return 0
        if old[i] == new[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    found = compared(before, after, "x")
    assert (found.added, found.removed) == (len(new) - longest(0, 0), len(old) - longest(0, 0))
    assert (found.text == "") == (before == after)


def pairs() -> dict[str, tuple[str, str]]:
    """Texts by chance, and edited by chance; fewer lines than are shown."""
    draw = random.Random(6)
    found = {}
    for at in range(150):
        words = ["".join(draw.choices("ab \t\r{};é", k=draw.randrange(6))) for _ in range(draw.choice((2, 5, 40)))]
        old = draw.choices(words, k=draw.randrange(1, 60))
        new = draw.choices(words, k=draw.randrange(1, 60))
        if at % 3:
            new = list(old)
            for _ in range(draw.randrange(8)):
                start = draw.randrange(len(new) + 1)
                new[start : start + draw.randrange(4)] = draw.choices(words, k=draw.randrange(4))
        found[f"{at}.txt"] = ("\n".join(old) + draw.choice(("", "\n")), "\n".join(new) + draw.choice(("", "\n")))
    return found


def run(*arguments: str, folder: Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", *arguments], cwd=folder, input=stdin, capture_output=True, check=False, env=BASE)
    assert not done.stderr, done.stderr
    return done.stdout


def test_git_makes_the_one_text_of_the_other_with_the_diff(tmp_path: Path) -> None:
    """And needs no fewer lines itself."""
    run("init", "--quiet", folder=tmp_path)  # else git looks for a repository further up
    for side in ("a", "b", "own"):
        (tmp_path / side).mkdir()
    patch, told = b"", {}
    for name, (before, after) in pairs().items():
        for side, text in (("a", before), ("b", after), ("own", before)):
            (tmp_path / side / name).write_bytes(text.encode())
        found = compared(before, after, f"own/{name}")
        assert found.text is not None
        assert "more lines" not in found.text
        patch += found.text.encode() + b"\n" * bool(found.text)
        told[name] = found
    run("apply", "--whitespace=nowarn", "-", folder=tmp_path, stdin=patch)
    for name, (_, after) in pairs().items():
        assert (tmp_path / "own" / name).read_bytes() == after.encode(), name
    lines = run("diff", "--no-index", "--numstat", "--minimal", "a", "b", folder=tmp_path).decode().splitlines()
    by_git = {line.split("/")[-1].rstrip("}"): [int(number) for number in line.split("\t")[:2]] for line in lines}
    assert by_git.keys() == {name for name, found in told.items() if found.text}
    assert len(by_git) > 120
    for name, (added, removed) in by_git.items():
        own = told[name]
        assert own.added is not None and own.removed is not None
        assert own.added - own.removed == added - removed
        assert own.added <= added
    assert sum(told[name].added == added for name, (added, _) in by_git.items()) > 0.9 * len(by_git)


def test_long_diffs_and_lines_are_cut() -> None:
    found = compared(None, "x\n" * 1000, "x")
    assert (found.added, found.removed) == (1000, 0)
    assert found.text is not None
    lines = found.text.split("\n")
    assert (len(lines), lines[-1]) == (MOST_LINES + 1, "… 803 more lines")
    for length, shown in ((LONGEST_LINE - 1, "y" * (LONGEST_LINE - 1)), (900, "y" * (LONGEST_LINE - 1) + " …")):
        assert compared("", "y" * length, "x").text == f"--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+{shown}\n{NO_END}"


def test_no_text_on_either_side() -> None:
    assert compared(None, None, "x") == Diff(None, None, None)
    assert compared("", None, "x") == compared(None, "", "x") == compared("", "", "x") == Diff(0, 0, "")


def lines(values: Iterable[object]) -> str:
    return "".join(f"{value}\n" for value in values)


DRAW = random.Random(7)
HUGE: dict[str, tuple[str, str, bool]] = {
    "one line": ("a" * 5_000_000, "b" * 5_000_000, True),
    "nothing but line ends": ("\n" * 1_000_000, "\n" * 999_000 + "x\n", True),
    "another file": ("".join(f"a{n}\n" for n in range(100_000)), "".join(f"b{n}\n" for n in range(100_000)), True),
    "every second line": ("".join(f"a{n}\n\n" for n in range(9_000)), "".join(f"b{n}\n\n" for n in range(9_000)), True),
    "turned round": (lines(range(9_000)), lines(reversed(range(9_000))), False),
    "by chance of few": ("".join(DRAW.choices("abc\n", k=60_000)), "".join(DRAW.choices("abc\n", k=60_000)), False),
    "by chance of many": (lines(DRAW.choices(range(99), k=9_000)), lines(DRAW.choices(range(99), k=9_000)), False),
    "a period": (lines(n % 100 for n in range(9_000)), lines(n * 7 % 100 for n in range(9_000)), False),
}  # fmt: skip


@pytest.mark.parametrize("kind", HUGE)
def test_huge_texts_end_quickly(kind: str) -> None:
    before, after, is_compared = HUGE[kind]
    begun = time.process_time()
    found = compared(before, after, "x")
    assert time.process_time() - begun < 8, "seconds, ten times what it takes"
    assert (found.text is not None) == is_compared
    if found.added is not None and found.removed is not None:
        assert found.added - found.removed == after.count("\n") - before.count("\n")


def test_as_many_edits_as_are_looked_for() -> None:
    """Lines that are in both count; those of one side alone cost nothing."""
    for moved, is_compared in ((MOST_EDITS // 2, True), (MOST_EDITS // 2 + 1, False)):
        ours, same = [f"{n}\n" for n in range(moved)], [f"s{n}\n" for n in range(3 * moved)]
        own = "".join(f"only {n}\n" for n in range(5000))
        found = compared("".join([*ours, *same]) + own, "".join([*same, *ours]), "x")
        assert found.added == (moved if is_compared else None)
        assert found.removed == (moved + 5000 if is_compared else None)
