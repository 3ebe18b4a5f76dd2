"""Records, signatures and chains: what holds, and that every change is found."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.consent import contracts
from coevo_pipelines.corpora.consent.answers import classify
from coevo_pipelines.corpora.consent.contracts import Contract, ContractError, Damaged, InForce, Kept, Refused

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = (contracts.public_key(KEY),)
MODEL, REVISION = "Qwen/Qwen3-0.6B-Base", "main"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def draft(
    answer: str | None = "Yes.", *, model: str = MODEL, revision: str = REVISION, **config: Any
) -> contracts.Draft:
    told = config or ({"how": "invited"} if answer is None else {"how": "recorded", "by": "Ada"})
    status = "invited" if answer is None else classify(answer)
    return contracts.drafted(
        place="at the kitchen table",
        status=status,
        participants={
            "human": {"name": "Ada Lovelace", "id_hash": contracts.text_hash("ada@example.org")},
            "model": {
                "id": model,
                "revision": revision,
                "kind": "qwen3",
                "parameters": 596_049_920,
                "files_hash": None,
                "config": told,
            },
        },
        artifacts=contracts.artifacts("Be free.", "Do you accept?", answer),
    )


def clock(start: datetime = START) -> Any:
    seconds = count()
    return lambda: start + timedelta(seconds=next(seconds))


def signed(folder: Path, **given: Any) -> Kept:
    contracts.append(folder, draft(**given), clock())
    return contracts.sign(folder, given.get("model", MODEL), given.get("revision", REVISION), KEY)


def state(folder: Path, **given: Any) -> InForce | Refused:
    return contracts.in_force(folder, MODEL, REVISION, TRUSTED, **given)


def reason(folder: Path, **given: Any) -> str:
    found = state(folder, **given)
    assert isinstance(found, Refused), "is in force"
    return found.reason


def rewritten(kept: Kept, change: Any, *, resign: Ed25519PrivateKey | None = None) -> Path:
    """The record with its fields changed, under the name that it then has; the old file is gone."""
    record = json.loads(kept.path.read_bytes())
    change(record)
    own = hashlib.sha256(rfc8785.dumps({k: v for k, v in record.items() if k != "signature"}))
    if resign is not None:
        public = resign.public_key().public_bytes_raw().hex()
        value = resign.sign(own.digest()).hex()
        record["signature"] = {"algorithm": "Ed25519", "public_key": public, "value": value}
    for path in kept.path.parent.glob(f"{kept.contract.hash}*"):
        path.unlink()
    path = kept.path.with_name(f"{own.hexdigest()}{'.signed' if record['signature'] else ''}.json")
    path.write_bytes(rfc8785.dumps(record))
    return path


def test_a_record_is_what_the_spec_says(tmp_path: Path) -> None:
    """Checked with nothing of the module under test: any RFC 8785, SHA-256 and Ed25519 can verify a contract."""
    kept = signed(tmp_path)
    data = kept.path.read_bytes()
    record = json.loads(data)
    assert set(record) == {"created_at", "place", "status", "participants", "artifacts", "previous", "signature"}
    assert set(record["participants"]["model"]) == {"id", "revision", "kind", "parameters", "files_hash", "config"}
    assert set(record["participants"]["human"]) == {"name", "id_hash"}
    assert record["artifacts"] == {
        "system_prompt": "Be free.",
        "system_prompt_hash": hashlib.sha256(b"Be free.").hexdigest(),
        "first_input": "Do you accept?",
        "first_input_hash": hashlib.sha256(b"Do you accept?").hexdigest(),
        "answer": "Yes.",
        "answer_hash": hashlib.sha256(b"Yes.").hexdigest(),
    }
    assert (record["status"], record["previous"]) == ("accepted", None)
    assert record["created_at"] == "2026-11-20T12:00:00+00:00"
    assert record["participants"]["human"]["id_hash"] == hashlib.sha256(b"ada@example.org").hexdigest()
    assert b"ada@example.org" not in data
    signature = record.pop("signature")
    # Python's own JSON is canonical where all is ASCII and no number is a float.
    digest = hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).digest()
    assert kept.path == tmp_path / "Qwen--Qwen3-0.6B-Base" / f"{digest.hex()}.signed.json"
    assert kept.contract.hash == digest.hex()
    assert signature["algorithm"] == "Ed25519"
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["public_key"]))
    public.verify(bytes.fromhex(signature["value"]), digest)
    unsigned = kept.path.with_name(f"{digest.hex()}.json")
    assert json.loads(unsigned.read_bytes()) == record | {"signature": None}


def test_known_bytes(tmp_path: Path) -> None:
    """The same fields give the same bytes, for ever: a release of years ago must still verify."""
    kept = signed(tmp_path)
    assert kept.contract.hash == KNOWN_HASH
    again = signed(tmp_path / "again")
    assert again.path.read_bytes() == kept.path.read_bytes()


KNOWN_HASH = "27683c9f2f067d75d6e96a72140e0c42600831d0db9aade03803fa0b7ff0c414"


def test_in_force_says_so_with_its_checks(tmp_path: Path) -> None:
    kept = signed(tmp_path)
    found = state(tmp_path)
    assert isinstance(found, InForce)
    assert (found.contract, found.path) == (kept.contract, kept.path)
    assert all(check.passed for check in found.checks)
    names = [check.name for check in found.checks]
    assert names == [
        *("file", "file name", "files beside it", "system prompt", "first input", "answer", "status"),
        *("signature", "key", "no fork"),
    ]
    told = json.loads(contracts.audit_json(found.contract, found.checks))
    assert (told["passed"], told["contract"], [check["name"] for check in told["checks"]]) == (
        True,
        kept.contract.hash,
        names,
    )
    assert contracts.audit_json(found.contract, found.checks) == contracts.audit_json(found.contract, found.checks)
    assert contracts.header(kept.contract).splitlines() == [
        "status: accepted",
        "time: 2026-11-20T12:00:00+00:00",
        "model: Qwen/Qwen3-0.6B-Base at main",
        "model files: not on record",
        "human partner: Ada Lovelace",
        f"contract: sha256:{kept.contract.hash}",
    ]


@pytest.mark.parametrize(
    ("answer", "way"),
    [
        (None, "was invited and has not answered (2026-11-20T12:00:00+00:00): coevo contract ask --model Qwen/"),
        (
            "No.",
            "declined (2026-11-20T12:00:00+00:00): coevo contract ask --model Qwen/Qwen3-0.6B-Base --revision main",
        ),
        ("Hm.", "gave no clear answer"),
        ("Yes.", "nobody has signed"),
    ],
)
def test_what_is_no_contract(tmp_path: Path, answer: str | None, way: str) -> None:
    kept = contracts.append(tmp_path, draft(answer), clock())
    assert way in reason(tmp_path)
    with pytest.raises(ContractError, match="only an accepted contract"):
        contracts.header(kept.contract)
    if answer != "Yes.":
        with pytest.raises(ContractError, match="only an acceptance is signed"):
            contracts.sign(tmp_path, MODEL, REVISION, KEY)
        assert len(list(kept.path.parent.glob("*.json"))) == 1


def test_never_asked_and_another_revision(tmp_path: Path) -> None:
    assert "main was never asked: coevo contract ask" in reason(tmp_path / "absent")
    signed(tmp_path, revision="v2")
    assert "main was never asked (it was at v2; each revision is asked for itself)" in reason(tmp_path)
    assert isinstance(contracts.in_force(tmp_path, MODEL, "v2", TRUSTED), InForce)
    for wrong in ("../x", "a/../b", "", "a b", "/etc", "a/b/c", "a\\b", "a--b"):
        refused = contracts.in_force(tmp_path, wrong, REVISION, TRUSTED)
        assert isinstance(refused, Refused)
        assert "is no model id" in refused.reason


def test_a_key_that_is_not_trusted(tmp_path: Path) -> None:
    signed(tmp_path)
    refused = contracts.in_force(tmp_path, MODEL, REVISION, ())
    assert isinstance(refused, Refused)
    assert f'add "{TRUSTED[0]}" to corpora.trusted_keys' in refused.reason
    assert isinstance(contracts.in_force(tmp_path, MODEL, REVISION, (contracts.public_key(OTHER),)), Refused)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    kept = signed(tmp_path)
    unsigned = kept.path.with_name(f"{kept.contract.hash}.json")
    for path, step in ((kept.path, 1), (unsigned, 5)):
        whole = path.read_bytes()
        for place in range(0, len(whole), step):
            for bit in range(8) if place % 64 == 0 else (place % 8,):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
                assert isinstance(state(tmp_path), Refused), (path.name, place, bit)
        path.write_bytes(whole)
    assert isinstance(state(tmp_path), InForce)


def test_every_cut_off_record_is_found_and_named(tmp_path: Path) -> None:
    path = signed(tmp_path).path
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ContractError, match=path.name):
            contracts.read(path)
    assert f"{path}: not JSON, cut off or damaged" in reason(tmp_path)
    path.write_bytes(whole + b"\n")
    assert "not canonical JSON" in reason(tmp_path)


def _set(*path: Any) -> Any:
    *way, last, value = path

    def change(record: dict[str, Any]) -> None:
        for step in way:
            record = record[step]
        record[last] = value

    return change


def _swap(record: dict[str, Any]) -> None:
    texts = record["artifacts"]
    for end in ("", "_hash"):
        texts[f"system_prompt{end}"], texts[f"first_input{end}"] = (
            texts[f"first_input{end}"],
            texts[f"system_prompt{end}"],
        )


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (_set("artifacts", "answer", "Yes!"), "answer: found"),
        (_set("artifacts", "first_input", "Do you accept all of it?"), "first input: found"),
        (_set("artifacts", "system_prompt", ""), "system prompt: found"),
        (_swap, "signature: found of something else, expected valid"),
        (_set("participants", "human", "name", "Eve"), "signature: found of something else"),
        (_set("participants", "model", "revision", "main2"), "main was never asked (it was at main2"),
        (_set("participants", "model", "id", "Qwen/Qwen3-4B"), "its folder is Qwen--Qwen3-4B"),
        (_set("place", "elsewhere"), "signature: found of something else"),
        (_set("created_at", "2026-11-20T12:00:01+00:00"), "signature: found of something else"),
        (_set("previous", "0" * 64), "signature: found of something else"),
        (_set("signature", "public_key", contracts.public_key(OTHER)), "signature: found of something else"),
        (_set("status", "declined"), "signature: found of something else"),
    ],
)
def test_a_changed_field_under_its_new_name_is_found(tmp_path: Path, change: Any, finding: str) -> None:
    rewritten(signed(tmp_path), change)
    assert finding in reason(tmp_path)


def test_signed_again_by_another(tmp_path: Path) -> None:
    rewritten(signed(tmp_path), _set("participants", "human", "name", "Eve"), resign=OTHER)
    assert f'add "{contracts.public_key(OTHER)}" to corpora.trusted_keys' in reason(tmp_path)


def test_a_record_whose_predecessor_is_not_there(tmp_path: Path) -> None:
    rewritten(signed(tmp_path), _set("previous", "0" * 64), resign=KEY)
    assert "previous: found missing, expected Qwen/Qwen3-0.6B-Base at main" in reason(tmp_path)


def test_a_no_that_was_kept_as_a_yes_is_not_signed_and_does_not_count(tmp_path: Path) -> None:
    kept = contracts.append(tmp_path, draft("No."), clock())
    path = rewritten(kept, _set("status", "accepted"))
    with pytest.raises(ContractError, match="its answer is declined: ask anew"):
        contracts.sign(tmp_path, MODEL, REVISION, KEY)
    rewritten(Kept(path, contracts.read(path)), lambda _record: None, resign=KEY)
    assert "status: found declined, expected accepted" in reason(tmp_path)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (_set("surprise", 1), "surprise: Extra inputs"),
        (lambda record: record.pop("place"), "place: Field required"),
        (_set("place", 7), "place: Input should be a valid string"),
        (_set("place", "two\nlines"), "place: must be one line"),
        (_set("place", ""), "place"),
        (_set("status", "maybe"), "status: Input should be"),
        (_set("status", "invited"), "status invited has no answer"),
        (_set("created_at", "yesterday"), "created_at: must be a time in UTC"),
        (_set("created_at", "2026-11-20T12:00:00"), "created_at: must be a time in UTC"),
        (_set("created_at", "2026-11-20T13:00:00+01:00"), "created_at: must be a time in UTC"),
        (_set("created_at", "0001-01-01T00:00:00+23:00"), "created_at: must be a time in UTC"),
        (_set("previous", "0" * 63), "previous"),
        (_set("previous", "0" * 63 + "\n"), "previous"),
        (_set("participants", "model", "id", "../../etc"), "is no model id"),
        (_set("participants", "model", "parameters", "many"), "parameters"),
        (_set("participants", "model", "parameters", -1), "parameters"),
        (_set("participants", "model", "config", {"how": "guessed"}), "config"),
        (_set("participants", "model", "config", {"how": "revoked", "reason": "x"}), "came about by 'revoked'"),
        (_set("artifacts", "answer", None), "needs answer and hash"),
        (_set("artifacts", "answer_hash", None), "needs answer and hash"),
        (_set("signature", {}), "signature.algorithm: Field required"),
        (_set("signature", {"algorithm": "none", "public_key": "0" * 64, "value": "0" * 128}), "signature.algorithm"),
        (_set("signature", {"algorithm": "Ed25519", "public_key": "0" * 64, "value": "A" * 128}), "signature.value"),
    ],
)
def test_malformed_records_name_file_and_cause(tmp_path: Path, change: Any, cause: str) -> None:
    path = rewritten(contracts.append(tmp_path, draft(), clock()), change)
    with pytest.raises(ContractError) as caught:
        contracts.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert cause in str(caught.value)
    assert cause in reason(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":NaN}',
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"a":12345678901234567890}',
        b'{"a":"\\ud800"}',
        bytes(17 << 20),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_record_at_all(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / contracts.slug(MODEL)
    folder.mkdir()
    path = folder / f"{'0' * 64}.json"
    path.write_bytes(data)
    with pytest.raises(ContractError, match=path.name):
        contracts.read(path)
    assert [type(each) for each in contracts.all_of(tmp_path)] == [Damaged]


def test_the_same_content_in_other_bytes_is_damaged(tmp_path: Path) -> None:
    path = signed(tmp_path).path
    whole = path.read_bytes()
    record = json.loads(whole)
    for data in (
        json.dumps(record).encode(),
        whole.replace(b'"place":', b'"place":"at the kitchen table","place":'),
        b"\xef\xbb\xbf" + whole,
        whole.decode().encode("utf-16"),
        json.dumps(dict(reversed(record.items())), separators=(",", ":")).encode(),
    ):
        path.write_bytes(data)
        assert "not canonical JSON" in reason(tmp_path)


def test_files_that_are_not_where_they_belong(tmp_path: Path) -> None:
    kept = signed(tmp_path)
    assert [each.path for each in contracts.all_of(tmp_path)] == [kept.path]
    (kept.path.parent / ".abc.json.1234").write_bytes(b"what a killed writer left")
    assert isinstance(state(tmp_path), InForce)
    for stray in (kept.path.parent / "notes.txt", kept.path.parent / f"{'1' * 64}.json", tmp_path / "x.json"):
        stray.write_bytes(kept.path.read_bytes())
        assert [each.path for each in contracts.all_of(tmp_path) if isinstance(each, Damaged)] == [stray]
        assert isinstance(state(tmp_path), InForce if stray.parent == tmp_path else Refused)
        stray.unlink()
    (kept.path.parent / "folder").mkdir()
    assert "folder: cannot be read" in reason(tmp_path)


def test_a_chain_and_how_it_ends(tmp_path: Path) -> None:
    now = clock()
    first = contracts.append(tmp_path, draft(None), now)
    second = contracts.append(tmp_path, draft("Hm."), now)
    contracts.append(tmp_path, draft(), now)
    third = contracts.sign(tmp_path, MODEL, REVISION, KEY)
    chain = contracts.chain_of(tmp_path, MODEL, REVISION)
    assert [each.path for each in chain] == [first.path, second.path, third.path]
    assert [each.contract.previous for each in chain] == [None, first.contract.hash, second.contract.hash]
    assert isinstance(state(tmp_path), InForce)
    last = contracts.append(tmp_path, contracts.revocation(third.contract, "at home", "changed my mind"), now)
    assert (last.contract.status, last.contract.previous) == ("revoked", third.contract.hash)
    assert (last.contract.artifacts.first_input, last.contract.artifacts.answer) == ("Do you accept?", None)
    assert "it was revoked (2026-11-20T12:00:03+00:00, changed my mind): coevo contract ask" in reason(tmp_path)
    with pytest.raises(ContractError, match="is a revocation already"):
        contracts.revocation(last.contract, "at home", "again")
    contracts.append(tmp_path, draft("Yes, I accept."), now)
    assert "nobody has signed" in reason(tmp_path)
    contracts.sign(tmp_path, MODEL, REVISION, KEY)
    found = state(tmp_path)
    assert isinstance(found, InForce)
    assert {"previous", "date"} <= {check.name for check in found.checks}


def test_an_older_record_may_lack_trust_but_not_integrity(tmp_path: Path) -> None:
    now = clock()
    contracts.append(tmp_path, draft(), now)
    old = contracts.sign(tmp_path, MODEL, REVISION, OTHER)
    contracts.append(tmp_path, draft(), now)
    contracts.sign(tmp_path, MODEL, REVISION, KEY)
    assert isinstance(state(tmp_path), InForce)
    value = old.contract.model_dump()["signature"]["value"]
    old.path.write_bytes(old.path.read_bytes().replace(value.encode(), value[::-1].encode()))
    assert f"{old.path}: signature: found of something else" in reason(tmp_path)
    old.path.unlink()
    (old.path.with_name(f"{old.contract.hash}.json")).unlink()
    assert "previous: found missing" in reason(tmp_path)


def test_a_fork_clears_neither(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    a, b = signed(one), signed(two, answer="I accept.")
    (one / contracts.slug(MODEL) / b.path.name).write_bytes(b.path.read_bytes())
    assert "no fork: found" in reason(one)
    for each in (a, b):
        checks = contracts.audit(each.contract, trusted_keys=TRUSTED, among=contracts.of_folder(a.path.parent))
        assert [check.name for check in checks if not check.passed] == ["no fork"]
    with pytest.raises(ContractError, match="no fork"):
        contracts.append(one, draft(), clock())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    kept = signed(tmp_path)
    before = {path: path.read_bytes() for path in kept.path.parent.glob("*.json")}
    with pytest.raises(ContractError, match="is signed already"):
        contracts.sign(tmp_path, MODEL, REVISION, OTHER)
    contracts.append(tmp_path, draft(), clock())
    assert {path: path.read_bytes() for path in before} == before


def test_a_clock_that_runs_back(tmp_path: Path) -> None:
    contracts.append(tmp_path, draft(None), clock())
    with pytest.raises(ContractError, match="now it is 2026-11-20T11:59:59"):
        contracts.append(tmp_path, draft(), clock(START - timedelta(seconds=1)))
    contracts.append(tmp_path, draft(), clock())  # the same second is no step back


def test_a_broken_chain_is_not_gone_on_with(tmp_path: Path) -> None:
    kept = contracts.append(tmp_path, draft(None), clock())
    kept.path.write_bytes(kept.path.read_bytes()[:-1])
    with pytest.raises(ContractError, match="restore it from a copy"):
        contracts.append(tmp_path, draft(), clock())
    with pytest.raises(ContractError, match="restore it from a copy"):
        contracts.sign(tmp_path, MODEL, REVISION, KEY)


def test_many_writers_make_one_chain(tmp_path: Path) -> None:
    writers = [
        threading.Thread(target=contracts.append, args=(tmp_path, draft(f"Hm {n}."), lambda: START)) for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(contracts.chain_of(tmp_path, MODEL, REVISION)) == 8


def test_two_signers_and_one_signature(tmp_path: Path) -> None:
    contracts.append(tmp_path, draft(), clock())
    errors: list[Exception] = []

    def try_it(key: Ed25519PrivateKey) -> None:
        try:
            contracts.sign(tmp_path, MODEL, REVISION, key)
        except ContractError as error:
            errors.append(error)

    signers = [threading.Thread(target=try_it, args=(key,)) for key in (KEY, OTHER, KEY, OTHER)]
    for signer in signers:
        signer.start()
    for signer in signers:
        signer.join()
    assert len(errors) == 3
    assert len(list(tmp_path.rglob("*.signed.json"))) == 1


def test_an_answer_that_was_cut_off_does_not_accept() -> None:
    local: dict[str, Any] = {
        **{"how": "local", "transformers": "5", "torch": "2", "device": "cpu", "dtype": "float32"},
        **{"chat_template": True, "do_sample": False, "max_new_tokens": 9},
    }
    for ended, verdict in (("stop", "accepted"), ("length", "ambiguous")):
        assert contracts.status_of("Yes", contracts.Local(**local | {"ended": ended})) == verdict
    served: dict[str, Any] = {
        **{"how": "endpoint", "address": "http://x/v1", "served_as": "m", "reported": None},
        **{"temperature": 0, "max_tokens": 9},
    }
    for end, verdict in (
        ("stop", "accepted"),
        (None, "accepted"),
        ("length", "ambiguous"),
        ("tool_calls", "ambiguous"),
    ):
        assert contracts.status_of("Yes", contracts.Endpoint(**served | {"ended": end})) == verdict
    assert contracts.status_of("No.", contracts.Local(**local | {"ended": "length"})) == "declined"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(answer=st.text(st.characters(exclude_categories=["Cs"])), place=st.text(min_size=1, max_size=200))
def test_any_text_survives_writing_and_reading(tmp_path: Path, answer: str, place: str) -> None:
    folder = tmp_path / hashlib.sha256(f"{place} {answer}".encode(errors="replace")).hexdigest()
    fields = draft(answer).model_dump() | {"place": place}
    if not place.isprintable() or not place.strip():
        with pytest.raises(ContractError, match="place"):
            contracts.drafted(**fields)
        return
    kept = contracts.append(folder, contracts.drafted(**fields), lambda: START)
    assert contracts.read(kept.path) == kept.contract
    assert kept.contract.artifacts.answer == answer


def test_half_a_surrogate_pair_has_no_hash() -> None:
    with pytest.raises(ContractError, match="the text has no UTF-8"):
        contracts.artifacts("a", "b", "\ud800")


# Model files


def shard(path: Path, **shapes: list[int]) -> Path:
    header = json.dumps(
        {name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()} | {"__metadata__": {}}
    )
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"weights")
    return path


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    shard(folder / "model-1.safetensors", a=[3, 4], b=[])
    shard(folder / "model-2.safetensors", c=[5])
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "README.md").write_text("not hashed")
    (folder / ".cache").mkdir()
    return folder


def test_files_hash_is_of_names_and_hashes(model_folder: Path) -> None:
    names = ["config.json", "model-1.safetensors", "model-2.safetensors"]
    parts = {name: hashlib.sha256((model_folder / name).read_bytes()).hexdigest() for name in names}
    expected = hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert contracts.files_hash(model_folder) == expected
    assert contracts.described(model_folder) == ("qwen3", 12 + 1 + 5)
    (model_folder / "README.md").write_text("still not hashed")
    (model_folder / "other").mkdir()
    assert contracts.files_hash(model_folder) == expected
    seen = {expected}
    for change in (
        lambda: (model_folder / "config.json").write_text('{"model_type": "qwen4"}'),
        lambda: (model_folder / "model-2.safetensors").rename(model_folder / "model-3.safetensors"),
        lambda: (model_folder / "chat_template.jinja").write_text(""),
        lambda: (model_folder / "merges.txt").write_text(""),
        (model_folder / "config.json").unlink,
    ):
        change()
        found = contracts.files_hash(model_folder)
        assert found not in seen
        seen.add(found)


def test_files_that_cannot_be_hashed(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(ContractError, match="no such folder"):
        contracts.files_hash(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(ContractError, match="no weights in it"):
        contracts.files_hash(tmp_path / "empty")
    (model_folder / "model-4.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(ContractError, match="leads to no file"):
        contracts.files_hash(model_folder)
    (model_folder / "model-4.safetensors").unlink()
    for data in (
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 30) + b'{"a":{"shape":["x"]}}         ',
    ):
        (model_folder / "model-4.safetensors").write_bytes(data)
        with pytest.raises(ContractError, match=r"model-4\.safetensors"):
            contracts.described(model_folder)


def test_the_models_files_are_those_that_were_asked(tmp_path: Path, model_folder: Path) -> None:
    folder = tmp_path / "contracts"
    signed(folder)
    assert "none was recorded when it was asked: coevo contract ask" in reason(folder, model_folder=model_folder)
    fields = draft().model_dump()
    fields["participants"]["model"]["files_hash"] = contracts.files_hash(model_folder)
    contracts.append(folder, contracts.drafted(**fields), clock())
    kept = contracts.sign(folder, MODEL, REVISION, KEY)
    assert isinstance(state(folder, model_folder=model_folder), InForce)
    assert f"model files: sha256:{contracts.files_hash(model_folder)}" in contracts.header(kept.contract)
    weights = model_folder / "model-1.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"S")
    assert "model files: found" in reason(folder, model_folder=model_folder)
    assert "no such folder" in reason(folder, model_folder=tmp_path / "absent")


def test_contracts_are_values(tmp_path: Path) -> None:
    kept = signed(tmp_path)
    assert contracts.read(kept.path) == kept.contract
    with pytest.raises(ValueError, match="frozen"):
        kept.contract.status = "declined"
    assert isinstance(Contract.model_validate(kept.contract.model_dump()), Contract)
