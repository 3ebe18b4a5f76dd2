"""The sample's hubs: marked as composed, whole, citing what there is, and served as of the day."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from importlib import resources
from typing import Any

import pytest
import requests

from coevo_pipelines.hubs.contents import Contents, read_contents
from coevo_pipelines.hubs.package import Package, Rules, read_descriptor
from coevo_pipelines.lake.schemas import HUB_KINDS
from coevo_pipelines.sample.hubs import DESCRIPTOR, packages, versions
from coevo_pipelines.sample.server import serve
from coevo_pipelines.sample.world import facts
from coevo_pipelines.scrapes.hubs import account
from coevo_pipelines.traces import identifiers
from coevo_pipelines_tests.runs import DAYS

LABEL = "COMPOSED for the sample: no such hub is at this place, and its numbers are made up."


@pytest.fixture(scope="module")
def known() -> list[tuple[Package, Contents]]:
    """Every version with its files; none has a problem."""
    found = []
    for name, _, folder in versions():
        package, problems = read_descriptor(folder.joinpath(DESCRIPTOR).read_bytes(), Rules())
        assert [each.line() for each in problems] == [], name
        assert package is not None
        assert package.name == name
        files: dict[str, bytes] = {each.name: each.read_bytes() for each in folder.iterdir()}
        contents = read_contents(package, files.get, Rules())
        assert [each.line() for each in contents.problems] == [], name
        found.append((package, contents))
    return found


def test_sixteen_hubs_of_all_kinds_marked_as_composed_and_small(known: list[tuple[Package, Contents]]) -> None:
    assert len({package.name for package, _ in known}) == 16
    assert {package.kind for package, _ in known} == set(HUB_KINDS)
    for package, _ in known:
        assert (package.description or "").startswith(LABEL)
        assert package.contact.startswith(f"https://{package.name}.hubs.invalid/")
        assert (account(package.contributors[0].path) or "").startswith("github:coevo-sample-")
    root = resources.files("coevo_pipelines.sample").joinpath("facts", "hubs")
    sizes = [len(file.read_bytes()) for hub in root.iterdir() for one in hub.iterdir() for file in one.iterdir()]
    assert sum(sizes) < 60_000


def test_what_they_cite_is_there(known: list[tuple[Package, Contents]]) -> None:
    papers = facts("papers")
    there = {package.hub_id for package, _ in known}
    there |= {f"doi:{paper['doi'].lower()}" for paper in papers if paper["doi"]}
    there |= {f"arxiv:{paper['arxiv_id']}" for paper in papers if paper["arxiv_id"]}
    there |= {f"github:{repository['full_name'].lower()}" for repository in facts("repositories")}
    born = {package.hub_id: package.since for package, _ in reversed(known)}
    kinds: Counter[str] = Counter()
    for package, _ in known:
        assert package.sources or package.name == "quiet-rooms"
        for source in package.sources:
            ((_, target),) = identifiers.in_text(source.path or "")
            assert target in there
            assert target not in born or born[target] <= package.created  # nobody knows what is to come
            kinds[target.partition(":")[0]] += 1
    assert set(kinds) == {"hub", "doi", "arxiv", "github"}
    assert kinds["hub"] >= 10


def test_one_private_home_one_file_of_places_and_one_picture(known: list[tuple[Package, Contents]]) -> None:
    assert [package.name for package, _ in known if package.is_private] == ["quiet-rooms"]
    formats = Counter(each["format"] for _, contents in known for each in contents.datasets)
    assert formats["geojson"] == 2  # two versions of one hub
    assert formats["image"] == 1


def test_practices_that_many_tried_and_that_few_did(known: list[tuple[Package, Contents]]) -> None:
    tried: dict[tuple[str, str], set[str]] = {}
    for package, contents in known:
        for row in contents.outcomes:
            tried.setdefault((row["practice"], row["quantity"]), set()).add(package.name)
            assert row["practice"] in package.practices
            assert all(row[name] for name in ("sd_before", "sd_after", "n_before", "n_after"))
    assert len(tried["cover crops", "soil_organic_carbon"]) >= 5
    assert len(tried["compost", "soil_organic_carbon"]) >= 5
    assert len(tried["mulch", "water_use"]) == 2


def test_the_packages_are_such_by_the_standards_own_library() -> None:
    from frictionless import Resource, validate

    count = 0
    for _, _, folder in versions():
        described = json.loads(folder.joinpath(DESCRIPTOR).read_bytes())
        for each in described["resources"]:
            if not each["path"].endswith(".csv"):
                continue
            descriptor = {name: each[name] for name in ("name", "path", "schema")}
            with resources.as_file(folder) as place:
                report = validate(Resource.from_descriptor({**descriptor, "type": "table"}, basepath=str(place)))
            assert report.valid, (described["name"], report.flatten(["note"]))
            count += 1
    assert count >= 40


# --- the server -------------------------------------------------------------------------------------------


@pytest.fixture
def get() -> Iterator[Callable[[date, str], requests.Response]]:
    with requests.Session() as session:
        session.trust_env = False

        def asked(day: date, path: str) -> requests.Response:
            with serve(day) as root:
                return session.get(f"{root}/hubs{path}", timeout=10)

        yield asked


@pytest.mark.parametrize(("day", "count"), [(date(2018, 9, 29), 0), (DAYS[0], 13), (DAYS[1], 14), (DAYS[2], 16)])
def test_a_package_is_there_from_its_day_on(get: Any, day: date, count: int) -> None:
    index = get(day, "/index.json").json()
    assert len(index["packages"]) == len(packages(day)) == count
    for each in index["packages"]:
        assert each.endswith(f"/{DESCRIPTOR}")


def test_a_new_version_takes_the_place_of_the_one_before(get: Any) -> None:
    versions_by_day = [get(day, "/elbe-garden/datapackage.json").json()["version"] for day in DAYS]
    assert versions_by_day == ["1.0.0", "1.0.0", "1.1.0"]
    lines = [len(get(day, "/elbe-garden/soil.csv").text.splitlines()) for day in DAYS[1:]]
    assert lines == [4, 5]


@pytest.mark.parametrize(
    "path",
    [
        "/", "/elbe-garden", "/elbe-garden/", "/elbe-garden/nothing.csv", "/nobody/datapackage.json",
        "/open-house/datapackage.json", "/elbe-garden/../../papers.json", "/elbe-garden/%2e%2e/1.1.0/soil.csv",
    ],
)  # fmt: skip
def test_what_is_not_there_is_404(get: Any, path: str) -> None:
    assert get(DAYS[0], path).status_code == 404
