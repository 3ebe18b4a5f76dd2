"""The command as a user types it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import coevo, environment


def test_help_answers_without_the_heavy_packages() -> None:
    """What keeps `coevo --help` under half a second is what it does not import."""
    code = (
        "import sys; sys.argv = ['coevo', '--help']\n"
        "from coevo_pipelines.cli import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'dagster', 'polars', 'duckdb', 'pyarrow', 'ibis', 'numpy', 'pydantic', 'requests'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert "coevo run --date" in found.stdout
    assert found.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize(
    "name",
    [
        *("run", "verify", "query", "status", "catalog", "settings"),
        *("influence", "influence score", "influence explain", "influence compare"),
        *("genome pack", "genome audit", "genome verify", "genome prove", "genome verify-proof", "genome unpack"),
    ],
)
def test_every_command_explains_itself(name: str) -> None:
    found = coevo(*name.split(), "--help")
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) > 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("influence", "explain", "arxiv:1"), "is not a lake (it has no ledger)"),
        (("influence", "compare", "2019-03-25", "2019-03-26"), "is not a lake (it has no ledger)"),
        (("run", "--date", "yesterday"), "'yesterday' is not a date: write it as YYYY-MM-DD"),
        (("run", "--date", "2019-03-24"), "2019-03-24 is before the lake's first partition 2019-03-25"),
        (("run", "--date", "2999-01-01"), "2999-01-01 is not over yet (UTC)"),
        (("run", "--date", "2019-03-27", "--to", "2019-03-25"), "the range ends (2019-03-25) before it starts"),
        (("verify",), "is not a lake (it has no ledger)"),
        (("query", "SELECT 1"), "does not exist: run `coevo run`"),
        (("query", " "), "the question is empty"),
        (("status",), "is not a lake (it has no ledger)"),
        (("catalog",), "is not a lake (it has no ledger)"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    found = coevo(*arguments, "--lake", str(tmp_path / "nothing"), cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert message in found.stderr
    assert found.stderr.endswith(" (--debug shows the trace)\n")
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "nothing").exists(), "asking wrongly must not make a lake"


@pytest.mark.parametrize("name", ["status", "verify", "catalog"])
def test_a_file_is_no_lake(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    found = coevo(name, "--lake", str(tmp_path / "file"), cwd=tmp_path)
    assert found.returncode == 2
    assert "is a file: --lake (COEVO_LAKE) names a folder" in found.stderr


def test_verify_exit_codes(sample: Settings, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root)
    good = coevo("verify", "--lake", str(root))
    assert good.returncode == 0
    assert "all agree" in good.stdout
    victim = root / "citations" / "edges" / "date=2019-03-25" / "part.parquet"
    victim.write_bytes(victim.read_bytes().replace(b"PAR1", b"PAR2", 1))
    bad = coevo("verify", "--lake", str(root))
    assert bad.returncode == 1
    assert bad.stderr.startswith("citations.edges date=2019-03-25: sha256: expected ")
    as_json = json.loads(coevo("verify", "--lake", str(root), "--json").stdout)
    assert as_json["findings"][0]["file"] == "citations/edges/date=2019-03-25/part.parquet"
    (root / "corpora" / "releases" / "date=2019-03-26" / "part.parquet").write_bytes(b"cut off")
    (root / "genome" / "manifest" / "date=2019-03-26" / "part.parquet").unlink()
    worse = coevo("verify", "--lake", str(root))
    assert worse.returncode == 1
    for line in (
        "corpora.releases date=2019-03-26: length: expected ",
        "genome.manifest date=2019-03-26: file: expected ",
        "releases/sample/date=2019-03-26: corpora.releases says nothing of it: remove it, or ",
    ):
        assert line in worse.stderr


def test_query_formats(sample: Settings) -> None:
    sql = "SELECT node_id, is_stub, title FROM citations.nodes ORDER BY node LIMIT 2"
    lake = ("--lake", str(sample.lake_root))
    listed = json.loads(coevo("query", sql, "--format", "json", *lake).stdout)
    table = list(csv.DictReader(io.StringIO(coevo("query", sql, "-f", "csv", *lake).stdout)))
    shown = coevo("query", sql, *lake).stdout
    assert [row["node_id"] for row in listed] == [row["node_id"] for row in table]
    assert listed[0]["is_stub"] is False
    assert all(row["node_id"] in shown for row in listed)


def test_values_come_out_as_readers_expect(sample: Settings) -> None:
    sql = "SELECT 'nan'::DOUBLE AS n, 1.50::DECIMAL(9,2) AS d, '\\xAA'::BLOB AS b, [1, 2] AS l, true AS t"
    lake = ("--lake", str(sample.lake_root))
    assert json.loads(coevo("query", sql, "-f", "json", *lake).stdout) == [
        {"n": None, "d": 1.5, "b": "aa", "l": [1, 2], "t": True}
    ]
    assert coevo("query", sql, "-f", "csv", *lake).stdout == 'n,d,b,l,t\n,1.5,aa,"[1, 2]",true\n'
    twice = coevo("query", "SELECT 1 AS a, 2 AS a", "-f", "json", *lake)
    assert (twice.returncode, "two columns are named 'a'" in twice.stderr) == (2, True)


def test_a_narrow_locale_does_not_fail_a_good_answer(sample: Settings) -> None:
    found = coevo("query", "SELECT 'Lévy' AS name", "--lake", str(sample.lake_root), PYTHONIOENCODING="ascii")
    assert found.returncode == 0
    assert "L\\xe9vy" in found.stdout


@pytest.mark.parametrize(
    "sql", ["DELETE FROM traces.works", "CREATE TABLE t (a INT)", "SELECT * FROM nonsense", "SELEC"]
)
def test_query_is_read_only_and_explains_errors(sample: Settings, sql: str) -> None:
    found = coevo("query", sql, "--lake", str(sample.lake_root))
    assert found.returncode == 2
    assert found.stderr.startswith("error: ")
    assert "Traceback" not in found.stderr


def test_debug_shows_the_trace(sample: Settings) -> None:
    found = coevo("query", "SELEC", "--lake", str(sample.lake_root), "--debug")
    assert "Traceback" in found.stderr


def test_status_counts_what_is_there(sample: Settings) -> None:
    status = json.loads(coevo("status", "--lake", str(sample.lake_root), "--json").stdout)
    works = next(row for row in status["tables"] if row["table"] == "traces.works")
    assert (works["partitions"], works["observed"], works["incomplete"], works["stale"]) == (3, 3, [], [])
    assert "This is the bundled sample" in coevo("status", "--lake", str(sample.lake_root)).stdout


def test_catalog_is_rebuilt_from_the_parquet_files(sample: Settings, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root)
    (root / "coevo.duckdb").unlink()
    assert coevo("catalog", "--lake", str(root)).returncode == 0
    assert coevo("query", "FROM citations.edges", "--lake", str(root)).returncode == 0


def test_settings_show_the_file_the_environment_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "coevo.toml").write_text('grace_hours = 12\n[sources.arxiv]\npage_size = 77\ntoken = "planted-1"\n')
    found = coevo("settings", cwd=tmp_path, COEVO_SOURCES__OPENALEX__TOKEN="planted-2", GITHUB_TOKEN="planted-3")
    assert "grace_hours = 12" in found.stdout
    assert "sources.arxiv.page_size = 77" in found.stdout
    assert 'sources.github.token = "**********"' in found.stdout
    assert "planted" not in found.stdout
    over = coevo("settings", "--json", cwd=tmp_path, COEVO_GRACE_HOURS="3")
    assert json.loads(over.stdout)["grace_hours"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grace_hours = 'two'", "grace_hours: Input should be a valid integer"),
        ("nonsense = 1", "nonsense: Extra inputs are not permitted"),
        ("[sources.zenodo]\npage_size = 1", "unknown source 'zenodo'; known: arxiv, arxiv_oai, crossref, gbif, github"),
        ("grace_hours = ", "not valid TOML"),
        ("topics = []", "topics is empty"),
    ],
)
def test_a_wrong_settings_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "coevo.toml").write_text(text)
    found = coevo("settings", cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert message in found.stderr
    assert "coevo.toml" in found.stderr


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("COEVO_LAEK", "/x", "no setting is named by the variable COEVO_LAEK (did you mean COEVO_LAKE?)"),
        ("COEVO_SOURCES__ARXIV", "3", "sources.arxiv: expected a table such as {page_size = 100}, found 3"),
        ("COEVO_TOPICS", "abc", "topics"),
        ("COEVO_GRACE_HOURS", "soon", "grace_hours: Input should be a valid integer"),
    ],
)
def test_a_wrong_variable_is_explained(tmp_path: Path, variable: str, value: str, message: str) -> None:
    found = coevo("settings", cwd=tmp_path, **{variable: value})
    assert found.returncode == 2, found.stderr
    assert message in found.stderr


def test_a_second_topic_needs_no_code(tmp_path: Path) -> None:
    (tmp_path / "coevo.toml").write_text('[[topics]]\nname = "cellular-automata"\nterms = ["grey wolf"]\n')
    run = coevo("run", "--date", "2019-03-25", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    titles = coevo(
        "query",
        "SELECT title FROM traces.works WHERE list_contains(topics, 'cellular-automata')",
        "-f",
        "json",
        cwd=tmp_path,
    )
    found = [row["title"].lower() for row in json.loads(titles.stdout)]
    assert found
    assert all("grey wolf" in title for title in found)
