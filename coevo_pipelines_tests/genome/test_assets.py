"""The stage on a lake: the sample's days, remotes that change, vanish and fail, days made later and again."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.genome.assets import CHANGES, ECOSYSTEM, FILES, MANIFEST, REPOSITORIES, TABLES, compute, gather
from coevo_pipelines.genome.assets import compare as compare_days
from coevo_pipelines.genome.day import root_of
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import compute_and_commit, stale_days
from coevo_pipelines.settings import Genome, Settings, load_settings
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, commit, flip, make
from coevo_pipelines_tests.runs import DAYS, coevo, derived_digests

DAY = 86_400
ONE = timedelta(days=1)


def rows(lake: Lake, table: str, day: date) -> list[dict[str, Any]]:
    return lake.scan(table, on=day).drop("date").collect().to_dicts()


def settings_for(root: Path, *repositories: Path | str, **genome: Any) -> Settings:
    return load_settings(lake=root, genome=Genome(repositories=tuple(map(str, repositories)), **genome))


def make_day(settings: Settings, day: date) -> Lake:
    """The stage's tables of a day, as its assets make them."""
    lake = Lake(settings.lake_root)
    compute_and_commit(lake, (ECOSYSTEM,), day, partial(gather, settings))
    compute_and_commit(lake, TABLES, day, partial(compute, settings))
    compute_and_commit(lake, (CHANGES,), day, partial(compare_days, settings))
    return lake


class TestSample:
    def test_every_day_leads_to_its_root(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        roots = []
        for day in DAYS:
            (manifest,) = rows(lake, MANIFEST, day)
            files = lake.scan(FILES, on=day).drop("date").collect()
            assert root_of(files) == manifest["root"]
            assert (files.height, files["text"].count()) == (manifest["files"], manifest["packed"])
            assert files["text"].str.len_bytes().sum() == manifest["text_bytes"]
            assert (sample.lake_root / manifest["pack"]).stat().st_size == manifest["pack_bytes"]
            roots.append(manifest["root"])
        assert len(set(roots)) == 3

    def test_what_changed_is_what_the_sample_s_commits_changed(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        first, second, third = (rows(lake, CHANGES, day) for day in DAYS)
        assert {row["change"] for row in first} == {"added"}
        assert [(row["change"], row["path"]) for row in second] == [
            ("added", "notes/2019-03-26.md"), ("removed", "run.sh"),
        ]  # fmt: skip
        ((changed),) = third
        assert (changed["change"], changed["path"], changed["lines_added"]) == ("changed", "swarm/trails.py", 9)
        assert "+def weight(trails, edge, distance, alpha=1.0, beta=2.0):" in changed["diff"].splitlines()

    def test_what_has_no_commit_yet_is_left_out_and_named(self, sample: Settings) -> None:
        left_out = {
            row["repo"]: row["why"] for row in rows(Lake(sample.lake_root), REPOSITORIES, DAYS[0]) if row["why"]
        }
        assert left_out in ({}, {"coevo_pipelines": "no commit before 2019-03-26 (UTC)"})  # not a checkout, or one

    def test_there_is_a_page(self, sample: Settings) -> None:
        page = (sample.lake_root / f"report/snapshot/date={DAYS[-1]}/genome.html").read_text()
        (manifest,) = rows(Lake(sample.lake_root), MANIFEST, DAYS[-1])
        assert manifest["root"] in page
        assert "swarm/trails.py" in page

    def test_a_flipped_bit_of_pack_or_mirror_is_found_by_verify(self, sample: Settings, tmp_path: Path) -> None:
        root = tmp_path / "lake"
        shutil.copytree(sample.lake_root, root)
        (manifest,) = rows(Lake(root), MANIFEST, DAYS[-1])
        pack = root / manifest["pack"]
        flip(pack, 8 * pack.read_bytes().index(b"evaporate"))
        mirror = next(path for path in root.glob("genome/mirrors/*engine*.git/objects/pack/*.pack"))
        flip(mirror, 8 * (mirror.stat().st_size // 2))
        found = coevo("verify", "--lake", str(root))
        assert found.returncode == 1
        lines = found.stderr.splitlines()
        assert any("swarm/trails.py: the content was changed" in line for line in lines)
        assert any(line.startswith("sample/swarm-engine: mirror ") and "audit level" in line for line in lines)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A commit on each of the sample's days."""
    repo = make(tmp_path / "remote")
    parent: list[str] = []
    for number in range(3):
        files = {b"LICENSE": b"SPDX-License-Identifier: MIT\n", b"a.md": b"%d\n" % number}
        parent = [commit(repo, files, parent, FIRST_DATE + number * DAY)]
    return repo


def texts(lake: Lake, day: date) -> dict[str, str]:
    return {row["path"]: row["text"] for row in rows(lake, FILES, day)}


def test_each_day_has_what_was_there_at_its_end(remote: Path, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "lake", remote)
    for number, day in enumerate(DAYS):
        assert texts(make_day(settings, day), day)["a.md"] == f"{number}\n"


def test_days_in_any_order_have_the_same_bytes(remote: Path, tmp_path: Path) -> None:
    lakes = []
    for name, order in (("a", DAYS), ("b", tuple(reversed(DAYS)))):
        settings = settings_for(tmp_path / name, remote)
        for day in order:
            lake = make_day(settings, day)
        while stale := stale_days(lake, (CHANGES,)):
            compute_and_commit(lake, (CHANGES,), stale[0], partial(compare_days, settings))
        lakes.append(derived_digests(tmp_path / name))
    assert lakes[0] == lakes[1]
    assert len(lakes[0]) == 18


def test_a_day_made_again_after_later_ones_is_the_same(remote: Path, tmp_path: Path) -> None:
    """A pack of the later day holds every repository of the earlier one, some of them at another commit."""
    still = make(tmp_path / "still")
    commit(still, {b"s.md": b"still\n"})
    settings = settings_for(tmp_path / "lake", still, remote)
    make_day(settings, DAYS[0])
    before = derived_digests(tmp_path / "lake")
    make_day(settings, DAYS[1])
    make_day(settings, DAYS[0])
    after = derived_digests(tmp_path / "lake")
    assert {path: digest for path, digest in after.items() if str(DAYS[0]) in path} == before


def test_a_damaged_mirror_is_told_and_made_anew(remote: Path, tmp_path: Path) -> None:
    """The damage is in what no fetch reads: only the audit finds it."""
    settings = settings_for(tmp_path / "lake", remote.as_uri())
    make_day(settings, DAYS[0])
    (pack,) = (tmp_path / "lake" / "genome" / "mirrors").glob("*.git/objects/pack/*.pack")
    flip(pack, 8 * (pack.stat().st_size - 40))
    lake = make_day(settings, DAYS[1])
    (row,) = rows(lake, REPOSITORIES, DAYS[1])
    assert row["status"] == "left_out"
    assert any(each["status"] == "failed" for each in rows(lake, "genome.audits", DAYS[1]))
    lake = make_day(settings, DAYS[2])
    (row,) = rows(lake, REPOSITORIES, DAYS[2])
    assert (row["status"], row["why"]) == ("packed", None)
    lake = make_day(settings, DAYS[1])
    assert texts(lake, DAYS[1])["a.md"] == "1\n"


def test_a_remote_that_vanishes_stays_as_its_mirror_has_it(remote: Path, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "lake", remote.as_uri())
    make_day(settings, DAYS[0])
    shutil.rmtree(remote)
    lake = make_day(settings, DAYS[1])
    (row,) = rows(lake, ECOSYSTEM, DAYS[1])
    assert (row["status"], row["error"] is None) == ("gone", False)
    assert texts(lake, DAYS[1])["a.md"] == "1\n"
    present = lake.committed(ECOSYSTEM, DAYS[1])
    assert present is not None and present.complete


def test_a_remote_that_fails_leaves_the_day_incomplete_until_it_answers(remote: Path, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "lake", remote, "late=http://127.0.0.1:1/late.git")
    lake = make_day(settings, DAYS[0])
    incomplete = lake.committed(ECOSYSTEM, DAYS[0])
    assert incomplete is not None
    assert (incomplete.complete, incomplete.note) == (False, "not fetched: late")
    manifest = lake.committed(MANIFEST, DAYS[0])
    assert manifest is not None and not manifest.complete  # and so no later stage takes it for whole
    whys = {row["repo"]: row["why"] for row in rows(lake, REPOSITORIES, DAYS[0])}
    assert whys["remote"] is None and "failed: http://127.0.0.1:1/late.git" in whys["late"]
    lake = make_day(settings_for(tmp_path / "lake", remote, f"late={remote}"), DAYS[0])
    complete = lake.committed(ECOSYSTEM, DAYS[0])
    assert complete is not None and complete.complete


def test_a_day_without_the_day_before_has_no_changes(remote: Path, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "lake", remote)
    lake = make_day(settings, DAYS[2])
    assert rows(lake, CHANGES, DAYS[2]) == []
    make_day(settings, DAYS[1])
    assert stale_days(lake, (CHANGES,)) == [DAYS[2]]
    lake = make_day(settings, DAYS[2])
    assert [row["path"] for row in rows(lake, CHANGES, DAYS[2])] == ["a.md"]


def test_no_repositories_are_no_rows(tmp_path: Path) -> None:
    lake = make_day(settings_for(tmp_path / "lake"), DAYS[0])
    assert [rows(lake, table, DAYS[0]) for table in (ECOSYSTEM, *TABLES, CHANGES)] == [[]] * 6


def test_an_ecosystem_is_found_in_the_works(sample: Settings) -> None:
    """Owners, topics and influence out of the sample's tables."""
    from coevo_pipelines.genome import ecosystem

    snapshot = Lake(sample.lake_root).snapshot()
    works = ecosystem.repositories(snapshot.scan("traces.works", upto=DAYS[-1]))
    by_owner = list(ecosystem.of_owners(works, ["NiaOrg"]))
    assert [(each.source.name, each.by, each.place) for each in by_owner] == [("niaorg/niapy", "owner", "NiaOrg")]
    topics = list(ecosystem.of_topics(works, ["cuckoo-search"]))
    assert "alirezaafzalaghaei/coa" in {each.source.name for each in topics}
    scores = snapshot.scan("influence.scores", on=DAYS[-1]).collect()
    best = list(ecosystem.most_influential(works, scores, 3, "swarm-intelligence"))
    joined = works.join(scores, left_on="work_id", right_on="node_id").sort("guarded_influence", descending=True)
    assert [f"github:{each.source.name}" for each in best] == joined["work_id"].to_list()[:3]
