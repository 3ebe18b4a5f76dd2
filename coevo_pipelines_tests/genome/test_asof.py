"""The commit of a day: the first-parent line, and dates that go back and forth on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome import asof
from coevo_pipelines.genome.git import Git, GitError, Objects
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, commit, commit_tree, git, make, nested, raw

DAY = 86_400


def line(repo: Path, dates: list[int]) -> list[str]:
    """A line of commits with these committer dates, as refs/heads/main."""
    made: list[str] = []
    tree = nested(repo, {b"a": b"a"})
    for seconds in dates:
        made.append(commit_tree(repo, tree, made[-1:], seconds, "refs/heads/main"))
    return made


def at(repo: Path, seconds: int) -> str | None:
    found = asof.commit_at(Git(repo), "main", datetime.fromtimestamp(seconds, UTC))
    return found.oid if found else None


def test_the_last_commit_before_the_end(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    first, second, third = line(repo, [FIRST_DATE, FIRST_DATE + DAY, FIRST_DATE + 2 * DAY])
    assert at(repo, FIRST_DATE) is None  # before the end, not at it
    assert at(repo, FIRST_DATE + 1) == first
    assert at(repo, FIRST_DATE + DAY) == first
    assert at(repo, FIRST_DATE + DAY + 1) == second
    assert at(repo, FIRST_DATE + 99 * DAY) == third


def test_a_merged_branch_counts_when_it_was_merged(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    base = commit(repo, {b"a": b"1"}, seconds=FIRST_DATE)
    side = commit(repo, {b"a": b"1", b"b": b"2"}, [base], FIRST_DATE + DAY, ref=None)
    merge = commit(repo, {b"a": b"1", b"b": b"2"}, [base, side], FIRST_DATE + 3 * DAY)
    assert at(repo, FIRST_DATE + 2 * DAY) == base
    assert at(repo, FIRST_DATE + 4 * DAY) == merge


def test_a_clock_ahead_is_passed_over_what_was_built_on_it_is_not(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    first, ahead, third = line(repo, [FIRST_DATE, FIRST_DATE + 50 * DAY, FIRST_DATE + 2 * DAY])
    assert at(repo, FIRST_DATE + DAY) == first
    assert at(repo, FIRST_DATE + 3 * DAY) == third
    git(repo, "update-ref", "refs/heads/main", ahead)
    assert at(repo, FIRST_DATE + 3 * DAY) == first
    assert at(repo, FIRST_DATE + 51 * DAY) == ahead


def test_a_clock_behind_is_taken_from_its_date_on(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    *_, behind = line(repo, [FIRST_DATE, FIRST_DATE + 5 * DAY, FIRST_DATE + DAY])
    assert at(repo, FIRST_DATE + 2 * DAY) == behind


@settings(max_examples=15, deadline=None)
@given(dates=st.lists(st.integers(0, 12), min_size=1, max_size=7), ends=st.lists(st.integers(0, 13), max_size=6))
def test_the_rule_and_that_a_later_end_is_never_older(
    tmp_path_factory: pytest.TempPathFactory, dates: list[int], ends: list[int]
) -> None:
    repo = make(tmp_path_factory.mktemp("asof") / "r.git")
    made = line(repo, [FIRST_DATE + seconds for seconds in dates])
    positions = []
    for end in sorted(ends):
        expected = max((place for place, seconds in enumerate(dates) if seconds < end), default=-1)
        assert at(repo, FIRST_DATE + end) == (made[expected] if expected >= 0 else None)
        positions.append(expected)
    assert positions == sorted(positions)


def test_zones_are_instants(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    (only,) = line(repo, [FIRST_DATE])
    east = timezone(timedelta(hours=9))
    end = datetime(2019, 3, 25, 9, 0, 1, tzinfo=east)
    found = asof.commit_at(Git(repo), "main", end)
    assert found is not None
    assert found.oid == only
    assert asof.commit_at(Git(repo), "main", end - timedelta(seconds=1)) is None
    with pytest.raises(ValueError, match="time zone"):
        asof.commit_at(Git(repo), "main", datetime(2019, 3, 25))  # noqa: DTZ001


def test_a_ref_that_leads_nowhere(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    with pytest.raises(GitError, match="'main' is no commit here"):
        at(repo, FIRST_DATE)
    line(repo, [FIRST_DATE])
    with pytest.raises(GitError, match="'--all' is no commit"):
        asof.commit_at(Git(repo), "--all", datetime.now(UTC))


def test_a_date_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    (first,) = line(repo, [FIRST_DATE])
    tree = git(repo, "rev-parse", f"{first}^{{tree}}")
    data = f"tree {tree}\nparent {first}\nauthor A <a@b> sometime\ncommitter A <a@b> sometime\n\nx\n".encode()
    odd = raw(repo, "commit", data)
    git(repo, "update-ref", "refs/heads/main", odd)
    assert at(repo, FIRST_DATE + DAY) == first
    with Objects(repo) as objects:
        assert asof.read(objects, odd).committer is None


def test_a_commit_as_stored(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    tree = nested(repo, {b"a": b"a"})
    parents = [commit_tree(repo, tree, seconds=FIRST_DATE + number) for number in range(3)]
    data = (
        f"tree {tree}\n{''.join(f'parent {parent}' + chr(10) for parent in parents)}".encode()
        + b"author J\xfcrgen <> -1 +0530\ncommitter  <c@example.org> 4102444800 -0700\n"
        b"encoding ISO-8859-1\ngpgsig -----BEGIN\n committer no <no> 1 +0000\n -----END\n\nGr\xfc\xdfe\n\ntree no\n"
    )
    with Objects(repo) as objects:
        found = asof.read(objects, raw(repo, "commit", data))
    assert found.tree == tree
    assert found.parents == tuple(parents)
    assert found.author == asof.Stamp(b"J\xfcrgen <>", -1, "+0530")
    assert found.committer is not None
    assert found.committer.when == datetime(2100, 1, 1, tzinfo=UTC)
    assert (found.encoding, found.message) == ("ISO-8859-1", b"Gr\xfc\xdfe\n\ntree no\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"parent " + b"1" * 40,
        b"tree 123\n",
        b"tree " + b"g" * 40,
        b"tree " + b"1" * 40 + b"\nparent x",
    ],
)
def test_what_is_no_commit(data: bytes) -> None:
    with pytest.raises(asof.CommitError, match="commit 0000"):
        asof.parse(data, "0" * 40)


def test_a_tag_is_followed_a_tree_is_no_commit(tmp_path: Path) -> None:
    repo = make(tmp_path / "r.git")
    (only,) = line(repo, [FIRST_DATE])
    git(repo, "tag", "-a", "v1", "-m", "one", only)
    found = asof.commit_at(Git(repo), "v1", datetime.now(UTC))
    assert found is not None
    assert found.oid == only
    tree = git(repo, "rev-parse", "main^{tree}")
    with Objects(repo) as objects, pytest.raises(asof.CommitError, match="is a tree"):
        asof.read(objects, tree)
