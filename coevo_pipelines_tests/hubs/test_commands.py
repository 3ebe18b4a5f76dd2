"""`coevo hubs …` by the real command: files, words, exit codes; nothing half-written, followed or exact."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines import cli
from coevo_pipelines.lake.catalog import build
from coevo_pipelines.lake.store import Lake
from coevo_pipelines_tests.hubs.packages import DESCRIPTOR, FILES, changed

OWN: Mapping[str, str | bytes | None] = FILES
Typed = Callable[..., tuple[int, str, str]]
HERE = ("--kind", "food", "--latitude", "52.1301", "--longitude", "11.6302")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command in this process, without a terminal: (exit code, standard output, standard error)."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["coevo", "hubs", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def answered(result: tuple[int, str, str], code: int = 0) -> Any:
    assert result[0] == code, result
    return json.loads(result[1])


def written(folder: Path, *changes: tuple[str, Any], files: Mapping[str, str | bytes | None] = OWN) -> Path:
    """A package in a folder, as of the other tests."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = changed(*changes, of=DESCRIPTOR)
    (folder / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
    for name, body in {**FILES, **files}.items():
        if body is not None:
            (folder / name).write_bytes(body if isinstance(body, bytes) else body.encode())
    return folder


def stored(home: Path) -> dict[str, bytes]:
    """The files of the lake's packages by path."""
    root = home / "data_lake" / "hub_packages"
    return {str(each.relative_to(root)): each.read_bytes() for each in sorted(root.rglob("*")) if each.is_file()}


def in_words(folder: Path) -> str:
    return "".join(each.read_text(encoding="utf-8") for each in sorted(folder.rglob("*")) if each.is_file())


# ---- init


def test_init_makes_what_validate_and_add_take(typed: Typed, home: Path) -> None:
    code, out, err = typed("init", "my-garden", *HERE, "--date", "2019-03-28")
    assert (code, err) == (0, "")
    assert "coevo hubs validate my-garden" in out and "hub.consent" in out
    assert sorted(each.name for each in (home / "my-garden").iterdir()) == [
        "README.md", "datapackage.json", "needs.csv", "offers.csv", "outcomes.csv", "soil.csv",
    ]  # fmt: skip
    code, out, err = typed("validate", "my-garden")
    assert (code, err) == (0, "")
    assert "needs.csv: 0 needs" in out and "Nothing is wrong." in out and "hub.contact is still the example's" in out
    code, out, err = typed("add", "my-garden")
    assert (code, err) == (0, "")
    assert "Added my-garden 1.0.0" in out and "coevo run --date 2019-03-28" in out
    assert "README.md" not in "".join(stored(home))
    assert len(stored(home)) == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what does the hub restore? --kind is one of food, housing"),
        (("--kind", "food"), "where is the hub? Give its place with --latitude and --longitude"),
        (("--kind", "food", "--latitude", "52"), "such as --longitude 11.63"),
        ((*HERE, "--name", "My Garden"), "'My Garden' cannot be a package's name"),
        ((*HERE, "--name", "x"), "'x' cannot be a package's name"),
        ((*HERE, "--date", "28.3.2019"), "'28.3.2019' is not a date: write it as YYYY-MM-DD"),
        ((*HERE, "--date", "0001-01-01"), "a year from 1900 to 2200"),
        ((*HERE, "--title", " "), "--title is empty"),
        (("--kind", "fod"), "Invalid value for '--kind'"),
        (("--kind", "food", "--latitude", "91", "--longitude", "0"), "Invalid value for '--latitude'"),
        (("--kind", "food", "--latitude", "nan", "--longitude", "0"), "Invalid value for '--latitude'"),
    ],
)
def test_init_asked_wrongly_makes_nothing(typed: Typed, home: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = typed("init", "my-garden", *arguments)
    assert (code, out) == (2, "") and said in err
    assert list(home.iterdir()) == []


def test_init_overwrites_nothing(typed: Typed, home: Path) -> None:
    (home / "full").mkdir()
    (home / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    (home / "file").write_text("mine", encoding="utf-8")
    (home / "link").symlink_to(home / "elsewhere")
    for name in ("full", "file", "link"):
        code, _, err = typed("init", name, *HERE, "--name", "my-garden")
        assert code == 2 and f"{name} is there already, and nothing in it is overwritten" in err
    assert sorted(each.name for each in home.rglob("*")) == ["file", "full", "link", "mine.txt"]
    (home / "empty").mkdir()
    assert typed("init", "empty", *HERE)[0] == 0
    assert (home / "empty" / "datapackage.json").is_file()


def test_init_below_a_file(typed: Typed, home: Path) -> None:
    (home / "file").write_text("", encoding="utf-8")
    code, _, err = typed("init", "file/my-garden", *HERE)
    assert code == 2 and "file/my-garden cannot be made" in err


def test_init_asks_at_a_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def prompt(question: str, default: str | None = None, **_: Any) -> str:
        asked.append(question)
        return default or {"W": "clothing"}.get(question[:1], "11.5")

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(sys, "argv", ["coevo", "hubs", "init", "my-garden"])
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert [each.split()[0] for each in asked] == ["Name", "What", "Latitude", "Longitude"]
    assert json.loads((home / "my-garden" / "datapackage.json").read_text())["hub"]["kind"] == "clothing"


def test_init_as_json(typed: Typed) -> None:
    told = answered(typed("init", "my-garden", *HERE, "--json", "--title", "Grünes Tal"))
    assert (told["hub_id"], told["created"]) == ("hub:my-garden", "2019-03-25")  # the first day that is to be made


# ---- validate


def test_validate_says_what_is_good_and_what_is_wrong(typed: Typed, home: Path) -> None:
    written(home / "good")
    needs = FILES["needs.csv"] + FILES["needs.csv"].splitlines()[1].replace("12.5", "ten").replace("n1", "n2") + "\n"
    written(home / "bad", files={"needs.csv": needs, "offers.csv": None})
    code, out, err = typed("validate", "good", "bad/datapackage.json")
    assert code == 1
    assert "good: Green Valley garden (hub:green-valley, food) at 52.1301, 11.6302 (Magdeburg)" in out
    assert "needs.csv: 1 need\n" in out and "needs.csv: 1 need; 1 row refused" in out
    assert "soil.csv: 2 numbers in 2 rows (soil_organic_carbon)" in out and "offers.csv: refused" in out
    assert "needs.csv row 2, column amount: found 'ten', expected a number, such as 12.5" in err
    assert "offers.csv: found no such file" in err
    assert "2 things to mend" in err


def test_validate_as_json(typed: Typed, home: Path) -> None:
    written(home / "good")
    written(home / "bad", ("hub.kind", "fod"))
    good, bad = answered(typed("validate", "good", "bad", "--json"), code=1)
    assert (good["valid"], good["needs"], good["offers"], good["outcomes"], good["measurements"]) == (True, 1, 1, 1, 2)
    assert good["problems"] == []
    assert (bad["valid"], bad["hub_id"]) == (False, None)
    (problem,) = bad["problems"]
    assert (problem["column"], problem["found"], problem["fatal"]) == ("hub.kind", "'fod'", True)
    assert problem["line"].startswith("datapackage.json, property hub.kind: found 'fod', expected one of food")


def test_validate_what_is_no_package(typed: Typed, home: Path) -> None:
    (home / "empty").mkdir()
    (home / "notes.txt").write_text("", encoding="utf-8")
    for name, said in (
        ("nowhere", "nowhere: there is no such folder; `coevo hubs init nowhere` makes one"),
        ("empty", "empty has no datapackage.json"),
        ("notes.txt", "notes.txt is no package: name its folder"),
    ):
        code, out, err = typed("validate", name)
        assert (code, out) == (2, "") and said in err


def test_validate_follows_no_link_and_opens_no_pipe(typed: Typed, home: Path) -> None:
    secret = home / "secret.csv"
    secret.write_text(FILES["needs.csv"].replace("Seed", "Secret"), encoding="utf-8")
    folder = written(home / "bad", ("resources.3.path", "data/soil.csv"), files={"needs.csv": None, "offers.csv": None})
    (folder / "needs.csv").symlink_to(secret)
    os.mkfifo(folder / "offers.csv")
    (folder / "data").symlink_to(home)
    told = answered(typed("validate", "bad", "--json"), code=1)[0]
    assert [(each["resource"], each["found"]) for each in told["problems"]] == [
        ("needs.csv", "a symbolic link"), ("offers.csv", "what is no file"), ("data/soil.csv", "a symbolic link"),
    ]  # fmt: skip
    assert told["needs"] == told["offers"] == told["measurements"] == 0
    (folder / "datapackage.json").rename(home / "there.json")
    (folder / "datapackage.json").symlink_to(home / "there.json")
    code, _, err = typed("validate", "bad")
    assert code == 1 and "datapackage.json: found a symbolic link, expected the file itself" in err


def test_validate_a_huge_file(typed: Typed, home: Path) -> None:
    folder = written(home / "bad")
    with (folder / "soil.csv").open("r+b") as stream:
        stream.truncate(200_000_000)
    code, _, err = typed("validate", "bad")
    assert code == 1 and "soil.csv: found more than 64 MB, expected at most 64 MB" in err


def test_rules_are_settings(typed: Typed, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "compost,wellbeing_who5,{score},50,60,,,,,12,2016-03-01,2018-10-15,\n"
    written(home / "p", files={"outcomes.csv": FILES["outcomes.csv"].partition("\n")[0] + "\n" + row})
    assert typed("validate", "p")[0] == 0
    monkeypatch.setenv("COEVO_HUBS", '{"fewest_people": 20}')
    code, _, err = typed("validate", "p")
    assert code == 1 and "an aggregate of fewer than 20 people" in err


# ---- add


def test_add_refuses_what_is_wrong_and_leaves_the_lake_alone(typed: Typed, home: Path) -> None:
    written(home / "bad", files={"needs.csv": b"\xff"})
    code, _, err = typed("add", "bad")
    assert code == 1 and "Nothing was added." in err
    assert not (home / "data_lake").exists()
    assert answered(typed("add", "bad", "--json"), code=1)["valid"] is False


def test_add_takes_only_what_the_package_names(typed: Typed, home: Path) -> None:
    folder = written(home / "p", ("resources.3.path", "data/soil.csv"))
    (folder / "data").mkdir()
    (folder / "soil.csv").rename(folder / "data" / "soil.csv")
    (folder / "members.xlsx").write_bytes(b"names")
    assert typed("add", "p")[0] == 0
    assert sorted(stored(home)) == [
        f"green-valley/{name}"
        for name in ("data/soil.csv", "datapackage.json", "needs.csv", "offers.csv", "outcomes.csv")
    ]
    assert stored(home)["green-valley/datapackage.json"] == (folder / "datapackage.json").read_bytes()
    code, out, _ = typed("validate", home / "data_lake" / "hub_packages" / "green-valley")
    assert code == 0, out


def test_add_versions(typed: Typed, home: Path) -> None:
    folder = written(home / "p")
    assert answered(typed("add", "p", "--json"))["added"] is True
    assert answered(typed("add", "p", "--json"))["added"] is False
    first = stored(home)
    changes: list[tuple[tuple[str, Any], ...]] = [
        (("title", "Another"),),
        (("version", "1.0.1"),),
        (("version", "1.0.1"), ("created", "2019-03-19T00:00:00Z")),
    ]
    said = (
        "version 1.0.0 is in the lake already, with other content",
        "was created 2019-03-20T00:00:00Z",
        "is after that",
    )
    for change, words in zip(changes, said, strict=True):
        written(folder, *change)
        code, _, err = typed("add", "p")
        assert code == 2 and words in err
        assert stored(home) == first
    dropped = [each for each in DESCRIPTOR["resources"] if each["name"] != "soil"]
    written(folder, ("version", "1.1.0"), ("created", "2019-03-26T00:00:00Z"), ("resources", dropped))
    told = answered(typed("add", "p", "--json"))
    assert (told["replaced"], told["date"], told["added"]) == ("1.0.0", "2019-03-26", True)
    assert "green-valley/soil.csv" not in stored(home)
    assert json.loads(stored(home)["green-valley/datapackage.json"])["version"] == "1.1.0"
    left = {each.name for each in (home / "data_lake").iterdir()}
    assert left <= {"hub_packages", "hub_packages.lock"}


def test_add_that_fails_leaves_what_was_there(typed: Typed, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(home / "p")
    assert typed("add", "p")[0] == 0
    before = stored(home)
    written(folder, ("version", "1.1.0"), ("created", "2019-03-26T00:00:00Z"))
    real = Path.replace

    def full(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full)
    code, _, err = typed("add", "p")
    assert code == 2 and "cannot be written: No space left on device" in err
    assert stored(home) == before
    assert not list((home / "data_lake").glob(".hub-*"))


def test_add_keeps_no_exact_place_of_a_private_home(typed: Typed, home: Path) -> None:
    changes: tuple[tuple[str, Any], ...] = (
        ("hub.place.private", True), ("hub.place.street", "Rosenweg"), ("spatial", "52.1301,11.6302"),
    )  # fmt: skip
    folder = written(home / "p", *changes)
    code, _, err = typed("add", "p")
    assert code == 1 and "hub.place.street" in err
    written(folder, changes[0], changes[2])
    code, out, _ = typed("add", "p")
    assert code == 0 and "Its place is kept as 52.1" in out and "52.1301" not in out
    assert "52.1301" in in_words(folder)
    kept = in_words(home / "data_lake")
    assert "52.1301" not in kept and "11.6302" not in kept and "18.2" in kept
    code, out, err = typed("validate", home / "data_lake" / "hub_packages" / "green-valley")
    assert (code, err) == (0, "")
    assert answered(typed("add", "p", "--json"))["added"] is False


def test_add_where_the_places_of_a_home_cannot_be_moved(typed: Typed, home: Path) -> None:
    soil = FILES["soil.csv"].replace("latitude,longitude", "lat,lon")
    fields = [*DESCRIPTOR["resources"][3]["schema"]["fields"]]
    fields[1:3] = [{"name": "lat", "type": "number"}, {"name": "lon", "type": "number"}]
    change = ("resources.3.schema.fields", fields)
    written(home / "p", change, files={"soil.csv": soil})
    assert typed("validate", "p")[0] == 0
    written(home / "p", change, ("hub.place.private", True), files={"soil.csv": soil})
    for command in ("validate", "add"):
        code, _, err = typed(command, "p")
        assert code == 1 and "soil.csv: found places that cannot be moved to a grid" in err
    assert not (home / "data_lake").exists()


def test_add_before_all_that_the_lake_holds(typed: Typed, home: Path) -> None:
    day = "1955-01-01"
    written(home / "p", ("created", f"{day}T00:00:00Z"), ("hub.consent.date", day), ("hub.since", day),
            ("resources", DESCRIPTOR["resources"][:2]))  # fmt: skip
    code, _, err = typed("add", "p")
    assert code == 2 and "green-valley was created 1955-01-01, before all that this lake holds" in err


def test_add_to_what_is_no_folder(typed: Typed, home: Path) -> None:
    written(home / "p")
    (home / "data_lake").write_text("", encoding="utf-8")
    code, _, err = typed("add", "p")
    assert code == 2 and "data_lake is a file: --lake (COEVO_LAKE) names a folder" in err


# ---- list


def registry(root: Path) -> None:
    """A lake with one hub on one day, as the stage writes it."""
    import polars as pl

    from coevo_pipelines.hubs.package import Rules, read_descriptor
    from coevo_pipelines.lake.schemas import table
    from coevo_pipelines_tests.hubs.packages import as_bytes

    package, _ = read_descriptor(as_bytes(DESCRIPTOR), Rules())
    assert package is not None
    numbers = {"datasets": 5, "measurements": 2, "needs": 1, "offers": 1, "versions": 1}
    row = package.row() | {"published_at": package.created} | numbers
    frame = pl.DataFrame([row], schema=table("hubs.registry").polars_schema(), orient="row")
    lake = Lake(root)
    lake.write("hubs.registry", date(2019, 3, 25), frame)
    build(lake)


def test_list(typed: Typed, home: Path) -> None:
    code, _, err = typed("list")
    assert code == 2 and "is not a lake" in err
    registry(home / "data_lake")
    written(home / "q", ("name", "other-garden"))
    assert typed("add", "q")[0] == 0
    code, out, _ = typed("list")
    assert code == 0
    assert "1 hub on 2019-03-25" in out and "hub:green-valley" in out and "52.13, 11.63 Magdeburg" in out
    assert "Added and not read yet: other-garden." in out
    told = answered(typed("list", "--json"))
    assert (told["date"], told["added_not_run"]) == ("2019-03-25", ["other-garden"])
    assert [(each["hub_id"], each["needs"]) for each in told["hubs"]] == [("hub:green-valley", 1)]
    code, _, err = typed("list", "--date", "2019-03-27")
    assert code == 2 and "2019-03-27 is not in the lake; it has 2019-03-25 to 2019-03-25" in err
    (home / "data_lake" / "coevo.duckdb").unlink()
    code, _, err = typed("list")
    assert code == 2 and "coevo.duckdb does not exist" in err


def test_list_of_a_lake_without_hubs(typed: Typed, home: Path) -> None:
    registry(home / "data_lake")
    shutil.rmtree(home / "data_lake" / "ledger")
    (home / "data_lake" / "ledger").mkdir()
    build(Lake(home / "data_lake"))
    code, _, err = typed("list")
    assert code == 2 and "has no hubs yet" in err
