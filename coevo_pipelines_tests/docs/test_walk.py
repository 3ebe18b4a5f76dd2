"""The notebook: it runs, its numbers are those of the tables, and the page that is made from it is current."""

from __future__ import annotations

import hashlib
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from coevo_pipelines.lake.catalog import CATALOG, build, open_catalog
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.reference import DOCS, NOTEBOOK, walk
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.docs.test_reference import RENEW
from coevo_pipelines_tests.runs import DAYS, environment

pytest.importorskip("marimo")


@pytest.fixture(scope="module")
def ran(sample: Settings) -> Any:
    """What the notebook defines, on the sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COEVO_LAKE", str(sample.lake_root))
        return runpy.run_path(str(NOTEBOOK))["app"].run()[1]


def _asked(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with open_catalog(settings.lake_root / CATALOG) as catalog:
        return catalog.execute(sql.replace("DAY", f"DATE '{DAYS[-1]}'")).fetchall()


def test_the_page_is_current(sample: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEVO_LAKE", str(sample.lake_root))
    pages = walk()
    for path, text in pages.items():
        place = DOCS / path
        assert place.is_file(), RENEW.format(path)
        if path.endswith(".md"):
            assert place.read_text(encoding="utf-8") == text, RENEW.format(path)
        else:  # lettering is measured with the machine's fonts; the page has the hash of what is drawn
            assert etree.fromstring(place.read_bytes()).tag == "{http://www.w3.org/2000/svg}svg"
    assert {each.name for each in (DOCS / "notebooks" / "walk").iterdir()} == {
        Path(path).name for path in pages if path.endswith(".svg")
    }


def test_it_runs_as_a_script(sample: Settings) -> None:
    done = subprocess.run(
        [sys.executable, str(NOTEBOOK)],
        env=environment(COEVO_LAKE=str(sample.lake_root)), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_new_works(ran: Any, sample: Settings) -> None:
    found = _asked(sample, "SELECT kind, event, work_id FROM traces.works WHERE date = DAY")
    counted: dict[tuple[str, str], set[str]] = {}
    for kind, event, work in found:
        counted.setdefault((kind, event), set()).add(work)
    assert {row[:2]: row[2] for row in ran["new_works"].rows()} == {key: len(works) for key, works in counted.items()}


def test_the_graph(ran: Any, sample: Settings) -> None:
    assert ran["nodes"]["nodes"].sum() == _asked(sample, "SELECT count(*) FROM citations.nodes_as_of(DAY)")[0][0]
    assert ran["edges"]["links"].sum() == _asked(sample, "SELECT count(*) FROM citations.edges_as_of(DAY)")[0][0]


def test_the_leading_works(ran: Any, sample: Settings) -> None:
    best = _asked(
        sample, "SELECT node_id FROM influence.scores WHERE date = DAY ORDER BY guarded_inflow DESC, node_id LIMIT 10"
    )
    assert [work for (work,) in best] == ran["leading"]["work"].to_list()
    first = best[0][0]
    linked = _asked(
        sample, f"SELECT in_degree, citations FROM influence.scores WHERE date = DAY AND node_id = '{first}'"
    )
    assert ran["reasons"].height == linked[0][0]
    assert ran["leading"]["citations"][0] == linked[0][1]


def test_a_reward(ran: Any, sample: Settings) -> None:
    person, amount = _asked(
        sample,
        "SELECT person_id, receipt FROM rewards.allocations WHERE date = DAY ORDER BY receipt DESC, person_id LIMIT 1",
    )[0]
    assert ran["chosen_person"].value == person
    assert ran["allocated"] == ran["parts"]["amount"].sum() == amount


def test_the_history(ran: Any, sample: Settings) -> None:
    work = ran["leading"]["work"][0]
    days = _asked(sample, f"SELECT date, guarded_inflow FROM influence.scores WHERE node_id = '{work}' ORDER BY date")
    assert ran["history"].filter(work=work).select("date", "guarded_inflow").rows() == days
    assert [day for day, _ in days] == list(DAYS)


def test_the_proof(ran: Any) -> None:
    assert hashlib.sha256(ran["body"]).hexdigest() == ran["link"]["raw_sha256"]
    assert ran["proof"].height == 5
    assert ran["proof"]["agrees"].all()
    assert ran["chained"]
    assert (ran["link"]["source"], ran["link"]["target"]) == (ran["part"]["via"], ran["part"]["work_id"])


def test_a_lake_without_a_day_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(Lake(tmp_path))
    monkeypatch.setenv("COEVO_LAKE", str(tmp_path))
    outputs, _ = runpy.run_path(str(NOTEBOOK))["app"].run()
    assert any("No day of this lake has scores yet" in getattr(each, "text", "") for each in outputs)
