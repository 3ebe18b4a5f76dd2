"""`coevo chrysalis …` on a lake with a signed contract and a real release: what it trains, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.main import get_command
from typer.testing import CliRunner

from coevo_pipelines.cli import app
from coevo_pipelines.corpora import blueprints
from coevo_pipelines.corpora.consent import contracts
from coevo_pipelines.corpora.consent.answers import classify
from coevo_pipelines.corpora.releases import release
from coevo_pipelines.corpora.training import chrysalis
from coevo_pipelines.corpora.training.chrysalis import ChrysalisError, Recipe
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import file_sha256
from coevo_pipelines.options import UsageError
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import load_settings
from coevo_pipelines_tests.corpora.releases.test_release import document, made, sha
from coevo_pipelines_tests.corpora.training.test_chrysalis import model, put, texts  # noqa: F401
from coevo_pipelines_tests.runs import command, environment

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DAY = date(2026, 11, 20)
ASKED = datetime(2026, 11, 20, 12, tzinfo=UTC)
TINY = """
tokenizer = "bytes"
context_length = 64
[model]
id = "someone/tiny"
"""
RUN = ("chrysalis", "run", "--blueprint", "tiny")


def accepted(lake: Path, files_hash: str | None) -> contracts.Contract:
    """The model was asked, said yes, and somebody signed."""
    folder = lake / contracts.FOLDER
    whom = {
        "id": "someone/tiny", "revision": "main", "kind": None, "parameters": None, "files_hash": files_hash,
        "config": {"how": "recorded", "by": "Ada"},
    }  # fmt: skip
    human = {"name": "Ada", "id_hash": sha("ada@example.org")}
    draft = contracts.drafted(
        place="here", status=classify("Yes."), participants={"human": human, "model": whom},
        artifacts=contracts.artifacts("", "Do you accept?", "Yes."),
    )  # fmt: skip
    contracts.append(folder, draft, lambda: ASKED)
    return contracts.sign(folder, "someone/tiny", "main", KEY).contract


def released(lake: Path, contract: contracts.Contract) -> None:
    """A release of sequences to train on and to measure with, and its row in the lake."""
    documents = [document("acme/one:a.py", "train", "a"), document("acme/two:c.py", "validation", "c")]
    sequences = pl.concat(
        [
            texts(numbers).with_columns(
                place=pl.int_range(pl.len(), dtype=pl.Int64), split=pl.lit(split), stage=pl.lit("all"),
                documents=pl.lit([doc_id]),
            )
            for numbers, split, doc_id in (
                (range(16), "train", "acme/one:a.py"), (range(20, 24), "validation", "acme/two:c.py"),
            )
        ]
    )  # fmt: skip
    folder = f"corpora/releases/tiny/date={DAY}"
    blueprint = blueprints.parse(TINY, "tiny", lake)
    written = release.write(
        lake / folder,
        made(
            blueprint=blueprint, contract=contracts.to_bytes(contract), contract_hash=contract.hash, genome_root=None,
            documents=pl.DataFrame(documents, infer_schema_length=None), sequences=sequences,
        ),
    )  # fmt: skip
    told = {
        "blueprint": "tiny", "status": "released", "model_id": "someone/tiny", "model_revision": "main",
        "blueprint_sha256": sha(""), "tokenizer_sha256": sha(""), "contract_hash": contract.hash, "folder": folder,
        "digest": written.digest,
    }  # fmt: skip
    table = schemas.table("corpora.releases")
    withheld = {"blueprint": "other", "status": "withheld", "why": "someone/other was never asked"}
    zeros = {column.name: "" if column.type == "string" else 0 for column in table.columns if not column.nullable}
    rows = pl.DataFrame([zeros | told, zeros | withheld], schema=table.polars_schema(), orient="row")
    open_lake(load_settings(lake=lake)).write("corpora.releases", DAY, rows)


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A folder with a lake, a model and settings that trust the signer. Not to be changed."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(model, place / "model")
    released(place / "data_lake", accepted(place / "data_lake", contracts.files_hash(model)))
    (place / "coevo.toml").write_text(
        f'[corpora]\ntrusted_keys = ["{contracts.public_key(KEY)}"]\nmodel_files = {{"someone/tiny" = "model"}}\n'
    )
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as working directory."""
    shutil.copytree(whole, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def refused(*arguments: str) -> str:
    """Why a run was refused before it began; nothing is archived then."""
    result = CliRunner().invoke(app, [*RUN, *arguments])
    assert isinstance(result.exception, ChrysalisError | UsageError), result.output
    assert not Path("data_lake", chrysalis.FOLDER).exists()
    return str(result.exception)


def test_a_run_from_the_release_to_the_archive(place: Path) -> None:
    (place / "model").rename(place / "elsewhere")
    done = CliRunner().invoke(
        app,
        [*RUN, "--model", "elsewhere", "--steps", "6", "--batch", "4", "--learning-rate", "0.01", "--rank", "4",
         "--device", "cpu", "--out", "adapter"],
    )  # fmt: skip
    assert done.exit_code == 0, done.exception
    assert "step 6 of 6: loss" in done.stderr
    (listed,) = json.loads(CliRunner().invoke(app, ["chrysalis", "list", "--json"]).stdout)
    assert f"held-out loss {listed['loss_before']:.4f} -> {listed['loss_after']:.4f} nats a token\n" in done.stdout
    assert listed["status"] == "succeeded"
    assert listed["loss_after"] < listed["loss_before"]
    assert (listed["steps"], listed["recipe"]["rank"], listed["recipe"]["alpha"]) == (6, 4, Recipe().alpha)
    corpus = place / f"data_lake/corpora/releases/tiny/date={DAY}"
    assert listed["lineage"] == {
        "blueprint": "tiny", "release_digest": release.digest_of(corpus),
        "contract_hash": json.loads((corpus / "release.json").read_bytes())["contract_hash"],
        "genome_root": None, "model_id": "someone/tiny", "model_revision": "main",
        "model_files_sha256": contracts.files_hash(place / "elsewhere"),
    }  # fmt: skip
    weights = place / "adapter" / "adapter_model.safetensors"
    assert file_sha256(weights) == listed["adapter_sha256"]


def test_a_failed_run_ends_with_1_and_says_where_it_is_kept(place: Path) -> None:
    result = CliRunner().invoke(app, [*RUN, "--learning-rate", "1e30", "--device", "cpu"])
    assert result.exit_code == 1
    assert "take a smaller --learning-rate" in result.stderr
    (record,) = chrysalis.runs(place / "data_lake")
    assert str(chrysalis.folder_of(place / "data_lake", record.run_id)) in result.stderr
    again = CliRunner().invoke(app, ["chrysalis", "run", "--resume", record.run_id, "--json"])
    assert again.exit_code == 1
    assert len(json.loads(again.stdout)["resumed_at"]) == 1
    for arguments, said in (
        (("--resume", record.run_id, "--rank", "2"), "as the run was set"),
        (("--resume", record.run_id, "--blueprint", "tiny"), "one of the two"),
        (("--resume", "zz"), "there is no such run"),
        ((), "one of the two"),
    ):
        result = CliRunner().invoke(app, ["chrysalis", "run", *arguments])
        assert said in str(result.exception)


def test_a_killed_run_is_recognized(place: Path) -> None:
    lake = place / "data_lake"
    asked = command(*RUN, "--steps", "100000", "--device", "cpu")
    with subprocess.Popen(asked, cwd=place, env=environment(OMP_NUM_THREADS="1"), stderr=subprocess.PIPE) as process:
        try:
            for _ in range(2000):
                time.sleep(0.1)
                if process.poll() is not None or any(
                    len(chrysalis.losses(each)) > 2 for each in lake.glob("chrysalides/[!.]*")
                ):
                    break
            assert [each.status for each in chrysalis.runs(lake)] == ["running"]
        finally:
            process.kill()
    listed = CliRunner().invoke(app, ["chrysalis", "list"]).stdout
    assert " killed " in listed
    (record,) = chrysalis.runs(lake)
    assert (record.status, record.error) == ("killed", "its process ended without a word")
    assert record.steps == len(chrysalis.losses(chrysalis.folder_of(lake, record.run_id))) > 2
    assert record.loss_before is not None
    assert (record.loss_after, record.finished_at) == (None, None)
    assert [row["status"] for row in chrysalis.rows(lake)] == ["killed"]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("data_lake/corpora/releases/tiny/date=2026-11-20/data/sequences/train-00000-of-00001.parquet", "SHA-256 is"),
        ("data_lake/corpora/releases/tiny/date=2026-11-20/contract.json", "contract.json: "),
        ("data_lake/corpora/releases/tiny/date=2026-11-20/release.json", "the digest on record is"),
        ("data_lake/contracts/someone--tiny/*.signed.json", "someone--tiny"),
        ("model/config.json", "model files: found"),
        ("model/model.safetensors", "model files: found"),
    ],
)
def test_a_changed_byte_anywhere_stops_it(place: Path, file: str, said: str) -> None:
    (path,) = place.glob(file)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert said in refused()


def test_without_a_contract_in_force_there_is_no_training(place: Path) -> None:
    folder = place / "data_lake" / contracts.FOLDER
    own = contracts.chain_of(folder, "someone/tiny", "main")[-1].contract
    contracts.append(folder, contracts.revocation(own, "here", "changed its mind"), lambda: datetime.now(UTC))
    assert "was revoked" in refused()
    shutil.rmtree(folder / "someone--tiny")
    assert "was never asked" in refused()
    accepted(place / "data_lake", None)
    assert f"was released under contract {own.hash}" in refused()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--blueprint", "tinny"), "no release of 'tinny' (did you mean tiny?)"),
        (("--blueprint", "other"), "other of 2026-11-20 was not released: someone/other was never asked"),
        (("--date", "2026-11-19"), "no release of 'tiny' on 2026-11-19"),
        (("--date", "yesterday"), "write it as YYYY-MM-DD"),
        (("--model", "someone/else"), "the contract is with someone/tiny"),
        (("--learning-rate", "0"), "--learning-rate: "),
        (("--warmup", "1"), "--warmup: "),
        (("--out", "model"), "--out names a new folder"),
        (("--device", "cuda"), "sees no GPU here"),
    ],
)
def test_what_was_asked_wrongly(place: Path, arguments: tuple[str, ...], said: str) -> None:  # noqa: ARG001
    if arguments == ("--device", "cuda") and chrysalis.device_of("auto") == "cuda":
        pytest.skip("this machine has a GPU")
    assert said in refused(*arguments)


@contextmanager
def hub(status: int, **headers: str) -> Iterator[str]:
    """A Hub that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (403, {"X_Error_Code": "GatedRepo"}, "it is gated: ask for access at http://127"),
        (404, {"X_Error_Code": "RepoNotFound"}, "404"),
    ],
)
def test_a_model_that_the_hub_does_not_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], said: str
) -> None:
    from coevo_pipelines.corpora.training.commands import _folder

    monkeypatch.chdir(tmp_path)
    with hub(status, **headers) as address:
        monkeypatch.setenv("COEVO_SOURCES__HUGGINGFACE__BASE_URL", address)
        with pytest.raises(ChrysalisError, match=said) as caught:
            _folder(load_settings(source="live"), "someone/tiny-that-is-nowhere", "main", None)
        assert "name its folder with --model" in str(caught.value)
    with pytest.raises(ChrysalisError, match="the lake is offline"):
        _folder(load_settings(source="sample"), "someone/tiny-that-is-nowhere", "main", None)


def test_list_and_show_without_training(tmp_path: Path) -> None:
    told = ["--lake", str(tmp_path / "lake")]
    assert "no run yet" in CliRunner().invoke(app, ["chrysalis", "list", *told]).output
    put(tmp_path / "lake", "aa11", error="not enough memory", loss_before=2.5)
    listed = CliRunner().invoke(app, ["chrysalis", "list", *told]).output.splitlines()[-1]
    assert listed.split() == [
        "aa11", "2026-11-20", "12:00", "tiny", "someone/tiny", "failed", "0", "2.5000", "->", "-",
    ]  # fmt: skip
    shown = CliRunner().invoke(app, ["chrysalis", "show", "aa", *told])
    assert shown.exit_code == 0, shown.exception
    assert "aa11: failed: not enough memory" in shown.output
    assert "recipe.learning_rate = 0.01" in shown.output
    assert "lineage.model_id = someone/tiny" in shown.output
    absent = CliRunner().invoke(app, ["chrysalis", "show", "bb", *told])
    assert "there is no such run" in str(absent.exception)


def test_help_shows_the_defaults_of_the_recipe() -> None:
    main: Any = get_command(app)
    options = {option.name: option for option in main.commands["chrysalis"].commands["run"].params}
    shown = {
        name: options[name].show_default
        for name, field in Recipe.model_fields.items()
        if field.default not in {None, False}
    }
    assert shown == {name: str(Recipe.model_fields[name].default) for name in shown}
    assert set(Recipe.model_fields) <= set(options)
