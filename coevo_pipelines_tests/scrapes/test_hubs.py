"""Packages of hubs as a source: over HTTP, from folders, what is never stored, what is never asked for, and traces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.sample.server import answer_time
from coevo_pipelines.scrapes import hubs, stored
from coevo_pipelines.scrapes.capture import scrape_day, withheld
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.consent import EVERYBODY, Consent
from coevo_pipelines.scrapes.exchange import Exchange, Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines_tests.hubs.packages import FILES, OUTCOMES, REMOVE, SOIL, as_bytes, changed
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.misbehaving import (
    Answer,
    Huge,
    Reset,
    Seen,
    Server,
    Step,
    as_json,
    misbehaving,
)
from coevo_pipelines_tests.scrapes.parsing import day, reasons, references

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 6, 2, tzinfo=UTC)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = ("created", "2026-01-05T10:00:00Z")
HOME = (("hub.place.private", True), ("hub.place.latitude", 52.130123), ("hub.place.longitude", 11.630456))
AREA = {"type": "Polygon", "coordinates": [[[11.63, 52.13], [11.64, 52.13], [11.64, 52.14], [11.63, 52.13]]]}
HEALTH = [
    {"name": "taken_on", "type": "date"},
    {"name": "people", "type": "integer"},
    {"name": "score", "type": "number", "quantity": "wellbeing_who5", "unit": "{score}"},
]
Ask = Callable[..., Capture]


def live(**changes: Any) -> Settings:
    return load_settings(source="live", http={"retries": 1, "backoff_s": 0.01, "max_body_mb": 1}, **changes)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Collects from `where`, with a journal and a lake of the test's own; asked twice it resumes."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    journal = Journal(tmp_path / "journal.jsonl")

    def collected(where: str = "", on: date = DAY, consent: Consent = EVERYBODY) -> Capture:
        settings = live(lake=tmp_path / "lake", sources={"hubs": {"base_url": where, "min_interval_s": 0.0}})
        nonlocal journal
        capture = collect(
            "hubs", settings.window(on), settings, Endpoint(where, where, lambda: NOW), journal, consent=consent
        )
        journal.keep_good()
        journal = Journal(journal.path)
        return capture

    return collected


def write(folder: Path, *changes: tuple[str, Any], files: Mapping[str, str | bytes] = {}) -> Path:
    """The package of the tests in a folder, with these changes."""
    folder.mkdir(parents=True)
    (folder / "datapackage.json").write_bytes(as_bytes(changed(*changes)))
    for path, body in {**FILES, **files}.items():
        (folder / path).write_bytes(body.encode() if isinstance(body, str) else body)
    return folder


def site(packages: Mapping[str, Any], index: Any = None, **more: Step) -> Callable[[Seen], Step]:
    """A server of `<name>/datapackage.json` and of the files of the tests beside each, and what else is said."""
    named = {"packages": [f"{name}/datapackage.json" for name in packages]} if index is None else index

    def play(request: Seen) -> Step:
        folder, _, file = request.path.removeprefix("/").rpartition("/")
        if request.path in more:
            return more[request.path]
        if request.path == "/index.json":
            return as_json(named)
        if folder in packages and file == "datapackage.json":
            return Answer(200, as_bytes(packages[folder]))
        if folder in packages and file in FILES:
            return Answer(200, FILES[file].encode())
        return Answer(404, b"<html>nothing here</html>")

    return play


def everything(exchanges: Any) -> str:
    """All that is stored of them, as text."""
    return "\n".join(
        f"{e.url}\n{json.dumps(dict(e.headers))}\n{e.error}\n{e.body.decode('latin-1')}" for e in exchanges
    )


def paths(server: Server) -> list[str]:
    return [request.path for request in server.seen]


def urls(capture: Capture) -> list[str]:
    return [each.url for each in capture.exchanges]


# --- the sample, and packages in the lake ---------------------------------------------------------------


def test_a_day_of_the_sample_and_of_the_lakes_own_packages(tmp_path: Path) -> None:
    settings = load_settings(lake=tmp_path / "lake")
    lake = Lake(settings.lake_root)
    write(
        settings.lake_root / hubs.ADDED / "somewhere",
        ("created", "2019-03-25T10:00:00Z"), ("hub.since", REMOVE), *HOME, ("hub.place.area", AREA),
        ("resources.3.schema.fields", SOIL), ("hub.context.soil", "loam"),
        files={"soil.csv": "taken_on,latitude,longitude,soc\n2019-03-01,52.130777,11.630888,18\n"},
    )  # fmt: skip
    by_day = {}
    for on in DAYS:
        assert scrape_day("hubs", on, lake, settings).commit.note == ""
        exchanges = list(stored.read(lake.snapshot().files("scrapes.hubs", on=on)))
        traces = normalize("hubs", exchanges, settings.window(on), settings.topics, settings.grace)
        tables = frames([traces], settings.window(on), settings.grace)
        assert tables["traces.rejects"].to_dicts() == []
        by_day[on] = {row["work_id"]: row for row in tables["traces.works"].to_dicts()}
        if on != DAYS[0]:
            continue
        said = everything(exchanges)
        assert str(tmp_path) not in said
        for exact in ("52.130123", "11.630456", "52.130777", "11.630888", "52.3989", "13.0657", "Polygon"):
            assert exact not in said
        assert "52.1205" in said  # a garden that is nobody's home stays where it is
        cited = {(row["source_id"], row["target_id"]) for row in tables["traces.references"].to_dicts()}
        assert ("hub:elbe-garden", "hub:saale-terraces") in cited
        assert ("hub:elbe-garden", "doi:10.1016/j.ecoinf.2006.07.003") in cited
        assert ("hub:mending-room", "github:niaorg/niapy") in cited
    first, second, third = (by_day[on] for on in DAYS)
    assert len(first) == 14
    assert "hub:green-valley" in first
    assert set(second) == {"hub:open-house"}
    assert set(third) == {"hub:elbe-garden", "hub:nilgiri-stories", "hub:taller-medellin"}
    assert [row["event"] for row in (first["hub:elbe-garden"], third["hub:elbe-garden"])] == ["created", "updated"]
    assert third["hub:elbe-garden"]["created_at"] == datetime(2019, 2, 4, tzinfo=UTC)


def test_the_same_day_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        settings = load_settings(lake=tmp_path / name)
        lake = Lake(settings.lake_root)
        write(settings.lake_root / hubs.ADDED / "x", ("created", "2019-03-26T10:00:00Z"))
        scrape_day("hubs", DAYS[1], lake, settings)
        (part,) = lake.snapshot().files("scrapes.hubs", on=DAYS[1])
        found.append(part.read_bytes())
    assert found[0] == found[1]


def test_nothing_named_and_nothing_added_is_a_complete_day_of_nothing(ask: Ask) -> None:
    capture = ask("")
    assert (capture.complete, capture.exchanges) == (True, ())


# --- folders ----------------------------------------------------------------------------------------------


def test_only_packages_of_the_day_are_read_and_nothing_of_the_machine_is_told(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path / "hubs" / "a", TODAY)
    write(tmp_path / "hubs" / "b", ("name", "old-field"))
    (tmp_path / "hubs" / "c").mkdir()
    (tmp_path / "hubs" / "stray.txt").write_text("x")
    capture = ask(str(tmp_path / "hubs"))
    assert capture.complete, capture.reason
    names = ["datapackage.json", "needs.csv", "offers.csv", "outcomes.csv", "soil.csv"]
    *read, of_another_day = urls(capture)
    assert read == [f"hubs:green-valley/{name}" for name in names]
    assert of_another_day == "hubs:old-field/datapackage.json"  # where it is, GBIF and NASA POWER are asked about
    assert str(tmp_path) not in everything(capture.exchanges)
    assert [each.body for each in capture.exchanges[1:5]] == [FILES[name].encode() for name in names[1:]]


@pytest.mark.parametrize("place", ["hubs/a", "hubs/a/datapackage.json", "hubs"])
def test_a_folder_is_of_one_package_or_of_many(ask: Ask, tmp_path: Path, place: str) -> None:
    write(tmp_path / "work" / "hubs" / "a", TODAY)
    assert len(ask(place).exchanges) == 5


@pytest.mark.parametrize("place", ["nowhere", "/nonexistent/hubs", "ftp://example.org/index.json"])
def test_a_named_folder_that_is_missing_is_incomplete_and_says_which_setting(ask: Ask, place: str) -> None:
    assert ask(place).reason.startswith(f"{place}: no such folder (sources.hubs.base_url")


def _too_long(folder: Path) -> None:
    (folder / "soil.csv").write_bytes(b"#" * ((1 << 20) + 1))


def _link_out(folder: Path) -> None:
    (folder.parent.parent / "secret.csv").write_text("taken_on,latitude,longitude,soc\n2019-03-01,,,1\n")
    (folder / "soil.csv").unlink()
    (folder / "soil.csv").symlink_to(folder.parent.parent / "secret.csv")


def _folder_for_a_file(folder: Path) -> None:
    (folder / "soil.csv").unlink()
    (folder / "soil.csv").mkdir()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_too_long, "longer than http.max_body_mb"),
        (_link_out, "a link that leads out of the package"),
        (_folder_for_a_file, ""),  # as a file that is not there: said to the hub, and no shortfall
    ],
)
def test_files_that_cannot_be_taken(ask: Ask, tmp_path: Path, change: Callable[[Path], None], reason: str) -> None:
    change(write(tmp_path / "hubs" / "a", TODAY))
    capture = ask(str(tmp_path / "hubs"))
    assert reason in capture.reason
    assert capture.complete == (not reason)
    assert "hubs:green-valley/soil.csv" not in urls(capture)
    assert str(tmp_path) not in capture.reason


def test_the_second_package_of_a_name_is_refused_and_told(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path / "hubs" / "a", TODAY)
    write(tmp_path / "hubs" / "b", TODAY, ("title", "Somebody else"))
    capture = ask(str(tmp_path / "hubs"))
    assert urls(capture)[-1] == "hubs:green-valley/datapackage.json#b"
    assert len(capture.exchanges) == 6
    traces = parsed(capture)
    assert [row["title"] for row in traces.rows["works"]] == ["Green Valley garden"]
    (told,) = reasons(traces)
    assert told[1].startswith("hub:green-valley is the name of another package already")


# --- what is never stored ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "table", "secret", "told"),
    [
        (HEALTH, "taken_on,people,score\n2019-03-01,9,61.7\n", "61.7", "an aggregate of fewer than 10 people"),
        (HEALTH, "taken_on,people,score\n2019-03-01,40,61.7\n2019-04-01,0,33.3\n", "61.7", "people"),
        (HEALTH[::2], "taken_on,score\n2019-03-01,61.7\n", "61.7", "without a column people"),
        (SOIL, "taken_on,latitude,longitude,soc,surname\n2019-03-01,,,1,Lovelace\n", "Lovelace", "about persons"),
        (SOIL, b"taken_on,latitude,longitude,soc\n2019-03-01,,,\xff\xfe7131\n", "7131", "UTF-8"),
        (SOIL, "PK\x03\x04 a spreadsheet of 7131", "7131", "spreadsheet"),
    ],
)
def test_a_refused_file_is_stored_empty_with_the_reason(
    ask: Ask, tmp_path: Path, schema: Any, table: str | bytes, secret: str, told: str
) -> None:
    write(tmp_path / "hubs" / "a", TODAY, ("resources.3.schema.fields", schema), files={"soil.csv": table})
    capture = ask(str(tmp_path / "hubs"))
    assert capture.complete, capture.reason
    assert secret not in everything(capture.exchanges)
    (file,) = (each for each in capture.exchanges if each.url.endswith("soil.csv"))
    assert (file.status, file.body) == (200, b"")
    assert told in "\n".join(hubs.left_out(file))


def test_a_refused_file_is_not_stored_either_when_it_comes_from_the_web(ask: Ask) -> None:
    package = changed(TODAY, ("resources.3.schema.fields", HEALTH))
    table = Answer(200, b"taken_on,people,score\n2019-03-01,3,61.7\n")
    with misbehaving(site({"a": package}, **{"/a/soil.csv": table})) as server:
        capture = ask(server.url)
    assert capture.complete, capture.reason
    assert "61.7" not in everything(capture.exchanges)
    (file,) = (each for each in capture.exchanges if "/soil.csv#hub:green-valley" in each.url)
    assert (file.body, hubs.LEFT_OUT in file.headers) == (b"", True)


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        (HOME, None),
        ((*HOME, ("hub.place.private", "yes")), None),  # refused, and in doubt a home
        ((*HOME, ("hub.place.name", "Elm Street 5")), None),
        ((*HOME, ("hub.place.latitude", "52.130123")), None),
        ((*HOME, ("hub.place.area", AREA)), None),
        ((*HOME, ("where", "52.130123 11.630456")), None),
        ((*HOME, ("resources.3.data", "52.130123")), None),
        ((*HOME, ("created", "soon")), None),
        ((*HOME, ("hub.gps", "52.130123"), ("resources.3.bbox", [11.630456, 52.130123])), None),
        ((*HOME, ("hub.kind", "foods")), None),
        ((("hub", [changed(*HOME)["hub"]]),), None),  # refused, though it does not look like a home
        ((), as_bytes(changed(TODAY, *HOME)).replace(b'"private": true', b'"private": true, "private": false')),
        ((), b'{"name": "green-valley", "hub": {"place": {"private": true, "latitude": 52.130123'),
        ((), b"\xff\xfe52.130123"),
        ((), b"[52.130123]"),
    ],
)
def test_the_place_of_a_home_is_never_stored(
    ask: Ask, tmp_path: Path, changes: tuple[tuple[str, Any], ...], body: bytes | None
) -> None:
    folder = write(tmp_path / "hubs" / "green-valley", TODAY, *changes)
    if body is not None:
        (folder / "datapackage.json").write_bytes(body)
    capture = ask(str(tmp_path / "hubs"))
    assert capture.exchanges[0].url.endswith("green-valley/datapackage.json")
    said = everything(capture.exchanges)
    for exact in ("52.130123", "11.630456", "Elm Street", "Polygon", "52.13,", "[11.63"):
        assert exact not in said
    if body is not None:
        assert capture.exchanges[0].body in {b"", b'{"name": "green-valley", "created": "2026-01-05T10:00:00Z"}'}
        assert hubs.left_out(capture.exchanges[0])


def test_places_in_the_files_of_a_home_are_moved_as_the_home_is(ask: Ask, tmp_path: Path) -> None:
    trees = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [11.630222, 52.130111]},
         "properties": {"taken_on": "2019-03-01", "soc": 3.0, "owner_lat": 52.130999}},
    ]}  # fmt: skip
    geo = {"name": "trees", "path": "trees.geojson", "role": "measurements", "schema": {"fields": [SOIL[0], SOIL[3]]}}
    odd = {"name": "odd", "path": "odd.csv", "role": "measurements", "schema": {"fields": [
        SOIL[0], {"name": "gps", "type": "string"}, SOIL[3]]}}  # fmt: skip
    resources = [*changed()["resources"], geo, odd]
    files = {
        "soil.csv": 'taken_on,latitude,longitude,soc\n2019-03-01,52.130777,11.630888,18\n'
        '2019-03-02,52.130777 N,11.630888,19\n2019-03-03,52.130777,11.630888,"1",9\n',
        "trees.geojson": json.dumps(trees),
        "odd.csv": "taken_on,gps,soc\n2019-03-01,52.130555 11.630555,18\n",
    }  # fmt: skip
    write(tmp_path / "hubs" / "a", TODAY, *HOME, ("resources", resources), files=files)
    capture = ask(str(tmp_path / "hubs"))
    assert capture.complete, capture.reason
    said = everything(capture.exchanges)
    for exact in ("52.1307", "11.6308", "52.1302", "11.6302", "52.1301", "52.1305", "52.13099"):
        assert exact not in said
    by_url = {each.url: each.body.decode() for each in capture.exchanges}
    lines = by_url["hubs:green-valley/soil.csv"].splitlines()
    moved = json.loads(by_url["hubs:green-valley/datapackage.json"])["hub"]["place"]
    assert lines[1] == f"2019-03-01,{moved['latitude']},{moved['longitude']},18"
    assert lines[2:] == ["2019-03-02,,,19", ",,,,"]
    (feature,) = json.loads(by_url["hubs:green-valley/trees.geojson"])["features"]
    assert feature["geometry"]["coordinates"] == [moved["longitude"], moved["latitude"]]
    assert feature["properties"] == {"taken_on": "2019-03-01", "soc": 3.0}
    assert by_url["hubs:green-valley/odd.csv"] == ""


def test_addresses_of_people_are_redacted_in_files_as_everywhere(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path / "hubs" / "a", TODAY, ("description", "Write to ada@example.org"))
    capture = ask(str(tmp_path / "hubs"))
    assert "ada@example.org" not in everything(capture.exchanges)


# --- the web ----------------------------------------------------------------------------------------------


def test_of_packages_of_other_days_only_the_descriptor_is_asked_for_and_media_never(ask: Ask) -> None:
    new, old = changed(TODAY), changed(("name", "old-field"))
    with misbehaving(site({"new": new, "old": old})) as server:
        capture = ask(f"{server.url}/index.json")
        files = [f"/new/{name}" for name in FILES]
        assert paths(server) == ["/index.json", "/new/datapackage.json", *files, "/old/datapackage.json"]
    assert capture.complete, capture.reason
    assert urls(capture)[2] == f"{server.url}/new/needs.csv#hub:green-valley"


@pytest.mark.parametrize("place", ["", "/index.json", "/new/datapackage.json"])
def test_an_index_or_one_package(ask: Ask, place: str) -> None:
    with misbehaving(site({"new": changed(TODAY)})) as server:
        capture = ask(f"{server.url}{place}")
    assert capture.complete, capture.reason
    assert [row["work_id"] for row in parsed(capture).rows["works"]] == ["hub:green-valley"]


@pytest.mark.parametrize(
    "entry",
    [
        "../secret/datapackage.json", "a/../../b/datapackage.json", "/etc/datapackage.json", "http://127.0.0.1/x",
        "https://example.org/a/datapackage.json", "//example.org/datapackage.json", "a/%2e%2e/datapackage.json",
        "a\\..\\datapackage.json", "a/datapackage.json?x=1", "a/datapackage.json#hub:x", "a/passwd", "", ".", 7, None,
        ["a"], {"path": "a/datapackage.json"}, "a//datapackage.json", ".git/datapackage.json", "a/" * 300 + "x",
    ],
)  # fmt: skip
def test_nothing_but_what_lies_below_the_index_is_asked_for(ask: Ask, entry: Any) -> None:
    with misbehaving(site({"new": changed(TODAY)}, {"packages": [entry, "new/datapackage.json"]})) as server:
        capture = ask(f"{server.url}/index.json")
        assert paths(server)[1] == "/new/datapackage.json"
    assert capture.complete, capture.reason
    ((place, reason),) = reasons(parsed(capture))
    assert place == "packages[0]"
    assert "expected the path of a datapackage.json below the index" in reason


@pytest.mark.parametrize(
    "path", ["../x.csv", "/etc/passwd", "https://example.org/x.csv", "a/../../x.csv", "%2e%2e/x.csv"]
)
def test_no_file_outside_of_its_package_is_asked_for(ask: Ask, path: str) -> None:
    with misbehaving(site({"new": changed(TODAY, ("resources.3.path", path))})) as server:
        capture = ask(server.url)
        assert sorted(paths(server)[2:]) == ["/new/needs.csv", "/new/offers.csv", "/new/outcomes.csv"]
    assert any("resources.soil" in reason for _, reason in reasons(parsed(capture)))


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_are_told_and_not_followed(ask: Ask, status: int) -> None:
    elsewhere = Answer(status, b"", {"Location": "http://127.0.0.1:1/new/soil.csv"})
    with misbehaving(site({"new": changed(TODAY)}, **{"/new/soil.csv": elsewhere})) as server:
        capture = ask(server.url)
    assert not capture.complete
    assert f"HTTP {status} to http://127.0.0.1:1/new/soil.csv" in capture.reason


@pytest.mark.parametrize("status", [404, 410])
def test_a_package_that_is_not_there_is_told_to_its_index_and_stops_nothing(ask: Ask, status: int) -> None:
    gone = {"/gone/datapackage.json": Answer(status, b"gone")}
    named = {"packages": ["gone/datapackage.json", "new/datapackage.json"]}
    with misbehaving(site({"new": changed(TODAY)}, named, **gone)) as server:
        capture = ask(server.url)
    assert capture.complete, capture.reason
    traces = parsed(capture)
    assert reasons(traces) == [
        (f"{server.url}/gone/datapackage.json", f"the index names this package, and it is not there (HTTP {status})")
    ]
    assert len(traces.rows["works"]) == 1


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Answer(200, b"<html>sign in</html>"), "not JSON"),
        (Answer(200, b"[]"), "object"),
        (Answer(200, b'{"hubs": []}'), '"packages" is no list'),
        (Answer(404, b""), "nothing is there (sources.hubs.base_url)"),
        (Answer(403, b""), "HTTP 403"),
        (Answer(503, b""), "HTTP 503"),
        (Reset(), "Connection"),
        (Huge(2), "longer than 1 MB (http.max_body_mb)"),
    ],
)
def test_an_index_that_cannot_be_read_leaves_the_day_incomplete(ask: Ask, step: Step, reason: str) -> None:
    with misbehaving(lambda _: step) as server:
        capture = ask(server.url)
    assert reason in capture.reason
    assert not parsed(capture).rows["works"]


def test_too_many_packages_are_cut_off_and_told(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST_PACKAGES", 2)
    named = {"packages": [f"p{number}/datapackage.json" for number in range(5)]}
    with misbehaving(site({}, named)) as server:
        capture = ask(server.url)
        assert paths(server) == ["/index.json", "/p0/datapackage.json", "/p1/datapackage.json"]
    assert "5 packages are named, the first 2 were read" in capture.reason


def test_files_that_are_too_long_together_are_told(ask: Ask) -> None:
    schema = {"fields": [*SOIL, {"name": "note", "type": "string"}]}
    soil = "taken_on,latitude,longitude,soc,note\n" + f"2019-03-01,,,18,{'x' * 9_000}\n" * 45
    more = [{"name": f"s{n}", "path": f"s{n}.csv", "role": "measurements", "schema": schema} for n in range(4)]
    package = changed(TODAY, ("resources", [*changed()["resources"], *more]))
    steps: dict[str, Step] = {f"/new/s{n}.csv": Answer(200, soil.encode()) for n in range(4)}
    with misbehaving(site({"new": package}, **steps)) as server:
        capture = ask(server.url)
        assert "/new/s3.csv" not in paths(server)
    assert "hub:green-valley are longer than 1 MB together (http.max_body_mb)" in capture.reason


def test_what_was_answered_is_not_asked_again(ask: Ask) -> None:
    packages = {"new": changed(TODAY)}
    whole = site(packages)
    with misbehaving(site(packages, **{"/new/outcomes.csv": Reset()})) as server:
        first = ask(server.url)
        assert (first.complete, first.resumable) == (False, True)
        asked = len(server.seen)
        server.play = whole
        second = ask(server.url)
        assert paths(server)[asked:] == ["/new/outcomes.csv"]
    assert second.complete, second.reason
    assert len(second.exchanges) == 6


def parsed(capture: Capture) -> Any:
    settings = live()
    return normalize("hubs", capture.exchanges, settings.window(DAY), settings.topics, settings.grace)


# --- who has opted out ------------------------------------------------------------------------------------

OUT = [
    Consent(works={"hub:green-valley": SINCE}),
    Consent(works={"doi:10.5281/zenodo.1234": SINCE}),
    Consent(owners={"github:ada": SINCE}),
    Consent(people={"github:ada": SINCE}),
    Consent(people={"orcid:0000-0002-1825-0097": SINCE}),
]


@pytest.mark.parametrize("consent", OUT)
@pytest.mark.parametrize("is_local", [True, False])
def test_of_a_hub_that_is_opted_out_no_file_and_no_text_is_kept(
    ask: Ask, tmp_path: Path, consent: Consent, is_local: bool
) -> None:
    makers = [
        {"title": "Ada", "path": "https://github.com/Ada"},
        {"title": "B", "path": "https://orcid.org/0000-0002-1825-0097"},
    ]
    changes = (TODAY, ("description", "A secret garden"), ("contributors", makers))
    if is_local:
        write(tmp_path / "hubs" / "a", *changes)
        capture = ask(str(tmp_path / "hubs"), consent=consent)
    else:
        with misbehaving(site({"new": changed(*changes)})) as server:
            capture = ask(server.url, consent=consent)
    assert capture.complete, capture.reason
    (kept,) = (each for each in capture.exchanges if hubs.is_descriptor(each.url))
    assert kept.headers["coevo-withheld"] == "hub:green-valley since 2026-01-01"
    assert not [each.url for each in capture.exchanges if hubs.hub_of(each.url)]
    assert "secret" not in everything(capture.exchanges)
    traces = parsed(capture)
    assert [row["work_id"] for row in traces.rows["works"]] == ["hub:green-valley"]  # others may cite it
    assert traces.rows["texts"] == []


def test_who_is_out_by_now_is_taken_out_of_what_a_stopped_scrape_holds() -> None:
    consent = OUT[0]
    for url in ("hubs:green-valley/soil.csv", "https://example.org/a/soil.csv#hub:green-valley"):
        assert hubs.withhold(url, b"x", consent) == (b"", {"hub:green-valley": SINCE})
        assert hubs.withhold(url.replace("green", "blue"), b"x", consent) == (b"x", {})
    assert hubs.withhold("https://example.org/index.json", b"x", consent) == (b"x", {})
    assert hubs.withhold("https://example.org/datapackage.json", b"x", consent) == (b"x", {})


def test_the_register_of_the_lake_is_honoured(tmp_path: Path) -> None:
    register = tmp_path / "register.toml"
    register.write_text('[[optouts]]\nwork = "hub:green-valley"\nsince = 2026-01-01\n')
    settings = live(
        lake=tmp_path / "lake", start_date=date(2026, 1, 1), sources={"register": {"base_url": str(register)}}
    )
    lake = Lake(settings.lake_root)
    write(settings.lake_root / hubs.ADDED / "green-valley", TODAY)
    assert scrape_day("hubs", DAY, lake, settings).commit.note == ""
    assert withheld(lake, "hubs", DAY) == {"hub:green-valley": "2026-01-01"}
    assert len(list(stored.read(lake.snapshot().files("scrapes.hubs", on=DAY)))) == 1


# --- traces -----------------------------------------------------------------------------------------------


def said(*changes: tuple[str, Any], on: date = date(2019, 3, 20)) -> Any:
    """What the package says of the day on which it was published."""
    exchange = Exchange("GET", "hubs:x/datapackage.json", 200, {}, answer_time(on), as_bytes(changed(*changes)))
    settings = load_settings()
    return normalize("hubs", [exchange], day(on.year, on.month, on.day), settings.topics, settings.grace)


def test_a_package_is_a_work_with_people_and_a_text() -> None:
    orcid = {"title": "Grace", "path": "https://orcid.org/0000-0002-1825-0097"}
    makers = [orcid, {"title": "Ada", "path": "https://github.com/Ada"}, {"title": "Nobody"}]
    rows = said(("contributors", makers), ("homepage", "https://example.org/garden")).rows
    (work,) = rows["works"]
    expected = {
        "work_id": "hub:green-valley", "kind": "hub_dataset", "event": "updated", "title": "Green Valley garden",
        "event_at": datetime(2019, 3, 20, tzinfo=UTC), "created_at": datetime(2017, 5, 1, tzinfo=UTC),
        "version": "1.0.0", "status": "active", "license": "CC-BY-4.0", "owner": "github:Ada",
        "native_id": "green-valley", "url": "https://example.org/garden", "fields": ["food"],
        "tags": ["cover crops", "compost", "soil"], "topics": [],
    }  # fmt: skip
    assert {name: work[name] for name in expected} == expected
    people = [(row["role"], row["position"], row["name"], row["orcid"], row["account"]) for row in rows["people"]]
    assert people == [
        ("owner", 1, None, None, "github:Ada"),
        ("author", 1, "Grace", "0000-0002-1825-0097", None),
        ("author", 2, "Ada", None, "github:Ada"),
        ("author", 3, "Nobody", None, None),
    ]
    # Its `id` is a DOI: were its own word enough, anybody could become the work of any DOI.
    assert rows["identities"] == []
    (text,) = rows["texts"]
    assert (text["kind"], text["text"], text["license"]) == ("abstract", "A garden", "CC-BY-4.0")


@pytest.mark.parametrize(
    ("since", "event", "first"),
    [
        (REMOVE, "created", datetime(2019, 3, 20, tzinfo=UTC)),
        ("2019-03-20", "created", datetime(2019, 3, 20, tzinfo=UTC)),
        ("2019-03-19", "updated", datetime(2019, 3, 19, tzinfo=UTC)),
    ],
)
def test_the_first_version_is_created_and_the_others_are_updates(since: Any, event: str, first: datetime) -> None:
    (work,) = said(("hub.since", since)).rows["works"]
    assert (work["event"], work["created_at"]) == (event, first)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("hub:other-hub", "hub:other-hub"),
        ("https://doi.org/10.1016/J.Ecoinf.2006.07.003", "doi:10.1016/j.ecoinf.2006.07.003"),
        ("10.1016/j.ecoinf.2006.07.003", "doi:10.1016/j.ecoinf.2006.07.003"),
        ("https://arxiv.org/abs/1708.09416v2", "arxiv:1708.09416"),
        ("https://github.com/NiaOrg/NiaPy", "github:niaorg/niapy"),
        ("https://huggingface.co/datasets/a/b", "hf:dataset/a/b"),
        ("https://example.org/a-page", None),
        ("hub:green-valley", None),  # itself
    ],
)
def test_sources_are_cited(path: str, target: str | None) -> None:
    traces = said(("sources", [{"title": "no path"}, {"path": path}]))
    expected = [(target, "cites", "sources[1].path")] if target else []
    assert references(traces, "hub:green-valley") == expected
    assert reasons(traces) == []


def test_a_hub_that_cannot_be_is_told() -> None:
    traces = said(("sources", [{"path": "hub:Other Hub"}]))
    assert reasons(traces) == [("sources[0].path", "not a name of a hub's package: 'Other Hub'")]
    assert len(traces.rows["works"]) == 1


def test_what_a_description_links_to_is_mentioned() -> None:
    traces = said(
        ("description", "First line\nas hub:saale-terraces did, see github.com/NiaOrg/NiaPy"), ("sources", [])
    )
    assert references(traces, "hub:green-valley") == [
        ("github:niaorg/niapy", "mentions", "description line 2"),
        ("hub:saale-terraces", "mentions", "description line 2"),
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((("hub.consent.given", False),), "property hub.consent.given: found false, expected true"),
        ((("hub.kind", "foods"),), "did you mean food?"),
        ((("licenses", REMOVE),), "licenses"),
        ((("name", "Green Valley"),), "property name"),
        ((("hub", REMOVE),), "property hub"),
    ],
)
def test_a_package_that_cannot_be_taken_is_told_on_its_day_only(changes: Any, told: str) -> None:
    traces = said(*changes)
    assert traces.rows["works"] == []
    assert any(told in reason for _, reason in reasons(traces)), reasons(traces)
    later = said(*changes, on=date(2019, 3, 21))
    assert (reasons(later), later.outside_window) == ([], 1)


def test_one_wrong_file_leaves_the_work() -> None:
    traces = said(("resources.2.schema.fields", OUTCOMES[:4]))
    assert len(traces.rows["works"]) == 1
    assert any("resources.outcomes" in reason for _, reason in reasons(traces))


@pytest.mark.parametrize(
    ("path", "account"),
    [
        ("https://github.com/ada", "github:ada"),
        ("https://www.github.com/Ada-L/", "github:Ada-L"),
        ("http://huggingface.co/ada.l", "hf:ada.l"),
        ("https://github.com/ada/repo", None),
        ("https://github.com/", None),
        ("https://evil.example/github.com/ada", None),
        ("github.com/ada", None),
        (None, None),
        (7, None),
    ],
)
def test_accounts(path: Any, account: str | None) -> None:
    assert hubs.account(path) == account


@pytest.mark.parametrize(
    ("url", "is_descriptor", "hub_id"),
    [
        ("sample://hubs/a/datapackage.json", True, ""),
        ("hubs:a/datapackage.json", True, ""),
        ("hubs:a/datapackage.json#b", True, ""),
        ("https://example.org/datapackage.json", True, ""),
        ("https://example.org/a/soil.csv#hub:a", False, "hub:a"),
        ("https://example.org/a/datapackage.json#hub:a", False, "hub:a"),
        ("hubs:a/soil.csv", False, "hub:a"),
        ("https://example.org/index.json", False, ""),
    ],
)
def test_addresses_tell_what_is_stored_under_them(url: str, is_descriptor: bool, hub_id: str) -> None:
    assert (hubs.is_descriptor(url), hubs.hub_of(url)) == (is_descriptor, hub_id)


# --- hubs in texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see hub:green-valley.", ["hub:green-valley"]),
        ("(hub:a1) and [x](hub:green-valley), `hub:b-2`", ["hub:a1", "hub:green-valley", "hub:b-2"]),
        ("hub:green-valley: its soil; hub:green-valley/soil.csv", ["hub:green-valley"]),
        ("as hub:green-valley--", ["hub:green-valley"]),
        ("GitHub:foo github:ada/x docker.hub:x1 a-hub:x1", []),
        ("http://hub:8080/x ssh://git@hub:x1/y hub:5000", []),
        ("hub: green hub:Green hub:a hub:x1:y hub:x@y hub:a_b", []),
        (f"hub:{'a' * 63} hub:{'b' * 64}", [f"hub:{'a' * 63}"]),
    ],
)
def test_hubs_are_found_in_texts(text: str, found: list[str]) -> None:
    assert [one for _, one in identifiers.in_text(text)] == found


@pytest.mark.parametrize("unit", ["hub:", "hub:1", "hub:1-", "hub:a-", "hub:" + "-" * 70])
def test_texts_full_of_near_hubs_take_no_time(unit: str) -> None:
    before = time.process_time()
    list(identifiers.in_text(unit * (400_000 // len(unit))))
    assert time.process_time() - before < 1


@pytest.mark.parametrize("name", ["ab", "a" * 63, "0-x", "green-valley"])
def test_names_of_hubs(name: str) -> None:
    assert identifiers.hub(name) == f"hub:{name}"


@pytest.mark.parametrize("name", ["", "a", "a" * 64, "-a", "A1", "a b", "a/b", "ä1", None, 7])
def test_what_no_hub_is_called(name: Any) -> None:
    with pytest.raises(ParseError):
        identifiers.hub(name)
