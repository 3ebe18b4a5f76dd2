"""Documents of a day and their works: whose they are, what they are licensed under, who asked to be left out."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.corpora.candidates import UNTOLD, Known, candidates, works_of
from coevo_pipelines.lake import schemas

DAY = date(2026, 1, 2)
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
NOTHING: dict[Any, Any] = {
    pl.String: "x", pl.Int64: 0, pl.Float64: 0.0, pl.Boolean: False, pl.Datetime("us", "UTC"): MOMENT,
    pl.List(pl.String): [],
}  # fmt: skip
Row = dict[str, Any]


def frame(name: str, *rows: Row, dated: bool = True) -> pl.DataFrame:
    """Rows of a table, with something for each column that is not given."""
    columns = schemas.table(name).columns
    types: dict[str, Any] = {**schemas.table(name).polars_schema()}
    empty = {each.name: None if each.nullable else NOTHING[types[each.name]] for each in columns}
    given = [({"date": DAY} if dated else {}) | empty | row for row in rows]
    return pl.DataFrame(given, schema=({"date": pl.Date} if dated else {}) | types)


def known(**rows: list[Row]) -> Known:
    """A day with these rows; `aliases`: rows of id and canonical."""

    def of(name: str, dated: bool = False) -> pl.DataFrame:
        return frame(name, *rows.get(name.partition(".")[2], []), dated=dated)

    return Known(
        day=DAY,
        files=of("genome.files").lazy(),
        earlier=frame("genome.files", *rows["earlier"]).lazy() if "earlier" in rows else None,
        repositories=of("genome.repositories", dated=True),
        ecosystem=of("genome.ecosystem"),
        texts=of("traces.texts", dated=True).lazy(),
        works=of("traces.works", dated=True).lazy(),
        people=of("traces.people", dated=True).lazy(),
        aliases=pl.DataFrame(rows.get("aliases", []), schema={"id": pl.String, "canonical": pl.String}),
        scores=of("influence.scores"),
        lattice=of("influence.lattice"),
        claims=of("traces.claims"),
        optouts=of("traces.optouts"),
    )


def text(said: str) -> Row:
    return {"text": said, "text_sha256": hashlib.sha256(said.encode()).hexdigest()}


GENOME: dict[str, list[Row]] = {
    "ecosystem": [
        {"repo": "Ada/X", "url": "https://github.com/Ada/X"},
        {"repo": "other", "url": "https://gitlab.com/ada/x"},
    ],
    "repositories": [{"repo": "Ada/X", "license": "MIT"}, {"repo": "other", "license": None}],
    "files": [{"repo": "Ada/X", "path": "a.py", **text("a")}, {"repo": "other", "path": "b.py", **text("b")}],
}
TRACED = {"work_id": "github:ada/x", "owner": "github:Ada", "status": "active"}


def out(given: Known) -> set[str]:
    found = candidates(given, works_of(given))
    return set(found.filter("opted_out")["doc_id"])


@pytest.mark.parametrize("traced", [[], [TRACED]], ids=["not in the traces", "in the traces"])
@pytest.mark.parametrize(
    ("scope", "subject"),
    [("work", "github:ada/x"), ("owner", "github:ada"), ("person", "github:ADA"), ("person", "orcid:1"),
     ("person", "person:ada")],
)  # fmt: skip
def test_an_opt_out_takes_the_files_of_a_repository_out(scope: str, subject: str, traced: list[Row]) -> None:
    claimed = [{"person_id": "person:ada", "subject": each, "proof": "seen"} for each in ("github:ada", "orcid:1")]
    day = known(**GENOME, works=traced, claims=claimed, optouts=[{"scope": scope, "subject": subject}])
    assert out(day) == {"Ada/X:a.py"}


def test_an_opt_out_under_an_old_name_holds_for_the_new_one() -> None:
    renamed = [{"id": "github:ada/x", "canonical": "github:ada/y"}]
    day = known(**GENOME, aliases=renamed, optouts=[{"scope": "work", "subject": "github:ada/x"}])
    assert out(day) == {"Ada/X:a.py"}


def test_opt_outs_are_those_of_their_works_however_many_there_are() -> None:
    traced = [{"work_id": f"github:o{n}/x", "owner": f"github:o{n}"} for n in range(3000)]
    scored = [{"node_id": f"github:o{n}/x", "influence": 0.1} for n in range(0, 3000, 7)]
    gone = [{"scope": "owner", "subject": f"github:o{n}"} for n in range(0, 3000, 11)]
    works = works_of(known(works=traced, scores=scored, optouts=gone))
    assert set(works.filter("opted_out")["owner"]) == {each["subject"] for each in gone}


ABSTRACT: list[Row] = [{"work_id": "arxiv:1", "kind": "abstract", "source": "arxiv", "text": "a"}]
SAME = [{"id": "arxiv:1", "canonical": "doi:1"}]


@pytest.mark.parametrize("status", ["withdrawn", "gone", "blocked", "private"])
def test_what_one_source_withdrew_or_shows_nobody_is_withdrawn(status: str) -> None:
    told: list[Row] = [
        {"work_id": "arxiv:1", "source": "arxiv", "status": status},
        {"work_id": "doi:1", "source": "openalex", "status": "active"},
    ]
    day = known(texts=ABSTRACT, works=told, aliases=SAME)
    assert candidates(day, works_of(day))["status"].to_list() == ["withdrawn"]
    back = [*told, {"work_id": "arxiv:1", "source": "arxiv", "status": "active", "event_at": MOMENT.replace(hour=1)}]
    assert works_of(known(works=back, aliases=SAME))["status"].to_list() == ["active"]


def test_a_licence_that_the_source_no_longer_names_is_none() -> None:
    def said(*licenses: str | None) -> list[str | None]:
        told: list[Row] = [
            {"work_id": "github:a/b", "license": each, "date": date(2026, 1, n)} for n, each in enumerate(licenses, 1)
        ]
        return works_of(known(works=told))["source_license"].to_list()

    assert said("MIT", None) == [None]
    assert said(None, "MIT") == ["MIT"]


def test_a_version_has_an_id_that_no_file_has() -> None:
    before, name = date(2026, 1, 1), "a.py@2026-01-01"
    day = known(
        ecosystem=GENOME["ecosystem"],
        repositories=[{"repo": "Ada/X"}, {"repo": "Ada/X", "date": before}],
        files=[{"repo": "Ada/X", "path": "a.py", **text("new")}, {"repo": "Ada/X", "path": name, **text("c")}],
        earlier=[{"repo": "Ada/X", "path": "a.py", "date": before, **text("old")}],
    )
    found = candidates(day, works_of(day))
    assert set(found["text"]) == {"new", "c", "old"}
    assert found["doc_id"].is_unique().all()


def test_a_folder_keeps_the_licence_that_lies_in_it() -> None:
    licence = {"repo": "Ada/X", "licence_kind": "licence"}
    paths = ("a.py", "lib/b.py", "lib/deep/c.py", "lib/bsd/d.py", "both/e.py", "unsure/f.py", "libs/g.py")
    day = known(
        ecosystem=GENOME["ecosystem"],
        repositories=GENOME["repositories"],
        files=[
            licence | {"path": "LICENSE", "license": "MIT"},
            licence | {"path": "lib/COPYING", "license": "GPL-3.0-only"},
            licence | {"path": "lib/bsd/LICENSE", "license": "BSD-3-Clause"},
            licence | {"path": "both/LICENSE-A", "license": "MIT"},
            licence | {"path": "both/LICENSE-B", "license": "GPL-2.0-only OR MIT"},
            licence | {"path": "unsure/LICENSE", "license": None},
            {"repo": "Ada/X", "path": "lib/own.py", "license": "MIT", **text("own")},
            *({"repo": "Ada/X", "path": path, **text(path)} for path in paths),
        ],
    )
    found = candidates(day, works_of(day))
    assert {path: license_ for path, license_ in found.select("path", "license").iter_rows()} == {
        "a.py": "MIT",
        "lib/b.py": "GPL-3.0-only",
        "lib/deep/c.py": "GPL-3.0-only",
        "lib/bsd/d.py": "BSD-3-Clause",
        "lib/own.py": "MIT",
        "both/e.py": "(GPL-2.0-only OR MIT) AND (MIT)",
        "unsure/f.py": UNTOLD,
        "libs/g.py": "MIT",
    }


@pytest.mark.parametrize(
    ("url", "work", "owner"),
    [
        ("https://github.com/Ada/X.git", "github:ada/x", "github:ada"),
        ("https://huggingface.co/ada/m", "hf:model/ada/m", "hf:ada"),
        ("https://huggingface.co/datasets/ada/d", "hf:dataset/ada/d", "hf:ada"),
        ("https://huggingface.co/spaces/ada/s", "hf:space/ada/s", "hf:ada"),
        ("https://gitlab.com/ada/x", "git:X", None),
        ("https://github.com/ada/x/y", "git:X", None),
        ("/srv/x", "git:X", None),
    ],
)
def test_the_work_of_a_repository_is_told_by_its_address(url: str, work: str, owner: str | None) -> None:
    day = known(ecosystem=[{"repo": "X", "url": url}])
    assert works_of(day).select("work_id", "owner").rows() == [(work, owner)]
