"""The pages of a work, person, repository and chamber in the real browser, opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
import pytest

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.report import html, records
from coevo_pipelines.report.build import WEB, answers
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages import entities
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.asked import DAY, catalog_of
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED
from coevo_pipelines_tests.runs import DAYS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")

SAMPLE = (
    "work.html?id=doi:10.1109/nabic.2009.5393690", "work.html?id=github:ljvmiranda921/pyswarms",
    "work.html?id=pypi:numpy", "work.html", "person.html?id=person:sample-mirjalili",
    "person.html?id=doi:10.1109/nabic.2009.5393690%232", "person.html", "repository.html?id=sample/tools",
    "repository.html?id=github:niaorg/niapy", "repository.html", "chamber.html?id=2019-03-25-0001", "chamber.html",
)  # fmt: skip
LONG = f"{HOSTILE}{STACKED} {'long' * 125} \u0645\u0642\u0627\u0644\u0629"
WORKS = ("arxiv:one", "arxiv:two", "github:x/hostile")
ADDRESSES = ("work.html?id=arxiv:one", "work.html?id=github:x/hostile", "person.html?id=arxiv:one%231",
             "repository.html?id=github:x/hostile", "chamber.html?id=2026-11-20-0001")  # fmt: skip


def written(folder: Path, connection: duckdb.DuckDBPyConnection, day: date, days: tuple[date, ...]) -> Path:
    """The pages of the room and what they load, as a build writes them."""
    shutil.copytree(WEB, folder)
    connection.execute(f"SET VARIABLE day = DATE '{day}'")
    about = About(day, "sample", days)
    for page in entities.PAGES:
        body = page.body(answers(connection, page.queries), about)
        (folder / f"{page.name}.html").write_bytes(html.page(page, entities.PAGES, about, body))
    shards = {
        each.kind: records.write(folder, each.kind, each.records(answers(connection, each.queries), about), "made")
        for each in entities.RECORDS
    }
    records.script(folder / "data/about.js", "about", {"day": day, "days": days, "shards": shards}, "made")
    return folder


def hostile() -> duckdb.DuckDBPyConnection:
    """Every text that strangers write is hostile and long; `github:x/hostile` has 60 users."""
    users = [f"doi:user/{number}" for number in range(60)]
    every = [*WORKS, *users]
    edges = [("arxiv:one", "arxiv:two"), ("arxiv:two", "arxiv:one"), *((user, "github:x/hostile") for user in users)]
    connection = catalog_of({
        "traces.works": [
            {"work_id": each, "source": "arxiv", "kind": "repository" if each.startswith("github") else "paper",
             "title": LONG, "license": LONG, "owner": "github:x", "url": "javascript:alert(1)", "version": LONG,
             "fields": [LONG], "tags": [LONG, "x"], "topics": [LONG]} for each in every
        ],
        "citations.nodes": [{"node_id": each, "node": number} for number, each in enumerate(every)],
        "citations.edges": [
            {"source": a, "target": b, "relation": "depends_on", "evidence": LONG, "raw_sha256": "0" * 64}
            for a, b in edges
        ],
        "influence.scores": [{"node_id": each, "influence": 0.25, "field": LONG} for each in every],
        "influence.lattice": [{"node_id": each, "chamber_id": "2026-11-20-0001"} for each in every],
        "influence.chambers": [{"chamber_id": "2026-11-20-0001", "size": 63, "leading_terms": [LONG, "x"]}],
        "traces.people": [{"work_id": "arxiv:one", "source": "arxiv", "role": "author", "position": 1, "name": LONG}],
        "influence.people": [{"person_id": "arxiv:one#1", "name": LONG, "works": 1}],
        "rewards.rounds": [{"round": "r", "currency": "<b>EUR", "decimals": 2}],
        "rewards.allocations": [{"round": "r", "person_id": "arxiv:one#1", "name": LONG, "amount": 12345}],
        "rewards.escrow": [{"holding_id": "h", "round": "r", "person_id": "arxiv:one#1", "held": "unverified"}],
        "traces.claims": [{"person_id": "person:x", "subject": "github:other", "name": LONG}],
        "genome.ecosystem": [{"repo": "x/hostile", "url": "https://github.com/x/hostile", "error": LONG}],
        "genome.repositories": [{"repo": "x/hostile", "status": "packed", "license": LONG, "commit": "0" * 40}],
        "genome.audits": [{"repo": "x/hostile", "level": 1, "status": "failed", "differences": [LONG]}],
        "genome.changes": [{"repo": "x/hostile", "path": LONG, "change": "added"}],
        "corpora.documents": [{"blueprint": LONG, "doc_id": LONG, "work_id": "arxiv:one", "rule": "x", "detail": LONG}],
    })  # fmt: skip
    connection.execute("CREATE SCHEMA lake; CREATE TABLE lake.commits (table_name VARCHAR, date DATE)")
    connection.execute(f"INSERT INTO lake.commits VALUES ('x', DATE '{DAY}')")
    return connection


@pytest.fixture(scope="module")
def site(sample: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return written(tmp_path_factory.mktemp("entities") / "site", connection, DAYS[-1], tuple(DAYS))


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("hostile") / "site", hostile(), DAY, (DAY,))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def looking(browser: Browser, folder: Path, address: str, width: int = 1440, dark: bool = False) -> Iterator[Page]:
    """The page when its record is there; fails for an error in it and for a request that is not of a file."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else wrong.append(request.url)
    )
    page.goto((folder / address.partition("?")[0]).as_uri() + "?" + address.partition("?")[2])
    page.wait_for_selector("#record > *")
    yield page
    page.close()
    # days.js lies beside all days, and there are none here
    assert [each for each in wrong if "ERR_FILE_NOT_FOUND" not in each] == []


BEYOND = """() => [...document.body.querySelectorAll('*')]
  .filter(e => !e.closest('svg, bdi, .hidden-words, .skip, thead'))
  .filter(e => { const b = e.getBoundingClientRect(); return b.width && (b.right > innerWidth + .5 || b.left < -.5) })
  .map(e => e.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_it_fits_any_screen(browser: Browser, site: Path, strange: Path, width: int, dark: bool) -> None:
    for folder, addresses in ((site, SAMPLE), (strange, ADDRESSES)):
        for address in addresses:
            with looking(browser, folder, address, width, dark) as page:
                page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
                assert page.evaluate("document.documentElement.scrollWidth") <= width, address
                assert page.evaluate(BEYOND) == [], address


@pytest.mark.parametrize("address", ["work.html?id=github:ljvmiranda921/pyswarms", "work.html",
                                     "person.html?id=person:sample-mirjalili", "repository.html?id=sample/tools",
                                     "chamber.html?id=2019-03-25-0001", "work.html?id=nobody"])  # fmt: skip
def test_a_screen_reader_can_use_it(browser: Browser, site: Path, address: str) -> None:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    """In both themes, of which the dark one on a phone."""
    with looking(browser, site, address) as page:
        for width, scheme in ((1440, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found: Any = Axe().run(page, options={"preload": False})  # it may not fetch the style sheet
            assert found.response["violations"] == [], found.generate_report()


def test_the_page_of_a_work_says_why_it_matters(browser: Browser, site: Path) -> None:
    with looking(browser, site, SAMPLE[0]) as page:
        assert page.locator("h1").inner_text() == "Cuckoo Search via Lévy flights"
        assert page.title().startswith("Cuckoo Search via Lévy flights")
        assert page.locator("#leading").is_hidden()
        text = page.locator("main").inner_text()
        for each in ("Number 9 of 602 by influence", "What cites it: 15", "referenced_works[", "64.05 EUR", "96 → 9",
                     "nobody looked since", "counts nothing: the same authors"):  # fmt: skip
            assert each in text, each
        assert page.locator('a[href="person.html?id=person:sample-yang"]').count() >= 2
        svg = page.locator("svg.spark").first.get_attribute("aria-label")
        assert svg is not None
        assert svg.startswith("Influence: 0.327% on 2019-03-25, 0.498% on 2019-03-27")
        proofs = page.locator("a.proof").evaluate_all("links => links.map(e => e.getAttribute('href'))")
        assert any("table=influence.scores&date=2019-03-27&node_id=doi%3A10.1109" in each for each in proofs)


def test_a_link_leads_to_the_page_it_names(browser: Browser, site: Path) -> None:
    with looking(browser, site, SAMPLE[0]) as page:
        page.locator("a", has_text="Xin-She Yang").first.click()
        page.wait_for_selector("#claims")
        assert page.locator("h1").inner_text() == "Xin-She Yang"
        page.locator("a", has_text="Firefly Algorithms for Multimodal").first.click()
        page.wait_for_selector("#who-uses-it")
        page.locator('a[href^="chamber.html"]').first.click()
        page.wait_for_selector("#works-that-bridge-it")


def test_the_permanent_links(browser: Browser, site: Path) -> None:
    with looking(browser, site, SAMPLE[1]) as page:
        here, newest = page.locator(".permalink input").evaluate_all("fields => fields.map(e => e.value)")
        assert here == (site / "work.html").as_uri() + "?id=github:ljvmiranda921/pyswarms"
        assert newest == (site.parent.parent / "index.html").as_uri() + "?page=work&id=github:ljvmiranda921/pyswarms"
        page.locator(".permalink button").first.click()
        page.wait_for_function("document.querySelector('.permalink [role=status]').textContent")


def test_another_name_shows_the_same_record(browser: Browser, site: Path) -> None:
    with looking(browser, site, "person.html?id=github:NiaOrg") as page:
        assert "github:NiaOrg is known as person:sample-ada on this day." in page.locator("main").inner_text()


@pytest.mark.parametrize(
    "asked", ["nobody:knows", "constructor", "__proto__", "<img src=x onerror=alert(1)>", "a b&c#d"]
)
def test_an_unknown_identifier_is_said(browser: Browser, site: Path, asked: str) -> None:
    for kind in ("work", "person", "repository", "chamber"):
        with looking(browser, site, f"{kind}.html?id={quote(asked)}") as page:
            assert f"This report has no {kind} {asked}." in page.locator("#record").inner_text()
            assert page.locator("#leading li").count() > 0
            page.get_by_role("searchbox").fill("x:y")
            page.get_by_role("button", name="Show").click()
            page.wait_for_url(f"**/{kind}.html?id=x:y")


def test_without_javascript_it_says_so_and_lists_what_leads(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "work.html").as_uri() + "?id=pypi:numpy")
    text = page.locator("main").inner_text()
    assert "which takes JavaScript" in text
    assert "Cuckoo Search via Lévy flights" in text
    context.close()


def test_hostile_words_are_shown_and_nothing_else(browser: Browser, strange: Path) -> None:
    for address in ADDRESSES:
        with looking(browser, strange, address) as page:
            text = page.locator("main").inner_text() + page.locator("h1").inner_text()
            assert "<script>document.title='owned'</script>" in text, address
            assert page.locator("main :is(script, img, iframe, style, object)").count() == 0, address
            assert page.title() != "owned"
            assert page.locator('a[href^="javascript"]').count() == 0, address
            assert "\u202e" not in page.content()


def test_a_long_list_is_turned_by_pages(browser: Browser, strange: Path) -> None:
    with looking(browser, strange, "work.html?id=github:x/hostile") as page:
        users = page.locator("section", has=page.locator("#who-uses-it"))
        assert "What depends on it: 60" in users.inner_text()
        assert users.locator("tbody tr").count() == 25
        users.get_by_role("button", name="Next").click()
        assert "26 to 50 of 60" in users.inner_text()
        users.get_by_role("button", name="Next").click()
        assert users.locator("tbody tr").count() == 10
        assert users.get_by_role("button", name="Next").is_disabled()


def test_a_page_of_a_replaced_report_says_so(browser: Browser, strange: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(strange, tmp_path / "again")
    for path in (folder / "data/work").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"made")\n', b'"made later")\n'))
    with looking(browser, folder, ADDRESSES[0]) as page:
        assert "has been made again" in page.locator("#stale").inner_text()
