"""Questions about influence, as they are asked: of the lake, of a list of links, from the command line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from coevo_pipelines.cli import main
from coevo_pipelines.influence.asked import UnknownWork, compare_days, explain_day, explain_list, nearest
from coevo_pipelines.influence.edgelist import EdgeListError
from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines_tests.citations.test_graph import DAY
from coevo_pipelines_tests.influence.worlds import cites, link, node, put_graph, score, settings_with, stub
from coevo_pipelines_tests.runs import DAYS


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def coevo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ran]:
    """The command in this process, from its entry point on, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["coevo", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return Ran(int(exit_.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two days of a few papers and accounts. On the second a DOI proves to be a paper, and a link is new. Read only."""
    lake = Lake(tmp_path_factory.mktemp("asked") / "lake")
    nodes = [
        node("arxiv:1", -400, title="On ants"), node("doi:10.1/x", -300), stub("arxiv:9", -200),
        node("github:o/1", owner="github:o"), node("github:p/1", owner="github:p"),
    ]  # fmt: skip
    links = [*cites("doi:10.1/x>arxiv:1 github:o/1>doi:10.1/x"), link("doi:10.1/x", "github:o/1", "mentions")]
    numbers = put_graph(lake, 0, nodes, [*links, link("github:o/1", "arxiv:9")])
    score(lake, 0)
    put_graph(
        lake, 1, [node("arxiv:2", 1, title="On bees")], [link("arxiv:2", "arxiv:1"), link("github:p/1", "arxiv:2")],
        aliases={"arxiv:8": "doi:10.1/x", "arxiv:9": "arxiv:1"}, numbered=numbers,
    )  # fmt: skip
    score(lake, 1)
    return lake


NEXT = DAY + timedelta(1)


class TestExplain:
    @pytest.mark.parametrize("guarded", [False, True])
    def test_links_and_start_sum_to_the_published_influence(self, lake: Lake, guarded: bool) -> None:
        """Of every work; and so do all paths, there being no long circle."""
        published = lake.scan("influence.scores", on=NEXT).collect()
        column = "guarded_influence" if guarded else "influence"
        for name, value in published.select("node_id", column).iter_rows():
            answer = explain_day(lake.snapshot(), NEXT, name, load_settings(), guarded=guarded, paths=500)
            assert answer.influence == pytest.approx(value, abs=1e-12)
            assert answer.started + sum(each.flow for each in answer.arrivals) == pytest.approx(value, abs=1e-12)
            assert answer.started + sum(path.flow for path in answer.paths) == pytest.approx(value, abs=1e-9)
            rank = 1 + int((published[column] > value).sum())
            assert (answer.rank, answer.works) == (rank, published.height)
            assert answer.context == f"as of {NEXT}, {'guarded' if guarded else 'open'} mode"

    @pytest.mark.parametrize("name", ["arxiv:1", "arxiv:9"])
    def test_under_any_of_its_names(self, lake: Lake, name: str) -> None:
        answer = explain_day(lake.snapshot(), NEXT, name, load_settings(), guarded=False, paths=3)
        assert (answer.id, answer.title) == ("arxiv:1", "On ants")
        assert answer.context.endswith("; arxiv:9 is this work") == (name == "arxiv:9")
        assert {(each.id, each.relation) for each in answer.arrivals} == {
            ("doi:10.1/x", "cites"), ("arxiv:2", "cites"), ("github:o/1", "cites"),
        }  # fmt: skip
        assert [each.flow for each in answer.arrivals] == sorted((e.flow for e in answer.arrivals), reverse=True)
        assert answer.paths[0].text in {"arxiv:2 -cites-> arxiv:1", "doi:10.1/x -cites-> arxiv:1"}
        assert len(answer.paths) == 3

    def test_as_of_the_day_before_the_name_was_a_work_of_its_own(self, lake: Lake) -> None:
        answer = explain_day(lake.snapshot(), DAY, "arxiv:9", load_settings(), guarded=False, paths=3)
        assert (answer.id, answer.title, answer.works) == ("arxiv:9", None, 5)
        with pytest.raises(UnknownWork, match="there is no work 'arxiv:2' as of 2026-01-05"):
            explain_day(lake.snapshot(), DAY, "arxiv:2", load_settings(), guarded=False, paths=3)

    @pytest.mark.parametrize(
        ("asked", "meant"),
        [("arXiv:1", "arxiv:1"), ("doi:10.1/y", "doi:10.1/x"), ("githb:p/1", "github:p/1"), ("arxiv8", "arxiv:8")],
    )
    def test_an_unknown_work_is_answered_with_those_spelt_nearly_so(self, lake: Lake, asked: str, meant: str) -> None:
        with pytest.raises(UnknownWork) as caught:
            explain_day(lake.snapshot(), NEXT, asked, load_settings(), guarded=False, paths=3)
        assert str(caught.value).startswith(f"there is no work {asked!r} as of 2026-01-06; did you mean ")
        assert meant in str(caught.value)

    def test_nothing_is_near_to_nonsense(self, lake: Lake) -> None:
        for nonsense in ("", "?", "x" * 500, "ü\n"):
            with pytest.raises(UnknownWork) as caught:
                explain_day(lake.snapshot(), NEXT, nonsense, load_settings(), guarded=False, paths=3)
            assert "did you mean" not in str(caught.value)

    def test_nobody_has_a_voice(self, tmp_path: Path) -> None:
        lake = Lake(tmp_path / "lake")
        accounts = [node("github:o/1", owner="github:o"), node("hf:model/p/1", owner="hf:p")]
        put_graph(lake, 0, accounts, [link("github:o/1", "hf:model/p/1")])
        score(lake, 0)
        with pytest.raises(UnknownWork, match="nobody has a voice in guarded mode"):
            explain_day(lake.snapshot(), DAY, "github:o/1", load_settings(), guarded=True, paths=3)
        assert explain_day(lake.snapshot(), DAY, "github:o/1", load_settings(), guarded=False, paths=0).paths == []

    def test_it_goes_by_the_settings_in_force(self, lake: Lake) -> None:
        answer = explain_day(lake.snapshot(), NEXT, "arxiv:1", settings_with(damping=0), guarded=False, paths=3)
        assert answer.started == answer.influence
        assert sum(each.flow for each in answer.arrivals) == 0


def test_the_near_ones_of_very_many_are_found_soon() -> None:
    """They share their beginnings and ends with thousands of others."""
    ids = pl.Series("id", [f"arxiv:{month}.{paper:05}" for month in range(1300, 1500) for paper in range(500)])
    started = time.perf_counter()
    for asked in ("arxiv:1306.0O258", "rxiv:1306.00258", "arxiv:1306.002588", "1306.00258", "ARXIV:1306.00258"):
        assert "arxiv:1306.00258" in nearest(asked, ids)
    assert time.perf_counter() - started < 10


PLAIN: dict[str, Any] = {
    "damping": 0.5, "tau_years": 2.6, "uniform": True, "relation_weight": RELATION_WEIGHT, "paths": 5,
}  # fmt: skip


class TestList:
    """A list of links of one's own."""

    def asked(self, folder: Path, text: str, work: str, **more: Any) -> Any:
        (folder / "links.csv").write_text(text)
        return explain_list(work, folder / "links.csv", more.pop("nodes", None), **{**PLAIN, **more})

    def test_the_known_answer(self, tmp_path: Path) -> None:
        """M derives from B, is trained on D, cites P, depends on L; B and L cite P: P has 71 of 213."""
        rows = "M,B,derives_from\nM,D,trained_on\nM,P,cites\nM,L,depends_on\nB,P,cites\nL,P,cites\n"
        answer = self.asked(tmp_path, "source,target,relation\n" + rows, "P")
        assert answer.influence == pytest.approx(71 / 213)
        assert (answer.rank, answer.works, answer.title) == (1, 5, None)
        assert [(each.id, each.flow) for each in answer.arrivals] == [
            ("B", pytest.approx(19 / 213)), ("L", pytest.approx(18 / 213)), ("M", pytest.approx(2 / 213)),
        ]  # fmt: skip
        assert answer.share(answer.started) == "45.1 %"
        paths = {path.text: path.flow for path in answer.paths}
        assert paths["B -cites-> P"] == pytest.approx(16 / 213)
        assert paths["M -derives_from-> B -cites-> P"] == pytest.approx(3 / 213)
        assert len(paths) == 5

    def test_numbers_and_alike_works_share_a_rank(self, tmp_path: Path) -> None:
        text = "source,target\n" + "".join(f"{user},{used}\n" for user in range(10, 40) for used in (1, 2, 3))
        for work in ("1", "2", "3"):
            answer = self.asked(tmp_path, text, work)
            assert (answer.id, answer.rank) == (work, 1)
        assert self.asked(tmp_path, text, "25").rank == 4

    def test_alike_but_for_noise_is_alike(self, tmp_path: Path) -> None:
        """A and B are used by works that use 2, 3, 6 and 10 others each, but floats are added in another order."""
        text = "source,target\n"
        for used, order in (("A", (2, 3, 6, 10)), ("B", (10, 6, 3, 2))):
            for place, others in enumerate(order):
                text += f"{used}{place},{used}\n"
                text += "".join(f"{used}{place},{used}{place}-{n}\n" for n in range(others))
        found = [self.asked(tmp_path, text, work) for work in "AB"]
        assert found[0].influence == pytest.approx(found[1].influence, rel=1e-12)
        assert [each.rank for each in found] == [1, 1]

    def test_unknown(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownWork, match=r"there is no work 'work-1x' in .*links.csv; did you mean work-1 or"):
            self.asked(tmp_path, "source,target\nwork-1,work-2\n", "work-1x")

    def test_a_number_that_is_no_work(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownWork, match="there is no work '5' in"):
            self.asked(tmp_path, "source,target\n9,1\n", "5")


class TestCompare:
    def test_what_changed_in_the_lake(self, lake: Lake) -> None:
        found = compare_days(lake.snapshot(), DAY, NEXT, "influence", "duckdb")
        assert found.renamed == {"arxiv:9": "arxiv:1"}
        assert found.new_links.select("source", "target").rows() == [("arxiv:2", "arxiv:1"), ("github:p/1", "arxiv:2")]
        assert found.lost_links.height == 0
        assert found.scores["node_id"].n_unique() == found.scores.height == 5
        before = dict(lake.scan("influence.scores", on=DAY).select("node_id", "influence").collect().iter_rows())
        row = found.scores.row(by_predicate=pl.col("node_id") == "arxiv:1", named=True)
        assert row["before"] == pytest.approx(before["arxiv:1"] + before["arxiv:9"], abs=1e-15)
        size = found.scores["change"].abs()
        assert size.to_list() == size.sort(descending=True).to_list()

    def test_the_sample_from_day_to_day_says_what_its_tables_say(self, sample: Settings) -> None:
        snapshot = Lake(sample.lake_root).snapshot()
        found = compare_days(snapshot, DAYS[1], DAYS[2], "influence", "duckdb")
        listed = snapshot.scan("influence.chambers", on=DAYS[2]).collect()
        columns = ("chamber_id", "event", "origins", "size")
        assert found.chambers.rows() == listed.sort("chamber_id").select(columns).rows()
        new = snapshot.scan("citations.edges", on=DAYS[2]).collect()
        assert set(new.select("source", "target", "relation").rows()) == set(
            found.new_links.select("source", "target", "relation").rows()
        )

    def test_a_column_that_is_no_score(self, lake: Lake) -> None:
        with pytest.raises(EdgeListError, match="--score field: there is no such score; there are influence, inflow"):
            compare_days(lake.snapshot(), DAY, NEXT, "field", "duckdb")


class TestCommands:
    def test_explain_for_a_person(self, coevo: Callable[..., Ran], lake: Lake) -> None:
        ran = coevo("influence", "explain", "arxiv:9", "--lake", lake.root)
        assert (ran.code, ran.err) == (0, "")
        lines = ran.out.splitlines()
        assert lines[:2] == ["arxiv:1  On ants", "as of 2026-01-06, open mode; arxiv:9 is this work"]
        assert "rank 1 of 5" in lines[2]
        assert "come over 3 links" in lines[2]
        assert "-cites-> arxiv:1" in ran.out

    def test_explain_for_a_script(self, coevo: Callable[..., Ran], lake: Lake) -> None:
        arguments = ("influence", "explain", "github:o/1", "--date", DAY, "--mode", "guarded", "--json")
        told = json.loads(coevo(*arguments, "--lake", lake.root).out)
        published = dict(
            lake.scan("influence.scores", on=DAY).select("node_id", "guarded_influence").collect().iter_rows()
        )
        assert told["influence"] == pytest.approx(published["github:o/1"], abs=1e-12)
        assert told["started"] == 0, "no work that arXiv lists uses it yet"
        assert [each["id"] for each in told["arrivals"]] == ["doi:10.1/x"]
        later = json.loads(coevo(*arguments[:4], NEXT, *arguments[5:], "--lake", lake.root).out)
        assert later["started"] > 0, "the work that names it proved to be arxiv:8"

    def test_explain_a_list(self, coevo: Callable[..., Ran]) -> None:
        Path("links.csv").write_text("source,target\nB,A\nC,A\n")
        ran = coevo("influence", "explain", "A", "--edges", "links.csv", "--uniform", "--damping", ".85", "--json")
        assert json.loads(ran.out)["influence"] == pytest.approx(2.7 / 4.7)

    def test_compare_for_a_person(self, coevo: Callable[..., Ran], lake: Lake) -> None:
        ran = coevo("influence", "compare", DAY, NEXT, "--lake", lake.root, "--limit", 1)
        assert (ran.code, ran.err) == (0, "")
        assert "influence: 5 of 5 works moved; 1 are new, 0 are gone" in ran.out
        assert "  arxiv:9 is now arxiv:1" in ran.out
        assert "2 new links\n  arxiv:2 cites arxiv:1\n0 lost links\n" in ran.out

    @pytest.mark.parametrize("score_", ["influence", "in_degree", "cd_index", "rescaled_influence", "guarded_inflow"])
    def test_compare_for_a_script(self, coevo: Callable[..., Ran], lake: Lake, score_: str) -> None:
        arguments = ("influence", "compare", DAY, NEXT, "--score", score_, "--lake", lake.root)
        told = json.loads(coevo(*arguments, "--json").out)
        assert set(told) == {
            "scores", "appeared", "gone", "renamed", "new_links", "lost_links", "chambers", "ended",
        }  # fmt: skip
        assert (told["appeared"], told["gone"]) == (1, 0)
        assert {row["node_id"] for row in told["scores"]} == {
            "arxiv:1", "arxiv:2", "doi:10.1/x", "github:o/1", "github:p/1",
        }  # fmt: skip
        assert coevo(*arguments).code == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("compare", NEXT, DAY), "2026-01-06 is not before 2026-01-05: give the earlier day first"),
            (("compare", DAY, DAY), "2026-01-05 is not before 2026-01-05: give the earlier day first"),
            (("compare", DAY, "2026-01-09"), "no scores of 2026-01-09; there are from 2026-01-05 to 2026-01-06"),
            (("compare", "tomorrow", DAY), "'tomorrow' is not a date: write it as YYYY-MM-DD"),
            (("compare", DAY, NEXT, "--score", "fame"), "--score fame: there is no such score; there are influence,"),
            (("compare", DAY, NEXT, "--score", "node_id"), "--score node_id: there is no such score"),
            (("explain", "arxiv:1", "--date", "2026-01-09"), "there are no scores of 2026-01-09"),
            (("explain", "arxiv:7"), "there is no work 'arxiv:7' as of 2026-01-06; did you mean arxiv:"),
            (("explain", "A", "--edges", "no.csv"), "no.csv"),
            (("explain", "A", "--edges", "no.csv", "--date", DAY), "--date and --mode are about the lake"),
            (("explain", "A", "--edges", "no.csv", "--mode", "guarded"), "--date and --mode are about the lake"),
            (("explain", "A", "--edges", "no.csv", "--damping", "1"), "--damping is 1.0"),
        ],
        ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
    )  # fmt: skip
    def test_wrong_use_is_one_line_and_exit_code_2(
        self, coevo: Callable[..., Ran], lake: Lake, arguments: tuple[object, ...], message: str
    ) -> None:
        ran = coevo("influence", *arguments, "--lake", lake.root)
        assert ran.code == 2, ran
        assert ran.err.startswith("error: ")
        assert message in ran.err
        assert len(ran.err.splitlines()) == 1
        assert ran.out == ""

    @pytest.mark.parametrize("arguments", [("compare", DAY, NEXT), ("explain", "arxiv:1")], ids=str)
    def test_no_lake_and_a_lake_without_scores(self, coevo: Callable[..., Ran], arguments: tuple[object, ...]) -> None:
        none = coevo("influence", *arguments, "--lake", "nowhere")
        assert (none.code, "is not a lake (it has no ledger); run `coevo run` first" in none.err) == (2, True)
        assert not Path("nowhere").exists(), "asking must not make a lake"
        put_graph(Lake(Path("young")), 0, ["arxiv:1"])
        young = coevo("influence", *arguments, "--lake", "young")
        assert (young.code, "has no scores yet: `coevo run --date YYYY-MM-DD` makes them" in young.err) == (2, True)
