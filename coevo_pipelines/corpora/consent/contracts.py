"""Contracts: what a model was asked, what it answered, and the signature of the person who stands for it.

A record is canonical JSON (RFC 8785). Its hash is the SHA-256 of the record without its `signature`; the signature is
Ed25519 (RFC 8032) over the 32 bytes of that hash. So signing does not change the hash, and each record is stored as

    <folder>/<model id, / as -->/<hash>.json           as it was asked, answered or revoked, without a signature
    <folder>/<model id, / as -->/<hash>.signed.json    the same, signed

Nothing is overwritten or removed. The records of one model and revision are a chain: `previous` is the hash of the
record that this one replaces, and the newest counts. What a chain cannot show is that records are missing at its end:
whoever noted the newest hash (a release does) can tell.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from filelock import FileLock
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from coevo_pipelines.corpora.consent.answers import Verdict, classify
from coevo_pipelines.lake.ledger import file_sha256, write_whole

FOLDER = "contracts"
"""In the lake."""

MOST = 16 << 20
"""Bytes of a record."""

WEIGHTS = frozenset({".safetensors", ".bin", ".gguf", ".pt", ".pth"})
SHAPES = frozenset({".json", ".jinja", ".model", ".tiktoken"})
"""Configuration, tokenizer and chat template: they decide what the weights say."""
VOCABULARIES = frozenset({"merges.txt", "vocab.txt"})

ANSWERED = frozenset({"accepted", "declined", "ambiguous"})

Status = Literal["invited", "accepted", "declined", "ambiguous", "revoked"]


class ContractError(ValueError):
    """A record or chain is not what it must be; the message names the file and the cause."""


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must be one line of printable text")
    return text


def _model_id(text: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*(?:/\w[\w.-]*)?", text, re.ASCII) or "--" in text or ".." in text:
        raise ValueError(f"{text!r} is no model id: write it as on the Hugging Face Hub, such as Qwen/Qwen3-0.6B-Base")
    return text


def _moment(text: str) -> str:
    try:
        if _iso(datetime.fromisoformat(text)) == text:
            return text
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time in UTC and whole seconds, such as 2026-11-20T12:00:00+00:00")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Text = Annotated[str, Field(max_length=MOST)]


class _Part(BaseModel):
    # No field has a default: what is not known is written as null.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Local(_Part):
    """The model answered here, through transformers."""

    how: Literal["local"]
    transformers: Line
    torch: Line
    device: Line
    dtype: Line
    chat_template: bool
    do_sample: Literal[False]
    max_new_tokens: int
    ended: Literal["stop", "length"]


class Endpoint(_Part):
    """The model answered over an OpenAI-compatible interface."""

    how: Literal["endpoint"]
    address: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_one_line)]
    served_as: Line
    reported: Line | None
    temperature: int
    max_tokens: int
    ended: Line | None


class Recorded(_Part):
    """The model answered elsewhere; `by` says so."""

    how: Literal["recorded"]
    by: Line


class Invited(_Part):
    """The question was put on record; the answer is to come."""

    how: Literal["invited"]


class Revoked(_Part):
    how: Literal["revoked"]
    reason: Line


Config = Annotated[Local | Endpoint | Recorded | Invited | Revoked, Field(discriminator="how")]
"""How the record came about: how the model was run, or who says what it answered."""


class Human(_Part):
    name: Line
    id_hash: Sha256


class Model(_Part):
    id: Annotated[Line, AfterValidator(_model_id)]
    revision: Line
    kind: Line | None
    parameters: Annotated[int, Field(ge=0, lt=2**53)] | None
    files_hash: Sha256 | None
    config: Config


class Participants(_Part):
    human: Human
    model: Model


class Artifacts(_Part):
    """The question in full and the answer with all its thinking, each with the SHA-256 of its UTF-8."""

    system_prompt: Text
    system_prompt_hash: Sha256
    first_input: Text
    first_input_hash: Sha256
    answer: Text | None
    answer_hash: Sha256 | None


class Signature(_Part):
    algorithm: Literal["Ed25519"]
    public_key: Sha256
    value: Annotated[str, Field(pattern=r"^[0-9a-f]{128}\z")]


class Draft(_Part):
    """A record before it has its time and its place in the chain."""

    place: Line
    status: Status
    participants: Participants
    artifacts: Artifacts

    @model_validator(mode="after")
    def _fits_its_status(self) -> Draft:
        how, answered = self.participants.model.config.how, self.artifacts.answer is not None
        if answered != (self.status in ANSWERED) or answered != (self.artifacts.answer_hash is not None):
            raise ValueError(f"status {self.status} {'needs' if self.status in ANSWERED else 'has no'} answer and hash")
        expected = {self.status} if self.status not in ANSWERED else {"local", "endpoint", "recorded"}
        if how not in expected:
            raise ValueError(f"status {self.status} came about by {how!r}: expected {' or '.join(sorted(expected))}")
        return self


class Contract(Draft):
    """One record."""

    created_at: Annotated[str, AfterValidator(_moment)]
    previous: Sha256 | None
    signature: Signature | None

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical record without its signature, hex."""
        return hashlib.sha256(_canonical(self.model_dump(mode="json", exclude={"signature"}))).hexdigest()

    @property
    def model(self) -> Model:
        return self.participants.model

    @property
    def whom(self) -> str:
        """Model and revision, as messages name them."""
        return f"{self.model.id} at {self.model.revision}"


@dataclass(frozen=True)
class Kept:
    """A record and its file."""

    path: Path
    contract: Contract

    @property
    def hash(self) -> str:
        """The contract's, which `read` compared with the file's name."""
        return self.path.name.partition(".")[0]


@dataclass(frozen=True)
class Damaged:
    """A file among the records that is none, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    found: str
    expected: str


@dataclass(frozen=True)
class InForce:
    """An accepted contract that passes every check."""

    contract: Contract
    path: Path
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Refused:
    """There is no contract in force; one sentence says why, with the way out."""

    reason: str


def _canonical(record: Any) -> bytes:
    try:
        return rfc8785.dumps(record)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise ContractError(f"cannot be written as canonical JSON: {error}") from error


def to_bytes(contract: Contract) -> bytes:
    """The record as it is stored: canonical JSON (RFC 8785), nothing after it."""
    return _canonical(contract.model_dump(mode="json"))


def text_hash(text: str) -> str:
    """SHA-256 of the text's UTF-8, hex. ContractError where it has none (half of a surrogate pair)."""
    try:
        return hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise ContractError(f"the text has no UTF-8: {error.reason} at character {error.start}") from error


def artifacts(system_prompt: str, first_input: str, answer: str | None) -> Artifacts:
    """The texts with their hashes."""
    return Artifacts(
        system_prompt=system_prompt,
        system_prompt_hash=text_hash(system_prompt),
        first_input=first_input,
        first_input_hash=text_hash(first_input),
        answer=answer,
        answer_hash=None if answer is None else text_hash(answer),
    )


def drafted(**fields: Any) -> Draft:
    """A Draft. ContractError naming the field that is wrong."""
    try:
        return Draft(**fields)
    except ValidationError as error:
        raise ContractError(_first(error)) from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "record"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"


def read(path: Path) -> Contract:
    """The record in a file.

    Raises ContractError naming the file for anything but the canonical bytes of a record whose hash is the file's name
    and whose model is the folder's; OSError where it cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(MOST + 1)
    if len(data) > MOST:
        raise ContractError(f"{path}: longer than {MOST >> 20} MB: no contract is")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{path}: not JSON, cut off or damaged: {error}") from error
    try:
        if _canonical(value) != data:
            raise ContractError("not canonical JSON (RFC 8785): a key twice, other order, spaces, or damaged")
        contract = Contract.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(f"{path}: {_first(error)}") from error
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from error
    if path.name != (own := _file_name(contract)):
        raise ContractError(f"{path}: what is in it makes it {own}: it was changed or renamed")
    if path.parent.name != (own := slug(contract.model.id)):
        raise ContractError(f"{path}: is about {contract.model.id}: its folder is {own}")
    return contract


def _file_name(contract: Contract) -> str:
    return f"{contract.hash}.json" if contract.signature is None else f"{contract.hash}.signed.json"


def slug(model_id: str) -> str:
    """Name of a model's folder. ContractError for what is no model id."""
    try:
        return _model_id(model_id).replace("/", "--")
    except ValueError as error:
        raise ContractError(str(error)) from None


def all_of(folder: Path) -> list[Kept | Damaged]:
    """Every record under `folder` (all models), by path; what is no record is Damaged, nothing is left out but names
    that begin with a dot (locks, and what killed writers left). Of a signed record only the signed file is a Kept."""
    if not folder.is_dir():
        return []
    found: list[Kept | Damaged] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        found += of_folder(entry) if entry.is_dir() else [Damaged(entry, "not in a model's folder")]
    return found


def of_folder(folder: Path) -> list[Kept | Damaged]:
    """Every record in one model's folder, as in `all_of`."""
    if not folder.is_dir():
        return []
    found: list[Kept | Damaged] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            found.append(Kept(path, read(path)))
        except ContractError as error:
            found.append(Damaged(path, str(error).removeprefix(f"{path}: ")))
        except OSError as error:
            found.append(Damaged(path, f"cannot be read: {error.strerror}"))
    signed = {each.hash for each in found if isinstance(each, Kept) and each.contract.signature}
    return [each for each in found if isinstance(each, Damaged) or each.contract.signature or each.hash not in signed]


def audit(
    contract: Contract,
    *,
    trusted_keys: Sequence[str],
    among: Sequence[Kept | Damaged],
    model_folder: Path | None = None,
) -> tuple[Check, ...]:
    """Every check of a record among all that lie in its model's folder.

    A record that another replaced may be unsigned or signed with a key that is no longer trusted; the newest may not
    where it is an acceptance. Model files are checked where a folder is given. ContractError, OSError where it cannot
    be read.
    """
    kept = {each.hash: each.contract for each in among if isinstance(each, Kept)}
    chain = {own: each for own, each in kept.items() if each.whom == contract.whom}
    replaced = contract.hash in {each.previous for each in chain.values()}
    checks = [
        *_files(contract, among),
        *_texts(contract),
        *_signature(contract, trusted_keys, needed=contract.status == "accepted" and not replaced),
        *_links(contract, kept, chain),
    ]
    if model_folder is not None:
        recorded = contract.model.files_hash
        checks.append(
            _equal("model files", files_hash(model_folder), recorded or "none was recorded when it was asked")
        )
    return tuple(checks)


def _equal(name: str, found: str, expected: str) -> Check:
    return Check(name, found == expected, found, expected)


def _files(contract: Contract, among: Sequence[Kept | Damaged]) -> list[Check]:
    """That the file is there with the record's bytes and name, and that all beside it can be read."""
    name, expected = _file_name(contract), hashlib.sha256(to_bytes(contract)).hexdigest()
    paths = [each.path for each in among if isinstance(each, Kept) and each.contract == contract]
    damaged = [each.path.name for each in among if isinstance(each, Damaged)]
    return [
        _equal("file", file_sha256(paths[0]) if paths and paths[0].is_file() else "none", expected),
        _equal("file name", paths[0].name if paths else "none", name),
        _equal("files beside it", ", ".join(damaged) or "all are records", "all are records"),
    ]


def _texts(contract: Contract) -> list[Check]:
    given = contract.artifacts
    checks = [
        _equal("system prompt", text_hash(given.system_prompt), given.system_prompt_hash),
        _equal("first input", text_hash(given.first_input), given.first_input_hash),
    ]
    if given.answer is not None:
        checks.append(_equal("answer", text_hash(given.answer), given.answer_hash or ""))
    if contract.status == "accepted" and given.answer is not None:
        checks.append(_equal("status", status_of(given.answer, contract.model.config), "accepted"))
    return checks


def _signature(contract: Contract, trusted_keys: Sequence[str], *, needed: bool) -> list[Check]:
    signature = contract.signature
    if signature is None:
        return [Check("signature", not needed, "none", "of a trusted key" if needed else "none needed")]
    checks = [_equal("signature", "valid" if _verifies(contract) else "of something else", "valid")]
    if needed:
        trusted = signature.public_key in trusted_keys
        checks.append(Check("key", trusted, signature.public_key, "in corpora.trusted_keys"))
    return checks


def _verifies(contract: Contract) -> bool:
    if contract.signature is None:
        return False
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(contract.signature.public_key))
    try:
        key.verify(bytes.fromhex(contract.signature.value), bytes.fromhex(contract.hash))
    except InvalidSignature:
        return False
    return True


def _links(contract: Contract, kept: dict[str, Contract], chain: dict[str, Contract]) -> list[Check]:
    own = contract.hash
    rivals = sorted(other for other, each in chain.items() if each.previous == contract.previous and other != own)
    checks = [_equal("no fork", ", ".join(rivals) or "the only one", "the only one")]
    if contract.previous is not None:
        before = kept.get(contract.previous)
        found = "missing" if before is None else before.whom
        checks.append(_equal("previous", found, contract.whom))
        if before is not None:
            in_order = datetime.fromisoformat(before.created_at) <= datetime.fromisoformat(contract.created_at)
            checks.append(Check("date", in_order, contract.created_at, f"not before {before.created_at}"))
    return checks


def status_of(answer: str, config: Local | Endpoint | Recorded | Invited | Revoked) -> Verdict:
    """What an answer means: as `classify` reads it; one that was cut off, or ended by another than the model, does not
    accept."""
    verdict = classify(answer)
    whole = not isinstance(config, Local | Endpoint) or config.ended in {"stop", "eos_token", None}
    return verdict if whole or verdict != "accepted" else "ambiguous"


_OF_THE_NEWEST = frozenset({"key", "status"})
_UNSIGNED = ("signature", "none")
"""What keeps a record from being in force, and leaves the chain whole."""


def chain_of(folder: Path, model_id: str, revision: str) -> list[Kept]:
    """The records of a model and revision, oldest first, each of them verified; trust in keys is not asked.

    Raises ContractError where a file of the model is damaged, or the chain is broken or forked.
    """
    return _chain(folder, model_id, revision)[0]


def _chain(folder: Path, model_id: str, revision: str) -> tuple[list[Kept], list[Kept | Damaged]]:
    """As `chain_of`, with all that lies in the model's folder."""
    among = of_folder(folder / slug(model_id))
    for each in among:
        if isinstance(each, Damaged):
            raise ContractError(f"{each.path}: {each.reason}; restore it from a copy, or move it away if it is none")
    records = [
        each
        for each in among
        if isinstance(each, Kept) and (each.contract.model.id, each.contract.model.revision) == (model_id, revision)
    ]
    for each in records:
        for check in audit(each.contract, trusted_keys=(), among=among):
            if not (check.passed or check.name in _OF_THE_NEWEST or (check.name, check.found) == _UNSIGNED):
                raise ContractError(
                    f"{each.path}: {check.name}: found {check.found}, expected {check.expected}; "
                    f"restore it from a copy, or move {each.path.parent} away and ask anew"
                )
    after = {each.contract.previous: each for each in records}
    ordered: list[Kept] = []
    while (following := after.get(ordered[-1].hash if ordered else None)) is not None:
        ordered.append(following)
    return ordered, among


def in_force(
    folder: Path, model_id: str, revision: str, trusted_keys: Sequence[str], model_folder: Path | None = None
) -> InForce | Refused:
    """The contract under which a corpus may be made for a model and revision now, or why there is none.

    The newest record of the chain decides. It must be an acceptance, signed by a trusted key, and pass every check
    (`audit`); a damaged file in the model's folder refuses.
    """
    try:
        chain, among = _chain(folder, model_id, revision)
        if not chain:
            others = _others(among)
            return Refused(f"{model_id} at {revision} was never asked{others}: {_ask(model_id, revision)} …")
        newest = chain[-1]
        checks = audit(
            newest.contract,
            trusted_keys=trusted_keys,
            among=among,
            model_folder=model_folder,
        )
    except ContractError as error:
        return Refused(str(error))
    except OSError as error:
        return Refused(f"{error.filename}: cannot be read: {error.strerror}")
    if (wrong := _refusal(newest.contract, checks)) is not None:
        return Refused(wrong)
    return InForce(newest.contract, newest.path, checks)


def _refusal(contract: Contract, checks: Sequence[Check]) -> str | None:
    """Why the newest record of a whole chain is no contract in force, with the way out."""
    ask = _ask(contract.model.id, contract.model.revision)
    if contract.status != "accepted":
        return f"{contract.whom} {_STATE[contract.status]} ({contract.created_at}{_why(contract)}): {ask} …"
    if contract.signature is None:
        sign = f"coevo contract sign {contract.model.id} --revision {contract.model.revision} --key FILE"
        return f"{contract.whom} accepted, and nobody has signed {contract.hash}: {sign}"
    for check in checks:
        if check.passed:
            continue
        told = f"{contract.whom}, contract {contract.hash}"
        if check.name == "key":
            return f'{told}: signed by a key nobody trusts: add "{check.found}" to corpora.trusted_keys if you do'
        told += f": {check.name}: found {check.found}, expected {check.expected}"
        return f"{told}: {ask} --model-files FOLDER …" if check.name == "model files" else f"{told}: {ask} …"
    return None


def _ask(model_id: str, revision: str) -> str:
    return f"coevo contract ask --model {model_id} --revision {revision}"


_STATE = {
    "invited": "was invited and has not answered",
    "declined": "declined",
    "ambiguous": "gave no clear answer",
    "revoked": "has no contract any more, it was revoked",
}


def _why(contract: Contract) -> str:
    config = contract.model.config
    return f", {config.reason}" if isinstance(config, Revoked) else ""


def _others(among: Sequence[Kept | Damaged]) -> str:
    revisions = ", ".join(sorted({each.contract.model.revision for each in among if isinstance(each, Kept)}))
    return f" (it was at {revisions}; each revision is asked for itself)" if revisions else ""


def append(folder: Path, draft: Draft, now: Callable[[], datetime]) -> Kept:
    """Store `draft` as the newest record of its chain; of several writers each waits for the one before.

    Raises ContractError where the chain is broken or its newest record is later than `now()`.
    """
    model = draft.participants.model
    place = folder / slug(model.id)
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / ".lock"):
        chain = chain_of(folder, model.id, model.revision)
        moment = now()
        if chain and datetime.fromisoformat(last := chain[-1].contract.created_at) > moment:
            raise ContractError(f"{place}: its newest record is of {last}, and now it is {_iso(moment)}: set the clock")
        contract = Contract(
            **dict(draft), created_at=_iso(moment), previous=chain[-1].hash if chain else None, signature=None
        )
        return _write(place, contract)


def sign(folder: Path, model_id: str, revision: str, key: Ed25519PrivateKey) -> Kept:
    """Sign the newest record of a chain. ContractError where it is no acceptance, signed already, or not whole."""
    place = folder / slug(model_id)
    if not place.is_dir():
        raise ContractError(f"{model_id} at {revision} was never asked: there is nothing to sign")
    with FileLock(place / ".lock"):
        chain = chain_of(folder, model_id, revision)
        if not chain:
            raise ContractError(f"{model_id} at {revision} was never asked: there is nothing to sign")
        contract = chain[-1].contract
        if contract.status != "accepted":
            raise ContractError(f"{contract.whom} {_STATE[contract.status]}: only an acceptance is signed")
        answer, config = contract.artifacts.answer or "", contract.model.config
        if (meant := status_of(answer, config)) != "accepted":
            raise ContractError(f"{contract.hash} is kept as an acceptance, and its answer is {meant}: ask anew")
        if contract.signature is not None:
            raise ContractError(f"{contract.hash} is signed already, by {contract.signature.public_key}")
        signature = Signature(
            algorithm="Ed25519",
            public_key=public_key(key),
            value=key.sign(bytes.fromhex(contract.hash)).hex(),
        )
        return _write(place, contract.model_copy(update={"signature": signature}))


def public_key(key: Ed25519PrivateKey) -> str:
    """The public half, 64 hex digits, as in `corpora.trusted_keys`."""
    return key.public_key().public_bytes_raw().hex()


def _write(place: Path, contract: Contract) -> Kept:
    path, data = place / _file_name(contract), to_bytes(contract)
    if len(data) > MOST:
        raise ContractError(f"{contract.whom}: the record would be longer than {MOST >> 20} MB")
    write_whole(path, data)
    return Kept(path, contract)


def revocation(of: Contract, place: str, reason: str) -> Draft:
    """The record that ends `of`: same participants and question, no answer. It needs no signature to count."""
    if of.status == "revoked":
        raise ContractError(f"{of.whom}: {of.hash} is a revocation already")
    given = of.artifacts
    config = {"how": "revoked", "reason": reason}
    return drafted(
        place=place,
        status="revoked",
        participants={
            "human": of.participants.human,
            "model": of.model.model_dump(exclude={"config"}) | {"config": config},
        },
        artifacts=artifacts(given.system_prompt, given.first_input, None),
    )


def header(contract: Contract) -> str:
    """The lines that a preamble injects, without a newline at the end.

    Raises ContractError where it is no acceptance or its signature does not hold; whom to trust is `in_force`'s.
    """
    if contract.status != "accepted" or not _verifies(contract):
        raise ContractError(f"{contract.hash}: only an accepted contract whose signature holds has a header")
    files = contract.model.files_hash
    return "\n".join(
        (
            f"status: {contract.status}",
            f"time: {contract.created_at}",
            f"model: {contract.whom}",
            f"model files: {f'sha256:{files}' if files else 'not on record'}",
            f"human partner: {contract.participants.human.name}",
            f"contract: sha256:{contract.hash}",
        )
    )


def audit_json(contract: Contract, checks: Sequence[Check]) -> bytes:
    """The audit for a release, as canonical JSON."""
    return _canonical(
        {
            "contract": contract.hash,
            "model": contract.model.id,
            "revision": contract.model.revision,
            "passed": all(check.passed for check in checks),
            "checks": [vars(check) for check in checks],
        }
    )


def files_hash(folder: Path) -> str:
    """One SHA-256 for a model's files: of the canonical JSON object {name: SHA-256 of the file}, RFC 8785 sorts it.

    Files directly in `folder` count, links followed: weights (WEIGHTS) and what decides what they say (SHAPES,
    VOCABULARIES); names that begin with a dot do not. Raises ContractError where there are no weights or a link leads
    nowhere, OSError where a file cannot be read.
    """
    if not folder.is_dir():
        raise ContractError(f"{folder}: there is no such folder")
    names = {
        path.name: path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and not path.is_dir()
        and (path.suffix.lower() in WEIGHTS | SHAPES or path.name in VOCABULARIES)
    }
    if not any(path.suffix.lower() in WEIGHTS for path in names.values()):
        raise ContractError(f"{folder}: no weights in it ({', '.join(sorted(WEIGHTS))}): name the model's own folder")
    for path in names.values():
        if not path.is_file():
            raise ContractError(f"{path}: leads to no file: fetch the model whole")
    return hashlib.sha256(_canonical({name: file_sha256(path) for name, path in names.items()})).hexdigest()


def described(folder: Path) -> tuple[str | None, int | None]:
    """What the files say of a model: its type (config.json) and its number of parameters (headers of safetensors)."""
    kind = None
    if (config := folder / "config.json").is_file():
        found = _json(config, config.read_bytes()).get("model_type")
        kind = found if isinstance(found, str) and found else None
    shards = sorted(folder.glob("*.safetensors"))
    return kind, sum(map(_parameters, shards)) if shards else None


def _parameters(path: Path) -> int:
    """Numbers in a safetensors file. Its header: 8 bytes of length, little endian, then JSON of that length."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > 100_000_000:  # the format's own limit
            raise ContractError(f"{path}: not a safetensors file")
        tensors = _json(path, stream.read(length))
    total = 0
    for name, tensor in tensors.items():
        if name == "__metadata__":
            continue
        shape = tensor.get("shape") if isinstance(tensor, dict) else None
        if not isinstance(shape, list) or not all(type(each) is int and each >= 0 for each in shape):
            raise ContractError(f"{path}: tensor {name!r} has no shape")
        count = 1
        for each in shape:
            count *= each
        total += count
    return total


def _json(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{path}: not what its name says: {error}") from error
    if not isinstance(value, dict):
        raise ContractError(f"{path}: not what its name says: no JSON object")
    return value
