"""`coevo contract …`: what is asked and recorded, what is said, how it ends."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from coevo_pipelines.cli import app
from coevo_pipelines.corpora.consent import contracts
from coevo_pipelines.corpora.consent.asking import FIRST_INPUT, SYSTEM_PROMPT, AskError
from coevo_pipelines.corpora.consent.contracts import ContractError, InForce
from coevo_pipelines.options import UsageError
from coevo_pipelines_tests.corpora.consent.test_asking import completion, serving, tiny
from coevo_pipelines_tests.corpora.consent.test_contracts import model_folder, shard
from coevo_pipelines_tests.runs import coevo, command, environment

__all__ = ["model_folder", "tiny"]  # fixtures

MODEL = "Qwen/Qwen3-4B"
ASK = ("ask", "--model", MODEL, "--revision", "main")
ELSEWHERE = ("--recorded-by", "Ada Lovelace")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, ends: int = 0) -> str:
    """Standard output and errors together."""
    done = CliRunner().invoke(app, ["contract", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == ends, done.output
    return done.output


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("data_lake/contracts/*/*.json"))]


def trusting(folder: Path, said: str) -> str:
    """Do as `coevo contract key` says."""
    public = re.findall(r"public key ([0-9a-f]{64})", said)[0]
    (folder / "coevo.toml").write_text("\n".join(said.splitlines()[-2:]))
    return str(public)


def test_from_the_question_to_a_contract_in_force_and_its_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = trusting(here, run("key", "--out", "my.pem"))
    assert stat.S_IMODE((here / "my.pem").stat().st_mode) == 0o600
    monkeypatch.setenv("MY_KEY", "sk-1")
    with serving(completion("<think>free?</think>Yes, I accept.")) as server:
        options = ("--endpoint", server.url, "--served-as", "q", "--human", "Ada", "--human-id", "ada@example.org")
        asked = run(*ASK, *options, "--key-variable", "MY_KEY", "--place", "at home")
    assert "answered: Yes, I accept." in asked
    assert server.headers[0]["authorization"] == "Bearer sk-1"
    assert server.asked[0]["model"] == "q"
    assert "signature: found none, expected of a trusted key" in run("verify", ends=1)
    assert "human partner: Ada" in run("sign", MODEL, "--key", "my.pem")
    assert run("verify") == "verified: 1 record, all agree\n"
    found = contracts.in_force(here / "data_lake" / contracts.FOLDER, MODEL, "main", (public,))
    assert isinstance(found, InForce)
    record = records(here)[0]
    assert (record["place"], record["artifacts"]["system_prompt"]) == ("at home", SYSTEM_PROMPT)
    assert record["artifacts"]["answer"] == "<think>free?</think>Yes, I accept."
    assert record["participants"]["human"] == {"name": "Ada", "id_hash": contracts.text_hash("ada@example.org")}
    assert record["participants"]["model"]["config"]["address"] == server.url
    assert not any(b"sk-1" in path.read_bytes() for path in here.rglob("*.json"))
    run("revoke", MODEL, "--reason", "changed my mind")
    shown = run("show", MODEL)
    assert f"{MODEL} at main: not in force: {MODEL} at main has no contract any more, it was revoked" in shown
    assert re.findall(r"  (accepted|revoked)", shown) == ["accepted", "revoked"]
    assert FIRST_INPUT in shown
    assert run("verify") == "verified: 2 records, all agree\n", "a revoked contract is whole, too"


def test_the_command_as_a_user_types_it(tmp_path: Path) -> None:
    done = coevo("contract", *ASK, "--answer", "Yes, but no", *ELSEWHERE, cwd=tmp_path)
    assert (done.returncode, "recorded as ambiguous" in done.stdout) == (1, True)
    assert done.stderr == "That is no clear yes: there is no contract, and no corpus is made for it.\n"
    wrong = coevo("contract", "verify", "other/model", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (
        2,
        "error: other/model was never asked: coevo contract ask --help (--debug shows the trace)",
    )


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("No, thank you.", "declined", "It declined: there is no contract"),
        ("I can't say yes", "ambiguous", "That is no clear yes: there is no contract"),
        ("", "ambiguous", "answered: (nothing)"),
        ("\x1b[2JYes", "ambiguous", "answered: \ufffd[2JYes"),
    ],
)
def test_what_is_no_yes_is_recorded_and_ends_with_1(here: Path, answer: str, status: str, said: str) -> None:
    assert said in run(*ASK, "--answer", answer, *ELSEWHERE, ends=1)
    assert [(each["status"], each["artifacts"]["answer"]) for each in records(here)] == [(status, answer)]
    run("key", "--out", "k.pem")
    with pytest.raises(ContractError, match="only an acceptance is signed"):
        run("sign", MODEL, "--key", "k.pem")
    assert len(records(here)) == 1


def test_questions_answers_and_models_from_files(here: Path, model_folder: Path) -> None:
    (here / "q.txt").write_text("Möchtest du?\n", "utf-8")
    (here / "s.txt").write_bytes(b"\xef\xbb\xbf")
    (here / "a.txt").write_bytes(b"Yes.\r\n")
    files = ("--question", "q.txt", "--system", "s.txt", "--answer-file", "a.txt", "--model-files", str(model_folder))
    told = json.loads(run(*ASK, *files, *ELSEWHERE, "--json"))
    assert (told["status"], told["answer"], told["signed_by"]) == ("accepted", "Yes.", None)
    (record,) = records(here)
    texts, model = record["artifacts"], record["participants"]["model"]
    assert (texts["system_prompt"], texts["first_input"], texts["answer"]) == ("", "Möchtest du?", "Yes.")
    assert (model["kind"], model["parameters"]) == ("qwen3", 18)
    assert model["files_hash"] == contracts.files_hash(model_folder)
    public = trusting(here, run("key", "--out", "k.pem"))
    signed = json.loads(run("sign", "--key", "k.pem", "--json", MODEL))
    assert (signed["signed_by"], signed["trusted"]) == (public, True)
    assert "all agree" in run("verify", MODEL, "--model-files", str(model_folder))
    with (here / "coevo.toml").open("a") as stream:
        stream.write(f'\nmodel_files = {{ "{MODEL}" = "{model_folder}" }}\n')
    assert "in force" in run("show")
    shard(model_folder / "model-2.safetensors", c=[6])
    assert "model files: found" in run("verify", ends=1)
    told = json.loads(run("verify", "--json", ends=1))
    assert [check["name"] for check in told[0]["checks"] if not check["passed"]] == ["model files"]
    assert "not in force" in run("show")


def test_a_local_model_is_asked_and_its_files_are_hashed(here: Path, tiny: Path) -> None:
    said = run(*ASK, "--local", str(tiny), "--max-tokens", "8", "--human", "Ada", ends=1)
    assert "recorded as ambiguous" in said
    (record,) = records(here)
    model = record["participants"]["model"]
    assert (model["kind"], model["config"]["how"], model["config"]["max_new_tokens"]) == ("llama", "local", 8)
    assert model["files_hash"] == contracts.files_hash(tiny)


def test_an_invitation_and_its_answer(here: Path) -> None:
    said = run(*ASK, "--invite", "--human", "Ada")
    assert FIRST_INPUT in said
    assert "recorded as invited" in said
    run(*ASK, "--answer", "Yes", *ELSEWHERE)
    chain = contracts.chain_of(here / "data_lake" / "contracts", MODEL, "main")
    assert [each.contract.status for each in chain] == ["invited", "accepted"]
    told = json.loads(run("show", MODEL, "--json"))
    assert sorted(each["status"] for each in told["records"]) == ["accepted", "invited"]
    assert told["contracts"][0]["in_force"] is None
    assert "nobody has signed" in told["contracts"][0]["reason"]


def test_a_blueprint_names_the_model(here: Path) -> None:
    run("ask", "--blueprint", "qwen3-4b", "--answer", "Yes", *ELSEWHERE)
    (record,) = records(here)
    assert record["participants"]["model"]["id"] == MODEL
    run("key", "--out", "k.pem")
    assert "This key is not trusted yet" in run("sign", "--blueprint", "qwen3-4b", "--key", "k.pem")
    run("revoke", "--blueprint", "qwen3-4b", "--reason", "enough")
    assert [each["status"] for each in records(here)].count("revoked") == 1


def test_a_broken_chain_is_not_asked_on_and_verify_names_it(here: Path) -> None:
    run(*ASK, "--invite", "--human", "Ada")
    (path,) = here.glob("data_lake/contracts/*/*.json")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Ada", b"Eve"))
    with serving(completion()) as server, pytest.raises(ContractError, match=path.name):
        run(*ASK, "--endpoint", server.url, "--human", "Ada")
    assert server.asked == [], "it is verified before the model is asked"
    assert "it was changed or renamed" in run("verify", ends=1)
    assert json.loads(run("verify", "--json", ends=1))[0]["passed"] is False
    assert "it was changed or renamed" in run("show")
    path.write_bytes(whole)
    assert "all agree" in run("verify")


def test_nothing_is_recorded_when_there_is_no_answer(here: Path) -> None:
    with serving(completion(None)) as server, pytest.raises(AskError, match="nothing was recorded"):
        run(*ASK, "--endpoint", server.url, "--human", "Ada")
    assert records(here) == []


def test_several_at_once_make_one_chain(tmp_path: Path) -> None:
    asked = command("contract", *ASK, "--answer", "Hm", *ELSEWHERE)
    running = [
        subprocess.Popen(asked, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [each.communicate(timeout=60)[1] for each in running]
    assert [each.returncode for each in running] == [1, 1], errors
    assert len(contracts.chain_of(tmp_path / "data_lake" / "contracts", MODEL, "main")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ask", "--answer", "Yes", *ELSEWHERE), "name a model, or a --blueprint"),
        (("ask", "--model", MODEL, "--answer", "Yes", *ELSEWHERE), "name the --revision"),
        (("ask", "--model", "../x", "--revision", "main", "--answer", "Yes", *ELSEWHERE), "is no model id"),
        (("ask", "--model", MODEL, "--revision", " ", "--answer", "Yes", *ELSEWHERE), "revision: must be one line"),
        (("ask", "--blueprint", "absent", "--answer", "Yes", *ELSEWHERE), "no blueprint is called 'absent'"),
        (("ask", "--blueprint", "qwen3-4b", "--model", MODEL), "name a model, or a --blueprint"),
        (("ask", "--blueprint", "qwen3-4b", "--revision", "v2"), "leave --revision out"),
        (ASK, "given: none"),
        ((*ASK, "--answer", "Yes", "--invite"), "given: --answer, --invite"),
        ((*ASK, "--answer", "Yes"), "Name them with --recorded-by"),
        ((*ASK, "--invite", *ELSEWHERE), "--recorded-by goes with --answer"),
        ((*ASK, "--invite", "--human", "Ada", "--served-as", "x"), "--served-as goes with --endpoint"),
        ((*ASK, "--endpoint", "http://127.0.0.1:1"), "name the human one with --human"),
        ((*ASK, "--invite", "--human", "Ada\nEve"), "participants.human.name: must be one line"),
        ((*ASK, "--invite", "--human", "Ada", "--place", ""), "place: "),
        ((*ASK, "--invite", "--human", "Ada", "--question", "absent"), "absent: No such file"),
        ((*ASK, "--invite", "--human", "Ada", "--question", "binary"), "binary: not UTF-8"),
        ((*ASK, "--invite", "--human", "Ada", "--question", "empty"), "empty: the question is empty"),
        ((*ASK, "--endpoint", "http://x", "--human", "A", "--key-variable", "NOT_SET"), "NOT_SET is not set"),
        (("sign", MODEL, "--key", "k.pem"), "was never asked"),
        ((*ASK, "--invite", "--human", "Ada", "--model-files", "absent"), "absent: there is no such folder"),
        (("verify", "../x"), "is no model id"),
        (("verify",), "no model was asked yet"),
        (("verify", MODEL), "was never asked"),
        (("verify", "--model-files", "."), "--model-files belongs to a model"),
        (("show",), "no model was asked yet"),
        (("revoke", MODEL, "--reason", "x"), "was never asked"),
        (("revoke", MODEL, "--revision", "main", "--reason", "x"), "there is nothing to revoke"),
        (("revoke", MODEL), "say why, with --reason"),
        (("key", "--out", "absent/k.pem"), "absent: there is no such folder"),
        (("key", "--out", "empty"), "a key is never written over"),
    ],
)
def test_asked_wrongly(here: Path, arguments: tuple[str, ...], message: str) -> None:
    (here / "binary").write_bytes(b"\xff")
    (here / "empty").write_bytes(b"\n")
    with pytest.raises(UsageError) as caught:
        run(*arguments)
    assert message in str(caught.value)
    assert records(here) == []


def test_keys_that_cannot_sign(here: Path) -> None:
    run(*ASK, "--answer", "Yes", *ELSEWHERE)
    ed = Ed25519PrivateKey.generate()
    pem = (Encoding.PEM, PrivateFormat.PKCS8)
    for data, message in (
        (None, "No such file"),
        (b"", "no private key in PEM"),
        (ed.public_key().public_bytes_raw(), "no private key in PEM"),
        (ed.private_bytes(*pem, BestAvailableEncryption(b"x")), "the key is encrypted"),
        (X25519PrivateKey.generate().private_bytes(*pem, NoEncryption()), "another kind than Ed25519"),
    ):
        if data is not None:
            (here / "k.pem").write_bytes(data)
        with pytest.raises(UsageError, match=message):
            run("sign", MODEL, "--key", "k.pem")
    (here / "k.pem").write_bytes(ed.private_bytes(*pem, NoEncryption()))
    (here / "k.pem").chmod(0o644)
    assert "others can read this key: chmod 600 k.pem" in run("sign", MODEL, "--key", "k.pem")
    with pytest.raises(ContractError, match="is signed already"):
        run("sign", MODEL, "--key", "k.pem")
    run(*ASK[:-1], "v2", "--answer", "Yes", *ELSEWHERE)
    with pytest.raises(UsageError, match="name its --revision; these were asked: main, v2"):
        run("sign", MODEL, "--key", "k.pem")
